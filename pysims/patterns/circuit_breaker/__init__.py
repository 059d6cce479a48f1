"""Circuit breakers: refuse calls to what keeps failing, and probe whether it is back.

`pysims.guards.circuit_breaker` is the library (two breakers and their table of transitions), free
of any simulation; `model` is the run, `view` its picture, `words` its sentences, `scenarios` its
stories.
"""

from __future__ import annotations

from ...guards.circuit_breaker import (
    HALF_OPEN,
    HYSTRIX,
    TRANSITIONS,
    CircuitBreaker,
    RollingWindowBreaker,
)
from ...kernel import Action, Invariant, Pattern
from .model import (
    Break,
    CallOnce,
    Params,
    Repair,
    SetErrors,
    SetLatency,
    State,
    init,
    update,
)
from .questions import QUESTIONS
from .scenarios import SCENARIOS
from .view import view
from .words import alternative, describe

__all__ = [
    "HYSTRIX",
    "PATTERN",
    "TRANSITIONS",
    "Break",
    "CallOnce",
    "CircuitBreaker",
    "Params",
    "Repair",
    "RollingWindowBreaker",
    "SetErrors",
    "SetLatency",
    "State",
]


def open_means_open(state: State) -> bool:
    """No call was made while the breaker was open."""
    return state.passed_open == 0


def probes_are_counted(state: State) -> bool:
    """Half-open, no more calls are on trial than must succeed.

    Counted are the calls themselves, not what the breaker noted down. One that is silent for a
    whole reset timeout is given up as a probe, whatever the website's own timeout is.
    """
    breaker = state.breaker
    if breaker is None or breaker.state != HALF_OPEN:
        return True
    since_ms = max(breaker.since_ms, breaker.clock_ms - breaker.reset_timeout_ms + 1)
    on_trial = sum(job.started_ms >= since_ms for job in state.website.busy)
    return on_trial + breaker.successes <= breaker.success_threshold


def threads_are_bounded(state: State) -> bool:
    """No pool runs more calls than it has threads, and no queue is longer than its limit."""
    website, service = state.website, state.service.pool
    return website.idle >= 0 and service.idle >= 0 and len(website.waiting) <= website.queue_limit


def users_add_up(state: State) -> bool:
    """Every user who came has left with something, holds a thread, or waits for one."""
    tally, website = state.tally, state.website
    left = tally.live + tally.fallback + tally.error
    return tally.users == left + len(website.busy) + len(website.waiting)


def nobody_is_turned_away(state: State) -> bool:
    """The website always had a thread, or a place to wait for one."""
    return state.tally.turned_away == 0


def has_a_breaker(state: State) -> bool:
    return state.breaker is not None


PATTERN = Pattern(
    id="circuit_breaker",
    title="Circuit breaker",
    summary="A website, a service that fails, and the switch between them.",
    source="Nygard, Release It!, 2007; Fowler, https://martinfowler.com/bliki/CircuitBreaker.html",
    params=Params,
    init=init,
    update=update,
    view=view,
    describe=describe,
    alternative=alternative,
    actions=(
        Action(SetLatency, "Make the service"),
        Action(Break, "Break the service", available=lambda state: not state.service.down),
        Action(Repair, "Repair the service"),
        Action(CallOnce, "Call once"),
        Action(SetErrors, "Set", available=lambda state: not state.service.down),
    ),
    invariants=(
        Invariant(
            "Open lets nobody through",
            "While the breaker is open, no call reaches the service (Nygard, 2007).",
            open_means_open,
            has_a_breaker,
        ),
        Invariant(
            "Half-open lets only probes through",
            "Half-open, the calls on trial and those that succeeded are never more than it takes.",
            probes_are_counted,
            has_a_breaker,
        ),
        Invariant(
            "Threads are limited",
            "Neither pool runs more calls than it has threads, and the queue keeps its limit.",
            threads_are_bounded,
        ),
        Invariant(
            "Every user is accounted for",
            "Whoever came has left with an answer, a fallback or an error, or is still here.",
            users_add_up,
        ),
        Invariant(
            "Nobody is turned away",
            "There was always a thread for a user, or a place to wait for one.",
            nobody_is_turned_away,
        ),
    ),
    scenarios=SCENARIOS,
    questions=QUESTIONS,
)
