"""A monkey among the machines: instances die, and users notice or do not.

It shows: one machine is one outage per failure; several in different zones, with room to spare,
hide the death of any one, or of a whole zone; a fallback hides the death of a dependency; and a
monkey that kills on purpose does it best while there are people to repair what breaks.

Sources: Ciancutti, "5 Lessons We've Learned Using AWS", Netflix Technology Blog, December 2010,
https://netflixtechblog.com/5-lessons-weve-learned-using-aws-1f2a28588e4c (Chaos Monkey; popular
titles when the recommendations are down); Izrailevsky and Tseitlin, "The Netflix Simian Army",
July 2011, https://netflixtechblog.com/the-netflix-simian-army-16e57fbab116 (business hours;
Chaos Gorilla kills a zone); https://github.com/Netflix/chaosmonkey (one instance of each group).

Two designs see the same. Every run has two fleets: one machine (`alone`), and several instances
with as many threads in all (`fleet`). Both get the same requests with the same work, and the same
kills: Chaos Monkey kills one instance of each group, so a kill takes the lone machine each time.
What becomes of a request is noted as good, good but for the recommendations, or failed; with
fallbacks the second kind is an answer, without them it is an error. So one run measures all four
combinations, and the switches choose which of them is on show.

Simplified: see `office` for the two paces of time and `fleet` for the load balancer. A replacement
starts in its own zone, so a zone that is down is not replaced elsewhere. Users do not try again.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...kernel import (
    QUEUED,
    REJECTED,
    STARTED,
    Choice,
    Context,
    Exponential,
    Job,
    Number,
    OneOf,
    Switch,
    arrivals,
    job_of,
    knob,
    offer,
    pool_of,
    release,
    replace,
)
from .fleet import (
    DEAD,
    FALLBACK,
    GOOD,
    STARTING,
    UP,
    ZONES,
    Fleet,
    Instance,
    answered,
    checked,
    fleet_of,
    holder_of,
    instance_of,
    killed,
    put,
    received,
)
from .office import DAYS, HOUR_MS, MONKEY_HOURS, office_ms, repaired_ms, within

ALONE, FLEET = 0, 1
LONE = "A1"
"""The name of the lone machine; it stands in zone A."""
THREADS = 2
RECOMMENDATIONS = "the recommendations"
WORK_MS, RECOMMEND_MS = 150, 50
"""Mean times of a request's own work and of the recommendations that it waits for."""
THIRD = 1 / 3
"""The share of the monkey's turns that go to the recommendations."""

MONKEYS = {
    "off": "stays in its cage",
    "business": "kills in business hours",
    "always": "kills day and night",
}
WEEK = {str(number): day for number, day in enumerate(DAYS)}


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader sets before the run; `redundancy` and `fallbacks` choose what is on show."""

    redundancy: bool = knob(Switch("Redundancy", hint="Off: one machine with all threads."), True)
    fallbacks: bool = knob(
        Switch("Fallbacks", hint="Popular titles when the recommendations are down."), True
    )
    zones: int = knob(Number("Zones", 1, len(ZONES)), 3)
    per_zone: int = knob(Number("Instances per zone", 1, 4), 2)
    rate_per_s: int = knob(
        Number("Requests per second", 1, 80, unit="/s", hint="If days go by: 30 at most."), 24
    )
    autoscaling: bool = knob(
        Switch("Dead instances are replaced", hint="Off: an engineer must do it."), True
    )
    start_up_ms: int = knob(Number("An instance starts in", 500, 10_000, 500, unit="ms"), 2_000)
    check_interval_ms: int = knob(Number("Health check every", 250, 5_000, 250, unit="ms"), 1_000)
    unhealthy_threshold: int = knob(Number("Failed checks until it is out", 1, 5), 2)
    monkey: str = knob(Choice("Chaos Monkey", MONKEYS), "off")
    hours_between_kills: int = knob(
        Number("Mean time between its kills", 1, 48, unit="office hours", logarithmic=True), 4
    )
    repair_hours: int = knob(Number("An engineer's repair takes", 1, 24, unit="office hours"), 6)
    first_day: str = knob(Choice("The run begins at 8:00 on", WEEK), "0")


@dataclass(frozen=True, slots=True)
class State:
    """Both fleets, and what they share.

    `recommend_due_ms` is when an engineer has the recommendations up again (-1: nothing to do).
    `attack_ms` is when the monkey last killed (-1: never), and `victim` whom.
    """

    params: Params
    fleets: tuple[Fleet, Fleet]
    zones_down: tuple[str, ...] = ()
    recommend_up: bool = True
    recommend_due_ms: int = -1
    requests: int = 0
    attacks: int = 0
    attack_ms: int = -1
    victim: str = ""


# --- Events ---------------------------------------------------------------------------------------


def shown(state: State) -> Fleet:
    """The fleet that is on show."""
    return state.fleets[FLEET if state.params.redundancy else ALONE]


def alive_names(state: State) -> tuple[str, ...]:
    """The instances on show that can be killed."""
    return tuple(each.name for each in shown(state).instances if each.status != DEAD)


def dead_names(state: State) -> tuple[str, ...]:
    """The instances on show that can be started again: dead ones whose zone is up."""
    return tuple(
        each.name
        for each in shown(state).instances
        if each.status == DEAD and each.zone not in state.zones_down
    )


def zone_names(state: State) -> tuple[str, ...]:
    """The zones in which the fleet on show has instances."""
    return tuple(dict.fromkeys(each.zone for each in shown(state).instances))


def zones_up(state: State) -> tuple[str, ...]:
    return tuple(zone for zone in zone_names(state) if zone not in state.zones_down)


def zones_lost(state: State) -> tuple[str, ...]:
    return tuple(zone for zone in zone_names(state) if zone in state.zones_down)


@dataclass(frozen=True, slots=True)
class Arrive:
    """A user asks for a page."""

    request: int


@dataclass(frozen=True, slots=True)
class Worked:
    """An instance has done its own part of a request and asks for recommendations."""

    fleet: int
    request: int


@dataclass(frozen=True, slots=True)
class Recommended:
    """The recommendations for a request are there."""

    fleet: int
    request: int


@dataclass(frozen=True, slots=True)
class Check:
    """The load balancer checks every instance."""


@dataclass(frozen=True, slots=True)
class Turn:
    """The time at which an instance starts, or is up."""

    fleet: int
    instance: str


@dataclass(frozen=True, slots=True)
class Repaired:
    """The time at which the recommendations are up again."""


@dataclass(frozen=True, slots=True)
class Attack:
    """The monkey's next turn: it kills, if it may."""


@dataclass(frozen=True, slots=True)
class KillInstance:
    """The reader kills an instance, and with it the lone machine of the other design."""

    instance: str = knob(OneOf("Instance", alive_names), "")


@dataclass(frozen=True, slots=True)
class KillZone:
    """A zone fails: all of its instances die, and none can start there."""

    zone: str = knob(OneOf("Zone", zones_up), "")


@dataclass(frozen=True, slots=True)
class RestoreZone:
    """A zone works again: its instances start."""

    zone: str = knob(OneOf("Zone", zones_lost), "")


@dataclass(frozen=True, slots=True)
class Restart:
    """The reader starts a dead instance, and the lone machine of the other design."""

    instance: str = knob(OneOf("Instance", dead_names), "")


@dataclass(frozen=True, slots=True)
class KillRecommendations:
    """The service that every page asks for recommendations dies."""


@dataclass(frozen=True, slots=True)
class RestoreRecommendations:
    """The recommendations are up again."""


ByReader = (
    KillInstance | KillZone | RestoreZone | Restart | KillRecommendations | RestoreRecommendations
)
Event = Arrive | Worked | Recommended | Check | Turn | Repaired | Attack | ByReader


# --- What follows from the state ------------------------------------------------------------------


def answered_share(fleet: Fleet, fallbacks: bool) -> float:
    """The share of the requests that ended with an answer; 1.0 before the first."""
    done = fleet.outcomes
    served = done.good + (done.fallback if fallbacks else 0)
    return served / done.total if done.total else 1.0


def cells(state: State) -> tuple[tuple[float, float], tuple[float, float]]:
    """Availability without and with fallbacks, for one machine and for the fleet."""
    alone, fleet = (
        (answered_share(each, False), answered_share(each, True)) for each in state.fleets
    )
    return alone, fleet


def capacity_per_s(threads: int) -> float:
    """How many requests a second so many threads can serve."""
    return threads * 1_000 / (WORK_MS + RECOMMEND_MS)


def in_progress(fleet: Fleet) -> int:
    """Requests that hold a thread or wait for one."""
    return sum(len(each.pool.busy) + len(each.pool.waiting) for each in fleet.instances)


def clock(state: State, now_ms: int) -> int:
    """The office clock at a time of the run."""
    return office_ms(now_ms, int(state.params.first_day))


# --- The transitions ------------------------------------------------------------------------------


def init(params: Params, ctx: Context) -> State:
    """Everything is up; the first request, the first check and the monkey's turn lie ahead."""
    whole = params.zones * params.per_zone * THREADS
    fleets = (
        fleet_of("alone", 1, 1, whole),
        fleet_of("fleet", params.zones, params.per_zone, THREADS),
    )
    ctx.after(arrivals(params.rate_per_s).draw(ctx), Arrive(0))
    ctx.after(params.check_interval_ms, Check())
    if params.monkey != "off":
        ctx.after(Exponential(params.hours_between_kills * HOUR_MS).draw(ctx), Attack())
    return State(params, fleets)


def with_fleet(state: State, number: int, fleet: Fleet) -> State:
    alone, other = state.fleets
    return replace(state, fleets=(fleet, other) if number == ALONE else (alone, fleet))


def arrive(state: State, request: int, ctx: Context) -> State:
    """A request comes to both fleets, with the same work."""
    work_ms = Exponential(WORK_MS).draw(ctx)
    body = (work_ms, Exponential(RECOMMEND_MS).draw(ctx))
    for number in (ALONE, FLEET):
        fleet, how = received(state.fleets[number], Job(request, ctx.now_ms, body), ctx.now_ms)
        state = with_fleet(state, number, fleet)
        if how == STARTED:
            ctx.after(work_ms, Worked(number, request))
    ctx.after(arrivals(state.params.rate_per_s).draw(ctx), Arrive(request + 1))
    return replace(state, requests=request + 1)


def ask(state: State, number: int, request: int, ctx: Context) -> State:
    """A request has had its own work: it asks for recommendations and keeps its thread."""
    fleet = state.fleets[number]
    holder = holder_of(fleet, request)
    if holder is None:
        return state
    if not state.recommend_up:
        return finish(state, number, request, FALLBACK, ctx)
    job = job_of(holder.pool, request)
    body = job.body if job else None
    pool, how = offer(fleet.recommendations, Job(request, ctx.now_ms, body), ctx.now_ms)
    if how == REJECTED:
        return finish(state, number, request, FALLBACK, ctx)
    if how != QUEUED and body:
        ctx.after(body[1], Recommended(number, request))
    return with_fleet(state, number, replace(fleet, recommendations=pool))


def recommend(state: State, number: int, request: int, ctx: Context) -> State:
    """The recommendations are there; the next call begins, and the page is complete."""
    fleet = state.fleets[number]
    if all(job.id != request for job in fleet.recommendations.busy):
        return state  # The recommendations died meanwhile, and this call with them.
    pool, started = release(fleet.recommendations, request, ctx.now_ms)
    if started:
        ctx.after(started.body[1], Recommended(number, started.id))
    state = with_fleet(state, number, replace(fleet, recommendations=pool))
    return finish(state, number, request, GOOD, ctx)


def finish(state: State, number: int, request: int, kind: str, ctx: Context) -> State:
    """A request is over; the one that waited longest gets its thread."""
    fleet, started = answered(state.fleets[number], request, kind, ctx.now_ms)
    if started:
        ctx.after(started.body[0], Worked(number, started.id))
    return with_fleet(state, number, fleet)


def check_all(state: State, ctx: Context) -> State:
    """Health checks in both fleets; what is out is replaced, or an engineer hears of it."""
    for number in (ALONE, FLEET):
        old = state.fleets[number]
        fleet = checked(old, state.params.unhealthy_threshold, ctx.now_ms)
        for each in fleet.instances:
            waits = each.status == DEAD and each.out_ms >= 0 and each.turn_ms < 0
            if waits and each.zone not in state.zones_down:
                fleet = put(fleet, helped(state, number, each, ctx))
        if fleet is not old:
            state = with_fleet(state, number, fleet)
    ctx.after(state.params.check_interval_ms, Check())
    return state


def helped(state: State, number: int, instance: Instance, ctx: Context) -> Instance:
    """A dead instance that somebody takes care of: the autoscaler at once, or an engineer."""
    if number == FLEET and state.params.autoscaling:
        return starting(state, number, instance, ctx)
    due_ms = repair_due_ms(state, ctx.now_ms)
    ctx.after(due_ms - ctx.now_ms, Turn(number, instance.name))
    return replace(instance, turn_ms=due_ms)


def repair_due_ms(state: State, now_ms: int) -> int:
    """When an engineer who hears of a failure now has repaired it."""
    begin = clock(state, now_ms)
    return now_ms + repaired_ms(begin, state.params.repair_hours * HOUR_MS) - begin


def starting(state: State, number: int, instance: Instance, ctx: Context) -> Instance:
    """An instance that starts now."""
    ctx.after(state.params.start_up_ms, Turn(number, instance.name))
    return replace(instance, status=STARTING, turn_ms=ctx.now_ms + state.params.start_up_ms)


def turn(state: State, number: int, name: str, ctx: Context) -> State:
    """A dead instance starts, one that was starting is up; unless something came between."""
    fleet = state.fleets[number]
    instance = instance_of(fleet, name)
    if instance is None or instance.turn_ms != ctx.now_ms:
        return state
    if instance.status == DEAD and instance.zone in state.zones_down:
        instance = replace(instance, turn_ms=-1)  # It starts when its zone is back.
    elif instance.status == DEAD:
        instance = starting(state, number, instance, ctx)
    else:
        instance = replace(instance, status=UP, turn_ms=-1)
    return with_fleet(state, number, put(fleet, instance))


def kill(state: State, names: tuple[str, ...], lone: bool, ctx: Context) -> State:
    """Instances of the fleet die, and with them, if `lone`, the one machine."""
    alone, fleet = state.fleets
    if lone:
        alone = killed(alone, (LONE,), ctx.now_ms)
    return replace(state, fleets=(alone, killed(fleet, names, ctx.now_ms)))


def kill_recommendations(state: State, ctx: Context) -> State:
    """The recommendations die: calls under way end without them, and an engineer hears of it."""
    if not state.recommend_up:
        return state
    due_ms = repair_due_ms(state, ctx.now_ms)
    ctx.after(due_ms - ctx.now_ms, Repaired())
    state = replace(state, recommend_up=False, recommend_due_ms=due_ms)
    for number in (ALONE, FLEET):
        fleet = state.fleets[number]
        pool = fleet.recommendations
        empty = pool_of(pool.threads, pool.queue_limit)
        state = with_fleet(state, number, replace(fleet, recommendations=empty))
        for job in pool.jobs:
            state = finish(state, number, job.id, FALLBACK, ctx)
    return state


def attack(state: State, ctx: Context) -> State:
    """The monkey kills an instance of each group, or the recommendations, if it may now."""
    params = state.params
    hours = Exponential(params.hours_between_kills * HOUR_MS)
    ctx.after(max(1, hours.draw(ctx)), Attack())
    if params.monkey == "business" and not within(clock(state, ctx.now_ms), MONKEY_HOURS):
        return state
    state = replace(state, attacks=state.attacks + 1, attack_ms=ctx.now_ms)
    if ctx.random() < THIRD and state.recommend_up:
        return kill_recommendations(replace(state, victim=RECOMMENDATIONS), ctx)
    alive = [each.name for each in state.fleets[FLEET].instances if each.status == UP]
    victims = (ctx.choice(alive),) if alive else ()
    return kill(replace(state, victim=victims[0] if victims else LONE), victims, True, ctx)


def start_names(state: State, number: int, names: tuple[str, ...], ctx: Context) -> State:
    """The dead ones among these instances start, where their zone is up."""
    fleet = state.fleets[number]
    for each in fleet.instances:
        if each.name in names and each.status == DEAD and each.zone not in state.zones_down:
            fleet = put(fleet, starting(state, number, each, ctx))
    return with_fleet(state, number, fleet)


def known_instance(state: State, name: str) -> None:
    """`ValueError` unless the fleet has an instance of this name."""
    names = [each.name for each in state.fleets[FLEET].instances]
    if name not in names:
        raise ValueError(f"instance must be one of {', '.join(names)}, got {name!r}")


def known_zone(state: State, zone: str) -> None:
    """`ValueError` unless the fleet has this zone."""
    zones = ZONES[: state.params.zones]
    if zone not in tuple(zones):
        raise ValueError(f"zone must be one of {', '.join(zones)}, got {zone!r}")


def in_zone(fleet: Fleet, zone: str) -> tuple[str, ...]:
    return tuple(each.name for each in fleet.instances if each.zone == zone)


def by_reader(state: State, event: ByReader, ctx: Context) -> State:
    """What the reader does; `ValueError` for an instance or a zone that is not there."""
    match event:
        case KillInstance(name):
            known_instance(state, name)
            return kill(state, (name,), True, ctx)
        case KillZone(zone):
            known_zone(state, zone)
            if zone in state.zones_down:
                return state
            state = replace(state, zones_down=(*state.zones_down, zone))
            return kill(state, in_zone(state.fleets[FLEET], zone), zone == LONE[0], ctx)
        case RestoreZone(zone):
            known_zone(state, zone)
            rest = tuple(other for other in state.zones_down if other != zone)
            state = replace(state, zones_down=rest)
            for number in (ALONE, FLEET):
                names = in_zone(state.fleets[number], zone)
                state = start_names(state, number, names, ctx)
            return state
        case Restart(name):
            known_instance(state, name)
            return start_names(start_names(state, ALONE, (LONE,), ctx), FLEET, (name,), ctx)
        case KillRecommendations():
            return kill_recommendations(state, ctx)
        case RestoreRecommendations():
            return replace(state, recommend_up=True, recommend_due_ms=-1)


def update(state: State, event: Event, ctx: Context) -> State:
    """The state after an event; `ValueError` for an instance or a zone that is not there."""
    match event:
        case Arrive(request):
            return arrive(state, request, ctx)
        case Worked(number, request):
            return ask(state, number, request, ctx)
        case Recommended(number, request):
            return recommend(state, number, request, ctx)
        case Check():
            return check_all(state, ctx)
        case Turn(number, name):
            return turn(state, number, name, ctx)
        case Repaired():
            due = state.recommend_due_ms == ctx.now_ms
            return replace(state, recommend_up=True, recommend_due_ms=-1) if due else state
        case Attack():
            return attack(state, ctx)
        case (
            KillInstance()
            | KillZone()
            | RestoreZone()
            | Restart()
            | KillRecommendations()
            | RestoreRecommendations()
        ):
            return by_reader(state, event, ctx)
    raise ValueError(f"chaos_monkey has no event {event!r}")
