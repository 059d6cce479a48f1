"""Shapes: the little geometry that several scenes share, as plain numbers.

Angles are turns, 0 at the top and clockwise, because that is how clocks and rings are read. All
lengths are units of the SVG's `viewBox`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import cos, hypot, pi, sin
from typing import TypeAlias

Point: TypeAlias = tuple[float, float]


def on_circle(center: Point, radius: float, turn: float) -> Point:
    """The point of a circle at this turn."""
    angle = 2 * pi * turn
    return center[0] + radius * sin(angle), center[1] - radius * cos(angle)


def around(
    names: Sequence[str], cx: float, cy: float, radius: float, first: float = 0.0
) -> dict[str, Point]:
    """Where each name sits at a round table, the first at the turn `first`, then clockwise."""
    return {
        name: on_circle((cx, cy), radius, first + index / len(names))
        for index, name in enumerate(names)
    }


def along(
    a: Point, b: Point, fraction: float, aside: float = 0.0, start: float = 0.0, end: float = 0.0
) -> Point:
    """A point on the way from `a` to `b`.

    `aside` shifts it to the right of the way, so that two directions do not overlap; `start` and
    `end` are the lengths left out at both ends (the radii of the two nodes).
    """
    dx, dy = b[0] - a[0], b[1] - a[1]
    length = hypot(dx, dy) or 1.0
    gone = start + fraction * max(0.0, length - start - end)
    ux, uy = dx / length, dy / length
    return a[0] + ux * gone - uy * aside, a[1] + uy * gone + ux * aside


def arc(cx: float, cy: float, radius: float, start: float, end: float) -> str:
    """An SVG path along a circle, clockwise from one turn to another (`end` may pass 1)."""
    if end - start >= 1:
        return arc(cx, cy, radius, start, start + 0.5) + arc(
            cx, cy, radius, start + 0.5, start + 0.9999
        )
    (x1, y1), (x2, y2) = (on_circle((cx, cy), radius, turn) for turn in (start, end))
    large = 1 if end - start > 0.5 else 0
    return f"M{x1:.1f} {y1:.1f}A{radius:.1f} {radius:.1f} 0 {large} 1 {x2:.1f} {y2:.1f}"


@dataclass(frozen=True, slots=True)
class Scale:
    """A linear axis: values from `low` to `high` on lengths from `from_px` to `to_px`."""

    low: float
    high: float
    from_px: float
    to_px: float

    def __call__(self, value: float) -> float:
        """Where a value lies; values outside lie outside."""
        part = (value - self.low) / ((self.high - self.low) or 1.0)
        return self.from_px + part * (self.to_px - self.from_px)


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round values from `low` to `high`, about so many: steps of 1, 2 or 5 times a power of ten."""
    if high <= low:
        return [low]
    rough = (high - low) / max(1, about)
    power = 1.0
    while power > rough:
        power /= 10
    while power * 10 <= rough:
        power *= 10
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    first = int(low / step) if low >= 0 else -int(-low / step)
    return [
        round(index * step, 10)
        for index in range(first, int(high / step + 1e-9) + 1)
        if index * step >= low - step * 1e-9
    ]


def polyline(points: Iterable[Point]) -> str:
    """The points as an SVG path of straight lines."""
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
