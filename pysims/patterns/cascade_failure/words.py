"""What the chain says: numbers for people, and what an event did."""

from __future__ import annotations

from ...phrases import listed, many, percent
from .chain import (
    BACK_AT,
    FRONT,
    LAST,
    RECENT,
    SERVICES,
    USERS,
    Chain,
    Counts,
    held,
    is_down,
)
from .model import Arrive, Event, ShedLoad, State, Tallies, TurnE
from .params import NAMES, RETRIES, THREADS
from .turn import NORMAL, SLOW, Again, Overdue, Worked

# --- Measures -------------------------------------------------------------------------------------


def answered_share(chain: Chain, since: Tallies) -> float | None:
    """The share of the users' requests that ended with an answer, of those since then that ended.

    Requests under way then count where they end; `None` while none has ended.
    """
    good = chain.answered[USERS] - since.answered
    bad = chain.failed[USERS] - since.failed
    return good / (good + bad) if good + bad else None


def amplification(chain: Chain, since: Tallies) -> float | None:
    """Calls that reached E for each user's request that needs it; `None` without such a request."""
    deep = chain.deep - since.deep
    return (chain.received[LAST] - since.received[LAST]) / deep if deep else None


def tries(chain: Chain, since: Tallies) -> float | None:
    """Calls that reached A for each user's request; `None` without a request."""
    asked = chain.received[USERS] - since.received[USERS]
    return (chain.received[FRONT] - since.received[FRONT]) / asked if asked else None


def goodput_per_s(chain: Chain, now_ms: int) -> float:
    """A's answers to users who waited for them, in the last second or so, per second."""
    series = chain.good[FRONT]
    from_ms = max(0, now_ms // series.bin_ms * series.bin_ms - 1_000)
    return 1_000 * series.total(from_ms) / max(1, now_ms - from_ms)


def cost_of_retries(state: State) -> tuple[int, int] | None:
    """Users with an answer since E fell ill, with retries and without; `None` without retries."""
    if state.twin is None:
        return None
    here = state.chain.answered[USERS] - state.since.answered
    return here, state.twin.answered[USERS] - state.twin_since.answered


# --- Readouts -------------------------------------------------------------------------------------


def number(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def seconds(time_ms: int) -> str:
    return f"{time_ms / 1_000:.1f} s"


def when(state: State) -> str:
    """Since when the numbers count."""
    return "since E fell ill" if state.around.ill_ms >= 0 else "from the start"


def condition(state: State) -> str:
    """How E is, in words."""
    if state.around.condition == NORMAL:
        return "well"
    if state.around.condition == SLOW:
        return f"slow: takes {state.params.slow_factor} times as long"
    return "hanging: gets nothing done"


def recovery(state: State) -> tuple[str, str]:
    """How long A took to come back after E was well again, and what that means."""
    around, chain = state.around, state.chain
    note = f"until {BACK_AT} of {RECENT} users get an answer"
    if around.ill_ms < 0:
        return "–", "E has been well so far"
    if around.condition != NORMAL:
        return "–", "E is still ill"
    if chain.back_ms >= 0:
        return seconds(chain.back_ms), f"after E, {note}"
    still = "still down" if is_down(chain) else "not yet"
    return still, f"E has been well for {seconds(state.now_ms - around.healed_ms)}"


def readouts(state: State, now_ms: int) -> list[dict[str, str]]:
    """The numbers beside the picture."""
    chain, since = state.chain, state.since
    busy = sum(len(chain.pools[place].busy) for place in SERVICES)
    share = answered_share(chain, since)
    back, back_note = recovery(state)
    waits = sum(held(chain.pools[place]) for place in SERVICES)
    numbers = [
        ("Goodput at A", f"{goodput_per_s(chain, now_ms):.0f}/s", "answers in the last second"),
        ("Without an answer", "–" if share is None else percent(1 - share), when(state)),
        ("Busy threads", f"{busy} of {sum(THREADS)}", f"{waits} of them wait for others"),
        ("Calls per request", *calls(state)),
        ("Recovery", back, back_note),
    ]
    cost = cost_of_retries(state)
    if cost:
        numbers.insert(2, ("Users answered", f"{cost[0]}", f"{without(cost)}, {when(state)}"))
    return [{"label": label, "value": value, "note": note} for label, value, note in numbers]


def calls(state: State) -> tuple[str, str]:
    """The amplification: how many calls reach E for a request that needs it, and A for any."""
    here = f"{number(amplification(state.chain, state.since))} at E"
    if state.twin is None:
        return here, "for each that needs E"
    at_a = number(tries(state.chain, state.since))
    there = number(amplification(state.twin, state.twin_since))
    return here, f"and {at_a} at A; without retries {there} and 1.0"


def without(cost: tuple[int, int]) -> str:
    """What the same users would have got without retries."""
    here, there = cost
    if here == there or not there:
        return f"{there} without retries"
    # A hard space keeps the number and its sign on one line.
    share = percent(abs(there - here) / there).replace(" ", "\u00a0")
    return f"{there} without retries: {share} {'fewer' if here < there else 'more'}"


# --- What an event did ----------------------------------------------------------------------------


def up(counts_before: Counts, counts_after: Counts) -> list[int]:
    """The places at which something was counted."""
    return [place for place, count in enumerate(counts_after) if count > counts_before[place]]


def names(places: list[int]) -> str:
    return listed(NAMES[place] for place in places)


def went_out(before: Chain, after: Chain) -> list[str]:
    """How far a call got that an event sent."""
    said = [
        f"{NAMES[p]}’s bulkhead is full, so it makes no call"
        for p in up(before.capped, after.capped)
    ]
    said += [f"{NAMES[p]}’s breaker lets no call out" for p in up(before.blocked, after.blocked)]
    refused = up(before.refused, after.refused)
    said += [f"{NAMES[place]} refuses it" for place in refused]
    for place in up(before.received, after.received):
        if place > USERS and place not in refused:
            pool, earlier = after.pools[place], before.pools[place]
            queued = len(pool.waiting) > len(earlier.waiting)
            waits = f"it waits in {NAMES[place]}’s queue, {many(len(pool.waiting), 'request')} long"
            said.append(waits if queued else f"{NAMES[place]} has a thread for it")
    return said


def came_back(before: Chain, after: Chain) -> list[str]:
    """What ended with an event."""
    said = []
    if after.answered[USERS] > before.answered[USERS]:
        said.append("the user has an answer")
    vain = up(before.wasted, after.wasted)
    if vain:
        said.append(f"{names(vain)} worked for nobody")
    failed = [place for place in up(before.failed, after.failed) if place != USERS]
    if failed:
        said.append(f"{names(failed)} {'fails' if len(failed) == 1 else 'fail'}")
    if after.failed[USERS] > before.failed[USERS]:
        lost = after.failed[USERS] - before.failed[USERS]
        said.append("the user gets nothing" if lost == 1 else f"{lost} users get nothing")
    return said


def sentence(start: str, more: list[str]) -> str:
    return f"{start}: {', '.join(more)}." if more else f"{start}."


def of_turn(event: Worked | Again | Overdue, before: Chain, after: Chain) -> str:
    """What an event within the chain did."""
    name = NAMES[event.place]
    more = went_out(before, after) + came_back(before, after)
    if isinstance(event, Overdue):
        waited = after.expired[event.place] - before.expired[event.place]
        who = "The user" if event.place == USERS else name
        if not waited:
            where = "Of the users" if event.place == USERS else f"At {name}"
            return f"{where} nobody has waited too long."
        start = f"{who} has waited long enough and gives up"
        return sentence(start if more else f"{start}, to ask again", more)
    if isinstance(event, Again):
        called = (
            "The user asks A" if event.place == USERS else f"{name} asks {NAMES[event.place + 1]}"
        )
        return sentence(f"{called} again", more)
    # Only a place's own calls come to the next one.
    calls = event.place < LAST and event.place + 1 in up(before.received, after.received)
    sent = up(before.received, after.received) + up(before.capped, after.capped)
    sent += up(before.blocked, after.blocked)
    if not sent and event.place in up(before.failed, after.failed):
        return sentence(f"By chance a request fails at {name}", came_back(before, after))
    start = f"{name} has done its part" + (f" and calls {NAMES[event.place + 1]}" if calls else "")
    return sentence(start, more)


def describe(before: State | None, event: Event | None, after: State) -> str:
    """What an event did, in a sentence; without an event, how the run starts."""
    if event is None or before is None:
        params = after.params
        return (
            f"At the start all is idle: {params.rate_per_s} requests a second are to come, "
            f"{params.deep_percent} % of them need E."
        )
    match event:
        case TurnE():
            return f"E is {condition(after)}."
        case ShedLoad(duration, share):
            return f"For {duration} s, A turns away {share} % of what comes to its door."
        case Arrive():
            chain, old = after.chain, before.chain
            need = "needs E" if chain.deep > old.deep else "ends before E"
            more = went_out(old, chain) + came_back(old, chain)
            return sentence(f"A user’s request, which {need}, comes to A", more)
    if before is after:
        return "Out of date: E’s pace has changed since."
    if event.twin:
        if before.twin is None or after.twin is None:
            return ""
        return f"Without retries: {of_turn(event, before.twin, after.twin)}"
    return of_turn(event, before.chain, after.chain)


# --- The picture as text --------------------------------------------------------------------------


def service(chain: Chain, place: int) -> str:
    """How a service is, in a sentence."""
    pool = chain.pools[place]
    waits = held(pool)
    text = f"{NAMES[place]}: {len(pool.busy)} of {pool.threads} threads busy"
    if place < LAST:
        text += f", {waits} of them waiting for {NAMES[place + 1]}"
    if pool.waiting:
        full = " (full)" if len(pool.waiting) == pool.queue_limit else ""
        text += f", {len(pool.waiting)} in the queue{full}"
    return f"{text}."


def switches(state: State) -> str:
    """Which guards are on."""
    params = state.params
    on = [
        name
        for name, is_on in (
            ("timeouts", params.timeouts),
            ("circuit breakers", params.breakers),
            ("bulkheads", params.bulkheads),
        )
        if is_on
    ]
    guards = f"On: {listed(on)}." if on else "No timeouts, breakers or bulkheads."
    return f"{guards} Retries: {RETRIES[params.retries]}."


def alternative(state: State, now_ms: int) -> str:
    """What a sighted reader sees, as text."""
    chain = state.chain
    good = sum(ok for _, ok in chain.recent)
    users = f"Of the users’ last {len(chain.recent)} requests, {good} got an answer"
    text = [
        f"E is {condition(state)}.",
        switches(state),
        f"{users}{': A is down' if is_down(chain) else ''}.",
        *(service(chain, place) for place in SERVICES),
        f"A’s goodput is {goodput_per_s(chain, now_ms):.0f} answers a second.",
    ]
    cost = cost_of_retries(state)
    if cost:
        text.append(f"Since E fell ill {cost[0]} users got an answer; {without(cost)}.")
    return " ".join(text)
