"""Every widget in every browser and every place: `python -m tests.drivers.places`, `make browsers`.

A cell is one browser in one place. Over HTTP and from disk its widgets are the figures of the
chapters and the front page, where readers meet them. In a frame of another site, with and without
`sandbox="allow-scripts"`, they are the figures of the pages for iframes; those of one pattern are
joined in one page, so that a cell takes minutes and not an hour. `places.js` goes through them.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any, Literal, get_args

import pysims
from pysims.kernel import run_pattern
from pysims.link import link_from
from pysims.prose import DOCS, ROOT
from tests.browsers import BrowserNotFoundError, all_browsers_required
from tests.catalog import PATTERNS
from tests.drivers.page import wait_for
from tests.drivers.server import StaticServer, serving
from tests.drivers.tabs import TABS, Tab, tab

SITE = ROOT / "site"
PREFIX = "/how-systems-survive-chaos/"
# GitHub Pages lets any origin read.
CORS = {"Access-Control-Allow-Origin": "*"}
VISIT = Path(__file__).with_name("places.js").read_text("utf-8")
DONE = "window.simPlaces?.done && window.simPlaces"
# A chapter with forty figures takes a browser its time, and more on a busy machine.
PAGE_TIMEOUT_S = 900.0
FENCE = re.compile(r'^```sim (\w+) scenario="([\w-]+)"', re.MULTILINE)
WIDGET = re.compile(r"<div><sim-widget .*?</sim-widget></div>", re.DOTALL)
OWN = re.compile(r"((?:script|style|img|font)-src) 'self'(?: http\S+)*(?<!;)")
PLACES = {
    "HTTP": "over HTTP",
    "disk": "from disk",
    "frame": "in a frame of another site",
    "sandbox": "in a sandboxed frame",
}
BLOG = """<!doctype html><html lang="en"><meta charset="utf-8"><title>A blog</title>
<link rel="icon" href="data:,"><style>body {{ margin: 0 }}</style>
<iframe title="A figure" src="{src}" {sandbox}
  style="display: block; width: 100%; height: 100vh; border: 0"></iframe></html>
"""

Story = tuple[str, str]
Depth = Literal["whole", "starts", "sample"]
Only = Collection[str] | None


# --- What is shown where --------------------------------------------------------------------------


def figures(folder: Path = DOCS) -> dict[str, list[Story]]:
    """Page → the figures that its Markdown has, in order, as pairs of pattern and scenario."""
    found = {page.stem: FENCE.findall(page.read_text("utf-8")) for page in folder.glob("*.md")}
    return {name: stories for name, stories in sorted(found.items()) if stories}


def stories() -> dict[str, list[Story]]:
    """Pattern → its stories."""
    return {p.id: [(p.id, scenario.id) for scenario in p.scenarios] for p in PATTERNS}


def pages_of(place: str) -> dict[str, list[Story]]:
    """Page → its widgets, in a place of `PLACES`."""
    return figures() if place in ("HTTP", "disk") else stories()


def write_page_of_pattern(site: Path, pattern_id: str) -> Path:
    """Joins the pattern's pages for iframes into one, as deep in the folder; returns its path."""
    texts = [
        (site / "embed" / pattern_id / f"{scenario}.html").read_text("utf-8")
        for _, scenario in stories()[pattern_id]
    ]
    widgets = "\n".join(match[0] for text in texts for match in [WIDGET.search(text)] if match)
    path = site / "embed" / pattern_id / "all.html"
    path.write_text(WIDGET.sub(lambda _: widgets, texts[0], count=1), "utf-8")
    return path


@contextmanager
def published(site: Path = SITE) -> Iterator[StaticServer]:
    """A copy of the site with the joined pages, on a server; its path is hard on addresses."""
    with tempfile.TemporaryDirectory(prefix="places-") as name:
        folder = Path(name, "a folder with spaces & ünïcode")
        shutil.copytree(site, folder)
        name_the_host(folder)
        for pattern_id in stories():
            write_page_of_pattern(folder, pattern_id)
        with serving(folder, prefix=PREFIX, compress=True, headers=CORS) as server:
            yield server


def name_the_host(folder: Path) -> None:
    """Gives the pages for iframes the policy that a build with this host's address would have.

    In a sandboxed frame WebKit allows nothing by `'self'`, only what is named.
    """
    for path in (folder / "embed").rglob("*.html"):
        text = path.read_text("utf-8")
        path.write_text(OWN.sub(r"\1 'self' http://site.test:*", text, count=4), "utf-8")


def address(server: StaticServer, place: str, page: str) -> str:
    """Where a page of `pages_of(place)` is to be opened."""
    own = place in ("HTTP", "disk")
    return placed(server, place, f"{page}.html" if own else f"embed/{page}/all.html")


def placed(server: StaticServer, place: str, path: str) -> str:
    """The address of a file of the site in a place; writes the page around a frame."""
    if place == "disk":
        return (server.folder / path).as_uri()
    if place == "HTTP":
        return server.url(path, "site.test")
    sandbox = 'sandbox="allow-scripts"' if place == "sandbox" else ""
    text = BLOG.format(src=server.url(path, "site.test"), sandbox=sandbox)
    name = f"blog-{place}-{path.replace('/', '-')}"
    (server.folder / name).write_text(text, "utf-8")
    return server.url(name, "blog.example")


# --- What came of a visit -------------------------------------------------------------------------


@cache
def digest_of_story(pattern_id: str, scenario: str) -> str:
    """What CPython computes for a story."""
    return pysims.run(pattern_id, scenario).digest


@cache
def digest_of_link(text: str) -> str:
    """What CPython computes for a link: the same seed, settings and script."""
    link = link_from(text)
    return run_pattern(link.pattern, link.params, link.script, link.seed, link.until_ms).digest


@dataclass(frozen=True)
class Widget:
    """One widget in one cell: which of the promises it kept, and what stopped it."""

    name: str
    starts: bool
    reacts: bool
    plays: bool
    same: bool
    says: str
    ready_ms: float
    thorough: bool = True

    @property
    def lives(self) -> bool:
        """Whether it kept all that it was asked for."""
        acted = (self.reacts and self.plays) or not self.thorough
        return self.starts and self.same and acted and not self.says


def judged(record: dict[str, Any]) -> Widget:
    """What the record of `places.js` proves.

    starts  Python has drawn it. reacts  its first action that is to be had changed the run, without
    a refusal, and Undo brought the run before. plays  its clock went on by itself, stood after
    Pause, and Reset brought the first moment. same  all of its digests are CPython's: of the story,
    of the changed run, after Undo and after Reset.
    """
    story = (record["pattern"], record["scenario"])
    thorough = record["thorough"]
    expected = digest_of_story(*story)
    changed = record.get("changed")
    told = [
        record.get(name) for name in (("digest", "undone", "reset") if thorough else ("digest",))
    ]
    same = all(digest == expected for digest in told)
    if thorough:
        same = same and changed is not None and changed == digest_of_link(record["link"])
    return Widget(
        name="/".join(story),
        starts="digest" in record,
        reacts=changed not in (None, expected) and not record["message"] and "undone" in record,
        plays=record.get("stands") is True and "reset" in record,
        same=same,
        says=complaint(record),
        ready_ms=record.get("ready_ms", 0.0),
        thorough=thorough,
    )


def complaint(record: dict[str, Any]) -> str:
    """What went wrong, in the words of the visit and of the widget; nothing if nothing did."""
    parts = [record.get("problem"), record.get("notice"), record.get("message")]
    return "; ".join(part for part in parts if part)


@dataclass(frozen=True)
class Cell:
    """A browser in a place: its widgets, and how long it took (s)."""

    browser: str
    version: str
    place: str
    widgets: tuple[Widget, ...]
    first_ready_s: float
    later_ready_s: float
    took_s: float

    def count(self, promise: str) -> str:
        """How many widgets kept a promise (`starts`, `reacts`, …), of how many asked to."""
        asked = [w for w in self.widgets if w.thorough or promise in ("starts", "same")]
        return f"{sum(getattr(widget, promise) for widget in asked)} of {len(asked)}"


def visited(opened: Tab, url: str, place: str, depth: Depth) -> tuple[float, list[Widget]]:
    """Seconds from the navigation to the first living widget of a page, and all of its widgets."""
    opened.open(url)

    def evaluate(expression: str) -> Any:
        return opened.evaluate(expression, in_frame=place in ("frame", "sandbox"))

    evaluate(f"(({VISIT})({json.dumps(depth)}), 1)")
    found = wait_for(evaluate, DONE, PAGE_TIMEOUT_S)
    return (found["first"] or 0.0) / 1000, [judged(record) for record in found["records"]]


def cell(
    server: StaticServer, browser: str, place: str, depth: Depth = "whole", only: Only = None
) -> Cell:
    """Goes through the pages of a place in a new browser; `places.js` explains the depth.

    Raises:
        BrowserNotFoundError: the browser is not installed.
        BrowserTimeoutError: a page did not come to its end.
    """
    begun = time.monotonic()
    widgets: list[Widget] = []
    ready: list[float] = []
    with tab(browser, server.port) as opened:
        for page, expected in pages_of(place).items():
            if only and page not in only:
                continue
            seconds, found = visited(opened, address(server, place, page), place, depth)
            check_names(page, found, firsts(expected) if depth == "sample" else expected)
            widgets += found
            ready.append(seconds)
        version = opened.version
    return Cell(
        browser=browser,
        version=version,
        place=place,
        widgets=tuple(widgets),
        first_ready_s=ready[0],
        later_ready_s=median(ready[1:] or ready),
        took_s=time.monotonic() - begun,
    )


def firsts(shown: Iterable[Story]) -> list[Story]:
    """The first story of each pattern of a page."""
    found: dict[str, str] = {}
    for pattern_id, scenario in shown:
        found.setdefault(pattern_id, scenario)
    return list(found.items())


def check_names(page: str, found: Iterable[Widget], expected: Iterable[Story]) -> None:
    """A page must show what its source has, in order: a widget that is not there is no success."""
    shown, wanted = [widget.name for widget in found], ["/".join(story) for story in expected]
    if shown != wanted:
        raise AssertionError(f"{page} shows {shown}, its source has {wanted}")


# --- The table ------------------------------------------------------------------------------------


def kept(folder: Path | None, browser: str, place: str) -> Path | None:
    """The file that a cell is kept in."""
    return folder / f"{browser}-{place}.json" if folder else None


def read(path: Path) -> Cell:
    """A cell that was kept."""
    found = json.loads(path.read_text("utf-8"))
    return Cell(**{**found, "widgets": tuple(Widget(**one) for one in found["widgets"])})


def cells(
    browsers: Iterable[str],
    places: Iterable[str],
    folder: Path | None,
    depth: Depth = "whole",
    only: Only = None,
) -> Iterator[Cell]:
    """Goes through cells; one that is kept in `folder` is taken from there."""
    with published() as server:
        for browser, place in [(browser, place) for browser in browsers for place in places]:
            if only and not set(only) & set(pages_of(place)):
                continue
            path = kept(folder, browser, place)
            if path and path.exists():
                yield read(path)
                continue
            try:
                done = cell(server, browser, place, depth, only)
            except BrowserNotFoundError as missing:
                if all_browsers_required():
                    raise
                print(f"{browser} {PLACES[place]}: skipped. {missing}", file=sys.stderr)
                continue
            if path:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(json.dumps(asdict(done), indent=0), "utf-8")
            print(f"{done.browser} {PLACES[place]}: {done.took_s:.0f} s", file=sys.stderr)
            yield done


def table(done: Iterable[Cell]) -> str:
    """The cells as a table in Markdown."""
    lines = [
        "| browser | place | start | react | play | same digest | ready | later | cell |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for one in done:
        counts = " | ".join(one.count(name) for name in ("starts", "reacts", "plays", "same"))
        times = f"{one.first_ready_s:.1f} s | {one.later_ready_s:.1f} s | {one.took_s:.0f} s"
        lines.append(f"| {one.version} | {PLACES[one.place]} | {counts} | {times} |")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Prints the table and what did not live; the status is 1 if there is such a thing."""
    reader = argparse.ArgumentParser(prog="python -m tests.drivers.places", description=__doc__)
    reader.add_argument("--browser", action="append", choices=TABS, help="only this one")
    reader.add_argument("--place", action="append", choices=PLACES, help="only this one")
    reader.add_argument("--keep", type=Path, help="a folder: cells that it has are not run again")
    reader.add_argument("--depth", choices=get_args(Depth), default="whole", help="see places.js")
    reader.add_argument("--page", action="append", help="only this chapter, or pattern in a frame")
    given = reader.parse_args(arguments)
    unknown = set(given.page or ()) - set(figures()) - set(stories())
    if unknown:
        reader.error(f"there is no page with figures {min(unknown)!r}")
    if given.page and given.keep:
        reader.error("a cell with some of its pages is not kept: leave --keep or --page")
    try:
        chosen = (given.browser or TABS, given.place or PLACES, given.keep)
        done = list(cells(*chosen, given.depth, given.page))
    except BrowserNotFoundError as missing:
        print(missing, file=sys.stderr)
        return 1
    print(table(done))
    dead = [(one, widget) for one in done for widget in one.widgets if not widget.lives]
    for one, widget in dead:
        says = widget.says or "without a word"
        print(f"\n{one.version} {PLACES[one.place]}, {widget.name}: {says}")
    return 1 if dead or not done else 0


if __name__ == "__main__":
    sys.exit(main())
