"""When a page last changed: `python -m pysims.prose.dates` asks git, before the site is built.

It writes `overrides/generated/dates.html`, a partial that the theme includes if it is there. The
dates are those of the last commits that touched the pages, so two builds of one commit agree. A
shallow clone does not know them, nor does a folder without git: then nothing is printed rather than
something wrong.
"""

from __future__ import annotations

import datetime as dt
import subprocess
from collections.abc import Mapping
from pathlib import Path

from ..kept import write_made
from . import ROOT
from .pages import pages

PARTIAL = ROOT / "overrides" / "generated" / "dates.html"


def git(*words: str) -> str:
    """What git answers, or nothing when it cannot."""
    # In a container the checkout may belong to somebody else, which git would refuse to read.
    command = ["git", "-c", f"safe.directory={ROOT}", *words]
    try:
        done = subprocess.run(  # noqa: S603  # the words are our own
            command, cwd=ROOT, capture_output=True, text=True, check=False
        )
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def dates() -> dict[str, dt.date]:
    """Page → the day of the last commit that touched it; empty without a whole history."""
    if git("rev-parse", "--is-shallow-repository") != "false":
        return {}
    found = {name: git("log", "-1", "--format=%cs", "--", f"docs/{name}.md") for name in pages()}
    return {name: dt.date.fromisoformat(day) for name, day in found.items() if day}


def partial(days: Mapping[str, dt.date]) -> str:
    """The template: the line for the page that is being built, if its day is known."""
    lines = ["{#- Written by pysims/prose/dates.py while the site is built. #}"]
    for number, (name, day) in enumerate(days.items()):
        words = f"{day:%B} {day.day}, {day.year}"
        lines += [
            f'{{%- {"el" if number else ""}if page.url == "{name}.html" %}}',
            f'Last changed on <time datetime="{day.isoformat()}">{words}</time>.',
        ]
    return "\n".join([*lines, *(["{%- endif %}"] if days else []), ""])


def main(path: Path = PARTIAL) -> None:
    """Write the partial, unless it says the same already: a newer file would rebuild the site."""
    write_made({path: partial(dates())})


if __name__ == "__main__":
    main()
