"""`hanpuri prefer`: mistakes, scores and corrections become files of pairs, with what became of every other row."""

import json
import re
from pathlib import Path

import pytest

from hanpuri.cli.choosing import Choice
from hanpuri.cli.drawing import Questions
from hanpuri.cli.preferring import Output, corrections, mistakes, scores
from hanpuri.errors import HanpuriError
from tests.engines.servers import QUICK, fault, serving

PAIRS = [
    {"noisy": "확장실이", "clean": "화장실이"},  # echo is wrong by one
    {"noisy": "너무 쟉은 빵", "clean": "너무 작은 방"},  # by two
    {"noisy": "방이 커요", "clean": "방이 커요"},
]
USUAL = {"measure": None, "below": None, "unfinished": False, "empty": False, "most": None}
OUT = Path("out.jsonl")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Work in a folder with pairs."""
    monkeypatch.chdir(tmp_path)
    write(PAIRS)
    return tmp_path


def write(rows, name="pairs.jsonl"):
    Path(name).write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def read(path=OUT):
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


def mine(name="pairs.jsonl", engine="echo", output=None, **how):
    options = {key: how.pop(key) for key in list(how) if key in USUAL}
    questions = Questions(Path(name), Choice(engine=engine), **how)
    mistakes(questions, output or Output(OUT), **{**USUAL, **options})


def test_mistakes_become_pairs_and_right_answers_a_line_of_the_ledger(capsys):
    mine(output=Output(OUT, Path("ledger.jsonl")))
    assert [(pair["chosen"], pair["rejected"]) for pair in read()] == [
        *(("화장실이", "확장실이"), ("너무 작은 방", "너무 쟉은 빵")),
    ]
    told = capsys.readouterr()
    assert told.err == ""
    assert told.out.splitlines() == [
        "out.jsonl: 2 pairs of 3 rows",
        "  1 wrong          1",
        "  2–4 wrong        1",
        "no pair of",
        "  the answer is right        1   first pairs.jsonl:3",
    ]
    assert read("ledger.jsonl") == [{"where": "pairs.jsonl:3", "why": "the answer is right", "detail": ""}]


def test_json_tells_the_same_and_what_a_user_should_hear(capsys):
    write([{"noisy": "확장실", "clean": "화장실이 너무 작아요"}, PAIRS[2]], "reviews.test.jsonl")
    mine("reviews.test.jsonl", output=Output(OUT, as_json=True))
    told = capsys.readouterr()
    lengths = "chosen answers have 11.0 characters on average, rejected ones 3.0: what is learnt may be the length"
    assert json.loads(told.out) == {
        **{"out": "out.jsonl", "file": "reviews.test.jsonl", "engine": "echo", "rows": 2, "written": 1},
        **{"kinds": {"other length": 1}, "left_out": {"the answer is right": 1}, "notes": [lengths]},
    }
    split = "reviews.test.jsonl looks like a test split: what learns from its rows can no longer be measured by them"
    assert told.err == f"hanpuri: {split}\nhanpuri: {lengths}\n"


@pytest.mark.parametrize(
    ("how", "message"),
    [
        (
            {"measure": "token_f2"},
            "--measure is 'token_f2'; write one of char_accuracy, char_f1, exact_match, word_accuracy, squad_em,"
            " token_f1, squad_f1, josa_f1, korquad_f1; did you mean token_f1?",
        ),
        ({"below": 0.5}, "--below was given, and no --measure that it is of; name one: --measure token_f1"),
        ({"samples": 4}, "--samples is 4 and --temperature 0: all answers to a row would be the same; "),
        ({"output": Output(Path("out.txt"))}, "out.txt: found no name of a JSONL file; "),
        ({"output": Output(OUT, Path("away/l.jsonl"))}, "away/l.jsonl: found no folder away, "),
        # what is read, and what was written before, stay
        (
            {"output": Output(Path("pairs.jsonl"))},
            "pairs.jsonl: found one place for two files, expected a place each; ",
        ),
        ({"output": Output(OUT, Path("./out.jsonl"))}, "out.jsonl: found one place for two files, "),
        ({"measure": "char_accuracy", "below": float("nan")}, "--below is nan; write a number, such as 0.9"),
        ({"engine": "ecko"}, "no such engine, did you mean echo?"),
        ({"name": "away.jsonl"}, "away.jsonl: found no such file"),
        # nothing to learn: no file is written
        (
            {"measure": "char_accuracy", "below": 0.1},
            "none of the 3 rows gave a pair: right by char_accuracy (2), the answer is right (1); out.jsonl was not"
            " written; --ledger FILE says it of each row",
        ),
    ],
)
def test_what_cannot_be_done_is_one_line(how, message):
    with pytest.raises(HanpuriError) as caught:
        mine(**how)
    assert message in str(caught.value)
    assert not OUT.exists()


def test_rows_without_right_answers_have_no_wrong_ones():
    write([{"noisy": "념뭄"}])
    with pytest.raises(
        HanpuriError, match=r"^pairs\.jsonl: found no right answers, by which an answer could be wrong; "
    ):
        mine()


def test_a_server_that_is_down_is_no_mistake_of_a_model():
    with serving(fault(500)) as server, pytest.raises(HanpuriError, match=r": none of the 3 rows got an answer: .*500"):
        mine(engine=f"openai:{server.address}#tiny,{QUICK}")


def sampled(*drawn):
    answers = [{"text": text, "score": score, "num_tokens": 2, "finished": True} for text, score in drawn]
    return {"id": "1", "where": "a.jsonl:1", "asked": {"noisy": "념뭄"}, "reference": "너무", "answers": answers}


def test_scores_become_pairs_by_their_margin(capsys):
    write([sampled(("너무", 1.0), ("나무", 0.5)), sampled(("너무", 1.0), ("너머", 0.95))], "samples.jsonl")
    scores(Path("samples.jsonl"), Output(OUT), margin=0.1, which="best-worst")
    assert [(pair["chosen_score"], pair["rejected_score"]) for pair in read()] == [(1.0, 0.5)]
    assert capsys.readouterr().out.splitlines()[2:] == [
        "  scores less than 0.1 apart        1   first a.jsonl:1",
    ]


@pytest.mark.parametrize(
    ("which", "name", "message"),
    [
        (
            "best-wurst",
            "samples.jsonl",
            "--pairs is 'best-wurst'; write one of best-worst, best-median, all; did you mean",
        ),
        (
            "all",
            "pairs.jsonl",
            "pairs.jsonl:1: found the fields noisy, clean, expected asked and answers; give a file that",
        ),
        ("all", "samples.jsonl", "none of the 1 rows gave a pair: no answer could be scored (1); "),
    ],
)
def test_what_cannot_be_paired_is_one_line(which, name, message):
    write([sampled(("너무", None))], "samples.jsonl")
    with pytest.raises(HanpuriError, match=f"^{re.escape(message)}"):
        scores(Path(name), Output(OUT), margin=0.1, which=which)


CORRECTED = [
    {"noisy": "확잠실읾", "restored": "확장실이", "corrected": "화장실이", "id": "a"},
    {"noisy": "념뭄", "restored": "나무", "corrected": "너무", "id": "a"},
    {"noisy": "념뭄", "restored": "나무", "accepted": True, "id": "b"},
    {"noisy": "빵니", "restored": "방이", "corrected": "방"},
]


def test_corrections_become_pairs_and_what_is_disputed_a_file_of_its_own(capsys):
    write([*CORRECTED, {"noisy": "빵니"}], "corrections.jsonl")
    corrections(Path("corrections.jsonl"), Output(OUT, as_json=True), faults="drop", apart=Path("disputed.jsonl"))
    assert [(pair["prompt"], pair["chosen"], pair["rejected"]) for pair in read()] == [
        *(("확잠실읾", "화장실이", "확장실이"), ("빵니", "방", "방이")),
    ]
    assert [(line["noisy"], line["corrected"], line["id"]) for line in read("disputed.jsonl")] == [
        *(("념뭄", "너무", "a"), ("념뭄", "나무", "b")),
    ]
    told = json.loads(capsys.readouterr().out)
    assert (told["rows"], told["left_out"]) == (5, {"people do not agree": 2, "faulty": 1})
    assert (told["contradictions"], told["other_length"]) == (2, 1)


@pytest.mark.parametrize(
    ("faults", "message"),
    [
        (
            "error",
            'corrections.jsonl:2: found no field "restored" but noisy; write it as {"noisy": "…", "restored": "…",',
        ),
        ("ignore", "--faults is 'ignore'; write error or drop"),
    ],
)
def test_faulty_corrections_are_one_line(faults, message):
    write([CORRECTED[0], {"noisy": "빵니"}], "corrections.jsonl")
    with pytest.raises(HanpuriError, match=f"^{re.escape(message)}"):
        corrections(Path("corrections.jsonl"), Output(OUT), faults=faults, apart=None)


def test_the_commands_are_there_for_the_user(hanpuri):
    done = hanpuri("prefer", "mistakes", "pairs.jsonl", "--engine", "echo", "--out", "out.jsonl", "--most", "1")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("out.jsonl: 1 pair of 3 rows\n  1 wrong        1\nno pair of\n")
