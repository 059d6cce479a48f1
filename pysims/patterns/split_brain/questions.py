"""What many runs of the booking office answer, each run with a number."""

from __future__ import annotations

from typing import Any

from ...kernel import History, Question
from .cluster import lost as lost_bookings
from .cluster import sold_twice


def lost(history: History[Any]) -> float:
    return float(len(lost_bookings(history[-1].state)))


def twice(history: History[Any]) -> float:
    return float(len(sold_twice(history[-1].state)))


def turned_away(history: History[Any]) -> float:
    return float(history[-1].state.turned_away)


QUESTIONS = (
    Question(
        "lost",
        "How many bookings are lost?",
        "bookings",
        lost,
        "Bookings that a customer was told are his, and that no node knows of when the run ends.",
    ),
    Question(
        "sold-twice",
        "How many seats are sold twice?",
        "seats",
        twice,
        "Seats that were promised to more than one customer.",
    ),
    Question(
        "turned-away",
        "How many customers are turned away?",
        "customers",
        turned_away,
        "Customers whom nobody could serve.",
    ),
)
