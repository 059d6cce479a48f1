"""What is in a saga's state, and what follows from it; both coordinations stand on this.

A participant is one of the four services: its database, its log, the keys of what it has done and
the events that it still has to deliver are on disk, what it is working on is lost in a crash. The
orchestrator has its log on disk, and its knowledge of the sagas under way in memory.

A saga is a sequence of steps T1 … Tn, each a transaction of one service, and each but the last
few with a compensation. Steps before the pivot can be compensated; the pivot decides; steps after
it are retriable: they are tried until they work. The words are Frank and Zahle's, as Richardson
uses them.

Simplified: all orders of a run fail in the same way, if they fail; the customer stands beside the
node that takes his order, so that no message of his is lost; and all clocks run equally fast.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from ...kernel import (
    Choice,
    Context,
    Deliver,
    Network,
    Number,
    OneOf,
    Switch,
    is_up,
    knob,
    on_disk,
    replace,
    send,
)
from ...order_book import (
    INVENTORY,
    OPEN,
    ORDERS,
    PAYMENTS,
    SERVICES,
    SHIPPING,
    STEPS,
    STOCK,
    Customer,
    Database,
    Databases,
    Placed,
    Read,
    Row,
)

ORCHESTRATOR, AUDITOR = "Orchestrator", "Auditor"
CONFIRM = "Confirm"
SAGA = (*SERVICES, CONFIRM)
"""The steps in their order, each by the name of its service; the last is the orders' service's."""
LAST = len(SAGA) - 1
UNDOS = len(SERVICES)
"""So many steps have a compensation; confirming has none, what is canceled is the order itself."""

LATENCY_MS = (8, 12)
# A forced write of the orchestrator to its log; a service's is part of `work_ms`.
WRITE_MS = 1
BACKOFF_MS, BACKOFF_MAX_MS = 40, 640
# What a service still keeps of its log; it recovers from its database and its outbox.
RECORDS_MAX = 24

ORCHESTRATION, CHOREOGRAPHY = "orchestration", "choreography"
COORDINATIONS = {ORCHESTRATION: "orchestration", CHOREOGRAPHY: "choreography"}
NOBODY = "none"
FAILING = {
    NOBODY: "none",
    ORDERS: "create the order",
    PAYMENTS: "charge the card",
    INVENTORY: "reserve the widget",
    SHIPPING: "create the label",
    CONFIRM: "confirm the order",
}
REFUSES, FAILS, ANSWER_LOST = "refuses", "fails", "answer_lost"
HOW = {
    REFUSES: "it refuses",
    FAILS: "it fails a few times, then works",
    ANSWER_LOST: "it works, and its answer is lost",
}
PIVOTS = {
    PAYMENTS: "the charge",
    INVENTORY: "the reservation",
    SHIPPING: "the label",
    CONFIRM: "the confirmation",
}


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader sets before the run; times in ms, shares from 0 to 1.

    The label is the pivot unless the reader moves it: it is the last step that may refuse, so
    that every refusal comes while all before it can still be undone.
    """

    coordination: str = knob(Choice("Coordination", COORDINATIONS), ORCHESTRATION)
    fails: str = knob(Choice("Failing step", FAILING), NOBODY)
    how: str = knob(Choice("How it fails", HOW), REFUSES)
    failures: int = knob(
        Number("How often", 1, 8, hint="How often it fails, or its answer is lost."), 2
    )
    compensation_failures: int = knob(
        Number("Each compensation fails first", 0, 8, unit="times"), 0
    )
    pivot: str = knob(
        Choice("Pivot", PIVOTS, hint="Once this step has worked, the saga only goes forward."),
        SHIPPING,
    )
    attempts: int = knob(
        Number("Attempts before it gives up", 1, 8, hint="Only before the pivot."), 3
    )
    idempotency_keys: bool = knob(
        Switch("Idempotency keys", hint="What is asked twice takes effect once."), True
    )
    semantic_lock: bool = knob(
        Switch("Semantic lock", hint="PENDING is a flag: who reads it waits until it is gone."),
        False,
    )
    cyclic_subscription: bool = knob(
        Switch("Back orders", hint="Choreography: Inventory reorders what was refunded."), False
    )
    orders_per_s: float = knob(Number("Customers", 0, 100, step=0.5, unit="a second"), 0.0)
    customers_ms: int = knob(Number("They come for", 500, 20_000, step=500, unit="ms"), 8_000)
    declined: float = knob(Number("Cards declined", 0.0, 1.0, step=0.01, hint="As a share."), 0.0)
    reads_per_s: float = knob(Number("Auditors", 0, 50, step=0.5, unit="a second"), 0.0)
    loss: float = knob(Number("Messages lost", 0.0, 0.5, step=0.05, hint="As a share."), 0.0)
    duplication: float = knob(
        Number("Messages arriving twice", 0.0, 0.5, step=0.05, hint="As a share."), 0.0
    )
    work_ms: int = knob(Number("A service's transaction takes", 1, 100, unit="ms"), 5)
    timeout_ms: int = knob(Number("An answer is awaited for", 30, 500, step=10, unit="ms"), 60)
    stock: int = knob(Number("Stock", 0, 1_000, unit="widgets"), STOCK)


# --- Nodes ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Record:
    """A line of a log: `what` happened with a `step` (or an event) of an order."""

    order: int
    what: str
    step: str


@dataclass(frozen=True, slots=True)
class Event:
    """What choreography publishes: a fact about an order.

    `number` is its publisher's, for the acknowledgment. `hops` counts the events that led to it,
    and `turn` how often the order came back as a back order.
    """

    kind: str
    order: int
    number: int
    publisher: str
    hops: int = 1
    turn: int = 0


@dataclass(frozen=True, slots=True)
class Task:
    """A local transaction that a service is asked for: step `step` of an order, or its undoing.

    `event` is what asked for it in choreography. `attempt` counts the service's own tries.
    """

    order: int
    step: int
    undo: bool = False
    event: Event | None = None
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class Job:
    """A task at work until `due_ms`, or `OPEN` while it queues for the widget's row.

    After `due_ms`, `retry` says whether it then only starts again.
    """

    number: int
    task: Task
    due_ms: int = OPEN
    retry: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """An event in an outbox that `target` has not acknowledged yet.

    How often it was sent, and when it is sent again, a crash forgets.
    """

    event: Event
    target: str
    attempt: int = 0
    due_ms: int = OPEN


NO_DATABASE = Database("")


@dataclass(frozen=True, slots=True)
class Participant:
    """A service. `log` is its newest records; `outbox` and `published` serve choreography."""

    name: str
    # The kernel's own kind of field; its default cannot change, as no dataclass here can.
    database: Database = on_disk(NO_DATABASE)  # noqa: RUF009
    log: tuple[Record, ...] = on_disk(())
    outbox: tuple[Entry, ...] = on_disk(())
    published: int = on_disk(0)
    jobs: tuple[Job, ...] = ()

    @property
    def status(self) -> str:
        """What it is doing, or how it left the newest order: a word."""
        if self.jobs:
            return "retrying" if all(job.retry for job in self.jobs) else "working"
        if not self.database.rows:
            return "waiting"
        return self.database.rows[-1].status.lower()


@dataclass(frozen=True, slots=True)
class Saga:
    """What the orchestrator knows in memory of one order.

    It waits for the answer to `step`, or to its compensation when it goes `back`. `attempt` counts
    its tries. `deadline_ms` is when it acts again: `asked` says whether it waits for an answer or
    for the time to ask again. `writing` are records on their way to the log, with which its `write`
    number comes.
    """

    order: int
    step: int = 0
    back: bool = False
    attempt: int = 0
    asked: bool = False
    deadline_ms: int = OPEN
    alarm_ms: int = OPEN
    writing: tuple[Record, ...] = ()
    write: int = 0


@dataclass(frozen=True, slots=True)
class Orchestrator:
    """The log is on disk: all records of sagas that have not ended, and the newest of the rest."""

    log: tuple[Record, ...] = on_disk(())
    sagas: tuple[Saga, ...] = ()

    @property
    def status(self) -> str:
        if any(saga.back for saga in self.sagas):
            return "compensating"
        return "working" if self.sagas else "waiting"


# --- The record of the run, which no node can see -------------------------------------------------


@dataclass(frozen=True, slots=True)
class Effect:
    """A change in a database, as it happened: a step (0 to 4), or the undoing of one."""

    step: int
    undo: bool


@dataclass(frozen=True, slots=True)
class Order:
    """An order as an observer of the whole sees it.

    `begun` says that its entry has reached a disk. `tried` counts, for each step and then for each
    compensation, how often a service tried it, `lost_answers` those answers that were to be lost.
    `given_up` is the step that was given up. `turns` is how often the order came back as a back
    order, `hops_max` the longest chain of events about it.
    """

    order: int
    at_ms: int
    declined: bool = False
    begun: bool = False
    outcome: str = ""
    done_ms: int = OPEN
    messages: int = 0
    effects: tuple[Effect, ...] = ()
    tried: tuple[int, ...] = (0,) * (len(SAGA) + UNDOS)
    lost_answers: int = 0
    given_up: int = OPEN
    turns: int = 0
    hops_max: int = 0


@dataclass(frozen=True, slots=True)
class Seen:
    """The rows that a service showed the auditor."""

    service: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """An auditor's look at an order: what he has `seen` so far; `asking` counts his rounds."""

    number: int
    order: int
    at_ms: int
    seen: tuple[Seen, ...] = ()
    asking: int = 1
    deadline_ms: int = OPEN
    done_ms: int = OPEN


@dataclass(frozen=True, slots=True)
class State:
    """Everything. `readings` are those under way and the last few, `reads` what came of them all.

    `fallen` are the properties that have been violated (see `safety`).
    """

    params: Params
    network: Network
    participants: tuple[Participant, ...]
    orchestrator: Orchestrator
    orders: tuple[Order, ...] = ()
    coming: tuple[Customer, ...] = ()
    readings: tuple[Reading, ...] = ()
    reads: tuple[Read, ...] = ()
    next_job: int = 0
    next_write: int = 0
    audits: int = 0
    fallen: tuple[str, ...] = ()

    @property
    def books(self) -> Databases:
        """The four databases."""
        return tuple(participant.database for participant in self.participants)

    @property
    def placed(self) -> tuple[Placed, ...]:
        """The orders for the comparison; one is done when its saga's end is on a disk."""
        return tuple(Placed(o.order, o.at_ms, o.done_ms, o.outcome) for o in self.orders)


# --- Messages and events --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Command:
    """The orchestrator asks a service for a step, or for the undoing of one."""

    order: int
    step: int
    undo: bool


@dataclass(frozen=True, slots=True)
class Reply:
    """A service's answer to a command: "done", "refused", "failed" or "undone"."""

    order: int
    step: int
    undo: bool
    answer: str


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """A service has dealt with an event; its publisher need not send it again."""

    order: int
    number: int


@dataclass(frozen=True, slots=True)
class Ask:
    """The auditor asks a service for its rows of an order."""

    reading: int
    order: int
    asking: int


@dataclass(frozen=True, slots=True)
class Show:
    """A service shows its rows."""

    reading: int
    asking: int
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Worked:
    """A service's job is due; stale if a crash took the job."""

    service: str
    job: int


@dataclass(frozen=True, slots=True)
class Written:
    """A forced write of the orchestrator's log has ended; stale after a crash."""

    order: int
    write: int


@dataclass(frozen=True, slots=True)
class Alarm:
    """The orchestrator's time for an order is up, unless its deadline has moved."""

    order: int


@dataclass(frozen=True, slots=True)
class Resend:
    """An event in a service's outbox is due again, unless it was acknowledged."""

    service: str
    number: int


@dataclass(frozen=True, slots=True)
class Arrive:
    """A customer comes."""

    customer: Customer


@dataclass(frozen=True, slots=True)
class Audit:
    """An auditor comes by himself."""


@dataclass(frozen=True, slots=True)
class AuditAlarm:
    """An auditor asks again, unless his deadline has moved."""

    reading: int


def names_up(state: State) -> tuple[str, ...]:
    """The nodes that can crash now."""
    return tuple(name for name in nodes_of(state) if is_up(state.network, name))


def names_down(state: State) -> tuple[str, ...]:
    return state.network.down


@dataclass(frozen=True, slots=True)
class Place:
    """The reader orders a widget."""


@dataclass(frozen=True, slots=True)
class Crash:
    """A node stops."""

    node: str = knob(OneOf("Node", names_up), ORCHESTRATOR)


@dataclass(frozen=True, slots=True)
class Restart:
    """A node comes back with what is on its disk."""

    node: str = knob(OneOf("Node", names_down), ORCHESTRATOR)


@dataclass(frozen=True, slots=True)
class Inspect:
    """The auditor asks all four services about the newest order."""


Happening: TypeAlias = (
    Deliver | Worked | Written | Alarm | Resend | Arrive | Audit | AuditAlarm | Place | Crash
    | Restart | Inspect
)  # fmt: skip


# --- Looking things up ----------------------------------------------------------------------------


def orchestrated(params: Params) -> bool:
    return params.coordination == ORCHESTRATION


def nodes_of(state: State) -> tuple[str, ...]:
    """The nodes that take part and can crash; the auditor only looks."""
    return (ORCHESTRATOR, *SERVICES) if orchestrated(state.params) else SERVICES


def door_of(params: Params) -> str:
    """The node that takes customers' orders."""
    return ORCHESTRATOR if orchestrated(params) else ORDERS


def service_of(step: int) -> str:
    """The service that does a step."""
    return SERVICES[step] if step < len(SERVICES) else ORDERS


def pivot_of(params: Params) -> int:
    """The number of the pivot step."""
    return SAGA.index(params.pivot)


def words_of(step: int, undo: bool = False) -> str:
    """What a step, or its compensation, does: "charge $49.99"."""
    if step == LAST:
        return "confirm the order"
    return STEPS[step].undo if undo else STEPS[step].do


def participant_of(state: State, name: str) -> Participant:
    return state.participants[SERVICES.index(name)]


def with_participant(state: State, participant: Participant) -> State:
    at = SERVICES.index(participant.name)
    others = state.participants
    return replace(state, participants=(*others[:at], participant, *others[at + 1 :]))


def order_of(state: State, order: int) -> Order:
    return state.orders[order - 1]


def with_order(state: State, order: Order) -> State:
    at = order.order - 1
    return replace(state, orders=(*state.orders[:at], order, *state.orders[at + 1 :]))


def noted(participant: Participant, *records: Record) -> Participant:
    """The participant with more in its log, of which it keeps the newest."""
    return replace(participant, log=(*participant.log, *records)[-RECORDS_MAX:])


def ended(state: State, number: int, outcome: str, now_ms: int) -> State:
    """The saga of an order is over, and its customer is told; once over, it stays so."""
    order = order_of(state, number)
    if order.outcome:
        return state
    return with_order(state, replace(order, outcome=outcome, done_ms=now_ms, begun=True))


def about(books: Databases, order: int) -> Databases:
    """The databases with nothing but the rows of one order, which are few."""
    return tuple(
        replace(book, rows=tuple(row for row in book.rows if row.order == order), keys=())
        for book in books
    )


def backoff_ms(attempt: int) -> int:
    """The time (ms) before the next try after so many: twice as long each time, up to a limit."""
    return min(BACKOFF_MAX_MS, BACKOFF_MS << min(attempt - 1, 10))


def post(state: State, ctx: Context, source: str, target: str, order: int, body: Any) -> State:
    """A message of the saga is sent, and counted for its order."""
    about = order_of(state, order)
    state = with_order(state, replace(about, messages=about.messages + 1))
    return replace(state, network=send(state.network, ctx, source, target, body))


def lose_newest(state: State) -> State:
    """What was sent last (with its copy) will not arrive."""
    network = state.network
    newest = network.in_flight[-1]
    in_flight = tuple(
        replace(m, lost="loss") if m.body is newest.body else m for m in network.in_flight
    )
    return replace(state, network=replace(network, in_flight=in_flight))


def loses_answer(state: State, task: Task) -> tuple[State, bool]:
    """Whether the answer to a task is one of those that the reader has chosen to be lost."""
    params, order = state.params, order_of(state, task.order)
    chosen = params.how == ANSWER_LOST and params.fails == SAGA[task.step] and not task.undo
    if not chosen or order.lost_answers >= params.failures:
        return state, False
    return with_order(state, replace(order, lost_answers=order.lost_answers + 1)), True


def given_up(state: State, number: int, step: int) -> State:
    """A step of an order was given up before anybody knew whether it works."""
    return with_order(state, replace(order_of(state, number), given_up=step))
