"""The coordinator: it asks all, decides once, writes the decision down, and tells it until heard.

Presumed abort (Mohan, Lindsay and Obermarck, "Transaction management in the R* distributed database
management system", ACM TODS 11(4), 1986, https://doi.org/10.1145/7239.7266, section 3): only a
commit is forced to the log and acknowledged; when all have acknowledged, an `end` record that need
not be forced lets the coordinator forget. Of what it knows nothing, it says: aborted.
"""

from __future__ import annotations

from ...kernel import Context, is_up, replace
from ...order_book import COMPLETED, OPEN, VOID, Placed
from . import rules
from .rules import ABORT, COMMIT, COMMITTED, INIT, Poll
from .shop import (
    COORDINATOR,
    END,
    KINDS,
    LOG_MS,
    Alarm,
    Coordinator,
    Decision,
    Logged,
    Prepare,
    Record,
    State,
    Transaction,
    Vote,
    forced,
    not_forced,
    post,
    told,
)


def names(state: State) -> tuple[str, ...]:
    """All participants, in the order of the steps."""
    return tuple(member.name for member in state.participants)


def transaction_of(state: State, order: int) -> Transaction | None:
    """What the coordinator remembers of an order, if anything."""
    return next((t for t in state.coordinator.transactions if t.order == order), None)


# --- The first phase: everybody is asked ----------------------------------------------------------


def begin(state: State, order: int, declined: bool, ctx: Context) -> State:
    """A customer orders: work and prepare go out in one message to each participant.

    # Simplified: R* does the work in earlier messages and prepares at the end; here the prepare
    # carries the work, which saves a round and changes nothing of what follows.
    """
    placed = Placed(order, ctx.now_ms)
    if not is_up(state.network, COORDINATOR):
        # Nobody takes the order, so nothing of it will ever be in any book.
        refused = replace(placed, done_ms=ctx.now_ms, outcome=VOID)
        why = (order, f"{COORDINATOR}: down")
        return replace(state, placed=(*state.placed, refused), refusals=(*state.refusals, why))
    give_up_ms = ctx.now_ms + state.params.vote_timeout_ms
    deadline_ms = min(ctx.now_ms + state.params.retry_ms, give_up_ms)
    state = replace(state, placed=(*state.placed, placed))
    state = remember(state, Transaction(order, declined, Poll(), deadline_ms, give_up_ms))
    for name in names(state):
        state = post(state, COORDINATOR, name, Prepare(order, declined), ctx)
    return armed(state, ctx)


def voted(state: State, source: str, vote: Vote, ctx: Context) -> State:
    """A vote arrives; the last yes starts the write of the commit record, the first no aborts."""
    found = transaction_of(state, vote.order)
    if found is None or found.poll.state != INIT or found.writing_ms != OPEN:
        return state
    if not vote.yes:
        why = (vote.order, f"{source}: {vote.why}")
        return aborted(replace(state, refusals=(*state.refusals, why)), found, source, ctx)
    found = replace(found, poll=rules.count(found.poll, source))
    if len(found.poll.prepared) == len(state.participants):
        found = replace(found, writing_ms=ctx.now_ms + LOG_MS)
        ctx.after(LOG_MS, Logged(vote.order))
    return remember(state, found)


# --- The second phase: the decision ---------------------------------------------------------------


def logged(state: State, order: int, ctx: Context) -> State:
    """The commit record is on disk: the order is committed, whatever happens from now on."""
    found = transaction_of(state, order)
    if found is None or found.writing_ms != ctx.now_ms:
        return state
    poll = rules.commit(found.poll, names(state))
    record = Record(order, KINDS[poll.state], ctx.now_ms)
    state = replace(state, coordinator=forced(state.coordinator, record))
    state = told(state, order, COMPLETED, ctx.now_ms)
    return announce(state, replace(found, poll=poll, writing_ms=OPEN), ctx)


def announce(state: State, found: Transaction, ctx: Context) -> State:
    """Commit goes to everybody who has not acknowledged it, and will again if need be."""
    state = remember(state, replace(found, deadline_ms=ctx.now_ms + state.params.retry_ms))
    for name in names(state):
        if name not in found.acked:
            state = post(state, COORDINATOR, name, Decision(found.order, COMMIT), ctx)
    return armed(state, ctx)


def aborted(state: State, found: Transaction, refused_by: str, ctx: Context) -> State:
    """Abort: noted without forcing, told once to all but who said no, and forgotten."""
    record = Record(found.order, KINDS[rules.abort(found.poll).state], ctx.now_ms)
    state = replace(state, coordinator=not_forced(state.coordinator, record))
    state = forget(told(state, found.order, VOID, ctx.now_ms), found.order)
    for name in names(state):
        if name != refused_by:
            state = post(state, COORDINATOR, name, Decision(found.order, ABORT), ctx)
    return state


def acked(state: State, source: str, order: int, ctx: Context) -> State:
    """A participant has committed; after the last one the transaction has ended."""
    found = transaction_of(state, order)
    if found is None or found.poll.state != COMMITTED or source in found.acked:
        return state
    found = replace(found, acked=(*found.acked, source))
    if len(found.acked) < len(state.participants):
        return remember(state, found)
    record = Record(order, END, ctx.now_ms)
    return forget(replace(state, coordinator=not_forced(state.coordinator, record)), order)


def inquired(state: State, source: str, order: int, ctx: Context) -> State:
    """A participant in doubt asks: commit, still open (it will ask again), or presumed abort."""
    found = transaction_of(state, order)
    if found is not None and found.poll.state == INIT:
        return state
    decision = ABORT if found is None else COMMIT
    return post(state, COORDINATOR, source, Decision(order, decision), ctx)


# --- Deadlines, and coming back -------------------------------------------------------------------


def alarmed(state: State, ctx: Context) -> State:
    """What is overdue is asked or told again, or, when votes are missing too long, aborted."""
    state = replace(state, coordinator=replace(state.coordinator, alarm_ms=OPEN))
    for found in state.coordinator.transactions:
        if found.writing_ms != OPEN or found.deadline_ms > ctx.now_ms:
            continue
        if found.poll.state == COMMITTED:
            state = announce(state, found, ctx)
        elif found.give_up_ms <= ctx.now_ms:
            missing = [name for name in names(state) if name not in found.poll.prepared]
            why = (found.order, f"{missing[0]}: no vote in time")
            state = aborted(replace(state, refusals=(*state.refusals, why)), found, "", ctx)
        else:
            state = asked_again(state, found, ctx)
    return armed(state, ctx)


def asked_again(state: State, found: Transaction, ctx: Context) -> State:
    """Prepare goes once more to those who have not voted."""
    deadline_ms = min(ctx.now_ms + state.params.retry_ms, found.give_up_ms)
    state = remember(state, replace(found, deadline_ms=deadline_ms))
    for name in names(state):
        if name not in found.poll.prepared:
            state = post(state, COORDINATOR, name, Prepare(found.order, found.declined), ctx)
    return state


def recovered(state: State, ctx: Context) -> State:
    """Back from a crash: what has a commit record and no end is told again, the rest is aborted."""
    ended = {record.order for record in state.coordinator.log if record.kind == END}
    committed = [record.order for record in state.coordinator.log if record.kind == COMMIT]
    for placed in state.placed:
        if not placed.outcome:
            why = (placed.order, f"{COORDINATOR}: no decision in its log")
            state = replace(state, refusals=(*state.refusals, why))
            state = told(state, placed.order, VOID, ctx.now_ms)
    for order in committed:
        if order not in ended:
            poll = Poll(COMMITTED, tuple(sorted(names(state))))
            state = announce(state, Transaction(order, False, poll, OPEN, OPEN), ctx)
    return state


def armed(state: State, ctx: Context) -> State:
    """One alarm for the earliest deadline; an earlier one that is pending will do."""
    coordinator = state.coordinator
    deadlines = [t.deadline_ms for t in coordinator.transactions if t.writing_ms == OPEN]
    if not deadlines or ctx.now_ms < coordinator.alarm_ms <= min(deadlines):
        return state
    due_ms = max(min(deadlines), ctx.now_ms)
    ctx.after(due_ms - ctx.now_ms, Alarm(COORDINATOR))
    return replace(state, coordinator=replace(coordinator, alarm_ms=due_ms))


def remember(state: State, found: Transaction) -> State:
    """The coordinator's memory with this transaction, new or changed."""
    coordinator = state.coordinator
    others = tuple(t for t in coordinator.transactions if t.order != found.order)
    return replace(state, coordinator=with_transactions(coordinator, (*others, found)))


def forget(state: State, order: int) -> State:
    """The coordinator's memory without an order."""
    coordinator = state.coordinator
    others = tuple(t for t in coordinator.transactions if t.order != order)
    return replace(state, coordinator=with_transactions(coordinator, others))


def with_transactions(
    coordinator: Coordinator, transactions: tuple[Transaction, ...]
) -> Coordinator:
    return replace(coordinator, transactions=transactions)
