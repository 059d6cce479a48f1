"""What the run consists of: a service with its database, a relay, a broker, and a consumer.

`Service`, `Relay`, `Broker` and `Consumer` are processes that lose their memory in a crash; what
they have on disk is marked, and survives. The orders' database, with the outbox inside, is on the
service's disk; the relay reads and marks it there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from ...kernel import Choice, Deliver, Network, Number, OneOf, Switch, is_up, knob, on_disk, replace
from ...order_book import ORDERS, PRICE_CENTS, SHIPPING, Database, Finding, orders_in, standing

RELAY, BROKER = "Relay", "Broker"
NODES = (ORDERS, RELAY, BROKER, SHIPPING)
LATENCY_MS = (8, 12)
# A local transaction, and the time from one deed of a process to its next: long enough to crash in.
WORK_MS = 8
# How long a publisher waits for the broker, and the broker for the consumer, before it tries again.
PATIENCE_MS = 50
NEVER = -1

DATABASE_FIRST, BROKER_FIRST, OUTBOX = "database_first", "broker_first", "outbox"
WAYS = {
    DATABASE_FIRST: "database, then broker",
    BROKER_FIRST: "broker, then database",
    OUTBOX: "outbox and relay",
}
# What a service does with an order at the moment, and the relay with an event.
COMMITTING, PUBLISHING, WAITING, MARKING = "committing", "publishing", "waiting", "marking"


@dataclass(frozen=True, slots=True)
class Params:
    """How events are published and taken, and how the network behaves."""

    publish: str = knob(Choice("How the event is published", WAYS), OUTBOX)
    idempotent: bool = knob(
        Switch("Idempotent consumer", hint="It remembers the events that it has worked on."), True
    )
    poll_ms: int = knob(Number("The relay looks every", 10, 200, step=10, unit="ms"), 40)
    loss: float = knob(Number("Messages lost", 0, 0.5, step=0.05), 0.0)
    duplication: float = knob(Number("Messages that come twice", 0, 0.5, step=0.05), 0.0)


# --- Messages and events --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Publish:
    """“Order created”, to the broker; the event's id is the number of its order."""

    order: int


@dataclass(frozen=True, slots=True)
class Published:
    """The broker has the event in its log."""

    order: int


@dataclass(frozen=True, slots=True)
class Handed:
    """The broker hands the event at this offset to the consumer."""

    offset: int
    order: int


@dataclass(frozen=True, slots=True)
class Taken:
    """The consumer has worked on the event at this offset."""

    offset: int
    order: int


@dataclass(frozen=True, slots=True)
class PlaceOrder:
    """A customer orders; the database may refuse the transaction when it is to commit."""

    refused: bool = knob(Switch("the database refuses it"), False)


@dataclass(frozen=True, slots=True)
class Work:
    """The service goes on with an order, if that is still due."""

    order: int


@dataclass(frozen=True, slots=True)
class Poll:
    """The relay looks into the outbox, if it is time."""


@dataclass(frozen=True, slots=True)
class Relaying:
    """The relay goes on with its event, if that is still due."""


@dataclass(frozen=True, slots=True)
class HandAgain:
    """The broker has waited long enough for the consumer."""


def names_up(state: State) -> tuple[str, ...]:
    """The processes that are up."""
    return tuple(name for name in NODES if is_up(state.network, name))


@dataclass(frozen=True, slots=True)
class Crash:
    """The reader stops a process."""

    node: str = knob(OneOf("Process", names_up), ORDERS)


@dataclass(frozen=True, slots=True)
class Restart:
    """The reader starts a process again."""

    node: str = knob(OneOf("Process", lambda state: state.network.down), ORDERS)


Event: TypeAlias = Deliver | PlaceOrder | Work | Poll | Relaying | HandAgain | Crash | Restart


# --- State ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Job:
    """An order in the memory of the service: `stage` and when it is due to go on."""

    order: int
    stage: str
    due_ms: int
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the outbox: the event of an order, and whether it is marked as sent."""

    order: int
    sent: bool = False


NO_ORDERS, NO_LABELS = Database(ORDERS), Database(SHIPPING)


@dataclass(frozen=True, slots=True)
class Service:
    """`database` and `outbox` are on one disk, and one local transaction can change both."""

    database: Database = on_disk(NO_ORDERS)  # noqa: RUF009  # a value that is frozen
    outbox: tuple[Entry, ...] = on_disk(())
    jobs: tuple[Job, ...] = ()


@dataclass(frozen=True, slots=True)
class Relay:
    """It works on one event at a time; `stage` is `WAITING`, `MARKING` or nothing."""

    order: int = 0
    stage: str = ""
    due_ms: int = NEVER
    poll_ms: int = NEVER


@dataclass(frozen=True, slots=True)
class Broker:
    """`log` holds the order of each event, by offset; `committed` is the first offset not taken."""

    log: tuple[int, ...] = on_disk(())
    committed: int = on_disk(0)
    due_ms: int = NEVER


@dataclass(frozen=True, slots=True)
class Consumer:
    """Labels and, if it is idempotent, the ids of the events behind them: one local transaction."""

    database: Database = on_disk(NO_LABELS)  # noqa: RUF009  # a value that is frozen


@dataclass(frozen=True, slots=True)
class State:
    """`placed` counts the orders that were asked for, `turned_away` those that found no service."""

    params: Params
    network: Network
    service: Service = Service()
    relay: Relay = Relay()
    broker: Broker = Broker()
    consumer: Consumer = Consumer()
    placed: int = 0
    turned_away: int = 0

    @property
    def books(self) -> tuple[Database, ...]:
        """The databases of the orders and of shipping."""
        return self.service.database, self.consumer.database


def status(state: State, node: str) -> str:
    """What a process is at: "down", "idle", or the stage of its newest work."""
    if not is_up(state.network, node):
        return "down"
    if node == ORDERS and state.service.jobs:
        return state.service.jobs[-1].stage
    if node == RELAY and state.relay.stage:
        return state.relay.stage
    return WAITING if node == BROKER and state.broker.due_ms != NEVER else "idle"


def log(state: State, node: str) -> tuple[Entry, ...] | tuple[int, ...]:
    """A process's durable log: the outbox of the service, the events of the broker."""
    if node == ORDERS:
        return state.service.outbox
    return state.broker.log if node == BROKER else ()


def job_of(state: State, order: int) -> Job | None:
    """What the service is about to do for an order, if anything."""
    return next((job for job in state.service.jobs if job.order == order), None)


def with_job(state: State, job: Job) -> State:
    """The state with one job in the service's memory changed."""
    jobs = tuple(job if old.order == job.order else old for old in state.service.jobs)
    return replace(state, service=replace(state.service, jobs=jobs))


def without_job(state: State, order: int) -> State:
    """The state after the service is done with an order."""
    jobs = tuple(job for job in state.service.jobs if job.order != order)
    return replace(state, service=replace(state.service, jobs=jobs))


# --- What must hold -------------------------------------------------------------------------------


def is_committed(state: State, order: int) -> bool:
    """Whether an order is in the orders' database."""
    return standing(state.service.database, order) > 0


def forgotten(state: State) -> tuple[int, ...]:
    """Committed orders whose event is nowhere, so that nobody will ever hear of them."""
    flying = [message for message in state.network.in_flight if not message.lost]
    alive = [message.body.order for message in flying if isinstance(message.body, Publish)]
    alive += [entry.order for entry in state.service.outbox if not entry.sent]
    alive += [job.order for job in state.service.jobs]
    known = {*state.broker.log, *alive}
    return tuple(order for order in orders_in((state.service.database,)) if order not in known)


def phantoms(state: State) -> tuple[int, ...]:
    """Orders in the broker's log that do not exist, and that no open transaction can still make."""
    known = {job.order for job in state.service.jobs}
    known |= set(orders_in((state.service.database,)))
    return tuple(order for order in dict.fromkeys(state.broker.log) if order not in known)


def twice(state: State) -> tuple[int, ...]:
    """Orders with more than one label."""
    orders = [row.order for row in state.consumer.database.rows]
    if len(set(orders)) == len(orders):
        return ()
    return tuple(order for order in dict.fromkeys(orders) if orders.count(order) > 1)


def in_order(state: State) -> bool:
    """Whether the events came into the log in the order in which they were committed."""
    firsts = list(dict.fromkeys(state.broker.log))
    outbox = [entry.order for entry in state.service.outbox]
    return firsts == outbox[: len(firsts)]


def wrong(state: State) -> tuple[Finding, ...]:
    """What is wrong with orders, in money; cents as in `order_book.Finding`."""
    found = [
        Finding(order, f"order {order} is paid and never ships: its event is nowhere", PRICE_CENTS)
        for order in forgotten(state)
    ]
    for order in phantoms(state):
        labels = standing(state.consumer.database, order)
        what = "a shipment label" if labels else "an event"
        text = f"{what} for order {order}, which does not exist"
        found.append(Finding(order, text, -PRICE_CENTS * bool(labels)))
    for order in twice(state):
        labels = standing(state.consumer.database, order)
        found.append(
            Finding(
                order, f"{labels} shipment labels for order {order}", PRICE_CENTS * (1 - labels)
            )
        )
    return tuple(found)
