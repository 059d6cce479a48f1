"""The stories of the chapter; each seed was chosen so that the run shows its sentence."""

from __future__ import annotations

from ...kernel import Run, Scenario
from .model import (
    CLOSED,
    HALF_OPEN,
    HANGING,
    OPEN,
    Repair,
    SetErrors,
    SetLatency,
    State,
)

HANGS_MS = 3_000
HANGS = ((HANGS_MS, SetLatency(HANGING)),)
# The same users with the same calls in every story in which the service hangs.
ONE_WORKLOAD = 1


def went(run: Run[State]) -> list[str]:
    """The states that the breaker went through, in order."""
    return [change.state for change in run.last.changes]


def since(run: Run[State], number: int) -> int:
    """When the breaker came into its state of this number (ms)."""
    return run.last.changes[number].since_ms


def all_wait(run: Run[State]) -> bool:
    """A second and a bit after the service hangs no thread is free; then users are turned away."""
    state, hung = run.last, run.state_at(HANGS_MS + 1_000)
    return (
        hung.website.idle == 0
        and all(run.state_at(ms).website.idle == 0 for ms in range(4_000, 14_000, 50))
        and run.state_at(HANGS_MS).tally.error == 0
        and state.tally.timeout >= 80
        and state.tally.turned_away >= 50
        and 2_000 <= state.tally.failing_wait_ms <= 3_000
        and 0 < state.watch.consecutive_trip_ms < HANGS_MS + 1_500
    )


def five_timeouts_open_it(run: Run[State]) -> bool:
    """The fifth timeout opens the breaker, and from then on nobody waits."""
    state, opened_ms = run.last, since(run, 1)
    before, after = run.state_at(opened_ms - 1), run.state_at(opened_ms)
    return (
        went(run) == [CLOSED, OPEN]
        and opened_ms - HANGS_MS <= 1_500
        and before.tally.timeout == 4
        and after.tally.timeout == 5
        and after.website.waiting == ()
        and len(before.website.waiting) > 0
        and state.tally.turned_away == 0
        and state.tally.error == 0
        and state.tally.failing_wait_ms < 300
        and state.website.idle == state.website.threads
    )


def the_probe_fails(run: Run[State]) -> bool:
    """One call in a reset timeout is made, it fails, and the timeout starts anew."""
    state = run.last
    opened = [change.since_ms for change in state.changes if change.state == OPEN]
    probed = [change.since_ms for change in state.changes if change.state == HALF_OPEN]
    wait_ms = state.params.reset_timeout_ms
    spared = state.tally.refused
    made = state.tally.timeout - run.state_at(opened[0]).tally.timeout
    return (
        went(run)[:5] == [CLOSED, OPEN, HALF_OPEN, OPEN, HALF_OPEN]
        and len(probed) == 2
        and all(
            wait_ms <= probe - start <= wait_ms + 500
            for start, probe in zip(opened, probed, strict=False)
        )
        and all(
            again - probe == state.params.timeout_ms
            for again, probe in zip(opened[1:], probed, strict=True)
        )
        and spared >= 10 * made
        and state.tally.turned_away == 0
    )


def three_probes_close_it(run: Run[State]) -> bool:
    """Three probes succeed, no other call is made meanwhile, and users have live answers again."""
    state = run.last
    asked, closed = since(run, -2), since(run, -1)
    probes = run.state_at(closed).tally.ok - run.state_at(asked - 1).tally.ok
    return (
        went(run) == [CLOSED, OPEN, HALF_OPEN, OPEN, HALF_OPEN, CLOSED]
        and probes == state.params.success_threshold == 3
        and run.state_at(closed).tally.refused > run.state_at(asked - 1).tally.refused
        and state.tally.refused == run.state_at(closed).tally.refused
        and state.tally.fallback == run.state_at(closed).tally.fallback
        and state.tally.ok >= run.state_at(closed).tally.ok + 20
    )


def only_the_window_sees_it(run: Run[State]) -> bool:
    """Every second call or more fails, never ten in a row; the share in the window opens it."""
    state, opened_ms = run.last, since(run, 1)
    opened = run.state_at(opened_ms)
    share = run.state_at(opened_ms - 1).tally.fault / (opened.tally.fault + opened.tally.ok)
    return (
        went(run)[1] == OPEN
        and opened.tally.fault >= 80
        and share >= 0.4
        and opened.watch.consecutive_trip_ms == -1
        and opened.watch.longest_row < state.params.failure_threshold
        and opened.watch.rolling_trip_ms == opened_ms
        and opened.tally.timeout == 0
    )


SCENARIOS = (
    Scenario(
        id="no-breaker",
        title="No breaker: every thread waits",
        claim="The service hangs: within a second all 10 threads wait for it, and they stay so.",
        proof=all_wait,
        watch="The recommendations hang after 3 s. The website has no fault, and turns users away.",
        until_ms=14_000,
        show_ms=9_020,
        seed=ONE_WORKLOAD,
        params={"breaker": "none", "fallback": False},
        script=HANGS,
        front=("breaker", "fallback"),
        breaks=("Nobody is turned away",),
    ),
    Scenario(
        id="trips",
        title="A breaker opens after five timeouts",
        claim="Five timeouts open the breaker; then no thread waits and nobody is turned away.",
        proof=five_timeouts_open_it,
        watch="The same users, the same fault: threads come free, users get the fallback at once.",
        until_ms=7_000,
        show_ms=4_700,
        seed=ONE_WORKLOAD,
        script=HANGS,
        front=("breaker", "failure_threshold"),
    ),
    Scenario(
        id="probe-fails",
        title="The probe fails",
        claim="After 3 s a probe passes and fails; the breaker opens again for another 3 s.",
        proof=the_probe_fails,
        watch="One call in 4 s finds out that the service still hangs. All others are spared.",
        until_ms=14_000,
        show_ms=8_400,
        seed=ONE_WORKLOAD,
        script=HANGS,
        front=("reset_timeout_ms", "timeout_ms"),
    ),
    Scenario(
        id="recovers",
        title="Three probes succeed",
        claim="The service is repaired; three probes succeed and the breaker closes.",
        proof=three_probes_close_it,
        watch="Repaired after 9 s. The next probes succeed, one by one; then all calls pass again.",
        until_ms=14_000,
        show_ms=11_550,
        seed=ONE_WORKLOAD,
        params={"success_threshold": 3},
        script=(*HANGS, (9_000, Repair())),
        front=("success_threshold", "reset_timeout_ms"),
    ),
    Scenario(
        id="rolling-window",
        title="Errors that never come in a row",
        claim="60 % of the calls fail, never ten in a row: only the rolling window opens.",
        proof=only_the_window_sees_it,
        watch="Successes in between start the row again and again. The share in the window rises.",
        until_ms=18_000,
        show_ms=10_600,
        seed=1,
        params={"breaker": "rolling", "failure_threshold": 10, "reset_timeout_ms": 5_000},
        script=((3_000, SetErrors(60)),),
        front=("breaker", "failure_share"),
    ),
)
