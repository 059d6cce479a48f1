"""The six limiters by themselves: their promises in every interval, their waits, their refusals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import FrozenInstanceError
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pysims.guards.rate_limiters import (
    Decision,
    FixedWindow,
    Gcra,
    LeakyBucket,
    Limiter,
    Per,
    Rate,
    SlidingWindowCounter,
    SlidingWindowLog,
    TokenBucket,
)
from pysims.patterns import rate_limiter

RATES: st.SearchStrategy[Rate] = st.one_of(
    st.sampled_from([1, 3, 7, 0.1, 0.3, 0.7, 2.5, 33.3]),
    st.integers(1, 50),
    st.fractions(Fraction(1, 60), 8, max_denominator=60),
    st.builds(Per, st.integers(1, 500), st.sampled_from([1, 60, 3_600])),
)
COSTS = st.integers(1, 4)
# Mostly short gaps, so that limits are reached; sometimes none, and sometimes a long rest.
GAPS = st.sampled_from([0, 0, 0, 1, 2, 7, 40, 150, 333, 1_000, 5_000]) | st.integers(0, 2_000)
TRACES = st.lists(st.tuples(GAPS, COSTS), min_size=25, max_size=60)

SIZES = st.integers(4, 12)
WINDOWS_MS = st.sampled_from([1, 2, 333, 1_000, 5_000, 20_000]) | st.integers(1, 3_000)
LIMITERS: st.SearchStrategy[Limiter] = st.one_of(
    st.builds(TokenBucket, SIZES, RATES),
    st.builds(LeakyBucket, SIZES, RATES),
    st.builds(Gcra, SIZES, RATES),
    st.builds(FixedWindow, SIZES, WINDOWS_MS),
    st.builds(SlidingWindowLog, SIZES, WINDOWS_MS),
    st.builds(SlidingWindowCounter, SIZES, WINDOWS_MS),
)


def exact(rate: Rate) -> Fraction:
    """A rate in requests a second, where a float stands for the decimal number that it prints."""
    if isinstance(rate, Per):
        return Fraction(rate.requests, rate.seconds)
    return Fraction(str(rate))


def admitted(limiter: Limiter, trace: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """When (ms) how much of a trace of (gap, cost) was admitted."""
    now_ms, got = 0, []
    for gap_ms, cost in trace:
        now_ms += gap_ms
        limiter, decision = limiter.request(now_ms, cost)
        if decision.allowed:
            got.append((now_ms, cost))
    return got


def most_in_any(got: list[tuple[int, int]], window_ms: int) -> int:
    """The most that was admitted in any [t, t + window_ms); the fullest ones begin with one."""
    return max(
        (sum(cost for t, cost in got if start <= t < start + window_ms) for start, _ in got),
        default=0,
    )


# --- Promises -------------------------------------------------------------------------------------


@settings(deadline=None)
@given(SIZES, RATES, TRACES)
def test_a_token_bucket_admits_at_most_capacity_and_refill_in_every_interval(
    capacity: int, rate: Rate, trace: list[tuple[int, int]]
) -> None:
    got = admitted(TokenBucket(capacity, rate), trace)
    for first, (start_ms, _) in enumerate(got):
        total = 0
        for end_ms, cost in got[first:]:
            total += cost
            assert total <= capacity + exact(rate) * (end_ms - start_ms) / 1_000


@settings(deadline=None)
@given(SIZES, RATES, TRACES)
def test_a_token_bucket_is_not_stingy(
    capacity: int, rate: Rate, trace: list[tuple[int, int]]
) -> None:
    """A refusal is due: with the refused request, some interval would have been over the bound."""
    limiter, now_ms = TokenBucket(capacity, rate), 0
    got: list[tuple[int, int]] = []
    for gap_ms, cost in trace:
        now_ms += gap_ms
        limiter, decision = limiter.request(now_ms, cost)
        got.append((now_ms, cost))
        if not decision.allowed:
            spans = [
                sum(c for _, c in got[k:]) - capacity - exact(rate) * (now_ms - got[k][0]) / 1_000
                for k in range(len(got))
            ]
            assert max(spans) > 0
            got.pop()


@settings(deadline=None)
@given(SIZES, RATES, TRACES)
def test_gcra_and_the_token_bucket_agree_on_every_trace(
    size: int, rate: Rate, trace: list[tuple[int, int]]
) -> None:
    gcra, bucket, leaky = Gcra(size, rate), TokenBucket(size, rate), LeakyBucket(size, rate)
    now_ms = 0
    for gap_ms, cost in trace:
        now_ms += gap_ms
        bucket, expected = bucket.request(now_ms, cost)
        gcra, decision = gcra.request(now_ms, cost)
        assert decision == expected
        # The leaky bucket as a queue admits the same; when they leave is another matter.
        leaky, joined = leaky.request(now_ms, cost)
        assert joined == expected


@settings(deadline=None)
@given(SIZES, WINDOWS_MS, TRACES)
def test_a_fixed_window_admits_at_most_twice_its_limit_in_any_window(
    limit: int, window_ms: int, trace: list[tuple[int, int]]
) -> None:
    got = admitted(FixedWindow(limit, window_ms), trace)
    assert most_in_any(got, window_ms) <= 2 * limit
    for number in {t // window_ms for t, _ in got}:
        assert sum(cost for t, cost in got if t // window_ms == number) <= limit


@settings(deadline=None)
@given(SIZES, st.integers(2, 100_000), st.integers(1, 1_000))
def test_a_fixed_window_admits_exactly_twice_its_limit_around_a_boundary(
    limit: int, window_ms: int, number: int
) -> None:
    boundary_ms = number * window_ms
    attack = [(boundary_ms - 1, 1), *[(0, 1)] * (limit + 3), (1, 1), *[(0, 1)] * (limit + 3)]
    got = admitted(FixedWindow(limit, window_ms), attack)
    assert most_in_any(got, 2) == 2 * limit
    assert most_in_any(got, window_ms) == 2 * limit


@settings(deadline=None)
@given(SIZES, WINDOWS_MS, TRACES)
def test_a_sliding_log_never_admits_more_than_its_limit_in_any_window(
    limit: int, window_ms: int, trace: list[tuple[int, int]]
) -> None:
    assert most_in_any(admitted(SlidingWindowLog(limit, window_ms), trace), window_ms) <= limit


@settings(deadline=None)
@given(SIZES, WINDOWS_MS, TRACES)
def test_a_sliding_log_refuses_only_what_would_break_its_promise(
    limit: int, window_ms: int, trace: list[tuple[int, int]]
) -> None:
    limiter, now_ms = SlidingWindowLog(limit, window_ms), 0
    got: list[tuple[int, int]] = []
    for gap_ms, cost in trace:
        now_ms += gap_ms
        in_window = sum(c for t, c in got if t > now_ms - window_ms)
        limiter, decision = limiter.request(now_ms, cost)
        assert decision.allowed == (in_window + cost <= limit)
        if decision.allowed:
            got.append((now_ms, cost))


@settings(deadline=None)
@given(SIZES, WINDOWS_MS, TRACES)
def test_a_sliding_counter_weighs_the_window_before(
    limit: int, window_ms: int, trace: list[tuple[int, int]]
) -> None:
    """A twin that keeps every request and counts as Cloudflare describes it, rounded down."""
    limiter, now_ms = SlidingWindowCounter(limit, window_ms), 0
    got: list[tuple[int, int]] = []
    for gap_ms, cost in trace:
        now_ms += gap_ms
        window, into_ms = divmod(now_ms, window_ms)
        current = sum(c for t, c in got if t // window_ms == window)
        previous = sum(c for t, c in got if t // window_ms == window - 1)
        estimate = current + Fraction(previous * (window_ms - into_ms), window_ms)
        limiter, decision = limiter.request(now_ms, cost)
        assert decision.allowed == (int(estimate) + cost <= limit)
        assert limiter.estimate == estimate + (cost if decision.allowed else 0)
        if decision.allowed:
            got.append((now_ms, cost))
    windows = {t // window_ms for t, _ in got}
    assert all(sum(c for t, c in got if t // window_ms == k) <= limit for k in windows)


@settings(deadline=None)
@given(LIMITERS, TRACES)
def test_a_wait_is_kept_and_not_a_millisecond_too_long(
    limiter: Limiter, trace: list[tuple[int, int]]
) -> None:
    now_ms = 0
    for gap_ms, cost in trace:
        now_ms += gap_ms
        limiter, decision = limiter.request(now_ms, cost)
        assert (decision.retry_after_ms == 0) == decision.allowed
        if not decision.allowed:
            then_ms = now_ms + decision.retry_after_ms
            assert limiter.request(then_ms, cost)[1].allowed
            assert not limiter.request(then_ms - 1, cost)[1].allowed


@settings(deadline=None)
@given(LIMITERS, TRACES)
def test_what_remains_is_admitted_and_no_more_at_once_or_one_by_one(
    limiter: Limiter, trace: list[tuple[int, int]]
) -> None:
    now_ms, decision = 0, Decision(True, 0, limiter.largest)
    for gap_ms, cost in trace:
        now_ms += gap_ms
        limiter, decision = limiter.request(now_ms, cost)
    single, count = limiter, 0
    while True:
        single, one = single.request(now_ms)
        if not one.allowed:
            break
        count += 1
        assert one.remaining == decision.remaining - count
    assert count == decision.remaining == limiter.room
    if count:
        at_once, all_of_them = limiter.request(now_ms, count)
        assert all_of_them == Decision(True, 0, 0)
        assert at_once == single


@settings(deadline=None)
@given(LIMITERS, TRACES)
def test_a_refusal_uses_nothing_up(limiter: Limiter, trace: list[tuple[int, int]]) -> None:
    now_ms = 0
    for gap_ms, cost in trace:
        now_ms += gap_ms
        before = limiter.at(now_ms)
        limiter, decision = limiter.request(now_ms, cost)
        if not decision.allowed:
            assert limiter == before


@settings(deadline=None)
@given(SIZES, RATES, TRACES)
def test_requests_leave_the_leaky_bucket_one_interval_apart(
    capacity: int, rate: Rate, trace: list[tuple[int, int]]
) -> None:
    """The queue against a plain one, in which each leaves an interval after its turn has come."""
    limiter, now_ms, leaves = LeakyBucket(capacity, rate), 0, [Fraction(0)]
    interval = 1_000 / exact(rate)
    for gap_ms, cost in trace:
        now_ms += gap_ms
        limiter, decision = limiter.request(now_ms, cost)
        if decision.allowed:
            for _ in range(cost):
                leaves.append(max(leaves[-1], Fraction(now_ms)) + interval)
        assert limiter.waiting == sum(at > now_ms for at in leaves)
        assert limiter.delay_ms == max(0, -int(-(leaves[-1] - now_ms) // 1))
    assert all(later - sooner >= interval for sooner, later in pairwise(leaves[1:]))


# --- Ends and edges -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "limiter",
    [
        TokenBucket(50, 10),
        LeakyBucket(50, 10),
        FixedWindow(50, 5_000),
        SlidingWindowLog(50, 5_000),
        SlidingWindowCounter(50, 5_000),
        Gcra(50, 10),
    ],
    ids=lambda limiter: type(limiter).__name__,
)
def test_a_new_limiter_has_all_its_room_at_any_time(limiter: Limiter) -> None:
    for now_ms in (0, 1, 1_700_000_000_000):
        after, decision = limiter.request(now_ms, 50)
        assert decision == Decision(True, 0, 0)
        assert not after.request(now_ms)[1].allowed


def test_a_request_on_a_boundary_belongs_to_the_new_window() -> None:
    fixed, _ = FixedWindow(1, 1_000).request(999)
    assert fixed.request(999)[1] == Decision(False, 1, 0)
    assert fixed.request(1_000)[1].allowed
    log, _ = SlidingWindowLog(1, 1_000).request(500)
    assert not log.request(1_499)[1].allowed
    assert log.request(1_500)[1].allowed
    counter, _ = SlidingWindowCounter(2, 1_000).request(999, 2)
    assert counter.at(1_000).window == 1
    assert (counter.at(1_000).current, counter.at(1_000).previous) == (0, 2)
    bucket, _ = TokenBucket(1, 1).request(0)
    assert bucket.request(999)[1] == Decision(False, 1, 0)
    assert bucket.request(1_000)[1].allowed


def test_the_counter_waits_until_the_window_before_has_faded_enough() -> None:
    counter, _ = SlidingWindowCounter(4, 100).request(0, 3)
    counter, decision = counter.request(150, 2)
    assert decision == Decision(True, 0, 1)
    # Of the 3, less than 1 must be left: that is so when 33 of 100 ms remain, at 167.
    assert counter.request(150, 2)[1] == Decision(False, 17, 1)


def test_a_tenth_a_second_drifts_nowhere() -> None:
    bucket = TokenBucket(1, 0.1)
    for now_ms in range(0, 10_000_000, 10_000):
        bucket, decision = bucket.request(now_ms)
        assert decision.allowed
        assert bucket.request(now_ms + 9_999)[1] == Decision(False, 1, 0)


def test_a_float_stands_for_the_decimal_number_that_it_prints() -> None:
    # As a binary fraction, 0.3 is a little less than three tenths: the third token would be late.
    for make in (TokenBucket, LeakyBucket, Gcra):
        spent, _ = make(3, 0.3).request(0, 3)
        tenths, _ = make(3, Per(3, 10)).request(0, 3)
        assert spent.at(10_000).room == tenths.at(10_000).room == 3
        assert spent.wait_ms(3) == tenths.wait_ms(3) == 10_000


def test_what_a_limiter_remembers_for_a_client() -> None:
    assert TokenBucket(50, 10).numbers_kept == 2
    assert LeakyBucket(50, 10).numbers_kept == 2
    assert FixedWindow(50, 1_000).numbers_kept == 2
    assert SlidingWindowCounter(50, 1_000).numbers_kept == 3
    assert Gcra(50, 10).numbers_kept == 1
    log = SlidingWindowLog(50, 1_000)
    for now_ms in range(0, 40, 2):
        log, _ = log.request(now_ms, 2)
    assert log.numbers_kept == 40
    assert log.at(1_000).numbers_kept == 38
    assert log.at(2_000).numbers_kept == 0


def test_the_numbers_that_pictures_show() -> None:
    assert TokenBucket(50, 10).request(0, 50)[0].at(150).tokens == Fraction(3, 2)
    gcra = Gcra(50, 10).request(0, 3)[0]
    assert gcra.tat_ms == 300
    assert gcra.interval_ms == 100
    counter = SlidingWindowCounter(100, 60_000).request(0, 80)[0].request(61_000, 5)[0]
    assert counter.at(75_000).estimate == 5 + Fraction(80 * 45, 60)


def test_the_pattern_names_the_limiters_too() -> None:
    assert rate_limiter.TokenBucket is TokenBucket
    assert rate_limiter.Gcra is Gcra


# --- Refusals -------------------------------------------------------------------------------------

BAD_RATES = [0, -1, 0.0, -0.5, float("nan"), float("inf"), True, "10", None, Fraction(0)]
BAD_WHOLES: list[Any] = [0, -3, 2.5, True, "5", None]


@pytest.mark.parametrize("rate", BAD_RATES, ids=repr)
@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda rate: TokenBucket(5, rate), "refill_rate_per_s"),
        (lambda rate: LeakyBucket(5, rate), "leak_rate_per_s"),
        (lambda rate: Gcra(5, rate), "rate_per_s"),
    ],
    ids=["token", "leaky", "gcra"],
)
def test_a_rate_that_is_none_is_named_with_what_is_allowed(
    make: Callable[[Any], Limiter], name: str, rate: Any
) -> None:
    with pytest.raises(ValueError, match=rf"^{name} must be a finite number above 0") as problem:
        make(rate)
    assert repr(rate) in str(problem.value)


@pytest.mark.parametrize("size", BAD_WHOLES, ids=repr)
@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda size: TokenBucket(size, 1), "capacity"),
        (lambda size: LeakyBucket(size, 1), "capacity"),
        (lambda size: Gcra(size, 1), "burst"),
        (lambda size: FixedWindow(size, 1), "limit"),
        (lambda size: FixedWindow(1, size), "window_ms"),
        (lambda size: SlidingWindowLog(size, 1), "limit"),
        (lambda size: SlidingWindowLog(1, size), "window_ms"),
        (lambda size: SlidingWindowCounter(size, 1), "limit"),
        (lambda size: SlidingWindowCounter(1, size), "window_ms"),
        (lambda size: Per(size, 1), "requests"),
        (lambda size: Per(1, size), "seconds"),
    ],
)
def test_a_size_that_is_none_is_named_with_what_is_allowed(
    make: Callable[[Any], object], name: str, size: Any
) -> None:
    with pytest.raises(
        ValueError, match=rf"^{name} must be a whole number of 1 or more"
    ) as problem:
        make(size)
    assert repr(size) in str(problem.value)


@settings(deadline=None)
@given(LIMITERS, TRACES)
def test_bad_requests_are_refused_and_the_limiter_is_as_it_was(
    limiter: Limiter, trace: list[tuple[int, int]]
) -> None:
    now_ms = 0
    for gap_ms, cost in trace:
        now_ms += gap_ms
        limiter, _ = limiter.request(now_ms, cost)
    before, text = limiter, repr(limiter)
    bad_costs: list[Any] = [0, -1, limiter.largest + 1, True, 1.5]
    for bad in bad_costs:
        with pytest.raises(ValueError, match=f"cost must be .* from 1 to {limiter.largest}, got"):
            limiter.request(now_ms, bad)
    bad_times: list[Any] = [now_ms - 1, float(now_ms), None, True]
    for bad in bad_times:
        with pytest.raises(ValueError, match=f"now_ms must be .* {now_ms} or more"):
            limiter.request(bad)
    assert limiter is before
    assert repr(limiter) == text


def test_a_limiter_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        TokenBucket(5, 1).capacity = 6  # type: ignore[misc]
