"""
GET /v1/models: what there is to ask, in OpenAI's form; GET /v1/service: what a page has to know of the service.

Out: {"object": "list", "data": [{"id": "base", "object": "model", "created": 1795309200, "owned_by": "hanpuri",
"restores": true, "chats": false, "default": true}, …]}, and {"version": "0.1.0", "limits": {"texts": 1000, …}, …}.
"""

from collections.abc import Iterator
from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from hanpuri import __version__
from hanpuri.serving.asked import documented_faults
from hanpuri.serving.service import Service, service_of

router = APIRouter(tags=["models"])
FAULTS = documented_faults(400, 404, 413, 415, 422, 503)


class ModelAbout(BaseModel):
    """A model that can be asked."""

    id: str
    object: Literal["model"] = "model"
    created: int = Field(description="Seconds since 1970; 0 for a language model, which does not tell.")
    owned_by: Literal["hanpuri"] = "hanpuri"
    restores: bool = Field(description="Whether POST /v1/restore takes it.")
    chats: bool = Field(description="Whether POST /v1/chat/completions takes it.")
    default: bool = Field(description="Whether it answers where no model is asked for.")


class ModelList(BaseModel):
    """All models."""

    object: Literal["list"] = "list"
    data: list[ModelAbout]


class LimitsAbout(BaseModel):
    """How much a request may hold."""

    texts: int
    characters: int = Field(description="Of one text.")
    body_bytes: int


class ServiceAbout(BaseModel):
    """What the service does."""

    version: str
    limits: LimitsAbout
    feedback: bool = Field(description="Whether it takes corrections and votes.")
    compare: bool = Field(description="Whether there are two models to compare.")
    chat: bool = Field(description="Whether a language model answers questions.")


@router.get("/v1/models", summary="List the models", responses=FAULTS)
async def models(service: Annotated[Service, Depends(service_of)]) -> ModelList:
    """Say what there is to ask."""
    return ModelList(data=list(_models(service)))


@router.get("/v1/service", summary="Say what the service does", responses=FAULTS)
async def about(service: Annotated[Service, Depends(service_of)]) -> ServiceAbout:
    """Say what a page has to know: what there is, and how much may be sent."""
    return ServiceAbout(
        version=__version__,
        limits=LimitsAbout.model_validate(service.settings.limits.model_dump(include=set(LimitsAbout.model_fields))),
        feedback=service.feedback is not None,
        compare=len(service.restorers.names) > 1,
        chat=bool(service.chats),
    )


def _models(service: Service) -> Iterator[ModelAbout]:
    restorers = service.restorers
    first = next(iter(restorers.names), None)
    for name, model in restorers.models.items():
        yield ModelAbout(id=name, created=model.created, restores=True, chats=False, default=name == first)
    for name in service.engines:
        restores, chats = name in restorers.names, name in service.chats
        yield ModelAbout(id=name, created=0, restores=restores, chats=chats, default=name == first)
