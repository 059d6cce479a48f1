"""Measures the pages for iframes of the built site: `python -m tests.drivers.heights`.

What it finds goes into `pysims/widget/heights.json`, for the oEmbed files, which must name one.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from pysims.prose import DOCS, ROOT
from pysims.widget.embeds import HEIGHTS, WIDTH, embeds
from tests.browsers import chromium_path
from tests.drivers.server import serving


def height_of(page: Page, address: str) -> int:
    """The pixels that a page for iframes takes before a reader does anything."""
    page.goto(address)
    # Every font that can be had: which of them a page has asked for by now is a matter of chance.
    height: float = page.evaluate(
        """Promise.allSettled([...document.fonts].map((font) => font.load()))
          .then(() => document.fonts.ready)
          .then(() => new Promise((resolve) => requestAnimationFrame(resolve)))
          .then(() => document.body.getBoundingClientRect().height)"""
    )
    return round(height)


def keep_waiting(page: Page) -> None:
    """Let figures wait for the runtime: one that starts, or fails, can have another height."""
    page.route("**/assets/runtime/*", lambda route: None)


def measured(site: Path, names: Iterable[str]) -> dict[str, int]:
    """Page → its height, `WIDTH` wide, over HTTP: from disk a browser may refuse the fonts."""
    with serving(site) as server, sync_playwright() as driver:
        arguments = ["--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        browser = driver.chromium.launch(executable_path=chromium_path(), args=arguments)
        page = browser.new_page(viewport={"width": WIDTH, "height": 900})
        keep_waiting(page)
        found = {name: height_of(page, server.url(f"embed/{name}.html")) for name in names}
        browser.close()
    return found


def main() -> int:
    """Measure all of them."""
    found = measured(ROOT / "site", sorted(embed.name for embed in embeds(DOCS)))
    HEIGHTS.write_text(json.dumps(found, indent=0) + "\n", "utf-8")
    print(f"{len(found)} pages, from {min(found.values())} to {max(found.values())} pixels")
    return 0


if __name__ == "__main__":
    sys.exit(main())
