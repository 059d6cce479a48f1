"""What the clients observed, as a history of one register, and whether it is linearizable.

A read is a read and a `set` a write. A deposit or a withdrawal is a compare-and-set: it found one
balance and left another. A withdrawal that was declined has read the balance, no more.

Several things can happen within one millisecond, above all while a paused run is clicked. They have
an order all the same, and a client that asks after another one was answered is not concurrent with
it. The checker therefore gets each time with the turn of its event as a fraction of a millisecond.
"""

from __future__ import annotations

from functools import lru_cache

from ...consistency import Operation, Verdict, check_linearizable
from .account import START, Request

TURNS = 128
"""More turns than a run has, and a power of two, so that the fractions are exact."""


def instant(time_ms: int, turn: int) -> float:
    """A time in ms, such that of two instants the one of the later event is greater."""
    return time_ms + turn / TURNS


def precedes(first: Request, second: Request) -> bool:
    """Whether one request had been answered before another one was asked."""
    return first.returned_ms is not None and (first.returned_ms, first.returned_turn) < (
        second.invoked_ms,
        second.invoked_turn,
    )


@lru_cache(maxsize=64)
def history_of(requests: tuple[Request, ...]) -> tuple[tuple[int, Operation], ...]:
    """`(request, operation)` for everything that a client may have noticed, or yet may.

    Refused requests are not in it: they have no effect. Of one whose outcome is unknown, every
    balance that was proposed for it is in it, though at most one of them can count; that makes the
    check more lenient and never wrong.
    """
    return tuple(
        (request.id, operation) for request in requests for operation in operations_of(request)
    )


def operations_of(request: Request) -> tuple[Operation, ...]:
    """The operations on the register that one request amounts to."""
    who, begun = request.replica, instant(request.invoked_ms, request.invoked_turn)
    returned = None
    if request.returned_ms is not None:
        returned = instant(request.returned_ms, request.returned_turn)
    if request.status == "declined" or (request.status == "done" and request.kind == "read"):
        return (Operation(who, "read", None, request.balance, begun, returned),)
    if request.status == "done":
        if request.kind == "set":
            return (Operation(who, "write", request.amount, None, begun, returned),)
        pair = (request.found, request.balance)
        return (Operation(who, "cas", pair, True, begun, returned),)
    if request.status not in ("open", "unknown"):
        return ()
    if request.kind == "set":
        written = request.proposals[:1]
        return tuple(Operation(who, "write", balance, None, begun, None) for _, balance in written)
    pairs = tuple(dict.fromkeys(request.proposals))
    return tuple(Operation(who, "cas", pair, None, begun, None) for pair in pairs)


@lru_cache(maxsize=64)
def _checked(history: tuple[Operation, ...]) -> Verdict:
    return check_linearizable(history, START)


def verdict_of(requests: tuple[Request, ...]) -> Verdict:
    """Whether what the clients observed so far is linearizable."""
    return _checked(tuple(operation for _, operation in history_of(requests)))


def requests_behind(
    requests: tuple[Request, ...], operations: tuple[Operation, ...]
) -> tuple[int, ...]:
    """The numbers of the requests behind some operations of their history, in the same order."""
    known = history_of(requests)
    return tuple(
        next(number for number, operation in known if operation == wanted) for wanted in operations
    )
