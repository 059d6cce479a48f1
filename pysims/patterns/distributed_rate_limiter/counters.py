"""The counters of the store, and what a server knows of a count that it shares now and then.

`Key` is a counter in Redis: `INCR` adds one and gives the new value, a time to live takes it away.
Redis documentation, INCR, "Pattern: rate limiter", https://redis.io/docs/latest/commands/incr/.

`SyncCounter` is one server's part of a count that all servers add up in the store from time to
time: between two syncs it knows its own admissions, and the total as it last heard it.

Simplified: a key's time to live ends with the window of the clock, the same for all servers.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...kernel import replace

NEVER = -1


@dataclass(frozen=True, slots=True)
class Key:
    """A counter with a time to live.

    `count` is 0 when there is no key. It is gone from `expires_ms` on (`NEVER`: it stays).
    `window` is the number of the window in which it was made.
    """

    count: int = 0
    expires_ms: int = NEVER
    window: int = 0

    def at(self, now_ms: int) -> Key:
        """The key at this time: a fresh one if its time is over."""
        return NO_KEY if self.expires_ms != NEVER and now_ms >= self.expires_ms else self

    def holding(self, count: int, now_ms: int, window_ms: int, lives: bool = True) -> Key:
        """The key with this count; a new one gets its time to live, if it gets one at once."""
        if self.count:
            return Key(count, self.expires_ms, self.window)
        window = now_ms // window_ms
        return Key(count, (window + 1) * window_ms if lives else NEVER, window)

    def expiring(self, now_ms: int, window_ms: int) -> Key:
        """The key after EXPIRE: it lives until this window ends. Without a key, nothing happens."""
        if not self.count:
            return self
        return replace(self, expires_ms=(now_ms // window_ms + 1) * window_ms)


NO_KEY = Key()


@dataclass(frozen=True, slots=True)
class Store:
    """What the store holds: a key for each way to count, and a total for each sync interval.

    `carried` counts the requests that met a count from an older window. `totals` belong to the
    window number `totals_window`.
    """

    atomic: Key = NO_KEY
    naive: Key = NO_KEY
    totals: tuple[int, ...] = ()
    totals_window: int = 0
    carried: int = 0


@dataclass(frozen=True, slots=True)
class SyncCounter:
    """What a server knows of the total in window number `window`.

    `known` is the total that it heard last, `unsent` its admissions that the store has not
    confirmed. Of those, `pushed` are under way since `pushed_ms`, as push number `push`. `armed`
    says that its alarm is set.
    """

    window: int = 0
    known: int = 0
    unsent: int = 0
    pushed: int = 0
    pushed_ms: int = NEVER
    push: int = 0
    armed: bool = False

    def at(self, window: int) -> SyncCounter:
        """The counter in this window: a new one starts from zero."""
        if window == self.window:
            return self
        return SyncCounter(window, push=self.push, armed=self.armed)

    @property
    def total(self) -> int:
        """What it takes the count of all servers to be."""
        return self.known + self.unsent

    def pushing(self, now_ms: int) -> SyncCounter:
        """The counter as it sends all that is unsent."""
        return replace(self, pushed=self.unsent, pushed_ms=now_ms, push=self.push + 1, armed=True)

    def hearing(self, push: int, total: int) -> SyncCounter:
        """The counter after an answer of the store, to this push."""
        # A total never falls within a window, so an old answer that comes late says nothing new.
        known = max(self.known, total)
        if push != self.push or self.pushed_ms == NEVER:
            return replace(self, known=known)
        return replace(
            self, known=known, unsent=self.unsent - self.pushed, pushed=0, pushed_ms=NEVER
        )
