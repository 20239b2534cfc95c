"""
A Preflight for people, on a terminal.

In: a Preflight and a rich Console. Out: five rows as they are trained, a table of memory, what lies ahead, warnings.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from rich.cells import cell_len

from hanpuri.runs.wording import printable
from hanpuri.training.preflight.memory import tell_bytes

if TYPE_CHECKING:
    from rich.console import Console

    from hanpuri.training.feeding.shares import SourceShare
    from hanpuri.training.preflight.preflight import Preflight


def show(checked: "Preflight", console: "Console") -> None:
    """Print what was found; on a terminal, lines break between words, and those of rows where they end."""
    for told, breaks in ((_rows(checked), False), (_rest(checked), console.is_terminal)):
        for line in told:
            # Rows may hold what rich would read as its own marks.
            console.print(line, markup=False, emoji=False, highlight=False, soft_wrap=not breaks)


def lines(checked: "Preflight") -> list[str]:
    """Write what was found, a line each."""
    return [*_rows(checked), *_rest(checked)]


def _rest(checked: "Preflight") -> list[str]:
    return [
        "",
        *_figures(checked),
        *share_lines(checked.shares),
        "",
        *_memory(checked),
        "",
        *_ahead(checked),
        *(f"warning: {warning}" for warning in checked.warnings),
    ]


def _rows(checked: "Preflight") -> list[str]:
    told = []
    for row in checked.rows:
        name = "pair" if checked.paired else "row"
        told.append(f"{name} {row.place + 1:,}: {row.tokens:,} tokens, {row.trained:,} {checked.marked}")
        told.extend(f"  {printable(line)}" for line in row.text.split("\n"))
    return told


def _figures(checked: "Preflight") -> list[str]:
    figures, parameters = checked.figures, checked.parameters
    share = figures.trained * figures.rows / max(1, figures.looked_at) / max(1, figures.tokens)
    rows = f"{figures.rows // 2:,} pairs of answers" if checked.paired else f"{figures.rows:,} rows"
    told = [
        f"{rows}, {figures.tokens:,} tokens, {share:.0%} of them {checked.marked};"
        f" the longest row has {figures.longest:,}; {figures.tokens_per_character:.2f} tokens a character",
        f"{parameters.all:,} parameters, {parameters.trainable:,} learn"
        f" ({parameters.trainable / max(1, parameters.all):.2%})",
    ]
    if checked.left_out:
        told.append(
            "left out or cut: " + ", ".join(f"{cause} {number:,}" for cause, number in checked.left_out.items())
        )
    if checked.leak is not None:
        told.append(f"packs: a row's logits are off by {checked.leak:.4f} of their spread, nothing leaks")
    return told


def share_lines(shares: "Sequence[SourceShare]") -> list[str]:
    """Write what each source has in a mix, as a table; nothing where nothing is mixed."""
    if not shares:
        return []
    head = ("source", "asked", "given", "rows", "of", "copies", "tokens", "trained")
    rows = [head, *(_share_cells(share) for share in shares)]
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    return ["", *("  ".join(_aligned(row, widths)).rstrip() for row in rows)]


def _share_cells(share: "SourceShare") -> tuple[str, ...]:
    numbers = (share.rows, share.there, share.copies, share.tokens, share.trained_tokens)
    return (printable(share.path), f"{share.asked:.1%}", f"{share.given:.1%}", *(f"{number:,}" for number in numbers))


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    """Lay names to the left and numbers to the right."""
    for place, (cell, width) in enumerate(zip(cells, widths, strict=True)):
        spaces = " " * (width - cell_len(cell))
        yield spaces + cell if place else cell + spaces


def _memory(checked: "Preflight") -> list[str]:
    memory = checked.memory
    parts = [
        ("weights", memory.weights, ""),
        ("adapter", memory.adapter, ""),
        ("reference", memory.reference, "frozen, to stay near to"),
        ("optimizer states", memory.optimizer, ""),
    ]
    inner = (
        f"activations {tell_bytes(memory.activations)}, gradients {tell_bytes(memory.gradients)}, and passing things"
    )
    parts += [("one step", memory.step, inner), ("spare", memory.spare, "the device's own, and gaps between pieces")]
    if memory.answers > memory.step:
        parts.append(("answers", memory.answers, "while they are written, in the place of the step"))
    told = [f"{name:<18}{tell_bytes(size):>12}  {note}".rstrip() for name, size, note in parts if size]
    has = f"of {tell_bytes(memory.available)}" if memory.available is not None else ""
    told.append(f"{'memory, about':<18}{tell_bytes(memory.total):>12}  {has}".rstrip())
    if checked.probe and checked.probe.peak:
        told.append(
            f"{'measured':<18}{tell_bytes(checked.probe.peak):>12}  one real step on the largest batch, spare left out"
        )
    return told


def _ahead(checked: "Preflight") -> list[str]:
    ahead = checked.ahead
    told = [
        f"{ahead.steps:,} {_some('step', ahead.steps)} of about {ahead.tokens_a_step:,} tokens,"
        f" {ahead.epochs:g} {_some('epoch', ahead.epochs)},"
        f" {ahead.tokens:,} tokens; {ahead.evaluations:,} {_some('evaluation', ahead.evaluations)}",
        f"checkpoints of {tell_bytes(ahead.checkpoint_bytes)}, {tell_bytes(ahead.disk_bytes)} on the disk at most,"
        f" {tell_bytes(ahead.free_bytes)} free",
    ]
    if ahead.seconds and checked.probe:
        least, most = (str(timedelta(seconds=round(one))) for one in ahead.seconds)
        told.append(f"time: {least} to {most} ({checked.probe.batch_seconds:.2f} s for the largest batch)")
    return told


def _some(thing: str, number: float) -> str:
    return thing if number == 1 else f"{thing}s"
