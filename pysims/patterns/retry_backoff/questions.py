"""What many runs of clients that try again answer, each run with a number."""

from __future__ import annotations

from typing import Any

from ...kernel import History, Question
from .herd import Herd


def recovery(history: History[Any]) -> float | None:
    world = history[-1].state.world
    if not isinstance(world, Herd) or world.recovered_ms < 0 or not world.connected:
        return None
    return float(world.recovered_ms - world.server.changed_ms) if world.server.up else None


def calls(history: History[Any]) -> float | None:
    world = history[-1].state.world
    if isinstance(world, Herd):
        return world.calls / world.clients if world.clients else None
    return world.tally.calls[-1] / world.tally.ended if world.tally.ended else None


def peak(history: History[Any]) -> float | None:
    world = history[-1].state.world
    return float(world.peak) if isinstance(world, Herd) else None


QUESTIONS = (
    Question(
        "calls",
        "How many calls does a request cost the server?",
        "calls",
        calls,
        "Calls at the server for each client or, in a chain of tiers, for each request that ended "
        "since the server last went down or came up.",
    ),
    Question(
        "recovery",
        "How long until everybody is connected again?",
        "ms",
        recovery,
        "From the server's return to the last client's connection; no answer for a chain of tiers "
        "and while somebody is missing.",
    ),
    Question(
        "peak",
        "How many calls come at once?",
        "calls",
        peak,
        "The most calls in 10 ms; no answer for a chain of tiers.",
    ),
)
