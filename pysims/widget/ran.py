"""Which lines an event executed, in which order, and what they did to which values.

Nothing is recorded while a run is computed. An update is a pure function of values that the history
keeps, so the event on show is simply run once more, under `sys.monitoring`, when somebody wants to
know. That costs a run nothing, and it is the same code with the same arguments: whether it led to
the same state again is part of the answer.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import is_dataclass
from types import CodeType, FrameType
from typing import Any

from ..kernel import Context, Pattern, begin, brief, changes_of
from ..patterns import BESIDE_THE_MODEL
from .session import Session

# What is recorded line by line; of what comes later, only which lines ran, and how often.
STEPS_MAX = 2_000
# A value that replaces an older one is told by so many differences.
CHANGES_MAX = 3
# An event is told in so many characters: a message in an envelope needs them.
EVENT_ROOM = 150
TOOL_NAME = "pysims"
# Python 3.11 has none.
MONITORING: Any = getattr(sys, "monitoring", None)

Values = list[tuple[str, str]]
Step = tuple[int, int, int, Values]
"""`(file, line, depth, values)`: depth counts the calls that the line lies in; `values` are the
names that the line bound anew, with what, and `return` for what a function gave back."""


def modules_of(pattern: Pattern) -> dict[str, str]:
    """File names, as the compiled code has them, → the modules that a pattern's model consists of.

    These are the modules of its folder that draw and tell nothing, and the guards in use.
    """
    home = pattern.init.__module__.rpartition(".")[0]
    root = home.rpartition(".patterns.")[0]
    apart = {f"{home}.{name}" for name in BESIDE_THE_MODEL}
    found = {}
    for name, module in sorted(sys.modules.items()):
        ours = name.startswith((f"{home}.", f"{root}.guards."))
        if ours and name not in apart and not hasattr(module, "__path__"):
            found[_file_of(module)] = name
    return found


def _file_of(module: Any) -> str:
    """The file name in the code of a module's functions; modules from the shelf have no file."""
    for value in vars(module).values():
        code = getattr(value, "__code__", None)
        if isinstance(code, CodeType) and value.__module__ == module.__name__:
            return code.co_filename
    return str(getattr(module, "__file__", module.__name__))


class Recorder:
    """Takes down what the monitored code does; `files` are the names of the files that count."""

    def __init__(self, files: Mapping[str, str], quiet: tuple[type, ...] = ()) -> None:
        # Arguments of these classes are handed from function to function and say nothing.
        self.quiet = quiet
        self.number = {file: number for number, file in enumerate(files)}
        self.steps: list[Step] = []
        self.times: dict[tuple[int, int], int] = {}
        # Frame → the number of its last step, its names' values then, and its arguments.
        self._open: dict[FrameType, tuple[int, dict[str, Any], dict[str, Any]]] = {}

    @property
    def full(self) -> bool:
        return len(self.steps) >= STEPS_MAX

    def start(self, frame: FrameType) -> None:
        """A function begins: its first step is its `def`, with the arguments."""
        code = frame.f_code
        # A generator in brackets is part of the line that it stands in.
        if self.full or code.co_name.startswith("<"):
            return
        here = dict(frame.f_locals)
        shown = {name: value for name, value in here.items() if not isinstance(value, self.quiet)}
        values = [(name, brief(value)) for name, value in shown.items()]
        first = (self.number[code.co_filename], code.co_firstlineno, self._depth(frame), values)
        self._add(frame, first, here, here)

    def line(self, frame: FrameType, line: int) -> None:
        """A line is about to run; what the one before it in this function did is known now."""
        code = frame.f_code
        file = self.number[code.co_filename]
        self.times[file, line] = self.times.get((file, line), 0) + 1
        if self.full or code.co_name.startswith("<"):
            return
        here, given = self._close(frame)
        self._add(frame, (file, line, self._depth(frame), []), here, given)

    def end(self, frame: FrameType, value: Any) -> None:
        """A function gives something back."""
        if frame not in self._open:
            return
        self._close(frame)
        last, _, given = self._open.pop(frame)
        like = next((old for old in given.values() if type(old) is type(value)), None)
        self.steps[last][3].append(("return", told(like, value)))

    def _add(
        self, frame: FrameType, step: Step, here: dict[str, Any], given: dict[str, Any]
    ) -> None:
        self._open[frame] = (len(self.steps), here, given)
        self.steps.append(step)

    def _close(self, frame: FrameType) -> tuple[dict[str, Any], dict[str, Any]]:
        """Write the names that are bound anew to the frame's last step.

        Gives the values of the frame's names now, and those that it was called with.
        """
        here = dict(frame.f_locals)
        last, before, given = self._open.get(frame, (None, {}, here))
        if last is not None:
            for name, value in here.items():
                if name not in before or _differs(before[name], value):
                    self.steps[last][3].append((name, told(before.get(name), value)))
        return here, given

    def _depth(self, frame: FrameType) -> int:
        depth, outer = 0, frame.f_back
        while outer is not None:
            depth += outer.f_code.co_filename in self.number
            outer = outer.f_back
        return depth


def told(before: Any, value: Any) -> str:
    """A value in a line; of a new version of a value, what is new about it."""
    if type(before) is not type(value) or not is_dataclass(value):
        return brief(value)
    if before is value:
        return "as it was"
    changes = changes_of(before, value, most=CHANGES_MAX + 1)
    shown = [f"{change.path} = {change.after}" for change in changes[:CHANGES_MAX]]
    return ", ".join([*shown, *(["…"] if len(changes) > CHANGES_MAX else [])])


def _differs(before: Any, after: Any) -> bool:
    """Whether a name is bound to something else; equal numbers and texts are the same thing."""
    if before is after:
        return False
    plain = isinstance(after, str | int | float) or after is None
    return not (plain and before == after)


@contextmanager
def monitored(recorder: Recorder) -> Iterator[None]:
    """Let a recorder take down what runs inside; `ValueError` where Python cannot do that."""
    watching = traced(recorder) if MONITORING is None else watched(recorder, MONITORING)
    with watching:
        yield


@contextmanager
def watched(recorder: Recorder, monitoring: Any) -> Iterator[None]:
    """By `sys.monitoring`, which switches itself off wherever somebody else's code runs."""
    tool = next((i for i in range(6) if monitoring.get_tool(i) is None), None)
    if tool is None:
        raise ValueError("the lines that ran cannot be seen: other tools monitor this Python")

    def only_ours(take: Callable[..., None]) -> Callable[..., Any]:
        def callback(code: CodeType, *details: Any) -> Any:
            if code.co_filename not in recorder.number:
                return monitoring.DISABLE
            # The only way to a frame.
            take(sys._getframe(1), *details)  # noqa: SLF001
            return None

        return callback

    events = monitoring.events
    callbacks = {
        events.PY_START: only_ours(lambda frame, _offset: recorder.start(frame)),
        events.LINE: only_ours(recorder.line),
        events.PY_RETURN: only_ours(lambda frame, _offset, value: recorder.end(frame, value)),
    }
    monitoring.use_tool_id(tool, TOOL_NAME)
    try:
        for event, callback in callbacks.items():
            monitoring.register_callback(tool, event, callback)
        # What was switched off in another file, or for another pattern, counts again.
        monitoring.restart_events()
        monitoring.set_events(tool, events.PY_START | events.LINE | events.PY_RETURN)
        yield
    finally:
        monitoring.set_events(tool, events.NO_EVENTS)
        for event in callbacks:
            monitoring.register_callback(tool, event, None)
        monitoring.free_tool_id(tool)


@contextmanager
def traced(recorder: Recorder) -> Iterator[None]:
    """By `sys.settrace`, which is all that Python 3.11 has."""

    def trace(frame: FrameType, event: str, value: Any) -> Any:
        if frame.f_code.co_filename not in recorder.number:
            return None
        if event == "call":
            recorder.start(frame)
        elif event == "line":
            recorder.line(frame, frame.f_lineno)
        elif event == "return":
            recorder.end(frame, value)
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)


def ran(session: Session) -> dict[str, Any]:
    """The event on show once more, line by line, as plain JSON.

    `modules`: the names that `steps` and `lines` number. `steps`: see `Step`. `lines`: `(file,
    line, times)`. `changes`: `(path, before, after)` of the state. `scheduled`: `(ms from now,
    event)`. `same`: whether the state came out as the history has it.
    """
    history, at = session.history, session.at
    files = modules_of(session.pattern)
    recorder = Recorder(files, (Context, type(history[0].state)))
    if at == 0:
        before, cause, state = None, "", history[0].state
        with monitored(recorder):
            first = begin(session.pattern, session.params, session.seed)
        after, scheduled = first.state, [(t, e) for t, _, e in first.queue]
    else:
        before, event, state = history.change(at)
        cause, ctx = brief(event, EVENT_ROOM), history.again(at)
        with monitored(recorder):
            after = session.pattern.update(before, event, ctx)
        scheduled = [(t - ctx.now_ms, e) for t, _, e in ctx.scheduled]
    changed = [] if before is None else changes_of(before, state)
    return {
        "at": at,
        "event": cause,
        "modules": list(files.values()),
        "steps": recorder.steps,
        "full": recorder.full,
        "lines": [(file, line, times) for (file, line), times in sorted(recorder.times.items())],
        "changes": [(change.path, change.before, change.after) for change in changed],
        "scheduled": [(in_ms, brief(event, EVENT_ROOM)) for in_ms, event in scheduled[:40]],
        "same": after == state,
    }
