"""
A recipe ─► the steps of a round, in order: what each asks or trains, what it reads, where it writes.

In: a RoundsRecipe, the number of the round and the model that it begins with. Out: its Steps:

    round-1/prompts       the rows of the round
    round-1/reward-pairs  mistakes of the model on these rows
    round-1/reward        ─► a reward model
    round-1/sample        eight answers to each row, scored; the best of them
    round-1/sft           ─► runs/…/round-1/sft/adapter, which is the model from here on
    round-1/sft-score     its held-out score
    …

A model that learns goes on with the adapter that it has, on the base that all rounds share. Merging it in between
would round its weights to the base's numbers each time, could not be done to a base in 4 bits, and would fill the disk
with whole models; and beside an adapter the reference of DPO is a small copy: the model as it was before the stage.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from hanpuri.rounds.recipe import RoundsRecipe
from hanpuri.rounds.stages import (
    JUDGE,
    MISTAKES,
    PROMPTS,
    SAMPLES,
    SCORES,
    PairStage,
    PolicyStage,
    RewardStage,
    SampleStage,
    Stage,
    TrainingStage,
    reward_stage,
    terms_of,
)

Work = Literal["held_out", "prompts", "pairs", "sample", "train", "score"]
HELD_OUT, START = "held-out", "round-0"
ROWS_FILE, PROMPTS_FILE, SAMPLES_FILE, BEST_FILE, SCORE_FILE = (
    "rows.jsonl",
    "prompts.jsonl",
    "samples.jsonl",
    "best.jsonl",
    "score.json",
)
OF_ROUND = " of round "
WITHOUT_RESULT = {"watch": {"trackers", "project", "keep"}}
"""Settings of a stage that do not change what comes of it."""


@dataclass(frozen=True)
class Policy:
    """The model as it stands."""

    base: str
    adapter: Path | None = None
    """None of a whole model."""

    @property
    def place(self) -> str:
        """What an engine loads."""
        return str(self.adapter or self.base)


@dataclass(frozen=True)
class Step:
    """One piece of work."""

    name: str
    """As its folder is called in that of the rounds: round-1/sft."""
    work: Work
    round: int
    policy: Policy
    """The model that it asks, or goes on training."""
    stage: Stage | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What its result hangs on besides what it reads, as JSON has it."""
    reads: Mapping[str, Path] = field(default_factory=dict)
    """Files and models of other steps, or from outside, by name."""
    weights: Mapping[str, float] = field(default_factory=dict)
    """Of those of `reads` that it learns from."""


@dataclass(frozen=True)
class Plan:
    """The steps of one round, and the model at its end, as far as it can be told before."""

    number: int
    steps: tuple[Step, ...]
    end: Policy


def plan_start(recipe: RoundsRecipe, folder: Path) -> Plan:
    """Plan what comes before the first round: the rows that are held out, and the score of the model as it is."""
    start = start_policy(recipe)
    told = recipe.held_out
    chosen = {"form", "fields", "rows", "longest"}
    kept = _json(recipe, include={"held_out": chosen, "prompts": chosen, "seed": True})
    reads = {"held-out rows": rows_file(told.path, told.split), "prompts": rows_file(recipe.prompts.path)}
    first = Step(HELD_OUT, "held_out", 0, start, settings=kept, reads=reads)
    return Plan(0, (first, _score(recipe, folder, f"{START}/score", 0, start)), start)


def plan_round(recipe: RoundsRecipe, folder: Path, number: int, start: Policy) -> Plan:
    """Plan one round, counted from 1, that begins with a model."""
    return _Planner(recipe, folder, number, start).plan()


def start_policy(recipe: RoundsRecipe) -> Policy:
    """Give the model that the first round begins with."""
    return Policy(recipe.model.path, Path(recipe.model.adapter) if recipe.model.adapter else None)


def after_training(recipe: RoundsRecipe, run: Path, policy: Policy) -> Policy:
    """Give the model that a run leaves: another adapter on the same base, or another whole model."""
    if recipe.adapter or recipe.model.adapter:
        return Policy(policy.base, run / "adapter")
    return Policy(str(run / "model"))


class _Planner:
    """Lays out one round, stage by stage."""

    def __init__(self, recipe: RoundsRecipe, folder: Path, number: int, start: Policy) -> None:
        self.recipe, self.folder, self.number, self.policy = recipe, folder, number, start
        self.steps: list[Step] = []
        self.sampled: str | None = None  # the stage whose samples stand last

    def plan(self) -> Plan:
        settings = {**_json(self.recipe.prompts, exclude={"path"}), "seed": self.recipe.seed, "round": self.number}
        self._add(PROMPTS, "prompts", settings=settings, reads={"prompts": rows_file(self.recipe.prompts.path)})
        for stage in self.recipe.stages:
            if isinstance(stage, SampleStage):
                self._add_sampling(stage)
            elif isinstance(stage, TrainingStage):
                self._add_training(stage)
        return Plan(self.number, tuple(self.steps), self.policy)

    def _add(self, name: str, work: Work, **parts: Any) -> None:
        policy = parts.pop("policy", self.policy)
        self.steps.append(Step(f"round-{self.number}/{name}", work, self.number, policy, **parts))

    def _place(self, name: str, file: str = "", number: int | None = None) -> Path:
        return self.folder / f"round-{number or self.number}" / name / file

    def _add_sampling(self, stage: SampleStage) -> None:
        reads = {PROMPTS: self._place(PROMPTS, PROMPTS_FILE), **_models(self.policy), **self._scored_by(stage)}
        self._add(stage.title, "sample", stage=stage, settings=self._settings(stage, "batch_size"), reads=reads)
        self.sampled = stage.title

    def _add_training(self, stage: TrainingStage) -> None:
        if isinstance(stage, PairStage) and {MISTAKES, SCORES, JUDGE} & stage.mix.keys():
            self._add_pairs(stage)
        begins = self._begins(stage)
        data = dict(self._sources(stage))
        weights = {name: weight for name, (_, weight) in data.items()}
        reads = {**{name: path for name, (path, _) in data.items()}, **_models(begins), **self._scored_by(stage)}
        settings = self._settings(stage, "mistakes", "margin", "judge", "begin", "path", seed=self.recipe.seed)
        if isinstance(stage, PolicyStage) and begins.adapter is None and self.recipe.adapter:
            settings["adapter"] = _json(self.recipe.adapter)  # an adapter that goes on says itself what it looks like
        self._add(stage.title, "train", stage=stage, settings=settings, reads=reads, weights=weights, policy=begins)
        if isinstance(stage, PolicyStage):
            self.policy = after_training(self.recipe, self._place(stage.title), begins)
            name = f"round-{self.number}/{stage.title}-score"
            self.steps.append(_score(self.recipe, self.folder, name, self.number, self.policy))

    def _add_pairs(self, stage: PairStage) -> None:
        """Make what pairs the round itself gives, a file a source."""
        kept = {"mix", "mistakes", "margin"}
        settings = {**_json(stage, include=kept), "seed": self.recipe.seed, "round": self.number}
        settings["mix"] = sorted({MISTAKES, SCORES, JUDGE} & stage.mix.keys())
        settings["mistakes"].pop("batch_size")
        reads: dict[str, Path] = {}
        if MISTAKES in stage.mix:
            reads |= {PROMPTS: self._place(PROMPTS, PROMPTS_FILE), **_models(self.policy)}
        if {SCORES, JUDGE} & stage.mix.keys():
            reads[SAMPLES] = self._place(str(self.sampled), SAMPLES_FILE)
        if stage.judge and JUDGE in stage.mix:
            from hanpuri.preferences.judge.recipe import read_judge

            rubric = read_judge(stage.judge).rubric_file
            reads |= {JUDGE: stage.judge, **({"rubric": rubric} if rubric else {})}
        self._add(pairs_of(stage), "pairs", stage=stage, settings=settings, reads=reads)

    def _begins(self, stage: TrainingStage) -> Policy:
        if isinstance(stage, RewardStage):
            return Policy(stage.path or self.recipe.model.path)
        assert isinstance(stage, PolicyStage)
        return start_policy(self.recipe) if stage.begin == "first" else self.policy

    def _sources(self, stage: TrainingStage) -> Sequence[tuple[str, tuple[Path, float]]]:
        """Give the files that a stage learns from, by name, with the weight of each."""
        found: list[tuple[str, tuple[Path, float]]] = []
        for source, weight in stage.mix.items():
            places = self._files(stage, source)
            found += [(name, (place, weight / len(places))) for name, place in places.items()]
        return found

    def _files(self, stage: TrainingStage, source: str) -> dict[str, Path]:
        """Find the files of one source: none in the first round for what earlier ones made."""
        earlier = [(number, f"{source}{OF_ROUND}{number}") for number in range(1, self.number)]
        match source:
            case "prompts":
                return {source: self._place(PROMPTS, PROMPTS_FILE)}
            case "samples":
                return {source: self._place(str(self.sampled), BEST_FILE)}
            case "mistakes" | "scores" | "judge":
                return {source: self._place(pairs_of(stage), f"{source}.jsonl")}
            case "earlier_prompts":
                return {name: self._place(PROMPTS, PROMPTS_FILE, number) for number, name in earlier}
            case "earlier_samples":
                # Of a stage that stands behind this one, too: in the rounds before, it is done.
                last = self.sampled or next(one.title for one in self.recipe.stages if isinstance(one, SampleStage))
                return {name: self._place(last, BEST_FILE, number) for number, name in earlier}
            case "earlier_pairs":
                made = sorted({MISTAKES, SCORES, JUDGE} & stage.mix.keys())
                pairs = [(number, f"{name}, {one}", f"{one}.jsonl") for number, name in earlier for one in made]
                return {name: self._place(pairs_of(stage), file, number) for number, name, file in pairs}
        return {source: rows_file(Path(source))}

    def _scored_by(self, stage: Stage) -> dict[str, Path]:
        """Give the reward models that answers are scored by, and the files of what else scores them."""
        found = {}
        for term in terms_of(stage):
            if (own := reward_stage(term, self.recipe.stages)) is not None:
                place = self._place(own.title, "model" if own.adapter is None else "adapter")
            elif term.model:
                place = weights_in(Path(term.model))
            elif term.function:
                place = Path(term.function.rpartition(":")[0])
            elif term.judge:
                place = term.judge
            else:
                continue
            found[f"reward {term.title}"] = place
        return found

    def _settings(self, stage: Stage, *left_out: str, **more: Any) -> dict[str, Any]:
        told = _json(stage, exclude={"name": True, **dict.fromkeys(left_out, True), **WITHOUT_RESULT})
        return {**told, **more, "round": self.number}


def pairs_of(stage: Stage) -> str:
    """Name the folder of the pairs that are made for a stage."""
    return f"{stage.title}-pairs"


def rows_file(path: Path, split: str = "train") -> Path:
    """Give the file of rows that a path means: of a prepared folder that of a split."""
    return path / f"{split}.parquet" if path.is_dir() else path


def weights_in(path: Path) -> Path:
    """Give the folder of weights that a path means: itself, or adapter/ or model/ of a run."""
    return next((path / name for name in ("adapter", "model") if (path / name).is_dir()), path)


def _score(recipe: RoundsRecipe, folder: Path, name: str, number: int, policy: Policy) -> Step:
    settings = {**_json(recipe, include={"measure", "seed"}), "max_new_tokens": recipe.held_out.max_new_tokens}
    reads = {"held-out rows": folder / HELD_OUT / ROWS_FILE, **_models(policy)}
    return Step(name, "score", number, policy, settings=settings, reads=reads)


def _models(policy: Policy) -> dict[str, Path]:
    """Give the folders of a model whose contents count."""
    base = Path(policy.base)
    if base.name != "model" or base.is_dir():  # one that a run has yet to make lies just there
        from hanpuri.training.loading.models import model_place

        base = model_place(policy.base)
    return {"model": base, **({"adapter": weights_in(policy.adapter)} if policy.adapter else {})}


def _json(settings: Any, **choice: Any) -> dict[str, Any]:
    return dict(settings.model_dump(mode="json", **choice))
