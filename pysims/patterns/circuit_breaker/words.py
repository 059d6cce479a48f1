"""The sentences of the picture: what an event did, and what a sighted reader sees."""

from __future__ import annotations

from ...phrases import many, percent
from .measure import ERROR, FALLBACK, LIVE, REFUSED, TIMEOUT, TURNED_AWAY
from .model import (
    CLOSED,
    CONSECUTIVE,
    HALF_OPEN,
    HANGING,
    NONE,
    OPEN,
    SLOW,
    Arrive,
    Break,
    CallOnce,
    Change,
    Event,
    Finish,
    GiveUp,
    Params,
    Repair,
    SetErrors,
    SetLatency,
    State,
    health_of,
)

STATE_NAMES = {CLOSED: "closed", OPEN: "open", HALF_OPEN: "half-open"}
STATE_MEANS = {CLOSED: "calls pass", OPEN: "calls are refused", HALF_OPEN: "only probes pass"}
FALLBACK_NAME = "popular titles"


def who(user: int) -> str:
    """A user as the subject of a sentence; the reader's own calls have numbers below 0."""
    return "You" if user < 0 else f"User {user}"


def gets(state: State) -> str:
    """What a user gets who gets no live answer, as the end of a sentence."""
    return FALLBACK_NAME if state.params.fallback else "an error"


def seconds(time_ms: int) -> str:
    """A time for people: "3 s", "1.5 s", "800 ms"."""
    return f"{time_ms / 1000:g} s" if time_ms >= 1_000 else f"{time_ms} ms"


def opens_at(params: Params) -> str:
    """What opens the breaker that was chosen."""
    if params.breaker == CONSECUTIVE:
        return f"{many(params.failure_threshold, 'failure')} in a row"
    return f"{params.failure_share} % of {params.minimum_calls} calls or more fail"


# --- What an event did ----------------------------------------------------------------------------


def describe(before: State | None, event: Event | None, after: State) -> str:
    """What an event did, in a sentence or three; without an event, how the run starts."""
    if before is None or event is None:
        return (
            f"Users come to a website, about {after.params.rate_per_s} a second. For each of them "
            "one of its threads asks the recommendations."
        )
    match event:
        case Arrive(user):
            says = came(before, after, user)
        case CallOnce():
            says = came(before, after, -after.readers)
        case Finish(user, success):
            says = finished(before, after, user, success)
        case GiveUp(user):
            says = gave_up(before, after, user)
        case _:
            says = turned(before, event, after)
    return " ".join([says, *changed(before, after), *swept(before, after, event)])


def came(before: State, after: State, user: int) -> str:
    """What happened to a user who came."""
    name = who(user)
    old, new = before.tally, after.tally
    find, wait, get = ("find", "wait", "get") if user < 0 else ("finds", "waits", "gets")
    if new.turned_away > old.turned_away:
        return f"{name} {find} no thread and no place to wait: turned away."
    if new.refused > old.refused:
        return f"The breaker refuses the call: {name} {get} {gets(after)} at once."
    if new.fault > old.fault:
        return f"{name} {get} {gets(after)} at once: the service is down and takes no call."
    if len(after.website.waiting) > len(before.website.waiting):
        return f"{name} {wait} for a thread, number {len(after.website.waiting)} in the queue."
    if after.breaker is not None and after.breaker.state == HALF_OPEN:
        return f"{name} {get} a thread; the call passes as a probe."
    return f"{name} {get} a thread; the call goes to the recommendations."


def finished(before: State, after: State, user: int, success: bool) -> str:
    """What became of a call that the service is done with."""
    if after is before:
        return f"{who(user)}’s call was lost when the service stopped; nothing happens."
    if not any(job.id == user for job in before.website.busy):
        return f"The service finishes a call for nobody: it was given up long ago ({who(user)})."
    if success:
        return f"{who(user)}: the recommendations are there."
    return f"{who(user)}: the service answers with an error; the user gets {gets(after)}."


def gave_up(before: State, after: State, user: int) -> str:
    """What became of a call whose time is over."""
    if after is before:
        return f"{who(user)}’s time is over; the answer was there before."
    limit = seconds(after.params.timeout_ms)
    return (
        f"{who(user)}: no answer within {limit}. The call is given up, the user gets {gets(after)}."
    )


def turned(before: State, event: Event, after: State) -> str:
    """What the reader, or the story, did to the service."""
    match event:
        case Break():
            return "The recommendations break down: they refuse every call from now on."
        case Repair():
            return "The recommendations are repaired and start anew, healthy."
        case SetErrors(errors):
            return f"From now on {errors} % of the calls are answered with an error."
        case SetLatency(latency):
            if latency == HANGING:
                return "The recommendations hang: they take calls and do not answer."
            if latency == SLOW:
                return f"The recommendations are slow: {seconds(after.params.slow_ms)} on average."
            return "The recommendations answer at their normal speed."
    return f"{health_of(before.service)} → {health_of(after.service)}"


def changed(before: State, after: State) -> list[str]:
    """A sentence for each change of the breaker's state."""
    if after.changes is before.changes:
        return []
    return [why(change, after) for change in after.changes if change not in before.changes]


def why(change: Change, state: State) -> str:
    """A change of the breaker's state, and its reason."""
    params = state.params
    match change.row[1]:
        case "too_many_failures" if params.breaker == CONSECUTIVE:
            return f"{many(params.failure_threshold, 'failure')} in a row: the breaker opens."
        case "too_many_failures":
            return (
                f"{params.failure_share} % or more of the calls of the last "
                f"{seconds(params.window_ms)} failed: the breaker opens."
            )
        case "reset_timeout_over":
            return f"{seconds(params.reset_timeout_ms)} are over: the breaker is half-open."
        case "probe_failed":
            return (
                "The probe failed: the breaker opens again, for another "
                f"{seconds(params.reset_timeout_ms)}."
            )
    probes = params.success_threshold
    return (
        f"{'The probe' if probes == 1 else f'All {probes} probes'} succeeded: the breaker closes."
    )


def swept(before: State, after: State, event: Event) -> list[str]:
    """Those who waited for a thread and are refused all at once, when a thread comes free."""
    own = isinstance(event, Arrive | CallOnce)
    refused = after.tally.refused - before.tally.refused - own
    if refused <= 0:
        return []
    is_refused = "is" if refused == 1 else "are"
    return [f"{many(refused, 'user')} who waited for a thread {is_refused} refused at once."]


# --- What a sighted reader sees -------------------------------------------------------------------


def breaker_says(state: State, now_ms: int) -> tuple[str, str]:
    """The breaker's state in a word, and what it waits for."""
    breaker = state.breaker
    if breaker is None:
        return "no breaker", "every call passes"
    name = STATE_NAMES[breaker.state]
    if breaker.state == OPEN:
        left_ms = breaker.since_ms + breaker.reset_timeout_ms - now_ms
        return name, f"probe in {left_ms / 1000:.1f} s" if left_ms > 0 else "next call: probe"
    if breaker.state == HALF_OPEN:
        return name, f"{breaker.successes} of {many(breaker.success_threshold, 'probe')} ok"
    return name, STATE_MEANS[CLOSED]


def readouts(state: State) -> list[dict[str, str]]:
    """The numbers beside the picture."""
    tally, website = state.tally, state.website
    users = max(1, tally.users)
    numbers = [
        ("Live answers", f"{tally.live:,}", f"of {many(tally.users, 'user')}"),
        (
            "Calls that failed",
            f"{tally.timeout + tally.fault:,}",
            f"of them by timeout: {tally.timeout:,}",
        ),
        ("Refused fast", f"{tally.refused:,}", "calls the service was spared"),
        (
            "Got the fallback",
            f"{tally.fallback:,}",
            f"or {percent(tally.fallback / users)} of the users",
        ),
        ("Got an error", f"{tally.error:,}", f"of whom turned away: {tally.turned_away:,}"),
        ("Threads held", f"{len(website.busy)}", f"of {website.threads}"),
        (
            "A failing user waited",
            f"{tally.failing_wait_ms:,} ms",
            f"on average; the others {tally.live_wait_ms:,} ms",
        ),
    ]
    return [{"label": label, "value": value, "note": note} for label, value, note in numbers]


def departed(state: State) -> tuple[str, str]:
    """The last user who left, and with what (`live`, `fallback` or `error`)."""
    last = state.last
    if last is None:
        return "Nobody has left yet.", ""
    words = {LIVE: "✓ live answer", FALLBACK: f"≈ {FALLBACK_NAME}", ERROR: "✕ error"}
    why_not = {REFUSED: " (refused)", TIMEOUT: " (timed out)", TURNED_AWAY: " (turned away)"}
    end = why_not.get(last.end, "")
    return f"Last user: {words[last.gets]} after {last.waited_ms:,} ms{end}", last.gets


def alternative(state: State, now_ms: int) -> str:
    """What a sighted reader sees, as text."""
    website, service, tally = state.website, state.service, state.tally
    name, waits = breaker_says(state, now_ms)
    between = (
        "There is no breaker between them."
        if state.params.breaker == NONE
        else f"The breaker between them is {name} ({waits}); it opens at {opens_at(state.params)}."
    )
    return (
        f"{len(website.busy)} of {website.threads} threads of the website wait for the "
        f"recommendations, {many(len(website.waiting), 'user')} for a thread. The recommendations "
        f"are {health_of(service)}: {len(service.pool.busy)} of {service.pool.threads} threads are "
        f"taken, {many(len(service.pool.waiting), 'call')} wait in line. {between} Of "
        f"{many(tally.users, 'user')} so far {tally.live:,} got a live answer, {tally.fallback:,} "
        f"the fallback and {tally.error:,} an error ({tally.turned_away:,} of them turned away). "
        f"The breaker refused {many(tally.refused, 'call')}. Users without a live answer waited "
        f"{tally.failing_wait_ms:,} ms on average. In a row {state.watch.longest_row} calls failed "
        "at most."
    )
