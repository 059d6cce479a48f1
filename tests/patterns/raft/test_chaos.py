"""Random schedules of crashes, restarts, cuts, slow links, losses and repeats, checked throughout.

After every event all six properties are checked: `safety.update` does it as the events come, and
notes the first fall for good. A dumb twin that reads whole runs checks the checker, and a calm at
the end shows that the cluster has lost nothing but time.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from random import Random
from statistics import median
from time import perf_counter
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pysims.kernel import Deliver
from pysims.patterns.raft.model import RULES, Crash, Restart
from tests.patterns.raft.schedules import (
    CALAMITIES,
    DEPOSED,
    ELECTIONS,
    FIGURE_8,
    Shaken,
    calm,
    params_of,
    shake,
    what_is_left_undone,
)
from tests.patterns.raft.twin import properties_that_fell

EVENTS_MIN = 1_000_000
# A calm cluster is done long before: its slowest message takes 1.5 s, its client repeats within
# 2 s, and each election that fails costs at most 300 ms.
BOUND_MS = 6_000
SEEDS = st.integers(0, 2**32 - 1)
# Every draw of the schedule is Hypothesis's, so that it can make a failing schedule smaller.
DRAWS = st.randoms(use_true_random=False)
KINDS = st.sampled_from((CALAMITIES, CALAMITIES, CALAMITIES, DEPOSED, ELECTIONS, FIGURE_8))


def thorough(examples: int) -> settings:
    """The same examples in every run, however long one takes."""
    return settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )


@dataclass
class Tally:
    """What the runs of a test had in them, so that none can pass by looking at nothing."""

    seen: Counter[str] = field(default_factory=Counter)
    us_per_event: list[float] = field(default_factory=list)

    def count(self, run: Shaken, seconds: float) -> None:
        state = run.last.state
        self.us_per_event.append(seconds / max(1, run.events) * 1e6)
        self.seen["runs"] += 1
        self.seen["events"] += run.events
        self.seen["elections won"] += len(state.witness.leaders)
        self.seen["entries committed"] += len(state.witness.committed)
        self.seen["commands"] += len(state.requests)
        self.seen["commands retried"] += sum(request.attempt > 1 for request in state.requests)
        self.seen[f"runs of {len(state.servers)}"] += 1
        self.seen["runs with PreVote"] += state.params.prevote
        self.look_at_events(run)
        self.look_at_logs(run)

    def look_at_events(self, run: Shaken) -> None:
        latest: dict[tuple[str, str], int] = {}
        for piece in run.pieces:
            for _, _, event in piece.causes():
                self.seen["crashes"] += isinstance(event, Crash)
                self.seen["restarts"] += isinstance(event, Restart)
                if isinstance(event, Deliver):
                    message = event.message
                    way = (message.source, message.target)
                    self.seen["messages"] += 1
                    self.seen["messages overtaken"] += message.id < latest.get(way, -1)
                    latest[way] = max(message.id, latest.get(way, -1))

    def look_at_logs(self, run: Shaken) -> None:
        """Entries that a follower had to give up are what most of the rules are about."""
        for piece in run.pieces:
            for old, new in zip(piece[0].state.servers, piece[-1].state.servers, strict=True):
                self.seen["logs truncated"] += new.log[: len(old.log)] != old.log

    def __str__(self) -> str:
        figures = ", ".join(f"{count:,} {what}" for what, count in sorted(self.seen.items()))
        return f"{figures}; {median(self.us_per_event):.1f} µs an event (median of the runs)"


def test_the_properties_hold_after_each_of_a_million_events(
    capsys: pytest.CaptureFixture[str],
) -> None:
    tally = Tally()

    def holds(draw: Random, seed: int, kinds: tuple[Any, ...]) -> None:
        params = params_of(draw)
        began = perf_counter()
        run = shake(draw, params, seed, 40, kinds)
        tally.count(run, perf_counter() - began)
        assert run.last.state.witness.violated == ()

    thorough(440)(given(DRAWS, SEEDS, KINDS)(holds))()
    # How long its examples are is Hypothesis's choice; what is missing comes from seeds.
    for seed in range(440):
        if tally.seen["events"] < EVENTS_MIN:
            holds(Random(seed), seed, CALAMITIES)
    with capsys.disabled():
        print(f"\nRaft, safety: {tally}")
    assert tally.seen["events"] >= EVENTS_MIN
    # Not a million events of nothing: all that can go wrong went wrong, and work was done.
    for what in ("runs of 3", "runs of 5", "runs of 7", "runs with PreVote"):
        assert tally.seen[what] > 50, what
    for what in ("crashes", "restarts", "commands", "entries committed", "elections won"):
        assert tally.seen[what] > 1_000, what
    for what in ("commands retried", "messages overtaken", "logs truncated"):
        assert tally.seen[what] > 200, what


def test_after_the_storm_one_leads_and_every_command_is_answered(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Everybody is restarted, every link is whole: within `BOUND_MS` nothing is left to do."""
    tally = Tally()

    @thorough(150)
    @given(DRAWS, SEEDS, KINDS)
    def comes_to_rest(draw: Random, seed: int, kinds: tuple[Any, ...]) -> None:
        params = params_of(draw)
        began = perf_counter()
        run = shake(draw, params, seed, 12, kinds)
        calm(run, BOUND_MS)
        tally.count(run, perf_counter() - began)
        assert run.last.state.witness.violated == ()
        assert what_is_left_undone(run.last.state) == ""

    comes_to_rest()
    with capsys.disabled():
        print(f"\nRaft, liveness: {tally}")
    assert tally.seen["commands"] > 300


@pytest.mark.parametrize("rule", RULES)
def test_the_witness_says_what_a_dumb_twin_says(rule: str) -> None:
    """Which properties fell, and when each fell first; also where a rule is broken, and they do."""
    fell: Counter[str] = Counter()
    for seed in range(15 if rule == "none" else 60):
        draw = Random(seed)
        quick = {"servers": 3, "heartbeat_interval_ms": 20, "delay_ms_max": 10}
        params = params_of(draw, broken_rule=rule, retry_timeout_ms=2_000, **quick)
        kinds = FIGURE_8 if rule == "commit-old-term" else draw.choice((DEPOSED, CALAMITIES))
        run = shake(draw, params, seed, 20, kinds)
        times, states = zip(*run.states(), strict=True)
        twin = {name: times[index] for name, index in properties_that_fell(states).items()}
        assert {fall.property: fall.at_ms for fall in run.last.state.witness.violated} == twin
        fell.update(twin)
    assert bool(fell) == (rule != "none"), fell
