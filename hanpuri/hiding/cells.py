"""
A text while it is being hidden: cells, each a piece of clean text and what is written for it.

In:  "방이 좁다".   Out: a row of cells (방 ← 방), (이 ← 이), (좁 ← 좁, a space before), (다 ← 다).

Whatever a kind of hiding does, it does to cells, so that the alignment of clean and hidden text is never searched for:
it is there. A cell of no clean text was put in; a cell may stand for two syllables that were written as one sign.
"""

from typing import NamedTuple

SPACE = " "


class Cell(NamedTuple):
    """
    A piece of clean text and what is written for it.

    Attributes:
        clean: what was meant, "" for what was put in.
        noisy: what is written; never empty.
        clean_gap: whether a space stands before it in the clean text.
        noisy_gap: whether a space stands before it in the hidden text.
    """

    clean: str
    noisy: str
    clean_gap: bool
    noisy_gap: bool


class Row:
    """
    A text as columns of cells; the kinds of hiding change it in place.

    >>> row = Row("방이 좁다")
    >>> row.noisy[0] = "房"
    >>> row.hidden, row.clean
    ('房이 좁다', ['방', '이', '좁', '다'])
    """

    def __init__(self, text: str) -> None:
        self.clean: list[str] = []
        self.clean_gap: list[bool] = []
        gap = False
        for character in text:
            if character == SPACE:
                gap = True
            else:
                self.clean.append(character)
                self.clean_gap.append(gap)
                gap = False
        self.noisy = list(self.clean)
        self.noisy_gap = list(self.clean_gap)

    def __len__(self) -> int:
        return len(self.clean)

    @property
    def hidden(self) -> str:
        """The hidden text."""
        return "".join(SPACE + n if gap else n for n, gap in zip(self.noisy, self.noisy_gap, strict=True))

    def is_plain(self, place: int) -> bool:
        """Say whether one syllable is written in a cell, whatever is meant: what most kinds of hiding need."""
        return is_syllable(self.noisy[place])

    def words(self) -> list[tuple[int, int]]:
        """Where the words of the clean text start and end, in cells."""
        starts = [place for place, gap in enumerate(self.clean_gap) if gap and place]
        return list(zip([0, *starts], [*starts, len(self)], strict=True)) if len(self) else []

    def runs(self) -> list[tuple[int, int]]:
        """Where stretches of plain cells with no space in them start and end, in cells."""
        found, start = [], None
        for place in range(len(self)):
            plain = self.is_plain(place)
            if start is not None and (not plain or self.noisy_gap[place]):
                found.append((start, place))
                start = None
            if plain and start is None:
                start = place
        if start is not None:
            found.append((start, len(self)))
        return found

    def put_in(self, place: int, written: str, gap: bool = False) -> None:
        """Put something in before a cell; what had a space before it keeps it, unless the new one takes it over."""
        self.clean.insert(place, "")
        self.noisy.insert(place, written)
        self.clean_gap.insert(place, False)
        self.noisy_gap.insert(place, gap)

    def replace(self, start: int, end: int, written: str) -> None:
        """
        Write something else for a stretch of cells: a cell a character, the last of them for all that is left.

        >>> row = Row("비싼 거")
        >>> row.replace(0, 2, "pricy")
        >>> row.clean
        ['비', '싼', '', '', '', '거']
        """
        meant, gaps = self.clean[start:end], self.clean_gap[start:end]
        missing, left = len(written) - len(meant), len(written) - 1
        if missing < 0:
            rest = "".join(SPACE + c if gap else c for c, gap in zip(meant[left:], gaps[left:], strict=True))
            meant = [*meant[:left], rest.removeprefix(SPACE)]
        self.clean[start:end] = meant + [""] * missing
        self.clean_gap[start:end] = gaps[: len(written)] + [False] * missing
        self.noisy_gap[start:end] = self.noisy_gap[start:end][: len(written)] + [False] * missing
        self.noisy[start:end] = list(written)

    def cells(self) -> tuple[Cell, ...]:
        """The cells as they stand."""
        return tuple(map(Cell, self.clean, self.noisy, self.clean_gap, self.noisy_gap))


def is_syllable(text: str) -> bool:
    """Say whether a text is one syllable, 가 to 힣."""
    return len(text) == 1 and "가" <= text <= "힣"
