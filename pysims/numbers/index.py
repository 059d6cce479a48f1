"""The numbers of the landing page: what each nine allows, and what that time is worth."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import partial

from ..patterns.availability.arithmetic import (
    DAY_MS,
    HOUR_MS,
    MONTH_MS,
    SECOND_MS,
    YEAR_MS,
    downtime_ms,
    nines,
)

MINUTE_MS = 60 * SECOND_MS
REVENUE = 1_000_000_000
"""Dollars a year, spread evenly over it."""
UNITS = ((DAY_MS, "days"), (HOUR_MS, "hours"), (MINUTE_MS, "minutes"), (SECOND_MS, "seconds"))
FLEET = 10_000
"""Servers, each of them up for three nines of the time."""


def lasting(time_ms: Fraction) -> str:
    """A time in the largest unit of which it has at least one, with three digits."""
    unit_ms, name = next(unit for unit in UNITS if time_ms >= unit[0])
    return f"{float(time_ms / unit_ms):.3g} {name}"


def down_in_a_year(count: int) -> str:
    return lasting(downtime_ms(nines(count), YEAR_MS))


def dollars(amount: Fraction) -> str:
    """An amount that is a whole number of dollars, as a sum that people say."""
    assert amount.denominator == 1
    whole = int(amount)
    return f"${whole // 1_000_000} million" if whole >= 1_000_000 else f"${whole:,}"


def worth(count: int) -> str:
    return dollars((1 - nines(count)) * REVENUE)


def gained(revenue: int) -> str:
    """What the step from three nines to four is worth in a year."""
    return dollars((nines(4) - nines(3)) * revenue)


NUMBERS: dict[str, Callable[[], str]] = {
    **{f"year at {count} nines": partial(down_in_a_year, count) for count in range(2, 6)},
    **{f"worth at {count} nines": partial(worth, count) for count in range(2, 6)},
    "worth of a nine": lambda: gained(REVENUE),
    "worth of a nine at a million": lambda: gained(1_000_000),
    "down of a fleet": lambda: str((1 - nines(3)) * FLEET),
    "month at 5 nines": lambda: lasting(downtime_ms(nines(5), MONTH_MS)),
}
