"""The pages of the site as the reader knows them: their order, their titles, their footnotes."""

from __future__ import annotations

import re
from collections.abc import Mapping

from . import DOCS, ROOT

# What the pages of the nav are, without a parser of YAML: its lines are all of one form.
NAV = re.compile(r"^  - (?P<title>.+?): (?P<name>[\w-]+)\.md$", re.MULTILINE)
DEFINITION = re.compile(
    r"^\[\^(?P<key>[^\]]+)\]: (?P<text>.*(?:\n(?: {4}.*|(?=\n {4})))*)", re.MULTILINE
)
REFERENCE = re.compile(r"\[\^([^\]]+)\](?!:)")
ADDRESS = re.compile(r"https?://(?:[^\s<>()]|\([^\s<>()]*\))+")
PLACEHOLDER = re.compile(r"https?://[\w.-]+\.example(?:[/:]|$)")
HEADING = re.compile(r"^# (.+)$", re.MULTILINE)


def pages() -> Mapping[str, str]:
    """Name → title, in the order of the nav; pages that it does not list come last."""
    found = {m["name"]: m["title"] for m in NAV.finditer((ROOT / "mkdocs.yml").read_text("utf-8"))}
    for path in sorted(DOCS.glob("*.md")):
        heading = HEADING.search(path.read_text("utf-8"))
        found.setdefault(path.stem, heading[1] if heading else path.stem)
    return {name: title for name, title in found.items() if (DOCS / f"{name}.md").exists()}


def text_of(name: str) -> str:
    """The Markdown of a page, by its name (`cap`)."""
    return (DOCS / f"{name}.md").read_text("utf-8")


def footnotes(text: str) -> list[tuple[str, str]]:
    """Key and text of every footnote that a page defines, each text as one line."""
    return [(m["key"], " ".join(m["text"].split())) for m in DEFINITION.finditer(text)]


def references(text: str) -> list[str]:
    """The keys of the footnotes that a page's sentences ask for, in their order."""
    return REFERENCE.findall(DEFINITION.sub("", text))


def addresses(text: str) -> list[str]:
    """The web addresses in a piece of Markdown, each without what ends the sentence.

    An address whose host ends in `.example` is nobody's, and stands for one that a reader fills in.
    """
    found = [address.rstrip(".,;:") for address in ADDRESS.findall(text)]
    return [address for address in found if not PLACEHOLDER.match(address)]
