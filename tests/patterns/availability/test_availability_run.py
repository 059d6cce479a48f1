"""Runs of failures and repairs: against the arithmetic, against a dumb twin, under any script."""

from __future__ import annotations

from functools import cache, partial
from math import sqrt
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pysims
from pysims.kernel import History, run_script
from pysims.kernel.sim import start
from pysims.patterns.availability import PATTERN, Change, Fail, FailAll, Params, Repair, State
from pysims.patterns.availability.arithmetic import DAY_MS, HOUR_MS, YEAR_MS
from pysims.patterns.availability.measure import interval, whole_years
from pysims.patterns.availability.model import (
    KEPT,
    NAMES,
    PERCENTS,
    SHARED,
    STRUCTURES,
    expected,
    if_independent,
    init,
    measured,
    update,
    works,
)
from pysims.patterns.availability.scenarios import SCENARIOS
from pysims.patterns.availability.view import view


def run_of(params: Params, seed: int, until_ms: int, script: Any = ()) -> History[State]:
    return run_script(start(update, partial(init, params), seed), script, until_ms)


ARRANGEMENTS = {
    "one": Params(components=1, availability="99"),
    "five in series": Params(),
    "two in parallel": Params(structure="parallel", components=2, availability="99"),
    "two of three": Params(structure="k_of_n", components=3, needed=2, availability="99"),
    "parallel, shared": Params(structure="parallel", components=3, availability="99", beta=10),
    "series, shared": Params(structure="series", components=3, availability="99.5", beta=30),
    "slow repairs": Params(components=3, availability="99", repair_hours=24),
}


@cache
def years_of(name: str) -> tuple[int, ...]:
    """The service's downtime (ms) in each of many years, over several runs."""
    found: list[int] = []
    for seed in range(1, 13):
        state = run_of(ARRANGEMENTS[name], seed, 40 * YEAR_MS)[-1].state
        found.extend(whole_years(state))
    return tuple(found)


@pytest.mark.parametrize("name", ARRANGEMENTS)
def test_runs_agree_with_the_arithmetic(name: str) -> None:
    years = years_of(name)
    assert len(years) == 12 * 40
    mean = sum(years) / len(years)
    variance = sum((each - mean) ** 2 for each in years) / (len(years) - 1)
    error = sqrt(variance / len(years))
    wanted = float(1 - expected(ARRANGEMENTS[name])) * YEAR_MS
    # 2.58 standard errors are 99 %; the interval is narrow enough to tell formulas apart.
    assert abs(mean - wanted) <= 2.58 * error
    assert error <= 0.13 * wanted


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    params = ARRANGEMENTS["five in series"]
    covered = 0
    for seed in range(100, 160):
        limits = interval(run_of(params, seed, 20 * YEAR_MS)[-1].state)
        assert limits is not None
        covered += limits[0] <= expected(params) <= limits[1]
    assert 53 <= covered <= 60  # of 60; 95 % would be 57


def test_the_independent_arithmetic_is_wrong_when_a_cause_is_shared() -> None:
    params = ARRANGEMENTS["parallel, shared"]
    assert float(1 - expected(params)) > 500 * float(1 - if_independent(params))


def test_repairs_and_failures_have_the_means_that_were_asked_for() -> None:
    params = Params(components=1, availability="99", repair_hours=8)
    lengths = [
        end - begin
        for seed in range(1, 7)
        for state in run_of(params, seed, 60 * YEAR_MS)[-1:]
        for begin, end in state.state.service.outages
        if end >= 0
    ]
    failures = sum(run_of(params, s, 60 * YEAR_MS)[-1].state.service.failures for s in range(1, 7))
    assert sum(lengths) / len(lengths) == pytest.approx(8 * HOUR_MS, rel=0.15)
    assert failures == pytest.approx(6 * 60 * YEAR_MS / (800 * HOUR_MS), rel=0.05)


# --- Any script -----------------------------------------------------------------------------------

SETTINGS = st.builds(
    Params,
    structure=st.sampled_from(sorted(STRUCTURES)),
    components=st.integers(1, 5),
    needed=st.integers(1, 5),
    availability=st.sampled_from(sorted(PERCENTS)),
    repair_hours=st.sampled_from([4, 24, 72]),
    beta=st.sampled_from([0, 5, 50]),
)
ACTS = st.one_of(
    st.builds(Fail, st.sampled_from(NAMES)),
    st.builds(Repair, st.sampled_from((*NAMES, SHARED))),
    st.just(FailAll()),
)


@st.composite
def scripts(draw: st.DrawFn) -> tuple[Params, int, tuple[tuple[int, Any], ...]]:
    params = draw(SETTINGS)
    names = (*NAMES[: params.components], SHARED)
    times = sorted(draw(st.lists(st.integers(0, 500 * DAY_MS), max_size=8)))
    acts = [draw(ACTS) for _ in times]
    script = tuple(
        (time_ms, act)
        for time_ms, act in zip(times, acts, strict=True)
        if isinstance(act, FailAll) or act.component in names
    )
    return params, draw(st.integers(0, 2**32 - 1)), script


@settings(max_examples=60, deadline=None)
@given(scripts())
def test_whatever_happens_the_accounts_are_right(
    given: tuple[Params, int, tuple[tuple[int, Any], ...]],
) -> None:
    params, seed, script = given
    history = run_of(params, seed, 500 * DAY_MS, script)
    down_ms, since_ms, before = 0, 0, history[0].state
    for index in range(1, len(history)):
        state, now_ms = history.change(index)[2], history.time_ms(index)
        # The dumb twin: the time between events counts if too few components worked in it.
        down_ms += 0 if works(before) else now_ms - since_ms
        assert state.service.down_ms == down_ms
        assert 0 <= measured(state) <= 1
        for light in PATTERN.invariants:
            assert not light.promised(state) or light.holds(state), light.name
        since_ms, before = now_ms, state
    for lane in (*before.components, before.shared, before.service):
        assert len(lane.outages) <= KEPT
        flat = [each for outage in lane.outages for each in outage if each >= 0]
        assert flat == sorted(flat)
        assert lane.up == (not lane.outages or lane.outages[-1][1] >= 0)


def test_the_year_gets_the_downtime_of_an_outage_that_crosses_its_end() -> None:
    params = Params(components=1, availability="99.999", repair_hours=72)
    script = ((YEAR_MS - HOUR_MS, Fail("A")), (YEAR_MS + 2 * HOUR_MS, Repair("A")))
    for seed in range(1, 20):
        state = run_of(params, seed, 2 * YEAR_MS, script)[-1].state
        if state.service.failures == 1 and state.service.outages == (
            (YEAR_MS - HOUR_MS, YEAR_MS + 2 * HOUR_MS),
        ):
            assert whole_years(state) == (HOUR_MS, 2 * HOUR_MS)
            assert state.longest_ms == 3 * HOUR_MS
            return
    pytest.fail("no seed left the reader's outage alone")


def test_an_alarm_from_before_the_reader_came_is_ignored() -> None:
    params = Params(components=1, availability="99")
    history = run_of(params, 3, YEAR_MS)
    first = history[0].state.components[0].change_ms
    script = ((first - HOUR_MS, Fail("A")), (first - HOUR_MS + 1, Repair("A")))
    changed = run_of(params, 3, first, script)
    stale = [
        index
        for index in range(1, len(changed))
        if changed.time_ms(index) == first and isinstance(changed.change(index)[1], Change)
    ]
    assert len(stale) == 1
    before, event, after = changed.change(stale[0])
    assert before.components == after.components
    assert "stays up" in PATTERN.describe(before, event, after)


def test_all_at_once_and_back() -> None:
    params = Params(structure="parallel", components=3, availability="99.999")
    history = run_of(params, 1, 2 * DAY_MS, ((HOUR_MS, FailAll()), (3 * HOUR_MS, Repair(SHARED))))
    states = [history.change(index)[2] for index in range(1, len(history))]
    assert [state.service.up for state in states[:2]] == [False, True]
    assert all(lane.up for lane in states[0].components)
    assert states[1].service.down_ms == 2 * HOUR_MS
    assert states[1].by_reader == 2
    says = PATTERN.describe(*history.change(1))
    assert says == (
        "Your doing: The shared cause strikes all components at once: none works, so the service "
        "is down."
    )


def test_what_is_so_already_stays_so_and_who_is_unknown_is_refused() -> None:
    params = Params(components=2, availability="99.999")
    history = run_of(params, 1, HOUR_MS, ((1, Repair("A")), (2, FailAll()), (3, FailAll())))
    assert history[-1].state.by_reader == 1
    with pytest.raises(ValueError, match="component must be one of A, B, shared cause, got 'C'"):
        run_of(params, 1, HOUR_MS, ((1, Fail("C")),))


# --- The picture ----------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(SETTINGS, st.integers(0, 1_000))
def test_every_arrangement_can_be_drawn(params: Params, seed: int) -> None:
    for sim in run_of(params, seed, 30 * DAY_MS, ((DAY_MS, FailAll()),))[-1:]:
        scene = view(sim.state, sim.now_ms)
        assert len(scene["diagram"]["boxes"]) == params.components
        for box in scene["diagram"]["boxes"]:
            assert 0 <= box["x"] <= box["x"] + box["width"] <= 340
        for row in scene["timeline"]["rows"]:
            for tick in row["ticks"]:
                assert 62 <= tick["x"] <= tick["x"] + tick["width"] <= 336.01
        for bar in scene["yearly"]["bars"]:
            assert 0 <= bar["height"] <= 124.01


def test_the_table_says_what_is_promised_and_what_is_kept() -> None:
    run = pysims.run("availability", "series")
    rows = view(run.last, 30 * YEAR_MS)["budgets"]
    assert [row["share"] for row in rows] == ["99 %", "99.9 %", "99.99 %", "99.999 %"]
    assert [row["kept"] for row in rows] == [True, False, False, False]
    assert [row["promised"] for row in rows] == [False, True, False, False]


def test_the_bars_say_which_years_broke_the_promise() -> None:
    run = pysims.run("availability", "parallel")
    chart = view(run.last, 60 * YEAR_MS)["yearly"]
    lost = whole_years(run.last)[-40:]
    budget_ms = YEAR_MS / 10_000
    assert [bar["over"] for bar in chart["bars"]] == [each > budget_ms for each in lost]
    assert 0 < chart["over"] == sum(each > budget_ms for each in lost) < 40
    assert chart["budget_text"] == "promised: 52.6 min"


def test_the_comparison_has_the_arithmetic_and_the_measurement() -> None:
    run = pysims.run("availability", "correlated")
    rows = view(run.last, 60 * YEAR_MS)["comparison"]
    assert [row["share"] for row in rows[:3]] == ["99.00 %", "99.990 %", "99.89 %"]
    assert rows[1]["note"] == "1 − 0.01²"
    assert rows[3]["name"] == "Measured in 60.0 years"
    assert rows[3]["share"] == "99.88 %"


def test_the_stories_open_with_a_failure_or_a_repair() -> None:
    for story in SCENARIOS:
        run = pysims.run("availability", story.id)
        says = PATTERN.describe(*run.history.change(run.history.index_at(story.show_ms)))
        assert "the service is down" in says or "the service is up again" in says, story.id


@pytest.mark.parametrize("beta", [0, 10])
def test_proofs_fail_for_another_arrangement(beta: int) -> None:
    by_id = {story.id: story for story in SCENARIOS}
    other = pysims.run("availability", "parallel", params={"components": 1, "beta": beta})
    assert not by_id["parallel"].proof(other)
    assert not by_id["correlated"].proof(pysims.run("availability", "parallel"))
    assert not by_id["series"].proof(pysims.run("availability", "series", params={"components": 4}))
