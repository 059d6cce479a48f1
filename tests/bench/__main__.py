"""`make bench`: what the project promises to be fast, each against its baseline in the same run."""

from __future__ import annotations

import json
import sys

from tests.bench import kernel, widget


def main() -> None:
    ours = kernel.measure()
    clicks = widget.measure()
    if "--json" in sys.argv:
        print(json.dumps({"kernel": ours, "click_to_picture": clicks}))
        return
    kernel.show(ours)
    widget.show(clicks)


if __name__ == "__main__":
    main()
