"""Availability: what each nine allows, what series and parallel make of it, and a shared cause.

`arithmetic` holds the formulas, `model` the run that measures the same thing, `measure` its
confidence interval, `view` and `words` the picture, `scenarios` the stories.
"""

from __future__ import annotations

from ...kernel import Action, Invariant, Pattern
from .arithmetic import (
    YEAR_MS,
    downtime_ms,
    k_of_n,
    nines,
    own_part,
    shared_part,
    with_shared_cause,
)
from .model import (
    Change,
    Fail,
    FailAll,
    Params,
    Repair,
    State,
    YearEnds,
    broken_names,
    init,
    needed_of,
    update,
    works,
)
from .questions import QUESTIONS
from .scenarios import SCENARIOS
from .view import alternative, describe, view

__all__ = [
    "PATTERN",
    "Change",
    "Fail",
    "FailAll",
    "Params",
    "Repair",
    "State",
    "YearEnds",
    "downtime_ms",
    "k_of_n",
    "nines",
    "own_part",
    "shared_part",
    "with_shared_cause",
]


def up_if_enough_work(state: State) -> bool:
    """The service is up exactly when as many components work as it needs."""
    return state.service.up == works(state)


def downtime_adds_up(state: State) -> bool:
    """The years' downtimes make the service's whole downtime, and no lane was down too long."""
    lanes = (*state.components, state.shared, state.service)
    counts = all(0 <= lane.down_ms <= state.counted_ms for lane in lanes)
    # Years that are no longer kept are in the whole only.
    kept = state.years.total()
    same = kept == state.service.down_ms if state.years.first == 0 else True
    return counts and same and kept <= state.service.down_ms


def no_worse_than_the_best(state: State) -> bool:
    """The service was down no longer than its best component and the shared cause together."""
    best_ms = min(lane.down_ms for lane in state.components)
    return state.service.down_ms <= best_ms + state.shared.down_ms


def no_better_than_the_worst(state: State) -> bool:
    """The service was down at least as long as its worst component."""
    return state.service.down_ms >= max(lane.down_ms for lane in state.components)


PATTERN = Pattern(
    id="availability",
    title="Availability",
    summary="Nines as downtime, parts in series and in parallel, and a cause that they share.",
    source="Barlow and Proschan, Statistical Theory of Reliability and Life Testing, 1975",
    params=Params,
    init=init,
    update=update,
    view=view,
    describe=describe,
    alternative=alternative,
    actions=(
        Action(Fail, "Break"),
        Action(FailAll, "Break all at once", available=lambda state: state.shared.up),
        Action(Repair, "Repair", available=lambda state: bool(broken_names(state))),
    ),
    invariants=(
        Invariant(
            "Up if enough work",
            "The service is up exactly when as many components work as it needs.",
            up_if_enough_work,
        ),
        Invariant(
            "Downtime adds up",
            "The downtimes of the years sum to that of the service, and none exceeds the time.",
            downtime_adds_up,
        ),
        Invariant(
            "Parallel: no worse than the best",
            "Where one is enough, the service is down no longer than its best component and the "
            "shared cause together.",
            no_worse_than_the_best,
            lambda state: needed_of(state.params) == 1,
        ),
        Invariant(
            "Series: no better than the worst",
            "Where all must work, the service is down at least as long as its worst component.",
            no_better_than_the_worst,
            lambda state: needed_of(state.params) == state.params.components,
        ),
    ),
    scenarios=SCENARIOS,
    questions=QUESTIONS,
    # A year takes the reader four seconds.
    playback_rate=YEAR_MS / 4_000,
)
