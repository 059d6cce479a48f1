"""A transaction without coordination: what a failed step, a lost answer or a crash leaves behind.

`shop` is what the run consists of, `model` the run, `view` its picture, `words` its sentences,
`scenarios` its stories.
"""

from __future__ import annotations

from ...kernel import Action, Invariant, Pattern
from ...order_book import PAYMENTS, conserved, of_service, standing
from .model import init, update
from .questions import QUESTIONS
from .scenarios import CHARGED_ONCE, SCENARIOS, WHOLE_OR_VOID
from .shop import (
    Crash,
    Params,
    PlaceOrder,
    Restart,
    State,
    call_of,
    is_over,
    is_settled,
    log,
    names_up,
    stake_cents,
    status,
    wrong,
)
from .view import view
from .words import alternative, describe

__all__ = [
    "PATTERN",
    "Crash",
    "Params",
    "PlaceOrder",
    "Restart",
    "State",
    "call_of",
    "is_over",
    "log",
    "stake_cents",
    "status",
    "wrong",
]


def whole_or_void(state: State) -> bool:
    """Every order that nobody works on any more is complete, or nothing of it is in effect."""
    orders = [customer.order for customer in state.customers]
    return all(is_settled(state, order) for order in orders if is_over(state, order))


def charged_once(state: State) -> bool:
    """No order has two charges in effect."""
    payments = of_service(state.books, PAYMENTS)
    return all(standing(payments, customer.order) <= 1 for customer in state.customers)


def stock_adds_up(state: State) -> bool:
    """What is reserved and what is left are what there was."""
    return conserved(state.books, state.params.stock)


PATTERN = Pattern(
    id="uncoordinated_transaction",
    title="A transaction without coordination",
    summary="A shop asks four services in turn: what a failure leaves in their databases.",
    source="Helland, Life beyond Distributed Transactions, CIDR 2007, https://www.cidrdb.org/cidr2007/papers/cidr07p15.pdf",
    params=Params,
    init=init,
    update=update,
    view=view,
    describe=describe,
    alternative=alternative,
    actions=(
        Action(PlaceOrder, "Place an order"),
        Action(Crash, "Crash", available=lambda state: bool(names_up(state))),
        Action(Restart, "Restart", available=lambda state: bool(state.network.down)),
    ),
    invariants=(
        Invariant(
            WHOLE_OR_VOID,
            "An order that nobody works on any more has all four parts, or none is in effect.",
            whole_or_void,
        ),
        Invariant(
            CHARGED_ONCE,
            "However often a request is repeated, one order costs its customer one charge.",
            charged_once,
        ),
        Invariant(
            "The stock adds up",
            "Widgets in stock and widgets reserved are together as many as there were at first.",
            stock_adds_up,
        ),
    ),
    scenarios=SCENARIOS,
    questions=QUESTIONS,
    playback_rate=0.01,
    frame_ms=60,
)
