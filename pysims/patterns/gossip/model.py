"""Gossip: replicas that tell a few others, at random, what they know, until everybody knows it.

It shows how an update spreads through replicas of one database like a disease: by anti-entropy
(push, pull, or both), which goes on for ever and reaches everybody, or by rumors, which end and
may miss some. It also shows what the rule "the later timestamp wins" does to deleted items and to
a clock that is fast.

Demers et al., "Epidemic Algorithms for Replicated Database Maintenance", PODC 1987: section 1.3 for
anti-entropy, section 1.4 for rumors (those with feedback and a counter), section 2 for death
certificates.

Simplified: the database has one item, so a message carries all of it, where a real system first
compares checksums or lists of versions; and the rounds of all nodes begin at the same moment, as
the paper counts them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

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
    check_up,
    crash,
    cut,
    heal,
    is_up,
    knob,
    network_of,
    on_disk,
    replace,
    restart,
    restarted,
    send,
)

NAMES = "ABCDEFGHIJKLMNOPQRSTUVWX"
# The slowest request is there before the fastest answer, so what a node answers is what it knew
# when the round began; and two of the slowest fit into the shortest round.
LATENCY_MS = (80, 160)

STRATEGIES = {
    "push": "push: tell what you know",
    "pull": "pull: ask what is new",
    "push_pull": "push and pull: both at once",
    "rumor": "rumors: tell it while it is news",
}
STAMPS = {
    "after": "its clock, but later than what it saw",
    "clock": "its clock",
}


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader sets before the run."""

    strategy: str = knob(Choice("A node gossips by", STRATEGIES), "push")
    nodes: int = knob(Number("Nodes", 3, len(NAMES)), 16)
    fanout: int = knob(Number("Others that it picks in a round", 1, 3), 1)
    interval_ms: int = knob(Number("A round every", 400, 2_000, step=100, unit="ms"), 500)
    loss: float = knob(Number("Messages lost", 0.0, 0.5, step=0.05, hint="As a share."), 0.0)
    tires_after: int = knob(
        Number("A rumor tires after", 1, 5, unit="× told in vain", hint="The paper’s k."), 2
    )
    backup_rounds: int = knob(
        Number(
            "Behind rumors, anti-entropy every",
            0,
            20,
            unit="rounds",
            hint="0: never. Only rumors need it.",
        ),
        0,
    )
    keep_rounds: int = knob(
        Number(
            "Death certificates are kept for",
            0,
            200,
            unit="rounds",
            hint="0: a node that deletes just forgets.",
        ),
        100,
    )
    stamps: str = knob(Choice("A write’s timestamp is", STAMPS), "after")
    skew_ms: int = knob(
        Number("A’s clock is fast by", 0, 10_000, step=500, unit="ms"),
        0,
    )


# --- State ----------------------------------------------------------------------------------------

Stamp: TypeAlias = tuple[int, str]
"""`(clock_ms, writer)`: the later one wins, and between equal clocks the later name."""

NEVER: Stamp = (-1, "")


@dataclass(frozen=True, slots=True)
class Entry:
    """The item as a node has it: the write's number from 0, its timestamp, and whether it is dead.

    A dead entry is a death certificate: it says that the item was deleted, and when.
    """

    number: int
    stamp: Stamp
    dead: bool = False


@dataclass(frozen=True, slots=True)
class Replica:
    """A node. Its item is on disk; that it has news to tell is in memory.

    `hot` says that it spreads a rumor, `in_vain` how often that was told to somebody who knew.
    `highest` is a witness for the invariants, which no rule reads: the latest timestamp that the
    node ever had.
    """

    name: str
    entry: Entry | None = on_disk(None)  # noqa: RUF009  # a value that is frozen
    highest: Stamp = on_disk(NEVER)  # noqa: RUF009
    hot: bool = False
    in_vain: int = 0


@dataclass(frozen=True, slots=True)
class Written:
    """A write or a deletion, as seen from outside; `seen` is what its writer had before."""

    entry: Entry
    writer: str
    at_ms: int
    seen: Stamp


@dataclass(frozen=True, slots=True)
class State:
    """Everything.

    `round` counts the rounds that have begun; `told` is how many nodes knew the newest write when
    each round since it began, `reached_ms` when all that are up knew it (-1: not yet).
    `calm_rounds` counts the rounds since the reader or the story last did something. `messages`
    counts all that were sent, `updates` those of them that carried the item.
    """

    params: Params
    network: Network
    replicas: tuple[Replica, ...]
    writes: tuple[Written, ...] = ()
    round: int = 0
    told: tuple[int, ...] = ()
    reached_ms: int = -1
    calm_rounds: int = 0
    messages: int = 0
    updates: int = 0


# --- Events and messages --------------------------------------------------------------------------


def names_up(state: State) -> list[str]:
    """The nodes that are up."""
    return [name for name in state.network.nodes if is_up(state.network, name)]


def names_with_item(state: State) -> list[str]:
    """The nodes that are up and have something to delete."""
    return [name for name in names_up(state) if value_of(replica_of(state, name)) is not None]


def names_down(state: State) -> list[str]:
    """The nodes that have crashed."""
    return list(state.network.down)


@dataclass(frozen=True, slots=True)
class Write:
    """A client writes a new value at a node."""

    node: str = knob(OneOf("Node", names_up), "A")


@dataclass(frozen=True, slots=True)
class Delete:
    """A client deletes the item at a node that has it."""

    node: str = knob(OneOf("Node", names_with_item), "A")


@dataclass(frozen=True, slots=True)
class Crash:
    """The node stops; its disk survives."""

    node: str = knob(OneOf("Node", names_up), "A")


@dataclass(frozen=True, slots=True)
class Restart:
    """The node is back, with what is on its disk."""

    node: str = knob(OneOf("Node", names_down), "A")


@dataclass(frozen=True, slots=True)
class Cut:
    """The first nodes, so many, and the others no longer hear each other."""

    first: int = knob(Number("Nodes", 1, len(NAMES) - 1), 5)


@dataclass(frozen=True, slots=True)
class Heal:
    """Everybody hears everybody again."""


@dataclass(frozen=True, slots=True)
class Round:
    """Every node that is up picks whom it gossips with now."""


@dataclass(frozen=True, slots=True)
class Push:
    """What the sender has; `swap` asks for something newer in return, if there is."""

    entry: Entry | None
    swap: bool = False


@dataclass(frozen=True, slots=True)
class Pull:
    """A question: is there anything newer than this?"""

    stamp: Stamp


@dataclass(frozen=True, slots=True)
class Newer:
    """The answer to a pull, sent only if there is something newer."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class Rumor:
    """An update that is news to its teller."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class Heard:
    """The answer to a rumor that was none: it had been heard."""

    stamp: Stamp


Event: TypeAlias = Deliver | Round | Write | Delete | Crash | Restart | Cut | Heal
Body: TypeAlias = Push | Pull | Newer | Rumor | Heard


# --- What follows from a state --------------------------------------------------------------------


def replica_of(state: State, name: str) -> Replica:
    """The node of this name, which exists."""
    return state.replicas[NAMES.index(name)]


def stamp_of(entry: Entry | None) -> Stamp:
    """An entry's timestamp; no entry is older than all."""
    return entry.stamp if entry else NEVER


def knows(state: State, replica: Replica) -> bool:
    """Whether the newest write has reached this node, or something that beats it.

    A dropped certificate counts as known; a write that was lost at once, nobody knows.
    """
    if not state.writes:
        return False
    newest = state.writes[-1]
    return newest.seen < newest.entry.stamp <= replica.highest


def knowing(state: State) -> list[str]:
    """The nodes that the newest write has reached, those that are down included."""
    return [replica.name for replica in state.replicas if knows(state, replica)]


def missing(state: State) -> list[str]:
    """The nodes that are up and that the newest write has not reached."""
    up = (replica_of(state, name) for name in names_up(state))
    return [replica.name for replica in up if not knows(state, replica)]


def sides(state: State) -> tuple[tuple[str, ...], ...]:
    """The groups of nodes that hear each other: one, or two where the network is cut."""
    return state.network.groups or (state.network.nodes,)


def value_of(replica: Replica) -> int | None:
    """The write whose value a client reads here; `None` if the item is deleted or unknown."""
    return None if replica.entry is None or replica.entry.dead else replica.entry.number


def agree(state: State) -> bool:
    """Whether clients read the same at all nodes that are up and hear each other."""
    return all(
        len({value_of(replica_of(state, name)) for name in side if is_up(state.network, name)}) <= 1
        for side in sides(state)
    )


def clock_ms(state: State, name: str, now_ms: int) -> int:
    """What a node's clock shows: A's may be fast."""
    return now_ms + (state.params.skew_ms if name == NAMES[0] else 0)


# --- The run --------------------------------------------------------------------------------------


def init(params: Params, ctx: Context) -> State:
    """A whole network whose nodes know nothing; the first round begins after an interval."""
    names = tuple(NAMES[: params.nodes])
    network = network_of(names, Latency.uniform(*LATENCY_MS), loss=params.loss)
    ctx.after(params.interval_ms, Round())
    return State(params, network, tuple(Replica(name) for name in names))


def update(state: State, event: Event, ctx: Context) -> State:
    """The state after an event; `ValueError` for a node or a cut that is not allowed."""
    match event:
        case Deliver(message):
            return delivered(state, message, ctx)
        case Round():
            return gossiped(state, ctx)
        case Write(name):
            return written(state, name, ctx, dead=False)
        case Delete(name):
            return written(state, name, ctx, dead=True)
        case Crash(name):
            check_up(state.network, name)
            state = with_replica(state, restarted(replica_of(state, name), Replica(name)))
            return disturbed(replace(state, network=crash(state.network, name)), ctx)
        case Restart(name):
            check_up(state.network, name, up=False)
            return disturbed(replace(state, network=restart(state.network, name)), ctx)
        case Cut(first):
            return disturbed(cut_off(state, first), ctx)
        case Heal():
            return disturbed(replace(state, network=heal(state.network)), ctx)
    raise ValueError(f"gossip has no event {event!r}")


def with_replica(state: State, replica: Replica) -> State:
    """The state with one node changed."""
    index = NAMES.index(replica.name)
    return replace(state, replicas=(*state.replicas[:index], replica, *state.replicas[index + 1 :]))


def disturbed(state: State, ctx: Context) -> State:
    """Somebody did something, so replicas may differ for a while."""
    return noted(replace(state, calm_rounds=0), ctx.now_ms)


def noted(state: State, now_ms: int) -> State:
    """Remember when the newest write had reached all that are up, for the first time."""
    if state.reached_ms >= 0 or not state.writes or missing(state):
        return state
    return replace(state, reached_ms=now_ms)


def sent(state: State, ctx: Context, source: str, target: str, body: Body) -> State:
    """One message more on its way."""
    carries = isinstance(body, (Newer, Rumor)) or (isinstance(body, Push) and bool(body.entry))
    return replace(
        state,
        network=send(state.network, ctx, source, target, body),
        messages=state.messages + 1,
        updates=state.updates + carries,
    )


# --- Rounds: who gossips with whom ----------------------------------------------------------------


def gossiped(state: State, ctx: Context) -> State:
    """Every node that is up gossips with others that it picks at random (section 1.3).

    It knows the names of all, but neither who is up nor who can be reached.
    """
    ctx.after(state.params.interval_ms, Round())
    told = (*state.told, len(knowing(state))) if state.writes else ()
    calm = state.calm_rounds + 1
    state = replace(state, round=state.round + 1, told=told, calm_rounds=calm)
    for name in names_up(state):
        state = with_replica(state, without_old_certificate(state, name, ctx.now_ms))
        others = [other for other in state.network.nodes if other != name]
        for _ in range(min(state.params.fanout, len(others))):
            target = ctx.choice(others)
            others.remove(target)
            for body in bodies_of(state, replica_of(state, name)):
                state = sent(state, ctx, name, target, body)
    return state


def bodies_of(state: State, replica: Replica) -> list[Body]:
    """What a node has to say in this round to whomever it picks; nothing, maybe."""
    params, entry = state.params, replica.entry
    if params.strategy == "pull":
        return [Pull(stamp_of(entry))]
    if params.strategy == "push_pull":
        return [Push(entry, swap=True)]
    if params.strategy == "push":
        return [Push(entry)] if entry else []
    # "Rumor mongering backed up by anti-entropy" (section 1.5): rare, and so affordable.
    if params.backup_rounds and state.round % params.backup_rounds == 0:
        return [Push(entry, swap=True)]
    return [Rumor(entry)] if entry and replica.hot else []


def without_old_certificate(state: State, name: str, now_ms: int) -> Replica:
    """A node without its death certificate, if that has been kept for long enough (section 2)."""
    replica = replica_of(state, name)
    if replica.entry and expired(state, name, replica.entry, now_ms):
        return replace(replica, entry=None, hot=False, in_vain=0)
    return replica


def expired(state: State, name: str, entry: Entry, now_ms: int) -> bool:
    """Whether an entry is a certificate that has been kept for long enough, by a node's clock."""
    keep_ms = state.params.keep_rounds * state.params.interval_ms
    return entry.dead and clock_ms(state, name, now_ms) - entry.stamp[0] > keep_ms


# --- Messages -------------------------------------------------------------------------------------


def delivered(state: State, message: Message, ctx: Context) -> State:
    """A message reaches its node, unless it was lost or the node is down."""
    network, received = arrive(state.network, message)
    state = replace(state, network=network)
    if received is None:
        return state
    here, there, body = received.target, received.source, received.body
    replica = replica_of(state, here)
    before = stamp_of(replica.entry)
    match body:
        case Push(entry, swap):
            state = taken(state, here, entry, ctx)
            # What it has now is what the sender sent, or something newer.
            if swap and replica.entry and before > stamp_of(entry):
                state = sent(state, ctx, here, there, Newer(replica.entry))
        case Pull(stamp):
            if replica.entry and before > stamp:
                state = sent(state, ctx, here, there, Newer(replica.entry))
        case Newer(entry):
            state = taken(state, here, entry, ctx)
        case Rumor(entry):
            state = taken(state, here, entry, ctx)
            # "Feedback": only who had heard it answers, and that costs the teller its interest.
            if before >= entry.stamp:
                state = sent(state, ctx, here, there, Heard(entry.stamp))
        case Heard(stamp):
            state = tired(state, here, stamp)
    return state


def taken(state: State, name: str, entry: Entry | None, ctx: Context) -> State:
    """A node takes over what is newer than what it has: the later timestamp wins (section 1.1)."""
    replica = replica_of(state, name)
    if entry is None or entry.stamp <= stamp_of(replica.entry):
        return state
    # Nobody takes a certificate that he would throw away: it would wander about for ever.
    if expired(state, name, entry, ctx.now_ms):
        return state
    return noted(with_replica(state, holding(replica, entry)), ctx.now_ms)


def holding(replica: Replica, entry: Entry) -> Replica:
    """A node that has just learned something, which is news to tell."""
    highest = max(replica.highest, entry.stamp)
    return replace(replica, entry=entry, highest=highest, hot=True, in_vain=0)


def tired(state: State, name: str, stamp: Stamp) -> State:
    """Somebody had heard the rumor: after `tires_after` of these a node stops (section 1.4)."""
    replica = replica_of(state, name)
    if not replica.hot or stamp_of(replica.entry) != stamp:
        return state
    in_vain = replica.in_vain + 1
    hot = in_vain < state.params.tires_after
    return with_replica(state, replace(replica, in_vain=in_vain, hot=hot))


# --- What clients and the reader do ---------------------------------------------------------------


def written(state: State, name: str, ctx: Context, dead: bool) -> State:
    """A client writes or deletes at a node; `ValueError` if there is none that is up, of this name.

    A write whose timestamp is older than what the node has is lost at once: the later one wins.
    """
    check_up(state.network, name)
    replica = replica_of(state, name)
    if dead and value_of(replica) is None:
        raise ValueError(f"node must be one that has the item, got {name!r}, which has none")
    seen, now_ms = stamp_of(replica.entry), clock_ms(state, name, ctx.now_ms)
    if state.params.stamps == "after":
        now_ms = max(now_ms, seen[0] + 1)
    entry = Entry(len(state.writes), (now_ms, name), dead)
    record = Written(entry, name, ctx.now_ms, seen)
    state = replace(state, writes=(*state.writes, record), told=(), reached_ms=-1)
    if entry.stamp > seen:
        replica = holding(replica, entry)
        # Without a certificate nothing is left of a deletion, not even that there was one.
        if dead and not state.params.keep_rounds:
            replica = replace(replica, entry=None, hot=False)
    return disturbed(with_replica(state, replica), ctx)


def cut_off(state: State, first: int) -> State:
    """The first nodes are cut off from the others; a cut of a cut network replaces it."""
    nodes = state.network.nodes
    if not 0 < first < len(nodes):
        raise ValueError(f"first must be from 1 to {len(nodes) - 1}, got {first}")
    return replace(state, network=cut(state.network, (nodes[:first], nodes[first:])))
