"""
The files of the page as they are sent: with their types, not again when they are known, and no other file.

In: names, right and hostile; a proxy that shows the page under a path. Out: statuses and heads; a page that works.
"""

import pytest
from playwright.sync_api import Route, expect

from hanpuri.serving.api.page import PAGE


def test_every_file_is_sent_as_it_lies_with_its_type(client):
    types = {"html": "text/html", "js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
    for name, file in PAGE.files.items():
        answer = client.get(f"/page/{name}")
        assert (answer.status_code, answer.content) == (200, file.content), name
        expected = types.get(name.rpartition(".")[2])
        assert expected is None or answer.headers["content-type"].startswith(expected), name
    assert client.get("/").content == PAGE.files["index.html"].content


def test_what_a_browser_has_is_not_sent_again(client):
    first = client.get("/page/js/main.js")
    again = client.get("/page/js/main.js", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert again.headers["cache-control"] == "no-cache"
    assert client.head("/").status_code == 200


@pytest.mark.parametrize(
    "name",
    [
        "",  # the folder
        "js",  # one within
        "js/absent.js",
        "../api/page.py",  # up, which clients take out themselves
        "..%2fapi%2fpage.py",  # up, where they do not
        "js/..%2f..%2fsettings.py",
        "%2e%2e/settings.py",
        "/etc/passwd",
        "js/main.js%00.css",
        "js\\main.js",
        "JS/MAIN.JS",
    ],
)
def test_no_other_file_is_sent(client, name):
    answer = client.get(f"/page/{name}")
    assert answer.status_code == 404
    assert set(answer.json()) == {"error", "mend"}


def test_the_page_works_under_the_path_of_a_proxy(visit):
    opened = visit()
    page, under = opened.page, f"{opened.url}/hanpuri/"

    def pass_on(route: Route) -> None:
        assert route.request.url.startswith(under)
        route.fulfill(response=route.fetch(url=route.request.url.replace(under, f"{opened.url}/")))

    page.route("**/*", pass_on)
    page.goto(under)
    opened.restore("확잠실읾 념뭄 잙앙욤", "화장실이 너무 작아요")
    page.locator("#accept").click()
    expect(page.locator("#forget")).to_be_visible()
