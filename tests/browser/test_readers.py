"""Readers of every kind: axe, names and live regions, light and dark, and pictures to look at."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import SHOTS, ready, too_small, unfold, violations

PAGES = {
    "home": ("index.html", "hash-ring-ring-kill"),
    "chapter": ("consistent-hashing.html", "hash-ring-modulo-kill"),
    "embed": ("embed/hash_ring.html", "hash-ring-ring-kill"),
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing(browser: Browser, address: str, name: str, scheme: Any) -> None:
    path, widget_id = PAGES[name]
    context = browser.new_context(color_scheme=scheme, viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(address + path)
    widget = ready(page, widget_id)
    unfold(widget)
    assert violations(page) == []
    widget.get_by_role("button", name="Play").click()
    expect(widget.get_by_role("button", name="Pause")).to_be_visible()
    assert violations(page) == []
    widget.get_by_label("Keys, exactly").fill("5")
    widget.get_by_label("Keys, exactly").press("Enter")
    expect(widget.locator(".sim-message")).not_to_be_empty()
    assert violations(page) == []
    context.close()


def test_axe_finds_nothing_after_a_failure(page: Page, watch: Any, address: str) -> None:
    watch.expected = lambda text: True
    page.route("**/assets/runtime/**", lambda route: route.abort())
    page.goto(address + "embed/hash_ring.html")
    expect(page.get_by_role("button", name="Try again")).to_be_visible(timeout=20_000)
    assert violations(page) == []


def test_the_picture_has_words_and_changes_are_announced(page: Page, address: str) -> None:
    page.goto(address + "embed/hash_ring/jump.html")
    widget = ready(page, "hash-ring-jump")
    scene = widget.locator(".sim-scene")
    described = scene.get_attribute("aria-describedby")
    words = page.locator(f"#{described}").text_content() or ""
    assert "3 servers hold 200 keys" in words
    live = widget.locator("[aria-live=polite]")
    expect(live).to_have_count(1)
    widget.get_by_label("Step back").click()
    expect(live).to_contain_text("D joined")
    assert "4 servers hold 200 keys" in (page.locator(f"#{described}").text_content() or "")


def test_targets_are_large_enough(page: Page, address: str) -> None:
    page.set_viewport_size({"width": 360, "height": 800})
    page.goto(address + "embed/hash_ring/jump.html")
    widget = ready(page, "hash-ring-jump")
    unfold(widget)
    assert too_small(widget) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_pictures_to_look_at(browser: Browser, address: str, width: int, scheme: Any) -> None:
    context = browser.new_context(
        color_scheme=scheme, viewport={"width": width, "height": 900}, reduced_motion="reduce"
    )
    page = context.new_page()
    SHOTS.mkdir(exist_ok=True)
    for name, (path, widget_id) in PAGES.items():
        page.goto(address + path)
        widget = ready(page, widget_id)
        shot = SHOTS / f"{name}-{width}-{scheme}.png"
        page.screenshot(path=shot)
        widget.screenshot(path=SHOTS / f"{name}-{width}-{scheme}-widget.png")
        assert shot.stat().st_size > 10_000
    context.close()
