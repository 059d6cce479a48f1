"""The numbers that the chapter on leader election takes from runs of Raft."""

from __future__ import annotations

from collections.abc import Callable
from statistics import mean, median
from typing import Any

from ..kernel import Run
from ..patterns.raft import Crash
from ..patterns.raft.model import LEADER, server_of
from ..patterns.raft.scenarios import CUT_OFF, REJOIN_MS
from .runs import noted, run_of

SEEDS = 150


def failover_ms(run: Run[Any], crash_ms: int) -> int:
    """From a leader's crash to the next election that is won."""
    known = len(run.state_at(crash_ms - 1).witness.leaders)
    for index, state in enumerate(run.history.states()):
        if len(state.witness.leaders) > known:
            return run.history.time_ms(index) - crash_ms
    raise AssertionError("nobody was elected")


@noted
def failovers() -> tuple[int, ...]:
    """Over the seeds: the leader crashes at a moment between two heartbeats."""
    found = []
    for seed in range(SEEDS):
        crash_ms = 600 + seed * 7 % 50
        calm = run_of("raft", seed=seed, until_ms=crash_ms - 1).last
        (leader,) = (server.id for server in calm.servers if server.role == LEADER)
        crash = ((crash_ms, Crash(leader)),)
        run = run_of("raft", seed=seed, until_ms=crash_ms + 2_500, script=crash)
        found.append(failover_ms(run, crash_ms))
    return tuple(found)


def term_when_it_returns() -> int:
    before = run_of("raft", "rejoining-node").state_at(REJOIN_MS - 1)
    return server_of(before, CUT_OFF).current_term


def first_committed_ms() -> str:
    """When the command of Figure 5 is committed, as its leader knows first."""
    moments = run_of("raft", "first-election").history
    committed = (s.now_ms for s in moments if any(srv.commit_index for srv in s.state.servers))
    return str(next(committed))


NUMBERS: dict[str, Callable[[], str]] = {
    "failover": lambda: f"{failover_ms(run_of('raft', 'leader-crash'), 450)} ms",
    "failover seeds": lambda: str(len(failovers())),
    "failover median": lambda: f"{median(failovers()):.0f} ms",
    "failover mean": lambda: f"{mean(failovers()):.0f}",
    "first committed": first_committed_ms,
    "rejoining term": lambda: str(term_when_it_returns()),
}
