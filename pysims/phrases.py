"""Phrases: how several patterns put numbers and names into words."""

from __future__ import annotations

from collections.abc import Iterable


def listed(names: Iterable[str], last: str = "and", nobody: str = "nobody") -> str:
    """The names in a row: "A", "A and B", "A, B and C"; without any, the word for nobody."""
    *others, end = [*names] or [nobody]
    return f"{', '.join(others)} {last} {end}" if others else end


def many(count: int, thing: str) -> str:
    """A number with its noun: "1 booking", "2 bookings"."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def percent(share: float) -> str:
    """A share (0.0 to 1.0) for people: whole percents, with one decimal below ten."""
    return f"{100 * share:.0f} %" if share >= 0.0995 or share == 0 else f"{100 * share:.1f} %"
