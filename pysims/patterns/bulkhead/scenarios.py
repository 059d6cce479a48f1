"""The stories of the chapter; each seed was chosen so that the run shows its sentence."""

from __future__ import annotations

from ...kernel import Run, Scenario
from .model import (
    NORMAL,
    PAYMENTS,
    RECOMMENDATIONS,
    Hang,
    Repair,
    State,
    holding,
)
from .words import shares_measured, shares_separate, shares_shared

HANG_MS, REPAIR_MS = 4_000, 12_000
SCRIPT = (
    (HANG_MS, Hang("recommendations")),
    (REPAIR_MS, Repair("recommendations")),
)


def served_share(run: Run[State], dependency: int, from_ms: int, until_ms: int) -> float:
    """Of the requests for a dependency that ended within a time, the share that was answered."""
    first, last = (run.state_at(ms).tallies[dependency] for ms in (from_ms, until_ms))
    return (last.done - first.done) / (last.settled - first.settled)


def payments_stay_healthy(run: Run[State]) -> bool:
    return all(state.modes[PAYMENTS] == NORMAL for state in run.history.states())


def one_sinks_both(run: Run[State]) -> bool:
    """Recommendations hold all threads within two seconds, and payments fail until the repair."""
    full_ms = next(
        (
            sim.now_ms
            for sim in run.history
            if holding(sim.state, RECOMMENDATIONS) == sim.state.params.threads
        ),
        REPAIR_MS,
    )
    return (
        payments_stay_healthy(run)
        and served_share(run, PAYMENTS, 0, HANG_MS) == 1
        and HANG_MS < full_ms <= HANG_MS + 2_000
        and served_share(run, PAYMENTS, full_ms, REPAIR_MS) <= 0.30
        and run.last.spilled >= 300
        and served_share(run, PAYMENTS, REPAIR_MS + 1_000, 18_000) >= 0.99
    )


def the_wall_holds(run: Run[State]) -> bool:
    """Recommendations fail while they hang; no payment does, at any time."""
    payments = run.last.tallies[PAYMENTS]
    return (
        payments_stay_healthy(run)
        and payments.failed == payments.rejected == 0
        and payments.done >= 1_000
        and served_share(run, RECOMMENDATIONS, HANG_MS + 1_000, REPAIR_MS) <= 0.05
        and run.last.spilled == 0
    )


def walls_cost_capacity(run: Run[State]) -> bool:
    """Twice as many are turned away as one pool would, as Erlang's formula says."""
    state = run.last
    measured = shares_measured(state)
    one, each = shares_shared(state.params), shares_separate(state.params)
    return (
        not state.changes
        and measured is not None
        and abs(measured.rejected - each.rejected) <= 0.01
        and each.rejected >= 2 * one.rejected
        and measured.rejected >= 1.8 * one.rejected
    )


SCENARIOS = (
    Scenario(
        id="shared-pool",
        title="One pool: recommendations sink payments",
        claim="With one pool, hanging recommendations take all 30 threads within two seconds, and "
        "from then on at least 70 percent of the payments fail, although payments are healthy.",
        proof=one_sinks_both,
        watch="Payments are healthy, and yet their answers stop: every thread waits for "
        "recommendations. Give each a pool of its own, and see the same moment again.",
        until_ms=18_000,
        show_ms=8_002,
        seed=6,
        script=SCRIPT,
        front=("pools", "timeout_ms"),
        breaks=("A failure stays in its compartment",),
    ),
    Scenario(
        id="separate-pools",
        title="A pool each: payments stay afloat",
        claim="With 20 threads for payments and 10 for recommendations, no payment fails while "
        "recommendations hang.",
        proof=the_wall_holds,
        watch="The same requests, the same fault: recommendations flood their own compartment and "
        "stop at the wall.",
        until_ms=18_000,
        show_ms=8_002,
        seed=6,
        params={"pools": "separate"},
        script=SCRIPT,
        front=("pools", "payments_threads"),
    ),
    Scenario(
        id="price",
        title="What walls cost",
        claim="On a busy day without a fault, two pools turn away twice as many requests as one "
        "pool of the same size, as Erlang’s formula says.",
        proof=walls_cost_capacity,
        watch="Nothing is broken, nobody may wait: a request is turned away at one full pool while "
        "threads of the other are idle. Compare the three lines of the table.",
        until_ms=25_000,
        show_ms=24_000,
        seed=5,
        params={
            "pools": "separate",
            "places": 0,
            "payments_rate_per_s": 80,
            "recommendations_rate_per_s": 40,
        },
        front=("pools", "payments_threads"),
    ),
)
