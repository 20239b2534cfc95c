"""
What the service says of itself: the document, and the page that shows it, in a real browser without the net.

The browser is that of the variable HANPURI_BROWSER, or the first of chromium, chromium-browser and google-chrome.
"""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from hanpuri.serving.api.documentation import DOCUMENTATION, add_guards, operations

SUSPICIOUS = {
    "path",
    "file",
    "filename",
    "url",
    "uri",
    "href",
    "link",
    "folder",
    "dir",
    "directory",
    "address",
    "webhook",
}


@pytest.fixture(scope="module")
def document(client) -> dict[str, Any]:
    return client.get("/openapi.json").json()


def test_every_operation_says_what_it_does_and_how_it_refuses(document):
    assert len(list(operations(document))) >= 10
    for path, operation in operations(document):
        assert " " in operation["summary"], path  # and is not the name of a function
        assert not re.search(r"Args:|Raises:|Returns:", operation.get("description", "")), path
        assert {"400", "403", "421"} <= operation["responses"].keys(), path
        if "requestBody" in operation:
            assert {"408", "413", "415", "422", "429"} <= operation["responses"].keys(), path
    assert "HTTPValidationError" not in document["components"]["schemas"]


def has_example(schema: dict[str, Any], schemas: dict[str, Any]) -> bool:
    """Whether a schema, or each that it may be, has an example."""
    if schema.keys() & {"example", "examples"}:
        return True
    if "$ref" in schema:
        return has_example(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    choices = schema.get("oneOf", schema.get("anyOf", []))
    return bool(choices) and all(has_example(choice, schemas) for choice in choices)


def test_every_body_has_an_example(document):
    for path, operation in operations(document):
        for content in operation.get("requestBody", {}).get("content", {}).values():
            shown = content.keys() & {"example", "examples"}
            assert shown or has_example(content["schema"], document["components"]["schemas"]), path


def test_faults_have_one_form_and_those_of_the_chat_have_openais(document):
    for path, operation in operations(document):
        for status, answer in operation["responses"].items():
            if status.startswith("4"):
                schema = answer["content"]["application/json"]["schema"]
                form = "ChatFault" if path.startswith("/v1/chat/") else "Fault"
                assert schema == {"$ref": f"#/components/schemas/{form}"}, (path, status)


def fields_of(schema: Any) -> Iterator[str]:
    """The names of all fields that a schema holds, however deep."""
    if isinstance(schema, dict):
        if isinstance(schema.get("properties"), dict):
            yield from schema["properties"]
        for part in schema.values():
            yield from fields_of(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from fields_of(part)


def test_no_endpoint_takes_a_path_or_an_address_from_a_client(document):
    taken = set(fields_of(document["components"]["schemas"]))
    taken |= {
        parameter["name"] for _, operation in operations(document) for parameter in operation.get("parameters", [])
    }
    assert {"text", "texts", "model"} <= taken
    assert not sorted(name for name in taken if SUSPICIOUS & set(name.lower().split("_")))


def test_keys_are_told_of_where_they_are_needed():
    plain = {"paths": {"/v1/x": {"post": {"requestBody": {}}}, "/healthz": {"get": {}}}}
    keyed = add_guards(plain, with_keys=True)
    assert keyed["paths"]["/v1/x"]["post"]["security"] == [{"bearer": []}, {"header": []}]
    assert "401" in keyed["paths"]["/v1/x"]["post"]["responses"]
    assert "security" not in keyed["paths"]["/healthz"]["get"]
    assert sorted(keyed["components"]["securitySchemes"]) == ["bearer", "header"]


def test_its_files_are_all_there_with_their_licences_and_none_asks_the_net():
    vendored = {"LICENSE", "NOTICE", "swagger-ui-bundle.js", "swagger-ui-bundle.js.LICENSE.txt", "swagger-ui.css"}
    assert DOCUMENTATION.files.keys() >= {f"vendor/{name}" for name in vendored} | {"index.html", "docs.js", "docs.css"}
    assert not re.search(rb"(src|href)=.?https?:", DOCUMENTATION.files["index.html"].content)


OTHERS = ["../api/page.py", "%2e%2e/app.py", "..%2f..%2fapp.py", "/etc/passwd", "vendor", ""]


@pytest.mark.parametrize("name", OTHERS)
def test_nothing_else_is_sent(client, name):
    assert client.get(f"/docs/{name}", follow_redirects=False).status_code == 404


def test_what_a_browser_has_is_not_sent_again(client):
    first = client.get("/docs/vendor/swagger-ui.css")
    again = client.get("/docs/vendor/swagger-ui.css", headers={"If-None-Match": first.headers["etag"]})
    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")


@pytest.fixture(scope="module")
def opened(browser: Browser, client) -> Iterator[tuple[Page, list[str], list[str]]]:
    """The page, what it asked for, and what the browser complained of."""
    context = browser.new_context()
    page, asked, said = context.new_page(), [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(f"{client.base_url}/docs".replace("//docs", "/docs"))
    page.get_by_text("/v1/restore").first.wait_for()
    yield page, asked, said
    context.close()


def test_a_text_is_restored_on_the_page(opened):
    page, _, _ = opened
    operation = page.locator(".opblock", has_text="/v1/restore")
    operation.locator(".opblock-summary").click()
    operation.locator("textarea").fill('{"text": "확잠실읾 념뭄 잙앙욤"}')
    operation.get_by_role("button", name="Execute").click()
    operation.locator(".live-responses-table", has_text="화장실이 너무 작아요").wait_for()


def test_it_asks_nobody_else_and_breaks_no_rule_of_its_own(opened, client):
    _, asked, said = opened
    host = str(client.base_url).rstrip("/")
    assert len(asked) >= 5
    assert [url for url in asked if not url.startswith((host, "data:", "blob:"))] == []
    assert said == []
