"""A chain under four policies: what is conserved, what nobody does for nobody, and what it buys."""

from __future__ import annotations

from functools import cache
from math import factorial, sqrt
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pysims
from pysims.kernel import Run
from pysims.patterns.timeouts import PATTERN, Burst, Hang, MakeSlow, Repair
from pysims.patterns.timeouts.model import (
    BACK,
    FRONT,
    LATENCY,
    MIDDLE,
    Come,
    GiveUp,
    State,
    back_id,
    tasks_for_nobody,
    waiting_users,
)

POLICIES = ("none", "percentile", "own", "deadline")
TOLD = PATTERN.invariants[:2]
ALWAYS = PATTERN.invariants[2:]
scripts = st.lists(
    st.tuples(st.integers(0, 3_000), st.sampled_from([Hang(), MakeSlow(), Repair(), Burst(20)])),
    max_size=6,
).map(lambda steps: tuple(sorted(steps, key=lambda step: step[0])))
sizes = st.fixed_dictionaries(
    {
        "front_threads": st.integers(1, 8),
        "middle_threads": st.integers(1, 8),
        "back_threads": st.integers(1, 4),
        "places": st.integers(0, 8),
        "calls": st.integers(1, 4),
        "patience_ms": st.sampled_from([100, 300, 1_000]),
        "rate_per_s": st.integers(5, 50),
        "measure_ms": st.just(500),
        "percentile": st.sampled_from([80.0, 99.0]),
    }
)


def run(params: dict[str, Any], script: Any, seed: int = 1, until_ms: int = 3_500) -> Run[State]:
    return pysims.run("timeouts", params=params, script=script, seed=seed, until_ms=until_ms)


def test_the_lights_are_the_ones_that_are_meant() -> None:
    assert ["nobody" in light.name for light in PATTERN.invariants] == [True, True] + [False] * 3


@settings(max_examples=40, deadline=None)
@given(sizes, scripts, st.sampled_from(POLICIES), st.integers(0, 99))
def test_jobs_are_conserved_and_nobody_waits_longer_than_he_would(
    params: dict[str, Any], script: Any, policy: str, seed: int
) -> None:
    done = run({**params, "policy": policy}, script, seed)
    patience_ms, before = params["patience_ms"], done.history[0].state
    for sim in done.history:
        state = sim.state
        for light in (*ALWAYS, *(TOLD if policy == "deadline" else ())):
            assert light.holds(state), light.name
        front = state.pools[FRONT]
        for job in front.jobs:
            # Whoever is still waited for is not late, and whoever is late has been given up.
            assert job.body.gone_ms >= 0 or sim.now_ms <= job.arrived_ms + patience_ms
        if state.users.done > before.users.done:
            there = [job.id for job in state.pools[FRONT].busy]
            ended = [job for job in before.pools[FRONT].busy if job.id not in there]
            assert any(sim.now_ms <= job.arrived_ms + patience_ms for job in ended)
        before = state


@settings(max_examples=25, deadline=None)
@given(sizes, scripts, st.integers(0, 99))
def test_with_the_deadline_handed_on_every_job_below_has_a_user_above(
    params: dict[str, Any], script: Any, seed: int
) -> None:
    """Cancellation reaches everywhere at once: what the back does, the front still waits for."""
    done = run({**params, "policy": "deadline"}, script, seed)
    for state in done.history.states():
        front = {job.body.request for job in state.pools[FRONT].jobs}
        middle = [job.body.request for job in state.pools[MIDDLE].jobs]
        back = [job.body.request for job in state.pools[BACK].jobs]
        assert front.issuperset(middle)
        assert set(middle).issuperset(back)
        assert len(set(middle)) == len(middle)
        assert len(set(back)) == len(back)
        assert all(tasks_for_nobody(state, server) == 0 for server in (FRONT, MIDDLE, BACK))


def test_every_policy_meets_the_same_users() -> None:
    script = ((500, MakeSlow()),)
    came = [
        [
            (ms, event)
            for ms, _, event in run({"policy": policy}, script).history.causes()
            if isinstance(event, Come)
        ]
        for policy in POLICIES
    ]
    assert came[0] == came[1] == came[2] == came[3]
    assert len(came[0]) > 100


# --- Against theory -------------------------------------------------------------------------------

MEAN_MS = sum(
    (high - low) * (low_ms + high_ms) / 2
    for (low, low_ms), (high, high_ms) in zip(LATENCY.points, LATENCY.points[1:], strict=False)
)
AMPLE = {"front_threads": 60, "middle_threads": 60, "patience_ms": 10_000}


def test_the_back_loses_what_erlang_says() -> None:
    """Front and middle delay each request by the same 20 ms, so the back has Poisson arrivals.

    Erlang's loss formula holds for any distribution of the work, as long as nobody waits in line.
    """
    load = 50 * MEAN_MS / 1_000
    terms = [load**n / factorial(n) for n in range(4)]
    expected = terms[-1] / sum(terms)
    params = {**AMPLE, "rate_per_s": 50, "back_threads": 3, "places": 0}
    back = run(params, (), until_ms=100_000).last.work[BACK]
    lost = back.rejected / back.offered
    assert back.offered > 4_500
    assert abs(lost - expected) <= 3 * 1.5 * sqrt(expected * (1 - expected) / back.offered)


def test_little_threads_at_work_are_rate_times_work() -> None:
    state = run({**AMPLE, "calls": 3, "back_threads": 60}, (), until_ms=60_000).last
    work = state.work[BACK]
    assert work.ended == pytest.approx(3 * state.users.done, abs=10)
    assert work.used_ms / work.ended == pytest.approx(MEAN_MS, rel=0.04)
    assert state.work[MIDDLE].used_ms / state.work[MIDDLE].ended == pytest.approx(
        10 + 3 * MEAN_MS, rel=0.04
    )
    assert work.vain_ms == 0


# --- What each policy does ------------------------------------------------------------------------


def test_without_a_timeout_a_hanging_back_holds_every_thread_until_its_repair() -> None:
    script = ((1_000, Hang()), (8_000, Repair()))
    done = run({"policy": "none", "patience_ms": 2_000}, script, until_ms=14_000)
    stuck = done.state_at(7_999)
    assert [pool.idle for pool in stuck.pools] == [0, 0, 0]
    assert waiting_users(stuck) == 0
    assert [tasks_for_nobody(done.last, server) for server in (FRONT, MIDDLE, BACK)] == [0, 0, 0]
    assert done.last.users.done > stuck.users.done + 100


@pytest.mark.parametrize("policy", ["percentile", "own", "deadline"])
def test_with_any_timeout_front_and_middle_get_their_threads_back(policy: str) -> None:
    script = ((2_000, Hang()),)
    params = {"policy": policy, "measure_ms": 1_500, "rate_per_s": 10}
    state = run(params, script, until_ms=9_000).last
    assert state.pools[FRONT].idle > 0
    assert state.pools[MIDDLE].idle > 0
    # Only those who hand on the deadline free the back as well.
    assert (tasks_for_nobody(state, BACK) == 0) == (policy == "deadline")
    assert state.users.rejected == 0


def test_to_reckon_with_longer_calls_wastes_less_and_refuses_more() -> None:
    """With a call reckoned to be as short as can be, much is begun that the deadline cuts off."""
    script = ((1_000, MakeSlow()),)
    hopeful, wary = (
        run({"policy": "deadline", "reckon_percentile": share}, script, until_ms=10_000).last
        for share in (5, 90)
    )
    assert wary.work[BACK].vain_ms < 0.5 * hopeful.work[BACK].vain_ms
    assert sum(work.refused for work in wary.work) > sum(work.refused for work in hopeful.work)
    assert wary.users.done > hopeful.users.done


@cache
def overload(policy: str, seed: int) -> Run[State]:
    script = ((1_000, MakeSlow()),)
    return run({"policy": policy}, script, seed, until_ms=10_000)


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_handing_on_the_deadline_wastes_less_and_answers_more(seed: int) -> None:
    def gains(policy: str) -> tuple[int, float]:
        first, last = (overload(policy, seed).state_at(ms) for ms in (4_000, 10_000))
        work = [state.work[BACK] for state in (first, last)]
        vain = (work[1].vain_ms - work[0].vain_ms) / (work[1].used_ms - work[0].used_ms)
        return last.users.done - first.users.done, vain

    begun = [sum(w.dead_begun for w in overload(each, seed).last.work) for each in POLICIES]
    assert min(begun[:3]) > 50
    assert begun[3] == 0
    own, handed_on = gains("own"), gains("deadline")
    assert handed_on[0] >= own[0] + 40
    assert handed_on[1] <= 0.6 * own[1]
    # Not more than the back can do, four times as slow.
    assert handed_on[0] <= 4 * 6_000 / (4 * MEAN_MS) * 1.35


LONELY = 8


def test_a_user_who_leaves_is_known_below_only_if_the_deadline_is_handed_on() -> None:
    """One user, one hanging back: follow the request."""
    quiet = {"rate_per_s": 1, "patience_ms": 500}
    for policy in ("own", "deadline"):
        # With this seed the second user comes more than a second after the first.
        done = run({**quiet, "policy": policy}, ((0, Hang()),), seed=LONELY, until_ms=8_000)
        first, second = [ms for ms, _, event in done.history.causes() if isinstance(event, Come)][
            :2
        ]
        assert second > first + 1_000
        there = done.state_at(first + 499)
        assert [len(pool.busy) for pool in there.pools] == [1, 1, 1]
        gone = done.state_at(first + 500)
        assert gone.users.left == 1
        expected = [0, 0, 0] if policy == "deadline" else [1, 1, 1]
        assert [len(pool.busy) for pool in gone.pools] == expected
        # The clocks of front and middle start 10 and 20 ms later; the back has none.
        later = done.state_at(first + 530)
        assert [len(pool.busy) for pool in later.pools][:2] == [0, 0]
        assert len(later.pools[BACK].busy) == (0 if policy == "deadline" else 1)


@pytest.mark.parametrize("policy", ["own", "percentile"])
def test_a_call_is_given_up_after_its_own_time_not_an_earlier_call_s(policy: str) -> None:
    """Calls that had to queue leave their alarm behind, which must not hit the next one."""
    params = {
        "policy": policy,
        "patience_ms": 400,
        "calls": 6,
        "rate_per_s": 6,
        "back_threads": 2,
        "measure_ms": 3_000,
    }
    history = run(params, (), until_ms=30_000).history
    ages: list[int] = []
    for index in range(1, len(history)):
        before, event, after = history.change(index)
        if isinstance(event, GiveUp) and event.server == MIDDLE and before is not after:
            pool = before.pools[BACK]
            job = back_id(event.job, event.call)
            born = [each.arrived_ms for each in pool.jobs if each.id == job]
            assert len(born) == 1
            ages.append(history.time_ms(index) - born[0])
    timeout_ms = 400 if policy == "own" else history[-1].state.timeout_ms
    assert len(ages) > 10
    assert set(ages) == {timeout_ms}


def test_what_cannot_be_done_in_time_is_refused_at_once() -> None:
    """The work of the three takes 60 ms or so: with less left, nobody begins."""
    script = ((0, MakeSlow()),)
    params = {"policy": "deadline", "patience_ms": 100, "slow_factor": 4}
    state = run(params, script).last
    assert state.users.done == state.users.left == 0
    assert state.work[FRONT].refused == state.users.failed > 50
    assert state.work[MIDDLE].offered == 0


def test_a_burst_comes_at_once_and_fills_the_front() -> None:
    done = run({"policy": "none", "rate_per_s": 1}, ((1_000, Burst(100)),), until_ms=1_000)
    came = done.last.users.came - done.state_at(999).users.came
    assert came >= 100
    assert done.last.pools[FRONT].idle == 0
    assert len(done.last.pools[FRONT].waiting) == 30
    assert done.last.users.rejected >= 100 - 24 - 30


def test_repair_ends_what_hung_and_only_that() -> None:
    script = ((1_000, Hang()), (2_000, Repair()))
    done = run({"policy": "none", "patience_ms": 10_000}, script, until_ms=20_000)
    hung = [job.id for job in done.state_at(1_999).pools[BACK].busy]
    assert len(hung) == 4
    after = done.state_at(2_000 + 801).pools[BACK].busy
    assert not {job.id for job in after} & set(hung)
    assert done.last.users.left == 0
    assert done.last.users.done > 600
