"""The stories of the chapter; each seed was chosen so that the run shows its sentence."""

from __future__ import annotations

from ...kernel import Run, Scenario
from .fleet import DEAD, UP, Fleet
from .model import (
    ALONE,
    FLEET,
    Attack,
    KillInstance,
    KillRecommendations,
    KillZone,
    RestoreZone,
    State,
    capacity_per_s,
    cells,
    clock,
)
from .office import DAY_MS, HOUR_MS, MONKEY_HOURS, within


def failed(fleet: Fleet, from_ms: int = 0, until_ms: int | None = None) -> int:
    """Requests that failed in a span, in whole seconds."""
    return fleet.outcomes.failed_by_time.total(from_ms, until_ms)


def answered(fleet: Fleet, from_ms: int, until_ms: int) -> int:
    """Requests that were answered in a span, with recommendations or without."""
    done = fleet.outcomes
    both = (done.good_by_time, done.fallback_by_time)
    return sum(series.total(from_ms, until_ms) for series in both)


def all_fail_until_it_is_back(run: Run[State]) -> bool:
    """From the kill to the restart nothing is answered, and before and after nothing fails."""
    alone = run.last.fleets[ALONE]
    return (
        failed(alone, 0, 6_000) == 0
        and failed(alone, 6_000, 16_000) >= 200
        and answered(alone, 7_000, 15_000) == 0
        and failed(alone, 17_000) == 0
        and answered(alone, 17_000, 30_000) >= 200
    )


def one_of_six_is_hardly_missed(run: Run[State]) -> bool:
    alone, fleet = run.last.fleets
    return (
        0 < failed(fleet) == failed(fleet, 6_000, 8_000)
        and failed(fleet) <= 0.015 * fleet.outcomes.total
        and failed(alone) >= 20 * failed(fleet)
    )


def two_zones_carry_the_load(run: Run[State]) -> bool:
    fleet = run.last.fleets[FLEET]
    in_between = run.state_at(15_000).fleets[FLEET]
    up = [each.zone for each in in_between.instances if each.status == UP]
    return (
        up == ["B", "B", "C", "C"]
        and 0 < failed(fleet) == failed(fleet, 6_000, 8_000)
        and answered(fleet, 8_000, 20_000) >= 250
        and all(each.status == UP for each in fleet.instances)
    )


def the_other_zone_is_overrun(run: Run[State]) -> bool:
    """Long after the load balancer noticed, the survivors turn away what exceeds their capacity."""
    fleet = run.last.fleets[FLEET]
    params = run.last.params
    left = capacity_per_s(2 * params.per_zone)
    share = failed(fleet, 10_000, 20_000) / (10 * params.rate_per_s)
    return params.rate_per_s > left and 0.25 <= share <= 0.45 and fleet.turned_away >= 80


def only_both_together_help(run: Run[State]) -> bool:
    (nothing, fallbacks), (redundancy, both) = cells(run.last)
    return (
        nothing < min(fallbacks, redundancy) and both >= 0.98 and max(fallbacks, redundancy) < 0.8
    )


def attacks(run: Run[State]) -> list[int]:
    """When the monkey killed (ms of the run)."""
    found = []
    for index in range(1, len(run.history)):
        before, event, after = run.history.change(index)
        if isinstance(event, Attack) and after.attacks > before.attacks:
            found.append(run.history.time_ms(index))
    return found


def dead(state: State, number: int) -> bool:
    """Whether an instance of a fleet is dead."""
    return any(each.status == DEAD for each in state.fleets[number].instances)


def by_day_and_repaired_by_night(run: Run[State]) -> bool:
    """Every kill is in the monkey's hours, and no night or weekend begins with anything dead."""
    state = run.last
    times = [clock(state, time_ms) for time_ms in attacks(run)]
    nights = [
        run.state_at(time_ms)
        for time_ms in range(14 * HOUR_MS, 120 * HOUR_MS, DAY_MS)  # 22:00 of each day
    ]
    return (
        len(times) >= 5
        and all(within(time_ms, MONKEY_HOURS) for time_ms in times)
        and all(night.recommend_up for night in nights)
        and not any(dead(night, number) for night in nights for number in (ALONE, FLEET))
        and cells(state)[FLEET][1] >= 0.99
    )


def the_weekend_is_lost(run: Run[State]) -> bool:
    """The machine is killed on Friday after 17:00 and is dead until Monday 9:00 at least."""
    state = run.last
    evening_ms, monday_ms = 33 * HOUR_MS, 97 * HOUR_MS
    killed_ms = [time_ms for time_ms in attacks(run) if evening_ms <= time_ms < evening_ms + 7_000]
    alone = state.fleets[ALONE]
    return (
        bool(killed_ms)
        and not dead(run.state_at(killed_ms[0] - 1), ALONE)
        and all(
            dead(run.state_at(time_ms), ALONE)
            for time_ms in range(killed_ms[0], monday_ms, HOUR_MS)
        )
        and answered(alone, killed_ms[0] + 1_000, monday_ms) == 0
        and failed(alone, killed_ms[0], monday_ms) >= 300
    )


KILL = ((6_000, KillInstance("A1")),)
WEEK = {"rate_per_s": 6, "first_day": "3", "repair_hours": 3}

SCENARIOS = (
    Scenario(
        id="single-instance",
        title="One machine: one kill is an outage",
        claim="When the only machine is killed, every request fails until it is back.",
        proof=all_fail_until_it_is_back,
        watch=(
            "The machine dies in the seventh second. Then switch Redundancy on: the same users "
            "and the same kill, and several machines."
        ),
        until_ms=30_000,
        show_ms=12_001,
        params={"redundancy": False, "fallbacks": False},
        script=KILL,
        front=("redundancy", "fallbacks"),
    ),
    Scenario(
        id="redundant",
        title="Six instances: one kill is hardly noticed",
        claim="One of six dies: what it held fails, and what it is sent until that is noticed.",
        proof=one_of_six_is_hardly_missed,
        watch=(
            "A1 is dead, but the load balancer does not know it yet and sends it a sixth of the "
            "requests. After two failed health checks it stops."
        ),
        until_ms=30_000,
        show_ms=7_504,
        params={"fallbacks": False},
        script=KILL,
        front=("redundancy", "unhealthy_threshold"),
    ),
    Scenario(
        id="zone-down",
        title="A whole zone fails, with room to spare",
        claim="Two zones of three carry the load alone: once it is noticed, no request fails.",
        proof=two_zones_carry_the_load,
        watch=(
            "The bar below the zones: what is left after the zone's death must still be more than "
            "the load. Raise the requests per second until it is not."
        ),
        until_ms=30_000,
        show_ms=8_000,
        script=((6_000, KillZone("A")), (20_000, RestoreZone("A"))),
        front=("rate_per_s", "zones"),
    ),
    Scenario(
        id="no-headroom",
        title="A whole zone fails, with too little room",
        claim="Two zones, each three quarters busy, cannot lose one: a third of the requests fail.",
        proof=the_other_zone_is_overrun,
        watch=(
            "Zone B lives, yet its queues are full and it turns users away. Add a third zone, or "
            "instances, and the same failure is harmless."
        ),
        until_ms=30_000,
        show_ms=14_132,
        seed=2,
        params={"zones": 2, "rate_per_s": 30},
        script=((6_000, KillZone("A")), (20_000, RestoreZone("A"))),
        front=("zones", "per_zone"),
    ),
    Scenario(
        id="fallbacks",
        title="The recommendations die, and so does an instance",
        claim="Redundancy alone or fallbacks alone leave users with errors; both together do not.",
        proof=only_both_together_help,
        watch=(
            "The table measures all four combinations on the same requests. The switches choose "
            "which of them the picture shows."
        ),
        until_ms=30_000,
        show_ms=14_566,
        params={"repair_hours": 12},
        script=((4_000, KillRecommendations()), (9_000, KillInstance("A1"))),
        front=("redundancy", "fallbacks"),
    ),
    Scenario(
        id="around-the-clock",
        title="A monkey that kills at night, and one machine",
        claim="Killed when nobody is there, the one machine stays dead for the whole weekend.",
        proof=the_weekend_is_lost,
        watch=(
            "It is Sunday. Nobody is in the office before Monday 9:00. Let the monkey kill in "
            "business hours only, and compare."
        ),
        until_ms=120_000,
        show_ms=76_347,
        seed=9,
        params={
            **WEEK,
            "monkey": "always",
            "hours_between_kills": 12,
            "redundancy": False,
            "fallbacks": False,
        },
        front=("monkey", "redundancy"),
    ),
    Scenario(
        id="business-hours",
        title="Chaos Monkey in business hours",
        claim="The monkey kills on workdays from 9:00 to 15:00; every death is repaired that day.",
        proof=by_day_and_repaired_by_night,
        watch=(
            "Shaded: nights and the weekend, when the monkey rests. Each death costs a few "
            "requests. A day takes 24 seconds."
        ),
        until_ms=120_000,
        show_ms=101_732,
        seed=21,
        params={**WEEK, "monkey": "business", "hours_between_kills": 3},
        front=("monkey", "redundancy"),
    ),
)
