"""A worker: it asks for a task, does it, answers, and asks again. It may be killed at any moment.

A decision is a replay: the workflow's code runs from its first line against the history. With a
cache (Temporal calls it sticky execution) a worker that has decided before still has the generator,
and feeds it only what is new; a worker that does not know the trip starts from the first event.
Both come to the same commands, which is why the generator is nowhere in the state here.

An activity is a call to a service or an app, with a key made from the trip and from which command
of the workflow it is. Whoever carries the command out again uses the same key.
"""

from __future__ import annotations

from ...kernel import Context, Message, replace
from .engine import (
    CLOSED,
    COMPLETED,
    FIRED,
    SCHEDULED,
    STARTED,
    History,
    Recorded,
    is_answered,
    last_command,
    ordinal,
    replay,
    stamped,
)
from .state import (
    ACTIVITY,
    DECISION,
    DRIVER,
    HISTORY,
    JOB,
    LONG_POLL_MS,
    OPEN,
    REPLAY_MS,
    RESEND_MS,
    RIDER,
    SERVICES,
    Answer,
    Assigned,
    Call,
    Decided,
    Finished,
    Forward,
    Held,
    Nothing,
    Poll,
    Report,
    State,
    TimerDue,
    Worker,
    polling,
    worker_of,
)
from .trip import COUPON, NOTIFY, OFFER, RECEIPT, RELEASE, code_of
from .turn import counted, say, wake, with_worker


def target_of(activity: str) -> str:
    """Who does an activity: an app, or the services."""
    if activity in (OFFER, RELEASE):
        return DRIVER
    return RIDER if activity in (NOTIFY, COUPON, RECEIPT) else SERVICES


def key_of(state: State, history: History, number: int, run: int = 0) -> str:
    """The idempotency key of an activity, the same for whoever carries it out.

    Without a history nobody knows what an earlier run did, so each run has keys of its own.
    """
    begun = f"{state.trip}.{run}" if run else f"{state.trip}"
    return f"{begun}-{ordinal(history, number)}"


# --- Asking ---------------------------------------------------------------------------------------


def poll(state: State, name: str, ctx: Context) -> State:
    """The worker asks for a task, and will ask again if it hears nothing."""
    number = state.network.next_id
    patience_ms = RESEND_MS if polling(state) else LONG_POLL_MS
    worker = worker_of(state, name)
    worker = replace(
        worker, held=None, poll=number, poll_ms=wake(name, ctx.now_ms + patience_ms, ctx)
    )
    state = counted(with_worker(state, worker), polls=1)
    return say(state, name, HISTORY, Poll(number), ctx)


def receive(state: State, message: Message, ctx: Context) -> State:
    """A worker reads a message."""
    worker = worker_of(state, message.target)
    match message.body:
        case Nothing(number) if number == worker.poll:
            poll_ms = wake(worker.name, ctx.now_ms + state.params.poll_ms, ctx)
            return with_worker(state, replace(worker, poll=OPEN, poll_ms=poll_ms))
        case Assigned() as assigned if assigned.poll == worker.poll:
            return take(state, replace(worker, poll=OPEN, poll_ms=OPEN), assigned, ctx)
        case Answer() as answer:
            return answered(state, worker, answer, ctx)
        case Forward() as forward if (forward.trip, forward.run) == (worker.trip, worker.run):
            return remember(state, worker, forward.signal, ctx)
    return state


def take(state: State, worker: Worker, assigned: Assigned, ctx: Context) -> State:
    """The worker has a task in hand."""
    task = assigned.task
    hot = worker.trip == assigned.trip and state.params.cache
    known = min(worker.cached, task.length) if hot else 0
    cold = task.kind == DECISION and not known
    coin = ctx.random() < 0.5 if cold and state.params.coin else worker.coin
    done_ms = OPEN
    if task.kind == DECISION:
        done_ms = wake(worker.name, ctx.now_ms + REPLAY_MS * max(1, task.length - known), ctx)
    deadline_ms = wake(worker.name, ctx.now_ms + state.params.task_timeout_ms, ctx)
    held = Held(
        task.id, task.kind, task.attempt, task.number, task.length, known, ctx.now_ms, done_ms,
        deadline_ms,
    )  # fmt: skip
    cached = worker.cached if hot else 0
    worker = replace(worker, held=held, trip=assigned.trip, cached=cached, coin=coin)
    if cold:
        state = replace(state, replays=state.replays + 1, replayed=state.replayed + task.length)
    if task.kind == JOB:
        worker = replace(worker, run=assigned.run, memory=(Recorded(STARTED, at_ms=ctx.now_ms),))
        return progress(with_worker(state, worker), worker, ctx)
    state = with_worker(state, worker)
    if task.kind == ACTIVITY and assigned.trip == state.trip:
        return call(state, worker, state.service.history, task.number, ctx)
    return state


def alarmed(state: State, name: str, ctx: Context) -> State:
    """A worker's deadline: a replay is through, a task took too long, or it is time to ask."""
    worker = worker_of(state, name)
    held = worker.held
    if held is None:
        return poll(state, name, ctx) if worker.poll_ms == ctx.now_ms else state
    if held.kind == DECISION and held.done_ms == ctx.now_ms:
        return decide(state, worker, held, ctx)
    if held.deadline_ms != ctx.now_ms:
        return state
    if held.kind == JOB:
        return call_again(state, worker, held, ctx)
    return poll(state, name, ctx)


# --- Decisions and activities ---------------------------------------------------------------------


def decide(state: State, worker: Worker, held: Held, ctx: Context) -> State:
    """The replay is through: what the workflow wants next, or that its code does not fit."""
    if worker.trip != state.trip:
        return poll(state, worker.name, ctx)
    found = replay(code_of(worker.code, worker.coin), state.service.history[: held.length])
    cached = held.length + len(found.new) if found.mismatch is None else 0
    state = with_worker(state, replace(worker, cached=cached))
    decided = Decided(
        state.trip, held.id, held.attempt, found.new, found.state, worker.code, worker.coin,
        found.mismatch,
    )  # fmt: skip
    return poll(say(state, worker.name, HISTORY, decided, ctx), worker.name, ctx)


def call(state: State, worker: Worker, history: History, number: int, ctx: Context) -> State:
    """The worker asks for an activity's effect."""
    command = history[number - 1]
    task = worker.held.id if worker.held else 0
    key = key_of(state, history, number, worker.run)
    body = Call(task, number, state.trip, key, command.name, command.value)
    return say(state, worker.name, target_of(command.name), body, ctx)


def answered(state: State, worker: Worker, answer: Answer, ctx: Context) -> State:
    """The effect is there, now or since an earlier attempt."""
    held = worker.held
    if held is None or held.kind == DECISION or held.id != answer.task:
        return state
    if held.kind == ACTIVITY:
        body = Finished(worker.trip, held.id, held.attempt, answer.result)
        return poll(say(state, worker.name, HISTORY, body, ctx), worker.name, ctx)
    number = last_command(worker.memory)
    command = worker.memory[number - 1]
    if command.kind != SCHEDULED or answer.number != number:
        return state
    result = Recorded(COMPLETED, command.name, answer.result, of=number)
    return remember(state, worker, result, ctx)


# --- Without a history: the worker is its own and only witness ------------------------------------


def remember(state: State, worker: Worker, event: Recorded, ctx: Context) -> State:
    """One event more in the worker's memory, and what the workflow makes of it."""
    memory = (*worker.memory, replace(event, at_ms=ctx.now_ms))
    worker = replace(worker, memory=memory)
    return progress(with_worker(state, worker), worker, ctx)


def progress(state: State, worker: Worker, ctx: Context) -> State:
    """The worker goes on with the trip as far as it can."""
    found = replay(code_of(worker.code, worker.coin), worker.memory)
    worker = replace(worker, memory=worker.memory + stamped(found.new, ctx.now_ms))
    state = with_worker(state, worker)
    ended = bool(found.new) and found.new[-1].kind == CLOSED
    report = Report(worker.trip, worker.run, found.state, ended)
    state = say(state, worker.name, HISTORY, report, ctx)
    if ended:
        state = with_worker(state, replace(worker, memory=(), run=0))
        return poll(state, worker.name, ctx)
    if found.new:
        return carry_out(state, worker, ctx)
    return state


def carry_out(state: State, worker: Worker, ctx: Context) -> State:
    """What the newest command asks for."""
    number = len(worker.memory)
    command = worker.memory[-1]
    if command.kind == SCHEDULED and worker.held:
        deadline_ms = wake(worker.name, ctx.now_ms + state.params.task_timeout_ms, ctx)
        held = replace(worker.held, number=number, deadline_ms=deadline_ms)
        worker = replace(worker, held=held)
        return call(with_worker(state, worker), worker, worker.memory, number, ctx)
    if command.ms:
        ctx.after(command.ms, TimerDue(worker.trip, number, worker.name, worker.run))
    return state


def call_again(state: State, worker: Worker, held: Held, ctx: Context) -> State:
    """No answer in time: the worker asks again, with the same key."""
    number = last_command(worker.memory)
    waits = worker.memory[number - 1].kind == SCHEDULED and not is_answered(worker.memory, number)
    if not waits or worker.trip != state.trip:
        return state
    deadline_ms = wake(worker.name, ctx.now_ms + state.params.task_timeout_ms, ctx)
    worker = replace(worker, held=replace(held, deadline_ms=deadline_ms))
    return call(with_worker(state, worker), worker, worker.memory, number, ctx)


def timer(state: State, due: TimerDue, ctx: Context) -> State:
    """The time of a wait or a sleep in a worker's memory is up."""
    worker = worker_of(state, due.worker)
    same = (worker.trip, worker.run) == (due.trip, due.run)
    if not same or last_command(worker.memory) != due.number:
        return state
    if is_answered(worker.memory, due.number):
        return state
    return remember(state, worker, Recorded(FIRED, of=due.number), ctx)
