"""What many runs of a service with parts that fail answer, each run with a number."""

from __future__ import annotations

from typing import Any

from ...kernel import History, Question
from .arithmetic import HOUR_MS, YEAR_MS, downtime_ms
from .measure import whole_years
from .model import measured, promised


def available(history: History[Any]) -> float | None:
    state = history[-1].state
    return 100 * measured(state) if state.counted_ms else None


def longest_outage(history: History[Any]) -> float | None:
    state = history[-1].state
    return state.longest_ms / HOUR_MS if state.longest_ms else None


def broken_years(history: History[Any]) -> float | None:
    state = history[-1].state
    lost = whole_years(state)
    budget_ms = downtime_ms(promised(state.params), YEAR_MS)
    return 100 * sum(each > budget_ms for each in lost) / len(lost) if lost else None


QUESTIONS = (
    Question(
        "availability",
        "How available is the service?",
        "%",
        available,
        "The share of the time up to the last event in which the service is up.",
        "more",
    ),
    Question(
        "longest-outage",
        "How long is the longest outage?",
        "h",
        longest_outage,
        "The longest outage of the service that is over at the end of the run, in hours.",
    ),
    Question(
        "broken-years",
        "In how many years is the promise broken?",
        "%",
        broken_years,
        "The share of the whole years with more downtime than the promise allows in a year.",
    ),
)
