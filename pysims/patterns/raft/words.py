"""What an event of a Raft run did, in a sentence with its reason and its section of the paper."""

from __future__ import annotations

from ...kernel import Deliver, Message, connected, majority
from .model import (
    CANDIDATE,
    CLIENT,
    LEADER,
    NEVER_MS,
    PRE_CANDIDATE,
    AppendEntries,
    AppendEntriesReply,
    ClientReply,
    ClientRequest,
    Crash,
    Cut,
    CutWay,
    ElectionAlarm,
    Event,
    Heal,
    HeartbeatAlarm,
    RequestVote,
    RequestVoteReply,
    Restart,
    RetryAlarm,
    SendCommand,
    Server,
    SlowLink,
    State,
    TimeOut,
    is_up_to_date,
    log_matches,
    server_of,
)


def describe(before: State | None, event: Event | None, after: State) -> str:
    """What an event did; without an event, how the run starts."""
    if before is None or event is None:
        count = len(after.servers)
        return f"{count} servers start as followers in term 0, each with its own election timeout."
    said = told(before, event, after)
    new = after.witness.violated[len(before.witness.violated) :]
    return " ".join([said, *(f"{v.property} falls: {v.says}." for v in new)])


def told(before: State, event: Event, after: State) -> str:
    """The sentence without what the witness adds."""
    match event:
        case Deliver(message):
            return delivered(before, message, after)
        case ElectionAlarm(name) | TimeOut(name):
            by_hand = isinstance(event, TimeOut)
            return alarm_said(server_of(before, name), server_of(after, name), by_hand)
        case HeartbeatAlarm(name, term):
            now = server_of(before, name)
            if now.role != LEADER or now.current_term != term:
                return f"{name} no longer leads term {term}, so it sends no heartbeat."
            return f"{name}, leader of term {term}, sends heartbeats (§5.2)."
        case RetryAlarm(serial, attempt):
            return retry_said(before, after, serial, attempt)
        case SendCommand(amount):
            return f"The client asks {after.requests[-1].target} to add {amount}."
        case Crash(name):
            return f"{name} crashes. Its term, its vote and its log are on disk; all else is lost."
        case Restart(name):
            term = server_of(after, name).current_term
            return f"{name} restarts as a follower in term {term}, with the log from its disk."
        case Cut(groups):
            return f"The network is cut into {groups}; messages across the cut are lost."
        case CutWay(way):
            there, here = way.split("→")
            both = not connected(after.network, here, there)
            rest = "nor the other way" if both else "the other way is open"
            return f"Nothing gets through {way} any more; {rest}."
        case SlowLink(link, delay_ms):
            return f"Messages between {link} now take {delay_ms} ms and more."
        case Heal():
            return "The network is whole again."
    raise TypeError(f"no words for {event!r}")


def alarm_said(old: Server, new: Server, by_hand: bool) -> str:
    """An election timer rang, or was looked at."""
    why = "is timed out by hand" if by_hand else "has heard from no leader in time"
    if old is not new and new.role == CANDIDATE and new.current_term > old.current_term:
        again = " again" if old.role == CANDIDATE else ""
        gives_up = "gives up its lead and " if old.role == LEADER else ""
        return (
            f"{new.id} {why}: it {gives_up}is a candidate{again}, in term {new.current_term}, "
            "and votes for itself (§5.2)."
        )
    if old is not new and new.role == PRE_CANDIDATE and new.votes == (new.id,):
        return f"{new.id} {why}: it asks who would vote for it, and keeps its term (PreVote)."
    if old is new:
        return f"An alarm of {new.id} from before rings for nothing."
    if new.election_deadline_ms == NEVER_MS:
        return f"{new.id} leads, so its election alarm rings for nothing."
    return (
        f"{new.id}’s alarm rings, but its election timer was started anew since, and it waits on."
    )


def retry_said(before: State, after: State, serial: int, attempt: int) -> str:
    request = after.requests[serial - 1]
    if request is before.requests[serial - 1]:
        return f"The client’s alarm for attempt {attempt} of {request.amount:+d} is out of date."
    return (
        f"The client has no answer to {request.amount:+d}; it asks {request.target} the same, "
        f"attempt {request.attempt}."
    )


# --- Messages -------------------------------------------------------------------------------------


def name_of(message: Message) -> str:
    """What a message is called when it is lost."""
    match message.body:
        case RequestVote(pre=pre):
            return "PreVote request" if pre else "RequestVote"
        case RequestVoteReply(granted=granted):
            return "vote" if granted else "refusal"
        case AppendEntries(entries=entries):
            return "AppendEntries" if entries else "heartbeat"
        case AppendEntriesReply():
            return "answer to AppendEntries"
        case ClientRequest() | ClientReply():
            return "client’s command" if message.target != CLIENT else "answer to the client"
    raise TypeError(f"no name for {message.body!r}")


def delivered(before: State, message: Message, after: State) -> str:
    """A message arrived, or did not."""
    way = f"from {message.source} to {message.target}"
    flying = next((m for m in before.network.in_flight if m.id == message.id), message)
    if flying.lost:
        why = "the link was cut" if flying.lost == "cut" else "the network dropped it"
        return f"The {name_of(message)} {way} was lost: {why}."
    if message.target in before.network.down:
        return f"The {name_of(message)} {way} reaches nobody: {message.target} is down."
    body = message.body
    if isinstance(body, ClientReply):
        return client_said(before, body, message.source, after)
    old, new = server_of(before, message.target), server_of(after, message.target)
    if isinstance(body, ClientRequest):
        return request_said(body, old, new)
    match body:
        case RequestVote():
            return vote_said(before, body, old, new, message.source)
        case RequestVoteReply():
            return grant_said(before, body, old, new, message.source)
        case AppendEntries():
            return append_said(body, old, new, message.source)
    return ack_said(before, body, old, new, message.source)


def client_said(before: State, reply: ClientReply, source: str, after: State) -> str:
    old, request = before.requests[reply.serial - 1], after.requests[reply.serial - 1]
    if old is request:
        return f"{source}’s answer about {request.amount:+d} tells the client nothing new."
    if reply.done:
        return f"The client learns from {source} that {request.amount:+d} has taken effect."
    return f"{source} does not lead; the client asks {request.target} instead."


def request_said(body: ClientRequest, old: Server, new: Server) -> str:
    if new.role != LEADER:
        hint = f"it names {new.leader}" if new.leader else "it knows of no leader"
        return f"{new.id} does not lead, so it refuses the client’s {body.amount:+d}; {hint}."
    if new.log is old.log:
        return f"{new.id} has applied {body.amount:+d} before, and answers without doing it again."
    return (
        f"{new.id}, leader of term {new.current_term}, appends {body.amount:+d} to its log "
        f"at index {len(new.log)} and sends it to the others (§5.3)."
    )


def stepped(old: Server, new: Server) -> str:
    """What a higher term did, as the start of a sentence."""
    if new.current_term == old.current_term:
        return new.id
    role = "" if old.role == "follower" else f" and is {old.role} no more"
    return f"{new.id} enters term {new.current_term}{role}; it"


def vote_said(before: State, body: RequestVote, old: Server, new: Server, source: str) -> str:
    fitting = is_up_to_date(old, body.last_log_index, body.last_log_term)
    if body.pre:
        if body.term <= old.current_term or not fitting:
            return f"{new.id} would not vote for {source}: its own term or log is ahead (PreVote)."
        return f"{new.id} tells {source} whether it would vote for it (PreVote)."
    who = stepped(old, new)
    if body.term < new.current_term:
        return f"{who} refuses {source} its vote: term {body.term} is over (§5.1)."
    if new.voted_for == source:
        return f"{who} votes for {source} in term {new.current_term} (§5.2)."
    if new.voted_for:
        return f"{who} refuses {source} its vote: it has voted for {new.voted_for} (§5.2)."
    return f"{who} refuses {source} its vote: its own log is more up to date (§5.4.1)."


def grant_said(before: State, body: RequestVoteReply, old: Server, new: Server, source: str) -> str:
    count, needed = len(new.votes), majority(len(before.servers))
    if new.current_term > old.current_term and not body.pre:
        return f"{new.id} learns of term {new.current_term} from {source} and is a follower."
    if new.role == LEADER and old.role != LEADER:
        return (
            f"{new.id} has the {needed} votes that it needs of {len(before.servers)} servers: "
            f"it leads term {new.current_term} and says so at once (§5.2)."
        )
    if new.role == CANDIDATE and old.role == PRE_CANDIDATE:
        return f"A majority would vote for {new.id}: it is a candidate in term {new.current_term}."
    if not body.granted:
        return f"{source} has refused {new.id} its vote."
    if count == len(old.votes) or new.role == LEADER:
        return f"{source}’s vote reaches {new.id}, which needs it no more."
    return f"{new.id} has {count} of the {needed} votes that it needs."


def append_said(body: AppendEntries, old: Server, new: Server, source: str) -> str:
    if body.term < new.current_term:
        return f"{new.id} refuses AppendEntries of term {body.term}: it is in {new.current_term}."
    who = stepped(old, new)
    if not log_matches(old, body.prev_log_index, body.prev_log_term):
        return (
            f"{who} refuses: its log has no entry of term {body.prev_log_term} "
            f"at index {body.prev_log_index} (§5.3)."
        )
    parts = []
    if new.log[: len(old.log)] != old.log:
        kept = next(i for i, e in enumerate(old.log) if new.log[i : i + 1] != (e,))
        parts.append(f"drops what conflicts from index {kept + 1} on")
    if len(new.log) > len(old.log) or parts:
        parts.append(f"stores {', '.join(entry.command for entry in body.entries)}")
    if new.last_applied > old.last_applied:
        parts.append(f"applies up to index {new.last_applied}")
    if not parts:
        what = "entries that it has" if body.entries else "heartbeat"
        return f"{who} hears {source}’s {what}, and its election timer starts again (§5.2)."
    return f"{who} {' and '.join(parts)} (§5.3)."


def ack_said(before: State, body: AppendEntriesReply, old: Server, new: Server, source: str) -> str:
    if new.current_term > old.current_term:
        return f"{new.id} learns of term {new.current_term} from {source} and steps down (§5.1)."
    if new is old:
        return f"{source}’s answer tells {new.id} nothing new."
    if not body.success:
        return f"{new.id} steps {source}’s next index back to {body.index} and tries again (§5.3)."
    if new.commit_index > old.commit_index:
        count = sum(match >= new.commit_index for match in new.match_index)
        return (
            f"{new.id} counts index {new.commit_index} on {count} of {len(before.servers)} "
            f"servers: it is committed and applied (§5.3, §5.4.2)."
        )
    position = [server.id for server in before.servers].index(source)
    if new.match_index[position] == old.match_index[position]:
        return f"{source} answers {new.id}’s heartbeat."
    return f"{new.id} learns that {source} has the log up to index {new.match_index[position]}."
