"""`hanpuri evaluate`: engines × files, from the command line to tables, JSON, a folder and a submission."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from hanpuri.cli.scoring import Asked, evaluate
from hanpuri.errors import HanpuriError

PAIRS = [
    {"noisy": "확잠실읾 념뭄 잙앙욤", "clean": "화장실이 너무 작아요", "level": "hard"},
    {"noisy": "념뭄", "clean": "너무", "level": "easy"},
]
CLEAN = [{"noisy": pair["clean"], "clean": pair["clean"]} for pair in PAIRS]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Write files of rows into the folder of the test, in which commands run."""
    monkeypatch.chdir(tmp_path)

    def write(rows, name="pairs.jsonl"):
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path.joinpath(name).relative_to(tmp_path)

    return write


def test_one_object_a_file_keeps_every_field_that_it_ever_had(hanpuri, here):
    here(PAIRS)
    scores = json.loads(hanpuri("evaluate", "pairs.jsonl", "--model", "base", "--json").out)
    assert list(scores)[:9] == [
        *("rows", "char_accuracy", "char_f1", "exact_match", "cer"),
        *("unchanged_clean", "seconds", "chars_per_second", "model"),
    ]
    assert (scores["rows"], scores["char_accuracy"], scores["exact_match"], scores["model"]) == (2, 1.0, 1.0, "base")
    assert (scores["engine"], scores["file"], scores["rows_failed"]) == ("compact:base", "pairs.jsonl", 0)
    assert {"jamo_error_rate", "chrf", "wer", "intervals", "slices", "sha256"} <= set(scores)


def test_engines_stand_side_by_side_and_are_told_apart_or_not(here, capsys):
    evaluate(Asked((here(PAIRS),), engines=("echo", "compact:small"), slices=True))
    told = capsys.readouterr()
    lines = [line.split() for line in told.out.splitlines()]
    assert (told.err, lines[0], lines[1]) == ("", ["pairs.jsonl,", "2", "rows"], ["echo", "compact:small"])
    assert ["exact_match", "0.0000", "1.0000", "★"] in lines
    assert "no difference that 2 rows can show" in told.out
    assert ["char_accuracy", "by", "level", "rows", "echo", "compact:small"] in lines
    assert lines.index(["hard", "1", "0.1111", "1.0000", "★"]) < lines.index(["easy", "1", "0.0000", "1.0000", "★"])


def test_markdown_is_for_a_readme(here, capsys):
    evaluate(Asked((here(PAIRS * 20),), engines=("echo", "echo,label=again"), markdown=True, clean=False))
    told = capsys.readouterr().out
    assert told.startswith("### pairs.jsonl, 40 rows\n\n|  | echo | again |\n|---|---|---|\n| char\\_accuracy | ")
    assert "|  | again beside echo | p | in words |" in told
    assert "| char\\_accuracy | +0.0000 | 1.000 | no difference that 40 rows can show |" in told


def test_json_says_what_each_has_more_than_the_baseline(here, capsys):
    asked = Asked((here(PAIRS * 20),), engines=("compact:small", "echo"), baseline="echo", as_json=True, clean=False)
    evaluate(asked)
    echo, small = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert "beside" not in echo
    assert small["beside"]["engine"] == "echo"
    gap = small["beside"]["exact_match"]
    assert (gap["value"], gap["significant"]) == (1.0, True)
    assert gap["p_value"] < 0.01


def test_a_folder_gets_answers_scores_and_a_page_and_is_gone_on_with(here, tmp_path, capsys):
    asked = Asked((here(PAIRS),), engines=("echo", "compact:small"), out=tmp_path / "scores")
    evaluate(asked)
    first = json.loads((tmp_path / "scores" / "evaluation.json").read_text(encoding="utf-8"))
    assert [one["engine"] for one in first["evaluations"]] == ["echo", "compact:small"]
    assert "<html" in (tmp_path / "scores" / "report.html").read_text(encoding="utf-8")
    files = sorted((tmp_path / "scores" / "answers").iterdir())
    assert [file.name.rsplit("-", 1)[0] for file in files] == ["pairs.compact-small", "pairs.echo"]
    assert capsys.readouterr().err.endswith(
        "report.html shows it, " + str(tmp_path / "scores/evaluation.json") + " holds it\n"
    )
    before = [file.read_bytes() for file in files]
    evaluate(asked)
    assert [file.read_bytes() for file in files] == before
    again = json.loads((tmp_path / "scores" / "evaluation.json").read_text(encoding="utf-8"))["evaluations"]
    assert [one["rows_kept"] for one in again] == [2, 2]
    assert [one["char_accuracy"] for one in again] == [one["char_accuracy"] for one in first["evaluations"]]
    assert "echo: 2 of 2 answers were kept from before" in capsys.readouterr().out


def test_a_submission_has_the_ids_of_the_test_file(here, tmp_path, capsys):
    path = here([{"ID": "TEST_7", "input": "념뭄"}, {"ID": "TEST_3", "input": "확잠실읾"}], "test.jsonl")
    evaluate(Asked((path,), model="small", submission=tmp_path / "out.csv"))
    assert (tmp_path / "out.csv").read_text(encoding="utf-8") == "ID,output\nTEST_7,너무\nTEST_3,화장실이\n"
    assert "char_accuracy" not in capsys.readouterr().out


def test_drawn_rows_are_the_same_each_time_and_keep_their_order(here, capsys):
    rows = [{"id": str(number), "noisy": "가" * (number % 3 + 1), "clean": "나"} for number in range(30)]
    asked = Asked((here(rows),), engines=("echo",), rows=5, as_json=True, clean=False)
    evaluate(asked)
    evaluate(asked)
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert first["rows"] == 5
    assert first["cer"] == second["cer"]


def test_an_engine_that_fails_does_not_take_the_others_along(here, capsys):
    asked = Asked((here(PAIRS),), engines=("compact:none", "echo", "compact:nil"), as_json=True)
    with pytest.raises(HanpuriError, match="none"):
        evaluate(asked)
    told = capsys.readouterr()
    assert json.loads(told.out)["engine"] == "echo"
    assert "hanpuri: " in told.err
    assert "nil" in told.err


def test_rows_without_an_answer_are_listed_below_the_table(here, capsys, monkeypatch):
    from hanpuri.engines.base import Answer
    from hanpuri.engines.echo import EchoEngine

    given = [Answer.failed("gone")] * 7 + [Answer("나", 1, finished=True)]
    monkeypatch.setattr(EchoEngine, "generate", lambda *_, **__: given)
    evaluate(Asked((here([{"noisy": "가", "clean": "가"}] * 8),), engines=("echo",), clean=False))
    told = capsys.readouterr().out
    assert "echo: 7 rows without an answer, counted as wrong: pairs.jsonl:1: gone; " in told
    assert told.rstrip().endswith("pairs.jsonl:5: gone; and 2 more")


def test_where_no_row_got_an_answer_there_is_no_score(here, capsys, monkeypatch):
    from hanpuri.engines.base import Answer
    from hanpuri.engines.echo import EchoEngine

    monkeypatch.setattr(EchoEngine, "generate", lambda _, rows, *__, **___: [Answer.failed("gone")] * len(rows))
    with pytest.raises(HanpuriError) as error:
        evaluate(Asked((here(PAIRS),), engines=("echo", "compact:small")))
    assert str(error.value) == (
        "echo: none of the 2 rows of pairs.jsonl got an answer: gone; mend that, and run the same command again"
    )
    assert "★" in capsys.readouterr().out  # the other engine is scored


def test_half_a_surrogate_pair_is_scored_and_kept_as_any_character(here, tmp_path, capsys):
    path = here([])
    path.write_text(r'{"noisy": "\ud83d 가", "clean": "\ud83d 가"}' + "\n", encoding="utf-8")
    for _ in range(2):
        evaluate(Asked((path,), engines=("echo",), clean=False, out=tmp_path / "scores", as_json=True))
        assert json.loads(capsys.readouterr().out)["exact_match"] == 1.0


def test_a_reader_who_leaves_ends_it_quietly(here):
    said = [sys.executable, "-m", "hanpuri", "evaluate", str(here(PAIRS)), "--engine", "echo"]
    with subprocess.Popen(said, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as done:
        done.stdout.close()
        assert done.stderr.read() == ""
    assert done.returncode == 0


@pytest.mark.parametrize("buffered", ["", "1"])
def test_a_full_disk_is_one_line(here, buffered):
    said = [sys.executable, "-m", "hanpuri", "evaluate", str(here(PAIRS)), "--engine", "echo"]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            said, stdout=full, stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": buffered}
        )
    told = "hanpuri: stdout: cannot be written to its end (No space left on device); make room, or write elsewhere\n"
    assert (done.returncode, done.stderr) == (2, told)


def test_steps_that_were_kept_stand_behind_every_engine(here, tmp_path, capsys):
    (tmp_path / "steps.yaml").write_text("kind: postprocess\nsteps: [{step: feasibility}]\n", encoding="utf-8")
    asked = Asked((here(PAIRS),), engines=("echo",), postprocess=tmp_path / "steps.yaml", as_json=True)
    evaluate(asked)
    assert json.loads(capsys.readouterr().out)["engine"] == "echo + feasibility"
    rows = here([{"question": "몇 시예요?", "answer": "세 시요."}])
    with pytest.raises(HanpuriError, match=r"found rows of instruction with --postprocess, expected pairs; leave"):
        evaluate(Asked((rows,), engines=("echo",), postprocess=tmp_path / "steps.yaml"))


def test_without_the_libraries_of_the_page_the_scores_are_written_alone(here, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("hanpuri.evaluation.report.report.LIBRARIES", ("nowhere",))
    evaluate(Asked((here(PAIRS),), engines=("echo",), out=tmp_path / "scores"))
    assert sorted(file.name for file in (tmp_path / "scores").iterdir()) == ["answers", "evaluation.json"]
    assert capsys.readouterr().err.endswith(
        'the report needs the library nowhere, which is not installed; install it: pip install "hanpuri[evaluate]"\n'
    )


def test_a_folder_that_cannot_be_made_is_refused_at_once(here, tmp_path):
    (tmp_path / "scores").write_text("in the way", encoding="utf-8")
    with pytest.raises(HanpuriError, match="scores cannot be made: "):
        evaluate(Asked((here(PAIRS),), engines=("echo",), out=tmp_path / "scores"))


REFUSED = [
    # what is said, error
    ({"feasible": "nose"}, "no noise profile is called 'nose'; write one of airbnb, hand"),
    ({"reach": "far"}, "--reach is 'far'; write one of syllables, wide"),
    ({"reach": "wide", "feasible": "hand"}, "--feasible was given with --reach wide; leave one of them out"),
    (
        {"engines": ("echo",), "reach": "wide"},
        "--reach was given, and no --model that it is for;"
        " say it behind the engine: compact:base,aligned=airbnb,threads=2",
    ),
    ({"engines": ("ehco",)}, "the engine 'ehco': engine: no such engine, did you mean echo?"),
    ({"engines": ("echo", "echo")}, "two engines are called echo; name each once, or give one a name: …,label=mine"),
    ({"engines": ("echo",), "baseline": "base"}, "--baseline is 'base'; name one of the engines: echo"),
    (
        {"engines": ("echo",), "threads": 2},
        "--threads was given, and no --model that it is for;"
        " say it behind the engine: compact:base,aligned=airbnb,threads=2",
    ),
    ({"fields": ("noisy",)}, "--fields is 'noisy'; write it as noisy=COLUMN"),
    (
        {"engines": ("echo", "compact:base"), "submission": "a.csv"},
        "--submission was given with 2 engines and 1 files, expected one of each; write one submission at a time",
    ),
    (
        {"submission": "a.csv", "rows": 1},
        "--submission was given with --rows; leave --rows out: a submission is of all rows",
    ),
    (
        {"submission": "none/a.csv"},
        "none/a.csv: found no folder none, expected one to write into; make it: mkdir -p none",
    ),
]


@pytest.mark.parametrize(("said", "message"), REFUSED)
def test_what_cannot_be_is_refused_before_a_row_is_asked(here, said, message):
    from pathlib import Path

    given = {**said, **({"submission": Path(said["submission"])} if "submission" in said else {})}
    with pytest.raises(HanpuriError) as error:
        evaluate(Asked((here(PAIRS),), **given))
    assert str(error.value).startswith(message)


def test_two_files_of_one_name_are_refused(here, tmp_path):
    (tmp_path / "other").mkdir()
    first, second = here(PAIRS), here(CLEAN, "other/pairs.jsonl")
    with pytest.raises(HanpuriError) as error:
        evaluate(Asked((first, second), engines=("echo",)))
    assert str(error.value) == (
        "pairs.jsonl and other/pairs.jsonl have the same name; evaluate them one after the other, or rename one"
    )


def test_a_file_without_answers_is_refused_where_only_scores_are_wanted(here):
    with pytest.raises(HanpuriError) as error:
        evaluate(Asked((here([{"noisy": "념뭄"}]),)))
    assert str(error.value) == (
        "pairs.jsonl: found no answers to score by; give a file with clean or output,"
        " or write the answers with --submission FILE.csv"
    )


def test_ctrl_c_keeps_what_was_answered_and_says_how_to_go_on(here, tmp_path):
    here([{"noisy": f"념뭄 잙앙욤 {number}", "clean": f"너무 작아요 {number}"} for number in range(6000)])
    command = [sys.executable, "-m", "hanpuri", "evaluate", "pairs.jsonl", "--model", "small", "--out", "scores"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, cwd=tmp_path, env=os.environ) as running:
        for _ in range(600):
            time.sleep(0.05)
            if any(file.stat().st_size for file in (tmp_path / "scores" / "answers").glob("*")):
                break
        running.send_signal(signal.SIGINT)
        told = running.communicate(timeout=60)[1].decode()
    assert running.returncode == 130
    assert told == "\nhanpuri: answers are kept in scores: the same command goes on\nhanpuri: stopped\n"
    (file,) = (tmp_path / "scores" / "answers").iterdir()
    assert '"text": "너무 ' in file.read_text(encoding="utf-8")
