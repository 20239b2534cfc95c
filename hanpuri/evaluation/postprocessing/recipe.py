"""
Which steps come after a model, as they are kept in a file: what `hanpuri postprocess --out steps.yaml` writes.

In: `kind: postprocess`, `steps: [{step: dictionary, below: 0.6, texts: train.jsonl}]`. Out: PostprocessRecipe, frozen.
"""

from pathlib import Path
from typing import Literal

from pydantic import Field

from hanpuri.recipe import Settings, read_recipe

StepName = Literal["spacing", "spelling", "dictionary", "feasibility", "rescoring"]
STEPS: tuple[StepName, ...] = ("spacing", "spelling", "dictionary", "feasibility", "rescoring")
EVERY_WORD = 1.01
"""More than any confidence."""


class StepSettings(Settings):
    """One step, with all that it needs to be done again."""

    step: StepName = Field(description="What is done.")
    below: float = Field(
        default=EVERY_WORD, gt=0, description="Only where the model is less sure than this; above 1, everywhere."
    )
    hold_length: bool = Field(default=False, description="Of spelling: only corrections of the same length.")
    texts: Path | None = Field(default=None, description="Of dictionary, feasibility, rescoring: clean texts to learn.")
    profile: Literal["airbnb", "hand"] = Field(default="airbnb", description="The noise that was read backwards.")
    engine: str = Field(default="", description="Of rescoring: a model that tells how likely a text is.")
    margin: float = Field(default=2.0, ge=0, description="Of rescoring: how much likelier (nats) another text must be.")

    @property
    def name(self) -> str:
        """
        Name the step with what is not the usual.

            >>> StepSettings(step="spelling", below=0.6, hold_length=True).name
            'spelling (below 0.6, length held)'
        """
        told = [f"below {self.below:g}"] * (self.below <= 1) + ["length held"] * self.hold_length
        told += [f"margin {self.margin:g}"] * (self.step == "rescoring")
        return f"{self.step} ({', '.join(told)})" if told else self.step


class PostprocessRecipe(Settings):
    """The steps that were kept, in their order."""

    kind: Literal["postprocess"] = "postprocess"
    steps: tuple[StepSettings, ...] = Field(default=(), description="From first to last.")


def read_steps(path: Path) -> PostprocessRecipe:
    """
    Read kept steps.

    Raises:
        RecipeError: if the file cannot be read, or a key is wrong.
    """
    recipe = read_recipe(path, {"postprocess": PostprocessRecipe})
    assert isinstance(recipe, PostprocessRecipe)
    return recipe
