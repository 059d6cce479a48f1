"""The figures of the chapter on CAP and PACELC."""

from __future__ import annotations

from functools import cache

from .. import run
from ..patterns.pacelc.measure import Counts, quantile
from ..patterns.pacelc.model import Tally
from .base import Cell, Figure, Point, Row, column
from .ink import Sheet, curve, label

REPLICAS, SEEDS = 5, range(15)


@cache
def tallies(layout: str) -> tuple[Tally, ...]:
    """What the clients of five replicas met, for every R and W, in a run for each seed."""
    params = {"layout": layout, "replicas": REPLICAS, "requests": 600, "timeout_ms": 3_000}
    return tuple(run("pacelc", "read-one", params=params, seed=s).last.tally for s in SEEDS)


# --- The price of a quorum ------------------------------------------------------------------------

LATENCIES = {
    "reads, median": ("read_ms", 0.5),
    "reads, p99": ("read_ms", 0.99),
    "writes, median": ("write_ms", 0.5),
    "writes, p99": ("write_ms", 0.99),
}


def together(bins: tuple[Counts, ...]) -> Counts:
    return tuple(map(sum, zip(*bins, strict=True)))


def latency(point: Point, series: str) -> Cell:
    """How long (ms) this share of the requests waits, at most, for `point` answers of five."""
    kind, share = LATENCIES[series]
    wanted = int(point) - 1
    missed = "unread" if kind == "read_ms" else "unwritten"
    found = tallies("region")
    counts = together(tuple(getattr(tally, kind)[wanted] for tally in found))
    return quantile(counts, share, sum(getattr(tally, missed)[wanted] for tally in found))


def paint_latency(sheet: Sheet, rows: tuple[Row, ...]) -> None:
    axes = sheet.axes(
        (58, 34, 244, 238),
        [(at, f"{at}") for at in (1, 2, 3, 4, 5)],
        [(at, f"{at:,} ms") for at in (3, 10, 30, 100, 300, 1_000)],
        x_range=(0.85, 5),
        y_range=(3, 1_300),
        logarithmic="y",
    )
    for index, name in enumerate(LATENCIES):
        x, y = column(rows, index)
        curve(axes, x, y, index)
        label(axes, 5.2, y[-1], name)
    sheet.words(4, 16, "Time until enough replicas have answered")
    sheet.words(244, 276, "answers waited for, of five", ha="right")


# --- Stale reads ----------------------------------------------------------------------------------

QUORUMS = {"W = 1": 1, "W = 2": 2, "W = 3": 3}


def stale(point: Point, series: str) -> float:
    """The share (percent) of reads with R = `point` that were stale, with this W."""
    wanted, found = int(point) - 1, tallies("ocean")
    reads = sum(sum(tally.read_ms[wanted]) for tally in found)
    return 100 * sum(tally.stale[wanted][QUORUMS[series] - 1] for tally in found) / reads


def paint_stale(sheet: Sheet, rows: tuple[Row, ...]) -> None:
    axes = sheet.axes(
        (50, 34, 326, 218),
        [(at, f"{at}") for at in (1, 2, 3, 4, 5)],
        [(at, f"{at:g} %") for at in (0.1, 1, 10, 100)],
        x_range=(0.85, 5.15),
        y_range=(0.03, 130),
        logarithmic="y",
    )
    ends = []
    for index, name in enumerate(QUORUMS):
        # A logarithmic scale has no zero: a curve ends where no read was stale any more.
        x, y = column(tuple((r, tuple(cell or None for cell in cells)) for r, cells in rows), index)
        curve(axes, x, y, index)
        ends.append((x[-1], y[-1], name))
    for at, share, name in ends:
        label(axes, at + 0.15, share, name)
    sheet.words(4, 16, "Stale reads, replicas on five continents")
    sheet.words(326, 256, "replicas that a read waits for, R", ha="right")


FIGURES = (
    Figure(
        name="quorum_latency",
        title="Latency against the size of the quorum",
        point_name="answers waited for",
        points=(1, 2, 3, 4, 5),
        series=tuple(LATENCIES),
        cell=latency,
        paint=paint_latency,
        form="{:.0f} ms",
        height=284,
    ),
    Figure(
        name="stale_reads",
        title="Stale reads against the quorums",
        point_name="R",
        points=(1, 2, 3, 4, 5),
        series=tuple(QUORUMS),
        cell=stale,
        paint=paint_stale,
        form="{:.2f} %",
        height=264,
    ),
)
