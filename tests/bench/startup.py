"""How long until Python answers, against a bare Pyodide: `python -m tests.bench.startup`.

Both are served alike by this machine, gzip where it helps, and take turns in the same browser; the
median of each counts, because the machine's speed drifts. Cold is a first visit with nothing
cached, warm the third, when the browser has kept files and compiled code. The bare Pyodide is the
same version, on the main thread, as its documentation starts it, with nothing imported.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from tests.bench.tools import middle
from tests.browsers import chromium_flags, chromium_path
from tests.drivers.page import wait_for
from tests.drivers.server import StaticServer, serving

PROJECT = Path(__file__).parents[2]
RUNTIME = PROJECT / "docs" / "assets" / "runtime"
PYODIDE = PROJECT / "node_modules" / "pyodide"
PYODIDE_FILES = (
    "pyodide.mjs",
    "pyodide.asm.mjs",
    "pyodide.asm.wasm",
    "pyodide-lock.json",
    "python_stdlib.zip",
)
ROUNDS = 10
# Bytes a second, and milliseconds for a round trip.
SLOW = {
    "offline": False,
    "downloadThroughput": 10_000_000 / 8,
    "uploadThroughput": 10_000_000 / 8,
    "latency": 40,
}
TIMEOUT_S = 120.0

PAGE = '<!doctype html><link rel="icon" href="data:,"><title>{name}</title>{scripts}\n'
OBSERVED = """
const tasks = [0];
const observe = (list) => tasks.push(...list.map(({ duration }) => duration));
const observer = new PerformanceObserver((list) => observe(list.getEntries()));
observer.observe({ type: "longtask", buffered: true });
const done = (ready_ms) => setTimeout(() => {
  observe(observer.takeRecords());
  window.done = { ready_ms, longest_task_ms: Math.max(...tasks) };
}, 100);
"""
# The largest pattern's code is part of what a first widget takes.
OURS = """Promise.all([simRuntime.start(), simRuntime.pattern("distributed_rate_limiter")])
  .then(() => done(performance.now()));
"""
BARE = """import { loadPyodide } from "./pyodide/pyodide.mjs";
await loadPyodide();
done(performance.now());
"""
# Name: script elements of the page, and the script of that name that they load last.
PAGES = {
    "ours": (
        """<script src="observed.js"></script><script src="runtime/sim-runtime.js"></script>
        <script src="ours.js"></script>""",
        OURS,
    ),
    "bare": (
        """<script src="observed.js"></script><script type="module" src="bare.js"></script>""",
        BARE,
    ),
}


def measure(
    rounds: int = ROUNDS, runtime: Path = RUNTIME, slow: bool = False
) -> dict[str, dict[str, float]]:
    """Medians by page (`ours`, `bare`), and `ratio`, ours as a part of bare.

    With `slow`, the browser has a network of 10 Mbit/s with 40 ms of latency, and visits once.

    Each has `cold_ms` and `warm_ms` from navigation until Python is ready, `bytes` sent for the
    cold visit, and `longest_task_ms` of the main thread in it (0: none of 50 ms or more).
    """
    found: dict[str, list[dict[str, float]]] = {name: [] for name in PAGES}
    with tempfile.TemporaryDirectory(prefix="startup-") as name:
        write_pages(Path(name), runtime)
        with serving(Path(name), compress=True) as server, sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=chromium_path(), args=chromium_flags()
            )
            # The first of each compresses files and warms the disk; it does not count.
            for number in range(rounds + 1):
                for page, results in found.items():
                    result = one_round(browser, server, page, slow)
                    if number > 0:
                        results.append(result)
            browser.close()
    medians = {page: middle(results) for page, results in found.items()}
    ratio = {key: value / medians["bare"][key] for key, value in medians["ours"].items()}
    return {**medians, "ratio": ratio}


def write_pages(folder: Path, runtime: Path) -> None:
    """Writes both pages and everything that they load."""
    shutil.copytree(runtime, folder / "runtime")
    (folder / "pyodide").mkdir()
    for name in PYODIDE_FILES:
        shutil.copy(PYODIDE / name, folder / "pyodide" / name)
    (folder / "observed.js").write_text(OBSERVED, encoding="utf-8")
    for page, (scripts, script) in PAGES.items():
        (folder / f"{page}.js").write_text(script, encoding="utf-8")
        text = PAGE.format(name=page, scripts=scripts)
        (folder / f"{page}.html").write_text(text, encoding="utf-8")


def one_round(
    browser: Browser, server: StaticServer, page: str, slow: bool = False
) -> dict[str, float]:
    """Three visits with one cache, empty at first; one if the network is slow."""
    context = browser.new_context()
    tab = context.new_page()
    if slow:
        context.new_cdp_session(tab).send("Network.emulateNetworkConditions", SLOW)
    visits: list[dict[str, float]] = []
    before = server.bytes_sent
    cold_bytes = 0
    for _ in range(1 if slow else 3):
        tab.goto(server.url(f"{page}.html"), timeout=TIMEOUT_S * 1000)
        visits.append(wait_for(tab.evaluate, "window.done", TIMEOUT_S))
        cold_bytes = cold_bytes or server.bytes_sent - before
        tab.goto("about:blank")
    context.close()
    return {
        "cold_ms": visits[0]["ready_ms"],
        "warm_ms": visits[-1]["ready_ms"],
        "bytes": cold_bytes,
        "longest_task_ms": visits[0]["longest_task_ms"],
    }


def row(name: str, found: dict[str, dict[str, float]], key: str) -> str:
    """A line of a table: ours, bare, ratio."""
    ours, bare, ratio = (found[kind][key] for kind in ("ours", "bare", "ratio"))
    return f"| {name} | {ours:,.0f} | {bare:,.0f} | {ratio:.3f} |"


def show(found: dict[str, dict[str, float]]) -> None:
    """Print what was measured."""
    print("Start-up over HTTP, Chromium, against bare `loadPyodide`:\n")
    print("| until | here | bare | ratio |\n|---|--:|--:|--:|")
    print(row("Python ready, nothing cached (ms)", found, "cold_ms"))
    print(row("Python ready, files cached (ms)", found, "warm_ms"))
    print(row("bytes, the largest pattern included", found, "bytes"))
    print(row("longest task (ms; 0: below 50)", found, "longest_task_ms"))


def show_network(found: dict[str, dict[str, float]]) -> None:
    """Print what was measured with a slow network."""
    print("The same with a network of 10 Mbit/s and 40 ms:\n")
    print("| until | here | bare | ratio |\n|---|--:|--:|--:|")
    print(row("Python ready, nothing cached (ms)", found, "cold_ms"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, and prints a table and a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--runtime", type=Path, default=RUNTIME, help="folder with a built runtime")
    options = parser.parse_args(arguments)
    found: dict[str, Any] = measure(options.rounds, options.runtime)
    show(found)
    sys.stdout.write(f"{json.dumps(found)}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
