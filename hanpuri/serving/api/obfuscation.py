"""
POST /v1/obfuscate: clean texts ─► noisy texts, by the four sliders of the web generator.

In:  {"text": "화장실이 너무 작아요", "sliders": {"change": 0.3}, "seed": 1}.   Out:

    {"milliseconds": 0.4, "clean": "화장실이 너무 작아요", "noisy": "확창실인 념문 짝앎오",
     "edits": [{"position": 0, "clean": "화", "noisy": "확"}, …]}

or {"texts": […]}, and then {"milliseconds", "results": [{"clean", "noisy", "edits"}, …]}, in their order.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Any, Literal, Self

import orjson
from fastapi import APIRouter, Body, Depends, Request, Response
from pydantic import BaseModel, Field, model_validator

from hanpuri.noise.airbnb import Sliders
from hanpuri.noise.obfuscate import Obfuscation, obfuscate
from hanpuri.serving.asked import Asked, Text, Texts, check_one, documented_faults
from hanpuri.serving.leaving import until_gone
from hanpuri.serving.restoring.marks import order_marks
from hanpuri.serving.restoring.restorers import check_texts
from hanpuri.serving.restoring.turns import SHORT, Kind, Pieces
from hanpuri.serving.service import Service, service_of
from hanpuri.serving.watching.metrics import say

router = APIRouter(tags=["obfuscate"])

OBFUSCATING = "obfuscating"
SLIDERS = {"liaison": 0.5, "doubling": 0.5, "change": 0.2, "tail_insertion": 0.0}
EXAMPLES: Any = {
    "one": {"summary": "One text", "value": {"text": "화장실이 너무 작아요", "seed": 1}},
    "sliders": {"summary": "Gently, with sliders", "value": {"text": "화장실이 너무 작아요", "sliders": SLIDERS}},
    "many": {
        "summary": "As people do it by ear",
        "value": {"texts": ["방이 좁아요", "뷰가 좋아요"], "profile": "hand"},
    },
}
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class SlidersAsked(Asked):
    """The generator's four sliders, each a probability."""

    liaison: Share = Field(default=0.5, description="Tails that move on.")
    doubling: Share = Field(default=0.5, description="Leads copied as tails.")
    change: Share = Field(default=0.5, description="Letters that change.")
    tail_insertion: Share = Field(default=0.5, description="Tails put in.")


class ObfuscateRequest(Asked):
    """One text or many."""

    text: Text = Field(default=None, description="A clean text. Either this or `texts`.")
    texts: Texts = Field(default=None, description="Clean texts.")
    profile: Literal["airbnb", "hand"] = Field(
        default="airbnb", description="The web generator, or the wider manner of people who do it by ear."
    )
    sliders: SlidersAsked = Field(default=SlidersAsked(), description="The four sliders.")
    strength: Share = Field(default=1.0, description="Share of the syllables that may change at all.")
    seed: int = Field(default=0, ge=-(2**63), lt=2**63, description="Which of the many noisy forms.")

    @model_validator(mode="after")
    def _check_one(self) -> Self:
        check_one(self.text, self.texts)
        return self


class ObfuscatedEdit(BaseModel):
    """What changed."""

    position: int = Field(description="In code points from 0.")
    clean: str
    noisy: str


class ObfuscatedText(BaseModel):
    """An obfuscated text."""

    clean: str = Field(description="The text in NFC; positions count its code points.")
    noisy: str = Field(description="The noisy text, of the same length.")
    edits: list[ObfuscatedEdit]


class ObfuscatedOne(ObfuscatedText):
    """The answer to `text`."""

    milliseconds: float


class ObfuscatedMany(BaseModel):
    """The answer to `texts`."""

    milliseconds: float
    results: list[ObfuscatedText] = Field(description="In the order of the texts.")


@router.post(
    "/v1/obfuscate",
    summary="Obfuscate texts",
    response_class=Response,
    responses={200: {"model": ObfuscatedOne | ObfuscatedMany, "description": "Obfuscated."}, **documented_faults(404)},
)
async def make_noisy(
    asked: Annotated[ObfuscateRequest, Body(openapi_examples=EXAMPLES)],
    request: Request,
    service: Annotated[Service, Depends(service_of)],
) -> Response:
    """
    Make Korean unreadable for machines, as guests do in their reviews.

    The same text, settings and seed give the same noise on every machine.
    """
    start = time.perf_counter()
    texts = [asked.text] if asked.text is not None else asked.texts or []
    check_texts(texts, service.settings.limits)
    num_characters = sum(map(len, texts))
    say(request, texts=len(texts), characters=num_characters)
    how = partial(
        obfuscate,
        seed=asked.seed,
        profile=asked.profile,
        sliders=Sliders(**asked.sliders.model_dump()),
        strength=asked.strength,
    )
    work = _Work(texts, how)
    turns = service.restorers.turns
    made = await until_gone(request, turns.run(OBFUSCATING, num_characters, work.prepare, work.finish))
    about = {"milliseconds": round((time.perf_counter() - start) * 1000, 1)}
    body = await turns.beside(num_characters, partial(write, about, made, as_one=asked.text is not None))
    return Response(body, media_type="application/json")


class _Work:
    """The work of one request: a piece is some texts, a few milliseconds long."""

    def __init__(self, texts: Sequence[str], how: Callable[[str], Obfuscation]) -> None:
        self.texts, self.how = texts, how
        self.made: dict[int, Obfuscation] = {}

    def prepare(self) -> Pieces:
        pieces: list[range] = []
        start = size = 0
        for number, text in enumerate(self.texts, start=1):
            size += len(text) + 1
            if size > SHORT or number == len(self.texts):
                pieces.append(range(start, number))
                start, size = number, 0
        return {Kind((OBFUSCATING, id(self)), self.do): pieces}

    def do(self, pieces: Sequence[range]) -> None:
        for piece in pieces:
            for number in piece:
                self.made[number] = self.how(order_marks(self.texts[number]))

    def finish(self) -> list[Obfuscation]:
        return [self.made[number] for number in range(len(self.texts))]


def write(about: dict[str, Any], made: Sequence[Obfuscation], *, as_one: bool) -> bytes:
    """Write the answer, piece by piece: whoever else has something to do can do it in between."""
    if as_one:
        return orjson.dumps(about | _fields(made[0]))
    results = [orjson.Fragment(orjson.dumps(_fields(one))) for one in made]
    return orjson.dumps(about | {"results": results})


def _fields(one: Obfuscation) -> dict[str, Any]:
    edits = [{"position": edit.position, "clean": edit.before, "noisy": edit.after} for edit in one.edits]
    return {"clean": one.clean, "noisy": one.noisy, "edits": edits}
