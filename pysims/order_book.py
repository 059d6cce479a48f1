"""One order, four services, four databases: what the patterns of distributed transactions share.

A shop sells a widget for $49.99. An order takes four steps, each in the database of another
service: create the order (PENDING), charge the card, reserve one widget, create the shipment label;
when all have worked, the order is confirmed. A `Database` is one service's durable part. `execute`
does the step of a service for an order, `compensate` undoes it by changing its row once more
(a local commit cannot be taken back), and an idempotency key makes either of them take effect once.

`findings` reads all four databases together, as an auditor would, and says what does not fit, in
money and in stock. It is exact when nothing is under way; before that it shows what a reader who
looks in between would see.

Sources: Garcia-Molina and Salem, "Sagas", ACM SIGMOD 1987, https://doi.org/10.1145/38713.38742
(compensation); Helland, "Life beyond Distributed Transactions: an Apostate's Opinion", CIDR 2007
(an activity must bear being asked twice).

Simplified: one product, one unit an order, and every order costs the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from typing import TypeAlias

from .kernel import Draws, replace

ORDERS, PAYMENTS, INVENTORY, SHIPPING = "Orders", "Payments", "Inventory", "Shipping"
SERVICES = (ORDERS, PAYMENTS, INVENTORY, SHIPPING)
"""In the order of the steps."""

PRICE_CENTS = 4_999
STOCK = 50
CONFIRMED = "CONFIRMED"
AGAIN = " AGAIN"
"""What the status of a row ends with that was undone once too often."""


@dataclass(frozen=True, slots=True)
class Step:
    """What a service does for an order, and how it is undone: the words, and the row's status."""

    service: str
    do: str
    undo: str
    done: str
    undone: str


STEPS = (
    Step(ORDERS, "create the order", "cancel the order", "PENDING", "CANCELED"),
    Step(PAYMENTS, "charge $49.99", "refund $49.99", "CHARGED", "REFUNDED"),
    Step(INVENTORY, "reserve one widget", "release the widget", "RESERVED", "RELEASED"),
    Step(SHIPPING, "create the shipment label", "void the label", "LABELED", "VOIDED"),
)


WHOLE = (CONFIRMED, *(step.done for step in STEPS[1:]))
"""What stands in the four databases for an order that is whole."""


@dataclass(frozen=True, slots=True)
class Row:
    """What a service has on record for an order: `order` is its number, from 1."""

    order: int
    status: str


@dataclass(frozen=True, slots=True)
class Database:
    """One service's database, which survives a crash of the service.

    `rows` in the order of their coming; `stock` in units (0 but for the inventory); `keys` are the
    idempotency keys that have been used, with which an answer can be given again.
    """

    service: str
    rows: tuple[Row, ...] = ()
    stock: int = 0
    keys: tuple[str, ...] = ()


Databases: TypeAlias = tuple[Database, ...]


def databases_of(stock: int = STOCK) -> Databases:
    """The four databases before the first order; `ValueError` for a stock below 0 units."""
    if stock < 0:
        raise ValueError(f"stock must be 0 units or more, got {stock}")
    return tuple(Database(name, stock=stock if name == INVENTORY else 0) for name in SERVICES)


def step_of(service: str) -> Step:
    """The step of a service; `ValueError` names the four that there are."""
    for step in STEPS:
        if step.service == service:
            return step
    raise ValueError(f"service must be one of {', '.join(SERVICES)}, got {service[:40]!r}")


def dollars(cents: int) -> str:
    """An amount for people: 4999 is "$49.99"."""
    return f"${cents // 100:,}.{cents % 100:02d}"


# --- What a service does --------------------------------------------------------------------------


def refusal(database: Database) -> str:
    """Why the service cannot do its step now, or nothing."""
    return "out of stock" if database.service == INVENTORY and database.stock < 1 else ""


def execute(database: Database, order: int, key: str = "") -> Database:
    """The database after the service has done its step for an order.

    With a `key` that was used before nothing happens again; without one, the step is done once
    more. `ValueError` when the service has to refuse; ask `refusal` first.
    """
    if key and key in database.keys:
        return database
    why = refusal(database)
    if why:
        raise ValueError(f"{database.service} must refuse order {order}: {why}")
    row = Row(order, step_of(database.service).done)
    return replace(
        database,
        rows=(*database.rows, row),
        stock=database.stock - (database.service == INVENTORY),
        keys=(*database.keys, key) if key else database.keys,
    )


def compensate(database: Database, order: int, key: str = "") -> Database:
    """The database after the newest thing that is done for an order has been undone.

    With a `key`, that key counts as used from now on even if nothing was done under it: a request
    that is still on its way finds its place taken. Undoing what was never done changes no more.
    """
    database = replace(database, keys=(*database.keys, key)) if _new(database, key) else database
    for index in reversed(range(len(database.rows))):
        row = database.rows[index]
        if row.order == order and in_effect(database.service, row):
            gone = replace(row, status=step_of(database.service).undone)
            return replace(
                database,
                rows=(*database.rows[:index], gone, *database.rows[index + 1 :]),
                stock=database.stock + (database.service == INVENTORY),
            )
    return database


def undo_again(database: Database, order: int) -> Database:
    """The database after a service has undone a step for an order a second time.

    That is what becomes of a repeated request where no key tells that it is one: money is given
    back, or a widget put back, once too often. A status that is set twice stays as it is, so the
    other two services are safe by nature; and what was never undone changes no more.
    """
    undone = Row(order, step_of(database.service).undone)
    if database.service not in (PAYMENTS, INVENTORY) or undone not in database.rows:
        return database
    return replace(
        database,
        rows=(*database.rows, Row(order, undone.status + AGAIN)),
        stock=database.stock + (database.service == INVENTORY),
    )


def confirm(database: Database, order: int) -> Database:
    """The orders' database with a pending order confirmed; one that is canceled stays so."""
    pending = Row(order, STEPS[0].done)
    rows = tuple(Row(order, CONFIRMED) if row == pending else row for row in database.rows)
    return replace(database, rows=rows)


def _new(database: Database, key: str) -> bool:
    return bool(key) and key not in database.keys


def in_effect(service: str, row: Row) -> bool:
    """Whether a row stands: it has not been undone."""
    return not row.status.startswith(step_of(service).undone)


def overdone(database: Database, order: int) -> int:
    """How often this service has undone its step for an order beyond what there was to undo."""
    return sum(row.order == order and row.status.endswith(AGAIN) for row in database.rows)


def standing(database: Database, order: int) -> int:
    """How often the step of this service is in effect for an order: 0, 1, or more by mistake."""
    return sum(row.order == order and in_effect(database.service, row) for row in database.rows)


def of_service(databases: Sequence[Database], service: str) -> Database:
    """The database of a service; `ValueError` if it is not among them."""
    for database in databases:
        if database.service == service:
            return database
    raise ValueError(
        f"service must be one of {', '.join(d.service for d in databases)}, got {service[:40]!r}"
    )


# --- What an auditor finds ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with an order: `cents` that a customer is owed or has not paid, `units` astray.

    `cents` is positive for money taken wrongly, negative for goods sent without being paid;
    `units` is positive for widgets held for nobody, negative for those that nobody set aside.
    """

    order: int
    text: str
    cents: int = 0
    units: int = 0


def by_order(databases: Sequence[Database]) -> dict[int, Databases]:
    """For each order that is on record, in ascending order, the databases with its rows alone.

    Whoever looks at many orders asks for this once, and reads each row once instead of once for
    each order; stock and keys are left out.
    """
    rows: dict[int, list[list[Row]]] = {}
    for place, database in enumerate(databases):
        for row in database.rows:
            if row.order not in rows:
                rows[row.order] = [[] for _ in databases]
            rows[row.order][place].append(row)
    return {
        order: tuple(
            Database(database.service, tuple(own))
            for database, own in zip(databases, rows[order], strict=True)
        )
        for order in sorted(rows)
    }


def orders_in(databases: Sequence[Database]) -> tuple[int, ...]:
    """The numbers of all orders that any service has on record, in ascending order."""
    return tuple(sorted({row.order for database in databases for row in database.rows}))


def status_of(databases: Sequence[Database], order: int) -> str:
    """The status of an order in the orders' database: the newest row's, or nothing."""
    rows = of_service(databases, ORDERS).rows
    return next((row.status for row in reversed(rows) if row.order == order), "")


def is_complete(databases: Sequence[Database], order: int) -> bool:
    """Whether an order is confirmed and each step is in effect once."""
    counts = [standing(database, order) + overdone(database, order) for database in databases]
    return counts == [1] * len(SERVICES) and status_of(databases, order) == CONFIRMED


def is_void(databases: Sequence[Database], order: int) -> bool:
    """Whether nothing of an order is in effect in any database."""
    return not any(standing(database, order) + overdone(database, order) for database in databases)


def findings(databases: Sequence[Database]) -> tuple[Finding, ...]:
    """What does not fit in the four databases; nothing when every order is whole or void."""
    # Most orders are whole, which their rows say without an audit.
    doubtful = {n: alone for n, alone in by_order(databases).items() if _words_of(alone) != WHOLE}
    return tuple(finding for order, alone in doubtful.items() for finding in _audit(alone, order))


def _words_of(alone: Databases) -> tuple[str, ...]:
    return tuple(row.status for database in alone for row in database.rows)


def _audit(databases: Sequence[Database], order: int) -> tuple[Finding, ...]:
    if is_complete(databases, order) or is_void(databases, order):
        return ()
    counts = tuple(standing(database, order) for database in databases)
    status = status_of(databases, order)
    wanted = min(counts[0], 1)
    gone = "that was canceled" if status else "that does not exist"
    subject = f"order {order}" if wanted else f"an order {gone} (number {order})"
    found = [*_astray(order, subject, wanted, counts), *_shipped(order, subject, wanted, counts)]
    found += _given_back(databases, order, subject)
    if wanted and not found:
        missing = [step.do for step, count in zip(STEPS, counts, strict=True) if not count]
        todo = f"still to do: {', '.join(missing)}" if missing else "nobody has confirmed it"
        found.append(Finding(order, f"{subject} is {status}; {todo}"))
    return tuple(found)


def _astray(order: int, subject: str, wanted: int, counts: tuple[int, ...]) -> Iterator[Finding]:
    """Orders, charges and reservations that are more than the order needs."""
    ordered, charged, reserved, _ = counts
    if ordered > 1:
        yield Finding(order, f"{subject} is in the books {ordered} times")
    if charged > wanted:
        paid, price = dollars(charged * PRICE_CENTS), dollars(PRICE_CENTS)
        text = f"charged {paid} for {subject}{f', which costs {price}' if wanted else ''}"
        yield Finding(order, text, cents=(charged - wanted) * PRICE_CENTS)
    if reserved > wanted:
        held = "one widget" if reserved == 1 else f"{reserved} widgets"
        text = f"{held} held for {subject}{', which needs one' if wanted else ''}"
        yield Finding(order, text, units=reserved - wanted)


def _shipped(order: int, subject: str, wanted: int, counts: tuple[int, ...]) -> Iterator[Finding]:
    """Labels that are more than the order needs, or than was paid for, or than was set aside."""
    _, charged, reserved, labeled = counts
    if labeled > wanted:
        held = "a shipment label" if labeled == 1 else f"{labeled} shipment labels"
        yield Finding(order, f"{held} for {subject}", cents=-_cost(labeled - charged))
    elif labeled > charged:
        yield Finding(order, f"{subject} ships without being paid for", cents=-_cost(1))
    if labeled > reserved:
        text = f"{subject} ships, and no widget was set aside for it"
        yield Finding(order, text, units=reserved - labeled)


def _given_back(databases: Sequence[Database], order: int, subject: str) -> Iterator[Finding]:
    """Refunds and releases beyond what there was to give back."""
    refunds = overdone(of_service(databases, PAYMENTS), order)
    if refunds:
        cents = refunds * PRICE_CENTS
        yield Finding(order, f"refunded {dollars(cents)} too much for {subject}", cents=-cents)
    released = overdone(of_service(databases, INVENTORY), order)
    if released:
        put = "one widget" if released == 1 else f"{released} widgets"
        yield Finding(order, f"{put} too many put back for {subject}", units=-released)


def _cost(units: int) -> int:
    return max(0, units) * PRICE_CENTS


def conserved(databases: Sequence[Database], stock: int = STOCK) -> bool:
    """Whether the stock and what is reserved add up to what there was (units)."""
    inventory = of_service(databases, INVENTORY)
    held = sum(in_effect(INVENTORY, row) for row in inventory.rows)
    return inventory.stock >= 0 and inventory.stock + held == stock


def income_cents(databases: Sequence[Database]) -> int:
    """What customers have paid and not been given back (cents)."""
    payments = of_service(databases, PAYMENTS)
    charged = sum(in_effect(PAYMENTS, row) for row in payments.rows)
    return PRICE_CENTS * (charged - sum(row.status.endswith(AGAIN) for row in payments.rows))


# --- The customers of a comparison ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Customer:
    """Who orders: when (ms), and whether the bank will decline the card."""

    order: int
    at_ms: int
    declined: bool


def customers(
    draws: Draws, per_s: float, duration_ms: int, declined: float = 0.0
) -> tuple[Customer, ...]:
    """Customers who come at random, `per_s` a second on average; a share has a card declined.

    Drawn by `init` before anything else, they are the same for every model that runs on a seed.
    `ValueError` for a rate or a duration below 0 and for a share outside 0 to 1.
    """
    if per_s < 0 or duration_ms < 0:
        raise ValueError(
            f"per_s and duration_ms must be 0 or more, got {per_s!r} and {duration_ms!r}"
        )
    if not 0 <= declined <= 1:
        raise ValueError(f"declined must be from 0 to 1, got {declined!r}")
    coming: list[Customer] = []
    at_ms = draws.exponential(1_000 / per_s) if per_s else duration_ms
    while at_ms < duration_ms:
        coming.append(Customer(len(coming) + 1, int(at_ms), draws.random() < declined))
        at_ms += draws.exponential(1_000 / per_s)
    return tuple(coming)


# --- What a comparison counts ---------------------------------------------------------------------

COMPLETED, VOID = "completed", "void"
OPEN = -1


@dataclass(frozen=True, slots=True)
class Placed:
    """An order as its customer sees it: `done_ms` is when he was told its `outcome`.

    `outcome` is "completed", "void" (nothing of it is left), or "" while it is open; then `done_ms`
    is `OPEN`.
    """

    order: int
    at_ms: int
    done_ms: int = OPEN
    outcome: str = ""


@dataclass(frozen=True, slots=True)
class Read:
    """An auditor's look at an order in all databases: `anomaly` is the first finding, or "".

    `done_ms` is `OPEN` while he waits for an answer.
    """

    order: int
    at_ms: int
    done_ms: int = OPEN
    anomaly: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the orders and readings that began in an interval; times in ms.

    `completed_ms` are the times from order to answer of those that were completed, sorted;
    `in_time` counts the ones completed within the interval itself, `open` those without an answer
    so far. `read_ms` are the times of the readings that ended, sorted.
    """

    placed: int
    completed: int
    void: int
    open: int
    in_time: int
    completed_ms: tuple[int, ...]
    reads: int
    anomalies: int
    read_ms: tuple[int, ...]


def outcome_of(
    placed: Sequence[Placed], reads: Sequence[Read], from_ms: int, to_ms: int
) -> Outcome:
    """Counts the orders and readings that began from `from_ms` on and before `to_ms`."""
    orders = [order for order in placed if from_ms <= order.at_ms < to_ms]
    looks = [read for read in reads if from_ms <= read.at_ms < to_ms]
    completed = [order for order in orders if order.outcome == COMPLETED]
    return Outcome(
        placed=len(orders),
        completed=len(completed),
        void=sum(order.outcome == VOID for order in orders),
        open=sum(not order.outcome for order in orders),
        in_time=sum(order.done_ms < to_ms for order in completed),
        completed_ms=tuple(sorted(order.done_ms - order.at_ms for order in completed)),
        reads=len(looks),
        anomalies=sum(bool(read.anomaly) for read in looks),
        read_ms=tuple(sorted(read.done_ms - read.at_ms for read in looks if read.done_ms != OPEN)),
    )


def rank(sorted_ms: Sequence[int], share: float) -> int:
    """The time (ms) that this share (0.0 to 1.0) of sorted times does not exceed (nearest rank).

    `ValueError` when there is no time, or the share lies outside.
    """
    if not sorted_ms or not 0 <= share <= 1:
        raise ValueError(f"share must be from 0 to 1 of at least one time, got {share!r}")
    return sorted_ms[max(0, ceil(share * len(sorted_ms)) - 1)]


# --- For pictures ---------------------------------------------------------------------------------


def ledger(database: Database, most: int = 3) -> dict[str, object]:
    """A database for `parts.ledger`: its last `most` rows as words, and how many came before."""
    hidden = max(0, len(database.rows) - most)
    lines = [
        {
            "order": row.order,
            "status": row.status,
            "text": _words(database.service, row),
            "stands": in_effect(database.service, row),
        }
        for row in database.rows[hidden:]
    ]
    stock = f"{database.stock} in stock" if database.service == INVENTORY else ""
    return {"service": database.service, "lines": lines, "hidden": hidden, "stock": stock}


def _words(service: str, row: Row) -> str:
    return {
        ORDERS: row.status,
        PAYMENTS: f"{dollars(PRICE_CENTS)} {row.status}",
        INVENTORY: f"1 widget {row.status}",
        SHIPPING: f"label {row.status}",
    }[service]
