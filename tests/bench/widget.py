"""Clicks in the ring of hashes, and the way to a second page: `python -m tests.bench.widget`.

Measured in the page, from the click to the patched document, with the pauses that a reader makes.
The round trip alone (a message that draws nothing) is measured beside it; tests/bench/actions.py
has every control of every pattern.
"""

from __future__ import annotations

from playwright.sync_api import Page

from tests.bench.tools import chromium, percentile

ROUNDS = 24

MEASURE = """async ({selectors, rounds}) => {
  const widget = document.querySelector("sim-widget");
  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  const timed = async (action, event) => {
    const done = new Promise((resolve) => widget.addEventListener(event, resolve, {once: true}));
    const begin = performance.now();
    action();
    await done;
    return performance.now() - begin;
  };
  const found = {};
  for (const [name, pair] of Object.entries(selectors)) {
    found[name] = [];
    for (let i = 0; i < rounds; i++) {
      const element = widget.querySelector(pair[i % pair.length]);
      found[name].push(await timed(() => element.click(), "sim:frame"));
      // A reader's next click comes when the animation (0.9 s) is over.
      await pause(1000);
    }
  }
  found["round trip"] = [];
  for (let i = 0; i < rounds; i++) {
    const begin = performance.now();
    await widget.ask({do: "close", id: "nobody"});
    found["round trip"].push(performance.now() - begin);
  }
  return found;
}"""

SECOND_PAGE = """async () => {
  const begin = performance.now();
  document.querySelector('a[href$="consistent-hashing.html"]').click();
  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
  let widget;
  while (!(widget = document.querySelector("#hash-ring-modulo-kill"))) await frame();
  widget.interest();
  while (!("ready" in widget.dataset)) await frame();
  return performance.now() - begin;
}"""

SELECTORS = {
    "step and back": ["[data-do=back]", "[data-do=step]"],
    "remove and add a server": [
        "[data-name=RemoveServer]",
        ".sim-form[data-name=AddServer] button",
    ],
    "look a key up": [".sim-form[data-name=Lookup] button"],
    "reset": ["[data-do=reset]"],
}


def measured(page: Page) -> dict[str, dict[str, float]]:
    """Action → p50 and p95, in ms."""
    samples: dict[str, list[float]] = page.evaluate(
        MEASURE, {"selectors": SELECTORS, "rounds": ROUNDS}
    )
    return {
        name: {"p50_ms": percentile(values, 0.5), "p95_ms": percentile(values, 0.95)}
        for name, values in samples.items()
    }


def second_page(page: Page, home: str) -> float:
    """Time (ms) from a click on a link to a living widget on the page that it leads to."""
    page.goto(home)
    page.locator("sim-widget[data-ready]").wait_for()
    page.wait_for_timeout(500)
    taken: float = page.evaluate(SECOND_PAGE)
    return taken


def measure() -> dict[str, dict[str, float]]:
    """Action → p50 and p95 (ms), in a Chromium started for it, and the way to a second page."""
    with chromium() as (browser, server):
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        page.goto(server.url("embed/hash_ring.html"))
        page.locator("sim-widget[data-ready]").wait_for()
        page.wait_for_timeout(500)
        found = measured(page)
        ways = [second_page(page, server.url("index.html")) for _ in range(5)]
        found["second page, widget alive"] = {
            "p50_ms": percentile(ways, 0.5),
            "p95_ms": percentile(ways, 0.95),
        }
    return found


def show(found: dict[str, dict[str, float]]) -> None:
    """Print the table."""
    print("Consistent hashing, Chromium, with a second between two clicks:\n")
    print("| what | median (ms) | 95th percentile |")
    print("|---|--:|--:|")
    for name, times in found.items():
        print(f"| {name} | {times['p50_ms']:.1f} | {times['p95_ms']:.1f} |")


if __name__ == "__main__":
    show(measure())
