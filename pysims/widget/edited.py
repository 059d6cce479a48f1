"""A pattern whose source the reader has changed, beside the one that it was.

It happens in a worker of its own, which the page ends when it hangs. The changed modules, and all
of the pattern's that stand on them, are imported once more; from then on the worker knows the
pattern only as the reader wrote it. The original stays at hand to be compared with.
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import CodeType, ModuleType
from typing import Any

from ..kernel import History, Pattern, RunLimit, begin, build, run_script
from ..patterns import load_pattern
from ..sweep import LIMIT
from .session import Session, script_from

LINES_MAX = 3_000
ROWS_MAX = 400
CONTEXT = 3
SOURCE_MAX = 400_000


class SourceProblem(ValueError):
    """The reader's source cannot be compiled or imported, or fails while it runs.

    `module` and `line` (from 1) say where, if that is known.
    """

    def __init__(self, says: str, module: str = "", line: int | None = None) -> None:
        super().__init__(says)
        self.module = module
        self.line = line

    @property
    def plain(self) -> dict[str, Any]:
        """The problem as JSON."""
        return {"module": self.module, "line": self.line, "says": str(self)}


class Overlay(Loader, MetaPathFinder):
    """Gives modules from the code that it holds, before anything else is asked."""

    def __init__(self, codes: Mapping[str, CodeType]) -> None:
        self.codes = codes

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Where a module comes from, if it comes from here."""
        del path, target
        if fullname not in self.codes:
            return None
        inside = f"{fullname}."
        package = any(name.startswith(inside) for name in self.codes)
        return ModuleSpec(fullname, self, is_package=package)

    def create_module(self, spec: ModuleSpec) -> None:
        """Let Python make the module."""

    def exec_module(self, module: ModuleType) -> None:
        """Run the module's code."""
        exec(self.codes[module.__name__], vars(module))  # noqa: S102  # the reader's own, in his browser


@dataclass(frozen=True, slots=True)
class Edit:
    """What a worker needs to run a changed pattern beside the original.

    `files` are the file names of the changed modules' code → the modules' names.
    """

    original: Pattern
    changed: Pattern
    files: Mapping[str, str]


def compiled(name: str, source: str, filename: str) -> CodeType:
    """The code of a module; `SourceProblem` says in which line it is no Python."""
    if len(source) > SOURCE_MAX:
        raise SourceProblem(f"a file has at most {SOURCE_MAX:,} characters", name)
    try:
        return compile(source, filename, "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as problem:
        line = getattr(problem, "lineno", None)
        says = getattr(problem, "msg", None) or str(problem)
        raise SourceProblem(f"{type(problem).__name__}: {says}", name, line) from problem


def edit(pattern_id: str, codes: Mapping[str, CodeType], sources: Mapping[str, str]) -> Edit:
    """The pattern with `sources` (module → text) in the place of its own.

    `codes` is the code of all its modules, by name. `SourceProblem` if that does not work; then
    everything is as it was.
    """
    unknown = ", ".join(sorted(set(sources) - set(codes)))
    if unknown:
        raise SourceProblem(f"{pattern_id} has no module {unknown[:80]}")
    original = load_pattern(pattern_id)
    changed = {
        name: compiled(name, text, codes[name].co_filename) for name, text in sources.items()
    }
    files = {code.co_filename: name for name, code in changed.items()}
    overlay = Overlay({**codes, **changed})
    before = {name: sys.modules.pop(name) for name in list(codes) if name in sys.modules}
    sys.meta_path.insert(0, overlay)
    try:
        load_pattern.cache_clear()
        pattern = load_pattern(pattern_id)
    except BaseException as problem:
        for name in codes:
            sys.modules.pop(name, None)
        sys.modules.update(before)
        load_pattern.cache_clear()
        if isinstance(problem, Exception):
            raise located(problem, files) from problem
        raise
    finally:
        sys.meta_path.remove(overlay)
    return Edit(original, pattern, files)


def located(problem: Exception, files: Mapping[str, str]) -> SourceProblem:
    """What was raised, at the innermost line of the reader's source that it came through."""
    if isinstance(problem, SourceProblem):
        return problem
    module, line = "", None
    trace = problem.__traceback__
    while trace is not None:
        name = files.get(trace.tb_frame.f_code.co_filename)
        if name is not None:
            module, line = name, trace.tb_lineno
        trace = trace.tb_next
    return SourceProblem(f"{type(problem).__name__}: {problem}", module, line)


# --- Two runs, line by line -----------------------------------------------------------------------

Told = tuple[int, str]


def told(pattern: Pattern, history: History[Any]) -> list[Told]:
    """A run as its times (ms) and sentences; at most `LINES_MAX` of them."""
    length = min(len(history), LINES_MAX + 1)
    first = (0, pattern.describe(None, None, history[0].state))
    rest = ((history.time_ms(i), pattern.describe(*history.change(i))) for i in range(1, length))
    return [first, *rest]


def run_like(pattern: Pattern, plain: Mapping[str, Any]) -> History[Any]:
    """The run that a saved session describes, by this pattern."""
    params: Any = build(pattern.params, plain["params"])
    first = begin(pattern, params, int(plain["seed"]))
    script = script_from(pattern, plain["script"])
    return run_script(first, script, int(plain["until_ms"]), LIMIT)


def compared(edit: Edit, session: Session, plain: Mapping[str, Any]) -> dict[str, Any]:
    """The original's run beside the changed one's: `rows`, or `says` why they cannot be compared.

    A row is `(mark, index, time_ms, sentence)`; the mark is `=` for both runs, `-` for the
    original's, `+` for the changed one's, and `…` for rows that are left out, whose number is then
    the index. `agree` is how many events the runs have in common before they part.
    """
    try:
        original = run_like(edit.original, plain)
    except (ValueError, RunLimit) as problem:
        return {"says": f"The original cannot make this run: {problem}."}
    old, new = told(edit.original, original), told(edit.changed, session.history)
    agree = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), None)
    if agree is None:
        agree = min(len(old), len(new))
    rows = list(rows_of(old, new, agree))
    cut = len(rows) > ROWS_MAX
    return {
        "agree": agree - 1,
        "same": old == new,
        "events": [len(original) - 1, len(session.history) - 1],
        "rows": rows[:ROWS_MAX],
        "cut": cut or max(len(old), len(new)) > LINES_MAX,
    }


def rows_of(old: list[Told], new: list[Told], agree: int) -> Iterator[tuple[str, int, int, str]]:
    """The rows of a comparison; `agree` rows at the start are known to be equal."""
    begin = max(0, agree - CONTEXT)
    if begin:
        yield "…", begin, 0, ""
    matcher = difflib.SequenceMatcher(None, old[begin:], new[begin:], autojunk=False)
    for tag, a, b, c, d in matcher.get_opcodes():
        if tag == "equal":
            yield from equal_rows(new, begin + c, begin + d, last=begin + d == len(new))
            continue
        yield from (("-", i, *old[i]) for i in range(begin + a, begin + b))
        yield from (("+", i, *new[i]) for i in range(begin + c, begin + d))


def equal_rows(
    new: list[Told], first: int, end: int, *, last: bool
) -> Iterator[tuple[str, int, int, str]]:
    """Rows that both runs have: those next to a difference, and the number of the others."""
    tail = end if last else max(first, end - CONTEXT)
    head = min(first + CONTEXT, end)
    if tail - head < 2 and not last:
        head = tail = end
    yield from (("=", i, *new[i]) for i in range(first, head))
    if tail > head:
        yield "…", tail - head, 0, ""
    if not last:
        yield from (("=", i, *new[i]) for i in range(max(head, tail), end))
