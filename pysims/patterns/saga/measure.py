"""What can be read off a saga: who knows what, what is at stake, what each coordination costs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from ...order_book import (
    CONFIRMED,
    PAYMENTS,
    PRICE_CENTS,
    SERVICES,
    STEPS,
    Finding,
    findings,
    status_of,
)
from .choreography import (
    DONE_KINDS,
    HEARD,
    REFUSED_KINDS,
    TABLES,
    UNDONE_KINDS,
    Subscription,
    cycle_in,
    home_of,
    subscriptions,
    table_of,
)
from .orchestration import GAVE_UP
from .services import DONE, FAILED, REFUSED, UNDONE, at_work
from .state import (
    CONFIRM,
    LAST,
    ORCHESTRATOR,
    SAGA,
    Job,
    Order,
    Params,
    Reading,
    State,
    about,
    orchestrated,
    participant_of,
    service_of,
)

UNKNOWN = ""
# Found once: every picture shows it.
CYCLES = tuple(" → ".join(cycle_in(table)) for table in TABLES)
ANSWERS = (DONE, REFUSED, FAILED, UNDONE)

# --- Who knows what -------------------------------------------------------------------------------


def known_by(state: State, node: str, order: int) -> tuple[str, ...]:
    """What a node knows of each step of an order: "done", "refused", "undone", or nothing.

    The orchestrator knows what its log says. A service knows its own rows, and in choreography
    also what the events say that it has heard.
    """
    known = dict.fromkeys(SAGA, UNKNOWN)
    if node == ORCHESTRATOR:
        for record in state.orchestrator.log:
            if record.order == order and record.what in (DONE, REFUSED, UNDONE, GAVE_UP):
                known[record.step] = record.what
        return tuple(known.values())
    participant = participant_of(state, node)
    for record in participant.log:
        if record.order == order and record.what == HEARD:
            for what, kinds in (
                (DONE, DONE_KINDS),
                (REFUSED, REFUSED_KINDS),
                (UNDONE, UNDONE_KINDS),
            ):
                for step, kind in kinds.items():
                    if kind == record.step:
                        known[step] = what
        elif record.order == order and record.what in (DONE, REFUSED, UNDONE):
            known[record.step] = record.what
    return tuple(known.values())


def knows_all(state: State, node: str, order: int) -> bool:
    """Whether a node knows of every step of an order what became of it last."""
    theirs = [known_by(state, service_of(step), order)[step] for step in range(len(SAGA))]
    return list(known_by(state, node, order)) == theirs


# --- The state of a step and of a service ---------------------------------------------------------


def step_status(state: State, order: Order, step: int) -> str:
    """How far a step of an order is: "", "working", "done", "refused", "undoing", "undone"."""
    name = service_of(step)
    participant = participant_of(state, name)
    job = job_for(participant.jobs, order.order, step)
    if job is not None:
        if job.retry:
            return "retrying"
        return ("undoing" if job.task.undo else "working") if at_work(job) else "queued"
    if step == LAST:
        confirmed = status_of(state.books, order.order) == CONFIRMED
        return DONE if confirmed else own_word(state, order.order, step)
    rows = [row for row in participant.database.rows if row.order == order.order]
    if not rows:
        return own_word(state, order.order, step)
    return DONE if any(row.status != STEPS[step].undone for row in rows) else UNDONE


def own_word(state: State, order: int, step: int) -> str:
    """What a service's log says of a step that left no row: that it refused, or nothing."""
    log = participant_of(state, service_of(step)).log
    words = [r.what for r in log if r.order == order and r.step == SAGA[step]]
    return REFUSED if words and words[-1] in (REFUSED, GAVE_UP) else ""


def job_for(jobs: Sequence[Job], order: int, step: int) -> Job | None:
    """The job about a step of an order, if the service is at one."""
    found = (job for job in jobs if job.task.order == order and job.task.step == step)
    return next(found, None)


def retries_in_ms(state: State, order: int, now_ms: int) -> tuple[int, int] | None:
    """`(step, ms)` of the next try that somebody waits for, or nothing."""
    for saga in state.orchestrator.sagas:
        if saga.order == order and not saga.asked and saga.deadline_ms > now_ms:
            return saga.step, saga.deadline_ms - now_ms
    for participant in state.participants:
        for job in participant.jobs:
            if job.retry and job.task.order == order:
                return job.task.step, job.due_ms - now_ms
    return None


# --- What is at stake -----------------------------------------------------------------------------


def at_stake_cents(state: State) -> int:
    """Money that customers have paid for orders that are not confirmed (cents).

    For an order that is confirmed, what was charged beyond its price.
    """
    confirmed = sum(row.status == CONFIRMED for row in state.books[0].rows)
    charged = sum(row.status == STEPS[1].done for row in state.books[1].rows)
    return PRICE_CENTS * (charged - confirmed)


def canceled_later(state: State, reading: Reading) -> bool:
    """Whether a reading saw money taken for an order of which nothing is left now."""
    order = state.orders[reading.order - 1]
    paid = any(
        part.service == PAYMENTS and any(row.status == STEPS[1].done for row in part.rows)
        for part in reading.seen
    )
    return paid and order.outcome == "void"


def open_orders(state: State) -> int:
    return sum(not order.outcome for order in state.orders)


# --- What each coordination costs -----------------------------------------------------------------


def messages_without_faults(params: Params) -> int:
    """Messages for an order that completes undisturbed: each with its reply or acknowledgment."""
    if orchestrated(params):
        return 2 * len(SAGA)
    return 2 * sum(1 for _ in pairwise(SAGA))


def kinds_known(state: State, node: str) -> int:
    """How many kinds of messages a node has to know: commands and replies, or events."""
    if node == ORCHESTRATOR:
        return len(SAGA) + len(SERVICES) + len(ANSWERS)
    if orchestrated(state.params):
        steps = [step for step in SAGA if home_of(step) == node]
        return len(steps) + sum(step != CONFIRM for step in steps) + len(ANSWERS)
    table = table_of(state)
    heard = [s.kind for s in table if s.listener == node]
    told = [s.kind for s in table if s.publisher == node]
    return len(set(heard) | set(told))


def neighbors(state: State, node: str) -> int:
    """With how many other nodes a node exchanges messages of the saga."""
    if orchestrated(state.params):
        return len(SERVICES) if node == ORCHESTRATOR else 1
    table = table_of(state)
    told_by = [s.publisher for s in table if s.listener == node]
    told = [s.listener for s in table if s.publisher == node]
    return len({*told_by, *told} - {node})


def rules(state: State) -> int:
    """In how many rules the coordination consists that the services have: who reacts to what."""
    return 0 if orchestrated(state.params) else len(table_of(state))


def touched_by_new_step(
    params: Params, after: str = PAYMENTS, new: str = "Fraud"
) -> tuple[str, ...]:
    """Which nodes change when a step is put into the saga after another, the new one included.

    Under orchestration that is the orchestrator; in choreography whoever listens to other events
    than before.
    """
    if orchestrated(params):
        return (new, ORCHESTRATOR)
    at = SAGA.index(after) + 1
    longer = (*SAGA[:at], new, *SAGA[at:])
    old, now = subscriptions(), subscriptions(longer)
    nodes = dict.fromkeys((new, *SERVICES))
    return tuple(node for node in nodes if heard_by(old, node) != heard_by(now, node))


def heard_by(table: Sequence[Subscription], node: str) -> list[tuple[str, str, bool]]:
    """What a service does on which kind of event."""
    return sorted((s.kind, s.step, s.undo) for s in table if s.listener == node)


def cycle_words(state: State) -> str:
    """The cycle of events in the subscriptions, in words, or nothing."""
    if orchestrated(state.params):
        return ""
    return CYCLES[state.params.cyclic_subscription]


def wrong_in(state: State, order: int) -> tuple[Finding, ...]:
    """What does not fit in the books about one order."""
    return findings(about(state.books, order))


def turned(state: State) -> int:
    """How often orders came back as back orders."""
    return sum(order.turns for order in state.orders)


def charged_and_refunded(state: State) -> int:
    """How often a card was charged and given the money back, over all orders."""
    step = SERVICES.index(PAYMENTS)
    return sum(effect.undo and effect.step == step for o in state.orders for effect in o.effects)


def latest(state: State) -> Order | None:
    """The newest order, which the picture shows."""
    return state.orders[-1] if state.orders else None
