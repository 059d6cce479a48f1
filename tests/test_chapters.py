"""The chapters' own numbers and code: what a sentence takes from a run is what that run gives.

A number that depends on a seeded run carries a comment right behind it, `<!-- run: name -->`;
`NUMBERS` says how each is computed. Examples in Python are executed.
"""

from __future__ import annotations

import doctest
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import pysims
from pysims.patterns.hash_ring import AddServer, RemoveServer, SetWeight
from pysims.patterns.hash_ring.model import State, keys_of, owned, share_spread

DOCS = Path(__file__).parents[1] / "docs"
PAGES = [*sorted(DOCS.glob("*.md")), DOCS.parent / "README.md"]


def states(scenario: str, **more: Any) -> list[State]:
    return list(pysims.run("hash_ring", scenario, **more).history.states())


def last(scenario: str, **more: Any) -> State:
    return states(scenario, **more)[-1]


def fullest(state: State) -> int:
    return max(owned(state).values())


def weighted() -> list[State]:
    """Figure 2, then 'add a server' and 'set weight B 2', as the section on weights says."""
    return states("ring-kill", script=((2_000, AddServer()), (2_000, SetWeight("B", 2))))


def spread_at(virtual_nodes: int) -> str:
    return (
        f"{100 * share_spread(last('virtual-nodes', params={'virtual_nodes': virtual_nodes})):.2g}"
    )


def hottest_key() -> int:
    state = last("hot-key")
    keys = keys_of(state.salt, state.params.keys, state.params.skew)
    return Counter(keys).most_common(1)[0][1]


def bounded_without_d() -> State:
    return last("bounded-loads", script=((500, RemoveServer("D")),))


NUMBERS: dict[str, Callable[[], str]] = {
    "modulo moved": lambda: str(last("modulo-kill").moved),
    "modulo from dead": lambda: str(owned(states("modulo-kill")[0])["D"]),
    "modulo needless": lambda: str(last("modulo-kill").needless),
    "ring moved": lambda: str(last("ring-kill").moved),
    "fullest of one point": lambda: str(fullest(last("one-point-each"))),
    "spread at 150": lambda: f"{spread_at(150)} percent",
    "spread at 10": lambda: f"{spread_at(10)} percent",
    "spread at 1000": lambda: spread_at(1_000),
    "weight from to": lambda: "from {} to {} keys".format(
        *(owned(state)["B"] for state in weighted()[-2:])
    ),
    "weight moved": lambda: str(weighted()[-1].moved),
    "scale-out moved": lambda: str(last("scale-out").moved),
    "hot requests": lambda: str(fullest(last("hot-key"))),
    "hot ratio": lambda: f"{fullest(last('hot-key')) / 50:.1f}",
    "hot key requests": lambda: str(hottest_key()),
    "hot key ratio": lambda: f"{hottest_key() / 50:.1f}",
    "bounded moves": lambda: str(bounded_without_d().moved),
    "bounded needless": lambda: str(bounded_without_d().needless),
    "rendezvous moved": lambda: str(last("rendezvous").moved),
    "jump last moved": lambda: str(states("jump")[1].moved),
    "jump middle moved": lambda: str(last("jump").moved),
    "jump middle needless": lambda: str(last("jump").needless),
}


def marked() -> list[tuple[str, str]]:
    """(name, the text before the comment) for every marked number of every page."""
    found = []
    for page in PAGES:
        text = re.sub(r"\s+", " ", page.read_text("utf-8"))
        found += [
            (match[1], text[: match.start()][-60:])
            for match in re.finditer(r"<!-- run: ([^>]*?) -->", text)
        ]
    return found


def test_every_number_of_a_run_is_named_once_and_known() -> None:
    assert sorted(name for name, _ in marked()) == sorted(NUMBERS)


@pytest.mark.parametrize(("name", "before"), marked(), ids=[name for name, _ in marked()])
def test_a_sentence_says_what_its_run_gives(name: str, before: str) -> None:
    value = NUMBERS[name]()
    assert re.search(rf"(?<![\w.]){re.escape(value)}$", before), f"{name} is {value}: …{before}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_examples_of_a_page_print_what_it_says(page: Path) -> None:
    examples = "\n".join(re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL))
    test = doctest.DocTestParser().get_doctest(examples, {}, page.name, str(page), 0)
    assert doctest.DocTestRunner(optionflags=doctest.REPORT_NDIFF).run(test).failed == 0


def test_the_example_of_the_package_prints_what_it_says() -> None:
    assert doctest.testmod(pysims).attempted > 0
    assert doctest.testmod(pysims).failed == 0
