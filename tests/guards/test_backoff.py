"""The four waits: their ranges, their exact values, and what they refuse."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pysims.patterns.retry_backoff as pattern
from pysims.guards import backoff
from pysims.guards.backoff import decorrelated_jitter, equal_jitter, exponential, full_jitter

attempts = st.integers(0, 10**9)
times_ms = st.integers(1, 10**9)
waits_ms = st.integers(0, 10**9)
units = st.floats(0, 1, exclude_max=True)
ALMOST_ONE = 1 - 2**-53


def test_the_pattern_offers_the_same_functions() -> None:
    for name in ("exponential", "full_jitter", "equal_jitter", "decorrelated_jitter"):
        assert getattr(pattern, name) is getattr(backoff, name)


def test_the_waits_double_up_to_the_cap() -> None:
    waits = [exponential(attempt, 100, 10_000) for attempt in range(9)]
    assert waits == [100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000]


@given(st.integers(0, 200), times_ms, times_ms)
def test_exponential_is_the_formula(attempt: int, base_ms: int, cap_ms: int) -> None:
    assert exponential(attempt, base_ms, cap_ms) == min(cap_ms, base_ms * 2**attempt)


@given(attempts, times_ms, times_ms)
def test_exponential_never_falls_and_ends_at_the_cap(
    attempt: int, base_ms: int, cap_ms: int
) -> None:
    wait_ms = exponential(attempt, base_ms, cap_ms)
    assert wait_ms <= exponential(attempt + 1, base_ms, cap_ms) <= cap_ms
    assert exponential(10**18, base_ms, cap_ms) == cap_ms


@given(attempts, times_ms, times_ms, units)
def test_full_jitter_lies_between_nothing_and_the_whole(
    attempt: int, base_ms: int, cap_ms: int, u: float
) -> None:
    whole_ms = exponential(attempt, base_ms, cap_ms)
    wait_ms = full_jitter(attempt, base_ms, cap_ms, u)
    assert 0 <= wait_ms < whole_ms
    assert wait_ms == Fraction(u) * whole_ms // 1
    assert full_jitter(attempt, base_ms, cap_ms, 0.0) == 0
    assert full_jitter(attempt, base_ms, cap_ms, ALMOST_ONE) == whole_ms - 1


@given(attempts, times_ms, times_ms, units)
def test_equal_jitter_keeps_half(attempt: int, base_ms: int, cap_ms: int, u: float) -> None:
    whole_ms = exponential(attempt, base_ms, cap_ms)
    wait_ms = equal_jitter(attempt, base_ms, cap_ms, u)
    assert whole_ms <= 2 * wait_ms
    assert wait_ms <= whole_ms
    assert abs(wait_ms - whole_ms * (1 + Fraction(u)) / 2) < 1
    assert equal_jitter(attempt, base_ms, cap_ms, 0.0) == (whole_ms + 1) // 2


@given(waits_ms, times_ms, times_ms, units)
def test_decorrelated_jitter_lies_between_base_and_three_times_the_last(
    previous_ms: int, base_ms: int, cap_ms: int, u: float
) -> None:
    wait_ms = decorrelated_jitter(previous_ms, base_ms, cap_ms, u)
    assert min(base_ms, cap_ms) <= wait_ms <= cap_ms
    assert wait_ms <= max(base_ms, 3 * previous_ms)
    range_ms = max(0, 3 * previous_ms - base_ms)
    assert wait_ms == min(cap_ms, base_ms + Fraction(u) * range_ms // 1)
    assert decorrelated_jitter(previous_ms, base_ms, cap_ms, 0.0) == min(base_ms, cap_ms)


@given(attempts, waits_ms, times_ms, times_ms, units, units)
def test_a_larger_draw_never_gives_a_shorter_wait(
    attempt: int, previous_ms: int, base_ms: int, cap_ms: int, one: float, other: float
) -> None:
    low, high = sorted((one, other))
    for jitter, first in (
        (full_jitter, attempt),
        (equal_jitter, attempt),
        (decorrelated_jitter, previous_ms),
    ):
        assert jitter(first, base_ms, cap_ms, low) <= jitter(first, base_ms, cap_ms, high)


def test_known_values() -> None:
    assert full_jitter(3, 100, 10_000, 0.5) == 400
    assert equal_jitter(3, 100, 10_000, 0.5) == 600
    assert equal_jitter(0, 101, 10_000, 0.0) == 51
    assert decorrelated_jitter(100, 100, 10_000, 0.5) == 200
    assert decorrelated_jitter(9_000, 100, 10_000, 0.9) == 10_000
    assert exponential(0, 100, 50) == 50


def test_numbers_of_any_size_are_exact() -> None:
    huge = 10**400
    assert full_jitter(10**12, huge, 3 * huge, 0.5) == 3 * huge // 2
    assert equal_jitter(1, huge, 10 * huge, 0.5) == 3 * huge // 2
    assert decorrelated_jitter(huge, huge, 10 * huge, 0.5) == 2 * huge


@pytest.mark.parametrize("u", [1, 1.0, -0.1, float("nan"), float("inf")])
def test_a_draw_outside_its_range_is_refused(u: float) -> None:
    for jitter in (full_jitter, equal_jitter, decorrelated_jitter):
        with pytest.raises(ValueError, match=r"u must be from 0 to below 1, got"):
            jitter(1, 100, 1_000, u)


@pytest.mark.parametrize(
    ("attempt", "base_ms", "cap_ms", "says"),
    [
        (-1, 100, 1_000, "attempt must be an integer of 0 or more, got -1"),
        (1.5, 100, 1_000, "attempt must be an integer of 0 or more, got 1.5"),
        (True, 100, 1_000, "attempt must be an integer of 0 or more, got True"),
        (0, 0, 1_000, "base_ms must be an integer of 1 ms or more, got 0"),
        (0, 100, 0, "cap_ms must be an integer of 1 ms or more, got 0"),
        (0, 100, 1e3, "cap_ms must be an integer of 1 ms or more, got 1000.0"),
    ],
)
def test_what_is_no_attempt_and_no_time_is_refused(
    attempt: int, base_ms: int, cap_ms: int, says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        exponential(attempt, base_ms, cap_ms)
    for jitter in (full_jitter, equal_jitter):
        with pytest.raises(ValueError, match=says):
            jitter(attempt, base_ms, cap_ms, 0.5)


@pytest.mark.parametrize(
    ("previous_ms", "base_ms", "cap_ms", "says"),
    [
        (-1, 100, 1_000, "previous_ms must be an integer of 0 ms or more, got -1"),
        (100, 0, 1_000, "base_ms must be an integer of 1 ms or more, got 0"),
        (100, 100, -5, "cap_ms must be an integer of 1 ms or more, got -5"),
    ],
)
def test_decorrelated_jitter_refuses_what_is_no_time(
    previous_ms: int, base_ms: int, cap_ms: int, says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        decorrelated_jitter(previous_ms, base_ms, cap_ms, 0.5)
