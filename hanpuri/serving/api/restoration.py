"""
POST /v1/restore: noisy texts ─► restored texts, with what changed, how sure the model is, and what else it could be.

In:  {"text": "확잠실읾 념뭄 잙앙욤", "alternatives": 3}.   Out:

    {"model": "base", "milliseconds": 12.3, "noisy": "확잠실읾 …", "text": "화장실이 …", "confidences": [0.99, …],
     "edits": [{"position": 0, "noisy": "확", "restored": "화", "confidence": 0.99}, …], "alternatives": []}

or {"texts": […]}, and then {"model", "milliseconds", "results": [{"noisy", "text", …}, …]}, in their order.
"""

import time
from collections.abc import Sequence
from typing import Annotated, Any, Self

import orjson
from fastapi import APIRouter, Body, Depends, Request, Response
from pydantic import BaseModel, Field, model_validator

from hanpuri.compact.restoring.runtime import Reach
from hanpuri.serving.asked import Asked, Text, Texts, check_one, documented_faults
from hanpuri.serving.leaving import until_gone
from hanpuri.serving.restoring.restorers import Edit, Restored
from hanpuri.serving.service import Service, service_of
from hanpuri.serving.watching.metrics import say

router = APIRouter(tags=["restore"])

MAX_ALTERNATIVES = 5
REVIEWS = ["확잠실읾 념뭄 잙앙욤", "뷰갸 녀뮤 좋핬써욘 😀"]
EXAMPLES: Any = {
    "one": {"summary": "One review", "value": {"text": REVIEWS[0]}},
    "unsure": {
        "summary": "With alternatives where the model is unsure",
        "value": {"text": "빵 옌 냄쌔", "alternatives": 3},
    },
    "wide": {
        "summary": "Signs, other scripts and loose letters too",
        "value": {"text": "ㄱr격二 녀뮤 비싸욘 ✧ ♤ ≥ㅁ≤", "reach": "wide"},
    },
    "many": {"summary": "Many reviews, with the smaller model", "value": {"texts": REVIEWS, "model": "small"}},
}


class RestoreRequest(Asked):
    """One text or many."""

    text: Text = Field(default=None, description="A noisy text. Either this or `texts`.")
    texts: Texts = Field(default=None, description="Noisy texts.")
    model: str | None = Field(default=None, description="One of the models of GET /v1/models; the first, if not given.")
    alternatives: int = Field(
        default=0,
        ge=0,
        le=MAX_ALTERNATIVES,
        description="How many syllables to name where the model is unsure. Compact models do; the time is the same.",
    )

    reach: Reach = Field(
        default="syllables",
        description="wide reads signs, other scripts and loose letters too, and lengths may change. Of compact models.",
    )

    spacing: bool = Field(default=False, description="Whether spaces are moved too; with a wide reach.")

    @model_validator(mode="after")
    def _check_one(self) -> Self:
        check_one(self.text, self.texts)
        if self.spacing and self.reach != "wide":
            raise ValueError("found spacing, expected reach wide with it")
        return self


class RestoredEdit(BaseModel):
    """What changed."""

    position: int = Field(description="Where it stands in `noisy`, in code points from 0.")
    noisy: str = Field(description="What stood there; several characters or none, of a language model or if wide.")
    restored: str = Field(description="What takes its place; put in everywhere, this gives `text`.")
    confidence: float | None = Field(description="The model's probability; null, if it does not tell.")
    kind: str = Field(default="sound", description="How it was hidden, such as hanja or symbol; if the reach is wide.")


class Choice(BaseModel):
    """A syllable that could stand in a place."""

    text: str
    confidence: float


class Choices(BaseModel):
    """What could stand in a place where the model is unsure."""

    position: int = Field(description="Where it stands in `noisy`.")
    choices: list[Choice] = Field(description="From the likeliest down; the first one is that of `text`.")


class RestoredText(BaseModel):
    """A restored text."""

    noisy: str = Field(description="The text in NFC; positions count its code points.")
    text: str = Field(description="The restored text.")
    edits: list[RestoredEdit]
    confidences: list[float] | None = Field(
        description="The model's probability for each code point of `text`, 1 where it has no say; null, if untold."
    )
    alternatives: list[Choices]


class RestoredOne(RestoredText):
    """The answer to `text`."""

    model: str
    milliseconds: float = Field(description="From the request to its result, waiting included.")


class RestoredMany(BaseModel):
    """The answer to `texts`."""

    model: str
    milliseconds: float
    results: list[RestoredText] = Field(description="In the order of the texts.")


@router.post(
    "/v1/restore",
    summary="Restore texts",
    response_class=Response,
    responses={200: {"model": RestoredOne | RestoredMany, "description": "Restored."}, **documented_faults()},
)
async def restore(
    asked: Annotated[RestoreRequest, Body(openapi_examples=EXAMPLES)],
    request: Request,
    service: Annotated[Service, Depends(service_of)],
) -> Response:
    """
    Make obfuscated Korean readable.

    A compact model keeps length, spacing and every character but 가–힣, unless the reach is wide. The result of a text
    does not depend on what else is asked.
    """
    start = time.perf_counter()
    texts = [asked.text] if asked.text is not None else asked.texts or []
    model = service.restorers.find(asked.model)
    num_characters = sum(map(len, texts))
    say(request, model=model, texts=len(texts), characters=num_characters)
    work = service.restorers.restore(
        texts, model=model, alternatives=asked.alternatives, reach=asked.reach, spacing=asked.spacing
    )
    restored = await until_gone(request, work)
    about = {"model": model, "milliseconds": round((time.perf_counter() - start) * 1000, 1)}
    body = await service.restorers.turns.beside(
        num_characters, lambda: write(about, restored, as_one=asked.text is not None)
    )
    return Response(body, media_type="application/json")


def write(about: dict[str, Any], restored: Sequence[Restored], *, as_one: bool) -> bytes:
    """Write the answer, piece by piece: whoever else has something to do can do it in between."""
    if as_one:
        return orjson.dumps(about | _fields(restored[0]))
    results = [orjson.Fragment(orjson.dumps(_fields(one))) for one in restored]
    return orjson.dumps(about | {"results": results})


def _fields(one: Restored) -> dict[str, Any]:
    """Give what JSON shall hold of a text; no pydantic, which would look at each of its characters."""
    return {
        "noisy": one.noisy,
        "text": one.text,
        "edits": [_edit_fields(edit) for edit in one.edits],
        "confidences": one.confidences,
        "alternatives": [
            {"position": position, "choices": [choice._asdict() for choice in choices]}
            for position, choices in one.alternatives.items()
        ],
    }


def _edit_fields(edit: Edit) -> dict[str, Any]:
    fields = edit._asdict()
    if edit.kind is None:
        del fields["kind"]
    return fields
