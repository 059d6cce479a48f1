"""What many runs of a fleet under attack answer, each run with a number."""

from __future__ import annotations

from typing import Any

from ...kernel import History, Question
from .model import answered_share, shown


def available(history: History[Any]) -> float | None:
    state = history[-1].state
    fleet = shown(state)
    if not fleet.outcomes.total:
        return None
    return 100 * answered_share(fleet, state.params.fallbacks)


def failed(history: History[Any]) -> float:
    state = history[-1].state
    done = shown(state).outcomes
    return float(done.failed + (0 if state.params.fallbacks else done.fallback))


QUESTIONS = (
    Question(
        "availability",
        "How available is the service?",
        "%",
        available,
        "The share of the requests that were answered, of those that ended; popular titles count "
        "as an answer where fallbacks are on.",
        "more",
    ),
    Question(
        "failed",
        "How many requests fail?",
        "requests",
        failed,
        "Requests that ended with an error in the design on show.",
    ),
)
