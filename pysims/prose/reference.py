"""Write a page of reference for each pattern: `python -m pysims.prose.reference` fills `docs/`.

In `docs/api/patterns/` there is `<pattern>.md`, with one fence that `api.py` replaces. Like the
pages for iframes they are made before the site is and stay out of version control, so that a new
pattern has its page by itself. One page for all was too long for a phone.
"""

from __future__ import annotations

import json
from pathlib import Path

from ..kept import write_made
from ..kernel import Pattern
from ..patterns import load_pattern, pattern_ids
from . import DOCS

FOLDER = DOCS / "api" / "patterns"
PAGE = """---
title: {title}
description: {description}
search:
  boost: 0.5  # whoever searches for a word wants its chapter first
---

# {heading}

```api pysims.patterns.{id}
See pysims/patterns/{id}/.
```

---

All patterns are in [the table](../patterns.md).
"""


def page_of(pattern: Pattern) -> str:
    """The Markdown of a pattern's page."""
    title = f"{pattern.title}: reference"
    description = (
        f"The parameters of {pattern.id} with their ranges, its events, invariants, scenarios and "
        "questions, and the functions of its package, written from the source."
    )
    return PAGE.format(
        title=json.dumps(title, ensure_ascii=False),
        description=json.dumps(description),
        heading=title,
        id=pattern.id,
    )


def write_reference(folder: Path = FOLDER) -> list[Path]:
    """Write the pages, remove those of patterns that are gone, and return the paths."""
    wanted = {folder / f"{name}.md": page_of(load_pattern(name)) for name in pattern_ids()}
    write_made(wanted, folder.glob("*.md"))
    return sorted(wanted)


if __name__ == "__main__":
    write_reference()
