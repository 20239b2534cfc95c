"""
Keys at the door: who shows none is told so, who asks too often is told when to come again.

In:  `Authorization: Bearer hanpuri_3q2…` or `X-API-Key: hanpuri_3q2…`.
Out: the answer with `X-RateLimit-Remaining: 598`; or 401, or 429 with `Retry-After`.
"""

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hanpuri.serving.faults import ServiceFault
from hanpuri.serving.guarding.keys import KeyRing
from hanpuri.serving.guarding.paths import needs_key, path_of
from hanpuri.serving.guarding.rates import Allowance
from hanpuri.serving.guarding.refusals import refuse, service_in
from hanpuri.serving.watching.metrics import say

SCHEME = "Bearer"
ASK_FOR_KEY = {"WWW-Authenticate": SCHEME}
SHOW_KEY = "send Authorization: Bearer KEY, or X-API-Key: KEY"


class Entrance:
    """Lets in who has a key, as often as it allows."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Look at the key of a request, where one is needed."""
        ring = service_in(scope).keys if scope["type"] == "http" and needs_key(path_of(scope)) else None
        if ring is None:
            await self.app(scope, receive, send)
            return
        shown = shown_key(Headers(scope=scope))
        key = ring.find(shown) if shown else None
        if key is None:
            await _refuse_stranger(scope, receive, send, ring, bool(shown))
            return
        say(scope, key=key.name)
        allowance = ring.spend(key)
        if allowance.wait_seconds is None:
            await self.app(scope, receive, _with_headers(send, allowance))
            return
        found = f"found more than {key.requests_per_minute:,} requests a minute"
        fault = ServiceFault(429, found, "come again later", retry_after=allowance.wait_seconds)
        await refuse(scope, receive, send, fault, "rate", allowance.headers)


async def _refuse_stranger(scope: Scope, receive: Receive, send: Send, ring: KeyRing, has_shown: bool) -> None:
    """Send away who has no good key, and slow down who keeps trying."""
    client = scope.get("client")
    allowance = ring.spend_failure(client[0] if client else "")
    if allowance.wait_seconds is not None:
        found = "found too many requests without a good key"
        fault = ServiceFault(429, found, SHOW_KEY, retry_after=allowance.wait_seconds)
        await refuse(scope, receive, send, fault, "rate")
        return
    fault = ServiceFault(401, f"found {'an unknown' if has_shown else 'no'} key, expected an API key", SHOW_KEY)
    await refuse(scope, receive, send, fault, "key", ASK_FOR_KEY)


def shown_key(headers: Headers) -> str | None:
    """
    Find the key that a request shows.

        >>> shown_key(Headers({"Authorization": "bearer hanpuri_x"})), shown_key(Headers({"X-API-Key": "hanpuri_y"}))
        ('hanpuri_x', 'hanpuri_y')
    """
    scheme, _, key = headers.get("authorization", "").partition(" ")
    if scheme.lower() == SCHEME.lower() and key.strip():
        return key.strip()
    return headers.get("x-api-key", "").strip() or None


def _with_headers(send: Send, allowance: Allowance) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in allowance.headers.items():
                headers[name] = value
        await send(message)

    return send_with_headers
