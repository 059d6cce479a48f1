"""`pysims run`: a run as sentences with their times, its lights, and its digest."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from .. import run
from ..kernel import History, Pattern, Run, run_pattern
from ..patterns import load_pattern
from .choice import from_link, params_of
from .shown import Paint, paint_for

BAD, GOOD, NONE = "✗", "✓", "–"


def run_of(options: argparse.Namespace) -> tuple[Pattern, Run[Any]]:
    """The pattern and the run that a command asks for."""
    if options.link is None:
        if options.pattern is None:
            raise ValueError("run takes the name of a pattern, or --link")
        return load_pattern(options.pattern), run(
            options.pattern,
            options.scenario,
            params=params_of(options),
            seed=options.seed,
            until_ms=options.until_ms,
        )
    one = from_link(options)
    return one.pattern, run_pattern(one.pattern, one.params, one.script, one.seed, one.until_ms)


def violated(pattern: Pattern, state: Any) -> frozenset[str]:
    """The names of the invariants that are promised for a state and do not hold."""
    return frozenset(
        light.name
        for light in pattern.invariants
        if light.promised(state) and not light.holds(state)
    )


def print_run(options: argparse.Namespace) -> None:
    """The trace as sentences with their times, the lights, and the digest last."""
    pattern, done = run_of(options)
    if options.json:
        print(json.dumps({"pattern": pattern.id, "trace": done.trace, "digest": done.digest}))
        return
    paint = paint_for(options.color, sys.stdout)
    history = done.history
    print_trace(pattern, history, paint)
    print(pattern.alternative(history[-1].state, history[-1].now_ms))
    print_lights(pattern, history[-1].state, paint)
    print(f"digest {done.digest}")


def print_trace(pattern: Pattern, history: History[Any], paint: Paint) -> None:
    """A line for each event; an invariant that falls with it, or stands again, has one too."""
    fallen = violated(pattern, history[0].state)
    for index in range(1, len(history)):
        before, event, after = history.change(index)
        time = paint(f"{history.time_ms(index):>8} ms", "dim")
        print(f"{time}  {pattern.describe(before, event, after)}")
        if after is before:
            continue
        now = violated(pattern, after)
        for light in pattern.invariants:
            if light.name in now - fallen:
                print(paint(f"{BAD:>11}  violated: {light.name}", "red"))
            elif light.name in fallen - now:
                print(paint(f"{GOOD:>11}  holds again: {light.name}", "green"))
        fallen = now


def print_lights(pattern: Pattern, state: Any, paint: Paint) -> None:
    """What each invariant shows in the end."""
    for light in pattern.invariants:
        if not light.promised(state):
            print(paint(f"{NONE} {light.name}: not promised here", "dim"))
        elif light.holds(state):
            print(f"{paint(GOOD, 'green')} {light.name}: holds")
        else:
            print(paint(f"{BAD} {light.name}: violated", "red"))
