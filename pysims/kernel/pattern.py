"""What a pattern is: a model, the way it is drawn, and the stories it can tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from .sim import Context, History
from .trace import Run

Script: TypeAlias = tuple[tuple[int, Any], ...]
"""`((time_ms, event), …)` in order of time: what the reader, or the scenario, did."""


@dataclass(frozen=True, slots=True)
class Invariant:
    """Something that must hold after every event; the widget shows it as a light.

    `promised` says whether it is promised at all for a state: a light that does not apply must
    not shine green.
    """

    name: str
    why: str
    holds: Callable[[Any], bool]
    promised: Callable[[Any], bool] = lambda _: True


@dataclass(frozen=True, slots=True)
class Action:
    """Something that the reader can do: an event's class and the words on its button."""

    event: type
    label: str
    hint: str = ""
    available: Callable[[Any], bool] = lambda _: True


@dataclass(frozen=True, slots=True)
class Scenario:
    """A story with a seed that was chosen so that the run shows what the sentence says.

    `claim` is the sentence that the prose makes of it, `proof` a predicate over the run: a test
    asserts it. `show_ms` is the moment that stands in the page before any code has run; `front`
    names the parameters that the story is about, whose controls stand beside the picture.
    `breaks` names the invariants that the story violates on purpose: a wrong design, shown first.
    `playback_rate` is the story's own pace, where that of its pattern would take too long (a crowd
    for seconds, beside one order for milliseconds).
    """

    id: str
    title: str
    claim: str
    proof: Callable[[Run[Any]], bool]
    watch: str
    until_ms: int
    show_ms: int
    seed: int = 1
    params: Mapping[str, Any] = field(default_factory=dict)
    script: Script = ()
    front: tuple[str, ...] = ()
    breaks: tuple[str, ...] = ()
    playback_rate: float | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """Something that one run answers with a number, so that many runs answer it with a spread.

    `label` is the reader's question, `why` says in a sentence what exactly is measured. `measure`
    gives the answer of a run in `unit`, or `None` when the run has none (nobody was elected, say).
    `better` is "less" or "more": whichever end is not better is where the worst run is.
    """

    id: str
    label: str
    unit: str
    measure: Callable[[History[Any]], float | None]
    why: str
    better: str = "less"


@dataclass(frozen=True, slots=True)
class Pattern:
    """Everything that the rest of the house needs to know of a pattern.

    `params` is a frozen dataclass whose fields carry knobs. `init(params, ctx)` and
    `update(state, event, ctx)` are the model. `view(state, now_ms)` lays a state out as plain
    numbers and words for `scene.svg.jinja`; `describe(before, event, after)` says in a sentence
    what an event did, or, with `None` for the first two, how a run starts; `alternative(state,
    now_ms)` says what the picture shows. `playback_rate` is simulated ms per ms of the reader at
    speed 1; `frame_ms` (the reader's ms) asks for pictures between events, for scenes in which
    something moves all the time. `questions` are what many runs answer, the first by default.
    """

    id: str
    title: str
    summary: str
    source: str
    params: type
    init: Callable[[Any, Context], Any]
    update: Callable[[Any, Any, Context], Any]
    view: Callable[[Any, int], Mapping[str, Any]]
    describe: Callable[[Any, Any, Any], str]
    alternative: Callable[[Any, int], str]
    actions: tuple[Action, ...]
    invariants: tuple[Invariant, ...]
    scenarios: tuple[Scenario, ...]
    questions: tuple[Question, ...]
    playback_rate: float = 1.0
    frame_ms: int | None = None

    def scenario(self, scenario_id: str | None = None) -> Scenario:
        """The scenario of this name, or the first; `ValueError` names those that there are."""
        if scenario_id is None:
            return self.scenarios[0]
        for scenario in self.scenarios:
            if scenario.id == scenario_id:
                return scenario
        known = ", ".join(scenario.id for scenario in self.scenarios)
        raise ValueError(f"{self.id} has no scenario {scenario_id[:60]!r}, it has: {known}")

    def question(self, question_id: str | None = None) -> Question:
        """The question of this name, or the first; `ValueError` names those that there are."""
        if question_id is None:
            return self.questions[0]
        for question in self.questions:
            if question.id == question_id:
                return question
        known = ", ".join(question.id for question in self.questions)
        raise ValueError(f"{self.id} has no question {question_id[:60]!r}, it has: {known}")

    def action(self, name: str) -> Action:
        """The action whose event class has this name; `ValueError` names those that there are."""
        for action in self.actions:
            if action.event.__name__ == name:
                return action
        known = ", ".join(action.event.__name__ for action in self.actions)
        raise ValueError(f"{self.id} has no action {name[:60]!r}, it has: {known}")
