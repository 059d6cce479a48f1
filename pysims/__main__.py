"""The command line: `pysims list`, `pysims run hash_ring --scenario ring-kill`, `pysims link …`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

from . import Run, RunLimit, load_pattern, pattern_ids, run
from .kernel import Pattern, build, run_pattern
from .link import Link, link_from


def parser() -> argparse.ArgumentParser:
    """What the command understands."""
    top = argparse.ArgumentParser(
        prog="pysims", description="Run a pattern of distributed systems, seeded and checked."
    )
    verbs = top.add_subparsers(dest="verb", required=True)
    verbs.add_parser("list", help="the patterns and their scenarios")
    runs = verbs.add_parser("run", help="run a pattern and print its trace and digest")
    runs.add_argument("pattern", nargs="?", help="a name that `pysims list` shows")
    choices(runs)
    runs.add_argument("--link", metavar="URL", help="the run of a permalink, instead of all that")
    runs.add_argument("--json", action="store_true", help="print one JSON object instead of lines")
    links = verbs.add_parser("link", help="print the permalink of a run")
    links.add_argument("pattern", help="a name that `pysims list` shows")
    choices(links)
    links.add_argument("--at-ms", type=int, help="the moment to show (default: the scenario's)")
    links.add_argument("--site", default="", metavar="URL", help="the address of the site's root")
    return top


def choices(verb: argparse.ArgumentParser) -> None:
    """What a run is chosen by."""
    verb.add_argument("--scenario", help="a story of the pattern (default: see the command)")
    verb.add_argument("--seed", type=int, help="0 to 4294967295 (default: the scenario's, or 0)")
    verb.add_argument("--until-ms", type=int, help="how long to run, in simulated milliseconds")
    verb.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter of the pattern; may be given more than once",
    )


def list_patterns() -> None:
    """Every pattern with its scenarios and what each of them claims."""
    for pattern_id in pattern_ids():
        pattern = load_pattern(pattern_id)
        print(f"{pattern_id}: {pattern.summary}")
        for scenario in pattern.scenarios:
            print(f"    {scenario.id:<16} {scenario.claim}")


def params_of(options: argparse.Namespace) -> dict[str, str]:
    """Parameters by name, from `--set`."""
    pairs = [text.partition("=") for text in options.set]
    if any(not sign for _, sign, _ in pairs):
        raise ValueError(f"--set takes NAME=VALUE, got {options.set!r}")
    return {name: value for name, _, value in pairs}


def run_of(options: argparse.Namespace) -> tuple[Pattern, Run[Any]]:
    """The pattern and the run that a command asks for."""
    if options.link is None:
        if options.pattern is None:
            raise ValueError("run takes the name of a pattern, or --link")
        return load_pattern(options.pattern), run(
            options.pattern,
            options.scenario,
            params=params_of(options),
            seed=options.seed,
            until_ms=options.until_ms,
        )
    beside = ("pattern", "scenario", "seed", "until_ms", "set")
    if any(getattr(options, name) not in (None, []) for name in beside):
        raise ValueError("--link holds the whole run, leave out what else chooses one")
    link = link_from(options.link)
    done = run_pattern(link.pattern, link.params, link.script, link.seed, link.until_ms)
    return link.pattern, done


def print_run(options: argparse.Namespace) -> None:
    """The trace as sentences with their times, the digest last."""
    pattern, done = run_of(options)
    if options.json:
        print(json.dumps({"pattern": pattern.id, "trace": done.trace, "digest": done.digest}))
        return
    for index in range(1, len(done.history)):
        time_ms = done.history.time_ms(index)
        print(f"{time_ms:>8} ms  {pattern.describe(*done.history.change(index))}")
    print(pattern.alternative(done.history[-1].state, done.history[-1].now_ms))
    print(f"digest {done.digest}")


def print_link(options: argparse.Namespace) -> None:
    """The address of the run's page, below the site's root; the first scenario by default.

    The run is made once, so that the link of a run that cannot be is refused here.
    """
    pattern = load_pattern(options.pattern)
    story = pattern.scenario(options.scenario)
    params: Any = build(pattern.params, {**story.params, **params_of(options)})
    seed = story.seed if options.seed is None else options.seed
    until_ms = story.until_ms if options.until_ms is None else options.until_ms
    at_ms = story.show_ms if options.at_ms is None else options.at_ms
    history = run_pattern(pattern, params, story.script, seed, until_ms).history
    if not 0 <= at_ms <= until_ms:
        raise ValueError(f"--at-ms must be from 0 to {until_ms}, the run's length, got {at_ms}")
    at = history.index_at(at_ms)
    link = Link(pattern, story.id, params, seed, story.script, until_ms, at_ms, at)
    page = f"embed/{pattern.id}/{story.id}.html#?{link.text}"
    print(f"{options.site.rstrip('/')}/{page}" if options.site else page)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; 0 for success, 2 for a value that is not allowed."""
    options = parser().parse_args(arguments)
    try:
        {"list": lambda _: list_patterns(), "run": print_run, "link": print_link}[options.verb](
            options
        )
    except (ValueError, RunLimit) as problem:
        print(f"pysims: {problem}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
