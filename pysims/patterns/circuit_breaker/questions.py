"""What many runs of the circuit breaker answer, each run with a number."""

from __future__ import annotations

from typing import Any

from ...kernel import History, Question
from .model import OPEN


def without_live(history: History[Any]) -> float | None:
    tally = history[-1].state.tally
    ended = tally.live + tally.fallback + tally.error
    return 100 * (tally.fallback + tally.error) / ended if ended else None


def until_open(history: History[Any]) -> float | None:
    """From the first change for the worse to the breaker's first opening after it (ms)."""
    ill_ms = None
    for index, state in enumerate(history.states()):
        if ill_ms is None and len(state.healths) > 1:
            ill_ms = history.time_ms(index)
        if ill_ms is not None and state.changes[-1].state == OPEN:
            return float(history.time_ms(index) - ill_ms)
    return None


def failing_wait(history: History[Any]) -> float | None:
    tally = history[-1].state.tally
    return float(tally.failing_wait_ms) if tally.without_live else None


QUESTIONS = (
    Question(
        "until-open",
        "How long until the breaker opens?",
        "ms",
        until_open,
        "From the moment at which the service first became slow, faulty or dead to the breaker's "
        "first opening after it.",
    ),
    Question(
        "without-live",
        "How many users get no live answer?",
        "%",
        without_live,
        "The share of the users who left with the fallback or with an error.",
    ),
    Question(
        "failing-wait",
        "How long does a user wait in vain?",
        "ms",
        failing_wait,
        "The mean wait of the users who had a thread and got no live answer.",
    ),
)
