"""The built site in a real Chromium: served as GitHub Pages serves it, from disk, and embedded."""

from __future__ import annotations

import gzip
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from mimetypes import guess_type
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, sync_playwright

from tests.browsers import chromium_path

ROOT = Path(__file__).parents[2]
SITE = ROOT / "site"
SHOTS = ROOT / "test-results"
PREFIX = "/how-systems-survive-chaos/"
COMPRESSED = (".html", ".css", ".js", ".json", ".svg", ".xml", ".mjs", ".py", ".txt")
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


class GitHubPages(BaseHTTPRequestHandler):
    """Serves a folder below a prefix with the headers of GitHub Pages: no COOP, no COEP."""

    protocol_version = "HTTP/1.1"

    def __init__(self, *args: Any, folder: Path, cors: bool = True, **kwargs: Any) -> None:
        self.folder = folder
        self.cors = cors
        super().__init__(*args, **kwargs)

    def do_GET(self) -> None:
        address = unquote(urlsplit(self.path).path)
        inside = address.removeprefix(PREFIX) if address.startswith(PREFIX) else None
        path = self.folder / (inside or "index.html") if inside is not None else None
        found = path is not None and path.is_file()
        body = path.read_bytes() if found and path else b"not found"
        self.send_response(200 if found else 404)
        kind = guess_type(address)[0] or "text/html"
        self.send_header("Content-Type", f"{kind}; charset=utf-8" if "text" in kind else kind)
        self.send_header("Cache-Control", "max-age=600")
        if self.cors:
            self.send_header("Access-Control-Allow-Origin", "*")
        if path and path.suffix in COMPRESSED:
            body = gzip.compress(body, 5)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # its name upstream
        pass


@contextmanager
def serving(folder: Path, cors: bool = True) -> Iterator[int]:
    """A server of `folder`; gives its port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(GitHubPages, folder=folder, cors=cors))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


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
    with serving(SITE) as port:
        yield f"http://site.test:{port}"


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
