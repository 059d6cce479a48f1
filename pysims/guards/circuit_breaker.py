"""Circuit breakers: stop calling what keeps failing, then ask carefully whether it is back.

A breaker stands between a caller and a service. The caller asks `allow` before each call and tells
`record` how the call ended. While the breaker is *closed*, calls pass and their outcomes are
counted. When too many failed it *opens*: calls are refused at once, so that they hold no thread,
and the service gets room to recover. The first call after the reset timeout makes it *half-open*:
so many calls pass as are needed to decide (the probes), and no more. If they all succeed it closes;
one failure opens it again, and the timeout starts anew.

Two breakers differ in what they count while closed. `CircuitBreaker` counts failures in a row;
a single success starts the count again. `RollingWindowBreaker` looks at the share of failures in
the last seconds, once there were enough calls to judge by. `TRANSITIONS` is the table that both of
them use for every change of state.

Sources: Nygard, Release It!, 2007 (2nd edition 2018), "Circuit Breaker" among the stability
patterns; Fowler, "CircuitBreaker", 2014, https://martinfowler.com/bliki/CircuitBreaker.html;
Hystrix's wiki, "How it Works: Circuit Breaker", https://github.com/Netflix/Hystrix/wiki, and its
"Configuration" page for the defaults in `HYSTRIX`.

Simplified: the window is judged after each report, where Hystrix takes a snapshot twice a second.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TypeAlias, TypeVar

__all__ = [
    "CLOSED",
    "HALF_OPEN",
    "HYSTRIX",
    "OPEN",
    "START",
    "STATES",
    "TRANSITIONS",
    "Breaker",
    "CircuitBreaker",
    "RollingWindowBreaker",
    "Row",
]

CLOSED, OPEN, HALF_OPEN = "closed", "open", "half_open"
STATES = (CLOSED, OPEN, HALF_OPEN)

Row: TypeAlias = tuple[str, str]
"""A row of the table by its key: `(state, event)`."""

TRANSITIONS: Mapping[Row, str] = MappingProxyType(
    {
        (CLOSED, "success"): CLOSED,
        (CLOSED, "failure"): CLOSED,
        (CLOSED, "too_many_failures"): OPEN,
        (CLOSED, "late_report"): CLOSED,
        (OPEN, "call_refused"): OPEN,
        (OPEN, "late_report"): OPEN,
        (OPEN, "reset_timeout_over"): HALF_OPEN,
        (HALF_OPEN, "probe_sent"): HALF_OPEN,
        (HALF_OPEN, "call_refused"): HALF_OPEN,
        (HALF_OPEN, "probe_succeeded"): HALF_OPEN,
        (HALF_OPEN, "late_report"): HALF_OPEN,
        (HALF_OPEN, "probe_failed"): OPEN,
        (HALF_OPEN, "all_probes_succeeded"): CLOSED,
    }
)
"""(state, event) → state: every row that there is. A row that is missing cannot happen."""

START: Row = ("", "")
"""The `row` of a breaker to which nothing has happened yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Where a breaker is, whatever it counts.

    `since_ms` is when it came into this state, `clock_ms` the time of its last verb, `row` the row
    of `TRANSITIONS` that this verb took. `probes` are the times at which the probes in flight were
    let through, `successes` how many probes have succeeded since it became half-open.
    """

    state: str = CLOSED
    since_ms: int = 0
    clock_ms: int = 0
    row: Row = START
    probes: tuple[int, ...] = ()
    successes: int = 0


@dataclass(frozen=True, slots=True)
class CircuitBreaker(Machine):
    """A breaker that opens after so many failures in a row.

    `failure_threshold` failures open it, the first call `reset_timeout_ms` or later after that is a
    probe, and `success_threshold` successful probes close it. `ValueError` for a threshold that is
    not a whole number of 1 or more, or a timeout that is not a whole number of ms above 0.

    Further fields are its memory: `failures` counts the failures in a row.
    """

    failure_threshold: int
    reset_timeout_ms: int
    success_threshold: int = 1
    failures: int = field(default=0, kw_only=True)

    def __post_init__(self) -> None:
        _whole("failure_threshold", self.failure_threshold, 1)
        _whole("reset_timeout_ms", self.reset_timeout_ms, 1)
        _whole("success_threshold", self.success_threshold, 1)

    def allow(self, now_ms: int) -> tuple[CircuitBreaker, bool]:
        """The breaker after a call asked to pass at this time, and whether it may.

        Half-open, calls pass while the probes in flight and those that succeeded are fewer than
        `success_threshold`. A probe that has not reported within `reset_timeout_ms` gives its
        place to the next call, so that a lost report cannot keep the breaker half-open for ever.
        `ValueError` for a time before that of the last verb, or one that is not a whole number.
        """
        return _allow(self, now_ms)

    def record(self, success: bool, now_ms: int, allowed_ms: int | None = None) -> CircuitBreaker:
        """The breaker after it heard at this time how a call ended; a timeout is a failure.

        `allowed_ms` says when the call was let through. With it, a report that comes too late is
        known for what it is, and changes nothing: the call was let through before the breaker came
        into its present state, or it is a probe whose place is taken by another. Without it, a
        report counts as one of the oldest probe in flight when the breaker is half-open, and as
        one of a current call when it is closed. An open breaker waits for no report: all are late.

        `ValueError` for a time before that of the last verb, for `allowed_ms` after `now_ms`, and
        for a `success` that is not True or False.
        """
        return _record(self, success, now_ms, allowed_ms)

    def counted(
        self,
        success: bool,
        now_ms: int,  # noqa: ARG002  # The other breaker counts by time.
    ) -> tuple[CircuitBreaker, bool]:
        """The breaker with one more outcome, and whether these are too many failures."""
        failures = 0 if success else self.failures + 1
        return replace(self, failures=failures), failures >= self.failure_threshold

    def cleared(self) -> CircuitBreaker:
        """The breaker without what it counted while it was closed before."""
        return replace(self, failures=0)


@dataclass(frozen=True, slots=True)
class RollingWindowBreaker(Machine):
    """A breaker that opens when a share of the calls of the last `window_ms` failed.

    It opens once the window holds at least `minimum_calls` reports and the share of failures among
    them is `failure_rate` (above 0, up to 1) or more. The window is a row of `bucket_count` equal
    buckets, as in Hystrix: the bucket of this moment and those before it, so it reaches back
    between (bucket_count - 1) / bucket_count of `window_ms` and all of it. The verbs, the probes
    and what is late are those of `CircuitBreaker`; so are the errors, and `window_ms` must be a
    multiple of `bucket_count`.

    Further fields are its memory: `buckets` holds `(number, successes, failures)`, oldest first,
    of those that are not empty; bucket k begins at `k * bucket_ms`.
    """

    failure_rate: float
    minimum_calls: int
    window_ms: int
    reset_timeout_ms: int
    success_threshold: int = 1
    bucket_count: int = field(default=10, kw_only=True)
    buckets: tuple[tuple[int, int, int], ...] = field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        rate = self.failure_rate
        if type(rate) not in (int, float) or not 0 < rate <= 1:
            raise ValueError(f"failure_rate must be a number above 0, up to 1, got {rate!r}")
        _whole("minimum_calls", self.minimum_calls, 1)
        _whole("window_ms", self.window_ms, 1)
        _whole("reset_timeout_ms", self.reset_timeout_ms, 1)
        _whole("success_threshold", self.success_threshold, 1)
        _whole("bucket_count", self.bucket_count, 1)
        if self.window_ms % self.bucket_count:
            raise ValueError(
                f"window_ms must be a multiple of bucket_count ({self.bucket_count}), "
                f"got {self.window_ms!r}"
            )

    @property
    def bucket_ms(self) -> int:
        """The length of a bucket in ms."""
        return self.window_ms // self.bucket_count

    def allow(self, now_ms: int) -> tuple[RollingWindowBreaker, bool]:
        """As `CircuitBreaker.allow`."""
        return _allow(self, now_ms)

    def record(
        self, success: bool, now_ms: int, allowed_ms: int | None = None
    ) -> RollingWindowBreaker:
        """As `CircuitBreaker.record`."""
        return _record(self, success, now_ms, allowed_ms)

    def window(self, now_ms: int) -> tuple[int, int]:
        """`(successes, failures)` that the window holds at this time."""
        first = now_ms // self.bucket_ms - self.bucket_count
        kept = [bucket for bucket in self.buckets if bucket[0] > first]
        return sum(bucket[1] for bucket in kept), sum(bucket[2] for bucket in kept)

    def counted(self, success: bool, now_ms: int) -> tuple[RollingWindowBreaker, bool]:
        """The breaker with one more outcome, and whether these are too many failures."""
        number = now_ms // self.bucket_ms
        kept = [bucket for bucket in self.buckets if bucket[0] > number - self.bucket_count]
        last = kept.pop() if kept and kept[-1][0] == number else (number, 0, 0)
        kept.append((number, last[1] + success, last[2] + (not success)))
        breaker = replace(self, buckets=tuple(kept))
        good, bad = breaker.window(now_ms)
        # A quotient is rounded as the literal of the rate is, so 7 of 100 is 0.07; a product is
        # not, and 0.07 * 100 is above 7.
        return breaker, good + bad >= self.minimum_calls and bad / (good + bad) >= self.failure_rate

    def cleared(self) -> RollingWindowBreaker:
        """The breaker without what it counted while it was closed before."""
        return replace(self, buckets=())


Breaker: TypeAlias = CircuitBreaker | RollingWindowBreaker
Kind = TypeVar("Kind", CircuitBreaker, RollingWindowBreaker)


# --- The verbs ------------------------------------------------------------------------------------


def _allow(breaker: Kind, now_ms: int) -> tuple[Kind, bool]:
    _check_clock(breaker, now_ms)
    if breaker.state == CLOSED:
        # A call that passes is no event of the table: what counts is how it ends.
        return replace(breaker, clock_ms=now_ms), True
    if breaker.state == OPEN:
        if now_ms - breaker.since_ms < breaker.reset_timeout_ms:
            return _take(breaker, "call_refused", now_ms), False
        return replace(_take(breaker, "reset_timeout_over", now_ms), probes=(now_ms,)), True
    lost_ms = now_ms - breaker.reset_timeout_ms
    probes: tuple[int, ...] = tuple(sent_ms for sent_ms in breaker.probes if sent_ms > lost_ms)
    if len(probes) + breaker.successes >= breaker.success_threshold:
        return replace(_take(breaker, "call_refused", now_ms), probes=probes), False
    return replace(_take(breaker, "probe_sent", now_ms), probes=(*probes, now_ms)), True


def _record(breaker: Kind, success: bool, now_ms: int, allowed_ms: int | None) -> Kind:
    _check_clock(breaker, now_ms)
    if type(success) is not bool:
        raise ValueError(f"success must be True or False, got {success!r}")
    if allowed_ms is not None:
        _whole("allowed_ms", allowed_ms, 0)
        if allowed_ms > now_ms:
            raise ValueError(f"allowed_ms must be at most now_ms ({now_ms}), got {allowed_ms!r}")
    if breaker.state == HALF_OPEN:
        return _record_probe(breaker, success, now_ms, allowed_ms)
    if breaker.state == OPEN or (allowed_ms is not None and allowed_ms < breaker.since_ms):
        return _take(breaker, "late_report", now_ms)
    breaker, too_many = breaker.counted(success, now_ms)
    if too_many:
        return _take(breaker, "too_many_failures", now_ms)
    return _take(breaker, "success" if success else "failure", now_ms)


def _record_probe(breaker: Kind, success: bool, now_ms: int, allowed_ms: int | None) -> Kind:
    """The report of a probe, or of a call that is none."""
    probes = list(breaker.probes)
    sent_ms = allowed_ms if allowed_ms is not None else min(probes, default=-1)
    if sent_ms not in probes:
        return _take(breaker, "late_report", now_ms)
    if not success:
        return _take(breaker, "probe_failed", now_ms)
    probes.remove(sent_ms)
    successes = breaker.successes + 1
    if successes >= breaker.success_threshold:
        return _take(breaker, "all_probes_succeeded", now_ms).cleared()
    breaker = replace(breaker, probes=tuple(probes), successes=successes)
    return _take(breaker, "probe_succeeded", now_ms)


def _take(breaker: Kind, event: str, now_ms: int) -> Kind:
    """The breaker after the row of the table for this event: the only place that sets `state`."""
    row = (breaker.state, event)
    state = TRANSITIONS[row]
    if state == breaker.state:
        return replace(breaker, row=row, clock_ms=now_ms)
    return replace(
        breaker, state=state, row=row, since_ms=now_ms, clock_ms=now_ms, probes=(), successes=0
    )


# --- Checks ---------------------------------------------------------------------------------------


def _whole(name: str, value: int, low: int) -> None:
    if type(value) is not int or value < low:
        raise ValueError(f"{name} must be a whole number of {low} or more, got {value!r}")


def _check_clock(breaker: Machine, now_ms: int) -> None:
    _whole("now_ms", now_ms, 0)
    if now_ms < breaker.clock_ms:
        raise ValueError(f"now_ms must be {breaker.clock_ms} or later, got {now_ms!r}")


# --- Presets --------------------------------------------------------------------------------------

HYSTRIX = RollingWindowBreaker(0.5, 20, 10_000, 5_000)
"""Hystrix's defaults: half of at least 20 calls in 10 s failed; it sleeps for 5 s; one probe."""
