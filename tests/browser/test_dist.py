"""The ZIP for disk, unpacked where addresses are hard to write, in three browsers; and served."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect

import pysims
from pysims.kernel import Pattern
from pysims.offline.archive import write
from tests.browser.conftest import SITE, Watch, ask, ready, tab_or_skip
from tests.browser.test_offline import search
from tests.catalog import PATTERNS
from tests.drivers.places import visited
from tests.drivers.server import serving

RING = "hash-ring-ring-kill"
CHAPTER = "consistent-hashing.html"


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The one folder of the ZIP, in a folder with a name that addresses must escape."""
    folder = tmp_path_factory.mktemp("zip")
    archive = write(SITE, folder)
    place = folder / "100 % mine #1, für später"
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(place)
    (found,) = place.iterdir()
    return found


def lives(watch: Watch, address: str) -> None:
    """A chapter starts, acts, searches, and shows the code that ran."""
    page = watch.page
    page.goto(address)
    widget = ready(page, RING)
    assert ask(widget, {"do": "digest"})["digest"] == pysims.run("hash_ring", "ring-kill").digest
    widget.get_by_label("Remove A").click()
    expect(widget.locator(".sim-says")).to_contain_text("A died")
    widget.locator("summary", has_text="Code that ran").click()
    expect(widget.locator(".sim-code-ran").first).to_be_visible(timeout=20_000)
    search(page, "rendezvous").locator("a").first.click()
    expect(page.locator(".md-content h1").first).to_be_visible()


def test_in_chromium(context: BrowserContext, unpacked: Path) -> None:
    watch = Watch(context.new_page(), (unpacked.as_uri(),))
    watch.start()
    lives(watch, (unpacked / CHAPTER).as_uri())
    watch.page.goto((unpacked / "index.html").as_uri())
    watch.page.get_by_role("link", name="Read it offline").first.click()
    expect(watch.page.locator("[data-offline]")).to_contain_text("a copy on disk")
    watch.check()


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.id)
def test_every_pattern_is_in_it(context: BrowserContext, unpacked: Path, pattern: Pattern) -> None:
    watch = Watch(context.new_page(), (unpacked.as_uri(),))
    watch.start()
    watch.page.goto((unpacked / "embed" / f"{pattern.id}.html").as_uri())
    watch.page.locator("sim-widget[data-ready]").wait_for(timeout=30_000)
    watch.check()


@pytest.mark.parametrize("browser", ["Firefox", "WebKit"])
def test_in_other_browsers(unpacked: Path, browser: str) -> None:
    with serving(unpacked) as server, tab_or_skip(browser, server.port) as opened:
        address = (unpacked / "embed" / "raft.html").as_uri()
        _, found = visited(opened, address, "disk", "starts")
    story = pysims.load_pattern("raft").scenarios[0].id
    assert [widget.name for widget in found] == [f"raft/{story}"]
    assert [widget for widget in found if not widget.lives] == []


def test_served_it_takes_the_scripts(context: BrowserContext, unpacked: Path) -> None:
    """Somebody serves what was unpacked: what can be fetched is not in it, and it lives."""
    with serving(unpacked) as server:
        origin = server.url("").removesuffix(server.prefix)
        watch = Watch(context.new_page(), (origin,))
        watch.expected = lambda text: "404" in text
        watch.start()
        lives(watch, server.url(CHAPTER))
        watch.check()


def test_every_file_that_a_page_asks_for_is_in_it(context: BrowserContext, unpacked: Path) -> None:
    page = context.new_page()
    failed: list[str] = []

    def heard(url: str) -> None:
        # The worker of a page that is left behind is no file.
        if not url.startswith("blob:"):
            failed.append(url)

    page.on("requestfailed", lambda request: heard(request.url))
    for name in sorted(path.name for path in unpacked.glob("*.html")):
        # What a figure asks for as it starts must come as well, so no page is left before.
        page.goto((unpacked / name).as_uri(), wait_until="networkidle")
        expect(page.locator(".sim-starting")).to_have_count(0, timeout=60_000)
    assert failed == []
