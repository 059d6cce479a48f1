"""The chapter in Firefox and WebKit: the widget starts, runs the same run, and reacts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import pysims
from tests.browser.conftest import CORS, PREFIX, SITE
from tests.browsers import BrowserNotFoundError, all_browsers_required
from tests.drivers import open_in_firefox, open_in_webkit
from tests.drivers.server import serving

OPEN: dict[str, Callable[..., Any]] = {"firefox": open_in_firefox, "webkit": open_in_webkit}

# Evaluated again and again until it gives something: scrolls to the widget, waits for Python, asks
# for the digest, steps back, and reads what the page then says.
PLAYED = """(() => {
  const widget = document.querySelector("#hash-ring-jump");
  if (!widget) return null;
  widget.scrollIntoView();
  const notice = widget.querySelector(".sim-notice--bad");
  if (notice) return {failed: notice.textContent};
  if (!("ready" in widget.dataset)) return null;
  if (!window.asked) {
    window.asked = widget.ask({do: "digest"}).then(({digest}) => {
      window.digest = digest;
      widget.querySelector("[data-do=back]").click();
    });
  }
  const says = widget.querySelector(".sim-says").textContent;
  return window.digest && says.includes("D joined") ? {digest: window.digest, says} : null;
})()"""


@pytest.mark.parametrize("place", ["http", "disk"])
@pytest.mark.parametrize("name", OPEN)
def test_the_chapter_lives(name: str, place: str, disk: Path) -> None:
    page = "consistent-hashing.html"
    with serving(SITE, prefix=PREFIX, compress=True, headers=CORS) as server:
        url = server.url(page) if place == "http" else (disk / page).as_uri()
        try:
            found = OPEN[name](url, PLAYED, 90.0)
        except BrowserNotFoundError as missing:
            if all_browsers_required():
                raise
            pytest.skip(str(missing))
    assert found.get("digest") == pysims.run("hash_ring", "jump").digest, found
