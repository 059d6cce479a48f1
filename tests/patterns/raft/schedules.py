"""Random schedules of all that can go wrong, for the tests that look for a property that falls.

One generator serves them all: it draws from a `random.Random`. Hypothesis hands in one whose
draws it controls and can shrink; the search for mutations hands in one with a seed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from random import Random
from typing import Any

from pysims.kernel import History, Latency, Sim, build, dispatch, run_until, start
from pysims.patterns.raft import model, safety
from pysims.patterns.raft.model import (
    ANYONE,
    LEADER,
    Crash,
    Cut,
    CutWay,
    Event,
    Heal,
    Params,
    Restart,
    SendCommand,
    SlowLink,
    State,
    TimeOut,
    names_of,
    servers_up,
)

# --- What is drawn --------------------------------------------------------------------------------


def params_of(draw: Random, **fixed: Any) -> Params:
    """A cluster and its network: of three to seven servers, from calm to hopeless."""
    timeout_ms = draw.choice((50, 100, 150))
    drawn = {
        "servers": draw.choice((3, 3, 5, 5, 7)),
        "prevote": draw.choice((False, False, True)),
        "election_timeout_ms_min": timeout_ms,
        "election_timeout_ms_max": timeout_ms * draw.choice((2, 3)),
        "heartbeat_interval_ms": draw.choice((10, 20, 50)),
        "delay_ms_min": 1,
        "delay_ms_max": draw.choice((3, 10, 30, 30, 100, 200)),
        "loss": draw.choice((0.0, 0.0, 0.1, 0.3)),
        "duplication": draw.choice((0.0, 0.0, 0.1, 0.5)),
        "retry_timeout_ms": draw.choice((50, 200, 2_000)),
    }
    return build(Params, {**drawn, **fixed})


def someone(draw: Random, state: State) -> str:
    """Any server, and a leader more often than its share."""
    leaders = [server.id for server in state.servers if server.role == LEADER]
    return draw.choice((*names_of(state), *leaders, *leaders))


def two(draw: Random, state: State) -> list[str]:
    return draw.sample(names_of(state), 2)


def command(draw: Random, state: State) -> list[tuple[int, Event]]:
    """A command for anybody, be he down, deposed or cut off."""
    asked = draw.choice((ANYONE, someone(draw, state)))
    return [(0, SendCommand(draw.randint(1, 9), asked))]


def crash(draw: Random, state: State) -> list[tuple[int, Event]]:
    return [(0, Crash(someone(draw, state)))]


def restart(draw: Random, state: State) -> list[tuple[int, Event]]:
    return [(0, Restart(draw.choice(state.network.down or names_of(state))))]


def reboot(draw: Random, state: State) -> list[tuple[int, Event]]:
    """Down and up again, before anybody may have noticed."""
    who = someone(draw, state)
    return [(0, Crash(who)), (draw.randint(0, 20), Restart(who))]


def time_out(draw: Random, state: State) -> list[tuple[int, Event]]:
    return [(0, TimeOut(draw.choice(servers_up(state) or names_of(state))))]


def rivals(draw: Random, state: State) -> list[tuple[int, Event]]:
    """Two servers want to lead at about the same time, and a voter may forget whom it chose."""
    a, b = two(draw, state)
    flight_ms = state.params.delay_ms_max
    happens: list[tuple[int, Event]] = [(0, TimeOut(a)), (draw.randint(0, flight_ms), TimeOut(b))]
    if draw.choice((False, True)):
        voter = draw.choice([name for name in names_of(state) if name not in (a, b)])
        happens.append((draw.randint(0, 2 * flight_ms), Crash(voter)))
        happens.append((draw.randint(0, flight_ms), Restart(voter)))
    return happens


def cut(draw: Random, state: State) -> list[tuple[int, Event]]:
    """Two or three groups, of whatever size."""
    groups: tuple[list[str], ...] = ([], [], [])
    count = draw.choice((2, 2, 3))
    for name in names_of(state):
        groups[draw.randint(0, count - 1)].append(name)
    return [(0, Cut(" | ".join(" ".join(group) for group in groups if group)))]


def cut_way(draw: Random, state: State) -> list[tuple[int, Event]]:
    return [(0, CutWay("→".join(two(draw, state))))]


def slow_link(draw: Random, state: State) -> list[tuple[int, Event]]:
    return [(0, SlowLink("–".join(two(draw, state)), draw.choice((1, 40, 150, 400))))]


def heal(draw: Random, state: State) -> list[tuple[int, Event]]:
    return [(0, Heal())]


def comeback(draw: Random, state: State) -> list[tuple[int, Event]]:
    """One that was down wants to lead as soon as it is back."""
    who = draw.choice(state.network.down or names_of(state))
    return [(0, Restart(who)), (draw.randint(0, 20), TimeOut(who))]


def half_done(draw: Random, state: State) -> list[tuple[int, Event]]:
    """The leader, if there is one, takes a command, reaches a few others at most, and stops.

    Figure 8 of the paper is made of such moments.
    """
    leaders = [server for server in state.servers if server.role == LEADER]
    if not leaders:
        return []
    who = max(leaders, key=lambda server: server.current_term).id
    others = [name for name in names_of(state) if name != who]
    reached = draw.sample(others, draw.choice((0, 0, 1, len(others) // 2)))
    here, there = [who, *reached], [name for name in others if name not in reached]
    return [
        (0, Cut(f"{' '.join(here)} | {' '.join(there)}")),
        (0, SendCommand(draw.randint(1, 9), who)),
        (draw.randint(1, 3 * state.params.delay_ms_max), Crash(who)),
        (0, Heal()),
    ]


def deposed(draw: Random, state: State) -> list[tuple[int, Event]]:
    """A leader that is cut off takes commands, while the others elect another and go on."""
    who, other = someone(draw, state), draw.choice(names_of(state))
    others = " ".join(name for name in names_of(state) if name != who)
    flight_ms = state.params.delay_ms_max
    happens: list[tuple[int, Event]] = [(0, Cut(f"{who} | {others}"))]
    happens += [(0, SendCommand(draw.randint(1, 9), who))] * draw.choice((0, 1, 3))
    happens.append((draw.randint(0, flight_ms), TimeOut(other)))
    happens += [(3 * flight_ms, SendCommand(draw.randint(1, 9), other))] * draw.choice((0, 1))
    if draw.choice((False, True)):
        happens.append((draw.randint(0, 3 * flight_ms), Heal()))
    return happens


CALAMITIES = (
    command, command, command, command, crash, restart, restart, restart, reboot, time_out,
    time_out, rivals, cut, cut_way, slow_link, heal, heal, half_done, comeback, deposed,
)  # fmt: skip
ELECTIONS = (rivals, rivals, reboot, comeback, time_out, slow_link, heal)
DEPOSED = (deposed, deposed, heal, reboot, time_out, slow_link)
FIGURE_8 = (half_done, half_done, comeback, comeback, time_out)


# --- A run under such a schedule ------------------------------------------------------------------


@dataclass
class Shaken:
    """A run, piece by piece: one for each thing that the schedule did."""

    pieces: list[History[State]]

    @property
    def last(self) -> Sim[State]:
        return self.pieces[-1][-1]

    @property
    def events(self) -> int:
        return sum(len(piece) - 1 for piece in self.pieces)

    @property
    def violated(self) -> tuple[str, ...]:
        """The properties that have fallen at any step; the witness never forgets one."""
        return tuple(fall.property for fall in self.last.state.witness.violated)

    def states(self) -> Iterator[tuple[int, State]]:
        """Every state with its time."""
        for number, piece in enumerate(self.pieces):
            for index, state in enumerate(piece.states()):
                if index or not number:
                    yield piece.time_ms(index), state

    def go_on(self, until_ms: int, event: Event | None = None) -> None:
        """Let `event` happen now, and time go on until `until_ms`."""
        sim = self.last if event is None else dispatch(self.last, event)
        self.pieces.append(run_until(sim, until_ms))


def shake(
    draw: Random, params: Params, seed: int, length: int, kinds: tuple[Any, ...] = CALAMITIES
) -> Shaken:
    """A run through `length` calamities of these kinds; it ends when a property falls."""
    run = Shaken([run_until(start(safety.update, partial(model.init, params), seed), 0)])
    now_ms = draw.choice((0, 100, 400))
    run.go_on(now_ms)
    for _ in range(length):
        for delay_ms, event in draw.choice(kinds)(draw, run.last.state):
            now_ms += delay_ms
            run.go_on(now_ms)
            run.go_on(now_ms, event)
        now_ms += draw.choice((1, 5, 20, 60, 150, 300))
        run.go_on(now_ms)
        if run.violated:
            break
    return run


def calm(run: Shaken, bound_ms: int) -> None:
    """Everybody up, every link whole and quick, two more commands, and `bound_ms` of time.

    The second comes when all is settled: a leader commits what others have left behind only with
    an entry of its own term (§5.4.2), and the first may have been answered by its predecessor.
    """
    sim = run.last
    state = sim.state
    network = replace(
        state.network,
        latency=Latency.uniform(1, 5),
        loss=0.0,
        duplication=0.0,
        links=(),
        groups=(),
        cut_links=(),
    )
    params = replace(
        state.params,
        election_timeout_ms_min=150,
        election_timeout_ms_max=300,
        heartbeat_interval_ms=50,
        retry_timeout_ms=200,
    )
    calmed = replace(sim, state=replace(state, network=network, params=params))
    run.pieces.append(run_until(calmed, calmed.now_ms))
    for name in names_of(state):
        run.go_on(calmed.now_ms, Restart(name))
    run.go_on(calmed.now_ms, SendCommand(1))
    run.go_on(calmed.now_ms + bound_ms // 2)
    run.go_on(calmed.now_ms + bound_ms // 2, SendCommand(1))
    run.go_on(calmed.now_ms + bound_ms)


def what_is_left_undone(state: State) -> str:
    """What a calm cluster still owes its client, in words; empty when it has done everything."""
    leaders = [server for server in state.servers if server.role == LEADER]
    if len(leaders) != 1:
        return f"{len(leaders)} leaders"
    waiting = [request.serial for request in state.requests if request.answered_ms is None]
    if waiting:
        return f"no answer to {waiting}"
    total = sum(request.amount for request in state.requests)
    for server in state.servers:
        for what, has, should in (
            ("log", server.log, leaders[0].log),
            ("term", server.current_term, leaders[0].current_term),
            ("commit index", server.commit_index, len(server.log)),
            ("last applied index", server.last_applied, len(server.log)),
            ("value", server.value, total),
        ):
            if has != should:
                return f"{server.id} has the {what} {has}, not {should}"
    return ""
