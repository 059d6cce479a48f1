"""How many of a thousand clients that fail together call within the same 10 ms.

The expected peaks were computed once with numpy, from one set of random numbers: 1,000 clients, six
retries, base 100 ms, cap 10 s, bins of 10 ms, no round trip. Exponential: 1,000; equal jitter: 212;
full jitter: 167; decorrelated jitter: 79. Peaks differ by about 5 % from one set to the next, so
the mean of twenty may differ from those by 10 %.
"""

from __future__ import annotations

from collections import Counter
from statistics import mean

import pytest

import pysims
from pysims.kernel import Draws
from pysims.patterns.retry_backoff import Params
from pysims.patterns.retry_backoff.settings import wait_of

EXPECTED = {"exponential": 1_000, "equal": 212, "full": 167, "decorrelated": 79}
CLIENTS, RETRIES, BIN_MS = 1_000, 6, 10


def peak(strategy: str, seed: int) -> int:
    """The fullest bin when every call fails at once and nothing takes time but the waits."""
    params = Params(strategy=strategy, base_ms=100, cap_ms=10_000)
    draws, bins = Draws(seed), Counter[int]()
    for _ in range(CLIENTS):
        at_ms = waited_ms = 0
        for failures in range(1, RETRIES + 1):
            waited_ms = wait_of(params, failures, waited_ms, draws)
            at_ms += waited_ms
            bins[at_ms // BIN_MS] += 1
    return max(bins.values())


@pytest.mark.parametrize("strategy", EXPECTED)
def test_peaks_without_a_round_trip(strategy: str) -> None:
    measured = mean(peak(strategy, seed) for seed in range(20))
    assert measured == pytest.approx(EXPECTED[strategy], rel=0.10)


@pytest.mark.parametrize("strategy", EXPECTED)
def test_peaks_of_the_model_whose_calls_take_10_ms_there_and_back(strategy: str) -> None:
    """The round trip keeps a client's first two calls apart, which lowers full jitter's peak."""
    params = {
        "strategy": strategy,
        "retries": RETRIES,
        "cap_ms": 10_000,
        "outage_ms": 10_000,
        "round_trip_ms": 10,
    }
    runs = [
        pysims.run("retry_backoff", params=params, seed=seed, until_ms=9_000) for seed in range(5)
    ]
    measured = mean(run.last.world.peak for run in runs)
    assert measured == pytest.approx(EXPECTED[strategy], rel=0.20)
