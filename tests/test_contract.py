"""What every pattern promises, for each of its scenarios."""

from __future__ import annotations

import json
import os
import pickle
import re
import subprocess
import sys
from dataclasses import fields
from functools import cache
from html.parser import HTMLParser
from math import isfinite
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

import pysims
from pysims.kernel import (
    Invariant,
    OneOf,
    Pattern,
    Run,
    Scenario,
    Text,
    check_plain,
    checked,
    dispatch,
    knobs_of,
    run_until,
)
from pysims.widget.render import frame
from pysims.widget.session import act, opened, to_start
from tests.catalog import PATTERNS, STORIES, STORY_IDS

GOLDEN = Path(__file__).parent / "golden"
# Nobody reads more of one trace; the digest at its end covers all of it.
GOLDEN_EVENTS = 500
# The longest are years of outages; few readers stay for the end, and the slider is there.
PLAYS_MS_MAX = 420_000
every_story = pytest.mark.parametrize(("pattern", "scenario"), STORIES, ids=STORY_IDS)
every_pattern = pytest.mark.parametrize("pattern", PATTERNS, ids=lambda p: p.id)

# Prints what each story computes; it runs in processes of its own under different hash seeds.
PROBE = """
import hashlib, json, pysims
from pysims.widget.render import frame
from pysims.widget.session import opened
found = {}
for pattern_id in pysims.pattern_ids():
    for scenario in pysims.load_pattern(pattern_id).scenarios:
        session = opened("w", pattern_id, scenario.id)
        html = hashlib.sha256(frame(session).encode()).hexdigest()
        found[f"{pattern_id}/{scenario.id}"] = [pysims.run(pattern_id, scenario.id).digest, html]
print(json.dumps(found))
"""


@cache
def run_of(pattern_id: str, scenario_id: str) -> Run[Any]:
    return pysims.run(pattern_id, scenario_id)


@cache
def first_frame(pattern_id: str, scenario_id: str) -> str:
    return frame(opened("w", pattern_id, scenario_id))


@every_story
def test_the_same_run_twice(pattern: Pattern, scenario: Scenario) -> None:
    again = pysims.run(pattern.id, scenario.id)
    assert again.digest == run_of(pattern.id, scenario.id).digest
    assert again.trace == run_of(pattern.id, scenario.id).trace


@cache
def probed(hash_seed: str) -> dict[str, list[str]]:
    done = subprocess.run(
        [sys.executable, "-c", PROBE],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


def test_the_same_runs_and_frames_under_two_hash_seeds() -> None:
    assert probed("1") == probed("2")
    assert list(probed("1")) == STORY_IDS


@every_story
def test_nothing_is_mutated_and_everything_is_plain(pattern: Pattern, scenario: Scenario) -> None:
    run = pysims.run(pattern.id, scenario.id)
    states = list(run.history.states())
    seen: dict[int, Any] = {}
    for state in states:
        check_plain(state, seen=seen)
    # The states share most of their parts, and a pickle of them all holds each part once.
    before = pickle.dumps(states)
    for index in range(1, len(run.history)):
        check_plain(run.history.change(index)[1], "event")
        pattern.describe(*run.history.change(index))
    for sim in run.history:
        pattern.view(sim.state, sim.now_ms)
        pattern.alternative(sim.state, sim.now_ms)
    pysims.run(pattern.id, scenario.id)
    assert pickle.dumps(states) == before


@every_story
def test_invariants_hold_after_every_step_except_where_a_story_breaks_them(
    pattern: Pattern, scenario: Scenario
) -> None:
    def broken(light: Invariant) -> list[int]:
        states = run_of(pattern.id, scenario.id).history.states()
        return [
            index
            for index, state in enumerate(states)
            if light.promised(state) and not light.holds(state)
        ]

    assert pattern.invariants
    violated = {light.name for light in pattern.invariants if broken(light)}
    assert violated == set(scenario.breaks)


@every_pattern
def test_a_light_is_promised_somewhere_and_the_frame_says_where_not(pattern: Pattern) -> None:
    for light in pattern.invariants:
        assert any(
            light.promised(state)
            for scenario in pattern.scenarios
            for state in run_of(pattern.id, scenario.id).history.states()
        ), light.name
    for scenario in pattern.scenarios:
        # What is promised may change in the course of a run; the frame shows one moment of it.
        shown = run_of(pattern.id, scenario.id).state_at(scenario.show_ms)
        unpromised = sum(not light.promised(shown) for light in pattern.invariants)
        html = first_frame(pattern.id, scenario.id)
        assert html.count("sim-light--none") == unpromised


@every_story
def test_the_claim_is_true(pattern: Pattern, scenario: Scenario) -> None:
    assert scenario.proof(run_of(pattern.id, scenario.id)), scenario.claim


@every_story
def test_the_trace_is_the_golden_one(
    pattern: Pattern, scenario: Scenario, update_golden: bool
) -> None:
    run = run_of(pattern.id, scenario.id)
    lines = []
    for index, line in enumerate(run.trace[:GOLDEN_EVENTS], 1):
        lines += [line, f"    {pattern.describe(*run.history.change(index))}"]
    if len(run.trace) > GOLDEN_EVENTS:
        lines.append(f"and {len(run.trace) - GOLDEN_EVENTS} events more")
    last = run.history[-1]
    lines += [pattern.alternative(last.state, last.now_ms), f"digest {run.digest}"]
    text = "\n".join(lines) + "\n"
    path = GOLDEN / pattern.id / f"{scenario.id}.txt"
    if update_golden:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    assert path.exists(), f"{path} is missing: `make golden` writes it; read it before committing"
    assert text == path.read_text("utf-8"), (
        f"the run of {pattern.id}/{scenario.id} has changed. If that is meant, `make golden` "
        "rewrites the trace; then READ THE DIFF, line by line, before you commit it"
    )


def test_no_golden_trace_is_left_over() -> None:
    assert sorted(str(path.relative_to(GOLDEN)) for path in GOLDEN.rglob("*.txt")) == sorted(
        f"{name}.txt" for name in STORY_IDS
    )


class Balance(HTMLParser):
    """Notes every tag that is closed out of turn or never."""

    VOID = frozenset({"input", "br", "hr", "img", "meta", "link"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.ids += [value for name, value in attrs if name == "id" and value]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.ids += [value for name, value in attrs if name == "id" and value]

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}> at {self.getpos()}")


@every_story
def test_the_first_frame_is_well_formed(pattern: Pattern, scenario: Scenario) -> None:
    html = first_frame(pattern.id, scenario.id)
    balance = Balance()
    balance.feed(html)
    assert balance.wrong == []
    assert balance.open == []
    assert len(balance.ids) == len(set(balance.ids))
    assert all(name.startswith("w-") for name in balance.ids)


@every_story
def test_every_picture_has_a_title_and_plain_numbers(pattern: Pattern, scenario: Scenario) -> None:
    html = first_frame(pattern.id, scenario.id)
    pictures = html.split("<svg ")[1:]
    assert any('role="img"' in picture for picture in pictures)
    for picture in pictures:
        svg = ET.fromstring("<svg " + picture.partition("</svg>")[0] + "</svg>")  # noqa: S314
        if svg.get("role") == "img":
            title = svg.find("title")
            assert title is not None
            assert title.text
        for element in svg.iter():
            for name, value in element.items():
                if name not in ("class", "id"):
                    assert "nan" not in value.lower(), (element.tag, name, value)
                    assert "inf" not in value.lower(), (element.tag, name, value)


HOSTILE = "<img src=x onerror=alert(1)>\"'&{{7*7}}"


@every_pattern
def test_text_of_the_reader_is_escaped(pattern: Pattern) -> None:
    fields = [
        (action.event.__name__, name)
        for action in pattern.actions
        for name, kind in knobs_of(action.event).items()
        if isinstance(kind, Text)
    ]
    for action, name in fields:
        html = frame(act(opened("w", pattern.id), action, {name: HOSTILE}))
        assert "<img" not in html
        assert "&lt;img" in html
        assert "49" not in html.partition(HOSTILE[:3])[2][:40]


@every_pattern
def test_every_action_has_a_knob_for_every_field_and_refuses_nonsense(pattern: Pattern) -> None:
    for action in pattern.actions:
        assert set(knobs_of(action.event)) == {field.name for field in fields(action.event)}
        for name, kind in knobs_of(action.event).items():
            if isinstance(kind, OneOf):
                session = to_start(opened("w", pattern.id))
                with pytest.raises(ValueError, match="no-such-thing"):
                    act(session, action.event.__name__, {name: "no-such-thing"})


@every_story
def test_an_action_that_is_offered_is_not_refused(pattern: Pattern, scenario: Scenario) -> None:
    history = run_of(pattern.id, scenario.id).history
    for sim in (*history[:: len(history) // 6 + 1], history[-1]):
        for action in pattern.actions:
            asked = knobs_of(action.event).items()
            offered = {
                name: list(kind.available(sim.state))
                for name, kind in asked
                if isinstance(kind, OneOf)
            }
            # Where there is nothing to choose from, the frame has the action wait.
            if action.available(sim.state) and all(offered.values()):
                for place in (0, -1):
                    event = action.event(**{name: names[place] for name, names in offered.items()})
                    run_until(dispatch(sim, event), sim.now_ms)


@every_pattern
def test_an_event_of_another_house_is_refused(pattern: Pattern) -> None:
    with pytest.raises(ValueError, match=f"{pattern.id} has no event 'nonsense'"):
        pysims.run(pattern.id, script=((100, "nonsense"),))


@every_story
def test_what_stands_in_front_are_parameters(pattern: Pattern, scenario: Scenario) -> None:
    assert set(scenario.front) <= set(knobs_of(pattern.params))
    assert 0 <= scenario.show_ms <= scenario.until_ms


@every_story
def test_a_story_plays_in_some_minutes(pattern: Pattern, scenario: Scenario) -> None:
    rate = scenario.playback_rate or pattern.playback_rate
    assert scenario.until_ms / rate <= PLAYS_MS_MAX


@every_pattern
def test_default_parameters_are_allowed_and_limits_are_enforced(pattern: Pattern) -> None:
    checked(pattern.params())
    assert set(knobs_of(pattern.params)) == {field.name for field in fields(pattern.params)}
    for name in knobs_of(pattern.params):
        with pytest.raises(ValueError, match=name):
            pysims.run(pattern.id, params={name: "no such value"})


# --- Questions: what many runs answer -------------------------------------------------------------

# Nothing in these is random.
SEEDLESS = {"rate_limiter"}


@cache
def answers_of(pattern_id: str, scenario_id: str) -> tuple[float | None, ...]:
    """What a scenario answers to each question of its pattern."""
    history = run_of(pattern_id, scenario_id).history
    return tuple(q.measure(history) for q in pysims.load_pattern(pattern_id).questions)


@every_story
def test_a_question_has_a_number_for_an_answer_or_none(
    pattern: Pattern, scenario: Scenario
) -> None:
    for value in answers_of(pattern.id, scenario.id):
        assert value is None or isfinite(value)


@every_pattern
def test_every_question_is_asked_well_and_answered_somewhere(pattern: Pattern) -> None:
    assert pattern.questions
    assert len({question.id for question in pattern.questions}) == len(pattern.questions)
    for index, question in enumerate(pattern.questions):
        assert re.fullmatch(r"[a-z][a-z-]*", question.id)
        assert question.label.endswith("?")
        assert question.why.endswith(".")
        assert question.better in ("less", "more")
        found = {answers_of(pattern.id, scenario.id)[index] for scenario in pattern.scenarios}
        assert found - {None}, question.id


@every_pattern
def test_the_default_question_has_many_answers_where_runs_are_random(pattern: Pattern) -> None:
    question = pattern.question()

    def differs(scenario: Scenario) -> bool:
        runs = (pysims.run(pattern.id, scenario.id, seed=seed) for seed in range(4))
        return len({question.measure(run.history) for run in runs}) > 1

    short_first = sorted(pattern.scenarios, key=lambda s: len(run_of(pattern.id, s.id).history))
    assert any(map(differs, short_first)) == (pattern.id not in SEEDLESS)
