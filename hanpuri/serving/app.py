"""
Settings ─► the application that a server runs: endpoints, guards, one form of faults.

In: ServiceSettings and the folder that the workers share. Out: a FastAPI application that opens its models when it is
started, and closes them when it ends.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI

from hanpuri import __version__
from hanpuri.serving.api import (
    chat,
    comparison,
    documentation,
    feedback,
    health,
    models,
    obfuscation,
    page,
    restoration,
)
from hanpuri.serving.faults import say_faults_alike
from hanpuri.serving.guarding import guard
from hanpuri.serving.running.folders import held
from hanpuri.serving.running.lifetime import FOLDER, SETTINGS, end_heard, fault_kept, tell_begun
from hanpuri.serving.service import open_service
from hanpuri.serving.settings import ServiceSettings
from hanpuri.serving.watching.metrics import count_requests

ENDPOINTS = (restoration, obfuscation, comparison, feedback, chat, models, health, documentation, page)


def create_app(settings: ServiceSettings, folder: Path) -> FastAPI:
    """
    Make the application; nothing is opened before it is started.

    Args:
        settings: what the service is told.
        folder: holds what the workers of one service share while it runs, the file `secret` among it.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with held(folder), fault_kept(folder), end_heard(settings, folder) as ending:
            async with open_service(settings, folder) as service:
                app.state.service = ending.service = service
                tell_begun(folder)
                yield

    # FastAPI's own pages of documentation load their scripts from the net; `api.documentation` serves ours.
    app = FastAPI(
        title="hanpuri",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # to an address that a proxy may know under another name, or with encryption
    )
    app.root_path = settings.root_path  # said to FastAPI() it is deprecated; uvicorn would put it before each path
    say_faults_alike(app)
    for endpoint in ENDPOINTS:
        app.include_router(endpoint.router)
    documentation.document(app, settings)
    # What is added last is asked first.
    guard(app, settings)
    count_requests(app, settings, [route for endpoint in ENDPOINTS for route in endpoint.router.routes])
    return app


def create_from_environment() -> FastAPI:
    """Make the application of a worker process."""
    return create_app(ServiceSettings.model_validate_json(os.environ[SETTINGS]), Path(os.environ[FOLDER]))
