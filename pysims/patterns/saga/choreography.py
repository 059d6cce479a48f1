"""Choreography: no center; each service reacts to the events of the others.

A service does its step in one local transaction with the event that tells of it: row, key and
outbox are one write. What is in the outbox is sent until its target has acknowledged it, which the
target does once it has dealt with it. So no event is lost in a crash, and keys make it harmless
that events come twice. The way back is the same dance: a refusal makes the step before undo
itself, which is an event for the one before that.

`subscriptions` is the whole of the coordination: who listens to what, and does what. Nobody has
it in one place; it is written down here to be drawn, counted, and searched for cycles.

Source: Richardson, "Microservices Patterns", Manning 2018, chapter 4 (choreography-based sagas,
and their drawback of cyclic dependencies between the services).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from ...kernel import Context, Message, replace
from ...order_book import COMPLETED, INVENTORY, OPEN, ORDERS, PAYMENTS, SERVICES, VOID
from . import services
from .services import DONE, FAILED, REFUSED, UNDONE
from .state import (
    BACKOFF_MAX_MS,
    CONFIRM,
    LAST,
    SAGA,
    Acknowledge,
    Entry,
    Event,
    Record,
    Resend,
    State,
    Task,
    backoff_ms,
    ended,
    given_up,
    lose_newest,
    loses_answer,
    noted,
    order_of,
    participant_of,
    pivot_of,
    post,
    with_order,
    with_participant,
)

HEARD, PUBLISHED, DELIVERED = "heard", "published", "delivered"
BACK_ORDERED = "BackOrdered"
# Back orders of one order; a hop limit, as messages in networks have, ends what never ends itself.
TURNS_MAX = 100
DONE_KINDS = dict(
    zip(
        SAGA,
        ("OrderCreated", "CardCharged", "WidgetReserved", "LabelCreated", "OrderConfirmed"),
        strict=True,
    )
)
REFUSED_KINDS = dict(
    zip(
        SAGA,
        ("OrderRefused", "CardDeclined", "OutOfStock", "LabelRefused", "OrderRejected"),
        strict=True,
    )
)
UNDONE_KINDS = dict(
    zip(SERVICES, ("OrderCanceled", "CardRefunded", "WidgetReleased", "LabelVoided"), strict=True)
)
KINDS = {DONE: DONE_KINDS, REFUSED: REFUSED_KINDS, UNDONE: UNDONE_KINDS}


# --- Who listens to what --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Subscription:
    """`listener` reacts to events of this `kind` by `publisher`; what it may publish then.

    It does the step called `step`, or undoes it; `reorders` marks the rule of the back orders.
    """

    kind: str
    publisher: str
    listener: str
    leads_to: tuple[str, ...]
    step: str
    undo: bool = False
    reorders: bool = False


def kind_of(answer: str, step: str) -> str:
    """The kind of event that tells of a step; a step that the saga has not got yet makes one."""
    return KINDS[answer].get(step, f"{step} {answer}")


def home_of(step: str) -> str:
    """The service of a step by its name."""
    return ORDERS if step == CONFIRM else step


def subscriptions(steps: tuple[str, ...] = SAGA, cyclic: bool = False) -> tuple[Subscription, ...]:
    """Who listens to what in a saga of these steps, the last of which has no compensation.

    `cyclic` adds the well-meant rule of the back orders.
    """
    found: list[Subscription] = []
    leads_to: tuple[str, ...]
    for before, step in pairwise(steps):
        leads_to = (kind_of(DONE, step), kind_of(REFUSED, step))
        kind = kind_of(DONE, before)
        found.append(Subscription(kind, home_of(before), home_of(step), leads_to, step))
    for step, after in pairwise(steps):
        leads_to = (kind_of(UNDONE, step),)
        answers = (REFUSED, UNDONE) if after != steps[-1] else (REFUSED,)
        kinds = [kind_of(answer, after) for answer in answers]
        here, there = home_of(step), home_of(after)
        found += [Subscription(kind, there, here, leads_to, step, undo=True) for kind in kinds]
    if cyclic:
        refunded, leads_to = kind_of(UNDONE, PAYMENTS), (BACK_ORDERED,)
        found.append(
            Subscription(refunded, PAYMENTS, INVENTORY, leads_to, INVENTORY, reorders=True)
        )
        leads_to = (kind_of(DONE, PAYMENTS), kind_of(REFUSED, PAYMENTS))
        found.append(Subscription(BACK_ORDERED, INVENTORY, PAYMENTS, leads_to, PAYMENTS))
    return tuple(found)


# Made once: every delivery of an event looks here.
TABLES = (subscriptions(), subscriptions(cyclic=True))


def table_of(state: State) -> tuple[Subscription, ...]:
    """The subscriptions of a run."""
    return TABLES[state.params.cyclic_subscription]


def listeners(table: tuple[Subscription, ...], kind: str) -> tuple[str, ...]:
    """Who subscribes to a kind of event, in the order of the table."""
    return tuple(s.listener for s in table if s.kind == kind)


def cycle_in(table: tuple[Subscription, ...]) -> tuple[str, ...]:
    """The shortest cycle of kinds of events that can chase each other, or nothing."""
    found: list[tuple[str, ...]] = []

    def follow(kind: str, way: tuple[str, ...]) -> None:
        if kind in way:
            found.append((*way[way.index(kind) :], kind))
            return
        for subscription in table:
            if subscription.kind == kind:
                for following in subscription.leads_to:
                    follow(following, (*way, kind))

    follow(DONE_KINDS[ORDERS], ())
    return min(found, key=len, default=())


def longest_chain(table: tuple[Subscription, ...]) -> int:
    """The most events that one can lead to the other, where no cycle leads back."""

    def length(kind: str, way: tuple[str, ...]) -> int:
        if kind in way:
            return 0
        following = [k for s in table if s.kind == kind for k in s.leads_to]
        return 1 + max((length(k, (*way, kind)) for k in following), default=0)

    return length(DONE_KINDS[ORDERS], ())


CHAIN_MAX = longest_chain(TABLES[0])
"""A longer chain of events can only come from a cycle."""


# --- Publishing -----------------------------------------------------------------------------------


def publish(state: State, name: str, kind: str, task: Task, ctx: Context, turn: int = 0) -> State:
    """Put an event into the outbox for each who listens to it, and send it."""
    turn = max(turn, task.event.turn if task.event else 0)
    hops = task.event.hops + 1 if task.event else 1
    order = order_of(state, task.order)
    state = with_order(
        state,
        replace(order, hops_max=max(order.hops_max, hops), turns=max(order.turns, turn)),
    )
    for target in listeners(table_of(state), kind):
        participant = participant_of(state, name)
        number = participant.published
        event = Event(kind, task.order, number, name, hops, turn)
        outbox = (*participant.outbox, Entry(event, target))
        participant = replace(participant, published=number + 1, outbox=outbox)
        participant = noted(participant, Record(task.order, PUBLISHED, kind))
        state = with_participant(state, participant)
        state = send_event(state, name, number, ctx)
    return state


def send_event(state: State, name: str, number: int, ctx: Context) -> State:
    """Send an event of the outbox, and look after it until it is acknowledged."""
    participant = participant_of(state, name)
    entry = next(e for e in participant.outbox if e.event.number == number)
    attempt = entry.attempt + 1
    wait_ms = state.params.timeout_ms
    wait_ms += backoff_ms(attempt - 1) if attempt > 1 else 0
    again = replace(entry, attempt=attempt, due_ms=ctx.now_ms + min(wait_ms, BACKOFF_MAX_MS))
    ctx.after(again.due_ms - ctx.now_ms, Resend(name, number))
    outbox = tuple(again if e is entry else e for e in participant.outbox)
    state = with_participant(state, replace(participant, outbox=outbox))
    return post(state, ctx, name, entry.target, entry.event.order, entry.event)


def resend(state: State, name: str, number: int, ctx: Context) -> State:
    """An event is due again, unless it was acknowledged, or a crash has made the alarm stale."""
    for entry in participant_of(state, name).outbox:
        if entry.event.number == number and entry.due_ms == ctx.now_ms:
            return send_event(state, name, number, ctx)
    return state


def acknowledged(state: State, name: str, body: Acknowledge) -> State:
    """An event has been dealt with; a second acknowledgment finds nothing to do."""
    participant = participant_of(state, name)
    outbox = tuple(e for e in participant.outbox if e.event.number != body.number)
    gone = [e.event.kind for e in participant.outbox if e.event.number == body.number]
    if not gone:
        return state
    participant = noted(participant, Record(body.order, DELIVERED, gone[0]))
    return with_participant(state, replace(participant, outbox=outbox))


# --- Reacting -------------------------------------------------------------------------------------


def enter(state: State, order: int, ctx: Context) -> State:
    """A customer's order reaches the orders' service, which begins with its own step."""
    return services.take(state, ORDERS, Task(order, 0), ctx)


def receive(state: State, message: Message, ctx: Context) -> State:
    """An event reaches a service that listens to it, or an acknowledgment its publisher."""
    name = message.target
    if isinstance(message.body, Acknowledge):
        return acknowledged(state, name, message.body)
    event: Event = message.body
    for subscription in table_of(state):
        if subscription.kind == event.kind and subscription.listener == name:
            step = SAGA.index(subscription.step)
            task = Task(event.order, step, subscription.undo, event)
            if subscription.reorders:
                return reorder(state, name, task, ctx)
            if services.known(state, name, task):
                return acknowledge(state, name, task, ctx)
            return services.take(state, name, task, ctx)
    return state


def acknowledge(state: State, name: str, task: Task, ctx: Context) -> State:
    """Tell the publisher that its event has been dealt with."""
    event = task.event
    if event is None:
        return state
    body = Acknowledge(event.order, event.number)
    state = post(state, ctx, name, event.publisher, event.order, body)
    state, lost = loses_answer(state, task)
    return lose_newest(state) if lost else state


def heard(state: State, name: str, task: Task) -> State:
    """The event that led to a task stands in the service's log from now on."""
    if task.event is None:
        return state
    record = Record(task.order, HEARD, task.event.kind)
    return with_participant(state, noted(participant_of(state, name), record))


def answered(state: State, name: str, task: Task, answer: str, ctx: Context) -> State:
    """A transaction has ended: publish what came of it, acknowledge, or try again.

    The publishing is part of the transaction, which is why both stand in one event of the run.
    """
    if answer == FAILED:
        return failed(state, name, task, ctx)
    state = heard(state, name, task)
    if task.step == 0 and not task.undo:
        state = with_order(state, replace(order_of(state, task.order), begun=True))
    if task.step == 0 and answer != DONE:
        state = ended(state, task.order, VOID, ctx.now_ms)
    if task.step == LAST and answer == DONE:
        state = ended(state, task.order, COMPLETED, ctx.now_ms)
    state = publish(state, name, kind_of(answer, SAGA[task.step]), task, ctx)
    return acknowledge(state, name, task, ctx)


def failed(state: State, name: str, task: Task, ctx: Context) -> State:
    """The service tries again later; before the pivot it gives up after enough attempts."""
    params = state.params
    may_give_up = not task.undo and task.step < pivot_of(params)
    if may_give_up and task.attempt >= params.attempts:
        state = given_up(services.refuse(state, name, task), task.order, task.step)
        return answered(state, name, task, REFUSED, ctx)
    again = replace(task, attempt=task.attempt + 1)
    return services.take(state, name, again, ctx, wait_ms=backoff_ms(task.attempt))


def reorder(state: State, name: str, task: Task, ctx: Context) -> State:
    """The well-meant rule: who got his money back still wants the widget, so order it again."""
    event = task.event
    participant = participant_of(state, name)
    key = f"reorder {task.order} again {event.turn if event else 0}"
    if event is None or event.turn >= TURNS_MAX or key in participant.database.keys:
        return acknowledge(state, name, task, ctx)
    database = services.used(participant.database, key)
    state = with_participant(state, replace(participant, database=database))
    state = publish(heard(state, name, task), name, BACK_ORDERED, task, ctx, event.turn + 1)
    return acknowledge(state, name, task, ctx)


# --- Crashes --------------------------------------------------------------------------------------


def resume(state: State, name: str, ctx: Context) -> State:
    """A service is back: it sends again all that its outbox still holds."""
    participant = participant_of(state, name)
    fresh = tuple(replace(entry, attempt=0, due_ms=OPEN) for entry in participant.outbox)
    state = with_participant(state, replace(participant, outbox=fresh))
    for entry in fresh:
        state = send_event(state, name, entry.event.number, ctx)
    return state
