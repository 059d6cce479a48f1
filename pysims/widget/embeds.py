"""Write what the site is built from: `python -m pysims.widget.embeds` fills `docs/`.

In `docs/embed/` are pages without site chrome. In `docs/assets/scenes.css` are the styles of all
scenes, one pattern after the other.

There is `<pattern>.md` for every pattern and `<pattern>/<scenario>.md` for each of its stories.
They are Markdown with one fence, so that whatever builds the site builds them too; they are made
before the site is and stay out of version control. A blog shows one in an iframe.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from .. import patterns
from ..patterns import load_pattern, pattern_ids

STYLES = "/* Made from the scene.css of every pattern; see pysims/widget/embeds.py. */\n"

PAGE = """---
title: {title}
description: {summary}
template: embed.html
chapter: {chapter}
search:
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


def pages(folder: Path) -> Iterator[tuple[Path, str]]:
    """Every page and its text."""
    for pattern_id in pattern_ids():
        pattern = load_pattern(pattern_id)
        chapter = chapter_of(folder.parent, pattern_id)
        stories = [(folder / f"{pattern_id}.md", pattern.title, pattern_id)]
        for story in pattern.scenarios:
            header = f'{pattern_id} scenario="{story.id}"'
            stories.append((folder / pattern_id / f"{story.id}.md", story.title, header))
        for path, title, header in stories:
            yield (
                path,
                PAGE.format(
                    title=json.dumps(title, ensure_ascii=False),
                    summary=json.dumps(pattern.summary, ensure_ascii=False),
                    chapter=chapter,
                    header=header,
                ),
            )


def write_embeds(folder: Path) -> list[Path]:
    """Write the pages into `folder` and remove those of patterns and stories that are gone."""
    wanted = dict(pages(folder))
    for stale in set(folder.rglob("*.md")) - set(wanted):
        stale.unlink()
    for path, text in wanted.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        # An unchanged page keeps its time stamp, so that nothing is built again for it.
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
    return sorted(wanted)


def write_styles(path: Path) -> None:
    """Write the styles of every pattern's scene into one file."""
    folder = Path(str(files(patterns)))
    styles = [(folder / name / "scene.css").read_text("utf-8") for name in pattern_ids()]
    text = "\n".join([STYLES, *styles])
    if not path.exists() or path.read_text("utf-8") != text:
        path.write_text(text, "utf-8")


def main(arguments: list[str]) -> int:
    """Write into the folder that is given, `docs` by default."""
    docs = Path(arguments[0] if arguments else "docs")
    write_styles(docs / "assets" / "scenes.css")
    for page in write_embeds(docs / "embed"):
        print(page)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
