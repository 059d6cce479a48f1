"""Seeds a second, in CPython and in Chromium: `python -m tests.bench.seeds`.

Each pattern answers its default question for seeds of its first scenario: one process there, one
worker here. A round takes as many seeds as fill a third of a second; the median round counts.
"""

from __future__ import annotations

from statistics import median
from time import perf_counter
from typing import Any

from playwright.sync_api import Page

import pysims
from pysims.kernel import Pattern, build
from pysims.sweep import Sweep, answers
from tests.bench.tools import chromium
from tests.browser.conftest import PREFIX

ROUNDS = 5
ROUND_S = 0.33

MEASURE = """async ({rounds, roundMs}) => {
  const widget = document.querySelector("sim-widget");
  let first = 0;
  const timed = async (count) => {
    const begin = performance.now();
    const {answers} = await widget.ask({do: "sweep", first, count});
    if (answers.length !== count) throw new Error("a sweep has fewer answers than seeds");
    first += count;
    return performance.now() - begin;
  };
  // The first runs also warm the code up.
  await timed(1);
  const count = Math.min(1000, Math.max(1, Math.round(roundMs / await timed(1))));
  const found = [];
  for (let i = 0; i < rounds; i++) found.push(count / await timed(count) * 1000);
  return found;
}"""


def in_cpython(pattern: Pattern) -> float:
    """Seeds a second."""
    story = pattern.scenarios[0]
    params: Any = build(pattern.params, story.params)
    sweep = Sweep(pattern, params, story.script, story.until_ms, pattern.question())

    def timed(first: int, count: int) -> float:
        begin = perf_counter()
        assert len(list(answers(sweep, first, count))) == count
        return perf_counter() - begin

    timed(0, 1)
    count = max(1, round(ROUND_S / timed(1, 1)))
    return median(count / timed(count * number, count) for number in range(ROUNDS))


def in_the_browser(page: Page, root: str, pattern: Pattern) -> float:
    """Seeds a second in Chromium."""
    page.goto(f"{root}embed/{pattern.id}/{pattern.scenarios[0].id}.html")
    rounds = {"rounds": ROUNDS, "roundMs": 1_000 * ROUND_S}
    samples: list[float] = page.evaluate(MEASURE, rounds)
    return median(samples)


def measure() -> dict[str, dict[str, float]]:
    """Pattern → seeds a second, in both places."""
    found = {}
    with chromium() as (browser, server):
        page = browser.new_page()
        root = f"http://site.test:{server.port}{PREFIX}"
        for pattern_id in pysims.pattern_ids():
            pattern = pysims.load_pattern(pattern_id)
            found[pattern_id] = {
                "cpython": in_cpython(pattern),
                "chromium": in_the_browser(page, root, pattern),
            }
    return found


def three_digits(number: float) -> str:
    """A number with three digits that count, and no exponent: 4.56, 2,180."""
    return f"{float(f'{number:.3g}'):,g}"


def show(found: dict[str, dict[str, float]]) -> None:
    """Print what was measured."""
    print(f"Seeds a second, first scenario, default question, median of {ROUNDS}:\n")
    print("| pattern | CPython, one process | Chromium, one worker |")
    print("|---|--:|--:|")
    for name, rates in found.items():
        print(f"| {name} | {three_digits(rates['cpython'])} | {three_digits(rates['chromium'])} |")


if __name__ == "__main__":
    show(measure())
