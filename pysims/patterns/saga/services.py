"""What a service does, whoever coordinates it: one local transaction after the other.

A transaction takes `work_ms`, its forced write included. The widget's stock is one row: the
inventory's transactions about it queue, first come first served, and hold it no longer than they
work. Rows of different orders do not wait for each other.

An idempotency key makes a step, its refusal and its compensation take effect once. Undoing a step
uses up the step's own key, so that a request for it which comes late finds its place taken.

Source: Helland, "Life beyond Distributed Transactions: an Apostate's Opinion", CIDR 2007 (messages
may come twice and out of order, so an activity remembers what it has dealt with).
"""

from __future__ import annotations

from ...kernel import Context, replace
from ...order_book import (
    CONFIRMED,
    INVENTORY,
    OPEN,
    PAYMENTS,
    Database,
    Row,
    compensate,
    confirm,
    execute,
    refusal,
    standing,
    undo_again,
)
from .state import (
    FAILS,
    LAST,
    REFUSES,
    SAGA,
    Effect,
    Job,
    Participant,
    Record,
    State,
    Task,
    Worked,
    noted,
    order_of,
    participant_of,
    pivot_of,
    with_order,
    with_participant,
)

DONE, REFUSED, FAILED, UNDONE = "done", "refused", "failed", "undone"


def key_of(task: Task, undo: bool | None = None) -> str:
    """The idempotency key of a task; a back order is another request, and has another key."""
    undoes = task.undo if undo is None else undo
    turn = task.event.turn if task.event else 0
    again = f" again {turn}" if turn else ""
    return f"{'undo ' if undoes else ''}{SAGA[task.step]} {task.order}{again}"


def known(state: State, name: str, task: Task) -> str:
    """The answer to a task whose key was used before, or nothing."""
    database = participant_of(state, name).database
    if not state.params.idempotency_keys or key_of(task) not in database.keys:
        return ""
    if task.undo:
        return UNDONE
    if task.step == LAST:
        confirmed = Row(task.order, CONFIRMED) in database.rows
        return DONE if confirmed else REFUSED
    return DONE if standing(database, task.order) else REFUSED


def take(state: State, name: str, task: Task, ctx: Context, wait_ms: int = 0) -> State:
    """The service starts on a task, or queues it for the row; after `wait_ms` if that is given.

    What it is at already is not taken twice where keys tell it. An event that is being retried
    is known without a key: it stands in a queue of the service's own.
    """
    participant = participant_of(state, name)
    if any(same(state, job, task) for job in participant.jobs):
        return state
    job = Job(state.next_job, task)
    if wait_ms:
        job = replace(job, due_ms=ctx.now_ms + wait_ms, retry=True)
        ctx.after(wait_ms, Worked(name, job.number))
    participant = replace(participant, jobs=(*participant.jobs, job))
    state = replace(state, next_job=state.next_job + 1)
    return start_jobs(state, participant, ctx)


def same(state: State, job: Job, task: Task) -> bool:
    """Whether a job is about the task that is asked for once more."""
    if state.params.idempotency_keys:
        return key_of(job.task) == key_of(task)
    return job.retry and job.task.event is not None and job.task.event == task.event


def at_work(job: Job) -> bool:
    """Whether a job is a transaction under way: it does not queue and does not wait to retry."""
    return job.due_ms != OPEN and not job.retry


def start_jobs(state: State, participant: Participant, ctx: Context) -> State:
    """Start what waits: at the inventory one at a time, for it all needs the same row."""
    jobs = []
    free = participant.name != INVENTORY or not any(map(at_work, participant.jobs))
    due_ms = ctx.now_ms + state.params.work_ms
    for job in participant.jobs:
        starts = job.due_ms == OPEN and free
        jobs.append(replace(job, due_ms=due_ms) if starts else job)
        if starts:
            ctx.after(state.params.work_ms, Worked(participant.name, job.number))
            free = participant.name != INVENTORY
    return with_participant(state, replace(participant, jobs=tuple(jobs)))


def finish(state: State, name: str, number: int, ctx: Context) -> tuple[State, Task | None, str]:
    """A job is due: the state after its transaction, its task, and its answer.

    No task: a crash took the job, or it only starts now.
    """
    participant = participant_of(state, name)
    job = next((job for job in participant.jobs if job.number == number), None)
    if job is None or job.due_ms != ctx.now_ms:
        return state, None, ""
    if job.retry:
        again = replace(job, due_ms=OPEN, retry=False)
        jobs = tuple(again if other is job else other for other in participant.jobs)
        return start_jobs(state, replace(participant, jobs=jobs), ctx), None, ""
    rest = tuple(other for other in participant.jobs if other is not job)
    state = with_participant(state, replace(participant, jobs=rest))
    state, answer = perform(state, name, job.task)
    return start_jobs(state, participant_of(state, name), ctx), job.task, answer


def perform(state: State, name: str, task: Task) -> tuple[State, str]:
    """The local transaction: the change, its key and its record in the log, all or nothing."""
    answer = known(state, name, task)
    if answer:
        return state, answer
    state, stumbles = stumble(state, task)
    if stumbles:
        return state, FAILED
    participant = participant_of(state, name)
    database, answer = participant.database, UNDONE if task.undo else DONE
    if not task.undo and refuses(state, database, task):
        # What must not be undone any more must not refuse either: it is tried again.
        if task.step > pivot_of(state.params):
            return state, FAILED
        answer = REFUSED
    after = changed(state, database, task, answer)
    if after.rows != database.rows:
        order = order_of(state, task.order)
        effects = (*order.effects, Effect(task.step, task.undo))
        state = with_order(state, replace(order, effects=effects))
    participant = noted(participant, Record(task.order, answer, SAGA[task.step]))
    return with_participant(state, replace(participant, database=after)), answer


def changed(state: State, database: Database, task: Task, answer: str) -> Database:
    """The database after a task that was answered like this."""
    keys = state.params.idempotency_keys
    if answer == REFUSED:
        return used(database, key_of(task)) if keys else database
    if task.undo:
        undone = compensate(database, task.order, key_of(task, undo=False) if keys else "")
        if keys:
            return used(undone, key_of(task))
        return undone if undone.rows != database.rows else undo_again(database, task.order)
    if task.step == LAST:
        confirmed = confirm(database, task.order)
        return used(confirmed, key_of(task)) if keys else confirmed
    return execute(database, task.order, key_of(task) if keys else "")


def used(database: Database, key: str) -> Database:
    """The database with a key that counts as used from now on."""
    return database if key in database.keys else replace(database, keys=(*database.keys, key))


def refuse(state: State, name: str, task: Task) -> State:
    """The service gives a task up for good, so that a late repeat of it finds its place taken."""
    participant = participant_of(state, name)
    database = changed(state, participant.database, task, REFUSED)
    participant = noted(participant, Record(task.order, "gave up", SAGA[task.step]))
    return with_participant(state, replace(participant, database=database))


def refuses(state: State, database: Database, task: Task) -> bool:
    """Whether the service has a reason to refuse a step for good."""
    params, name = state.params, SAGA[task.step]
    asked_to = params.fails == name and params.how == REFUSES
    declined = name == PAYMENTS and order_of(state, task.order).declined
    return asked_to or declined or (name == INVENTORY and bool(refusal(database)))


def stumble(state: State, task: Task) -> tuple[State, bool]:
    """Count a try, and say whether it fails for now, as the reader has chosen."""
    params, order = state.params, order_of(state, task.order)
    at = task.step + (LAST + 1) * task.undo
    before = order.tried[at]
    tried = (*order.tried[:at], before + 1, *order.tried[at + 1 :])
    state = with_order(state, replace(order, tried=tried))
    if task.undo:
        return state, before < params.compensation_failures
    chosen = params.fails == SAGA[task.step] and params.how == FAILS
    return state, chosen and before < params.failures
