"""
The stages that rounds are made of: one class a stage, one sentence a field.

In: `{stage: dpo, mix: {mistakes: 0.7, earlier_pairs: 0.3}, training: {…}}` in a file. Out: a DpoStage, frozen.

A training stage has the sections of its own kind's recipe; model and data come from the rounds. `mix` says what is
learnt from, and each source's share: names of what the round has made, or paths of files:

    prompts  samples  earlier_prompts  earlier_samples     rows for sft; prompts alone for grpo and rloo
    mistakes  scores  judge  earlier_pairs                 pairs for reward and dpo
"""

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from hanpuri.data.files.formats import nearest
from hanpuri.data.recipe import ExampleSettings
from hanpuri.recipe import Settings
from hanpuri.training.recipe import (
    AdapterSettings,
    AskSettings,
    DpoSettings,
    HackingSettings,
    OptimizationSettings,
    RewardTermSettings,
    SamplingSettings,
    WatchSettings,
)
from hanpuri.training.recipe.reinforcement import GrpoSettings, RlooSettings

PROMPTS, SAMPLES, MISTAKES, SCORES, JUDGE = "prompts", "samples", "mistakes", "scores", "judge"
EARLIER_PROMPTS, EARLIER_SAMPLES, EARLIER_PAIRS = "earlier_prompts", "earlier_samples", "earlier_pairs"
ROW_SOURCES = (PROMPTS, SAMPLES, EARLIER_PROMPTS, EARLIER_SAMPLES)
PAIR_SOURCES = (MISTAKES, SCORES, JUDGE, EARLIER_PAIRS)
STAGES = ("reward", "sample", "sft", "dpo", "grpo", "rloo")


def _read_mix(told: Any) -> Any:
    """One source may stand for itself, and several without weights count the same."""
    if isinstance(told, str):
        return {told: 1.0}
    return dict.fromkeys(told, 1.0) if isinstance(told, list) else told


def _read_term(told: Any) -> Any:
    """Read a term as it is written on the command line, such as "model:reward*0.5"."""
    from hanpuri.errors import RecipeError
    from hanpuri.preferences.rewards import parse_term

    if not isinstance(told, str):
        return told
    try:
        return parse_term(told)
    except RecipeError as error:
        raise ValueError(error.message.partition(" (found ")[0]) from None


def _check_stage(told: Any) -> Any:
    name = told.get("stage") if isinstance(told, dict) else told
    if isinstance(told, dict) and name not in STAGES:
        guess = nearest(str(name), STAGES)
        expected = f"did you mean {guess}?" if guess else f"expected one of {', '.join(STAGES)}"
        raise ValueError(f"there is no stage {name}, {expected}")
    return told


def is_path(name: str) -> bool:
    """
    Tell a path from the name of something that a round makes.

        >>> is_path("pairs.jsonl"), is_path("runs/reward"), is_path("earlier_pairs")
        (True, True, False)
    """
    return "/" in name or "." in name


Weight = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Mix = Annotated[dict[str, Weight], BeforeValidator(_read_mix)]
Terms = tuple[Annotated[RewardTermSettings, BeforeValidator(_read_term)], ...]


class Stage(Settings):
    """What all stages share."""

    stage: str
    name: str = Field(default="", description="Its folder; as the stage is called, if not given.")

    @property
    def title(self) -> str:
        """What its folder and the table call it."""
        return self.name or self.stage


class DrawSettings(Settings):
    """How answers are drawn."""

    samples: int = Field(default=8, ge=1, description="Answers to one prompt.")
    asked: int | None = Field(default=None, ge=1, description="Ask so many of the round's rows; null asks all.")
    temperature: float = Field(default=0.8, ge=0, description="0 takes the likeliest token; 1 draws freely.")
    top_p: float = Field(default=1.0, gt=0, le=1, description="Draw from the likeliest tokens of this share.")
    top_k: int = Field(default=0, ge=0, description="Draw from so many of the likeliest tokens; 0 is all.")
    max_new_tokens: int | None = Field(
        default=None, ge=1, description="Tokens of an answer at most; as evaluation takes them, if not given."
    )
    batch_size: int = Field(default=16, ge=1, description="Answers written at once.")


class SampleStage(Stage, DrawSettings):
    """Rejection sampling: several answers to each prompt of the round, scored; the best are kept."""

    stage: Literal["sample"]
    score: Terms = Field(description="The weighted sum that says which is best; `model: reward` is this round's.")
    above: float | None = Field(default=None, description="Keep an answer from this score on; null keeps every best.")
    min_gain: float = Field(
        default=0.0, ge=0, description="Keep an answer only if it is better by so much than the likeliest one."
    )
    engine: Literal["transformers", "vllm"] = Field(default="transformers", description="What answers.")

    @field_validator("score")
    @classmethod
    def _check_some(cls, score: tuple[RewardTermSettings, ...]) -> tuple[RewardTermSettings, ...]:
        if not score:
            raise ValueError("score is empty: name one or more, such as char_accuracy")
        return score


class TrainingStage(Stage):
    """What training stages share."""

    SOURCES: ClassVar[tuple[str, ...]] = ()
    """Names that its `mix` may have besides files."""
    mix: Mix
    validation_share: float = Field(
        default=0.05, ge=0, lt=0.5, description="Share of its rows that the stage is watched by; not the held-out ones."
    )
    repeat: float = Field(
        default=2.0, ge=1, le=100, description="How often a row may stand in a mix whose share is too large for it."
    )
    rows: int | None = Field(default=None, ge=1, description="Train on so many rows only, drawn by the seed.")
    training: OptimizationSettings
    watch: WatchSettings = WatchSettings()

    @field_validator("mix")
    @classmethod
    def _check_mix(cls, mix: dict[str, float]) -> dict[str, float]:
        if not mix:
            raise ValueError(f"mix is empty: name a source, such as {cls.SOURCES[0]}")
        for source in mix:
            if source in cls.SOURCES or is_path(source):
                continue
            guess = nearest(source, cls.SOURCES)
            expected = f"did you mean {guess}?" if guess else f"expected {', '.join(cls.SOURCES)} or a file"
            raise ValueError(f"there is no source {source}, {expected}")
        return mix


class PolicyStage(TrainingStage):
    """A stage that trains the model itself, which the next stage goes on with."""

    begin: Literal["last", "first"] = Field(
        default="last", description="Go on with the model as it stands; or with the one that the rounds began with."
    )


class SftStage(PolicyStage):
    """Fine-tuning on right answers: the prompts' own, or the best samples."""

    SOURCES: ClassVar = ROW_SOURCES
    stage: Literal["sft"]
    mix: Mix = Field(default={PROMPTS: 1.0}, description="prompts, samples, earlier_prompts, earlier_samples, files.")
    examples: ExampleSettings = ExampleSettings()
    packing: bool = Field(default=False, description="Lay several rows into one sequence; none sees another.")


class PairStage(TrainingStage):
    """What stages share that learn from pairs."""

    SOURCES: ClassVar = PAIR_SOURCES
    mix: Mix = Field(default={MISTAKES: 1.0}, description="mistakes, scores, judge, earlier_pairs, files.")
    mistakes: DrawSettings = Field(
        default=DrawSettings(samples=1, temperature=0.0), description="How mistakes are drawn: 0 takes the usual ones."
    )
    margin: float = Field(default=0.05, ge=0, description="Of `scores`: what the better must be better by.")
    judge: Path | None = Field(default=None, description="A recipe of `kind: judge`, for the source judge.")
    examples: AskSettings = AskSettings()

    @model_validator(mode="after")
    def _check_judge(self) -> Self:
        if JUDGE in self.mix and self.judge is None:
            raise ValueError("mix names judge: give the recipe of one, judge: judge.yaml")
        return self


class RewardStage(PairStage):
    """A reward model of the round."""

    stage: Literal["reward"]
    path: str | None = Field(default=None, description="What it begins with; model.path, if not given.")
    adapter: AdapterSettings | None = Field(default=None, description="LoRA; null trains all weights.")
    center: float | None = Field(default=0.01, gt=0, description="Pull of rewards to zero; null is none.")


class DpoStage(PairStage, PolicyStage):
    """Direct preference optimisation; the reference is the model as it stands before the stage."""

    stage: Literal["dpo"]
    dpo: DpoSettings = DpoSettings()

    @model_validator(mode="after")
    def _check_reference(self) -> Self:
        if self.dpo.reference:
            raise ValueError("the reference of a round is the model before the stage, take dpo.reference out")
        return self


class ReinforcementStage(PolicyStage):
    """What GRPO and RLOO share."""

    SOURCES: ClassVar = (PROMPTS, EARLIER_PROMPTS)
    mix: Mix = Field(default={PROMPTS: 1.0}, description="prompts, earlier_prompts, files.")
    examples: AskSettings = AskSettings()
    sampling: SamplingSettings = SamplingSettings()
    rewards: Terms = Field(description="Their weighted sum is what is learnt; `model: reward` is this round's.")
    hacking: HackingSettings = HackingSettings()


class GrpoStage(ReinforcementStage):
    """Group relative policy optimisation."""

    stage: Literal["grpo"]
    grpo: GrpoSettings = GrpoSettings()


class RlooStage(ReinforcementStage):
    """REINFORCE leave-one-out."""

    stage: Literal["rloo"]
    rloo: RlooSettings = RlooSettings()


AnyStage = Annotated[
    RewardStage | SampleStage | SftStage | DpoStage | GrpoStage | RlooStage,
    Field(discriminator="stage"),
    BeforeValidator(_check_stage),
]
"""One stage, told by its `stage`."""


def terms_of(stage: Stage) -> tuple[RewardTermSettings, ...]:
    """Give what answers are scored by in a stage; nothing where none are."""
    if isinstance(stage, SampleStage):
        return stage.score
    return stage.rewards if isinstance(stage, ReinforcementStage) else ()


def reward_stage(term: RewardTermSettings, stages: list[Stage] | tuple[Stage, ...]) -> RewardStage | None:
    """Find the stage whose reward model a term means."""
    found = (one for one in stages if isinstance(one, RewardStage) and one.title == term.model)
    return next(found, None)
