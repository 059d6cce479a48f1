"""Row locks of one database as a value: shared or exclusive, first come first served.

A claim that is not compatible with what is held waits behind all earlier claims to the same row, so
a writer is not starved by readers. Nothing here knows of transactions; `owner` is a number.
Strict two-phase locking (a lock is kept until the decision) is what the owners do with it.

Source: Bernstein, Hadzilacos, Goodman, "Concurrency Control and Recovery in Database Systems",
1987, chapter 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...kernel import replace


@dataclass(frozen=True, slots=True)
class Claim:
    """Who has, or waits for, which row; `since_ms` is when it got it, or began to wait."""

    key: str
    owner: int
    shared: bool
    since_ms: int


@dataclass(frozen=True, slots=True)
class Locks:
    """What is held, in the order of granting, and who waits, in the order of coming."""

    held: tuple[Claim, ...] = ()
    queue: tuple[Claim, ...] = ()


def request(locks: Locks, claim: Claim) -> tuple[Locks, bool]:
    """The locks with this claim in them, and whether its owner has the row now."""
    if any(c.owner == claim.owner and c.key == claim.key for c in locks.held):
        return locks, True
    if any(c.owner == claim.owner and c.key == claim.key for c in locks.queue):
        return locks, False
    if _free(claim, locks.held) and all(c.key != claim.key for c in locks.queue):
        return replace(locks, held=(*locks.held, claim)), True
    return replace(locks, queue=(*locks.queue, claim)), False


def give_up(
    locks: Locks, owner: int, now_ms: int
) -> tuple[Locks, tuple[Claim, ...], tuple[Claim, ...]]:
    """The locks without an owner; what it held; and the waiting claims that are granted by that."""
    freed = tuple(c for c in locks.held if c.owner == owner)
    held = [c for c in locks.held if c.owner != owner]
    queue: list[Claim] = []
    granted: list[Claim] = []
    for claim in locks.queue:
        if claim.owner == owner:
            continue
        if _free(claim, held) and all(c.key != claim.key for c in queue):
            held.append(replace(claim, since_ms=now_ms))
            granted.append(claim)
        else:
            queue.append(claim)
    return Locks(tuple(held), tuple(queue)), freed, tuple(granted)


def _free(claim: Claim, held: Sequence[Claim]) -> bool:
    return not any(c.key == claim.key and not (c.shared and claim.shared) for c in held)
