"""Both breakers: their rules one by one, against dumb twins, and against another implementation."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

import pybreaker
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pysims.guards import circuit_breaker as guards
from pysims.guards.circuit_breaker import (
    CLOSED,
    HALF_OPEN,
    HYSTRIX,
    OPEN,
    STATES,
    TRANSITIONS,
    Breaker,
    CircuitBreaker,
    RollingWindowBreaker,
    Row,
)

# Two busy cores make any deadline for one example a coin toss.
relaxed = settings(deadline=None, max_examples=150)

BREAKERS: list[Breaker] = [
    CircuitBreaker(3, 1_000, 2),
    RollingWindowBreaker(0.5, 4, 1_000, 1_000, 2),
]
both = pytest.mark.parametrize("fresh", BREAKERS, ids=["consecutive", "rolling"])


def opened(breaker: Breaker, now_ms: int = 0) -> Breaker:
    """The breaker after so many failures at this time that it is open."""
    for _ in range(20):
        if breaker.state == OPEN:
            return breaker
        breaker, allowed = breaker.allow(now_ms)
        assert allowed
        breaker = breaker.record(False, now_ms, now_ms)
    raise AssertionError("20 failures did not open it")


# --- The rules, one by one ------------------------------------------------------------------------


def test_so_many_failures_in_a_row_open_it_and_a_success_starts_the_row_again() -> None:
    breaker = CircuitBreaker(3, 1_000)
    for success in (False, False, True, False, False):
        breaker = breaker.record(success, 10)
        assert breaker.state == CLOSED
    assert breaker.failures == 2
    assert breaker.record(False, 11).state == OPEN


@both
def test_it_refuses_until_the_reset_timeout_is_over_and_not_a_ms_longer(fresh: Breaker) -> None:
    breaker = opened(fresh, 500)
    for now_ms in (500, 501, 1_499):
        breaker, allowed = breaker.allow(now_ms)
        assert not allowed
        assert breaker.state == OPEN
    breaker, allowed = breaker.allow(1_500)
    assert allowed
    assert breaker.state == HALF_OPEN


@both
@pytest.mark.parametrize("probes", [1, 2, 5])
def test_half_open_lets_exactly_the_probes_through_that_it_must(
    fresh: Breaker, probes: int
) -> None:
    breaker = opened(replace(fresh, success_threshold=probes))
    passed = 0
    for now_ms in range(1_000, 1_020):
        breaker, allowed = breaker.allow(now_ms)
        passed += allowed
    assert passed == probes
    for sent_ms in range(1_000, 1_000 + probes - 1):
        breaker = breaker.record(True, 1_100, sent_ms)
        assert breaker.state == HALF_OPEN
        # Those that succeeded keep their places: nobody follows them.
        breaker, allowed = breaker.allow(1_100)
        assert not allowed
    breaker = breaker.record(True, 1_100, 1_000 + probes - 1)
    assert breaker.state == CLOSED


@both
def test_a_probe_that_fails_opens_it_and_the_timeout_starts_anew(fresh: Breaker) -> None:
    breaker, _ = opened(fresh).allow(1_000)
    breaker = breaker.record(False, 1_700, 1_000)
    assert breaker.state == OPEN
    breaker, allowed = breaker.allow(2_699)
    assert not allowed
    breaker, allowed = breaker.allow(2_700)
    assert allowed


@both
def test_closing_forgets_what_was_counted_before(fresh: Breaker) -> None:
    breaker, _ = opened(replace(fresh, success_threshold=1)).allow(1_000)
    breaker = breaker.record(True, 1_001, 1_000)
    assert breaker.state == CLOSED
    assert breaker.record(False, 1_002, 1_002).state == CLOSED


@both
def test_a_lost_probe_gives_its_place_away_after_the_reset_timeout(fresh: Breaker) -> None:
    breaker, _ = opened(fresh).allow(1_000)
    breaker, _ = breaker.allow(1_400)
    breaker, allowed = breaker.allow(1_999)
    assert not allowed
    breaker, allowed = breaker.allow(2_000)
    assert allowed
    breaker, allowed = breaker.allow(2_000)
    assert not allowed, "the probe of 1,400 ms still has its place"
    # The lost probe is heard after all: it counts for nothing, whatever it says.
    for success in (True, False):
        late = breaker.record(success, 2_001, 1_000)
        assert (late.state, late.successes, late.probes) == (HALF_OPEN, 0, breaker.probes)
        assert late.row == (HALF_OPEN, "late_report")


@both
@pytest.mark.parametrize("success", [True, False])
def test_a_report_of_a_call_from_before_it_opened_changes_nothing(
    fresh: Breaker, success: bool
) -> None:
    breaker = opened(fresh, 100)
    late = breaker.record(success, 200, 50)
    assert (late.state, late.since_ms) == (OPEN, 100)
    breaker, _ = late.allow(1_100)
    late = breaker.record(success, 1_200, 50)
    assert (late.state, late.successes, late.probes) == (HALF_OPEN, 0, (1_100,))
    breaker = late.record(True, 1_201, 1_100)
    breaker, _ = breaker.allow(1_201)
    closed = breaker.record(True, 1_202, 1_201)
    assert closed.state == CLOSED
    late = closed.record(success, 1_300, 50)
    assert late == replace(closed, row=(CLOSED, "late_report"), clock_ms=1_300)


@both
def test_without_the_time_of_its_call_a_report_is_the_oldest_probes(fresh: Breaker) -> None:
    breaker, _ = opened(fresh).allow(1_000)
    breaker, _ = breaker.allow(1_005)
    after = breaker.record(True, 1_010)
    assert (after.probes, after.successes) == ((1_005,), 1)
    assert breaker.record(False, 1_010).state == OPEN
    # When no probe is in flight, there is nobody whose report it could be.
    assert after.record(True, 1_011).record(True, 1_012).state == CLOSED
    alone = replace(after, probes=())
    assert alone.record(False, 1_011).row == (HALF_OPEN, "late_report")


def test_the_window_needs_its_minimum_of_calls_and_forgets_by_whole_buckets() -> None:
    breaker = RollingWindowBreaker(0.5, 4, 1_000, 1_000)
    for now_ms in (0, 99, 100):
        breaker = breaker.record(False, now_ms)
        assert breaker.state == CLOSED
    assert breaker.window(999) == (0, 3)
    assert breaker.window(1_000) == (0, 1), "the bucket from 0 to 99 ms is out of the window"
    assert breaker.window(1_100) == (0, 0)
    assert breaker.record(True, 999).state == OPEN, "three of four failed"
    assert breaker.record(True, 1_000).state == CLOSED


def test_the_window_keeps_no_bucket_that_it_does_not_count() -> None:
    breaker = RollingWindowBreaker(1.0, 100, 1_000, 1_000)
    for now_ms in range(0, 5_000, 100):
        breaker = breaker.record(True, now_ms)
        assert breaker.buckets == tuple(
            (number, 1, 0) for number in range(max(0, now_ms // 100 - 9), now_ms // 100 + 1)
        )


def test_the_share_is_compared_without_rounding_drift() -> None:
    # 0.07 * 100 is 7.000000000000001, so a product would miss 7 failures of 100.
    breaker = RollingWindowBreaker(0.07, 100, 10_000, 1_000)
    for number in range(99):
        breaker = breaker.record(number >= 7, 5)
        assert breaker.state == CLOSED
    assert breaker.record(True, 5).state == OPEN


def test_hystrix_opens_at_half_of_twenty_calls_and_sleeps_for_five_seconds() -> None:
    breaker = HYSTRIX
    for number in range(19):
        breaker = breaker.record(number % 2 == 0, number)
        assert breaker.state == CLOSED
    assert breaker.window(100) == (10, 9)
    breaker = breaker.record(False, 9_000)
    assert breaker.state == OPEN
    assert [breaker.allow(ms)[1] for ms in (13_999, 14_000)] == [False, True]


# --- Bad input ------------------------------------------------------------------------------------

Make = Callable[[], Any]
WHOLE = "must be a whole number of"
REFUSALS: list[tuple[Make, str]] = [
    (lambda: CircuitBreaker(0, 1), f"failure_threshold {WHOLE} 1 or more, got 0"),
    (lambda: CircuitBreaker(True, 1), f"failure_threshold {WHOLE} 1 or more, got True"),
    (lambda: CircuitBreaker(1, 0), f"reset_timeout_ms {WHOLE} 1 or more, got 0"),
    (lambda: CircuitBreaker(1, 2.5), f"reset_timeout_ms {WHOLE} 1 or more, got 2.5"),  # type: ignore[arg-type]
    (lambda: CircuitBreaker(1, 1, 0), f"success_threshold {WHOLE} 1 or more, got 0"),
    (lambda: RollingWindowBreaker(0, 1, 10, 1), "failure_rate must be a number above 0, .*got 0"),
    (lambda: RollingWindowBreaker(1.1, 1, 10, 1), "failure_rate must be .*up to 1, got 1.1"),
    (lambda: RollingWindowBreaker(float("nan"), 1, 10, 1), "failure_rate must be .*got nan"),
    (lambda: RollingWindowBreaker(True, 1, 10, 1), "failure_rate must be .*got True"),
    (lambda: RollingWindowBreaker(0.5, 0, 10, 1), f"minimum_calls {WHOLE} 1 or more, got 0"),
    (lambda: RollingWindowBreaker(0.5, 1, 0, 1), f"window_ms {WHOLE} 1 or more, got 0"),
    (lambda: RollingWindowBreaker(0.5, 1, 15, 1), r"window_ms .*multiple of .* \(10\), got 15"),
    (lambda: RollingWindowBreaker(0.5, 1, 10, 0), f"reset_timeout_ms {WHOLE} 1 or more, got 0"),
    (lambda: RollingWindowBreaker(0.5, 1, 10, 1, -1), "success_threshold .*got -1"),
    (lambda: RollingWindowBreaker(0.5, 1, 10, 1, bucket_count=0), "bucket_count .*got 0"),
]


@pytest.mark.parametrize(("make", "says"), REFUSALS, ids=[says for _, says in REFUSALS])
def test_a_breaker_that_cannot_be_is_refused(make: Make, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        make()


@both
def test_a_verb_that_is_refused_leaves_the_breaker_as_it_was(fresh: Breaker) -> None:
    breaker, _ = fresh.allow(100)
    asked: Any = breaker
    refusals: list[tuple[Make, str]] = [
        (lambda: asked.allow(99), "now_ms must be 100 or later, got 99"),
        (lambda: asked.record(True, 99), "now_ms must be 100 or later, got 99"),
        (lambda: asked.allow(-1), f"now_ms {WHOLE} 0 or more, got -1"),
        (lambda: asked.allow(100.5), f"now_ms {WHOLE} 0 or more, got 100.5"),
        (lambda: asked.record(1, 100), "success must be True or False, got 1"),
        (
            lambda: asked.record(True, 100, 101),
            r"allowed_ms must be at most now_ms \(100\), got 101",
        ),
        (lambda: asked.record(True, 100, -1), f"allowed_ms {WHOLE} 0 or more, got -1"),
    ]
    before = ascii(breaker)
    for verb, says in refusals:
        with pytest.raises(ValueError, match=says):
            verb()
    assert ascii(breaker) == before
    assert breaker.allow(100)[1]


# --- Traces ---------------------------------------------------------------------------------------

# What a caller does next: wait so long, then ask, or report on one of its calls (by age), whose
# time it may keep to itself.
Act = tuple[int, str, bool, int, bool]
acts: st.SearchStrategy[list[Act]] = st.lists(
    st.tuples(
        st.sampled_from([0, 0, 1, 7, 40, 99, 100, 260, 1_000]),
        st.sampled_from(["allow", "allow", "record"]),
        st.booleans(),
        st.integers(0, 5),
        st.booleans(),
    ),
    max_size=120,
)
breakers: st.SearchStrategy[Breaker] = st.one_of(
    st.builds(CircuitBreaker, st.integers(1, 4), st.sampled_from([1, 50, 300]), st.integers(1, 3)),
    st.builds(
        RollingWindowBreaker,
        st.sampled_from([0.07, 0.3, 0.5, 1, 1.0]),
        st.integers(1, 6),
        st.sampled_from([10, 400, 1_000]),
        st.sampled_from([1, 50, 300]),
        st.integers(1, 3),
    ),
)


class Twin:
    """A breaker that remembers everything and looks it all up again for each question."""

    def __init__(self, like: Breaker) -> None:
        self.like = like
        self.state, self.since_ms = CLOSED, 0
        self.reports: list[tuple[int, bool]] = []
        self.probes: list[dict[str, Any]] = []

    def go(self, state: str, now_ms: int) -> None:
        self.state, self.since_ms = state, now_ms
        self.probes = []
        if state == CLOSED:
            self.reports = []

    def places(self, now_ms: int) -> int:
        taken = [
            p
            for p in self.probes
            if p["ok"] or (not p["lost"] and now_ms - p["sent"] < self.like.reset_timeout_ms)
        ]
        return self.like.success_threshold - len(taken)

    def allow(self, now_ms: int) -> bool:
        if self.state == CLOSED:
            return True
        if self.state == OPEN:
            if now_ms < self.since_ms + self.like.reset_timeout_ms:
                return False
            self.go(HALF_OPEN, now_ms)
        for probe in self.probes:
            if not probe["ok"] and now_ms - probe["sent"] >= self.like.reset_timeout_ms:
                probe["lost"] = True
        if self.places(now_ms) < 1:
            return False
        self.probes.append({"sent": now_ms, "ok": False, "lost": False})
        return True

    def record(self, success: bool, now_ms: int, allowed_ms: int | None) -> None:
        if self.state == HALF_OPEN:
            for probe in self.probes:
                known = allowed_ms is None or probe["sent"] == allowed_ms
                if known and not probe["ok"] and not probe["lost"]:
                    if not success:
                        return self.go(OPEN, now_ms)
                    probe["ok"] = True
                    if sum(p["ok"] for p in self.probes) == self.like.success_threshold:
                        self.go(CLOSED, now_ms)
                    return None
        elif self.state == CLOSED and (allowed_ms is None or allowed_ms >= self.since_ms):
            self.reports.append((now_ms, success))
            if self.too_many(now_ms):
                self.go(OPEN, now_ms)
        return None

    def too_many(self, now_ms: int) -> bool:
        if isinstance(self.like, CircuitBreaker):
            last = self.reports[-self.like.failure_threshold :]
            return len(last) == self.like.failure_threshold and not any(ok for _, ok in last)
        length = self.like.window_ms // 10
        first_ms = (now_ms // length - 9) * length
        seen = [ok for ms, ok in self.reports if ms >= first_ms]
        return len(seen) >= self.like.minimum_calls and (
            seen.count(False) / len(seen) >= self.like.failure_rate
        )


def played(breaker: Breaker, trace: list[Act], look: Callable[..., None]) -> Breaker:
    """Play a trace; `look(before, after, now_ms, verb, answer)` sees every step."""
    now_ms, calls = 0, []
    for wait_ms, verb, success, age, named in trace:
        now_ms += wait_ms
        before = breaker
        if verb == "allow":
            breaker, allowed = breaker.allow(now_ms)
            if allowed:
                calls.append(now_ms)
            look(before, breaker, now_ms, verb, allowed)
        elif calls:
            sent_ms = calls.pop(-1 - age % len(calls))
            allowed_ms = sent_ms if named else None
            breaker = breaker.record(success, now_ms, allowed_ms)
            look(before, breaker, now_ms, verb, (success, allowed_ms))
    return breaker


@relaxed
@given(breakers, acts)
def test_it_does_what_its_dumb_twin_does(fresh: Breaker, trace: list[Act]) -> None:
    twin = Twin(fresh)

    def look(_: Breaker, after: Breaker, now_ms: int, verb: str, answer: Any) -> None:
        if verb == "allow":
            assert twin.allow(now_ms) == answer
        else:
            twin.record(answer[0], now_ms, answer[1])
        assert (after.state, after.since_ms) == (twin.state, twin.since_ms)

    played(fresh, trace, look)


@relaxed
@given(breakers, acts)
def test_no_call_passes_an_open_breaker(fresh: Breaker, trace: list[Act]) -> None:
    def look(before: Breaker, after: Breaker, now_ms: int, verb: str, answer: Any) -> None:
        if verb == "allow" and before.state == OPEN:
            over = now_ms >= before.since_ms + before.reset_timeout_ms
            assert answer is over
            assert after.state == (HALF_OPEN if over else OPEN)
        if verb == "allow" and answer:
            assert after.state != OPEN

    played(fresh, trace, look)


@relaxed
@given(breakers, acts)
def test_the_probes_are_exact(fresh: Breaker, trace: list[Act]) -> None:
    sent: list[int] = []
    succeeded = 0

    def look(before: Breaker, after: Breaker, now_ms: int, verb: str, answer: Any) -> None:
        nonlocal sent, succeeded
        if after.state != HALF_OPEN or before.state != HALF_OPEN:
            sent, succeeded = [], 0
        if verb == "allow" and after.state == HALF_OPEN:
            sent = [ms for ms in sent if now_ms - ms < fresh.reset_timeout_ms]
            # One passes if and only if it takes one more.
            assert answer is (len(sent) + succeeded < fresh.success_threshold)
            sent += [now_ms] * answer
        elif after.state == HALF_OPEN and after.row == (HALF_OPEN, "probe_succeeded"):
            sent.remove(min(sent) if answer[1] is None else answer[1])
            succeeded += 1
        if after.state == HALF_OPEN:
            assert (list(after.probes), after.successes) == (sent, succeeded)

    played(fresh, trace, look)


# --- The table ------------------------------------------------------------------------------------


@relaxed
@given(breakers, acts)
def test_every_change_is_a_row_of_the_table(fresh: Breaker, trace: list[Act]) -> None:
    def look(before: Breaker, after: Breaker, _: int, verb: str, __: Any) -> None:
        if verb == "allow" and before.state == CLOSED:
            assert (after.state, after.row) == (CLOSED, before.row), "asking changes nothing"
            return
        assert after.row[0] == before.state
        assert TRANSITIONS[after.row] == after.state

    played(fresh, trace, look)


@both
def test_every_row_of_the_table_can_be_reached(fresh: Breaker) -> None:
    seen: dict[Row, str] = {}
    frontier, known = [fresh], {fresh}
    while frontier and len(seen) <= len(TRANSITIONS):
        breaker = frontier.pop(0)
        following: list[Breaker] = []
        for now_ms in (breaker.clock_ms + 1, breaker.clock_ms + 1_000):
            following.append(breaker.allow(now_ms)[0])
            for success in (True, False):
                following.append(breaker.record(success, now_ms))
                following.append(breaker.record(success, now_ms, 0))
        for after in following:
            seen.setdefault(after.row, after.state)
            if after not in known:
                known.add(after)
                frontier.append(after)
    assert {row: state for row, state in seen.items() if row != guards.START} == dict(TRANSITIONS)


def failed_four_times(breaker: Breaker) -> Breaker:
    for _ in range(4):
        breaker = breaker.record(False, 0, 0)
    return breaker


def probing(breaker: Breaker) -> Breaker:
    return failed_four_times(replace(breaker, success_threshold=1)).allow(1_000)[0]


WAYS: dict[Row, Callable[[Breaker], Breaker]] = {
    (CLOSED, "too_many_failures"): failed_four_times,
    (OPEN, "reset_timeout_over"): probing,
    (HALF_OPEN, "probe_failed"): lambda fresh: probing(fresh).record(False, 1_000, 1_000),
    (HALF_OPEN, "all_probes_succeeded"): lambda fresh: probing(fresh).record(True, 1_000, 1_000),
}


@both
@pytest.mark.parametrize("row", WAYS, ids=[event for _, event in WAYS])
def test_the_code_takes_its_states_from_the_table(
    fresh: Breaker, row: Row, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert set(WAYS) == {
        changing for changing, state in TRANSITIONS.items() if state != changing[0]
    }
    assert WAYS[row](fresh).state == TRANSITIONS[row]
    other = next(state for state in STATES if state not in (row[0], TRANSITIONS[row]))
    monkeypatch.setattr(guards, "TRANSITIONS", MappingProxyType({**TRANSITIONS, row: other}))
    assert WAYS[row](fresh).state == other


# --- Another implementation -----------------------------------------------------------------------


class Clock(datetime):
    """The time that pybreaker asks for."""

    now_ms = 0

    @classmethod
    def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
        return datetime(2026, 1, 1, tzinfo=tz) + timedelta(milliseconds=cls.now_ms)


def by_pybreaker(library: pybreaker.CircuitBreaker, success: bool) -> bool:
    """One call through the library; whether it was let through."""
    made = []

    def call() -> None:
        made.append(1)
        if not success:
            raise OSError

    with suppress(OSError, pybreaker.CircuitBreakerError):
        library.call(call)
    return bool(made)


NAMES = {"closed": CLOSED, "open": OPEN, "half-open": HALF_OPEN}


@relaxed
@given(
    st.integers(1, 5),
    st.sampled_from([1, 50, 1_000, 3_000]),
    st.integers(1, 4),
    st.lists(st.tuples(st.sampled_from([0, 1, 49, 50, 999, 1_000, 3_000]), st.booleans())),
)
def test_pybreaker_agrees(
    failures: int, reset_ms: int, successes: int, calls: list[tuple[int, bool]]
) -> None:
    # One call after the other, as the library makes them: there a probe is never in flight when the
    # next call comes.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pybreaker, "datetime", Clock)
        patch.setattr(Clock, "now_ms", 0)
        library = pybreaker.CircuitBreaker(
            fail_max=failures, reset_timeout=reset_ms / 1_000, success_threshold=successes
        )
        ours = CircuitBreaker(failures, reset_ms, successes)
        assert Clock.now(UTC).microsecond == 0
        for wait_ms, success in calls:
            Clock.now_ms += wait_ms
            ours, allowed = ours.allow(Clock.now_ms)
            if allowed:
                ours = ours.record(success, Clock.now_ms, Clock.now_ms)
            assert by_pybreaker(library, success) == allowed
            assert NAMES[library.current_state] == ours.state
