"""A fleet: instances in zones behind a load balancer, and the recommendations that they ask.

Every instance is a pool of threads with a queue. A request holds its thread while the instance
works on the page and while the recommendations are asked for. The load balancer takes the
instances in turn (round robin), as far as it takes them for healthy: it checks all of them at an
interval, and an instance that fails `unhealthy_threshold` checks in a row gets no more requests
until a check succeeds (Elastic Load Balancing calls these the interval and the unhealthy
threshold).

Simplified: a check fails only if the instance is not up, and one good check is enough to come
back; a request that meets a dead instance is not tried again elsewhere; what an instance worked
on when it died is lost.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ...kernel import REJECTED, Job, Pool, Series, job_of, offer, pool_of, release, replace

ZONES = "ABC"
UP, STARTING, DEAD = "up", "starting", "dead"
GOOD, FALLBACK, FAILED = "good", "fallback", "failed"
"""What became of a request; FALLBACK: good but for the recommendations."""

QUEUE_PER_THREAD = 4
BIN_MS = 1_000
NONE_YET = Series(BIN_MS)


@dataclass(frozen=True, slots=True)
class Instance:
    """A machine with its threads.

    `turn_ms` is when it starts by itself or on an engineer's order (dead) or is up (starting);
    -1: never. `bad_checks` counts failed checks in a row. `out_ms` is when the load balancer
    stopped sending requests to it (-1: it sends).
    """

    name: str
    zone: str
    pool: Pool
    status: str = UP
    turn_ms: int = -1
    bad_checks: int = 0
    out_ms: int = -1


@dataclass(frozen=True, slots=True)
class Outcomes:
    """How many requests ended how: all of them, and by time."""

    good: int = 0
    fallback: int = 0
    failed: int = 0
    good_by_time: Series = NONE_YET
    fallback_by_time: Series = NONE_YET
    failed_by_time: Series = NONE_YET

    @property
    def total(self) -> int:
        return self.good + self.fallback + self.failed


NOTHING = Outcomes()


@dataclass(frozen=True, slots=True)
class Fleet:
    """All instances of one design, and its share of the recommendation service.

    `last_sent` is the instance that got the newest request ("": none). Of the requests that
    arrived, `misses` were sent to an instance that was not up, `turned_away` met a full queue, and
    for `nowhere` no instance was left.
    """

    name: str
    instances: tuple[Instance, ...]
    recommendations: Pool
    outcomes: Outcomes = NOTHING
    last_sent: str = ""
    arrived: int = 0
    misses: int = 0
    turned_away: int = 0
    nowhere: int = 0


def fleet_of(name: str, zones: int, per_zone: int, threads: int) -> Fleet:
    """So many instances in each zone, each with so many threads; all of them up."""
    room = threads * QUEUE_PER_THREAD
    instances = tuple(
        Instance(f"{zone}{number}", zone, pool_of(threads, room))
        for zone in ZONES[:zones]
        for number in range(1, per_zone + 1)
    )
    whole = zones * per_zone * threads
    return Fleet(name, instances, pool_of(whole, whole * QUEUE_PER_THREAD))


def instance_of(fleet: Fleet, name: str) -> Instance | None:
    """The instance of this name, if the fleet has it."""
    return next((each for each in fleet.instances if each.name == name), None)


def holder_of(fleet: Fleet, request: int) -> Instance | None:
    """The instance that holds a request, or None if it died meanwhile."""
    for each in fleet.instances:
        if job_of(each.pool, request) is not None:
            return each
    return None


def put(fleet: Fleet, instance: Instance) -> Fleet:
    """The fleet with an instance changed."""
    changed = (instance if old.name == instance.name else old for old in fleet.instances)
    return replace(fleet, instances=tuple(changed))


def counted(fleet: Fleet, kind: str, now_ms: int, amount: int = 1) -> Fleet:
    """The fleet with so many requests more that ended like this."""
    if not amount:
        return fleet
    done = fleet.outcomes
    series = getattr(done, f"{kind}_by_time").add(now_ms, amount)
    whole = getattr(done, kind) + amount
    return replace(fleet, outcomes=replace(done, **{kind: whole, f"{kind}_by_time": series}))


def next_instance(fleet: Fleet) -> Instance | None:
    """The load balancer's choice: the next one in turn of those that it takes for healthy."""
    names = [each.name for each in fleet.instances]
    first = names.index(fleet.last_sent) + 1 if fleet.last_sent else 0
    for each in (*fleet.instances[first:], *fleet.instances[:first]):
        if each.out_ms < 0:
            return each
    return None


def received(fleet: Fleet, job: Job, now_ms: int) -> tuple[Fleet, str]:
    """The fleet after the load balancer got a request, and how a pool took it ("": none did)."""
    fleet = replace(fleet, arrived=fleet.arrived + 1)
    chosen = next_instance(fleet)
    if chosen is None:
        return counted(replace(fleet, nowhere=fleet.nowhere + 1), FAILED, now_ms), ""
    fleet = replace(fleet, last_sent=chosen.name)
    if chosen.status != UP:
        return counted(replace(fleet, misses=fleet.misses + 1), FAILED, now_ms), ""
    pool, how = offer(chosen.pool, job, now_ms)
    if how == REJECTED:
        return counted(replace(fleet, turned_away=fleet.turned_away + 1), FAILED, now_ms), how
    return put(fleet, replace(chosen, pool=pool)), how


def answered(fleet: Fleet, request: int, kind: str, now_ms: int) -> tuple[Fleet, Job | None]:
    """The fleet after a request got its page, and the request that has its thread now."""
    instance = holder_of(fleet, request)
    if instance is None:
        return fleet, None
    pool, started = release(instance.pool, request, now_ms)
    fleet = counted(put(fleet, replace(instance, pool=pool)), kind, now_ms)
    return fleet, started


def killed(fleet: Fleet, names: Iterable[str], now_ms: int) -> Fleet:
    """The fleet after these instances died; what they held has failed."""
    for name in names:
        instance = instance_of(fleet, name)
        if instance is None or instance.status == DEAD:
            continue
        held = len(instance.pool.busy) + len(instance.pool.waiting)
        empty = pool_of(instance.pool.threads, instance.pool.queue_limit)
        dead = replace(instance, status=DEAD, pool=empty, turn_ms=-1)
        fleet = counted(put(fleet, dead), FAILED, now_ms, held)
    return fleet


def checked(fleet: Fleet, threshold: int, now_ms: int) -> Fleet:
    """The fleet after a round of health checks; the same value if they found nothing new."""
    found = tuple(check(each, threshold, now_ms) for each in fleet.instances)
    return fleet if found == fleet.instances else replace(fleet, instances=found)


def check(instance: Instance, threshold: int, now_ms: int) -> Instance:
    """What the load balancer makes of an instance after one check more."""
    if instance.status == UP:
        return replace(instance, bad_checks=0, out_ms=-1)
    bad = min(instance.bad_checks + 1, threshold)
    out_ms = now_ms if bad >= threshold and instance.out_ms < 0 else instance.out_ms
    return replace(instance, bad_checks=bad, out_ms=out_ms)


def threads_up(fleet: Fleet) -> int:
    """How many threads there are in instances that are up."""
    return sum(each.pool.threads for each in fleet.instances if each.status == UP)
