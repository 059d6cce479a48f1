"""The bibliography against the footnotes of every page, and the page that prints it."""

from __future__ import annotations

import re
import tomllib
from collections import Counter

import pytest
from pymdownx.superfences import SuperFencesException

from pysims.prose import __main__ as command
from pysims.prose.fences import format_sources, sources_html, validate_fence
from pysims.prose.pages import addresses, footnotes, pages, references, text_of
from pysims.prose.sources import (
    Bibliography,
    Source,
    all_citations,
    cited_in,
    homes,
    place_in,
    problems_of,
    read_bibliography,
)

KINDS = {
    "article", "book", "case study", "chapter", "collection", "data", "dissertation",
    "documentation", "interview", "issue", "message", "paper", "post-mortem", "proposal", "report",
    "software", "standard", "talk",
}  # fmt: skip
BIBLIOGRAPHY = read_bibliography()


@pytest.mark.parametrize("page", pages())
def test_every_footnote_cites_by_the_name_that_the_bibliography_has(page: str) -> None:
    assert list(problems_of(page, text_of(page), BIBLIOGRAPHY)) == []


def test_every_source_is_cited() -> None:
    assert set(BIBLIOGRAPHY.sources) == {one.source for one in all_citations(BIBLIOGRAPHY)}


def test_every_remark_is_a_footnote() -> None:
    defined = {(page, key) for page in pages() for key, _ in footnotes(text_of(page))}
    assert defined >= BIBLIOGRAPHY.notes


@pytest.mark.parametrize("key", BIBLIOGRAPHY.sources)
def test_a_source_has_what_finds_it(key: str) -> None:
    source = BIBLIOGRAPHY.sources[key]
    assert source.kind in KINDS
    assert source.title
    assert source.authors or source.venue, "somebody has written or published it"
    assert bool(source.address) != bool(source.printed), "an address, or what a library needs"
    for address in (source.address, *source.also) if source.address else ():
        assert re.fullmatch(r"https://[^\s<>]+", address)
    if "doi.org" in source.address:
        assert re.fullmatch(r"https://doi\.org/10\.\d{4,}/\S+", source.address)
    if source.kind in ("paper", "book", "standard", "chapter") and key != "itu-i371":
        assert 1950 < source.year < 2030, "what is printed has a year"


def test_no_source_is_there_twice() -> None:
    sources = BIBLIOGRAPHY.sources.values()
    places = Counter(place for one in sources for place in (one.address, *one.also) if place)
    names = Counter((one.title.casefold(), one.authors, one.venue, one.year) for one in sources)
    shorts = Counter(one.short for one in sources if one.short)
    assert [
        name for counted in (places, names, shorts) for name, n in counted.items() if n > 1
    ] == []


def test_the_page_lists_every_source_once() -> None:
    text = text_of("sources")
    listed = [
        page
        for names in re.findall(r'^```sources pages="(.*)"$', text, re.MULTILINE)
        for page in names.split()
    ]
    assert len(listed) == len(set(listed))
    assert set(homes(all_citations(BIBLIOGRAPHY)).values()) <= set(listed)
    html = "".join(sources_html(names.split()) for names in re.findall(r'pages="(.*)"', text))
    entries = re.findall(r'<li id="source-([\w-]+)">', html)
    assert sorted(entries) == sorted(BIBLIOGRAPHY.sources)
    assert 'href="cap.html#fn:dynamo-4-4">CAP and PACELC, Section 4.4</a>' in html
    assert 'href="https://doi.org/10.1145/1294261.1294281">doi:10.1145/1294261.1294281</a>' in html


# ---- What the checker finds ----------------------------------------------------------------------

ONE = Source(
    "gray-1978", "paper", "Notes on Data Base Operating Systems", "J. Gray", "Springer", 1978,
    "https://doi.org/10.1007/3-540-08755-9_9", ("https://example.org/gray/*",), short="Gray 1978",
)  # fmt: skip
SMALL = Bibliography({"gray-1978": ONE}, frozenset({("page", "remark")}))
GOOD = """It blocks.[^gray] Again.[^again] It is so.[^remark]

[^gray]: J. Gray: *Notes on Data Base
    Operating Systems*, Springer, 1978. <https://doi.org/10.1007/3-540-08755-9_9>
[^again]: Gray 1978, Section 5.8.
[^remark]: Two and two are four.
"""


def test_a_page_that_cites_well_has_no_problem() -> None:
    assert list(problems_of("page", GOOD, SMALL)) == []
    elsewhere = GOOD.replace(
        "<https://doi.org/10.1007/3-540-08755-9_9>", "<https://example.org/gray/p3>"
    )
    assert list(problems_of("page", elsewhere, SMALL)) == []


@pytest.mark.parametrize(
    ("right", "wrong", "problem"),
    [
        ("Again.[^again]", "Again.", "no sentence asks for footnote again"),
        ("It is so.", "It is so.[^nowhere]", "footnote nowhere is asked for and not defined"),
        ("Data Base\n", "Databases\n", "as the bibliography does: Notes on Data Base Operating"),
        ("1978. <", "1979. <", "as the bibliography does: 1978"),
        ("J. Gray:", "J. Groy:", "as the bibliography does: Gray"),
        ("3-540-08755-9_9>", "3-540-08755-9_8>", "address that is not in the bibliography"),
        ("Gray 1978, Section", "Gray 1987, Section", "footnote again cites no source"),
        ("Two and two are four", "Gray 1978", "cites a source and is listed as a remark"),
        ("It is so.", "It is [so](https://example.com).", "example.com is linked to, and not in"),
        ("[^again]: Gray", "[^gray]: Gray", "footnote gray is defined more than once"),
        ("Two and two are four.", "Gray 1978, Section 5.8.", "two footnotes say the same"),
    ],
)
def test_a_fault_is_found(right: str, wrong: str, problem: str) -> None:
    assert GOOD.count(right) == 1
    found = list(problems_of("page", GOOD.replace(right, wrong), SMALL))
    assert any(problem in sentence for sentence in found), found


def test_footnotes_are_read_as_markdown_reads_them() -> None:
    text = "a[^x] b[^y]\n\n[^x]: One\n    two.\n\n    Three.\n[^y]: Four. <https://a.org/(b)>.\n\nc"
    assert footnotes(text) == [("x", "One two. Three."), ("y", "Four. <https://a.org/(b)>.")]
    assert references(text) == ["x", "y"]
    assert addresses(text) == ["https://a.org/(b)"]
    assert cited_in("J. Gray: *Notes on Data Base Operating Systems*, 1978.", SMALL) == [
        "gray-1978"
    ]
    assert cited_in("J. Gray: *Notes on Data Base Operating Systems*, 1979.", SMALL) == []
    assert cited_in("Gray 1978 and <https://example.org/gray/2>", SMALL) == ["gray-1978"]


@pytest.mark.parametrize(
    ("note", "place"),
    [
        ("Corbett et al. 2012, Sections 3 (ε), 4.1.2 (commit wait) and 4.2.1 (overlap). <…>",
         "Sections 3, 4.1.2 and 4.2.1"),
        ("Karger et al.: *Hashing* (Section 4). <…>", "Section 4"),
        ("Gilbert 2002, Corollary 1.1 (none lost) and Theorem 2.", "Corollary 1.1, Theorem 2"),
        ("ITU-T, Annex A. It defines the algorithm.", "Annex A"),
        ("The quotation is from Section 2 of the paper.", ""),
        ("Section and figure numbers are those of the long version.", ""),
    ],
)  # fmt: skip
def test_what_a_footnote_says_about_the_place(note: str, place: str) -> None:
    assert place_in(note) == place


def test_the_command_drafts_the_entries_that_are_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main() == 0
    assert capsys.readouterr().out == ""
    monkeypatch.setattr(command, "pages", lambda: {"page": "Page"})
    monkeypatch.setattr(command, "text_of", lambda name: GOOD)
    monkeypatch.setattr(command, "read_bibliography", lambda: Bibliography({}, SMALL.notes))
    assert command.main() == 1
    said = capsys.readouterr().out
    assert "page: footnote gray cites no source" in said
    draft = tomllib.loads(said[said.index("[sources.gray]") :])["sources"]["gray"]
    assert draft == {
        "kind": "article",
        "authors": "J. Gray",
        "title": "Notes on Data Base Operating Systems",
        "year": 1978,
        "address": "https://doi.org/10.1007/3-540-08755-9_9",
    }


def test_a_fence_refuses_what_it_does_not_know() -> None:
    with pytest.raises(SuperFencesException, match="no source is first cited by caps"):
        format_sources("", "sources", "sources", {"pages": "caps"}, None)
    with pytest.raises(SuperFencesException, match="a sources fence names pages, got: page"):
        validate_fence("sources", {"page": "cap"}, {}, {}, None)
    with pytest.raises(SuperFencesException, match="a glossary fence names nothing, got: x"):
        validate_fence("glossary", {"x": "x"}, {}, {}, None)
