"""
Kept answers: nothing is asked twice, nothing is lost, a failure is asked again.

In: an engine that counts what it is asked. Out: the same answers, whatever was kept before.
"""

import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanpuri.engines.base import GREEDY, Answer
from hanpuri.engines.cache import AnswerCache, answer_rows, key_of
from hanpuri.engines.echo import EchoEngine
from hanpuri.errors import DataError

TEXTS = ["확잠실읾", "념뭄", "잙앙욤", "챵문욹"]
ROWS = [{"noisy": text} for text in TEXTS]


class CountingEngine(EchoEngine):
    """Echoes, writes down what it was asked, and fails on the rows that it is told to."""

    def __init__(self, identity: str = "echo", failing: tuple[str, ...] = (), dies_at: str = "") -> None:
        super().__init__()
        self.identity, self.failing, self.dies_at = identity, failing, dies_at
        self.asked: list[str] = []

    def generate(self, rows, decoding=GREEDY, *, names=()):
        texts = [self.prompt(row, "a row") for row in rows]
        if self.dies_at in texts:
            raise KeyboardInterrupt
        self.asked += texts
        answers = super().generate(rows, decoding, names=names)
        return [
            Answer.failed("the server is down") if text in self.failing else answer
            for text, answer in zip(texts, answers, strict=True)
        ]


def ask(engine, cache, decoding=GREEDY, rows=ROWS):
    return [answer.text for answer in answer_rows(engine, rows, decoding, cache=cache)]


def test_what_was_kept_is_not_asked_again(tmp_path):
    path = tmp_path / "answers" / "kept.jsonl"
    first, second = CountingEngine(), CountingEngine()

    assert ask(first, AnswerCache(path), rows=ROWS[:3]) == TEXTS[:3]
    assert ask(second, AnswerCache(path)) == TEXTS

    assert (first.asked, second.asked) == (TEXTS[:3], TEXTS[3:])


def test_a_batch_that_was_stopped_goes_on_where_it_was(tmp_path):
    one_at_a_time = replace(GREEDY, batch_size=1)
    rows = [{"noisy": f"글{number}"} for number in range(20)]
    path = tmp_path / "kept.jsonl"
    stopped, second = CountingEngine(dies_at="글17"), CountingEngine()

    with pytest.raises(KeyboardInterrupt):
        ask(stopped, AnswerCache(path), one_at_a_time, rows)
    answers = ask(second, AnswerCache(path), one_at_a_time, rows)

    assert answers == [row["noisy"] for row in rows]
    assert second.asked == [f"글{number}" for number in range(15, 20)]  # groups of 1, 2, 4 and 8 before are kept


OTHERWISE = [
    ("another model", CountingEngine("other"), GREEDY),
    ("drawn, not greedy", CountingEngine(), replace(GREEDY, temperature=0.5)),
    ("another seed", CountingEngine(), replace(GREEDY, seed=1)),
    ("another stop", CountingEngine(), replace(GREEDY, stop=("\n",))),
    ("a shorter answer", CountingEngine(), replace(GREEDY, max_new_tokens=3)),
]


@pytest.mark.parametrize(("engine", "decoding"), [case[1:] for case in OTHERWISE], ids=[case[0] for case in OTHERWISE])
def test_what_an_answer_depends_on_is_asked_anew_when_it_changes(tmp_path, engine, decoding):
    path = tmp_path / "kept.jsonl"
    ask(CountingEngine(), AnswerCache(path))

    ask(engine, AnswerCache(path), decoding)

    assert engine.asked == TEXTS


def test_how_many_rows_are_answered_at_a_time_changes_no_key(tmp_path):
    few, many = replace(GREEDY, batch_size=1), replace(GREEDY, batch_size=64)

    assert key_of(EchoEngine(), ROWS[0], few, "a row") == key_of(EchoEngine(), ROWS[0], many, "a row")


def test_a_failure_is_asked_again(tmp_path):
    path = tmp_path / "kept.jsonl"
    first, second = CountingEngine(failing=("념뭄",)), CountingEngine()

    assert ask(first, AnswerCache(path)) == ["확잠실읾", "", "잙앙욤", "챵문욹"]
    assert ask(second, AnswerCache(path)) == TEXTS

    assert second.asked == ["념뭄"]


def test_a_line_that_was_cut_off_is_dropped_and_its_row_asked_again(tmp_path):
    path = tmp_path / "kept.jsonl"
    ask(CountingEngine(), AnswerCache(path))
    whole = path.read_bytes()
    path.write_bytes(whole[:-10])
    second = CountingEngine()

    assert ask(second, AnswerCache(path)) == TEXTS
    assert second.asked == TEXTS[3:]
    assert path.read_bytes() == whole


def test_what_another_process_wrote_meanwhile_stays(tmp_path, monkeypatch):
    path = tmp_path / "kept.jsonl"
    ask(CountingEngine(), AnswerCache(path))
    parse = AnswerCache._parse

    def slowly(cache, line, number):
        if number == len(TEXTS):  # the last line is read, the file not yet closed
            with path.open("ab") as file:
                file.write(b"more\n")
        return parse(cache, line, number)

    monkeypatch.setattr(AnswerCache, "_parse", slowly)
    with suppress(DataError):
        AnswerCache(path)
    assert path.read_bytes().endswith(b"more\n")


@pytest.mark.parametrize("text", ["\ud83d", "확잠실 \ud83d"])
def test_half_a_surrogate_pair_can_be_asked(tmp_path, text):
    rows = [{"noisy": text}]
    assert ask(CountingEngine(), AnswerCache(tmp_path / "kept.jsonl"), rows=rows) == [text]
    assert ask(second := CountingEngine(), AnswerCache(tmp_path / "kept.jsonl"), rows=rows) == [text]
    assert second.asked == []


def test_a_file_that_holds_something_else_is_refused_and_left_as_it_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("notes.txt").write_text("장보기\n우유\n", encoding="utf-8")

    with pytest.raises(DataError) as error:
        AnswerCache(Path("notes.txt"))

    assert str(error.value) == (
        "notes.txt:1: found a line that is no kept answer; give another file, or remove this one to ask anew"
    )
    assert Path("notes.txt").read_text(encoding="utf-8") == "장보기\n우유\n"


answers = st.builds(
    Answer,
    text=st.text() | st.text(st.characters(categories=["Cs", "Lo"])),  # half a surrogate pair among them
    num_tokens=st.integers(0, 10_000),
    finished=st.booleans(),
    num_prompt_tokens=st.none() | st.integers(0, 10_000),
    confidence=st.lists(st.floats(0, 1), max_size=3).map(tuple),
)


@given(answer=answers)
def test_any_answer_comes_back_as_it_was_kept(tmp_path_factory, answer):
    path = tmp_path_factory.mktemp("cache") / "kept.jsonl"
    AnswerCache(path).add("key", answer)

    assert AnswerCache(path).find("key") == answer


def test_a_kept_line_says_what_was_answered(tmp_path):
    path = tmp_path / "kept.jsonl"
    ask(CountingEngine(), AnswerCache(path), rows=ROWS[:1])

    (line,) = path.read_text(encoding="utf-8").splitlines()
    fields = json.loads(line)
    assert (fields["text"], fields["finished"], len(fields["key"])) == ("확잠실읾", True, 64)
