"""What happened, and what there is to see, in sentences."""

from __future__ import annotations

from ...kernel import Deliver, Message, is_up
from ...phrases import listed, many
from .model import (
    NAMES,
    STRATEGIES,
    Crash,
    Cut,
    Delete,
    Entry,
    Event,
    Heal,
    Heard,
    Newer,
    Pull,
    Push,
    Replica,
    Restart,
    Round,
    Rumor,
    State,
    Write,
    knowing,
    missing,
    replica_of,
    sides,
    stamp_of,
    value_of,
)

CUT, LOSS = "cut", "loss"


def version(entry: Entry | None) -> str:
    """An entry as it is spoken of: "version 2", "the death certificate 3", "nothing"."""
    if entry is None:
        return "nothing"
    return f"{'the death certificate' if entry.dead else 'version'} {entry.number + 1}"


def describe(before: State | None, event: Event | None, after: State) -> str:
    """What an event did, in a sentence; without an event, how the run starts."""
    if before is None or event is None:
        how = STRATEGIES[after.params.strategy].partition(":")[0]
        return f"{len(after.replicas)} nodes that have nothing yet, and gossip by {how}."
    match event:
        case Deliver(message):
            return of_message(before, message, after)
        case Round():
            return of_round(before, after)
        case Write(name) | Delete(name):
            return of_write(name, after)
    return of_the_reader(before, event, after)


# --- What the reader does -------------------------------------------------------------------------


def of_the_reader(before: State, event: Event, after: State) -> str:
    match event:
        case Cut():
            here, there = side_text(after, 0), side_text(after, 1)
            return f"The network is cut between {here} and {there}."
        case Heal():
            if not before.network.groups:
                return "The network was whole already."
            return "The cut is healed: everybody can hear everybody again."
        case Crash(name):
            news = replica_of(before, name).hot and before.params.strategy == "rumor"
            lost = ", and forgets that it had news to tell" if news else ""
            return f"{name} crashes{lost}."
        case Restart(name):
            return f"{name} is back with {version(replica_of(after, name).entry)} on its disk."
    raise ValueError(f"gossip has no event {event!r}")


def side_text(state: State, index: int) -> str:
    """One side of a cut: its first node, or from its first to its last."""
    side = sides(state)[index]
    return side[0] if len(side) == 1 else f"{side[0]} to {side[-1]}"


def of_write(name: str, after: State) -> str:
    """What came of a write or a deletion."""
    write = after.writes[-1]
    entry, seen = write.entry, write.seen
    if entry.stamp <= seen:
        return (
            f"A client writes version {entry.number + 1} at {name} and loses it at once: what "
            f"{name} has bears a later timestamp."
        )
    if not entry.dead:
        return f"A client writes version {entry.number + 1} at {name}."
    if replica_of(after, name).entry is None:
        return f"A client deletes the item at {name}, which keeps no trace of that."
    return f"A client deletes the item at {name}, which keeps {version(entry)}."


# --- Rounds and messages --------------------------------------------------------------------------


def of_round(before: State, after: State) -> str:
    sent = after.messages - before.messages
    dropped = [
        old.name
        for old, new in zip(before.replicas, after.replicas, strict=True)
        if old.entry is not None and new.entry is None
    ]
    text = f"Round {after.round}: {many(sent, 'message') if sent else 'silence'}"
    if dropped:
        kept = many(after.params.keep_rounds, "round")
        text += f"; {listed(dropped)} {drops(dropped)} the death certificate after {kept}"
    return f"{text}."


def drops(names: list[str]) -> str:
    return "drops" if len(names) == 1 else "drop"


def said(message: Message) -> str:
    """What a message says, with its teller."""
    source, body = message.source, message.body
    match body:
        case Push(None, _):
            return f"{source} asks {message.target} to compare, and has nothing"
        case Push(entry, _) | Newer(entry) | Rumor(entry):
            return f"{source} tells {message.target} of {version(entry)}"
        case Pull():
            return f"{source} asks {message.target} what is new"
        case Heard():
            return f"{source} answers {message.target} that it had heard"
    raise ValueError(f"gossip has no message {body!r}")


def of_message(before: State, message: Message, after: State) -> str:
    """What a message brought about."""
    flying = next((m for m in before.network.in_flight if m.id == message.id), message)
    if flying.lost:
        where = "lost in the cut" if flying.lost == CUT else "lost on the way"
        return f"{said(message)}: {where}."
    here = message.target
    if not is_up(before.network, here):
        return f"{said(message)}; {here} is down."
    old, new = replica_of(before, here), replica_of(after, here)
    if isinstance(message.body, Heard):
        return of_heard(message, old, new)
    if new.entry != old.entry:
        if new.entry and new.entry.stamp < new.highest:
            return f"{said(message)}: {here} had known that it was deleted."
        return f"{said(message)}; {here} had {version(old.entry)}."
    answers = after.messages > before.messages
    if isinstance(message.body, Pull):
        ending = f"{here} answers with {version(old.entry)}" if answers else "nothing"
        return f"{said(message)}: {ending}."
    if answers and isinstance(message.body, Push):
        return f"{said(message)}; {here} sends something newer, {version(old.entry)}."
    if isinstance(message.body, Push) and message.body.entry is None:
        return f"{said(message)}; {here} has nothing either."
    older = stamp_of(old.entry) > stamp_of(getattr(message.body, "entry", None))
    return f"{said(message)}; {here} {'has something newer' if older else 'knew'}."


def of_heard(message: Message, old: Replica, new: Replica) -> str:
    """What a teller makes of having told its rumor in vain."""
    if old.hot and not new.hot:
        return f"{said(message)}: {message.target} loses interest and stops."
    if new.in_vain != old.in_vain:
        return f"{said(message)}: told in vain {new.in_vain} ×."
    return f"{said(message)}; it tells that no more."


# --- The picture ----------------------------------------------------------------------------------


def holders_text(state: State) -> str:
    """Which nodes have which version, for those who do not see it."""
    parts = []
    entries = sorted({r.entry for r in state.replicas if r.entry}, key=lambda entry: entry.number)
    for entry in entries:
        names = [replica.name for replica in state.replicas if replica.entry == entry]
        parts.append(f"{version(entry).capitalize()}: {spoken(names)}.")
    nothing = [replica.name for replica in state.replicas if replica.entry is None]
    if nothing:
        parts.append(f"Nothing: {spoken(nothing)}.")
    return " ".join(parts)


def spoken(names: list[str]) -> str:
    """Names in a row, or the number of them if they are many."""
    if len(names) <= 6:
        return listed(names)
    return f"{len(names)} nodes, {listed(names[:3])} among them"


def reads_text(state: State) -> str:
    """What clients read at the nodes that are up."""
    up = [r for r in state.replicas if is_up(state.network, r.name)]
    values = {value_of(replica) for replica in up}
    if len(values) > 1:
        return f"Clients read {len(values)} different things."
    return "Clients read the same everywhere."


def alternative(state: State, now_ms: int) -> str:
    """What a sighted reader sees, as text."""
    text = f"Round {state.round}. "
    if state.network.groups:
        text += f"The network is cut between {side_text(state, 0)} and {side_text(state, 1)}. "
    if state.network.down:
        text += f"Down: {listed(sorted(state.network.down, key=NAMES.index))}. "
    text += f"{holders_text(state)} "
    if state.writes:
        left = missing(state)
        text += f"{len(knowing(state))} of {len(state.replicas)} nodes know the newest write"
        text += f"; {spoken(left)} {'does' if len(left) == 1 else 'do'} not. " if left else ". "
    if state.params.strategy == "rumor":
        telling = [replica.name for replica in state.replicas if replica.hot]
        text += f"Telling: {spoken(telling)}. " if telling else "Nobody tells anything any more. "
    return text + reads_text(state)
