"""Sweeps: their answers are those of single runs, their spread is that of a brute-force count."""

from __future__ import annotations

import csv
import io
import math
import statistics
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pysims
from pysims.kernel import Pattern, Question, build
from pysims.sweep import (
    BINS_MAX,
    PERCENTILES,
    Answer,
    Spread,
    Sweep,
    answers,
    csv_of,
    power_of_ten,
    spread_of,
)
from pysims.widget.seeds import spoken
from tests.catalog import PATTERNS

numbers = st.one_of(
    st.integers(-(10**9), 10**9).map(float),
    st.floats(-1e9, 1e9, allow_nan=False, allow_subnormal=False).map(lambda x: round(x, 6)),
    st.floats(0, 1, allow_nan=False, allow_subnormal=False),
    st.sampled_from([0.0, 1.0, 100.0, 0.1, 0.3, 1e6]),
)
many = st.lists(numbers, min_size=1, max_size=300)


def sweep_of(pattern_id: str, scenario: str, question: str, **changes: Any) -> Sweep:
    pattern = pysims.load_pattern(pattern_id)
    story = pattern.scenario(scenario)
    params: Any = build(pattern.params, story.params)
    sweep = Sweep(pattern, params, story.script, story.until_ms, pattern.question(question))
    return replace(sweep, **changes)


def answered(values: list[float]) -> list[Answer]:
    return [Answer(seed, value) for seed, value in enumerate(values)]


def test_an_answer_is_that_of_the_run_with_its_seed() -> None:
    sweep = sweep_of("raft", "split-vote", "election")
    for answer in answers(sweep, 40, 12):
        run = pysims.run("raft", "split-vote", seed=answer.seed)
        assert answer.value == sweep.question.measure(run.history)
    assert [each.seed for each in answers(sweep, 40, 12)] == list(range(40, 52))


def test_a_run_that_takes_too_long_is_a_failure_with_its_seed() -> None:
    sweep = sweep_of("raft", "first-election", "election", limit=100)
    found = list(answers(sweep, 0, 20))
    failed = [each for each in found if each.failure]
    assert failed
    for each in found:
        assert (len(pysims.run("raft", "first-election", seed=each.seed).history) > 101) == bool(
            each.failure
        )
    assert all("its limit of 100 events" in each.failure for each in failed)
    summary = spread_of(found)
    assert (summary.failed, summary.answered) == (len(failed), 20 - len(failed))


def test_a_run_without_an_answer_is_counted_apart() -> None:
    found = list(answers(sweep_of("two_phase_commit", "coordinator-crashes", "hold"), 0, 30))
    summary = spread_of(found)
    nothing = [each.seed for each in found if each.value is None]
    assert 0 < len(nothing) < 30
    assert (summary.unanswered, summary.failed) == (len(nothing), 0)
    assert summary.answered == 30 - len(nothing)
    assert spread_of([each for each in found if each.value is None]) == Spread(
        len(nothing), 0, len(nothing), 0
    )


def test_an_answer_that_is_no_number_is_a_mistake() -> None:
    sweep = sweep_of("raft", "first-election", "election")
    broken = Question("broken", "?", "ms", lambda history: math.inf, "")
    with pytest.raises(ValueError, match="broken must be finite, got inf for seed 3"):
        list(answers(replace(sweep, question=broken), 3, 1))


@pytest.mark.parametrize(
    ("first", "count", "says"),
    [
        (-1, 5, "the first seed must be an integer from 0 to 4294967295, got -1"),
        (2**32, 1, "the first seed must be"),
        (0, 0, "the number of seeds must be an integer from 1 to 4294967296, got 0"),
        (2**32 - 1, 2, "the number of seeds must be an integer from 1 to 1, got 2"),
    ],
)
def test_seeds_that_are_none_are_refused_at_once(first: int, count: int, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        answers(sweep_of("raft", "first-election", "election"), first, count)


# --- The spread -----------------------------------------------------------------------------------


@given(many)
def test_the_numbers_are_those_of_a_brute_force_count(values: list[float]) -> None:
    summary = spread_of(answered(values))
    assert summary.percentiles is not None
    for percent in PERCENTILES:
        exact = next(
            value
            for value in sorted(values)
            if 100 * sum(other <= value for other in values) >= percent * len(values)
        )
        assert summary.percentiles[percent] == exact
    assert (summary.low, summary.high) == (min(values), max(values))
    assert summary.mean == statistics.fmean(values)
    assert summary.percentiles[50] == statistics.median_low(values)


@given(many, st.sampled_from(["less", "more"]))
def test_the_worst_the_best_and_a_median_run_are_such_runs(
    values: list[float], better: str
) -> None:
    summary = spread_of(answered(values), better)
    assert None not in (summary.worst, summary.median, summary.best)
    worst, best = (max, min) if better == "less" else (min, max)
    assert summary.worst == values.index(worst(values))
    assert summary.best == values.index(best(values))
    assert summary.median == values.index(statistics.median_low(values))


@given(many)
def test_every_answer_is_in_the_bin_whose_edges_hold_it(values: list[float]) -> None:
    summary = spread_of(answered(values))
    bins = summary.bins
    for each in bins:
        low = -math.inf if each.low is None else each.low
        high = math.inf if each.high is None else each.high
        assert each.count == sum(low <= value < high for value in values)
    assert sum(each.count for each in bins) == len(values)
    for one, next_one in pairwise(bins):
        assert one.high == next_one.low
    # One more at each end, where an edge falls on an end; open bins come on top.
    assert len(bins) <= BINS_MAX + 4
    assert all(each.low is not None for each in bins[1:])
    assert all(each.high is not None for each in bins[:-1])


@given(many)
def test_edges_are_round_and_those_of_integers_are_integers(values: list[float]) -> None:
    summary = spread_of(answered(values))
    closed = [each for each in summary.bins if each.low is not None and each.high is not None]
    assert closed
    widths = {each.high - each.low for each in closed}  # type: ignore[operator]
    width = max(widths)
    assert max(widths) - min(widths) <= 1e-9 * max(1, *(abs(each.low or 0) for each in closed))
    leading = f"{width:.0e}"[0]
    assert leading in "125"
    if summary.whole:
        assert all(each.low == int(each.low or 0) for each in closed)


def test_one_outlier_does_not_press_the_others_into_one_bar() -> None:
    values = [*range(100), 100_000]
    bins = spread_of(answered([float(value) for value in values])).bins
    assert bins[-1].high is None
    assert bins[-1].count == 1
    assert max(each.count for each in bins) < 20
    mirrored = spread_of(answered([float(-value) for value in values])).bins
    assert mirrored[0].low is None
    assert mirrored[0].count == 1


def test_a_distribution_without_outliers_has_no_open_bin() -> None:
    bins = spread_of(answered([float(value) for value in range(1_000)])).bins
    assert [(each.low, each.high) for each in bins] == [
        (50.0 * index, 50.0 * (index + 1)) for index in range(20)
    ]


@given(st.floats(1e-15, 1e15, allow_nan=False))
def test_a_power_of_ten_is_found_without_logarithms(value: float) -> None:
    power = power_of_ten(value)
    exact, little = Fraction(value), 1 + Fraction(1, 10**12)
    assert Fraction(10) ** power <= exact * little
    assert exact < Fraction(10) ** (power + 1) * little


@given(many)
def test_the_lines_of_the_csv_are_the_answers(values: list[float]) -> None:
    found = [*answered(values), Answer(900, None), Answer(901, None, 'a "limit", reached')]
    rows = list(csv.reader(io.StringIO(csv_of(found))))
    assert rows[0] == ["seed", "answer", "note"]
    assert [float(row[1]) for row in rows[1:-2]] == values
    assert rows[-2:] == [["900", "", "no answer"], ["901", "", 'a "limit", reached']]


def test_a_number_for_people_tells_it_from_the_others() -> None:
    near = spread_of(answered([99.9971, 99.9972, 99.9979]))
    assert spoken(99.9979, near) == "99.997900"
    assert spoken(12_345.0, spread_of(answered([1.0, 12_345.0]))) == "12,345"
    assert spoken(0.5, spread_of(answered([0.5, 80.25]))) == "0.5"


# --- Questions ------------------------------------------------------------------------------------

READOUTS = {
    ("availability", "series", "availability"): "99.51",
    ("bulkhead", "shared-pool", "spilled"): "337",
    ("cap_theorem", "healthy", "slowest"): "168",
    ("cascade_failure", "unprotected", "recovery"): "2.8",
    ("chaos_monkey", "redundant", "failed"): "8",
    ("circuit_breaker", "no-breaker", "failing-wait"): "2,454",
    ("distributed_rate_limiter", "get-then-set", "over"): "223",
    ("durable_workflow", "trip", "late"): "51",
    ("hash_ring", "one-point-each", "spread"): "75",
    ("pacelc", "read-one", "stale"): "5.6",
    ("raft", "leader-crash", "terms"): "2",
    ("retry_backoff", "full-jitter", "recovery"): "3.2",
    ("saga", "rush", "completion"): "131",
    ("split_brain", "hear-nobody", "lost"): "5",
    ("timeouts", "dead-work", "in-vain"): "49",
    ("transactional_outbox", "relay-crashes", "at-stake"): "49.99",
    ("two_phase_commit", "lost-messages", "hold"): "159",
    ("uncoordinated_transaction", "lost-answer", "requests"): "6",
}


@pytest.mark.parametrize(("which", "shown"), READOUTS.items(), ids=["-".join(k) for k in READOUTS])
def test_an_answer_is_the_number_beside_the_picture(
    which: tuple[str, str, str], shown: str
) -> None:
    pattern_id, scenario, question_id = which
    pattern = pysims.load_pattern(pattern_id)
    question = pattern.question(question_id)
    run = pysims.run(pattern_id, scenario)
    value = question.measure(run.history)
    assert value is not None
    last = run.history[-1]
    said = [each["value"] for each in pattern.view(last.state, last.now_ms)["readouts"]]
    assert any(shown == text.strip("$").split()[0].split("\u00a0")[0] for text in said), said
    # Some readouts tell seconds where the answer is in milliseconds.
    tells = float(shown.replace(",", ""))
    digits = len(shown.partition(".")[2])
    assert tells in (round(value, digits), round(value / 1_000, digits))


def test_an_election_begins_with_its_first_candidate() -> None:
    """Against the trace: the first vote that is asked for, and the moment when one is elected."""
    pattern = pysims.load_pattern("raft")
    measure = pattern.question("election").measure
    for seed in range(30):
        history = pysims.run("raft", "first-election", seed=seed).history
        asked = next(
            index
            for index, state in enumerate(history.states())
            if any(server.current_term for server in state.servers)
        )
        won = next(i for i, state in enumerate(history.states()) if state.witness.leaders)
        assert measure(history) == history.time_ms(won) - history.time_ms(asked)


def test_a_question_that_there_is_not_is_refused() -> None:
    pattern: Pattern = PATTERNS[0]
    assert pattern.question() is pattern.questions[0]
    with pytest.raises(ValueError, match=f"{pattern.id} has no question 'x', it has: "):
        pattern.question("x")
