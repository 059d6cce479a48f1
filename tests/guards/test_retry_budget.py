"""A retry budget: how many retries it allows, in every stretch of time, and what it refuses."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pysims.patterns.retry_backoff as pattern
from pysims.guards.retry_budget import RetryBudget

ratios = st.integers(1, 2_000).map(lambda thousandths: thousandths / 1_000)


def test_the_pattern_offers_the_same_budget() -> None:
    assert pattern.RetryBudget is RetryBudget


def test_a_full_budget_allows_its_capacity_and_then_a_share_of_the_calls() -> None:
    budget = RetryBudget(0.1, 10)
    assert budget.tokens == 10
    for left in range(9, -1, -1):
        budget, allowed = budget.withdraw()
        assert allowed
        assert budget.tokens == left
    for _ in range(3):
        assert budget.withdraw() == (budget, False)
        for _ in range(9):
            budget = budget.deposit()
        assert budget.withdraw() == (budget, False)
        budget, allowed = budget.deposit().withdraw()
        assert allowed
        assert budget.tokens == 0


def test_what_does_not_fit_is_lost() -> None:
    assert RetryBudget(0.5, 2).deposit(100) == RetryBudget(0.5, 2)


def test_no_thousandth_is_lost_to_rounding() -> None:
    """1.001 times 1,000 is less than 1,001 in floats, and 0.1 added ten times is less than 1."""
    for thousandths in range(1, 2_001):
        empty = RetryBudget(thousandths / 1_000, 3, spent=3_000)
        assert empty.deposit().spent == 3_000 - thousandths


def test_a_budget_is_a_value() -> None:
    budget = RetryBudget(0.1, 10)
    budget.withdraw()
    budget.deposit()
    assert budget == RetryBudget(0.1, 10)


@given(ratios, st.integers(1, 50), st.lists(st.booleans(), max_size=300))
def test_retries_in_any_stretch_are_bounded_and_the_dumb_twin_agrees(
    ratio: float, capacity: int, steps: list[bool]
) -> None:
    """`True` is a call, `False` a client that wants to retry; the twin counts with fractions."""
    budget, twin = RetryBudget(ratio, capacity), Fraction(capacity)
    share = Fraction(round(ratio * 1_000), 1_000)
    calls, retries = [0], [0]
    for call in steps:
        allowed = False
        if call:
            budget, twin = budget.deposit(), min(Fraction(capacity), twin + share)
        else:
            budget, allowed = budget.withdraw()
            assert allowed == (twin >= 1)
            twin -= allowed
        calls.append(calls[-1] + call)
        retries.append(retries[-1] + allowed)
        assert budget.tokens == float(twin)
        assert 0 <= budget.tokens <= capacity
    for start in range(0, len(calls), 7):
        for end in range(start, len(calls), 5):
            spent = retries[end] - retries[start]
            assert spent <= capacity + share * (calls[end] - calls[start])


@given(ratios, st.integers(0, 100))
def test_many_calls_at_once_are_the_same_as_one_by_one(ratio: float, calls: int) -> None:
    empty = RetryBudget(ratio, 50, spent=50_000)
    one_by_one = empty
    for _ in range(calls):
        one_by_one = one_by_one.deposit()
    assert empty.deposit(calls) == one_by_one


@pytest.mark.parametrize("ratio", [0, -0.1, 0.0001, 0.12345, float("nan"), float("inf"), True])
def test_a_ratio_of_nothing_or_too_fine_is_refused(ratio: float) -> None:
    with pytest.raises(ValueError, match=r"ratio must be above 0, in steps of 0.001"):
        RetryBudget(ratio, 10)


@pytest.mark.parametrize("capacity", [0, -1, 1.5])
def test_a_capacity_below_one_is_refused(capacity: int) -> None:
    with pytest.raises(ValueError, match=r"capacity must be an integer of 1 or more, got"):
        RetryBudget(0.1, capacity)


@pytest.mark.parametrize("spent", [-1, 10_001, 0.5])
def test_a_debt_outside_the_bucket_is_refused(spent: int) -> None:
    with pytest.raises(ValueError, match=r"spent must be an integer from 0 to 10000 thousandths"):
        RetryBudget(0.1, 10, spent)


@pytest.mark.parametrize("calls", [-1, 1.0])
def test_fewer_than_no_calls_are_refused(calls: int) -> None:
    with pytest.raises(ValueError, match=r"calls must be an integer of 0 or more, got"):
        RetryBudget(0.1, 10).deposit(calls)
