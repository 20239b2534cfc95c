"""
What a service is told: where it listens, what it serves, how much it takes.

In: the options of `hanpuri serve`. Out: ServiceSettings, checked before anything is opened, and written for each worker
process as JSON.
"""

import ipaddress
import re
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from hanpuri.recipe import Settings

LogFormat = Literal["text", "json"]
LogLevel = Literal["debug", "info", "warning"]
NO_DATABASE = "none"
DAY_SECONDS = 86_400
"""No time that is waited for is longer: clocks overflow."""


class Limits(Settings):
    """How much one client, and all together, may ask for."""

    body_bytes: int = Field(default=1_000_000, ge=1_024, description="Bytes of a request's body; more is 413.")
    texts: int = Field(default=1_000, ge=1, description="Texts in one request; more are 422.")
    characters: int = Field(
        default=10_000,
        ge=1,
        description="Characters of one text; more are 422. A longer one is better sent in pieces.",
    )
    queued_characters: int = Field(
        default=200_000,
        ge=1,
        description="Characters that wait to be restored, in each worker; what comes beyond is 429.",
    )
    queued_requests: int = Field(
        default=200,
        ge=1,
        description="Requests that wait to be answered, in each worker; what comes beyond is 429.",
    )
    turn_seconds: float = Field(
        default=1.0,
        gt=0,
        le=DAY_SECONDS,
        description="How long a short request may wait for its turn, as fast as it goes now; beyond that it is 429.",
    )
    request_seconds: float = Field(
        default=30.0,
        gt=0,
        le=DAY_SECONDS,
        description="Time to receive a request's body (else 408), and to answer it (else 429).",
    )
    idle_seconds: int = Field(
        default=20,
        ge=1,
        le=DAY_SECONDS,
        description="How long a connection may stand open without a whole head of a request.",
    )
    shutdown_seconds: float = Field(
        default=30.0,
        gt=0,
        le=DAY_SECONDS,
        description="Time that accepted requests have when the service is told to end.",
    )


class ServiceSettings(Settings):
    """All that a service is told."""

    host: str = Field(
        default="127.0.0.1",
        description="The address to listen at; any but this machine's own (127.0.0.1, ::1, localhost) needs API keys.",
    )
    port: int = Field(default=8_600, ge=0, le=65_535, description="The port; 0 takes a free one.")
    models: tuple[str, ...] = Field(
        default=("base", "small"),
        description="Compact models, by name or folder; the first one answers where none is asked for.",
    )
    engines: tuple[str, ...] = Field(
        default=(),
        description="Language models, told as to `hanpuri ask --engine`; they restore and, where they can, chat.",
    )
    threads: int | None = Field(
        default=None,
        ge=1,
        description="Processor threads that restore, in each worker; if not given, all, shared among the workers.",
    )
    workers: int = Field(default=1, ge=1, le=64, description="Processes that answer.")
    api_key_file: Path | None = Field(
        default=None, description="Keys as `hanpuri keys add` wrote them; without one no key is asked for."
    )
    database: str = Field(
        default="sqlite:///hanpuri-feedback.db",
        description='Where feedback is kept, as SQLAlchemy writes it; "none" takes no feedback.',
    )
    allowed_hosts: tuple[str, ...] = Field(
        default=(), description='Names by which clients may call the service, besides its address; "*" for any.'
    )
    cors_origins: tuple[str, ...] = Field(
        default=(),
        description="Pages of others, such as https://reviews.example.kr, whose scripts may ask; none, if not given.",
    )
    root_path: str = Field(default="", description="The path under which a proxy in front shows the service.")
    window_seconds: float = Field(
        default=0.002,
        ge=0,
        le=1,
        description="How long a short text may wait for others to be restored with, while none is.",
    )
    log_format: LogFormat = Field(default="text", description="How requests are logged: lines for people, or JSON.")
    log_level: LogLevel = Field(
        default="info", description="debug logs requests for /healthz, /readyz and /metrics too; warning, none."
    )
    log_texts: bool = Field(default=False, description="Whether the texts of requests are logged too.")
    limits: Limits = Field(default=Limits(), description="How much is taken.")

    @property
    def is_local(self) -> bool:
        """
        Whether only this machine can reach it.

            >>> ServiceSettings(host="127.0.0.1").is_local, ServiceSettings(host="::1").is_local
            (True, True)
        """
        return is_loopback(self.host)

    @model_validator(mode="after")
    def _check_host(self) -> Self:
        if not is_host(self.host):
            raise ValueError(f"found {self.host!r} as the host, expected a name or an address alone, such as 127.0.0.1")
        return self

    @model_validator(mode="after")
    def _check_keys(self) -> Self:
        if not self.is_local and self.api_key_file is None:
            raise ValueError(f"host {self.host} can be reached from other machines, which needs an api_key_file")
        return self

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        for name in self.allowed_hosts:
            if name != "*" and not is_host(name.removeprefix("*.")):
                expected = "expected a name without a port, such as reviews.example.kr or *.example.kr"
                raise ValueError(f"found {name!r} as an allowed host, {expected}")
        if self.root_path and not re.fullmatch(r"(/[\w.~-]+)+/?", self.root_path):
            raise ValueError(f"found {self.root_path!r} as the root path, expected one such as /restorer")
        return self

    @model_validator(mode="after")
    def _check_origins(self) -> Self:
        for origin in self.cors_origins:
            if origin != "*" and not is_origin(origin):
                raise ValueError(f"found {origin} as a page's origin, expected one such as https://reviews.example.kr")
        return self

    @model_validator(mode="after")
    def _check_models(self) -> Self:
        if not self.models and not self.engines:
            raise ValueError("found neither models nor engines, expected one at least")
        if len(set(self.models)) < len(self.models):
            raise ValueError(f"found one model twice in {', '.join(self.models)}")
        return self


def is_host(host: str) -> bool:
    """
    Say whether this is a name or an address, with nothing before or after it.

        >>> is_host("0.0.0.0"), is_host("[::1]"), is_host("http://127.0.0.1"), is_host("127.0.0.1:80"), is_host("")
        (True, True, False, False, False)
    """
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return re.fullmatch(r"[\w.-]+", host) is not None
    return True


def is_origin(origin: str) -> bool:
    """
    Say whether this is the address of a page's site, without a path.

        >>> is_origin("https://example.kr"), is_origin("http://[::1]:3000"), is_origin("http://["), is_origin("null")
        (True, True, False, False)
    """
    try:
        parts = urlsplit(origin)
        _ = parts.port  # raises if it is none
    except ValueError:
        return False
    is_bare = re.fullmatch(r"https?://[^/?#@\s]+/?", origin, re.IGNORECASE) is not None
    return is_bare and is_host(parts.hostname or "")


def is_loopback(host: str) -> bool:
    """
    Say whether an address is this machine's own and no other's.

        >>> is_loopback("localhost"), is_loopback("127.0.0.2"), is_loopback("0.0.0.0"), is_loopback("example.kr")
        (True, True, False, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
