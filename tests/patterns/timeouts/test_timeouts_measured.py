"""Percentiles, and what a timeout at one costs: by definition, by formula, and as measured."""

from __future__ import annotations

from math import sqrt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pysims
from pysims.patterns.timeouts import cut_requests, share_above, timeout_at
from pysims.patterns.timeouts.measured import BIN_MS, BINS, NOTHING, bin_of, counted
from pysims.patterns.timeouts.model import BACK, LATENCY, Hang


def histogram(values: list[int]) -> tuple[int, ...]:
    counts = NOTHING
    for value in values:
        counts = counted(counts, value)
    return counts


latencies = st.lists(st.integers(1, BIN_MS * BINS), min_size=1, max_size=300)
percentiles = st.sampled_from([50.0, 80.0, 90.0, 99.0, 99.9, 100.0])


@given(latencies, percentiles)
def test_the_timeout_is_the_order_statistic_up_to_its_bin(
    values: list[int], percentile: float
) -> None:
    rank = -(-round(10 * percentile) * len(values) // 1_000)
    exact = sorted(values)[rank - 1]
    found = timeout_at(histogram(values), percentile)
    assert found is not None
    assert found - BIN_MS < exact <= found


@given(latencies, percentiles)
def test_a_timeout_at_a_percentile_cuts_off_the_rest_at_most(
    values: list[int], percentile: float
) -> None:
    counts = histogram(values)
    timeout_ms = timeout_at(counts, percentile)
    assert timeout_ms is not None
    cut = sum(value > timeout_ms for value in values) / len(values)
    assert share_above(counts, timeout_ms) == pytest.approx(cut)
    assert cut <= 1 - percentile / 100 + 1e-9


@given(st.lists(st.integers(1, 40), max_size=40), st.integers(0, 9))
def test_the_share_above_is_counted(values: list[int], bins: int) -> None:
    timeout_ms = BIN_MS * bins
    above = sum(value > timeout_ms for value in values)
    assert share_above(histogram(values), timeout_ms) * len(values) == pytest.approx(above)


def test_bins_hold_their_upper_end_and_the_last_all_above() -> None:
    assert [bin_of(ms) for ms in (0, 1, 5, 6, 10, 11)] == [0, 0, 0, 1, 1, 2]
    assert bin_of(10**6) == BINS - 1


def test_nothing_measured_gives_no_timeout_and_nonsense_is_refused() -> None:
    assert timeout_at(NOTHING, 99.0) is None
    assert share_above(NOTHING, 100) == 0.0
    for percentile in (0, -1, 100.1):
        with pytest.raises(ValueError, match="percentile"):
            timeout_at(NOTHING, percentile)


def test_the_published_arithmetic() -> None:
    # Dean and Barroso: one slow call in a hundred, a hundred calls: 63 % of the requests are slow.
    assert cut_requests(0.01, 100) == pytest.approx(0.634, abs=0.0005)
    assert cut_requests(0.01, 5) == pytest.approx(1 - 0.99**5)
    # Brooker: one false timeout in a thousand, with a single call.
    assert cut_requests(0.001, 1) == pytest.approx(0.001)
    assert cut_requests(0.3, 0) == 0


# --- Runs -----------------------------------------------------------------------------------------

WIDE = {
    "policy": "percentile",
    "rate_per_s": 20,
    "back_threads": 60,
    "front_threads": 60,
    "middle_threads": 60,
    "patience_ms": 10_000,
    "measure_ms": 20_000,
}


@pytest.mark.parametrize(("percentile", "calls"), [(90.0, 1), (95.0, 4), (99.0, 5)])
def test_false_failures_are_one_minus_p_to_the_k(percentile: float, calls: int) -> None:
    params: dict[str, Any] = {**WIDE, "percentile": percentile, "calls": calls}
    state = pysims.run("timeouts", params=params, seed=calls, script=(), until_ms=90_000).last
    count = state.well.done + state.well.lost
    lost = state.well.lost / count
    p = percentile / 100
    expected = 1 - p**calls
    # The percentile itself is known from so many calls only.
    known = calls * p ** (calls - 1) * sqrt(p * (1 - p) / sum(state.latencies))
    spread = sqrt(expected * (1 - expected) / count + known**2)
    assert count > 1_200
    assert abs(lost - expected) <= 3 * spread, (lost, expected)
    # Nothing ever queues here, so the timeout is a percentile of the work, near the one meant.
    near = 3.5 * sqrt(p * (1 - p) / sum(state.latencies))
    low_ms, high_ms = (LATENCY.quantile(min(1.0, share)) for share in (p - near, p + near))
    assert low_ms <= state.timeout_ms <= high_ms + BIN_MS
    assert state.ill == type(state.ill)()


def test_a_lower_percentile_costs_more_and_saves_more() -> None:
    def run(percentile: float) -> Any:
        return pysims.run("timeouts", "p99", params={"percentile": percentile}).last

    low, high = run(90.0), run(99.9)
    assert low.timeout_ms < high.timeout_ms
    assert low.well.lost > 5 * high.well.lost
    assert low.ill.lost_ms / low.ill.lost < high.ill.lost_ms / high.ill.lost


def test_there_is_no_timeout_before_the_measuring_ends() -> None:
    done = pysims.run("timeouts", "p99")
    assert done.state_at(7_999).timeout_ms == -1
    chosen = done.state_at(8_000)
    assert chosen.timeout_ms == timeout_at(chosen.latencies, 99.0)
    assert done.last.latencies == chosen.latencies
    assert done.state_at(7_999).users.failed == 0


def test_who_has_measured_nothing_measures_on() -> None:
    params = {**WIDE, "measure_ms": 500}
    run = pysims.run("timeouts", params=params, script=((0, Hang()),), until_ms=4_000)
    assert run.last.timeout_ms == -1
    assert len(run.last.pools[BACK].busy) > 0
