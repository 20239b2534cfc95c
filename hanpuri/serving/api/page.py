"""
The web page and what it is made of.

In: `GET /` or `GET /page/js/main.js`. Out: the file.
"""

from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import Response

from hanpuri.serving.files import ServedFiles

router = APIRouter(include_in_schema=False)

PAGE = ServedFiles(Path(__file__).parent.parent / "page")


@router.api_route("/", methods=["GET", "HEAD"])
async def show_page(request: Request) -> Response:
    """Send the page."""
    return PAGE.send("index.html", request)


@router.api_route("/page/{name:path}", methods=["GET", "HEAD"])
async def show_file(name: str, request: Request) -> Response:
    """Send what the page is made of."""
    return PAGE.send(name, request)
