"""The order book: steps and their undoing, idempotency keys, and what an auditor says."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pysims.kernel import Draws
from pysims.order_book import (
    COMPLETED,
    CONFIRMED,
    INVENTORY,
    ORDERS,
    PAYMENTS,
    PRICE_CENTS,
    SERVICES,
    SHIPPING,
    STEPS,
    VOID,
    Databases,
    Placed,
    Read,
    by_order,
    compensate,
    confirm,
    conserved,
    customers,
    databases_of,
    dollars,
    execute,
    findings,
    income_cents,
    is_complete,
    is_void,
    ledger,
    of_service,
    orders_in,
    outcome_of,
    overdone,
    rank,
    refusal,
    standing,
    status_of,
    step_of,
    undo_again,
)


def books(done: str, undone: str = "", confirmed: bool = False, stock: int = 50) -> Databases:
    """The books of order 1 after the steps whose services are named by their first letters."""
    databases = list(databases_of(stock))
    for letters, apply in ((done, execute), (undone, compensate)):
        for letter in letters:
            index = "OPIS".index(letter)
            databases[index] = apply(databases[index], 1)
    if confirmed:
        databases[0] = confirm(databases[0], 1)
    return tuple(databases)


def texts(databases: Databases) -> list[str]:
    return [finding.text for finding in findings(databases)]


def test_a_whole_order_and_a_void_one_leave_nothing_to_find() -> None:
    whole = books("OPIS", confirmed=True)
    assert is_complete(whole, 1)
    assert not is_void(whole, 1)
    assert findings(whole) == ()
    assert [d.rows[0].status for d in whole] == [CONFIRMED, "CHARGED", "RESERVED", "LABELED"]
    assert of_service(whole, INVENTORY).stock == 49
    assert income_cents(whole) == PRICE_CENTS
    void = books("OPIS", "SIPO")
    assert is_void(void, 1)
    assert findings(void) == ()
    assert conserved(void)
    assert [d.rows[0].status for d in void] == [step.undone for step in STEPS]
    assert findings(databases_of()) == ()
    assert orders_in(void) == (1,)


@pytest.mark.parametrize(
    ("done", "undone", "text", "cents", "units"),
    [
        ("P", "", "charged $49.99 for an order that does not exist (number 1)", 4_999, 0),
        ("OP", "O", "charged $49.99 for an order that was canceled (number 1)", 4_999, 0),
        ("OPP", "", "charged $99.98 for order 1, which costs $49.99", 4_999, 0),
        ("I", "", "one widget held for an order that does not exist (number 1)", 0, 1),
        ("OPII", "", "2 widgets held for order 1, which needs one", 0, 1),
        ("O", "", ("order 1 is PENDING; still to do: charge $49.99, reserve one widget, "
         "create the shipment label"), 0, 0),
        ("OPIS", "", "order 1 is PENDING; nobody has confirmed it", 0, 0),
        ("OIS", "", "order 1 ships without being paid for", -4_999, 0),
        ("OPS", "", "order 1 ships, and no widget was set aside for it", 0, -1),
        ("OPISS", "", "2 shipment labels for order 1", -4_999, 0),
        ("OO", "", "order 1 is in the books 2 times", 0, 0),
    ],
)  # fmt: skip
def test_an_auditor_says_what_is_wrong_in_money_and_stock(
    done: str, undone: str, text: str, cents: int, units: int
) -> None:
    found = findings(books(done, undone))
    assert found[0].text == text
    assert (found[0].order, found[0].cents, found[0].units) == (1, cents, units)


@given(st.lists(st.tuples(st.sampled_from(SERVICES), st.integers(1, 4), st.integers(0, 3))))
def test_an_order_alone_is_judged_as_among_the_others(deeds: list[tuple[str, int, int]]) -> None:
    acts = (execute, execute, compensate, undo_again)
    whole = {book.service: book for book in databases_of()}
    for service, order, act in deeds:
        whole[service] = acts[act](whole[service], order)
    among = tuple(whole.values())
    alone = by_order(among)
    assert tuple(alone) == orders_in(among)
    for order, books_alone in alone.items():
        assert is_void(books_alone, order) == is_void(among, order)
        assert is_complete(books_alone, order) == is_complete(among, order)
        assert status_of(books_alone, order) == status_of(among, order)
        assert findings(books_alone) == tuple(f for f in findings(among) if f.order == order)


def test_a_key_makes_a_step_take_effect_once() -> None:
    payments = of_service(databases_of(), PAYMENTS)
    once = execute(payments, 1, "charge-1")
    assert execute(once, 1, "charge-1") is once
    assert len(execute(once, 1).rows) == 2
    back = compensate(once, 1, "refund-1")
    assert compensate(back, 1, "refund-1") == back
    assert back.rows[0].status == "REFUNDED"


def test_what_is_undone_twice_gives_back_too_much_where_it_is_an_amount() -> None:
    done = [execute(book, 1) for book in databases_of()]
    assert [undo_again(book, 1) for book in done] == done
    void = [compensate(book, 1) for book in done]
    twice = [undo_again(book, 1) for book in void]
    assert [new is old for new, old in zip(twice, void, strict=True)] == [True, False, False, True]
    assert [standing(book, 1) for book in twice] == [0, 0, 0, 0]
    assert [overdone(book, 1) for book in twice] == [0, 1, 1, 0]
    assert (is_void(void, 1), is_void(twice, 1)) == (True, False)
    assert (income_cents(void), income_cents(twice)) == (0, -PRICE_CENTS)
    assert (conserved(void), conserved(twice)) == (True, False)
    assert [(f.cents, f.units) for f in findings(twice)] == [(-PRICE_CENTS, 0), (0, -1)]
    assert findings(twice)[0].text == (
        "refunded $49.99 too much for an order that was canceled (number 1)"
    )
    # Charged anew, the order is not whole: a refund too many stands against it.
    assert not is_complete([confirm(execute(book, 1), 1) for book in twice], 1)


def test_what_is_undone_before_it_was_done_cannot_be_done_any_more() -> None:
    payments = compensate(of_service(databases_of(), PAYMENTS), 1, "charge-1")
    assert payments.rows == ()
    assert execute(payments, 1, "charge-1") is payments


def test_the_last_widget_is_sold_once() -> None:
    inventory = execute(of_service(databases_of(1), INVENTORY), 1)
    assert refusal(inventory) == "out of stock"
    assert inventory.stock == 0
    with pytest.raises(ValueError, match="Inventory must refuse order 2: out of stock"):
        execute(inventory, 2)
    assert refusal(of_service(databases_of(0), SHIPPING)) == ""


def test_a_canceled_order_is_not_confirmed() -> None:
    orders = compensate(execute(of_service(databases_of(), ORDERS), 1), 1)
    assert confirm(orders, 1) == orders
    assert status_of((orders,), 1) == "CANCELED"
    assert status_of((orders,), 2) == ""


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 3)), max_size=30))
def test_stock_is_conserved_whatever_is_done_and_undone(deeds: list[tuple[bool, int]]) -> None:
    inventory = of_service(databases_of(3), INVENTORY)
    for do, order in deeds:
        if not do:
            inventory = compensate(inventory, order)
        elif not refusal(inventory):
            inventory = execute(inventory, order)
        assert conserved((inventory,), 3)


def test_customers_are_the_same_for_all_who_draw_them_first() -> None:
    first = customers(Draws(7, 0), 5.0, 20_000, declined=0.25)
    assert first == customers(Draws(7, 0), 5.0, 20_000, declined=0.25)
    assert 70 < len(first) < 130
    assert [c.order for c in first] == [*range(1, len(first) + 1)]
    assert all(a.at_ms <= b.at_ms < 20_000 for a, b in itertools.pairwise(first))
    assert 0.1 < sum(c.declined for c in first) / len(first) < 0.4
    assert customers(Draws(7, 0), 0, 20_000) == ()


def test_a_ledger_shows_the_last_lines() -> None:
    payments = of_service(books("OPPPP", "P"), PAYMENTS)
    shown = ledger(payments, most=2)
    assert shown["hidden"] == 2
    assert shown["stock"] == ""
    assert [(line["text"], line["stands"]) for line in shown["lines"]] == [  # type: ignore[attr-defined]
        ("$49.99 CHARGED", True),
        ("$49.99 REFUNDED", False),
    ]
    assert ledger(of_service(databases_of(), INVENTORY))["stock"] == "50 in stock"


def test_an_outcome_counts_what_began_in_its_interval() -> None:
    placed = (
        Placed(1, 0, 40, COMPLETED),
        Placed(2, 100, 160, COMPLETED),
        Placed(3, 120, 150, VOID),
        Placed(4, 150, 450, COMPLETED),
        Placed(5, 190),
        Placed(6, 200, 230, COMPLETED),
    )
    reads = (Read(1, 50, 70), Read(2, 110, 140, "charged twice"), Read(3, 130), Read(4, 160, 170))
    outcome = outcome_of(placed, reads, 100, 200)
    assert (outcome.placed, outcome.completed, outcome.void, outcome.open) == (4, 2, 1, 1)
    assert (outcome.in_time, outcome.completed_ms) == (1, (60, 300))
    assert (outcome.reads, outcome.anomalies, outcome.read_ms) == (3, 1, (10, 30))
    assert [rank((1, 2, 3, 4), share) for share in (0, 0.25, 0.5, 0.51, 1)] == [1, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="of at least one time"):
        rank((), 0.5)


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match="stock must be 0 units or more, got -1"):
        databases_of(-1)
    with pytest.raises(ValueError, match=r"service must be one of Orders, .*, got 'Billing'"):
        step_of("Billing")
    with pytest.raises(ValueError, match="got 'Billing'"):
        of_service(databases_of(), "Billing")
    with pytest.raises(ValueError, match="per_s and duration_ms must be 0 or more, got -1"):
        customers(Draws(1), -1, 5)
    with pytest.raises(ValueError, match=r"declined must be from 0 to 1, got 1\.5"):
        customers(Draws(1), 1, 5, 1.5)
    assert dollars(1_234_567) == "$12,345.67"
    assert SERVICES[0] == ORDERS


def test_the_first_customer_comes_after_one_gap_and_cards_are_good_by_default() -> None:
    draws = Draws(7, 0)
    come = customers(Draws(7, 0), 0.001, 10_000_000)
    at_ms = draws.exponential(1_000_000)
    for customer in come:
        assert (customer.at_ms, customer.declined) == (int(at_ms), False)
        draws.random()
        at_ms += draws.exponential(1_000_000)
    assert [customer.order for customer in come] == list(range(1, len(come) + 1))
    assert customers(Draws(7, 0), 1, 0) == ()
    for allowed in (0, 1):
        assert {c.declined for c in customers(Draws(7, 0), 5, 9_000, allowed)} == {bool(allowed)}


def test_an_interval_holds_its_first_moment_and_not_its_last() -> None:
    placed = (Placed(1, 100, 200, COMPLETED), Placed(2, 199, 199, COMPLETED), Placed(3, 200))
    reads = (Read(1, 99, 120), Read(1, 100, 130), Read(2, 199, 200), Read(3, 200, 230))
    outcome = outcome_of(placed, reads, 100, 200)
    assert (outcome.placed, outcome.completed, outcome.in_time) == (2, 2, 1)
    assert (outcome.reads, outcome.read_ms) == (2, (1, 30))
    for share in (-0.01, 1.01):
        with pytest.raises(ValueError, match="share must be from 0 to 1"):
            rank((1,), share)
    assert rank((5,), 0) == 5
