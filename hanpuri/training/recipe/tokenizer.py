"""
Where the tokenizer comes from.

In: `tokenizer: {train: {type: bpe, vocab_size: 16000}}`. Out: TokenizerSettings, frozen.
"""

from typing import Literal, Self

from pydantic import Field, model_validator

from hanpuri.recipe import Settings


class TrainTokenizerSettings(Settings):
    """A new tokenizer, trained on the recipe's corpora."""

    type: Literal["bpe", "unigram", "character"] = Field(
        default="bpe", description="How pieces are chosen; character: each is one character."
    )
    vocab_size: int = Field(ge=300, description="Tokens in all, special ones and 256 bytes included.")
    characters: int = Field(default=20_000_000, ge=1, description="Text to train it on, dealt out by the weights.")
    min_frequency: int = Field(default=2, ge=1, description="How often a piece must occur (bpe).")


class ExtendTokenizerSettings(Settings):
    """New tokens for a tokenizer that is there; their embeddings start as the mean of their parts'."""

    tokens: tuple[str, ...] = Field(default=(), description="Tokens to add as they are.")
    count: int = Field(default=0, ge=0, description="Add so many more: words of the corpora that save the most tokens.")
    min_frequency: int = Field(default=100, ge=1, description="How often such a word must occur.")

    @model_validator(mode="after")
    def _check_some(self) -> Self:
        if not self.tokens and not self.count:
            raise ValueError("give `tokens`, or a `count` of tokens to find")
        return self


class TokenizerSettings(Settings):
    """Where the tokenizer comes from; the model's own, if nothing is given."""

    path: str | None = Field(default=None, description="A folder with a tokenizer, for a new model.")
    train: TrainTokenizerSettings | None = Field(default=None, description="Train one, for a new model.")
    extend: ExtendTokenizerSettings | None = Field(default=None, description="Add tokens to the model's own.")

    @model_validator(mode="after")
    def _check_one(self) -> Self:
        if sum(choice is not None for choice in (self.path, self.train, self.extend)) > 1:
            raise ValueError("give one of `path`, `train` and `extend`")
        return self
