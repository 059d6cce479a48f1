"""The stories of the chapter; each seed was chosen so that the run shows its sentence."""

from __future__ import annotations

from ...kernel import Run, Scenario
from .model import (
    AddServer,
    RemoveServer,
    SetWeight,
    State,
    capacity_of,
    load_spread,
    owned,
    share_spread,
)


def only_needed(run: Run[State]) -> bool:
    """Something moved, and nothing moved needlessly."""
    return run.last.moved_total > 0 and run.last.needless_total == 0


def fullest(state: State) -> float:
    """The load of the fullest server over the mean."""
    load = owned(state)
    return max(load.values()) * len(load) / sum(load.values())


def modulo_moves_most(run: Run[State]) -> bool:
    state = run.last
    return 0.70 <= state.moved / state.params.keys <= 0.80 and state.needless > state.moved / 2


def ring_moves_a_quarter(run: Run[State]) -> bool:
    return only_needed(run) and 0.15 <= run.last.moved / run.last.params.keys <= 0.35


def one_holds_half(run: Run[State]) -> bool:
    return 0.48 <= max(owned(run.last).values()) / run.last.params.keys <= 0.56


def spread_as_in_theory(run: Run[State]) -> bool:
    return 0.06 <= share_spread(run.last) <= 0.10


def double_weight_double_load(run: Run[State]) -> bool:
    load = owned(run.last)
    return 1.7 <= load["B"] / (sum(load.values()) - load["B"]) * (len(load) - 1) <= 2.3


def replicas_take_over(run: Run[State]) -> bool:
    before, after = run.history[0].state, run.last
    followers = all(
        new[0] == (old[1] if old[0] == "D" else old[0])
        for old, new in zip(before.placement, after.placement, strict=True)
    )
    return followers and all(len(set(names)) == 3 for names in after.placement)


def joins_with_a_fifth(run: Run[State]) -> bool:
    return only_needed(run) and 0.15 <= run.last.moved / run.last.params.keys <= 0.25


def one_melts(run: Run[State]) -> bool:
    return fullest(run.last) >= 2.0


def nobody_above_the_cap(run: Run[State]) -> bool:
    state = run.last
    return max(owned(state).values()) <= capacity_of(state.params, state.servers)


def jump_prefers_the_end(run: Run[State]) -> bool:
    end, middle = run.history[1].state, run.history[3].state
    return bool(end.needless == 0 and end.moved > 0 and middle.needless > 0)


def even_without_a_ring(run: Run[State]) -> bool:
    return only_needed(run) and load_spread(run.history[0].state) < 0.2


# A typical ring: its spread is near theory before and after D dies, and D holds a quarter.
TYPICAL = 281

KILL_D = ((2_000, RemoveServer("D")),)

SCENARIOS = (
    Scenario(
        id="ring-kill",
        title="Ring: kill one of four",
        claim="Only the dead server's keys move.",
        proof=ring_moves_a_quarter,
        watch="Every dot with a rim came from D. All other keys stayed with their server.",
        until_ms=4_000,
        show_ms=2_000,
        seed=TYPICAL,
        script=KILL_D,
        front=("strategy",),
    ),
    Scenario(
        id="modulo-kill",
        title="Modulo: kill one of four",
        claim="About three quarters of the keys move, most of them needlessly.",
        proof=modulo_moves_most,
        watch="Square dots moved between servers that nothing had happened to: needlessly.",
        until_ms=4_000,
        show_ms=2_000,
        seed=TYPICAL,
        params={"strategy": "modulo"},
        script=KILL_D,
        front=("strategy",),
    ),
    Scenario(
        id="one-point-each",
        title="One point per server",
        claim="The fullest of four servers holds about half of the keys.",
        proof=one_holds_half,
        watch="The arcs have very different lengths, and so have the columns.",
        until_ms=1_000,
        show_ms=0,
        seed=4,
        params={"virtual_nodes": 1, "keys": 400},
        front=("strategy", "virtual_nodes"),
    ),
    Scenario(
        id="virtual-nodes",
        title="150 points per server",
        claim="The spread of the arcs is near the 7.7 % of theory, not below 3 %.",
        proof=spread_as_in_theory,
        watch="Move the slider “Virtual nodes per server” and compare the spread with 1/√V.",
        until_ms=1_000,
        show_ms=0,
        seed=189,
        params={"virtual_nodes": 150, "servers": 10, "keys": 5_000},
        front=("strategy", "virtual_nodes"),
    ),
    Scenario(
        id="weights",
        title="A server of double weight",
        claim="B takes about twice the load of the others, and keys move to B only.",
        proof=lambda run: double_weight_double_load(run) and only_needed(run),
        watch="B's column grows to its own ideal line; every dot that moved went to B.",
        until_ms=4_000,
        show_ms=2_000,
        seed=TYPICAL,
        params={"keys": 400},
        script=((2_000, SetWeight("B", 2)),),
        front=("strategy",),
    ),
    Scenario(
        id="replication",
        title="Three copies of each key",
        claim="When D dies, the next server of each preference list becomes the owner.",
        proof=replicas_take_over,
        watch="Filled dots are owners, hollow ones copies; only what D held is copied anew.",
        until_ms=4_000,
        show_ms=2_000,
        seed=TYPICAL,
        params={"replication_factor": 3, "servers": 5, "keys": 120},
        script=KILL_D,
        front=("strategy", "replication_factor"),
    ),
    Scenario(
        id="scale-out",
        title="A fifth server joins",
        claim="About a fifth of the keys move, all of them to the new server.",
        proof=joins_with_a_fifth,
        watch="E fills up with dots from everybody; nobody else receives any.",
        until_ms=4_000,
        show_ms=2_000,
        seed=TYPICAL,
        script=((2_000, AddServer()),),
        front=("strategy",),
    ),
    Scenario(
        id="hot-key",
        title="A few hot keys",
        claim="Skewed requests put one server at twice the mean or more.",
        proof=one_melts,
        watch="Each dot is a request. Requests for one key share a position, hence a server.",
        until_ms=1_000,
        show_ms=0,
        params={"skew": 1.2, "keys": 400, "servers": 8},
        front=("strategy", "skew"),
    ),
    Scenario(
        id="bounded-loads",
        title="The same requests, bounded loads",
        claim="No server is above ⌈1.25 × mean⌉.",
        proof=nobody_above_the_cap,
        watch="What meets a full server walks on clockwise to the next that has room.",
        until_ms=1_000,
        show_ms=0,
        params={"strategy": "bounded", "skew": 1.2, "keys": 400, "servers": 8},
        front=("strategy", "epsilon"),
    ),
    Scenario(
        id="rendezvous",
        title="Rendezvous: kill one of four",
        claim="Only the dead server's keys move, without any ring.",
        proof=even_without_a_ring,
        watch="The key goes to the server with the highest score; without D, the second best wins.",
        until_ms=4_000,
        show_ms=2_000,
        seed=TYPICAL,
        params={"strategy": "rendezvous"},
        script=KILL_D,
        front=("strategy",),
    ),
    Scenario(
        id="jump",
        title="Jump: kill the last, then one in the middle",
        claim="Losing the last server moves only its keys; losing B renumbers C and D.",
        proof=jump_prefers_the_end,
        watch="First D dies and comes back, then B dies: now keys move needlessly.",
        until_ms=8_000,
        show_ms=6_000,
        seed=TYPICAL,
        params={"strategy": "jump"},
        script=(
            (2_000, RemoveServer("D")),
            (4_000, AddServer()),
            (6_000, RemoveServer("B")),
        ),
        front=("strategy",),
    ),
)
