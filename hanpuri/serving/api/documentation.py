"""
What the service says of itself: OpenAPI, and a page on which each endpoint can be tried, without the net.

In: `GET /docs`.  Out: Swagger UI, from files that lie in the package, on `GET /openapi.json`, to which is added here
what the guards answer: they stand before the endpoints, so that FastAPI does not know them.

Both are open without a key: they hold nothing but what the source does.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from starlette.responses import Response

from hanpuri.serving.faults import Fault
from hanpuri.serving.files import ServedFiles
from hanpuri.serving.guarding.paths import API, CHAT, needs_key
from hanpuri.serving.settings import ServiceSettings

router = APIRouter(include_in_schema=False)

DOCUMENTATION = ServedFiles(Path(__file__).parent.parent / "documentation")

DESCRIPTION = """
Restores obfuscated Korean text: `확잠실읾 념뭄 잙앙욤` becomes 화장실이 너무 작아요.

Positions count code points of the text's NFC form. Whatever is wrong is answered with `{"error", "mend"}`:
what was found and expected, and what to do.
"""
SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A key of `hanpuri keys add`."},
    "header": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "The same key.",
    },
}
FAULTS = {
    400: "The request is not well-formed.",
    403: "It comes from a page of another site.",
    421: "The service is called by a name that it does not go by.",
}
WITH_KEY = {401: "No key, or an unknown one."}
WITH_BODY = {
    408: "The body came too slowly.",
    413: "The body is too long.",
    415: "The body is not JSON, or it is packed.",
    422: "The body does not fit.",
}
OF_API = {429: "The service is busy, or a key was used too often; Retry-After says when to come again."}
OF_PYTHON = re.compile(r"^(?:Args|Returns|Raises):$", re.MULTILINE)
"""Where a docstring goes on for those who read the code."""
OF_CHAT = {404: "There is no such model."}
WORD = {"anyOf": [{"type": "string"}, {"type": "null"}]}
CHAT_FAULT = {
    "type": "object",
    "title": "ChatFault",
    "description": "What every answer of the chat but a good one holds: a fault in OpenAI's form, and what to do.",
    "required": ["error", "mend"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {"message": {"type": "string"}, "type": {"type": "string"}, "param": WORD, "code": WORD},
        },
        "mend": {"type": "string"},
    },
}
SCHEMAS = "#/components/schemas/"


@router.api_route("/docs", methods=["GET", "HEAD"])
async def show_documentation(request: Request) -> Response:
    """Send the page."""
    return DOCUMENTATION.send("index.html", request)


@router.api_route("/docs/{name:path}", methods=["GET", "HEAD"])
async def show_file(name: str, request: Request) -> Response:
    """Send what the page is made of."""
    return DOCUMENTATION.send(name, request)


def document(app: FastAPI, settings: ServiceSettings) -> None:
    """Have an application say of itself also what its guards do."""
    app.description = DESCRIPTION
    app.license_info = {"name": "Apache-2.0", "identifier": "Apache-2.0"}
    of_fastapi = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = add_guards(of_fastapi(), with_keys=settings.api_key_file is not None)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def add_guards(document: dict[str, Any], *, with_keys: bool) -> dict[str, Any]:
    """Add keys and the guards' answers to each operation of an OpenAPI document, which is changed."""
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas |= {"Fault": Fault.model_json_schema(), "ChatFault": CHAT_FAULT}
    for of_fastapi in ("HTTPValidationError", "ValidationError"):
        schemas.pop(of_fastapi, None)
    if with_keys:
        components["securitySchemes"] = SCHEMES
    for path, operation in operations(document):
        if "description" in operation:
            operation["description"] = OF_PYTHON.split(operation["description"])[0].strip()
        if with_keys and needs_key(path):
            operation["security"] = [{name: []} for name in SCHEMES]
        _add_faults(path, operation)
    return document


def _add_faults(path: str, operation: dict[str, Any]) -> None:
    """Add how the guards refuse to what the endpoint says of itself."""
    in_api, in_chat = path.startswith(API), path.startswith(CHAT)
    expected = FAULTS | (OF_API if in_api else {}) | (OF_CHAT if in_chat else {})
    expected |= (WITH_BODY if "requestBody" in operation else {}) | (WITH_KEY if "security" in operation else {})
    answers: dict[str, Any] = operation.setdefault("responses", {})
    if "HTTPValidationError" in str(answers.get("422")):  # FastAPI's own form, which is never sent
        del answers["422"]
    form = {"schema": {"$ref": SCHEMAS + ("ChatFault" if in_chat else "Fault")}}
    for status, what in expected.items():
        answers.setdefault(str(status), {"description": what, "content": {"application/json": form}})
    operation["responses"] = dict(sorted(answers.items()))


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each operation of an OpenAPI document, with its path."""
    for path, methods in document.get("paths", {}).items():
        yield from ((path, operation) for operation in methods.values() if isinstance(operation, dict))
