"""How a page of the site starts: what costs a phone time must happen once, or not at all."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from pysims.offline.styles import EVERYTHING, PAGES
from tests.browser.conftest import PREFIX, SITE, comes_true

# The document's stylesheet as it came, since a file that is applied anew makes another object, and
# the classes of the root when the page's text was there, before Material's script.
FIRST = """
new MutationObserver(() => {
  window.first ??= document.querySelector("head > link[rel=stylesheet]")?.sheet ?? undefined;
  if (document.querySelector(".md-content")) window.root ??= document.documentElement.className;
}).observe(document, { childList: true, subtree: true, attributes: true });
"""
STARTED = "document.querySelector('.md-header') && document.readyState === 'complete'"


def started(page: Page, address: str) -> None:
    """The page, once Material's script has done what it does first: it makes links absolute."""
    page.add_init_script(FIRST)
    page.goto(address)
    comes_true(page, STARTED)
    comes_true(page, "document.querySelector('a.md-skip').getAttribute('href').startsWith('http')")


@pytest.mark.parametrize("name", ["index.html", "api/kernel.html"])
def test_the_styles_are_applied_once(page: Page, address: str, name: str) -> None:
    started(page, address + name)
    link = page.locator("head > link[rel=stylesheet]")
    assert link.count() == 1
    assert page.evaluate("first instanceof CSSStyleSheet")
    assert link.evaluate("(link) => link.sheet === first")
    # What Material asks of the element is what it would have made of it.
    whole = address + "assets/" + PAGES
    assert link.evaluate("(link) => link.href") == whole
    assert f'href="{whole}"' in link.evaluate("(link) => link.outerHTML")
    assert page.evaluate("document.documentElement.className") == page.evaluate("root")


def test_the_styles_stay_through_instant_navigation(page: Page, address: str) -> None:
    started(page, address + "index.html")
    page.evaluate("window.stays = true")
    color = page.evaluate("getComputedStyle(document.querySelector('h1')).color")
    for name in ("api/kernel.html", "api/patterns.html", "glossary.html"):
        # A link of the page's own text, so that Material takes it for a step within the site.
        page.evaluate(
            """(address) => {
              const link = document.createElement("a");
              link.href = address;
              document.querySelector(".md-content__inner").prepend(link);
              link.click();
            }""",
            address + name,
        )
        comes_true(
            page, f"location.pathname === {PREFIX + name!r} && !!document.querySelector('h1')"
        )
        assert page.evaluate("window.stays"), f"{name} was loaded whole"
        link = page.locator("head > link[rel=stylesheet]")
        assert link.count() == 1
        assert link.evaluate("(link) => link.sheet === first")
        assert page.evaluate("getComputedStyle(document.querySelector('h1')).color") == color


@pytest.mark.parametrize("system", ["light", "dark"])
def test_the_browsers_own_parts_follow_the_scheme(page: Page, address: str, system: Any) -> None:
    page.emulate_media(color_scheme=system)
    started(page, address + "glossary.html")
    says = "document.querySelector('meta[name=color-scheme]').content"
    assert page.evaluate(says) == system
    assert page.evaluate("document.querySelectorAll('meta[name=color-scheme]').length") == 1
    # The switch goes from the system's colors to light, to dark, and around.
    page.locator("label[for=__palette_1]:visible").click()
    comes_true(page, f"{says} === 'light'")
    page.locator("label[for=__palette_2]:visible").click()
    comes_true(page, f"{says} === 'dark'")


def test_the_fonts_that_each_page_needs_come_before_its_layout(page: Page, address: str) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    started(page, address + "glossary.html")
    comes_true(page, "document.fonts.status === 'loaded'")
    fonts = [url for url in asked if url.endswith(".woff2")]
    assert sorted(url.rpartition("/")[2] for url in fonts[:2]) == ["sans.woff2", "serif.woff2"]
    assert len(fonts) == len(set(fonts)), "a font was fetched twice"


def test_materials_rule_for_everything_is_gone() -> None:
    """It is found by its text, so an update of Material may bring it back unnoticed."""
    theirs = [path.read_text("utf-8") for path in SITE.glob("assets/stylesheets/*.css")]
    assert sum(text.count(EVERYTHING) for text in theirs) == 1
    assert "md-color-switching" not in Path(SITE, "assets", PAGES).read_text("utf-8")


def test_what_is_undone_is_what_material_does() -> None:
    """The names that assets/site.js and assets/scheme.js take from Material's script."""
    (bundle,) = SITE.glob("assets/javascripts/bundle.*.js")
    text = bundle.read_text("utf-8")
    assert re.search(r'"meta",\{name:"color-scheme"\}\);document\.head\.appendChild\(', text)
    assert 'classList.add("js-focus-visible")' in text
    assert re.search(r'classList\.remove\("no-js"\).{0,60}classList\.add\("js"\)', text)
    assert re.search(r"\.outerHTML,\w+\);return \w+", text)
