"""Queues as values: when requests come, how long they take, and the threads that they wait for.

A `Pool` has so many threads and room for so many requests that wait for one. A request is a `Job`:
`offer` gives it a thread, a place in the queue, or neither; `release` takes its thread away and
hands it to the one that has waited longest. Whoever holds a thread keeps it, also while it waits
for somebody else's answer: that is how one slow service brings down those that call it.

How long a job takes is the model's business: it draws a time, schedules its own event, and calls
`release` when that event comes. A job that nobody waits for any more still holds its thread, or its
place, unless the model says otherwise (`withdraw`).

With exponential times, one pool is the textbook's queue: unlimited room gives M/M/c, none at all
gives Erlang's loss system; tests compare the waiting and the losses with the formulas.

Sources: Kleinrock, Queueing Systems, volume 1, 1975, chapter 3 (M/M/1, M/M/c, Erlang's formulas);
Little, "A Proof for the Queuing Formula: L = λW", Operations Research 9(3), 1961,
https://doi.org/10.1287/opre.9.3.383.

Simplified: time is in whole milliseconds, and a thread costs nothing while it waits.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log1p
from typing import Any, TypeAlias

from .draws import Draws
from .network import Latency
from .records import replace

UNLIMITED = -1
STARTED, QUEUED, REJECTED = "started", "queued", "rejected"


@dataclass(frozen=True, slots=True)
class Exponential:
    """Times from the exponential distribution with this mean (ms): the next one is never nearer.

    As the time between requests it makes a Poisson stream. `ValueError` for a mean of 0 or less.
    """

    mean_ms: float

    def __post_init__(self) -> None:
        if not self.mean_ms > 0:
            raise ValueError(f"mean_ms must be above 0 ms, got {self.mean_ms!r}")

    def quantile(self, share: float) -> float:
        """The time (ms) below which this share (from 0.0 to below 1.0) of the draws lies."""
        if not 0 <= share < 1:
            raise ValueError(f"share must be from 0 to below 1, got {share!r}")
        return -self.mean_ms * log1p(-share)

    def draw(self, draws: Draws) -> int:
        """A time from the distribution, in whole ms."""
        return int(draws.exponential(self.mean_ms) + 0.5)


Duration: TypeAlias = Latency | Exponential
"""A distribution of times: `draw(ctx)` gives whole ms, `quantile(share)` ms."""


def arrivals(rate_per_s: float) -> Exponential:
    """The times between the requests of a Poisson stream with so many a second, on average.

    `ValueError` for a rate of 0 or less: a model that has a pause schedules nothing.
    """
    if not rate_per_s > 0:
        raise ValueError(f"rate_per_s must be above 0 per second, got {rate_per_s!r}")
    return Exponential(1_000 / rate_per_s)


@dataclass(frozen=True, slots=True)
class Job:
    """A request in a pool: it holds a thread since `started_ms`, or waits for one (-1).

    `id` is unique within the pool; `body` is the model's own.
    """

    id: int
    arrived_ms: int
    body: Any = None
    started_ms: int = -1

    def waited_ms(self, now_ms: int) -> int:
        """How long it waited for its thread, or has waited so far."""
        return (now_ms if self.started_ms < 0 else self.started_ms) - self.arrived_ms


@dataclass(frozen=True, slots=True)
class Pool:
    """Threads and the queue before them, first come, first served.

    `queue_limit` is the number of jobs that may wait (`UNLIMITED`: any number). `busy` holds the
    jobs with a thread in the order in which they got it, `waiting` the others as they came.
    `pool_of` makes one and checks what it is given.
    """

    threads: int
    queue_limit: int = UNLIMITED
    busy: tuple[Job, ...] = ()
    waiting: tuple[Job, ...] = ()

    @property
    def idle(self) -> int:
        """Threads without a job; below 0 while more jobs run than there are threads left."""
        return self.threads - len(self.busy)

    @property
    def jobs(self) -> tuple[Job, ...]:
        """All that are in the pool: those at work, then those that wait."""
        return (*self.busy, *self.waiting)

    @property
    def bounded(self) -> bool:
        """Whether no more are at work than threads, and no more wait than may.

        Always, but after `resize` took threads away from jobs that were at work.
        """
        room = self.queue_limit == UNLIMITED or len(self.waiting) <= self.queue_limit
        return room and self.idle >= 0


def pool_of(threads: int, queue_limit: int = UNLIMITED) -> Pool:
    """An empty pool; `ValueError` for fewer than 1 thread, or a limit below 0 (but `UNLIMITED`)."""
    if threads < 1:
        raise ValueError(f"threads must be 1 or more, got {threads!r}")
    if queue_limit < 0 and queue_limit != UNLIMITED:
        raise ValueError(f"queue_limit must be 0 or more, or UNLIMITED (-1), got {queue_limit!r}")
    return Pool(threads, queue_limit)


def offer(pool: Pool, job: Job, now_ms: int) -> tuple[Pool, str]:
    """The pool with the job, and what became of it: `STARTED`, `QUEUED`, or `REJECTED` (full).

    A job that starts is the last of `busy`. `ValueError` for an id that is in the pool already.
    """
    if job_of(pool, job.id) is not None:
        raise ValueError(f"a job's id must be new to the pool, got {job.id!r} again")
    if pool.idle > 0:
        return replace(pool, busy=(*pool.busy, replace(job, started_ms=now_ms))), STARTED
    if pool.queue_limit == UNLIMITED or len(pool.waiting) < pool.queue_limit:
        return replace(pool, waiting=(*pool.waiting, job)), QUEUED
    return pool, REJECTED


def release(pool: Pool, job_id: int, now_ms: int) -> tuple[Pool, Job | None]:
    """The pool after a job gave its thread back, and the job that has the thread now.

    `None` if nobody waited. `ValueError` if no such job holds a thread.
    """
    busy = tuple(job for job in pool.busy if job.id != job_id)
    if len(busy) == len(pool.busy):
        holders = ", ".join(str(job.id) for job in pool.busy[:20]) or "none"
        raise ValueError(f"the job must hold a thread, got {job_id!r}; those that do: {holders}")
    return _hand_on(replace(pool, busy=busy), now_ms)


def withdraw(pool: Pool, job_id: int) -> tuple[Pool, bool]:
    """The pool without a job that was waiting, and whether it was."""
    waiting = tuple(job for job in pool.waiting if job.id != job_id)
    if len(waiting) == len(pool.waiting):
        return pool, False
    return replace(pool, waiting=waiting), True


def resize(pool: Pool, threads: int, now_ms: int) -> tuple[Pool, tuple[Job, ...]]:
    """The pool with so many threads, and the jobs that start because of it.

    With fewer threads than before, those that are at work finish first.
    """
    pool_of(threads, pool.queue_limit)
    pool, started = replace(pool, threads=threads), []
    while pool.idle > 0 and pool.waiting:
        pool, job = _hand_on(pool, now_ms)
        started.extend([job] if job else [])
    return pool, tuple(started)


def _hand_on(pool: Pool, now_ms: int) -> tuple[Pool, Job | None]:
    """Give a free thread to the job that has waited longest."""
    if pool.idle <= 0 or not pool.waiting:
        return pool, None
    job = replace(pool.waiting[0], started_ms=now_ms)
    return replace(pool, busy=(*pool.busy, job), waiting=pool.waiting[1:]), job


def job_of(pool: Pool, job_id: int) -> Job | None:
    """The job of this id, at work or waiting."""
    return next((job for job in pool.jobs if job.id == job_id), None)


# --- Counting over time ---------------------------------------------------------------------------

KEPT_BINS = 240


@dataclass(frozen=True, slots=True)
class Series:
    """How often something happened, by time: one count per `bin_ms`, the newest `KEPT_BINS`.

    `first` is the number of the bin that `counts` starts with: bin k begins at `k * bin_ms`.
    """

    bin_ms: int
    first: int = 0
    counts: tuple[int, ...] = ()

    def add(self, now_ms: int, amount: int = 1) -> Series:
        """The series with so many more at this time; `ValueError` for a time before its last bin.

        Bins in which nothing happened count 0.
        """
        number = now_ms // self.bin_ms
        missing = number - (self.first + len(self.counts)) + 1
        if missing < 0:
            last_ms = (number - missing) * self.bin_ms
            raise ValueError(f"now_ms must be {last_ms} or later, got {now_ms!r}")
        counts, first = self.counts, self.first
        if missing >= KEPT_BINS:
            counts, first = (0,) * KEPT_BINS, number - KEPT_BINS + 1
        elif missing:
            counts = counts + (0,) * missing
            if len(counts) > KEPT_BINS:
                first += len(counts) - KEPT_BINS
                counts = counts[-KEPT_BINS:]
        return Series(self.bin_ms, first, (*counts[:-1], counts[-1] + amount))

    def bins(self) -> tuple[tuple[int, int], ...]:
        """Pairs `(start of the bin in ms, count)`."""
        return tuple(
            ((self.first + index) * self.bin_ms, count) for index, count in enumerate(self.counts)
        )

    def total(self, from_ms: int = 0, until_ms: int | None = None) -> int:
        """The sum of the kept bins that begin at or after `from_ms`, and before `until_ms`."""
        return sum(
            count
            for start_ms, count in self.bins()
            if start_ms >= from_ms and (until_ms is None or start_ms < until_ms)
        )
