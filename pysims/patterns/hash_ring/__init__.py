"""Consistent hashing: which keys move when a server comes or goes, under five strategies.

`hashing` is the library (a ring, rendezvous, jump, bounded loads), free of any simulation;
`model` is the run, `view` its picture, `scenarios` its stories.
"""

from __future__ import annotations

from ...kernel import Action, Invariant, Pattern
from .hashing import (
    HashRing,
    bounded_load_assign,
    jump_lookup,
    key_hash,
    modulo_lookup,
    moved_share,
    rendezvous_lookup,
)
from .model import (
    NAMES,
    AddServer,
    Lookup,
    Params,
    RemoveServer,
    SetWeight,
    State,
    capacity_of,
    copies_of,
    init,
    owned,
    server_names,
    update,
)
from .questions import QUESTIONS
from .scenarios import SCENARIOS
from .view import alternative, describe, view

__all__ = [
    "PATTERN",
    "AddServer",
    "HashRing",
    "Lookup",
    "Params",
    "RemoveServer",
    "SetWeight",
    "State",
    "bounded_load_assign",
    "jump_lookup",
    "key_hash",
    "modulo_lookup",
    "moved_share",
    "rendezvous_lookup",
]


def every_key_has_its_copies(state: State) -> bool:
    """Every key is on as many distinct servers as it should be, and they are all up."""
    copies = copies_of(state.params, state.servers)
    up = set(server_names(state))
    return all(len(set(names)) == copies and up.issuperset(names) for names in state.placement)


def moves_are_needed(state: State) -> bool:
    """No change moved a key needlessly."""
    return state.needless_total == 0


def promises_monotony(state: State) -> bool:
    """With one copy of each key, a ring and rendezvous move only the changed server's keys."""
    one = copies_of(state.params, state.servers) == 1
    return one and state.params.strategy in ("ring", "rendezvous")


def below_the_cap(state: State) -> bool:
    """No server owns more than ⌈(1+ε) · mean⌉ keys."""
    return max(owned(state).values()) <= capacity_of(state.params, state.servers)


def promises_a_cap(state: State) -> bool:
    return state.params.strategy == "bounded"


PATTERN = Pattern(
    id="hash_ring",
    title="Consistent hashing",
    summary="Keys on servers, and which of them move when a server comes or goes.",
    source="Karger et al., STOC 1997, https://doi.org/10.1145/258533.258660",
    params=Params,
    init=init,
    update=update,
    view=view,
    describe=describe,
    alternative=alternative,
    actions=(
        Action(RemoveServer, "Remove", available=lambda state: len(state.servers) > 1),
        Action(AddServer, "Add a server", available=lambda state: len(state.servers) < len(NAMES)),
        Action(SetWeight, "Set weight"),
        Action(Lookup, "Look up"),
    ),
    invariants=(
        Invariant(
            "Every key is held",
            "Each key is on as many distinct servers as it has copies, and all of them are up.",
            every_key_has_its_copies,
        ),
        Invariant(
            "Monotone",
            "A ring or rendezvous with one copy moves keys only to or from the server that changed "
            "(Karger et al., 1997).",
            moves_are_needed,
            promises_monotony,
        ),
        Invariant(
            "Below the cap",
            "Bounded loads keep every server at or below ⌈(1+ε) × mean⌉.",
            below_the_cap,
            promises_a_cap,
        ),
    ),
    scenarios=SCENARIOS,
    questions=QUESTIONS,
)
