"""A whole widget of every pattern by keyboard alone, on the page where a reader meets it."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import Page, expect

from pysims.kernel import Pattern
from tests.browser.conftest import ROOT, ask, comes_true, element_of, ready
from tests.browser.test_every_state import every_pattern, everything_open, open_first
from tests.catalog import PATTERNS

FENCE = re.compile(r'^```sim (\w+) scenario="([\w-]+)"', re.MULTILINE)
# What the keyboard must reach, in the order of the document.
WANTED = """widget => [...widget.querySelectorAll(
    'button, input, select, textarea, summary, [tabindex], [contenteditable=true], a[href]')]
  .filter(e => !e.disabled && (e.tabIndex >= 0 || e.isContentEditable)
    && e.checkVisibility({opacityProperty: true, visibilityProperty: true}))
  .map((e, number) => (e.stop = number))"""
# The element with the focus: its number, its name, what shows that it has the focus, and whether it
# is to be seen: the point in its middle, or one near an edge, belongs to it and not to a bar above.
FOCUS = """async () => {
  const e = document.activeElement;
  // The editor marks its focus a moment later.
  if (e.matches(".cm-content")) await new Promise((resolve) => setTimeout(resolve, 100));
  const number = (color) => {
    const context = new OffscreenCanvas(1, 1).getContext("2d");
    context.fillStyle = color;
    context.fillRect(0, 0, 1, 1);
    return [...context.getImageData(0, 0, 1, 1).data];
  };
  const luminance = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const color = number(getComputedStyle(at).backgroundColor);
      if (color[3] === 255) return color;
    }
    return [255, 255, 255, 255];
  };
  // An editor shows the focus on the box around the text.
  const framed = e.matches(".cm-content") ? e.closest(".cm-editor") : e;
  const style = getComputedStyle(framed);
  const [one, other] = [number(style.outlineColor), behind(framed.parentElement)].map(luminance);
  // Of what is taller than the screen, or than the box that it scrolls in, the part on show.
  const box = e.getBoundingClientRect().toJSON();
  const clip = (by) => {
    const bottom = Math.min(box.top + box.height, by.top + by.height);
    box.top = Math.max(box.top, by.top);
    box.height = bottom - box.top;
  };
  for (let at = e.parentElement; at !== document.body; at = at.parentElement) {
    if (getComputedStyle(at).overflowY !== "visible") clip(at.getBoundingClientRect());
  }
  clip({top: 0, height: innerHeight});
  const xs = [0.5, 0.1, 0.9].map((part) => box.left + box.width * part);
  const ys = [0.5, 0.1, 0.9].map((part) => box.top + box.height * part);
  const seen = box.height > 0 && xs.some((x) => ys.some((y) => {
    const top = document.elementFromPoint(x, y);
    return top && (e.contains(top) || top.contains(e) && !top.matches(".sim-deck, .md-header"));
  }));
  return {
    stop: e.stop ?? null,
    name: e.id || e.getAttribute("aria-label") || e.textContent.trim().slice(0, 40),
    width: style.outlineStyle === "none" ? 0 : parseFloat(style.outlineWidth),
    contrast: (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05),
    seen,
  };
}"""


def on_its_page(page: Page, address: str, pattern: Pattern) -> Any:
    """The pattern's first figure on the page of the site that shows it, alive."""
    for path in sorted((ROOT / "docs").glob("*.md")):
        for name, scenario in FENCE.findall(path.read_text("utf-8")):
            if name == pattern.id and path.stem != "index":
                page.goto(f"{address}{path.stem}.html")
                return ready(page, element_of(name, scenario))
    raise AssertionError(f"no page shows {pattern.id}")


def walk(page: Page, key: str, count: int) -> list[dict[str, Any]]:
    """Where the focus stands, before and after each of `count` presses of a key."""
    stops = [page.evaluate(FOCUS)]
    for _ in range(count):
        page.keyboard.press(key)
        stops.append(page.evaluate(FOCUS))
    return stops


def faults(stops: list[dict[str, Any]]) -> list[str]:
    """What is wrong with the focus at one of the stops."""
    found = []
    for stop in stops:
        if stop["width"] < 2 or stop["contrast"] < 3:
            found.append(f"{stop['name']}: {stop['width']} px, {stop['contrast']:.1f}:1")
        if not stop["seen"]:
            found.append(f"{stop['name']}: hidden")
    return found


@every_pattern
def test_tab_reaches_everything_in_order_and_the_focus_is_seen(
    page: Page, address: str, pattern: Pattern
) -> None:
    """Down by Tab and up again by Shift and Tab, below the bar of the site and above the deck."""
    page.set_viewport_size({"width": 1280, "height": 800})
    widget = on_its_page(page, address, pattern)
    everything_open(widget)
    wanted = widget.evaluate(WANTED)
    widget.get_by_label("Scenario", exact=True).focus()
    down = walk(page, "Tab", len(wanted) - 1)
    assert [stop["stop"] for stop in down] == wanted, [stop["name"] for stop in down]
    up = walk(page, "Shift+Tab", len(wanted) - 1)
    assert [stop["stop"] for stop in up] == wanted[::-1]
    # The first has its focus from the test, and no browser shows that of a script's.
    assert faults(down[1:] + up[1:]) == []


@every_pattern
def test_every_action_answers_to_keys(page: Page, address: str, pattern: Pattern) -> None:
    widget = open_first(page, address, pattern)
    pressed = 0
    for action in pattern.actions:
        name = action.event.__name__
        button = widget.locator(
            f'button[data-do=act][data-name="{name}"], .sim-form[data-name="{name}"] button'
        ).first
        if not button.count() or button.get_attribute("aria-disabled"):
            continue
        button.focus()
        page.keyboard.press(("Enter", "Space")[pressed % 2])
        expect(widget.locator(".sim-watch")).to_contain_text("You have changed this run")
        expect(widget.locator(".sim-message")).to_be_empty()
        widget.get_by_role("button", name="Reset").focus()
        page.keyboard.press(("Space", "Enter")[pressed % 2])
        expect(widget.locator(".sim-watch")).not_to_contain_text("You have changed this run")
        pressed += 1
    assert pressed >= 1


@every_pattern
def test_nothing_needs_dragging(page: Page, address: str, pattern: Pattern) -> None:
    """Each slider has a field for its number beside it, and the moment has buttons and arrows."""
    widget = open_first(page, address, pattern)
    widget.locator("summary", has_text="Settings").click()
    assert widget.locator("[draggable=true]").count() == 0
    widget_id = widget.get_attribute("id")
    at_first = widget.locator(".sim-clock").text_content() or ""
    for slider in widget.locator("input[type=range][data-slider]").all():
        name = slider.get_attribute("id")
        exact = widget.locator(f"#{name}-exact")
        before = slider.input_value()
        # To the end that it is farther from.
        most = slider.get_attribute("max") or ""
        wanted = exact.get_attribute("min" if int(before) * 2 > int(most) else "max") or ""
        exact.fill(wanted)
        exact.press("Enter")
        said = f"document.querySelector('#{widget_id}-message').textContent"
        place = f"document.querySelector('#{name}').value"
        comes_true(page, f"{place} !== '{before}' || {said} !== ''")
        if widget.locator(".sim-message").text_content():
            # A setting that does not go with the others: the model says so in a sentence.
            continue
        expect(exact).to_have_value(wanted)
    widget.get_by_role("button", name="Reset").click()
    expect(widget.locator(".sim-clock")).to_have_text(at_first, timeout=20_000)
    moment = widget.locator(".sim-scrubber")
    widget.get_by_label("To the start").click()
    expect(moment).to_have_value("0")
    moment.focus()
    page.keyboard.press("ArrowRight")
    expect(widget.locator(".sim-clock")).to_contain_text("event 1 of")
    page.keyboard.press("Home")
    expect(widget.locator(".sim-clock")).to_contain_text("event 0 of")
    widget.get_by_label("Step forward").click()
    # A step passes over events that change nothing.
    expect(widget.locator(".sim-clock")).not_to_contain_text("event 0 of")


def test_the_editor_is_no_trap(page: Page, address: str) -> None:
    widget = open_first(page, address, next(p for p in PATTERNS if p.id == "raft"))
    everything_open(widget)
    editor = widget.locator(".cm-content")
    editor.focus()
    page.keyboard.press("Tab")
    expect(editor).not_to_be_focused()
    editor.focus()
    page.keyboard.press("Shift+Tab")
    expect(editor).not_to_be_focused()
    assert ask(widget, {"do": "show"})["html"]
