"""What the three files of the matrix share: a file for each browser, so that processes share them.

In `make test` every widget of the chapters starts in every browser, over HTTP and from disk, with
CPython's digest, and the first of each pattern in a page also reacts and plays; in frames the first
of each pattern does. `make browsers` asks all of this of every widget in every cell.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, ClassVar

import pytest

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
from tests.drivers.tabs import Tab

PAGES = [(place, page) for place in PLACES for page in pages_of(place)]
every_page = pytest.mark.parametrize(
    ("place", "page"), PAGES, ids=[f"{place}-{page}" for place, page in PAGES]
)


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


class Cells:
    """The row of one browser, which the class of its file names."""

    BROWSER: ClassVar[str]

    @every_page
    def test_every_widget_lives(
        self, opened: Tab, published: StaticServer, place: str, page: str
    ) -> None:
        """All widgets of a page have CPython's digest; the first of each pattern does the rest."""
        depth: Depth = "sample" if place in ("frame", "sandbox") else "starts"
        opened.complaints.clear()
        _, found = visited(opened, address(published, place, page), place, depth)
        assert [widget for widget in found if not widget.lives] == []
        expected = pages_of(place)[page]
        check_names(page, found, firsts(expected) if depth == "sample" else expected)
        assert opened.complaints == []

    @every_place
    @every_lack
    def test_what_is_forbidden_is_said(
        self, opened: Tab, published: StaticServer, place: str, lack: str
    ) -> None:
        """The first frame stays as it was built, and a sentence says what is missing."""
        path = write_page_without(published.folder, lack)
        opened.open(placed(published, place, path))

        def evaluate(expression: str) -> Any:
            return opened.evaluate(expression, in_frame=place in ("frame", "sandbox"))

        assert evaluate(f"String(typeof {lack})") == "undefined"
        found = wait_for(evaluate, TOLD, 60)
        built = SAYS.search((published.folder / path).read_text("utf-8"))
        assert built
        assert found["says"] == built[1]
        assert found["nodes"] == 5
        assert FORBIDDEN[lack] in found["notice"]
        assert "The picture stands where it was. Try again" in found["notice"]
