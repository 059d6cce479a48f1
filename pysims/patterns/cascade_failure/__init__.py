"""Cascading failure: the last of five services slows down, and the first one goes down.

`params` is what can be set, `chain` the five services as a value, `turn` what an event does in
them, `model` the run, `view` and `words` its picture, `scenarios` its stories.
"""

from __future__ import annotations

from collections.abc import Callable

from ...kernel import Action, Invariant, Pattern
from .chain import PLACES, SERVICES, Chain, is_down
from .model import ShedLoad, State, TurnE, init, update
from .params import Params
from .questions import QUESTIONS
from .scenarios import A_ANSWERS, SCENARIOS
from .view import alternative, describe, view

__all__ = ["PATTERN", "Params", "ShedLoad", "State", "TurnE"]


def both(holds: Callable[[Chain], bool], state: State) -> bool:
    """Whether something holds in the chain, and in its twin if there is one."""
    return holds(state.chain) and (state.twin is None or holds(state.twin))


def accounted(chain: Chain) -> bool:
    return all(
        chain.received[place]
        == chain.refused[place]
        + chain.answered[place]
        + chain.wasted[place]
        + chain.failed[place]
        + len(chain.pools[place].busy)
        + len(chain.pools[place].waiting)
        for place in PLACES
    )


def requests_are_conserved(state: State) -> bool:
    """What came to a place was refused, has ended, or is there."""
    return both(accounted, state)


def within(chain: Chain) -> bool:
    return all(chain.pools[place].bounded for place in SERVICES)


def pools_are_bounded(state: State) -> bool:
    """No service has more busy threads than threads, or a longer queue than it has room for."""
    return both(within, state)


def breakers_are_kept(state: State) -> bool:
    """No call went out while its breaker was open."""
    return both(lambda chain: chain.passed_open == 0, state)


def promises_breakers(state: State) -> bool:
    return state.params.breakers


def goodput_is_possible(state: State) -> bool:
    """The answered requests took no more thread time than there was."""
    return both(
        lambda chain: all(
            chain.useful_ms[place] <= chain.pools[place].threads * state.now_ms
            for place in SERVICES
        ),
        state,
    )


def a_answers(state: State) -> bool:
    """More than 2 of the last 20 users' requests got an answer."""
    return not is_down(state.chain)


PATTERN = Pattern(
    id="cascade_failure",
    title="A failure climbs up",
    summary="Five services in a row: the last one slows down, and the first one goes down.",
    source="Bronson et al., HotOS 2021, https://doi.org/10.1145/3458336.3465286",
    params=Params,
    init=init,
    update=update,
    view=view,
    describe=describe,
    alternative=alternative,
    actions=(
        Action(TurnE, "E becomes"),
        Action(
            ShedLoad,
            "Shed load at A",
            hint="A turns calls away at its door, so that what it accepts is answered in time.",
        ),
    ),
    invariants=(
        Invariant(
            A_ANSWERS,
            "More than 2 of the last 20 users’ requests got an answer. Nothing in A ever breaks: "
            "what breaks this comes from E.",
            a_answers,
        ),
        Invariant(
            "No request is lost",
            "Whatever came to a service was refused, answered, done for nobody or failed, or is "
            "there: at work, waiting, or in the queue.",
            requests_are_conserved,
        ),
        Invariant(
            "Pools stay bounded",
            "No service has more busy threads than it has threads, nor a longer queue than room.",
            pools_are_bounded,
        ),
        Invariant(
            "Goodput within capacity",
            "The requests that were answered took no more thread time than the threads had.",
            goodput_is_possible,
        ),
        Invariant(
            "No call passes an open breaker",
            "While a breaker is open, no call goes out to the next service.",
            breakers_are_kept,
            promises_breakers,
        ),
    ),
    scenarios=SCENARIOS,
    questions=QUESTIONS,
    # A second of the chain is two of the reader's, so that he can follow the threads filling up.
    playback_rate=0.5,
)
