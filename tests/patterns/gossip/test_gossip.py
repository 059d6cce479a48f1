"""Gossip: exact chains for push and pull, Pittel's and the paper's numbers, chaos, and the rules.

The chains are computed, not simulated. The twin is a loop over rounds without a network; it is held
to the model at sixteen nodes, and then runs the paper's thousand.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import pairwise, permutations
from math import comb, e, exp, log, log2, sqrt
from random import Random
from statistics import mean, stdev
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pysims
from pysims.kernel import Context, Run, is_up
from pysims.patterns.gossip import agree, missing, value_of
from pysims.patterns.gossip.model import (
    NAMES,
    NEVER,
    Crash,
    Cut,
    Delete,
    Entry,
    Event,
    Heal,
    Params,
    Restart,
    State,
    Write,
    init,
    replica_of,
    taken,
)
from pysims.patterns.gossip.promises import calm, lasting, nobody_goes_back, nobody_makes_it_up

SEEDS = 120
NODES = 16


def spread(seed: int, strategy: str, **params: Any) -> Run[State]:
    """One write at A, and time for all to hear of it."""
    return pysims.run(
        "gossip", "push", seed=seed, params={"strategy": strategy, **params}, until_ms=9_000
    )


def rounds_of(run: Run[State]) -> int:
    """The number of whole rounds until all knew: the first round begins 250 ms after the write."""
    state = run.last
    assert state.reached_ms >= 0
    return (state.reached_ms - 500) // state.params.interval_ms + 1


def close(found: list[float], expected: float) -> bool:
    """Whether a mean is within four standard errors of what it should be."""
    return abs(mean(found) - expected) <= 4 * stdev(found) / sqrt(len(found))


# --- Exact chains ---------------------------------------------------------------------------------


def pushed(nodes: int, knowing: int) -> list[float]:
    """The probability of each number of new ones when so many push once, one after the other."""
    without = nodes - knowing
    chances = [1.0] + [0.0] * without
    for _ in range(knowing):
        hit = [(without - new) / (nodes - 1) for new in range(without + 1)]
        chances = [
            chances[new] * (1 - hit[new]) + (chances[new - 1] * hit[new - 1] if new else 0.0)
            for new in range(without + 1)
        ]
    return chances


def pulled(nodes: int, knowing: int) -> list[float]:
    """The same when all the others ask once: a binomial distribution."""
    without, share = nodes - knowing, knowing / (nodes - 1)
    return [
        comb(without, new) * share**new * (1 - share) ** (without - new)
        for new in range(without + 1)
    ]


@cache
def expected_rounds(strategy: str, nodes: int) -> float:
    """The mean number of rounds from one who knows to all, by the chain of their numbers."""
    step = pushed if strategy == "push" else pulled
    left = {nodes: 0.0}
    for knowing in range(nodes - 1, 0, -1):
        chances = step(nodes, knowing)
        on = sum(chances[new] * left[knowing + new] for new in range(1, len(chances)))
        left[knowing] = (1 + on) / (1 - chances[0])
    return left[1]


@pytest.mark.parametrize("nodes", [5, NODES])
@pytest.mark.parametrize("strategy", ["push", "pull"])
def test_the_rounds_are_those_of_the_chain(strategy: str, nodes: int) -> None:
    found = [float(rounds_of(spread(seed, strategy, nodes=nodes))) for seed in range(SEEDS)]
    assert close(found, expected_rounds(strategy, nodes))


def test_both_together_are_faster_than_either() -> None:
    found = [rounds_of(spread(seed, "push_pull")) for seed in range(SEEDS)]
    assert mean(found) < min(expected_rounds(s, NODES) for s in ("push", "pull")) - 1.5


def test_push_takes_the_rounds_of_pittel() -> None:
    # log₂ n + ln n + O(1): the rest is bounded, and a doubling costs 1 + ln 2 rounds.
    rests = [expected_rounds("push", n) - log2(n) - log(n) for n in (16, 32, 64, 128)]
    assert all(0.6 <= rest <= 1.2 for rest in rests)
    assert expected_rounds("push", 128) - expected_rounds("push", 64) == pytest.approx(
        1 + log(2), abs=0.1
    )


def test_the_end_of_push_and_of_pull() -> None:
    # Section 1.3: of a small share p that does not know, pull leaves p², push p/e.
    nodes, without = 2_000, 100
    share = without / nodes
    for step, left in ((pulled, share**2), (pushed, share / e)):
        chances = step(nodes, nodes - without)
        still = sum(chance * (without - new) for new, chance in enumerate(chances)) / nodes
        assert still == pytest.approx(left, rel=0.06)


def test_no_round_more_than_doubles_push_and_nobody_forgets() -> None:
    for seed in range(30):
        told = spread(seed, "push").last.told
        assert all(a <= b <= 2 * a for a, b in pairwise(told))


# --- The dumb twin --------------------------------------------------------------------------------


def twin(nodes: int, tires_after: int, seed: int) -> tuple[float, float]:
    """A rumor with feedback and counter, round by round: (share without it, messages per node)."""
    random = Random(seed)
    knows = [False] * nodes
    knows[0] = True
    vain = {0: 0}
    messages = 0
    while vain:
        fresh = []
        tellers = list(vain)
        random.shuffle(tellers)
        for teller in tellers:
            other = random.randrange(nodes - 1)
            other += other >= teller
            messages += 1
            if knows[other]:
                vain[teller] += 1
            else:
                knows[other] = True
                fresh.append(other)
        vain = {node: count for node, count in vain.items() if count < tires_after}
        vain.update(dict.fromkeys(fresh, 0))
    return knows.count(False) / nodes, messages / nodes


@pytest.mark.parametrize("tires_after", [1, 2])
def test_the_rumor_ends_like_its_twin(tires_after: int) -> None:
    lasts = [
        pysims.run(
            "gossip", "residue", seed=s, params={"tires_after": tires_after}, until_ms=14_000
        ).last
        for s in range(SEEDS)
    ]
    assert not any(replica.hot for state in lasts for replica in state.replicas)
    twins = [twin(NODES, tires_after, seed) for seed in range(4_000)]
    assert close([len(missing(state)) / NODES for state in lasts], mean(w for w, _ in twins))
    assert close([state.updates / NODES for state in lasts], mean(m for _, m in twins))


@pytest.mark.parametrize("tires_after", [1, 2, 3])
def test_a_thousand_nodes_leave_the_papers_residue(tires_after: int) -> None:
    # Section 1.4: s = e^−(k+1)(1−s), and under all rules s = e^−m for m messages per node.
    share = 0.5
    for _ in range(60):
        share = exp(-(tires_after + 1) * (1 - share))
    found = [twin(1_000, tires_after, seed) for seed in range(40)]
    assert mean(w for w, _ in found) == pytest.approx(share, rel=0.06)
    assert mean(m for _, m in found) == pytest.approx(-log(share), rel=0.02)


# --- Chaos ----------------------------------------------------------------------------------------

SMALL = NAMES[:6]
nodes = st.sampled_from(SMALL)
EVENTS = st.one_of(
    st.builds(Write, nodes),
    st.builds(Delete, nodes),
    st.builds(Crash, nodes),
    st.builds(Restart, nodes),
    st.builds(Cut, st.integers(1, 5)),
    st.just(Heal()),
)
SCRIPTS = st.lists(st.tuples(st.integers(0, 6_000), EVENTS), max_size=8)


def allowed(
    script: list[tuple[int, Event]], params: dict[str, Any], seed: int
) -> list[tuple[int, Event]]:
    """The script without the events that the model refuses."""
    kept: list[tuple[int, Event]] = []
    for item in sorted(script, key=lambda item: item[0]):
        try:
            pysims.run("gossip", seed=seed, params=params, script=(*kept, item), until_ms=item[0])
        except ValueError:
            continue
        kept.append(item)
    return kept


@given(
    SCRIPTS,
    st.sampled_from(["push", "pull", "push_pull", "rumor"]),
    st.sampled_from([0.0, 0.3]),
    st.integers(0, 1_000),
)
@settings(max_examples=25, deadline=None)
def test_the_promises_hold_in_chaos(
    script: list[tuple[int, Event]], strategy: str, loss: float, seed: int
) -> None:
    params = {
        "nodes": len(SMALL), "strategy": strategy, "loss": loss, "skew_ms": 2_000,
        "keep_rounds": 200, "backup_rounds": 3,
    }  # fmt: skip
    kept = allowed(script, params, seed)
    run = pysims.run("gossip", params=params, script=tuple(kept), until_ms=9_000, seed=seed)
    for state in run.history.states():
        assert nobody_makes_it_up(state)
        assert nobody_goes_back(state)
        assert lasting(state)


@given(SCRIPTS, st.sampled_from(["push", "pull", "push_pull"]), st.integers(0, 1_000))
@settings(max_examples=15, deadline=None)
def test_after_the_calm_all_that_hear_each_other_agree(
    script: list[tuple[int, Event]], strategy: str, seed: int
) -> None:
    params = {"nodes": len(SMALL), "strategy": strategy, "keep_rounds": 200}
    kept = [*allowed(script, params, seed), (6_000, Heal())]
    run = pysims.run("gossip", params=params, script=tuple(kept), until_ms=30_000, seed=seed)
    up = [name for name in SMALL if is_up(run.last.network, name)]
    assert agree(run.last)
    assert len({replica_of(run.last, name).entry for name in up}) <= 1


def entries() -> Iterator[Entry]:
    for number, stamp in enumerate([(5, "A"), (9, "B"), (9, "C"), (2, "D")]):
        yield Entry(number, stamp, dead=number == 1)


def test_the_order_in_which_versions_arrive_does_not_matter() -> None:
    for order in permutations(entries()):
        ctx = Context(1, 1)
        state = init(Params(), ctx)
        for entry in order:
            state = taken(state, "A", entry, ctx)
        assert stamp_at(state, "A") == (9, "C")


def stamp_at(state: State, name: str) -> tuple[int, str]:
    entry = replica_of(state, name).entry
    return entry.stamp if entry else NEVER


# --- The rules, one by one ------------------------------------------------------------------------


def test_certificates_that_are_kept_for_long_enough_keep_the_dead_down() -> None:
    # The chapter tells its readers to try 30.
    for seed in range(20):
        state = pysims.run("gossip", "grace", seed=seed, params={"keep_rounds": 30}).last
        assert {value_of(replica) for replica in state.replicas} == {None}


def test_a_later_timestamp_than_what_it_saw_saves_the_write() -> None:
    state = pysims.run("gossip", "fast-clock", params={"stamps": "after"}).last
    assert {value_of(replica) for replica in state.replicas} == {1}


def test_a_teller_that_crashes_keeps_the_item_and_forgets_that_it_is_news() -> None:
    run = pysims.run("gossip", "residue", script=((250, Write("A")), (300, Crash("A"))))
    replica = replica_of(run.last, "A")
    assert replica.entry is not None
    assert not replica.hot
    assert run.last.messages == 0


def test_a_fanout_of_three_reaches_three_others_in_a_round() -> None:
    run = pysims.run("gossip", params={"fanout": 3}, script=((250, Write("A")),), until_ms=900)
    assert run.last.messages == 3
    assert len({m.target for m in run.state_at(500).network.in_flight}) == 3


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (Delete("A"), "node must be one that has the item, got 'A'"),
        (Restart("A"), "node must be one that is down"),
        (Crash("Q"), "node must be one of A, B.*got 'Q'"),
        (Cut(16), "first must be from 1 to 15, got 16"),
    ],
)
def test_what_is_not_allowed_is_said(event: Event, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        pysims.run("gossip", script=((100, event),))


def test_with_patience_the_calm_is_promised_only_once_it_is_due() -> None:
    run = pysims.run("gossip", "residue")
    due = [state for state in run.history.states() if calm(state)]
    assert due[0].writes == ()
    assert not agree(due[-1])
