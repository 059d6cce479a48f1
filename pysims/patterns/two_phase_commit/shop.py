"""What is in the state of a run of two-phase commit, and what follows from it.

A coordinator and the four services of the order book. A node's log is on its disk, and so is a
service's database; locks, votes counted and everything else under way are in memory and are gone
after a crash. A record that is not forced waits in memory for the next one that is.

Simplified: what a transaction changes is written into the database with its commit record, as if
redone from the log at once, so a crash never finds a database half changed; the customer stands
beside the coordinator; all clocks run equally fast; and what is over is cut off a log now and then,
as after a checkpoint.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from ...kernel import (
    Choice,
    Context,
    Deliver,
    Latency,
    Link,
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
    STOCK,
    Customer,
    Database,
    Databases,
    Placed,
    Read,
)
from .locks import Locks
from .rules import ABORT, ABORTED, COMMIT, COMMITTED, PREPARED, WORKING, Poll

COORDINATOR, AUDITOR = "Coordinator", "Auditor"
LATENCY_MS = (8, 12)
# The coordinator's forced write of a decision; a participant's is part of its `work_ms`.
LOG_MS = 1
END = "end"
WAITING = "waiting"
STOCK_ROW = "the widget's row"
DECISIONS = {ABORT: "abort", COMMIT: "commit"}
CARDS = {"good": "good card", "declined": "card declined"}
STATUSES = {COMMIT: COMMITTED, ABORT: ABORTED}
KINDS = {COMMITTED: COMMIT, ABORTED: ABORT}
"""Status of whoever has decided → the kind of its record, and back."""
NO_DATABASE, NO_LOCKS = Database(""), Locks()
# A log is cut to the newest so many records, and those of orders that are still open, when it has
# twice as many; so many unforced ones fill a page, which is then written.
RECORDS_KEPT = 24


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader sets before the run; times in ms, shares from 0 to 1."""

    decides_alone: bool = knob(
        Switch("In doubt, decide alone", hint="After its patience, without the coordinator."),
        False,
    )
    alone: str = knob(Choice("Alone it decides to", DECISIONS), ABORT)
    patience_ms: int = knob(Number("Patience in doubt", 20, 2_000, step=10, unit="ms"), 100)
    slow_ms: int = knob(Number("Shipping is farther by", 0, 200, step=5, unit="ms one way"), 0)
    work_ms: int = knob(Number("A service's work takes", 1, 100, unit="ms"), 5)
    lock_wait_ms: int = knob(
        Number("A lock is waited for", 50, 2_000, step=50, unit="ms", hint="Then: no."), 500
    )
    vote_timeout_ms: int = knob(Number("Votes are awaited for", 50, 3_000, step=10, unit="ms"), 600)
    retry_ms: int = knob(Number("Asked or told again after", 20, 1_000, step=10, unit="ms"), 200)
    orders_per_s: float = knob(Number("Customers", 0, 100, step=0.5, unit="a second"), 0.0)
    customers_ms: int = knob(Number("They come for", 500, 20_000, step=500, unit="ms"), 8_000)
    declined: float = knob(Number("Cards declined", 0.0, 1.0, step=0.01, hint="As a share."), 0.0)
    reads_per_s: float = knob(Number("Auditors", 0, 50, step=0.5, unit="a second"), 0.0)
    loss: float = knob(Number("Messages lost", 0.0, 0.5, step=0.05, hint="As a share."), 0.0)
    duplication: float = knob(
        Number("Messages arriving twice", 0.0, 0.5, step=0.05, hint="As a share."), 0.0
    )
    stock: int = knob(Number("Stock", 0, 1_000, unit="widgets"), STOCK)


# --- Nodes ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Record:
    """A line of a log: prepared, commit, abort or end; `alone` if nobody else was asked."""

    order: int
    kind: str
    at_ms: int
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Transaction:
    """What the coordinator remembers of an order that is under way.

    `writing_ms` is when its commit record will be on disk, `deadline_ms` when it asks or tells
    again, `give_up_ms` when it aborts for want of votes.
    """

    order: int
    declined: bool
    poll: Poll
    deadline_ms: int
    give_up_ms: int
    writing_ms: int = OPEN
    acked: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Coordinator:
    """It decides. `alarm_ms` is when its next alarm is due, or `OPEN`."""

    name: str = COORDINATOR
    log: tuple[Record, ...] = on_disk(())
    unforced: tuple[Record, ...] = ()
    transactions: tuple[Transaction, ...] = ()
    alarm_ms: int = OPEN


@dataclass(frozen=True, slots=True)
class Work:
    """What a participant does for an order that is not decided.

    `due_ms` is when its work is done, or `OPEN` while it waits for a lock; `deadline_ms` is when
    it has waited enough for a lock, or, in doubt, asks the coordinator again; `alone_ms` is when
    it decides by itself, or `OPEN`.
    """

    order: int
    declined: bool
    since_ms: int
    status: str = WORKING
    due_ms: int = OPEN
    deadline_ms: int = OPEN
    alone_ms: int = OPEN


@dataclass(frozen=True, slots=True)
class Participant:
    """A service that takes part in every order; its database and its log are on disk."""

    name: str
    database: Database = on_disk(NO_DATABASE)  # noqa: RUF009 (a frozen value, shared by all)
    log: tuple[Record, ...] = on_disk(())
    unforced: tuple[Record, ...] = ()
    works: tuple[Work, ...] = ()
    locks: Locks = NO_LOCKS
    alarm_ms: int = OPEN

    @property
    def status(self) -> str:
        """Where it is with the newest order that it knows of; "" before the first."""
        orders = [work.order for work in self.works]
        orders += [record.order for record in (*self.log[-1:], *self.unforced[-1:])]
        return status_in(self, max(orders)) if orders else ""


@dataclass(frozen=True, slots=True)
class Reading:
    """An auditor's look that is under way: `number` is its place in `State.reads`.

    `attempt` is its number on the wire; at `deadline_ms` it starts over with another. `answers` are
    pairs (service, status of the order's row or "").
    """

    number: int
    order: int
    attempt: int
    deadline_ms: int
    answers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Auditor:
    """All auditors, at one desk, which does not crash."""

    readings: tuple[Reading, ...] = ()
    attempts: int = 0
    alarm_ms: int = OPEN


@dataclass(frozen=True, slots=True)
class Tally:
    """How many times were measured, their sum and the longest (ms)."""

    count: int = 0
    total_ms: int = 0
    longest_ms: int = 0


@dataclass(frozen=True, slots=True)
class Fall:
    """A property that did not hold, for an order, and what was seen."""

    property: str
    order: int
    text: str


@dataclass(frozen=True, slots=True)
class State:
    """Everything.

    `crowd` is how many customers come by themselves, of whom `customers` are still to come; `own`
    is how many orders the reader has placed.
    `refusals` are pairs (order, why) for the picture; `lose_next` are the targets whose next
    message is lost; `holds`, `row_holds` and `waits` measure how long any lock of an order and the
    one of the widget's row were held, and how long orders waited for one. `falls` is what
    `safety` has seen.
    """

    params: Params
    network: Network
    coordinator: Coordinator
    participants: tuple[Participant, ...]
    customers: tuple[Customer, ...] = ()
    crowd: int = 0
    own: int = 0
    placed: tuple[Placed, ...] = ()
    reads: tuple[Read, ...] = ()
    auditor: Auditor = Auditor()
    refusals: tuple[tuple[int, str], ...] = ()
    lose_next: tuple[str, ...] = ()
    holds: Tally = Tally()
    row_holds: Tally = Tally()
    waits: Tally = Tally()
    falls: tuple[Fall, ...] = ()

    @property
    def books(self) -> Databases:
        """The databases of all services as they are on disk: a row for each order in it."""
        return tuple(member.database for member in self.participants)


# --- Messages -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Prepare:
    """Do your part of this order, and say whether you can commit it."""

    order: int
    declined: bool


@dataclass(frozen=True, slots=True)
class Vote:
    """Yes: prepared. No: aborted, and `why`."""

    order: int
    yes: bool
    why: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """Commit or abort."""

    order: int
    decision: str


@dataclass(frozen=True, slots=True)
class Ack:
    """The commit record is on this participant's disk."""

    order: int


@dataclass(frozen=True, slots=True)
class Inquiry:
    """A participant in doubt asks what was decided."""

    order: int


@dataclass(frozen=True, slots=True)
class Ask:
    """An auditor asks for the row of an order."""

    attempt: int
    order: int


@dataclass(frozen=True, slots=True)
class Answer:
    """The status of the row, or "" if there is none; it stays as it is until the release."""

    attempt: int
    status: str


@dataclass(frozen=True, slots=True)
class Release:
    """The auditor has all answers, or gives up."""

    attempt: int


# --- Events ---------------------------------------------------------------------------------------


def nodes(state: State) -> tuple[str, ...]:
    """The nodes that can crash."""
    return (COORDINATOR, *(member.name for member in state.participants))


def nodes_up(state: State) -> tuple[str, ...]:
    """Those that have not crashed."""
    return tuple(name for name in nodes(state) if is_up(state.network, name))


@dataclass(frozen=True, slots=True)
class Customers:
    """The next customer comes."""


@dataclass(frozen=True, slots=True)
class Auditors:
    """Somebody asks all services about the newest order."""


@dataclass(frozen=True, slots=True)
class Worked:
    """A service's work on an order is done; stale if it was given up meanwhile."""

    node: str
    order: int


@dataclass(frozen=True, slots=True)
class Logged:
    """The commit record of an order is on the coordinator's disk; stale after a crash."""

    order: int


@dataclass(frozen=True, slots=True)
class Alarm:
    """The earliest deadline of a node; stale if it is not the one that the node waits for."""

    node: str


@dataclass(frozen=True, slots=True)
class PlaceOrder:
    """A customer orders one widget."""

    card: str = knob(Choice("Card", CARDS), "good")


@dataclass(frozen=True, slots=True)
class Crash:
    """A node stops and forgets what is not on its disk."""

    node: str = knob(OneOf("Node", nodes_up), "")


@dataclass(frozen=True, slots=True)
class Restart:
    """A node comes back with what is on its disk."""

    node: str = knob(OneOf("Node", lambda state: state.network.down), "")


@dataclass(frozen=True, slots=True)
class LoseNext:
    """The next message that is sent to a node is lost."""

    node: str = knob(OneOf("Next message to", nodes), "")


@dataclass(frozen=True, slots=True)
class SetLoss:
    """From now on this share of the messages is lost."""

    loss: float = knob(Number("Messages lost", 0.0, 0.5, step=0.05, hint="As a share."), 0.0)


Node = TypeVar("Node", Participant, Coordinator)
Event: TypeAlias = (
    Deliver
    | Customers
    | Auditors
    | Worked
    | Logged
    | Alarm
    | PlaceOrder
    | Crash
    | Restart
    | LoseNext
    | SetLoss
)


# --- What follows from the state ------------------------------------------------------------------


def participant_of(state: State, name: str) -> Participant:
    """The participant of this name; `ValueError` names those that there are."""
    for member in state.participants:
        if member.name == name:
            return member
    known = ", ".join(member.name for member in state.participants)
    raise ValueError(f"participant must be one of {known}, got {name[:40]!r}")


def work_of(member: Participant, order: int) -> Work | None:
    """What a participant is doing for an order, if it is under way."""
    return next((work for work in member.works if work.order == order), None)


def decision_of(node: Participant | Coordinator, order: int) -> str:
    """The decision about an order that a node has on record, forced or not; "" if none.

    Of what was cut off its log, a participant still has the rows that it committed.
    """
    for records in (node.unforced, node.log):
        for record in reversed(records):
            if record.order == order and record.kind in STATUSES:
                return record.kind
    return COMMIT if isinstance(node, Participant) and has_row(node, order) else ""


def has_row(member: Participant, order: int) -> bool:
    """Whether a participant has committed an order, by its database."""
    return any(row.order == order for row in reversed(member.database.rows))


def is_prepared(member: Participant, order: int) -> bool:
    """Whether a participant's disk holds its promise to commit an order if told to, or more."""
    promised = any(r.order == order and r.kind == PREPARED for r in reversed(member.log))
    return promised or has_row(member, order)


def status_in(member: Participant, order: int) -> str:
    """Where a participant is: waiting, working, prepared, committed, aborted, or ""."""
    work = work_of(member, order)
    if work is not None:
        return WAITING if work.status == WORKING and work.due_ms == OPEN else work.status
    decision = decision_of(member, order)
    if decision:
        return STATUSES[decision]
    return PREPARED if is_prepared(member, order) else ""


def in_doubt(state: State) -> tuple[int, ...]:
    """The orders that some participant has promised to commit and has no decision about."""
    found = {w.order for m in state.participants for w in m.works if w.status == PREPARED}
    for member in state.participants:
        if not is_up(state.network, member.name):
            found.update(undecided(member))
    return tuple(sorted(found))


def undecided(member: Participant) -> tuple[int, ...]:
    """The orders whose promise is in a participant's log without a decision."""
    decided = {record.order for record in member.log if record.kind in STATUSES}
    return tuple(
        record.order
        for record in member.log
        if record.kind == PREPARED and record.order not in decided
    )


def is_quiet(state: State) -> bool:
    """Whether nothing is under way: no message, no order without an answer, no lock, no doubt."""
    return not (
        state.network.in_flight
        or state.coordinator.transactions
        or state.auditor.readings
        or any(member.works or member.locks.held for member in state.participants)
        or in_doubt(state)
        or any(not order.outcome for order in state.placed)
    )


def reading_ms(params: Params) -> int:
    """How long an auditor's attempt may take: there and back to the farthest, and one lock wait."""
    return params.lock_wait_ms + 2 * (LATENCY_MS[1] + params.slow_ms)


def newest(state: State) -> int:
    """The number of the order that was placed last, or 0."""
    return state.placed[-1].order if state.placed else 0


# --- Transitions that all nodes use ---------------------------------------------------------------


def slow_links(slowest: str, slow_ms: int) -> tuple[Link, ...]:
    """The links of a participant that is farther away than the others, both ways."""
    low, high = LATENCY_MS
    latency = Latency.uniform(low + slow_ms, high + slow_ms)
    return tuple(
        Link(*pair, latency)
        for other in (COORDINATOR, AUDITOR)
        for pair in ((other, slowest), (slowest, other))
        if slow_ms
    )


def post(state: State, source: str, target: str, body: object, ctx: Context) -> State:
    """A message goes out; it is lost if the reader wanted the next one to its target lost."""
    network = state.network
    if target not in state.lose_next:
        return replace(state, network=send(network, ctx, source, target, body))
    loses = send(replace(network, loss=1.0), ctx, source, target, body)
    left = tuple(name for name in state.lose_next if name != target)
    return replace(state, network=replace(loses, loss=network.loss), lose_next=left)


def with_participant(state: State, member: Participant) -> State:
    """The state with one participant replaced."""
    participants = tuple(member if old.name == member.name else old for old in state.participants)
    return replace(state, participants=participants)


def with_work(member: Participant, work: Work) -> Participant:
    """The participant with this work, new or changed."""
    others = tuple(old for old in member.works if old.order != work.order)
    return replace(member, works=(*others, work))


def forced(node: Node, record: Record) -> Node:
    """The node with a record on disk, and with it all that waited for a forced write."""
    log = (*node.log, *node.unforced, record)
    if len(log) > 2 * RECORDS_KEPT:
        # A participant is done with what it has decided, the coordinator when all have told it so.
        log = cut_off(log, (ABORT, END if node.name == COORDINATOR else COMMIT))
    return replace(node, log=log, unforced=())


def not_forced(node: Node, record: Record) -> Node:
    """The node with a record that waits in memory for the next forced write, or a full page."""
    if len(node.unforced) >= RECORDS_KEPT:
        return forced(node, record)
    return replace(node, unforced=(*node.unforced, record))


def cut_off(log: tuple[Record, ...], over: tuple[str, ...]) -> tuple[Record, ...]:
    """A log without its oldest records, but for those of orders that a recovery would need."""
    old, kept = log[:-RECORDS_KEPT], log[-RECORDS_KEPT:]
    finished = {record.order for record in log if record.kind in over}
    return (*(record for record in old if record.order not in finished), *kept)


def measured(tally: Tally, ms: int) -> Tally:
    """The tally with one time more."""
    return Tally(tally.count + 1, tally.total_ms + ms, max(tally.longest_ms, ms))


def told(state: State, order: int, outcome: str, now_ms: int) -> State:
    """The customer of an order learns what became of it."""
    placed = tuple(
        replace(p, done_ms=now_ms, outcome=outcome) if p.order == order and not p.outcome else p
        for p in state.placed
    )
    return replace(state, placed=placed)


def keys_of(service: str, order: int) -> tuple[str, ...]:
    """The rows that a service changes for an order, in the order in which it locks them.

    Its own row comes first, so that an auditor who asks for it waits until the order is decided,
    instead of holding it while the order waits for the widget.
    """
    own = row_of(order)
    return (own, STOCK_ROW) if service == INVENTORY else (own,)


def row_of(order: int) -> str:
    """The name of an order's row; it can be locked before it exists, as key-range locks do."""
    return f"the row of order {order}"
