"""
What a client is told when it cannot be helped: one form for all, {"error", "mend"}, with the right status.

In: a HanpuriError, a request that does not fit, a full queue. Out:

    422  {"error": "texts: found 1,001 texts, expected 1,000 at most", "mend": "send them in several requests"}
"""

import math
from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from hanpuri.errors import HanpuriError

MENDS = {
    400: "send JSON in UTF-8, not nested deeply",
    404: "see /docs for what there is",
    405: "see /docs for the method",
}
TOLD = 40
"""Characters of a field's name that are said again: it may be a text in the wrong place."""


class Fault(BaseModel):
    """What every answer but a good one holds."""

    error: str
    """What was found and what was expected."""
    mend: str
    """What to do."""


class ServiceFault(HanpuriError):
    """A fault with a status of HTTP; `retry_after` seconds are said in the head of the answer."""

    def __init__(self, status: int, message: str, mend: str, *, retry_after: float | None = None) -> None:
        super().__init__(message, mend)
        self.status, self.retry_after = status, retry_after


def respond(status: int, error: str, mend: str, headers: dict[str, str] | None = None) -> Response:
    """Write a fault as the answer to a request."""
    return JSONResponse({"error": error, "mend": mend}, status, headers)


def retry_header(seconds: float | None) -> dict[str, str]:
    """
    Write in how many seconds a client may come again.

        >>> retry_header(0.2), retry_header(2.0), retry_header(None)
        ({'Retry-After': '1'}, {'Retry-After': '2'}, {})
    """
    return {} if seconds is None else {"Retry-After": str(max(1, math.ceil(seconds)))}


def say_faults_alike(app: FastAPI) -> None:
    """Have every fault of an application answered in the one form."""
    app.add_exception_handler(HanpuriError, _of_hanpuri)
    app.add_exception_handler(RequestValidationError, _of_validation)
    app.add_exception_handler(HTTPException, _of_http)


async def _of_hanpuri(request: Request, error: Exception) -> Response:
    assert isinstance(error, HanpuriError)
    if isinstance(error, ServiceFault):
        return respond(error.status, error.message, error.mend, retry_header(error.retry_after))
    return respond(422, error.message, error.mend)


async def _of_validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return respond(422, "; ".join(describe(fault) for fault in error.errors()[:5]), "see /docs for what is expected")


async def _of_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    mend = MENDS.get(error.status_code, "see /docs")
    return respond(error.status_code, str(error.detail), mend, dict(error.headers or {}))


def describe(fault: dict[str, Any]) -> str:
    """
    Say one fault of a body: where it stands and what was expected; never what was sent, which may be a secret text.

        >>> describe({"loc": ("body", "texts", 3), "msg": "Input should be a valid string"})
        'texts.3: Input should be a valid string'
    """
    place: Sequence[Any] = [part for part in fault["loc"] if part not in ("body", "query", "path")]
    where = ".".join(str(part)[:TOLD] for part in place) or "the body"
    return f"{where}: {fault['msg'].removeprefix('Value error, ')}"
