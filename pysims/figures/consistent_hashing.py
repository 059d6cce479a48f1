"""The figures of the chapter on consistent hashing."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from math import sqrt

from ..patterns.hash_ring.hashing import (
    HashRing,
    jump_lookup,
    key_hash,
    modulo_lookup,
    moved_share,
    rendezvous_lookup,
)
from ..patterns.hash_ring.model import expected_spread
from .base import Figure, Point, Row, column
from .ink import DASHES, Sheet, curve, label, theory

# --- The spread of the load -----------------------------------------------------------------------

SERVERS, RINGS = 10, 25
MEAN, LOW, HIGH, LAW = "mean of 25 rings", "most even", "least even", "theory"


@cache
def spreads(virtual_nodes: int) -> tuple[float, ...]:
    """The spread of the shares, standard deviation over mean, on so many rings with other names."""
    found = []
    for number in range(RINGS):
        names = [f"ring {number} server {server}" for server in range(SERVERS)]
        shares = HashRing(names, virtual_nodes=virtual_nodes).shares().values()
        found.append(sqrt(SERVERS * sum((share - 1 / SERVERS) ** 2 for share in shares)))
    return tuple(sorted(found))


def spread(point: Point, series: str) -> float:
    """The spread (percent of the mean) with `point` virtual nodes for each of ten servers."""
    if series == LAW:
        return 100 * expected_spread(SERVERS, int(point))
    found = spreads(int(point))
    return 100 * {MEAN: sum(found) / RINGS, LOW: found[0], HIGH: found[-1]}[series]


def paint_spread(sheet: Sheet, rows: tuple[Row, ...]) -> None:
    axes = sheet.axes(
        (44, 34, 326, 218),
        [(at, f"{at:,}") for at in (1, 10, 100, 1_000)],
        [(at, f"{at} %") for at in (1, 3, 10, 30, 100)],
        x_range=(0.8, 1_250),
        y_range=(1, 200),
        logarithmic="xy",
    )
    for point, (_, low, high, _) in rows:
        axes.plot([point] * 2, [low or 0, high or 0], color="#020000", linewidth=6, alpha=0.35)
    theory(axes, *column(rows, 3))
    curve(axes, *column(rows, 0), 0, linestyle="none")
    label(axes, 12, 62, "theory: close to 1/√V")
    label(axes, 1.2, 9.5, "dot: mean of 25 rings\nbar: from the most even\nto the least even one")
    sheet.words(4, 16, "Standard deviation of the servers’ shares")
    sheet.words(326, 256, "virtual nodes per server, V", ha="right")


# --- The keys that move ---------------------------------------------------------------------------

KEYS = tuple(f"key {number}" for number in range(4_000))
MODULO, RING, RENDEZVOUS, JUMP, LEAST = (
    "modulo",
    "ring, 100 virtual nodes",
    "rendezvous",
    "jump",
    "least possible, 1/(N + 1)",
)


def owner_of(series: str, servers: int) -> Callable[[str], str]:
    """Which of so many servers has a key, by this rule."""
    names = [f"server {number}" for number in range(servers)]
    if series == RING:
        return HashRing(names, virtual_nodes=100).lookup
    if series == JUMP:
        return lambda key: names[jump_lookup(key_hash(key), servers)]
    return partial({MODULO: modulo_lookup, RENDEZVOUS: rendezvous_lookup}[series], names)


def moved(point: Point, series: str) -> float:
    """The share (percent) of the keys that move when `point` servers become one more."""
    servers = int(point)
    if series == LEAST:
        return 100 / (servers + 1)
    return 100 * moved_share(owner_of(series, servers), owner_of(series, servers + 1), KEYS)


def paint_moved(sheet: Sheet, rows: tuple[Row, ...]) -> None:
    axes = sheet.axes(
        (44, 34, 326, 218),
        [(at, f"{at}") for at in (2, 4, 8, 16, 32)],
        [(at, f"{at} %") for at in (0, 25, 50, 75, 100)],
        x_range=(1.75, 36),
        y_range=(0, 106),
        logarithmic="x",
    )
    theory(axes, *column(rows, 4))
    for index in range(4):
        x, y = column(rows, index)
        # Three of them lie on one line, so that each has its marks a little aside.
        aside = (1.0, 0.955, 1.0, 1.047)[index]
        joined = DASHES[0] if index == 0 else "none"
        curve(axes, [at * aside for at in x], y, index, linestyle=joined)
    label(axes, 5, 68, "modulo")
    label(axes, 5.4, 38, "■ ring, ▲ rendezvous, ◆ jump,")
    label(axes, 5.4, 28, "on the least possible")
    sheet.words(4, 16, "Keys that move when one server is added")
    sheet.words(326, 256, "servers before, N", ha="right")


FIGURES = (
    Figure(
        name="load_spread",
        title="Spread of the load against virtual nodes",
        point_name="virtual nodes per server",
        points=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000),
        series=(MEAN, LOW, HIGH, LAW),
        cell=spread,
        paint=paint_spread,
        form="{:.1f} %",
        height=264,
    ),
    Figure(
        name="keys_moved",
        title="Keys moved against the number of servers",
        point_name="servers before",
        points=(2, 3, 4, 6, 8, 12, 16, 24, 32),
        series=(MODULO, RING, RENDEZVOUS, JUMP, LEAST),
        cell=moved,
        paint=paint_moved,
        form="{:.1f} %",
        height=264,
    ),
)
