"""The command line: `pysims list`, `pysims run hash_ring --scenario ring-kill`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from . import RunLimit, load_pattern, pattern_ids, run


def parser() -> argparse.ArgumentParser:
    """What the command understands."""
    top = argparse.ArgumentParser(
        prog="pysims", description="Run a pattern of distributed systems, seeded and checked."
    )
    verbs = top.add_subparsers(dest="verb", required=True)
    verbs.add_parser("list", help="the patterns and their scenarios")
    runs = verbs.add_parser("run", help="run a pattern and print its trace and digest")
    runs.add_argument("pattern", help="a name that `pysims list` shows")
    runs.add_argument("--scenario", help="a story of the pattern (default: none, plain parameters)")
    runs.add_argument("--seed", type=int, help="0 to 4294967295 (default: the scenario's, or 0)")
    runs.add_argument("--until-ms", type=int, help="how long to run, in simulated milliseconds")
    runs.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter of the pattern; may be given more than once",
    )
    runs.add_argument("--json", action="store_true", help="print one JSON object instead of lines")
    return top


def list_patterns() -> None:
    """Every pattern with its scenarios and what each of them claims."""
    for pattern_id in pattern_ids():
        pattern = load_pattern(pattern_id)
        print(f"{pattern_id}: {pattern.summary}")
        for scenario in pattern.scenarios:
            print(f"    {scenario.id:<16} {scenario.claim}")


def print_run(options: argparse.Namespace) -> None:
    """The trace as sentences with their times, the digest last."""
    pairs = [text.partition("=") for text in options.set]
    if any(not sign for _, sign, _ in pairs):
        raise ValueError(f"--set takes NAME=VALUE, got {options.set!r}")
    params = {name: value for name, _, value in pairs}
    pattern = load_pattern(options.pattern)
    done = run(
        options.pattern,
        options.scenario,
        params=params,
        seed=options.seed,
        until_ms=options.until_ms,
    )
    if options.json:
        print(json.dumps({"pattern": options.pattern, "trace": done.trace, "digest": done.digest}))
        return
    for index in range(1, len(done.history)):
        time_ms = done.history.time_ms(index)
        print(f"{time_ms:>8} ms  {pattern.describe(*done.history.change(index))}")
    print(pattern.alternative(done.history[-1].state, done.history[-1].now_ms))
    print(f"digest {done.digest}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; 0 for success, 2 for a value that is not allowed."""
    options = parser().parse_args(arguments)
    try:
        if options.verb == "list":
            list_patterns()
        else:
            print_run(options)
    except (ValueError, RunLimit) as problem:
        print(f"pysims: {problem}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
