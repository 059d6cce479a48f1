"""What a terminal shows: colors, where there is one, and a bar that grows."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic
from typing import TextIO

WHEN = ("auto", "always", "never")
CODES = {"dim": "2", "bold": "1", "red": "31", "green": "32"}
BAR = 30
# A bar that is drawn more often costs more than it tells.
EVERY_S = 0.1


@dataclass(frozen=True, slots=True)
class Paint:
    """Puts colors on words, or leaves the words alone. A color is never the only sign."""

    on: bool

    def __call__(self, text: str, color: str) -> str:
        return f"\x1b[{CODES[color]}m{text}\x1b[0m" if self.on else text


def paint_for(when: str, stream: TextIO, environment: Mapping[str, str] = os.environ) -> Paint:
    """Colors for a stream: "always", "never", or ("auto") on a terminal that does not mind.

    `NO_COLOR` (https://no-color.org) and `TERM=dumb` mind.
    """
    if when != "auto":
        return Paint(when == "always")
    minds = bool(environment.get("NO_COLOR")) or environment.get("TERM") == "dumb"
    return Paint(stream.isatty() and not minds)


class Progress:
    """A bar on standard error, if that is a terminal; nothing otherwise."""

    def __init__(self, total: int, stream: TextIO | None = None) -> None:
        self.total = total
        self.stream = stream or sys.stderr
        self.shows = self.stream.isatty()
        self.began = self.drawn = monotonic()

    def show(self, done: int) -> None:
        """Say how many of all are done."""
        now = monotonic()
        if not self.shows or (now - self.drawn < EVERY_S and done < self.total):
            return
        self.drawn = now
        full = BAR * done // self.total
        pace = done / max(now - self.began, 1e-9)
        left = f", {(self.total - done) / pace:.0f} s to go" if done and done < self.total else ""
        bar = "█" * full + "·" * (BAR - full)
        self.stream.write(f"\r\x1b[K{bar} {done:,} of {self.total:,}, {pace:,.0f} a second{left}")
        self.stream.flush()

    def clear(self) -> None:
        """Take the bar away."""
        if self.shows:
            self.stream.write("\r\x1b[K")
            self.stream.flush()
