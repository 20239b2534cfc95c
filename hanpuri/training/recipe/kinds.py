"""
What all kinds share, and the two that learn from texts: `kind: pretrain` and `kind: sft`.

In: the fields of a recipe file. Out: a PretrainRecipe or SftRecipe, frozen.
"""

from typing import ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from hanpuri.data.recipe import ExampleSettings
from hanpuri.recipe import FolderName, Settings
from hanpuri.training.recipe.material import CorporaSettings, RowsSettings
from hanpuri.training.recipe.model import ALL_LINEAR, AdapterSettings, ModelSettings
from hanpuri.training.recipe.steps import (
    OWN_FIGURES,
    OptimizationSettings,
    TextOptimizationSettings,
    WatchSettings,
)
from hanpuri.training.recipe.tokenizer import TokenizerSettings


class TrainRecipe(Settings):
    """What all kinds share."""

    FIGURES: ClassVar[tuple[str, ...]] = ("loss",)
    """What an evaluation of this kind gives without `watch.generation`."""
    kind: str
    name: FolderName = Field(description="The run's folder is runs/<name>.")
    seed: int = Field(default=0, ge=0, description="Decides new weights, the order of the data, dropout.")
    model: ModelSettings
    adapter: AdapterSettings | None = Field(default=None, description="LoRA; null trains all weights.")
    training: OptimizationSettings
    watch: WatchSettings = WatchSettings()

    @field_validator("adapter")
    @classmethod
    def _check_adapter(cls, adapter: AdapterSettings | None) -> AdapterSettings | None:
        if adapter and isinstance(adapter.target_modules, str) and adapter.target_modules != ALL_LINEAR:
            raise ValueError("target_modules is all-linear or a list of names")
        return adapter

    @field_validator("watch")
    @classmethod
    def _check_best_by(cls, watch: WatchSettings) -> WatchSettings:
        if watch.best_by in OWN_FIGURES and "best_by" in watch.model_fields_set and watch.best_by not in cls.FIGURES:
            raise ValueError(f"best_by is {watch.best_by}, this kind has {' and '.join(cls.FIGURES)}")
        return watch

    @model_validator(mode="after")
    def _check_quantized(self) -> Self:
        if self.model.quantization and not self.adapter:
            raise ValueError("a model in 4 bits cannot learn by itself: give `adapter`, or take model.quantization out")
        if self.model.scratch and self.adapter:
            raise ValueError("a new model has nothing that an adapter could build on: take `adapter` out")
        return self


class PretrainRecipe(TrainRecipe):
    """Next-token training on running text, from random weights or from a model that is there."""

    kind: Literal["pretrain"]
    training: TextOptimizationSettings
    tokenizer: TokenizerSettings = TokenizerSettings()
    data: CorporaSettings
    max_length: int = Field(default=1024, ge=8, description="Tokens in a block.")

    @model_validator(mode="after")
    def _check_tokenizer(self) -> Self:
        new = self.tokenizer.path or self.tokenizer.train
        if self.model.scratch and not new:
            raise ValueError("a new model needs a tokenizer: give tokenizer.train or tokenizer.path")
        if self.model.path and new:
            raise ValueError("a trained model keeps its tokenizer: tokenizer.extend can add to it")
        if self.tokenizer.extend and self.adapter and self.adapter.path:
            raise ValueError("an adapter that goes on keeps its tokens: take tokenizer.extend or adapter.path out")
        if self.watch.generation:
            raise ValueError("pre-training has no questions to answer, take watch.generation out")
        if (
            self.model.scratch
            and self.model.rope_scaling is None
            and self.max_length > self.model.scratch.max_positions
        ):
            raise ValueError("max_length is over model.scratch.max_positions")
        return self


class SftRecipe(TrainRecipe):
    """Fine-tuning on questions and answers; the answers alone are learnt."""

    kind: Literal["sft"]
    training: TextOptimizationSettings
    data: RowsSettings
    examples: ExampleSettings = ExampleSettings()
    packing: bool = Field(default=False, description="Lay several rows into one sequence; none sees another.")

    @model_validator(mode="after")
    def _check_path(self) -> Self:
        if self.model.scratch:
            raise ValueError("fine-tuning begins with a model that is there: give model.path")
        if self.examples.tokenizers:
            raise ValueError("examples.tokenizers counts in `prepare`; here the model's own tokenizer is taken")
        return self
