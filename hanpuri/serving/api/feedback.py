"""
POST /v1/feedback: a correction or a vote is kept; DELETE /v1/feedback/{id}: it is gone.

In:  {"kind": "correction", "noisy": "확잠실읾", "restored": "확장실이", "corrected": "화장실이", "consent": true}

    201  {"id": "6f1c…"}   once it is on the disk; sent again with this id: 200, and nothing is kept twice

A client that draws the id itself, a random UUID, can send again whatever got no answer. Who knows an id may delete it.
"""

import logging
from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID, uuid4

from anyio import fail_after, to_thread
from fastapi import APIRouter, Depends, Request, Response
from pydantic import (
    UUID4,
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic.config import JsonDict

from hanpuri.errors import EngineError
from hanpuri.serving.asked import Asked, documented_faults
from hanpuri.serving.comparison import read_comparison
from hanpuri.serving.faults import Fault, ServiceFault
from hanpuri.serving.feedback.database import CONNECTIONS
from hanpuri.serving.feedback.said import Choice, Correction, Said, Vote, hide_visitor, is_sound, normal, same_content
from hanpuri.serving.feedback.store import Added, FeedbackStore
from hanpuri.serving.service import Service, service_of
from hanpuri.serving.watching.logs import LOGGER
from hanpuri.serving.watching.metrics import say

AWAY_SECONDS, BUSY_SECONDS = 5.0, 2.0
"""When a client may come again: while the database is away, and while too many wait for it."""
EXAMPLE: JsonDict = {
    "kind": "correction",
    "noisy": "확잠실읾 념뭄 잙앙욤",
    "restored": "확장실이 너무 작아요",
    "corrected": "화장실이 너무 작아요",
    "consent": True,
}
EXAMPLE_VOTE: JsonDict = {
    "kind": "vote",
    "comparison": "what POST /v1/compare gave",
    "noisy": "확잠실읾 념뭄 잙앙욤",
    "left": "화장실이 너무 작아요",
    "right": "확장실이 너무 작아요",
    "choice": "left",
    "consent": True,
}

router = APIRouter(tags=["feedback"])
logger = logging.getLogger(LOGGER)
Result = TypeVar("Result")


def _sound(text: str) -> str:
    if not is_sound(text):
        raise ValueError("found the character U+0000 or half a surrogate pair, expected text that can be kept")
    return text


def _told(text: str) -> str:
    if not text.strip():
        raise ValueError("found nothing but white space, expected a text")
    return text


def _any_id(sent: Any, read: ValidatorFunctionWrapHandler) -> Any:
    try:
        return read(sent)
    except ValidationError:  # whose words hold a letter of what was sent
        raise ValueError("expected a UUID") from None


def _random_id(sent: Any, read: ValidatorFunctionWrapHandler) -> Any:
    try:
        return read(sent)
    except ValidationError:
        raise ValueError("expected a random UUID (version 4)") from None


AnyText = Annotated[str, AfterValidator(_sound)]
Text = Annotated[AnyText, AfterValidator(_told)]
Name = Annotated[str, Field(max_length=200), AfterValidator(_sound), AfterValidator(_told)]
Token = Annotated[str, Field(max_length=4_000), AfterValidator(_sound)]
Id = Annotated[UUID4, Field(strict=False), WrapValidator(_random_id)]
"""Not one that could be guessed: who knows it may delete what it is of."""


class _Feedback(Asked):
    """What both kinds hold."""

    noisy: Text = Field(description="The text that was given.")
    consent: bool = Field(description="Whether models may learn from it; without consent no export holds it.")
    visitor: Name | None = Field(
        default=None,
        description="Who says it: a random word that a browser keeps. It is hashed; the last word of a visitor counts.",
    )
    id: Id | None = Field(
        default=None,
        description="A random UUID, so that the same can be sent again; the service draws one, if missing.",
    )


class CorrectionRequest(_Feedback):
    """What a person made of a restored text."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    kind: Literal["correction"]
    restored: Text = Field(description="What came back for it.")
    corrected: Text | None = Field(default=None, description="The right text.")
    accepted: bool | None = Field(default=None, description="true: restored is right as it is.")
    model: Name | None = Field(default=None, description="The model that restored it.")


class VoteRequest(_Feedback):
    """Which of two texts of POST /v1/compare is better."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE_VOTE]})

    kind: Literal["vote"]
    comparison: Token = Field(description="The token of POST /v1/compare.")
    left: AnyText = Field(description="The left text, as it came.")
    right: AnyText = Field(description="The right text, as it came.")
    choice: Choice


def _kind(body: Any) -> str | None:
    found = body.get("kind") if isinstance(body, dict) else getattr(body, "kind", None)
    return found if isinstance(found, str) else None


FeedbackRequest = Annotated[
    Annotated[CorrectionRequest, Tag("correction")] | Annotated[VoteRequest, Tag("vote")],
    # A function, as only with one the words of the fault can be ours: pydantic's own repeat what was sent.
    Discriminator(
        _kind, custom_error_type="kind", custom_error_message='expected "kind": "correction" or "kind": "vote"'
    ),
]


class Sides(BaseModel):
    """Which models were compared."""

    left: str
    right: str


class Kept(BaseModel):
    """What was kept; a vote is told whose texts these were."""

    id: UUID
    models: Sides | None = None


def store_of(service: Annotated[Service, Depends(service_of)]) -> FeedbackStore:
    """
    Give the store of feedback.

    Raises:
        ServiceFault: 404, if the service takes none.
    """
    if service.feedback is None:
        raise ServiceFault(404, "this service takes no feedback", "start it with --database")
    return service.feedback


FAULTS: dict[int | str, dict[str, Any]] = documented_faults(400, 413, 415) | {
    404: {"model": Fault, "description": "The service takes no feedback, or knows no such id."},
    429: {"model": Fault, "description": "Too many wait for the database, see Retry-After."},
    503: {"model": Fault, "description": "The database does not answer, see Retry-After; send the same again."},
}


@router.post(
    "/v1/feedback",
    status_code=201,
    summary="Keep a correction or a vote",
    response_model=Kept,
    response_model_exclude_none=True,
    responses=documented_faults()
    | FAULTS
    | {
        200: {"model": Kept, "description": "It was kept before."},
        409: {"model": Fault, "description": "Other feedback has this id."},
    },
)
async def give_feedback(
    told: FeedbackRequest,
    request: Request,
    response: Response,
    service: Annotated[Service, Depends(service_of)],
    store: Annotated[FeedbackStore, Depends(store_of)],
) -> Kept:
    """
    Keep a correction or a vote; it is answered when it is on the disk.

    Raises:
        ServiceFault: 404 if no feedback is taken, 409 if other feedback has the id, 422 if a text is too long or a
            vote is of no comparison of this service, 429 if too many wait, 503 if the database does not answer.
    """
    _check_lengths(told, service.settings.limits.characters)
    say(request, kind=told.kind, characters=len(told.noisy))
    said, added = await _call(service, store, _keep, store, service, told)
    if added == "taken":
        raise ServiceFault(409, "other feedback has this id already", "draw a new random UUID for new feedback")
    if added == "again":
        response.status_code = 200
    else:
        service.counters.fed_back(told.kind)
    models = Sides(left=said.left_model, right=said.right_model) if isinstance(said, Vote) else None
    return Kept(id=said.id, models=models)


@router.delete("/v1/feedback/{id}", status_code=204, summary="Delete feedback", responses=FAULTS)
async def delete_feedback(
    id: Annotated[UUID, WrapValidator(_any_id)],
    service: Annotated[Service, Depends(service_of)],
    store: Annotated[FeedbackStore, Depends(store_of)],
) -> None:
    """
    Delete a correction or a vote by its id, which only its sender knows.

    Raises:
        ServiceFault: 404 if there is none, or no feedback is taken; 429 and 503 as with POST.
    """
    if not await _call(service, store, store.delete, [id]):
        raise ServiceFault(404, "found no feedback with this id", "it may have been deleted before")
    service.counters.fed_back("deletion")


def _check_lengths(told: CorrectionRequest | VoteRequest, most: int) -> None:
    for field in ("noisy", "restored", "corrected", "left", "right"):
        if len(text := getattr(told, field, None) or "") > most:
            found = f"{field}: found {len(text):,} characters, expected {most:,} at most"
            raise ServiceFault(422, found, "send less of the text")


async def _call(service: Service, store: FeedbackStore, function: Callable[..., Result], *arguments: Any) -> Result:
    """Ask the database, off the event loop, when its turn has come; if it does not answer in time, give up."""
    limits = service.settings.limits
    if store.num_asking >= CONNECTIONS + limits.queued_requests:
        raise ServiceFault(
            429, f"{store.num_asking} requests ask the database already", "come again later", retry_after=BUSY_SECONDS
        )
    store.num_asking += 1
    try:
        with fail_after(limits.request_seconds):
            return await to_thread.run_sync(function, *arguments, limiter=store.turns, abandon_on_cancel=True)
    except EngineError as error:
        logger.error("feedback: %s", error)
    except TimeoutError:
        logger.error("feedback: the database did not answer in %g s", limits.request_seconds)
    finally:
        store.num_asking -= 1
    found = "the database of feedback does not answer"
    raise ServiceFault(503, found, "send the same again in a moment, with the same id", retry_after=AWAY_SECONDS)


def _keep(store: FeedbackStore, service: Service, told: CorrectionRequest | VoteRequest) -> tuple[Said, Added]:
    """Make a row of what was sent, and keep it."""
    about = {
        "id": told.id or uuid4(),
        "noisy": normal(told.noisy),
        "consent": told.consent,
        "visitor": None if told.visitor is None else hide_visitor(told.visitor),
    }
    if isinstance(told, CorrectionRequest):
        said: Said = _correction(told, about)
        return said, store.add(said)
    # Before its token is read, which a service that was started anew since then no longer knows.
    before = store.find(told.id) if told.id else None
    models = (before.left_model, before.right_model) if isinstance(before, Vote) else _models(service, told)
    said = _vote(told, about, models)
    if before is not None:
        return said, "again" if same_content(before, said) else "taken"
    return said, store.add(said)


def _correction(told: CorrectionRequest, about: dict[str, Any]) -> Correction:
    restored = normal(told.restored)
    corrected = None if told.corrected is None else normal(told.corrected)
    if corrected is None and told.accepted is None:
        mend = "send the right text as corrected, or accepted: true"
        raise ServiceFault(422, "found neither corrected nor accepted, expected one of both", mend)
    if corrected is not None and told.accepted is not None and told.accepted != (corrected == restored):
        found = "accepted and corrected say the opposite of each other"
        raise ServiceFault(422, found, "send one of both")
    return Correction(**about, restored=restored, corrected=corrected, accepted=told.accepted, model=told.model)


def _models(service: Service, told: VoteRequest) -> tuple[str, str]:
    return read_comparison(service.secret, told.comparison, told.noisy, told.left, told.right)


def _vote(told: VoteRequest, about: dict[str, Any], models: tuple[str, str]) -> Vote:
    left_model, right_model = models
    left, right = normal(told.left), normal(told.right)
    return Vote(**about, left=left, right=right, left_model=left_model, right_model=right_model, choice=told.choice)
