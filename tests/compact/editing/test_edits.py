"""Items and labels of a network that edits. In: texts, cells. Out: features, labels, and the text that they write."""

import json
import random
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanpuri.compact.editing.edits import CLASSES, FIRST_CLASS, EditVocabulary
from hanpuri.compact.editing.reader import EditReading, TextEdit, apply, join, leave_clean, take_back, write
from hanpuri.compact.vocabulary import NO_LEAD, NO_TAIL, NO_VOWEL, Vocabulary
from hanpuri.hiding import Cell, hide
from hanpuri.hiding.alignment import align

SYLLABLES = "".join(chr(point) for point in range(ord("가"), ord("힣") + 1))
FULL = EditVocabulary(SYLLABLES, "\n.ㅎㅏㄴnua")
KNOWN = EditVocabulary("가방수한", "\n.A水")
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("가방 한  ㅎ♡水A"), max_size=30)


def as_labels(vocabulary: EditVocabulary, cells: tuple[Cell, ...]) -> np.ndarray:
    """The labels that a perfect network would give, with a line break at each end."""
    targets = vocabulary.targets(cells)
    labels = np.zeros((3, len(targets.points) + 2), dtype=np.int64)
    for row, column in enumerate((targets.actions, targets.inserts, targets.spacings)):
        labels[row, 1:-1] = np.maximum(column, 0)
    return labels


def written(noisy: str, cells: tuple[Cell, ...], *, spacing: bool = True) -> EditReading:
    labels = as_labels(FULL, cells)
    return write(FULL, noisy, FULL.encode(noisy).positions, labels, np.ones(labels.shape), spacing=spacing)


# --- features


@pytest.mark.parametrize(
    ("character", "letters", "other", "last"),
    [
        ("가", (0, 0, 0, 1), 0, 0),
        ("뷁", (7, 15, 9, 0), 0, 0),  # no label of its own: read by its letters alone
        ("水", (9, 13, 0, 3), "own", 0),  # a Hanja with a number of its own is read by its reading too
        ("手", (9, 13, 0, 3), "hanja", 0),
        ("㉮", (0, 0, 0, 1), "enclosed", 0),
        ("㈎", (0, 0, 0, 1), "enclosed", 0),
        ("A", None, "own", 0),
        ("Ａ", None, "A", 2),  # as the plain letter, but marked
        ("Ⓐ", None, "A", 2),
        ("B", None, "Lu", 0),
        ("か", None, "kana", 0),
        ("😀", None, "So", 0),
        ("\u200b", None, "Cf", 0),
        ("\u3164", None, "Cf", 0),  # a letter to Unicode, but nobody sees it
        ("\u0336", None, "Mn", 0),
        ("7", None, "N", 0),
    ],
)
def test_a_character_is_read(character, letters, other, last):
    encoded = KNOWN.encode(character)
    numbers = [int(n) - o for n, o in zip(encoded.features[1], KNOWN.offsets[:-1], strict=True)]
    assert tuple(numbers[:4]) == (letters or (NO_LEAD, NO_VOWEL, NO_TAIL, 0))
    if other in CLASSES:
        assert numbers[4] == FIRST_CLASS + CLASSES.index(other)
    elif other:
        own = character if other == "own" else other
        assert numbers[4] == FIRST_CLASS + len(CLASSES) + KNOWN.others.index(own)
    else:
        assert numbers[4] == 0
    assert numbers[5] == last


def test_a_space_is_a_feature_of_what_follows_it():
    encoded = KNOWN.encode("가 Ａ")
    assert encoded.positions.tolist() == [-1, 0, 2, -1]
    assert (encoded.features[:, 5] - KNOWN.offsets[5]).tolist() == [0, 0, 3, 0]


@given(ANY_TEXT)
def test_features_lie_in_the_table(text):
    features = KNOWN.encode(text).features
    assert (features >= np.array(KNOWN.offsets[:-1])).all()
    assert (features < np.array(KNOWN.offsets[1:])).all()


def test_a_vocabulary_goes_on_from_a_restorer_s(tmp_path):
    known = Vocabulary("가방", "\n.")
    extended = EditVocabulary.extend(known, "가.♡ ♡水")
    assert extended == EditVocabulary("가방", "\n.♡水")
    extended.save(tmp_path / "vocabulary.json")
    assert EditVocabulary.load(tmp_path / "vocabulary.json") == extended
    assert json.loads((tmp_path / "vocabulary.json").read_text(encoding="utf-8"))["kind"] == "edits"


# --- labels


@pytest.mark.parametrize(
    ("clean", "noisy", "actions", "inserts", "spacings"),
    [
        ("가", "가", ["가"], [""], [0]),
        ("가", "카", ["가"], [""], [0]),
        ("", "♡", ["DELETE"], [""], [None]),
        ("한", "ㅎㅏㄴ", ["한", "DELETE", "DELETE"], ["", "", ""], [0, None, None]),
        ("가방", "A", ["가"], ["방"], [0]),
        ("가 방", "A", ["가"], ["방"], [2]),  # with a space between the two
        ("가방수", "A", ["가"], ["방"], [0]),  # a third cannot be said
        ("A", "Ａ", ["NORMAL"], [""], [0]),
        (".", ".", ["KEEP"], [""], [0]),
        (".", "!", [None], [""], [0]),  # no label says it
        ("뷁", "뷁", ["KEEP"], [""], [0]),
        ("뷁", "붹", [None], [""], [0]),
    ],
)
def test_a_cell_is_labelled(clean, noisy, actions, inserts, spacings):
    names = {"KEEP": 0, "DELETE": KNOWN.delete, "NORMAL": KNOWN.normal, None: -100, "": 0}
    targets = KNOWN.targets([Cell(clean, noisy, False, False)])
    assert targets.actions == [names.get(name, KNOWN.syllables.find(name or "?") + 1) for name in actions]
    assert targets.inserts == [names.get(name, KNOWN.syllables.find(name) + 1) for name in inserts]
    assert targets.spacings == [-100 if spacing is None else spacing for spacing in spacings]


def test_labels_of_hidden_text_write_the_clean_text():
    text = "수상한 누나가 귀여운 고양이랑 오랜만에 왔다. A4 용지!"
    right = 0
    for seed in range(300):
        hidden = hide(text, random.Random(seed))
        right += written(hidden.noisy, hidden.cells).text == text
    assert right >= 280  # 캣 for 고양이 is two syllables short, and only one can be put in


@given(ANY_TEXT)
def test_labels_of_a_text_itself_change_nothing(text):
    text = unicodedata.normalize("NFC", text)
    cells = align(text, text)
    for spacing in (False, True):
        assert written(text, cells, spacing=spacing) == EditReading(text, text, (), (1.0,) * len(text))


# --- writing


@pytest.mark.parametrize(
    ("noisy", "clean", "edits"),
    [
        ("화♡장♡실", "화장실", [(1, 2, ""), (3, 4, "")]),
        ("ㅎㅏㄴ국", "한국", [(0, 3, "한")]),
        ("nu나", "누나", [(0, 2, "누")]),
        ("좋아 ♡ ♡", "좋아", [(2, 6, "")]),  # with the spaces before
        ("좋아 ♡ 또", "좋아 또", [(2, 4, "")]),
        ("♡ 좋아", "좋아", [(0, 2, "")]),  # no text begins with a space that something left behind
        ("확♡", "화", [(0, 1, "화"), (1, 2, "")]),
        ("안갈래", "안 갈래", [(1, 1, " ")]),
        ("안 갈래", "안갈래", [(1, 2, "")]),
        ("안  갈래", "안 갈래", []),  # a space is one, however wide
    ],
)
def test_edits_tell_what_changed(noisy, clean, edits):
    reading = written(noisy, align(noisy, clean))
    assert [(edit.start, edit.end, edit.restored) for edit in reading.edits] == edits
    assert apply(noisy, reading.edits) == reading.text


def test_spaces_stay_as_they_stand_unless_they_are_asked_for():
    assert written("안갈래 가 자", align("안갈래 가 자", "안 갈래 가자"), spacing=False).text == "안갈래 가 자"
    assert written("안갈래 가 자", align("안갈래 가 자", "안 갈래 가자"), spacing=True).text == "안 갈래 가자"
    # but what was put in takes its spaces with it
    assert written("가 ♡ 자", align("가 ♡ 자", "가자"), spacing=False).text == "가자"


@given(ANY_TEXT, st.randoms(use_true_random=False))
def test_whatever_the_network_says_edits_lead_from_the_noisy_to_the_written_text(text, rng):
    positions = FULL.encode(text).positions
    sizes = [min(size, 40) for size in FULL.sizes]
    labels = np.array([[rng.randrange(size) for _ in positions] for size in sizes])
    labels[0, [rng.random() < 0.3 for _ in positions]] = FULL.delete
    for spacing in (False, True):
        reading = write(FULL, text, positions, labels, np.full(labels.shape, 0.5), spacing=spacing)
        assert apply(text, reading.edits) == reading.text
        ends = [0, *(edit.end for edit in reading.edits)]
        assert all(edit.start >= end for edit, end in zip(reading.edits, ends, strict=False))
        assert all(text[edit.start : edit.end] != edit.restored for edit in reading.edits)
        some = take_back(reading, reading.edits[::2])
        assert some.text == apply(text, reading.edits[::2])
        assert (len(some.confidence), len(reading.confidence)) == (len(some.text), len(reading.text))


def test_an_edit_is_as_sure_as_its_least_sure_part():
    edits = join("ㅎㅏㄴ", [TextEdit(0, 1, "한", 0.9), TextEdit(1, 2, "", 0.4), TextEdit(2, 3, "", 0.8)])
    assert list(edits) == [TextEdit(0, 3, "한", 0.4)]


@pytest.mark.parametrize(
    ("confidences", "text"),
    [
        ((0.6, 0.7), "머 확"),  # both may well be wrong: the line is clean
        ((0.999, 0.6), "뭐 화"),  # one sure edit shows that the line hides, and the doubtful one is taken with it
        ((0.96, 0.96), "뭐 화"),  # two that are fairly sure do as well
        ((1.0, 1.0), "뭐 화"),
    ],
)
def test_a_line_of_doubtful_edits_alone_is_left_clean(confidences, text):
    edits = tuple(map(TextEdit, (0, 2), (1, 3), "뭐화", confidences))
    assert leave_clean(EditReading("머 확", "뭐 화", edits)).text == text


def test_lines_are_judged_one_by_one():
    edits = (TextEdit(0, 1, "뭐", 0.6), TextEdit(2, 3, "화", 0.9999))
    left = leave_clean(EditReading("머\n확", "뭐\n화", edits))
    assert (left.text, left.edits) == ("머\n화", edits[1:])


def test_spaces_that_were_asked_for_are_not_judged_with_the_line():
    edits = (TextEdit(1, 1, " ", 0.8), TextEdit(2, 3, "화", 0.6), TextEdit(3, 3, " ", 0.7))
    left = leave_clean(EditReading("방이확나", "방 이화 나", edits))
    assert left.text == "방 이확나"  # the second space touches an edit that is taken back
