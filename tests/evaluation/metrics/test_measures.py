"""All measures by name: what they count, and that no missing answer is ever right."""

import math
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanpuri.engines.base import Answer, Likelihood
from hanpuri.evaluation.metrics import ANSWERING, KNOWN, LIKELIHOODS, MEASURES, OUTCOMES, RESTORATION, pooled
from hanpuri.evaluation.metrics.measures import FAULTS, tally_answers

TEXTS = st.lists(st.text(max_size=8), min_size=1, max_size=4)
SCORED = sorted({*RESTORATION, *ANSWERING} - set(FAULTS))


def answer(text: str) -> Answer:
    return Answer(text, len(text), finished=True)


def score_of(name: str, answers, references, asked) -> float:
    return pooled(tally_answers(MEASURES[name], answers, references, asked), pool=MEASURES[name].pool)


@pytest.mark.parametrize("name", SCORED)
@settings(max_examples=20)
@given(references=TEXTS)
def test_a_missing_answer_is_never_right_also_where_nothing_is_expected(name, references):
    asked = ["?"] * len(references)
    score = score_of(name, [Answer.failed("no server")] * len(references), references, asked)
    assert score == 0.0 if MEASURES[name].better == "high" else score >= 1.0


@pytest.mark.parametrize("name", SCORED)
@settings(max_examples=20)
@given(references=TEXTS)
def test_a_row_without_an_answer_makes_no_score_better(name, references):
    asked = ["?"] * (len(references) + 1)
    answers = [answer(text) for text in references]
    all_right = score_of(name, [*answers, answer("가")], [*references, "가"], asked)
    one_lost = score_of(name, [*answers, Answer.failed("no server")], [*references, "가"], asked)
    assert one_lost < all_right if MEASURES[name].better == "high" else one_lost > all_right


def test_a_failure_that_brings_half_a_text_along_is_a_failure():
    half = Answer("가", 1, finished=False, failure="the stream broke off")
    assert score_of("exact_match", [half], ["가"], ["까"]) == 0.0


def test_an_empty_answer_is_right_where_nothing_is_expected():
    assert score_of("exact_match", [answer("")], [""], ["?"]) == 1.0


SEEN_ALONE = [
    # measure, answer, question, score
    ("copied", "까", "까", 1.0),
    ("copied", "가", "까", 0.0),
    ("replacement_characters", "가\ufffd", "까", 1.0),
    ("replacement_characters", "가\ufffd", "까\ufffd", 0.0),  # it was broken already
]


@pytest.mark.parametrize(("name", "text", "asked", "score"), SEEN_ALONE)
def test_what_needs_no_reference_looks_at_the_question(name, text, asked, score):
    assert score_of(name, [answer(text)], ["나"], [asked]) == score


@pytest.mark.parametrize("name", FAULTS)
def test_a_missing_answer_is_no_copy_in_no_other_language_and_breaks_no_character(name):
    assert score_of(name, [Answer.failed("no server")], ["가"], ["까"]) == 0.0


LANGUAGES = [
    # answer, reference, score
    ("The room is small.", "방이 작아요", 1.0),
    ("部屋が狭い", "방이 작아요", 1.0),
    ("방이 small", "방이 작아요", 0.0),
    ("3", "3시", 0.0),  # a figure is of any language
    ("", "방이", 0.0),
    ("river", "river", 0.0),  # no Hangul was expected
]


@pytest.mark.parametrize(("text", "reference", "score"), LANGUAGES)
def test_an_answer_in_another_language_is_seen_by_its_letters(text, reference, score):
    assert score_of("other_language", [answer(text)], [reference], ["?"]) == score


def test_outcomes_tell_ended_empty_and_missing_answers_apart():
    answers = [answer("가"), answer(" "), Answer("가나", 2, finished=False), Answer.failed("no server")]
    scores = {name: pooled(outcome.tally(answers)) for name, outcome in OUTCOMES.items()}
    assert scores == {"stop_rate": 0.5, "empty": 0.25, "failed": 0.25}


def test_likelihoods_are_pooled_over_tokens_and_bytes():
    given_answers = [Likelihood(-2.0, 2, 1, 6), Likelihood(-4.0, 1, 1, 3)]
    scores = {name: pooled(of.tally(given_answers), pool=of.pool) for name, of in LIKELIHOODS.items()}
    assert scores["loss"] == 2.0
    assert scores["perplexity"] == pytest.approx(math.exp(2))
    assert scores["bits_per_byte"] == pytest.approx(6 / math.log(2) / 9)
    assert scores["next_token_accuracy"] == pytest.approx(2 / 3)


def test_every_measure_is_known_under_its_name_and_says_what_it_is():
    assert set(KNOWN) == {*MEASURES, *OUTCOMES, *LIKELIHOODS}
    assert all(name == of.name and of.about for name, of in KNOWN.items())
    assert {*RESTORATION, *ANSWERING} <= set(MEASURES)


def test_of_no_rows_every_tally_is_empty():
    assert all(tally_answers(of, [], [], []).shape[0] == 0 for name, of in MEASURES.items() if name != "chrf")
    assert np.isnan(pooled(OUTCOMES["failed"].tally([])))


def test_the_page_tells_every_measure_and_which_way_is_better():
    page = (Path(__file__).parents[3] / "docs" / "evaluation.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"^\| `(\w+)` \| (more|less) \|", page, re.MULTILINE))
    assert told == {name: {"high": "more", "low": "less"}[of.better] for name, of in KNOWN.items()}
