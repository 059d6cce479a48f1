"""Random schedules of crashes, losses, repeats and delays, checked after every event; and the calm.

`State.falls` is empty after each of 100,000 events, and a twin that reads the whole last state
agrees; when all are up and nothing is lost, every order is decided and every lock is free.
"""

from __future__ import annotations

from functools import partial
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import pysims
from pysims.kernel import Context, Sim, dispatch, run_until, start
from pysims.order_book import SERVICES, conserved, findings, is_complete, is_void, outcome_of
from pysims.patterns.two_phase_commit import measure
from pysims.patterns.two_phase_commit.model import init, update
from pysims.patterns.two_phase_commit.shop import (
    COORDINATOR,
    Crash,
    LoseNext,
    Params,
    PlaceOrder,
    Restart,
    SetLoss,
    State,
    is_quiet,
    nodes,
    participant_of,
)

EVENTS_MIN = 100_000
CALM_MS = 12_000


def params_of(draw: Random, **given: object) -> Params:
    drawn: dict[str, object] = {
        "loss": draw.choice((0.0, 0.0, 0.1, 0.3)),
        "duplication": draw.choice((0.0, 0.1, 0.5)),
        "slow_ms": draw.choice((0, 0, 30)),
        "retry_ms": draw.choice((20, 50, 200)),
        "vote_timeout_ms": draw.choice((50, 150, 600)),
        "lock_wait_ms": draw.choice((50, 200, 500)),
        "orders_per_s": draw.choice((0.0, 10.0, 40.0)),
        "customers_ms": 1_500,
        "declined": 0.1,
        "reads_per_s": draw.choice((0.0, 20.0)),
        "stock": draw.choice((3, 50)),
    }
    return Params(**{**drawn, **given})  # type: ignore[arg-type]


def click(draw: Random, state: State) -> object:
    up = [name for name in nodes(state) if name not in state.network.down]
    kind = draw.randint(0, 9)
    if kind < 3 and COORDINATOR in up:
        return PlaceOrder(draw.choice(("good", "good", "declined")))
    if kind < 6 and up:
        return Crash(draw.choice((*up, up[0])))
    if kind < 9 and state.network.down:
        return Restart(draw.choice(state.network.down))
    return LoseNext(draw.choice(nodes(state)))


def piece(sim: Sim[State], until_ms: int) -> tuple[Sim[State], int]:
    """The run up to a moment, every state checked."""
    run = run_until(sim, until_ms)
    for index in range(1, len(run)):
        before, event, after = run.change(index)
        assert after.falls == (), (event, after.falls)
        if after.participants is not before.participants:
            assert conserved(after.books, after.params.stock)
    return run[-1], len(run) - 1


def shaken(draw: Random, seed: int, clicks: int = 30) -> int:
    sim = start(update, partial(init, params_of(draw)), seed)
    events, now_ms = 0, 0
    for _ in range(clicks):
        now_ms += draw.choice((1, 5, 12, 25, 60, 200))
        sim, count = piece(sim, now_ms)
        sim = dispatch(sim, click(draw, sim.state), now_ms)
        events += count
        sim, count = piece(sim, now_ms)
        events += count
    sim = dispatch(sim, SetLoss(0.0), now_ms)
    for name in sim.state.network.down:
        sim = dispatch(sim, Restart(name), now_ms)
    sim, count = piece(sim, now_ms + CALM_MS)
    check_the_calm(sim.state)
    return events + count


def check_the_calm(state: State) -> None:
    assert is_quiet(state)
    assert findings(state.books) == ()
    assert not any(read.anomaly for read in state.reads)
    for placed in state.placed:
        complete, void = (f(state.books, placed.order) for f in (is_complete, is_void))
        assert (placed.outcome, complete, void) in (
            ("completed", True, False),
            ("void", False, True),
        )


def test_the_promises_hold_after_each_of_a_hundred_thousand_events() -> None:
    tally = [0]

    def holds(draw: Random, seed: int) -> None:
        tally[0] += shaken(draw, seed)

    thorough = settings(
        max_examples=60,
        derandomize=True,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    thorough(given(st.randoms(use_true_random=False), st.integers(0, 2**32 - 1))(holds))()
    for seed in range(2_000):
        if tally[0] < EVENTS_MIN:
            holds(Random(seed), seed)
    assert tally[0] >= EVENTS_MIN


@pytest.mark.parametrize("alone", ["abort", "commit"])
def test_deciding_alone_breaks_agreement(alone: str) -> None:
    """With a no vote a lonely commit, with a lost commit a lonely abort."""
    card = "good" if alone == "abort" else "declined"
    lost = "Payments" if alone == "abort" else "Orders"
    script = ((0, PlaceOrder(card)), (15, LoseNext(lost)))
    params = {"decides_alone": True, "alone": alone, "patience_ms": 60}
    last = pysims.run("two_phase_commit", params=params, script=script, until_ms=900, seed=11).last
    fallen = {fall.property for fall in last.falls}
    assert "agreement" in fallen
    assert ("validity" in fallen) == (alone == "commit")


def test_bad_input_is_named() -> None:
    def happens(*script: tuple[int, object]) -> None:
        pysims.run("two_phase_commit", params={}, script=script, until_ms=100, seed=1)

    for event in (Crash("Bank"), Restart("Bank"), LoseNext("Bank")):
        with pytest.raises(ValueError, match=r"one of Coordinator, Orders.*got 'Bank'"):
            happens((0, event))
    with pytest.raises(ValueError, match=r"that is up .*got 'Orders', which is down"):
        happens((0, Crash("Orders")), (1, Crash("Orders")))
    with pytest.raises(ValueError, match=r"that is down .*got 'Orders', which is up"):
        happens((0, Restart("Orders")))
    with pytest.raises(ValueError, match="card must be one of good, declined, got 'gold'"):
        happens((0, PlaceOrder("gold")))
    with pytest.raises(ValueError, match="needs a coordinator that is up"):
        happens((0, Crash(COORDINATOR)), (1, PlaceOrder()))
    with pytest.raises(ValueError, match=r"loss must be a number from 0 to 0\.5, got 0\.7"):
        happens((0, SetLoss(0.7)))
    with pytest.raises(ValueError, match="participant must be one of Orders"):
        participant_of(init(Params(), Context(1, 1)), "Bank")
    with pytest.raises(ValueError, match="participants must be from 2 to 6, got 7"):
        measure.hold_ms(7, 0, 5)


def test_a_lock_is_held_until_the_slowest_has_voted_and_the_decision_is_there() -> None:
    """Work, a vote, the slowest's vote, one log write and the decision: two trips and a bit."""
    near, far = measure.hold_ms(4, 0, 5), measure.hold_ms(4, 30, 5)
    # Work 5 ms, two flights of about 10 ms, a write of 1 ms, and the wait for the slowest vote.
    assert 26 <= near <= 32
    # The far one's prepare and vote take 60 ms more; its own locks begin 30 later and end 30 later.
    assert far - near == pytest.approx((3 * 60 + 60) / 4, abs=4)
    by_size = [ms for _, ms in measure.by_size(5)]
    assert by_size == sorted(by_size)


def test_the_crowds_are_measured_as_the_chapter_compares_them() -> None:
    rush = pysims.run("two_phase_commit", "rush").last
    down = pysims.run("two_phase_commit", "service-down").last
    counts = outcome_of(rush.placed, rush.reads, 0, 8_000)
    # One row, one order at a time on it: no more than one in a mean holding time.
    assert counts.completed <= 8_000 / (rush.row_holds.total_ms / rush.row_holds.count)
    assert counts.anomalies == 0
    while_down = outcome_of(down.placed, down.reads, 2_050, 5_400)
    assert while_down.placed > 20
    assert while_down.completed == 0
    assert {len(participant_of(rush, n).database.rows) for n in SERVICES} == {counts.completed}
    assert all(len(m.log) <= 49 and len(m.unforced) <= 24 for m in rush.participants)
