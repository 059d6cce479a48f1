"""The number of the page of questions that no other page has."""

from __future__ import annotations

from collections.abc import Callable

from ..patterns.availability import k_of_n, nines
from .runs import run_of


def ten_in_a_row() -> str:
    """What ten dependencies with three nines leave; a run shows the same for five."""
    run_of("availability", "series")
    return f"{float(100 * k_of_n(nines(3), needed=10, count=10)):.1f} percent"


NUMBERS: dict[str, Callable[[], str]] = {"ten in a row": ten_in_a_row}
