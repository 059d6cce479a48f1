"""What many runs of a shop without coordination answer, each run with a number."""

from __future__ import annotations

from typing import Any

from ...kernel import History, Question
from ...order_book import by_order
from .shop import is_over, stake_cents


def until_told(history: History[Any]) -> float | None:
    """The longest time (ms) from an order to the shop's word to the customer."""
    ordered: dict[int, int] = {}
    told: dict[int, int] = {}
    for index, state in enumerate(history.states()):
        now_ms = history.time_ms(index)
        for customer in state.customers:
            ordered.setdefault(customer.order, now_ms)
            if customer.told:
                told.setdefault(customer.order, now_ms - ordered[customer.order])
    return float(max(told.values())) if told else None


def at_stake(history: History[Any]) -> float:
    state = history[-1].state
    alone = by_order(state.databases)
    over = [each.order for each in state.customers if is_over(state, each.order)]
    return sum(stake_cents(alone[order], order) for order in over if order in alone) / 100


def requests(history: History[Any]) -> float:
    return float(history[-1].state.requests)


QUESTIONS = (
    Question(
        "until-told",
        "How long until the customer is told?",
        "ms",
        until_told,
        "From a customer's order to the shop's thanks or regret; of several the longest. No answer "
        "if nobody is told anything.",
    ),
    Question(
        "at-stake",
        "How much money is at stake?",
        "$",
        at_stake,
        "What is taken for nothing, or not paid, for the orders that are over when the run ends.",
    ),
    Question(
        "requests",
        "How many requests does the shop send?",
        "requests",
        requests,
        "All requests to the four services, repeated ones included.",
    ),
)
