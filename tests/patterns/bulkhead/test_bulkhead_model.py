"""What a shared pool and a pool each do with requests, whatever becomes slow, and when."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pysims
from pysims.kernel import Run
from pysims.patterns.bulkhead import PATTERN, Hang, MakeSlow, Repair
from pysims.patterns.bulkhead.model import (
    HANGING,
    NAMES,
    NORMAL,
    PAYMENTS,
    RECOMMENDATIONS,
    Arrive,
    State,
    Tally,
)

EVENTS = st.sampled_from([Hang, MakeSlow, Repair])
scripts = st.lists(
    st.tuples(st.integers(0, 3_000), EVENTS, st.sampled_from(NAMES)), max_size=6
).map(lambda steps: tuple((ms, kind(name)) for ms, kind, name in sorted(steps, key=lambda s: s[0])))
sizes = st.fixed_dictionaries(
    {
        "threads": st.integers(4, 20),
        "payments_threads": st.integers(1, 3),
        "places": st.integers(0, 4),
        "latency_ms": st.sampled_from([20, 100, 300]),
        "timeout_ms": st.sampled_from([100, 400, 2_000]),
        "payments_rate_per_s": st.integers(5, 40),
        "recommendations_rate_per_s": st.integers(5, 40),
    }
)


def run(params: dict[str, Any], script: Any, seed: int = 1, until_ms: int = 3_500) -> Run[State]:
    return pysims.run("bulkhead", params=params, script=script, seed=seed, until_ms=until_ms)


@settings(max_examples=30, deadline=None)
@given(sizes, scripts, st.sampled_from(["shared", "separate"]), st.integers(0, 99))
def test_every_light_holds_whatever_becomes_slow(
    params: dict[str, Any], script: Any, pools: str, seed: int
) -> None:
    """Only the shared pool may let a failure spread; every other promise is kept by both."""
    done = run({**params, "pools": pools}, script, seed)
    for sim in done.history:
        for light in PATTERN.invariants:
            if light.promised(sim.state) and light.name != PATTERN.invariants[0].name:
                assert light.holds(sim.state), light.name
        for pool in sim.state.pools:
            for job in pool.jobs:
                # A caller leaves on time, from the line and from a thread.
                assert sim.now_ms <= job.arrived_ms + params["timeout_ms"]
    if pools == "separate":
        assert done.last.spilled == 0


@settings(max_examples=25, deadline=None)
@given(sizes, scripts, st.integers(0, 99))
def test_with_a_pool_each_payments_do_not_notice_the_other(
    params: dict[str, Any], script: Any, seed: int
) -> None:
    """The strongest form of isolation: payments fare the same, request by request."""
    others = tuple(
        (ms, event) for ms, event in script if event.dependency == NAMES[RECOMMENDATIONS]
    )
    sick, calm = (run({**params, "pools": "separate"}, events, seed) for events in (others, ()))
    for ms in range(0, 3_500, 50):
        assert sick.state_at(ms).tallies[PAYMENTS] == calm.state_at(ms).tallies[PAYMENTS]


def arrivals_of(done: Run[State]) -> list[tuple[int, Arrive]]:
    return [(ms, event) for ms, _, event in done.history.causes() if isinstance(event, Arrive)]


def test_both_designs_meet_the_same_requests() -> None:
    script = ((500, Hang(NAMES[1])), (2_000, Repair(NAMES[1])))
    shared, separate = (run({"pools": pools}, script) for pools in ("shared", "separate"))
    assert arrivals_of(shared) == arrivals_of(separate)
    assert len(arrivals_of(shared)) > 200
    # Those that got an answer without waiting took equally long in both.
    assert shared.state_at(499).tallies == separate.state_at(499).tallies


def test_a_hanging_dependency_answers_after_its_repair_only() -> None:
    script = ((0, Hang(NAMES[0])), (2_000, Repair(NAMES[0])))
    done = run({"pools": "separate"}, script)
    first = done.state_at(1_999)
    assert first.tallies[PAYMENTS].done == 0
    assert first.modes == (HANGING, NORMAL)
    assert done.state_at(2_000).modes == (NORMAL, NORMAL)
    held = len(first.pools[PAYMENTS].busy) + len(first.pools[PAYMENTS].waiting)
    assert held == 30
    assert done.last.tallies[PAYMENTS].done >= held
    assert done.last.tallies[PAYMENTS].failed == 0


def test_slow_answers_take_the_factor_times_as_long() -> None:
    """Under the same requests, a thread is held so many times as long."""
    params = {
        "pools": "separate",
        "payments_rate_per_s": 2,
        "timeout_ms": 20_000,
        "latency_ms": 100,
    }
    slow = run({**params, "slow_factor": 7}, ((0, MakeSlow(NAMES[0])),), until_ms=60_000)
    calm = run(params, (), until_ms=60_000)
    tallies = [each.last.tallies[PAYMENTS] for each in (slow, calm)]
    assert tallies[0].done == pytest.approx(tallies[1].done, abs=3)
    assert slow.last.used_ms[0] == pytest.approx(7 * calm.last.used_ms[0], rel=0.05)
    mean_ms = calm.last.used_ms[0] / tallies[1].done
    assert mean_ms == pytest.approx(100, rel=0.25)


def test_a_short_timeout_is_a_wall_of_its_own() -> None:
    """Little's law: 30 a second × 0.4 s = 12 threads, which leaves payments the 12 they need."""
    script = ((500, Hang(NAMES[1])),)
    patient, quick = (
        run({"timeout_ms": ms, "pools": "shared"}, script, until_ms=8_000) for ms in (5_000, 400)
    )
    assert quick.last.tallies[PAYMENTS].rejected <= 10
    assert patient.last.tallies[PAYMENTS].rejected >= 200


def test_blame_needs_a_sick_neighbor_in_the_same_pool() -> None:
    """A pool that is too small fails by itself: nobody else is to blame."""
    params = {"threads": 4, "payments_threads": 1, "places": 0, "pools": "separate"}
    done = run(params, ((500, Hang(NAMES[1])),))
    assert done.last.tallies[PAYMENTS].rejected > 50
    assert done.last.spilled == 0
    shared = run({**params, "pools": "shared"}, ((500, Hang(NAMES[1])),))
    assert 0 < shared.last.spilled <= shared.last.tallies[PAYMENTS].rejected
    both = run({**params, "pools": "shared"}, ((0, Hang(NAMES[0])), (0, Hang(NAMES[1]))))
    assert both.last.spilled == 0


def test_what_is_not_allowed_says_what_is() -> None:
    with pytest.raises(ValueError, match=r"payments_threads .* must be below .* 10, got 10"):
        run({"threads": 10, "payments_threads": 10}, ())
    for event in (Hang, MakeSlow, Repair):
        with pytest.raises(ValueError, match="payments, recommendations, got 'mail'"):
            run({}, ((0, event("mail")),))


def test_the_same_mode_again_changes_nothing() -> None:
    script = ((500, Hang(NAMES[1])), (1_000, Hang(NAMES[1])))
    done = run({}, script)
    assert len(done.last.changes) == 1
    assert done.last.calm == done.last.since
    assert isinstance(done.last.since[0], Tally)


def test_the_sentences_blame_the_right_one() -> None:
    done = pysims.run("bulkhead", "shared-pool")
    said = [
        (done.history.time_ms(i), PATTERN.describe(*done.history.change(i)))
        for i in range(1, len(done.history))
    ]
    blamed = [ms for ms, text in said if "payments are healthy" in text]
    assert len(blamed) == done.last.spilled
    assert min(blamed) > 4_000
    assert max(blamed) <= 12_000
