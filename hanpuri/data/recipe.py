"""The recipe of a training set (`kind: prepare`): one class a section, one sentence a field."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from hanpuri.noise.rules import LETTER_TABLES
from hanpuri.recipe import FolderName, Settings

Form = Literal["text", "pairs", "instruction", "messages", "preference"]
Split = Literal["train", "validation", "test"]

# The fields of each form; those in OPTIONAL may be missing in a file.
FORMS: dict[Form, tuple[str, ...]] = {
    "text": ("text",),
    "pairs": ("noisy", "clean"),
    "instruction": ("instruction", "input", "output"),
    "messages": ("messages",),
    "preference": ("prompt", "input", "chosen", "rejected"),
}
OPTIONAL = ("input", "id", "group", "label")
ABOUT = ("id", "group", "label")  # what a row of any form may have besides


class SourceSettings(Settings):
    """Where rows come from."""

    path: Path | None = Field(default=None, description="A file, or a folder whose files are read in order of name.")
    hub: str | None = Field(
        default=None, description="The name of a data set for the `datasets` library, in place of a path."
    )
    hub_split: str = Field(default="train", description="Which split of the hub's data set.")
    name: str | None = Field(default=None, description="What rows from here are called; the file's name, if not given.")
    fields: dict[str, str] = Field(
        default={}, description="Our field: their column, such as `text: document`; also id, group and label."
    )
    format: Literal["text", "csv", "tsv", "jsonl", "json", "parquet"] | None = Field(
        default=None, description="What the file is, where its name does not tell."
    )
    encoding: str = Field(default="auto", description="Such as cp949; `auto` tells utf-8, cp949 and utf-16 apart.")
    split: Split | None = Field(default=None, description="Put all rows from here into this split.")
    rows: int | None = Field(default=None, ge=1, description="Read only so many rows, from the first one on.")
    faults: Literal["error", "drop"] = Field(
        default="error", description="Rows that cannot be read: stop and list them, or count them and go on."
    )

    @model_validator(mode="after")
    def _check_place(self) -> Self:
        if (self.path is None) == (self.hub is None):
            raise ValueError("give either `path` or `hub`")
        return self

    @property
    def title(self) -> str:
        """What rows from here are called."""
        return self.name or self.hub or (self.path.name if self.path else "")


class EvaluationSettings(Settings):
    """A file whose texts must not stand in the training set; its rows are never taken into it."""

    path: Path = Field(description="The file.")
    field: str = Field(default="text", description="The column with its clean text.")


class CleanSettings(Settings):
    """
    What is done to each text, in this order, and which rows are left out.

    A pair whose sides had one length and lost it in cleaning is left out too, as `lengths_part`; a preference whose
    answers became the same, as `same_answers`.
    """

    replacement: Literal["keep", "drop"] = Field(
        default="keep", description="Rows that hold U+FFFD, a lost character; they are counted in any case."
    )
    mojibake: Literal["keep", "drop"] = Field(
        default="keep", description="Rows read in a wrong encoding, as far as seen; they are counted in any case."
    )
    control_characters: bool = Field(
        default=True, description="Take out control and zero-width characters, and write line ends as line feeds."
    )
    nfc: bool = Field(default=True, description="Join letters that are typed apart: ㅎ+ㅏ+ㄴ as macOS writes them.")
    white_space: Literal["keep", "trim", "collapse"] = Field(
        default="trim", description="`trim` the ends of each text, or also `collapse` runs of spaces to one."
    )
    lower_case: bool = Field(default=False, description="Write letters small that have capitals.")
    mask: tuple[Literal["email", "resident", "card", "phone"], ...] = Field(
        default=(), description="Personal data to replace by a mark such as [전화번호]."
    )
    min_characters: int = Field(
        default=1,
        ge=0,
        description="Leave out rows with a shorter text; not `input`, nor a `rejected` of none. Messages count as one.",
    )
    max_characters: int | None = Field(
        default=None, ge=1, description="Leave out rows with a longer text; messages count together."
    )
    min_hangul: float = Field(
        default=0.0, ge=0, le=1, description="Leave out rows with a smaller share of Hangul among the letters."
    )


class NearSettings(Settings):
    """When two texts count as nearly the same."""

    similarity: float = Field(
        default=0.8, gt=0, le=1, description="Share of common pieces (Jaccard) from which on they are the same."
    )
    shingle: int = Field(default=5, ge=2, le=32, description="Length of a piece in characters, spaces not counted.")


class DeduplicateSettings(Settings):
    """Which repeated rows are left out."""

    exact: bool = Field(default=True, description="Rows that differ in case, spaces and punctuation at most.")
    near: NearSettings | None = Field(default=NearSettings(), description="Nearly the same rows; null keeps them.")
    window: int = Field(default=15, ge=5, description="Syllables in a row that must not be shared with evaluation.")


class SplitSettings(Settings):
    """How rows are dealt out."""

    validation: float = Field(default=0.01, ge=0, lt=1, description="Share of the rows to watch training by.")
    test: float = Field(default=0.01, ge=0, lt=1, description="Share of the rows to measure by, once.")
    stratify: Literal["length", "label"] | None = Field(
        default=None, description="Keep these shares within each length or label; else in the whole."
    )

    @model_validator(mode="after")
    def _check_shares(self) -> Self:
        if self.validation + self.test >= 1:
            raise ValueError("validation and test together leave nothing to train on")
        return self


class MixSettings(Settings):
    """One manner of noise among those that are mixed."""

    profile: str = Field(
        default="airbnb", description="airbnb, the web generator, or hand, the wider manner of people."
    )
    weight: float = Field(default=1.0, gt=0, description="How often, beside the others.")
    strength: tuple[float, float] = Field(
        default=(1.0, 1.0), description="Share of syllables that may change: drawn anew between these for each copy."
    )
    any_syllable: bool = Field(default=False, description="Not only syllables of KS X 1001.")

    @field_validator("profile")
    @classmethod
    def _check_profile(cls, profile: str) -> str:
        if profile not in LETTER_TABLES:
            raise ValueError(f"there are {', '.join(LETTER_TABLES)}")
        return profile

    @field_validator("strength")
    @classmethod
    def _check_strength(cls, strength: tuple[float, float]) -> tuple[float, float]:
        if not 0 < strength[0] <= strength[1] <= 1:
            raise ValueError("give two shares from above 0 to 1, the smaller first")
        return strength


class AugmentSettings(Settings):
    """Noisy versions of clean rows: pairs made from `text` rows, or added to rows of pairs."""

    copies: int = Field(default=5, ge=1, description="Noisy versions of each training row.")
    mix: tuple[MixSettings, ...] = Field(default=(MixSettings(),), min_length=1, description="Manners of noise.")
    unchanged: float = Field(
        default=0.0, ge=0, le=1, description="Share of training rows that get one more copy without noise."
    )


class ExampleSettings(Settings):
    """What becomes of a row in training: the report counts tokens with it, training reads it."""

    template: str = Field(default="plain", description="A shipped template's name, a template file, or `chat`.")
    tokenizers: tuple[str, ...] = Field(default=(), description="Folders or files of tokenizers to count with.")
    max_length: int = Field(default=1024, ge=2, description="Tokens in an example at most.")
    too_long: Literal["error", "drop", "truncate"] = Field(
        default="error",
        description="Longer rows: stop and name them, leave them out, or cut the response, and with it the stop token.",
    )
    faults: Literal["error", "drop"] = Field(
        default="error", description="Rows that make no sound example: stop and list them, or count them and go on."
    )
    train_on: Literal["all", "last"] = Field(
        default="all", description="Of a conversation: every turn of the assistant, or the last one alone."
    )


class PrepareRecipe(Settings):
    """A training set: where its rows come from and what is done to them."""

    kind: Literal["prepare"]
    name: FolderName = Field(description="The result's folder is prepared/<name>.")
    seed: int = Field(default=0, description="Decides the split and the noise.")
    form: Form = Field(description="What a row is: text, pairs, instruction, messages or preference.")
    sources: tuple[SourceSettings, ...] = Field(min_length=1, description="Where the rows come from.")
    evaluation: tuple[EvaluationSettings, ...] = Field(
        default=(), description="What must not stand in the training set."
    )
    clean: CleanSettings = CleanSettings()
    deduplicate: DeduplicateSettings = DeduplicateSettings()
    split: SplitSettings = SplitSettings()
    augment: AugmentSettings | None = Field(default=None, description="Noisy versions; null makes none.")
    examples: ExampleSettings | None = Field(
        default=None, description="Template and tokenizers; null counts no tokens."
    )

    @model_validator(mode="after")
    def _check_whole(self) -> Self:
        if self.augment and self.form not in ("text", "pairs"):
            raise ValueError(f"augment makes noisy pairs from text or pairs, not from {self.form} rows")
        if self.augment and not self.clean.nfc:
            raise ValueError("augment needs clean.nfc, the form that noise has")
        known = {*FORMS[self.form], *ABOUT}
        for source in self.sources:
            if unknown := sorted(set(source.fields) - known):
                expected = ", ".join([*FORMS[self.form], *ABOUT])
                raise ValueError(f"{source.title} maps {', '.join(unknown)}, a row of this form has {expected}")
        titles = [source.title for source in self.sources]
        if twice := next((title for title in titles if titles.count(title) > 1), None):
            raise ValueError(f"two sources are called {twice}, give each a `name`")
        return self

    @property
    def final_form(self) -> Form:
        """What the rows are in the end: noise makes pairs of texts."""
        return "pairs" if self.augment else self.form
