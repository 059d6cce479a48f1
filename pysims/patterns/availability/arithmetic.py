"""The arithmetic of availability: budgets, series, parallel, k of n, and a shared cause.

An availability is the share of time in which something works. In *series* all parts must work, so
their availabilities multiply; in *parallel* one is enough, so their unavailabilities multiply. Both
hold only for parts that fail independently of one another.

Sources: Barlow and Proschan, Statistical Theory of Reliability and Life Testing, 1975, chapters 1
and 2 (series, parallel, k of n); Fleming, "A reliability model for common mode failures in
redundant safety systems", General Atomic report GA-A13284, 1975 (the beta factor: a share β of the
failures of a part strikes all parts at once); Site Reliability Engineering, 2016, appendix A,
https://sre.google/sre-book/availability-table/ (downtime that an availability allows; here a year
has 365.25 days).
"""

from __future__ import annotations

from fractions import Fraction
from math import comb

SECOND_MS = 1_000
HOUR_MS = 3_600 * SECOND_MS
DAY_MS = 24 * HOUR_MS
YEAR_MS = 36_525 * DAY_MS // 100
MONTH_MS = YEAR_MS // 12


def downtime_ms(availability: Fraction, period_ms: int) -> Fraction:
    """How long (ms) something of this availability is down in a period, on average.

    `ValueError` for an availability outside of 0 to 1.
    """
    if not 0 <= availability <= 1:
        raise ValueError(f"availability must be from 0 to 1, got {availability!r}")
    return (1 - availability) * period_ms


def nines(count: int) -> Fraction:
    """The availability of so many nines: 3 are 99.9 %. `ValueError` for fewer than one."""
    if count < 1:
        raise ValueError(f"count must be 1 or more, got {count!r}")
    return 1 - Fraction(1, 10**count)


def k_of_n(availability: Fraction, needed: int, count: int) -> Fraction:
    """How often at least `needed` of `count` parts work, if they fail independently.

    `needed` = `count` is the series, `needed` = 1 the parallel arrangement. `ValueError` unless
    1 ≤ needed ≤ count.
    """
    if not 1 <= needed <= count:
        raise ValueError(f"needed must be from 1 to {count}, got {needed!r}")
    return sum(
        (
            comb(count, working) * availability**working * (1 - availability) ** (count - working)
            for working in range(needed, count + 1)
        ),
        Fraction(0),
    )


def mean_up(availability: Fraction, repair: int) -> Fraction:
    """The mean time from a repair to the next failure: the availability is up / (up + down)."""
    return repair * availability / (1 - availability)


def own_part(availability: Fraction, beta: Fraction) -> Fraction:
    """The availability of a part if only the failures counted that are its own: a share 1 − β."""
    down_to_up = (1 - availability) / availability * (1 - beta)
    return 1 / (1 + down_to_up)


def shared_part(availability: Fraction, beta: Fraction) -> Fraction:
    """The share of time in which the shared cause, which has the share β of failures, is absent."""
    return own_part(availability, 1 - beta)


def with_shared_cause(availability: Fraction, needed: int, count: int, beta: Fraction) -> Fraction:
    """How often `needed` of `count` parts work when a share β of failures strikes all at once.

    The shared cause is one more part, in series with the arrangement of the parts themselves.
    """
    own = own_part(availability, beta)
    return shared_part(availability, beta) * k_of_n(own, needed, count)
