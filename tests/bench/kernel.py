"""The kernel against SimPy on the same M/M/1 queue: `python -m tests.bench.kernel`.

Both simulate the same number of customers; ours keeps the whole history. The two alternate within
one process, and the median of each counts, because the machine's speed drifts.
"""

from __future__ import annotations

from statistics import median
from time import perf_counter

from tests.mm1 import run_ours, run_simpy

CUSTOMERS = 20_000
ROUNDS = 9


def measure(customers: int = CUSTOMERS, rounds: int = ROUNDS) -> dict[str, float]:
    """Microseconds per customer for both (medians), and how many times ours fits into SimPy's."""
    ours, simpy, events = [], [], 1
    for _ in range(rounds):
        begin = perf_counter()
        history = run_ours(customers)
        ours.append((perf_counter() - begin) / customers * 1e6)
        events = len(history) - 1
        begin = perf_counter()
        run_simpy(customers)
        simpy.append((perf_counter() - begin) / customers * 1e6)
    return {
        "ours_us_per_customer": median(ours),
        "simpy_us_per_customer": median(simpy),
        "ours_us_per_event": median(ours) * customers / events,
        "speed_against_simpy": median(s / o for s, o in zip(simpy, ours, strict=True)),
    }


def show(found: dict[str, float]) -> None:
    """Print what was measured."""
    print(
        f"Kernel, M/M/1, {CUSTOMERS:,} customers, median of {ROUNDS}: "
        f"pysims {found['ours_us_per_customer']:.2f} µs a customer "
        f"({found['ours_us_per_event']:.2f} µs an event, history kept), "
        f"SimPy {found['simpy_us_per_customer']:.2f} µs; "
        f"pysims is {found['speed_against_simpy']:.2f} × as fast"
    )


if __name__ == "__main__":
    show(measure())
