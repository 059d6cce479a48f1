"""What gossip promises, as functions of a state, and from when on."""

from __future__ import annotations

from math import ceil, log, log2

from ...kernel import is_up
from .model import State, Written, agree, sides

__all__ = ["agree", "calm", "lasting", "nobody_goes_back", "nobody_makes_it_up", "patience_rounds"]

# Chance keeps somebody waiting for longer than is promised in one of e²⁰ (485 million) cases.
CERTAINTY = 20


def nobody_makes_it_up(state: State) -> bool:
    """Whatever a node holds, a client wrote or deleted."""
    return all(
        replica.entry is None or replica.entry == state.writes[replica.entry.number].entry
        for replica in state.replicas
    )


def nobody_goes_back(state: State) -> bool:
    """No node holds an older version than one that it had before."""
    return all(
        replica.entry is None or replica.entry.stamp >= replica.highest
        for replica in state.replicas
    )


def lasts(write: Written) -> bool:
    """Whether a write has a later timestamp than what its writer saw when it wrote."""
    return write.entry.stamp > write.seen


def lasting(state: State) -> bool:
    """Every write is later, by its timestamp, than what it replaces."""
    return all(map(lasts, state.writes))


def patience_rounds(state: State) -> int:
    """After how many calm rounds all that hear each other agree, but for a chance of e⁻²⁰.

    The spread takes about log₂ n + ln n rounds (Pittel 1987) if no contact fails; then a node that
    is still without waits for one contact to succeed, which it does with a fixed probability: its
    question and the answer must get through, and whoever it picks must be up and on its side.
    """
    nodes, params = len(state.network.nodes), state.params
    up = [[name for name in side if is_up(state.network, name)] for side in sides(state)]
    reached = min((len(side) - 1 for side in up if len(side) > 1), default=nodes - 1)
    success = (1 - params.loss) ** 2 * reached / (nodes - 1)
    rounds = (log2(nodes) + log(nodes) + CERTAINTY) / success
    # Where rumors have a backup, only every so many-th round counts for certain.
    behind = params.backup_rounds if params.strategy == "rumor" else 0
    return ceil(rounds * max(1, behind))


def calm(state: State) -> bool:
    """Whether nothing was written yet, or nothing was, or failed, or came back, for long enough."""
    return not state.writes or state.calm_rounds >= patience_rounds(state)
