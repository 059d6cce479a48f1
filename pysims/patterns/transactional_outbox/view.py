"""How an order becomes a label: the databases and the log as strips of chips, one color an order.

From top to bottom: the orders' database with its outbox, the two processes that read it, the
broker's log, and Shipping with its labels. A chip that is in one strip and in none below is an
event that was lost; two of a color in the last strip are two labels.
"""

from __future__ import annotations

from typing import Any

from ...kernel import Message, is_up
from ...order_book import ORDERS, SHIPPING, Finding, dollars, ledger
from ...phrases import listed
from .parts import (
    BROKER,
    COMMITTING,
    MARKING,
    OUTBOX,
    PUBLISHING,
    RELAY,
    WAITING,
    Handed,
    Publish,
    State,
    Taken,
    forgotten,
    phantoms,
    status,
    twice,
    wrong,
)
from .words import alternative, describe, lesson

__all__ = ["alternative", "describe", "view"]

SHOWN = 6
FINDINGS = 4
CHIP = 38.0
# Without the red one, which would look like a rim that says that something is wrong.
COLORS = (0, 2, 4, 5, 3, 6, 7, 9)
FIRST_X = 82.0
# Upper and lower end of the two stretches that messages cross.
UPPER, LOWER = (158.0, 222.0), (300.0, 352.0)
LANES = {ORDERS: (30.0, 104.0), RELAY: (226.0, 300.0), SHIPPING: (140.0, 200.0)}


def color_of(order: int) -> int:
    """The number of an order's color."""
    return COLORS[(order - 1) % len(COLORS)]


def strip(orders: list[tuple[int, str]]) -> dict[str, Any]:
    """The last chips of a strip, each a pair of order and kind, and how many came before."""
    hidden = max(0, len(orders) - SHOWN)
    chips = [
        {
            "id": hidden + index,
            "x": FIRST_X + index * CHIP,
            "order": order,
            "color": color_of(order),
            "kind": kind,
        }
        for index, (order, kind) in enumerate(orders[hidden:])
    ]
    return {"chips": chips, "hidden": hidden}


def strips_of(state: State) -> dict[str, Any]:
    """What is in the database, the outbox, the log, and among the labels."""
    lost, ghosts, double = forgotten(state), phantoms(state), twice(state)
    entries = [(e.order, "sent" if e.sent else "plain") for e in state.service.outbox]
    taken = state.broker.committed
    events = [
        (order, "ghost" if order in ghosts else "plain" if at >= taken else "taken")
        for at, order in enumerate(state.broker.log)
    ]
    labels = []
    seen: list[int] = []
    for row in state.consumer.database.rows:
        bad = row.order in ghosts or (row.order in double and row.order in seen)
        labels.append((row.order, "bad" if bad else "plain"))
        seen.append(row.order)
    rows = [(r.order, "lost" if r.order in lost else "plain") for r in state.service.database.rows]
    return {
        "orders": strip(rows),
        "outbox": strip(entries),
        "log": strip(events),
        "labels": strip(labels),
    }


def process(state: State, node: str) -> dict[str, Any]:
    """A process: whether it is up, and what it is at in a few words."""
    at = status(state, node)
    return {
        "node": node,
        "down": at == "down",
        "words": at if at == "down" else words_of(state, node, at),
        "tense": at in (PUBLISHING, COMMITTING, MARKING),
    }


def words_of(state: State, node: str, at: str) -> str:
    if node == RELAY:
        if state.params.publish != OUTBOX:
            return "not in use"
        verb = {WAITING: "waits: #", MARKING: "marks #"}.get(at, "")
        idle = f"looks every {state.params.poll_ms} ms"
        return f"{verb}{state.relay.order}" if verb else idle
    if node == ORDERS and state.service.jobs:
        job = state.service.jobs[-1]
        verb = {COMMITTING: "commits #", PUBLISHING: "will publish #", WAITING: "published #"}[at]
        return f"{verb}{job.order}"
    if node == BROKER:
        return "hands an event out" if at == WAITING else "idle"
    if node == SHIPPING:
        return "remembers events" if state.params.idempotent else "remembers no events"
    return "idle"


def message_of(message: Message, now_ms: int) -> dict[str, Any]:
    """A message on its lane: events go down, answers come up."""
    down = isinstance(message.body, Publish | Handed)
    far = isinstance(message.body, Handed | Taken)
    other = SHIPPING if far else message.source if down else message.target
    top, bottom = LOWER if far else UPPER
    come = message.fraction(now_ms)
    return {
        "id": message.id,
        "x": LANES[other][0 if down else 1],
        "y": top + come * (bottom - top) if down else bottom - come * (bottom - top),
        "answer": not down,
        "lost": bool(message.lost) and come >= 0.5,
        "order": message.body.order,
        "color": color_of(message.body.order),
    }


def books_of(state: State) -> list[dict[str, Any]]:
    """The two databases, and whether one of them holds what does not fit."""
    ghosts = phantoms(state)
    phantom = any(row.order in ghosts for row in state.consumer.database.rows)
    bad = {ORDERS: bool(forgotten(state)), SHIPPING: phantom or bool(twice(state))}
    return [
        {
            "ledger": ledger(database),
            "note": "" if is_up(state.network, database.service) else "service down",
            "bad": bad[database.service],
        }
        for database in state.books
    ]


def told(found: tuple[Finding, ...]) -> list[str]:
    """The first findings as sentences, and how many there are besides."""
    texts = [finding.text[0].upper() + finding.text[1:] for finding in found[:FINDINGS]]
    return [*texts, f"and {len(found) - FINDINGS} more"] if len(found) > FINDINGS else texts


def remembered(state: State) -> str:
    """Which event ids the consumer has stored."""
    if not state.params.idempotent:
        return "Shipping stores no event ids, so it cannot tell a repeated event from a new one."
    keys = [key.removeprefix("event-") for key in state.consumer.database.keys]
    return f"Event ids that Shipping has stored: {listed(keys[-9:], nobody='none yet')}."


def readouts_of(state: State) -> list[dict[str, str]]:
    found = wrong(state)
    cents = sum(abs(finding.cents) for finding in found)
    committed = len(state.service.database.rows)
    labels = len(state.consumer.database.rows)
    events = len(state.broker.log)
    repeated = events - len(set(state.broker.log))
    return [
        {
            "label": "Money at stake",
            "value": dollars(cents) if cents else "$0",
            "note": "paid for nothing, or sent for nothing" if cents else "",
        },
        {"label": "Orders committed", "value": str(committed), "note": f"of {state.placed} placed"},
        {
            "label": "Events in the log",
            "value": str(events),
            "note": f"{repeated} of them repeated" if repeated else "",
        },
        {"label": "Labels", "value": str(labels), "note": "one for each order is right"},
    ]


def view(state: State, now_ms: int) -> dict[str, Any]:
    """The scene and the numbers of a state."""
    return {
        "strips": strips_of(state),
        "with_outbox": state.params.publish == OUTBOX,
        "service": process(state, ORDERS),
        "relay": process(state, RELAY),
        "broker": process(state, BROKER),
        "consumer": process(state, SHIPPING),
        "messages": [message_of(message, now_ms) for message in state.network.in_flight],
        "books": books_of(state),
        "lanes": {"left": LANES[ORDERS], "right": LANES[RELAY], "low": LANES[SHIPPING]},
        "remembered": remembered(state),
        "lesson": lesson(state),
        "wrong": told(wrong(state)),
        "readouts": readouts_of(state),
    }
