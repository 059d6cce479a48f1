"""How systems survive chaos: real algorithms of distributed systems, seeded and checked.

    >>> import pysims
    >>> run = pysims.run("hash_ring", "ring-kill")
    >>> len(run.history), len(run.trace), len(run.digest)
    (2, 1, 32)

The core has no dependency. `pysims.kernel` is how a run works, `pysims.patterns` what runs,
`pysims.widget` how a page shows it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import is_dataclass
from typing import Any

from . import kernel
from .kernel import LIMIT, Run, RunLimit, build
from .patterns import load_pattern, pattern_ids

__all__ = ["Run", "RunLimit", "kernel", "load_pattern", "pattern_ids", "run"]
__version__ = "0.1.0"


def run(
    pattern: str,
    scenario: str | None = None,
    *,
    params: Mapping[str, Any] | None = None,
    script: Sequence[tuple[int, Any]] = (),
    seed: int | None = None,
    until_ms: int | None = None,
    limit: int = LIMIT,
) -> Run[Any]:
    """Run a pattern and give every instant of it.

    `pattern` is the name of a folder of `pysims.patterns`. With a `scenario` its parameters,
    script, seed and length are the start; `params` (a mapping, field to value), `seed` (an
    integer from 0 to 2³² − 1) and `until_ms` (milliseconds) override them, and the events of
    `script`, pairs `(time_ms, event)`, happen besides. Without a scenario the run starts from the
    default parameters, seed 0, with `script` alone, until a minute after its last event.

    `ValueError` names a value that is not allowed; `RunLimit` says that the run had more than
    `limit` events.
    """
    chosen = load_pattern(pattern)
    events = sorted(script, key=lambda timed: timed[0])
    if any(type(time_ms) is not int or time_ms < 0 for time_ms, _ in events):
        raise ValueError(f"times in a script must be integers of 0 or more, got {script!r}")
    for _, event in events:
        if is_dataclass(event):
            kernel.checked(event)
    settings = dict(params or {})
    if scenario is not None:
        story = chosen.scenario(scenario)
        settings = {**story.params, **settings}
        seed = story.seed if seed is None else seed
        until_ms = story.until_ms if until_ms is None else until_ms
        events = sorted([*story.script, *events], key=lambda timed: timed[0])
    if until_ms is None:
        until_ms = (events[-1][0] if events else 0) + 60_000
    return kernel.run_pattern(
        chosen, build(chosen.params, settings), tuple(events), seed or 0, until_ms, limit
    )
