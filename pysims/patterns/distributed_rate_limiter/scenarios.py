"""The stories of the chapter; each seed was chosen so that the run shows its sentence."""

from __future__ import annotations

from ...kernel import Run, Scenario
from .counters import NEVER
from .state import (
    LOCAL,
    NAIVE,
    SHARED,
    SPLIT,
    SYNC,
    CrashServer,
    CrashStore,
    RestartServer,
    RestartStore,
    State,
    intervals_of,
)
from .tally import Tally

LIMIT = 100


def tallies(run: Run[State]) -> tuple[Tally, ...]:
    return run.last.tallies


def ten_times_the_limit(run: Run[State]) -> bool:
    state = run.last
    return (
        state.sent.number == 1_100
        and state.tallies[LOCAL].worst == 1_000 == len(state.servers) * LIMIT
        and all(server.local.used == LIMIT for server in state.servers)
        and state.calls[LOCAL] == 0
        and state.tallies[SHARED].worst == LIMIT
    )


def split_quota_refuses_wrongly(run: Run[State]) -> bool:
    """Some servers are out of quota while others have some left, and nobody is above the limit."""
    state = run.last
    split = state.tallies[SPLIT]
    left = sum(server.split.limit - server.split.used for server in state.servers)
    return (
        state.sent.number == LIMIT
        and split.admitted_total == 88
        and split.wrong == 12 == left
        and state.tallies[SHARED].admitted_total == LIMIT
    )


def get_then_set_overshoots(run: Run[State]) -> bool:
    state = run.last
    naive, atomic = state.tallies[NAIVE], state.tallies[SHARED]
    lost_updates = naive.admitted_total - state.store.naive.count
    return (
        naive.worst > 3 * LIMIT
        and lost_updates > 200
        and atomic.worst == LIMIT
        and atomic.wrong == 0
        and state.mishaps.timeouts == 0
    )


def exactly_the_limit_for_a_round_trip(run: Run[State]) -> bool:
    state = run.last
    atomic = state.tallies[SHARED]
    return (
        state.sent.number == 500
        and atomic.worst == atomic.admitted_total == LIMIT
        and atomic.refused_total == 400
        and atomic.wrong == 0
        and state.calls[SHARED] == 500
        and 20 <= state.waits.mean_ms <= 25
        and state.waits.within_ms(0.99) >= 35
        and state.tallies[LOCAL].worst == 500
    )


def locked_out(run: Run[State]) -> bool:
    """The client stays below the limit in every window, and is refused for ever after."""
    state = run.last
    atomic, came = state.tallies[SHARED], window_counts(run)
    return (
        max(came) < LIMIT
        and atomic.admitted_total == LIMIT - state.mishaps.unanswered == 99
        and atomic.admitted_in(state.sent.window) == 0
        and atomic.wrong > 100
        and state.store.atomic.expires_ms == NEVER
        and state.tallies[LOCAL].wrong == 0
    )


def window_counts(run: Run[State]) -> list[int]:
    """How many requests were sent in each window."""
    counts: dict[int, int] = {}
    for state in run.history.states():
        counts[state.sent.window] = state.sent.in_window
    return list(counts.values())


OUTAGE = ((500, CrashStore()), (3_000, RestartStore()))


def everything_passes_while_the_store_is_down(run: Run[State]) -> bool:
    state = run.last
    atomic, silent = state.tallies[SHARED], state.mishaps.timeouts
    return (
        silent > 200
        and atomic.worst == LIMIT + atomic.over
        and atomic.over > 150
        and atomic.wrong == 0
        and state.waits.within_ms(0.99) >= state.params.timeout_ms
    )


def nothing_passes_while_the_store_is_down(run: Run[State]) -> bool:
    """The same requests and the same outage as with fail-open."""
    state = run.last
    atomic, silent = state.tallies[SHARED], state.mishaps.timeouts
    during = [s.tallies[SHARED].admitted_total for s in (run.state_at(700), run.state_at(3_000))]
    return (
        silent > 200
        and atomic.worst == LIMIT
        and atomic.over == 0
        and atomic.wrong == silent
        and during[0] == during[1] < LIMIT
    )


def overshoot_grows_with_the_interval(run: Run[State]) -> bool:
    """Every interval that is measured lets more too many through than the next shorter one."""
    state = run.last
    lanes = sorted(
        (interval_ms, state.tallies[SYNC + lane].over, state.calls[SYNC + lane])
        for lane, interval_ms in enumerate(intervals_of(state.params))
    )
    overs, calls = [over for _, over, _ in lanes], [count for *_, count in lanes]
    return (
        [interval_ms for interval_ms, *_ in lanes] == [100, 250, 500, 1_000, 2_000]
        and overs == sorted(set(overs))
        and calls == sorted(set(calls), reverse=True)
        and 0 < overs[0] <= 20
        and overs[-1] >= 150
        and calls[0] * 5 < state.calls[SHARED]
    )


# The same requests in all these stories, so that the reader can compare them moment by moment.
ONE_WORKLOAD = 1
STEADY = {"rate_per_s": 100, "requests": 500}

SCENARIOS = (
    Scenario(
        id="local-counters",
        title="Local counters: ten times the limit",
        claim="Ten servers that count alone let 1,000 of 1,100 requests through, and 100 are "
        "allowed.",
        proof=ten_times_the_limit,
        watch="Every server has let its own 100 through. The client may send 100, and got 1,000.",
        until_ms=5_200,
        show_ms=4_120,
        seed=ONE_WORKLOAD,
        params={"strategy": "local", "rate_per_s": 250},
        front=("strategy", "servers"),
        breaks=("Never above the limit",),
    ),
    Scenario(
        id="split-quota",
        title="Split quota: wrongly refused",
        claim="Each server may let 10 through. Of exactly 100 requests, balanced at random, 12 are "
        "refused.",
        proof=split_quota_refuses_wrongly,
        watch="Some servers have used up their 10, others have some left: a client that keeps its "
        "limit is refused.",
        until_ms=1_500,
        show_ms=1_069,
        seed=18,
        params={"strategy": "split", "balancing": "random", "rate_per_s": 100, "requests": 100},
        front=("strategy", "balancing"),
    ),
    Scenario(
        id="get-then-set",
        title="Get, then set: the race",
        claim="Servers that read the count and then write it back let more than three times the "
        "limit through.",
        proof=get_then_set_overshoots,
        watch="Several servers read the same count before the first of them writes: they all write "
        "the same number, and all but one of these requests go uncounted.",
        until_ms=5_700,
        show_ms=2_605,
        seed=ONE_WORKLOAD,
        params={"strategy": "get_then_set", **STEADY},
        front=("strategy", "round_trip_ms"),
        breaks=("Never above the limit",),
    ),
    Scenario(
        id="shared-counter",
        title="Shared counter: exact, for a round trip",
        claim="The store counts in one step: of 500 requests exactly 100 get through, and each "
        "waits for a round trip.",
        proof=exactly_the_limit_for_a_round_trip,
        watch="100 of the requests are let through, no more and no less. Each had to wait for the "
        "store: the chart at the bottom shows how long.",
        until_ms=5_700,
        show_ms=2_605,
        seed=ONE_WORKLOAD,
        params={"strategy": "shared", **STEADY},
        front=("strategy", "round_trip_ms"),
    ),
    Scenario(
        id="key-never-expires",
        title="INCR, crash, no EXPIRE: locked out",
        claim="S1 dies between INCR and EXPIRE, and a client that never exceeds its limit is "
        "refused for ever.",
        proof=locked_out,
        watch="The count was never given an end: it runs on from window to window, and nobody gets "
        "through any more.",
        until_ms=4_300,
        show_ms=3_373,
        seed=1,
        params={
            "strategy": "shared",
            "window_ms": 1_000,
            "rate_per_s": 60,
            "requests": 240,
            "atomic_expire": False,
        },
        script=((90, CrashServer("S1")), (600, RestartServer("S1"))),
        front=("atomic_expire",),
        breaks=("A window starts from zero",),
    ),
    Scenario(
        id="fail-open",
        title="Store down, fail open",
        claim="While the store is down, every request waits 100 ms in vain and is let through.",
        proof=everything_passes_while_the_store_is_down,
        watch="While the store is down, every request waits until its time is up, and is then let "
        "through: there is no limit any more.",
        until_ms=5_700,
        show_ms=2_591,
        seed=ONE_WORKLOAD,
        params={"strategy": "shared", "fail_open": True, **STEADY},
        script=OUTAGE,
        front=("fail_open", "timeout_ms"),
    ),
    Scenario(
        id="fail-closed",
        title="Store down, fail closed",
        claim="While the store is down, every request waits 100 ms in vain and is refused.",
        proof=nothing_passes_while_the_store_is_down,
        watch="While the store is down, every request waits until its time is up, and is then "
        "refused, although the client has not used up its limit.",
        until_ms=5_700,
        show_ms=2_591,
        seed=ONE_WORKLOAD,
        params={"strategy": "shared", "fail_open": False, **STEADY},
        script=OUTAGE,
        front=("fail_open", "timeout_ms"),
    ),
    Scenario(
        id="periodic-sync",
        title="Local counters, synced: almost right",
        claim="The rarer servers sync, the more they let through beyond the limit, and the fewer "
        "calls the store gets.",
        proof=overshoot_grows_with_the_interval,
        watch="No request waits for the store. The price stands in the table: the longer the "
        "interval, the more get through that should not.",
        until_ms=5_700,
        show_ms=3_430,
        seed=ONE_WORKLOAD,
        params={"strategy": "sync", **STEADY},
        front=("strategy", "sync_ms"),
    ),
)
