"""What the run consists of: the shop, what it remembers of an order, and what it is told to do.

The shop keeps its calls in memory only. What it believes of each step is therefore apart from what
the services' databases say, and after a crash it believes nothing at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from ...kernel import Choice, Deliver, Network, Number, OneOf, Switch, is_up, knob, replace
from ...order_book import (
    ORDERS,
    PAYMENTS,
    PRICE_CENTS,
    SERVICES,
    SHIPPING,
    STEPS,
    STOCK,
    Database,
    Databases,
    Finding,
    findings,
    is_complete,
    is_void,
    of_service,
    standing,
)

SHOP = "Shop"
NODES = (SHOP, *SERVICES)
LATENCY_MS = (8, 12)
TIMEOUT_MS = 50
ATTEMPTS_MAX = 3
# A supervisor starts a shop again that a fault has brought down; one that the reader crashed waits.
SUPERVISOR_MS = 60
NEVER = -1

NO_STEP = "none"
REFUSES, LOST_REQUEST, LOST_ANSWER, CALLER_CRASHES = (
    "refuses",
    "lost_request",
    "lost_answer",
    "caller_crashes",
)
GIVE_UP, RETRY = "give_up", "retry"
NOTHING, ROLL_BACK = "nothing", "roll_back"

FAILURES = {
    REFUSES: "the service refuses",
    LOST_REQUEST: "the request is lost",
    LOST_ANSWER: "it works, its answer is lost",
    CALLER_CRASHES: "it works, then the shop crashes",
}
WHY_REFUSED = {
    "Orders": "unknown customer",
    "Payments": "card declined",
    "Inventory": "out of stock",
    "Shipping": "no such address",
}

# What a request asks for.
DO, CONFIRM, DELETE = "do", "confirm", "delete"
# What the shop believes of a step; nothing (""): it has not asked yet.
ASKED, DONE, REFUSED, UNKNOWN, DELETED = "asked", "done", "refused", "unknown", "deleted"
THANKS, SORRY = "thanks", "sorry"


@dataclass(frozen=True, slots=True)
class Params:
    """What goes wrong, and what the shop does about it."""

    failing_step: str = knob(
        Choice(
            "Step that fails",
            {NO_STEP: "none"} | {s.service: f"{i}. {s.do}" for i, s in enumerate(STEPS, 1)},
            hint="It fails in every order, the first time that it is tried.",
        ),
        "Inventory",
    )
    how: str = knob(Choice("How it fails", FAILURES), REFUSES)
    on_timeout: str = knob(
        Choice("No answer in time", {GIVE_UP: "count it as failed", RETRY: "ask again"}), GIVE_UP
    )
    idempotency_key: bool = knob(
        Switch("Idempotency key", hint="A request that is repeated has the same key."), False
    )
    on_failure: str = knob(
        Choice(
            "After a failure",
            {NOTHING: "raise an error, no more", ROLL_BACK: "delete the order (“roll back”)"},
        ),
        ROLL_BACK,
    )
    loss: float = knob(
        Number("Messages lost besides", 0, 0.5, step=0.05, hint="A share of all messages."), 0.0
    )
    stock: int = knob(Number("Widgets in stock", 0, 1_000), STOCK)


# --- Messages and events --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Request:
    """`verb` is `DO`, `CONFIRM` or `DELETE`; without idempotency keys `key` is empty."""

    order: int
    verb: str
    attempt: int
    key: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """`refused` is empty when the service has done what it was asked for, or says why not."""

    order: int
    verb: str
    refused: str = ""


@dataclass(frozen=True, slots=True)
class PlaceOrder:
    """A customer orders one widget."""


@dataclass(frozen=True, slots=True)
class Timeout:
    """The shop has waited long enough for the answer about an order, unless it has come."""

    order: int


@dataclass(frozen=True, slots=True)
class Supervise:
    """The supervisor starts the shop again, unless somebody was quicker."""


def names_up(state: State) -> tuple[str, ...]:
    """The nodes that are up."""
    return tuple(name for name in state.network.nodes if is_up(state.network, name))


@dataclass(frozen=True, slots=True)
class Crash:
    """The reader stops a node."""

    node: str = knob(OneOf("Node", names_up), SHOP)


@dataclass(frozen=True, slots=True)
class Restart:
    """The reader starts a node again."""

    node: str = knob(OneOf("Node", lambda state: state.network.down), SHOP)


Event: TypeAlias = Deliver | PlaceOrder | Timeout | Supervise | Crash | Restart


# --- State ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Call:
    """What the shop remembers of an order: whom it asks for what, and what it believes.

    `beliefs` stand in the order of the services. `deadline_ms` is when the shop stops waiting for
    the answer, `NEVER` once the order is over for it.
    """

    order: int
    service: str = ORDERS
    verb: str = DO
    attempt: int = 1
    asked_ms: int = 0
    deadline_ms: int = NEVER
    beliefs: tuple[str, ...] = ("",) * len(SERVICES)


@dataclass(frozen=True, slots=True)
class Customer:
    """Who ordered, and what the shop has told: `THANKS`, `SORRY`, or nothing so far."""

    order: int
    told: str = ""


@dataclass(frozen=True, slots=True)
class State:
    """`calls` is the shop's memory, lost in a crash; `back_ms` when the supervisor starts it again.

    `requests` counts what the shop has sent, `turned_away` the customers who found it down.
    """

    params: Params
    network: Network
    databases: Databases
    calls: tuple[Call, ...] = ()
    customers: tuple[Customer, ...] = ()
    back_ms: int = NEVER
    requests: int = 0
    turned_away: int = 0

    @property
    def books(self) -> Databases:
        """The four databases: what is true."""
        return self.databases


def status(state: State, node: str) -> str:
    """What a node is at: "down", "waits", "forgot" (a shop that is back), or "ready"."""
    if not is_up(state.network, node):
        return "down"
    if node != SHOP:
        return "ready"
    if any(call.deadline_ms != NEVER for call in state.calls):
        return "waits"
    return "forgot" if state.customers and not call_of(state, len(state.customers)) else "ready"


def log(state: State, node: str) -> tuple[str, ...]:
    """A node's durable log. There is none: that is what is missing here."""
    return ()


def call_of(state: State, order: int) -> Call | None:
    """What the shop remembers of an order, if it does."""
    return next((call for call in state.calls if call.order == order), None)


def with_call(state: State, call: Call) -> State:
    """The state with what the shop now remembers of an order."""
    calls = tuple(call if old.order == call.order else old for old in state.calls)
    return replace(state, calls=calls)


def with_database(state: State, database: Database) -> State:
    """The state after a service's local transaction."""
    databases = tuple(database if d.service == database.service else d for d in state.databases)
    return replace(state, databases=databases)


def believing(call: Call, service: str, belief: str) -> Call:
    """The call with what the shop now believes of a service's step."""
    at = SERVICES.index(service)
    return replace(call, beliefs=(*call.beliefs[:at], belief, *call.beliefs[at + 1 :]))


def delete(database: Database, order: int) -> Database:
    """The database without the rows of an order, as a local rollback leaves it."""
    return replace(database, rows=tuple(row for row in database.rows if row.order != order))


# --- What an auditor may say ----------------------------------------------------------------------


def is_over(state: State, order: int) -> bool:
    """Whether nobody works on an order any more: no call is open, no message is under way."""
    call = call_of(state, order)
    waiting = call is not None and call.deadline_ms != NEVER
    return not waiting and all(m.body.order != order for m in state.network.in_flight)


def is_settled(state: State, order: int) -> bool:
    """Whether an order is complete, or nothing of it is in effect."""
    return whole_or_void(state.databases, order)


def whole_or_void(databases: Databases, order: int) -> bool:
    """The same of databases that may hold the rows of this order alone."""
    return is_complete(databases, order) or is_void(databases, order)


def wrong(state: State) -> tuple[Finding, ...]:
    """What is wrong with the orders that are over."""
    return tuple(f for f in findings(state.databases) if is_over(state, f.order))


def stake_cents(databases: Databases, order: int) -> int:
    """Money on the wrong side for an order (cents): taken for nothing, or goods sent unpaid."""
    charged = standing(of_service(databases, PAYMENTS), order)
    labeled = standing(of_service(databases, SHIPPING), order)
    exists = standing(of_service(databases, ORDERS), order) > 0
    earned = 1 if exists and labeled else 0
    return PRICE_CENTS * (max(0, charged - earned) + max(0, labeled - max(charged, earned)))
