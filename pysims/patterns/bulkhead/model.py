"""Bulkheads: a service whose threads call two dependencies, from one pool or from a pool each.

It shows: recommendations become slow or hang, and take thread after thread of the shared pool,
until payments find none, although nothing in payments is broken. With a pool each, recommendations
can flood only their own compartment. The price is that a thread of one pool stands idle while a
request of the other waits: Erlang's formulas say how often, and `erlang` computes it.

How many threads a dependency needs is Little's law: requests a second × seconds that each takes.

Sources: Nygard, Release It!, 2007, "Bulkheads"; the bulkhead pattern of the Azure Architecture
Center, https://learn.microsoft.com/azure/architecture/patterns/bulkhead; Little, Operations
Research 9(3), 1961, https://doi.org/10.1287/opre.9.3.383.

Request number k of a dependency comes at the same moment, and normally takes the same time, in
every run with the same seed, rates and latency, however the threads are divided: the designs are
compared on the same requests.

Nobody gives up in line, because all callers are equally patient: whoever has a thread came before,
and has given it back by the time that the next one would leave.

Simplified: a thread does nothing but wait for its dependency, and a call that is under way when its
dependency becomes slow or hangs is still answered as if nothing had happened.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...kernel import (
    QUEUED,
    REJECTED,
    Choice,
    Context,
    Draws,
    Job,
    Number,
    OneOf,
    Pool,
    Series,
    knob,
    offer,
    pool_of,
    release,
    replace,
)

NAMES = ("payments", "recommendations")
PAYMENTS, RECOMMENDATIONS = range(2)
NORMAL, SLOW, HANGING = "normal", "slow", "hanging"
BIN_MS = 500
CHANGES_KEPT = 12
"""How many of the newest changes of a dependency the chart can mark."""


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader sets before the run. Payments have fewer threads than there are in all."""

    pools: str = knob(
        Choice("The threads", {"shared": "one pool for both", "separate": "a pool each"}), "shared"
    )
    threads: int = knob(Number("Threads in all", 2, 40), 30)
    payments_threads: int = knob(
        Number("Threads of payments", 1, 39, hint="With a pool each; recommendations get the rest"),
        20,
    )
    places: int = knob(
        Number(
            "Requests that may wait",
            0,
            30,
            hint="For each dependency; a shared pool has twice as many places",
        ),
        10,
    )
    payments_rate_per_s: int = knob(Number("Payments come", 1, 120, unit="a second"), 60)
    recommendations_rate_per_s: int = knob(
        Number("Recommendations come", 1, 120, unit="a second"), 30
    )
    latency_ms: int = knob(
        Number("An answer takes, on average", 20, 1_000, step=10, unit="ms"), 200
    )
    slow_factor: int = knob(Number("A slow answer takes longer by a factor of", 2, 50), 10)
    timeout_ms: int = knob(
        Number("A caller gives up after", 100, 20_000, unit="ms", logarithmic=True), 5_000
    )


@dataclass(frozen=True, slots=True)
class Call:
    """What a job carries: which dependency it calls, and until when its caller waits.

    `answer_ms` is how long the answer takes while the dependency is normal.
    """

    dependency: int
    answer_ms: int
    due_ms: int


@dataclass(frozen=True, slots=True)
class Tally:
    """The requests for one dependency: all that came, and what became of them.

    `failed` are those whose caller gave up. `waited` of them all found no free thread but a place;
    `waited_ms` is how long those that got a thread had waited.
    """

    arrived: int = 0
    done: int = 0
    failed: int = 0
    rejected: int = 0
    waited: int = 0
    waited_ms: int = 0

    @property
    def settled(self) -> int:
        """How many are over, one way or the other."""
        return self.done + self.failed + self.rejected


@dataclass(frozen=True, slots=True)
class Change:
    """A dependency became normal, slow or hanging."""

    at_ms: int
    dependency: int
    mode: str


@dataclass(frozen=True, slots=True)
class State:
    """The pools (one, or payments' and recommendations'), and what was counted.

    `tallies` and `served` (answers over time) are by dependency. `spilled` counts the requests for
    a healthy dependency that failed in a pool in which the sick one held threads. `used_ms` is, by
    pool, how long its threads were lent to requests that have given them back, up to `used_until`.
    `since` is the tallies at the newest change (`changes` holds the newest ones), and `calm` those
    at the first: so far, both dependencies were normal.
    """

    params: Params
    salt: int
    pools: tuple[Pool, ...]
    modes: tuple[str, str] = (NORMAL, NORMAL)
    tallies: tuple[Tally, Tally] = (Tally(), Tally())
    served: tuple[Series, Series] = (Series(BIN_MS), Series(BIN_MS))
    spilled: int = 0
    used_ms: tuple[int, ...] = ()
    used_until_ms: int = 0
    changes: tuple[Change, ...] = ()
    since: tuple[Tally, Tally] = (Tally(), Tally())
    calm: tuple[Tally, Tally] | None = None


# --- Events ---------------------------------------------------------------------------------------


def not_in(mode: str, state: State) -> tuple[str, ...]:
    """The dependencies that are not in this mode."""
    return tuple(name for name, now in zip(NAMES, state.modes, strict=True) if now != mode)


@dataclass(frozen=True, slots=True)
class Arrive:
    """Request `number` for a dependency comes in."""

    dependency: int
    number: int


@dataclass(frozen=True, slots=True)
class Answer:
    """A dependency answers a request."""

    dependency: int
    job: int


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The caller of a request has waited long enough."""

    dependency: int
    job: int


@dataclass(frozen=True, slots=True)
class MakeSlow:
    """Every answer of a dependency takes several times as long from now on."""

    dependency: str = knob(OneOf("Dependency", lambda state: not_in(SLOW, state)), NAMES[1])


@dataclass(frozen=True, slots=True)
class Hang:
    """A dependency answers nobody from now on."""

    dependency: str = knob(OneOf("Dependency", lambda state: not_in(HANGING, state)), NAMES[1])


@dataclass(frozen=True, slots=True)
class Repair:
    """A dependency is as fast as before, also for those that are waiting."""

    dependency: str = knob(OneOf("Dependency", lambda state: not_in(NORMAL, state)), NAMES[1])


Event = Arrive | Answer | GiveUp | MakeSlow | Hang | Repair

# --- What follows from the state ------------------------------------------------------------------


def rate_per_s(params: Params, dependency: int) -> int:
    return (params.payments_rate_per_s, params.recommendations_rate_per_s)[dependency]


def loads(params: Params) -> tuple[float, float]:
    """The load of each dependency while it is normal, in Erlang: rate × latency (Little's law)."""
    return (
        params.payments_rate_per_s * params.latency_ms / 1_000,
        params.recommendations_rate_per_s * params.latency_ms / 1_000,
    )


def held_for_ms(state: State, dependency: int) -> int:
    """How long a request holds a thread on average; a caller who gives up ends it."""
    params = state.params
    if state.modes[dependency] == HANGING:
        return params.timeout_ms
    factor = params.slow_factor if state.modes[dependency] == SLOW else 1
    return min(params.latency_ms * factor, params.timeout_ms)


def pool_index(params: Params, dependency: int) -> int:
    """Which pool serves a dependency."""
    return dependency if params.pools == "separate" else 0


def holding(state: State, dependency: int) -> int:
    """How many threads wait for this dependency, in any pool."""
    return sum(job.body.dependency == dependency for pool in state.pools for job in pool.busy)


def present(state: State, dependency: int) -> int:
    """How many requests for this dependency have a thread or wait for one."""
    return sum(job.body.dependency == dependency for pool in state.pools for job in pool.jobs)


def flooded(state: State, dependency: int) -> bool:
    """Whether a healthy dependency shares its pool with threads that wait for the sick one."""
    pool = state.pools[pool_index(state.params, dependency)]
    return state.modes[dependency] == NORMAL and any(
        job.body.dependency != dependency and state.modes[job.body.dependency] != NORMAL
        for job in pool.busy
    )


# --- The transitions ------------------------------------------------------------------------------


def init(params: Params, ctx: Context) -> State:
    """Empty pools; the first requests come soon.

    `ValueError` if payments have all the threads, or more.
    """
    if params.payments_threads >= params.threads:
        raise ValueError(
            f"payments_threads (Threads of payments) must be below the threads in all, "
            f"{params.threads}, got {params.payments_threads}"
        )
    if params.pools == "separate":
        rest = params.threads - params.payments_threads
        pools = tuple(pool_of(size, params.places) for size in (params.payments_threads, rest))
    else:
        pools = (pool_of(params.threads, 2 * params.places),)
    state = State(params, ctx.integer(0, 2**53), pools, used_ms=(0,) * len(pools))
    for dependency in (PAYMENTS, RECOMMENDATIONS):
        ctx.after(gap_ms(state, dependency, 0), Arrive(dependency, 0))
    return state


def update(state: State, event: Event, ctx: Context) -> State:
    """The state after an event; `ValueError` for a dependency that is not there."""
    match event:
        case Arrive(dependency, number):
            return arrive(state, dependency, number, ctx)
        case Answer(dependency, job):
            return answer(state, dependency, job, ctx)
        case GiveUp(dependency, job):
            return give_up(state, dependency, job, ctx)
        case MakeSlow(name):
            return change(state, known(name), SLOW, ctx)
        case Hang(name):
            return change(state, known(name), HANGING, ctx)
        case Repair(name):
            return change(state, known(name), NORMAL, ctx)
    raise ValueError(f"bulkhead has no event {event!r}")


def known(name: str) -> int:
    """The number of a dependency; `ValueError` says which there are."""
    if name not in NAMES:
        raise ValueError(f"dependency must be one of {', '.join(NAMES)}, got {name[:40]!r}")
    return NAMES.index(name)


def draws_of(state: State, dependency: int, number: int) -> Draws:
    """The random numbers of a request: its own, so that the designs meet the same requests."""
    return Draws(state.salt, 2 * number + dependency)


def gap_ms(state: State, dependency: int, number: int) -> int:
    """The time from one request for a dependency to the next, which has this number."""
    mean_ms = 1_000 / rate_per_s(state.params, dependency)
    return int(draws_of(state, dependency, number).exponential(mean_ms) + 0.5)


def call_of(state: State, dependency: int, number: int, now_ms: int) -> Call:
    draws = draws_of(state, dependency, number)
    draws.random()  # The first is the gap before it.
    answer_ms = int(draws.exponential(state.params.latency_ms) + 0.5)
    return Call(dependency, answer_ms, now_ms + state.params.timeout_ms)


def arrive(state: State, dependency: int, number: int, ctx: Context) -> State:
    """A request gets a thread, a place, or is turned away; the next one comes on its own."""
    ctx.after(gap_ms(state, dependency, number + 1), Arrive(dependency, number + 1))
    call = call_of(state, dependency, number, ctx.now_ms)
    index = pool_index(state.params, dependency)
    pool, verdict = offer(
        state.pools[index], Job(2 * number + dependency, ctx.now_ms, call), ctx.now_ms
    )
    if verdict == REJECTED:
        return moved(blamed(state, dependency), dependency, index, pool, arrived=1, rejected=1)
    if verdict == QUEUED:
        return moved(state, dependency, index, pool, arrived=1, waited=1)
    ask(state, pool.busy[-1], ctx)
    return moved(state, dependency, index, pool, arrived=1)


def ask(state: State, job: Job, ctx: Context) -> None:
    """A thread calls the dependency: its answer, or the end of the caller's patience, frees it."""
    call: Call = job.body
    delay_ms = delay(state, call)
    if delay_ms is not None and ctx.now_ms + delay_ms <= call.due_ms:
        ctx.after(delay_ms, Answer(call.dependency, job.id))
    else:
        ctx.after(call.due_ms - ctx.now_ms, GiveUp(call.dependency, job.id))


def delay(state: State, call: Call) -> int | None:
    """How long the answer takes if it is asked for now; `None`: for ever."""
    mode = state.modes[call.dependency]
    if mode == HANGING:
        return None
    return call.answer_ms * (state.params.slow_factor if mode == SLOW else 1)


def answer(state: State, dependency: int, job_id: int, ctx: Context) -> State:
    """The caller has its answer, and the thread goes to the next; an old alarm changes nothing."""
    job = thread_of(state, dependency, job_id)
    if job is None:
        return state
    served = state.served[dependency].add(ctx.now_ms)
    both = (served, state.served[1]) if dependency == 0 else (state.served[0], served)
    return replace(hand_on(state, job, ctx, done=1), served=both)


def give_up(state: State, dependency: int, job_id: int, ctx: Context) -> State:
    """The caller leaves, and the thread goes to the next; an old alarm changes nothing."""
    job = thread_of(state, dependency, job_id)
    if job is None:
        return state
    return hand_on(blamed(state, dependency), job, ctx, failed=1)


def hand_on(state: State, job: Job, ctx: Context, **how: int) -> State:
    """A request is over, and its thread goes to the one that has waited longest."""
    dependency = job.body.dependency
    index = pool_index(state.params, dependency)
    lent_ms = ctx.now_ms - job.started_ms
    pool, following = release(state.pools[index], job.id, ctx.now_ms)
    tallies = grown(state.tallies, dependency, how)
    if following is not None:
        ask(state, following, ctx)
        waited_ms = following.waited_ms(ctx.now_ms)
        tallies = grown(tallies, following.body.dependency, {"waited_ms": waited_ms})
    used_ms = tuple(
        used + lent_ms if place == index else used for place, used in enumerate(state.used_ms)
    )
    return replace(
        state,
        pools=exchanged(state.pools, index, pool),
        tallies=tallies,
        used_ms=used_ms,
        used_until_ms=ctx.now_ms,
    )


def change(state: State, dependency: int, mode: str, ctx: Context) -> State:
    """A dependency becomes normal, slow or hanging.

    Unless it hangs now, all its calls under way are answered in the new time, or as they would have
    been before, whichever comes first.
    """
    if state.modes[dependency] == mode:
        return state
    modes = (mode, state.modes[1]) if dependency == 0 else (state.modes[0], mode)
    changes = (*state.changes, Change(ctx.now_ms, dependency, mode))[-CHANGES_KEPT:]
    state = replace(
        state,
        modes=modes,
        changes=changes,
        since=state.tallies,
        calm=state.calm or state.tallies,
    )
    for job in state.pools[pool_index(state.params, dependency)].busy:
        delay_ms = delay(state, job.body)
        if job.body.dependency == dependency and delay_ms is not None:
            ctx.after(delay_ms, Answer(dependency, job.id))
    return state


# --- Small changes of the state -------------------------------------------------------------------


def thread_of(state: State, dependency: int, job_id: int) -> Job | None:
    """The job, if it holds a thread."""
    for job in state.pools[pool_index(state.params, dependency)].busy:
        if job.id == job_id:
            return job
    return None


def exchanged(pools: tuple[Pool, ...], index: int, pool: Pool) -> tuple[Pool, ...]:
    """The pools, with another one in this place."""
    return (*pools[:index], pool, *pools[index + 1 :])


def grown(both: tuple[Tally, Tally], dependency: int, more: dict[str, int]) -> tuple[Tally, Tally]:
    """The tallies with so many more for a dependency."""
    tally = both[dependency]
    tally = replace(tally, **{name: getattr(tally, name) + n for name, n in more.items()})
    return (tally, both[1]) if dependency == 0 else (both[0], tally)


def moved(state: State, dependency: int, index: int, pool: Pool, **more: int) -> State:
    """The state with another pool in this place, and so many more in a dependency's tally."""
    return replace(
        state,
        pools=exchanged(state.pools, index, pool),
        tallies=grown(state.tallies, dependency, more),
    )


def blamed(state: State, dependency: int) -> State:
    """A request fails: is it the other dependency that fills the pool?"""
    return replace(state, spilled=state.spilled + 1) if flooded(state, dependency) else state
