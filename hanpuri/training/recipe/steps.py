"""
How long and how fast to learn, and when to look.

In: `training: {epochs: 2, learning_rate: 2.0e-4}`, `watch: {evaluate_every: 100}`. Out: OptimizationSettings and
WatchSettings, frozen.
"""

from typing import Literal, Self

from pydantic import Field, model_validator

from hanpuri.recipe import Settings

Measure = Literal["char_accuracy", "exact_match", "token_f1"]
OWN_FIGURES = ("loss", "accuracy", "reward")
"""What an evaluation gives without `generation`; which of them, hangs on the kind."""


class OptimizationSettings(Settings):
    """How long and how fast to learn."""

    epochs: float | None = Field(default=None, gt=0, description="Passes over the data; or give `steps`.")
    steps: int | None = Field(default=None, ge=1, description="Optimizer steps in all; or give `epochs`.")
    batch_size: int = Field(default=8, ge=1, description="Examples (or blocks, packs) that one device takes at once.")
    accumulation: int = Field(default=1, ge=1, description="Such batches that one step adds up.")
    learning_rate: float = Field(gt=0, description="The peak; 2e-4 for LoRA and 1e-5 for full tuning are usual.")
    schedule: Literal["linear", "cosine", "constant", "constant_with_warmup", "cosine_with_min_lr", "inverse_sqrt"] = (
        Field(default="cosine", description="How the rate falls after its warm-up, which constant does not have.")
    )
    warmup: float = Field(default=0.03, ge=0, description="Share of the steps over which it rises; from 1 on, steps.")
    optimizer: Literal[
        "adamw_torch", "adamw_torch_fused", "adamw_8bit", "paged_adamw_8bit", "paged_adamw_32bit", "adafactor"
    ] = Field(default="adamw_torch", description="The variants with 8bit and paged need bitsandbytes.")
    weight_decay: float = Field(default=0.0, ge=0, description="Pull of the matrices to zero.")
    beta2: float = Field(
        default=0.999, gt=0, lt=1, description="How long AdamW remembers squares; 0.95 in pre-training."
    )
    max_grad_norm: float = Field(default=1.0, gt=0, description="Longer gradients are shortened to this.")
    gradient_checkpointing: bool = Field(
        default=False, description="Compute activations twice, and keep a few of them."
    )

    @model_validator(mode="after")
    def _check_length(self) -> Self:
        if (self.epochs is None) == (self.steps is None):
            raise ValueError("give either `epochs` or `steps`")
        return self


class TextOptimizationSettings(OptimizationSettings):
    """The same where next tokens are learnt from texts, and nothing is written meanwhile."""

    compile: bool = Field(
        default=False, description="Compile the blocks: a minute at the start, and faster steps on a GPU."
    )


class GenerationSettings(Settings):
    """Answers that are written and scored at each evaluation."""

    rows: int = Field(default=64, ge=1, description="Validation rows to answer, the same ones each time.")
    max_new_tokens: int = Field(default=256, ge=1, description="Tokens of an answer at most.")
    batch_size: int = Field(default=16, ge=1, description="Answers written at once.")
    measures: tuple[Measure, ...] = Field(
        default=("char_accuracy", "exact_match", "token_f1"), min_length=1, description="What to score them by."
    )


class EarlyStoppingSettings(Settings):
    """When to stop before the end."""

    patience: int = Field(default=3, ge=1, description="Evaluations in a row without a better score (`watch.best_by`).")
    min_gain: float = Field(default=0.0, ge=0, description="What counts as better.")


class WatchSettings(Settings):
    """How often to look, by what to choose, whom to tell."""

    log_every: int = Field(default=10, ge=1, description="Steps between lines of metrics.jsonl.")
    evaluate_every: int = Field(default=200, ge=1, description="Steps between looks at the validation rows.")
    save_every: int | None = Field(
        default=None, ge=1, description="Steps between checkpoints; at each evaluation, if not given."
    )
    keep: int = Field(default=2, ge=1, description="Checkpoints kept, besides the best.")
    evaluation_rows: int | None = Field(
        default=500, ge=1, description="Validation rows of fine-tuning, for the loss; null takes all."
    )
    generation: GenerationSettings | None = Field(default=None, description="Answers to score; null writes none.")
    best_by: Literal["loss", "accuracy", "reward", "char_accuracy", "exact_match", "token_f1"] = Field(
        default="loss", description="The best checkpoint has the best of this; at the end it is the result."
    )
    early_stopping: EarlyStoppingSettings | None = Field(default=None, description="Null goes on to the end.")
    stop_on_overfitting: bool = Field(
        default=False, description="Stop when the validation loss rose twice in a row; it is said in any case."
    )
    trackers: tuple[Literal["wandb", "trackio", "tensorboard"], ...] = Field(
        default=(), description="Who else is told; wandb with WANDB_MODE=offline stays on this machine."
    )
    project: str = Field(default="hanpuri", description="What the trackers file the run under.")

    @model_validator(mode="after")
    def _check_whole(self) -> Self:
        if self.save_every and self.evaluate_every % self.save_every:
            raise ValueError(
                "evaluate_every has to be a multiple of save_every, so that the best step has a checkpoint"
            )
        written = self.best_by not in OWN_FIGURES
        if written and (self.generation is None or self.best_by not in self.generation.measures):
            raise ValueError(f"best_by {self.best_by} needs `generation` with this measure")
        return self
