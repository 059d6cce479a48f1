"""The glossary: `docs/glossary.toml` as values, and where its words stand in a sentence."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from . import DOCS

GLOSSARY = DOCS / "glossary.toml"


@dataclass(frozen=True)
class Term:
    """One entry: `see` is a page and a place on it, as a link in Markdown would name them."""

    term: str
    definition: str
    see: str
    forms: tuple[str, ...] = ()
    quiet: bool = False

    @property
    def id(self) -> str:
        """The id of the entry on the glossary's page: `term-split-brain`."""
        return "term-" + re.sub(r"[^a-z0-9]+", "-", self.term.casefold()).strip("-")

    @property
    def patterns(self) -> list[str]:
        """Regular expressions for the term in a sentence; a plural with -s is one of its forms."""
        return [form_pattern(form) for form in (self.term, *self.forms)]


def form_pattern(form: str) -> str:
    """What a form looks like in a text: case counts only in forms that begin with two capitals."""
    words = r"\s+".join(re.escape(word) for word in form.replace("'", "’").split())
    words = words.replace("’", "['’]")
    return rf"{words}s?" if re.match(r"[A-Z][A-Z]", form) else rf"(?i:{words}s?)"


@cache
def terms() -> tuple[Term, ...]:
    """All terms in the order of the alphabet; `TypeError` for a field that no term has."""
    data = tomllib.loads(GLOSSARY.read_text("utf-8"))["terms"]
    found = (Term(**{**entry, "forms": tuple(entry.get("forms", ()))}) for entry in data)
    return tuple(sorted(found, key=lambda term: term.term.casefold()))


@cache
def finder() -> tuple[re.Pattern[str], Mapping[str, Term]]:
    """One expression for all terms that have tooltips, and the term of each of its groups."""
    groups: dict[str, Term] = {}
    forms: list[tuple[int, str]] = []
    for index, term in enumerate(terms()):
        if not term.quiet:
            groups[f"t{index}"] = term
            forms += [
                (len(pattern), f"(?P<t{index}_{at}>{pattern})")
                for at, pattern in enumerate(term.patterns)
            ]
    # The longest first: "sloppy quorum" is not a quorum with a word before it.
    alternatives = "|".join(pattern for _, pattern in sorted(forms, reverse=True))
    # A decimal goes on after its point: p99.9 is not p99.
    return re.compile(rf"(?<![\w-])(?:{alternatives})(?!\.?\d)(?![\w-])"), groups


def found_in(text: str) -> list[tuple[int, int, Term]]:
    """Where terms with tooltips stand in a piece of text: start, end, term."""
    expression, groups = finder()
    return [
        (m.start(), m.end(), groups[(m.lastgroup or "").partition("_")[0]])
        for m in expression.finditer(text)
    ]
