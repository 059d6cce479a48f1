"""`python -m pysims.prose` says what is wrong with the footnotes, and drafts missing entries."""

from __future__ import annotations

import json
import re
import sys

from .pages import addresses, footnotes, pages, text_of
from .sources import problems_of, read_bibliography

# Author (or publisher), title and the rest of a footnote: "J. Gray: *Notes …*, Springer, 1978."
FORM = re.compile(r"^(?:(?P<lead>[^*]*?)[:,] )?\*(?P<title>(?:[^*\\]|\\.)+)\*(?P<rest>.*)$")


def quoted(text: str) -> str:
    """A text as TOML writes it, which for one line is as JSON does."""
    return json.dumps(text, ensure_ascii=False)


def draft(key: str, note: str, address: str) -> str:
    """An entry for the bibliography as far as a footnote tells it; a person completes it."""
    form = FORM.match(note)
    lead, title, rest = form.group("lead", "title", "rest") if form else ("", "", note)
    year = re.search(r"\b(?:19|20)\d\d\b", rest)
    field = "venue" if "ocumentation" in (lead or "") else "authors"
    lines = [
        f"[sources.{key}]",
        'kind = "article"',
        f"{field} = {quoted(lead or '')}",
        f"title = {quoted(title)}",
        *([f"year = {year[0]}"] if year else []),
        f"address = {quoted(address)}",
    ]
    return "\n".join(lines)


def main() -> int:
    """Print what is wrong, then drafts; 1 if anything is."""
    bibliography = read_bibliography()
    found: list[str] = []
    drafts: dict[str, str] = {}
    for page in pages():
        text = text_of(page)
        found += problems_of(page, text, bibliography)
        for key, note in footnotes(text):
            for address in addresses(note):
                if bibliography.at(address) is None:
                    drafts.setdefault(address, draft(key, note, address))
    if found:
        print("\n".join(found))
    if drafts:
        print(
            "\nTo complete and to add to docs/bibliography.toml:\n\n" + "\n\n".join(drafts.values())
        )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
