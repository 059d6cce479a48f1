"""The stories of the chapter; each seed was chosen so that the run shows its sentence."""

from __future__ import annotations

from ...kernel import Run, Scenario
from .account import Request
from .model import is_quiet, linearizable, lost_dollars
from .observed import verdict_of
from .state import Cut, CutOneWay, Deposit, Heal, Read, State, Withdraw, lost


def at(run: Run[State], replica: str) -> list[Request]:
    """What was asked at a replica, as it ended."""
    return [request for request in run.last.requests if request.replica == replica]


def balances(state: State) -> tuple[int, ...]:
    return tuple(replica.copy.balance for replica in state.replicas)


def everything_answered(run: Run[State]) -> bool:
    state = run.last
    return (
        len(state.requests) >= 4
        and all(request.status == "done" for request in state.requests)
        and linearizable(state)
    )


def minority_refuses(run: Run[State]) -> bool:
    state = run.last
    refused = [r for r in state.requests if r.status == "refused"]
    return (
        len(refused) >= 2
        and all(r.replica == "A" and r.unreached == ("B", "C") for r in refused)
        and all(r.status == "done" for r in (*at(run, "B"), *at(run, "C")))
        and at(run, "A")[-1].status == "done"
        and linearizable(state)
    )


def hears_and_refuses(run: Run[State]) -> bool:
    """With one way cut A is served; with both, it still hears everything and must refuse."""
    served, *others = at(run, "A")
    state = run.last
    return (
        served.status == "done"
        and [r.status for r in others] == ["refused"]
        and others[0].unreached == ("B", "C")
        and balances(state) == (550, 550, 550)
        and linearizable(state)
    )


def nobody_can_say(run: Run[State]) -> bool:
    """A's deposit has an unknown outcome for A, and a read at B finds that it counts."""
    deposit, found, *_, last_read = run.last.requests
    return (
        (deposit.replica, deposit.status, deposit.returned_ms) == ("A", "unknown", None)
        and deposit.unreached == ("B", "C")
        and (found.replica, found.status, found.balance) == ("B", "done", 500)
        and (last_read.replica, last_read.balance) == ("A", 500)
        and balances(run.last) == (500, 500, 500)
        and linearizable(run.last)
    )


def answers_stale(run: Run[State]) -> bool:
    """A was never told, answered at once, and the two operations that prove it include its read."""
    state = run.last
    stale = [r for r in state.requests if r.behind]
    witness = getattr(verdict_of(state.requests), "witness", ())
    return (
        bool(stale)
        and all(r.replica == "A" and r.kind == "read" and r.balance == 400 for r in stale)
        and all(r.returned_ms == r.invoked_ms for r in state.requests)
        and len(witness) == 2
        and is_quiet(state)
        and len(set(balances(state))) == 1
        and not lost(state)
    )


def one_hundred_is_gone(run: Run[State]) -> bool:
    state = run.last
    return is_quiet(state) and lost_dollars(state) == 100 and balances(state) == (450, 450, 450)


def nothing_is_gone(run: Run[State]) -> bool:
    state = run.last
    return is_quiet(state) and not lost(state) and balances(state) == (550, 550, 550)


BOTH_SIDES = (
    (60, Cut("A | BC")),
    (160, Deposit("A", 100)),
    (260, Deposit("B", 50)),
    (420, Read("C")),
    (520, Read("A")),
    (640, Heal()),
    (900, Read("A")),
    (960, Read("C")),
)

SCENARIOS = (
    Scenario(
        id="healthy",
        title="CP: no cut",
        claim="Every request is answered, after a majority has been asked, and the history is "
        "linearizable.",
        proof=everything_answered,
        watch="Follow a deposit: “may I?” out, “yes” back, the new balance out, “agreed” back. "
        "One of the two others is enough.",
        until_ms=1_100,
        show_ms=236,
        seed=45,
        # The read at C overlaps the withdrawal; under AP, A's message has not reached C by then.
        script=(
            (40, Read("A")),
            (180, Deposit("B", 100)),
            (400, Read("C")),
            (560, Withdraw("A", 50)),
            (580, Read("C")),
            (860, Read("B")),
        ),
        front=("mode", "merge"),
    ),
    Scenario(
        id="cp-minority",
        title="CP: A is cut off",
        claim="A refuses, because it cannot reach a majority; B and C go on, and the history is "
        "linearizable.",
        proof=minority_refuses,
        watch="A asks and hears nobody, so it refuses and names them. B and C are two of three.",
        until_ms=1_500,
        show_ms=640,
        seed=5,
        script=(
            (60, Cut("A | BC")),
            (120, Deposit("B", 100)),
            (160, Deposit("A", 50)),
            (440, Read("A")),
            (470, Read("C")),
            (780, Heal()),
            (1_000, Read("A")),
        ),
        front=("mode", "merge"),
    ),
    Scenario(
        id="one-way",
        title="CP: a cut one way",
        claim="With the way to B cut, A still has a majority with C; with the way to C cut too, A "
        "hears everything and must refuse all the same.",
        proof=hears_and_refuses,
        watch="A’s balance stays up to date, yet A cannot answer: it cannot know that it is.",
        until_ms=1_400,
        show_ms=902,
        seed=8,
        script=(
            (40, CutOneWay("A → B")),
            (80, Deposit("A", 100)),
            (400, CutOneWay("A → C")),
            (440, Deposit("B", 50)),
            (700, Read("A")),
            (1_000, Heal()),
        ),
        front=("mode", "merge"),
    ),
    Scenario(
        id="cp-unknown",
        title="CP: outcome unknown",
        claim="The others accept A’s deposit, and A never hears of it: its outcome is unknown to "
        "A, until a read at B shows that it counts.",
        proof=nobody_can_say,
        watch="B and C have accepted $500, and no “agreed” gets through to A. It can report "
        "neither success nor failure.",
        until_ms=1_200,
        show_ms=242,
        seed=8,
        script=(
            (40, Deposit("A", 100)),
            (115, CutOneWay("B → A")),
            (115, CutOneWay("C → A")),
            (480, Read("B")),
            (760, Heal()),
            (1_000, Read("A")),
        ),
        front=("mode", "merge"),
    ),
    Scenario(
        id="ap-stale",
        title="AP: A is cut off",
        claim="A answers at once, its answer is stale, and two operations prove that the history "
        "is not linearizable; after the cut all copies become the same.",
        proof=answers_stale,
        watch="The two requests with numbers prove it: the read began after the deposit had been "
        "confirmed, and does not know of it.",
        until_ms=1_100,
        show_ms=362,
        seed=2,
        params={"mode": "ap"},
        script=(
            (40, Read("A")),
            (80, Cut("A | BC")),
            (160, Deposit("B", 100)),
            (260, Read("C")),
            (360, Read("A")),
            (560, Heal()),
            (860, Read("A")),
        ),
        front=("mode", "merge"),
        breaks=("Linearizable",),
    ),
    Scenario(
        id="ap-lww",
        title="AP: two deposits, the last writer wins",
        claim="Of two deposits on both sides of a cut one is lost: $100.",
        proof=one_hundred_is_gone,
        watch="$100 at A and $50 at B are both confirmed. When the cut heals, one copy overwrites "
        "the other.",
        until_ms=1_200,
        show_ms=679,
        seed=4,
        params={"mode": "ap", "merge": "lww"},
        script=BOTH_SIDES,
        front=("mode", "merge"),
        breaks=("Linearizable", "No deposit is lost"),
    ),
    Scenario(
        id="ap-counter",
        title="AP: two deposits, a PN-counter",
        claim="The same deposits on both sides of the same cut, and none is lost.",
        proof=nothing_is_gone,
        watch="The history is as wrong as before, while the cut lasts; but the counter adds up "
        "both sides: $550.",
        until_ms=1_200,
        show_ms=902,
        seed=4,
        params={"mode": "ap", "merge": "counter"},
        script=BOTH_SIDES,
        front=("mode", "merge"),
        breaks=("Linearizable",),
    ),
)
