"""The right election: whoever leads has the votes of a majority of the *whole* cluster.

Two majorities of one cluster have a node in common, and a node votes once in a term: so a term has
at most one leader. A write is acknowledged when a majority has it; the node in common makes sure
that the next leader has it too. The protocol is Raft's (Ongaro and Ousterhout, "In Search of an
Understandable Consensus Algorithm", USENIX ATC 2014, sections 5.1, 5.2 and 5.4.1) with one
difference: the whole ledger is taken over from the leader and stamped with its term, as the view
stamps of Oki and Liskov's "Viewstamped Replication" (PODC 1988), so that no log must be compared.

Before it raises its term, a node asks whether it would be elected (dissertation, section 9.6), so
that the side that cannot win does not drive its term up and unseat the leader when it comes back.

A leader that a majority does not answer steps down (Ongaro's
dissertation, 2014, section 6.2), and
who has heard a leader within the shortest election timeout gives no vote (section 4.2.3). Since
the first time is shorter than the second, an old leader has always stopped to accept bookings
before a new one starts: a lease, which rests on clocks that run equally fast.
"""

from __future__ import annotations

from ...kernel import Context, Message, majority, replace, send
from .cluster import (
    CANDIDATE,
    FOLLOWER,
    LEADER,
    OPEN,
    Ballot,
    Booking,
    Confirm,
    Confirmed,
    Heartbeat,
    Member,
    RequestVote,
    State,
    acknowledge,
    begin_reign,
    end_reign,
    member_of,
    send_all,
    take,
    wait_until,
    with_member,
)

TIMEOUT_MS = (500, 1_000)
LEASE_MS = 400


def listen(state: State, member: Member, ctx: Context) -> State:
    """The node waits for a heartbeat, or for the votes of its election, for a random time."""
    deadline_ms = ctx.now_ms + ctx.integer(*TIMEOUT_MS)
    return with_member(state, wait_until(member, deadline_ms, ctx))


def timed_out(state: State, name: str, ctx: Context) -> State:
    """A leader without a majority steps down; anyone else stands for election."""
    member = member_of(state, name)
    if member.role == LEADER:
        return step_down(state, member, member.term, ctx)
    asks = replace(member, role=CANDIDATE, trial=True, votes=(name,), leader="")
    return ask_all(listen(state, asks, ctx), asks, asks.term + 1, ctx)


def stand(state: State, member: Member, ctx: Context) -> State:
    """A node that a majority would vote for begins a term and votes for itself."""
    name = member.name
    stands = replace(member, term=member.term + 1, voted_for=name, trial=False, votes=(name,))
    # The vote is on disk before anybody hears of it (section 5.2: one vote in a term).
    return ask_all(listen(state, stands, ctx), stands, stands.term, ctx)


def ask_all(state: State, member: Member, term: int, ctx: Context) -> State:
    """A candidate asks everybody for a vote, on trial or for good."""
    request = RequestVote(term, member.ledger_term, len(member.ledger), member.trial)
    return send_all(state, member.name, request, ctx)


def step_down(state: State, member: Member, term: int, ctx: Context) -> State:
    """The node follows, in this term or in the higher one that it has just heard of."""
    if member.role == LEADER:
        state = end_reign(state, member.name, ctx)
    follows = replace(
        member,
        role=FOLLOWER,
        term=term,
        voted_for=member.voted_for if term == member.term else "",
        leader="",
        trial=False,
        votes=(),
        confirmed=(),
        accepts=False,
    )
    return listen(state, follows, ctx)


def receive(state: State, message: Message, ctx: Context) -> State:
    """What a node does with a message that has reached it."""
    match message.body:
        case Heartbeat():
            return on_heartbeat(state, message, ctx)
        case Confirm():
            return on_confirm(state, message, ctx)
        case RequestVote():
            return on_request(state, message, ctx)
        case Ballot():
            return on_ballot(state, message, ctx)
    return state


def answer(state: State, message: Message, body: Confirm | Ballot, ctx: Context) -> State:
    """The target of a message answers its source."""
    return replace(state, network=send(state.network, ctx, message.target, message.source, body))


# --- Elections ------------------------------------------------------------------------------------


def loyal(member: Member, ctx: Context) -> bool:
    """Whether a node gives no vote because it has, or is, a leader that may hold its lease."""
    if member.role == LEADER and member.accepts:
        return True
    return member.heard_ms != OPEN and ctx.now_ms - member.heard_ms < TIMEOUT_MS[0]


def recent_enough(member: Member, request: RequestVote) -> bool:
    """Whether a candidate's ledger is at least as recent as the voter's (section 5.4.1)."""
    asks = (request.ledger_term, request.length)
    return asks >= (member.ledger_term, len(member.ledger))


def on_request(state: State, message: Message, ctx: Context) -> State:
    """A node gives its one vote of a term, or says no, or does not answer at all."""
    member, request = member_of(state, message.target), message.body
    if loyal(member, ctx):
        return state
    if request.term < member.term:
        return answer(state, message, Ballot(member.term, False), ctx)
    if request.trial and request.term > member.term:
        willing = Ballot(request.term, recent_enough(member, request), trial=True)
        return answer(state, message, willing, ctx)
    if request.trial:
        return answer(state, message, Ballot(member.term, False), ctx)
    if request.term > member.term:
        state = step_down(state, member, request.term, ctx)
        member = member_of(state, member.name)
    granted = member.voted_for in ("", message.source) and recent_enough(member, request)
    if granted:
        state = listen(state, replace(member, voted_for=message.source), ctx)
    return answer(state, message, Ballot(request.term, granted), ctx)


def on_ballot(state: State, message: Message, ctx: Context) -> State:
    """A candidate counts; with a majority of the whole cluster it leads."""
    member, ballot = member_of(state, message.target), message.body
    if ballot.term > member.term and not ballot.trial:
        return step_down(state, member, ballot.term, ctx)
    if not counts(member, ballot) or message.source in member.votes:
        return state
    member = replace(member, votes=(*member.votes, message.source))
    if len(member.votes) < majority(len(state.members)):
        return with_member(state, member)
    return stand(state, member, ctx) if member.trial else win(state, member, ctx)


def counts(member: Member, ballot: Ballot) -> bool:
    """Whether a ballot is a yes in the election that the node stands in."""
    stands_in = member.term + 1 if member.trial else member.term
    fits = ballot.trial == member.trial and ballot.term == stands_in
    return member.role == CANDIDATE and fits and ballot.granted


def win(state: State, member: Member, ctx: Context) -> State:
    """A candidate with the votes of a majority leads."""
    leads = replace(member, role=LEADER, leader=member.name, ledger_term=member.term)
    # It accepts bookings once a majority has answered its first heartbeat, and has as long for
    # that as later for each round.
    return begin_reign(state, wait_until(leads, ctx.now_ms + LEASE_MS, ctx), ctx)


# --- Heartbeats and bookings ----------------------------------------------------------------------


def on_heartbeat(state: State, message: Message, ctx: Context) -> State:
    """A follower takes over the ledger of its term's leader and confirms; an old leader is told."""
    member, body = member_of(state, message.target), message.body
    if body.term < member.term:
        return answer(state, message, Confirm(member.term, 0, message.sent_ms), ctx)
    if body.term > member.term or member.role != FOLLOWER:
        state = step_down(state, member, body.term, ctx)
        member = member_of(state, member.name)
    # In one term a leader's ledger only grows: what is shorter was sent earlier.
    newer = member.ledger_term < body.term or len(body.ledger) > len(member.ledger)
    ledger = body.ledger if newer else member.ledger
    follows = replace(
        member,
        leader=message.source,
        heard_ms=ctx.now_ms,
        ledger=ledger,
        ledger_term=body.term,
    )
    state = listen(state, follows, ctx)
    return answer(state, message, Confirm(body.term, len(ledger), message.sent_ms), ctx)


def on_confirm(state: State, message: Message, ctx: Context) -> State:
    """A leader learns that a follower is there and has a part of its ledger."""
    member, body = member_of(state, message.target), message.body
    if body.term > member.term:
        return step_down(state, member, body.term, ctx)
    if member.role != LEADER or body.term < member.term:
        return state
    old = next((c for c in member.confirmed if c.name == message.source), None)
    news = Confirmed(
        message.source,
        max(body.length, old.length if old else 0),
        max(body.sent_ms, old.sent_ms if old else 0),
    )
    others = tuple(c for c in member.confirmed if c.name != message.source)
    return settle(state, replace(member, confirmed=(*others, news)), ctx)


def settle(state: State, member: Member, ctx: Context) -> State:
    """The leader's lease, and the bookings that a majority has by now."""
    needed = majority(len(state.members)) - 1
    if len(member.confirmed) < needed:
        return with_member(state, member)
    sent_ms = sorted((c.sent_ms for c in member.confirmed), reverse=True)[needed - 1]
    length = sorted((c.length for c in member.confirmed), reverse=True)[needed - 1]
    member = replace(member, accepts=True)
    state = with_member(state, wait_until(member, sent_ms + LEASE_MS, ctx))
    numbers = tuple(
        number for number in member.ledger[:length] if its_own(member, state.bookings[number])
    )
    return acknowledge(state, numbers, ctx) if numbers else state


def its_own(member: Member, booking: Booking) -> bool:
    """Whether the customer of a booking still stands before this leader without an answer."""
    waits = booking.acknowledged_ms == OPEN
    return waits and booking.seller == member.name and booking.term == member.term


def sell(state: State, name: str, ctx: Context) -> State:
    """A leader takes a booking; the customer waits until a majority has it."""
    return take(state, name, ctx)
