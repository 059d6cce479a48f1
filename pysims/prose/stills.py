"""Pictures for readers of the plain Markdown, as on GitHub, where no fence is drawn.

Under each fence stands `<img src="stills/<id>.png" …>`, a picture of the first frame or the figure.
The site shows the thing itself, so this Markdown extension takes such lines out again:

    markdown_extensions:
      - pysims.prose.stills

`make stills` keeps it all (`tests/drivers/stills.py`): it writes lines, and draws with a browser
what has changed in the built site since it was drawn last. `docs/stills/drawn.json` remembers what
each picture shows, as a digest of its HTML, and a test compares that with the built site.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import Any

from markdown import Extension, Markdown
from markdown.preprocessors import Preprocessor

from ..patterns import load_pattern
from ..widget.fence import arguments_of, widget_id_of
from . import DOCS
from .pages import pages, text_of

STILLS = DOCS / "stills"
DRAWN = STILLS / "drawn.json"
LINE = re.compile(r'^<img src="stills/[^"]*" [^>]*>$')
SOURCE = re.compile(r'^<img src="stills/([^"]+)\.png" ', re.MULTILINE)
FENCE = re.compile(r"^```(sim|figure) (.+)$")
WORD = re.compile(r'(\w+)(?:="([^"]*)")?')
SHOWN = re.compile(
    r'<div class="sim-scene" id="([\w-]+)-scene".*?(?=<div class="sim-deck")'
    r'|<figure class="fig" id="([\w-]+)".*?</svg>',
    re.DOTALL,
)
WIDTH = 600
# Before Python-Markdown normalizes white space, so that nobody else sees the lines.
PRIORITY = 40


class Remove(Preprocessor):
    """Takes the pictures out of a page."""

    def run(self, lines: list[str]) -> list[str]:
        """The lines without pictures (the interface of Python-Markdown)."""
        return without_stills(lines)


class Stills(Extension):
    """Registers `Remove`."""

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802  # Python-Markdown's name
        """Register (the interface of Python-Markdown)."""
        md.preprocessors.register(Remove(md), "stills", PRIORITY)


def makeExtension(**options: Any) -> Stills:  # noqa: N802  # Python-Markdown's name
    """The extension (the interface of Python-Markdown)."""
    return Stills(**options)


def without_stills(lines: list[str]) -> list[str]:
    """Lines of Markdown without those that hold a picture, nor the empty line before each."""
    kept: list[str] = []
    for line in lines:
        if not LINE.match(line):
            kept.append(line)
        elif kept and not kept[-1]:
            kept.pop()
    return kept


def named(kind: str, header: str) -> tuple[str, str]:
    """The id and the title of what a fence shows; `ValueError` for a header that is not right."""
    words = {name: value or name for name, value in WORD.findall(header)}
    if kind == "figure":
        name = next(iter(words))
        return f"figure-{name}".replace("_", "-"), name.replace("_", " ").capitalize()
    arguments = arguments_of(words)
    story = load_pattern(arguments["pattern_id"]).scenario(arguments["scenario"])
    return widget_id_of(**arguments), story.title


def with_stills(text: str) -> str:
    """The text of a page with a picture below every fence, each where it belongs."""
    lines: list[str] = []
    open_fence: tuple[str, str] | None = None
    for line in without_stills(text.split("\n")):
        lines.append(line)
        if begins := FENCE.match(line):
            open_fence = named(begins[1], begins[2])
        elif line == "```" and open_fence:
            name, title = open_fence
            alt = escape(title)
            lines += ["", f'<img src="stills/{name}.png" alt="{alt}" width="{WIDTH}">']
            open_fence = None
    return "\n".join(lines)


def stills_of(page: str) -> list[str]:
    """The ids of the pictures of a page, by its name (`cap`), in order."""
    return SOURCE.findall(text_of(page))


def digests(html: str) -> Iterator[tuple[str, str]]:
    """The id and the digest of every first frame and figure of a built page."""
    for found in SHOWN.finditer(html):
        yield found[1] or found[2], sha256(found[0].encode()).hexdigest()[:16]


def built(site: Path) -> dict[str, tuple[str, str]]:
    """The file and the digest of everything that has a picture, by its id, in a built site."""
    return {
        name: (f"{page}.html", digest)
        for page in pages()
        for name, digest in digests((site / f"{page}.html").read_text("utf-8"))
    }
