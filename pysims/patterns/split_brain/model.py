"""Split brain: what a cut does to a cluster that elects by silence, and to one that elects by vote.

It shows: where a node that hears no leader takes the lead, every side of a cut has a leader, the
same seat is sold twice, and when the network heals one side's customers lose what was promised to
them. Where a majority of the whole cluster must vote, at most one side has a leader, the others
refuse, and nothing that was acknowledged is lost. Since a majority of four is three, four nodes
survive one failure, as three do.

Both elections run over the same network with the same seed and script. Sources: RFC 9568 for the
first (see `hear_nobody`); Ongaro and Ousterhout, USENIX ATC 2014, for the second (see `quorum`).
What is simplified is said in `cluster`, `hear_nobody` and `quorum`.
"""

from __future__ import annotations

from types import ModuleType

from ...kernel import (
    Context,
    Deliver,
    Groups,
    Latency,
    Message,
    arrive,
    check_node,
    crash,
    cut,
    heal,
    is_up,
    network_of,
    parse_groups,
    replace,
    restart,
    restarted,
)
from . import hear_nobody, quorum
from .cluster import (
    LATENCY_MS,
    LEADER,
    NAMES,
    OPEN,
    Beat,
    Book,
    Crash,
    Customers,
    Cut,
    Event,
    Heal,
    Member,
    Params,
    Restart,
    State,
    Timeout,
    accepting,
    beat,
    end_reign,
    leaders,
    member_of,
    sides,
    up_on,
    wait_until,
    with_member,
)

FIRST_CUSTOMER_MS = 250


def election_of(state: State) -> ModuleType:
    """The election of this run: `timed_out`, `receive`, `listen` and `sell` are its verbs."""
    return hear_nobody if state.params.election == "hear_nobody" else quorum


def init(params: Params, ctx: Context) -> State:
    """A whole network, empty ledgers, and no leader yet."""
    names = tuple(NAMES[: params.nodes])
    network = network_of(names, Latency.uniform(*LATENCY_MS), loss=params.loss)
    state = State(params, network, tuple(Member(name) for name in names))
    for name in names:
        state = election_of(state).listen(state, member_of(state, name), ctx)
    ctx.after(FIRST_CUSTOMER_MS, Customers())
    return state


def update(state: State, event: Event, ctx: Context) -> State:
    """The state after an event; `ValueError` for a node or a cut that is not allowed."""
    match event:
        case Deliver(message):
            return delivered(state, message, ctx)
        case Timeout(name):
            return alarmed(state, name, ctx)
        case Beat(name):
            return beaten(state, name, ctx)
        case Customers():
            ctx.after(state.params.customers_every_ms, Customers())
            return served(state, ctx)
        case Book(name):
            check_node(state.network, name)
            return asked(state, name, ctx)
        case Cut(text):
            return cut_apart(state, text, ctx)
        case Heal():
            cuts = tuple((a, ctx.now_ms if b == OPEN else b) for a, b in state.cuts)
            return replace(state, network=heal(state.network), cuts=cuts)
        case Crash(name):
            return crashed(state, name, ctx)
        case Restart(name):
            return came_back(state, name, ctx)
    raise ValueError(f"split_brain has no event {event!r}")


# --- What happens by itself -----------------------------------------------------------------------


def delivered(state: State, message: Message, ctx: Context) -> State:
    """A message reaches its node, unless it was lost or the node is down."""
    network, received = arrive(state.network, message)
    state = replace(state, network=network)
    if received is None:
        return state
    after: State = election_of(state).receive(state, received, ctx)
    return after


def alarmed(state: State, name: str, ctx: Context) -> State:
    """An alarm: it is stale, too early for a deadline that has moved, or the time is up."""
    member = member_of(state, name)
    stale = member.alarm_ms != ctx.now_ms or member.deadline_ms == OPEN
    if stale or not is_up(state.network, name):
        return state
    if ctx.now_ms < member.deadline_ms:
        since_ms = member.waiting_since_ms
        again = wait_until(member, member.deadline_ms, ctx)
        return with_member(state, replace(again, waiting_since_ms=since_ms))
    after: State = election_of(state).timed_out(state, name, ctx)
    return after


def beaten(state: State, name: str, ctx: Context) -> State:
    """A heartbeat is due, if the node still leads."""
    member = member_of(state, name)
    due = member.role == LEADER and member.beat_ms == ctx.now_ms and is_up(state.network, name)
    return beat(state, name, ctx) if due else state


def served(state: State, ctx: Context) -> State:
    """A customer comes to every leader; on a side without one he is turned away."""
    lead = {member.name for member in leaders(state)}
    for side in sides(state):
        there = [name for name in up_on(state, side) if name in lead]
        for name in there:
            state = asked(state, name, ctx)
        if not there:
            state = replace(state, turned_away=state.turned_away + 1)
    return state


def asked(state: State, name: str, ctx: Context) -> State:
    """A customer asks a node for a seat; only a leader that accepts bookings takes one."""
    if member_of(state, name) not in accepting(state):
        return replace(state, turned_away=state.turned_away + 1)
    after: State = election_of(state).sell(state, name, ctx)
    return after


# --- What the reader does -------------------------------------------------------------------------


def groups_of(state: State, text: str) -> Groups:
    """The sides that a text names, every node on one of them; `ValueError` if there is only one.

    Nodes that the text does not name are one more side, so that one script fits every size.
    """
    names = state.network.nodes
    groups = parse_groups(text, names)
    rest = tuple(name for name in names if all(name not in group for group in groups))
    whole = (*groups, rest) if rest else groups
    if len(whole) < 2:
        raise ValueError(f"a partition must have two sides or more, got {text[:40]!r}")
    return whole


def cut_apart(state: State, text: str, ctx: Context) -> State:
    """The network falls apart; a cut of a cut network replaces it."""
    network = cut(state.network, groups_of(state, text))
    open_already = any(until_ms == OPEN for _, until_ms in state.cuts)
    cuts = state.cuts if open_already else (*state.cuts, (ctx.now_ms, OPEN))
    return replace(state, network=network, cuts=cuts)


def crashed(state: State, name: str, ctx: Context) -> State:
    """The node stops; what is in memory is gone."""
    check_node(state.network, name)
    if not is_up(state.network, name):
        raise ValueError(f"node must be one that is up, got {name!r}, which is down already")
    state = end_reign(state, name, ctx)
    state = with_member(state, restarted(member_of(state, name), Member(name)))
    return replace(state, network=crash(state.network, name))


def came_back(state: State, name: str, ctx: Context) -> State:
    """The node listens again; it may have forgotten a leader, so it waits as if it had heard one.

    Without that it could vote against a lease that it had confirmed just before its crash.
    """
    check_node(state.network, name)
    if is_up(state.network, name):
        raise ValueError(f"node must be one that is down, got {name!r}, which is up")
    state = replace(state, network=restart(state.network, name))
    member = replace(member_of(state, name), heard_ms=ctx.now_ms)
    after: State = election_of(state).listen(state, member, ctx)
    return after
