"""Layout: the clients and the calls they make, or the tiers and the calls of one request."""

from __future__ import annotations

from typing import Any

from ...kernel import Pool, Series
from ...shapes import Scale, polyline, ticks
from . import herd as crowd
from . import tiers as chain
from .herd import Herd
from .model import State
from .server import capacity_per_s
from .settings import STRATEGIES
from .tiers import CALLERS, TIERS, Request, Tiers
from .words import (
    alternative,
    describe,
    how,
    number,
    readouts,
    server_line,
    server_name,
    span,
    took,
)

__all__ = ["alternative", "describe", "view"]

CHART = {"left": 44.0, "top": 24.0, "right": 334.0, "bottom": 170.0}
LOWER = {"left": 44.0, "top": 24.0, "right": 334.0, "bottom": 110.0}
WINDOW_MS = 8_000
"""How much time the charts show; the present stays within their first three quarters."""

CELLS = 100
CELL_COLUMNS = 25
QUEUE_SHOWN = 104


def view(state: State, now_ms: int) -> dict[str, Any]:
    """Everything that the scene draws."""
    world = state.world
    scene: dict[str, Any] = {
        "readouts": readouts(state),
        "strategy": STRATEGIES[state.params.strategy],
        "how": how(state.params),
        "server": server_of(state, now_ms),
    }
    if isinstance(world, Herd):
        return {**scene, "kind": "clients", **herd_of(state, world, now_ms)}
    return {**scene, "kind": "tiers", **tiers_of(state, world, now_ms)}


# --- The server -----------------------------------------------------------------------------------


def server_of(state: State, now_ms: int) -> dict[str, Any]:
    """The server's threads and queue, as cells in rows."""
    server = state.world.server
    return {
        "line": server_line(server, now_ms, server_name(state)),
        "up": server.up,
        **cells_of(server.pool, 8.0, 42.0),
        "capacity": number(capacity_per_s(state.params)),
        "busy": len(server.pool.busy),
        "threads": server.pool.threads,
        "waiting": len(server.pool.waiting),
        "queue": server.pool.queue_limit,
    }


def cells_of(pool: Pool, left: float, top: float) -> dict[str, Any]:
    """Threads above, the queue below; a queue too long for the picture ends in "and more"."""
    threads = [
        {
            "x": left + 13 * (index % CELL_COLUMNS),
            "y": top + 14 * (index // CELL_COLUMNS),
            "kind": "busy" if index < len(pool.busy) else "idle",
        }
        for index in range(max(pool.threads, len(pool.busy)))
    ]
    below = top + 14 * -(-len(threads) // CELL_COLUMNS) + 24
    queue = [
        {"x": left + 12.4 * (index % 26), "y": below + 11 * (index // 26), "kind": "waiting"}
        for index in range(min(len(pool.waiting), QUEUE_SHOWN))
    ]
    rows = -(-min(pool.queue_limit, QUEUE_SHOWN) // 26)
    return {
        "cells": threads,
        "dots": queue,
        "queue_y": below - 8,
        "more": max(0, len(pool.waiting) - QUEUE_SHOWN),
        "height": below + 11 * rows + 6,
    }


# --- Many clients ---------------------------------------------------------------------------------


def herd_of(state: State, herd: Herd, now_ms: int) -> dict[str, Any]:
    start_ms = window(now_ms)
    x = Scale(start_ms, start_ms + WINDOW_MS, CHART["left"], CHART["right"])
    return {
        "clients": clients_of(herd),
        "calls": calls_of(state, herd, now_ms, x),
        "back": connected_of(state, herd, now_ms, x),
        "comparison": [
            {
                "strategy": STRATEGIES[row.strategy],
                "chosen": row.strategy == state.params.strategy,
                "calls": number(row.calls),
                "peak": number(row.peak),
                "took": took(row),
            }
            for row in state.comparison
        ],
    }


def window(now_ms: int) -> int:
    """Where the charts begin: at the start, and later so that the present is on them."""
    return max(0, -(-(now_ms - WINDOW_MS * 3 // 4) // 1_000) * 1_000)


def clients_of(herd: Herd) -> dict[str, Any]:
    """A field of cells, each for a hundredth of the clients, and the numbers behind it."""
    kinds = (
        ("connected", herd.connected, "connected"),
        ("server", crowd.at_server(herd), "at the server"),
        ("waits", crowd.waiting(herd), "will call again"),
        ("gone", herd.given_up, "gave up"),
    )
    counts = apportioned([count for _, count, _ in kinds], CELLS)
    cells: list[dict[str, Any]] = []
    for (kind, _, _), count in zip(kinds, counts, strict=True):
        for _ in range(count):
            index = len(cells)
            cells.append(
                {
                    "x": 8 + 13 * (index % CELL_COLUMNS),
                    "y": 10 + 14 * (index // CELL_COLUMNS),
                    "kind": kind,
                }
            )
    return {
        "cells": cells,
        "each": f"{herd.clients / CELLS:g}",
        "legend": [
            {"kind": kind, "count": number(count), "label": label}
            for kind, count, label in kinds
            if count or kind != "gone"
        ],
    }


def apportioned(counts: list[int], places: int) -> list[int]:
    """So many places in proportion, by largest remainder; whoever is there gets at least one."""
    total = sum(counts) or 1
    shares = [count * places // total for count in counts]
    order = sorted(range(len(counts)), key=lambda i: -(counts[i] * places % total))
    for index in order[: places - sum(shares)]:
        shares[index] += 1
    for index, count in enumerate(counts):
        if count and not shares[index]:
            shares[index] += 1
            shares[max(range(len(shares)), key=lambda i: shares[i])] -= 1
    return shares


def planned(herd: Herd, now_ms: int) -> list[tuple[int, int]]:
    """The calls to come, by bin: those of this bin that have not been made are among them."""
    counts: dict[int, int] = {}
    for slot_ms, groups in herd.agenda:
        start_ms = slot_ms // crowd.BIN_MS * crowd.BIN_MS
        if slot_ms >= now_ms:
            counts[start_ms] = counts.get(start_ms, 0) + sum(group.count for group in groups)
    return sorted(counts.items())


def calls_of(state: State, herd: Herd, now_ms: int, x: Scale) -> dict[str, Any]:
    """The calls made and planned, per bin of time, against what the server can answer."""
    made = [(at, n) for at, n in herd.called if x.low <= at < x.high]
    soon = [(at, n) for at, n in planned(herd, now_ms) if at < x.high]
    # Not below a quarter of the clients, so that what is left of the spikes looks small.
    most = max([herd.clients // 4, *(n for _, n in made), *(n for _, n in soon)])
    y = Scale(0, most, CHART["bottom"], CHART["top"])
    able = capacity_per_s(state.params) * crowd.BIN_MS / 1_000
    width = max(1.0, x(x.low + crowd.BIN_MS) - x(x.low) - 0.3)
    return {
        **CHART,
        **bands(state, now_ms, x),
        "made": bars(made, x, y, width),
        "soon": bars(soon, x, y, width),
        "able": y(able) if able <= most else None,
        "able_says": number(able),
        "ys": [(y(value), number(value)) for value in ticks(0, most, 4)],
        "xs": seconds(x),
    }


def bars(counts: list[tuple[int, int]], x: Scale, y: Scale, width: float) -> str:
    """All bars as one path: a picture with hundreds of elements would be slow."""
    return "".join(
        f"M{x(at):.1f} {y(0):.1f}V{min(y(count), y(0) - 1):.1f}h{width:.1f}V{y(0):.1f}z"
        for at, count in counts
    )


def bands(state: State, now_ms: int, x: Scale) -> dict[str, Any]:
    """The present, and the outage: what is known of it."""
    server = state.world.server
    low, high = x.low, x.high
    if server.up:
        from_ms = 0.0 if server.changed_ms == state.params.outage_ms else server.changed_ms
        to_ms = float(server.changed_ms)
    else:
        from_ms = float(server.changed_ms)
        to_ms = float(server.back_ms) if server.back_ms >= 0 else high
    from_ms, to_ms = max(low, from_ms), min(high, max(to_ms, from_ms))
    return {
        "now": x(now_ms),
        "down": {"x": x(from_ms), "width": max(0.0, x(to_ms) - x(from_ms))},
    }


def seconds(x: Scale) -> list[tuple[float, str]]:
    step = 2_000
    first = -(-int(x.low) // step) * step
    return [(x(ms), f"{ms // 1_000} s") for ms in range(first, int(x.high) + 1, step)]


def connected_of(state: State, herd: Herd, now_ms: int, x: Scale) -> dict[str, Any]:
    """The clients that are connected, over time: back from the served calls to the left."""
    y = Scale(0, herd.clients, LOWER["bottom"], LOWER["top"])
    level, points = herd.connected, [(x(now_ms), y(herd.connected))]
    lost_ms = 0 if herd.server.up else herd.server.changed_ms
    for at, count in reversed(herd.served.bins()):
        if at < max(x.low, lost_ms) or not count:
            continue
        end = min(at + crowd.SERVED_BIN_MS, now_ms)
        points += [(x(end), y(level)), (x(at), y(max(0, level - count)))]
        level = max(0, level - count)
    points.append((x(max(x.low, lost_ms)), y(level)))
    return {
        **LOWER,
        **bands(state, now_ms, x),
        "d": polyline(points),
        "ys": [(y(part), number(part)) for part in (0, herd.clients / 2, herd.clients)],
        "xs": seconds(x),
    }


# --- Three tiers ----------------------------------------------------------------------------------


def tiers_of(state: State, tiers: Tiers, now_ms: int) -> dict[str, Any]:
    params = state.params
    start_ms = window(now_ms)
    x = Scale(start_ms, start_ms + WINDOW_MS, CHART["left"], CHART["right"])
    tally = tiers.tally
    rows = [
        {
            "tier": tier,
            "caller": CALLERS[index],
            "per": f"{tally.calls[index] / tally.ended:.2f}" if tally.ended else "–",
            "most": params.attempts ** (index + 1),
        }
        for index, tier in enumerate(TIERS)
    ]
    return {
        "attempts": params.attempts,
        "tree": tree_of(state, tiers, now_ms),
        "recent": recent_of(tiers),
        "budgets": budgets_of(tiers) if params.budget else [],
        "rows": rows,
        "ended": tally.ended,
        "reached": reached_of(state, tiers, now_ms, x),
    }


def focus(tiers: Tiers) -> Request | None:
    """The request whose calls are drawn: of those on the way the oldest, otherwise the last."""
    going = chain.on_the_way(tiers)
    return going[0] if going else tiers.requests[-1] if tiers.requests else None


def tree_of(state: State, tiers: Tiers, now_ms: int) -> dict[str, Any]:
    """Every call that one request can make, as a tree; those that it has made are marked."""
    k, depth = state.params.attempts, len(TIERS)
    request = focus(tiers)
    now = tuple(leg.attempts for leg in request.legs) if request else ()
    failed = {path[:n] for path in (request.path if request else ()) for n in range(1, depth + 1)}
    nodes: list[dict[str, Any]] = []
    for level in range(1, depth + 1):
        for index in range(k**level):
            path = tuple(index // k ** (level - 1 - n) % k + 1 for n in range(level))
            parent = path[:-1]
            nodes.append(
                {
                    "id": "-".join(map(str, path)),
                    "x": place(path, k),
                    "y": 14.0 + 56 * level,
                    "from_x": place(parent, k),
                    "from_y": 14.0 + 56 * (level - 1),
                    "kind": kind_of(path, now, failed, request),
                }
            )
    return {
        "name": f"Request {request.id + 1}" if request else "No request yet",
        "says": fate(request, now_ms),
        "nodes": nodes,
        "r": 4.2 if k <= 3 else 1.8 if k == 4 else 0.9,
        "big": 4.2 if k <= 3 else 3.0,
        "fine": k > 3,
        "rows": [
            {"y": 14.0 + 56 * level, "label": label}
            for level, label in enumerate(labels(request, state.params.attempts))
        ],
    }


def labels(request: Request | None, k: int) -> list[str]:
    made = [leg.calls for leg in request.legs] if request else [0] * len(TIERS)
    return ["client"] + [
        f"{tier}: {count} of {k ** (n + 1)}"
        for n, (tier, count) in enumerate(zip(TIERS, made, strict=True))
    ]


def place(path: tuple[int, ...], k: int) -> float:
    """Where a call stands: each has a k-th of the room of the call that it belongs to."""
    left, width = 74.0, 260.0
    for attempt in path:
        width /= k
        left += (attempt - 1) * width
    return left + width / 2


def kind_of(
    path: tuple[int, ...],
    now: tuple[int, ...],
    failed: set[tuple[int, ...]],
    request: Request | None,
) -> str:
    """Whether a call is made now, has failed, went well, or has not been made."""
    if request is None:
        return "none"
    current = now[: len(path)] == path
    # A call at C has failed for good when its answer is in; one further up may try again.
    answered = len(path) == len(now) and path in failed
    if current and request.ended_ms < 0 and not answered:
        return "now"
    if current and request.good:
        return "good"
    return "failed" if path in failed else "none"


def fate(request: Request | None, now_ms: int) -> str:
    if request is None:
        return ""
    calls = chain.calls_at_c(request)
    so_far = f"{calls} {'call' if calls == 1 else 'calls'} at C"
    if request.ended_ms < 0:
        return f"{so_far} so far, {span(now_ms - request.started_ms)} on its way"
    took = span(request.ended_ms - request.started_ms)
    why = "no retry was left in a budget" if request.denied else "all its attempts failed"
    return f"{so_far}, " + (f"answered after {took}" if request.good else f"failed: {why}")


def recent_of(tiers: Tiers) -> list[dict[str, Any]]:
    """The newest requests that have ended, with their calls at C."""
    ended = [request for request in tiers.requests if request.ended_ms >= 0][-chain.KEPT :]
    return [
        {"name": f"Request {each.id + 1}", "calls": chain.calls_at_c(each), "good": each.good}
        for each in ended
    ]


def budgets_of(tiers: Tiers) -> list[dict[str, Any]]:
    """A bar for each caller's budget."""
    return [
        {
            "name": caller,
            "width": 150 * budget.tokens / budget.capacity,
            "says": f"{budget.tokens:.1f} of {budget.capacity}",
            "empty": budget.tokens < 1,
        }
        for caller, budget in zip(CALLERS, tiers.budgets, strict=True)
    ]


def counted(series: Series, x: Scale) -> list[tuple[int, int]]:
    return [(at, count) for at, count in series.bins() if count and x.low <= at < x.high]


def reached_of(state: State, tiers: Tiers, now_ms: int, x: Scale) -> dict[str, Any]:
    """Calls at C per bin of time, the requests behind them, and what C can answer."""
    calls, asked = counted(tiers.reached[chain.LAST], x), counted(tiers.asked, x)
    able = capacity_per_s(state.params) * chain.BIN_MS / 1_000
    most = max([1.0, able * 1.1, *(float(n) for _, n in calls)])
    y = Scale(0, most, CHART["bottom"], CHART["top"])
    width = x(x.low + chain.BIN_MS) - x(x.low) - 1
    return {
        **CHART,
        **bands(state, now_ms, x),
        "made": bars(calls, x, y, width),
        "asked": bars(asked, x, y, width),
        "able": y(able),
        "able_says": number(able),
        "ys": [(y(value), number(value)) for value in ticks(0, most, 5)],
        "xs": seconds(x),
    }
