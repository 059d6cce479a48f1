"""What many runs of two-phase commit answer, each run with a number."""

from __future__ import annotations

from typing import Any

from ...kernel import History, Question
from ...order_book import COMPLETED


def hold(history: History[Any]) -> float | None:
    holds = history[-1].state.holds
    return holds.total_ms / holds.count if holds.count else None


def wait(history: History[Any]) -> float | None:
    state = history[-1].state
    return float(state.waits.longest_ms) if state.placed else None


def completed(history: History[Any]) -> float | None:
    outcomes = [placed.outcome for placed in history[-1].state.placed]
    return 100 * outcomes.count(COMPLETED) / len(outcomes) if outcomes else None


QUESTIONS = (
    Question(
        "hold",
        "How long does an order hold its locks?",
        "ms",
        hold,
        "The mean time from taking a lock to giving it back, over the locks that were given back; "
        "no answer if none was.",
    ),
    Question(
        "wait",
        "How long does an order wait for a lock?",
        "ms",
        wait,
        "The longest wait that is over when the run ends; 0 if nobody had to wait.",
    ),
    Question(
        "completed",
        "How many orders are completed?",
        "%",
        completed,
        "The share of all orders that were completed by the end of the run.",
        "more",
    ),
)
