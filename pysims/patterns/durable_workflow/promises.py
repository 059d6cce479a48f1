"""What is promised of a trip, as predicates over a state, and what follows from replaying it."""

from __future__ import annotations

from itertools import pairwise

from .engine import Replay, commands_of, replay
from .state import JOB, Row, State, Worker, books, durable, worker_of
from .trip import CHARGE, REQUESTED, code_of, follows


def doer(state: State) -> Worker | None:
    """The worker that has a whole trip in its memory, and nobody else has it."""
    for task in state.service.tasks:
        if task.kind == JOB and task.worker:
            worker = worker_of(state, task.worker)
            return worker if worker.memory else None
    return None


def standing(state: State) -> Replay:
    """Where the trip stands: the replay of its history by the code that wrote last."""
    if not durable(state):
        worker = doer(state)
        return replay(code_of(worker.code), worker.memory) if worker else Replay(())
    if not state.service.history:
        return Replay(())
    code = state.service.code or state.deployed
    return replay(code_of(code, state.service.coin), state.service.history)


def charges(state: State) -> tuple[Row, ...]:
    """The charges of the current trip that went through."""
    return tuple(row for row in books(state) if row.name == CHARGE and row.result)


def charged_once(state: State) -> bool:
    """The rider has not been charged twice for one trip."""
    return len(charges(state)) <= 1


def every_step_once(state: State) -> bool:
    """No step took effect twice; a card that was refused may be tried again."""
    steps = [(row.name, row.argument) for row in books(state) if row.result]
    return len(set(steps)) == len(steps)


def history_grows(state: State) -> bool:
    """No recorded event was ever changed or taken away."""
    return state.grew


def same_commands(state: State) -> bool:
    """The code that wrote last, run again from its first line, yields the recorded commands."""
    return standing(state).mismatch is None


def has_a_history(state: State) -> bool:
    return durable(state)


def recorded_first(state: State) -> bool:
    """Whatever was done had been asked for in the history: same step, same argument, same place."""
    commands = [event for _, event in commands_of(state.service.history)]
    for row in books(state):
        place = int(row.key.rpartition("-")[2])
        if place > len(commands):
            return False
        command = commands[place - 1]
        if (command.name, command.value) != (row.name, row.argument):
            return False
    return True


def on_the_map(state: State) -> bool:
    """The trip went from state to state only on the ways that the table has."""
    path = [visit.state for visit in standing(state).path]
    begins = not path or path[0] == REQUESTED
    return begins and all(follows(a, b) for a, b in pairwise(path))
