"""Where else it lives: on disk, in frames of other sites, sandboxed, with storage forbidden."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Playwright, expect

import pysims
from pysims.kernel import Pattern
from tests.browser.conftest import (
    ARGUMENTS,
    PREFIX,
    SANDBOXES,
    SITE,
    Watch,
    ask,
    element_of,
    ready,
    runs_in,
    visit,
)
from tests.browsers import chromium_path
from tests.catalog import PATTERNS
from tests.drivers.server import serving

JUMP = "hash-ring-jump"


def works(frame: Any, digest_of: tuple[str, str] = ("hash_ring", "jump")) -> None:
    """The widget starts, runs the same run, and reacts."""
    widget = ready(frame, JUMP)
    assert ask(widget, {"do": "digest"})["digest"] == pysims.run(*digest_of).digest
    widget.get_by_label("Step back").click()
    expect(widget.locator(".sim-says")).to_contain_text("D joined")
    widget.get_by_label("Remove A").click()
    expect(widget.locator(".sim-says")).to_contain_text("A died")


# --- From disk ------------------------------------------------------------------------------------


@pytest.fixture
def from_disk(context: BrowserContext, disk: Path) -> Iterator[Watch]:
    watch = Watch(context.new_page(), (disk.as_uri(),))
    watch.start()
    yield watch
    watch.check()


def test_from_disk_the_chapter_lives(from_disk: Watch, disk: Path) -> None:
    from_disk.page.goto((disk / "consistent-hashing.html").as_uri())
    works(from_disk.page)


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda p: p.id)
def test_from_disk_every_scenario_is_the_same_run(
    from_disk: Watch, disk: Path, pattern: Pattern
) -> None:
    page = from_disk.page
    page.goto((disk / "embed" / f"{pattern.id}.html").as_uri())
    widget = ready(page, element_of(pattern.id, pattern.scenarios[0].id))
    digests = [digest for digest, _ in runs_in(widget, pattern)]
    assert digests == [pysims.run(pattern.id, story.id).digest for story in pattern.scenarios]


def test_the_restored_heap_is_whole(from_disk: Watch, disk: Path) -> None:
    """Byte for byte the photographed memory; the page's pattern came to it, others could."""
    page = from_disk.page
    page.goto((disk / "embed" / "hash_ring.html").as_uri())
    widget = ready(page, "hash-ring-ring-kill")
    ring = next(pattern for pattern in PATTERNS if pattern.id == "hash_ring")
    assert ask(widget, {"do": "catalog"})["patterns"] == {
        "hash_ring": [scenario.id for scenario in ring.scenarios]
    }
    known = page.evaluate("Object.keys(__simManifest.patterns)")
    assert known == [pattern.id for pattern in PATTERNS]
    heap = page.evaluate(
        """simRuntime.start({digestHeap: true})
          .then((runtime) => runtime.heapDigest().finally(() => runtime.terminate()))"""
    )
    assert heap == page.evaluate("__simManifest.heapSha256")
    assert len(heap) == 64


def test_from_disk_one_finds_words_and_follows_links(from_disk: Watch, disk: Path) -> None:
    page = from_disk.page
    page.goto((disk / "index.html").as_uri())
    page.get_by_role("link", name="Consistent hashing").first.click()
    page.wait_for_url("**/consistent-hashing.html")
    found = page.locator(".md-search-result__item").first
    field = page.locator(".md-search__input")
    # What is typed before Material listens, or before its index is there, gets no answer.
    for _ in range(20):
        field.fill("rendezvou")
        field.press("s")
        with suppress(AssertionError):
            expect(found).to_be_visible(timeout=2_000)
            break
    expect(found).to_be_visible()


# --- In a page of another site --------------------------------------------------------------------


@pytest.mark.parametrize("sandbox", SANDBOXES)
def test_in_a_foreign_frame(
    context: BrowserContext, blog: tuple[Path, str], address: str, origin: str, sandbox: str
) -> None:
    watch = Watch(context.new_page(), (origin, blog[1]))
    watch.start()
    frame = visit(watch.page, blog, f"{address}embed/hash_ring/jump.html", SANDBOXES[sandbox])
    works(frame)
    told = watch.page.evaluate("window.told")
    assert {"ready", "frame", "resize"} <= {message["type"] for message in told}
    box = watch.page.locator("iframe").bounding_box()
    assert box
    assert abs(box["height"] - frame.evaluate("document.body.offsetHeight")) <= 2
    assert frame.evaluate("document.documentElement.scrollHeight <= innerHeight + 2")
    watch.check()


@pytest.mark.parametrize("sandbox", SANDBOXES)
def test_a_form_in_a_foreign_frame(
    context: BrowserContext, blog: tuple[Path, str], address: str, origin: str, sandbox: str
) -> None:
    """A sandboxed frame may submit no form; its buttons and the Enter key work all the same."""
    watch = Watch(context.new_page(), (origin, blog[1]))
    watch.start()
    frame = visit(watch.page, blog, f"{address}embed/raft/split-vote.html", SANDBOXES[sandbox])
    widget = ready(frame, "raft-split-vote")
    amount = widget.get_by_label("Add", exact=True)
    amount.fill("7")
    widget.get_by_role("button", name="Send a command").click()
    expect(widget.locator(".sim-says")).to_contain_text("to add 7")
    amount.fill("8")
    amount.press("Enter")
    expect(widget.locator(".sim-says")).to_contain_text("to add 8")
    amount.fill("500")
    amount.press("Enter")
    expect(widget.locator(".sim-message")).to_contain_text("from 1 to 99, got 500")
    expect(widget.locator(".sim-says")).to_contain_text("to add 8")
    watch.check()


def test_in_a_sandbox_on_a_server_without_cors(
    context: BrowserContext, blog: tuple[Path, str]
) -> None:
    with serving(SITE, prefix=PREFIX) as server:
        origin = f"http://site.test:{server.port}"
        watch = Watch(context.new_page(), (origin, blog[1]))
        # The fonts of an opaque origin need CORS and fall back to the reader's own.
        watch.expected = lambda text: "font" in text or "ERR_FAILED" in text or "CORS" in text
        watch.start()
        src = f"{origin}{PREFIX}embed/hash_ring/jump.html"
        works(visit(watch.page, blog, src, SANDBOXES["sandboxed"]))
        watch.check()


def test_with_third_party_storage_blocked(
    playwright: Playwright,
    tmp_path_factory: pytest.TempPathFactory,
    blog: tuple[Path, str],
    address: str,
) -> None:
    profile = tmp_path_factory.mktemp("profile")
    (profile / "Default").mkdir()
    (profile / "Default" / "Preferences").write_text(
        json.dumps({"profile": {"cookie_controls_mode": 1, "block_third_party_cookies": True}})
    )
    context = playwright.chromium.launch_persistent_context(
        profile, executable_path=chromium_path(), args=ARGUMENTS
    )
    frame = visit(context.new_page(), blog, f"{address}embed/hash_ring/jump.html")
    refused = frame.evaluate(
        """new Promise((resolve) => {
          try {
            const request = indexedDB.open("probe");
            request.onerror = () => resolve(true);
            request.onsuccess = () => resolve(false);
          } catch { resolve(true); }
        })"""
    )
    assert refused, "this browser does not block third-party storage, so the test shows nothing"
    works(frame)
    context.close()
