"""
A recipe ─► candidates that were asked ─► a verdict, in a folder of its own.

In: a VerdictRecipe. Out: a Verdict, and with `page.save` what stands in the folder:

    verdicts/faq/
    ├── recipe.yaml       what was asked, every default spelled out
    ├── verdict.json      facts, scores, differences, the advice
    ├── verdict.html      the same for people, with plots
    ├── answers/          a file of answers for each candidate: the same command goes on from there
    └── runs/             the models of the learning curve, if it trains them

What can be refused is refused before anybody is asked: rows without answers, too few examples, a broken recipe.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

from hanpuri.errors import DataError, RecipeError
from hanpuri.evaluation.metrics import MEASURES
from hanpuri.evaluation.metrics.tallies import Tally
from hanpuri.evaluation.significance import Difference
from hanpuri.evaluation.verdict.advice import Advice, advise
from hanpuri.evaluation.verdict.candidates import Asked, Outcome, ask_all, check_shots, list_asked
from hanpuri.evaluation.verdict.facts import WAYS, Curve, Facts, Scored
from hanpuri.evaluation.verdict.learning_curve import TrainedPoint, fit_curve, gain_of
from hanpuri.evaluation.verdict.material import Material, read_material
from hanpuri.evaluation.verdict.recipe import ECHO, TrainRowsSettings, VerdictRecipe
from hanpuri.evaluation.verdict.training import read_curve_recipe, train_curve
from hanpuri.recipe import dump_recipe
from hanpuri.runs.files import write_whole

Report = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Verdict:
    """What was found, and what to do."""

    recipe: VerdictRecipe
    folder: Path
    material: Material
    outcomes: tuple[Outcome, ...]
    """Echo's first."""
    facts: Facts
    advice: Advice

    @property
    def best(self) -> Scored:
        """The candidate with the best score; echo, if no other answered."""
        return self.facts.best() or self.facts.echo

    def over(self, label: str, first: str) -> Difference | None:
        """What a candidate has over another one, above 0 if it is better; None if one of them did not answer."""
        return self.facts.gains.get((first, label))

    def as_dict(self) -> dict[str, Any]:
        """Give it as JSON has it."""
        facts, rows = self.facts, self.material.row_set
        return {
            "name": self.recipe.name,
            "folder": str(self.folder),
            "advice": self.advice.as_dict(),
            "measure": facts.measure,
            "better": facts.better,
            "good_enough": facts.good_enough,
            "rows": {"path": str(rows.path), "sha256": rows.sha256, "form": rows.form, "asked": len(rows.rows)},
            "data": asdict(facts.data),
            "currency": self.recipe.price.currency,
            "candidates": [self._as_dict(outcome) for outcome in self.outcomes],
            "curve": facts.curve.as_dict() if facts.curve else None,
        }

    def _as_dict(self, outcome: Outcome) -> dict[str, Any]:
        asked, found = outcome.asked, outcome.evaluation
        told: dict[str, Any] = {"label": asked.label, "engine": asked.settings.name, "way": asked.way}
        if found is None:
            return {**told, "failure": outcome.failure}
        differences = {"over_echo": self.over(asked.label, ECHO), "over_best": self.over(asked.label, self.best.label)}
        return {
            **told,
            "shots": outcome.shots,
            "shots_wanted": asked.shots,
            "train_rows": asked.num_train,
            "score": asdict(found.scores[self.facts.measure]),
            **{name: asdict(gain) if gain else None for name, gain in differences.items()},
            "seconds": outcome.seconds,
            "price_per_1000": outcome.price,
            "rows_failed": found.num_failed,
            "copied": _value(outcome, "copied"),
            "wrong_length": _value(outcome, "wrong_length"),
            "prompt": outcome.prompt,
            "first_answer": found.answers[0].text,
        }


def look_ahead(recipe: VerdictRecipe) -> tuple[Material, tuple[Asked, ...]]:
    """
    Do what `judge` does before anybody is asked: the rows and what is wrong with them, and who would be asked.

    Raises:
        DataError, ModelError, RecipeError: as `judge`.
    """
    recipe = with_train_rows(recipe)
    material = read_material(recipe)
    check_shots(recipe, material)
    return material, list_asked(recipe, material)


def judge(recipe: VerdictRecipe, folder: Path, *, report: Report = lambda *_: None) -> Verdict:
    """
    Ask all candidates, and say what to do.

    Args:
        recipe: who is asked what.
        folder: the verdict's own.
        report: is told who is asked and how many rows of how many are done; of a training its steps.

    Raises:
        DataError: if the rows cannot be read, have no answers, or are too few for the examples.
        ModelError: if a model of the learning curve cannot be trained.
        RecipeError: if its recipe is broken.
    """
    material, _ = look_ahead(recipe)
    _begin(recipe, folder)
    curve = recipe.learning_curve
    runs = train_curve(curve, folder / "runs", report=report) if curve else ()
    outcomes = ask_all(list_asked(recipe, material, runs), recipe, material, folder, report=report)
    facts = gather_facts(recipe, material, outcomes)
    return Verdict(recipe, folder, material, outcomes, facts, advise(facts))


def with_train_rows(recipe: VerdictRecipe) -> VerdictRecipe:
    """Take the rows that the curve's recipe trains on, where the verdict names none: leaks are looked for there."""
    if recipe.learning_curve is None:
        return recipe
    trained = read_curve_recipe(recipe.learning_curve)
    if trained is None or recipe.train_rows is not None:
        return recipe
    if trained.data.path is None:
        found = f"{recipe.learning_curve.recipe}: found a mix of {len(trained.data.sources)} sources"
        raise RecipeError(f"{found}, expected one path to look for leaks in", "say where: train_rows.path")
    rows = TrainRowsSettings(path=trained.data.path, form=trained.data.form, fields=trained.data.fields)
    return recipe.model_copy(update={"train_rows": rows})


def gather_facts(recipe: VerdictRecipe, material: Material, outcomes: Sequence[Outcome]) -> Facts:
    """Reckon all that the advice hangs on."""
    measure = MEASURES[recipe.measure]
    answered = [outcome for outcome in outcomes if outcome.evaluation is not None]
    tallies = {outcome.asked.label: _tally(outcome, recipe.measure) for outcome in answered}
    gains: dict[tuple[str, str], Difference] = {}
    for first, second in combinations(tallies, 2):
        gain = gain_of(measure, tallies[first], tallies[second], seed=recipe.seed)
        gains[first, second] = gain
        gains[second, first] = replace(gain, value=-gain.value, low=-gain.high, high=-gain.low)
    scored = [_scored(outcome, answered, gains, recipe.measure) for outcome in answered]
    unavailable = tuple((one.asked.label, one.failure) for one in outcomes if one.evaluation is None)
    curve = _curve(recipe, answered)
    return Facts(
        recipe.measure,
        measure.better,
        recipe.good_enough,
        scored[0],
        tuple(one for one in scored if one.way in WAYS),
        gains,
        material.facts,
        unavailable,
        curve,
        next((one for one in scored if one.way == "nearest"), None),
    )


def _scored(
    outcome: Outcome, answered: Sequence[Outcome], gains: dict[tuple[str, str], Difference], measure: str
) -> Scored:
    asked, found = outcome.asked, outcome.evaluation
    assert found is not None
    bare = [one.asked.label for one in answered if one.asked.candidate == asked.candidate and not one.asked.shots]
    return Scored(
        asked.label,
        asked.way,
        found.scores[measure],
        outcome.shots,
        gains.get((bare[0], asked.label)) if bare and outcome.shots else None,
        _value(outcome, "copied") or 0.0,
        outcome.price,
        outcome.seconds or 0.0,
        found.num_failed,
    )


def _curve(recipe: VerdictRecipe, answered: Sequence[Outcome]) -> Curve | None:
    """Lay the curve; None if fewer than two of its models answered."""
    points = [
        TrainedPoint(outcome.asked.num_train, _tally(outcome, recipe.measure))
        for outcome in answered
        if outcome.asked.num_train is not None
    ]
    if len(points) < 2:
        return None
    return fit_curve(points, MEASURES[recipe.measure], recipe.good_enough, seed=recipe.seed)


def _tally(outcome: Outcome, measure: str) -> Tally:
    assert outcome.evaluation is not None
    return outcome.evaluation.tallies[measure]


def _value(outcome: Outcome, measure: str) -> float | None:
    assert outcome.evaluation is not None
    found = outcome.evaluation.scores.get(measure)
    return found.value if found else None


def _begin(recipe: VerdictRecipe, folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / "recipe.yaml", dump_recipe(recipe))
    except OSError as error:
        raise DataError(f"{folder} cannot be written: {error.strerror}", "give another folder with --out") from None
