"""Stories of two-phase commit, each with a sentence that its run proves.

The short ones have retries of 50 ms and patience for votes of 150 ms, so that a reader sees them
happen; the crowds have the longer ones of the defaults.
"""

from __future__ import annotations

from typing import Any

from ...kernel import Deliver, Run, Scenario
from ...order_book import (
    COMPLETED,
    INVENTORY,
    ORDERS,
    PAYMENTS,
    SERVICES,
    SHIPPING,
    VOID,
    findings,
    is_complete,
    is_void,
    outcome_of,
    standing,
)
from .rules import ABORT, ABORTED, COMMIT, COMMITTED, PREPARED
from .shop import (
    COORDINATOR,
    STOCK_ROW,
    Crash,
    Inquiry,
    LoseNext,
    PlaceOrder,
    Restart,
    State,
    decision_of,
    in_doubt,
    is_quiet,
    participant_of,
    status_in,
)

SEED = 11
QUICK = {"vote_timeout_ms": 150, "retry_ms": 50}
ORDER = PlaceOrder()
# The votes of Payments and Inventory have arrived, the others are on their way.
BETWEEN_MS = 24
BACK_MS = 150
SECOND_MS = 260
# The commit record is in the log since 286 ms; what was sent about it is lost, all of it.
SILENCE_MS, DECIDED_MS, AGAIN_MS = 280, 288, 400
CROWD: dict[str, Any] = {"declined": 0.05, "reads_per_s": 5.0, "stock": 1_000}
CROWD_MS, QUIET_MS = 8_000, 16_000
# 16 s of a crowd in 40 s of the reader, at the pattern's own pace 19 minutes.
CROWD_RATE = 0.4
DOWN_MS, UP_MS = 2_000, 6_000


def statuses(state: State, order: int = 1) -> set[str]:
    """Where the participants are with an order."""
    return {status_in(member, order) for member in state.participants}


def outcomes(state: State) -> list[str]:
    """What the customers were told, order by order."""
    return [placed.outcome for placed in state.placed]


def fits(state: State) -> bool:
    """Whether all is over, nothing fell, and the books agree."""
    return is_quiet(state) and not state.falls and not findings(state.books)


def asked(run: Run[State], name: str) -> int:
    """How often a participant has asked what was decided."""
    return sum(
        isinstance(event, Deliver)
        and isinstance(event.message.body, Inquiry)
        and event.message.source == name
        for _, _, event in run.history.causes()
    )


def lost(run: Run[State]) -> int:
    """How many messages were lost."""
    flying = {
        message.id: message.lost
        for state in run.history.states()
        for message in state.network.in_flight
    }
    return sum(bool(why) for why in flying.values())


# --- Proofs ---------------------------------------------------------------------------------------


def all_commit(run: Run[State]) -> bool:
    """Nobody has committed before the coordinator's record; in the end all have."""
    early = any(
        COMMITTED in statuses(state) and not decision_of(state.coordinator, 1)
        for state in run.history.states()
    )
    last = run.last
    return not early and fits(last) and is_complete(last.books, 1) and statuses(last) == {COMMITTED}


def one_no_stops_all(run: Run[State]) -> bool:
    """Three were prepared, one said no, and no book has changed at any moment."""
    prepared = max(
        sum(status_in(m, 1) == PREPARED for m in state.participants)
        for state in run.history.states()
    )
    untouched = all(s.books == run.history[0].state.books for s in run.history.states())
    last = run.last
    refused = last.refusals == ((1, f"{PAYMENTS}: card declined"),)
    return prepared == 3 and untouched and refused and fits(last) and statuses(last) == {ABORTED}


def all_are_blocked(run: Run[State]) -> bool:
    """All four are prepared and locked to the end, have asked again and again, and know nothing."""
    last = run.last
    undecided = not any(decision_of(m, 1) for m in last.participants)
    locked = all(any(c.owner == 1 for c in m.locks.held) for m in last.participants)
    patient = all(asked(run, name) >= 3 for name in SERVICES)
    return statuses(last) == {PREPARED} and undecided and locked and patient and not last.falls


def the_log_decides(run: Run[State]) -> bool:
    """Order 1 is in no log and aborts; order 2 is, and all commit after the restart only."""
    last = run.last
    decided = decision_of(run.state_at(DECIDED_MS).coordinator, 2) == COMMIT
    waits = decided and statuses(run.state_at(AGAIN_MS), 2) == {PREPARED}
    return (
        fits(last)
        and outcomes(last) == [VOID, COMPLETED]
        and is_void(last.books, 1)
        and is_complete(last.books, 2)
        and statuses(run.state_at(BACK_MS - 1)) == {PREPARED}
        and waits
    )


def a_promise_survives(run: Run[State]) -> bool:
    """Order 1 commits at Inventory after its restart; order 2 has no vote of it, and aborts."""
    last = run.last
    kinds = [r.kind for r in participant_of(last, INVENTORY).log if r.order == 1]
    return (
        fits(last)
        and kinds == [PREPARED, COMMIT]
        and status_in(participant_of(run.state_at(109), INVENTORY), 1) == PREPARED
        and outcomes(last) == [COMPLETED, VOID]
        and last.refusals == ((2, f"{INVENTORY}: no vote in time"),)
    )


def losses_cost_time_only(run: Run[State]) -> bool:
    """Many messages were lost; every order is decided, and the books agree."""
    last = run.last
    return lost(run) >= 30 and fits(last) and sorted(outcomes(last)) == [COMPLETED, COMPLETED, VOID]


def others_wait_for_one(run: Run[State]) -> bool:
    """Order 1 is decided after 29 ms, yet three good orders wait for its lock, all in doubt."""
    last, then = run.last, run.state_at(190)
    inventory = participant_of(then, INVENTORY)
    queue = [c.owner for c in inventory.locks.queue if c.key == STOCK_ROW]
    return (
        decision_of(then.coordinator, 1) == COMMIT
        and status_in(inventory, 1) == PREPARED
        and queue == [2, 3, 4]
        and in_doubt(then) == (1, 2, 3, 4)
        and last.waits.count == 3
        and last.waits.longest_ms >= 150
        and outcomes(last) == [COMPLETED] * 4
        and fits(last)
    )


def one_decides_alone(run: Run[State]) -> bool:
    """Payments aborts what the three others commit: the order ships without being paid for."""
    last = run.last
    wrong = [finding.text for finding in findings(last.books)]
    alone = [record for record in participant_of(last, PAYMENTS).log if record.alone]
    return (
        [record.kind for record in alone] == [ABORT]
        and not standing(last.books[SERVICES.index(PAYMENTS)], 1)
        and all(decision_of(participant_of(last, n), 1) == COMMIT for n in (ORDERS, SHIPPING))
        and wrong == ["order 1 ships without being paid for"]
    )


def a_crowd_is_served(run: Run[State]) -> bool:
    """Every order is decided, every reading fits, and the widget's row is what they wait for."""
    last = run.last
    counts = outcome_of(last.placed, last.reads, 0, CROWD_MS)
    declined = sum(customer.declined for customer in run.history[0].state.customers)
    tired = sum(why.endswith("waited too long for a lock") for _, why in last.refusals)
    return (
        fits(last)
        and counts.open == 0
        and counts.anomalies == 0
        and counts.reads >= 20
        and counts.void == declined + tired
        and last.waits.count > counts.placed / 2
    )


def none_finish_while_one_is_down(run: Run[State]) -> bool:
    """Between crash and restart nothing is completed; before and after, orders are."""
    last = run.last
    done = [p.done_ms for p in last.placed if p.outcome == COMPLETED]
    # Votes that Shipping had sent before it crashed may still arrive.
    while_down = [ms for ms in done if DOWN_MS + 30 < ms < UP_MS]
    counts = outcome_of(last.placed, last.reads, 0, CROWD_MS)
    return (
        not while_down
        and any(ms < DOWN_MS for ms in done)
        and any(ms > UP_MS for ms in done)
        and counts.void > counts.placed / 3
        and counts.anomalies == 0
        and fits(last)
    )


# --- The stories ----------------------------------------------------------------------------------

FRONT = ("slow_ms", "decides_alone")

SCENARIOS = (
    Scenario(
        id="commit",
        title="All vote yes",
        claim="All four vote yes, one commit record decides, and all four databases change.",
        proof=all_commit,
        watch="The padlocks: from the work until the decision, two round trips, nothing is free.",
        until_ms=60,
        show_ms=26,
        seed=SEED,
        script=((0, ORDER),),
        front=FRONT,
    ),
    Scenario(
        id="one-votes-no",
        title="One votes no",
        claim="The card is declined: Payments votes no, three promises end, and no book changes.",
        proof=one_no_stops_all,
        watch="Three were ready to commit. One no is enough, and nothing has to be undone.",
        until_ms=80,
        show_ms=26,
        seed=SEED,
        script=((0, PlaceOrder("declined")),),
        front=FRONT,
    ),
    Scenario(
        id="coordinator-crashes",
        title="The coordinator crashes between votes and decision",
        claim="All four have voted yes, nobody may decide, and all four keep their locks.",
        proof=all_are_blocked,
        watch="Four in doubt, and the clocks beside the padlocks run. Restart the coordinator.",
        until_ms=300,
        show_ms=276,
        seed=SEED,
        params=QUICK,
        script=((0, ORDER), (BETWEEN_MS, Crash(COORDINATOR))),
        front=FRONT,
    ),
    Scenario(
        id="coordinator-recovers",
        title="The coordinator comes back, twice",
        claim="Its log says nothing of order 1: all abort. It says commit for order 2: all commit.",
        proof=the_log_decides,
        watch="The coordinator’s log. What is not in it was never decided, and that means abort; "
        "what is in it is told again.",
        until_ms=560,
        show_ms=409,
        seed=SEED,
        params=QUICK,
        script=(
            (0, ORDER),
            (BETWEEN_MS, Crash(COORDINATOR)),
            (BACK_MS, Restart(COORDINATOR)),
            (SECOND_MS, ORDER),
            *((SILENCE_MS, LoseNext(name)) for name in SERVICES),
            (DECIDED_MS, Crash(COORDINATOR)),
            (AGAIN_MS, Restart(COORDINATOR)),
        ),
        front=FRONT,
    ),
    Scenario(
        id="participant-crashes",
        title="A participant crashes, after its yes and before it",
        claim="After its yes Inventory commits when it is back; before its yes the order aborts.",
        proof=a_promise_survives,
        watch="Inventory’s log: “prepared” survives the crash, and with it the lock.",
        until_ms=500,
        show_ms=114,
        seed=SEED,
        params=QUICK,
        script=(
            (0, ORDER),
            (25, Crash(INVENTORY)),
            (110, Restart(INVENTORY)),
            (220, ORDER),
            (230, Crash(INVENTORY)),
            (450, Restart(INVENTORY)),
        ),
        front=FRONT,
    ),
    Scenario(
        id="lost-messages",
        title="Three in ten messages are lost",
        claim="Over 30 messages are lost; still each order is in all four databases or in none.",
        proof=losses_cost_time_only,
        watch="Crosses: lost. Whoever misses an answer asks again, or is told again until it acks.",
        until_ms=700,
        show_ms=108,
        seed=14,
        params={"vote_timeout_ms": 200, "retry_ms": 50, "loss": 0.3},
        script=((0, ORDER), (100, ORDER), (200, ORDER)),
        front=("loss", "decides_alone"),
    ),
    Scenario(
        id="others-wait",
        title="Others wait for the locks of one in doubt",
        claim="Inventory misses a commit, and three good orders wait for the widget meanwhile.",
        proof=others_wait_for_one,
        watch="Order 1 was decided long ago. Who has not heard of it holds up everybody else.",
        until_ms=420,
        show_ms=190,
        seed=SEED,
        script=(
            (0, ORDER),
            (25, LoseNext(INVENTORY)),
            (50, ORDER),
            (90, ORDER),
            (130, ORDER),
            (200, LoseNext(INVENTORY)),
        ),
        front=("retry_ms", "decides_alone"),
    ),
    Scenario(
        id="decides-alone",
        title="In doubt, Payments decides by itself",
        claim="Payments aborts what the others commit: the order ships, and nobody paid $49.99.",
        proof=one_decides_alone,
        watch="The commit to Payments is lost, and its patience ends before it is told again.",
        until_ms=200,
        show_ms=100,
        seed=SEED,
        params={
            "decides_alone": True,
            "patience_ms": 60,
            "vote_timeout_ms": 150,
            "retry_ms": 80,
        },
        script=((0, ORDER), (25, LoseNext(PAYMENTS))),
        front=("decides_alone", "alone", "patience_ms"),
        breaks=("No participant commits what another aborts",),
    ),
    Scenario(
        id="rush",
        title="Thirty orders a second",
        claim="Nobody ever reads half an order, and most orders wait for the widget’s one row.",
        proof=a_crowd_is_served,
        watch="One row, and one order at a time on it, for two round trips. Drag the slider.",
        until_ms=QUIET_MS,
        show_ms=6_500,
        seed=SEED,
        params={**CROWD, "orders_per_s": 30.0},
        front=("orders_per_s", "slow_ms"),
        playback_rate=CROWD_RATE,
    ),
    Scenario(
        id="service-down",
        title="Shipping is down for four seconds",
        claim="While Shipping is down, not one order is completed.",
        proof=none_finish_while_one_is_down,
        watch="The line of completed orders lies flat from 2 s to 6 s: all must vote.",
        until_ms=QUIET_MS,
        show_ms=5_000,
        seed=SEED,
        params={**CROWD, "orders_per_s": 10.0},
        script=((DOWN_MS, Crash(SHIPPING)), (UP_MS, Restart(SHIPPING))),
        front=("orders_per_s", "vote_timeout_ms"),
        playback_rate=CROWD_RATE,
    ),
)
