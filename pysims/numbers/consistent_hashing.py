"""The numbers that the chapter on consistent hashing takes from runs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

from ..patterns.hash_ring import AddServer, RemoveServer, SetWeight
from ..patterns.hash_ring.model import State, keys_of, owned, share_spread
from .runs import run_of


def states(scenario: str, **more: Any) -> list[State]:
    return list(run_of("hash_ring", scenario, **more).history.states())


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


def needless_again() -> str:
    """What the counter of Figure 2 says after a second server has died, whichever it is."""
    (needless,) = {
        last("ring-kill", script=((3_000, RemoveServer(name)),)).needless for name in "ABC"
    }
    return str(needless)


def largest_at(virtual_nodes: int, servers: int = 10) -> str:
    """By how much the largest share is above the mean one, in percent, on average over all rings.

    The shares are independent Gamma(V) variables divided by their sum. The largest variable is
    below x with the probability F(x)**N, where 1 − F(x) = Σ exp(−x) x**k / k! over k < V; its mean
    is the integral of 1 − F(x)**N.
    """
    step, total = 0.05, 0.0
    for place in range(math.ceil(3 * virtual_nodes / step)):
        x = (place + 0.5) * step
        above = math.fsum(
            math.exp(k * math.log(x) - x - math.lgamma(k + 1)) for k in range(virtual_nodes)
        )
        total += step * (1 - max(0.0, 1 - above) ** servers)
    return f"{100 * (total / virtual_nodes - 1):.0f}"


NUMBERS: dict[str, Callable[[], str]] = {
    "modulo moved": lambda: str(last("modulo-kill").moved),
    "modulo from dead": lambda: str(owned(states("modulo-kill")[0])["D"]),
    "modulo needless": lambda: str(last("modulo-kill").needless),
    "ring needless": lambda: str(last("ring-kill").needless),
    "ring needless again": needless_again,
    "largest at 100": lambda: largest_at(100),
    "largest at 150": lambda: largest_at(150),
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
