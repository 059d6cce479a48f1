"""A run as text: compact, readable, versioned. It stands behind the `?` of a permalink.

    v=1&run=raft/split-vote&seed=50&set=servers=5&do=340:Crash:server=S3&until=9000&at=1200:57

Everything but `v` and `run` is left out where it is as the scenario has it. `set` gives a
parameter, `do` an event of the script, in order of time; a single `do=-` says that there is none.
`at` is the moment looked at: simulated milliseconds, and the number of the event.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any
from urllib.parse import quote, unquote

from .kernel import Pattern, Script, build
from .patterns import load_pattern

__all__ = ["EVENTS_MAX", "LONGEST", "VERSION", "Link", "link_from"]

VERSION = 1
"""The version that is written and read; a link of a newer one is refused by name."""
LONGEST = 30_000
"""The characters that a link may have."""
EVENTS_MAX = 1_000
"""The events that a link's script may have."""
TIME_MAX_MS = 10**13
NOTHING = "-"


@dataclass(frozen=True, slots=True)
class Link:
    """What a permalink holds, checked: everything that makes a run, and where to look.

    `seed`, `until_ms`, `at_ms` (milliseconds) and `at` (the index of an instant) are integers of 0
    or more; `params` is an instance of the pattern's parameters.
    """

    pattern: Pattern
    scenario: str
    params: Any
    seed: int
    script: Script
    until_ms: int
    at_ms: int
    at: int

    @property
    def text(self) -> str:
        """The permalink's text; `ValueError` if it would be longer than `LONGEST`."""
        text = "&".join(f"{name}={value}" for name, value in parts_of(self))
        if len(text) > LONGEST:
            raise ValueError(
                f"this run is too long for a link: {len(text):,} characters, allowed are "
                f"{LONGEST:,}"
            )
        return text


def told(value: Any) -> str:
    """A value as a link tells it; `build` reads it again by the field's knob."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return quote(str(value), safe="-_.~")


def parts_of(link: Link) -> Iterator[tuple[str, str]]:
    """The parts of a link's text, as pairs of name and value."""
    story = link.pattern.scenario(link.scenario)
    usual: Any = build(link.pattern.params, story.params)
    yield "v", str(VERSION)
    yield "run", f"{link.pattern.id}/{link.scenario}"
    if link.seed != story.seed:
        yield "seed", str(link.seed)
    for field in fields(link.params):
        value = getattr(link.params, field.name)
        if value != getattr(usual, field.name):
            yield "set", f"{field.name}={told(value)}"
    if link.script != story.script:
        for time_ms, event in link.script:
            given = (f":{f.name}={told(getattr(event, f.name))}" for f in fields(event))
            yield "do", f"{time_ms}:{type(event).__name__}{''.join(given)}"
        if not link.script:
            yield "do", NOTHING
    if link.until_ms != story.until_ms:
        yield "until", str(link.until_ms)
    yield "at", f"{link.at_ms}:{link.at}"


def link_from(text: str, only: str | None = None) -> Link:
    """The link that a text holds; `ValueError` says in a sentence what is wrong with it.

    The text may be a whole address: all up to the `?` of its last part is left aside. `only` is
    the id of the one pattern that the link may be for.
    """
    if len(text) > LONGEST:
        raise ValueError(f"the link has {len(text):,} characters, allowed are {LONGEST:,}")
    given = read_parts(text.rpartition("?")[2])
    version = number("v", one(given, "v"))
    if version > VERSION:
        raise ValueError(
            f"the link is of version {version}, made by a newer edition of this site; "
            f"this one reads version {VERSION}"
        )
    if version != VERSION:
        raise ValueError(f"v must be {VERSION}, got {version}")
    pattern_id, _, scenario_id = unquoted("run", one(given, "run")).partition("/")
    if only not in (None, pattern_id):
        raise ValueError(f"the link is for a run of {pattern_id[:60]!r}, and this is {only}")
    pattern = load_pattern(pattern_id)
    story = pattern.scenario(scenario_id or None)
    settings = dict(pair("set", part) for part in given.get("set", []))
    params: Any = build(pattern.params, {**story.params, **settings})
    at_ms, _, at = one(given, "at", f"{story.show_ms}:0").partition(":")
    return Link(
        pattern,
        story.id,
        params,
        number("seed", one(given, "seed", str(story.seed)), 2**32 - 1),
        script_of(pattern, given["do"]) if "do" in given else story.script,
        number("until", one(given, "until", str(story.until_ms))),
        number("at", at_ms),
        number("at", at or "0"),
    )


NAMES = ("v", "run", "seed", "set", "do", "until", "at")


def read_parts(text: str) -> Mapping[str, list[str]]:
    """Name → its values, in order; `ValueError` for a name that a link does not have."""
    given: dict[str, list[str]] = {}
    for part in text.split("&"):
        name, sign, value = part.partition("=")
        if name not in NAMES or not sign:
            raise ValueError(f"a link has {', '.join(NAMES)}, each with =, got {part[:40]!r}")
        given.setdefault(name, []).append(value)
    return given


def one(given: Mapping[str, list[str]], name: str, usual: str | None = None) -> str:
    """The only value of a name; `usual` where there is none."""
    values = given.get(name, [] if usual is None else [usual])
    if len(values) != 1:
        raise ValueError(f"a link has one {name}, got {len(values)}")
    return values[0]


def number(name: str, text: str, most: int = TIME_MAX_MS) -> int:
    """An integer from 0 to `most`, written in plain digits."""
    plain = text.isascii() and text.isdigit() and len(text) <= len(str(most))
    if not plain or int(text) > most:
        raise ValueError(f"{name} must be an integer from 0 to {most}, got {text[:40]!r}")
    return int(text)


def unquoted(name: str, text: str) -> str:
    """`text` without its percent signs; `ValueError` where they do not spell UTF-8."""
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise ValueError(f"{name} must be text in UTF-8, got {text[:40]!r}") from None


def pair(name: str, text: str) -> tuple[str, str]:
    """`field=value` as a pair."""
    field, sign, value = text.partition("=")
    if not sign:
        raise ValueError(f"{name} must be field=value, got {text[:40]!r}")
    return unquoted(name, field), unquoted(name, value)


def script_of(pattern: Pattern, parts: list[str]) -> Script:
    """The script that the `do` parts tell."""
    if parts == [NOTHING]:
        return ()
    if len(parts) > EVENTS_MAX:
        raise ValueError(f"a run takes at most {EVENTS_MAX} actions, got {len(parts):,}")
    script = tuple(timed(pattern, part) for part in parts)
    times = [time_ms for time_ms, _ in script]
    if times != sorted(times):
        raise ValueError("the events of a link must be in order of time")
    return script


def timed(pattern: Pattern, part: str) -> tuple[int, Any]:
    """One event of a script and its time."""
    time_ms, *rest = part.split(":")
    if not rest:
        raise ValueError(f"do must be time:Event:field=value, got {part[:40]!r}")
    name, *arguments = rest
    event = pattern.action(unquoted("do", name)).event
    return number("do", time_ms), build(event, dict(pair("do", text) for text in arguments))
