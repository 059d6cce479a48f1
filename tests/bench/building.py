"""How long a build of the site takes, and one page while serving: `python -m tests.bench.building`.

A warm build begins after a build of the same checkout, with what that one kept (pysims/kept.py): it
converts every page. Serving, a word is added to a page, and the page is asked for until it has it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from tests.drivers.serve import mkdocs_serving, seconds_until

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {
    **os.environ,
    "SIM_KEPT": str(ROOT / ".cache" / "kept"),
    "NO_MKDOCS_2_WARNING": "1",
}
ROUNDS = 3
PAGES = ("faq", "leader-election", "fault-tolerance")


def build_s() -> float:
    """Seconds for the whole site, the median of some builds after one that does not count."""
    times = []
    with tempfile.TemporaryDirectory(prefix="building-") as folder:
        for _ in range(ROUNDS + 1):
            begun = time.perf_counter()
            command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet"]
            command += ["--site-dir", folder]
            subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, check=True)
            times.append(time.perf_counter() - begun)
    return median(times[1:])


def pages_s() -> dict[str, float]:
    """Page → seconds from its change on disk until the server of `make serve` shows it."""
    found = {}
    with mkdocs_serving(ROOT, ENVIRONMENT) as root:
        for name in PAGES:
            path, url = ROOT / "docs" / f"{name}.md", f"{root}{name}.html"
            text = path.read_text("utf-8")
            times = []
            try:
                for turn in range(ROUNDS):
                    word = f"Changed{turn}"
                    path.write_text(f"{text}\n{word}\n", "utf-8")
                    times.append(seconds_until(url, word))
            finally:
                path.write_text(text, "utf-8")
            seconds_until(url, f"Changed{ROUNDS - 1}", there=False)
            found[name] = median(times)
    return found


def measure() -> dict[str, float]:
    """Seconds: `build` for the whole site, and each of some pages while serving."""
    return {"build": build_s(), **pages_s()}


def show(found: dict[str, float]) -> None:
    """Print what was measured."""
    pages = ", ".join(f"{name} {found[name]:.1f} s" for name in PAGES)
    print(
        f"The whole site, built again with what the build before it kept: {found['build']:.1f} s.\n"
        f"A change of a page until `make serve` shows it: {pages}."
    )


if __name__ == "__main__":
    show(measure())
