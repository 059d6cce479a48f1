"""The server that is called: threads, a bounded queue, and whether it is up.

While it is down it refuses every call without any work. When it is up and full it refuses as well,
and that costs it: a refusal takes a part of a call's time, which the threads share, so calls that
start meanwhile take longer. What it cannot even refuse within a second it drops unread.

Source: Beyer et al., Site Reliability Engineering, 2016, chapter 21 ("Handling Overload"): turning
a request away costs resources too, https://sre.google/sre-book/handling-overload/.

Simplified: the time spent on refusals delays the calls that start next, not those that have begun.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...kernel import Context, Exponential, Job, Pool, offer, pool_of, release, replace
from .settings import Params

REFUSING_US_MAX = 1_000_000


@dataclass(frozen=True, slots=True)
class Finish:
    """A call's thread has done its work."""

    job: int


@dataclass(frozen=True, slots=True)
class Server:
    """A pool of threads with its queue; `back_ms` is when it comes up by itself (-1: never).

    `refusing_until_us` is how far its threads are booked with refusals. `changed_ms` is when it
    last came up or went down. `thread_ms` adds up the time that finished calls held a thread since
    it came up.
    """

    pool: Pool
    up: bool
    back_ms: int = -1
    changed_ms: int = 0
    next_job: int = 0
    refusing_until_us: int = 0
    thread_ms: int = 0


def server_of(params: Params) -> Server:
    """A server that is down for `outage_ms`, or up if that is 0."""
    pool = pool_of(params.threads, params.queue)
    return Server(pool, up=params.outage_ms == 0, back_ms=params.outage_ms or -1)


def capacity_per_s(params: Params) -> float:
    """The calls a second that the server can answer, if it does nothing else."""
    return 1_000 * params.threads / params.service_ms


def room(server: Server) -> int:
    """How many calls the server would take at this moment."""
    if not server.up:
        return 0
    return max(0, server.pool.idle) + server.pool.queue_limit - len(server.pool.waiting)


def admit(server: Server, params: Params, body: Any, ctx: Context) -> Server:
    """The server with one call more; there must be room."""
    pool, outcome = offer(server.pool, Job(server.next_job, ctx.now_ms, body), ctx.now_ms)
    if outcome == "rejected":
        raise ValueError(f"room for a call must be above 0, got {room(server)}")
    if outcome == "started":
        _work(server, params, server.next_job, ctx)
    return replace(server, pool=pool, next_job=server.next_job + 1)


def refuse(server: Server, params: Params, count: int, now_ms: int) -> Server:
    """The server after it refused so many calls; while it is down, that costs it nothing."""
    if not server.up or not count:
        return server
    now_us = now_ms * 1_000
    cost_us = round(count * params.service_ms * params.refusal * 10 / params.threads)
    until_us = max(now_us, server.refusing_until_us) + cost_us
    return replace(server, refusing_until_us=min(until_us, now_us + REFUSING_US_MAX))


def finish(server: Server, params: Params, job: Job, ctx: Context) -> Server:
    """The server after a call was answered; the thread goes on with the next one."""
    pool, following = release(server.pool, job.id, ctx.now_ms)
    if following:
        _work(server, params, following.id, ctx)
    return replace(server, pool=pool, thread_ms=server.thread_ms + ctx.now_ms - job.started_ms)


def come_up(server: Server, now_ms: int) -> Server:
    return replace(server, up=True, back_ms=-1, changed_ms=now_ms, thread_ms=0)


def go_down(server: Server, now_ms: int) -> tuple[Server, tuple[Job, ...]]:
    """The server after it went down, and the calls that it held: nobody answers them."""
    pool = server.pool
    down = replace(
        server,
        pool=replace(pool, busy=(), waiting=()),
        up=False,
        back_ms=-1,
        changed_ms=now_ms,
        refusing_until_us=0,
        thread_ms=0,
    )
    return down, pool.jobs


def within_capacity(server: Server, now_ms: int) -> bool:
    """No more threads at work than there are, and no more of their time used than passed."""
    pool = server.pool
    used_ms = server.thread_ms + sum(now_ms - job.started_ms for job in pool.busy)
    return pool.bounded and used_ms <= pool.threads * (now_ms - server.changed_ms)


def _work(server: Server, params: Params, job: int, ctx: Context) -> None:
    """Let a call that has its thread now finish in time, after the refusals before it."""
    behind_ms = max(0, server.refusing_until_us // 1_000 - ctx.now_ms)
    ctx.after(behind_ms + Exponential(params.service_ms).draw(ctx), Finish(job))
