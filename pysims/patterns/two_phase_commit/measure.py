"""How long an order holds its locks, measured: by the number of participants and the slowest one.

Each figure is a run of the model with a few participants, the last of which is farther away, and
orders so far apart that none waits for another. Nothing is quoted, and nothing computed by formula.
"""

from __future__ import annotations

from functools import lru_cache, partial

from ...kernel import Script, run_script, start
from ...order_book import SERVICES
from .model import opened, update
from .shop import Params, PlaceOrder, State

# Services that have no book in the shop; they only take part.
FURTHER = ("Taxes", "Loyalty")
SIZES = (2, 3, 4, 5, 6)
SLOW_MS = (0, 15, 30, 45, 60)
ORDERS, SEED = 20, 1


@lru_cache(maxsize=256)
def hold_ms(participants: int, slow_ms: int, work_ms: int) -> float:
    """The mean time (ms) for which an order holds a lock, over a few orders at all participants.

    `participants` from 2 to 6; `slow_ms` is by how much the messages of the last one take longer,
    one way. `ValueError` for another number of participants.
    """
    if participants not in SIZES:
        raise ValueError(f"participants must be from 2 to 6, got {participants!r}")
    apart_ms = 4 * slow_ms + work_ms + 80
    names = (*SERVICES, *FURTHER)[:participants]
    params = Params(slow_ms=slow_ms, work_ms=work_ms, vote_timeout_ms=3_000, retry_ms=1_000)
    script: Script = tuple((apart_ms * number, PlaceOrder()) for number in range(ORDERS))
    first = start(update, partial(opened, params, names=names), SEED)
    last: State = run_script(first, script, apart_ms * ORDERS)[-1].state
    return last.holds.total_ms / last.holds.count


def by_size(work_ms: int) -> tuple[tuple[int, float], ...]:
    """Pairs (participants, mean hold in ms), all of them equally far."""
    return tuple((size, hold_ms(size, 0, work_ms)) for size in SIZES)


def by_slowest(participants: int, work_ms: int) -> tuple[tuple[int, float], ...]:
    """Pairs (extra one-way latency of the slowest in ms, mean hold in ms)."""
    return tuple((slow, hold_ms(participants, slow, work_ms)) for slow in SLOW_MS)
