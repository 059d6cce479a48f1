"""What can be set, and the numbers that are fixed.

The pools are larger toward the front, because a thread there is held for longer: by Little's law,
busy threads = calls a second × time held.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...guards.circuit_breaker import RollingWindowBreaker
from ...guards.retry_budget import RetryBudget
from ...kernel import Choice, Number, Switch, knob

NAMES = ("Users", "A", "B", "C", "D", "E")
"""The six places, by number."""
THREADS = (20, 16, 12, 8, 2)
"""Threads of A, B, C, D and E."""
WORK_MS = (0, 40, 40, 40, 40, 110)
"""Mean own work at each place when it is well; the times are exponential."""

ATTEMPTS = 3
NAIVE_PAUSE_MS = 50
"""A naive retry goes out at once: this is the way of the refusal and of the new call."""
BACKOFF_BASE_MS, BACKOFF_CAP_MS = 200, 1_000
BUDGET = RetryBudget(0.1, 10)
BREAKER = RollingWindowBreaker(0.5, 4, 3_000, 1_000)
"""Opens when half of at least 4 calls in 3 s failed; one probe a second later."""
BULKHEAD_PERCENT = 75
MARGIN_MS = 100
"""Each service waits that much longer than the one it calls, or it would give up first."""

RETRIES = {"none": "off", "naive": "naive: at once", "backoff": "backoff, with a budget"}


@dataclass(frozen=True, slots=True)
class Params:
    """What can be set before a run; the first four are the switches."""

    timeouts: bool = knob(
        Switch("Timeouts", hint="A service waits only so long for the next one."), False
    )
    breakers: bool = knob(
        Switch("Circuit breakers", hint="Too many failed or slow calls: none for a second."), False
    )
    bulkheads: bool = knob(
        Switch("Bulkheads", hint="At most three quarters of the threads may wait for others."),
        False,
    )
    retries: str = knob(
        Choice("Retries", RETRIES, hint="Of users and services: up to three attempts."), "none"
    )
    rate_per_s: int = knob(Number("Users’ requests", 5, 25, unit="per second"), 20)
    deep_percent: int = knob(
        Number(
            "Requests that need E",
            10,
            100,
            5,
            unit="%",
            hint="The others end at A, B, C or D, as many at each.",
        ),
        50,
    )
    slow_factor: int = knob(Number("A slow E takes", 2, 50, unit="times as long"), 10)
    error_percent: float = knob(
        Number(
            "Calls that fail by chance",
            0,
            5,
            0.5,
            unit="%",
            hint="At every service, also when all is well. That is what retries are for.",
        ),
        1.0,
    )
    timeout_ms: int = knob(
        Number(
            "D waits for E",
            150,
            2_000,
            50,
            unit="ms",
            hint="With timeouts. C, B and A wait 100 ms longer each than the one they call.",
        ),
        500,
    )
    queue_limit: int = knob(Number("Room in each queue", 0, 60, unit="requests"), 60)
    patience_ms: int = knob(
        Number(
            "A user waits",
            500,
            5_000,
            100,
            unit="ms",
            hint="After that the user gives up, or asks again.",
        ),
        1_000,
    )


def wait_ms_max(params: Params, place: int) -> int:
    """How long (ms) a caller waits for the next place; -1: until the answer comes."""
    if place == 0:
        return params.patience_ms
    return slow_call_ms(params, place) if params.timeouts else -1


def slow_call_ms(params: Params, place: int) -> int:
    """From when on (ms) a service's call to the next one counts as slow, and times out if it may.

    D's is the shortest: whoever waits for others must wait longer than they do.
    """
    return params.timeout_ms + MARGIN_MS * (len(NAMES) - 2 - place)


def bulkhead_cap(params: Params, place: int) -> int:
    """How many threads of a place may wait for the next one; -1: all of them."""
    if not params.bulkheads or place == 0:
        return -1
    return THREADS[place - 1] * BULKHEAD_PERCENT // 100
