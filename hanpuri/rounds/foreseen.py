"""
What a call would do, step by step, before anything is done: `hanpuri train ROUNDS --dry-run`.

In: a RoundsRecipe and its folder. Out: a Foreseen a step:

    round-1/sft   train on prompts and samples   done again: training.steps 100 → 200
    round-1/dpo   train on mistakes              behind it

What comes behind a step that is yet to be done hangs on what it makes; if that is the same to the byte, nothing behind
it is done again. Later rounds begin, as far as can be told before, with the model of the round before them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hanpuri.rounds.ledger import Inputs, Ledger, hash_of
from hanpuri.rounds.outcome import RoundResult, best_round, no_better, read_score
from hanpuri.rounds.plan import SCORE_FILE, Plan, Policy, Step, plan_round, plan_start
from hanpuri.rounds.recipe import RoundsRecipe
from hanpuri.rounds.stages import SampleStage

WHAT = {"held_out": "the rows that models are scored by", "prompts": "the rows of the round"}


@dataclass(frozen=True)
class Foreseen:
    """One step, and what a call would do about it."""

    name: str
    what: str
    state: str
    """done, begun, changed, new, or behind."""
    why: str = ""

    @property
    def told(self) -> str:
        """
        Say it for a table.

            >>> Foreseen("round-1/sft", "", "changed", "training.steps 100 → 200").told
            'done again: training.steps 100 → 200'
        """
        words = {"done": "unchanged", "begun": "goes on", "new": "to do", "behind": "behind what is to do"}
        return f"done again: {self.why}" if self.state == "changed" else words[self.state]

    def as_dict(self) -> dict[str, str]:
        """Give it for JSON."""
        return {"step": self.name, "what": self.what, "state": self.state, **({"why": self.why} if self.why else {})}


def foresee(recipe: RoundsRecipe, folder: Path) -> list[Foreseen]:
    """
    Say what would be done about each step of all rounds.

    Raises:
        DataError: if the file of a step cannot be read.
    """
    ledger = Ledger(folder)
    found: list[Foreseen] = []
    rounds: list[RoundResult] = []
    plan = plan_start(recipe, folder)
    while True:
        found += _look(plan, ledger, waiting=any(one.state != "done" for one in found))
        waits = any(one.state != "done" for one in found)
        if not waits:
            rounds.append(_result(plan, folder, recipe))
            if no_better(recipe, rounds):
                return found
        if plan.number == recipe.rounds:
            return found
        plan = plan_round(recipe, folder, plan.number + 1, _begins(recipe, rounds, plan, waits=waits))


def _begins(recipe: RoundsRecipe, rounds: list[RoundResult], plan: Plan, *, waits: bool) -> Policy:
    return best_round(recipe, rounds).policy if recipe.go_on_from == "best" and not waits else plan.end


def _look(plan: Plan, ledger: Ledger, *, waiting: bool) -> Iterator[Foreseen]:
    behind = waiting
    made = {ledger.folder / step.name for step in plan.steps}
    for step in plan.steps:
        state, why = "behind", ""
        reads = {name: hash_of(path) for name, path in step.reads.items()}
        if not behind or not _hangs(step, made):
            look = ledger.look(step.name, Inputs(step.settings, {name: one or "" for name, one in reads.items()}))
            state, why = look.state, look.why
            behind = behind or state != "done"
        yield Foreseen(step.name, describe(step), state, why)


def _hangs(step: Step, made: set[Path]) -> bool:
    """Say whether a step reads what another step makes."""
    return any(parent in made for path in step.reads.values() for parent in path.parents) or step.round > 1


def describe(step: Step) -> str:
    """Say in a few words what a step does."""
    if step.work == "score":
        return "score the model on held-out rows"
    if step.work == "sample" and isinstance(step.stage, SampleStage):
        return f"{step.stage.samples} answers to each row, the best kept"
    if step.work == "pairs":
        return f"pairs: {' and '.join(step.settings['mix'])}"
    if step.work == "train" and step.stage is not None:
        return f"{step.stage.stage} on {', '.join(step.weights)}"
    return WHAT[step.work]


def _result(plan: Plan, folder: Path, recipe: RoundsRecipe) -> RoundResult:
    scored = [step for step in plan.steps if step.work == "score"]
    return RoundResult(
        plan.number,
        plan.end,
        tuple(
            read_score(
                folder / step.name / SCORE_FILE,
                step.name.rpartition("/")[2].removesuffix("-score"),
                recipe.measure,
            )
            for step in scored
        ),
    )
