"""Engines on the same rows, in numbers and in words."""

import pytest

from hanpuri.errors import DataError
from hanpuri.evaluation.comparison import best_of, compare_with_first, headline_of, in_words
from hanpuri.evaluation.evaluate import evaluate
from hanpuri.evaluation.significance import Difference, difference

ROWS = [("녀무", "너무"), ("방이", "방이")] * 8


def test_each_engine_is_held_against_the_first_on_the_same_file(scripted, rows_of):
    echo, mended = scripted(lambda text: text, "echo"), scripted(lambda text: text.replace("녀", "너"), "mended")
    found = [evaluate(engine, rows_of(*ROWS, name=name)) for name in ("a", "b") for engine in (echo, mended)]
    comparisons = compare_with_first(found, seed=1)
    assert list(comparisons) == [("a", "mended"), ("b", "mended")]
    gap = comparisons["a", "mended"]["char_accuracy"]
    assert gap == difference(found[0].tallies["char_accuracy"], found[1].tallies["char_accuracy"], seed=1)
    assert (gap.value, gap.num_rows, gap.significant()) == (0.25, 16, True)


def test_tokens_of_different_models_are_not_compared_but_bytes_are(knowing, rows_of):
    found = [evaluate(knowing(lambda text: text, name), rows_of(*ROWS, form="instruction")) for name in ("a", "b")]
    (gaps,) = compare_with_first(found).values()
    assert "bits_per_byte" in gaps
    assert not {"loss", "perplexity", "next_token_accuracy"} & set(gaps)


def test_different_rows_are_not_compared(scripted, rows_of):
    engine = scripted(lambda text: text, "a")
    found = [evaluate(engine, rows_of(*rows)) for rows in (ROWS, ROWS[:4])]
    with pytest.raises(DataError, match=r"^a and a were asked different rows of rows; evaluate both on the same rows$"):
        compare_with_first(found)


WORDS = [
    # measure, difference, p, words
    ("char_accuracy", 0.02, 0.01, "better"),
    ("char_accuracy", -0.02, 0.01, "worse"),
    ("cer", -0.02, 0.01, "better"),  # less is better
    ("cer", 0.02, 0.01, "worse"),
    ("cer", 0.02, 0.2, "no difference that 1,540 rows can show"),
    ("loss", 0.0, 0.01, "no difference that 1,540 rows can show"),
]


@pytest.mark.parametrize(("measure", "value", "p_value", "words"), WORDS)
def test_a_difference_is_said_in_words(measure, value, p_value, words):
    assert in_words(measure, Difference(value, value, value, p_value, 1540)) == words


def test_the_best_is_marked_where_there_is_one():
    assert best_of("char_accuracy", [0.1, None, 0.3]) == 0.3
    assert best_of("cer", [0.1, None, 0.3]) == 0.1
    assert best_of("cer", [0.1, 0.1]) is None
    assert best_of("cer", [0.1]) is None


def test_the_first_measure_goes_by_the_form(scripted, rows_of):
    engine = scripted(lambda text: text)
    assert headline_of(evaluate(engine, rows_of(*ROWS))) == "char_accuracy"
    assert headline_of(evaluate(engine, rows_of(("abc", "abc")))) == "char_f1"  # no Hangul
    assert headline_of(evaluate(engine, rows_of(*ROWS, form="instruction"))) == "token_f1"
