"""What two-phase commit promises, checked as the events come by looking at what each one changed.

A property that has fallen stays in `State.falls`, so a light that turns red stays red. This knows
the logs and the locks, and not the rules that are to keep them in order.

Source of the properties: Bernstein, Hadzilacos, Goodman 1987, section 7.3 (AC1 to AC4).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile
from typing import TypeAlias

from ...kernel import Deliver, is_up, replace
from .rules import ABORT, COMMIT, PREPARED
from .shop import (
    END,
    STATUSES,
    Coordinator,
    Decision,
    Event,
    Fall,
    Participant,
    Record,
    State,
    decision_of,
    is_prepared,
)

AGREEMENT, VALIDITY = "agreement", "validity"
LASTING, RELEASED = "a decision lasts", "locks end"
PROPERTIES = (AGREEMENT, VALIDITY, LASTING, RELEASED)

Node: TypeAlias = Participant | Coordinator


def noted(before: State, event: Event, after: State) -> State:
    """The state after an event, with what fell by it."""
    falls = [*_logs(before, after), *_locks(before, after), *_delivered(before, event, after)]
    return replace(after, falls=(*after.falls, *falls)) if falls else after


def has_fallen(state: State, name: str) -> bool:
    """Whether a property was ever violated in a run."""
    return any(fall.property == name for fall in state.falls)


def torn(state: State) -> tuple[int, ...]:
    """The orders about which the participants do not agree."""
    return tuple(sorted({fall.order for fall in state.falls if fall.property == AGREEMENT}))


def _nodes(state: State) -> tuple[Node, ...]:
    return (state.coordinator, *state.participants)


def _logs(before: State, after: State) -> Iterator[Fall]:
    for old, new in zip(_nodes(before), _nodes(after), strict=True):
        if new.log is not old.log or new.unforced is not old.unforced:
            yield from _log(old, new, after)


def _log(old: Node, new: Node, after: State) -> Iterator[Fall]:
    if new.log[: len(old.log)] != old.log:
        for record in old.log:
            if record not in new.log and not _may_go(old, new, record.order):
                yield Fall(LASTING, record.order, f"{new.name} has lost its {record.kind}")
    for record in fresh(old, new):
        if record.kind in STATUSES:
            yield from _decision(old, new, record, after)


def fresh(old: Node, new: Node) -> list[Record]:
    """The records that a node has written since, forced or not, the newest first."""
    last = old.log[-1] if old.log else None
    written = [*takewhile(lambda record: record is not last, reversed(new.log))]
    return [r for r in (*reversed(new.unforced), *written) if r not in old.unforced]


def _may_go(old: Node, new: Node, order: int) -> bool:
    """Whether a node no longer needs what its log says of an order: it has decided, or ended it."""
    if isinstance(new, Participant):
        return bool(decision_of(old, order) or decision_of(new, order))
    kinds = [r.kind for r in (*old.log, *old.unforced, *new.log) if r.order == order]
    return ABORT in kinds or END in kinds


def _decision(old: Node, new: Node, record: Record, after: State) -> Iterator[Fall]:
    earlier = decision_of(old, record.order)
    if earlier not in ("", record.kind):
        text = f"{new.name} had {earlier} for order {record.order} and now {record.kind}"
        yield Fall(LASTING, record.order, text)
    for other in _nodes(after):
        against = decision_of(other, record.order)
        if against not in ("", record.kind):
            text = f"{new.name} has {record.kind} for order {record.order}, {other.name} {against}"
            yield Fall(AGREEMENT, record.order, text)
    if record.kind == COMMIT:
        for member in after.participants:
            if not is_prepared(member, record.order):
                text = f"{new.name} commits order {record.order}, {member.name} has not voted yes"
                yield Fall(VALIDITY, record.order, text)


def _locks(before: State, after: State) -> Iterator[Fall]:
    for old, new in zip(before.participants, after.participants, strict=True):
        if new.locks is not old.locks or new.works is not old.works:
            open_orders = [work.order for work in new.works]
            for claim in new.locks.held:
                if claim.owner > 0 and claim.owner not in open_orders:
                    yield Fall(RELEASED, claim.owner, f"{new.name} still locks {claim.key}")
            yield from _unlocked(new)


def _unlocked(member: Participant) -> Iterator[Fall]:
    """A promise without its locks could not be kept."""
    owners = [claim.owner for claim in member.locks.held]
    for work in member.works:
        if work.status == PREPARED and work.order not in owners:
            yield Fall(RELEASED, work.order, f"{member.name} has let go of order {work.order}")


def _delivered(before: State, event: Event, after: State) -> Iterator[Fall]:
    if not isinstance(event, Deliver) or not isinstance(event.message.body, Decision):
        return
    message, order = event.message, event.message.body.order
    flying = next((m for m in before.network.in_flight if m.id == message.id), None)
    if flying is None or flying.lost or not is_up(before.network, message.target):
        return
    for member in after.participants:
        if member.name == message.target and any(c.owner == order for c in member.locks.held):
            yield Fall(RELEASED, order, f"{member.name} knows about order {order}, and locks on")
