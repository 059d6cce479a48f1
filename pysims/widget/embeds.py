"""Write what the site is built from: `python -m pysims.widget.embeds` fills `docs/`.

In `docs/embed/` are pages without site chrome. In `docs/assets/scenes.css` are the styles of all
scenes, one pattern after the other.

There is `<pattern>.md` for every pattern and `<pattern>/<scenario>.md` for each of its stories.
They are Markdown with one fence, so that whatever builds the site builds them too; they are made
before the site is and stay out of version control. A blog shows one in an iframe.

Where the site has an address (`SITE_URL`, which `mkdocs.yml` reads as well), each page has an
oEmbed file beside it: JSON with the iframe in it, for programs that make a figure of a link. oEmbed
asks for whole addresses, so without one there are no such files and no links to them.
"""

from __future__ import annotations

import json
import os
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path

from .. import patterns
from ..kept import write_made
from ..patterns import load_pattern, pattern_ids

SITE_NAME = "How Systems Survive Chaos"
# A common width of a column of text, in pixels, which the heights were measured at.
WIDTH = 640
HEIGHTS = Path(__file__).with_name("heights.json")
# The pages' cards (pysims/prose/cards.py).
CARD_WIDTH, CARD_HEIGHT = 1200, 630
STYLES = "/* Made from the scene.css of every pattern; see pysims/widget/embeds.py. */\n"

PAGE = """---
title: {title}
description: {summary}
template: embed.html
chapter: {chapter}
{oembed}search:
  exclude: true
---

```sim {header}
```
"""


def chapter_of(docs: Path, pattern_id: str) -> str:
    """The chapter that tells of a pattern: the first page, in order, with a fence of it."""
    for page in sorted(docs.glob("*.md")):
        if page.name != "index.md" and f"```sim {pattern_id}" in page.read_text("utf-8"):
            return f"{page.stem}.html"
    return "index.html"


@dataclass(frozen=True, slots=True)
class Embed:
    """One page for iframes: `name` is its path below `embed/`, without the ending."""

    name: str
    title: str
    summary: str
    header: str
    chapter: str

    def markdown(self, site: str) -> str:
        """The page; `site` is the site's address without its last slash, or nothing."""
        return PAGE.format(
            title=json.dumps(self.title, ensure_ascii=False),
            summary=json.dumps(self.summary, ensure_ascii=False),
            chapter=self.chapter,
            oembed=f"oembed: {json.dumps(f'{site}/embed/{self.name}.json')}\n" if site else "",
            header=self.header,
        )

    def oembed(self, site: str) -> str:
        """The oEmbed file, as oembed.com specifies it; it depends on nothing that is asked.

        The frame has width and height as attributes and nothing else: that is what WordPress leaves
        of it.
        """
        height = heights()[self.name]
        address = f"{site}/embed/{self.name}.html"
        frame = (
            f'<iframe src="{escape(address)}" title="{escape(self.title)}" width="{WIDTH}" '
            f'height="{height}" frameborder="0"></iframe>'
        )
        answer = {
            "version": "1.0",
            "type": "rich",
            "title": self.title,
            "provider_name": SITE_NAME,
            "provider_url": f"{site}/",
            "html": frame,
            "width": WIDTH,
            "height": height,
            "thumbnail_url": f"{site}/assets/cards/{Path(self.chapter).stem}.png",
            "thumbnail_width": CARD_WIDTH,
            "thumbnail_height": CARD_HEIGHT,
        }
        return json.dumps(answer, ensure_ascii=False, indent=1) + "\n"


def embeds(docs: Path) -> Iterator[Embed]:
    """Every page for iframes, of every pattern and of each of its stories."""
    for pattern_id in pattern_ids():
        pattern = load_pattern(pattern_id)
        chapter = chapter_of(docs, pattern_id)
        yield Embed(pattern_id, pattern.title, pattern.summary, pattern_id, chapter)
        for story in pattern.scenarios:
            header = f'{pattern_id} scenario="{story.id}"'
            name = f"{pattern_id}/{story.id}"
            yield Embed(name, story.title, pattern.summary, header, chapter)


def heights() -> dict[str, int]:
    """Page → the pixels that it takes, `WIDTH` wide, before a reader unfolds anything.

    A browser has measured them (`python -m tests.drivers.heights`); what it has not seen yet takes
    as much as the tallest.
    """
    measured: dict[str, int] = json.loads(HEIGHTS.read_text("utf-8"))
    return defaultdict(lambda: max(measured.values()), measured)


def write_embeds(folder: Path, site_url: str = "") -> list[Path]:
    """Write the pages into `folder` and remove those of patterns and stories that are gone.

    With the site's address go the oEmbed files; without it they are removed as well. The paths of
    the pages are returned.
    """
    site = site_url.rstrip("/")
    wanted: dict[Path, str] = {}
    for embed in embeds(folder.parent):
        wanted[folder / f"{embed.name}.md"] = embed.markdown(site)
        if site:
            wanted[folder / f"{embed.name}.json"] = embed.oembed(site)
    write_made(wanted, [*folder.rglob("*.md"), *folder.rglob("*.json")])
    return sorted(path for path in wanted if path.suffix == ".md")


def write_styles(path: Path) -> None:
    """Write the styles of every pattern's scene into one file."""
    folder = Path(str(files(patterns)))
    styles = [(folder / name / "scene.css").read_text("utf-8") for name in pattern_ids()]
    write_made({path: "\n".join([STYLES, *styles])})


def main(arguments: list[str]) -> int:
    """Write into the folder that is given, `docs` by default."""
    docs = Path(arguments[0] if arguments else "docs")
    write_styles(docs / "assets" / "scenes.css")
    for page in write_embeds(docs / "embed", os.environ.get("SITE_URL", "")):
        print(page)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
