"""
Restoring with a wide reach: what is read, what is told of it, and what stays promised of any text.

In: texts hidden in several ways at once, written for these tests. Out: readable ones, with edits that lead there.
"""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hanpuri
from hanpuri.compact.editing.kinds import KINDS as FOUND_BY_MODEL
from hanpuri.compact.restoring.restoration import PartEdit, Restoration
from hanpuri.compact.restoring.runtime import Restorer
from hanpuri.unhiding.draft import Change, apply
from hanpuri.unhiding.normalising import KINDS
from tests.unhiding.test_normalising import CLEAN

CASES = [
    ("ㄱr격二 녀뮤 비싸욘", "가격이 너무 비싸요"),  # look-alikes and Hanja beside the web generator's noise
    ("뷰갸 녀뮤 좋핬써욘", "뷰가 너무 좋았어요"),  # that alone
    ("ㅎㅘㅈㅏㅇ실읾 ✧ 념¿뭄 ♤ 잙앙욤 ≥ㅁ≤", "화장실이 너무 작아요"),  # loose letters and signs
    ("방\u200b이 ㅏㄱ무 좁㈕요", "방이 너무 좁아요"),  # what nobody sees, what stands on its head
    ("방이 넓고 깨끗해요 ㅋㅋ ^^ ♥", "방이 넓고 깨끗해요 ㅋㅋ ^^ ♥"),  # nothing hidden
    ("", ""),
]


@pytest.fixture(scope="module")
def wide() -> Restorer:
    return Restorer("base", threads=1, reach="wide")


@pytest.fixture(scope="module")
def small() -> Restorer:
    return Restorer("small", threads=1, reach="wide")


@pytest.fixture(scope="module")
def near() -> Restorer:
    return Restorer("small", threads=1)


def check(text: str, restored: Restoration) -> None:
    """All that is promised for any text."""
    assert restored.noisy == unicodedata.normalize("NFC", text)
    assert len(restored.confidence) == len(restored.text)
    assert all(0 <= sure <= 1 for sure in restored.confidence)
    edits = restored.parts
    assert edits is not None
    assert edits == restored.edits
    changes = [Change(edit.position, edit.position + len(edit.noisy), edit.restored, edit.kind) for edit in edits]
    assert apply(restored.noisy, changes) == restored.text
    for edit in edits:
        assert restored.noisy[edit.position :].startswith(edit.noisy)
        assert edit.noisy != edit.restored
        assert edit.kind in {*KINDS, *FOUND_BY_MODEL}


@pytest.mark.parametrize(("noisy", "text"), CASES)
def test_what_is_hidden_is_restored(wide, noisy, text):
    (restored,) = wide.restore([noisy])
    assert restored.text == text
    check(noisy, restored)


def test_each_edit_tells_how_it_was_hidden(wide):
    (restored,) = wide.restore(["ㄱr격二 녀뮤 비싸욘"])
    told = [(edit.position, edit.noisy, edit.restored, edit.kind) for edit in restored.edits]
    assert told[:4] == [
        (0, "ㄱr", "가", "pieces"),
        (3, "二", "이", "hanja"),
        (5, "녀", "너", "sound"),
        (6, "뮤", "무", "sound"),
    ]
    assert isinstance(restored.edits[0], PartEdit)
    assert restored.edits[0].confidence > 0.9


texts = st.lists(
    st.one_of(
        st.sampled_from([case[0] for case in CASES]),
        st.text("가나ㄱㅋㅏㅠr1二✧¿≥ㅁ≤\u200b\u0301 ", max_size=15),
        st.text(max_size=15),
    ),
    max_size=5,
).map("".join)


@given(st.lists(texts, min_size=1, max_size=3))
@settings(max_examples=30, deadline=None)
def test_edits_lead_from_any_text_to_the_restored_one_and_none_depends_on_another(small, some):
    for text, restored, alone in zip(some, small.restore(some), (small.restore([one])[0] for one in some), strict=True):
        check(text, restored)
        assert restored == alone


def test_the_web_generators_noise_is_restored_as_ever(small, near):
    noisy = ["뷰갸 녀뮤 좋핬써욘", "짐때갸 품씽햐꽃 죠용햔 팡위였섬욘", "빵 옌 냄쌔"]
    for far, close in zip(small.restore(noisy, alternatives=3), near.restore(noisy, alternatives=3), strict=True):
        assert (far.text, far.confidence, far.alternatives) == (close.text, close.confidence, close.alternatives)
        assert [edit[:4] for edit in far.edits] == list(close.edits)


@pytest.mark.parametrize("text", CLEAN)
def test_clean_text_stays_as_it_is(wide, text):
    assert wide.restore([text])[0].edits == ()


def test_spaces_are_moved_only_if_that_is_asked_for(wide):
    noisy = "방 이 너무좁 아요 水건 도없 어요"
    assert wide.restore([noisy])[0].text == "방 이 너무좁 아요 수건 도없 어요"
    (moved,) = Restorer("base", threads=1, reach="wide", spacing=True).restore([noisy])
    assert moved.text == "방이 너무 좁아요 수건도 없어요"
    check(noisy, moved)
    assert "spacing" in {edit.kind for edit in moved.edits}


def test_spacing_without_a_wide_reach_is_refused():
    with pytest.raises(ValueError, match=r"^spacing was asked for; it needs reach='wide'$"):
        Restorer("small", spacing=True)


def test_the_door_takes_the_reach():
    assert hanpuri.restore("ㄱr격二 녀뮤 비싸욘", reach="wide") == "가격이 너무 비싸요"
    assert hanpuri.restore("ㄱr격二") == "ㄱr격二"


def test_an_unknown_reach_is_refused():
    with pytest.raises(ValueError, match=r"^reach is 'far'; it has to be one of syllables, wide$"):
        Restorer("small", reach="far")  # type: ignore[arg-type]
