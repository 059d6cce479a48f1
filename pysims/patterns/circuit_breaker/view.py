"""What the scene draws of a state, as plain numbers and words.

The diagram of the breaker's states is laid out from its table of transitions: a box for each state
with the events that leave it there, and an arrow for each row that leads to another state.
"""

from __future__ import annotations

from typing import Any

from ...phrases import many, percent
from ...shapes import Point, Scale, along, polyline
from .measure import BIN_MS, FAULT, OK, REFUSED, TIMEOUT, TURNED_AWAY, Peaks
from .model import (
    CLOSED,
    CONSECUTIVE,
    HALF_OPEN,
    OPEN,
    ROLLING,
    STATES,
    TRANSITIONS,
    Change,
    CircuitBreaker,
    Params,
    RollingWindowBreaker,
    Row,
    State,
    health_of,
)
from .words import (
    STATE_MEANS,
    STATE_NAMES,
    breaker_says,
    departed,
    readouts,
    seconds,
)

# --- The way of a call ----------------------------------------------------------------------------

CELL, CELL_GAP = 14.0, 3.0
WEBSITE_X, SERVICE_X, BOX_Y = 50.0, 226.0, 24.0
WEBSITE_WIDTH, SERVICE_WIDTH, BOX_HEIGHT = 98.0, 114.0, 112.0
DOT, DOTS_HIGH = 11.0, 10


def grid(count: int, across: int, x: float, y: float, width: float) -> list[Point]:
    """Places for so many cells in rows, the rows in the middle of a box of this width."""
    step = CELL + CELL_GAP
    left = x + (width - min(count, across) * step + CELL_GAP) / 2
    return [(left + i % across * step, y + i // across * step) for i in range(count)]


def website_cells(state: State) -> list[dict[str, Any]]:
    """The threads of the website; one with a call in flight waits for somebody else."""
    held = len(state.website.busy)
    places = grid(state.website.threads, 5, WEBSITE_X, BOX_Y + 32, WEBSITE_WIDTH)
    return [
        {"x": x, "y": y, "kind": "held" if i < held else "idle"} for i, (x, y) in enumerate(places)
    ]


def service_cells(state: State) -> list[dict[str, Any]]:
    """The threads of the service; one that hangs does no work."""
    pool = state.service.pool
    kinds = ["held" if job.body else "busy" for job in pool.busy]
    kinds += ["idle"] * (pool.threads - len(kinds))
    places = grid(pool.threads, 6, SERVICE_X, BOX_Y + 32, SERVICE_WIDTH)
    return [{"x": x, "y": y, "kind": kind} for (x, y), kind in zip(places, kinds, strict=True)]


def queue_dots(state: State) -> list[dict[str, Any]]:
    """The users who wait for a thread, the first one next to the website."""
    return [
        {
            "x": WEBSITE_X - 16 - i // DOTS_HIGH * (DOT + 1),
            "y": BOX_Y + i % DOTS_HIGH * (DOT + 0.4),
            "kind": "waiting",
        }
        for i in range(len(state.website.waiting))
    ]


def lever(state: State) -> tuple[Point, Point]:
    """The arm of the switch: flat when closed, half up when half-open."""
    hinge = (166.0, 80.0)
    if state.breaker is None or state.breaker.state == CLOSED:
        return hinge, (208.0, 80.0)
    return hinge, (199.0, 54.0) if state.breaker.state == OPEN else (205.0, 67.0)


def system(state: State, now_ms: int) -> dict[str, Any]:
    """Users, website, breaker and service."""
    name, waits = breaker_says(state, now_ms)
    service = state.service
    health = health_of(service)
    waiting = len(service.pool.waiting)
    says, got = departed(state)
    return {
        "threads": website_cells(state),
        "work": service_cells(state),
        "queue": queue_dots(state),
        "waiting": len(state.website.waiting),
        "held": f"{len(state.website.busy)} of {state.website.threads} held",
        "at_work": f"{waiting} more in line" if waiting else "",
        "lever": lever(state),
        "kind": "none" if state.breaker is None else state.breaker.state,
        "name": name,
        "waits": waits,
        "health": ("✓ " if health == "healthy" else "✕ ") + health,
        "ill": health != "healthy",
        "down": service.down,
        "says": says,
        "got": got,
    }


# --- The diagram, from the table ------------------------------------------------------------------

CENTERS: dict[str, Point] = {CLOSED: (62, 0), OPEN: (278, 0), HALF_OPEN: (170, 146)}
BOX_WIDTH, HEAD, LINE = 122.0, 40.0, 16.0
ASIDE, LABEL_AWAY, HEAD_LENGTH = 11.0, 13.0, 8.0


def event_words(event: str, params: Params) -> tuple[str, ...]:
    """An event of the table in words, in lines short enough for the diagram."""
    if event == "too_many_failures":
        if params.breaker == ROLLING:
            return f"{params.failure_share} % of {params.minimum_calls}+", "calls fail"
        return many(params.failure_threshold, "failure"), "in a row"
    probes = params.success_threshold
    return {
        "success": ("call succeeds",),
        "failure": ("call fails",),
        "late_report": ("late report",),
        "call_refused": ("call refused",),
        "reset_timeout_over": (f"{seconds(params.reset_timeout_ms)} over,", "a call comes"),
        "probe_sent": ("probe sent",),
        "probe_succeeded": ("probe succeeds",),
        "probe_failed": ("a probe", "fails"),
        "all_probes_succeeded": ("the probe" if probes == 1 else f"{probes} probes", "succeeded"),
    }[event]


def boxes(state: State) -> list[dict[str, Any]]:
    """A box for each state, with the rows of the table that lead back to it."""
    breaker, drawn = state.breaker, []
    for name in STATES:
        stays = [row for row, to in TRANSITIONS.items() if row[0] == name and to == name]
        x, y = CENTERS[name]
        drawn.append(
            {
                "state": name,
                "name": STATE_NAMES[name],
                "means": STATE_MEANS[name],
                "x": x - BOX_WIDTH / 2,
                "y": y,
                "width": BOX_WIDTH,
                "height": HEAD + LINE * len(stays) + 5,
                "lit": breaker is not None and breaker.state == name,
                "stays": [
                    {
                        "words": " ".join(event_words(row[1], state.params)),
                        "y": y + HEAD + LINE * (i + 0.75),
                        "event": row[1],
                        "lit": breaker is not None and breaker.row == row,
                    }
                    for i, row in enumerate(stays)
                ],
            }
        )
    return drawn


def arrows(state: State, around: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """An arrow for each row of the table that leads to another state."""
    last = state.changes[-1].row if state.breaker is not None else None
    return [
        arrow(row, to, around, event_words(row[1], state.params), row == last)
        for row, to in TRANSITIONS.items()
        if row[0] != to
    ]


def arrow(
    row: Row, to: str, around: dict[str, dict[str, Any]], words: tuple[str, ...], lit: bool
) -> dict[str, Any]:
    """The way between two boxes, beside the way back if there is one, and its words."""
    a, b = (middle(around[name]) for name in (row[0], to))
    both = any(end == row[0] and start[0] == to for start, end in TRANSITIONS.items())
    aside = -ASIDE if both else 0.0
    inside = [
        t
        for t in (i / 200 for i in range(201))
        if outside(along(a, b, t, aside), around, row[0], to)
    ]
    start, end = along(a, b, inside[0], aside), along(a, b, inside[-1], aside)
    dx, dy = along((0, 0), (b[0] - a[0], b[1] - a[1]), 1.0, 0.0)
    length = (dx * dx + dy * dy) ** 0.5
    ux, uy = dx / length, dy / length
    wings = [
        (end[0] - ux * HEAD_LENGTH + side * uy * 5, end[1] - uy * HEAD_LENGTH - side * ux * 5)
        for side in (1, -1)
    ]
    # The words stand on the side away from the way back: to the left of the way.
    flat = abs(ux) > 0.9
    x, y = along(start, end, 0.5, 0.0 if flat else -LABEL_AWAY)
    return {
        "event": row[1],
        "start": start,
        "end": end,
        "wings": wings,
        "lit": lit,
        "anchor": "middle" if flat else "start" if uy > 0 else "end",
        "lines": [
            {"words": line, "x": x, "y": (y - 8 if i == 0 else y + 19) if flat else y + 3 + 15 * i}
            for i, line in enumerate(words)
        ],
    }


def middle(box: dict[str, Any]) -> Point:
    """The point of a box at which arrows aim: in the middle of its head."""
    return box["x"] + box["width"] / 2, box["y"] + 44.0


def outside(point: Point, around: dict[str, dict[str, Any]], *names: str) -> bool:
    """Whether a point is outside of these boxes, with a little room."""
    return all(
        not (
            box["x"] - 3 <= point[0] <= box["x"] + box["width"] + 3
            and box["y"] - 3 <= point[1] <= box["y"] + box["height"] + 3
        )
        for box in (around[name] for name in names)
    )


def diagram(state: State) -> dict[str, Any]:
    """Boxes and arrows, and how high the picture is."""
    drawn = boxes(state)
    return {
        "boxes": drawn,
        "arrows": arrows(state, {box["state"]: box for box in drawn}),
        "height": max(box["y"] + box["height"] for box in drawn) + 2,
        "none": state.breaker is None,
    }


# --- What the two ways of counting see ------------------------------------------------------------


def gauges(state: State, now_ms: int) -> list[dict[str, Any]]:
    """How near each way of counting is to opening: the chosen one, and the one that looks on."""
    params, watch, breaker = state.params, state.watch, state.breaker
    consecutive = breaker if isinstance(breaker, CircuitBreaker) else watch.consecutive
    rolling = breaker if isinstance(breaker, RollingWindowBreaker) else watch.rolling
    good, bad = rolling.window(now_ms)
    calls = good + bad
    share = bad / calls if calls else 0.0
    few = calls < params.minimum_calls
    return [
        {
            "kind": CONSECUTIVE,
            "label": "Failures in a row",
            "value": f"{consecutive.failures} (longest row {watch.longest_row})",
            "part": min(1.0, consecutive.failures / params.failure_threshold),
            "limit": 1.0,
            "chosen": params.breaker == CONSECUTIVE,
            "role": role(state, CONSECUTIVE, watch.consecutive_trip_ms),
            "note": f"opens at {params.failure_threshold}",
        },
        {
            "kind": ROLLING,
            "label": f"Failed in the last {seconds(params.window_ms)}",
            "value": f"{percent(share)} of {many(calls, 'call')}",
            "part": share,
            "limit": params.failure_share / 100,
            "chosen": params.breaker == ROLLING,
            "role": role(state, ROLLING, watch.rolling_trip_ms),
            "note": f"needs {params.minimum_calls} calls"
            if few
            else f"opens at {params.failure_share} %",
        },
    ]


def role(state: State, kind: str, trip_ms: int) -> str:
    """Whether this way of counting decides, and what it would have done if it does not."""
    if state.params.breaker == kind:
        closed = state.breaker is not None and state.breaker.state == CLOSED
        return "This one decides" if closed else "This one has opened"
    if trip_ms < 0:
        return "Looks on, would not have opened"
    return f"Looks on, would have opened at {trip_ms / 1000:.1f} s"


# --- The timeline ---------------------------------------------------------------------------------

SPAN_MS = 15_000
LEFT, RIGHT = 82.0, 338.0
STRIPS_Y, STRIP, STRIP_GAP = 18.0, 20.0, 5.0
LANES_Y, LANE, LANE_GAP = 92.0, 22.0, 6.0
USERS_Y, USERS = 262.0, 64.0
THREADS_Y, THREADS = 360.0, 48.0
LANE_LEAST = 6
"""A bar that fills its lane stands for this many calls in a bin, or more."""
LANES = (
    (OK, "answered"),
    (FAULT, "error"),
    (TIMEOUT, "timed out"),
    (REFUSED, "refused"),
    (TURNED_AWAY, "turned away"),
)


def timeline(state: State, now_ms: int) -> dict[str, Any]:
    """The last `SPAN_MS`: the service, the breaker, the calls, the users, the threads."""
    from_ms = max(0, -(-(now_ms - SPAN_MS) // 1_000) * 1_000)
    time = Scale(from_ms, from_ms + SPAN_MS, LEFT, RIGHT)
    breaker_strip = [] if state.breaker is None else strip(state.changes, time, now_ms)
    return {
        "left": LEFT,
        "right": RIGHT,
        "now": time(now_ms),
        "ticks": [
            {"x": time(ms), "label": f"{ms // 1000} s"}
            for ms in range(from_ms, from_ms + SPAN_MS + 1, 5_000)
        ],
        "healths": strip(state.healths, time, now_ms),
        "states": breaker_strip,
        "lanes": lanes(state, time),
        "users": users(state, time),
        "threads": thread_line(state.tally.threads, state.website.threads, time, now_ms),
    }


def strip(changes: tuple[Change, ...], time: Scale, now_ms: int) -> list[dict[str, Any]]:
    """A bar for each stretch between two changes, with its name where there is room."""
    ends = [change.since_ms for change in changes[1:]] + [now_ms]
    drawn = []
    for index, (change, end_ms) in enumerate(zip(changes, ends, strict=True)):
        left, right = (max(LEFT, time(ms)) for ms in (change.since_ms, end_ms))
        if right <= LEFT or (right - left <= 0 and index < len(changes) - 1):
            continue
        name = STATE_NAMES.get(change.state, change.state)
        drawn.append(
            {
                "id": change.since_ms,
                "x": left,
                "width": max(1.5, right - left),
                "kind": change.state if change.state in STATE_NAMES else "",
                "ill": change.state not in ("healthy", *STATE_NAMES),
                "name": name if right - left >= 6.6 * len(name) + 4 else "",
            }
        )
    return drawn


def lanes(state: State, time: Scale) -> list[dict[str, Any]]:
    """For each end that a call can have, how many ended so, by bins of time."""
    counts = {
        end: [pair for pair in getattr(state.tally, f"calls_{end}").bins() if pair[1]]
        for end, _ in LANES
    }
    shown = [
        count for bins in counts.values() for start_ms, count in bins if in_sight(start_ms, time)
    ]
    tallest = max([LANE_LEAST, *shown])
    return [
        {
            "end": end,
            "label": label,
            "y": LANES_Y + i * (LANE + LANE_GAP) + LANE,
            "total": f"{getattr(state.tally, end):,}",
            "d": bars(counts[end], time, LANES_Y + i * (LANE + LANE_GAP) + LANE, LANE / tallest),
        }
        for i, (end, label) in enumerate(LANES)
    ]


def in_sight(start_ms: int, time: Scale) -> bool:
    """Whether a bin that starts then is in the timeline."""
    return start_ms >= time.low


def bars(bins: list[tuple[int, int]], time: Scale, floor: float, unit: float) -> str:
    """One path with a bar for each bin in sight."""
    width = time(BIN_MS) - time(0) - 0.8
    return "".join(
        f"M{time(start_ms):.1f} {floor:.1f}v{-count * unit:.1f}h{width:.1f}v{count * unit:.1f}z"
        for start_ms, count in bins
        if in_sight(start_ms, time)
    )


def users(state: State, time: Scale) -> dict[str, Any]:
    """What users got, stacked: live answers below, the fallback on them, errors on top."""
    kinds = ("live", "fallback", "error")
    counts = {kind: dict(getattr(state.tally, f"users_{kind}").bins()) for kind in kinds}
    starts = sorted({ms for bins in counts.values() for ms in bins if in_sight(ms, time)})
    totals = [sum(bins.get(ms, 0) for bins in counts.values()) for ms in starts]
    per_s = 1_000 // BIN_MS
    # Round numbers of users a second on the axis.
    tallest = -(-max([10, *totals]) // 5) * 5
    height = Scale(0, tallest, USERS_Y + USERS, USERS_Y)
    width = time(BIN_MS) - time(0) - 0.8
    paths = dict.fromkeys(kinds, "")
    for ms in starts:
        below = 0
        for kind in kinds:
            count = counts[kind].get(ms, 0)
            if count:
                high, low = height(below + count), height(below)
                paths[kind] += f"M{time(ms):.1f} {low:.1f}V{high:.1f}h{width:.1f}V{low:.1f}z"
            below += count
    return {
        "top": USERS_Y,
        "bottom": USERS_Y + USERS,
        "paths": [{"kind": kind, "d": paths[kind]} for kind in kinds],
        "ys": [(USERS_Y + USERS, "0"), (height(tallest), str(tallest * per_s))],
    }


def thread_line(peaks: Peaks, threads: int, time: Scale, now_ms: int) -> dict[str, Any]:
    """How many threads of the website waited at most, by bins of time, and how many there are."""
    height = Scale(0, threads, THREADS_Y + THREADS, THREADS_Y)
    bins = [pair for pair in peaks.bins() if pair[0] + BIN_MS > time.low]
    points: list[Point] = []
    for start_ms, level in bins:
        x = max(LEFT, time(start_ms))
        points += [(x, height(level)), (time(min(now_ms, start_ms + BIN_MS)), height(level))]
    x = points[-1][0] if points else LEFT
    points += [(x, height(peaks.level)), (time(now_ms), height(peaks.level))]
    floor = THREADS_Y + THREADS
    line = polyline(points)
    return {
        "top": THREADS_Y,
        "bottom": floor,
        "line": line,
        "area": f"{line}V{floor:.1f}H{points[0][0]:.1f}z",
        "ys": [(floor, "0"), (THREADS_Y, str(threads))],
    }


def view(state: State, now_ms: int) -> dict[str, Any]:
    """Everything that the scene draws."""
    return {
        "system": system(state, now_ms),
        "diagram": diagram(state),
        "gauges": gauges(state, now_ms),
        "timeline": timeline(state, now_ms),
        "readouts": readouts(state),
    }
