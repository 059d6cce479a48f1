"""Random schedules for trips, a second look at every step, and the workflow told without an engine.

The second look shares no code with the engine: `told` runs the workflow's generator by hand and
answers it from the history, without tasks, workers or `replay`. What it yields must be what is
recorded, and what was done must be what it asks for, in order: the effects of a run without crashes
in which people do the same.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from functools import partial
from random import Random

from pysims.kernel import Deliver, Latency, Sim, build, dispatch, run_until, start
from pysims.patterns.durable_workflow import PATTERN, standing
from pysims.patterns.durable_workflow.engine import (
    COMMANDS,
    COMPLETED,
    FIRED,
    SIGNALED,
    STARTED,
    TIMED_OUT,
    Activity,
    Enter,
    History,
    Recorded,
    Wait,
    recorded,
)
from pysims.patterns.durable_workflow.model import init, update
from pysims.patterns.durable_workflow.state import (
    ACTIVITY,
    APPS,
    DECISION,
    LATENCY_MS,
    STICKY_MS,
    Assigned,
    Cancel,
    Deploy,
    Kill,
    Params,
    Request,
    Restart,
    State,
    Tap,
    books,
    taps,
    under_way,
    worker_of,
    workers_down,
    workers_up,
)
from pysims.patterns.durable_workflow.trip import CHANGED, CODES, ORIGINAL, code_of

PIECE_MS = 500
KINDS = ("kill",) * 12 + ("restart",) * 16 + ("tap",) * 12 + ("wait",) * 16 + ("cancel", "deploy")


def params_of(draw: Random) -> Params:
    """A trip and its troubles, from calm to hopeless; each of them can end once it is calm."""
    drawn = {
        "waiting": draw.choice(("waiting", "waiting", "polling")),
        "poll_ms": draw.choice((100, 400)),
        "declines": draw.randint(0, 3),
        "card_declines": draw.choice((0, 0, 1, 3)),
        "cache": draw.choice((True, False)),
        "coin": draw.choice((False, False, False, True)),
        "task_timeout_ms": draw.choice((600, 1_000)),
        "loss": draw.choice((0.0, 0.0, 0.1, 0.3)),
        "duplication": draw.choice((0.0, 0.1, 0.3)),
    }
    return build(Params, drawn)


def happen(draw: Random, state: State) -> object:
    """Something that a reader might do now, or nothing."""
    kind = draw.choice(KINDS)
    up, down = workers_up(state), workers_down(state)
    if not under_way(state):
        return Request()
    if kind == "kill" and up:
        return Kill(draw.choice(up))
    if kind == "restart" and down:
        return Restart(draw.choice(down))
    if kind == "tap" and taps(state):
        return Tap(draw.choice(taps(state)))
    if kind == "cancel":
        return Cancel()
    return Deploy(draw.choice(CODES)) if kind == "deploy" else None


# --- The workflow, told without an engine ---------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Told:
    """What a workflow yields for a history: all commands, and of those the activities answered."""

    commands: tuple[Recorded, ...]
    done: tuple[tuple[str, str, int, int], ...]


def told(trip: int, code: str, coin: bool, history: History) -> Told:
    """Run the generator up to the first command that the history does not answer."""
    places = [n for n, event in enumerate(history, 1) if event.kind in COMMANDS]
    heard = {n for n, event in enumerate(history, 1) if event.kind == SIGNALED}
    commands: list[Recorded] = []
    done: list[tuple[str, str, int, int]] = []
    generator = code_of(code, coin)()
    answer: int | str | None = None
    while True:
        try:
            command = generator.send(answer)
        except StopIteration:
            return Told((*commands, recorded(None)), tuple(done))
        answer = None
        if isinstance(command, Enter):
            continue
        commands.append(recorded(command))
        if len(commands) > len(places):
            return Told(tuple(commands), tuple(done))
        place = places[len(commands) - 1]
        for n, event in enumerate(history, 1):
            mine = event.kind in (COMPLETED, FIRED) and event.of == place
            ends = isinstance(command, Wait) and n in heard and event.name in command.names
            if mine or (ends and isinstance(command, Wait) and event.value in (0, command.of)):
                heard.discard(n)
                answer = event.name if event.kind == SIGNALED else event.value
                answer = TIMED_OUT if event.kind == FIRED else answer
                break
        if answer is None:
            return Told(tuple(commands), tuple(done))
        if isinstance(command, Activity) and isinstance(answer, int):
            done.append((f"{trip}-{len(commands)}", command.name, command.argument, answer))


def told_of(state: State) -> Told:
    """The current trip, told by the code and the coin that wrote last."""
    service = state.service
    return told(state.trip, service.code or ORIGINAL, service.coin, service.history)


def effects(state: State) -> tuple[tuple[str, str, int, int], ...]:
    """What was done, under which key, and with which result; how often it was asked for not."""
    return tuple((row.key, row.name, row.argument, row.result) for row in books(state))


# --- What a dumb reader finds wrong ---------------------------------------------------------------


def wrong_in(state: State) -> list[str]:
    """What is wrong at this moment, by the history and the books alone."""
    found = []
    service = state.service
    history = service.history
    mine = tuple(replace(event, at_ms=0) for event in history if event.kind in COMMANDS)
    story = told_of(state)
    if story.commands[: len(mine)] != mine:
        found.append(f"recorded is {mine}, the code says {story.commands}")
    did = effects(state)
    if did[: len(story.done)] != story.done or len(did) > len(story.done) + 1:
        found.append(f"done was {did}, the history says {story.done}")
    signals = [event for event in history if event.kind == SIGNALED]
    if len(set(service.noted)) != len(service.noted) or len(signals) >= len(service.noted) > 0:
        found.append(f"{len(signals)} signals came from {service.noted}")
    for name in APPS:
        order = [int(i.rpartition("-")[2]) for i in service.noted if i.startswith(name)]
        if order != list(range(order[0], order[0] + len(order)) if order else ()):
            found.append(f"the signals of {name} came as {order}")
    kinds = [task.kind for task in service.tasks]
    if max(kinds.count(DECISION), kinds.count(ACTIVITY)) > 1 or (service.closed and kinds):
        found.append(f"to be done are {kinds}")
    if len({row.key for row in state.rows}) != len(state.rows):
        found.append("a key is there twice")
    return found


def wrong_in_time(history: History) -> list[str]:
    """Every event after the one before it, every answer after its command, timers on time."""
    found = []
    times = [event.at_ms for event in history]
    if times != sorted(times) or (history and history[0].kind != STARTED):
        found.append(f"the history is out of order: {times}")
    answered = [event.of for event in history if event.of]
    if len(set(answered)) != len(answered):
        found.append(f"a command is answered twice: {answered}")
    for n, event in enumerate(history, 1):
        command = history[event.of - 1]
        if event.of >= n:
            found.append(f"event {n} answers {event.of}, which comes later")
        elif event.kind == FIRED and event.at_ms != command.at_ms + command.ms:
            found.append(f"the timer of {event.of} fired at {event.at_ms}")
        elif event.kind == COMPLETED and command.name != event.name:
            found.append(f"event {n} completes {command.name!r} as {event.name!r}")
    return found


def wrong_between(before: State, event: object, after: State) -> list[str]:
    """What must never happen from one moment to the next."""
    found = []
    old, new = before.service, after.service
    if before.trip == after.trip and new.history[: len(old.history)] != old.history:
        found.append("the history was changed")
    if before.trip == after.trip and old.history and old.closed and new.history != old.history:
        found.append("the history of a closed trip grew")
    for was, now in zip(before.rows, after.rows, strict=False):
        if (was.key, was.name, was.argument, was.result) != (
            now.key,
            now.name,
            now.argument,
            now.result,
        ) or now.asked < was.asked:
            found.append(f"{was} became {now}")
    given = {task.id: (task.worker, task.attempt) for task in old.tasks}
    for task in new.tasks:
        worker, attempt = given.get(task.id, ("", 0))
        if worker and worker != task.worker and attempt == task.attempt:
            found.append(f"{worker}'s task went to {task.worker!r} in the same attempt")
    if after.apps is not before.apps and after.trip == before.trip:
        path = {"", *(visit.state for visit in standing(after).path)}
        found += [f"{app.name} heard {app.status}" for app in after.apps if app.status not in path]
    return found + wrong_with_workers(before, event, after)


def wrong_with_workers(before: State, event: object, after: State) -> list[str]:
    """What a worker must not remember, run, or take."""
    found = []
    if isinstance(event, Kill | Restart | Deploy):
        names = workers_up(after) if isinstance(event, Deploy) else (event.worker,)
        for worker in (worker_of(after, name) for name in names):
            if (worker.held, worker.cached, worker.memory, worker.trip) != (None, 0, (), 0):
                found.append(f"{worker} remembers something")
            if worker.code != after.deployed and not isinstance(event, Kill):
                found.append(f"{worker} runs other code than {after.deployed}")
    if isinstance(event, Deliver) and isinstance(event.message.body, Assigned):
        old, new = (worker_of(state, event.message.target) for state in (before, after))
        if old.held != new.held and old.poll != event.message.body.poll:
            found.append(f"{new} took what it no longer asks for")
    for worker in after.workers:
        held = worker.held
        if held is not None and held.kind == DECISION and held.known > held.length:
            found.append(f"{worker} knows more than there is")
    return found


def idle(state: State, now_ms: int) -> list[str]:
    """The tasks that nobody has, though their time has come and a worker waits for one."""
    if not state.service.parked:
        return []
    over = [task for task in state.service.tasks if not task.worker]
    return [f"nobody has {task}" for task in over if task.ready_ms + STICKY_MS < now_ms]


def broken(state: State) -> str:
    """The first promise that a state breaks."""
    for light in PATTERN.invariants:
        if light.promised(state) and not light.holds(state):
            return light.name
    return ""


@dataclass
class Tally:
    """What the runs of a test had in them, so that none passes by looking at nothing."""

    seen: Counter[str] = field(default_factory=Counter)

    def count(self, state: State) -> None:
        """One trip that has come to its end."""
        self.seen["trips"] += 1
        self.seen[state.service.status] += 1
        self.seen["asked again"] += sum(row.asked > 1 for row in books(state))
        self.seen["fired"] += sum(event.kind == FIRED for event in state.service.history)


def both_at_it(state: State) -> bool:
    """Two workers have the same task in hand: one of them was given up on."""
    held = [w.held.id for w in state.workers if w.held is not None and w.trip == state.trip]
    return len(set(held)) < len(held)


def checked_run(sim: Sim[State], until_ms: int, tally: Tally) -> Sim[State]:
    """Let a run go on, and look at every step of it."""
    run = run_until(sim, until_ms)
    for index in range(1, len(run)):
        before, event, after = run.change(index)
        fallen = wrong_between(before, event, after) + idle(after, run.time_ms(index))
        if before.service.history is not after.service.history:
            fallen += wrong_in_time(after.service.history)
        if before.service is not after.service or before.rows is not after.rows:
            fallen += wrong_in(after)
            assert broken(after) == "", (event, broken(after))
        assert fallen == [], (event, fallen)
        tally.seen["together"] += both_at_it(after) > both_at_it(before)
        caught = after.service.mismatch is not None and before.service.mismatch is None
        tally.seen["caught"] += caught
        if under_way(before) and not under_way(after):
            tally.count(after)
    tally.seen["events"] += len(run) - 1
    return run[-1]


def shake(draw: Random, seed: int, length: int, tally: Tally) -> Sim[State]:
    """A run through so many calamities, over a network of its own speed.

    At 900 ms a message may outlast the time for a task: then two workers do the same one.
    """
    sim = start(update, partial(init, params_of(draw)), seed)
    high = draw.choice((20, 60, 60, 300, 900, 900))
    network = replace(sim.state.network, latency=Latency.uniform(1, high))
    sim = dispatch(replace(sim, state=replace(sim.state, network=network)), Request())
    now_ms = 0
    for _ in range(length):
        now_ms += draw.choice((0, 1, 5, 40, 150, 400, 900))
        sim = checked_run(sim, now_ms, tally)
        event = happen(draw, sim.state)
        if event is not None:
            sim = dispatch(sim, event, now_ms)
            tally.seen[type(event).__name__] += 1
    return checked_run(sim, now_ms, tally)


def calm(sim: Sim[State], tally: Tally, bound_ms: int) -> Sim[State]:
    """No more losses, everybody up with the code that wrote last, and time."""
    state = sim.state
    latency = Latency.uniform(*LATENCY_MS)
    network = replace(state.network, loss=0.0, duplication=0.0, latency=latency)
    sim = replace(sim, state=replace(state, network=network))
    for name in workers_down(state):
        sim = checked_run(dispatch(sim, Restart(name)), sim.now_ms, tally)
    code = CHANGED if state.service.code == CHANGED else ORIGINAL
    sim = checked_run(dispatch(sim, Deploy(code)), sim.now_ms, tally)
    now_ms = sim.now_ms
    for piece_ms in range(0, bound_ms, PIECE_MS):
        if not under_way(sim.state):
            break
        sim = checked_run(sim, now_ms + piece_ms, tally)
    return sim
