"""Three replicas of one account, and a network that can be cut: consistent, or available?

It shows: during a cut a replica that hears no majority can refuse (CP), so that every answer that
is given is right, or answer from its own copy (AP), so that every request is answered at once and
some answers are wrong. What AP did on both sides must be merged afterwards: by a rule that loses
money, or by a counter that does not.

Papers: Gilbert and Lynch, "Brewer's Conjecture and the Feasibility of Consistent, Available,
Partition-Tolerant Web Services", SIGACT News 33(2), 2002, https://doi.org/10.1145/564585.564601,
for the theorem; the modules beside this one name those for the protocols (`majority` for CP,
`sync` and `account` for AP).

Simplified: a client stands beside its replica, so that asking and answering take no time; the
clocks of the replicas agree exactly.
"""

from __future__ import annotations

from ...kernel import (
    Context,
    Deliver,
    Latency,
    Message,
    arrive,
    heal,
    network_of,
    parse_groups,
    replace,
)
from ...kernel import cut as cut_network
from ...kernel import cut_link as cut_network_link
from .account import NAMES, Request, applied, changes
from .majority import (
    accepted,
    ask_again,
    asked_to_accept,
    asked_to_promise,
    give_up,
    promised,
    rejected,
    requested,
    try_again,
)
from .observed import verdict_of
from .state import (
    ARROW,
    REQUESTS_MAX,
    Accept,
    Accepted,
    AskAgain,
    Confirm,
    Cut,
    CutOneWay,
    Deposit,
    Event,
    GiveUp,
    Heal,
    Params,
    Prepare,
    Promise,
    Read,
    Reject,
    Repeat,
    Replica,
    SetBalance,
    State,
    TryAgain,
    Update,
    Withdraw,
    behind,
    lost,
    one_way_links,
    replica_of,
    turn_of,
    with_request,
)
from .sync import confirmed, hear, repeat, tell, with_copy


def init(params: Params, ctx: Context) -> State:
    """Three equal copies and a whole network."""
    latency = Latency.uniform(0.7 * params.latency_ms, 1.3 * params.latency_ms)
    network = network_of(NAMES, latency, loss=params.loss)
    return State(params, network, tuple(Replica(name) for name in NAMES))


# --- What the reader does -------------------------------------------------------------------------


def ask(state: State, ctx: Context, replica: str, kind: str, amount: int = 0) -> State:
    """A client asks a replica; `ValueError` for one that does not exist, and after too many."""
    replica_of(state, replica)
    number = len(state.requests)
    if number >= REQUESTS_MAX:
        raise ValueError(f"a run takes at most {REQUESTS_MAX} requests, reset it to ask again")
    request = Request(number, replica, kind, amount, ctx.now_ms, invoked_turn=turn_of(state))
    state = replace(state, requests=(*state.requests, request))
    if state.params.mode == "cp":
        return requested(state, ctx, request)
    return answer_at_once(state, ctx, request)


def answer_at_once(state: State, ctx: Context, request: Request) -> State:
    """AP: the replica answers from its own copy, and tells the others later."""
    copy = replica_of(state, request.replica).copy
    # A write that sets the balance says nothing about the old one, so it cannot be stale.
    missed = () if request.kind == "set" else behind(state, copy)
    done = replace(
        request,
        returned_ms=ctx.now_ms,
        returned_turn=turn_of(state),
        found=copy.balance,
        behind=missed,
    )
    if not changes(request, copy.balance):
        status = "done" if request.kind == "read" else "declined"
        return with_request(state, replace(done, status=status, balance=copy.balance))
    # Two writes within one millisecond must not get the same time.
    stamp = (max(ctx.now_ms, copy.stamp[0] + 1), request.replica)
    after = applied(copy, request, stamp)
    state = with_request(state, replace(done, status="done", balance=after.balance))
    return with_copy(state, ctx, request.replica, after)


def cut_one_way(state: State, link: str) -> State:
    """`ValueError` for anything but two different replicas with an arrow between them."""
    if link not in one_way_links(state):
        raise ValueError(
            f"link must be one of {', '.join(one_way_links(state))}, got {link[:40]!r}"
        )
    source, target = link.split(ARROW)
    return replace(state, network=cut_network_link(state.network, source, target))


def cut(state: State, partition: str) -> State:
    """`ValueError` for a replica that does not exist, is named twice, or is not named."""
    groups = parse_groups(partition, NAMES)
    missing = [name for name in NAMES if not any(name in group for group in groups)]
    if missing:
        raise ValueError(f"a partition must name each of {', '.join(NAMES)}, got {partition!r}")
    return replace(state, network=cut_network(state.network, groups))


def heal_all(state: State, ctx: Context) -> State:
    """The network is whole, and whoever has something to tell does so at once.

    # Simplified: the replicas notice; otherwise they would find out at their next attempt.
    """
    state = replace(state, network=heal(state.network))
    for name in NAMES:
        state = tell(state, ctx, name)
    return state


# --- The transitions ------------------------------------------------------------------------------


def update(state: State, event: Event, ctx: Context) -> State:
    """The state after an event; `ValueError` for what the reader may not do."""
    match event:
        case Deliver(message):
            network, received = arrive(state.network, message)
            state = replace(state, network=network)
            return receive(state, ctx, received) if received else state
        case Read() | Deposit() | Withdraw() | SetBalance():
            return asked(state, ctx, event)
        case Cut(partition):
            return cut(state, partition)
        case CutOneWay(link):
            return cut_one_way(state, link)
        case Heal():
            return heal_all(state, ctx)
        case _:
            return alarm(state, ctx, event)


def asked(state: State, ctx: Context, event: Read | Deposit | Withdraw | SetBalance) -> State:
    match event:
        case Read(replica):
            return ask(state, ctx, replica, "read")
        case Deposit(replica, amount):
            return ask(state, ctx, replica, "deposit", amount)
        case Withdraw(replica, amount):
            return ask(state, ctx, replica, "withdraw", amount)
        case SetBalance(replica, amount):
            return ask(state, ctx, replica, "set", amount)


def alarm(state: State, ctx: Context, event: Event) -> State:
    match event:
        case GiveUp(request):
            return give_up(state, ctx, request)
        case AskAgain(replica, ballot, accepting):
            return ask_again(state, ctx, replica, ballot, accepting)
        case TryAgain(replica, ballot):
            return try_again(state, ctx, replica, ballot)
        case Repeat(replica, deadline_ms):
            return repeat(state, ctx, replica, deadline_ms)
    raise ValueError(f"cap_theorem has no event {event!r}")


def receive(state: State, ctx: Context, message: Message) -> State:
    """What a replica does with a message."""
    name, source, body = message.target, message.source, message.body
    match body:
        case Update(copy):
            return hear(state, ctx, name, source, copy)
        case Confirm(copy):
            return confirmed(state, name, source, copy)
        case Prepare(ballot):
            return asked_to_promise(state, ctx, name, source, ballot)
        case Promise():
            return promised(state, ctx, name, source, body)
        case Accept(copy):
            return asked_to_accept(state, ctx, name, source, copy)
        case Accepted(ballot):
            return accepted(state, ctx, name, source, ballot)
        case Reject():
            return rejected(state, ctx, name, body)
    raise ValueError(f"cap_theorem has no message {body!r}")


# --- What must hold -------------------------------------------------------------------------------


def is_cut(state: State) -> bool:
    return bool(state.network.groups or state.network.cut_links)


def is_quiet(state: State) -> bool:
    """Nothing is cut, nothing is under way, and nobody has anything left to tell."""
    return not (
        is_cut(state)
        or state.network.in_flight
        or any(r.attempt or r.queue or r.unsynced for r in state.replicas)
    )


def linearizable(state: State) -> bool:
    """Some order of the requests explains every answer."""
    return bool(verdict_of(state.requests))


def replicas_agree(state: State) -> bool:
    """When all is quiet, the three balances are the same."""
    return not is_quiet(state) or len({r.copy.balance for r in state.replicas}) == 1


def lost_dollars(state: State) -> int:
    """Deposits that were lost less withdrawals that were lost, in dollars."""
    signs = {"deposit": 1, "withdraw": -1}
    return sum(signs.get(request.kind, 0) * request.amount for request in lost(state))


def nothing_is_lost(state: State) -> bool:
    """No change that a client was told is done has vanished."""
    return not lost(state)
