"""One call that runs a pattern from its start: the same arguments give the same run, anywhere."""

from __future__ import annotations

from functools import partial
from typing import Any

from .knobs import checked
from .pattern import Pattern, Script
from .sim import LIMIT, History, Sim, dispatch, run_until, start
from .trace import Run


def begin(pattern: Pattern, params: Any, seed: int) -> Sim[Any]:
    """The first instant of a run; `ValueError` for a parameter or seed that is not allowed."""
    if type(seed) is not int or not 0 <= seed < 2**32:
        raise ValueError(f"seed must be an integer from 0 to {2**32 - 1}, got {seed!r}")
    return start(pattern.update, partial(pattern.init, checked(params)), seed)


def run_script(
    first: Sim[Any], script: Script, until_ms: int, limit: int = LIMIT, taken: int = 0
) -> History[Any]:
    """Every instant from `first` on while the events of `script` come in at their times.

    What happens by itself at a moment comes before what the script does at that moment. Of `limit`
    events, `taken` came before `first`.
    """
    if until_ms < 0:
        raise ValueError(f"until_ms must be 0 or more, got {until_ms!r}")
    history = History(first, [])

    def go_on(sim: Sim[Any], to_ms: int) -> History[Any]:
        return history.extended(run_until(sim, to_ms, limit, taken + len(history) - 1))

    for time_ms, event in script:
        if time_ms > until_ms:
            break
        history = go_on(history[-1], time_ms)
        history = go_on(dispatch(history[-1], event, time_ms), time_ms)
    return go_on(history[-1], until_ms)


def run_pattern(
    pattern: Pattern, params: Any, script: Script, seed: int, until_ms: int, limit: int = LIMIT
) -> Run[Any]:
    """The run of a pattern; `ValueError` for what is not allowed, `RunLimit` past `limit`."""
    return Run(run_script(begin(pattern, params, seed), script, until_ms, limit))
