"""
Rows that share a piece of text with an evaluation file.

In: evaluation files, rows. Out: for each row the number of the file, or -1.
"""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanpuri.data.preparation.overlap import NONE, EvaluationTexts, open_evaluation
from hanpuri.data.recipe import EvaluationSettings
from hanpuri.errors import DataError

# 30 syllables, no piece of five stands twice
HELD_OUT = "다락방 창문을 열면 감나무 너머로 기차가 지나가고 저녁마다 종소리도 들렸습니다"
SYLLABLES = HELD_OUT.replace(" ", "")
SHORT = "열쇠는 화분 밑에"  # 7


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Each test works in a folder of its own, so that messages hold bare file names."""
    monkeypatch.chdir(tmp_path)


def write(name: str, *texts: object, field: str = "text") -> EvaluationSettings:
    lines = (json.dumps({field: text}, ensure_ascii=False) + "\n" for text in texts)
    Path(name).write_text("".join(lines), encoding="utf-8")
    return EvaluationSettings(path=Path(name), field=field)


def read(*settings: EvaluationSettings, window: int = 15) -> EvaluationTexts:
    return EvaluationTexts.read(settings, window)


@pytest.mark.parametrize(
    ("row", "overlaps"),
    [
        # fifteen syllables in a row, at the begin, within and at the end
        (SYLLABLES[:15], True),
        (f"그리고 {SYLLABLES[7:22]} 그랬지요", True),
        (f"아주 {SYLLABLES[-15:]}", True),
        # other spaces and punctuation, letters between, another case
        (" ~ ".join(SYLLABLES[:15]) + " LG", True),
        # typed apart
        ("".join(f"{chr(0x1103)}{chr(0x1161)}" if syllable == "다" else syllable for syllable in SYLLABLES[:15]), True),
        # fourteen
        (f"그리고 {SYLLABLES[7:21]} 그랬지요", False),
        (SYLLABLES[:14], False),
        # fifteen, but one of them is another
        (SYLLABLES[:7] + "뷁" + SYLLABLES[8:15], False),
        # a whole short text
        (SHORT, True),
        ("열쇠는, 화분밑에!", True),
        (f"{SHORT} 있어요", False),
        ("열쇠는 화분", False),
        ("", False),
    ],
)
def test_a_row_overlaps_if_it_shares_fifteen_syllables_in_a_row_or_is_a_whole_short_text(row, overlaps):
    evaluation = read(write("held_out.jsonl", HELD_OUT, SHORT))
    assert evaluation.find([[row]]).tolist() == [0 if overlaps else NONE]
    assert bool(evaluation.shared_window(row)) == overlaps


@pytest.mark.parametrize(
    ("length", "counts"),
    [
        (4, False),  # stands everywhere
        (5, True),
        (14, True),
        (15, True),
    ],
)
def test_a_short_text_counts_from_five_syllables_on(length, counts):
    evaluation = read(write("held_out.jsonl", SYLLABLES[:length]))
    assert evaluation.find([[SYLLABLES[:length]]]).tolist() == [0 if counts else NONE]


def test_each_text_of_a_row_counts_for_itself():
    evaluation = read(write("held_out.jsonl", HELD_OUT, SHORT))
    rows = [
        ["열쇠가 어디 있나요?", "", SHORT],  # the answer is a whole short text, whatever stands beside it
        [SHORT, "네"],
        [],
        [SYLLABLES[:8], SYLLABLES[8:15]],  # one after the other, but in two texts
        ["방이 넓어요", HELD_OUT],
    ]
    assert evaluation.find(rows).tolist() == [0, 0, NONE, NONE, 0]


def test_the_file_that_is_named_is_the_first_of_those_that_have_the_piece():
    evaluation = read(write("a.jsonl", SHORT), write("b.jsonl", HELD_OUT), write("c.jsonl", HELD_OUT))
    assert evaluation.find([[HELD_OUT], [SHORT], ["방이 넓어요"]]).tolist() == [1, 0, NONE]


def test_without_evaluation_files_or_with_nothing_in_them_no_row_overlaps():
    assert read().find([[HELD_OUT], []]).tolist() == [NONE, NONE]
    assert read().shared_window(HELD_OUT) == ""
    assert read(write("ascii.jsonl", "nothing of ours")).find([[HELD_OUT], [""]]).tolist() == [NONE, NONE]
    assert read(write("held_out.jsonl", HELD_OUT)).find([]).tolist() == []


def test_the_piece_that_is_shown_is_the_first_that_both_have():
    evaluation = read(write("held_out.jsonl", HELD_OUT, SHORT))
    assert evaluation.shared_window(f"아무튼 {HELD_OUT}") == SYLLABLES[:15]
    assert evaluation.shared_window("열쇠는 화분 밑에!") == "열쇠는화분밑에"
    assert evaluation.shared_window("방이 넓어요") == ""


PARTS = st.lists(st.text(st.sampled_from("가나다라 ,a"), max_size=9), max_size=4)


@given(PARTS, st.lists(PARTS, max_size=4), st.integers(5, 7))
def test_overlaps_are_those_of_a_plain_loop(held_out, rows, window):
    def pieces(text: str) -> set[str]:
        text = "".join(character for character in text if character in "가나다라")
        whole = {text} if 5 <= len(text) < window else set()
        return whole | {text[at : at + window] for at in range(len(text) - window + 1)}

    texts = [text for text in held_out if text] or ["a"]
    evaluation = read(write("held_out.jsonl", *texts), window=window)
    wanted = set().union(*map(pieces, texts))
    found = evaluation.find(rows).tolist()
    assert found == [0 if any(pieces(text) & wanted for text in row) else NONE for row in rows]


def test_files_of_any_kind_are_read():
    Path("lines.txt").write_text(f"{HELD_OUT}\n", encoding="utf-8")
    Path("table.csv").write_text(f"id,clean\n1,{HELD_OUT}\n", encoding="utf-8")
    lines = EvaluationSettings(path=Path("lines.txt"))
    table = EvaluationSettings(path=Path("table.csv"), field="clean")
    for settings in (lines, table):
        assert read(settings).find([[HELD_OUT]]).tolist() == [0]


def test_a_folder_of_files_is_read_whole():
    Path("held_out").mkdir()
    write("held_out/a.jsonl", HELD_OUT)
    write("held_out/b.jsonl", SHORT)
    settings = EvaluationSettings(path=Path("held_out"))
    assert [str(path) for path in open_evaluation(settings).files] == ["held_out/a.jsonl", "held_out/b.jsonl"]
    assert read(settings).find([[SHORT], [HELD_OUT], ["방이 넓어요"]]).tolist() == [0, 0, NONE]


def test_a_file_that_is_not_there_is_said_not_to_be():
    write("held_out.jsonl", HELD_OUT)
    with pytest.raises(DataError) as caught:
        open_evaluation(EvaluationSettings(path=Path("heldout.jsonl")))
    assert str(caught.value) == "heldout.jsonl: found no such file; did you mean held_out.jsonl?"


def test_empty_texts_among_others_give_nothing_away():
    assert read(write("held_out.jsonl", "", HELD_OUT, None)).find([[HELD_OUT], [""]]).tolist() == [0, NONE]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "id,texts\n1,방\n",
            'held_out.csv:1: found no column "text" for text, expected one of: id, texts; did you mean `field: texts`?',
        ),
        (
            "a,b\n1,2\n",
            'held_out.csv:1: found no column "text" for text, expected one of: a, b; '
            "say which of them it is: `field: ...`",
        ),
        # empty ones among others give nothing away, but nothing at all is a slip
        (
            'text,b\n"",2\n',
            'held_out.csv: found no row with a text in "text", expected at least one; '
            "name another column: `field: ...`",
        ),
    ],
)
def test_what_is_wrong_with_an_evaluation_file_is_said_in_the_words_of_its_settings(content, message):
    Path("held_out.csv").write_text(content, encoding="utf-8")
    # A fault that a variable keeps would keep the file open, until the collector of garbage complains in another test.
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        read(EvaluationSettings(path=Path("held_out.csv")))
