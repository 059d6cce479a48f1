"""The second transaction: an auditor who reads the order's rows in all four databases.

Nothing isolates him from a saga. He asks the four services, each answers at once with what it has
committed, and so he may see a card charged for an order that is canceled a moment later: a dirty
read. With a semantic lock he heeds the flag that the saga itself has set: he reads the order first,
and while it is PENDING he asks again; once it is CONFIRMED or CANCELED nothing about it changes any
more, so that what he then reads belongs together.

Source: Frank and Zahle, "Semantic ACID properties in multidatabases using remote procedure calls
and update propagations", Software: Practice and Experience 28(1), 1998 (countermeasures against
isolation anomalies); Richardson, "Microservices Patterns", Manning 2018, section 4.3.2, which takes
six of them from there: semantic lock, commutative updates, pessimistic view, reread value, version
file, by value.

Simplified: of these countermeasures only the semantic lock is here.
"""

from __future__ import annotations

from ...kernel import Context, Message, replace, send
from ...order_book import (
    OPEN,
    ORDERS,
    SERVICES,
    STEPS,
    Database,
    Databases,
    Read,
    Row,
    findings,
)
from .state import (
    AUDITOR,
    BACKOFF_MAX_MS,
    Ask,
    AuditAlarm,
    Reading,
    Seen,
    Show,
    State,
    participant_of,
)

# How many readings that have ended stay in the picture.
ENDED_MAX = 3
LOCK_WAIT_MS, LOCK_WAIT_MAX_MS = 20, 160
PENDING = STEPS[0].done


def begin(state: State, ctx: Context) -> State:
    """The auditor looks at the newest order."""
    order, number = state.orders[-1].order, state.audits
    reading = Reading(number, order, ctx.now_ms)
    state = replace(
        state,
        audits=number + 1,
        reads=(*state.reads, Read(order, ctx.now_ms)),
        readings=(*state.readings, reading),
    )
    return ask(state, reading, ctx)


def missing(state: State, reading: Reading) -> tuple[str, ...]:
    """The services to ask next: with a semantic lock, the orders' service by itself first."""
    seen = [part.service for part in reading.seen]
    if state.params.semantic_lock and not seen:
        return (ORDERS,)
    return tuple(name for name in SERVICES if name not in seen)


def ask(state: State, reading: Reading, ctx: Context) -> State:
    """Ask those who have not shown their rows yet, and once more if an answer does not come."""
    for name in missing(state, reading):
        question = Ask(reading.number, reading.order, reading.asking)
        state = replace(state, network=send(state.network, ctx, AUDITOR, name, question))
    wait_ms = min(BACKOFF_MAX_MS, state.params.timeout_ms * reading.asking)
    return wait(state, reading, wait_ms, ctx)


def wait(state: State, reading: Reading, wait_ms: int, ctx: Context) -> State:
    ctx.after(wait_ms, AuditAlarm(reading.number))
    return with_reading(state, replace(reading, deadline_ms=ctx.now_ms + wait_ms))


def with_reading(state: State, reading: Reading) -> State:
    readings = tuple(reading if r.number == reading.number else r for r in state.readings)
    return replace(state, readings=readings)


def reading_of(state: State, number: int) -> Reading | None:
    """A reading that has not ended."""
    return next((r for r in state.readings if r.number == number and r.done_ms == OPEN), None)


def alarmed(state: State, number: int, ctx: Context) -> State:
    """He asks again, unless his deadline has moved or he has his answers."""
    reading = reading_of(state, number)
    if reading is None or reading.deadline_ms != ctx.now_ms:
        return state
    return ask(state, replace(reading, asking=reading.asking + 1), ctx)


def receive(state: State, message: Message, ctx: Context) -> State:
    """A question reaches a service, which answers at once; or an answer reaches the auditor."""
    body = message.body
    if isinstance(body, Ask):
        rows = participant_of(state, message.target).database.rows
        about = tuple(row for row in rows if row.order == body.order)
        shown = Show(body.reading, body.asking, about)
        return replace(state, network=send(state.network, ctx, message.target, AUDITOR, shown))
    reading = reading_of(state, body.reading)
    if reading is None or any(part.service == message.source for part in reading.seen):
        return state
    if state.params.semantic_lock and message.source == ORDERS and is_pending(body.rows):
        # An answer to an older question changes nothing: the newer one's is still to come.
        if body.asking != reading.asking:
            return state
        wait_ms = min(LOCK_WAIT_MAX_MS, LOCK_WAIT_MS * reading.asking)
        return wait(state, reading, wait_ms, ctx)
    if state.params.semantic_lock and message.source == ORDERS and not body.rows:
        # What is not in the orders' book has not begun; what comes later is another reading's.
        nothing = tuple(Seen(name, ()) for name in SERVICES[:-1])
        return saw(state, replace(reading, seen=nothing), Seen(SERVICES[-1], ()), ctx)
    return saw(state, reading, Seen(message.source, body.rows), ctx)


def saw(state: State, reading: Reading, part: Seen, ctx: Context) -> State:
    """One more database is read; after all four he knows what he believes."""
    first = not reading.seen
    reading = replace(reading, seen=(*reading.seen, part))
    if len(reading.seen) < len(SERVICES):
        state = with_reading(state, reading)
        return ask(state, reading, ctx) if state.params.semantic_lock and first else state
    reading = replace(reading, done_ms=ctx.now_ms)
    found = findings(as_read(reading))
    read = replace(
        state.reads[reading.number],
        done_ms=ctx.now_ms,
        anomaly=found[0].text if found else "",
    )
    at = reading.number
    reads = (*state.reads[:at], read, *state.reads[at + 1 :])
    return replace(with_reading(state, reading), reads=reads, readings=kept(state, reading))


def kept(state: State, done: Reading) -> tuple[Reading, ...]:
    """The readings under way, and the last few that have ended."""
    readings = [done if r.number == done.number else r for r in state.readings]
    over = [r.number for r in readings if r.done_ms != OPEN][:-ENDED_MAX]
    return tuple(r for r in readings if r.number not in over)


def is_pending(rows: tuple[Row, ...]) -> bool:
    """Whether an order's rows carry the flag."""
    return any(row.status == PENDING for row in rows)


def as_read(reading: Reading) -> Databases:
    """The databases as the auditor saw them, with the rows of his order only."""
    shown = {part.service: part.rows for part in reading.seen}
    return tuple(Database(name, shown.get(name, ())) for name in SERVICES)
