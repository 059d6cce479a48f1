"""What must hold in the chain whatever is switched on, and whatever the reader does to it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pysims
from pysims.kernel import History, Run, begin, build, run_script
from pysims.patterns.cascade_failure import PATTERN, Params, ShedLoad, State, TurnE
from pysims.patterns.cascade_failure.chain import LAST, PLACES, SERVICES, USERS, Chain
from pysims.patterns.cascade_failure.params import (
    ATTEMPTS,
    BUDGET,
    RETRIES,
    THREADS,
    bulkhead_cap,
    wait_ms_max,
)
from pysims.patterns.cascade_failure.turn import Again, Overdue, Worked
from pysims.sweep import LIMIT
from pysims.widget.session import opened

LENGTH_MS = 5_000

switches = st.fixed_dictionaries(
    {
        "timeouts": st.booleans(),
        "breakers": st.booleans(),
        "bulkheads": st.booleans(),
        "retries": st.sampled_from(list(RETRIES)),
        "rate_per_s": st.sampled_from([10, 25]),
        "deep_percent": st.sampled_from([50, 100]),
        "slow_factor": st.sampled_from([5, 20]),
        "error_percent": st.sampled_from([0.0, 1.0, 5.0]),
        "timeout_ms": st.sampled_from([150, 500]),
        "queue_limit": st.sampled_from([0, 1, 5, 60]),
        "patience_ms": st.sampled_from([500, 1_000]),
    }
)


@st.composite
def doings(draw: st.DrawFn) -> tuple[tuple[int, Any], ...]:
    """What a reader does: E changes a few times, and now and then A sheds load."""
    times = sorted(draw(st.lists(st.integers(0, LENGTH_MS), min_size=1, max_size=4)))
    now = "normal"
    script: list[tuple[int, Any]] = []
    for time_ms in times:
        if draw(st.integers(0, 3)) == 0:
            share = draw(st.sampled_from([10, 50, 100]))
            script.append((time_ms, ShedLoad(1, share)))
        else:
            now = draw(st.sampled_from([c for c in ("normal", "slow", "hanging") if c != now]))
            script.append((time_ms, TurnE(now)))
    return tuple(script)


def history_of(
    given_params: dict[str, Any], script: tuple[tuple[int, Any], ...], seed: int
) -> History[State]:
    first = begin(PATTERN, build(Params, given_params), seed)
    return run_script(first, script, LENGTH_MS)


def both(state: State) -> list[Chain]:
    return [state.chain, *([state.twin] if state.twin else [])]


def check_pools(chain: Chain, params: Params, now_ms: int) -> None:
    """Nothing is lost, no pool is too full, and every call has one caller at most."""
    for place in PLACES:
        pool = chain.pools[place]
        there = len(pool.busy) + len(pool.waiting)
        ended = chain.answered[place] + chain.wasted[place] + chain.failed[place]
        assert chain.received[place] == chain.refused[place] + ended + there
        calls = [job.body.call for job in pool.busy if job.body.call >= 0]
        assert len(calls) == len(set(calls))
        if place == LAST:
            assert calls == []
        # Whoever waits for a call finds it at the next place: an answer ends the waiting.
        else:
            below = chain.pools[place + 1]
            present = {job.id: job.body for job in below.jobs}
            for job in pool.busy:
                if job.body.call >= 0:
                    assert present[job.body.call].caller == job.id
        longest_ms = wait_ms_max(params, place)
        if longest_ms >= 0:
            for job in pool.busy:
                assert job.body.call < 0 or now_ms - job.body.called_ms <= longest_ms
    for place in SERVICES:
        pool = chain.pools[place]
        assert len(pool.busy) <= THREADS[place - 1]
        assert len(pool.waiting) <= params.queue_limit
        assert not pool.waiting or pool.idle == 0
        cap = bulkhead_cap(params, place)
        if cap >= 0:
            assert sum(job.body.worked_ms >= 0 for job in pool.busy) <= cap or place == LAST
        # Goodput never exceeds capacity: a thread works for one request at a time.
        assert chain.useful_ms[place] <= THREADS[place - 1] * now_ms


def check_retries(chain: Chain, retries: str) -> None:
    """Nobody tries more often than he may."""
    for place in range(LAST):
        first_calls = chain.received[place] - len(chain.pools[place].waiting)
        if retries == "none":
            assert chain.retried[place] == 0
        assert chain.retried[place] <= (ATTEMPTS - 1) * first_calls
        if retries == "backoff":
            assert chain.retried[place] <= BUDGET.capacity + BUDGET.ratio * first_calls
        assert chain.received[place + 1] <= first_calls + chain.retried[place]


@settings(deadline=None, max_examples=25)
@given(switches, doings(), st.integers(0, 2**32 - 1))
def test_in_every_state(given_params: dict[str, Any], script: Any, seed: int) -> None:
    history = history_of(given_params, script, seed)
    for index, state in enumerate(history.states()):
        now_ms = history.time_ms(index)
        for chain in both(state):
            check_pools(chain, state.params, now_ms)
            assert chain.passed_open == 0
            assert chain.back_ms >= -1
            assert chain.answered[USERS] == chain.answered[1]
        check_retries(state.chain, state.params.retries)
        if state.twin is not None:
            check_retries(state.twin, "none")
            assert state.twin.received[USERS] == state.chain.received[USERS]
            assert state.twin.deep == state.chain.deep


@settings(deadline=None, max_examples=20)
@given(switches, doings(), st.integers(0, 2**32 - 1))
def test_no_call_passes_an_open_breaker(
    given_params: dict[str, Any], script: Any, seed: int
) -> None:
    """Told from outside: the time at which it opened, and what reached the next service."""
    history = history_of({**given_params, "breakers": True}, script, seed)
    for index in range(1, len(history)):
        before, _, after = history.change(index)
        now_ms = history.time_ms(index)
        for old, new in zip(both(before), both(after), strict=True):
            for place in range(1, LAST):
                breaker = old.breakers[place]
                reset_ms = breaker.since_ms + breaker.reset_timeout_ms
                if breaker.state == "open" and now_ms < reset_ms:
                    assert new.received[place + 1] == old.received[place + 1]


@settings(deadline=None, max_examples=10)
@given(switches, doings(), st.integers(0, 2**32 - 1))
def test_every_event_has_its_sentence_and_every_state_its_picture(
    given_params: dict[str, Any], script: Any, seed: int
) -> None:
    history = history_of(given_params, script, seed)
    for index in range(1, len(history), 7):
        said = PATTERN.describe(*history.change(index))
        assert said.endswith(".")
        assert "  " not in said
        state = history.change(index)[2]
        picture = PATTERN.view(state, history.time_ms(index))
        for place, row in zip(SERVICES, picture["services"], strict=True):
            kinds = [cell["kind"] for cell in row["threads"]]
            assert len(kinds) == THREADS[place - 1]
            assert len(kinds) - kinds.count("idle") == len(state.chain.pools[place].busy)
            assert len(row["queue"]) == len(state.chain.pools[place].waiting)


def test_series_count_what_the_tallies_count() -> None:
    run: Run[State] = pysims.run("cascade_failure", "metastable")
    for chain in both(run.last):
        for place in SERVICES:
            assert chain.good[place].total() == chain.answered[place]
            assert chain.vain[place].total() == chain.wasted[place]


def test_an_answer_counts_as_good_only_if_the_user_still_waits() -> None:
    """Told from outside: E's answer is good if and only if a user's chain of calls leads to it."""
    run: Run[State] = pysims.run("cascade_failure", "retry-storm", until_ms=12_000)
    seen = {True: 0, False: 0}
    for index in range(1, len(run.history)):
        before, event, after = run.history.change(index)
        if not isinstance(event, Worked) or event.place != LAST or event.twin:
            continue
        ended = (
            after.chain.answered[LAST] + after.chain.wasted[LAST]
            - before.chain.answered[LAST] - before.chain.wasted[LAST]
        )  # fmt: skip
        wanted, place = event.job, LAST
        while place > USERS:
            callers = [job for job in before.chain.pools[place - 1].busy if job.body.call == wanted]
            if not callers:
                break
            wanted, place = callers[0].id, place - 1
        if ended:
            heard = place == USERS
            assert after.chain.answered[LAST] - before.chain.answered[LAST] == int(heard)
            seen[heard] += 1
    assert min(seen.values()) >= 20


@pytest.mark.parametrize("wrong", ["normal", "asleep"])
def test_e_becomes_something_else_or_the_event_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match=f"condition must be one of slow, hanging, got '{wrong}'"):
        pysims.run("cascade_failure", script=((100, TurnE(wrong)),))


@pytest.mark.parametrize("event", [Worked(True, 1, 1), Again(True, 0, 1), Overdue(True, 0)])
def test_without_a_twin_there_are_no_events_of_it(event: Any) -> None:
    with pytest.raises(ValueError, match="a twin must run"):
        pysims.run("cascade_failure", script=((100, event),))


def test_the_longest_story_opens_with_the_most_calls_that_a_reader_can_ask_for() -> None:
    """The widget runs so many events and no more; these settings make the most of them."""
    most = {"timeouts": True, "timeout_ms": 150, "rate_per_s": 25, "deep_percent": 100}
    session = opened("w", "cascade_failure", "metastable", {**most, "bulkheads": True})
    assert 10_000 < len(session.history) < LIMIT


def test_what_is_out_of_date_changes_nothing() -> None:
    run: Run[State] = pysims.run("cascade_failure", "unprotected")
    stale = [
        run.history.change(index)
        for index in range(1, len(run.history))
        if isinstance(run.history.change(index)[1], Worked)
        and run.history.change(index)[1].place == LAST
        and run.history.change(index)[1].epoch < run.history.change(index)[0].around.epoch
    ]
    assert stale
    assert all(before is after for before, _, after in stale)
