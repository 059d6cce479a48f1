"""What a run measures, as tuples of counts: latencies, stale reads, and how sure one can be.

Latencies are counted in bins: one for every millisecond up to 20, then ever wider ones, each up to
6 % wider than its place, so that a quantile is exact below 20 ms and within 6 % above.
"""

from __future__ import annotations

from bisect import bisect_left
from math import sqrt
from typing import TypeAlias

Counts: TypeAlias = tuple[int, ...]

LONGEST_MS = 3_000


def _tops() -> Counts:
    tops = list(range(21))
    while tops[-1] < LONGEST_MS:
        tops.append(max(tops[-1] + 1, tops[-1] * 106 // 100))
    return tuple(tops)


BIN_TOPS_MS = _tops()
"""Bin i counts the latencies above the top of bin i - 1, up to and with this one (ms)."""

# Time since the newest write was acknowledged: below 16 ms, below 64 ms, below 256 ms, and beyond.
# A run has some hundred reads; in more bins, chance would be all that one sees.
AGE_TOPS_MS = (16, 64, 256)

NO_LATENCIES: Counts = (0,) * len(BIN_TOPS_MS)
NO_AGES: Counts = (0,) * (len(AGE_TOPS_MS) + 1)
CONFIDENT = 1.96


def counted(counts: Counts, index: int) -> Counts:
    """The counts with one more at `index`."""
    return (*counts[:index], counts[index] + 1, *counts[index + 1 :])


def bin_of(latency_ms: int) -> int:
    """The bin that counts a latency; whatever is longer than the last top is in the last."""
    return min(bisect_left(BIN_TOPS_MS, latency_ms), len(BIN_TOPS_MS) - 1)


def age_bin(age_ms: int) -> int:
    """The bin of a time since the write: the first whose top lies above it."""
    return bisect_left(AGE_TOPS_MS, age_ms + 1)


def quantile(counts: Counts, share: float, missed: int = 0) -> float | None:
    """The latency (ms) that this share (0 to 1) of the requests did not exceed, by nearest rank.

    The middle of its bin, which is the latency itself up to 20 ms. `missed` requests more took
    longer than any that was counted: `None` if the share reaches into them, or if there are none.
    """
    total = sum(counts) + missed
    if not total:
        return None
    seen, wanted = 0, max(share * total, 1)
    for index, count in enumerate(counts):
        seen += count
        if seen >= wanted:
            return middle(index)
    return None


def middle(index: int) -> float:
    """The middle of a bin (ms)."""
    low = BIN_TOPS_MS[index - 1] + 1 if index else 0
    return (low + BIN_TOPS_MS[index]) / 2


def interval(hits: int, total: int) -> tuple[float, float]:
    """Between which shares the true one lies with 95 % confidence (Wilson, 1927).

    With nothing counted it can be anything: (0, 1).
    """
    if not total:
        return 0.0, 1.0
    share, z2 = hits / total, CONFIDENT * CONFIDENT
    center = (share + z2 / (2 * total)) / (1 + z2 / total)
    half = CONFIDENT * sqrt(share * (1 - share) / total + z2 / (4 * total * total))
    half /= 1 + z2 / total
    return max(0.0, center - half), min(1.0, center + half)
