"""The figures of the chapter on distributed transactions."""

from __future__ import annotations

from functools import cache

from .. import run
from ..order_book import outcome_of
from ..patterns.two_phase_commit.measure import hold_ms
from .base import Figure, Point, Row, column
from .ink import Sheet, curve, label, theory

# --- Locks ----------------------------------------------------------------------------------------

WORK_MS = 5
FARTHER = {"all equally far": 0, "one farther by 15 ms": 15, "one farther by 30 ms": 30}


def held(point: Point, series: str) -> float:
    """How long (ms) an order with `point` participants holds its locks, on average."""
    return hold_ms(int(point), FARTHER[series], WORK_MS)


def paint_held(sheet: Sheet, rows: tuple[Row, ...]) -> None:
    axes = sheet.axes(
        (50, 34, 326, 218),
        [(at, f"{at}") for at in (2, 3, 4, 5, 6)],
        [(at, f"{at} ms") for at in (0, 25, 50, 75, 100)],
        x_range=(1.85, 6.15),
        y_range=(0, 105),
    )
    for index in range(3):
        curve(axes, *column(rows, index), index)
    label(axes, 2, 96, "one participant farther by 30 ms")
    label(axes, 2, 65, "one participant farther by 15 ms")
    label(axes, 2, 17, "all equally far")
    axes.axhline(WORK_MS, color="#010003", linewidth=1.25, linestyle=(0, (1, 2)))
    label(axes, 6.1, 11, "the work itself", ha="right", color="#010002")
    sheet.words(4, 16, "Mean time that a lock is held")
    sheet.words(326, 256, "participants of the transaction", ha="right")


# --- Contention -----------------------------------------------------------------------------------

RUSH_MS = 8_000
SIDES = {"two-phase commit": "two_phase_commit", "saga": "saga"}


@cache
def completed(pattern: str, orders_per_s: float) -> tuple[int, int]:
    """Orders that came in eight seconds for one row, and those that were completed in them."""
    last = run(pattern, "rush", params={"orders_per_s": orders_per_s}).last
    found = outcome_of(last.placed, last.reads, 0, RUSH_MS)
    return found.placed, found.in_time


def throughput(point: Point, series: str) -> float:
    """Orders completed a second, of `point` that come; in the last column, those that came."""
    came = series not in SIDES
    placed, in_time = completed("saga" if came else SIDES[series], point)
    return (placed if came else in_time) * 1_000 / RUSH_MS


def paint_throughput(sheet: Sheet, rows: tuple[Row, ...]) -> None:
    axes = sheet.axes(
        (30, 34, 326, 218),
        [(at, f"{at}") for at in (0, 20, 40, 60, 80)],
        [(at, f"{at}") for at in (0, 20, 40, 60, 80)],
        x_range=(0, 84),
        y_range=(0, 84),
    )
    theory(axes, *column(rows, 2))
    for index in range(2):
        curve(axes, *column(rows, index), index)
    label(axes, 47, 60, "came (thin line)", ha="right")
    label(axes, 66, 55, "saga")
    label(axes, 83, 30, "two-phase commit", ha="right")
    sheet.words(4, 16, "Orders completed a second")
    sheet.words(326, 256, "orders a second that want the same row", ha="right")


FIGURES = (
    Figure(
        name="lock_time",
        title="Time that a lock is held against participants",
        point_name="participants",
        points=(2, 3, 4, 5, 6),
        series=tuple(FARTHER),
        cell=held,
        paint=paint_held,
        form="{:.1f} ms",
        height=264,
    ),
    Figure(
        name="contended_row",
        title="Completed orders against contention",
        point_name="customers a second, on average",
        points=(10, 20, 30, 40, 50, 60, 70, 80),
        series=(*SIDES, "orders that came"),
        cell=throughput,
        paint=paint_throughput,
        form="{:.1f}",
        height=264,
    ),
)
