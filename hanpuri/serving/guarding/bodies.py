"""
The body of a request, taken whole before anybody looks at it: not too long, not too slow, JSON.

In: pieces, as they come.  Out: the body in one piece; or 413, 408, 415, or 400 for what is no UTF-8.

Starlette's own limit counts while an endpoint reads, and then leaves a client that goes on sending; here the answer
waits for nobody's endpoint, holds no place in a queue while a slow client sends, and is read by the client.
"""

import asyncio
from email.message import Message as MimeMessage

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hanpuri.serving.faults import ServiceFault
from hanpuri.serving.guarding.refusals import has_body, refuse
from hanpuri.serving.settings import Limits

MOST_BODIES = 100
"""Bodies of full length that may be half sent, in each worker: slow clients shall not fill the memory."""
BUSY_SECONDS = 2.0
WITH_JSON = {"POST", "PUT", "PATCH"}


class Bodies:
    """Gives the application bodies that are complete, and small enough."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self.app, self.max_bytes, self.seconds = app, limits.body_bytes, limits.request_seconds
        self.num_held, self.max_held = 0, MOST_BODIES * limits.body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take the body of a request, and pass both on."""
        if scope["type"] != "http" or not has_body(scope):
            await self.app(scope, receive, send)
            return
        try:
            self._check_head(scope)
            body = await self._read(receive)
            _check_encoding(body)
        except _Refused as refused:
            await refuse(scope, receive, send, refused.fault, refused.reason, unread=refused.unread)
            return
        await self.app(scope, _given(body, receive), send)

    def _check_head(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        encoding = headers.get("content-encoding", "identity").strip().lower()
        if encoding != "identity":
            raise _Refused(415, "Content-Encoding: found a packed body", "send it as it is", "type")
        if scope["method"] in WITH_JSON and not is_json(headers.get("content-type", "")):
            raise _Refused(415, "Content-Type: expected application/json", "send JSON, and say so", "type")
        length = headers.get("content-length", "0").lstrip("0") or "0"
        if not length.isdecimal() or int(length[:20]) > self.max_bytes:
            raise self._too_long()

    async def _read(self, receive: Receive) -> bytes:
        """Take the whole body."""
        body = bytearray()  # not a list of pieces: each may be a single byte
        try:
            async with asyncio.timeout(self.seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise ClientDisconnect
                    piece = message.get("body", b"")
                    body += piece
                    self.num_held += len(piece)
                    more = message.get("more_body", False)
                    self._check_length(body, unread=more)
                    if not more:
                        return bytes(body)
        except TimeoutError:
            found = f"found {len(body):,} bytes of a body after {self.seconds:g} seconds, expected all of it"
            raise _Refused(408, found, "send it faster, or in smaller parts", "slow") from None
        finally:
            self.num_held -= len(body)

    def _check_length(self, body: bytearray, *, unread: bool) -> None:
        if len(body) > self.max_bytes:
            raise self._too_long(unread=unread)
        if self.num_held > self.max_held:
            found = f"found {self.num_held:,} bytes of bodies that are still being sent"
            raise _Refused(429, found, "come again later", "busy", unread=unread, retry_after=BUSY_SECONDS)

    def _too_long(self, *, unread: bool = True) -> "_Refused":
        found = f"found a body of more than {self.max_bytes:,} bytes"
        return _Refused(413, found, "send the texts in several requests", "size", unread=unread)


class _Refused(Exception):
    """A body that is not taken; `unread` tells whether more of it is to come."""

    def __init__(
        self, status: int, found: str, mend: str, reason: str, *, unread: bool = True, retry_after: float | None = None
    ) -> None:
        super().__init__(found)
        self.fault = ServiceFault(status, found, mend, retry_after=retry_after)
        self.reason, self.unread = reason, unread


def _check_encoding(body: bytes) -> None:
    """Refuse what is no UTF-8: Python reads also UTF-16, and halves of surrogate pairs, which no answer can hold."""
    try:
        body.decode()
    except UnicodeDecodeError as error:
        found = f"found a byte that is no UTF-8 at {error.start:,}"
        raise _Refused(400, found, "send JSON in UTF-8", "type", unread=False) from None


def is_json(content_type: str) -> bool:
    """
    Say whether a Content-Type is JSON's.

        >>> is_json("application/json; charset=utf-8"), is_json("text/plain"), is_json("application/problem+json")
        (True, False, True)
    """
    parsed = MimeMessage()
    parsed["content-type"] = content_type
    kind = parsed.get_content_type()
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


def _given(body: bytes, receive: Receive) -> Receive:
    """Receive a body that was read already; then what comes after it: that the client has gone."""
    was_given = False

    async def receive_again() -> Message:
        nonlocal was_given
        if was_given:
            return await receive()
        was_given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_again
