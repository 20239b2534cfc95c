"""
Which engines of a service hold a conversation, and how each is asked.

In: {"faq": transformers:runs/faq, "qwen": openai:http://127.0.0.1:8000/v1, "hand": transformers:…,aligned=hand}
Out: {"faq": EngineChat, "qwen": ServerChat}; the third restores noisy texts and does nothing else.

A server that is sent messages as they are is passed the whole request. One that is asked in the words of a template of
ours, as a GGUF file is that `hanpuri publish` made, is asked as the model was trained: so is every engine of ours.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol

from hanpuri.serving.chat.faults import NOT_FOUND, ChatFault
from hanpuri.serving.chat.request import ChatRequest

if TYPE_CHECKING:
    from hanpuri.serving.engines import ServedEngine


class Chat(Protocol):
    """Who answers a conversation."""

    async def answer(self, asked: ChatRequest) -> dict[str, Any]:
        """
        Answer in one piece.

        Raises:
            ServiceFault: if there is no answer.
        """
        ...

    def stream(self, asked: ChatRequest) -> AsyncGenerator[dict[str, Any], None]:
        """
        Answer in pieces; who closes the generator stops the answer.

        Raises:
            ServiceFault: if there is no answer, or it breaks off.
        """
        ...


@asynccontextmanager
async def open_chats(engines: "Mapping[str, ServedEngine]", wait_seconds: float) -> AsyncIterator[Mapping[str, Chat]]:
    """
    Open a chat with each engine that can.

    Args:
        engines: by the names that clients call them.
        wait_seconds: how long a request waits for its turn; then it is told to come again.
    """
    async with AsyncExitStack() as open_ones:
        chats: dict[str, Chat] = {}
        for name, served in engines.items():
            if can_chat(served):
                chats[name] = await _open(served, wait_seconds, open_ones)
        yield chats


def can_chat(served: "ServedEngine") -> bool:
    """Tell whether an engine answers questions, and does not only restore."""
    from hanpuri.engines.base import RestoringEngine

    settings = served.settings
    free = settings.aligned == settings.channel == "off" and settings.pieces is None
    return free and not isinstance(served.engine, RestoringEngine)


def find_chat(chats: Mapping[str, Chat], restorers: Sequence[str], model: str) -> Chat:
    """
    Find who is asked.

    Args:
        chats: who there is.
        restorers: models that restore; some do nothing else.
        model: as the request names it.

    Raises:
        ChatFault: 404, if there is no such model; 400, if it restores and does not chat.
    """
    if model in chats:
        return chats[model]
    told = f"ask for {', '.join(chats)}" if chats else "start the service with a language model: --engine"
    if model in restorers:
        mend = f"POST /v1/restore restores texts; to chat, {told}"
        raise ChatFault(400, f"{model} restores, it does not chat", mend, param="model")
    raise ChatFault(404, "there is no such model here", told, param="model", code=NOT_FOUND)


async def _open(served: "ServedEngine", wait_seconds: float, open_ones: AsyncExitStack) -> Chat:
    from hanpuri.engines.openai import OpenAIEngine
    from hanpuri.serving.chat.answering import EngineChat

    if not isinstance(served.engine, OpenAIEngine) or not served.engine.keeps_messages:
        return await open_ones.enter_async_context(EngineChat(served, wait_seconds))
    from hanpuri.serving.chat.proxying import ServerChat

    return await open_ones.enter_async_context(ServerChat(served, served.engine, wait_seconds))
