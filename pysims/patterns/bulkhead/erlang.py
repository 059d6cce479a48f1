"""What theory says of a pool: how many requests wait for a thread, and how many find no place.

With requests that come at random (Poisson) and times from the exponential distribution, a pool of
c threads and k places to wait is the textbook's M/M/c/(c + k). Without a place it is Erlang's loss
system, and `rejected` is his formula B; with very many it is M/M/c, and `waits` is his formula C.

Source: Kleinrock, Queueing Systems, volume 1, 1975, sections 3.5 to 3.7.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Shares:
    """Of all requests, the share that waits for a thread and the share that is rejected."""

    waits: float
    rejected: float


def shares_of(threads: int, places: int, load: float) -> Shares:
    """The shares for a load in Erlang (requests a second times the seconds that each takes).

    `ValueError` for fewer than 1 thread, fewer than 0 places, or a load of 0 or less.
    """
    if threads < 1:
        raise ValueError(f"threads must be 1 or more, got {threads!r}")
    if places < 0:
        raise ValueError(f"places must be 0 or more, got {places!r}")
    if not load > 0:
        raise ValueError(f"load must be above 0 Erlang, got {load!r}")
    # Weight n belongs to n requests in the pool; each is the one before times arrivals ÷ departures
    # (Kleinrock, equation 3.11).
    weights = [1.0]
    for number in range(1, threads + places + 1):
        weights.append(weights[-1] * load / min(number, threads))
    total = sum(weights)
    return Shares(sum(weights[threads:-1]) / total, weights[-1] / total)


def together(pools: Sequence[tuple[int, int, float]]) -> Shares:
    """The shares over several pools `(threads, places, load)`, each weighted with its load.

    That is the share of all requests if all take equally long on average.
    """
    whole = sum(load for _, _, load in pools)
    each = [(shares_of(threads, places, load), load / whole) for threads, places, load in pools]
    return Shares(
        sum(shares.waits * part for shares, part in each),
        sum(shares.rejected * part for shares, part in each),
    )
