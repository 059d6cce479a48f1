"""What settings, actions and questions come to: written down, and compared.

The golden traces hold the stories, which move few knobs and press few buttons. Here each parameter
is moved to its ends, each action is taken at three moments of three stories, and each question is
asked of each story. What is written is a digest, and which invariants do not hold in the end. That
does not say that a run is right; it says that it has changed. `make golden` writes the files anew.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import pysims
from pysims.kernel import (
    Choice,
    History,
    Knob,
    Number,
    OneOf,
    Pattern,
    RunLimit,
    Scenario,
    Switch,
    begin,
    build,
    digest_of,
    dispatch,
    knobs_of,
    run_script,
    run_until,
)
from tests.catalog import PATTERNS, STORIES, STORY_IDS
from tests.test_contract import GOLDEN

# A run here lasts as long as the story takes for so many events; with more than `LIMIT` it is cut.
EVENTS, LIMIT = 500, 4_000
MOMENTS = (0.15, 0.4, 0.7)


def told(pattern: Pattern, history: History[Any]) -> str:
    """The digest of a run, and the lights that are out at its end."""
    state = history[-1].state
    out = [x.name for x in pattern.invariants if x.promised(state) and not x.holds(state)]
    return "; ".join([digest_of(history)[:12], *out])


def outcome(pattern: Pattern, run: Callable[..., History[Any]], *arguments: Any) -> str:
    """What a run comes to, or that there is none."""
    try:
        return told(pattern, run(*arguments))
    except ValueError:
        return "refused"
    except RunLimit:
        return "too long"


def stories_of(pattern: Pattern, *places: int) -> list[Scenario]:
    """Some of a pattern's stories, in order, by their places in the list (-1: the last)."""
    count = len(pattern.scenarios)
    return [pattern.scenarios[place] for place in sorted({place % count for place in places})]


@cache
def length_of(pattern_id: str, scenario_id: str) -> int:
    """How long (ms) the runs near this story are."""
    history = pysims.run(pattern_id, scenario_id).history
    return max(1, history.time_ms(min(EVENTS, len(history) - 1)))


def compared(pattern: Pattern, part: str, found: Mapping[str, Any], update: bool) -> None:
    """`found` is what stands in the pattern's file under `part`, and is written there if asked."""
    path = path_of(pattern)
    known = json.loads(path.read_text("utf-8")) if path.exists() else {}
    if update:
        known[part] = found
        path.write_text(json.dumps(dict(sorted(known.items())), indent=1) + "\n", "utf-8")
    assert part in known, f"{path} lacks {part}: `make golden` writes it"
    assert found == known[part]


def path_of(pattern: Pattern) -> Path:
    return GOLDEN / pattern.id / "breadth.json"


# --- Settings -------------------------------------------------------------------------------------


def ends_of(kind: Knob) -> list[Any]:
    """The values of a knob that are farthest from each other, or all that there are."""
    if isinstance(kind, Number):
        return [kind.check("value", type(kind.low)(end)) for end in (kind.low, kind.high)]
    if isinstance(kind, Choice):
        return list(kind.choices)
    return [False, True] if isinstance(kind, Switch) else ["x"]


SETTINGS = [(pattern, name) for pattern in PATTERNS for name in knobs_of(pattern.params)]


@pytest.mark.parametrize(
    ("pattern", "name"), SETTINGS, ids=[f"{pattern.id}/{name}" for pattern, name in SETTINGS]
)
def test_a_setting_leads_where_it_led(pattern: Pattern, name: str, update_golden: bool) -> None:
    found = {}
    for scenario in stories_of(pattern, 0, -1):
        usual: Any = build(pattern.params, scenario.params)
        for value in ends_of(knobs_of(pattern.params)[name]):
            params = replace(usual, **{name: value})
            found[f"{scenario.id} {value}"] = outcome(pattern, near, pattern, scenario, params)
    compared(pattern, f"setting {name}", found, update_golden)


def near(pattern: Pattern, scenario: Scenario, params: Any) -> History[Any]:
    """A story with other parameters."""
    first = begin(pattern, params, scenario.seed)
    return run_script(first, scenario.script, length_of(pattern.id, scenario.id), LIMIT)


# --- Actions --------------------------------------------------------------------------------------


def chosen(kind: Knob, state: Any, last: bool) -> Any:
    """The first or the last value that an argument may have."""
    offered = list(kind.available(state)) if isinstance(kind, OneOf) else ends_of(kind)
    return offered[-last] if offered else "none"


def events_for(kind: type, state: Any) -> Iterator[Any]:
    """The event with the first of all its arguments, and with the last."""
    for last in (False, True):
        yield kind(**{name: chosen(k, state, last) for name, k in knobs_of(kind).items()})
        if not knobs_of(kind):
            return


def acted_in(pattern: Pattern) -> list[Scenario]:
    """The first story, the one in the middle, and the last."""
    return stories_of(pattern, 0, len(pattern.scenarios) // 2, -1)


ACTED = [(pattern, scenario) for pattern in PATTERNS for scenario in acted_in(pattern)]


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize(
    ("pattern", "scenario"), ACTED, ids=[f"{pattern.id}/{story.id}" for pattern, story in ACTED]
)
def test_an_action_leads_where_it_led(
    pattern: Pattern, scenario: Scenario, moment: float, update_golden: bool
) -> None:
    until_ms = length_of(pattern.id, scenario.id)
    at_ms = int(until_ms * moment)
    params: Any = build(pattern.params, scenario.params)
    script = tuple((ms, event) for ms, event in scenario.script if ms <= at_ms)
    before = run_script(begin(pattern, params, scenario.seed), script, at_ms, LIMIT)
    state = before[-1].state
    found = {
        f"{event!r}": outcome(pattern, go_on, before, event, at_ms, until_ms)
        for action in pattern.actions
        if action.available(state)
        for event in events_for(action.event, state)
    }
    compared(pattern, f"actions {scenario.id} {at_ms}", found, update_golden)


def go_on(before: History[Any], event: Any, at_ms: int, until_ms: int) -> History[Any]:
    """A run with an event of the reader's at its end, and what comes after."""
    return before.extended(run_until(dispatch(before[-1], event, at_ms), until_ms, LIMIT))


# --- Questions ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("pattern", "scenario"), STORIES, ids=STORY_IDS)
def test_a_question_has_the_answer_that_it_had(
    pattern: Pattern, scenario: Scenario, update_golden: bool
) -> None:
    history = pysims.run(pattern.id, scenario.id).history
    found = {question.id: question.measure(history) for question in pattern.questions}
    compared(pattern, f"answers {scenario.id}", found, update_golden)


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.id)
def test_nothing_is_written_down_that_is_not_compared(pattern: Pattern) -> None:
    known = json.loads(path_of(pattern).read_text("utf-8"))
    stories = [story.id for story in pattern.scenarios]
    expected = {f"setting {name}" for name in knobs_of(pattern.params)}
    expected |= {f"answers {story}" for story in stories}
    expected |= {
        f"actions {story.id} {int(length_of(pattern.id, story.id) * moment)}"
        for story in acted_in(pattern)
        for moment in MOMENTS
    }
    assert set(known) == expected
