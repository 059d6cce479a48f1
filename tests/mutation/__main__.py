"""`make mutants`: break the code in one place at a time, and see whether a test notices.

python -m tests.mutation                                 # kernel, guards, checker, order book: all
python -m tests.mutation raft saga --sample 60 --seed 1  # a sample of each pattern's models
python -m tests.mutation patterns --sample 60 --seed 1   # of every pattern

It ends with 1 if a mutant survives that `survivors.toml` does not explain.
`--again` tries only what survived or is new since the last time.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections import Counter
from functools import cache
from pathlib import Path
from random import Random

from tests.mutation import report
from tests.mutation.operators import ROOT, Mutant, mutants_of
from tests.mutation.suite import CACHE, CONTRACT, GOLDEN, Suite, suite_for
from tests.mutation.trial import SURVIVED, Case, Verdict, tried

SHARED = ("kernel", "guards", "consistency", "order_book")
PATTERNS = ROOT / "pysims" / "patterns"
# What draws and tells has tests of its own kind, and a story is data that its claim holds.
BESIDE = ("view", "words", "scenarios")
VERDICTS = CACHE / "verdicts.jsonl"


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("modules", nargs="*", default=SHARED, help="groups, patterns, or files")
    parser.add_argument("--sample", type=int, help="so many mutants of each group, at most")
    parser.add_argument("--seed", type=int, default=1, help="which sample")
    parser.add_argument("--budget", type=float, default=20.0, help="CPU seconds of tests a mutant")
    parser.add_argument("--least", type=float, help="fail below this rate (%%), not for survivors")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--stories", action="store_true", help="judged by the contract alone")
    parser.add_argument("--beside", action="store_true", help="views and words instead of models")
    parser.add_argument("--again", action="store_true", help="only what survived or is new")
    return parser.parse_args()


def modules_of(group: str, beside: bool = False) -> list[Path]:
    """The files of a group; `ValueError` if there is no such group."""
    if (ROOT / "pysims" / f"{group}.py").is_file():
        return [ROOT / "pysims" / f"{group}.py"]
    if (ROOT / group).is_file():
        return [ROOT / group]
    for folder in (ROOT / "pysims" / group, PATTERNS / group):
        if (folder / "__init__.py").is_file():
            files = sorted(folder.glob("*.py"))
            if folder.parent == PATTERNS:
                files = [path for path in files if (path.stem in BESIDE) == beside]
            return [path for path in files if path.stem != "scenarios"]
    raise ValueError(f"there is no module {group!r}")


def groups_of(names: list[str]) -> list[str]:
    """The groups that were asked for; `patterns` stands for every pattern."""
    found: list[str] = []
    for name in names:
        if name == "patterns":
            found += sorted(p.parent.name for p in PATTERNS.glob("*/__init__.py"))
        else:
            found.append(name)
    return found


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def case_of(mutant: Mutant, suite: Suite, budget: float) -> Case:
    """The mutant with the tests that reach it, as many as the budget allows, cheapest first."""
    tree, mutants = mutants_of(ROOT / mutant.file)
    mine = mutants[mutant.number]
    if mine.inside:
        names = suite.tests_for(mine.file, [mine.line])
        if not names:
            names = suite.tests_for(mine.file, lines_of(mine))
    else:
        names = suite.tests_for(mine.file, suite.reach.get(mine.file, {}))
    chosen: list[str] = []
    spent = 0.0
    for name in names:
        # What the contract asks of a run is asked of one run.
        spent += suite.seconds[name] * (not name.startswith(CONTRACT) or GOLDEN in name)
        if chosen and spent > budget:
            break
        chosen.append(name)
    return Case(mine, tree, chosen, len(chosen) < len(names))


def lines_of(mutant: Mutant) -> range:
    """A line inside a longer expression is not always one that coverage counts; look around it."""
    return range(mutant.line - 3, mutant.line + 4)


@cache
def digest_of(file: str) -> str:
    return hashlib.blake2b((ROOT / file).read_bytes(), digest_size=8).hexdigest()


def name_of(mutant: Mutant) -> str:
    return f"{mutant.file} {digest_of(mutant.file)} {mutant.number} {mutant.change}"


def killed_before() -> dict[str, Verdict]:
    """What earlier runs killed, by name; its file has not changed since."""
    if not VERDICTS.exists():
        return {}
    found = {}
    for line in VERDICTS.read_text("utf-8").splitlines():
        name, outcome, by = json.loads(line)
        if outcome != SURVIVED:
            found[name] = Verdict(outcome, by)
    return found


def chosen_of(group: str, mutants: list[Mutant], sample: int | None, seed: int) -> list[Mutant]:
    """All of them, or a sample that the seed and the group's name choose; a larger one holds it."""
    numbers = list(range(len(mutants)))
    Random(f"{seed}/{group}").shuffle(numbers)
    return [mutants[number] for number in sorted(numbers[:sample])]


def main() -> int:
    given = options()
    groups = groups_of(list(given.modules))
    suite = suite_for(groups, say, given.stories)
    before = killed_before() if given.again else {}
    rows: list[report.Row] = []
    verdicts: list[tuple[Mutant, Verdict]] = []
    every: list[Mutant] = []
    VERDICTS.parent.mkdir(parents=True, exist_ok=True)
    for group in groups:
        mutants = [m for path in modules_of(group, given.beside) for m in mutants_of(path)[1]]
        every += mutants
        picked = chosen_of(group, mutants, given.sample, given.seed)
        done = judged(picked, suite, given, before)
        verdicts += done
        rows += rows_of(group, mutants, done, whole=len(picked) == len(mutants))
        say(report.table(rows[-1:]).splitlines()[2])
    print(report.table(rows))
    status = told(verdicts, every)
    if given.least is None:
        return status
    rate = 100 * sum(row.dead for row in rows) / max(1, sum(row.tried for row in rows))
    return int(rate < given.least)


def judged(
    mutants: list[Mutant], suite: Suite, given: argparse.Namespace, before: dict[str, Verdict]
) -> list[tuple[Mutant, Verdict]]:
    """Mutant and verdict, in the order of the sources."""
    done: dict[str, Verdict] = {}
    cases = []
    for mutant in mutants:
        name = name_of(mutant)
        if name in before:
            done[name] = before[name]
        else:
            cases.append(case_of(mutant, suite, given.budget))
    began = time.monotonic()
    with VERDICTS.open("a", encoding="utf-8") as kept:
        for number, (case, verdict) in enumerate(tried(cases, suite, given.jobs), 1):
            name = name_of(case.mutant)
            done[name] = verdict
            kept.write(json.dumps([name, verdict.outcome, verdict.by]) + "\n")
            kept.flush()
            if verdict.outcome == SURVIVED:
                mutant = case.mutant
                say(f"  survived {mutant.file}:{mutant.line} {mutant.change}")
            if number % 50 == 0:
                say(f"  {number}/{len(cases)} in {time.monotonic() - began:.0f} s")
    return [(mutant, done[name_of(mutant)]) for mutant in mutants]


def rows_of(
    group: str, mutants: list[Mutant], done: list[tuple[Mutant, Verdict]], whole: bool
) -> list[report.Row]:
    """A row for the group, or for each of its files where all were tried."""
    if not whole:
        counts = Counter(verdict.outcome for _, verdict in done)
        return [report.Row(f"`{group}` (sample)", len(mutants), counts)]
    rows = []
    for file in dict.fromkeys(mutant.file for mutant in mutants):
        counts = Counter(verdict.outcome for mutant, verdict in done if mutant.file == file)
        short = file.removeprefix("pysims/").removesuffix(".py")
        rows.append(report.Row(f"`{short}`", counts.total(), counts))
    return rows


def told(verdicts: list[tuple[Mutant, Verdict]], every: list[Mutant]) -> int:
    """Print what nobody explains, and what is explained and gone; the exit code."""
    new = report.unexplained(verdicts)
    for mutant, verdict in new:
        note = f"  ({verdict.by})" if verdict.by else "  (more tests reach it)" * verdict.cut
        print(f"\n{mutant.file}:{mutant.line} in {mutant.function or 'the module'}{note}")
        print(f"    {mutant.text}\n    {mutant.change}")
    files = {mutant.file for mutant in every}
    known = [key for key in report.explained() if key[0] in files]
    gone = report.left_over(known, every)
    for key in gone:
        print(f"\nsurvivors.toml explains a mutant that there is no longer: {' | '.join(key)}")
    alive = sum(verdict.outcome == SURVIVED for _, verdict in verdicts)
    print(f"\n{alive} survived, {len(new)} of them unexplained.")
    return 1 if new or gone else 0


if __name__ == "__main__":
    sys.exit(main())
