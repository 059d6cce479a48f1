"""What happened, and what there is to see, in sentences."""

from __future__ import annotations

from ...kernel import Deliver, Message, is_up
from ...order_book import COMPLETED, PRICE_CENTS, VOID, Databases, Finding, findings
from ...phrases import listed, many
from .rules import ABORT, ABORTED, COMMITTED, INIT, PREPARED, WORKING
from .safety import fresh, torn
from .shop import (
    AUDITOR,
    COORDINATOR,
    STOCK_ROW,
    WAITING,
    Ack,
    Alarm,
    Answer,
    Ask,
    Auditors,
    Crash,
    Customers,
    Decision,
    Event,
    Inquiry,
    Logged,
    LoseNext,
    PlaceOrder,
    Prepare,
    Release,
    Restart,
    SetLoss,
    State,
    Vote,
    Worked,
    in_doubt,
    newest,
    nodes,
    participant_of,
    status_in,
    undecided,
)

STATUS_WORDS = {
    "": "idle",
    WAITING: "waits",
    WORKING: "working",
    PREPARED: "in doubt",
    COMMITTED: "committed",
    ABORTED: "aborted",
}


def under_way(state: State) -> tuple[int, ...]:
    """The orders that some node is still busy with, in ascending order."""
    found = {t.order for t in state.coordinator.transactions}
    found.update(work.order for member in state.participants for work in member.works)
    return tuple(sorted(found.union(in_doubt(state))))


def focus_of(state: State) -> int:
    """The order that the picture follows: the oldest under way, else the newest; 0 if none."""
    return next(iter(under_way(state)), newest(state))


def wrong(state: State) -> tuple[Finding, ...]:
    """What does not fit in the books about the orders on which the participants disagree."""
    orders = torn(state)
    return findings(only(state.books, orders)) if orders else ()


def only(databases: Databases, orders: tuple[int, ...]) -> Databases:
    """The databases with nothing but these orders."""
    return tuple(
        type(d)(d.service, tuple(r for r in d.rows if r.order in orders), d.stock)
        for d in databases
    )


def wrong_cents(state: State) -> int:
    """The money that is wrong in the books, whichever way (cents)."""
    return sum(abs(finding.cents) for finding in wrong(state))


def stake_cents(state: State) -> int:
    """The money in orders of which nobody may say yet what becomes of them (cents)."""
    return PRICE_CENTS * len(in_doubt(state))


# --- What happened --------------------------------------------------------------------------------


def describe(before: State | None, event: Event | None, after: State) -> str:
    """What an event did, in a sentence; without an event, how the run starts."""
    if before is None or event is None:
        who = f"{COORDINATOR} and {many(len(after.participants), 'participant')}"
        coming = f", and {many(after.crowd, 'customer')} to come" * bool(after.crowd)
        return f"{who}, each with its own database and log{coming}."
    match event:
        case Deliver(message):
            return of_message(before, message, after)
        case Worked(name, order):
            return of_work(before, name, order, after)
        case Logged(order):
            return of_logged(before, order, after)
        case Alarm(name):
            return of_alarm(before, name, after)
        case Customers() | PlaceOrder():
            return of_order(after)
        case Auditors():
            if len(after.reads) == len(before.reads):
                return "An auditor comes, and there is no order to ask about."
            return f"An auditor asks all four services about order {newest(after)}."
    return of_the_reader(before, event, after)


def of_the_reader(before: State, event: Event, after: State) -> str:
    match event:
        case Crash(name):
            return of_crash(before, name)
        case Restart(name):
            return of_restart(before, name, after)
        case LoseNext(name):
            return f"The next message to {name} will be lost."
        case SetLoss(loss):
            return f"From now on {100 * loss:.0f} % of the messages are lost."
    raise ValueError(f"two_phase_commit has no event {event!r}")


def of_order(after: State) -> str:
    placed = after.placed[-1]
    if placed.outcome:
        return f"Order {placed.order} is turned away: the coordinator is down."
    return f"Order {placed.order}: the coordinator asks all to do their part and prepare."


def of_crash(before: State, name: str) -> str:
    if name == COORDINATOR:
        doubtful = in_doubt(before)
        if doubtful:
            return f"The coordinator crashes. {orders(doubtful)} in doubt: nobody may decide."
        return "The coordinator crashes. Its log is on its disk, the votes it counted are gone."
    works = participant_of(before, name).works
    promised = [work.order for work in works if work.status == PREPARED]
    lost = [work.order for work in works if work.status == WORKING]
    text = f"{name} crashes."
    if promised:
        text += f" Its promise for {orders(promised).lower()} is in its log."
    if lost:
        text += f" Its work on {orders(lost).lower()} is gone."
    return text


def of_restart(before: State, name: str, after: State) -> str:
    if name == COORDINATOR:
        open_now = [t.order for t in after.coordinator.transactions]
        void = [p.order for p in before.placed if not p.outcome]
        parts = ["The coordinator is back."]
        if open_now:
            parts.append(f"Its log says commit for {orders(open_now).lower()}: it tells all again.")
        if void:
            parts.append(f"Its log knows nothing of {orders(void).lower()}, and that means abort.")
        return " ".join(parts)
    promised = undecided(participant_of(after, name))
    if promised:
        what = orders(promised).lower()
        return f"{name} is back. Its log has promised {what}: it locks again, and asks."
    return f"{name} is back, and its log leaves nothing open."


def orders(numbers: tuple[int, ...] | list[int]) -> str:
    """Orders by number: "Order 3", "Orders 3 and 4"; of many, how many."""
    if len(numbers) > 4:
        return f"{len(numbers)} orders"
    return f"{'Order' if len(numbers) == 1 else 'Orders'} {listed(map(str, numbers))}"


def of_message(before: State, message: Message, after: State) -> str:
    flying = next((m for m in before.network.in_flight if m.id == message.id), message)
    if flying.lost:
        return f"{said(flying)} is lost."
    if not is_up(before.network, flying.target):
        return f"{said(flying)} finds {flying.target} down."
    return f"{said(flying)} arrives at {flying.target}{effect(before, flying, after)}."


def said(message: Message) -> str:
    """A message by its sender and what it says."""
    source, body = message.source, message.body
    match body:
        case Prepare(order):
            return f"“Do your part of order {order} and prepare”"
        case Vote(order, yes, why):
            return f"{source}’s {'yes' if yes else f'no ({why})'} for order {order}"
        case Decision(order, decision):
            return f"“{decision.capitalize()} order {order}”"
        case Ack(order):
            return f"{source}’s acknowledgment of order {order}"
        case Inquiry(order):
            return f"{source}’s question what became of order {order}"
        case Ask(_, order):
            return f"An auditor’s question about order {order}"
        case Answer():
            return f"{source}’s answer"
        case Release():
            return "An auditor’s “done”"
    raise ValueError(f"two_phase_commit has no message {body!r}")


def effect(before: State, message: Message, after: State) -> str:
    """What the arrival of a message led to, if it needs saying."""
    body = message.body
    if isinstance(body, Prepare | Decision):
        return at_participant(before, message, after)
    if isinstance(body, Vote):
        return of_vote(before, message.body, after)
    if isinstance(body, Ack):
        left = any(t.order == body.order for t in after.coordinator.transactions)
        had = any(t.order == body.order for t in before.coordinator.transactions)
        return ": all have it, it may be forgotten" if had and not left else ""
    if isinstance(body, Inquiry):
        return of_inquiry(before, body.order)
    if isinstance(body, Ask):
        member = participant_of(after, message.target)
        waits = any(c.owner == -body.attempt for c in member.locks.queue)
        return ", and waits for a lock" if waits else ""
    if isinstance(body, Answer):
        done = [r for r in after.reads if r.done_ms != -1]
        if len(done) > sum(r.done_ms != -1 for r in before.reads):
            return f": he has all four, and {'they do not fit' if done[-1].anomaly else 'they fit'}"
    return ""


def at_participant(before: State, message: Message, after: State) -> str:
    """What a participant does about a prepare or a decision."""
    order, name = message.body.order, message.target
    was = status_in(participant_of(before, name), order)
    now = status_in(participant_of(after, name), order)
    if isinstance(message.body, Prepare):
        if was == now:
            return ", once more" if was else ""
        return ", which waits for a lock" if now == WAITING else ", which locks and works"
    if was == now:
        return ", which has decided already" if was in (COMMITTED, ABORTED) else ""
    done = "commits" if now == COMMITTED else "aborts"
    return f", which {done} and unlocks"


def of_vote(before: State, vote: Vote, after: State) -> str:
    had = next((t for t in before.coordinator.transactions if t.order == vote.order), None)
    now = next((t for t in after.coordinator.transactions if t.order == vote.order), None)
    if had is None or had.poll.state != INIT or had == now:
        return ", and changes nothing"
    if now is None:
        return ": abort"
    count = f"{len(now.poll.prepared)} of {len(after.participants)}"
    return f": {count}, commit goes to the log" if now.writing_ms != -1 else f": {count}"


def of_inquiry(before: State, order: int) -> str:
    found = next((t for t in before.coordinator.transactions if t.order == order), None)
    if found is None:
        return ", which knows nothing of it: abort"
    return ", which has not decided yet" if found.poll.state == INIT else ": commit"


def of_work(before: State, name: str, order: int, after: State) -> str:
    if before.participants == after.participants:
        return f"{name} would be done with order {order}, but it was given up meanwhile."
    if status_in(participant_of(after, name), order) == PREPARED:
        return f"{name} forces “prepared” for order {order} to its log and votes yes."
    return f"{name} cannot do its part of order {order}, aborts alone and votes no."


def of_logged(before: State, order: int, after: State) -> str:
    if before.coordinator.log == after.coordinator.log:
        return f"The commit record of order {order} was never finished."
    return f"Commit is in the coordinator’s log: order {order} is decided, and all are told."


def of_alarm(before: State, name: str, after: State) -> str:
    if name == AUDITOR:
        return "An auditor has waited too long, lets go and starts over."
    if name == COORDINATOR:
        gone = len(before.coordinator.transactions) - len(after.coordinator.transactions)
        if gone > 0:
            return f"Votes are missing for too long: the coordinator aborts {many(gone, 'order')}."
        if sends(before, after):
            return "The coordinator asks or tells again those who have not answered."
        return "The coordinator looks at its clock: nothing is overdue."
    return of_participants_alarm(before, name, after)


def of_participants_alarm(before: State, name: str, after: State) -> str:
    old, new = participant_of(before, name), participant_of(after, name)
    written = fresh(old, new)
    alone = [record for record in written if record.alone]
    if alone:
        return f"{name} decides order {alone[0].order} by itself: {alone[0].kind}."
    if written and written[0].kind == ABORT:
        return f"{name} has waited too long for a lock, aborts order {written[0].order}: no."
    asked = [
        m.body.order
        for m in after.network.in_flight[len(before.network.in_flight) :]
        if isinstance(m.body, Inquiry)
    ]
    if asked:
        return f"{name} is in doubt about {orders(asked).lower()} and asks the coordinator."
    return f"{name} looks at its clock: nothing is overdue."


def sends(before: State, after: State) -> bool:
    return after.network.next_id > before.network.next_id


# --- What there is to see -------------------------------------------------------------------------


def alternative(state: State, now_ms: int) -> str:
    """What a sighted reader sees."""
    order = focus_of(state)
    parts = [counts_text(state)]
    if order:
        parts.append(f"Order {order}: the coordinator {coordinator_text(state, order)}.")
        parts += [
            f"{member.name} is {member_text(state, member.name, order)}."
            for member in state.participants
        ]
    parts.append(waiters_text(state, now_ms))
    found = wrong(state)
    parts.append(
        f"Wrong in the books: {found[0].text}." if found else "Nothing in the books is wrong."
    )
    down = [name for name in nodes(state) if not is_up(state.network, name)]
    if down:
        parts.append(f"Down: {listed(down)}.")
    return " ".join(part for part in parts if part)


def counts_text(state: State) -> str:
    outcomes = [placed.outcome for placed in state.placed]
    return (
        f"{many(len(outcomes), 'order')}: {outcomes.count(COMPLETED)} completed, "
        f"{outcomes.count(VOID)} void, {outcomes.count('')} open."
    )


def coordinator_text(state: State, order: int) -> str:
    """What the coordinator does about an order, to follow its name."""
    if not is_up(state.network, COORDINATOR):
        return "is down"
    found = next((t for t in state.coordinator.transactions if t.order == order), None)
    total = len(state.participants)
    if found is None:
        placed = next((p for p in state.placed if p.order == order), None)
        outcome = placed.outcome if placed else ""
        return {COMPLETED: "has committed it", VOID: "has aborted it"}.get(outcome, "is idle")
    if found.poll.state == COMMITTED:
        return f"has committed, {len(found.acked)} of {total} acks"
    if found.writing_ms != -1:
        return "writes commit to its log"
    return f"has {len(found.poll.prepared)} of {total} votes"


def member_text(state: State, name: str, order: int) -> str:
    member = participant_of(state, name)
    status = STATUS_WORDS[status_in(member, order)]
    locked = any(claim.owner == order for claim in member.locks.held)
    down = "" if is_up(state.network, name) else ", and down"
    return f"{status}{', with a lock' if locked else ''}{down}"


def waiters_text(state: State, now_ms: int) -> str:
    """Who waits for the widget's row, and how long."""
    waits = [
        claim
        for member in state.participants
        for claim in member.locks.queue
        if claim.key == STOCK_ROW
    ]
    if not waits:
        return ""
    longest = max(now_ms - claim.since_ms for claim in waits)
    return f"{many(len(waits), 'order')} waiting for the widget’s row, up to {longest} ms."
