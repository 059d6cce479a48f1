"""The load balancer, the office clock and the fleet as values."""

from __future__ import annotations

from calendar import day_abbr
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pysims.kernel import Job
from pysims.patterns.chaos_monkey.fleet import (
    DEAD,
    FAILED,
    STARTING,
    UP,
    Fleet,
    answered,
    checked,
    counted,
    fleet_of,
    holder_of,
    killed,
    next_instance,
    received,
)
from pysims.patterns.chaos_monkey.office import (
    DAY_MS,
    DAYS,
    ENGINEER_HOURS,
    HOUR_MS,
    MONKEY_HOURS,
    clock_text,
    office_ms,
    repaired_ms,
    weekday,
    within,
)


def with_states(fleet: Fleet, states: list[tuple[str, int]]) -> Fleet:
    """The fleet with the standing of each instance: its status, and when it was taken out."""
    instances = tuple(
        replace(each, status=status, out_ms=out_ms)
        for each, (status, out_ms) in zip(fleet.instances, states, strict=True)
    )
    return replace(fleet, instances=instances)


def sent(fleet: Fleet, count: int) -> tuple[Fleet, list[str]]:
    """The fleet after so many requests, each answered at once, and who got them."""
    names = []
    for number in range(count):
        before = fleet.outcomes.failed
        fleet, how = received(fleet, Job(number, 0), 0)
        names.append(fleet.last_sent if how or fleet.outcomes.failed > before else "")
        if how == "started":
            fleet, _ = answered(fleet, number, "good", 0)
    return fleet, names


@given(st.integers(1, 3), st.integers(1, 4), st.integers(1, 60))
def test_round_robin_is_fair(zones: int, per_zone: int, count: int) -> None:
    _, names = sent(fleet_of("fleet", zones, per_zone, 2), count)
    shares = [names.count(name) for name in dict.fromkeys(names)]
    assert max(shares) - min(shares) <= 1
    assert len(shares) == min(count, zones * per_zone)


STANDINGS = st.lists(
    st.tuples(st.sampled_from([UP, STARTING, DEAD]), st.sampled_from([-1, 5])),
    min_size=6,
    max_size=6,
)


@given(STANDINGS, st.integers(1, 30))
def test_only_those_in_rotation_get_requests_and_each_of_them_does(
    states: list[tuple[str, int]], count: int
) -> None:
    fleet = with_states(fleet_of("fleet", 3, 2, 2), states)
    routed = {each.name for each in fleet.instances if each.out_ms < 0}
    after, names = sent(fleet, count)
    if not routed:
        assert next_instance(fleet) is None
        assert after.nowhere == after.outcomes.failed == count
        return
    assert set(names) <= routed
    assert len(set(names)) == min(count, len(routed))
    up = {each.name for each in fleet.instances if each.status == UP}
    assert after.misses == sum(name not in up for name in names)


@given(st.lists(st.booleans(), min_size=1, max_size=12), st.integers(1, 5))
def test_an_instance_is_out_after_so_many_failed_checks_in_a_row(
    answers: list[bool], threshold: int
) -> None:
    fleet = fleet_of("fleet", 1, 1, 2)
    row, out = 0, False
    for number, answer in enumerate(answers):
        status = UP if answer else DEAD
        fleet = with_states(fleet, [(status, fleet.instances[0].out_ms)])
        fleet = checked(fleet, threshold, number)
        row = 0 if answer else row + 1
        out = not answer and (out or row >= threshold)
        assert (fleet.instances[0].out_ms >= 0) == out
        assert fleet.instances[0].bad_checks == min(row, threshold)


def test_checks_that_find_nothing_leave_the_fleet_as_it_is() -> None:
    fleet = fleet_of("fleet", 2, 2, 2)
    assert checked(fleet, 2, 7) is fleet


def test_who_dies_loses_what_it_held_and_nobody_else_does() -> None:
    fleet = fleet_of("fleet", 1, 2, 1)
    for number in range(6):
        fleet, _ = received(fleet, Job(number, 0), 0)
    first, second = fleet.instances
    assert [len(each.pool.busy) + len(each.pool.waiting) for each in (first, second)] == [3, 3]
    fleet = killed(fleet, ("A1", "none"), 10)
    assert fleet.outcomes.failed == 3
    assert fleet.instances[0].pool.busy == fleet.instances[0].pool.waiting == ()
    assert fleet.instances[1] == second
    assert killed(fleet, ("A1",), 11) is fleet
    assert holder_of(fleet, 0) is None
    assert answered(fleet, 0, "good", 12) == (fleet, None)


def test_a_full_queue_turns_away() -> None:
    fleet = fleet_of("fleet", 1, 1, 1)
    took = []
    for number in range(7):
        fleet, how = received(fleet, Job(number, 0), 0)
        took.append(how)
    assert took == ["started", *["queued"] * 4, "rejected", "rejected"]
    assert (fleet.turned_away, fleet.outcomes.failed) == (2, 2)
    assert len(fleet.instances[0].pool.waiting) == 4


def test_outcomes_are_counted_by_the_second() -> None:
    fleet = fleet_of("fleet", 1, 1, 1)
    fleet = counted(counted(fleet, FAILED, 900, 2), FAILED, 2_100)
    assert fleet.outcomes.failed_by_time.bins() == ((0, 2), (1_000, 0), (2_000, 1))
    assert counted(fleet, FAILED, 3_000, 0) is fleet
    assert fleet.outcomes.total == 3


# --- The office clock -----------------------------------------------------------------------------


def test_the_clock_begins_at_eight() -> None:
    assert clock_text(office_ms(0, 0)) == "Mon 08:00"
    assert clock_text(office_ms(0, 4)) == "Fri 08:00"
    assert clock_text(office_ms(90 * HOUR_MS + HOUR_MS // 2, 3)) == "Mon 02:30"


@pytest.mark.parametrize(
    ("day", "hour", "desk", "hunt"),
    [(0, 8, 0, 0), (0, 9, 1, 1), (4, 14, 1, 1), (4, 15, 1, 0), (4, 17, 0, 0), (5, 10, 0, 0)],
)
def test_who_is_at_work_when(day: int, hour: int, desk: int, hunt: int) -> None:
    time_ms = day * DAY_MS + hour * HOUR_MS
    assert within(time_ms, ENGINEER_HOURS) == bool(desk)
    assert within(time_ms, MONKEY_HOURS) == bool(hunt)
    assert within(time_ms + 7 * DAY_MS, MONKEY_HOURS) == bool(hunt)


@pytest.mark.parametrize(
    ("told", "done"),
    [
        ((0, 10), "Mon 13:00"),
        ((0, 16), "Mon 19:00"),
        ((0, 17), "Tue 12:00"),
        ((1, 3), "Tue 12:00"),
        ((4, 18), "Mon 12:00"),
        ((6, 23), "Mon 12:00"),
    ],
)
def test_an_engineer_takes_three_hours_but_not_at_night(told: tuple[int, int], done: str) -> None:
    time_ms = told[0] * DAY_MS + told[1] * HOUR_MS
    assert clock_text(repaired_ms(time_ms, 3 * HOUR_MS)) == done


@given(st.integers(0, 21 * DAY_MS), st.integers(1, 24))
def test_a_repair_begins_as_soon_as_somebody_is_in(told_ms: int, hours: int) -> None:
    begin_ms = repaired_ms(told_ms, hours * HOUR_MS) - hours * HOUR_MS
    assert begin_ms >= told_ms
    assert within(begin_ms, ENGINEER_HOURS)
    if begin_ms > told_ms:
        assert begin_ms % DAY_MS == ENGINEER_HOURS[0] * HOUR_MS
        assert not any(
            within(time_ms, ENGINEER_HOURS) for time_ms in range(told_ms, begin_ms, HOUR_MS // 2)
        )
    assert weekday(begin_ms) < 5


def test_the_days_are_those_of_the_calendar() -> None:
    assert list(day_abbr) == list(DAYS)
