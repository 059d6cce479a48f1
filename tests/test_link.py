"""A run as text: every story's link comes back as it was, and a bad one gets a sentence."""

from __future__ import annotations

import re
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from pysims import load_pattern, pattern_ids
from pysims.kernel import build
from pysims.link import LONGEST, Link, link_from

STORIES = [(p, s.id) for p in pattern_ids() for s in load_pattern(p).scenarios]


def link_of(pattern_id: str, scenario_id: str) -> Link:
    pattern = load_pattern(pattern_id)
    story = pattern.scenario(scenario_id)
    params: Any = build(pattern.params, story.params)
    return Link(
        pattern, story.id, params, story.seed, story.script, story.until_ms, story.show_ms, 0
    )


@pytest.mark.parametrize(("pattern_id", "scenario_id"), STORIES)
def test_a_story_is_short_and_a_changed_one_comes_back(pattern_id: str, scenario_id: str) -> None:
    link = link_of(pattern_id, scenario_id)
    assert link.text == f"v=1&run={pattern_id}/{scenario_id}&at={link.at_ms}:0"
    assert link_from(link.text) == link
    changed = replace(link, seed=77, until_ms=link.until_ms + 1, at=3, script=link.script[:-1])
    assert link_from(f"https://example.org/a/b.html#w?{changed.text}") == changed
    # The whole script, written out: as if the scenario had none.
    told = replace(link, script=(*link.script, *link.script[-1:]))
    assert link_from(told.text) == told


@pytest.mark.parametrize("pattern_id", pattern_ids())
def test_every_parameter_and_its_least_value_come_back(pattern_id: str) -> None:
    pattern = load_pattern(pattern_id)
    link = link_of(pattern_id, pattern.scenarios[0].id)
    bare = replace(link, params=pattern.params())
    assert link_from(bare.text) == bare


def test_texts_with_signs_in_them_come_back() -> None:
    pattern = load_pattern("hash_ring")
    event = pattern.action("Lookup").event(key="a&b=c:d%<i>é ")
    link = replace(link_of("hash_ring", "ring-kill"), script=((5, event),))
    assert "<" not in link.text
    assert link_from(link.text) == link


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "a link has v, run, seed, set, do, until, at, each with =, got ''"),
        ("run=raft", "a link has one v, got 0"),
        ("v=1&v=1&run=raft", "a link has one v, got 2"),
        ("v=2&run=raft", "the link is of version 2, made by a newer edition of this site"),
        ("v=0&run=raft", "v must be 1, got 0"),
        ("v=one&run=raft", "v must be an integer from 0 to"),
        ("v=1&run=paxos", "paxos"),
        ("v=1&run=hash_ring/nowhere", "hash_ring has no scenario 'nowhere'"),
        ("v=1&run=%FF", "run must be text in UTF-8, got '%FF'"),
        ("v=1&run=hash_ring&seed=4294967296", "seed must be an integer from 0 to 4294967295"),
        ("v=1&run=hash_ring&seed=-1", "got '-1'"),
        ("v=1&run=hash_ring&seed=٣", "got '٣'"),
        ("v=1&run=hash_ring&seed=" + "9" * 5_000, "seed must be an integer"),
        ("v=1&run=hash_ring&until=1e9", "until must be an integer"),
        ("v=1&run=hash_ring&set=keys", "set must be field=value, got 'keys'"),
        ("v=1&run=hash_ring&set=kittens=3", "has no 'kittens', it has: "),
        ("v=1&run=hash_ring&do=5", "do must be time:Event:field=value, got '5'"),
        ("v=1&run=hash_ring&do=x:Lookup", "do must be an integer"),
        ("v=1&run=hash_ring&do=5:Explode", "has no action 'Explode', it has: "),
        ("v=1&run=hash_ring&do=5:Lookup:color=red", "Lookup has no 'color', it has: key"),
        (
            "v=1&run=hash_ring&do=9:Lookup:key=a&do=5:Lookup:key=a",
            "the events of a link must be in order of time",
        ),
        ("v=1&run=hash_ring" + "&do=5:Lookup" * 1_001, "at most 1000 actions, got 1,001"),
        ("v=1&run=hash_ring&x=<script>alert(1)</script>", "got 'x=<script>alert(1)</script>'"),
        ("v=1&run=" + "a" * 100_000, "the link has 100,008 characters, allowed are 30,000"),
    ],
)
def test_a_link_that_is_not_right_gets_a_sentence(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=re.escape(problem)):
        link_from(text)


def test_a_run_that_is_too_long_for_a_link_says_so() -> None:
    event = load_pattern("hash_ring").action("Lookup").event(key="€" * 40)
    link = replace(link_of("hash_ring", "ring-kill"), script=((5, event),) * 900)
    with pytest.raises(ValueError, match=f"allowed are {LONGEST:,}"):
        _ = link.text


# --- Damaged links --------------------------------------------------------------------------------

SIGNS = "&=:%/?#-_.~0123456789abcXYZé\x00\n<>\"' +"
STRANGE = [0, 9, 127, 255, 0x202E, 0xD800, 0x1F600]
PARTS = [
    "set=a=b",
    "set=__class__=1",
    "do=1:Crash:server=S1",
    "do=5:__init__:a=b",
    "do=-",
    "at=1:1:1",
    "seed=%FF",
    "run=%2e%2e",
]
NUMBERS = ["99999999999999999999", "-1", "1e3", "0x1", "٣", ""]


def damaged(text: str, draws: Random, others: list[str]) -> str:
    """A link to which something has happened that happens to links, or that somebody tried."""
    at = draws.randrange(len(text) + 1)
    head, tail = text[:at], text[at:]
    parts = text.split("&")
    draws.shuffle(parts)
    return draws.choice(
        [
            head + draws.choice(SIGNS) + tail,
            head + tail[draws.randint(1, 8) :],
            head + draws.choice(others)[: draws.randint(0, 60)] + tail,
            head + chr(draws.choice(STRANGE)) + tail[1:],
            "&".join(parts),
            text.replace(str(draws.randint(0, 9)), draws.choice(NUMBERS), 1),
            f"{text}&{draws.choice(PARTS)}",
        ]
    )


def read_or_refused(text: str) -> bool:
    """Whether a link was read; what refuses it is a sentence of a reasonable length."""
    try:
        link = link_from(text)
    except ValueError as refusal:
        if len(str(refusal)) > 700:
            raise AssertionError(text) from refusal
        return False
    assert link_from(link.text) == link, text
    return True


def test_a_hundred_thousand_damaged_links_are_read_or_refused() -> None:
    draws = Random(5)
    links = [replace(link_of(*story), seed=5, at=1).text for story in STORIES]
    read = 0
    for _ in range(100_000):
        text = draws.choice(links)
        for _ in range(draws.randint(1, 6)):
            text = damaged(text, draws, links)
        read += read_or_refused(text)
    assert 1_000 < read < 50_000
