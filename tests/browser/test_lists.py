"""The bibliography, the glossary and tooltips in a browser; and what a chapter is on paper."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from pysims.prose.glossary import terms
from tests.browser.conftest import SHOTS, violations


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("name", ["sources", "glossary"])
def test_a_list_is_accessible_and_fits(
    browser: Browser, address: str, name: str, width: int, scheme: Any
) -> None:
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900})
    page = context.new_page()
    page.goto(f"{address}{name}.html")
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.screenshot(path=SHOTS / f"{name}-{width}-{scheme}.png")
    context.close()


def test_a_source_leads_to_the_footnote_that_cites_it_and_a_term_to_its_section(
    page: Page, address: str
) -> None:
    page.goto(f"{address}sources.html")
    page.locator("#source-decandia-2007").get_by_role("link", name="Section 4.4").click()
    expect(page).to_have_url(f"{address}cap.html#fn:dynamo-4-4")
    expect(page.locator('[id="fn:dynamo-4-4"]')).to_be_in_viewport()
    page.goto(f"{address}glossary.html")
    page.locator("#term-split-brain + dd").get_by_role("link").click()
    expect(page.locator("#i-hear-nobody-so-i-lead")).to_be_in_viewport()


def test_a_term_in_the_text_carries_its_sentence(page: Page, address: str) -> None:
    sentence = next(one.definition for one in terms() if one.term == "version vector")
    page.goto(f"{address}cap.html")
    term = page.locator("abbr", has_text="version vector").first
    expect(term).to_have_attribute("title", sentence)


def test_on_paper_tables_are_whole_answers_are_shown_and_controls_are_not(
    page: Page, address: str
) -> None:
    page.set_viewport_size({"width": 680, "height": 1000})  # about what a sheet of A4 holds
    page.goto(f"{address}consistent-hashing.html")
    page.emulate_media(media="print")
    cut = page.locator(".md-typeset__scrollwrap").evaluate_all(
        "all => all.filter(box => box.scrollWidth > box.clientWidth + 1).length"
    )
    assert cut == 0
    for hidden in (".md-header", ".md-sidebar", ".md-footer", ".sim-live", ".sim-panel"):
        assert not page.locator(hidden).first.is_visible(), hidden
    assert page.locator(".sim svg").first.is_visible()
    assert page.locator(".quiz > details > p").first.bounding_box() is not None
    assert page.locator(".quiz > details > p").first.evaluate("p => p.checkVisibility()")
