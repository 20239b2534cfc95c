"""
A language model that restores for a service: what went wrong behind it is told without saying what stands there.

In:  ["확잠실읾 념뭄 잙앙욤"] and a ServedEngine.   Out: Restored("확잠실읾 …", "화장실이 너무 작아요", None, …).
"""

import asyncio
import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hanpuri.errors import DataError, EngineError, HanpuriError
from hanpuri.serving.faults import ServiceFault
from hanpuri.serving.restoring.marks import order_marks
from hanpuri.serving.restoring.restored import Restored, of_engine

if TYPE_CHECKING:
    from hanpuri.engines.base import Engine
    from hanpuri.serving.engines import ServedEngine

DOWN_SECONDS = 10.0
"""When a client may come again that found a language model broken."""


def can_restore(engine: "Engine") -> bool:
    """Say whether an engine takes noisy texts: one that was trained on other rows has no words to ask for it."""
    try:
        engine.prompt({"noisy": "확잠실읾"}, "a text")
    except HanpuriError:
        return False
    return True


async def ask(served: "ServedEngine", texts: Sequence[str], seconds: float) -> list[Restored]:
    """
    Restore texts with a language model.

    Raises:
        ServiceFault: 422, if a text does not fit the model; 429, if too many wait or it took longer than `seconds`;
            503, if the model or the server behind it fails.
    """
    try:
        async with asyncio.timeout(seconds):
            return await served.call(_restore, served, texts)
    except TimeoutError:
        found = f"{served.name} did not answer {_texts(len(texts))} in {seconds:g} s"
        raise ServiceFault(429, found, "come again later, or send fewer texts", retry_after=DOWN_SECONDS) from None


def _restore(served: "ServedEngine", texts: Sequence[str]) -> list[Restored]:
    from hanpuri.engines.restoring import restore

    normal = [unicodedata.normalize("NFC", order_marks(text)) for text in texts]
    names = [f"text {number}" for number in range(1, len(texts) + 1)]
    try:
        answers = list(restore(served.engine, normal, names=names))
    except DataError as error:
        raise ServiceFault(422, error.message, error.mend) from None
    except EngineError:  # it may name another server
        raise _broken(served, "does not answer") from None
    if lost := sum(bool(answer.failure) for answer in answers):
        raise _broken(served, f"gave no answer to {lost:,} of {_texts(len(texts))}")
    return [
        # An answer may hold half a surrogate pair, which no JSON can.
        of_engine(noisy, answer.text.encode(errors="replace").decode(), answer.confidence)
        for noisy, answer in zip(normal, answers, strict=True)
    ]


def _texts(count: int) -> str:
    return f"{count:,} text{'s' * (count != 1)}"


def _broken(served: "ServedEngine", what: str) -> ServiceFault:
    mend = "come again later, or ask another model"
    return ServiceFault(503, f"{served.name} {what}", mend, retry_after=DOWN_SECONDS)
