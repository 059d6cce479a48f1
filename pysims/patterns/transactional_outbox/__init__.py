"""The transactional outbox: how an order and the event about it become one write.

`parts` is what the run consists of, `model` the run, `view` its picture, `words` its sentences,
`scenarios` its stories.
"""

from __future__ import annotations

from ...kernel import Action, Invariant, Pattern
from .model import init, update
from .parts import (
    OUTBOX,
    Crash,
    Params,
    PlaceOrder,
    Restart,
    State,
    forgotten,
    in_order,
    log,
    names_up,
    phantoms,
    status,
    twice,
    wrong,
)
from .questions import QUESTIONS
from .scenarios import NO_PHANTOM, NOT_FORGOTTEN, ONE_LABEL, SCENARIOS
from .view import view
from .words import alternative, describe

__all__ = [
    "PATTERN",
    "Crash",
    "Params",
    "PlaceOrder",
    "Restart",
    "State",
    "forgotten",
    "in_order",
    "log",
    "phantoms",
    "status",
    "twice",
    "wrong",
]


def nothing_forgotten(state: State) -> bool:
    """The event of every committed order is in the log, or somebody still has to publish it."""
    return not forgotten(state)


def no_phantom(state: State) -> bool:
    """Every event in the log is about an order that exists, or whose transaction is open."""
    return not phantoms(state)


def one_label(state: State) -> bool:
    """No order has two labels."""
    return not twice(state)


def has_outbox(state: State) -> bool:
    """Only an outbox says in which order events must come."""
    return state.params.publish == OUTBOX


PATTERN = Pattern(
    id="transactional_outbox",
    title="Transactional outbox",
    summary="A database and a broker: how to write to both, or to neither, when anybody may crash.",
    source="Richardson, Transactional outbox, https://microservices.io/patterns/data/transactional-outbox.html",
    params=Params,
    init=init,
    update=update,
    view=view,
    describe=describe,
    alternative=alternative,
    actions=(
        Action(PlaceOrder, "Place an order"),
        Action(Crash, "Crash", available=lambda state: bool(names_up(state))),
        Action(Restart, "Restart", available=lambda state: bool(state.network.down)),
    ),
    invariants=(
        Invariant(
            NOT_FORGOTTEN,
            "The event of a committed order is in the log, or somebody still has to publish it.",
            nothing_forgotten,
        ),
        Invariant(
            NO_PHANTOM,
            "An event in the log is about an order that is committed or can still be.",
            no_phantom,
        ),
        Invariant(
            ONE_LABEL,
            "However often an event comes, its order is shipped once.",
            one_label,
        ),
        Invariant(
            "Events keep the order of the commits",
            "The relay publishes one event at a time, and the oldest first.",
            in_order,
            has_outbox,
        ),
    ),
    scenarios=SCENARIOS,
    questions=QUESTIONS,
    playback_rate=0.012,
    frame_ms=60,
)
