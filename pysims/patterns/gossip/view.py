"""How the gossip looks: plain numbers and words for `scene.svg.jinja`.

Three pictures: the nodes in a circle with what they tell each other, how many know the newest
write in each round, and what became of every write.
"""

from __future__ import annotations

from typing import Any

from ...kernel import Message, is_up
from ...phrases import many
from ...shapes import Point, Scale, along, around, on_circle, polyline, ticks
from .model import (
    NAMES,
    Entry,
    Heard,
    Newer,
    Pull,
    Push,
    Replica,
    Rumor,
    State,
    Written,
    knowing,
    missing,
    names_up,
    value_of,
)
from .promises import lasts
from .words import alternative, describe, side_text

__all__ = ["alternative", "describe", "view"]

CENTER: Point = (170.0, 174.0)
RADIUS, LETTER, SEAM = 128.0, 153.0, 160.0
NODE, CLEAR = 13.5, 16.0
COLORS = 8

LEFT, RIGHT, TOP, BOTTOM = 30.0, 328.0, 44.0, 150.0
ROUNDS_MIN = 12
WRITES_MAX = 4


def color_of(entry: Entry | None) -> int:
    """The number of a version's color."""
    return entry.number % COLORS if entry else 0


# --- The nodes ------------------------------------------------------------------------------------


def node_of(state: State, replica: Replica, places: dict[str, Point]) -> dict[str, Any]:
    """One node: what it has, whether it is up, and whether it has news to tell."""
    x, y = places[replica.name]
    turn = state.network.nodes.index(replica.name) / len(state.replicas)
    letter = on_circle(CENTER, LETTER, turn)
    entry = replica.entry
    kind = "none" if entry is None else "dead" if entry.dead else "has"
    return {
        "id": replica.name,
        "x": x,
        "y": y,
        "letter_x": letter[0],
        "letter_y": letter[1],
        "kind": kind,
        "number": entry.number + 1 if entry else "",
        "color": color_of(entry),
        "up": is_up(state.network, replica.name),
        "telling": replica.hot and state.params.strategy == "rumor",
        "back": entry is not None and entry.stamp < replica.highest,
    }


def message_of(message: Message, places: dict[str, Point], now_ms: int) -> dict[str, Any]:
    """A message where it is now: full if it carries the item, else a ring or a tick."""
    start, end = places[message.source], places[message.target]
    x, y = along(start, end, message.fraction(now_ms), 3.0, CLEAR, CLEAR)
    x1, y1 = along(start, end, 0.0, 3.0, CLEAR, CLEAR)
    body = message.body
    entry = body.entry if isinstance(body, (Push, Newer, Rumor)) else None
    if isinstance(body, Heard):
        kind = "heard"
    elif isinstance(body, Pull) or entry is None:
        kind = "ask"
    else:
        kind = "dead" if entry.dead else "item"
    return {
        "id": message.id,
        "x": x,
        "y": y,
        "trail": f"M{x1:.1f} {y1:.1f}L{x:.1f} {y:.1f}",
        "kind": kind,
        "color": color_of(entry),
        "lost": bool(message.lost) and message.fraction(now_ms) >= 0.5,
    }


def seam_of(state: State) -> dict[str, Any] | None:
    """The line of a cut: between the last of the first nodes and its neighbor, and before A."""
    if not state.network.groups:
        return None
    count, first = len(state.replicas), len(state.network.groups[0])
    (x1, y1), (x2, y2) = (on_circle(CENTER, SEAM, (index - 0.5) / count) for index in (0, first))
    return {"d": f"M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}"}


def network_picture(state: State, now_ms: int) -> dict[str, Any]:
    """The nodes in a circle, and what is under way."""
    places = around(state.network.nodes, *CENTER, RADIUS)
    return {
        "nodes": [node_of(state, replica, places) for replica in state.replicas],
        "messages": [message_of(m, places, now_ms) for m in state.network.in_flight],
        "seam": seam_of(state),
        "cut": f", cut between {side_text(state, 0)} and {side_text(state, 1)}"
        if state.network.groups
        else "",
    }


# --- How many know --------------------------------------------------------------------------------


def curve_picture(state: State) -> dict[str, Any]:
    """How many nodes knew the newest write when each round since began."""
    count = len(state.replicas)
    last = max(ROUNDS_MIN, len(state.told))
    across, up = Scale(0, last, LEFT, RIGHT), Scale(0, count, BOTTOM, TOP)
    points = [(across(index), up(told)) for index, told in enumerate(state.told)]
    if state.writes:
        points.append((across(len(state.told)), up(len(knowing(state)))))
    return {
        "left": LEFT,
        "right": RIGHT,
        "top": TOP,
        "bottom": BOTTOM,
        "xs": [(across(value), f"{value:g}") for value in ticks(0, last, 6)],
        "ys": [(up(value), f"{value:g}") for value in ticks(0, count, 4)],
        "all": up(count),
        "line": polyline(points) if points else "",
        "dots": [{"x": x, "y": y} for x, y in points],
        "color": color_of(state.writes[-1].entry) if state.writes else 0,
    }


# --- What became of the writes --------------------------------------------------------------------


def write_of(state: State, write: Written) -> dict[str, Any]:
    """A write in the list: who wrote, which timestamp it got, and where it is now."""
    entry = write.entry
    holders = sum(replica.entry == entry for replica in state.replicas)
    if not lasts(write):
        fate, tone = "lost at once: older by its timestamp", "bad"
    elif entry.dead and not state.params.keep_rounds:
        fate, tone = "no certificate: nobody will know", "bad"
    elif holders:
        fate, tone = f"at {many(holders, 'node')}", ""
    else:
        fate, tone = "nowhere any more", ""
    return {
        "number": entry.number + 1,
        "dead": entry.dead,
        "color": color_of(entry),
        "writer": write.writer,
        "at_ms": write.at_ms,
        "stamp_ms": entry.stamp[0],
        "fate": fate,
        "tone": tone,
    }


def writes_picture(state: State) -> dict[str, Any]:
    """The newest writes, the oldest of them first."""
    return {
        "hidden": max(0, len(state.writes) - WRITES_MAX),
        "rows": [write_of(state, write) for write in state.writes[-WRITES_MAX:]],
    }


# --- The numbers beside it ------------------------------------------------------------------------


def rounds_text(state: State) -> str:
    """How many rounds the newest write took, or has taken so far."""
    if not state.writes:
        return "–"
    if state.reached_ms < 0:
        return f"{len(state.told)}+"
    took_ms = state.reached_ms - state.writes[-1].at_ms
    return f"{took_ms / state.params.interval_ms:.1f}"


def readouts_of(state: State) -> list[dict[str, str]]:
    """The numbers beside the picture."""
    up = names_up(state)
    told = len(up) - len(missing(state))
    values = {value_of(replica) for replica in state.replicas if replica.name in up}
    count = len(state.replicas)
    numbers = [
        ("Know the newest write", f"{told}", f"of {many(len(up), 'node')} up"),
        ("Until all knew", rounds_text(state), "rounds"),
        ("Clients read", f"{len(values)}", "values" if len(values) > 1 else "value, everywhere"),
        ("Messages with the item", f"{state.updates:,}", f"{state.updates / count:.1f} per node"),
        ("Messages in all", f"{state.messages:,}", f"{state.messages / count:.1f} per node"),
    ]
    return [{"label": label, "value": value, "note": note} for label, value, note in numbers]


def view(state: State, now_ms: int) -> dict[str, Any]:
    """The scene as plain numbers and words."""
    return {
        "network": network_picture(state, now_ms),
        "curve": curve_picture(state),
        "writes": writes_picture(state),
        "rumor": state.params.strategy == "rumor",
        "last_letter": NAMES[len(state.replicas) - 1],
        "readouts": readouts_of(state),
    }
