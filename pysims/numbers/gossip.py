"""The numbers that the chapter on gossip takes from runs."""

from __future__ import annotations

from collections.abc import Callable
from statistics import mean
from typing import Any

from ..kernel import Run
from ..patterns.gossip import missing
from .runs import noted, run_of

SEEDS = 100
SOON_MS, LATER_MS = 9_000, 12_000
"""When push, and when a rumor, is over: later rounds change nothing that is counted here."""


@noted
def rounds(strategy: str) -> float:
    """The mean over the seeds of the rounds until all sixteen know one write."""
    found = []
    for seed in range(SEEDS):
        run = run_of("gossip", "push", seed=seed, params={"strategy": strategy}, until_ms=SOON_MS)
        if run.last.reached_ms >= 0:
            found.append(took_rounds(run))
    return mean(found)


def took_rounds(run: Run[Any]) -> float:
    """The rounds from the last write of a run until all knew it."""
    state = run.last
    took_ms: int = state.reached_ms - state.writes[-1].at_ms
    interval_ms: int = state.params.interval_ms
    return took_ms / interval_ms


@noted
def residue(tires_after: int) -> tuple[float, float]:
    """For a rumor: how many of sixteen never hear it, and the messages per node, on average."""
    lasts = [
        run_of(
            "gossip", "residue", seed=seed, params={"tires_after": tires_after}, until_ms=LATER_MS
        ).last
        for seed in range(SEEDS)
    ]
    unheard = mean(len(missing(state)) for state in lasts)
    return unheard, mean(state.updates / len(state.replicas) for state in lasts)


def told(scenario: str) -> tuple[int, ...]:
    """How many nodes knew the write of a story when each round began."""
    counts: tuple[int, ...] = run_of("gossip", scenario).last.told
    return counts


def half_after(scenario: str) -> str:
    """After how many rounds half of the nodes knew."""
    return str(next(index for index, count in enumerate(told(scenario)) if count >= 8))


def all_after(scenario: str) -> str:
    """After how many rounds all knew."""
    return str(told(scenario).index(16))


NUMBERS: dict[str, Callable[[], str]] = {
    "gossip seeds": lambda: str(SEEDS),
    "gossip push mean": lambda: f"{rounds('push'):.1f}",
    "gossip pull mean": lambda: f"{rounds('pull'):.1f}",
    "gossip both mean": lambda: f"{rounds('push_pull'):.1f}",
    "gossip push half": lambda: half_after("push"),
    "gossip push all": lambda: all_after("push"),
    "gossip pull half": lambda: half_after("pull"),
    "gossip pull all": lambda: all_after("pull"),
    "gossip unheard 1": lambda: f"{residue(1)[0]:.1f}",
    "gossip unheard 2": lambda: f"{residue(2)[0]:.1f}",
    "gossip unheard 3": lambda: f"{residue(3)[0]:.1f}",
    "gossip traffic 1": lambda: f"{residue(1)[1]:.1f}",
    "gossip traffic 2": lambda: f"{residue(2)[1]:.1f}",
    "gossip traffic 3": lambda: f"{residue(3)[1]:.1f}",
    "gossip story unheard": lambda: str(len(missing(run_of("gossip", "residue").last))),
}
