"""How the cluster looks: plain numbers and words for `scene.svg.jinja`.

Four pictures: the network, whose sides drift apart as islands when it is cut; who led when; the
seats, where a seat that was sold twice is torn in two; and why an even number of nodes does not
help.
"""

from __future__ import annotations

from itertools import combinations, pairwise
from typing import Any

from ...kernel import Message, is_up, majority
from ...phrases import listed, many
from ...shapes import Point, Scale, along, arc, around
from .cluster import (
    CANDIDATE,
    LEADER,
    NAMES,
    OPEN,
    SEATS,
    Ballot,
    Booking,
    Confirm,
    Heartbeat,
    Member,
    Reign,
    State,
    acknowledged,
    can_decide,
    holders,
    leaders,
    lost,
    sides,
    sold_twice,
    up_on,
    waiting,
)
from .quorum import LEASE_MS
from .words import alternative, by_quorum, describe

__all__ = ["alternative", "describe", "view"]

WIDTH = 340.0
HEIGHT = 404.0
NODE = 18.0
# Where a message comes out from behind its node.
CLEAR = 25.0
GAP_MAX = 40.0
TALL, FLAT = 186.0, 122.0
RING = 118.0
# From so many nodes on, a side stands in a zigzag: on a ring their words would overlap.
ZIGZAG = 4

CHART_LEFT, CHART_RIGHT, CHART_TOP, ROW = 24.0, 330.0, 44.0, 25.0
WINDOW_MS, AHEAD_MS = 5_000, 500

ACROSS, SEAT_WIDTH, SEAT_HEIGHT, SEAT_PITCH = 6, 51.0, 40.0, 61.0


def color_of(name: str) -> int:
    """The number of a node's color."""
    return NAMES.index(name)


# --- The network ----------------------------------------------------------------------------------


def rows_of(groups: tuple[tuple[str, ...], ...]) -> list[list[tuple[str, ...]]]:
    """Which islands lie side by side: one or two rows, the largest of three by itself."""
    if len(groups) <= 2:
        return [[group] for group in groups]
    if len(groups) == 3:
        largest = max(groups, key=len)
        others = [group for group in groups if group is not largest]
        return [others, [largest]] if groups[0] is not largest else [[largest], others]
    half = len(groups) // 2
    return [list(groups[:half]), list(groups[half:])]


def islands_of(state: State) -> list[dict[str, Any]]:
    """The island of every side of the network: where it lies, and what is written on it."""
    rows = rows_of(sides(state))
    heights = [TALL if max(map(len, row)) > 2 else FLAT for row in rows]
    spare = HEIGHT - sum(heights)
    gap = min(GAP_MAX, spare) if len(rows) > 1 else 0.0
    more = (spare - gap) / len(rows)
    islands, top = [], 0.0
    for row, height in zip(rows, heights, strict=True):
        weights = [len(group) + 1 for group in row]
        room = WIDTH - 10 * (len(row) - 1)
        left = 0.0
        for group, weight in zip(row, weights, strict=True):
            width = room * weight / sum(weights)
            islands.append(island(state, group, (left, top, width, height + more)))
            left += width + 10
        top += height + more + gap
    return islands


def island(
    state: State, side: tuple[str, ...], box: tuple[float, float, float, float]
) -> dict[str, Any]:
    """One side of the network."""
    left, top, width, height = box
    able = can_decide(state, side)
    return {
        "id": side[0],
        "side": side,
        "x": left,
        "y": top,
        "width": width,
        "height": height,
        "caption": caption(state, side, width),
        "tone": ("able" if able else "unable") if by_quorum(state) else "plain",
    }


def caption(state: State, side: tuple[str, ...], width: float) -> str:
    """What is written on an island, as long as there is room for it."""
    if not by_quorum(state):
        lead = [member.name for member in leaders(state) if member.name in side]
        return f"led by {listed(lead)}" if lead else "no leader"
    nodes, up = len(state.members), len(up_on(state, side))
    count = f"{up} of {nodes}"
    if width < 140:
        return count
    if can_decide(state, side):
        return f"{count}: a majority"
    if width < 300:
        return f"{count}: no majority"
    return f"{count}: no majority, that takes {majority(nodes)}"


def seams_of(islands: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Where the network was cut: a line between rows, and one between neighbors in a row."""
    seams: list[dict[str, Any]] = []
    for a, b in pairwise(islands):
        if b["y"] > a["y"]:
            y = (a["y"] + a["height"] + b["y"]) / 2
            words = b["y"] - a["y"] - a["height"] > 20
            seams.append({"d": f"M0.0 {y:.1f}H{WIDTH:.1f}", "y": y, "words": words})
        else:
            x, low = b["x"] - 5, b["y"] + b["height"]
            seams.append({"d": f"M{x:.1f} {b['y']:.1f}V{low:.1f}", "y": low, "words": False})
    return seams


def places_of(islands: list[dict[str, Any]]) -> dict[str, Point]:
    """Node → the center of its disk."""
    places: dict[str, Point] = {}
    for land in islands:
        side = land["side"]
        middle_x = land["x"] + land["width"] / 2
        # Room for the caption above, and for the words below each disk.
        middle_y = land["y"] + land["height"] / 2 + 2
        if len(side) < 3 or (len(side) >= ZIGZAG and land["height"] < HEIGHT):
            step = min(120.0, (land["width"] - 12) / len(side))
            swing = 37.0 if len(side) > 2 else 0.0
            for i, name in enumerate(side):
                x = middle_x + (i - (len(side) - 1) / 2) * step
                places[name] = (x, middle_y + (swing if i % 2 else -swing))
        elif land["height"] < HEIGHT:
            for name, (x, y) in around(side, 0.0, 0.0, 1.0).items():
                places[name] = (middle_x + x * 118, middle_y + 12 + y * 48)
        else:
            places.update(around(side, middle_x, middle_y + 4, RING))
    return places


def links_of(state: State, places: dict[str, Point]) -> list[dict[str, Any]]:
    """A line for every two nodes; across a cut only its two ends are left."""
    links = []
    home = {name: side for side in sides(state) for name in side}
    for a, b in combinations(state.network.nodes, 2):
        start, end = places[a], places[b]
        if home[a] == home[b]:
            down = not (is_up(state.network, a) and is_up(state.network, b))
            parts = ((0.0, 0.5), (0.5, 1.0))
            kind = "down" if down else "whole"
        else:
            parts, kind = ((0.0, 0.3), (0.7, 1.0)), "cut"
        d = "".join(piece(start, end, part) for part in parts)
        links.append({"id": f"{a}{b}", "d": d, "kind": kind})
    return links


def piece(start: Point, end: Point, part: tuple[float, float]) -> str:
    """A part of the straight way between two nodes."""
    (x1, y1), (x2, y2) = (along(start, end, share, 0.0, NODE, NODE) for share in part)
    return f"M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}"


def node_of(state: State, member: Member, place: Point, now_ms: int) -> dict[str, Any]:
    """One node with its timer, its words, and the ballots that it has if it is a candidate."""
    up = is_up(state.network, member.name)
    asks = up and member.role == CANDIDATE
    needed = majority(len(state.members))
    ballots = [*member.votes, *[""] * needed][: max(needed, len(member.votes))] if asks else []
    return {
        "id": member.name,
        "x": place[0],
        "y": place[1],
        "color": color_of(member.name),
        "up": up,
        "crown": up and member.role == LEADER,
        "doubtful": doubtful(state, member),
        "role": role_words(state, member, up),
        "term": term_words(state, member),
        "timer": timer(member, now_ms) if up else "",
        "ballots": [
            {"name": name, "color": color_of(name) if name else 0, "x": slip_x(i, len(ballots))}
            for i, name in enumerate(ballots)
        ],
        "trial": member.trial,
    }


def slip_x(index: int, count: int) -> float:
    """Where a ballot lies in the row above its candidate."""
    return (index - (count - 1) / 2) * 17.0


def doubtful(state: State, member: Member) -> bool:
    """Whether a leader is one in its own eyes only: no majority can hear it, or has yet to."""
    if not by_quorum(state) or member.role != LEADER:
        return False
    side = next(side for side in sides(state) if member.name in side)
    return not member.accepts or not can_decide(state, side)


def role_words(state: State, member: Member, up: bool) -> str:
    """The word below a node."""
    if not up:
        return "down"
    if member.role == LEADER:
        return "leader?" if doubtful(state, member) else "leader"
    if member.role == CANDIDATE:
        return "asks around" if member.trial else "candidate"
    return f"follows {member.leader}" if member.leader else "no leader"


def term_words(state: State, member: Member) -> str:
    """The term below a node, with a question mark while it only asks."""
    if not by_quorum(state):
        return ""
    asks = member.role == CANDIDATE and member.trial
    return f"term {member.term + 1}?" if asks else f"term {member.term}"


def timer(member: Member, now_ms: int) -> str:
    """An arc that shrinks until the node loses patience."""
    if member.deadline_ms == OPEN:
        return ""
    whole = member.deadline_ms - member.waiting_since_ms
    if member.role == LEADER:
        whole = LEASE_MS
    left = (member.deadline_ms - now_ms) / max(1, whole)
    return arc(0.0, 0.0, NODE + 4.5, 0.0, max(0.002, min(1.0, left)))


def message_of(message: Message, places: dict[str, Point], now_ms: int) -> dict[str, Any]:
    """A message where it is now: a dot, or a slip of paper if it is about votes."""
    start, end = places[message.source], places[message.target]
    x, y = along(start, end, message.fraction(now_ms), 6.0, CLEAR, CLEAR)
    body = message.body
    kind, mark = "slip", "?"
    if isinstance(body, Heartbeat):
        kind, mark = "beat", ""
    elif isinstance(body, Confirm):
        kind, mark = "confirm", ""
    elif isinstance(body, Ballot):
        mark = "✓" if body.granted else "✗"
    return {
        "id": message.id,
        "x": x,
        "y": y,
        "kind": kind,
        "mark": mark,
        "color": color_of(message.source),
        "lost": bool(message.lost) and message.fraction(now_ms) >= 0.5,
    }


def network_picture(state: State, now_ms: int) -> dict[str, Any]:
    """The islands, the links, the nodes, and what is under way."""
    islands = islands_of(state)
    places = places_of(islands)
    return {
        "islands": islands,
        "seams": seams_of(islands),
        "links": links_of(state, places),
        "nodes": [node_of(state, m, places[m.name], now_ms) for m in state.members],
        "messages": [message_of(m, places, now_ms) for m in state.network.in_flight],
        "height": HEIGHT,
        "cut": bool(state.network.groups),
        "quorum": by_quorum(state),
    }


# --- Who led when ---------------------------------------------------------------------------------


def history_picture(state: State, now_ms: int) -> dict[str, Any]:
    """A row for each node, with a bar for every time that it called itself the leader."""
    start = max(0, now_ms + AHEAD_MS - WINDOW_MS)
    at = Scale(start, start + WINDOW_MS, CHART_LEFT, CHART_RIGHT)
    end = CHART_TOP + ROW * len(state.members)
    rows = {name: CHART_TOP + ROW * i for i, name in enumerate(state.network.nodes)}
    spans = [
        (clipped(at, from_ms, now_ms), clipped(at, until_ms, now_ms))
        for from_ms, until_ms in state.cuts
    ]
    return {
        "rows": [{"name": n, "y": y, "color": color_of(n)} for n, y in rows.items()],
        "bars": [
            bar
            for i, reign in enumerate(state.reigns)
            if (bar := bar_of(state, i, reign, at, rows, now_ms))
        ],
        "sales": sales_of(state, at, rows, start),
        "cuts": [{"x": x, "width": end_x - x} for x, end_x in spans if end_x - x > 0.5],
        "twice": [
            {"x": x, "width": width} for x, width in twice_led(state, at, now_ms) if width > 0.5
        ],
        "ticks": [
            {"x": at(second * 1000), "text": f"{second} s"}
            for second in range(-(-start // 1000), (start + WINDOW_MS) // 1000 + 1)
        ],
        "now": at(now_ms),
        "left": CHART_LEFT,
        "right": CHART_RIGHT,
        "top": CHART_TOP,
        "bottom": end,
        "height": end + 22,
        "row": ROW,
    }


def clipped(at: Scale, time_ms: int, now_ms: int) -> float:
    """Where a moment lies in the chart; what has not ended yet ends now."""
    return max(CHART_LEFT, at(now_ms if time_ms == OPEN else time_ms))


def bar_of(
    state: State, index: int, reign: Reign, at: Scale, rows: dict[str, float], now_ms: int
) -> dict[str, Any] | None:
    """The bar of one reign, or none if it is over and out of the window."""
    x, end = clipped(at, reign.from_ms, now_ms), clipped(at, reign.until_ms, now_ms)
    if end <= CHART_LEFT:
        return None
    words = f"term {reign.term}" if by_quorum(state) else "leads"
    return {
        "id": index,
        "x": x,
        "y": rows[reign.name],
        "width": max(1.5, end - x),
        "color": color_of(reign.name),
        "text": words if end - x > 46 else "",
    }


def twice_led(state: State, at: Scale, now_ms: int) -> list[tuple[float, float]]:
    """Where two nodes accepted bookings at once: (x, width); a quorum never lets that happen."""
    if by_quorum(state):
        return []
    spans = [(r.from_ms, now_ms if r.until_ms == OPEN else r.until_ms) for r in state.reigns]
    edges = sorted({time_ms for span in spans for time_ms in span})
    found: list[tuple[float, float]] = []
    for a, b in pairwise(edges):
        if sum(start <= a and b <= end for start, end in spans) < 2:
            continue
        x, width = clipped(at, a, now_ms), clipped(at, b, now_ms) - clipped(at, a, now_ms)
        if found and found[-1][0] + found[-1][1] >= x - 0.01:
            found[-1] = (found[-1][0], found[-1][1] + width)
        else:
            found.append((x, width))
    return found


def sales_of(
    state: State, at: Scale, rows: dict[str, float], start_ms: int
) -> list[dict[str, Any]]:
    """A dot for every booking on the bar of its seller: full if it was acknowledged."""
    return [
        {
            "id": number,
            "x": at(booking.asked_ms),
            "y": rows[booking.seller] + ROW - 7,
            "full": booking.acknowledged_ms != OPEN,
        }
        for number, booking in enumerate(state.bookings)
        if booking.asked_ms >= start_ms
    ]


# --- The seats ------------------------------------------------------------------------------------


def claim_of(state: State, number: int, booking: Booking, gone: tuple[int, ...]) -> dict[str, Any]:
    """One customer's claim to a seat: kept, lost, waiting, or never answered."""
    if number in gone:
        kind = "lost"
    elif booking.acknowledged_ms != OPEN:
        kind = "kept"
    else:
        kind = "waits" if waiting(state, number) else "unknown"
    return {"buyer": booking.buyer, "kind": kind, "color": color_of(booking.seller)}


def seats_picture(state: State) -> dict[str, Any]:
    """Every seat with whoever was promised it; more than two claims are counted."""
    gone = lost(state)
    seats = []
    for seat in range(1, SEATS + 1):
        row, column = divmod(seat - 1, ACROSS)
        claims = [
            claim_of(state, number, booking, gone)
            for number, booking in enumerate(state.bookings)
            if booking.seat == seat and (booking.acknowledged_ms != OPEN or holders(state, number))
        ]
        shown = claims[:2]
        if len(claims) > 2:
            shown[1] = {"buyer": f"+{len(claims) - 1}", "kind": "more", "color": 0}
        height = SEAT_HEIGHT / max(1, len(shown))
        for i, claim in enumerate(shown):
            claim.update(y=i * height, height=height)
        promised = sum(claim["kind"] in ("kept", "lost") for claim in claims)
        seats.append(
            {
                "seat": seat,
                "x": (WIDTH - ACROSS * SEAT_WIDTH) / (ACROSS - 1) * column + SEAT_WIDTH * column,
                "y": 42 + SEAT_PITCH * row,
                "claims": shown,
                "torn": promised > 1,
            }
        )
    return {
        "seats": seats,
        "width": SEAT_WIDTH,
        "height": SEAT_HEIGHT,
        "bottom": 42 + SEAT_PITCH * (SEATS // ACROSS) - 16,
    }


# --- Why four nodes survive no more than three ----------------------------------------------------


def majority_picture(state: State) -> dict[str, Any]:
    """A column for each size of a cluster: what a majority takes, and what may fail."""
    columns = []
    for nodes in range(1, len(NAMES) + 1):
        needed = majority(nodes)
        columns.append(
            {
                "nodes": nodes,
                "needed": needed,
                "spare": nodes - needed,
                "x": 96 + (nodes - 1) * 37.5,
                "squares": [{"y": 118 - 13 * i, "needed": i < needed} for i in range(nodes)],
                "current": nodes == len(state.members),
            }
        )
    return {"columns": columns}


def majority_words(state: State) -> str:
    """The lesson of that picture for the cluster on show."""
    nodes, needed = len(state.members), majority(len(state.members))
    words = (
        f"A majority is more than half of all nodes, up or not: {needed} of {nodes}. "
        f"So {nodes - needed} of {nodes} may fail"
    )
    if nodes % 2:
        return f"{words}. With one node more, a majority takes {needed + 1}, and no more may fail."
    half = nodes // 2
    return (
        f"{words}, no more than of {nodes - 1}. And cut in half, {half} and {half}, the cluster "
        f"stops on both sides: neither has {needed}."
    )


# --- Numbers --------------------------------------------------------------------------------------


def readouts(state: State) -> list[dict[str, str]]:
    """The numbers beside the picture."""
    lead = [member.name for member in leaders(state)]
    gone = lost(state)
    twice = sold_twice(state)
    silent = [
        n
        for n, b in enumerate(state.bookings)
        if b.acknowledged_ms == OPEN and not waiting(state, n)
    ]
    numbers = [
        ("Calls itself leader", listed(lead), f"of {len(state.members)} nodes"),
        ("Acknowledged", *many(len(acknowledged(state)), "booking").split()),
        ("Of these, lost", str(len(gone)), buyers_words(state, gone)),
        ("Sold twice", str(len(twice)), seats_words(twice)),
        ("Never answered", str(len(silent)), buyers_words(state, tuple(silent))),
        ("Turned away", *many(state.turned_away, "customer").split()),
    ]
    return [{"label": label, "value": value, "note": note} for label, value, note in numbers]


def seats_words(seats: tuple[int, ...]) -> str:
    if not seats:
        return "seats"
    return f"seat{'s' if len(seats) > 1 else ''} {listed(map(str, seats))}"


def buyers_words(state: State, numbers: tuple[int, ...]) -> str:
    names = [state.bookings[number].buyer for number in numbers]
    return listed(names) if names else "bookings"


def view(state: State, now_ms: int) -> dict[str, Any]:
    """Everything that the scene draws."""
    return {
        "network": network_picture(state, now_ms),
        "led": history_picture(state, now_ms),
        "hall": seats_picture(state),
        "majority": majority_picture(state),
        "lesson": majority_words(state),
        "readouts": readouts(state),
    }
