"""Two-phase commit: one decision for four databases, and what it costs while nobody may decide.

It shows: when all vote yes, the coordinator's commit record decides for everybody, and when anyone
votes no, nothing happens anywhere. Between its yes and the decision a participant is in doubt: it
holds its locks and may do nothing but ask. If the coordinator crashes in between, all wait, and
others wait for their locks. After a crash the logs say what to do; about what no log mentions, the
answer is abort. A participant that decides by itself breaks what the others rely on.

Sources: Gray, "Notes on Data Base Operating Systems", 1978; Mohan, Lindsay, Obermarck, ACM TODS
11(4), 1986, https://doi.org/10.1145/7239.7266 (presumed abort); Gray and Lamport, ACM TODS 31(1),
2006, https://arxiv.org/abs/cs/0408036 (the rules, in `rules`); Bernstein, Hadzilacos, Goodman,
"Concurrency Control and Recovery in Database Systems", 1987, chapter 7.

What is simplified is said in `shop`, `coordinating` and `auditing`.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...kernel import (
    Context,
    Deliver,
    Latency,
    Message,
    arrive,
    check_up,
    crash,
    is_up,
    network_of,
    replace,
    restart,
    restarted,
)
from ...order_book import INVENTORY, SERVICES, Database, customers
from . import auditing, coordinating, participating, safety
from .shop import (
    AUDITOR,
    CARDS,
    COORDINATOR,
    LATENCY_MS,
    Ack,
    Alarm,
    Answer,
    Ask,
    Auditors,
    Coordinator,
    Crash,
    Customers,
    Decision,
    Event,
    Inquiry,
    Logged,
    LoseNext,
    Params,
    Participant,
    PlaceOrder,
    Prepare,
    Release,
    Restart,
    SetLoss,
    State,
    Vote,
    Worked,
    nodes,
    participant_of,
    slow_links,
    with_participant,
)


def init(params: Params, ctx: Context) -> State:
    """A shop whose four services take part in every order."""
    return opened(params, ctx, SERVICES)


def opened(params: Params, ctx: Context, names: Sequence[str]) -> State:
    """A shop with these participants, the last of which is the farthest; customers begin to come.

    The customers are drawn before anything else, so that every model meets the same ones.
    """
    coming = customers(ctx, params.orders_per_s, params.customers_ms, params.declined)
    network = network_of(
        (COORDINATOR, *names, AUDITOR),
        Latency.uniform(*LATENCY_MS),
        loss=params.loss,
        duplication=params.duplication,
    )
    network = replace(network, links=slow_links(names[-1], params.slow_ms))
    stock = [params.stock if name == INVENTORY else 0 for name in names]
    members = tuple(
        Participant(name, Database(name, stock=units))
        for name, units in zip(names, stock, strict=True)
    )
    if coming:
        ctx.after(coming[0].at_ms, Customers())
    state = State(params, network, Coordinator(), members, customers=coming, crowd=len(coming))
    next_auditor(state, ctx)
    return state


def update(state: State, event: Event, ctx: Context) -> State:
    """The state after an event; `ValueError` for a node or a card that is not allowed."""
    return safety.noted(state, event, happened(state, event, ctx))


def happened(state: State, event: Event, ctx: Context) -> State:
    match event:
        case Deliver(message):
            return delivered(state, message, ctx)
        case Worked(name, order):
            up = is_up(state.network, name)
            return participating.worked(state, name, order, ctx) if up else state
        case Logged(order):
            return coordinating.logged(state, order, ctx)
        case Alarm(name):
            return alarmed(state, name, ctx)
        case Customers():
            return customer_came(state, ctx)
        case Auditors():
            next_auditor(state, ctx)
            return auditing.begin(state, ctx)
    return done_by_reader(state, event, ctx)


# --- What happens by itself -----------------------------------------------------------------------


def delivered(state: State, message: Message, ctx: Context) -> State:
    """A message reaches its node, unless it was lost or the node is down."""
    network, received = arrive(state.network, message)
    state = replace(state, network=network)
    if received is None:
        return state
    source, target = received.source, received.target
    match received.body:
        case Prepare() as prepare:
            return participating.asked_to_prepare(state, target, prepare, ctx)
        case Decision() as decision:
            return participating.decided(state, target, decision, ctx)
        case Vote() as vote:
            return coordinating.voted(state, source, vote, ctx)
        case Ack(order):
            return coordinating.acked(state, source, order, ctx)
        case Inquiry(order):
            return coordinating.inquired(state, source, order, ctx)
        case Ask() as ask:
            return participating.asked_to_read(state, target, ask, ctx)
        case Answer() as answer:
            return auditing.answered(state, source, answer, ctx)
        case Release(attempt):
            return participating.released(state, target, -attempt, ctx)
    raise ValueError(f"two_phase_commit has no message {received.body!r}")


def alarmed(state: State, name: str, ctx: Context) -> State:
    """An alarm: stale, or the earliest deadline of a node has come."""
    if name == COORDINATOR:
        due = state.coordinator.alarm_ms == ctx.now_ms and is_up(state.network, name)
        return coordinating.alarmed(state, ctx) if due else state
    if name == AUDITOR:
        due = state.auditor.alarm_ms == ctx.now_ms
        return auditing.alarmed(state, ctx) if due else state
    return participating.alarmed(state, name, ctx)


def customer_came(state: State, ctx: Context) -> State:
    """A customer orders; the next one comes at his own time."""
    customer, *others = state.customers
    state = replace(state, customers=tuple(others))
    if others:
        ctx.after(others[0].at_ms - ctx.now_ms, Customers())
    return coordinating.begin(state, customer.order, customer.declined, ctx)


def next_auditor(state: State, ctx: Context) -> None:
    """Auditors come at random for as long as customers do."""
    rate = state.params.reads_per_s
    if rate:
        delay_ms = int(ctx.exponential(1_000 / rate))
        if ctx.now_ms + delay_ms < state.params.customers_ms:
            ctx.after(delay_ms, Auditors())


# --- What the reader does -------------------------------------------------------------------------


def done_by_reader(state: State, event: Event, ctx: Context) -> State:
    match event:
        case PlaceOrder(card):
            return ordered(state, card, ctx)
        case Crash(name):
            return crashed(state, name)
        case Restart(name):
            return came_back(state, name, ctx)
        case LoseNext(name):
            if name not in nodes(state):
                raise ValueError(
                    f"node must be one of {', '.join(nodes(state))}, got {name[:40]!r}"
                )
            return replace(state, lose_next=(*state.lose_next, name))
        case SetLoss(loss):
            if not 0 <= loss <= 0.5:
                raise ValueError(f"loss must be from 0 to 0.5, got {loss!r}")
            return replace(state, network=replace(state.network, loss=loss))
    raise ValueError(f"two_phase_commit has no event {event!r}")


def ordered(state: State, card: str, ctx: Context) -> State:
    """The reader's customer orders; his number comes after those of all other customers."""
    if card not in CARDS:
        raise ValueError(f"card must be one of {', '.join(CARDS)}, got {card[:40]!r}")
    if not is_up(state.network, COORDINATOR):
        raise ValueError(f"an order needs a coordinator that is up, {COORDINATOR} is down")
    state = replace(state, own=state.own + 1)
    order = state.crowd + state.own
    return coordinating.begin(state, order, card == "declined", ctx)


def crashed(state: State, name: str) -> State:
    """A node stops: its locks, its works and what was not forced to its log are gone."""
    check_up(state.network, name, among=nodes(state))
    state = replace(state, network=crash(state.network, name))
    if name == COORDINATOR:
        return replace(state, coordinator=restarted(state.coordinator, Coordinator()))
    member = restarted(participant_of(state, name), Participant(name))
    return auditing.forgotten(with_participant(state, member), name)


def came_back(state: State, name: str, ctx: Context) -> State:
    """A node restarts and does what its log says."""
    check_up(state.network, name, up=False, among=nodes(state))
    state = replace(state, network=restart(state.network, name))
    if name == COORDINATOR:
        return coordinating.recovered(state, ctx)
    return participating.recovered(state, name, ctx)
