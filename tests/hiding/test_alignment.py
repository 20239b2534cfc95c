"""Pairs from elsewhere ─► cells. In: hidden and clean text. Out: what stands for what."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanpuri.hiding import hide
from hanpuri.hiding.alignment import align, distance

TEXTS = st.text(st.sampled_from("가나다라마 ㅏㄴnu水♡.?"), max_size=14)


def shown(noisy: str, clean: str) -> str:
    return " ".join(f"{'_' * cell.clean_gap}{cell.clean}<{cell.noisy}" for cell in align(noisy, clean))


@pytest.mark.parametrize(
    ("noisy", "clean", "cells"),
    [
        ("크래도", "그래도", "그<크 래<래 도<도"),
        ("난 nuna", "난 누나", "난<난 _누<n <u 나<n <a"),  # a spelled syllable is its first letter, the rest goes
        ("ㅎㅏㄴ국", "한국", "한<ㅎ <ㅏ <ㄴ 국<국"),
        ("좋 ♡ 다", "좋다", "좋<좋 <♡ 다<다"),
        ("ㅓㄴ자", "가자", "가<ㅓ <ㄴ 자<자"),
        ("펀했다", "재밌었다", "재밌<펀 었<했 다<다"),  # what is too much joins the cell before it
        ("안갈래", "안 갈래", "안<안 _갈<갈 래<래"),
        ("", "가", ""),  # there is nothing to write it for
    ],
)
def test_a_pair_is_aligned(noisy, clean, cells):
    assert shown(noisy, clean) == cells


@given(TEXTS, TEXTS)
def test_cells_hold_both_texts(noisy, clean):
    cells = align(noisy, clean)
    assert "".join(cell.noisy for cell in cells) == noisy.replace(" ", "")
    if cells:
        assert "".join(cell.clean for cell in cells).replace(" ", "") == clean.replace(" ", "")


def test_what_the_generator_did_is_found_again():
    found = total = 0
    for seed in range(60):
        hidden = hide("누나랑 수상한 가게에 갔다", random.Random(seed), kinds=["latin", "hanja"], share=0.4)
        again = align(hidden.noisy, hidden.clean)
        known = {(cell.clean, cell.noisy[0]) for cell in hidden.cells}
        found += len(known & {(cell.clean, cell.noisy) for cell in again})
        total += len(known)
    assert found / total > 0.9


def test_distances_are_small_where_something_is_shared():
    assert distance("까", "가") < distance("거", "가") < distance("두", "가")
    assert distance("㉮", "가") < distance("g", "가") < distance("x", "가")
