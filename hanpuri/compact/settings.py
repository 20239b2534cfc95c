"""The recipe of a compact restorer (`kind: compact`): one class a section, one sentence a field."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from hanpuri.errors import RecipeError
from hanpuri.recipe import FolderName, Settings

# Items that the network can read at once: a window, in training or restoring, may not be longer.
MAX_LENGTH = 512


class CorpusSettings(Settings):
    """One text file to learn from."""

    path: Path = Field(description="Text, a line a text, .xz or .gz or plain; or .jsonl with `field`.")
    weight: float = Field(ge=0, description="Share of the windows drawn from it for the first part of training.")
    final_weight: float = Field(ge=0, description="Share for the last part (`final_share`).")
    shuffle: bool = Field(default=False, description="Shuffle its lines once: set it where neighbours are alike.")
    field: str | None = Field(default=None, description="The field of a .jsonl file that holds the text.")


class EvaluationSettings(Settings):
    """One file of noisy/clean pairs to watch."""

    name: str = Field(description="What its accuracy is called in the metrics.")
    path: Path = Field(description="JSONL with `noisy` and `clean`.")
    rows: int | None = Field(default=None, ge=1, description="Use only so many rows while training runs.")


class NoiseSettings(Settings):
    """What share of the rows gets which noise; what is left is the full noise of the web generator."""

    clean: float = Field(default=0.08, ge=0, le=1, description="Rows left clean: the model must leave them alone.")
    partial: float = Field(default=0.15, ge=0, le=1, description="Rows of which a random share of syllables changes.")
    hand: float = Field(default=0.10, ge=0, le=1, description="Rows with the wider letter tables of the hand profile.")
    sliders: float = Field(default=0.05, ge=0, le=1, description="Rows whose four sliders stand anywhere.")
    any_syllable: float = Field(default=0.05, ge=0, le=1, description="Of the other rows, those not held to KS X 1001.")
    hand_any_syllable: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="Of the rows by hand, those not held to KS X 1001: who types is held to no table.",
    )


class NetworkSettings(Settings):
    """The encoder's size."""

    width: int = Field(ge=64, multiple_of=64, description="Numbers that describe one item, all through the network.")
    num_layers: int = Field(ge=1, description="Blocks, one after the other.")


class TeachingSettings(Settings):
    """Larger networks to learn from, beside the labels."""

    runs: tuple[Path, ...] = Field(min_length=1, description="Folders of finished runs, of one vocabulary.")
    share: float = Field(default=0.7, gt=0, le=1, description="How much of what is to be said is theirs.")


class TrainingSettings(Settings):
    """How long and how fast to learn."""

    steps: int | None = Field(default=None, ge=1, description="Optimiser steps in all; or give `seconds`.")
    seconds: float | None = Field(default=None, gt=0, description="Time of all steps, in all slices; or give `steps`.")
    batch_tokens: int = Field(default=49_152, ge=1, description="Items (characters but spaces) in a step.")
    window_lengths: tuple[Annotated[int, Field(ge=2, le=MAX_LENGTH)], ...] = Field(
        default=(384, 128), min_length=1, description="Window lengths, taken in turn by the steps."
    )
    texts_below: int = Field(
        default=0,
        ge=0,
        description="Windows shorter than this are made texts of their own, with a line break at each end: a word alone"
        " is read otherwise than one amid others.",
    )
    masked: float = Field(
        default=0, ge=0, lt=1, description="Share of syllables hidden, on top of the noise: the others tell them."
    )
    dropout: float = Field(
        default=0, ge=0, lt=1, description="Share of what a block adds that is left out, against learning by heart."
    )
    learning_rate: float = Field(default=2e-3, gt=0, description="Peak rate; it falls in a line to 1 % of that.")
    warmup_steps: int = Field(default=300, ge=0, description="Steps over which the rate rises.")
    weight_decay: float = Field(default=0.05, ge=0, description="Pull of the matrices to zero.")
    optimizer: Literal["muon", "adamw"] = Field(
        default="muon", description="Muon moves the matrices of the blocks, AdamW all else; or AdamW everything."
    )
    average_decay: float = Field(
        default=0.9998, ge=0, lt=1, description="Decay of the moving average of the weights; 0 takes the last weights."
    )
    final_share: float = Field(default=0.2, ge=0, le=1, description="Last part of the training, `final_weight`s count.")
    precision: Literal["bf16", "fp32"] = Field(default="bf16", description="Arithmetic of the forward pass.")
    compile: bool = Field(default=True, description="Compile the blocks; turn it off for a run of seconds.")

    @model_validator(mode="after")
    def _check_measure(self) -> Self:
        if (self.steps is None) == (self.seconds is None):
            found = "neither steps nor seconds" if self.steps is None else "both steps and seconds"
            raise RecipeError(f"training: found {found}", "give one of them, and null for the other")
        return self


class WatchSettings(Settings):
    """How often to look."""

    log_every: int = Field(default=100, ge=1, description="Steps between two lines of metrics.")
    evaluate_every: int = Field(default=2_000, ge=1, description="Steps between two looks at the evaluation sets.")
    save_every: int = Field(default=2_000, ge=1, description="Steps between two checkpoints.")


class CompactRecipe(Settings):
    """A compact restorer: what it learns from, what is done to it, how large it is, how long it trains."""

    kind: Literal["compact"]
    name: FolderName = Field(description="The run's folder is runs/<name>.")
    seed: int = Field(default=0, description="Decides weights, windows and noise.")
    data: tuple[CorpusSettings, ...] = Field(min_length=1, description="The texts.")
    evaluation: tuple[EvaluationSettings, ...] = Field(default=(), description="The pairs to watch; never trained on.")
    noise: NoiseSettings = NoiseSettings()
    network: NetworkSettings
    begin_from: Path | None = Field(
        default=None, description="Folder of a finished run to learn on from, in place of random weights."
    )
    teaching: TeachingSettings | None = Field(default=None, description="Learn from larger networks too.")
    training: TrainingSettings
    watch: WatchSettings = WatchSettings()

    @model_validator(mode="after")
    def _check_weights(self) -> Self:
        # Found here, and not after four fifths of a training, when the final weights come into force.
        for name in ("weight", "final_weight"):
            if not any(getattr(corpus, name) for corpus in self.data):
                raise RecipeError(f"data: the {name} of every file is 0", "give at least one of them a share")
        return self
