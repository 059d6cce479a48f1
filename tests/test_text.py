"""What every chapter has, where the stories are told, and that folklore is answered with sources.

All of it is read from the Markdown.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
CHAPTERS = (
    "cap",
    "consistent-hashing",
    "rate-limiting",
    "fault-tolerance",
    "transactions",
    "leader-election",
    "gossip",
)
# In this order at the end of a chapter, whatever comes before them.
ENDING = ("In production", "What the simulation leaves out", "Check yourself", "Further reading")
DECISION = "When to use what"
# Whose stories the site tells, each with a source in the same paragraph.
STORIES = (
    "DynamoDB", "Spanner", "Akamai", "Cassandra", "Discord", "Cloudflare", "GitHub", "Stripe",
    "Netflix", "Amazon S3, February 28, 2017", "Uber", "Temporal", "etcd", "Consul", "CockroachDB",
    "KRaft",
)  # fmt: skip
NOTE = re.compile(r"\[\^([\w-]+)\](?!:)")
DEFINED = re.compile(r"^\[\^([\w-]+)\]:", re.MULTILINE)
SENTENCE = re.compile(r"[.?!](?= [A-Z*]|$)")


def text_of(page: str) -> str:
    return (DOCS / f"{page}.md").read_text("utf-8")


def section(page: str, title: str, level: int = 2) -> str:
    """What stands below a heading, up to the next one of its level or above."""
    marks = "#" * level
    found = re.search(
        rf"^{marks} {re.escape(title)}\n(.*?)(?=^#{{1,{level}}} |\Z)",
        text_of(page),
        re.MULTILINE | re.DOTALL,
    )
    assert found, f"{page} has no section {title!r}"
    return found[1]


def paragraphs(text: str) -> list[str]:
    return [" ".join(part.split()) for part in re.split(r"\n\s*\n", text) if part.strip()]


@pytest.mark.parametrize("page", CHAPTERS)
def test_a_chapter_opens_with_the_problem_in_two_sentences(page: str) -> None:
    opening = paragraphs(text_of(page).split("---\n", 2)[2])[1]
    assert len(SENTENCE.findall(opening)) == 2, opening


@pytest.mark.parametrize("page", CHAPTERS)
def test_a_chapter_ends_like_all_others(page: str) -> None:
    titles = re.findall(r"^## (.*)$", text_of(page), re.MULTILINE)
    assert tuple(titles[-len(ENDING) :]) == ENDING
    assert titles.count(DECISION) == 1
    assert re.search(r"^\|[ :|-]+\|$", section(page, DECISION), re.MULTILINE), "no table"


@pytest.mark.parametrize("story", STORIES)
def test_a_story_is_told_with_its_source(story: str) -> None:
    # The name stands out where a story is told: bold, or at the head of a section.
    told = [
        part
        for page in CHAPTERS
        for part in paragraphs(text_of(page))
        if NOTE.search(part)
        and re.search(rf"\*\*[^*]*{re.escape(story)}[^*]*\*\*", part)
        and not part.startswith("[^")
    ]
    assert told


@pytest.mark.parametrize("page", [*CHAPTERS, "index", "faq", "folklore"])
def test_every_note_is_defined_once_and_used(page: str) -> None:
    text = text_of(page)
    defined = DEFINED.findall(text)
    assert len(defined) == len(set(defined))
    assert set(NOTE.findall(text)) == set(defined)


def entries(title: str, second: str) -> list[str]:
    found = [part for part in paragraphs(section("folklore", title)) if part.startswith("- ")]
    for entry in found:
        assert entry.startswith("- **Said:** ")
        assert entry.count(f"**{second}:** ") == 1, entry
    return found


def test_what_is_wrong_is_answered_by_a_source_or_a_run() -> None:
    heads = re.findall(r"^### (.*)$", section("folklore", "Wrong"), re.MULTILINE)
    assert len(heads) == 11
    for head in heads:
        said, truth = section("folklore", head, level=3).strip().split("\n\n", 1)
        assert said.startswith("**It is said** that "), head
        assert truth.startswith("**In fact** "), head
        assert NOTE.search(truth) or "`#!run" in truth, head


def test_what_is_right_in_part_leads_to_a_source_a_run_or_a_chapter() -> None:
    for entry in entries("Right in part", "Better"):
        assert NOTE.search(entry) or "`#!run" in entry or re.search(r"\]\([\w-]+\.md#", entry), (
            entry
        )


def test_what_nobody_can_show_is_said_not_to_be_known() -> None:
    assert len(entries("What nobody can show", "Known")) == 10


def test_the_claim_on_virtual_nodes_comes_first_and_is_measured() -> None:
    wrong = section("folklore", "Wrong")
    assert wrong.lstrip().startswith("### Virtual nodes")
    first = section("folklore", "Virtual nodes and the three percent", level=3)
    assert '```sim hash_ring scenario="virtual-nodes"' in first
    for count in (1, 10, 100, 150, 1000):
        assert f"`#!run vnodes {count} measured" in first


def test_the_landing_page_maps_the_chapters_and_shows_a_figure_before_them() -> None:
    text = text_of("index")
    links = [text.index(f"]({page}.md)") for page in (*CHAPTERS, "faq", "folklore")]
    assert links == sorted(links)
    assert text.index("```sim ") < links[0]
