"""Timeouts and deadlines along a chain of three servers, under four policies for a call.

`measured` turns latencies into a timeout and says what it costs, free of any simulation; `model` is
the run, `view` its picture, `scenarios` its stories.
"""

from __future__ import annotations

from ...kernel import Action, Invariant, Pattern
from .measured import cut_requests, share_above, timeout_at
from .model import (
    BACK,
    HANGING,
    NORMAL,
    SLOW,
    Burst,
    Hang,
    MakeSlow,
    Params,
    Repair,
    State,
    init,
    update,
    waiting_users,
)
from .questions import QUESTIONS
from .scenarios import SCENARIOS
from .view import alternative, describe, view

__all__ = [
    "PATTERN",
    "Burst",
    "Hang",
    "MakeSlow",
    "Params",
    "Repair",
    "State",
    "cut_requests",
    "share_above",
    "timeout_at",
]


def nothing_dead_is_begun(state: State) -> bool:
    """No job got a thread and began after its caller or its user had gone."""
    return all(work.dead_begun == 0 for work in state.work)


def no_thread_is_held_for_nobody(state: State) -> bool:
    """Somebody waits for every job that has a thread."""
    return all(job.body.gone_ms < 0 for pool in state.pools for job in pool.busy)


def pools_are_bounded(state: State) -> bool:
    """No server has more jobs at work than threads, or more in line than places."""
    return all(pool.bounded for pool in state.pools)


def every_job_is_accounted_for(state: State) -> bool:
    """Users and jobs that came are over, one way or another, or still there."""
    users = state.users
    return users.came == users.settled + waiting_users(state) and all(
        work.offered
        == work.rejected + work.withdrawn + work.ended + len(pool.busy) + len(pool.waiting)
        for work, pool in zip(state.work, state.pools, strict=True)
    )


def goodput_is_within_capacity(state: State) -> bool:
    """The threads' time is not spent twice, and each answer took all its calls of the back."""
    back = state.work[BACK]
    return (
        all(
            work.used_ms <= pool.threads * state.used_until_ms
            for work, pool in zip(state.work, state.pools, strict=True)
        )
        and state.users.done * state.params.calls <= back.ended
    )


PATTERN = Pattern(
    id="timeouts",
    title="Timeouts and deadlines",
    summary="A chain of three servers whose last one hangs or is slow.",
    source="Site Reliability Engineering, 2016, chapter 22, "
    "https://sre.google/sre-book/addressing-cascading-failures/",
    params=Params,
    init=init,
    update=update,
    view=view,
    describe=describe,
    alternative=alternative,
    actions=(
        Action(Hang, "Let the back hang", available=lambda state: state.mode != HANGING),
        Action(MakeSlow, "Make the back slow", available=lambda state: state.mode != SLOW),
        Action(Repair, "Repair the back", available=lambda state: state.mode != NORMAL),
        Action(Burst, "Send a burst"),
    ),
    invariants=(
        Invariant(
            "No thread is held for nobody",
            "Whoever has a thread has a user who waits; where the deadline is not handed on, a "
            "server is not told that its caller has given up.",
            no_thread_is_held_for_nobody,
        ),
        Invariant(
            "No work is begun for nobody",
            "No server begins a job whose user, or caller, has gone (SRE, chapter 22, “Deadline "
            "propagation”); only a deadline that is handed on can promise that.",
            nothing_dead_is_begun,
        ),
        Invariant(
            "Threads and lines are bounded",
            "No more jobs are at work than there are threads, and no more wait than there are "
            "places.",
            pools_are_bounded,
        ),
        Invariant(
            "Nothing is lost",
            "Every user and every job is answered, failed, refused, gone, or still there.",
            every_job_is_accounted_for,
        ),
        Invariant(
            "Goodput is within capacity",
            "Threads are lent for at most threads × time, and each answer took all its calls.",
            goodput_is_within_capacity,
        ),
    ),
    scenarios=SCENARIOS,
    questions=QUESTIONS,
    # At a fifth of the pace one can follow single requests, and see the lines grow in seconds.
    playback_rate=0.2,
)
