"""How a cluster looks: the servers at a round table, and their logs as in the paper's figures.

A term is a color and a number. Around each server an arc shows how much of its election timeout
is left. A cell of a log is solid once that server knows it to be committed.
"""

from __future__ import annotations

from typing import Any

from ...kernel import Message, connected, is_up, latency_of, majority
from ...shapes import Point, along, arc, around
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
    Entry,
    Request,
    RequestVote,
    RequestVoteReply,
    Server,
    State,
    names_of,
)

COLORS = 20
CENTER = (170.0, 158.0)
TABLE = 116.0
NODE = 25.0
CLIENT_AT = (170.0, 346.0)
# Requests and answers keep to the right of their way, so that both can be seen on one link.
ASIDE = 5.0

COLUMNS = 9
CELL_WIDTH = 30.0
CELL_HEIGHT = 32.0
ROW = 40.0
LOG_LEFT = 66.0
LOG_TOP = 26.0


def color_of(term: int) -> int:
    """The color of a term; terms that share one differ in their number, which stands beside it."""
    return term % COLORS


def places_of(state: State) -> dict[str, Point]:
    """Where the servers and the client sit."""
    return {**around(names_of(state), *CENTER, TABLE), CLIENT: CLIENT_AT}


def leader_of(state: State) -> Server | None:
    """The leader with the highest term that is up; an older one may not know of it yet."""
    leaders = [server for server in state.servers if server.role == LEADER]
    return max(leaders, key=lambda server: server.current_term, default=None)


# --- The table ------------------------------------------------------------------------------------


def role_of(state: State, server: Server) -> str:
    """What stands below a server."""
    if not is_up(state.network, server.id):
        return "crashed"
    if server.role in (CANDIDATE, PRE_CANDIDATE):
        count, needed = len(server.votes), majority(len(state.servers))
        if server.role == PRE_CANDIDATE:
            return f"{count} would vote, needs {needed}"
        return f"{count} vote{'' if count == 1 else 's'}, needs {needed}"
    return server.role


def term_text(term: int) -> str:
    """A term as it fits into a server's disk."""
    return f"term {term}" if term < 10 else f"t{term}"


def time_left(state: State, server: Server, now_ms: int) -> float:
    """The part of its longest election timeout that a server has left, 0 to 1."""
    if server.election_deadline_ms == NEVER_MS:
        return 0.0
    left = (server.election_deadline_ms - now_ms) / state.params.election_timeout_ms_max
    return max(0.0, min(1.0, left))


def seat(state: State, server: Server, at: Point, now_ms: int) -> dict[str, Any]:
    """One server at the table."""
    x, y = at
    left = time_left(state, server, now_ms)
    return {
        "name": server.id,
        "x": x,
        "y": y,
        "term": server.current_term,
        "color": color_of(server.current_term),
        "term_text": term_text(server.current_term),
        "role": role_of(state, server),
        "leads": server.role == LEADER,
        "asks": server.role in (CANDIDATE, PRE_CANDIDATE),
        "down": not is_up(state.network, server.id),
        "timer": arc(x, y, NODE + 5, 0.0, left) if left > 0.005 else "",
    }


def arrow(source: Point, target: Point) -> str:
    """An arrow that gets half way, as the path of its shaft and its head."""
    (x, y), (x1, y1) = along(source, target, 0.0, start=NODE + 8), along(source, target, 0.5)
    tips = [along(source, target, 0.44, aside) for aside in (6.0, -6.0)]
    head = "".join(f"M{tx:.1f} {ty:.1f}L{x1:.1f} {y1:.1f}" for tx, ty in tips)
    return f"M{x:.1f} {y:.1f}L{x1:.1f} {y1:.1f}{head}"


def links_of(state: State, places: dict[str, Point]) -> list[dict[str, Any]]:
    """The links between servers: open, slow, cut, or open one way only."""
    names = names_of(state)
    network = state.network
    links = []
    for i, a in enumerate(names):
        for b in names[i + 1 :]:
            there, back = connected(network, a, b), connected(network, b, a)
            middle = along(places[a], places[b], 0.5)
            slow = latency_of(network, a, b) is not network.latency
            kind = "open" if there and back else "one-way" if there or back else "cut"
            links.append(
                {
                    "id": f"{a}-{b}",
                    "a": places[a],
                    "b": places[b],
                    "middle": middle,
                    "kind": kind,
                    "arrow": arrow(places[b], places[a]) if there else arrow(places[a], places[b]),
                    "slow": slow and kind == "open",
                }
            )
    return links


def label_of(body: Any) -> tuple[str, str]:
    """A message's word, and its shape: a request, a grant, a refusal, a heartbeat or entries."""
    match body:
        case RequestVote(pre=pre):
            return ("vote? (pre)" if pre else "vote?"), "ask"
        case RequestVoteReply(granted=granted):
            return ("yes", "yes") if granted else ("no", "no")
        case AppendEntries(entries=()):
            return "", "beat"
        case AppendEntries(entries=entries):
            many = f"{len(entries)} entries"
            return (many if len(entries) > 1 else entries[0].command), "entries"
        case AppendEntriesReply(success=success):
            return ("", "ack") if success else ("no", "no")
        case ClientRequest(amount=amount):
            return f"{amount:+d}", "entries"
        case ClientReply(done=done):
            return ("done", "yes") if done else ("not me", "no")
    raise TypeError(f"no picture of {body!r}")


def flight(state: State, message: Message, places: dict[str, Point], now_ms: int) -> dict[str, Any]:
    """A message on its way."""
    margin = NODE - 4
    x, y = along(
        places[message.source],
        places[message.target],
        message.fraction(now_ms),
        ASIDE,
        margin,
        margin,
    )
    label, shape = label_of(message.body)
    term = getattr(message.body, "term", 0)
    return {
        "id": f"m{message.id}",
        "x": x,
        "y": y,
        "label": label,
        "shape": shape,
        "color": color_of(term),
        "lost": bool(message.lost) and message.fraction(now_ms) >= 0.5,
    }


# --- The logs -------------------------------------------------------------------------------------


def window(state: State) -> int:
    """How many entries are left out on the left, so that the newest can be seen."""
    longest = max(len(server.log) for server in state.servers)
    return max(0, longest - COLUMNS + 1)


def value_of(log: tuple[Entry, ...]) -> int:
    """What the state machine should hold after these entries."""
    return sum({entry.serial: int(entry.command) for entry in log}.values())


def cells_of(server: Server, first: int) -> list[dict[str, Any]]:
    """As many entries of a log as fit, from an index on; repeated ones in parentheses."""
    before = {entry.serial for entry in server.log[:first]}
    cells = []
    for index, entry in enumerate(server.log[first : first + COLUMNS], first):
        repeated = entry.serial in before
        before.add(entry.serial)
        cells.append(
            {
                "id": f"{server.id}-{index + 1}",
                "x": LOG_LEFT + (index - first) * CELL_WIDTH,
                "term": entry.term,
                "command": f"({entry.command})" if repeated else entry.command,
                "color": color_of(entry.term),
                "committed": index < server.commit_index,
            }
        )
    return cells


def rows_of(state: State) -> list[dict[str, Any]]:
    """The log of each server, as cells."""
    first = window(state)
    leader = leader_of(state)
    rows = []
    for number, server in enumerate(state.servers):
        top = LOG_TOP + number * ROW
        follower = leader is not None and server.id != leader.id
        upcoming = leader.next_index[number] - first - 1 if leader and follower else -1
        rows.append(
            {
                "name": server.id,
                "top": top,
                "value": f"x = {server.value}",
                "strayed": server.value != value_of(server.log[: server.last_applied]),
                "leads": server.role == LEADER,
                "down": not is_up(state.network, server.id),
                "cells": cells_of(server, first),
                "next": LOG_LEFT + (upcoming + 0.5) * CELL_WIDTH if 0 <= upcoming < COLUMNS else 0,
            }
        )
    return rows


def indexes_of(state: State) -> list[dict[str, Any]]:
    first = window(state)
    return [
        {"index": first + column + 1, "x": LOG_LEFT + (column + 0.5) * CELL_WIDTH}
        for column in range(COLUMNS)
    ]


def requests_of(state: State) -> list[str]:
    """What the client has asked for, the last three commands."""
    return [request_text(request) for request in state.requests[-3:]]


def request_text(request: Request) -> str:
    tries = f", attempt {request.attempt}" if request.attempt > 1 else ""
    if request.answered_ms is not None:
        return f"{request.amount:+d} done at {request.answered_ms} ms{tries}"
    return f"{request.amount:+d} asked of {request.target}{tries}"


def readouts(state: State) -> list[dict[str, str]]:
    """The numbers beside the picture."""
    leading = [server for server in state.servers if server.role == LEADER]
    names = " and ".join(server.id for server in leading) or "none"
    in_terms = " and ".join(dict.fromkeys(f"term {server.current_term}" for server in leading))
    answered = sum(request.answered_ms is not None for request in state.requests)
    terms = max(server.current_term for server in state.servers)
    numbers = [
        ("Leader" if len(leading) < 2 else "Leaders", names, in_terms),
        ("Highest term", str(terms), ""),
        ("Elections won", str(len(state.witness.leaders)), ""),
        ("Entries committed", str(len(state.witness.committed)), ""),
        ("Commands done", f"{answered} of {len(state.requests)}", ""),
        ("Messages in flight", str(len(state.network.in_flight)), ""),
    ]
    if state.params.broken_rule != "none":
        fallen = state.witness.violated
        when, what = (f"{fallen[0].at_ms} ms", fallen[0].property) if fallen else ("nothing", "yet")
        numbers.append(("First to fall", when, what))
    return [{"label": label, "value": value, "note": note} for label, value, note in numbers]


def groups_said(state: State) -> str:
    """The partition and the one-way cuts in words, or nothing."""
    parts = []
    if state.network.groups:
        sides = " | ".join(" ".join(group) for group in state.network.groups)
        parts.append(f"The network is cut: {sides}.")
    parts += [f"Nothing gets from {a} to {b}." for a, b in state.network.cut_links]
    return " ".join(parts)


def server_said(state: State, server: Server) -> str:
    """One server in words, for `alternative`; of a long log, the entries that the picture shows."""
    first = window(state)
    entries = ", ".join(f"{entry.command} of term {entry.term}" for entry in server.log[first:])
    if entries and first:
        entries = f"of {len(server.log)} entries the last: {entries}"
    log = f"log {entries}; {server.commit_index} committed" if server.log else "log empty"
    return (
        f"{server.id}: {role_of(state, server)}, term {server.current_term}, {log}, "
        f"x = {server.value}"
    )


def alternative(state: State, now_ms: int) -> str:
    """What a sighted reader sees, as text."""
    servers = ". ".join(server_said(state, server) for server in state.servers)
    flying = len(state.network.in_flight)
    ways = f"{flying} message{'' if flying == 1 else 's'} in flight."
    fallen = " ".join(
        f"{violation.property} fell at {violation.at_ms} ms: {violation.says}."
        for violation in state.witness.violated
    )
    cut = groups_said(state)
    return " ".join(part for part in (f"{servers}. {ways}", cut, fallen) if part)


def view(state: State, now_ms: int) -> dict[str, Any]:
    """Everything that the scene draws."""
    places = places_of(state)
    rows = rows_of(state)
    return {
        "seats": [seat(state, s, places[s.id], now_ms) for s in state.servers],
        "links": links_of(state, places),
        "flights": [flight(state, m, places, now_ms) for m in state.network.in_flight],
        "client": CLIENT_AT,
        "height": CLIENT_AT[1] + 20,
        "radius": NODE,
        "rows": rows,
        "log_height": LOG_TOP + ROW * len(rows) + 6,
        "cell": (CELL_WIDTH - 3, CELL_HEIGHT),
        "indexes": indexes_of(state),
        "requests": requests_of(state),
        "repeated": any(
            len({entry.serial for entry in server.log}) < len(server.log)
            for server in state.servers
        ),
        "strayed": any(row["strayed"] for row in rows),
        "cut": groups_said(state),
        "readouts": readouts(state),
    }
