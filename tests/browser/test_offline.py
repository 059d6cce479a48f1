"""Without a network: what was read, the whole site on request, and what a deploy does to both.

The server is really stopped, and tells the browser to keep nothing by itself, so whatever comes
afterwards came from the service worker.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

import pysims
from tests.browser.conftest import PREFIX, SHOTS, SITE, ask, comes_true, element_of, ready
from tests.browser.test_every_failure import Stage, deploy
from tests.catalog import PATTERNS
from tests.drivers.server import serving

DIGEST = {"do": "digest"}
CHAPTER = "consistent-hashing.html"
RING = "hash-ring-ring-kill"
NOTHING_KEPT = {"Cache-Control": "no-store"}
KEPT = """async () => {
  const kept = [];
  for (const name of await caches.keys()) {
    for (const { url } of await (await caches.open(name)).keys()) kept.push(url);
  }
  return kept;
}"""


@pytest.fixture
def stage(browser: Browser, tmp_path: Path) -> Iterator[Stage]:
    """A site of its own, a browser that has never seen it, and what its console says."""
    folder = tmp_path / "site"
    shutil.copytree(SITE, folder, ignore=shutil.ignore_patterns("*.b64.js", "*.map"))
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(20_000)
    with ExitStack() as stack:
        server = stack.enter_context(serving(folder, prefix=PREFIX, headers=NOTHING_KEPT))
        stage = Stage(folder, stack, server, context.new_page())
        stage.page.on("pageerror", lambda error: hear(stage, str(error)))
        yield stage
        assert stage.heard == []
    context.close()


def hear(stage: Stage, error: str) -> None:
    """Notes an error, but Material's own about a sandbox: it may neither store nor fetch there."""
    if "localStorage" not in error and error != "Network error":
        stage.heard.append(error)


def kept(page: Page, *parts: str, timeout_s: float = 30) -> list[str]:
    """What is in the caches, once something with each of these parts in its address is there."""
    ends = time.monotonic() + timeout_s
    while True:
        found: list[str] = page.evaluate(KEPT)
        missing = [part for part in parts if not any(part in url for url in found)]
        if not missing:
            return found
        assert time.monotonic() < ends, f"{missing} are not kept, but {found}"
        page.wait_for_timeout(100)


def read(stage: Stage, name: str, widget: str) -> str:
    """Reads a page as a reader does, until it is kept; returns the digest of its figure."""
    page = stage.page
    page.goto(stage.server.url(name))
    found = ready(page, widget)
    page.mouse.wheel(0, 300)
    digest: str = ask(found, DIGEST)["digest"]
    kept(
        page,
        name,
        "/snapshot.",
        "/interpreter.",
        "/glue.",
        "/pyodide.",
        "/hash_ring.",
        "search_index",
    )
    return digest


def search(page: Page, word: str) -> Any:
    """The first of what is found."""
    found = page.locator(".md-search-result__item").first
    field = page.locator(".md-search__input")
    # What is typed before Material listens, or before its index is there, gets no answer.
    for _ in range(10):
        field.fill(word[:-1])
        field.press(word[-1])
        with suppress(AssertionError):
            expect(found).to_be_visible(timeout=2_000)
            break
    expect(found).to_be_visible()
    return found


def test_nothing_is_registered_before_the_reader_shows_interest(stage: Stage) -> None:
    stage.page.goto(stage.server.url("sources.html"))
    stage.page.wait_for_timeout(1500)
    count = "navigator.serviceWorker.getRegistrations().then((all) => all.length)"
    assert stage.page.evaluate(count) == 0
    assert not [name for name in stage.server.requested if name in ("sw.js", "offline.json")]
    stage.page.mouse.wheel(0, 200)
    kept(stage.page, "sources.html", "/styles.css", ".woff2")
    assert stage.page.evaluate(count) == 1


def test_what_was_read_lives_without_a_network(stage: Stage) -> None:
    digest = read(stage, CHAPTER, RING)
    stage.stop_server()
    page = stage.page
    page.reload()
    expect(page.locator("h1")).to_contain_text("Consistent hashing")
    widget = ready(page, RING)
    assert ask(widget, DIGEST)["digest"] == digest
    widget.get_by_role("button", name="Play").click()
    expect(widget.get_by_role("button", name="Pause")).to_be_visible()
    expect(search(page, "rendezvous")).to_contain_text(re.compile("rendezvous", re.IGNORECASE))
    # A page that was not read says so, and what there is instead.
    page.goto(stage.server.url("transactions.html"))
    expect(page.locator("body")).to_contain_text("this page was not read before")
    page.screenshot(path=SHOTS / "offline-not-here.png")
    page.get_by_role("link", name=re.compile("Consistent hashing")).click()
    expect(page.locator("h1")).to_contain_text("Consistent hashing")
    page.goto(stage.server.url("no-such-page.html"))
    expect(page.locator("h1")).to_have_text("This page is not here")
    stage.start_server()
    page.goto(stage.server.url("transactions.html"))
    expect(page.locator("h1")).to_contain_text("transactions")


def test_a_network_that_does_not_answer_is_not_waited_for(stage: Stage) -> None:
    read(stage, CHAPTER, RING)
    stage.server.hung.add(CHAPTER)
    stage.page.reload()
    expect(stage.page.locator("h1")).to_contain_text("Consistent hashing", timeout=10_000)
    ready(stage.page, RING)


def offered(page: Page) -> Any:
    return page.get_by_role(
        "button", name=re.compile(r"^(Save for offline|Go on saving) \(\d+\.\d MB\)")
    )


def test_the_whole_site_is_saved_on_request(stage: Stage) -> None:
    page = stage.page
    page.goto(stage.server.url("offline.html"))
    expect(page.locator("[data-offline]")).to_contain_text(re.compile(r"takes \d+\.\d MB on this"))
    page.screenshot(path=SHOTS / "offline-offered.png")
    offered(page).click()
    expect(page.get_by_role("progressbar")).to_be_visible()
    expect(page.locator("[data-offline]")).to_contain_text(re.compile(r"\d\.\d MB of \d+\.\d MB"))
    expect(page.locator("[data-offline]")).to_contain_text(
        "The whole site is saved", timeout=60_000
    )
    page.screenshot(path=SHOTS / "offline-saved.png")
    stage.stop_server()
    page.set_default_navigation_timeout(60_000)
    names = sorted(path.relative_to(SITE).as_posix() for path in SITE.rglob("*.html"))
    for name in (name for name in names if not name.startswith("embed/")):
        page.goto(stage.server.url(name))
        expect(page.locator("h1").first).to_be_visible()
        expect(page.locator("body")).not_to_contain_text("was not read before")
    for pattern in PATTERNS:
        page.goto(stage.server.url(f"embed/{pattern.id}.html"))
        story = pattern.scenarios[0].id
        widget = ready(page, element_of(pattern.id, story))
        assert ask(widget, DIGEST)["digest"] == pysims.run(pattern.id, story).digest
    page.goto(stage.server.url("offline.html"))
    expect(search(page, "quorum")).to_be_visible()


def test_saving_is_canceled_gone_on_with_and_undone(stage: Stage) -> None:
    page = stage.page
    stage.server.slow |= {"search_index", "interpreter."}
    page.goto(stage.server.url("offline.html"))
    offered(page).click()
    page.get_by_role("button", name="Cancel").click()
    box = page.locator("[data-offline]")
    expect(box).to_contain_text("Canceled. What has come is kept.")
    stage.server.slow.clear()
    offered(page).click()
    expect(box).to_contain_text("The whole site is saved", timeout=60_000)
    box.get_by_role("button", name="Remove").click()
    expect(box).to_contain_text("Removed.")
    assert not [url for url in page.evaluate(KEPT) if url.endswith((".html", ".bin"))]
    offered(page).wait_for()


def test_a_connection_that_breaks_while_saving(stage: Stage) -> None:
    page = stage.page
    stage.server.cut.add("interpreter.")
    page.goto(stage.server.url("offline.html"))
    offered(page).click()
    box = page.locator("[data-offline]")
    expect(box).to_contain_text("What has come is kept; Save goes on from there.", timeout=60_000)
    stage.server.cut.clear()
    offered(page).click()
    expect(box).to_contain_text("The whole site is saved", timeout=60_000)


def test_no_room_is_said(stage: Stage) -> None:
    page = stage.page
    page.goto(stage.server.url("offline.html"))
    session = page.context.new_cdp_session(page)
    origin = page.evaluate("origin")
    session.send("Storage.overrideQuotaForOrigin", {"origin": origin, "quotaSize": 3_000_000})
    offered(page).click()
    expect(page.locator("[data-offline]")).to_contain_text(
        "There is no room for it", timeout=60_000
    )


def test_forbidden_storage_is_said_and_does_no_harm(stage: Stage) -> None:
    stage.page.add_init_script(
        """const places = [[window, "caches"], [Navigator.prototype, "serviceWorker"]];
        for (const [where, name] of places) {
          Object.defineProperty(where, name, {
            get() { throw new DOMException("Forbidden here.", "SecurityError"); } });
        }"""
    )
    stage.page.goto(stage.server.url("offline.html"))
    expect(stage.page.locator("[data-offline]")).to_contain_text("This browser keeps nothing")
    stage.page.mouse.wheel(0, 300)
    stage.page.wait_for_timeout(500)


def test_on_disk_everything_is_there_already(browser: Browser) -> None:
    page = browser.new_page()
    page.goto((SITE / "offline.html").as_uri())
    expect(page.locator("[data-offline]")).to_contain_text("You are reading a copy on disk")
    page.context.close()


@pytest.mark.parametrize("attributes", ["", 'sandbox="allow-scripts"'])
def test_nothing_is_registered_in_a_frame(stage: Stage, attributes: str) -> None:
    (stage.folder / "around.html").write_text(
        f'<!doctype html><title>A</title><iframe {attributes} src="{CHAPTER}"></iframe>',
        "utf-8",
    )

    def listen(said: ConsoleMessage) -> None:
        if "erviceWorker" in said.text:
            stage.heard.append(said.text)

    stage.page.on("console", listen)
    stage.page.goto(stage.server.url("around.html"))
    frame = stage.page.frames[1]
    frame.locator("h1").wait_for()
    frame.evaluate("scrollBy(0, 500)")
    stage.page.wait_for_timeout(1500)
    assert (
        stage.page.evaluate("navigator.serviceWorker.getRegistrations().then((a) => a.length)") == 0
    )


def expect_one_cache(page: Page, before: list[str]) -> None:
    """Waits until the old cache is gone, and there is one of another name."""
    ends = time.monotonic() + 20
    while len(now := page.evaluate("caches.keys()")) != 1 or now == before:
        assert time.monotonic() < ends, now
        page.wait_for_timeout(100)


# --- A deploy -------------------------------------------------------------------------------------


def test_a_deploy_brings_new_pages_and_a_runtime_that_fits(stage: Stage) -> None:
    page = stage.page
    digest = read(stage, CHAPTER, RING)
    before = page.evaluate("caches.keys()")
    deploy(stage.folder)
    page.goto(stage.server.url(CHAPTER))
    expect(page.locator("h1")).to_contain_text("second edition")
    assert ask(ready(page, RING), DIGEST)["digest"] == digest
    assert page.evaluate("__simManifest.build") == "00000000beef"
    # The new worker has what was read, in its new version, and the old cache is gone.
    kept(page, CHAPTER, "/hash_ring.00000000beef.js", "/snapshot.", "/glue.", "/pyodide.")
    expect_one_cache(page, before)
    stage.stop_server()
    page.reload()
    expect(page.locator("h1")).to_contain_text("second edition")
    assert ask(ready(page, RING), DIGEST)["digest"] == digest
    assert page.evaluate("__simManifest.build") == "00000000beef"


def test_between_a_deploy_and_the_next_visit_the_old_copy_is_whole(stage: Stage) -> None:
    """Deployed, and the network gone before anything was asked: the old page, the old runtime."""
    digest = read(stage, CHAPTER, RING)
    deploy(stage.folder)
    stage.stop_server()
    page = stage.page
    page.reload()
    expect(page.locator("h1")).not_to_contain_text("second edition")
    assert ask(ready(page, RING), DIGEST)["digest"] == digest
    assert page.evaluate("__simManifest.build") != "00000000beef"


def test_a_link_to_a_page_of_the_next_build_loads_it_whole(stage: Stage) -> None:
    page = stage.page
    page.goto(stage.server.url("index.html"))
    page.evaluate("window.old = true")
    deploy(stage.folder)
    page.locator(".site-chapters").get_by_role("link", name="Consistent hashing").click()
    comes_true(page, "!window.old && document.readyState === 'complete'")
    expect(page.locator("h1")).to_contain_text("second edition")
    ready(page, RING)
    assert page.evaluate("__simManifest.build") == "00000000beef"
