"""Runs of the two fleets: the accounts, the queueing, the kills, and who notices."""

from __future__ import annotations

from dataclasses import replace
from math import sqrt
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pysims
from pysims.kernel import Context, Run, pool_of, run_script
from pysims.kernel.sim import start
from pysims.patterns.chaos_monkey import (
    PATTERN,
    KillInstance,
    KillRecommendations,
    KillZone,
    Params,
    Restart,
    RestoreRecommendations,
    RestoreZone,
    State,
    cells,
)
from pysims.patterns.chaos_monkey.fleet import DEAD, STARTING, UP, ZONES, Fleet
from pysims.patterns.chaos_monkey.model import (
    ALONE,
    FLEET,
    Attack,
    answered_share,
    capacity_per_s,
    clock,
    in_progress,
    init,
    update,
)
from pysims.patterns.chaos_monkey.office import HOUR_MS, MONKEY_HOURS, within
from pysims.patterns.chaos_monkey.scenarios import SCENARIOS, answered, attacks, failed
from pysims.patterns.chaos_monkey.view import view


def run_of(script: Any = (), until_ms: int = 20_000, seed: int = 1, **params: Any) -> Run[Any]:
    return pysims.run("chaos_monkey", params=params, script=script, until_ms=until_ms, seed=seed)


def fleets_of(run: Run[Any]) -> tuple[Fleet, Fleet]:
    state: State = run.last
    return state.fleets


def statuses(state: State) -> str:
    """The first letters of the fleet's standings: u, s, d."""
    return "".join(each.status[0] for each in state.fleets[FLEET].instances)


# --- Whatever happens -----------------------------------------------------------------------------


@st.composite
def scripts(draw: st.DrawFn) -> tuple[dict[str, Any], tuple[tuple[int, Any], ...]]:
    zones, per_zone = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    params = {
        "zones": zones,
        "per_zone": per_zone,
        "rate_per_s": draw(st.sampled_from([3, 20, 60])),
        "autoscaling": draw(st.booleans()),
        "redundancy": draw(st.booleans()),
        "fallbacks": draw(st.booleans()),
        "unhealthy_threshold": draw(st.integers(1, 3)),
        "check_interval_ms": draw(st.sampled_from([250, 1_000])),
        "start_up_ms": draw(st.sampled_from([500, 2_000])),
        "monkey": draw(st.sampled_from(["off", "business", "always"])),
        "hours_between_kills": draw(st.sampled_from([1, 4])),
        "repair_hours": draw(st.sampled_from([1, 4])),
    }
    names = [f"{zone}{n}" for zone in ZONES[:zones] for n in range(1, per_zone + 1)]
    act = st.one_of(
        st.builds(KillInstance, st.sampled_from(names)),
        st.builds(Restart, st.sampled_from(names)),
        st.builds(KillZone, st.sampled_from(ZONES[:zones])),
        st.builds(RestoreZone, st.sampled_from(ZONES[:zones])),
        st.just(KillRecommendations()),
        st.just(RestoreRecommendations()),
    )
    times = sorted(draw(st.lists(st.integers(0, 9_000), max_size=8)))
    return params, tuple((time_ms, draw(act)) for time_ms in times)


@settings(max_examples=40, deadline=None)
@given(scripts(), st.integers(0, 2**32 - 1))
def test_whatever_happens_every_request_is_accounted_for(
    given: tuple[dict[str, Any], tuple[tuple[int, Any], ...]], seed: int
) -> None:
    params, script = given
    run = run_of(script, 10_000, seed, **params)
    for index in range(1, len(run.history)):
        before, event, after = run.history.change(index)
        for light in PATTERN.invariants:
            assert not light.promised(after) or light.holds(after), (light.name, event)
        for old, new in zip(before.fleets, after.fleets, strict=True):
            assert 0 <= new.outcomes.failed - old.outcomes.failed <= 600
            assert new.outcomes.good >= old.outcomes.good
            assert in_progress(new) <= sum(5 * each.pool.threads for each in new.instances)
        assert PATTERN.describe(before, event, after)
    state: State = run.last
    assert all(0 <= part <= 1 for pair in cells(state) for part in pair)
    scene = view(state, 10_000)
    for bar in scene["chart"]["bars"]:
        assert 33 <= bar["x"] <= 336
        assert bar["y"] >= 26
    served = sum(each.outcomes.good_by_time.total() for each in state.fleets)
    assert served == sum(each.outcomes.good for each in state.fleets)


def test_the_switches_choose_what_is_on_show_and_change_nothing_else() -> None:
    ends = []
    for redundancy in (True, False):
        for fallbacks in (True, False):
            run = pysims.run(
                "chaos_monkey",
                "fallbacks",
                params={"redundancy": redundancy, "fallbacks": fallbacks},
            )
            ends.append(replace(run.last, params=Params()))
            table = view(run.last, 30_000)["table"]
            chosen = [cell["chosen"] for row in table for cell in row["cells"]]
            assert chosen.index(True) == 2 * redundancy + fallbacks
            assert chosen.count(True) == 1
    assert ends[0] == ends[1] == ends[2] == ends[3]


@pytest.mark.parametrize("seed", range(1, 6))
def test_fallbacks_and_redundancy_never_hurt(seed: int) -> None:
    script = ((3_000, KillRecommendations()), (6_000, KillInstance("A1")))
    (nothing, fallbacks), (redundancy, both) = cells(run_of(script, seed=seed).last)
    assert nothing < fallbacks < both
    assert nothing <= redundancy < both


# --- The queueing ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "rate"), [(ALONE, 30), (FLEET, 30), (ALONE, 12)])
def test_busy_threads_agree_with_littles_law(number: int, rate: int) -> None:
    """On average rate × (work + recommendations) threads are busy: Little, 1961."""
    samples = []
    for seed in range(1, 9):
        run = run_of((), 30_000, seed, rate_per_s=rate)
        means = []
        for time_ms in range(5_000, 30_000, 50):
            fleet = run.state_at(time_ms).fleets[number]
            means.append(sum(len(each.pool.busy) for each in fleet.instances))
        samples.append(sum(means) / len(means))
    mean = sum(samples) / len(samples)
    variance = sum((each - mean) ** 2 for each in samples) / (len(samples) - 1)
    error = sqrt(variance / len(samples))
    assert abs(mean - rate * 0.2) <= 2.9 * error + 0.02
    assert error < 0.05 * rate * 0.2


def test_what_is_answered_stays_below_the_capacity_and_close_to_it_under_overload() -> None:
    run = run_of((), 60_000, zones=1, per_zone=2, rate_per_s=40)
    fleet = fleets_of(run)[FLEET]
    per_s = answered(fleet, 10_000, 60_000) / 50
    assert capacity_per_s(4) == 20
    assert 18 <= per_s <= 21  # Above 20 by chance of the drawn times only.
    assert fleet.turned_away >= 0.4 * fleet.arrived


def test_the_same_requests_come_to_both_fleets() -> None:
    alone, fleet = fleets_of(run_of((), 20_000))
    assert alone.arrived == fleet.arrived
    assert alone.outcomes.failed == fleet.outcomes.failed == 0
    assert alone.instances[0].pool.threads == sum(e.pool.threads for e in fleet.instances)


def test_calls_wait_for_recommendations_and_are_given_up_when_their_queue_is_full() -> None:
    """With one thread for 24 calls of 50 ms a second, calls queue; with no room, some are lost."""

    def end_of(queue_limit: int) -> tuple[State, int]:
        def slow(ctx: Context) -> State:
            state = init(Params(), ctx)
            pool = pool_of(1, queue_limit)
            alone, fleet = (replace(each, recommendations=pool) for each in state.fleets)
            return replace(state, fleets=(alone, fleet))

        history = run_script(start(update, slow, 1), (), 30_000)
        longest = max(len(s.fleets[FLEET].recommendations.waiting) for s in history.states())
        for state in history.states():
            assert all(light.holds(state) for light in PATTERN.invariants)
        return history[-1].state, longest

    roomy, longest = end_of(-1)
    assert longest >= 5
    assert roomy.fleets[FLEET].outcomes.fallback == 0
    assert roomy.fleets[FLEET].outcomes.good >= 0.6 * 30 * 20
    tight, longest = end_of(1)
    assert longest == 1
    assert tight.fleets[FLEET].outcomes.fallback > 50
    assert tight.fleets[FLEET].outcomes.good >= 200


# --- Kills ----------------------------------------------------------------------------------------


def test_a_kill_is_noticed_replaced_and_found_again() -> None:
    run = run_of(((3_500, KillInstance("B2")),), start_up_ms=2_500)
    times = (3_400, 3_600, 4_100, 5_100, 7_600, 8_100)
    found = [run.state_at(time_ms).fleets[FLEET].instances[3] for time_ms in times]
    assert [each.status for each in found] == [UP, DEAD, DEAD, STARTING, UP, UP]
    assert [each.bad_checks for each in found] == [0, 0, 1, 2, 2, 0]
    assert [each.out_ms >= 0 for each in found] == [False, False, False, True, True, False]
    assert found[3].turn_ms == 7_500


def test_who_dies_while_starting_starts_anew() -> None:
    script = ((3_500, KillInstance("B2")), (6_500, KillInstance("B2")))
    run = run_of(script, start_up_ms=2_500)
    times = (5_100, 6_600, 7_200, 7_600, 9_400, 9_500)
    found = "".join(statuses(run.state_at(time_ms))[3] for time_ms in times)
    assert found == "sdsssu"  # The first start would have ended at 7,500 ms.


def test_a_repair_that_is_out_of_date_repairs_nothing() -> None:
    script = (
        (3_000, KillRecommendations()),
        (4_000, RestoreRecommendations()),
        (5_000, KillRecommendations()),
        (5_500, KillRecommendations()),
    )
    run = run_of(script, repair_hours=3)
    up = [run.state_at(ms).recommend_up for ms in (3_900, 4_000, 5_900, 6_100, 7_900, 8_000)]
    assert up == [False, True, False, False, False, True]


def test_without_autoscaling_an_engineer_comes() -> None:
    run = run_of(((3_500, KillInstance("B2")),), autoscaling=False, repair_hours=3)
    times = (5_100, 7_900, 8_100, 10_100)
    found = [run.state_at(time_ms).fleets[FLEET].instances[3].status for time_ms in times]
    assert found == [DEAD, DEAD, STARTING, UP]


def test_a_zone_takes_its_own_and_comes_back_whole() -> None:
    script = ((3_000, KillZone("B")), (8_000, Restart("B1")), (9_000, RestoreZone("B")))
    run = run_of(script)
    assert statuses(run.state_at(3_000)) == "uudduu"
    assert statuses(run.state_at(8_500)) == "uudduu"
    assert statuses(run.state_at(9_000)) == "uussuu"
    assert statuses(run.state_at(11_000)) == "uuuuuu"
    # The lone machine stands in zone A.
    assert run.state_at(3_000).fleets[ALONE].instances[0].status == UP
    other = run_of(((3_000, KillZone("A")),))
    assert other.state_at(3_000).fleets[ALONE].instances[0].status == DEAD


def test_an_engineer_cannot_start_anything_in_a_zone_that_is_down() -> None:
    script = ((2_000, KillInstance("A1")), (5_000, KillZone("A")), (12_000, RestoreZone("A")))
    run = run_of(script, autoscaling=False, repair_hours=4)
    assert statuses(run.state_at(11_900))[0] == "d"
    assert statuses(run.state_at(12_000))[:2] == "ss"
    assert statuses(run.last) == "uuuuuu"


def test_the_reader_may_start_what_is_dead() -> None:
    run = run_of(((2_000, KillInstance("C1")), (2_500, Restart("C1"))), start_up_ms=500)
    assert statuses(run.state_at(2_500))[4] == "s"
    assert statuses(run.state_at(3_000))[4] == "u"
    alone = run.state_at(3_000).fleets[ALONE].instances[0]
    assert alone.status == UP


def test_calls_under_way_end_when_the_recommendations_die() -> None:
    run = run_of(((5_000, KillRecommendations()), (12_000, RestoreRecommendations())))
    at = run.history.index_at(5_000)
    before, event, after = run.history.change(at)
    assert isinstance(event, KillRecommendations)
    for old, new in zip(before.fleets, after.fleets, strict=True):
        calls = len(old.recommendations.busy)
        assert new.outcomes.fallback - old.outcomes.fallback == calls
        assert new.recommendations.busy == ()
    alone, fleet = fleets_of(run)
    assert alone.outcomes.failed == fleet.outcomes.failed == 0
    lost = fleet.outcomes.fallback_by_time
    assert lost.total(5_000, 12_000) > 100
    assert lost.total(13_000) == 0


def test_who_is_unknown_is_refused() -> None:
    with pytest.raises(ValueError, match=r"instance must be one of A1, A2, B1, .*, got 'Z9'"):
        run_of(((1, KillInstance("Z9")),))
    with pytest.raises(ValueError, match="zone must be one of A, got 'B'"):
        run_of(((1, KillZone("B")),), zones=1)
    with pytest.raises(ValueError, match="zone must be one of A, B, C, got 'AB'"):
        run_of(((1, RestoreZone("AB")),))


# --- The monkey -----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(1, 9))
def test_the_monkey_keeps_its_hours_or_does_not(seed: int) -> None:
    def hours(monkey: str) -> list[bool]:
        run = run_of((), 100_000, seed, monkey=monkey, rate_per_s=1, hours_between_kills=3)
        assert len(attacks(run)) == run.last.attacks
        return [within(clock(run.last, time_ms), MONKEY_HOURS) for time_ms in attacks(run)]

    assert all(hours("business"))
    always = hours("always")
    assert sum(always) < len(always)
    assert len(always) > len(hours("business")) > 0
    assert hours("off") == []


def test_kills_come_as_often_as_the_knob_says_and_a_third_hit_the_recommendations() -> None:
    kills, recommendations = 0, 0
    for seed in range(1, 13):
        run = run_of((), 120_000, seed, monkey="always", rate_per_s=1, hours_between_kills=4)
        for index in range(1, len(run.history)):
            before, event, after = run.history.change(index)
            if isinstance(event, Attack):
                kills += 1
                recommendations += before.recommend_up and not after.recommend_up
    assert kills == pytest.approx(12 * 30, rel=0.15)
    # Fewer than a third: while they are down, the monkey turns to the instances.
    assert 0.08 * kills <= recommendations <= kills / 3


def test_a_kill_by_day_costs_the_lone_machine_less_than_one_by_night() -> None:
    costs = {}
    for monkey, hours in (("business", 3), ("always", 12)):
        lost = kills = 0
        for seed in range(1, 9):
            run = pysims.run(
                "chaos_monkey",
                "business-hours",
                params={"monkey": monkey, "hours_between_kills": hours},
                seed=seed,
            )
            lost += failed(fleets_of(run)[ALONE])
            kills += run.last.attacks
        costs[monkey] = lost / kills
    assert costs["always"] > 2 * costs["business"]


def test_a_headroom_of_one_zone_is_what_saves() -> None:
    def lost(zones: int) -> float:
        run = pysims.run("chaos_monkey", "no-headroom", params={"zones": zones})
        return 1 - answered_share(fleets_of(run)[FLEET], True)

    assert lost(2) > 0.15
    assert lost(3) < 0.05


# --- Words and proofs -----------------------------------------------------------------------------


def test_the_stories_open_with_what_went_wrong() -> None:
    says = {}
    for story in SCENARIOS:
        run = pysims.run("chaos_monkey", story.id)
        index = run.history.index_at(story.show_ms)
        says[story.id] = PATTERN.describe(*run.history.change(index))
    assert says == {
        "single-instance": "Request 289 fails: no instance is left to send it to.",
        "redundant": "Request 187 fails: it is sent to A1, which does not answer.",
        "zone-down": "Health checks: no more requests to A1 and A2.",
        "no-headroom": "Request 425 fails: the queue of B2 is full.",
        "fallbacks": "Request 369 is answered with popular titles: the recommendations do not "
        "answer.",
        "around-the-clock": "Request 419 fails: no instance is left to send it to.",
        "business-hours": "Mon 13:43: Chaos Monkey kills B1, and 1 request with it.",
    }


def test_the_picture_says_who_was_served_just_now_and_which_design_does_well() -> None:
    run = pysims.run("chaos_monkey", "single-instance")
    before, during = (view(run.state_at(ms), ms) for ms in (5_000, 12_001))
    assert (before["users"]["failed"], during["users"]["served"]) == (0, 0)
    assert 15 <= before["users"]["served"] <= 60
    assert 15 <= during["users"]["failed"] <= 60
    good = [cell["good"] for row in during["table"] for cell in row["cells"]]
    assert good == [False, False, True, True]
    assert "to be repaired by Mon 22:00" in during["map"]["zones"][0]["instances"][0]["words"]


def test_capacity_is_told_as_it_is() -> None:
    run = pysims.run("chaos_monkey", "zone-down")
    texts = [
        view(run.state_at(time_ms), time_ms)["room"]["now_text"] for time_ms in (5_000, 15_000)
    ]
    assert texts == [
        "Capacity 60 of 60/s: enough, even without a zone",
        "Capacity 40 of 60/s: enough, even without zone A",
    ]
    tight = run_of((), 1_000, rate_per_s=50).last
    assert view(tight, 1_000)["room"]["now_text"].endswith("enough, but not without a zone")
    over = pysims.run("chaos_monkey", "no-headroom").state_at(15_000)
    assert view(over, 15_000)["room"]["now_text"].endswith("20 of 40/s: too little: requests fail")


@pytest.mark.parametrize(
    ("story", "params"),
    [
        ("single-instance", {"repair_hours": 20}),
        ("redundant", {"zones": 1, "per_zone": 2}),
        ("zone-down", {"rate_per_s": 50}),
        ("no-headroom", {"zones": 3}),
        ("fallbacks", {"zones": 1, "per_zone": 1, "autoscaling": False}),
        ("around-the-clock", {"monkey": "business"}),
        ("business-hours", {"monkey": "always"}),
    ],
)
def test_proofs_fail_where_the_design_is_another(story: str, params: dict[str, Any]) -> None:
    scenario = PATTERN.scenario(story)
    assert scenario.proof(pysims.run("chaos_monkey", story))
    assert not scenario.proof(pysims.run("chaos_monkey", story, params=params))


def test_nothing_grows_without_bound() -> None:
    run = run_of((), 400_000, rate_per_s=1, monkey="always")
    alone, fleet = fleets_of(run)
    for each in (alone, fleet):
        assert len(each.outcomes.good_by_time.counts) <= 240
        assert len(each.recommendations.busy) <= 12
    assert HOUR_MS * 400 == 400_000
