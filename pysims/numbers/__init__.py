"""The numbers of the prose that depend on runs: a module for each page, a function for each number.

In Markdown a number is `` `#!run nines outages = 2` ``: its name, and the value that its function
gave when the text was last brought up to date, which is what a reader of the plain text sees. The
site prints what the function gives while it is built, and links it to the run; if that is not what
the text says, the build stops, since the words around the number may be wrong now.
`python -m pysims.numbers` brings the texts up to date.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

from ..kept import code_of_numbers, kept
from . import (
    cap,
    consistent_hashing,
    faq,
    fault_tolerance,
    folklore,
    gossip,
    index,
    leader_election,
    rate_limiting,
    transactions,
)
from .runs import Source, noted, sources_of

NUMBERS: Mapping[str, Callable[[], str]] = {
    **cap.NUMBERS,
    **consistent_hashing.NUMBERS,
    **faq.NUMBERS,
    **fault_tolerance.NUMBERS,
    **folklore.NUMBERS,
    **gossip.NUMBERS,
    **index.NUMBERS,
    **leader_election.NUMBERS,
    **rate_limiting.NUMBERS,
    **transactions.NUMBERS,
}

__all__ = ["NUMBERS", "Source", "noted", "number"]


@cache
def number(name: str) -> tuple[str, tuple[Source, ...]]:
    """A number as the prose prints it, and the runs that it comes from.

    `ValueError` for a name that is not known.
    """
    if name not in NUMBERS:
        topic = name.partition(" ")[0]
        near = ", ".join(known for known in NUMBERS if known.partition(" ")[0] == topic)
        hint = f", those about {topic} are: {near}" if near else ""
        raise ValueError(f"there is no number {name[:60]!r}{hint}")
    value, sources = kept("number", name, code_of_numbers(), lambda: sources_of(NUMBERS[name]))
    return value, tuple((pattern, scenario) for pattern, scenario in sources)
