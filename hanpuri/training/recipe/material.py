"""
What is learnt from: corpora of running text, or rows.

In: `data: {path: prepared/chatbot-answers}`, or several sources that are mixed. Out: CorporaSettings or RowsSettings,
frozen:

    data:
      sources: [{path: prepared/chatbot-answers, weight: 3}, {path: corrections.jsonl}]
"""

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from hanpuri.data.recipe import Form
from hanpuri.recipe import Settings


class CorpusSettings(Settings):
    """One corpus among those that are mixed."""

    path: Path = Field(
        description="A file (text, CSV, TSV, JSONL, Parquet; .gz, .xz), or a folder that `prepare` made."
    )
    weight: float = Field(default=1.0, gt=0, description="Its share of the training tokens, beside the others.")
    field: str | None = Field(default=None, description="The field or column that holds the text.")
    rows: int | None = Field(default=None, ge=1, description="Read only so many rows, from the first one on.")


class CorporaSettings(Settings):
    """What a model is pre-trained on."""

    corpora: tuple[CorpusSettings, ...] = Field(min_length=1, description="The corpora to mix.")
    validation: float = Field(
        default=0.005,
        ge=0,
        lt=0.5,
        description="Share of the documents held out, where a corpus has no validation split.",
    )
    whole: bool = Field(
        default=False,
        description="Encode corpora to their end: shorter runs then draw from the same texts as longer ones.",
    )
    validation_documents: int = Field(default=2000, ge=1, description="Of all corpora together, at most so many.")


class RowSourceSettings(Settings):
    """One source among those that are mixed."""

    path: Path = Field(description="A folder that `prepare` made, or a file with the fields of a form.")
    weight: float = Field(
        default=1.0, gt=0, allow_inf_nan=False, description="Its share of the training rows, beside the others."
    )
    rows: int | None = Field(default=None, ge=1, description="Take so many of its rows only, drawn by the seed.")
    fields: dict[str, str] | None = Field(default=None, description="Our field: their column; `data.fields`, else.")


class RowsSettings(Settings):
    """What a model is fine-tuned on."""

    path: Path | None = Field(
        default=None, description="A folder that `prepare` made, or a file with the fields of a form."
    )
    sources: tuple[RowSourceSettings, ...] = Field(default=(), description="Several of these, mixed by weight.")
    repeat: float = Field(
        default=2.0,
        ge=1,
        le=100,
        description="How often a mix may hold a row of a source that is too small for its share; then it shrinks.",
    )
    validation: Path | None = Field(default=None, description="A file to watch by; a prepared folder has its own.")
    validation_share: float = Field(
        default=0.02, ge=0, lt=0.5, description="Share of a file's rows held out where no other file is given."
    )
    form: Form | None = Field(default=None, description="What a row is, where its fields do not tell.")
    fields: dict[str, str] = Field(default={}, description="Our field: their column.")
    rows: int | None = Field(default=None, ge=1, description="Train on so many rows only, drawn by the seed.")

    @model_validator(mode="after")
    def _check_one(self) -> Self:
        if (self.path is None) == (not self.sources):
            raise ValueError("give either `path` or `sources`")
        paths = [source.path for source in self.sources]
        if twice := next((path for path in paths if paths.count(path) > 1), None):
            raise ValueError(f"{twice} stands twice in `sources`, give it once with both weights together")
        return self

    @property
    def title(self) -> str:
        """
        What errors call it.

            >>> RowsSettings(sources=({"path": "a.jsonl"}, {"path": "b.jsonl", "weight": 2})).title
            'a.jsonl and b.jsonl'
        """
        return " and ".join(str(source.path) for source in self.sources) or str(self.path)
