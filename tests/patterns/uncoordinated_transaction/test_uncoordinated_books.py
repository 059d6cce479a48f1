"""A shop without coordination: every way to fail against a table, and random scripts."""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pysims
from pysims.kernel import Context, History, Script, begin, run_script, start
from pysims.order_book import (
    PAYMENTS,
    PRICE_CENTS,
    SERVICES,
    conserved,
    findings,
    is_complete,
    of_service,
    standing,
    status_of,
)
from pysims.patterns.uncoordinated_transaction import PATTERN, stake_cents, status, wrong
from pysims.patterns.uncoordinated_transaction.model import answered, init, update
from pysims.patterns.uncoordinated_transaction.shop import (
    DONE,
    FAILURES,
    NEVER,
    NODES,
    SHOP,
    SORRY,
    THANKS,
    TIMEOUT_MS,
    UNKNOWN,
    Answer,
    Crash,
    Params,
    PlaceOrder,
    Restart,
    State,
    call_of,
    is_over,
    is_settled,
    log,
)
from pysims.patterns.uncoordinated_transaction.view import view
from pysims.widget.render import frame
from pysims.widget.session import act, opened

ONE: Script = ((10, PlaceOrder()),)
CHARGED_GONE = "charged $49.99 for an order that does not exist (number 1)"
HELD_GONE = "one widget held for an order that does not exist (number 1)"
LABEL_GONE = "a shipment label for an order that does not exist (number 1)"
PENDING = "order 1 is PENDING; still to do: "
DO = ("charge $49.99", "reserve one widget", "create the shipment label")


def history(script: Script, until_ms: int = 900, seed: int = 3, **given: Any) -> History[State]:
    """The run of a script with these parameters."""
    params = Params(**given)
    return run_script(start(update, partial(init, params), seed), script, until_ms)


def last(run: History[State]) -> State:
    return run[-1].state


# --- Every way to fail ----------------------------------------------------------------------------


def stands(done: int, rolled_back: bool) -> list[str]:
    """What is wrong when the first `done` services have worked and the order was deleted or not."""
    if not rolled_back:
        todo = ", ".join(DO[max(0, done - 1) :])
        return (
            []
            if not done
            else [PENDING + todo]
            if todo
            else ["order 1 is PENDING; nobody has confirmed it"]
        )
    return [CHARGED_GONE, HELD_GONE, LABEL_GONE][: max(0, done - 1)]


TWICE = {
    "Orders": ["order 1 is in the books 2 times"],
    "Payments": ["charged $99.98 for order 1, which costs $49.99"],
    "Inventory": ["2 widgets held for order 1, which needs one"],
    "Shipping": [
        "2 shipment labels for order 1",
        "order 1 ships, and no widget was set aside for it",
    ],
}


def expected(step: str, how: str, on_timeout: str, key: bool, on_failure: str) -> list[str]:
    """What an auditor finds in the end: a table, written without the model."""
    if step == "none":
        return []
    at = SERVICES.index(step)
    back = on_failure == "roll_back"
    if how == "refuses":
        return stands(at, back)
    if how == "caller_crashes":
        return stands(at + 1, rolled_back=False)
    if on_timeout == "retry":
        return TWICE[step] if how == "lost_answer" and not key else []
    return stands(at + (how == "lost_answer"), back)


EVERY_WAY = list(
    product(
        ("none", *SERVICES), FAILURES, ("give_up", "retry"), (False, True), ("nothing", "roll_back")
    )
)


@pytest.mark.parametrize(("step", "how", "on_timeout", "key", "on_failure"), EVERY_WAY)
def test_every_way_to_fail_leaves_what_the_table_says(
    step: str, how: str, on_timeout: str, key: bool, on_failure: str
) -> None:
    state = last(
        history(
            ONE,
            failing_step=step,
            how=how,
            on_timeout=on_timeout,
            idempotency_key=key,
            on_failure=on_failure,
        )
    )
    assert is_over(state, 1)
    assert [f.text for f in wrong(state)] == expected(step, how, on_timeout, key, on_failure)
    assert conserved(state.books)
    crashed = how == "caller_crashes" and step != "none"
    fine = step == "none" or (on_timeout == "retry" and how in ("lost_request", "lost_answer"))
    told = "" if crashed else THANKS if fine else SORRY
    assert [c.told for c in state.customers] == [told]


def test_the_table_covers_160_ways() -> None:
    assert len(EVERY_WAY) == 5 * 4 * 2 * 2 * 2


# --- What the shop can know -----------------------------------------------------------------------


def test_a_lost_request_and_a_lost_answer_look_the_same_to_the_shop() -> None:
    """Up to the second request the shop's memory is equal, and the books are not."""
    seen = []
    for how in ("lost_request", "lost_answer"):
        run = history(ONE, failing_step=PAYMENTS, how=how, on_timeout="retry")
        doubt = next(
            s for s in run.states() if (c := call_of(s, 1)) is not None and UNKNOWN in c.beliefs
        )
        call = call_of(doubt, 1)
        assert call is not None
        seen.append((call.beliefs, standing(of_service(doubt.books, PAYMENTS), 1)))
    (beliefs, none), (same, one) = seen
    assert beliefs == same == (DONE, UNKNOWN, "", "")
    assert (none, one) == (0, 1)


def test_the_shop_waits_its_timeout_and_asks_at_most_three_times() -> None:
    script: Script = ((5, Crash("Payments")), *ONE)
    run = history(script, failing_step="none", on_timeout="retry")
    asked = [
        (call.asked_ms, call.attempt)
        for s in run.states()
        if (call := call_of(s, 1)) is not None and call.service == PAYMENTS
    ]
    times = sorted(set(asked))
    assert [attempt for _, attempt in times] == [1, 2, 3]
    assert times[1][0] - times[0][0] == times[2][0] - times[1][0] == TIMEOUT_MS
    assert last(run).customers[0].told == SORRY


def test_a_deletion_that_is_never_answered_is_given_up_and_the_customer_told() -> None:
    # Orders dies after it has created the order: the naive rollback itself fails.
    script: Script = (*ONE, (25, Crash("Orders")))
    state = last(history(script, failing_step="Inventory", how="refuses"))
    assert is_over(state, 1)
    assert state.customers[0].told == SORRY
    assert status_of(state.books, 1) == "PENDING"


def test_a_crashed_shop_forgets_and_has_no_log() -> None:
    run = history(ONE, failing_step="Payments", how="caller_crashes")
    states = list(run.states())
    words = [status(state, SHOP) for state in states]
    assert [w for i, w in enumerate(words) if i == 0 or words[i - 1] != w] == [
        "ready", "waits", "down", "forgot",
    ]  # fmt: skip
    assert all(state.calls == () for state in states if status(state, SHOP) == "down")
    assert log(states[-1], SHOP) == ()


def test_the_supervisor_leaves_alone_what_the_reader_started_or_stopped() -> None:
    fault: dict[str, Any] = {"failing_step": "Payments", "how": "caller_crashes"}
    early: Script = (*ONE, (50, Restart(SHOP)), (60, Crash(SHOP)))
    state = last(history(early, **fault))
    assert status(state, SHOP) == "down"
    plain: Script = ((5, Crash(SHOP)), *ONE)
    state = last(history(plain))
    assert (status(state, SHOP), state.turned_away, state.customers) == ("down", 1, ())


def test_an_answer_that_the_shop_does_not_wait_for_changes_nothing() -> None:
    ctx = Context(1, 1)
    ctx.turn_to(40, 1)
    asking = next(s for s in history(ONE).states() if s.calls and s.calls[0].service == PAYMENTS)
    assert answered(asking, "Orders", Answer(1, "do"), ctx) is asking
    assert answered(asking, PAYMENTS, Answer(1, "confirm"), ctx) is asking
    assert answered(asking, PAYMENTS, Answer(2, "do"), ctx) is asking
    after = call_of(answered(asking, PAYMENTS, Answer(1, "do"), ctx), 1)
    assert after is not None
    assert after.service == "Inventory"
    over = last(history(ONE, failing_step="none"))
    assert answered(over, "Orders", Answer(1, "confirm"), ctx) is over


def test_the_last_widget_is_refused_to_the_second_customer() -> None:
    script: Script = ((10, PlaceOrder()), (200, PlaceOrder()))
    state = last(history(script, failing_step="none", stock=1))
    assert is_complete(state.books, 1)
    assert [f.text for f in wrong(state)] == [
        "charged $49.99 for an order that does not exist (number 2)"
    ]


def test_a_key_that_was_used_is_answered_when_the_stock_is_gone() -> None:
    state = last(
        history(
            ONE,
            failing_step="Inventory",
            how="lost_answer",
            on_timeout="retry",
            idempotency_key=True,
            stock=1,
        )
    )
    assert is_complete(state.books, 1)


def test_the_money_at_stake() -> None:
    for how, on_timeout, key, dollars in (
        ("refuses", "give_up", False, 1),
        ("lost_answer", "retry", False, 1),
        ("lost_answer", "retry", True, 0),
        ("caller_crashes", "retry", True, 1),
    ):
        step = "Inventory" if how == "refuses" else "Payments"
        given: dict[str, Any] = {"how": how, "on_timeout": on_timeout, "idempotency_key": key}
        state = last(history(ONE, failing_step=step, **given))
        assert stake_cents(state.books, 1) == dollars * PRICE_CENTS, how
    # Two labels for one payment: the shop has given a widget away.
    state = last(history(ONE, failing_step="Shipping", how="lost_answer", on_timeout="retry"))
    assert stake_cents(state.books, 1) == PRICE_CENTS


# --- Random scripts -------------------------------------------------------------------------------

deeds = st.one_of(
    st.just(PlaceOrder()), st.builds(Crash, st.sampled_from(NODES)), st.builds(
        Restart, st.sampled_from(NODES)
    ),
)  # fmt: skip


def possible(planned: list[tuple[int, object]], params: Params, seed: int) -> History[State]:
    """The run of what was planned, without what is refused at its moment."""
    script: list[tuple[int, object]] = []
    first = begin(PATTERN, params, seed)
    for time_ms, deed in sorted(planned, key=lambda timed: timed[0]):
        try:
            run_script(first, (*script, (time_ms, deed)), time_ms)
        except ValueError:
            continue
        script.append((time_ms, deed))
    return run_script(first, tuple(script), 2_500)


@given(
    st.lists(st.tuples(st.integers(0, 700), deeds), max_size=10),
    st.builds(
        Params,
        st.sampled_from(["none", *SERVICES]),
        st.sampled_from(list(FAILURES)),
        st.sampled_from(["give_up", "retry"]),
        st.booleans(),
        st.sampled_from(["nothing", "roll_back"]),
        st.sampled_from([0.0, 0.2, 0.5]),
        st.integers(0, 3),
    ),
    st.integers(0, 500),
)
@settings(max_examples=120, deadline=None)
def test_whatever_happens(planned: list[tuple[int, object]], params: Params, seed: int) -> None:
    run = possible(planned, params, seed)
    told: dict[int, str] = {}
    for state in run.states():
        assert conserved(state.books, params.stock)
        if params.idempotency_key:
            # A key makes every step take effect once, whatever is lost and repeated.
            assert all(
                standing(database, c.order) <= 1
                for database in state.books
                for c in state.customers
            )
        for customer in state.customers:
            before = told.setdefault(customer.order, customer.told)
            assert before in ("", customer.told), "what a customer was told is not taken back"
            told[customer.order] = customer.told
            if customer.told == THANKS and params.idempotency_key:
                assert is_complete(state.books, customer.order)
        if status(state, SHOP) == "down":
            assert state.calls == ()
    end = run[-1].state
    # Everything comes to an end, and every order is then told or its shop has crashed.
    assert end.network.in_flight == ()
    assert all(call.deadline_ms == NEVER for call in end.calls)
    assert all(is_over(end, customer.order) for customer in end.customers)
    found = {finding.order for finding in findings(end.books)}
    assert found == {c.order for c in end.customers if not is_settled(end, c.order)}
    shown = view(end, 2_500)["wrong"]
    count = len(wrong(end))
    assert len(shown) == min(count, 5)
    if count > 4:
        assert shown[-1] == f"and {count - 4} more"


# --- Bad input, and the picture -------------------------------------------------------------------


def test_bad_input_is_refused_with_what_is_allowed() -> None:
    def run(event: object) -> None:
        pysims.run("uncoordinated_transaction", script=((1, Crash("Payments")), (2, event)))

    with pytest.raises(ValueError, match=r"node must be one that is up \(.*\), got 'Payments'"):
        run(Crash("Payments"))
    with pytest.raises(ValueError, match=r"node must be one that is down \(.*\), got 'Orders'"):
        run(Restart("Orders"))
    with pytest.raises(ValueError, match=r"node must be one of Shop, Orders, Payments.*got 'Bank'"):
        run(Crash("Bank"))
    with pytest.raises(
        ValueError, match=r"failing_step must be one of none, Orders.*got 'Billing'"
    ):
        pysims.run("uncoordinated_transaction", params={"failing_step": "Billing"})


def test_the_picture_shows_belief_beside_truth() -> None:
    session = opened("w", "uncoordinated_transaction", "lost-answer")
    rows = view(session.sim.state, session.now_ms)["rows"]
    assert [row["belief"] for row in rows] == ["done", "unknown", "not asked yet", "not asked yet"]
    assert [row["truth"] for row in rows] == ["PENDING", "$49.99 CHARGED", "no entry", "no entry"]
    html = frame(session)
    assert "ut-belief--doubt" in html
    assert "Without idempotency keys a service cannot tell" in html
    keyed = frame(opened("w", "uncoordinated_transaction", "idempotency-key"))
    assert "Keys that were used: Orders order-1; Payments order-1." in keyed
    again = frame(act(session, "Crash", {"node": "Shop"}))
    assert again.count(">forgotten<") == 4


def test_a_second_order_is_drawn_beside_the_books_of_the_first() -> None:
    state = last(history(((10, PlaceOrder()), (300, PlaceOrder()))))
    seen = view(state, 600)
    assert seen["order"] == 2
    payments = next(b for b in seen["books"] if b["ledger"]["service"] == "Payments")
    assert len(payments["ledger"]["lines"]) == 2
    assert payments["bad"]
    assert seen["wrong"] == [
        "Charged $49.99 for an order that does not exist (number 1)",
        "Charged $49.99 for an order that does not exist (number 2)",
    ]
