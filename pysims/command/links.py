"""`pysims link`: the permalink of a run."""

from __future__ import annotations

import argparse

from ..kernel import run_pattern
from ..link import Link
from .choice import from_story


def print_link(options: argparse.Namespace) -> None:
    """The address of the run's page, below the site's root; the first scenario by default.

    The run is made once, so that the link of a run that cannot be is refused here.
    """
    run = from_story(options)
    story = run.pattern.scenario(run.scenario)
    at_ms = story.show_ms if options.at_ms is None else options.at_ms
    history = run_pattern(run.pattern, run.params, run.script, run.seed, run.until_ms).history
    if not 0 <= at_ms <= run.until_ms:
        raise ValueError(f"--at-ms must be from 0 to {run.until_ms}, the run's length, got {at_ms}")
    at = history.index_at(at_ms)
    link = Link(run.pattern, story.id, run.params, run.seed, run.script, run.until_ms, at_ms, at)
    page = f"embed/{run.pattern.id}/{story.id}.html#?{link.text}"
    print(f"{options.site.rstrip('/')}/{page}" if options.site else page)
