"""The outbox: crashes at every millisecond, random schedules, and the wrong designs beside it."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pysims
from pysims.kernel import (
    Context,
    Deliver,
    History,
    Script,
    begin,
    is_up,
    run_script,
    run_until,
    start,
)
from pysims.order_book import ORDERS, SHIPPING, orders_in, standing
from pysims.patterns.transactional_outbox import (
    PATTERN,
    forgotten,
    in_order,
    log,
    phantoms,
    status,
    twice,
    wrong,
)
from pysims.patterns.transactional_outbox.model import (
    consumed,
    init,
    relay_heard,
    service_heard,
    taken,
    update,
)
from pysims.patterns.transactional_outbox.parts import (
    BROKER,
    MARKING,
    NODES,
    PATIENCE_MS,
    PUBLISHING,
    RELAY,
    WAITING,
    WORK_MS,
    Crash,
    Entry,
    Handed,
    Params,
    PlaceOrder,
    Publish,
    Relaying,
    Restart,
    State,
    Work,
)
from pysims.patterns.transactional_outbox.view import view
from pysims.widget.render import frame
from pysims.widget.session import act, opened

TWO_ORDERS: Script = ((5, PlaceOrder()), (30, PlaceOrder()))
CRASH_MS = range(5, 160)


def history(script: Script, until_ms: int = 600, seed: int = 3, **given: Any) -> History[State]:
    """The run of a script with these parameters."""
    return run_script(start(update, partial(init, Params(**given)), seed), script, until_ms)


def last(run: History[State]) -> State:
    return run[-1].state


def labels(state: State) -> list[int]:
    """How many labels each order that was placed has."""
    return [standing(state.consumer.database, n) for n in range(1, state.placed + 1)]


def crashing(node: str, at_ms: int, back_ms: int = 60) -> Script:
    """Two orders, and one crash with a restart."""
    deeds = [*TWO_ORDERS, (at_ms, Crash(node)), (at_ms + back_ms, Restart(node))]
    return tuple(sorted(deeds, key=lambda timed: timed[0]))


def broken(state: State) -> str:
    """Which promise of the outbox a state breaks."""
    unmarked = [e.order for e in state.service.outbox if e.sent and e.order not in state.broker.log]
    checks = {
        "a committed order is forgotten": bool(forgotten(state)),
        "an event has no order": bool(phantoms(state)),
        "events are out of order": not in_order(state),
        "an event is marked that was never published": bool(unmarked),
        "order and event were not committed together": [e.order for e in state.service.outbox]
        != [row.order for row in state.service.database.rows],
        "two labels": state.params.idempotent and bool(twice(state)),
        "a label without an event": any(
            row.order not in state.broker.log[: state.broker.committed + 1]
            for row in state.consumer.database.rows
        ),
    }
    return next((what for what, is_broken in checks.items() if is_broken), "")


def first_broken(run: History[State]) -> str:
    return next((what for state in run.states() if (what := broken(state))), "")


# --- A crash at every millisecond -----------------------------------------------------------------


@pytest.mark.parametrize("node", NODES)
def test_an_outbox_survives_a_crash_of_anybody_at_every_millisecond(node: str) -> None:
    repeated = 0
    for at_ms in CRASH_MS:
        run = history(crashing(node, at_ms))
        assert first_broken(run) == "", at_ms
        state = last(run)
        committed = orders_in((state.service.database,))
        assert [n for n, count in enumerate(labels(state), 1) if count] == list(committed)
        assert sum(labels(state)) == len(committed)
        assert all(entry.sent for entry in state.service.outbox)
        repeated += len(state.broker.log) > len(committed)
    # What the broker has answered arrives although it crashes; only the relay repeats itself.
    assert (repeated > 0) == (node == RELAY)


def test_without_a_memory_the_same_crashes_ship_twice() -> None:
    """At least once is what is promised: relay and consumer can both make a second label."""
    for node in (RELAY, SHIPPING, BROKER):
        counts = [last(history(crashing(node, t), idempotent=False)) for t in CRASH_MS]
        assert all(min(labels(state)) >= 1 for state in counts if state.placed == 2)
        assert any(twice(state) for state in counts) == (node in (RELAY, BROKER)), node
    # The consumer's own repetition takes a lost answer: its label is made, and nobody knows.
    script: Script = (*TWO_ORDERS, (61, Crash(BROKER)), (90, Restart(BROKER)))
    state = last(history(script, idempotent=False))
    assert state.broker.log[:1] == (1,)
    assert twice(state)


@pytest.mark.parametrize(
    ("publish", "loses", "invents"),
    [("database_first", True, False), ("broker_first", False, True), ("outbox", False, False)],
)
def test_a_dual_write_fails_for_some_crash_and_the_outbox_for_none(
    publish: str, loses: bool, invents: bool
) -> None:
    ends = {t: last(history(crashing(ORDERS, t), publish=publish)) for t in CRASH_MS}
    lost = [t for t, state in ends.items() if forgotten(state)]
    phantom = [t for t, state in ends.items() if phantoms(state)]
    assert bool(lost) == loses
    assert bool(phantom) == invents
    if loses:
        # From the commit at 13 ms to the publication at 21 ms nobody but the service knows.
        assert [t for t in lost if t < 30] == list(range(5 + WORK_MS, 5 + 2 * WORK_MS))


def test_a_refused_transaction_leaves_a_phantom_only_where_the_event_goes_first() -> None:
    script: Script = ((5, PlaceOrder(refused=True)),)
    found = {
        way: [f.text for f in wrong(last(history(script, publish=way)))]
        for way in ("database_first", "broker_first", "outbox")
    }
    assert found == {
        "database_first": [],
        "broker_first": ["a shipment label for order 1, which does not exist"],
        "outbox": [],
    }


def test_without_any_crash_all_three_ways_work() -> None:
    for way in ("database_first", "broker_first", "outbox"):
        state = last(history(TWO_ORDERS, publish=way, idempotent=False))
        assert labels(state) == [1, 1], way
        assert wrong(state) == ()
        assert state.broker.log == (1, 2)


# --- Random schedules -----------------------------------------------------------------------------

deeds = st.one_of(
    st.builds(PlaceOrder, st.booleans()),
    st.just(PlaceOrder()),
    st.builds(Crash, st.sampled_from(NODES)),
    st.builds(Restart, st.sampled_from(NODES)),
)
schedules = st.lists(st.tuples(st.integers(0, 500), deeds), max_size=14)
faults = st.tuples(st.sampled_from([0.0, 0.2, 0.5]), st.sampled_from([0.0, 0.2, 0.5]))


def possible(planned: list[tuple[int, Any]], params: Params, seed: int) -> History[State]:
    """What was planned and is not refused; then all restart, until nothing is left to do."""
    script: list[tuple[int, Any]] = []
    first = begin(PATTERN, params, seed)
    for time_ms, deed in sorted(planned, key=lambda timed: timed[0]):
        try:
            run_script(first, (*script, (time_ms, deed)), time_ms)
        except ValueError:
            continue
        script.append((time_ms, deed))
    down = run_script(first, tuple(script), 500)[-1].state.network.down
    script += [(501, Restart(node)) for node in down]
    run = run_script(first, tuple(script), 600)
    while not quiet(run[-1].state):
        assert run[-1].now_ms < 60_000, "it never comes to rest"
        run = run.extended(run_until(run[-1], run[-1].now_ms + 200))
    return run


def quiet(state: State) -> bool:
    """Whether nothing is left to do: no message, no job, no mark, no event that is not taken."""
    waiting = state.service.jobs or state.relay.stage or state.network.in_flight
    unsent = any(not entry.sent for entry in state.service.outbox)
    return not waiting and not unsent and state.broker.committed == len(state.broker.log)


@given(schedules, faults, st.booleans(), st.sampled_from([10, 40, 130]), st.integers(0, 500))
@settings(max_examples=150, deadline=None)
def test_an_outbox_keeps_its_promises_after_every_step(
    planned: list[tuple[int, Any]],
    fault: tuple[float, float],
    idempotent: bool,
    poll_ms: int,
    seed: int,
) -> None:
    params = Params("outbox", idempotent, poll_ms, *fault)
    run = possible(planned, params, seed)
    assert first_broken(run) == ""
    state = last(run)
    committed = orders_in((state.service.database,))
    assert tuple(sorted(set(state.broker.log))) == committed
    shipped = [row.order for row in state.consumer.database.rows]
    assert tuple(sorted(set(shipped))) == committed
    if idempotent:
        # Exactly one label for each committed order, in the order of the commits.
        assert shipped == [entry.order for entry in state.service.outbox]
        assert wrong(state) == ()
    for index in range(1, len(run)):
        PATTERN.describe(*run.change(index))


@given(schedules, faults, st.sampled_from(["database_first", "broker_first"]), st.integers(0, 500))
@settings(max_examples=60, deadline=None)
def test_a_dual_write_fails_only_in_its_own_way(
    planned: list[tuple[int, Any]], fault: tuple[float, float], publish: str, seed: int
) -> None:
    run = possible(planned, Params(publish, True, 40, *fault), seed)
    for state in run.states():
        assert not twice(state)
        assert not (phantoms(state) if publish == "database_first" else forgotten(state))
    kinds = [f.text.split(" order ")[0] for f in wrong(last(run)) if publish == "broker_first"]
    assert set(kinds) <= {"a shipment label for"}


# --- The rules one by one -------------------------------------------------------------------------


def test_the_relay_marks_only_what_the_broker_has_and_publishes_the_oldest_first() -> None:
    run = history(TWO_ORDERS, poll_ms=10)
    for before, after in pairwise(run.states()):
        old, new = before.service.outbox, after.service.outbox
        if [e.sent for e in new[: len(old)]] != [e.sent for e in old]:
            assert before.relay.stage == MARKING
            assert before.relay.order in before.broker.log
        unsent = [entry.order for entry in new if not entry.sent]
        if after.relay.stage:
            assert after.relay.order == unsent[0]


def test_the_relay_waits_for_a_broker_that_is_down_and_publishes_when_it_is_back() -> None:
    script: Script = ((5, Crash(BROKER)), (6, PlaceOrder()), (300, Restart(BROKER)))
    run = history(script)
    sent = [
        cause[0]
        for cause, state in zip(run.causes(), list(run.states())[1:], strict=True)
        if type(cause[2]).__name__ in ("Poll", "Relaying") and state.relay.stage == WAITING
    ]
    assert len(sent) >= 5
    assert labels(last(run)) == [1]
    assert last(run).broker.log == (1,)


def test_the_relay_looks_every_poll_interval() -> None:
    for poll_ms in (10, 40, 130):
        run = history((), until_ms=1_000, poll_ms=poll_ms)
        assert [cause[0] for cause in run.causes()] == list(range(poll_ms, 1_001, poll_ms))
    assert len(history((), until_ms=1_000, publish="database_first")) == 1


def test_one_look_is_enough_for_all_that_waits_in_the_outbox() -> None:
    script: Script = tuple((5 + n, PlaceOrder()) for n in range(3))
    state = last(history(script, until_ms=350, poll_ms=200))
    assert state.broker.log == (1, 2, 3)
    assert all(entry.sent for entry in state.service.outbox)


def test_a_relay_that_restarts_at_once_does_not_look_twice_as_often() -> None:
    script: Script = ((15, Crash(RELAY)), (15, Restart(RELAY)), (500, PlaceOrder()))
    run = history(script, until_ms=400)
    looks = [c[0] for c, s in zip(run.causes(), list(run.states())[1:], strict=True)
             if type(c[2]).__name__ == "Poll" and s.relay.poll_ms == c[0] + 40]  # fmt: skip
    assert looks == list(range(55, 400, 40))


def test_what_the_disk_keeps_and_what_the_memory_loses() -> None:
    run = history(((5, PlaceOrder()), (15, PlaceOrder()), (16, Crash(ORDERS))))
    state = last(run)
    assert state.service.jobs == ()
    assert orders_in((state.service.database,)) == (1,)
    assert log(state, ORDERS) == (Entry(1, sent=True),)
    assert status(state, ORDERS) == "down"
    down = last(history((*TWO_ORDERS, (200, Crash(BROKER)))))
    assert log(down, BROKER) == (1, 2)
    assert down.broker.committed == 2
    again = last(history((*TWO_ORDERS, (200, Crash(SHIPPING)), (250, Restart(SHIPPING)))))
    assert again.consumer.database.keys == ("event-1", "event-2")
    assert [database.service for database in again.books] == [ORDERS, SHIPPING]
    assert log(again, SHIPPING) == log(again, RELAY) == ()


def test_the_consumer_remembers_in_the_transaction_of_the_label() -> None:
    for state in history(TWO_ORDERS).states():
        database = state.consumer.database
        assert [f"event-{row.order}" for row in database.rows] == list(database.keys)
    ctx = Context(1, 1)
    ctx.turn_to(0, 0)
    once = consumed(init(Params(), ctx), 0, 1, ctx)
    assert consumed(once, 0, 1, ctx).consumer == once.consumer
    forgetful = consumed(init(Params(idempotent=False), ctx), 0, 1, ctx)
    assert standing(consumed(forgetful, 0, 1, ctx).consumer.database, 1) == 2


def test_answers_that_nobody_waits_for_change_nothing() -> None:
    ctx = Context(1, 1)
    ctx.turn_to(0, 0)
    done = last(history(TWO_ORDERS))
    assert relay_heard(done, 1, ctx) == done
    assert service_heard(done, 1, ctx) == done
    assert taken(done, 0, ctx) == done
    waiting = next(s for s in history(TWO_ORDERS).states() if s.relay.stage == WAITING)
    assert relay_heard(waiting, 2, ctx) == waiting
    busy = next(
        s for s in history(TWO_ORDERS).states() if (s.broker.committed, len(s.broker.log)) == (1, 2)
    )
    assert taken(busy, 0, ctx) == busy
    assert taken(busy, 1, ctx).broker.committed == 2
    early = next(s for s in history(TWO_ORDERS, publish="broker_first").states() if s.service.jobs)
    assert service_heard(early, 1, ctx) == early
    assert relay_heard(waiting, 1, ctx).relay.stage == MARKING


def test_the_broker_hands_out_one_event_at_a_time_and_again_without_an_answer() -> None:
    script: Script = (*TWO_ORDERS, (50, Crash(SHIPPING)), (250, Restart(SHIPPING)))
    run = history(script)
    handed = [
        (m.sent_ms, m.body.offset)
        for state in run.states()
        for m in state.network.in_flight
        if isinstance(m.body, Handed)
    ]
    times = sorted(set(handed))
    first = [ms for ms, offset in times if offset == 0]
    assert len(first) >= 4
    assert all(b - a == PATIENCE_MS for a, b in pairwise(first))
    assert all(ms > first[-1] for ms, offset in times if offset == 1)
    assert labels(last(run)) == [1, 1]


def test_a_service_that_publishes_by_itself_tries_again_from_memory() -> None:
    script: Script = ((5, Crash(BROKER)), (6, PlaceOrder()), (200, Restart(BROKER)))
    for way in ("database_first", "broker_first"):
        run = history(script, publish=way)
        published = [
            c[2].message.sent_ms
            for c in run.causes()
            if isinstance(c[2], Deliver) and isinstance(c[2].message.body, Publish)
        ]
        assert len(published) == 5
        assert all(b - a == PATIENCE_MS for a, b in pairwise(published))
        assert labels(last(run)) == [1]
    waits = [status(s, ORDERS) for s in history(script, publish="database_first").states()]
    assert waits.index(PUBLISHING) < waits.index(WAITING)


def test_the_money_at_stake() -> None:
    lost = last(history(crashing(ORDERS, 15), publish="database_first"))
    ghost = last(history(crashing(ORDERS, 34), publish="broker_first"))
    double = last(history(crashing(RELAY, 62), idempotent=False))
    assert [f.cents for f in wrong(lost)] == [4_999]
    assert [f.cents for f in wrong(ghost)] == [-4_999]
    assert [f.cents for f in wrong(double)] == [-4_999]
    assert view(lost, 600)["readouts"][0]["value"] == "$49.99"
    assert view(last(history(TWO_ORDERS)), 600)["readouts"][0]["value"] == "$0"


# --- Bad input, and the picture -------------------------------------------------------------------


def test_bad_input_is_refused_with_what_is_allowed() -> None:
    def run(event: object) -> None:
        pysims.run("transactional_outbox", script=((1, Crash(RELAY)), (2, event)))

    with pytest.raises(ValueError, match=r"node must be one that is up \(.*\), got 'Relay'"):
        run(Crash(RELAY))
    with pytest.raises(ValueError, match=r"node must be one that is down \(.*\), got 'Broker'"):
        run(Restart(BROKER))
    with pytest.raises(ValueError, match=r"node must be one of Orders, Relay.*got 'Kafka'"):
        run(Crash("Kafka"))
    with pytest.raises(ValueError, match=r"publish must be one of database_first.*got 'both'"):
        pysims.run("transactional_outbox", params={"publish": "both"})


def test_a_customer_is_turned_away_by_a_service_that_is_down() -> None:
    state = last(history(((1, Crash(ORDERS)), (2, PlaceOrder()))))
    assert (state.placed, state.turned_away, state.service.jobs) == (0, 1, ())


def test_the_picture_shows_where_each_order_is() -> None:
    session = opened("w", "transactional_outbox", "dual-write")
    seen = view(session.sim.state, session.now_ms)
    strips = {name: [c["order"] for c in strip["chips"]] for name, strip in seen["strips"].items()}
    assert strips == {"orders": [1, 2, 3], "outbox": [], "log": [1, 3], "labels": [1, 3]}
    assert [c["kind"] for c in seen["strips"]["orders"]["chips"]] == ["plain", "lost", "plain"]
    assert "ob-chip--bad" in frame(session)
    html = frame(act(session, "Crash", {"node": "Broker"}))
    assert "ob-process--down" in html


def test_many_orders_are_drawn_as_the_last_ones_and_a_number() -> None:
    state = last(history(tuple((5 + 20 * n, PlaceOrder()) for n in range(12)), until_ms=1_200))
    strip = view(state, 1_200)["strips"]["log"]
    assert strip["hidden"] == 6
    assert [chip["order"] for chip in strip["chips"]] == [7, 8, 9, 10, 11, 12]
    assert labels(state) == [1] * 12


def test_stale_alarms_are_ignored() -> None:
    ctx = Context(1, 1)
    ctx.turn_to(7, 0)
    ctx.now_ms = 7
    waiting = next(s for s in history(TWO_ORDERS).states() if s.relay.stage == MARKING)
    assert waiting.relay.due_ms != 7
    assert update(waiting, Relaying(), ctx) is waiting
    working = next(s for s in history(TWO_ORDERS).states() if s.service.jobs)
    assert update(working, Work(1), ctx) is working
    ctx.now_ms = 5 + WORK_MS
    assert update(working, Work(1), ctx).service.outbox == (Entry(1),)
    assert is_up(waiting.network, RELAY)
