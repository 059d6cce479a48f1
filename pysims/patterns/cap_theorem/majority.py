"""CP: no answer without a majority. This is CASPaxos, Paxos for one register that is changed.

Rystsov, "CASPaxos: Replicated State Machines without Logs", 2018, https://arxiv.org/abs/1802.07000,
section 2.2. The replica that a client asks is the proposer of that request:

1. It picks a ballot above all that it knows and asks everyone to promise to follow no older one.
   Those who promise say which copy they accepted last, and at which ballot.
2. With promises of a majority it takes the copy of the highest ballot, changes it, and asks
   everyone to accept the result at its own ballot. Who has promised a newer ballot rejects.
3. When a majority has accepted, the change is decided, and the client gets its answer.

Any two majorities share a replica, so that every later proposer meets what was decided. A deposit
reads and writes in one step, which a register with quorum reads and quorum writes could not do:
two deposits at once would both find the old balance.

Reads take part too: a minority could not know what it has missed. If the majority has accepted
the very same copy, that copy is decided and the read is done after step 1.

A proposer that is told of a newer ballot starts again. Its earlier proposal may have survived, so
it first looks whether its request is in the ledger of the copy it got. One that hears from no
majority in time gives up: without a proposal the request had no effect (refused); with one, nobody
can say (unknown).

# Simplified: a replica works on one request at a time, and none crashes.
"""

from __future__ import annotations

from ...kernel import Context, replace
from .account import Copy, Request, Stamp, applied, balance_after, changes, entry_of, peers_of
from .state import (
    MAJORITY,
    Accept,
    Accepted,
    AskAgain,
    Attempt,
    GiveUp,
    Prepare,
    Promise,
    Reject,
    Replica,
    State,
    TryAgain,
    replica_of,
    sent,
    turn_of,
    with_replica,
    with_request,
)
from .sync import with_copy

# In units of the latency: a question is repeated when there was ample time to answer it.
ASK_AGAIN_AFTER = 3


# --- The proposer ---------------------------------------------------------------------------------


def take_next(state: State, ctx: Context, name: str) -> State:
    """If a replica is idle, let it begin with the request that waits longest."""
    replica = replica_of(state, name)
    if replica.attempt or not replica.queue:
        return state
    number, *rest = replica.queue
    ctx.after(state.params.timeout_ms, GiveUp(number))
    state = with_request(state, replace(state.requests[number], status="open"))
    return prepare(with_replica(state, replace(replica, queue=tuple(rest))), ctx, name, number)


def prepare(state: State, ctx: Context, name: str, number: int) -> State:
    """Step 1: a new ballot, promised to itself first."""
    replica = replica_of(state, name)
    ballot = (replica.ballot_seen + 1, name)
    attempt = Attempt(number, ballot, promises=((name, replica.accepted),))
    replica = replace(replica, ballot_seen=ballot[0], promised=ballot, attempt=attempt)
    state = sent(with_replica(state, replica), ctx, name, peers_of(name), Prepare(ballot))
    return watch(state, ctx, name, ballot, accepting=False)


def watch(state: State, ctx: Context, name: str, ballot: Stamp, accepting: bool) -> State:
    ctx.after(ASK_AGAIN_AFTER * state.params.latency_ms, AskAgain(name, ballot, accepting))
    return state


def promised(state: State, ctx: Context, name: str, source: str, answer: Promise) -> State:
    """One more promise; with a majority of them, step 2."""
    replica = replica_of(state, name)
    attempt = replica.attempt
    if not attempt or attempt.ballot != answer.ballot or attempt.proposed:
        return state
    if source in (who for who, _ in attempt.promises):
        return state
    attempt = replace(attempt, promises=(*attempt.promises, (source, answer.accepted)))
    state = with_replica(state, replace(replica, attempt=attempt))
    if len(attempt.promises) < MAJORITY:
        return state
    copies = [copy for _, copy in attempt.promises]
    found = max(copies, key=lambda copy: copy.stamp)
    request = state.requests[attempt.request]
    if entry_of(found, request) or not changes(request, found.balance):
        # An earlier proposal for this request that a minority may hold must be superseded.
        same = all(copy.stamp == found.stamp for copy in copies) and not request.proposals
        return (decided if same else propose)(state, ctx, name, found)
    pair = (found.balance, balance_after(request, found.balance))
    state = with_request(state, replace(request, proposals=(*request.proposals, pair)))
    return propose(state, ctx, name, applied(found, request, attempt.ballot))


def propose(state: State, ctx: Context, name: str, copy: Copy) -> State:
    """Step 2: ask for acceptance, unless this replica itself has promised a newer ballot since."""
    replica = replica_of(state, name)
    attempt = attempt_of(replica)
    proposed = replace(copy, stamp=attempt.ballot)
    accepts: tuple[str, ...] = ()
    if replica.promised <= attempt.ballot:
        accepts = (name,)
        replica = replace(replica, promised=attempt.ballot, accepted=proposed)
    attempt = replace(attempt, proposed=proposed, accepts=accepts, rejected=False)
    state = with_replica(state, replace(replica, attempt=attempt))
    state = sent(state, ctx, name, peers_of(name), Accept(proposed))
    return watch(state, ctx, name, attempt.ballot, accepting=True)


def accepted(state: State, ctx: Context, name: str, source: str, ballot: Stamp) -> State:
    """One more acceptance; with a majority of them, step 3."""
    replica = replica_of(state, name)
    attempt = replica.attempt
    if not attempt or attempt.ballot != ballot or source in attempt.accepts:
        return state
    attempt = replace(attempt, accepts=(*attempt.accepts, source))
    state = with_replica(state, replace(replica, attempt=attempt))
    if attempt.proposed and len(attempt.accepts) >= MAJORITY:
        return decided(state, ctx, name, attempt.proposed)
    return state


def decided(state: State, ctx: Context, name: str, copy: Copy) -> State:
    """Step 3: the client gets its answer, and everybody hears of the copy."""
    replica = replica_of(state, name)
    request = state.requests[attempt_of(replica).request]
    entry = entry_of(copy, request)
    after = entry.balance if entry else copy.balance
    before = after
    if entry and request.kind != "set":
        before = after - request.amount if request.kind == "deposit" else after + request.amount
    declined = entry is None and request.kind != "read"
    status = "declined" if declined else "done"
    state = with_request(
        state,
        replace(
            request,
            status=status,
            found=before,
            balance=after,
            returned_ms=ctx.now_ms,
            returned_turn=turn_of(state),
        ),
    )
    state = with_replica(state, replace(replica, attempt=None))
    if copy.stamp > replica.copy.stamp:
        state = with_copy(state, ctx, name, copy)
    return take_next(state, ctx, name)


def attempt_of(replica: Replica) -> Attempt:
    if replica.attempt is None:
        raise RuntimeError(f"{replica.name} is not working on a request")
    return replica.attempt


# --- What goes wrong ------------------------------------------------------------------------------


def rejected(state: State, ctx: Context, name: str, answer: Reject) -> State:
    """Somebody has promised a newer ballot: start again after a short, random pause.

    The pause is random so that two proposers do not interrupt each other for ever.
    """
    replica = replica_of(state, name)
    attempt = replica.attempt
    if not attempt or attempt.ballot != answer.ballot or attempt.rejected:
        return state
    pause_ms = ctx.integer(1, 2 * state.params.latency_ms)
    ctx.after(pause_ms, TryAgain(name, attempt.ballot))
    seen = max(replica.ballot_seen, answer.promised[0])
    attempt = replace(attempt, rejected=True)
    return with_replica(state, replace(replica, ballot_seen=seen, attempt=attempt))


def try_again(state: State, ctx: Context, name: str, ballot: Stamp) -> State:
    """After a rejection, unless a majority came together all the same."""
    attempt = replica_of(state, name).attempt
    if not attempt or attempt.ballot != ballot or not attempt.rejected:
        return state
    return prepare(state, ctx, name, attempt.request)


def ask_again(state: State, ctx: Context, name: str, ballot: Stamp, accepting: bool) -> State:
    """Repeat the question of a step that is still under way to those who have not answered."""
    attempt = replica_of(state, name).attempt
    if not attempt or attempt.ballot != ballot or accepting != (attempt.proposed is not None):
        return state
    body = Accept(attempt.proposed) if attempt.proposed else Prepare(ballot)
    state = sent(state, ctx, name, silent(attempt, name), body)
    return watch(state, ctx, name, ballot, accepting)


def silent(attempt: Attempt, name: str) -> tuple[str, ...]:
    """The others that have not answered the present step."""
    heard = attempt.accepts if attempt.proposed else tuple(who for who, _ in attempt.promises)
    return tuple(peer for peer in peers_of(name) if peer not in heard)


def give_up(state: State, ctx: Context, number: int) -> State:
    """No majority in time: refuse, or admit that nobody can say."""
    request = state.requests[number]
    if request.status != "open":
        return state
    replica = replica_of(state, request.replica)
    attempt = attempt_of(replica)
    ended = replace(
        request,
        status="unknown" if request.proposals else "refused",
        unreached=() if attempt.rejected else silent(attempt, request.replica),
    )
    if not request.proposals:
        ended = replace(ended, returned_ms=ctx.now_ms, returned_turn=turn_of(state))
    state = with_replica(with_request(state, ended), replace(replica, attempt=None))
    return take_next(state, ctx, request.replica)


# --- The acceptor ---------------------------------------------------------------------------------


def asked_to_promise(state: State, ctx: Context, name: str, source: str, ballot: Stamp) -> State:
    replica = replica_of(state, name)
    if ballot < replica.promised:
        return sent(state, ctx, name, (source,), Reject(ballot, replica.promised))
    seen = max(replica.ballot_seen, ballot[0])
    state = with_replica(state, replace(replica, promised=ballot, ballot_seen=seen))
    return sent(state, ctx, name, (source,), Promise(ballot, replica.accepted))


def asked_to_accept(state: State, ctx: Context, name: str, source: str, copy: Copy) -> State:
    replica = replica_of(state, name)
    ballot = copy.stamp
    if ballot < replica.promised:
        return sent(state, ctx, name, (source,), Reject(ballot, replica.promised))
    seen = max(replica.ballot_seen, ballot[0])
    replica = replace(replica, promised=ballot, accepted=copy, ballot_seen=seen)
    return sent(with_replica(state, replica), ctx, name, (source,), Accepted(ballot))


def requested(state: State, ctx: Context, request: Request) -> State:
    """A client asks; its request waits for its turn."""
    replica = replica_of(state, request.replica)
    queue = (*replica.queue, request.id)
    return take_next(with_replica(state, replace(replica, queue=queue)), ctx, request.replica)
