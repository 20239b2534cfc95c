"""
What a user's texts say again and again, and what comes of it where a network is in doubt.

In: texts, syllables that could stand in a place. Out: the one that makes what the texts say, and the same promises.
"""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanpuri.compact.restoring import phrases as module
from hanpuri.compact.restoring.alternatives import UNSURE, Alternative
from hanpuri.compact.restoring.labelling import Restoring
from hanpuri.compact.restoring.phrases import BREAK, LONGEST, Phrases, hash_runs
from hanpuri.errors import ModelError
from hanpuri.hangul import code_points, is_syllable

TEXTS = ["집이 넓어요", "집이 좁고 물이 안 나와요", "비데가 있어서 좋아요", "집이 넓고 깨끗해요"]
ANY_TEXTS = st.lists(st.text(st.sampled_from("가나다라 \n!a각"), max_size=12), max_size=5)
NOISY = ("찝잉 넓얼욜", "빵 옌 냄쌔", "뮬이 앉 냐왈욥", "볌 잇가 엇젼 숩햇써", "깍 흴뤼 겆 낡쉐", "", "집 😀 \ud800ab")


@pytest.fixture(scope="module")
def counted() -> Phrases:
    return Phrases.count(TEXTS)


def weigh(counted: Phrases, text: str, place: int, candidates: str) -> list[float]:
    """Weigh candidates for one place of a text."""
    points = code_points(BREAK + text + BREAK)
    return counted.weigh(points, np.array([len(BREAK) + place]), code_points(candidates)[None])[0].tolist()


def test_what_goes_on_as_the_texts_do_is_preferred(counted):
    first, second = weigh(counted, "찜이 넓어요", 0, "찜집")
    assert second > first


def test_what_follows_counts_as_what_comes_before_does(counted):
    """Before the syllable stands nothing; all that tells is what comes behind it."""
    first, second = weigh(counted, "물데가 있", 0, "물비")
    assert second > first


def test_of_texts_of_another_kind_nothing_is_said(counted):
    assert weigh(counted, "온 세상이 새하얗다", 5, "하학핫") == pytest.approx([0.0] * 3, abs=1e-5)


@given(ANY_TEXTS)
def test_what_follows_a_run_and_what_it_leaves_make_one(texts):
    counted = Phrases.count(texts)
    whole = code_points(BREAK + BREAK.join(texts) + BREAK)
    alphabet = np.unique(whole)
    for length in range(1, LONGEST):
        runs = np.lib.stride_tricks.sliding_window_view(whole, length)[:-1]
        longer = np.stack([np.column_stack([runs, np.full(len(runs), one)]) for one in alphabet], 1)
        shares = counted.runs[length].share(list(hash_runs(longer))[length][..., -1])
        rests = counted.runs[length - 1].rest(list(hash_runs(runs))[length - 1][..., -1])
        assert shares.sum(-1) + rests == pytest.approx(np.ones(len(runs)), abs=1e-5)


@given(ANY_TEXTS, st.text(min_size=1, max_size=12), st.data())
def test_weights_are_numbers_and_choosing_keeps_what_is_probable(texts, text, data):
    counted = Phrases.count(texts)
    places = data.draw(st.lists(st.integers(0, len(text) - 1), min_size=1, max_size=4, unique=True).map(sorted))
    points = np.array([ord(one) for one in BREAK + text + BREAK], dtype=np.int64)
    candidates = np.array([[ord(text[place]), ord("가"), ord("각")] for place in places])
    shares = np.array(data.draw(st.lists(st.sampled_from([(0.5, 0.3, 0.1), (0.9, 0.05, 0.0)]), min_size=len(places),
                                         max_size=len(places))))  # fmt: skip
    where = np.array(places) + len(BREAK)
    assert np.isfinite(counted.weigh(points, where, candidates)).all()
    told = counted.choose(points, where, candidates, shares)
    assert told.sum(-1) == pytest.approx(shares.sum(-1))
    assert (told[shares == 0] == 0).all()
    assert points[where].tolist() == np.take_along_axis(candidates, told.argmax(-1)[:, None], 1)[:, 0].tolist()


def test_where_the_texts_say_nothing_the_network_decides():
    points, places = code_points(BREAK + "감자" + BREAK), np.array([len(BREAK)])
    told = Phrases.count([]).choose(points, places, code_points("감검")[None], np.array([[0.4, 0.5]]))
    assert told == pytest.approx(np.array([[0.4, 0.5]]))


def test_a_file_holds_what_was_counted_and_no_text(tmp_path, counted):
    counted.save(tmp_path / "phrases.npz")
    again = Phrases.load(tmp_path / "phrases.npz")
    for one, other in zip(counted.runs, again.runs, strict=True):
        assert (one.keys == other.keys).all()
        assert one.shares == pytest.approx(other.shares, rel=1e-3)
        assert one.rests == pytest.approx(other.rests, rel=1e-3)
    held = (tmp_path / "phrases.npz").read_bytes()
    assert not any("집이".encode(form) in held for form in ("utf-8", "utf-16-le", "utf-32-le"))


def test_a_file_that_is_none_is_named_in_one_line(tmp_path):
    (tmp_path / "phrases.npz").write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(ModelError, match=r"phrases\.npz cannot be loaded: .+; adapt the model again"):
        Phrases.load(tmp_path / "phrases.npz")


def test_of_very_many_texts_the_first_are_counted(monkeypatch, counted):
    monkeypatch.setattr(module, "MOST_CHARACTERS", sum(map(len, TEXTS)))
    few = Phrases.count([*TEXTS, "또 하나 더"])
    assert all((one.keys == other.keys).all() for one, other in zip(few.runs, counted.runs, strict=True))


# --- with a network


@pytest.fixture(scope="module")
def phrased(small, counted) -> Restoring:
    return Restoring(small.restoring.predictor, threads=2, phrases=counted)


def restore(restoring, texts, alternatives=0):
    return list(restoring.restore_stream(texts, alternatives))


def test_a_doubt_is_settled_as_the_texts_say(small):
    """The network holds both probable; which of them the texts say decides."""
    (before,) = small.restore(["굉쟝희 쪼은 볌"], alternatives=6)
    doubts = {place: choices for place, choices in before.alternatives.items() if len(choices) > 1}
    place, choices = min(doubts.items(), key=lambda one: one[1][0].confidence - one[1][1].confidence)
    second = before.text[:place] + choices[1].text + before.text[place + 1 :]
    texts = [second] * 50
    (after,) = restore(Restoring(small.restoring.predictor, phrases=Phrases.count(texts)), [before.noisy])
    assert after.text[place] == choices[1].text
    assert after.confidence[place] > choices[1].confidence


@settings(max_examples=40)
@given(st.lists(st.one_of(st.sampled_from(NOISY), st.text(max_size=30)), max_size=4), st.integers(0, 4))
def test_all_promises_of_restoring_hold_with_phrases(phrased, texts, most):
    together = restore(phrased, texts, most)
    assert together == [one for text in texts for one in restore(phrased, [text], most)]
    for one in together:
        assert len(one.text) == len(one.noisy) == len(one.confidence)
        changed = [(old, new) for old, new in zip(one.noisy, one.text, strict=True) if old != new]
        assert all(is_syllable(old) and is_syllable(new) for old, new in changed)
        assert all(0 <= sure <= 1 and math.isfinite(sure) for sure in one.confidence)
        unsure = {place for place, sure in enumerate(one.confidence) if sure < UNSURE}
        assert set(one.alternatives) == (unsure if most else set())
        for place, choices in one.alternatives.items():
            assert choices[0] == Alternative(one.text[place], one.confidence[place])
            assert 1 <= len(choices) <= most
            assert sum(choice.confidence for choice in choices) <= 1 + 1e-9
