"""The figure of the chapter on leader election."""

from __future__ import annotations

from functools import cache
from statistics import median

from ..kernel import begin, run_until
from ..patterns import load_pattern
from ..patterns.raft.model import Params
from .base import Figure, Point, Row, column
from .ink import Sheet, curve, label

SHORTEST_MS = 150
SEEDS = 1_000
"""For each spread."""
STEP_MS, LONGEST_MS = 250, 60_000


@cache
def elections_ms(spread_ms: int) -> tuple[int, ...]:
    """How long five servers that start at one moment take to have a leader, sorted, by seed."""
    return tuple(sorted(election_ms(spread_ms, seed) for seed in range(SEEDS)))


def election_ms(spread_ms: int, seed: int) -> int:
    """When the first leader is elected (ms); `LONGEST_MS` if it takes longer."""
    params = Params(
        election_timeout_ms_min=SHORTEST_MS, election_timeout_ms_max=SHORTEST_MS + spread_ms
    )
    sim = begin(load_pattern("raft"), params, seed)
    for until_ms in range(STEP_MS, LONGEST_MS + 1, STEP_MS):
        history = run_until(sim, until_ms)
        for index, state in enumerate(history.states()):
            if state.witness.leaders:
                return history.time_ms(index)
        sim = history[-1]
    return LONGEST_MS


def election(point: Point, series: str) -> float:
    """The time (ms) within which this share of the elections had a leader."""
    found = elections_ms(int(point))
    return median(found) if series == "median" else found[95 * SEEDS // 100 - 1]


def paint_election(sheet: Sheet, rows: tuple[Row, ...]) -> None:
    axes = sheet.axes(
        (58, 34, 326, 238),
        [(at, f"{at}") for at in (10, 30, 100, 300)],
        [
            (at, words)
            for at, words in ((100, "0.1 s"), (300, "0.3 s"), (1_000, "1 s"), (3_000, "3 s"))
        ],
        x_range=(8.5, 700),
        y_range=(100, 6_000),
        logarithmic="xy",
    )
    for index in range(2):
        curve(axes, *column(rows, index), index)
    label(axes, 40, 1_500, "95 of 100 elections")
    label(axes, 20, 230, "median", ha="right")
    sheet.words(4, 16, "Time until there is a leader")
    sheet.words(326, 276, "spread of the timeouts, ms", ha="right")


FIGURES = (
    Figure(
        name="election_time",
        title="Election time against the spread of the timeouts",
        point_name="spread of the timeouts in ms",
        points=(10, 20, 30, 50, 70, 100, 150, 200, 300, 600),
        series=("median", "95 of 100"),
        cell=election,
        paint=paint_election,
        form="{:,.0f} ms",
        height=284,
    ),
)
