"""What the scenes say and draw, at moments that the stories do not stop at."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pysims
from pysims.kernel import Run
from pysims.patterns.retry_backoff import (
    PATTERN,
    BringUp,
    Compare,
    Join,
    Send,
    State,
    TakeDown,
)
from pysims.patterns.retry_backoff.herd import Due
from pysims.patterns.retry_backoff.settings import STRATEGIES
from pysims.patterns.retry_backoff.view import WINDOW_MS, apportioned, window
from pysims.widget.render import frame
from pysims.widget.session import act, opened, seek, set_param


def run_of(until_ms: int = 10_000, script: Any = (), **params: Any) -> Run[State]:
    return pysims.run("retry_backoff", params=params, script=script, until_ms=until_ms)


def tiers(until_ms: int, script: Any = (), **params: Any) -> Run[State]:
    return run_of(until_ms, script, topology="tiers", outage_ms=0, **params)


def sentences(run: Run[State]) -> list[str]:
    return [PATTERN.describe(*run.history.change(index)) for index in range(1, len(run.history))]


def readout(run: Run[State], label: str) -> tuple[str, str]:
    rows = PATTERN.view(run.last, run.history[-1].now_ms)["readouts"]
    return next((row["value"], row["note"]) for row in rows if row["label"] == label)


# --- Many clients ---------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 3_000), min_size=4, max_size=4).filter(any))
def test_a_hundred_marks_for_any_number_of_clients(counts: list[int]) -> None:
    shares = apportioned(counts, 100)
    assert sum(shares) == 100
    for count, share in zip(counts, shares, strict=True):
        assert (share == 0) == (count == 0)
        assert abs(share - 100 * count / sum(counts)) <= 3


def test_the_marks_are_where_the_clients_are() -> None:
    run = run_of(4_000, strategy="full")
    scene = PATTERN.view(run.last, 4_000)
    kinds = [cell["kind"] for cell in scene["clients"]["cells"]]
    herd: Any = run.last.world
    assert kinds.count("connected") == pytest.approx(herd.connected / 10, abs=1)
    assert [row["label"] for row in scene["clients"]["legend"]] == [
        "connected",
        "at the server",
        "will call again",
    ]


@given(st.integers(0, 100_000))
def test_the_present_is_on_the_charts(now_ms: int) -> None:
    start_ms = window(now_ms)
    assert start_ms >= 0
    assert start_ms <= now_ms <= start_ms + WINDOW_MS * 3 // 4
    assert start_ms == 0 or now_ms > start_ms + WINDOW_MS // 2


def test_the_calls_of_in_step_clients_are_one_bar_and_the_next_is_planned() -> None:
    run = run_of(1_000, strategy="exponential")
    scene = PATTERN.view(run.last, 1_000)["calls"]
    assert scene["made"].count("z") == 3
    assert scene["soon"].count("z") == 1


def test_the_line_of_the_connected_ends_at_what_they_are() -> None:
    run = run_of(4_000, strategy="full")
    scene: Any = PATTERN.view(run.last, 4_000)["back"]
    first = scene["d"][1:].split("L")[0]
    herd: Any = run.last.world
    height = scene["bottom"] - (scene["bottom"] - scene["top"]) * herd.connected / 1_000
    assert first == f"{scene['now']:.1f} {height:.1f}"


def test_the_words_for_the_recovery() -> None:
    assert readout(run_of(1_000), "Time to recovery") == ("–", "the server is down")
    value, note = readout(run_of(3_000), "Time to recovery")
    assert value == "–"
    assert note.endswith("clients are still missing")
    whole = run_of(8_000)
    herd: Any = whole.last.world
    took = f"{(herd.recovered_ms - 2_500) / 1_000:.1f} s"
    assert readout(whole, "Time to recovery") == (took, "from the server’s return")
    nobody = run_of(8_000, retries=1, strategy="exponential")
    assert readout(nobody, "Time to recovery") == ("–", "nobody came back")
    assert readout(nobody, "Connected") == ("0", "of 1,000, 1,000 gave up")


def test_nearly_all_is_not_all() -> None:
    assert readout(run_of(30_000, strategy="none"), "Wasted calls")[1] == "99.9 % of all"
    assert readout(run_of(50, strategy="exponential"), "Wasted calls") == ("0", "none yet")


def test_sentences_of_the_clients() -> None:
    script = ((100, TakeDown()), (3_500, Join(10)), (4_000, TakeDown()), (4_500, BringUp()))
    told = sentences(run_of(5_000, (*script, (4_600, BringUp())), strategy="exponential"))
    assert "The server is down already." in told
    assert "1,000 clients call; the server is down." in told
    assert "1,000 clients call; the server takes 100 and refuses 900." in told
    assert "10 new clients come, all at once." in told
    assert "10 clients call; the server takes them all." in told
    assert any(line.startswith("The server goes down, and 110 clients lose it") for line in told)
    assert "The server is up already." in told
    alone = run_of(100_000, clients=10, threads=1, queue=0, service_ms=200, strategy="none")
    told = sentences(alone)
    assert "10 clients call; the server takes 1 and refuses 9." in told
    assert "8 clients call; the server is full and refuses all." in told
    assert "1 client calls; the server is full and refuses it." in told
    assert told[-1].endswith("10 of 10 clients are connected. Nobody is left to connect.")
    quitting = sentences(run_of(1_000, retries=1, strategy="exponential"))
    assert quitting == ["1,000 clients call; the server is down. All of them give up."]


def test_alarms_out_of_date_say_so() -> None:
    run = run_of(6_000, ((1_000, BringUp()), (1_010, TakeDown())), strategy="exponential")
    told = sentences(run)
    assert "The outage would be over now, but the reader has decided otherwise." in told
    state = run.last
    assert PATTERN.describe(state, Due(0), state) == "Nobody calls any more at this time."
    lost = run_of(2_000, ((1_100, TakeDown()),), outage_ms=1_000, strategy="full", service_ms=200)
    assert "A call that the server was at is lost: it went down in the meantime." in sentences(lost)


def test_a_server_that_is_up_from_the_start_is_told_so() -> None:
    state = run_of(100, outage_ms=0).last
    assert PATTERN.describe(None, None, state) == "1,000 clients are connected to the server."


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_picture_says_how_long_a_client_waits(strategy: str) -> None:
    state = run_of(100, strategy=strategy).last
    opening = PATTERN.describe(None, None, state)
    how = PATTERN.view(state, 100)["how"]
    assert opening == f"The server fails, and 1,000 clients lose it at once. Each {how}."
    assert ("100 ms" in how) == (strategy != "none")
    assert ("2 s" in how) == (strategy not in ("none", "fixed"))


def test_the_comparison_stands_in_picture_and_text_once_it_is_asked_for() -> None:
    run = run_of(10, ((5, Compare()),), clients=100, strategy="equal")
    assert PATTERN.view(run_of(10, clients=100).last, 10)["comparison"] == []
    rows = PATTERN.view(run.last, 10)["comparison"]
    assert [row["strategy"] for row in rows if row["chosen"]] == ["Equal jitter"]
    assert len(rows) == len(STRATEGIES)
    text = PATTERN.alternative(run.last, 10)
    assert all(f"{label}: " in text for label in STRATEGIES.values())
    assert sentences(run)[-1].startswith("The same failure, run with every strategy")


def test_rows_without_a_recovery() -> None:
    slow = run_of(10, ((5, Compare()),), clients=400, threads=1, service_ms=200, queue=0)
    assert {r["took"] for r in PATTERN.view(slow.last, 10)["comparison"]} == {"not within 40 s"}
    short = run_of(10, ((5, Compare()),), retries=1, base_ms=10, clients=10)
    assert {r["took"] for r in PATTERN.view(short.last, 10)["comparison"]} == {"nobody came back"}


# --- Three tiers ----------------------------------------------------------------------------------


def nodes(run: Run[State], now_ms: int) -> list[str]:
    return [n["kind"] for n in PATTERN.view(run.state_at(now_ms), now_ms)["tree"]["nodes"]]


def test_the_tree_has_a_place_for_every_call_and_marks_those_that_were_made() -> None:
    run = tiers(6_000, ((10, Send()),), attempts=2, errors=100, rate_per_s=1, service_ms=1)
    request = next(
        r
        for state in run.history.states()
        for r in getattr(state.world, "requests", ())
        if r.ended_ms >= 0
    )
    assert len(nodes(run, 11)) == 2 + 4 + 8
    assert nodes(run, 11).count("now") == 1
    marked = [nodes(run, at) for at in range(10, request.ended_ms)]
    for index in range(2 + 4, 2 + 4 + 8):
        # A call at C is not made, then under way, then failed: it never goes back.
        order = [("none", "now", "failed").index(kinds[index]) for kinds in marked]
        assert order == sorted(order)
    assert marked[-1][2 + 4 :] == ["failed"] * 8
    assert marked[-1][1] == "now"


def test_the_tree_of_a_request_that_went_well() -> None:
    run = tiers(300, ((10, Send()),), rate_per_s=1)
    tree = PATTERN.view(run.last, 300)["tree"]
    assert [n["kind"] for n in tree["nodes"]].count("good") == 3
    assert "1 call at C, answered after" in tree["says"]


def test_before_the_first_request() -> None:
    first = tiers(0, rate_per_s=1)
    scene = PATTERN.view(first.last, 0)
    assert scene["tree"]["name"] == "No request yet"
    assert {node["kind"] for node in scene["tree"]["nodes"]} == {"none"}
    assert readout(first, "Calls at C per request")[0] == "–"


def test_sentences_of_the_tiers() -> None:
    script = ((500, TakeDown()), (3_000, BringUp()))
    run = tiers(5_000, script, budget=True, budget_capacity=1, rate_per_s=5, attempts=2)
    told = "\n".join(sentences(run))
    for line in (
        "C goes down: every call at C fails from now on.",
        "reaches C and fails: it is down.",
        "failed. It tries again.",
        "failed. Its budget has no retry left.",
        "attempt 2 of B failed, and it gives up.",
        "C is up again.",
        "C has worked on a call and answers B.",
        "the client has its answer.",
        "B has its answer and passes it on.",
    ):
        assert line in told, line
    full = tiers(3_000, rate_per_s=20, threads=1, queue=0, service_ms=200, attempts=1)
    assert "reaches C and fails: it is full." in "\n".join(sentences(full))
    assert PATTERN.describe(None, None, run.last).startswith("Requests go from the client")


def test_budgets_are_drawn_and_told_only_if_there_are_any() -> None:
    with_budget = tiers(4_000, ((100, TakeDown()),), budget=True, budget_capacity=2)
    scene = PATTERN.view(with_budget.last, 4_000)
    assert [bar["name"] for bar in scene["budgets"]] == ["client", "A", "B"]
    assert all(0 <= bar["width"] <= 150 for bar in scene["budgets"])
    assert "Retries left in the budgets: client " in PATTERN.alternative(with_budget.last, 4_000)
    without = tiers(4_000)
    assert PATTERN.view(without.last, 4_000)["budgets"] == []
    assert "No retry budget." in PATTERN.alternative(without.last, 4_000)


# --- In the widget --------------------------------------------------------------------------------


def test_the_reader_changes_the_topology_and_every_knob_and_sees_a_picture() -> None:
    session = opened("w", "retry_backoff", "full-jitter")
    for name, value in (("topology", "tiers"), ("attempts", "5"), ("budget", "true")):
        session = set_param(session, name, value)
        assert "<svg" in frame(session)
    session = seek(set_param(session, "topology", "clients"), 0)
    session = act(session, "Join", {"count": "100"})
    assert "1,100" in frame(session)
    with pytest.raises(ValueError, match="through the three tiers only"):
        act(session, "Send", {})
