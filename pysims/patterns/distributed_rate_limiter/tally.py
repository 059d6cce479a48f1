"""What is counted of a run: what each strategy let through, and what it refused wrongly.

All strategies see the same requests, so their tallies stand beside each other. A decision belongs
to the window of the clock in which it was made: at the server, or at the store for those that ask
it. An observer counts here who knows everything at once; no server does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from ...kernel import Series

Counts: TypeAlias = tuple[int, ...]
WAIT_BINS = 50


@dataclass(frozen=True, slots=True)
class Tally:
    """What one strategy has decided.

    `admitted` is the number let through in window number `window`, and `admitted_before` in the
    one before it; `worst` the largest number in any window. The totals are of the whole run:
    `over` were let through beyond the limit, `wrong` refused although fewer than the limit had been
    let through in that window.
    """

    series: Series
    window: int = 0
    admitted: int = 0
    admitted_before: int = 0
    worst: int = 0
    admitted_total: int = 0
    refused_total: int = 0
    over: int = 0
    wrong: int = 0

    def admitted_in(self, window: int) -> int:
        """How many were let through in a window: the newest, or the one before it."""
        if window == self.window:
            return self.admitted
        return self.admitted_before if window == self.window - 1 else 0

    def decided(
        self, allowed: bool, window: int, limit: int, now_ms: int, under_way: int = 0
    ) -> Tally:
        """The tally with one more decision, of a request that belongs to `window`.

        `under_way` are counted already but not decided: their answers were slower. A refusal is
        right if the limit is used up with them.
        """
        newest, admitted, before = self.window, self.admitted, self.admitted_before
        if window > newest:
            newest, admitted, before = window, 0, admitted if window == newest + 1 else 0
        count = (admitted if window == newest else before) + allowed
        if window == newest:
            admitted = count
        else:
            before = count
        # Written out: `replace` costs three times as much, and this is called most of all.
        return Tally(
            self.series.add(now_ms) if allowed else self.series,
            newest,
            admitted,
            before,
            max(self.worst, count),
            self.admitted_total + allowed,
            self.refused_total + (not allowed),
            self.over + (allowed and count > limit),
            self.wrong + (not allowed and count + under_way < limit),
        )


@dataclass(frozen=True, slots=True)
class Waits:
    """How long requests waited for the store, in bins of `bin_ms`; the last bin takes the rest."""

    bin_ms: int
    counts: Counts = (0,) * (WAIT_BINS + 1)
    total_ms: int = 0
    longest_ms: int = 0

    def add(self, waited_ms: int) -> Waits:
        index = min(waited_ms // self.bin_ms, WAIT_BINS)
        counts = (*self.counts[:index], self.counts[index] + 1, *self.counts[index + 1 :])
        longest_ms = max(self.longest_ms, waited_ms)
        return Waits(self.bin_ms, counts, self.total_ms + waited_ms, longest_ms)

    @property
    def number(self) -> int:
        return sum(self.counts)

    @property
    def mean_ms(self) -> float:
        """The mean wait (ms); 0 before the first one."""
        return self.total_ms / max(1, self.number)

    def within_ms(self, share: float) -> int:
        """A time (ms) within which this share (0.0 to 1.0) of them was over; 0 if there is none."""
        seen, wanted = 0, share * self.number
        for index, count in enumerate(self.counts):
            seen += count
            if count and seen >= wanted:
                return min((index + 1) * self.bin_ms - 1, self.longest_ms)
        return 0


def waits_of(timeout_ms: int) -> Waits:
    """Nothing measured yet; no wait is longer than `timeout_ms`."""
    return Waits(max(1, -(-timeout_ms // WAIT_BINS)))
