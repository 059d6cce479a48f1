"""What many runs of the workflow of a trip answer, each run with a number."""

from __future__ import annotations

from typing import Any

from ...kernel import History, Question
from .promises import charges
from .state import OPEN


def trip(history: History[Any]) -> float | None:
    state = history[-1].state
    done = state.trip and state.ended_ms != OPEN
    return float(state.ended_ms - state.begun_ms) if done else None


def late(history: History[Any]) -> float | None:
    calls = history[-1].state.calls
    return calls.late_ms / calls.news if calls.news else None


def overcharged(history: History[Any]) -> float:
    paid = [row.argument for row in charges(history[-1].state)]
    return (sum(paid) - max(paid, default=0)) / 100


QUESTIONS = (
    Question(
        "trip",
        "How long does the trip take?",
        "ms",
        trip,
        "From the rider's request to the end of the workflow; no answer if it has not ended.",
    ),
    Question(
        "late",
        "How late does the rider hear?",
        "ms",
        late,
        "The mean time from a change of the trip to the moment when the rider's app knows of it.",
    ),
    Question(
        "overcharged",
        "How much is the rider charged too much?",
        "$",
        overcharged,
        "The sum of all charges for the trip less the largest of them, at the end of the run.",
    ),
)
