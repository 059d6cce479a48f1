"""What belongs to the prose and to no run: its sources, its glossary, its pictures for other sites.

`sources` reads `docs/bibliography.toml` and finds who cites what; `glossary` reads
`docs/glossary.toml`; `fences` prints both into pages, and `tooltips` explains terms where they
stand in the text. `claims` knows which sentences claim a number, and what holds each up. `cards`
and `dates` write, before the site is built, what its pages need and Markdown cannot know. Nothing
of this comes to the browser.
"""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

__all__ = ["DOCS", "ROOT"]
