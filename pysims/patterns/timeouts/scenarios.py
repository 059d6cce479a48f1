"""The stories of the chapter; each seed was chosen so that the run shows its sentence."""

from __future__ import annotations

from ...kernel import Run, Scenario
from .measured import cut_requests, share_above
from .model import BACK, NORMAL, Hang, MakeSlow, Repair, State, tasks_for_nobody

SICK_MS, WELL_MS = 4_000, 12_000


def answered(run: Run[State], from_ms: int, until_ms: int) -> int:
    """How many users got their answer between two times."""
    return run.state_at(until_ms).users.done - run.state_at(from_ms).users.done


def vain(run: Run[State], from_ms: int, until_ms: int) -> float:
    """The share of the back's thread time that nobody got anything of."""
    first, last = (run.state_at(ms).work[BACK] for ms in (from_ms, until_ms))
    return (last.vain_ms - first.vain_ms) / (last.used_ms - first.used_ms)


def begun_for_nobody(run: Run[State]) -> int:
    return sum(work.dead_begun for work in run.last.work)


def all_threads_are_held(run: Run[State]) -> bool:
    """Within two seconds no thread of the chain is free, and nobody is answered."""
    held = run.state_at(SICK_MS + 2_000)
    return (
        all(pool.idle == 0 for pool in held.pools)
        and all(job.body.waits for pool in held.pools[:BACK] for job in pool.busy)
        and run.state_at(SICK_MS).users.settled == run.state_at(SICK_MS).users.done
        and answered(run, SICK_MS + 1_000, WELL_MS) == 0
        and tasks_for_nobody(run.state_at(WELL_MS), BACK) >= 10
        and answered(run, WELL_MS + 3_000, 20_000) >= 150
    )


def false_failures_for_short_waits(run: Run[State]) -> bool:
    """p99 cuts 4 to 7 percent of the healthy requests with five calls, as 1 − 0.99⁵ says.

    While the back hangs an error takes less than a fifth of what a user would wait.
    """
    state, well = run.last, run.last.well
    lost = well.lost / (well.lost + well.done)
    share = share_above(state.latencies, state.timeout_ms)
    return (
        0.005 <= share <= 0.01
        and sum(state.latencies) >= 500
        and well.lost + well.done >= 200
        and 0.04 <= lost <= 0.07
        and abs(lost - cut_requests(0.01, 5)) <= 0.02
        and state.mode != NORMAL
        and state.ill.done == 0
        and state.ill.lost >= 40
        and state.ill.lost_ms / state.ill.lost <= state.params.patience_ms / 5
    )


def work_for_nobody(run: Run[State]) -> bool:
    """From the third second on, the slow back works at full pace, and for nobody."""
    return (
        answered(run, SICK_MS + 3_000, WELL_MS) == 0
        and vain(run, SICK_MS + 3_000, WELL_MS) == 1
        and all(
            state.pools[BACK].idle == 0
            for state in (run.state_at(ms) for ms in range(SICK_MS + 3_000, WELL_MS, 100))
        )
        and begun_for_nobody(run) >= 100
    )


def no_work_for_nobody(run: Run[State]) -> bool:
    """The same back, as slow: no work is begun for nobody, and users are answered all along."""
    return (
        begun_for_nobody(run) == 0
        and answered(run, SICK_MS + 3_000, WELL_MS) >= 80
        and vain(run, SICK_MS + 3_000, WELL_MS) <= 0.4
        and sum(work.refused for work in run.last.work) >= 20
    )


SLOW_SCRIPT = ((SICK_MS, MakeSlow()), (WELL_MS, Repair()))

SCENARIOS = (
    Scenario(
        id="no-timeout",
        title="No timeout: one hangs, all hang",
        claim="When the back hangs and nobody has a timeout, within two seconds every thread of "
        "three servers is held, and no user is answered until the back is repaired.",
        proof=all_threads_are_held,
        watch="Front and middle are healthy. All their threads only wait, most of them for users "
        "who have left.",
        until_ms=20_000,
        show_ms=8_000,
        seed=1,
        params={"policy": "none", "patience_ms": 2_000},
        script=((SICK_MS, Hang()), (WELL_MS, Repair())),
        front=("policy", "patience_ms"),
        breaks=("No thread is held for nobody", "No work is begun for nobody"),
    ),
    Scenario(
        id="p99",
        title="A timeout at p99",
        claim="A timeout at p99 fails 4 to 7 percent of the healthy requests that make five calls; "
        "while the back hangs, users get their error in a fifth of the time or less.",
        proof=false_failures_for_short_waits,
        watch="Move the percentile: further left, the line cuts off more healthy calls; further "
        "right, users and threads wait longer when the back hangs.",
        until_ms=24_000,
        show_ms=22_763,
        seed=6,
        params={
            "policy": "percentile",
            "calls": 5,
            "rate_per_s": 20,
            "back_threads": 16,
            "patience_ms": 2_000,
        },
        script=((20_000, Hang()),),
        front=("percentile", "calls"),
        breaks=("No thread is held for nobody",),
    ),
    Scenario(
        id="dead-work",
        title="Work for nobody",
        claim="When each server has a clock of its own, a slow back is busy all the time, and "
        "after three seconds all that it does is for users who have left.",
        proof=work_for_nobody,
        watch="The back never rests, and no user is answered: it works through a line of requests "
        "whose users have left. Let the callers hand on the time that is left.",
        until_ms=18_000,
        show_ms=10_950,
        seed=1,
        params={"policy": "own"},
        script=SLOW_SCRIPT,
        front=("policy", "patience_ms"),
        breaks=("No thread is held for nobody", "No work is begun for nobody"),
    ),
    Scenario(
        id="deadline-propagation",
        title="The deadline is handed on",
        claim="With the deadline handed on, the same slow back begins no work for nobody, and "
        "answers at least 80 users in the five seconds in which it answered none before.",
        proof=no_work_for_nobody,
        watch="The same users, the same slow back: what cannot be done in time is refused or "
        "dropped, and the threads work for users who are still there.",
        until_ms=18_000,
        show_ms=11_112,
        seed=1,
        params={"policy": "deadline"},
        script=SLOW_SCRIPT,
        front=("policy", "reckon_percentile"),
    ),
)
