"""A reader's click until the picture has changed: `python -m tests.bench.actions [PATTERN…]`.

Measured in the page, from the input to the patched document, for every control of every pattern's
first scenario: buttons, forms, menus, switches, sliders, one at a time, on the run as the page
shows it, which is brought back after each. Two rounds. The animation that follows is not counted.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from statistics import median
from typing import Any

from pysims.patterns import pattern_ids
from tests.bench.tools import chromium, percentile

ROUNDS = 2

MEASURE = """async (rounds) => {
  const widget = document.querySelector("sim-widget");
  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  // The worker answers in turn, so that it has nothing left to do when it has answered this.
  const rest = () => widget.ask({do: "close", id: "nobody"}).then(() => pause(100));
  const frame = async (action) => {
    const once = (resolve) => widget.addEventListener("sim:frame", resolve, {once: true});
    const done = new Promise(once);
    const begin = performance.now();
    action();
    await done;
    return performance.now() - begin;
  };
  const use = (e) => {
    const named = (type) => e.dispatchEvent(new Event(type, {bubbles: true}));
    if (e.matches("select")) {
      e.selectedIndex = (e.selectedIndex + 1) % e.options.length;
      return named("change");
    }
    if (e.matches("[type=range]")) {
      const [low, high, now] = [Number(e.min), Number(e.max), Number(e.value)];
      e.value = String(now < high ? now + 1 : low);
      return named("input");
    }
    if (e.matches("[type=number]")) {
      e.value = String(Number(e.value) < Number(e.max) ? Number(e.value) + 1 : Number(e.min));
      return named("change");
    }
    e.click();
  };
  const controls = [...widget.querySelectorAll(".sim-live [data-do], .sim-scene [data-do]")]
    .filter((e) => !e.closest("[aria-disabled=true]") && !e.disabled)
    .map((e) => (e.matches(".sim-form") ? e.querySelector("button") : e))
    .filter((e) => e && e.id && e.getAttribute("aria-disabled") !== "true")
    .filter((e) => !["scenario", "reset", "toggle", "kind"].includes(e.dataset.do))
    .map((e) => e.id);
  const found = {};
  for (const id of [...new Set(controls)]) {
    const times = [];
    for (let i = 0; i < rounds; i++) {
      const element = document.getElementById(id);
      if (!element) break;
      times.push(await frame(() => use(element)));
      await rest();
      await frame(() => widget.send({do: "reset"}));
      await rest();
    }
    if (times.length) found[id.slice(widget.id.length + 1)] = times;
  }
  return found;
}"""


def measure(patterns: Sequence[str] = ()) -> dict[str, dict[str, Any]]:
    """Pattern → `controls` (how many), `p50_ms`, `p95_ms` over all, and the slowest `control`."""
    found = {}
    with chromium() as (browser, server):
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        for pattern in patterns or pattern_ids():
            page.goto(server.url(f"embed/{pattern}.html"))
            page.locator("sim-widget[data-ready]").wait_for()
            page.wait_for_timeout(500)
            samples: dict[str, list[float]] = page.evaluate(MEASURE, ROUNDS)
            every = [ms for times in samples.values() for ms in times]
            slowest = max(samples, key=lambda name: median(samples[name]))
            found[pattern] = {
                "controls": len(samples),
                "p50_ms": percentile(every, 0.5),
                "p95_ms": percentile(every, 0.95),
                "slowest": slowest,
                "slowest_p50_ms": median(samples[slowest]),
            }
    return found


def show(found: dict[str, dict[str, Any]]) -> None:
    """Print the table."""
    print("Click to picture, every control of every pattern's first story, Chromium:\n")
    print("| pattern | controls | median (ms) | 95th percentile | slowest control (median) |")
    print("|---|--:|--:|--:|---|")
    for name, row in found.items():
        print(
            f"| {name} | {row['controls']} | {row['p50_ms']:.1f} | {row['p95_ms']:.1f} "
            f"| {row['slowest']} ({row['slowest_p50_ms']:.1f}) |"
        )


if __name__ == "__main__":
    show(measure(sys.argv[1:]))
