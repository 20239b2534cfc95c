"""
Why a chat got no answer, in the form that OpenAI's clients read.

In: a ChatFault, a body that does not fit, any other fault. Out: a status, and

    {"error": {"message": "n: Input should be 1", "type": "invalid_request_error", "param": "n", "code": null},
     "mend": "see /docs for what is expected"}
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from hanpuri.data.files.formats import nearest
from hanpuri.errors import HanpuriError
from hanpuri.serving.chat.request import ChatRequest, Message
from hanpuri.serving.faults import ServiceFault, describe, retry_header

TYPES: Mapping[int, str] = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
TOO_LONG = "context_length_exceeded"
NOT_FOUND = "model_not_found"
UNSUPPORTED = "unsupported_parameter"
LATER = "come again later"
BUSY_SECONDS = 2.0
"""When a client may come again where nobody knows it better."""
MEND = "see /docs for what is expected"
TOLD = 80
"""Characters of a field's name that are told."""


class ChatFault(ServiceFault):
    """A fault of a chat: `param` is the field of the request that it lies in, `code` what programs know it by."""

    def __init__(
        self,
        status: int,
        message: str,
        mend: str,
        *,
        param: str | None = None,
        code: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(status, message, mend, retry_after=retry_after)
        self.param, self.code = param, code


@asynccontextmanager
async def waiting_for_turn(name: str, seconds: float) -> AsyncIterator[None]:
    """
    Wait for so long at most, in an `async with`.

    Raises:
        ChatFault: 429, if it took longer.
    """
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise ChatFault(429, f"{name} has too much to do", LATER, retry_after=BUSY_SECONDS) from None


class ChatRoute(APIRoute):
    """A route whose faults all have OpenAI's form."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Answer as FastAPI does, unless something is wrong."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handle(request)
            except RequestValidationError as error:
                return respond(fault_of_body(error))
            except HanpuriError as error:
                return respond(error)
            except HTTPException as error:  # such as bytes that are no UTF-8
                return respond(ChatFault(error.status_code, str(error.detail), MEND))

        return answer


def respond(fault: HanpuriError) -> Response:
    """Write a fault as the answer to a request."""
    status = fault.status if isinstance(fault, ServiceFault) else 400
    seconds = fault.retry_after if isinstance(fault, ServiceFault) else None
    return JSONResponse(body_of(fault), status, retry_header(seconds))


def body_of(fault: HanpuriError) -> dict[str, Any]:
    """
    Write a fault in OpenAI's form; ours, the mend, stands beside it.

        >>> body_of(ChatFault(404, "there is no model faw", "ask for faq", param="model"))["error"]
        {'message': 'there is no model faw', 'type': 'invalid_request_error', 'param': 'model', 'code': None}
    """
    status = fault.status if isinstance(fault, ServiceFault) else 400
    usual = "server_error" if status >= 500 else "invalid_request_error"
    param, code = (fault.param, fault.code) if isinstance(fault, ChatFault) else (None, None)
    about = {"message": fault.message, "type": TYPES.get(status, usual), "param": param, "code": code}
    return {"error": about, "mend": fault.mend}


def fault_of_body(error: RequestValidationError) -> ChatFault:
    """Say what of a body does not fit: its first fault."""
    first = error.errors()[0]
    place = [str(part) for part in first["loc"][1:]]
    if first["type"] == "json_invalid":
        return ChatFault(400, "found no JSON", "send an object of JSON")
    where = ".".join(place)[:TOLD] or None
    if first["type"] != "extra_forbidden":
        return ChatFault(400, describe(first), MEND, param=where)
    guess = nearest(place[-1][:TOLD], {*ChatRequest.model_fields, *Message.model_fields})
    mend = f"did you mean {guess}?" if guess else MEND
    return ChatFault(400, f"{where}: there is no such field", mend, param=where, code="unknown_parameter")
