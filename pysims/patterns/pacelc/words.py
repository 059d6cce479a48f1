"""What the store says: numbers for people, what became of a request, what an event did."""

from __future__ import annotations

from ...kernel import Deliver, Message
from ...phrases import listed, percent
from .distances import DISTANCES, LAYOUTS, floor_ms
from .measure import Counts, interval, quantile
from .model import (
    Arrive,
    Ask,
    ConsistentRead,
    CutAway,
    Due,
    Event,
    EventualRead,
    Heal,
    Request,
    SetLink,
    State,
    Store,
    Write,
    floor_of,
    is_stale,
    latency_ms,
    overlapping,
    read_units,
)

VERBS = {
    "read": "Read",
    "eventual": "Eventual read",
    "consistent": "Consistent read",
    "write": "Write",
}


# --- Numbers ----------------------------------------------------------------------------


def of_total(hits: int, total: int) -> str:
    return percent(hits / total) if total else "–"


def ms(value: float | None) -> str:
    """A time for people; a dash if there is none."""
    return "–" if value is None else f"{value:.0f} ms"


def within(state: State, counts: Counts, missed: int, share: float) -> str:
    """The time in which this share of all requests was done, also of those that missed theirs."""
    if not sum(counts) + missed:
        return "–"
    value = quantile(counts, share, missed)
    return f"> {state.params.timeout_ms:,} ms" if value is None else ms(value)


def rtt(value: float) -> str:
    return f"{value:g} ms"


def price(request: Request) -> str:
    """What DynamoDB would charge for one of its two reads, as the end of a title."""
    if request.kind not in ("eventual", "consistent"):
        return ""
    return ", 1 unit" if read_units(request.kind) == 1 else ", ½ unit"


# --- A request ----------------------------------------------------------------------------------


def title_of(request: Request) -> str:
    """What a request is, in words: "Eventual read at B"."""
    return f"{VERBS[request.kind]} at {request.site}"


def came(request: Request) -> str:
    """How many of the answers that a request needs have come in time: "1 of 2"."""
    in_time = sum(answer.came_ms < request.deadline_ms for answer in request.answers)
    return f"{min(in_time, request.needed)} of {request.needed}"


def verdict(state: State, request: Request) -> tuple[str, str]:
    """What became of a request, as (mark, words); the mark is a class of the scene."""
    heard = came(request)
    if request.failed and request.kind == "write":
        return "unknown", f"unknown: {heard} acknowledged in time"
    if request.failed:
        return "bad", f"failed: {heard} answers in time"
    if request.done_ms < 0:
        return "open", f"waiting: {heard} answers"
    if request.kind == "write":
        return "good", f"acknowledged by {request.needed}"
    if is_stale(state, request):
        return "bad", f"STALE: v{floor_of(state, request)} was acknowledged before"
    if request.could_be_stale:
        return "luck", "fresh, could have been stale"
    if request.needed + state.params.write_quorum > state.params.replicas:
        return "good", "fresh, as promised"
    return "good", "fresh, could not be stale"


def in_short(state: State, request: Request) -> str:
    """What became of a request, with its version, in words for a narrow column."""
    heard = came(request)
    if request.kind == "write":
        became = "unknown" if request.failed else "waiting" if request.done_ms < 0 else "written"
        return f"v{request.version} {became}: {heard}"
    if request.done_ms < 0:
        return f"{'failed' if request.failed else 'waiting'}: {heard}"
    if is_stale(state, request):
        return f"v{request.result} STALE, v{floor_of(state, request)} exists"
    return f"v{request.result} fresh{', by luck' if request.could_be_stale else ''}"


def waits(request: Request) -> str:
    return f"waits for {request.needed} {'replicas' if request.needed > 1 else 'replica'}"


def stale_reads(state: State) -> tuple[int, int]:
    """This run's stale reads, and all of its reads that are done."""
    r, w = state.params.read_quorum, state.params.write_quorum
    return state.tally.stale[r - 1][w - 1], sum(state.tally.read_ms[r - 1])


# --- The whole ------------------------------------------------------------------------------------


def light_needs(state: State) -> str:
    """What of the round trips is physics."""
    far = [line for line in state.lines if floor_ms(line.km) >= 1]
    if not far:
        return ""
    line = min(far, key=lambda each: each.km)
    return (
        f"Of the {rtt(line.round_trip_ms)} between {line.a} and {line.b}, light in straight fiber "
        f"needs {floor_ms(line.km):.0f} ms."
    )


def readouts(state: State) -> list[dict[str, str]]:
    """The numbers beside the picture."""
    params, tally = state.params, state.tally
    r, w = params.read_quorum, params.write_quorum
    unread, unwritten = tally.unread[r - 1], tally.unwritten[w - 1]
    stale, reads = stale_reads(state)

    def times(counts: Counts, missed: int) -> tuple[str, str]:
        median, tail = (within(state, counts, missed, share) for share in (0.5, 0.99))
        return median, f"median; p99 {tail}"

    numbers = [
        (f"Read, R = {r}", *times(tally.read_ms[r - 1], unread)),
        (f"Write, W = {w}", *times(tally.write_ms[w - 1], unwritten)),
        ("Stale reads", of_total(stale, reads), how_stale(state)),
        (
            "Failed or unknown",
            f"{unread + unwritten}",
            f"in {params.timeout_ms:,} ms: {unread} reads, {unwritten} writes",
        ),
    ]
    return [{"label": label, "value": value, "note": note} for label, value, note in numbers]


def how_stale(state: State) -> str:
    """How many reads were stale, how many more could have been, and how sure that share is."""
    stale, reads = stale_reads(state)
    if overlapping(state.params):
        return f"{stale} of {reads}; none can be"
    low, high = interval(stale, reads)
    return (
        f"{stale} of {reads}, and {state.tally.could - stale} fresh by luck; "
        f"95 % sure: {percent(low)} to {percent(high)}"
    )


def promise(state: State) -> str:
    """Whether R and W overlap, as a formula."""
    params = state.params
    r, w, n = params.read_quorum, params.write_quorum, params.replicas
    if overlapping(params):
        return f"R + W = {r} + {w} > N = {n}: every read hears of the newest acknowledged write."
    return f"R + W = {r} + {w} ≤ N = {n}: a read may miss the newest acknowledged write."


def opening(state: State) -> str:
    """How a run starts, in a sentence."""
    params = state.params
    return (
        f"{params.replicas} replicas in {LAYOUTS[params.layout]}; reads wait for "
        f"{params.read_quorum}, writes for {params.write_quorum}."
    )


# --- What an event did ----------------------------------------------------------------------------


def describe(before: State | None, event: Event | None, after: State) -> str:
    """What an event did, in a sentence; without an event, how the run starts."""
    if before is None or event is None:
        return opening(after)
    match event:
        case Arrive() | ConsistentRead() | EventualRead() | Write():
            return begun(after, after.requests[-1])
        case Deliver(message):
            return delivered(before, message, after)
        case Due(number):
            return at_deadline(before, number, after)
        case CutAway(site):
            return f"{site} is cut away: nothing gets to it or from it."
        case Heal():
            return "Every link works again."
        case SetLink(line, distance):
            link = next(each for each in after.lines if each.a + each.b == line)
            return (
                f"{link.a} and {link.b} are now {DISTANCES[distance]}, {rtt(link.round_trip_ms)} "
                f"there and back (light needs {floor_ms(link.km):.2g} ms); measuring starts anew."
            )


def begun(state: State, request: Request) -> str:
    what = f" of v{request.version}" if request.kind == "write" else ""
    who = "Your " if request.by_reader else ""
    verb = VERBS[request.kind]
    verb = verb[0].lower() + verb[1:] if who else verb
    asked = f"asks all {len(state.replicas)} and {waits(request)}"
    return f"{who}{verb}{what} at {request.site}: it {asked}."


def of_number(state: State, number: int) -> Request | None:
    return next((request for request in state.requests if request.id == number), None)


def delivered(before: State, message: Message, after: State) -> str:
    """What became of a message."""
    body, way = message.body, f"from {message.source} to {message.target}"
    if message.source == message.target:
        way = f"of {message.source} to itself"
    if any(m.id == message.id and m.lost for m in before.network.in_flight):
        return f"A message {way} is lost."
    if isinstance(body, Store):
        held = next(each.version for each in before.replicas if each.name == message.target)
        verb = "stores" if held < body.version else f"has v{held} already and acknowledges"
        source = "" if message.source == message.target else f" from {message.source}"
        return f"{message.target} {verb} v{body.version}{source}."
    if isinstance(body, Ask):
        held = next(each.version for each in after.replicas if each.name == message.target)
        whom = "itself" if message.source == message.target else message.source
        return f"{message.target} answers {whom} with v{held}."
    return heard(before, message, after)


def heard(before: State, message: Message, after: State) -> str:
    """What an answer did at its coordinator."""
    old, new = (of_number(state, message.body.request) for state in (before, after))
    source = "its own" if message.source == message.target else f"{message.source}’s"
    if old is None or new is None or len(old.answers) == len(new.answers):
        return f"{message.target} no longer needs {source} answer."
    if old.done_ms < 0 <= new.done_ms:
        _, words = verdict(after, new)
        result = f" v{new.result}," if new.kind != "write" else ""
        return f"{title_of(new)} is done after {latency_ms(new)} ms:{result} {words}."
    late = ", after the client had its answer" if new.done_ms >= 0 else ""
    return (
        f"{message.target} has {source} answer, {len(new.answers)} of {len(after.replicas)}{late}."
    )


def at_deadline(before: State, number: int, after: State) -> str:
    """What a deadline did."""
    old, new = of_number(before, number), of_number(after, number)
    if old is None or old.over:
        return "A deadline passes that nobody waits for any more."
    request = new or old
    if request.failed and not old.failed:
        heard = came(request)
        if request.kind == "write":
            return (
                f"{title_of(request)} has {heard} acknowledgments after {latency_ms(request)} ms: "
                f"its outcome is unknown, and v{request.version} may spread yet."
            )
        return f"{title_of(request)} fails after {latency_ms(request)} ms, with {heard} answers."
    if request.over:
        return f"{request.site} gives up on answers that are still missing."
    names = [
        name for name in after.network.nodes if name not in [a.replica for a in request.answers]
    ]
    return f"{request.site} sends v{request.version} again to {listed(names)}."
