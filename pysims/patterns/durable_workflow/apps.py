"""The rider's app, the drivers' apps and the services: they carry out activities, each once.

An activity comes with an idempotency key. A key that is new takes effect and leaves a row; one that
was seen before only gets the answer that it got then. What people do is a signal, which an app
sends until the history service confirms it.

People act by themselves after a moment, so that a trip goes on while the reader watches.
"""

from __future__ import annotations

from ...kernel import Context, Message, replace
from .state import (
    DRIVER,
    HISTORY,
    LONG_POLL_MS,
    OPEN,
    RESEND_MS,
    RIDER,
    Answer,
    App,
    Ask,
    Call,
    News,
    Noted,
    Row,
    Signal,
    State,
    app_of,
    books,
    polling,
    under_way,
)
from .trip import (
    ACCEPTS,
    ARRIVES,
    CHARGE,
    CONFIRMED,
    DECLINES,
    DROPS_OFF,
    FARE_CENTS,
    FIND,
    OFFER,
    PICKS_UP,
    QUOTE,
    QUOTED,
    RATED,
    RECEIPT,
    RELEASE,
)
from .turn import counted, say, wake, with_app

THINK_MS = {
    CONFIRMED: 250, ACCEPTS: 350, DECLINES: 350, ARRIVES: 700, PICKS_UP: 350, DROPS_OFF: 900,
    RATED: 400,
}  # fmt: skip
"""How long people take for what they do."""

AFTER = {ACCEPTS: ARRIVES, ARRIVES: PICKS_UP, PICKS_UP: DROPS_OFF}
"""What a driver does next."""


def receive(state: State, message: Message, ctx: Context) -> State:
    """An app or the services read a message."""
    match message.body:
        case Call() as call:
            state, result = done(state, message.target, call, ctx)
            answer = Answer(call.task, call.number, result)
            return say(state, message.target, message.source, answer, ctx)
        case Noted(number):
            return confirmed(state, app_of(state, message.target), number, ctx)
        case News() as news if news.trip == state.trip:
            return learned(state, app_of(state, message.target), news, ctx)
    return state


# --- Activities -----------------------------------------------------------------------------------


def done(state: State, node: str, call: Call, ctx: Context) -> tuple[State, int]:
    """An activity takes effect, unless it did so before under this key; with its result."""
    for row in state.rows:
        if row.key == call.key:
            rows = tuple(
                replace(old, asked=old.asked + 1) if old is row else old for old in state.rows
            )
            return replace(state, rows=rows), row.result
    result = result_of(state, call)
    row = Row(call.key, call.trip, node, call.name, call.argument, result)
    state = replace(state, rows=(*state.rows, row))
    return effect(state, call, ctx), result


def result_of(state: State, call: Call) -> int:
    """What an activity gives: the fare in cents, a driver's number, or 1 for done, 0 for not."""
    if call.name == QUOTE:
        return FARE_CENTS
    before = sum(row.name == call.name and row.argument != 0 for row in books(state))
    if call.name == FIND:
        return before + 1
    refused = call.name == CHARGE and call.argument == FARE_CENTS
    return int(not refused or before >= state.params.card_declines)


def effect(state: State, call: Call, ctx: Context) -> State:
    """What an activity sets off with people."""
    if call.trip != state.trip:
        return state
    driver = app_of(state, DRIVER)
    if call.name == OFFER:
        plan = DECLINES if call.argument <= state.params.declines else ACCEPTS
        return planned(state, replace(driver, driver=call.argument), plan, ctx)
    if call.name == RELEASE and call.argument == driver.driver:
        return with_app(state, replace(driver, driver=0, plan="", plan_ms=OPEN))
    if call.name == RECEIPT:
        return planned(state, app_of(state, RIDER), RATED, ctx)
    return state


# --- People ---------------------------------------------------------------------------------------


def planned(state: State, app: App, plan: str, ctx: Context) -> State:
    """The app's owner will do something after a moment."""
    plan_ms = wake(app.name, ctx.now_ms + THINK_MS[plan], ctx)
    return with_app(state, replace(app, plan=plan, plan_ms=plan_ms))


def did(state: State, app: App, name: str, ctx: Context) -> State:
    """The app's owner did something: it is signaled, and a driver goes on to the next thing."""
    value = app.driver if app.name == DRIVER else 0
    state = signal(state, replace(app, plan="", plan_ms=OPEN), name, value, ctx)
    after = AFTER.get(name, "")
    return planned(state, app_of(state, app.name), after, ctx) if after else state


def signal(state: State, app: App, name: str, value: int, ctx: Context) -> State:
    """One signal more to be sent, after those that the history service has not confirmed yet."""
    new = Signal(f"{app.name}-{app.signals + 1}", state.trip, name, value)
    first = not app.outbox
    app = replace(app, outbox=(*app.outbox, new), signals=app.signals + 1)
    return sent(state, app, ctx) if first else with_app(state, app)


def sent(state: State, app: App, ctx: Context) -> State:
    """The first signal that is not confirmed is sent, and will be again."""
    app = replace(app, resend_ms=wake(app.name, ctx.now_ms + RESEND_MS, ctx))
    return say(with_app(state, app), app.name, HISTORY, app.outbox[0], ctx)


def confirmed(state: State, app: App, number: str, ctx: Context) -> State:
    """The history service has a signal; the next one is sent."""
    if not app.outbox or app.outbox[0].id != number:
        return state
    app = replace(app, outbox=app.outbox[1:], resend_ms=OPEN)
    return sent(state, app, ctx) if app.outbox else with_app(state, app)


def learned(state: State, app: App, news: News, ctx: Context) -> State:
    """An app hears how the trip stands."""
    if news.status == app.status or not news.status:
        return state
    app = replace(app, status=news.status)
    state = with_app(state, app)
    if app.name != RIDER:
        return state
    calls = state.calls
    late_ms = calls.late_ms + ctx.now_ms - news.since_ms
    state = replace(state, calls=replace(calls, news=calls.news + 1, late_ms=late_ms))
    return planned(state, app, CONFIRMED, ctx) if app.status == QUOTED else state


def ask(state: State, app: App, ctx: Context) -> State:
    """An app asks how the trip stands; one that is told asks seldom, in case it missed any news."""
    pause_ms = state.params.poll_ms if polling(state) else LONG_POLL_MS
    app = replace(app, ask_ms=wake(app.name, ctx.now_ms + pause_ms, ctx))
    state = counted(with_app(state, app), polls=1)
    return say(state, app.name, HISTORY, Ask(app.status), ctx)


def alarmed(state: State, name: str, ctx: Context) -> State:
    """An app's deadline: its owner acts, a signal is sent again, or it asks for news."""
    app = app_of(state, name)
    if app.plan_ms == ctx.now_ms:
        state = did(state, app, app.plan, ctx)
    app = app_of(state, name)
    if app.resend_ms == ctx.now_ms:
        state = sent(state, app, ctx)
    app = app_of(state, name)
    # Simplified: an app knows at once that the trip is over, and asks no more.
    if app.ask_ms == ctx.now_ms and under_way(state):
        state = ask(state, app, ctx)
    return state
