"""
The page of a real service in a real browser, watched: what it asks of whom, what it says on its console.

In: `visit(width=390, language="en")`. Out: a Visit whose `page` is open and ready. When the test ends, nothing may have
been asked of any other host, and the console may hold nothing but what the test said it expects: no error of a script,
no violation of the Content-Security-Policy. The browser is that of the variable HANPURI_BROWSER, or the first of
chromium, chromium-browser and google-chrome; screenshots go to the folder HANPURI_SCREENSHOTS, or to pytest's own.
"""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, expect

from ..conftest import Serve, Served

AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js")
PATIENCE_MILLISECONDS = 15_000


@dataclass
class Visit:
    """A page that is open, and what the browser saw beside it."""

    page: Page
    context: BrowserContext
    url: str
    screenshots: Path
    expected: list[str] = field(default_factory=list)
    """Patterns of what the console may say, such as "status of 401": chromium writes refused requests there."""
    seen: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    def restore(self, text: str, expected: str) -> None:
        """Write a text, and wait for what it is restored to."""
        self.page.locator("#noisy").fill(text)
        expect(self.page.locator("#restored")).to_have_text(expected)

    def violations(self) -> list[str]:
        """Give what axe-core finds wrong with the page as it is, down to what it calls serious."""
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(AXE.read_text(encoding="utf-8"))
        found: list[dict[str, Any]] = self.page.evaluate(
            "axe.run({resultTypes: ['violations']}).then(result => result.violations)"
        )
        return [
            f"{one['id']}: {one['help']}: {one['nodes'][0]['html'][:200]}"
            for one in found
            if one["impact"] in ("serious", "critical")
        ]

    def screenshot(self, name: str) -> None:
        """Leave a picture of the whole page for people to look at."""
        self.page.screenshot(path=self.screenshots / f"{name}.png", full_page=True)

    def check(self) -> None:
        """Hold that the page kept to itself and was silent."""
        assert self.foreign == []
        assert [line for line in self.seen if not any(re.search(one, line) for one in self.expected)] == []

    def watch(self) -> None:
        """Write down what happens from now on."""
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.seen.append(f"error: {error}"))
        self.page.on("dialog", lambda dialog: (self.seen.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        self.context.on("request", self._on_request)

    def _on_console(self, message: ConsoleMessage) -> None:
        self.seen.append(f"{message.type}: {message.text}")

    def _on_request(self, request: Request) -> None:
        if not request.url.startswith((self.url + "/", "data:", f"blob:{self.url}/")):
            self.foreign.append(request.url)


Visitor = Callable[..., Visit]


@pytest.fixture(scope="session")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    told = os.environ.get("HANPURI_SCREENSHOTS")
    folder = Path(told) if told else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def served(serve: Serve) -> Served:
    """The service that all tests of the page share."""
    return serve()


@contextmanager
def opened_page(
    browser: Browser,
    service: Served,
    screenshots: Path,
    *,
    width: int = 1280,
    language: str = "ko",
    scheme: str = "light",
    path: str = "/",
    ready: bool = True,
    **told: object,
) -> Iterator[Visit]:
    """Open the page, and check at the end; `ready=False` does not wait until the service has told its limits."""
    expect.set_options(timeout=PATIENCE_MILLISECONDS)
    told = {"locale": {"ko": "ko-KR", "en": "en-US"}[language], "color_scheme": scheme} | told
    context = browser.new_context(viewport={"width": width, "height": 844}, **told)
    try:
        context.set_default_timeout(PATIENCE_MILLISECONDS)
        context.grant_permissions(["clipboard-read", "clipboard-write"], origin=service.url)
        opened = Visit(context.new_page(), context, service.url, screenshots)
        opened.watch()
        opened.page.goto(service.url + path)
        if ready:
            expect(opened.page.locator("#version")).not_to_be_empty()
        yield opened
        opened.check()
    finally:
        context.close()


@pytest.fixture
def visit(browser: Browser, served: Served, screenshots: Path) -> Iterator[Visitor]:
    """Open the page as often as the test likes."""
    with ExitStack() as open_ones:

        def visit(service: Served | None = None, **told: object) -> Visit:
            return open_ones.enter_context(opened_page(browser, service or served, screenshots, **told))

        yield visit


@pytest.fixture(scope="module")
def shared_page(browser: Browser, served: Served, screenshots: Path) -> Iterator[Visit]:
    """A page that the tests of one module share."""
    with opened_page(browser, served, screenshots) as opened:
        yield opened


@pytest.fixture
def opened(shared_page: Visit) -> Iterator[Visit]:
    """The shared page, emptied; for tests that ask for nothing but a Korean page on a desk."""
    shared_page.page.locator("#noisy").fill("")
    expect(shared_page.page.locator("#restored")).to_be_empty()
    yield shared_page
    shared_page.page.unroute_all()
