"""PACELC: what R, W and N cost in latency and buy in freshness, with and without a partition.

`distances` and `measure` are free of any simulation; `model` is the run, `view` its picture,
`scenarios` its stories.
"""

from __future__ import annotations

from ...kernel import Action, Invariant, Pattern
from .model import (
    ConsistentRead,
    CutAway,
    EventualRead,
    Heal,
    Params,
    SetLink,
    State,
    Write,
    acknowledged_version,
    init,
    overlapping,
    update,
)
from .questions import QUESTIONS
from .scenarios import SCENARIOS
from .view import alternative, describe, view

__all__ = [
    "PATTERN",
    "ConsistentRead",
    "CutAway",
    "EventualRead",
    "Heal",
    "Params",
    "SetLink",
    "State",
    "Write",
]


def overlapping_reads_are_fresh(state: State) -> bool:
    """No read of R replicas missed a write that W had acknowledged, although R + W > N."""
    return state.broken[0] == 0


def promises_overlap(state: State) -> bool:
    return overlapping(state.params)


def consistent_reads_are_fresh(state: State) -> bool:
    """No read of N − W + 1 replicas missed an acknowledged write."""
    return state.broken[1] == 0


def reads_return_what_was_written(state: State) -> bool:
    """What a read returned came from one of the replicas it heard, and somebody had written it."""
    return all(
        request.result in [answer.version for answer in request.answers]
        and 0 <= request.result <= state.newest_version
        for request in state.requests
        if request.kind != "write" and request.done_ms >= 0
    )


def acknowledged_writes_go_on(state: State) -> bool:
    """A replica without the newest acknowledged write is still owed it, or a newer one."""
    newest = acknowledged_version(state)
    owing = [
        request
        for request in state.requests
        if request.kind == "write" and not request.over and request.version >= newest
    ]
    return all(
        replica.version >= newest
        or any(replica.name not in [a.replica for a in request.answers] for request in owing)
        for replica in state.replicas
    )


PATTERN = Pattern(
    id="pacelc",
    title="PACELC",
    summary="A quorum store: what R, W and N cost in latency and buy in freshness.",
    source="Abadi, IEEE Computer 45(2), 2012, https://doi.org/10.1109/MC.2012.33",
    params=Params,
    init=init,
    update=update,
    view=view,
    describe=describe,
    alternative=alternative,
    actions=(
        Action(Write, "Write at"),
        Action(ConsistentRead, "Consistent read at"),
        Action(EventualRead, "Eventual read at"),
        Action(CutAway, "Cut away"),
        Action(Heal, "Heal", available=lambda state: bool(state.away)),
        Action(SetLink, "Set the link", available=lambda state: bool(state.lines)),
    ),
    invariants=(
        Invariant(
            "R + W > N: no stale read",
            "Each R replicas share one with each W, so a read meets every acknowledged write "
            "(Dynamo, section 4.5; versions here are numbered by a perfect clock).",
            overlapping_reads_are_fresh,
            promises_overlap,
        ),
        Invariant(
            "Consistent reads are fresh",
            "A consistent read here waits for N − W + 1 answers, the fewest that overlap with "
            "every acknowledged write.",
            consistent_reads_are_fresh,
        ),
        Invariant(
            "A read returns a written value",
            "The version that a read returns is one that a replica it heard had stored.",
            reads_return_what_was_written,
        ),
        Invariant(
            "Acknowledged writes go on",
            "A replica that lacks the newest acknowledged write is still owed it, or a newer one, "
            "by a coordinator that asks again.",
            acknowledged_writes_go_on,
        ),
    ),
    scenarios=SCENARIOS,
    questions=QUESTIONS,
    # The way within a region is two pictures long, across an ocean a second, and what is left of a
    # story after the moment on show takes the reader about a minute.
    playback_rate=0.04,
    frame_ms=50,
)
