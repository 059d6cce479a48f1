"""What many runs of Raft answer, each run with a number."""

from __future__ import annotations

from typing import Any

from ...kernel import History, Question, is_up
from .model import LEADER, State


def elections(history: History[Any]) -> list[int]:
    """How long each election took that was won (ms).

    It begins with the first term that is newer than those of the elections won before.
    """
    took, won, begun_ms = [], 0, -1
    leaders: tuple[tuple[int, str], ...] = ()
    for index, state in enumerate(history.states()):
        newest = max(server.current_term for server in state.servers)
        if begun_ms < 0 and newest > won:
            begun_ms = history.time_ms(index)
        if len(state.witness.leaders) > len(leaders):
            leaders = state.witness.leaders
            took.append(history.time_ms(index) - max(begun_ms, 0))
            won = max(won, leaders[-1][0])
            begun_ms = -1 if newest <= won else history.time_ms(index)
    return took


def election(history: History[Any]) -> float | None:
    took = elections(history)
    return float(max(took)) if took else None


def led(state: State) -> bool:
    """Whether a server that is up calls itself leader."""
    return any(
        server.role == LEADER and is_up(state.network, server.id) for server in state.servers
    )


def leaderless(history: History[Any]) -> float:
    """The time (ms) up to the last event in which nobody led."""
    total, since_ms = 0, 0
    before = True
    for index, state in enumerate(history.states()):
        now_ms = history.time_ms(index)
        if not before:
            total += now_ms - since_ms
        before, since_ms = led(state), now_ms
    return float(total)


def terms(history: History[Any]) -> float:
    return float(max(server.current_term for server in history[-1].state.servers))


QUESTIONS = (
    Question(
        "election",
        "How long does an election take?",
        "ms",
        election,
        "From the first candidate of a new term until somebody is elected, terms in which nobody "
        "wins included; of several elections in a run the longest. No answer if nobody is elected.",
    ),
    Question(
        "leaderless",
        "How long is there no leader?",
        "ms",
        leaderless,
        "The time, from the start to the last event, in which no server that is up calls itself "
        "leader.",
    ),
    Question(
        "terms",
        "How many terms does it take?",
        "terms",
        terms,
        "The newest term that any server knows when the run ends.",
    ),
)
