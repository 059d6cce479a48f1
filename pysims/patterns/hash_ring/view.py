"""How a placement looks: plain numbers and words for `scene.svg.jinja`.

Two pictures stand side by side (one above the other on a phone). The left one shows how the
strategy decides where the reader's key lives; the right one shows every key as a dot in the
column of the server that holds it, so that a column's height is the server's load.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby, pairwise
from math import ceil
from typing import Any, TypeAlias

from ... import shapes
from ...phrases import listed, percent
from .hashing import jump_path, key_hash, rendezvous_scores
from .model import (
    NAMES,
    STRATEGIES,
    AddServer,
    Event,
    Lookup,
    RemoveServer,
    Server,
    SetWeight,
    State,
    capacity_of,
    copies_of,
    expected_spread,
    holders_now,
    ideal_load,
    keys_of,
    load_spread,
    owned,
    ring_of,
    server_names,
    server_of,
    share_spread,
    slots_of,
    state_ring,
)

# Above this many copies the dots would touch, and the columns are drawn as bars.
DOTS_MAX = 500
# Above this many points on the ring the arcs are drawn in slices instead, each in the color of
# the server that owns its middle.
ARCS_MAX = 800
SLICES = 720
# Turns by which an arc runs under its neighbor, so that no light shines between them.
OVERLAP = 0.0003
DENSITY_BINS = 120
# Keys whose arithmetic is written out under modulo.
SAMPLES = 6

RING_CENTER = 170.0
RING_RADIUS = 154.0
KEY_RADIUS = 136.0
PLAIN_WIDTH = 340.0
FLOOR = 290.0
CEILING = 30.0
DOT_MAX = 12.0
DOT_FILL = 0.8

MOVED = "hr-dot--moved"
NEEDLESS = "hr-dot--needless"


def color_of(name: str) -> int:
    """The number of a server's color, fixed by its name so that it keeps it for life."""
    return NAMES.index(name) if name in NAMES else 0


def share(part: float, whole: float) -> str:
    """A part of a whole as a percentage; nothing of nothing is 0 %."""
    return percent(part / whole if whole else 0.0)


def at(turn: float, radius: float) -> str:
    """A point of the ring as "x y"; `turn` 0 is the top and 1 the way round, clockwise."""
    x, y = shapes.on_circle((RING_CENTER, RING_CENTER), radius, turn)
    return f"{x:.1f} {y:.1f}"


def arc(start: float, end: float, radius: float) -> str:
    """An SVG arc of the ring, clockwise from one turn to another (`end` may pass 1)."""
    return shapes.arc(RING_CENTER, RING_CENTER, radius, start, end)


# --- The columns ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Grid:
    """How big a dot is, and how many stand side by side in a column."""

    diameter: float
    across: int

    def height(self, count: float) -> float:
        """How high so many dots pile up."""
        return self.diameter * count / self.across


def grid_for(columns: int, tallest: float) -> Grid:
    """The largest dots, in the slimmest columns, with which the tallest stays below the ceiling."""
    room = PLAIN_WIDTH / columns * 0.86
    for tenths in range(round(DOT_MAX * 10), 9, -2):
        diameter = tenths / 10
        across = ceil(tallest / ((FLOOR - CEILING) // diameter))
        if across * diameter <= room:
            return Grid(diameter, across)
    return bar_grid(tallest)


def bar_grid(tallest: float) -> Grid:
    """A density: there are no dots, and the height of a bar alone counts."""
    return Grid((FLOOR - CEILING) / tallest, 1)


Dot: TypeAlias = tuple[str, str, str, str, str]


def dots_of(state: State, grid: Grid, left: Mapping[str, float]) -> list[Dot]:
    """A dot for every copy: (id, classes, x, y, rx).

    The id stays the same when the key moves, so that the dot travels.
    """
    # What many dots share is written once: hundreds of them are drawn for every frame.
    across, side = grid.across, grid.diameter
    rows = range(len(state.placement) // across + 1)
    xs = {name: [f"{x + (c + 0.1) * side:.1f}" for c in range(across)] for name, x in left.items()}
    ys = [f"{FLOOR - (row + 0.9) * side:.1f}" for row in rows]
    owner = {name: f"sim-fill{color_of(name)}" for name in left}
    copy = {name: f"hr-dot--copy sim-stroke{color_of(name)}" for name in left}
    corner = {"": f"{side * DOT_FILL:.1f}", MOVED: f"{side * DOT_FILL:.1f}", NEEDLESS: "0"}
    filled = dict.fromkeys(left, 0)
    dots = []
    for i, (names, old) in enumerate(zip(state.placement, state.before, strict=True)):
        arrived = "" if names == old else MOVED if needed_move(state, old, names) else NEEDLESS
        for rank, name in enumerate(names):
            row, column = divmod(filled[name], across)
            filled[name] += 1
            mark = "" if name in old else arrived
            look = copy[name] if rank else owner[name]
            dots.append((f"k{i}-{rank}", f"{look} {mark}", xs[name][column], ys[row], corner[mark]))
    return dots


def needed_move(state: State, old: tuple[str, ...], new: tuple[str, ...]) -> bool:
    """Whether a move is to or from the server that changed."""
    return (state.changed in old) != (state.changed in new)


def columns_of(state: State) -> dict[str, Any]:
    """The right picture: a column for each server, the ideal line, and the cap if there is one."""
    load, ideal = owned(state), ideal_load(state)
    weight = {server.name: server.weight for server in state.servers}
    names = server_names(state)
    tallest = max([*load.values(), 1.35 * ideal * max(weight.values())])
    dotted = sum(load.values()) <= DOTS_MAX
    grid = grid_for(len(names), tallest) if dotted else bar_grid(tallest)
    width = PLAIN_WIDTH / len(names)
    broad = grid.across * grid.diameter if dotted else width * 0.7
    left = {name: width * i + (width - broad) / 2 for i, name in enumerate(names)}
    came, needless = arrivals(state)
    columns = [
        {
            "name": name,
            "x": left[name],
            "middle": width * (i + 0.5),
            "width": broad,
            "height": grid.height(load[name]),
            "came": grid.height(came[name]),
            "needless": grid.height(needless[name]),
            "load": f"{load[name]:,}",
            "percent": share(load[name], ideal * weight[name]),
            "weight": weight[name],
            "ideal": FLOOR - grid.height(ideal * weight[name]),
            "label": label_height(
                FLOOR - grid.height(load[name]), FLOOR - grid.height(ideal * weight[name])
            ),
            "color": color_of(name),
        }
        for i, name in enumerate(names)
    ]
    cap = None
    if state.params.strategy == "bounded":
        full = capacity_of(state.params, state.servers)
        cap = {"y": FLOOR - grid.height(full), "keys": f"{full:,}"}
    dots = dots_of(state, grid, left) if dotted else []
    return {
        "columns": columns,
        "dots": dots,
        "dotted": dotted,
        "side": grid.diameter * DOT_FILL,
        "cap": cap,
        "floor": FLOOR,
        "width": PLAIN_WIDTH,
    }


def label_height(top: float, ideal: float) -> float:
    """Where the number above a column stands: above its top, and not on the ideal line."""
    y = top - 7
    return ideal - 6 if ideal - 4 < y < ideal + 15 else y


def arrivals(state: State) -> tuple[dict[str, int], dict[str, int]]:
    """Server → copies that came with the last change, and how many of them came needlessly."""
    came = dict.fromkeys(server_names(state), 0)
    needless = dict.fromkeys(came, 0)
    for old, new in zip(state.before, state.placement, strict=True):
        if old == new:
            continue
        for name in new:
            if name not in old:
                came[name] += 1
                needless[name] += not needed_move(state, old, new)
    return came, needless


# --- How each strategy decides --------------------------------------------------------------------


def ring_picture(state: State) -> dict[str, Any]:
    """The ring: whose arcs are where, the keys on it, and the walk of the reader's key."""
    ring = state_ring(state)
    size = ring.size
    position = ring.position(state.lookup)
    names = holders_now(state, state.lookup)
    start = position / size
    end = walk_end(state, position, names[-1]) / size
    if end < start:
        end += 1
    return {
        "kind": "ring",
        "height": 340.0,
        "arcs": arcs_of(state.salt, state.servers, state.params.virtual_nodes),
        "ticks": ticks_of(state),
        "density": density_of(state.salt, state.params.keys, state.params.skew),
        "key": at(start, KEY_RADIUS - 14).split(),
        "key_on_ring": at(start, RING_RADIUS - 7),
        "walk": arc(start, max(end, start + 0.0004), KEY_RADIUS - 14),
        "target": at(end, RING_RADIUS - 7),
        "target_inner": at(end, KEY_RADIUS - 14),
        "found": [{"name": name, "color": color_of(name)} for name in names],
        "degrees": f"{360 * start:.0f}",
    }


def walk_end(state: State, position: int, last: str) -> int:
    """Where the walk of a key comes to the server that holds its last copy (a position)."""
    points = state_ring(state).points
    ahead = [point for point in points if server_of(point[1]) == last]
    return next((p for p, _ in ahead if p >= position), ahead[0][0])


@lru_cache(maxsize=32)
def arcs_of(
    salt: int, servers: tuple[Server, ...], virtual_nodes: int
) -> tuple[dict[str, Any], ...]:
    """A path for each server, with all the arcs of the ring that it owns."""
    ring = ring_of(salt, servers, virtual_nodes)
    paths: dict[str, list[str]] = {server.name: [] for server in servers}
    points = ring.points
    start = points[-1][0] / ring.size - 1
    ends = [(position / ring.size, server_of(owner)) for position, owner in points]
    if len(points) > ARCS_MAX:
        start = 0.0
        middles = [int((i + 0.5) / SLICES * ring.size) for i in range(SLICES)]
        ends = [
            ((i + 1) / SLICES, server_of(ring.owner_at(middle))) for i, middle in enumerate(middles)
        ]
    # Neighbors of one server make one arc: the page holds this text before any script has run.
    for name, group in groupby(ends, key=lambda end: end[1]):
        *_, (end, _) = group
        paths[name].append(arc(start, end + OVERLAP, RING_RADIUS))
        start = end
    return tuple(
        {"name": name, "color": color_of(name), "d": "".join(pieces)}
        for name, pieces in paths.items()
    )


def ticks_of(state: State) -> list[dict[str, Any]]:
    """A path for each server, with a short stroke at the position of every key that it owns."""
    params = state.params
    if params.keys > DOTS_MAX:
        return []
    strokes: dict[str, list[str]] = {name: [] for name in server_names(state)}
    marks = strokes_of(state.salt, params.keys, params.skew)
    for mark, names in zip(marks, state.placement, strict=True):
        strokes[names[0]].append(mark)
    return [
        {"name": name, "color": color_of(name), "d": "".join(pieces)}
        for name, pieces in strokes.items()
    ]


@lru_cache(maxsize=16)
def strokes_of(salt: int, count: int, skew: float) -> tuple[str, ...]:
    """The stroke of every key; it stands where it stands, whoever owns it."""
    turns = [key_hash(key) / 2**64 for key in keys_of(salt, count, skew)]
    return tuple(f"M{at(turn, KEY_RADIUS - 5)}L{at(turn, KEY_RADIUS + 4)}" for turn in turns)


@lru_cache(maxsize=32)
def density_of(salt: int, count: int, skew: float) -> str:
    """For many keys: how many lie where, as strokes of that length inside the ring."""
    if count <= DOTS_MAX:
        return ""
    bins = [0] * DENSITY_BINS
    for key in keys_of(salt, count, skew):
        bins[key_hash(key) * len(bins) // 2**64] += 1
    tallest = max(bins)
    return "".join(
        f"M{at((i + 0.5) / len(bins), KEY_RADIUS + 4)}"
        f"L{at((i + 0.5) / len(bins), KEY_RADIUS + 4 - 20 * held / tallest)}"
        for i, held in enumerate(bins)
    )


def list_picture(state: State) -> dict[str, Any]:
    """The arithmetic of the strategies without a ring, for the reader's key."""
    strategy = state.params.strategy
    slots = slots_of(state.salt, state.servers)
    names = tuple(map(server_of, slots))
    number = key_hash(state.lookup)
    found = holders_now(state, state.lookup)
    rows: list[dict[str, Any]] = []
    path: tuple[int, ...] = ()
    if strategy == "rendezvous":
        scores = rendezvous_scores(slots, state.lookup)
        chosen = scores.index(max(scores))
        lengths = [score / 2**64 for score in scores]
    elif strategy == "jump":
        path = jump_path(number, len(slots))
        chosen, lengths = path[-1], [0.0] * len(slots)
    else:
        chosen, lengths = number % len(slots), [0.0] * len(slots)
    modulo = strategy == "modulo"
    step = min(38.0, (150.0 if modulo else 232.0) / len(slots))
    bottom = 84 + step * len(slots)
    for i, name in enumerate(names):
        rows.append(
            {
                "slot": i,
                "name": name,
                "color": color_of(name),
                "y": 84 + i * step,
                "height": step * 0.82,
                "length": 150 * lengths[i],
                "score": f"{lengths[i]:.3f}",
                "visited": i in path,
                "chosen": i == chosen,
            }
        )
    return {
        "kind": strategy,
        "height": bottom + (30 + 17 * SAMPLES if modulo else 8),
        "bottom": bottom,
        "rows": rows,
        "hops": [
            {"from": 84 + (a + 0.41) * step, "to": 84 + (b + 0.41) * step}
            for a, b in pairwise(path)
        ],
        "number": f"{number:,}",
        "count": len(slots),
        "chosen": chosen,
        "samples": samples_of(state) if strategy == "modulo" else [],
        "count_before": sum(server.weight for server in state.servers_before),
        "found": [{"name": name, "color": color_of(name)} for name in found],
    }


def samples_of(state: State) -> list[dict[str, Any]]:
    """The arithmetic of the last change for a few keys: the remainder before and after."""
    rows = []
    before, after = (slots_of(state.salt, s) for s in (state.servers_before, state.servers))
    for key in keys_of(state.salt, state.params.keys, 0.0)[:SAMPLES]:
        number = key_hash(key)
        old, new = (server_of(slots[number % len(slots)]) for slots in (before, after))
        rows.append(
            {
                "key": "…" + key.rpartition(":")[2],
                "tail": f"…{number % 10**6:06d}",
                "old": {"slot": number % len(before), "name": old, "color": color_of(old)},
                "new": {"slot": number % len(after), "name": new, "color": color_of(new)},
                "moved": old != new,
                "needless": old != new and state.changed not in (old, new),
            }
        )
    return rows


# --- Words ----------------------------------------------------------------------------------------


def things(state: State) -> str:
    """What a dot stands for: with skewed requests a key has as many dots as requests."""
    if state.params.skew:
        return "requests"
    return "copies" if copies_of(state.params, state.servers) > 1 else "keys"


def readouts(state: State) -> list[dict[str, str]]:
    """The numbers beside the picture."""
    params = state.params
    whole = copies_of(params, state.servers) * params.keys
    numbers = [
        (f"{things(state).capitalize()} moved", f"{state.moved:,}", share(state.moved, whole)),
        ("Moved needlessly", f"{state.needless:,}", share(state.needless, whole)),
        ("Moved in total", f"{state.moved_total:,}", f"{state.needless_total:,} needlessly"),
        ("Spread of the load", share(load_spread(state), 1), "standard deviation ÷ mean"),
    ]
    if params.strategy == "ring":
        expected = expected_spread(len(state.servers), params.virtual_nodes)
        # The word joiner and the hard space keep the formula and its value on one line.
        law = f"1/\u2060√V\u00a0{share(params.virtual_nodes**-0.5, 1)}"
        note = f"theory {share(expected, 1)}, {law}"
        numbers.append(("Spread of the arcs", share(share_spread(state), 1), note))
    fullest = max(owned(state).items(), key=lambda item: (item[1], item[0]))
    ratio = fullest[1] / (whole / len(state.servers))
    numbers.append(("Fullest server", fullest[0], f"{ratio:.2f} × mean"))
    return [{"label": label, "value": value, "note": note} for label, value, note in numbers]


def opening(state: State) -> str:
    """How a run starts, in a sentence."""
    load = owned(state)
    name = max(load, key=lambda server: (load[server], server))
    ratio = load[name] * len(load) / sum(load.values())
    return (
        f"At the start {servers_hold(state)}; the fullest, {name}, has {ratio:.2f} times the mean."
    )


def servers_hold(state: State) -> str:
    """How many servers hold how much."""
    servers = "one server holds"
    if len(state.servers) > 1:
        servers = f"{len(state.servers)} servers hold"
    what = "requests" if state.params.skew else "keys"
    copies = copies_of(state.params, state.servers)
    each = f", {copies} copies of each" if copies > 1 else ""
    return f"{servers} {state.params.keys:,} {what}{each}"


def describe(before: State | None, event: Event | None, after: State) -> str:
    """What an event did, in a sentence; without an event, how the run starts."""
    if event is None:
        return opening(after)
    whole = copies_of(after.params, after.servers) * after.params.keys
    what = f"{after.moved:,} of {whole:,} {things(after)} moved ({share(after.moved, whole)})"
    needless = (
        f", {after.needless:,} of them between servers that nothing happened to"
        if after.needless
        else ", none of them needlessly"
        if after.moved
        else ""
    )
    match event:
        case AddServer():
            return f"{after.changed} joined: {what}{needless}."
        case RemoveServer(name):
            return f"{name} died: {what}{needless}."
        case SetWeight(name, weight):
            return f"{name} now has weight {weight}: {what}{needless}."
        case Lookup(key):
            return f"The key “{key}” lives on {listed(holders_now(after, key))}."


def alternative(state: State, now_ms: int) -> str:
    """What a sighted reader sees, as text."""
    load = owned(state)
    ideal = ideal_load(state)
    parts = [f"{name} {load[name]:,}" for name in server_names(state)]
    start = servers_hold(state)
    text = (
        f"{start[0].upper()}{start[1:]}, placed by {STRATEGIES[state.params.strategy]}: "
        f"{', '.join(parts)}. A perfectly even load would be {ideal:,.0f} for each unit of weight."
    )
    if state.changed:
        text += (
            f" The last change, of server {state.changed}, moved {state.moved:,} "
            f"{things(state)}, "
            f"{state.needless:,} of them needlessly."
        )
    return f"{text} The key “{state.lookup}” lives on {listed(holders_now(state, state.lookup))}."


def view(state: State, now_ms: int) -> dict[str, Any]:
    """Everything that the scene draws."""
    on_ring = state.params.strategy in ("ring", "bounded")
    return {
        "decide": ring_picture(state) if on_ring else list_picture(state),
        **columns_of(state),
        "lookup": state.lookup if len(state.lookup) <= 18 else state.lookup[:17] + "…",
        "changed": state.changed,
        "readouts": readouts(state),
        "things": things(state),
    }
