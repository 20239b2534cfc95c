"""
Signs that preferences are learnt the wrong way, said aloud once each.

In: the evaluations so far. Out: events, each with what was found and what to do:

    drift          0.62 nats a token from the reference at the model's own answers, over dpo.max_drift 0.5; …
    chosen_falls   the chosen answers are 3.1 nats less likely each than at the reference, while margins rise: …
    chance         accuracy 0.51 after 3 evaluations: the model does not tell the two apart; …

A run that goes on after a stop says no more and no less than one that never stopped: all hangs on the evaluations.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import nan, sqrt

from hanpuri.training.loop.progress import Evaluation
from hanpuri.training.recipe import DpoSettings

KL = {"kl": "the held-out chosen answers", "kl_own": "the model's own answers"}
# A chosen answer that is e times less likely than before is no noise of a few steps.
LEAST_FALL = 1.0  # nats an answer
LOOKS_BEFORE_CHANCE = 3
# Of fewer pairs nobody could tell chance from skill.
LEAST_PAIRS = 25


def find_signs(told: Sequence[Evaluation], settings: DpoSettings, pairs: int) -> Iterator[tuple[str, str]]:
    """
    Give the events that the last evaluation brings, by name and message.

        >>> told = [Evaluation(step, 0.0, {"kl": kl}) for step, kl in [(10, 0.3), (20, 0.6), (30, 0.9)]]
        >>> [name for name, _ in find_signs(told[:2], DpoSettings(), 100)], [*find_signs(told, DpoSettings(), 100)]
        (['drift'], [])

    Args:
        told: the evaluations in order, that before the first step left out.
        settings: how far it may go, and how dear that is.
        pairs: held-out pairs that the accuracy counts.
    """
    scores = [one.scores for one in told]
    if not scores:
        return
    for name, where in KL.items():
        if _first_time(_beyond(one.get(name, nan), settings.max_drift) for one in scores):
            found = f"{scores[-1][name]:.2f} nats a token from the reference at {where}"
            yield (
                "drift",
                f"{found}, over dpo.max_drift {settings.max_drift:g}; lower training.learning_rate, raise dpo.beta"
                " or take fewer steps",
            )
    if _first_time(_falls(before, after, settings.beta) for before, after in zip([{}, *scores], scores, strict=False)):
        nats = -scores[-1]["chosen_reward"] / settings.beta
        yield (
            "chosen_falls",
            f"the chosen answers are {nats:.1f} nats less likely each than at the reference, while margins rise: the"
            " model learns what not to write; add sft to dpo.loss, or lower training.learning_rate",
        )
    if len(scores) == LOOKS_BEFORE_CHANCE and pairs >= LEAST_PAIRS:
        accuracies = [one.get("accuracy", 1.0) for one in scores]
        if max(accuracies) <= 0.5 + 1 / sqrt(pairs):  # two standard errors
            yield (
                "chance",
                f"accuracy {accuracies[-1]:.2f} after {len(scores)} evaluations: the model does not tell chosen from"
                " rejected; raise training.learning_rate, or look whether the pairs are the right way round",
            )


def _first_time(held: Iterator[bool]) -> bool:
    """Tell whether a sign stands at the last evaluation, and stood at none before."""
    *before, now = held
    return now and not any(before)


def _beyond(value: float, limit: float) -> bool:
    return value > limit


def _falls(before: Mapping[str, float], after: Mapping[str, float], beta: float) -> bool:
    """Tell whether margins rise while chosen answers become less likely: the known way in which DPO goes wrong."""
    falls = -after.get("chosen_reward", nan) / beta
    return falls > LEAST_FALL and after["margin"] > before.get("margin", 0.0)
