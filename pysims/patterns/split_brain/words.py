"""What happened, and what there is to see, in sentences."""

from __future__ import annotations

from ...kernel import Deliver, Message, groups_text, is_up, majority
from ...phrases import listed, many
from .cluster import (
    CANDIDATE,
    ELECTIONS,
    LEADER,
    OPEN,
    Ballot,
    Beat,
    Book,
    Confirm,
    Crash,
    Customers,
    Cut,
    Event,
    Heal,
    Heartbeat,
    Member,
    RequestVote,
    Restart,
    State,
    Timeout,
    acknowledged,
    can_decide,
    leaders,
    lost,
    member_of,
    sides,
    sold_twice,
    up_on,
    waiting,
)


def by_quorum(state: State) -> bool:
    """Whether leaders are elected by a majority here."""
    return state.params.election == "quorum"


def seat_of(state: State, number: int) -> str:
    """A booking as its customer would name it."""
    booking = state.bookings[number]
    return f"seat {booking.seat} of {booking.buyer}"


def describe(before: State | None, event: Event | None, after: State) -> str:
    """What an event did, in a sentence; without an event, how the run starts."""
    if before is None or event is None:
        rule = ELECTIONS[after.params.election]
        return f"{len(after.members)} nodes and no leader yet. The rule: {rule}."
    match event:
        case Deliver(message):
            return of_message(before, message, after)
        case Timeout(name):
            return of_timeout(before, name, after)
        case Beat(name):
            return of_beat(before, name, after)
        case Customers():
            return of_customers(before, after)
        case Book(name):
            return of_booking(before, name, after)
    return of_the_reader(before, event, after)


# --- What the reader does -------------------------------------------------------------------------


def of_the_reader(before: State, event: Event, after: State) -> str:
    match event:
        case Cut(_):
            return f"The network is cut: {groups_text(sides(after))}. {who_can(after)}"
        case Heal():
            if not before.network.groups:
                return "The network was whole already."
            return "The cut is healed: everybody can hear everybody again."
        case Crash(name):
            was = ", the leader," if leads(before, name) else ""
            return f"{name}{was} crashes. {up_text(after)}"
        case Restart(name):
            return f"{name} is back with what was on its disk, and listens for a leader."
    raise ValueError(f"split_brain has no event {event!r}")


def up_text(state: State) -> str:
    """How many nodes are up, and what that means under a quorum."""
    up = len(up_on(state, state.network.nodes))
    if not by_quorum(state):
        return f"{up} of {len(state.members)} nodes are up."
    enough = "are still a majority" if up >= majority(len(state.members)) else "are no majority"
    return f"{up} of {len(state.members)} nodes {enough}."


def who_can(state: State) -> str:
    """Which side of a cut can elect a leader."""
    if not by_quorum(state):
        return "Each side will hear nobody from the other."
    able = [side for side in sides(state) if can_decide(state, side)]
    needed = majority(len(state.members))
    if able:
        return f"Only {listed(able[0])} are a majority, {needed} or more of {len(state.members)}."
    return f"No side has the {needed} of {len(state.members)} nodes that a majority takes."


# --- Customers ------------------------------------------------------------------------------------


def of_customers(before: State, after: State) -> str:
    parts = [sale(after, number) for number in range(len(before.bookings), len(after.bookings))]
    turned_away = after.turned_away - before.turned_away
    if turned_away:
        parts.append(f"{many(turned_away, 'customer')} turned away: {why_away(after)}")
    return "; ".join(parts) + "."


def why_away(state: State) -> str:
    """Why a customer could not book."""
    silent = [member.name for member in leaders(state) if not member.accepts]
    if silent:
        return f"{listed(silent)} has yet to hear from a majority"
    there = leaders(state)
    if len(there) >= len(sides(state)):
        return "every seat is sold"
    return "there is no leader on that side" if state.network.groups else "there is no leader"


def sale(state: State, number: int) -> str:
    """One booking that a leader has just taken."""
    booking = state.bookings[number]
    what = f"{booking.seller} sells seat {booking.seat} to {booking.buyer}"
    if booking.acknowledged_ms == OPEN:
        needed = majority(len(state.members))
        return f"{what}, who must wait until {needed} of {len(state.members)} nodes have it"
    rivals = [
        other
        for other in acknowledged(state)
        if state.bookings[other].seat == booking.seat and other != number
    ]
    if not rivals:
        return f"{what} and acknowledges at once"
    first = state.bookings[rivals[0]]
    return f"{what}, but {first.seller} sold it to {first.buyer}"


def of_booking(before: State, name: str, after: State) -> str:
    """A customer at one node."""
    if len(after.bookings) > len(before.bookings):
        return f"{sale(after, len(before.bookings))}."
    if not is_up(after.network, name):
        return f"A customer is turned away: {name} is down."
    member = member_of(after, name)
    if member.role != LEADER:
        known = f"; it follows {member.leader}" if member.leader else " and knows of none"
        return f"A customer is turned away: {name} is not the leader{known}."
    if not member.accepts:
        return f"A customer is turned away: {name} has yet to hear from a majority."
    return f"A customer is turned away: {name} has sold every seat."


# --- Time -----------------------------------------------------------------------------------------


def leads(state: State, name: str) -> bool:
    return member_of(state, name) in leaders(state)


def of_timeout(before: State, name: str, after: State) -> str:
    old, new = member_of(before, name), member_of(after, name)
    if old == new or not is_up(after.network, name):
        return f"An alarm of {name} that no longer matters."
    if new.deadline_ms == old.deadline_ms and old.role == LEADER:
        return f"{name} looks at its lease: a majority has answered it lately, and it leads on."
    if new.deadline_ms == old.deadline_ms:
        return f"{name} wakes up, has heard from a leader meanwhile and waits on."
    if old.role == LEADER:
        pending = [n for n in range(len(before.bookings)) if waiting(before, n) and sold(n, old)]
        text = f"{name} steps down: no majority has answered it."
        if pending:
            text += f" It never acknowledged {listed(seat_of(before, n) for n in pending)}."
        return text
    if new.role == LEADER:
        return f"{name} hears nobody, so it takes the lead."
    if old.role == CANDIDATE:
        return f"{name} got {votes_text(before, old)}. It asks again."
    return (
        f"{name} hears no leader and asks everybody: would you vote for me in term {new.term + 1}?"
    )


def sold(number: int, member: Member) -> bool:
    return number in member.ledger


def votes_text(state: State, member: Member) -> str:
    """How far a candidate is."""
    needed = majority(len(state.members))
    return f"{many(len(member.votes), 'vote')} of the {needed} that it needs"


def of_beat(before: State, name: str, after: State) -> str:
    if after.network.next_id == before.network.next_id:
        return f"A heartbeat of {name} that is no longer due."
    return f"{name} sends its heartbeat and its ledger to every other node."


# --- Messages -------------------------------------------------------------------------------------

WORDS = {Heartbeat: "heartbeat", Confirm: "answer", RequestVote: "request for a vote"}


def of_message(before: State, sent: Message, after: State) -> str:
    message = next((m for m in before.network.in_flight if m.id == sent.id), sent)
    what = WORDS.get(type(message.body), "ballot")
    if message.lost == "cut":
        return f"The {what} from {message.source} to {message.target} is lost in the cut."
    if message.lost:
        return f"The {what} from {message.source} to {message.target} is lost on the way."
    if not is_up(after.network, message.target):
        return f"The {what} from {message.source} finds {message.target} down."
    match message.body:
        case Heartbeat():
            return of_heartbeat(before, message, after)
        case Confirm():
            return of_confirm(before, message, after)
        case RequestVote():
            return of_request(before, message, after)
    return of_ballot(before, message, after)


def of_heartbeat(before: State, message: Message, after: State) -> str:
    """A follower hears a leader, with what that does to its ledger."""
    old, new = member_of(before, message.target), member_of(after, message.target)
    name = new.name
    if new.leader != message.source:
        return (
            f"{name} does not follow {message.source}{', it leads' if leads(after, name) else ''}."
        )
    forgotten = [n for n in old.ledger if n not in new.ledger]
    learned = [n for n in new.ledger if n not in old.ledger]
    did = []
    if old.role == LEADER:
        did.append("steps down")
    elif old.leader != new.leader:
        did.append("follows it from now on")
    if forgotten:
        did.append("takes over its ledger")
        did.append(f"forgets {listed(seat_of(after, n) for n in forgotten)}")
    elif learned:
        did.append(f"copies {listed(seat_of(after, n) for n in learned)}")
    whom = f"its leader {message.source}" if old.leader == new.leader else message.source
    text = listed([f"{name} hears {whom}", *did])
    gone = [after.bookings[n].buyer for n in lost(after) if n not in lost(before)]
    if gone:
        have = "has" if len(gone) == 1 else "have"
        text += f". Nobody else knew: {listed(gone)} {have} lost what was acknowledged"
    return f"{text}."


def of_confirm(before: State, message: Message, after: State) -> str:
    """A leader hears from a follower."""
    name, member = message.target, member_of(after, message.target)
    if leads(before, name) and not leads(after, name):
        return f"{name} learns from {message.source} of term {member.term} and steps down."
    if not leads(after, name):
        return f"{name} leads no more and ignores the answer of {message.source}."
    told = [n for n in acknowledged(after) if n not in acknowledged(before)]
    if told:
        have = majority(len(after.members))
        what = listed(seat_of(after, n) for n in told)
        return f"{message.source} confirms, so {have} nodes have it: {name} acknowledges {what}."
    if member.accepts and not member_of(before, name).accepts:
        return f"{name} has heard from a majority and accepts bookings from now on."
    return f"{message.source} confirms to {name} what it has."


def of_request(before: State, message: Message, after: State) -> str:
    """A voter and a candidate."""
    name, body = message.target, message.body
    if after.network.next_id == before.network.next_id:
        return f"{name} has heard a leader not long ago and does not answer {message.source}."
    ballot = after.network.in_flight[-1].body
    if not ballot.granted:
        return f"{name} does not vote for {message.source} in term {body.term}."
    if ballot.trial:
        return f"{name} would vote for {message.source} in term {body.term}."
    return f"{name} votes for {message.source} in term {body.term}."


def of_ballot(before: State, message: Message, after: State) -> str:
    """A candidate counts."""
    old, new, body = (
        member_of(before, message.target),
        member_of(after, message.target),
        message.body,
    )
    name = new.name
    if leads(after, name) and not leads(before, name):
        return f"{name} has {votes_text(after, new)} and leads in term {new.term}."
    if new.term > old.term and new.role == CANDIDATE:
        return f"A majority would vote for {name}: it stands for election in term {new.term}."
    if new.term > old.term:
        return f"{name} learns of term {new.term} and asks no more."
    if new.votes != old.votes:
        return f"{name} {'could count on' if new.trial else 'has'} {votes_text(after, new)}."
    if isinstance(body, Ballot) and not body.granted:
        return f"{message.source} does not vote for {name}."
    return f"{message.source} would have voted for {name}, which needs it no more."


# --- The picture ----------------------------------------------------------------------------------


def side_text(state: State, side: tuple[str, ...]) -> str:
    """One side of the network, for those who do not see it."""
    up = up_on(state, side)
    lead = [member.name for member in leaders(state) if member.name in side]
    text = f"{listed(side)}: "
    text += f"{listed(lead)} {'leads' if len(lead) == 1 else 'lead'}" if lead else "no leader"
    if by_quorum(state):
        enough = "a majority" if can_decide(state, side) else "no majority"
        text += f", {len(up)} of {len(state.members)} nodes, {enough}"
    down = [name for name in side if name not in up]
    return text + (f", {listed(down)} down" if down else "")


def alternative(state: State, now_ms: int) -> str:
    """What a sighted reader sees, as text."""
    cut = "The network is cut" if state.network.groups else "The network is whole"
    text = f"{cut}. {'; '.join(side_text(state, side) for side in sides(state))}. "
    for member in state.members:
        if member.role == CANDIDATE:
            term = member.term + 1 if member.trial else member.term
            text += (
                f"{member.name} asks for votes in term {term} and has {votes_text(state, member)}. "
            )
    text += f"{many(len(acknowledged(state)), 'booking')} acknowledged. "
    twice = sold_twice(state)
    if twice:
        text += f"Sold twice: {many(len(twice), 'seat')} ({listed(map(str, twice))}). "
    gone = lost(state)
    if gone:
        text += f"Acknowledged and lost: {listed(seat_of(state, n) for n in gone)}. "
    needed, nodes = majority(len(state.members)), len(state.members)
    text += (
        f"A majority of {nodes} nodes is {needed}, so {many(nodes - needed, 'node')} may fail; "
        "of three nodes and of four, one may."
    )
    return text
