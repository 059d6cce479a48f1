"""How a trip looks: plain numbers and words for `scene.svg.jinja`.

Four pictures: the map of states, drawn from the table `trip.NEXT`; who is there and what is under
way between them; the event history, with how far a worker has been fed it; and the effects, each
with how often it was asked for and how often it was done.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from ...kernel import Message, is_up
from ...order_book import dollars
from ...phrases import many
from ...shapes import Point, along
from .engine import COMMANDS, History, Replay
from .promises import charges, doer, standing
from .state import (
    DECISION,
    DRIVER,
    HISTORY,
    JOB,
    OPEN,
    REPLAY_MS,
    RIDER,
    SERVICES,
    WORKERS,
    Answer,
    Assigned,
    Call,
    Decided,
    Finished,
    Forward,
    News,
    Noted,
    Signal,
    State,
    Worker,
    app_of,
    books,
    durable,
    polling,
    worker_of,
)
from .trip import (
    ACCEPTED,
    ARRIVED,
    CANCELED,
    CHARGE,
    CHARGING,
    COMPLETED,
    DECLINED,
    DROPPED_OFF,
    EN_ROUTE,
    FEE_DUE,
    MATCHING,
    NEXT,
    OFFERED,
    PAID,
    PAYMENT_FAILED,
    QUOTED,
    REQUESTED,
    RIDING,
)
from .words import alternative, describe, event_text, mismatch_text, step_text, worker_text

__all__ = ["alternative", "describe", "view"]

# --- The map of states ----------------------------------------------------------------------------

BOX_WIDTH, BOX_HEIGHT = 98.0, 42.0
COLUMNS, PITCH, TOP = (50.0, 170.0, 290.0), 66.0, 24.0
PLACES = {
    REQUESTED: (0, 0), QUOTED: (1, 0), MATCHING: (2, 0),
    CANCELED: (0, 1), DECLINED: (1, 1), OFFERED: (2, 1),
    FEE_DUE: (0, 2), EN_ROUTE: (1, 2), ACCEPTED: (2, 2),
    ARRIVED: (1, 3), RIDING: (2, 3),
    PAYMENT_FAILED: (0, 4), CHARGING: (1, 4), DROPPED_OFF: (2, 4),
    PAID: (1, 5), COMPLETED: (2, 5),
}  # fmt: skip
"""State → column and row; a state that the table gets and this has not fails at once."""

TURN = {
    QUOTED: "rider", OFFERED: "driver", EN_ROUTE: "driver", ARRIVED: "driver", RIDING: "driver",
    PAID: "rider", COMPLETED: "the end", CANCELED: "the end",
}  # fmt: skip
"""Whose turn it is in a state; the platform’s where nothing stands."""


def center(state: str) -> Point:
    """The middle of a state's box."""
    column, row = PLACES[state]
    return COLUMNS[column], TOP + PITCH * row


def way(a: str, b: str) -> tuple[Point, Point]:
    """Where the arrow from one state to another begins and ends, on the borders of their boxes."""
    (x1, y1), (x2, y2) = center(a), center(b)
    both = any(before == b and a in after for before, after in NEXT)
    aside = 8.0 if both else 0.0
    if y1 == y2:
        step = 1 if x2 > x1 else -1
        y = y1 + aside * step
        return (x1 + step * BOX_WIDTH / 2, y), (x2 - step * BOX_WIDTH / 2, y)
    step = 1 if y2 > y1 else -1
    lean = (x2 > x1) - (x2 < x1)
    return (
        (x1 + lean * BOX_WIDTH * 0.36, y1 + step * BOX_HEIGHT / 2),
        (x2 - lean * BOX_WIDTH * 0.36, y2 - step * BOX_HEIGHT / 2),
    )


def arrow(a: str, b: str) -> str:
    """The arrow from one state to another, as an SVG path with its head."""
    start, end = way(a, b)
    if (a, b) == (OFFERED, CANCELED):
        # Around the box that lies between the two.
        low = start[1] + PITCH - BOX_HEIGHT / 2 - 33
        x1, x2 = center(a)[0] - 30, center(b)[0] + 28
        y = center(a)[1] + BOX_HEIGHT / 2
        line = f"M{x1:.1f} {y:.1f}V{low:.1f}H{x2:.1f}V{y:.1f}"
        return line + head((x2, low), (x2, y))
    return f"M{start[0]:.1f} {start[1]:.1f}L{end[0]:.1f} {end[1]:.1f}" + head(start, end)


def head(start: Point, end: Point) -> str:
    """The head of an arrow."""
    left, right = (along(end, start, 0.0, side, 6.0) for side in (3.6, -3.6))
    return "".join(f"M{x:.1f} {y:.1f}L{end[0]:.1f} {end[1]:.1f}" for x, y in (left, right))


def map_of(state: State, found: Replay, now_ms: int) -> dict[str, Any]:
    """The states with what has been visited and where the trip is, and the ways between them."""
    path = [visit.state for visit in found.path]
    gone = set(pairwise(path))
    here = path[-1] if path else ""
    ghosts = {name: place for name, place in replaying(state, found, now_ms) if place}
    return {
        "height": TOP + PITCH * 5 + BOX_HEIGHT / 2 + 4,
        "ways": [
            {"id": f"{a}-{b}".replace(" ", "-"), "d": arrow(a, b), "gone": (a, b) in gone}
            for a, ways in NEXT
            for b in ways
        ],
        "boxes": [
            {
                "id": name.replace(" ", "-"),
                "name": name,
                "x": center(name)[0] - BOX_WIDTH / 2,
                "y": center(name)[1] - BOX_HEIGHT / 2,
                "turn": TURN.get(name, "platform"),
                "look": "here" if name == here else "seen" if name in path else "new",
                "ghost": next((worker for worker, at in ghosts.items() if at == name), ""),
            }
            for name, _ in NEXT
        ],
    }


def fed_of(worker: Worker, now_ms: int) -> int:
    """How many events a worker that replays has been fed."""
    held = worker.held
    if held is None or held.kind != DECISION:
        return 0
    return held.known + min(held.length - held.known, (now_ms - held.started_ms) // REPLAY_MS)


def replaying(state: State, found: Replay, now_ms: int) -> list[tuple[str, str]]:
    """The workers that replay from the first event, each with the state that it has come to."""
    places = []
    for worker in state.workers:
        if cold(state, worker):
            fed = fed_of(worker, now_ms)
            passed = [visit.state for visit in found.path if visit.number <= fed]
            places.append((worker.name, passed[-1] if passed else ""))
    return places


def cold(state: State, worker: Worker) -> bool:
    """Whether a worker is feeding itself a history from the first event on."""
    held = worker.held
    return (
        held is not None and held.kind == DECISION and held.known == 0 and worker.trip == state.trip
    )


# --- Who is there ---------------------------------------------------------------------------------

NODE_AT = {
    RIDER: (44.0, 28.0), HISTORY: (170.0, 28.0), DRIVER: (296.0, 28.0),
    "A": (54.0, 148.0), "B": (170.0, 148.0), "C": (286.0, 148.0), SERVICES: (170.0, 246.0),
}  # fmt: skip
COLORS = (0, 3, 2)
"""A color for each worker; none is the red of what is wrong."""
SHAPES = {
    Assigned: "task", Decided: "task", Finished: "task", Forward: "signal", Signal: "signal",
    Call: "call", Answer: "call", News: "news", Noted: "ask",
}  # fmt: skip


def people_of(state: State, now_ms: int) -> dict[str, Any]:
    """Nodes, and the messages between them."""
    return {
        "height": 268.0,
        "workers": [worker_box(state, name, now_ms) for name in WORKERS],
        "rider": app_of(state, RIDER).status or "no trip",
        "driver": driver_word(state),
        "queue": queue_word(state),
        "messages": [flying(message, now_ms) for message in state.network.in_flight],
    }


def driver_word(state: State) -> str:
    """Which driver is asked, or drives."""
    driver = app_of(state, DRIVER).driver
    return f"no. {driver}" if driver else "nobody"


def queue_word(state: State) -> str:
    """What the history service has to give away."""
    waiting = sum(not task.worker for task in state.service.tasks)
    out = sum(bool(task.worker) for task in state.service.tasks)
    if waiting:
        return f"{waiting} to do"
    return f"{out} given out" if out else "no task"


def worker_box(state: State, name: str, now_ms: int) -> dict[str, Any]:
    """One worker: alive or dead, what it does, and how far a replay is."""
    worker = worker_of(state, name)
    up = is_up(state.network, name)
    held = worker.held
    x, y = NODE_AT[name]
    length = held.length if held and cold(state, worker) else 0
    fed = fed_of(worker, now_ms) if length else 0
    text = worker_text(state, name, now_ms)
    if length:
        text = f"replays {fed}/{length}"
    elif held and held.kind == JOB:
        text = f"trip, run {worker.run}"
    return {
        "name": name,
        "color": COLORS[WORKERS.index(name)],
        "x": x,
        "y": y,
        "up": up,
        "text": {"waits for a task": "waits", "release driver": "release"}.get(text, text),
        "bar": fed / length if length else 0.0,
        "busy": held is not None,
        "knows": bool(worker.memory) or (worker.cached > 0 and worker.trip == state.trip),
        "changed": worker.code != "original",
        "blamed": state.service.mismatch is not None and state.service.blamed == name,
    }


def flying(message: Message, now_ms: int) -> dict[str, Any]:
    """A message under way."""
    a, b = NODE_AT[message.source], NODE_AT[message.target]
    # Out from behind the boxes, which are wider than high.
    clear = 46.0 if a[1] == b[1] else 26.0
    x, y = along(a, b, message.fraction(now_ms), 5.0, clear, clear)
    worker = message.source if message.source in WORKERS else message.target
    return {
        "id": message.id,
        "x": x,
        "y": y,
        "lost": bool(message.lost),
        "kind": SHAPES.get(type(message.body), "ask"),
        "color": COLORS[WORKERS.index(worker)] if worker in WORKERS else 6,
    }


# --- The history ----------------------------------------------------------------------------------

ROWS, ROW = 13, 23.0


def record_of(state: State) -> tuple[str, History]:
    """What there is to show: the recorded history, or what one worker remembers."""
    if durable(state):
        return "Event history", state.service.history
    worker = doer(state)
    if worker is None:
        return "Nobody remembers anything", ()
    return f"In the memory of worker {worker.name} only", worker.memory


def history_of(state: State, now_ms: int) -> dict[str, Any]:
    """The newest events, or those that a worker is being fed, or the one that does not fit."""
    title, history = record_of(state)
    fed = max((fed_of(w, now_ms) for w in state.workers if cold(state, w)), default=0)
    feeding = any(cold(state, worker) for worker in state.workers)
    wrong = state.service.mismatch.number if state.service.mismatch else 0
    middle = fed if feeding else wrong or len(history)
    low = max(0, min(len(history) - ROWS, middle - ROWS // 2))
    if not feeding and not wrong:
        low = max(0, len(history) - ROWS)
    lines = [
        {
            "number": number,
            "y": 44.0 + ROW * (number - low - 1),
            "text": event_text(event),
            "command": event.kind in COMMANDS,
            "wrong": number == wrong,
            "look": ("fed" if number <= fed else "ahead") if feeding else "plain",
        }
        for number, event in enumerate(history[low : low + ROWS], low + 1)
    ]
    return {
        "title": title,
        "height": 44.0 + ROW * (ROWS - 1) + 8,
        "lines": lines,
        "before": low,
        "after": max(0, len(history) - low - ROWS),
        "feeding": feeding,
        "lost": not durable(state),
        "count": len(history),
    }


# --- Effects --------------------------------------------------------------------------------------

EFFECTS = 12


def effects_of(state: State) -> dict[str, Any]:
    """What was done for the trip: each step with how often it was asked for, and how often done."""
    rows = books(state)
    steps = list(dict.fromkeys((row.name, row.argument) for row in rows))
    lines = []
    for name, argument in steps:
        same = [row for row in rows if (row.name, row.argument) == (name, argument)]
        done = sum(bool(row.result) for row in same)
        lines.append(
            {
                "id": f"{name}-{argument}".replace(" ", "-"),
                "text": step_text(name, argument),
                "asked": sum(row.asked for row in same),
                "done": done,
                "twice": done > 1,
                "money": name == CHARGE,
            }
        )
    return {
        "lines": [{**line, "y": 62.0 + ROW * index} for index, line in enumerate(lines[-EFFECTS:])],
        "height": 62.0 + ROW * max(8, min(EFFECTS, len(lines))),
    }


# --- Numbers --------------------------------------------------------------------------------------


def readouts(state: State, now_ms: int) -> list[dict[str, str]]:
    """The numbers beside the picture."""
    calls = state.calls
    paid = [row.argument for row in charges(state)]
    over = sum(paid) - max(paid, default=0)
    end_ms = now_ms if state.ended_ms == OPEN else state.ended_ms
    time_ms = end_ms - state.begun_ms if state.trip else 0
    late = calls.late_ms / calls.news if calls.news else 0.0
    rows = books(state)
    numbers = [
        ("Charged", dollars(sum(paid)), f"{dollars(over)} too much" if over else "as it should be"),
        ("Steps done", f"{sum(bool(r.result) for r in rows)}", asked_note(state)),
        ("Replays from the start", f"{state.replays}", f"{many(state.replayed, 'event')} fed"),
        ("Questions", f"{calls.polls}", f"{calls.vain} in vain"),
        ("Told unasked", f"{calls.pushes}", "messages to the apps"),
        ("The rider hears", f"{late:.0f} ms", "late on average"),
    ]
    if not polling(state) and state.trip:
        asking = len(WORKERS) + 2
        would = asking * time_ms // state.params.poll_ms
        note = f"{asking} × {time_ms:,} ms ÷ {state.params.poll_ms}"
        numbers.append(("Asking would take", f"{would}", note))
    return [{"label": label, "value": value, "note": note} for label, value, note in numbers]


def asked_note(state: State) -> str:
    """How often the steps of the trip were asked for."""
    times = sum(row.asked for row in books(state))
    return f"asked for {times} times"


def view(state: State, now_ms: int) -> dict[str, Any]:
    """Everything that the scene draws."""
    found = standing(state)
    service = state.service
    stuck = mismatch_text(service.mismatch, service.blamed) if service.mismatch else ""
    return {
        "map": map_of(state, found, now_ms),
        "people": people_of(state, now_ms),
        "history": history_of(state, now_ms),
        "effects": effects_of(state),
        "stuck": stuck,
        "trip": state.trip,
        "durable": durable(state),
        "readouts": readouts(state, now_ms),
    }
