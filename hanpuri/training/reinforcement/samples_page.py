"""
samples.jsonl ─► samples.html: what a model answered over the evaluations, side by side.

In: the samples of a run. Out: a page with some rows, each with the right answer and the answer of every evaluation:

    pairs.jsonl:7   asked        쨰밌어요
                    right        재밌어요
                    step 0       째밌어요    reward 0.75    what differs from the right answer is marked
                    step 100     재밌어요    reward 1

A reward that rises for the wrong reason is seen here first.
"""

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

from hanpuri.pages.page import Marked, Page, Paragraph, Piece, RowText, Section, Specimen, Specimens, render
from hanpuri.runs.files import write_whole
from hanpuri.runs.metrics import read_lines
from hanpuri.runs.wording import printable

PAGE = "samples.html"
ROWS = 12
STEPS = 8
LONGEST = 600  # characters of an answer that are compared and shown

Line = dict[str, Any]


def write_samples_page(folder: Path, samples: Path) -> Path:
    """
    Write the page into a run's folder, in place of an older one.

    Raises:
        OSError: if it cannot be written.
    """
    by_row: dict[str, list[Line]] = {}
    for line in read_lines(samples):
        if isinstance(where := line.get("where"), str) and isinstance(line.get("step"), int):
            by_row.setdefault(where, []).append(dict(line))
    items = tuple(_specimen(where, lines) for where, lines in list(by_row.items())[:ROWS])
    shown = Specimens("The same rows at each evaluation", items) if items else Paragraph("Nothing was answered yet.")
    lead = f"What the model of {printable(folder.name)} answers, always with its likeliest tokens."
    write_whole(folder / PAGE, render(Page("Samples", lead, (Section("Answers", (shown,)),))))
    return folder / PAGE


def spread(steps: Sequence[int], number: int = STEPS) -> list[int]:
    """
    Choose some of the steps, evenly, the first and the last among them.

        >>> spread([0, 100, 200, 300, 400], 3)
        [0, 200, 400]
    """
    if len(steps) <= number:
        return list(steps)
    return [steps[round(place * (len(steps) - 1) / (number - 1))] for place in range(number)]


def compare(answer: str, right: str) -> Marked:
    """
    Mark in an answer what is wrong, too much or missing.

        >>> [(piece.text, piece.mark) for piece in compare("재밋어요!", "재밌어요").pieces]
        [('재', ''), ('밋', 'wrong'), ('어요', ''), ('!', 'extra')]
    """
    return Marked(tuple(_pieces(answer[:LONGEST], right[:LONGEST])))


def _pieces(answer: str, right: str) -> Iterator[Piece]:
    for kind, start, end, first, last in SequenceMatcher(None, answer, right, autojunk=False).get_opcodes():
        if kind == "equal":
            yield Piece(answer[start:end])
        elif kind == "insert":
            yield Piece(right[first:last], "missing", told=f"missing: {last - first} characters")
        elif kind == "delete":
            yield Piece(answer[start:end], "extra", told=f"too much: {end - start} characters")
        else:
            yield Piece(answer[start:end], "wrong", f"→{right[first:last]}", f"right is {right[first:last]}")


def _specimen(where: str, lines: Sequence[Line]) -> Specimen:
    steps = spread([line["step"] for line in lines])
    right = lines[0].get("right")
    told: list[tuple[str, RowText | Marked]] = [("asked", RowText(str(lines[0].get("asked", ""))))]
    told += [("right", RowText(right))] if isinstance(right, str) else []
    told += [(_heading(line), _shown(str(line.get("answer", "")), right)) for line in lines if line["step"] in steps]
    return Specimen(printable(where), tuple(told))


def _heading(line: Line) -> str:
    reward = line.get("reward")
    return (
        f"step {line['step']:,} · reward {reward:.3g}" if isinstance(reward, int | float) else f"step {line['step']:,}"
    )


def _shown(answer: str, right: object) -> RowText | Marked:
    return compare(answer, right) if isinstance(right, str) else RowText(answer[:LONGEST])
