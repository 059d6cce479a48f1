"""One queue with one server, in this kernel and in SimPy: the same model, written for each."""

from __future__ import annotations

import random
from dataclasses import dataclass

import simpy

from pysims.kernel import Context, History, run_until
from pysims.kernel.sim import start

ARRIVAL_MS = 1_000.0
SERVICE_MS = 800.0


@dataclass(frozen=True, slots=True)
class Queue:
    """`waiting` holds the arrival times (ms) of those in line, the one in service first."""

    waiting: tuple[int, ...]
    served: int
    waited_ms: int


@dataclass(frozen=True, slots=True)
class Arrive:
    """A customer joins the line."""


@dataclass(frozen=True, slots=True)
class Depart:
    """The customer at the head has been served."""


ARRIVE, DEPART = Arrive(), Depart()


def init(ctx: Context) -> Queue:
    ctx.after(round(ctx.exponential(ARRIVAL_MS)), ARRIVE)
    return Queue((), 0, 0)


def update(queue: Queue, event: Arrive | Depart, ctx: Context) -> Queue:
    waiting = queue.waiting
    if event is ARRIVE:
        ctx.after(round(ctx.exponential(ARRIVAL_MS)), ARRIVE)
        if waiting:
            return Queue((*waiting, ctx.now_ms), queue.served, queue.waited_ms)
        ctx.after(round(ctx.exponential(SERVICE_MS)), DEPART)
        return Queue((ctx.now_ms,), queue.served, queue.waited_ms)
    waited_ms = queue.waited_ms
    if len(waiting) > 1:
        ctx.after(round(ctx.exponential(SERVICE_MS)), DEPART)
        waited_ms += ctx.now_ms - waiting[1]
    return Queue(waiting[1:], queue.served + 1, waited_ms)


def run_ours(customers: int, seed: int = 1) -> History[Queue]:
    """The run until about so many customers have come, with its whole history."""
    return run_until(start(update, init, seed), round(customers * ARRIVAL_MS), 10 * customers)


def run_simpy(customers: int, seed: int = 1) -> float:
    """The same in SimPy; gives the mean time in line, in ms."""
    rng = random.Random(seed)
    env = simpy.Environment()
    server = simpy.Resource(env, 1)
    waited = [0.0]

    def customer() -> simpy.events.ProcessGenerator:
        came = env.now
        with server.request() as turn:
            yield turn
            waited[0] += env.now - came
            yield env.timeout(rng.expovariate(1 / SERVICE_MS))

    def source() -> simpy.events.ProcessGenerator:
        for _ in range(customers):
            yield env.timeout(rng.expovariate(1 / ARRIVAL_MS))
            env.process(customer())

    env.process(source())
    env.run()
    return waited[0] / customers
