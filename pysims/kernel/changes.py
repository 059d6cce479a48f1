"""What is different between two states: a list of places, each with its value before and after."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

ROOM = 72
NOTHING = "—"


@dataclass(frozen=True, slots=True)
class Change:
    """One place of a state, as `servers[S3].role`, and what stood there before and after (text)."""

    path: str
    before: str
    after: str


def brief(value: Any, room: int = ROOM) -> str:
    """A value in about `room` characters, the shape of Python's own text, cut where it is long.

    It looks only at as much of the value as it shows, so a state of any size costs the same.
    """
    if isinstance(value, str):
        return repr(value) if len(value) <= room else f"{value[: max(1, room - 3)]!r}…"
    if is_dataclass(value) and not isinstance(value, type):
        shown = ((f"{f.name}=", getattr(value, f.name)) for f in fields(value))
        return _listed(f"{type(value).__name__}(", shown, ")", room)
    if isinstance(value, dict):
        return _listed("{", ((f"{key!r}: ", item) for key, item in value.items()), "}", room)
    if isinstance(value, tuple | list | set | frozenset):
        begin, end = {tuple: ("(", ")"), list: ("[", "]")}.get(type(value), ("{", "}"))
        return _listed(begin, (("", item) for item in value), end, room)
    if value is None or isinstance(value, bool | int | float):
        return repr(value)
    return getattr(value, "__name__", type(value).__name__)


def _listed(begin: str, shown: Iterator[tuple[str, Any]], end: str, room: int) -> str:
    text = begin
    for name, item in shown:
        comma = "" if text == begin else ", "
        left = room - len(text) - len(comma) - len(name)
        if left < 4:
            return f"{text}{comma}…{end}"
        text += f"{comma}{name}{brief(item, left)}"
    return text + end


def changes_of(before: Any, after: Any, path: str = "", most: int = 60) -> list[Change]:
    """Where two values differ, at most `most` places, each as deep as the difference lies.

    Dataclasses of one class are compared field by field, tuples item by item; items that have an
    `id` are paired by it, so that one more of them changes nothing about the others.
    """
    found: list[Change] = []
    for change in _differences(before, after, path):
        found.append(change)
        if len(found) == most:
            break
    return found


def _differences(before: Any, after: Any, path: str) -> Iterator[Change]:
    if before is after:
        return
    if type(before) is type(after):
        if is_dataclass(before):
            for f in fields(before):
                below = f"{path}.{f.name}" if path else f.name
                yield from _differences(getattr(before, f.name), getattr(after, f.name), below)
            return
        if isinstance(before, tuple) and before and after and len(before) + len(after) < 4_000:
            yield from _items(before, after, path)
            return
    if before != after:
        yield Change(path or "it", brief(before), brief(after))


def _items(before: tuple[Any, ...], after: tuple[Any, ...], path: str) -> Iterator[Change]:
    """The differences of two tuples, by the items' ids, or by their places."""
    old, new = _named(before), _named(after)
    for name in [*old, *(name for name in new if name not in old)]:
        below = f"{path}[{name}]"
        if name not in new:
            yield Change(below, brief(old[name]), NOTHING)
        elif name not in old:
            yield Change(below, NOTHING, brief(new[name]))
        else:
            yield from _differences(old[name], new[name], below)


def _named(items: tuple[Any, ...]) -> dict[Any, Any]:
    names = [getattr(item, "id", None) for item in items]
    if None not in names and len(set(names)) == len(names):
        return dict(zip(names, items, strict=True))
    return dict(enumerate(items))
