"""The figure of the chapter on rate limiting."""

from __future__ import annotations

from fractions import Fraction
from functools import cache

from ..guards.rate_limiters import (
    FixedWindow,
    Limiter,
    SlidingWindowCounter,
    SlidingWindowLog,
    TokenBucket,
)
from .base import Figure, Point, Row, column
from .ink import Sheet, curve, label

LIMIT, MINUTE_MS, END_MS = 100, 60_000, 130_000
LIMITERS: dict[str, Limiter] = {
    "fixed window": FixedWindow(LIMIT, MINUTE_MS),
    "sliding window log": SlidingWindowLog(LIMIT, MINUTE_MS),
    "sliding window counter": SlidingWindowCounter(LIMIT, MINUTE_MS),
    "token bucket": TokenBucket(LIMIT, Fraction(LIMIT, 60)),
}
REQUESTS_MS = (*[MINUTE_MS - 1] * LIMIT, *range(MINUTE_MS, END_MS, 10))
"""As many as are allowed at the end of a minute, then a hundred a second."""


@cache
def admitted_ms(series: str) -> tuple[int, ...]:
    """When this limiter admits a request."""
    limiter, admitted = LIMITERS[series], []
    for now_ms in REQUESTS_MS:
        limiter, decision = limiter.request(now_ms)
        if decision.allowed:
            admitted.append(now_ms)
    return tuple(admitted)


def admitted(point: Point, series: str) -> float:
    """How many requests were admitted before second `point`, all together."""
    return sum(now_ms < 1_000 * point for now_ms in admitted_ms(series))


def paint_admitted(sheet: Sheet, rows: tuple[Row, ...]) -> None:
    axes = sheet.axes(
        (38, 34, 326, 238),
        [(at, f"{at} s") for at in (60, 80, 100, 120)],
        [(at, f"{at}") for at in (0, 100, 200, 300)],
        x_range=(54, 130),
        y_range=(0, 318),
    )
    for minute in (60, 120):
        axes.axvline(minute, color="#010003", linewidth=1, linestyle=(0, (1, 3)))
    for index, every in ((2, 5), (3, 5), (1, 7), (0, 7)):
        x, y = column(rows, index)
        start = {2: 1, 3: 4}.get(index, 3)
        curve(axes, x, y, index, markevery=(start, every), drawstyle="steps-post")
    label(axes, 68, 215, "fixed window")
    label(axes, 86, 82, "sliding window log")
    label(axes, 118.5, 143, "token bucket and\nsliding window counter", ha="right")
    sheet.words(4, 16, "Requests admitted so far, of a limit of 100 a minute")
    sheet.words(326, 276, "time", ha="right")


FIGURES = (
    Figure(
        name="window_boundary",
        title="Admitted requests around the boundary of a window",
        point_name="time in s",
        points=(54, 56, 58, *range(60, 131, 2)),
        series=tuple(LIMITERS),
        cell=admitted,
        paint=paint_admitted,
        form="{:.0f}",
        height=284,
    ),
)
