"""A trip from request to completion: its states, the ways between them, and the workflow.

`NEXT` is the table of states; the picture is drawn from it, and a light checks every run against
it. `trip` is the workflow: plain sequential code, with loops and branches, that says nothing about
machines, crashes or retries.

Uber describes a rider's session as a state machine fed by several event streams (Chaugule, "How
Uber Sessionizes Data", Uber Engineering, https://www.uber.com/blog/sessionizing-data/); the states
below are ours, not Uber's.

Simplified: minutes are fractions of a second here, so that a whole trip fits on the screen.
"""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from typing import Any

from .engine import TIMED_OUT, Activity, Command, Enter, Sleep, Wait, Workflow

REQUESTED, QUOTED, MATCHING, OFFERED = "requested", "quoted", "matching", "offered"
DECLINED, ACCEPTED, EN_ROUTE, ARRIVED = "declined", "accepted", "en route", "arrived"
RIDING, DROPPED_OFF, CHARGING, PAID = "riding", "dropped off", "charging", "paid"
PAYMENT_FAILED, COMPLETED, FEE_DUE, CANCELED = "card refused", "completed", "fee due", "canceled"

NEXT: tuple[tuple[str, tuple[str, ...]], ...] = (
    (REQUESTED, (QUOTED,)),
    (QUOTED, (MATCHING, CANCELED)),
    (MATCHING, (OFFERED,)),
    (OFFERED, (ACCEPTED, DECLINED, CANCELED)),
    (DECLINED, (MATCHING, CANCELED)),
    (ACCEPTED, (EN_ROUTE,)),
    (EN_ROUTE, (ARRIVED, FEE_DUE)),
    (ARRIVED, (RIDING, FEE_DUE)),
    (RIDING, (DROPPED_OFF,)),
    (DROPPED_OFF, (CHARGING,)),
    (CHARGING, (PAID, PAYMENT_FAILED)),
    (PAYMENT_FAILED, (CHARGING,)),
    (PAID, (COMPLETED,)),
    (COMPLETED, ()),
    (FEE_DUE, (CANCELED,)),
    (CANCELED, ()),
)
"""State → the states that may follow it."""

STATES = tuple(state for state, _ in NEXT)

# Signals: what people do.
CONFIRMED, RATED, RIDER_CANCELED = "confirmed", "rated", "canceled"
ACCEPTS, DECLINES, ARRIVES, PICKS_UP, DROPS_OFF = (
    "accepted", "declined", "arrived", "picked up", "dropped off",
)  # fmt: skip

# Activities: what the platform does, and where.
QUOTE, FIND, CHARGE, HOLD = "quote fare", "find driver", "charge", "hold fare"
OFFER, RELEASE = "offer", "release driver"
NOTIFY, COUPON, RECEIPT = "notify rider", "coupon", "receipt"

FARE_CENTS, FEE_CENTS = 1_840, 500
DRIVERS_MAX, TRIES_MAX = 3, 3
CONFIRM_MS, OFFER_MS, NO_SHOW_MS, RATING_MS, RETRY_MS = 6_000, 2_500, 3_000, 3_000, 800

ORIGINAL, CHANGED = "original", "changed"
CODES = (ORIGINAL, CHANGED)

Steps = Generator[Command, Any, None]


def trip(changed: bool = False, coin: bool = False) -> Steps:
    """The workflow of a trip.

    `changed` is the code after a careless deployment: one step more, right in the middle. `coin` is
    the side that a coin shows which the code flips: a decision that no history knows of.
    """
    yield Enter(REQUESTED)
    fare = yield Activity(QUOTE)
    yield Enter(QUOTED)
    said = yield Wait((CONFIRMED, RIDER_CANCELED), timeout_ms=CONFIRM_MS)
    if said != CONFIRMED:
        yield Enter(CANCELED)
        return
    if changed:
        yield Activity(HOLD, fare)
    driver = yield from match()
    if not driver:
        yield Enter(CANCELED)
        return
    yield Enter(ACCEPTED)
    if coin:
        yield Activity(COUPON)
    yield Activity(NOTIFY, driver)
    yield Enter(EN_ROUTE)
    said = yield Wait((ARRIVES, RIDER_CANCELED), driver)
    if said == ARRIVES:
        yield Enter(ARRIVED)
        said = yield Wait((PICKS_UP, RIDER_CANCELED), driver, NO_SHOW_MS)
    if said in (RIDER_CANCELED, TIMED_OUT):
        yield Enter(FEE_DUE)
        yield Activity(RELEASE, driver)
        yield Activity(CHARGE, FEE_CENTS)
        yield Enter(CANCELED)
        return
    yield Enter(RIDING)
    yield Wait((DROPS_OFF,), driver)
    yield Enter(DROPPED_OFF)
    yield Activity(RELEASE, driver)
    yield from settle(fare)


def match() -> Generator[Command, Any, int]:
    """Offer the trip to one driver after another; gives the number of the one who accepts, or 0."""
    for attempt in range(1, DRIVERS_MAX + 1):
        yield Enter(MATCHING)
        driver: int = yield Activity(FIND, attempt)
        yield Enter(OFFERED)
        yield Activity(OFFER, driver)
        said = yield Wait((ACCEPTS, DECLINES, RIDER_CANCELED), driver, OFFER_MS)
        if said == ACCEPTS:
            return driver
        if said == RIDER_CANCELED:
            yield Activity(RELEASE, driver)
            return 0
        yield Enter(DECLINED)
        yield Activity(RELEASE, driver)
    return 0


def settle(fare: int) -> Steps:
    """Charge the rider, again after a while if the card is refused; then receipt and rating."""
    for attempt in range(1, TRIES_MAX + 1):
        yield Enter(CHARGING)
        paid = yield Activity(CHARGE, fare)
        if paid:
            yield Enter(PAID)
            yield Activity(RECEIPT, fare)
            yield Wait((RATED,), timeout_ms=RATING_MS)
            yield Enter(COMPLETED)
            return
        yield Enter(PAYMENT_FAILED)
        if attempt < TRIES_MAX:
            yield Sleep(RETRY_MS)


def code_of(code: str, coin: bool = False) -> Workflow:
    """The workflow that a worker with this code runs; `coin` is what its coin shows."""
    return partial(trip, code == CHANGED, coin)


def follows(state: str, after: str) -> bool:
    """Whether the table has a way from one state to another."""
    return any(after in ways for before, ways in NEXT if before == state)
