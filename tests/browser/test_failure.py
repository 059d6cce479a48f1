"""When something breaks: a sentence in place, 'Try again', and the run as it was."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page, expect

from tests.browser.conftest import Watch, ask, ready

JUMP = "hash-ring-jump"
PAGE = "embed/hash_ring/jump.html"

# Keeps every worker that the page starts, so that a test can kill it.
KEEP_WORKERS = """window.started = [];
window.Worker = class extends Worker {
  constructor(...given) { super(...given); window.started.push(this); }
};"""


def allow(watch: Watch) -> None:
    """Failures are the point here: the console may name them."""
    watch.expected = lambda text: True


def try_again(widget: Any) -> Any:
    return widget.get_by_role("button", name="Try again")


def act(widget: Any) -> str:
    widget.get_by_label("Remove A").click()
    expect(widget.locator(".sim-says")).to_contain_text("A died")
    digest: str = ask(widget, {"do": "digest"})["digest"]
    return digest


def test_a_missing_file_is_said_and_tried_again(page: Page, watch: Watch, address: str) -> None:
    allow(watch)
    page.route("**/assets/runtime/**", lambda route: route.fulfill(status=404, body="gone"))
    page.goto(address + PAGE)
    widget = page.locator(f"#{JUMP}")
    expect(widget.locator(".sim-notice")).to_contain_text("could not be loaded", timeout=20_000)
    expect(widget.locator(".sim-says")).to_contain_text("B died")
    page.unroute("**/assets/runtime/**")
    try_again(widget).click()
    ready(page, JUMP)
    expect(widget.locator(".sim-notice")).to_have_count(0)


def test_a_worker_that_dies_gives_the_run_back(page: Page, watch: Watch, address: str) -> None:
    allow(watch)
    page.add_init_script(KEEP_WORKERS)
    page.goto(address + PAGE)
    widget = ready(page, JUMP)
    digest = act(widget)
    page.evaluate("window.started.at(-1).terminate()")
    widget.get_by_label("Step back").click()
    expect(widget.locator(".sim-notice")).to_contain_text("did not answer", timeout=15_000)
    expect(widget.locator(".sim-says")).to_contain_text("A died")
    try_again(widget).click()
    expect(widget.locator(".sim-notice")).to_have_count(0, timeout=20_000)
    assert ask(widget, {"do": "digest"})["digest"] == digest
    widget.get_by_label("Step back").click()
    expect(widget.locator(".sim-says")).to_contain_text("B died")


def test_a_mistake_in_python_is_said_and_the_run_stays(
    page: Page, watch: Watch, address: str
) -> None:
    allow(watch)
    page.goto(address + PAGE)
    widget = ready(page, JUMP)
    digest = act(widget)
    # No control of the page sends this; the pattern's code fails on it as it would on its own.
    widget.evaluate("e => e.send({do: 'act', name: 'Lookup', arguments: 5})")
    expect(widget.locator(".sim-notice")).to_contain_text("The simulation made a mistake")
    expect(widget.locator(".sim-says")).to_contain_text("A died")
    try_again(widget).click()
    expect(widget.locator(".sim-notice")).to_have_count(0)
    assert ask(widget, {"do": "digest"})["digest"] == digest


def test_without_webassembly_the_frame_stays_and_says_why(
    page: Page, watch: Watch, address: str
) -> None:
    allow(watch)
    page.add_init_script("delete window.WebAssembly")
    page.goto(address + PAGE)
    widget = page.locator(f"#{JUMP}")
    expect(widget.locator(".sim-notice")).to_contain_text("WebAssembly", timeout=40_000)
    expect(widget.locator(".sim-says")).to_contain_text("B died")
