"""Orchestration: one node tells every service what to do, and knows the whole of every saga.

The orchestrator sends a command, waits for the reply, writes it to its log, and only then goes on.
So after a crash its log tells how far each saga had come: it asks again for what it has no answer
to, and idempotency keys make asking again harmless. When a step refuses, or does not answer often
enough, it compensates in reverse, and a compensation is asked for until it has worked.

A step without an answer may have worked or may yet work. Before the pivot the orchestrator may
give it up, and then compensates that step as well. It never gives up the pivot: only an answer
tells whether the saga may still go back.

Source: Garcia-Molina and Salem, "Sagas", ACM SIGMOD 1987 (a saga's log, backward recovery by
compensation, forward recovery by repeating).
"""

from __future__ import annotations

from ...kernel import Context, Message, replace
from ...order_book import COMPLETED, OPEN, VOID
from . import services
from .services import DONE
from .state import (
    LAST,
    ORCHESTRATOR,
    RECORDS_MAX,
    SAGA,
    WRITE_MS,
    Alarm,
    Command,
    Orchestrator,
    Record,
    Reply,
    Saga,
    State,
    Task,
    Written,
    backoff_ms,
    ended,
    given_up,
    lose_newest,
    loses_answer,
    order_of,
    pivot_of,
    post,
    service_of,
    with_order,
)

BEGUN, SENT, GAVE_UP, ENDED = "begun", "sent", "gave up", "ended"


# --- The log --------------------------------------------------------------------------------------


def read(saga: Saga | None, record: Record) -> Saga | None:
    """A saga after one more record of its log; `None` before it has begun and after its end."""
    if record.what == BEGUN:
        return Saga(record.order)
    if saga is None or record.what == ENDED:
        return None
    if record.what == SENT:
        return saga
    step = SAGA.index(record.step)
    if record.what == DONE:
        return replace(saga, step=step + 1, attempt=0)
    # A step that refused did nothing; one without an answer may have worked.
    to = step if record.what == GAVE_UP else step - 1
    return replace(saga, step=to, back=True, attempt=0)


def resumed(log: tuple[Record, ...]) -> tuple[Saga, ...]:
    """The sagas that a log tells of and that have not ended, in the order of their beginning."""
    sagas: dict[int, Saga] = {}
    for record in log:
        saga = read(sagas.pop(record.order, None), record)
        if saga is not None:
            sagas[record.order] = saga
    return tuple(sagas[order] for order in sorted(sagas))


def shortened(log: tuple[Record, ...], sagas: tuple[Saga, ...]) -> tuple[Record, ...]:
    """The log without old records of sagas that have ended: nothing is ever resumed from those."""
    if len(log) <= 2 * RECORDS_MAX:
        return log
    under_way = {saga.order for saga in sagas}
    old = tuple(record for record in log[:-RECORDS_MAX] if record.order in under_way)
    return (*old, *log[-RECORDS_MAX:])


# --- Sagas ----------------------------------------------------------------------------------------


def saga_of(state: State, order: int) -> Saga | None:
    """What the orchestrator has in memory of an order."""
    return next((saga for saga in state.orchestrator.sagas if saga.order == order), None)


def with_saga(state: State, saga: Saga) -> State:
    sagas = tuple(saga if o.order == saga.order else o for o in state.orchestrator.sagas)
    return replace(state, orchestrator=replace(state.orchestrator, sagas=sagas))


def enter(state: State, order: int, ctx: Context) -> State:
    """A customer's order reaches the orchestrator: nothing is sent before its begin is on disk."""
    orchestrator = state.orchestrator
    sagas = (*orchestrator.sagas, Saga(order))
    state = replace(state, orchestrator=replace(orchestrator, sagas=sagas))
    return write(state, Saga(order), ctx, Record(order, BEGUN, ""), sent(order, 0))


def sent(order: int, step: int, back: bool = False) -> Record:
    """The record that a command is sent from now on."""
    return Record(order, SENT, f"undo {SAGA[step]}" if back else SAGA[step])


def write(state: State, saga: Saga, ctx: Context, *records: Record) -> State:
    """Force records to the log; the saga waits until they are there."""
    number = state.next_write
    ctx.after(WRITE_MS, Written(saga.order, number))
    saga = replace(saga, writing=records, write=number, asked=False, deadline_ms=OPEN)
    return with_saga(replace(state, next_write=number + 1), saga)


def written(state: State, order: int, number: int, ctx: Context) -> State:
    """The records are on disk: what they say is true from now on, and the saga acts on it."""
    saga = saga_of(state, order)
    if saga is None or not saga.writing or saga.write != number:
        return state
    orchestrator, records = state.orchestrator, saga.writing
    after: Saga | None = saga
    for record in records:
        after = read(after, record)
        if record.what == GAVE_UP:
            state = given_up(state, order, SAGA.index(record.step))
    log = (*orchestrator.log, *records)
    if after is None:
        sagas = tuple(other for other in orchestrator.sagas if other.order != order)
        log = shortened(log, sagas)
        state = replace(state, orchestrator=replace(orchestrator, log=log, sagas=sagas))
        return ended(state, order, records[-1].step, ctx.now_ms)
    state = replace(state, orchestrator=replace(orchestrator, log=log))
    if not order_of(state, order).begun:
        state = with_order(state, replace(order_of(state, order), begun=True))
    alarm_ms = saga.alarm_ms
    return act(state, replace(after, writing=(), alarm_ms=alarm_ms), ctx)


def act(state: State, saga: Saga, ctx: Context) -> State:
    """Send the command that the saga is at, and wait for the reply."""
    command = Command(saga.order, saga.step, saga.back)
    state = post(state, ctx, ORCHESTRATOR, service_of(saga.step), saga.order, command)
    saga = replace(saga, attempt=saga.attempt + 1, asked=True)
    return wait_until(state, saga, ctx.now_ms + state.params.timeout_ms, ctx)


def wait_until(state: State, saga: Saga, deadline_ms: int, ctx: Context) -> State:
    """The saga waits; an alarm that is due anyway is enough if it is not later."""
    saga = replace(saga, deadline_ms=deadline_ms)
    if not ctx.now_ms < saga.alarm_ms <= deadline_ms:
        saga = replace(saga, alarm_ms=deadline_ms)
        ctx.after(deadline_ms - ctx.now_ms, Alarm(saga.order))
    return with_saga(state, saga)


def alarmed(state: State, order: int, ctx: Context) -> State:
    """An alarm: it is stale, too early for a deadline that has moved, or the time is up."""
    saga = saga_of(state, order)
    if saga is None or saga.alarm_ms != ctx.now_ms:
        return state
    if saga.deadline_ms == OPEN:
        return with_saga(state, replace(saga, alarm_ms=OPEN))
    if ctx.now_ms < saga.deadline_ms:
        return wait_until(state, saga, saga.deadline_ms, ctx)
    return failed(state, saga, ctx) if saga.asked else act(state, saga, ctx)


def replied(state: State, reply: Reply, ctx: Context) -> State:
    """A reply: it goes on, goes back, or tries again; an answer to an older question is nothing."""
    saga = saga_of(state, reply.order)
    if saga is None or saga.writing or (saga.step, saga.back) != (reply.step, reply.undo):
        return state
    record = Record(saga.order, reply.answer, SAGA[saga.step])
    match reply.answer:
        case services.DONE if saga.step == LAST:
            return write(state, saga, ctx, record, Record(saga.order, ENDED, COMPLETED))
        case services.DONE:
            return write(state, saga, ctx, record, sent(saga.order, saga.step + 1))
        case services.REFUSED | services.UNDONE:
            return turn_back(state, saga, record, saga.step - 1, ctx)
    return failed(state, saga, ctx)


def turn_back(state: State, saga: Saga, record: Record, to: int, ctx: Context) -> State:
    """On to the compensation of step `to`, or to the end when there is none left."""
    end = Record(saga.order, ENDED, VOID)
    return write(state, saga, ctx, record, sent(saga.order, to, True) if to >= 0 else end)


def failed(state: State, saga: Saga, ctx: Context) -> State:
    """No answer, or a failure that may pass: try again later, or give the step up.

    A compensation, the pivot and every step after it are tried until they work.
    """
    params = state.params
    may_give_up = not saga.back and saga.step < pivot_of(params)
    if may_give_up and saga.attempt >= params.attempts:
        record = Record(saga.order, GAVE_UP, SAGA[saga.step])
        return turn_back(state, saga, record, saga.step, ctx)
    again_ms = ctx.now_ms + backoff_ms(saga.attempt)
    return wait_until(state, replace(saga, asked=False), again_ms, ctx)


# --- The services' side ---------------------------------------------------------------------------


def receive(state: State, message: Message, ctx: Context) -> State:
    """A command reaches a service, or a reply the orchestrator."""
    if isinstance(message.body, Reply):
        return replied(state, message.body, ctx)
    command: Command = message.body
    task = Task(command.order, command.step, command.undo)
    answer = services.known(state, message.target, task)
    if answer:
        return answered(state, message.target, task, answer, ctx)
    return services.take(state, message.target, task, ctx)


def answered(state: State, name: str, task: Task, answer: str, ctx: Context) -> State:
    """The service replies; the reader may have chosen that the reply is lost a few times."""
    reply = Reply(task.order, task.step, task.undo, answer)
    state = post(state, ctx, name, ORCHESTRATOR, task.order, reply)
    state, lost = loses_answer(state, task)
    return lose_newest(state) if lost else state


def forgotten(state: State) -> State:
    """The orchestrator crashes: what was in memory, writes under way included, is gone."""
    return replace(state, orchestrator=Orchestrator(log=state.orchestrator.log))


def resume(state: State, ctx: Context) -> State:
    """The orchestrator is back: it reads its log and asks again for what has no answer there."""
    sagas = resumed(state.orchestrator.log)
    state = replace(state, orchestrator=replace(state.orchestrator, sagas=sagas))
    for saga in sagas:
        state = act(state, saga, ctx)
    return state
