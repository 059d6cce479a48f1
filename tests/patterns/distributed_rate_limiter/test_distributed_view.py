"""The picture: it draws the strategy on show, says what is wrong, and its chart adds up."""

from typing import Any

import pytest

import pysims
from pysims.kernel import Run, Series
from pysims.patterns.distributed_rate_limiter import (
    PATTERN,
    CrashServer,
    CrashStore,
    CutServer,
    SendBurst,
    SendOne,
    State,
)
from pysims.patterns.distributed_rate_limiter.state import SYNC
from pysims.patterns.distributed_rate_limiter.view import alternative, describe, running, view
from pysims.widget.render import frame
from pysims.widget.session import command, opened

ID = "distributed_rate_limiter"


def run_of(script: Any = (), until_ms: int = 2_000, **params: Any) -> Run[State]:
    return pysims.run(ID, params=params, script=script, until_ms=until_ms)


def labels(run: Run[State]) -> list[str]:
    """What the messages to and from the store say, over the whole run."""
    found: list[str] = []
    for sim in run.history:
        found += [call["label"] for call in view(sim.state, sim.now_ms)["calls"]]
    return [label for label in found if label]


@pytest.mark.parametrize(
    ("strategy", "said"),
    [
        ("local", []),
        ("split", []),
        ("shared", ["+1", "1"]),
        ("get_then_set", ["get", "0", "set 1"]),
        ("sync", ["+1", "1"]),
    ],
)
def test_only_the_messages_of_the_strategy_on_show_are_drawn(
    strategy: str, said: list[str]
) -> None:
    run = run_of(((0, SendOne()),), requests=0, strategy=strategy)
    assert list(dict.fromkeys(labels(run))) == said


def test_bars_stand_for_the_tallies() -> None:
    run = pysims.run(ID, "local-counters")
    bars = view(run.last, 5_200)["bars"]
    assert [row["count"] for row in bars["rows"]] == ["1,000", "100", "645", "100", "222"]
    assert [row["wrong"] for row in bars["rows"]][:2] == ["900 too many", ""]
    local, shared = bars["rows"][0], bars["rows"][3]
    assert [row["chosen"] for row in bars["rows"]] == [True, False, False, False, False]
    # Ten times the limit is drawn ten times as long, and the limit's line ends the first part.
    assert (local["width"] + local["beyond"]) / shared["width"] == pytest.approx(10)
    assert shared["beyond"] == 0
    assert bars["left"] + shared["width"] == pytest.approx(bars["limit"])
    assert local["came"] / shared["width"] == pytest.approx(11)


def test_a_new_window_empties_the_bars_and_not_the_errors() -> None:
    run = run_of(((0, SendBurst(60)),), strategy="local", requests=0, limit=10, window_ms=1_000)
    first = view(run.state_at(900), 900)["bars"]["rows"][0]
    later = view(run.state_at(1_500), 1_500)["bars"]["rows"][0]
    assert (first["count"], later["count"]) == ("60", "0")
    assert first["wrong"] == later["wrong"] == "50 too many"


def test_the_table_of_intervals_is_in_order_and_only_where_servers_sync() -> None:
    last = pysims.run(ID, "periodic-sync").last
    rows = view(last, 5_700)["lanes"]
    assert [row["interval"] for row in rows] == [
        "100 ms",
        "250 ms",
        "500 ms",
        "1,000 ms",
        "2,000 ms",
    ]
    assert [row["chosen"] for row in rows] == [False, False, True, False, False]
    assert rows[2]["over"] == f"{last.tallies[SYNC].over}"
    assert view(pysims.run(ID, "shared-counter").last, 5_700)["lanes"] == []


def test_running_counts_start_again_with_each_window() -> None:
    series = Series(50)
    for now_ms in (0, 10, 60, 1_000, 1_049):
        series = series.add(now_ms)
    points = running(series, 1_000, 2, 1)
    assert points[:3] == [(0, 0), (50, 2), (100, 3)]
    assert points[-3:] == [(1_000, 3), (1_000, 0), (1_050, 2)]


def test_running_counts_what_came_before_the_kept_bins() -> None:
    series = Series(50, 100, (4, 0, 2))
    assert running(series, 60_000, 50, 0)[-1] == (5_150, 50)


def test_the_chart_ends_now_and_falls_to_zero_with_its_window() -> None:
    run = run_of(
        ((0, SendBurst(5)),), 3_000, strategy="local", requests=0, window_ms=2_000, limit=10
    )
    within = view(run.state_at(1_500), 1_500)["chart"]
    assert within["through"].endswith(f"L{within['right']:.1f} {_height(within, 5)}")
    after = view(run.state_at(2_500), 2_500)["chart"]
    assert after["through"].endswith(f"L{after['right']:.1f} {after['bottom']:.1f}")


def _height(chart: dict[str, Any], count: int) -> str:
    """Where a count lies on the chart's vertical axis, which the limit (10) fixes."""
    per_one = (chart["bottom"] - chart["limit"]) / 10
    return f"{chart['bottom'] - count * per_one:.1f}"


def test_what_is_down_or_cut_is_drawn_and_told() -> None:
    script = ((0, CrashServer("S1")), (1, CutServer("S2")), (2, CrashStore()), (3, SendBurst(4)))
    run = run_of(script, requests=0, servers=3, strategy="shared")
    state = run.state_at(90)
    drawn = view(state, 90)
    assert [server["up"] for server in drawn["servers"]] == [False, True, True]
    assert [server["cut"] for server in drawn["servers"]] == [False, True, False]
    assert drawn["store"]["up"] is False
    assert drawn["how"].startswith("The store is down: each request waits 100 ms in vain")
    assert sum(len(server["dots"]) for server in drawn["servers"]) == len(state.waiting) == 4
    text = alternative(state, 90)
    assert "The store is down. Down: S1. Cut from the store: S2." in text


def test_verdicts_fly_back_only_for_as_long_as_they_take() -> None:
    run = run_of(((0, SendOne()),), requests=0, strategy="local", limit=10)
    decided = run.last.decided[0]
    at = view(run.last, decided.at_ms)["verdicts"][0]
    later = view(run.last, decided.at_ms + 20)["verdicts"][0]
    assert at["allowed"]
    assert later["y"] < at["y"]
    assert view(run.last, decided.at_ms + 60)["verdicts"] == []


def test_sentences_say_what_happened_and_what_is_not_in_the_picture() -> None:
    run = run_of(((0, SendOne()),), requests=0, strategy="local", sync_ms=100)
    said = [describe(*run.history.change(index)) for index in range(1, len(run.history))]
    assert said[0] == "Request 1 sets out; the load balancer picks S1."
    assert said[1] == "Server S1 lets the request through: its own count is 1 of 100."
    assert all(each.startswith("Not in the picture, for another strategy: ") for each in said[2:])
    assert said[2].endswith("the store answers S1.")


@pytest.mark.parametrize("fail_open", [True, False])
def test_a_silence_is_told_with_what_was_made_of_it(fail_open: bool) -> None:
    script = ((0, CrashStore()), (1, SendOne()))
    run = run_of(script, requests=0, strategy="shared", fail_open=fail_open)
    said = [describe(*run.history.change(index)) for index in range(1, len(run.history))]
    which = "let through (fail-open)" if fail_open else "refused (fail-closed)"
    assert f"After 100 ms without an answer of the store, 1 request is {which}." in said
    assert "A message from S1 to the store is lost." in said


def test_the_reader_acts_and_the_frame_follows() -> None:
    session = opened("w", ID, "shared-counter")
    session = command(session, {"do": "act", "name": "CrashStore", "arguments": {}})
    html = frame(session)
    assert "The store crashes and keeps its counters on disk." in html
    assert "down: it answers nobody" in html
    with pytest.raises(ValueError, match="“Requests” must be an integer from 2 to 300"):
        command(session, {"do": "act", "name": "SendBurst", "arguments": {"count": "301"}})


def test_every_strategy_has_its_words() -> None:
    state = run_of(((0, SendBurst(3)),), requests=0, limit=10, servers=3).last
    assert len({sim.title for sim in PATTERN.scenarios}) == len(PATTERN.scenarios)
    for strategy in ("local", "split", "get_then_set", "shared", "sync"):
        text = alternative(
            run_of(((0, SendBurst(3)),), requests=0, strategy=strategy, limit=10, servers=3).last,
            2_000,
        )
        assert "Let through in this window, on the same requests" in text
    # A limit of ten on three servers: one of them gets four.
    split = run_of(((0, SendBurst(3)),), requests=0, limit=10, servers=3, strategy="split").last
    assert "Each server may let 3 or 4 through" in alternative(split, 2_000)
    assert state.sent.number == 3
