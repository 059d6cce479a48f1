"""The transactional outbox: how a service tells others of what it has committed.

It shows the problem of the dual write. A service that commits an order to its database and then
publishes an event to a broker may crash in between: the order is there, and nobody hears of it. The
other way round, the event is out and the order may be rolled back. The outbox makes one write of
two: the row of the order and the row of the event are in one local transaction. A relay polls the
outbox, publishes, and marks what it has published. If it crashes between the two, it publishes
again, so events arrive at least once, and the consumer must bear that: it remembers the ids of the
events in the same local transaction as their effect.

The relay could read the database's own log of changes instead of polling a table (change data
capture, as Debezium does with its outbox event router). That spares the queries and the marks, and
does not change the guarantee: after a crash it goes on from the last position that it has saved,
and may publish again what it had published since.

Sources: Richardson, "Microservices Patterns", 2018, section 3.3, and
https://microservices.io/patterns/data/transactional-outbox.html; Helland, "Life beyond Distributed
Transactions: an Apostate's Opinion", CIDR 2007 (messages arrive at least once, and an entity
remembers those that it has worked on); Debezium, "Outbox Event Router",
https://debezium.io/documentation/reference/stable/transformations/outbox-event-router.html

Simplified: an order is paid for as it is created; the broker is one node, whose log is never cut
off, hands out one event at a time, and takes a publication that is repeated for a new one.
"""

from __future__ import annotations

from ...kernel import (
    Context,
    Deliver,
    Latency,
    Message,
    arrive,
    check_up,
    crash,
    is_up,
    network_of,
    replace,
    restart,
    restarted,
    send,
)
from ...order_book import ORDERS, SHIPPING, execute
from .parts import (
    BROKER,
    BROKER_FIRST,
    COMMITTING,
    DATABASE_FIRST,
    LATENCY_MS,
    MARKING,
    NEVER,
    NODES,
    OUTBOX,
    PATIENCE_MS,
    PUBLISHING,
    RELAY,
    WAITING,
    WORK_MS,
    Broker,
    Consumer,
    Crash,
    Entry,
    Event,
    HandAgain,
    Handed,
    Job,
    Params,
    PlaceOrder,
    Poll,
    Publish,
    Published,
    Relay,
    Relaying,
    Restart,
    Service,
    State,
    Taken,
    Work,
    job_of,
    with_job,
    without_job,
)


def init(params: Params, ctx: Context) -> State:
    """Empty databases and an empty log; with an outbox, a relay that polls it."""
    network = network_of(NODES, Latency.uniform(*LATENCY_MS), params.loss, params.duplication)
    return poll_later(State(params, network), ctx)


def update(state: State, event: Event, ctx: Context) -> State:
    """The state after an event; `ValueError` for a process that cannot crash or restart now."""
    match event:
        case Deliver(message):
            return delivered(state, message, ctx)
        case PlaceOrder(refused):
            return ordered(state, refused, ctx)
        case Work(order):
            return worked(state, order, ctx)
        case Poll():
            return polled(state, ctx)
        case Relaying():
            return relayed(state, ctx)
        case HandAgain():
            return hand(state, ctx) if state.broker.due_ms == ctx.now_ms else state
        case Crash(node):
            check_up(state.network, node)
            return crashed(state, node)
        case Restart(node):
            check_up(state.network, node, up=False)
            return came_back(state, node, ctx)
    raise ValueError(f"transactional_outbox has no event {event!r}")


def delivered(state: State, message: Message, ctx: Context) -> State:
    """A message reaches its process, unless it was lost or the process is down."""
    network, received = arrive(state.network, message)
    state = replace(state, network=network)
    if received is None:
        return state
    match received.body:
        case Publish(order):
            return appended(state, received.source, order, ctx)
        case Published(order) if received.target == RELAY:
            return relay_heard(state, order, ctx)
        case Published(order):
            return service_heard(state, order, ctx)
        case Handed(offset, order):
            return consumed(state, offset, order, ctx)
        case Taken(offset):
            return taken(state, offset, ctx)
    return state


def post(state: State, source: str, target: str, body: object, ctx: Context) -> State:
    return replace(state, network=send(state.network, ctx, source, target, body))


# --- Crashes --------------------------------------------------------------------------------------


def crashed(state: State, node: str) -> State:
    """A process stops: its memory is gone, and open transactions with it; its disk stays."""
    state = replace(state, network=crash(state.network, node))
    if node == ORDERS:
        return replace(state, service=restarted(state.service, Service()))
    if node == RELAY:
        return replace(state, relay=Relay())
    if node == BROKER:
        return replace(state, broker=restarted(state.broker, Broker()))
    return replace(state, consumer=restarted(state.consumer, Consumer()))


def came_back(state: State, node: str, ctx: Context) -> State:
    """A process starts from its disk: the relay polls again, the broker hands out again."""
    state = replace(state, network=restart(state.network, node))
    if node == RELAY:
        return poll_later(state, ctx)
    return hand(state, ctx) if node == BROKER else state


# --- The service ----------------------------------------------------------------------------------


def ordered(state: State, refused: bool, ctx: Context) -> State:
    """A customer orders; without a service he is turned away."""
    if not is_up(state.network, ORDERS):
        return replace(state, turned_away=state.turned_away + 1)
    first = PUBLISHING if state.params.publish == BROKER_FIRST else COMMITTING
    job = Job(state.placed + 1, first, NEVER, refused)
    jobs = (*state.service.jobs, job)
    state = replace(state, placed=job.order, service=replace(state.service, jobs=jobs))
    return go_on(state, job, first, WORK_MS, ctx)


def go_on(state: State, job: Job, stage: str, in_ms: int, ctx: Context) -> State:
    """The service will go on with an order at that stage."""
    ctx.after(in_ms, Work(job.order))
    return with_job(state, replace(job, stage=stage, due_ms=ctx.now_ms + in_ms))


def worked(state: State, order: int, ctx: Context) -> State:
    """The service does what is due for an order; an alarm of a crashed service is stale."""
    job = job_of(state, order)
    if job is None or job.due_ms != ctx.now_ms:
        return state
    if job.stage != COMMITTING:
        # Due to publish, or no answer of the broker: from memory, as long as there is one.
        state = post(state, ORDERS, BROKER, Publish(order), ctx)
        return go_on(state, job, WAITING, PATIENCE_MS, ctx)
    if job.refused:
        return without_job(state, order)
    state = committed(state, order)
    if state.params.publish == DATABASE_FIRST:
        return go_on(state, job, PUBLISHING, WORK_MS, ctx)
    return without_job(state, order)


def committed(state: State, order: int) -> State:
    """One local transaction: the order and, with an outbox, its event."""
    service = replace(state.service, database=execute(state.service.database, order))
    if state.params.publish == OUTBOX:
        service = replace(service, outbox=(*service.outbox, Entry(order)))
    return replace(state, service=service)


def service_heard(state: State, order: int, ctx: Context) -> State:
    """The broker has the event: the service is done, or commits only now."""
    job = job_of(state, order)
    if job is None or job.stage != WAITING:
        return state
    if state.params.publish == BROKER_FIRST:
        return go_on(state, job, COMMITTING, WORK_MS, ctx)
    return without_job(state, order)


# --- The relay ------------------------------------------------------------------------------------


def poll_later(state: State, ctx: Context) -> State:
    """The relay will look into the outbox; without one it has nothing to do."""
    if state.params.publish != OUTBOX:
        return state
    ctx.after(state.params.poll_ms, Poll())
    return replace(state, relay=replace(state.relay, poll_ms=ctx.now_ms + state.params.poll_ms))


def polled(state: State, ctx: Context) -> State:
    """The relay looks into the outbox, unless it is still at work on an event."""
    if state.relay.poll_ms != ctx.now_ms:
        return state
    state = poll_later(state, ctx)
    return state if state.relay.stage else publish_next(state, ctx)


def publish_next(state: State, ctx: Context) -> State:
    """The relay publishes the oldest event that is not marked, and waits for the broker.

    One at a time and in the order of the outbox, so that the log keeps that order.
    """
    unsent = [entry.order for entry in state.service.outbox if not entry.sent]
    if not unsent:
        return replace(state, relay=replace(state.relay, order=0, stage="", due_ms=NEVER))
    state = post(state, RELAY, BROKER, Publish(unsent[0]), ctx)
    return relay_at(state, unsent[0], WAITING, PATIENCE_MS, ctx)


def relay_at(state: State, order: int, stage: str, in_ms: int, ctx: Context) -> State:
    ctx.after(in_ms, Relaying())
    due_ms = ctx.now_ms + in_ms
    return replace(state, relay=replace(state.relay, order=order, stage=stage, due_ms=due_ms))


def relay_heard(state: State, order: int, ctx: Context) -> State:
    """The broker has the event: now, and not before, the relay may mark it as sent."""
    if (state.relay.stage, state.relay.order) != (WAITING, order):
        return state
    return relay_at(state, order, MARKING, WORK_MS, ctx)


def relayed(state: State, ctx: Context) -> State:
    """The relay marks its event and takes the next, or publishes again without an answer."""
    relay = state.relay
    if relay.due_ms != ctx.now_ms:
        return state
    if relay.stage == MARKING:
        outbox = tuple(
            replace(entry, sent=True) if entry.order == relay.order else entry
            for entry in state.service.outbox
        )
        state = replace(state, service=replace(state.service, outbox=outbox))
    return publish_next(state, ctx)


# --- The broker and the consumer ------------------------------------------------------------------


def appended(state: State, source: str, order: int, ctx: Context) -> State:
    """An event gets the next offset, and its publisher hears so. Who repeats it gets another."""
    state = replace(state, broker=replace(state.broker, log=(*state.broker.log, order)))
    state = post(state, BROKER, source, Published(order), ctx)
    return state if state.broker.due_ms != NEVER else hand(state, ctx)


def hand(state: State, ctx: Context) -> State:
    """The broker hands the first event that is not taken to the consumer; again, if it must."""
    broker = state.broker
    if broker.committed >= len(broker.log):
        return replace(state, broker=replace(broker, due_ms=NEVER))
    handed = Handed(broker.committed, broker.log[broker.committed])
    ctx.after(PATIENCE_MS, HandAgain())
    state = replace(state, broker=replace(broker, due_ms=ctx.now_ms + PATIENCE_MS))
    return post(state, BROKER, SHIPPING, handed, ctx)


def consumed(state: State, offset: int, order: int, ctx: Context) -> State:
    """The consumer creates a label, and in the same transaction remembers the event's id."""
    key = f"event-{order}" if state.params.idempotent else ""
    database = execute(state.consumer.database, order, key)
    state = replace(state, consumer=replace(state.consumer, database=database))
    return post(state, SHIPPING, BROKER, Taken(offset, order), ctx)


def taken(state: State, offset: int, ctx: Context) -> State:
    """The consumer has an event: the broker goes on to the next. An old answer says nothing new."""
    if offset != state.broker.committed:
        return state
    return hand(replace(state, broker=replace(state.broker, committed=offset + 1)), ctx)
