"""A participant: it locks, works, promises, and then waits for the decision as long as it takes.

Once `prepared` is on its disk it is in doubt: it may neither commit nor abort by itself, and keeps
its locks (Gray, "Notes on Data Base Operating Systems", 1978, section 5.8.3.3). It asks the
coordinator again and again, which is the simplest termination protocol (Bernstein, Hadzilacos,
Goodman 1987, section 7.4). After a crash it finds in its log what it has promised, takes those
locks again and asks. `decides_alone` is the wrong design: it runs out of patience.
"""

from __future__ import annotations

from ...kernel import Context, is_up, replace
from ...order_book import (
    OPEN,
    PAYMENTS,
    SERVICES,
    Database,
    Row,
    confirm,
    execute,
    refusal,
)
from . import rules
from .locks import Claim, Locks, give_up, request
from .rules import ABORT, COMMIT, PREPARED, WORKING
from .shop import (
    AUDITOR,
    COORDINATOR,
    KINDS,
    STOCK_ROW,
    Ack,
    Alarm,
    Answer,
    Ask,
    Decision,
    Inquiry,
    Participant,
    Prepare,
    Record,
    State,
    Vote,
    Work,
    Worked,
    decision_of,
    forced,
    keys_of,
    measured,
    not_forced,
    participant_of,
    post,
    reading_ms,
    row_of,
    undecided,
    with_participant,
    with_work,
    work_of,
)

# An auditor's lock outlives the longest attempt of an auditor, who gives up after one such time.
LEASES = 2


# --- The first phase: lock, work, vote ------------------------------------------------------------


def asked_to_prepare(state: State, name: str, prepare: Prepare, ctx: Context) -> State:
    """Work on an order begins, unless it has begun or is decided."""
    member, order = participant_of(state, name), prepare.order
    work = work_of(member, order)
    if work is not None:
        # A yes that was lost, or the prepare came twice.
        return vote(state, name, order, "", ctx) if work.status == PREPARED else state
    decision = decision_of(member, order)
    if decision:
        # It has aborted, and its no may have been lost; or all is over.
        return vote(state, name, order, "aborted before", ctx) if decision == ABORT else state
    deadline_ms = ctx.now_ms + state.params.lock_wait_ms
    work = Work(order, prepare.declined, ctx.now_ms, deadline_ms=deadline_ms)
    return advance(with_participant(state, with_work(member, work)), name, order, ctx)


def advance(state: State, name: str, order: int, ctx: Context) -> State:
    """An order takes its next lock, waits for it, or begins to work when it has them all."""
    member = participant_of(state, name)
    work = work_of(member, order)
    if work is None or work.status != WORKING:
        return state
    for key in keys_of(name, order):
        locks, granted = request(member.locks, Claim(key, order, False, ctx.now_ms))
        member = replace(member, locks=locks)
        if not granted:
            return armed(with_participant(state, member), name, ctx)
    due_ms = ctx.now_ms + state.params.work_ms
    ctx.after(state.params.work_ms, Worked(name, order))
    works = replace(work, due_ms=due_ms, deadline_ms=OPEN)
    return with_participant(state, with_work(member, works))


def worked(state: State, name: str, order: int, ctx: Context) -> State:
    """The work is done: a no, or `prepared` forced to the log and then a yes."""
    member = participant_of(state, name)
    work = work_of(member, order)
    if work is None or work.status != WORKING or work.due_ms != ctx.now_ms:
        return state
    why = why_not(member, work)
    if why:
        return refused(state, name, work, why, ctx)
    params = state.params
    prepared = replace(
        work,
        status=rules.prepare(work.status),
        deadline_ms=ctx.now_ms + params.retry_ms,
        alone_ms=ctx.now_ms + params.patience_ms if params.decides_alone else OPEN,
    )
    member = forced(with_work(member, prepared), Record(order, PREPARED, ctx.now_ms))
    # The vote goes out after the forced write: a promise that a crash can erase is none.
    state = vote(with_participant(state, member), name, order, "", ctx)
    return armed(state, name, ctx)


def why_not(member: Participant, work: Work) -> str:
    """Why a service cannot do its part of an order, or nothing."""
    if member.name == PAYMENTS and work.declined:
        return "card declined"
    return refusal(member.database) if member.name in SERVICES else ""


def refused(state: State, name: str, work: Work, why: str, ctx: Context) -> State:
    """A participant that has promised nothing aborts alone, and votes no."""
    kind = KINDS[rules.choose_to_abort(work.status)]
    state = ended(state, name, work.order, Record(work.order, kind, ctx.now_ms), ctx)
    return vote(state, name, work.order, why, ctx)


def vote(state: State, name: str, order: int, why: str, ctx: Context) -> State:
    return post(state, name, COORDINATOR, Vote(order, not why, why), ctx)


# --- The second phase: the decision ---------------------------------------------------------------


def decided(state: State, name: str, decision: Decision, ctx: Context) -> State:
    """The decision arrives; a commit is acknowledged, also one that is known already."""
    member, order = participant_of(state, name), decision.order
    work = work_of(member, order)
    if work is not None:
        kind = KINDS[rules.learn(work.status, decision.decision)]
        state = ended(state, name, order, Record(order, kind, ctx.now_ms), ctx)
    elif decision.decision == ABORT and not decision_of(member, order):
        # The prepare is still on its way, or lost; when it comes, this order is over.
        record = Record(order, ABORT, ctx.now_ms)
        state = with_participant(state, not_forced(member, record))
    if decision.decision == COMMIT and decision_of(participant_of(state, name), order):
        state = post(state, name, COORDINATOR, Ack(order), ctx)
    return state


def ended(state: State, name: str, order: int, record: Record, ctx: Context) -> State:
    """A participant's part of an order is over: on record, in its database, locks released.

    An abort is not forced: whoever finds no record of it asks, and hears abort (presumed abort).
    """
    member = participant_of(state, name)
    if record.kind == COMMIT:
        database = changed(member.database, order)
        member = forced(replace(member, database=database), record)
    elif record.alone:
        member = forced(member, record)
    else:
        member = not_forced(member, record)
    works = tuple(work for work in member.works if work.order != order)
    return released(with_participant(state, replace(member, works=works)), name, order, ctx)


def changed(database: Database, order: int) -> Database:
    """The database with a service's part of an order; the order itself is confirmed at once."""
    if database.service not in SERVICES:
        return replace(database, rows=(*database.rows, Row(order, "DONE")))
    return confirm(execute(database, order), order)


def released(state: State, name: str, owner: int, ctx: Context) -> State:
    """An owner's locks are free, and whoever waited for them goes on."""
    member = participant_of(state, name)
    for waiting in member.locks.queue:
        if waiting.owner == owner > 0:
            waits = measured(state.waits, ctx.now_ms - waiting.since_ms)
            state = replace(state, waits=waits)
    locks, freed, granted = give_up(member.locks, owner, ctx.now_ms)
    state = with_participant(state, replace(member, locks=locks))
    for claim in freed:
        if not claim.shared:
            state = hold_measured(state, claim, ctx.now_ms - claim.since_ms)
    for claim in granted:
        if claim.shared:
            state = answered(state, name, claim, ctx)
        else:
            waits = measured(state.waits, ctx.now_ms - claim.since_ms)
            state = advance(replace(state, waits=waits), name, claim.owner, ctx)
    return state


def hold_measured(state: State, claim: Claim, ms: int) -> State:
    """How long an order has held a lock is counted, the widget's row apart."""
    if claim.key == STOCK_ROW:
        return replace(state, row_holds=measured(state.row_holds, ms))
    return replace(state, holds=measured(state.holds, ms))


# --- Readers --------------------------------------------------------------------------------------


def asked_to_read(state: State, name: str, ask: Ask, ctx: Context) -> State:
    """An auditor wants an order's row, and that it stays as it is until he has seen the others."""
    member = participant_of(state, name)
    claim = Claim(row_of(ask.order), -ask.attempt, True, ctx.now_ms)
    locks, granted = request(member.locks, claim)
    state = with_participant(state, replace(member, locks=locks))
    if granted:
        state = answered(state, name, claim, ctx)
    return armed(state, name, ctx)


def answered(state: State, name: str, claim: Claim, ctx: Context) -> State:
    """The auditor has the lock and gets the row's status."""
    rows = participant_of(state, name).database.rows
    status = next((row.status for row in reversed(rows) if row_of(row.order) == claim.key), "")
    return post(state, name, AUDITOR, Answer(-claim.owner, status), ctx)


# --- Deadlines, and coming back -------------------------------------------------------------------


def alarmed(state: State, name: str, ctx: Context) -> State:
    """What has waited too long: for a lock, for a decision, for an auditor."""
    member = participant_of(state, name)
    if member.alarm_ms != ctx.now_ms or not is_up(state.network, name):
        return state
    state = with_participant(state, replace(member, alarm_ms=OPEN))
    for order in [work.order for work in member.works]:
        # The work of an order may have changed since, through a lock that another one gave up.
        work = work_of(participant_of(state, name), order)
        if work is not None:
            state = overdue(state, name, work, ctx)
    for claim in expired(state, participant_of(state, name).locks, ctx.now_ms):
        state = released(state, name, claim.owner, ctx)
    return armed(state, name, ctx)


def overdue(state: State, name: str, work: Work, ctx: Context) -> State:
    """What a participant does about one order when a deadline has passed."""
    if work.alone_ms != OPEN and work.alone_ms <= ctx.now_ms:
        kind = KINDS[rules.learn(work.status, state.params.alone)]
        record = Record(work.order, kind, ctx.now_ms, alone=True)
        return ended(state, name, work.order, record, ctx)
    if work.deadline_ms == OPEN or work.deadline_ms > ctx.now_ms:
        return state
    if work.status == PREPARED:
        return inquire(state, name, work, ctx)
    return refused(state, name, work, "waited too long for a lock", ctx)


def inquire(state: State, name: str, work: Work, ctx: Context) -> State:
    """A participant in doubt asks the coordinator, and will ask again."""
    later = replace(work, deadline_ms=ctx.now_ms + state.params.retry_ms)
    state = with_participant(state, with_work(participant_of(state, name), later))
    return post(state, name, COORDINATOR, Inquiry(work.order), ctx)


def recovered(state: State, name: str, ctx: Context) -> State:
    """Back from a crash: promises without a decision are in doubt again, locked, and asked about.

    Work that was not promised is gone with the memory it was in, which is an abort.
    """
    member = participant_of(state, name)
    params = state.params
    for order in undecided(member):
        since_ms = next(r.at_ms for r in member.log if r.order == order and r.kind == PREPARED)
        for key in keys_of(name, order):
            held = (*member.locks.held, Claim(key, order, False, since_ms))
            member = replace(member, locks=Locks(held))
        alone_ms = ctx.now_ms + params.patience_ms if params.decides_alone else OPEN
        member = with_work(
            member, Work(order, False, since_ms, PREPARED, ctx.now_ms, ctx.now_ms, alone_ms)
        )
    state = with_participant(state, member)
    for work in member.works:
        state = inquire(state, name, work, ctx)
    return armed(state, name, ctx)


def expired(state: State, locks: Locks, now_ms: int) -> tuple[Claim, ...]:
    """The claims of auditors whose release must have been lost."""
    lease_ms = LEASES * reading_ms(state.params)
    claims = (*locks.held, *locks.queue)
    return tuple(c for c in claims if c.shared and c.since_ms + lease_ms <= now_ms)


def armed(state: State, name: str, ctx: Context) -> State:
    """One alarm for a participant's earliest deadline; an earlier one that is pending will do."""
    member = participant_of(state, name)
    lease_ms = LEASES * reading_ms(state.params)
    deadlines = [
        ms for work in member.works for ms in (work.deadline_ms, work.alone_ms) if ms != OPEN
    ]
    deadlines += [
        claim.since_ms + lease_ms
        for claim in (*member.locks.held, *member.locks.queue)
        if claim.shared
    ]
    if not deadlines or ctx.now_ms < member.alarm_ms <= min(deadlines):
        return state
    due_ms = max(min(deadlines), ctx.now_ms)
    ctx.after(due_ms - ctx.now_ms, Alarm(name))
    return with_participant(state, replace(member, alarm_ms=due_ms))
