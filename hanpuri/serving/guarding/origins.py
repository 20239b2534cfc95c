"""
By which name, and from whose page, a request may come.

In:  `Host: rebound.example` at a service of this machine alone, or `Origin: https://other.example`.
Out: 421 or 403, and nothing is done.

A page of somebody else that a person has open can send requests to services of that person's machine. Browsers say
whose page it is (Origin), unless its owner has given his own domain name the address 127.0.0.1 (DNS rebinding): then
the name by which the service is called (Host) is a foreign one. An address in numbers cannot be rebound.
"""

import ipaddress
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from hanpuri.serving.faults import ServiceFault
from hanpuri.serving.guarding.refusals import refuse
from hanpuri.serving.settings import ServiceSettings

ANY = "*"
METHODS = ("GET", "HEAD", "POST", "DELETE")
"""What scripts of allowed origins may use."""
USUAL_PORTS = {"http": 80, "https": 443}


class Hosts:
    """Answers only those who call the service by a name that is its own."""

    def __init__(self, app: ASGIApp, settings: ServiceSettings) -> None:
        self.app = app
        self.names = {"localhost", settings.host.lower(), *(name.lower() for name in settings.allowed_hosts)}
        # Who needs keys has one that foreign pages lack; the names of a server on a network are its owner's business.
        asks_keys = settings.api_key_file is not None and not settings.is_local
        self.any = ANY in self.names or (asks_keys and not settings.allowed_hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on who may ask."""
        fault = self._fault(scope) if scope["type"] == "http" else None
        if fault is None:
            await self.app(scope, receive, send)
        else:
            await refuse(scope, receive, send, fault, "host")

    def _fault(self, scope: Scope) -> ServiceFault | None:
        told = Headers(scope=scope).getlist("host")
        if not told and scope["http_version"] == "1.0":  # as the health checks of old balancers; no browser does it
            return None
        if len(told) != 1:
            return ServiceFault(400, f"Host: found {len(told)}, expected one", "send one, such as localhost:8600")
        name = host_name(told[0])
        if name is None:
            return ServiceFault(400, "Host: found no name or address of a host", "send one, such as localhost:8600")
        if self.any or _is_number(name) or name in self.names:
            return None
        if any(name.endswith(pattern[1:]) for pattern in self.names if pattern.startswith("*.")):
            return None
        return ServiceFault(421, "Host: found a name that this service does not go by", "start it with --allowed-host")


class Origins:
    """Sends away scripts of foreign pages, also where they cannot read the answer but could do harm by asking."""

    def __init__(self, app: ASGIApp, settings: ServiceSettings) -> None:
        self.app, self.allowed = app, {origin.rstrip("/").lower() for origin in settings.cors_origins}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on who may ask."""
        fault = self._fault(scope) if scope["type"] == "http" else None
        if fault is None:
            await self.app(scope, receive, send)
        else:
            await refuse(scope, receive, send, fault, "origin")

    def _fault(self, scope: Scope) -> ServiceFault | None:
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        if origin is None or is_same(origin, headers.get("host", "")):
            return None
        if ANY not in self.allowed and origin.lower() not in self.allowed:
            found = "Origin: found a page of another site"
            return ServiceFault(
                403, found, "start the service with --cors-origin; a proxy in front has to pass Host on"
            )
        method = headers.get("access-control-request-method", "GET")
        if scope["method"] == "OPTIONS" and method not in METHODS:
            return ServiceFault(403, "Access-Control-Request-Method: unknown", f"use {', '.join(METHODS)}")
        return None


def host_name(host: str) -> str | None:
    """
    Take the name out of a Host header, without its port; None if it is none.

        >>> host_name("LocalHost:8600"), host_name("[::1]:8600"), host_name("example.kr."), host_name("a@b")
        ('localhost', '::1', 'example.kr', None)
    """
    if not host or any(char in host for char in "/@?#\\ \t,"):
        return None
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port  # raises if it is no number
    except ValueError:
        return None
    return (parts.hostname or "").removesuffix(".") or None


def is_same(origin: str, host: str) -> bool:
    """
    Say whether a page's origin is the host that it asks; a proxy may have taken off the encryption.

        >>> is_same("http://localhost:8600", "localhost:8600"), is_same("https://example.kr", "example.kr:443")
        (True, True)
        >>> is_same("http://localhost:3000", "localhost:8600"), is_same("null", "localhost:8600")
        (False, False)
    """
    try:
        page, asked = urlsplit(origin), urlsplit(f"//{host}")
        usual = USUAL_PORTS.get(page.scheme)
        if usual is None or not page.hostname:
            return False
        return (page.hostname, page.port or usual) == (asked.hostname, asked.port or usual)
    except ValueError:
        return False


def _is_number(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
