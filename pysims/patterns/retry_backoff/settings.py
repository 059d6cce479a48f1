"""What the reader sets: who calls whom, how long they wait, and what the server can do."""

from __future__ import annotations

from dataclasses import dataclass

from ...guards.backoff import decorrelated_jitter, equal_jitter, exponential, full_jitter
from ...kernel import Choice, Draws, Number, Switch, knob

TOPOLOGIES = {
    "clients": "Many clients and one server",
    "tiers": "Three tiers, each of which retries",
}
STRATEGIES = {
    "none": "No backoff",
    "fixed": "Fixed interval",
    "exponential": "Exponential",
    "full": "Full jitter",
    "equal": "Equal jitter",
    "decorrelated": "Decorrelated jitter",
}
IN_STEP = ("none", "fixed", "exponential")
"""Strategies without a draw: clients that failed together come back together."""


@dataclass(frozen=True, slots=True)
class Params:
    """What stays the same during a run; the second half concerns the three tiers only."""

    topology: str = knob(Choice("Who calls", TOPOLOGIES), "clients")
    strategy: str = knob(Choice("Wait before a retry", STRATEGIES), "full")
    clients: int = knob(Number("Clients", 10, 2_000, step=10), 1_000)
    base_ms: int = knob(Number("Base: the first wait", 10, 2_000, unit="ms", logarithmic=True), 100)
    cap_ms: int = knob(
        Number("Cap: the longest wait", 500, 20_000, unit="ms", logarithmic=True), 2_000
    )
    retries: int = knob(
        Number("A client gives up after", 0, 20, unit="retries", hint="0: it never gives up."), 0
    )
    round_trip_ms: int = knob(Number("There and back takes", 10, 200, step=10, unit="ms"), 20)
    outage_ms: int = knob(
        Number("The server is down for", 0, 10_000, step=100, unit="ms, from the start"), 2_500
    )
    threads: int = knob(Number("Threads of the server", 1, 50), 20)
    service_ms: int = knob(Number("A call takes, on average", 1, 200, unit="ms"), 40)
    queue: int = knob(Number("Calls that may wait at the server", 0, 500, step=10), 80)
    refusal: float = knob(
        Number("A refusal costs, of a call’s time", 0, 5, step=0.5, unit="%"), 2.0
    )
    attempts: int = knob(Number("Tiers: attempts at each", 1, 5), 3)
    rate_per_s: int = knob(Number("Tiers: requests", 1, 20, unit="per second"), 4)
    errors: int = knob(Number("Tiers: calls that fail at C though it is up", 0, 100, unit="%"), 0)
    budget: bool = knob(Switch("Tiers: a retry budget for each caller"), False)
    budget_ratio: float = knob(Number("Budget: retries per first call", 0.01, 1, step=0.01), 0.1)
    budget_capacity: int = knob(Number("Budget: retries it can save up", 1, 100), 10)


def wait_of(params: Params, failures: int, previous_ms: int, draws: Draws) -> int:
    """How long (ms) a caller waits after so many failures in a row (1 or more).

    `previous_ms` is its last wait, 0 if it has not waited yet.
    """
    base_ms, cap_ms, attempt = params.base_ms, params.cap_ms, failures - 1
    match params.strategy:
        case "none":
            return 0
        case "fixed":
            return min(base_ms, cap_ms)
        case "exponential":
            return exponential(attempt, base_ms, cap_ms)
        case "full":
            return full_jitter(attempt, base_ms, cap_ms, draws.random())
        case "equal":
            return equal_jitter(attempt, base_ms, cap_ms, draws.random())
    return decorrelated_jitter(previous_ms or base_ms, base_ms, cap_ms, draws.random())


def wait_ms_min(params: Params) -> int:
    """The shortest wait that the strategy allows."""
    least_ms = min(params.base_ms, params.cap_ms)
    return {"none": 0, "full": 0, "equal": (least_ms + 1) // 2}.get(params.strategy, least_ms)
