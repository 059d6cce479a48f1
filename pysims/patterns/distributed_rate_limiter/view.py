"""How the fleet looks: plain numbers and words for `scene.svg.jinja`.

On the left the client, the load balancer, the servers and the store, with the messages between
them. On the right what every strategy made of the same requests, and the one on show over time.
"""

from __future__ import annotations

from typing import Any

from ...kernel import Message, Series, is_up
from ...shapes import Point, Scale, along, polyline, ticks
from .model import CLIENT_LATENCY
from .state import (
    ASKING,
    LOCAL,
    NAIVE,
    SHARED,
    SPLIT,
    STORE,
    SYNC,
    Answer,
    Ask,
    Decided,
    Push,
    Server,
    State,
    Total,
    Write,
    chosen,
    cut_names,
    intervals_of,
    store_is_up,
    tally_of,
)
from .tally import WAIT_BINS
from .words import (
    admitted_now,
    alternative,
    boxes,
    came_now,
    describe,
    how,
    name_of,
    outcome,
    readouts,
    window_words,
)

__all__ = ["alternative", "describe", "view"]

MIDDLE = 170.0
CLIENT_Y, BALANCER_Y = 36.0, 72.0
SERVER_TOP, SERVER_HEIGHT, SERVER_WIDTH = 132.0, 52.0, 30.0
STORE_TOP, STORE_HEIGHT, STORE_WIDTH = 254.0, 50.0, 190.0
ROWS = 4
# Words on messages are left out when there are more messages than this: they would overlap.
LABELS_MAX = 5
DOTS_MAX = 8
BARS = {"left": 4.0, "right": 336.0, "step": 41.0, "top": 30.0}
CHART = {"left": 44.0, "right": 330.0, "top": 22.0, "bottom": 132.0}
CHART_MS = 11_000
"""The chart shows the newest so many ms, a little less than a `Series` keeps of the bins here."""
WAITS = {"left": 44.0, "right": 330.0, "top": 18.0, "bottom": 82.0}


# --- The fleet ------------------------------------------------------------------------------------


def seats(state: State) -> dict[str, float]:
    """The middle of each server's box."""
    step = 334 / max(5, len(state.servers))
    first = MIDDLE - step * (len(state.servers) - 1) / 2
    return {server.name: first + step * index for index, server in enumerate(state.servers)}


def counted(state: State, server: Server, last: Decided | None) -> tuple[str, float]:
    """The number in a server's box, and how much of its own limit that is (0 to 1)."""
    way, limit = chosen(state), state.params.limit
    if way == LOCAL:
        return f"{server.local.used}", server.local.used / limit
    if way == SPLIT:
        return f"{server.split.used}", server.split.used / max(1, server.split.limit)
    if way == SYNC:
        return f"{server.syncs[0].total}", min(1.0, server.syncs[0].total / limit)
    if last is None:
        return "", 0.0
    if last.reason == "silence":
        return "?", 0.0
    return f"{last.count}", min(1.0, last.count / limit)


def servers_of(state: State) -> list[dict[str, Any]]:
    at, away = seats(state), cut_names(state)
    asking = chosen(state) not in (LOCAL, SPLIT)
    found = []
    for server in state.servers:
        last = next((d for d in reversed(state.decided) if d.server == server.name), None)
        waits = sum(1 for each in state.waiting if each.server == server.name)
        text, share = counted(state, server, last)
        up = is_up(state.front, server.name)
        shows = chosen(state) in ASKING and up
        found.append(
            {
                "name": server.name,
                "x": at[server.name],
                "up": up,
                "text": text if up else "",
                "level": SERVER_HEIGHT * share if up else 0.0,
                "dots": dots_of(at[server.name], waits) if shows else [],
                "link": asking,
                "cut": server.name in away,
                "foot": foot(state, at[server.name]),
            }
        )
    return found


def dots_of(x: float, count: int) -> list[Point]:
    """Where the dots of the requests that wait in a server are: two rows of four."""
    return [
        (x - 9 + 6 * (index % 4), SERVER_TOP + 39 + 7 * (index // 4))
        for index in range(min(count, DOTS_MAX))
    ]


def foot(state: State, x: float) -> Point:
    """Where the line from a server at `x` meets the store."""
    return MIDDLE + (x - MIDDLE) * STORE_WIDTH / 360, STORE_TOP


def way_down(x: float, fraction: float) -> Point:
    """Where a request is on its way from the client through the load balancer to a server."""
    if fraction < 0.3:
        return along((MIDDLE, CLIENT_Y), (MIDDLE, BALANCER_Y), fraction / 0.3)
    return along((MIDDLE, BALANCER_Y), (x, SERVER_TOP), (fraction - 0.3) / 0.7)


def requests_of(state: State, now_ms: int) -> list[dict[str, Any]]:
    """The client's requests on their way."""
    at = seats(state)
    found = []
    for message in state.front.in_flight:
        x, y = way_down(at[message.target], message.fraction(now_ms))
        found.append({"id": message.body.request, "x": x, "y": y})
    return found


def verdicts_of(state: State, now_ms: int) -> list[dict[str, Any]]:
    """The answers on their way back to the client, which take as long as a request at the most."""
    at = seats(state)
    trip_ms = CLIENT_LATENCY.quantile(0.5)
    found = []
    for each in state.decided:
        fraction = (now_ms - each.at_ms) / trip_ms
        if 0 <= fraction <= 1:
            x, y = way_down(at[each.server], 1 - fraction)
            found.append({"id": each.request, "x": x + 7, "y": y, "allowed": each.allowed})
    return found


def calls_of(state: State, now_ms: int) -> list[dict[str, Any]]:
    """The messages between servers and store that belong to the strategy on show."""
    at = seats(state)
    flying = [m for m in state.network.in_flight if label_of(state, m)]
    found = []
    for message in flying:
        name = message.source if message.target == STORE else message.target
        top, bottom = (at[name], SERVER_TOP + SERVER_HEIGHT), foot(state, at[name])
        ways = (top, bottom) if message.target == STORE else (bottom, top)
        x, y = along(*ways, message.fraction(now_ms), aside=4)
        found.append(
            {
                "id": message.id,
                "x": x,
                "y": y,
                "lost": bool(message.lost),
                "asks": message.target == STORE,
                "label": label_of(state, message) if len(flying) <= LABELS_MAX else "",
            }
        )
    return found


def label_of(state: State, message: Message) -> str:
    """What a message says under the strategy on show; nothing if it is not part of it."""
    way, body = chosen(state), message.body
    match body:
        case Ask():
            return {SHARED: "+1", NAIVE: "get"}.get(way, "")
        case Answer():
            return {SHARED: f"{body.count}", NAIVE: f"{body.value}"}.get(way, "")
        case Write("set", value):
            return f"set {value}" if way == NAIVE else ""
        case Write():
            return "expire" if way == SHARED else ""
        case Push(0, _, _, amount):
            return f"+{amount}" if way == SYNC else ""
        case Total(0, _, _, total):
            return f"{total}" if way == SYNC else ""
    return ""


def store_of(state: State, now_ms: int) -> dict[str, Any]:
    """The store: its count, and whether anybody asks it."""
    way, store = chosen(state), state.store
    idle = way in (LOCAL, SPLIT)
    window = now_ms // state.params.window_ms
    count = {
        SHARED: store.atomic.at(now_ms).count,
        NAIVE: store.naive.at(now_ms).count,
        SYNC: store.totals[0] if store.totals_window == window else 0,
    }.get(way, 0)
    up = store_is_up(state)
    stuck = way == SHARED and store.atomic.window < window and store.atomic.at(now_ms).count > 0
    words = "never asked" if idle else f"count: {count:,}" if up else "down: it answers nobody"
    return {
        "up": up,
        "idle": idle,
        "stuck": stuck and up,
        "words": words,
        "note": "the count never expired" if stuck and up else "",
    }


def newest_of(state: State) -> list[dict[str, Any]]:
    """The newest decisions of the strategy on show, the last one first."""
    return [
        {
            "id": each.request,
            "what": f"{each.request + 1:,} at {each.server}",
            "allowed": each.allowed,
            "took": f"+{each.waited_ms} ms",
            "words": ("let through" if each.allowed else "refused")
            + (": no answer" if each.reason == "silence" else f": count {each.count:,}"),
        }
        for each in state.decided[: -ROWS - 1 : -1]
    ]


# --- All strategies on the same requests ----------------------------------------------------------


def bars_of(state: State, now_ms: int) -> dict[str, Any]:
    """What each strategy has let through in this window, against what is allowed."""
    params, came = state.params, came_now(state, now_ms)
    counts = [admitted_now(state, tally, now_ms) for tally in state.tallies]
    # In steps, so that the bars do not shrink with every request; there is room for a number.
    most, roof = max([params.limit, came, *counts]), 2 * params.limit
    while roof < most * 1.15:
        roof *= 2
    x = Scale(0, roof, BARS["left"], BARS["right"])
    rows = []
    for way in range(SYNC + 1):
        y = BARS["top"] + BARS["step"] * way
        rows.append(
            {
                "way": way,
                "y": y,
                "name": name_of(state, way),
                "count": f"{counts[way]:,}",
                "width": x(min(counts[way], params.limit)) - x(0),
                "beyond": x(max(counts[way], params.limit)) - x(params.limit),
                "came": x(came) - x(0),
                "wrong": outcome(state, way),
                "chosen": way == chosen(state),
            }
        )
    return {
        **BARS,
        "rows": rows,
        "limit": x(params.limit),
        "bottom": BARS["top"] + BARS["step"] * (SYNC + 1) - 12,
        "title": f"{came:,} came in this window; let through in it:",
        "allowed": f"allowed: {params.limit:,}",
    }


def lanes_of(state: State) -> list[dict[str, Any]]:
    """For each sync interval in the run: what it let through, and what it asked of the store."""
    if chosen(state) != SYNC:
        return []
    rows = []
    for lane, interval_ms in enumerate(intervals_of(state.params)):
        tally = state.tallies[SYNC + lane]
        rows.append(
            {
                "interval_ms": interval_ms,
                "interval": f"{interval_ms:,} ms",
                "admitted": f"{tally.admitted_total:,}",
                "over": f"{tally.over:,}",
                "calls": f"{state.calls[SYNC + lane]:,}",
                "chosen": lane == 0,
            }
        )
    return sorted(rows, key=lambda row: row["interval_ms"])


# --- Over time ------------------------------------------------------------------------------------


def running(series: Series, window_ms: int, in_window: int, window: int) -> list[Point]:
    """Steps (ms, count since the window began), from the counts per bin.

    `in_window` is the count of window number `window`: what came before the kept bins is missing
    from them.
    """
    own = sum(count for start_ms, count in series.bins() if start_ms // window_ms == window)
    points: list[Point] = []
    total, current = 0, -1
    for start_ms, count in series.bins():
        if start_ms // window_ms != current:
            current = start_ms // window_ms
            if points:
                points.append((start_ms, total))
            total = max(0, in_window - own) if current == window else 0
            points.append((start_ms, total))
        total += count
        points.append((start_ms + series.bin_ms, total))
    return points


def chart_of(state: State, now_ms: int) -> dict[str, Any]:
    """Requests, those let through, and the limit, over time in each window."""
    params, sent, tally = state.params, state.sent, tally_of(state)
    came = running(sent.series, params.window_ms, sent.in_window, sent.window)
    through = running(tally.series, params.window_ms, tally.admitted, tally.window)
    first = max(0, now_ms - CHART_MS)
    x = Scale(first, max(now_ms, first + 1_000), CHART["left"], CHART["right"])
    highest = max([params.limit * 1.15, *(count for _, count in (*came, *through))])
    y = Scale(0, highest, CHART["bottom"], CHART["top"])

    def line(points: list[Point]) -> str:
        shown = [(min(ms, now_ms), count) for ms, count in points if ms >= first]
        if not shown:
            return ""
        # What follows the newest bin: the count stays, and falls to zero where its window ends.
        ends_ms = (points[-2][0] // params.window_ms + 1) * params.window_ms
        if now_ms < ends_ms:
            shown.append((now_ms, shown[-1][1]))
        else:
            shown += [(ends_ms, shown[-1][1]), (ends_ms, 0), (now_ms, 0)]
        return polyline((x(ms), y(count)) for ms, count in shown)

    return {
        **CHART,
        "came": line(came),
        "through": line(through),
        "limit": y(params.limit),
        "limit_text": f"limit {params.limit:,}",
        "xs": [(x(value), f"{value / 1_000:g}") for value in ticks(x.low, x.high, 5)],
        "ys": [(y(value), f"{value:,.0f}") for value in ticks(0, highest, 3)],
        "over": tally.over > 0,
    }


def waits_of(state: State) -> dict[str, Any] | None:
    """How long the requests waited for the store: a bar for each bin."""
    waits = state.waits
    if chosen(state) not in ASKING:
        return None
    used = [index for index, count in enumerate(waits.counts) if count]
    last = min(WAIT_BINS, max([20 // waits.bin_ms + 1, *used]))
    x = Scale(0, (last + 1) * waits.bin_ms, WAITS["left"], WAITS["right"])
    most = max([1, *waits.counts])
    y = Scale(0, most, WAITS["bottom"], WAITS["top"])
    width = x(waits.bin_ms) - x(0)
    bars = [
        {
            "index": index,
            "x": x(index * waits.bin_ms),
            "y": y(waits.counts[index]),
            "width": max(1.0, width - 1),
            "late": index * waits.bin_ms >= state.params.timeout_ms,
        }
        for index in used
    ]
    return {
        **WAITS,
        "bars": bars,
        "xs": [(x(value), f"{value:g}") for value in ticks(0, x.high, 5)],
        "ys": [(y(most), f"{most:,}")],
    }


# --- The whole ------------------------------------------------------------------------------------


def view(state: State, now_ms: int) -> dict[str, Any]:
    """Everything that the scene draws."""
    params = state.params
    return {
        "client": f"client: may send {params.limit:,} in {window_words(params.window_ms)}",
        "servers": servers_of(state),
        "requests": requests_of(state, now_ms),
        "verdicts": verdicts_of(state, now_ms),
        "calls": calls_of(state, now_ms),
        "store": store_of(state, now_ms),
        "how": how(state),
        "boxes": boxes(state),
        "newest": newest_of(state),
        "rows": ROWS,
        "bars": bars_of(state, now_ms),
        "lanes": lanes_of(state),
        "chart": chart_of(state, now_ms),
        "waits": waits_of(state),
        "readouts": readouts(state, now_ms),
    }
