"""Three tiers that retry: how many calls a request makes at each, against theory."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pysims
from pysims.kernel import Run
from pysims.patterns.retry_backoff import PATTERN, BringUp, Join, Send, State, TakeDown
from pysims.patterns.retry_backoff.settings import STRATEGIES
from pysims.patterns.retry_backoff.tiers import KEPT, Tiers, calls_at_c, on_the_way

ROOMY: dict[str, Any] = {
    "threads": 50,
    "queue": 500,
    "service_ms": 1,
    "strategy": "fixed",
    "base_ms": 10,
}


def run_of(until_ms: int, script: Any = (), seed: int = 1, **params: Any) -> Run[State]:
    given = {"topology": "tiers", "outage_ms": 0, **params}
    return pysims.run("retry_backoff", params=given, script=script, seed=seed, until_ms=until_ms)


def chain(state: State) -> Tiers:
    assert isinstance(state.world, Tiers)
    return state.world


def broken_lights(run: Run[State]) -> list[str]:
    return [
        light.name
        for state in run.history.states()
        for light in PATTERN.invariants
        if light.promised(state) and not light.holds(state)
    ]


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5])
def test_when_every_call_fails_a_request_makes_k_cubed_calls(k: int) -> None:
    run = run_of(6_000, attempts=k, errors=100, rate_per_s=2, **ROOMY)
    tally = chain(run.last).tally
    assert tally.ended >= 3
    assert tally.good == 0
    assert tally.calls == tuple(tally.ended * k**tier for tier in (1, 2, 3))
    assert tally.most == k**3
    assert broken_lights(run) == []


def expected_calls(p: float, k: int) -> list[float]:
    """Calls per request at A, B and C, if each call at C fails with probability p.

    A caller that tries up to k times makes (1 - pᵏ) / (1 - p) calls and fails with probability pᵏ,
    which is the probability with which its own caller's call fails.
    """
    factors = []
    for _ in range(3):
        factors.append((1 - p**k) / (1 - p))
        p = p**k
    at_c, at_b, at_a = factors
    return [at_a, at_a * at_b, at_a * at_b * at_c]


@pytest.mark.parametrize(("errors", "k"), [(50, 3), (90, 3), (70, 2)])
def test_calls_per_request_are_those_of_theory(errors: int, k: int) -> None:
    run = run_of(70_000, attempts=k, errors=errors, rate_per_s=15, **ROOMY)
    tally = chain(run.last).tally
    assert tally.ended >= 900
    measured = [calls / tally.ended for calls in tally.calls]
    # The standard error of the mean of 1,000 requests is below 3 % at C, and less above.
    assert measured == pytest.approx(expected_calls(errors / 100, k), rel=0.09)
    lost = (errors / 100) ** (k**3)
    assert tally.good / tally.ended == pytest.approx(1 - lost, abs=0.02)


def test_budgets_hold_the_calls_to_their_share() -> None:
    """With ratio r each caller makes at most 1 + r calls per job in the long run: 1.1³ = 1.331."""
    run = run_of(
        60_000, errors=100, rate_per_s=20, budget=True, budget_ratio=0.1, budget_capacity=1, **ROOMY
    )
    tally = chain(run.last).tally
    assert tally.ended > 1_000
    measured = [calls / tally.ended for calls in tally.calls]
    assert measured == pytest.approx([1.1, 1.21, 1.331], rel=0.02)
    assert broken_lights(run) == []


def test_a_budget_is_shared_by_all_requests_and_paid_into_by_first_calls_only() -> None:
    run = run_of(4_000, errors=100, rate_per_s=3, budget=True, budget_capacity=2, **ROOMY)
    tiers = chain(run.last)
    for first, retried, budget in zip(tiers.first, tiers.retried, tiers.budgets, strict=True):
        most = 2 + first / 10
        assert retried <= most
        # What was neither spent nor lost to a full bucket is still there.
        assert budget.tokens <= most - retried + 1e-9
    assert tiers.denied > 0


def test_a_healthy_chain_makes_one_call_each_and_answers_all() -> None:
    run = run_of(10_000, rate_per_s=10)
    tally = chain(run.last).tally
    assert tally.good == tally.ended > 50
    ended = [[r for r in chain(s).requests if r.ended_ms >= 0] for s in run.history.states()]
    assert max(map(len, ended)) == KEPT
    assert ended[-1] == sorted(ended[-1], key=lambda request: request.ended_ms)
    assert tally.calls == (tally.ended,) * 3


def test_a_request_takes_the_hops_and_the_service() -> None:
    """Six hops of 10 ms, and the time at C."""
    run = run_of(1_000, script=((100, Send()),), seed=3, rate_per_s=1, service_ms=1)
    ended = [r for r in chain(run.last).requests if r.started_ms == 100]
    assert 60 <= ended[0].ended_ms - 100 <= 75


def test_what_is_measured_begins_with_the_outage() -> None:
    run = run_of(12_000, script=((3_000, TakeDown()), (8_000, BringUp())), attempts=2)
    before, during = chain(run.state_at(2_999)).tally, chain(run.state_at(7_999)).tally
    assert before.calls[2] == before.ended > 0
    assert during.from_ms == 3_000
    assert during.calls[2] == 8 * during.ended > 0
    assert chain(run.state_at(8_000)).tally.ended == 0
    # Requests that were retrying when C came back end later, and belong to neither time.
    assert any(calls_at_c(each) > 1 for each in on_the_way(chain(run.state_at(8_000))))
    healed = chain(run.last).tally
    assert healed.calls[2] == healed.ended > 0


def test_a_call_that_c_holds_when_it_goes_down_fails() -> None:
    run = run_of(2_000, script=((1_000, TakeDown()),), rate_per_s=20, service_ms=200, attempts=1)
    held = chain(run.state_at(999)).server.pool.busy
    assert held
    for job in held:
        failed = [r for r in chain(run.state_at(1_100)).requests if r.id == job.body]
        assert all(request.ended_ms >= 0 and not request.good for request in failed)
    assert broken_lights(run) == []


def test_a_full_c_refuses() -> None:
    run = run_of(5_000, rate_per_s=20, threads=1, queue=0, service_ms=200, attempts=1)
    tiers = chain(run.last)
    assert tiers.refused > 0
    assert 0 < tiers.tally.good < tiers.tally.ended


def test_no_new_clients_come_to_the_tiers() -> None:
    with pytest.raises(ValueError, match="new clients can come to the one server only"):
        run_of(1_000, script=((100, Join(10)),))


def test_an_event_of_another_house_is_refused() -> None:
    with pytest.raises(ValueError, match="retry_backoff has no event 'nonsense'"):
        run_of(1_000, script=((100, "nonsense"),))


actions = st.one_of(st.just(TakeDown()), st.just(BringUp()), st.just(Send()))


@settings(deadline=None, max_examples=20)
@given(
    st.sampled_from(list(STRATEGIES)),
    st.integers(1, 4),
    st.integers(0, 100),
    st.booleans(),
    st.integers(1, 5),
    st.lists(st.tuples(st.integers(0, 4_000), actions), max_size=5),
    st.integers(0, 2**32 - 1),
)
def test_whatever_the_reader_does_every_light_stays_green(
    strategy: str,
    attempts: int,
    errors: int,
    budget: bool,
    capacity: int,
    script: list[tuple[int, Any]],
    seed: int,
) -> None:
    run = run_of(
        5_000,
        script=tuple(sorted(script, key=lambda timed: timed[0])),
        seed=seed,
        strategy=strategy,
        attempts=attempts,
        errors=errors,
        budget=budget,
        budget_capacity=capacity,
        rate_per_s=5,
        base_ms=20,
        cap_ms=500,
        threads=2,
        queue=0,
    )
    assert broken_lights(run) == []
    assert len(chain(run.last).requests) <= len(on_the_way(chain(run.last))) + KEPT
