"""The numbers of the page on folklore: rings measured by the dozen, and what modulo moves."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import partial
from math import sqrt

from ..patterns.hash_ring import HashRing
from ..patterns.hash_ring.model import expected_spread
from .runs import noted, run_of

SERVERS = 10
RINGS = 50
SMALL_RINGS = 1_000
VIRTUAL_NODES = (1, 10, 100, 150, 1_000)


def shares(ring: int, servers: int, virtual_nodes: int) -> list[float]:
    """The servers' shares of one ring, as multiples of the mean; other rings have other names."""
    names = [f"ring {ring} server {number}" for number in range(servers)]
    return [servers * share for share in HashRing(names, virtual_nodes).shares().values()]


def spread(of: list[float]) -> float:
    return sqrt(sum((share - 1) ** 2 for share in of) / len(of))


@noted
def measured(virtual_nodes: int) -> tuple[float, ...]:
    """The spread of each of the rings; the figure that shows one of them is their source."""
    run_of("hash_ring", "virtual-nodes")
    return tuple(spread(shares(ring, SERVERS, virtual_nodes)) for ring in range(RINGS))


@noted
def one_position_each() -> tuple[tuple[float, float], ...]:
    """(smallest, largest) share of four servers with a position each, for every ring."""
    run_of("hash_ring", "one-point-each")
    rings = [shares(ring, 4, 1) for ring in range(SMALL_RINGS)]
    return tuple((min(ring) / 4, max(ring) / 4) for ring in rings)


def percent(share: float) -> str:
    return f"{100 * share:.1f} %" if share < 0.1 else f"{100 * share:.0f} %"


def measured_spread(virtual_nodes: int) -> str:
    """The quadratic mean over the rings, which is what theory has a formula for."""
    found = measured(virtual_nodes)
    mean = sqrt(sum(one * one for one in found) / len(found))
    assert abs(mean / expected_spread(SERVERS, virtual_nodes) - 1) < 0.1
    return percent(mean)


def theory(virtual_nodes: int) -> str:
    return percent(expected_spread(SERVERS, virtual_nodes))


def law(virtual_nodes: int) -> str:
    return percent(1 / sqrt(virtual_nodes))


def enough_for(target: Fraction, servers: int) -> str:
    """With how many virtual nodes theory expects the target spread."""
    return f"{round((Fraction(servers - 1) / target**2 - 1) / servers):,}"


def uneven_rings() -> str:
    """In how many of the rings one server has 40 percent and another at most 10."""
    rings = one_position_each()
    return percent(sum(low <= 0.1 and high >= 0.4 for low, high in rings) / len(rings))


def modulo_moves(before: int, after: int) -> str:
    """The share of keys that modulo moves: the remainders of a whole period, counted."""
    period = before * after
    moved = sum(key % before != key % after for key in range(period))
    return f"{100 * moved / period:.2g}"


NUMBERS: dict[str, Callable[[], str]] = {
    **{f"vnodes {count} measured": partial(measured_spread, count) for count in VIRTUAL_NODES},
    **{f"vnodes {count} theory": partial(theory, count) for count in VIRTUAL_NODES},
    **{f"vnodes {count} law": partial(law, count) for count in VIRTUAL_NODES},
    "vnodes variance": lambda: f"{100 * expected_spread(SERVERS, 150) ** 2:.1g} percent",
    "vnodes calmest": lambda: f"{100 * min(measured(150)):.2g}",
    "vnodes for 3 percent": lambda: enough_for(Fraction(3, 100), SERVERS),
    "vnodes for 3 percent of 4": lambda: enough_for(Fraction(3, 100), 4),
    "one position largest": lambda: percent(
        sum(high for _, high in one_position_each()) / SMALL_RINGS
    ),
    "one position uneven": uneven_rings,
    "modulo 4 to 3": lambda: modulo_moves(4, 3),
    "modulo 10 to 9": lambda: modulo_moves(10, 9),
}
