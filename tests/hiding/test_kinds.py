"""
The kinds of hiding, one by one: what each does to a sentence, and what all of them promise of any text.

In: clean texts, a kind, a share. Out: cells, whose clean sides are the text.
"""

import random
import unicodedata
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanpuri.hiding import KINDS, Cell, hide
from hanpuri.hiding.hide import draw_kinds
from hanpuri.hiding.tables import readings

NAMES = [kind.name for kind in KINDS]
HANGUL = st.characters(min_codepoint=ord("가"), max_codepoint=ord("힣"))
ANY_TEXT = st.text(
    st.characters(exclude_categories=["Cs"]) | HANGUL | st.sampled_from("   ㅋㅏ\u1100水A4"), max_size=40
)


def clean_of(cells: tuple[Cell, ...]) -> str:
    return "".join(" " * cell.clean_gap + cell.clean for cell in cells)


def noisy_of(cells: tuple[Cell, ...]) -> str:
    return "".join(" " * cell.noisy_gap + cell.noisy for cell in cells)


def one_space(text: str) -> str:
    """What the cells can say: a run of plain spaces is one."""
    return " ".join(part for part in text.split(" ") if part)


# --- one by one


@pytest.mark.parametrize(
    ("kind", "clean", "possible"),
    [
        ("hanja", "삐", {"삐"}),  # no Hanja is read so
        ("keys", "한글", {"gksrmf"}),
        ("keys", "닭", {"ekfr"}),  # two keys for a double tail
        ("look_alike", "멍", {"댕"}),
        ("look_alike", "집", {"집"}),  # nothing looks like it
        ("turned", "논문", {"곰국"}),  # the whole word, on its head
        ("turned", "가", {"ㅓㄴ", "ㅓ匕"}),
        ("sign", "그", {"ユ", "コ"}),
        ("sign", "하", {"㉻", "㈛"}),  # enclosed letters are known by their normal form
        ("wide", "A4", {"Ａ４", "Ⓐ④", "𝐀𝟒"}),
        ("meaning", "집", {"house", "하우스"}),
        ("liaison", "옷을", {"오슬", "옷슬"}),
        ("lead", "가", {"까", "카"}),
        ("vowel", "애", {"에", "얘", "예"}),
        ("doubling", "나가", {"낙각", "낙가"} | {f"낙{chr(ord('가') + tail)}" for tail in range(1, 28)}),
        ("spacing", "안 갈", {"안갈", "안 갈"}),
        ("between", "한", {"한"}),  # there is nothing between
    ],
)
def test_a_kind_does_what_it_is_there_for(kind, clean, possible):
    seen = {hide(clean, random.Random(seed), kinds=[kind], share=1.0).noisy for seed in range(40)}
    assert seen <= possible
    assert seen & (possible - {clean}) or possible == {clean}


@pytest.mark.parametrize("kind", KINDS, ids=NAMES)
def test_the_example_of_a_kind_holds(kind):
    clean, hidden = kind.example
    assert hide(clean, random.Random(0), kinds=[kind.name]).clean == clean
    assert clean != hidden


@pytest.mark.parametrize("kind", NAMES)
def test_a_share_of_none_leaves_the_text_alone(kind):
    text = "귀여운 고양이 수상해 A4 오랜만에 옷을 비싼 논문"
    assert hide(text, random.Random(3), kinds=[kind], share=0.0).noisy == text


def test_a_swap_keeps_the_syllables_of_each_word():
    for seed in range(30):
        hidden = hide("오랜만에 생각보다", random.Random(seed), kinds=["swap"], share=1.0)
        for clean, noisy in zip(hidden.clean.split(), hidden.noisy.split(), strict=True):
            assert Counter(clean) == Counter(noisy)
            assert clean != noisy


def test_a_hanja_is_read_as_the_syllable_that_it_is_written_for():
    for seed in range(30):
        noisy = hide("수상해", random.Random(seed), kinds=["hanja"], share=1.0).noisy
        assert all(meant in readings()[hanja] for meant, hanja in zip("수상해", noisy, strict=True))


def test_what_is_put_in_stands_in_cells_of_no_clean_text():
    hidden = hide("화장실이 좋다", random.Random(0), kinds=["between"], share=1.0)
    assert "".join(cell.noisy for cell in hidden.cells if cell.clean) == "화장실이좋다"
    assert len(hidden.noisy) > len(hidden.clean)


def test_words_of_another_length_are_aligned_syllable_by_syllable():
    hidden = hide("비싼 거", random.Random(1), kinds=["meaning"], share=1.0)
    assert [cell.clean for cell in hidden.cells[:2]] == ["비", "싼"]
    assert {cell.clean for cell in hidden.cells[2:-1]} == {""}


# --- promises


@given(ANY_TEXT, st.sampled_from(NAMES), st.integers(0, 1_000), st.sampled_from([None, 0.5, 1.0]))
def test_every_kind_keeps_the_clean_text_in_its_cells(text, kind, seed, share):
    hidden = hide(text, random.Random(seed), kinds=[kind], share=share)
    assert clean_of(hidden.cells) == one_space(text)
    assert noisy_of(hidden.cells) == hidden.noisy
    assert all(cell.noisy and " " not in cell.noisy for cell in hidden.cells)


@given(ANY_TEXT, st.integers(0, 1_000))
def test_kinds_together_keep_the_clean_text_in_their_cells(text, seed):
    hidden = hide(text, random.Random(seed))
    assert clean_of(hidden.cells) == one_space(text)
    assert noisy_of(hidden.cells) == hidden.noisy
    assert 1 <= len(hidden.kinds) <= 6


def test_the_same_seed_hides_alike():
    assert hide("그래도 좋다", random.Random(7)) == hide("그래도 좋다", random.Random(7))


def test_every_kind_is_drawn_and_kinds_come_in_their_order():
    drawn = [draw_kinds(random.Random(seed)) for seed in range(400)]
    assert {kind.name for kinds in drawn for kind in kinds} == set(NAMES)
    assert all(list(kinds) == [kind for kind in KINDS if kind in kinds] for kinds in drawn)


def test_all_seventeen_rules_of_kotox_have_a_kind():
    rules = {kind.rule for kind in KINDS} - {""}
    by_other_kinds = {"2-3"}  # a lead carried over while its tail stays: `liaison`
    assert rules | by_other_kinds == {
        *("1-1", "1-3", "1-4", "1-5", "2-1", "2-2", "2-3", "3-1", "5-1", "5-2", "6-1", "8-1", "8-2", "8-3", "10", "11"),
        "13-2",
    }


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match=r"^no kind of hiding is called 'rot13'; there are swap, meaning, liaison"):
        hide("가", random.Random(0), kinds=["rot13"])


def test_hidden_text_of_composed_text_stays_composed():
    for seed in range(200):
        noisy = hide("수상해 오랜만에 귀여운 고양이 한국", random.Random(seed)).noisy
        assert unicodedata.normalize("NFC", noisy) == noisy


def test_the_table_of_kinds_in_the_docs_is_this_one():
    page = (Path(__file__).parents[2] / "docs" / "hiding.md").read_text(encoding="utf-8")
    table = page.split("<!-- kinds:begin -->\n")[1].split("<!-- kinds:end -->")[0].splitlines()[2:]
    expected = []
    for kind in KINDS:
        clean, hidden = kind.example
        expected.append(f"| `{kind.name}` | {kind.does} | {clean} | {hidden.replace(chr(0x200B), '·')} | {kind.rule} |")
    assert table == expected
