"""How the chain looks: plain numbers and words for `scene.svg.jinja`.

Two pictures stand side by side, with a row for each service from A down to E: on the left its
threads and its queue at this moment, on the right its goodput over time.
"""

from __future__ import annotations

from typing import Any

from ...kernel import Pool, Series
from ...shapes import Point, polyline
from .chain import BIN_MS, FRONT, LAST, RECENT, SERVICES, USERS, Chain, held, is_down
from .model import State
from .params import NAMES, THREADS, WORK_MS, bulkhead_cap
from .turn import HANGING, NORMAL, SLOW
from .words import alternative, condition, describe, readouts

__all__ = ["alternative", "describe", "view"]

TOP, ROW = 52.0, 74.0
LEFT = 26.0
THREAD, THREAD_STEP = 10.0, 12.0
DOT, DOT_STEP = 7.0, 8.0
DOTS_IN_A_LINE = 30
QUEUE_Y = 17.0

CHART_LEFT, CHART_RIGHT = 30.0, 338.0
CHART_TOP, CHART_HEIGHT = 6.0, 52.0
SPAN_MS = 24_000
CIRCUIT = {"open": "breaker open: no calls", "half_open": "breaker half-open: one probe"}

PER_S_MAX = 40
"""The top of every chart; what is above is cut off."""


# --- The services ---------------------------------------------------------------------------------


def threads_of(pool: Pool, y: float) -> list[dict[str, Any]]:
    """A pool's threads: those that wait for others from the left, those at work from the right."""
    waits = held(pool)
    works = len(pool.busy) - waits
    kinds = ["held"] * waits + ["idle"] * (pool.threads - waits - works) + ["busy"] * works
    return [
        {"x": LEFT + THREAD_STEP * index, "y": y, "kind": kind} for index, kind in enumerate(kinds)
    ]


def queue_of(pool: Pool, y: float) -> list[dict[str, Any]]:
    """A pool's queue, in two lines of dots."""
    return [
        {
            "x": LEFT + DOT_STEP * (index % DOTS_IN_A_LINE),
            "y": y + QUEUE_Y + DOT_STEP * (index // DOTS_IN_A_LINE),
            "kind": "waiting",
        }
        for index in range(len(pool.waiting))
    ]


def gate_of(state: State, place: int) -> dict[str, Any]:
    """The guards between a place and the next one: how the breaker is, and what they did so far."""
    chain, params = state.chain, state.params
    guarded = params.breakers and place != USERS
    breaker = chain.breakers[place].state if guarded else ""
    said = [
        f"{count} {word}"
        for count, word in (
            (chain.expired[place] if params.timeouts else 0, "timed out"),
            (chain.capped[place], "capped"),
            (chain.blocked[place], "blocked"),
            (chain.retried[place], "retried"),
        )
        if count
    ]
    return {
        "y": TOP + ROW * (place - 1) + 22 if place else 22.0,
        "breaker": breaker,
        "words": CIRCUIT.get(breaker, ""),
        "said": ", ".join(said),
    }


def service_of(state: State, place: int) -> dict[str, Any]:
    """A row of the left picture."""
    pool, y = state.chain.pools[place], TOP + ROW * (place - 1)
    cap = bulkhead_cap(state.params, place) if place < LAST else -1
    return {
        "name": NAMES[place],
        "y": y,
        "threads": threads_of(pool, y),
        "queue": queue_of(pool, y),
        "room": room_of(pool),
        "wall": LEFT + THREAD_STEP * cap - 1 if cap >= 0 else 0.0,
        "busy": f"{len(pool.busy)}/{pool.threads}",
        "waiting": f"{len(pool.waiting)} wait" if pool.waiting else "",
        "full": len(pool.busy) >= pool.threads,
        "packed": len(pool.waiting) == pool.queue_limit > 0,
    }


def room_of(pool: Pool) -> dict[str, float]:
    """The outline of the room for the queue."""
    across = min(pool.queue_limit, DOTS_IN_A_LINE)
    lines = -(-pool.queue_limit // DOTS_IN_A_LINE)
    return {"width": DOT_STEP * across, "height": DOT_STEP * lines}


def users_of(chain: Chain) -> list[dict[str, Any]]:
    """The last users' requests that ended, the newest on the right."""
    gap = RECENT - len(chain.recent)
    return [
        {"x": LEFT + THREAD_STEP * (gap + index), "good": bool(ok)}
        for index, (_, ok) in enumerate(chain.recent)
    ]


# --- The charts -----------------------------------------------------------------------------------


class Axis:
    """The time axis that all charts share: the last 24 s, or the first."""

    def __init__(self, now_ms: int) -> None:
        self.end_ms = max(SPAN_MS, now_ms)
        self.start_ms = self.end_ms - SPAN_MS

    def x(self, time_ms: float) -> float:
        """Where a time lies; what is older lies on the left edge."""
        share = (max(time_ms, self.start_ms) - self.start_ms) / SPAN_MS
        return CHART_LEFT + share * (CHART_RIGHT - CHART_LEFT)

    def ticks(self) -> list[tuple[float, str]]:
        """Every five seconds, with its label."""
        first = -(-self.start_ms // 5_000)
        last = self.end_ms // 5_000
        return [(self.x(5_000 * k), f"{5 * k} s") for k in range(first, last + 1)]


def rates(series: Series, axis: Axis, now_ms: int) -> list[Point]:
    """`(time in ms, count per second)`: for the middle of every second, in steps of a bin.

    In less than a second one would see chance more than anything else.
    """
    counts = dict(series.bins())
    first_ms = max(0, -(-axis.start_ms // BIN_MS) * BIN_MS)
    window = range(0, 1_000, BIN_MS)
    return [
        (start_ms + 500, sum(counts.get(start_ms + bin_ms, 0) for bin_ms in window))
        for start_ms in range(first_ms, now_ms // BIN_MS * BIN_MS - 999, BIN_MS)
    ]


def chart_y(base: float, per_s: float) -> float:
    return base - min(per_s, PER_S_MAX) / PER_S_MAX * CHART_HEIGHT


def area(points: list[Point], floor: list[Point]) -> str:
    """The area between a line and the one below it; "" without points."""
    return f"{polyline(points + floor[::-1])}Z" if points else ""


def chart_of(state: State, place: int, axis: Axis, now_ms: int) -> dict[str, Any]:
    """A row of the right picture: what a service answered, and, on top, what it did for nobody."""
    chain = state.chain
    base = TOP + ROW * (place - 1) - 10 + CHART_TOP + CHART_HEIGHT
    good = rates(chain.good[place], axis, now_ms)
    vain = rates(chain.vain[place], axis, now_ms)
    low = [(axis.x(at_ms), chart_y(base, rate)) for at_ms, rate in good]
    high = [
        (x, chart_y(base, rate + more))
        for (x, _), (_, rate), (_, more) in zip(low, good, vain, strict=True)
    ]
    line = ""
    if state.twin is not None and place == FRONT and good:
        twin = rates(state.twin.good[place], axis, now_ms)
        line = polyline((axis.x(at_ms), chart_y(base, rate)) for at_ms, rate in twin)
    return {
        "name": NAMES[place],
        "base": base,
        "top": base - CHART_HEIGHT,
        "half": base - CHART_HEIGHT / 2,
        "good": area(low, [(x, base) for x, _ in low]),
        "vain": area(high, low),
        "edge": polyline(low) if low else "",
        "twin": line,
        "capacity": capacity_line(state, base, axis, now_ms) if place == LAST else "",
    }


def capacity_line(state: State, base: float, axis: Axis, now_ms: int) -> str:
    """What E could answer at each time, given its condition then."""
    per_s = 1_000 * THREADS[-1] / WORK_MS[LAST]
    able = {NORMAL: per_s, SLOW: per_s / state.params.slow_factor, HANGING: 0.0}
    points: list[Point] = [(axis.x(0), chart_y(base, per_s))]
    for time_ms, what in state.marks:
        if what in able:
            x = axis.x(time_ms)
            points += [(x, points[-1][1]), (x, chart_y(base, able[what]))]
    return polyline([*points, (axis.x(now_ms), points[-1][1])])


def spells(state: State, axis: Axis, now_ms: int) -> list[dict[str, Any]]:
    """When E was ill, and when A shed load: bands over all charts."""
    found: list[tuple[str, int, int]] = []
    for time_ms, what in state.marks:
        if what == "shed":
            continue
        if found and found[-1][2] < 0:
            found[-1] = (*found[-1][:2], time_ms)
        if what != NORMAL:
            found.append((f"E {what}", time_ms, -1))
    bands = [(word, start, now_ms if end < 0 else end) for word, start, end in found]
    shed_ms = [time_ms for time_ms, what in state.marks if what == "shed"]
    if shed_ms:
        bands.append(("shed", shed_ms[-1], min(state.around.shed_until_ms, now_ms)))
    return [
        {
            "word": word,
            "kind": "shed" if word == "shed" else "ill",
            "x": axis.x(start_ms),
            "width": axis.x(end_ms) - axis.x(start_ms),
        }
        for word, start_ms, end_ms in bands
        if end_ms > axis.start_ms
    ]


def view(state: State, now_ms: int) -> dict[str, Any]:
    """Everything that the scene draws."""
    chain, axis = state.chain, Axis(now_ms)
    return {
        "users": users_of(chain),
        "good": sum(ok for _, ok in chain.recent),
        "recent": len(chain.recent),
        "down": is_down(chain),
        "services": [service_of(state, place) for place in SERVICES],
        "gates": [gate_of(state, place) for place in range(LAST)],
        "condition": condition(state),
        "ill": state.around.condition != NORMAL,
        "shedding": now_ms < state.around.shed_until_ms,
        "breakers": state.params.breakers,
        "bulkheads": state.params.bulkheads,
        "charts": [chart_of(state, place, axis, now_ms) for place in SERVICES],
        "spells": spells(state, axis, now_ms),
        "ticks": axis.ticks(),
        "now": axis.x(now_ms),
        "twin": state.twin is not None,
        "bottom": TOP + ROW * len(THREADS) - 10,
        "readouts": readouts(state, now_ms),
    }
