"""The command line as a user has it: a process of its own, with bytes in and bytes out."""

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.warm_hanpuri import warm_hanpuri


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


@pytest.fixture(scope="session")
def warm() -> Iterator[list[str]]:
    """What `hanpuri` is run as."""
    with warm_hanpuri() as command:
        yield command


@pytest.fixture
def hanpuri(warm: list[str], tmp_path: Path) -> Callable[..., Outcome]:
    """Run `hanpuri` in the test's folder."""

    def run(*arguments: str, stdin: bytes = b"") -> Outcome:
        command = [*warm, *arguments]
        done = subprocess.run(command, input=stdin, capture_output=True, cwd=tmp_path, timeout=120, check=False)
        return Outcome(done.returncode, done.stdout.decode("utf-8", "surrogateescape"), done.stderr.decode("utf-8"))

    return run
