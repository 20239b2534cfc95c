"""
A text rewritten in steps: whatever the steps are, the changes told of the first text lead to the last one.

In: texts, and lists of changes one after the other. Out: parts of both texts that stand for each other.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanpuri.unhiding.draft import Change, Draft, apply


@st.composite
def steps(draw) -> tuple[str, list[list[tuple[int, int, str]]]]:
    """A text, and for each step (keep so many characters, replace so many, by what)."""
    text = draw(st.text("가나ab ", max_size=12))
    piece = st.tuples(st.integers(0, 4), st.integers(0, 3), st.text("XYZ", max_size=3))
    return text, draw(st.lists(st.lists(piece, max_size=4), max_size=5))


@given(steps())
@settings(max_examples=300)
def test_changes_of_the_first_text_make_the_last_one_and_blocks_leave_no_gap(told):
    text, all_steps = told
    draft = Draft(text)
    for step in all_steps:
        at, changes, expected = 0, [], draft.text
        for keep, replace, new in step:
            start, end = at + keep, at + keep + replace
            if end > len(draft.text):
                break
            changes.append(Change(start, end, new, "kind"))
            at = end
        for start, end, new, _ in reversed(changes):
            expected = expected[:start] + new + expected[end:]
        draft.replace(changes)
        assert draft.text == expected
    assert apply(text, draft.changes()) == draft.text
    start = from_ = 0
    for block in draft.blocks():
        assert (block.start, block.from_) == (start, from_)
        start, from_ = block.end, block.to
    assert (start, from_) == (len(text), len(draft.text))


def test_the_first_kind_of_a_part_is_told_and_deletions_of_one_kind_are_one():
    draft = Draft("ㄱr ✧✧격")
    draft.replace([Change(1, 2, "ㅏ", "pieces"), Change(2, 5, "", "symbol")])
    draft.replace([Change(0, 2, "가", "split")])
    assert draft.changes() == [Change(0, 2, "가", "pieces"), Change(2, 5, "", "symbol")]


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ([(0, 2, "x", ""), (1, 3, "y", "")], "found a change of 1 to 3 behind 2 of 3 characters"),  # overlap
        ([(2, 3, "x", ""), (0, 1, "y", "")], "found a change of 0 to 1 behind 3 of 3 characters"),  # out of order
        ([(2, 4, "x", "")], "found a change of 2 to 4 behind 0 of 3 characters"),  # beyond the end
    ],
)
def test_changes_that_do_not_fit_are_refused(changes, found):
    with pytest.raises(ValueError, match=f"^{found}$"):
        Draft("가나다").replace([Change(*one) for one in changes])
