"""Latencies as a histogram, the timeout that a percentile of it gives, and what that costs.

A timeout at the 99th percentile of a healthy server cuts off one healthy call in a hundred: that is
what "99th percentile" means. A request that makes k calls meets one of them with probability
1 − 0.99^k.

Sources: Brooker, "Timeouts, retries, and backoff with jitter", Amazon Builders' Library, 2019,
https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/ (choose the rate
of false timeouts that you accept, say 0.1 %, and take that percentile of the latency); Dean and
Barroso, "The Tail at Scale", CACM 56(2), 2013, https://doi.org/10.1145/2408776.2408794 (one slow
call in a hundred, and a request that waits for a hundred calls).
"""

from __future__ import annotations

from typing import TypeAlias

Counts: TypeAlias = tuple[int, ...]

BIN_MS = 5
BINS = 240
"""Bin k holds latencies above k × 5 ms and up to (k + 1) × 5 ms; the last one all above, too."""

NOTHING: Counts = (0,) * BINS


def bin_of(latency_ms: int) -> int:
    """The number of the bin of a latency (ms, 0 or more)."""
    return min(BINS - 1, max(0, -(-latency_ms // BIN_MS) - 1))


def counted(counts: Counts, latency_ms: int) -> Counts:
    """The histogram with one more latency."""
    index = bin_of(latency_ms)
    return (*counts[:index], counts[index] + 1, *counts[index + 1 :])


def timeout_at(counts: Counts, percentile: float) -> int | None:
    """The least upper end of a bin (ms) up to which this percentile of the latencies lies.

    The percentile counts to a tenth. `None` if nothing was measured; `ValueError` for a percentile
    that is not above 0 and up to 100.
    """
    if not 0 < percentile <= 100:
        raise ValueError(f"percentile must be above 0 and at most 100, got {percentile!r}")
    # Whole numbers: 99.9 percent of 1,000 are 999, whatever the last bits of 99.9 are.
    total, seen, tenths = sum(counts), 0, round(10 * percentile)
    if not total:
        return None
    for index, count in enumerate(counts):
        seen += count
        if 1_000 * seen >= tenths * total:
            return (index + 1) * BIN_MS
    return BINS * BIN_MS


def share_above(counts: Counts, timeout_ms: int) -> float:
    """The share of the measured latencies above a timeout (0.0 if nothing was measured).

    The timeout is the end of a bin; any other counts as the end of the bin before.
    """
    total = sum(counts)
    return sum(counts[timeout_ms // BIN_MS :]) / total if total else 0.0


def cut_requests(share: float, calls: int) -> float:
    """The share of requests with at least one of so many independent calls cut off."""
    spared = 1.0
    for _ in range(calls):
        spared *= 1 - share
    return 1 - spared
