"""The stories of the chapter; each proof reads the books at the end."""

from __future__ import annotations

from ...kernel import Run, Scenario
from ...order_book import (
    INVENTORY,
    ORDERS,
    PAYMENTS,
    PRICE_CENTS,
    SHIPPING,
    income_cents,
    is_complete,
    is_void,
    of_service,
    standing,
)
from .shop import (
    CALLER_CRASHES,
    GIVE_UP,
    LOST_ANSWER,
    NO_STEP,
    REFUSES,
    RETRY,
    ROLL_BACK,
    SHOP,
    SORRY,
    THANKS,
    UNKNOWN,
    PlaceOrder,
    State,
    call_of,
    is_over,
    status,
    wrong,
)

SEED = 5
ONE_ORDER = ((10, PlaceOrder()),)
WHOLE_OR_VOID = "Every order that is over is whole or void"
CHARGED_ONCE = "Nobody is charged twice for one order"


def counts(state: State) -> list[int]:
    """How often each step of order 1 is in effect, in the order of the services."""
    return [standing(database, 1) for database in state.databases]


def texts(state: State) -> list[str]:
    return [finding.text for finding in wrong(state)]


def was_in_doubt(run: Run[State]) -> bool:
    """At some moment the shop did not know of a charge that stood."""
    return any(
        (call := call_of(state, 1)) is not None
        and call.beliefs[1] == UNKNOWN
        and standing(of_service(state.books, PAYMENTS), 1) == 1
        for state in run.history.states()
    )


def charged_for_nothing(run: Run[State]) -> bool:
    """Only the charge is left: the order is deleted, nothing is reserved, no label is made."""
    state = run.last
    return (
        counts(state) == [0, 1, 0, 0]
        and state.customers[0].told == SORRY
        and texts(state) == ["charged $49.99 for an order that does not exist (number 1)"]
        and of_service(state.books, INVENTORY).stock == state.params.stock
    )


def charged_twice(run: Run[State]) -> bool:
    """The shop did not know that the charge had worked, asked again, and the books say $99.98."""
    state = run.last
    return (
        was_in_doubt(run)
        and counts(state) == [1, 2, 1, 1]
        and texts(state) == ["charged $99.98 for order 1, which costs $49.99"]
        and state.customers[0].told == THANKS
    )


def charged_once(run: Run[State]) -> bool:
    """The same doubt and the same second request, and one charge."""
    state = run.last
    return (
        was_in_doubt(run)
        and state.requests == 6
        and is_complete(state.books, 1)
        and income_cents(state.books) == PRICE_CENTS
        and not wrong(state)
    )


def doubt_and_a_deleted_order(run: Run[State]) -> bool:
    """The shop gave up on a charge that had worked."""
    return was_in_doubt(run) and charged_for_nothing(run)


def stuck_halfway(run: Run[State]) -> bool:
    """The shop was down, is up again and idle; the order is charged and pending for good."""
    state = run.last
    crashed = any(status(s, SHOP) == "down" for s in run.history.states())
    return (
        crashed
        and status(state, SHOP) == "forgot"
        and is_over(state, 1)
        and counts(state) == [1, 1, 0, 0]
        and state.customers[0].told == ""
        and not is_void(state.books, 1)
    )


def all_is_well(run: Run[State]) -> bool:
    """One order complete, one widget gone, one label, $49.99 earned."""
    state = run.last
    return (
        is_complete(state.books, 1)
        and of_service(state.books, INVENTORY).stock == state.params.stock - 1
        and standing(of_service(state.books, SHIPPING), 1) == 1
        and standing(of_service(state.books, ORDERS), 1) == 1
        and income_cents(state.books) == PRICE_CENTS
        and state.customers[0].told == THANKS
        and not wrong(state)
    )


FRONT = ("failing_step", "how", "on_timeout", "idempotency_key", "on_failure")

SCENARIOS = (
    Scenario(
        id="third-step-fails",
        title="“Just roll it back”: the third step fails",
        claim="Inventory refuses, the shop deletes its order, and the charge of $49.99 stands.",
        proof=charged_for_nothing,
        watch="The shop takes back what is its own. The payment is in another database, and stays.",
        until_ms=130,
        show_ms=91,
        seed=SEED,
        params={"failing_step": INVENTORY, "how": REFUSES, "on_failure": ROLL_BACK},
        script=ONE_ORDER,
        front=FRONT,
        breaks=(WHOLE_OR_VOID,),
    ),
    Scenario(
        id="lost-answer",
        title="Did it work? The answer is lost, and the shop asks again",
        claim="The charge worked, its answer was lost; the second request charges again: $99.98.",
        proof=charged_twice,
        watch="Beside “unknown” stands CHARGED. A lost request would look the same to the shop.",
        until_ms=200,
        show_ms=81,
        seed=SEED,
        params={"failing_step": PAYMENTS, "how": LOST_ANSWER, "on_timeout": RETRY},
        script=ONE_ORDER,
        front=FRONT,
        breaks=(WHOLE_OR_VOID, CHARGED_ONCE),
    ),
    Scenario(
        id="gives-up",
        title="Did it work? The shop gives up",
        claim="The charge worked, the shop counts it as failed: $49.99 for an order that is gone.",
        proof=doubt_and_a_deleted_order,
        watch="To count “unknown” as “failed” is a guess. Here it is the wrong one.",
        until_ms=140,
        show_ms=100,
        seed=SEED,
        params={"failing_step": PAYMENTS, "how": LOST_ANSWER, "on_timeout": GIVE_UP},
        script=ONE_ORDER,
        front=FRONT,
        breaks=(WHOLE_OR_VOID,),
    ),
    Scenario(
        id="idempotency-key",
        title="The same lost answer, with an idempotency key",
        claim="The shop asks twice with one key, Payments charges once, and the order is complete.",
        proof=charged_once,
        watch="The second request has the same key; Payments answers again and charges no more.",
        until_ms=200,
        show_ms=89,
        seed=SEED,
        params={
            "failing_step": PAYMENTS,
            "how": LOST_ANSWER,
            "on_timeout": RETRY,
            "idempotency_key": True,
        },
        script=ONE_ORDER,
        front=FRONT,
    ),
    Scenario(
        id="caller-crashes",
        title="The shop crashes between two steps",
        claim="The order is created and charged, the shop comes back, and nobody finishes it.",
        proof=stuck_halfway,
        watch="No key helps a shop that no longer knows that there was an order. It needs a log.",
        until_ms=140,
        show_ms=101,
        seed=SEED,
        params={
            "failing_step": PAYMENTS,
            "how": CALLER_CRASHES,
            "on_timeout": RETRY,
            "idempotency_key": True,
        },
        script=ONE_ORDER,
        front=FRONT,
        breaks=(WHOLE_OR_VOID,),
    ),
    Scenario(
        id="all-works",
        title="When nothing fails, nothing is missing",
        claim="Four steps and a confirmation: one order, one charge, one widget, one label.",
        proof=all_is_well,
        watch="On a good day the same code is right. That is why the mistake is found so late.",
        until_ms=140,
        show_ms=114,
        seed=SEED,
        params={"failing_step": NO_STEP},
        script=ONE_ORDER,
        front=FRONT,
    ),
)
