"""The cluster that both elections run on: what is in its state, and what follows from it.

A box office of a small theater, kept by a few nodes. Each node has a ledger of bookings; the node
that leads sells seats and its heartbeats carry its ledger to the others. Everything that the two
elections share is here; `hear_nobody` and `quorum` are the elections.

Simplified: a heartbeat carries the whole ledger, as the numbers of its bookings, where a real
system sends what is new; customers stand at the node where they book, so that no message of
theirs can be lost; and the clocks of all nodes run equally fast.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from ...kernel import (
    Choice,
    Context,
    Deliver,
    Groups,
    Network,
    Number,
    OneOf,
    is_up,
    knob,
    majority,
    on_disk,
    partitions_of,
    replace,
    send,
)

NAMES = "ABCDEFG"
SEATS = 18
BUYERS = (
    "Ann", "Bob", "Cid", "Dee", "Eve", "Fay", "Gus", "Hal", "Ida", "Joe", "Kim", "Leo", "Mia",
    "Nia", "Oda", "Pam", "Quy", "Ray", "Sam", "Tia", "Uma", "Val", "Wes", "Xia", "Yul", "Zoe",
)  # fmt: skip

LATENCY_MS = (40, 80)
HEARTBEAT_MS = 200
OPEN = -1
"""The end of what has not ended, and the deadline of what has none."""

ELECTIONS = {"hear_nobody": "“I hear nobody, so I lead”", "quorum": "a majority votes"}
FOLLOWER, CANDIDATE, LEADER = "follower", "candidate", "leader"


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader sets before the run."""

    election: str = knob(Choice("How a leader is made", ELECTIONS), "quorum")
    nodes: int = knob(Number("Nodes", 2, len(NAMES)), 5)
    customers_every_ms: int = knob(
        Number("A customer on each side every", 200, 1_000, step=50, unit="ms"), 400
    )
    loss: float = knob(
        Number("Messages lost", 0.0, 0.5, step=0.05, hint="As a share, even without a cut."), 0.0
    )


# --- State ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Booking:
    """One customer's request for a seat, as the customer knows it.

    `seller` took it in `term`. `acknowledged_ms` is when the customer was told that the seat is
    his, or `OPEN`. Its number is its place in `State.bookings`.
    """

    seat: int
    buyer: str
    seller: str
    term: int
    asked_ms: int
    acknowledged_ms: int = OPEN


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What a leader knows of a follower: how much of its ledger the follower has, as of when.

    `sent_ms` is when the heartbeat was sent that the follower confirmed last.
    """

    name: str
    length: int
    sent_ms: int


@dataclass(frozen=True, slots=True)
class Member:
    """A node. Its ledger, its term and its vote are on disk; the rest is lost in a crash.

    `ledger` holds numbers of bookings; `ledger_term` is the term of the leader that it was last
    taken over from. `leader` is whom it follows, `heard_ms` when it last heard a leader.
    `deadline_ms` is when it loses patience: a follower with its leader, a candidate with the
    election, a leader with a majority that does not answer. `trial` says that a candidate only
    asks who would vote for it; `votes` are those who said yes. `alarm_ms` is when an alarm is due.
    """

    name: str
    term: int = on_disk(0)
    voted_for: str = on_disk("")
    ledger: tuple[int, ...] = on_disk(())
    ledger_term: int = on_disk(0)
    role: str = FOLLOWER
    leader: str = ""
    heard_ms: int = OPEN
    deadline_ms: int = OPEN
    waiting_since_ms: int = 0
    alarm_ms: int = OPEN
    beat_ms: int = OPEN
    trial: bool = False
    votes: tuple[str, ...] = ()
    confirmed: tuple[Confirmed, ...] = ()
    accepts: bool = False


@dataclass(frozen=True, slots=True)
class Reign:
    """Who called itself the leader from when to when; the elections without terms have term 0."""

    name: str
    term: int
    from_ms: int
    until_ms: int = OPEN


@dataclass(frozen=True, slots=True)
class State:
    """Everything; `turned_away` counts customers whom nobody could serve."""

    params: Params
    network: Network
    members: tuple[Member, ...]
    bookings: tuple[Booking, ...] = ()
    reigns: tuple[Reign, ...] = ()
    cuts: tuple[tuple[int, int], ...] = ()
    turned_away: int = 0


# --- Messages and events --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A leader is alive, and this is its ledger."""

    term: int
    ledger: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Confirm:
    """A follower has so much of the ledger; `sent_ms` is that of the heartbeat it answers."""

    term: int
    length: int
    sent_ms: int


@dataclass(frozen=True, slots=True)
class RequestVote:
    """A candidate asks for a vote and says how recent its ledger is; on `trial` it only asks."""

    term: int
    ledger_term: int
    length: int
    trial: bool


@dataclass(frozen=True, slots=True)
class Ballot:
    """The answer to a candidate; on `trial` it says what the vote would be."""

    term: int
    granted: bool
    trial: bool = False


def names_up(state: State) -> tuple[str, ...]:
    """The nodes that have not crashed."""
    return tuple(name for name in state.network.nodes if is_up(state.network, name))


def partitions(state: State) -> tuple[str, ...]:
    """The ways to cut the cluster that the reader is offered."""
    return partitions_of(state.network.nodes)


@dataclass(frozen=True, slots=True)
class Timeout:
    """An alarm of a node; stale if its deadline has moved since."""

    node: str


@dataclass(frozen=True, slots=True)
class Beat:
    """A leader's heartbeat is due; stale if it no longer leads."""

    node: str


@dataclass(frozen=True, slots=True)
class Customers:
    """On each side of the network somebody wants a seat, wherever a node calls itself leader."""


@dataclass(frozen=True, slots=True)
class Cut:
    """The network falls apart into sides; nodes that are not named are one side together."""

    partition: str = knob(OneOf("Sides", partitions), "")


@dataclass(frozen=True, slots=True)
class Heal:
    """The network is whole again."""


@dataclass(frozen=True, slots=True)
class Crash:
    """A node stops and forgets what is not on its disk."""

    node: str = knob(OneOf("Node", names_up), "")


@dataclass(frozen=True, slots=True)
class Restart:
    """A node comes back with what is on its disk."""

    node: str = knob(OneOf("Node", lambda state: state.network.down), "")


@dataclass(frozen=True, slots=True)
class Book:
    """A customer asks one node for a seat."""

    node: str = knob(OneOf("Node", names_up), "")


Event: TypeAlias = Deliver | Timeout | Beat | Customers | Cut | Heal | Crash | Restart | Book


# --- What follows from the state ------------------------------------------------------------------


def member_of(state: State, name: str) -> Member:
    """The node of this name, which must exist."""
    return next(member for member in state.members if member.name == name)


def leaders(state: State) -> tuple[Member, ...]:
    """The nodes that are up and call themselves leader."""
    return tuple(
        member
        for member in state.members
        if member.role == LEADER and is_up(state.network, member.name)
    )


def accepting(state: State) -> tuple[Member, ...]:
    """The leaders that accept bookings at the moment."""
    return tuple(member for member in leaders(state) if member.accepts)


def sides(state: State) -> Groups:
    """Which nodes can talk to each other, as far as cuts decide it."""
    return state.network.groups or (state.network.nodes,)


def up_on(state: State, side: tuple[str, ...]) -> tuple[str, ...]:
    """The nodes of a side that have not crashed."""
    return tuple(name for name in side if is_up(state.network, name))


def can_decide(state: State, side: tuple[str, ...]) -> bool:
    """Whether the nodes of a side that are up are a majority of the whole cluster."""
    return len(up_on(state, side)) >= majority(len(state.members))


def holders(state: State, number: int) -> tuple[str, ...]:
    """The nodes that have a booking in their ledger, crashed ones included: it is on disk."""
    return tuple(member.name for member in state.members if number in member.ledger)


def acknowledged(state: State) -> tuple[int, ...]:
    """The numbers of the bookings of which the customer was told that they hold."""
    return tuple(n for n, b in enumerate(state.bookings) if b.acknowledged_ms != OPEN)


def lost(state: State) -> tuple[int, ...]:
    """The acknowledged bookings that no node knows of any more."""
    kept = frozenset(number for member in state.members for number in member.ledger)
    return tuple(number for number in acknowledged(state) if number not in kept)


def waiting(state: State, number: int) -> bool:
    """Whether the customer still stands at the counter: the node that took it may yet answer."""
    booking = state.bookings[number]
    seller = member_of(state, booking.seller)
    return (
        booking.acknowledged_ms == OPEN
        and seller in leaders(state)
        and seller.term == booking.term
        and number in seller.ledger
    )


def sold_twice(state: State) -> tuple[int, ...]:
    """The seats that were promised to more than one customer."""
    seats = [state.bookings[number].seat for number in acknowledged(state)]
    return tuple(seat for seat in range(1, SEATS + 1) if seats.count(seat) > 1)


def free_seat(state: State, ledger: tuple[int, ...]) -> int:
    """The first seat that a ledger has not sold, or 0."""
    taken = [state.bookings[number].seat for number in ledger]
    return next((seat for seat in range(1, SEATS + 1) if seat not in taken), 0)


# --- Transitions that both elections use ----------------------------------------------------------


def with_member(state: State, member: Member) -> State:
    """The state with one node replaced."""
    members = tuple(member if old.name == member.name else old for old in state.members)
    return replace(state, members=members)


def wait_until(member: Member, deadline_ms: int, ctx: Context) -> Member:
    """The node with a new deadline, and an alarm for it unless an earlier one will do.

    An alarm that comes before the deadline only sets the next one: that takes an event for every
    few heartbeats instead of one for each.
    """
    waits = replace(member, deadline_ms=deadline_ms, waiting_since_ms=ctx.now_ms)
    if ctx.now_ms < member.alarm_ms <= deadline_ms:
        return waits
    ctx.after(deadline_ms - ctx.now_ms, Timeout(member.name))
    return replace(waits, alarm_ms=deadline_ms)


def send_all(state: State, source: str, body: object, ctx: Context) -> State:
    """One message to every other node."""
    network = state.network
    for target in network.nodes:
        if target != source:
            network = send(network, ctx, source, target, body)
    return replace(state, network=network)


def beat(state: State, name: str, ctx: Context) -> State:
    """A leader sends its heartbeat to everybody, and sets the time of the next."""
    member = member_of(state, name)
    ctx.after(HEARTBEAT_MS, Beat(name))
    state = with_member(state, replace(member, beat_ms=ctx.now_ms + HEARTBEAT_MS))
    return send_all(state, name, Heartbeat(member.term, member.ledger), ctx)


def begin_reign(state: State, member: Member, ctx: Context) -> State:
    """The node calls itself leader from now on, and says so."""
    reign = Reign(member.name, member.term, ctx.now_ms)
    state = with_member(replace(state, reigns=(*state.reigns, reign)), member)
    return beat(state, member.name, ctx)


def end_reign(state: State, name: str, ctx: Context) -> State:
    """The record says that this node no longer calls itself leader."""
    reigns = tuple(
        replace(reign, until_ms=ctx.now_ms)
        if reign.name == name and reign.until_ms == OPEN
        else reign
        for reign in state.reigns
    )
    return replace(state, reigns=reigns)


def take(state: State, name: str, ctx: Context) -> State:
    """A leader writes a booking for the next customer into its ledger; none if it is sold out."""
    seller = member_of(state, name)
    seat = free_seat(state, seller.ledger)
    if not seat:
        return replace(state, turned_away=state.turned_away + 1)
    number = len(state.bookings)
    again, buyer = divmod(number, len(BUYERS))
    called = f"{BUYERS[buyer]}{again + 1}" if again else BUYERS[buyer]
    booking = Booking(seat, called, name, seller.term, ctx.now_ms)
    state = replace(state, bookings=(*state.bookings, booking))
    return with_member(state, replace(seller, ledger=(*seller.ledger, number)))


def acknowledge(state: State, numbers: tuple[int, ...], ctx: Context) -> State:
    """The customers of these bookings are told that the seats are theirs."""
    bookings = tuple(
        replace(booking, acknowledged_ms=ctx.now_ms) if number in numbers else booking
        for number, booking in enumerate(state.bookings)
    )
    return replace(state, bookings=bookings)
