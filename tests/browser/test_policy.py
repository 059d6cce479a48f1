"""The content security policy, at work: everything runs under it, and what it forbids does not."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Frame, Page, expect

import pysims
from tests.browser.conftest import (
    CORS,
    PREFIX,
    SANDBOXES,
    SITE,
    Watch,
    ask,
    ready,
    tab_or_skip,
    visit,
)
from tests.browser.test_code import panel_of, swapped, written
from tests.browsers import BrowserNotFoundError, all_browsers_required
from tests.drivers import open_in_firefox, open_in_webkit
from tests.drivers.places import visited
from tests.drivers.server import serving

REPORT = """document.addEventListener("securitypolicyviolation", (event) => {
  reportViolation([event.effectiveDirective, event.blockedURI, event.sourceFile, event.sample]);
});"""

STORY = ("raft", "leader-crash")
FIGURE = "raft-leader-crash"


@dataclass
class Place:
    """A page that is watched for what its policy refuses, and where the site is for it."""

    watch: Watch
    root: str
    refused: list[Any]


def watched(context: BrowserContext, root: str, *origins: str) -> Place:
    refused: list[Any] = []

    def hear(what: list[str]) -> None:
        refused.append(what)

    context.expose_function("reportViolation", hear)
    context.add_init_script(REPORT)
    watch = Watch(context.new_page(), origins)
    watch.start()
    return Place(watch, root, refused)


@pytest.fixture(params=["http", "disk"])
def place(
    request: pytest.FixtureRequest, context: BrowserContext, origin: str, disk: Path
) -> Iterator[Place]:
    root = origin + PREFIX if request.param == "http" else disk.as_uri() + "/"
    found = watched(context, root, origin, disk.as_uri())
    yield found
    assert found.refused == []
    found.watch.check()


def whole_life(page: Page | Frame, widget: Any) -> None:
    """Start, step, play, act, lines, editor, a changed model, seeds, and a link to it all."""
    assert ask(widget, {"do": "digest"})["digest"] == pysims.run(*STORY).digest
    widget.get_by_label("Step back").click()
    buttons = ":is(button[data-do=act], .sim-form[data-do=act] button):not([aria-disabled=true])"
    widget.locator(buttons).first.click()
    expect(widget.locator(".sim-watch")).to_contain_text("You have changed this run")
    widget.get_by_role("button", name="Reset").click()
    panel = panel_of(widget)
    panel.get_by_role("button", name="model.py").click()
    panel.get_by_role("button", name="Edit", exact=True).click()
    # The editor's own styles are there: without them its lines stand nowhere.
    scroller = panel.locator(".cm-scroller")
    assert scroller.evaluate("e => getComputedStyle(e).display") == "flex"
    changed = swapped("raft", "        voted_for=server.id,", '        voted_for="",')
    written(panel, changed)
    expect(panel.locator(".sim-code-head")).to_contain_text(re.compile("run"), timeout=30_000)
    expect(widget).to_have_attribute("data-edited", "")
    panel.get_by_role("button", name="Restore").click()
    widget.locator("summary", has_text="A thousand seeds").click()
    seeds = widget.locator(".seeds")
    seeds.get_by_label("Seeds", exact=True).select_option("100")
    seeds.get_by_role("button", name="Run", exact=True).click()
    expect(seeds.get_by_role("status")).to_contain_text("seeds have run, in", timeout=60_000)
    assert widget.locator(".seeds-bar").count() > 0


# --- Everything runs ------------------------------------------------------------------------------


@pytest.mark.parametrize("page", ["leader-election.html", "embed/raft/leader-crash.html"])
def test_a_figure_lives_its_whole_life(place: Place, page: str) -> None:
    place.watch.page.goto(place.root + page)
    whole_life(place.watch.page, ready(place.watch.page, FIGURE))


@pytest.mark.parametrize("sandbox", SANDBOXES)
def test_a_figure_lives_its_whole_life_in_a_frame(
    context: BrowserContext, blog: tuple[Path, str], origin: str, address: str, sandbox: str
) -> None:
    place = watched(context, address, origin, blog[1])
    src = f"{address}embed/raft/leader-crash.html"
    frame = visit(place.watch.page, blog, src, SANDBOXES[sandbox])
    whole_life(frame, ready(frame, FIGURE))
    assert place.refused == []
    place.watch.check()


def test_a_reader_searches_chooses_colors_copies_and_walks_on(place: Place) -> None:
    page = place.watch.page
    page.emulate_media(color_scheme="light")
    page.goto(f"{place.root}cap.html")
    field = page.locator(".md-search__input")
    found = page.locator(".md-search-result__item").first
    for _ in range(20):
        field.fill("rendezvou")
        field.press("s")
        if found.is_visible():
            break
        page.wait_for_timeout(500)
    expect(found).to_be_visible()
    field.press("Enter")
    page.wait_for_url("**/*.html?*")
    # From the system's colors to light, and to dark, which the next page has before it is painted.
    page.goto(f"{place.root}rate-limiting.html")
    for _ in range(2):
        page.locator("label[for^=__palette]:visible").click()
    expect(page.locator("body")).to_have_attribute("data-md-color-scheme", "slate")
    page.get_by_role("button", name="Copy to clipboard").first.click()
    page.locator(".md-footer__link--next").click()
    page.wait_for_url("**/fault-tolerance.html")
    expect(page.locator("body")).to_have_attribute("data-md-color-scheme", "slate")
    page.goto(f"{place.root}embed.html")
    page.locator("#live-frame").scroll_into_view_if_needed()
    frame = page.frame_locator("#live-frame")
    expect(frame.locator("sim-widget[data-ready]")).to_have_count(1, timeout=30_000)
    page.locator("#live-script").scroll_into_view_if_needed()
    script = page.frame_locator("#live-script iframe")
    expect(script.locator("sim-widget[data-ready]")).to_have_count(1, timeout=30_000)


def test_chosen_colors_are_there_before_the_first_paint(page: Page, address: str) -> None:
    """The body has the reader's colors while it has nothing else, on a system that wants others."""
    page.emulate_media(color_scheme="light")
    page.add_init_script(
        """new MutationObserver((_, observer) => {
          if (!document.querySelector(".md-header")) return;
          window.schemeThen = document.body.dataset.mdColorScheme;
          observer.disconnect();
        }).observe(document, {childList: true, subtree: true});"""
    )
    page.goto(f"{address}cap.html")
    assert page.evaluate("schemeThen") == "default"
    for _ in range(2):
        page.locator("label[for^=__palette]:visible").click()
    page.reload()
    assert page.evaluate("schemeThen") == "slate"
    page.emulate_media(color_scheme="dark")
    page.locator("label[for^=__palette]:visible").click()
    page.reload()
    assert page.evaluate("schemeThen") == "slate"


@pytest.mark.parametrize("at", ["http", "disk"])
@pytest.mark.parametrize("browser_name", ["Firefox", "WebKit"])
def test_in_other_browsers(browser_name: str, at: str, disk: Path) -> None:
    path = "embed/raft/leader-crash.html"
    with (
        serving(SITE, prefix=PREFIX, compress=True, headers=CORS) as server,
        tab_or_skip(browser_name, server.port) as opened,
    ):
        url = server.url(path) if at == "http" else (disk / path).as_uri()
        _, found = visited(opened, url, at, "starts")
    assert [widget.name for widget in found] == ["raft/leader-crash"]
    assert [widget for widget in found if not widget.lives] == []


OUTER = """<!doctype html><meta charset="utf-8"><title>A blog</title><script>
  window.told = [];
  addEventListener("message", ({data}) => told.push(data.type));
</script><iframe sandbox="allow-scripts" width="1000" height="1000" src="{src}"></iframe>"""


@pytest.mark.parametrize("name", ["firefox", "webkit"])
def test_in_a_sandboxed_frame_of_other_browsers(name: str, tmp_path: Path) -> None:
    """There 'self' is nothing to WebKit: the page has to name the address that it is read at."""
    shutil.copytree(SITE / "assets", tmp_path / "assets")
    text = (SITE / "embed/raft/leader-crash.html").read_text("utf-8")
    own = re.search(r"script-src 'self' (.*?) 'wasm-unsafe-eval'", text)
    assert own, "an embed page names the site's address"
    folder = tmp_path / "embed" / "raft"
    folder.mkdir(parents=True)
    with serving(tmp_path, prefix=PREFIX, headers=CORS) as server:
        here = server.url("")
        (folder / "leader-crash.html").write_text(text.replace(own[1], here), "utf-8")
        src = server.url("embed/raft/leader-crash.html")
        (tmp_path / "outer.html").write_text(OUTER.replace("{src}", src), "utf-8")
        ready_told = 'told.includes("ready") && told'
        assert "frame" in in_browser(name, server.url("outer.html"), ready_told)


def in_browser(name: str, url: str, condition: str) -> Any:
    drivers: dict[str, Callable[..., Any]] = {
        "firefox": open_in_firefox,
        "webkit": open_in_webkit,
    }
    try:
        return drivers[name](url, condition, 120.0)
    except BrowserNotFoundError as missing:
        if all_browsers_required():
            raise
        pytest.skip(str(missing))


PAGES = sorted(path.relative_to(SITE).as_posix() for path in SITE.rglob("*.html"))


def test_no_page_asks_anybody_else_for_anything(
    context: BrowserContext, origin: str, address: str
) -> None:
    """Every page there is, scrolled to its end; the figures' own lives are watched elsewhere."""
    place = watched(context, address, origin)
    page = place.watch.page
    for name in PAGES:
        # Served at another address than its own, the page about missing pages finds no styles.
        if name == "404.html":
            continue
        page.goto(address + name, wait_until="load")
        page.evaluate("scrollTo(0, document.body.scrollHeight)")
        assert place.watch.requests, name
    assert place.refused == []
    assert [
        url for url in place.watch.requests if not url.startswith((origin, "data:", "blob:"))
    ] == []
    asked = {url.split("#")[0].removeprefix(address) for url in place.watch.requests}
    assert set(PAGES) - asked == {"404.html"}


# --- What it forbids ------------------------------------------------------------------------------

# Each of these would set `window.broken`, or load something from elsewhere; gives nothing back.
ATTEMPTS = {
    "an inline script": (
        "script-src-elem",
        (
            "const s = document.createElement('script'); s.textContent = 'window.broken = 1';"
            "document.body.append(s);"
        ),
    ),
    "an inline handler": (
        "script-src-attr",
        "document.body.insertAdjacentHTML('beforeend', '<img src=\"data:,\" onerror=broken=1>');",
    ),
    "a javascript: address": (
        "script-src-elem",
        (
            "const a = document.createElement('a'); a.href = 'javascript:void(window.broken = 1)';"
            "document.body.append(a); a.click();"
        ),
    ),
    "eval": ("script-src", "try { eval('window.broken = 1'); } catch {}"),
    "a function from text": (
        "script-src",
        "try { new Function('window.broken = 1')(); } catch {}",
    ),
    "a script in an address": (
        "script-src-elem",
        (
            "const s = document.createElement('script'); s.src = 'data:text/javascript,broken=1';"
            "document.body.append(s);"
        ),
    ),
    "a script from a blob": (
        "script-src-elem",
        (
            "const s = document.createElement('script');"
            "s.src = URL.createObjectURL(new Blob(['broken=1'])); document.body.append(s);"
        ),
    ),
    "a foreign script": (
        "script-src-elem",
        (
            "const s = document.createElement('script'); s.src = 'http://blog.example:1/x.js';"
            "document.body.append(s);"
        ),
    ),
    "a foreign picture": ("img-src", "new Image().src = 'http://blog.example:1/x.png';"),
    "a foreign request": ("connect-src", "fetch('http://blog.example:1/').catch(() => {});"),
    "a beacon": ("connect-src", "navigator.sendBeacon('http://blog.example:1/', 'x');"),
    "a foreign frame": (
        "frame-src",
        (
            "const f = document.createElement('iframe'); f.src = 'http://blog.example:1/';"
            "document.body.append(f);"
        ),
    ),
    "a form": (
        "form-action",
        (
            "document.body.insertAdjacentHTML('beforeend',"
            " '<form id=sent action=\"http://blog.example:1/\"><input name=x></form>');"
            "document.getElementById('sent').submit();"
        ),
    ),
    "a new base": (
        "base-uri",
        (
            "const b = document.createElement('base'); b.href = 'http://blog.example:1/';"
            "document.head.append(b);"
        ),
    ),
    "a style element": (
        "style-src-elem",
        (
            "const s = document.createElement('style'); s.textContent = 'p {color: red}';"
            "document.head.append(s);"
        ),
    ),
    "a style attribute": (
        "style-src-attr",
        "document.body.insertAdjacentHTML('beforeend', '<p style=\"color: red\">');",
    ),
    "an object": (
        "object-src",
        (
            "const o = document.createElement('object'); o.data = 'http://blog.example:1/x.svg';"
            "document.body.append(o);"
        ),
    ),
}


@pytest.mark.parametrize("page", ["cap.html", "embed/saga.html"])
@pytest.mark.parametrize("at", ["http", "disk"])
def test_what_it_forbids_does_not_happen(
    context: BrowserContext, origin: str, disk: Path, tmp_path: Path, page: str, at: str
) -> None:
    root = origin + PREFIX if at == "http" else disk.as_uri() + "/"
    place = watched(context, root, origin, disk.as_uri())
    tab = place.watch.page
    with serving(tmp_path, prefix="/") as elsewhere:
        for what, (directive, attempt) in ATTEMPTS.items():
            tab.goto(root + page)
            place.refused.clear()
            script = attempt.replace("blog.example:1", f"blog.example:{elsewhere.port}")
            # In a task of the page's own: what a driver evaluates may itself use eval.
            tab.evaluate(f"() => {{ setTimeout(() => {{ {script} }}); }}")
            deadline = time.monotonic() + 5
            while not place.refused and time.monotonic() < deadline:
                tab.wait_for_timeout(50)
            tab.wait_for_timeout(150)
            # A style attribute is refused twice: when parsed, and when it comes into the page.
            assert {each[0] for each in place.refused} == {directive}, what
            assert tab.evaluate("window.broken") is None, what
            # A driver tells of requests that were refused, too; the other host knows of none.
            assert elsewhere.requested == [], what
