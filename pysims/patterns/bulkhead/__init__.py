"""Bulkheads: one pool of threads for two dependencies, or a pool each.

`erlang` is the theory of pools, free of any simulation; `model` is the run, `view` its picture,
`scenarios` its stories.
"""

from __future__ import annotations

from ...kernel import Action, Invariant, Pattern
from .erlang import Shares, shares_of, together
from .model import (
    NORMAL,
    Hang,
    MakeSlow,
    Params,
    Repair,
    State,
    init,
    not_in,
    present,
    update,
)
from .questions import QUESTIONS
from .scenarios import SCENARIOS
from .view import alternative, describe, view

__all__ = [
    "PATTERN",
    "Hang",
    "MakeSlow",
    "Params",
    "Repair",
    "Shares",
    "State",
    "shares_of",
    "together",
]


def failures_stay(state: State) -> bool:
    """No request for a healthy dependency failed while the sick one held threads of its pool."""
    return state.spilled == 0


def threads_are_their_own(state: State) -> bool:
    """No thread, and no place in line, of one dependency is held by the other."""
    return all(
        job.body.dependency == index for index, pool in enumerate(state.pools) for job in pool.jobs
    )


def promises_walls(state: State) -> bool:
    return state.params.pools == "separate"


def pools_are_bounded(state: State) -> bool:
    """No pool has more requests at work than threads, or more in line than places."""
    return all(pool.bounded for pool in state.pools)


def work_fits(state: State) -> bool:
    """The time that threads were lent is within what they had: goodput is within capacity."""
    return all(
        used <= pool.threads * state.used_until_ms
        for used, pool in zip(state.used_ms, state.pools, strict=True)
    )


def every_request_is_accounted_for(state: State) -> bool:
    """What came was answered, has failed, was turned away, or is still inside."""
    return all(
        tally.arrived == tally.settled + present(state, dependency)
        for dependency, tally in enumerate(state.tallies)
    )


PATTERN = Pattern(
    id="bulkhead",
    title="Bulkheads",
    summary="Two dependencies behind one pool of threads, or behind a pool each.",
    source="Nygard, Release It!, 2007; "
    "https://learn.microsoft.com/azure/architecture/patterns/bulkhead",
    params=Params,
    init=init,
    update=update,
    view=view,
    describe=describe,
    alternative=alternative,
    actions=(
        Action(Hang, "Let hang"),
        Action(MakeSlow, "Make slow"),
        Action(Repair, "Repair", available=lambda state: bool(not_in(NORMAL, state))),
    ),
    invariants=(
        Invariant(
            "A failure stays in its compartment",
            "No request for a healthy dependency fails while the sick one holds threads of the "
            "same pool.",
            failures_stay,
        ),
        Invariant(
            "Threads are never lent across",
            "A thread of payments is never held by recommendations, nor the other way round; only "
            "a pool each can promise that.",
            threads_are_their_own,
            promises_walls,
        ),
        Invariant(
            "Pools are bounded",
            "No more requests are at work than there are threads, and no more wait than there are "
            "places.",
            pools_are_bounded,
        ),
        Invariant(
            "Work fits the threads",
            "Answers cannot outrun capacity: the time lent to requests is at most threads × time.",
            work_fits,
        ),
        Invariant(
            "Nothing is lost",
            "Every request was answered, turned away, given up, or is still inside.",
            every_request_is_accounted_for,
        ),
    ),
    scenarios=SCENARIOS,
    questions=QUESTIONS,
    # Some ninety requests a second are too many to follow; at a fifth of the pace one sees the
    # threads go, and the story takes a minute and a half.
    playback_rate=0.2,
)
