"""
The kinds that learn from answers of their own: `kind: grpo` and `kind: rloo`.

In: `rewards: [{measure: char_accuracy}, {model: runs/reward, weight: 0.5}]`, `sampling: {answers: 8}`. Out: a
GrpoRecipe or RlooRecipe, frozen.
"""

import re
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from hanpuri.recipe import Settings
from hanpuri.training.recipe.kinds import TrainRecipe
from hanpuri.training.recipe.material import RowsSettings
from hanpuri.training.recipe.preference import AskSettings
from hanpuri.training.recipe.steps import WatchSettings

RewardMeasure = Literal["char_accuracy", "exact_match", "token_f1", "same_length", "same_spacing"]
SOURCES = ("measure", "pattern", "longest", "model", "function", "judge")


class RewardTermSettings(Settings):
    """One part of the reward; what it is, is said by one of the fields."""

    weight: float = Field(
        default=1.0, allow_inf_nan=False, description="What it is multiplied by in the sum; below 0 it is a penalty."
    )
    name: str | None = Field(default=None, description="What curves call it; its source, if not given.")
    measure: RewardMeasure | None = Field(default=None, description="Against the row's right answer, from 0 to 1.")
    pattern: str | None = Field(
        default=None, description="A regular expression; 1 if the whole answer matches, else 0."
    )
    longest: int | None = Field(
        default=None, ge=1, description="Characters; 1 up to here, falling to 0 at twice as many."
    )
    model: str | None = Field(default=None, min_length=1, description="The folder of a reward model, or of its run.")
    function: str | None = Field(default=None, description="A function of yours: file.py:name, see docs/align.md.")
    judge: Path | None = Field(default=None, description="A recipe of `kind: judge`; its mark from 0 to 1.")

    @field_validator("pattern")
    @classmethod
    def _check_pattern(cls, pattern: str | None) -> str | None:
        try:
            re.compile(pattern or "")
        except re.error as error:
            raise ValueError(f"no regular expression: {error}") from None
        return pattern

    @model_validator(mode="after")
    def _check_source(self) -> Self:
        given = [name for name in SOURCES if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"give one of {', '.join(SOURCES)}, found {' and '.join(given) or 'none'}")
        if not self.weight:
            raise ValueError("a weight of 0 is no reward, take it out")
        return self

    @property
    def source(self) -> str:
        """Which of the fields says what it is."""
        return next(name for name in SOURCES if getattr(self, name) is not None)

    @property
    def title(self) -> str:
        """
        What curves and samples call it.

            >>> [RewardTermSettings(**one).title for one in ({"measure": "same_length"}, {"model": "runs/kind"})]
            ['same_length', 'kind']
        """
        if self.name:
            return self.name
        told = getattr(self, self.source)
        names: dict[str, Any] = {"model": Path(str(told)).name, "function": str(told).rpartition(":")[2]}
        names |= {"measure": told, "judge": Path(str(told)).stem}
        return str(names.get(self.source, self.source))


class SamplingSettings(Settings):
    """How the model answers while it learns."""

    answers: int = Field(default=8, ge=2, description="To one prompt; they are compared with each other.")
    max_new_tokens: int = Field(default=256, ge=1, description="Tokens of an answer at most.")
    temperature: float = Field(default=1.0, gt=0, description="1 draws from what the model says.")
    top_p: float = Field(default=1.0, gt=0, le=1, description="Draw from the likeliest tokens of this share.")
    top_k: int = Field(default=0, ge=0, description="Draw from so many of the likeliest tokens; 0 is all.")


class HackingSettings(Settings):
    """When a reward rises for the wrong reason: signs, and what to do about them."""

    action: Literal["warn", "stop", "off"] = Field(
        default="warn", description="Say it, say it and stop, or do not look."
    )
    length: float = Field(default=2.0, gt=1, description="Answers so many times as long as before the first step.")
    repetition: float = Field(default=0.5, gt=0, le=1, description="Share of an answer that says again what it said.")
    empty: float = Field(default=0.2, gt=0, le=1, description="Share of answers without a word.")
    entropy: float = Field(default=0.1, gt=0, lt=1, description="Choice left, beside that before the first step.")


class ReinforcementRecipe(TrainRecipe):
    """What GRPO and RLOO share."""

    FIGURES: ClassVar = ("reward",)
    data: RowsSettings
    examples: AskSettings = AskSettings()
    sampling: SamplingSettings = SamplingSettings()
    rewards: tuple[RewardTermSettings, ...] = Field(description="Their weighted sum is what is learnt.")
    watch: WatchSettings = WatchSettings(best_by="reward")
    hacking: HackingSettings = HackingSettings()

    @field_validator("watch")
    @classmethod
    def _choose_reward(cls, watch: WatchSettings) -> WatchSettings:
        return watch if "best_by" in watch.model_fields_set else watch.model_copy(update={"best_by": "reward"})

    @model_validator(mode="after")
    def _check_whole(self) -> Self:
        if self.model.scratch:
            raise ValueError("a model that answers is needed: give model.path")
        if not self.rewards:
            raise ValueError("rewards is empty: name one or more, such as {measure: char_accuracy}")
        titles = [term.title for term in self.rewards]
        if twice := next((title for title in titles if titles.count(title) > 1), None):
            raise ValueError(f"two rewards are called {twice}, give one a name")
        at_once = self.training.batch_size * self.training.accumulation
        if at_once % self.sampling.answers:
            found = f"training.batch_size × accumulation is {at_once}"
            raise ValueError(f"{found}, expected a multiple of sampling.answers, {self.sampling.answers}")
        return self


class GrpoSettings(Settings):
    """What of GRPO may be chosen."""

    beta: float = Field(
        default=0.04, ge=0, description="Weight of the KL to the model before the first step; 0 is free."
    )
    loss: Literal["grpo", "dr_grpo", "dapo", "bnpo"] = Field(default="dapo", description="As TRL names them.")
    epsilon: float = Field(default=0.2, gt=0, lt=1, description="How far one step may go from the model that answered.")
    iterations: int = Field(default=1, ge=1, description="Steps on the same answers.")
    scale: Literal["group", "batch", "none"] = Field(
        default="group", description="Whose spread rewards are divided by."
    )


class RlooSettings(Settings):
    """What of RLOO may be chosen."""

    beta: float = Field(
        default=0.05, ge=0, description="Weight of the KL to the model before the first step; 0 is free."
    )
    epsilon: float = Field(default=0.2, gt=0, lt=1, description="How far one step may go from the model that answered.")
    iterations: int = Field(default=1, ge=1, description="Steps on the same answers.")
    normalize: bool = Field(default=False, description="Divide advantages by their spread in the batch.")


class GrpoRecipe(ReinforcementRecipe):
    """Group relative policy optimisation: an answer is as good as it beats the others to the same prompt."""

    kind: Literal["grpo"]
    grpo: GrpoSettings = GrpoSettings()


class RlooRecipe(ReinforcementRecipe):
    """REINFORCE leave-one-out: an answer is measured against the mean of the others to the same prompt."""

    kind: Literal["rloo"]
    rloo: RlooSettings = RlooSettings()
