"""The command line: `pysims list`, `run`, `sweep`, `plot`, `link`; `--help` says more of each."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from .command.assets import print_assets
from .command.choice import choices
from .command.links import print_link
from .command.listing import list_patterns
from .command.plots import save_plot
from .command.runs import print_run
from .command.shown import WHEN
from .command.sweeps import FORMATS, print_sweep
from .kernel import RunLimit
from .sweep import LIMIT

REFUSED, INTERRUPTED = 2, 130


class Parser(argparse.ArgumentParser):
    """One that says what is wrong in one line, as all of this command does."""

    def error(self, message: str) -> NoReturn:
        """Print the sentence, and end."""
        self.exit(REFUSED, f"{self.prog}: {message}\n")


def parser() -> argparse.ArgumentParser:
    """What the command understands."""
    top = Parser(
        prog="pysims", description="Run a pattern of distributed systems, seeded and checked."
    )
    verbs = top.add_subparsers(dest="verb", required=True)
    verbs.add_parser("list", help="the patterns and their scenarios")
    runs = verbs.add_parser("run", help="run a pattern and print its trace and digest")
    named(runs)
    choices(runs)
    runs.add_argument("--json", action="store_true", help="print one JSON object instead of lines")
    runs.add_argument(
        "--color", choices=WHEN, default="auto", help="colors (default: on a terminal)"
    )
    sweeps = verbs.add_parser("sweep", help="ask many seeds a question, on all cores")
    named(sweeps)
    choices(sweeps, seed=False)
    seeds(sweeps)
    sweeps.add_argument("--questions", action="store_true", help="list the pattern's questions")
    sweeps.add_argument("--format", choices=FORMATS, default="table", help="(default: table)")
    plots = verbs.add_parser("plot", help="draw a run, or (--question) the answers of many seeds")
    named(plots)
    choices(plots)
    seeds(plots)
    plots.add_argument(
        "-o", "--output", metavar="FILE", help="a name that ends in .png, .svg, .pdf"
    )
    links = verbs.add_parser("link", help="print the permalink of a run")
    links.add_argument("pattern", help="a name that `pysims list` shows")
    choices(links)
    links.add_argument("--at-ms", type=int, help="the moment to show (default: the scenario's)")
    links.add_argument("--site", default="", metavar="URL", help="the address of the site's root")
    assets = verbs.add_parser("assets", help="copy the browser's files into your own site")
    assets.add_argument("docs", nargs="?", type=Path, default=Path("docs"), help="your pages")
    assets.add_argument("--check", action="store_true", help="write nothing; 1 if out of date")
    return top


def named(verb: argparse.ArgumentParser) -> None:
    """Which pattern, or which permalink."""
    verb.add_argument("pattern", nargs="?", help="a name that `pysims list` shows")
    verb.add_argument("--link", metavar="URL", help="the run of a permalink, instead of all that")


def seeds(verb: argparse.ArgumentParser) -> None:
    """Which question, and to which seeds."""
    verb.add_argument("--question", metavar="ID", help="see `sweep PATTERN --questions`")
    verb.add_argument("--seeds", type=int, default=1_000, help="how many (default: 1000)")
    verb.add_argument("--first", type=int, default=0, help="the first of them (default: 0)")
    verb.add_argument("--jobs", type=int, help="processes (default: one for each core)")
    verb.add_argument(
        "--limit",
        type=int,
        default=LIMIT,
        help=f"the most events of a run (default: {LIMIT}, as in a page)",
    )


VERBS: dict[str, Callable[[argparse.Namespace], int | None]] = {
    "list": list_patterns,
    "run": print_run,
    "sweep": print_sweep,
    "plot": save_plot,
    "link": print_link,
    "assets": print_assets,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; gives the exit status.

    0 is success, 1 a failed `assets --check`, 2 a value that is not allowed, 130 Ctrl-C.
    """
    options = parser().parse_args(arguments)
    try:
        status = VERBS[options.verb](options)
        sys.stdout.flush()
    except (ValueError, RunLimit) as problem:
        print(f"pysims: {problem}", file=sys.stderr)
        return REFUSED
    except KeyboardInterrupt:
        print("pysims: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has enough; what is still to be written goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return status or 0


if __name__ == "__main__":
    sys.exit(main())
