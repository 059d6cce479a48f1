"""Walks a page of Markdown and gives its prose sentence by sentence.

Prose is what a reader reads as text: paragraphs, list items, headings, quotations, the titles of
questions and answers, captions of figures, and tables, a row of which is one sentence. It is not:
the head of the file, code, widgets (`sim` fences), definitions of footnotes and abbreviations, and
addresses of links.

A footnote belongs to the sentence before it. The sentences of a paragraph between two footnotes
stand *under* the second one, as in print; a footnote in the head of a table holds for its rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from .quantities import figures_in, numbers_in, without_figures

FENCE = re.compile(
    r"^[ ]*(?P<mark>```+|~~~+)[ ]*(?P<language>\w*).*\n(?P<body>(?:.*\n)*?)[ ]*(?P=mark)[ ]*$",
    re.MULTILINE,
)
WORDED = ("figure", "sources", "glossary")
"""Fences whose content is prose: a caption, or what stands above a list."""
HEAD = re.compile(r"\A---\n.*?^---\n", re.MULTILINE | re.DOTALL)
# A footnote or an abbreviation: its first line, and the indented ones after it.
DEFINITION = re.compile(
    r"^(?:\[\^[^\]]+\]|\*\[[^\]]+\]):.*\n(?:[ ]{2,}\S.*\n|\n(?=[ ]{2,}\S))*", re.MULTILINE
)
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
ITEM = re.compile(r"^\s*(?:[-*+]|\d+\.)\s+")
BLOCK = re.compile(ITEM.pattern + r"|^\s*(?:!!!|\?\?\?\+?)\s+\w+\s*|^\s*#+\s+|^\s*(?:>\s?)+")
TITLE = re.compile(r'^"(?:\d+\.\s)?(.*)"$')
NOTE = re.compile(r"\s*\[\^([^\]]+)\]")
RUN = re.compile(r"`#!run ([^=`]+?)\s*(?:=[^`]*)?`")
ELLIPSIS = "…"
ELSEWHERE = re.compile(r"\]\([\w/-]+\.md")
# A sentence ends with its mark, what closes after it, and its footnotes.
END = re.compile(r"[.!?](?:[”\"’')*_\]]|\s?\[\^[^\]]+\])*(?=\s+[“\"‘(*_\[`A-ZÀ-Ý0-9$§¶…])")
# An initial stands before a name: at the beginning, or behind a name or another initial.
ABBREVIATION = re.compile(
    r"(?:\b(?:al|vs|cf|pp?|No|Dr|St|e\.g|i\.e|etc|Jr|eds?)|(?:\A|\b[A-Z]\. |\b[A-Z][a-z]+ )[A-Z]"
    r"|\A\**Figure \d+)\.\Z"
)


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of a page.

    `text` is without markup, with an ellipsis for each number that a run gives, and with # for the
    numbers of figures, which change when a figure comes in between. `numbers` are those that are
    typed, `runs` the names of those that are computed, `figures` those of this page. `notes` are
    the footnotes in the sentence, `under` those of a later sentence of the paragraph, or of the
    table's head.
    """

    line: int
    text: str
    numbers: tuple[str, ...]
    runs: tuple[str, ...]
    figures: tuple[int, ...]
    notes: tuple[str, ...]
    under: tuple[str, ...] = ()


def blank(found: re.Match[str]) -> str:
    """As many lines, with nothing on them."""
    return "\n" * found[0].count("\n")


def words_of(fence: re.Match[str]) -> str:
    """What of a fence is prose, with as many lines."""
    return f"\n{fence['body']}" if fence["language"] in WORDED else blank(fence)


def prose_of(page: str) -> str:
    """A page without what is no prose, line for line."""
    page = FENCE.sub(words_of, HEAD.sub(blank, page))
    for form in (COMMENT, DEFINITION):
        page = form.sub(blank, page)
    return re.sub(r"</?[a-z][^<>]*>", "", page)


def blocks_of(page: str) -> Iterator[tuple[int, str, bool]]:
    """(line, text, whether it is a row of a table) of every block, as it is written."""
    start, lines = 0, list[str]()
    for place, line in enumerate([*prose_of(page).splitlines(), ""], 1):
        row = line.lstrip().startswith("|")
        if lines and (not line.strip() or row or begins(line, lines[0])):
            yield start, joined(lines), False
            lines = []
        if row:
            if not re.fullmatch(r"[\s|:-]+", line):
                yield place, line.strip().strip("|").strip(), True
        elif line.strip():
            start = start if lines else place
            lines.append(line)


def begins(line: str, first: str) -> bool:
    """Whether a line begins another block than the one that begins with `first`.

    An item of a list begins none within a paragraph, and a quotation goes on from line to line.
    """
    if line.lstrip().startswith(">"):
        return not (first.lstrip().startswith(">") and line.strip(" >"))
    return bool(BLOCK.match(line)) and (not ITEM.match(line) or bool(ITEM.match(first)))


def joined(lines: list[str]) -> str:
    """The lines of a block as one, without what marks the block."""
    text = " ".join(BLOCK.sub("", line).strip() for line in lines[:1])
    rest = (re.sub(r"^\s*(?:>\s?)+", "", line).strip() for line in lines[1:])
    text = " ".join([text, *rest]).strip()
    title = TITLE.match(text)
    return title[1] if title else text


def split(text: str) -> Iterator[str]:
    """The sentences of a block, each with its footnotes."""
    start = 0
    for end in END.finditer(text):
        upto = text[start : end.start() + 1]
        if not ABBREVIATION.search(upto.rstrip("*")):
            yield text[start : end.end()].strip()
            start = end.end()
    if text[start:].strip():
        yield text[start:].strip()


def bare(text: str) -> str:
    """A sentence without markup."""
    text = NOTE.sub("", RUN.sub(ELLIPSIS, text))
    text = re.sub(
        r"!?\[([^\]]*)\]\([^()\s]*(?:\([^()]*\))?[^()\s]*(?:\s\"[^\"]*\")?\)", r"\1", text
    )
    text = re.sub(r"<https?:[^>]*>", "", text)
    text = re.sub(r"`([^`]*)`", lambda code: re.sub(r"\d", "·", code[1]), text)
    return " ".join(re.sub(r"\*+|(?<!\w)_|_(?!\w)|\\(?=\W)", "", text).split())


def sentence(line: int, text: str) -> Sentence:
    plain = bare(text)
    return Sentence(
        line=line,
        text=without_figures(plain),
        numbers=numbers_in(plain),
        runs=tuple(dict.fromkeys(RUN.findall(text))),
        # Who links to another page may name its figures.
        figures=() if ELSEWHERE.search(text) else figures_in(plain),
        notes=tuple(dict.fromkeys(NOTE.findall(text))),
    )


def sentences_of(page: str) -> Iterator[Sentence]:
    """Every sentence of a page."""
    head: tuple[str, ...] | None = None
    for line, text, row in blocks_of(page):
        if row:
            found = sentence(line, text)
            head = found.notes if head is None else head
            yield with_under(found, head)
            continue
        head = None
        under: tuple[str, ...] = ()
        backward = []
        for found in reversed([sentence(line, part) for part in split(text)]):
            backward.append(with_under(found, under))
            under = found.notes or under
        yield from reversed(backward)


def with_under(found: Sentence, under: tuple[str, ...]) -> Sentence:
    """The sentence with the footnotes that it stands under, if it has none itself."""
    return found if found.notes else replace(found, under=under)
