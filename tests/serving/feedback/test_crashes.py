"""
What was acknowledged is never lost: the service or its database is killed while clients write, and started again.

In: services of their own, as processes, and clients that send one correction after the other, each with its id. Out:
every id that got 200 or 201 is there, with its text, and none twice.
"""

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import httpx2

from hanpuri.serving.feedback.said import Correction
from hanpuri.serving.feedback.store import open_store
from tests.serving.conftest import Served
from tests.serving.feedback.postgres import running_postgres

CLIENTS = 4
ENOUGH = 30
"""Corrections that are acknowledged before the kill."""


@dataclass
class Sent:
    """What clients have sent, by id; and of it what was acknowledged."""

    url: str
    texts: dict[str, str] = field(default_factory=dict)
    acknowledged: set[str] = field(default_factory=set)
    statuses: list[int] = field(default_factory=list)
    done: threading.Event = field(default_factory=threading.Event)

    def write(self, client: int) -> None:
        """Send corrections until all is done; what got no answer, or a 503, stays without an acknowledgement."""
        with httpx2.Client(base_url=self.url, timeout=20, trust_env=False) as http:
            for number in range(100_000):
                if self.done.is_set():
                    return
                try:
                    status = self.send(http, self.draw(f"{client} {number}"))
                except httpx2.TransportError:
                    status = 0
                if status != 201:
                    time.sleep(0.05)

    def draw(self, text: str) -> str:
        """Draw an id for a text."""
        id = str(uuid4())
        self.texts[id] = text
        return id

    def post(self, http: httpx2.Client, id: str) -> httpx2.Response:
        """Send one correction, maybe again."""
        told = {"kind": "correction", "noisy": self.texts[id], "restored": "작은 빵", "accepted": True}
        return http.post("/v1/feedback", json=told | {"consent": True, "id": id})

    def send(self, http: httpx2.Client, id: str) -> int:
        """Send one correction, maybe again, and note what became of it."""
        status = self.post(http, id).status_code
        self.statuses.append(status)
        if status in (200, 201):
            self.acknowledged.add(id)
        return status

    def wait_for(self, count: int) -> None:
        """Wait until so many more were acknowledged."""
        goal, end = len(self.acknowledged) + count, time.monotonic() + 30
        while len(self.acknowledged) < goal:
            assert time.monotonic() < end, self.statuses[-20:]
            time.sleep(0.005)


@contextmanager
def writing(url: str) -> Iterator[Sent]:
    """Have clients write for as long as the block runs."""
    sent = Sent(url)
    with ThreadPoolExecutor(CLIENTS) as threads:
        clients = [threads.submit(sent.write, client) for client in range(CLIENTS)]
        try:
            yield sent
        finally:
            sent.done.set()
    for client in clients:
        client.result()


def kept(url: str) -> list[tuple[str, str]]:
    with open_store(url, make=False) as store:
        return [(str(one.id), one.noisy) for one in store.each(Correction)]


def check(database: str, sent: Sent) -> None:
    """Hold what is kept against what was sent and acknowledged."""
    rows = kept(database)
    assert len(rows) == len(dict(rows))
    assert set(sent.acknowledged) <= dict(rows).keys()
    assert dict(rows).items() <= sent.texts.items()


def kill(service: Served) -> None:
    """Kill a service and its workers at once."""
    pid = service.process.pid
    workers = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    for one in (pid, *map(int, workers)):
        os.kill(one, signal.SIGKILL)
    service.process.wait()


def start_again(service: Served, database: str, sent: Sent) -> None:
    """Start a killed service with the same database, and see that nothing is missing and nothing kept twice."""
    check(database, sent)
    before = {id for id, _ in kept(database)}
    unsure = sorted(sent.texts.keys() - sent.acknowledged)
    with httpx2.Client(base_url=service.url, timeout=20, trust_env=False) as http:
        # What got no answer may have been kept all the same: sent again, it is there once.
        assert [sent.send(http, id) for id in unsure] == [200 if id in before else 201 for id in unsure]
        assert sent.send(http, min(sent.acknowledged)) == 200
    assert sorted(kept(database)) == sorted(sent.texts.items())


def test_workers_that_are_killed_while_they_write_into_one_file_have_lost_nothing(serve, new_database):
    database = new_database("sqlite")
    service = serve("--model", "small", "--workers", "2", "--database", database, alone=True)
    with writing(service.url) as sent:
        sent.wait_for(2 * ENOUGH)
        kill(service)
    assert set(sent.statuses) == {201}
    start_again(serve("--model", "small", "--database", database, alone=True), database, sent)


def test_a_postgresql_that_is_killed_or_hangs_comes_back_and_a_service_that_is_killed_has_lost_nothing(serve):
    with running_postgres(durable=True) as server:
        database = server.new_database()
        service = serve("--model", "small", "--database", database, "--request-seconds", "1", alone=True)
        answers = []
        with writing(service.url) as sent, service.client() as http:
            sent.wait_for(ENOUGH)
            for end, begin in ((server.kill, server.start), (server.pause, server.resume)):
                end()
                answers.append(sent.post(http, sent.draw("probe")))
                begin()
                sent.wait_for(ENOUGH)
            kill(service)
        for away in answers:
            assert (away.status_code, away.headers["Retry-After"]) == (503, "5")
            assert away.json() == {
                "error": "the database of feedback does not answer",
                "mend": "send the same again in a moment, with the same id",
            }
        assert set(sent.statuses) == {201, 503}
        log = service.log.read_text(encoding="utf-8")
        assert "feedback: " in log
        assert "secret-of-a-test" not in log
        assert "작은 빵" not in log
        start_again(serve("--model", "small", "--database", database, alone=True), database, sent)
