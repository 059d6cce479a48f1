"""Every pattern's widget for every reader, in each state that it can be in."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import pytest
from markupsafe import escape
from playwright.sync_api import Browser, Page, expect

from pysims.kernel import Pattern
from tests.browser.conftest import ask, element_of, ready, too_small, unfold, violations
from tests.catalog import PATTERNS

every_pattern = pytest.mark.parametrize("pattern", PATTERNS, ids=lambda p: p.id)
FAILS = "e => e.lostRuntime(new Error('The worker was ended by a test.'))"


def open_first(page: Page, address: str, pattern: Pattern) -> Any:
    """The page for iframes of a pattern's first scenario, alive."""
    scenario = pattern.scenarios[0].id
    page.goto(f"{address}embed/{pattern.id}/{scenario}.html")
    return ready(page, element_of(pattern.id, scenario))


def everything_open(widget: Any) -> None:
    """All panels, with what comes only when they are opened: code and its editor, seeds, a link."""
    unfold(widget)
    code = widget.locator("details[data-panel=code]")
    expect(code.locator(".sim-code-says")).to_contain_text("ran", timeout=60_000)
    expect(widget.get_by_label("Question", exact=True)).to_be_visible(timeout=60_000)
    widget.get_by_role("button", name="Copy link").click()
    expect(widget.locator(".sim-shared textarea")).to_be_visible(timeout=60_000)
    code.get_by_role("button", name="model.py").click()
    code.get_by_role("button", name="Edit", exact=True).click()
    expect(code.locator(".cm-content")).to_be_visible(timeout=60_000)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@every_pattern
def test_axe_finds_nothing_in_any_state(
    browser: Browser, address: str, pattern: Pattern, scheme: Any
) -> None:
    context = browser.new_context(color_scheme=scheme, viewport={"width": 1280, "height": 900})
    page = context.new_page()
    widget = open_first(page, address, pattern)
    # A page of its own: the first time all of it, and then what changes.
    assert violations(page) == [], "paused"
    unfold(widget)
    assert violations(page, "sim-widget") == [], "panels unfolded"
    # All states in one of the schemes, which takes turns; colors are the same in each of them.
    if (PATTERNS.index(pattern) % 2 == 0) != (scheme == "light"):
        context.close()
        return
    everything_open(widget)
    assert violations(page, "sim-widget") == [], "all panels open"
    knob = next(name for name in dir(pattern.params()) if not name.startswith("_"))
    widget.evaluate("(e, name) => e.send({do: 'param', name, value: 'no such value'})", knob)
    expect(widget.locator(".sim-message")).not_to_be_empty()
    assert violations(page, "sim-widget") == [], "after a refusal"
    widget.get_by_label("To the start").click()
    expect(widget.locator(".sim-clock")).to_contain_text("event 0 of")
    widget.get_by_label("Speed").select_option("0.25")
    widget.locator("button[data-do=toggle]").click()
    expect(widget.get_by_role("button", name="Pause")).to_be_visible()
    assert violations(page, "sim-widget") == [], "while it plays"
    # An answer that was on its way would take the notice back; a worker that is gone sends none.
    widget.locator("button[data-do=toggle]").click()
    expect(widget.get_by_role("button", name="Play", exact=True)).to_be_visible()
    page.wait_for_timeout(300)
    widget.evaluate(FAILS)
    expect(widget.get_by_role("button", name="Try again")).to_be_visible()
    assert violations(page, "sim-widget") == [], "failed"
    context.close()


@every_pattern
def test_targets_are_large_enough_with_all_panels_open(
    page: Page, address: str, pattern: Pattern
) -> None:
    page.set_viewport_size({"width": 360, "height": 800})
    widget = open_first(page, address, pattern)
    everything_open(widget)
    assert too_small(widget) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


# --- Words for the picture ------------------------------------------------------------------------


def words_of(widget: Any) -> str:
    """What the picture is described by."""
    scene = widget.locator(".sim-scene")
    name = scene.get_attribute("aria-describedby")
    text: str = widget.locator(f"#{name}").text_content()
    return text


def stepped(widget: Any) -> bool:
    """One step forward, which takes all that happens in one moment; False at the end of the run."""
    step, clock = widget.get_by_label("Step forward"), widget.locator(".sim-clock")
    if step.get_attribute("aria-disabled"):
        return False
    before = clock.text_content() or ""
    step.click()
    expect(clock).not_to_have_text(before)
    return True


@every_pattern
def test_the_words_for_the_picture_are_those_of_the_moment(
    page: Page, address: str, pattern: Pattern
) -> None:
    """They are what the model says of the state on show, and they change as the picture does."""
    widget = open_first(page, address, pattern)
    history = ask(widget, {"do": "show"})
    assert str(escape(words_of(widget).split(".")[0])) in history["html"]
    widget.get_by_label("To the start").click()
    expect(widget.locator(".sim-clock")).to_contain_text("event 0 of")
    seen = [words_of(widget)]
    for _ in range(12):
        if not stepped(widget):
            break
        seen.append(words_of(widget))
    assert all(len(words) > 40 for words in seen)
    assert len(set(seen)) >= min(3, len(seen)), seen


# --- Announcements --------------------------------------------------------------------------------

LISTEN = """widget => {
  window.heard = [];
  new MutationObserver((changes) => {
    for (const change of changes) {
      const live = change.target.nodeType === 1 ? change.target : change.target.parentElement;
      if (live?.closest("[aria-live], [role=status], [role=alert]")) {
        heard.push([performance.now(), live.textContent]);
      }
    }
  }).observe(widget, {subtree: true, childList: true, characterData: true});
}"""


def event_of(widget: Any) -> int:
    """The number of the event on show."""
    return int(widget.locator(".sim-clock").text_content().split("event ")[1].split(" of")[0])


def last_of(widget: Any) -> int:
    """The number of the last event of the run."""
    return int(widget.locator(".sim-clock").text_content().split(" of ")[1])


def shortest_gap(heard: list[Any]) -> float:
    """The shortest time between two announcements, in ms."""
    return min((b[0] - a[0] for a, b in pairwise(heard)), default=math.inf)


# Runs with many events in a few seconds.
@pytest.mark.parametrize("name", ["raft/storm", "cascade_failure/unprotected"])
def test_a_run_that_plays_is_told_in_no_flood(page: Page, address: str, name: str) -> None:
    page.goto(f"{address}embed/{name}.html")
    widget = ready(page, name.replace("/", "-").replace("_", "-"))
    widget.get_by_label("To the start").click()
    expect(widget.locator(".sim-clock")).to_contain_text("event 0 of")
    fastest = widget.get_by_label("Speed").locator("option").last.get_attribute("value")
    widget.get_by_label("Speed").select_option(fastest)
    page.wait_for_timeout(700)
    widget.evaluate(LISTEN)
    widget.get_by_role("button", name="Play", exact=True).click()
    page.wait_for_timeout(7_000)
    heard = page.evaluate("heard")
    told = event_of(widget)
    assert told > 3
    assert heard
    # A run that has ended says so without waiting longer than a step would.
    while_it_played = heard[:-1] if told == last_of(widget) else heard
    assert shortest_gap(while_it_played) >= 2_900, heard
    if widget.get_by_role("button", name="Pause").count():
        widget.get_by_role("button", name="Pause").click()
    page.wait_for_timeout(3_200)
    assert page.evaluate("heard").pop()[1] == widget.locator(".sim-says").text_content()


def test_a_step_is_told_at_once_and_a_held_key_is_not_told_step_by_step(
    page: Page, address: str
) -> None:
    page.goto(f"{address}embed/raft/storm.html")
    widget = ready(page, "raft-storm")
    widget.get_by_label("To the start").click()
    page.wait_for_timeout(700)
    widget.evaluate(LISTEN)
    first = widget.locator(".sim-says").text_content() or ""
    widget.get_by_label("Step forward").click()
    # A click comes back before its picture is drawn.
    expect(widget.locator(".sim-says")).not_to_have_text(first)
    expect(widget.locator("[aria-live=polite]")).to_have_text(
        widget.locator(".sim-says").text_content() or "", timeout=300
    )
    page.wait_for_timeout(700)
    before = len(page.evaluate("heard"))
    widget.locator(".sim-scene").focus()
    for _ in range(30):
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(33)
    page.wait_for_timeout(900)
    heard = page.evaluate("heard")
    assert len(heard) > before
    assert shortest_gap(heard) >= 550, heard
    assert heard.pop()[1] == widget.locator(".sim-says").text_content()


# --- Motion ---------------------------------------------------------------------------------------


@every_pattern
def test_reduced_motion_gives_the_same_states_as_steps(
    browser: Browser, address: str, pattern: Pattern
) -> None:
    frames: dict[str, list[str]] = {}
    motions: list[Any] = ["no-preference", "reduce"]
    for motion in motions:
        context = browser.new_context(reduced_motion=motion)
        page = context.new_page()
        widget = open_first(page, address, pattern)
        widget.get_by_label("To the start").click()
        expect(widget.locator(".sim-clock")).to_contain_text("event 0 of")
        seen = [ask(widget, {"do": "digest"})["digest"]]
        for _ in range(5):
            if not stepped(widget):
                break
            if motion == "reduce":
                assert page.evaluate("document.getAnimations().length") == 0
            seen.append(widget.locator(".sim-scene").inner_html())
        frames[motion] = seen
        context.close()
    assert frames["reduce"] == frames["no-preference"]
    assert len(frames["reduce"]) >= 2
