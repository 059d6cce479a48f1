"""The stories of the chapter; each seed was chosen so that the run shows its sentence."""

from __future__ import annotations

from ...kernel import Run, Scenario
from ...order_book import (
    COMPLETED,
    INVENTORY,
    OPEN,
    PAYMENTS,
    PRICE_CENTS,
    SERVICES,
    SHIPPING,
    VOID,
    findings,
    outcome_of,
    rank,
    standing,
)
from .choreography import CHAIN_MAX
from .measure import (
    at_stake_cents,
    canceled_later,
    known_by,
    knows_all,
    messages_without_faults,
    turned,
)
from .safety import ADDS_UP, ONCE, WHOLE
from .state import (
    ANSWER_LOST,
    CHOREOGRAPHY,
    FAILS,
    ORCHESTRATOR,
    SAGA,
    Crash,
    Effect,
    Inspect,
    Place,
    Restart,
    State,
)

SEED = 11
PLACE_MS = 5
ONE = ((PLACE_MS, Place()),)
LOOK_MS = 78
CRASH_MS, RESTART_MS = 44, 130
# The refund is on the disk of Payments, its answer on the way.
REFUND_MS, BACK_MS = 104, 160
DOWN_MS, UP_MS, CUSTOMERS_MS = 2_000, 6_000, 8_000


def effects(state: State) -> list[str]:
    """What happened in the databases for the first order: "Payments", "undo Payments"."""
    return [("undo " if e.undo else "") + SAGA[e.step] for e in state.orders[0].effects]


def completes(run: Run[State]) -> bool:
    """Four steps and the confirmation, each once, in ten messages, and the books are right."""
    state = run.last
    order = state.orders[0]
    as_usual = order.messages == messages_without_faults(state.params) == 10
    return (
        order.outcome == COMPLETED
        and as_usual
        and effects(state) == list(SAGA)
        and not findings(state.books)
        and state.books[2].stock == 49
    )


def compensates(run: Run[State]) -> bool:
    """Inventory refuses: the charge is refunded, then the order canceled; $49.99 was out."""
    state = run.last
    way = ["Orders", "Payments", "undo Payments", "undo Orders"]
    most = max(at_stake_cents(one) for one in run.history.states())
    back = at_stake_cents(state) == 0 and most == PRICE_CENTS
    return effects(state) == way and state.orders[0].outcome == VOID and back


def retries_compensations(run: Run[State]) -> bool:
    """Each compensation fails three times and then works, once; until then the money is gone."""
    order = run.last.orders[0]
    refunds = order.tried[len(SAGA) + SERVICES.index(PAYMENTS)]
    way = ["Orders", "Payments", "undo Payments", "undo Orders"]
    return refunds == 4 and effects(run.last) == way and order.outcome == VOID


def goes_forward(run: Run[State]) -> bool:
    """Past the pivot the reservation fails more often than the saga would try before it."""
    state = run.last
    order, tries = state.orders[0], state.orders[0].tried[SAGA.index(INVENTORY)]
    more = tries == state.params.failures + 1 > state.params.attempts
    return more and order.outcome == COMPLETED and effects(state) == list(SAGA)


def reads_what_is_taken_back(run: Run[State]) -> bool:
    """The auditor saw $49.99 taken for an order that was canceled later."""
    state = run.last
    reading = state.readings[0]
    then = run.state_at(reading.done_ms)
    early = not then.orders[0].outcome and bool(state.reads[0].anomaly)
    return early and canceled_later(state, reading)


def heeds_the_flag(run: Run[State]) -> bool:
    """The same look waits until the order is canceled, and finds nothing wrong."""
    read, order = run.last.reads[0], run.last.orders[0]
    waited = read.done_ms > order.done_ms - 40 and read.done_ms - read.at_ms > 60
    return waited and not read.anomaly and order.outcome == VOID


def resumes(run: Run[State]) -> bool:
    """The charge's answer is lost with the orchestrator; asked again, it is charged once."""
    state = run.last
    crashed = run.state_at(RESTART_MS - 1)
    charged = standing(crashed.books[1], 1) == 1
    unknown = known_by(crashed, ORCHESTRATOR, 1)[1] == ""
    asked_twice = state.orders[0].messages > 10
    return charged and unknown and asked_twice and effects(state) == list(SAGA)


def dances(run: Run[State]) -> bool:
    """Void in eight messages; no service ever knows of all that happened."""
    state = run.last
    nobody = not any(knows_all(state, name, 1) for name in SERVICES)
    way = ["Orders", "Payments", "undo Payments", "undo Orders"]
    return effects(state) == way and state.orders[0].messages == 8 and nobody


def chases(run: Run[State]) -> bool:
    """Charge and refund ten times and more, though the order was canceled long ago."""
    state = run.last
    order = state.orders[0]
    charges = sum(effect == Effect(1, undo=False) for effect in order.effects)
    canceled = order.outcome == VOID and order.done_ms < 200
    return canceled and turned(state) >= 10 and charges > 10 and order.hops_max > CHAIN_MAX


def charges_twice(run: Run[State]) -> bool:
    """Without keys, every lost answer is one more charge: $149.97 for one widget."""
    state = run.last
    cents = sum(finding.cents for finding in findings(state.books))
    return state.orders[0].outcome == COMPLETED and cents == 2 * PRICE_CENTS


def refunds_twice(run: Run[State]) -> bool:
    """One charge and two refunds; the orchestrator had died before it heard of the first."""
    state = run.last
    way = ["Orders", "Payments", "undo Payments", "undo Payments", "undo Orders"]
    cents = sum(finding.cents for finding in findings(state.books))
    back = effects(run.state_at(REFUND_MS)) == way[:3]
    return back and effects(state) == way and cents == -PRICE_CENTS


def rushes(run: Run[State]) -> bool:
    """All customers get an answer, 95 % within 150 ms, and more than half the readings mislead."""
    state = run.last
    result = outcome_of(state.placed, state.reads, 0, CUSTOMERS_MS)
    all_told = result.open == 0 and result.completed + result.void == result.placed > 200
    swift = rank(result.completed_ms, 0.95) < 150
    return all_told and swift and result.anomalies * 2 > result.reads and not findings(state.books)


def waits_for_shipping(run: Run[State]) -> bool:
    """No order completes while Shipping is down, none is lost, and all end when it is back."""
    state = run.last
    during = [o for o in state.orders if o.at_ms >= DOWN_MS and o.done_ms != OPEN]
    early = [o for o in during if o.done_ms < UP_MS]
    only_void = all(order.outcome == VOID for order in early)
    return only_void and not any(not o.outcome for o in state.orders) and not findings(state.books)


FRONT = ("coordination", "fails")
# 16 s of a crowd in 40 s of the reader, at the pattern's own pace 20 minutes.
RUSH_RATE = 0.4
RUSH = {"customers_ms": CUSTOMERS_MS, "declined": 0.05, "reads_per_s": 5.0, "stock": 1_000}

SCENARIOS = (
    Scenario(
        id="all-works",
        title="All four steps work",
        claim="Four steps, each committed at once, and then the order is confirmed: ten messages.",
        proof=completes,
        watch="Each book changes at once. Until the end anybody can read an order half done.",
        until_ms=220,
        show_ms=102,
        seed=SEED,
        script=ONE,
        front=FRONT,
    ),
    Scenario(
        id="compensates",
        title="The reservation is refused",
        claim="What was done is undone in reverse: the charge is refunded, the order canceled.",
        proof=compensates,
        watch="The path turns back. A row is not erased: it is changed once more.",
        until_ms=220,
        show_ms=117,
        seed=SEED,
        params={"fails": INVENTORY},
        script=ONE,
        front=FRONT,
    ),
    Scenario(
        id="compensation-fails",
        title="The compensations fail as well",
        claim="A compensation is tried, each time later, until it works; it takes effect once.",
        proof=retries_compensations,
        watch="There is no way back from the way back: the orchestrator waits and asks again.",
        until_ms=1_100,
        show_ms=180,
        seed=SEED,
        params={"fails": INVENTORY, "compensation_failures": 3},
        script=ONE,
        front=("compensation_failures", "fails"),
    ),
    Scenario(
        id="past-the-pivot",
        title="Past the pivot: forward only",
        claim="With the charge as pivot, the reservation is tried until it works, never undone.",
        proof=goes_forward,
        watch="Left of the pivot three failures would turn the saga back. Right of it none does.",
        until_ms=1_300,
        show_ms=256,
        seed=SEED,
        params={"pivot": PAYMENTS, "fails": INVENTORY, "how": FAILS, "failures": 4},
        script=ONE,
        front=("pivot", "failures"),
    ),
    Scenario(
        id="dirty-read",
        title="Somebody reads in between",
        claim="The auditor sees $49.99 taken for an order that is canceled a moment later.",
        proof=reads_what_is_taken_back,
        watch="What the auditor saw was committed, and still it was not to last.",
        until_ms=260,
        show_ms=210,
        seed=SEED,
        params={"fails": SHIPPING},
        script=(*ONE, (LOOK_MS, Inspect())),
        front=("semantic_lock", "fails"),
    ),
    Scenario(
        id="semantic-lock",
        title="PENDING as a lock",
        claim="Who heeds the flag waits until the saga has ended, and is not misled.",
        proof=heeds_the_flag,
        watch="No database locks anything: PENDING is a word in a row that readers agree to heed.",
        until_ms=320,
        show_ms=160,
        seed=SEED,
        params={"fails": SHIPPING, "semantic_lock": True},
        script=(*ONE, (LOOK_MS, Inspect())),
        front=("semantic_lock", "fails"),
    ),
    Scenario(
        id="orchestrator-crashes",
        title="The orchestrator crashes",
        claim="It goes on from its log, and asks again for a charge that was made: charged once.",
        proof=resumes,
        watch="The log does not say that the card was charged. Its key in Payments does.",
        until_ms=340,
        show_ms=61,
        seed=SEED,
        script=(*ONE, (CRASH_MS, Crash(ORCHESTRATOR)), (RESTART_MS, Restart(ORCHESTRATOR))),
        front=("idempotency_keys", "coordination"),
    ),
    Scenario(
        id="choreography",
        title="The same saga without a center",
        claim="Events go around and back; the order is void, and nobody knows the whole story.",
        proof=dances,
        watch="Read the table: each service knows its own step and what its neighbor told it.",
        until_ms=160,
        show_ms=63,
        seed=SEED,
        params={"coordination": CHOREOGRAPHY, "fails": INVENTORY},
        script=ONE,
        front=FRONT,
    ),
    Scenario(
        id="event-cycle",
        title="Events that chase each other",
        claim="One well-meant rule, and a canceled order is charged and refunded over and over.",
        proof=chases,
        watch="No service does anything wrong by its own rules. The cycle is in none of them.",
        until_ms=900,
        show_ms=640,
        seed=SEED,
        params={
            "coordination": CHOREOGRAPHY,
            "fails": INVENTORY,
            "cyclic_subscription": True,
        },
        script=ONE,
        front=("cyclic_subscription", "coordination"),
        breaks=(ONCE, WHOLE),
    ),
    Scenario(
        id="without-keys",
        title="Lost answers, and no idempotency keys",
        claim="Two answers of Payments are lost, the card is charged three times: $149.97.",
        proof=charges_twice,
        watch="Asking again is right; being asked again must be harmless. Switch the keys on.",
        until_ms=500,
        show_ms=378,
        seed=SEED,
        params={"fails": PAYMENTS, "how": ANSWER_LOST, "idempotency_keys": False},
        script=ONE,
        front=("idempotency_keys", "coordination"),
        breaks=(ONCE, WHOLE),
    ),
    Scenario(
        id="refunded-twice",
        title="A refund that nobody heard of, and no idempotency keys",
        claim="Charged once and refunded twice: the shop has given $49.99 away.",
        proof=refunds_twice,
        watch="The orchestrator does not know of the refund, so it asks again. Switch the keys on.",
        until_ms=400,
        show_ms=230,
        seed=SEED,
        params={"fails": INVENTORY, "idempotency_keys": False},
        script=(*ONE, (REFUND_MS, Crash(ORCHESTRATOR)), (BACK_MS, Restart(ORCHESTRATOR))),
        front=("idempotency_keys", "coordination"),
        breaks=(ONCE, WHOLE, ADDS_UP),
    ),
    Scenario(
        id="rush",
        title="Thirty customers a second",
        claim="Every customer gets an answer, 95 % within 150 ms; most readings are misled.",
        proof=rushes,
        watch="No order waits for another longer than a local transaction takes.",
        until_ms=16_000,
        show_ms=7_900,
        seed=SEED,
        params={**RUSH, "orders_per_s": 30.0},
        front=("semantic_lock", "coordination"),
        playback_rate=RUSH_RATE,
    ),
    Scenario(
        id="service-down",
        title="Shipping is down for four seconds",
        claim="Orders wait PENDING before the label; when Shipping is back, all of them end.",
        proof=waits_for_shipping,
        watch="Nothing is locked and nothing lost, but paid orders pile up: look at the money.",
        until_ms=16_000,
        show_ms=5_900,
        seed=SEED,
        params={**RUSH, "orders_per_s": 10.0},
        script=((DOWN_MS, Crash(SHIPPING)), (UP_MS, Restart(SHIPPING))),
        front=("pivot", "coordination"),
        playback_rate=RUSH_RATE,
    ),
)
