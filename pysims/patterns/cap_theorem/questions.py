"""What many runs of the replicated account answer, each run with a number."""

from __future__ import annotations

from typing import Any

from ...kernel import History, Question
from .account import Request
from .model import lost_dollars

ANSWERED = ("done", "declined")


def answers(history: History[Any]) -> list[Request]:
    return [each for each in history[-1].state.requests if each.status in ANSWERED]


def slowest(history: History[Any]) -> float | None:
    waits = [
        each.returned_ms - each.invoked_ms
        for each in answers(history)
        if each.returned_ms is not None
    ]
    return float(max(waits)) if waits else None


def answered(history: History[Any]) -> float | None:
    asked = len(history[-1].state.requests)
    return 100 * len(answers(history)) / asked if asked else None


def stale(history: History[Any]) -> float:
    return float(sum(bool(each.behind) for each in answers(history)))


def lost(history: History[Any]) -> float:
    return float(abs(lost_dollars(history[-1].state)))


QUESTIONS = (
    Question(
        "slowest",
        "How long does the slowest answer take?",
        "ms",
        slowest,
        "The longest time from a client's request to its answer, over the requests that got one.",
    ),
    Question(
        "answered",
        "How many requests are answered?",
        "%",
        answered,
        "The share of all requests that were carried out or declined for lack of money; the others "
        "were refused, or their outcome is unknown or open.",
        "more",
    ),
    Question(
        "stale",
        "How many answers are stale?",
        "answers",
        stale,
        "Answers that did not know of a change which another replica had already confirmed.",
    ),
    Question(
        "lost",
        "How much money is lost?",
        "$",
        lost,
        "What the confirmed changes add up to that the replicas have forgotten at the end.",
    ),
)
