"""Every page of the site for every reader: axe, narrow and enlarged pages, other spacing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.conftest import SITE, lay_out_everything, restyle, violations
from tests.drivers.lighthouse import pages
from tests.drivers.server import serving

# With one page for iframes: the others differ in their figure only (test_every_state.py).
EVERY = [*pages(), "embed/raft.html"]
every_page = pytest.mark.parametrize("name", EVERY)
# A window of 1280 pixels, enlarged to 200 % and to 400 %, and a common phone.
WIDTHS = (640, 360, 320)
# What WCAG 1.4.12 lets a reader set.
SPACING = """
* {
  line-height: 1.5 !important;
  letter-spacing: 0.12em !important;
  word-spacing: 0.16em !important;
}
p { margin-bottom: 2em !important; }
"""
# Boxes that cut text off: it is longer than they are, and they neither scroll nor show it.
# What Material shortens, the title of a page (.md-ellipsis), that page says in full.
CUT_OFF = """() => [...document.querySelectorAll('.md-content *, .md-footer *, .embed main *')]
  .filter(e => e.textContent.trim() && !e.closest('svg'))
  .filter(e => e.checkVisibility({opacityProperty: true, visibilityProperty: true}))
  .filter(e => {
    const style = getComputedStyle(e);
    const hides = (way) => ['hidden', 'clip'].includes(way);
    const aside = style.clipPath !== 'none' || style.clip !== 'auto' || e.clientWidth <= 1;
    return !aside && (
      (hides(style.overflowX) && e.scrollWidth > e.clientWidth + 1)
      || (hides(style.overflowY) && e.scrollHeight > e.clientHeight + 1));
  })
  .filter(e => !e.matches('.md-ellipsis'))
  .map(e => `${e.tagName} ${e.className} ${e.textContent.trim().slice(0, 60)}`)"""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The root of a host: what a host sends for an unknown address asks for its styles there."""
    with serving(SITE, prefix="/", compress=True) as server:
        yield f"http://site.test:{server.port}/"


def opened(browser: Browser, address: str, **how: Any) -> Page:
    """A page whose figures keep to their first frame: Python would make them longer."""
    context = browser.new_context(**how)
    context.set_default_timeout(60_000)
    page = context.new_page()
    page.route("**/assets/runtime/**", lambda route: None)
    page.goto(address)
    return page


@every_page
def test_axe_finds_nothing_on_a_page(browser: Browser, address: str, name: str) -> None:
    page = opened(browser, address + name, viewport={"width": 1280, "height": 900})
    schemes: list[Any] = ["light", "dark"]
    for scheme in schemes:
        page.emulate_media(color_scheme=scheme)
        # Material fades from one scheme to the other.
        page.wait_for_timeout(500)
        assert violations(page) == [], scheme
    page.context.close()


@every_page
def test_a_page_needs_no_sideways_scrolling(browser: Browser, address: str, name: str) -> None:
    page = opened(browser, address + name)
    lay_out_everything(page)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width, width
        out = page.evaluate(
            """width => [...document.querySelectorAll('sim-widget, .md-content h1, .md-content p')]
              .filter(e => e.checkVisibility() && !e.closest('.md-typeset__scrollwrap, pre'))
              .map(e => [e.textContent.trim().slice(0, 60), e.getBoundingClientRect()])
              .filter(([, r]) => r.width > 1 && (r.left < 0 || r.right > width + 1))
              .map(([text]) => text)""",
            width,
        )
        assert out == [], width
    page.context.close()


@every_page
def test_a_page_bears_the_readers_spacing(browser: Browser, address: str, name: str) -> None:
    page = opened(browser, address + name)
    lay_out_everything(page)
    restyle(page, SPACING)
    for width in (1280, 320):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width, width
        assert page.evaluate(CUT_OFF) == [], width
    page.context.close()
