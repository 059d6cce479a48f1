"""A smaller case with the same fault: fewer actions, less time, parameters as they usually are."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from typing import Any

from pysims.kernel import build
from tests.deep.cases import Case
from tests.deep.checks import Find

Judge = Callable[[Case], Find | None]


def smaller(case: Case, find: Find, judge: Judge, seconds: float = 60.0) -> tuple[Case, Find]:
    """The smallest case that was found in so many seconds; `judge` says what is wrong with one."""
    until = time.monotonic() + seconds
    shrinking = True
    while shrinking:
        shrinking = False
        for candidate in candidates(case, find):
            if time.monotonic() > until:
                return case, find
            other = judge(candidate)
            if other and other.kind == find.kind:
                case, find, shrinking = candidate, other, True
                break
    return case, find


def candidates(case: Case, find: Find) -> Iterator[Case]:
    """Smaller cases, the boldest first."""
    if find.at_ms is not None and find.at_ms < case.until_ms:
        script = tuple(timed for timed in case.script if timed[0] <= find.at_ms)
        yield replace(case, until_ms=find.at_ms, script=script)
    yield from fewer(case)
    if case.until_ms > 1:
        half = case.until_ms // 2
        yield replace(case, until_ms=half, script=tuple(t for t in case.script if t[0] <= half))
    yield from plainer(case)


def fewer(case: Case) -> Iterator[Case]:
    """Without a half of the actions, a quarter, …, one of them."""
    size = len(case.script)
    while size:
        for start in range(0, len(case.script), size):
            yield replace(case, script=case.script[:start] + case.script[start + size :])
        size //= 2


def plainer(case: Case) -> Iterator[Case]:
    """With one parameter as its scenario has it."""
    story = case.pattern.scenario(case.scenario)
    usual: Any = build(case.pattern.params, story.params)
    for field in fields(case.params):
        value = getattr(usual, field.name)
        if getattr(case.params, field.name) != value:
            yield replace(case, params=replace(case.params, **{field.name: value}))
    if case.seed != story.seed:
        yield replace(case, seed=story.seed)
