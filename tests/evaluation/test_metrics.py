"""The scores: known values, bounds on arbitrary text, and agreement with a plain definition."""

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanpuri.errors import DataError
from hanpuri.evaluation.evaluate import evaluate, read_pairs
from hanpuri.evaluation.metrics import cer, char_accuracy, char_f1, edit_distance, exact_match, token_f1
from hanpuri.hangul import code_points

TEXTS = st.lists(st.text(max_size=20), min_size=1, max_size=4)

KNOWN = [
    # hypothesis, reference, char_accuracy, char_f1, exact_match, cer
    ("가나다", "가나다", 1.0, 1.0, 1.0, 0.0),
    ("가나라", "가나다", 2 / 3, 2 / 3, 0.0, 1 / 3),
    ("나다", "가나다", 0.0, 0.0, 0.0, 1 / 3),  # one syllable too few at the start: all after it stands wrong
    ("가 나!", "가 나.", 1.0, 3 / 4, 0.0, 1 / 4),  # the mark is no syllable
    ("", "가", 0.0, 0.0, 0.0, 1.0),
    ("가", "가", 1.0, 1.0, 1.0, 0.0),  # decomposed and precomposed are the same text
]


@pytest.mark.parametrize(("hypothesis", "reference", "accuracy", "f1", "exact", "error_rate"), KNOWN)
def test_known_pairs_have_known_scores(hypothesis, reference, accuracy, f1, exact, error_rate):
    assert char_accuracy([hypothesis], [reference]) == pytest.approx(accuracy)
    assert char_f1([hypothesis], [reference]) == pytest.approx(f1)
    assert exact_match([hypothesis], [reference]) == exact
    assert cer([hypothesis], [reference]) == pytest.approx(error_rate)


def test_scores_are_pooled_so_that_a_long_row_counts_more():
    assert char_accuracy(["가나다라", "가"], ["가나다라", "나"]) == 0.8


@given(TEXTS)
def test_a_text_scores_perfectly_against_itself(texts):
    assert char_accuracy(texts, texts) == char_f1(texts, texts) == exact_match(texts, texts) == 1.0
    assert cer(texts, texts) == 0.0


@given(st.text(max_size=12), st.text(max_size=12))
def test_the_edit_distance_is_the_textbooks(first, second):
    table = list(range(len(second) + 1))
    for row, left in enumerate(first, start=1):
        before, table[0] = table[0], row
        for column, right in enumerate(second, start=1):
            before, table[column] = (
                table[column],
                min(table[column] + 1, table[column - 1] + 1, before + (left != right)),
            )
    assert edit_distance(code_points(first), code_points(second)) == table[-1]


TOKEN_F1 = [
    # hypothesis, reference, F1
    ("서해로 흐릅니다", "서해로 흐릅니다", 1.0),
    ("흐릅니다 서해로", "서해로 흐릅니다", 1.0),  # in any order
    ("서해로\n 흐릅니다 ", "서해로 흐릅니다", 1.0),  # white space of any kind
    ("네 네", "네", 2 / 3),  # a token counts as often as it stands there
    ("서해로", "서해", 0.0),  # another particle is another token
    (unicodedata.normalize("NFD", "방이"), "방이", 1.0),  # decomposed and precomposed are the same text
    ("", "네", 0.0),
    ("네", " ", 0.0),
    ("", " ", 1.0),
]


@pytest.mark.parametrize(("hypothesis", "reference", "f1"), TOKEN_F1)
def test_known_pairs_have_a_known_token_f1(hypothesis, reference, f1):
    assert token_f1([hypothesis], [reference]) == pytest.approx(f1)


def test_token_f1_is_a_mean_over_rows_so_that_a_short_row_counts_as_much():
    assert token_f1(["가 나 다", "라"], ["가 나 다", "마"]) == 0.5


@given(TEXTS)
def test_token_f1_is_the_same_both_ways_and_perfect_for_the_same_text(texts):
    assert token_f1(texts, texts) == 1.0
    assert token_f1(texts, texts[::-1]) == pytest.approx(token_f1(texts[::-1], texts))
    assert 0 <= token_f1(texts, texts[::-1]) <= 1


def test_different_numbers_of_texts_are_a_wrong_call():
    with pytest.raises(ValueError, match="zip"):
        char_accuracy(["가"], ["가", "나"])
    with pytest.raises(ValueError, match="zip"):
        token_f1(["가"], ["가", "나"])


def test_evaluate_scores_the_clean_side_as_an_input_too():
    scores = evaluate(
        lambda texts: [text.replace("녀", "너") for text in texts], [("녀무", "너무"), ("녀", "녀")], "toy"
    )
    assert (scores.char_accuracy, scores.unchanged_clean, scores.rows, scores.model) == (2 / 3, 2 / 3, 2, "toy")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            [{"noisy": "가", "clean": None}],
            "pairs.jsonl:1: the field clean is None, expected a text; give pairs of noisy and clean",
        ),
        ([], "pairs.jsonl holds no pairs; give a file with the fields noisy and clean"),
    ],
)
def test_a_file_that_holds_no_pairs_is_refused(tmp_path, lines, message):
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    with pytest.raises(DataError) as error:
        read_pairs(path)
    assert str(error.value).endswith(message)
