"""
The kinds that learn from pairs of answers: `kind: reward` and `kind: dpo`.

In: `data: {path: mistakes.jsonl}`, rows with prompt, chosen and rejected. Out: a RewardRecipe or DpoRecipe, frozen.
"""

from typing import Any, ClassVar, Literal, Self, get_args

from pydantic import Field, field_validator, model_validator

from hanpuri.data.files.formats import nearest
from hanpuri.recipe import Settings
from hanpuri.training.recipe.kinds import TrainRecipe
from hanpuri.training.recipe.material import RowsSettings

DpoLoss = Literal[
    "sigmoid", "sigmoid_norm", "hinge", "ipo", "robust", "exo_pair", "apo_zero", "apo_down", "sppo_hard", "sft"
]


class AskSettings(Settings):
    """How rows are written for the model."""

    template: str | None = Field(
        default=None, description="A template's name or file, or `chat`; as the model was trained, if not given."
    )
    max_length: int = Field(default=1024, ge=2, description="Tokens of a prompt with its answer at most.")
    too_long: Literal["error", "drop"] = Field(
        default="error", description="Longer rows: stop and name them, or leave them out and count them."
    )
    faults: Literal["error", "drop"] = Field(
        default="error", description="Rows that make no sound pair: stop and list them, or count them and go on."
    )


class RewardRecipe(TrainRecipe):
    """A reward model: gives a text a number, a higher one to the chosen answer than to the rejected."""

    FIGURES: ClassVar = ("loss", "accuracy")
    kind: Literal["reward"]
    data: RowsSettings
    examples: AskSettings = AskSettings()
    center: float | None = Field(
        default=0.01,
        gt=0,
        description="Pull of the sum of both rewards to zero, so that 0 means neither; null is none.",
    )

    @model_validator(mode="after")
    def _check_path(self) -> Self:
        if self.model.scratch:
            raise ValueError("a reward model begins with a model that is there: give model.path")
        if self.watch.generation:
            raise ValueError("a reward model writes no answers, take watch.generation out")
        if self.adapter and self.adapter.path:
            raise ValueError("a reward model begins with a new adapter: merge the old one first (hanpuri publish)")
        return self


class DpoSettings(Settings):
    """What of direct preference optimisation may be chosen."""

    beta: float = Field(default=0.1, gt=0, description="How dear it is to leave the reference: less is freer.")
    loss: tuple[DpoLoss, ...] = Field(
        default=("sigmoid",),
        description="As TRL names them: sigmoid is DPO; sigmoid_norm and ipo count by token; [sigmoid, sft].",
    )
    loss_weights: tuple[float, ...] | None = Field(default=None, description="Of several losses; 1 each, if not given.")
    label_smoothing: float = Field(
        default=0.0, ge=0, lt=0.5, description="Share of pairs that may be the wrong way round."
    )
    length_desensitized: float | None = Field(
        default=None, ge=0, le=1, description="Weight of what the longer answer has more (LD-DPO's alpha); null is 1."
    )
    reference: str | None = Field(
        default=None,
        description="A whole model to stay near to; the model as it was before the first step, if not given.",
    )
    max_drift: float = Field(
        default=0.5, gt=0, description="Nats a token from the reference, from which on it is said aloud."
    )

    @field_validator("loss", mode="before")
    @classmethod
    def _read_loss(cls, told: Any) -> Any:
        losses = [told] if isinstance(told, str) else told
        known = get_args(DpoLoss)
        for name in losses if isinstance(losses, list | tuple) else ():
            if name not in known:
                guess = nearest(str(name), known)
                mend = f"did you mean {guess}?" if guess else f"there are {', '.join(known)}"
                raise ValueError(f"no loss is called {name}, {mend}")
        return losses

    @model_validator(mode="after")
    def _check_losses(self) -> Self:
        if not self.loss or len(set(self.loss)) < len(self.loss):
            raise ValueError("give one loss or more, each once")
        if self.loss_weights is not None and len(self.loss_weights) != len(self.loss):
            raise ValueError(f"found {len(self.loss_weights)} loss_weights for {len(self.loss)} losses")
        if "exo_pair" in self.loss and not self.label_smoothing:
            raise ValueError("exo_pair needs label_smoothing above 0; its paper takes 1e-3")
        return self


class DpoRecipe(TrainRecipe):
    """Direct preference optimisation: the chosen answer more likely than the rejected, by the model itself."""

    FIGURES: ClassVar = ("loss", "accuracy")
    kind: Literal["dpo"]
    data: RowsSettings
    examples: AskSettings = AskSettings()
    dpo: DpoSettings = DpoSettings()

    @model_validator(mode="after")
    def _check_path(self) -> Self:
        if self.model.scratch:
            raise ValueError("preferences are learnt by a model that is there: give model.path")
        if self.dpo.reference and self.adapter:
            raise ValueError("beside an adapter the frozen model is the reference, take dpo.reference out")
        return self
