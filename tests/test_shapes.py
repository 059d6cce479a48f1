"""The geometry that scenes share."""

from __future__ import annotations

from itertools import pairwise
from math import hypot

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pysims.shapes import Scale, along, arc, around, on_circle, polyline, ticks


def test_turns_start_at_the_top_and_go_clockwise() -> None:
    quarters = [on_circle((10, 20), 5, turn) for turn in (0, 0.25, 0.5, 0.75)]
    assert quarters == [pytest.approx(point) for point in ((10, 15), (15, 20), (10, 25), (5, 20))]


def test_names_sit_evenly_at_a_round_table() -> None:
    places = around("ABCDE", 0, 0, 10)
    assert list(places) == list("ABCDE")
    assert places["A"] == pytest.approx((0, -10))
    points = [*places.values(), places["A"]]
    gaps = [hypot(a[0] - b[0], a[1] - b[1]) for a, b in pairwise(points)]
    assert gaps == pytest.approx([gaps[0]] * 5)


def test_a_way_leaves_out_the_ends_and_keeps_to_the_right() -> None:
    assert along((0, 0), (100, 0), 0.5) == pytest.approx((50, 0))
    assert along((0, 0), (100, 0), 0.0, start=20, end=10) == pytest.approx((20, 0))
    assert along((0, 0), (100, 0), 1.0, start=20, end=10) == pytest.approx((90, 0))
    there, back = along((0, 0), (100, 0), 0.5, aside=4), along((100, 0), (0, 0), 0.5, aside=4)
    assert there == pytest.approx((50, 4))
    assert back == pytest.approx((50, -4))
    assert along((1, 1), (1, 1), 0.5) == pytest.approx((1, 1))


def test_an_arc_says_whether_it_is_the_large_one() -> None:
    assert arc(0, 0, 10, 0, 0.25) == "M0.0 -10.0A10.0 10.0 0 0 1 10.0 -0.0"
    assert " 1 1 " in arc(0, 0, 10, 0, 0.75)
    assert arc(0, 0, 10, 0.2, 1.2).count("M") == 2


def test_a_scale_is_linear_and_a_flat_one_stays_at_its_start() -> None:
    scale = Scale(0, 10, 100, 0)
    assert [scale(value) for value in (0, 5, 10, 20)] == [100, 50, 0, -100]
    assert Scale(3, 3, 10, 20)(3) == 10


@pytest.mark.parametrize(
    ("low", "high", "about", "expected"),
    [
        (0, 10, 5, [0, 2, 4, 6, 8, 10]),
        (0, 1, 4, [0, 0.5, 1]),
        (0, 97, 5, [0, 20, 40, 60, 80]),
        (3, 3, 5, [3]),
        (-10, 10, 4, [-10, -5, 0, 5, 10]),
    ],
)
def test_ticks_are_round(low: float, high: float, about: int, expected: list[float]) -> None:
    assert ticks(low, high, about) == expected


@given(st.floats(0, 1e4), st.floats(1e-2, 1e4), st.integers(2, 10))
def test_ticks_stay_within_and_are_about_as_many(low: float, length: float, about: int) -> None:
    found = ticks(low, low + length, about)
    assert all(low - 1e-6 * length <= tick <= low + length * 1.000001 for tick in found)
    assert len(found) <= 2.5 * about + 2


def test_a_line_of_points() -> None:
    assert polyline([(0, 1), (2.04, 3)]) == "M0.0 1.0L2.0 3.0"
