"""Two-phase commit: all four databases change or none does, and everybody waits for one decision.

`rules` is the protocol for one transaction without time or network, `coordinating` and
`participating` are the two sides over the network, `auditing` those who only read, `model` the run,
`safety` what is promised, `measure` how long locks are held, `view` the picture, `words` its
sentences, `scenarios` its stories.
"""

from __future__ import annotations

from ...kernel import Action, Invariant, Pattern, is_up
from ...order_book import conserved
from .model import init, update
from .questions import QUESTIONS
from .safety import AGREEMENT, LASTING, RELEASED, VALIDITY, has_fallen
from .scenarios import SCENARIOS
from .shop import (
    COORDINATOR,
    Coordinator,
    Crash,
    LoseNext,
    Params,
    Participant,
    PlaceOrder,
    Record,
    Restart,
    SetLoss,
    State,
    decision_of,
    in_doubt,
    is_quiet,
    nodes_up,
    status_in,
)
from .view import view
from .words import alternative, describe

__all__ = [
    "PATTERN",
    "Coordinator",
    "Crash",
    "LoseNext",
    "Params",
    "Participant",
    "PlaceOrder",
    "Record",
    "Restart",
    "SetLoss",
    "State",
    "decision_of",
    "in_doubt",
    "is_quiet",
    "status_in",
]


def agrees(state: State) -> bool:
    """No participant has ever committed what another one, or the coordinator, aborted."""
    return not has_fallen(state, AGREEMENT)


def is_valid(state: State) -> bool:
    """Whenever somebody committed, the promise of every participant was in its log."""
    return not has_fallen(state, VALIDITY)


def lasts(state: State) -> bool:
    """No decision in a log was ever changed, and no record on a disk went away."""
    return not has_fallen(state, LASTING)


def releases(state: State) -> bool:
    """No decided order ever held a lock, and no promise was ever without its locks."""
    return not has_fallen(state, RELEASED)


def keeps_stock(state: State) -> bool:
    """What is in stock and what is reserved add up to what there was."""
    return conserved(state.books, state.params.stock)


PATTERN = Pattern(
    id="two_phase_commit",
    title="Two-phase commit",
    summary="Four databases decide together; between vote and decision nobody may move.",
    source="Mohan, Lindsay and Obermarck, ACM TODS 11(4), 1986, https://doi.org/10.1145/7239.7266",
    params=Params,
    init=init,
    update=update,
    view=view,
    describe=describe,
    alternative=alternative,
    actions=(
        Action(PlaceOrder, "Order", available=lambda state: is_up(state.network, COORDINATOR)),
        Action(Crash, "Crash", available=lambda state: bool(nodes_up(state))),
        Action(Restart, "Restart", available=lambda state: bool(state.network.down)),
        Action(LoseNext, "Lose"),
        Action(SetLoss, "Set loss"),
    ),
    invariants=(
        Invariant(
            "No participant commits what another aborts",
            "There is one decision, the coordinator’s commit record or its absence.",
            agrees,
        ),
        Invariant(
            "Commit only if all voted yes",
            "A yes is a promise on the participant’s disk; commit needs one of everybody.",
            is_valid,
        ),
        Invariant(
            "A logged decision never changes",
            "Whatever is heard later, again or out of turn, a record that is written stays.",
            lasts,
        ),
        Invariant(
            "Locks last until the decision, no longer",
            "A promise keeps its locks; a decision that has arrived releases them.",
            releases,
        ),
        Invariant(
            "Stock is conserved",
            "Widgets in stock and widgets reserved add up to what there was.",
            keeps_stock,
        ),
    ),
    scenarios=SCENARIOS,
    questions=QUESTIONS,
    playback_rate=0.014,
    frame_ms=60,
)
