"""Databases as a user has them: files of SQLite, and a PostgreSQL that is started here, in a folder of its own."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.serving.feedback.postgres import Postgres, running_postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL that all tests of this process share, but for those that kill it."""
    with running_postgres(durable=False) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, new_database: Callable[[str], str]) -> str:
    """An empty database of each kind."""
    return new_database(request.param)


@pytest.fixture(scope="session")
def new_database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Make an empty database of a kind; PostgreSQL is started when the first one is asked for."""

    def make(kind: str) -> str:
        if kind == "sqlite":
            folder: Path = tmp_path_factory.mktemp("database")
            return f"sqlite:///{folder}/feedback.db"
        server: Postgres = request.getfixturevalue("postgres")
        return server.new_database()

    return make
