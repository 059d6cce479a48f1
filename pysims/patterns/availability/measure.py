"""How sure a measured availability is: a confidence interval from the years of one run."""

from __future__ import annotations

from math import sqrt

from .arithmetic import YEAR_MS
from .model import State

# Student's t, two-sided 95 %, by degrees of freedom from 1; above, the normal limit and one term.
STUDENT = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
    2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
)  # fmt: skip


def student(freedom: int) -> float:
    """The 97.5 % point of Student's t, within 0.001 of the tables."""
    if freedom <= len(STUDENT):
        return STUDENT[freedom - 1]
    return 1.960 + 2.372 / freedom + 2.82 / freedom**2


def whole_years(state: State) -> tuple[int, ...]:
    """The service's downtime (ms) in each year that is over, of those that are kept."""
    over = state.counted_ms // YEAR_MS
    return tuple(lost for start, lost in state.years.bins() if start // YEAR_MS < over)


def interval(state: State) -> tuple[float, float] | None:
    """The 95 % confidence interval of the availability, or None before a second year is over.

    Simplified: the years count as independent samples from a normal distribution; few and long
    outages make the true interval wider and lopsided.
    """
    lost = whole_years(state)
    if len(lost) < 2:
        return None
    mean = sum(lost) / len(lost)
    variance = sum((each - mean) ** 2 for each in lost) / (len(lost) - 1)
    half = student(len(lost) - 1) * sqrt(variance / len(lost))
    return max(0.0, 1 - (mean + half) / YEAR_MS), min(1.0, 1 - (mean - half) / YEAR_MS)
