"""The arithmetic of availability against tables, brute force and well-known results."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pysims.patterns.availability.arithmetic import (
    DAY_MS,
    HOUR_MS,
    MONTH_MS,
    YEAR_MS,
    downtime_ms,
    k_of_n,
    mean_up,
    nines,
    own_part,
    shared_part,
    with_shared_cause,
)
from pysims.patterns.availability.measure import student
from pysims.patterns.availability.words import nines_of, share, span

SHARES = st.fractions(Fraction(1, 2), Fraction(99_999, 100_000), max_denominator=100_000)


# With a year of 365.25 days and a month of a twelfth of it.
@pytest.mark.parametrize(
    ("count", "year", "month", "day"),
    [
        (2, "87.7 h", "7.30 h", "14.4 min"),
        (3, "8.77 h", "43.8 min", "86.4 s"),
        (4, "52.6 min", "4.38 min", "8.64 s"),
        (5, "5.26 min", "26.3 s", "0.86 s"),
    ],
)
def test_the_downtime_that_the_nines_allow(count: int, year: str, month: str, day: str) -> None:
    periods = (YEAR_MS, MONTH_MS, DAY_MS)
    texts = [span(float(downtime_ms(nines(count), period))) for period in periods]
    assert texts == [year, month, day]


def test_a_year_has_365_and_a_quarter_days() -> None:
    assert YEAR_MS == 31_557_600_000
    assert MONTH_MS * 12 == YEAR_MS
    assert DAY_MS == 24 * HOUR_MS == 86_400_000


def test_well_known_compositions() -> None:
    assert f"{float(k_of_n(nines(3), 5, 5)):.6f}" == "0.995010"
    assert f"{float(k_of_n(nines(3), 10, 10)):.4f}" == "0.9900"
    assert f"{float(k_of_n(nines(4), 30, 30)):.4f}" == "0.9970"
    assert k_of_n(nines(2), 1, 2) == nines(4)
    majorities = [(2, 3, "99.970"), (3, 5, "99.9990"), (4, 7, "99.99997")]
    for needed, count, percent in majorities:
        digits = len(percent.partition(".")[2])
        assert f"{float(100 * k_of_n(nines(2), needed, count)):.{digits}f}" == percent


@given(SHARES, st.integers(1, 5), st.data())
def test_k_of_n_is_the_sum_over_all_states_of_the_parts(
    part: Fraction, count: int, data: st.DataObject
) -> None:
    needed = data.draw(st.integers(1, count))
    whole = Fraction(0)
    for ups in product((True, False), repeat=count):
        if sum(ups) >= needed:
            chance = Fraction(1)
            for up in ups:
                chance *= part if up else 1 - part
            whole += chance
    assert k_of_n(part, needed, count) == whole


@given(SHARES, st.integers(2, 5))
def test_series_is_worse_and_parallel_better_than_a_part(part: Fraction, count: int) -> None:
    assert k_of_n(part, count, count) == part**count < part
    assert 1 - k_of_n(part, 1, count) == (1 - part) ** count < 1 - part


@given(SHARES, st.integers(1, 5), st.data())
def test_without_a_shared_cause_and_with_nothing_else(
    part: Fraction, count: int, data: st.DataObject
) -> None:
    needed = data.draw(st.integers(1, count))
    assert with_shared_cause(part, needed, count, Fraction(0)) == k_of_n(part, needed, count)
    assert with_shared_cause(part, needed, count, Fraction(1)) == part


@given(SHARES, st.integers(2, 5), st.fractions(0, 1, max_denominator=50))
def test_a_shared_cause_makes_parallel_worse_and_never_better_than_itself(
    part: Fraction, count: int, beta: Fraction
) -> None:
    found = with_shared_cause(part, 1, count, beta)
    assert found <= shared_part(part, beta)
    assert found <= k_of_n(part, 1, count)
    more = with_shared_cause(part, 1, count + 1, beta)
    assert found <= more <= shared_part(part, beta)


@given(st.fractions(Fraction(99, 100), Fraction(99_999, 100_000), max_denominator=10**5))
def test_the_rule_of_thumb_for_two_replicas(part: Fraction) -> None:
    # The unavailability is about βU + ((1 − β)U)², for a small U.
    missing, beta = 1 - part, Fraction(1, 10)
    thumb = beta * missing + ((1 - beta) * missing) ** 2
    exact = 1 - with_shared_cause(part, 1, 2, beta)
    assert abs(exact - thumb) <= thumb * Fraction(3, 100)


@given(SHARES, st.fractions(0, 1, max_denominator=50))
def test_the_rates_of_own_and_shared_failures_add_up(part: Fraction, beta: Fraction) -> None:
    def rate(availability: Fraction) -> Fraction:
        return (1 - availability) / availability

    assert rate(own_part(part, beta)) + rate(shared_part(part, beta)) == rate(part)
    assert Fraction(1) / mean_up(part, 1) == rate(part)


def test_what_is_not_allowed_is_named() -> None:
    with pytest.raises(ValueError, match=r"availability must be from 0 to 1, got 1\.5"):
        downtime_ms(1.5, YEAR_MS)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="count must be 1 or more, got 0"):
        nines(0)
    with pytest.raises(ValueError, match="needed must be from 1 to 3, got 4"):
        k_of_n(nines(2), 4, 3)


@pytest.mark.parametrize(
    ("freedom", "value"), [(1, 12.706), (10, 2.228), (29, 2.045), (59, 2.001), (239, 1.970)]
)
def test_students_t_is_that_of_the_tables(freedom: int, value: float) -> None:
    assert student(freedom) == pytest.approx(value, abs=0.0015)


def test_availabilities_have_two_figures_of_what_is_missing() -> None:
    assert share(0.99501) == "99.50 %"
    assert share(0.9999) == "99.990 %"
    assert share(0.99891) == "99.89 %"
    assert share(1.0) == "100 %"


@given(st.integers(1, 6))
def test_nines_are_counted(count: int) -> None:
    assert nines_of(float(nines(count))) == count
    assert nines_of(float(nines(count)) - 1e-9) == count - 1


def test_spans_have_the_unit_that_people_use() -> None:
    assert [span(ms) for ms in (0, 864, 86_400, 263_000, 5 * HOUR_MS, 90 * DAY_MS)] == [
        "0 s", "0.86 s", "86.4 s", "4.38 min", "5.00 h", "90 days",
    ]  # fmt: skip
    assert span(60 * YEAR_MS) == "60.0 years"
