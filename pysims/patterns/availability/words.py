"""Availability in words: percentages with enough digits, spans of time, and what an event did."""

from __future__ import annotations

from ...phrases import listed, many
from .arithmetic import DAY_MS, HOUR_MS, SECOND_MS, YEAR_MS, downtime_ms
from .model import (
    SHARED,
    Change,
    Event,
    Fail,
    FailAll,
    Repair,
    State,
    YearEnds,
    expected,
    lane_of,
    measured,
    needed_of,
    promised,
    working,
    working_names,
)

MINUTE_MS = 60 * SECOND_MS
NINES_MAX = 9


def figures(value: float) -> str:
    """A number with three significant figures, two decimals at most."""
    return f"{value:.{0 if value >= 99.95 else 1 if value >= 9.995 else 2}f}"


def span(time_ms: float) -> str:
    """A span of time in the unit that people would use: "8.77 h", "52.6 min", "26.3 s"."""
    if time_ms < 120 * SECOND_MS:
        return f"{figures(time_ms / SECOND_MS)} s" if time_ms else "0 s"
    if time_ms < 120 * MINUTE_MS:
        return f"{figures(time_ms / MINUTE_MS)} min"
    if time_ms < 1_000 * HOUR_MS:
        return f"{figures(time_ms / HOUR_MS)} h"
    days = time_ms / DAY_MS
    return f"{days:,.0f} days" if time_ms < 2 * YEAR_MS else f"{figures(time_ms / YEAR_MS)} years"


def share(availability: float) -> str:
    """An availability with two figures of what is missing: "99.50 %", "99.990 %"."""
    missing = 100 * (1 - availability)
    if missing <= 0:
        return "100 %"
    digits = 2
    while missing * 10**digits < 9.995 and digits < NINES_MAX:
        digits += 1
    return f"{100 * availability:.{digits}f} %"


def nines_of(availability: float) -> int:
    """How many nines an availability has: 99.95 % has three."""
    count = 0
    # A hair of slack, since 0.9999 is not exactly a float.
    while count < NINES_MAX and 1 - availability <= (1 + 1e-9) / 10 ** (count + 1):
        count += 1
    return count


def nines_text(availability: float) -> str:
    """The nines in words."""
    words = ("no nine", "one nine", "two nines", "three nines", "four nines", "five nines")
    count = nines_of(availability)
    return words[count] if count < len(words) else f"{count} nines"


def date(time_ms: int) -> str:
    """A moment of the run: "year 12, day 201"."""
    return f"year {time_ms // YEAR_MS + 1}, day {time_ms % YEAR_MS // DAY_MS + 1}"


def rule(state: State) -> str:
    """What the service needs."""
    count, needed = state.params.components, needed_of(state.params)
    if count == 1:
        return "one component"
    if needed == count:
        return f"{count} components that must all work"
    if needed == 1:
        return f"{count} components of which one is enough"
    return f"{count} components of which {needed} must work"


def standing(state: State) -> str:
    """How many components work, and what that makes of the service."""
    count = state.params.components
    now = "up" if state.service.up else "down"
    if count == 1:
        return f"the service is {now}"
    at_work = working(state)
    works = f"{at_work} of {count} work" if at_work else "none works"
    return f"{works}, so the service is {now}"


def opening(state: State) -> str:
    """How a run starts."""
    promise = expected(state.params)
    yearly = span(float(downtime_ms(promise, YEAR_MS)))
    return (
        f"The service stands on {rule(state)}, each up {state.params.availability} % of the time: "
        f"expect {yearly} of downtime a year."
    )


def change_text(before: State, name: str, after: State) -> str:
    """What a failure or a repair did."""
    old, new = lane_of(before, name), lane_of(after, name)
    what = "The shared cause" if name == SHARED else name
    if new.up == old.up:
        return f"{what} stays {'up' if new.up else 'down'}: something else happened meanwhile."
    if name == SHARED:
        says = "is over" if new.up else "strikes all components at once"
    elif new.up:
        says = "is repaired"
    else:
        says = "fails"
    return f"{what} {says}: {standing(after)}{cost(before, after)}."


def cost(before: State, after: State) -> str:
    """What an outage of the service that just ended cost, against what is promised."""
    if before.service.up or not after.service.up:
        return ""
    start_ms, end_ms = after.service.outages[-1]
    years = (end_ms - start_ms) / float(downtime_ms(promised(after.params), YEAR_MS))
    spent = f", the promised downtime of {years:.0f} years" if years >= 1.5 else ""
    return f" again after {span(end_ms - start_ms)}{spent}"


def describe(before: State | None, event: Event | None, after: State) -> str:
    """What an event did, in a sentence; without an event, how the run starts."""
    if before is None or event is None:
        return opening(after)
    match event:
        case Change(name):
            return change_text(before, name, after)
        case Fail(name) | Repair(name):
            return f"Your doing: {change_text(before, name, after)}"
        case FailAll():
            return f"Your doing: {change_text(before, SHARED, after)}"
        case YearEnds(year):
            lost = after.years.total((year - 1) * YEAR_MS, year * YEAR_MS)
            down = f"was down for {span(lost)} of it" if lost else "was never down in it"
            return f"Year {year} is over: the service {down}."


def alternative(state: State, now_ms: int) -> str:
    """What a sighted reader sees, as text."""
    names = working_names(state)
    failed = [lane.name for lane in state.components if lane.name not in names]
    broken = f" {listed(failed)} failed." if failed else " None has failed."
    shared = "" if state.shared.up else " A shared cause has struck all of them."
    outages = many(state.service.failures, "outage")
    return (
        f"{date(now_ms).capitalize()}. The service stands on {rule(state)}.{broken}{shared} It is "
        f"{'up' if state.service.up else 'down'}. Measured availability "
        f"{share(measured(state))} with {outages}; the arithmetic says "
        f"{share(float(expected(state.params)))}."
    )
