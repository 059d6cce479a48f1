"""One event at a time, by hand: servers as a test wants them, a message, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from pysims.kernel import Context, Deliver, Message, build
from pysims.patterns.raft import model
from pysims.patterns.raft.model import (
    CANDIDATE,
    CLIENT,
    FOLLOWER,
    LEADER,
    Entry,
    Event,
    Params,
    Server,
    State,
    server_of,
)

NOW_MS = 1_000


def entries(*terms: int) -> tuple[Entry, ...]:
    """A log whose entries have these terms; the command and serial of each are its index."""
    return tuple(Entry(term, f"+{index}", index) for index, term in enumerate(terms, 1))


def follower(name: str, term: int = 0, log: tuple[Entry, ...] = (), **more: Any) -> Server:
    values = {"role": FOLLOWER, "election_deadline_ms": NOW_MS + 100, "alarm_ms": NOW_MS + 100}
    return Server(name, current_term=term, log=log, **{**values, **more})


def candidate(name: str, term: int, log: tuple[Entry, ...] = (), **more: Any) -> Server:
    values = {"role": CANDIDATE, "voted_for": name, "votes": (name,)}
    return follower(name, term, log, **{**values, **more})


def leader(
    name: str, term: int, log: tuple[Entry, ...] = (), servers: int = 3, **more: Any
) -> Server:
    """A leader that has just been elected: it knows of no other's log."""
    position = int(name[1:]) - 1
    values = {
        "role": LEADER,
        "voted_for": name,
        "leader": name,
        "next_index": (len(log) + 1,) * servers,
        "match_index": tuple(len(log) if at == position else 0 for at in range(servers)),
        "election_deadline_ms": model.NEVER_MS,
        "alarm_ms": model.NEVER_MS,
    }
    return follower(name, term, log, **{**values, **more})


def cluster(*given: Server, servers: int = 3, **params: Any) -> State:
    """A state with these servers in the places of the fresh ones, and nothing in flight."""
    chosen = build(Params, {"servers": servers, **params})
    state = model.init(chosen, context(0))
    for server in given:
        state = model.put(state, server)
    return state


def context(now_ms: int, number: int = 0) -> Context:
    """The context of event `number`, which is what its random numbers depend on."""
    ctx = Context(7, 1_000)
    ctx.turn_to(now_ms, number)
    return ctx


@dataclass(frozen=True)
class Outcome:
    """What one event did: the state, what was sent, and what was scheduled besides."""

    state: State
    sent: tuple[Message, ...]
    alarms: tuple[tuple[int, Any], ...]

    def server(self, name: str) -> Server:
        return server_of(self.state, name)

    def to(self, target: str) -> list[Any]:
        """The bodies that are on their way to a node."""
        return [message.body for message in self.sent if message.target == target]

    def to_one(self, target: str) -> Any:
        """The one body that is on its way to a node."""
        (body,) = self.to(target)
        return body

    def bodies(self) -> Iterator[Any]:
        return (message.body for message in self.sent)


def happen(state: State, event: Event, now_ms: int = NOW_MS, number: int = 1) -> Outcome:
    """The outcome of one event, with the model's own `update`."""
    ctx = context(now_ms, number)
    after = model.update(state, event, ctx)
    before = {message.id for message in state.network.in_flight}
    sent = tuple(m for m in after.network.in_flight if m.id not in before)
    alarms = tuple((at, e) for at, _, e in ctx.scheduled if not isinstance(e, Deliver))
    return Outcome(after, sent, alarms)


def deliver(state: State, source: str, target: str, body: Any, now_ms: int = NOW_MS) -> Outcome:
    """The outcome of a message that arrives now."""
    network = state.network
    message = Message(network.next_id, source, target, body, now_ms - 10, now_ms)
    network = replace(network, in_flight=(*network.in_flight, message), next_id=network.next_id + 1)
    return happen(replace(state, network=network), Deliver(message), now_ms)


def ask(state: State, target: str, serial: int = 1, amount: int = 5) -> Outcome:
    """The outcome of a client's request that arrives now."""
    return deliver(state, CLIENT, target, model.ClientRequest(serial, amount))
