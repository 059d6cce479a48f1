"""What the replicas keep: copies of one account, how a copy changes, and how two become one.

Three rules say which of two copies that differ is right:

* CP: the one that a majority accepted last; its `stamp` is the ballot (see `majority`).
* AP, last writer wins: the one whose `stamp`, a time of day, is later. Thomas, "A Majority
  Consensus Approach to Concurrency Control", TODS 4(2), 1979, introduced timestamps for this.
* AP, PN-counter: neither. Every replica counts apart what was added and what was taken at each
  replica, and the larger count of each wins. Shapiro, Preguiça, Baquero and Zawirski, "A
  Comprehensive Study of Convergent and Commutative Replicated Data Types", INRIA RR-7506, 2011,
  section 3.1.3, https://inria.hal.science/inria-00555588.

A copy also carries a ledger of the requests that made it. CP needs it, to apply no request twice;
under AP it decides nothing, and only lets the picture say what an answer does not know.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from ...kernel import replace

NAMES = ("A", "B", "C")
START = 400
"""Dollars on the account at first."""

Stamp: TypeAlias = tuple[int, str]
"""`(number, replica)`: a ballot, or a time in ms; the name breaks ties."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A change that a copy has seen: the request's number, and the balance that it left there."""

    request: int
    balance: int


@dataclass(frozen=True, slots=True)
class Copy:
    """One copy of the account; `added` and `taken` are dollars for each replica in turn."""

    balance: int = START
    stamp: Stamp = (0, "")
    ledger: tuple[Entry, ...] = ()
    added: tuple[int, ...] = (0,) * len(NAMES)
    taken: tuple[int, ...] = (0,) * len(NAMES)


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asked of a replica, and what became of it.

    `kind` is "read", "deposit", "withdraw" or "set". `status` is "waiting" (the replica is busy
    with an earlier one), "open", "done", "declined" (too little money), "refused" (it had no effect
    and never will) or "unknown" (it may have had one, or still get it). `found` is the balance
    before and `balance` the one after. `unreached` names those whose answer was missing. `behind`
    holds the numbers of the changes that had been answered elsewhere and that this answer did not
    know. `proposals` are the pairs (found, balance) that were sent out. The turns number the
    questions and answers of a run, so that those of one millisecond have an order too.
    """

    id: int
    replica: str
    kind: str
    amount: int
    invoked_ms: int
    status: str = "waiting"
    returned_ms: int | None = None
    found: int = 0
    balance: int = 0
    unreached: tuple[str, ...] = ()
    behind: tuple[int, ...] = ()
    proposals: tuple[tuple[int, int], ...] = ()
    invoked_turn: int = 0
    returned_turn: int = 0


def peers_of(name: str) -> tuple[str, ...]:
    return tuple(other for other in NAMES if other != name)


def entry_of(copy: Copy, request: Request) -> Entry | None:
    """The entry of a request in a copy's ledger, if it is there."""
    return next((entry for entry in copy.ledger if entry.request == request.id), None)


def balance_after(request: Request, balance: int) -> int:
    """What a request leaves of a balance; a withdrawal of more than there is leaves all of it."""
    if request.kind == "deposit":
        return balance + request.amount
    if request.kind == "withdraw" and request.amount <= balance:
        return balance - request.amount
    return request.amount if request.kind == "set" else balance


def changes(request: Request, balance: int) -> bool:
    """Whether a request writes at all when it finds this balance."""
    return request.kind in ("deposit", "set") or (
        request.kind == "withdraw" and request.amount <= balance
    )


def applied(copy: Copy, request: Request, stamp: Stamp) -> Copy:
    """The copy after a request that changes it, at the replica that the request names.

    A counter knows no "set": it adds or takes the difference to what this replica has seen.
    """
    balance = balance_after(request, copy.balance)
    delta = balance - copy.balance
    ledger = (*copy.ledger, Entry(request.id, balance))
    added = _plus(copy.added, request.replica, max(0, delta))
    taken = _plus(copy.taken, request.replica, max(0, -delta))
    return Copy(balance, stamp, ledger, added, taken)


def _plus(counts: tuple[int, ...], name: str, amount: int) -> tuple[int, ...]:
    index = NAMES.index(name)
    return (*counts[:index], counts[index] + amount, *counts[index + 1 :])


def merged(rule: str, mine: Copy, theirs: Copy) -> Copy:
    """What two copies become: `rule` is "counter", or anything else for 'the later stamp wins'."""
    if rule != "counter":
        return max(mine, theirs, key=lambda copy: copy.stamp)
    added = tuple(map(max, mine.added, theirs.added))
    taken = tuple(map(max, mine.taken, theirs.taken))
    ledger = tuple(sorted({*mine.ledger, *theirs.ledger}, key=lambda entry: entry.request))
    stamp = max(mine.stamp, theirs.stamp)
    return replace(
        mine,
        balance=START + sum(added) - sum(taken),
        stamp=stamp,
        ledger=ledger,
        added=added,
        taken=taken,
    )


def only_in(copy: Copy, other: Copy) -> tuple[int, ...]:
    """The requests that one copy has seen and the other has not."""
    known = {entry.request for entry in other.ledger}
    return tuple(entry.request for entry in copy.ledger if entry.request not in known)
