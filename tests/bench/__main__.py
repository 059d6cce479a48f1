"""`make bench`: what the project promises to be fast, each against its baseline in the same run."""

from __future__ import annotations

import json
import sys

from tests.bench import kernel, startup, widget

STARTUP_ROUNDS = 9


def main() -> None:
    """Measure everything, and print tables, or one JSON object with `--json`."""
    start = startup.measure(STARTUP_ROUNDS)
    clicks = widget.measure()
    speed = kernel.measure()
    if "--json" in sys.argv:
        print(json.dumps({"startup": start, "click_to_picture": clicks, "kernel": speed}))
        return
    print(f"Start-up over HTTP, Chromium, against bare loadPyodide, median of {STARTUP_ROUNDS}:")
    print(startup.table(start))
    widget.show(clicks)
    kernel.show(speed)


if __name__ == "__main__":
    main()
