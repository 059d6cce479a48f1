"""What each strategy promises, under any schedule of requests, latencies, losses and crashes."""

from fractions import Fraction
from itertools import pairwise
from math import comb
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pysims
from pysims.kernel import Deliver, Run
from pysims.patterns.distributed_rate_limiter import (
    PATTERN,
    CrashServer,
    CrashStore,
    CutServer,
    Params,
    Reconnect,
    RestartServer,
    RestartStore,
    SendBurst,
    SendOne,
    State,
)
from pysims.patterns.distributed_rate_limiter.model import SPREAD, part_of
from pysims.patterns.distributed_rate_limiter.state import (
    LOCAL,
    NAIVE,
    SHARED,
    SPLIT,
    STRATEGIES,
    SYNC,
    Answer,
    Request,
    intervals_of,
    tally_of,
)

relaxed = settings(deadline=None, max_examples=40)
LIGHTS = {light.name: light for light in PATTERN.invariants}
ID = "distributed_rate_limiter"


def run_of(seed: int = 1, script: Any = (), until_ms: int = 6_000, **params: Any) -> Run[State]:
    return pysims.run(ID, params=params, seed=seed, script=script, until_ms=until_ms)


@st.composite
def fleets(draw: st.DrawFn, /, **fixed: Any) -> dict[str, Any]:
    """Parameters of a small fleet with short windows."""
    return {
        "limit": draw(st.sampled_from([10, 20, 50])),
        "window_ms": draw(st.sampled_from([1_000, 2_000])),
        "servers": draw(st.integers(2, 5)),
        "balancing": draw(st.sampled_from(["round_robin", "random"])),
        "rate_per_s": draw(st.sampled_from([10, 60, 200])),
        "requests": draw(st.sampled_from([0, 60, 150])),
        "round_trip_ms": draw(st.sampled_from([2, 20, 150])),
        "loss": draw(st.sampled_from([0, 0, 20])),
        "timeout_ms": draw(st.sampled_from([20, 100, 1_000])),
        "fail_open": draw(st.booleans()),
        "sync_ms": draw(st.sampled_from([50, 300, 2_000])),
        "atomic_expire": draw(st.booleans()),
        "durable": draw(st.booleans()),
        **fixed,
    }


@st.composite
def schedules(draw: st.DrawFn, *, trouble: bool = True, crashes: bool = True) -> Any:
    """What the reader does in the first 2.5 seconds; two servers are named at most."""
    servers = st.sampled_from(["S1", "S2"])
    kinds: list[st.SearchStrategy[Any]] = [
        st.just(SendOne()),
        st.builds(SendBurst, st.integers(2, 60)),
    ]
    if trouble:
        kinds += [st.just(CrashStore()), st.just(RestartStore())]
        kinds += [st.builds(CutServer, servers), st.builds(Reconnect, servers)]
    if crashes:
        kinds += [st.builds(CrashServer, servers), st.builds(RestartServer, servers)]
    timed = st.tuples(st.integers(0, 2_500), st.one_of(kinds))
    return tuple(sorted(draw(st.lists(timed, max_size=10)), key=lambda pair: pair[0]))


def answered(run: Run[State]) -> list[tuple[int, Answer, bool]]:
    """(time, the store's answer, whether somebody still waited for it), one for each delivery."""
    found = []
    for index in range(1, len(run.history)):
        before, event, _ = run.history.change(index)
        if isinstance(event, Deliver) and isinstance(event.message.body, Answer):
            waited = any(w.request == event.message.body.request for w in before.waiting)
            lost = not any(m.id == event.message.id for m in before.network.in_flight)
            down = event.message.target in before.network.down
            flying = [m for m in before.network.in_flight if m.id == event.message.id]
            through = not lost and not down and not flying[0].lost
            found.append((run.history.time_ms(index), event.message.body, waited and through))
    return found


# --- The atomic shared counter --------------------------------------------------------------------


@relaxed
@given(fleets(strategy="shared", fail_open=False, durable=True), schedules(), st.integers(0, 999))
def test_the_atomic_counter_never_admits_more_than_the_limit_if_it_fails_closed(
    params: dict[str, Any], script: Any, seed: int
) -> None:
    run = run_of(seed, script, 4_500, **params)
    by_window: dict[int, int] = {}
    for _, answer, decided in answered(run):
        if decided and answer.count <= params["limit"]:
            by_window[answer.window] = by_window.get(answer.window, 0) + 1
    assert max(by_window.values(), default=0) <= params["limit"]
    # The tally is the same count, made as the run went.
    assert run.last.tallies[SHARED].worst == max(by_window.values(), default=0)
    assert run.last.tallies[SHARED].admitted_total == sum(by_window.values())
    assert run.last.tallies[SHARED].over == 0
    light = LIGHTS["Never above the limit"]
    assert all(light.promised(s) and light.holds(s) for s in run.history.states())


@relaxed
@given(fleets(fail_open=True, durable=True), schedules(), st.integers(0, 999))
def test_failing_open_admits_no_more_than_the_limit_and_the_silences(
    params: dict[str, Any], script: Any, seed: int
) -> None:
    last = run_of(seed, script, 4_500, strategy="shared", **params).last
    assert last.tallies[SHARED].worst <= params["limit"] + last.mishaps.timeouts
    assert last.tallies[SHARED].over <= last.mishaps.timeouts


@relaxed
@given(
    fleets(loss=0, timeout_ms=1_000, atomic_expire=True),
    schedules(trouble=False, crashes=False),
    st.integers(0, 999),
)
def test_while_the_store_answers_exactly_the_limit_is_admitted(
    params: dict[str, Any], script: Any, seed: int
) -> None:
    run = run_of(seed, script, 20_000, strategy="shared", **params)
    last = run.last
    by_window: dict[int, int] = {}
    for _, answer, _ in answered(run):
        by_window[answer.window] = by_window.get(answer.window, 0) + 1
    assert last.mishaps.timeouts == 0
    wanted = sum(min(count, params["limit"]) for count in by_window.values())
    assert last.tallies[SHARED].admitted_total == wanted
    assert last.tallies[SHARED].wrong == 0


def test_a_store_that_forgets_in_a_crash_admits_the_limit_again() -> None:
    script = ((0, SendBurst(100)), (500, CrashStore()), (600, RestartStore()), (700, SendBurst(50)))
    quiet: dict[str, Any] = {"requests": 0, "strategy": "shared"}
    forgetful = run_of(script=script, durable=False, **quiet).last
    kept = run_of(script=script, durable=True, **quiet).last
    assert forgetful.tallies[SHARED].worst == 150
    assert kept.tallies[SHARED].worst == 100
    assert LIGHTS["Never above the limit"].promised(kept)
    assert not LIGHTS["Never above the limit"].promised(forgetful)


def test_every_window_has_its_own_limit() -> None:
    script = tuple((time_ms, SendBurst(30)) for time_ms in (100, 900, 1_100, 2_500))
    last = run_of(script=script, strategy="shared", requests=0, limit=20, window_ms=1_000).last
    assert last.tallies[SHARED].admitted_total == 3 * 20
    assert last.tallies[LOCAL].admitted_total == 120


# --- The end of a key -----------------------------------------------------------------------------


@pytest.mark.parametrize(("atomic_expire", "through"), [(True, 30), (False, 9)])
def test_a_crash_between_incr_and_expire_locks_the_client_out_unless_they_are_one_step(
    atomic_expire: bool, through: int
) -> None:
    # One request makes the key, and its server dies before it hears of it.
    script = (
        (0, SendOne()),
        (40, CrashServer("S1")),
        (300, SendBurst(10)),
        (1_300, SendBurst(10)),
        (2_300, SendBurst(10)),
    )
    run = run_of(
        script=script,
        strategy="shared",
        requests=0,
        limit=10,
        window_ms=1_000,
        round_trip_ms=40,
        atomic_expire=atomic_expire,
    )
    assert run.last.mishaps.unanswered == 1
    # The one that was never answered has used up one of the first window's ten.
    assert run.last.tallies[SHARED].admitted_total == through - atomic_expire
    assert LIGHTS["A window starts from zero"].holds(run.last) == atomic_expire


def test_expire_of_its_own_ends_the_key_if_nobody_crashes() -> None:
    script = ((0, SendBurst(10)), (1_300, SendBurst(10)))
    last = run_of(
        script=script, strategy="shared", requests=0, limit=10, window_ms=1_000, atomic_expire=False
    ).last
    assert last.tallies[SHARED].admitted_total == 20
    assert last.calls[SHARED] == 20 + 2


# --- Get, then set --------------------------------------------------------------------------------


def test_get_then_set_is_exact_as_long_as_requests_do_not_overlap() -> None:
    script = tuple((200 * k, SendOne()) for k in range(15))
    last = run_of(script=script, strategy="get_then_set", requests=0, limit=10).last
    assert last.tallies[NAIVE].admitted_total == 10
    assert last.store.naive.count == 10


def test_get_then_set_lets_a_whole_burst_through_that_the_atomic_counter_stops() -> None:
    last = run_of(script=((0, SendBurst(20)),), strategy="get_then_set", requests=0, limit=10).last
    # The slowest read comes 16 ms after the first; a read and a write take 14 ms at the least.
    assert last.tallies[NAIVE].admitted_total == 20
    assert last.tallies[SHARED].admitted_total == 10
    light = LIGHTS["Never above the limit"]
    assert light.promised(last)
    assert not light.holds(last)


@relaxed
@given(fleets(loss=0, timeout_ms=1_000, window_ms=60_000), schedules(trouble=False), st.data())
def test_within_a_window_get_then_set_never_admits_fewer_than_the_atomic_counter(
    params: dict[str, Any], script: Any, data: st.DataObject
) -> None:
    # Who is refused has read the limit; each number up to there was written by somebody admitted.
    params = {**params, "strategy": "get_then_set", "atomic_expire": True}
    last = run_of(data.draw(st.integers(0, 999)), script, 20_000, **params).last
    assert last.tallies[NAIVE].admitted_total >= last.tallies[SHARED].admitted_total


def test_a_set_that_comes_after_the_window_starts_the_next_one_with_an_old_count() -> None:
    script = ((700, SendOne()),)
    params: dict[str, Any] = {"requests": 0, "window_ms": 1_000, "round_trip_ms": 200}
    last = run_of(script=script, strategy="get_then_set", timeout_ms=1_000, **params).last
    assert last.tallies[NAIVE].admitted_in(0) == 1
    assert (last.store.naive.count, last.store.naive.window) == (1, 1)


# --- Counters on every server ---------------------------------------------------------------------


@relaxed
@given(fleets(), schedules(), st.integers(0, 999))
def test_local_counters_admit_at_most_the_limit_on_each_server(
    params: dict[str, Any], script: Any, seed: int
) -> None:
    last = run_of(seed, script, 4_500, strategy="local", **params).last
    memories = params["servers"] + last.mishaps.crashes
    for way in (LOCAL, SYNC):
        assert last.tallies[way].worst <= memories * params["limit"]
    assert all(server.local.used <= params["limit"] for server in last.servers)


@relaxed
@given(fleets(), schedules(crashes=False), st.integers(0, 999))
def test_a_split_quota_never_admits_more_than_the_limit(
    params: dict[str, Any], script: Any, seed: int
) -> None:
    run = run_of(seed, script, 4_500, strategy="split", **params)
    assert run.last.tallies[SPLIT].worst <= params["limit"]
    light = LIGHTS["Never above the limit"]
    assert all(light.promised(s) and light.holds(s) for s in run.history.states())


@given(st.sampled_from(range(10, 201, 10)), st.integers(2, 10))
def test_the_parts_of_a_split_quota_make_up_the_limit(limit: int, servers: int) -> None:
    params = Params(limit=limit, servers=servers)
    parts = [part_of(params, index) for index in range(servers)]
    assert sum(parts) == limit
    assert max(parts) - min(parts) <= 1


def test_a_split_quota_with_random_balancing_admits_88_of_100_on_average() -> None:
    # Each of ten servers gets a binomial share of the hundred requests, and admits ten at most.
    expected = 10 * sum(
        min(k, 10) * comb(100, k) * Fraction(1, 10) ** k * Fraction(9, 10) ** (100 - k)
        for k in range(101)
    )
    assert round(expected) == 88
    story = PATTERN.scenario("split-quota")
    seeds = range(100, 180)
    through = [
        run_of(seed, until_ms=2_500, **story.params).last.tallies[SPLIT].admitted_total
        for seed in seeds
    ]
    # A run's standard deviation is 2.8; the mean of 80 runs is within three standard errors.
    assert abs(sum(through) / len(through) - float(expected)) < 3 * 2.8 / 80**0.5


# --- Syncing now and then -------------------------------------------------------------------------


def requests_at_servers(run: Run[State]) -> list[tuple[int, str]]:
    """When each request reached which server."""
    return [
        (time_ms, event.message.target)
        for time_ms, _, event in run.history.causes()
        if isinstance(event, Deliver) and isinstance(event.message.body, Request)
    ]


def most_within(times: list[int], span_ms: int) -> int:
    """The most of these times that lie in a span of this length, both ends included."""
    return max((sum(t <= u <= t + span_ms for u in times) for t in times), default=0)


@relaxed
@given(
    st.sampled_from([50, 100, 400, 1_000]),
    st.sampled_from([50, 200, 500]),
    st.sampled_from(["round_robin", "random"]),
    st.integers(0, 999),
)
def test_the_overshoot_of_syncing_is_bounded_by_what_comes_in_two_intervals(
    sync_ms: int, rate_per_s: int, balancing: str, seed: int
) -> None:
    """The bound, for messages that take F ms at the most and round trips shorter than the interval.

    Let T be when the limit is reached in truth. What a server admits it tells the store within
    `sync_ms`, so that from T + sync_ms + F on the store's total is at least the limit. Until then
    (D ms) a server may admit whatever comes. Whoever admits later, not knowing, syncs within
    `sync_ms`, hears the total 2 F later, and admits no more: D + F ms from its first such request
    on. So each server adds at most two spans of requests of its own.
    """
    params: dict[str, Any] = {
        "strategy": "sync",
        "limit": 20,
        "servers": 5,
        "sync_ms": sync_ms,
        "rate_per_s": rate_per_s,
        "balancing": balancing,
        "requests": 200,
        "round_trip_ms": 14,
    }
    run = run_of(seed, until_ms=15_000, **params)
    tally = run.last.tallies[SYNC]
    reached = [
        run.history.time_ms(index)
        for index, state in enumerate(run.history.states())
        if state.tallies[SYNC].admitted_total >= 20
    ]
    assert reached, "200 requests reach a limit of 20"
    flight_ms = 21
    span_ms = sync_ms + 2 * flight_ms
    bound = 0
    for name in ("S1", "S2", "S3", "S4", "S5"):
        times = [t for t, server in requests_at_servers(run) if server == name and t >= reached[0]]
        bound += most_within(times, span_ms) + sum(t <= reached[0] + span_ms for t in times)
    assert tally.admitted_total - 20 <= bound
    # A server that does not know better admits: syncing never refuses too early.
    assert tally.wrong == 0


def test_syncing_more_often_overshoots_less_on_average() -> None:
    def over(sync_ms: int) -> float:
        runs = [
            run_of(seed, until_ms=4_000, strategy="sync", sync_ms=sync_ms, rate_per_s=100,
                   requests=250).last.tallies[SYNC].over
            for seed in range(8)
        ]  # fmt: skip
        return sum(runs) / len(runs)

    overs = [over(sync_ms) for sync_ms in (100, 300, 900)]
    # In a sync interval about rate × interval requests come; that is the size of the error.
    assert overs == sorted(overs)
    for sync_ms, mean in zip((100, 300, 900), overs, strict=True):
        assert 0.5 < mean / (100 * (sync_ms + 20) / 1_000) < 1.5


def test_the_readers_sync_interval_gives_what_the_table_said_of_it() -> None:
    """Each interval in the table of one run, set as the reader's own, overshoots about alike."""
    steady: dict[str, Any] = {"strategy": "sync", "rate_per_s": 100, "requests": 500}
    first = run_of(sync_ms=500, **steady).last
    for lane, interval_ms in enumerate(intervals_of(first.params)):
        own = run_of(sync_ms=interval_ms, **steady).last.tallies[SYNC]
        table = first.tallies[SYNC + lane]
        assert abs(own.over - table.over) <= 10


def test_what_is_under_way_to_the_store_is_not_sent_again_and_counted_twice() -> None:
    params: dict[str, Any] = {"requests": 0, "servers": 2, "sync_ms": 50, "timeout_ms": 1_000}
    run = run_of(script=((0, SendBurst(20)),), strategy="sync", round_trip_ms=200, **params)
    assert run.last.store.totals[0] == run.last.tallies[SYNC].admitted_total == 20
    assert all(counter.unsent == 0 for server in run.last.servers for counter in server.syncs)


def test_an_alarm_from_before_a_crash_does_not_wake_the_restarted_server() -> None:
    script = (
        (0, SendOne()),
        (100, CrashServer("S1")),
        (110, RestartServer("S1")),
        (300, CrashServer("S2")),
        (301, SendOne()),
    )
    run = run_of(script=script, strategy="sync", requests=0, servers=2, sync_ms=500)
    assert run.state_at(700).calls[SYNC] == 0
    assert run.state_at(900).calls[SYNC] == 1


# --- All strategies -------------------------------------------------------------------------------


@relaxed
@given(fleets(), schedules(), st.sampled_from(list(STRATEGIES)), st.integers(0, 999))
def test_every_request_is_accounted_for_under_every_strategy(
    params: dict[str, Any], script: Any, strategy: str, seed: int
) -> None:
    run = run_of(seed, script, 5_000, **{**params, "strategy": strategy})
    light = LIGHTS["Every request is accounted for"]
    assert all(light.holds(state) for state in run.history.states())
    end = run_of(seed, script, 20_000, **{**params, "strategy": strategy}).last
    tally, mishaps = tally_of(end), end.mishaps
    lost = mishaps.unserved + (mishaps.unanswered if strategy in ("shared", "get_then_set") else 0)
    assert tally.admitted_total + tally.refused_total + lost == end.sent.number
    assert end.waiting == ()
    assert end.front.in_flight == ()


def test_no_setting_but_their_own_changes_the_requests() -> None:
    def sent(**params: Any) -> list[int]:
        run = run_of(rate_per_s=100, requests=100, **params)
        events = list(run.history.causes())
        return [time_ms for time_ms, _, event in events if type(event).__name__ == "Arrive"]

    plain = sent()
    assert len(plain) == 100
    for other in (
        {"strategy": "sync"},
        {"strategy": "local", "servers": 4},
        {"round_trip_ms": 100, "loss": 20},
        {"sync_ms": 50},
        {"balancing": "random"},
    ):
        assert sent(**other) == plain
    assert sent(script=((5, CrashStore()),)) == plain
    assert run_of(2, rate_per_s=100, requests=100).last.workload != run_of().last.workload


def test_the_load_balancer_goes_round_and_leaves_out_who_is_down() -> None:
    script = ((0, SendBurst(4)), (100, CrashServer("S2")), (101, SendBurst(5)))
    run = run_of(script=script, requests=0, servers=4)
    picked = [m.target for m in run.state_at(0).front.in_flight]
    assert picked == ["S1", "S2", "S3", "S4"]
    assert [m.target for m in run.state_at(101).front.in_flight] == ["S1", "S3", "S4", "S1", "S3"]


def test_without_a_server_a_request_is_lost() -> None:
    script = ((0, CrashServer("S1")), (0, CrashServer("S2")), (1, SendOne()))
    last = run_of(script=script, requests=0, servers=2).last
    assert last.mishaps.unserved == last.sent.number == 1


# --- The price: waiting for the store -------------------------------------------------------------


def test_the_mean_wait_is_that_of_two_messages() -> None:
    mean_ms = 0.0
    for (low, low_factor), (high, high_factor) in pairwise(SPREAD):
        mean_ms += (high - low) * (low_factor + high_factor) / 2 * 40
    last = run_of(round_trip_ms=40, timeout_ms=1_000, rate_per_s=200, until_ms=9_000).last
    assert last.waits.number == 1_100
    assert abs(last.waits.mean_ms / mean_ms - 1) < 0.03


def test_while_the_store_is_down_every_request_waits_until_its_time_is_up() -> None:
    script = ((0, CrashStore()), (10, SendBurst(30)))
    for fail_open in (True, False):
        last = run_of(
            script=script, strategy="shared", requests=0, timeout_ms=80, fail_open=fail_open
        ).last
        tally = last.tallies[SHARED]
        assert (tally.admitted_total, tally.refused_total) == ((30, 0) if fail_open else (0, 30))
        assert last.waits.mean_ms == last.waits.within_ms(0.99) == 80
        assert last.mishaps.timeouts == 30
        assert tally.wrong == (0 if fail_open else 30)
        assert all(d.reason == "silence" and d.waited_ms == 80 for d in last.decided)


def test_only_the_server_that_is_cut_from_the_store_decides_without_it() -> None:
    script = ((0, CutServer("S2")), (10, SendBurst(8)), (400, Reconnect("S2")), (410, SendBurst(8)))
    last = run_of(script=script, strategy="shared", requests=0, servers=4).last
    silent = [each.server for each in last.decided if each.reason == "silence"]
    assert silent == ["S2", "S2"]
    assert last.mishaps.timeouts == 2


def test_a_cut_loses_the_answer_that_is_under_way() -> None:
    script = ((0, SendOne()), (150, CutServer("S1")))
    run = run_of(script=script, strategy="shared", requests=0, round_trip_ms=200, timeout_ms=1_000)
    assert any(isinstance(m.body, Answer) for m in run.state_at(149).network.in_flight)
    assert run.last.decided[0].reason == "silence"


def test_an_answer_that_comes_too_late_changes_nothing_but_was_counted() -> None:
    script = ((0, SendBurst(10)), (1_500, SendBurst(10)))
    last = run_of(
        script=script, strategy="shared", requests=0, limit=10, round_trip_ms=200, timeout_ms=20
    ).last
    tally = last.tallies[SHARED]
    assert tally.refused_total == 20
    assert last.store.atomic.count == 20
    assert last.mishaps.timeouts == 20


# --- Refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [CrashServer, RestartServer, CutServer, Reconnect])
def test_an_unknown_server_is_refused(kind: Any) -> None:
    with pytest.raises(ValueError, match="server must be one of S1, S2, S3, got 'S4'"):
        run_of(script=((10, kind("S4")),), servers=3)


@pytest.mark.parametrize("kind", [CrashServer, RestartServer])
def test_what_is_down_stays_down_and_what_is_up_stays_up(kind: Any) -> None:
    once = run_of(script=((10, CrashServer("S1")), (20, kind("S1"))), requests=0).last
    assert once.mishaps.crashes == 1
    twice = run_of(script=((10, CrashStore()), (20, CrashStore())), requests=0).last
    assert twice.network.down == ("store",)
