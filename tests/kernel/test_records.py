"""`replace` of the kernel against the standard library's."""

from __future__ import annotations

import dataclasses
from dataclasses import InitVar, dataclass, field
from typing import Any, ClassVar, NamedTuple, Self

import pytest

from pysims.kernel import records, replace


@dataclass(frozen=True, slots=True)
class Point:
    x: int
    y: int = 2


@dataclass(frozen=True, slots=True)
class Marked(Point):
    mark: str = "?"


@dataclass(frozen=True, slots=True)
class Nothing:
    pass


@dataclass(slots=True)
class Open:
    x: int = 0


@dataclass(frozen=True, slots=True)
class Checked:
    x: int

    def __post_init__(self) -> None:
        if self.x < 0:
            raise ValueError(f"x must be 0 or more, got {self.x}")


@dataclass(frozen=True)
class Roomy:
    x: int = 0


@dataclass(frozen=True, slots=True)
class Counted:
    count: ClassVar[int] = 7
    x: int = 0


@dataclass(frozen=True, slots=True)
class Derived:
    x: int
    twice: int = field(init=False, default=0)


@dataclass(frozen=True, slots=True)
class Given:
    x: int
    only_for_init: InitVar[int] = 0


@dataclass(frozen=True, slots=True, init=False)
class OwnInit:
    x: int

    def __init__(self, x: int) -> None:
        object.__setattr__(self, "x", x + 1)


@dataclass(frozen=True, slots=True)
class KeptInit:
    """`dataclasses` leaves an `__init__` that is there, whatever its own parameters say."""

    x: int

    def __init__(self, x: int) -> None:
        object.__setattr__(self, "x", x + 1)


@dataclass(frozen=True, slots=True)
class OwnNew:
    """It is made in its own way, which a copy must not go around."""

    x: int

    def __new__(cls, *_: Any, **__: Any) -> Self:
        MADE.append(cls)
        return object.__new__(cls)


@dataclass(frozen=True, slots=True)
class NewOfItsBase(OwnNew):
    y: int = 0


@dataclass(frozen=True)
class HalfSlots(Point):
    """Two fields have slots, those of the base, and one has none."""

    z: int = 0


MADE: list[type] = []


class Heir(Point):
    """No dataclass itself, and its instances have a `__dict__`."""


FAST = [Point(1), Marked(1, 2, "!"), Open(3)]
SLOW = [
    Checked(1),
    Roomy(1),
    Counted(1),
    Derived(1),
    OwnInit(1),
    KeptInit(1),
    Heir(1),
    OwnNew(1),
    NewOfItsBase(1),
    HalfSlots(1),
]


@pytest.mark.parametrize("record", FAST + SLOW, ids=lambda record: type(record).__name__)
def test_it_gives_what_the_standard_library_gives(record: Any) -> None:
    there, here = dataclasses.replace(record, x=5), replace(record, x=5)
    assert here == there
    assert type(here) is type(record)
    assert here is not record
    assert replace(record) == dataclasses.replace(record)


def test_which_classes_have_a_function_of_their_own() -> None:
    own = [record for record in FAST + SLOW if records._only_fills_slots(type(record))]
    assert own == FAST
    assert not records._only_fills_slots(Given)


@pytest.mark.parametrize("kind", [OwnNew, NewOfItsBase])
def test_a_class_that_makes_its_records_itself_makes_the_new_one(kind: type[OwnNew]) -> None:
    record = kind(1)
    MADE.clear()
    replace(record, x=2)
    assert [kind] == MADE


def test_a_record_without_fields() -> None:
    assert replace(Nothing()) == Nothing()


def test_a_value_that_a_class_refuses_is_refused() -> None:
    with pytest.raises(ValueError, match="x must be 0 or more, got -1"):
        replace(Checked(1), x=-1)


def test_a_field_that_is_not_there_is_an_error_that_names_it() -> None:
    with pytest.raises(TypeError, match=r"replace Point.* unexpected keyword argument 'z'"):
        replace(Point(1), z=1)  # type: ignore[call-arg]


def test_a_field_that_must_not_be_given() -> None:
    with pytest.raises(ValueError, match="twice"):
        replace(Derived(1), twice=3)


class Pair(NamedTuple):
    x: int


@pytest.mark.parametrize("value", [1, Pair(1), Point], ids=["number", "tuple", "class"])
def test_what_is_no_record_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="dataclass"):
        replace(value, x=1)


def test_the_record_replaced_stays_as_it_was_and_stays_frozen() -> None:
    before = Marked(1, 2, "!")
    after = replace(before, mark="?")
    assert (before.mark, after.mark) == ("!", "?")
    with pytest.raises(dataclasses.FrozenInstanceError):
        after.mark = "!"  # type: ignore[misc]


def test_values_are_handed_on_and_not_copied() -> None:
    value: Any = (1, [2])
    assert replace(Marked(1, 2, value), x=2).mark is value
