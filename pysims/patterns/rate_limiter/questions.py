"""What many runs of the six limiters answer, each run with a number."""

from __future__ import annotations

from typing import Any

from ...kernel import History, Question

TOKEN, FIXED = 0, 2


def peak(history: History[Any], limiter: int) -> float | None:
    state = history[-1].state
    return 100 * state.peak[limiter] / state.params.burst if state.asked else None


def peak_of_the_window(history: History[Any]) -> float | None:
    return peak(history, FIXED)


def peak_of_the_bucket(history: History[Any]) -> float | None:
    return peak(history, TOKEN)


QUESTIONS = (
    Question(
        "window-peak",
        "How much does the fixed window let through at most?",
        "% of the limit",
        peak_of_the_window,
        "The most requests that the fixed window let through in any time as long as a window. "
        "Nothing is random here: every seed gives the same.",
    ),
    Question(
        "bucket-peak",
        "How much does the token bucket let through at most?",
        "% of the limit",
        peak_of_the_bucket,
        "The most requests that the token bucket let through in any time as long as a window. "
        "Nothing is random here: every seed gives the same.",
    ),
)
