"""The stories of the chapter; each seed was chosen so that the run shows its sentence."""

from __future__ import annotations

from ...kernel import Run, Scenario
from .cluster import (
    OPEN,
    Crash,
    Cut,
    Heal,
    Restart,
    State,
    accepting,
    acknowledged,
    leaders,
    lost,
    sold_twice,
)

# With this seed A leads first under both elections, so that both stories cut off the same leader.
SEED = 96
CUT_MS, HEAL_MS = 1_700, 4_100
THREE_HEAL_MS = 3_500

ONE_CUT = ((CUT_MS, Cut("AB")), (HEAL_MS, Heal()))


def during(run: Run[State], from_ms: int, until_ms: int) -> list[State]:
    """The states of a part of a run."""
    low, high = run.history.index_at(from_ms), run.history.index_at(until_ms)
    return [sim.state for sim in run.history[low : high + 1]]


def names(state: State) -> list[str]:
    """Who accepts bookings."""
    return [member.name for member in accepting(state)]


def sold_by(state: State, numbers: tuple[int, ...]) -> list[str]:
    """Which nodes sold these bookings, each once."""
    return sorted({state.bookings[number].seller for number in numbers})


def two_lead_and_one_side_loses(run: Run[State]) -> bool:
    """A and C both sell, at least three seats twice, and all of C's bookings are lost."""
    state = run.last
    by_c = tuple(n for n in acknowledged(state) if state.bookings[n].seller == "C")
    both = any(names(state) == ["A", "C"] for state in during(run, CUT_MS, HEAL_MS))
    lost_is_c = lost(state) == by_c and len(by_c) >= 3
    return both and lost_is_c and len(sold_twice(state)) == len(by_c) and names(state) == ["A"]


def one_leads_and_nothing_is_lost(run: Run[State]) -> bool:
    """A takes a booking that it never acknowledges, and steps down; C leads; nothing is lost."""
    states = during(run, CUT_MS, HEAL_MS)
    believes = any([m.name for m in leaders(state)] == ["A"] for state in states)
    state = run.last
    unanswered = [
        b.seller for b in state.bookings if b.acknowledged_ms == OPEN and b.asked_ms < HEAL_MS
    ]
    by_c = [n for n in acknowledged(state) if state.bookings[n].seller == "C"]
    return (
        believes
        and names(states[-1]) == ["C"]
        and unanswered == ["A"]
        and len(by_c) >= 3
        and not lost(state)
        and not sold_twice(state)
    )


def nobody_leads_and_nothing_is_lost(run: Run[State]) -> bool:
    """Before the heal nobody leads and nothing is acknowledged; after it both go on."""
    states = during(run, CUT_MS + 700, THREE_HEAL_MS)
    quiet = all(not leaders(state) for state in states)
    still = len(acknowledged(states[0])) == len(acknowledged(states[-1]))
    state = run.last
    on = len(acknowledged(state)) > len(acknowledged(states[-1])) and len(names(state)) == 1
    return quiet and still and on and not lost(state)


def four_are_like_three(run: Run[State]) -> bool:
    """2 | 2 stops; 3 of 4 go on; 2 of 4 stop; 3 of 4 go on again; nothing is lost."""
    halves = during(run, 3_400, 3_400)[0]
    three = during(run, 6_500, 6_500)[0]
    two = during(run, 8_000, 8_000)[0]
    again = run.last
    return (
        not leaders(halves)
        and len(names(three)) == 1
        and not leaders(two)
        and len(names(again)) == 1
        and not lost(again)
    )


FRONT = ("election", "nodes")

SCENARIOS = (
    Scenario(
        id="hear-nobody",
        title="“I hear nobody, so I lead”",
        claim="Two leaders sell the same seats, and after the heal one side’s bookings are lost.",
        proof=two_lead_and_one_side_loses,
        watch="Two crowns, and seats torn in two: both customers were told that it is theirs.",
        until_ms=5_400,
        show_ms=3_850,
        seed=SEED,
        params={"election": "hear_nobody"},
        script=ONE_CUT,
        front=FRONT,
        breaks=("No two leaders accept writes at the same time", "No acknowledged write is lost"),
    ),
    Scenario(
        id="quorum",
        title="The same cut, elected by a majority",
        claim="A steps down, C leads with three of five votes, and nothing acknowledged is lost.",
        proof=one_leads_and_nothing_is_lost,
        watch="Only the side of three goes on. A could not acknowledge Cid’s seat, so Dee gets it.",
        until_ms=5_400,
        show_ms=2_867,
        seed=SEED,
        script=ONE_CUT,
        front=FRONT,
    ),
    Scenario(
        id="three-ways",
        title="Cut into three: no side has a majority",
        claim="Nobody leads until the heal, customers are turned away, and nothing is lost.",
        proof=nobody_leads_and_nothing_is_lost,
        watch="Candidates ask in vain: two votes are not three, however often they ask.",
        until_ms=5_400,
        show_ms=3_097,
        seed=SEED,
        script=((CUT_MS, Cut("AB | CD")), (THREE_HEAL_MS, Heal())),
        front=FRONT,
    ),
    Scenario(
        id="four-nodes",
        title="Four nodes: 2 | 2",
        claim="Cut in half, four nodes stop; they survive one crash, as three do, and no second.",
        proof=four_are_like_three,
        watch="A majority of four is three; neither half has it. One crash is survived, no more.",
        until_ms=9_800,
        show_ms=3_354,
        seed=SEED,
        params={"nodes": 4},
        script=(
            (CUT_MS, Cut("AB")),
            (HEAL_MS, Heal()),
            (5_200, Crash("A")),
            (6_600, Crash("B")),
            (8_100, Restart("A")),
        ),
        front=FRONT,
    ),
)
