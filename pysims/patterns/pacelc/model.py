"""Latency against consistency, with and without a partition: a quorum store under load.

It shows: of N replicas, a write waits for W and a read for R. Small R and W answer fast and
sometimes with an old value; R + W > N is never old and waits for the slow ones (PACELC's E-L-C).
Cut a replica away, and whoever needs it fails or is told nothing new (its P-A-C).

Papers: Abadi, "Consistency Tradeoffs in Modern Distributed Database System Design", IEEE Computer
45(2), 2012, https://doi.org/10.1109/MC.2012.33 (PACELC); DeCandia et al., "Dynamo", SOSP 2007,
https://doi.org/10.1145/1294261.1294281, sections 4.5 and 4.6 (R, W, N, hinted handoff); Bailis et
al., "Probabilistically Bounded Staleness for Practical Partial Quorums", VLDB 2012,
https://doi.org/10.14778/2212351.2212359 (staleness as a function of the time since the write, and
the model of four message delays that the links here follow).

How a request goes. Its coordinator is the replica next to the client. It asks all N replicas, also
itself, and is done with the R-th answer (the newest version counts) or the W-th acknowledgment.
A read without R answers at its deadline has failed; a write without W acknowledgments is *unknown*,
for it may take effect yet (`failed` marks both). A write goes on, acknowledged or not: every
replica was asked, and the coordinator asks those that have not answered again, until a newer write
takes its place (`retry`).

What is stale. A read is stale if it returned an older version than the newest write that had been
acknowledged when the read was invoked. It could have been stale if at that moment R replicas were
still behind: with other luck in the race, those R would have answered first.

What is measured. Which messages are sent, and how long each takes, depends on neither R nor W
(requests come on their own, and every answer is awaited). So the same messages tell for every R
and every W what a request would have met: `Tally` keeps them all, and a run with that R and W
finds the same numbers.

Simplified: one key; versions are numbered by the moment of their writing, as if clocks were
perfect; the client stands beside its coordinator, which never crashes; no read repair, and no
sloppy quorum (a stand-in for a replica out of reach).
"""

from __future__ import annotations

from dataclasses import dataclass

from ...kernel import (
    Choice,
    Context,
    Deliver,
    Latency,
    Message,
    Network,
    Number,
    OneOf,
    arrive,
    cut,
    heal,
    knob,
    network_of,
    replace,
    send,
)
from .distances import BY_DISTANCE, DISTANCES, LAYOUTS, Line, leg, lines_of, places_of
from .measure import NO_AGES, NO_LATENCIES, Counts, age_bin, bin_of, counted

NAMES = "ABCDE"
KEPT = 8
"""How many of the newest requests stay in the state after they are over."""
RETRY_MS_MIN = 50
RETRY_MS_MAX = 1_000
"""A coordinator waits half of a write's age before it asks again, but no longer than this."""


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader sets before the run; R and W are at most N."""

    layout: str = knob(Choice("The replicas stand in", LAYOUTS), "region")
    replicas: int = knob(Number("N: replicas", 1, len(NAMES)), 3)
    read_quorum: int = knob(Number("R: replicas a read waits for", 1, len(NAMES)), 2)
    write_quorum: int = knob(Number("W: replicas a write waits for", 1, len(NAMES)), 2)
    interval_ms: int = knob(
        Number("Mean time between requests", 2, 1_000, unit="ms", logarithmic=True), 15
    )
    write_share: int = knob(Number("Writes among the requests", 0, 100, unit="%"), 40)
    requests: int = knob(Number("Requests of the clients", 0, 600, step=10), 400)
    loss: int = knob(Number("Messages lost", 0, 50, unit="%"), 0)
    timeout_ms: int = knob(
        Number("A request is given up after", 20, 3_000, unit="ms", logarithmic=True), 1_000
    )


@dataclass(frozen=True, slots=True)
class Replica:
    """A copy of the value: only its version matters here."""

    name: str
    place: str
    version: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back from a replica: it did its part at `handled_ms`, and was heard at `came_ms`.

    For a write, `version` is the one that it stored.
    """

    replica: str
    version: int
    handled_ms: int
    came_ms: int


@dataclass(frozen=True, slots=True)
class Request:
    """A read or a write, at its coordinator.

    `kind` is "read" (R answers), "eventual" (one), "consistent" (N − W + 1) or "write"; `needed`
    the number of answers that it waits for. `version` is what a write writes. `floors[w - 1]` is
    the newest version that w replicas had acknowledged when the request was invoked; `age_ms` the
    time since the newest acknowledged write (-1: there was none). `done_ms` is when the client had
    its answer (-1: not yet), `result` the version that a read returned. `failed` means that the
    deadline came first: the client has no answer, and does not know what became of a write. `over`
    means that nothing more is awaited.
    """

    id: int
    kind: str
    site: str
    needed: int
    by_reader: bool
    invoked_ms: int
    deadline_ms: int
    version: int
    floors: Counts
    age_ms: int
    could_be_stale: bool
    answers: tuple[Answer, ...] = ()
    done_ms: int = -1
    result: int = -1
    failed: bool = False
    over: bool = False


@dataclass(frozen=True, slots=True)
class Tally:
    """What the clients' requests met, for every R and W (the reader's own do not count).

    `read_ms[k - 1]` and `write_ms[k - 1]` count the latencies of the k-th answer in bins, and
    `unread[k - 1]` and `unwritten[k - 1]` the requests whose k-th answer missed the deadline.
    `stale[r - 1][w - 1]` counts the reads that would have been stale. `could` counts those that
    could have been, with the R and W of this run, and `ages` and `ages_stale` its reads by the
    time since the newest acknowledged write.
    """

    read_ms: tuple[Counts, ...]
    write_ms: tuple[Counts, ...]
    unread: Counts
    unwritten: Counts
    stale: tuple[Counts, ...]
    could: int = 0
    ages: Counts = NO_AGES
    ages_stale: Counts = NO_AGES


@dataclass(frozen=True, slots=True)
class State:
    """The store, the requests that are not over with some that are (`kept`), and what was measured.

    `acknowledged[w - 1]` is the newest version that w replicas acknowledged in time, with the
    moment (ms) of the w-th acknowledgment. `away` names the replicas that are cut off. `broken`
    counts the stale reads among those with R + W > N, and among consistent reads. Requests before
    number `measured_from` are not in the tally.
    """

    params: Params
    lines: tuple[Line, ...]
    network: Network
    replicas: tuple[Replica, ...]
    acknowledged: tuple[tuple[int, int], ...]
    tally: Tally
    requests: tuple[Request, ...] = ()
    next_request: int = 0
    newest_version: int = 0
    away: tuple[str, ...] = ()
    broken: tuple[int, int] = (0, 0)
    measured_from: int = 0


# --- Events ---------------------------------------------------------------------------------------


def replica_names(state: State) -> tuple[str, ...]:
    return state.network.nodes


def line_names(state: State) -> tuple[str, ...]:
    """The links, each by its two replicas: "AB"."""
    return tuple(line.a + line.b for line in state.lines)


@dataclass(frozen=True, slots=True)
class Arrive:
    """Request `number` of the clients comes in."""

    number: int


@dataclass(frozen=True, slots=True)
class Due:
    """The deadline of a request; for a write, also the time to ask the silent replicas again."""

    request: int


@dataclass(frozen=True, slots=True)
class ConsistentRead:
    """The reader reads from N − W + 1 replicas, beside this one."""

    site: str = knob(OneOf("At", replica_names), "A")


@dataclass(frozen=True, slots=True)
class EventualRead:
    """The reader reads from whichever replica answers first, beside this one."""

    site: str = knob(OneOf("At", replica_names), "A")


@dataclass(frozen=True, slots=True)
class Write:
    """The reader writes, beside this replica."""

    site: str = knob(OneOf("At", replica_names), "A")


@dataclass(frozen=True, slots=True)
class CutAway:
    """A replica, with the clients beside it, loses its links to all others."""

    site: str = knob(OneOf("Replica", replica_names), "A")


@dataclass(frozen=True, slots=True)
class Heal:
    """Every link works again."""


@dataclass(frozen=True, slots=True)
class SetLink:
    """A link gets another length; the measurement starts anew."""

    line: str = knob(OneOf("Link", line_names), "AB")
    distance: str = knob(Choice("is", DISTANCES), "ocean")


ByReader = ConsistentRead | EventualRead | Write
Event = Arrive | Due | Deliver | ByReader | CutAway | Heal | SetLink


# What messages carry; `request` is the number of the request that they belong to.


@dataclass(frozen=True, slots=True)
class Store:
    """Keep this version."""

    request: int
    version: int


@dataclass(frozen=True, slots=True)
class Ask:
    """Which version do you hold?"""

    request: int


@dataclass(frozen=True, slots=True)
class Reply:
    """A replica's version: after it stored it, or as it was asked for it."""

    request: int
    version: int


# --- What follows from the state ------------------------------------------------------------------


def overlapping(params: Params) -> bool:
    """Whether every read meets a replica of every acknowledged write."""
    return params.read_quorum + params.write_quorum > params.replicas


def consistent_quorum(params: Params) -> int:
    """The least number of answers that overlaps with every write: N − W + 1."""
    return params.replicas - params.write_quorum + 1


def acknowledged_version(state: State) -> int:
    """The newest version whose write was acknowledged to its client."""
    return state.acknowledged[state.params.write_quorum - 1][0]


def floor_of(state: State, request: Request) -> int:
    """The newest version that was acknowledged when the request was invoked."""
    return request.floors[state.params.write_quorum - 1]


def is_stale(state: State, request: Request) -> bool:
    """Whether a read returned less than what had been acknowledged before it."""
    return request.result >= 0 and request.result < floor_of(state, request)


def latency_ms(request: Request) -> int:
    """How long the client waited (ms), for a request that is done or failed."""
    ended = request.deadline_ms if request.failed else request.done_ms
    return ended - request.invoked_ms


def read_units(kind: str) -> float:
    """What DynamoDB charges for a read of up to 4 KB: 1 if strongly consistent, otherwise 0.5.

    Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html.
    """
    return 1.0 if kind == "consistent" else 0.5


def line_between(state: State, a: str, b: str) -> Line | None:
    """The link of two replicas; `None` from a replica to itself."""
    for line in state.lines:
        if (line.a == a and line.b == b) or (line.a == b and line.b == a):
            return line
    return None


# --- Sending --------------------------------------------------------------------------------------


def latency_between(state: State, source: str, target: str, stores: bool) -> Latency:
    line = line_between(state, source, target)
    return leg(line.round_trip_ms if line else 0.0, stores)


def transmit(
    state: State, ctx: Context, source: str, target: str, body: Store | Ask | Reply
) -> State:
    """The state with one more message in flight; what a replica tells itself is never lost."""
    network = state.network
    lane = replace(
        network,
        latency=latency_between(state, source, target, isinstance(body, Store)),
        loss=0.0 if source == target else network.loss,
    )
    sent = send(lane, ctx, source, target, body)
    return replace(state, network=replace(network, in_flight=sent.in_flight, next_id=sent.next_id))


# --- The transitions ------------------------------------------------------------------------------


def check_quorums(params: Params) -> None:
    """`ValueError` if R or W is above N."""
    count = params.replicas
    for words, value in (
        ("R (replicas a read waits for)", params.read_quorum),
        ("W (replicas a write waits for)", params.write_quorum),
    ):
        if value > count:
            raise ValueError(f"{words} must be at most N, which is {count}, got {value}")


def empty_tally(count: int) -> Tally:
    """Nothing measured yet, for so many replicas."""
    none = (0,) * count
    return Tally((NO_LATENCIES,) * count, (NO_LATENCIES,) * count, none, none, (none,) * count)


def init(params: Params, ctx: Context) -> State:
    """The replicas hold version 0; the first client comes soon. `ValueError` for R or W above N."""
    check_quorums(params)
    names = tuple(NAMES[: params.replicas])
    places = places_of(params.layout, params.replicas)
    if params.requests:
        ctx.after(int(ctx.exponential(params.interval_ms) + 0.5), Arrive(0))
    return State(
        params,
        lines_of(params.layout, names),
        network_of(names, leg(0.0, False), params.loss / 100),
        tuple(Replica(name, place) for name, place in zip(names, places, strict=True)),
        ((0, -1),) * params.replicas,
        empty_tally(params.replicas),
    )


def known(state: State, name: str) -> str:
    """`name`, if there is such a replica; `ValueError` says which there are."""
    if name not in state.network.nodes:
        raise ValueError(f"site must be one of {', '.join(state.network.nodes)}, got {name[:40]!r}")
    return name


def update(state: State, event: Event, ctx: Context) -> State:
    """The state after an event; `ValueError` for a replica or a link that is not there."""
    match event:
        case Arrive(number):
            return client_comes(state, number, ctx)
        case Deliver(message):
            return deliver(state, message, ctx)
        case Due(number):
            return due(state, number, ctx)
        case ConsistentRead(site):
            return invoke(state, "consistent", known(state, site), ctx, by_reader=True)
        case EventualRead(site):
            return invoke(state, "eventual", known(state, site), ctx, by_reader=True)
        case Write(site):
            return invoke(state, "write", known(state, site), ctx, by_reader=True)
        case CutAway(site):
            return cut_away(state, known(state, site))
        case Heal():
            return replace(state, network=heal(state.network), away=()) if state.away else state
        case SetLink(line, distance):
            return set_link(state, line, distance)
    raise ValueError(f"pacelc has no event {event!r}")


def client_comes(state: State, number: int, ctx: Context) -> State:
    """A client's request, at any replica; the next comes on its own, whatever this one meets."""
    params = state.params
    if number + 1 < params.requests:
        ctx.after(int(ctx.exponential(params.interval_ms) + 0.5), Arrive(number + 1))
    writes = ctx.random() * 100 < params.write_share
    site = ctx.choice(state.network.nodes)
    return invoke(state, "write" if writes else "read", site, ctx, by_reader=False)


def invoke(state: State, kind: str, site: str, ctx: Context, by_reader: bool) -> State:
    """A request begins: its coordinator asks every replica (Dynamo, section 4.5)."""
    params, number = state.params, state.next_request
    needed = {
        "read": params.read_quorum,
        "eventual": 1,
        "consistent": consistent_quorum(params),
        "write": params.write_quorum,
    }[kind]
    version = state.newest_version + 1 if kind == "write" else -1
    newest, since_ms = state.acknowledged[params.write_quorum - 1]
    behind = sum(1 for each in state.replicas if each.version < newest)
    request = Request(
        number,
        kind,
        site,
        needed,
        by_reader,
        ctx.now_ms,
        ctx.now_ms + params.timeout_ms,
        version,
        tuple(acknowledged for acknowledged, _ in state.acknowledged),
        ctx.now_ms - since_ms if newest else -1,
        kind != "write" and behind >= needed,
    )
    ctx.after(params.timeout_ms, Due(number))
    state = replace(
        state,
        requests=(*kept(state.requests, number), request),
        next_request=number + 1,
        newest_version=max(version, state.newest_version),
    )
    body: Store | Ask = Store(number, version) if kind == "write" else Ask(number)
    for name in state.network.nodes:
        state = transmit(state, ctx, site, name, body)
    return state


def kept(requests: tuple[Request, ...], number: int) -> tuple[Request, ...]:
    """What is not over, the newest, the reader's last two, and the last that failed."""
    chosen = [request.id for request in requests if request.by_reader][-2:]
    chosen += [request.id for request in requests if request.failed][-1:]
    return tuple(
        request
        for request in requests
        if not request.over or request.id > number - KEPT or request.id in chosen
    )


def deliver(state: State, message: Message, ctx: Context) -> State:
    """A message arrives, at a replica or back at a coordinator, or is found lost."""
    network, received = arrive(state.network, message)
    state = replace(state, network=network)
    if received is None:
        return state
    here, body = received.target, received.body
    match body:
        case Reply(number, version):
            answer = Answer(received.source, version, received.sent_ms, ctx.now_ms)
            return hear(state, number, answer)
        case Store(number, version):
            state = store(state, here, version)
            return transmit(state, ctx, here, received.source, Reply(number, version))
        case Ask(number):
            held = next(each.version for each in state.replicas if each.name == here)
            return transmit(state, ctx, here, received.source, Reply(number, held))
    raise ValueError(f"pacelc has no message {body!r}")


def store(state: State, name: str, version: int) -> State:
    """A replica keeps the newer of two versions (last writer wins)."""
    return replace(
        state,
        replicas=tuple(
            replace(each, version=version) if each.name == name and each.version < version else each
            for each in state.replicas
        ),
    )


def found(state: State, number: int) -> Request | None:
    for request in reversed(state.requests):
        if request.id == number:
            return request
    return None


def exchanged(state: State, request: Request) -> State:
    """The state with this request in the place of the one with its number."""
    return replace(
        state,
        requests=tuple(request if each.id == request.id else each for each in state.requests),
    )


def hear(state: State, number: int, answer: Answer) -> State:
    """A coordinator hears an answer; the R-th or W-th ends the client's waiting."""
    request = found(state, number)
    if request is None or request.over:
        return state
    if any(heard.replica == answer.replica for heard in request.answers):
        # A write that was sent twice, because the first acknowledgment was late or lost.
        return state
    answers = (*request.answers, answer)
    request = replace(request, answers=answers, over=len(answers) == len(state.replicas))
    in_time = answer.came_ms < request.deadline_ms
    if in_time and request.kind == "write":
        state = acknowledge(state, request)
    if in_time and counts(state, request):
        state = measure(state, request)
    if in_time and len(answers) == request.needed:
        request = replace(request, done_ms=answer.came_ms)
        if request.kind != "write":
            request = replace(request, result=max(each.version for each in answers))
            state = judge(state, request)
    return exchanged(state, request)


def acknowledge(state: State, request: Request) -> State:
    """One more replica has the write: it is acknowledged for one W more."""
    index = len(request.answers) - 1
    if state.acknowledged[index][0] >= request.version:
        return state
    fresh = (request.version, request.answers[-1].came_ms)
    acknowledged = (*state.acknowledged[:index], fresh, *state.acknowledged[index + 1 :])
    return replace(state, acknowledged=acknowledged)


def judge(state: State, request: Request) -> State:
    """Count a stale read where none was promised to be."""
    if not is_stale(state, request):
        return state
    reads, consistent = state.broken
    if request.kind == "consistent":
        return replace(state, broken=(reads, consistent + 1))
    if request.needed + state.params.write_quorum > state.params.replicas:
        return replace(state, broken=(reads + 1, consistent))
    return state


def due(state: State, number: int, ctx: Context) -> State:
    """The deadline: what is not done has failed. A write goes on to whoever has not answered."""
    request = found(state, number)
    if request is None or request.over:
        return state
    if not request.failed and ctx.now_ms == request.deadline_ms:
        if counts(state, request):
            state = replace(state, tally=missed(state.tally, request, len(state.replicas)))
        request = replace(request, failed=request.done_ms < 0)
    if request.kind != "write":
        return exchanged(state, replace(request, over=True))
    return retry(state, request, ctx)


def retry(state: State, request: Request, ctx: Context) -> State:
    """Ask the silent replicas again, unless this coordinator holds a newer write.

    That is Dynamo's hinted handoff (section 4.6), with the coordinator keeping the hint. A newer
    write has a coordinator of its own, which sends it on, so the older one need not arrive.
    """
    own = next(each for each in state.replicas if each.name == request.site)
    if own.version > request.version:
        return exchanged(state, replace(request, over=True))
    pause_ms = min((ctx.now_ms - request.invoked_ms) // 2, RETRY_MS_MAX)
    ctx.after(max(state.params.timeout_ms, RETRY_MS_MIN, pause_ms), Due(request.id))
    state = exchanged(state, request)
    heard = [answer.replica for answer in request.answers]
    for name in state.network.nodes:
        if name not in heard:
            state = transmit(state, ctx, request.site, name, Store(request.id, request.version))
    return state


# --- Measuring ------------------------------------------------------------------------------------


def counts(state: State, request: Request) -> bool:
    """Whether a request is measured: a client's, since the links are as they are."""
    return not request.by_reader and request.id >= state.measured_from


def measure(state: State, request: Request) -> State:
    """Count the newest answer of a client's request: its latency, and whether it is stale."""
    tally, rank = state.tally, len(request.answers) - 1
    answer = request.answers[-1]
    index = bin_of(answer.came_ms - request.invoked_ms)
    if request.kind == "write":
        return replace(
            state, tally=replace(tally, write_ms=with_counted(tally.write_ms, rank, index))
        )
    newest = max(each.version for each in request.answers)
    row = tuple(
        count + (newest < floor)
        for count, floor in zip(tally.stale[rank], request.floors, strict=True)
    )
    tally = replace(
        tally,
        read_ms=with_counted(tally.read_ms, rank, index),
        stale=(*tally.stale[:rank], row, *tally.stale[rank + 1 :]),
    )
    if len(request.answers) == request.needed:
        tally = measure_age(tally, request, newest < floor_of(state, request))
    return replace(state, tally=tally)


def with_counted(rows: tuple[Counts, ...], rank: int, index: int) -> tuple[Counts, ...]:
    return (*rows[:rank], counted(rows[rank], index), *rows[rank + 1 :])


def measure_age(tally: Tally, request: Request, stale: bool) -> Tally:
    """Count a read of this run by the time since the newest acknowledged write."""
    tally = replace(tally, could=tally.could + request.could_be_stale)
    if request.age_ms < 0:
        return tally
    index = age_bin(request.age_ms)
    return replace(
        tally,
        ages=counted(tally.ages, index),
        ages_stale=counted(tally.ages_stale, index) if stale else tally.ages_stale,
    )


def missed(tally: Tally, request: Request, count: int) -> Tally:
    """Count the answers that did not come by the deadline."""
    came = len(request.answers)
    more = tuple(rank >= came for rank in range(count))
    if request.kind == "write":
        pairs = zip(tally.unwritten, more, strict=True)
        return replace(tally, unwritten=tuple(have + add for have, add in pairs))
    pairs = zip(tally.unread, more, strict=True)
    return replace(tally, unread=tuple(have + add for have, add in pairs))


# --- The network ----------------------------------------------------------------------------------


def cut_away(state: State, name: str) -> State:
    """One more replica stands alone; those that do not still hear each other."""
    if name in state.away:
        return state
    away = (*state.away, name)
    rest = tuple(other for other in state.network.nodes if other not in away)
    groups = (*((other,) for other in away), *((rest,) if rest else ()))
    return replace(state, network=cut(state.network, groups), away=away)


def set_link(state: State, name: str, distance: str) -> State:
    """Move two replicas apart or together; numbers from before would mix with those to come."""
    if name not in line_names(state):
        raise ValueError(
            f"line must be one of {', '.join(line_names(state)) or '(there is none)'},"
            f" got {name[:40]!r}"
        )
    round_trip_ms, km = BY_DISTANCE[distance]
    lines = tuple(
        Line(line.a, line.b, round_trip_ms, km) if line.a + line.b == name else line
        for line in state.lines
    )
    return replace(
        state,
        lines=lines,
        tally=empty_tally(state.params.replicas),
        measured_from=state.next_request,
    )
