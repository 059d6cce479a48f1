"""What Markdown calls: a fence becomes a widget whose first frame is complete HTML.

    ```sim hash_ring scenario="ring-kill" virtual_nodes="50"
    ```

The first word is the pattern; `scenario`, `seed`, `id` and the pattern's own parameters may
follow, each with its value in quotes (SuperFences takes a header with bare values for no fence at
all, and prints it). Register it in `mkdocs.yml`:

    - pymdownx.superfences:
        custom_fences:
          - name: sim
            class: sim
            format: !!python/name:pysims.widget.fence.format_sim
            validator: !!python/name:pysims.widget.fence.validate_sim

SuperFences swallows ordinary exceptions and leaves a code block where a figure should be, in
silence; so every refusal here is a `SuperFencesException`, which stops the build.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup
from pymdownx.superfences import SuperFencesException

from ..kept import code_of_pattern, kept
from ..kernel import Pattern, build, knobs_of
from ..patterns import load_pattern, pattern_ids
from .render import first_frame
from .session import opened

OWN = ("scenario", "seed", "id")


def widget_id_of(
    pattern_id: str,
    scenario: str | None = None,
    widget_id: str | None = None,
    **rest: Any,  # noqa: ARG001  # takes what `widget_html` takes
) -> str:
    """The id of a widget in its page: the one that the author gave, or its pattern and story."""
    story = load_pattern(pattern_id).scenario(scenario).id
    return widget_id or f"{pattern_id}-{story}".replace("_", "-")


def widget_html(
    pattern_id: str,
    scenario: str | None = None,
    overrides: Mapping[str, Any] | None = None,
    seed: int | None = None,
    widget_id: str | None = None,
    later: bool = False,
) -> str:
    """The HTML of a widget: the element, and inside it the first frame.

    `later` is for all widgets of a page but the first: their controls are made when they come near.
    `ValueError` for a pattern, scenario, parameter or seed that is not allowed.
    """
    story = load_pattern(pattern_id).scenario(scenario).id
    element_id = widget_id_of(pattern_id, story, widget_id=widget_id)
    session = opened(element_id, pattern_id, story, overrides, seed)
    attributes = {
        "id": session.id,
        "data-pattern": pattern_id,
        "data-scenario": story,
        "data-overrides": json.dumps(dict(overrides)) if overrides else None,
        "data-seed": None if seed is None else str(seed),
    }
    shown = "".join(
        Markup(' {}="{}"').format(name, value) for name, value in attributes.items() if value
    )
    # Python-Markdown takes an element that it does not know for a phrase and wraps it in <p>.
    return f"<div><sim-widget{shown}>{first_frame(session, later)}</sim-widget></div>"


def drawn(arguments: Mapping[str, Any]) -> str:
    """`widget_html(**arguments)`, computed or kept from an earlier build."""
    code = code_of_pattern(arguments["pattern_id"])
    html: str = kept("frame", dict(arguments), code, lambda: widget_html(**arguments))
    return html


def arguments_of(inputs: Mapping[str, str]) -> dict[str, Any]:
    """The arguments of `widget_html` from the words of a fence's header."""
    bare = [name for name, value in inputs.items() if name == value and name in pattern_ids()]
    if len(bare) != 1:
        known = ", ".join(pattern_ids())
        raise ValueError(f"a sim fence names one pattern ({known}), got: {', '.join(inputs)}")
    rest = {name: value for name, value in inputs.items() if name != bare[0]}
    seed = rest.get("seed")
    if seed is not None and not seed.isdecimal():
        raise ValueError(f"seed must be an integer of 0 or more, got {seed!r}")
    return {
        "pattern_id": bare[0],
        "scenario": rest.get("scenario"),
        "seed": None if seed is None else int(seed),
        "widget_id": rest.get("id"),
        "overrides": read_overrides(load_pattern(bare[0]), rest),
    }


def read_overrides(pattern: Pattern, words: Mapping[str, str]) -> dict[str, Any]:
    """The parameters among the words, read by their knobs."""
    given = {name: value for name, value in words.items() if name not in OWN}
    params: Any = build(pattern.params, given)
    return {name: getattr(params, name) for name in knobs_of(pattern.params) if name in given}


def validate_sim(
    language: str,  # noqa: ARG001  # the five arguments are SuperFences' interface
    inputs: dict[str, str],
    options: dict[str, Any],
    attrs: Any,  # noqa: ARG001
    md: Any,  # noqa: ARG001
) -> bool:
    """Read the header of a fence (the interface of `pymdownx.superfences`)."""
    try:
        options["arguments"] = arguments_of(inputs)
    except Exception as problem:
        raise SuperFencesException(f"sim fence: {problem}") from problem
    return True


def format_sim(
    source: str,  # noqa: ARG001  # the arguments are SuperFences' interface
    language: str,  # noqa: ARG001
    class_name: str,  # noqa: ARG001
    options: dict[str, Any],
    md: Any,
    **rest: Any,  # noqa: ARG001
) -> str:
    """Draw a fence (the interface of `pymdownx.superfences`); anything wrong stops the build."""
    try:
        before = figures_of(md)
        arguments = {**options["arguments"], "later": bool(before)}
        before.add(widget_id_of(**arguments))
        return drawn(arguments)
    except Exception as problem:
        raise SuperFencesException(f"sim fence: {problem}") from problem


def figures_of(md: Any) -> set[str]:
    """The ids of the widgets on the page that this `Markdown` converts.

    Fences are drawn before any sentence is read, so a sentence knows all figures of its page.
    """
    found: set[str] = md.__dict__.setdefault("sim_figures", set())
    return found
