"""Chaos Monkey: instances and zones die, and redundancy and fallbacks decide who notices.

`office` is the clock of monkey and engineers, `fleet` the machines behind a load balancer, `model`
the run, `view` and `words` its picture, `scenarios` its stories.
"""

from __future__ import annotations

from ...kernel import Action, Invariant, Pattern
from .fleet import STARTING, UP, Fleet
from .model import (
    KillInstance,
    KillRecommendations,
    KillZone,
    Params,
    Restart,
    RestoreRecommendations,
    RestoreZone,
    State,
    alive_names,
    cells,
    clock,
    dead_names,
    in_progress,
    init,
    update,
    zones_lost,
    zones_up,
)
from .office import MONKEY_HOURS, within
from .questions import QUESTIONS
from .scenarios import SCENARIOS
from .view import alternative, describe, view

__all__ = [
    "PATTERN",
    "KillInstance",
    "KillRecommendations",
    "KillZone",
    "Params",
    "Restart",
    "RestoreRecommendations",
    "RestoreZone",
    "State",
    "cells",
]


def requests_add_up(state: State) -> bool:
    """Every request that arrived is answered, failed, or in progress, once."""
    return all(
        fleet.arrived == state.requests == fleet.outcomes.total + in_progress(fleet)
        for fleet in state.fleets
    )


def none_to_the_known_dead(state: State) -> bool:
    """No request came to an instance after the load balancer had taken it out."""
    return all(
        each.out_ms < 0 or all(job.arrived_ms <= each.out_ms for job in each.pool.jobs)
        for fleet in state.fleets
        for each in fleet.instances
    )


def the_dead_do_no_work(state: State) -> bool:
    """An instance that is not up holds no request, and none is up in a zone that is down."""

    def idle(fleet: Fleet) -> bool:
        return all(
            each.status == UP or not (each.pool.busy or each.pool.waiting)
            for each in fleet.instances
        )

    dark = [
        each
        for fleet in state.fleets
        for each in fleet.instances
        if each.zone in state.zones_down and each.status in (UP, STARTING)
    ]
    return all(map(idle, state.fleets)) and not dark


def monkey_keeps_hours(state: State) -> bool:
    """The monkey's last kill was on a workday from 9:00 to 15:00."""
    return state.attack_ms < 0 or within(clock(state, state.attack_ms), MONKEY_HOURS)


PATTERN = Pattern(
    id="chaos_monkey",
    title="Chaos Monkey",
    summary="Kill instances and zones; see what redundancy and fallbacks save.",
    source="Netflix Technology Blog, 2010 and 2011, "
    "https://netflixtechblog.com/the-netflix-simian-army-16e57fbab116",
    params=Params,
    init=init,
    update=update,
    view=view,
    describe=describe,
    alternative=alternative,
    actions=(
        Action(KillInstance, "Kill", available=lambda state: bool(alive_names(state))),
        Action(Restart, "Start", available=lambda state: bool(dead_names(state))),
        Action(KillZone, "Kill zone", available=lambda state: bool(zones_up(state))),
        Action(RestoreZone, "Restore zone", available=lambda state: bool(zones_lost(state))),
        Action(
            KillRecommendations,
            "Kill the recommendations",
            available=lambda state: state.recommend_up,
        ),
        Action(
            RestoreRecommendations,
            "Restore the recommendations",
            available=lambda state: not state.recommend_up,
        ),
    ),
    invariants=(
        Invariant(
            "Every request is accounted for",
            "In both designs each request is answered, has failed, or is in progress, once.",
            requests_add_up,
        ),
        Invariant(
            "None to the known dead",
            "The load balancer sends nothing to an instance that its health checks took out.",
            none_to_the_known_dead,
        ),
        Invariant(
            "The dead do no work",
            "An instance that is not up holds no request, and none is up in a zone that is down.",
            the_dead_do_no_work,
        ),
        Invariant(
            "The monkey keeps office hours",
            "In business hours means: on workdays from 9:00 to 15:00 (Chaos Monkey's defaults).",
            monkey_keeps_hours,
            lambda state: state.params.monkey == "business",
        ),
    ),
    scenarios=SCENARIOS,
    questions=QUESTIONS,
    # An office hour takes the reader a second, and a request half a second or less.
    playback_rate=1.0,
)
