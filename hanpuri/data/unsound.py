"""
Rows that make no sound example: why, how many, and the one error that names the first of them.

In: rows found faulty, one after another. Out: one DataError once all others were read, such as

    found 12 rows that make no example: faq.jsonl:3: found no token to train, expected a response; …; and 7 more
"""

from typing import NamedTuple

from hanpuri.errors import DataError

MAX_TOLD = 5


class Unsound(NamedTuple):
    """Why a row makes no example."""

    cause: str
    """What it is counted under where such rows are left out."""
    message: str
    mend: str


class Unsounds:
    """
    The faulty rows of a set: all counted, the first ones told.

        >>> found = Unsounds("rows that make no pair")
        >>> for line in (3, 9):
        ...     found.add(Unsound("no prompt", f"pairs.jsonl:{line}: found no prompt", "give it one"))
        >>> found.raise_any()
        Traceback (most recent call last):
        ...
        hanpuri.errors.DataError: found 2 rows that make no pair: pairs.jsonl:3: found no prompt; ...
    """

    def __init__(self, called: str = "rows that make no example") -> None:
        self.called = called
        self.number = 0
        self._first: list[Unsound] = []

    def add(self, row: Unsound) -> None:
        """Take one more."""
        self.number += 1
        if len(self._first) < MAX_TOLD:
            self._first.append(row)

    def raise_any(self) -> None:
        """
        Tell of all in one line.

        Raises:
            DataError: if there was one.
        """
        if not self.number:
            return
        first = self._first[0]
        if self.number == 1:
            raise DataError(first.message, first.mend)
        more = f"; and {self.number - len(self._first):,} more" if self.number > len(self._first) else ""
        told = "; ".join(row.message for row in self._first)
        raise DataError(f"found {self.number:,} {self.called}: {told}{more}", first.mend)
