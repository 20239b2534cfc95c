"""
POST /v1/compare: one noisy text ─► two restorations, side by side, without the names of their models.

In:  {"text": "확잠실읾 념뭄 잙앙욤", "models": ["base", "small"]}.   Out:

    {"comparison": "eyJ…", "noisy": "확잠실읾 념뭄 잙앙욤", "right": {…}, "same": false,
     "left": {"text": "화장실이 너무 작아요", "edits": [{"position": 0, "noisy": "확", "restored": "화"}, …]}}

What could tell the models apart is left out: times, confidences, alternatives. `POST /v1/feedback` takes the vote
together with the token, and then names them.
"""

import asyncio
import secrets
from collections.abc import Sequence
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Body, Depends, Request, Response
from pydantic import BaseModel, Field

from hanpuri.serving.asked import Asked, GivenText, Texts, documented_faults
from hanpuri.serving.comparison import sign_comparison
from hanpuri.serving.faults import ServiceFault
from hanpuri.serving.leaving import until_gone
from hanpuri.serving.restoring.restorers import Restored, Restorers
from hanpuri.serving.service import Service, service_of
from hanpuri.serving.watching.metrics import say

router = APIRouter(tags=["compare"])

EXAMPLES: Any = {
    "first two": {"summary": "The first two models", "value": {"text": "확잠실읾 념뭄 잙앙욤"}},
    "told": {"summary": "Two models by name", "value": {"text": "확잠실읾 념뭄", "models": ["small", "base"]}},
}


class CompareRequest(Asked):
    """A text that two models shall restore."""

    text: GivenText = Field(description="The noisy text.")
    models: Texts = Field(
        default=None,
        min_length=2,
        max_length=2,
        description="Two of the models of GET /v1/models, in any order; the first two, if not given.",
    )


class ComparedEdit(BaseModel):
    """One place that a model changed."""

    position: int = Field(description="Where it stands in `noisy`, in code points from 0.")
    noisy: str
    restored: str


class Side(BaseModel):
    """What one of the two models made of the text."""

    text: str
    edits: list[ComparedEdit]


class Compared(BaseModel):
    """Two restorations; a coin decided which model is left."""

    comparison: str = Field(description="A token that a vote has to carry; it is good for a day.")
    noisy: str = Field(description="The text in NFC.")
    left: Side
    right: Side
    same: bool = Field(description="Whether both models made the same text, which leaves nothing to vote on.")


@router.post(
    "/v1/compare",
    summary="Restore a text with two models, blind",
    response_class=Response,
    responses={200: {"model": Compared, "description": "Restored twice."}, **documented_faults()},
)
async def compare(
    asked: Annotated[CompareRequest, Body(openapi_examples=EXAMPLES)],
    request: Request,
    service: Annotated[Service, Depends(service_of)],
) -> Response:
    """Restore a text with two models, and do not tell which is which before a vote."""
    names = _two_models(service.restorers, asked.models)
    if secrets.randbits(1):
        names.reverse()
    # In the log they stand in the order of the alphabet, too: it would tell the sides.
    say(request, model="+".join(sorted(names)), texts=1, characters=len(asked.text))
    left, right = await until_gone(request, _restore_with_both(service.restorers, asked.text, names))
    token = sign_comparison(service.secret, names[0], names[1], left.noisy, left.text, right.text)
    sides = {"left": _side(left), "right": _side(right), "same": left.text == right.text}
    return Response(orjson.dumps({"comparison": token, "noisy": left.noisy, **sides}), media_type="application/json")


def _two_models(restorers: Restorers, asked: Sequence[str] | None) -> list[str]:
    served = restorers.names
    if len(served) < 2:
        found = f"comparing needs two models, this service has {len(served)}"
        raise ServiceFault(404, found, "start it with two: hanpuri serve --model base --model small")
    names = list(served[:2]) if asked is None else [restorers.find(name) for name in asked]
    if names[0] == names[1]:
        raise ServiceFault(422, "models: found one model twice, expected two", "see /v1/models for what there is")
    return names


async def _restore_with_both(restorers: Restorers, text: str, names: Sequence[str]) -> list[Restored]:
    """Ask both models at once; where one cannot answer, the other's answer is of no use and is given up."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(restorers.restore([text], model=name)) for name in names]
    except ExceptionGroup as faults:
        raise faults.exceptions[0] from None  # as it would be raised of one model, with its status
    return [task.result()[0] for task in tasks]


def _side(restored: Restored) -> dict[str, Any]:
    edits = [{"position": one.position, "noisy": one.noisy, "restored": one.restored} for one in restored.edits]
    return {"text": restored.text, "edits": edits}
