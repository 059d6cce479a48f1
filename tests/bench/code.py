"""What the code panel costs, shut and open: `python -m tests.bench.code`.

Two pages of the same pattern stand side by side, one with the panel never opened and one with it
open; steps are taken in turn in both, so that the machine's moods meet both alike. Measured are the
time from the click to the picture, and on the open one also to the lit lines.
"""

from __future__ import annotations

from statistics import median
from typing import Any

from playwright.sync_api import Page

from tests.bench.tools import chromium

PATTERNS = ("raft", "cascade_failure", "retry_backoff", "split_brain")
ROUNDS = 30

STEP = """async (event) => {
  const widget = document.querySelector("sim-widget");
  const heard = (name) => new Promise((resolve) => {
    widget.addEventListener(name, () => resolve(performance.now()), { once: true });
  });
  const frame = heard("sim:frame");
  const lit = event === "sim:lit" ? heard("sim:lit") : null;
  const begin = performance.now();
  widget.querySelector("[data-do=step]").click();
  const framed = (await frame) - begin;
  return [framed, lit ? (await lit) - begin : null];
}"""


def opened(page: Page, address: str) -> Page:
    page.goto(address)
    page.locator("sim-widget[data-ready]").wait_for()
    page.locator("[data-do=start]").click()
    page.wait_for_timeout(300)
    return page


def measure() -> dict[str, dict[str, float]]:
    """Pattern → medians (ms): `shut_ms`, `open_ms` to the picture, `lit_ms` to the lines."""
    found = {}
    with chromium() as (browser, server):
        for pattern in PATTERNS:
            address = server.url(f"embed/{pattern}.html")
            shut, open_ = (opened(browser.new_page(), address) for _ in range(2))
            open_.locator("details[data-panel=code] summary").click()
            open_.locator(".sim-code-line").first.wait_for()
            samples: dict[str, list[Any]] = {"shut": [], "open": []}
            for _ in range(ROUNDS):
                samples["shut"].append(shut.evaluate(STEP, "sim:frame"))
                samples["open"].append(open_.evaluate(STEP, "sim:lit"))
            found[pattern] = {
                "shut_ms": median(frame for frame, _ in samples["shut"]),
                "open_ms": median(frame for frame, _ in samples["open"]),
                "lit_ms": median(lit for _, lit in samples["open"]),
            }
            shut.close()
            open_.close()
    return found


def show(found: dict[str, dict[str, float]]) -> None:
    """Print the table."""
    print("A step with the code panel, Chromium, milliseconds from the click (medians):\n")
    print("| pattern | picture, panel shut | picture, panel open | lines lit |")
    print("|---|--:|--:|--:|")
    for name, times in found.items():
        print(
            f"| {name} | {times['shut_ms']:.1f} | {times['open_ms']:.1f} | {times['lit_ms']:.1f} |"
        )


if __name__ == "__main__":
    show(measure())
