"""The facts of a training set that is as it should be, for tests to spoil."""

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
from hanpuri.noise.rules import RULES


@pytest.fixture
def calm() -> Facts:
    """Facts that give no warning."""
    labels, strata = {"긍정": 80, "부정": 70}, {"short": 100, "long": 50}
    lengths = {14: 100, 37: 49, 200: 1}
    audit = TokenizerAudit(150, 3_000, 2_500, 2_000, 10, 0, 0, 150)
    return Facts(
        name="reviews",
        form="pairs",
        seed=3,
        sources=(SourceFacts("reviews.csv", 200),),
        steps=(StepFacts("white_space", changed=12), StepFacts("exact_duplicate", dropped=10)),
        splits=tuple(SplitFacts(name, 150, labels, strata, lengths) for name in ("train", "validation", "test")),
        findings={"replacement": 0, "mojibake": 0, "masked phone": 4},
        duplicates=DuplicateFacts(exact=10, near=20, sizes={2: 20}),
        overlaps=(OverlapFacts("eval.jsonl", 0),),
        leaks={"train and test": 0},
        augmentation=AugmentationFacts(750, 3, {"airbnb": 750}, {"1.0": 750}, 100, {rule.name: 40 for rule in RULES}),
        tokens=(TokenFacts("ours", 8_000, {20: 700, 60: 50}, 1024, "error", clean=audit, noisy=audit),),
        diversity={"clean": text_measures(["방이 좁아요", "직원이 친절했어요", "다시 올게요"])},
        responses=ResponseMeasures(750, 0, 0),
    )
