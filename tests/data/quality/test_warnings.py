"""
The warnings of a report, rule by rule: what each says, word for word, and where it begins to say it.

In: the facts of a training set that is as it should be, with one thing spoilt. Out: one warning.
"""

from dataclasses import replace

import pytest

from hanpuri.data.quality.facts import (
    AugmentationFacts,
    DuplicateFacts,
    Facts,
    OverlapFacts,
    ResponseMeasures,
    SourceFacts,
    SplitFacts,
    StepFacts,
    TokenFacts,
    TokenizerAudit,
)
from hanpuri.data.quality.measures import text_measures
from hanpuri.data.quality.warnings import RULES, Warned, find_warnings
from hanpuri.noise.rules import RULES as RULES_OF_NOISE

EVEN = {rule.name: 9 for rule in RULES_OF_NOISE}
LOSING = TokenizerAudit(
    texts=10, characters=90, syllables=80, tokens=100, byte_tokens=0, unknown_tokens=7, lost_characters=3, exact=6
)
SPELLING = TokenizerAudit(10, 90, 80, 100, 6, 0, 0, 10)
FINE = TokenizerAudit(10, 90, 80, 100, 5, 0, 0, 10)


def split(name: str, rows: int, **more) -> SplitFacts:
    return SplitFacts(name, rows, **more)


def tokens(lengths=None, **more) -> tuple[TokenFacts]:
    return (
        TokenFacts(
            **{
                "tokenizer": "llama",
                "vocabulary": 9,
                "lengths": lengths or {9: 1},
                "max_length": 1024,
                "too_long": "truncate",
            }
            | more
        ),
    )


def test_a_training_set_that_is_as_it_should_be_gives_no_warning(calm):
    assert find_warnings(calm) == ()


CASES = [
    (
        "evaluation_overlap",
        {"overlaps": (OverlapFacts("eval.jsonl", 1), OverlapFacts("other.csv", 0))},
        "1 row shared text with eval.jsonl: left out",
        "look at the samples below; where whole texts are shared, leave out the source that they come from",
    ),
    (
        "leaks_between_splits",
        {"leaks": {"train and test": 1200}},
        "1,200 rows of train had the question or the group of a row of test: left out",
        "if they are many, give rows that belong together one group, or let a source fill one split alone",
    ),
    (
        "split_is_empty",
        {"splits": (split("train", 100), split("validation", 0))},
        "the validation split has no rows",
        "add rows, or raise split.validation",
    ),
    (
        "split_is_empty",
        {"splits": (split("train", 0),)},
        "the train split has no rows",
        "add rows, or look below for the step that takes them",
    ),
    (
        "train_is_small",
        {"splits": (split("train", 99), split("test", 5))},
        "the train split has 99 rows, under 100: a model learns them by heart",
        "add rows, or look below for the step that takes them",
    ),
    (
        "stratum_without_rows",
        {"splits": (split("train", 100, strata={"긍정": 60, "부정": 40}), split("test", 5, strata={"긍정": 5}))},
        "the test split has no row of 부정, which is common in training",
        "raise split.test, or add such rows",
    ),
    (
        "rows_too_long",
        {"tokens": tokens({500: 88, 1025: 10, 1500: 2})},
        "12.0 % of the examples are over 1,024 tokens (llama) and would be cut",
        "raise examples.max_length to 2048, or set examples.too_long to drop",
    ),
    (
        "rows_too_long",
        {"tokens": tokens({500: 9_999, 4096: 1}, too_long="error")},
        "< 0.1 % of the examples are over 1,024 tokens (llama) and would stop the training",
        "raise examples.max_length to 4096, or set examples.too_long to drop",
    ),
    (
        "rows_too_long",
        {"tokens": tokens({2000: 1}, too_long="drop")},
        "100 % of the examples are over 1,024 tokens (llama) and would be left out",
        "raise examples.max_length to 2048, or split the long rows",
    ),
    (
        "tokenizer_loses_text",
        {"tokens": tokens(clean=FINE, noisy=LOSING)},
        "the tokenizer llama loses text: of 10 noisy texts, 7 unknown tokens, 3 U+FFFD, 4 that come back changed",
        "take another tokenizer, or add the missing syllables to this one",
    ),
    (
        "many_byte_tokens",
        {"tokens": tokens(clean=FINE, noisy=SPELLING)},
        "many tokens of llama are mere bytes: 5.0 % on clean text and 6.0 % on noisy text",
        "take a tokenizer made for Korean, or add the missing syllables to this one",
    ),
    (
        "empty_responses",
        {"responses": ResponseMeasures(100, 2, 0)},
        "an empty response in 2 rows",
        "leave them out (clean.min_characters: 1), or fill them in",
    ),
    (
        "responses_much_longer",
        {"responses": ResponseMeasures(100, 0, 2)},
        "a clean text much longer than the noisy one in 2 rows",
        "check that noisy and clean are mapped to the right columns",
    ),
    (
        "responses_known",
        {"responses": ResponseMeasures(750, 0, 0, known={"validation": 15, "test": 78})},
        "52.0 % of the responses in test stand in train too, word for word",
        "trust a score on the other rows alone, or keep equal responses together: map group to their column",
    ),
    (
        "preferred_are_longer",
        {"form": "preference", "responses": ResponseMeasures(100, 0, 50, 71)},
        "in 71.0 % of the rows the chosen response is the longer one: a model learns to be long",
        "add rows in which the shorter response is chosen",
    ),
    (
        "texts_begin_alike",
        {"diversity": {"output": text_measures(["네, 제가 갈게요", "네, 제가 할게요", *"가나다라"])}},
        "33.3 % of the texts in output begin with “네, 제가”",
        "vary them, or leave some of these rows out",
    ),
    (
        "texts_are_alike",
        {"diversity": {"clean": text_measures([f"{start} 방이 좁지만 깨끗해요" for start in "가나다라마"])}},
        "the texts in clean are much alike: 0.83 to the nearest on average",
        "lower deduplicate.near.similarity, or add texts of other kinds",
    ),
    (
        "many_near_duplicates",
        {"duplicates": DuplicateFacts(near=41)},
        "20.5 % of the rows are nearly the same as another: left out",
        "look at the clusters below, and at where the source comes from",
    ),
    (
        "rare_labels",
        {"splits": (split("train", 1000, labels={"긍정": 991, "모름": 9}), split("test", 9, labels={"긍정": 9}))},
        "under 1 % of the train rows each: the label 모름",
        "add such rows, or join rare labels to one",
    ),
    (
        "noise_rule_never_used",
        {"augmentation": AugmentationFacts(500, pairs=100, rules=EVEN | {"aspiration": 0} | {"other": 0})},
        "in 100 noisy copies no change needs the rule aspiration",
        "add another profile or strength to augment.mix",
    ),
    (
        "copies_missing",
        {"augmentation": AugmentationFacts(440, missing=60)},
        "12.0 % of the noisy copies could not be made: short texts have few noisy forms",
        "lower augment.copies, or raise clean.min_characters",
    ),
    (
        "step_drops_most",
        {"steps": (StepFacts("min_hangul", dropped=100), StepFacts("max_characters", dropped=51))},
        "the step max_characters left out 51.0 % of the rows that came to it",
        "check its setting",
    ),
    (
        "broken_characters",
        {"findings": {"mojibake": 1}},
        "text that was once read in a wrong encoding in 1 row",
        "give the right encoding of the source, or set clean.mojibake to drop",
    ),
    (
        "broken_characters",
        {"findings": {"replacement": 3}},
        "U+FFFD, the mark of a lost character, in 3 rows",
        "get the text from where it was whole, or set clean.replacement to drop",
    ),
    (
        "read_with_care",
        {"sources": (SourceFacts("reviews.csv", 200, notes=("reviews.csv: read as cp949",)),)},
        "reviews.csv: read as cp949",
        "look at these rows; then write the encoding into the recipe, or mend the file",
    ),
]


@pytest.mark.parametrize(("rule", "spoilt", "message", "mend"), CASES, ids=[case[0] for case in CASES])
def test_one_thing_spoilt_gives_one_warning(calm, rule, spoilt, message, mend):
    assert find_warnings(replace(calm, **spoilt)) == (Warned(rule, message, mend),)


def test_every_rule_is_tried():
    assert {case[0] for case in CASES} == {rule.__name__ for rule in RULES}


@pytest.mark.parametrize(
    "just_so",
    [
        {"splits": (split("train", 100), split("validation", 1))},
        {"splits": (split("train", 1000, strata={"a": 991, "b": 9}), split("test", 9, strata={"a": 9}))},
        {"tokens": tokens({1024: 9})},
        {"tokens": tokens(clean=FINE)},
        {"responses": ResponseMeasures(100, 0, 1, 70)},
        {"form": "instruction", "responses": ResponseMeasures(100, 0, 100)},  # an answer may be long
        {"duplicates": DuplicateFacts(exact=199, near=40)},
        {"splits": (split("train", 1000, labels={"긍정": 990, "모름": 10}),)},
        {"steps": (StepFacts("min_hangul", dropped=100), StepFacts("exact_duplicate", dropped=50))},
        {"augmentation": AugmentationFacts(450, missing=50, pairs=0)},
        {"augmentation": None, "tokens": (), "diversity": {}, "responses": None},  # not looked at
    ],
)
def test_what_just_keeps_to_the_limits_gives_none(calm, just_so):
    assert find_warnings(replace(calm, **just_so)) == ()


def test_long_lists_and_long_names_are_cut(calm):
    labels = {f"{'긴' * 50}{number}": 1 for number in range(9)} | {"긍정": 10_000}
    (warned,) = find_warnings(replace(calm, splits=(split("train", 10_009, labels=labels),)))
    assert (
        warned.message == f"under 1 % of the train rows each: the label {', '.join(['긴' * 40 + '…'] * 5)} and 4 more"
    )


def test_no_rows_at_all_are_no_reason_to_fail(calm):
    empty = Facts("none", "text", 0, (), (), (split("train", 0),), diversity={"text": text_measures([])})
    assert [warned.rule for warned in find_warnings(empty)] == ["split_is_empty"]
