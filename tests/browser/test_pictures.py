"""A picture of every story in both widths and both schemes, in `test-results/`, to look at."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser

from pysims.kernel import Pattern
from tests.browser.conftest import SHOTS, element_of
from tests.catalog import PATTERNS

SCHEMES: tuple[Any, ...] = ("light", "dark")


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda p: p.id)
def test_pictures_of_every_story_to_look_at(
    browser: Browser, address: str, pattern: Pattern
) -> None:
    context = browser.new_context(reduced_motion="reduce")
    page = context.new_page()
    for scenario in pattern.scenarios:
        page.goto(f"{address}embed/{pattern.id}/{scenario.id}.html")
        figure = page.locator(f"#{element_of(pattern.id, scenario.id)}")
        for width in (360, 1280):
            page.set_viewport_size({"width": width, "height": 900})
            for scheme in SCHEMES:
                page.emulate_media(color_scheme=scheme)
                shot = SHOTS / f"story-{pattern.id}-{scenario.id}-{width}-{scheme}.png"
                figure.screenshot(path=shot)
                assert shot.stat().st_size > 10_000
    context.close()
