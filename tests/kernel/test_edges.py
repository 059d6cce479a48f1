"""The edges of the kernel: the last value that is allowed, the first that is not, and defaults."""

from __future__ import annotations

import gc
from dataclasses import dataclass, replace
from typing import Any

import pytest

import pysims
from pysims.kernel import (
    REJECTED,
    Action,
    Context,
    Exponential,
    Invariant,
    Job,
    Latency,
    Message,
    Number,
    Pool,
    RunLimit,
    Series,
    Sim,
    Text,
    arrivals,
    begin,
    brief,
    changes_of,
    check_plain,
    check_up,
    crash,
    cut_link,
    dispatch,
    heal_link,
    knob,
    latency_of,
    majority,
    network_of,
    offer,
    on_disk,
    parse_groups,
    partitions_of,
    pool_of,
    release,
    resize,
    run_pattern,
    run_until,
    send,
    set_latency,
    start,
    step,
    trace_line,
    withdraw,
)
from pysims.kernel.queueing import KEPT_BINS

TEN = Latency.constant(10)


def context(now_ms: int = 0) -> Context:
    ctx = Context(7, 100)
    ctx.turn_to(now_ms, 1)
    return ctx


# --- A value in a line ----------------------------------------------------------------------------


def test_a_text_that_just_fits_is_whole_and_the_next_is_cut() -> None:
    assert brief("a" * 72) == repr("a" * 72)
    assert brief("a" * 73) == repr("a" * 69) + "…"
    assert brief("abcdef", 5) == "'ab'…"
    assert brief("abcdef", 2) == "'a'…"


def test_a_list_shows_an_item_while_four_characters_are_left() -> None:
    assert brief(tuple(range(1, 5)), 14) == "(1, 2, 3, 4)"
    assert brief(tuple(range(1, 5)), 13) == "(1, 2, 3, …)"
    assert brief((10, 20, 30), 9) == "(10, 20, …)"
    assert brief((10, 20, 30), 8) == "(10, …)"
    assert brief((1,), 5) == "(1)"
    assert brief((1,), 4) == "(…)"
    assert brief([1], 72) == "[1]"
    assert brief({1}, 72) == "{1}"
    assert brief(frozenset({1}), 72) == "{1}"


def test_at_most_sixty_differences_are_told_and_a_long_tuple_is_one() -> None:
    assert len(changes_of(tuple(range(100)), tuple(range(1, 101)))) == 60
    assert len(changes_of((0,) * 1_999, (1,) * 2_000, most=5_000)) == 2_000
    assert len(changes_of((0,) * 2_000, (1,) * 2_000, most=5_000)) == 1
    assert [c.path for c in changes_of(1, 2)] == ["it"]
    assert [c.path for c in changes_of((), (1,), "x")] == ["x"]


# --- The network ----------------------------------------------------------------------------------


def test_the_shares_of_a_latency_end_at_0_and_1() -> None:
    assert (Latency.uniform(0, 8).quantile(0), Latency.uniform(0, 8).quantile(1)) == (0, 8)
    for share in (-0.001, 1.001):
        with pytest.raises(ValueError, match="share must be from 0 to 1"):
            TEN.quantile(share)
    for points in (((0.1, 1), (1.0, 5)), ((0.0, 1), (0.9, 5)), ()):
        with pytest.raises(ValueError, match=r"must go from 0\.0 to 1\.0"):
            Latency(points)


def test_a_message_that_takes_no_time_has_arrived() -> None:
    message = Message(0, "A", "B", "x", 5, 5)
    assert [message.fraction(ms) for ms in (4, 5, 6)] == [0.0, 0.0, 1.0]


def test_what_is_certain_happens_every_time() -> None:
    network = network_of("AB", TEN, loss=0, duplication=1)
    for number in range(1, 30):
        ctx = Context(number, 5)
        ctx.turn_to(0, number)
        sent = send(network, ctx, "A", "B", "x")
        assert [message.id for message in sent.in_flight] == [0, 1]
        assert sent.next_id == 2
        assert len(ctx.scheduled) == 2
    with pytest.raises(ValueError, match=r"duplication must be from 0 to 1, got -0\.1"):
        network_of("AB", TEN, duplication=-0.1)


def test_only_the_link_that_was_set_is_slow() -> None:
    slow = Latency.constant(70)
    network = set_latency(set_latency(network_of("ABC", TEN), "A", "B", slow), "B", "C", slow)
    delays = {
        a + b: latency_of(network, a, b).quantile(0.5) for a in "ABC" for b in "ABC" if a != b
    }
    assert delays == {"AB": 70, "BC": 70, "AC": 10, "BA": 10, "CA": 10, "CB": 10}
    again = set_latency(network, "A", "B", TEN)
    assert latency_of(again, "A", "B") == TEN
    assert latency_of(again, "B", "C") == slow
    assert len(again.links) == 2


def test_mending_one_link_leaves_the_others_cut() -> None:
    network = cut_link(cut_link(network_of("ABC", TEN), "A", "B"), "B", "C")
    assert heal_link(network, "A", "B").cut_links == (("B", "C"),)


def test_who_must_be_up_or_down_is_named() -> None:
    network = crash(network_of(("n1", "n2", "n3"), TEN), "n2")
    assert check_up(network, "n1") == "n1"
    assert check_up(network, "n2", up=False) == "n2"
    with pytest.raises(ValueError, match=r"^node must be one of n1, n2, n3, got 'n4'$"):
        check_up(network, "n4")
    with pytest.raises(ValueError, match=r"^node must be one of n1, got 'n3'$"):
        check_up(network, "n3", among=("n1",))
    with pytest.raises(
        ValueError, match=r"^node must be one that is up \(n1, n3\), got 'n2', which is down$"
    ):
        check_up(network, "n2")
    with pytest.raises(
        ValueError, match=r"^bank must be one that is down \(n2\), got 'n1', which is up$"
    ):
        check_up(network, "n1", up=False, what="bank")
    with pytest.raises(ValueError, match=r"\(none at the moment\), got 'n1'"):
        check_up(network_of(("n1",), TEN), "n1", up=False)
    with pytest.raises(ValueError, match=f"got '{'x' * 40}'$"):
        check_up(network, "x" * 50)


def test_ways_to_cut_begin_with_one_against_the_rest() -> None:
    assert partitions_of("ABC") == ("AB | C", "AC | B", "A | BC", "A | B | C")
    assert len(partitions_of("ABCDE")) == 51
    assert len(partitions_of("ABCDEF")) == 31
    assert parse_groups("S1,S2 | S3", ("S1", "S2", "S3")) == (("S1", "S2"), ("S3",))
    assert [majority(n) for n in (1, 2, 3, 4, 5)] == [1, 2, 2, 3, 3]


@dataclass(frozen=True, slots=True)
class Disk:
    written: int = on_disk(3)


def test_what_is_on_disk_has_its_default_at_first() -> None:
    assert Disk() == Disk(3)


# --- Queues ---------------------------------------------------------------------------------------


def test_times_and_rates_end_above_0() -> None:
    assert Exponential(0.5).quantile(0) == 0
    assert arrivals(1).mean_ms == 1_000
    assert arrivals(0.5).mean_ms == 2_000
    for refused in (Exponential, arrivals):
        with pytest.raises(ValueError, match="above 0"):
            refused(0)
    for share in (-0.001, 1.0):
        with pytest.raises(ValueError, match="from 0 to below 1"):
            Exponential(1).quantile(share)


def test_a_job_waits_from_its_arrival_to_its_thread() -> None:
    assert Job(1, 5).waited_ms(9) == 4
    assert Job(1, 5, None, 7).waited_ms(9) == 2
    assert Job(1, 0, None, 0).waited_ms(9) == 0
    assert Job(1, 0).started_ms == -1


def test_a_pool_is_bounded_up_to_its_last_place() -> None:
    jobs = tuple(Job(n, 0) for n in range(4))
    assert Pool(2, 1, jobs[:2], jobs[2:3]).bounded
    assert not Pool(2, 1, jobs[:2], jobs[2:]).bounded
    assert not Pool(1, 1, jobs[:2], jobs[2:3]).bounded
    assert not Pool(1, -1, jobs[:2]).bounded
    assert Pool(2, -1, jobs[:2], jobs[2:]).bounded


def test_a_pool_of_one_thread_and_no_place() -> None:
    pool, _ = offer(pool_of(1, 0), Job(1, 0), 0)
    assert offer(pool, Job(2, 0), 0)[1] == REJECTED
    for threads, limit in ((0, 0), (1, -2)):
        with pytest.raises(ValueError, match="or more"):
            pool_of(threads, limit)
    with pytest.raises(ValueError, match="those that do: none"):
        release(pool_of(1), 1, 0)
    with pytest.raises(ValueError, match=r"got 2; those that do: 1$"):
        release(pool, 2, 0)
    assert withdraw(pool, 1) == (pool, False)
    with pytest.raises(ValueError, match="threads must be 1 or more"):
        resize(pool, 0, 0)


def test_a_series_forgets_exactly_what_is_too_old() -> None:
    series = Series(10).add(0, 5)
    for later in (KEPT_BINS - 1, KEPT_BINS, KEPT_BINS + 1):
        grown = series.add(later * 10, 2)
        assert len(grown.counts) == min(later + 1, KEPT_BINS)
        assert grown.bins()[-1] == (later * 10, 2)
        assert grown.bins()[0] == (max(0, later - KEPT_BINS + 1) * 10, 5 * (later < KEPT_BINS))
    assert series.add(9).counts == (6,)
    two = series.add(10)
    assert two.bins() == ((0, 5), (10, 1))
    assert [two.total(), two.total(0, 10), two.total(1), two.total(10, 11)] == [6, 5, 1, 1]
    with pytest.raises(ValueError, match="now_ms must be 10 or later, got 9"):
        two.add(9)


# --- Runs -----------------------------------------------------------------------------------------


def ticking(state: int, event: str, ctx: Context) -> int:
    ctx.after(10, event)
    return state + 1


def clock() -> Sim[int]:
    def init(ctx: Context) -> int:
        ctx.after(10, "tick")
        return 0

    return start(ticking, init, 3)


def test_the_limit_is_the_last_event_that_may_be() -> None:
    assert len(run_until(clock(), 50, limit=5)) == 6
    with pytest.raises(RunLimit, match="stopped at 50 ms, after its limit of 4 events"):
        run_until(clock(), 50, limit=4)
    assert len(run_until(clock(), 50, limit=4, strict=False)) == 5
    assert len(run_until(clock(), 50, limit=6, taken=1)) == 6
    with pytest.raises(RunLimit):
        run_until(clock(), 50, limit=5, taken=1)


@pytest.mark.parametrize("on", [True, False])
def test_the_search_for_garbage_is_as_it_was_before_a_run(on: bool) -> None:
    def update(state: int, event: str, ctx: Context) -> int:
        assert not gc.isenabled()
        return ticking(state, event, ctx)

    (gc.enable if on else gc.disable)()
    try:
        run_until(replace(clock(), update=update), 20)
        assert gc.isenabled() == on
        with pytest.raises(RunLimit):
            run_until(clock(), 20, limit=1)
        assert gc.isenabled() == on
    finally:
        gc.enable()


def test_an_event_may_come_now_and_not_before() -> None:
    history = run_until(clock(), 20)
    last = history[-1]
    assert dispatch(last, "now").queue == ((20, last.sequence, "now"), *last.queue)
    assert dispatch(last, "now", 20) == dispatch(last, "now")
    assert dispatch(last, "later", 30).queue[-1] == (30, last.sequence, "later")
    with pytest.raises(ValueError, match=r"must be 20 \(now\) or later, got 19"):
        dispatch(last, "past", 19)


def test_a_history_is_indexed_by_time_and_cut_at_an_instant() -> None:
    history = run_until(clock(), 50)
    assert [history.index_at(ms) for ms in (0, 9, 10, 11, 50, 99)] == [0, 0, 1, 1, 5, 5]
    assert [history.time_ms(k) for k in range(6)] == [0, 10, 20, 30, 40, 50]
    assert len(history.upto(2)) == 3
    assert len(history.upto(-1)) == len(history)
    assert history[1:3] == (history[1], history[2])
    assert history.change(1) == (0, "tick", 1)
    assert history.change(3) == (2, "tick", 3)
    for k in (1, 2, 5):
        ctx = history.again(k)
        ctx.after(10, "tick")
        assert [*ctx.scheduled] == [*history[k].queue]
    first = clock()
    assert (first.sequence, first.cause, first.now_ms) == (2, None, 0)
    assert step(replace(first, queue=())) == replace(first, queue=())


def test_a_run_has_a_seed_of_32_bits_and_a_time_that_is_not_before_0() -> None:
    pattern = pysims.load_pattern("cap_theorem")
    for seed in (0, 2**32 - 1):
        assert begin(pattern, pattern.params(), seed).seed == seed
    for bad in (-1, 2**32, 1.0, True):
        with pytest.raises(ValueError, match="seed must be an integer from 0 to 4294967295"):
            begin(pattern, pattern.params(), bad)  # type: ignore[arg-type]
    assert len(run_pattern(pattern, pattern.params(), (), 0, 0).history) >= 1
    with pytest.raises(ValueError, match="until_ms must be 0 or more, got -1"):
        run_pattern(pattern, pattern.params(), (), 0, -1)


def test_what_is_plain_and_what_is_not_is_named_by_its_path() -> None:
    check_plain((1, 1.5, "a", True, None, Disk()))
    with pytest.raises(TypeError, match=r"^state\[1\] must be plain and frozen, got list$"):
        check_plain((1, []))
    with pytest.raises(TypeError, match=r"^state\.written must be plain and frozen, got dict$"):
        check_plain(replace(Disk(), written={}))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="got Loose"):
        check_plain(Loose())
    seen: dict[int, Any] = {}
    check_plain((1, "a"), seen=seen)
    check_plain((2, "b"), seen=seen)
    assert len(seen) == 2


@dataclass
class Loose:
    size: int = 1


def test_a_line_of_a_trace_has_its_columns() -> None:
    assert trace_line((5, 12, "a")) == "       5 ms  #12    'a'"
    assert trace_line((12_345_678, 123_456, "é")) == "12345678 ms  #123456 '\\xe9'"


def test_a_pattern_is_asked_by_name_or_for_its_first() -> None:
    pattern = pysims.load_pattern("raft")
    assert pattern.scenario() is pattern.scenarios[0]
    assert pattern.question() is pattern.questions[0]
    assert pattern.scenario("storm").id == "storm"
    assert pattern.question(pattern.questions[1].id) is pattern.questions[1]
    assert pattern.action("Crash").event.__name__ == "Crash"
    for asked in (pattern.scenario, pattern.question, pattern.action):
        with pytest.raises(ValueError, match=f"raft has no .*'{'x' * 60}', it has: .+, .+"):
            asked("x" * 61)


def test_a_light_is_promised_and_an_action_is_there_unless_somebody_says_otherwise() -> None:
    assert Invariant("name", "why", bool).promised(None) is True
    assert Action(Disk, "label").available(None) is True


# --- Knobs ----------------------------------------------------------------------------------------


def test_a_number_keeps_its_ends_and_its_kind() -> None:
    number = Number("N", 1, 7, step=2)
    assert [number.check("n", value) for value in (1, 3, 7)] == [1, 3, 7]
    for value in (0, 2, 8, 3.0, True, "3"):
        with pytest.raises(ValueError, match="n must be an integer from 1 to 7 in steps of 2, got"):
            number.check("n", value)
    share = Number("S", 0.0, 1.0, step=0.25)
    assert [share.at(k) for k in range(-1, 6)] == [0, 0, 0.25, 0.5, 0.75, 1, 1]
    assert [share.position(value) for value in (0, 0.25, 1)] == [0, 1, 4]
    assert type(share.check("s", 1)) is float
    wide = Number("W", 1, 1_000, logarithmic=True)
    assert (wide.positions, wide.at(0), wide.at(60), wide.at(120)) == (120, 1, 32, 1_000)
    assert [wide.position(value) for value in (1, 32, 1_000)] == [0, 60, 120]
    assert Number("N", 1, 7).check("n", 2) == 2
    with pytest.raises(ValueError, match="n must be an integer from 1 to 7, got 8"):
        Number("N", 1, 7).check("n", 8)


def test_a_text_is_from_one_to_its_longest() -> None:
    assert Text("T").check("t", "x" * 60) == "x" * 60
    for value in ("", "x" * 61, 5):
        with pytest.raises(ValueError, match="t must be a text of 1 to 60 characters, got"):
            Text("T").check("t", value)
    with pytest.raises(ValueError, match="default must be"):
        knob(Number("N", 1, 7), 9)
