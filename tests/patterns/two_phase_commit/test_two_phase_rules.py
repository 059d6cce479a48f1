"""The rules alone: every state that they can reach, as many as TLA+'s TwoPhase is known to have."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pysims.kernel import Deliver, run_script, start
from pysims.patterns.two_phase_commit import rules
from pysims.patterns.two_phase_commit.model import init, update
from pysims.patterns.two_phase_commit.rules import (
    ABORT,
    ABORTED,
    COMMIT,
    COMMITTED,
    INIT,
    PREPARED,
    WORKING,
    Poll,
)
from pysims.patterns.two_phase_commit.shop import Params, PlaceOrder, State, status_in


@dataclass(frozen=True)
class World:
    """rmState, tmState with tmPrepared, and msgs: the names of who sent Prepared, and decisions."""

    statuses: tuple[str, ...]
    poll: Poll
    messages: frozenset[str]


Rule = Callable[[], World]


def enabled(rule: Rule) -> Iterator[World]:
    """What a rule leads to, if it does not refuse: the guards are those of `rules` alone."""
    with suppress(ValueError):
        yield rule()


def nexts(world: World, names: tuple[str, ...]) -> Iterator[World]:
    """Every world one rule away."""
    for index, name in enumerate(names):
        yield from participant_steps(world, index, name)
        if name in world.messages:
            yield from enabled(lambda n=name: replace(world, poll=rules.count(world.poll, n)))  # type: ignore[misc]
    told_abort, told_commit = world.messages | {ABORT}, world.messages | {COMMIT}
    yield from enabled(lambda: replace(world, poll=rules.abort(world.poll), messages=told_abort))
    yield from enabled(
        lambda: replace(world, poll=rules.commit(world.poll, names), messages=told_commit)
    )


def participant_steps(world: World, index: int, name: str) -> Iterator[World]:
    """RMPrepare, RMChooseToAbort, RMRcvCommitMsg and RMRcvAbortMsg of one participant."""
    old = world.statuses
    status = old[index]

    def with_status(new: str) -> World:
        return replace(world, statuses=(*old[:index], new, *old[index + 1 :]))

    said = world.messages | {name}
    yield from enabled(lambda: replace(with_status(rules.prepare(status)), messages=said))
    yield from enabled(lambda: with_status(rules.choose_to_abort(status)))
    if COMMIT in world.messages:
        yield with_status(rules.learn(status, COMMIT))
    if ABORT in world.messages:
        yield with_status(rules.learn(status, ABORT))


def reached(count: int) -> set[World]:
    names = tuple(f"r{number}" for number in range(1, count + 1))
    first = World((WORKING,) * count, Poll(), frozenset())
    seen, frontier = {first}, [first]
    while frontier:
        frontier = [w for old in frontier for w in nexts(old, names) if w not in seen]
        frontier = list(dict.fromkeys(frontier))
        seen.update(frontier)
    return seen


@pytest.mark.parametrize(("participants", "states"), [(3, 288), (6, 50_816)])
def test_as_many_states_as_lamports_specification_and_none_inconsistent(
    participants: int, states: int
) -> None:
    worlds = reached(participants)
    assert len(worlds) == states
    assert not [w for w in worlds if {ABORTED, COMMITTED} <= set(w.statuses)]
    assert any(set(w.statuses) == {COMMITTED} for w in worlds)
    assert any(set(w.statuses) == {ABORTED} for w in worlds)


def test_a_rule_that_does_not_apply_refuses() -> None:
    with pytest.raises(ValueError, match="this one is committed"):
        rules.prepare(COMMITTED)
    with pytest.raises(ValueError, match="may abort alone, got prepared"):
        rules.choose_to_abort(PREPARED)
    with pytest.raises(ValueError, match="this one is working"):
        rules.learn(WORKING, COMMIT)
    with pytest.raises(ValueError, match="B has not"):
        rules.commit(Poll(prepared=("A",)), ("A", "B"))
    for rule in (
        rules.abort,
        partial(rules.count, name="A"),
        partial(rules.commit, participants=()),
    ):
        with pytest.raises(ValueError, match="committed"):
            rule(Poll(COMMITTED))
    assert rules.learn(COMMITTED, ABORT) == COMMITTED
    assert rules.learn(ABORTED, COMMIT) == ABORTED


def projected(state: State, order: int) -> tuple[tuple[str, ...], str, tuple[str, ...]]:
    """A run's state as the rules know it, for one order."""
    statuses = tuple(
        {"waiting": WORKING, "": WORKING}.get(status_in(m, order), status_in(m, order))
        for m in state.participants
    )
    found = next((t for t in state.coordinator.transactions if t.order == order), None)
    if found is not None:
        return statuses, found.poll.state, found.poll.prepared
    outcome = next((p.outcome for p in state.placed if p.order == order), "")
    return statuses, {"completed": COMMITTED, "void": ABORTED}.get(outcome, INIT), ()


@settings(max_examples=25, derandomize=True, database=None, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from((0.0, 0.3)), st.sampled_from((0.0, 0.4)))
def test_a_run_without_crashes_takes_no_step_that_the_rules_do_not_allow(
    seed: int, loss: float, duplication: float
) -> None:
    params = Params(loss=loss, duplication=duplication, retry_ms=40, vote_timeout_ms=150)
    script = ((0, PlaceOrder()), (30, PlaceOrder("declined")), (60, PlaceOrder()))
    run = run_script(start(update, partial(init, params), seed), script, 2_000)
    worlds = reached(4)
    names = [member.name for member in run[0].state.participants]
    known = {(w.statuses, w.poll.state, len(w.poll.prepared)) for w in worlds}
    for index in range(1, len(run)):
        before, event, after = run.change(index)
        for order in [placed.order for placed in after.placed]:
            statuses, poll, prepared = projected(after, order)
            if poll == INIT:
                assert (statuses, poll, len(prepared)) in known
                assert set(prepared) <= set(names)
            was = projected(before, order)[0]
            if was != statuses:
                assert sum(a != b for a, b in zip(was, statuses, strict=True)) == 1
                assert not isinstance(event, Deliver) or event.message.target in names
            for old, new in zip(was, statuses, strict=True):
                assert (old, new) in MOVES or old == new


MOVES = {(WORKING, PREPARED), (WORKING, ABORTED), (PREPARED, COMMITTED), (PREPARED, ABORTED)}
