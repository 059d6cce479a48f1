"""Whether playing keeps the page smooth: `python -m tests.bench.playback [PATTERN…]`.

A widget plays with the processor throttled to a quarter (Chromium's own throttle, which slows the
page and not its worker), and the page counts how many animation frames it gets a second; beside it
the same page, just as slow, with its widget paused. A loaded machine shows in the second number.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from pysims.patterns import pattern_ids
from tests.bench.tools import chromium

SLOWER = 4
SECONDS = 4

COUNT = """async (ms) => {
  const gaps = [];
  let last = await new Promise(requestAnimationFrame);
  const begun = last;
  while (last - begun < ms) {
    const now = await new Promise(requestAnimationFrame);
    gaps.push(now - last);
    last = now;
  }
  gaps.sort((a, b) => a - b);
  const p95_ms = gaps[Math.floor(gaps.length * 0.95)];
  return {per_second: gaps.length / ((last - begun) / 1000), p95_ms};
}"""


def measure(patterns: Sequence[str] = ()) -> dict[str, dict[str, float]]:
    """Pattern → frames a second while it plays and while it is paused, and the p95 gap (ms)."""
    found = {}
    with chromium() as (browser, server):
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        session = page.context.new_cdp_session(page)
        for pattern in patterns or pattern_ids():
            session.send("Emulation.setCPUThrottlingRate", {"rate": 1})
            page.goto(server.url(f"embed/{pattern}.html"))
            page.locator("sim-widget[data-ready]").wait_for()
            page.get_by_label("To the start", exact=True).click()
            page.wait_for_timeout(500)
            session.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
            still: dict[str, Any] = page.evaluate(COUNT, SECONDS * 1000 / 2)
            page.get_by_role("button", name="Play", exact=True).click()
            playing: dict[str, Any] = page.evaluate(COUNT, SECONDS * 1000)
            found[pattern] = {
                "playing": playing["per_second"],
                "playing_p95_ms": playing["p95_ms"],
                "paused": still["per_second"],
            }
    return found


def show(found: dict[str, dict[str, float]]) -> None:
    """Print the table."""
    print(f"Animation frames a second, processor throttled {SLOWER} ×, Chromium:\n")
    print("| pattern | playing | 95 % of the gaps below (ms) | paused |")
    print("|---|--:|--:|--:|")
    for name, row in found.items():
        print(
            f"| {name} | {row['playing']:.1f} | {row['playing_p95_ms']:.1f} | {row['paused']:.1f} |"
        )


if __name__ == "__main__":
    show(measure(sys.argv[1:]))
