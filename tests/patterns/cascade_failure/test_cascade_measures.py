"""The figures of the cascade, over twenty seeds, and the chain against the theory of queues."""

from __future__ import annotations

from functools import cache
from statistics import mean, stdev
from typing import Any

import pytest

from pysims.kernel import Run, Series, begin, build, run_pattern, run_script
from pysims.patterns.cascade_failure import PATTERN, Params, ShedLoad, State, TurnE
from pysims.patterns.cascade_failure.chain import FRONT, LAST, SERVICES, USERS
from pysims.patterns.cascade_failure.params import THREADS, WORK_MS
from pysims.patterns.cascade_failure.words import (
    amplification,
    answered_share,
    cost_of_retries,
    goodput_per_s,
    recovery,
    tries,
)

SEEDS = range(20)
ILL_MS, HEALED_MS, END_MS = 4_000, 10_000, 18_000

CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "unprotected": {},
    "naive": {"retries": "naive"},
    "backoff": {"retries": "backoff"},
    "timeouts": {"timeouts": True},
    "breakers": {"breakers": True},
    "bulkheads": {"bulkheads": True},
    "storm": {"timeouts": True, "retries": "naive"},
    "all": {"timeouts": True, "breakers": True, "bulkheads": True, "retries": "backoff"},
}


@cache
def last_states(name: str, condition: str = "slow") -> list[State]:
    """How twenty runs end in which E was ill from 4 to 10 s."""
    params = build(Params, CONFIGURATIONS[name])
    script = ((ILL_MS, TurnE(condition)), (HEALED_MS, TurnE("normal")))
    return [run_pattern(PATTERN, params, script, seed, END_MS).last for seed in SEEDS]


def goodput(state: State, from_ms: int, until_ms: int) -> float:
    """A's answers per second between two times."""
    return 1_000 * state.chain.good[FRONT].total(from_ms, until_ms) / (until_ms - from_ms)


def recovery_ms(name: str) -> list[int]:
    return [state.chain.back_ms for state in last_states(name)]


def calls_at_e(name: str, twin: bool = False) -> float:
    """The mean of the amplification over all seeds."""
    found = []
    for state in last_states(name):
        chain, since = state.chain, state.since
        if twin:
            assert state.twin is not None
            chain, since = state.twin, state.twin_since
        calls = amplification(chain, since)
        assert calls is not None
        found.append(calls)
    return mean(found)


def served(name: str) -> float:
    shares = [answered_share(state.chain, state.since) for state in last_states(name)]
    return mean(share for share in shares if share is not None)


# --- What each switch changes ---------------------------------------------------------------------


def test_unprotected_a_falls_within_five_seconds_and_comes_back_by_itself() -> None:
    fell = [state.chain.fell_ms - ILL_MS for state in last_states("unprotected")]
    assert all(1_000 <= fell_ms <= 5_000 for fell_ms in fell)
    assert all(goodput(state, 8_000, HEALED_MS) <= 5 for state in last_states("unprotected"))
    back = recovery_ms("unprotected")
    assert all(0 <= back_ms <= 7_000 for back_ms in back)
    assert 2_500 <= mean(back) <= 4_500


def test_naive_retries_alone_make_it_worse() -> None:
    """With retries at most a third as many users get an answer; A stays down, E is asked more."""
    costs = [cost_of_retries(state) for state in last_states("naive")]
    assert mean(cost[0] / cost[1] for cost in costs if cost) <= 0.2
    asked = [tries(state.chain, state.since) for state in last_states("naive")]
    assert 2.5 <= mean(calls for calls in asked if calls) <= 3
    assert calls_at_e("naive") >= 1.1 * calls_at_e("naive", twin=True)
    down = sum(back_ms < 0 for back_ms in recovery_ms("naive"))
    assert down >= 17
    assert all(state.twin and state.twin.back_ms >= 0 for state in last_states("naive"))


def test_retries_that_wait_and_have_a_budget_cost_nothing_much() -> None:
    asked = [tries(state.chain, state.since) for state in last_states("backoff")]
    assert mean(calls for calls in asked if calls) <= 1.2
    assert all(0 <= back_ms <= 8_000 for back_ms in recovery_ms("backoff"))


def test_timeouts_keep_a_up_and_leave_e_work_for_nobody() -> None:
    states = last_states("timeouts")
    assert all(state.chain.fell_ms < 0 for state in states)
    assert mean(goodput(state, 5_000, HEALED_MS) for state in states) >= 7
    assert mean(recovery_ms("timeouts")) >= 3_500
    assert all(state.chain.wasted[LAST] >= 40 for state in states)


def test_breakers_bring_a_back_while_e_is_still_slow() -> None:
    late = [goodput(state, 8_000, HEALED_MS) for state in last_states("breakers")]
    unguarded = [goodput(state, 8_000, HEALED_MS) for state in last_states("unprotected")]
    assert mean(late) >= 3 * mean(unguarded)
    assert all(0 <= back_ms <= 2_500 for back_ms in recovery_ms("breakers"))
    assert calls_at_e("breakers") <= 0.8


def test_bulkheads_keep_a_up_and_it_is_back_at_once() -> None:
    states = last_states("bulkheads")
    assert all(state.chain.fell_ms < 0 for state in states)
    assert mean(goodput(state, 5_000, HEALED_MS) for state in states) >= 8
    assert all(0 <= back_ms <= 1_500 for back_ms in recovery_ms("bulkheads"))


def test_timeouts_and_naive_retries_are_a_storm() -> None:
    assert served("storm") <= 0.1
    assert calls_at_e("storm") >= 2
    assert calls_at_e("storm") >= 2 * calls_at_e("storm", twin=True)
    assert all(back_ms < 0 for back_ms in recovery_ms("storm"))


def test_all_on_is_the_best_of_all() -> None:
    states = last_states("all")
    assert sum(state.chain.fell_ms < 0 for state in states) >= 19
    assert mean(goodput(state, 5_000, HEALED_MS) for state in states) >= 9
    assert all(0 <= back_ms <= 2_500 for back_ms in recovery_ms("all"))
    assert calls_at_e("all") <= 0.9
    assert served("all") >= max(served(name) for name in ("unprotected", "timeouts", "breakers"))
    # Retries that wait and have a budget help: some calls fail by chance.
    costs = [cost_of_retries(state) for state in states]
    assert mean(cost[0] / cost[1] for cost in costs if cost) >= 1


def test_a_breaker_alone_is_blind_to_a_service_that_hangs() -> None:
    """No call ends, so there is nothing to count; with timeouts there is."""
    script = ((ILL_MS, TurnE("hanging")),)
    late: dict[bool, list[float]] = {False: [], True: []}
    for seed in range(8):
        for timeouts, found in late.items():
            params = Params(breakers=True, timeouts=timeouts)
            state = run_pattern(PATTERN, params, script, seed, 12_000).last
            found.append(goodput(state, 6_000, 12_000))
            opened = any(breaker.state != "closed" for breaker in state.chain.breakers)
            assert opened == timeouts
            assert (state.chain.blocked[LAST - 1] >= 20) == timeouts
    assert max(late[False]) <= 1
    assert mean(late[True]) >= 6


def test_metastable_for_a_minute_until_load_is_shed() -> None:
    """The failure feeds itself for as long as the trigger is gone, and one action ends it."""
    params = Params(retries="naive")
    sick = ((ILL_MS, TurnE("slow")), (HEALED_MS, TurnE("normal")))
    for seed in (11, 12):
        first = begin(PATTERN, params, seed)
        down = run_script(first, sick, 60_000)[-1].state
        assert goodput(down, 15_000, 60_000) <= 2
        shed = (*sick, (15_000, ShedLoad(3, 100)))
        well = run_script(first, shed, 26_000)[-1].state
        assert goodput(well, 20_000, 26_000) >= 15
        assert recovery(well)[0].endswith(" s")
        assert recovery(down)[0] == "still down"


# --- Theory ---------------------------------------------------------------------------------------


def test_a_well_chain_agrees_with_erlang() -> None:
    """M/M/c at E, and nearly no waiting before it: the mean time of a request within 3 sigma.

    E has 2 threads, so a request spends 1 / (mu (1 - rho^2)) there; the others have threads enough.
    """
    params = Params(deep_percent=100, rate_per_s=10, error_percent=0.0, patience_ms=5_000)
    rho = 10 * WORK_MS[LAST] / 1_000 / THREADS[-1]
    theory_ms = sum(WORK_MS[:LAST]) + WORK_MS[LAST] / (1 - rho**2)
    measured = []
    for seed in range(12):
        run: Run[State] = run_pattern(PATTERN, params, (), seed, 60_000)
        users_ms = since = present = 0
        for index, state in enumerate(run.history.states()):
            now_ms = run.history.time_ms(index)
            users_ms += present * (now_ms - since)
            present, since = len(state.chain.pools[USERS].busy), now_ms
        # Little's law: the mean time is the area under the number of users, over their number.
        measured.append(users_ms / run.last.chain.received[USERS])
    sigma = stdev(measured) / len(measured) ** 0.5
    assert abs(mean(measured) - theory_ms) <= 3 * sigma


def test_goodput_never_exceeds_capacity_however_much_is_asked() -> None:
    """E saturated: it answers what two threads can, and not more, within 3 sigma."""
    params = Params(deep_percent=100, rate_per_s=25, error_percent=0.0, patience_ms=5_000)
    able_per_s = 1_000 * THREADS[-1] / WORK_MS[LAST]
    sigma = (able_per_s / 35) ** 0.5
    for seed in range(6):
        chain = run_pattern(PATTERN, params, (), seed, 40_000).last.chain
        done = [total(series, 5_000) / 35 for series in (chain.good[LAST], chain.vain[LAST])]
        assert abs(sum(done) - able_per_s) <= 3 * sigma
        for place in SERVICES:
            assert total(chain.good[place], 5_000) / 35 <= able_per_s + 3 * sigma


def total(series: Series, from_ms: int) -> int:
    return series.total(from_ms)


def test_littles_law_gives_the_busy_threads() -> None:
    """At E: busy threads = calls a second × time held, as long as E keeps up."""
    params = Params(error_percent=0.0)
    run: Run[State] = run_pattern(PATTERN, params, (), 5, 60_000)
    area_ms = since = busy = 0
    for index, state in enumerate(run.history.states()):
        now_ms = run.history.time_ms(index)
        area_ms += busy * (now_ms - since)
        busy, since = len(state.chain.pools[LAST].busy), now_ms
    calls = run.last.chain.received[LAST]
    assert area_ms / 60_000 == pytest.approx(calls / 60 * WORK_MS[LAST] / 1_000, rel=0.1)


def test_the_readout_of_goodput_is_that_of_the_last_second() -> None:
    run: Run[State] = run_pattern(PATTERN, Params(), (), 3, 12_000)
    answered = [
        run.history.time_ms(index)
        for index in range(1, len(run.history))
        if run.history.change(index)[2].chain.answered[USERS]
        > run.history.change(index)[0].chain.answered[USERS]
    ]
    for now_ms in (900, 4_250, 9_999):
        state = run.state_at(now_ms)
        from_ms = max(0, now_ms // 500 * 500 - 1_000)
        expected = sum(from_ms <= at_ms <= now_ms for at_ms in answered)
        assert goodput_per_s(state.chain, now_ms) == pytest.approx(
            1_000 * expected / (now_ms - from_ms)
        )


@pytest.mark.parametrize("name", ["unprotected", "breakers", "bulkheads", "all"])
def test_when_a_fell_and_was_back_told_from_outside(name: str) -> None:
    """From the ends of the users' requests alone: 2 of 20 answered, and later 18 of 20."""
    script = ((ILL_MS, TurnE("slow")), (HEALED_MS, TurnE("normal")))
    run: Run[State] = run_pattern(PATTERN, build(Params, CONFIGURATIONS[name]), script, 2, END_MS)
    ends: list[tuple[int, int]] = []
    fell_ms = back_ms = -1
    for index in range(1, len(run.history)):
        before, _, after = run.history.change(index)
        at_ms = run.history.time_ms(index)
        good = after.chain.answered[USERS] - before.chain.answered[USERS]
        bad = after.chain.failed[USERS] - before.chain.failed[USERS]
        assert good + bad <= 1 or not good
        ends += [(at_ms, 1)] * good + [(at_ms, 0)] * bad
        last = ends[-20:]
        if good + bad and len(last) == 20:
            answered = sum(ok for _, ok in last)
            if fell_ms < 0 and at_ms > ILL_MS and answered <= 2:
                fell_ms = at_ms
            if back_ms < 0 and last[0][0] >= HEALED_MS and answered >= 18:
                back_ms = last[0][0] - HEALED_MS
    assert (run.last.chain.fell_ms, run.last.chain.back_ms) == (fell_ms, back_ms)
    assert back_ms >= 0
    assert name != "unprotected" or fell_ms >= 0


def test_what_ended_before_e_recovered_does_not_say_that_a_is_back() -> None:
    script = ((5_000, TurnE("slow")), (5_100, TurnE("normal")))
    run: Run[State] = run_pattern(PATTERN, Params(error_percent=0.0), script, 1, 9_000)
    found = [state.chain.back_ms for state in run.history.states()]
    first = next(index for index, back_ms in enumerate(found) if back_ms != -1)
    assert found[first] >= 0
    # Twenty requests have ended since, and each of them takes its place in the count.
    ended = [
        state.chain.answered[USERS] + state.chain.failed[USERS]
        for state in (run.state_at(5_100), run.history[first].state)
    ]
    assert ended[1] - ended[0] >= 20
