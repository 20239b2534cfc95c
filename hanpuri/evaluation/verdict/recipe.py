"""
The recipe of a verdict (`kind: verdict`): one class a section, one sentence a field.

In: `candidates: [{engine: compact:small}, …]`, `measure: char_accuracy`, … in a file. Out: a VerdictRecipe, frozen:

    candidates:
      - compact:base
      - {engine: "openai:http://127.0.0.1:8000/v1#qwen3", prompts: [zero-shot, {shots: 3}], template: chat}

An engine is written as on the command line, or as a section with the fields of EngineSettings.
"""

from collections import Counter
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from hanpuri.data.files.formats import nearest
from hanpuri.data.recipe import Form
from hanpuri.engines.settings import EngineSettings, ToldEngine
from hanpuri.evaluation.metrics import ANSWERING, RESTORATION
from hanpuri.evaluation.metrics.measures import SEEN
from hanpuri.recipe import FolderName, Settings

Way = Literal["echo", "nearest", "shipped", "prompted", "trained"]
ZERO_SHOT = "zero-shot"
ECHO, NEAREST = "echo", "nearest"
WITHOUT_PROMPT = ("echo", "compact")
"""Engines that are given a text and no prompt: examples would say nothing to them."""
DECIDING = tuple(name for name in dict.fromkeys((*RESTORATION, *ANSWERING)) if name not in SEEN)
"""Measures that can say what is good enough."""


class RowsSettings(Settings):
    """The rows that all candidates are asked."""

    path: Path = Field(description="A file, or a folder that `prepare` made: its test rows.")
    form: Form | None = Field(default=None, description="What a row is, where its fields do not tell.")
    fields: dict[str, str] = Field(default={}, description="Our field: their column.")
    rows: int | None = Field(default=500, ge=1, description="Ask so many, drawn by the seed; null asks all.")


class TrainRowsSettings(Settings):
    """Where examples for prompts come from, and what a fine-tuning would learn."""

    path: Path = Field(description="A file, or a folder that `prepare` made: its training rows.")
    form: Form | None = Field(default=None, description="What a row is, where its fields do not tell.")
    fields: dict[str, str] = Field(default={}, description="Our field: their column.")


class PromptSettings(Settings):
    """How a candidate is asked."""

    shots: int = Field(ge=0, le=100, description="Solved examples before the question; 0 is zero-shot.")

    @property
    def name(self) -> str:
        """
        Name it as tables do.

            >>> PromptSettings(shots=0).name, PromptSettings(shots=3).name
            ('zero-shot', '3-shot')
        """
        return f"{self.shots}-shot" if self.shots else ZERO_SHOT


class CandidateSettings(Settings):
    """An engine, and the prompts that it is asked with."""

    engine: ToldEngine = Field(description="As on the command line, or a section.")
    prompts: tuple[PromptSettings, ...] = Field(
        default=(PromptSettings(shots=0),), description="zero-shot, {shots: 3}, …"
    )
    template: str | None = Field(
        default=None, description="Ask with chat, or with a template by name; as the model was trained, if not given."
    )
    label: str = Field(default="", description="What the table calls it; the engine's name, if not given.")
    way: Literal["shipped", "prompted", "trained"] | None = Field(
        default=None, description="shipped, prompted or trained, where the engine does not tell, as of a server."
    )
    per_hour: float | None = Field(
        default=None, ge=0, description="Price of its machine; `price.per_hour` if not given."
    )

    @field_validator("prompts", mode="before")
    @classmethod
    def _read_prompts(cls, told: Any) -> Any:
        return [{"shots": 0} if one == ZERO_SHOT else one for one in told] if isinstance(told, list) else told

    @model_validator(mode="after")
    def _check_shots(self) -> Self:
        if not self.prompts:
            raise ValueError("prompts is empty, write e.g. [zero-shot]")
        if self.engine.engine in WITHOUT_PROMPT and any(prompt.shots for prompt in self.prompts):
            raise ValueError(f"{self.engine.engine} takes no prompt, leave the shots out")
        if twice := [name for name, count in Counter(one.name for one in self.prompts).items() if count > 1]:
            raise ValueError(f"{twice[0]} stands twice in prompts")
        return self

    @property
    def name(self) -> str:
        """Name it as tables do, the prompt left out."""
        return self.label or self.engine.name

    @property
    def settings(self) -> EngineSettings:
        """The engine, asked with the candidate's template."""
        return self.engine.model_copy(update={"template": self.template}) if self.template else self.engine


class DecodingSettings(Settings):
    """How answers are written; the same for all candidates."""

    max_new_tokens: int | None = Field(
        default=None, ge=1, description="Tokens of an answer at most; as the longest right answer needs, if not given."
    )
    temperature: float = Field(default=0.0, ge=0, description="0 takes the likeliest token.")
    top_p: float = Field(default=1.0, gt=0, le=1, description="Draw from the likeliest tokens of this share.")
    top_k: int = Field(default=0, ge=0, description="Draw from so many of the likeliest tokens; 0 is all.")
    stop: tuple[str, ...] = Field(default=(), description="Texts that end an answer, too.")
    batch_size: int = Field(default=16, ge=1, description="Rows that are answered at once on this machine.")


class PriceSettings(Settings):
    """What answers cost; a server's price by tokens stands with its engine."""

    per_hour: float | None = Field(
        default=None, ge=0, description="An hour of this machine; not reckoned, if not given."
    )
    currency: str = Field(default="USD", description="What all prices are in.")


class LearningCurveSettings(Settings):
    """Models that were trained on shares of the data, or a recipe that trains them."""

    recipe: Path | None = Field(default=None, description="A recipe of `kind: sft`, to be trained on each share.")
    set: tuple[str, ...] = Field(default=(), description="Overrides of that recipe, such as training.epochs=2.")
    shares: tuple[float, ...] = Field(default=(0.1, 0.3, 1.0), description="Of its training rows.")
    runs: tuple[Path, ...] = Field(
        default=(), description="Or folders of finished runs, each on other numbers of rows."
    )

    @field_validator("shares")
    @classmethod
    def _check_shares(cls, shares: tuple[float, ...]) -> tuple[float, ...]:
        if len(shares) < 2 or list(shares) != sorted(set(shares)) or not all(0 < share <= 1 for share in shares):
            raise ValueError("shares are two or more that rise from above 0 to 1 at most")
        return shares

    @model_validator(mode="after")
    def _check_origin(self) -> Self:
        if (self.recipe is None) == (not self.runs):
            raise ValueError("give either `recipe` or `runs`")
        if self.runs and len(self.runs) < 2:
            raise ValueError("a curve needs two runs or more")
        if self.set and self.runs:
            raise ValueError("`set` changes a recipe, and `runs` are trained already")
        return self


class VerdictRecipe(Settings):
    """What is asked of whom, and what is good enough."""

    kind: Literal["verdict"]
    name: FolderName = Field(description="The folder is verdicts/<name>.")
    seed: int = Field(default=0, ge=0, description="Decides which rows and examples are drawn, and the resamples.")
    rows: RowsSettings
    train_rows: TrainRowsSettings | None = Field(
        default=None, description="The training rows; those of the same prepared folder, if not given."
    )
    candidates: tuple[CandidateSettings, ...] = Field(description="Who is asked; `echo` is always among them.")
    measure: str = Field(default="char_accuracy", description="What counts; see docs/evaluation.md.")
    good_enough: float = Field(description="The score that you need.")
    decoding: DecodingSettings = DecodingSettings()
    price: PriceSettings = PriceSettings()
    learning_curve: LearningCurveSettings | None = Field(default=None, description="Null trains nothing.")

    @field_validator("candidates", mode="before")
    @classmethod
    def _read_candidates(cls, told: Any) -> Any:
        return [{"engine": one} if isinstance(one, str) else one for one in told] if isinstance(told, list) else told

    @field_validator("candidates")
    @classmethod
    def _check_names(cls, candidates: tuple[CandidateSettings, ...]) -> tuple[CandidateSettings, ...]:
        if not candidates:  # not `min_length`, which counts only those without a fault
            raise ValueError("name one candidate or more")
        if taken := [one.name for one in candidates if one.name in (ECHO, NEAREST) and one.engine.engine != ECHO]:
            raise ValueError(f"{taken[0]} is the name of another line of the table, give another label")
        names = [candidate.name for candidate in candidates]
        if twice := [name for name, count in Counter(names).items() if count > 1]:
            raise ValueError(f"two candidates are called {twice[0]}, give one a label")
        return candidates

    @field_validator("measure")
    @classmethod
    def _check_measure(cls, measure: str) -> str:
        if measure not in DECIDING:
            guess = nearest(measure, DECIDING)
            raise ValueError(
                f"no such measure, {f'did you mean {guess}?' if guess else 'one of ' + ', '.join(DECIDING)}"
            )
        return measure

    @field_validator("good_enough")
    @classmethod
    def _check_good_enough(cls, value: float) -> float:
        if not 0 < value <= 1:
            raise ValueError("good_enough is a share, above 0 and at most 1")
        return value
