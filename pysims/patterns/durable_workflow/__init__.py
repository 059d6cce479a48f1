"""A durable workflow: a trip that outlives the workers that run it.

`engine` is durable execution in one function, `trip` the workflow, `state` who takes part;
`service`, `worker` and `apps` are the nodes, `model` the run, `promises` what is checked, `view`
the picture, `words` its sentences, `scenarios` its stories.
"""

from __future__ import annotations

from ...kernel import Action, Invariant, Pattern
from .engine import Activity, Enter, Mismatch, Recorded, Replay, Sleep, Wait, replay
from .model import init, update
from .promises import (
    charged_once,
    charges,
    every_step_once,
    has_a_history,
    history_grows,
    on_the_map,
    recorded_first,
    same_commands,
    standing,
)
from .questions import QUESTIONS
from .scenarios import SCENARIOS
from .state import (
    Cancel,
    Deploy,
    Kill,
    Params,
    Request,
    Restart,
    State,
    Tap,
    books,
    taps,
    under_way,
    workers_down,
    workers_up,
)
from .trip import NEXT, STATES, code_of, trip
from .view import view
from .words import alternative, describe

__all__ = [
    "NEXT",
    "PATTERN",
    "STATES",
    "Activity",
    "Cancel",
    "Deploy",
    "Enter",
    "Kill",
    "Mismatch",
    "Params",
    "Recorded",
    "Replay",
    "Request",
    "Restart",
    "Sleep",
    "State",
    "Tap",
    "Wait",
    "books",
    "charges",
    "code_of",
    "replay",
    "standing",
    "trip",
]

PATTERN = Pattern(
    id="durable_workflow",
    title="Durable workflow",
    summary="A trip as a workflow: workers die, others replay its history and go on.",
    source="Burckhardt et al., OOPSLA 2021, https://doi.org/10.1145/3485510",
    params=Params,
    init=init,
    update=update,
    view=view,
    describe=describe,
    alternative=alternative,
    actions=(
        Action(Kill, "Kill", available=lambda state: bool(workers_up(state))),
        Action(Restart, "Restart", available=lambda state: bool(workers_down(state))),
        Action(Request, "Request a trip", available=lambda state: not under_way(state)),
        Action(Cancel, "Cancel the trip", available=under_way),
        Action(Tap, "Driver:", available=lambda state: bool(taps(state))),
        Action(Deploy, "Deploy code"),
    ),
    invariants=(
        Invariant(
            "The rider is charged once",
            "However many workers die, one trip takes money from the rider’s card once.",
            charged_once,
        ),
        Invariant(
            "No step takes effect twice",
            "A step may be asked for twice, but its idempotency key makes it take effect once.",
            every_step_once,
        ),
        Invariant(
            "The history only grows",
            "A recorded event is never changed or taken away.",
            history_grows,
            has_a_history,
        ),
        Invariant(
            "Replay comes to the same commands",
            "The code that wrote the history, run from its first line, yields what is recorded.",
            same_commands,
            has_a_history,
        ),
        Invariant(
            "Recorded before done",
            "Nothing is done that the history does not ask for, so code that disagrees with it is "
            "caught before it has an effect.",
            recorded_first,
            has_a_history,
        ),
        Invariant(
            "The trip stays on the map",
            "It goes from state to state only on the ways of the table.",
            on_the_map,
        ),
    ),
    scenarios=SCENARIOS,
    questions=QUESTIONS,
    playback_rate=0.075,
    frame_ms=60,
)
