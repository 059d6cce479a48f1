"""How the service looks: plain numbers and words for `scene.svg.jinja`.

On the left the hull with its compartments, a cell for every thread, and the two dependencies. On
the right the answers over time, what became of the requests, and what walls cost.
"""

from __future__ import annotations

from typing import Any

from ...kernel import Job, Pool, Series
from ...phrases import many, percent
from ...shapes import Scale, polyline, ticks
from .erlang import Shares
from .model import BIN_MS, NORMAL, PAYMENTS, RECOMMENDATIONS, State, holding, present, rate_per_s
from .words import (
    STATES,
    TITLES,
    alternative,
    describe,
    law,
    less,
    needed,
    readouts,
    recent,
    seconds,
    shares_measured,
    shares_separate,
    shares_shared,
    since,
)

__all__ = ["alternative", "describe", "view"]

WIDTH = 340.0
LEFT, RIGHT = 14.0, 326.0
CELL, PITCH = 18.0, 24.0
# Columns of cells in the hull; a compartment has at least so many that its name fits.
COLUMNS, COLUMNS_MIN = 13, 5
LINE_TOP, HULL_TOP, CELLS_TOP = 22.0, 50.0, 92.0
LINE_PITCH = 19.0
WINDOW_MS = 20_000
CHART = {"left": 34.0, "right": 330.0, "top": 26.0, "bottom": 150.0}

# --- The hull -------------------------------------------------------------------------------------


def hull_of(state: State) -> dict[str, Any]:
    """The compartments side by side, and how deep the deepest is."""
    if len(state.pools) == 1:
        columns = [COLUMNS]
        titles = ["One pool for both"]
    else:
        wanted = round(COLUMNS * state.pools[0].threads / state.params.threads)
        first = max(COLUMNS_MIN, min(COLUMNS - COLUMNS_MIN, wanted))
        # One column is the wall.
        columns = [first - 1, COLUMNS - first]
        columns = [max(COLUMNS_MIN - 1, columns[0]), columns[1]]
        titles = list(TITLES)
    rooms, x = [], LEFT
    for index in range(len(state.pools)):
        rooms.append(room_of(state, index, titles[index], x, columns[index]))
        x += columns[index] * PITCH + PITCH
    rows = max(-(-pool.threads // count) for pool, count in zip(state.pools, columns, strict=True))
    bottom = CELLS_TOP + rows * PITCH + 6
    return {
        "rooms": rooms,
        "top": HULL_TOP,
        "bottom": bottom,
        "wall": LEFT + columns[0] * PITCH + PITCH / 2 - 3 if len(columns) > 1 else None,
        "wave": polyline_wave(bottom + 9),
        "deps": bottom + 22,
        "height": bottom + 22 + 84,
    }


def polyline_wave(y: float) -> str:
    """The water line under the hull."""
    return f"M4 {y:.1f}" + "q6 -5 12 0t12 0" * 14


def room_of(state: State, index: int, title: str, x: float, columns: int) -> dict[str, Any]:
    """A compartment: who waits at its door, and its threads."""
    pool = state.pools[index]
    room = int(columns * PITCH / LINE_PITCH) - 1
    more = len(pool.waiting) - room
    shown = pool.waiting[: room - 1] if more > 0 else pool.waiting
    line = [
        {"n": place, "kind": job.body.dependency, "x": x + place * LINE_PITCH, "y": LINE_TOP}
        for place, job in enumerate(shown)
    ]
    return {
        "index": index,
        "x": x,
        "title": title,
        "threads": many(pool.threads, "thread"),
        "busy": f"{len(pool.busy)} taken",
        "line": line,
        "more": f"+{len(pool.waiting) - len(shown)}" if more > 0 else "",
        "more_x": x + len(shown) * LINE_PITCH + 2,
        "full": pool.queue_limit == len(pool.waiting) and not pool.idle,
        "says": line_says(pool),
        "cells": cells_of(state, pool, x, columns),
    }


def line_says(pool: Pool) -> str:
    """What stands over the line at the door."""
    if not pool.queue_limit:
        return "full: turned away" if pool.idle <= 0 else "nobody may wait"
    if len(pool.waiting) == pool.queue_limit:
        return f"{len(pool.waiting)} wait: full!"
    return f"{len(pool.waiting)} of {pool.queue_limit} wait"


def cells_of(state: State, pool: Pool, x: float, columns: int) -> list[dict[str, Any]]:
    """The threads: payments from the first, recommendations from the last, idle ones between."""

    def cell(place: int, job: Job | None) -> dict[str, Any]:
        kind = "idle"
        if job is not None:
            kind = "busy" if state.modes[job.body.dependency] == NORMAL else "held"
        return {
            "n": place,
            "kind": kind,
            "dependency": -1 if job is None else job.body.dependency,
            "x": x + place % columns * PITCH,
            "y": CELLS_TOP + place // columns * PITCH,
        }

    first = [job for job in pool.busy if job.body.dependency == PAYMENTS]
    last = [job for job in pool.busy if job.body.dependency == RECOMMENDATIONS]
    idle: list[Job | None] = [None] * pool.idle
    return [cell(place, job) for place, job in enumerate([*first, *idle, *reversed(last)])]


def index_of(state: State, dependency: int) -> int:
    return dependency if len(state.pools) > 1 else 0


def has_of(state: State, dependency: int) -> tuple[str, bool]:
    """The threads that may call a dependency, and whether they are too few."""
    pool, need = state.pools[index_of(state, dependency)], needed(state, dependency)
    if need > pool.threads:
        return f"has {pool.threads}: too few", True
    if len(state.pools) > 1:
        return f"has {pool.threads}", False
    left = pool.threads - holding(state, 1 - dependency)
    if left < need:
        return f"{left} of {pool.threads} are left: too few", True
    return f"has {pool.threads}, shared", False


def dependencies_of(state: State) -> list[dict[str, Any]]:
    """The two that the threads call, and the threads that each needs."""
    found = []
    for dependency, mode in enumerate(state.modes):
        has, short = has_of(state, dependency)
        found.append(
            {
                "index": dependency,
                "title": TITLES[dependency],
                "x": 6 + dependency * 167,
                "sick": mode != NORMAL,
                "mode": STATES[mode],
                "law": f"{law(state, dependency)} threads",
                "has": has,
                "short": short,
            }
        )
    return found


# --- Answers over time ----------------------------------------------------------------------------


def chart_of(state: State, now_ms: int) -> dict[str, Any]:
    """Answers a second for each dependency, and when one of them changed."""
    start_ms = max(0, now_ms - WINDOW_MS)
    x = Scale(start_ms, start_ms + WINDOW_MS, CHART["left"], CHART["right"])
    peak = max(rate_per_s(state.params, dependency) for dependency in (0, 1))
    seen = [points_of(series, start_ms, now_ms) for series in state.served]
    roof = max([1.9 * peak, *(rate for line in seen for _, rate in line)])
    y = Scale(0, roof, CHART["bottom"], CHART["top"])
    return {
        **CHART,
        "lines": [
            {
                "index": index,
                "d": polyline([(x(ms), y(rate)) for ms, rate in line]) if line else "",
                "come": y(rate_per_s(state.params, index)),
            }
            for index, line in enumerate(seen)
        ],
        "marks": marks_of(state, start_ms, x),
        "now": x(now_ms),
        "xs": [(x(ms), f"{ms / 1_000:g}") for ms in ticks(start_ms, start_ms + WINDOW_MS, 5)],
        "ys": [(y(rate), f"{rate:g}") for rate in ticks(0, roof, 4)],
    }


def points_of(series: Series, start_ms: int, now_ms: int) -> list[tuple[float, float]]:
    """A point for each bin that is over: its middle (ms), and answers a second.

    Bins after the last answer are bins without one.
    """
    counts = dict(series.bins())
    return [
        (ms + BIN_MS / 2, counts.get(ms, 0) * 1_000 / BIN_MS)
        for ms in range(-(-start_ms // BIN_MS) * BIN_MS, now_ms - BIN_MS + 1, BIN_MS)
    ]


def marks_of(state: State, start_ms: int, x: Scale) -> list[dict[str, Any]]:
    """The changes of the dependencies that the chart can show."""
    return [
        {
            "x": x(change.at_ms),
            "label": f"{TITLES[change.dependency][0]}: {STATES[change.mode]}",
            "sick": change.mode != NORMAL,
        }
        for change in state.changes
        if change.at_ms >= start_ms
    ]


# --- What became of the requests, and the price ---------------------------------------------------


def outcomes_of(state: State) -> dict[str, Any]:
    """A row for every end that a request can have, for both dependencies."""
    both = [recent(state, dependency) for dependency in (0, 1)]
    here = [present(state, dependency) for dependency in (0, 1)]
    return {
        "caption": f"What became of the requests {since(state)}",
        "rows": [
            ("answered", [f"{tally.done:,}" for tally in both], False),
            ("turned away", [f"{tally.rejected:,}" for tally in both], True),
            ("caller gave up", [f"{tally.failed:,}" for tally in both], True),
            ("still inside", [f"{count:,}" for count in here], False),
        ],
    }


def price_of(state: State) -> dict[str, Any]:
    """How many wait or are turned away while nothing is wrong, by formula and as measured."""
    shared = state.params.pools == "shared"
    measured = shares_measured(state)
    calm = state.calm or state.tallies
    rows = [
        row("One pool", shares_shared(state.params), shared),
        row("A pool each", shares_separate(state.params), not shared),
        row("This run", measured, False),
    ]
    return {"rows": rows, "count": sum(less(tally, type(tally)()).arrived for tally in calm)}


def row(name: str, shares: Shares | None, chosen: bool) -> dict[str, Any]:
    return {
        "name": name,
        "waits": percent(shares.waits) if shares else "–",
        "rejected": percent(shares.rejected) if shares else "–",
        "chosen": chosen,
    }


def view(state: State, now_ms: int) -> dict[str, Any]:
    """Everything that the scene draws."""
    return {
        "hull": hull_of(state),
        "deps": dependencies_of(state),
        "patience": seconds(state.params.timeout_ms),
        "chart": chart_of(state, now_ms),
        "outcomes": outcomes_of(state),
        "price": price_of(state),
        "readouts": readouts(state, now_ms),
    }
