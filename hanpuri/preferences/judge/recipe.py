"""
The recipe of a judge (`kind: judge`): who judges, by which rubric, how the verdict is read.

In: `engine: "openai:http://127.0.0.1:8000/v1#qwen3"`, `rubric: …` in a file. Out: a JudgeRecipe, frozen:

    kind: judge
    name: restoration
    engine: "openai:http://127.0.0.1:8000/v1#qwen3"
    rubric: 흐트러진 글을 바르게 되돌린 답이 더 낫습니다.

An engine is written as on the command line, or as a section with the fields of EngineSettings.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from hanpuri.engines.base import Decoding
from hanpuri.engines.settings import EngineSettings, ToldEngine
from hanpuri.errors import RecipeError
from hanpuri.recipe import FolderName, Settings, read_recipe

NOT_ASKED = ("echo", "compact")
"""Engines that give back or restore a text, and read no question."""
SCORING = ("transformers", "vllm")
"""Engines that tell how likely they hold a text."""
MOST_MARKS = 101
"""Marks of a scale: by likelihood, the model is asked for each of them."""


class JudgeDecodingSettings(Settings):
    """How the judge writes."""

    max_new_tokens: int = Field(default=256, ge=1, description="Tokens of a reply at most, its reason included.")
    temperature: float = Field(default=0.0, ge=0, description="0 takes the likeliest token.")
    top_p: float = Field(default=1.0, gt=0, le=1, description="Draw from the likeliest tokens of this share.")
    top_k: int = Field(default=0, ge=0, description="Draw from so many of the likeliest tokens; 0 is all.")
    seed: int = Field(default=0, ge=0, description="Of drawn tokens; another try takes another one.")
    batch_size: int = Field(default=16, ge=1, description="Questions that are asked at once on this machine.")


class RetrySettings(Settings):
    """What happens to a reply that holds no verdict."""

    tries: int = Field(default=2, ge=0, description="How often it is asked again; then the pair is unjudged.")
    temperature: float = Field(default=0.7, gt=0, description="At least so much is drawn from then on.")
    pause_seconds: float = Field(
        default=1.0, ge=0, description="Wait before asking again what got no answer at all; doubled each time."
    )


class JudgeRecipe(Settings):
    """Who judges, and by what."""

    kind: Literal["judge"]
    name: FolderName = Field(description="What pairs and tables call the judge.")
    engine: ToldEngine = Field(description="As on the command line, or a section.")
    rubric: str | None = Field(default=None, description="What makes an answer the better one; or `rubric_file`.")
    rubric_file: Path | None = Field(default=None, description="A text file that holds the rubric.")
    by: Literal["verdict", "likelihood"] = Field(
        default="verdict", description="Read what it writes; or compare how likely it holds A and B."
    )
    orders: Literal["both", "one"] = Field(
        default="both", description="Ask each pair both ways round; or one way, by a coin made of the pair."
    )
    reason: bool = Field(default=True, description="Let it write a sentence before its verdict.")
    scale: tuple[int, int] = Field(default=(0, 10), description="The worst and the best mark.")
    tie_within: float = Field(
        default=0.05, ge=0, lt=0.5, description="By likelihood: a share so near to one half is a tie."
    )
    decoding: JudgeDecodingSettings = JudgeDecodingSettings()
    retry: RetrySettings = RetrySettings()
    cache: Path | None = Field(default=None, description="Replies are kept in this file, and not asked for again.")

    @field_validator("engine")
    @classmethod
    def _check_engine(cls, engine: EngineSettings) -> EngineSettings:
        if engine.engine in NOT_ASKED:
            raise ValueError(f"{engine.engine} reads no question, give a language model or a server")
        if engine.aligned != "off" or engine.channel != "off":
            raise ValueError("aligned and channel hold a text in place, a judge writes freely: leave them out")
        return engine

    @field_validator("scale")
    @classmethod
    def _check_scale(cls, scale: tuple[int, int]) -> tuple[int, int]:
        if not 0 <= scale[0] < scale[1] or scale[1] - scale[0] >= MOST_MARKS:
            raise ValueError(f"a scale rises from 0 or more, and has {MOST_MARKS} marks at most")
        return scale

    @model_validator(mode="after")
    def _check_rubric(self) -> Self:
        if (self.rubric is None) == (self.rubric_file is None):
            raise ValueError("give either `rubric` or `rubric_file`")
        if self.rubric is not None and not self.rubric.strip():
            raise ValueError("rubric is empty, say what makes an answer the better one")
        if self.by == "likelihood" and self.engine.engine not in SCORING:
            raise ValueError(
                f"{self.engine.engine} tells no likelihoods, give {' or '.join(SCORING)}, or `by: verdict`"
            )
        return self

    @property
    def how(self) -> Decoding:
        """
        How tokens are chosen at the first try.

            >>> judge = JudgeRecipe(kind="judge", name="mine", engine="transformers:runs/mine", rubric="짧을수록 낫다.")
            >>> judge.how.temperature, judge.how.max_new_tokens
            (0.0, 256)
        """
        return Decoding(**self.decoding.model_dump())

    def read_rubric(self) -> str:
        """
        Give the rubric, from its file if it stands in one.

        Raises:
            RecipeError: if the file cannot be read, or is empty.
        """
        if self.rubric_file is None:
            return (self.rubric or "").strip()
        try:
            text = self.rubric_file.read_text(encoding="utf-8-sig").strip()
        except OSError as error:
            raise RecipeError(f"{self.rubric_file} cannot be read: {error.strerror}", "give a text file") from None
        except UnicodeDecodeError as error:
            found = f"{self.rubric_file} is not UTF-8: {error.reason} at byte {error.start}"
            raise RecipeError(found, "save it as UTF-8") from None
        if not text:
            raise RecipeError(f"{self.rubric_file} is empty, expected a rubric", "say what makes an answer better")
        return text


def read_judge(path: Path, overrides: Sequence[str] = ()) -> JudgeRecipe:
    """
    Read a recipe of `kind: judge`.

    Raises:
        RecipeError: if it cannot be read; else with every wrong key and value, in one line.
    """
    recipe = read_recipe(path, {"judge": JudgeRecipe}, overrides)
    assert isinstance(recipe, JudgeRecipe)
    return recipe
