"""
What a running service holds: models, language models, feedback, keys, counters.

In: ServiceSettings, and the folder that all workers of one service share while it runs. Out: a Service, for as long as
the application lives; every endpoint finds it with `Depends(service_of)`.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import Request

from hanpuri.noise.obfuscate import obfuscate
from hanpuri.serving.chat.opening import Chat, open_chats
from hanpuri.serving.feedback.store import FeedbackStore, open_store
from hanpuri.serving.guarding.keys import KeyRing, open_keys
from hanpuri.serving.restoring.restorers import Restorers, open_restorers
from hanpuri.serving.running.folders import SECRET
from hanpuri.serving.settings import NO_DATABASE, ServiceSettings
from hanpuri.serving.watching.metrics import Counters

if TYPE_CHECKING:
    from hanpuri.serving.engines import ServedEngine


@dataclass
class Service:
    """All that the endpoints share."""

    settings: ServiceSettings
    folder: Path
    """Files that the workers of one service share while it runs: the secret, rates, counters."""
    restorers: Restorers
    engines: Mapping[str, "ServedEngine"]
    chats: Mapping[str, Chat]
    """Those of the engines that hold a conversation."""
    feedback: FeedbackStore | None
    keys: KeyRing | None
    counters: Counters
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the service was told to end: it is not ready for more."""

    @property
    def secret(self) -> bytes:
        """What this service signs with; it is made anew at each start, one for all workers."""
        return (self.folder / SECRET).read_bytes()


@asynccontextmanager
async def open_service(settings: ServiceSettings, folder: Path) -> AsyncIterator[Service]:
    """
    Open all that is served.

    Raises:
        HanpuriError: if a model, an engine, the key file or the database cannot be opened.
    """
    counters = Counters(folder)
    obfuscate("확")  # its tables are made when they are first needed, in 10 ms
    with _keys(settings, folder) as keys, _engines(settings) as engines, _feedback(settings) as feedback:
        seconds = settings.limits.request_seconds
        async with open_restorers(settings, engines, counters) as restorers, open_chats(engines, seconds) as chats:
            yield Service(settings, folder, restorers, engines, chats, feedback, keys, counters)


async def service_of(request: Request) -> Service:
    """Give the service that a request came to; `async`, for FastAPI calls what is not on a thread of its own."""
    service: Service = request.app.state.service
    return service


@contextmanager
def _keys(settings: ServiceSettings, folder: Path) -> Iterator[KeyRing | None]:
    if settings.api_key_file is None:
        yield None
        return
    with open_keys(settings.api_key_file, folder / "rates") as keys:
        yield keys


@contextmanager
def _engines(settings: ServiceSettings) -> Iterator[Mapping[str, "ServedEngine"]]:
    """Open the language models; a service of compact models alone does not even import what they need."""
    if not settings.engines:
        yield {}
        return
    from hanpuri.serving.engines import open_engines

    with open_engines(settings.engines, settings.limits.queued_requests) as engines:
        yield engines


@contextmanager
def _feedback(settings: ServiceSettings) -> Iterator[FeedbackStore | None]:
    if settings.database == NO_DATABASE:
        yield None
        return
    with open_store(settings.database) as store:
        yield store
