"""Knobs: what a parameter or an action's argument may be, said once and used everywhere.

A knob is the `metadata` of a dataclass field. The widget draws the control from it, the command
line and the permalink read their text with it, and the check before a run is made with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from math import log
from typing import Any, TypeAlias, TypeVar

Plain = TypeVar("Plain")
Choices: TypeAlias = Mapping[str, str]
"""Identifier → label, in the order in which they are offered."""

KEY = "knob"
SLIDER = 120
"""Positions of a logarithmic slider: fine enough to aim, coarse enough for arrow keys."""


@dataclass(frozen=True, slots=True)
class Number:
    """An integer (or, when `step` has a fraction, a float) from `low` to `high`, ends included.

    `logarithmic` asks for a slider on which equal distances are equal ratios.
    """

    label: str
    low: float
    high: float
    step: float = 1
    unit: str = ""
    logarithmic: bool = False
    hint: str = ""

    @property
    def integral(self) -> bool:
        return isinstance(self.step, int)

    def check(self, name: str, value: Any) -> int | float:
        allowed = (int,) if self.integral else (int, float)
        between = type(value) in allowed and self.low <= value <= self.high
        if not between or (self.integral and (value - self.low) % self.step):
            kind = "an integer" if self.integral else "a number"
            steps = f" in steps of {self.step}" if self.integral and self.step != 1 else ""
            raise ValueError(
                f"{name} must be {kind} from {self.low:g} to {self.high:g}{steps}, got {value!r}"
            )
        return int(value) if self.integral else float(value)

    @property
    def positions(self) -> int:
        """The number of positions of a slider, less one."""
        return SLIDER if self.logarithmic else round((self.high - self.low) / self.step)

    def at(self, position: int) -> int | float:
        """The value at a position of the slider, 0 to `positions`."""
        part = max(0, min(position, self.positions)) / self.positions
        if self.logarithmic:
            value: float = self.low * (self.high / self.low) ** part
            return round(value) if self.integral else value
        value = self.low + part * (self.high - self.low)
        return round(value) if self.integral else round(value, 6)

    def position(self, value: float) -> int:
        """The position of the slider for a value."""
        if self.logarithmic:
            return round(self.positions * log(value / self.low) / log(self.high / self.low))
        return round((value - self.low) / self.step)

    def parse(self, name: str, text: str) -> int | float:
        try:
            value = int(text) if self.integral else float(text)
        except ValueError:
            return self.check(name, text)
        return self.check(name, value)


@dataclass(frozen=True, slots=True)
class Choice:
    """One of `choices`."""

    label: str
    choices: Choices
    hint: str = ""

    def check(self, name: str, value: Any) -> str:
        if value not in self.choices:
            raise ValueError(f"{name} must be one of {', '.join(self.choices)}, got {value!r}")
        return str(value)

    parse = check


@dataclass(frozen=True, slots=True)
class Switch:
    """On or off."""

    label: str
    hint: str = ""

    def check(self, name: str, value: Any) -> bool:
        if type(value) is not bool:
            raise ValueError(f"{name} must be True or False, got {value!r}")
        return value

    def parse(self, name: str, text: str) -> bool:
        words = {"true": True, "on": True, "1": True, "false": False, "off": False, "0": False}
        return self.check(name, words.get(text.lower(), text))


@dataclass(frozen=True, slots=True)
class Text:
    """A string of 1 to `longest` characters."""

    label: str
    longest: int = 60
    hint: str = ""

    def check(self, name: str, value: Any) -> str:
        if type(value) is not str or not 1 <= len(value) <= self.longest:
            shown = value if not isinstance(value, str) else value[:20]
            raise ValueError(
                f"{name} must be a text of 1 to {self.longest} characters, got {shown!r}"
            )
        return value

    parse = check


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of the things that the state holds at the moment (a server's name, say)."""

    label: str
    available: Callable[[Any], Sequence[str]]
    hint: str = ""

    def check(self, name: str, value: Any) -> str:
        return Text(self.label).check(name, value)

    parse = check


Knob: TypeAlias = Number | Choice | Switch | Text | OneOf


def knob(kind: Knob, default: Any) -> Any:
    """A dataclass field with this knob; `default` must satisfy it."""
    if not isinstance(kind, OneOf):
        kind.check("default", default)
    return field(default=default, metadata={KEY: kind})


def knobs_of(owner: Any) -> dict[str, Knob]:
    """Field name → knob, in order, for a dataclass or an instance of one."""
    return {f.name: f.metadata[KEY] for f in fields(owner) if KEY in f.metadata}


def checked(value: Plain) -> Plain:
    """`value`, after every field with a knob has been checked; `ValueError` names the first bad."""
    for name, kind in knobs_of(value).items():
        kind.check(name, getattr(value, name))
    return value


def build(kind: type[Plain], given: Mapping[str, Any], *, for_reader: bool = False) -> Plain:
    """An instance of the dataclass `kind` from fields by name; texts are read, the rest checked.

    `ValueError` for a name that it does not have and for a value that its knob does not allow;
    `for_reader` calls the field by its label, which is what a reader sees.
    """
    known = knobs_of(kind)
    unknown = [name for name in given if name not in known]
    if unknown:
        raise ValueError(
            f"{kind.__name__} has no {unknown[0][:40]!r}, it has: {', '.join(known) or 'no field'}"
        )
    read = {}
    for name, value in given.items():
        called = f"“{known[name].label}”" if for_reader else name
        reads = known[name].parse if isinstance(value, str) else known[name].check
        read[name] = reads(called, value)
    return checked(kind(**read))
