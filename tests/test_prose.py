"""The prose of every page against the rules of the house: what a reader would stumble over.

Proselint has most of these rules, and takes Markdown's marks for prose; so they are here, with a
reason each. Spelling, British spelling included, is codespell's.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
PAGES = sorted(DOCS.glob("*.md"))
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)

# Word → what is wrong with it.
RULES = {
    # Praise and stress that a reader cannot check.
    r"(?<!the )very": "says less than the word alone",
    r"simply|obviously|of course|needless to say|as we all know": "is no help if it is not simple",
    r"basically|essentially|incredibly|extremely": "adds stress and no meaning",
    r"amazing|awesome|powerful|seamless(?:ly)?|effortless(?:ly)?|blazing(?:ly)?": "is advertising",
    r"cutting-edge|state-of-the-art|world-class|best-in-class|game-chang\w+": "is advertising",
    r"revolutionary|industry-leading|next-generation": "is advertising",
    # Long for short.
    r"utili[z]\w+|leverag(?:e|es|ed|ing)": "is a long word for `use`",
    r"in order to": "is `to`",
    r"due to the fact that|owing to the fact that": "is `because`",
    r"at this point in time|at the present time": "is `now`",
    r"prior to": "is `before`",
    r"it should be noted that|it is important to note|note that": "can be left out",
    r"in the event that": "is `if`",
    r"delve\w*|deep dive|unlock\w*(?= the)": "is a phrase that fits everywhere",
    # British forms that spelling alone does not show.
    r"for ever": "is `forever` in American English",
    r"afterwards|towards|backwards|forwards|upwards|downwards": "has no -s in American English",
    r"whilst|amongst|learnt|spelt": "is British",
    # Slips.
    r"(?P<twice>(?!that|had)[a-z]+)\s+(?P=twice)": "stands there twice",
    r"more better|most unique|more optimal|very unique": "cannot be compared",
    r"could of|should of|would of": "is `have`",
}  # fmt: skip

WORDS_MAX = 60
WORDS_MEAN_MAX = 22

FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
NOT_PROSE = re.compile(
    r"^\[\^[^\]]+\]: .*(?:\n(?: {4}.*|(?=\n {4})))*"  # a footnote: titles are not ours
    r"|^( *)```.*?^\1```"  # code and figures
    r"|<!--.*?-->|</?\w+[^>]*>",
    re.MULTILINE | re.DOTALL,
)
# What the reader sees of a link, a footnote's mark, a number and code.
INLINE = (
    (r"\[\^[^\]]+\]", ""),
    (r"`#!run [^`=]*= ?([^`]*)`", r"\1"),
    (r"`[^`]*`", "code"),
    (r"\]\([^)]*\)", "]"),
    (r"“[^”]*”|(?<![\w])\"[^\"]*\"", "quotation"),
)


def prose(text: str) -> str:
    """The sentences of a page; quotations and code are words of somebody else."""
    text = NOT_PROSE.sub("", FRONT_MATTER.sub("", text))
    for form, seen in INLINE:
        text = re.sub(form, seen, text)
    return text


def faults(text: str) -> list[str]:
    """What the rules find in a text, each with a little of what is around it."""
    words = " ".join(prose(text).split())
    return [
        f"“{words[max(0, found.start() - 30) : found.end() + 30]}”: “{found[0]}” {reason}"
        for form, reason in RULES.items()
        for found in re.finditer(rf"(?<![\w-])(?:{form})(?![\w-])", words, re.IGNORECASE)
    ]


def sentences(text: str) -> list[str]:
    """The sentences of a page's paragraphs and lists; a row of a table is none."""
    text = re.sub(r"^ *\|.*$", "", prose(text), flags=re.MULTILINE)
    blocks = re.split(r"\n\s*\n|\n\s*(?:[-*]|\d+\.) ", text)
    ends = r"(?<=[.!?:;])[)*”]*\s+(?=[A-Z*“(\[])"
    return [part for block in blocks for part in re.split(ends, " ".join(block.split())) if part]


@every_page
def test_a_page_keeps_the_rules_of_the_house(page: Path) -> None:
    assert faults(page.read_text("utf-8")) == []


@every_page
def test_sentences_are_short_enough(page: Path) -> None:
    lengths = [len(sentence.split()) for sentence in sentences(page.read_text("utf-8"))]
    long = [s for s in sentences(page.read_text("utf-8")) if len(s.split()) > WORDS_MAX]
    assert long == []
    assert sum(lengths) / len(lengths) <= WORDS_MEAN_MAX


@pytest.mark.parametrize(
    "wrong",
    [
        "This is very fast.",
        "It simply works.",
        "It leverages a queue in order to wait.",
        "It waits for ever.",
        "It moves the the key.",
        "A key key moves.",
        "Add a key, and\nand remove it.",
        "Afterwards it stops.",
        "- Note that it stops.",
    ],
)
def test_a_slip_is_found(wrong: str) -> None:
    assert faults(wrong)


@pytest.mark.parametrize(
    "right",
    [
        "The very same key had had what that that says.",
        "It says “very fast” and `simply`.",
        "[^a]: J. Doe: *A Very Simple Queue*. <https://example.org/very>\n    In order to.",
        '```sim a scenario="very"\nvery\n```',
        "A very-large-scale chip.",
        "| 1 | 1 | a | b |",
    ],
)
def test_what_is_right_or_not_ours_is_left_alone(right: str) -> None:
    assert faults(right) == []


def test_a_long_sentence_is_found() -> None:
    assert max(len(s.split()) for s in sentences("Short. " + "word " * 61 + ". Short.")) > WORDS_MAX
