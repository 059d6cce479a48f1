"""Durable execution in one function: run the code from its start and feed it what was recorded.

A workflow is an ordinary generator. It yields commands (do an activity, wait for a signal, sleep)
and is sent their results. Whoever runs it writes every command and every result into an event
history, and the history is all that is kept. To take a workflow up, on any machine, `replay` starts
the generator anew and answers each command from the history instead of carrying it out; when the
history has no answer left, the generator stands exactly where it stood, with its local variables,
and what it yields next is new.

That works only if the code yields the same commands for the same answers. So `replay` compares each
command with the one that was recorded at its place, and stops at the first that differs
(`Mismatch`): at that moment nothing has been carried out.

Sources: Burckhardt et al., "Durable Functions: Semantics for Stateful Serverless", OOPSLA 2021,
https://doi.org/10.1145/3485510 (record and replay, and why it equals a run without failures);
Cadence, "Fault-oblivious stateful workflow code", https://cadenceworkflow.io/docs/concepts/workflows;
Temporal, "Workflow Definition", https://docs.temporal.io/workflow-definition (deterministic
constraints).

Simplified: a workflow has one command under way at a time, where real engines run branches side by
side; and results are whole numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ...kernel import replace

# Kinds of recorded events. The first four are commands: the workflow's own doing.
SCHEDULED, WAITING, SLEEPING, CLOSED = "scheduled", "waiting", "sleeping", "closed"
STARTED, COMPLETED, FIRED, SIGNALED = "started", "completed", "fired", "signaled"
COMMANDS = (SCHEDULED, WAITING, SLEEPING, CLOSED)

TIMED_OUT = "timed out"
"""What a `Wait` gives when no signal came in time."""


# --- What a workflow yields -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Enter:
    """The workflow is in another state of its own; nothing is recorded, for replay finds it too."""

    state: str


@dataclass(frozen=True, slots=True)
class Activity:
    """Something with an effect outside; its result is a whole number."""

    name: str
    argument: int = 0


@dataclass(frozen=True, slots=True)
class Wait:
    """Until one of these signals comes; `of` is whose (0: anybody's), `timeout_ms` 0 is for ever.

    The result is the signal's name, or `TIMED_OUT`.
    """

    names: tuple[str, ...]
    of: int = 0
    timeout_ms: int = 0


@dataclass(frozen=True, slots=True)
class Sleep:
    """Some time (ms), kept by the history service and not by a worker."""

    ms: int


Command: TypeAlias = Enter | Activity | Wait | Sleep
Workflow: TypeAlias = Callable[[], Generator[Command, Any, None]]
"""Called without arguments, it starts a workflow from its first line."""


# --- What is recorded -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Recorded:
    """One event of a history; its number is its place there, from 1.

    `name` is that of the activity or signal (of a wait: all of them), `value` an argument, a result
    or whose signal it is, `ms` a time-out or a sleep, `of` the number of the command that a result
    belongs to, `at_ms` when it was recorded.
    """

    kind: str
    name: str = ""
    value: int = 0
    ms: int = 0
    of: int = 0
    at_ms: int = 0


History: TypeAlias = tuple[Recorded, ...]


def recorded(command: Activity | Wait | Sleep | None) -> Recorded:
    """How a command stands in a history; `None` is the end of the workflow."""
    match command:
        case Activity(name, argument):
            return Recorded(SCHEDULED, name, argument)
        case Wait(names, of, timeout_ms):
            return Recorded(WAITING, "/".join(names), of, timeout_ms)
        case Sleep(ms):
            return Recorded(SLEEPING, ms=ms)
    return Recorded(CLOSED)


def same_command(a: Recorded, b: Recorded) -> bool:
    """Whether two records are of the same command, whenever they were made."""
    return (a.kind, a.name, a.value, a.ms) == (b.kind, b.name, b.value, b.ms)


def commands_of(history: History) -> tuple[tuple[int, Recorded], ...]:
    """The commands of a history with their numbers."""
    return tuple((n, event) for n, event in enumerate(history, 1) if event.kind in COMMANDS)


def last_command(history: History) -> int:
    """The number of the newest command, or 0: the only one that may still be under way."""
    return max((n for n, event in enumerate(history, 1) if event.kind in COMMANDS), default=0)


def ordinal(history: History, number: int) -> int:
    """Which command of the workflow event `number` is, from 1.

    Idempotency keys are made from it. Unlike the number of the event it does not depend on when
    signals came in.
    """
    return sum(event.kind in COMMANDS for event in history[:number])


def is_answered(history: History, number: int) -> bool:
    """Whether the result of command `number` is in the history."""
    return any(event.of == number for event in history)


# --- Replay ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Visit:
    """The workflow entered a state, as a consequence of event `number`."""

    state: str
    number: int


@dataclass(frozen=True, slots=True)
class Mismatch:
    """The code and the history disagree: at event `number` stands `was`, the code yields `now`.

    `now` is `None` when the code yields nothing there because it still waits for an answer.
    """

    number: int
    was: Recorded
    now: Recorded | None


@dataclass(frozen=True, slots=True)
class Replay:
    """What a replay found: the states on the way, and the commands that are new."""

    path: tuple[Visit, ...]
    new: tuple[Recorded, ...] = ()
    mismatch: Mismatch | None = None

    @property
    def state(self) -> str:
        """The state that the workflow has reached."""
        return self.path[-1].state if self.path else ""


@dataclass(slots=True)
class _Answers:
    """What a history answers, and what of it has been used; it lives for one replay only."""

    history: History
    results: dict[int, int] = field(default_factory=dict)
    signals: list[int] = field(default_factory=list)
    seen: int = 1

    def __post_init__(self) -> None:
        for number, event in enumerate(self.history, 1):
            if event.kind in (COMPLETED, FIRED):
                self.results[event.of] = number
            elif event.kind == SIGNALED:
                self.signals.append(number)

    def of(self, command: Activity | Wait | Sleep, number: int) -> int | str | None:
        """The answer to a command that is recorded as event `number`; `None`: none yet."""
        found = self.results.get(number, 0)
        if isinstance(command, Wait):
            signal = self._signal(command)
            # Whichever is first in the history: it may hold both, if they came close together.
            if signal and not 0 < found < signal:
                self.signals.remove(signal)
                self.seen = max(self.seen, signal)
                return self.history[signal - 1].name
        if not found:
            return None
        self.seen = max(self.seen, found)
        return self.history[found - 1].value if isinstance(command, Activity) else TIMED_OUT

    def _signal(self, wait: Wait) -> int:
        """The number of the first unused signal that ends a wait, or 0."""
        for number in self.signals:
            event = self.history[number - 1]
            if event.name in wait.names and event.value in (0, wait.of):
                return number
        return 0


def replay(workflow: Workflow, history: History) -> Replay:
    """Run a workflow from its first line against a history.

    The generator gets its answers from the history; commands past the recorded ones are collected
    as `new`, up to the first that has no answer yet. No command is carried out here.
    """
    answers = _Answers(history)
    old = iter(commands_of(history))
    path: list[Visit] = []
    new: list[Recorded] = []
    generator = workflow()
    command: Command | None
    answer: int | str | None = None
    while True:
        try:
            command = generator.send(answer)
        except StopIteration:
            command = None
        answer = None
        if isinstance(command, Enter):
            path.append(Visit(command.state, answers.seen))
            continue
        event = recorded(command)
        number, was = next(old, (0, None))
        if was is None:
            new.append(event)
        elif not same_command(was, event):
            return Replay(tuple(path), (), Mismatch(number, was, event))
        answer = None if command is None else answers.of(command, number)
        if answer is None:
            break
    number, was = next(old, (0, None))
    if was is not None:
        return Replay(tuple(path), (), Mismatch(number, was, None))
    return Replay(tuple(path), tuple(new))


def stamped(commands: tuple[Recorded, ...], at_ms: int) -> tuple[Recorded, ...]:
    """New commands with the time at which they are recorded."""
    return tuple(replace(command, at_ms=at_ms) for command in commands)
