"""
What a service counts, and the one line that it logs for each request.

In: requests on their way through the application, and what its rooms tell of them (`say`). Out: a line of the log,

    2026-11-22T09:30:01.123Z 200 POST /v1/restore 12.3 ms model=base texts=1 characters=12 id=5f0c6a1be2d94a07

and numbers for Prometheus, which `api.health` shows at /metrics. No text of a request is in either, unless asked for.
"""

import asyncio
import logging
import re
import secrets
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hanpuri import __version__
from hanpuri.serving.faults import respond
from hanpuri.serving.guarding.headers import SecurityHeaders
from hanpuri.serving.guarding.paths import path_of
from hanpuri.serving.running.lifetime import NUMBERS
from hanpuri.serving.settings import ServiceSettings
from hanpuri.serving.watching.logs import LOGGER

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
NO_ROUTE, NO_METHOD = "none", "other"
"""What a path or a method that nothing answers is counted as: clients cannot make new labels."""
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
ASKED_BY_MACHINES = frozenset({"/healthz", "/readyz", "/metrics"})
"""Routes that are asked every few seconds, all day: they are logged at the level debug."""
GIVEN_ID = re.compile(r"[\w.-]{1,64}", re.ASCII)
LEFT, ENDED = 499, 503
"""The status that is logged where a client left before its answer; and where the service ended before it."""

disable_created_metrics()  # type: ignore[no-untyped-call]  # twice the lines, for when each number began

logger = logging.getLogger(LOGGER)
Paths = Sequence[tuple[re.Pattern[str], str]]
"""Patterns of paths, and how they are written: "/v1/feedback/{id}"."""


class Counters:
    """What a service counts; of several workers, what all of them count together."""

    def __init__(self, folder: Path) -> None:
        self.registry = CollectorRegistry()
        self.shared = folder / NUMBERS if (folder / NUMBERS).is_dir() else None
        asked, model = ("route", "method", "status"), ("model",)
        self._requests = self._counter("requests", "Requests that were answered.", *asked)
        self._refused = self._counter("refused", "Requests that were refused.", "reason")
        self._texts = self._counter("restored_texts", "Texts that were restored.", *model)
        self._characters = self._counter("restored_characters", "Characters of these.", *model)
        self._feedback = self._counter("feedback", "Corrections and votes that were kept, and deleted ones.", "kind")
        self._seconds = self._histogram("request_seconds", "Time from a request's head to its answer's end.", "route")
        self._restoring = self._histogram(
            "restoring_seconds", "Time to restore a request's texts, waiting included.", *model
        )
        self._open = self._gauge("open_requests", "Requests that are being answered now.")
        self._waiting_requests = self._gauge("waiting_requests", "Requests whose texts wait to be restored.")
        self._waiting_characters = self._gauge("waiting_characters", "Characters of these.")
        self._gauge("build_info", "The version that runs.", "version", combined_by="max").labels(__version__).set(1)
        if self.shared is None:
            ProcessCollector(registry=self.registry)

    def restored(self, model: str, num_texts: int, num_characters: int, seconds: float) -> None:
        """Count texts that were restored."""
        self._texts.labels(model).inc(num_texts)
        self._characters.labels(model).inc(num_characters)
        self._restoring.labels(model).observe(seconds)

    def refused(self, reason: str) -> None:
        """Count a request that was refused: "busy", "rate", "key", "size", "host", "origin"."""
        self._refused.labels(reason).inc()

    def waiting(self, num_requests: int, num_characters: int) -> None:
        """Say what waits now, in this worker."""
        self._waiting_requests.set(num_requests)
        self._waiting_characters.set(num_characters)

    def fed_back(self, kind: str) -> None:
        """Count feedback that was kept, "correction" or "vote", or taken back, "deletion"."""
        self._feedback.labels(kind).inc()

    def opened(self) -> None:
        """Count a request that came."""
        self._open.inc()

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        self._open.dec()
        self._requests.labels(route, method, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def write(self, accept: str) -> tuple[bytes, str]:
        """
        Write all numbers in a form of Prometheus.

        Args:
            accept: the forms that the asking one takes, as in its head; what cannot be read means the usual one.

        Returns:
            The numbers, and their media type.
        """
        registry = self.registry
        if self.shared is not None:
            registry = CollectorRegistry()
            MultiProcessCollector(registry, str(self.shared))  # type: ignore[no-untyped-call]
        try:
            encode, media_type = choose_encoder(accept)
            return encode(registry), media_type
        except (TypeError, ValueError):  # a version that is none
            encode, media_type = choose_encoder("")
            return encode(registry), media_type

    def _counter(self, name: str, about: str, *labels: str) -> Counter:
        return Counter(f"hanpuri_{name}", about, labels, registry=self.registry)

    def _histogram(self, name: str, about: str, *labels: str) -> Histogram:
        return Histogram(f"hanpuri_{name}", about, labels, buckets=SECONDS, registry=self.registry)

    def _gauge(self, name: str, about: str, *labels: str, combined_by: Any = "livesum") -> Gauge:
        return Gauge(f"hanpuri_{name}", about, labels, registry=self.registry, multiprocess_mode=combined_by)


def say(request: Mapping[str, Any], **about: object) -> None:
    """
    Say something of a request for its line in the log: `say(request, model="base", texts=3)`; never a text of it.

    Args:
        request: the request, or the scope of one.
        about: what the line shall hold.
    """
    said = (request.get("state") or {}).get("said")
    if said is not None:
        said.update(about)


def count_requests(app: FastAPI, settings: ServiceSettings, routes: Sequence[BaseRoute]) -> None:
    """
    Log and count every request of an application; what it fails at is answered as all faults are.

    Args:
        app: the application.
        settings: say whether bodies are logged.
        routes: its endpoints; what a guard refused has not come to one, but is told by its route all the same.
    """
    paths = [(route.path_regex, route.path) for route in routes if isinstance(route, Route)]
    app.add_middleware(RequestLog, paths=paths, with_bodies=settings.log_texts)


class RequestLog:
    """The outermost layer of an application."""

    def __init__(self, app: ASGIApp, *, paths: Paths = (), with_bodies: bool = False) -> None:
        self.app, self.paths, self.with_bodies = app, paths, with_bodies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and log what became of it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        one = _Request(scope, receive, send, self.paths, with_body=self.with_bodies)
        counters = one.counters
        if counters:
            counters.opened()
        try:
            await one.pass_to(self.app)
        finally:
            one.status = one.status or LEFT
            seconds = time.perf_counter() - one.start
            if counters:
                counters.answered(one.method, one.route, one.status, seconds)
            one.log(seconds)


class _Request:
    """A request on its way."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, paths: Paths, *, with_body: bool) -> None:
        self.start, self.paths = time.perf_counter(), paths
        self.scope, self._receive, self._send = scope, receive, send
        self.id = _id_of(Headers(scope=scope))
        self.said: dict[str, object] = {}
        scope.setdefault("state", {})["said"] = self.said
        self.body = bytearray() if with_body else None
        self.status, self.has_begun = 0, False

    @property
    def counters(self) -> Counters | None:
        service = getattr(self.scope["app"].state, "service", None)
        return None if service is None else service.counters

    @property
    def method(self) -> str:
        method: str = self.scope["method"]
        return method if method in METHODS else NO_METHOD

    @property
    def route(self) -> str:
        """The template of the path, to be asked for once the request was passed on."""
        if found := getattr(self.scope.get("route"), "path", None):
            return str(found)
        asked = path_of(self.scope)
        return next((path for pattern, path in self.paths if pattern.match(asked)), NO_ROUTE)

    async def pass_to(self, app: ASGIApp) -> None:
        try:
            await app(self.scope, self.receive, self.send)
        except ClientDisconnect:
            self.status = LEFT
        except asyncio.CancelledError:
            self.status = ENDED  # nothing else cancels a request: the time to end gracefully is over
            await self._answer_instead("the service ends", "ask again in a moment")
        except Exception as error:
            logger.error("request %s failed", self.id, exc_info=error)
            self.status = 500
            await self._answer_instead("the service failed at this", f"its log says where: look for {self.id}")

    async def receive(self) -> Message:
        message = await self._receive()
        if self.body is not None:
            self.body += message.get("body", b"")
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status, self.has_begun = message["status"], True
            MutableHeaders(scope=message)["X-Request-Id"] = self.id
        await self._send(message)

    async def _answer_instead(self, error: str, mend: str) -> None:
        """Answer a request that nobody answered; in the middle of an answer its end is left out, as HTTP says."""
        if self.has_begun:
            raise ConnectionAbortedError
        # The guards, which lie further in, did not see this answer.
        answer = SecurityHeaders(respond(self.status, error, mend))
        await answer(self.scope, self.receive, self.send)

    def log(self, seconds: float) -> None:
        about = {"status": self.status, "method": self.method, "route": self.route}
        about |= {"milliseconds": round(seconds * 1000, 1)} | self.said
        if self.body:
            about["body"] = self.body.decode("utf-8", "backslashreplace")
        logger.log(self._level(), "", extra={"about": about | {"id": self.id}})

    def _level(self) -> int:
        if self.status >= 500:
            return logging.ERROR
        return logging.DEBUG if self.route in ASKED_BY_MACHINES else logging.INFO


def _id_of(headers: Headers) -> str:
    """
    Take the id that a proxy in front gave to a request, if it is a plain word; else make one.

        >>> _id_of(Headers({"x-request-id": "a-1"})), len(_id_of(Headers({"x-request-id": "a b"})))
        ('a-1', 16)
    """
    given = headers.get("x-request-id", "")
    return given if GIVEN_ID.fullmatch(given) else secrets.token_hex(8)
