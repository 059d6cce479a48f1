"""Retries: what a thousand clients do to a server that comes back, and three tiers to their last.

It shows: clients that lose a server at once and wait equally long come back at once, each time.
Jitter spreads them. And it shows why even spaced retries are dangerous in a chain: the attempts of
all callers multiply, unless a budget allows only so many retries per call.

Sources: Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015,
https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/ (the strategies); Brooker,
"Timeouts, retries, and backoff with jitter", Amazon Builders' Library, 2019,
https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/ (chains).

`herd` are the many clients of one server, `tiers` the chain; a run has one of the two. `settings`
says what the reader sets, `server` what both call, and `comparison` runs every strategy.

Simplified: see there; each of the modules marks what it leaves out.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...kernel import Context, Number, job_of, knob, replace
from . import herd as many
from . import tiers as chain
from .comparison import Row, compared
from .herd import Due, Herd
from .server import Finish
from .settings import Params
from .tiers import Answer, Arrive, Call, Tiers


@dataclass(frozen=True, slots=True)
class State:
    """`world` is a herd or a chain of tiers, by `params.topology`; `now_ms` its last change.

    `comparison` is empty until the reader asks for it.
    """

    params: Params
    world: Herd | Tiers
    now_ms: int = 0
    comparison: tuple[Row, ...] = ()


@dataclass(frozen=True, slots=True)
class ComeBack:
    """The outage that the run began with is over, unless the reader has ended it before."""


@dataclass(frozen=True, slots=True)
class TakeDown:
    """The server goes down, and stays down until it is brought up."""


@dataclass(frozen=True, slots=True)
class BringUp:
    """The server comes up."""


@dataclass(frozen=True, slots=True)
class Join:
    """New clients come, and all call at this moment."""

    count: int = knob(Number("New clients", 10, 1_000, step=10), 200)


@dataclass(frozen=True, slots=True)
class Send:
    """The reader sends one request through the tiers."""


@dataclass(frozen=True, slots=True)
class Compare:
    """The same failure is run with every strategy."""


ByReader = TakeDown | BringUp | Join | Send | Compare
Event = ComeBack | Due | Finish | Arrive | Call | Answer | ByReader


def init(params: Params, ctx: Context) -> State:
    """Down, and everybody who was connected has just noticed; or a chain at rest."""
    if params.outage_ms:
        ctx.after(params.outage_ms, ComeBack())
    if params.topology == "clients":
        return State(params, many.herd_of(params, ctx))
    return State(params, chain.tiers_of(params, ctx))


def update(state: State, event: Event, ctx: Context) -> State:
    """The state after an event; an alarm of something that is over leaves it as it is."""
    world = state.world
    match event:
        case ComeBack() if world.server.back_ms != ctx.now_ms:
            # The deadline is the server's own: the reader has brought it up, or down, since.
            return state
        case BringUp() if world.server.up:
            return state
        case TakeDown() if not world.server.up:
            return state
        case Compare():
            rows = compared(state.params, ctx.integer(0, 2**32 - 1), init, update)
            return replace(state, comparison=rows)
    if isinstance(world, Herd):
        after: Herd | Tiers = _in_herd(world, state.params, event, ctx)
    else:
        after = _in_tiers(world, state.params, event, ctx)
    return state if after is world else replace(state, world=after, now_ms=ctx.now_ms)


def _in_herd(herd: Herd, params: Params, event: Event, ctx: Context) -> Herd:
    match event:
        case ComeBack() | BringUp():
            return many.come_back(herd, ctx.now_ms)
        case TakeDown():
            return many.fail(herd, params, ctx)
        case Due():
            return many.call(herd, params, event, ctx)
        case Finish(number):
            # The server may have gone down since, and its calls with it.
            job = job_of(herd.server.pool, number)
            return many.served(herd, params, job, ctx) if job else herd
        case Join(count):
            return many.join(herd, params, count, ctx)
        case Send():
            raise ValueError("a request can be sent through the three tiers only")
    raise ValueError(f"retry_backoff has no event {event!r}")


def _in_tiers(tiers: Tiers, params: Params, event: Event, ctx: Context) -> Tiers:
    match event:
        case ComeBack() | BringUp():
            return chain.come_back(tiers, ctx.now_ms)
        case TakeDown():
            return chain.fail(tiers, params, ctx)
        case Arrive():
            return chain.arrive(tiers, params, ctx)
        case Call():
            return chain.reach(tiers, params, event, ctx)
        case Answer():
            return chain.hear(tiers, params, event, ctx)
        case Finish(number):
            job = job_of(tiers.server.pool, number)
            return chain.served(tiers, params, job, ctx) if job else tiers
        case Send():
            return chain.begin(tiers, params, ctx)
        case Join():
            raise ValueError("new clients can come to the one server only, not to the three tiers")
    raise ValueError(f"retry_backoff has no event {event!r}")
