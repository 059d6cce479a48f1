"""The state of a run: parameters, what the reader can do, messages, replicas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from ...kernel import (
    Choice,
    Context,
    Deliver,
    Network,
    Number,
    OneOf,
    knob,
    majority,
    partitions_of,
    replace,
    send,
)
from .account import NAMES, Copy, Request, Stamp, peers_of

ARROW = " → "
MAJORITY = majority(len(NAMES))
REQUESTS_MAX = 40

MODES = {"cp": "CP: refuse", "ap": "AP: answer"}
RULES = {"lww": "last writer wins", "counter": "PN-counter"}


def replica_names(state: State) -> tuple[str, ...]:
    return NAMES


def cuts(state: State) -> tuple[str, ...]:
    """Every way to cut the three replicas apart."""
    return partitions_of(NAMES)


def one_way_links(state: State) -> tuple[str, ...]:
    return tuple(f"{source}{ARROW}{target}" for source in NAMES for target in peers_of(source))


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader sets before the run."""

    mode: str = knob(Choice("During a cut", MODES), "cp")
    merge: str = knob(Choice("Conflicts under AP", RULES, hint="CP has no conflicts."), "lww")
    latency_ms: int = knob(
        Number("Latency, one way", 5, 200, unit="ms", hint="Each message: 0.7 to 1.3 of it."), 30
    )
    timeout_ms: int = knob(Number("CP waits for a majority", 50, 1_000, step=10, unit="ms"), 200)
    loss: float = knob(Number("Messages lost", 0.0, 0.5, step=0.05), 0.0)


# --- What the reader can do -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Read:
    """A client asks a replica for the balance."""

    replica: str = knob(OneOf("Read at", replica_names), "A")


@dataclass(frozen=True, slots=True)
class Deposit:
    """A client pays in at a replica."""

    replica: str = knob(OneOf("at", replica_names), "A")
    amount: int = knob(Number("$", 1, 1_000), 100)


@dataclass(frozen=True, slots=True)
class Withdraw:
    """A client wants money from a replica."""

    replica: str = knob(OneOf("at", replica_names), "A")
    amount: int = knob(Number("$", 1, 1_000), 100)


@dataclass(frozen=True, slots=True)
class SetBalance:
    """A client writes the balance at a replica, whatever it was."""

    replica: str = knob(OneOf("at", replica_names), "A")
    amount: int = knob(Number("$", 0, 10_000), 400)


@dataclass(frozen=True, slots=True)
class Cut:
    """The network falls apart; only replicas of the same group still hear each other."""

    partition: str = knob(OneOf("Cut", cuts), "A | BC")


@dataclass(frozen=True, slots=True)
class CutOneWay:
    """Messages from one replica to another are lost; the way back still works."""

    link: str = knob(OneOf("Cut one way", one_way_links), f"A{ARROW}B")


@dataclass(frozen=True, slots=True)
class Heal:
    """The network is whole again."""


# --- Messages -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Prepare:
    """Promise me to follow no older ballot, and say what you accepted last."""

    ballot: Stamp


@dataclass(frozen=True, slots=True)
class Promise:
    """I promise, and this is what I accepted last."""

    ballot: Stamp
    accepted: Copy


@dataclass(frozen=True, slots=True)
class Accept:
    """Accept this copy; its stamp is the ballot."""

    proposed: Copy


@dataclass(frozen=True, slots=True)
class Accepted:
    """I have accepted what you proposed."""

    ballot: Stamp


@dataclass(frozen=True, slots=True)
class Reject:
    """No: I have promised a newer ballot."""

    ballot: Stamp
    promised: Stamp


@dataclass(frozen=True, slots=True)
class Update:
    """This is my copy; it goes to every replica that has not confirmed it yet."""

    copy: Copy


@dataclass(frozen=True, slots=True)
class Confirm:
    """I have seen this copy of yours."""

    copy: Copy


Body: TypeAlias = Prepare | Promise | Accept | Accepted | Reject | Update | Confirm


# --- Alarms ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class GiveUp:
    """A replica has waited long enough for a majority."""

    request: int


@dataclass(frozen=True, slots=True)
class AskAgain:
    """A replica repeats its question to those that have not answered."""

    replica: str
    ballot: Stamp
    accepting: bool


@dataclass(frozen=True, slots=True)
class TryAgain:
    """A replica whose ballot was rejected starts another one."""

    replica: str
    ballot: Stamp


@dataclass(frozen=True, slots=True)
class Repeat:
    """A replica tells its copy to those that have not confirmed it."""

    replica: str
    deadline_ms: int


Act: TypeAlias = Read | Deposit | Withdraw | SetBalance | Cut | CutOneWay | Heal
Event: TypeAlias = Act | Deliver | GiveUp | AskAgain | TryAgain | Repeat


# --- The state ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Attempt:
    """A request for which a replica is gathering a majority.

    `promises` holds who has promised, and what each had accepted by then. `proposed` is the copy
    whose acceptance is being asked for, `accepts` names who has accepted it. `rejected` says that
    somebody knows a newer ballot, so that another attempt will follow.
    """

    request: int
    ballot: Stamp
    promises: tuple[tuple[str, Copy], ...] = ()
    proposed: Copy | None = None
    accepts: tuple[str, ...] = ()
    rejected: bool = False


@dataclass(frozen=True, slots=True)
class Replica:
    """One replica.

    `copy` is the account as it knows it: under CP, the last one that it knows to be accepted by a
    majority. `promised` and `accepted` are what it owes to CP's protocol; `ballot_seen` is the
    highest ballot number it has met. `queue` holds the requests that wait for the attempt under
    way. `unsynced` names the others that have not confirmed `copy`; they are told again at
    `repeat_deadline_ms`.
    """

    name: str
    copy: Copy = Copy()  # noqa: RUF009  # frozen, so that all may share it
    promised: Stamp = (0, "")
    accepted: Copy = Copy()  # noqa: RUF009
    ballot_seen: int = 0
    queue: tuple[int, ...] = ()
    attempt: Attempt | None = None
    unsynced: tuple[str, ...] = ()
    repeat_deadline_ms: int = 0


@dataclass(frozen=True, slots=True)
class Merge:
    """A conflict that was resolved: neither copy had seen all that the other had."""

    replica: str
    other: str
    mine: Copy
    theirs: Copy
    kept: Copy
    at_ms: int


@dataclass(frozen=True, slots=True)
class State:
    """A run: the network, three replicas, everything that was asked, and the last conflict."""

    params: Params
    network: Network
    replicas: tuple[Replica, ...]
    requests: tuple[Request, ...] = ()
    conflict: Merge | None = None


def replica_of(state: State, name: str) -> Replica:
    """The replica of this name; `ValueError` says which there are."""
    if name not in NAMES:
        raise ValueError(f"replica must be one of {', '.join(NAMES)}, got {name[:40]!r}")
    return state.replicas[NAMES.index(name)]


def with_replica(state: State, replica: Replica) -> State:
    index = NAMES.index(replica.name)
    before, after = state.replicas[:index], state.replicas[index + 1 :]
    return replace(state, replicas=(*before, replica, *after))


def with_request(state: State, request: Request) -> State:
    before, after = state.requests[: request.id], state.requests[request.id + 1 :]
    return replace(state, requests=(*before, request, *after))


def turn_of(state: State) -> int:
    """How many questions and answers there were: the turn of the next one."""
    answered = sum(request.returned_ms is not None for request in state.requests)
    return len(state.requests) + answered


def sent(state: State, ctx: Context, source: str, targets: tuple[str, ...], body: Body) -> State:
    """The state with a message to each target in flight."""
    network = state.network
    for target in targets:
        network = send(network, ctx, source, target, body)
    return replace(state, network=network)


def held(state: State) -> tuple[int, ...]:
    """The changes that some copy has seen, at a replica or under way."""
    copies = [replica.copy for replica in state.replicas]
    copies += [
        message.body.copy
        for message in state.network.in_flight
        if isinstance(message.body, Update) and not message.lost
    ]
    return tuple(dict.fromkeys(entry.request for copy in copies for entry in copy.ledger))


def confirmed_changes(state: State) -> tuple[Request, ...]:
    """The changes that a client was told are done."""
    return tuple(r for r in state.requests if r.status == "done" and r.kind != "read")


def counted(state: State) -> tuple[Request, ...]:
    """The changes of unknown outcome that a majority has accepted, as some replica knows by now."""
    known = {entry.request for replica in state.replicas for entry in replica.copy.ledger}
    return tuple(r for r in state.requests if r.status == "unknown" and r.id in known)


def undecided(state: State) -> tuple[Request, ...]:
    """The changes of unknown outcome that may still come to count.

    Somebody has accepted a copy with such a change, or may yet, and no newer copy is known to be
    that of a majority. Every later proposer would meet the newer one.
    """
    newest = max(replica.copy.stamp for replica in state.replicas)
    copies = [replica.accepted for replica in state.replicas]
    copies += [
        message.body.proposed
        for message in state.network.in_flight
        if isinstance(message.body, Accept) and not message.lost
    ]
    held_by_some = {e.request for copy in copies if copy.stamp > newest for e in copy.ledger}
    settled = counted(state)
    return tuple(
        r
        for r in state.requests
        if r.status == "unknown" and r.id in held_by_some and r not in settled
    )


def lost(state: State) -> tuple[Request, ...]:
    """The changes that a client was told are done and that nobody holds any more."""
    somewhere = held(state)
    return tuple(change for change in confirmed_changes(state) if change.id not in somewhere)


def behind(state: State, copy: Copy) -> tuple[int, ...]:
    """The changes that a client was told are done, that this copy has not seen, and others have."""
    known = {entry.request for entry in copy.ledger}
    somewhere = held(state)
    return tuple(
        change.id
        for change in confirmed_changes(state)
        if change.id in somewhere and change.id not in known
    )
