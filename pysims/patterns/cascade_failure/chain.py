"""The chain as a value: six places, what came to each, and what became of it.

The users and the five services are six *places* in a row. A request at a place is a job in that
place's pool: it does its own work, then calls the next place, and holds its thread until the answer
is there. The users are such a place too, with a thread for each request and no work of their own,
so that one rule serves all five kinds of call.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from ...guards.circuit_breaker import RollingWindowBreaker
from ...guards.retry_budget import RetryBudget
from ...kernel import Job, Pool, Series, pool_of
from .params import BREAKER, BUDGET, NAMES, THREADS, Params

USERS, FRONT, LAST = 0, 1, len(NAMES) - 1
"""Places by number: the users are 0, A is 1, E is 5."""
SERVICES, PLACES = range(FRONT, LAST + 1), range(LAST + 1)
WITHOUT_NUMBER = 1_000_000
"""Threads of the users: they never run out."""

BIN_MS = 500
"""Of the charts: of a shorter bin one would see chance alone."""
RECENT, BACK_AT, DOWN_AT = 20, 18, 2
"""Of the last 20 users' requests that ended: with 18 answers A is back, with 2 it is down."""

Counts: TypeAlias = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Task:
    """The body of a job: for whom it is, how far it has to go, and what it waits for.

    `caller` is the id of the job one place up that asked (-1 for a user's own), `depth` the number
    of the last place that the request needs. `worked_ms` is what its own work took, -1 while it
    lasts. `call` is the id of the job at the next place that it waits for since `called_ms` and
    until `deadline_ms`; each is -1 when there is none. `attempt` counts its calls from 0.
    """

    caller: int
    depth: int
    worked_ms: int = -1
    call: int = -1
    called_ms: int = -1
    deadline_ms: int = -1
    attempt: int = 0


@dataclass(frozen=True, slots=True)
class Chain:
    """Six places; a tuple has one item for each, the users first.

    What came to a place (`received`) ends as one of: `refused` (no room, or shed), `answered`,
    `wasted` (done, but the user, or a caller on the way to him, had given up), `failed`.
    `useful_ms` is the thread time of own work that the answered ones took. `breakers` and `budgets`
    are those of the calls that a place makes, `alarms` when it looks for calls that are overdue
    (-1: no alarm is set). `blocked` counts what a breaker kept from going out, `capped` what a
    bulkhead did, `expired` the timeouts, `retried` the calls that were not the first.

    `recent` are the last users' requests that ended, as `(ended_ms, 1 if answered)`. `deep` counts
    the users' requests that need E. `back_ms` is how long after E's recovery A was back (-1: not
    yet), `fell_ms` when A first was down after E fell ill (-1: not yet). `passed_open` counts calls
    that went out while their breaker was open: a witness, which must stay 0.
    """

    pools: tuple[Pool, ...]
    breakers: tuple[RollingWindowBreaker, ...]
    budgets: tuple[RetryBudget, ...]
    alarms: Counts
    received: Counts
    refused: Counts
    answered: Counts
    wasted: Counts
    failed: Counts
    useful_ms: Counts
    blocked: Counts
    capped: Counts
    expired: Counts
    retried: Counts
    good: tuple[Series, ...]
    vain: tuple[Series, ...]
    next_id: int = 0
    deep: int = 0
    recent: tuple[tuple[int, int], ...] = ()
    back_ms: int = -1
    fell_ms: int = -1
    passed_open: int = 0


def chain_of(params: Params) -> Chain:
    """The chain before the first request."""
    none = (0,) * len(NAMES)
    services = tuple(pool_of(threads, params.queue_limit) for threads in THREADS)
    return Chain(
        pools=(pool_of(WITHOUT_NUMBER), *services),
        breakers=(BREAKER,) * len(NAMES),
        budgets=(BUDGET,) * len(NAMES),
        alarms=(-1,) * len(NAMES),
        received=none,
        refused=none,
        answered=none,
        wasted=none,
        failed=none,
        useful_ms=none,
        blocked=none,
        capped=none,
        expired=none,
        retried=none,
        good=(Series(BIN_MS),) * len(NAMES),
        vain=(Series(BIN_MS),) * len(NAMES),
    )


def held(pool: Pool) -> int:
    """Threads that wait for somebody else: their job's own work is done."""
    return sum(job.body.worked_ms >= 0 for job in pool.busy)


def holder(pool: Pool, job_id: int) -> Job | None:
    """The job of this id, if it holds a thread."""
    for job in pool.busy:
        if job.id == job_id:
            return job
    return None


def heard(chain_pools: tuple[Pool, ...] | list[Pool], place: int, job: Job) -> bool:
    """Whether the user for whom this job is still waits, and everybody between him and the job."""
    while place > USERS:
        caller = holder(chain_pools[place - 1], job.body.caller)
        if caller is None or caller.body.call != job.id:
            return False
        place, job = place - 1, caller
    return True


def is_down(chain: Chain) -> bool:
    """Whether the users hardly get an answer from A any more."""
    return len(chain.recent) == RECENT and sum(ok for _, ok in chain.recent) <= DOWN_AT
