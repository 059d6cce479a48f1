"""One mutant on trial: a fork in which it lives, and the tests that would run the changed line.

Where a function's own code changes, the code of the living functions is swapped: a trial then costs
a fork and its first failing test. A change of a module's or a class's own lines, and a mutant that
survived so, gets everything imported anew.
"""

from __future__ import annotations

import ast
import gc
import importlib.machinery
import importlib.util
import json
import os
import resource
import selectors
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any

import pytest

from tests.mutation.operators import ROOT, Mutant
from tests.mutation.suite import GOLDEN, Suite, arguments, passes, silent

KILLED, TIMEOUT, SURVIVED = "killed", "timeout", "survived"
# A test may take so many times its own CPU time, and so many seconds besides.
TIMES, GRACE_S = 6, 4
MEMORY = 4 << 30
AGAIN = 40
# If a process sleeps, no CPU time runs; then this ends it (seconds of the clock).
WALL_S = 300


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a trial ended, and by which test; `cut` says that more tests reach the line than ran."""

    outcome: str
    by: str = ""
    cut: bool = False


@dataclass(slots=True)
class Case:
    """A mutant, its module's tree, and the tests that judge it."""

    mutant: Mutant
    tree: ast.Module
    tests: list[str]
    cut: bool

    def compiled(self) -> CodeType:
        """The mutated module; the tree of this process is changed for good."""
        self.mutant.edit.apply()
        ast.fix_missing_locations(self.tree)
        return compile(self.tree, str(ROOT / self.mutant.file), "exec")


def tried(cases: Sequence[Case], suite: Suite, jobs: int) -> Iterator[tuple[Case, Verdict]]:
    """The verdict of each case, as they come."""
    gc.unfreeze()
    FUNCTIONS[:] = [one for one in gc.get_objects() if isinstance(one, FunctionType)]
    # A search for garbage in a fork would copy all that it looks at.
    gc.collect()
    gc.freeze()
    waiting = list(reversed(cases))
    running: dict[int, tuple[Case, int, float]] = {}
    with selectors.DefaultSelector() as ready:
        while waiting or running:
            while waiting and len(running) < jobs:
                case = waiting.pop()
                if not case.tests:
                    yield case, Verdict(SURVIVED, "no test runs this line")
                    continue
                pipe, child = started(case, suite)
                running[pipe] = case, child, time.monotonic()
                ready.register(pipe, selectors.EVENT_READ)
            for key, _ in ready.select(timeout=1):
                case, child, _ = running.pop(key.fd)
                ready.unregister(key.fd)
                yield case, ended(key.fd, child, case)
            for _, child, began in running.values():
                if time.monotonic() - began > WALL_S:
                    os.kill(child, signal.SIGKILL)


def started(case: Case, suite: Suite) -> tuple[int, int]:
    """A fork in which the trial runs: where its verdict will be read, and its process."""
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        return reading, child
    os.close(reading)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    silent()
    with suppress(BaseException):  # Whatever a mutant raises, its process ends here.
        write(writing, trial(case, suite, writing))
    os._exit(0)


def write(pipe: int, verdict: Verdict) -> None:
    os.write(pipe, json.dumps([verdict.outcome, verdict.by]).encode())


def ended(pipe: int, child: int, case: Case) -> Verdict:
    with os.fdopen(pipe, "rb") as reader:
        said = reader.read()
    _, status = os.waitpid(child, 0)
    if said:
        outcome, by = json.loads(said)
        return Verdict(outcome, by, case.cut)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) in (signal.SIGKILL, signal.SIGXCPU):
        return Verdict(TIMEOUT, "the process")
    return Verdict(KILLED, "the process ended")


def trial(case: Case, suite: Suite, pipe: int) -> Verdict:
    """Run the tests with the mutant in place, until one of them fails."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    total = sum(suite.seconds[name] for name in case.tests)
    most = int(total * TIMES + GRACE_S * 10)
    resource.setrlimit(resource.RLIMIT_CPU, (most, most + 5))
    try:
        code = case.compiled()
    except SyntaxError:
        return Verdict(KILLED, "the compiler")
    watch = Watch(suite, pipe)
    if case.mutant.inside and swapped(code):
        for name in case.tests:
            watch.start(name)
            if not passes(suite.items[name]):
                return Verdict(KILLED, name)
        watch.stop()
        # What it computed while it was imported is as it was, so the first tests look once more.
        return anew(case.tests[:AGAIN], case, code, watch)
    return anew(case.tests, case, code, watch)


class Watch:
    """Ends the process with the verdict `timeout` when a test takes too much CPU time."""

    def __init__(self, suite: Suite, pipe: int) -> None:
        self.suite, self.pipe, self.name = suite, pipe, ""
        signal.signal(signal.SIGPROF, self._over)

    def start(self, name: str, more_s: float = 0.0) -> None:
        self.name = name
        usual = self.suite.seconds.get(name, 0.0)
        signal.setitimer(signal.ITIMER_PROF, usual * TIMES + GRACE_S + more_s)

    def stop(self) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)

    def _over(self, number: int, frame: FrameType | None) -> None:
        write(self.pipe, Verdict(TIMEOUT, self.name))
        os._exit(0)


# --- Living functions -----------------------------------------------------------------------------

FUNCTIONS: list[FunctionType] = []
"""All that there were before the first fork."""


def codes_in(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from codes_in(constant)


def swapped(code: CodeType) -> bool:
    """Give every living function of the module its mutated code; whether that was possible."""
    new: dict[tuple[str, int], CodeType] = {}
    for one in codes_in(code):
        place = one.co_qualname, one.co_firstlineno
        if place in new:
            if "<" not in one.co_name:
                return False
            continue
        new[place] = one
    changed = False
    # A generator expression or a lambda of a function comes with the function's code.
    for function in FUNCTIONS:
        if function.__code__.co_filename != code.co_filename:
            continue
        old = function.__code__
        if old.co_name == "<lambda>":
            continue
        other = new.get((old.co_qualname, old.co_firstlineno))
        if other is None:
            continue
        if other.co_freevars != old.co_freevars:
            return False
        function.__code__ = other
        changed = True
    return changed


# --- Everything anew ------------------------------------------------------------------------------


class Changed(importlib.machinery.SourceFileLoader):
    """Loads the one mutated module."""

    code: CodeType

    def get_code(self, fullname: str) -> CodeType:
        return self.code


class Hook(MetaPathFinder):
    """Finds the mutated module before anybody else does."""

    def __init__(self, name: str, path: str, code: CodeType) -> None:
        self.name, self.path, self.code = name, path, code

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self.name:
            return None
        loader = Changed(fullname, self.path)
        loader.code = self.code
        package = [self.path.rpartition("/")[0]] if self.path.endswith("__init__.py") else None
        return importlib.util.spec_from_file_location(
            fullname, self.path, loader=loader, submodule_search_locations=package
        )


class Judge:
    """A plugin of pytest's that runs the chosen tests in the chosen order and notes a failure."""

    def __init__(self, names: list[str], watch: Watch) -> None:
        self.order = {name: number for number, name in enumerate(names)}
        self.watch = watch
        self.failed = ""

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = sorted(
            (item for item in items if item.nodeid in self.order),
            key=lambda item: self.order[item.nodeid],
        )
        if len(items) < len(self.order):
            self.failed = "a test that is no longer there"

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.watch.start(nodeid)

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed:
            self.failed = self.failed or report.nodeid

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            self.failed = self.failed or f"import for {report.nodeid}"


def anew(tests: list[str], case: Case, code: CodeType, watch: Watch) -> Verdict:
    """Some tests with everything imported once more, the mutated module in its place."""
    keep = "tests.mutation"
    for name in list(sys.modules):
        if name.partition(".")[0] in ("pysims", "tests") and not name.startswith(keep):
            del sys.modules[name]
    path = ROOT / case.mutant.file
    parts = case.mutant.file.removesuffix(".py").removesuffix("/__init__").split("/")
    sys.meta_path.insert(0, Hook(".".join(parts), str(path), code))
    other = another_story(tests)
    if other:
        return Verdict(KILLED, other)
    judge = Judge(tests, watch)
    watch.start("the imports", more_s=20)
    files = sorted({name.partition("::")[0] for name in tests})
    outcome = pytest.main([*arguments(files), "-x"], plugins=[judge])
    watch.stop()
    if judge.failed or outcome not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        return Verdict(KILLED, judge.failed or f"pytest ended with {outcome}")
    return Verdict(SURVIVED)


def another_story(tests: list[str]) -> str:
    """The first golden trace among the tests that the mutant does not run to; "" if there is none.

    It says what the test says, without the imports of every pattern.
    """
    for name in tests:
        if GOLDEN not in name:
            continue
        pattern_id, _, scenario_id = name.partition("[")[2].rstrip("]").partition("/")
        golden = ROOT / "tests" / "golden" / pattern_id / f"{scenario_id}.txt"
        try:
            pysims = importlib.import_module("pysims")
            digest = pysims.run(pattern_id, scenario_id).digest
        except Exception:  # noqa: BLE001  # the test would fail by it, too
            return name
        if f"digest {digest}" != golden.read_text("utf-8").splitlines()[-1]:
            return name
    return ""
