"""Writes a pattern that runs, to be replaced part by part: `make pattern NAME=my_pattern`.

The folder holds every file that a pattern has, each as short as it can be: nodes that send each
other messages, of which some are lost. It passes the contract test, but for its golden trace.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

PATTERNS = Path(__file__).parents[2] / "pysims" / "patterns"

MODEL = '''"""TITLE: say what it shows, from which paper and section, and what is simplified."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from ...kernel import (
    Context,
    Deliver,
    Latency,
    Network,
    Number,
    OneOf,
    arrive,
    check_node,
    knob,
    network_of,
    replace,
    send,
)

NAMES = "ABCDE"


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader sets before the run."""

    nodes: int = knob(Number("Nodes", 2, len(NAMES)), 3)
    loss: float = knob(Number("Messages lost", 0.0, 0.9, step=0.05, hint="As a share."), 0.3)


@dataclass(frozen=True, slots=True)
class State:
    """Everything: what is in the network, and how many messages were sent and received."""

    params: Params
    network: Network
    sent: int = 0
    received: int = 0


def names(state: State) -> list[str]:
    """The nodes, for the reader to choose from."""
    return list(state.network.nodes)


@dataclass(frozen=True, slots=True)
class Tell:
    """The reader lets a node tell another one something."""

    node: str = knob(OneOf("Node", names), "A")


Event: TypeAlias = Deliver | Tell


def init(params: Params, ctx: Context) -> State:
    """The first state; `ctx.after(delay_ms, event)` would let something happen by itself."""
    network = network_of(NAMES[: params.nodes], Latency.uniform(40, 80), loss=params.loss)
    return State(params, network)


def update(state: State, event: Event, ctx: Context) -> State:
    """The state after an event; `ValueError` for what is not allowed."""
    match event:
        case Tell(name):
            check_node(state.network, name)
            other = ctx.choice([node for node in state.network.nodes if node != name])
            network = send(state.network, ctx, name, other, "hello")
            return replace(state, network=network, sent=state.sent + 1)
        case Deliver(message):
            network, received = arrive(state.network, message)
            got = state.received + (received is not None)
            return replace(state, network=network, received=got)
    raise ValueError(f"PATTERN_ID has no event {event!r}")
'''

VIEW = '''"""How it looks: plain numbers and words for `scene.svg.jinja`."""

from __future__ import annotations

from typing import Any

from ...kernel import Deliver
from ...phrases import many
from ...shapes import along, around
from .model import Event, State, Tell

CENTER, RADIUS, NODE = (170.0, 130.0), 90.0, 18.0


def view(state: State, now_ms: int) -> dict[str, Any]:
    """The scene; `readouts` are the numbers beside it."""
    places = around(state.network.nodes, *CENTER, RADIUS)
    flying = []
    for m in state.network.in_flight:
        come = m.fraction(now_ms)
        x, y = along(places[m.source], places[m.target], come, 0.0, NODE, NODE)
        flying.append({"id": m.id, "x": x, "y": y, "lost": bool(m.lost) and come >= 0.5})
    return {
        "nodes": [{"id": name, "x": x, "y": y} for name, (x, y) in places.items()],
        "messages": flying,
        "readouts": [
            {"label": "Sent", "value": str(state.sent), "note": "messages"},
            {"label": "Received", "value": str(state.received), "note": "of them"},
        ],
    }


def describe(before: State | None, event: Event | None, after: State) -> str:
    """What an event did, in a sentence; without an event, how the run starts."""
    match event:
        case Tell(name):
            return f"{name} tells another node something."
        case Deliver(message):
            lost = before is not None and before.received == after.received
            came = "is lost" if lost else "arrives"
            return f"What {message.source} told {message.target} {came}."
    return f"{many(len(after.network.nodes), 'node')} at rest."


def alternative(state: State, now_ms: int) -> str:
    """What the picture shows, for those who do not see it."""
    return f"{many(state.sent, 'message')} sent, {state.received} received."
'''

SCENE = """\
{% import "widget/parts.svg.jinja" as parts %}
<div>
<svg class="sim-svg" viewBox="0 0 340 260" role="img" aria-labelledby="{{ id }}-t1">
<title id="{{ id }}-t1">The nodes, and what they tell each other</title>
{% for v in scene.nodes %}
{{ parts.node(id ~ '-node-' ~ v.id, v.x, v.y, 18, v.id, loop.index0) }}
{% endfor %}
{% for m in scene.messages %}
{% call parts.flying(id ~ '-m' ~ m.id, m) %}
{% if not m.lost %}
<circle class="PREFIX-dot" r="6"/>
{% endif %}
{% endcall %}
{% endfor %}
</svg>
</div>
"""

STYLES = """/* The scene of PATTERN_ID. */

.PREFIX-dot { fill: var(--sim-accent); }
"""

SCENARIOS = '''"""The stories; each seed was chosen so that the run shows its sentence."""

from __future__ import annotations

from ...kernel import Run, Scenario
from .model import State, Tell


def one_is_lost(run: Run[State]) -> bool:
    """Four were sent, and one did not arrive."""
    return run.last.sent == 4 and run.last.received == 3


SCENARIOS = (
    Scenario(
        id="four-messages",
        title="Four messages",
        claim="One of four messages is lost, and nobody is told.",
        proof=one_is_lost,
        watch="The message that stops half way.",
        until_ms=1_000,
        show_ms=220,
        seed=SEED,
        script=((0, Tell("A")), (200, Tell("B")), (400, Tell("C")), (600, Tell("A"))),
        front=("loss",),
    ),
)
'''

QUESTIONS = '''"""What many runs answer, each run with a number."""

from __future__ import annotations

from typing import Any

from ...kernel import History, Question


def lost(history: History[Any]) -> float:
    """The messages that did not arrive."""
    state = history[-1].state
    return float(state.sent - state.received - len(state.network.in_flight))


QUESTIONS = (
    Question(
        "lost",
        "How many messages are lost?",
        "messages",
        lost,
        "Messages that were sent and had not arrived when the run ended.",
    ),
)
'''

INIT = '''"""TITLE: say in a sentence what the package shows, and which module to read first."""

from __future__ import annotations

from ...kernel import Action, Invariant, Pattern
from .model import Params, State, Tell, init, update
from .questions import QUESTIONS
from .scenarios import SCENARIOS
from .view import alternative, describe, view

__all__ = ["PATTERN", "Params", "State", "Tell"]


def nothing_from_nowhere(state: State) -> bool:
    """No message is received that was not sent."""
    return state.received + len(state.network.in_flight) <= state.sent


PATTERN = Pattern(
    id="PATTERN_ID",
    title="TITLE",
    summary="Nodes tell each other something, and some of it is lost.",
    source="Author, venue and year, https://doi.org/…",
    params=Params,
    init=init,
    update=update,
    view=view,
    describe=describe,
    alternative=alternative,
    actions=(Action(Tell, "Tell from"),),
    invariants=(
        Invariant(
            "Nothing from nowhere",
            "A message that is received was sent.",
            nothing_from_nowhere,
            # A fourth argument says for which states it is promised at all.
        ),
    ),
    scenarios=SCENARIOS,
    questions=QUESTIONS,
    playback_rate=0.1,
    frame_ms=60,
)
'''

FILES = {
    "__init__.py": INIT,
    "model.py": MODEL,
    "view.py": VIEW,
    "scene.svg.jinja": SCENE,
    "scene.css": STYLES,
    "scenarios.py": SCENARIOS,
    "questions.py": QUESTIONS,
}


def prefix_of(name: str, taken: str) -> str:
    """A prefix for the scene's classes that no scene has yet: initials, then the whole name."""
    initials = "".join(word[0] for word in name.split("_"))
    return (
        initials if len(initials) > 1 and f".{initials}-" not in taken else name.replace("_", "-")
    )


def write(name: str, patterns: Path = PATTERNS) -> Path:
    """Write the folder of a new pattern; `ValueError` for a bad name and for one that is taken."""
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name):
        raise ValueError(f"a pattern's name must be like hash_ring, got {name!r}")
    folder = patterns / name
    if folder.exists():
        raise ValueError(f"there is a pattern {name!r} already: {folder}")
    taken = "".join(path.read_text("utf-8") for path in sorted(PATTERNS.glob("*/scene.css")))
    words = {
        "PATTERN_ID": name,
        "TITLE": name.replace("_", " ").capitalize(),
        "PREFIX": prefix_of(name, taken),
        "SEED": "7",
    }
    folder.mkdir()
    for file, text in FILES.items():
        whole = text
        for word, value in words.items():
            whole = re.sub(rf"\b{word}\b", value, whole)
        (folder / file).write_text(whole, "utf-8")
    return folder


def main() -> int:
    """Write one, and say what comes next."""
    try:
        folder = write(sys.argv[1] if len(sys.argv) == 2 else "")
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{folder.relative_to(PATTERNS.parents[1])} is written, and it runs:")
    print(f".venv/bin/pysims run {folder.name} --scenario four-messages")
    print(f"make golden PYTEST_ARGS='-k {folder.name}' writes its trace")
    return 0


if __name__ == "__main__":
    sys.exit(main())
