"""
Noisy texts ─► restored texts, whichever engine does it.

In: "확잠실읾 념뭄 잙앙욤". Out: Answer("화장실이 너무 작아요", …), of the compact model, a language model or a server.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import replace

from hanpuri.data.templates import Fields
from hanpuri.engines.base import GREEDY, Answer, Decoding, Engine
from hanpuri.engines.cache import AnswerCache, answer_rows

ROOM = 16
"""Tokens that a template may put around an answer."""


def restore(
    engine: Engine,
    texts: Sequence[str],
    decoding: Decoding | None = None,
    *,
    names: Sequence[str] = (),
    cache: AnswerCache | None = None,
) -> Iterator[Answer]:
    """
    Restore texts, in NFC, with as much room for each answer as its text can need.

        >>> from hanpuri.engines.echo import EchoEngine
        >>> [answer.text for answer in restore(EchoEngine(), ["확잠실읾"])]
        ['확잠실읾']

    Raises:
        DataError: as `Engine.generate`.
        EngineError: as `Engine.generate`.
    """
    normal = [unicodedata.normalize("NFC", text) for text in texts]
    decoding = decoding or replace(GREEDY, max_new_tokens=room_for(normal), by_text=True)
    return answer_rows(engine, [{"noisy": text} for text in normal], decoding, names=names, cache=cache)


def fit(decoding: Decoding, row: Fields) -> Decoding:
    """
    Leave a row that holds a noisy text no more room than an answer as long as that text can take, if `by_text` says so.

    A model that does not find the end of one text writes on until there is no room; beside a text of 2,000 characters,
    one of ten would have 6,000 tokens for that.

        >>> fit(Decoding(max_new_tokens=6000, by_text=True), {"noisy": "확잠실읾"}).max_new_tokens
        28
    """
    if not decoding.by_text or not isinstance(noisy := row.get("noisy"), str):
        return decoding
    return replace(decoding, max_new_tokens=min(decoding.max_new_tokens, room_for([noisy])))


def room_for(texts: Sequence[str]) -> int:
    """
    Count the tokens that an answer as long as the longest text can take: each byte may be one.

        >>> room_for(["확잠실읾"])
        28
    """
    return max((len(text.encode("utf-8", "surrogatepass")) for text in texts), default=0) + ROOM
