"""A request goes from the client through A and B to C, and each of the three callers retries.

The client calls A, A calls B, B calls C. When C fails, B tries again; when B has used up its
attempts it fails in turn, and A tries B again, which calls C afresh. With k attempts at each of d
callers, one request can make k ** d calls at the last tier: 3 ** 3 = 27.

A retry budget, if there is one, belongs to a caller and is shared by all requests that it handles.

Sources: Brooker, "Timeouts, retries, and backoff with jitter", Amazon Builders' Library, 2019,
https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/ (five layers of
three attempts make 243); Beyer et al., Site Reliability Engineering, 2016, chapter 22,
"Retries" (budgets, and retrying at one layer only), https://sre.google/sre-book/addressing-cascading-failures/.

Simplified: A and B themselves take no time and never fail; nobody times out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from ...guards.retry_budget import RetryBudget
from ...kernel import Context, Job, Series, arrivals, replace
from .server import Server, admit, come_up, finish, go_down, refuse, room, server_of
from .settings import Params, wait_of

Item = TypeVar("Item")

CALLERS = ("client", "A", "B")
TIERS = ("A", "B", "C")
LAST = len(TIERS) - 1
BIN_MS = 250
NO_CALLS = Series(BIN_MS)
KEPT = 4
"""How many requests stay in the state after they have ended."""


@dataclass(frozen=True, slots=True)
class Arrive:
    """The next request of the steady stream comes to the client."""


@dataclass(frozen=True, slots=True)
class Call:
    """A caller's call reaches the tier below it; `caller` is its number, 0 for the client."""

    request: int
    caller: int


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to its call reaches a caller."""

    request: int
    caller: int
    good: bool


@dataclass(frozen=True, slots=True)
class Leg:
    """What one caller has done for one request.

    `attempts` counts its calls for the job it is at (0: it has none), `calls` all that it has made
    for this request; `waited_ms` is its last wait.
    """

    attempts: int = 0
    calls: int = 0
    waited_ms: int = 0


@dataclass(frozen=True, slots=True)
class Request:
    """A request on its way; `ended_ms` and `good` say how it ended (-1: it has not).

    `path` holds the number of the attempt at each caller for each call at C that failed, in order:
    (1, 2, 3) is the third try of B, for the second try of A, for the first of the client. `denied`
    says that a budget kept one of its callers from trying again.
    """

    id: int
    started_ms: int
    legs: tuple[Leg, ...]
    path: tuple[tuple[int, ...], ...] = ()
    denied: bool = False
    ended_ms: int = -1
    good: bool = False


@dataclass(frozen=True, slots=True)
class Tally:
    """What the requests that began at or after `from_ms`, and have ended, made their callers do."""

    from_ms: int
    ended: int = 0
    good: int = 0
    calls: tuple[int, ...] = (0, 0, 0)
    most: int = 0


NOTHING_YET = Tally(0)


@dataclass(frozen=True, slots=True)
class Tiers:
    """The chain, its requests, and what was counted.

    `first` and `retried` count each caller's first calls and retries, since the start. `reached`
    are the calls at A, B and C over time, `asked` the requests. `denied` counts the retries that a
    budget refused. `waits_ms` are the shortest and longest wait so far.
    """

    server: Server
    budgets: tuple[RetryBudget, ...]
    requests: tuple[Request, ...] = ()
    next_request: int = 0
    first: tuple[int, ...] = (0, 0, 0)
    retried: tuple[int, ...] = (0, 0, 0)
    denied: int = 0
    refused: int = 0
    waits_ms: tuple[int, int] | None = None
    tally: Tally = NOTHING_YET
    reached: tuple[Series, ...] = (NO_CALLS, NO_CALLS, NO_CALLS)
    asked: Series = NO_CALLS


def tiers_of(params: Params, ctx: Context) -> Tiers:
    """The chain at rest; the first request comes after a random time."""
    budget = RetryBudget(params.budget_ratio, params.budget_capacity)
    ctx.after(arrivals(params.rate_per_s).draw(ctx), Arrive())
    return Tiers(server_of(params), (budget,) * len(CALLERS))


def on_the_way(tiers: Tiers) -> tuple[Request, ...]:
    return tuple(request for request in tiers.requests if request.ended_ms < 0)


def calls_at_c(request: Request) -> int:
    return request.legs[LAST].calls


def arrive(tiers: Tiers, params: Params, ctx: Context) -> Tiers:
    """A request of the stream; the next one comes after a random time."""
    ctx.after(arrivals(params.rate_per_s).draw(ctx), Arrive())
    return begin(tiers, params, ctx)


def begin(tiers: Tiers, params: Params, ctx: Context) -> Tiers:
    """A request comes to the client, which calls A."""
    request = Request(tiers.next_request, ctx.now_ms, (Leg(),) * len(CALLERS))
    tiers = replace(
        tiers,
        requests=(*tiers.requests, request),
        next_request=tiers.next_request + 1,
        asked=tiers.asked.add(ctx.now_ms),
    )
    return _first_call(tiers, params, request, 0, ctx)


def reach(tiers: Tiers, params: Params, call: Call, ctx: Context) -> Tiers:
    """A call reaches its tier: A and B call on, C works on it or refuses it."""
    request = request_of(tiers, call.request)
    tiers = replace(
        tiers, reached=_at(tiers.reached, call.caller, lambda each: each.add(ctx.now_ms))
    )
    if call.caller < LAST:
        return _first_call(tiers, params, request, call.caller + 1, ctx)
    if room(tiers.server):
        return replace(tiers, server=admit(tiers.server, params, request.id, ctx))
    ctx.after(params.round_trip_ms // 2, Answer(request.id, LAST, good=False))
    server = refuse(tiers.server, params, 1, ctx.now_ms)
    return replace(tiers, server=server, refused=tiers.refused + 1)


def served(tiers: Tiers, params: Params, job: Job, ctx: Context) -> Tiers:
    """C has worked on a call; it fails all the same for `errors` percent of them."""
    good = ctx.random() * 100 >= params.errors
    ctx.after(params.round_trip_ms // 2, Answer(job.body, LAST, good))
    return replace(tiers, server=finish(tiers.server, params, job, ctx))


def hear(tiers: Tiers, params: Params, answer: Answer, ctx: Context) -> Tiers:
    """A caller hears: good news goes up the chain, and bad news only when it gives up."""
    request = request_of(tiers, answer.request)
    if answer.good:
        return _pass_on(tiers, params, request, answer.caller, good=True, ctx=ctx)
    leg = request.legs[answer.caller]
    if answer.caller == LAST:
        path = tuple(each.attempts for each in request.legs)
        request = replace(request, path=(*request.path, path))
    if leg.attempts < params.attempts:
        budget, allowed = tiers.budgets[answer.caller], True
        if params.budget:
            budget, allowed = budget.withdraw()
        if allowed:
            budgets = _at(tiers.budgets, answer.caller, lambda _: budget)
            return _retry(replace(tiers, budgets=budgets), params, request, answer.caller, ctx)
        request = replace(request, denied=True)
        tiers = replace(tiers, denied=tiers.denied + 1)
    return _pass_on(tiers, params, request, answer.caller, good=False, ctx=ctx)


def come_back(tiers: Tiers, now_ms: int) -> Tiers:
    """C is up again, and what is measured is measured anew."""
    return replace(tiers, server=come_up(tiers.server, now_ms), tally=Tally(now_ms))


def fail(tiers: Tiers, params: Params, ctx: Context) -> Tiers:
    """C goes down; the calls that it held fail."""
    server, jobs = go_down(tiers.server, ctx.now_ms)
    for job in jobs:
        ctx.after(params.round_trip_ms // 2, Answer(job.body, LAST, good=False))
    return replace(tiers, server=server, tally=Tally(ctx.now_ms))


def request_of(tiers: Tiers, request_id: int) -> Request:
    """The request of this number; it must be on its way."""
    return next(each for each in tiers.requests if each.id == request_id)


def _first_call(tiers: Tiers, params: Params, request: Request, caller: int, ctx: Context) -> Tiers:
    """A caller makes its first call for a job, which pays into its budget."""
    leg = replace(
        request.legs[caller], attempts=1, calls=request.legs[caller].calls + 1, waited_ms=0
    )
    ctx.after(params.round_trip_ms // 2, Call(request.id, caller))
    tiers = replace(
        tiers,
        first=_at(tiers.first, caller, lambda number: number + 1),
        budgets=_at(tiers.budgets, caller, lambda budget: budget.deposit()),
    )
    return _put(tiers, replace(request, legs=_at(request.legs, caller, lambda _: leg)))


def _retry(tiers: Tiers, params: Params, request: Request, caller: int, ctx: Context) -> Tiers:
    """A caller waits and calls again."""
    leg = request.legs[caller]
    wait_ms = wait_of(params, leg.attempts, leg.waited_ms, ctx)
    leg = replace(leg, attempts=leg.attempts + 1, calls=leg.calls + 1, waited_ms=wait_ms)
    ctx.after(wait_ms + params.round_trip_ms // 2, Call(request.id, caller))
    waits = (*(tiers.waits_ms or ()), wait_ms)
    tiers = replace(
        tiers,
        retried=_at(tiers.retried, caller, lambda number: number + 1),
        waits_ms=(min(waits), max(waits)),
    )
    # Those below have no job until the call reaches them.
    below = tuple(replace(each, attempts=0) for each in request.legs[caller + 1 :])
    return _put(tiers, replace(request, legs=(*request.legs[:caller], leg, *below)))


def _pass_on(
    tiers: Tiers, params: Params, request: Request, caller: int, good: bool, ctx: Context
) -> Tiers:
    """A caller answers whoever called it; the client's answer is the end of the request."""
    if caller:
        ctx.after(params.round_trip_ms // 2, Answer(request.id, caller - 1, good))
        return _put(tiers, request)
    tiers = _put(tiers, replace(request, ended_ms=ctx.now_ms, good=good))
    tally = tiers.tally
    if request.started_ms < tally.from_ms:
        return tiers
    calls = tuple(total + leg.calls for total, leg in zip(tally.calls, request.legs, strict=True))
    most = max(tally.most, calls_at_c(request))
    tally = replace(tally, ended=tally.ended + 1, good=tally.good + good, calls=calls, most=most)
    return replace(tiers, tally=tally)


def _put(tiers: Tiers, request: Request) -> Tiers:
    """The chain with a request as it is now; of those that have ended, the newest `KEPT` stay."""
    if request.ended_ms < 0:
        kept = tuple(request if each.id == request.id else each for each in tiers.requests)
        return replace(tiers, requests=kept)
    going = [each for each in on_the_way(tiers) if each.id != request.id]
    ended = [*(each for each in tiers.requests if each.ended_ms >= 0), request]
    return replace(tiers, requests=(*ended[-KEPT:], *going))


def _at(items: tuple[Item, ...], index: int, changed: Callable[[Item], Item]) -> tuple[Item, ...]:
    """The items, with one of them changed."""
    return (*items[:index], changed(items[index]), *items[index + 1 :])
