"""What a saga promises, watched from outside: after every event, at what the event has changed.

A property that has fallen is noted in the state for good. The functions about one order read its
databases and the record of what changed in them, never what a node believes.
"""

from __future__ import annotations

from ...kernel import replace
from ...order_book import (
    COMPLETED,
    PAYMENTS,
    SERVICES,
    Databases,
    conserved,
    is_complete,
    is_void,
    of_service,
    standing,
)
from .state import Effect, Order, Params, State, about, pivot_of

ONCE = "No step and no compensation takes effect twice"
REVERSE = "Compensations come in reverse order"
FORWARD = "Nothing is undone once the pivot has worked"
WHOLE = "An order that has ended is whole or void"
ADDS_UP = "Money and stock add up"
ISOLATED = "Who heeds the lock sees no half of an order"


def once(order: Order) -> bool:
    """Whether each change in the databases happened once for this order."""
    return len(set(order.effects)) == len(order.effects)


def in_reverse(order: Order) -> bool:
    """Whether each compensation undid the newest step that still stood.

    Effects that came twice are another property's matter; here they are looked at as they came.
    """
    standing_steps: list[int] = []
    for index, effect in enumerate(order.effects):
        again = effect.step not in standing_steps and effect in order.effects[:index]
        if not effect.undo:
            standing_steps.append(effect.step)
        elif again:
            continue
        elif not standing_steps or standing_steps.pop() != effect.step:
            return False
    return True


def forward_only(order: Order, params: Params) -> bool:
    """Whether no compensation took effect after the pivot did."""
    pivot = Effect(pivot_of(params), undo=False)
    if pivot not in order.effects:
        return True
    return not any(effect.undo for effect in order.effects[order.effects.index(pivot) :])


def whole(books: Databases, order: Order) -> bool:
    """Whether an order that has ended is in the books as its customer was told."""
    if not order.outcome:
        return True
    return (is_complete if order.outcome == COMPLETED else is_void)(books, order.order)


def adds_up(books: Databases, order: Order) -> bool:
    """Whether what the card was charged is what the record of changes says, and never negative."""
    step = SERVICES.index(PAYMENTS)
    charged = sum(1 - 2 * e.undo for e in order.effects if e.step == step)
    return standing(of_service(books, PAYMENTS), order.order) == charged >= 0


def watched(before: State, after: State) -> State:
    """`after`, in which the properties that this event violated are noted."""
    if after.orders is before.orders and after.reads is before.reads:
        return after
    fallen = list(after.fallen)
    books = after.books
    for index, order in enumerate(after.orders):
        was = before.orders[index] if index < len(before.orders) else None
        if order is was:
            continue
        changed = was is None or order.effects is not was.effects
        if changed or (was is not None and order.outcome != was.outcome):
            fallen += violated(books, order, after.params)
    if books[2] is not before.books[2] and not conserved(books, after.params.stock):
        fallen.append(ADDS_UP)
    if after.params.semantic_lock and after.reads is not before.reads:
        fallen += [ISOLATED for read in after.reads if read.anomaly]
    kept = tuple(dict.fromkeys(fallen))
    return replace(after, fallen=kept) if kept != after.fallen else after


def violated(books: Databases, order: Order, params: Params) -> list[str]:
    """The properties that one order violates."""
    books = about(books, order.order)
    holds = {
        ONCE: once(order),
        REVERSE: in_reverse(order),
        FORWARD: forward_only(order, params),
        WHOLE: whole(books, order),
        ADDS_UP: adds_up(books, order),
    }
    return [name for name, fine in holds.items() if not fine]
