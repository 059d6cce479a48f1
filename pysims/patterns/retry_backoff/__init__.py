"""Retries: backoff and jitter for a thousand clients, and what retries do to a chain of tiers.

The delays and the budget are pure functions and values (`pysims.guards`), which other patterns
share; `model` is the run, `view` its picture, `scenarios` its stories.
"""

from __future__ import annotations

from ...guards.backoff import decorrelated_jitter, equal_jitter, exponential, full_jitter
from ...guards.retry_budget import TOKEN, RetryBudget
from ...kernel import Action, Invariant, Pattern
from .herd import Herd, at_server, waiting
from .model import BringUp, Compare, Join, Send, State, TakeDown, init, update
from .questions import QUESTIONS
from .scenarios import SCENARIOS
from .server import within_capacity
from .settings import Params, wait_ms_min
from .tiers import CALLERS, Tiers
from .view import alternative, describe, view

__all__ = [
    "PATTERN",
    "BringUp",
    "Compare",
    "Join",
    "Params",
    "RetryBudget",
    "Send",
    "State",
    "TakeDown",
    "decorrelated_jitter",
    "equal_jitter",
    "exponential",
    "full_jitter",
]


def waits_are_in_range(state: State) -> bool:
    """No wait was shorter than the strategy allows, or longer than the cap."""
    params, waits = state.params, state.world.waits_ms
    longest_ms = 0 if params.strategy == "none" else params.cap_ms
    return waits is None or wait_ms_min(params) <= waits[0] <= waits[1] <= longest_ms


def attempts_end(state: State) -> bool:
    """Nobody has tried more often than allowed."""
    world = state.world
    if isinstance(world, Herd):
        return world.failures_max <= state.params.retries + 1
    return all(leg.attempts <= state.params.attempts for r in world.requests for leg in r.legs)


def promises_an_end(state: State) -> bool:
    return isinstance(state.world, Tiers) or state.params.retries > 0


def nobody_is_lost(state: State) -> bool:
    """Each client waits, is at the server, is connected, or has given up."""
    herd = state.world
    if not isinstance(herd, Herd):
        return True
    return herd.clients == waiting(herd) + at_server(herd) + herd.connected + herd.given_up


def has_one_server(state: State) -> bool:
    return isinstance(state.world, Herd)


def can_compare(state: State) -> bool:
    return has_one_server(state) and state.params.outage_ms > 0


def amplification_is_bounded(state: State) -> bool:
    """A request makes at most k calls at A, k² at B and k³ at C."""
    tiers, k = state.world, state.params.attempts
    return not isinstance(tiers, Tiers) or all(
        leg.calls <= k ** (number + 1)
        for request in tiers.requests
        for number, leg in enumerate(request.legs)
    )


def has_tiers(state: State) -> bool:
    return isinstance(state.world, Tiers)


def budgets_are_kept(state: State) -> bool:
    """The retries of each caller are at most its capacity and its ratio times its first calls."""
    tiers, params = state.world, state.params
    allowance = round(params.budget_ratio * TOKEN)
    return not isinstance(tiers, Tiers) or all(
        retried * TOKEN <= params.budget_capacity * TOKEN + allowance * first
        for retried, first in zip(tiers.retried, tiers.first, strict=True)
    )


def promises_a_budget(state: State) -> bool:
    return isinstance(state.world, Tiers) and state.params.budget


PATTERN = Pattern(
    id="retry_backoff",
    title="Retries, backoff and jitter",
    summary="A thousand clients lose a server at once, and three tiers retry on top of each other.",
    source="Brooker, AWS Architecture Blog, 2015, "
    "https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/",
    params=Params,
    init=init,
    update=update,
    view=view,
    describe=describe,
    alternative=alternative,
    actions=(
        Action(TakeDown, "Take the server down", available=lambda state: state.world.server.up),
        Action(BringUp, "Bring it up", available=lambda state: not state.world.server.up),
        Action(Join, "Let new clients call", available=has_one_server),
        Action(Send, "Send a request", available=has_tiers),
        Action(Compare, "Compare all strategies", available=can_compare),
    ),
    invariants=(
        Invariant(
            "Waits within the range",
            "Every wait is at least what the strategy allows and at most the cap (Brooker, 2015).",
            waits_are_in_range,
        ),
        Invariant(
            "Attempts end",
            f"None of the callers {', '.join(CALLERS)} makes more attempts than are allowed, and "
            "no client more retries, if there is a limit.",
            attempts_end,
            promises_an_end,
        ),
        Invariant(
            "Goodput within capacity",
            "The server never works on more calls than it has threads, and uses no more of their "
            "time than has passed.",
            lambda state: within_capacity(state.world.server, state.now_ms),
        ),
        Invariant(
            "No client is lost",
            "Each client waits, is at the server, is connected, or has given up.",
            nobody_is_lost,
            has_one_server,
        ),
        Invariant(
            "Amplification ≤ kᵈ",
            "With k attempts at each of d callers, one request makes at most k to the power of d "
            "calls at the last tier.",
            amplification_is_bounded,
            has_tiers,
        ),
        Invariant(
            "Budget never overdrawn",
            "Each caller's retries are at most the budget's capacity and its ratio times the "
            "first calls.",
            budgets_are_kept,
            promises_a_budget,
        ),
    ),
    scenarios=SCENARIOS,
    questions=QUESTIONS,
    # An outage of 2.5 s and the storm after it take the reader about 15 s.
    playback_rate=0.5,
    frame_ms=100,
)
