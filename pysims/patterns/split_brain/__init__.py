"""Split brain: a cut cluster that elects by silence has two leaders, one that votes has one.

`cluster` is what both share, `hear_nobody` and `quorum` are the two elections, `model` the run,
`view` its picture, `words` its sentences, `scenarios` its stories.
"""

from __future__ import annotations

from ...kernel import Action, Invariant, Pattern
from .cluster import (
    Book,
    Crash,
    Cut,
    Heal,
    Params,
    Restart,
    State,
    accepting,
    acknowledged,
    leaders,
    lost,
    names_up,
    sides,
    sold_twice,
)
from .model import init, update
from .questions import QUESTIONS
from .scenarios import SCENARIOS
from .view import view
from .words import alternative, describe

__all__ = [
    "PATTERN",
    "Book",
    "Crash",
    "Cut",
    "Heal",
    "Params",
    "Restart",
    "State",
    "accepting",
    "acknowledged",
    "leaders",
    "lost",
    "sides",
    "sold_twice",
]


def one_leader_per_term(state: State) -> bool:
    """No two nodes ever called themselves the leader in the same term."""
    terms = [reign.term for reign in state.reigns]
    return len(set(terms)) == len(terms)


def has_terms(state: State) -> bool:
    """Only an election with ballots counts its terms."""
    return state.params.election == "quorum"


def one_accepts(state: State) -> bool:
    """At most one node accepts bookings."""
    return len(accepting(state)) <= 1


def nothing_lost(state: State) -> bool:
    """Every booking that was acknowledged is in the ledger of some node."""
    return not lost(state)


PATTERN = Pattern(
    id="split_brain",
    title="Split brain",
    summary="A network is cut: how many nodes believe that they lead, and what that costs.",
    source="Ongaro and Ousterhout, USENIX ATC 2014, https://www.usenix.org/conference/atc14/technical-sessions/presentation/ongaro",
    params=Params,
    init=init,
    update=update,
    view=view,
    describe=describe,
    alternative=alternative,
    actions=(
        Action(Cut, "Cut"),
        Action(Heal, "Heal", available=lambda state: bool(state.network.groups)),
        Action(Crash, "Crash", available=lambda state: bool(names_up(state))),
        Action(Restart, "Restart", available=lambda state: bool(state.network.down)),
        Action(Book, "Book at"),
    ),
    invariants=(
        Invariant(
            "At most one leader per term",
            "Two majorities of one cluster share a node, and a node votes once in a term.",
            one_leader_per_term,
            has_terms,
        ),
        Invariant(
            "No two leaders accept writes at the same time",
            "A leader accepts bookings only while a majority has answered it not long ago.",
            one_accepts,
        ),
        Invariant(
            "No acknowledged write is lost",
            "A customer who was told that a seat is his keeps it: some node still knows of it.",
            nothing_lost,
        ),
    ),
    scenarios=SCENARIOS,
    questions=QUESTIONS,
    playback_rate=0.07,
    frame_ms=60,
)
