"""How a saga looks: plain numbers and words for `scene.svg.jinja`.

The picture follows the newest order: the services at the corners of a square, round which events
go, the orchestrator in the middle, from which commands go, and the auditor below. The path of
the saga is a line of steps forward and a line of compensations back. Of many orders only the
newest is drawn; the rest are counts and a chart.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Any

from ...kernel import Message, is_up, replace
from ...order_book import (
    COMPLETED,
    OPEN,
    PRICE_CENTS,
    SERVICES,
    VOID,
    Database,
    dollars,
    ledger,
    overdone,
    rank,
    standing,
)
from ...phrases import listed, many, percent
from ...shapes import Point, Scale, along, polyline, ticks
from .choreography import CHAIN_MAX
from .measure import (
    at_stake_cents,
    charged_and_refunded,
    cycle_words,
    kinds_known,
    known_by,
    latest,
    messages_without_faults,
    neighbors,
    open_orders,
    retries_in_ms,
    rules,
    step_status,
    touched_by_new_step,
    turned,
    wrong_in,
)
from .services import DONE, REFUSED, UNDONE
from .state import (
    AUDITOR,
    CHOREOGRAPHY,
    LAST,
    ORCHESTRATION,
    ORCHESTRATOR,
    SAGA,
    UNDOS,
    Ask,
    Command,
    Effect,
    Event,
    Order,
    Reading,
    Reply,
    Show,
    State,
    nodes_of,
    orchestrated,
    participant_of,
    pivot_of,
    service_of,
)
from .words import SHORT, SHORT_UNDO, alternative, describe, reading_words, record_words, verdict

__all__ = ["alternative", "describe", "view"]

BOX: dict[str, tuple[float, float]] = dict.fromkeys(SERVICES, (112.0, 50.0))
BOX |= {ORCHESTRATOR: (124.0, 50.0), AUDITOR: (92.0, 34.0)}
PLACES: dict[str, Point] = {
    SERVICES[0]: (57.0, 30.0),
    SERVICES[1]: (283.0, 30.0),
    SERVICES[2]: (283.0, 236.0),
    SERVICES[3]: (57.0, 236.0),
    ORCHESTRATOR: (170.0, 133.0),
    AUDITOR: (170.0, 302.0),
}
MARKS = {DONE: "✓", REFUSED: "✗", UNDONE: "✓", "working": "…", "undoing": "…", "queued": "…"}
KNOWN = {DONE: "✓", REFUSED: "✗", UNDONE: "↶", "gave up": "?"}
ANSWER_MARKS = {DONE: "done ✓", REFUSED: "refused ✗", "failed": "failed !", UNDONE: "undone ✓"}
# From so many orders on, the run is told by a chart.
MANY = 8
LEFT, RIGHT, TOP, BOTTOM = 36.0, 330.0, 30.0, 150.0
RECORDS_SHOWN, ROWS_SHOWN = 7, 3


def view(state: State, now_ms: int) -> dict[str, Any]:
    """All that the scene draws."""
    order = latest(state)
    crowd = len(state.orders) >= MANY
    return {
        "nodes": [node_of(state, name, order, now_ms) for name in (*nodes_of(state), AUDITOR)],
        "central": orchestrated(state.params),
        "messages": messages_of(state, order, now_ms),
        "others": others_words(state, order),
        "steps": steps_of(state, order),
        "order": order.order if order else 0,
        "verdict": verdict(state),
        "wrong": is_wrong(state, order),
        "ledgers": ledgers_of(state),
        "knowledge": knowledge_of(state, order),
        "logs": logs_of(state, order),
        "reading": reading_of(state),
        "chart": chart_of(state, now_ms) if crowd else None,
        "cycle": cycle_of(state),
        "costs": costs_of(state),
        "readouts": readouts(state, order),
    }


# --- The nodes and what is under way --------------------------------------------------------------


def node_of(state: State, name: str, order: Order | None, now_ms: int) -> dict[str, Any]:
    """One node: where it is, and in a word what it is at for the newest order."""
    x, y = PLACES[name]
    width, height = BOX[name]
    up = is_up(state.network, name)
    word, tone = node_words(state, name, order, now_ms) if up else ("down", "down")
    return {
        "id": name, "x": x - width / 2, "y": y - height / 2, "width": width, "height": height,
        "name": name, "word": word, "tone": tone, "up": up,
    }  # fmt: skip


def node_words(state: State, name: str, order: Order | None, now_ms: int) -> tuple[str, str]:
    """The word in a node, and its tone."""
    if name == AUDITOR:
        reads = any(reading.done_ms == OPEN for reading in state.readings)
        return ("reads", "busy") if reads else ("", "calm")
    if order is None:
        return "waiting", "calm"
    retry = retries_in_ms(state, order.order, now_ms)
    if name == ORCHESTRATOR:
        return orchestrator_words(state, order, retry)
    mine = [step for step in range(len(SAGA)) if service_of(step) == name]
    if retry and retry[0] in mine:
        return f"retry in {retry[1] / 1000:.2f} s", "bad"
    unsent = [entry for entry in participant_of(state, name).outbox if entry.attempt > 1]
    if any(entry.event.order == order.order for entry in unsent):
        return "resends", "bad"
    status = [step_status(state, order, step) for step in mine]
    newest = next((word for word in reversed(status) if word), "")
    words = {
        "": ("waiting", "calm"),
        DONE: ("done", "done"),
        UNDONE: ("compensated", "undone"),
        REFUSED: ("refused", "bad"),
        "undoing": ("compensating", "busy"),
        "queued": ("queues for the row", "busy"),
    }
    return words.get(newest, (newest, "busy"))


def orchestrator_words(
    state: State, order: Order, retry: tuple[int, int] | None
) -> tuple[str, str]:
    """What the orchestrator is at."""
    saga = next((s for s in state.orchestrator.sagas if s.order == order.order), None)
    if saga is None:
        return ("waiting", "calm") if not order.outcome else (order.outcome, "done")
    if saga.writing:
        return "writes its log", "busy"
    if retry:
        return f"retries in {retry[1] / 1000:.2f} s", "bad"
    return f"awaits {service_of(saga.step)}", "bad" if saga.back else "busy"


def messages_of(state: State, order: Order | None, now_ms: int) -> list[dict[str, Any]]:
    """The messages about the newest order, and those of the auditor's newest reading."""
    if order is None:
        return []
    return [
        message_of(message, now_ms)
        for message in state.network.in_flight
        if is_shown(state, message, order)
    ]


def is_shown(state: State, message: Message, order: Order) -> bool:
    body = message.body
    if isinstance(body, Show):
        return body.reading == state.audits - 1
    if isinstance(body, Ask):
        return body.reading == state.audits - 1
    return bool(body.order == order.order)


def message_of(message: Message, now_ms: int) -> dict[str, Any]:
    """A message where it is now, with its words."""
    start, end = PLACES[message.source], PLACES[message.target]
    fraction = message.fraction(now_ms)
    x, y = along(
        start, end, fraction, 7.0, clear(message.source, end), clear(message.target, start)
    )
    kind, words = look_of(message)
    return {
        "id": message.id, "x": x, "y": y, "kind": kind, "words": words,
        "lost": bool(message.lost) and fraction >= 0.5,
    }  # fmt: skip


def clear(name: str, toward: Point) -> float:
    """How far from the middle of a node's box a message comes out of it."""
    x, y = PLACES[name]
    width, height = BOX[name]
    dx, dy = abs(toward[0] - x), abs(toward[1] - y)
    length = (dx * dx + dy * dy) ** 0.5 or 1.0
    ways = [half * length / d for half, d in ((width / 2, dx), (height / 2, dy)) if d > 0.01]
    return min(ways) + 8.0


def look_of(message: Message) -> tuple[str, str]:
    """The kind of a message, and its label."""
    match message.body:
        case Command(_, step, undo):
            return ("undo", f"{SHORT_UNDO[step]}!") if undo else ("do", f"{SHORT[step]}!")
        case Reply(_, _, undo, answer):
            return ("undo" if undo or answer != DONE else "do", ANSWER_MARKS[answer])
        case Event(kind):
            return ("do" if kind in GOOD_KINDS else "undo", kind)
        case Ask():
            return "ask", "?"
        case Show():
            return "ask", "rows"
    return "ack", ""


GOOD_KINDS = ("OrderCreated", "CardCharged", "WidgetReserved", "LabelCreated")


def others_words(state: State, order: Order | None) -> str:
    """How much is under way that the picture does not show."""
    if order is None:
        return ""
    hidden = sum(not is_shown(state, message, order) for message in state.network.in_flight)
    older = sum(not other.outcome for other in state.orders[:-1])
    if not older and not hidden:
        return ""
    return f"Not drawn: {many(older, 'other open order')}, {many(hidden, 'message')} under way."


# --- The path of the saga -------------------------------------------------------------------------


def steps_of(state: State, order: Order | None) -> dict[str, Any]:
    """A line of steps forward and one of compensations back, with the pivot."""
    pivot = pivot_of(state.params)
    forward, back = [], []
    for step, name in enumerate(SHORT):
        x = 34.0 + 68.0 * step
        status = step_status(state, order, step) if order else ""
        happened = order is not None and Effect(step, undo=False) in order.effects
        word = DONE if happened else status
        forward.append({"x": x, "name": name, "mark": MARKS.get(word, ""), "kind": kind_of(word)})
        if step < UNDOS:
            undone = order is not None and Effect(step, undo=True) in order.effects
            word = UNDONE if undone else status if status == "undoing" else ""
            if order is not None and is_retrying_undo(state, order, step):
                word = "retrying"
            back.append(
                {
                    "x": x, "name": SHORT_UNDO[step], "mark": MARKS.get(word, ""),
                    "kind": kind_of(word), "never": step >= pivot,
                }
            )  # fmt: skip
    return {"forward": forward, "back": back, "pivot": 34.0 + 68.0 * pivot, "last": pivot == LAST}


def kind_of(word: str) -> str:
    """The look of a step's circle."""
    if word in (DONE, UNDONE):
        return word
    if word in (REFUSED, "retrying"):
        return "bad"
    return "busy" if word else "none"


def is_retrying_undo(state: State, order: Order, step: int) -> bool:
    """Whether the compensation of a step has failed and waits for its next try."""
    for saga in state.orchestrator.sagas:
        if saga.order == order.order and saga.back and saga.step == step:
            return saga.attempt > 1 or not (saga.asked or saga.writing)
    jobs = participant_of(state, SERVICES[step]).jobs
    return any(j.task.undo and j.retry and j.task.order == order.order for j in jobs)


# --- The books, the logs, and who knows what ------------------------------------------------------


def is_wrong(state: State, order: Order | None) -> bool:
    """Whether what the books say about the newest order is wrong for good."""
    if order is None or not order.outcome:
        return False
    return bool(wrong_in(state, order.order))


def ledgers_of(state: State) -> list[dict[str, Any]]:
    """The four databases as cards."""
    shown = {row.order for book in state.books for row in book.rows[-ROWS_SHOWN:]}
    wrong = [n for n in shown if state.orders[n - 1].outcome and wrong_in(state, n)]
    return [
        {
            "book": ledger(database, ROWS_SHOWN),
            "note": "" if is_up(state.network, database.service) else "down",
            "bad": any(is_off(state, database, number) for number in wrong),
        }
        for database in state.books
    ]


def is_off(state: State, database: Database, number: int) -> bool:
    """Whether a book does not have what it should have of an order that has ended."""
    wanted = int(state.orders[number - 1].outcome == COMPLETED)
    return standing(database, number) != wanted or overdone(database, number) > 0


def knowledge_of(state: State, order: Order | None) -> list[dict[str, Any]]:
    """A row for each node: what it knows of each step."""
    rows = []
    for name in nodes_of(state):
        known = known_by(state, name, order.order) if order else ("",) * len(SAGA)
        cells = [{"mark": KNOWN.get(word, "·"), "kind": word or "none"} for word in known]
        rows.append({"name": name, "cells": cells})
    return rows


def logs_of(state: State, order: Order | None) -> list[dict[str, Any]]:
    """For each node, its newest records of the newest order."""
    if order is None:
        return []
    logs = [(p.name, p.log) for p in state.participants]
    if orchestrated(state.params):
        logs.insert(0, (ORCHESTRATOR, state.orchestrator.log))
    shown = []
    for name, log in logs:
        mine = [record_words(record) for record in log if record.order == order.order]
        most = RECORDS_SHOWN if name == ORCHESTRATOR else 4
        shown.append({"name": name, "more": len(mine) > most, "records": mine[-most:]})
    return shown


def reading_of(state: State) -> dict[str, Any] | None:
    """What the auditor saw last, service by service."""
    if not state.readings:
        return None
    reading: Reading = state.readings[-1]
    seen = {part.service: part.rows for part in reading.seen}
    return {
        "order": reading.order,
        "cells": [{"name": name, "status": seen_words(seen, name)} for name in SERVICES],
        "words": reading_words(state, reading),
        "bad": reading.done_ms != OPEN and bool(state.reads[reading.number].anomaly),
        "at_ms": reading.at_ms,
    }


def seen_words(seen: dict[str, Any], name: str) -> str:
    """What a service showed: its newest row, nothing, or not yet."""
    if name not in seen:
        return "…"
    return str(seen[name][-1].status) if seen[name] else "nothing"


# --- Many orders ----------------------------------------------------------------------------------


def chart_of(state: State, now_ms: int) -> dict[str, Any]:
    """How many orders were placed, completed and voided up to each moment."""
    placed = [order.at_ms for order in state.orders]
    done = sorted(order.done_ms for order in state.orders if order.outcome == COMPLETED)
    void = sorted(order.done_ms for order in state.orders if order.outcome == VOID)
    end_ms = max(1_000, now_ms)
    xs = Scale(0, end_ms, LEFT, RIGHT)
    ys = Scale(0, max(10, len(placed)), BOTTOM, TOP)
    moments = [end_ms * i // 40 for i in range(41)]

    def line(times: list[int]) -> str:
        return polyline((xs(at), ys(bisect_right(times, at))) for at in moments if at <= now_ms)

    return {
        "left": LEFT, "right": RIGHT, "top": TOP, "bottom": BOTTOM,
        "xs": [(xs(at), f"{at / 1000:g} s") for at in ticks(0, end_ms, 4)],
        "ys": [(ys(count), f"{count:g}") for count in ticks(0, max(10, len(placed)), 4)],
        "placed": line(placed), "completed": line(done), "void": line(void),
        "words": f"{len(placed)} placed, {len(done)} completed, {len(void)} void, "
        f"{open_orders(state)} open",
    }  # fmt: skip


# --- What it costs --------------------------------------------------------------------------------


def cycle_of(state: State) -> dict[str, Any] | None:
    """The cycle of events that the subscriptions allow, and how far it has come."""
    words = cycle_words(state)
    if not words:
        return None
    hops = max((order.hops_max for order in state.orders), default=0)
    seen = f"a chain of {hops} events; without a cycle none is longer than {CHAIN_MAX}"
    moved = dollars(2 * PRICE_CENTS * charged_and_refunded(state))
    return {
        "words": words,
        "turns": turned(state),
        "seen": seen,
        "bad": hops > CHAIN_MAX,
        "price": f"{many(sum(o.messages for o in state.orders), 'message')}, {moved} moved back "
        "and forth",
    }


def costs_of(state: State) -> list[dict[str, Any]]:
    """The two coordinations side by side, as far as they can be counted."""
    here = state.params.coordination
    both = [
        replace(state, params=replace(state.params, coordination=name))
        for name in (ORCHESTRATION, CHOREOGRAPHY)
    ]

    def most_neighbors(one: State) -> str:
        counts = [neighbors(one, name) for name in nodes_of(one)]
        return (
            f"{counts[0]}, the others {max(counts[1:])}"
            if orchestrated(one.params)
            else (f"at most {max(counts)}")
        )

    def most(one: State) -> str:
        counts = {name: kinds_known(one, name) for name in nodes_of(one)}
        name = max(counts, key=lambda node: counts[node])
        return f"{counts[name]} ({name})"

    rows = [
        ("Messages, if nothing fails", [str(messages_without_faults(s.params)) for s in both]),
        ("Knows the whole saga", ["the orchestrator", "nobody"]),
        (
            "Where the order of the steps is written",
            ["in the orchestrator", f"in {rules(both[1])} reactions of {len(SERVICES)} services"],
        ),
        ("Others that one node deals with", [most_neighbors(s) for s in both]),
        ("Most kinds of messages one node knows", [most(s) for s in both]),
        (
            "A fraud check after the charge changes",
            [listed(touched_by_new_step(s.params)) for s in both],
        ),
        (
            "Events can chase each other",
            ["no: one node decides", "yes" if cycle_words(both[1]) else "not with these rules"],
        ),
        ("One more node that can stop all orders", ["the orchestrator", "none"]),
    ]
    return [
        {
            "label": label,
            "cells": [
                {"text": text, "here": here == name}
                for text, name in zip(cells, (ORCHESTRATION, CHOREOGRAPHY), strict=True)
            ],
        }
        for label, cells in rows
    ]


def readouts(state: State, order: Order | None) -> list[dict[str, str]]:
    """The numbers below the picture."""
    stake = at_stake_cents(state)
    shown = [
        {
            "label": "Paid, not confirmed",
            "value": dollars(stake) if stake >= 0 else f"−{dollars(-stake)}",
            "note": "customers’ money at stake",
        },
        {
            "label": "Orders",
            "value": f"{sum(o.outcome == COMPLETED for o in state.orders)} of {len(state.orders)}",
            "note": f"completed; {sum(o.outcome == VOID for o in state.orders)} void, "
            f"{open_orders(state)} open",
        },
    ]
    if order is not None:
        usual = messages_without_faults(state.params)
        count = sum(o.messages for o in state.orders) / len(state.orders)
        shown.append(
            {
                "label": "Messages per order",
                "value": f"{count:.3g}",
                "note": f"{usual} when nothing fails",
            }
        )
    times = sorted(o.done_ms - o.at_ms for o in state.orders if o.outcome == COMPLETED)
    if len(times) >= MANY:
        shown.append(
            {
                "label": "Time to completion",
                "value": f"{rank(times, 0.5)} ms",
                "note": f"half of them; 95 % within {rank(times, 0.95)} ms",
            }
        )
    ended = [read for read in state.reads if read.done_ms != OPEN]
    if ended:
        wrong = sum(bool(read.anomaly) for read in ended)
        shown.append(
            {
                "label": "Auditors misled",
                "value": f"{wrong} of {len(ended)}",
                "note": f"{percent(wrong / len(ended))} saw an order half done",
            }
        )
        waits = sorted(read.done_ms - read.at_ms for read in ended)
        note = "half of them" if len(waits) > 1 else "until he had all answers"
        shown.append({"label": "Time to read", "value": f"{rank(waits, 0.5)} ms", "note": note})
    if turned(state):
        shown.append(
            {"label": "Turns of the cycle", "value": str(turned(state)), "note": "back orders"}
        )
    return shown
