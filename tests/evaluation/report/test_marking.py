"""
What is wrong in a restored text, marked down to the letter.

In: a restored and a clean text. Out: pieces, each with its mark, the note above it, and the same in words.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanpuri.evaluation.report.alignment import align
from hanpuri.evaluation.report.marking import LONG, mark
from hanpuri.pages.page import Piece


def pieces(hypothesis: str, reference: str) -> list[Piece]:
    (pairing,) = align([hypothesis], [reference])
    assert pairing is not None
    return list(mark(hypothesis, reference, pairing).pieces)


@pytest.mark.parametrize(
    ("hypothesis", "reference", "expected"),
    [
        ("방이", "방이", [Piece("방이")]),
        # one letter is named, in its place
        ("쌰", "사", [Piece("쌰", "wrong", "→사", "lead ㅆ, right is ㅅ, vowel ㅑ, right is ㅏ (사)")]),
        ("오", "요", [Piece("오", "wrong", "ㅗ→ㅛ", "vowel ㅗ, right is ㅛ (요)")]),
        ("조", "좋", [Piece("조", "wrong", "–→ㅎ", "tail none, right is ㅎ (좋)")]),
        ("맑", "마", [Piece("맑", "wrong", "ㄺ→–", "tail ㄺ, right is none (마)")]),
        # what is no syllable has no letters
        ("ㅋ", "코", [Piece("ㅋ", "wrong", "→코", "ㅋ, right is 코")]),
        ("!", "?", [Piece("!", "wrong", "→?", "!, right is ?")]),
        # missing, too much; several beside each other are one piece
        ("방", "방이요", [Piece("방"), Piece("이요", "missing", told="missing: 2 characters")]),
        ("방이", "방", [Piece("방"), Piece("이", "extra", told="too much: 이")]),
        # what cannot be seen is shown
        ("가나", "가 나", [Piece("가"), Piece("␣", "missing", told="missing: a space"), Piece("나")]),
        ("가\n", "가", [Piece("가"), Piece("·", "extra", told="too much: U+000A")]),
    ],
)
def test_what_is_wrong_is_marked(hypothesis, reference, expected):
    assert pieces(hypothesis, reference) == expected


@given(st.text("가나각쌀 a!", max_size=12), st.text("가나각쌀 a!", max_size=12))
def test_the_restored_text_is_there_whole_and_so_is_what_is_missing(hypothesis, reference):
    found = pieces(hypothesis, reference)
    written = "".join(piece.text for piece in found if piece.mark != "missing")
    assert written.replace("␣", " ") == hypothesis
    assert all(piece.told for piece in found if piece.mark)
    assert (hypothesis == reference) == (not any(piece.mark for piece in found))


def test_a_long_text_shows_what_stands_around_its_faults():
    clean = "방이 넓고 깨끗해요 " * 40
    found = pieces(clean[:201] + "쌀" + clean[202:], clean)
    assert len(clean) > LONG
    assert [piece.mark for piece in found] == ["", "wrong", ""]
    assert sum(len(piece.text) for piece in found) < 120
    assert found[0].text.startswith("방이 넓고 깨끗해요")
    assert found[0].text.endswith(clean[191:201])
