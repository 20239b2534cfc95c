"""
What was measured ─► advice in plain words, with its reasons and its next steps. Pure logic: nothing is asked here.

In: Facts: each candidate's score with its interval, differences on the same rows, what is known of the data, a curve.
Out: Advice. With 0.95 wanted, a model that was asked without examples at 0.71 and with three of them at 0.96:

    prompting is enough: qwen3 3-shot reaches 0.960 (0.951 to 0.968), 0.950 is wanted
      three examples bring +0.250 (+0.231 to +0.268)
    ─►  hanpuri evaluate …

The cheaper way goes first: a shipped model, then a prompt, then a training. Nothing is recommended on a difference that
could be chance, nor on a score whose interval holds the wanted one; then it is said how many rows would tell.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from hanpuri.evaluation.significance import Difference
from hanpuri.evaluation.verdict.facts import (
    FAR,
    WAYS,
    Curve,
    Facts,
    Forecast,
    Scored,
    is_better,
    told,
    told_gain,
)
from hanpuri.evaluation.verdict.readiness import faults_of_data
from hanpuri.evaluation.verdict.remarks import (
    always_said,
    best_of_each_way,
    cheaper_but_open,
    cheaper_steps,
    cost_of,
    how_to_use,
    rows_for_border,
    rows_to_tell_apart,
    share_of,
    what_examples_bring,
    what_more_brings,
)

Kind = Literal[
    "a shipped model does it",
    "prompting is enough",
    "improve the prompt, or add retrieval first",
    "fine-tune",
    "the data is not ready",
    "it cannot be told yet",
]

MIN_TRAIN_ROWS = 200  # what a LoRA on a few epochs can be expected to learn from at all
FEW_KNOWN_WORDS = 0.3  # of an answer's words, those that the question has


@dataclass(frozen=True)
class Advice:
    """What to do, and why."""

    kind: Kind
    because: str
    """The one sentence."""
    reasons: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, object]:
        """Give it as JSON has it."""
        return {"kind": self.kind, "because": self.because, "reasons": list(self.reasons), "steps": list(self.steps)}


def advise(facts: Facts) -> Advice:
    """
    Turn what was measured into advice: the first rule that has something to say.

        >>> from hanpuri.evaluation.significance import Difference, Interval
        >>> from hanpuri.evaluation.verdict.facts import DataFacts
        >>> echo = Scored("echo", "echo", Interval(0.2, 0.18, 0.22))
        >>> llm = Scored("qwen3 zero-shot", "prompted", Interval(0.97, 0.96, 0.98))
        >>> gains = {("echo", "qwen3 zero-shot"): Difference(0.77, 0.74, 0.79, 0.001, 200)}
        >>> advise(Facts("token_f1", "high", 0.95, echo, (llm,), gains, DataFacts(200))).because
        'qwen3 zero-shot reaches 0.970 (0.960 to 0.980), 0.950 is wanted'
    """
    rules = (_unready, _nobody_answered, _reached, _like_echo, _at_the_border, _shipped_is_ahead, _curve, _trained)
    found = next((advice for rule in rules if (advice := rule(facts))), None) or _prompted(facts)
    more = (said for said in always_said(facts) if said not in found.because)
    return Advice(found.kind, found.because, tuple(dict.fromkeys((*found.reasons, *more))), found.steps)


# --- the rules, in the order in which they are asked


def _unready(facts: Facts) -> Advice | None:
    faults = faults_of_data(facts)
    if not faults:
        return None
    first, *others = faults
    return Advice("the data is not ready", first[0], tuple(one for one, _ in others), tuple(step for _, step in faults))


def _nobody_answered(facts: Facts) -> Advice | None:
    if facts.candidates:
        return None
    # Why, stands among what is always said.
    return Advice("it cannot be told yet", "none of the candidates answered", steps=("mend one of them",))


def _reached(facts: Facts) -> Advice | None:
    reaching = [
        one
        for one in facts.candidates
        if facts.place(one.score) == "reached" and is_better(facts.gain(facts.echo, one))
    ]
    way = next((way for way in WAYS if any(one.way == way for one in reaching)), None)
    if way is None:
        return None
    chosen = min((one for one in reaching if one.way == way), key=cost_of)
    because = f"{chosen.label} reaches {told(chosen.score)}, {facts.wanted}"
    reasons = [*what_examples_bring(chosen), *cheaper_but_open(facts, chosen), *what_more_brings(facts, chosen)]
    if way == "shipped":
        return Advice("a shipped model does it", because, tuple(reasons), (how_to_use(chosen),))
    if way == "prompted":
        return Advice("prompting is enough", because, tuple(reasons), (how_to_use(chosen), *cheaper_steps(chosen)))
    return _reached_by_training(facts, chosen, because, reasons)


def _like_echo(facts: Facts) -> Advice | None:
    """Some reach what is wanted, but whether they do more than copy is not sure."""
    reaching = [one for one in facts.candidates if facts.place(one.score) == "reached"]
    if not reaching:
        return None
    first = max(reaching, key=lambda one: facts.gain(facts.echo, one).value)
    gain = facts.gain(facts.echo, first)
    because = f"{first.label} reaches {told(first.score)}, and may do no more than copy: {told_gain(gain)} over echo"
    return Advice("the data is not ready", because, (), (rows_to_tell_apart(gain),))


def _reached_by_training(facts: Facts, chosen: Scored, because: str, reasons: list[str]) -> Advice:
    """A training is recommended only over a prompt that is surely worse."""
    prompted = facts.best(["prompted"])
    points = facts.curve.points if facts.curve else ()
    reasons += [f"{rows:,} training rows reach it" for rows, score in points if facts.place(score) == "reached"][:1]
    if prompted is None:
        reasons.append("no model was asked that is only prompted")
        return Advice("fine-tune", because, tuple(reasons), (how_to_use(chosen),))
    gain = facts.gain(prompted, chosen)
    if is_better(gain):
        said = f"it has {told_gain(gain)} over {prompted.label}, the best prompt"
        return Advice("fine-tune", because, (said, *reasons), (how_to_use(chosen),))
    said = f"{chosen.label} and {prompted.label} cannot be told apart: {told_gain(gain)}"
    return Advice("the data is not ready", said, tuple(reasons), (rows_to_tell_apart(gain),))


def _at_the_border(facts: Facts) -> Advice | None:
    """Name the cheapest way that may be good enough, and of it whoever takes the fewest rows to tell."""
    border = [one for one in facts.candidates if facts.place(one.score) == "open"]
    if not border:
        return None
    first = min(border, key=lambda one: (WAYS.index(one.way), -abs(one.score.value - facts.good_enough)))
    because = f"whether {first.label} is good enough is open: {told(first.score)}, {facts.wanted}"
    others = tuple(f"so it is with {one.label}: {told(one.score)}" for one in border if one is not first)
    return Advice("the data is not ready", because, others, (rows_for_border(facts, first),))


def _shipped_is_ahead(facts: Facts) -> Advice | None:
    """A shipped model misses, and no language model that was asked is its equal."""
    best, other = facts.best(["shipped"]), facts.best(["prompted", "trained"])
    if best is None or (other is not None and not is_better(facts.gain(other, best))):
        return None
    if other is None:
        because = (
            f"{best.label} is the best asked, at {told(best.score)}; {facts.wanted}, and no language model was asked"
        )
        return Advice("it cannot be told yet", because, (), ("add a language model to candidates",))
    because = f"{best.label} is ahead of every language model that was asked, at {told(best.score)}; {facts.wanted}"
    reasons = (
        f"it has {told_gain(facts.gain(other, best))} over {other.label}",
        "what training it on texts of your kind brings was not measured",
    )
    step = "train the restorer on your own clean texts: copy the recipe base, put them into data, hanpuri train"
    return Advice("fine-tune", because, reasons, (step,))


def _curve(facts: Facts) -> Advice | None:
    """Where models were trained on shares of the data, their curve says what more of it would bring."""
    curve, trained, prompted = facts.curve, facts.best(["trained"]), facts.best(["prompted"])
    if curve is None or trained is None:
        return None
    forecast = curve.forecast
    if prompted is not None and is_better(facts.gain(trained, prompted)) and not _passes(facts, forecast, prompted):
        return None
    rows = curve.points[-1][0]
    if not (is_better(curve.rise) and is_better(curve.last_step) and forecast.gain.low > 0):
        return _flat(facts, curve, trained)
    because = (
        f"more data helps: {rows:,} training rows reach {told(curve.points[-1][1])}, {facts.wanted};"
        f" twice as many would reach {told(forecast.score)}, if the curve goes on as it ran"
    )
    if forecast.rows_to_reach is None:
        reach = f"within {FAR:.0f} times the data the curve does not meet {facts.good_enough:.3f}: a larger base, too"
    else:
        reach = f"the curve meets {facts.good_enough:.3f} at about {forecast.rows_to_reach:,} training rows"
    more = min(forecast.rows_to_reach or 2 * rows, 2 * rows) - rows
    if (facts.data.num_train or 0) >= rows + more:
        step = f"train on {more:,} more of the {facts.data.num_train:,} rows that there are, and judge again"
    else:
        step = f"write {more:,} more training rows, and judge again before you write the rest"
    return Advice("fine-tune", because, (reach, *best_of_each_way(facts)), (step,))


def _flat(facts: Facts, curve: Curve, trained: Scored) -> Advice:
    """More data would bring nothing: a larger base where training is ahead, else the prompt."""
    (before, _), (rows, _) = curve.points[-2:]
    prompted = facts.best(["prompted"])
    because = f"more data is not the way: from {before:,} to {rows:,} training rows it was {told_gain(curve.last_step)}"
    if prompted is None or is_better(facts.gain(prompted, trained)):
        step = "fine-tune a larger base model on the same rows"
        return Advice("fine-tune", because, best_of_each_way(facts), (step,))
    steps = ("work on the prompt: examples, the system text, texts that hold the answers (retrieval)",)
    return Advice("improve the prompt, or add retrieval first", because, best_of_each_way(facts), steps)


def _passes(facts: Facts, forecast: Forecast, prompted: Scored) -> bool:
    """Say whether twice the data would bring training past a prompt."""
    sign = 1 if facts.better == "high" else -1
    return sign * forecast.score.value > sign * prompted.score.value


def _trained(facts: Facts) -> Advice | None:
    """Without a curve: a trained model that is surely better than every prompt, but not good enough."""
    trained, prompted = facts.best(["trained"]), facts.best(["prompted"])
    if trained is None or (prompted is not None and not is_better(facts.gain(prompted, trained))):
        return None
    if prompted is None and not is_better(facts.gain(facts.echo, trained)):
        return None
    because = f"training helps, and not yet enough: {trained.label} is at {told(trained.score)}, {facts.wanted}"
    reasons = tuple(
        f"it has {told_gain(facts.gain(one, trained))} over {one.label}" for one in (prompted, facts.echo) if one
    )
    return Advice("fine-tune", because, reasons, ("see what more data would bring: learning_curve in the recipe",))


def _prompted(facts: Facts) -> Advice:
    """All prompts miss, and no training did better."""
    best = facts.best(["prompted"])
    if best is None:
        return _nothing_helps(facts)
    because = f"{best.label} is the best prompt, at {told(best.score)}; {facts.wanted}"
    shot = [one for one in facts.candidates if one.way == "prompted" and one.shots]
    if facts.nearest is not None and is_better(facts.gain(best, facts.nearest)):
        return _rows_hold_the_answers(facts, because, best, facts.nearest)
    if not shot:
        steps = ("add examples: prompts: [zero-shot, {shots: 3}, {shots: 8}]",)
        reasons = ("only zero-shot was asked, and examples cost no training",)
        return Advice("improve the prompt, or add retrieval first", because, reasons, steps)
    helped = [one for one in shot if one.over_zero_shot and is_better(one.over_zero_shot)]
    if helped:
        return _examples_help(facts, because, max(helped, key=lambda one: one.over_zero_shot.value))  # type: ignore[union-attr]
    return _examples_do_not_help(facts, because, shot)


def _rows_hold_the_answers(facts: Facts, because: str, best: Scored, nearest: Scored) -> Advice:
    said = (
        f"the answer of the most similar training question, as it stands, reaches {told(nearest.score)}:"
        f" {told_gain(facts.gain(best, nearest))} over {best.label}"
    )
    steps = ("give the model, with each question, the most similar training rows (retrieval), then ask again",)
    return Advice("improve the prompt, or add retrieval first", because, (said,), steps)


def _nothing_helps(facts: Facts) -> Advice:
    trained = facts.best(["trained"])
    assert trained is not None  # else another rule has spoken
    because = (
        f"{trained.label} was trained and is not surely better than echo: {told_gain(facts.gain(facts.echo, trained))}"
    )
    step = "look at its worst answers and its training: hanpuri runs show"
    return Advice("it cannot be told yet", because, (), (step,))


def _examples_help(facts: Facts, because: str, one: Scored) -> Advice:
    assert one.over_zero_shot is not None
    gap = abs(facts.good_enough - one.score.value)
    said = f"{one.shots} examples bring {told_gain(one.over_zero_shot)} to {one.label}; {gap:.3f} are missing"
    if gap <= one.over_zero_shot.value:
        steps = (
            "give more examples, or for each question the most similar ones (retrieval over the training rows)",
            "say in the system text what an answer must hold",
        )
        return Advice("improve the prompt, or add retrieval first", because, (said,), steps)
    return _train_or_write_rows(facts, because, (said, "what is missing is more than examples brought"))


def _examples_do_not_help(facts: Facts, because: str, shot: Sequence[Scored]) -> Advice:
    gains = [one.over_zero_shot for one in shot if one.over_zero_shot]
    best = max(gains, key=lambda gain: gain.value, default=None)
    reasons = (f"examples bring nothing that is sure: {told_gain(best)} at best",) if best else ()
    known = facts.data.known_words
    if known is not None and known < FEW_KNOWN_WORDS:
        facts_needed = f"of the answers' words only {known:.0%} stand in their questions: they may need facts"
        found = share_of(facts.data.num_answers_in_training, facts.data.num_test)
        there = f"{found} answers stand word for word among the training rows"
        steps = ("give the model the texts that hold the answers (retrieval), then ask again",)
        return Advice("improve the prompt, or add retrieval first", because, (*reasons, facts_needed, there), steps)
    return _train_or_write_rows(facts, because, reasons)


def _train_or_write_rows(facts: Facts, because: str, reasons: tuple[str, ...]) -> Advice:
    """A training is the way left; it needs rows."""
    trained, prompted = facts.best(["trained"]), facts.best(["prompted"])
    if trained is not None and prompted is not None:
        return _beside_training(because, reasons, trained, facts.gain(prompted, trained))
    num_train = facts.data.num_train or 0
    if num_train < MIN_TRAIN_ROWS:
        said = f"{num_train:,} training rows are too few to fine-tune on"
        return Advice("the data is not ready", because, (*reasons, said), (f"write {MIN_TRAIN_ROWS} rows at least",))
    said = f"there are {num_train:,} training rows"
    step = "train on 10, 30 and 100 % of them, to see how far it goes: learning_curve in the recipe"
    return Advice("fine-tune", because, (*reasons, said), (step,))


def _beside_training(because: str, reasons: tuple[str, ...], trained: Scored, gain: Difference) -> Advice:
    """A training was tried, and is not surely better than the best prompt."""
    if gain.significant():
        said = f"{trained.label} was trained and is behind it: {told_gain(gain)}"
        steps = ("work on the prompt", "look at the training: hanpuri runs show")
        return Advice("improve the prompt, or add retrieval first", because, (*reasons, said), steps)
    said = f"{trained.label} was trained and is not surely better: {told_gain(gain)}"
    return Advice("the data is not ready", because, (*reasons, said), (rows_to_tell_apart(gain),))
