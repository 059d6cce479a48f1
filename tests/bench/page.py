"""What widgets cost a page before and while they start: `python -m tests.bench.page`.

Each chapter is loaded as it is, and with its figures' elements and their script taken out, in turn,
in the same browser with an empty cache: largest contentful paint, layout shifts, and how much the
tasks of the main thread exceed 50 ms together, from the first byte until the first widget lives.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser

from tests.bench.tools import chromium, middle
from tests.browser.conftest import SITE
from tests.drivers.server import StaticServer

ROUNDS = 10
CHAPTERS = ("index", "consistent-hashing", "fault-tolerance", "leader-election")
# The whole element: widgets hold no other widget.
WIDGET = re.compile(r"<div><sim-widget.*?</sim-widget></div>", re.DOTALL)
SCRIPT = re.compile(r'<script(?: defer)? src="[^"]*assets/sim\.js"></script>')

OBSERVE = """
window.seen = {lcp: 0, shift: 0, tasks: [0]};
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) seen.lcp = Math.max(seen.lcp, entry.startTime);
}).observe({type: "largest-contentful-paint", buffered: true});
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) seen.shift += entry.value;
}).observe({type: "layout-shift", buffered: true});
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) seen.tasks.push(entry.duration);
}).observe({type: "longtask", buffered: true});
"""


def measure(rounds: int = ROUNDS) -> dict[str, dict[str, dict[str, float]]]:
    """Page → `with` and `without` → medians of `lcp_ms`, `shift`, `blocking_ms`, `longest_ms`."""
    found: dict[str, dict[str, list[dict[str, float]]]] = {
        name: {"with": [], "without": []} for name in CHAPTERS
    }
    with tempfile.TemporaryDirectory(prefix="page-") as name:
        site = Path(name, "site")
        shutil.copytree(SITE, site)
        for chapter in CHAPTERS:
            text = (site / f"{chapter}.html").read_text("utf-8")
            bare = SCRIPT.sub("", WIDGET.sub("", text))
            (site / f"{chapter}-without.html").write_text(bare, "utf-8")
        with chromium(site) as (browser, server):
            for turn in range(rounds + 1):
                for chapter, kinds in found.items():
                    for kind, results in kinds.items():
                        result = one_visit(browser, server, chapter, kind)
                        if turn > 0:
                            results.append(result)
    return {
        chapter: {kind: middle(results) for kind, results in kinds.items()}
        for chapter, kinds in found.items()
    }


def one_visit(browser: Browser, server: StaticServer, chapter: str, kind: str) -> dict[str, float]:
    """One load with an empty cache; with widgets, until the first of them lives."""
    context = browser.new_context(viewport={"width": 412, "height": 823})
    page = context.new_page()
    page.add_init_script(OBSERVE)
    page.goto(server.url(f"{chapter}{'' if kind == 'with' else '-without'}.html"))
    page.wait_for_timeout(1000)
    if kind == "with":
        page.evaluate("document.querySelector('sim-widget').interest()")
        page.locator("sim-widget[data-ready]").first.wait_for(timeout=60_000)
        page.wait_for_timeout(300)
    seen: dict[str, Any] = page.evaluate("seen")
    context.close()
    return {
        "lcp_ms": seen["lcp"],
        "shift": seen["shift"],
        "blocking_ms": sum(max(0, task - 50) for task in seen["tasks"]),
        "longest_ms": max(seen["tasks"]),
    }


def show(found: dict[str, dict[str, dict[str, float]]]) -> None:
    """Print the table."""
    print("A page with its widgets, and without, 412 px wide, until the first widget lives:\n")
    print("| page | largest paint with ÷ without | layout shift | blocked (ms) | longest task |")
    print("|---|--:|--:|--:|--:|")
    for name, kinds in found.items():
        mine, bare = kinds["with"], kinds["without"]
        print(
            f"| {name} | {mine['lcp_ms']:.0f} ÷ {bare['lcp_ms']:.0f} ms = "
            f"{mine['lcp_ms'] / bare['lcp_ms']:.2f} | {mine['shift']:.3f} ({bare['shift']:.3f}) "
            f"| {mine['blocking_ms']:.0f} ({bare['blocking_ms']:.0f}) "
            f"| {mine['longest_ms']:.0f} ({bare['longest_ms']:.0f}) |"
        )


if __name__ == "__main__":
    show(measure())
