"""How the store looks: plain numbers and words for `scene.svg.jinja`.

On the left, one request: where the replicas stand, the messages between them, a lane for every
answer, and below it the newest requests. On the right, all requests: what every R and W costs and
buys, the latencies, and stale reads by the time since the write.
"""

from __future__ import annotations

from collections.abc import Callable
from math import log
from typing import Any

from ...kernel import Message, connected
from ...phrases import listed
from ...shapes import Point, Scale, along, around, polyline, ticks
from .distances import Line, floor_ms
from .measure import AGE_TOPS_MS, interval, middle, quantile
from .model import (
    KEPT,
    NAMES,
    Ask,
    Reply,
    Request,
    State,
    Store,
    acknowledged_version,
    consistent_quorum,
    floor_of,
    latency_ms,
    overlapping,
)
from .words import (
    VERBS,
    describe,
    in_short,
    light_needs,
    of_total,
    price,
    promise,
    readouts,
    rtt,
    stale_reads,
    title_of,
    verdict,
    within,
)

__all__ = ["alternative", "describe", "view"]

CENTER_X = 170.0
NODE_RADIUS = 17.0
# For so many replicas: the turn at which the first sits, how far all are from the center, the
# center's y, and the height of the picture.
SEATS = {
    1: (0.0, 0.0, 40.0, 80.0),
    2: (-0.25, 58.0, 40.0, 80.0),
    3: (0.0, 74.0, 96.0, 168.0),
    4: (-0.125, 78.0, 80.0, 160.0),
    5: (0.0, 76.0, 96.0, 186.0),
}
LANE_LEFT, LANE_RIGHT, LANE_STEP = 30.0, 250.0, 22.0
HEAD = 52.0
# How long a request stays on show when its client has an answer, or has given up.
LINGER_MS = 10
# Lanes end at so many times the client's waiting; what came later has its time written.
LANES_MAX = 3
# Rows of the list below the lanes of one request, and below those of two.
ROWS = (6, 3)
# The chart of latencies is logarithmic and has its labels at these times.
SHORTEST_MS = 2.0
DECADES_MS = (2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 3_000)
CHART = {"left": 44.0, "right": 324.0, "top": 20.0, "bottom": 150.0}

# --- Which request is shown -----------------------------------------------------------------------


def focus(state: State, now_ms: int) -> tuple[Request, ...]:
    """The reader's last two requests while they are new; else the oldest that is worth a look.

    That is one that a client waits for, or has just stopped waiting for.
    """
    mine = [r for r in state.requests if r.by_reader and r.id >= state.next_request - KEPT]
    if mine:
        return tuple(mine[-2:])
    for request in state.requests:
        waiting = request.done_ms < 0 and not request.failed
        if waiting or now_ms - request.invoked_ms - latency_ms(request) <= LINGER_MS:
            return (request,)
    return state.requests[-1:]


# --- The map --------------------------------------------------------------------------------------


def seats(state: State) -> dict[str, Point]:
    """Where each replica sits."""
    names = state.network.nodes
    first, radius, y, _ = SEATS[len(names)]
    return around(names, CENTER_X, y, radius, first)


def map_of(state: State, now_ms: int, shown: tuple[Request, ...]) -> dict[str, Any]:
    """The replicas, the links and what is under way."""
    at = seats(state)
    newest = acknowledged_version(state)
    sites = [request.site for request in shown]
    nodes = []
    for replica in state.replicas:
        x, y = at[replica.name]
        right = x >= CENTER_X - 1
        # Messages to and from the replica at the top would run into words beside it.
        lift = 9.0 if abs(x - CENTER_X) < 1 and len(at) > 2 else 0.0
        nodes.append(
            {
                "name": replica.name,
                "color": NAMES.index(replica.name),
                "x": x,
                "y": y,
                "right": right,
                "text_x": x + (26 if right else -26),
                "text_y": y - lift,
                "place": replica.place,
                "version": f"v{replica.version}",
                "behind": replica.version < newest,
                "ring": replica.name in sites,
                "away": replica.name in state.away,
            }
        )
    flying = [m for m in state.network.in_flight if m.source != m.target]
    numbers = [request.id for request in shown]
    return {
        "height": SEATS[len(nodes)][3],
        "nodes": nodes,
        "lines": [line_of(state, line, at, sites) for line in state.lines],
        "dots": [dot_of(m, at, now_ms) for m in flying if m.body.request not in numbers],
        "messages": [message_of(m, at, now_ms) for m in flying if m.body.request in numbers],
    }


def line_of(state: State, line: Line, at: dict[str, Point], sites: list[str]) -> dict[str, Any]:
    """A link, with its round trip where there is room for the words."""
    a, b = at[line.a], at[line.b]
    named = len(state.lines) <= 3 or (
        len(state.lines) <= 6 and (line.a in sites or line.b in sites)
    )
    x, y = along(a, b, 0.5)
    anchor = "middle"
    if len(state.lines) == 3:
        # Outside of the triangle no message crosses the words.
        x, y = x + (x - CENTER_X) * 0.75, y + (y - SEATS[3][2]) * 0.5
        anchor = "middle" if abs(x - CENTER_X) < 1 else "start" if x > CENTER_X else "end"
    return {
        "name": line.a + line.b,
        "a": along(a, b, 0.0, start=NODE_RADIUS),
        "b": along(b, a, 0.0, start=NODE_RADIUS),
        "x": x,
        "y": y if len(state.lines) == 3 else y - 8,
        "anchor": anchor,
        "cut": not connected(state.network, line.a, line.b),
        "label": rtt(line.round_trip_ms) if named else "",
    }


def spot(message: Message, at: dict[str, Point], now_ms: int) -> Point:
    """Where a message is now, to the right of its link."""
    return along(
        at[message.source],
        at[message.target],
        message.fraction(now_ms),
        aside=6,
        start=NODE_RADIUS,
        end=NODE_RADIUS,
    )


def dot_of(message: Message, at: dict[str, Point], now_ms: int) -> dict[str, Any]:
    x, y = spot(message, at, now_ms)
    return {"id": message.id, "x": x, "y": y, "lost": bool(message.lost)}


def message_of(message: Message, at: dict[str, Point], now_ms: int) -> dict[str, Any]:
    # Close to a replica the label would lie on the replica's own words.
    between = 0.2 < message.fraction(now_ms) < 0.7
    return {
        **dot_of(message, at, now_ms),
        "label": carried(message.body) if between else "",
        "color": NAMES.index(message.source),
    }


def carried(body: Store | Ask | Reply) -> str:
    return "?" if isinstance(body, Ask) else f"v{body.version}"


# --- The lanes ------------------------------------------------------------------------------------


def lanes_of(state: State, shown: tuple[Request, ...], now_ms: int) -> dict[str, Any]:
    """For each request on show, a lane for every replica: out, its part, and back.

    Before the first request, as much room as one takes.
    """
    longest = max([5, *(span_ms(request, now_ms) for request in shown)])
    scale = Scale(0, longest * 1.04, LANE_LEFT, LANE_RIGHT)
    blocks, top = [], 0.0
    for request in shown:
        block = block_of(state, request, now_ms, scale, top)
        blocks.append(block)
        top = block["bottom"] + 14
    if not shown:
        top = block_height(len(state.replicas)) + 14
    return {
        "blocks": blocks,
        "ticks": [(scale(value), f"{value:g}") for value in ticks(0, longest, 5)],
        "floor": top - 8,
        "height": top + 26,
    }


def span_ms(request: Request, now_ms: int) -> int:
    """How long the lanes of a request are; far beyond the client's waiting they are not drawn."""
    if request.failed:
        return latency_ms(request)
    came = [answer.came_ms for answer in request.answers]
    if not request.over:
        came.append(min(now_ms, request.deadline_ms))
    span = max([request.invoked_ms, *came]) - request.invoked_ms
    return min(span, LANES_MAX * latency_ms(request)) if request.done_ms >= 0 else span


def block_height(count: int) -> float:
    """How high two lines of words and so many lanes are."""
    return HEAD + LANE_STEP * (count - 1) + 12


def block_of(
    state: State, request: Request, now_ms: int, scale: Scale, top: float
) -> dict[str, Any]:
    first = top + HEAD
    count = len(state.replicas)
    mark, words = verdict(state, request)
    ended = request.done_ms >= 0 or request.failed
    took = f"{latency_ms(request)} ms: " if ended else ""
    value = f"v{request.result}, " if request.result >= 0 else ""
    return {
        "id": request.id,
        "y": top,
        "title": f"{title_of(request)}: waits for {request.needed} of {count}{price(request)}",
        "mark": mark,
        "words": f"{took}{value}{words}",
        "lanes": [
            lane_of(state, request, name, now_ms, scale, first + LANE_STEP * i)
            for i, name in enumerate(state.network.nodes)
        ],
        "done": scale(latency_ms(request)) if ended else None,
        "top": first - 12,
        "bottom": top + block_height(count),
    }


def lane_of(
    state: State, request: Request, name: str, now_ms: int, scale: Scale, y: float
) -> dict[str, Any]:
    """The way to one replica and back, as far as it has come."""
    lane: dict[str, Any] = {
        "name": name,
        "color": NAMES.index(name),
        "y": y,
        "from": scale(0),
        "handled": None,
        "to": scale(0),
        "text": "",
        "late": False,
        "old": False,
        "lost": False,
    }
    for rank, answer in enumerate(request.answers):
        if answer.replica == name:
            came_ms = answer.came_ms - request.invoked_ms
            beyond = came_ms > scale.high
            text = "ok" if request.kind == "write" else f"v{answer.version}"
            return {
                **lane,
                "handled": None if beyond else scale(answer.handled_ms - request.invoked_ms),
                "to": scale(min(came_ms, scale.high)),
                "text": f"→ {came_ms} ms" if beyond else text,
                "late": rank >= request.needed,
                "old": request.kind != "write" and answer.version < floor_of(state, request),
            }
    return {**lane, **under_way(state, request, name, now_ms, scale)}


def under_way(
    state: State, request: Request, name: str, now_ms: int, scale: Scale
) -> dict[str, Any]:
    """A lane whose answer has not come."""
    now = scale(min(min(now_ms, request.deadline_ms) - request.invoked_ms, scale.high))
    for message in state.network.in_flight:
        if message.body.request != request.id or name not in (message.source, message.target):
            continue
        reply = isinstance(message.body, Reply)
        if (message.source if reply else message.target) == name:
            if message.lost:
                there = (message.sent_ms + message.due_ms) // 2
                x = scale(max(0, min(now_ms, there) - request.invoked_ms))
                word = "cut" if message.lost == "cut" else "lost"
                return {"to": min(x, LANE_RIGHT), "lost": True, "text": word}
            return {
                "handled": scale(message.sent_ms - request.invoked_ms) if reply else None,
                "to": max(scale(0), now),
                "text": "…",
            }
    return {"to": max(scale(0), now), "lost": True, "text": "no answer"}


def recent_of(state: State, count: int) -> list[dict[str, Any]]:
    """The newest requests in words, the last one first; the last that failed is never left out."""
    newest = list(state.requests[: -count - 1 : -1])
    failed = [request for request in state.requests if request.failed][-1:]
    if failed and failed[0] not in newest:
        newest[-1] = failed[0]
    rows = []
    for request in newest:
        mark, _ = verdict(state, request)
        took = f"{latency_ms(request)} ms" if request.done_ms >= 0 or request.failed else "…"
        rows.append(
            {
                "id": request.id,
                "what": f"{VERBS[request.kind].removesuffix(' read')} at {request.site}",
                "mine": request.by_reader,
                "took": took,
                "mark": mark,
                "words": in_short(state, request),
            }
        )
    return rows


# --- What every R and W costs and buys ------------------------------------------------------------


def trade_of(state: State) -> dict[str, Any]:
    """A row for every R, a column for every W, latencies, and the stale share of each pair."""
    params, tally = state.params, state.tally
    heads = [
        {
            "w": w,
            "ms": within(state, tally.write_ms[w - 1], tally.unwritten[w - 1], 0.5),
            "chosen": w == params.write_quorum,
        }
        for w in range(1, params.replicas + 1)
    ]
    rows = []
    for r in range(1, params.replicas + 1):
        reads = sum(tally.read_ms[r - 1])
        cells = [
            {
                "text": of_total(stale, reads),
                "safe": r + w > params.replicas,
                "level": level(stale, reads),
                "chosen": r == params.read_quorum and w == params.write_quorum,
                "says": f"{stale} of {reads} reads stale",
            }
            for w, stale in enumerate(tally.stale[r - 1], 1)
        ]
        rows.append(
            {
                "r": r,
                "ms": within(state, tally.read_ms[r - 1], tally.unread[r - 1], 0.5),
                "chosen": r == params.read_quorum,
                "cells": cells,
            }
        )
    return {"heads": heads, "rows": rows}


def level(stale: int, reads: int) -> int:
    """How strongly a cell is shaded, 0 to 4."""
    share = stale / reads if reads else 0.0
    return sum(share > limit for limit in (0.0, 0.02, 0.06, 0.15))


# --- Latencies ------------------------------------------------------------------------------------


def series_of(state: State) -> list[dict[str, Any]]:
    """The lines of the latency chart: this run's reads and writes, and DynamoDB's two reads."""
    params, tally = state.params, state.tally
    chosen, consistent = params.read_quorum, consistent_quorum(params)
    wanted = [(chosen, "read", f"read, R = {chosen}")]
    if chosen != 1:
        wanted.append((1, "one", "eventual, 1 answer"))
    if consistent not in (1, chosen):
        wanted.append((consistent, "strong", f"consistent, {consistent} answers"))
    found: list[dict[str, Any]] = [
        {
            "kind": kind,
            "label": label,
            "counts": tally.read_ms[r - 1],
            "missed": tally.unread[r - 1],
        }
        for r, kind, label in wanted
    ]
    w = params.write_quorum
    found.insert(
        1,
        {
            "kind": "write",
            "label": f"write, W = {w}",
            "counts": tally.write_ms[w - 1],
            "missed": tally.unwritten[w - 1],
        },
    )
    return found


def latencies_of(state: State) -> dict[str, Any]:
    """How many of the requests were done within which time."""
    series = series_of(state)
    tails = [quantile(each["counts"], 0.99) or 0.0 for each in series]
    longest = next((top for top in DECADES_MS if top > max([10.0, *tails])), DECADES_MS[-1])
    linear = Scale(log(SHORTEST_MS), log(longest), CHART["left"], CHART["right"])

    def x(value_ms: float) -> float:
        return linear(log(max(value_ms, SHORTEST_MS)))

    y = Scale(0, 1, CHART["bottom"], CHART["top"])
    return {
        **CHART,
        "lines": [line_of_series(state, each, x, y, longest) for each in series],
        "xs": [(x(value), f"{value:g}") for value in DECADES_MS if value <= longest],
        "ys": [(y(share), f"{100 * share:.0f} %") for share in (0, 0.5, 1)],
    }


def line_of_series(
    state: State, series: dict[str, Any], x: Callable[[float], float], y: Scale, longest: float
) -> dict[str, Any]:
    """A cumulative line, a step for every latency that was met, and its p50 and p99.

    Requests that missed the deadline keep it below 100 %, and count in both.
    """
    counts, missed = series["counts"], series["missed"]
    total = sum(counts) + missed
    points, seen = [(x(0), y(0))], 0
    for index, count in enumerate(counts):
        if middle(index) > longest:
            break
        if count:
            at = x(middle(index))
            points += [(at, y(seen / total)), (at, y((seen + count) / total))]
            seen += count
    if total:
        points.append((x(longest), y(seen / total)))
    marks = []
    for share in (0.5, 0.99):
        value = quantile(counts, share, missed)
        if value is not None and value <= longest:
            marks.append({"x": x(value), "y": y(share)})
    return {
        "kind": series["kind"],
        "label": series["label"],
        "d": polyline(points),
        "marks": marks,
        "p50": within(state, counts, missed, 0.5),
        "p99": within(state, counts, missed, 0.99),
        "count": total,
    }


# --- Stale reads by time since the write ----------------------------------------------------------


def ages_of(state: State) -> dict[str, Any]:
    """The share of stale reads, with its error, by the time since the acknowledged write."""
    tally = state.tally
    pairs = tuple(zip(tally.ages_stale, tally.ages, strict=True))
    shares = [stale / reads for stale, reads in pairs if reads]
    highs = [interval(stale, reads)[1] for stale, reads in pairs if reads > 7]
    wanted = max([0.0, *shares, *highs])
    roof = next(limit for limit in (0.1, 0.2, 0.5, 1.0) if wanted <= limit)
    y = Scale(0, roof, CHART["bottom"], CHART["top"])
    step = (CHART["right"] - CHART["left"]) / len(pairs)
    bars = []
    for index, (stale, reads) in enumerate(pairs):
        low, high = interval(stale, reads)
        bars.append(
            {
                "index": index,
                "x": CHART["left"] + step * index + step * 0.16,
                "width": step * 0.68,
                "middle": CHART["left"] + step * (index + 0.5),
                "y": y(stale / reads if reads else 0.0),
                "low": y(low),
                "high": y(min(high, roof)),
                "reads": reads,
                "label": age_label(index),
                "says": f"{stale} of {reads} stale",
            }
        )
    return {
        **CHART,
        "bars": bars,
        "ys": [(y(share), f"{100 * share:.0f} %") for share in (0, roof / 2, roof)],
        "summary": summary(state),
    }


def age_label(index: int) -> str:
    """The times that a bar stands for, in ms."""
    if index == len(AGE_TOPS_MS):
        return f"from {AGE_TOPS_MS[-1]}"
    return f"under {AGE_TOPS_MS[index]}"


def summary(state: State) -> str:
    stale, reads = stale_reads(state)
    if not reads:
        return "nothing measured yet"
    return f"{stale} of {reads} reads stale ({of_total(stale, reads)})"


# --- The whole ------------------------------------------------------------------------------------


def alternative(state: State, now_ms: int) -> str:
    """What a sighted reader sees, as text."""
    held = ", ".join(f"{each.name} ({each.place}) v{each.version}" for each in state.replicas)
    links = ", ".join(
        f"{line.a}–{line.b} {rtt(line.round_trip_ms)} (light in fiber: {floor_ms(line.km):.2g} ms)"
        for line in state.lines
    )
    numbers = [f"{each['label']} {each['value']} ({each['note']})" for each in readouts(state)]
    text = f"{promise(state)} The replicas hold: {held}. "
    if links:
        text += f"Round trips: {links}. "
    if state.away:
        text += f"Cut away: {listed(state.away)}. "
    text += f"Measured: {'; '.join(numbers)}. Stale reads for every R and W: "
    pairs = [
        f"R {row['r']} ({row['ms']}), W {head['w']} ({head['ms']}): {cell['text']}"
        for row in trade_of(state)["rows"]
        for head, cell in zip(trade_of(state)["heads"], row["cells"], strict=True)
    ]
    last = [f"{row['what']}, {row['took']}, {row['words']}" for row in recent_of(state, ROWS[1])]
    text += f"{'; '.join(pairs)}."
    if last:
        text += f" The newest requests: {'; '.join(last)}."
    return text


def view(state: State, now_ms: int) -> dict[str, Any]:
    """Everything that the scene draws."""
    shown = focus(state, now_ms)
    return {
        "map": map_of(state, now_ms, shown),
        "lanes": lanes_of(state, shown, now_ms),
        "recent": recent_of(state, ROWS[len(shown) > 1]),
        "rows": ROWS[len(shown) > 1],
        "trade": trade_of(state),
        "latencies": latencies_of(state),
        "ages": ages_of(state),
        "promise": promise(state),
        "light": light_needs(state),
        "overlapping": overlapping(state.params),
        "readouts": readouts(state),
    }
