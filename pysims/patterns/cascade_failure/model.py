"""Five services in a row, of which the last falls ill: how a failure climbs up, and what stops it.

Users call A, A calls B, and so on down to E; a part of the requests needs all five services, the
others end on the way. Each service has so many threads and a queue. A thread is held while its
service waits for the next one: when E slows down, D's threads all wait, so D slows down, and so on
up to A, although nothing in A is broken. By Little's law, 100 calls a second that take 50 ms hold 5
threads; at 2 s they hold 200, at 30 s 3,000.

`chain` is the chain as a value, `turn` what an event does in it, `params` what can be set. While
retries are on, a *twin* runs beside the chain: the same users and the same E, the same guards, but
no retries, so that the difference between the two is what the retries did.

Sources: Beyer et al. (eds.), Site Reliability Engineering, 2016, chapter 22, "Addressing Cascading
Failures", https://sre.google/sre-book/addressing-cascading-failures/; Nygard, Release It!, 2007,
"Stability Patterns"; Bronson, Aghayev, Charapko and Zhu, "Metastable Failures in Distributed
Systems", HotOS 2021, https://doi.org/10.1145/3458336.3465286 (a trigger, a loop that sustains the
failure after it is gone, load shedding as the way out); Huang et al., "Metastable Failures in the
Wild", OSDI 2022, https://www.usenix.org/conference/osdi22/presentation/huang-lexiang.

Simplified: every service has one instance, and a retry does the whole work again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from ...kernel import Context, Number, OneOf, arrivals, knob, replace
from .chain import FRONT, LAST, USERS, Chain, Counts, chain_of
from .params import Params
from .turn import HANGING, NORMAL, SLOW, Again, Overdue, Surroundings, Turn, Worked

CONDITIONS = (NORMAL, SLOW, HANGING)
MARKS_KEPT = 8


@dataclass(frozen=True, slots=True)
class Arrive:
    """A user asks for something, in the chain and in its twin."""


@dataclass(frozen=True, slots=True)
class TurnE:
    """E becomes normal, slow or hanging."""

    condition: str = knob(
        OneOf("E becomes", lambda state: [c for c in CONDITIONS if c != state.around.condition]),
        SLOW,
    )


@dataclass(frozen=True, slots=True)
class ShedLoad:
    """A turns away a share of all that comes to its door, for some time."""

    seconds: int = knob(Number("seconds", 1, 10), 3)
    percent: int = knob(Number("percent", 10, 100, 10), 100)


ReaderEvent: TypeAlias = TurnE | ShedLoad
Event: TypeAlias = Arrive | Worked | Again | Overdue | ReaderEvent


@dataclass(frozen=True, slots=True)
class Tallies:
    """What a chain had counted when E fell ill.

    Users' requests that need E, users with an answer and without one, and, for each place, the
    calls that reached it.
    """

    deep: int = 0
    answered: int = 0
    failed: int = 0
    received: Counts = (0,) * (LAST + 1)


@dataclass(frozen=True, slots=True)
class State:
    """The chain, its twin without retries (`None` while there are none), and what they share.

    `since` and `twin_since` are their tallies when E last fell ill. `marks` are the reader's doings
    as `(time_ms, what)`, the newest last.
    """

    params: Params
    chain: Chain
    twin: Chain | None
    around: Surroundings
    since: Tallies
    twin_since: Tallies
    marks: tuple[tuple[int, str], ...] = ()
    now_ms: int = 0


def init(params: Params, ctx: Context) -> State:
    """An idle chain; the first user is on his way."""
    ctx.after(arrivals(params.rate_per_s).draw(ctx), Arrive())
    twin = chain_of(params) if params.retries != "none" else None
    return State(params, chain_of(params), twin, Surroundings(), Tallies(), Tallies())


def update(state: State, event: Event, ctx: Context) -> State:
    """The state after an event; `ValueError` for one that is not known or not allowed."""
    match event:
        case Arrive():
            return _arrive(state, ctx)
        case Worked() | Again() | Overdue():
            turn = _turn(state, ctx, event.twin)
            return _with(state, turn) if turn.happens(event) else state
        case TurnE(condition):
            return _turn_e(state, condition, ctx)
        case ShedLoad(seconds, percent):
            around = replace(
                state.around, shed_percent=percent, shed_until_ms=ctx.now_ms + 1_000 * seconds
            )
            return replace(_marked(state, ctx, "shed"), around=around)
    raise ValueError(f"cascade_failure has no event {event!r}")


def tallies(chain: Chain) -> Tallies:
    """What a chain has counted so far."""
    return Tallies(chain.deep, chain.answered[USERS], chain.failed[USERS], chain.received)


def _turn(state: State, ctx: Context, twin: bool) -> Turn:
    chain = state.twin if twin else state.chain
    if chain is None:
        raise ValueError("a twin must run for an event of the twin")
    return Turn(chain, state.params, state.around, ctx, twin)


def _with(state: State, turn: Turn) -> State:
    chain = turn.result()
    if turn.twin:
        return replace(state, twin=chain, now_ms=turn.now_ms)
    return replace(state, chain=chain, now_ms=turn.now_ms)


def _arrive(state: State, ctx: Context) -> State:
    """A user asks for something; the next one is on his way."""
    params = state.params
    ctx.after(arrivals(params.rate_per_s).draw(ctx), Arrive())
    deep = ctx.random() * 100 < params.deep_percent
    depth = LAST if deep else ctx.integer(FRONT, LAST - 1)
    for twin in (False, True)[: 2 if state.twin else 1]:
        turn = _turn(state, ctx, twin)
        turn.ask(depth)
        state = _with(state, turn)
    return state


def _turn_e(state: State, condition: str, ctx: Context) -> State:
    """E's condition changes, in the chain and in its twin; what it works on goes on at the pace."""
    old = state.around
    if condition not in CONDITIONS or condition == old.condition:
        others = ", ".join(c for c in CONDITIONS if c != old.condition)
        raise ValueError(f"condition must be one of {others}, got {condition!r}")
    around = replace(old, condition=condition, epoch=old.epoch + 1)
    state = _marked(state, ctx, condition)
    if condition == NORMAL:
        around = replace(around, healed_ms=ctx.now_ms)
    elif old.condition == NORMAL:
        around = replace(around, ill_ms=ctx.now_ms, healed_ms=-1)
        state = _outbreak(state)
    state = replace(state, around=around)
    for twin in (False, True)[: 2 if state.twin else 1]:
        turn = _turn(state, ctx, twin)
        turn.change_pace()
        state = _with(state, turn)
    return state


def _outbreak(state: State) -> State:
    """E falls ill: from now on it is counted what that does."""
    chain, twin = replace(state.chain, back_ms=-1, fell_ms=-1), state.twin
    state = replace(state, chain=chain, since=tallies(chain))
    if twin is None:
        return state
    twin = replace(twin, back_ms=-1, fell_ms=-1)
    return replace(state, twin=twin, twin_since=tallies(twin))


def _marked(state: State, ctx: Context, what: str) -> State:
    marks = (*state.marks, (ctx.now_ms, what))[-MARKS_KEPT:]
    return replace(state, marks=marks, now_ms=ctx.now_ms)
