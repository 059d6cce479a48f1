"""Six rate limiters as values: whoever asks hands in the time and gets the next limiter back.

`TokenBucket` gives a client a bucket of `capacity` tokens, full at the start, into which tokens
drip at a steady rate; a request takes one out, or is refused. Turner, "New Directions in
Communications (or Which Way to the Information Age?)", IEEE Communications Magazine 24(10), 1986,
https://doi.org/10.1109/MCOM.1986.1092946, put the counter that stands behind both buckets into
words; RFC 2697, section 3 (https://www.rfc-editor.org/rfc/rfc2697) is a token bucket in full.

`LeakyBucket` is the leaky bucket *as a queue*: a request waits in the bucket and leaves through
the hole, one after another at the leak rate; one that finds the bucket full is refused. (The leaky
bucket *as a meter* asks the same question and lets the request pass at once: it admits the same
requests as this queue, and as a token bucket of the same size and rate.)

`FixedWindow` counts in windows that start at the multiples of `window_ms`. `SlidingWindowLog`
remembers when each admitted request came. `SlidingWindowCounter` keeps the counts of two windows
and weights the older one by how much of it still overlaps the last `window_ms`: Cloudflare, "How
we built rate limiting capable of scaling to millions of domains", 2017,
https://blog.cloudflare.com/counting-things-a-lot-of-different-things/.

`Gcra` is the generic cell rate algorithm, virtual scheduling form: ITU-T Recommendation I.371,
annex A. It keeps one number, the theoretical arrival time (TAT) of the next request.

All arithmetic is in integers. A rate of p/q a second is kept as that fraction; levels are counted
in the 1/(1,000 q)th part of a request, of which p come back every millisecond. A float stands for
the decimal number that Python prints: 0.1 is one tenth.

Simplified: the log keeps one entry, with a count, for all requests of the same millisecond.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import lru_cache
from math import isfinite
from typing import Any, Self, TypeAlias

__all__ = [
    "Decision",
    "FixedWindow",
    "Gcra",
    "LeakyBucket",
    "Limiter",
    "Per",
    "Rate",
    "SlidingWindowCounter",
    "SlidingWindowLog",
    "TokenBucket",
]


def _checked_whole(name: str, value: int, allowed: str = "a whole number of 1 or more") -> int:
    if type(value) is not int or value < 1:
        raise ValueError(f"{name} must be {allowed}, got {value!r}")
    return value


@dataclass(frozen=True, slots=True)
class Per:
    """A rate that is no round number a second: `Per(5_000, 3_600)` is 5,000 an hour."""

    requests: int
    seconds: int

    def __post_init__(self) -> None:
        _checked_whole("requests", self.requests)
        _checked_whole("seconds", self.seconds)


Rate: TypeAlias = int | float | Fraction | Per
"""Requests a second, a finite number above 0; or so many in so many seconds."""


@dataclass(frozen=True, slots=True)
class Decision:
    """A limiter's answer to one request.

    `retry_after_ms` is 0 for a request that is allowed. Otherwise it keeps a promise: asked again
    after exactly that time, and nothing in between, the request is allowed, and not earlier.
    `remaining` is the number of requests of cost 1 that would be allowed now, after this one.
    """

    allowed: bool
    retry_after_ms: int
    remaining: int


@lru_cache(maxsize=256, typed=True)
def _parts(rate: Rate) -> tuple[int, int]:
    """A rate as (p, q): p/q requests a second, in lowest terms."""
    if isinstance(rate, Per):
        exact = Fraction(rate.requests, rate.seconds)
    else:
        exact = Fraction(float.__repr__(rate)) if isinstance(rate, float) else Fraction(rate)
    return exact.numerator, exact.denominator


def _checked_rate(name: str, rate: Rate) -> None:
    if isinstance(rate, Per):
        return
    known = type(rate) is not bool and isinstance(rate, int | float | Fraction)
    if not known or (isinstance(rate, float) and not isfinite(rate)) or rate <= 0:
        raise ValueError(
            f"{name} must be a finite number above 0 (requests a second), got {rate!r}"
        )


class Limiter(ABC):
    """What the six have in common; a limiter is immutable, `request` gives the next one."""

    __slots__ = ()

    seen_ms: int

    def request(self, now_ms: int, cost: int = 1) -> tuple[Self, Decision]:
        """Ask for `cost` requests at once at `now_ms` (whole ms, never before the last request).

        A request that is refused uses nothing up. `ValueError`, with this limiter as it was, for a
        time before the last one, and for a cost below 1 or above what the limiter ever allows.
        """
        _checked_whole("cost", cost, f"a whole number from 1 to {self.largest}")
        if cost > self.largest:
            raise ValueError(f"cost must be a whole number from 1 to {self.largest}, got {cost}")
        then = self.at(now_ms)
        wait_ms = then.wait_ms(cost)
        if wait_ms > 0:
            return then, Decision(False, wait_ms, then.room)
        after = then.charged(cost)
        return after, Decision(True, 0, after.room)

    def at(self, now_ms: int) -> Self:
        """The limiter at this time if nothing is asked until then; `ValueError` for a past one."""
        if type(now_ms) is not int or now_ms < self.seen_ms:
            raise ValueError(
                f"now_ms must be a whole number of {self.seen_ms} or more: time does not run"
                f" backwards, got {now_ms!r}"
            )
        return self if now_ms == self.seen_ms else self._passed(now_ms)

    @property
    @abstractmethod
    def largest(self) -> int:
        """The largest cost that is ever allowed at once."""

    @property
    @abstractmethod
    def room(self) -> int:
        """How many requests of cost 1 are allowed now; as many at once, of that cost, are too."""

    @property
    @abstractmethod
    def numbers_kept(self) -> int:
        """How many numbers the algorithm has to remember for this client now.

        (These values keep one more, the time of the last request, where the algorithm does not: so
        that time cannot run backwards.)
        """

    @abstractmethod
    def wait_ms(self, cost: int = 1) -> int:
        """How long until `cost` requests at once are allowed, if nothing comes in between."""

    @abstractmethod
    def _passed(self, now_ms: int) -> Self:
        """The limiter later."""

    @abstractmethod
    def charged(self, cost: int) -> Self:
        """The limiter after `cost` requests were let in, whether there was room or not."""


def _ceil_div(amount: int, by: int) -> int:
    return -(-amount // by)


def _state() -> Any:
    """A field of the state: 0 in a new limiter, and never given by position."""
    return field(default=0, kw_only=True)


# --- Buckets --------------------------------------------------------------------------------------


class _Bucket(Limiter):
    """What both buckets do: one counts the tokens that it lacks, the other what waits in it.

    Either amount falls at the rate and must leave room for a request, so they admit the same.
    """

    __slots__ = ()

    capacity: int

    @property
    @abstractmethod
    def _rate(self) -> tuple[int, int]:
        """The rate as `_parts` gives it."""

    @property
    @abstractmethod
    def _amount(self) -> int:
        """What keeps requests out, in the parts that the module's docstring names."""

    @abstractmethod
    def _with(self, amount: int, seen_ms: int) -> Self:
        """The bucket with another amount."""

    @property
    def largest(self) -> int:
        return self.capacity

    @property
    def room(self) -> int:
        return self.capacity - _ceil_div(self._amount, 1_000 * self._rate[1])

    @property
    def numbers_kept(self) -> int:
        """The amount, and when it was right; requests that wait in a bucket are kept besides."""
        return 2

    def wait_ms(self, cost: int = 1) -> int:
        per_ms, whole = self._rate
        above = self._amount - (self.capacity - cost) * 1_000 * whole
        return max(0, _ceil_div(above, per_ms))

    def _passed(self, now_ms: int) -> Self:
        gone = (now_ms - self.seen_ms) * self._rate[0]
        return self._with(max(0, self._amount - gone), now_ms)

    def charged(self, cost: int) -> Self:
        return self._with(self._amount + cost * 1_000 * self._rate[1], self.seen_ms)


@dataclass(frozen=True, slots=True)
class TokenBucket(_Bucket):
    """A bucket of tokens: holds at most `capacity`, gets `refill_rate_per_s`, is full at first.

    In any t seconds it allows at most `capacity + refill_rate_per_s * t` requests.

    State: `missing` is what the bucket lacks, in the parts that the module's docstring names;
    `seen_ms` is the time of the last request. `ValueError` for a capacity below 1, or a rate that
    is not finite and above 0.
    """

    capacity: int
    refill_rate_per_s: Rate
    missing: int = _state()
    seen_ms: int = _state()

    def __post_init__(self) -> None:
        _checked_whole("capacity", self.capacity)
        _checked_rate("refill_rate_per_s", self.refill_rate_per_s)

    @property
    def tokens(self) -> Fraction:
        """Tokens in the bucket, of which the last may be a part of one."""
        return self.capacity - Fraction(self.missing, 1_000 * self._rate[1])

    @property
    def _rate(self) -> tuple[int, int]:
        return _parts(self.refill_rate_per_s)

    @property
    def _amount(self) -> int:
        return self.missing

    def _with(self, amount: int, seen_ms: int) -> Self:
        return replace(self, missing=amount, seen_ms=seen_ms)


@dataclass(frozen=True, slots=True)
class LeakyBucket(_Bucket):
    """The leaky bucket as a queue of at most `capacity`; one leaves every 1/`leak_rate_per_s` s.

    A request that is allowed has joined the queue. It has not left it: `delay_ms` is how long the
    newest still has to wait. A request counts as in the bucket until the moment it leaves.

    State: `level` is what is in the bucket, in the parts that the module's docstring names;
    `seen_ms` is the time of the last request. `ValueError` for a capacity below 1, or a rate that
    is not finite and above 0.
    """

    capacity: int
    leak_rate_per_s: Rate
    level: int = _state()
    seen_ms: int = _state()

    def __post_init__(self) -> None:
        _checked_whole("capacity", self.capacity)
        _checked_rate("leak_rate_per_s", self.leak_rate_per_s)

    @property
    def waiting(self) -> int:
        """Requests in the bucket; the one at the hole counts until it is through."""
        return self.capacity - self.room

    @property
    def delay_ms(self) -> int:
        """How long until the bucket is empty: that is when the newest request leaves it."""
        return _ceil_div(self.level, self._rate[0])

    @property
    def _rate(self) -> tuple[int, int]:
        return _parts(self.leak_rate_per_s)

    @property
    def _amount(self) -> int:
        return self.level

    def _with(self, amount: int, seen_ms: int) -> Self:
        return replace(self, level=amount, seen_ms=seen_ms)


@dataclass(frozen=True, slots=True)
class Gcra(Limiter):
    """The generic cell rate algorithm: a `burst` at once, `rate_per_s` in the long run.

    Requests are due one interval (1/rate) apart. One that comes early is allowed if, after it, the
    theoretical arrival time (TAT) is at most `burst` intervals ahead of now. It says yes and no
    exactly when a token bucket of that capacity and rate does.

    State: `tat` is the theoretical arrival time in the p-th part of a millisecond, for a rate of
    p/q; `seen_ms` is the time of the last request. `ValueError` for a burst below 1, or a rate
    that is not finite and above 0.
    """

    burst: int
    rate_per_s: Rate
    tat: int = _state()
    seen_ms: int = _state()

    def __post_init__(self) -> None:
        _checked_whole("burst", self.burst)
        _checked_rate("rate_per_s", self.rate_per_s)

    @property
    def tat_ms(self) -> Fraction:
        """The theoretical arrival time in ms: when the client will have its whole burst again."""
        return Fraction(self.tat, _parts(self.rate_per_s)[0])

    @property
    def interval_ms(self) -> Fraction:
        """The time between two requests at the allowed rate."""
        per_ms, whole = _parts(self.rate_per_s)
        return Fraction(1_000 * whole, per_ms)

    @property
    def largest(self) -> int:
        return self.burst

    @property
    def room(self) -> int:
        per_ms, whole = _parts(self.rate_per_s)
        ahead = max(0, self.tat - self.seen_ms * per_ms)
        return self.burst - _ceil_div(ahead, 1_000 * whole)

    @property
    def numbers_kept(self) -> int:
        """The theoretical arrival time."""
        return 1

    def wait_ms(self, cost: int = 1) -> int:
        per_ms, whole = _parts(self.rate_per_s)
        earliest = self.tat - (self.burst - cost) * 1_000 * whole
        return max(0, _ceil_div(earliest, per_ms) - self.seen_ms)

    def _passed(self, now_ms: int) -> Self:
        return replace(self, seen_ms=now_ms)

    def charged(self, cost: int) -> Self:
        per_ms, whole = _parts(self.rate_per_s)
        return replace(self, tat=max(self.tat, self.seen_ms * per_ms) + cost * 1_000 * whole)


# --- Windows --------------------------------------------------------------------------------------


class _Windowed(Limiter):
    """What the limiters with a window share: `limit` requests, and how long the window is."""

    __slots__ = ()

    limit: int
    window_ms: int

    def __post_init__(self) -> None:
        _checked_whole("limit", self.limit)
        _checked_whole("window_ms", self.window_ms)

    @property
    def largest(self) -> int:
        return self.limit


@dataclass(frozen=True, slots=True)
class FixedWindow(_Windowed):
    """At most `limit` requests in each window [k * window_ms, (k + 1) * window_ms).

    Around a boundary it allows up to twice the limit in an instant: that is its known flaw.

    State: `window` is the number k of the window that `used` belongs to; `seen_ms` is the time of
    the last request. `ValueError` for a limit below 1 or a window below 1 ms.
    """

    limit: int
    window_ms: int
    window: int = _state()
    used: int = _state()
    seen_ms: int = _state()

    @property
    def room(self) -> int:
        return self.limit - self.used

    @property
    def numbers_kept(self) -> int:
        """The number of the window, and its count."""
        return 2

    def wait_ms(self, cost: int = 1) -> int:
        if self.used + cost <= self.limit:
            return 0
        return (self.window + 1) * self.window_ms - self.seen_ms

    def _passed(self, now_ms: int) -> Self:
        window = now_ms // self.window_ms
        used = self.used if window == self.window else 0
        return replace(self, window=window, used=used, seen_ms=now_ms)

    def charged(self, cost: int) -> Self:
        return replace(self, used=self.used + cost)


@dataclass(frozen=True, slots=True)
class SlidingWindowLog(_Windowed):
    """At most `limit` requests in every span of `window_ms`, wherever it starts.

    State: `entries` are the admitted requests of the last window, oldest first, as (ms, how many);
    `used` is their sum; `seen_ms` is the time of the last request. A request that came exactly
    `window_ms` ago is no longer in the window. `ValueError` for a limit below 1 or a window below
    1 ms.
    """

    limit: int
    window_ms: int
    entries: tuple[tuple[int, int], ...] = field(default=(), kw_only=True)
    used: int = _state()
    seen_ms: int = _state()

    @property
    def room(self) -> int:
        return self.limit - self.used

    @property
    def numbers_kept(self) -> int:
        """A time for each request that was admitted in the last window."""
        return self.used

    def wait_ms(self, cost: int = 1) -> int:
        too_many = self.used + cost - self.limit
        for came_ms, count in self.entries:
            if too_many <= 0:
                break
            too_many -= count
            if too_many <= 0:
                return came_ms + self.window_ms - self.seen_ms
        return 0

    def _passed(self, now_ms: int) -> Self:
        gone = gone_used = 0
        for came_ms, count in self.entries:
            if came_ms > now_ms - self.window_ms:
                break
            gone += 1
            gone_used += count
        entries, used = self.entries[gone:], self.used - gone_used
        return replace(self, entries=entries, used=used, seen_ms=now_ms)

    def charged(self, cost: int) -> Self:
        entries, newest = self.entries, (self.seen_ms, cost)
        if entries and entries[-1][0] == self.seen_ms:
            entries, newest = entries[:-1], (self.seen_ms, entries[-1][1] + cost)
        return replace(self, entries=(*entries, newest), used=self.used + cost)


@dataclass(frozen=True, slots=True)
class SlidingWindowCounter(_Windowed):
    """Two counts instead of a log: what the last `window_ms` held is estimated.

    The estimate is `current + previous * (the part of the previous window that still counts)`, as
    if the requests of the previous window had come evenly; rounded down, it stays at most `limit`.
    Where they had not come evenly, it lets more through than the log does, or less.

    State: `window` is the number k of the current window [k * window_ms, (k + 1) * window_ms),
    `current` and `previous` are the counts; `seen_ms` is the time of the last request.
    `ValueError` for a limit below 1 or a window below 1 ms.
    """

    limit: int
    window_ms: int
    window: int = _state()
    current: int = _state()
    previous: int = _state()
    seen_ms: int = _state()

    @property
    def left_ms(self) -> int:
        """How much of the previous window still counts: as much as is left of this one."""
        return (self.window + 1) * self.window_ms - self.seen_ms

    @property
    def estimate(self) -> Fraction:
        """What it takes to have come in the last `window_ms`."""
        return self.current + Fraction(self.previous * self.left_ms, self.window_ms)

    @property
    def room(self) -> int:
        faded = self.previous * self.left_ms // self.window_ms
        return max(0, self.limit - self.current - faded)

    @property
    def numbers_kept(self) -> int:
        """The number of the window, and two counts."""
        return 3

    def wait_ms(self, cost: int = 1) -> int:
        # The estimate never grows by itself: the first of these moments that fits is the answer.
        into_ms = self.window_ms - self.left_ms
        spare, previous = self.limit - self.current - cost, self.previous
        for start_ms in (-into_ms, self.left_ms):
            earliest_ms = self._earliest(previous, spare)
            if earliest_ms < self.window_ms:
                return max(0, start_ms + earliest_ms)
            spare, previous = self.limit - cost, self.current
        return self.left_ms + self.window_ms

    def _earliest(self, previous: int, spare: int) -> int:
        """How far (ms) into a window `previous` has faded to `spare`; `window_ms` if never."""
        if spare < 0:
            return self.window_ms
        if previous <= spare:
            return 0
        # Rounded down, it is at most `spare` as soon as it is below `spare + 1`.
        return self.window_ms - _ceil_div((spare + 1) * self.window_ms, previous) + 1

    def _passed(self, now_ms: int) -> Self:
        window = now_ms // self.window_ms
        moved = window - self.window
        previous = (self.previous, self.current)[moved] if moved < 2 else 0
        current = 0 if moved else self.current
        return replace(self, window=window, current=current, previous=previous, seen_ms=now_ms)

    def charged(self, cost: int) -> Self:
        return replace(self, current=self.current + cost)
