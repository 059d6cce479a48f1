"""Who takes part in a trip, what each remembers, and what they say to each other.

The history service keeps the event history and the queue of tasks. Workers ask it for tasks: to
decide (replay the history and say what comes next) or to carry out an activity, which is a call to
the services or to an app. The apps of rider and drivers send signals. Everything but the workers'
memory is durable; workers can be killed.

Simplified: the history service, the services and the apps do not fail. Real engines replicate the
first; messages to all of them may be lost here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from ...kernel import Choice, Deliver, Network, Number, OneOf, Switch, is_up, knob, on_disk
from .engine import History, Mismatch, Recorded
from .trip import ACCEPTS, ARRIVES, CODES, DECLINES, DROPS_OFF, ORIGINAL, PICKS_UP

HISTORY, SERVICES, RIDER, DRIVER = "History", "Services", "Rider", "Driver"
WORKERS = ("A", "B", "C")
NODES = (HISTORY, SERVICES, RIDER, DRIVER, *WORKERS)
APPS = (RIDER, DRIVER)

OPEN = -1
"""The instant of what is not planned."""

LATENCY_MS = (40, 60)
REPLAY_MS = 6
"""How long a worker takes for one event of a history; exaggerated, so that it can be watched."""
RESEND_MS = 300
STICKY_MS = 120
BACKOFF_MS = 800
LONG_POLL_MS = 2_000
"""How long a worker waits for a task before it asks again, and an app for news."""

ENGINES = {"durable": "an event history", "no_history": "a worker’s memory only"}
WAITINGS = {"waiting": "wait until told", "polling": "ask again and again"}


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader sets before the run."""

    engine: str = knob(Choice("Progress is kept in", ENGINES), "durable")
    waiting: str = knob(Choice("Workers and apps", WAITINGS), "waiting")
    poll_ms: int = knob(
        Number("Ask every", 50, 1_000, step=50, unit="ms", hint="When asking again and again."), 200
    )
    declines: int = knob(Number("Drivers who decline", 0, 3), 1)
    card_declines: int = knob(Number("Times the card is refused", 0, 3), 0)
    cache: bool = knob(
        Switch(
            "Workers keep a trip in memory",
            hint="Then only another worker, or one that was killed, replays from the start.",
        ),
        True,
    )
    coin: bool = knob(
        Switch("The workflow flips a coin", hint="For a coupon: a decision no history knows of."),
        False,
    )
    task_timeout_ms: int = knob(
        Number("A task is given to another after", 600, 2_000, step=100, unit="ms"), 600
    )
    loss: float = knob(Number("Messages lost", 0.0, 0.3, step=0.05, hint="As a share."), 0.0)
    duplication: float = knob(
        Number("Messages that arrive twice", 0.0, 0.3, step=0.05, hint="As a share."), 0.0
    )


# --- The history service --------------------------------------------------------------------------

DECISION, ACTIVITY, JOB = "decision", "activity", "job"


@dataclass(frozen=True, slots=True)
class Task:
    """Something for a worker to do: decide what is next, do an activity, or do the whole trip.

    `number` is that of the activity's command, `length` how much of the history a decision is
    about. `worker` has it until `deadline_ms`; nobody gets it before `ready_ms`.
    """

    id: int
    kind: str
    number: int = 0
    attempt: int = 1
    length: int = 0
    worker: str = ""
    deadline_ms: int = OPEN
    ready_ms: int = 0


@dataclass(frozen=True, slots=True)
class Parked:
    """A worker that waits for a task, with the number of its question."""

    worker: str
    poll: int


@dataclass(frozen=True, slots=True)
class Service:
    """The history service: the history of the trip, and the tasks that are to be done.

    `noted` are the signals that it has, so that none counts twice. `sticky` is the worker that has
    the trip in its memory. `status` is what the last decision reported, `code` the code that made
    it and `coin` what its coin showed: they replayed all of the history before. `mismatch` is why
    the trip is stuck, `blamed` the worker that found out. `run` counts how often the trip was begun
    from the top, without a history.
    """

    history: History = ()
    noted: tuple[str, ...] = ()
    tasks: tuple[Task, ...] = ()
    parked: tuple[Parked, ...] = ()
    sticky: str = ""
    next_task: int = 1
    status: str = ""
    status_ms: int = 0
    code: str = ""
    coin: bool = False
    mismatch: Mismatch | None = None
    blamed: str = ""
    run: int = 0
    closed: bool = True


# --- Workers --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Held:
    """The task that a worker has in hand.

    A decision replays the events after `known` up to `length` and is done at `done_ms`. An activity
    calls `target` and waits. The worker gives up at `deadline_ms`.
    """

    id: int
    kind: str
    attempt: int
    number: int
    length: int
    known: int
    started_ms: int
    done_ms: int
    deadline_ms: int


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker. All it has is lost when it is killed, but for the code on its disk.

    `poll` is the number of its open question for a task, asked again at `poll_ms`. `cached` is how
    many events of the trip's history it has in memory. `coin` is what its coin showed. `memory` is
    its own record of a trip that nobody else records, begun as run number `run`.
    """

    name: str
    code: str = on_disk(ORIGINAL)
    poll: int = OPEN
    poll_ms: int = OPEN
    held: Held | None = None
    trip: int = 0
    cached: int = 0
    coin: bool = False
    memory: History = ()
    run: int = 0


# --- Apps and services ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class App:
    """The rider's app, or those of the drivers nearby; `driver` is who is asked at the moment.

    `outbox` are signals that the history service has not confirmed; the first was sent again at
    `sent_ms`. `plan` is what its owner will do at `plan_ms`. `ask_ms` is when it asks for news.
    """

    name: str
    status: str = ""
    outbox: tuple[Signal, ...] = ()
    resend_ms: int = OPEN
    signals: int = 0
    driver: int = 0
    plan: str = ""
    plan_ms: int = OPEN
    ask_ms: int = OPEN


@dataclass(frozen=True, slots=True)
class Row:
    """An effect: what was done under an idempotency key, and how often it was asked for.

    `result` is what everybody gets who asks with this key.
    """

    key: str
    trip: int
    node: str
    name: str
    argument: int
    result: int
    asked: int = 1


@dataclass(frozen=True, slots=True)
class Calls:
    """Questions that were asked while a trip was under way, and what came of them.

    `polls` are all questions of workers and apps, `vain` those without anything new in the answer,
    `pushes` the messages that told an app something unasked. `news` counts what the rider learned,
    `late_ms` is how late in total.
    """

    polls: int = 0
    vain: int = 0
    pushes: int = 0
    news: int = 0
    late_ms: int = 0


@dataclass(frozen=True, slots=True)
class State:
    """Everything. `trip` is the number of the trip, 0 before the first.

    `replays` counts replays from the start, `replayed` the events that were fed in them. `grew` is
    a witness: whether the history has only ever grown.
    """

    params: Params
    network: Network
    service: Service
    workers: tuple[Worker, ...]
    apps: tuple[App, ...]
    rows: tuple[Row, ...] = ()
    calls: Calls = Calls()
    deployed: str = ORIGINAL
    trip: int = 0
    begun_ms: int = 0
    ended_ms: int = OPEN
    replays: int = 0
    replayed: int = 0
    kills: int = 0
    grew: bool = True


# --- Messages -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Poll:
    """A worker: is there a task for me?"""

    number: int


@dataclass(frozen=True, slots=True)
class Nothing:
    """The history service: no."""

    poll: int


@dataclass(frozen=True, slots=True)
class Assigned:
    """The history service: yes, this one. `length` says how much history comes with it.

    The history itself is not copied into the message: it only grows, so its length says all.
    """

    poll: int
    trip: int
    task: Task
    run: int = 0


@dataclass(frozen=True, slots=True)
class Decided:
    """A worker: after these events the workflow wants this."""

    trip: int
    task: int
    attempt: int
    commands: History
    status: str
    code: str
    coin: bool = False
    mismatch: Mismatch | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    """A worker: the activity is done, with this result."""

    trip: int
    task: int
    attempt: int
    result: int


@dataclass(frozen=True, slots=True)
class Call:
    """A worker: do this, unless you have done it under this key.

    `task` and `number`, that of the command, come back in the answer.
    """

    task: int
    number: int
    trip: int
    key: str
    name: str
    argument: int


@dataclass(frozen=True, slots=True)
class Answer:
    """Done, now or before, with this result."""

    task: int
    number: int
    result: int


@dataclass(frozen=True, slots=True)
class Signal:
    """An app: this has happened. `id` is unique, so that it can be sent again."""

    id: str
    trip: int
    name: str
    value: int = 0


@dataclass(frozen=True, slots=True)
class Noted:
    """The history service has the signal."""

    id: str


@dataclass(frozen=True, slots=True)
class Ask:
    """An app that knows this status: anything new?"""

    status: str


@dataclass(frozen=True, slots=True)
class News:
    """The history service: that is how the trip stands, since `since_ms`."""

    trip: int
    status: str
    since_ms: int


@dataclass(frozen=True, slots=True)
class Report:
    """A worker that keeps a trip in its memory only: that is how far it is."""

    trip: int
    run: int
    status: str
    closed: bool


@dataclass(frozen=True, slots=True)
class Forward:
    """The queue hands a signal to the worker that has the trip in its memory."""

    trip: int
    run: int
    signal: Recorded


# --- Events ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Alarm:
    """A deadline of a node may be due; stale if it has moved."""

    node: str


@dataclass(frozen=True, slots=True)
class TimerDue:
    """The time of a wait or a sleep, command `number`, is up.

    `worker` is empty for a timer of the history service.
    """

    trip: int
    number: int
    worker: str = ""
    run: int = 0


def workers_up(state: State) -> tuple[str, ...]:
    return tuple(name for name in WORKERS if is_up(state.network, name))


def workers_down(state: State) -> tuple[str, ...]:
    return tuple(name for name in WORKERS if not is_up(state.network, name))


TAPS = {
    "accept": ACCEPTS, "decline": DECLINES, "arrive": ARRIVES, "pick up": PICKS_UP,
    "drop off": DROPS_OFF,
}  # fmt: skip


def taps(state: State) -> tuple[str, ...]:
    """What the driver's app offers at the moment."""
    plan = app_of(state, DRIVER).plan
    if plan in (ACCEPTS, DECLINES):
        return ("accept", "decline")
    return tuple(tap for tap, name in TAPS.items() if name == plan)


@dataclass(frozen=True, slots=True)
class Kill:
    """A worker dies; what is in its memory is gone."""

    worker: str = knob(OneOf("Worker", workers_up), "")


@dataclass(frozen=True, slots=True)
class Restart:
    """A worker comes back with an empty memory and the code that is deployed."""

    worker: str = knob(OneOf("Worker", workers_down), "")


@dataclass(frozen=True, slots=True)
class Request:
    """The rider requests a trip."""


@dataclass(frozen=True, slots=True)
class Cancel:
    """The rider cancels."""


@dataclass(frozen=True, slots=True)
class Tap:
    """The driver taps a button before he would have done it by himself."""

    button: str = knob(OneOf("Button", taps), "")


@dataclass(frozen=True, slots=True)
class Deploy:
    """All workers that are up restart with this code; those that are down come back with it."""

    code: str = knob(OneOf("Code", lambda _: CODES), "")


Event: TypeAlias = Deliver | Alarm | TimerDue | Kill | Restart | Request | Cancel | Tap | Deploy


# --- What follows from the state ------------------------------------------------------------------


def worker_of(state: State, name: str) -> Worker:
    """The worker of this name, which must exist."""
    return next(worker for worker in state.workers if worker.name == name)


def app_of(state: State, name: str) -> App:
    """The app of this name, which must exist."""
    return next(app for app in state.apps if app.name == name)


def books(state: State) -> tuple[Row, ...]:
    """The effects of the current trip, in the order in which they came about."""
    return tuple(row for row in state.rows if row.trip == state.trip)


def durable(state: State) -> bool:
    """Whether progress is kept in an event history."""
    return state.params.engine == "durable"


def polling(state: State) -> bool:
    """Whether workers and apps ask again and again."""
    return state.params.waiting == "polling"


def under_way(state: State) -> bool:
    """Whether a trip has begun and not come to its end."""
    return state.trip > 0 and state.ended_ms == OPEN
