"""Saga: an order in four databases, undone by compensations, coordinated in two ways.

Read `state` first, then `services`; `orchestration` and `choreography` are the two coordinations
of the same saga, `auditor` is who reads in between, `safety` what a saga promises, `measure` what
can be read off it; `view` is the picture, `words` its sentences, `scenarios` its stories.
"""

from __future__ import annotations

from ...kernel import Action, Invariant, Pattern
from . import safety
from .choreography import CHAIN_MAX, Subscription, cycle_in, subscriptions
from .measure import at_stake_cents, known_by, knows_all, messages_without_faults
from .model import init, update
from .questions import QUESTIONS
from .scenarios import SCENARIOS
from .state import (
    AUDITOR,
    CHOREOGRAPHY,
    ORCHESTRATION,
    ORCHESTRATOR,
    SAGA,
    Crash,
    Inspect,
    Params,
    Participant,
    Place,
    Record,
    Restart,
    State,
    names_up,
)
from .view import view
from .words import alternative, describe

__all__ = [
    "AUDITOR",
    "CHAIN_MAX",
    "CHOREOGRAPHY",
    "ORCHESTRATION",
    "ORCHESTRATOR",
    "PATTERN",
    "SAGA",
    "Crash",
    "Inspect",
    "Params",
    "Participant",
    "Place",
    "Record",
    "Restart",
    "State",
    "Subscription",
    "at_stake_cents",
    "cycle_in",
    "known_by",
    "knows_all",
    "messages_without_faults",
    "subscriptions",
]


def light(name: str, why: str, locked: bool = False) -> Invariant:
    """A property that `safety` watches; one about the lock is promised only where there is one."""

    def holds(state: State) -> bool:
        return name not in state.fallen

    def promised(state: State) -> bool:
        return state.params.semantic_lock or not locked

    return Invariant(name, why, holds, promised)


PATTERN = Pattern(
    id="saga",
    title="Saga",
    summary="Four services commit one after the other; when one fails, the others undo.",
    source="Garcia-Molina and Salem, ACM SIGMOD 1987, https://doi.org/10.1145/38713.38742",
    params=Params,
    init=init,
    update=update,
    view=view,
    describe=describe,
    alternative=alternative,
    actions=(
        Action(Place, "Place an order"),
        Action(
            Inspect,
            "Let the auditor look",
            hint="He asks all four services about the newest order.",
            available=lambda state: bool(state.orders),
        ),
        Action(Crash, "Crash", available=lambda state: bool(names_up(state))),
        Action(Restart, "Restart", available=lambda state: bool(state.network.down)),
    ),
    invariants=(
        light(safety.WHOLE, "At the end all steps are in effect, or none is."),
        light(safety.ONCE, "What is asked for twice is done once: that is what the keys are for."),
        light(safety.REVERSE, "The newest step that stands is undone first."),
        light(safety.FORWARD, "After the pivot every step is tried until it works."),
        light(safety.ADDS_UP, "Stock and reservations add up, and so do charges and refunds."),
        light(
            safety.ISOLATED,
            "A PENDING order is not read; only a semantic lock promises that.",
            locked=True,
        ),
    ),
    scenarios=SCENARIOS,
    questions=QUESTIONS,
    playback_rate=0.013,
    frame_ms=60,
)
