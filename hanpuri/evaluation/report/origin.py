"""
Where the figures come from: files, engines, machine, and the command that makes them again.

In:  evaluations, and the environment as `runs.describe_environment` tells it.   Out: tables, and the command:

    hanpuri evaluate reviews.jsonl --engine compact:base --engine echo
"""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hanpuri.evaluation.evaluate import Evaluation
from hanpuri.pages.page import Block, Paragraph, Table
from hanpuri.runs.environment import describe_environment
from hanpuri.runs.wording import printable


@dataclass(frozen=True)
class Origin:
    """When, where and by which command was evaluated."""

    time: datetime
    environment: Mapping[str, Any]
    seed: int = 0
    """Of the intervals and comparisons."""

    @classmethod
    def now(cls, seed: int = 0) -> "Origin":
        """Describe this process, at this minute."""
        return cls(datetime.now().astimezone(), describe_environment(), seed)


def origin_blocks(evaluations: Sequence[Evaluation], origin: Origin) -> Iterator[Block]:
    """Show what was measured and how to measure it again."""
    sets = {one.row_set.name: one.row_set for one in evaluations}
    files = tuple(
        (printable(str(one.path)), one.form, len(one.rows), "yes" if one.has_references else "no", one.sha256)
        for one in sets.values()
    )
    yield Table(("file", "form", "rows", "right answers", "SHA-256"), files, "Files")
    if command := origin.environment.get("command"):
        yield Paragraph(f"To measure it again: hanpuri {printable(shlex.join(map(str, command)))}")
    yield Table(("", ""), tuple(_facts(origin)), "Machine")


def _facts(origin: Origin) -> Iterator[tuple[str, str]]:
    environment = origin.environment
    yield "time", origin.time.isoformat(" ", "minutes")
    yield "seed of the intervals", str(origin.seed)
    for name, key in (("platform", "platform"), ("processors", "num_cpus"), ("python", "python")):
        if key in environment:
            yield name, printable(str(environment[key]))
    libraries = environment.get("libraries") or {}
    installed = [f"{name} {version}" for name, version in libraries.items() if version != "not installed"]
    if installed:
        yield "libraries", printable(", ".join(installed))
    if git := environment.get("git"):
        yield "code", f"{git['commit'][:12]}{', changed since' if git['dirty'] else ''}"
