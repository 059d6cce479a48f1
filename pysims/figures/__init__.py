"""Figures that matplotlib draws while the site is built, from tables that runs of the models fill.

    >>> from pysims.figures import FIGURES, draw
    >>> draw("load_spread").startswith("<svg")
    True

A widget shows one run; a figure shows many at a glance. `base` says what a figure is, `ink` is the
drawing kit, `svg` makes an element of a page from what matplotlib writes, `html` adds caption and
table, and `fence` is what Markdown calls. The other modules hold the figures of one chapter each.

The tables are kept in `data/`, since some take a minute: a site is built in seconds.
`python -m pysims.figures` computes them anew, and tests compute parts of them again.
"""

from __future__ import annotations

from .catalog import FIGURES
from .html import draw

__all__ = ["FIGURES", "draw"]
