"""CP is linearizable under any schedule, AP converges, and what is lost is what the widget says."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain, combinations
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pysims
from pysims.consistency import Operation, Violation, check_linearizable
from pysims.kernel import Context
from pysims.patterns.cap_theorem import (
    NAMES,
    Copy,
    Cut,
    CutOneWay,
    Deposit,
    Heal,
    Read,
    Request,
    SetBalance,
    State,
    Withdraw,
    lost,
    model,
)
from pysims.patterns.cap_theorem.account import START, Stamp, applied, merged
from pysims.patterns.cap_theorem.model import is_quiet, linearizable, lost_dollars
from pysims.patterns.cap_theorem.observed import TURNS, history_of, verdict_of
from pysims.patterns.cap_theorem.state import (
    REQUESTS_MAX,
    Accepted,
    Event,
    Params,
    Promise,
    cuts,
    one_way_links,
    replica_of,
    sent,
    with_replica,
)
from pysims.patterns.cap_theorem.view import instants, view
from pysims.widget.session import command, opened

LINKS = one_way_links(State(Params(), None, ()))  # type: ignore[arg-type]
CUTS = cuts(State(Params(), None, ()))  # type: ignore[arg-type]

# --- Random schedules -----------------------------------------------------------------------------

names = st.sampled_from(NAMES)
money = st.integers(1, 300)
requests = st.one_of(
    st.builds(Read, names),
    st.builds(Deposit, names, money),
    st.builds(Withdraw, names, money),
    st.builds(SetBalance, names, money),
)
movements = st.one_of(
    st.builds(Read, names), st.builds(Deposit, names, money), st.builds(Withdraw, names, money)
)
troubles = st.one_of(
    st.builds(Cut, st.sampled_from(CUTS)),
    st.builds(CutOneWay, st.sampled_from(LINKS)),
    st.just(Heal()),
)
Script = tuple[tuple[int, Event], ...]


def scripts(asked: st.SearchStrategy[Event]) -> st.SearchStrategy[Script]:
    """Up to 25 things that happen within a second and a half."""
    timed = st.tuples(st.integers(0, 1_500), st.one_of(asked, asked, troubles))
    return st.lists(timed, max_size=25).map(lambda s: tuple(sorted(s, key=lambda t: t[0])))


losses = st.sampled_from([0.0, 0.1, 0.4])
seeds = st.integers(0, 2**32 - 1)


def settled(mode: str, merge: str, loss: float, script: Script, seed: int) -> State:
    """The state long after a script, when the cut has healed and all is quiet."""
    params = {"mode": mode, "merge": merge, "loss": loss}
    run = pysims.run(
        "cap_theorem",
        params=params,
        script=(*script, (2_500, Heal())),
        seed=seed,
        until_ms=60_000,
    )
    state: State = run.last
    assert is_quiet(state)
    return state


@settings(max_examples=400, deadline=None)
@given(losses, scripts(requests), seeds)
def test_cp_is_linearizable_whatever_happens(loss: float, script: Script, seed: int) -> None:
    reads = tuple((3_000 + 500 * i, Read(name)) for i, name in enumerate(NAMES))
    state = settled("cp", "lww", loss, (*script, *reads), seed)
    assert linearizable(state)
    assert len({replica.copy.balance for replica in state.replicas}) == 1
    assert not lost(state)
    newest = max((replica.accepted for replica in state.replicas), key=lambda copy: copy.stamp)
    in_order(state, newest)


def in_order(state: State, copy: Copy) -> None:
    """The ledger has every confirmed change once, and each left what its client was told."""
    numbers = [entry.request for entry in copy.ledger]
    assert len(set(numbers)) == len(numbers)
    balance = START
    for entry in copy.ledger:
        request = state.requests[entry.request]
        assert request.status in ("done", "unknown")
        if request.status == "done" and request.kind != "set":
            assert (request.found, request.balance) == (balance, entry.balance)
        balance = entry.balance
    changed = [r.id for r in state.requests if r.status == "done" and r.kind != "read"]
    assert set(changed) <= set(numbers)


def accept_anything(state: State, ctx: Context, name: str, source: str, copy: Copy) -> State:
    """A broken acceptor: it has promised a newer ballot, and accepts all the same."""
    replica = replace(replica_of(state, name), accepted=copy)
    return sent(with_replica(state, replica), ctx, name, (source,), Accepted(copy.stamp))


def promise_blindly(state: State, ctx: Context, name: str, source: str, ballot: Stamp) -> State:
    """A broken acceptor: it does not say what it has accepted."""
    replica = replace(replica_of(state, name), promised=ballot)
    return sent(with_replica(state, replica), ctx, name, (source,), Promise(ballot, Copy()))


def crowded(seed: int) -> Script:
    """Many requests at once, at all replicas, and now and then a cut."""
    draw = Random(seed)
    asked = [
        (draw.randint(0, 600), draw.choice((Read, Deposit))(draw.choice(NAMES))) for _ in range(12)
    ]
    cut = [(draw.randint(0, 600), CutOneWay(draw.choice(LINKS))) for _ in range(2)]
    return tuple(sorted([*asked, *cut], key=lambda timed: timed[0]))


def violations(count: int) -> int:
    return sum(
        not linearizable(settled("cp", "lww", 0.1, crowded(seed), seed)) for seed in range(count)
    )


def test_a_broken_protocol_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    assert violations(60) == 0
    for part, broken in (
        ("asked_to_accept", accept_anything),
        ("asked_to_promise", promise_blindly),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(model, part, broken)
            assert violations(60) > 0, part


@settings(max_examples=200, deadline=None)
@given(losses, scripts(requests), seeds)
def test_ap_with_a_counter_converges_to_the_sum(loss: float, script: Script, seed: int) -> None:
    state = settled("ap", "counter", loss, script, seed)
    confirmed = sum(r.balance - r.found for r in state.requests if r.status == "done")
    assert {replica.copy.balance for replica in state.replicas} == {START + confirmed}
    assert not lost(state)


@settings(max_examples=200, deadline=None)
@given(losses, scripts(movements), seeds)
def test_the_last_writer_loses_what_the_widget_says(loss: float, script: Script, seed: int) -> None:
    state = settled("ap", "lww", loss, script, seed)
    (balance,) = {replica.copy.balance for replica in state.replicas}
    shown = {r["label"]: r["value"] for r in view(state, 60_000)["readouts"]}
    paid_in = sum(r.amount for r in state.requests if r.kind == "deposit")
    paid_out = sum(r.amount for r in state.requests if r.kind == "withdraw" and r.status == "done")
    missing = START + paid_in - paid_out - balance
    assert shown["Lost"] == (f"−${-missing:,}" if missing < 0 else f"${missing:,}")
    assert missing == lost_dollars(state)
    assert (
        shown["Should be"] == f"{'−' if balance + missing < 0 else ''}${abs(balance + missing):,}"
    )


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(["lww", "counter"]), scripts(requests), seeds)
def test_ap_answers_every_request_at_once(merge: str, script: Script, seed: int) -> None:
    for request in settled("ap", merge, 0.1, script, seed).requests:
        assert request.status in ("done", "declined")
        assert request.returned_ms == request.invoked_ms


@settings(max_examples=100, deadline=None)
@given(scripts(requests), seeds)
def test_what_was_refused_has_no_effect(script: Script, seed: int) -> None:
    state = settled("cp", "lww", 0.4, script, seed)
    refused = {r.id for r in state.requests if r.status == "refused"}
    for replica in state.replicas:
        for copy in (replica.copy, replica.accepted):
            assert refused.isdisjoint(entry.request for entry in copy.ledger)


# --- Who answers during which cut -----------------------------------------------------------------


def statuses(*troubles: Event, kind: type = Deposit) -> dict[str, str]:
    """What becomes of one request at each replica, one after the other, after some cuts."""
    script = [(0, trouble) for trouble in troubles]
    script += [(100 + 500 * i, kind(name)) for i, name in enumerate(NAMES)]
    run = pysims.run("cap_theorem", script=tuple(script), seed=7, until_ms=2_000)
    return {r.replica: r.status for r in run.last.requests}


@pytest.mark.parametrize("partition", CUTS)
@pytest.mark.parametrize("kind", [Read, Deposit])
def test_under_cp_only_a_majority_answers(partition: str, kind: type) -> None:
    big = next((side for side in partition.split(" | ") if len(side) >= 2), "")
    assert statuses(Cut(partition), kind=kind) == {
        name: "done" if name in big else "refused" for name in NAMES
    }


def test_all_four_partitions_and_all_six_ways_are_offered() -> None:
    assert set(CUTS) == {"AB | C", "AC | B", "A | BC", "A | B | C"}
    assert len(LINKS) == 6


EVERY_WAY = list(chain.from_iterable(combinations(LINKS, count) for count in range(7)))


def test_under_cp_a_replica_answers_if_it_can_talk_with_one_other_both_ways() -> None:
    assert len(EVERY_WAY) == 64
    for ways in EVERY_WAY:
        found = statuses(*map(CutOneWay, ways))
        for name in NAMES:
            served = any(
                f"{name} → {other}" not in ways and f"{other} → {name}" not in ways
                for other in NAMES
                if other != name
            )
            # A detour over the third replica helps nobody: an answer must come back to who asked.
            assert (found[name] == "done") is served, (ways, name)


def test_a_refusal_names_whom_it_could_not_reach() -> None:
    script: Script = ((0, CutOneWay("A → B")), (0, CutOneWay("C → A")), (10, Deposit("A", 5)))
    run = pysims.run("cap_theorem", script=script, until_ms=400)
    (request,) = run.last.requests
    assert (request.status, request.unreached) == ("refused", ("B", "C"))
    text = " ".join(
        pysims.load_pattern("cap_theorem").describe(*run.history.change(index))
        for index in range(1, len(run.history))
    )
    assert "no answer from B and C within 200 ms" in text


def unconfirmed(*later: tuple[int, Event]) -> State:
    """A's deposit reaches the others, whose acceptance does not reach A any more."""
    script: Script = (
        (0, Deposit("A", 100)),
        (75, CutOneWay("B → A")),
        (75, CutOneWay("C → A")),
        *later,
    )
    run = pysims.run("cap_theorem", script=script, seed=1, until_ms=1_500)
    state: State = run.last
    return state


def test_who_cannot_know_says_so_and_the_deposit_may_count_later() -> None:
    state = unconfirmed()
    assert [r.status for r in state.requests] == ["unknown"]
    assert state.requests[0].returned_ms is None
    assert "unknown" in str(view(state, 1_500)["cards"][0]["headline"])
    state = unconfirmed((600, Read("B")), (900, Heal()), (1_000, Read("A")))
    assert [r.balance for r in state.requests[1:]] == [500, 500]
    assert linearizable(state)


def shown_for(state: State, now_ms: int) -> dict[str, str]:
    return {r["label"]: r["value"] for r in view(state, now_ms)["readouts"]}


def test_while_an_outcome_is_unknown_the_picture_leaves_both_open() -> None:
    run = pysims.run("cap_theorem", "cp-unknown")
    at = {ms: run.history[run.history.index_at(ms)].state for ms in (242, 540, 1_200)}
    cards = view(at[242], 242)["cards"]
    assert [card["balance"] for card in cards] == ["$400"] * 3
    assert [card["behind"] for card in cards] == ["accepted $500"] * 3
    assert shown_for(at[242], 242)["Should be"] == "$400 or $500"
    assert view(at[242], 242)["verdict"] == [
        "No request has got an answer yet that could be wrong."
    ]
    # B's read finds it with a majority: from then on it counts.
    assert shown_for(at[540], 540)["Should be"] == "$500"
    assert [card["behind"] for card in view(at[1_200], 1_200)["cards"]] == ["up to date"] * 3


def test_an_unknown_outcome_that_a_majority_has_passed_over_counts_never() -> None:
    # The cut loses A's proposal; B and C go on without it and decide with a newer ballot.
    script: Script = (
        (0, Deposit("A", 100)),
        (75, Cut("A | BC")),
        (300, Deposit("B", 30)),
        (800, Heal()),
    )
    run = pysims.run("cap_theorem", script=script, seed=1, until_ms=2_000)
    at = {ms: run.history[run.history.index_at(ms)].state for ms in (290, 700, 2_000)}
    assert at[290].requests[0].status == "unknown"
    assert shown_for(at[290], 290)["Should be"] == "$400 or $500"
    assert (
        shown_for(at[700], 700)["Should be"] == shown_for(at[2_000], 2_000)["Should be"] == "$430"
    )
    assert at[2_000].replicas[0].copy.balance == 430


# --- The order of what happens within one millisecond ---------------------------------------------


def test_in_a_paused_run_an_answer_that_is_called_stale_is_a_violation() -> None:
    session = opened("w", "cap_theorem", "healthy")
    session = command(session, {"do": "param", "name": "mode", "value": "ap"})
    for name, replica in (("Deposit", "A"), ("Read", "B")):
        arguments = {"replica": replica, "amount": "100"} if name == "Deposit" else {"replica": "B"}
        session = command(session, {"do": "act", "name": name, "arguments": arguments})
    state: State = session.history[session.at].state
    deposit, read = state.requests[-2:]
    assert deposit.returned_ms == read.invoked_ms
    assert read.behind == (deposit.id,)
    witness = verdict_of(state.requests)
    assert isinstance(witness, Violation)
    assert [(o.process, o.kind) for o in witness.witness] == [("A", "cas"), ("B", "read")]
    assert "in the same millisecond" in " ".join(view(state, session.now_ms)["verdict"])


def at_few_instants(draw: Random) -> Script:
    """Reads and deposits, many in the same millisecond; no two sums of deposits are equal."""
    asked: list[tuple[int, Event]] = [(60, Cut(draw.choice(CUTS)))]
    for number in range(draw.randint(1, 9)):
        replica = draw.choice(NAMES)
        event = Read(replica) if draw.random() < 0.5 else Deposit(replica, 2**number)
        asked.append((draw.choice((50, 60, 70, 90)), event))
    return tuple(sorted(asked, key=lambda timed: timed[0]))


@pytest.mark.parametrize("merge", ["lww", "counter"])
def test_under_ap_a_history_is_linearizable_exactly_if_no_answer_is_stale(merge: str) -> None:
    draw = Random(5)
    violated = 0
    for _ in range(300):
        run = pysims.run(
            "cap_theorem",
            params={"mode": "ap", "merge": merge},
            script=at_few_instants(draw),
            seed=draw.randint(0, 999),
            until_ms=100,
        )
        stale = False
        for state in run.history.states():
            stale = any(request.behind for request in state.requests)
            assert linearizable(state) is not stale
        violated += stale
    assert 60 < violated < 295


def test_there_are_fractions_enough_for_the_turns_of_a_run() -> None:
    assert 2 * REQUESTS_MAX < TURNS


def test_a_write_whatever_the_balance_was_is_never_stale() -> None:
    script: Script = ((0, Cut("A | BC")), (10, Deposit("B", 100)), (20, SetBalance("A", 700)))
    run = pysims.run("cap_theorem", params={"mode": "ap"}, script=script, until_ms=30)
    state: State = run.last
    assert [r.behind for r in state.requests] == [(), ()]
    assert view(state, 30)["cards"][0]["headline"] == "✓ set $700 → $700"
    assert linearizable(state)


def test_the_healthy_story_breaks_once_ap_is_chosen() -> None:
    assert linearizable(pysims.run("cap_theorem", "healthy").last)
    switched = pysims.run("cap_theorem", "healthy", params={"mode": "ap"})
    assert not linearizable(switched.last)


def test_an_answer_under_ap_says_how_far_behind_it_is() -> None:
    script: Script = (
        (0, Cut("A | BC")),
        (10, Deposit("B", 100)),
        (100, Deposit("C", 30)),
        (200, Read("A")),
    )
    run = pysims.run("cap_theorem", params={"mode": "ap"}, script=script, until_ms=250)
    state: State = run.last
    assert state.requests[-1].behind == (0, 1)
    card = view(state, 250)["cards"][0]
    assert (card["headline"], card["reason"]) == (
        "⚠ read: $400, stale",
        "2 updates, $130 behind",
    )
    witness = verdict_of(state.requests)
    assert isinstance(witness, Violation)
    assert [(o.process, o.kind) for o in witness.witness] == [("C", "cas"), ("A", "read")]


def test_the_verdict_names_the_two_requests_that_prove_it() -> None:
    shown = {}
    for story in ("ap-stale", "ap-counter"):
        state = pysims.run("cap_theorem", story).last
        scene = view(state, 1_200)
        shown[story] = scene["verdict"]
        assert [bar["label"][0] for bar in scene["bars"] if bar["proof"]] == ["①", "②"]
    assert shown == {
        "ap-stale": [
            "① B’s deposit of $100 found $400 and left $500 (at 160 ms).",
            "② A’s read found $400 (at 360 ms).",
            "② began after ① had ended and does not know of it: no order explains both.",
        ],
        "ap-counter": [
            "① A’s deposit of $100 found $400 and left $500 (at 160 ms).",
            "② B’s deposit of $50 found $400 and left $450 (at 260 ms).",
            (
                "Both found $400. In any order, the later one would have found what the earlier "
                "one left."
            ),
        ],
    }


def test_the_marked_instants_lie_in_the_bars_and_in_order() -> None:
    for seed in range(20):
        state = settled("cp", "lww", 0.1, crowded(seed), seed)
        points = instants(state, 60_000)
        assert list(points.values()) == sorted(points.values())
        for number, instant in points.items():
            request = state.requests[number]
            assert request.invoked_ms <= instant <= (request.returned_ms or 60_000)


@pytest.mark.parametrize("story", [s.id for s in pysims.load_pattern("cap_theorem").scenarios])
def test_no_message_touches_a_card_and_no_label_either(story: str) -> None:
    run = pysims.run("cap_theorem", story)
    for now_ms in range(0, 1_100, 3):
        scene = view(run.history[run.history.index_at(now_ms)].state, now_ms)
        for message in scene["flying"]:
            wide = 0.0 if message["small"] and not message["lost"] else 6.8 * len(message["label"])
            x, y = message["x"] + message["dx"], message["y"] + message["dy"]
            left = x - {"start": 0.0, "middle": wide / 2, "end": wide}[message["anchor"]]
            boxes = [(message["x"] - 6, message["y"] - 6, message["x"] + 6, message["y"] + 6)]
            if wide:
                boxes.append((left, y - 9, left + wide, y + 1))
            for card in scene["cards"]:
                edges = card["x"], card["y"], card["x"] + 132, card["y"] + 52
                for box in boxes:
                    apart = (
                        box[2] < edges[0]
                        or box[0] > edges[2]
                        or box[3] < edges[1]
                        or box[1] > edges[3]
                    )
                    assert apart, (now_ms, message, card["name"])


def test_a_copy_is_not_behind_a_change_that_nobody_holds() -> None:
    run = pysims.run("cap_theorem", "ap-lww")
    state: State = run.last
    assert [r.id for r in lost(state)] == [0]
    assert [card["behind"] for card in view(state, 1_200)["cards"]] == ["up to date"] * 3


def test_a_counter_keeps_both_withdrawals_and_so_overdraws() -> None:
    script: Script = ((0, Cut("A | BC")), (10, Withdraw("A", 300)), (10, Withdraw("B", 300)))
    state = settled("ap", "counter", 0.0, script, 1)
    assert {replica.copy.balance for replica in state.replicas} == {-200}
    assert statuses_of("cp", script) == ["refused", "done"]


def statuses_of(mode: str, script: Script) -> list[str]:
    return [r.status for r in settled(mode, "lww", 0.0, script, 1).requests]


def test_a_withdrawal_of_too_much_is_declined_in_both_modes() -> None:
    for mode in ("cp", "ap"):
        assert statuses_of(mode, ((0, Withdraw("A", 401)),)) == ["declined"]


# --- Copies and histories -------------------------------------------------------------------------


@st.composite
def copies(draw: st.DrawFn) -> Copy:
    """A copy after some changes; whoever shares a request shares what it did."""
    copy = Copy()
    for number in draw(st.lists(st.integers(0, 8), unique=True, max_size=6).map(sorted)):
        name, kind = NAMES[number % 3], ("deposit", "withdraw")[number % 2]
        if all(entry.request % 3 != number % 3 for entry in copy.ledger) or number < 3:
            request = Request(number, name, kind, 10 * number + 1, 0)
            copy = applied(copy, request, (number + 1, name))
    return copy


@given(copies(), copies(), copies(), st.sampled_from(["lww", "counter"]))
def test_merging_is_commutative_associative_and_idempotent(
    a: Copy, b: Copy, c: Copy, rule: str
) -> None:
    def seen(copy: Copy) -> tuple[int, tuple[int, ...], tuple[int, ...]]:
        return copy.balance, copy.added, copy.taken

    assert merged(rule, a, a) == a
    assert seen(merged(rule, a, b)) == seen(merged(rule, b, a)) or a.stamp == b.stamp
    left, right = merged(rule, merged(rule, a, b), c), merged(rule, a, merged(rule, b, c))
    assert seen(left) == seen(right)


def test_the_history_holds_what_the_clients_saw() -> None:
    done = Request(0, "A", "deposit", 100, 10, "done", 90, found=400, balance=500)
    unknown = Request(1, "B", "withdraw", 50, 20, "unknown", proposals=((400, 350), (500, 450)))
    declined = Request(2, "C", "withdraw", 900, 30, "declined", 95, found=500, balance=500)
    refused = Request(3, "C", "read", 0, 40, "refused", 240)
    written = Request(4, "A", "set", 7, 300, "done", 400, balance=7)
    operations = [o for _, o in history_of((done, unknown, declined, refused, written))]
    assert operations == [
        Operation("A", "cas", (400, 500), True, 10, 90),
        Operation("B", "cas", (400, 350), None, 20, None),
        Operation("B", "cas", (500, 450), None, 20, None),
        Operation("C", "read", None, 500, 30, 95),
        Operation("A", "write", 7, None, 300, 400),
    ]
    assert check_linearizable(operations, START)


# --- Bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "named"),
    [
        (Cut("AA | BC"), "'A' twice"),
        (Cut("AB | BC"), "'B' twice"),
        (Cut("AB | D"), "A, B, C.*'D'"),
        (Cut("A | B"), "each of A, B, C.*'A | B'"),
        (CutOneWay("A → A"), "A → B.*'A → A'"),
        (CutOneWay("A"), "'A'"),
        (Read("D"), "A, B, C.*'D'"),
        (Deposit("E", 5), "A, B, C.*'E'"),
    ],
)
def test_bad_input_is_refused_with_a_sentence(event: Event, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        pysims.run("cap_theorem", script=((10, event),), until_ms=100)


@pytest.mark.parametrize(
    ("action", "arguments"),
    [
        ("Cut", {"partition": "AA | BC"}),
        ("CutOneWay", {"link": "B → B"}),
        ("Deposit", {"replica": "A", "amount": "0"}),
        ("Deposit", {"replica": "Z", "amount": "5"}),
    ],
)
def test_bad_input_leaves_the_run_as_it_was(action: str, arguments: dict[str, str]) -> None:
    before = opened("w", "cap_theorem", "cp-minority")
    with pytest.raises(ValueError, match=r"must be|must name"):
        command(before, {"do": "act", "name": action, "arguments": arguments})
    fresh = opened("w", "cap_theorem", "cp-minority")
    assert list(before.history) == list(fresh.history)
    assert (before.script, before.at, before.now_ms) == (fresh.script, fresh.at, fresh.now_ms)


def test_a_run_takes_only_so_many_requests() -> None:
    script = tuple((10 * i, Read("A")) for i in range(REQUESTS_MAX + 1))
    with pytest.raises(ValueError, match=f"at most {REQUESTS_MAX} requests"):
        pysims.run("cap_theorem", params={"mode": "ap"}, script=script, until_ms=1_000)


def test_the_turns_of_a_millisecond_are_exact_fractions() -> None:
    assert TURNS & (TURNS - 1) == 0
