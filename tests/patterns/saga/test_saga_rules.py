"""One test for each rule of a saga: the keys, the pivot, the log, the row, the lock, the events."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Any

import pytest

import pysims
from pysims.kernel import Latency, Sim, build, dispatch, run_script, run_until, set_latency, start
from pysims.order_book import (
    COMPLETED,
    OPEN,
    ORDERS,
    PAYMENTS,
    PRICE_CENTS,
    SERVICES,
    SHIPPING,
    STOCK,
    VOID,
    Databases,
    findings,
    income_cents,
    overdone,
    rank,
    standing,
)
from pysims.patterns.saga import PATTERN, model
from pysims.patterns.saga.choreography import (
    CHAIN_MAX,
    TURNS_MAX,
    cycle_in,
    longest_chain,
    subscriptions,
)
from pysims.patterns.saga.measure import (
    knows_all,
    messages_without_faults,
    touched_by_new_step,
    turned,
)
from pysims.patterns.saga.orchestration import resumed
from pysims.patterns.saga.safety import ADDS_UP, FORWARD, ONCE, WHOLE
from pysims.patterns.saga.state import (
    BACKOFF_MAX_MS,
    BACKOFF_MS,
    CHOREOGRAPHY,
    CONFIRM,
    COORDINATIONS,
    ORCHESTRATION,
    ORCHESTRATOR,
    PIVOTS,
    RECORDS_MAX,
    SAGA,
    Command,
    Crash,
    Effect,
    Inspect,
    Params,
    Place,
    Restart,
    State,
    nodes_of,
    pivot_of,
)
from pysims.patterns.saga.view import ledgers_of, view
from pysims.patterns.saga.words import alternative, describe

both = pytest.mark.parametrize("coordination", COORDINATIONS)
ONE = ((5, Place()),)


def begun(seed: int = 1, **params: Any) -> Sim[State]:
    return start(model.update, partial(model.init, build(Params, params)), seed)


def told(script: Any = ONE, until_ms: int = 4_000, seed: int = 1, **params: Any) -> State:
    """The state after a script."""
    state: State = run_script(begun(seed, **params), script, until_ms)[-1].state
    return state


def effects(state: State, order: int = 1) -> list[str]:
    return [("undo " if e.undo else "") + SAGA[e.step] for e in state.orders[order - 1].effects]


def statuses(books: Databases) -> list[list[tuple[int, str]]]:
    """The rows without the order of their coming."""
    return [sorted((row.order, row.status) for row in book.rows) for book in books]


# --- The two coordinations ------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_both_coordinations_leave_the_same_books_without_faults(seed: int) -> None:
    crowd: dict[str, Any] = {
        "orders_per_s": 20.0,
        "customers_ms": 3_000,
        "declined": 0.2,
        "stock": 1_000,
    }
    one, other = (told((), 8_000, seed, coordination=c, **crowd) for c in COORDINATIONS)
    assert statuses(one.books) == statuses(other.books)
    assert [o.outcome for o in one.orders] == [o.outcome for o in other.orders]
    assert {o.outcome for o in one.orders} == {COMPLETED, VOID}
    assert findings(one.books) == ()


@both
def test_an_undisturbed_order_takes_as_many_messages_as_is_said(coordination: str) -> None:
    state = told(coordination=coordination)
    assert state.orders[0].messages == messages_without_faults(state.params)
    assert state.orders[0].messages == {ORCHESTRATION: 10, CHOREOGRAPHY: 8}[coordination]


@both
@pytest.mark.parametrize("step", SAGA)
def test_whichever_step_refuses_what_stands_is_undone_in_reverse(
    coordination: str, step: str
) -> None:
    state = told(coordination=coordination, fails=step, pivot=CONFIRM)
    done = list(SAGA[: SAGA.index(step)])
    assert effects(state) == done + [f"undo {name}" for name in reversed(done)]
    assert state.orders[0].outcome == VOID
    assert findings(state.books) == ()


def test_the_orchestrator_ends_up_knowing_all_and_in_choreography_nobody_does() -> None:
    ways: list[dict[str, Any]] = [{}, {"fails": SHIPPING}, {"fails": CONFIRM, "pivot": CONFIRM}]
    for params in ways:
        state = told(**params)
        assert [n for n in nodes_of(state) if knows_all(state, n, 1)] == [ORCHESTRATOR]
        state = told(coordination=CHOREOGRAPHY, **params)
        assert not any(knows_all(state, name, 1) for name in SERVICES)


def test_a_step_more_touches_the_orchestrator_or_its_neighbors() -> None:
    assert touched_by_new_step(Params()) == ("Fraud", ORCHESTRATOR)
    choreography = replace(Params(), coordination=CHOREOGRAPHY)
    assert touched_by_new_step(choreography) == ("Fraud", PAYMENTS, "Inventory")


# --- Events ---------------------------------------------------------------------------------------


def test_the_back_orders_close_a_cycle_that_is_found_without_running_anything() -> None:
    assert cycle_in(subscriptions()) == ()
    kinds = ("CardCharged", "OutOfStock", "CardRefunded", "BackOrdered")
    assert cycle_in(subscriptions(cyclic=True)) == (*kinds, kinds[0])


def test_the_longest_chain_of_events_is_the_whole_way_and_back() -> None:
    assert longest_chain(subscriptions()) == CHAIN_MAX == 9
    state = told(coordination=CHOREOGRAPHY, fails=CONFIRM, pivot=CONFIRM)
    assert state.orders[0].hops_max == CHAIN_MAX


def test_a_chase_of_events_ends_at_its_limit_and_leaves_nothing_behind() -> None:
    sim = begun(coordination=CHOREOGRAPHY, fails="Inventory", cyclic_subscription=True)
    sim = run_until(dispatch(sim, Place()), 20_000)[-1]
    assert sim.queue == ()
    assert turned(sim.state) == TURNS_MAX
    assert all(not participant.outbox for participant in sim.state.participants)
    assert all(len(participant.log) <= RECORDS_MAX for participant in sim.state.participants)
    assert sum(effect == Effect(1, undo=False) for effect in sim.state.orders[0].effects) == 101


def test_a_chase_ends_by_itself_when_the_widget_comes() -> None:
    state = told(
        coordination=CHOREOGRAPHY,
        fails="Inventory",
        how="fails",
        failures=4,
        attempts=2,
        cyclic_subscription=True,
    )
    assert 0 < turned(state) < 5
    assert standing(state.books[2], 1) == 1


# --- Keys -----------------------------------------------------------------------------------------


@both
def test_lost_answers_charge_once_with_keys_and_more_often_without(coordination: str) -> None:
    lost: dict[str, Any] = {"coordination": coordination, "fails": PAYMENTS, "how": "answer_lost"}
    assert standing(told(**lost).books[1], 1) == 1
    assert standing(told(**lost, idempotency_keys=False).books[1], 1) == 3


@pytest.mark.parametrize("keys", [True, False])
def test_a_refund_that_is_asked_for_twice_is_made_once_with_keys_and_twice_without(
    keys: bool,
) -> None:
    run = pysims.run("saga", "refunded-twice", params={"idempotency_keys": keys})
    state = run.last
    asked = {
        message.id
        for moment in run.history.states()
        for message in moment.network.in_flight
        if isinstance(message.body, Command) and message.body.undo and message.target == PAYMENTS
    }
    assert len(asked) == 2
    assert state.orders[0].effects.count(Effect(1, undo=True)) == (1 if keys else 2)
    assert overdone(state.books[1], 1) == (0 if keys else 1)
    assert income_cents(state.books) == (0 if keys else -PRICE_CENTS)
    assert state.fallen == (() if keys else (ONCE, ADDS_UP, WHOLE))
    told_so = [PATTERN.describe(*run.history.change(i)) for i in range(1, len(run.history))]
    spared = "Payments is asked to refund $49.99, has dealt with that, and says so."
    assert (spared in told_so) is keys
    (card,) = (card for card in ledgers_of(state) if card["book"]["service"] == PAYMENTS)
    assert card["bad"] is not keys


def test_a_widget_that_is_put_back_twice_is_one_too_many() -> None:
    crash = ((100, Crash(ORCHESTRATOR)), (170, Restart(ORCHESTRATOR)))
    flaws = {"fails": SHIPPING, "idempotency_keys": False}
    found = []
    for at_ms in range(100, 150, 2):
        script = ((5, Place()), (at_ms, crash[0][1]), crash[1])
        last = pysims.run("saga", params=flaws, script=script, until_ms=900, seed=11).last
        if overdone(last.books[2], 1):
            assert last.books[2].stock == STOCK + 1
            assert ADDS_UP in last.fallen
            found.append(at_ms)
    assert found


@pytest.mark.parametrize("keys", [True, False])
def test_a_request_that_comes_after_its_compensation_finds_its_place_taken(keys: bool) -> None:
    sim = begun(idempotency_keys=keys, attempts=1, timeout_ms=30)
    slow = set_latency(sim.state.network, ORCHESTRATOR, PAYMENTS, Latency.constant(400))
    sim = replace(sim, state=replace(sim.state, network=slow))
    sim = run_until(dispatch(sim, Place()), 45)[-1]
    quick = set_latency(sim.state.network, ORCHESTRATOR, PAYMENTS, Latency.constant(10))
    sim = run_until(replace(sim, state=replace(sim.state, network=quick)), 3_000)[-1]
    assert sim.state.orders[0].outcome == VOID
    assert standing(sim.state.books[1], 1) == (0 if keys else 1)
    assert (WHOLE in sim.state.fallen) is not keys


def test_a_refusal_is_remembered_so_that_a_repeat_hears_the_same() -> None:
    refused: dict[str, Any] = {"fails": CONFIRM, "pivot": CONFIRM}
    state = told(**refused, duplication=0.5, loss=0.3, until_ms=20_000, seed=3)
    assert state.orders[0].outcome == VOID
    assert findings(state.books) == ()


# --- The pivot ------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("pivot", PIVOTS)
@pytest.mark.parametrize("step", SAGA)
def test_before_the_pivot_a_failing_step_is_given_up_and_from_it_on_tried_until_it_works(
    coordination: str, pivot: str, step: str
) -> None:
    flaw: dict[str, Any] = {"fails": step, "how": "fails", "failures": 6, "attempts": 2}
    state = told(coordination=coordination, pivot=pivot, until_ms=8_000, **flaw)
    before = SAGA.index(step) < pivot_of(state.params)
    assert state.orders[0].outcome == (VOID if before else COMPLETED)
    assert state.orders[0].given_up == (SAGA.index(step) if before else OPEN)
    assert state.fallen == ()


@both
def test_what_refuses_past_the_pivot_is_asked_for_ever_and_nothing_is_undone(
    coordination: str,
) -> None:
    state = told(coordination=coordination, pivot=PAYMENTS, fails="Inventory", until_ms=9_000)
    order = state.orders[0]
    assert not order.outcome
    assert effects(state) == [ORDERS, PAYMENTS]
    assert order.tried[2] > 10
    assert FORWARD not in state.fallen


@both
def test_a_compensation_is_tried_later_each_time_and_never_given_up(coordination: str) -> None:
    flaws: dict[str, Any] = {
        "coordination": coordination,
        "fails": "Inventory",
        "compensation_failures": 7,
    }
    sim = run_until(dispatch(begun(**flaws), Place()), 20_000)
    at = len(SAGA) + SERVICES.index(PAYMENTS)
    tries = [
        sim.time_ms(index)
        for index in range(1, len(sim))
        for before, _, after in [sim.change(index)]
        if before.orders and before.orders[0].tried[at] != after.orders[0].tried[at]
    ]
    gaps = [later - sooner for sooner, later in pairwise(tries)]
    assert len(tries) == 8
    # Twice as long each time, up to the limit; the way there and back comes on top.
    assert gaps[0] < BACKOFF_MS + 40
    assert all(1.4 * sooner < later for sooner, later in pairwise(gaps[:5]))
    assert max(gaps) <= BACKOFF_MAX_MS + 40
    state = sim[-1].state
    assert state.orders[0].outcome == VOID
    assert state.orders[0].given_up == OPEN
    assert not any(record.what == "gave up" for record in state.orchestrator.log)


# --- Crashes --------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize(
    ("flaws", "outcome", "changes"),
    [
        ({}, COMPLETED, 5),
        ({"fails": SHIPPING}, VOID, 6),
        ({"fails": CONFIRM, "pivot": CONFIRM}, VOID, 8),
    ],
)
def test_whoever_crashes_after_whichever_event_the_order_is_whole_or_void(
    coordination: str, flaws: dict[str, Any], outcome: str, changes: int
) -> None:
    whole = run_until(dispatch(begun(coordination=coordination, **flaws), Place()), 400)
    for index in range(1, len(whole)):
        sim = whole[index]
        for name in nodes_of(sim.state):
            down = run_until(dispatch(sim, Crash(name)), sim.now_ms + 45)[-1]
            state = run_until(dispatch(down, Restart(name)), 5_000)[-1].state
            assert state.orders[0].outcome == outcome, index
            assert state.fallen == ()
            assert len(state.orders[0].effects) == changes


@both
def test_a_crash_takes_the_work_under_way_and_leaves_what_is_committed(coordination: str) -> None:
    seen = 0
    for sim in run_until(dispatch(begun(coordination=coordination), Place()), 400):
        for participant in sim.state.participants:
            # What is due at this very moment comes before the crash.
            if participant.jobs and all(job.due_ms > sim.now_ms for job in participant.jobs):
                seen += 1
                rows = participant.database.rows
                name = participant.name
                down = run_until(dispatch(sim, Crash(name)), sim.now_ms + 200)[-1].state
                left = down.participants[SERVICES.index(name)]
                assert (left.jobs, left.database.rows) == ((), rows)
                assert left.log == participant.log
    assert seen >= 4


def test_the_log_alone_tells_what_the_orchestrator_knew() -> None:
    history = run_until(dispatch(begun(fails=SHIPPING), Place()), 400)
    seen = []
    for state in history.states():
        for saga in state.orchestrator.sagas:
            if not saga.writing:
                again = resumed(state.orchestrator.log)[0]
                assert (again.step, again.back) == (saga.step, saga.back)
                seen.append((saga.step, saga.back))
    assert list(dict.fromkeys(seen)) == [
        (0, False), (1, False), (2, False), (3, False), (2, True), (1, True), (0, True),
    ]  # fmt: skip


def test_nothing_is_sent_before_it_is_in_the_log() -> None:
    sim = run_until(dispatch(begun(), Place()), 0)[-1]
    assert sim.state.network.in_flight == ()
    down = run_until(dispatch(sim, Crash(ORCHESTRATOR)), 100)[-1]
    assert down.state.orchestrator.log == ()
    assert down.state.books[0].rows == ()
    state = run_until(dispatch(down, Restart(ORCHESTRATOR)), 1_000)[-1].state
    assert state.orders[0].outcome == COMPLETED


@both
def test_a_customer_waits_while_the_door_is_down(coordination: str) -> None:
    door = ORCHESTRATOR if coordination == ORCHESTRATION else ORDERS
    script = ((1, Crash(door)), (5, Place()), (300, Restart(door)))
    assert told(script, 250, coordination=coordination).books[0].rows == ()
    order = told(script, coordination=coordination).orders[0]
    assert order.outcome == COMPLETED
    assert order.done_ms > 300


def test_old_records_of_ended_sagas_leave_the_log() -> None:
    crowd: dict[str, Any] = {"orders_per_s": 30.0, "customers_ms": 3_000, "stock": 1_000}
    state = told((), 6_000, **crowd)
    assert len(state.orders) > 50
    assert len(state.orchestrator.log) <= 2 * RECORDS_MAX


# --- The row, and who reads -----------------------------------------------------------------------


def test_the_widgets_row_is_held_while_a_service_works_and_no_longer() -> None:
    script = ((5, Place()),) * 4
    times = []
    for work_ms in (1, 100):
        state = told(script, work_ms=work_ms, timeout_ms=500)
        times.append(sorted(order.done_ms for order in state.orders))
    assert times[0][-1] - times[0][0] < 25
    assert all(80 <= later - sooner <= 120 for sooner, later in pairwise(times[1]))


@both
def test_a_semantic_lock_lets_nobody_see_half_an_order(coordination: str) -> None:
    crowd: dict[str, Any] = {
        "coordination": coordination,
        "orders_per_s": 20.0,
        "customers_ms": 3_000,
        "declined": 0.2,
        "reads_per_s": 30.0,
        "stock": 1_000,
    }
    free, locked = (told((), 8_000, semantic_lock=lock, **crowd) for lock in (False, True))
    assert sum(bool(read.anomaly) for read in free.reads) > 20
    assert not any(read.anomaly for read in locked.reads)
    assert all(read.done_ms != OPEN for read in locked.reads)
    quick, slow = (rank(sorted(r.done_ms - r.at_ms for r in s.reads), 0.5) for s in (free, locked))
    assert quick < slow, "heeding the lock is paid for in time"


# --- What is refused ------------------------------------------------------------------------------


@both
@pytest.mark.parametrize(
    ("events", "complaint"),
    [
        ((Crash("Warehouse"),), "node must be one of .*Orders.*got 'Warehouse'"),
        ((Crash("Auditor"),), "got 'Auditor'"),
        ((Restart("Warehouse"),), "node must be one of .*got 'Warehouse'"),
        ((Crash(ORDERS), Crash(ORDERS)), r"must be one that is up \(.*\), got 'Orders'"),
        ((Restart(ORDERS),), r"must be one that is down \(.*\), got 'Orders'"),
        ((Inspect(),), "order must be one that was placed, got none"),
    ],
)
def test_what_cannot_be_is_refused_in_words(
    coordination: str, events: tuple[Any, ...], complaint: str
) -> None:
    script = tuple((10, event) for event in events)
    with pytest.raises(ValueError, match=complaint):
        told(script, coordination=coordination)


def test_in_choreography_there_is_no_orchestrator_to_crash() -> None:
    with pytest.raises(ValueError, match=r"one of Orders, .*got 'Orchestrator'"):
        told(((1, Crash(ORCHESTRATOR)),), coordination=CHOREOGRAPHY)


@pytest.mark.parametrize(
    ("name", "value"), [("fails", "Warehouse"), ("how", "explodes"), ("pivot", ORDERS)]
)
def test_a_failing_step_that_does_not_exist_is_refused_with_those_that_do(
    name: str, value: str
) -> None:
    with pytest.raises(ValueError, match=f"{name} must be one of .*{value}"):
        pysims.run("saga", params={name: value})


# --- The picture ----------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("keys", [True, False])
def test_any_moment_of_a_hopeless_run_can_be_drawn_and_told(coordination: str, keys: bool) -> None:
    script = (
        (5, Place()), (30, Inspect()), (60, Crash(PAYMENTS)), (90, Place()),
        (200, Restart(PAYMENTS)), (230, Crash(ORDERS)), (400, Restart(ORDERS)), (500, Inspect()),
    )  # fmt: skip
    flaws: dict[str, Any] = {
        "fails": SHIPPING,
        "compensation_failures": 2,
        "loss": 0.3,
        "duplication": 0.3,
    }
    sim = begun(7, coordination=coordination, idempotency_keys=keys, **flaws)
    history = run_script(sim, script, 5_000)
    for index in range(1, len(history)):
        before, event, after = history.change(index)
        now_ms = history.time_ms(index)
        assert describe(before, event, after).endswith((".", "!"))
        assert alternative(after, now_ms)
        scene = view(after, now_ms)
        assert len(scene["nodes"]) == len(nodes_of(after)) + 1
        for message in scene["messages"]:
            assert -10 <= message["x"] <= 350
            assert -10 <= message["y"] <= 330


def test_the_statuses_of_all_who_take_part_are_words() -> None:
    seen = set()
    for state in run_until(dispatch(begun(fails=SHIPPING), Place()), 400).states():
        seen |= {participant.status for participant in state.participants}
        seen.add(state.orchestrator.status)
    assert {"waiting", "working", "compensating", "charged", "refunded", "canceled"} <= seen
