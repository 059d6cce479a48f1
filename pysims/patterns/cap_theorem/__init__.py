"""CAP: during a cut, refuse or answer; and if you answered, how to make one of two accounts.

`account` holds the copies and how two become one, `majority` the protocol of CP (CASPaxos), `sync`
the spreading of copies, `observed` the history that the clients saw; `model` puts them together.
"""

from __future__ import annotations

from ...kernel import Action, Invariant, Pattern
from .account import NAMES, Copy, Request
from .model import (
    init,
    is_cut,
    linearizable,
    lost_dollars,
    nothing_is_lost,
    replicas_agree,
    update,
)
from .questions import QUESTIONS
from .scenarios import SCENARIOS
from .state import (
    REQUESTS_MAX,
    Cut,
    CutOneWay,
    Deposit,
    Heal,
    Params,
    Read,
    SetBalance,
    State,
    Withdraw,
    lost,
)
from .view import alternative, describe, view

__all__ = [
    "NAMES",
    "PATTERN",
    "Copy",
    "Cut",
    "CutOneWay",
    "Deposit",
    "Heal",
    "Params",
    "Read",
    "Request",
    "SetBalance",
    "State",
    "Withdraw",
    "lost",
    "lost_dollars",
]


def takes_requests(state: State) -> bool:
    return len(state.requests) < REQUESTS_MAX


PATTERN = Pattern(
    id="cap_theorem",
    title="CAP: consistent or available",
    summary="Three replicas of one account, and a network that you can cut.",
    source="Gilbert and Lynch, SIGACT News 2002, https://doi.org/10.1145/564585.564601",
    params=Params,
    init=init,
    update=update,
    view=view,
    describe=describe,
    alternative=alternative,
    actions=(
        Action(Read, "Read at", available=takes_requests),
        Action(Cut, "Cut"),
        Action(CutOneWay, "Cut one way"),
        Action(Heal, "Heal the network", available=is_cut),
        Action(Deposit, "Deposit", available=takes_requests),
        Action(Withdraw, "Withdraw", available=takes_requests),
        Action(SetBalance, "Write", available=takes_requests),
    ),
    invariants=(
        Invariant(
            "Linearizable",
            "One order of the requests explains every answer. CP keeps this always; AP breaks it "
            "as soon as an answer does not know of a change that was confirmed before.",
            linearizable,
        ),
        Invariant(
            "Replicas agree once all is quiet",
            "When nothing is cut, nothing is under way and nobody has anything left to tell, all "
            "three balances are the same.",
            replicas_agree,
        ),
        Invariant(
            "No deposit is lost",
            "Every change that a client was told is done is still in some copy.",
            nothing_is_lost,
        ),
    ),
    scenarios=SCENARIOS,
    questions=QUESTIONS,
    playback_rate=0.04,
    frame_ms=60,
)
