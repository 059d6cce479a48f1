"""The glossary: its entries, the page that prints it, and its tooltips in the text."""

from __future__ import annotations

import re
from functools import cache

import markdown
import pytest
from markdown.extensions.toc import slugify

from pysims.prose.fences import glossary_html
from pysims.prose.glossary import Term, found_in, terms
from pysims.prose.pages import pages, text_of

TERMS = terms()
every_term = pytest.mark.parametrize("term", TERMS, ids=lambda term: term.id)


def html_of(text: str) -> str:
    extensions = ["pysims.prose.tooltips", "footnotes", "admonition", "tables", "toc"]
    return markdown.markdown(text, extensions=extensions)


@cache
def anchors(page: str) -> set[str]:
    """The ids of a page's headings."""
    headings = re.findall(r"^#{2,4} (.+)$", text_of(page), re.MULTILINE)
    return {slugify(re.sub(r"[*`]", "", heading), "-") for heading in headings}


def test_there_are_enough_terms_and_each_once() -> None:
    assert len(TERMS) >= 60
    assert len({term.id for term in TERMS}) == len(TERMS)
    forms = [form for term in TERMS for form in (term.term, *term.forms)]
    assert len(forms) == len(set(forms))


@cache
def used() -> set[Term]:
    """The terms with tooltips that some page has."""
    return {term for page in pages() for _, _, term in found_in(text_of(page))}


@every_term
def test_a_term_is_one_sentence_and_a_section_that_exists(term: Term) -> None:
    assert re.fullmatch(r"[A-Z][^.]*(?:\.\d[^.]*)*\.", term.definition), "one sentence, to its stop"
    assert 20 <= len(term.definition) <= 260
    page, _, anchor = term.see.partition("#")
    assert page.removesuffix(".md") in pages()
    assert anchor in anchors(page.removesuffix(".md"))


@every_term
def test_a_term_with_a_tooltip_is_used(term: Term) -> None:
    if not term.quiet:
        assert term in used()


def test_the_page_prints_every_term_in_order() -> None:
    html = glossary_html()
    names = re.findall(r'<dt id="(term-[\w-]+)">', html)
    assert names == [term.id for term in TERMS]
    assert '<a href="cap.html#why-not-both">CAP and PACELC</a>' in html
    assert '<dt id="term-little-s-law">Little&#39;s law</dt>' in html


# ---- Tooltips ------------------------------------------------------------------------------------


def marked(text: str) -> list[str]:
    return re.findall(r"<abbr title=\"[^\"]+\">([^<]*)</abbr>", html_of(text))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("A quorum, two Quorums.", ["quorum"]),
        ("Two quorums.", ["quorums"]),
        ("A sloppy quorum is no quorum.", ["sloppy quorum", "quorum"]),
        ("A token\nbucket.", ["token\nbucket"]),
        ("Little’s law and jitter.", ["Little’s law", "jitter"]),
        ("GCRA, and not gcra.", ["GCRA"]),
        ("An anti-quorum, quorumless.", []),
        ("Its p99.9, or p99.", ["p99"]),
        ("A [quorum](x.md), `quorum`, *quorum*, **quorum**, quorum.", ["quorum"]),
        ("# A quorum\n\n## A quorum\n\nA quorum.", ["quorum"]),
        ("A quorum.\n\n## Next\n\nA quorum.\n\n### Below\n\nA quorum.", ["quorum", "quorum"]),
        ('!!! note "A quorum"\n\n    A lease.', ["lease"]),
        ("| a quorum |\n|---|\n| a lease |", ["lease"]),
        ("One.[^a]\n\n[^a]: A quorum.", []),
        ("A replica is on every line, and has no tooltip.", []),
    ],
)
def test_a_term_is_marked_once_in_a_section_where_it_does_not_disturb(
    text: str, found: list[str]
) -> None:
    assert marked(text) == found


def test_marking_keeps_the_text_as_it_is() -> None:
    text = "First a quorum, *then* a lease and jitter, `x`, and a saga < b & c."
    html = html_of(text)
    assert re.sub(r"</?abbr[^>]*>", "", html) == markdown.markdown(text)
    assert html.count("<abbr") == 4


def test_the_table_of_contents_stays_free_of_marks() -> None:
    converter = markdown.Markdown(extensions=["pysims.prose.tooltips", "toc"])
    html = converter.convert("## A quorum\n\nA quorum.")
    assert '<h2 id="a-quorum">A quorum</h2>' in html
    assert converter.toc_tokens[0]["name"] == "A quorum"  # type: ignore[attr-defined]
