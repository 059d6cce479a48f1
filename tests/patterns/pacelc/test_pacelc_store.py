"""The quorum store: what R + W > N promises, what a cut does, what must not depend on R and W."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pysims
from pysims.kernel import Run
from pysims.patterns.pacelc import (
    PATTERN,
    ConsistentRead,
    CutAway,
    EventualRead,
    Heal,
    SetLink,
    State,
    Write,
)
from pysims.patterns.pacelc.distances import LAYOUTS
from pysims.patterns.pacelc.model import (
    NAMES,
    Answer,
    Due,
    Request,
    acknowledged_version,
    floor_of,
    is_stale,
    latency_ms,
    overlapping,
    read_units,
)
from pysims.patterns.pacelc.view import recent_of
from pysims.patterns.pacelc.words import describe, in_short, verdict
from pysims.widget.session import command, opened

relaxed = settings(deadline=None, max_examples=60)
LIGHTS = {light.name: light for light in PATTERN.invariants}


def run_of(seed: int = 1, script: Any = (), until_ms: int = 60_000, **params: Any) -> Run[Any]:
    return pysims.run("pacelc", params=params, seed=seed, script=script, until_ms=until_ms)


def end_of(run: Run[Any]) -> State:
    state: State = run.last
    return state


def requests_of(run: Run[Any]) -> dict[int, Request]:
    """Every request of a run, as it was last seen."""
    return {request.id: request for state in run.history.states() for request in state.requests}


@st.composite
def stores(draw: st.DrawFn) -> dict[str, Any]:
    """Parameters with R and W within N."""
    replicas = draw(st.integers(1, 5))
    return {
        "layout": draw(st.sampled_from(list(LAYOUTS))),
        "replicas": replicas,
        "read_quorum": draw(st.integers(1, replicas)),
        "write_quorum": draw(st.integers(1, replicas)),
        "interval_ms": draw(st.sampled_from([2, 5, 20, 100])),
        "write_share": draw(st.sampled_from([10, 40, 70])),
        "requests": 60,
        "loss": draw(st.sampled_from([0, 0, 10, 40])),
        "timeout_ms": draw(st.sampled_from([30, 300, 1_000])),
    }


@st.composite
def clicks(draw: st.DrawFn, replicas: int) -> list[tuple[int, Any]]:
    """What a reader may do: requests of his own, cuts, healing."""
    site = st.sampled_from(NAMES[:replicas])
    kinds = st.sampled_from([ConsistentRead, EventualRead, Write, CutAway])
    event = st.one_of(st.builds(lambda kind, at: kind(at), kinds, site), st.just(Heal()))
    timed = draw(st.lists(st.tuples(st.integers(0, 1_500), event), max_size=8))
    return sorted(timed, key=lambda pair: pair[0])


# --- Promises -------------------------------------------------------------------------------------


@relaxed
@given(st.data())
def test_no_promise_is_ever_broken(data: st.DataObject) -> None:
    params = data.draw(stores())
    script = data.draw(clicks(params["replicas"]))
    run = run_of(data.draw(st.integers(0, 10_000)), script, 8_000, **params)
    for state in run.history.states():
        for light in PATTERN.invariants:
            assert light.holds(state), light.name
    tally, n = end_of(run).tally, params["replicas"]
    for r in range(1, n + 1):
        for w in range(n - r + 1, n + 1):
            assert tally.stale[r - 1][w - 1] == 0
    if overlapping(end_of(run).params):
        assert tally.could == 0


@relaxed
@given(stores(), st.integers(0, 10_000))
def test_a_stale_read_could_have_been_stale(params: dict[str, Any], seed: int) -> None:
    run = run_of(seed, until_ms=8_000, **params)
    reads = [request for request in requests_of(run).values() if request.kind == "read"]
    state = end_of(run)
    for request in reads:
        assert request.could_be_stale or not is_stale(state, request)
    tally = end_of(run).tally
    r, w = params["read_quorum"], params["write_quorum"]
    assert tally.stale[r - 1][w - 1] == sum(tally.ages_stale)
    assert tally.stale[r - 1][w - 1] <= tally.could


def test_without_overlap_reads_are_stale() -> None:
    for layout, w in (("region", 1), ("region", 2), ("ocean", 1)):
        state = end_of(run_of(layout=layout, read_quorum=1, write_quorum=w))
        assert state.tally.stale[0][w - 1] >= 3, (layout, w)


@pytest.mark.parametrize("name", LIGHTS)
def test_every_light_can_go_out(name: str) -> None:
    state = end_of(run_of(requests=20))
    newest = acknowledged_version(state)
    broken = {
        "R + W > N: no stale read": replace(state, broken=(1, 0)),
        "Consistent reads are fresh": replace(state, broken=(0, 1)),
        "A read returns a written value": replace(
            state,
            requests=tuple(
                replace(r, kind="read", done_ms=r.invoked_ms, result=newest + 99)
                for r in state.requests
            ),
        ),
        "Acknowledged writes go on": replace(
            state, replicas=(replace(state.replicas[0], version=newest - 1), *state.replicas[1:])
        ),
    }
    assert LIGHTS[name].holds(state)
    assert not LIGHTS[name].holds(broken[name])


# --- The same messages for every R and W ----------------------------------------------------------


@settings(deadline=None, max_examples=15)
@given(stores(), st.integers(0, 10_000))
def test_the_tally_is_the_same_for_every_r_and_w(params: dict[str, Any], seed: int) -> None:
    found = []
    for r in range(1, params["replicas"] + 1):
        for w in {1, params["replicas"]}:
            run = run_of(seed, until_ms=8_000, **{**params, "read_quorum": r, "write_quorum": w})
            tally = end_of(run).tally
            found.append(
                (tally.read_ms, tally.write_ms, tally.unread, tally.unwritten, tally.stale)
            )
            r_stale = sum(is_stale(end_of(run), q) for q in requests_of(run).values())
            assert r_stale == tally.stale[r - 1][w - 1]
    assert all(tally == found[0] for tally in found)


@relaxed
@given(stores(), st.integers(0, 10_000))
def test_every_request_is_counted_once_for_every_rank(params: dict[str, Any], seed: int) -> None:
    run = run_of(seed, until_ms=20_000, **params)
    tally, found = end_of(run).tally, requests_of(run).values()
    for kind, counts, missed in (
        ("read", tally.read_ms, tally.unread),
        ("write", tally.write_ms, tally.unwritten),
    ):
        total = sum(request.kind == kind for request in found)
        for k in range(params["replicas"]):
            assert sum(counts[k]) + missed[k] == total, (kind, k)


def test_an_answer_at_the_deadline_is_too_late() -> None:
    whole = {"requests": 300, "timeout_ms": 20, "write_quorum": 3, "write_share": 100}
    at_deadline = [
        request
        for seed in range(6)
        for request in requests_of(run_of(seed, **whole)).values()
        if len(request.answers) == 3 and request.answers[-1].came_ms == request.deadline_ms
    ]
    assert at_deadline
    assert all(request.failed and request.done_ms < 0 for request in at_deadline)


def test_a_larger_quorum_never_makes_a_request_faster() -> None:
    def latencies(**quorums: int) -> list[int]:
        found = requests_of(run_of(layout="mixed", interval_ms=40, **quorums))
        return [latency_ms(request) for _, request in sorted(found.items())]

    before = latencies(read_quorum=1, write_quorum=1)
    for quorum in (2, 3):
        after = latencies(read_quorum=quorum, write_quorum=quorum)
        assert all(a <= b for a, b in zip(before, after, strict=True))
        assert before != after
        before = after


# --- One request, step by step --------------------------------------------------------------------


def test_a_write_goes_on_after_its_acknowledgment() -> None:
    run = run_of(2, [(10, Write("A"))], requests=0, layout="ocean", write_quorum=1)
    done = next(s for s in run.history.states() if s.requests and s.requests[0].done_ms >= 0)
    assert [replica.version for replica in done.replicas] == [1, 0, 0]
    assert [replica.version for replica in end_of(run).replicas] == [1, 1, 1]
    assert end_of(run).requests[0].over


def test_a_write_is_acknowledged_by_the_w_th_answer_and_a_read_by_the_r_th() -> None:
    run = run_of(5, requests=80, layout="region", read_quorum=2, write_quorum=3)
    seen = {"read": 0, "write": 0}
    for request in requests_of(run).values():
        came = sorted(answer.came_ms for answer in request.answers)
        assert request.done_ms == came[request.needed - 1]
        assert request.needed == {"read": 2, "write": 3}[request.kind]
        seen[request.kind] += 1
        if request.kind == "read":
            first = request.answers[: request.needed]
            assert request.result == max(answer.version for answer in first)
    assert min(seen.values()) > 10


def test_both_reads_of_dynamodb_and_their_price() -> None:
    state = end_of(pysims.run("pacelc", "dynamodb"))
    eventual, consistent = (r for r in state.requests if r.by_reader and r.kind != "write")
    assert (eventual.kind, eventual.needed, read_units("eventual")) == ("eventual", 1, 0.5)
    assert (consistent.kind, consistent.needed, read_units("consistent")) == ("consistent", 2, 1.0)
    assert eventual.result < floor_of(state, eventual) == consistent.result


def test_what_the_reader_asks_is_not_measured() -> None:
    script = [(t, kind("A")) for t in (10, 400) for kind in (Write, ConsistentRead, EventualRead)]
    state = end_of(run_of(1, script, requests=0))
    assert state.next_request == 6
    assert sum(map(sum, state.tally.read_ms + state.tally.write_ms)) == 0


# --- Cuts -----------------------------------------------------------------------------------------


def test_beside_a_cut_replica_a_quorum_fails_and_one_answer_does_not() -> None:
    script = [(100, CutAway("C")), (110, ConsistentRead("C")), (110, EventualRead("C"))]
    script += [(110, ConsistentRead("A"))]
    state = end_of(run_of(3, script, requests=0, timeout_ms=500, until_ms=2_000))
    island, alone, majority = state.requests
    assert island.failed
    assert latency_ms(island) == 500
    assert [answer.replica for answer in island.answers] == ["C"]
    assert alone.done_ms > 0
    assert majority.done_ms > 0
    assert not majority.failed


def test_a_cut_replica_serves_old_values_and_catches_up_when_healed() -> None:
    script = [(100, CutAway("C")), (150, Write("A")), (900, EventualRead("C")), (1_000, Heal())]
    cut = end_of(run_of(1, script, requests=0, timeout_ms=300, until_ms=999))
    assert [replica.version for replica in cut.replicas] == [1, 1, 0]
    assert is_stale(cut, cut.requests[-1])
    healed = end_of(run_of(1, script, requests=0, timeout_ms=300, until_ms=5_000))
    assert [replica.version for replica in healed.replicas] == [1, 1, 1]


def test_cuts_add_up_and_healing_undoes_them_all() -> None:
    run = run_of(1, [(10, CutAway("A")), (20, CutAway("B")), (30, Heal())], requests=0, replicas=5)
    assert run.history[2].state.network.groups == (("A",), ("B",), ("C", "D", "E"))
    assert end_of(run).network.groups == ()
    assert end_of(run).away == ()


@settings(deadline=None, max_examples=30)
@given(stores(), st.integers(0, 10_000))
def test_in_the_end_all_replicas_agree(params: dict[str, Any], seed: int) -> None:
    script = [(200, CutAway("A")), (900, Heal())]
    state = end_of(run_of(seed, script, 120_000, **params))
    assert {replica.version for replica in state.replicas} == {state.newest_version}
    assert all(request.over for request in state.requests if request.kind == "read")


def test_a_long_cut_does_not_flood_the_run() -> None:
    whole = {"replicas": 5, "requests": 60, "timeout_ms": 20, "layout": "ocean"}
    script = [(100, CutAway(name)) for name in "ABCD"]
    quiet = len(run_of(1, until_ms=120_000, **whole).history)
    cut = len(run_of(1, script, 120_000, **whole).history)
    assert quiet < cut < 20_000 // 2


def test_what_changes_nothing_leaves_the_same_state() -> None:
    script = [(10, Heal()), (20, CutAway("A")), (30, CutAway("A"))]
    run = run_of(1, script, requests=0)
    changes = [run.history.change(index) for index in range(1, len(run.history))]
    assert [before is after for before, _, after in changes] == [True, False, True]
    # The deadline of a read that every replica has answered.
    quick = run_of(1, [(10, ConsistentRead("A"))], requests=0)
    before, event, after = quick.history.change(len(quick.history) - 1)
    assert event == Due(0)
    assert before is after


def test_a_write_without_its_quorum_is_unknown_and_may_take_effect() -> None:
    script = [(100, CutAway("C")), (110, Write("C")), (2_000, Heal())]
    run = run_of(1, script, requests=0, timeout_ms=500, until_ms=8_000)
    cut = run.history[run.history.index_at(1_900)].state
    (write,) = cut.requests
    assert verdict(cut, write) == ("unknown", "unknown: 1 of 2 acknowledged in time")
    assert in_short(cut, write) == "v1 unknown: 1 of 2"
    said = [describe(*run.history.change(index)) for index in range(1, len(run.history))]
    assert any("outcome is unknown, and v1 may spread yet" in line for line in said)
    healed = end_of(run)
    assert [replica.version for replica in healed.replicas] == [1, 1, 1]
    assert len(healed.requests[0].answers) == 3
    assert verdict(healed, healed.requests[0]) == verdict(cut, write)


def test_the_last_request_that_failed_is_kept() -> None:
    script = [(500, CutAway("C")), (600, Heal())]
    run = run_of(3, script, requests=200, timeout_ms=100)
    everything = requests_of(run)
    last = max(number for number, request in everything.items() if request.failed)
    assert last < 100
    assert [request.id for request in end_of(run).requests if request.failed] == [last]
    # The first row is the newest request, and the last row is the one that failed.
    rows = recent_of(end_of(run), 6)
    assert [row["id"] for row in rows] == [199, 198, 197, 196, 195, last]


# --- Links ----------------------------------------------------------------------------------------


def test_a_longer_link_is_slower_and_measuring_starts_anew() -> None:
    whole = {"requests": 200, "replicas": 2, "read_quorum": 2, "write_quorum": 2}
    near = end_of(run_of(4, **whole))
    far_run = run_of(4, [(1_500, SetLink("AB", "ocean"))], **whole)
    far = end_of(far_run)
    counted = sum(map(sum, (far.tally.read_ms[0], far.tally.write_ms[0])))
    assert counted == far.next_request - far.measured_from > 50
    assert far.measured_from > 50
    found = requests_of(far_run)
    for number in range(far.measured_from, far.next_request):
        assert latency_ms(found[number]) >= 89
    assert sum(near.tally.read_ms[1][:21]) > 50


# --- Bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "words"),
    [
        (
            {"read_quorum": 4},
            r"^R \(replicas a read waits for\) must be at most N, which is 3, got 4$",
        ),
        ({"write_quorum": 4}, r"^W \(replicas a write waits for\) must be at most N, which is 3"),
        ({"replicas": 1}, "must be at most N, which is 1, got 2"),
        ({"read_quorum": 0}, "read_quorum must be an integer from 1 to 5, got 0"),
        ({"replicas": 6}, "replicas must be an integer from 1 to 5, got 6"),
        ({"loss": -1}, "loss must be an integer from 0 to 50, got -1"),
        ({"timeout_ms": -5}, "timeout_ms must be an integer from 20 to 3000, got -5"),
        ({"interval_ms": 0}, "interval_ms must be an integer from 2 to 1000, got 0"),
        ({"layout": "moon"}, "layout must be one of zone, region, mixed, ocean, got 'moon'"),
    ],
)
def test_parameters_that_are_not_allowed(params: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        run_of(**params)


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (Write("D"), "site must be one of A, B, C, got 'D'"),
        (ConsistentRead("Z"), "site must be one of A, B, C, got 'Z'"),
        (EventualRead("AB"), "site must be one of A, B, C, got 'AB'"),
        (CutAway("E"), "site must be one of A, B, C, got 'E'"),
        (SetLink("AD", "zone"), "line must be one of AB, AC, BC, got 'AD'"),
        (SetLink("AB", "moon"), "distance must be one of zone, region, ocean, got 'moon'"),
    ],
)
def test_events_that_are_not_allowed(event: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        run_of(1, [(10, event)])


def test_an_unknown_event_is_refused() -> None:
    with pytest.raises(ValueError, match="pacelc has no event 7"):
        run_of(1, [(10, 7)])


@pytest.mark.parametrize(("name", "letter"), [("read_quorum", "R"), ("write_quorum", "W")])
def test_the_widget_refuses_a_quorum_above_n_and_the_run_stays(name: str, letter: str) -> None:
    session = opened("w", "pacelc", "quorum")
    with pytest.raises(ValueError, match=f"{letter} .*must be at most N, which is 3, got 4"):
        command(session, {"do": "param", "name": name, "value": "4"})
    raised = command(session, {"do": "param", "name": name, "value": "3"})
    with pytest.raises(ValueError, match=f"{letter} .*at most N, which is 2, got 3"):
        command(raised, {"do": "param", "name": "replicas", "value": "2"})
    assert session.params.replicas == 3


def test_an_answer_that_comes_twice_counts_once() -> None:
    # A write whose first acknowledgment was lost is sent again; the replica then answers twice.
    run = run_of(11, requests=120, loss=40, timeout_ms=50, until_ms=60_000)
    for request in requests_of(run).values():
        names = [answer.replica for answer in request.answers]
        assert len(names) == len(set(names))
    assert isinstance(next(iter(requests_of(run).values())).answers[0], Answer)
