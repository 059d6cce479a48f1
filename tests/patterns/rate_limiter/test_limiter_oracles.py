"""Each limiter against a well-kept library of its own kind, on random traces.

`throttled-py` has a token bucket, a leaky bucket, a fixed window and GCRA; `limits` has the moving
window, which is a log, and the sliding window counter. Both read the clock of the machine, which
stands still here and is moved by hand. Both reckon in floats: times, rates and windows are chosen
so that these are exact, or as coarse as the library is, and every decision must be the same.

Where a library means something else by the name, the test says what, and compares the rest.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from types import SimpleNamespace

import limits
import pytest
import throttled
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter, SlidingWindowCounterRateLimiter
from throttled.rate_limiter import per_duration

from pysims.guards.rate_limiters import (
    FixedWindow,
    Gcra,
    LeakyBucket,
    Limiter,
    SlidingWindowCounter,
    SlidingWindowLog,
    TokenBucket,
)

TRACES, REQUESTS = 200, 100
START_S = 1_000_000
"""Times of a real clock are large; whole seconds, and a multiple of all windows used here."""


class Clock:
    """The clock that the libraries read, in seconds."""

    def __init__(self) -> None:
        self.now_s: float = START_S

    def time(self) -> float:
        return self.now_s


class NoTimer:
    """Stands for the thread with which `limits` tidies up: what is expired is ignored anyway."""

    def __init__(self, interval: float, function: Callable[[], None]) -> None:
        del interval, function

    def start(self) -> None:
        pass

    def is_alive(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("throttled.utils.now_sec", lambda: int(clock.now_s))
    monkeypatch.setattr("throttled.utils.now_ms", lambda: int(clock.now_s * 1_000))
    monkeypatch.setattr("throttled.utils.now_mono_f", clock.time)
    monkeypatch.setattr("limits.storage.memory.time", SimpleNamespace(time=clock.time))
    threads = SimpleNamespace(Timer=NoTimer, RLock=threading.RLock)
    monkeypatch.setattr("limits.storage.memory.threading", threads)
    return clock


def times(rng: random.Random, clock: Clock, step_ms: int, gaps: tuple[int, ...]) -> Iterator[int]:
    """The times (ms) of a trace, with the clock set to each."""
    now_ms = START_S * 1_000 + step_ms * rng.randrange(64)
    for _ in range(REQUESTS):
        now_ms += step_ms * rng.choice(gaps)
        clock.now_s = now_ms / 1_000
        yield now_ms


def library(kind: str, limit: int, period_s: int, burst: int) -> throttled.Throttled:
    quota = per_duration(timedelta(seconds=period_s), limit=limit, burst=burst)
    store = throttled.MemoryStore()
    return throttled.Throttled(key="client", using=kind, quota=quota, store=store)


@pytest.mark.parametrize(
    ("kind", "make"), [("token_bucket", TokenBucket), ("leaking_bucket", LeakyBucket)]
)
def test_buckets_agree_with_throttled(
    clock: Clock, kind: str, make: Callable[[int, int], Limiter]
) -> None:
    """Throttled's buckets know whole seconds and whole tokens: so do these traces.

    Its leaking bucket is a meter; it admits what a queue admits. It gives waits in whole seconds.
    """
    rng, refused = random.Random(4), 0
    for _ in range(TRACES):
        rate, size = rng.randint(1, 9), rng.randint(4, 30)
        theirs, ours = library(kind, rate, 1, size), make(size, rate)
        for now_ms in times(rng, clock, 1_000, (0, 0, 0, 0, 1, 1, 2, 5)):
            cost = rng.randint(1, 4)
            result = theirs.limit(cost=cost)
            ours, decision = ours.request(now_ms, cost)
            assert decision.allowed is not result.limited
            assert decision.remaining == result.state.remaining
            assert -(-decision.retry_after_ms // 1_000) == result.state.retry_after
            refused += result.limited
    assert TRACES * REQUESTS / 20 < refused < TRACES * REQUESTS * 19 / 20


def test_gcra_agrees_with_throttled(clock: Clock) -> None:
    """Throttled reckons in float seconds; with eighths of a second that is exact."""
    rng, refused = random.Random(5), 0
    for _ in range(TRACES):
        rate, burst = rng.choice([1, 2, 4, 8]), rng.randint(4, 20)
        theirs, ours = library("gcra", rate, 1, burst), Gcra(burst, rate)
        for now_ms in times(rng, clock, 125, (0, 0, 0, 1, 1, 2, 4, 9)):
            cost = rng.randint(1, 4)
            result = theirs.limit(cost=cost)
            ours, decision = ours.request(now_ms, cost)
            assert decision.allowed is not result.limited
            assert decision.remaining == result.state.remaining
            assert decision.retry_after_ms == result.state.retry_after * 1_000
            refused += result.limited
    assert TRACES * REQUESTS / 20 < refused < TRACES * REQUESTS * 19 / 20


def test_the_fixed_window_agrees_with_throttled(clock: Clock) -> None:
    """Throttled counts refused requests as well, which makes no difference while each costs 1."""
    rng, refused = random.Random(6), 0
    for _ in range(TRACES):
        limit, window_s = rng.randint(1, 12), rng.choice([1, 2, 5, 10])
        theirs, ours = (
            library("fixed_window", limit, window_s, 0),
            FixedWindow(limit, 1_000 * window_s),
        )
        for now_ms in times(rng, clock, 1_000, (0, 0, 0, 0, 0, 1, 1, 3)):
            result = theirs.limit()
            ours, decision = ours.request(now_ms)
            assert decision.allowed is not result.limited
            assert decision.remaining == result.state.remaining
            assert decision.retry_after_ms == result.state.retry_after * 1_000
            refused += result.limited
    assert TRACES * REQUESTS / 20 < refused < TRACES * REQUESTS * 19 / 20


def test_the_log_agrees_with_the_moving_window_of_limits(clock: Clock) -> None:
    """For `limits`, a request that is exactly a window old still counts; for us it does not.

    (That is so when it decides. When it is asked for its room, it counts as we do, so the room is
    not compared.) In milliseconds, that is a window which is longer by one.
    """
    rng, refused = random.Random(7), 0
    for _ in range(TRACES):
        limit, window_s = rng.randint(4, 12), rng.choice([1, 2, 4])
        item = limits.RateLimitItemPerSecond(limit, window_s)
        theirs = MovingWindowRateLimiter(MemoryStorage())
        ours = SlidingWindowLog(limit, 1_000 * window_s + 1)
        for now_ms in times(rng, clock, 125, (0, 0, 1, 1, 2, 5)):
            cost = rng.randint(1, 4)
            allowed = theirs.hit(item, "client", cost=cost)
            ours, decision = ours.request(now_ms, cost)
            assert decision.allowed is allowed
            refused += not allowed
    assert TRACES * REQUESTS / 20 < refused < TRACES * REQUESTS * 19 / 20


def test_the_log_agrees_with_limits_where_no_two_times_are_a_window_apart(clock: Clock) -> None:
    """A prime step of 7 ms meets a window of whole seconds only after 7 of them."""
    rng, refused = random.Random(8), 0
    for _ in range(TRACES):
        limit, window_s = rng.randint(4, 12), rng.choice([1, 2, 3])
        item = limits.RateLimitItemPerSecond(limit, window_s)
        theirs = MovingWindowRateLimiter(MemoryStorage())
        ours = SlidingWindowLog(limit, 1_000 * window_s)
        for now_ms in times(rng, clock, 7, (0, 0, 5, 11, 30, 71)):
            cost = rng.randint(1, 4)
            allowed = theirs.hit(item, "client", cost=cost)
            ours, decision = ours.request(now_ms, cost)
            assert decision.allowed is allowed
            assert decision.remaining == theirs.get_window_stats(item, "client").remaining
            refused += not allowed
    assert TRACES * REQUESTS / 20 < refused < TRACES * REQUESTS * 19 / 20


def test_the_counter_agrees_with_limits(clock: Clock) -> None:
    """`limits` weighs in floats: windows of 1, 2, 4 and 8 s and eighths of a second are exact."""
    rng, refused = random.Random(9), 0
    for _ in range(TRACES):
        limit, window_s = rng.randint(4, 30), rng.choice([1, 2, 4, 8])
        item = limits.RateLimitItemPerSecond(limit, window_s)
        theirs = SlidingWindowCounterRateLimiter(MemoryStorage())
        ours = SlidingWindowCounter(limit, 1_000 * window_s)
        for now_ms in times(rng, clock, 125, (0, 0, 1, 1, 2, 5)):
            cost = rng.randint(1, 4)
            allowed = theirs.hit(item, "client", cost=cost)
            ours, decision = ours.request(now_ms, cost)
            assert decision.allowed is allowed
            assert decision.remaining == theirs.get_window_stats(item, "client").remaining
            refused += not allowed
    assert TRACES * REQUESTS / 20 < refused < TRACES * REQUESTS * 19 / 20
