"""What happened, and what there is to see, in sentences."""

from __future__ import annotations

from ...kernel import Deliver, Message, is_up
from ...order_book import (
    ORDERS,
    PAYMENTS,
    PRICE_CENTS,
    SERVICES,
    STEPS,
    Databases,
    dollars,
    is_complete,
    of_service,
    standing,
    status_of,
    step_of,
)
from ...phrases import listed, many
from .shop import (
    ASKED,
    CONFIRM,
    DELETE,
    DELETED,
    DONE,
    FAILURES,
    NEVER,
    NO_STEP,
    REFUSED,
    SHOP,
    SORRY,
    SUPERVISOR_MS,
    THANKS,
    TIMEOUT_MS,
    UNKNOWN,
    Answer,
    Crash,
    Event,
    PlaceOrder,
    Request,
    Restart,
    State,
    Supervise,
    Timeout,
    call_of,
    is_over,
    is_settled,
    status,
    wrong,
)

BELIEFS = {
    "": "not asked yet",
    ASKED: "asked, waits",
    DONE: "done",
    REFUSED: "refused",
    UNKNOWN: "unknown",
    DELETED: "deleted",
}
TOLD = {
    "": "has heard nothing yet",
    THANKS: "was told: “Thank you, it is on its way”",
    SORRY: "was told: “Sorry, your order failed”",
}


def asks_for(service: str, verb: str) -> str:
    """What a request asks for, in the words of its step."""
    words = {CONFIRM: "confirm the order", DELETE: "delete the order"}
    return words.get(verb) or step_of(service).do


def truth(databases: Databases, service: str, order: int) -> str:
    """What a service's database says of an order, in a word or two."""
    database = of_service(databases, service)
    count = standing(database, order)
    if not count:
        return "no entry"
    done = status_of(databases, order) if service == ORDERS else step_of(service).done
    if service == PAYMENTS:
        return f"{dollars(count * PRICE_CENTS)} {done}"
    return done if count == 1 else f"{done} {'twice' if count == 2 else f'{count} times'}"


def belief(state: State, service: str, order: int) -> str:
    """What the shop believes of a step of an order: one of `BELIEFS`, or "forgotten"."""
    call = call_of(state, order)
    if call is None:
        return "forgotten" if order else ""
    return BELIEFS[call.beliefs[SERVICES.index(service)]]


def describe(before: State | None, event: Event | None, after: State) -> str:
    """What an event did, in a sentence; without an event, how the run starts."""
    if before is None or event is None:
        return start_text(after)
    match event:
        case Deliver(message):
            return of_message(before, message, after)
        case Timeout(order):
            return of_timeout(before, order, after)
        case PlaceOrder():
            if after.turned_away > before.turned_away:
                return "A customer is turned away: the shop is down."
            return f"A customer orders a widget: order {len(after.customers)}. {going_on(after)}"
        case Supervise():
            return of_supervisor(before, after)
        case Crash(node):
            lost = " All that it knew of open orders is gone." if node == SHOP else ""
            return f"{node} crashes.{lost}"
        case Restart(node):
            return f"{node} is up again{', and has forgotten every order' * (node == SHOP)}."
    raise ValueError(f"uncoordinated_transaction has no event {event!r}")


def start_text(state: State) -> str:
    """What is going to fail in this run."""
    params = state.params
    text = "A shop, four services, four databases, and nobody who coordinates them. "
    if params.failing_step == NO_STEP:
        return f"{text}Every step will work."
    step = step_of(params.failing_step)
    return f"{text}What will fail is to {step.do}: {FAILURES[params.how]}."


def going_on(state: State) -> str:
    """What the shop asks for next about the newest order."""
    call = state.calls[-1]
    return f"The shop asks {call.service} to {asks_for(call.service, call.verb)}."


def of_supervisor(before: State, after: State) -> str:
    if after is before:
        return "The supervisor finds the shop up."
    return (
        f"{SUPERVISOR_MS} ms later a supervisor has started the shop again. "
        "It knows of no open order, so nobody finishes it and nobody undoes it."
    )


# --- Messages -------------------------------------------------------------------------------------


def of_message(before: State, sent: Message, after: State) -> str:
    message = next((m for m in before.network.in_flight if m.id == sent.id), sent)
    body, what = message.body, "request" if isinstance(message.body, Request) else "answer"
    whose = f"The {what} {'to' if what == 'request' else 'of'} "
    whose += message.target if what == "request" else message.source
    if message.lost:
        knows = "worked, and only it knows" if did(before, message) else "never heard of it"
        who = message.target if what == "request" else message.source
        return f"{whose} is lost on the way: {who} {knows}."
    if not is_up(before.network, message.target):
        return f"{whose} finds {message.target} down."
    if isinstance(body, Answer):
        return of_answer(before, message.source, body, after)
    return of_request(before, message.target, body, after)


def did(state: State, message: Message) -> bool:
    """Whether a lost message was the answer to something that was done."""
    return isinstance(message.body, Answer) and not message.body.refused


def of_request(before: State, service: str, request: Request, after: State) -> str:
    """A service at work."""
    order = request.order
    old, new = of_service(before.databases, service), of_service(after.databases, service)
    crashed = " At this moment the shop crashes, and forgets all of it."
    ends = crashed if is_up(before.network, SHOP) and not is_up(after.network, SHOP) else ""
    if request.verb == DELETE:
        return f"{service} deletes order {order}. The other three databases are not its own."
    if request.verb == CONFIRM:
        return f"{service} sets order {order} to {status_of(after.databases, order) or 'nothing'}."
    if request.key and request.key in old.keys:
        return f"{service} knows the key {request.key} and answers again without doing it again."
    if new.rows == old.rows:
        return f"{service} refuses for order {order}: {why_of(after, service, order)}."
    again = " once more" if standing(old, order) else ""
    return f"{service} does its step for order {order}{again}: {step_of(service).do}.{ends}"


def why_of(state: State, service: str, order: int) -> str:
    """Why a service has just refused, as its answer says that is under way."""
    for message in reversed(state.network.in_flight):
        body = message.body
        if message.source == service and isinstance(body, Answer) and body.order == order:
            return body.refused
    return "no reason given"


def of_answer(before: State, service: str, answer: Answer, after: State) -> str:
    """The shop hears from a service."""
    old, new = call_of(before, answer.order), call_of(after, answer.order)
    if old is None:
        return f"An answer of {service} reaches a shop that has forgotten the order."
    if new is None or new == old:
        return f"An answer of {service} that the shop no longer waits for."
    if answer.refused:
        return f"The shop hears that {service} refuses: {answer.refused}. {consequence(new)}"
    if new.deadline_ms == NEVER:
        told = TOLD[after.customers[answer.order - 1].told]
        return (
            f"{service} has {'deleted' if answer.verb == DELETE else 'confirmed'} order "
            f"{answer.order}. The customer {told}."
        )
    done = f"The shop hears that {service} has done its step"
    return f"{done} and asks {new.service} to {asks_for(new.service, new.verb)}."


def consequence(call: object) -> str:
    """What the shop does after a failure."""
    verb = getattr(call, "verb", "")
    open_still = getattr(call, "deadline_ms", NEVER) != NEVER
    if verb == DELETE and open_still:
        return "It rolls back what is its own: it has the order deleted."
    return "It raises an error, tells the customer that the order failed, and does no more."


def of_timeout(before: State, order: int, after: State) -> str:
    """The shop's patience is at an end, or the alarm is stale."""
    old, new = call_of(before, order), call_of(after, order)
    if old is None or new is None or new == old:
        return "An alarm that no longer matters."
    waited = f"{TIMEOUT_MS} ms without an answer from {old.service}: did it work? Unknown."
    if (new.service, new.verb) == (old.service, old.verb) and new.deadline_ms != NEVER:
        key = " with the same key" if before.params.idempotency_key else ""
        return f"{waited} The shop asks again{key}."
    return f"{waited} {consequence(new)}"


# --- The picture ----------------------------------------------------------------------------------


def lesson(state: State) -> str:
    """What the newest order teaches, in a sentence."""
    order = len(state.customers)
    if not order:
        return "Nobody has ordered yet."
    if not is_over(state, order):
        return f"Order {order} is under way: what the shop believes trails behind what is true."
    if is_complete(state.databases, order):
        return f"Order {order} is complete: every step worked once, and the shop knows it."
    if is_settled(state, order):
        return f"Nothing of order {order} is in effect in any database."
    told = state.customers[order - 1].told
    if told == THANKS:
        return f"Order {order} was confirmed, and its books are wrong all the same."
    charged = standing(of_service(state.databases, PAYMENTS), order)
    if not told:
        return f"Order {order} is stuck halfway, and no record says that it must be finished."
    if charged:
        return f"The customer of order {order} was told that it failed, and has been charged."
    return f"Order {order} was given up, and parts of it stand."


def alternative(state: State, now_ms: int) -> str:
    """What a sighted reader sees, as text."""
    order = len(state.customers)
    shop = {"down": "is down", "waits": "waits for an answer", "forgot": "is up, its memory empty"}
    text = f"The shop {shop.get(status(state, SHOP), 'is up')}. "
    down = [name for name in state.network.down if name != SHOP]
    if down:
        text += f"Down: {listed(down)}. "
    for step in STEPS if order else ():
        believes = belief(state, step.service, order)
        is_true = truth(state.databases, step.service, order)
        text += f"{step.service}: the shop believes “{believes}”, true is “{is_true}”. "
    if order:
        text += f"The customer of order {order} {TOLD[state.customers[-1].told]}. "
    flying = len(state.network.in_flight)
    text += f"{many(flying, 'message')} under way. " if flying else ""
    found = wrong(state)
    if not found:
        return f"{text}Nothing is wrong with the orders that are over."
    return text + "Wrong: " + "; ".join(finding.text for finding in found) + "."


def money(cents: int) -> str:
    """Dollars at stake, or a plain zero."""
    return dollars(cents) if cents else "$0"
