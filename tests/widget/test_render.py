"""How numbers are printed in a widget, and what stands in a page before Python has come."""

from __future__ import annotations

import re

import pytest
from markupsafe import escape

from pysims.kernel import Pattern
from pysims.widget.render import clock, decimal, first_frame, frame, parts_of
from pysims.widget.session import opened
from tests.catalog import PATTERNS

DAY_MS = 86_400_000


@pytest.mark.parametrize(
    ("time_ms", "words"),
    [
        (0, "0.00 s"),
        (999, "999 ms"),
        (1_250, "1.25 s"),
        (3_599_990, "3599.99 s"),
        (3_600_000, "1 h 00 min"),
        (DAY_MS - 1, "23 h 59 min"),
        (3 * DAY_MS + 14_400_000, "3 d 04 h"),
        (365 * DAY_MS, "365 d 00 h"),
        (366 * DAY_MS, "1 y 0 d"),
        (29 * 31_557_600_000 + 351 * DAY_MS, "29 y 351 d"),
    ],
)
def test_a_clock_shows_the_two_units_that_matter(time_ms: int, words: str) -> None:
    assert clock(time_ms) == words


def test_a_coordinate_has_one_decimal() -> None:
    assert [decimal(value) for value in (-0.04, 1, 2.26)] == ["0.0", "1.0", "2.3"]


EMPTY = '<p class="sim-hint">This comes with the running simulation, in a moment.</p>'


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.id)
def test_a_first_frame_has_all_that_is_read_and_leaves_out_what_needs_python(
    pattern: Pattern,
) -> None:
    session = opened("w", pattern.id)
    now, first = frame(session), first_frame(session)
    for part, html in parts_of(session).items():
        assert html in now
        assert (html in first) == (part not in ("settings", "trace")), part
    assert first.count(EMPTY) == 2
    assert 'data-do="seed"' not in first
    assert str(escape(pattern.alternative(session.state, session.now_ms))) in first
    lines = re.findall(r'<li id="w-line-(\d+)">', first)
    assert str(session.at) in lines
    assert set(lines) <= set(re.findall(r'<li id="w-line-(\d+)">', now))
    assert len(first) < len(now)


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.id)
def test_a_figure_that_is_not_the_first_has_its_controls_in_templates(pattern: Pattern) -> None:
    session = opened("w", pattern.id)
    first, later = first_frame(session), first_frame(session, later=True)
    assert re.sub("</?template>", "", later) == first
    outside = re.sub("<template>.*?</template>", "", later)
    assert "<select" in first
    assert not re.search('<select|<input(?! type="range")|sim-transport|sim-actions', outside)
