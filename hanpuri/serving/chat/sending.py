"""
How an answer goes to its client in pieces.

In: pieces, each a dict of JSON. Out: a response in server-sent events, which lets go of what makes the pieces as soon
as nobody hears them any more:

    {"choices": [{"delta": {"content": "네"}, …}], …}   ─►   data: {"choices":[{"delta":{"content":"\\ub124"},…}],…}
"""

import json
import logging
from collections.abc import AsyncGenerator
from typing import Any

from fastapi import Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from hanpuri.errors import HanpuriError
from hanpuri.serving.chat.faults import ChatFault, body_of
from hanpuri.serving.leaving import until_gone
from hanpuri.serving.watching.logs import LOGGER

DONE = b"data: [DONE]\n\n"
Pieces = AsyncGenerator[dict[str, Any], None]


async def begin_stream(request: Request, pieces: Pieces) -> "EventResponse":
    """
    Wait for the first piece, so that what cannot be answered gets its own status, and send it with all that follow.

    Raises:
        ClientDisconnect: if nobody waits any more.
        HanpuriError: if there is no first piece.
    """
    try:
        first = await until_gone(request, anext(pieces))
    except BaseException:
        await pieces.aclose()
        raise
    return EventResponse(first, pieces)


class EventResponse(StreamingResponse):
    """Pieces as server-sent events. However it ends, what makes them is closed."""

    media_type = "text/event-stream"

    def __init__(self, first: dict[str, Any], pieces: Pieces) -> None:
        super().__init__(_events(first, pieces), headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        self._pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, as long as somebody hears it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._pieces.aclose()


def write_event(told: dict[str, Any]) -> bytes:
    r"""
    Write a piece as an event.

        >>> write_event({"a": 1})
        b'data: {"a":1}\n\n'
    """
    return b"data: " + json.dumps(told, separators=(",", ":")).encode() + b"\n\n"


async def _events(first: dict[str, Any], pieces: Pieces) -> AsyncGenerator[bytes, None]:
    yield write_event(first)
    try:
        async for piece in pieces:
            yield write_event(piece)
    except HanpuriError as fault:
        yield write_event(body_of(fault))
    except Exception:
        logging.getLogger(LOGGER).exception("a streamed answer broke off")
        yield write_event(body_of(ChatFault(500, "the answer broke off", "ask again")))
    else:
        yield DONE
