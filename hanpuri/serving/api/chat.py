"""
POST /v1/chat/completions: a conversation with a language model, in OpenAI's form.

In: {"model": "faq", "messages": [{"role": "user", "content": "주차장이 있나요?"}], "stream": false}
Out: {"object": "chat.completion", "choices": [{"message": {"role": "assistant", "content": "네, 두 대까지 …"}, …}], …}
"""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Request
from starlette.responses import JSONResponse, Response

from hanpuri.serving.chat.faults import ChatRoute
from hanpuri.serving.chat.opening import find_chat
from hanpuri.serving.chat.request import ChatRequest
from hanpuri.serving.chat.sending import begin_stream
from hanpuri.serving.faults import ServiceFault
from hanpuri.serving.leaving import until_gone
from hanpuri.serving.service import Service, service_of
from hanpuri.serving.watching.metrics import say

router = APIRouter(route_class=ChatRoute, tags=["chat"])

FAULT = {"application/json": {"schema": {"$ref": "#/components/schemas/ChatFault"}}}
COMPLETION = {
    "type": "object",
    "required": ["id", "object", "created", "model", "choices"],
    "properties": {
        "id": {"type": "string"},
        "object": {"const": "chat.completion"},
        "created": {"type": "integer"},
        "model": {"type": "string"},
        "choices": {"type": "array", "items": {"type": "object"}},
        "usage": {"type": "object"},
    },
}
ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The answer, or with `stream` its pieces, each an event, and `[DONE]` at last.",
        "content": {"application/json": {"schema": COMPLETION}, "text/event-stream": {"schema": {"type": "string"}}},
    },
    502: {"description": "The server behind the model does not do as it should.", "content": FAULT},
    503: {"description": "The model failed or cannot be reached: come again later.", "content": FAULT},
    504: {"description": "The server behind the model did not answer in time.", "content": FAULT},
}
EXAMPLES: Any = {
    "one": {
        "summary": "A question, to a model that the service calls faq",
        "value": {"model": "faq", "messages": [{"role": "user", "content": "주차장이 있나요?"}]},
    },
}


@router.post("/v1/chat/completions", summary="Go on with a conversation", response_class=Response, responses=ANSWERS)
async def chat(
    asked: Annotated[ChatRequest, Body(openapi_examples=EXAMPLES)],
    request: Request,
    service: Annotated[Service, Depends(service_of)],
) -> Response:
    """Answer in OpenAI's form: whole, or in pieces as server-sent events."""
    chosen = find_chat(service.chats, service.restorers.names, asked.model)
    say(request, model=asked.model, texts=len(asked.messages), characters=asked.num_characters)
    try:
        if asked.stream:
            return await begin_stream(request, chosen.stream(asked))
        answer: dict[str, Any] = await until_gone(request, chosen.answer(asked))
    except ServiceFault as fault:
        if fault.status == 429:
            service.counters.refused("busy")
        raise
    return JSONResponse(answer)
