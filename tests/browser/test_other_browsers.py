"""Every figure of every chapter in Firefox and WebKit: it starts and is the same run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import pysims
from tests.browser.conftest import CORS, PREFIX, SITE
from tests.browser.test_every_figure import CHAPTERS
from tests.browsers import BrowserNotFoundError, all_browsers_required
from tests.drivers import open_in_firefox, open_in_webkit
from tests.drivers.server import serving

OPEN: dict[str, Callable[..., Any]] = {"firefox": open_in_firefox, "webkit": open_in_webkit}

# A chapter with forty figures takes WebKit its time, and more on a busy machine.
LONGEST_S = 600.0

# Evaluated again and again until it gives something: goes from figure to figure, waits for Python,
# asks for the digest of its run, and at last steps back and waits for the clock to change and for
# the lines of the event to be lit.
PLAYED = """(() => {
  const notice = document.querySelector(".sim-notice--bad");
  if (notice) return {failed: notice.textContent};
  if (!window.customElements.get("sim-widget")) return null;
  if (!window.asked) window.asked = (async () => {
    const digests = {};
    const widgets = [...document.querySelectorAll("sim-widget")];
    for (const widget of widgets) {
      widget.scrollIntoView();
      const {pattern, scenario} = widget.dataset;
      digests[`${pattern}/${scenario}`] = (await widget.ask({do: "digest"})).digest;
    }
    const clock = () => widgets.at(-1).querySelector(".sim-clock").textContent;
    const before = clock();
    widgets.at(-1).querySelector("[data-do=back]").click();
    widgets.at(-1).querySelector("details[data-panel=code]").open = true;
    const lit = () => widgets.at(-1).querySelector(".sim-code-ran");
    window.played = () => clock() !== before && lit() && digests;
  })().catch((problem) => { window.played = () => ({failed: String(problem)}); });
  return window.played?.() || null;
})()"""


@pytest.mark.parametrize("place", ["http", "disk"])
@pytest.mark.parametrize("chapter", CHAPTERS)
@pytest.mark.parametrize("name", OPEN)
def test_a_chapter_lives(name: str, chapter: str, place: str, disk: Path) -> None:
    page = f"{chapter}.html"
    with serving(SITE, prefix=PREFIX, compress=True, headers=CORS) as server:
        url = server.url(page) if place == "http" else (disk / page).as_uri()
        try:
            found = OPEN[name](url, PLAYED, LONGEST_S)
        except BrowserNotFoundError as missing:
            if all_browsers_required():
                raise
            pytest.skip(str(missing))
    assert found == {
        f"{pattern_id}/{scenario}": pysims.run(pattern_id, scenario).digest
        for pattern_id, scenario in CHAPTERS[chapter]
    }
