"""What many runs of the chain of services answer, each run with a number."""

from __future__ import annotations

from typing import Any

from ...kernel import History, Question
from .chain import USERS
from .turn import NORMAL


def unanswered(history: History[Any]) -> float | None:
    state = history[-1].state
    good = state.chain.answered[USERS] - state.since.answered
    bad = state.chain.failed[USERS] - state.since.failed
    return 100 * bad / (good + bad) if good + bad else None


def recovery(history: History[Any]) -> float | None:
    state = history[-1].state
    back_ms, around = state.chain.back_ms, state.around
    healed = around.ill_ms >= 0 and around.condition == NORMAL
    return float(back_ms) if healed and back_ms >= 0 else None


QUESTIONS = (
    Question(
        "unanswered",
        "How many users get no answer?",
        "%",
        unanswered,
        "The share of the users' requests that ended without an answer, since E last fell ill, or "
        "in the whole run if it never did.",
    ),
    Question(
        "recovery",
        "How long does A take to come back?",
        "ms",
        recovery,
        "The time from E's recovery until 18 of A's last 20 users got an answer; no answer if A is "
        "not back when the run ends.",
    ),
)
