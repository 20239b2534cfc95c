"""
A language model that restores for a service: what went wrong behind it is told without saying what stands there.

In:  ["확잠실읾 념뭄 잙앙욤"] and a ServedEngine.   Out: Restored("확잠실읾 …", "화장실이 너무 작아요", None, …).
"""

import asyncio
import logging
import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hanpuri.errors import DataError, EngineError, HanpuriError
from hanpuri.serving.faults import ServiceFault
from hanpuri.serving.restoring.marks import order_marks
from hanpuri.serving.restoring.restored import Restored, of_engine
from hanpuri.serving.watching.logs import LOGGER

if TYPE_CHECKING:
    from hanpuri.engines.base import Engine
    from hanpuri.serving.engines import ServedEngine

DOWN_SECONDS = 10.0
"""When a client may come again that found a language model broken."""
MOST_CAUSES = 3
"""Of texts without an answer, that are logged of one request."""

logger = logging.getLogger(LOGGER)


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
    except EngineError as error:  # it may name another server
        logger.warning("%s does not answer; %s", served.name, error.mend)  # words of a server may repeat a text
        raise _broken(served, "does not answer") from None
    if causes := Counter(answer.cause for answer in answers if answer.failure):
        what = f"gave no answer to {causes.total():,} of {_texts(len(texts))}"
        logger.warning("%s %s: %s", served.name, what, "; ".join(cause for cause, _ in causes.most_common(MOST_CAUSES)))
        raise _broken(served, what)
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
