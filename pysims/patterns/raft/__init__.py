"""Raft: how servers agree on a leader and on a log, while machines crash and networks split.

`model` is the algorithm, rule by rule; `safety` checks figure 3 of the paper after every step;
`view` and `words` are what a reader sees, `scenarios` the stories.
"""

from __future__ import annotations

from collections.abc import Callable

from ...kernel import Action, Invariant, Pattern
from .model import (
    Crash,
    Cut,
    CutWay,
    Entry,
    Heal,
    Params,
    Restart,
    SendCommand,
    Server,
    SlowLink,
    State,
    TimeOut,
    init,
    servers_down,
    servers_up,
)
from .questions import QUESTIONS
from .safety import PROPERTIES, update
from .scenarios import SCENARIOS
from .view import alternative, view
from .words import describe

__all__ = [
    "PATTERN",
    "Crash",
    "Cut",
    "CutWay",
    "Entry",
    "Heal",
    "Params",
    "Restart",
    "SendCommand",
    "Server",
    "SlowLink",
    "State",
    "TimeOut",
]


def stands(name: str) -> Callable[[State], bool]:
    """Whether a property has not fallen so far in a run."""

    def holds(state: State) -> bool:
        return all(violation.property != name for violation in state.witness.violated)

    return holds


PATTERN = Pattern(
    id="raft",
    title="Raft",
    summary="Servers elect a leader, replicate a log, and keep what a majority has stored.",
    source="Ongaro and Ousterhout, USENIX ATC 2014, https://raft.github.io/raft.pdf",
    params=Params,
    init=init,
    update=update,
    view=view,
    describe=describe,
    alternative=alternative,
    actions=(
        Action(SendCommand, "Send a command"),
        Action(Crash, "Crash", available=lambda state: bool(servers_up(state))),
        Action(Restart, "Restart", available=lambda state: bool(servers_down(state))),
        Action(TimeOut, "Time out", available=lambda state: bool(servers_up(state))),
        Action(Cut, "Cut the network"),
        Action(CutWay, "Cut one way"),
        Action(SlowLink, "Slow a link"),
        Action(Heal, "Heal the network"),
    ),
    invariants=tuple(Invariant(name, why, stands(name)) for name, why in PROPERTIES.items()),
    scenarios=SCENARIOS,
    questions=QUESTIONS,
    playback_rate=0.03,
    frame_ms=60,
)
