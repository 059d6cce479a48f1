"""A queue with one server, run on the kernel's pool, and what Kleinrock's formula says of it.

The model is the textbook's M/M/1: requests come as a Poisson stream, and their service takes an
exponential time (Kleinrock, Queueing Systems, volume 1, 1975, section 3.2).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, partial

from ..kernel import (
    Context,
    Exponential,
    Job,
    Pool,
    offer,
    pool_of,
    release,
    replace,
    run_until,
    start,
)
from .base import Figure, Point, Row, column
from .ink import Sheet, curve, label, theory

SERVICE = Exponential(1_000)
REQUESTS, SEEDS = 20_000, range(4)


@dataclass(frozen=True, slots=True)
class Queue:
    """The pool, the number of requests that have come, and what those that began have waited."""

    pool: Pool
    came: int = 0
    begun: int = 0
    waited_ms: int = 0


@dataclass(frozen=True, slots=True)
class Arrive:
    """The next request comes."""


@dataclass(frozen=True, slots=True)
class Finish:
    """The request of this number is done."""

    number: int


def init(ctx: Context) -> Queue:
    ctx.after(0, Arrive())
    return Queue(pool_of(1))


def begun(queue: Queue, job: Job | None, ctx: Context) -> Queue:
    """The queue when a request has begun; it draws how long it takes."""
    if job is None:
        return queue
    ctx.after(SERVICE.draw(ctx), Finish(job.id))
    waited_ms = queue.waited_ms + job.waited_ms(ctx.now_ms)
    return replace(queue, begun=queue.begun + 1, waited_ms=waited_ms)


def update(between: Exponential, queue: Queue, event: Arrive | Finish, ctx: Context) -> Queue:
    """The queue after an event; `between` is the time from one request to the next."""
    if isinstance(event, Finish):
        pool, job = release(queue.pool, event.number, ctx.now_ms)
        return begun(replace(queue, pool=pool), job, ctx)
    ctx.after(between.draw(ctx), Arrive())
    waits = queue.pool.idle == 0
    pool, _ = offer(queue.pool, Job(queue.came, ctx.now_ms), ctx.now_ms)
    queue = replace(queue, pool=pool, came=queue.came + 1)
    return queue if waits else begun(queue, pool.busy[-1], ctx)


@cache
def waited(utilization: float) -> float:
    """The mean wait before service, in mean times of service, over all seeds."""
    between = Exponential(SERVICE.mean_ms / utilization)
    requests = waited_ms = 0.0
    for seed in SEEDS:
        first = start(partial(update, between), init, seed)
        last = run_until(first, round(REQUESTS * between.mean_ms), 10 * REQUESTS)[-1].state
        requests, waited_ms = requests + last.begun, waited_ms + last.waited_ms
    return waited_ms / requests / SERVICE.mean_ms


def wait(point: Point, series: str) -> float:
    """The mean wait at a utilization of `point` percent."""
    utilization = point / 100
    return utilization / (1 - utilization) if series == "formula" else waited(utilization)


def paint_wait(sheet: Sheet, rows: tuple[Row, ...]) -> None:
    axes = sheet.axes(
        (34, 34, 326, 218),
        [(at, f"{at} %") for at in (25, 50, 75, 100)],
        [(at, f"{at}") for at in (0, 5, 10, 15, 20)],
        x_range=(0, 100),
        y_range=(0, 21),
    )
    grid = [point / 2 for point in range(191)]
    theory(axes, grid, [point / (100 - point) for point in grid])
    curve(axes, *column(rows, 0), 0, linestyle="none")
    label(axes, 88, 13.5, "formula: ρ/(1 − ρ)", ha="right")
    label(axes, 74, 5.6, "dots: runs", ha="right")
    sheet.words(4, 16, "Mean wait, in times of service")
    sheet.words(326, 256, "load, ρ", ha="right")


FIGURES = (
    Figure(
        name="queue_wait",
        title="Waiting against load",
        point_name="load in %",
        points=(10, 20, 30, 40, 50, 60, 70, 80, 85, 90, 95),
        series=("measured", "formula"),
        cell=wait,
        paint=paint_wait,
        form="{:.2f}",
        height=264,
    ),
)
