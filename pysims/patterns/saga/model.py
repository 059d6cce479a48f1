"""Saga: one order in four databases without a transaction around it, and what that costs.

It shows: every service commits its own step at once; when a step fails, what was done is undone
by compensations in reverse; after the pivot there is no way back and every step is tried until it
works; whoever crashes goes on from what is on its disk. It also shows what a saga does not give:
isolation. Who reads in between sees half of an order, unless a semantic lock keeps him off.

The same saga runs under an orchestrator (`orchestration`) or as a dance of events
(`choreography`), over the same network and the same services (`services`). `auditor` is the second
transaction.

Sources: Garcia-Molina and Salem, "Sagas", ACM SIGMOD 1987; Frank and Zahle, Software: Practice and
Experience 28(1), 1998; Helland, CIDR 2007; Richardson, "Microservices Patterns", 2018, chapter 4.
What is simplified is said in `state`.
"""

from __future__ import annotations

from typing import Any

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
)
from ...order_book import SERVICES, customers, databases_of
from . import auditor, choreography, orchestration, safety, services
from .state import (
    AUDITOR,
    LATENCY_MS,
    ORCHESTRATOR,
    Alarm,
    Arrive,
    Ask,
    Audit,
    AuditAlarm,
    Crash,
    Happening,
    Inspect,
    Orchestrator,
    Order,
    Params,
    Participant,
    Place,
    Resend,
    Restart,
    Show,
    State,
    Worked,
    Written,
    door_of,
    nodes_of,
    orchestrated,
    participant_of,
    with_participant,
)


def init(params: Params, ctx: Context) -> State:
    """Four databases, no order yet, and customers who will come."""
    coming = customers(ctx, params.orders_per_s, params.customers_ms, params.declined)
    nodes = (*((ORCHESTRATOR,) if orchestrated(params) else ()), *SERVICES, AUDITOR)
    network = network_of(nodes, Latency.uniform(*LATENCY_MS), params.loss, params.duplication)
    participants = tuple(
        Participant(database.service, database) for database in databases_of(params.stock)
    )
    state = State(params, network, participants, Orchestrator())
    for customer in coming:
        ctx.after(customer.at_ms, Arrive(customer))
    if params.reads_per_s:
        ctx.after(1 + int(ctx.exponential(1_000 / params.reads_per_s)), Audit())
    return state


def update(state: State, event: Happening, ctx: Context) -> State:
    """The state after an event; `ValueError` for a node that is not allowed."""
    return safety.watched(state, happened(state, event, ctx))


def happened(state: State, event: Happening, ctx: Context) -> State:
    """What an event does."""
    match event:
        case Deliver(message):
            return delivered(state, message, ctx)
        case Worked(name, job):
            return worked(state, name, job, ctx)
        case Written(order, write):
            return orchestration.written(state, order, write, ctx)
        case Alarm(order):
            return orchestration.alarmed(state, order, ctx)
        case Resend(name, number):
            up = is_up(state.network, name)
            return choreography.resend(state, name, number, ctx) if up else state
        case AuditAlarm(reading):
            return auditor.alarmed(state, reading, ctx)
        case Audit():
            return audited(state, ctx)
        case Arrive(customer):
            return placed(state, customer.declined, ctx)
    return of_the_reader(state, event, ctx)


def of_the_reader(state: State, event: Any, ctx: Context) -> State:
    """The state after something that the reader did."""
    match event:
        case Place():
            return placed(state, False, ctx)
        case Inspect():
            if not state.orders:
                raise ValueError("order must be one that was placed, got none so far: place one")
            return auditor.begin(state, ctx)
        case Crash(name):
            return crashed(state, name)
        case Restart(name):
            return came_back(state, name, ctx)
    raise ValueError(f"saga has no event {event!r}")


# --- What happens by itself -----------------------------------------------------------------------


def delivered(state: State, message: Message, ctx: Context) -> State:
    """A message reaches its node, unless it was lost or the node is down."""
    network, received = arrive(state.network, message)
    state = replace(state, network=network)
    if received is None:
        return state
    if isinstance(received.body, Ask | Show):
        return auditor.receive(state, received, ctx)
    if orchestrated(state.params):
        return orchestration.receive(state, received, ctx)
    return choreography.receive(state, received, ctx)


def worked(state: State, name: str, job: int, ctx: Context) -> State:
    """A service's transaction ends, if no crash has ended it before."""
    state, task, answer = services.finish(state, name, job, ctx)
    if task is None:
        return state
    if orchestrated(state.params):
        return orchestration.answered(state, name, task, answer, ctx)
    return choreography.answered(state, name, task, answer, ctx)


def placed(state: State, declined: bool, ctx: Context) -> State:
    """A customer orders; where the node at the door is down, he waits until it is back."""
    order = Order(len(state.orders) + 1, ctx.now_ms, declined)
    state = replace(state, orders=(*state.orders, order))
    return (
        entered(state, order.order, ctx) if is_up(state.network, door_of(state.params)) else state
    )


def entered(state: State, order: int, ctx: Context) -> State:
    """An order goes in at the door."""
    if orchestrated(state.params):
        return orchestration.enter(state, order, ctx)
    return choreography.enter(state, order, ctx)


def audited(state: State, ctx: Context) -> State:
    """An auditor comes by, and the next one will, as long as customers come."""
    delay_ms = 1 + int(ctx.exponential(1_000 / state.params.reads_per_s))
    if ctx.now_ms + delay_ms < state.params.customers_ms:
        ctx.after(delay_ms, Audit())
    return auditor.begin(state, ctx) if state.orders else state


# --- What the reader does -------------------------------------------------------------------------


def crashed(state: State, name: str) -> State:
    """The node stops; what is in memory is gone."""
    check_up(state.network, name, among=nodes_of(state))
    state = replace(state, network=crash(state.network, name))
    if name == ORCHESTRATOR:
        return orchestration.forgotten(state)
    fresh = Participant(name)
    return with_participant(state, restarted(participant_of(state, name), fresh))


def came_back(state: State, name: str, ctx: Context) -> State:
    """The node goes on from its disk; customers who wait at its door come in."""
    check_up(state.network, name, up=False, among=nodes_of(state))
    state = replace(state, network=restart(state.network, name))
    if name == ORCHESTRATOR:
        state = orchestration.resume(state, ctx)
    elif not orchestrated(state.params):
        state = choreography.resume(state, name, ctx)
    if name == door_of(state.params):
        for order in state.orders:
            if not order.begun:
                state = entered(state, order.order, ctx)
    return state
