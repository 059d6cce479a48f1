"""How a command chooses a run: a pattern and its scenario, changed by options, or a permalink."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..kernel import Pattern, Script, build
from ..link import link_from
from ..patterns import load_pattern

BESIDE = ("pattern", "scenario", "seed", "until_ms", "set")


@dataclass(frozen=True, slots=True)
class Chosen:
    """A run that is still to be made: its pattern, the name of its story, and all that makes it."""

    pattern: Pattern
    scenario: str
    params: Any
    script: Script
    seed: int
    until_ms: int


def choices(verb: argparse.ArgumentParser, *, seed: bool = True) -> None:
    """The options by which a run is chosen."""
    verb.add_argument("--scenario", help="a story of the pattern (default: see the command)")
    if seed:
        verb.add_argument(
            "--seed", type=int, help="0 to 4294967295 (default: the scenario's, or 0)"
        )
    verb.add_argument("--until-ms", type=int, help="how long to run, in simulated milliseconds")
    verb.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter of the pattern; may be given more than once",
    )


def params_of(options: argparse.Namespace) -> dict[str, str]:
    """Parameters by name, from `--set`."""
    pairs = [text.partition("=") for text in options.set]
    if any(not sign for _, sign, _ in pairs):
        raise ValueError(f"--set takes NAME=VALUE, got {options.set!r}")
    return {name: value for name, _, value in pairs}


def from_link(options: argparse.Namespace, beside: Sequence[str] = BESIDE) -> Chosen:
    """The run of `--link`, which must stand alone."""
    if any(getattr(options, name, None) not in (None, []) for name in beside):
        raise ValueError("--link holds the whole run, leave out what else chooses one")
    link = link_from(options.link)
    return Chosen(link.pattern, link.scenario, link.params, link.script, link.seed, link.until_ms)


def from_story(options: argparse.Namespace) -> Chosen:
    """The scenario that was named, or the first, as the options change it."""
    pattern = load_pattern(options.pattern)
    story = pattern.scenario(options.scenario)
    params: Any = build(pattern.params, {**story.params, **params_of(options)})
    given = getattr(options, "seed", None)
    return Chosen(
        pattern,
        story.id,
        params,
        story.script,
        story.seed if given is None else given,
        story.until_ms if options.until_ms is None else options.until_ms,
    )


def chosen_by(options: argparse.Namespace) -> Chosen:
    """The run that a command asks for, by a story or by a link."""
    if options.link is not None:
        return from_link(options)
    if options.pattern is None:
        raise ValueError(f"{options.verb} takes the name of a pattern, or --link")
    return from_story(options)
