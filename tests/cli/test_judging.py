"""`hanpuri prefer judge` as a user meets it, with real servers that judge by a rule."""

import json
import signal
import subprocess
import sys
import time

import pytest
import yaml

from hanpuri.cli import main
from hanpuri.engines.base import Answer
from hanpuri.evaluation.rows import EvalRow
from hanpuri.preferences.pairs import write_lines
from hanpuri.preferences.sampling.drawing import Sampled
from hanpuri.preferences.sampling.samples import sample_line
from tests.engines.servers import answer, fault, serving, slow
from tests.preferences.judge.players import always, by_length, by_syllables, recipe_of

from .conftest import Outcome

CLEAN = {"쨰밌어요": "재밌어요", "확잠실이 념뭄 좋타": "화장실이 너무 좋다", "방잉 죠아요": "방이 좋아요"}
GIVEN = [  # of one, the side that was chosen is the wrong one
    ("쨰밌어요", "재밌어요", "째밌어요"),
    ("확잠실이 념뭄 좋타", "확장실이 넘무 좋타", "화장실이 너무 좋타"),
    ("방잉 죠아요", "방이 조아요", "방이 죠아요"),
]


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """Run a command here: a process of its own takes a second to start."""

    def run(*arguments: str) -> Outcome:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr("sys.argv", ["hanpuri", "prefer", "judge", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        told = capsys.readouterr()
        return Outcome(int(ended.value.code or 0), told.out, told.err)

    return run


def write(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def lines_of(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def lay_out(folder, server, **more):
    """Write a recipe, preference rows and labels."""
    (folder / "judge.yaml").write_text(yaml.safe_dump(recipe_of(server, **more)), encoding="utf-8")
    rows = [{"prompt": noisy, "chosen": chosen, "rejected": rejected} for noisy, chosen, rejected in GIVEN]
    write(folder / "given.jsonl", rows)
    labels = [row | {"label": label} for row, label in zip(rows, ("chosen", "rejected", "tie"), strict=True)]
    write(folder / "people.jsonl", labels)


JUDGED = """\
pairs.jsonl: 2 of 3 pairs, judged by tiny (openai:http://127.0.0.1:{port}/v1#tiny)
  first (chosen)                1
  second (rejected)             1
  tie                           1
  disagreement                  0
  unjudged                      0
people take the same side  1.000 (1.000 to 1.000)   where both take one, 2 of 3 labels
people say the same        1.000 (1.000 to 1.000)   ties too; disagreements and unjudged are none
Cohen's kappa              1.000 (1.000 to 1.000)
the first place wins       0.500 (0.500 to 0.500)   one half, if only answers count
the orders contradict      0.000 (0.000 to 0.000)   of 3 pairs
6 replies, 42 tokens read, 18 written
report/judge.html tells more
pairs.ledger.jsonl tells what was said of each
"""


def test_preference_rows_are_judged_anew_and_a_wrong_one_is_turned_round(call, tmp_path):
    with serving(by_syllables(CLEAN)) as server:
        lay_out(tmp_path, server)
        told = ("--judge", "judge.yaml", "--labels", "people.jsonl", "--out", "pairs.jsonl", "--report", "report")
        done = call("given.jsonl", *told)
        assert (done.code, done.err) == (0, "")
        assert done.out == JUDGED.format(port=server.http.server_port)
        server.asked.clear()
        confirmed = call("given.jsonl", *told[:-2], "--confirmed", "--json")
        assert server.asked == []  # replies were kept
    first, second = [("재밌어요", "째밌어요"), ("화장실이 너무 좋타", "확장실이 넘무 좋타")]
    assert confirmed.code == 0
    (row,) = lines_of(tmp_path / "pairs.jsonl")
    assert (row["chosen"], row["rejected"]) == first
    assert row == {"prompt": "쨰밌어요", "chosen": first[0], "rejected": first[1], "source": "judge", "judge": "tiny"}
    ledger = lines_of(tmp_path / "pairs.ledger.jsonl")
    assert [line["outcome"] for line in ledger] == ["first", "second", "tie"] * 2
    assert [line.get("label") for line in ledger] == [None] * 3 + ["first", "second", "tie"]
    assert ledger[2]["heard"][0]["replies"] == ["틀린 음절이 1개와 1개입니다.\n판정: 비김"]
    facts = json.loads(confirmed.out)
    assert facts["outcomes"] == {"first": 1, "second": 1, "tie": 1, "disagreement": 0, "unjudged": 0}
    assert (facts["written"], facts["agreement"]["kappa"]["value"], facts["out"]) == (1, 1.0, "pairs.jsonl")
    assert second[0] in (tmp_path / "report" / "judge.html").read_text(encoding="utf-8")


def test_a_shipped_judge_asks_any_server_and_a_turned_row_says_so(call, tmp_path):
    with serving(by_syllables(CLEAN)) as server:
        lay_out(tmp_path, server)
        here = ("--set", f"engine.model={server.address}#tiny")
        assert call("given.jsonl", "--judge", "judge-restoration", *here, "--out", "pairs.jsonl").code == 0
        assert server.asked[0]["messages"][-1]["content"].startswith("당신은 한국어 글의 복원을 심사합니다.")
    row = lines_of(tmp_path / "pairs.jsonl")[1]
    assert (row["chosen"], row["rejected"], row["turned"]) == ("화장실이 너무 좋타", "확장실이 넘무 좋타", True)


def test_samples_are_judged_the_best_beside_the_others(call, tmp_path):
    row = EvalRow("7", "reviews.jsonl:7", {"noisy": "쨰밌어요"}, "쨰밌어요", None, {})
    texts = ("째밌어요", "재밌어요", "쨰밌어오", "재밌어요")
    one = Sampled(row, tuple(Answer(text, 4, finished=True) for text in texts), (0.75, 1.0, 0.25, 1.0))
    write_lines(tmp_path / "samples.jsonl", [sample_line(one)])
    with serving(by_syllables(CLEAN)) as server:
        lay_out(tmp_path, server)
        done = call("samples.jsonl", "--judge", "judge.yaml", "--out", "pairs.jsonl", "--writer", "compact:base")
        assert (done.code, done.err) == (0, "")
        assert "  first (better scored)         2\n" in done.out
        assert "no labels of people: nobody knows how far it can be trusted\n" in done.out
        own = f"openai:{server.address}#tiny"
        again = call(
            "samples.jsonl", "--judge", "judge.yaml", "--out", "pairs.jsonl", "--writer", own, "--pairs", "all"
        )
    assert again.err.startswith("hanpuri: the judge wrote these answers itself: it may prefer its own")
    assert lines_of(tmp_path / "pairs.jsonl")[0] == {
        **{"prompt": "쨰밌어요", "chosen": "재밌어요", "rejected": "째밌어요", "id": "7", "source": "judge"},
        **{"judge": "tiny", "chosen_score": 1.0, "rejected_score": 0.75},
    }
    assert len(lines_of(tmp_path / "pairs.jsonl")) == 3


ALWAYS = [
    # whatever stands first: no pair comes of it, and the place is told
    (always("A"), "disagreement", "the first place wins       1.000 (1.000 to 1.000)"),
    (always("B"), "disagreement", "the first place wins       0.000 (0.000 to 0.000)"),
    # the same each time, and no verdict
    (answer("둘 다 좋네요"), "unjudged", "18 replies"),
]


@pytest.mark.parametrize(("act", "outcome", "told"), ALWAYS)
def test_a_judge_that_decides_nothing_gives_no_pair_and_is_told(call, tmp_path, act, outcome, told):
    with serving(act) as server:
        lay_out(tmp_path, server)
        done = call("given.jsonl", "--judge", "judge.yaml", "--out", "pairs.jsonl")
    assert done.code == 2
    assert f"  {outcome:<22}        3\n" in done.out
    assert told in done.out
    why = ", the first: no verdict stands in the last line" if outcome == "unjudged" else ""
    end = "; pairs.jsonl was not written; read pairs.ledger.jsonl\n"
    assert done.err.endswith(f"hanpuri: none of the 3 pairs gave a row to learn from{why}{end}")
    assert not (tmp_path / "pairs.jsonl").exists()
    assert [line["outcome"] for line in lines_of(tmp_path / "pairs.ledger.jsonl")] == [outcome] * 3


def test_an_answer_without_a_word_is_never_the_chosen_one_and_conversations_stay_as_they_are(call, tmp_path):
    turns = [{"role": "user", "content": "주차 돼요?"}]
    with serving(always("A")) as server:
        lay_out(tmp_path, server, orders="one")
        rows = [{"prompt": f"{number}번", "chosen": "네.", "rejected": ""} for number in range(12)]
        samples = [
            {"asked": {"messages": turns}, "answers": [{"text": text, "finished": True} for text in ("네.", "아니요.")]}
        ]
        write(tmp_path / "samples.jsonl", samples)
        assert call("samples.jsonl", "--judge", "judge.yaml", "--out", "talks.jsonl").code == 0
        (talk,) = lines_of(tmp_path / "talks.jsonl")
        assert talk["prompt"] == turns
        write(tmp_path / "empty.jsonl", rows)
        done = call("empty.jsonl", "--judge", "judge.yaml", "--out", "pairs.jsonl")
    assert done.code == 0
    assert {row["chosen"] for row in lines_of(tmp_path / "pairs.jsonl")} == {"네."}
    assert "no pair was read both ways round: nobody knows what the place decides\n" in done.out
    assert {line["outcome"] for line in lines_of(tmp_path / "pairs.ledger.jsonl")} == {"first", "second"}


def test_a_judge_that_counts_characters_is_told(call, tmp_path):
    with serving(by_length) as server:
        lay_out(tmp_path, server)
        rows = [
            {"prompt": f"{n}번", "chosen": "길고 긴 답입니다"[n % 3 :], "rejected": "답"} | {"label": label}
            for n, label in enumerate(["chosen", "rejected"] * 12)
        ]
        write(tmp_path / "long.jsonl", rows)
        done = call("long.jsonl", "--judge", "judge.yaml", "--labels", "long.jsonl", "--out", "pairs.jsonl")
    assert done.code == 0
    assert (
        "the longer answer wins     1.000 (1.000 to 1.000)   of 24 pairs; by the file 1.000; by people 0.500\n"
        in done.out
    )
    assert "right in 100% where people take the longer answer, in 0% where they take the shorter" in done.err
    assert "its agreement with people is not surely above chance" in done.err


BAD = [
    (
        ("given.jsonl", "--judge", "judge.yaml", "--report", "judge.yaml"),
        "judge.yaml: found a file, expected a folder for the report; give another name",
    ),
    (
        ("alike.jsonl", "--judge", "judge.yaml"),
        "alike.jsonl: found no two answers that differ in any of its 1 rows; sample more answers, or at a higher"
        " temperature",
    ),
    (("given.jsonl", "--judge", "judje.yaml"), "no recipe is called 'judje.yaml'; did you mean judge.yaml?"),
    (
        ("given.jsonl", "--judge", "judge.yaml", "--set", "orders=three"),
        "judge.yaml: orders: Input should be 'both' or 'one' (found 'three'); mend these keys, or see the shipped"
        " recipes",
    ),
    (("givn.jsonl", "--judge", "judge.yaml"), "givn.jsonl: found no such file; did you mean given.jsonl?"),
    (
        ("given.jsonl", "--judge", "judge.yaml", "--pairs", "bests"),
        "--pairs is 'bests'; write one of best, all; did you mean best?",
    ),
    (
        ("given.jsonl", "--judge", "judge.yaml", "--ledger", "pairs.jsonl"),
        "pairs.jsonl: found one place for two files, expected a place each; name another file",
    ),
    (
        ("given.jsonl", "--judge", "judge.yaml", "--labels", "given.jsonl"),
        "given.jsonl:1: found the label None, expected chosen, rejected or tie (faulty too: lines 2, 3); write the row"
        ' as {"prompt": "...", "first": "...", "second": "...", "label": "first"}',
    ),
    (
        ("given.jsonl", "--judge", "judge.yaml", "--set", "engine.model=http://127.0.0.1:9/v1#x"),
        "openai:http://127.0.0.1:9/v1#x: nothing answers at http://127.0.0.1:9/v1; start the server, or check the"
        " address",
    ),
]


@pytest.mark.parametrize(("arguments", "message"), BAD)
def test_a_fault_is_one_line(call, tmp_path, arguments, message):
    with serving(always("A")) as server:
        engine = {"engine": "openai", "model": server.address, "server": {"max_tries": 1}}
        lay_out(tmp_path, server, engine=engine)
        answers = [{"text": "재밌어요", "finished": True}] * 2
        write(tmp_path / "alike.jsonl", [{"asked": {"noisy": "쨰밌어요"}, "answers": answers}])
        done = call(*arguments, "--out", "pairs.jsonl")
        assert (done.code, done.out, done.err) == (2, "", f"hanpuri: {message}\n")
        assert server.asked == []


def test_what_was_killed_goes_on_and_what_went_down_is_asked_again(call, tmp_path):
    rows = [{"prompt": f"{number}번", "chosen": "가", "rejected": "나"} for number in range(60)]
    told = ("--judge", "judge.yaml", "--out", "pairs.jsonl", "--set", "retry.tries=0")
    with serving(slow(0.01, always("A"))) as server:
        lay_out(tmp_path, server, decoding={"batch_size": 2})
        write(tmp_path / "many.jsonl", rows)
        command = [sys.executable, "-m", "hanpuri", "prefer", "judge", "many.jsonl", *told]
        process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        while len(server.asked) < 50 and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
        assert process.returncode == 130
        assert server.most_at_once > 1
        assert b"answers so far are in pairs.jsonl.kept: the same command goes on" in said
        num_kept = len(lines_of(tmp_path / "pairs.jsonl.kept"))
        assert num_kept >= 16
        server.acts = [*[always("A")] * 20, fault(503)]
        server.asked.clear()
        down = call("many.jsonl", *told)
        assert "  unjudged" in down.out
        assert len(lines_of(tmp_path / "pairs.jsonl.kept")) == num_kept + 20
        server.acts = [always("A")]
        back = call("many.jsonl", *told)
        assert f"  {'disagreement':<22}       60\n" in back.out
    assert len(lines_of(tmp_path / "pairs.jsonl.kept")) == 120
