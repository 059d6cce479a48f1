"""A website that asks another service, with a circuit breaker between them, or with none.

It shows: when the service hangs, each call holds one of the website's threads until it times out;
soon all threads wait, then the users, and then users are turned away, although the website itself
has no fault. A breaker notices that the calls fail and refuses the next ones at once: no thread is
held, the users have their fallback in 0 ms, and the service has peace to come back. Now and then it
lets a probe through, and closes when the probes succeed.

Sources: Nygard, Release It!, 2007 (2nd edition 2018), "Circuit Breaker", "Timeouts" and "Blocked
Threads"; Fowler, "CircuitBreaker", 2014, https://martinfowler.com/bliki/CircuitBreaker.html;
Hystrix's wiki, https://github.com/Netflix/Hystrix/wiki, for the rolling window and its defaults.
The website's fallback is Netflix's own example: "5 Lessons We've Learned Using AWS", Netflix
Technology Blog, 2010 (popular titles when the personal recommendations do not answer).

How a call goes. A user comes and gets a thread of the website, a place to wait for one, or is
turned away. The thread asks the breaker. If it may call, it holds on until the service answers or
the timeout is over, and tells the breaker how that went. Refused, failed or late, the user gets the
fallback, or an error. A user who is turned away gets an error in any case: the website itself is
not there for them.

How the service fails. It answers a share of the calls with an error; it is slow; it hangs, which
means that a call gets a thread and no answer; or it is down, and refuses every call at once. The
service does not learn that a caller has given up: a call that has its thread goes on for nobody,
one that still waits is taken out of the queue. When the service stops hanging, the calls that hung
are served.

When a user comes, and how long the call takes and how it ends, is drawn from the user's number. So
the same users come with the same calls whatever breaker there is, and runs can be compared.

Both ways of counting failures look at every call, also the one that is not chosen (`Watch`): so the
reader sees in the same run what the other breaker would have noticed.

Simplified: the network takes no time, the website does no work of its own, and users wait for ever.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...guards.circuit_breaker import (
    CLOSED,
    HALF_OPEN,
    OPEN,
    START,
    STATES,
    TRANSITIONS,
    Breaker,
    CircuitBreaker,
    RollingWindowBreaker,
    Row,
)
from ...kernel import (
    REJECTED,
    STARTED,
    Choice,
    Context,
    Draws,
    Exponential,
    Job,
    Number,
    OneOf,
    Pool,
    Switch,
    arrivals,
    job_of,
    knob,
    offer,
    pool_of,
    release,
    replace,
    withdraw,
)
from .measure import ERROR, FALLBACK, FAULT, LIVE, NOBODY, OK, REFUSED, TIMEOUT, TURNED_AWAY, Tally

# What the view draws comes from here: the table, and the names of its states.
__all__ = [
    "CLOSED",
    "HALF_OPEN",
    "OPEN",
    "STATES",
    "TRANSITIONS",
    "Breaker",
    "CircuitBreaker",
    "RollingWindowBreaker",
    "Row",
]

NONE, CONSECUTIVE, ROLLING = "none", "consecutive", "rolling"
KINDS = {
    NONE: "none",
    CONSECUTIVE: "failures in a row",
    ROLLING: "share of failures in a window",
}
NORMAL, SLOW, HANGING = "normal", "slow", "hanging"
LATENCIES = (NORMAL, SLOW, HANGING)
KEPT_CHANGES = 24
"""Changes of the breaker and of the service that the timeline remembers."""


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader sets before the run; times in ms, rates per second."""

    breaker: str = knob(Choice("Breaker", KINDS), CONSECUTIVE)
    failure_threshold: int = knob(
        Number("Failures in a row that open it", 1, 20, hint="For the breaker that counts a row."),
        5,
    )
    reset_timeout_ms: int = knob(
        Number("It stays open for", 500, 10_000, step=500, unit="ms"),
        3_000,
    )
    success_threshold: int = knob(Number("Probes that must succeed", 1, 5), 1)
    failure_share: int = knob(
        Number("Share of failures that opens it", 5, 100, step=5, unit="%", hint="For the window."),
        50,
    )
    minimum_calls: int = knob(
        Number("Calls that the window must hold", 1, 100, hint="With fewer, it does not judge."),
        20,
    )
    window_ms: int = knob(
        Number("The window reaches back", 1_000, 20_000, step=1_000, unit="ms"), 10_000
    )
    fallback: bool = knob(Switch("Fallback: popular titles instead of an error"), True)
    timeout_ms: int = knob(
        Number("The website gives a call up after", 100, 5_000, step=100, unit="ms"), 1_000
    )
    rate_per_s: int = knob(Number("Users that come", 1, 40, unit="a second"), 20)
    threads: int = knob(Number("Threads of the website", 1, 20), 10)
    queue: int = knob(Number("Users that may wait for a thread", 0, 30), 20)
    service_threads: int = knob(Number("Threads of the recommendations", 1, 20), 8)
    service_ms: int = knob(
        Number("Time that a healthy call takes, on average", 10, 200, step=10, unit="ms"), 40
    )
    slow_ms: int = knob(
        Number("The same when the service is slow", 100, 3_000, step=100, unit="ms"), 1_500
    )


@dataclass(frozen=True, slots=True)
class Service:
    """The service that is called: its threads, and what is wrong with it.

    A job's `body` says whether it hangs. `errors` is the share of the calls that it answers with an
    error, in percent; `latency` one of `LATENCIES`; `down` means that it refuses every call.
    """

    pool: Pool
    errors: int = 0
    latency: str = NORMAL
    down: bool = False


@dataclass(frozen=True, slots=True)
class Watch:
    """Both ways of counting, side by side, fed with the report of every call that was made.

    They are never asked. `*_trip_ms` is when each would have opened first (-1: not yet);
    `longest_row` is the longest row of failures.
    """

    consecutive: CircuitBreaker
    rolling: RollingWindowBreaker
    consecutive_trip_ms: int = -1
    rolling_trip_ms: int = -1
    longest_row: int = 0

    def heard(self, success: bool, now_ms: int) -> Watch:
        """Both after one more report."""
        consecutive, row_trips = self.consecutive.counted(success, now_ms)
        rolling, window_trips = self.rolling.counted(success, now_ms)
        return Watch(
            consecutive,
            rolling,
            now_ms if row_trips and self.consecutive_trip_ms < 0 else self.consecutive_trip_ms,
            now_ms if window_trips and self.rolling_trip_ms < 0 else self.rolling_trip_ms,
            max(self.longest_row, consecutive.failures),
        )

    def cleared(self) -> Watch:
        """Both without what they counted: the chosen breaker closes and starts anew as well."""
        return replace(self, consecutive=self.consecutive.cleared(), rolling=self.rolling.cleared())


@dataclass(frozen=True, slots=True)
class Change:
    """The breaker or the service is in this state since then; `row` is how the breaker came."""

    since_ms: int
    state: str
    row: Row = START


@dataclass(frozen=True, slots=True)
class Departure:
    """The last user who left: how the call ended, what the user got, how long it took."""

    user: int
    end: str
    gets: str
    waited_ms: int


@dataclass(frozen=True, slots=True)
class State:
    """One instant.

    `salt` is where the users' random numbers start. A job of `website` is a user (the reader's own
    calls, `readers` of them, have numbers below 0); one that holds a thread has a call in flight
    since its `started_ms`, and is given up at `started_ms + timeout_ms`. `breaker` is `None` where
    there is none. `changes` are those of the breaker, `healths` those of the service. `passed_open`
    counts calls that were made although the breaker was open, which must never happen.
    """

    params: Params
    salt: int
    website: Pool
    service: Service
    breaker: Breaker | None
    watch: Watch
    tally: Tally = NOBODY
    changes: tuple[Change, ...] = (Change(0, CLOSED),)
    healths: tuple[Change, ...] = (Change(0, "healthy"),)
    last: Departure | None = None
    readers: int = 0
    passed_open: int = 0


# --- Events ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Arrive:
    """The user of this number comes, and the next one is on the way."""

    user: int


@dataclass(frozen=True, slots=True)
class Finish:
    """The service is done with the call of this user."""

    user: int
    success: bool


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The website has waited long enough for the call of this user."""

    user: int


@dataclass(frozen=True, slots=True)
class CallOnce:
    """The reader comes as one more user."""


@dataclass(frozen=True, slots=True)
class SetLatency:
    """From now on calls take this long."""

    latency: str = knob(OneOf("Latency", lambda _: LATENCIES), NORMAL)


@dataclass(frozen=True, slots=True)
class SetErrors:
    """From now on this share of the calls, in percent, is answered with an error."""

    errors: int = knob(Number("Calls that fail, in %", 0, 100, step=5), 60)


@dataclass(frozen=True, slots=True)
class Break:
    """The service goes down: its work is lost, and it refuses every call."""


@dataclass(frozen=True, slots=True)
class Repair:
    """The service is restarted: what was stuck in it is lost, and it is as good as new."""


Event = Arrive | Finish | GiveUp | CallOnce | SetLatency | SetErrors | Break | Repair


# --- The run --------------------------------------------------------------------------------------


def both_breakers(params: Params) -> tuple[CircuitBreaker, RollingWindowBreaker]:
    """The two breakers that the parameters describe."""
    share = params.failure_share / 100
    shared = (params.reset_timeout_ms, params.success_threshold)
    return (
        CircuitBreaker(params.failure_threshold, *shared),
        RollingWindowBreaker(share, params.minimum_calls, params.window_ms, *shared),
    )


def init(params: Params, ctx: Context) -> State:
    """Everything is healthy, and the first user is on the way."""
    consecutive, rolling = both_breakers(params)
    chosen: dict[str, Breaker | None] = {NONE: None, CONSECUTIVE: consecutive, ROLLING: rolling}
    state = State(
        params,
        ctx.integer(0, 2**53),
        pool_of(params.threads, params.queue),
        Service(pool_of(params.service_threads)),
        chosen[params.breaker],
        Watch(consecutive, rolling),
    )
    expect(state, 1, ctx)
    return state


def expect(state: State, user: int, ctx: Context) -> None:
    """The user of this number is on the way."""
    gap = arrivals(state.params.rate_per_s).draw(Draws(state.salt, 2 * user))
    ctx.after(gap, Arrive(user))


def update(state: State, event: Event, ctx: Context) -> State:
    """The state after an event; `ValueError` for a latency that there is not."""
    match event:
        case Arrive(user):
            expect(state, user + 1, ctx)
            after = come(state, user, ctx)
        case CallOnce():
            readers = state.readers + 1
            after = come(replace(state, readers=readers), -readers, ctx)
        case Finish(user, success):
            after = finish(state, user, success, ctx)
        case GiveUp(user):
            after = give_up(state, user, ctx)
        case SetLatency(latency):
            after = set_latency(state, latency, ctx)
        case SetErrors(errors):
            after = replace(state, service=replace(state.service, errors=errors))
        case Break():
            after = restart(state, Service(pool_of(state.params.service_threads), down=True), ctx)
        case Repair():
            after = restart(state, Service(pool_of(state.params.service_threads)), ctx)
        case _:
            raise ValueError(f"circuit_breaker has no event {event!r}")
    return state if after is state else noted(state, after, ctx.now_ms)


def noted(before: State, after: State, now_ms: int) -> State:
    """The state with what the timeline remembers: threads in use, and the changes of this event."""
    threads = after.tally.threads
    if len(after.website.busy) != threads.level:
        tally = replace(after.tally, threads=threads.note(now_ms, len(after.website.busy)))
        after = replace(after, tally=tally)
    health = health_of(after.service)
    if before.service is not after.service and health != after.healths[-1].state:
        healths = (*after.healths, Change(now_ms, health))[-KEPT_CHANGES:]
        after = replace(after, healths=healths)
    return after


def health_of(service: Service) -> str:
    """What is wrong with the service, in a word or two."""
    if service.down:
        return "down"
    errors = f"{service.errors} % errors" if service.errors else ""
    if service.latency == NORMAL:
        return errors or "healthy"
    return f"{service.latency}, {errors}" if errors else service.latency


# --- Users and their calls ------------------------------------------------------------------------


def come(state: State, number: int, ctx: Context) -> State:
    """A user comes: to a thread, to a place in the queue, or to a closed door."""
    user = Job(number, ctx.now_ms)
    website, outcome = offer(state.website, user, ctx.now_ms)
    state = replace(state, website=website, tally=state.tally.came())
    if outcome == REJECTED:
        return leave(state, user, TURNED_AWAY, ctx.now_ms)
    return call(state, website.busy[-1], ctx) if outcome == STARTED else state


def call(state: State, user: Job | None, ctx: Context) -> State:
    """The thread of this user asks the breaker, and calls the service if it may.

    Whoever is refused gives the thread to the next in the queue, who asks as well, and so on.
    """
    while user is not None:
        allowed = True
        if state.breaker is not None:
            breaker, allowed = state.breaker.allow(ctx.now_ms)
            state = with_breaker(state, breaker)
        if allowed:
            return send(state, user, ctx)
        website, following = release(state.website, user.id, ctx.now_ms)
        state = leave(replace(state, website=website), user, REFUSED, ctx.now_ms)
        user = following
    return state


def with_breaker(state: State, breaker: Breaker) -> State:
    """The state with the breaker after a verb; a change of its state is remembered."""
    changes = state.changes
    if breaker.state != changes[-1].state:
        change = Change(breaker.since_ms, breaker.state, breaker.row)
        changes = (*changes, change)[-KEPT_CHANGES:]
        if breaker.state == CLOSED:
            state = replace(state, watch=state.watch.cleared())
    return replace(state, breaker=breaker, changes=changes)


def send(state: State, user: Job, ctx: Context) -> State:
    """The call goes out: the service answers some time, or the website gives it up."""
    if state.breaker is not None and state.breaker.state == OPEN:
        state = replace(state, passed_open=state.passed_open + 1)
    if state.service.down:
        return ended(state, user, FAULT, ctx)
    ctx.after(state.params.timeout_ms, GiveUp(user.id))
    asked = Job(user.id, ctx.now_ms, False)
    pool, outcome = offer(state.service.pool, asked, ctx.now_ms)
    state = replace(state, service=replace(state.service, pool=pool))
    return serve(state, pool.busy[-1], ctx) if outcome == STARTED else state


def serve(state: State, job: Job, ctx: Context) -> State:
    """The service begins with a call that has a thread."""
    service = state.service
    if service.latency == HANGING:
        return replace(state, service=replace(service, pool=with_body(service.pool, job, True)))
    mean_ms = state.params.slow_ms if service.latency == SLOW else state.params.service_ms
    draws = Draws(state.salt, 2 * job.id + 1)
    took_ms = max(1, Exponential(mean_ms).draw(draws))
    ctx.after(took_ms, Finish(job.id, draws.integer(1, 100) > service.errors))
    return state


def with_body(pool: Pool, job: Job, hangs: bool) -> Pool:
    """The pool with a mark on this job: whether it hangs."""
    busy = tuple(replace(held, body=hangs) if held.id == job.id else held for held in pool.busy)
    return replace(pool, busy=busy)


def finish(state: State, user_id: int, success: bool, ctx: Context) -> State:
    """The service is done with a call, and begins with the next; its user may have left."""
    if all(job.id != user_id for job in state.service.pool.busy):
        return state
    pool, following = release(state.service.pool, user_id, ctx.now_ms)
    state = replace(state, service=replace(state.service, pool=pool))
    if following is not None:
        state = serve(state, following, ctx)
    user = job_of(state.website, user_id)
    return ended(state, user, OK if success else FAULT, ctx) if user is not None else state


def give_up(state: State, user_id: int, ctx: Context) -> State:
    """The time for a call is over; if it is still in flight, its user leaves without the answer."""
    user = job_of(state.website, user_id)
    if user is None:
        return state
    pool, _ = withdraw(state.service.pool, user_id)
    state = replace(state, service=replace(state.service, pool=pool))
    return ended(state, user, TIMEOUT, ctx)


def ended(state: State, user: Job, end: str, ctx: Context) -> State:
    """A call has ended, and whoever gets its thread may call."""
    return call(*hang_up(state, user, end, ctx), ctx)


def hang_up(state: State, user: Job, end: str, ctx: Context) -> tuple[State, Job | None]:
    """A call has ended: the breaker hears of it, the user leaves, somebody else has the thread."""
    success = end == OK
    state = replace(state, watch=state.watch.heard(success, ctx.now_ms))
    if state.breaker is not None:
        heard = state.breaker.record(success, ctx.now_ms, user.started_ms)
        state = with_breaker(state, heard)
    website, following = release(state.website, user.id, ctx.now_ms)
    return leave(replace(state, website=website), user, end, ctx.now_ms), following


def leave(state: State, user: Job, end: str, now_ms: int) -> State:
    """A user leaves with what there is."""
    stand_in = FALLBACK if state.params.fallback and end != TURNED_AWAY else ERROR
    gets = LIVE if end == OK else stand_in
    waited_ms = now_ms - user.arrived_ms
    tally = state.tally.left(end, gets, waited_ms, now_ms)
    return replace(state, tally=tally, last=Departure(user.id, end, gets, waited_ms))


# --- The service under the reader's hand ----------------------------------------------------------


def set_latency(state: State, latency: str, ctx: Context) -> State:
    """Calls that begin from now on take this long; those that hung are served, if it hangs no more.

    `ValueError` for a latency that there is not.
    """
    if latency not in LATENCIES:
        raise ValueError(f"latency must be one of {', '.join(LATENCIES)}, got {latency!r}")
    state = replace(state, service=replace(state.service, latency=latency))
    if latency != HANGING:
        for job in state.service.pool.busy:
            if job.body:
                pool = with_body(state.service.pool, job, False)
                state = replace(state, service=replace(state.service, pool=pool))
                state = serve(state, job, ctx)
    return state


def restart(state: State, fresh: Service, ctx: Context) -> State:
    """The service stops and starts: whoever waits for an answer of the old one gets an error.

    All those calls end at once, so the breaker hears of them all before the next one is made.
    """
    lost = state.service.pool
    state, next_ones = replace(state, service=fresh), []
    for job in lost.jobs:
        user = job_of(state.website, job.id)
        if user is not None:
            state, following = hang_up(state, user, FAULT, ctx)
            next_ones.append(following)
    for following in next_ones:
        state = call(state, following, ctx)
    return state
