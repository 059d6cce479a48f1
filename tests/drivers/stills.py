"""Draws the pictures below the fences of `docs/`: `python -m tests.drivers.stills`.

It takes them from the built site, and only those that show something else than when they were
drawn.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from pysims.prose import DOCS, ROOT
from pysims.prose.pages import pages, text_of
from pysims.prose.stills import DRAWN, STILLS, WIDTH, built, stills_of, with_stills
from tests.browsers import chromium_path

# What stays on a screen while a reader scrolls would stand in the picture.
ALONE = ".md-header, .md-tabs, .md-top, .sim-deck { display: none !important }"


def draw(site: Path, wanted: Mapping[str, str]) -> None:
    """Photograph elements of the built site: id → page."""
    with sync_playwright() as driver:
        arguments = ["--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        browser = driver.chromium.launch(executable_path=chromium_path(), args=arguments)
        # The styles that take everything else off the page are not the page's own.
        page = browser.new_page(
            viewport={"width": 1000, "height": 900}, color_scheme="light", bypass_csp=True
        )
        # Without its scripts a page shows what it was built with.
        page.route("**/*.js", lambda route: route.abort())
        for name, path in wanted.items():
            address = (site / path).as_uri()
            if page.url != address:
                page.goto(address)
                page.add_style_tag(content=ALONE)
            part = f"#{name} svg" if name.startswith("figure-") else f"#{name} .sim-scene"
            page.locator(part).first.screenshot(path=STILLS / f"{name}.png")
            smaller(STILLS / f"{name}.png")
        browser.close()


def smaller(path: Path) -> None:
    """Write a picture again with a palette, at most `WIDTH` points wide."""
    with Image.open(path) as image:
        size = (WIDTH, round(image.height * WIDTH / image.width))
        fit = image.resize(size, Image.Resampling.LANCZOS) if image.width > WIDTH else image.copy()
    fit.convert("RGB").quantize(48, dither=Image.Dither.NONE).save(path, optimize=True)


def main() -> int:
    """Write the lines, draw what is new or has changed, and remove what nobody shows."""
    for page in pages():
        before = text_of(page)
        if (after := with_stills(before)) != before:
            (DOCS / f"{page}.md").write_text(after, "utf-8")
    site = ROOT / "site"
    STILLS.mkdir(exist_ok=True)
    drawn: dict[str, str] = json.loads(DRAWN.read_text("utf-8")) if DRAWN.exists() else {}
    shown = {name for page in pages() for name in stills_of(page)}
    found = {name: at for name, at in built(site).items() if name in shown}
    stale = {
        name: page
        for name, (page, digest) in found.items()
        if drawn.get(name) != digest or not (STILLS / f"{name}.png").exists()
    }
    draw(site, stale)
    for path in STILLS.glob("*.png"):
        if path.stem not in shown:
            path.unlink()
    kept = {name: digest for name, (_, digest) in sorted(found.items())}
    DRAWN.write_text(json.dumps(kept, indent=0) + "\n", "utf-8")
    print(f"{len(kept)} pictures, {len(stale)} of them drawn anew")
    return 0


if __name__ == "__main__":
    sys.exit(main())
