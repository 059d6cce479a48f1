"""The fleet in words: what an event did to the design on show, and what the picture shows."""

from __future__ import annotations

from ...phrases import listed, many
from .fleet import DEAD, STARTING, UP, Fleet, Instance, holder_of, instance_of
from .model import (
    LONE,
    RECOMMENDATIONS,
    Arrive,
    Attack,
    Check,
    Event,
    KillInstance,
    KillRecommendations,
    KillZone,
    Recommended,
    Repaired,
    Restart,
    RestoreRecommendations,
    RestoreZone,
    State,
    Turn,
    Worked,
    answered_share,
    clock,
    in_progress,
    shown,
)
from .office import clock_text


def share(part: float) -> str:
    """A share with two decimals, since the third nine is what it is about."""
    return f"{100 * part:.2f} %" if part < 1 else "100 %"


def nines_text(part: float) -> str:
    """How many nines a share has."""
    count = 0
    while count < 5 and 1 - part <= (1 + 1e-9) / 10 ** (count + 1):
        count += 1
    return ("no nine", "one nine", "two nines", "three nines", "four nines", "five nines")[count]


def design(state: State) -> str:
    """What is on show."""
    fleet = shown(state)
    if len(fleet.instances) == 1:
        return "one machine, in one zone"
    zones = len(dict.fromkeys(each.zone for each in fleet.instances))
    return f"{len(fleet.instances)} instances in {many(zones, 'zone')}"


def opening(state: State) -> str:
    """How a run starts."""
    popular = "popular titles instead" if state.params.fallbacks else "an error"
    return (
        f"{design(state).capitalize()}, {state.params.rate_per_s} requests a second; if the "
        f"recommendations fail, users get {popular}."
    )


def arrived(before: State, after: State) -> str:
    """Where a request went."""
    old, new = shown(before), shown(after)
    name = f"Request {after.requests}"
    if new.nowhere > old.nowhere:
        return f"{name} fails: no instance is left to send it to."
    if new.misses > old.misses:
        return f"{name} fails: it is sent to {new.last_sent}, which does not answer."
    if new.turned_away > old.turned_away:
        return f"{name} fails: the queue of {new.last_sent} is full."
    instance = instance_of(new, new.last_sent)
    queued = instance is not None and after.requests - 1 in [j.id for j in instance.pool.waiting]
    return f"{name} {'waits at' if queued else 'goes to'} {new.last_sent}."


def elsewhere(state: State, number: int) -> str:
    """How a sentence begins that is about the design that is not on show."""
    if state.fleets[number] is shown(state):
        return ""
    count = len(state.fleets[number].instances)
    return "Meanwhile, with one machine: " if count == 1 else f"Meanwhile, with {count} instances: "


def worked(before: State, request: int, number: int, after: State) -> str:
    """What became of a request that had its own work done."""
    name = f"{elsewhere(before, number)}Request {request + 1}"
    if holder_of(before.fleets[number], request) is None:
        return f"{name} died with its instance."
    if holder_of(after.fleets[number], request) is not None:
        return f"{name} asks for recommendations."
    if after.params.fallbacks:
        return f"{name} is answered with popular titles: the recommendations do not answer."
    return f"{name} fails: the recommendations do not answer."


def recommended(before: State, request: int, number: int) -> str:
    """What became of a request whose recommendations came."""
    name = f"{elsewhere(before, number)}Request {request + 1}"
    if holder_of(before.fleets[number], request) is None:
        return f"{name} gets its recommendations, but its instance has died."
    if not before.recommend_up:
        return f"{name} gets no recommendations any more."
    return f"{name} is answered."


def checks(before: State, after: State) -> str:
    """What a round of health checks found."""
    found: dict[str, list[str]] = {}
    for old, new in zip(shown(before).instances, shown(after).instances, strict=True):
        if old.out_ms < 0 <= new.out_ms:
            what = ", which is replaced" if new.status == STARTING else ""
            key = f"no more requests to {{}}{what}"
        elif new.out_ms < 0 <= old.out_ms:
            key = "requests to {} again"
        elif new.bad_checks > old.bad_checks and new.out_ms < 0:
            key = (
                f"{{}} failed {many(new.bad_checks, 'check')} of {after.params.unhealthy_threshold}"
            )
        elif old.status != new.status:
            key = "{} starts anew"
        elif new.turn_ms >= 0 > old.turn_ms:
            key = "an engineer is told of {}"
        else:
            continue
        found.setdefault(key, []).append(new.name)
    says = listed(key.format(listed(names)) for key, names in found.items())
    return f"Health checks: {says}." if found else "Health checks: nothing new."


def turned(before: State, name: str, number: int, after: State) -> str:
    """An instance starts, or is up."""
    start = elsewhere(before, number)
    old, new = (instance_of(state.fleets[number], name) for state in (before, after))
    if old is None or new is None or old == new:
        return f"{start}{name} does not start: something else happened meanwhile."
    if new.status == UP:
        return f"{start}{name} is up; the next health check will find it."
    if new.status == STARTING:
        return f"{start}An engineer has repaired {name}: it starts."
    return f"{start}{name} cannot start: its zone is down."


def lost(before: State, after: State) -> str:
    """How many requests an event killed."""
    failed = shown(after).outcomes.failed - shown(before).outcomes.failed
    return f", and {many(failed, 'request')} with it" if failed else ""


def attacked(before: State, after: State) -> str:
    """What the monkey did."""
    if after.attacks == before.attacks:
        return "Chaos Monkey waits: it is not business hours."
    when = clock_text(clock(after, after.attack_ms))
    victim = after.victim
    if victim == RECOMMENDATIONS:
        return f"{when}: Chaos Monkey kills {victim}."
    victim = victim if after.params.redundancy else LONE
    if shown(after) == shown(before):
        return f"{when}: Chaos Monkey kills {victim}, which was down already."
    return f"{when}: Chaos Monkey kills {victim}{lost(before, after)}."


def describe(before: State | None, event: Event | None, after: State) -> str:
    """What an event did to the design on show; without an event, how the run starts."""
    if before is None or event is None:
        return opening(after)
    match event:
        case Arrive():
            return arrived(before, after)
        case Worked(number, request):
            return worked(before, request, number, after)
        case Recommended(number, request):
            return recommended(before, request, number)
        case Check():
            return checks(before, after)
        case Turn(number, name):
            return turned(before, name, number, after)
        case Attack():
            return attacked(before, after)
        case Repaired() | RestoreRecommendations():
            return "The recommendations are up."
        case KillRecommendations():
            return "The recommendations die: every page that needs them is without them."
        case KillInstance(name):
            name = name if after.params.redundancy else LONE
            return f"{name} is killed{lost(before, after)}."
        case KillZone(zone):
            return f"Zone {zone} fails with all that is in it{lost(before, after)}."
        case RestoreZone(zone):
            return f"Zone {zone} works again: what was in it starts."
        case Restart(name):
            return f"{name if after.params.redundancy else LONE} starts."


def state_text(instance: Instance) -> str:
    """What the load balancer and reality say of an instance."""
    if instance.status == STARTING:
        return "starting"
    if instance.status == DEAD:
        return "dead" if instance.out_ms >= 0 else "dead, not noticed"
    return "up" if instance.out_ms < 0 else "up, not noticed"


def standing(fleet: Fleet) -> str:
    """The instances that are not simply up, in words."""
    odd = [f"{each.name} {state_text(each)}" for each in fleet.instances]
    odd = [words for words in odd if not words.endswith(" up")]
    return listed(odd) if odd else "all up"


def alternative(state: State, now_ms: int) -> str:
    """What a sighted reader sees, as text."""
    fleet = shown(state)
    done = fleet.outcomes
    ways = "with" if state.params.fallbacks else "without"
    recommend = "up" if state.recommend_up else "down"
    return (
        f"{clock_text(clock(state, now_ms))}. {design(state).capitalize()}: {standing(fleet)}. The "
        f"recommendations are {recommend}. Of {many(done.total, 'request')}, {done.good} were "
        f"answered in full, {done.fallback} without recommendations, {done.failed} failed; "
        f"{in_progress(fleet)} are in progress. Availability {ways} fallbacks: "
        f"{share(answered_share(fleet, state.params.fallbacks))}."
    )
