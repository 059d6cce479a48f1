"""The confidence interval of a measured availability, against Student's distribution itself."""

from __future__ import annotations

from dataclasses import replace
from math import exp, lgamma, pi, sqrt
from typing import Any

import pytest

import pysims
from pysims.patterns.availability import measure
from pysims.patterns.availability.arithmetic import YEAR_MS


def above(t: float, freedom: int) -> float:
    """The chance of more than `t`, by Simpson's rule over the density from 0 to `t`."""
    scale = exp(lgamma((freedom + 1) / 2) - lgamma(freedom / 2)) / sqrt(freedom * pi)
    steps = 4_000
    width = t / steps
    total = 0.0
    for n in range(steps + 1):
        weight = 1 if n in (0, steps) else 4 if n % 2 else 2
        total += weight * (1 + (n * width) ** 2 / freedom) ** (-(freedom + 1) / 2)
    return 0.5 - scale * total * width / 3


@pytest.mark.parametrize("freedom", [*range(1, 26), 40, 100, 1_000])
def test_the_point_of_students_t_leaves_a_fortieth_above(freedom: int) -> None:
    t = measure.student(freedom)
    assert above(t - 0.0015, freedom) > 0.025 > above(t + 0.0015, freedom)


def test_an_interval_is_the_textbooks(monkeypatch: pytest.MonkeyPatch) -> None:
    state: Any = pysims.run("availability", "parallel").last
    lost = (0.01 * YEAR_MS, 0.02 * YEAR_MS, 0.06 * YEAR_MS)
    monkeypatch.setattr(measure, "whole_years", lambda _: lost)
    # Mean 0.03, standard deviation √0.0007, three years, so two degrees of freedom.
    half = 4.303 * sqrt(0.0007 / 3)
    assert measure.interval(state) == pytest.approx((1 - 0.03 - half, min(1.0, 0.97 + half)))
    monkeypatch.setattr(measure, "whole_years", lambda _: lost[:1])
    assert measure.interval(state) is None


def test_only_years_that_are_over_count() -> None:
    state: Any = pysims.run("availability", "parallel").last
    over = state.counted_ms // YEAR_MS
    assert over > 2
    assert measure.whole_years(replace(state, counted_ms=2 * YEAR_MS - 1)) == tuple(
        lost for start, lost in state.years.bins() if start // YEAR_MS < 1
    )
