"""`make bench`: what the project promises to be fast, each against its baseline in the same run."""

from __future__ import annotations

import json
import sys

from tests.bench import code, events, kernel, seeds, startup, widget

STARTUP_ROUNDS = 9


def main() -> None:
    """Measure everything, and print tables, or one JSON object with `--json`."""
    start = startup.measure(STARTUP_ROUNDS)
    clicks = widget.measure()
    panel = code.measure()
    speed = kernel.measure()
    raft = events.measure()
    sweeps = seeds.measure()
    if "--json" in sys.argv:
        found = {
            "startup": start,
            "click_to_picture": clicks,
            "code_panel": panel,
            "kernel": speed,
            "raft": raft,
            "seeds_a_second": sweeps,
        }
        print(json.dumps(found))
        return
    print(f"Start-up over HTTP, Chromium, against bare loadPyodide, median of {STARTUP_ROUNDS}:")
    print(startup.table(start))
    widget.show(clicks)
    code.show(panel)
    kernel.show(speed)
    events.show(raft)
    seeds.show(sweeps)


if __name__ == "__main__":
    main()
