"""What many runs of the outbox answer, each run with a number."""

from __future__ import annotations

from typing import Any

from ...kernel import History, Question
from .parts import wrong


def at_stake(history: History[Any]) -> float:
    return sum(abs(finding.cents) for finding in wrong(history[-1].state)) / 100


def until_label(history: History[Any]) -> float | None:
    """The longest time (ms) from an order's commit to its first label."""
    committed: dict[int, int] = {}
    took: dict[int, int] = {}
    for index, state in enumerate(history.states()):
        now_ms = history.time_ms(index)
        for row in state.service.database.rows:
            committed.setdefault(row.order, now_ms)
        for row in state.consumer.database.rows:
            if row.order in committed:
                took.setdefault(row.order, now_ms - committed[row.order])
    return float(max(took.values())) if took else None


def repeated(history: History[Any]) -> float:
    log = history[-1].state.broker.log
    return float(len(log) - len(set(log)))


QUESTIONS = (
    Question(
        "until-label",
        "How long does an order wait for its label?",
        "ms",
        until_label,
        "From the commit of an order to its label, or 0 where the label came first; of several "
        "orders the longest. No answer without a committed order that has a label.",
    ),
    Question(
        "at-stake",
        "How much money is at stake?",
        "$",
        at_stake,
        "What is paid for nothing, or sent for nothing, when the run ends.",
    ),
    Question(
        "repeated",
        "How many events are repeated?",
        "events",
        repeated,
        "Events in the broker's log beyond the first for each order.",
    ),
)
