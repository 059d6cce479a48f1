"""The formulas against their textbook forms, and the pools of the pattern against the formulas."""

from __future__ import annotations

from math import factorial, sqrt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pysims
from pysims.kernel import Run
from pysims.patterns.bulkhead import shares_of, together
from pysims.patterns.bulkhead.model import RECOMMENDATIONS, State, holding


def erlang_b(threads: int, load: float) -> float:
    """The sum that Erlang's loss formula is usually written as."""
    terms = [load**n / factorial(n) for n in range(threads + 1)]
    return terms[-1] / sum(terms)


def erlang_c(threads: int, load: float) -> float:
    """The share that waits when everybody may."""
    last = load**threads / factorial(threads) * threads / (threads - load)
    return last / (sum(load**n / factorial(n) for n in range(threads)) + last)


@pytest.mark.parametrize(("threads", "load"), [(1, 0.5), (5, 4.0), (10, 8.0), (20, 16.0)])
def test_without_places_it_is_erlang_b_and_with_very_many_erlang_c(
    threads: int, load: float
) -> None:
    none, many = shares_of(threads, 0, load), shares_of(threads, 2_000, load)
    assert none.waits == 0
    assert none.rejected == pytest.approx(erlang_b(threads, load))
    assert many.rejected == pytest.approx(0, abs=1e-9)
    assert many.waits == pytest.approx(erlang_c(threads, load))


def test_one_thread_and_one_place_by_hand() -> None:
    # Nobody, one, or two inside, with weights 1, a and a².
    shares = shares_of(1, 1, 0.5)
    assert shares.waits == pytest.approx(0.5 / 1.75)
    assert shares.rejected == pytest.approx(0.25 / 1.75)


halls = st.tuples(st.integers(1, 25), st.floats(0.1, 30))


@given(halls, halls)
def test_one_big_pool_never_turns_away_more(first: tuple[int, float], other: Any) -> None:
    """Smith and Whitt, "Resource sharing for efficiency in traffic systems", 1981."""
    (c1, a1), (c2, a2) = first, other
    apart = together([(c1, 0, a1), (c2, 0, a2)])
    assert shares_of(c1 + c2, 0, a1 + a2).rejected <= apart.rejected + 1e-12


@given(st.integers(1, 20), st.integers(0, 20), st.floats(0.1, 30))
def test_a_place_more_turns_away_fewer_and_shares_are_shares(c: int, k: int, load: float) -> None:
    some, more = shares_of(c, k, load), shares_of(c, k + 1, load)
    assert more.rejected <= some.rejected + 1e-12
    assert 0 <= some.waits <= 1 - some.rejected + 1e-12


@pytest.mark.parametrize(
    ("threads", "places", "load", "name"),
    [(0, 0, 1.0, "threads"), (1, -1, 1.0, "places"), (1, 0, 0.0, "load"), (1, 0, -2.0, "load")],
)
def test_what_makes_no_pool_is_refused(threads: int, places: int, load: float, name: str) -> None:
    with pytest.raises(ValueError, match=name):
        shares_of(threads, places, load)


# --- The pools, run -------------------------------------------------------------------------------

LOADS = {"payments_rate_per_s": 16, "recommendations_rate_per_s": 6, "timeout_ms": 20_000}
"""3.2 and 1.2 Erlang at 200 ms: on four and two threads, busy enough to turn some away."""


def long_run(pools: str, places: int, seed: int) -> Run[State]:
    return pysims.run(
        "bulkhead",
        "price",
        params={"pools": pools, "places": places, "threads": 6, "payments_threads": 4, **LOADS},
        seed=seed,
        until_ms=400_000,
    )


@pytest.mark.parametrize("places", [0, 2])
@pytest.mark.parametrize("pools", ["shared", "separate"])
def test_a_run_agrees_with_the_formula(pools: str, places: int) -> None:
    state = long_run(pools, places, seed=places + 1).last
    came = sum(tally.arrived for tally in state.tallies)
    expected = (
        shares_of(6, 2 * places, 4.4)
        if pools == "shared"
        else together([(4, places, 3.2), (2, places, 1.2)])
    )
    assert came > 8_000
    for share, theory in (
        (sum(t.rejected for t in state.tallies) / came, expected.rejected),
        (sum(t.waited for t in state.tallies) / came, expected.waits),
    ):
        # Requests follow each other into the same full pool, so the error is wider than binomial.
        assert abs(share - theory) <= 3 * 1.8 * sqrt(theory * (1 - theory) / came), (share, theory)
    assert sum(t.failed for t in state.tallies) <= 2


def test_little_threads_held_are_rate_times_latency() -> None:
    run = long_run("shared", 2, seed=9)
    held, last_ms, before = 0, 0, 0
    states = list(run.history.states())[1:]
    for (now_ms, _, _), state in zip(run.history.causes(), states, strict=True):
        held += before * (now_ms - last_ms)
        last_ms, before = now_ms, holding(state, RECOMMENDATIONS)
    tally = run.last.tallies[RECOMMENDATIONS]
    served_per_s = tally.done / last_ms * 1_000
    assert held / last_ms == pytest.approx(served_per_s * 0.2, rel=0.05)
