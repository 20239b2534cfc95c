"""
What those who watch a service are told: it lives, it is ready, or what is missing.

In: the real service; and an application in this process, told to end, or robbed of its database. Out: statuses.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx2
import pytest

from hanpuri.serving.app import create_app
from hanpuri.serving.service import Service
from hanpuri.serving.settings import ServiceSettings
from hanpuri.serving.watching.logs import LOGGER

Asked = Callable[[httpx2.AsyncClient, Service], Awaitable[httpx2.Response]]


def ask_here(folder: Path, asked: Asked, **told: object) -> httpx2.Response:
    """Ask an application in this process, whose inside can be reached."""
    (folder / "secret").write_bytes(b"0" * 32)
    app = create_app(ServiceSettings(models=("small",), threads=1, **told), folder)

    async def run() -> httpx2.Response:
        async with app.router.lifespan_context(app):
            transport = httpx2.ASGITransport(app)
            async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
                return await asked(client, app.state.service)

    return asyncio.run(run())


def test_a_service_lives_and_is_ready(client):
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json() == {"status": "ready"}


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        # what curl and a browser are shown
        ("*/*", "text/plain; version=0.0.4; charset=utf-8"),
        # what Prometheus asks for
        ("application/openmetrics-text; version=1.0.0", "application/openmetrics-text; version=1.0.0; charset=utf-8"),
    ],
)
def test_numbers_come_in_the_form_that_is_asked_for(client, accept, media_type):
    answer = client.get("/metrics", headers={"Accept": accept})
    assert answer.headers["content-type"].startswith(media_type)
    assert "hanpuri_build_info{" in answer.text


def test_a_service_that_ends_lives_but_is_not_ready(tmp_path):
    async def asked(client: httpx2.AsyncClient, service: Service) -> httpx2.Response:
        service.closing.set()
        assert (await client.get("/healthz")).status_code == 200
        return await client.get("/readyz")

    answer = ask_here(tmp_path, asked, database="none")
    assert answer.status_code == 503
    assert answer.json() == {"error": "the service ends", "mend": "ask another one, or later"}


def test_a_service_whose_database_does_not_answer_is_not_ready_and_says_so(tmp_path, caplog):
    database = tmp_path / "feedback.db"

    async def asked(client: httpx2.AsyncClient, service: Service) -> httpx2.Response:
        assert (await client.get("/readyz")).status_code == 200
        assert service.feedback
        service.feedback.database.engine.dispose()
        for file in tmp_path.glob("feedback.db*"):
            file.unlink()
        database.mkdir()
        return await client.get("/readyz")

    answer = ask_here(tmp_path, asked, database=f"sqlite:///{database}")
    assert answer.status_code == 503
    # Anybody may ask this, so where the database is stands in the log alone.
    found, mend = "the database of feedback does not answer", "see the log of the service"
    assert answer.json() == {"error": found, "mend": mend}
    said = [record.getMessage() for record in caplog.records if record.name == LOGGER and record.msg]
    assert len(said) == 1
    assert said[0].startswith(f"feedback cannot be kept: sqlite:///{database}: ")
