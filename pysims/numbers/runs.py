"""Runs for the prose: each is computed once, and whoever asks for one leaves a note of it.

A number in a sentence links to the run that it comes from. Nobody writes that link: `sources_of`
notes which runs were asked for while the number was computed. A function that keeps its result
(`noted`) keeps the notes too, so that a second number which it serves has the same sources.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import cache, wraps
from typing import Any, ParamSpec, TypeAlias, TypeVar, cast

from .. import run
from ..kernel import Run
from ..patterns import load_pattern

P = ParamSpec("P")
T = TypeVar("T")
Source: TypeAlias = tuple[str, str]
"""A pattern's id and a scenario's."""

_notes: list[Source] = []


@cache
def _story(pattern: str, scenario: str) -> Run[Any]:
    return run(pattern, scenario)


def run_of(pattern: str, scenario: str | None = None, **changes: Any) -> Run[Any]:
    """What `pysims.run` gives for the same arguments; the source is the scenario, or the first."""
    _notes.append((pattern, load_pattern(pattern).scenario(scenario).id))
    if scenario is None or changes:
        return run(pattern, scenario, **changes)
    return _story(pattern, scenario)


def shown(pattern: str, scenario: str) -> Any:
    """The state that a page shows of a scenario before its reader does anything."""
    return run_of(pattern, scenario).state_at(load_pattern(pattern).scenario(scenario).show_ms)


def noted(compute: Callable[P, T]) -> Callable[P, T]:
    """`compute`, which runs once for the same arguments and notes its sources every time."""
    known: dict[Hashable, tuple[T, tuple[Source, ...]]] = {}

    @wraps(compute)
    def once(*args: P.args, **more: P.kwargs) -> T:
        key = cast("Hashable", (args, tuple(more.items())))
        if key not in known:
            known[key] = sources_of(lambda: compute(*args, **more))
        value, sources = known[key]
        _notes.extend(sources)
        return value

    return once


def sources_of(compute: Callable[[], T]) -> tuple[T, tuple[Source, ...]]:
    """What `compute` gives, and the runs that it asked for, in their order and each once."""
    before = len(_notes)
    value = compute()
    sources = tuple(dict.fromkeys(_notes[before:]))
    del _notes[before:]
    return value, sources
