"""The quizzes in Chromium: by keyboard, without scripts, and with the score that a script adds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.conftest import SHOTS, violations
from tests.test_quiz import CHAPTERS

NAMES = [chapter.stem for chapter in CHAPTERS]
every_chapter = pytest.mark.parametrize("name", NAMES)


def question(page: Page, number: int) -> Locator:
    """A question of the section 'Check yourself', counted from 1."""
    return page.locator("#check-yourself ~ .quiz").nth(number - 1)


def option(asked: Locator, kind: str) -> Locator:
    return asked.locator(f"details.{kind}").first


def open_by_key(page: Page, chosen: Locator, key: str = "Enter") -> None:
    chosen.locator("summary").focus()
    page.keyboard.press(key)


def score(page: Page) -> Locator:
    return page.locator("#check-yourself ~ .quiz-score")


@every_chapter
def test_without_scripts_every_option_opens_by_keyboard(
    browser: Browser, address: str, name: str
) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}{name}.html")
    options = page.locator(".quiz > details").all()
    assert options
    for chosen in options:
        explanation = chosen.locator("summary + p")
        expect(explanation).to_be_hidden()
        open_by_key(page, chosen)
        expect(explanation).to_be_visible()
        expect(explanation).to_contain_text("Right." if kind_of(chosen) == "right" else "Wrong.")
    expect(page.locator(".quiz-score")).to_have_count(0)
    context.close()


def kind_of(chosen: Locator) -> str:
    return chosen.get_attribute("class") or ""


def test_from_disk_a_quiz_works(browser: Browser, disk: Path) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto((disk / "consistent-hashing.html").as_uri())
    question(page, 1).locator("details.right summary").click()
    expect(question(page, 1).locator("details.right summary + p")).to_be_visible()
    expect(score(page)).to_contain_text("1 of 1")
    context.close()


def test_tab_walks_over_the_options_and_the_focus_is_seen(page: Page, address: str) -> None:
    page.goto(address + "consistent-hashing.html")
    summaries = question(page, 1).locator("summary")
    summaries.first.focus()
    for index in range(1, summaries.count()):
        page.keyboard.press("Tab")
        expect(summaries.nth(index)).to_be_focused()
        outline = summaries.nth(index).evaluate(
            "e => [getComputedStyle(e).outlineStyle, getComputedStyle(e).outlineWidth]"
        )
        assert outline == ["solid", "2px"]


@every_chapter
def test_nothing_shows_the_answer_before_an_option_is_opened(
    page: Page, address: str, name: str
) -> None:
    page.goto(f"{address}{name}.html")
    styles = """kind => [...document.querySelectorAll(`.quiz > details.${kind}`)].map(option =>
        ['', '::before', '::after'].map(part => {
          const {content, color, backgroundColor, borderColor, display} =
            getComputedStyle(option.querySelector('summary'), part);
          return [content, color, backgroundColor, borderColor, display].join();
        }).join(' | ') + getComputedStyle(option).borderColor)"""
    right, wrong = page.evaluate(styles, "right"), page.evaluate(styles, "wrong")
    assert len(set(right + wrong)) == 1
    # What a screen reader is told: options that are closed, and no verdict.
    spoken = page.locator(".quiz").first.aria_snapshot()
    assert "Right" not in spoken
    assert "Wrong" not in spoken


def test_an_opened_option_says_its_verdict_by_mark_and_word(page: Page, address: str) -> None:
    page.goto(address + "consistent-hashing.html")
    for kind, mark, word in (("right", "✓", "Right."), ("wrong", "✕", "Wrong.")):
        chosen = option(question(page, 1), kind)
        open_by_key(page, chosen, "Space")
        drawn = chosen.locator("summary").evaluate("e => getComputedStyle(e, '::before').content")
        assert mark in drawn
        expect(chosen.locator("strong").first).to_have_text(word)


def test_only_the_first_try_counts_and_the_score_is_announced(page: Page, address: str) -> None:
    page.goto(address + "consistent-hashing.html")
    expect(score(page)).to_have_attribute("role", "status")
    expect(score(page)).to_have_text("")
    open_by_key(page, option(question(page, 1), "wrong"))
    expect(score(page)).to_have_text("Right at the first try: 0 of 1, 4 to go.")
    open_by_key(page, option(question(page, 1), "right"))
    expect(score(page)).to_have_text("Right at the first try: 0 of 1, 4 to go.")
    for number in range(2, 6):
        option(question(page, number), "right").locator("summary").click()
    expect(score(page)).to_have_text("Right at the first try: 4 of 5.")


def test_what_the_browser_opens_by_itself_is_no_try(page: Page, address: str) -> None:
    page.goto(address + "consistent-hashing.html")
    expect(score(page)).to_have_count(1)
    page.locator(".quiz > details").evaluate_all("all => all.forEach(e => { e.open = true; })")
    expect(question(page, 5).locator("details.right summary + p")).to_be_visible()
    expect(score(page)).to_have_text("")


def test_two_quizzes_of_a_page_are_counted_apart(page: Page, address: str) -> None:
    page.goto(address + "cap.html")
    expect(page.locator(".quiz-score")).to_have_count(2)
    option(page.locator(".quiz").first, "right").locator("summary").click()
    expect(page.locator(".quiz-score").first).to_contain_text("1 of 1, 4 to go")
    expect(page.locator(".quiz-score").last).to_have_text("")


def test_a_quiz_counts_after_instant_navigation(page: Page, address: str) -> None:
    page.goto(address + "index.html")
    page.evaluate("window.same = true")
    page.get_by_role("link", name="Consistent hashing").first.click()
    expect(score(page)).to_have_count(1)
    assert page.evaluate("window.same")
    option(question(page, 1), "right").locator("summary").click()
    expect(score(page)).to_have_text("Right at the first try: 1 of 1, 4 to go.")


@every_chapter
@pytest.mark.parametrize("width", [360, 1280])
def test_options_are_large_enough_and_nothing_sticks_out(
    page: Page, address: str, name: str, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(f"{address}{name}.html")
    page.locator(".quiz > details").evaluate_all("all => all.forEach(e => { e.open = true; })")
    sizes: list[dict[str, float]] = page.locator(".quiz summary").evaluate_all(
        "all => all.map(e => e.getBoundingClientRect().toJSON())"
    )
    assert all(box["height"] >= 24 and box["right"] <= width for box in sizes)
    wide = page.locator(".quiz, .quiz *").evaluate_all(
        "all => all.filter(e => e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0).length"
    )
    assert wide == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_axe_finds_nothing_in_an_opened_quiz(
    browser: Browser, address: str, width: int, scheme: Any
) -> None:
    context = browser.new_context(
        color_scheme=scheme, viewport={"width": width, "height": 900}, reduced_motion="reduce"
    )
    page = context.new_page()
    page.goto(address + "consistent-hashing.html")
    for number in (1, 2):
        for kind in ("right", "wrong"):
            open_by_key(page, option(question(page, number), kind))
    assert violations(page) == []
    page.locator("#check-yourself").scroll_into_view_if_needed()
    shot = SHOTS / f"quiz-{width}-{scheme}.png"
    page.screenshot(path=shot)
    assert shot.stat().st_size > 10_000
    context.close()
