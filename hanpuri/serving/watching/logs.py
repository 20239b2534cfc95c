"""
The log of a service: a line a request, a line a fault, to standard error; for people, or as JSON.

In: a record whose `about` holds what there is to say. Out:

    2026-11-22T09:30:01.123Z 200 POST /v1/restore 12.3 ms model=base texts=1 characters=12 id=5f0c6a1be2d94a07
    {"time": "2026-11-22T09:30:01.123Z", "level": "info", "status": 200, "method": "POST", "route": "/v1/restore", …}

Of an error only the places in the code and its kind are written: what it says may hold a text that somebody sent.
"""

import json
import logging
import re
import traceback
from collections.abc import Iterable
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from hanpuri.serving.settings import LogFormat, LogLevel

LOGGER = "hanpuri.serving"
PLAIN = re.compile(r"[\w.:/@+-]+")
"""What stands in a line without quotes."""

ESCAPED = {number: f"\\u{number:04x}" for number in (*range(0x7F, 0xA0), 0x2028, 0x2029)}
"""What JSON leaves as it is, though it ends a line for some, or commands a terminal."""
HEADING = ("status", "method", "route", "milliseconds")
"""What a request's line begins with."""

ErrorInformation = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class _Log(logging.Formatter):
    """What both forms share: the time, and errors without what they say."""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        """Write the time as RFC 3339 does, in UTC."""
        return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def formatException(self, ei: ErrorInformation) -> str:
        """Write where an error arose, and of what kind it is."""
        return "" if ei[1] is None else "".join(_places(ei[1])).rstrip()


class TextLog(_Log):
    """Lines for people."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record as one line, and the places of its error below."""
        pairs = [_pair(key, value) for key, value in _about(record).items() if key not in HEADING]
        line = " ".join([self.formatTime(record), *_heading(record), *pairs]).translate(ESCAPED)
        return "\n".join([line, self.formatException(record.exc_info)] if record.exc_info else [line])


class JsonLog(_Log):
    """Lines for programs."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record as one JSON object."""
        message = {"message": record.getMessage()} if record.msg else {}
        where = {"traceback": self.formatException(record.exc_info)} if record.exc_info else {}
        line = {
            "time": self.formatTime(record),
            "level": record.levelname.lower(),
            **message,
            **_about(record),
            **where,
        }
        return _json(line).encode("utf-8", "backslashreplace").decode()


def log_settings(form: LogFormat, level: LogLevel) -> dict[str, Any]:
    """
    Say to `logging.config` how a process of the service logs.

    uvicorn's own lines are left out: each that matters is written here, once and in our form.
    """
    formatter = JsonLog if form == "json" else TextLog
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": f"{formatter.__module__}.{formatter.__qualname__}"}},
        "handlers": {"errors": {"class": "logging.StreamHandler", "formatter": "line", "stream": "ext://sys.stderr"}},
        "loggers": {LOGGER: {"level": level.upper()}, "uvicorn": {"level": "CRITICAL"}},
        "root": {"level": "WARNING", "handlers": ["errors"]},
    }


def _about(record: logging.LogRecord) -> dict[str, Any]:
    about: dict[str, Any] = getattr(record, "about", {})
    return about


def _heading(record: logging.LogRecord) -> Iterable[str]:
    """Begin the line of a request with its status, and any other with its level."""
    about = _about(record)
    if "status" not in about:
        return [record.levelname.lower(), " ".join(record.getMessage().splitlines())]
    return [str(about["status"]), about["method"], about["route"], f"{about['milliseconds']:.1f} ms"]


def _pair(key: str, value: object) -> str:
    """
    Write a key and its value; what could be taken for more than one word is quoted.

        >>> _pair("model", "base"), _pair("key", "two words")
        ('model=base', 'key="two words"')
    """
    said = str(value)
    return f"{key}={said if PLAIN.fullmatch(said) else _json(said)}"


def _json(said: object) -> str:
    return json.dumps(said, ensure_ascii=False, default=str).translate(ESCAPED)


def _places(error: BaseException) -> Iterable[str]:
    """Write the places of an error, after those of the one that caused it and of those that it gathers."""
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    gathered = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    for one in (before, *gathered):
        if one is not None:
            yield from _places(one)
    yield from traceback.format_tb(error.__traceback__)
    yield f"{type(error).__name__}\n"
