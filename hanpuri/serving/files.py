"""
Files that a browser is given, as they lie in the package: nothing is built, nothing is loaded from elsewhere.

In: a folder, and the name that a client asks for. Out: the file with its type and an ETag; a name that is none of the
folder's files is 404, whatever it is: names are looked up in a list, never joined to a path.
"""

import hashlib
import mimetypes
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from fastapi import HTTPException, Request
from starlette.responses import Response

# What the system's own list says of these differs from machine to machine.
TYPES = {
    ".js": "text/javascript",
    ".html": "text/html",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
    ".md": "text/markdown",
}


class ServedFile(NamedTuple):
    """One file, as it is sent."""

    content: bytes
    media_type: str
    etag: str


class ServedFiles:
    """
    The files of one folder, read when the first one is asked for.

    >>> page = ServedFiles(Path(__file__).parent / "page")
    >>> page.files["js/main.js"].media_type, "../app.py" in page.files
    ('text/javascript', False)
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def files(self) -> Mapping[str, ServedFile]:
        """All files, by their names below the folder."""
        paths = (path for path in self.folder.rglob("*") if path.is_file() and not path.name.startswith("."))
        return {path.relative_to(self.folder).as_posix(): _read(path) for path in paths}

    def send(self, name: str, request: Request) -> Response:
        """
        Send one file, or 304 if the client has it already.

        Raises:
            HTTPException: 404, if there is no such file.
        """
        found = self.files.get(name)
        if found is None:
            raise HTTPException(404, f"found no such file of the {self.folder.name}")
        # The files of one version belong together, so a browser asks each time whether it has the right ones.
        headers = {"ETag": found.etag, "Cache-Control": "no-cache"}
        if found.etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(found.content, media_type=found.media_type, headers=headers)


def _read(path: Path) -> ServedFile:
    content = path.read_bytes()
    media_type = TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return ServedFile(content, media_type, f'"{hashlib.sha256(content).hexdigest()[:32]}"')
