"""Randomness as a function of (seed, sequence number of the event), never a stream.

Each event of a run owns a SplitMix64 generator whose start is a hash of the run's seed and of the
event's sequence number. Two forks of one run therefore draw the same numbers for the events that
they share, however many numbers other events drew in between.

Why not `random.Random`: seeding a Mersenne Twister for every event costs about ten times as much
as both mixes here (ARCHITECTURE.md has the figure), and its `random()` would be the only method
whose sequence Python promises to keep.

Source: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014,
https://doi.org/10.1145/2660193.2660195 (figure 16 for the constants of the mixing function).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log1p
from typing import TypeVar

Item = TypeVar("Item")

MASK = (1 << 64) - 1
GOLDEN_GAMMA = 0x9E3779B97F4A7C15
_TO_UNIT = 1.0 / (1 << 53)


def mix64(value: int) -> int:
    """The finalizer of SplitMix64: a bijection of 64-bit integers that scatters every bit."""
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & MASK
    return value ^ (value >> 31)


class Draws:
    """The random numbers of one event.

    `seed` is any integer; `sequence` the event's number in its run, from 0. Numbers depend on
    both and on how many were drawn before from this object, and on nothing else.
    """

    __slots__ = ("_state",)

    def __init__(self, seed: int, sequence: int = 0) -> None:
        self._begin(mix64(seed & MASK), sequence)

    def _begin(self, mixed_seed: int, sequence: int) -> None:
        """Start the generator of an event; `mixed_seed` is the `mix64` of the run's seed."""
        # Here and in `random`, mix64 is written out: a call costs as much as the mixing.
        bits = (mixed_seed + sequence * GOLDEN_GAMMA) & MASK
        bits = ((bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        bits = ((bits ^ (bits >> 27)) * 0x94D049BB133111EB) & MASK
        self._state = bits ^ (bits >> 31)

    def random(self) -> float:
        """A float in [0, 1), uniform over multiples of 2⁻⁵³."""
        self._state = bits = (self._state + GOLDEN_GAMMA) & MASK
        bits = ((bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        bits = ((bits ^ (bits >> 27)) * 0x94D049BB133111EB) & MASK
        return ((bits ^ (bits >> 31)) >> 11) * _TO_UNIT

    def integer(self, low: int, high: int) -> int:
        """An integer in [low, high], both ends included; `ValueError` if the range is empty.

        The modulo of a 64-bit draw: its bias is below 2⁻⁴⁴ for ranges up to a million.
        """
        if low > high:
            raise ValueError(f"low must not exceed high, got low={low} and high={high}")
        self._state = state = (self._state + GOLDEN_GAMMA) & MASK
        return low + mix64(state) % (high - low + 1)

    def choice(self, items: Sequence[Item]) -> Item:
        """One of `items`; `ValueError` if there is none."""
        if not items:
            raise ValueError("items must not be empty")
        return items[self.integer(0, len(items) - 1)]

    def exponential(self, mean: float) -> float:
        """A float from the exponential distribution with this mean, in the mean's own unit."""
        return -mean * log1p(-self.random())
