"""
Why a request brought no answer, and what is to be done about it.

In: the status of a reply and what stands in it. Out: a Fault:

    429, {"retry-after": "7"}                                   ─►   try again, in 7 seconds
    400, {"error": {"message": "… maximum context length …"}}   ─►   this row has no answer, others may
    400, {"error": {"message": "Unknown parameter: top_k"}}     ─►   refused: others may be too
    401, {"error": {"message": "Incorrect API key provided"}}   ─►   no row has one
"""

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal

Scope = Literal["try", "row", "refused", "all"]

TRANSIENT = frozenset({408, 409, 425, 429})
"""Statuses below 500 that another try may mend."""
TOLD = 200
"""Characters of a server's own words that are told."""
OVERFLOW = re.compile(
    r"context.?(?:length|size|window)|maximum.{0,40}(?:context|model).?len"
    r"|too many (?:input )?tokens|prompt.{0,30}too.?long",
    re.IGNORECASE,
)
FILTERED = re.compile(r"content.?(?:filter|policy|management)|safety", re.IGNORECASE)
NO_MONEY = re.compile(r"insufficient_quota|billing_hard_limit", re.IGNORECASE)


class Fault(Exception):
    """A request that brought no answer."""

    def __init__(
        self,
        why: str,
        scope: Scope,
        *,
        cause: str = "",
        status: int | None = None,
        wait_seconds: float | None = None,
    ) -> None:
        super().__init__(why)
        self.why = " ".join(why.split())
        self.cause = cause or self.why
        """The same without words of the server, which may repeat a text."""
        self.scope = scope
        """
        try: another one may do better. row: this row has no answer. refused: nor has it, and if a setting is what is
        refused, no other has. all: no row gets one.
        """
        self.status = status
        """Of the reply; None if there was none."""
        self.wait_seconds = wait_seconds
        """How long the server asks to wait."""
        self.num_tries = 1


def fault_of(status: int, headers: Mapping[str, str], body: bytes) -> Fault:
    """
    Judge a reply that is no answer.

        >>> fault = fault_of(429, {"retry-after": "7"}, b"slow down")
        >>> fault.why, fault.cause, fault.scope, fault.wait_seconds
        ('the server answers 429: slow down', 'the server answers 429', 'try', 7.0)
    """
    told, cause = words_of(body), f"the server answers {status}"
    why = cause + (f": {told}" if told else "")
    if status == 402 or (status == 429 and NO_MONEY.search(body.decode(errors="replace"))):
        return Fault(why, "all", cause=cause, status=status)
    if status == 413 or (status < 500 and OVERFLOW.search(told)):
        return Fault(f"the prompt is too long: {told or why}", "row", cause="the prompt is too long", status=status)
    if status in TRANSIENT or status >= 500:
        return Fault(why, "try", cause=cause, status=status, wait_seconds=_wait_of(headers))
    if status in (400, 422):
        return Fault(why, "row" if FILTERED.search(told) else "refused", cause=cause, status=status)
    return Fault(why, "all", cause=cause, status=status)


def words_of(body: bytes) -> str:
    """
    Find what a server says of a fault, in one line.

        >>> words_of(b'{"error": {"message": "no such model"}}'), words_of(b"<html><title>Bad Gateway</title>")
        ('no such model', 'an HTML page, Bad Gateway')
    """
    text = body.decode(errors="replace").strip()
    try:
        told = _message(json.loads(text))
    except ValueError:
        told = text
    if told.lstrip()[:1] == "<":
        title = re.search(r"<title[^>]*>(.*?)</title>", told, re.IGNORECASE | re.DOTALL)
        told = "an HTML page" + (f", {title.group(1).strip()}" if title else "")
    told = " ".join(told.split())
    return told if len(told) <= TOLD else f"{told[: TOLD - 1]}…"


def _message(told: Any) -> str:
    """Find the message in {"error": {"message": …}}, {"error": …}, {"message": …} or {"detail": …}."""
    while isinstance(told, dict):
        told = next((told[key] for key in ("error", "message", "detail") if told.get(key)), "")
    return told if isinstance(told, str) else json.dumps(told, ensure_ascii=False)


def _wait_of(headers: Mapping[str, str]) -> float | None:
    """Read Retry-After: seconds, or a date."""
    told = headers.get("retry-after", "").strip()
    try:
        seconds = float(told)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(told) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError):
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None
