"""The website and its service: what calls meet, with and without a breaker, and what is drawn."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pysims
from pysims.kernel import Run
from pysims.patterns.circuit_breaker import (
    PATTERN,
    TRANSITIONS,
    Break,
    CallOnce,
    Repair,
    SetErrors,
    SetLatency,
    State,
)
from pysims.patterns.circuit_breaker.measure import BIN_MS, KEPT_PEAKS, Peaks
from pysims.patterns.circuit_breaker.model import Arrive, Finish, GiveUp

NAME = "circuit_breaker"
HANGS = ((3_000, SetLatency("hanging")),)


def run(script: Any = (), until_ms: int = 10_000, seed: int = 1, **params: Any) -> Run[State]:
    return pysims.run(NAME, params=params, script=script, seed=seed, until_ms=until_ms)


@dataclass(frozen=True)
class Instant:
    now_ms: int
    event: Any
    state: State
    says: str


def instants(found: Run[State]) -> list[Instant]:
    """Every instant of a run; building each `Sim` with its queue would take longer."""
    history = found.history
    first = Instant(0, None, history[0].state, "")
    return [first] + [
        Instant(history.time_ms(i), event, after, PATTERN.describe(before, event, after))
        for i, (before, event, after) in ((i, history.change(i)) for i in range(1, len(history)))
    ]


# --- Calls ----------------------------------------------------------------------------------------


def test_the_same_users_come_whatever_breaker_there_is() -> None:
    def users(kind: str) -> list[tuple[int, int]]:
        found = run(HANGS, breaker=kind)
        return [
            (sim.now_ms, sim.event.user) for sim in instants(found) if isinstance(sim.event, Arrive)
        ]

    assert users("none") == users("consecutive") == users("rolling")
    assert len(users("none")) > 150


def test_what_a_call_meets_is_the_same_whatever_breaker_there_is() -> None:
    def ends(kind: str) -> dict[int, tuple[str, int]]:
        found = run(((0, SetErrors(50)),), breaker=kind, failure_threshold=2, reset_timeout_ms=500)
        return {
            s.last.user: (s.last.end, s.last.waited_ms)
            for s in found.history.states()
            if s.last is not None and s.last.end != "refused"
        }

    without, with_one = ends("none"), ends("consecutive")
    assert 40 < len(with_one) < len(without) - 40
    assert with_one == {user: without[user] for user in with_one}
    assert {end for end, _ in with_one.values()} == {"ok", "fault"}


def test_users_wait_from_coming_to_leaving_and_those_turned_away_count_apart() -> None:
    found = run(HANGS, 12_000, breaker="none", fallback=False)
    came = {sim.event.user: sim.now_ms for sim in instants(found) if isinstance(sim.event, Arrive)}
    waits = {}
    for sim in instants(found):
        last = sim.state.last
        if last is not None and last.user not in waits:
            waits[last.user] = (last.end, last.waited_ms)
            assert last.waited_ms == sim.now_ms - came[last.user]
    tally = found.last.tally
    timed_out = [waited_ms for end, waited_ms in waits.values() if end == "timeout"]
    assert max(timed_out) > 2_500
    assert (tally.without_live, tally.waited_ms) == (len(timed_out), sum(timed_out))
    assert tally.turned_away > 20
    assert tally.failing_wait_ms == sum(timed_out) // len(timed_out)
    assert tally.live_wait_ms == sum(w for end, w in waits.values() if end == "ok") // tally.ok


def test_a_late_answer_does_not_decide_a_trial() -> None:
    script = ((0, SetErrors(50)), (0, SetLatency("slow")))
    found = run(script, 20_000, timeout_ms=5_000, reset_timeout_ms=500, failure_threshold=2)
    late = []
    for before, sim in pairwise(instants(found)):
        was, breaker = before.state.breaker, sim.state.breaker
        if was is None or breaker is None or not isinstance(sim.event, Finish | GiveUp):
            continue
        calls = [job for job in before.state.website.busy if job.id == sim.event.user]
        if was.state == "half_open" and calls and calls[0].started_ms < was.since_ms:
            late.append(sim.event)
            assert (breaker.state, breaker.successes) == (was.state, was.successes)
            assert breaker.probes == was.probes
    assert len(late) >= 5


def test_a_call_is_given_up_exactly_after_the_timeout() -> None:
    found = run(((0, SetLatency("hanging")),), breaker="none", timeout_ms=700, rate_per_s=5)
    started = {}
    for sim in instants(found):
        for job in sim.state.website.busy:
            started[job.id] = job.started_ms
    gone = [
        (sim.now_ms, sim.state.last.user)
        for before, sim in pairwise(instants(found))
        if sim.state.tally.timeout > before.state.tally.timeout and sim.state.last
    ]
    assert len(gone) > 20
    assert all(now_ms == started[user] + 700 for now_ms, user in gone)


def test_half_of_the_calls_fail_when_half_of_them_should() -> None:
    tally = run(((0, SetErrors(50)),), 60_000, breaker="none").last.tally
    calls = tally.ok + tally.fault
    # Four standard deviations of a fair coin.
    assert abs(tally.fault - calls / 2) < 4 * (calls / 4) ** 0.5
    assert calls > 1_000


def test_threads_in_use_are_the_rate_times_the_time_that_a_call_takes() -> None:
    # Little's law, L = λW, over two minutes.
    found = run((), 120_000, service_ms=200, service_threads=20, threads=20, timeout_ms=5_000)
    held_ms = sum(
        len(before.state.website.busy) * (after.now_ms - before.now_ms)
        for before, after in pairwise(instants(found))
    )
    tally = found.last.tally
    assert held_ms / 120_000 == pytest.approx(tally.ok / 120 * tally.live_wait_ms / 1_000, rel=0.02)
    assert held_ms / 120_000 == pytest.approx(20 * 0.2, rel=0.15)


def test_the_service_works_for_nobody_when_its_caller_has_given_up() -> None:
    found = run(((0, SetLatency("slow")),), 6_000, breaker="none", timeout_ms=200, slow_ms=2_000)
    late = [
        sim for sim in instants(found) if isinstance(sim.event, Finish) and "for nobody" in sim.says
    ]
    assert late
    assert found.last.tally.timeout > len(late)
    # Whoever still waits in the service's queue when the time is over is taken out of it.
    for state in found.history.states():
        in_flight = {job.id for job in state.website.busy}
        assert {job.id for job in state.service.pool.waiting} <= in_flight


def test_calls_that_hang_are_served_when_the_service_hangs_no_more() -> None:
    script = ((1_000, SetLatency("hanging")), (1_500, SetLatency("normal")))
    found = run(script, 2_500, breaker="none", timeout_ms=5_000)
    hung = found.state_at(1_499)
    assert any(job.body for job in hung.service.pool.busy)
    assert hung.website.busy
    last = found.last
    assert (last.tally.timeout, last.tally.error, last.tally.fallback) == (0, 0, 0)
    assert not any(job.body for job in last.service.pool.busy)
    assert {job.id for job in hung.website.busy}.isdisjoint(job.id for job in last.website.busy)


@pytest.mark.parametrize("how", [Break(), Repair()])
def test_a_restart_loses_what_was_under_way(how: Any) -> None:
    found = run(((1_000, SetLatency("hanging")), (1_900, how)), 1_900, breaker="none", queue=0)
    before, after = found.state_at(1_899), found.last
    assert len(before.website.busy) >= 5
    assert after.tally.fault == len(before.website.busy)
    assert (after.website.busy, after.service.pool.busy) == ((), ())
    assert after.service.down is isinstance(how, Break)


def test_a_service_that_is_down_refuses_at_once_and_holds_no_thread() -> None:
    found = run(((1_000, Break()),), 5_000, breaker="none")
    assert all(not s.website.busy for s in found.history.states() if s.service.down)
    assert found.last.tally.fault >= 60


def test_the_readers_own_call_is_answered_or_refused_like_any_other() -> None:
    script = ((1_000, CallOnce()), *HANGS, (5_000, CallOnce()))
    found = run(script, 6_000)
    mine = [s.last for s in found.history.states() if s.last and s.last.user < 0]
    assert [(d.user, d.end, d.gets) for d in dict.fromkeys(mine)] == [
        (-1, "ok", "live"),
        (-2, "refused", "fallback"),
    ]
    assert mine[-1].waited_ms == 0
    # The other users are the same as without them.
    assert found.last.tally.users == run(HANGS, 6_000).last.tally.users + 2


def test_without_a_fallback_whoever_has_no_live_answer_gets_an_error() -> None:
    tally = run(HANGS, fallback=False).last.tally
    assert tally.fallback == 0
    assert tally.error == tally.timeout + tally.refused > 100


def test_a_latency_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="latency must be one of normal, slow, hanging, got 'odd'"):
        run(((10, SetLatency("odd")),))
    with pytest.raises(ValueError, match="circuit_breaker has no event 7"):
        run(((10, 7),))


# --- Any run --------------------------------------------------------------------------------------

events = st.one_of(
    st.just(Break()),
    st.just(Repair()),
    st.just(CallOnce()),
    st.sampled_from(["normal", "slow", "hanging"]).map(SetLatency),
    st.sampled_from([0, 40, 100]).map(SetErrors),
)
scripts = st.lists(st.tuples(st.integers(0, 6_000), events), max_size=8).map(
    lambda timed: tuple(sorted(timed, key=lambda pair: pair[0]))
)
parameters = st.fixed_dictionaries(
    {
        "breaker": st.sampled_from(["none", "consecutive", "rolling"]),
        "failure_threshold": st.integers(1, 6),
        "reset_timeout_ms": st.sampled_from([500, 1_000]),
        "success_threshold": st.integers(1, 4),
        "minimum_calls": st.integers(1, 10),
        "window_ms": st.sampled_from([1_000, 4_000]),
        "timeout_ms": st.sampled_from([100, 500, 2_000]),
        "rate_per_s": st.integers(5, 40),
        "threads": st.integers(1, 12),
        "queue": st.integers(0, 10),
        "service_threads": st.integers(1, 8),
        "fallback": st.booleans(),
    }
)


@settings(max_examples=40, deadline=None)
@given(parameters, scripts, st.integers(0, 2**32 - 1))
def test_in_any_run_the_lights_hold_and_an_open_breaker_holds_every_call_back(
    params: dict[str, Any], script: Any, seed: int
) -> None:
    found = run(script, 7_000, seed, **params)
    lights = [light for light in PATTERN.invariants if light.name != "Nobody is turned away"]
    for before, sim in pairwise(instants(found)):
        state = sim.state
        for light in lights:
            assert light.holds(state), light.name
        tally = state.tally
        assert tally.live + tally.fault + tally.timeout + tally.refused + tally.turned_away == (
            tally.live + tally.fallback + tally.error
        )
        known = {(job.id, job.started_ms) for job in before.state.website.busy}
        new = [job for job in state.website.busy if (job.id, job.started_ms) not in known]
        if state.breaker and state.breaker.state == "open":
            assert not new, "a call went out and the breaker is open"
        if before.state.website.busy is not state.website.busy:
            assert all(job.started_ms == sim.now_ms for job in new)
        assert sim.says


@settings(max_examples=25, deadline=None)
@given(parameters, scripts)
def test_in_any_run_half_open_has_no_more_calls_on_trial_than_must_succeed(
    params: dict[str, Any], script: Any
) -> None:
    # With a timeout below the reset timeout no probe is lost, so the count is plain.
    params = {**params, "breaker": "consecutive", "timeout_ms": 400}
    found = run(script, 7_000, 5, **params)
    for state in found.history.states():
        breaker = state.breaker
        if breaker and breaker.state == "half_open":
            trial = [job for job in state.website.busy if job.started_ms >= breaker.since_ms]
            assert 1 <= len(trial) + breaker.successes <= params["success_threshold"]


def test_a_light_goes_out_when_what_it_watches_is_broken() -> None:
    state = run(HANGS, 5_000).last
    assert state.breaker
    broken = {
        "Open lets nobody through": replace(state, passed_open=1),
        "Half-open lets only probes through": replace(
            state,
            breaker=replace(
                state.breaker, state="half_open", since_ms=4_000, clock_ms=5_000, successes=1
            ),
            website=replace(state.website, busy=run(HANGS, 4_100).last.website.busy[-1:]),
        ),
        "Threads are limited": replace(state, website=replace(state.website, threads=2)),
        "Every user is accounted for": replace(state, tally=replace(state.tally, users=1)),
        "Nobody is turned away": replace(state, tally=replace(state.tally, turned_away=1)),
    }
    assert len(run(HANGS, 4_100).last.website.busy) == 10
    for light in PATTERN.invariants:
        assert light.holds(state), light.name
        assert not light.holds(broken[light.name]), light.name


def test_a_run_that_goes_on_does_not_grow() -> None:
    script = tuple(
        (ms, SetLatency("hanging" if ms % 20_000 else "normal"))
        for ms in range(10_000, 280_000, 10_000)
    )
    found = run(script, 290_000, rate_per_s=8)
    sizes = [len(ascii(found.state_at(ms))) for ms in (100_000, 190_000, 280_000)]
    assert found.last.tally.users > 2_000
    assert len(found.last.changes) <= 24
    assert sizes[2] < 1.1 * sizes[1]


# --- Counting and drawing -------------------------------------------------------------------------


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4_000), st.integers(0, 20)), max_size=60))
def test_peaks_are_those_of_the_whole_record(steps: list[tuple[int, int]]) -> None:
    peaks, record, now_ms = Peaks(), [(0, 0)], 0
    for wait_ms, level in steps:
        now_ms += wait_ms
        peaks = peaks.note(now_ms, level)
        record.append((now_ms, level))
    for start_ms, value in peaks.bins():
        before = [level for ms, level in record if ms <= start_ms][-1]
        # A level that is gone again within the same ms at the start of a bin was there, too.
        inside = [level for ms, level in record if start_ms <= ms < start_ms + BIN_MS]
        carried = [level for ms, level in record if ms < start_ms][-1:]
        assert value == max([before, *inside, *carried])
    assert len(peaks.values) <= KEPT_PEAKS
    assert peaks.bins()[-1][0] == now_ms // BIN_MS * BIN_MS


@pytest.mark.parametrize("kind", ["none", "consecutive", "rolling"])
def test_the_diagram_is_the_table(kind: str) -> None:
    found = run((*HANGS, (7_000, Repair())), 12_000, breaker=kind, reset_timeout_ms=1_000)
    for sim in instants(found)[::7]:
        drawn = PATTERN.view(sim.state, sim.now_ms)["diagram"]
        arrows = [arrow["event"] for arrow in drawn["arrows"]]
        assert arrows == [event for (state, event), to in TRANSITIONS.items() if to != state]
        stays = [(box["state"], row["event"]) for box in drawn["boxes"] for row in box["stays"]]
        assert stays == [row for row, to in TRANSITIONS.items() if to == row[0]]
        rows = [(b["state"], r["event"]) for b in drawn["boxes"] for r in b["stays"] if r["lit"]]
        row = sim.state.breaker.row if sim.state.breaker else ("", "")
        assert rows == ([row] if TRANSITIONS.get(row) == row[0] else [])
        lit = [box["state"] for box in drawn["boxes"] if box["lit"]]
        breaker = sim.state.breaker
        assert lit == ([breaker.state] if breaker else [])
        led = [arrow["event"] for arrow in drawn["arrows"] if arrow["lit"]]
        assert led == [sim.state.changes[-1].row[1]][: len(sim.state.changes) - 1]


def test_arrows_begin_and_end_at_the_boxes_that_the_table_names() -> None:
    drawn = PATTERN.view(run(HANGS, 100).last, 100)["diagram"]
    boxes = {box["state"]: box for box in drawn["boxes"]}

    def gap(point: tuple[float, float], box: dict[str, Any]) -> float:
        left, top = float(box["x"]), float(box["y"])
        right, low = left + float(box["width"]), top + float(box["height"])
        return max(left - point[0], point[0] - right, top - point[1], point[1] - low)

    for arrow in drawn["arrows"]:
        row = next(
            row for row in TRANSITIONS if row[1] == arrow["event"] and row[0] != TRANSITIONS[row]
        )
        assert 0 <= gap(arrow["start"], boxes[row[0]]) <= 5
        assert 0 <= gap(arrow["end"], boxes[TRANSITIONS[row]]) <= 5


def test_the_timeline_shows_what_the_tally_counted() -> None:
    found = run((*HANGS, (7_000, Repair())), 12_000)
    drawn = PATTERN.view(found.last, 12_000)["timeline"]
    tally = found.last.tally
    # Within its 15 s, every call is in a bar: the bars' heights add up to the counts.
    for lane in drawn["lanes"]:
        heights = [
            float(part.partition("v")[2].partition("h")[0]) for part in lane["d"].split("M")[1:]
        ]
        total = getattr(tally, lane["end"])
        assert lane["total"] == f"{total:,}"
        if total:
            unit = -sum(heights) / total
            assert all(abs(-height / unit - round(-height / unit)) < 0.2 for height in heights)
        else:
            assert heights == []
    assert [bar["name"] for bar in drawn["healths"]] == ["healthy", "hanging", "healthy"]
    for start_ms, level in tally.threads.bins():
        held = [
            len(sim.state.website.busy)
            for sim in instants(found)
            if start_ms <= sim.now_ms < start_ms + BIN_MS
        ]
        assert level >= max(held, default=0)
    assert max(level for _, level in tally.threads.bins()) == 10
    assert [bar["kind"] for bar in drawn["states"]] == [c.state for c in found.last.changes]
    assert sum(bar["width"] for bar in drawn["states"]) == pytest.approx(drawn["now"] - 82, abs=3)


def test_every_event_has_its_sentence() -> None:
    script = (
        (500, SetErrors(50)),
        (1_500, SetErrors(0)),
        (2_000, SetLatency("slow")),
        *HANGS,
        (9_000, CallOnce()),
        (9_500, Repair()),
        (13_000, Break()),
        (14_000, Repair()),
    )
    found = run(script, 18_000, threads=4, queue=2, failure_threshold=8)
    says = [sim.says for sim in instants(found)]
    for words in (
        "goes to the recommendations",
        "for a thread, number 2 in the queue",
        "no place to wait: turned away",
        "The breaker refuses the call: User",
        "The breaker refuses the call: You get popular titles at once.",
        "passes as a probe",
        "the service answers with an error",
        "the recommendations are there",
        "no answer within 1 s",
        "the answer was there before",
        "for nobody",
        "8 failures in a row: the breaker opens",
        "The probe failed: the breaker opens again",
        "The probe succeeded: the breaker closes",
        "the service is down",
        "they take calls and do not answer",
        "are slow: 1.5 s on average",
        "50 % of the calls are answered with an error",
        "break down",
        "start anew, healthy",
    ):
        assert any(words in sentence for sentence in says), words
    assert not any("None" in sentence for sentence in says)


def test_the_count_that_looks_on_starts_anew_with_the_breaker() -> None:
    found = run((*HANGS, (7_000, Repair())), 12_000)
    closed_ms = found.last.changes[-1].since_ms
    assert found.last.changes[-1].state == "closed"
    before, after = found.state_at(closed_ms - 1), found.state_at(closed_ms)
    assert sum(before.watch.rolling.window(closed_ms)) > 10
    assert sum(after.watch.rolling.window(closed_ms)) == 0
    assert after.watch.longest_row == before.watch.longest_row


def test_each_proof_fails_where_its_story_is_not_told() -> None:
    proofs = {scenario.id: scenario.proof for scenario in PATTERN.scenarios}
    runs = {
        "no-breaker": run(HANGS, 14_000),
        "trips": run(HANGS, 7_000, failure_threshold=12),
        "probe-fails": run(HANGS, 14_000, reset_timeout_ms=1_000),
        "recovers": run((*HANGS, (9_000, Repair())), 14_000, success_threshold=2),
        "rolling-window": run(((3_000, SetErrors(60)),), 18_000, reset_timeout_ms=5_000),
    }
    assert set(runs) == set(proofs)
    for name, found in runs.items():
        assert not proofs[name](found), name


def test_stale_alarms_change_nothing() -> None:
    found = run(HANGS, 6_000)
    stale = [
        (before, after)
        for before, event, after in (
            found.history.change(index) for index in range(1, len(found.history))
        )
        if isinstance(event, GiveUp) and before.tally.timeout == after.tally.timeout
    ]
    assert len(stale) > 40
    assert all(before is after for before, after in stale)
