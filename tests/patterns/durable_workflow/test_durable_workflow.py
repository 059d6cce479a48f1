"""Durable workflow: crashes at every event, random schedules, and code that does not fit."""

from __future__ import annotations

from functools import cache, partial
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pysims
from pysims.kernel import History, Script, run_script, start
from pysims.patterns.durable_workflow import PATTERN, STATES, standing
from pysims.patterns.durable_workflow.engine import (
    COMMANDS,
    SIGNALED,
    Mismatch,
    Recorded,
    replay,
)
from pysims.patterns.durable_workflow.model import init, update
from pysims.patterns.durable_workflow.state import (
    WORKERS,
    Cancel,
    Deploy,
    Kill,
    Params,
    Request,
    Restart,
    State,
    Tap,
    books,
)
from pysims.patterns.durable_workflow.trip import CHANGED, HOLD, NEXT, ORIGINAL, code_of
from pysims.patterns.durable_workflow.view import PLACES

BEGIN: Script = ((100, Request()),)
QUIET_MS = 40_000


def history(script: Script = BEGIN, until_ms: int = QUIET_MS, **given: object) -> History[State]:
    """The run of a script with these parameters."""
    params = Params(**given)  # type: ignore[arg-type]
    return run_script(start(update, partial(init, params), 1), script, until_ms)


def effects(state: State) -> tuple[tuple[str, str, int, int], ...]:
    """What was done, under which key, and with which result; how often it was asked for not."""
    return tuple((row.key, row.name, row.argument, row.result) for row in books(state))


def broken(run: History[State]) -> str:
    """The first promise that a run breaks."""
    for state in run.states():
        for light in PATTERN.invariants:
            if light.promised(state) and not light.holds(state):
                return light.name
    return ""


@cache
def undisturbed(declines: int, card_declines: int) -> History[State]:
    return history(until_ms=12_000, declines=declines, card_declines=card_declines)


# --- Crashes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", WORKERS)
def test_a_crash_at_every_event_changes_no_effect(name: str) -> None:
    calm = undisturbed(0, 0)
    whole = effects(calm[-1].state)
    times = sorted({calm.time_ms(i) for i in range(1, len(calm))} - {0})
    for at_ms in times:
        if not 100 <= at_ms <= calm[-1].state.ended_ms:
            continue
        run = history((*BEGIN, (at_ms, Kill(name))), until_ms=14_000, declines=0)
        state = run[-1].state
        assert effects(state) == whole, at_ms
        assert state.service.status == "completed", at_ms
        assert all(asked.asked <= 2 for asked in books(state)), at_ms


@st.composite
def schedules(draw: st.DrawFn) -> Script:
    """Kills and restarts, each allowed when it comes; at the end every worker is up."""
    script: list[tuple[int, object]] = [*BEGIN]
    down: list[str] = []
    at_ms = 100
    for _ in range(draw(st.integers(1, 14))):
        at_ms += draw(st.integers(1, 900))
        name = draw(st.sampled_from(WORKERS))
        script.append((at_ms, Restart(name) if name in down else Kill(name)))
        if name in down:
            down.remove(name)
        else:
            down.append(name)
    script += [(at_ms + 50, Restart(name)) for name in down]
    return tuple(script)


@settings(max_examples=60, deadline=None)
@given(
    schedules(),
    st.sampled_from((0.0, 0.1, 0.3)),
    st.sampled_from((0.0, 0.3)),
    st.booleans(),
    st.sampled_from(("waiting", "polling")),
)
def test_kills_losses_and_duplicates_change_no_effect(
    script: Script, loss: float, duplication: float, cache: bool, waiting: str
) -> None:
    run = history(
        script, loss=loss, duplication=duplication, cache=cache, waiting=waiting, declines=0
    )
    assert broken(run) == ""
    state = run[-1].state
    assert state.service.closed
    # An offer or a rating may time out while workers are down: then the trip takes another way,
    # and what was done is checked by the lights; on the same way it is the same to the last key.
    if not any(event.kind == "fired" for event in state.service.history):
        assert effects(state) == effects(undisturbed(0, 0)[-1].state)


def test_every_way_through_the_table_is_gone() -> None:
    gone: set[tuple[str, str]] = set()
    scripts = [BEGIN, *((*BEGIN, (at_ms, Cancel())) for at_ms in range(200, 3_000, 100))]
    for declines, refused in ((0, 0), (1, 1), (3, 0), (0, 3)):
        for script in scripts:
            run = history(script, 14_000, declines=declines, card_declines=refused)
            assert broken(run) == ""
            path = [visit.state for visit in standing(run[-1].state).path]
            gone |= set(pairwise(path))
    assert gone == {(a, b) for a, ways in NEXT for b in ways}


def test_the_picture_has_a_place_for_every_state() -> None:
    assert set(PLACES) == set(STATES)
    assert len(set(PLACES.values())) == len(STATES) == 16
    assert {after for _, ways in NEXT for after in ways} <= set(STATES)


# --- Replay ---------------------------------------------------------------------------------------


def test_every_prefix_of_a_history_replays_to_the_commands_that_follow() -> None:
    record = undisturbed(1, 1)[-1].state.service.history
    for length in range(1, len(record) + 1):
        found = replay(code_of(ORIGINAL), record[:length])
        assert found.mismatch is None
        ahead = [event for event in record[length:] if event.kind in COMMANDS]
        for new, recorded in zip(found.new, ahead, strict=False):
            assert (new.kind, new.name, new.value) == (recorded.kind, recorded.name, recorded.value)


def test_any_changed_command_is_caught_at_its_number() -> None:
    record = undisturbed(1, 1)[-1].state.service.history
    for number, event in enumerate(record, 1):
        if event.kind in COMMANDS:
            other = Recorded(event.kind, "something else", event.value, event.ms, event.of)
            found = replay(code_of(ORIGINAL), (*record[: number - 1], other, *record[number:]))
            assert isinstance(found.mismatch, Mismatch)
            assert (found.mismatch.number, found.mismatch.was) == (number, other)
            assert found.new == ()


def test_an_answer_that_is_missing_below_a_later_command_is_caught() -> None:
    record = undisturbed(0, 0)[-1].state.service.history
    answer = next(n for n, event in enumerate(record) if event.kind == SIGNALED)
    # Every result belongs to a command by number, so the signal is replaced, not taken out.
    found = replay(
        code_of(ORIGINAL), (*record[:answer], Recorded(SIGNALED, "noise"), *record[answer + 1 :])
    )
    assert found.mismatch is not None
    assert found.mismatch.now is None


@pytest.mark.parametrize("at_ms", range(1_100, 5_000, 300))
def test_a_deployment_is_caught_before_it_has_an_effect(at_ms: int) -> None:
    run = history((*BEGIN, (at_ms, Deploy(CHANGED))), until_ms=12_000, declines=0)
    assert run[-1].state.service.mismatch is not None
    assert run[-1].state.service.mismatch.number == 6
    assert all(row.name != HOLD for state in run.states() for row in state.rows)
    again = history(
        (*BEGIN, (at_ms, Deploy(CHANGED)), (at_ms + 2_000, Deploy(ORIGINAL))), declines=0
    )
    assert effects(again[-1].state) == effects(undisturbed(0, 0)[-1].state)


def test_changed_code_is_fine_for_a_trip_that_begins_with_it() -> None:
    run = history(((50, Deploy(CHANGED)), (100, Request())), declines=0)
    state = run[-1].state
    assert state.service.status == "completed"
    assert sum(row.name == HOLD for row in books(state)) == 1


# --- Polling and waiting --------------------------------------------------------------------------


def test_waiting_takes_fewer_calls_than_polling() -> None:
    asks = pysims.run("durable_workflow", "polling").last.calls
    waits = pysims.run("durable_workflow", "waiting").last.calls
    assert (asks.polls, asks.vain, asks.pushes) == (185, 129, 0)
    assert (waits.polls, waits.vain, waits.pushes) == (37, 9, 30)
    assert waits.late_ms / waits.news < asks.late_ms / asks.news / 2


# --- What is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (((10, Kill("Z")),), "worker must be one of A, B, C, got 'Z'"),
        (((10, Kill("Services")),), "worker must be one of A, B, C, got 'Services'"),
        (((10, Kill("A")), (20, Kill("A"))), "one that is up, got 'A', which is down already"),
        (((10, Restart("A")),), "one that is down, got 'A', which is up"),
        (((10, Cancel()),), "while it is under way, and none is"),
        ((*BEGIN, (200, Request())), "when none is under way, and one is"),
        (((10, Tap("accept")),), "button must be one of nothing at the moment, got 'accept'"),
        (((10, Deploy("newest")),), "code must be one of original, changed, got 'newest'"),
    ],
)
def test_what_is_not_allowed_is_named(script: Script, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        history(script, 1_000)
