"""
A text that is rewritten step by step, and which part of the first text each of its characters stands for.

In:  a text, and after each other lists of changes, each to the text as it then is.   Out: the last text, and one list
of changes to the first:

    "ㅎㅏㄴ*식"  ─►  delete "*"  ─►  "ㅎㅏㄴ식"  ─►  compose  ─►  "한식"

    (0, 3, "한", "split"), (3, 4, "", "symbol")
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Change(NamedTuple):
    """What stands in the place of `text[start:end]`, and which kind of hiding that undoes."""

    start: int
    end: int
    text: str
    kind: str


class Block(NamedTuple):
    """A part of the first text, [start, end), and the part of the last one, [from_, to), that stands for it."""

    start: int
    end: int
    from_: int
    to: int
    kind: str


class Draft:
    """
    A text and its alignment with the one that it was made of.

    >>> draft = Draft("ㅎㅏㄴ*식")
    >>> draft.replace([Change(3, 4, "", "symbol")])
    >>> draft.replace([Change(0, 3, "한", "split")])
    >>> draft.text, draft.changes()
    ('한식', [Change(start=0, end=3, text='한', kind='split'), Change(start=3, end=4, text='', kind='symbol')])
    """

    def __init__(self, text: str) -> None:
        self.source = self.text = text
        # For each character of the text: the part of the source that it stands for, and why ("" where it is that part).
        self._starts = list(range(len(text)))
        self._ends = list(range(1, len(text) + 1))
        self._kinds = [""] * len(text)
        self._gone: dict[int, str] = {}
        """Where in the source something was deleted, and of which kind it was."""

    def replace(self, changes: Iterable[Change]) -> None:
        """
        Make changes, which count characters of the text as it is now.

        Raises:
            ValueError: if they overlap, are not in order, or leave the text.
        """
        changes = list(changes)
        if not changes:
            return
        pieces: list[str] = []
        starts: list[int] = []
        ends: list[int] = []
        kinds: list[str] = []
        done = 0
        for start, end, new, kind in changes:
            if not done <= start <= end <= len(self.text):
                raise ValueError(f"found a change of {start} to {end} behind {done} of {len(self.text)} characters")
            left, right = self._part(start, end)
            pieces += self.text[done:start], new
            starts += self._starts[done:start] + [left] * len(new)
            ends += self._ends[done:start] + [right] * len(new)
            kinds += self._kinds[done:start] + [self._older(start, end) or kind] * len(new)
            if not new:
                self._gone.update((self._starts[at], self._kinds[at] or kind) for at in range(start, end))
            done = end
        self.text = "".join([*pieces, self.text[done:]])
        self._starts = starts + self._starts[done:]
        self._ends = ends + self._ends[done:]
        self._kinds = kinds + self._kinds[done:]

    def blocks(self) -> list[Block]:
        """
        List parts of both texts that stand for each other, from left to right, without a gap.

        A character that stayed is a part of its own; a part that was deleted stands for nothing, from_ == to.
        """
        blocks: list[Block] = []
        for at, (start, end, kind) in enumerate(zip(self._starts, self._ends, self._kinds, strict=True)):
            before = blocks[-1] if blocks else Block(0, 0, 0, 0, "")
            if before.from_ < before.to and (start < before.end or (start, end) == (before.start, before.end)):
                blocks[-1] = Block(
                    min(before.start, start), max(before.end, end), before.from_, at + 1, before.kind or kind
                )
                continue
            blocks += self._deleted(before.end, start, at)
            blocks.append(Block(start, end, at, at + 1, kind))
        end = blocks[-1].end if blocks else 0
        return blocks + self._deleted(end, len(self.source), len(self.text))

    def changes(self) -> list[Change]:
        """List the parts of the first text that are not as they were."""
        return [
            Change(start, end, self.text[from_:to], kind)
            for start, end, from_, to, kind in self.blocks()
            if self.source[start:end] != self.text[from_:to]
        ]

    def _part(self, start: int, end: int) -> tuple[int, int]:
        """The part of the source that [start, end) of the text stands for; where it is empty, so is the part."""
        if start < end:
            return min(self._starts[start:end]), max(self._ends[start:end])
        place = self._ends[start - 1] if start else 0
        if start < len(self.text) and self._starts[start] < place:  # amid characters that stand for one part
            return self._starts[start - 1], place
        return place, place

    def _older(self, start: int, end: int) -> str:
        return next((kind for kind in self._kinds[start:end] if kind), "")

    def _deleted(self, start: int, end: int, at: int) -> list[Block]:
        """Parts of the source for which nothing stands, those of one kind together."""
        blocks: list[Block] = []
        for place in range(start, end):
            kind = self._gone.get(place, blocks[-1].kind if blocks else "")
            if blocks and blocks[-1].kind == kind:
                blocks[-1] = Block(blocks[-1].start, place + 1, at, at, kind)
            else:
                blocks.append(Block(place, place + 1, at, at, kind))
        return blocks


def apply(text: str, changes: Sequence[Change]) -> str:
    """
    Make changes to the text that they count characters of.

        >>> apply("ㅎㅏㄴ*식", [Change(0, 3, "한", "split"), Change(3, 4, "", "symbol")])
        '한식'
    """
    draft = Draft(text)
    draft.replace(changes)
    return draft.text
