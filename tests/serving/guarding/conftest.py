"""Services with guards of all kinds."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hanpuri.serving.guarding.key_file import add_key

ORIGIN, HOST = "https://reviews.example.kr", "restorer.example"
BODY_SECONDS, BODY_BYTES = 0.4, 2_000
USUAL_RATE = 100_000


@dataclass(frozen=True)
class Keyed:
    """A service of two workers that asks for keys."""

    served: Any
    key: str
    path: Path
    """Its key file."""

    def new_key(self, name: str, requests_per_minute: int = USUAL_RATE) -> str:
        """Make a key that it knows."""
        return add_key(self.path, name, requests_per_minute)


@pytest.fixture(scope="session")
def keyed(serve: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Keyed:
    path = tmp_path_factory.mktemp("keys") / "keys.json"
    key = add_key(path, "web", USUAL_RATE)
    options = ("--model", "small", "--threads", "1", "--workers", "2", "--database", "none", "--cors-origin", ORIGIN)
    return Keyed(serve(*options, "--api-key-file", str(path)), key, path)


@pytest.fixture(scope="session")
def strict(serve: Callable[..., Any]) -> Any:
    """A service with little patience, which answers scripts of one other site, and to one more name."""
    limits = ("--request-seconds", str(BODY_SECONDS), "--max-body-bytes", str(BODY_BYTES))
    return serve("--model", "small", "--database", "none", "--cors-origin", ORIGIN, "--allowed-host", HOST, *limits)
