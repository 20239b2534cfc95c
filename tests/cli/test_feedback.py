"""`hanpuri feedback`: what people said becomes files, lists and figures; what is deleted is gone."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from hanpuri.cli import feedback
from hanpuri.cli.preferring import Output
from hanpuri.cli.preferring import corrections as prefer_corrections
from hanpuri.errors import HanpuriError
from hanpuri.serving.feedback.said import Correction, Said, Vote
from hanpuri.serving.feedback.store import open_store

URL = "sqlite:///feedback.db"
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SIDES = {"left": "작은 방", "right": "작은 빵", "left_model": "base", "right_model": "small"}
SAID: list[Said] = [
    Correction(noisy="쟈근 빵", restored="작은 빵", corrected="작은 방", consent=True, visitor="a1", model="base"),
    Correction(noisy="쟈근 빵", restored="작은 빵", accepted=True, consent=False),
    Vote(noisy="쟈근 빵", choice="left", consent=True, **SIDES),
    Vote(noisy="쟈근 빵", choice="both", consent=True, **SIDES),
]
IDS = [UUID(int=number) for number in range(1, 5)]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Work in a folder with a database."""
    monkeypatch.chdir(tmp_path)
    with open_store(URL) as store:
        for number, (said, id) in enumerate(zip(SAID, IDS, strict=True)):
            object.__setattr__(said, "id", id)
            object.__setattr__(said, "time", NOON + timedelta(days=number))
            store.add(said)


def read(path):
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


def export(form="corrections", out="out.jsonl", since=None, *, as_json=False, database=URL):
    feedback.export_rows(database, form, None if out is None else Path(out), since, as_json=as_json)


def test_rows_go_to_a_file_and_what_was_left_out_to_standard_error(capsys):
    export("preference")
    assert [(row["chosen"], row["source"]) for row in read("out.jsonl")] == [("작은 방", "corrections")]
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.splitlines() == [
        "out.jsonl: 1 row of 4",
        "  no consent                          1",
        "  neither of both is better           1",
        "  the same pair as another row        1",
    ]


def test_without_a_file_rows_go_to_standard_output(capsys):
    export("pairs", out=None)
    told = capsys.readouterr()
    assert told.out == '{"noisy": "쟈근 빵", "clean": "작은 방"}\n'
    assert told.err.splitlines()[0] == "stdout: 1 row of 4"


@pytest.mark.parametrize("out", ["out.jsonl", None])
def test_json_tells_what_was_left_out(capsys, out):
    export(out=out, as_json=True)
    told = capsys.readouterr()
    assert json.loads(told.out if out else told.err) == {
        **{"out": out, "form": "corrections", "rows": 4, "written": 1},
        "left_out": {"a vote says no right text": 2, "no consent": 1},
    }


@pytest.mark.parametrize(
    ("how", "message"),
    [
        (
            {"form": "pair"},
            "--form is 'pair'; write one of corrections, preference, pairs; did you mean pairs?",
        ),
        (
            {"since": "gestern"},
            "--since is 'gestern'; write it as 2026-11-22 or 2026-11-22T10:00:00+09:00",
        ),
        (
            {"since": "0001-01-01T00:00:00+14:00"},  # in UTC, before all that a calendar of Python has
            "--since is '0001-01-01T00:00:00+14:00'; write it as 2026-11-22 or 2026-11-22T10:00:00+09:00",
        ),
        (
            {"out": "out.csv"},
            "out.csv: found no name of a JSONL file; let it end in .jsonl, also .jsonl.gz and .jsonl.xz",
        ),
        # a file without rows would only be found out about later
        (
            {"form": "pairs", "since": "2026-11-23"},
            "sqlite:///feedback.db: none of the 3 rows can be exported as pairs: a vote says no right text (2), "
            "no consent (1); nothing was written; see `hanpuri feedback stats`",
        ),
        (
            {"since": "2027-01-01"},
            "sqlite:///feedback.db: none of the 0 rows can be exported as corrections; "
            "nothing was written; see `hanpuri feedback stats`",
        ),
        # a wrong path makes no database
        (
            {"database": "sqlite:///none.db"},
            "sqlite:///none.db: found no such file; give the --database that the service was started with",
        ),
    ],
)
def test_what_cannot_be_exported_is_one_line_and_the_old_file_stays(how, message):
    Path("out.jsonl").write_text("old")
    with pytest.raises(HanpuriError) as caught:
        export(**how)
    assert str(caught.value) == message
    assert Path("out.jsonl").read_text() == "old"
    assert not Path("none.db").exists()


def test_a_list_shows_ids_times_and_the_beginnings_of_texts(capsys):
    feedback.show(URL, "2026-11-23", 2, as_json=False)
    assert capsys.readouterr().out.splitlines() == [
        "00000000-0000-0000-0000-000000000003  2026-11-24T12:00:00Z  vote        consent  쟈근 빵",
        "00000000-0000-0000-0000-000000000004  2026-11-25T12:00:00Z  vote        consent  쟈근 빵",
    ]


def test_a_list_as_json_has_all_that_is_kept(capsys):
    feedback.show(URL, None, None, as_json=True)
    first, *_, last = map(json.loads, capsys.readouterr().out.splitlines())
    assert first == {
        **{"kind": "correction", "id": str(IDS[0]), "time": "2026-11-22T12:00:00Z", "visitor": "a1", "consent": True},
        **{"noisy": "쟈근 빵", "restored": "작은 빵", "corrected": "작은 방", "accepted": None, "model": "base"},
        "version": SAID[0].version,
    }
    assert (last["choice"], last["left_model"]) == ("both", "base")


def test_what_is_deleted_is_gone_and_what_is_not_there_is_said(capsys):
    with pytest.raises(HanpuriError) as caught:
        feedback.delete(URL, [IDS[1], UUID(int=9)], as_json=False)
    assert capsys.readouterr().out == "sqlite:///feedback.db: deleted 1 row\n"
    assert str(caught.value) == (
        "sqlite:///feedback.db: found no row 00000000-0000-0000-0000-000000000009; see `hanpuri feedback list`"
    )
    feedback.delete(URL, [IDS[0], IDS[2]], as_json=True)
    assert json.loads(capsys.readouterr().out) == {"deleted": [str(IDS[0]), str(IDS[2])], "missing": []}
    with open_store(URL) as store:
        assert [*store.each(Correction), *store.each(Vote)] == [SAID[3]]


def test_figures_are_told_by_kind_and_by_model(capsys):
    feedback.count(URL, as_json=False)
    assert capsys.readouterr().out.splitlines() == [
        "corrections: all 2, with consent 1, corrected 1, accepted 1 (2026-11-22 to 2026-11-23)",
        "votes: all 2, with consent 2, left 1, right 0, both 1, neither 0 (2026-11-24 to 2026-11-25)",
        "  base: better 1, worse 0, tied 1",
        "  small: better 0, worse 1, tied 1",
    ]
    feedback.count(URL, as_json=True)
    facts = json.loads(capsys.readouterr().out)
    assert facts["models"] == {
        "base": {"better": 1, "worse": 0, "tied": 1},
        "small": {"better": 0, "worse": 1, "tied": 1},
    }
    assert facts["corrections"]["first"] == "2026-11-22T12:00:00Z"


def test_migrate_says_what_is_pending_and_what_it_did(capsys):
    new = "sqlite:///new.db"
    with pytest.raises(HanpuriError, match="found no such file"):
        feedback.migrate_tables(new, dry_run=True, as_json=False)
    Path("new.db").touch()
    feedback.migrate_tables(new, dry_run=True, as_json=False)
    feedback.migrate_tables(new, dry_run=False, as_json=True)
    feedback.migrate_tables(new, dry_run=True, as_json=False)
    pending, taken, nothing = capsys.readouterr().out.splitlines()
    assert pending == "sqlite:///new.db: pending: r0001_first_tables"
    assert json.loads(taken) == {"database": new, "taken": ["r0001_first_tables"]}
    assert nothing == "sqlite:///new.db: up to date"


def test_what_was_exported_goes_through_prefer_corrections_unchanged(hanpuri, capsys):
    done = hanpuri("feedback", "export", "--database", URL, "--out", "corrections.jsonl")
    assert (done.code, done.out) == (0, "")
    prefer_corrections(Path("corrections.jsonl"), Output(Path("pairs.jsonl")), faults="error", apart=None)
    assert capsys.readouterr().out == "pairs.jsonl: 1 pair of 1 rows\n"
    assert [(row["prompt"], row["chosen"], row["rejected"]) for row in read("pairs.jsonl")] == [
        ("쟈근 빵", "작은 방", "작은 빵"),
    ]


def test_a_fault_is_one_line_without_a_password_and_exit_code_2(hanpuri):
    done = hanpuri("feedback", "stats", "--database", "postgresql://me:1234@/name?host=/none")
    assert done.code == 2
    assert done.err.startswith("hanpuri: postgresql://me:***@/name: connection")
    assert "1234" not in done.err
    assert done.err.count("\n") == 1
