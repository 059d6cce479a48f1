"""What Markdown calls: a name between backquotes becomes a number that links to its run.

    `#!run nines outages = 2`

    - pymdownx.inlinehilite:
        custom_inline:
          - name: run
            class: run
            format: !!python/name:pysims.numbers.inline.format_run

InlineHilite swallows ordinary exceptions and leaves the words as they are, in silence; so every
refusal here is an `InlineHiliteException`, which stops the build.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from markupsafe import Markup
from pymdownx.inlinehilite import InlineHiliteException

from ..patterns import load_pattern
from ..widget.fence import figures_of, widget_id_of
from . import number


def number_html(words: str, figures: Collection[str] = ()) -> str:
    """A number of the prose, by its name and the value that the text shows.

    It links to its run: in the figure, if that is one of `figures` on the page, or else on the
    page for iframes. `ValueError` for a name that is not known, and for a value that is not what
    the run gives.
    """
    name, _, written = (part.strip() for part in words.partition("="))
    value, sources = number(name)
    if written != value:
        raise ValueError(f"{name!r} is {value}, and the text says {written or 'nothing'}")
    if not sources:
        return Markup('<span class="sim-number">{}</span>').format(value)
    here = [source for source in sources if widget_id_of(*source) in figures]
    pattern_id, scenario = (here or sources)[0]
    title = load_pattern(pattern_id).scenario(scenario).title
    target = f"#{widget_id_of(*here[0])}" if here else f"embed/{pattern_id}/{scenario}.html"
    return Markup('<a class="sim-number" href="{}" title="Computed by the run “{}”">{}</a>').format(
        target, title, value
    )


def format_run(
    source: str,
    language: str,  # noqa: ARG001  # the arguments are InlineHilite's interface
    css_class: str,  # noqa: ARG001
    md: Any,
) -> str:
    """Print a number of the prose (the interface of `pymdownx.inlinehilite`)."""
    try:
        return number_html(source, figures_of(md))
    except Exception as problem:
        raise InlineHiliteException(f"number in the text: {problem}") from problem
