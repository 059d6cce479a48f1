"""The tests that judge mutants: collected once, timed once, and who of them runs which line.

A unit is a file of tests, or what a file that goes through all patterns asks of one of them. What a
unit's tests cover is kept in `.cache/mutation/` until a source or the unit's file changes.
"""

from __future__ import annotations

import gc
import hashlib
import json
import os
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import _lru_cache_wrapper, cache
from io import StringIO
from pathlib import Path
from types import FrameType
from typing import Any

import coverage
import pytest
from _pytest.config import _prepareconfig
from _pytest.main import Session
from _pytest.runner import runtestprotocol
from hypothesis import HealthCheck, Phase, settings

from tests.mutation.operators import ROOT

CACHE = ROOT / ".cache" / "mutation"
CONTRACT = "tests/test_contract.py"
# Their tests name a pattern: `test_knobs_are_as_they_were[raft]`, `test_a_setting…[raft/loss]`.
BY_PATTERN = (CONTRACT, "tests/test_knobs_golden.py", "tests/test_breadth_golden.py")
SHARED = (
    "tests/kernel",
    "tests/guards",
    "tests/test_consistency.py",
    "tests/test_order_book.py",
    "tests/test_link.py",
    "tests/test_sweep.py",
    "tests/widget/test_session.py",
)
# In other processes a mutant does not live, and other Pythons are not asked.
ELSEWHERE = ("under_two_hash_seeds", "test_no_golden_trace_is_left_over")
# These say in a minute what the golden trace says in a second: whether a run is another.
SLOW = ("test_the_same_run_twice", "test_nothing_is_mutated", "has_many_answers_where_runs_are")
# A test (or a story) that takes more CPU time under coverage judges no mutant; of a unit, as many
# tests judge as fit into so many seconds.
LONGEST_S, UNIT_S = 15.0, 60.0
# What patterns share has tests of its own; besides, its mutants run the stories of these.
CHEAP = (
    "availability", "cap_theorem", "circuit_breaker", "hash_ring", "raft", "rate_limiter", "saga",
    "split_brain", "transactional_outbox", "two_phase_commit", "uncoordinated_transaction",
)  # fmt: skip
GOLDEN = "test_the_trace_is_the_golden_one"


def arguments(paths: Iterable[str]) -> list[str]:
    """What pytest is called with."""
    return [
        *paths, "--reruns=0", "-p", "no:xdist", "--capture=no", "-q",
        "-m", "not browser and not site", "-o", f"cache_dir={CACHE / 'pytest'}",
        "-W", "ignore::pytest.PytestAssertRewriteWarning",
    ]  # fmt: skip


def steady() -> None:
    """Hypothesis with the same examples each time, no clock, and no search for smaller ones."""
    settings.register_profile(
        "mutants",
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    settings.load_profile("mutants")


def paths_for(groups: Iterable[str]) -> list[str]:
    """The files and folders whose tests may judge these groups of modules."""
    paths = [*BY_PATTERN, *SHARED]
    for group in groups:
        folder = f"tests/patterns/{group}"
        if (ROOT / folder).is_dir():
            paths.append(folder)
    return list(dict.fromkeys(paths))


def collected(paths: Iterable[str]) -> list[pytest.Item]:
    """The tests in these files, ready to run in this process and its forks."""
    with redirect_stdout(StringIO()):
        config = _prepareconfig(arguments(paths))
        config._do_configure()
        session = Session.from_config(config)
        config.hook.pytest_sessionstart(session=session)
        session.perform_collect()
    left_out = (*ELSEWHERE, *SLOW)
    return [item for item in session.items if not any(name in item.nodeid for name in left_out)]


def passes(item: pytest.Item) -> bool:
    reports = runtestprotocol(item, log=False, nextitem=None)
    return not any(report.failed for report in reports)


def forget() -> None:
    """Empty every cache of a function, so that no test lives on what another computed."""
    for one in gc.get_objects():
        if isinstance(one, _lru_cache_wrapper):
            one.cache_clear()


def unit_of(nodeid: str) -> str:
    """The file of a test; of one that goes through all patterns, the file and the pattern."""
    file, _, rest = nodeid.partition("::")
    if file not in BY_PATTERN:
        return file
    return f"{file}::{rest.partition('[')[2].rstrip(']').partition('/')[0]}"


@dataclass(slots=True)
class Suite:
    """Tests by name, the CPU seconds that each takes, and the tests that run a line of a file."""

    items: dict[str, pytest.Item]
    seconds: dict[str, float]
    reach: dict[str, dict[int, list[str]]]

    def tests_for(self, file: str, lines: Iterable[int]) -> list[str]:
        """The tests that run one of these lines, the cheapest first."""
        reach = self.reach.get(file, {})
        whole = self.reach.get(f"{file.rpartition('/')[0]}/*", {})
        names = {name for line in lines for name in reach.get(line, ())}
        names.update(whole.get(0, ()))
        return sorted(names, key=lambda name: (self.seconds[name], GOLDEN not in name, name))


def suite_for(groups: Iterable[str], say: Callable[[str], None], stories_only: bool) -> Suite:
    """All that can judge these groups; what is not known yet is measured, in forks."""
    steady()
    groups = list(groups)
    paths = [CONTRACT] if stories_only else paths_for(groups)
    items = {item.nodeid: item for item in collected(paths)}
    units: dict[str, list[pytest.Item]] = defaultdict(list)
    for item in items.values():
        units[unit_of(item.nodeid)].append(item)
    units = {name: tests for name, tests in units.items() if wanted(name, groups)}
    suite = Suite(items, {}, defaultdict(lambda: defaultdict(list)))
    # Most tests of a pattern run most of its lines: which ones is not worth the time to measure.
    plain = all((ROOT / "pysims" / "patterns" / group).is_dir() for group in groups)
    for number, (name, tests) in enumerate(sorted(units.items()), 1):
        found = kept(name, plain) or kept(name, False) or measured(name, tests, plain)
        say(f"{number}/{len(units)} {name}: {len(found['seconds'])} tests")
        suite.seconds.update(found["seconds"])
        names = found["names"]
        for file, lines in found["reach"].items():
            for line, numbers in lines.items():
                suite.reach[file][int(line)] += [names[n] for n in numbers]
    forget()
    return suite


def wanted(unit: str, groups: list[str]) -> bool:
    """Whether a unit may judge one of these groups; a pattern's own tests judge no other's."""
    names = [
        group.removeprefix("pysims/").partition("/")[0].removesuffix(".py") for group in groups
    ]
    shared = [name for name in names if not (ROOT / "pysims" / "patterns" / name).is_dir()]
    file, _, pattern = unit.partition("::")
    pattern = pattern or (file.split("/")[2] if file.startswith("tests/patterns/") else "")
    if pattern:
        cheap = bool(shared) and unit.startswith(CONTRACT) and pattern in CHEAP
        return pattern in names or cheap
    return bool(shared)


@cache
def sources() -> str:
    digest = hashlib.blake2b(digest_size=16)
    for path in sorted((ROOT / "pysims").rglob("*.py")):
        if "node_modules" not in path.parts:
            digest.update(path.read_bytes())
    return digest.hexdigest()


def place_of(unit: str, plain: bool) -> Path:
    """Where a unit's figures are kept: another place when any source of it changes."""
    path = ROOT / unit.partition("::")[0]
    digest = hashlib.blake2b(f"{unit} {sources()} {sys.version}".encode(), digest_size=12)
    digest.update(b"plain" * plain)
    digest.update(path.read_bytes())
    if path.parent.name != "tests":
        for beside in sorted(path.parent.glob("*.py")):
            # What tests of the folder share; another test is another unit.
            digest.update(b"" if beside.name.startswith("test_") else beside.read_bytes())
    return CACHE / "reach" / f"{digest.hexdigest()}.json"


def kept(unit: str, plain: bool) -> dict[str, Any] | None:
    place = place_of(unit, plain)
    return json.loads(place.read_text()) if place.exists() else None


def measured(unit: str, items: list[pytest.Item], plain: bool) -> dict[str, Any]:
    """Run a unit in a fork, under coverage with a context for each test, or plainly."""
    place = place_of(unit, plain)
    place.parent.mkdir(parents=True, exist_ok=True)
    child = os.fork()
    if not child:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        try:
            place.write_text(json.dumps(timed(unit, items) if plain else watched(items)))
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    found = kept(unit, plain)
    if found is None:
        raise RuntimeError(f"the tests of {unit} could not be measured")
    return found


def watched(items: list[pytest.Item]) -> dict[str, Any]:
    """CPU seconds and lines of each test that passes."""
    silent()
    watch = coverage.Coverage(data_file=None, config_file=False, source=[str(ROOT / "pysims")])
    together: dict[str, list[str]] = {}
    watch.start()
    seconds = {}
    for first, passed, spent in one_by_one(items, watch.switch_context):
        seconds.update(dict.fromkeys(passed, spent))
        together[first] = passed
    watch.stop()
    data = watch.get_data()
    names = list(seconds)
    numbers = {name: number for number, name in enumerate(names)}
    reach = {}
    for file in data.measured_files():
        lines = {
            line: [numbers[name] for first in contexts for name in together.get(first, ())]
            for line, contexts in data.contexts_by_lineno(file).items()
        }
        reach[Path(file).relative_to(ROOT).as_posix()] = lines
    return {"names": names, "seconds": seconds, "reach": reach}


class TooLong(BaseException):
    """A test took more than `LONGEST_S`."""


def in_time(story: list[pytest.Item]) -> list[str]:
    """The tests of a story that pass; none if it takes too long."""

    def over(number: int, frame: FrameType | None) -> None:
        raise TooLong

    signal.signal(signal.SIGPROF, over)
    signal.setitimer(signal.ITIMER_PROF, LONGEST_S, LONGEST_S)
    try:
        try:
            return [item.nodeid for item in story if passes(item)]
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
    except TooLong:
        # Also when it comes between the last test and the line that stops the clock.
        return []


def timed(unit: str, items: list[pytest.Item]) -> dict[str, Any]:
    """The same for a pattern, each of whose tests counts as one that runs all of its lines."""
    silent()
    seconds: dict[str, float] = {}
    for _, passed, spent in one_by_one(items, lambda name: None):
        seconds.update(dict.fromkeys(passed, spent))
    pattern = unit.partition("::")[2] or unit.split("/")[2]
    every = {f"pysims/patterns/{pattern}/*": {0: list(range(len(seconds)))}}
    return {"names": list(seconds), "seconds": seconds, "reach": every}


def one_by_one(
    items: list[pytest.Item], begins: Callable[[str], object]
) -> Iterator[tuple[str, list[str], float]]:
    """Of each story: its first test's name, the tests that pass, and their CPU seconds."""
    began_all = time.process_time()
    for story in stories(items):
        if time.process_time() - began_all > UNIT_S:
            return
        forget()
        began = time.process_time()
        begins(story[0].nodeid)
        passed = in_time(story)
        yield story[0].nodeid, passed, round(time.process_time() - began, 4)


def stories(items: list[pytest.Item]) -> list[list[pytest.Item]]:
    """Each test by itself; but what the contract asks of one run together, the trace first."""
    found: dict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        name = item.nodeid
        found[name.partition("[")[2] if name.startswith(CONTRACT) else name].append(item)
    return [sorted(group, key=lambda item: GOLDEN not in item.nodeid) for group in found.values()]


def silent() -> None:
    """Nothing that a test prints is heard."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
