"""Many clients and one server: who calls when, who gets in, and what the reader can do."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pysims
from pysims.kernel import Context, Run
from pysims.patterns.retry_backoff import (
    PATTERN,
    BringUp,
    Compare,
    Join,
    Params,
    Send,
    State,
    TakeDown,
)
from pysims.patterns.retry_backoff.comparison import compared
from pysims.patterns.retry_backoff.herd import (
    Due,
    Group,
    Herd,
    at_server,
    draw_lots,
    merged,
    waiting,
)
from pysims.patterns.retry_backoff.model import init, update
from pysims.patterns.retry_backoff.server import admit, server_of
from pysims.patterns.retry_backoff.settings import STRATEGIES


def run_of(until_ms: int = 60_000, script: Any = (), seed: int = 1, **params: Any) -> Run[State]:
    return pysims.run("retry_backoff", params=params, script=script, seed=seed, until_ms=until_ms)


def herd_of(state: State) -> Herd:
    assert isinstance(state.world, Herd)
    return state.world


def bursts(run: Run[State]) -> list[tuple[int, int]]:
    """Pairs of a time and the number of calls made then."""
    found = []
    for index in range(1, len(run.history)):
        before, event, after = run.history.change(index)
        if isinstance(event, Due) and before is not after:
            found.append((run.history.time_ms(index), herd_of(after).calls - herd_of(before).calls))
    return found


def broken_lights(run: Run[State]) -> list[str]:
    return [
        light.name
        for state in run.history.states()
        for light in PATTERN.invariants
        if light.promised(state) and not light.holds(state)
    ]


def test_without_jitter_everybody_calls_at_the_same_times() -> None:
    """Waits of 100, 200, 400, 800 and 1,600 ms, each after a refusal that takes 20 ms."""
    run = run_of(3_300, strategy="exponential", outage_ms=10_000)
    assert bursts(run) == [(at, 1_000) for at in (100, 320, 740, 1_560, 3_180)]


def test_at_once_means_after_the_round_trip() -> None:
    run = run_of(100, strategy="none", outage_ms=10_000, round_trip_ms=30)
    assert bursts(run) == [(at, 1_000) for at in (0, 30, 60, 90)]


def test_at_a_fixed_interval() -> None:
    run = run_of(500, strategy="fixed", outage_ms=10_000, base_ms=150, round_trip_ms=10)
    assert bursts(run) == [(at, 1_000) for at in (150, 310, 470)]


def test_full_jitter_spreads_the_first_retries_evenly() -> None:
    """The first waits are uniform over 100 ms: a chi-squared test over its ten slots.

    With nine degrees of freedom a thousandth of all draws exceeds 27.9. With the longest round
    trip no second retry falls among the first ones.
    """
    run = run_of(110, strategy="full", outage_ms=10_000, round_trip_ms=200)
    counts = Counter({at: n for at, n in bursts(run) if at > 0})
    expected = 1_000 / 10
    # A wait of 0 ms is a call at 0; all others come at the end of their slot.
    counts[10] += dict(bursts(run)).get(0, 0)
    assert sum(counts.values()) == 1_000
    assert sum((counts[at] - expected) ** 2 / expected for at in range(10, 101, 10)) < 27.9


def test_decorrelated_waits_grow_with_the_wait_before() -> None:
    """From the base alone no wait would reach three times the base; after the first it can."""
    first = herd_of(run_of(90, strategy="decorrelated", outage_ms=10_000).last)
    assert first.waits_ms is not None
    assert 100 <= first.waits_ms[0] < 110
    assert 290 <= first.waits_ms[1] < 300
    later = herd_of(run_of(9_000, strategy="decorrelated", outage_ms=10_000).last)
    assert later.waits_ms is not None
    assert later.waits_ms[1] == 2_000


def test_a_client_that_may_not_go_on_gives_up() -> None:
    run = run_of(strategy="exponential", retries=3)
    herd = herd_of(run.last)
    assert (herd.given_up, herd.connected, herd.calls, herd.failures_max) == (1_000, 0, 3_000, 4)
    assert broken_lights(run) == []


def test_a_burst_gets_as_many_in_as_there_is_room() -> None:
    run = run_of(3_180, strategy="exponential")
    herd = herd_of(run.last)
    # A call may be answered within the millisecond in which it came.
    assert at_server(herd) + herd.connected == 20 + 80
    assert (herd.refused, waiting(herd)) == (4_900, 900)


def test_a_server_that_is_down_is_not_kept_busy_by_those_who_call() -> None:
    """It refuses without work, so the first calls after its return begin at once."""
    run = run_of(2_500, strategy="none", outage_ms=2_500)
    assert herd_of(run.last).server.up
    assert all(
        herd_of(s).server.refusing_until_us == 0
        for s in run.history.states()
        if not herd_of(s).server.up
    )


def test_refusals_slow_the_server_down_and_only_refusals() -> None:
    """If refusing cost nothing, retrying at once would be the fastest way back."""
    free = herd_of(run_of(strategy="none", refusal=0.0).last)
    dear = herd_of(run_of(strategy="none", refusal=2.0).last)
    shortest_ms = 1_000 * 40 / 20
    assert free.recovered_ms - 2_500 == pytest.approx(shortest_ms, rel=0.10)
    assert dear.recovered_ms - 2_500 > 10 * shortest_ms
    assert herd_of(run_of(strategy="none", refusal=0.0, clients=100).last).refused == 100 * 125


@pytest.mark.parametrize("strategy", ["exponential", "full"])
def test_the_recovery_ends_with_the_last_client(strategy: str) -> None:
    run = run_of(strategy=strategy)
    for at, state in zip(range(len(run.history)), run.history.states(), strict=True):
        herd = herd_of(state)
        assert (herd.recovered_ms >= 0) == (herd.connected == 1_000)
        if herd.connected == 1_000:
            assert herd.recovered_ms == run.history.time_ms(at)


def test_a_steady_server_answers_as_fast_as_it_can() -> None:
    """Full jitter keeps the server busy: within a tenth of what it can answer, for a second."""
    run = run_of(strategy="full")
    herd = herd_of(run.state_at(4_000))
    assert herd.served.total(3_000, 4_000) == pytest.approx(500, rel=0.10)


def test_the_server_goes_down_again_and_takes_everybody_with_it() -> None:
    run = run_of(20_000, script=((4_000, TakeDown()), (5_000, BringUp())), strategy="full")
    before, after = herd_of(run.state_at(3_999)), herd_of(run.state_at(4_000))
    assert before.connected > 0
    assert at_server(before) > 0
    assert (after.connected, at_server(after), waiting(after)) == (0, 0, 1_000)
    assert herd_of(run.last).connected == 1_000
    assert herd_of(run.last).recovered_ms > 5_000
    assert broken_lights(run) == []


def test_those_at_the_server_keep_their_count_of_failures() -> None:
    """A client that was at the server has failed once more; one that was connected starts anew."""
    run = run_of(4_000, script=((4_000, TakeDown()),), strategy="full")
    changes = [run.history.change(index) for index in range(1, len(run.history))]
    before, _, down = next(change for change in changes if isinstance(change[1], TakeDown))
    herd = herd_of(before)
    held = merged(job.body for job in herd.server.pool.jobs)
    assert sum(group.count for group in held) == at_server(herd) > 0
    counts = Counter[int]()
    for _, groups in (*herd.agenda, (0, [replace(g, failures=g.failures + 1) for g in held])):
        for group in groups:
            counts[group.failures] += group.count
    counts[1] += herd.connected
    after = Counter[int]()
    for _, groups in herd_of(down).agenda:
        for group in groups:
            after[group.failures] += group.count
    assert +after == +counts


def test_the_end_of_the_outage_is_forgotten_once_the_reader_has_acted() -> None:
    run = run_of(6_000, script=((1_000, BringUp()), (2_000, TakeDown())), strategy="full")
    assert run.state_at(1_500).world.server.up
    assert not run.state_at(2_600).world.server.up
    assert not run.last.world.server.up


def test_what_changes_nothing_leaves_the_state_as_it_is() -> None:
    run = run_of(3_000, script=((500, TakeDown()), (2_900, BringUp())), strategy="exponential")
    for at, kind in ((500, TakeDown), (2_900, BringUp)):
        index = run.history.index_at(at)
        before, event, after = run.history.change(index)
        assert isinstance(event, kind)
        assert before is after


def test_new_clients_call_at_once() -> None:
    run = run_of(60_000, script=((1_000, Join(300)),), strategy="exponential")
    assert (1_000, 300) in bursts(run)
    herd = herd_of(run.last)
    assert (herd.clients, herd.connected) == (1_300, 1_300)
    assert broken_lights(run) == []


def test_there_is_an_end_to_new_clients() -> None:
    with pytest.raises(ValueError, match=r"count must be 400 or less, for at most 5000 clients"):
        run_of(2_000, script=tuple((100 + i, Join(900)) for i in range(5)))


def test_a_request_cannot_be_sent_to_many_clients() -> None:
    with pytest.raises(ValueError, match="through the three tiers only"):
        run_of(1_000, script=((100, Send()),))


def test_a_server_that_never_fails() -> None:
    run = run_of(1_000, outage_ms=0)
    assert len(run.history) == 1
    assert herd_of(run.last).connected == 1_000
    assert herd_of(run.last).recovered_ms == 0


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_row_of_the_comparison_is_a_run_of_its_own(strategy: str) -> None:
    rows = {row.strategy: row for row in compared(Params(clients=200), 5, init, update)}
    assert list(rows) == list(STRATEGIES)
    herd = herd_of(run_of(strategy=strategy, clients=200, seed=5).last)
    row = rows[strategy]
    assert (row.calls, row.wasted, row.peak, row.connected) == (
        herd.calls,
        herd.refused,
        herd.peak,
        herd.connected,
    )
    assert row.recovery_ms == herd.recovered_ms - 2_500


def test_the_comparison_puts_the_strategies_in_order() -> None:
    """Jitter in any form: the fewest calls, the lowest peaks, and a fifth of the time or less."""
    run = run_of(10, script=((5, Compare()),))
    rows = {row.strategy: row for row in run.last.comparison}
    jittered = [rows[name] for name in ("full", "equal", "decorrelated")]
    assert rows["none"].calls > 80 * rows["exponential"].calls
    for row in jittered:
        assert row.calls < 0.75 * rows["exponential"].calls
        assert row.peak < 0.25 * rows["exponential"].peak
        assert row.recovery_ms < 0.25 * min(
            rows["none"].recovery_ms, rows["exponential"].recovery_ms
        )
    assert rows["decorrelated"].peak < rows["full"].peak < rows["equal"].peak


def test_a_comparison_ends_also_where_nobody_recovers() -> None:
    params = Params(clients=400, threads=1, service_ms=200, queue=0)
    rows = compared(params, 1, init, update)
    assert {row.recovery_ms for row in rows} == {-1}


@pytest.mark.parametrize("changed", [{"topology": "tiers"}, {"outage_ms": 0}])
def test_nothing_to_compare(changed: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="to compare, “Who calls” must be many clients"):
        run_of(10, script=((5, Compare()),), **changed)


@given(
    st.lists(st.integers(1, 30), min_size=1, max_size=6), st.integers(0, 200), st.integers(0, 99)
)
def test_lots_fill_all_places_and_no_group_gets_more_than_it_has(
    counts: list[int], places: int, seed: int
) -> None:
    ctx = Context(seed, 1)
    ctx.turn_to(0, 1)
    taken = draw_lots(counts, places, ctx)
    assert sum(taken) == min(places, sum(counts))
    assert all(0 <= number <= count for number, count in zip(taken, counts, strict=True))


def test_lots_are_fair() -> None:
    """A group of three quarters of the clients gets three quarters of the places, on average."""
    got = 0
    for seed in range(400):
        ctx = Context(seed, 1)
        ctx.turn_to(0, 1)
        got += draw_lots([30, 10], 10, ctx)[0]
    assert got / 400 == pytest.approx(7.5, abs=0.25)


def test_a_place_must_be_free_for_a_call_to_be_admitted() -> None:
    ctx = Context(1, 1)
    ctx.turn_to(0, 1)
    params = Params(outage_ms=0, threads=1, queue=0)
    server = admit(server_of(params), params, Group(1, 0), ctx)
    with pytest.raises(ValueError, match="room for a call must be above 0, got 0"):
        admit(server, params, Group(1, 0), ctx)


actions = st.one_of(
    st.just(TakeDown()),
    st.just(BringUp()),
    st.integers(1, 30).map(lambda tens: Join(10 * tens)),
)


@settings(deadline=None, max_examples=40)
@given(
    st.sampled_from(list(STRATEGIES)),
    st.integers(0, 4),
    st.integers(1, 12),
    st.integers(0, 10),
    st.integers(0, 20),
    st.lists(st.tuples(st.integers(0, 4_000), actions), max_size=5),
    st.integers(0, 2**32 - 1),
)
def test_whatever_the_reader_does_every_light_stays_green(
    strategy: str,
    retries: int,
    threads: int,
    queue: int,
    outage: int,
    script: list[tuple[int, Any]],
    seed: int,
) -> None:
    run = run_of(
        5_000,
        script=tuple(sorted(script, key=lambda timed: timed[0])),
        seed=seed,
        strategy=strategy,
        retries=retries,
        threads=threads,
        queue=10 * queue,
        outage_ms=100 * outage,
        clients=60,
        base_ms=30,
        cap_ms=500,
    )
    assert broken_lights(run) == []
    for state in run.history.states():
        slots = [slot for slot, _ in herd_of(state).agenda]
        assert slots == sorted(set(slots))
        assert all(slot >= state.now_ms for slot in slots)
