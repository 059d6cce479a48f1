"""How an order looks: what the shop believes beside what is true, and the books.

Every step has a lane. At its left end stands what the shop believes, at its right end what the
service's database says, and between them fly requests and answers.
"""

from __future__ import annotations

from typing import Any

from ...kernel import Message, is_up
from ...order_book import (
    INVENTORY,
    ORDERS,
    SERVICES,
    STEPS,
    Finding,
    by_order,
    ledger,
    of_service,
    standing,
)
from ...phrases import many
from .shop import (
    ASKED,
    DELETED,
    DO,
    DONE,
    NEVER,
    REFUSED,
    SHOP,
    TIMEOUT_MS,
    UNKNOWN,
    Answer,
    State,
    call_of,
    is_over,
    is_settled,
    stake_cents,
    status,
    whole_or_void,
    wrong,
)
from .words import TOLD, alternative, belief, describe, lesson, money, truth

__all__ = ["alternative", "describe", "view"]

LANE_LEFT, LANE_RIGHT = 112.0, 222.0
TOP, ROW = 54.0, 76.0
# The orders that the ledgers show, and the sentences about what is wrong.
SHOWN, FINDINGS = 3, 4
SIGNS = {DONE: "✓", REFUSED: "✗", UNKNOWN: "?", DELETED: "✗", ASKED: "…", "": ""}
SHOP_WORDS = {
    "down": "down",
    "waits": "waits",
    "forgot": "forgot",
    "ready": "ready",
}


def rows_of(state: State, now_ms: int) -> list[dict[str, Any]]:
    """The four lanes of the newest order."""
    order = len(state.customers)
    call = call_of(state, order)
    rows = []
    for index, step in enumerate(STEPS):
        held = call.beliefs[index] if call else ""
        waits = call is not None and call.service == step.service and call.deadline_ms != NEVER
        count = standing(of_service(state.databases, step.service), order)
        rows.append(
            {
                "service": step.service,
                "number": index + 1,
                "do": step.do,
                "y": TOP + index * ROW,
                "belief": belief(state, step.service, order),
                "sign": "?" if order and call is None else SIGNS[held],
                "doubt": order > 0 and (call is None or held == UNKNOWN),
                "patience": patience(call.asked_ms, now_ms) if call and waits else 0.0,
                "truth": truth(state.databases, step.service, order) if order else "no entry",
                "stands": count > 0,
                "bad": amiss(state, order, step.service),
                "says": "missing" if not count else "wrong",
                "down": not is_up(state.network, step.service),
            }
        )
    return rows


def patience(asked_ms: int, now_ms: int) -> float:
    """How much of the shop's patience is left, 0.0 to 1.0."""
    return max(0.0, min(1.0, 1 - (now_ms - asked_ms) / TIMEOUT_MS))


def message_of(message: Message, now_ms: int) -> dict[str, Any]:
    """A message on its lane; requests fly above answers."""
    answer = isinstance(message.body, Answer)
    service = message.source if answer else message.target
    come = message.fraction(now_ms)
    x = LANE_RIGHT - come * (LANE_RIGHT - LANE_LEFT) if answer else 0.0
    x = x or LANE_LEFT + come * (LANE_RIGHT - LANE_LEFT)
    return {
        "id": message.id,
        "x": x,
        "y": TOP + SERVICES.index(service) * ROW + (46 if answer else 30),
        "answer": answer,
        "refused": answer and bool(message.body.refused),
        "lost": bool(message.lost) and come >= 0.5,
        "order": message.body.order,
    }


SHORT = {"Orders": "create", "Payments": "charge", "Inventory": "reserve", "Shipping": "label"}


def lane_note(state: State, service: str) -> str:
    """What flies on a lane at the moment, in two or three words."""
    for message in state.network.in_flight:
        body = message.body
        if isinstance(body, Answer) and message.source == service:
            return f"“no: {body.refused}”" if body.refused else "“done”"
        if not isinstance(body, Answer) and message.target == service:
            verb = SHORT[service] if body.verb == DO else body.verb
            return f"“{verb}” {f'key {body.key}' if body.key else ''}".strip()
    return ""


def keys_of(state: State) -> str:
    """Which keys the services have seen so far, if requests have keys at all."""
    if not state.params.idempotency_key:
        return "Without idempotency keys a service cannot tell a repeated request from a new one."
    used = [f"{d.service} {', '.join(d.keys[-3:])}" for d in state.databases if d.keys]
    return f"Keys that were used: {'; '.join(used) or 'none yet'}."


def amiss(state: State, order: int, service: str) -> bool:
    """Whether a service's database is one that does not fit, for an order that is over."""
    if not order or not is_over(state, order) or is_settled(state, order):
        return False
    counts = [standing(database, order) for database in state.databases]
    wanted = min(1, counts[0])
    if all(count == wanted for count in counts):
        return service == ORDERS
    return counts[SERVICES.index(service)] != wanted


def books_of(state: State) -> list[dict[str, Any]]:
    """The four databases, and which of them do not fit, for the last orders."""
    shown = range(max(1, len(state.customers) - SHOWN + 1), len(state.customers) + 1)
    return [
        {
            "ledger": ledger(database, SHOWN),
            "note": "" if is_up(state.network, database.service) else "down",
            "bad": any(amiss(state, order, database.service) for order in shown),
        }
        for database in state.databases
    ]


def told(found: tuple[Finding, ...]) -> list[str]:
    """The first findings as sentences, and how many there are besides."""
    texts = [finding.text[0].upper() + finding.text[1:] for finding in found[:FINDINGS]]
    return [*texts, f"and {len(found) - FINDINGS} more"] if len(found) > FINDINGS else texts


def readouts_of(state: State, found: tuple[Finding, ...]) -> list[dict[str, str]]:
    over = [c.order for c in state.customers if is_over(state, c.order)]
    alone = by_order(state.databases)
    cents = sum(stake_cents(alone[order], order) for order in over if order in alone)
    units = sum(finding.units for finding in found)
    stock = of_service(state.databases, INVENTORY).stock
    settled = sum(order not in alone or whole_or_void(alone[order], order) for order in over)
    return [
        {
            "label": "Money at stake",
            "value": money(cents),
            "note": "taken for nothing, or not paid" if cents else "nobody is owed anything",
        },
        {
            "label": "Widgets in stock",
            "value": str(stock),
            "note": f"{units} held for nobody" if units > 0 else "",
        },
        {
            "label": "Orders whole or void",
            "value": f"{settled} of {len(over)}",
            "note": "that are over",
        },
        {
            "label": "Requests sent",
            "value": str(state.requests),
            "note": f"{many(state.turned_away, 'customer')} turned away" * bool(state.turned_away),
        },
    ]


def view(state: State, now_ms: int) -> dict[str, Any]:
    """The scene and the numbers of a state."""
    order = len(state.customers)
    at = status(state, SHOP)
    found = wrong(state)
    return {
        "order": order,
        "shop": {"word": SHOP_WORDS[at], "down": at == "down", "empty": at == "forgot"},
        "rows": [
            {**row, "note": lane_note(state, row["service"])} for row in rows_of(state, now_ms)
        ],
        "messages": [message_of(message, now_ms) for message in state.network.in_flight],
        "lane": {"left": LANE_LEFT, "right": LANE_RIGHT, "top": TOP, "row": ROW},
        "bottom": TOP + len(SERVICES) * ROW,
        "customer": TOLD[state.customers[-1].told] if order else "nobody has ordered yet",
        "books": books_of(state),
        "key_words": keys_of(state),
        "wrong": told(found),
        "lesson": lesson(state),
        "readouts": readouts_of(state, found),
    }
