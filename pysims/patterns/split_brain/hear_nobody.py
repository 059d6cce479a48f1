"""The wrong election, which is often built: who hears no leader for a while takes the lead.

This is how VRRP makes a router the master (RFC 9568, section 6.4): who leads announces itself; who
has heard no announcement for three intervals, plus a skew by rank, takes over; of two that lead,
the one of higher rank stays. Here rank goes by the alphabet. Nothing is wrong with that for a
router, which promises nothing. For a node that accepts writes it is: silence does not tell a dead
leader from a leader behind a cut, so every side of a cut makes a leader of its own.

The leader acknowledges a booking by itself; its next heartbeat carries the ledger to the others,
who replace theirs by it.
"""

from __future__ import annotations

from ...kernel import Context, Message, replace
from .cluster import (
    FOLLOWER,
    HEARTBEAT_MS,
    LEADER,
    OPEN,
    Heartbeat,
    Member,
    State,
    acknowledge,
    begin_reign,
    end_reign,
    member_of,
    take,
    wait_until,
    with_member,
)

SILENCE_MS = 3 * HEARTBEAT_MS
# More than the spread of two messages, so that the next in rank is heard before another acts.
SKEW_MS = 125


def patience_ms(state: State, name: str) -> int:
    """How long a node waits for a heartbeat: the lower in rank, the longer."""
    return SILENCE_MS + SKEW_MS * state.network.nodes.index(name)


def listen(state: State, member: Member, ctx: Context) -> State:
    """The node waits for a heartbeat from now on."""
    deadline_ms = ctx.now_ms + patience_ms(state, member.name)
    return with_member(state, wait_until(member, deadline_ms, ctx))


def timed_out(state: State, name: str, ctx: Context) -> State:
    """It heard nobody, so it leads."""
    member = member_of(state, name)
    leads = replace(member, role=LEADER, leader=name, deadline_ms=OPEN, accepts=True)
    return begin_reign(state, leads, ctx)


def receive(state: State, message: Message, ctx: Context) -> State:
    """A heartbeat: the node follows its sender and takes over its ledger."""
    member, body = member_of(state, message.target), message.body
    if not isinstance(body, Heartbeat) or ignores(member, message, ctx):
        return state
    if member.role == LEADER:
        state = end_reign(state, member.name, ctx)
    follows = replace(
        member,
        role=FOLLOWER,
        accepts=False,
        leader=message.source,
        heard_ms=ctx.now_ms,
        # This line loses what one side had promised to its customers.
        ledger=body.ledger,
    )
    return listen(state, follows, ctx)


def ignores(member: Member, message: Message, ctx: Context) -> bool:
    """A leader, or who has just heard one, ignores a leader of lower rank."""
    if message.source < member.leader or message.source == member.leader:
        return False
    just_heard = member.heard_ms != OPEN and ctx.now_ms - member.heard_ms < 2 * HEARTBEAT_MS
    return member.role == LEADER or (bool(member.leader) and just_heard)


def sell(state: State, name: str, ctx: Context) -> State:
    """A leader sells a seat and acknowledges it at once."""
    number = len(state.bookings)
    return acknowledge(take(state, name, ctx), (number,), ctx)
