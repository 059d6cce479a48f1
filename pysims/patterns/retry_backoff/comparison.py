"""Every strategy on the same failure: how many calls, how many at once, and how long it takes.

Each row is a run of its own, from the failure on and without the reader's hand in it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from ...kernel import Context, replace, run_until, start
from .settings import STRATEGIES, Params

LONGEST_MS = 40_000
EVENTS_MAX = 20_000


@dataclass(frozen=True, slots=True)
class Row:
    """What one strategy made of the failure.

    `recovery_ms` is the time from the server's return until nobody was left to connect, and -1 if
    that took longer than `LONGEST_MS` from the failure, or `EVENTS_MAX` events.
    """

    strategy: str
    calls: int
    wasted: int
    peak: int
    connected: int
    recovery_ms: int


def compared(
    params: Params,
    seed: int,
    init: Callable[[Params, Context], Any],
    update: Callable[[Any, Any, Context], Any],
) -> tuple[Row, ...]:
    """A row for each strategy, from runs of the model's `init` and `update` with this seed.

    `ValueError` for a topology that is not "clients", or without an outage: nothing fails then.
    """
    if params.topology != "clients" or not params.outage_ms:
        raise ValueError("to compare, “Who calls” must be many clients, and the server be down")
    rows = []
    for strategy in STRATEGIES:
        first = start(update, partial(init, replace(params, strategy=strategy)), seed)
        herd = run_until(first, LONGEST_MS, EVENTS_MAX, strict=False)[-1].state.world
        over = herd.recovered_ms >= 0
        took_ms = herd.recovered_ms - herd.server.changed_ms if over else -1
        rows.append(Row(strategy, herd.calls, herd.refused, herd.peak, herd.connected, took_ms))
    return tuple(rows)
