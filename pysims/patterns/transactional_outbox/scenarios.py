"""The stories of the chapter; in each a process crashes at the moment that matters."""

from __future__ import annotations

from itertools import pairwise

from ...kernel import Run, Scenario
from ...order_book import ORDERS, is_void, orders_in, standing
from .parts import (
    BROKER_FIRST,
    DATABASE_FIRST,
    MARKING,
    OUTBOX,
    RELAY,
    Crash,
    PlaceOrder,
    Restart,
    State,
    forgotten,
    is_committed,
    phantoms,
    status,
    wrong,
)

SEED = 4
NOT_FORGOTTEN = "No committed order is forgotten"
NO_PHANTOM = "No event without its order"
ONE_LABEL = "At most one label for each order"

# Order 1 arrives whole; the service crashes in the middle of order 2, and order 3 comes after it.
IN_BETWEEN = (
    (5, PlaceOrder()),
    (80, PlaceOrder()),
    (92, Crash(ORDERS)),
    (150, Restart(ORDERS)),
    (170, PlaceOrder()),
)
# Publishing first, the service hears from the broker and is about to commit when it crashes.
BEFORE_COMMIT = (
    (5, PlaceOrder()),
    (80, PlaceOrder()),
    (109, Crash(ORDERS)),
    (150, Restart(ORDERS)),
    (170, PlaceOrder()),
)
# The broker has the event, and the relay dies before it can mark it.
BEFORE_MARK = (
    (5, PlaceOrder()),
    (12, PlaceOrder()),
    (65, Crash(RELAY)),
    (110, Restart(RELAY)),
)


def labels(state: State) -> list[int]:
    """How many labels each of the first three orders has."""
    return [standing(state.consumer.database, order) for order in (1, 2, 3)]


def texts(state: State) -> list[str]:
    return [finding.text for finding in wrong(state)]


def second_order_is_forgotten(run: Run[State]) -> bool:
    """Orders 1 and 3 ship; order 2 is committed, and its event is nowhere."""
    state = run.last
    return (
        orders_in((state.service.database,)) == (1, 2, 3)
        and state.broker.log == (1, 3)
        and forgotten(state) == (2,)
        and labels(state) == [1, 0, 1]
        and texts(state) == ["order 2 is paid and never ships: its event is nowhere"]
    )


def second_order_is_a_phantom(run: Run[State]) -> bool:
    """Three labels, two orders: the one of order 2 was rolled back."""
    state = run.last
    return (
        orders_in((state.service.database,)) == (1, 3)
        and state.broker.log == (1, 2, 3)
        and phantoms(state) == (2,)
        and labels(state) == [1, 1, 1]
        and is_void((state.service.database,), 2)
        and texts(state) == ["a shipment label for order 2, which does not exist"]
    )


def nothing_is_lost(run: Run[State]) -> bool:
    """The same crash: order 2 was committed with its event, and the relay sends it meanwhile."""
    state = run.last
    down = [s for s in run.history.states() if status(s, ORDERS) == "down"]
    sent_meanwhile = any(2 in s.broker.log for s in down)
    return (
        sent_meanwhile
        and state.broker.log == (1, 2, 3)
        and labels(state) == [1, 1, 1]
        and all(entry.sent for entry in state.service.outbox)
        and not wrong(state)
    )


def crashed_before_the_mark(run: Run[State]) -> bool:
    """The relay went down with an event that the broker had, and that was not marked."""
    states = list(run.history.states())
    return any(
        status(before, RELAY) == MARKING
        and status(after, RELAY) == "down"
        and before.relay.order in before.broker.log
        for before, after in pairwise(states)
    )


def two_labels(run: Run[State]) -> bool:
    """Order 1 is in the log twice, and has two labels."""
    state = run.last
    return (
        crashed_before_the_mark(run)
        and sorted(state.broker.log) == [1, 1, 2]
        and labels(state)[:2] == [2, 1]
        and texts(state) == ["2 shipment labels for order 1"]
    )


def one_label(run: Run[State]) -> bool:
    """The log holds order 1 twice all the same; the consumer worked on it once."""
    state = run.last
    return (
        crashed_before_the_mark(run)
        and sorted(state.broker.log) == [1, 1, 2]
        and state.broker.committed == 3
        and labels(state)[:2] == [1, 1]
        and is_committed(state, 1)
        and not wrong(state)
    )


FRONT = ("publish", "idempotent")

SCENARIOS = (
    Scenario(
        id="dual-write",
        title="Database first, then the broker",
        claim="The service crashes between two writes: order 2 is paid, and nobody hears of it.",
        proof=second_order_is_forgotten,
        watch="Follow the chips from top to bottom. Number 2 is in the database, and nowhere else.",
        until_ms=260,
        show_ms=225,
        seed=SEED,
        params={"publish": DATABASE_FIRST},
        script=IN_BETWEEN,
        front=FRONT,
        breaks=(NOT_FORGOTTEN,),
    ),
    Scenario(
        id="broker-first",
        title="Broker first, then the database",
        claim="The event is out, the service crashes: a label for an order that was rolled back.",
        proof=second_order_is_a_phantom,
        watch="Turned around, the two writes fail the other way: chip 2 has no order above it.",
        until_ms=280,
        show_ms=110,
        seed=SEED,
        params={"publish": BROKER_FIRST},
        script=BEFORE_COMMIT,
        front=FRONT,
        breaks=(NO_PHANTOM,),
    ),
    Scenario(
        id="outbox",
        title="An outbox: one write instead of two",
        claim="The same crash as above: the event was committed with its order, so all three ship.",
        proof=nothing_is_lost,
        watch="While the service is down, the relay finds event 2 in the outbox and sends it.",
        until_ms=320,
        show_ms=124,
        seed=SEED,
        params={"publish": OUTBOX},
        script=IN_BETWEEN,
        front=FRONT,
    ),
    Scenario(
        id="relay-crashes",
        title="The relay crashes before it can mark the event",
        claim="Published, not marked, published again: event 1 comes twice, and so does its label.",
        proof=two_labels,
        watch="The outbox promises “at least once”. This consumer takes each event for a new one.",
        until_ms=320,
        show_ms=171,
        seed=SEED,
        params={"publish": OUTBOX, "idempotent": False},
        script=BEFORE_MARK,
        front=FRONT,
        breaks=(ONE_LABEL,),
    ),
    Scenario(
        id="idempotent-consumer",
        title="The same crash, and a consumer that remembers",
        claim="Event 1 is in the log twice; Shipping knows its id, and creates one label.",
        proof=one_label,
        watch="The second chip of order 1 is taken, and has no effect: its id is in the database.",
        until_ms=320,
        show_ms=171,
        seed=SEED,
        params={"publish": OUTBOX, "idempotent": True},
        script=BEFORE_MARK,
        front=FRONT,
    ),
)
