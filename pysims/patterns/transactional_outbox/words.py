"""What happened, and what there is to see, in sentences."""

from __future__ import annotations

from ...kernel import Deliver, Message, is_up
from ...order_book import ORDERS, SHIPPING, orders_in, standing
from ...phrases import listed, many
from .parts import (
    BROKER,
    BROKER_FIRST,
    COMMITTING,
    DATABASE_FIRST,
    MARKING,
    NODES,
    OUTBOX,
    PATIENCE_MS,
    PUBLISHING,
    RELAY,
    WAITING,
    WAYS,
    Crash,
    Event,
    HandAgain,
    Handed,
    PlaceOrder,
    Poll,
    Publish,
    Published,
    Relaying,
    Restart,
    State,
    Taken,
    Work,
    forgotten,
    is_committed,
    job_of,
    phantoms,
    status,
    twice,
    wrong,
)


def describe(before: State | None, event: Event | None, after: State) -> str:
    """What an event did, in a sentence; without an event, how the run starts."""
    if before is None or event is None:
        return start_text(after)
    match event:
        case Deliver(message):
            return of_message(before, message, after)
        case Work(order):
            return of_work(before, order, after)
        case Poll():
            return of_poll(before, after)
        case Relaying():
            return of_relaying(before, after)
        case HandAgain():
            if after is before:
                return "An alarm that no longer matters."
            return f"{PATIENCE_MS} ms without an answer: the broker hands the event out again."
    return of_the_reader(before, event, after)


def start_text(state: State) -> str:
    way = WAYS[state.params.publish]
    how = "remembers events" if state.params.idempotent else "does not remember events"
    return f"How orders become events: {way}. The consumer {how}. Nobody has ordered yet."


def of_the_reader(before: State, event: Event, after: State) -> str:
    match event:
        case PlaceOrder(refused):
            return of_order(before, refused, after)
        case Crash(node):
            return f"{node} crashes{of_loss(before, node)}"
        case Restart(node):
            return f"{node} is up again, {kept(after, node)}."
    raise ValueError(f"transactional_outbox has no event {event!r}")


def of_order(before: State, refused: bool, after: State) -> str:
    if after.turned_away > before.turned_away:
        return "A customer is turned away: the service is down."
    fate = ", which the database will refuse" if refused else ""
    return f"A customer places order {after.placed}{fate}. {next_deed(after, after.placed)}"


def next_deed(state: State, order: int) -> str:
    """What the service does first with a new order."""
    if state.params.publish == BROKER_FIRST:
        return "The service publishes first and commits later."
    if state.params.publish == OUTBOX:
        return "One transaction: the order’s row, and the event’s row in the outbox."
    return "The service commits first and publishes later."


def of_loss(before: State, node: str) -> str:
    """What a crash costs."""
    if node == ORDERS and before.service.jobs:
        parts = []
        for job in before.service.jobs:
            if not is_committed(before, job.order):
                parts.append(f"the transaction of order {job.order} is rolled back")
            elif job.stage in (PUBLISHING, WAITING):
                parts.append(f"it forgets that order {job.order} has to be published")
        return f": {listed(parts)}."
    if node == RELAY and before.relay.stage:
        return f" at work on the event of order {before.relay.order}, which is not marked yet."
    return "."


def kept(state: State, node: str) -> str:
    """What a process starts from."""
    return {
        ORDERS: "with its database as it was, and nothing in memory",
        RELAY: "and will look into the outbox",
        BROKER: f"with {many(len(state.broker.log), 'event')} in its log",
        SHIPPING: f"with {many(len(state.consumer.database.rows), 'label')} in its database",
    }[node]


# --- The service and the relay --------------------------------------------------------------------


def of_work(before: State, order: int, after: State) -> str:
    """What the service did for an order."""
    old, new = job_of(before, order), job_of(after, order)
    if after is before or old is None:
        return "An alarm that no longer matters."
    if old.stage == COMMITTING and old.refused:
        out = " Its event is out already." if order in before.broker.log else ""
        return f"The database refuses order {order}: the transaction is rolled back.{out}"
    if old.stage == COMMITTING:
        ends = {
            DATABASE_FIRST: " Now the event has to be published.",
            OUTBOX: " The same transaction has put its event into the outbox.",
        }
        return f"Order {order} is committed.{ends.get(after.params.publish, '')}"
    again = " again" if old.stage == WAITING else ""
    return f"The service publishes{again}: “order {order} created”." * (new is not None)


def of_poll(before: State, after: State) -> str:
    if after is before:
        return "A look into the outbox that is no longer due."
    if before.relay.stage:
        return f"The relay is still at work on the event of order {before.relay.order}."
    if after.relay.stage:
        return f"The relay finds the event of order {after.relay.order} and publishes it."
    return "The relay looks into the outbox: nothing to send."


def of_relaying(before: State, after: State) -> str:
    if after is before:
        return "An alarm that no longer matters."
    relay = before.relay
    if relay.stage == WAITING:
        waited = f"{PATIENCE_MS} ms without an answer of the broker"
        return f"{waited}: the relay publishes the event of order {after.relay.order} again."
    text = f"The relay marks the event of order {relay.order} as sent"
    return f"{text}, and publishes the next." if after.relay.stage else f"{text}."


# --- Messages -------------------------------------------------------------------------------------

WHAT = {
    Publish: "The event",
    Published: "The broker’s “I have it”",
    Handed: "The event on its way to Shipping",
    Taken: "Shipping’s “done”",
}


def of_message(before: State, sent: Message, after: State) -> str:
    message = next((m for m in before.network.in_flight if m.id == sent.id), sent)
    what = f"{WHAT[type(message.body)]} of order {message.body.order}"
    if message.lost:
        return f"{what} is lost on the way."
    if not is_up(before.network, message.target):
        return f"{what} finds {message.target} down."
    match message.body:
        case Publish(order):
            again = " once more" if order in before.broker.log else ""
            offset = len(before.broker.log)
            return (
                f"The broker writes “order {order} created” into its log{again}: offset {offset}."
            )
        case Published(order):
            return of_published(before, message.target, order, after)
        case Handed(_, order):
            return of_handed(before, order, after)
    if after.broker.committed == before.broker.committed:
        return f"{what} comes once more and says nothing new."
    return f"The broker notes that Shipping has taken offset {before.broker.committed}."


def of_published(before: State, target: str, order: int, after: State) -> str:
    """A publisher hears that the broker has its event."""
    if target == RELAY and after.relay.stage == MARKING and before.relay.stage == WAITING:
        return f"The relay hears that the broker has the event of order {order}; next it marks it."
    old = job_of(before, order)
    if target == ORDERS and old is not None and job_of(after, order) != old:
        if after.params.publish == BROKER_FIRST:
            return f"The service hears that the event is out, and now commits order {order}."
        return f"The service hears that the event of order {order} is out: it is done."
    return f"{target} did not wait for this answer about order {order}."


def of_handed(before: State, order: int, after: State) -> str:
    """The consumer takes an event."""
    if after.consumer.database == before.consumer.database:
        return f"Shipping has worked on event {order} before: no second label."
    again = " one more" if standing(before.consumer.database, order) else " the"
    label = f"Shipping creates{again} label for order {order}"
    exists = is_committed(after, order) or job_of(after, order) is not None
    return f"{label}." if exists else f"{label}, which does not exist."


# --- The picture ----------------------------------------------------------------------------------


def lesson(state: State) -> str:
    """What the run teaches at the moment, in a sentence."""
    if forgotten(state):
        return "Two writes, and a crash between them: the database knows, the broker does not."
    if phantoms(state):
        return "Two writes, and a crash between them: the broker knows, the database does not."
    if twice(state):
        return "At least once is not once: the same event came twice, and so did its effect."
    if len(state.broker.log) > len(set(state.broker.log)):
        return "The log holds an event twice, and its effect is there once."
    if state.params.publish == OUTBOX:
        return "Order and event are one transaction: both are there, or neither is."
    return "Two writes to two systems, and no transaction around both."


def alternative(state: State, now_ms: int) -> str:
    """What a sighted reader sees, as text."""
    text = "; ".join(f"{node}: {status(state, node)}" for node in NODES) + ". "
    orders = [f"#{order}" for order in orders_in((state.service.database,))]
    text += f"Orders in the database: {listed(orders, nobody='none')}. "
    if state.params.publish == OUTBOX:
        unsent = [f"#{entry.order}" for entry in state.service.outbox if not entry.sent]
        text += f"To be sent from the outbox: {listed(unsent, nobody='none')}. "
    log = [f"#{order}" for order in state.broker.log]
    text += f"The broker’s log: {listed(log, nobody='empty')}. "
    labels = [f"#{row.order}" for row in state.consumer.database.rows]
    text += f"Labels: {listed(labels, nobody='none')}. "
    flying = len(state.network.in_flight)
    text += f"{many(flying, 'message')} under way. " if flying else ""
    found = wrong(state)
    if not found:
        return f"{text}Nothing is wrong."
    return text + "Wrong: " + "; ".join(finding.text for finding in found) + "."
