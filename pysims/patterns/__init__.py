"""The patterns: one folder each; the folder's name is the pattern's id. There is no registry."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from ..kernel import Pattern
from .shelf import SHELF

BESIDE_THE_MODEL = frozenset({"view", "words", "scenarios", "questions"})
"""The modules of a pattern that draw, tell and measure what the others have computed."""


@cache
def _folders() -> frozenset[str]:
    return frozenset(m.name for m in iter_modules(__path__) if m.ispkg)


def pattern_ids() -> tuple[str, ...]:
    """The names of the folders beside this file, and of what is on the shelf, in order."""
    return tuple(sorted({*_folders(), *SHELF.ids()}))


@cache
def load_pattern(pattern_id: str) -> Pattern:
    """The pattern of this name; `ValueError` names those that there are."""
    if pattern_id not in pattern_ids():
        known = ", ".join(pattern_ids())
        raise ValueError(f"there is no pattern {pattern_id[:60]!r}, there are: {known}")
    pattern: Pattern = import_module(f"{__name__}.{pattern_id}").PATTERN
    return pattern
