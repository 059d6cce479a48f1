"""Parts that fail and are repaired for decades, and the service that is made of them.

It shows: how little downtime each nine allows; that a service with five required parts is worse
than each of them, and one with two replicas far better; and that a cause which strikes all
replicas at once undoes most of that. The run measures what the arithmetic promises.

Sources: see `arithmetic`, which holds the formulas. The run is the alternating renewal process
behind them: a part works for an exponential time and is repaired for an exponential time.

How a shared cause works (Fleming's beta factor). Each part fails at the rate λ. Of that, βλ is
the shared cause, which takes all parts down at once until it is repaired, and (1 − β)λ the part's
own failures. A part works if it has not failed itself and the shared cause is absent.

Simplified: a service is up or down and nothing between; every failure is noticed at once, and as
many repairs as needed go on side by side.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from ...kernel import Choice, Context, Exponential, Number, OneOf, Series, knob, replace
from .arithmetic import HOUR_MS, YEAR_MS, k_of_n, mean_up, with_shared_cause

NAMES = "ABCDE"
SHARED = "shared cause"
KEPT = 40
"""Outages of each part that stay in the state, for the picture."""

STRUCTURES = {
    "series": "all must work (series)",
    "parallel": "one is enough (parallel)",
    "k_of_n": "k of n must work",
}
PERCENTS = {
    "99": "99 % (two nines)",
    "99.5": "99.5 %",
    "99.9": "99.9 % (three nines)",
    "99.99": "99.99 % (four nines)",
    "99.999": "99.999 % (five nines)",
}


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader sets before the run; `needed` counts for "k of n" only."""

    structure: str = knob(Choice("The service works if", STRUCTURES), "series")
    components: int = knob(Number("n: components", 1, len(NAMES)), 5)
    needed: int = knob(
        Number("k: components that must work", 1, len(NAMES), hint="For “k of n”; at most n."), 2
    )
    availability: str = knob(Choice("Availability of each component", PERCENTS), "99.9")
    repair_hours: int = knob(
        Number("Mean time to repair", 4, 72, unit="hours", logarithmic=True), 4
    )
    beta: int = knob(
        Number("β: failures that strike all at once", 0, 50, unit="%", hint="The shared cause."), 0
    )
    promise: str = knob(Choice("What the service promises", PERCENTS), "99.9")


@dataclass(frozen=True, slots=True)
class Lane:
    """Something that is up or down: a component, the shared cause, or the service.

    `change_ms` is when it fails or is repaired next by itself (-1: never). `outages` are its
    newest `KEPT` spans `(from_ms, until_ms)` of downtime, the last one with -1 while it lasts.
    `down_ms` is its whole downtime, as far as it is counted.
    """

    name: str
    up: bool = True
    change_ms: int = -1
    failures: int = 0
    down_ms: int = 0
    outages: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class State:
    """The components, the shared cause and the service; downtime is counted up to `counted_ms`.

    `years` holds the service's downtime (ms) in each year, `longest_ms` its longest outage that is
    over. `by_reader` counts what the reader did, since that is in the measured numbers as well.
    """

    params: Params
    components: tuple[Lane, ...]
    shared: Lane
    service: Lane
    years: Series
    counted_ms: int = 0
    longest_ms: int = 0
    by_reader: int = 0


# --- Events ---------------------------------------------------------------------------------------


def working_names(state: State) -> tuple[str, ...]:
    """The components that have not failed."""
    return tuple(lane.name for lane in state.components if lane.up)


def broken_names(state: State) -> tuple[str, ...]:
    """What can be repaired: the components that have failed, and the shared cause."""
    lanes = (*state.components, state.shared)
    return tuple(lane.name for lane in lanes if not lane.up)


@dataclass(frozen=True, slots=True)
class Change:
    """The time at which a component, or the shared cause, fails or is repaired."""

    name: str


@dataclass(frozen=True, slots=True)
class YearEnds:
    """Year number `year` (the first is 1) is over."""

    year: int


@dataclass(frozen=True, slots=True)
class Fail:
    """The reader breaks a component."""

    component: str = knob(OneOf("Component", working_names), "")


@dataclass(frozen=True, slots=True)
class Repair:
    """The reader repairs a component, or what struck all of them."""

    component: str = knob(OneOf("Component", broken_names), "")


@dataclass(frozen=True, slots=True)
class FailAll:
    """The reader lets the shared cause strike."""


Event = Change | YearEnds | Fail | Repair | FailAll


# --- What follows from the state ------------------------------------------------------------------


def availability_of(params: Params) -> Fraction:
    """The availability of each component, exactly."""
    return Fraction(params.availability) / 100


def needed_of(params: Params) -> int:
    """How many components must work for the service to work."""
    if params.structure == "series":
        return params.components
    return 1 if params.structure == "parallel" else min(params.needed, params.components)


def promised(params: Params) -> Fraction:
    """The availability that the service promises."""
    return Fraction(params.promise) / 100


def if_independent(params: Params) -> Fraction:
    """The service's availability by the arithmetic that knows no shared cause."""
    return k_of_n(availability_of(params), needed_of(params), params.components)


def expected(params: Params) -> Fraction:
    """The service's availability by the arithmetic that counts the shared cause."""
    beta = Fraction(params.beta, 100)
    return with_shared_cause(availability_of(params), needed_of(params), params.components, beta)


def working(state: State) -> int:
    """How many components work now."""
    return sum(lane.up for lane in state.components) if state.shared.up else 0


def works(state: State) -> bool:
    """Whether enough components work now."""
    return working(state) >= needed_of(state.params)


def measured(state: State) -> float:
    """The share of the time counted so far in which the service was up; 1.0 at the start."""
    return 1 - state.service.down_ms / state.counted_ms if state.counted_ms else 1.0


def up_time(params: Params, shared: bool) -> Exponential | None:
    """How long a component, or the shared cause, stays away from its next failure; None: ever."""
    share = Fraction(params.beta if shared else 100 - params.beta, 100)
    if not share:
        return None
    mean_ms = mean_up(availability_of(params), params.repair_hours * HOUR_MS) / share
    return Exponential(float(mean_ms))


# --- The transitions ------------------------------------------------------------------------------


def init(params: Params, ctx: Context) -> State:
    """Everything works; each component, and the shared cause, has its first failure ahead."""
    lanes = [Lane(name) for name in NAMES[: params.components]]
    state = State(params, tuple(lanes), Lane(SHARED), Lane("service"), Series(YEAR_MS))
    for lane in (*lanes, state.shared):
        state = scheduled(state, lane, ctx)
    ctx.after(YEAR_MS, YearEnds(1))
    return state


def put(state: State, lane: Lane) -> State:
    """The state with a lane changed."""
    if lane.name == SHARED:
        return replace(state, shared=lane)
    return replace(
        state,
        components=tuple(lane if old.name == lane.name else old for old in state.components),
    )


def lane_of(state: State, name: str) -> Lane:
    """The component of this name, or the shared cause; `ValueError` says which there are."""
    for lane in (*state.components, state.shared):
        if lane.name == name:
            return lane
    names = ", ".join(lane.name for lane in (*state.components, state.shared))
    raise ValueError(f"component must be one of {names}, got {name!r}")


def scheduled(state: State, lane: Lane, ctx: Context) -> State:
    """The lane with the time of its next change drawn."""
    time = (
        up_time(state.params, lane.name == SHARED)
        if lane.up
        else Exponential(state.params.repair_hours * HOUR_MS)
    )
    if time is None:
        return put(state, replace(lane, change_ms=-1))
    # A failure that would come in the same millisecond comes in the next one.
    delay_ms = max(1, time.draw(ctx))
    ctx.after(delay_ms, Change(lane.name))
    return put(state, replace(lane, change_ms=ctx.now_ms + delay_ms))


def turned(lane: Lane, up: bool, now_ms: int) -> Lane:
    """The lane as it goes up or down."""
    if up:
        ended = (*lane.outages[:-1], (lane.outages[-1][0], now_ms))
        return replace(lane, up=True, outages=ended)
    begun = (*lane.outages[1 - KEPT :], (now_ms, -1))
    return replace(lane, up=False, failures=lane.failures + 1, outages=begun)


def counted(state: State, now_ms: int) -> State:
    """The state with all downtime counted up to now."""
    passed_ms = now_ms - state.counted_ms
    if not passed_ms:
        return state
    if state.shared.up and all(lane.up for lane in state.components):
        return replace(state, counted_ms=now_ms)

    def grown(lane: Lane) -> Lane:
        return lane if lane.up else replace(lane, down_ms=lane.down_ms + passed_ms)

    # A year's end is an event of its own, so that no span crosses it.
    lost_ms = 0 if state.service.up else passed_ms
    return replace(
        state,
        components=tuple(map(grown, state.components)),
        shared=grown(state.shared),
        service=grown(state.service),
        years=state.years.add(now_ms - 1, lost_ms) if lost_ms else state.years,
        counted_ms=now_ms,
    )


def judged(state: State, now_ms: int) -> State:
    """The state with the service up or down as its components are."""
    service, up = state.service, works(state)
    if service.up == up:
        return state
    longest_ms = state.longest_ms
    if up:
        longest_ms = max(longest_ms, now_ms - service.outages[-1][0])
    return replace(state, service=turned(service, up, now_ms), longest_ms=longest_ms)


def flip(state: State, name: str, ctx: Context) -> State:
    """A component, or the shared cause, fails if it is up and is repaired if it is down."""
    lane = lane_of(state, name)
    lane = turned(lane, not lane.up, ctx.now_ms)
    return judged(scheduled(state, lane, ctx), ctx.now_ms)


def by_reader(state: State, name: str, up: bool, ctx: Context) -> State:
    """The reader breaks or repairs something; nothing happens if it is so already."""
    # With another seed the same script may come upon a component that has failed by itself.
    if lane_of(state, name).up == up:
        return state
    return flip(replace(state, by_reader=state.by_reader + 1), name, ctx)


def update(state: State, event: Event, ctx: Context) -> State:
    """The state after an event; `ValueError` for a component that is not there."""
    state = counted(state, ctx.now_ms)
    match event:
        case Change(name):
            # The reader may have changed it meanwhile: then another time holds.
            due = lane_of(state, name).change_ms == ctx.now_ms
            return flip(state, name, ctx) if due else state
        case YearEnds(year):
            ctx.after(YEAR_MS, YearEnds(year + 1))
            # A year without downtime counts as well, with 0.
            return replace(state, years=state.years.add(ctx.now_ms - 1, 0))
        case Fail(name) | Repair(name):
            return by_reader(state, name, isinstance(event, Repair), ctx)
        case FailAll():
            return by_reader(state, SHARED, False, ctx)
    raise ValueError(f"availability has no event {event!r}")
