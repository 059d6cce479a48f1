"""Figure 3 and §8, read word by word over the list of all states of a run, with no cleverness.

It shares nothing with `pysims.patterns.raft.safety`, which looks only at what changed, and the two
must agree: on which properties fell, and at which state each did first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pysims.patterns.raft.model import Entry, Server, State


def properties_that_fell(states: Sequence[State]) -> dict[str, int]:
    """Name of the property → index of the first state at which the states so far break it."""
    found = {
        "Election Safety": election_safety(states),
        "Leader Append-Only": leader_append_only(states),
        "Log Matching": log_matching(states),
        "Leader Completeness": leader_completeness(states),
        "State Machine Safety": state_machine_safety(states),
        "Commands apply once": applied_once(states),
    }
    return {name: index for name, index in found.items() if index is not None}


def leaders(state: State) -> list[Server]:
    return [server for server in state.servers if server.role == "leader"]


def election_safety(states: Sequence[State]) -> int | None:
    """At most one leader can be elected in a given term."""
    elected: dict[int, set[str]] = {}
    for index, state in enumerate(states):
        for leader in leaders(state):
            elected.setdefault(leader.current_term, set()).add(leader.id)
            if len(elected[leader.current_term]) > 1:
                return index
    return None


def leader_append_only(states: Sequence[State]) -> int | None:
    """A leader never overwrites or deletes entries in its log; it only appends new entries."""
    for index in range(1, len(states)):
        for old, new in zip(states[index - 1].servers, states[index].servers, strict=True):
            if old.role == new.role == "leader" and old.current_term == new.current_term:
                for position, entry in enumerate(old.log):
                    if position >= len(new.log) or new.log[position] != entry:
                        return index
    return None


def log_matching(states: Sequence[State]) -> int | None:
    """If two logs contain an entry with the same index and term, they agree up to that index."""
    for index, state in enumerate(states):
        for a in state.servers:
            for b in state.servers:
                for position in range(min(len(a.log), len(b.log))):
                    if a.log[position].term != b.log[position].term:
                        continue
                    if a.log[: position + 1] != b.log[: position + 1]:
                        return index
    return None


def leader_completeness(states: Sequence[State]) -> int | None:
    """An entry committed in a term is in the logs of the leaders of all higher terms.

    What the first leader commits at an index counts, as the sentence does not say what a second
    commit of another entry would mean.
    """
    committed: list[tuple[Entry, int]] = []
    for index, state in enumerate(states):
        for leader in leaders(state):
            fresh = leader.log[len(committed) : leader.commit_index]
            committed += [(entry, leader.current_term) for entry in fresh]
        for leader in leaders(state):
            for position, (entry, term) in enumerate(committed):
                if leader.current_term > term and leader.log[position : position + 1] != (entry,):
                    return index
    return None


def applications(states: Sequence[State]) -> Iterator[tuple[int, str, list[Entry]]]:
    """`(index of the state, server, all that it has applied since its start)`, as it applies.

    What a server applies is what its log holds at that moment, whatever becomes of it later.
    """
    applied: dict[str, list[Entry]] = {server.id: [] for server in states[0].servers}
    for index, state in enumerate(states):
        for server in state.servers:
            done = applied[server.id]
            if server.last_applied < len(done):
                done.clear()  # It crashed: the state machine was in memory.
            if server.last_applied > len(done):
                done += server.log[len(done) : server.last_applied]
                yield index, server.id, done


def state_machine_safety(states: Sequence[State]) -> int | None:
    """No two servers ever apply different entries at the same index."""
    first: dict[int, Entry] = {}
    for index, _, done in applications(states):
        for position, entry in enumerate(done):
            if first.setdefault(position, entry) != entry:
                return index
    return None


def applied_once(states: Sequence[State]) -> int | None:
    """However often a command is applied, its amount is in the value once."""
    for index, name, done in applications(states):
        amounts = {entry.serial: int(entry.command) for entry in done}
        value = next(server.value for server in states[index].servers if server.id == name)
        if value != sum(amounts.values()):
            return index
    return None
