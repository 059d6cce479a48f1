"""What many runs of timeouts and deadlines answer, each run with a number."""

from __future__ import annotations

from typing import Any

from ...kernel import History, Question
from .model import BACK, thread_time_ms


def answered(history: History[Any]) -> float | None:
    users = history[-1].state.users
    return 100 * users.done / users.settled if users.settled else None


def in_vain(history: History[Any]) -> float | None:
    last = history[-1]
    used_ms, vain_ms = thread_time_ms(last.state, BACK, last.now_ms)
    return 100 * vain_ms / used_ms if used_ms else None


QUESTIONS = (
    Question(
        "answered",
        "How many users get an answer?",
        "%",
        answered,
        "The share of the users who got an answer, of all whose request is over.",
        "more",
    ),
    Question(
        "in-vain",
        "How much does the back do in vain?",
        "%",
        in_vain,
        "The share of the back's thread time that went into what nobody got.",
    ),
)
