"""
What each source of a mix has in a training, counted while its rows become examples.

In: the examples of mixed rows. Out: a SourceShare a source:

    SourceShare(path="faq.jsonl", asked=0.25, given=0.25, there=300, held_out=6, rows=490, copies=190, tokens=21_400, …)
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TypeVar

from hanpuri.training.feeding.row_mixture import RowMixture


@dataclass(frozen=True)
class SourceShare:
    """What became of one source."""

    path: str
    asked: float
    """Its weight beside the others': of the rows, or of the tokens of a corpus."""
    given: float
    """What it has of the rows that are trained on, or of the tokens of a corpus."""
    there: int
    """Rows that it has to train on, each once."""
    held_out: int
    """Rows that are never trained on, because they are watched by, here or in another source."""
    rows: int
    """Rows that one epoch goes through, copies counted; of a corpus, about so many documents of the whole training."""
    copies: int
    """How many of them stand there once more."""
    tokens: int
    """Of one epoch; of a corpus, of the whole training."""
    trained_tokens: int


Made = TypeVar("Made")


@dataclass(slots=True)
class _Count:
    rows: int = 0
    tokens: int = 0
    trained: int = 0


@dataclass(slots=True)
class SourceTally:
    """
    Counts what the examples of each source hold, on their way from the rows to a table.

    Where rows come from one place, it lets everything pass and counts nothing.
    """

    mixture: RowMixture | None
    _counts: dict[int, _Count] = field(default_factory=dict)

    def passing(
        self,
        examples: Iterable[Made],
        sizes: Callable[[Made], tuple[int, int]],
        name: Callable[[Made], str] = attrgetter("id"),
    ) -> Iterator[Made]:
        """
        Let examples pass, and count them.

        Args:
            examples: what the rows became.
            sizes: gives an example's tokens, and how many of them are trained.
            name: gives the name of the row that it was made of.
        """
        for example in examples:
            if self.mixture is not None:
                count = self._counts.setdefault(self.mixture.source_of(name(example)), _Count())
                tokens, trained = sizes(example)
                count.rows, count.tokens, count.trained = count.rows + 1, count.tokens + tokens, count.trained + trained
            yield example

    def shares(self) -> tuple[SourceShare, ...]:
        """Say what was counted; nothing, where rows come from one place."""
        if self.mixture is None:
            return ()
        total = sum(count.rows for count in self._counts.values())
        counts = [self._counts.get(place, _Count()) for place in range(len(self.mixture.dealt))]
        return tuple(
            SourceShare(
                path=str(dealt.path),
                asked=dealt.share,
                given=count.rows / max(1, total),
                there=dealt.there,
                held_out=dealt.held_out,
                rows=count.rows,
                copies=max(0, dealt.rows - dealt.there),
                tokens=count.tokens,
                trained_tokens=count.trained,
            )
            for dealt, count in zip(self.mixture.dealt, counts, strict=True)
        )

    def notes(self) -> tuple[str, ...]:
        """Say what of the mix is not as it was asked for."""
        return self.mixture.notes() if self.mixture is not None else ()
