"""Exported rows are those that the training road reads: with consent, once, and not what people do not agree on."""

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanpuri.data.recipe import PrepareRecipe
from hanpuri.evaluation.rows import read_rows
from hanpuri.preferences.corrections import pairs_from_corrections, read_corrections
from hanpuri.preferences.pairs import write_lines
from hanpuri.recipe import check_settings
from hanpuri.serving.feedback.export import Report, export
from hanpuri.serving.feedback.said import Correction, Said, Vote
from hanpuri.serving.feedback.store import FeedbackStore, open_store
from hanpuri.serving.feedback.tables import TABLES

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def correction(corrected="작은 방", noisy="쟈근 빵", restored="작은 빵", *, consent=True, **told) -> Correction:
    return Correction(noisy=noisy, restored=restored, corrected=corrected, consent=consent, **told)


def accepted(restored="작은 방", noisy="쟈근 빵", **told) -> Correction:
    return correction(None, noisy, restored, accepted=True, **told)


def vote(choice="left", left="작은 방", right="작은 빵", noisy="쟈근 빵", *, consent=True, **told) -> Vote:
    models = {"left_model": "base", "right_model": "small"}
    return Vote(noisy=noisy, left=left, right=right, choice=choice, consent=consent, **models, **told)


def filled(store: FeedbackStore, rows: list[Said]) -> FeedbackStore:
    """Keep rows, a second between each two."""
    with store.database.writing() as connection:
        for second, row in enumerate(rows):
            timed = replace(row, time=NOON + timedelta(seconds=second))
            connection.execute(TABLES[type(row)].insert().values(asdict(timed)))
    return store


@pytest.fixture
def store(tmp_path) -> Iterator[FeedbackStore]:
    with open_store(f"sqlite:///{tmp_path}/feedback.db") as store:
        yield store


@pytest.fixture(scope="module")
def shared(tmp_path_factory) -> Iterator[FeedbackStore]:
    """One for all examples of a property; `emptied` makes it new."""
    with open_store(f"sqlite:///{tmp_path_factory.mktemp('shared')}/feedback.db") as store:
        yield store


def emptied(store: FeedbackStore) -> FeedbackStore:
    with store.database.writing() as connection:
        for table in TABLES.values():
            connection.execute(table.delete())
    return store


def exported(store, form, since=None):
    report = Report(form)
    rows = list(export(store, report, since))
    assert report.num_written == len(rows)
    assert report.num_rows - report.num_written == sum(report.left_out.values())
    return rows, report.as_dict()["left_out"]


def test_a_correction_in_each_form(store):
    one = correction(visitor="a1", model="base")
    filled(store, [one])
    time = "2026-11-22T12:00:00Z"
    line = {
        "noisy": "쟈근 빵",
        "restored": "작은 빵",
        "corrected": "작은 방",
        "id": "a1",
        "model": "base",
        "time": time,
    }
    pair = {"prompt": "쟈근 빵", "chosen": "작은 방", "rejected": "작은 빵", "source": "corrections"}
    assert exported(store, "corrections") == ([line], {})
    assert exported(store, "preference") == ([pair | {"where": str(one.id), "people": 1}], {})
    assert exported(store, "pairs") == ([{"noisy": "쟈근 빵", "clean": "작은 방"}], {})


def test_a_vote_is_a_preference_and_no_right_text(store):
    one = vote("right")
    filled(store, [one])
    pair = {"prompt": "쟈근 빵", "chosen": "작은 빵", "rejected": "작은 방", "source": "votes", "where": str(one.id)}
    assert exported(store, "preference") == ([pair], {})
    for form in ("corrections", "pairs"):
        assert exported(store, form) == ([], {"a vote says no right text": 1})


@pytest.mark.parametrize(
    ("said", "chosen", "left_out"),
    [
        # nobody learns from what people did not give
        ([correction(consent=False), vote(consent=False)], [], {"no consent": 2}),
        # of one person the last word counts; of two that say the same, one row is made
        ([correction("가", visitor="a"), correction("나", visitor="a")], ["나"], {"said again later": 1}),
        ([correction("가", visitor="a"), correction("가", visitor="b")], ["가"], {"said by another person": 1}),
        ([vote("left", visitor="a"), vote("right", visitor="a")], ["작은 빵"], {"said again later": 1}),
        ([vote("left"), vote("right", left="작은 빵", right="작은 방")], ["작은 방"], {"said by another person": 1}),
        # who has no name may be anybody; where two do not agree there is nothing to learn
        ([correction("가"), correction("나")], [], {"people do not agree": 2}),
        ([correction("가"), accepted("작은 빵")], [], {"people do not agree": 2}),
        ([vote("left"), vote("right")], [], {"people do not agree": 2}),
        # a vote against a correction, and one with it
        ([correction("작은 방"), vote("right")], [], {"people do not agree": 2}),
        ([correction("작은 방"), vote("left")], ["작은 방"], {"the same pair as another row": 1}),
        # what says nothing of two texts
        ([accepted()], [], {"accepted as it is": 1}),
        ([correction(None, accepted=False)], [], {"neither corrected nor accepted": 1}),
        ([vote("both"), vote("neither")], [], {"neither of both is better": 2}),
        ([vote("left", left=" 가", right="가")], [], {"both texts are the same": 1}),
        ([vote("left", left=" ", right="가")], [], {"the better text is empty": 1}),
        # a model that said nothing may well be the worse one
        ([vote("right", left="", right="가")], ["가"], {}),
    ],
)
def test_what_becomes_a_preference_and_why_the_rest_does_not(store, said, chosen, left_out):
    rows, found = exported(filled(store, said), "preference")
    assert [row["chosen"] for row in rows] == chosen
    assert {
        why.removesuffix(" by the same person").removesuffix(" too"): count for why, count in found.items()
    } == left_out


@pytest.mark.parametrize(
    ("said", "clean"),
    [
        # what was accepted is a right text as well
        ([accepted("작은 방")], ["작은 방"]),
        ([accepted("작은 방"), correction("작은 방")], ["작은 방"]),
        ([accepted("작은 빵"), correction("작은 방")], []),
        ([correction(None, accepted=False)], []),
        ([correction("나", noisy="ㄴㅏ"), correction("가", noisy="ㄱㅏ")], ["가", "나"]),
    ],
)
def test_pairs_are_what_people_agree_on_text_by_text(store, said, clean):
    rows, _ = exported(filled(store, said), "pairs")
    assert [row["clean"] for row in rows] == clean


def test_only_what_came_since_is_looked_at(store):
    filled(store, [correction("가", consent=False), correction("나", noisy="나ㅏ"), correction("다", noisy="다ㅏ")])
    assert exported(store, "pairs", NOON + timedelta(seconds=2)) == ([{"noisy": "다ㅏ", "clean": "다"}], {})


TEXT = st.sampled_from(["가", "나", "다", "가 "])
VISITOR = st.sampled_from([None, "a", "b"])
SAID = st.one_of(
    st.builds(correction, TEXT, TEXT, TEXT, consent=st.booleans(), visitor=VISITOR),
    st.builds(accepted, TEXT, TEXT, visitor=VISITOR),
    st.builds(vote, st.sampled_from(["left", "right", "both"]), TEXT, TEXT, TEXT, visitor=VISITOR),
)


@settings(max_examples=60, deadline=None)
@given(said=st.lists(SAID, max_size=12))
def test_the_file_of_corrections_gives_the_same_pairs_as_the_database(shared, tmp_path_factory, said):
    path = tmp_path_factory.getbasetemp() / "corrections.jsonl"
    filled(emptied(shared), said)
    lines, _ = exported(shared, "corrections")
    shared.delete([one.id for one in said if isinstance(one, Vote)])
    direct, _ = exported(shared, "preference")
    read = []
    if lines:
        write_lines(path, lines)
        read = pairs_from_corrections(*read_corrections(path)).gathered.rows
    sides = ("prompt", "chosen", "rejected", "people")
    assert [[row[side] for side in sides] for row in read] == [[row[side] for side in sides] for row in direct]


@settings(max_examples=30, deadline=None)
@given(said=st.lists(SAID, max_size=12))
def test_no_export_says_the_opposite_of_itself_or_the_same_twice(shared, said):
    filled(emptied(shared), said)
    pairs, _ = exported(shared, "preference")
    clean, _ = exported(shared, "pairs")
    sides = [(row["prompt"], row["chosen"], row["rejected"]) for row in pairs]
    assert len(set(sides)) == len(sides)
    assert not {(prompt, rejected, chosen) for prompt, chosen, rejected in sides} & set(sides)
    assert len({row["noisy"] for row in clean}) == len(clean)


def test_prepare_and_evaluate_read_what_is_exported_as_it_is(store, tmp_path, monkeypatch):
    from hanpuri.data.preparation.prepare import prepare

    monkeypatch.chdir(tmp_path)
    texts = ["방이 넓고 좋아요", "주인이 친절해요", "조식이 맛있어요", "역에서 가까워요"]
    filled(store, [correction(text, f"{text}욜", f"{text}요") for text in texts] + [vote()])
    for form, count in (("preference", 5), ("pairs", 4)):
        path = Path(f"{form}.jsonl")
        write_lines(path, export(store, Report(form)))
        told = {"kind": "prepare", "name": form, "form": form, "sources": [{"path": str(path)}]}
        more = {"split": {"validation": 0, "test": 0}, "deduplicate": {"near": None}}
        recipe = check_settings("the recipe", PrepareRecipe, told | more)
        facts = json.loads(prepare(recipe, tmp_path / form, processes=1).read_text(encoding="utf-8"))
        assert [source["rows"] for source in facts["sources"]] == [count]
        assert [split["rows"] for split in facts["splits"] if split["rows"]] == [count]
    assert [row.reference for row in read_rows(Path("pairs.jsonl")).rows] == sorted(texts)


def test_memory_stays_flat_however_many_rows_there_are(store):
    import tracemalloc

    with store.database.writing() as connection:
        # 3,000 texts of 2,000 characters: 6 MB, were they all held
        connection.exec_driver_sql(
            "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 2999) "
            "INSERT INTO hanpuri_corrections (id, time, version, consent, noisy, restored, corrected) "
            "SELECT printf('%032x', i), '2026-11-22 12:00:00', '1', 1, printf('%.2000c %d', 'a', i), 'b', 'c' FROM n"
        )
    tracemalloc.start()
    report = Report("corrections")
    for _ in export(store, report):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert report.num_written == 3_000
    assert peak < 3_000_000
