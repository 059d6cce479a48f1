"""Durable workflow: crashes at every event, every way of a trip, and code that does not fit."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from functools import cache, partial
from itertools import pairwise
from typing import Any

import pytest

import pysims
from pysims.kernel import (
    Context,
    History,
    Latency,
    Message,
    Network,
    Script,
    run_script,
    set_latency,
    start,
)
from pysims.patterns.durable_workflow import STATES, apps, charges, model, service, standing, worker
from pysims.patterns.durable_workflow.engine import (
    COMMANDS,
    FIRED,
    SIGNALED,
    STARTED,
    TIMED_OUT,
    Command,
    Enter,
    Mismatch,
    Recorded,
    Wait,
    recorded,
    replay,
)
from pysims.patterns.durable_workflow.model import init, update
from pysims.patterns.durable_workflow.promises import every_step_once, history_grows
from pysims.patterns.durable_workflow.state import (
    ACTIVITY,
    BACKOFF_MS,
    DECISION,
    DRIVER,
    REPLAY_MS,
    SERVICES,
    WORKERS,
    Answer,
    Cancel,
    Decided,
    Deploy,
    Finished,
    Forward,
    Held,
    Kill,
    Params,
    Report,
    Request,
    Restart,
    Signal,
    State,
    Tap,
    TimerDue,
    app_of,
    books,
    worker_of,
)
from pysims.patterns.durable_workflow.trip import CHANGED, HOLD, NEXT, ORIGINAL, code_of
from pysims.patterns.durable_workflow.turn import with_app
from pysims.patterns.durable_workflow.view import PLACES
from tests.patterns.durable_workflow.workflow_schedules import broken as fallen
from tests.patterns.durable_workflow.workflow_schedules import effects

BEGIN: Script = ((100, Request()),)
QUIET_MS = 40_000


def history(script: Script = BEGIN, until_ms: int = QUIET_MS, **given: object) -> History[State]:
    """The run of a script with these parameters."""
    params = Params(**given)  # type: ignore[arg-type]
    return run_script(start(update, partial(init, params), 1), script, until_ms)


def broken(run: History[State]) -> str:
    """The first promise that a run breaks; it hangs on the history and the books alone."""
    seen: list[State] = []
    for state in run.states():
        if not seen or state.service is not seen[-1].service or state.rows is not seen[-1].rows:
            if name := fallen(state):
                return name
            seen.append(state)
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


def test_everybody_dying_at_every_event_changes_no_effect() -> None:
    calm = undisturbed(0, 0)
    whole = effects(calm[-1].state)
    for at_ms in sorted({calm.time_ms(i) for i in range(1, len(calm))}):
        if not 100 <= at_ms <= calm[-1].state.ended_ms:
            continue
        die = tuple((at_ms, Kill(name)) for name in WORKERS)
        back = tuple((at_ms + 700, Restart(name)) for name in WORKERS)
        run = history((*BEGIN, *die, *back), until_ms=14_000, declines=0)
        assert effects(run[-1].state) == whole, at_ms
        assert run[-1].state.service.status == "completed", at_ms
        assert broken(run) == "", at_ms


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
        for new, old in zip(found.new, ahead, strict=False):
            assert (new.kind, new.name, new.value) == (old.kind, old.name, old.value)


def test_any_changed_command_is_caught_at_its_number() -> None:
    record = undisturbed(1, 1)[-1].state.service.history
    for number, event in enumerate(record, 1):
        if event.kind in COMMANDS:
            for other in (
                replace(event, name="something else"),
                replace(event, value=event.value + 1),
                replace(event, ms=event.ms + 1),
            ):
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


def twice_waiting() -> Generator[Command, Any, None]:
    """Waits for the same signal two times, the second time for that of number 2."""
    for whose in (0, 2):
        said = yield Wait(("go", "stop"), whose, 100)
        yield Enter(said)


WAITS = recorded(Wait(("go", "stop"), 0, 100))
WAITS_FOR_2 = recorded(Wait(("go", "stop"), 2, 100))
GO, GO_OF_1, GO_OF_2 = (Recorded(SIGNALED, "go", whose) for whose in (0, 1, 2))
FIRST_IS_OVER = Recorded(FIRED, of=2)
BEGUN = (Recorded(STARTED), WAITS)


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ((), []),
        ((GO,), ["go"]),
        ((GO, WAITS_FOR_2), ["go"]),
        ((GO, WAITS_FOR_2, GO), ["go", "go"]),
        ((GO, GO, WAITS_FOR_2), ["go", "go"]),
        ((GO, WAITS_FOR_2, GO_OF_1), ["go"]),
        ((GO, WAITS_FOR_2, GO_OF_1, GO_OF_2), ["go", "go"]),
        ((Recorded(SIGNALED, "noise"), Recorded(SIGNALED, "stop")), ["stop"]),
        ((FIRST_IS_OVER,), [TIMED_OUT]),
        ((FIRST_IS_OVER, GO), [TIMED_OUT, "go"]),
        ((GO, FIRST_IS_OVER), ["go"]),
        ((GO, FIRST_IS_OVER, WAITS_FOR_2, Recorded(FIRED, of=5)), ["go", TIMED_OUT]),
    ],
)
def test_a_signal_ends_one_wait_that_is_for_it_and_the_first_answer_counts(
    answers: tuple[Recorded, ...], said: list[str]
) -> None:
    found = replay(twice_waiting, (*BEGUN, *answers))
    assert found.mismatch is None
    assert [visit.state for visit in found.path] == said


@pytest.mark.parametrize("at_ms", range(1_100, 5_000, 300))
def test_a_deployment_is_caught_before_it_has_an_effect(at_ms: int) -> None:
    run = history((*BEGIN, (at_ms, Deploy(CHANGED))), until_ms=12_000, declines=0)
    assert run[-1].state.service.mismatch is not None
    assert run[-1].state.service.mismatch.number == 6
    # Who was caught has no replay that it could go on from, and tries again after a while only.
    assert all(worker.cached == 0 for worker in run[-1].state.workers)
    refused = {
        message.id
        for state in run.states()
        for message in state.network.in_flight
        if isinstance(message.body, Decided) and message.body.mismatch
    }
    assert 2 <= len(refused) <= 1 + (12_000 - at_ms) / BACKOFF_MS
    assert all(row.name != HOLD for state in run.states() for row in state.rows)
    again = history(
        (*BEGIN, (at_ms, Deploy(CHANGED)), (at_ms + 2_000, Deploy(ORIGINAL))), declines=0
    )
    assert effects(again[-1].state) == effects(undisturbed(0, 0)[-1].state)
    assert again[-1].state.service.mismatch is None


def test_changed_code_that_comes_in_time_writes_on_and_is_what_replays() -> None:
    run = history((*BEGIN, (450, Deploy(CHANGED))), until_ms=14_000, declines=0)
    assert broken(run) == ""
    state = run[-1].state
    assert (state.service.status, state.service.code) == ("completed", CHANGED)
    codes = {s.service.code for s in run.states()}
    assert codes == {"", ORIGINAL, CHANGED}


def test_changed_code_is_fine_for_a_trip_that_begins_with_it() -> None:
    run = history(((50, Deploy(CHANGED)), (100, Request())), declines=0)
    state = run[-1].state
    assert state.service.status == "completed"
    assert sum(row.name == HOLD for row in books(state)) == 1


# --- Who decides ----------------------------------------------------------------------------------


def decisions(run: History[State]) -> list[tuple[str, Held]]:
    """Every decision that a worker took in hand, with its name."""
    found: list[tuple[str, Held]] = []
    for state in run.states():
        for each in state.workers:
            held = each.held
            new = held is not None and held.kind == DECISION and (each.name, held) not in found
            if held is not None and new:
                found.append((each.name, held))
    return found


def test_with_a_cache_one_worker_decides_all_and_feeds_only_what_is_new() -> None:
    run = undisturbed(1, 1)
    told = decisions(run)
    assert len({name for name, _ in told}) == 1
    assert run[-1].state.replays == 1
    assert [held.known > 0 for _, held in told] == [False] + [True] * (len(told) - 1)
    for _, held in told:
        assert held.done_ms - held.started_ms == REPLAY_MS * max(1, held.length - held.known)


def test_without_a_cache_every_decision_replays_all() -> None:
    run = history(until_ms=12_000, cache=False, declines=0)
    told = decisions(run)
    assert len({name for name, _ in told}) > 1
    assert all(held.known == 0 for _, held in told)
    assert run[-1].state.replays == len(told)
    assert run[-1].state.replayed == sum(held.length for _, held in told)


def test_when_the_worker_that_knows_the_trip_is_dead_another_replays_it() -> None:
    owner = decisions(undisturbed(0, 0))[0][0]
    run = history((*BEGIN, (1_500, Kill(owner))), until_ms=14_000, declines=0)
    told = [(name, held) for name, held in decisions(run) if held.started_ms > 1_500]
    assert {name for name, _ in told} == {told[0][0]} != {owner}
    assert told[0][1].known == 0
    assert run[-1].state.replays == 2


def test_a_coin_that_is_in_memory_falls_once() -> None:
    run = history(until_ms=12_000, coin=True, declines=0)
    owner = decisions(run)[0][0]
    coins = {worker_of(s, owner).coin for s in run.states() if worker_of(s, owner).cached}
    assert len(coins) == 1
    assert run[-1].state.service.status == "completed"


def test_a_history_that_shrinks_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    state = undisturbed(0, 0)[-1].state
    short = replace(state, service=replace(state.service, history=state.service.history[:-1]))
    monkeypatch.setattr(model, "turn", lambda *_: short)
    assert not history_grows(update(state, Cancel(), Context(1, 1)))
    assert history_grows(update(short, Cancel(), Context(1, 1)))


# --- What comes late ------------------------------------------------------------------------------


def a_moment() -> Context:
    """What an update may use, at 5 s."""
    ctx = Context(1, 1)
    ctx.turn_to(5_000, 1)
    return ctx


def waiting_for_an_answer() -> State:
    """An activity is out, and everybody is up."""
    for state in undisturbed(0, 0).states():
        if any(task.kind == ACTIVITY and task.worker for task in state.service.tasks):
            return state
    raise AssertionError


def test_an_answer_counts_in_its_own_attempt_its_own_trip_and_while_the_task_is_out() -> None:
    state = waiting_for_an_answer()
    (task,) = (task for task in state.service.tasks if task.kind == ACTIVITY)
    done = Finished(state.trip, task.id, task.attempt, 1)
    ctx = a_moment()
    assert len(service.told_result(state, done, ctx).service.history) > len(state.service.history)
    for late in (
        replace(done, attempt=task.attempt - 1),
        replace(done, attempt=task.attempt + 1),
        replace(done, trip=state.trip - 1),
        replace(done, task=task.id + 1),
    ):
        assert service.told_result(state, late, ctx) is state
    freed = service.with_task(state, replace(task, worker=""))
    assert service.told_result(freed, done, ctx) is freed
    decided = Decided(state.trip, task.id, task.attempt + 1, (), "", ORIGINAL)
    assert service.told_decision(state, "A", decided, ctx) is state


def test_a_timer_fires_once_for_its_own_trip_and_for_the_command_under_way() -> None:
    # Waiting for the rider's word, and for six seconds at most.
    states = undisturbed(0, 0).states()
    state = next(s for s in states if s.service.history and s.service.history[-1].ms)
    number, ctx = len(state.service.history), a_moment()
    due = TimerDue(state.trip, number)
    fired = service.timer(state, due, ctx)
    assert fired.service.history[-1] == Recorded(FIRED, of=number, at_ms=5_000)
    assert service.timer(fired, due, ctx) is fired
    assert service.timer(state, replace(due, trip=state.trip - 1), ctx) is state
    assert service.timer(state, replace(due, number=number - 2), ctx) is state


def test_a_signal_counts_once_and_for_its_own_trip() -> None:
    state, ctx = waiting_for_an_answer(), a_moment()
    signal = Signal("Rider-99", state.trip, "canceled")
    noted = service.signaled(state, signal, ctx)
    assert noted.service.history[-1].name == "canceled"
    assert service.signaled(noted, signal, ctx) is noted
    assert service.signaled(state, replace(signal, trip=state.trip - 1), ctx) is state


def test_an_answer_to_another_task_is_not_taken_for_this_one() -> None:
    ctx = a_moment()
    state = next(
        s
        for s in undisturbed(0, 0).states()
        if any(w.held is not None and w.held.kind == ACTIVITY for w in s.workers)
    )
    busy = next(w for w in state.workers if w.held is not None and w.held.kind == ACTIVITY)
    assert busy.held is not None
    other = Answer(busy.held.id - 1, busy.held.number, 1)
    assert worker.answered(state, busy, other, ctx) is state
    assert worker.answered(state, busy, replace(other, task=busy.held.id), ctx) is not state


def test_a_signal_after_the_end_is_noted_and_changes_nothing() -> None:
    state = undisturbed(0, 0)[-1].state
    late = service.signaled(state, Signal("Rider-99", state.trip, "canceled"), a_moment())
    assert late.service.history == state.service.history
    assert late.service.tasks == ()


def test_a_worker_that_hears_nothing_gives_up_on_a_call_and_is_of_use_again() -> None:
    alone = (*BEGIN, (150, Kill("B")), (150, Kill("C")))
    calm = history(alone, 12_000, declines=0)
    at_ms = next(
        calm.time_ms(i)
        for i in range(1, len(calm))
        if (held := worker_of(calm[i].state, "A").held) and held.kind == ACTIVITY
    )
    deaf = history(alone, at_ms, declines=0)[-1]
    deaf = replace(deaf, state=replace(deaf.state, network=lossy(deaf.state, 1.0)))
    deaf = run_script(deaf, (), at_ms + 200)[-1]
    healed = replace(deaf, state=replace(deaf.state, network=lossy(deaf.state, 0.0)))
    state = run_script(healed, (), 30_000)[-1].state
    assert state.service.status == "completed"
    assert effects(state) == effects(undisturbed(0, 0)[-1].state)


def test_a_confirmation_takes_its_own_signal_out_of_the_outbox() -> None:
    state, ctx = waiting_for_an_answer(), a_moment()
    first, second = (Signal(f"Driver-{n}", state.trip, "arrived") for n in (7, 8))
    app = replace(app_of(state, DRIVER), outbox=(first, second))
    state = with_app(state, app)
    assert apps.confirmed(state, app, "Driver-8", ctx) is state
    assert apps.confirmed(state, app, "Driver-6", ctx) is state
    assert app_of(apps.confirmed(state, app, "Driver-7", ctx), DRIVER).outbox == (second,)


def test_a_signal_is_sent_again_until_it_is_confirmed() -> None:
    deaf: History[State] = history(((100, Request()),), 99)
    first = replace(deaf[-1], state=replace(deaf[-1].state, network=lossy(deaf[-1].state, 1.0)))
    lost = run_script(first, BEGIN, 2_000)
    assert not lost[-1].state.service.history
    healed = replace(lost[-1], state=replace(lost[-1].state, network=lossy(lost[-1].state, 0.0)))
    assert run_script(healed, (), 20_000)[-1].state.service.status == "completed"


def lossy(state: State, loss: float) -> Network:
    return replace(state.network, loss=loss)


# --- Without a history ----------------------------------------------------------------------------


def names(state: State, run: int) -> list[tuple[str, int]]:
    """What was done in one run of a trip that nobody records."""
    return [(row.name, row.result) for row in books(state) if row.key.startswith(f"1.{run}-")]


@pytest.mark.parametrize("at_ms", range(400, 4_000, 300))
def test_without_a_history_the_next_worker_does_all_of_it_again(at_ms: int) -> None:
    calm = history(until_ms=9_000, engine="no_history", declines=0)
    whole = names(calm[-1].state, 1)
    assert len(whole) == len(books(undisturbed(0, 0)[-1].state))
    owner = next(task.worker for s in calm.states() for task in s.service.tasks if task.worker)
    script = (*BEGIN, (at_ms, Kill(owner)), (at_ms + 100, Restart(owner)))
    state = history(script, 20_000, engine="no_history", declines=0)[-1].state
    # The owner itself may be given it again and not know of the question that it once asked.
    assert 2 <= state.service.run <= 3
    assert state.service.status == "completed"
    last = names(state, state.service.run)
    assert [name for name, _ in last] == [name for name, _ in whole]
    first = names(state, 1)
    assert first == whole[: len(first)]
    assert len(charges(state)) == 1 + any(name == "charge" for name, _ in first)


def test_without_a_history_an_earlier_run_is_not_listened_to_and_not_told() -> None:
    run = history(until_ms=1_500, engine="no_history", declines=0)
    state, ctx = run[-1].state, a_moment()
    (task,) = state.service.tasks
    told = Report(state.trip, state.service.run - 1, "completed", closed=True)
    assert service.told_progress(state, told, ctx) is state
    assert service.told_progress(state, replace(told, run=1), ctx).service.closed
    said = Forward(state.trip, state.service.run + 1, Recorded(SIGNALED, "canceled"))
    assert worker.receive(state, Message(0, "History", task.worker, said, 0, 0), ctx) is state


def test_without_a_history_a_late_answer_is_asked_for_again_with_the_same_key() -> None:
    first = start(update, partial(init, Params(engine="no_history", declines=0)), 1)
    network = first.state.network
    for name in WORKERS:
        network = set_latency(network, SERVICES, name, Latency.constant(800))
    first = replace(first, state=replace(first.state, network=network))
    state = run_script(first, BEGIN, 20_000)[-1].state
    assert (state.service.run, state.service.status) == (1, "completed")
    assert all(row.asked == (2 if row.node == SERVICES else 1) for row in books(state))
    assert every_step_once(state)


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
        (
            ((10, Kill("A")), (20, Kill("A"))),
            r"worker must be one that is up \(B, C\), got 'A', which is down",
        ),
        (
            ((10, Restart("A")),),
            r"worker must be one that is down \(none at the moment\), got 'A', which is up",
        ),
        (((10, Cancel()),), "while it is under way, and none is"),
        ((*BEGIN, (200, Request())), "when none is under way, and one is"),
        (((10, Tap("accept")),), "button must be one of nothing at the moment, got 'accept'"),
        (((10, Deploy("newest")),), "code must be one of original, changed, got 'newest'"),
    ],
)
def test_what_is_not_allowed_is_named(script: Script, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        history(script, 1_000)
