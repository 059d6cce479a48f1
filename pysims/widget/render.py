"""From a session to HTML: one template for every pattern, in CPython and in the browser alike.

Numbers print with one decimal, because the last bits of a sine differ between C libraries and the
frame that is baked into the page must be the frame that the browser draws, byte for byte.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import cache, lru_cache
from importlib import resources
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined, Template
from markupsafe import Markup

from ..kernel import Action, Choice, Invariant, Number, OneOf, Switch, Text, knobs_of
from ..patterns import load_pattern, pattern_ids
from ..patterns.shelf import SHELF
from .session import SPEEDS, Session, goes_on, kinds, looked_for, spoken, touched

# So many instants before and after the one on show are listed: a list that scrolls, and a page of
# thirty figures that a phone must load.
TRACE_AROUND = 16
# Before Python has come the list is for reading, and its lines lead nowhere yet.
FIRST_AROUND = 2
BUTTONS_MAX = 8
WIDGET = (
    "widget",
    "parts",
    "press",
    "front",
    "settings",
    "field",
    "line",
    "seeds",
    "spread",
    "waits",
)
# The patch that brings a frame into the page pairs nodes in order. Line breaks between elements
# would be nodes too, and an inserted element would pull all that follow out of their place, which
# ends their transitions.
LINE_BREAK = re.compile(r">\s*\n\s*<")


def decimal(value: float) -> str:
    """A coordinate: one decimal, and no negative zero."""
    text = f"{value:.1f}"
    return "0.0" if text == "-0.0" else text


HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
YEAR_MS = 8_766 * HOUR_MS


def clock(time_ms: int) -> str:
    """A time for people: "800 ms", "1.25 s", "2 h 05 min", "3 d 04 h", "29 y 351 d".

    Below an hour the parts are seconds; a year has 365.25 days.
    """
    if 0 < time_ms < 1_000:
        return f"{time_ms} ms"
    if time_ms < HOUR_MS:
        return f"{time_ms / 1_000:.2f} s"
    if time_ms < DAY_MS:
        return f"{time_ms // HOUR_MS} h {time_ms % HOUR_MS // 60_000:02d} min"
    if time_ms < YEAR_MS:
        return f"{time_ms // DAY_MS} d {time_ms % DAY_MS // HOUR_MS:02d} h"
    return f"{time_ms // YEAR_MS} y {time_ms % YEAR_MS // DAY_MS} d"


def source_of(name: str) -> str:
    """The text of a template: `widget/…` and `<pattern>/…` are their folders."""
    folder, _, file = name.partition("/")
    package = "pysims.widget.templates" if folder == "widget" else f"pysims.patterns.{folder}"
    return resources.files(package).joinpath(file).read_text("utf-8")


@cache
def environment() -> Environment:
    """The one Jinja2 environment; it never looks at a file twice."""
    env = Environment(
        loader=FunctionLoader(source_of),
        autoescape=True,
        auto_reload=False,
        cache_size=-1,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    env.filters["n"] = decimal
    env.filters["clock"] = clock
    return env


@cache
def scene_template(pattern_id: str) -> Template:
    """The template of a pattern's scene; it may have been compiled when the runtime was built."""
    env, code = environment(), SHELF.scene(pattern_id)
    if code is None:
        return env.get_template(f"{pattern_id}/scene.svg.jinja")
    return env.template_class.from_code(env, code, env.make_globals(None))


def compile_all() -> None:
    """Load and compile all that is not compiled yet, so that nothing is read from a file later."""
    for part in WIDGET:
        environment().get_template(f"widget/{part}.html.jinja")
    environment().get_template("widget/parts.svg.jinja")
    for pattern_id in pattern_ids():
        load_pattern(pattern_id)
        scene_template(pattern_id)


def control(name: str, kind: Any, value: Any, state: Any) -> dict[str, Any]:
    """What the template needs to draw the control of one knob."""
    base = {"name": name, "label": kind.label, "hint": kind.hint, "value": value}
    match kind:
        case Number():
            return {
                **base,
                "kind": "number",
                "low": f"{kind.low:g}",
                "high": f"{kind.high:g}",
                "step": f"{kind.step:g}",
                "unit": kind.unit,
                "shown": f"{value:,}" if kind.integral else f"{value:g}",
                "text": str(value) if kind.integral else f"{value:g}",
                "position": kind.position(value),
                "positions": kind.positions,
            }
        case Choice():
            return {**base, "kind": "choice", "choices": list(kind.choices.items())}
        case OneOf():
            names = list(kind.available(state))
            return {**base, "kind": "choice", "choices": [(name, name) for name in names]}
        case Switch():
            return {**base, "kind": "switch"}
        case Text():
            return {**base, "kind": "text", "longest": kind.longest}
    raise TypeError(f"no control for {kind!r}")


def action_of(action: Action, state: Any, filled: Mapping[str, Any]) -> dict[str, Any]:
    """An action as a form; one that only asks 'which one' of a few becomes a row of buttons.

    `filled` is what the reader filled in last.
    """
    knobs = knobs_of(action.event)
    blank = action.event()
    controls = [
        control(name, kind, filled_in(kind, filled.get(name), getattr(blank, name)), state)
        for name, kind in knobs.items()
    ]
    few = (
        len(knobs) == 1
        and isinstance(next(iter(knobs.values())), OneOf)
        and len(controls[0]["choices"]) <= BUTTONS_MAX
    )
    return {
        "name": action.event.__name__,
        "label": action.label,
        "hint": action.hint,
        "available": action.available(state),
        "controls": controls,
        "buttons": few,
        # Where there is nothing to choose from, the action waits until there is.
        "nothing": any(c["kind"] == "choice" and not c["choices"] for c in controls),
    }


def filled_in(kind: Any, text: Any, default: Any) -> Any:
    """The value that a form's field shows: what the reader filled in, if it was allowed."""
    if not isinstance(text, str):
        return default if text is None else text
    try:
        return kind.parse("", text)
    except ValueError:
        return default


def shown(light: Invariant, state: Any) -> str:
    """What a light says: "holds", "violated", or that nobody promised it here."""
    if not light.promised(state):
        return "not promised here"
    return "holds" if light.holds(state) else "violated"


def sentence(session: Session, index: int) -> str:
    """What the event behind instant `index` did."""
    if index == 0:
        return session.pattern.describe(None, None, session.history[0].state)
    before, event, after = session.history.change(index)
    return session.pattern.describe(before, event, after)


# The lines of the trace that were drawn, by widget, index and time, each with the change that it
# tells: describing and drawing thirty of them for every frame would take longer than all the rest.
_lines: dict[tuple[str, int, int], tuple[tuple[Any, Any, Any], Markup]] = {}
LINES_MAX = 20_000


def line(session: Session, index: int, current: bool) -> Markup:
    """One line of the trace."""
    template = environment().get_template("widget/line.html.jinja")
    html = template.render(
        id=session.id,
        index=index,
        time=clock(session.history.time_ms(index)),
        sentence=sentence(session, index),
        current=current,
    )
    return Markup(html)  # noqa: S704  # a template with autoescape made it


def kept_line(session: Session, index: int) -> Markup:
    """A line that is not the current one, drawn anew only if it tells something else."""
    state = session.history[0].state
    change = session.history.change(index) if index else (state, None, state)
    key = (session.id, index, session.history.time_ms(index))
    kept = _lines.get(key)
    if kept and all(old is new for old, new in zip(kept[0], change, strict=True)):
        return kept[1]
    if len(_lines) >= LINES_MAX:
        _lines.clear()
    drawn = line(session, index, current=False)
    _lines[key] = (change, drawn)
    return drawn


def trace(session: Session, around: int) -> Markup:
    """The list of the instants around the one on show."""
    low = max(0, session.at - around)
    high = min(len(session.history), session.at + around + 1)
    lines = [
        line(session, i, current=True) if i == session.at else kept_line(session, i)
        for i in range(low, high)
    ]
    return Markup('<ol class="sim-trace">{}</ol>').format(Markup("").join(lines))


@lru_cache(maxsize=32)
def parameters(
    widget_id: str, front: tuple[str, ...], params: Any, seed: int, first: bool = False
) -> tuple[Markup, Markup]:
    """The controls in front and those under 'Settings'.

    They change with the parameters only, and drawing them takes a third of a frame's time.
    """
    controls = {
        name: control(name, kind, getattr(params, name), None)
        for name, kind in knobs_of(params).items()
    }
    inside = [shown for name, shown in controls.items() if name not in front]
    beside = [controls[name] for name in front]

    def drawn(template: str, shown: list[dict[str, Any]]) -> Markup:
        words = {"id": widget_id, "controls": shown, "seed": seed, "first": first}
        return joined(environment().get_template(template).render(words))

    return drawn("widget/front.html.jinja", beside), drawn("widget/settings.html.jinja", inside)


# The parts of a widget and where the page finds each of them, in two groups: what the run up to the
# moment on show decides, and what also tells of the time after it.
NOW = {
    "head": ".sim-head",
    "watch": ".sim-watch",
    "scene": ".sim-scene",
    "says": ".sim-says",
    "message": ".sim-message",
    "front": ".sim-front",
    "actions": ".sim-actions",
    "readouts": ".sim-readouts",
    "lights": ".sim-lights",
    "settings": ":scope > [id$=-settings]",
}
LATER = {"transport": ".sim-transport", "trace": ":scope > [id$=-trace]"}
PLACES = {**NOW, **LATER}


def joined(html: str) -> Markup:
    """What a template with autoescape made, without line breaks between its elements."""
    return Markup(LINE_BREAK.sub("><", html.strip()))  # noqa: S704


def blocks(names: Collection[str], words: Mapping[str, Any]) -> dict[str, Markup]:
    """Some blocks of the template of parts, by name."""
    template = environment().get_template("widget/parts.html.jinja")
    context = template.new_context(dict(words))
    return {name: joined("".join(template.blocks[name](context))) for name in names}


def lights_of(session: Session) -> list[dict[str, str]]:
    """What the template needs to draw the lights."""
    state = session.state
    return [
        {"name": light.name, "why": light.why, "shows": shown(light, state)}
        for light in session.pattern.invariants
    ]


def parts_now(session: Session, first: bool = False, later: bool = False) -> dict[str, Markup]:
    """The parts that do not depend on what comes after the moment on show."""
    pattern, state, now_ms, name = session.pattern, session.state, session.now_ms, session.id
    scene = pattern.view(state, now_ms)
    picture = scene_template(pattern.id).render(scene=scene, id=name, now_ms=now_ms)
    front, settings = parameters(name, session.scenario.front, session.params, session.seed, first)
    words = {
        "id": name,
        "pattern": pattern,
        "scenario": session.scenario,
        "session": session,
        "touched": touched(session),
        "later": later,
        "picture": Markup(picture),  # noqa: S704  # a template with autoescape made it
        "readouts": scene["readouts"],
        "says": sentence(session, session.at),
        "actions": [
            action_of(action, state, session.filled.get(action.event.__name__, {}))
            for action in pattern.actions
        ],
        "lights": lights_of(session),
    }
    kept = {"front": front, "settings": settings}
    return {**blocks([part for part in NOW if part not in kept], words), **kept}


def parts_later(session: Session, first: bool = False) -> dict[str, Markup]:
    """The parts that also tell what comes after the moment on show, and how much of it."""
    words = {
        "id": session.id,
        "session": session,
        "alternative": session.pattern.alternative(session.state, session.now_ms),
        "goes_on": goes_on(session),
        "lights": lights_of(session),
        "trace": trace(session, FIRST_AROUND if first else TRACE_AROUND),
        "kinds": [] if first else [(kind, spoken(kind)) for kind in kinds(session.history)],
        "kind": looked_for(session),
        "speeds": SPEEDS,
    }
    return blocks(LATER, words)


def parts_of(session: Session) -> dict[str, Markup]:
    """All parts of a widget that a frame may change, by name."""
    return {**parts_now(session), **parts_later(session)}


def whole(
    widget_id: str, parts: Mapping[str, Markup], first: bool = False, later: bool = False
) -> str:
    """The HTML of a widget out of its parts: everything inside its `<sim-widget>`."""
    template = environment().get_template("widget/widget.html.jinja")
    return str(joined(template.render(id=widget_id, parts=parts, first=first, later=later)))


def frame(session: Session) -> str:
    """The HTML of a session."""
    return whole(session.id, parts_of(session))


def first_frame(session: Session, later: bool = False) -> str:
    """The HTML that stands in a page before Python has come.

    All that is to be read is in it. What lies in closed panels and is of no use without Python
    comes with it: in a page with thirty figures that was almost half of what a phone had to load.
    With `later`, the controls lie in templates, which `sim.js` empties when the figure comes near.
    Chrome looks at each field of a page, to fill it in for the reader, as soon as the page is
    there; for that it lays out the figures that it had left out because they are far away.
    """
    parts = {**parts_now(session, True, later), **parts_later(session, True)}
    return whole(session.id, parts, first=True, later=later)
