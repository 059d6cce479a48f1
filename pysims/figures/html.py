"""A figure as a page shows it: the drawing, its caption, and the table under a disclosure."""

from __future__ import annotations

from functools import cache

from markupsafe import Markup, escape

from .base import Cell, Figure
from .catalog import FIGURES
from .ink import Sheet, rules
from .svg import page_svg

MISSING = Markup('<span aria-hidden="true">–</span>')
BRANCH = "HEAD"
"""What a forge calls the newest commit of the branch that it shows first."""


def draw(name: str, description: str = "") -> str:
    """The SVG of a figure, as text; `ValueError` for one that is not known."""
    figure = figure_of(name)
    with rules():
        sheet = Sheet(figure.height)
        figure.paint(sheet, figure.rows())
        return page_svg(sheet.svg(), id_of(name), figure.title, description)


def figure_of(name: str) -> Figure:
    """The figure of this name; `ValueError` says which there are."""
    if name not in FIGURES:
        raise ValueError(f"there is no figure {name[:60]!r}, those are: {', '.join(FIGURES)}")
    return FIGURES[name]


def id_of(name: str) -> str:
    """The id of a figure in its page."""
    return f"figure-{name.replace('_', '-')}"


@cache
def figure_html(name: str, description: str, source_url: str = "") -> str:
    """The HTML of a figure; `description` says in words what it shows.

    `source_url` is the address of the repository, if there is one. `ValueError` for a figure that
    is not known, and without a description.
    """
    figure = figure_of(name)
    words = " ".join(description.split())
    if not words:
        raise ValueError(f"figure {name!r} needs a sentence that says in words what it shows")
    return Markup(
        '<figure class="fig" id="{id}"><div class="fig-body">{svg}'
        "<figcaption><p><strong>{title}.</strong> {words}</p>"
        '<p class="fig-source">Drawn by {call}.</p></figcaption>{table}</div></figure>'
    ).format(
        id=id_of(name),
        svg=Markup(draw(name, words)),  # noqa: S704  # ElementTree has escaped its texts
        title=figure.title,
        words=words,
        call=call_of(figure, source_url),
        table=table_of(figure),
    )


def call_of(figure: Figure, source_url: str) -> Markup:
    """The call that draws a figure, linked to its source if that has an address."""
    call = Markup("<code>pysims.figures.draw(&quot;{}&quot;)</code>").format(figure.name)
    if not source_url:
        return call
    address = f"{source_url.rstrip('/')}/blob/{BRANCH}/{figure.module}"
    return Markup('<a href="{}">{}</a>').format(address, call)


def table_of(figure: Figure) -> Markup:
    """The table of a figure, closed: a region that scrolls, by keyboard too, if it is wide."""
    name = f"Data: {figure.title}"
    heads = Markup().join(
        Markup('<th scope="col">{}</th>').format(head)
        for head in (figure.point_name, *figure.series)
    )
    lines = Markup().join(
        Markup('<tr><th scope="row">{}</th>{}</tr>').format(
            f"{point:,g}", Markup().join(cell_of(figure, cell) for cell in cells)
        )
        for point, cells in figure.rows()
    )
    return Markup(
        '<details class="fig-data"><summary>Table of the data</summary>'
        '<div class="fig-scroll" role="region" aria-label="{}" tabindex="0">'
        '<table class="fig-table"><thead><tr>{}</tr></thead><tbody>{}</tbody>'
        "</table></div></details>"
    ).format(name, heads, lines)


def cell_of(figure: Figure, cell: Cell) -> Markup:
    """A cell of a table."""
    return Markup("<td>{}</td>").format(
        MISSING if cell is None else escape(figure.form.format(cell))
    )
