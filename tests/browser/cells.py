"""What the three files of the matrix share: a file for each browser, so that processes share them.

In `make test` every widget of the chapters starts in every browser, over HTTP and from disk, with
CPython's digest, and the first of each pattern in a page also reacts and plays; in frames the first
of each pattern does. `make browsers` asks all of this of every widget in every cell.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.browsers import BrowserNotFoundError, all_browsers_required
from tests.drivers.page import wait_for
from tests.drivers.places import (
    PLACES,
    Depth,
    address,
    check_names,
    firsts,
    pages_of,
    placed,
    visited,
)
from tests.drivers.server import StaticServer
from tests.drivers.tabs import Tab, tab, tab_of

PAGES = [(place, page) for place in PLACES for page in pages_of(place)]
every_page = pytest.mark.parametrize(
    ("place", "page"), PAGES, ids=[f"{place}-{page}" for place, page in PAGES]
)


@contextmanager
def tab_or_skip(browser: str, port: int) -> Iterator[Tab]:
    """A browser for pages of a server on a port; a missing one fails only if it must be there."""
    try:
        with tab(browser, port) as opened:
            yield opened
    except BrowserNotFoundError as missing:
        if all_browsers_required():
            raise
        pytest.skip(f"{browser}: {missing}")


def lives(opened: Tab, server: StaticServer, place: str, page: str) -> None:
    """All widgets of a page have CPython's digest; the first of each pattern does the rest."""
    depth: Depth = "sample" if place in ("frame", "sandbox") else "starts"
    opened.complaints.clear()
    _, found = visited(opened, address(server, place, page), place, depth)
    assert [widget for widget in found if not widget.lives] == []
    expected = pages_of(place)[page]
    check_names(page, found, firsts(expected) if depth == "sample" else expected)
    assert opened.complaints == []


class Keeper:
    """A browser for many tests.

    One that died (WebKitGTK's has crashed in the software that draws its virtual screen) fails the
    test that it died in, and the next try has a new one.
    """

    def __init__(self, opens: Callable[[], AbstractContextManager[Tab]]) -> None:
        self._opens = opens
        self._stack = ExitStack()
        self._tab: Tab | None = None

    def tab(self) -> Tab:
        """The tab, which answers."""
        if self._tab is not None and not answers(self._tab):
            self.close()
        if self._tab is None:
            self._tab = self._stack.enter_context(self._opens())
        return self._tab

    def close(self) -> None:
        """End the browser; a dead one may refuse that too."""
        self._tab = None
        with suppress(Exception):
            self._stack.close()


def answers(tab: Tab) -> bool:
    """Whether the browser is there. Each driver has errors of its own for one that is not."""
    with suppress(Exception):
        return bool(tab.evaluate("1 + 1") == 2)
    return False


@pytest.fixture(scope="module")
def keeper(request: pytest.FixtureRequest, published: StaticServer) -> Iterator[Keeper]:
    """The browser of a file, which names it in `BROWSER`, for all of its tests."""
    name = request.module.BROWSER
    if name == "Chromium":
        # The one of all other tests, which is open already when this file is not the first.
        kept = Keeper(lambda: tab_of(request.getfixturevalue("browser")))
    else:
        kept = Keeper(lambda: tab_or_skip(name, published.port))
    yield kept
    kept.close()


@pytest.fixture
def opened(keeper: Keeper) -> Tab:
    """Its tab."""
    return keeper.tab()


@every_page
def test_every_widget_lives(opened: Tab, published: StaticServer, place: str, page: str) -> None:
    lives(opened, published, place, page)


# --- What a browser forbids -----------------------------------------------------------------------

# What is taken away from a page before its own scripts run → what its reader is told.
FORBIDDEN = {
    "WebAssembly": "WebAssembly is missing or switched off",
    "Worker": "it does not allow web workers",
    "DecompressionStream": "it lacks DecompressionStream",
}
every_lack = pytest.mark.parametrize("lack", FORBIDDEN)
every_place = pytest.mark.parametrize("place", PLACES)
LACKING = "embed/raft/split-vote.html"
SAYS = re.compile(r'class="sim-says"[^>]*>([^<]+)<')
TOLD = """(() => {
  // Chromium without a screen draws a frame of another site only when that asks for it.
  requestAnimationFrame(() => {});
  const widget = document.querySelector("sim-widget");
  const notice = widget.querySelector(":scope > .sim-notice--bad");
  return notice && {
    notice: notice.textContent,
    says: widget.querySelector(".sim-says").textContent,
    nodes: widget.querySelectorAll(".sim-scene svg .rf-seat").length,
  };
})()"""


def write_page_without(site: Path, lack: str) -> str:
    """A page for iframes in a browser that lacks something; returns its path below the site."""
    (site / f"without-{lack}.js").write_text(f'"use strict";\ndelete globalThis.{lack};\n', "utf-8")
    script = f'<head><script src="../../without-{lack}.js"></script>'
    path = LACKING.replace(".html", f"-without-{lack}.html")
    text = (site / LACKING).read_text("utf-8").replace("<head>", script, 1)
    (site / path).write_text(text, "utf-8")
    return path


def says_why(opened: Tab, server: StaticServer, place: str, lack: str) -> None:
    """The first frame stays as it was built, and a sentence says what is missing."""
    path = write_page_without(server.folder, lack)
    opened.open(placed(server, place, path))

    def evaluate(expression: str) -> Any:
        return opened.evaluate(expression, in_frame=place in ("frame", "sandbox"))

    assert evaluate(f"String(typeof {lack})") == "undefined"
    found = wait_for(evaluate, TOLD, 60)
    built = SAYS.search((server.folder / path).read_text("utf-8"))
    assert built
    assert found["says"] == built[1]
    assert found["nodes"] == 5
    assert FORBIDDEN[lack] in found["notice"]
    assert "The picture stands where it was. Try again" in found["notice"]


@every_place
@every_lack
def test_what_is_forbidden_is_said(
    opened: Tab, published: StaticServer, place: str, lack: str
) -> None:
    says_why(opened, published, place, lack)
