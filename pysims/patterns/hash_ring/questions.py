"""What many runs of the placement of keys answer, each run with a number."""

from __future__ import annotations

from typing import Any

from ...kernel import History, Question
from .model import copies_of, load_spread, owned


def spread(history: History[Any]) -> float:
    return 100 * load_spread(history[-1].state)


def moved(history: History[Any]) -> float | None:
    """Copies moved since the start, in percent of all copies; `None` while nothing changed."""
    state = history[-1].state
    whole = copies_of(state.params, state.servers) * state.params.keys
    return 100 * state.moved_total / whole if state.changed else None


def fullest(history: History[Any]) -> float:
    state = history[-1].state
    load = owned(state)
    return max(load.values()) * len(load) / sum(load.values())


QUESTIONS = (
    Question(
        "spread",
        "How uneven is the load?",
        "%",
        spread,
        "The standard deviation of the servers' loads for each unit of weight, in percent of their "
        "mean, at the end of the run.",
    ),
    Question(
        "fullest",
        "How full is the fullest server?",
        "× the mean",
        fullest,
        "The load of the server that holds the most, over the mean load of all servers.",
    ),
    Question(
        "moved",
        "How much moves?",
        "%",
        moved,
        "What all changes of the run have moved from one server to another, in percent of all that "
        "is stored; no answer if no server came or went.",
    ),
)
