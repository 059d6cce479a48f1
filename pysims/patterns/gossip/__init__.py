"""Gossip: replicas that tell a few others, at random, what they know, until everybody knows it.

`model` is the run, `promises` its invariants and when they hold, `view` its picture, `words` its
sentences, `scenarios` its stories.
"""

from __future__ import annotations

from ...kernel import Action, Invariant, Pattern
from .model import (
    Crash,
    Cut,
    Delete,
    Heal,
    Params,
    Restart,
    State,
    Write,
    agree,
    init,
    knowing,
    missing,
    names_up,
    names_with_item,
    sides,
    update,
    value_of,
)
from .promises import calm, lasting, nobody_goes_back, nobody_makes_it_up, patience_rounds
from .questions import QUESTIONS
from .scenarios import SCENARIOS
from .view import view
from .words import alternative, describe

__all__ = [
    "PATTERN",
    "Crash",
    "Cut",
    "Delete",
    "Heal",
    "Params",
    "Restart",
    "State",
    "Write",
    "agree",
    "knowing",
    "missing",
    "patience_rounds",
    "sides",
    "value_of",
]


PATTERN = Pattern(
    id="gossip",
    title="Gossip",
    summary="Replicas tell a few others at random: how fast all know, and what may come back.",
    source="Demers et al., PODC 1987, https://doi.org/10.1145/41840.41841",
    params=Params,
    init=init,
    update=update,
    view=view,
    describe=describe,
    alternative=alternative,
    actions=(
        Action(Write, "Write at", available=lambda state: bool(names_up(state))),
        Action(Delete, "Delete at", available=lambda state: bool(names_with_item(state))),
        Action(Crash, "Crash", available=lambda state: bool(names_up(state))),
        Action(Restart, "Restart", available=lambda state: bool(state.network.down)),
        Action(Cut, "Cut off the first"),
        Action(Heal, "Heal", available=lambda state: bool(state.network.groups)),
    ),
    invariants=(
        Invariant(
            "Nobody makes a value up",
            "Whatever a node has, a client wrote it.",
            nobody_makes_it_up,
        ),
        Invariant(
            "No node goes back",
            "A node never holds an older version than one that it had before; so what "
            "it knew to be deleted stays deleted.",
            nobody_goes_back,
        ),
        Invariant(
            "A write beats what it replaces",
            "A write has a later timestamp than the version that its writer had before.",
            lasting,
        ),
        Invariant(
            "After the calm, all agree",
            "When nothing was written and nothing failed or came back for long enough, clients "
            "read the same at all nodes that hear each other.",
            agree,
            calm,
        ),
    ),
    scenarios=SCENARIOS,
    questions=QUESTIONS,
    playback_rate=0.25,
    frame_ms=60,
)
