"""`make soak`: random runs for as long as one likes; what is found is shrunk to a permalink.

python -m tests.deep --minutes 10 --seed 1             # every pattern in turn
python -m tests.deep raft --minutes 2 --seed 7
python -m tests.deep raft --seed 7 --round 31          # one round once more

It ends with 1 if it found something, and writes each find into the file of `--out`.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from random import Random
from shlex import quote

from pysims import load_pattern, pattern_ids
from pysims.kernel import Pattern, RunLimit
from tests.deep.cases import BrokenError, Case, drawn_case
from tests.deep.checks import Find, found_in, raised, refused_or_found
from tests.deep.shrink import smaller

# A picture is drawn in one round of so many.
DRAWN_EVERY = 8
# The same fault of a pattern is shrunk and told once.
OUT = Path(".cache") / "soak.md"


@dataclass
class Tally:
    """What was done so far, and the kinds of faults that were found, by pattern."""

    rounds: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    cut_off: int = 0
    finds: dict[tuple[str, str], str] = field(default_factory=dict)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.deep", description=__doc__)
    parser.add_argument("patterns", nargs="*", help="which patterns (default: all)")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--round", type=int, help="only this round of each pattern")
    parser.add_argument("--out", type=Path, default=OUT, help="where finds are written")
    return parser.parse_args()


def round_of(pattern: Pattern, seed: int, number: int, tally: Tally) -> tuple[Case, Find] | None:
    """One random run and all checks on it; the case and what is wrong with it."""
    draws = Random(f"{seed}/{pattern.id}/{number}")
    drawing = number % DRAWN_EVERY == 0
    try:
        case, history, refused = drawn_case(pattern, draws)
    except RunLimit:
        tally.cut_off += 1
        return None
    except BrokenError as broken:
        return broken.case, raised("run", broken.problem)
    tally.rounds[pattern.id] += 1
    tally.events[pattern.id] += len(history) - 1
    tally.refused += refused
    find = found_in(case, history, draws, drawing=drawing)
    return (case, find) if find else None


def report_of(case: Case, find: Find, seed: int, number: int) -> str:
    """A find in Markdown: what it is, how to see it, and where it came from."""
    link = case.link(find.at_ms or 0).text
    pattern = case.pattern.id
    actions = len(case.script)
    return "\n".join(
        [
            f"### {pattern}: {find.kind}",
            "",
            f"{find.detail}. {actions} action{'s' * (actions != 1)}, {case.until_ms} ms.",
            "",
            "```sh",
            f"pysims run --link {quote(link)}",
            f"python -m tests.deep {pattern} --seed {seed} --round {number}",
            "```",
            "",
        ]
    )


def soak(given: argparse.Namespace, tally: Tally) -> None:
    """Rounds of every pattern in turn, until the time is over."""
    ends = time.monotonic() + given.minutes * 60
    patterns = [load_pattern(name) for name in given.patterns or pattern_ids()]
    for number in count() if given.round is None else [given.round]:
        for pattern in patterns:
            if given.round is None and time.monotonic() > ends:
                return
            found = round_of(pattern, given.seed, number, tally)
            if found and (pattern.id, found[1].kind) not in tally.finds:
                tell(*found, given, number, tally)


def tell(case: Case, find: Find, given: argparse.Namespace, number: int, tally: Tally) -> None:
    """Shrink a case, print how to see it, and write it down."""
    drawing = number % DRAWN_EVERY == 0
    case, find = smaller(case, find, partial(refused_or_found, drawing=drawing))
    text = report_of(case, find, given.seed, number)
    tally.finds[case.pattern.id, find.kind] = text
    print(text, flush=True)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text("\n".join(tally.finds.values()), "utf-8")


def main() -> int:
    given = options()
    given.out.unlink(missing_ok=True)
    tally = Tally()
    soak(given, tally)
    for name in tally.rounds:
        print(f"{name}: {tally.rounds[name]:,} runs, {tally.events[name]:,} events")
    print(
        f"{tally.rounds.total():,} runs, {tally.events.total():,} events, "
        f"{tally.refused:,} actions refused, {tally.cut_off:,} runs cut off, "
        f"{len(tally.finds)} finds."
    )
    return 1 if tally.finds else 0


if __name__ == "__main__":
    sys.exit(main())
