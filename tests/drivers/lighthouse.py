"""Lighthouse on every page of the built site: `python -m tests.drivers.lighthouse`.

`make lighthouse` is the same. The pages are served as a plain host serves them, with gzip, and
looked at as on a phone: Lighthouse's own mobile preset with its simulated slow network and
processor. The scores are printed as a table, and the program fails if one is below its limit.
Accessibility, best practices and search are the same every time; performance is not, so it is the
median of several runs.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from pysims.patterns import pattern_ids
from tests.bench.tools import PAGE, put
from tests.browsers import chromium_flags, chromium_path
from tests.drivers.server import serving

ROOT = Path(__file__).parents[2]
SITE = ROOT / "site"
LIGHTHOUSE = ROOT / ".ci" / "lighthouse" / "node_modules" / "lighthouse" / "cli" / "index.js"
# Category → the score that a page must reach, of 100.
LIMITS = {"performance": 95, "accessibility": 100, "best-practices": 100, "seo": 100}
HEADS = {
    "performance": "Performance",
    "accessibility": "Accessibility",
    "best-practices": "Best practices",
    "seo": "SEO",
}
Scores = Mapping[str, int]


def pages() -> list[str]:
    """The address of every page, below the site's root: of the navigation, of patterns, for 404."""
    text = (ROOT / "mkdocs.yml").read_text("utf-8")
    # MkDocs' own tags name functions and variables of the environment, which are of no interest.
    nav = text[text.index("\nnav:") : text.index("\nnot_in_nav:")]
    return [
        *(f"{name.removesuffix('.md')}.html" for name in leaves(yaml.safe_load(nav)["nav"])),
        *(f"api/patterns/{name}.html" for name in pattern_ids()),
        "404.html",
    ]


def leaves(entry: Any) -> Iterable[str]:
    """The files that a part of the navigation names, in order."""
    if isinstance(entry, str):
        yield entry
    else:
        for inner in entry if isinstance(entry, list) else entry.values():
            yield from leaves(inner)


def run(address: str, categories: Iterable[str], report: Path, lighthouse: Path) -> dict[str, Any]:
    """What one run of Lighthouse found: its JSON. Raises `CalledProcessError` if it failed."""
    flags = ["--headless=new", *chromium_flags()]
    command = [
        *("node", str(lighthouse), address, "--quiet", "--output=json", f"--output-path={report}"),
        f"--only-categories={','.join(categories)}",
        f"--chrome-flags={' '.join(flags)}",
        "--no-enable-error-reporting",
    ]
    environment = {**os.environ, "CHROME_PATH": chromium_path()}
    subprocess.run(command, check=True, env=environment, timeout=300)
    found: dict[str, Any] = json.loads(report.read_text("utf-8"))
    if error := found.get("runtimeError"):
        raise RuntimeError(f"{address}: Lighthouse says {error['code']}: {error['message']}")
    return found


def scores_of(found: Mapping[str, Any]) -> dict[str, int]:
    """Category → its score, of 100."""
    return {name: round(100 * category["score"]) for name, category in found["categories"].items()}


def complaints(found: Mapping[str, Any]) -> list[str]:
    """What cost a score, one sentence each, with the first element that it is about."""
    said = []
    for name, category in found["categories"].items():
        for reference in category["auditRefs"]:
            audit = found["audits"][reference["id"]]
            if reference["weight"] and (audit["score"] or 0) < 0.9 and audit["score"] is not None:
                items = (audit.get("details") or {}).get("items") or [{}]
                node = items[0].get("node", {}).get("snippet", "")
                value = audit.get("displayValue", "")
                said.append(f"{name}: {audit['title']} {value} {node[:160]}".strip())
    return said


def measured(address: str, rounds: int, lighthouse: Path) -> tuple[dict[str, int], list[str]]:
    """The scores of a page, performance as the median of `rounds` runs, and what cost them."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        first = run(address, LIMITS, report, lighthouse)
        speeds = [scores_of(first)["performance"]]
        for _ in range(rounds - 1):
            again = run(address, ["performance"], report, lighthouse)
            speeds.append(scores_of(again)["performance"])
    return {**scores_of(first), "performance": round(statistics.median(speeds))}, complaints(first)


def table(found: Mapping[str, Scores]) -> str:
    """The scores as a table in Markdown: a page a row."""
    rows = [
        "| page | " + " | ".join(HEADS.values()) + " |",
        "|---|" + "--:|" * len(HEADS),
        *(
            f"| {page} | " + " | ".join(str(scores[name]) for name in HEADS) + " |"
            for page, scores in found.items()
        ),
    ]
    return "\n".join(rows) + "\n"


def below(found: Mapping[str, Scores]) -> list[str]:
    """The scores that do not reach their limit, in words."""
    return [
        f"{page}: {HEADS[name]} is {scores[name]}, and must be at least {limit}"
        for page, scores in found.items()
        for name, limit in LIMITS.items()
        if scores[name] < limit
    ]


def main(arguments: Sequence[str]) -> int:
    """Measure the pages that are named, or all; 1 if one of them is below a limit."""
    parser = argparse.ArgumentParser(prog="python -m tests.drivers.lighthouse", description=__doc__)
    parser.add_argument("pages", nargs="*", help="addresses below the site's root; all by default")
    parser.add_argument("--rounds", type=int, default=3, help="runs for the median of performance")
    parser.add_argument("--lighthouse", type=Path, default=LIGHTHOUSE, help="its cli/index.js")
    parser.add_argument("--write", action="store_true", help="the table into docs/measurements.md")
    given = parser.parse_args(arguments)
    found: dict[str, dict[str, int]] = {}
    with serving(SITE, prefix="/", compress=True) as server:
        for page in given.pages or pages():
            found[page], said = measured(server.url(page), given.rounds, given.lighthouse)
            print(page, found[page], *said, sep="\n  ", flush=True)
    print(table(found))
    if given.write:
        text = put(PAGE.read_text("utf-8"), "lighthouse", table(found).strip())
        PAGE.write_text(text, "utf-8")
    print(*below(found), sep="\n")
    return 1 if below(found) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
