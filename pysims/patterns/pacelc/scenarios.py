"""The stories of the chapter; each seed was chosen so that the run shows its sentence."""

from __future__ import annotations

from ...kernel import Run, Scenario
from .measure import quantile
from .model import (
    ConsistentRead,
    CutAway,
    EventualRead,
    Heal,
    Request,
    State,
    Write,
    floor_of,
    is_stale,
    latency_ms,
)

ENOUGH = 150
"""Reads below which no share is claimed."""


def reads(state: State, r: int) -> int:
    """How many of the clients' reads had r answers in time."""
    return sum(state.tally.read_ms[r - 1])


def stale_share(state: State, r: int, w: int) -> float:
    return state.tally.stale[r - 1][w - 1] / reads(state, r)


def read_median(state: State, r: int) -> float:
    return quantile(state.tally.read_ms[r - 1], 0.5) or 0.0


def write_median(state: State, w: int) -> float:
    return quantile(state.tally.write_ms[w - 1], 0.5) or 0.0


def asked_by_reader(run: Run[State], kind: str) -> Request:
    """The reader's newest request of a kind, as the run ends."""
    mine = [r for r in run.last.requests if r.by_reader and r.kind == kind]
    return mine[-1]


def overlap_saves_every_read(run: Run[State]) -> bool:
    """No read is stale, although one answer alone would have been, and some answers were old."""
    state = run.last
    old_heard = any(
        request.result >= 0 and min(a.version for a in request.answers) < floor_of(state, request)
        for state in run.history.states()
        for request in state.requests
    )
    return (
        reads(state, 2) >= ENOUGH
        and stale_share(state, 2, 2) == 0
        and stale_share(state, 1, 2) >= 0.02
        and old_heard
    )


def one_answer_is_fast_and_sometimes_old(run: Run[State]) -> bool:
    state = run.last
    saved_ms = read_median(state, 3) - read_median(state, 1)
    return (
        reads(state, 1) >= ENOUGH
        and saved_ms >= 1
        and write_median(state, 3) - write_median(state, 1) >= 2
        and 0.04 <= stale_share(state, 1, 1) <= 0.10
        and state.tally.could > state.tally.stale[0][0]
    )


def ocean_costs_a_round_trip(run: Run[State]) -> bool:
    state = run.last
    return (
        reads(state, 2) >= ENOUGH
        and read_median(state, 2) >= 15 * read_median(state, 1)
        and write_median(state, 2) >= 10 * write_median(state, 1)
        and stale_share(state, 2, 2) == 0
        and stale_share(state, 1, 1) >= 0.10
    )


def half_the_price_and_sometimes_old(run: Run[State]) -> bool:
    state = run.last
    eventual, consistent = (asked_by_reader(run, kind) for kind in ("eventual", "consistent"))
    return (
        eventual.invoked_ms == consistent.invoked_ms
        and is_stale(state, eventual)
        and consistent.result > eventual.result
        and not is_stale(state, consistent)
        and latency_ms(eventual) < latency_ms(consistent)
        and 0.02 <= stale_share(state, 1, 2) <= 0.10
        and stale_share(state, 2, 2) == 0
    )


def only_the_island_fails(run: Run[State]) -> bool:
    """Requests beside C fail while it is cut away, no others do, and C catches up afterwards.

    At the moment on show one has just failed; the same story with R = W = 1 has a stale read there.
    """
    failed = [
        request.site
        for state in run.history.states()
        for request in state.requests
        if request.failed
    ]
    state = run.last
    versions = [replica.version for replica in state.replicas]
    return (
        "C" in failed
        and set(failed) == {"C"}
        and state.tally.unread[1] >= 20
        and stale_share(state, 2, 2) == 0
        and versions == [state.newest_version] * 3
    )


# The same messages in both stories, so that the reader can compare them moment by moment.
ONE_WORKLOAD = 42

SCENARIOS = (
    Scenario(
        id="quorum",
        title="R + W > N: never stale",
        claim="With R = 2 and W = 2 of N = 3 no read is stale, although some answers are old.",
        proof=overlap_saves_every_read,
        watch="B’s own answer is old, C’s is new: of any two replicas, one has the newest write.",
        until_ms=7_000,
        show_ms=5_208,
        seed=ONE_WORKLOAD,
        front=("read_quorum", "write_quorum"),
    ),
    Scenario(
        id="read-one",
        title="R = 1, W = 1: fast, sometimes stale",
        claim="One answer is faster than three, and 4 to 10 percent of the reads are stale.",
        proof=one_answer_is_fast_and_sometimes_old,
        watch="Move R and W: the same messages, more waiting, fewer stale reads.",
        until_ms=7_000,
        show_ms=5_208,
        seed=ONE_WORKLOAD,
        params={"read_quorum": 1, "write_quorum": 1},
        front=("read_quorum", "write_quorum"),
    ),
    Scenario(
        id="ocean",
        title="Three continents",
        claim="A quorum across oceans takes at least 10 times as long as the replica next door.",
        proof=ocean_costs_a_round_trip,
        watch="C’s own answer is there in 4 ms, and old. The second one crosses an ocean.",
        until_ms=15_000,
        show_ms=12_453,
        seed=1,
        params={"layout": "ocean", "interval_ms": 50, "requests": 300},
        front=("read_quorum", "write_quorum"),
    ),
    Scenario(
        id="dynamodb",
        title="Eventual and consistent read, side by side",
        claim="Both reads start together: the eventual one is faster, half the price, and old.",
        proof=half_the_price_and_sometimes_old,
        watch="A has just been written. One read takes B’s word; the other waits for two answers.",
        until_ms=7_100,
        show_ms=6_020,
        seed=91,
        params={"read_quorum": 1, "requests": 300},
        script=((6_000, Write("A")), (6_010, EventualRead("B")), (6_010, ConsistentRead("B"))),
        front=("write_quorum", "layout"),
    ),
    Scenario(
        id="cut-away",
        title="A zone is cut away",
        claim="With R = W = 2 only requests in the zone that is cut away fail; it catches up.",
        proof=only_the_island_fails,
        watch="A read at C has just failed, with 1 of 2 answers. Set R and W to 1: C says v93, "
        "although v96 is acknowledged.",
        until_ms=5_700,
        show_ms=3_105,
        seed=1,
        params={"requests": 300},
        script=((1_500, CutAway("C")), (4_000, Heal())),
        front=("read_quorum", "write_quorum"),
    ),
)
