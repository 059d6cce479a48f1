"""Small steps that several nodes take: a part replaced, a message sent, a call counted."""

from __future__ import annotations

from ...kernel import Context, replace, send
from .state import Alarm, App, Service, State, Worker, under_way


def with_worker(state: State, worker: Worker) -> State:
    """The state with one worker replaced."""
    workers = tuple(worker if old.name == worker.name else old for old in state.workers)
    return replace(state, workers=workers)


def with_app(state: State, app: App) -> State:
    """The state with one app replaced."""
    return replace(state, apps=tuple(app if old.name == app.name else old for old in state.apps))


def with_service(state: State, service: Service) -> State:
    """The state with another history service."""
    return replace(state, service=service)


def say(state: State, source: str, target: str, body: object, ctx: Context) -> State:
    """One message more on its way."""
    return replace(state, network=send(state.network, ctx, source, target, body))


def wake(node: str, at_ms: int, ctx: Context) -> int:
    """An alarm for a node at a time, which it gives back, for the state."""
    ctx.after(at_ms - ctx.now_ms, Alarm(node))
    return at_ms


def counted(state: State, polls: int = 0, vain: int = 0, pushes: int = 0) -> State:
    """The counters of calls, which stand still when no trip is under way."""
    if not under_way(state):
        return state
    calls = state.calls
    more = replace(
        calls, polls=calls.polls + polls, vain=calls.vain + vain, pushes=calls.pushes + pushes
    )
    return replace(state, calls=more)
