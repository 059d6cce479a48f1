"""`replace`, as `dataclasses` has it, at the price of the copy.

A state is replaced several times an event, so what a replacement costs decides how long a run
takes. The standard library's looks up every field by name, collects them, and runs `__init__`,
which writes each field of a frozen class through a check. Here every class of records gets a
function of its own, written once and compiled, as `dataclasses` itself writes an `__init__`: it
reads the slots of the old record and fills those of the new one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import lru_cache
from types import MemberDescriptorType
from typing import TYPE_CHECKING, Any, TypeVar

__all__ = ["replace"]

Record = TypeVar("Record")

# Classes with a function of their own. A reader who edits code makes new classes with every edit,
# so those that have not been used for long go.
CLASSES = 512


def _only_fills_slots(kind: type) -> bool:
    """Whether making a record of this class does nothing but fill the slots of its fields.

    It is not so where a class looks at its values as it is made, has no slots, or an
    `__init__` of its own, fields that are not given to it, or arguments of it that are no fields.
    """
    if "__dataclass_params__" not in vars(kind) or hasattr(kind, "__post_init__"):
        return False
    # What `dataclasses` writes is compiled from a text; a class can bring its own instead.
    code = getattr(vars(kind).get("__init__"), "__code__", None)
    written = code is not None and code.co_filename == "<string>"
    given = [field.name for field in dataclasses.fields(kind) if field.init]
    # Besides the fields, this has what belongs to the class or to `__init__` alone.
    return (
        written
        and not any("__new__" in vars(base) for base in kind.__mro__[:-1])
        and given == list(vars(kind)["__dataclass_fields__"])
        and all(isinstance(getattr(kind, name, None), MemberDescriptorType) for name in given)
    )


@lru_cache(maxsize=CLASSES)
def _replacer(kind: type) -> Callable[..., Any]:
    """The function that gives a record of this class with other values in some of its fields."""
    if not _only_fills_slots(kind):
        return dataclasses.replace
    names = [field.name for field in dataclasses.fields(kind)]
    kept = {"_kind": kind, "_new": object.__new__, "_same": object()}
    slots = {f"_set_{name}": getattr(kind, name).__set__ for name in names}
    parameters = "".join(f", {name}=_same" for name in names)
    lines = [
        f"def replace(_old, /{', *' if names else ''}{parameters}):",
        " _record = _new(_kind)",
        *(f" _set_{n}(_record, _old.{n} if {n} is _same else {n})" for n in names),
        " return _record",
    ]
    space: dict[str, Any] = {**kept, **slots}
    exec("\n".join(lines), space)  # noqa: S102  # the names are those of the class's own fields
    function: Callable[..., Any] = space["replace"]
    function.__qualname__ = f"replace {kind.__name__}"
    return function


if TYPE_CHECKING:
    # What mypy believes: it knows the fields of what it gives to this one, and checks them.
    from dataclasses import replace


def replace(record: Record, /, **changes: Any) -> Record:  # type: ignore[no-redef]
    """A record with other values in the named fields, and all else as it was.

    `record` is an instance of a dataclass, and so is the result, of the same class. A field that
    is not there raises `TypeError`. A class that checks its values as it is made checks them again.
    """
    kind: Any = type(record)
    replaced: Record = _replacer(kind)(record, **changes)
    return replaced
