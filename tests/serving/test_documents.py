"""
What the pages tell of the service is what it has: paths, numbers it counts, limits.

In: docs/service.md beside the application. Out: no path without a line, and no line without a path.
"""

import re
from pathlib import Path

import pytest

from hanpuri.serving.app import create_app
from hanpuri.serving.settings import Limits, ServiceSettings
from hanpuri.serving.watching.metrics import Counters

DOCS = Path(__file__).parents[2] / "docs"
SERVICE = (DOCS / "service.md").read_text(encoding="utf-8")
# Not of the document that a program reads: the page and its files, and the document itself.
OPEN = {"GET /docs", "GET /openapi.json"}


def told() -> set[str]:
    """The methods and paths of the table in docs/service.md."""
    table = (
        SERVICE.partition("## What can be asked")[2]
        .partition(
            "\n\n",
        )[2]
        .partition("\n\n")[0]
    )
    found = set()
    for line in table.splitlines():
        method = ""
        for one in re.findall(r"`(?:([A-Z]+) )?(/[^` ]*)`", line.split("|")[1]):
            method = one[0] or method
            found.add(f"{method} {one[1]}")
    return found


def test_every_path_has_a_line_and_every_line_a_path(tmp_path):
    paths = create_app(ServiceSettings(), tmp_path).openapi()["paths"]
    there = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    assert told() - OPEN == there


def test_every_number_that_is_counted_is_named(tmp_path):
    text, _ = Counters(tmp_path).write("")
    names = set(re.findall(r"^# HELP (hanpuri_\w+)", text.decode(), re.MULTILINE))
    assert names
    assert {name for name in names if name not in SERVICE} == set()


LIMITS = [
    # what the page says, and what it is
    ("over 1,000 texts", Limits().texts == 1_000),
    ("over 10,000 characters", Limits().characters == 10_000),
    ("longer than 1 MB", Limits().body_bytes == 1_000_000),
    ("http://127.0.0.1:8600/", ServiceSettings().port == 8_600),
]


@pytest.mark.parametrize(("words", "is_so"), LIMITS)
def test_the_limits_that_the_page_tells_are_those_that_hold(words, is_so):
    assert words in SERVICE
    assert is_so
