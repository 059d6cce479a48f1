"""What the scene and the list of events say, in words and numbers for people."""

from __future__ import annotations

from ...phrases import many, percent
from .erlang import Shares, shares_of, together
from .model import (
    HANGING,
    NAMES,
    NORMAL,
    PAYMENTS,
    RECOMMENDATIONS,
    SLOW,
    Answer,
    Arrive,
    Event,
    GiveUp,
    Hang,
    MakeSlow,
    Params,
    Repair,
    State,
    Tally,
    held_for_ms,
    holding,
    loads,
    rate_per_s,
)

TITLES = ("Payments", "Recommendations")
ONE = ("payment", "request for recommendations")
STATES = {NORMAL: "normal", SLOW: "slow", HANGING: "hanging"}
TURNED = {NORMAL: "work again", SLOW: "became slow", HANGING: "began to hang"}


def seconds(ms: float) -> str:
    """A time for people: "0.2 s", "5 s"."""
    return f"{ms / 1_000:.3g} s"


def share_of(part: int, whole: int) -> str:
    return percent(part / whole) if whole else "–"


def less(now: Tally, then: Tally) -> Tally:
    """What was counted between two tallies."""
    return Tally(
        now.arrived - then.arrived,
        now.done - then.done,
        now.failed - then.failed,
        now.rejected - then.rejected,
        now.waited - then.waited,
        now.waited_ms - then.waited_ms,
    )


def recent(state: State, dependency: int) -> Tally:
    """What was counted since the newest change."""
    return less(state.tallies[dependency], state.since[dependency])


def since(state: State) -> str:
    """The time that `recent` covers."""
    if not state.changes:
        return "since the start"
    newest = state.changes[-1]
    return f"since {NAMES[newest.dependency]} {TURNED[newest.mode]}"


def needed(state: State, dependency: int) -> int:
    """The threads that a dependency needs by Little's law, rounded up."""
    busy_ms = rate_per_s(state.params, dependency) * held_for_ms(state, dependency)
    return -(-busy_ms // 1_000)


def law(state: State, dependency: int) -> str:
    """Little's law with its numbers: "30/s × 5 s = 150"."""
    rate = rate_per_s(state.params, dependency)
    held = seconds(held_for_ms(state, dependency))
    return f"{rate}/s × {held} = {needed(state, dependency)}"


# --- The price of walls ---------------------------------------------------------------------------


def shares_shared(params: Params) -> Shares:
    return shares_of(params.threads, 2 * params.places, sum(loads(params)))


def shares_separate(params: Params) -> Shares:
    rest = params.threads - params.payments_threads
    first, second = loads(params)
    return together(
        [(params.payments_threads, params.places, first), (rest, params.places, second)]
    )


def shares_measured(state: State) -> Shares | None:
    """What was met while both dependencies were normal; `None` before the first request."""
    both = state.calm or state.tallies
    arrived = sum(tally.arrived for tally in both)
    if not arrived:
        return None
    return Shares(
        sum(tally.waited for tally in both) / arrived,
        sum(tally.rejected for tally in both) / arrived,
    )


# --- Sentences ------------------------------------------------------------------------------------


def opening(state: State) -> str:
    params = state.params
    if params.pools == "shared":
        return f"{params.threads} threads in one pool call both payments and recommendations."
    rest = params.threads - params.payments_threads
    return (
        f"{params.payments_threads} threads call payments and nothing else, {rest} call "
        "recommendations."
    )


def describe(before: State | None, event: Event | None, after: State) -> str:
    """What an event did, in a sentence; without an event, how the run starts."""
    if before is None or event is None:
        return opening(after)
    match event:
        case Arrive(dependency):
            return arrived(before, after, dependency)
        case Answer(dependency) | GiveUp(dependency):
            return ended(before, event, after, dependency)
        case Hang(name):
            return f"{name.capitalize()} hang: from now on nobody gets an answer from them."
        case MakeSlow(name):
            factor = after.params.slow_factor
            return f"{name.capitalize()} become slow: each answer takes {factor} times as long."
        case Repair(name):
            return f"{name.capitalize()} work again, and answer all who still wait for them."


def arrived(before: State, after: State, dependency: int) -> str:
    """What became of a request that came in."""
    was, now = before.tallies[dependency], after.tallies[dependency]
    if now.rejected > was.rejected:
        healthy = after.spilled > before.spilled
        why = (
            f": {NAMES[1 - dependency]} hold the threads, {NAMES[dependency]} are healthy"
            if healthy
            else ": every thread and every place is taken"
        )
        return f"A {ONE[dependency]} is turned away{why}."
    if now.waited > was.waited:
        return f"A {ONE[dependency]} finds no free thread and waits for one."
    return f"A {ONE[dependency]} gets a thread, which calls {NAMES[dependency]}."


def ended(before: State, event: Event, after: State, dependency: int) -> str:
    if before is after:
        return "An alarm for a request that is over: nothing happens."
    if isinstance(event, Answer):
        return f"{TITLES[dependency]} answer, and a thread is free for the next request."
    patience = seconds(after.params.timeout_ms)
    return f"The caller of a {ONE[dependency]} gives up after {patience}, and its thread is free."


def readouts(state: State, now_ms: int) -> list[dict[str, str]]:
    """The numbers beside the picture."""
    numbers = []
    for dependency in (PAYMENTS, RECOMMENDATIONS):
        tally = recent(state, dependency)
        over = tally.done + tally.failed + tally.rejected
        note = f"{tally.done:,} of {over:,}, {since(state)}"
        numbers.append((f"{TITLES[dependency]} served", share_of(tally.done, over), note))
    numbers += [
        ("Failed though healthy", f"{state.spilled:,}", "the other one held the threads"),
        (
            "Recommendations hold",
            f"{holding(state, RECOMMENDATIONS)} of {state.params.threads} threads",
            f"they need {law(state, RECOMMENDATIONS)}",
        ),
        (
            "Payments hold",
            f"{holding(state, PAYMENTS)} of {state.params.threads} threads",
            f"they need {law(state, PAYMENTS)}",
        ),
        ("Threads in use", percent(utilization(state, now_ms)), "on average so far"),
    ]
    return [{"label": label, "value": value, "note": note} for label, value, note in numbers]


def utilization(state: State, now_ms: int) -> float:
    """The share of all thread time so far (0.0 to 1.0) that was lent to requests."""
    if not now_ms:
        return 0.0
    lent = sum(state.used_ms) + sum(
        now_ms - job.started_ms for pool in state.pools for job in pool.busy
    )
    return lent / (state.params.threads * now_ms)


def alternative(state: State, now_ms: int) -> str:
    """What a sighted reader sees, as text."""
    parts = [opening(state)]
    for dependency in (PAYMENTS, RECOMMENDATIONS):
        tally = recent(state, dependency)
        parts.append(
            f"{TITLES[dependency]} are {STATES[state.modes[dependency]]}: "
            f"threads that wait for them: {holding(state, dependency)}, by Little’s law they "
            f"need {law(state, dependency)}. {since(state).capitalize()} {tally.arrived:,} came, "
            f"{tally.done:,} were answered, {tally.rejected:,} turned away, and the callers of "
            f"{tally.failed:,} gave up."
        )
    waiting = sum(len(pool.waiting) for pool in state.pools)
    parts.append(f"{many(waiting, 'request')} in line.")
    if state.spilled:
        parts.append(
            f"In all {many(state.spilled, 'request')} for a healthy dependency failed because the "
            "other one held threads of the pool."
        )
    one, each = shares_shared(state.params), shares_separate(state.params)
    parts.append(
        "While both are normal, Erlang’s formulas say that with one pool "
        f"{percent(one.waits)} wait and {percent(one.rejected)} are turned away, and with a pool "
        f"each {percent(each.waits)} and {percent(each.rejected)}."
    )
    return " ".join(parts)
