"""Write a page without site chrome for every pattern: `python -m pysims.widget.embeds`.

The pages are Markdown with one fence, so that whatever builds the site builds them too; they are
made before the site is and stay out of version control. A blog shows one in an iframe.
"""

from __future__ import annotations

import sys
from pathlib import Path

from ..patterns import load_pattern, pattern_ids

PAGE = """---
title: {title}
description: {summary}
template: embed.html
chapter: {chapter}
search:
  exclude: true
---

```sim {pattern}
```
"""


def chapter_of(docs: Path, pattern_id: str) -> str:
    """The chapter that tells of a pattern: the first page, in order, with a fence of it."""
    for page in sorted(docs.glob("*.md")):
        if page.name != "index.md" and f"```sim {pattern_id}" in page.read_text("utf-8"):
            return f"{page.stem}.html"
    return "index.html"


def write_embeds(folder: Path) -> list[Path]:
    """Write the pages into `folder` and remove those of patterns that are gone."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {folder / f"{pattern_id}.md" for pattern_id in pattern_ids()}
    for stale in set(folder.glob("*.md")) - wanted:
        stale.unlink()
    for page in sorted(wanted):
        pattern = load_pattern(page.stem)
        text = PAGE.format(
            title=pattern.title,
            summary=pattern.summary,
            pattern=pattern.id,
            chapter=chapter_of(folder.parent, pattern.id),
        )
        # An unchanged page keeps its time stamp, so that nothing is built again for it.
        if not page.exists() or page.read_text("utf-8") != text:
            page.write_text(text, "utf-8")
    return sorted(wanted)


def main(arguments: list[str]) -> int:
    """Write the pages into the folder that is given, `docs/embed` by default."""
    for page in write_embeds(Path(arguments[0] if arguments else "docs/embed")):
        print(page)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
