"""What many runs of the gossip answer, each run with a number."""

from __future__ import annotations

from typing import Any

from ...kernel import History, Question
from .model import missing


def rounds(history: History[Any]) -> float | None:
    """The rounds from the newest write until all that are up knew it, if they did."""
    state = history[-1].state
    if not state.writes or state.reached_ms < 0:
        return None
    took_ms: int = state.reached_ms - state.writes[-1].at_ms
    interval_ms: int = state.params.interval_ms
    return took_ms / interval_ms


def residue(history: History[Any]) -> float | None:
    """The nodes that are up and do not know the newest write when the run ends."""
    state = history[-1].state
    return float(len(missing(state))) if state.writes else None


def messages(history: History[Any]) -> float | None:
    """Messages that carried the item, per node and write."""
    state = history[-1].state
    if not state.writes:
        return None
    updates: int = state.updates
    return updates / (len(state.replicas) * len(state.writes))


QUESTIONS = (
    Question(
        "rounds",
        "How many rounds until everybody knows?",
        "rounds",
        rounds,
        "The time from the newest write until all nodes that are up know it, in rounds.",
    ),
    Question(
        "residue",
        "How many never hear of it?",
        "nodes",
        residue,
        "Nodes that are up and do not know the newest write when the run ends.",
    ),
    Question(
        "messages",
        "How many messages does it take?",
        "messages",
        messages,
        "Messages that carried the item, for each node and each write, until the run ends.",
    ),
)
