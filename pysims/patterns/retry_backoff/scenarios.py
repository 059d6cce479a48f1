"""The stories of the chapter; each claim is a predicate over the run."""

from __future__ import annotations

from ...kernel import Run, Scenario
from .herd import Due, Herd
from .model import BringUp, State, TakeDown
from .server import capacity_per_s
from .tiers import Tiers


def crowd(state: State) -> Herd:
    if isinstance(state.world, Herd):
        return state.world
    raise ValueError("topology must be 'clients' for this story, got 'tiers'")


def chain(state: State) -> Tiers:
    if isinstance(state.world, Tiers):
        return state.world
    raise ValueError("topology must be 'tiers' for this story, got 'clients'")


def recovery_ms(state: State) -> int:
    """From the server's return until everybody is connected; -1 if that has not happened."""
    herd = crowd(state)
    if herd.recovered_ms < 0 or herd.connected < herd.clients:
        return -1
    return herd.recovered_ms - herd.server.changed_ms


def shortest_ms(state: State) -> float:
    """How long the server needs for all clients when it does nothing else."""
    return 1_000 * crowd(state).clients / capacity_per_s(state.params)


def bursts(run: Run[State]) -> list[int]:
    """The sizes of the slots in which anybody called."""
    sizes = []
    for index in range(1, len(run.history)):
        before, event, after = run.history.change(index)
        if isinstance(event, Due) and before is not after:
            sizes.append(crowd(after).calls - crowd(before).calls)
    return sizes


def retrying_at_once_hurts(run: Run[State]) -> bool:
    took_ms = recovery_ms(run.last)
    return took_ms >= 10 * shortest_ms(run.last) and crowd(run.last).calls > 800_000


def still_in_step(run: Run[State]) -> bool:
    """Everybody who is left calls in the same slot, each time, and few of them are served."""
    sizes = bursts(run)
    return (
        len(sizes) == 14
        and sizes[:5] == [1_000] * 5
        and sizes == sorted(sizes, reverse=True)
        and 18_000 <= recovery_ms(run.last) <= 20_000
    )


def spread(run: Run[State], peak_low: int, peak_high: int, calls_max: int) -> bool:
    """The recovery takes at most twice the least possible, without any second peak.

    The peak comes early: after the first second, no 10 ms have more than 50 calls.
    """
    herd = crowd(run.last)
    late = [
        crowd(state).last_slot[1]
        for state in run.history.states()
        if crowd(state).last_slot[0] >= 1_000
    ]
    return (
        peak_low <= herd.peak <= peak_high
        and herd.calls <= calls_max
        and 0 < recovery_ms(run.last) <= 2 * shortest_ms(run.last)
        and max(late) <= 50
    )


def outage(run: Run[State]) -> Tiers:
    """The chain just before C comes back: its tally covers the outage."""
    return chain(run.state_at(OUTAGE_END_MS - 1))


def twenty_seven(run: Run[State]) -> bool:
    """Each request of the outage ended after exactly 27 calls at C; before and after, after one."""
    tally, healed = outage(run).tally, chain(run.last).tally
    healthy = chain(run.state_at(OUTAGE_START_MS - 1)).tally
    return (
        tally.ended >= 15
        and tally.calls == (3 * tally.ended, 9 * tally.ended, 27 * tally.ended)
        and tally.good == 0
        and healthy.calls[2] == healthy.ended > 0
        and healed.calls[2] == healed.ended > 0
    )


def capped(run: Run[State]) -> bool:
    """Less than two calls at C per request, though every one of them failed."""
    tally, healed = outage(run).tally, chain(run.last).tally
    return (
        tally.ended >= 30
        and tally.good == 0
        and tally.calls[2] < 2 * tally.ended
        and outage(run).denied > 0
        and healed.good == healed.ended > 0
    )


OUTAGE_START_MS, OUTAGE_END_MS = 2_000, 10_000
TIERS = {
    "topology": "tiers",
    "outage_ms": 0,
    "base_ms": 50,
    "cap_ms": 1_000,
    "rate_per_s": 6,
    "threads": 2,
    "service_ms": 20,
    "queue": 20,
    "budget_capacity": 3,
}
C_FAILS = ((OUTAGE_START_MS, TakeDown()), (OUTAGE_END_MS, BringUp()))

SCENARIOS = (
    Scenario(
        id="no-backoff",
        title="No backoff: retry at once",
        claim="Clients that retry at once make more than 800,000 calls, and the server needs at "
        "least ten times as long to take them back as it would without the storm.",
        proof=retrying_at_once_hurts,
        watch="The server is up again, but it is busy refusing calls. Few of the 1,000 clients "
        "get in.",
        until_ms=30_000,
        show_ms=5_000,
        params={"strategy": "none"},
        front=("strategy", "clients"),
    ),
    Scenario(
        id="exponential",
        title="Exponential backoff, still in step",
        claim="All clients that are left call within the same 10 ms, fourteen times, and the "
        "recovery takes 18 to 20 seconds.",
        proof=still_in_step,
        watch="The spikes get rarer, not lower: between them the server has nothing to do.",
        until_ms=24_000,
        show_ms=5_600,
        params={"strategy": "exponential"},
        front=("strategy", "cap_ms"),
    ),
    Scenario(
        id="full-jitter",
        title="Full jitter",
        claim="Nobody is in step: at most 170 calls in any 10 ms, fewer than 7,500 in all, and a "
        "recovery in at most twice the shortest possible time.",
        proof=lambda run: spread(run, 100, 170, 7_500),
        watch="The same failure, with each wait drawn at random: the calls become a steady rain.",
        until_ms=8_000,
        show_ms=4_000,
        params={"strategy": "full"},
        front=("strategy", "cap_ms"),
    ),
    Scenario(
        id="equal-jitter",
        title="Equal jitter",
        claim="Half of each wait is fixed: fewer calls than with full jitter, and a higher peak, "
        "of 180 to 260 calls in 10 ms.",
        proof=lambda run: spread(run, 180, 260, 6_200),
        watch="Half of each wait is fixed, so the calls still come in waves, which soon run into "
        "each other.",
        until_ms=8_000,
        show_ms=4_000,
        params={"strategy": "equal"},
        front=("strategy", "cap_ms"),
    ),
    Scenario(
        id="decorrelated-jitter",
        title="Decorrelated jitter",
        claim="Each wait is drawn from the last one: the lowest peak, of at most 95 calls in "
        "10 ms.",
        proof=lambda run: spread(run, 50, 95, 6_500),
        watch="Waits grow by chance, up to three times the last one: the calls spread from the "
        "start.",
        until_ms=8_000,
        show_ms=4_000,
        params={"strategy": "decorrelated"},
        front=("strategy", "cap_ms"),
    ),
    Scenario(
        id="three-tiers",
        title="Three tiers retry: 27 calls for one request",
        claim="While C is down, each request makes exactly 3 × 3 × 3 = 27 calls at C, and fails.",
        proof=twenty_seven,
        watch="Each cross in the lowest row is a call at C. All of them are for one request.",
        until_ms=16_000,
        show_ms=8_000,
        params=TIERS,
        script=C_FAILS,
        front=("attempts", "budget"),
    ),
    Scenario(
        id="retry-budget",
        title="The same outage, with retry budgets",
        claim="With a budget of one retry in ten calls at each caller, a request makes fewer than "
        "two calls at C.",
        proof=capped,
        watch="The budgets are soon empty, and then a failed call is simply a failed call.",
        until_ms=16_000,
        show_ms=8_000,
        params={**TIERS, "budget": True},
        script=C_FAILS,
        front=("attempts", "budget", "budget_ratio"),
    ),
)
