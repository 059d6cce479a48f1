"""What a run keeps of its past: how many users got what, how long they waited, who was turned away.

Counts over time are `Series`; a level that rises and falls (threads in use) is a `Peaks`. Both are
bounded, so that a run may go on for as long as its reader likes.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...kernel import Series, replace

BIN_MS = 250
KEPT_PEAKS = 80

LIVE, FALLBACK, ERROR = "live", "fallback", "error"
"""What a user gets: the live answer, the stand-in for it, or an error."""

OK, FAULT, TIMEOUT, REFUSED, TURNED_AWAY = "ok", "fault", "timeout", "refused", "turned_away"
"""What became of a call: answered, answered with an error, not in time, refused by the breaker; or
the user got no thread and no place to wait for one."""


@dataclass(frozen=True, slots=True)
class Peaks:
    """The highest level in each bin of time, the newest `KEPT_PEAKS`.

    Bin k begins at `k * BIN_MS`; `first` is the number of the bin that `values` starts with, and
    `level` the level at the end, at which it stays until it is noted again.
    """

    first: int = 0
    values: tuple[int, ...] = (0,)
    level: int = 0

    def note(self, now_ms: int, level: int) -> Peaks:
        """The peaks with this level from now on."""
        missing = now_ms // BIN_MS - (self.first + len(self.values) - 1)
        values = (*self.values, *(self.level,) * min(missing, KEPT_PEAKS))[-KEPT_PEAKS:]
        first = self.first + len(self.values) + missing - len(values)
        return Peaks(first, (*values[:-1], max(values[-1], level)), level)

    def bins(self) -> tuple[tuple[int, int], ...]:
        """Pairs `(start of the bin in ms, highest level)`."""
        return tuple(((self.first + i) * BIN_MS, value) for i, value in enumerate(self.values))


NOTHING, NO_THREADS = Series(BIN_MS), Peaks()


@dataclass(frozen=True, slots=True)
class Tally:
    """How the users fared so far, in numbers.

    `calls_*` are series by the end of the call, `users_*` by what the user got. `waited_ms` is the
    sum of the times from coming to leaving of those `without_live` who had a thread; those who were
    turned away waited for nothing. `queued_ms_max` is the longest wait for a thread.
    """

    users: int = 0
    calls_ok: Series = NOTHING
    calls_fault: Series = NOTHING
    calls_timeout: Series = NOTHING
    calls_refused: Series = NOTHING
    calls_turned_away: Series = NOTHING
    users_live: Series = NOTHING
    users_fallback: Series = NOTHING
    users_error: Series = NOTHING
    threads: Peaks = NO_THREADS
    ok: int = 0
    fault: int = 0
    timeout: int = 0
    refused: int = 0
    turned_away: int = 0
    fallback: int = 0
    error: int = 0
    without_live: int = 0
    waited_ms: int = 0
    live_waited_ms: int = 0

    @property
    def live(self) -> int:
        """Users who got the live answer."""
        return self.ok

    def came(self) -> Tally:
        """One more user."""
        return replace(self, users=self.users + 1)

    def left(self, end: str, gets: str, waited_ms: int, now_ms: int) -> Tally:
        """One user less: how the call ended, what the user got, and how long it took."""
        changes: dict[str, Series | int] = {
            f"calls_{end}": getattr(self, f"calls_{end}").add(now_ms),
            f"users_{gets}": getattr(self, f"users_{gets}").add(now_ms),
            end: getattr(self, end) + 1,
        }
        if gets == LIVE:
            changes["live_waited_ms"] = self.live_waited_ms + waited_ms
        else:
            changes[gets] = getattr(self, gets) + 1
            if end != TURNED_AWAY:
                changes["without_live"] = self.without_live + 1
                changes["waited_ms"] = self.waited_ms + waited_ms
        return replace(self, **changes)  # type: ignore[arg-type]  # Each has its field's type.

    @property
    def failing_wait_ms(self) -> int:
        """The mean wait (ms) of the users who had a thread and got no live answer."""
        return self.waited_ms // self.without_live if self.without_live else 0

    @property
    def live_wait_ms(self) -> int:
        """The mean wait (ms) of the users who got the live answer."""
        return self.live_waited_ms // self.ok if self.ok else 0


NOBODY = Tally()
