"""How the chain looks: plain numbers and words for `scene.svg.jinja`.

On the left the servers, a cell for each thread and a dot for each request in line. On the right the
users' answers over time, and either the work of the back or the cost of a timeout.
"""

from __future__ import annotations

from collections.abc import Callable
from math import log
from typing import Any

from ...kernel import Job, Series
from ...phrases import many
from ...shapes import Scale, polyline, ticks
from .measured import BIN_MS as LATENCY_BIN_MS
from .measured import share_above, timeout_at
from .model import (
    BACK,
    BIN_MS,
    NORMAL,
    SERVERS,
    State,
    tasks_for_nobody,
    waiting_users,
)
from .words import (
    STATES,
    alternative,
    costs,
    describe,
    promise,
    readouts,
    share,
    time,
    vain_share,
)

__all__ = ["alternative", "describe", "view"]

CELL, PITCH, COLUMNS = 12.0, 15.5, 21
DOT_LEFT, DOT_PITCH, DOTS = 112.0, 11.0, 18
LEFT = 8.0
WINDOW_MS = 20_000
CHART = {"left": 34.0, "right": 330.0, "top": 26.0, "bottom": 126.0}
# The histogram's bars are four bins wide, and end at so many ms; the last holds all above.
BARS_OF, BARS_END_MS = 4, 800

# --- The chain ------------------------------------------------------------------------------------


def chain_of(state: State) -> dict[str, Any]:
    """The servers from top to bottom."""
    servers, y = [], 26.0
    for server in range(len(SERVERS)):
        block = server_of(state, server, y)
        servers.append(block)
        y = block["bottom"] + 30
    return {
        "servers": servers,
        "height": y - 26,
        "users": f"{many(waiting_users(state), 'user')} waiting, each for up to "
        f"{time(state.params.patience_ms)}",
    }


def server_of(state: State, server: int, top: float) -> dict[str, Any]:
    """One server: its words, its line and its threads."""
    pool = state.pools[server]
    waits = sum(job.body.waits for job in pool.busy)
    rows = -(-max(pool.threads, len(pool.busy)) // COLUMNS)
    dots_top, cells_top = top + 27, top + 43
    bottom = cells_top + rows * PITCH + 3
    shown = pool.waiting[:DOTS]
    slots: list[Job | None] = [*pool.busy, *[None] * pool.idle]
    sick = server == BACK and state.mode != NORMAL
    return {
        "index": server,
        "name": SERVERS[server].capitalize(),
        "sick": f"✕ {STATES[state.mode]}" if sick else "",
        "top": top,
        "bottom": bottom,
        "height": bottom - top,
        "says": f"{len(pool.busy) - waits} work, {waits} only wait"
        if server < BACK
        else f"{len(pool.busy)} of {pool.threads} at work",
        "line": f"{len(pool.waiting)} in line"
        + (": full" if len(pool.waiting) >= pool.queue_limit else ""),
        "call": promise(state, server) if server < BACK else "",
        "dots": [
            {
                "x": DOT_LEFT + place * DOT_PITCH,
                "y": dots_top,
                "kind": "waiting",
                "dead": job.body.gone_ms >= 0,
            }
            for place, job in enumerate(shown)
        ],
        "more": f"+{len(pool.waiting) - DOTS}" if len(pool.waiting) > DOTS else "",
        "dots_y": dots_top,
        "cells": [cell_of(job, place, cells_top) for place, job in enumerate(slots)],
        "dead": tasks_for_nobody(state, server),
    }


def cell_of(job: Job | None, place: int, top: float) -> dict[str, Any]:
    """A thread: idle, at work, or held by a call of the next server, for somebody or nobody."""
    kind = "idle" if job is None else "held" if job.body.waits else "busy"
    return {
        "x": LEFT + place % COLUMNS * PITCH,
        "y": top + place // COLUMNS * PITCH,
        "kind": kind,
        "dead": job is not None and job.body.gone_ms >= 0,
    }


# --- Over time ------------------------------------------------------------------------------------


def window(now_ms: int) -> tuple[int, Scale]:
    """The time that the charts show, and its axis."""
    start_ms = max(0, now_ms - WINDOW_MS)
    return start_ms, Scale(start_ms, start_ms + WINDOW_MS, CHART["left"], CHART["right"])


def full_bins(start_ms: int, now_ms: int) -> range:
    """Where the bins begin that are over (ms)."""
    return range(-(-start_ms // BIN_MS) * BIN_MS, now_ms - BIN_MS + 1, BIN_MS)


def rates(series: Series, bins: range) -> list[float]:
    """How many a second in each of these bins."""
    counts = dict(series.bins())
    return [counts.get(ms, 0) * 1_000 / BIN_MS for ms in bins]


def answers_of(state: State, now_ms: int) -> dict[str, Any]:
    """Users' answers a second, and how many users come."""
    start_ms, x = window(now_ms)
    bins = full_bins(start_ms, now_ms)
    seen = rates(state.answers, bins)
    roof = max([2.2 * state.params.rate_per_s, *seen])
    y = Scale(0, roof, CHART["bottom"], CHART["top"])
    points = [(x(ms + BIN_MS / 2), y(rate)) for ms, rate in zip(bins, seen, strict=True)]
    return {
        **CHART,
        "d": polyline(points) if points else "",
        "come": y(state.params.rate_per_s),
        "marks": marks_of(state, start_ms, x),
        **axes_of(start_ms, x, roof, y),
    }


def axes_of(start_ms: int, x: Scale, roof: float, y: Scale) -> dict[str, Any]:
    return {
        "xs": [(x(ms), f"{ms / 1_000:g}") for ms in ticks(start_ms, start_ms + WINDOW_MS, 5)],
        "ys": [(y(rate), f"{rate:g}") for rate in ticks(0, roof, 3)],
    }


def marks_of(state: State, start_ms: int, x: Scale) -> list[dict[str, Any]]:
    """When the back changed, and when there was a timeout."""
    marks = [(ms, STATES[mode], mode != NORMAL) for ms, mode in state.changes]
    if state.chosen_ms >= 0:
        marks.append((state.chosen_ms, f"timeout {state.timeout_ms} ms", False))
    return [
        {"x": x(ms), "label": label, "sick": sick} for ms, label, sick in marks if ms >= start_ms
    ]


def back_of(state: State, now_ms: int) -> dict[str, Any]:
    """The calls that the back has ended, for somebody and for nobody."""
    start_ms, x = window(now_ms)
    bins = full_bins(start_ms, now_ms)
    useful, vain = rates(state.useful, bins), rates(state.vain, bins)
    usual = state.params.rate_per_s * state.params.calls
    roof = max([1.6 * usual, *(a + b for a, b in zip(useful, vain, strict=True))])
    y = Scale(0, roof, CHART["bottom"], CHART["top"])
    width = x(start_ms + BIN_MS) - x(start_ms) - 1.5
    bars = []
    for ms, good, lost in zip(bins, useful, vain, strict=True):
        bars.append(
            {
                "x": x(ms) + 0.7,
                "width": width,
                "useful_y": y(good),
                "useful": CHART["bottom"] - y(good),
                "vain_y": y(good + lost),
                "vain": y(good) - y(good + lost),
            }
        )
    return {**CHART, "bars": bars, **axes_of(start_ms, x, roof, y)}


def servers_table(state: State, now_ms: int) -> list[tuple[str, list[str]]]:
    """For each server: time in vain, jobs begun for nobody, refused, turned away."""
    return [
        (
            name,
            [
                vain_share(state, server, now_ms),
                f"{state.work[server].dead_begun:,}",
                f"{state.work[server].refused:,}",
            ],
        )
        for server, name in enumerate(SERVERS)
    ]


# --- The cost of a timeout ------------------------------------------------------------------------


def histogram_of(state: State) -> dict[str, Any]:
    """How many calls took how long, and which of them the timeout cuts off."""
    counts = state.latencies
    whole = BARS_END_MS // (LATENCY_BIN_MS * BARS_OF)
    grouped = [sum(counts[k * BARS_OF : (k + 1) * BARS_OF]) for k in range(whole)]
    x = Scale(0, BARS_END_MS, CHART["left"], CHART["right"])
    roof = max(10, *grouped)
    height = logarithmic(roof)
    timeout_ms = state.timeout_ms
    if timeout_ms < 0:
        timeout_ms = timeout_at(counts, state.params.percentile) or 0
    width = x(LATENCY_BIN_MS * BARS_OF) - x(0) - 1.2
    bars = [
        {
            "x": x(k * LATENCY_BIN_MS * BARS_OF) + 0.6,
            "width": width,
            "y": height(count),
            "height": CHART["bottom"] - height(count),
            "cut": k * LATENCY_BIN_MS * BARS_OF >= timeout_ms,
        }
        for k, count in enumerate(grouped)
        if count
    ]
    line_x = min(x(timeout_ms), CHART["right"])
    return {
        **CHART,
        "bars": bars,
        "line": line_x if timeout_ms else None,
        "left_side": line_x > 220,
        "chosen": state.timeout_ms >= 0,
        "timeout": time(timeout_ms),
        "cut": share(share_above(counts, timeout_ms), 1.0) if sum(counts) else "–",
        "count": f"{sum(counts):,}",
        "xs": [(x(ms), f"{ms:g}") for ms in ticks(0, BARS_END_MS, 4)],
        "ys": [(height(n), f"{n}") for n in (1, 10, 100, 1_000) if n <= roof],
    }


def logarithmic(roof: int) -> Callable[[int], float]:
    """Heights on which a single call can still be seen beside hundreds."""
    scale = Scale(0, log(1.3 * roof + 1), CHART["bottom"], CHART["top"])
    return lambda count: scale(log(count + 1))


def users_of(state: State) -> list[tuple[str, str, bool]]:
    """What the users got."""
    users = state.users
    return [
        ("answered", f"{users.done:,}", False),
        ("got an error", f"{users.failed:,}", users.failed > 0),
        ("turned away, front full", f"{users.rejected:,}", users.rejected > 0),
        ("left without an answer", f"{users.left:,}", users.left > 0),
    ]


def view(state: State, now_ms: int) -> dict[str, Any]:
    """Everything that the scene draws."""
    costly = state.params.policy == "percentile"
    return {
        "chain": chain_of(state),
        "users": users_of(state),
        "answers": answers_of(state, now_ms),
        "costly": costly,
        "back": None if costly else back_of(state, now_ms),
        "table": [] if costly else servers_table(state, now_ms),
        "histogram": histogram_of(state) if costly else None,
        "costs": costs(state) if costly else [],
        "calls": state.params.calls,
        "readouts": readouts(state, now_ms),
    }
