"""The built site in a real Chromium: served as GitHub Pages serves it, from disk, and embedded."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, sync_playwright

from tests.browsers import chromium_path
from tests.drivers.server import serving

ROOT = Path(__file__).parents[2]
SITE = ROOT / "site"
SHOTS = ROOT / "test-results"
PREFIX = "/how-systems-survive-chaos/"
# Two registrable names, so that a page of one is another *site* to the other.
HOSTS = "MAP site.test 127.0.0.1, MAP blog.example 127.0.0.1"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    f"--host-resolver-rules={HOSTS}",
]


# GitHub Pages compresses text, lets any origin read, and isolates nothing (no COOP, no COEP).
CORS = {"Access-Control-Allow-Origin": "*"}


@dataclass
class Watch:
    """What a page asked for, and what it complained about."""

    page: Page
    origins: tuple[str, ...]
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    expected: Callable[[str], bool] = lambda text: False

    def start(self) -> None:
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self.hear)

    def hear(self, message: Any) -> None:
        if message.type in ("error", "warning") and not self.expected(message.text):
            self.errors.append(f"{message.type}: {message.text}")

    def check(self) -> None:
        """Nothing foreign was asked for, and nothing went wrong."""
        own = ("data:", "blob:", "about:", *self.origins)
        assert [url for url in self.requests if not url.startswith(own)] == []
        assert self.errors == []

    def runtime(self) -> list[str]:
        """The requests for files of the runtime."""
        return [url for url in self.requests if "/assets/runtime/" in url]


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    assert (SITE / "index.html").exists(), "there is no built site: `make site` builds it"
    SHOTS.mkdir(exist_ok=True)
    with sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    browser = playwright.chromium.launch(executable_path=chromium_path(), args=ARGUMENTS)
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def origin() -> Iterator[str]:
    """The site's own origin: a name of its own, not localhost, which browsers trust more."""
    with serving(SITE, prefix=PREFIX, compress=True, headers=CORS) as server:
        yield f"http://site.test:{server.port}"


@pytest.fixture
def address(origin: str) -> str:
    return origin + PREFIX


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(20_000)
    yield context
    context.close()


@pytest.fixture
def watch(context: BrowserContext, origin: str) -> Iterator[Watch]:
    """A page that is watched; the check at the end is part of every test that uses it."""
    watch = Watch(context.new_page(), (origin,))
    watch.start()
    yield watch
    watch.check()


@pytest.fixture
def page(watch: Watch) -> Page:
    return watch.page


@pytest.fixture(scope="session")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, unpacked in a folder whose name is hard on addresses."""
    folder = tmp_path_factory.mktemp("from disk") / "a folder with spaces & ünïcode"
    shutil.copytree(SITE, folder)
    return folder


def ready(page: Any, widget: str, timeout_ms: int = 30_000) -> Any:
    """The widget, once Python has drawn it."""
    found = page.locator(f"#{widget}")
    found.scroll_into_view_if_needed()
    page.locator(f"#{widget}[data-ready]").wait_for(timeout=timeout_ms)
    return found


def ask(widget: Any, message: dict[str, Any]) -> dict[str, Any]:
    """What the widget's worker answers."""
    answer: dict[str, Any] = widget.evaluate("(element, m) => element.ask(m)", message)
    assert "error" not in answer, json.dumps(answer)
    return answer
