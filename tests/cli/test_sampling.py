"""`hanpuri sample`: from rows and a server to samples, the best of them, a report; killed, and gone on with."""

import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from pyarrow import Table, parquet

from hanpuri.cli.choosing import Choice
from hanpuri.cli.drawing import Questions
from hanpuri.cli.sampling import Wanted, run
from hanpuri.errors import HanpuriError
from tests.engines.servers import QUICK, completion, fault, send, serving

DRAWN = {
    "확잠실읾": ["확장실이", "화장실이", "화잠시리"],
    "념뭄": ["나무", "너무", "너무"],
    "빵니": ["방이", "방이", "방이"],
}
RIGHT = {"확잠실읾": "화장실이", "념뭄": "너무", "빵니": "방이"}
FILE = Path("pairs.jsonl")


def draw(handler, body):
    """Answer with the text of the seed; the likeliest is the first."""
    asked = body["messages"][-1]["content"]
    texts = next(texts for noisy, texts in DRAWN.items() if noisy in asked)
    send(handler, 200, completion(texts[body["seed"]] if body.get("temperature") else texts[0]))


def questions(engine, **how):
    told = {"samples": 3, "temperature": 0.8} | how
    return Questions(FILE, Choice(engine=engine), **told)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Work in a folder with pairs."""
    monkeypatch.chdir(tmp_path)
    rows = [{"noisy": noisy, "clean": clean} for noisy, clean in RIGHT.items()]
    write(FILE, rows)
    return tmp_path


def write(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def read(path):
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


def test_samples_the_best_of_them_and_what_each_gains_are_written(here, capsys):
    wanted = Wanted(Path("s.jsonl"), ("char_accuracy",), best=Path("best.jsonl"), above=1.0, report=Path("gains"))
    with serving(draw) as server:
        run(questions(f"openai:{server.address}#tiny,{QUICK}"), wanted)
        told = capsys.readouterr()
        assert len(server.asked) == 12
        again = Wanted(Path("again.jsonl"), ("same_length", "char_accuracy*0.5"), greedy=False, as_json=True)
        Path("s.jsonl.kept").rename("again.jsonl.kept")  # another score asks for nothing
        run(questions(f"openai:{server.address}#tiny,{QUICK}"), again)
        assert len(server.asked) == 12
    scores = [[answer["score"] for answer in row["answers"]] for row in read("s.jsonl")]
    assert scores == [[0.75, 1.0, 0.25], [0.5, 1.0, 1.0], [1.0, 1.0, 1.0]]
    assert [row["clean"] for row in read("best.jsonl")] == [*RIGHT.values()]
    assert told.out.splitlines()[:2] == [
        "s.jsonl: 3 answers to each of 3 rows, by char_accuracy",
        "   k  best of k         ≥ 1               tokens",
    ]
    assert told.out.splitlines()[4].startswith("   3  1.0000 ±0.0000    1.0000 ±0.0000")
    assert told.out.splitlines()[5].startswith("greedy 0.7500 ±")
    assert told.out.splitlines()[6:] == ["best.jsonl: 3 rows of 3 rows"]
    higher = "a higher --temperature, or harder rows, would gain more"
    assert f"hanpuri: rows with all answers the same: 1; {higher}\n" in told.err
    facts = json.loads(Path("gains/report.json").read_text(encoding="utf-8"))
    assert (facts["best_of"][2]["score"]["value"], facts["threshold"], facts["samples"]) == (1.0, 1.0, 3)
    assert "화잠시리" not in (page := Path("gains/report.html").read_text(encoding="utf-8"))
    assert "화장실이" in page
    once_more = json.loads(capsys.readouterr().out)
    assert (once_more["greedy"], once_more["best"]["out"]) == (None, None)
    assert once_more["best_of"][2]["score"]["value"] == 1.5


def test_what_was_killed_goes_on(here):
    released = threading.Event()

    def slowly(handler, body):
        if len(server.asked) > 5:
            released.wait(30)
        draw(handler, body)

    with serving(slowly) as server:
        engine = f"openai:{server.address}#tiny,{QUICK},server.concurrency=1"
        options = ["--score", "char_accuracy", "--samples", "3", "--batch-size", "1", "--out", "s.jsonl"]
        command = [sys.executable, "-m", "hanpuri", "sample", str(FILE), "--engine", engine, *options]
        with subprocess.Popen(command, cwd=here, stderr=subprocess.PIPE) as running:
            while len(server.asked) < 6:
                assert running.poll() is None
                time.sleep(0.01)
            running.send_signal(signal.SIGKILL)
        assert not Path("s.jsonl").exists()
        assert (num_kept := len(read("s.jsonl.kept"))) == 4  # the fifth belongs to a group of two
        released.set()
        run(questions(engine, batch_size=1), Wanted(Path("s.jsonl"), ("char_accuracy",)))
        assert len(server.asked) == 6 + 12 - num_kept
    assert len(read("s.jsonl")) == 3


def test_ctrl_c_says_where_answers_are_kept_and_leaves_no_half_file(here, capsys, monkeypatch):
    from hanpuri.preferences.sampling import drawing

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(drawing, "SCORED_TOGETHER", 1)
    monkeypatch.setattr(drawing, "total", stop)
    with serving(draw) as server, pytest.raises(KeyboardInterrupt):
        run(questions(f"openai:{server.address}#tiny,{QUICK}"), Wanted(Path("s.jsonl"), ("char_accuracy",)))
    assert capsys.readouterr().err == "hanpuri: answers so far are in s.jsonl.kept: the same command goes on\n"
    assert sorted(path.name for path in here.iterdir()) == ["pairs.jsonl", "s.jsonl.kept"]


def test_where_no_answer_is_good_enough_no_empty_file_is_left(here, capsys):
    wanted = Wanted(Path("s.jsonl"), ("same_length",), best=Path("best.jsonl"), above=2.0, greedy=False)
    with pytest.raises(HanpuriError) as caught:
        run(questions("echo"), wanted)
    assert str(caught.value) == (
        "none of the 3 rows has an answer to learn from: the best scores less than 2 (3); best.jsonl was not written;"
        " s.jsonl holds all answers"
    )
    assert (len(read("s.jsonl")), Path("best.jsonl").exists()) == (3, False)
    assert capsys.readouterr().out.endswith("  the best scores less than 2        3   first pairs.jsonl:1\n")


def test_a_server_that_answers_nothing_is_no_result(here):
    with serving(fault(500)) as server, pytest.raises(HanpuriError, match=r"none of the 3 rows got an answer: .*500"):
        run(questions(f"openai:{server.address}#tiny,{QUICK}"), Wanted(Path("s.jsonl"), ("char_accuracy",)))
    assert not Path("s.jsonl").exists()


@pytest.mark.parametrize(
    ("how", "wanted", "message"),
    [
        (
            {"temperature": 0.0},
            {},
            "--samples is 3 and --temperature 0: all answers to a row would be the same; give --temperature 0.8, or"
            " leave --samples out",
        ),
        ({}, {"out": Path("s.csv")}, "s.csv: found no name of a JSONL file; "),
        ({}, {"best": Path("s.jsonl")}, "s.jsonl: found one place for two files, expected a place each; "),
        ({}, {"out": FILE}, "pairs.jsonl: found one place for two files, expected a place each; name another file"),
        ({}, {"above": float("nan")}, "--above is nan; write a number, such as 0.9"),
        (
            {},
            {"min_gain": 0.1},
            "--min-gain was given without --best; name a file for the best answers: --best best.jsonl",
        ),
        ({}, {"report": FILE / "gains"}, "pairs.jsonl/gains cannot be made: Not a directory; name another folder"),
        ({}, {"scores": ("char_acuracy",)}, "char_acuracy"),
        ({}, {"scores": ("char_accuracy", "char_accuracy*2")}, "two scores are called char_accuracy; name each once"),
        ({"fields": ("noisy",)}, {}, "--fields is 'noisy'; write it as noisy=COLUMN"),
    ],
)
def test_a_wrong_option_is_one_line_before_anything_is_asked(here, how, wanted, message):
    told = {"out": Path("s.jsonl"), "scores": ("char_accuracy",)} | wanted
    with pytest.raises(HanpuriError) as caught:
        run(questions("echo", **how), Wanted(**told))
    assert message in str(caught.value)
    assert [path.name for path in here.iterdir()] == ["pairs.jsonl"]


def test_rows_without_right_answers_cannot_be_measured_against_them(here):
    write(FILE, [{"noisy": noisy} for noisy in RIGHT])
    with pytest.raises(HanpuriError, match=r"^pairs\.jsonl: found no right answers, which char_accuracy is against; "):
        run(questions("echo"), Wanted(Path("s.jsonl"), ("char_accuracy",)))


def test_a_score_that_nothing_got_is_an_error_and_the_answers_stay(here):
    Path("mine.py").write_text("def kind(rows, answers): return [None for _ in answers]", encoding="utf-8")
    with pytest.raises(
        HanpuriError, match=r"^none of the \d rows has a score by function:mine\.py:kind; s\.jsonl holds"
    ):
        run(questions("echo"), Wanted(Path("s.jsonl"), ("function:mine.py:kind",)))
    assert Path("s.jsonl").is_file()


def test_a_prepared_folder_gives_its_training_rows_and_some_of_them_if_told_so(here):
    Path("set").mkdir()
    table = Table.from_pylist([{"noisy": f"{number} 빵니", "clean": f"{number} 방이"} for number in range(9)])
    parquet.write_table(table, "set/train.parquet")
    drawn = Questions(Path("set"), Choice(engine="echo"), rows=4).read()
    assert (drawn.path, len(drawn.rows)) == (Path("set/train.parquet"), 4)
    assert drawn.rows == Questions(Path("set"), Choice(engine="echo"), rows=4).read().rows
    Path("set/train.parquet").unlink()
    with pytest.raises(HanpuriError, match=r"^set: found no train\.parquet in the folder; name a file, or a prepared "):
        Questions(Path("set"), Choice(engine="echo")).read()


def test_what_is_missing_is_said_in_one_line(hanpuri, here):
    done = hanpuri("sample", "pairs.jsonl", "--score", "char_accuracy", "--out", "s.jsonl")
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert done.err.startswith("hanpuri: no model was given; ")
