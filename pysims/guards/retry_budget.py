"""A retry budget: retries may add a fixed share to the calls, however many of them fail.

A bucket of tokens, full at first. Each first call puts in a part of a token (`ratio`), each retry
takes a whole one out; without a whole token there is no retry. Over any stretch of time, retries
are therefore at most `capacity + ratio × calls`, where unlimited retries would multiply the load.

Sources: Finagle's `RetryBudget`, https://twitter.github.io/finagle/guide/Clients.html#retries
(a share of the calls, by tokens); gRPC's retry throttling,
https://github.com/grpc/proposal/blob/master/A6-client-retries.md, section "Throttling Retry
Attempts and Hedged RPCs" (`maxTokens`, `tokenRatio`, three decimal places).

Simplified: tokens do not expire as Finagle's do, and every token may be spent, where gRPC stops at
half. The bucket counts whole thousandths of a token, so that nothing is lost to rounding.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

TOKEN = 1_000
"""The thousandths of a token that one retry takes."""


@dataclass(frozen=True, slots=True)
class RetryBudget:
    """A bucket of at most `capacity` tokens, to which each call adds `ratio` of one.

    `spent` is what the bucket lacks of being full, in thousandths of a token. `ValueError` for a
    ratio of 0 or below or finer than thousandths, and for a capacity below 1 token.
    """

    ratio: float
    capacity: int
    spent: int = 0

    def __post_init__(self) -> None:
        # A ratio such as 0.07 is no exact float; whether it is whole thousandths shows in decimal.
        usable = type(self.ratio) in (int, float) and 0 < self.ratio < float("inf")
        if not usable or round(self.ratio, 3) != self.ratio:
            raise ValueError(
                f"ratio must be above 0, in steps of 0.001 tokens per call, got {self.ratio!r}"
            )
        if type(self.capacity) is not int or self.capacity < 1:
            raise ValueError(f"capacity must be an integer of 1 or more, got {self.capacity!r}")
        if type(self.spent) is not int or not 0 <= self.spent <= self.capacity * TOKEN:
            raise ValueError(
                f"spent must be an integer from 0 to {self.capacity * TOKEN} thousandths of a "
                f"token, got {self.spent!r}"
            )

    @property
    def tokens(self) -> float:
        """What is in the bucket: a number of retries, with its fraction."""
        return (self.capacity * TOKEN - self.spent) / TOKEN

    def deposit(self, calls: int = 1) -> RetryBudget:
        """The budget after so many first calls; what does not fit into the bucket is lost.

        `ValueError` for fewer than 0 calls.
        """
        if type(calls) is not int or calls < 0:
            raise ValueError(f"calls must be an integer of 0 or more, got {calls!r}")
        added = calls * round(self.ratio * TOKEN)
        return replace(self, spent=max(0, self.spent - added))

    def withdraw(self) -> tuple[RetryBudget, bool]:
        """The budget after a client asked for a retry, and whether it may retry."""
        if self.spent + TOKEN > self.capacity * TOKEN:
            return self, False
        return replace(self, spent=self.spent + TOKEN), True
