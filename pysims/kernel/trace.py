"""The record of a run as text, and its digest.

`ascii()` and not `repr()`: which characters count as printable differs between Python versions.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any, Generic

from .sim import History, Queued, State

_PLAIN = (int, float, str, bool, type(None))


def trace_line(cause: Queued) -> str:
    """One line for an event: its time in ms, its sequence number, the event itself."""
    time_ms, sequence, event = cause
    return f"{time_ms:>8} ms  #{sequence:<5} {event!a}"


def trace_of(history: History[Any]) -> tuple[str, ...]:
    """A line for every event of the history."""
    return tuple(trace_line(cause) for cause in history.causes())


def digest_of(history: History[Any]) -> str:
    """A hash (blake2b, 16 bytes, hexadecimal) of every trace line and of the last state."""
    digest = blake2b(digest_size=16)
    for cause in history.causes():
        digest.update(trace_line(cause).encode() + b"\n")
    digest.update(ascii(history[-1].state).encode())
    return digest.hexdigest()


@dataclass(frozen=True)
class Run(Generic[State]):
    """A finished run. `history` is a sequence of `Sim` values, item 0 its start.

    `trace` (a line an event) and `digest` (hexadecimal) are computed when asked for.
    """

    history: History[State]

    @property
    def last(self) -> State:
        """The state in which the run ends."""
        return self.history[-1].state

    def state_at(self, time_ms: int) -> State:
        """The state at a time (ms)."""
        return self.history[self.history.index_at(time_ms)].state

    @cached_property
    def trace(self) -> tuple[str, ...]:
        return trace_of(self.history)

    @cached_property
    def digest(self) -> str:
        return digest_of(self.history)


def check_plain(value: Any, path: str = "state", seen: dict[int, Any] | None = None) -> None:
    """`TypeError` unless `value` is made of numbers, texts, tuples and frozen dataclasses.

    Such a value cannot be changed behind the back of the history, and its text is the same in
    every Python and under every hash seed. The states of a run share most of what they are made
    of: with one `seen` for all of them (it maps the id of an object to the object, which it so
    keeps alive), each part is looked at once.
    """
    if type(value) in _PLAIN:
        return
    if seen is not None:
        if id(value) in seen:
            return
        seen[id(value)] = value
    if isinstance(value, tuple):
        for i, item in enumerate(value):
            check_plain(item, f"{path}[{i}]", seen)
        return
    params = getattr(type(value), "__dataclass_params__", None)
    if params is None or not params.frozen:
        raise TypeError(f"{path} must be plain and frozen, got {type(value).__name__}")
    for name in value.__dataclass_fields__:
        check_plain(getattr(value, name), f"{path}.{name}", seen)
