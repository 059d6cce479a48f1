"""The rules of two-phase commit for one transaction, and nothing else: no time, no network.

A participant is working, prepared, committed or aborted; the coordinator counts who is prepared
and decides once. Each function is one rule: it gives the new value, or raises `ValueError` when the
rule does not apply. The model runs these functions, and a test explores every state that they can
reach: as many as Lamport's TLA+ specification TwoPhase has (288 for three participants).

Sources: Gray and Lamport, "Consensus on Transaction Commit", ACM TODS 31(1), 2006, section 2 and
appendix, https://arxiv.org/abs/cs/0408036; Lamport, TwoPhase.tla,
https://github.com/tlaplus/Examples/tree/master/specifications/transaction_commit
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...kernel import replace

WORKING, PREPARED, COMMITTED, ABORTED = "working", "prepared", "committed", "aborted"
INIT = "init"
COMMIT, ABORT = "commit", "abort"


@dataclass(frozen=True, slots=True)
class Poll:
    """The coordinator's side: `state` is init, committed or aborted; `prepared` is sorted."""

    state: str = INIT
    prepared: tuple[str, ...] = ()


# --- A participant --------------------------------------------------------------------------------


def prepare(status: str) -> str:
    """RMPrepare: it promises to commit if it is told to, and can no longer abort alone."""
    if status != WORKING:
        raise ValueError(f"only a participant that is working can prepare, this one is {status}")
    return PREPARED


def choose_to_abort(status: str) -> str:
    """RMChooseToAbort: whoever has not promised anything may abort without asking."""
    if status != WORKING:
        raise ValueError(f"only a participant that is working may abort alone, got {status}")
    return ABORTED


def learn(status: str, decision: str) -> str:
    """RMRcvCommitMsg and RMRcvAbortMsg: the decision arrives; one that was made stays."""
    if status in (COMMITTED, ABORTED):
        return status
    if decision == ABORT:
        return ABORTED
    if status != PREPARED:
        raise ValueError(f"only a participant that is prepared can commit, this one is {status}")
    return COMMITTED


# --- The coordinator ------------------------------------------------------------------------------


def count(poll: Poll, name: str) -> Poll:
    """TMRcvPrepared: a yes vote, which counts once, and only before the decision."""
    if poll.state != INIT:
        raise ValueError(f"votes count before the decision, this transaction is {poll.state}")
    return replace(poll, prepared=tuple(sorted({*poll.prepared, name})))


def commit(poll: Poll, participants: Sequence[str]) -> Poll:
    """TMCommit: only when everybody has voted yes."""
    if poll.state != INIT:
        raise ValueError(f"a decision is made once, this transaction is {poll.state}")
    missing = [name for name in participants if name not in poll.prepared]
    if missing:
        raise ValueError(f"all must have voted yes, {', '.join(missing)} has not")
    return replace(poll, state=COMMITTED)


def abort(poll: Poll) -> Poll:
    """TMAbort: at any time before the decision, for whatever reason."""
    if poll.state != INIT:
        raise ValueError(f"a decision is made once, this transaction is {poll.state}")
    return replace(poll, state=ABORTED)
