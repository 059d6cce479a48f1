"""The numbers that the chapter on distributed transactions takes from runs.

Where a sentence speaks of a picture, its number is that of the moment which the page shows.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from ..order_book import (
    PAYMENTS,
    PRICE_CENTS,
    Outcome,
    dollars,
    findings,
    income_cents,
    of_service,
    outcome_of,
    rank,
    standing,
)
from ..patterns.durable_workflow.trip import STATES
from ..patterns.saga.measure import at_stake_cents
from ..patterns.two_phase_commit.measure import hold_ms
from .runs import noted, run_of, shown

RUSH_MS = 8_000
DOWN_MS = (2_000, 6_000)
HOT = {"orders_per_s": 45.0}
WORK_MS = 5
COMMIT, SAGA = "two_phase_commit", "saga"


def last(pattern: str, scenario: str, **changes: Any) -> Any:
    """The state in which a run ends."""
    return run_of(pattern, scenario, **changes).last


# --- Just roll it back ----------------------------------------------------------------------------


def charged(scenario: str) -> str:
    return dollars(income_cents(last("uncoordinated_transaction", scenario).books))


# --- Two-phase commit -----------------------------------------------------------------------------


def hold(participants: int, slow_ms: int) -> str:
    run_of(COMMIT, "commit")
    return f"{hold_ms(participants, slow_ms, WORK_MS):.0f}"


def crashes_ms() -> tuple[int, int]:
    """When the coordinator of `coordinator-recovers` first went down, and when it was back."""
    moments = [
        (sim.now_ms, "Coordinator" in sim.state.network.down)
        for sim in run_of(COMMIT, "coordinator-recovers").history
    ]
    down_ms = next(ms for ms, down in moments if down)
    return down_ms, next(ms for ms, down in moments if ms > down_ms and not down)


def in_doubt_ms() -> str:
    """From the first crash until order 1 holds no lock any more."""
    held = [
        sim.now_ms
        for sim in run_of(COMMIT, "coordinator-recovers").history
        if any(claim.owner == 1 for part in sim.state.participants for claim in part.locks.held)
    ]
    moments = run_of(COMMIT, "coordinator-recovers").history
    free_ms = next(sim.now_ms for sim in moments if sim.now_ms > held[-1])
    return str(free_ms - crashes_ms()[0])


def letters(scenario: str) -> dict[int, bool]:
    """Every message of a run: its number, and whether it was lost."""
    moments = run_of(COMMIT, scenario).history.states()
    return {m.id: bool(m.lost) for state in moments for m in state.network.in_flight}


def wrong_alone() -> str:
    found = findings(last(COMMIT, "decides-alone").books)
    return dollars(max(abs(finding.cents) for finding in found))


# --- The saga -------------------------------------------------------------------------------------


def order_of(scenario: str, **changes: Any) -> Any:
    """The first order of a saga's story, at its end."""
    return last(SAGA, scenario, **changes).orders[0]


def took_ms(scenario: str) -> int:
    order = order_of(scenario)
    return int(order.done_ms - order.at_ms)


def refund_after() -> str:
    """From the moment the saga turns back until the money is back."""
    moments = list(run_of(SAGA, "compensation-fails").history)
    turned_ms = next(s.now_ms for s in moments if any(g.back for g in s.state.orchestrator.sagas))
    back_ms = next(
        s.now_ms
        for s in moments
        if s.state.orders and any(e.undo and e.step == 1 for e in s.state.orders[0].effects)
    )
    return str(back_ms - turned_ms)


def charge_commands() -> int:
    """How often the orchestrator of the crash story asked for the charge."""
    asked = {
        message.id
        for state in run_of(SAGA, "orchestrator-crashes").history.states()
        for message in state.network.in_flight
        if message.target == PAYMENTS
    }
    return len(asked)


def given_back() -> str:
    """What the shop has refunded beyond the charge, without keys."""
    return dollars(-income_cents(last(SAGA, "refunded-twice").books))


def cycle_charges() -> int:
    """How often the card has been charged at the moment that the page shows."""
    (order,) = shown(SAGA, "event-cycle").orders
    return sum(effect.step == 1 and not effect.undo for effect in order.effects)


def counted_cents() -> str:
    """What the auditor of the dirty read counted as income."""
    (reading,) = last(SAGA, "dirty-read").readings
    (rows,) = (part.rows for part in reading.seen if part.service == PAYMENTS)
    return dollars(PRICE_CENTS * sum(row.status == "CHARGED" for row in rows))


def waited_ms() -> str:
    (read,) = last(SAGA, "semantic-lock").reads
    return str(read.done_ms - read.at_ms)


# --- Outbox and workflow --------------------------------------------------------------------------


def outbox(what: str) -> str:
    state = last("transactional_outbox", "idempotent-consumer")
    orders = sorted({row.order for row in of_service(state.books, "Orders").rows})
    shipping = of_service(state.books, "Shipping")
    return {
        "published": str(len(state.broker.log)),
        "orders": str(len(orders)),
        "labels": str(sum(standing(shipping, order) for order in orders)),
    }[what]


def charges(scenario: str) -> list[Any]:
    """The charges that the services did in a trip."""
    rows = last("durable_workflow", scenario).rows
    return [row for row in rows if row.name == "charge" and row.result == 1]


def fare(scenario: str) -> str:
    return dollars(sum(row.argument for row in charges(scenario)))


def calls(scenario: str, what: str) -> str:
    counted = last("durable_workflow", scenario).calls
    if what == "delay":
        return f"{counted.late_ms / counted.news:.0f} ms"
    return str(getattr(counted, what))


# --- The comparison -------------------------------------------------------------------------------


@noted
def rush(pattern: str, kind: str = "rush") -> Outcome:
    """The rush: as it is, with a semantic lock ("locked"), or with more customers ("hot")."""
    changes = {"locked": {"semantic_lock": True}, "hot": HOT}.get(kind)
    state = last(pattern, "rush", **({"params": changes} if changes else {}))
    return outcome_of(state.placed, state.reads, 0, RUSH_MS)


def down(pattern: str) -> Outcome:
    """The orders that were placed while Shipping was down."""
    state = last(pattern, "service-down")
    return outcome_of(state.placed, state.reads, *DOWN_MS)


def within(pattern: str, share: float, kind: str = "rush") -> str:
    return str(rank(rush(pattern, kind).completed_ms, share))


def read_within(pattern: str, kind: str = "rush") -> str:
    return str(rank(rush(pattern, kind).read_ms, 0.99))


def row_capacity() -> str:
    """How many orders a second one row could take if it were locked all the time."""
    holds = last(COMMIT, "rush").row_holds
    return f"{1_000 * holds.count / holds.total_ms:.0f}"


def alone_ms() -> str:
    (order,) = last(COMMIT, "commit").placed
    return str(order.done_ms - order.at_ms)


def stake() -> str:
    """What customers had paid for unfinished orders just before Shipping was back."""
    return dollars(at_stake_cents(run_of(SAGA, "service-down").state_at(DOWN_MS[1] - 1)))


def rows_of(kind: str, tag: str) -> dict[str, Callable[[], str]]:
    """What both sides of a rush have in common."""
    rows: dict[str, Callable[[], str]] = {}
    for pattern, name in ((COMMIT, "2pc"), (SAGA, "saga")):
        rows[f"{name} {tag} p50"] = partial(within, pattern, 0.5, kind)
        rows[f"{name} {tag} p99"] = partial(within, pattern, 0.99, kind)
    return rows


NUMBERS: dict[str, Callable[[], str]] = {
    "ut third charged": lambda: charged("third-step-fails"),
    "ut lost charged": lambda: charged("lost-answer"),
    "ut key requests": lambda: str(last("uncoordinated_transaction", "idempotency-key").requests),
    "ut key charged": lambda: charged("idempotency-key"),
    "ut crash charged": lambda: charged("caller-crashes"),
    "2pc commit lock": lambda: str(last(COMMIT, "commit").row_holds.longest_ms),
    "2pc hold two": lambda: hold(2, 0),
    "2pc hold four": lambda: hold(4, 0),
    "2pc hold six": lambda: hold(6, 0),
    "2pc hold four far": lambda: hold(4, 30),
    "2pc hold four farther": lambda: hold(4, 60),
    "2pc waiters": lambda: str(last(COMMIT, "others-wait").waits.count),
    "2pc longest wait": lambda: str(last(COMMIT, "others-wait").waits.longest_ms),
    "2pc in doubt": in_doubt_ms,
    "2pc down": lambda: str(crashes_ms()[1] - crashes_ms()[0]),
    "2pc sent": lambda: str(len(letters("lost-messages"))),
    "2pc lost": lambda: str(sum(letters("lost-messages").values())),
    "2pc alone wrong": wrong_alone,
    "2pc alone ms": alone_ms,
    "2pc alone messages": lambda: str(len(letters("commit"))),
    "saga refund tries": lambda: str(order_of("compensation-fails").tried[6]),
    "saga refund after": refund_after,
    "saga pivot tries": lambda: str(max(order_of("past-the-pivot").tried)),
    "saga dirty cents": counted_cents,
    "saga window": lambda: str(took_ms("all-works")),
    "saga lock wait": waited_ms,
    "saga crash asked": lambda: str(charge_commands()),
    "saga crash later": lambda: str(took_ms("orchestrator-crashes") - took_ms("all-works")),
    "saga given back": given_back,
    "saga choreography messages": lambda: str(order_of("choreography").messages),
    "saga choreography ms": lambda: str(took_ms("choreography")),
    "saga orchestration messages": lambda: str(order_of("compensates").messages),
    "saga orchestration ms": lambda: str(took_ms("compensates")),
    "saga cycle charges": lambda: str(cycle_charges()),
    "saga alone ms": lambda: str(took_ms("all-works")),
    "saga alone messages": lambda: str(order_of("all-works").messages),
    "outbox published": lambda: outbox("published"),
    "outbox orders": lambda: outbox("orders"),
    "outbox labels": lambda: outbox("labels"),
    "trip states": lambda: str(len(STATES)),
    "trip no history charged": lambda: fare("no-history"),
    "trip fare": lambda: fare("trip"),
    "trip replayed": lambda: str(len(shown("durable_workflow", "killed").service.history)),
    "trip killed charged": lambda: fare("killed"),
    "trip killed asked": lambda: str(sum(row.asked for row in charges("killed"))),
    "trip poll ms": lambda: str(last("durable_workflow", "polling").params.poll_ms),
    "trip polling calls": lambda: calls("polling", "polls"),
    "trip polling vain": lambda: calls("polling", "vain"),
    "trip polling pushes": lambda: calls("polling", "pushes"),
    "trip polling delay": lambda: calls("polling", "delay"),
    "trip waiting calls": lambda: calls("waiting", "polls"),
    "trip waiting vain": lambda: calls("waiting", "vain"),
    "trip waiting pushes": lambda: calls("waiting", "pushes"),
    "trip waiting delay": lambda: calls("waiting", "delay"),
    "2pc rush anomalies": lambda: str(rush(COMMIT).anomalies),
    "2pc rush reads": lambda: str(rush(COMMIT).reads),
    "saga rush anomalies": lambda: str(rush(SAGA).anomalies),
    "saga rush reads": lambda: str(rush(SAGA).reads),
    "saga locked anomalies": lambda: str(rush(SAGA, "locked").anomalies),
    "saga locked reads": lambda: str(rush(SAGA, "locked").reads),
    "2pc rush read p99": lambda: read_within(COMMIT),
    "saga rush read p99": lambda: read_within(SAGA),
    "saga locked read p99": lambda: read_within(SAGA, "locked"),
    "rush placed": lambda: str(rush(COMMIT).placed),
    "2pc rush in time": lambda: str(rush(COMMIT).in_time),
    "saga rush in time": lambda: str(rush(SAGA).in_time),
    "2pc row capacity": row_capacity,
    "saga row capacity": lambda: f"{1_000 / last(SAGA, 'rush').params.work_ms:.0f}",
    **rows_of("rush", "rush"),
    **rows_of("hot", "hot"),
    "hot placed": lambda: str(rush(COMMIT, "hot").placed),
    "2pc hot completed": lambda: str(rush(COMMIT, "hot").completed),
    "saga hot completed": lambda: str(rush(SAGA, "hot").completed),
    "2pc hot waited": lambda: str(rush(COMMIT, "hot").void - rush(SAGA, "hot").void),
    "down placed": lambda: str(down(COMMIT).placed),
    "2pc down completed": lambda: str(down(COMMIT).completed),
    "saga down completed": lambda: str(down(SAGA).completed),
    "2pc down in time": lambda: str(down(COMMIT).in_time),
    "saga down in time": lambda: str(down(SAGA).in_time),
    "2pc down void": lambda: str(down(COMMIT).void),
    "saga down void": lambda: str(down(SAGA).void),
    "saga down stake": stake,
}
