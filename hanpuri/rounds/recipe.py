"""
The recipe of rounds (`kind: rounds`): one class a section, one sentence a field.

In: `rounds: 6`, `stages: [{stage: reward, …}, {stage: sample, …}, {stage: sft, …}, {stage: dpo, …}]` in a file. Out: a
RoundsRecipe, frozen. What a stage may say stands in `stages`.
"""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from hanpuri.data.files.formats import nearest
from hanpuri.data.recipe import Form
from hanpuri.evaluation.metrics import ANSWERING, RESTORATION
from hanpuri.evaluation.metrics.measures import SEEN
from hanpuri.recipe import FolderName, Settings
from hanpuri.rounds.stages import (
    EARLIER_PAIRS,
    EARLIER_SAMPLES,
    JUDGE,
    MISTAKES,
    SAMPLES,
    SCORES,
    AnyStage,
    PolicyStage,
    RewardStage,
    SampleStage,
    Stage,
    TrainingStage,
    is_path,
    reward_stage,
    terms_of,
)
from hanpuri.training.recipe import AdapterSettings, Precision, QuantizationSettings, RewardTermSettings
from hanpuri.training.recipe.model import ModelSettings

DECIDING = tuple(name for name in dict.fromkeys((*RESTORATION, *ANSWERING)) if name not in SEEN)
"""Measures that can say which round is the best."""


class StartSettings(Settings):
    """The model that the first round begins with."""

    path: str = Field(description="A folder, a run's folder, or the name of a downloaded model of the hub.")
    adapter: str | None = Field(default=None, description="An adapter on it to go on with, or its run.")
    precision: Precision = Field(default="auto", description="What is computed in.")
    weights: Precision = Field(default="auto", description="What weights are held in.")
    attention: Literal["auto", "eager", "sdpa", "flash_attention_2"] = Field(
        default="auto", description="Which implementation of attention."
    )
    quantization: QuantizationSettings | None = Field(default=None, description="4 bits (QLoRA); null is none.")

    def held(self, path: str) -> ModelSettings:
        """Say how a model is loaded to learn: as this one is, from another folder."""
        kept = {name: getattr(self, name) for name in ("precision", "weights", "attention", "quantization")}
        return ModelSettings(path=path, **kept)


class PromptsSettings(Settings):
    """What is asked and learnt, dealt out over the rounds."""

    path: Path = Field(description="A file, or a folder that `prepare` made: its training rows.")
    form: Form | None = Field(default=None, description="What a row is, where its fields do not tell.")
    fields: dict[str, str] = Field(default={}, description="Our field: their column.")
    rows: int = Field(ge=1, description="Rows of a round; no row comes again until all were used.")
    longest: int | None = Field(
        default=None, ge=1, description="Leave out rows whose question or answer has more characters."
    )


class HeldOutSettings(Settings):
    """Rows that no round sees: every model is scored by them."""

    path: Path = Field(description="A file, or a folder that `prepare` made.")
    split: Literal["validation", "test"] = Field(default="validation", description="Which rows of such a folder.")
    form: Form | None = Field(default=None, description="What a row is, where its fields do not tell.")
    fields: dict[str, str] = Field(default={}, description="Our field: their column.")
    rows: int | None = Field(default=None, ge=1, description="So many, drawn by the seed; null takes all.")
    longest: int | None = Field(
        default=None, ge=1, description="Leave out rows whose question or answer has more characters."
    )
    max_new_tokens: int | None = Field(
        default=None, ge=1, description="Tokens of an answer at most; as evaluation takes them, if not given."
    )
    batch_size: int = Field(default=16, ge=1, description="Answers written at once.")
    to_read: int = Field(default=6, ge=0, description="Answers to read in the page, of the same rows each time.")


class StopSettings(Settings):
    """When to stop before the last round."""

    patience: int = Field(default=1, ge=1, description="Rounds in a row whose held-out score is no better.")
    min_gain: float = Field(default=0.0, ge=0, description="What counts as better.")


class RoundsRecipe(Settings):
    """Stages that are repeated."""

    kind: Literal["rounds"]
    name: FolderName = Field(description="The folder is runs/<name>.")
    seed: int = Field(default=0, ge=0, description="Decides which rows a round gets, what is drawn, and the trainings.")
    rounds: int = Field(ge=1, description="At most so many.")
    model: StartSettings
    adapter: AdapterSettings | None = Field(
        default=None, description="LoRA, where the model has none yet to go on with; null trains all weights."
    )
    prompts: PromptsSettings
    held_out: HeldOutSettings
    measure: str = Field(default="char_accuracy", description="What counts; see docs/evaluation.md.")
    stop: StopSettings | None = Field(default=StopSettings(), description="Null does all rounds.")
    go_on_from: Literal["best", "last"] = Field(
        default="best", description="Which round's model the next one begins with."
    )
    stages: tuple[AnyStage, ...] = Field(description="In the order in which a round does them.")

    @field_validator("measure")
    @classmethod
    def _check_measure(cls, measure: str) -> str:
        if measure not in DECIDING:
            guess = nearest(measure, DECIDING)
            raise ValueError(
                f"no such measure, {f'did you mean {guess}?' if guess else 'one of ' + ', '.join(DECIDING)}"
            )
        return measure

    @model_validator(mode="after")
    def _check_whole(self) -> Self:
        if self.adapter and (self.adapter.path or self.model.adapter):
            raise ValueError("an adapter that goes on stands in model.adapter alone, take `adapter` out")
        if self.model.quantization and not (self.adapter or self.model.adapter):
            raise ValueError("a model in 4 bits cannot learn by itself: give `adapter` or model.adapter")
        if not any(isinstance(stage, PolicyStage) for stage in self.stages):
            raise ValueError("no stage trains the model: add sft, dpo, grpo or rloo to `stages`")
        _check_stages(self.stages)
        return self


def _check_stages(stages: tuple[Stage, ...]) -> None:
    """See that each stage finds what it needs among those before it."""
    before: list[Stage] = []
    for stage in stages:
        if stage.title in {one.title for one in before}:
            raise ValueError(f"two stages are called {stage.title}, give one a name")
        if not stage.title.replace("-", "").replace("_", "").isalnum():
            raise ValueError(f"the stage {stage.title!r} gets a folder: name it with letters, digits, - and _")
        needed = stage.mix if isinstance(stage, TrainingStage) else {}
        sampled = any(isinstance(one, SampleStage) for one in before)
        if not sampled and (without := [name for name in (SAMPLES, SCORES, JUDGE) if name in needed]):
            raise ValueError(f"{stage.title} learns from {without[0]}, and no stage `sample` stands before it")
        if EARLIER_SAMPLES in needed and not any(isinstance(one, SampleStage) for one in stages):
            raise ValueError(f"{stage.title} learns from {EARLIER_SAMPLES}, and there is no stage `sample`")
        if EARLIER_PAIRS in needed and not {MISTAKES, SCORES, JUDGE} & needed.keys():
            raise ValueError(f"{stage.title} learns from earlier_pairs and makes none: add mistakes, scores or judge")
        if all(name.startswith("earlier_") for name in needed) and needed:
            raise ValueError(f"{stage.title} learns from earlier rounds alone, and the first has none")
        for term in terms_of(stage):
            _check_term(stage, term, before)
        before.append(stage)


def _check_term(stage: Stage, term: RewardTermSettings, before: list[Stage]) -> None:
    """A reward model is one of this round, or a folder; a name that is neither was meant for the first."""
    if term.model is None or reward_stage(term, before) or is_path(term.model):
        return
    there = [one.title for one in before if isinstance(one, RewardStage)]
    expected = f"expected {' or '.join(there)}, or a folder" if there else "no stage `reward` stands before it"
    raise ValueError(f"{stage.title} scores by the model {term.model}: {expected}")
