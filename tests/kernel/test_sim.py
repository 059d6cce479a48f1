"""The kernel's own rules: order, forks, history, limits."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pysims.kernel import (
    Context,
    History,
    RunLimit,
    Sim,
    dispatch,
    run_script,
    run_until,
    start,
    step,
)
from pysims.kernel.sim import CHECKPOINT_EVERY
from tests.mm1 import ARRIVAL_MS, SERVICE_MS, run_ours


@dataclass(frozen=True, slots=True)
class Note:
    """An event with a name that schedules others: `(delay_ms, note)`."""

    name: str
    then: tuple[tuple[int, Note], ...] = ()


@dataclass(frozen=True, slots=True)
class Seen:
    """The names of the events so far with their times and a number drawn for each."""

    notes: tuple[tuple[int, str, float], ...] = ()


def update(seen: Seen, note: Note, ctx: Context) -> Seen:
    for delay_ms, other in note.then:
        ctx.after(delay_ms, other)
    return Seen((*seen.notes, (ctx.now_ms, note.name, ctx.random())))


def first(*notes: tuple[int, Note], seed: int = 7) -> Sim[Seen]:
    def init(ctx: Context) -> Seen:
        for delay_ms, note in notes:
            ctx.after(delay_ms, note)
        return Seen()

    return start(update, init, seed)


def names(history: History[Seen]) -> list[str]:
    return [name for _, name, _ in history[-1].state.notes]


def test_events_come_in_order_of_time_and_then_in_the_order_of_scheduling() -> None:
    sim = first((5, Note("c")), (3, Note("a")), (5, Note("d")), (3, Note("b")))
    assert names(run_until(sim, 10)) == ["a", "b", "c", "d"]


def test_an_event_with_delay_0_comes_after_those_already_due() -> None:
    sim = first((1, Note("a", ((0, Note("late")),))), (1, Note("b")))
    history = run_until(sim, 1)
    assert names(history) == ["a", "b", "late"]
    assert [s.now_ms for s in history] == [0, 1, 1, 1]


def test_the_run_stops_at_its_time_and_keeps_what_is_pending() -> None:
    history = run_until(first((1, Note("a")), (9, Note("z"))), 8)
    assert names(history) == ["a"]
    assert [event.name for _, _, event in history[-1].queue] == ["z"]
    assert names(run_until(history[-1], 9)) == ["a", "z"]


def test_step_takes_one_event_and_nothing_from_an_empty_queue() -> None:
    sim = step(first((1, Note("a")), (1, Note("b"))))
    assert [name for _, name, _ in sim.state.notes] == ["a"]
    assert step(step(sim)) == step(step(step(sim)))


def test_a_click_comes_after_everything_that_happens_by_itself_at_its_moment() -> None:
    sim = first((5, Note("own", ((0, Note("own too")),))), (6, Note("later")))
    history = run_script(sim, ((5, Note("click")),), 10)
    assert names(history) == ["own", "own too", "click", "later"]


def test_a_fork_is_the_run_of_the_longer_script() -> None:
    sim = first((2, Note("a", ((4, Note("b")),))), (9, Note("c")))
    whole = run_script(sim, ((3, Note("x")), (7, Note("y"))), 20)
    history = run_script(sim, ((3, Note("x")),), 20)
    past = history.upto(history.index_at(7))
    forked = past.extended(run_until(dispatch(past[-1], Note("y"), 7), 20))
    assert list(forked) == list(whole)


def test_draws_of_shared_events_are_the_same_in_both_forks() -> None:
    sim = first((2, Note("a")), (9, Note("c")))
    plain = run_script(sim, (), 20)[-1].state.notes
    clicked = run_script(sim, ((3, Note("x")),), 20)[-1].state.notes
    assert [note for note in clicked if note[1] != "x"] == list(plain)


def test_dispatch_refuses_the_past() -> None:
    late = run_until(first((5, Note("a"))), 5)[-1]
    with pytest.raises(ValueError, match=r"at_ms must be 5 \(now\) or later, got 4"):
        dispatch(late, Note("b"), 4)


@pytest.mark.parametrize("delay", [-1, 1.5, "1", None, True])
def test_a_delay_that_is_no_natural_number_is_refused(delay: Any) -> None:
    with pytest.raises(ValueError, match="delay_ms must be an integer of 0 or more"):
        first((delay, Note("a")))


def endless(count: int) -> History[int]:
    def again(state: int, event: str, ctx: Context) -> int:
        ctx.after(0, event)
        return state + 1

    def init(ctx: Context) -> int:
        ctx.after(0, "again")
        return 0

    return run_until(start(again, init, 0), 0, limit=count)


def test_every_run_has_a_limit() -> None:
    with pytest.raises(RunLimit, match="limit of 50 events"):
        endless(50)


def test_an_update_that_fails_leaves_the_run_as_it_was() -> None:
    def fails(state: int, event: str, ctx: Context) -> int:
        raise ValueError("no")

    def init(ctx: Context) -> int:
        ctx.after(1, "x")
        return 0

    sim = start(fails, init, 0)
    with pytest.raises(ValueError, match="no"):
        run_until(sim, 5)
    assert sim.state == 0
    assert len(sim.queue) == 1


notes = st.recursive(
    st.builds(Note, st.sampled_from("abc")),
    lambda inner: st.builds(
        Note,
        st.sampled_from("abc"),
        st.lists(st.tuples(st.integers(0, 9), inner), max_size=3).map(tuple),
    ),
    max_leaves=12,
)


@given(st.lists(st.tuples(st.integers(0, 9), notes), max_size=4), st.integers(0, 40))
def test_history_gives_every_instant_as_stepping_does(
    begin: list[tuple[int, Note]], until_ms: int
) -> None:
    sim = first(*begin)
    history = run_until(sim, until_ms)
    for instant in history:
        assert instant == sim
        sim = step(sim)
    assert history[-1] == history[len(history) - 1]
    assert history[:2] == (history[0], *list(history)[1:2])
    for at in range(len(history)):
        assert history.time_ms(at) == history[at].now_ms


def test_history_is_right_on_both_sides_of_its_checkpoints() -> None:
    history = run_ours(3 * CHECKPOINT_EVERY)
    sim = history[0]
    stepped = [sim]
    for _ in range(len(history) - 1):
        sim = step(sim)
        stepped.append(sim)
    for at in (CHECKPOINT_EVERY * 4, CHECKPOINT_EVERY - 1, CHECKPOINT_EVERY, 1, 700):
        assert history[at] == stepped[at]


def test_the_queue_agrees_with_theory() -> None:
    # M/M/1: mean time in line = ρ / (μ − λ), with ρ = λ / μ.
    arrival, service = 1 / ARRIVAL_MS, 1 / SERVICE_MS
    expected_ms = (arrival / service) / (service - arrival)
    means = []
    for seed in range(12):
        last = run_ours(8_000, seed)[-1].state
        means.append(last.waited_ms / last.served)
    error = stdev(means) / len(means) ** 0.5
    assert abs(fmean(means) - expected_ms) < 4 * error
    assert error < 0.1 * expected_ms


def restless(count: int, step: int, ctx: Context) -> int:
    """Two more events for one of every two, at delays that are drawn: a queue that changes."""
    for _ in range(2 if ctx.random() < 0.5 else 0):
        ctx.after(1 + int(ctx.random() * 9), step)
    if count < 3:
        ctx.after(1, step)
    return count + 1 if ctx.random() < 0.9 else 0


def one_step(ctx: Context) -> int:
    ctx.after(0, 1)
    return 0


def test_a_run_that_goes_on_knows_what_is_pending_at_its_end() -> None:
    """However often it goes on, and without a replay of what came before."""
    begun = start(restless, one_step, 3)
    whole = run_until(begun, 150, 3 * CHECKPOINT_EVERY, strict=False)
    until_ms = whole[-1].now_ms
    pieces = run_until(begun, 0)
    for to_ms in range(1, until_ms, 7):
        pieces = pieces.extended(run_until(pieces[-1], to_ms))
    pieces = pieces.extended(run_until(pieces[-1], until_ms - 1))
    assert len(pieces) > 200
    assert [sim.queue for sim in pieces] == [sim.queue for sim in whole][: len(pieces)]
    assert [sim.queue for sim in pieces.upto(9)] == [sim.queue for sim in whole][:10]
