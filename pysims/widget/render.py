"""From a session to HTML: one template for every pattern, in CPython and in the browser alike.

Numbers print with one decimal, because the last bits of a sine differ between C libraries and the
frame that is baked into the page must be the frame that the browser draws, byte for byte.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from importlib import resources
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined, Template
from markupsafe import Markup

from ..kernel import Action, Choice, Invariant, Number, OneOf, Switch, Text, knobs_of
from ..patterns import load_pattern, pattern_ids
from .session import SPEEDS, Session, touched

TRACE_AROUND = 40
BUTTONS_MAX = 8
# The patch that brings a frame into the page pairs nodes in order. Line breaks between elements
# would be nodes too, and an inserted element would pull all that follow out of their place, which
# ends their transitions.
LINE_BREAK = re.compile(r">\s*\n\s*<")


def decimal(value: float) -> str:
    """A coordinate: one decimal, and no negative zero."""
    text = f"{value:.1f}"
    return "0.0" if text == "-0.0" else text


def clock(time_ms: int) -> str:
    """A time for people: "1.25 s", "800 ms"."""
    return f"{time_ms / 1000:.2f} s" if time_ms >= 1000 or time_ms == 0 else f"{time_ms} ms"


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


def scene_template(pattern_id: str) -> Template:
    return environment().get_template(f"{pattern_id}/scene.svg.jinja")


def compile_all() -> None:
    """Load every pattern and compile every template, so that nothing is read from a file later."""
    for part in ("widget", "front", "settings", "field"):
        environment().get_template(f"widget/{part}.html.jinja")
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


def action_of(action: Action, state: Any) -> dict[str, Any]:
    """An action as a form; one that only asks 'which one' of a few becomes a row of buttons."""
    knobs = knobs_of(action.event)
    blank = action.event()
    controls = [control(name, kind, getattr(blank, name), state) for name, kind in knobs.items()]
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
    }


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


def trace(session: Session) -> list[dict[str, Any]]:
    """The instants around the one on show, for the list."""
    low = max(0, session.at - TRACE_AROUND)
    high = min(len(session.history), session.at + TRACE_AROUND + 1)
    return [
        {
            "index": i,
            "time": clock(session.history.time_ms(i)),
            "sentence": sentence(session, i),
            "current": i == session.at,
        }
        for i in range(low, high)
    ]


@lru_cache(maxsize=32)
def parameters(
    widget_id: str, front: tuple[str, ...], params: Any, seed: int
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
        html = environment().get_template(template).render(id=widget_id, controls=shown, seed=seed)
        return Markup(html)  # noqa: S704  # a template with autoescape made it

    return drawn("widget/front.html.jinja", beside), drawn("widget/settings.html.jinja", inside)


def frame(session: Session) -> str:
    """The HTML of a session: everything inside its `<sim-widget>`."""
    pattern, state, now_ms = session.pattern, session.sim.state, session.now_ms
    scene = pattern.view(state, now_ms)
    name = session.id
    picture = scene_template(pattern.id).render(scene=scene, id=name, now_ms=now_ms)
    front, settings = parameters(name, session.scenario.front, session.params, session.seed)
    text = (
        environment()
        .get_template("widget/widget.html.jinja")
        .render(
            id=name,
            pattern=pattern,
            scenario=session.scenario,
            session=session,
            touched=touched(session),
            picture=Markup(picture),  # noqa: S704  # a template with autoescape made it
            readouts=scene["readouts"],
            alternative=pattern.alternative(state, now_ms),
            says=sentence(session, session.at),
            front=front,
            settings=settings,
            actions=[action_of(action, state) for action in pattern.actions],
            lights=[
                {"name": light.name, "why": light.why, "shows": shown(light, state)}
                for light in pattern.invariants
            ],
            trace=trace(session),
            speeds=SPEEDS,
        )
    )
    return LINE_BREAK.sub("><", text.strip())
