"""Trips under random schedules: checked after every event, and whole at the end of every calm."""

from __future__ import annotations

from random import Random

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pysims.patterns.durable_workflow.state import under_way
from tests.patterns.durable_workflow.workflow_schedules import (
    Tally,
    calm,
    effects,
    shake,
    told_of,
)

EVENTS_MIN = 60_000
EXAMPLES = 150
# Three drivers who do not answer, a refused card, a rating that never comes, and a coin.
BOUND_MS = 60_000


def test_every_trip_does_what_a_calm_one_does_whatever_happens() -> None:
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
        state = calm(shake(draw, seed, 30, tally), tally, BOUND_MS).state
        assert not under_way(state), state.service
        assert state.service.closed
        assert effects(state) == told_of(state).done

    shaken()
    seen = tally.seen
    print(dict(seen))
    assert seen["events"] >= EVENTS_MIN
    assert min(seen["completed"], seen["canceled"], seen["asked again"], seen["fired"]) > 20
    assert min(seen["Kill"], seen["Restart"]) > 500
    assert min(seen["Tap"], seen["Cancel"], seen["Deploy"], seen["caught"]) > 20
    assert seen["together"] > 5
