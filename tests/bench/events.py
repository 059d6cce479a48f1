"""What one event of Raft costs, in CPython and in the browser: `python -m tests.bench.events`.

In CPython the run of a scenario is timed. In the browser a new seed makes the worker compute the
same number of events and draw one frame; the time to draw that frame alone is taken off.
"""

from __future__ import annotations

from statistics import median
from time import perf_counter

from playwright.sync_api import Page

import pysims
from tests.bench.tools import chromium, percentile

PATTERN, SCENARIO = "raft", "rejoining-node-prevote"
ROUNDS = 15

MEASURE = """async (rounds) => {
  const widget = document.querySelector("sim-widget");
  const found = {run: [], show: []};
  for (let i = 0; i < rounds; i++) {
    const messages = {run: {do: "seed", value: String(i)}, show: {do: "show"}};
    for (const [name, message] of Object.entries(messages)) {
      const begin = performance.now();
      await widget.ask(message);
      found[name].push(performance.now() - begin);
    }
  }
  return found;
}"""


def in_cpython() -> dict[str, float]:
    """Microseconds an event (median of the rounds), with the five properties checked."""
    costs = []
    for seed in range(ROUNDS):
        begin = perf_counter()
        run = pysims.run(PATTERN, SCENARIO, seed=seed)
        costs.append((perf_counter() - begin) / (len(run.history) - 1) * 1e6)
    return {"cpython_us": median(costs)}


def in_the_browser(page: Page) -> dict[str, float]:
    """Microseconds an event in Chromium, and the ms of a frame of this pattern."""
    samples: dict[str, list[float]] = page.evaluate(MEASURE, ROUNDS)
    events = median(
        len(pysims.run(PATTERN, SCENARIO, seed=seed).history) - 1 for seed in range(ROUNDS)
    )
    run, show = median(samples["run"]), median(samples["show"])
    return {
        "browser_us": (run - show) / events * 1e3,
        "frame_p50_ms": show,
        "frame_p95_ms": percentile(samples["show"], 0.95),
    }


def measure() -> dict[str, float]:
    """Both, in one run."""
    with chromium() as (browser, server):
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        page.goto(server.url(f"embed/{PATTERN}/{SCENARIO}.html"))
        page.locator("sim-widget[data-ready]").wait_for()
        return {**in_cpython(), **in_the_browser(page)}


def show(found: dict[str, float]) -> None:
    """Print what was measured."""
    print(
        f"An event of Raft (five servers, properties checked): {found['cpython_us']:.0f} µs in "
        f"CPython, {found['browser_us']:.0f} µs in Chromium; a frame without its patch "
        f"{found['frame_p50_ms']:.1f} ms (p95 {found['frame_p95_ms']:.1f} ms)"
    )


if __name__ == "__main__":
    show(measure())
