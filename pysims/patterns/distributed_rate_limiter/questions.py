"""What many runs of rate limiting on many servers answer, each run with a number."""

from __future__ import annotations

from typing import Any

from ...kernel import History, Question
from .state import ASKING, chosen, tally_of


def over(history: History[Any]) -> float:
    return float(tally_of(history[-1].state).over)


def wrong(history: History[Any]) -> float:
    return float(tally_of(history[-1].state).wrong)


def wait(history: History[Any]) -> float | None:
    state = history[-1].state
    asks = chosen(state) in ASKING and state.waits.number
    return float(state.waits.within_ms(0.99)) if asks else None


QUESTIONS = (
    Question(
        "over",
        "How many requests get through beyond the limit?",
        "requests",
        over,
        "Requests let through beyond the limit of their window by the strategy on show, over the "
        "whole run.",
    ),
    Question(
        "wrong",
        "How many requests are refused wrongly?",
        "requests",
        wrong,
        "Requests that the strategy on show refused although the limit of their window was not "
        "used up.",
    ),
    Question(
        "wait",
        "How long do requests wait for the store?",
        "ms",
        wait,
        "The time within which 99 of 100 requests had the store's answer; no answer for strategies "
        "that ask no store.",
    ),
)
