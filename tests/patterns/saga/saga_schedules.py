"""Random schedules of crashes, losses, duplications, delays and readers, and a dumb second look.

The second look reads the books alone. Steps come one after the other and compensations in
reverse, so at every moment the steps of an order that stand are the first so many of its steps,
and no step that was undone ever stands again. No more is needed, and it shares nothing with the
properties that the model watches.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from functools import partial
from random import Random
from typing import Any

from pysims.kernel import Latency, Sim, build, dispatch, is_up, run_until, start
from pysims.order_book import (
    CONFIRMED,
    INVENTORY,
    OPEN,
    PAYMENTS,
    SERVICES,
    SHIPPING,
    conserved,
    in_effect,
    is_complete,
    is_void,
)
from pysims.patterns.saga import model
from pysims.patterns.saga.orchestration import resumed
from pysims.patterns.saga.state import (
    ANSWER_LOST,
    CONFIRM,
    FAILS,
    NOBODY,
    ORCHESTRATOR,
    REFUSES,
    SAGA,
    Crash,
    Inspect,
    Params,
    Place,
    Restart,
    State,
    nodes_of,
    orchestrated,
)

ORDERS_MAX = 6


def params_of(draw: Random, coordination: str) -> Params:
    """A saga and its flaws, from calm to hopeless; each of them can end once it is calm."""
    pivot = draw.choice((PAYMENTS, INVENTORY, SHIPPING, SHIPPING, CONFIRM))
    how = draw.choice((REFUSES, FAILS, ANSWER_LOST))
    # A step past the pivot that refuses for ever is no saga: it would be tried for ever.
    may_fail = SAGA[: SAGA.index(pivot) + 1] if how == REFUSES else SAGA
    scarce = SAGA.index(INVENTORY) <= SAGA.index(pivot)
    drawn = {
        "coordination": coordination,
        "pivot": pivot,
        "how": how,
        "fails": draw.choice((NOBODY, NOBODY, *may_fail)),
        "failures": draw.randint(1, 5),
        "compensation_failures": draw.choice((0, 0, 1, 3)),
        "attempts": draw.randint(1, 4),
        "loss": draw.choice((0.0, 0.0, 0.1, 0.3)),
        "duplication": draw.choice((0.0, 0.2, 0.5)),
        "work_ms": draw.choice((1, 5, 30)),
        "timeout_ms": draw.choice((30, 60, 150)),
        "semantic_lock": draw.choice((False, True)),
        "stock": draw.choice((0, 1, 3, 50)) if scarce else 50,
    }
    return build(Params, drawn)


def happen(draw: Random, state: State) -> Any:
    """Something that a reader might do now, or nothing."""
    up = [name for name in nodes_of(state) if is_up(state.network, name)]
    down = list(state.network.down)
    kind = draw.choice(("place", "place", "crash", "crash", "restart", "restart", "look", "wait"))
    if kind == "place" and len(state.orders) < ORDERS_MAX:
        return Place()
    if kind == "crash" and up:
        return Crash(draw.choice(up))
    if kind == "restart" and down:
        return Restart(draw.choice(down))
    return Inspect() if kind == "look" and state.orders else None


def wrong_in(state: State) -> list[str]:
    """What a dumb reader of the books finds wrong at this moment."""
    found = []
    for order in state.orders:
        rows = [[r for r in book.rows if r.order == order.order] for book in state.books]
        if any(len(there) > 1 for there in rows):
            found.append(f"order {order.order} has a row twice")
        stands = [bool(r) and in_effect(s, r[0]) for s, r in zip(SERVICES, rows, strict=True)]
        if stands != sorted(stands, reverse=True):
            found.append(f"order {order.order} stands as {stands}")
        if rows[0] and rows[0][0].status == CONFIRMED and not all(stands):
            found.append(f"order {order.order} is confirmed and stands as {stands}")
        whole = is_complete(state.books, order.order) or is_void(state.books, order.order)
        if order.outcome and not whole:
            found.append(f"order {order.order} ended as {order.outcome} and is neither")
    if not conserved(state.books, state.params.stock):
        found.append("widgets are astray")
    if state.params.semantic_lock and any(read.anomaly for read in state.reads):
        found.append("a reader who heeds the lock was misled")
    return found + wrong_in_log(state)


def wrong_in_log(state: State) -> list[str]:
    """The orchestrator's log must always tell what it has in memory, and nothing untrue."""
    if not orchestrated(state.params) or not is_up(state.network, ORCHESTRATOR):
        return []
    told = {saga.order: (saga.step, saga.back) for saga in resumed(state.orchestrator.log)}
    found = []
    for saga in state.orchestrator.sagas:
        begun = saga.order in told
        if begun and told[saga.order] != (saga.step, saga.back):
            found.append(f"the log and the memory differ about order {saga.order}")
        if not begun and not saga.writing:
            found.append(f"order {saga.order} has begun, and no log says so")
    return found


def wrong_between(before: State, after: State) -> list[str]:
    """What must never happen from one moment to the next: an undone row that stands again."""
    found = []
    for old, new in zip(before.books, after.books, strict=True):
        if old is not new:
            for was, now in zip(old.rows, new.rows, strict=False):
                if not in_effect(old.service, was) and in_effect(old.service, now):
                    found.append(f"{old.service} did again what it had undone")
    return found


@dataclass
class Tally:
    """What the runs of a test had in them, so that none passes by looking at nothing."""

    seen: Counter[str] = field(default_factory=Counter)

    def count(self, state: State) -> None:
        self.seen["runs"] += 1
        for order in state.orders:
            self.seen[order.outcome or "open"] += 1
            self.seen["compensations"] += sum(effect.undo for effect in order.effects)
            self.seen["given up"] += order.given_up != OPEN
        self.seen["readings"] += len(state.reads)
        self.seen["misled"] += sum(bool(read.anomaly) for read in state.reads)


def checked_run(sim: Sim[State], until_ms: int, tally: Tally) -> Sim[State]:
    """Let a run go on, and look at every step of it."""
    history = run_until(sim, until_ms)
    before = sim.state
    for state in history.states():
        assert state.fallen == (), state.fallen
        if state.books != before.books or state.orders is not before.orders:
            assert wrong_in(state) == []
            assert wrong_between(before, state) == []
        before = state
    tally.seen["events"] += len(history) - 1
    return history[-1]


def shake(draw: Random, coordination: str, seed: int, length: int, tally: Tally) -> Sim[State]:
    """A run through so many calamities."""
    params = params_of(draw, coordination)
    sim = start(model.update, partial(model.init, params), seed)
    high = draw.choice((2, 12, 60, 250))
    network = replace(sim.state.network, latency=Latency.uniform(1, high))
    sim = replace(sim, state=replace(sim.state, network=network))
    for _ in range(length):
        event = happen(draw, sim.state)
        if event is not None:
            sim = dispatch(sim, event)
            tally.seen[type(event).__name__] += 1
        sim = checked_run(sim, sim.now_ms + draw.choice((0, 1, 5, 10, 30, 100, 400)), tally)
    return sim


def calm(sim: Sim[State], tally: Tally, bound_ms: int) -> Sim[State]:
    """No more losses, everybody up, and time."""
    state = sim.state
    network = replace(state.network, loss=0.0, duplication=0.0, latency=Latency.uniform(1, 10))
    sim = replace(sim, state=replace(state, network=network))
    for name in state.network.down:
        sim = checked_run(dispatch(sim, Restart(name)), sim.now_ms, tally)
    return checked_run(sim, sim.now_ms + bound_ms, tally)
