"""`make bench`: what the project promises to be fast, each against its baseline in the same run.

Prints tables in Markdown. With `--write` they go into docs/measurements.md, with the machine that
they were measured on; with names (`python -m tests.bench startup kernel`) only those are measured.
"""

from __future__ import annotations

import argparse
import io
import os
import platform
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from datetime import UTC, datetime

from tests.bench import (
    actions,
    building,
    code,
    events,
    kernel,
    memory,
    page,
    playback,
    seeds,
    startup,
    widget,
)
from tests.bench.tools import PAGE, put
from tests.browsers import chromium_path

# The order of the page.
BENCHES: Mapping[str, Callable[[], None]] = {
    "startup": lambda: startup.show(startup.measure(startup.ROUNDS)),
    "network": lambda: startup.show_network(startup.measure(startup.ROUNDS, slow=True)),
    "page": lambda: page.show(page.measure()),
    "actions": lambda: actions.show(actions.measure()),
    "widget": lambda: widget.show(widget.measure()),
    "playback": lambda: playback.show(playback.measure()),
    "code": lambda: code.show(code.measure()),
    "kernel": lambda: kernel.show(kernel.measure()),
    "events": lambda: events.show(events.measure()),
    "memory": lambda: memory.show(memory.measure()),
    "seeds": lambda: seeds.show(seeds.measure()),
    "building": lambda: building.show(building.measure()),
}


def measured(name: str) -> str:
    """What a bench prints."""
    text = io.StringIO()
    with redirect_stdout(text):
        BENCHES[name]()
    return text.getvalue().strip()


def machine() -> str:
    """Where and when this was measured, in a line."""
    version = subprocess.run(
        [chromium_path(), "--version"], capture_output=True, text=True, check=True
    ).stdout
    chromium = re.search(r"[\d.]+", version)
    return (
        f"Measured {datetime.now(UTC):%B %d, %Y}, {os.cpu_count()} cores, {platform.machine()}, "
        f"CPython {platform.python_version()}, Chromium {chromium[0] if chromium else '?'}."
    )


def main() -> int:
    """Measure what is named, or everything."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHES))
    parser.add_argument("--write", action="store_true", help=f"into docs/{PAGE.name}")
    options = parser.parse_args()
    unknown = set(options.names) - set(BENCHES)
    if unknown:
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(BENCHES)}")
    for name in options.names or BENCHES:
        found = measured(name)
        print(f"\n{found}", flush=True)
        if options.write:
            text = put(PAGE.read_text("utf-8"), name, found)
            PAGE.write_text(put(text, "machine", machine()), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
