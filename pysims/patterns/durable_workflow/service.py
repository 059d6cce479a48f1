"""The history service: it writes down what happened and hands out tasks; it runs no workflow code.

A task that is not answered in time goes to the next worker. An answer counts only while its task is
still out, in this attempt; so two workers that decide the same thing do not do it twice.

With `no_history` it is a plain queue: one worker gets the whole trip and keeps the progress in its
own memory, and when the worker is gone another one gets the whole trip again.
"""

from __future__ import annotations

from ...kernel import Context, Message, replace
from .engine import (
    CLOSED,
    COMMANDS,
    COMPLETED,
    FIRED,
    SCHEDULED,
    SIGNALED,
    STARTED,
    Recorded,
    is_answered,
    last_command,
    stamped,
)
from .state import (
    ACTIVITY,
    APPS,
    BACKOFF_MS,
    DECISION,
    HISTORY,
    JOB,
    OPEN,
    STICKY_MS,
    Ask,
    Assigned,
    Decided,
    Finished,
    Forward,
    News,
    Noted,
    Nothing,
    Parked,
    Poll,
    Report,
    Signal,
    State,
    Task,
    TimerDue,
    durable,
    polling,
)
from .turn import counted, say, wake, with_service

REQUEST = "requested"


def receive(state: State, message: Message, ctx: Context) -> State:
    """The history service reads a message."""
    match message.body:
        case Poll(number):
            return polled(state, message.source, number, ctx)
        case Decided() as decided:
            return told_decision(state, message.source, decided, ctx)
        case Finished() as finished:
            return told_result(state, finished, ctx)
        case Signal() as signal:
            state = signaled(state, signal, ctx)
            return say(state, HISTORY, message.source, Noted(signal.id), ctx)
        case Ask(known):
            service = state.service
            state = counted(state, vain=int(known == service.status))
            news = News(state.trip, service.status, service.status_ms)
            return say(state, HISTORY, message.source, news, ctx)
        case Report() as report:
            return told_progress(state, report, ctx)
    return state


# --- Tasks ----------------------------------------------------------------------------------------


def polled(state: State, worker: str, number: int, ctx: Context) -> State:
    """A worker asks for a task; it waits here for one, or is told at once that there is none."""
    asked_before = any(parked.worker == worker for parked in state.service.parked)
    state = unpark(counted(state, vain=int(asked_before)), worker)
    parked = (*state.service.parked, Parked(worker, number))
    state = dispatch(with_service(state, replace(state.service, parked=parked)), ctx)
    if polling(state) and any(p.worker == worker for p in state.service.parked):
        state = counted(unpark(state, worker), vain=1)
        return say(state, HISTORY, worker, Nothing(number), ctx)
    return state


def unpark(state: State, worker: str) -> State:
    """The worker no longer waits for a task."""
    parked = tuple(other for other in state.service.parked if other.worker != worker)
    return with_service(state, replace(state.service, parked=parked))


def dispatch(state: State, ctx: Context) -> State:
    """Every task that is to be done goes to a worker that waits for one, if there is any."""
    for task in state.service.tasks:
        if task.worker or task.ready_ms > ctx.now_ms:
            continue
        taker = taker_of(state, task, ctx)
        if taker is not None:
            state = assign(state, task, taker, ctx)
    return state


def taker_of(state: State, task: Task, ctx: Context) -> Parked | None:
    """Who gets a task: decisions go to the worker that has the trip in memory, if it is quick."""
    service = state.service
    own = [parked for parked in service.parked if parked.worker == service.sticky]
    others = [parked for parked in service.parked if parked.worker != service.sticky]
    if task.kind == ACTIVITY:
        return next(iter(others + own), None)
    if service.sticky and not own and ctx.now_ms < task.ready_ms + STICKY_MS:
        return None
    return next(iter(own + others), None)


def assign(state: State, task: Task, taker: Parked, ctx: Context) -> State:
    """The task is on its way to a worker, and has to be answered before its deadline."""
    service = state.service
    run = service.run + (task.kind == JOB)
    given = replace(
        task,
        worker=taker.worker,
        length=len(service.history),
        deadline_ms=wake(HISTORY, ctx.now_ms + state.params.task_timeout_ms, ctx),
    )
    state = unpark(with_service(state, replace(service, run=run)), taker.worker)
    return say(
        with_task(state, given),
        HISTORY,
        taker.worker,
        Assigned(taker.poll, state.trip, given, run),
        ctx,
    )


def with_task(state: State, task: Task) -> State:
    """The state with one task replaced."""
    tasks = tuple(task if old.id == task.id else old for old in state.service.tasks)
    return with_service(state, replace(state.service, tasks=tasks))


def without_task(state: State, task: int) -> State:
    """The state without a task that is done."""
    tasks = tuple(old for old in state.service.tasks if old.id != task)
    return with_service(state, replace(state.service, tasks=tasks))


def add_task(state: State, ctx: Context, kind: str, number: int = 0) -> State:
    """One task more to be done."""
    service = state.service
    task = Task(service.next_task, kind, number, ready_ms=ctx.now_ms)
    if kind == DECISION and service.sticky:
        wake(HISTORY, ctx.now_ms + STICKY_MS, ctx)
    tasks = (*service.tasks, task)
    return with_service(state, replace(service, tasks=tasks, next_task=service.next_task + 1))


def out(state: State, trip: int, task: int, attempt: int) -> Task | None:
    """The task, if an answer to this attempt at it still counts."""
    for old in state.service.tasks:
        if (trip, task, attempt) == (state.trip, old.id, old.attempt) and old.worker:
            return old
    return None


def alarmed(state: State, ctx: Context) -> State:
    """Tasks that nobody answered in time are to be done again, by whoever asks first."""
    for task in state.service.tasks:
        if task.worker and OPEN < task.deadline_ms <= ctx.now_ms:
            state = again(state, task, ctx.now_ms)
    return dispatch(state, ctx)


def again(state: State, task: Task, ready_ms: int) -> State:
    """The task goes back into the queue; no worker is trusted to have the trip in memory."""
    freed = replace(task, worker="", attempt=task.attempt + 1, deadline_ms=OPEN, ready_ms=ready_ms)
    state = with_task(state, freed)
    if task.kind == ACTIVITY:
        return state
    return with_service(state, replace(state.service, sticky=""))


# --- The history ----------------------------------------------------------------------------------


def append(state: State, event: Recorded, ctx: Context) -> State:
    """One event more in the history; whatever it is, the workflow has to look at it."""
    service = state.service
    history = (*service.history, replace(event, at_ms=ctx.now_ms))
    state = with_service(state, replace(service, history=history))
    if not any(task.kind == DECISION for task in service.tasks):
        state = add_task(state, ctx, DECISION)
    return dispatch(state, ctx)


def told_result(state: State, finished: Finished, ctx: Context) -> State:
    """An activity is done; from now on it is never done again, for its result is in the history."""
    task = out(state, finished.trip, finished.task, finished.attempt)
    if task is None:
        return state
    command = state.service.history[task.number - 1]
    done = Recorded(COMPLETED, command.name, finished.result, of=task.number)
    return append(without_task(state, task.id), done, ctx)


def told_decision(state: State, worker: str, decided: Decided, ctx: Context) -> State:
    """The next commands go into the history, and only then is anything done about them."""
    task = out(state, decided.trip, decided.task, decided.attempt)
    if task is None:
        return state
    if decided.mismatch is not None:
        ready_ms = wake(HISTORY, ctx.now_ms + BACKOFF_MS, ctx)
        state = again(state, task, ready_ms)
        stuck = replace(state.service, mismatch=decided.mismatch, blamed=worker)
        return with_service(state, stuck)
    state = without_task(state, task.id)
    service = state.service
    meanwhile = any(event.kind not in COMMANDS for event in service.history[task.length :])
    first = len(service.history) + 1
    service = replace(
        service,
        history=service.history + stamped(decided.commands, ctx.now_ms),
        sticky=worker if state.params.cache else "",
        code=decided.code,
        coin=decided.coin,
        mismatch=None,
        blamed="",
    )
    state = stand(with_service(state, service), decided.status, ctx)
    for number in range(first, len(service.history) + 1):
        state = carried_out(state, number, ctx)
    if meanwhile and not state.service.closed:
        state = add_task(state, ctx, DECISION)
    return dispatch(state, ctx)


def carried_out(state: State, number: int, ctx: Context) -> State:
    """What a command that has just been recorded asks for."""
    command = state.service.history[number - 1]
    if command.kind == CLOSED:
        return closed(state, ctx)
    if command.kind == SCHEDULED:
        return add_task(state, ctx, ACTIVITY, number)
    if command.ms:
        ctx.after(command.ms, TimerDue(state.trip, number))
    return state


def closed(state: State, ctx: Context) -> State:
    """The trip is over; nothing of it is to be done any more."""
    state = replace(state, ended_ms=ctx.now_ms)
    return with_service(state, replace(state.service, closed=True, tasks=()))


def timer(state: State, due: TimerDue, ctx: Context) -> State:
    """A wait or a sleep is over, unless the workflow has gone on meanwhile."""
    service = state.service
    stale = due.trip != state.trip or service.closed
    if stale or last_command(service.history) != due.number:
        return state
    if is_answered(service.history, due.number):
        return state
    return append(state, Recorded(FIRED, of=due.number), ctx)


def signaled(state: State, signal: Signal, ctx: Context) -> State:
    """Somebody did something: it is noted once, however often it is said."""
    service = state.service
    if signal.trip != state.trip or signal.id in service.noted:
        return state
    noted = with_service(state, replace(service, noted=(*service.noted, signal.id)))
    if signal.name == REQUEST:
        return opened(noted, ctx)
    if service.closed:
        return noted
    event = Recorded(SIGNALED, signal.name, signal.value)
    if durable(state):
        return append(noted, event, ctx)
    return forwarded(noted, event, ctx)


def opened(state: State, ctx: Context) -> State:
    """A trip begins: with a history of one event, or as a job for one worker."""
    state = with_service(state, replace(state.service, closed=False))
    if durable(state):
        return append(state, Recorded(STARTED), ctx)
    return dispatch(add_task(state, ctx, JOB), ctx)


def stand(state: State, status: str, ctx: Context) -> State:
    """How the trip stands; who waits to be told is told."""
    service = state.service
    if status == service.status:
        return state
    state = with_service(state, replace(service, status=status, status_ms=ctx.now_ms))
    if polling(state):
        return state
    for app in APPS:
        state = say(state, HISTORY, app, News(state.trip, status, ctx.now_ms), ctx)
    return counted(state, pushes=len(APPS))


# --- Without a history ----------------------------------------------------------------------------


def forwarded(state: State, event: Recorded, ctx: Context) -> State:
    """The worker that has the trip in memory is told; if nobody has it, the signal is gone."""
    for task in state.service.tasks:
        if task.worker:
            body = Forward(state.trip, state.service.run, event)
            return say(state, HISTORY, task.worker, body, ctx)
    return state


def told_progress(state: State, report: Report, ctx: Context) -> State:
    """A worker says how far it is; one whose trip was given to another is not listened to."""
    if (report.trip, report.run) != (state.trip, state.service.run) or state.service.closed:
        return state
    for task in state.service.tasks:
        # It lives, and will be missed only when it breaks the connection.
        state = with_task(state, replace(task, deadline_ms=OPEN))
    state = stand(state, report.status, ctx)
    return closed(state, ctx) if report.closed else state


def missed(state: State, worker: str, ctx: Context) -> State:
    """The connection to a worker that has a whole trip broke: after a while another one gets it."""
    for task in state.service.tasks:
        if task.kind == JOB and task.worker == worker:
            # It is free from now on, so that what the dead one has sent before does not revive it.
            state = again(
                state, task, wake(HISTORY, ctx.now_ms + state.params.task_timeout_ms, ctx)
            )
    return state
