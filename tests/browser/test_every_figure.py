"""Every action of every pattern, in a real Chromium; how each looks and reads."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

import pysims
from pysims import load_pattern
from pysims.kernel import Pattern, knobs_of
from tests.browser.conftest import (
    ask,
    element_of,
    ready,
    too_small,
    unfold,
)
from tests.catalog import PATTERNS

every_pattern = pytest.mark.parametrize("pattern", PATTERNS, ids=lambda p: p.id)


def open_first(page: Page, address: str, pattern: Pattern) -> Any:
    """The page for iframes of a pattern's first scenario, alive."""
    scenario = pattern.scenarios[0].id
    page.goto(f"{address}embed/{pattern.id}/{scenario}.html")
    return ready(page, element_of(pattern.id, scenario))


# --- What the reader can do -----------------------------------------------------------------------


@every_pattern
def test_every_action_answers(page: Page, address: str, pattern: Pattern) -> None:
    """Each button does something: the run grows by what was done, and nothing complains."""
    widget = open_first(page, address, pattern)
    for action in pattern.actions:
        name = action.event.__name__
        button = widget.locator(
            f'button[data-do=act][data-name="{name}"], .sim-form[data-name="{name}"] button'
        ).first
        if not button.count() or button.get_attribute("aria-disabled"):
            # It waits for something: a server to restart, a cut to heal.
            assert not action.available(opened_state(pattern)), name
            continue
        button.click()
        expect(widget.locator(".sim-watch")).to_contain_text("You have changed this run")
        expect(widget.locator(".sim-message")).to_be_empty()
        expect(widget.locator(".sim-notice")).to_have_count(0)
        widget.get_by_role("button", name="Reset").click()
        expect(widget.locator(".sim-watch")).not_to_contain_text("You have changed this run")


def opened_state(pattern: Pattern) -> Any:
    """The state that a pattern's first scenario shows first."""
    scenario = pattern.scenarios[0]
    history = pysims.run(pattern.id, scenario.id).history
    return history[history.index_at(scenario.show_ms)].state


REFUSED = {
    "R above N": ("pacelc", "quorum", {"do": "param", "name": "read_quorum", "value": "5"}),
    "a server of another house": (
        "raft",
        "first-election",
        {"do": "act", "name": "Crash", "arguments": {"server": "S9"}},
    ),
    "a partition that names a node twice": (
        "cap_theorem",
        "healthy",
        {"do": "act", "name": "Cut", "arguments": {"partition": "AB | A"}},
    ),
    "a negative delay": (
        "raft",
        "first-election",
        {"do": "param", "name": "delay_ms_min", "value": "-5"},
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_refusal_is_a_sentence_in_place_and_the_run_stays(
    page: Page, address: str, case: str
) -> None:
    pattern_id, scenario, message = REFUSED[case]
    page.goto(f"{address}embed/{pattern_id}/{scenario}.html")
    widget = ready(page, element_of(pattern_id, scenario))
    before = ask(widget, {"do": "show"})
    widget.evaluate("(element, m) => element.send(m)", message)
    expect(widget.locator(".sim-message")).not_to_be_empty()
    expect(widget.locator(".sim-message")).to_contain_text(re.compile("must|named|names"))
    after = ask(widget, {"do": "show"})
    assert after["saved"] == before["saved"]
    assert ask(widget, {"do": "digest"})["digest"] == pysims.run(pattern_id, scenario).digest


def test_a_search_says_the_seed_in_place(page: Page, address: str) -> None:
    page.goto(f"{address}embed/raft/storm.html")
    widget = ready(page, "raft-storm")
    widget.get_by_label("Break the rule").select_option("vote-twice")
    widget.locator("summary", has_text="Settings").click()
    widget.get_by_role("button", name="Search for a violated light").click()
    expect(widget.locator(".sim-message")).to_contain_text("“Election Safety” is violated at")
    expect(widget.locator(".sim-light--bad")).to_contain_text("Election Safety")


# --- Readers --------------------------------------------------------------------------------------


@every_pattern
def test_a_pattern_fits_the_page_the_finger_and_the_eye(
    page: Page, address: str, pattern: Pattern
) -> None:
    """Nothing sticks out; what is to be touched is 24 px; no word is smaller than 11 px."""
    widget = open_first(page, address, pattern)
    unfold(widget)
    for width in (320, 360, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), width
        assert too_small(widget) == [], width
    page.set_viewport_size({"width": 360, "height": 900})
    smallest = widget.evaluate(
        """w => Math.min(...[...w.querySelectorAll('.sim-scene svg text')].map(t => {
          const box = t.ownerSVGElement.getBoundingClientRect();
          const scale = box.width / t.ownerSVGElement.viewBox.baseVal.width;
          return parseFloat(getComputedStyle(t).fontSize) * scale;
        }))"""
    )
    assert smallest >= 11, smallest


def test_the_knobs_of_this_file_are_there() -> None:
    assert "read_quorum" in knobs_of(load_pattern("pacelc").params)
    assert "delay_ms_min" in knobs_of(load_pattern("raft").params)
