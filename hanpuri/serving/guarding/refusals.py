"""
How a guard sends a request away: in the one form, counted, and without a break that would lose the answer.

In: a ServiceFault.  Out: 413 {"error": "found a body of more than 1,000,000 bytes", "mend": "…"}, then the end.

A client that is told no while it is still sending may never read why: a connection closed on unread bytes is reset,
which throws the answer away too. So what it sends is taken and dropped for a while, before the connection is closed.
"""

import asyncio
from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from hanpuri.serving.chat.faults import respond as respond_in_chat
from hanpuri.serving.faults import ServiceFault, respond, retry_header
from hanpuri.serving.guarding.paths import CHAT, path_of
from hanpuri.serving.service import Service

LINGER_SECONDS = 2.0
LINGER_BYTES = 50_000_000


async def refuse(
    scope: Scope,
    receive: Receive,
    send: Send,
    fault: ServiceFault,
    reason: str,
    headers: Mapping[str, str] | None = None,
    *,
    unread: bool | None = None,
) -> None:
    """
    Answer with a fault, in the place of the application.

    Args:
        scope: the request.
        receive: gives what is left of its body.
        send: takes the answer.
        fault: what is answered.
        reason: as it is counted: "key", "rate", "size", "slow", "busy", "type", "host", "origin".
        headers: more of them.
        unread: whether some of its body was not received; if not given, whether it has one.
    """
    service_in(scope).counters.refused(reason)
    unread = has_body(scope) if unread is None else unread
    response = _answer(scope, fault)
    response.headers.update({**(headers or {}), **({"Connection": "close"} if unread else {})})
    if not unread:
        await response(scope, receive, send)
        return

    async def send_open(message: Message) -> None:
        await send({**message, "more_body": True} if message["type"] == "http.response.body" else message)

    await response(scope, receive, send_open)
    await _drop_body(receive)
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def has_body(scope: Scope) -> bool:
    """Say whether a request brings a body."""
    headers = Headers(scope=scope)
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


def service_in(scope: Scope) -> Service:
    """Give the service that a request came to; FastAPI puts the application into the scope before the guards."""
    service: Service = scope["app"].state.service
    return service


def _answer(scope: Scope, fault: ServiceFault) -> Response:
    """Write a fault as the asked endpoint does: OpenAI's clients read only their own form."""
    if path_of(scope).startswith(CHAT):
        return respond_in_chat(fault)
    return respond(fault.status, fault.message, fault.mend, retry_header(fault.retry_after))


async def _drop_body(receive: Receive) -> None:
    num_bytes = 0
    try:
        async with asyncio.timeout(LINGER_SECONDS):
            while num_bytes < LINGER_BYTES:
                message = await receive()
                num_bytes += len(message.get("body", b""))
                if not message.get("more_body", False):
                    return
    except TimeoutError:
        pass
