"""What the page shows of the sources is the sources."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from pysims import patterns
from pysims.runtime import sources
from pysims.runtime.sources import blocks, citations_of, highlighted, modules_shown, shown
from tests.catalog import PATTERNS

PACKAGE = Path(patterns.__file__).parents[1]
IDS = [pattern.id for pattern in PATTERNS]
CITED = re.compile(r"§\d+(?:\.\d+)*|\b[Ss]ection \d+(?:\.\d+)*|\b[Ff]igure \d+")


class Reader(HTMLParser):
    """The text and the links of a piece of HTML; any other element fails."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""
        self.links: dict[str, str] = {}
        self.href = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        assert tag in ("span", "a")
        if tag == "span":
            assert set(given) == {"class"}
        else:
            assert set(given) == {"href", "target", "rel"}
            self.href = str(given["href"])

    def handle_endtag(self, tag: str) -> None:
        self.href = ""

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.href:
            self.links[data] = self.href


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    return reader


@pytest.mark.parametrize("pattern", IDS)
def test_the_lines_are_the_file(pattern: str) -> None:
    for module in shown(PACKAGE, pattern)["modules"]:
        text = "\n".join(read(line).text for line in module["lines"]) + "\n"
        assert text == (PACKAGE.parent / module["file"]).read_text("utf-8"), module["file"]


@pytest.mark.parametrize("pattern", IDS)
def test_model_comes_first_and_nothing_that_draws(pattern: str) -> None:
    stems = [path.stem for path in modules_shown(PACKAGE, pattern)]
    assert stems[0] == "model"
    assert not {"view", "words", "scenarios", "__init__"} & set(stems)


@pytest.mark.parametrize("pattern", IDS)
def test_every_citation_leads_somewhere(pattern: str) -> None:
    for path in modules_shown(PACKAGE, pattern):
        known = {label.lower() for label in citations_of(path)}
        for cited in CITED.findall(path.read_text("utf-8")):
            assert cited.lower() in known, f"{path}: {cited} is not in citations.toml"


@pytest.mark.parametrize("pattern", IDS)
def test_no_address_is_kept_that_nobody_cites(pattern: str) -> None:
    folder = PACKAGE / "patterns" / pattern
    texts = " ".join(path.read_text("utf-8") for path in folder.glob("*.py"))
    for label in citations_of(folder / "model.py"):
        assert label.lower() in texts.lower(), label


def test_a_rule_of_the_paper_is_a_link_to_its_page() -> None:
    links: dict[str, str] = {}
    for module in shown(PACKAGE, "raft")["modules"]:
        for line in module["lines"]:
            links |= read(line).links
    assert links["§5.2"] == "https://raft.github.io/raft.pdf#page=5"
    assert links["§5.4.1"] == "https://raft.github.io/raft.pdf#page=8"
    assert links["Figure 2"] == "https://raft.github.io/raft.pdf#page=4"
    assert links["https://raft.github.io/raft.pdf"] == "https://raft.github.io/raft.pdf"


def test_a_source_is_text_whatever_it_holds() -> None:
    source = 'x = "<img src=x onerror=alert(1)>"  # </span><script> & §5.2\ny = a < b > c\n'
    lines = highlighted(source, {"§5.2": 'https://x/"><script>'})
    assert "\n".join(read(line).text for line in lines) + "\n" == source
    assert not re.search("<(?!/?(span|a)[ >])", "".join(lines))


def test_a_longer_label_wins_and_a_part_of_one_is_none() -> None:
    known = {"§5.4": "https://a", "§5.4.1": "https://b"}
    html = sources.linked("see §5.4.1, §5.4.2 and §5.4.", known)
    assert read(html).links == {"§5.4.1": "https://b", "§5.4": "https://a"}


def test_functions_and_what_belongs_to_them() -> None:
    source = """x = 1
# --- A part ---


# Why.
@cache
def f():
    return 1


class A:
    y = 1

    def g(self):
        pass


class B:
    z: int
"""
    assert list(blocks(source)) == [(5, 8, "f"), (14, 15, "A.g"), (18, 19, "B")]
