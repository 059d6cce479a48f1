"""What many runs of the quorum store answer, each run with a number."""

from __future__ import annotations

from typing import Any

from ...kernel import History, Question
from .measure import quantile


def stale(history: History[Any]) -> float | None:
    state = history[-1].state
    r, w = state.params.read_quorum, state.params.write_quorum
    reads = sum(state.tally.read_ms[r - 1])
    return 100 * state.tally.stale[r - 1][w - 1] / reads if reads else None


def read_within(history: History[Any], share: float) -> float | None:
    state = history[-1].state
    k = state.params.read_quorum - 1
    return quantile(state.tally.read_ms[k], share, state.tally.unread[k])


def read_median(history: History[Any]) -> float | None:
    return read_within(history, 0.5)


def read_tail(history: History[Any]) -> float | None:
    return read_within(history, 0.99)


QUESTIONS = (
    Question(
        "read-tail",
        "How long does a slow read take?",
        "ms",
        read_tail,
        "The time within which 99 of 100 reads had their quorum, reads that missed the deadline "
        "included; no answer if it reaches into those.",
    ),
    Question(
        "read-median",
        "How long does a read take?",
        "ms",
        read_median,
        "The time within which half of the reads had their quorum.",
    ),
    Question(
        "stale",
        "How many reads are stale?",
        "%",
        stale,
        "The share of the reads that did not return the newest write acknowledged before they "
        "began.",
    ),
)
