"""Queues against the theory of queues, and what a pool does with each job."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pysims.kernel import (
    QUEUED,
    REJECTED,
    STARTED,
    UNLIMITED,
    Context,
    Draws,
    Exponential,
    Job,
    Pool,
    Series,
    arrivals,
    job_of,
    offer,
    pool_of,
    release,
    resize,
    run_until,
    start,
    withdraw,
)

# --- The formulas ---------------------------------------------------------------------------------


def erlang_b(servers: int, load: float) -> float:
    """The share of calls lost when nobody may wait (Erlang 1917), by its usual recursion."""
    lost = 1.0
    for n in range(1, servers + 1):
        lost = load * lost / (n + load * lost)
    return lost


def erlang_c(servers: int, load: float) -> float:
    """The share of requests that must wait when everybody may."""
    lost = erlang_b(servers, load)
    return lost / (1 - load / servers * (1 - lost))


def mean_wait(servers: int, arrivals_per_ms: float, service_ms: float) -> float:
    """The mean time (ms) in the line of M/M/c."""
    load = arrivals_per_ms * service_ms
    return erlang_c(servers, load) * service_ms / (servers - load)


def test_the_formulas_agree_where_they_must() -> None:
    assert erlang_c(1, 0.8) == pytest.approx(0.8)
    assert mean_wait(1, 0.0008, 1_000) == pytest.approx(0.8 / (1 - 0.8) * 1_000)
    # The sum that Erlang's formula is usually written as.
    terms = [1.0]
    for n in range(1, 6):
        terms.append(terms[-1] * 4.0 / n)
    assert erlang_b(5, 4.0) == pytest.approx(terms[-1] / sum(terms))


# --- The same queues, run -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Station:
    """One pool under a Poisson stream, and what was measured."""

    pool: Pool
    came: int = 0
    started: int = 0
    rejected: int = 0
    delayed: int = 0
    waited_ms: int = 0
    waits: tuple[int, ...] = ()
    changed_ms: int = 0
    job_ms: int = 0


@dataclass(frozen=True, slots=True)
class Arrive:
    pass


@dataclass(frozen=True, slots=True)
class Finish:
    job: int


BATCH = 1_000
"""Waits are summed in batches, whose means are nearly independent."""


def update(
    every: Exponential, service: Exponential, s: Station, event: object, ctx: Context
) -> Station:
    present = len(s.pool.busy) + len(s.pool.waiting)
    s = replace(s, job_ms=s.job_ms + present * (ctx.now_ms - s.changed_ms), changed_ms=ctx.now_ms)
    if isinstance(event, Arrive):
        ctx.after(every.draw(ctx), event)
        pool, verdict = offer(s.pool, Job(s.came, ctx.now_ms), ctx.now_ms)
        s = replace(s, pool=pool, came=s.came + 1)
        if verdict == REJECTED:
            return replace(s, rejected=s.rejected + 1)
        return began(s, pool.busy[-1], service, ctx) if verdict == STARTED else s
    assert isinstance(event, Finish)
    pool, job = release(s.pool, event.job, ctx.now_ms)
    s = replace(s, pool=pool)
    return began(s, job, service, ctx) if job else s


def began(s: Station, job: Job, service: Exponential, ctx: Context) -> Station:
    ctx.after(service.draw(ctx), Finish(job.id))
    wait_ms = job.waited_ms(ctx.now_ms)
    s = replace(
        s, started=s.started + 1, waited_ms=s.waited_ms + wait_ms, delayed=s.delayed + (wait_ms > 0)
    )
    if s.started % BATCH:
        return s
    return replace(s, waits=(*s.waits, s.waited_ms))


def run(servers: int, queue_limit: int, load: float, jobs: int, seed: int) -> Station:
    """A station with so many Erlang of load, after about so many jobs; service takes 10 s."""
    service = Exponential(10_000)
    every = arrivals(load / 10)

    def init(ctx: Context) -> Station:
        ctx.after(every.draw(ctx), Arrive())
        return Station(pool_of(servers, queue_limit))

    sim = start(partial(update, every, service), init, seed)
    history = run_until(sim, round(jobs * every.mean_ms), limit=3 * jobs)
    state: Station = history[-1].state
    return state


@pytest.mark.parametrize(("servers", "load"), [(1, 0.5), (1, 0.8), (2, 1.4), (5, 3.5), (10, 8.0)])
def test_waiting_agrees_with_the_formula_for_m_m_c(servers: int, load: float) -> None:
    s = run(servers, UNLIMITED, load, 40_000, seed=servers)
    sums = [later - earlier for earlier, later in pairwise((0, *s.waits))][2:]
    means = [total / BATCH for total in sums]
    mean = sum(means) / len(means)
    spread = sqrt(sum((m - mean) ** 2 for m in means) / (len(means) - 1) / len(means))
    expected = mean_wait(servers, load / 10_000, 10_000)
    # 99.9 %: five such intervals at 95 % would miss one time in four.
    assert abs(mean - expected) <= 3.5 * spread, (mean, expected, spread)
    # An interval that is too wide would agree with anything.
    assert spread <= 0.15 * expected
    assert s.delayed / s.started == pytest.approx(erlang_c(servers, load), rel=0.08)


@pytest.mark.parametrize(("servers", "load"), [(1, 1.0), (5, 4.0), (10, 12.0)])
def test_losses_agree_with_erlangs_formula(servers: int, load: float) -> None:
    s = run(servers, 0, load, 40_000, seed=servers)
    lost, share = s.rejected / s.came, erlang_b(servers, load)
    assert abs(lost - share) <= 4 * sqrt(share * (1 - share) / s.came) * 1.5
    assert s.waited_ms == 0


def test_littles_law() -> None:
    """The mean number in the station is the arrival rate times the mean time in it."""
    s = run(3, UNLIMITED, 2.4, 40_000, seed=8)
    number = s.job_ms / s.changed_ms
    time_ms = s.waited_ms / s.started + 10_000
    assert number == pytest.approx(s.came / s.changed_ms * time_ms, rel=0.02)


# --- What a pool does -----------------------------------------------------------------------------


def filled(threads: int, queue_limit: int, jobs: int) -> Pool:
    pool = pool_of(threads, queue_limit)
    for number in range(jobs):
        pool, _ = offer(pool, Job(number, 0), 0)
    return pool


def test_a_job_gets_a_thread_then_a_place_then_nothing() -> None:
    pool = pool_of(1, 1)
    verdicts = []
    for number in range(3):
        pool, verdict = offer(pool, Job(number, number), number)
        verdicts.append(verdict)
    assert verdicts == [STARTED, QUEUED, REJECTED]
    assert [job.id for job in pool.busy] == [0]
    assert [job.id for job in pool.waiting] == [1]
    pool, job = release(pool, 0, 7)
    assert job == Job(1, 1, started_ms=7)
    assert job.waited_ms(100) == 6
    assert release(pool, 1, 9) == (pool_of(1, 1), None)


def test_who_gave_up_leaves_the_queue_but_not_the_thread() -> None:
    pool = filled(1, UNLIMITED, 3)
    pool, was = withdraw(pool, 1)
    assert was
    assert [job.id for job in pool.waiting] == [2]
    assert withdraw(pool, 0) == (pool, False)


def test_more_threads_start_who_waits_and_fewer_let_finish() -> None:
    pool, started = resize(filled(1, UNLIMITED, 4), 3, 5)
    assert [(job.id, job.started_ms) for job in started] == [(1, 5), (2, 5)]
    pool, started = resize(pool, 1, 6)
    assert (pool.idle, started, pool.bounded) == (-2, (), False)
    pool, job = release(pool, 0, 7)
    assert job is None
    pool, job = release(pool, 1, 8)
    assert job is None
    pool, job = release(pool, 2, 9)
    assert job is not None
    assert job.id == 3


@given(
    st.integers(1, 4),
    st.integers(0, 4),
    st.lists(st.tuples(st.sampled_from("orw"), st.integers(0, 9)), max_size=60),
)
def test_a_pool_never_holds_more_than_it_may(
    threads: int, queue_limit: int, steps: list[tuple[str, int]]
) -> None:
    pool = pool_of(threads, queue_limit)
    came = 0
    for now_ms, (what, number) in enumerate(steps):
        if what == "o":
            pool, _ = offer(pool, Job(came, now_ms), now_ms)
            came += 1
        elif what == "r" and pool.busy:
            pool, _ = release(pool, pool.busy[number % len(pool.busy)].id, now_ms)
        elif what == "w":
            pool, _ = withdraw(pool, number)
        assert len(pool.busy) <= threads
        assert len(pool.waiting) <= queue_limit
        assert pool.bounded
        # Nobody waits while a thread is idle, and who waits came in this order.
        assert not pool.waiting or pool.idle == 0
        assert list(pool.waiting) == sorted(pool.waiting, key=lambda job: job.id)
        assert all(job_of(pool, job.id) is job for job in pool.jobs)


def test_what_is_not_allowed_is_named() -> None:
    pool = filled(1, 1, 2)
    with pytest.raises(ValueError, match="threads must be 1 or more, got 0"):
        pool_of(0)
    with pytest.raises(ValueError, match=r"queue_limit must be 0 or more.*got -2"):
        pool_of(1, -2)
    with pytest.raises(ValueError, match="new to the pool, got 1 again"):
        offer(pool, Job(1, 0), 0)
    with pytest.raises(ValueError, match="got 1; those that do: 0"):
        release(pool, 1, 0)
    with pytest.raises(ValueError, match="mean_ms must be above 0 ms, got 0"):
        Exponential(0)
    with pytest.raises(ValueError, match="rate_per_s must be above 0 per second, got -1"):
        arrivals(-1)
    with pytest.raises(ValueError, match="share must be from 0 to below 1, got 1"):
        Exponential(1).quantile(1)


def test_draws_follow_the_quantiles() -> None:
    times = sorted(Exponential(1_000).draw(Draws(5, n)) for n in range(20_000))
    for share in (0.1, 0.5, 0.9, 0.99):
        expected = Exponential(1_000).quantile(share)
        assert times[int(share * len(times))] == pytest.approx(expected, rel=0.06)


# --- Counting over time ---------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(0, 40_000), st.integers(0, 5)), max_size=40))
def test_a_series_is_a_count_per_bin(steps: list[tuple[int, int]]) -> None:
    series, now_ms, told = Series(100), 0, []
    for wait_ms, amount in steps:
        now_ms += wait_ms
        told.append((now_ms, amount))
        series = series.add(now_ms, amount)
    assert len(series.counts) <= 240
    for start_ms, count in series.bins():
        assert count == sum(n for at, n in told if start_ms <= at < start_ms + 100)
    kept_from = series.first * 100
    assert series.total() == sum(n for at, n in told if at >= kept_from)
    if told:
        assert series.bins()[-1][0] == now_ms // 100 * 100


def test_a_series_does_not_go_back() -> None:
    series = Series(100).add(350).add(399)
    assert series.bins() == ((0, 0), (100, 0), (200, 0), (300, 2))
    with pytest.raises(ValueError, match="now_ms must be 300 or later, got 299"):
        series.add(299)
    assert series.total(from_ms=300) == 2
    assert series.total(until_ms=300) == 0
