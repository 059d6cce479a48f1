"""A trip that outlives the workers that run it: durable execution, and what it is better than.

It shows: the workflow of a trip (`trip`) is plain code; the history service (`service`) records its
commands and their results; workers (`worker`) come and go. A worker that takes over runs the code
from its first line against the recorded history (`engine.replay`) and stands where the other one
fell. No step whose completion is recorded runs again; one that was under way may run twice, and its
idempotency key makes it take effect once. Code that yields other commands than the recorded ones is
caught before it does anything. Kept in a worker's memory only, the same trip starts from the top,
and the rider is charged twice.

Sources: Burckhardt et al., "Durable Functions: Semantics for Stateful Serverless", OOPSLA 2021,
https://doi.org/10.1145/3485510; Cadence, https://cadenceworkflow.io/docs/concepts/workflows;
Temporal, https://docs.temporal.io/workflow-definition. That four in five requests of Uber's apps
once were polls, and that pushing replaced them: "Uber's Real-Time Push Platform", 2020,
https://www.uber.com/blog/real-time-push-platform/.

What is simplified is said in `engine`, `trip` and `state`.
"""

from __future__ import annotations

from ...kernel import (
    Context,
    Deliver,
    Latency,
    Message,
    arrive,
    check_up,
    crash,
    is_up,
    network_of,
    replace,
    restart,
    restarted,
)
from . import apps, service, worker
from .state import (
    APPS,
    DRIVER,
    HISTORY,
    LATENCY_MS,
    NODES,
    OPEN,
    RIDER,
    TAPS,
    WORKERS,
    Alarm,
    App,
    Calls,
    Cancel,
    Deploy,
    Event,
    Kill,
    Params,
    Request,
    Restart,
    Service,
    State,
    Tap,
    TimerDue,
    Worker,
    app_of,
    taps,
    under_way,
    worker_of,
    workers_up,
)
from .trip import CODES, RIDER_CANCELED
from .turn import with_worker


def init(params: Params, ctx: Context) -> State:
    """Workers that ask for their first task, and nobody who wants a trip yet."""
    network = network_of(NODES, Latency.uniform(*LATENCY_MS), params.loss, params.duplication)
    state = State(
        params,
        network,
        Service(),
        tuple(Worker(name) for name in WORKERS),
        tuple(App(name) for name in APPS),
    )
    for name in WORKERS:
        state = worker.poll(state, name, ctx)
    return state


def update(state: State, event: Event, ctx: Context) -> State:
    """The state after an event; `ValueError` for what is not allowed."""
    after = turn(state, event, ctx)
    old, new = state.service.history, after.service.history
    if after.trip == state.trip and new is not old and new[: len(old)] != old:
        return replace(after, grew=False)
    return after


def turn(state: State, event: Event, ctx: Context) -> State:
    """What an event does."""
    match event:
        case Deliver(message):
            return delivered(state, message, ctx)
        case Alarm(name):
            return alarmed(state, name, ctx)
        case TimerDue() as due:
            if due.worker:
                return worker.timer(state, due, ctx)
            return service.timer(state, due, ctx)
        case Kill(name):
            return killed(state, name, ctx)
        case Restart(name):
            return came_back(state, name, ctx)
        case Request():
            return requested(state, ctx)
        case Cancel():
            return canceled(state, ctx)
        case Tap(button):
            return tapped(state, button, ctx)
        case Deploy(code):
            return deployed(state, code, ctx)
    raise ValueError(f"durable_workflow has no event {event!r}")


def delivered(state: State, message: Message, ctx: Context) -> State:
    """A message reaches its node, unless it was lost or the node is down."""
    network, received = arrive(state.network, message)
    state = replace(state, network=network)
    if received is None:
        return state
    if received.target == HISTORY:
        return service.receive(state, received, ctx)
    if received.target in WORKERS:
        return worker.receive(state, received, ctx)
    return apps.receive(state, received, ctx)


def alarmed(state: State, name: str, ctx: Context) -> State:
    """A deadline of a node may be due."""
    if name == HISTORY:
        return service.alarmed(state, ctx)
    if name in APPS:
        return apps.alarmed(state, name, ctx)
    return worker.alarmed(state, name, ctx) if is_up(state.network, name) else state


# --- What the reader does -------------------------------------------------------------------------


def killed(state: State, name: str, ctx: Context) -> State:
    """A worker dies. Nobody is told; its task will be missed when the time for it is over."""
    check_up(state.network, name, among=WORKERS, what="worker")
    state = with_worker(state, restarted(worker_of(state, name), Worker(name)))
    state = replace(state, network=crash(state.network, name), kills=state.kills + 1)
    return service.missed(state, name, ctx)


def came_back(state: State, name: str, ctx: Context) -> State:
    """A worker starts with the code that is deployed, knows no trip, and asks for a task."""
    check_up(state.network, name, up=False, among=WORKERS, what="worker")
    state = with_worker(state, Worker(name, state.deployed))
    return worker.poll(replace(state, network=restart(state.network, name)), name, ctx)


def deployed(state: State, code: str, ctx: Context) -> State:
    """Every worker that is up is restarted with this code, in the middle of whatever it does."""
    if code not in CODES:
        raise ValueError(f"code must be one of {', '.join(CODES)}, got {code[:40]!r}")
    state = replace(state, deployed=code)
    for name in workers_up(state):
        state = service.missed(with_worker(state, Worker(name, code)), name, ctx)
        state = worker.poll(state, name, ctx)
    return state


def requested(state: State, ctx: Context) -> State:
    """The rider wants a trip; one at a time."""
    if under_way(state):
        raise ValueError("a trip can be requested when none is under way, and one is")
    ready = Service(parked=state.service.parked, next_task=state.service.next_task)
    state = replace(
        state,
        service=ready,
        trip=state.trip + 1,
        begun_ms=ctx.now_ms,
        ended_ms=OPEN,
        calls=Calls(),
        replays=0,
        replayed=0,
        kills=0,
    )
    for name in APPS:
        fresh = App(name, signals=app_of(state, name).signals)
        state = apps.ask(state, fresh, ctx)
    return apps.signal(state, app_of(state, RIDER), service.REQUEST, 0, ctx)


def canceled(state: State, ctx: Context) -> State:
    """The rider wants no trip any more; the workflow decides what that means."""
    if not under_way(state):
        raise ValueError("a trip can be canceled while it is under way, and none is")
    rider = replace(app_of(state, RIDER), plan="", plan_ms=OPEN)
    return apps.signal(state, rider, RIDER_CANCELED, 0, ctx)


def tapped(state: State, button: str, ctx: Context) -> State:
    """The driver does something at once."""
    offered = taps(state)
    if button not in offered:
        allowed = ", ".join(offered) or "nothing at the moment"
        raise ValueError(f"button must be one of {allowed}, got {button[:40]!r}")
    return apps.did(state, app_of(state, DRIVER), TAPS[button], ctx)
