"""A Markdown extension: a term of the glossary carries its sentence where a reader meets it.

The first time that a section uses a term, it becomes `<abbr title="…">`, the element that Markdown
has for abbreviations. The `abbr` extension of Python-Markdown would mark every mention, also in
headings, links and the titles of boxes, and know no plural.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET  # Python-Markdown's tree is made of these
from typing import Any

from markdown import Extension, Markdown
from markdown.treeprocessors import Treeprocessor
from markdown.util import AtomicString

from .glossary import Term, found_in

# What keeps its words as they are: headings, links, code, what is set off, titles of boxes.
UNTOUCHED = frozenset(
    {"h1", "h2", "h3", "h4", "h5", "h6", "a", "code", "pre", "abbr", "summary", "cite", "em",
     "strong", "figcaption", "script", "style", "svg", "th"}
)  # fmt: skip
UNTOUCHED_CLASSES = frozenset({"admonition-title", "footnote", "site-chapters", "site-epigraph"})
# Between the `abbr` extension, whose own marks come first, and the table of contents.
PRIORITY = 6


class Tooltips(Treeprocessor):
    """Walks a page in its reading order and marks each term once in each section."""

    def run(self, root: Any) -> None:
        """Mark the terms of a page (the interface of Python-Markdown)."""
        self.seen: set[Term] = set()
        self.walk(root)

    def walk(self, element: Any) -> None:
        """Mark the terms inside an element, in the order in which they are read."""
        if element.tag == "h2":
            self.seen = set()
        children = list(element)
        if not untouched(element):
            element.text = self.marked(element, 0, element.text)
            for child in children:
                self.walk(child)
                child.tail = self.marked(element, list(element).index(child) + 1, child.tail)

    def marked(self, parent: Any, at: int, text: Any) -> Any:
        """Mark terms in a text that ends before the child number `at`; what is left of the text."""
        if not text or isinstance(text, AtomicString):
            return text
        rest = text
        for start, end, term in reversed(self.first_mentions(text)):
            mark = ET.Element("abbr", {"title": term.definition})
            mark.text = AtomicString(text[start:end])
            mark.tail = rest[end:]
            rest = rest[:start]
            parent.insert(at, mark)
        return rest

    def first_mentions(self, text: str) -> list[tuple[int, int, Term]]:
        """The terms in a text that this section has not explained yet."""
        found = []
        for start, end, term in found_in(text):
            if term not in self.seen:
                self.seen.add(term)
                found.append((start, end, term))
        return found


def untouched(element: Any) -> bool:
    """Whether an element keeps its words as they are."""
    classes = set((element.get("class") or "").split())
    return element.tag in UNTOUCHED or not classes.isdisjoint(UNTOUCHED_CLASSES)


class TooltipsExtension(Extension):
    """What `mkdocs.yml` names: `pysims.prose.tooltips`."""

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802  # the name is Python-Markdown's
        """Register the walk (the interface of Python-Markdown)."""
        md.treeprocessors.register(Tooltips(md), "tooltips", PRIORITY)


def makeExtension(**options: Any) -> TooltipsExtension:  # noqa: N802  # as above
    """Build the extension (the interface of Python-Markdown)."""
    return TooltipsExtension(**options)
