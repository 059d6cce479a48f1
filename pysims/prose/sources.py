"""The bibliography, and who cites what: `docs/bibliography.toml` against the pages' footnotes.

A footnote cites a source when it holds the source's address, its short name (`DeCandia et al.
2007`), or its author, title and year. Which page cites which source is never
written down: it is read from the footnotes, so it cannot be wrong.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from . import DOCS
from .pages import DEFINITION, addresses, footnotes, pages, references, text_of

BIBLIOGRAPHY = DOCS / "bibliography.toml"
# "Section 4.4", "Sections 2.1 and 2.3", "Theorem 1": what a footnote says about the place.
PLACE = re.compile(
    r"(?:Sections?|Chapters?|Theorems?|Corollary|Appendix|Annex) "
    r"(?:\d[\d.]*|[A-Z])(?:(?:, and|,| and) \d[\d.]*)*(?!\w)"
)


# What a footnote prints in italics: a title, as a rule.
TITLE = re.compile(r"\*((?:[^*\\]|\\.)+)\*")


@dataclass(frozen=True)
class Source:
    """One entry of the bibliography; `year` is 0 for what changes under its address."""

    key: str
    kind: str
    title: str
    authors: str = ""
    venue: str = ""
    year: int = 0
    address: str = ""
    also: tuple[str, ...] = ()
    printed: str = ""
    short: str = ""

    @property
    def surname(self) -> str:
        """The first author's surname, or nothing."""
        first = re.split(r",| et al| and |\(ed", self.authors)[0].strip()
        return re.sub(r"^(?:[A-Z]\. ?|[A-Z]\.-)+", "", first).strip()

    @property
    def order(self) -> str:
        """What the bibliography is sorted by: author or publisher, then year."""
        return f"{self.surname or self.venue or self.title} {self.year} {self.title}".casefold()


@dataclass(frozen=True)
class Citation:
    """That a footnote of a page (`key`; empty for a link in a sentence) cites a source."""

    page: str
    key: str
    source: str
    place: str


@dataclass(frozen=True)
class Bibliography:
    """All sources by key, and the footnotes that are remarks, as `(page, key)`."""

    sources: Mapping[str, Source]
    notes: frozenset[tuple[str, str]]

    def at(self, address: str) -> str | None:
        """The key of the source that is at an address, a place inside it included."""
        page = address.partition("#")[0]
        for place in (address, page, re.sub(r"[^/]+/?$", "*", page)):
            if place in self.places:
                return self.places[place]
        return None

    @cached_property
    def places(self) -> Mapping[str, str]:
        """Address → the key of the source that is there."""
        return {
            address: source.key
            for source in self.sources.values()
            for address in (source.address, *source.also)
        }


def read_bibliography() -> Bibliography:
    """Read `docs/bibliography.toml`; `TypeError` for a field that no entry has."""
    data: dict[str, Any] = tomllib.loads(BIBLIOGRAPHY.read_text("utf-8"))
    sources = {
        key: Source(key=key, **{**entry, "also": tuple(entry.get("also", ()))})
        for key, entry in data["sources"].items()
    }
    notes = frozenset((page, key) for page, keys in data["notes"].items() for key in keys)
    return Bibliography(sources, notes)


def plain(text: str) -> str:
    """A footnote's words without Markdown's marks and without its addresses."""
    words = re.sub(r"<https?://[^>]*>", "", text)
    return re.sub(r"\\(.)|\*", lambda mark: mark[1] or "", words)


def cited_in(text: str, bibliography: Bibliography) -> list[str]:
    """The keys of the sources that one footnote cites, each once, in its order."""
    found = [bibliography.at(address) for address in addresses(text)]
    words, titles = plain(text), [plain(title) for title in TITLE.findall(text)]
    for source in bibliography.sources.values():
        named = source.short and source.short in words
        # Manuals have titles like "Rate limits", so a title counts only beside author and year.
        whole = source.surname and source.year and source.title in titles
        if named or (whole and source.surname in words and str(source.year) in words):
            found.append(source.key)
    return [key for key in dict.fromkeys(found) if key]


def place_in(text: str) -> str:
    """The sections that a footnote about a single source names, as in "Sections 2.1 and 2.3"."""
    # Remarks between parentheses stand between the numbers of sections, unless they are them.
    words = re.sub(r" \((?!Section|Chapter)[^()]*\)", "", plain(text))
    found = [m for m in PLACE.finditer(words) if not words[m.end() :].startswith(" of the")]
    return ", ".join(dict.fromkeys(m[0].rstrip(".") for m in found))


def citations_of(page: str, text: str, bibliography: Bibliography) -> Iterator[Citation]:
    """What a page cites: in its footnotes, and by links in its sentences."""
    for key, note in footnotes(text):
        found = cited_in(note, bibliography)
        for source in found:
            yield Citation(page, key, source, place_in(note) if len(found) == 1 else "")
    for address in addresses(DEFINITION.sub("", text)):
        source_key = bibliography.at(address)
        if source_key:
            yield Citation(page, "", source_key, "")


def all_citations(bibliography: Bibliography) -> list[Citation]:
    """What the whole site cites, page by page in the order of the nav."""
    return [
        citation for page in pages() for citation in citations_of(page, text_of(page), bibliography)
    ]


def homes(citations: list[Citation]) -> dict[str, str]:
    """Source → the page under which the bibliography lists it: the first that cites it.

    The landing page comes last, since whoever looks for a source remembers the chapter.
    """
    found: dict[str, str] = {}
    for citation in sorted(citations, key=lambda citation: citation.page == "index"):
        found.setdefault(citation.source, citation.page)
    return found


def problems_of(page: str, text: str, bibliography: Bibliography) -> Iterator[str]:
    """What is wrong with a page's footnotes, a sentence for each fault."""
    defined = footnotes(text)
    keys, texts = [key for key, _ in defined], [note for _, note in defined]
    asked = set(references(text))
    for key in sorted({key for key in keys if keys.count(key) > 1}):
        yield f"{page}: footnote {key} is defined more than once"
    for note in sorted({note for note in texts if texts.count(note) > 1}):
        yield f"{page}: two footnotes say the same: {note[:60]}"
    for key in sorted(set(keys) - asked):
        yield f"{page}: no sentence asks for footnote {key}"
    for key in sorted(asked - set(keys)):
        yield f"{page}: footnote {key} is asked for and not defined"
    for key, note in defined:
        yield from (
            f"{page}: footnote {key} {fault}" for fault in faults_of(page, key, note, bibliography)
        )
    for address in addresses(DEFINITION.sub("", text)):
        if bibliography.at(address) is None:
            yield f"{page}: {address} is linked to, and not in the bibliography"


def faults_of(page: str, key: str, note: str, bibliography: Bibliography) -> Iterator[str]:
    """What is wrong with one footnote: it cites nobody, somebody unknown, or by another name."""
    for address in addresses(note):
        if bibliography.at(address) is None:
            yield f"has an address that is not in the bibliography: {address}"
    cited = cited_in(note, bibliography)
    if bool(cited) == ((page, key) in bibliography.notes):
        yield "cites a source and is listed as a remark" if cited else "cites no source"
    words = plain(note)
    for source in (bibliography.sources[name] for name in cited):
        if source.short and source.short in words:
            continue
        wanted = (source.title, str(source.year or ""), source.surname)
        for name in wanted:
            if name not in words:
                yield f"does not name {source.key} as the bibliography does: {name}"
