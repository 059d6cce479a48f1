"""What many runs of the bulkheads answer, each run with a number."""

from __future__ import annotations

from typing import Any

from ...kernel import History, Question
from .model import PAYMENTS


def payments_lost(history: History[Any]) -> float | None:
    tally = history[-1].state.tallies[PAYMENTS]
    return 100 * (tally.settled - tally.done) / tally.settled if tally.settled else None


def spilled(history: History[Any]) -> float:
    return float(history[-1].state.spilled)


QUESTIONS = (
    Question(
        "payments-lost",
        "How many payments fail?",
        "%",
        payments_lost,
        "Of the payments that are over: those that found no room or waited too long, in the whole "
        "run.",
    ),
    Question(
        "spilled",
        "How many requests fail although what they need is healthy?",
        "requests",
        spilled,
        "Requests for a healthy dependency that failed in a pool in which the sick one held "
        "threads.",
    ),
)
