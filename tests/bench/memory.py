"""What a history costs, and how a long one scrubs: `python -m tests.bench.memory`.

Raft with five servers runs for longer and longer, with a command every half second; `tracemalloc`
counts what its history keeps. Then a run of a hundred thousand events is opened in a widget, and
its scrubber goes to random moments: what the worker does for that, picture included, is timed.
"""

from __future__ import annotations

import gc
import tracemalloc
from dataclasses import replace
from random import Random
from statistics import median
from time import perf_counter
from typing import Any

from pysims.kernel import History, run_until
from pysims.kernel.run import begin, run_script
from pysims.kernel.sim import dispatch
from pysims.patterns import load_pattern
from pysims.patterns.raft.model import SendCommand
from pysims.widget.render import frame
from pysims.widget.session import command, opened

LENGTHS = (2_000, 10_000, 50_000)
LONG = 100_000
JUMPS = 200
EVERY_MS = 500
NO_LIMIT = 10**7


def raft(events: int) -> History[Any]:
    """A history of at least so many events: five servers, and a command every half second."""
    pattern = load_pattern("raft")
    history = run_script(begin(pattern, pattern.params(servers=5), 1), (), EVERY_MS, NO_LIMIT)
    while len(history) <= events:
        now_ms = history[-1].now_ms // EVERY_MS * EVERY_MS + EVERY_MS
        asked = dispatch(history[-1], SendCommand(amount=1), now_ms)
        history = history.extended(run_until(asked, now_ms + EVERY_MS - 1, NO_LIMIT))
    return history


def kept() -> dict[int, float]:
    """Events → bytes an event that `tracemalloc` counts for the whole history."""
    found = {}
    for events in LENGTHS:
        gc.collect()
        tracemalloc.start()
        history = raft(events)
        gc.collect()
        found[len(history) - 1] = tracemalloc.get_traced_memory()[0] / (len(history) - 1)
        tracemalloc.stop()
        del history
    return found


def scrubbed() -> dict[str, float]:
    """Milliseconds for a jump to a random moment of a long run, drawn: median, p95, the first."""
    history = raft(LONG)
    story = opened("bench", "raft", load_pattern("raft").scenarios[0].id)
    long = replace(story, history=history, at=0, until_ms=history[-1].now_ms)
    random = Random(1)  # where to look, not a secret
    times = []
    for _ in range(JUMPS):
        to = random.randrange(len(history))
        begun = perf_counter()
        long = command(long, {"do": "seek", "value": str(to)})
        frame(long)
        times.append((perf_counter() - begun) * 1000)
    return {
        "events": len(history) - 1,
        "first_ms": times[0],
        "p50_ms": median(times),
        "p95_ms": sorted(times)[int(JUMPS * 0.95)],
    }


def measure() -> dict[str, Any]:
    """Both."""
    return {"bytes_an_event": kept(), "scrubbing": scrubbed()}


def show(found: dict[str, Any]) -> None:
    """Print what was measured."""
    per = ", ".join(
        f"{events:,} events: {each:,.0f}" for events, each in found["bytes_an_event"].items()
    )
    jump = found["scrubbing"]
    print(f"A history of Raft with five servers, bytes an event: {per}")
    print(
        f"A jump in a run of {jump['events']:,} events, drawn, CPython: {jump['p50_ms']:.1f} ms "
        f"(p95 {jump['p95_ms']:.1f}, the first {jump['first_ms']:.0f})"
    )


if __name__ == "__main__":
    show(measure())
