"""A transaction without coordination: a shop asks four services, one after the other.

It shows why 'just roll it back' does not work across independent databases. Each service commits by
itself, so what the first two have done stands when the third refuses; the shop can take back only
what is its own, and a charge is left for an order that does not exist. When an answer does not
come, the shop cannot know whether the step has worked: the request may be lost, or only the answer.
To ask again without an idempotency key may charge twice; to give up may leave a charge behind. And
a shop that crashes between two steps knows nothing of the order afterward.

Sources: Helland, "Life beyond Distributed Transactions: an Apostate's Opinion", CIDR 2007 (what is
retried must be idempotent); Stripe, "Idempotent requests", https://docs.stripe.com/api/idempotent_requests
(the same key, the same answer); Saltzer, Reed and Clark, "End-to-End Arguments in System Design",
ACM TOCS 2(4), 1984 (only the ends can tell a lost request from a lost answer).

Simplified: a service's local transaction takes no time, and a key is remembered forever.
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
    send,
)
from ...order_book import (
    ORDERS,
    SERVICES,
    confirm,
    databases_of,
    execute,
    of_service,
    refusal,
    step_of,
)
from .shop import (
    ASKED,
    ATTEMPTS_MAX,
    CALLER_CRASHES,
    CONFIRM,
    DELETE,
    DELETED,
    DO,
    DONE,
    LATENCY_MS,
    LOST_ANSWER,
    LOST_REQUEST,
    NEVER,
    NODES,
    REFUSED,
    REFUSES,
    RETRY,
    ROLL_BACK,
    SHOP,
    SORRY,
    SUPERVISOR_MS,
    THANKS,
    TIMEOUT_MS,
    UNKNOWN,
    WHY_REFUSED,
    Answer,
    Call,
    Crash,
    Customer,
    Event,
    Params,
    PlaceOrder,
    Request,
    Restart,
    State,
    Supervise,
    Timeout,
    believing,
    call_of,
    delete,
    with_call,
    with_database,
)


def init(params: Params, ctx: Context) -> State:
    """A shop that is up, and empty books."""
    network = network_of(NODES, Latency.uniform(*LATENCY_MS), loss=params.loss)
    return State(params, network, databases_of(params.stock))


def update(state: State, event: Event, ctx: Context) -> State:
    """The state after an event; `ValueError` for a node that cannot crash or restart now."""
    match event:
        case Deliver(message):
            return delivered(state, message, ctx)
        case PlaceOrder():
            return ordered(state, ctx)
        case Timeout(order):
            return timed_out(state, order, ctx)
        case Supervise():
            return back_up(state) if state.back_ms == ctx.now_ms else state
        case Crash(node):
            check_up(state.network, node)
            return crashed(state, node)
        case Restart(node):
            check_up(state.network, node, up=False)
            return back_up(state) if node == SHOP else came_back(state, node)
    raise ValueError(f"uncoordinated_transaction has no event {event!r}")


# --- Crashes --------------------------------------------------------------------------------------


def crashed(state: State, node: str) -> State:
    """A node stops. The shop's memory is gone with it; the services' databases are not."""
    state = replace(state, network=crash(state.network, node))
    return replace(state, calls=(), back_ms=NEVER) if node == SHOP else state


def came_back(state: State, node: str) -> State:
    return replace(state, network=restart(state.network, node))


def back_up(state: State) -> State:
    """The shop starts again, and has no log in which an unfinished order would stand."""
    return replace(came_back(state, SHOP), back_ms=NEVER)


# --- The shop -------------------------------------------------------------------------------------


def ordered(state: State, ctx: Context) -> State:
    """A customer orders; the shop asks for the first step. A shop that is down turns him away."""
    if not is_up(state.network, SHOP):
        return replace(state, turned_away=state.turned_away + 1)
    call = Call(len(state.customers) + 1)
    open_calls = tuple(old for old in state.calls if old.deadline_ms != NEVER)
    customers = (*state.customers, Customer(call.order))
    state = replace(state, calls=(*open_calls, call), customers=customers)
    return ask(state, call, ORDERS, DO, ctx)


def ask(state: State, call: Call, service: str, verb: str, ctx: Context, attempt: int = 1) -> State:
    """The shop sends a request and waits, no longer than its timeout."""
    deadline_ms = ctx.now_ms + TIMEOUT_MS
    call = replace(
        call,
        service=service,
        verb=verb,
        attempt=attempt,
        asked_ms=ctx.now_ms,
        deadline_ms=deadline_ms,
    )
    if verb == DO and attempt == 1:
        call = believing(call, service, ASKED)
    key = f"order-{call.order}" if state.params.idempotency_key else ""
    request = Request(call.order, verb, attempt, key)
    lost = fails(state, service, request, LOST_REQUEST)
    ctx.after(TIMEOUT_MS, Timeout(call.order))
    state = with_call(replace(state, requests=state.requests + 1), call)
    return posted(state, SHOP, service, request, lost, ctx)


def posted(
    state: State, source: str, target: str, body: Request | Answer, lost: bool, ctx: Context
) -> State:
    """A message goes out; the fault of this run may lose it."""
    network = send(state.network, ctx, source, target, body)
    if lost:
        *others, last = network.in_flight
        network = replace(network, in_flight=(*others, replace(last, lost="loss")))
    return replace(state, network=network)


def fails(state: State, service: str, request: Request, how: str) -> bool:
    """Whether this run's fault strikes now: the failing step, the first time that it is tried."""
    here = (state.params.failing_step, state.params.how) == (service, how)
    return here and request.verb == DO and request.attempt == 1


def answered(state: State, service: str, answer: Answer, ctx: Context) -> State:
    """The shop hears from a service, unless it no longer waits for that."""
    call = call_of(state, answer.order)
    if call is None or call.deadline_ms == NEVER:
        return state
    if (call.service, call.verb) != (service, answer.verb):
        return state
    if answer.verb == DELETE:
        return told(state, believing(call, ORDERS, DELETED), SORRY)
    if answer.refused:
        return failed(state, believing(call, service, REFUSED), ctx)
    if answer.verb == CONFIRM:
        return told(state, call, THANKS)
    call = believing(call, service, DONE)
    number = SERVICES.index(service) + 1
    if number < len(SERVICES):
        return ask(state, call, SERVICES[number], DO, ctx)
    return ask(state, call, ORDERS, CONFIRM, ctx)


def timed_out(state: State, order: int, ctx: Context) -> State:
    """No answer has come: the shop asks again, or counts the step as failed. It cannot know."""
    call = call_of(state, order)
    if call is None or call.deadline_ms != ctx.now_ms:
        return state
    if call.verb in (DO, DELETE):
        call = believing(call, call.service, UNKNOWN)
    if state.params.on_timeout == RETRY and call.attempt < ATTEMPTS_MAX:
        return ask(state, call, call.service, call.verb, ctx, call.attempt + 1)
    if call.verb == DELETE:
        return told(state, call, SORRY)
    return failed(state, call, ctx)


def failed(state: State, call: Call, ctx: Context) -> State:
    """A step counts as failed: the shop raises an error, and may delete the order first.

    That is all that it can take back by itself. What the other services have committed stands.
    """
    may_exist = call.beliefs[0] in (DONE, UNKNOWN)
    if state.params.on_failure == ROLL_BACK and may_exist:
        return ask(state, call, ORDERS, DELETE, ctx)
    return told(state, call, SORRY)


def told(state: State, call: Call, what: str) -> State:
    """The customer gets an answer, and the order is over for the shop."""
    customers = tuple(
        replace(customer, told=what) if customer.order == call.order else customer
        for customer in state.customers
    )
    return with_call(replace(state, customers=customers), replace(call, deadline_ms=NEVER))


# --- The services ---------------------------------------------------------------------------------


def delivered(state: State, message: Message, ctx: Context) -> State:
    """A message reaches its node, unless it was lost or the node is down."""
    network, received = arrive(state.network, message)
    state = replace(state, network=network)
    if received is None:
        return state
    if isinstance(received.body, Answer):
        return answered(state, received.source, received.body, ctx)
    return served(state, received.target, received.body, ctx)


def served(state: State, service: str, request: Request, ctx: Context) -> State:
    """A service does what it is asked for in one local transaction, and answers."""
    database = of_service(state.databases, service)
    why = refused(state, service, request)
    if request.verb == DELETE:
        database = delete(database, request.order)
    elif request.verb == CONFIRM:
        database = confirm(database, request.order)
    elif not why:
        database = execute(database, request.order, request.key)
    state = with_database(state, database)
    answer = Answer(request.order, request.verb, why)
    lost = fails(state, service, request, LOST_ANSWER)
    state = posted(state, service, SHOP, answer, lost, ctx)
    if fails(state, service, request, CALLER_CRASHES) and is_up(state.network, SHOP):
        ctx.after(SUPERVISOR_MS, Supervise())
        return replace(crashed(state, SHOP), back_ms=ctx.now_ms + SUPERVISOR_MS)
    return state


def refused(state: State, service: str, request: Request) -> str:
    """Why a service refuses a request, or nothing; a key that was used is never refused."""
    if request.verb != DO:
        return ""
    database = of_service(state.databases, service)
    if request.key and request.key in database.keys:
        return ""
    if (state.params.failing_step, state.params.how) == (service, REFUSES):
        return WHY_REFUSED[step_of(service).service]
    return refusal(database)
