"""The published comparison of the strategies, reproduced with our functions on our kernel.

Two things are compared. First, what the article says in words (Brooker, "Exponential Backoff And
Jitter", AWS Architecture Blog, 2015). Second, the figures that its simulator prints: it was run as
published (commit 66cb169, with `range` for `xrange` so that Python 3 runs it, after
`random.seed(1)`; 100 experiments for each figure). Calls must agree within 3 %, times within 10 %:
the standard error of the difference is below 1.3 % and 5 %.
"""

from __future__ import annotations

from functools import cache

import pytest

from tests.patterns.retry_backoff.contention import mean

RUNS = {50: 20, 100: 10}
STRATEGIES = ("none", "exponential", "full", "equal", "decorrelated")
JITTERED = STRATEGIES[2:]

# (clients, strategy): mean number of writes tried, mean time until all had written (ms).
PRINTED = {
    (50, "none"): (687, 1_132),
    (50, "exponential"): (624, 36_237),
    (50, "full"): (332, 2_922),
    (50, "equal"): (347, 4_303),
    (50, "decorrelated"): (376, 2_164),
    (100, "none"): (2_421, 2_027),
    (100, "exponential"): (1_853, 62_862),
    (100, "full"): (797, 4_879),
    (100, "equal"): (812, 6_658),
    (100, "decorrelated"): (1_002, 4_530),
}


@cache
def measured(clients: int, strategy: str) -> tuple[float, float]:
    return mean(strategy, clients, RUNS[clients])


def calls(strategy: str, clients: int = 100) -> float:
    return measured(clients, strategy)[0]


def time_ms(strategy: str, clients: int = 100) -> float:
    return measured(clients, strategy)[1]


@pytest.mark.parametrize(("clients", "strategy"), PRINTED)
def test_the_figures_are_those_of_the_published_simulator(clients: int, strategy: str) -> None:
    writes, took_ms = PRINTED[clients, strategy]
    assert calls(strategy, clients) == pytest.approx(writes, rel=0.03)
    assert time_ms(strategy, clients) == pytest.approx(took_ms, rel=0.10)


def test_jitter_cuts_the_calls_of_100_clients_by_more_than_half() -> None:
    assert calls("full") < calls("exponential") / 2


def test_full_and_equal_jitter_call_about_equally_often_and_decorrelated_more() -> None:
    assert calls("full") < calls("equal") < 1.05 * calls("full")
    assert calls("decorrelated") > 1.15 * calls("equal")


def test_every_jitter_calls_much_less_than_either_approach_without() -> None:
    for jittered in JITTERED:
        assert calls(jittered) < 0.6 * min(calls("exponential"), calls("none"))


def test_backoff_without_jitter_helps_little_and_takes_by_far_the_longest() -> None:
    assert 0.6 * calls("none") < calls("exponential") < calls("none")
    assert time_ms("exponential") > 5 * max(time_ms(jittered) for jittered in JITTERED)


def test_equal_jitter_takes_longest_of_the_three_and_full_a_little_longer_than_decorrelated() -> (
    None
):
    assert time_ms("equal") > 1.2 * max(time_ms("full"), time_ms("decorrelated"))
    assert time_ms("decorrelated") < time_ms("full") < 1.5 * time_ms("decorrelated")


def test_without_backoff_the_time_grows_with_the_clients_and_the_work_with_their_square() -> None:
    assert time_ms("none", 100) / time_ms("none", 50) == pytest.approx(2, rel=0.15)
    assert calls("none", 100) / calls("none", 50) == pytest.approx(4, rel=0.15)
