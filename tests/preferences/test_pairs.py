"""Pairs are written as rows of the form preference, each once, and said to be biased where they are."""

import json
import re

import pytest

from hanpuri.errors import DataError
from hanpuri.preferences.pairs import check_lines_path, length_note, make_pair, prompt_of, write_lines

TALK = [{"role": "user", "content": "주차장이 있나요?"}]


@pytest.mark.parametrize(
    ("asked", "prompt"),
    [
        ({"noisy": "쨰밌"}, {"prompt": "쨰밌"}),
        ({"instruction": "요약해 줘", "input": "긴 글"}, {"prompt": "요약해 줘", "input": "긴 글"}),
        # no input is none
        ({"instruction": "몇 시예요?", "input": ""}, {"prompt": "몇 시예요?"}),
        ({"messages": TALK}, {"prompt": TALK}),
    ],
)
def test_what_was_asked_is_written_as_a_prompt(asked, prompt):
    assert prompt_of(asked) == prompt


@pytest.mark.parametrize(("chosen", "rejected"), [("가", "가"), ("", "가"), ("\u1100\u1161", "가")])
def test_two_answers_differ_and_the_better_one_says_something(chosen, rejected):
    with pytest.raises(ValueError, match=r"^found the answers .* and .*, expected two that differ$"):
        make_pair({"noisy": "까"}, chosen, rejected)


@pytest.mark.parametrize(
    ("rejected", "said"),
    [
        ("재미있었다", "chosen answers have 5.0 characters on average, rejected ones 5.0"),
        ("재", "chosen answers have 5.0 characters on average, rejected ones 1.0: what is learnt may be the length"),
    ],
)
def test_a_side_that_is_longer_on_average_is_said(rejected, said):
    note = length_note([make_pair({"noisy": "까"}, "재미있어요", rejected)])
    assert note == (said if "learnt" in said else "")


def test_no_pairs_have_no_lengths():
    assert length_note([]) == ""


def test_half_a_character_is_written_so_that_it_can_be_read(tmp_path):
    write_lines(tmp_path / "pairs.jsonl", [{"rejected": "가\ud800"}])
    assert json.loads((tmp_path / "pairs.jsonl").read_text(encoding="utf-8")) == {"rejected": "가\ud800"}


def test_nothing_is_left_of_a_file_that_was_not_written_to_its_end(tmp_path):
    def lines():
        yield {"chosen": "가"}
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_lines(tmp_path / "pairs.jsonl", lines())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("pairs.csv", "pairs.csv: found no name of a JSONL file; let it end in .jsonl, also .jsonl.gz and .jsonl.xz"),
        ("pairs", "pairs: found no name of a JSONL file; "),
        ("away/pairs.jsonl", "found no folder "),
    ],
)
def test_that_nothing_can_be_written_is_known_before(tmp_path, name, message):
    with pytest.raises(DataError, match=re.escape(message)):
        check_lines_path(tmp_path / name)
