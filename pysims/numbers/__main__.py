"""`python -m pysims.numbers page.md …` writes into pages what their numbers are now."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from . import number

FORM = re.compile(r"`#!run ([^=`]+?)\s*(?:=\s*([^`]*?)\s*)?`")


def renewed(text: str) -> str:
    """The text of a page with every number as it is computed now."""
    return FORM.sub(lambda form: f"`#!run {form[1]} = {number(form[1])[0]}`", text)


def main(paths: list[str]) -> None:
    """Bring pages up to date, and say which have changed."""
    for path in map(Path, paths):
        before = path.read_text("utf-8")
        after = renewed(before)
        if after != before:
            path.write_text(after, "utf-8")
            print(f"{path}: brought up to date")


if __name__ == "__main__":
    main(sys.argv[1:])
