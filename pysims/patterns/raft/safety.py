"""Figure 3 of the Raft paper, checked after every step by somebody who sees all servers at once.

`observe` compares the state before an event with the one after it, looks only at what changed,
and notes in the state's `witness` the first time that each property falls. The sixth property is
§8's: a command that was retried takes effect once.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...kernel import Context, replace
from . import model
from .model import LEADER, Entry, Event, Server, State, Violation, Witness

ELECTION_SAFETY = "Election Safety"
LEADER_APPEND_ONLY = "Leader Append-Only"
LOG_MATCHING = "Log Matching"
LEADER_COMPLETENESS = "Leader Completeness"
STATE_MACHINE_SAFETY = "State Machine Safety"
APPLIED_ONCE = "Commands apply once"

PROPERTIES = {
    ELECTION_SAFETY: "At most one leader is elected in a term (§5.2).",
    LEADER_APPEND_ONLY: "A leader only appends to its own log; it never overwrites or deletes "
    "(§5.3).",
    LOG_MATCHING: "If two logs have an entry with the same index and term, they are the same up to "
    "it (§5.3).",
    LEADER_COMPLETENESS: "A committed entry is in the log of every leader of a later term (§5.4).",
    STATE_MACHINE_SAFETY: "No two servers apply different commands at the same index (§5.4.3).",
    APPLIED_ONCE: "A command that the client repeated changes the value once (§8).",
}


def update(state: State, event: Event, ctx: Context) -> State:
    """Raft's next state, with what the witness saw."""
    return observe(state, model.update(state, event, ctx), ctx.now_ms)


def observe(before: State, after: State, now_ms: int) -> State:
    """`after`, with its witness brought up to date."""
    if before.servers is after.servers:
        return after
    witness = before.witness
    for old, new in zip(before.servers, after.servers, strict=True):
        if old is not new:
            witness = follow(witness, after, old, new, now_ms)
    return after if witness is before.witness else replace(after, witness=witness)


def follow(witness: Witness, state: State, old: Server, new: Server, now_ms: int) -> Witness:
    """What the change of one server means for the six properties."""
    fallen: list[tuple[str, str]] = []
    if new.role == LEADER and (old.role != LEADER or old.current_term != new.current_term):
        fallen += election_safety(witness, new)
        fallen += leader_completeness(witness, new)
        witness = replace(witness, leaders=(*witness.leaders, (new.current_term, new.id)))
    elif new.role == LEADER and new.log is not old.log:
        fallen += leader_append_only(old, new)
    if new.log is not old.log:
        fallen += log_matching(state, new)
    if new.role == LEADER and new.commit_index > len(witness.committed):
        witness = committed_by(witness, new)
        for later in state.servers:
            if later.role == LEADER and later.current_term > new.current_term:
                fallen += leader_completeness(witness, later)
    if new.last_applied > old.last_applied:
        fallen += state_machine_safety(witness, old, new)
        witness = applied_by(witness, new)
        fallen += applied_once(witness, new)
    return with_violations(witness, fallen, now_ms)


def with_violations(witness: Witness, fallen: list[tuple[str, str]], now_ms: int) -> Witness:
    """Note the first time that a property falls."""
    for name, says in fallen:
        if all(violation.property != name for violation in witness.violated):
            violation = Violation(name, now_ms, says)
            witness = replace(witness, violated=(*witness.violated, violation))
    return witness


def committed_by(witness: Witness, leader: Server) -> Witness:
    """The entries that this leader has committed beyond those that were."""
    fresh = leader.log[len(witness.committed) : leader.commit_index]
    marked = tuple((entry, leader.current_term) for entry in fresh)
    return replace(witness, committed=witness.committed + marked)


def applied_by(witness: Witness, server: Server) -> Witness:
    """The entries that this server is the first to apply, and the value that each should give."""
    fresh = server.log[len(witness.applied) : server.last_applied]
    if not fresh:
        return witness
    seen = {entry.serial for entry in witness.applied}
    values = list(witness.values)
    for entry in fresh:
        before = values[-1] if values else 0
        values.append(before if entry.serial in seen else before + int(entry.command))
        seen.add(entry.serial)
    return replace(witness, applied=witness.applied + fresh, values=tuple(values))


def said(entry: Entry) -> str:
    return f"{entry.command} of term {entry.term}"


# --- The properties: each yields (name, sentence) for what breaks it ------------------------------


def election_safety(witness: Witness, leader: Server) -> Iterator[tuple[str, str]]:
    for term, other in witness.leaders:
        if term == leader.current_term and other != leader.id:
            yield ELECTION_SAFETY, f"{other} and {leader.id} were both elected in term {term}"


def leader_append_only(old: Server, new: Server) -> Iterator[tuple[str, str]]:
    if new.log[: len(old.log)] != old.log:
        yield LEADER_APPEND_ONLY, f"{new.id}, a leader, changed entries of its own log"


def log_matching(state: State, server: Server) -> Iterator[tuple[str, str]]:
    for other in state.servers:
        if other.id == server.id:
            continue
        agreed = last_agreement(server.log, other.log)
        if server.log[:agreed] != other.log[:agreed]:
            pair = f"{server.id} and {other.id}"
            yield (
                LOG_MATCHING,
                f"{pair} have entries of one term at index {agreed}, but differ up to it",
            )


def last_agreement(a: tuple[Entry, ...], b: tuple[Entry, ...]) -> int:
    """The highest index (from 1) at which two logs have entries of the same term, or 0."""
    for index in range(min(len(a), len(b)), 0, -1):
        if a[index - 1].term == b[index - 1].term:
            return index
    return 0


def leader_completeness(witness: Witness, leader: Server) -> Iterator[tuple[str, str]]:
    for index, (entry, term) in enumerate(witness.committed):
        if term < leader.current_term and leader.log[index : index + 1] != (entry,):
            who = f"{leader.id} leads term {leader.current_term}"
            what = f"the entry {said(entry)}, committed at index {index + 1}"
            yield LEADER_COMPLETENESS, f"{who} without {what}"


def state_machine_safety(witness: Witness, old: Server, new: Server) -> Iterator[tuple[str, str]]:
    for index in range(old.last_applied, min(new.last_applied, len(witness.applied))):
        if new.log[index] != witness.applied[index]:
            mine, theirs = said(new.log[index]), said(witness.applied[index])
            where = f"at index {index + 1}"
            yield STATE_MACHINE_SAFETY, f"{where} {new.id} applied {mine}, another server {theirs}"


def applied_once(witness: Witness, server: Server) -> Iterator[tuple[str, str]]:
    count = server.last_applied
    # Where servers apply different entries, State Machine Safety has fallen, and not this.
    same = server.log[:count] == witness.applied[:count]
    if same and server.value != witness.values[count - 1]:
        due = witness.values[count - 1]
        yield APPLIED_ONCE, f"{server.id} has the value {server.value}, its commands make it {due}"
