"""What is different between two states, and values told in a line."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pysims
from pysims.kernel import Pattern, brief, changes_of
from tests.catalog import PATTERNS


@dataclass(frozen=True, slots=True)
class Node:
    id: str
    term: int = 0
    log: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class State:
    nodes: tuple[Node, ...]
    note: str = ""


def told(before: object, after: object) -> list[tuple[str, str, str]]:
    return [(change.path, change.before, change.after) for change in changes_of(before, after)]


A, B = Node("A"), Node("B", 3)


def test_the_same_value_has_no_differences() -> None:
    assert changes_of(State((A, B)), State((Node("A"), Node("B", 3)))) == []


def test_a_difference_is_found_where_it_lies() -> None:
    after = State((replace(A, term=1), replace(B, log=(7,))), "hi")
    assert told(State((A, B)), after) == [
        ("nodes[A].term", "0", "1"),
        ("nodes[B].log", "()", "(7)"),
        ("note", "''", "'hi'"),
    ]


def test_items_are_paired_by_their_id() -> None:
    assert told(State((A, B)), State((B,))) == [("nodes[A]", brief(A), "—")]
    assert told(State((B,)), State((A, B))) == [("nodes[A]", "—", brief(A))]


def test_items_without_an_id_are_paired_by_their_place() -> None:
    assert told(Node("A", log=(1, 2)), Node("A", log=(1, 3, 4))) == [
        ("log[1]", "2", "3"),
        ("log[2]", "—", "4"),
    ]


def test_no_more_than_is_asked_for() -> None:
    assert len(changes_of(tuple(range(100)), tuple(range(1, 101)), most=5)) == 5


@given(st.tuples(*[st.integers(0, 3)] * 6), st.tuples(*[st.integers(0, 3)] * 6))
def test_there_is_a_difference_exactly_where_values_differ(
    before: tuple[int, ...], after: tuple[int, ...]
) -> None:
    paths = [change.path for change in changes_of(before, after)]
    assert paths == [f"[{i}]" for i, (a, b) in enumerate(zip(before, after, strict=True)) if a != b]


@pytest.mark.parametrize(
    ("value", "room", "text"),
    [
        ("abc", 72, "'abc'"),
        ("a" * 100, 10, "'aaaaaaa'…"),
        ((1, 2), 72, "(1, 2)"),
        (tuple(range(100)), 20, "(0, 1, 2, 3, 4, 5, …)"),
        ({"a": 1}, 72, "{'a': 1}"),
        (None, 72, "None"),
        (1.5, 72, "1.5"),
        (State, 72, "State"),
        (A, 72, "Node(id='A', term=0, log=())"),
    ],
)
def test_a_value_in_a_line(value: object, room: int, text: str) -> None:
    assert brief(value, room) == text


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda p: p.id)
def test_every_state_of_a_story_is_told_in_a_line_or_two(pattern: Pattern) -> None:
    history = pysims.run(pattern.id, pattern.scenarios[0].id).history
    for index in range(1, min(40, len(history))):
        before, event, after = history.change(index)
        assert len(brief(event)) < 160
        for change in changes_of(before, after):
            assert len(change.before) + len(change.after) < 320
            assert change.before != change.after or "…" in change.before
