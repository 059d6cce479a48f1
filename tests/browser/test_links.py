"""A run in the address, the way back from a changed run, and the keys, as a reader uses them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from pysims.kernel import Pattern
from tests.browser.conftest import PREFIX, SANDBOXES, Watch, ask, element_of, ready, visit
from tests.catalog import PATTERNS

CHANGED: dict[str, tuple[str, dict[str, Any]]] = {
    "hash_ring": ("jump", {"do": "act", "name": "RemoveServer", "arguments": {"server": "A"}}),
    "raft": ("leader-crash", {"do": "seed", "value": "77"}),
    "saga": ("all-works", {"do": "seed", "value": "77"}),
}
DIGEST = {"do": "digest"}
# The page of a pattern alone stands for all: it has the same widget and the same script.
START = ("start", "step", "step")


def changed(page: Page, root: str, pattern: str) -> tuple[Any, str]:
    """A figure that its reader has changed, and the link that it gives."""
    story, message = CHANGED[pattern]
    page.goto(f"{root}embed/{pattern}/{story}.html")
    widget = ready(page, element_of(pattern, story))
    for do in START:
        ask(widget, {"do": do})
    ask(widget, message)
    widget.locator("summary", has_text="Share this run").click()
    widget.get_by_role("button", name="Copy link").click()
    return widget, shared(widget).input_value()


def shared(widget: Any) -> Any:
    """The field with what was copied."""
    return widget.locator(".sim-shared textarea")


@pytest.fixture
def post(context: BrowserContext, blog: tuple[Path, str], origin: str) -> Watch:
    """A page of somebody else's blog, which may ask its own site and ours."""
    watch = Watch(context.new_page(), (origin, blog[1]))
    watch.start()
    return watch


@pytest.mark.parametrize("pattern", CHANGED)
def test_a_link_opens_the_same_run_at_the_same_moment(
    page: Page, address: str, context: BrowserContext, pattern: str
) -> None:
    widget, link = changed(page, address, pattern)
    assert page.evaluate("location.href") == link
    digest = ask(widget, DIGEST)
    other = context.new_page()
    other.goto(link)
    there = ready(other, element_of(pattern, CHANGED[pattern][0]))
    assert ask(there, DIGEST)["digest"] == digest["digest"]
    there.locator(".sim-scene").focus()
    ask(widget, {"do": "show"})
    assert ask(there, {"do": "link"})["link"] in link
    expect(there.locator(".sim-message")).to_be_empty()


@pytest.mark.parametrize("pattern", CHANGED)
def test_a_link_works_from_disk(context: BrowserContext, disk: Path, pattern: str) -> None:
    watch = Watch(context.new_page(), (disk.as_uri(),))
    watch.start()
    widget, link = changed(watch.page, f"{disk.as_uri()}/", pattern)
    other = context.new_page()
    other.goto(link)
    there = ready(other, element_of(pattern, CHANGED[pattern][0]))
    assert ask(there, DIGEST)["digest"] == ask(widget, DIGEST)["digest"]
    watch.check()


@pytest.mark.parametrize("sandbox", SANDBOXES)
@pytest.mark.parametrize("pattern", CHANGED)
def test_a_link_works_in_a_frame(
    post: Watch, blog: tuple[Path, str], address: str, pattern: str, sandbox: str
) -> None:
    story, _ = CHANGED[pattern]
    link = f"{address}embed/{pattern}/{story}.html#?v=1&amp;run={pattern}/{story}&amp;seed=9"
    frame = visit(post.page, blog, link, SANDBOXES[sandbox])
    widget = ready(frame, element_of(pattern, story))
    assert ask(widget, {"do": "link"})["link"].startswith(f"v=1&run={pattern}/{story}&seed=9")
    widget.locator("summary", has_text="Share this run").click()
    widget.get_by_role("button", name="Copy link").click()
    expect(shared(widget)).to_have_value(re.compile(f"run={pattern}/{story}&seed=9&at="))
    assert shared(widget).input_value() == frame.evaluate("location.href")
    post.check()


BAD = {
    "newer": ("v=9&run=hash_ring", "made by a newer edition of this site"),
    "damaged": ("v=1&run=hash_ri", "the link is for a run of 'hash_ri'"),
    "long": ("v=1&run=" + "a" * 100_000, "allowed are 30,000"),
    "many": ("v=1&run=hash_ring" + "&do=5:Lookup" * 2_000, "at most 1000 actions"),
    "markup": ("v=1&run=hash_ring&x=<img src=x onerror=alert(1)>", "a link has v, run"),
    "another": (
        "v=1&run=raft/leader-crash",
        "the link is for a run of 'raft', and this is hash_ring",
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_link_gets_a_sentence_and_the_story_stands(
    page: Page, address: str, kind: str
) -> None:
    link, says = BAD[kind]
    page.goto(f"{address}embed/hash_ring/jump.html#?{link}")
    widget = ready(page, "hash-ring-jump")
    message = widget.locator(".sim-message")
    expect(message).to_contain_text("This link cannot be followed")
    expect(message).to_contain_text(says)
    assert page.locator(".sim-message img").count() == 0
    ask(widget, {"do": "show"})
    assert ask(widget, {"do": "link"})["link"] == "v=1&run=hash_ring/jump&at=6000:3"


def test_a_link_in_a_chapter_is_for_the_figure_that_it_names(page: Page, address: str) -> None:
    name = "hash-ring-jump"
    page.goto(f"{address}consistent-hashing.html#{name}?v=1&run=hash_ring/jump&at=2000:1")
    widget = ready(page, name)
    expect(widget.locator(".sim-clock")).to_contain_text("event 1 of 3")
    expect(widget).to_be_in_viewport()
    # A link that is pasted into the address of an open page is followed as well.
    page.evaluate(f"location.hash = '#{name}?v=1&run=hash_ring/jump&at=0:0'")
    expect(widget.locator(".sim-clock")).to_contain_text("event 0 of 3")


def test_embed_code_shows_the_run_that_was_on_show(
    page: Page, post: Watch, blog: tuple[Path, str], address: str
) -> None:
    page.goto(f"{address}consistent-hashing.html")
    widget = ready(page, "hash-ring-jump")
    ask(widget, {"do": "seed", "value": "5"})
    digest = ask(widget, DIGEST)["digest"]
    widget.locator("summary", has_text="Share this run").click()
    widget.get_by_role("button", name="Copy embed code").click()
    code = shared(widget).input_value()
    folder, origin = blog
    head = '<!doctype html><link rel="icon" href="data:,"><title>A blog</title>'
    (folder / "post.html").write_text(head + code, "utf-8")
    post.page.goto(f"{origin}{PREFIX}post.html")
    frame = post.page.frames[1]
    frame.wait_for_load_state()
    assert ask(ready(frame, "hash-ring-jump"), DIGEST)["digest"] == digest
    post.check()


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda p: p.id)
def test_every_pattern_follows_its_own_links(page: Page, address: str, pattern: Pattern) -> None:
    page.goto(f"{address}embed/{pattern.id}.html")
    widget = ready(page, element_of(pattern.id, pattern.scenarios[0].id))
    for message in ({"do": "seed", "value": "77"}, {"do": "start"}, {"do": "step"}):
        ask(widget, message)
    link, digest = ask(widget, {"do": "link"})["link"], ask(widget, DIGEST)["digest"]
    assert "seed=77" in link
    ask(widget, {"do": "reset"})
    ask(widget, {"do": "follow", "value": link})
    assert ask(widget, {"do": "link"})["link"] == link
    assert ask(widget, DIGEST)["digest"] == digest


def travels(widget: Any) -> None:
    """Time travel by keys and buttons, from the middle of a run into its past and back."""
    keyboard, scene = widget.page.keyboard, widget.locator(".sim-scene")
    clock = widget.locator(".sim-clock")
    before = ask(widget, DIGEST)["digest"]
    scene.focus()
    keyboard.press("Home")
    expect(clock).to_contain_text("event 0 of")
    keyboard.press("ArrowRight")
    expect(clock).not_to_contain_text("event 0 of")
    keyboard.press("ArrowLeft")
    expect(clock).to_contain_text("event 0 of")
    keyboard.press(" ")
    expect(widget.get_by_role("button", name="Pause")).to_be_visible()
    scene.focus()
    keyboard.press(" ")
    expect(widget.get_by_role("button", name="Play")).to_be_visible()
    scene.focus()
    keyboard.press("Home")
    keyboard.press("n")
    expect(clock).not_to_contain_text("event 0 of")
    acts = widget.locator("button[data-do=act]:not([aria-disabled]), .sim-form[data-do=act] button")
    acts.first.click()
    undo = widget.get_by_role("button", name="Undo")
    expect(undo).to_be_visible()
    assert ask(widget, DIGEST)["digest"] != before
    scene.focus()
    keyboard.press("u")
    expect(undo).to_have_count(0)
    assert ask(widget, DIGEST)["digest"] == before
    keyboard.press(">")
    expect(widget.get_by_label("Speed")).to_have_value("2.0")
    widget.locator("summary", has_text="Trace and description").click()
    line = widget.locator(".sim-trace button").nth(2)
    index = line.get_attribute("data-value")
    line.click()
    expect(clock).to_contain_text(f"event {index} of")


@pytest.mark.parametrize("pattern", CHANGED)
def test_time_travel(page: Page, address: str, pattern: str) -> None:
    story = CHANGED[pattern][0]
    page.goto(f"{address}embed/{pattern}/{story}.html")
    travels(ready(page, element_of(pattern, story)))


@pytest.mark.parametrize("pattern", CHANGED)
def test_time_travel_from_disk(context: BrowserContext, disk: Path, pattern: str) -> None:
    watch = Watch(context.new_page(), (disk.as_uri(),))
    watch.start()
    story = CHANGED[pattern][0]
    watch.page.goto((disk / "embed" / pattern / f"{story}.html").as_uri())
    travels(ready(watch.page, element_of(pattern, story)))
    watch.check()


@pytest.mark.parametrize("sandbox", SANDBOXES)
@pytest.mark.parametrize("pattern", CHANGED)
def test_time_travel_in_a_frame(
    post: Watch, blog: tuple[Path, str], address: str, pattern: str, sandbox: str
) -> None:
    story = CHANGED[pattern][0]
    frame = visit(post.page, blog, f"{address}embed/{pattern}/{story}.html", SANDBOXES[sandbox])
    travels(ready(frame, element_of(pattern, story)))
    post.check()


def test_the_keys_of_a_picture_do_not_turn_the_page(page: Page, address: str) -> None:
    page.goto(f"{address}consistent-hashing.html")
    widget = ready(page, "hash-ring-jump")
    widget.locator(".sim-scene").focus()
    for key in ("Home", "n", "p"):
        page.keyboard.press(key)
    # The one event of the first kind; before it there is no other.
    expect(widget.locator(".sim-clock")).to_contain_text("event 2 of 3")
    expect(widget.locator(".sim-message")).to_contain_text("comes before this moment")
    page.wait_for_timeout(500)
    assert page.url == f"{address}consistent-hashing.html"
