"""The numbers that the chapter on rate limiting takes from runs."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from typing import Any

from ..kernel import Run
from ..patterns.distributed_rate_limiter.scenarios import OUTAGE
from ..patterns.distributed_rate_limiter.state import (
    LOCAL,
    NAIVE,
    SHARED,
    SPLIT,
    SYNC,
    intervals_of,
)
from ..patterns.distributed_rate_limiter.tally import Tally
from ..patterns.rate_limiter import (
    FixedWindow,
    Limiter,
    SlidingWindowCounter,
    SlidingWindowLog,
    TokenBucket,
)
from ..patterns.rate_limiter.model import COUNTER, FIXED, LAPSES, LOG, TOKEN
from ..patterns.rate_limiter.scenarios import between
from .runs import noted, run_of

# --- The attack of the table: 100 a minute, asked without any scenario ----------------------------

MINUTE_MS = 60_000
A_MINUTE = Fraction(100, 60)
LIMITERS: dict[str, Limiter] = {
    "fixed": FixedWindow(100, MINUTE_MS),
    "log": SlidingWindowLog(100, MINUTE_MS),
    "counter": SlidingWindowCounter(100, MINUTE_MS),
    "bucket": TokenBucket(100, A_MINUTE),
    "small bucket": TokenBucket(10, A_MINUTE),
}
# 100 in the last millisecond of a minute, then 100 a second throughout the next minute.
ATTACK_MS = (*[MINUTE_MS - 1] * 100, *range(MINUTE_MS, 2 * MINUTE_MS, 10))


@noted
def admitted_ms(name: str) -> tuple[int, ...]:
    """When this limiter admits a request of the attack."""
    limiter, admitted = LIMITERS[name], []
    for now_ms in ATTACK_MS:
        limiter, decision = limiter.request(now_ms)
        if decision.allowed:
            admitted.append(now_ms)
    return tuple(admitted)


def worst(name: str, span_ms: int) -> str:
    """The most that the limiter admits in any span of this length."""
    times = admitted_ms(name)
    return str(max(sum(end - span_ms < t <= end for t in times) for end in times))


# --- One limiter of each kind ---------------------------------------------------------------------


@noted
def six(scenario: str) -> Run[Any]:
    return run_of("rate_limiter", scenario)


def the_same(counts: list[int]) -> str:
    """What all of them are; `ValueError` if they differ."""
    (count,) = set(counts)
    return f"{count:,}"


def boundary_others() -> str:
    return the_same([n for which, n in enumerate(six("boundary").last.admitted) if which != FIXED])


BURST_MS, BURST_END_MS = 5_000, 9_999


def burst_trickle() -> str:
    """What the buckets admit of the trickle while the windows admit nothing."""
    admitted = between(six("burst"), BURST_MS, BURST_END_MS)[1]
    assert not any(admitted[which] for which in (FIXED, LOG, COUNTER))
    return str(admitted[TOKEN])


def burst_wait_ms(which: int) -> int:
    """What the first refused request of the burst is told.

    The picture's newest requests are those of the burst until the trickle begins.
    """
    return int(six("burst").state_at(BURST_MS).waits_ms[which])


def burst_last_leaves() -> str:
    return f"{six('burst').state_at(BURST_MS).six.leaky.delay_ms / 1_000:g} s"


def flood(which: int) -> str:
    """What is admitted in 20 s of the flood, after the burst."""
    return str(between(six("flood"), 4_999, 24_999)[1][which])


def flood_admitted() -> str:
    admitted = between(six("flood"), 4_999, 24_999)[1]
    return the_same([n for which, n in enumerate(admitted) if which != COUNTER])


def day_refused(which: int) -> str:
    state = six("day").last
    return f"{100 * (state.asked - state.admitted[which]) / state.asked:.1f} %"


def day_peak(which: int) -> str:
    return f"{six('day').last.peak[which]:,}"


HOURS = dict(enumerate(("six", "seven", "eight", "nine", "ten", "eleven", "twelve"), 6))


def day_refused_between() -> str:
    """The whole hours, in words, between which all refusals of the recorded day fall."""
    run, shown_ms = six("day"), 60 * MINUTE_MS // LAPSES["minutes-10"]
    refusing = []
    for hour in range(24):
        asked, admitted = between(run, hour * shown_ms - 1, (hour + 1) * shown_ms - 1)
        if any(count < asked for count in admitted):
            refusing.append(hour)
    return f"{HOURS[refusing[0]]} and {HOURS[refusing[-1] + 1]}"


def github_out() -> Any:
    """The state in which GitHub's quota has run out, at the first refusal."""
    states = six("github").history.states()
    return next(state for state in states if state.waits_ms[FIXED] > 0)


def github_minute() -> str:
    """The minute of the hour at the first refusal."""
    return f"{github_out().at_ms / MINUTE_MS:.0f}"


def gateway_first() -> str:
    """What the token bucket admits up to the end of the first second."""
    return f"{six('api-gateway').state_at(1_000).admitted[TOKEN]:,}"


def gateway_later() -> str:
    """What it admits in every second after that, to the end of the run."""
    run = six("api-gateway")
    seconds = range(1, run.last.at_ms // 1_000)
    return the_same([between(run, 1_000 * k, 1_000 * (k + 1))[1][TOKEN] for k in seconds])


# --- Ten servers ----------------------------------------------------------------------------------


@noted
def ten(scenario: str) -> Any:
    """The state in which a run with ten servers ends."""
    return run_of("distributed_rate_limiter", scenario).last


def tally(scenario: str, strategy: int) -> Tally:
    found: Tally = ten(scenario).tallies[strategy]
    return found


def sent(scenario: str) -> str:
    return f"{ten(scenario).sent.number:,}"


INTERVALS_MS = (100, 250, 500, 1_000, 2_000)


def sync_place(interval_ms: int) -> int:
    """Where the strategy with this interval stands among the tallies."""
    return SYNC + intervals_of(ten("periodic-sync").params).index(interval_ms)


def sync_admitted(interval_ms: int) -> str:
    return str(tally("periodic-sync", sync_place(interval_ms)).admitted_total)


def sync_calls(interval_ms: int) -> str:
    return str(ten("periodic-sync").calls[sync_place(interval_ms)])


def split_mean(servers: int = 10, requests: int = 100) -> float:
    """What a split quota admits of exactly the limit, on average over all ways to deal at random.

    Each server gets k of the requests with the binomial probability and admits its share of them.
    """
    share, p = requests // servers, 1 / servers
    of_one = math.fsum(
        min(k, share) * math.comb(requests, k) * p**k * (1 - p) ** (requests - k)
        for k in range(requests + 1)
    )
    return servers * of_one


def split_in_turn() -> str:
    dealt = run_of("distributed_rate_limiter", "split-quota", params={"balancing": "round_robin"})
    return str(dealt.last.tallies[SPLIT].admitted_total)


NUMBERS: dict[str, Callable[[], str]] = {
    "boundary fixed": lambda: str(six("boundary").last.peak[FIXED]),
    "boundary others": boundary_others,
    "burst admitted": lambda: the_same(list(six("burst").state_at(BURST_MS).admitted)),
    "burst trickle": burst_trickle,
    "burst wait bucket": lambda: f"{burst_wait_ms(TOKEN)} ms",
    "burst wait window": lambda: f"{burst_wait_ms(FIXED) / 1_000:g} s",
    "burst last leaves": burst_last_leaves,
    "flood asked": lambda: str(between(six("flood"), 4_999, 24_999)[0]),
    "flood admitted": flood_admitted,
    "flood counter": lambda: flood(COUNTER),
    "day asked": lambda: f"{six('day').last.asked:,}",
    "day token refused": lambda: day_refused(TOKEN),
    "day fixed refused": lambda: day_refused(FIXED),
    "day log refused": lambda: day_refused(LOG),
    "day counter refused": lambda: day_refused(COUNTER),
    "day token peak": lambda: day_peak(TOKEN),
    "day fixed peak": lambda: day_peak(FIXED),
    "day log peak": lambda: day_peak(LOG),
    "day counter peak": lambda: day_peak(COUNTER),
    "day refused between": day_refused_between,
    "github minute": github_minute,
    "github wait": lambda: f"{github_out().waits_ms[FIXED] / MINUTE_MS:.0f}",
    "gateway first": gateway_first,
    "gateway later": gateway_later,
    "counter worst": lambda: worst("counter", MINUTE_MS),
    "fixed worst": lambda: worst("fixed", MINUTE_MS),
    "fixed worst second": lambda: worst("fixed", 1_000),
    "log worst": lambda: worst("log", MINUTE_MS),
    "log worst second": lambda: worst("log", 1_000),
    "counter worst again": lambda: worst("counter", MINUTE_MS),
    "counter worst second": lambda: worst("counter", 1_000),
    "bucket worst": lambda: worst("bucket", MINUTE_MS),
    "bucket worst second": lambda: worst("bucket", 1_000),
    "small bucket worst": lambda: worst("small bucket", MINUTE_MS),
    "small bucket worst second": lambda: worst("small bucket", 1_000),
    "local sent": lambda: sent("local-counters"),
    "local admitted": lambda: f"{tally('local-counters', LOCAL).admitted_total:,}",
    "split admitted": lambda: str(tally("split-quota", SPLIT).admitted_total),
    "split refused": lambda: str(tally("split-quota", SPLIT).wrong),
    "split mean": lambda: f"{split_mean():.0f}",
    "split mean exactly": lambda: f"{split_mean():.1f}",
    "split in turn": split_in_turn,
    "race admitted": lambda: str(tally("get-then-set", NAIVE).admitted_total),
    "race counted": lambda: str(ten("get-then-set").store.naive.count),
    "shared sent": lambda: sent("shared-counter"),
    "shared admitted": lambda: str(tally("shared-counter", SHARED).admitted_total),
    "shared wait": lambda: f"{ten('shared-counter').waits.mean_ms:.0f} ms",
    "locked sent": lambda: sent("key-never-expires"),
    "locked admitted": lambda: str(tally("key-never-expires", SHARED).admitted_total),
    "outage": lambda: f"{(OUTAGE[1][0] - OUTAGE[0][0]) / 1_000:g}",
    "open silent": lambda: str(ten("fail-open").mishaps.timeouts),
    "open admitted": lambda: str(tally("fail-open", SHARED).admitted_total),
    "closed wrong": lambda: str(tally("fail-closed", SHARED).wrong),
    **{f"sync {ms} admitted": partial(sync_admitted, ms) for ms in INTERVALS_MS},
    **{f"sync {ms} calls": partial(sync_calls, ms) for ms in INTERVALS_MS},
}
