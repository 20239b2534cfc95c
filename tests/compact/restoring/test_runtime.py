"""
What is promised of restoring, for any text whatever.

In: any text. Out: one of the same length in which nothing but syllables changed, and a confidence for each character.
"""

import random
import re
import unicodedata
from collections.abc import Callable, Sequence
from itertools import cycle, islice

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hanpuri.compact.restoring.labelling import Restoring, one_ahead
from hanpuri.compact.restoring.onnx_predictor import OnnxPredictor
from hanpuri.compact.restoring.restoration import Restoration
from hanpuri.compact.restoring.runtime import Restorer
from hanpuri.compact.restoring.windows import OVERLAP, WINDOW, cut_windows, make_batches
from hanpuri.hangul import is_syllable
from hanpuri.noise.airbnb import generate
from hanpuri.noise.channel import feasible_originals

# Each has tripped something somewhere.
AWKWARD = (
    "",
    "   ",
    "\n",
    "\r\n",
    "\u2028",
    "\x00",
    "\ufeff",
    "\u00a0\u3000",
    "\t",
    "\u200b",
    "\ud800",  # half a surrogate pair, as damaged JSON gives it
    "\udfff\ud800",
    "😀",
    "👩‍👩‍👧‍👦",  # joined by invisible characters
    "🇰🇷",
    "❤️",
    "\U0010ffff",
    "ㅋㅋㅋ ㅠㅠ",  # letters that are no syllables
    "ﾡﾢ",  # half-width letters
    "㉯ⓐＡ",
    "ᄒᆞᆫ글",  # old Hangul, which has no precomposed form
    "\u1100\u1161\u11a8",  # 각 in NFD
    "각\u11a8",  # a tail that has nothing to join
    "\u1112\u1161\u11ab\u1100\u1173\u11af",
    "e\u0301",  # one character in NFC
    "\u0958",  # two characters in NFC
    "\u0344\ufb2c",  # two and three
    "a" + "\u0301\u0323" * 20,
    "\uabff\uac00\ud7a3\ud7a4",  # the first and the last syllable, and their neighbours
    "뷁뛟쀍",  # syllables outside KS X 1001
    "ابجد עברית",
    "Wi-Fi 5GHz 1박2일 ₩50,000!!!",
)


@st.composite
def texts(draw: Callable) -> str:
    """Pieces of everything, one after the other, some in NFD, now and then longer than a window."""
    syllables = st.text(st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3), max_size=20)
    korean = st.sampled_from(("확잠실읾 념뭄 잙앙욤", "뷰갸 녀뮤 좋핬써욘", "방이 좁아요", "넓뭄"))
    pieces = st.one_of(st.sampled_from(AWKWARD), syllables, korean, st.text(st.characters(), max_size=20))
    text = "".join(draw(st.lists(pieces, max_size=8)))
    times = draw(st.sampled_from((1, 1, 1, 1, 1, 1, 1, 40)))
    return (unicodedata.normalize("NFD", text) if draw(st.booleans()) else text) * times


def check(text: str, restored: Restoration) -> None:
    """All that is promised for any text."""
    normal = unicodedata.normalize("NFC", text)
    assert restored.noisy == normal
    assert len(restored.text) == len(normal) == len(restored.confidence)
    for before, after, confidence in zip(normal, restored.text, restored.confidence, strict=True):
        assert 0 <= confidence <= 1
        if is_syllable(before):
            assert is_syllable(after)
        else:
            assert (after, confidence) == (before, 1)
    characters = list(normal)
    for edit in restored.edits:
        assert edit.noisy == characters[edit.position] != edit.restored
        assert edit.confidence == restored.confidence[edit.position]
        characters[edit.position] = edit.restored
    assert "".join(characters) == restored.text
    assert [edit.position for edit in restored.edits] == sorted({edit.position for edit in restored.edits})


def share_kept(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """The share of syllables that are those of the references."""
    both = zip("".join(hypotheses), "".join(references), strict=True)
    same = [hypothesis == reference for hypothesis, reference in both if is_syllable(reference)]
    return sum(same) / len(same)


@pytest.fixture(scope="module")
def one_thread() -> Restorer:
    return Restorer("small", threads=1)


@pytest.fixture(scope="module")
def feasible() -> Restorer:
    return Restorer("small", threads=2, feasible="airbnb")


# --- what it is for


CASES = (
    # by hand: 장 and 작 have become 잠 and 잙, which the web generator cannot do
    ("확잠실읾 념뭄 잙앙욤", "화장실이 너무 작아요"),
    # the web generator, with an emoji
    ("뷰갸 녀뮤 좋핬써욘 😀", "뷰가 너무 좋았어요 😀"),
    # what is clean already stays
    ("화장실이 너무 작아요", "화장실이 너무 작아요"),
)


@pytest.mark.parametrize(("noisy", "clean"), CASES)
def test_the_default_model_restores(base, noisy, clean):
    assert base.model == "base"
    assert base.restore([noisy])[0].text == clean


@pytest.mark.parametrize(("model", "least"), [("base", 0.98), ("small", 0.975)])
def test_most_syllables_of_noisy_sentences_are_restored(request, pairs, model, least):
    restored = request.getfixturevalue(model).restore([noisy for noisy, _ in pairs])
    assert share_kept([one.text for one in restored], [clean for _, clean in pairs]) > least


@pytest.mark.parametrize("model", ["base", "small"])
def test_clean_sentences_are_left_nearly_untouched(request, sentences, model):
    restored = request.getfixturevalue(model).restore(sentences)
    assert share_kept([one.text for one in restored], sentences) > 0.995
    assert np.mean([confidence for one in restored for confidence in one.confidence]) > 0.99


def test_confidence_tells_right_from_wrong(small, sentences):
    right, wrong = [], []
    words = [word for text in sentences for word in text.split()]
    rng = random.Random(3)
    for restored, clean in zip(small.restore([generate(word, rng) for word in words]), words, strict=True):
        for edit in restored.edits:
            (right if edit.restored == clean[edit.position] else wrong).append(edit.confidence)
    assert np.mean(right) > 0.93
    assert np.mean(wrong) < np.mean(right) - 0.2


def test_edits_say_where_what_and_how_sure(base):
    edits = base.restore(["뷰갸 녀뮤 좋핬써욘"])[0].edits
    assert [(edit.position, edit.noisy, edit.restored) for edit in edits] == [
        *((1, "갸", "가"), (3, "녀", "너"), (4, "뮤", "무")),
        *((7, "핬", "았"), (8, "써", "어"), (9, "욘", "요")),
    ]
    assert all(0.5 < edit.confidence <= 1 for edit in edits)


# --- any text


@pytest.mark.parametrize("text", AWKWARD)
def test_an_awkward_text_keeps_the_promises_among_syllables_too(base, feasible, text):
    for restorer in (base, feasible):
        for whole in (text, f"확잠실읾{text}념뭄 {text} 잙앙욤"):
            check(whole, restorer.restore([whole])[0])


@settings(deadline=None, max_examples=80)
@given(texts())
@example("가" * WINDOW)
@example("방" + " " * 1000 + "방")
@example("\u0958" * 400 + "방")
def test_any_text_keeps_its_length_and_all_but_its_syllables(small, text):
    check(text, small.restore([text])[0])


def test_nothing_comes_of_nothing(small):
    assert small.restore([]) == []
    assert small.restore([""]) == [Restoration("", "", ())]


# --- the same text, the same result


@settings(deadline=None, max_examples=12)
@given(st.lists(texts(), min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_a_result_depends_on_its_text_alone(small, one_thread, given_texts, random):
    together = small.restore(given_texts)
    order = [*range(len(given_texts))] * 2
    random.shuffle(order)
    assert [one_thread.restore([text])[0] for text in given_texts] == together
    assert one_thread.restore([given_texts[number] for number in order]) == [together[number] for number in order]
    assert list(small.restore_stream(iter(given_texts))) == together


@pytest.mark.parametrize("profile", [None, "airbnb"])
def test_a_sentence_gets_the_same_confidences_alone_and_among_others(pairs, profile):
    noisy = [text for text, _ in pairs]
    one, two = (Restorer("base", threads=threads, feasible=profile) for threads in (1, 2))
    together = two.restore(noisy)
    assert one.restore(noisy) == together
    assert [restored for text in noisy for restored in one.restore([text])] == together
    assert two.restore(noisy[::-1])[::-1] == together


@pytest.mark.parametrize("model", ["base", "small"])
@pytest.mark.parametrize("length", [2, 3, 7, 33, WINDOW])
def test_a_row_gets_the_same_bits_alone_and_in_a_batch_and_from_threads_that_share_it(request, pairs, model, length):
    restorer = request.getfixturevalue(model)
    predictor, shared = restorer.restoring.predictor, OnnxPredictor.load(restorer.members[0], threads=2)
    stream = predictor.vocabulary.encode("\n".join(noisy for noisy, _ in pairs)).features
    rows = np.stack([stream[first : first + length] for first in range(5)])
    together = *predictor.predict(rows), predictor.score(rows)
    for number in range(len(rows)):
        row = rows[number : number + 1]
        for one in (predictor, shared):
            for found, alone in zip(together, (*one.predict(row), one.score(row)), strict=True):
                assert found[number].tobytes() == alone[0].tobytes()


def test_a_stream_without_end_is_restored_as_it_comes(small):
    stream = small.restore_stream(cycle(["-" * 70_000, "뷰갸 녀뮤 좋핬써욘"]))
    assert [restored.text[-7:] for restored in islice(stream, 6)] == ["-" * 7, "너무 좋았어요"] * 3


# --- one chunk ahead


def test_what_is_made_ahead_keeps_its_order_and_its_fault_comes_in_its_turn():
    made = []

    def items():
        for number in range(3):
            made.append(number)
            yield number + 1
        raise OSError("the disk is gone")

    ahead = one_ahead(items())
    assert next(ahead) == 1
    assert made == [0, 1]
    assert next(ahead) == 2
    assert next(ahead) == 3
    with pytest.raises(OSError, match="the disk is gone"):
        next(ahead)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_device_of_torch_restores_chunk_after_chunk_as_one_text_after_the_other(pairs, monkeypatch, threads):
    monkeypatch.setattr("hanpuri.compact.restoring.torch_predictor.ITEMS_ON_CPU", 7_000)  # chunks of 224,000 characters
    restorer = Restorer("small", device="cpu", threads=threads)
    texts = [noisy for noisy, _ in pairs[:4]] + ["", " ", "a" * 230_000, "b" * 230_000] + [pairs[0][0]]
    found = list(restorer.restore_stream(iter(texts)))
    assert [len(one.text) for one in found] == [len(text) for text in texts]
    assert [one.text for one in found[:4]] == [restorer.restore([text])[0].text for text in texts[:4]]
    assert found[-1].text == found[0].text


# --- windows


@given(st.integers(2, 5000), st.integers(0, 1000))
@example(WINDOW, 0)
@example(WINDOW + 1, 0)
def test_windows_take_every_item_once_and_leave_their_inner_edges_to_others(num_items, first):
    windows = list(cut_windows(7, first, first + num_items))
    assert [item for w in windows for item in range(w.keep_start, w.keep_end)] == [*range(first, first + num_items)]
    assert len({w.end - w.start for w in windows}) == 1
    for window in windows:
        assert window.text_number == 7
        assert first <= window.start <= window.keep_start < window.keep_end <= window.end <= first + num_items
        assert window.end - window.start <= WINDOW
        assert window.start == first or window.keep_start - window.start >= OVERLAP
        assert window.end == first + num_items or window.end - window.keep_end >= OVERLAP


@given(st.lists(st.integers(2, 900), max_size=20), st.integers(1, 2000))
def test_batches_hold_every_window_once_and_one_length_each(sizes, batch_items):
    windows = [window for number, size in enumerate(sizes) for window in cut_windows(number, 0, size)]
    batches = list(make_batches(windows, batch_items))
    assert sorted(window for batch in batches for window in batch) == sorted(windows)
    for batch in batches:
        (length,) = {window.end - window.start for window in batch}
        assert len(batch) == 1 or len(batch) * length <= batch_items


@pytest.fixture(scope="module")
def long_pair(pairs) -> tuple[str, str]:
    """(noisy, clean) of thousands of characters: the sentences, three times over."""
    noisy, clean = (" ".join(side) for side in zip(*pairs * 3, strict=True))
    assert len(noisy) > 2500
    return noisy, clean


def test_a_text_of_many_windows_is_restored_as_well_as_its_sentences(base, long_pair):
    noisy, clean = long_pair
    restored = base.restore([noisy])[0]
    check(noisy, restored)
    assert share_kept([restored.text], [clean]) > 0.98


def test_windows_agree_where_they_overlap(base, long_pair):
    predictor = base.restoring.predictor
    encoded = predictor.vocabulary.encode(long_pair[0])
    windows = list(cut_windows(0, 0, len(encoded.positions)))
    labels = [predictor.predict(encoded.features[None, w.start : w.end])[0][0] for w in windows]
    agree = []
    for (left, left_labels), (right, right_labels) in zip(
        zip(windows[:-1], labels[:-1], strict=True), zip(windows[1:], labels[1:], strict=True), strict=True
    ):
        both = np.arange(right.start, left.end)
        assert len(both) >= 2 * OVERLAP
        both = both[encoded.is_syllable[both]]
        agree.extend(left_labels[both - left.start] == right_labels[both - right.start])
    assert len(windows) > 5
    assert np.mean(agree) > 0.98


def test_a_line_of_five_megabytes_is_restored_without_much_memory(fresh_interpreter):
    program = """
import resource
from hanpuri.compact.restoring.runtime import Restorer
restorer = Restorer("base", threads=2)
korean = "뷰갸 녀뮤 좋핬써욘 " * 150
line = "a b😀" * 300_000 + korean + "1박 2일 " * 150 + "-" * 3_500_000 + korean
assert len(line.encode()) > 5_000_000
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
restored = restorer.restore([line])[0]
assert len(restored.text) == len(line)
assert restored.text[:9] == "a b😀a b😀a"
print(restored.text.count("너무 좋았어요"))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
    num_restored, mebibytes = map(int, fresh_interpreter(program).split())
    assert num_restored > 280
    assert mebibytes < 700


# --- only what the noise can have done


@settings(deadline=None, max_examples=60)
@given(texts())
def test_a_feasible_result_could_have_become_the_noisy_text(feasible, text):
    restored = feasible.restore([text])[0]
    check(text, restored)
    for character, originals in zip(restored.text, feasible_originals(restored.noisy), strict=True):
        assert character in originals


@pytest.mark.parametrize("profile", ["airbnb", "hand"])
def test_every_syllable_of_a_long_text_is_feasible_across_its_windows(long_pair, profile):
    noisy, clean = long_pair
    restored = Restorer("base", threads=2, feasible=profile).restore([noisy])[0]
    check(noisy, restored)
    originals = feasible_originals(noisy, profile)
    assert all(character in allowed for character, allowed in zip(restored.text, originals, strict=True))
    assert share_kept([restored.text], [clean]) > 0.98


def test_a_feasible_result_is_no_guess_where_the_free_one_is_feasible(small, feasible, pairs):
    for noisy, _ in pairs:
        free, held = small.restore([noisy])[0], feasible.restore([noisy])[0]
        if all(character in allowed for character, allowed in zip(free.text, feasible_originals(noisy), strict=True)):
            assert held.text == free.text


def test_what_only_a_hand_can_do_is_not_taken_back_under_the_profile_of_the_generator():
    generator, hand = (Restorer("base", threads=1, feasible=profile) for profile in ("airbnb", "hand"))
    assert hand.restore(["확잠실읾 념뭄 잙앙욤"])[0].text == "화장실이 너무 작아요"
    assert generator.restore(["확잠실읾 념뭄 잙앙욤"])[0].text != "화장실이 너무 작아요"


# --- wrong calls


@pytest.mark.parametrize("threads", [0, -1])
def test_a_number_of_threads_that_cannot_be_is_refused(threads):
    message = f"threads is {threads}; it has to be at least 1"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Restorer("small", threads=threads)


@pytest.mark.parametrize("profile", ["airbn", "", "AIRBNB"])
def test_an_unknown_profile_is_refused(small, profile):
    message = f"no profile is called {profile!r}; there are airbnb, hand"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Restorer("small", feasible=profile)
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Restoring(small.restoring.predictor, feasible=profile)


def test_all_processors_are_used_unless_told_otherwise(small):
    assert small.threads == 2
    assert Restorer("small").threads >= 1
