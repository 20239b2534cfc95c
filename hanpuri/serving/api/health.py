"""
Whether the service lives, whether it is ready for more, and what it counted: for what watches it.

In: GET /healthz, /readyz, /metrics. Out: {"status": "ok"}; {"status": "ready"}, or 503 with what is missing, such as

    {"error": "the service ends", "mend": "ask another one, or later"}

and numbers in Prometheus' form. Machines ask all day: these requests are not in the log, unless it is at debug.
"""

import logging
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel

from hanpuri.errors import EngineError
from hanpuri.serving.faults import Fault, ServiceFault
from hanpuri.serving.service import Service, service_of
from hanpuri.serving.watching.logs import LOGGER

NOBODY = UUID(int=0)
"""An id that nothing has: to look for it is a cheap question to a database."""

logger = logging.getLogger(LOGGER)
router = APIRouter(tags=["watching"])


class Alive(BaseModel):
    """It lives."""

    status: Literal["ok"] = "ok"


class Ready(BaseModel):
    """It can be asked."""

    status: Literal["ready"] = "ready"


@router.get("/healthz", summary="Does it live?")
async def healthz() -> Alive:
    """Say that the process lives and answers; one that does not shall be started anew."""
    return Alive()


@router.get("/readyz", summary="Can it be asked?", responses={503: {"model": Fault}})
def readyz(service: Annotated[Service, Depends(service_of)]) -> Ready:
    """Say whether the service can be asked: not while it ends, and not while its database does not answer."""
    if service.closing.is_set():
        raise ServiceFault(503, "the service ends", "ask another one, or later")
    if service.feedback is not None:
        try:
            service.feedback.find(NOBODY)
        except EngineError as error:
            logger.warning("feedback cannot be kept: %s", error)
            raise ServiceFault(503, "the database of feedback does not answer", "see the log of the service") from None
    return Ready()


@router.get(
    "/metrics",
    summary="What was counted",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}, "application/openmetrics-text": {}}}},
)
def metrics(request: Request, service: Annotated[Service, Depends(service_of)]) -> Response:
    """Write what was counted, by all workers together, in the form of Prometheus that is asked for."""
    numbers, media_type = service.counters.write(request.headers.get("accept", ""))
    return Response(numbers, media_type=media_type)
