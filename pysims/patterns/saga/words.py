"""What happened, and what there is to see, in sentences."""

from __future__ import annotations

from typing import Any

from ...kernel import Deliver, Message, is_up
from ...order_book import OPEN, PRICE_CENTS, SERVICES, STEPS, VOID, dollars
from ...phrases import listed, many
from .choreography import BACK_ORDERED
from .measure import at_stake_cents, canceled_later, latest, open_orders, turned, wrong_in
from .orchestration import GAVE_UP, SENT, saga_of
from .services import DONE, FAILED, REFUSED, UNDONE
from .state import (
    AUDITOR,
    COORDINATIONS,
    ORCHESTRATOR,
    SAGA,
    Acknowledge,
    Alarm,
    Arrive,
    Ask,
    Audit,
    AuditAlarm,
    Command,
    Crash,
    Event,
    Happening,
    Inspect,
    Job,
    Order,
    Params,
    Place,
    Reading,
    Record,
    Reply,
    Resend,
    Restart,
    Show,
    State,
    Worked,
    Written,
    about,
    nodes_of,
    orchestrated,
    participant_of,
    words_of,
)

SHORT = ("create", "charge", "reserve", "label", "confirm")
SHORT_UNDO = ("cancel", "refund", "release", "void")
UNDO = "undo "

STALE = "Nothing is due any more: an alarm that came too late."
ANSWERS = {
    DONE: "it is done",
    REFUSED: "it refuses",
    FAILED: "it failed for now",
    UNDONE: "it is undone",
}


def called(name: str) -> str:
    """A node within a sentence."""
    return f"the {name.lower()}" if name in (ORCHESTRATOR, AUDITOR) else name


def starting(text: str) -> str:
    return text[:1].upper() + text[1:]


def of_order(state: State, order: int) -> str:
    """Which order a sentence is about, where there are several."""
    return f"Order {order}: " if len(state.orders) > 1 else ""


def describe(before: State | None, event: Happening | None, after: State) -> str:
    """What an event did, in a sentence; without an event, how the run starts."""
    if before is None or event is None:
        return opening(after.params)
    match event:
        case Deliver(message):
            return of_message(before, message, after)
        case Worked(name, job):
            return of_work(before, name, job, after)
        case Written(order, write):
            return of_writing(before, order, write, after)
        case Alarm(order):
            return of_alarm(before, order, after)
        case Resend(name, number):
            return of_resend(before, name, number, after)
        case Arrive() | Place():
            return of_customer(after)
        case Audit() | AuditAlarm() | Inspect():
            return of_audit(before, event, after)
    return of_the_reader(before, event, after)


def opening(params: Params) -> str:
    """How the run starts."""
    who = (
        "An orchestrator tells four services what to do"
        if orchestrated(params)
        else "Four services react to each other's events, and nobody leads"
    )
    return f"{who}. In stock: {many(params.stock, 'widget')}."


# --- Messages -------------------------------------------------------------------------------------


def of_message(before: State, message: Message, after: State) -> str:
    flying = next((m for m in before.network.in_flight if m.id == message.id), message)
    what = content(message)
    order = of_order(after, message.body.order) if hasattr(message.body, "order") else ""
    if flying.lost:
        return f"{order}{what} from {called(message.source)} is lost; nobody is told."
    if not is_up(before.network, message.target):
        return f"{order}{what} reaches {called(message.target)}, which is down: it is lost."
    return order + starting(arrival(before, message, after))


def content(message: Message) -> str:
    """A message by what it says."""
    match message.body:
        case Command(_, step, undo):
            return f"The command “{words_of(step, undo)}”"
        case Reply(_, _, _, answer):
            return f"The reply “{ANSWERS[answer]}”"
        case Event(kind):
            return f"The event {kind}"
        case Acknowledge():
            return "An acknowledgment"
        case Ask():
            return "A question"
    return "An answer"


def arrival(before: State, message: Message, after: State) -> str:
    """What a message does at the node that it reaches."""
    source, target, body = message.source, message.target, message.body
    match body:
        case Command(_, step, undo):
            return f"{target} is asked to {words_of(step, undo)}{again(before, target, after)}."
        case Reply(_, step, undo, answer):
            word = "undoing it" if undo else SAGA[step]
            heard = f"the orchestrator hears from {source}: {ANSWERS[answer]}"
            ignored = before.orchestrator == after.orchestrator
            return f"{heard}{f', which is old news about {word}' if ignored else ''}."
        case Event(kind):
            return f"{target} hears {kind}{again(before, target, after)}."
        case Acknowledge():
            old = participant_of(before, target) is participant_of(after, target)
            return f"{source} has dealt with the event{', as was known' if old else ''}."
        case Ask():
            return f"{target} shows the auditor its rows of order {body.order}."
        case Show():
            return of_answer(after, body, source)
    raise ValueError(f"saga has no message {body!r}")


def again(before: State, name: str, after: State) -> str:
    """A note when a service has no new work from a message."""
    if len(participant_of(after, name).jobs) > len(participant_of(before, name).jobs):
        return ""
    return ", has dealt with that, and says so" if sends_more(before, after) else ""


def sends_more(before: State, after: State) -> bool:
    return after.network.next_id > before.network.next_id


def of_answer(after: State, body: Show, source: str) -> str:
    """The auditor reads one more database."""
    reading = next((r for r in after.readings if r.number == body.reading), None)
    if reading is None or not any(part.service == source for part in reading.seen):
        return f"{source} answers the auditor: the order is PENDING, so he asks again."
    if reading.done_ms == OPEN:
        return f"the auditor has read the book of {source}."
    read = after.reads[reading.number]
    return f"the auditor has read all four books: {read.anomaly or 'nothing is wrong with them'}."


# --- Work and logs --------------------------------------------------------------------------------


def of_work(before: State, name: str, number: int, after: State) -> str:
    job = next((job for job in participant_of(before, name).jobs if job.number == number), None)
    if job is None or participant_of(before, name) is participant_of(after, name):
        return STALE
    task, order = job.task, of_order(after, job.task.order)
    doing = words_of(task.step, task.undo)
    if job.retry:
        return f"{order}{name} tries again to {doing}."
    result = outcome_words(before, name, job, after)
    return f"{order}{name} {result.format(doing=doing)}"


def outcome_words(before: State, name: str, job: Job, after: State) -> str:
    """How a transaction ended."""
    old, new = participant_of(before, name), participant_of(after, name)
    records = [
        r.what for r in new.log if r.order == job.task.order and r.step == SAGA[job.task.step]
    ]
    again_at = [j for j in new.jobs if j.retry and j.task.step == job.task.step]
    if old.database != new.database:
        if records and records[-1] == REFUSED:
            return "refuses to {doing}: nothing has changed."
        if records and records[-1] == GAVE_UP:
            return "gives up trying to {doing}."
        changed = old.database.rows != new.database.rows
        return "has committed: {doing}." if changed else "finds nothing left to {doing}."
    if again_at or not sends_answer(before, after, FAILED):
        return "fails to {doing}, and will try again."
    return "fails to {doing}, and says so."


def sends_answer(before: State, after: State, answer: str) -> bool:
    """Whether the newest message says this."""
    newest = after.network.in_flight[-1:]
    return sends_more(before, after) and any(
        isinstance(m.body, Reply) and m.body.answer == answer for m in newest
    )


def record_words(record: Record) -> str:
    """A line of a log, in words: "charge sent", "refund done", "heard CardCharged"."""
    what, step = record.what, record.step
    if what == SENT and step.startswith(UNDO):
        return f"{SHORT_UNDO[SAGA.index(step.removeprefix(UNDO))]} sent"
    if what == UNDONE:
        return f"{SHORT_UNDO[SAGA.index(step)]} done"
    if step in SAGA:
        return f"{SHORT[SAGA.index(step)]} {what}"
    return f"{what} {step}".strip()


def of_writing(before: State, order: int, write: int, after: State) -> str:
    saga = saga_of(before, order)
    if saga is None or saga.write != write or not saga.writing:
        return "A write to the log was lost in the crash."
    words = ", ".join(record_words(r) for r in saga.writing if r.what != SENT)
    asks = [record_words(r).removesuffix(" sent") for r in saga.writing if r.what == SENT]
    then = f"; next: {asks[0]}" if asks else ""
    return f"{of_order(after, order)}The orchestrator’s log has it: {words}{then}."


def of_alarm(before: State, order: int, after: State) -> str:
    was, saga = saga_of(before, order), saga_of(after, order)
    if was is None or saga is None or was == saga or saga.deadline_ms == OPEN != was.deadline_ms:
        gives_up = saga is not None and any(r.what == GAVE_UP for r in saga.writing)
        return (
            f"{of_order(after, order)}No answer: the orchestrator gives up." if gives_up else STALE
        )
    doing = words_of(saga.step, saga.back)
    if sends_more(before, after):
        return f"{of_order(after, order)}The orchestrator asks again: {doing}."
    if was.asked and not saga.asked:
        return f"{of_order(after, order)}No answer to “{doing}”: it will be asked for again."
    return STALE


def of_resend(before: State, name: str, number: int, after: State) -> str:
    if not sends_more(before, after):
        return STALE
    entry = next(e for e in participant_of(before, name).outbox if e.event.number == number)
    order = of_order(after, entry.event.order)
    return f"{order}{name} sends {entry.event.kind} again: {entry.target} has not acknowledged it."


# --- Customers, auditors, the reader --------------------------------------------------------------


def of_customer(after: State) -> str:
    order = after.orders[-1]
    if order.order and not is_up(after.network, nodes_of(after)[0]):
        return f"A customer orders a widget and waits: {called(nodes_of(after)[0])} is down."
    return f"A customer orders a widget: order {order.order}."


def of_audit(before: State, event: Any, after: State) -> str:
    if not sends_more(before, after):
        return STALE
    if isinstance(event, AuditAlarm):
        return "The auditor asks again."
    return f"The auditor asks what the services know of order {after.orders[-1].order}."


def of_the_reader(before: State, event: Any, after: State) -> str:
    match event:
        case Crash(name):
            jobs = name in SERVICES and bool(participant_of(before, name).jobs)
            lost = " What it was at is lost; what it has committed is not." if jobs else ""
            return f"{starting(called(name))} crashes.{lost}"
        case Restart(name):
            return f"{starting(called(name))} is back, and goes on from what is on its disk."
    raise ValueError(f"saga has no event {event!r}")


# --- The picture in words -------------------------------------------------------------------------


def verdict(state: State) -> str:
    """What became of the newest order, in money."""
    order = latest(state)
    if order is None:
        return "No order yet."
    wrong = wrong_in(state, order.order)
    if order.outcome and wrong:
        return f"Order {order.order} has ended, and the books are wrong: {wrong[0].text}."
    if order.outcome == VOID:
        return f"Order {order.order} is fully compensated: no money, no widget, no label is left."
    if order.outcome:
        return f"Order {order.order} is complete: charged once, reserved once, labeled once."
    rows = [row.status for book in about(state.books, order.order) for row in book.rows]
    if not rows:
        return f"Order {order.order} has only begun."
    back = any(effect.undo for effect in order.effects) or known_refused(state, order)
    way = "on its way back" if back else "half done"
    taken = PRICE_CENTS * rows.count(STEPS[1].done)
    money = f", {dollars(taken)} taken" if taken else ""
    seen = "readers wait" if state.params.semantic_lock else "anybody can read that"
    return f"Order {order.order} is {way}, and {seen}: {', '.join(rows)}{money}."


def known_refused(state: State, order: Order) -> bool:
    """Whether a step of an order was refused or given up, so that it goes back."""
    logs = (r for p in state.participants for r in p.log if r.order == order.order)
    return order.given_up != OPEN or any(r.what in (REFUSED, GAVE_UP) for r in logs)


def books_words(state: State, order: int) -> str:
    """What every service has on record for an order."""
    parts = []
    for database in state.books:
        rows = [row.status for row in database.rows if row.order == order][-3:]
        parts.append(f"{database.service} {', '.join(rows) or 'nothing'}")
    return "; ".join(parts)


def reading_words(state: State, reading: Reading) -> str:
    """What an auditor saw, and what became of it."""
    if reading.done_ms == OPEN:
        waits = "waits until it is no longer PENDING" if state.params.semantic_lock else "reads"
        return f"The auditor {waits}: order {reading.order}."
    found = state.reads[reading.number].anomaly
    paid = dollars(PRICE_CENTS)
    later = (
        f" He had seen {paid} taken for an order that was canceled later."
        if canceled_later(state, reading)
        else ""
    )
    return f"The auditor saw: {found or f'order {reading.order} is in order'}.{later}"


def alternative(state: State, now_ms: int) -> str:
    """What the picture shows."""
    down = [called(name) for name in state.network.down]
    up = f"Down: {listed(down)}." if down else "Everybody is up."
    order = latest(state)
    kind = COORDINATIONS[state.params.coordination]
    if order is None:
        return f"A saga by {kind}. {up} No order yet."
    open_now, paid = open_orders(state), dollars(at_stake_cents(state))
    parts = [
        f"A saga by {kind} at {now_ms} ms. {up}",
        f"Order {order.order} in the books: {books_words(state, order.order)}.",
        verdict(state),
        f"{many(len(state.orders), 'order')}, {open_now} open; paid, not confirmed: {paid}.",
    ]
    if state.readings:
        parts.append(reading_words(state, state.readings[-1]))
    if turned(state):
        parts.append(f"{many(turned(state), 'event')} {BACK_ORDERED}: the events chase each other.")
    return " ".join(parts)
