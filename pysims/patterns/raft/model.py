"""Raft: servers elect a leader, the leader replicates a log, and a majority makes it last.

It shows the core of the algorithm, message by message: elections with randomized timeouts, the
up-to-date check, log replication with its consistency check, commitment, crashes with what is on
disk, and clients whose commands are retried and take effect once.

Paper: Ongaro and Ousterhout, "In Search of an Understandable Consensus Algorithm (Extended
Version)", 2014, https://raft.github.io/raft.pdf. Section numbers (§) and figures are this paper's;
PreVote is §9.6 of Ongaro's dissertation, "Consensus: Bridging Theory and Practice", Stanford 2014.

How to read it: `update` at the end is the one door. Each rule of figure 2 is a function whose
comment cites it. A server is a value; a function gives its successor, and what it sends goes
through `tell`, the only thing that touches the network.

Simplified: membership does not change (§6), logs are not compacted (§7), and there are no
read-only requests and no entry at the start of a term (§8). A write to disk takes no time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from ...kernel import (
    Choice,
    Context,
    Deliver,
    Latency,
    Message,
    Network,
    Number,
    OneOf,
    Switch,
    arrive,
    crash,
    cut,
    cut_link,
    heal,
    is_up,
    knob,
    majority,
    network_of,
    on_disk,
    parse_groups,
    partitions_of,
    replace,
    restart,
    restarted,
    send,
    set_latency,
)

FOLLOWER, PRE_CANDIDATE, CANDIDATE, LEADER = "follower", "pre-candidate", "candidate", "leader"
CLIENT = "client"
ANYONE = "its guess"
NEVER_MS = 2**40

RULES = {
    "none": "none: all rules hold",
    "vote-twice": "vote twice in a term",
    "skip-up-to-date": "skip the up-to-date check",
    "commit-old-term": "commit old terms by counting",
}


# --- What a run is made of ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader sets before the run; times in ms, `loss` and `duplication` are shares."""

    servers: int = knob(Number("Servers", 3, 7, step=2), 5)
    broken_rule: str = knob(
        Choice(
            "Break the rule",
            RULES,
            "Settings can search for a seed in which a light falls; it works best in the storm.",
        ),
        "none",
    )
    prevote: bool = knob(Switch("PreVote", hint="Ask before raising the term."), False)
    election_timeout_ms_min: int = knob(Number("Timeout from", 50, 2_000, step=10, unit="ms"), 150)
    election_timeout_ms_max: int = knob(Number("Timeout to", 50, 2_000, step=10, unit="ms"), 300)
    heartbeat_interval_ms: int = knob(Number("Heartbeat every", 10, 500, step=10, unit="ms"), 50)
    delay_ms_min: int = knob(Number("Delay of a message from", 1, 200, unit="ms"), 10)
    delay_ms_max: int = knob(Number("Delay of a message to", 1, 200, unit="ms"), 20)
    loss: float = knob(Number("Messages lost", 0.0, 0.5, step=0.05), 0.0)
    duplication: float = knob(Number("Messages duplicated", 0.0, 0.5, step=0.05), 0.0)
    retry_timeout_ms: int = knob(
        Number("The client retries after", 50, 2_000, step=10, unit="ms"), 200
    )


@dataclass(frozen=True, slots=True)
class Entry:
    """A log entry: the term in which a leader took it, the command, and its serial number (§8)."""

    term: int
    command: str
    serial: int = 0


@dataclass(frozen=True, slots=True)
class Server:
    """Figure 2's state of one server; log indexes start at 1.

    `votes` are the grants of this election, or of the PreVote before it. `next_index` and
    `match_index` are a leader's, in the order of the servers, its own included. The state machine
    is a sum, `value`, with the `serials` of the commands in it (§8). `alarm_ms` is when the
    earliest pending alarm rings, which may be before the deadline that counts.
    """

    id: str
    current_term: int = on_disk(0)
    voted_for: str = on_disk("")
    log: tuple[Entry, ...] = on_disk(())
    role: str = FOLLOWER
    leader: str = ""
    commit_index: int = 0
    last_applied: int = 0
    value: int = 0
    serials: tuple[int, ...] = ()
    votes: tuple[str, ...] = ()
    next_index: tuple[int, ...] = ()
    match_index: tuple[int, ...] = ()
    election_deadline_ms: int = NEVER_MS
    alarm_ms: int = NEVER_MS
    heard_leader_ms: int = -NEVER_MS


@dataclass(frozen=True, slots=True)
class Request:
    """A command of the client: `amount` to add, the server that it asks, and which attempt it is.

    `answered_ms` is when the client learned that the command has taken effect.
    """

    serial: int
    amount: int
    target: str
    attempt: int = 1
    answered_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Violation:
    """A property that fell, when (ms), and in which words."""

    property: str
    at_ms: int
    says: str


@dataclass(frozen=True, slots=True)
class Witness:
    """What somebody who sees everything notes down; no server reads it (see `safety`).

    `leaders` are `(term, id)` of every election won, `committed` the entries by index with the
    term of the leader that committed them, `applied` the entries by index as first applied, and
    `values` what the state machine should hold after each.
    """

    leaders: tuple[tuple[int, str], ...] = ()
    committed: tuple[tuple[Entry, int], ...] = ()
    applied: tuple[Entry, ...] = ()
    values: tuple[int, ...] = ()
    violated: tuple[Violation, ...] = ()


@dataclass(frozen=True, slots=True)
class State:
    """The servers in order of their names, what is between them, and who uses them."""

    params: Params
    network: Network
    servers: tuple[Server, ...]
    requests: tuple[Request, ...] = ()
    witness: Witness = Witness()


def names_of(state: State) -> tuple[str, ...]:
    """The servers' names: S1, S2 and so on."""
    return tuple(server.id for server in state.servers)


def server_of(state: State, name: str) -> Server:
    """The server of this name; `ValueError` names those that there are."""
    for server in state.servers:
        if server.id == name:
            return server
    raise ValueError(f"server must be one of {', '.join(names_of(state))}, got {name[:40]!r}")


# --- Messages -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RequestVote:
    """A candidate asks for a vote; with `pre` it only asks whether it would get one."""

    term: int
    last_log_index: int
    last_log_term: int
    pre: bool = False


@dataclass(frozen=True, slots=True)
class RequestVoteReply:
    """The vote, with the term of the voter."""

    term: int
    granted: bool
    pre: bool = False


@dataclass(frozen=True, slots=True)
class AppendEntries:
    """A leader sends entries after the one at `prev_log_index`; none of them is a heartbeat."""

    term: int
    prev_log_index: int
    prev_log_term: int
    entries: tuple[Entry, ...]
    leader_commit: int


@dataclass(frozen=True, slots=True)
class AppendEntriesReply:
    """`index` says up to where the logs agree or, on failure, which `prev_log_index` did not fit.

    Over RPC the answer is matched with its call; here messages may be reordered, so it says it.
    """

    term: int
    success: bool
    index: int


@dataclass(frozen=True, slots=True)
class ClientRequest:
    """The client asks a server to add `amount`; the serial number stays the same on retries."""

    serial: int
    amount: int


@dataclass(frozen=True, slots=True)
class ClientReply:
    """`done`: the command has taken effect; otherwise `leader` is the server's hint, or empty."""

    serial: int
    done: bool
    leader: str = ""


# --- Events ---------------------------------------------------------------------------------------


def servers_up(state: State) -> tuple[str, ...]:
    return tuple(name for name in names_of(state) if is_up(state.network, name))


def servers_down(state: State) -> tuple[str, ...]:
    return state.network.down


def cuts_of(state: State) -> tuple[str, ...]:
    """Every way to cut the servers (of seven: into two groups)."""
    return partitions_of(names_of(state))


def links_of(state: State) -> tuple[str, ...]:
    """Every pair of servers, as "S1–S2"."""
    names = names_of(state)
    return tuple(f"{a}–{b}" for i, a in enumerate(names) for b in names[i + 1 :])


def ways_of(state: State) -> tuple[str, ...]:
    """Every directed link, as "S1→S2"."""
    names = names_of(state)
    return tuple(f"{a}→{b}" for a in names for b in names if a != b)


@dataclass(frozen=True, slots=True)
class SendCommand:
    """The client wants `amount` added; `server` is whom it asks first."""

    amount: int = knob(Number("Add", 1, 99), 1)
    server: str = knob(OneOf("at", lambda state: (ANYONE, *names_of(state))), ANYONE)


@dataclass(frozen=True, slots=True)
class Crash:
    """A server stops; what it had in memory is lost."""

    server: str = knob(OneOf("Server", servers_up), "")


@dataclass(frozen=True, slots=True)
class Restart:
    """A server comes back with what is on its disk."""

    server: str = knob(OneOf("Server", servers_down), "")


@dataclass(frozen=True, slots=True)
class TimeOut:
    """A server's election timer rings now."""

    server: str = knob(OneOf("Server", servers_up), "")


@dataclass(frozen=True, slots=True)
class Cut:
    """Only servers of one group still hear each other: "S1 S2 | S3 S4 S5"."""

    groups: str = knob(OneOf("Groups", cuts_of), "")


@dataclass(frozen=True, slots=True)
class CutWay:
    """Nothing gets through from one server to another, "S1→S2"; the other way stays open."""

    way: str = knob(OneOf("From → to", ways_of), "")


@dataclass(frozen=True, slots=True)
class SlowLink:
    """Messages between two servers, "S1–S2", take `delay_ms` to 1.5 times as long."""

    link: str = knob(OneOf("Link", links_of), "")
    delay_ms: int = knob(Number("takes", 1, 1_000, unit="ms"), 100)


@dataclass(frozen=True, slots=True)
class Heal:
    """Every link works again, at its usual speed."""


@dataclass(frozen=True, slots=True)
class ElectionAlarm:
    """A server looks at its election deadline; it may find that there is time left."""

    server: str


@dataclass(frozen=True, slots=True)
class HeartbeatAlarm:
    """A leader's heartbeat is due, if it still leads in this term."""

    server: str
    term: int


@dataclass(frozen=True, slots=True)
class RetryAlarm:
    """The client has waited long enough for an answer, if this was its last attempt."""

    serial: int
    attempt: int


Event: TypeAlias = (
    SendCommand
    | Crash
    | Restart
    | TimeOut
    | Cut
    | CutWay
    | SlowLink
    | Heal
    | Deliver
    | ElectionAlarm
    | HeartbeatAlarm
    | RetryAlarm
)


# --- Small steps ----------------------------------------------------------------------------------


def put(state: State, server: Server) -> State:
    """The state with this server in the place of the one of its name."""
    servers = tuple(server if old.id == server.id else old for old in state.servers)
    return replace(state, servers=servers)


def tell(state: State, ctx: Context, source: str, target: str, body: Any) -> State:
    """Send a message."""
    return replace(state, network=send(state.network, ctx, source, target, body))


def tell_others(state: State, ctx: Context, source: str, body: Any) -> State:
    """Send the same message to every other server."""
    network = state.network
    for other in state.servers:
        if other.id != source:
            network = send(network, ctx, source, other.id, body)
    return replace(state, network=network)


def last_log_term(server: Server) -> int:
    return server.log[-1].term if server.log else 0


def term_at(log: tuple[Entry, ...], index: int) -> int:
    """The term of the entry at an index; 0 for index 0, where every log agrees."""
    return log[index - 1].term if index else 0


def reset_election_timer(server: Server, params: Params, ctx: Context) -> Server:
    """A new random deadline (§5.2); the alarm that is pending serves unless it rings too late."""
    timeout_ms = ctx.integer(params.election_timeout_ms_min, params.election_timeout_ms_max)
    deadline_ms = ctx.now_ms + timeout_ms
    if deadline_ms >= server.alarm_ms:
        return replace(server, election_deadline_ms=deadline_ms)
    ctx.after(timeout_ms, ElectionAlarm(server.id))
    return replace(server, election_deadline_ms=deadline_ms, alarm_ms=deadline_ms)


def step_down(server: Server, params: Params, ctx: Context, term: int) -> Server:
    """Figure 2, all servers: a higher term makes it a follower, which has not voted in that term.

    A leader has no election timer, so it gets one; a candidate's goes on.
    """
    was_leader = server.role == LEADER
    server = replace(
        server,
        current_term=term,
        voted_for="" if term > server.current_term else server.voted_for,
        role=FOLLOWER,
        leader="" if term > server.current_term else server.leader,
        votes=(),
        next_index=(),
        match_index=(),
    )
    return reset_election_timer(server, params, ctx) if was_leader else server


# --- Elections (§5.2) -----------------------------------------------------------------------------


def start_election(state: State, server: Server, ctx: Context) -> State:
    """The election timer rang: become a candidate, or first ask around (PreVote)."""
    if state.params.prevote:
        return ask_for_prevotes(state, server, ctx)
    return become_candidate(state, server, ctx)


def ask_for_prevotes(state: State, server: Server, ctx: Context) -> State:
    """Dissertation §9.6: ask whether an election would be won, before the term grows."""
    server = replace(server, role=PRE_CANDIDATE, leader="", votes=(server.id,))
    server = reset_election_timer(server, state.params, ctx)
    state = put(state, server)
    return tell_others(state, ctx, server.id, vote_request(server, pre=True))


def become_candidate(state: State, server: Server, ctx: Context) -> State:
    """Figure 2, candidates: raise the term, vote for yourself, reset the timer, ask the others."""
    server = replace(
        server,
        current_term=server.current_term + 1,
        voted_for=server.id,
        role=CANDIDATE,
        leader="",
        votes=(server.id,),
        next_index=(),
        match_index=(),
    )
    server = reset_election_timer(server, state.params, ctx)
    state = put(state, server)
    return tell_others(state, ctx, server.id, vote_request(server))


def vote_request(server: Server, pre: bool = False) -> RequestVote:
    term = server.current_term + 1 if pre else server.current_term
    return RequestVote(term, len(server.log), last_log_term(server), pre)


def is_up_to_date(server: Server, last_log_index: int, last_term: int) -> bool:
    """§5.4.1: whether a candidate's log is at least as up to date as this server's.

    The later last term wins; with equal last terms, the longer log.
    """
    return (last_term, last_log_index) >= (last_log_term(server), len(server.log))


def may_vote_for(server: Server, params: Params, candidate: str) -> bool:
    """§5.2: at most one vote in a term, first come, first served."""
    if params.broken_rule == "vote-twice" and server.role == FOLLOWER:
        return True
    return server.voted_for in ("", candidate)


def answer_vote(
    state: State, server: Server, request: RequestVote, candidate: str, ctx: Context
) -> State:
    """Figure 2, RequestVote, the receiver's side."""
    if request.pre:
        return answer_prevote(state, server, request, candidate, ctx)
    params = state.params
    granted = (
        request.term == server.current_term  # rule 1; a higher term was adopted before
        and may_vote_for(server, params, candidate)  # rule 2
        and (
            params.broken_rule == "skip-up-to-date"
            or is_up_to_date(server, request.last_log_index, request.last_log_term)
        )
    )
    if granted:
        server = replace(server, voted_for=candidate)
        # Whoever grants a vote gives the candidate time to win (figure 2, followers).
        state = put(state, reset_election_timer(server, params, ctx))
    reply = RequestVoteReply(server.current_term, granted)
    return tell(state, ctx, server.id, candidate, reply)


def answer_prevote(
    state: State, server: Server, request: RequestVote, candidate: str, ctx: Context
) -> State:
    """Dissertation §9.6: yes, unless it has a leader or the better log. It changes nothing here."""
    heard_lately = ctx.now_ms - server.heard_leader_ms < state.params.election_timeout_ms_min
    granted = (
        request.term > server.current_term
        and server.role != LEADER
        and not heard_lately
        and is_up_to_date(server, request.last_log_index, request.last_log_term)
    )
    # A grant carries the term that was asked about, a refusal the voter's own (as in etcd's raft).
    term = request.term if granted else server.current_term
    return tell(state, ctx, server.id, candidate, RequestVoteReply(term, granted, pre=True))


def count_vote(
    state: State, server: Server, reply: RequestVoteReply, voter: str, ctx: Context
) -> State:
    """Figure 2, candidates: votes of a majority of all servers make a leader."""
    role = PRE_CANDIDATE if reply.pre else CANDIDATE
    asked = server.current_term + 1 if reply.pre else server.current_term
    if not reply.granted or server.role != role or reply.term != asked or voter in server.votes:
        return state
    server = replace(server, votes=(*server.votes, voter))
    if len(server.votes) < majority(len(state.servers)):
        return put(state, server)
    if reply.pre:
        return become_candidate(state, server, ctx)
    return become_leader(state, server, ctx)


def become_leader(state: State, server: Server, ctx: Context) -> State:
    """Figure 2, leaders: every follower's next index is right behind the log; send heartbeats."""
    last = len(server.log)
    server = replace(
        server,
        role=LEADER,
        leader=server.id,
        votes=(),
        next_index=(last + 1,) * len(state.servers),
        match_index=tuple(last if name == server.id else 0 for name in names_of(state)),
        election_deadline_ms=NEVER_MS,
    )
    return send_heartbeats(put(state, server), server, ctx)


# --- Log replication (§5.3) -----------------------------------------------------------------------


def send_heartbeats(state: State, leader: Server, ctx: Context) -> State:
    """Figure 2, leaders: AppendEntries to everyone, empty where there is nothing new."""
    ctx.after(state.params.heartbeat_interval_ms, HeartbeatAlarm(leader.id, leader.current_term))
    return replicate_to_all(state, leader, ctx)


def replicate_to_all(state: State, leader: Server, ctx: Context) -> State:
    for position, other in enumerate(state.servers):
        if other.id != leader.id:
            state = replicate(state, leader, position, ctx)
    return state


def replicate(state: State, leader: Server, position: int, ctx: Context) -> State:
    """Send the server at a position what it lacks, as far as the leader knows."""
    next_index = leader.next_index[position]
    previous = next_index - 1
    body = AppendEntries(
        leader.current_term,
        previous,
        term_at(leader.log, previous),
        leader.log[previous:],
        leader.commit_index,
    )
    return tell(state, ctx, leader.id, state.servers[position].id, body)


def log_matches(server: Server, index: int, term: int) -> bool:
    """§5.3, the consistency check: the log has an entry of this term at this index."""
    return index <= len(server.log) and term_at(server.log, index) == term


def merged(log: tuple[Entry, ...], previous: int, entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
    """Figure 2, AppendEntries, rules 3 and 4: drop what conflicts, append what is new.

    A late message may bring less than the log has by now; what agrees must stay.
    """
    for offset, entry in enumerate(entries):
        at = previous + offset
        if at >= len(log) or log[at].term != entry.term:
            return log[:at] + entries[offset:]
    return log


def answer_append(
    state: State, server: Server, request: AppendEntries, leader: str, ctx: Context
) -> State:
    """Figure 2, AppendEntries, the receiver's side."""
    params = state.params
    if request.term < server.current_term:  # rule 1
        reply = AppendEntriesReply(server.current_term, False, request.prev_log_index)
        return tell(state, ctx, server.id, leader, reply)
    # A candidate that hears from a leader of its term has lost the election (§5.2).
    server = replace(server, role=FOLLOWER, leader=leader, votes=(), heard_leader_ms=ctx.now_ms)
    server = reset_election_timer(server, params, ctx)
    if not log_matches(server, request.prev_log_index, request.prev_log_term):  # rule 2
        reply = AppendEntriesReply(server.current_term, False, request.prev_log_index)
        return tell(put(state, server), ctx, server.id, leader, reply)
    log = merged(server.log, request.prev_log_index, request.entries)
    last_new = request.prev_log_index + len(request.entries)
    commit_index = max(server.commit_index, min(request.leader_commit, last_new))  # rule 5
    server = apply_committed(replace(server, log=log, commit_index=commit_index))
    reply = AppendEntriesReply(server.current_term, True, last_new)
    return tell(put(state, server), ctx, server.id, leader, reply)


def count_replica(
    state: State, leader: Server, reply: AppendEntriesReply, follower: str, ctx: Context
) -> State:
    """Figure 2, leaders: an answer to AppendEntries moves `next_index` on, or back."""
    if leader.role != LEADER or reply.term != leader.current_term:
        return state
    position = names_of(state).index(follower)
    if reply.success:
        match = max(leader.match_index[position], reply.index)
        leader = replace(
            leader,
            match_index=with_item(leader.match_index, position, match),
            next_index=with_item(
                leader.next_index, position, max(leader.next_index[position], match + 1)
            ),
        )
        return advance_commit(put(state, leader), leader, ctx)
    if (
        leader.next_index[position] != reply.index + 1
        or reply.index <= leader.match_index[position]
    ):
        return state  # An answer to an older question.
    leader = replace(leader, next_index=with_item(leader.next_index, position, reply.index))
    return replicate(put(state, leader), leader, position, ctx)


def with_item(items: tuple[int, ...], position: int, item: int) -> tuple[int, ...]:
    return (*items[:position], item, *items[position + 1 :])


# --- Commitment (§5.3, §5.4.2) --------------------------------------------------------------------


def committable(leader: Server, params: Params) -> int:
    """The highest index that a majority holds and that this leader may commit.

    §5.4.2: counting replicas commits entries of the leader's own term only; those before them
    are committed with them (Log Matching).
    """
    index = sorted(leader.match_index, reverse=True)[majority(len(leader.match_index)) - 1]
    if index <= leader.commit_index:
        return leader.commit_index
    if params.broken_rule == "commit-old-term":
        return index
    return index if term_at(leader.log, index) == leader.current_term else leader.commit_index


def advance_commit(state: State, leader: Server, ctx: Context) -> State:
    """Commit what may be committed, apply it, and tell the client; followers hear of it later."""
    commit_index = committable(leader, state.params)
    if commit_index == leader.commit_index:
        return state
    applied = apply_committed(replace(leader, commit_index=commit_index))
    state = put(state, applied)
    for entry in leader.log[leader.last_applied : applied.last_applied]:
        state = tell(state, ctx, leader.id, CLIENT, ClientReply(entry.serial, True))
    return state


def apply_committed(server: Server) -> Server:
    """Figure 2, all servers: apply what is committed, in order; a repeated command only once (§8).

    Simplified: the serial numbers of all commands are kept, not the last one of each client.
    """
    if server.commit_index <= server.last_applied:
        return server
    value, serials = server.value, server.serials
    for entry in server.log[server.last_applied : server.commit_index]:
        if entry.serial not in serials:
            value += int(entry.command)
            serials = (*serials, entry.serial)
    return replace(server, last_applied=server.commit_index, value=value, serials=serials)


# --- Clients (§8) ---------------------------------------------------------------------------------


def answer_client(state: State, server: Server, request: ClientRequest, ctx: Context) -> State:
    """A leader takes the command into its log; everybody else says who leads, if he knows."""
    if server.role != LEADER:
        reply = ClientReply(request.serial, False, server.leader)
        return tell(state, ctx, server.id, CLIENT, reply)
    if request.serial in server.serials:
        return tell(state, ctx, server.id, CLIENT, ClientReply(request.serial, True))
    entry = Entry(server.current_term, f"{request.amount:+d}", request.serial)
    position = names_of(state).index(server.id)
    server = replace(
        server,
        log=(*server.log, entry),
        match_index=with_item(server.match_index, position, len(server.log) + 1),
    )
    return replicate_to_all(put(state, server), server, ctx)


def ask(state: State, request: Request, ctx: Context) -> State:
    """The client sends a command, and waits for an answer for a while."""
    requests = tuple(request if old.serial == request.serial else old for old in state.requests)
    ctx.after(state.params.retry_timeout_ms, RetryAlarm(request.serial, request.attempt))
    body = ClientRequest(request.serial, request.amount)
    return tell(replace(state, requests=requests), ctx, CLIENT, request.target, body)


def client_hears(state: State, reply: ClientReply, ctx: Context) -> State:
    """Done, or sent on to the leader; without a hint the client waits for its alarm."""
    request = state.requests[reply.serial - 1]
    if request.answered_ms is not None:
        return state
    if reply.done:
        answered = replace(request, answered_ms=ctx.now_ms)
        requests = tuple(answered if old is request else old for old in state.requests)
        return replace(state, requests=requests)
    if reply.leader in ("", request.target):
        return state
    return ask(state, replace(request, target=reply.leader, attempt=request.attempt + 1), ctx)


def retry(state: State, alarm: RetryAlarm, ctx: Context) -> State:
    """No answer: the command may be lost, or its answer may be; ask the next server the same."""
    if not 0 < alarm.serial <= len(state.requests):
        raise ValueError(f"serial must be one of 1 to {len(state.requests)}, got {alarm.serial!r}")
    request = state.requests[alarm.serial - 1]
    if request.answered_ms is not None or request.attempt != alarm.attempt:
        return state
    names = names_of(state)
    following = names[(names.index(request.target) + 1) % len(names)]
    return ask(state, replace(request, target=following, attempt=request.attempt + 1), ctx)


def send_command(state: State, event: SendCommand, ctx: Context) -> State:
    """A new command, for the server that was named or the one that the client believes to lead."""
    if event.server == ANYONE:
        target = state.requests[-1].target if state.requests else state.servers[0].id
    else:
        target = server_of(state, event.server).id
    request = Request(len(state.requests) + 1, event.amount, target)
    return ask(replace(state, requests=(*state.requests, request)), request, ctx)


# --- Timers and failures --------------------------------------------------------------------------


def alarm_rings(state: State, name: str, ctx: Context) -> State:
    """Start an election if the deadline has come; otherwise wait for what is left of it."""
    server = server_of(state, name)
    if server.alarm_ms != ctx.now_ms:
        return state  # An alarm from before a crash.
    server = replace(server, alarm_ms=NEVER_MS)
    if server.election_deadline_ms <= ctx.now_ms:
        return start_election(state, server, ctx)
    if server.election_deadline_ms != NEVER_MS:
        ctx.after(server.election_deadline_ms - ctx.now_ms, ElectionAlarm(name))
        server = replace(server, alarm_ms=server.election_deadline_ms)
    return put(state, server)


def heartbeat_is_due(state: State, alarm: HeartbeatAlarm, ctx: Context) -> State:
    server = server_of(state, alarm.server)
    if server.role != LEADER or server.current_term != alarm.term:
        return state
    return send_heartbeats(state, server, ctx)


def crash_server(state: State, name: str) -> State:
    """It stops at once: role, votes, indexes and the state machine were in memory."""
    server = server_of(state, name)
    state = replace(state, network=crash(state.network, name))
    return put(state, restarted(server, Server(name)))


def restart_server(state: State, name: str, ctx: Context) -> State:
    """It comes back as a follower, with its term, its vote and its log."""
    server = server_of(state, name)
    if is_up(state.network, name):
        return state
    state = replace(state, network=restart(state.network, name))
    return put(state, reset_election_timer(server, state.params, ctx))


def time_out(state: State, name: str, ctx: Context) -> State:
    """The reader lets the election timer ring early; of a server that is down, none rings."""
    server = server_of(state, name)
    return start_election(state, server, ctx) if is_up(state.network, name) else state


def two_servers(state: State, text: str, between: str) -> tuple[str, str]:
    """The two servers that a text such as "S1→S2" names; `ValueError` for any other text."""
    names = [name.strip() for name in text.split(between)]
    if len(names) != 2 or names[0] == names[1]:
        raise ValueError(f"a link must be two servers, as S1{between}S2, got {text[:40]!r}")
    return server_of(state, names[0]).id, server_of(state, names[1]).id


def slow_link(state: State, event: SlowLink) -> State:
    a, b = two_servers(state, event.link, "–")
    latency = Latency.uniform(event.delay_ms, event.delay_ms * 1.5)
    network = set_latency(set_latency(state.network, a, b, latency), b, a, latency)
    return replace(state, network=network)


# --- The door -------------------------------------------------------------------------------------


def init(params: Params, ctx: Context) -> State:
    """Followers in term 0 with empty logs, each with its own deadline."""
    for low, high in (
        ("election_timeout_ms_min", "election_timeout_ms_max"),
        ("delay_ms_min", "delay_ms_max"),
    ):
        least, most = getattr(params, low), getattr(params, high)
        if least > most:
            raise ValueError(f"{low} must be at most {high}, which is {most}, got {least}")
    names = tuple(f"S{number}" for number in range(1, params.servers + 1))
    latency = Latency.uniform(params.delay_ms_min, params.delay_ms_max)
    network = network_of((*names, CLIENT), latency, params.loss, params.duplication)
    servers = tuple(reset_election_timer(Server(name), params, ctx) for name in names)
    return State(params, network, servers)


def update(state: State, event: Event, ctx: Context) -> State:
    """The next state."""
    match event:
        case Deliver(message):
            return receive(state, message, ctx)
        case ElectionAlarm(server):
            return alarm_rings(state, server, ctx)
        case HeartbeatAlarm():
            return heartbeat_is_due(state, event, ctx)
        case RetryAlarm():
            return retry(state, event, ctx)
        case SendCommand():
            return send_command(state, event, ctx)
        case Crash(server):
            return crash_server(state, server)
        case Restart(server):
            return restart_server(state, server, ctx)
        case TimeOut(server):
            return time_out(state, server, ctx)
        case Cut(groups):
            network = cut(state.network, parse_groups(groups, names_of(state)))
            return replace(state, network=network)
        case CutWay(way):
            network = cut_link(state.network, *two_servers(state, way, "→"))
            return replace(state, network=network)
        case SlowLink():
            return slow_link(state, event)
        case Heal():
            return replace(state, network=replace(heal(state.network), links=()))
    raise ValueError(f"raft has no event {event!r}")


def receive(state: State, message: Message, ctx: Context) -> State:
    """A message arrives, unless it was lost or its target is down."""
    network, received = arrive(state.network, message)
    state = replace(state, network=network)
    if received is None:
        return state
    body, sender = received.body, received.source
    if isinstance(body, ClientReply):
        return client_hears(state, body, ctx)
    server = server_of(state, received.target)
    if isinstance(body, ClientRequest):
        return answer_client(state, server, body, ctx)
    if body.term > server.current_term and not leaves_term_alone(body):
        server = step_down(server, state.params, ctx, body.term)  # figure 2, all servers
        state = put(state, server)
    match body:
        case RequestVote():
            return answer_vote(state, server, body, sender, ctx)
        case RequestVoteReply():
            return count_vote(state, server, body, sender, ctx)
        case AppendEntries():
            return answer_append(state, server, body, sender, ctx)
        case AppendEntriesReply():
            return count_replica(state, server, body, sender, ctx)
    raise TypeError(f"no server understands {body!r}")


def leaves_term_alone(body: Any) -> bool:
    """PreVote speaks of a term that nobody has entered yet; only a refusal tells of a real one."""
    match body:
        case RequestVote(pre=pre):
            return pre
        case RequestVoteReply(pre=pre, granted=granted):
            return pre and granted
    return False
