"""Timeouts and deadlines along a chain: user → front → middle → back.

It shows what happens to the threads of three healthy servers when the last one hangs or is slow,
under four policies for a call. `none`: wait for ever. `percentile`: the middle gives up on the back
at a percentile of the latency that was measured before. `own`: each server starts a clock of its
own for each call, as long as the user's patience. `deadline`: the time that is left travels with
the call, and each server refuses what cannot be done in time, and drops what nobody waits for.

A caller that gives up gets its thread back. Whoever it called is not told, unless the deadline is
handed on, and goes on working for nobody.

Sources: Beyer et al., Site Reliability Engineering, 2016, chapter 22, "Latency and Deadlines"
(missing deadlines, deadline propagation, cancellation propagation),
https://sre.google/sre-book/addressing-cascading-failures/; gRPC, "Deadlines",
https://grpc.io/docs/guides/deadlines/ (by default a call has none); and for the percentile see
`measured`.

Request k comes at the same moment and asks the back for the same work in every run with the same
seed and rate, whatever the policy: policies are compared on the same requests.

Simplified: messages take no time; nobody retries; a server that hands on deadlines knows how slow
the back is at the moment, but not that it hangs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from ...kernel import (
    REJECTED,
    STARTED,
    Choice,
    Context,
    Draws,
    Job,
    Latency,
    Number,
    Pool,
    Series,
    job_of,
    knob,
    offer,
    pool_of,
    release,
    replace,
    withdraw,
)
from .measured import NOTHING, Counts, counted, timeout_at

SERVERS = ("front", "middle", "back")
FRONT, MIDDLE, BACK = range(3)
NORMAL, SLOW, HANGING = "normal", "slow", "hanging"
WORK_MS = 10
"""What front and middle do by themselves, before they call the next server."""
LATENCY = Latency(((0.0, 10), (0.5, 40), (0.9, 90), (0.99, 250), (0.999, 600), (1.0, 800)))
"""The work of the back on a call: 40 ms in the middle, with a long tail; 58 ms on average."""
CALLS_MAX = 10
SPAN = 16
"""Random numbers of a request: one set for each call of the back, the last for its arrival."""
BIN_MS = 500
NO_SERIES = Series(BIN_MS)
CHANGES_KEPT = 12


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader sets before the run."""

    policy: str = knob(
        Choice(
            "A caller",
            {
                "none": "waits for ever",
                "percentile": "gives up at a percentile of the latency",
                "own": "starts a clock of its own for each call",
                "deadline": "hands on the time that is left",
            },
        ),
        "none",
    )
    percentile: float = knob(
        Number(
            "Timeout at percentile", 80, 99.9, step=0.1, hint="Of the latencies that were measured"
        ),
        99.0,
    )
    calls: int = knob(Number("Calls of the back for a request", 1, CALLS_MAX), 1)
    patience_ms: int = knob(
        Number("A user waits (the deadline)", 100, 10_000, unit="ms", logarithmic=True), 1_000
    )
    rate_per_s: int = knob(Number("Users come", 1, 100, unit="a second"), 40)
    front_threads: int = knob(Number("Threads of the front", 1, 60), 24)
    middle_threads: int = knob(Number("Threads of the middle", 1, 60), 16)
    back_threads: int = knob(Number("Threads of the back", 1, 60), 4)
    places: int = knob(Number("Requests that may wait at a server", 0, 60), 30)
    slow_factor: int = knob(Number("A slow back takes longer by a factor of", 2, 20), 4)
    reckon_percentile: int = knob(
        Number(
            "A server reckons with percentile", 5, 95, step=5,
            hint="Of the back’s work; with the deadline handed on, what would be late is refused",
        ),
        75,
    )  # fmt: skip
    measure_ms: int = knob(
        Number(
            "Latencies are measured for", 500, 20_000, step=500, unit="ms",
            hint="Before that there is no timeout at a percentile",
        ),
        8_000,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Task:
    """What a job carries: whose request it is, and whether anybody still waits for it.

    `due_ms` is when the user leaves. `call` is the number of the call of the back that the job is,
    or has under way. `waits` means that its thread waits for the next server. `work_ms` is what the
    back has to do while it is normal. `gone_ms` is when its caller, or the user, stopped waiting
    (-1: somebody waits).
    """

    request: int
    due_ms: int
    call: int = 0
    waits: bool = False
    work_ms: int = WORK_MS
    gone_ms: int = -1


@dataclass(frozen=True, slots=True)
class Users:
    """The users: how many came, and what they got.

    `failed` were told so, `rejected` found the front full, `left` waited as long as they would.
    """

    came: int = 0
    done: int = 0
    failed: int = 0
    rejected: int = 0
    left: int = 0

    @property
    def settled(self) -> int:
        return self.done + self.failed + self.rejected + self.left


@dataclass(frozen=True, slots=True)
class Work:
    """The jobs of one server.

    Of `offered` jobs some were `rejected` (full), some `withdrawn` from the line or `refused` (not
    to be done in time), and `ended` gave a thread back. `dead_begun` got a thread although nobody
    waited for them. `used_ms` is the thread time of those that ended, `vain_ms` that of jobs whose
    result nobody used.
    """

    offered: int = 0
    rejected: int = 0
    withdrawn: int = 0
    refused: int = 0
    ended: int = 0
    dead_begun: int = 0
    used_ms: int = 0
    vain_ms: int = 0


@dataclass(frozen=True, slots=True)
class Phase:
    """Requests that came and ended while the back was in one condition.

    `lost` have no answer, and their users waited `lost_ms` for that, all together.
    """

    done: int = 0
    lost: int = 0
    lost_ms: int = 0


@dataclass(frozen=True, slots=True)
class State:
    """The three pools, and what was counted.

    `latencies` are those of the back's calls while they were measured; `timeout_ms` is what the
    percentile gave (-1: none yet), from `chosen_ms` on. `well` and `ill` are the requests under
    that timeout (with other policies: all) while the back was normal, and while it was not.
    `answers` are the users' answers over time, `useful` and `vain` the calls that the back has
    ended for somebody and for nobody. `used_until_ms` is the time up to which `work` counts.
    """

    params: Params
    salt: int
    pools: tuple[Pool, Pool, Pool]
    mode: str = NORMAL
    users: Users = Users()
    work: tuple[Work, Work, Work] = (Work(), Work(), Work())
    next_request: int = 0
    latencies: Counts = NOTHING
    timeout_ms: int = -1
    chosen_ms: int = -1
    well: Phase = Phase()
    ill: Phase = Phase()
    answers: Series = NO_SERIES
    useful: Series = NO_SERIES
    vain: Series = NO_SERIES
    changes: tuple[tuple[int, str], ...] = ()
    used_until_ms: int = 0


# --- Events ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Come:
    """The next user of the stream comes; `number` counts the stream."""

    number: int


@dataclass(frozen=True, slots=True)
class Worked:
    """A server has done its own part of a job."""

    server: int
    job: int


@dataclass(frozen=True, slots=True)
class GiveUp:
    """A server has waited long enough for a call."""

    server: int
    job: int
    call: int


@dataclass(frozen=True, slots=True)
class Leave:
    """The user of a request has waited long enough."""

    request: int


@dataclass(frozen=True, slots=True)
class ChooseTimeout:
    """Enough was measured: the percentile becomes the timeout."""


@dataclass(frozen=True, slots=True)
class MakeSlow:
    """Each call that the back begins takes several times as long from now on."""


@dataclass(frozen=True, slots=True)
class Hang:
    """The back finishes no call that it begins from now on."""


@dataclass(frozen=True, slots=True)
class Repair:
    """The back is as fast as before, also with the calls that it has begun."""


@dataclass(frozen=True, slots=True)
class Burst:
    """So many users come at once."""

    users: int = knob(Number("Users", 10, 100, step=10), 60)


Event = Come | Worked | GiveUp | Leave | ChooseTimeout | MakeSlow | Hang | Repair | Burst

# --- What follows from the state ------------------------------------------------------------------


def back_id(request: int, call: int) -> int:
    """The id of a job of the back; front and middle use the request's own."""
    return request * CALLS_MAX + call


def hands_on(state: State) -> bool:
    return state.params.policy == "deadline"


def call_timeout_ms(state: State, server: int) -> int | None:
    """How long a server waits for a call of the next one; `None`: as long as it takes."""
    if state.params.policy == "own":
        return state.params.patience_ms
    if state.params.policy == "percentile" and server == MIDDLE and state.timeout_ms >= 0:
        return state.timeout_ms
    return None


def reckoned_ms(state: State, server: int, task: Task) -> int:
    """How long a server that knows the deadline reckons with for what is left of a request."""
    factor = state.params.slow_factor if state.mode == SLOW else 1
    call_ms = int(LATENCY.quantile(state.params.reckon_percentile / 100)) * factor
    return (BACK - server) * WORK_MS + (state.params.calls - task.call) * call_ms


def back_ms(state: State, task: Task) -> int | None:
    """How long the back takes for a call that it begins now; `None`: for ever."""
    if state.mode == HANGING:
        return None
    return task.work_ms * (state.params.slow_factor if state.mode == SLOW else 1)


def changed_ms(state: State) -> int:
    """When the back last became normal, slow or hanging; a timeout that is chosen counts, too."""
    newest = state.changes[-1][0] if state.changes else 0
    return max(newest, state.chosen_ms)


def tasks_for_nobody(state: State, server: int) -> int:
    """How many jobs of a server, at work or waiting, nobody waits for any more."""
    pool = state.pools[server]
    return sum(job.body.gone_ms >= 0 for job in pool.jobs)


def thread_time_ms(state: State, server: int, now_ms: int) -> tuple[int, int]:
    """The thread time (ms) of a server so far: all that was lent, and what of it is in vain.

    A job that is not over yet counts as in vain if nobody waits for it.
    """
    work, busy = state.work[server], state.pools[server].busy
    return (
        work.used_ms + sum(now_ms - job.started_ms for job in busy),
        work.vain_ms + sum(now_ms - job.started_ms for job in busy if job.body.gone_ms >= 0),
    )


def waiting_users(state: State) -> int:
    """How many users wait for their answer."""
    pool = state.pools[FRONT]
    return sum(job.body.gone_ms < 0 for job in pool.jobs)


# --- The transitions ------------------------------------------------------------------------------


def init(params: Params, ctx: Context) -> State:
    """Three empty servers; the first user comes soon."""
    sizes = (params.front_threads, params.middle_threads, params.back_threads)
    front, middle, back = (pool_of(size, params.places) for size in sizes)
    state = State(params, ctx.integer(0, 2**53), (front, middle, back))
    ctx.after(gap_ms(state, 0), Come(0))
    if params.policy == "percentile":
        ctx.after(params.measure_ms, ChooseTimeout())
    return state


def gap_ms(state: State, number: int) -> int:
    """The time from one user of the stream to the next, which has this number."""
    draws = Draws(state.salt, number * SPAN + SPAN - 1)
    return int(draws.exponential(1_000 / state.params.rate_per_s) + 0.5)


def update(state: State, event: Event, ctx: Context) -> State:
    """The state after an event."""
    turn = Turn(state, ctx)
    match event:
        case Come(number):
            ctx.after(gap_ms(state, number + 1), Come(number + 1))
            turn.come()
        case Worked(server, job):
            turn.worked(server, job)
        case GiveUp(server, job, call):
            turn.give_up(server, job, call)
        case Leave(request):
            turn.leave(request)
        case ChooseTimeout():
            return choose_timeout(state, ctx)
        case MakeSlow():
            turn.change(SLOW)
        case Hang():
            turn.change(HANGING)
        case Repair():
            turn.change(NORMAL)
        case Burst(users):
            for _ in range(users):
                turn.come()
        case _:
            raise ValueError(f"timeouts has no event {event!r}")
    turn.begin_all()
    return turn.finished()


def choose_timeout(state: State, ctx: Context) -> State:
    """The percentile of what was measured is the timeout from now on."""
    timeout_ms = timeout_at(state.latencies, state.params.percentile)
    if timeout_ms is None:
        ctx.after(1_000, ChooseTimeout())
        return state
    return replace(state, timeout_ms=timeout_ms, chosen_ms=ctx.now_ms, well=Phase(), ill=Phase())


Counted = TypeVar("Counted", Users, Work)


def add(counts: dict[str, int], more: Mapping[str, int]) -> None:
    """So many more of each name; a name that is there has a count above 0."""
    for name, number in more.items():
        if number:
            counts[name] = counts.get(name, 0) + number


def grown(counted: Counted, more: Mapping[str, int]) -> Counted:
    """The counts with so many more of each name."""
    if not more:
        return counted
    return replace(counted, **{name: getattr(counted, name) + n for name, n in more.items()})


class Turn:
    """What one event sets off: `state` is the state so far.

    A thread that is given back goes to the next job, which may be refused at once, whose caller
    then gives a thread back itself, and so on. Jobs that have got a thread are therefore put on an
    agenda, and begun one after the other.

    Pools and counts change several times in a turn. They are gathered here and become part of the
    state at its end (`finished`): a copy of the state for each change takes twice the time.
    """

    __slots__ = ("agenda", "ctx", "ended", "pools", "state", "user_counts", "work_counts")

    def __init__(self, state: State, ctx: Context) -> None:
        self.state = state
        self.ctx = ctx
        self.pools = state.pools
        self.agenda: list[tuple[int, int]] = []
        self.ended = False
        self.user_counts: dict[str, int] = {}
        self.work_counts: tuple[dict[str, int], ...] = ({}, {}, {})

    def finished(self) -> State:
        """The state after the turn: the one before, itself, if nothing has changed."""
        state = self.state
        if self.pools is state.pools and not self.user_counts and not any(self.work_counts):
            return state
        front, middle, back = (
            grown(work, more) for work, more in zip(state.work, self.work_counts, strict=True)
        )
        return replace(
            state,
            pools=self.pools,
            work=(front, middle, back),
            users=grown(state.users, self.user_counts),
            used_until_ms=self.ctx.now_ms if self.ended else state.used_until_ms,
        )

    # --- Getting a thread -------------------------------------------------------------------------

    def come(self) -> None:
        """A user asks the front, and will wait for so long."""
        state, ctx = self.state, self.ctx
        request = state.next_request
        self.state = replace(state, next_request=request + 1)
        add(self.user_counts, {"came": 1})
        due_ms = ctx.now_ms + state.params.patience_ms
        if self.offer(FRONT, Job(request, ctx.now_ms, Task(request, due_ms))) == REJECTED:
            self.settle(ctx.now_ms, rejected=1)
        else:
            ctx.after(state.params.patience_ms, Leave(request))

    def offer(self, server: int, job: Job) -> str:
        """A job asks a server for a thread."""
        pool, verdict = offer(self.pools[server], job, self.ctx.now_ms)
        self.put(server, pool)
        self.count(server, offered=1, rejected=int(verdict == REJECTED))
        if verdict == STARTED:
            self.agenda.append((server, job.id))
        return verdict

    def begin_all(self) -> None:
        """Begin every job that has got a thread; this may give others one."""
        while self.agenda:
            server, job_id = self.agenda.pop(0)
            job = self.at_work(server, job_id)
            if job is not None:
                self.begin(server, job)

    def begin(self, server: int, job: Job) -> None:
        """A job with a thread starts to work, unless it could not be done in time."""
        state, ctx, task = self.state, self.ctx, job.body
        if hands_on(state) and ctx.now_ms + reckoned_ms(state, server, task) > task.due_ms:
            self.count(server, refused=1)
            self.respond(server, job, ok=False)
            return
        self.count(server, dead_begun=int(task.gone_ms >= 0))
        delay_ms = back_ms(state, task) if server == BACK else WORK_MS
        if delay_ms is not None:
            ctx.after(delay_ms, Worked(server, job.id))

    # --- Calls ------------------------------------------------------------------------------------

    def worked(self, server: int, job_id: int) -> None:
        """Front and middle call the next server; the back answers. An old alarm does nothing."""
        job = self.at_work(server, job_id)
        if job is None or job.body.waits:
            return
        if server == BACK:
            self.respond(server, job, ok=True)
        else:
            self.call(server, job)

    def call(self, server: int, job: Job) -> None:
        """A server calls the next one, and its thread waits."""
        task: Task = job.body
        below = server + 1
        self.amend(server, job.id, replace(task, waits=True))
        child = replace(task, waits=False)
        child_id = task.request
        if below == BACK:
            draws = Draws(self.state.salt, task.request * SPAN + task.call)
            child = replace(child, work_ms=LATENCY.draw(draws))
            child_id = back_id(task.request, task.call)
        verdict = self.offer(below, Job(child_id, self.ctx.now_ms, child))
        if verdict == REJECTED:
            self.respond(server, replace(job, body=replace(task, waits=True)), ok=False)
            return
        timeout_ms = call_timeout_ms(self.state, server)
        if timeout_ms is None:
            return
        known_ms = back_ms(self.state, child) if below == BACK and verdict == STARTED else None
        if known_ms is None or known_ms > timeout_ms:
            self.ctx.after(timeout_ms, GiveUp(server, job.id, task.call))

    def respond(self, server: int, job: Job, ok: bool) -> None:
        """A server gives its thread back, and its caller, if it still waits, an answer."""
        self.let_go(server, job, useful=ok and job.body.gone_ms < 0)
        task: Task = job.body
        if server == FRONT:
            if task.gone_ms < 0:
                self.settle(job.arrived_ms, **{"done" if ok else "failed": 1})
            return
        # A caller that has given up on a call has failed, and given its thread back: one that is
        # still there waits for this very answer.
        caller = self.at_work(server - 1, task.request)
        if caller is None:
            return
        if server == BACK and ok:
            self.measure(self.ctx.now_ms - job.arrived_ms)
            if task.call + 1 < self.state.params.calls:
                following = replace(caller.body, call=task.call + 1)
                self.call(MIDDLE, replace(caller, body=following))
                return
        self.respond(server - 1, caller, ok)

    def let_go(self, server: int, job: Job, useful: bool) -> None:
        """A thread is given back, and goes to the one that has waited longest."""
        now_ms = self.ctx.now_ms
        pool, following = release(self.pools[server], job.id, now_ms)
        self.put(server, pool)
        lent_ms = now_ms - job.started_ms
        self.count(server, ended=1, used_ms=lent_ms, vain_ms=0 if useful else lent_ms)
        if server == BACK:
            if useful:
                self.state = replace(self.state, useful=self.state.useful.add(now_ms))
            elif lent_ms:
                self.state = replace(self.state, vain=self.state.vain.add(now_ms))
        self.ended = True
        if following is not None:
            self.agenda.append((server, following.id))

    # --- Giving up --------------------------------------------------------------------------------

    def give_up(self, server: int, job_id: int, call: int) -> None:
        """A server stops waiting for a call: its caller gets an error, whom it called goes on."""
        job = self.at_work(server, job_id)
        if job is None or not job.body.waits or job.body.call != call:
            return
        self.abandon(job.body.request, server + 1)
        self.respond(server, job, ok=False)

    def leave(self, request: int) -> None:
        """A user without an answer leaves; the deadline, where it was handed on, ends all work."""
        job = job_of(self.pools[FRONT], request)
        if job is None or job.body.gone_ms >= 0:
            return
        self.settle(job.arrived_ms, left=1)
        self.abandon(request, FRONT)

    def abandon(self, request: int, highest: int) -> None:
        """Nobody waits any more for a request's jobs at this server and those below."""
        for server in range(highest, len(SERVERS)):
            pool = self.pools[server]
            for job in pool.jobs:
                if job.body.request == request and job.body.gone_ms < 0:
                    gone = replace(job.body, gone_ms=self.ctx.now_ms)
                    self.amend(server, job.id, gone)
                    if hands_on(self.state):
                        self.drop(server, replace(job, body=gone))

    def drop(self, server: int, job: Job) -> None:
        """A server that knows the deadline drops a job for which it has passed."""
        if job.started_ms >= 0:
            self.let_go(server, job, useful=False)
            return
        pool, _ = withdraw(self.pools[server], job.id)
        self.put(server, pool)
        self.count(server, withdrawn=1)

    def change(self, mode: str) -> None:
        """The back becomes normal, slow or hanging; unless it hangs, it ends what it has begun."""
        state, ctx = self.state, self.ctx
        if state.mode == mode:
            return
        changes = (*state.changes, (ctx.now_ms, mode))[-CHANGES_KEPT:]
        hung = state.mode == HANGING
        self.state = replace(state, mode=mode, changes=changes)
        for job in self.pools[BACK].busy:
            delay_ms = back_ms(self.state, job.body)
            # Those that were only slow end as they would have: sooner than from the start again.
            if delay_ms is not None and hung:
                ctx.after(delay_ms, Worked(BACK, job.id))

    # --- Small changes of the state ---------------------------------------------------------------

    def at_work(self, server: int, job_id: int) -> Job | None:
        """The job, if it has a thread of this server."""
        for job in self.pools[server].busy:
            if job.id == job_id:
                return job
        return None

    def put(self, server: int, pool: Pool) -> None:
        front, middle, back = self.pools
        self.pools = ((pool, middle, back), (front, pool, back), (front, middle, pool))[server]

    def amend(self, server: int, job_id: int, task: Task) -> None:
        """A job carries something else from now on."""
        pool = self.pools[server]

        def amended(jobs: tuple[Job, ...]) -> tuple[Job, ...]:
            return tuple(replace(job, body=task) if job.id == job_id else job for job in jobs)

        self.put(server, replace(pool, busy=amended(pool.busy), waiting=amended(pool.waiting)))

    def count(self, server: int, **more: int) -> None:
        """So many more in the counts of a server."""
        add(self.work_counts[server], more)

    def settle(self, came_ms: int, **how: int) -> None:
        """A user has an answer, an error, or enough of waiting."""
        add(self.user_counts, how)
        state, now_ms, done = self.state, self.ctx.now_ms, "done" in how
        if done:
            state = replace(state, answers=state.answers.add(now_ms))
        # Only requests that lived under one condition of the back tell what it costs.
        if came_ms >= changed_ms(state) and (
            state.params.policy != "percentile" or state.chosen_ms >= 0
        ):
            phase = state.well if state.mode == NORMAL else state.ill
            phase = Phase(
                phase.done + done,
                phase.lost + (not done),
                phase.lost_ms + (0 if done else now_ms - came_ms),
            )
            normal = state.mode == NORMAL
            state = replace(state, well=phase) if normal else replace(state, ill=phase)
        self.state = state

    def measure(self, latency_ms: int) -> None:
        """The middle notes down how long a call of the back took, until it has a timeout."""
        state = self.state
        if state.params.policy == "percentile" and state.chosen_ms < 0:
            self.state = replace(state, latencies=counted(state.latencies, latency_ms))
