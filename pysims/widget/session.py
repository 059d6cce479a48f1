"""One widget as a value: what runs, how far, and what the reader did to it.

Every command gives a new session, or raises `ValueError` and leaves the old one as it was. A
session's run is described completely by its pattern, parameters, seed and script; that is what
`saved` writes down and `restored` reads, so a run survives the worker that computed it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from typing import Any

from ..kernel import (
    History,
    Number,
    Pattern,
    RunLimit,
    Scenario,
    Script,
    begin,
    build,
    dispatch,
    knobs_of,
    run_script,
    run_until,
)
from ..link import EVENTS_MAX, Link, link_from
from ..patterns import load_pattern
from ..sweep import LIMIT

SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0)
# The clock in the corner moves at least this often while a run plays.
TICK_MS = 200
# One search tries so many seeds, or so many events, whichever is first: a few seconds at most.
SEARCH_SEEDS = 25
SEARCH_EVENTS = 12_000
# The ways that a run took before the reader changed its past; the oldest is forgotten.
WAYS_MAX = 8


@dataclass(frozen=True, slots=True)
class Home:
    """What the page's author chose: the scenario, parameters by name, and the seed, if he did."""

    scenario: str
    overrides: Mapping[str, Any]
    seed: int | None


@dataclass(frozen=True, slots=True)
class Way:
    """A run as it was before the reader acted in its past, and the moment that was on show."""

    params: Any
    seed: int
    script: Script
    until_ms: int
    at: int
    now_ms: int


@dataclass(frozen=True, slots=True)
class Session:
    """`at` is the index of the instant on show; `now_ms` the time on the widget's clock.

    `home` is where the page began. `filled` are the arguments that the reader gave an action last,
    by the action's name, so that its form comes back as he left it. `ways` are the runs that the
    reader came from, the newest last; `kind` the class of the events that he looks for.
    """

    id: str
    pattern: Pattern
    scenario: Scenario
    overrides: Mapping[str, Any]
    params: Any
    seed: int
    script: tuple[tuple[int, Any], ...]
    until_ms: int
    history: History[Any]
    at: int
    now_ms: int
    home: Home
    playing: bool = False
    speed: float = 1.0
    message: str = ""
    filled: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    ways: tuple[Way, ...] = ()
    kind: str = ""

    @property
    def sim(self) -> Any:
        """The instant on show."""
        return self.history[self.at]

    @property
    def state(self) -> Any:
        """The state on show, without the queue, which nothing that is drawn needs."""
        return self.history.state(self.at)


def opened(
    widget_id: str,
    pattern_id: str,
    scenario_id: str | None = None,
    overrides: Mapping[str, Any] | None = None,
    seed: int | None = None,
) -> Session:
    """A session at the moment that its scenario shows first.

    `widget_id` is the element's id in the page, `overrides` are parameters by name, which the
    page's author set; `ValueError` names what is not allowed.
    """
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,80}", widget_id):
        raise ValueError(f"id must be a-z, 0-9 and -, from a letter on, got {widget_id[:90]!r}")
    pattern = load_pattern(pattern_id)
    scenario = pattern.scenario(scenario_id)
    given = dict(overrides or {})
    params: Any = build(pattern.params, {**scenario.params, **given})
    chosen = scenario.seed if seed is None else seed
    first = begin(pattern, params, chosen)
    history = run_script(first, scenario.script, scenario.until_ms, LIMIT)
    shown = scenario.show_ms
    return Session(
        widget_id,
        pattern,
        scenario,
        given,
        params,
        chosen,
        scenario.script,
        scenario.until_ms,
        history,
        history.index_at(shown),
        shown,
        Home(scenario.id, given, seed),
    )


def touched(session: Session) -> bool:
    """Whether the reader has changed the run that the page's author chose."""
    scenario = session.scenario
    chosen: Any = build(session.pattern.params, {**scenario.params, **session.overrides})
    return session.script != scenario.script or session.params != chosen


# --- Moving along the run -------------------------------------------------------------------------


def seek(session: Session, index: int) -> Session:
    """Show instant `index` (0 is the start; past the end is the end)."""
    at = max(0, min(index, len(session.history) - 1))
    now_ms = session.history.time_ms(at)
    return replace(session, at=at, now_ms=now_ms, playing=False)


def changes(session: Session, index: int) -> bool:
    """Whether instant `index` differs from the one before; an alarm out of date changes nothing."""
    before, _, after = session.history.change(index)
    return before is not after


def step(session: Session) -> Session:
    """The next instant in which something is different; past the end, the run goes on."""
    if session.at == len(session.history) - 1:
        session = longer(session)
    at = min(session.at + 1, len(session.history) - 1)
    while at < len(session.history) - 1 and not changes(session, at):
        at += 1
    return seek(session, at)


def back(session: Session) -> Session:
    """The last instant before this one in which something was different."""
    at = session.at
    while at > 1 and not changes(session, at):
        at -= 1
    return seek(session, at - 1)


@lru_cache(maxsize=16)
def kinds(history: History[Any]) -> tuple[str, ...]:
    """The kinds of events that changed something in a run, in order of their names."""
    changed = (history.change(index) for index in range(1, len(history)))
    return tuple(sorted({type(event).__name__ for old, event, new in changed if old is not new}))


def looked_for(session: Session) -> str:
    """The kind of event that the reader looks for: the one that he chose, or the first."""
    known = kinds(session.history)
    return session.kind if session.kind in known or not known else known[0]


def set_kind(session: Session, value: str) -> Session:
    """Choose what `to_next` and `to_last` look for; `ValueError` names what the run has."""
    known = kinds(session.history)
    if value not in known:
        raise ValueError(f"this run has no event {value[:40]!r}, it has: {', '.join(known)}")
    return replace(session, kind=value)


def found_among(session: Session, where: range, when: str) -> Session:
    kind = looked_for(session)
    for at in where:
        if type(session.history.change(at)[1]).__name__ == kind and changes(session, at):
            return seek(session, at)
    raise ValueError(f"no “{spoken(kind)}” comes {when} this moment")


def to_next(session: Session) -> Session:
    """The next event of the kind that is looked for; `ValueError` if none is to come."""
    return found_among(session, range(session.at + 1, len(session.history)), "after")


def to_last(session: Session) -> Session:
    """The last event of the kind before this moment; `ValueError` if there was none."""
    return found_among(session, range(session.at - 1, 0, -1), "before")


def spoken(kind: str) -> str:
    """The name of a class in words: "ElectionTimeout" is "election timeout"."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", kind).lower()


def goes_on(session: Session) -> bool:
    """Whether anything is pending at the end of the run."""
    return bool(session.history[-1].queue)


def longer(session: Session) -> Session:
    """The run, half as long again as its story; as it is if nothing is pending."""
    if not goes_on(session):
        return session
    until_ms = session.until_ms + max(1, session.scenario.until_ms // 2)
    more = run_until(session.history[-1], until_ms, LIMIT, len(session.history) - 1)
    return replace(session, until_ms=until_ms, history=session.history.extended(more))


def to_start(session: Session) -> Session:
    return seek(session, 0)


def to_end(session: Session) -> Session:
    return seek(session, len(session.history) - 1)


def play(session: Session) -> Session:
    """Let the clock run; at its end the run goes on, or starts again if nothing is to come."""
    if session.at == len(session.history) - 1:
        session = longer(session) if goes_on(session) else to_start(session)
    return replace(session, playing=True)


def pause(session: Session) -> Session:
    return replace(session, playing=False)


def toggle(session: Session) -> Session:
    return pause(session) if session.playing else play(session)


def rate_of(session: Session) -> float:
    """How many simulated ms pass in one ms of the reader."""
    return session.speed * (session.scenario.playback_rate or session.pattern.playback_rate)


def tick(session: Session, elapsed_ms: float) -> Session:
    """The session after `elapsed_ms` of the reader's time; it pauses at the end of its run."""
    if not session.playing:
        return session
    rate = rate_of(session)
    now_ms = session.now_ms + max(1, round(min(elapsed_ms, 1_000) * rate))
    if now_ms >= session.until_ms:
        return replace(
            session,
            at=len(session.history) - 1,
            now_ms=session.until_ms,
            playing=False,
        )
    return replace(session, now_ms=now_ms, at=session.history.index_at(now_ms))


def wait_ms(session: Session) -> int | None:
    """How long the picture stays as it is (in the reader's ms), or `None` when it is paused."""
    if not session.playing:
        return None
    later = session.at + 1
    end = session.history.time_ms(later) if later < len(session.history) else session.until_ms
    rate = rate_of(session)
    longest = session.pattern.frame_ms or TICK_MS
    return max(1, min(longest, round((end - session.now_ms) / rate)))


# --- Changing the run -----------------------------------------------------------------------------


def act_now(session: Session, action: str, arguments: Mapping[str, Any]) -> Session:
    """The reader does something now; what is to come after it is left to `carried_on`."""
    event: Any = build(session.pattern.action(action).event, arguments, for_reader=True)
    if len(session.script) >= EVENTS_MAX:
        raise ValueError(f"a run takes at most {EVENTS_MAX} actions, reset it to act again")
    now_ms = session.now_ms
    done = tuple(timed for timed in session.script if timed[0] <= now_ms)
    past = session.history.upto(session.history.index_at(now_ms))
    history = past.extended(run_until(dispatch(past[-1], event, now_ms), now_ms, LIMIT))
    until_ms = max(session.until_ms, now_ms + session.scenario.until_ms // 2)
    pending = history[-1].queue
    return replace(
        session,
        script=(*done, (now_ms, event)),
        until_ms=until_ms,
        history=history,
        at=len(history) - 1,
        playing=session.playing and bool(pending) and pending[0][0] <= until_ms,
        filled={**session.filled, action: dict(arguments)},
        ways=came_from(session) if has_future(session) else session.ways,
    )


def act(session: Session, action: str, arguments: Mapping[str, Any]) -> Session:
    """The reader does something now; what was to come after this moment is run anew."""
    return carried_on(act_now(session, action, arguments))


def carried_on(session: Session) -> Session:
    """A session whose run ends at the moment on show, with the rest of its run."""
    later = tuple(timed for timed in session.script if timed[0] > halt_ms(session))
    past = session.history
    more = fitting(past[-1], later, session.until_ms, len(past) - 1)
    return replace(session, history=past.extended(more))


def halt_ms(session: Session) -> int:
    """Up to when a run is computed before its picture is drawn."""
    return min(session.now_ms, session.until_ms)


def has_future(session: Session) -> bool:
    """Whether something of this run comes after the moment on show, which acting would undo."""
    return any(time_ms > session.now_ms for time_ms, _ in session.script) or (
        session.at < len(session.history) - 1
    )


def came_from(session: Session) -> tuple[Way, ...]:
    """The ways of a session, this one being the newest."""
    here = Way(
        session.params,
        session.seed,
        session.script,
        session.until_ms,
        session.at,
        session.now_ms,
    )
    return (*session.ways, here)[-WAYS_MAX:]


def go_back(session: Session) -> Session:
    """The run as it was before the reader last acted in its past, at the moment that he left."""
    if not session.ways:
        raise ValueError("there is no earlier way, this run was not changed in its past")
    way = session.ways[-1]
    ready = replace(session, script=way.script, until_ms=way.until_ms, ways=session.ways[:-1])
    ready = seek(rerun(ready, way.params, way.seed), way.at)
    return replace(ready, now_ms=way.now_ms)


def rerun_now(session: Session, params: Any, seed: int) -> Session:
    """The same script with other parameters or another seed, up to the moment on show."""
    first, halt = begin(session.pattern, params, seed), halt_ms(session)
    done = tuple(timed for timed in session.script if timed[0] <= halt)
    history = fitting(first, done, halt, 0)
    return replace(session, params=params, seed=seed, history=history, at=len(history) - 1)


def rerun(session: Session, params: Any, seed: int) -> Session:
    """The same script with other parameters or another seed, at the same moment."""
    return carried_on(rerun_now(session, params, seed))


def fitting(first: Any, script: Script, until_ms: int, taken: int) -> History[Any]:
    """The run of a script, whose events may be none in a setting that they were not written for."""
    try:
        return run_script(first, script, until_ms, LIMIT, taken)
    except ValueError as problem:
        raise ValueError(f"this run's own events do not fit that setting: {problem}") from problem


def param_now(session: Session, name: str, value: Any, position: Any = None) -> Session:
    """A parameter by its value (a text), or by the position of its slider, up to this moment."""
    known = knobs_of(session.params)
    if name not in known:
        raise ValueError(f"there is no parameter {name[:40]!r}, there are: {', '.join(known)}")
    kind = known[name]
    if position is not None and isinstance(kind, Number):
        changed: dict[str, Any] = {name: kind.at(int(position))}
    else:
        changed = {name: kind.parse(f"“{kind.label}”", str(value))}
    return rerun_now(session, replace(session.params, **changed), session.seed)


def set_param(session: Session, name: str, value: Any) -> Session:
    """The whole run with another value (a text) of a parameter."""
    return carried_on(param_now(session, name, value))


def seed_now(session: Session, value: str) -> Session:
    """Another seed, up to this moment."""
    try:
        seed = int(value)
    except ValueError:
        raise ValueError(f"seed must be an integer, got {value[:20]!r}") from None
    return rerun_now(session, session.params, seed)


def search(session: Session) -> Session:
    """Try the next seeds for the same script, until one violates an invariant; show that moment.

    The seed stays at the last one tried, so that searching again goes on from there.
    """
    events, first = 0, session.seed + 1
    seed, history, found = session.seed, session.history, None
    for seed in range(first, min(first + SEARCH_SEEDS, 2**32)):
        start = begin(session.pattern, session.params, seed)
        history = run_script(start, session.script, session.until_ms, LIMIT)
        found = first_violation(session.pattern, history)
        events += len(history)
        if found or events > SEARCH_EVENTS:
            break
    tried = replace(session, seed=seed, history=history)
    if found:
        light, at = found
        says = f"Seed {seed}: “{light}” is violated at {history.time_ms(at)} ms."
        return replace(seek(tried, at), message=says)
    says = f"Seeds {first} to {seed}: every light holds. Search again to try the next ones."
    return replace(to_end(tried), message=says)


def first_violation(pattern: Pattern, history: History[Any]) -> tuple[str, int] | None:
    """The first invariant that a run violates, and the index of the instant; or `None`."""
    for index, state in enumerate(history.states()):
        for light in pattern.invariants:
            if light.promised(state) and not light.holds(state):
                return light.name, index
    return None


def set_speed(session: Session, value: str) -> Session:
    if value not in map(str, SPEEDS):
        raise ValueError(f"speed must be one of {SPEEDS}, got {value[:20]!r}")
    return replace(session, speed=float(value))


def other_speed(session: Session, by: int) -> Session:
    """So many steps faster (or, below 0, slower), as far as there are speeds."""
    index = SPEEDS.index(session.speed) + by
    return replace(session, speed=SPEEDS[max(0, min(index, len(SPEEDS) - 1))])


def set_scenario(session: Session, value: str) -> Session:
    """Another story, as it was written; the speed stays, and so does the page's own story."""
    fresh = opened(session.id, session.pattern.id, value)
    return replace(fresh, speed=session.speed, home=session.home, kind=session.kind)


def reset(session: Session) -> Session:
    """Back to how the story was at first, and from there to the story that the page shows."""
    home = session.home
    theirs = opened(session.id, session.pattern.id, home.scenario, home.overrides, home.seed)
    if session.scenario.id == home.scenario:
        return theirs
    fresh = opened(session.id, session.pattern.id, session.scenario.id)
    where = (fresh.at, fresh.seed, fresh.until_ms)
    if (session.at, session.seed, session.until_ms) == where and not touched(session):
        return theirs
    return replace(fresh, home=home)


# --- One run among many -------------------------------------------------------------------------


def plain_run(session: Session) -> dict[str, Any]:
    """What all seeds of a sweep have in common, as plain JSON: the run without its seed."""
    return {
        "scenario": session.scenario.id,
        "params": asdict(session.params),
        "script": plain_script(session.script),
        "until_ms": session.until_ms,
    }


def open_run(session: Session, plain: Mapping[str, Any], seed: int) -> Session:
    """The end of the run that `plain_run` wrote down, with a seed; `ValueError` if it is none.

    The reader's own run is kept, so that he can return to it.
    """
    scenario = session.pattern.scenario(str(plain["scenario"]))
    params: Any = build(session.pattern.params, plain["params"])
    ready = replace(
        session,
        scenario=scenario,
        overrides=session.overrides if scenario is session.scenario else {},
        script=script_from(session.pattern, plain["script"]),
        until_ms=int(plain["until_ms"]),
        # A way holds no scenario: those of another one would lead astray.
        ways=came_from(session) if scenario is session.scenario else (),
    )
    return to_end(rerun(ready, params, seed))


# --- Permalinks -----------------------------------------------------------------------------------


def link_of(session: Session) -> str:
    """The run and the moment on show as the text of a permalink; `ValueError` if it is too long."""
    return Link(
        session.pattern,
        session.scenario.id,
        session.params,
        session.seed,
        session.script,
        session.until_ms,
        session.now_ms,
        session.at,
    ).text


def follow(session: Session, text: str) -> Session:
    """The run of a permalink, paused at its moment; `ValueError` says what is wrong with it."""
    link = link_from(text, session.pattern.id)
    ready = replace(
        session,
        scenario=link.pattern.scenario(link.scenario),
        overrides={},
        script=link.script,
        until_ms=link.until_ms,
        filled={},
        ways=(),
    )
    ready = rerun(ready, link.params, link.seed)
    at = link.at or ready.history.index_at(link.at_ms)
    ready = seek(ready, at)
    # Between two events the clock goes on; a time that is not there is the event's own.
    begins = ready.now_ms
    last = ready.at == len(ready.history) - 1
    ends = ready.until_ms if last else ready.history.time_ms(ready.at + 1)
    return replace(ready, now_ms=max(begins, min(link.at_ms, ends)))


def follow_at_first(session: Session, text: str) -> Session:
    """The run of the permalink that the page was opened with, or the story and what is wrong."""
    try:
        return follow(session, text)
    except (ValueError, RunLimit) as problem:
        says = f"This link cannot be followed: {problem}. The story is shown as it was written."
        return replace(session, message=says)


# --- Commands from outside ------------------------------------------------------------------------

PLAIN: Mapping[str, Callable[[Session], Session]] = {
    "step": step,
    "back": back,
    "start": to_start,
    "end": to_end,
    "play": play,
    "pause": pause,
    "toggle": toggle,
    "reset": reset,
    "search": search,
    "return": go_back,
    "next": to_next,
    "last": to_last,
    "faster": lambda session: other_speed(session, 1),
    "slower": lambda session: other_speed(session, -1),
    "show": lambda session: session,
}
WITH_VALUE: Mapping[str, Callable[[Session, str], Session]] = {
    "speed": set_speed,
    "scenario": set_scenario,
    "follow": follow,
    "kind": set_kind,
    "seek": lambda session, value: seek(session, int(value)),
    "tick": lambda session, value: tick(session, float(value)),
}


NOW: Mapping[str, Callable[[Session, Mapping[str, Any]], Session]] = {
    "act": lambda session, message: act_now(
        session, str(message.get("name", "")), message.get("arguments") or {}
    ),
    "param": lambda session, message: param_now(
        session, str(message.get("name", "")), message.get("value"), message.get("position")
    ),
    "seed": lambda session, message: seed_now(session, str(message.get("value", ""))),
}
"""Commands after which a run is computed anew. What they give ends at the moment on show, which is
all that its picture needs; `carried_on` adds the rest, which may take many times as long."""


def command(session: Session, message: Mapping[str, Any]) -> Session:
    """The session after a command; `ValueError` for one that is not known or not allowed.

    `{"do": "step"}`, `{"do": "speed", "value": "2.0"}`, `{"do": "param", "name": …, "value": …}`,
    `{"do": "act", "name": "RemoveServer", "arguments": {"server": "D"}}`, `{"do": "run", "run": …,
    "seed": 17}` with a run as `plain_run` writes it.
    """
    do = str(message.get("do"))
    session = replace(session, message="")
    if do in PLAIN:
        return PLAIN[do](session)
    if do in WITH_VALUE:
        return WITH_VALUE[do](session, str(message.get("value", "")))
    if do in NOW:
        return carried_on(NOW[do](session, message))
    if do == "run":
        return open_run(session, message["run"], int(message["seed"]))
    known = ", ".join([*PLAIN, *WITH_VALUE, *NOW, "run"])
    raise ValueError(f"there is no command {do[:40]!r}, there are: {known}")


def command_now(session: Session, message: Mapping[str, Any]) -> Session:
    """The session after one of the commands in `NOW`, up to the moment on show."""
    return NOW[str(message["do"])](replace(session, message=""), message)


def plain_script(script: Script) -> list[Any]:
    return [[time_ms, type(event).__name__, asdict(event)] for time_ms, event in script]


def plain_way(way: Way) -> dict[str, Any]:
    return {**asdict(way), "script": plain_script(way.script)}


def script_from(pattern: Pattern, plain: list[Any]) -> Script:
    """The script that `plain_script` wrote down; `ValueError` for what is not allowed."""
    if len(plain) > EVENTS_MAX:
        raise ValueError(f"a run takes at most {EVENTS_MAX} actions, got {len(plain)}")
    return tuple(
        (int(time_ms), build(pattern.action(name).event, arguments))
        for time_ms, name, arguments in plain
    )


def saved(session: Session) -> dict[str, Any]:
    """What it takes to make this session again, as plain JSON."""
    return {
        "id": session.id,
        "pattern": session.pattern.id,
        "scenario": session.scenario.id,
        "home": asdict(session.home),
        "overrides": dict(session.overrides),
        "params": asdict(session.params),
        "seed": session.seed,
        "script": plain_script(session.script),
        "until_ms": session.until_ms,
        "at": session.at,
        "now_ms": session.now_ms,
        "speed": session.speed,
        "filled": {name: dict(given) for name, given in session.filled.items()},
        "ways": [plain_way(way) for way in session.ways],
        "kind": session.kind,
    }


def restored(plain: Mapping[str, Any]) -> Session:
    """The session that `saved` wrote down, paused; `ValueError` for what is not allowed."""
    fresh = opened(
        str(plain["id"]), str(plain["pattern"]), str(plain["scenario"]), plain["overrides"]
    )
    pattern = fresh.pattern
    script = script_from(pattern, plain["script"])
    home = Home(**plain["home"])
    pattern.scenario(home.scenario)
    ready = replace(
        fresh,
        script=script,
        until_ms=int(plain["until_ms"]),
        home=home,
        filled=plain["filled"],
        kind=str(plain["kind"]),
        ways=tuple(
            Way(
                **{
                    **way,
                    "params": build(pattern.params, way["params"]),
                    "script": script_from(pattern, way["script"]),
                }
            )
            for way in plain["ways"]
        ),
    )
    params: Any = build(pattern.params, plain["params"])
    ready = rerun(ready, params, int(plain["seed"]))
    ready = seek(ready, int(plain["at"]))
    return replace(ready, now_ms=int(plain["now_ms"]), speed=float(plain["speed"]))
