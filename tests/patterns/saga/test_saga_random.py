"""Sagas under random schedules: checked after every step, and at the end of every calm.

At quiescence, which is everybody up and no message lost any more, every order is complete or fully
compensated, each step and each compensation took effect once, and money and stock add up.
"""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pysims.order_book import COMPLETED, OPEN, findings, is_complete, is_void
from pysims.patterns.saga.state import CHOREOGRAPHY, COORDINATIONS, SAGA, State
from tests.patterns.saga.saga_schedules import Tally, calm, shake

EVENTS_MIN = 55_000
EXAMPLES = 260
# Long enough for every retry at the longest backoff, of up to eight failures in a row.
BOUND_MS = 12_000


def whole(state: State) -> None:
    """Every order has ended as it should, and nothing was done or undone twice."""
    assert findings(state.books) == ()
    for order in state.orders:
        assert order.outcome, f"order {order.order} is still open"
        ended = is_complete if order.outcome == COMPLETED else is_void
        assert ended(state.books, order.order)
        done = [e.step for e in order.effects if not e.undo]
        undone = [e.step for e in order.effects if e.undo]
        forward = list(range(len(SAGA)))
        if order.outcome == COMPLETED:
            assert done == forward
            assert undone == []
        else:
            assert done == forward[: len(done)]
            assert undone == list(reversed(done))
    assert all(read.done_ms != OPEN for read in state.reads)


@pytest.mark.parametrize("coordination", COORDINATIONS)
def test_every_order_is_whole_or_void_whatever_happens(coordination: str) -> None:
    tally = Tally()

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(st.randoms(use_true_random=False), st.integers(0, 2**32 - 1))
    def shaken(draw: Random, seed: int) -> None:
        sim = shake(draw, coordination, seed, 24, tally)
        sim = calm(sim, tally, BOUND_MS)
        tally.count(sim.state)
        whole(sim.state)
        assert all(not participant.outbox for participant in sim.state.participants)
        assert all(not participant.jobs for participant in sim.state.participants)
        assert sim.state.orchestrator.sagas == ()

    shaken()
    seen = tally.seen
    print(coordination, dict(seen))
    assert seen["events"] >= EVENTS_MIN
    assert seen["open"] == 0
    assert min(seen["completed"], seen["void"], seen["compensations"]) > 100
    assert min(seen["Crash"], seen["Restart"], seen["readings"], seen["misled"]) > 100
    assert seen["given up"] > (10 if coordination == CHOREOGRAPHY else 50)
