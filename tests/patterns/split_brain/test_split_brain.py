"""Split brain: every way to cut small clusters, random schedules, and the rules one by one."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from math import hypot

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pysims
from pysims.kernel import (
    Context,
    History,
    Message,
    Script,
    is_up,
    majority,
    partitions_of,
    run_script,
    start,
)
from pysims.patterns.split_brain import one_accepts, one_leader_per_term, quorum
from pysims.patterns.split_brain.cluster import (
    HEARTBEAT_MS,
    LATENCY_MS,
    NAMES,
    Book,
    Crash,
    Cut,
    Event,
    Heal,
    Params,
    Restart,
    State,
    accepting,
    acknowledged,
    can_decide,
    holders,
    leaders,
    lost,
    member_of,
    sides,
    sold_twice,
    with_member,
)
from pysims.patterns.split_brain.hear_nobody import SKEW_MS
from pysims.patterns.split_brain.model import init, update
from pysims.patterns.split_brain.view import HEIGHT, NODE, WIDTH, islands_of, places_of, view
from pysims.widget.render import frame
from pysims.widget.session import act, opened, set_param, to_end

CUT_MS, QUIET_MS = 1_500, 6_000
EVERY_CUT = [
    pytest.param(size, cut, id=f"{size}: {cut}")
    for size in range(2, 6)
    for cut in partitions_of(NAMES[:size])
]
every_cut = pytest.mark.parametrize(("size", "cut"), EVERY_CUT)


def history(
    script: Script, until_ms: int = QUIET_MS, seed: int = 7, **given: object
) -> History[State]:
    """The run of a script with these parameters."""
    params = Params(**given)  # type: ignore[arg-type]
    return run_script(start(update, partial(init, params), seed), script, until_ms)


def last(run: History[State]) -> State:
    return run[-1].state


def names(state: State) -> list[str]:
    return [member.name for member in accepting(state)]


def broken(state: State) -> str:
    """Which promise of the quorum a state breaks; these are stronger than the lights."""
    if not one_leader_per_term(state):
        return "two leaders in a term"
    if not one_accepts(state):
        return "two leaders accept"
    needed = majority(len(state.members))
    if any(len(holders(state, number)) < needed for number in acknowledged(state)):
        return "an acknowledged booking is not on a majority of disks"
    if sold_twice(state):
        return "a seat is sold twice"
    return ""


def first_broken(run: History[State]) -> str:
    return next((what for state in run.states() if (what := broken(state))), "")


# --- Every way to cut -----------------------------------------------------------------------------


def test_five_nodes_can_be_cut_in_51_ways() -> None:
    assert len(EVERY_CUT) == 1 + 4 + 14 + 51


@every_cut
def test_quorum_leads_exactly_where_a_majority_is(size: int, cut: str) -> None:
    run = history(((CUT_MS, Cut(cut)),), nodes=size)
    assert first_broken(run) == ""
    state = last(run)
    able = [side for side in sides(state) if can_decide(state, side)]
    assert len(able) == (max(map(len, sides(state))) > size / 2)
    assert len(names(state)) == len(able)
    assert all(name in able[0] for name in names(state))
    assert leaders(state) == accepting(state)


@every_cut
def test_hear_nobody_makes_a_leader_on_every_side(size: int, cut: str) -> None:
    run = history(((CUT_MS, Cut(cut)),), nodes=size, election="hear_nobody")
    state = last(run)
    assert names(state) == sorted(min(side) for side in sides(state))
    # Every side sells the same next seat.
    assert sold_twice(state)


@every_cut
@pytest.mark.parametrize("election", ["hear_nobody", "quorum"])
def test_healing_leaves_one_leader_and_one_ledger(size: int, cut: str, election: str) -> None:
    heal_ms = 3_500
    run = history(((CUT_MS, Cut(cut)), (heal_ms, Heal())), nodes=size, election=election)
    state = last(run)
    [leader] = accepting(state)
    at_heal = run[run.index_at(heal_ms)].state
    assert not lost(at_heal)
    if election == "quorum":
        assert first_broken(run) == ""
        return
    assert leader.name == "A"
    # All that the other sides acknowledged after the cut is gone, and nothing else.
    gone = tuple(n for n in acknowledged(state) if state.bookings[n].seller != "A")
    assert lost(state) == gone
    assert gone


@pytest.mark.parametrize("size", range(2, len(NAMES) + 1))
def test_a_cluster_survives_its_spare_nodes_and_no_more(size: int) -> None:
    spare = size - majority(size)
    crashes = tuple((CUT_MS + 10 * i, Crash(NAMES[i])) for i in range(spare + 1))
    survives = last(history(crashes[:spare], nodes=size))
    stops = last(history(crashes, nodes=size))
    assert len(names(survives)) == 1
    assert not leaders(stops)
    assert not lost(stops)


def test_four_survive_no_more_than_three_and_six_no_more_than_five() -> None:
    spare = [size - majority(size) for size in range(1, 8)]
    assert spare == [0, 0, 1, 1, 2, 2, 3]


# --- Random schedules -----------------------------------------------------------------------------


@st.composite
def schedules(draw: st.DrawFn) -> tuple[int, Script, int]:
    """A cluster's size, and a script of cuts, heals, crashes, restarts and customers for it."""
    size = draw(st.integers(2, len(NAMES)))
    nodes, cuts = NAMES[:size], partitions_of(NAMES[:size])
    down: list[str] = []
    script: list[tuple[int, Event]] = []
    time_ms = 0
    for _ in range(draw(st.integers(1, 20))):
        time_ms += draw(st.integers(1, 900))
        kind = draw(st.sampled_from(["cut", "heal", "crash", "restart", "book"]))
        up = [name for name in nodes if name not in down]
        event: Event = Heal()
        if kind == "cut":
            event = Cut(draw(st.sampled_from(cuts)))
        elif kind == "crash" and up:
            event = Crash(draw(st.sampled_from(up)))
            down.append(event.node)
        elif kind == "restart" and down:
            event = Restart(down.pop(draw(st.integers(0, len(down) - 1))))
        elif kind == "book":
            event = Book(draw(st.sampled_from(nodes)))
        script.append((time_ms, event))
    return size, tuple(script), time_ms + 1_500


@settings(max_examples=150, deadline=None)
@given(
    plan=schedules(),
    seed=st.integers(0, 2**32 - 1),
    loss=st.sampled_from([0.0, 0.1, 0.3]),
)
def test_a_quorum_keeps_its_promises_whatever_happens(
    plan: tuple[int, Script, int], seed: int, loss: float
) -> None:
    size, script, until_ms = plan
    run = history(script, until_ms, seed, nodes=size, loss=loss, customers_every_ms=200)
    assert first_broken(run) == ""


@settings(max_examples=40, deadline=None)
@given(plan=schedules(), seed=st.integers(0, 2**32 - 1))
def test_a_quorum_recovers_when_everything_is_whole_again(
    plan: tuple[int, Script, int], seed: int
) -> None:
    size, script, until_ms = plan
    down: list[str] = []
    for _, event in script:
        if isinstance(event, Crash):
            down.append(event.node)
        elif isinstance(event, Restart):
            down.remove(event.node)
    mended = (*script, (until_ms, Heal()), *((until_ms, Restart(name)) for name in down))
    run = history(mended, until_ms + 15_000, seed, nodes=size)
    state = last(run)
    [leader] = accepting(state)
    assert all(
        set(acknowledged(state)) <= set(member.ledger) or member.leader == leader.name
        for member in state.members
    )


# --- Each rule is needed --------------------------------------------------------------------------

SCRIPT: Script = (
    (1_300, Cut("AB")),
    (3_000, Heal()),
    (4_000, Crash("C")),
    (4_600, Restart("C")),
    (5_000, Cut("ACD")),
    (6_500, Cut("AE")),
)


def any_broken(script: Script = SCRIPT, size: int = 5, loss: float = 0.3) -> str:
    """The first promise that one of forty seeds breaks."""
    for seed in range(40):
        run = history(script, 9_000, seed, nodes=size, loss=loss, customers_every_ms=200)
        if what := first_broken(run):
            return what
    return ""


def test_with_all_rules_nothing_breaks() -> None:
    assert any_broken() == ""


def test_without_a_majority_of_the_whole_cluster_two_lead(monkeypatch: pytest.MonkeyPatch) -> None:
    # Half of an even cluster is taken for enough.
    monkeypatch.setattr(quorum, "majority", lambda nodes: max(1, nodes // 2))
    assert any_broken(((1_300, Cut("AB")),), size=4, loss=0.0) != ""


def test_without_the_check_of_the_ledger_bookings_are_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quorum, "recent_enough", lambda member, request: True)
    assert "not on a majority" in any_broken()


def test_without_stepping_down_in_time_two_accept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quorum, "LEASE_MS", 1_500)
    assert "two leaders accept" in any_broken(((1_300, Cut("AB")),), loss=0.0)


def test_without_one_vote_per_term_two_lead_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    on_request = quorum.on_request

    def forgetful(state: State, message: Message, ctx: Context) -> State:
        voter = replace(member_of(state, message.target), voted_for="")
        return on_request(with_member(state, voter), message, ctx)

    monkeypatch.setattr(quorum, "on_request", forgetful)
    assert "two leaders in a term" in any_broken((), loss=0.0)


def test_the_times_fit_together() -> None:
    # An old leader stops before anybody may vote for a new one.
    assert quorum.TIMEOUT_MS[0] > quorum.LEASE_MS
    # A lease outlives the round that renews it, and patience some heartbeats.
    assert HEARTBEAT_MS + 2 * LATENCY_MS[1] < quorum.LEASE_MS
    # Who is next in rank is heard before another acts.
    assert LATENCY_MS[1] + (LATENCY_MS[1] - LATENCY_MS[0]) < SKEW_MS


# --- Crashes and customers ------------------------------------------------------------------------


def test_a_crash_keeps_the_disk_and_forgets_the_rest() -> None:
    run = history(((2_000, Crash("A")), (2_000, Restart("A"))), 2_000)
    index = run.index_at(1_999)
    before, after = member_of(run[index].state, "A"), member_of(last(run), "A")
    assert before.ledger
    assert before.term
    kept = ("term", "voted_for", "ledger", "ledger_term")
    assert [getattr(after, f) for f in kept] == [getattr(before, f) for f in kept]
    assert (after.role, after.leader, after.votes) == ("follower", "", ())


def test_a_follower_turns_a_customer_away_and_says_whom_it_follows() -> None:
    pattern = pysims.load_pattern("split_brain")
    run = pysims.run("split_brain", "quorum", script=((1_650, Book("B")),), until_ms=1_650)
    before, event, after = run.history.change(len(run.history) - 1)
    assert after.turned_away == before.turned_away + 1
    assert after.bookings == before.bookings
    assert "not the leader; it follows A" in pattern.describe(before, event, after)


def test_both_elections_meet_the_same_cut_with_the_same_leader() -> None:
    first, second = (pysims.run("split_brain", name).history for name in ("hear-nobody", "quorum"))
    for run in (first, second):
        assert names(run[run.index_at(1_699)].state) == ["A"]
    assert pysims.load_pattern("split_brain").scenario("hear-nobody").script == (
        pysims.load_pattern("split_brain").scenario("quorum").script
    )


# --- Bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "message"),
    [
        (Crash("X"), "node must be one of A, B, C, D, E, got 'X'"),
        (Restart("X"), "node must be one of A, B, C, D, E, got 'X'"),
        (Book("F"), "node must be one of A, B, C, D, E, got 'F'"),
        (Restart("A"), "must be one that is down, got 'A'"),
        (Cut("AB | BC"), "name each node once, got 'B' twice"),
        (Cut("AB | CDX"), "must be among A, B, C, D, E, got 'X'"),
        (Cut("ABCDE"), "two sides or more, got 'ABCDE'"),
        (Cut(" "), "two sides or more, got ' '"),
    ],
)
def test_a_script_with_a_mistake_is_refused(event: Event, message: str) -> None:
    with pytest.raises(ValueError, match="must") as problem:
        pysims.run("split_brain", script=((100, event),), until_ms=200)
    assert message in str(problem.value)


def test_a_node_crashes_once() -> None:
    with pytest.raises(ValueError, match="must be one that is up, got 'A'"):
        history(((100, Crash("A")), (200, Crash("A"))))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"nodes": 8}, "nodes must be an integer from 2 to 7, got 8"),
        ({"nodes": 1}, "nodes must be an integer from 2 to 7, got 1"),
        ({"loss": -0.1}, "loss must be a number from 0 to 0.5"),
        ({"election": "coin"}, "election must be one of hear_nobody, quorum"),
    ],
)
def test_a_parameter_out_of_range_is_refused(params: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match="must") as problem:
        pysims.run("split_brain", params=params)
    assert message in str(problem.value)


def test_a_size_that_the_script_does_not_fit_leaves_the_run_as_it_was() -> None:
    session = opened("w", "split_brain", "quorum")
    with pytest.raises(ValueError, match="two sides or more, got 'AB'"):
        set_param(session, "nodes", "2")
    for size in range(3, 8):
        assert len(to_end(set_param(session, "nodes", str(size))).sim.state.members) == size


# --- The picture ----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", range(2, 8))
def test_every_partition_has_its_islands_and_no_two_nodes_touch(size: int) -> None:
    whole = last(history((), 0, nodes=size))
    for cut in ("", *partitions_of(NAMES[:size]), " | ".join(NAMES[:size])):
        state = update(whole, Cut(cut), start_context()) if cut else whole
        islands = islands_of(state)
        places = places_of(islands)
        assert len(islands) == len(sides(state))
        assert sorted(places) == list(NAMES[:size])
        for land in islands:
            assert land["x"] >= 0
            assert land["x"] + land["width"] <= WIDTH + 0.01
            assert land["y"] + land["height"] <= HEIGHT + 0.01
            for name in land["side"]:
                x, y = places[name]
                assert land["x"] + NODE < x < land["x"] + land["width"] - NODE
                # A crown above and two lines of words below stay on the island.
                assert land["y"] + 40 <= y <= land["y"] + land["height"] - 54
        spots = list(places.values())
        for i, a in enumerate(spots):
            for b in spots[:i]:
                assert hypot(a[0] - b[0], a[1] - b[1]) > 2.5 * NODE


def start_context() -> Context:
    ctx = Context(1, 0)
    ctx.turn_to(0, 0)
    return ctx


def test_every_cut_that_is_offered_can_be_made_and_drawn() -> None:
    session = opened("w", "split_brain", "quorum")
    offered = partitions_of(session.sim.state.network.nodes)
    assert len(offered) == 51
    for cut in offered[::5]:
        after = act(session, "Cut", {"partition": cut})
        scene = view(after.sim.state, after.now_ms)
        assert len(scene["network"]["islands"]) == cut.count("|") + 1
        assert f">{cut}</option>" in frame(after)


def test_crowns_ballots_and_torn_seats_are_drawn() -> None:
    wrong = opened("w", "split_brain", "hear-nobody")
    scene = view(wrong.sim.state, wrong.now_ms)
    assert [node["id"] for node in scene["network"]["nodes"] if node["crown"]] == ["A", "C"]
    torn = [seat["seat"] for seat in scene["hall"]["seats"] if seat["torn"]]
    assert torn == list(sold_twice(wrong.sim.state))
    assert torn
    assert scene["led"]["twice"]
    ended = to_end(wrong)
    gone = [
        claim["buyer"]
        for seat in view(ended.sim.state, ended.now_ms)["hall"]["seats"]
        for claim in seat["claims"]
        if claim["kind"] == "lost"
    ]
    assert gone == [ended.sim.state.bookings[number].buyer for number in lost(ended.sim.state)]
    assert gone

    stopped = opened("w", "split_brain", "four-nodes")
    nodes = view(stopped.sim.state, stopped.now_ms)["network"]["nodes"]
    assert not any(node["crown"] for node in nodes)
    assert any(len([b for b in node["ballots"] if b["name"]]) == 2 for node in nodes)
    assert all(len(node["ballots"]) in (0, 3) for node in nodes)


def test_an_old_leader_that_cannot_win_is_drawn_in_doubt_and_accepts_nothing_for_good() -> None:
    run = pysims.run("split_brain", "quorum").history
    sim = run[run.index_at(1_860)]
    nodes = view(sim.state, 1_860)["network"]["nodes"]
    assert [node["role"] for node in nodes if node["crown"]] == ["leader?"]
    [number] = [n for n, booking in enumerate(sim.state.bookings) if booking.asked_ms > 1_700]
    assert number not in acknowledged(run[-1].state)
    assert is_up(sim.state.network, "A")


def test_the_size_on_show_is_lit_in_the_table_of_majorities() -> None:
    scene = view(opened("w", "split_brain", "four-nodes").sim.state, 2_900)
    lit = [c for c in scene["majority"]["columns"] if c["current"]]
    assert [(c["nodes"], c["needed"], c["spare"]) for c in lit] == [(4, 3, 1)]
    assert "no more than of 3" in scene["lesson"]
    assert "2 and 2" in scene["lesson"]
