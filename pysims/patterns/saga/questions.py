"""What many runs of sagas answer, each run with a number."""

from __future__ import annotations

from typing import Any

from ...kernel import History, Question
from ...order_book import COMPLETED, OPEN, rank
from .measure import at_stake_cents


def completion(history: History[Any]) -> float | None:
    orders = history[-1].state.orders
    times = sorted(each.done_ms - each.at_ms for each in orders if each.outcome == COMPLETED)
    return float(rank(times, 0.5)) if times else None


def messages(history: History[Any]) -> float | None:
    orders = history[-1].state.orders
    return sum(each.messages for each in orders) / len(orders) if orders else None


def misled(history: History[Any]) -> float | None:
    ended = [read for read in history[-1].state.reads if read.done_ms != OPEN]
    return 100 * sum(bool(read.anomaly) for read in ended) / len(ended) if ended else None


def at_stake(history: History[Any]) -> float:
    return at_stake_cents(history[-1].state) / 100


QUESTIONS = (
    Question(
        "completion",
        "How long does an order take?",
        "ms",
        completion,
        "The median time from an order to the end of its saga, over the orders that were "
        "completed; no answer if none was.",
    ),
    Question(
        "messages",
        "How many messages does an order take?",
        "messages",
        messages,
        "The mean number of messages for an order, over all orders of the run.",
    ),
    Question(
        "misled",
        "How many auditors are misled?",
        "%",
        misled,
        "The share of the auditors with all their answers who saw an order half done; no answer "
        "without auditors.",
    ),
    Question(
        "at-stake",
        "How much money is at stake?",
        "$",
        at_stake,
        "What customers have paid at the end of the run for orders that are not confirmed, and "
        "beyond the price of those that are.",
    ),
)
