"""Rate limiting on many servers: where the count is kept, and what that costs.

`counters` and `tally` are free of any simulation; `state` is what a run holds, `model` the run,
`view` its picture (in the words of `words`), `scenarios` its stories.
"""

from __future__ import annotations

from ...kernel import Action, Invariant, Pattern
from .model import init, update
from .questions import QUESTIONS
from .scenarios import SCENARIOS
from .state import (
    ASKING,
    LOCAL,
    SHARED,
    SPLIT,
    SYNC,
    CrashServer,
    CrashStore,
    CutServer,
    Params,
    Reconnect,
    Request,
    RestartServer,
    RestartStore,
    SendBurst,
    SendOne,
    State,
    chosen,
    cut_names,
    down_names,
    linked_names,
    store_is_up,
    tally_of,
    up_names,
)
from .view import alternative, describe, view

__all__ = [
    "PATTERN",
    "CrashServer",
    "CrashStore",
    "CutServer",
    "Params",
    "Reconnect",
    "RestartServer",
    "RestartStore",
    "SendBurst",
    "SendOne",
    "State",
]


def never_above_the_limit(state: State) -> bool:
    """In no window more than the limit was let through."""
    return tally_of(state).worst <= state.params.limit


def promises_the_limit(state: State) -> bool:
    """Whom this light is for.

    A limiter promises its limit, also one that is built wrong. Not so the one that syncs now and
    then; one that fails open, from the first silence of the store on; one whose store forgets in
    a crash; and a split quota after a server has forgotten its part.
    """
    params, way = state.params, chosen(state)
    if way == SYNC:
        return False
    if way == SPLIT:
        return state.mishaps.crashes == 0
    if way in ASKING:
        return params.durable and not (params.fail_open and state.mishaps.timeouts)
    return True


def at_most_the_limit_on_each_server(state: State) -> bool:
    """In no window more was let through than the limit times the number of servers."""
    return tally_of(state).worst <= state.params.limit * state.params.servers


def promises_as_many_limits_as_servers(state: State) -> bool:
    """Whoever counts on the servers has this bound at least, while no server forgets."""
    return chosen(state) in (LOCAL, SPLIT, SYNC) and state.mishaps.crashes == 0


def every_request_is_accounted_for(state: State) -> bool:
    """Each is on its way to a server, waits for the store, was decided, or was lost in a crash."""
    tally, mishaps = tally_of(state), state.mishaps
    under_way = sum(isinstance(message.body, Request) for message in state.front.in_flight)
    known = under_way + mishaps.unserved + tally.admitted_total + tally.refused_total
    if chosen(state) in ASKING:
        known += len(state.waiting) + mishaps.unanswered
    return known == state.sent.number


def windows_start_from_zero(state: State) -> bool:
    """No request met a count that an older window had left behind."""
    return state.store.carried == 0


def counts_with_an_end(state: State) -> bool:
    return chosen(state) == SHARED


PATTERN = Pattern(
    id="distributed_rate_limiter",
    title="Rate limiting on many servers",
    summary="Ten API servers, one client, one limit: where the count is kept, and what it costs.",
    source="Redis documentation, INCR, https://redis.io/docs/latest/commands/incr/",
    params=Params,
    init=init,
    update=update,
    view=view,
    describe=describe,
    alternative=alternative,
    actions=(
        Action(SendOne, "Send one request"),
        Action(SendBurst, "Send a burst"),
        Action(CrashStore, "Crash the store", available=store_is_up),
        Action(RestartStore, "Restart the store", available=lambda state: not store_is_up(state)),
        Action(CrashServer, "Crash", available=lambda state: bool(up_names(state))),
        Action(RestartServer, "Restart", available=lambda state: bool(down_names(state))),
        Action(CutServer, "Cut from the store", available=lambda state: bool(linked_names(state))),
        Action(Reconnect, "Reconnect to the store", available=lambda state: bool(cut_names(state))),
    ),
    invariants=(
        Invariant(
            "Never above the limit",
            "In no window more than the limit is let through. The atomic counter keeps this, as "
            "long as the store answers or servers fail closed; counters on every server, and "
            "get-then-set, do not.",
            never_above_the_limit,
            promises_the_limit,
        ),
        Invariant(
            "At most the limit on each server",
            "Servers that count alone let through no more than the limit each: with ten servers, "
            "ten times the limit.",
            at_most_the_limit_on_each_server,
            promises_as_many_limits_as_servers,
        ),
        Invariant(
            "Every request is accounted for",
            "Each one is on its way, waits for the store, was let through or refused, or was lost "
            "in a crash.",
            every_request_is_accounted_for,
        ),
        Invariant(
            "A window starts from zero",
            "INCR and EXPIRE in one step: no counter is left without an end (Redis documentation, "
            "INCR).",
            windows_start_from_zero,
            counts_with_an_end,
        ),
    ),
    scenarios=SCENARIOS,
    questions=QUESTIONS,
    # The client's message is on its way for a bit more than a second, one to the store for half a
    # second; a slower clock would stand still between two whole milliseconds.
    playback_rate=0.02,
    frame_ms=50,
)
