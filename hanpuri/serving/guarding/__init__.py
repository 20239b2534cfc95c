"""
What stands between a socket and the endpoints; each guard is a plain ASGI application round the next one.

In: any request.  Out: the answer of an endpoint to a request that is well-formed, from whom it should be, and small
enough; to all others {"error", "mend"}.

    request ─► headers ─► hosts ─► origins ─► entrance (keys, rates) ─► bodies (size, time, JSON) ─► endpoint

    key_file   the file of keys, as `hanpuri keys` writes it     keys       the same, in a running service
    rates      how often a name may ask, for all workers         refusals   how a guard says no
    paths      which paths need a key

How long a head may be, and take, is for `connections`: there it is a head and no request yet.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import FastAPI

    from hanpuri.serving.settings import ServiceSettings

FOR_SCRIPTS = ("Retry-After", "X-Request-Id", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")


def guard(app: "FastAPI", settings: "ServiceSettings") -> None:
    """Lay the guards round an application; what is added last is asked first."""
    # Here, as `hanpuri keys` reads the key file in installations without a server.
    from starlette.middleware.cors import CORSMiddleware

    from hanpuri.serving.guarding.bodies import Bodies
    from hanpuri.serving.guarding.entrance import Entrance
    from hanpuri.serving.guarding.headers import SecurityHeaders
    from hanpuri.serving.guarding.origins import METHODS, Hosts, Origins

    app.add_middleware(Bodies, limits=settings.limits)
    app.add_middleware(Entrance)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=[origin.rstrip("/").lower() for origin in settings.cors_origins],
            allow_methods=METHODS,
            allow_headers=("*",),
            allow_private_network=True,
            expose_headers=FOR_SCRIPTS,
        )
    app.add_middleware(Origins, settings=settings)
    app.add_middleware(Hosts, settings=settings)
    app.add_middleware(SecurityHeaders)
