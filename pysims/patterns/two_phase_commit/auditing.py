"""Auditors: each asks all four services about the newest order, and looks whether it fits.

An auditor is a transaction that only reads, under strict two-phase locking: each service locks the
order's row for him (it waits while the order is under way), and he gives the locks back when he has
all four answers. So he sees an order before or after, never between. An auditor who waits for an
order that waits for him is a deadlock; it ends when one of the two has waited too long: the order
is refused after `lock_wait_ms`, the auditor lets go a round trip later and starts over.

Simplified: an auditor notices at once when a service crashes that has answered him, as one does by
a broken connection; its lock is gone, so he does not use the answer.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...kernel import Context, replace
from ...order_book import OPEN, Database, Read, Row, findings
from .shop import (
    AUDITOR,
    Alarm,
    Answer,
    Ask,
    Reading,
    Release,
    State,
    newest,
    post,
    reading_ms,
)


def begin(state: State, ctx: Context) -> State:
    """Somebody asks about the newest order, if there is one."""
    order = newest(state)
    if not order:
        return state
    number = len(state.reads)
    state = replace(state, reads=(*state.reads, Read(order, ctx.now_ms)))
    return attempt(state, number, order, ctx)


def attempt(state: State, number: int, order: int, ctx: Context) -> State:
    """All services are asked at once."""
    auditor = state.auditor
    tried = auditor.attempts + 1
    reading = Reading(number, order, tried, ctx.now_ms + reading_ms(state.params))
    auditor = replace(auditor, readings=(*auditor.readings, reading), attempts=tried)
    state = replace(state, auditor=auditor)
    for member in state.participants:
        state = post(state, AUDITOR, member.name, Ask(tried, order), ctx)
    return armed(state, ctx)


def answered(state: State, source: str, answer: Answer, ctx: Context) -> State:
    """A service has answered; with the last answer the locks go back and the reading is done."""
    reading = next((r for r in state.auditor.readings if r.attempt == answer.attempt), None)
    if reading is None or any(name == source for name, _ in reading.answers):
        return state
    answers = (*reading.answers, (source, answer.status))
    reading = replace(reading, answers=answers)
    if len(answers) < len(state.participants):
        return with_readings(
            state,
            [reading if r.attempt == answer.attempt else r for r in state.auditor.readings],
        )
    state = let_go(state, reading, ctx)
    services = [member.name for member in state.participants]
    done = replace(
        state.reads[reading.number],
        done_ms=ctx.now_ms,
        anomaly=anomaly_of(reading.order, services, answers),
    )
    before, after = state.reads[: reading.number], state.reads[reading.number + 1 :]
    return replace(state, reads=(*before, done, *after))


def anomaly_of(order: int, services: Sequence[str], answers: Sequence[tuple[str, str]]) -> str:
    """The first thing that does not fit in the rows of an order as they were read, or ""."""
    rows = {name: (Row(order, status),) for name, status in answers if status}
    found = findings([Database(name, rows.get(name, ())) for name in services])
    return found[0].text if found else ""


def let_go(state: State, reading: Reading, ctx: Context) -> State:
    """The auditor's locks are given back; the reading is no longer under way."""
    state = with_readings(
        state, [r for r in state.auditor.readings if r.attempt != reading.attempt]
    )
    for member in state.participants:
        state = post(state, AUDITOR, member.name, Release(reading.attempt), ctx)
    return state


def alarmed(state: State, ctx: Context) -> State:
    """Auditors who have waited too long start over."""
    state = replace(state, auditor=replace(state.auditor, alarm_ms=OPEN))
    for reading in state.auditor.readings:
        if reading.deadline_ms <= ctx.now_ms:
            state = let_go(state, reading, ctx)
            state = attempt(state, reading.number, reading.order, ctx)
    return armed(state, ctx)


def forgotten(state: State, service: str) -> State:
    """A service has crashed: what it answered is worth nothing any more."""
    return with_readings(
        state,
        [
            replace(r, answers=tuple(pair for pair in r.answers if pair[0] != service))
            for r in state.auditor.readings
        ],
    )


def with_readings(state: State, readings: Sequence[Reading]) -> State:
    return replace(state, auditor=replace(state.auditor, readings=tuple(readings)))


def armed(state: State, ctx: Context) -> State:
    """One alarm for the earliest deadline."""
    auditor = state.auditor
    deadlines = [reading.deadline_ms for reading in auditor.readings]
    if not deadlines or ctx.now_ms < auditor.alarm_ms <= min(deadlines):
        return state
    due_ms = max(min(deadlines), ctx.now_ms)
    ctx.after(due_ms - ctx.now_ms, Alarm(AUDITOR))
    return replace(state, auditor=replace(auditor, alarm_ms=due_ms))
