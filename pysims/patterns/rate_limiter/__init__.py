"""Rate limiting: six limiters on the same requests, and what each of them promises.

The limiters are `pysims.guards.rate_limiters`, free of any simulation, and are named here as well;
`day` is a recorded day of traffic, `model` the run, `view` its picture, `scenarios` its stories.
"""

from __future__ import annotations

from ...guards.rate_limiters import (
    Decision,
    FixedWindow,
    Gcra,
    LeakyBucket,
    Limiter,
    Per,
    Rate,
    SlidingWindowCounter,
    SlidingWindowLog,
    TokenBucket,
)
from ...kernel import Action, Invariant, Pattern
from .model import (
    COUNTER,
    FIXED,
    GCRA,
    LOG,
    TOKEN,
    AttackBoundary,
    Burst,
    Params,
    Replay,
    Send,
    StartFlood,
    State,
    StopFlood,
    init,
    parts_of,
    update,
    window_ms_of,
)
from .questions import QUESTIONS
from .scenarios import ANY_WINDOW, SCENARIOS
from .view import alternative, describe, view

__all__ = [
    "PATTERN",
    "AttackBoundary",
    "Burst",
    "Decision",
    "FixedWindow",
    "Gcra",
    "LeakyBucket",
    "Limiter",
    "Params",
    "Per",
    "Rate",
    "Replay",
    "Send",
    "SlidingWindowCounter",
    "SlidingWindowLog",
    "StartFlood",
    "State",
    "StopFlood",
    "TokenBucket",
]


def the_bucket_holds(state: State) -> bool:
    """No interval that ends now saw more than burst + rate × its length through."""
    return state.excess[TOKEN] <= parts_of(state.params)[1] * state.params.burst


def gcra_agrees(state: State) -> bool:
    """GCRA admitted what the token bucket admitted, and told the same wait."""
    same = state.admitted[GCRA] == state.admitted[TOKEN]
    return same and state.waits_ms[GCRA] == state.waits_ms[TOKEN]


def the_outflow_is_steady(state: State) -> bool:
    """The leaky bucket let out at most rate × t + 1 in any time t, and holds no more than fits."""
    steady = state.released_excess <= parts_of(state.params)[1]
    return steady and state.six.leaky.waiting <= state.params.burst


def each_window_keeps_its_limit(state: State) -> bool:
    """The fixed window and the counter admitted at most the limit in the window that is current."""
    window_ms = window_ms_of(state.params)
    current = state.at_ms // window_ms * window_ms
    for which in (FIXED, COUNTER):
        count = sum(lump.admitted[which] for lump in state.recent if lump.at_ms >= current)
        if count > state.params.burst:
            return False
    return True


def the_log_keeps_its_limit(state: State) -> bool:
    """No span of a window's length saw more than the limit through, wherever it began."""
    return state.peak[LOG] <= state.params.burst


def the_fixed_window_keeps_more_than_it_promises(state: State) -> bool:
    """What people take it for: at most the limit in any span of a window's length."""
    return state.peak[FIXED] <= state.params.burst


PATTERN = Pattern(
    id="rate_limiter",
    title="Rate limiting",
    summary="Six rate limiters on the same requests: what each admits, refuses and remembers.",
    source="Turner, IEEE Communications Magazine 24(10), 1986, "
    "https://doi.org/10.1109/MCOM.1986.1092946",
    params=Params,
    init=init,
    update=update,
    view=view,
    describe=describe,
    alternative=alternative,
    actions=(
        Action(Send, "Send one"),
        Action(Burst, "Send a burst of"),
        Action(StartFlood, "Flood"),
        Action(
            StopFlood,
            "Stop sending",
            available=lambda state: state.flood is not None or state.minute >= 0,
        ),
        Action(
            AttackBoundary,
            "Attack the boundary",
            "The whole limit just before the windows turn, and again as they turn",
        ),
        Action(
            Replay,
            "Replay the recorded day",
            "With a second of the picture as 10 minutes it takes 144 s",
        ),
    ),
    invariants=(
        Invariant(
            "Token bucket: burst + rate × t",
            "In any time t, wherever it begins, a token bucket admits at most its capacity and "
            "what drips in meanwhile.",
            the_bucket_holds,
        ),
        Invariant(
            "GCRA says what the token bucket says",
            "The distance of the theoretical arrival time from now is what is missing in the "
            "bucket, in another unit.",
            gcra_agrees,
        ),
        Invariant(
            "Leaky bucket: a steady outflow",
            "Whatever comes, requests leave the queue one by one at the leak rate, and no more "
            "wait than fit.",
            the_outflow_is_steady,
        ),
        Invariant(
            "Each window: its limit",
            "The fixed window and the sliding window counter admit at most the limit in each "
            "window of the clock.",
            each_window_keeps_its_limit,
        ),
        Invariant(
            "Sliding log: the limit in any window",
            "Since it knows every admitted request of the last window, no span of that length sees "
            "more than the limit.",
            the_log_keeps_its_limit,
        ),
        Invariant(
            ANY_WINDOW,
            "A fixed window promises its limit for the windows of the clock only: around a "
            "boundary up to twice the limit passes.",
            the_fixed_window_keeps_more_than_it_promises,
        ),
    ),
    scenarios=SCENARIOS,
    questions=QUESTIONS,
    # In real time a burst of 50 takes 5 s to leave the leaky bucket: long enough to watch.
    playback_rate=1.0,
    frame_ms=100,
)
