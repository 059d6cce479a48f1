"""The run: its counts against plain twins, its floods and its day, and what it never outgrows."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pysims
from pysims.kernel import Run
from pysims.patterns.rate_limiter import (
    PATTERN,
    AttackBoundary,
    Burst,
    Params,
    Replay,
    Send,
    StartFlood,
    State,
    StopFlood,
)
from pysims.patterns.rate_limiter.day import LAUNCH_MINUTE, REQUESTS_BY_MINUTE
from pysims.patterns.rate_limiter.model import (
    BINS_KEPT,
    FIXED,
    LAPSES,
    LEAKY,
    LOG,
    PER_S,
    Flood,
    Lump,
    admit,
    boundaries_ms,
    due_lump,
    lapse_of,
    lump_ms_of,
    lump_size,
    parts_of,
    rate_of,
    window_ms_of,
)
from pysims.patterns.rate_limiter.view import ROW_HEIGHT, area, band, exactly, length, span, view

PARAMS = st.builds(
    Params,
    st.sampled_from([1, 3, 10, 60, 777, 10_000]),
    st.sampled_from(list(PER_S)),
    st.sampled_from([1, 2, 7, 50, 5_000]),
    st.sampled_from(list(LAPSES)),
)
EVENTS = st.one_of(
    st.just(Send()),
    st.builds(Burst, st.integers(2, 200)),
    st.builds(StartFlood, st.integers(1, 100).map(lambda tens: 10 * tens)),
    st.just(StopFlood()),
    st.just(AttackBoundary()),
    st.just(Replay()),
)
SCRIPTS = st.lists(st.tuples(st.integers(0, 6_000), EVENTS), max_size=8).map(
    lambda script: tuple(sorted(script, key=lambda timed: timed[0]))
)


def run_with(params: Params, script: tuple[Any, ...], until_ms: int = 8_000) -> Run[State]:
    given_ = {name: getattr(params, name) for name in ("rate", "per", "burst", "lapse")}
    return pysims.run("rate_limiter", params=given_, script=script, until_ms=until_ms)


def lumps_of(run: Run[State]) -> list[Lump]:
    """Everything that came in a run; lumps of one moment stay apart."""
    found: list[Lump] = []
    for before, after in zip(run.history.states(), list(run.history.states())[1:], strict=False):
        if after.asked > before.asked:
            assert after.newest is not None
            found.append(after.newest)
    return found


# --- What is counted, against twins ---------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(PARAMS, SCRIPTS)
def test_what_the_lights_look_at_is_what_was_admitted(params: Params, script: Any) -> None:
    """Excess, windows and totals of the last state, from the list of all that came."""
    run = run_with(params, script)
    state, lumps = run.last, lumps_of(run)
    rate, window_ms = rate_of(params), window_ms_of(params)
    whole = parts_of(params)[1]
    assert state.asked == sum(lump.asked for lump in lumps)
    for which in range(6):
        got = [(lump.at_ms, lump.admitted[which]) for lump in lumps]
        assert state.admitted[which] == sum(count for _, count in got)
        assert state.peak[which] == max(
            (sum(c for t, c in got if end - window_ms < t <= end) for end, _ in got), default=0
        )
        over = [
            sum(c for t, c in got if t >= start) - rate * (state.at_ms - start) / 1_000
            for start, _ in got
        ]
        assert Fraction(state.excess[which], whole) == max([Fraction(0), *over])
    number = state.six.fixed.window
    past = [
        sum(x.admitted[FIXED] for x in lumps if x.at_ms // window_ms == number - back)
        for back in (1, 2)
    ]
    assert list(state.fixed_past) == past
    assert state.released + state.six.leaky.waiting == state.admitted[LEAKY]


@settings(max_examples=40, deadline=None)
@given(PARAMS, SCRIPTS)
def test_every_light_holds_whatever_the_reader_does_but_the_one_that_is_no_promise(
    params: Params, script: Any
) -> None:
    for state in run_with(params, script).history.states():
        fallen = [light.name for light in PATTERN.invariants if not light.holds(state)]
        assert fallen in ([], ["Fixed window: the limit in any window"])


@settings(max_examples=40, deadline=None)
@given(PARAMS, SCRIPTS)
def test_a_lump_is_decided_as_if_one_had_asked_after_another(params: Params, script: Any) -> None:
    for sim in run_with(params, script, 2_000).history:
        for limiter in sim.state.six.all:
            after, (admitted, wait_ms) = admit(limiter, 7)
            single, decisions = limiter, []
            for _ in range(7):
                single, decision = single.request(sim.state.at_ms)
                decisions.append(decision)
            assert (after, admitted) == (single, sum(d.allowed for d in decisions))
            assert wait_ms == decisions[-1].retry_after_ms


@settings(max_examples=40, deadline=None)
@given(PARAMS, SCRIPTS)
def test_the_chart_counts_every_request_once(params: Params, script: Any) -> None:
    state = run_with(params, script, 3_000).last
    bars = (*state.bars, state.bar)
    assert [bar.number for bar in bars] == list(range(bars[0].number, bars[-1].number + 1))
    if bars[0].number == 0:
        assert sum(bar.asked for bar in bars) == state.asked
        assert sum(bar.released for bar in bars) == state.released
        assert [sum(bar.admitted[k] for bar in bars) for k in range(6)] == list(state.admitted)


def test_what_is_exactly_a_window_old_counts_no_more() -> None:
    run = run_with(Params(), ((1_000, Burst(50)), (6_000, Burst(50))))
    assert run.last.admitted[LOG] == 100
    assert run.last.peak[LOG] == 50


@pytest.mark.parametrize(
    "light", PATTERN.invariants, ids=[light.name for light in PATTERN.invariants]
)
def test_every_light_can_fall(light: Any) -> None:
    state = pysims.run("rate_limiter", "burst").last
    burst, whole = state.params.burst, parts_of(state.params)[1]
    broken = replace(
        state,
        excess=(burst * whole + 1,) * 6,
        released_excess=whole + 1,
        peak=(burst + 1,) * 6,
        admitted=(*state.admitted[:5], state.admitted[5] + 1),
        recent=(Lump(state.at_ms, burst + 1, (burst + 1,) * 6),),
    )
    assert light.holds(state)
    assert not light.holds(broken)


# --- Floods, attacks, the day ---------------------------------------------------------------------


@settings(deadline=None)
@given(PARAMS, st.integers(1, 100).map(lambda tens: 10 * tens), st.integers(0, 10_000))
def test_a_flood_is_steady_to_within_a_lump(params: Params, percent: int, since_ms: int) -> None:
    """After k lumps, as many were sent as the rate gives in that time; no lump is empty."""
    flood, sent = Flood(percent, since_ms), 0
    for _ in range(30):
        at_ms, number = due_lump(flood, params)
        flood = replace(flood, lump=number)
        assert at_ms == since_ms + number * lump_ms_of(params)
        size = lump_size(flood, params)
        assert size > 0
        sent += size
        seconds = Fraction((number + 1) * lump_ms_of(params) * lapse_of(params), 1_000)
        assert sent == int(rate_of(params) * percent * seconds / 100)
        flood = replace(flood, lump=number + 1)


@settings(deadline=None)
@given(PARAMS, st.integers(0, 1_000_000))
def test_an_attack_strikes_on_both_sides_of_a_boundary(params: Params, now_ms: int) -> None:
    last_ms, first_ms = boundaries_ms(params, now_ms)
    lapse, window_ms = lapse_of(params), window_ms_of(params)
    assert now_ms < last_ms == first_ms - 1
    assert last_ms * lapse // window_ms < first_ms * lapse // window_ms
    if lapse <= window_ms:
        assert first_ms * lapse % window_ms < lapse


def test_the_recorded_day_is_whole_and_has_its_summit_at_the_launch() -> None:
    """Sums that were taken from the list of requests per second when the day was counted."""
    hours = [sum(REQUESTS_BY_MINUTE[60 * hour : 60 * hour + 60]) for hour in range(24)]
    assert len(REQUESTS_BY_MINUTE) == 24 * 60
    assert sum(REQUESTS_BY_MINUTE) == 134_203
    assert hours[9] == max(hours) == 14_926
    assert LAUNCH_MINUTE // 60 == 9
    assert max(REQUESTS_BY_MINUTE) == REQUESTS_BY_MINUTE[9 * 60 + 49] == 405


def test_the_day_arrives_minute_by_minute_and_ends() -> None:
    run = pysims.run("rate_limiter", "day")
    lumps = lumps_of(run)
    busy = [count for count in REQUESTS_BY_MINUTE if count]
    assert [lump.asked for lump in lumps] == busy
    minutes = [m for m, count in enumerate(REQUESTS_BY_MINUTE) if count]
    assert [lump.at_ms for lump in lumps] == [60_000 * m for m in minutes]
    assert run.last.minute == -1


def test_what_starts_later_takes_the_place_of_what_was_there() -> None:
    script = (
        (0, StartFlood(300)),
        (1_000, StartFlood(100)),
        (2_000, StopFlood()),
        (3_000, Replay()),
        (3_500, StartFlood(200)),
        (4_500, StopFlood()),
    )
    run = run_with(Params(), script)
    asked = [run.state_at(at_ms).asked for at_ms in (999, 1_999, 2_999, 3_499, 4_499, 8_000)]
    # What is due at a moment comes before what the script does at it: a lump of the old flood.
    day = REQUESTS_BY_MINUTE[0]
    assert asked == [30, 30 + 3 + 10, 43 + 1, 44 + day, 64 + day, 64 + day + 2]
    assert run.last.flood is None
    assert run.last.minute == -1
    stopped = run_with(Params(), ((0, Replay()), (10, StopFlood())), 200_000).last
    assert (stopped.asked, stopped.minute) == (REQUESTS_BY_MINUTE[0], -1)


def test_the_wait_that_a_refusal_tells_is_kept_in_the_run() -> None:
    """Ask again after exactly the wait: admitted; a millisecond earlier: refused."""
    for which in range(6):
        told = run_with(Params(), ((700, Burst(80)),)).state_at(700).waits_ms[which]
        early = run_with(Params(), ((700, Burst(80)), (699 + told, Send()))).last.newest
        there = run_with(Params(), ((700, Burst(80)), (700 + told, Send()))).last.newest
        assert early is not None
        assert there is not None
        assert (early.admitted[which], there.admitted[which]) == (0, 1)


# --- Size and picture -----------------------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(PARAMS, SCRIPTS)
def test_nothing_grows_without_bound(params: Params, script: Any) -> None:
    state = run_with(params, (*script, (6_000, StartFlood(1_000))), 30_000).last
    assert len(state.bars) <= BINS_KEPT
    by_hand = len(script) * 2
    assert len(state.recent) <= 1.5 * BINS_KEPT + by_hand + 2
    assert len(state.six.log.entries) <= BINS_KEPT + by_hand + 2


@settings(max_examples=15, deadline=None)
@given(PARAMS, SCRIPTS, st.integers(0, 20_000))
def test_the_picture_stays_in_its_frame(params: Params, script: Any, later_ms: int) -> None:
    run = run_with(params, script)
    scene = view(run.last, 8_000 + later_ms)
    boxes = [
        box
        for card in scene["cards"]
        if "boxes" in card["picture"]
        for box in card["picture"]["boxes"]
    ]
    assert all(4 <= box["x"] <= box["x"] + box["width"] <= 336.001 for box in boxes)
    token, gcra = scene["cards"][0]["picture"], scene["cards"][5]["picture"]
    assert 0 <= token["height"] <= 36.001
    assert 200 <= gcra["tat"] <= gcra["most"] + 0.001 <= 333.001
    assert len(scene["cards"][1]["picture"]["cells"]) <= 50
    assert all(8 <= tick["x"] <= 334.001 for tick in scene["chart"]["ticks"])


def test_a_card_says_the_verdict_the_wait_the_memory_and_the_busiest_window() -> None:
    cards = view(run_with(Params(), ((700, Burst(80)),)).state_at(700), 700)["cards"]
    token, leaky, fixed, log, _, gcra = cards
    assert token["verdict"]["text"] == "✓ 50 admitted ✕ 30 refused"
    assert token["verdict"]["wait"] == "Retry-After: 1 (exactly 100 ms)"
    assert leaky["verdict"]["text"] == "✓ 50 queued ✕ 30 refused"
    assert fixed["verdict"]["wait"] == "Retry-After: 5 (exactly 4.3 s)"
    assert log["verdict"]["wait"] == "Retry-After: 5 (exactly 5 s)"
    assert exactly(720_001) == "720.001 s"
    assert leaky["memory"] == "keeps 2 numbers, 16 B, and 50 waiting"
    assert log["memory"] == "keeps 50 numbers, 400 B"
    assert gcra["memory"] == "keeps 1 number, 8 B"
    boundary = view(pysims.run("rate_limiter", "boundary").last, 11_000)["cards"]
    assert [card["over"] for card in boundary] == [False, False, True, False, False, False]
    assert boundary[FIXED]["times"] == "2.0 × the limit"


def test_areas_and_bands_are_drawn_to_scale() -> None:
    def x_of(number: float) -> float:
        return 10 * number

    assert area([], 1, 100, x_of) == ""
    assert area([(0, 4), (1, 4), (2, 9)], 2, 100, x_of) == (
        "M0.0 100.0H0.0V92.0H20.0V82.0H30.0V100.0Z"
    )
    assert area([(0, 1_000)], 1, 100, x_of) == (
        f"M0.0 100.0H0.0V{100 - ROW_HEIGHT - 2:.1f}H10.0V100.0Z"
    )
    assert band([1, 2, 5], 7, x_of) == "M10.0 7.0H30.0M50.0 7.0H60.0"


@pytest.mark.parametrize(
    ("ms", "words", "short"),
    [
        (80, "80 ms", "80 ms"),
        (3_700, "3.70 s", "3.7 s"),
        (5_000, "5.00 s", "5 s"),
        (600_000, "10 min", "10 min"),
        (1_224_000, "20 min 24 s", "20 min 24 s"),
        (3_600_000, "1 h", "1 h"),
        (7_500_000, "2 h 5 min", "2 h 5 min"),
    ],
)
def test_durations_in_words(ms: int, words: str, short: str) -> None:
    assert span(ms) == words
    assert length(ms) == short
