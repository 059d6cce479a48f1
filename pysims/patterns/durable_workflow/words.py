"""What happens, in sentences."""

from __future__ import annotations

from ...kernel import Deliver, Message, is_up
from ...order_book import dollars
from ...phrases import listed, many
from .engine import (
    COMPLETED,
    FIRED,
    SCHEDULED,
    SIGNALED,
    SLEEPING,
    STARTED,
    WAITING,
    Mismatch,
    Recorded,
    ordinal,
)
from .promises import charges, doer, standing
from .state import (
    ACTIVITY,
    DECISION,
    DRIVER,
    HISTORY,
    JOB,
    RIDER,
    SERVICES,
    WORKERS,
    Alarm,
    Answer,
    Ask,
    Assigned,
    Call,
    Cancel,
    Decided,
    Deploy,
    Event,
    Finished,
    Forward,
    Held,
    Kill,
    News,
    Noted,
    Nothing,
    Poll,
    Report,
    Request,
    Restart,
    Signal,
    State,
    Tap,
    TimerDue,
    app_of,
    durable,
    polling,
    worker_of,
    workers_down,
)
from .trip import (
    CHANGED,
    CHARGE,
    COUPON,
    FIND,
    HOLD,
    NOTIFY,
    OFFER,
    QUOTE,
    RATED,
    RECEIPT,
    RELEASE,
)

NODE = {HISTORY: "the history service", SERVICES: "the services"}
NODE |= {RIDER: "the rider’s app", DRIVER: "the driver’s app"}
OWNER = {RIDER: "the rider", DRIVER: "the driver"}
STALE = "An alarm that no longer matters."


def capital(text: str) -> str:
    """The text as the beginning of a sentence."""
    return text[:1].upper() + text[1:]


def node_text(name: str) -> str:
    """A node in a sentence."""
    return NODE.get(name, f"worker {name}")


def step_text(name: str, argument: int) -> str:
    """A step of the workflow, as something to do."""
    return {
        QUOTE: "quote the fare",
        FIND: f"find a driver, try {argument}",
        OFFER: f"offer the trip to driver {argument}",
        RELEASE: f"release driver {argument}",
        NOTIFY: f"tell the rider that driver {argument} comes",
        COUPON: "give the rider a coupon",
        CHARGE: f"charge {dollars(argument)}",
        HOLD: f"hold {dollars(argument)} on the card",
        RECEIPT: f"send a receipt for {dollars(argument)}",
    }[name]


def result_text(event: Recorded) -> str:
    """A completed step with what came of it."""
    if event.name == QUOTE:
        return f"quote: {dollars(event.value)}"
    if event.name == FIND:
        return f"found: driver {event.value}"
    if event.name == CHARGE and not event.value:
        return "charge: refused"
    return f"{event.name}: done"


def signal_text(name: str, value: int) -> str:
    """What somebody did: "driver 2 accepted"."""
    return f"driver {value} {name}" if value else f"rider {name}"


def event_text(event: Recorded) -> str:
    """A line of the history."""
    match event.kind:
        case kind if kind == STARTED:
            return "trip requested"
        case kind if kind == SCHEDULED:
            return f"do: {step_text(event.name, event.value)}"
        case kind if kind == COMPLETED:
            return result_text(event)
        case kind if kind == WAITING:
            return f"wait: {event.name.replace('/', ' or ')}?"
        case kind if kind == SIGNALED:
            return signal_text(event.name, event.value)
        case kind if kind == SLEEPING:
            return f"sleep {event.ms} ms"
        case kind if kind == FIRED:
            return "time is up"
    return "end of the workflow"


def mismatch_text(mismatch: Mismatch, worker: str) -> str:
    """Why a replay stopped, in words for somebody who has never heard of determinism."""
    was = event_text(mismatch.was)
    now = "still waits there" if mismatch.now is None else f"says “{event_text(mismatch.now)}”"
    return (
        f"At event {mismatch.number} the history has “{was}”, and the code of worker {worker} "
        f"{now}. The same answers must lead to the same steps; here they do not, so nothing "
        "is done."
    )


def describe(before: State | None, event: Event | None, after: State) -> str:
    """What an event did, in a sentence; without an event, how the run starts."""
    if before is None or event is None:
        return "Three workers ask for something to do. Nobody wants a trip yet."
    match event:
        case Deliver(message):
            return of_message(before, message, after)
        case Alarm(name):
            return capital(of_alarm(before, name, after))
        case TimerDue():
            if before == after:
                return STALE
            return "Time is up: the workflow waits no longer."
    return of_the_reader(before, event, after)


# --- What the reader does -------------------------------------------------------------------------


def of_the_reader(before: State, event: Event, after: State) -> str:
    match event:
        case Kill(name):
            return f"Worker {name} dies{in_hand(before, name)}. Nobody is told."
        case Restart(name):
            return f"Worker {name} is back. It remembers nothing and asks for a task."
        case Request():
            return f"The rider requests trip {after.trip}."
        case Cancel():
            return "The rider cancels the trip."
        case Tap(_):
            return capital(acted(before, DRIVER, after))
        case Deploy(code):
            what = "one step more, “hold the fare”" if code == CHANGED else "as it was"
            return f"The {code} code is deployed ({what}): every worker restarts and forgets."
    raise ValueError(f"durable_workflow has no event {event!r}")


def in_hand(state: State, name: str) -> str:
    """What a worker was busy with."""
    worker = worker_of(state, name)
    if worker.held is None:
        return " while it waits for a task"
    if worker.held.kind == DECISION:
        return " in the middle of a decision"
    if worker.held.kind == JOB:
        return " with the whole trip in its memory"
    if worker.trip != state.trip:
        return ""
    command = state.service.history[worker.held.number - 1]
    return f" in the middle of “{step_text(command.name, command.value)}”"


def acted(before: State, name: str, after: State) -> str:
    """What the owner of an app has just done."""
    app, old = app_of(after, name), app_of(before, name)
    if app.signals == old.signals:
        return STALE
    last = app.outbox[-1]
    whom = f"driver {last.value}" if last.value else "the rider"
    verb = {"arrived": "arrives", "dropped off": "drops the rider off"}
    verb |= {"accepted": "accepts", "declined": "declines", "picked up": "picks the rider up"}
    verb |= {"confirmed": "confirms the fare", RATED: "rates the trip", "requested": "wants a trip"}
    return f"{whom} {verb.get(last.name, 'cancels')}; the app signals it."


# --- Time -----------------------------------------------------------------------------------------


def of_alarm(before: State, name: str, after: State) -> str:
    if before == after:
        return STALE
    if name == HISTORY:
        return of_deadline(before, after)
    if name in WORKERS:
        return of_worker(before, name, after)
    app, old = app_of(after, name), app_of(before, name)
    if app.signals > old.signals:
        return acted(before, name, after)
    if app.resend_ms != old.resend_ms:
        return f"{node_text(name)} has heard nothing and sends its signal again."
    return f"{node_text(name)} asks: anything new?"


def of_deadline(before: State, after: State) -> str:
    """The history service looks at its tasks."""
    old = {task.id: task for task in before.service.tasks}
    late = [task for task in after.service.tasks if task.attempt > old[task.id].attempt]
    given = [task for task in after.service.tasks if task.worker and not old[task.id].worker]
    if late:
        task = late[0]
        was = old[task.id].worker
        text = f"worker {was} has not answered in time: its task goes to another"
        return f"{text}, worker {task.worker}." if task.worker else f"{text}."
    if given:
        worker = given[0].worker
        if given[0].kind == JOB:
            return f"worker {worker} gets the whole trip: the one that had it is gone."
        return f"worker {worker} gets the task: the one that knows the trip is busy or gone."
    return "the history service sets a task free."


def of_worker(before: State, name: str, after: State) -> str:
    """A worker’s deadline."""
    worker = worker_of(before, name)
    held = worker.held
    if held is None:
        return f"worker {name} asks for a task."
    if held.kind == JOB:
        return f"worker {name} has no answer yet and asks again."
    if held.kind == ACTIVITY:
        return f"worker {name} gives up on a call without an answer, and asks for a task."
    new = [m for m in after.network.in_flight if m.id >= before.network.next_id]
    decided = [message.body for message in new if isinstance(message.body, Decided)]
    if not decided:
        return f"worker {name} drops a task of an earlier trip."
    said: Decided = decided[-1]
    if said.mismatch is not None:
        return f"Caught. {mismatch_text(said.mismatch, name)}"
    return f"worker {name} {fed(held)}; {nexts(said.commands)}."


def fed(held: Held) -> str:
    """How a worker came to know where the workflow stands."""
    if held.known:
        return f"goes on from its memory with {many(held.length - held.known, 'new event')}"
    return f"has replayed {many(held.length, 'event')} from the first"


def nexts(commands: tuple[Recorded, ...]) -> str:
    """What the workflow wants next."""
    if not commands:
        return "the workflow still waits"
    return f"next comes {listed(f'“{event_text(command)}”' for command in commands)}"


# --- Messages -------------------------------------------------------------------------------------


def of_message(before: State, sent: Message, after: State) -> str:
    message = next((m for m in before.network.in_flight if m.id == sent.id), sent)
    kind = type(message.body).__name__.lower()
    if message.lost:
        text = f"a message ({kind}) from {node_text(message.source)} to {node_text(message.target)}"
        return capital(f"{text} is lost.")
    if not is_up(after.network, message.target):
        return capital(f"{node_text(message.source)} sends to worker {message.target}, a dead one.")
    if message.target == HISTORY:
        return capital(to_history(before, message, after))
    if message.target in WORKERS:
        return capital(to_worker(before, message, after))
    return capital(to_app(before, message, after))


def to_history(before: State, message: Message, after: State) -> str:
    source, old, new = message.source, before.service, after.service
    match message.body:
        case Poll():
            return of_poll(before, source, after)
        case Decided() as decided:
            return of_decision(before, source, decided, after)
        case Finished():
            if len(new.history) == len(old.history):
                return f"worker {source} comes too late: somebody else has that task."
            done = new.history[len(old.history)]
            text = f"event {len(old.history) + 1} is recorded, “{event_text(done)}”"
            return f"{text}: this step never runs again."
        case Signal() as signal:
            return of_signal(before, signal, after)
        case Ask():
            return f"{node_text(source)} asks how the trip stands."
        case Report() as report:
            if (report.trip, report.run) != (before.trip, old.run):
                return f"worker {source} reports on a trip that was given to another."
            return f"worker {source} says that the trip is “{report.status}”."
    return f"{node_text(source)} says something that nobody asked for."


def of_poll(before: State, source: str, after: State) -> str:
    """A worker’s question."""
    old = {task.id: task.worker for task in before.service.tasks}
    for task in after.service.tasks:
        if task.worker == source and old.get(task.id) != source:
            what = {DECISION: "a decision", ACTIVITY: "an activity"}.get(task.kind, "a whole trip")
            return f"worker {source} asks for a task and gets one: {what}."
    if polling(after):
        return f"worker {source} asks for a task in vain."
    return f"worker {source} waits here until there is a task for it."


def of_decision(before: State, source: str, decided: Decided, after: State) -> str:
    old, new = before.service, after.service
    if decided.mismatch is not None and new.mismatch is not None:
        return f"the trip is stuck: the code of worker {source} does not fit its history."
    first = len(old.history)
    if len(new.history) == first:
        if any(task.id == decided.task for task in new.tasks):
            return f"worker {source} comes too late with its decision: another one has the task."
        return f"worker {source} has nothing new: the workflow still waits."
    told = [
        f"{n} “{event_text(new.history[n - 1])}”" for n in range(first + 1, len(new.history) + 1)
    ]
    return f"recorded before anything is done: {listed(told)}."


def of_signal(before: State, signal: Signal, after: State) -> str:
    if signal.id in before.service.noted or signal.trip != before.trip:
        return "a signal that is known already; it counts once."
    if len(after.service.history) > len(before.service.history):
        last = len(before.service.history) + 1
        return f"event {last} is recorded: {event_text(after.service.history[last - 1])}."
    if signal.name == "requested":
        return "the trip is a job in a queue now; nobody records how far it is."
    if before.service.closed:
        return "a signal for a trip that is over."
    told = [m for m in after.network.in_flight if isinstance(m.body, Forward)]
    if told and told[-1].id >= before.network.next_id:
        return f"{signal_text(signal.name, signal.value)}: worker {told[-1].target} is told."
    return f"{signal_text(signal.name, signal.value)}, but no worker has the trip: it is forgotten."


def to_worker(before: State, message: Message, after: State) -> str:
    name = message.target
    worker, old = worker_of(after, name), worker_of(before, name)
    match message.body:
        case Nothing():
            return f"there is no task for worker {name}; it will ask again."
        case Assigned() as assigned:
            if worker.held is None or worker.held == old.held:
                return f"worker {name} no longer waits for that task."
            return taken(after, name, assigned)
        case Answer():
            if worker == old:
                return f"an answer that worker {name} no longer waits for."
            if worker.memory != old.memory and worker.held:
                return f"worker {name} goes on with the trip in its memory."
            return f"the step is done; worker {name} reports it and asks for the next task."
        case Forward():
            return f"worker {name} learns what happened and goes on with the trip in its memory."
    return f"worker {name} is told something that it did not ask for."


def taken(after: State, name: str, assigned: Assigned) -> str:
    """A worker begins with a task."""
    held = worker_of(after, name).held
    task = assigned.task
    if task.kind == JOB:
        begins = "again from the top" if assigned.run > 1 else "from the top"
        return f"worker {name} begins the trip {begins}: run {assigned.run}."
    if task.kind == ACTIVITY:
        if assigned.trip != after.trip:
            return f"worker {name} has a task of an earlier trip."
        command = after.service.history[task.number - 1]
        again = f", attempt {task.attempt}" if task.attempt > 1 else ""
        key = ordinal(after.service.history, task.number)
        what = step_text(command.name, command.value)
        return f"worker {name} carries out “{what}” under key {after.trip}-{key}{again}."
    if held and not held.known:
        return (
            f"worker {name} does not know the trip: it runs the code from its first line and feeds "
            f"it the {many(task.length, 'recorded event')}."
        )
    return f"worker {name} still has the trip in memory and looks at what is new."


def to_app(before: State, message: Message, after: State) -> str:
    name = message.target
    match message.body:
        case Call() as call:
            what = step_text(call.name, call.argument)
            row = next(row for row in after.rows if row.key == call.key)
            if len(after.rows) == len(before.rows):
                know = "know" if name == SERVICES else "knows"
                return (
                    f"{node_text(name)} {know} key {call.key}: “{what}” is not done again, the "
                    "answer is the same."
                )
            if call.name == CHARGE and not row.result:
                return f"the bank refuses to {what}."
            twice = call.name == CHARGE and len(charges(after)) > 1
            again = ": a second time, for one trip!" if twice else f", under key {call.key}."
            do = "do" if name == SERVICES else "does"
            return f"{node_text(name)} {do} it: {what}{again}"
        case Noted():
            return f"{OWNER[name]}’s signal has arrived."
        case News() as news:
            if app_of(before, name).status == app_of(after, name).status:
                return f"{node_text(name)} hears nothing new."
            return f"{node_text(name)} shows: {news.status}."
    return f"{node_text(name)} is told something that it did not ask for."


# --- The picture ----------------------------------------------------------------------------------


def worker_text(state: State, name: str, now_ms: int) -> str:
    """What a worker is doing."""
    if name in workers_down(state):
        return "dead"
    worker = worker_of(state, name)
    held = worker.held
    if held is None:
        return "waits for a task" if worker.poll >= 0 else "pauses"
    if held.kind == JOB:
        return f"has the trip, run {worker.run}"
    if held.kind == DECISION:
        return "decides" if held.known else "replays"
    if worker.trip != state.trip:
        return "busy"
    return state.service.history[held.number - 1].name


def alternative(state: State, now_ms: int) -> str:
    """What a sighted reader sees, as text."""
    if not state.trip:
        return "Three workers wait. Nobody has requested a trip."
    found = standing(state)
    where = found.state or state.service.status or "requested"
    passed = [visit.state for visit in found.path[:-1]]
    text = f"Trip {state.trip} is “{where}”"
    text += f", after {listed(passed)}. " if passed else ". "
    if durable(state):
        text += f"The history has {many(len(state.service.history), 'event')}. "
    else:
        worker = doer(state)
        kept = f"is in the memory of worker {worker.name} only" if worker else "is nowhere"
        text += f"How far it is {kept}. "
    each = [f"{name} {worker_text(state, name, now_ms)}" for name in WORKERS]
    text += f"Workers: {listed(each)}. "
    paid = charges(state)
    if paid:
        text += f"Charged: {listed(dollars(row.argument) for row in paid)}. "
    if state.service.mismatch is not None:
        text += f"Stuck. {mismatch_text(state.service.mismatch, state.service.blamed)} "
    calls = state.calls
    return (
        f"{text}Workers and apps asked {many(calls.polls, 'time')}, {calls.vain} times in vain; "
        f"apps were told {many(calls.pushes, 'time')} unasked."
    )
