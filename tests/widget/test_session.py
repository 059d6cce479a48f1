"""A widget as a value: every command, and that a refusal changes nothing."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pysims
from pysims.kernel import Pattern, Run, digest_of
from pysims.widget.render import frame
from pysims.widget.session import (
    WAYS_MAX,
    Session,
    command,
    follow_at_first,
    kinds,
    link_of,
    opened,
    restored,
    saved,
    wait_ms,
)
from tests.catalog import PATTERNS


def do(session: Session, *messages: dict[str, Any] | str) -> Session:
    for message in messages:
        session = command(session, {"do": message} if isinstance(message, str) else message)
    return session


def remove(server: str) -> dict[str, Any]:
    return {"do": "act", "name": "RemoveServer", "arguments": {"server": server}}


def up(session: Session) -> str:
    return "".join(server.name for server in session.sim.state.servers)


@pytest.fixture
def jump() -> Session:
    """Three events: D dies at 2 s, comes back at 4 s, B dies at 6 s; shown at 6 s."""
    return opened("w", "hash_ring", "jump")


def test_it_opens_at_the_moment_of_its_scenario(jump: Session) -> None:
    assert (jump.at, jump.now_ms, jump.playing) == (3, 6_000, False)
    assert up(jump) == "ACD"


def test_stepping_back_and_forth(jump: Session) -> None:
    assert up(do(jump, "back")) == "ABCD"
    assert up(do(jump, "back", "back")) == "ABC"
    assert up(do(jump, "start")) == "ABCD"
    assert do(jump, "start", "back") == do(jump, "start")
    assert do(jump, "back", "step") == jump
    assert do(jump, "end", "step").at == 3


def test_seeking_keeps_within_the_run(jump: Session) -> None:
    assert do(jump, {"do": "seek", "value": "1"}).now_ms == 2_000
    assert do(jump, {"do": "seek", "value": "999"}).at == 3
    assert do(jump, {"do": "seek", "value": "-5"}).at == 0


def test_playing_moves_the_clock_and_stops_at_the_end(jump: Session) -> None:
    playing = do(jump, "start", "play")
    assert playing.playing
    assert wait_ms(playing) == 200
    assert wait_ms(do(playing, "pause")) is None
    later = do(playing, {"do": "tick", "value": 900}, {"do": "tick", "value": 900})
    assert (later.now_ms, later.at) == (1_800, 0)
    assert wait_ms(later) == 200
    later = do(later, {"do": "tick", "value": 150})
    assert wait_ms(later) == 50
    assert do(later, {"do": "tick", "value": 60}).at == 1
    for _ in range(20):
        later = do(later, {"do": "tick", "value": 1_000})
    assert (later.playing, later.at, later.now_ms) == (False, 3, 8_000)
    assert do(later, "play").at == 0


def test_a_long_pause_of_the_page_does_not_skip_the_run(jump: Session) -> None:
    assert do(jump, "start", "play", {"do": "tick", "value": 3_600_000}).now_ms == 1_000


def test_speed(jump: Session) -> None:
    fast = do(jump, "start", {"do": "speed", "value": "4.0"}, "play", {"do": "tick", "value": 100})
    assert fast.now_ms == 400


def test_a_crowd_plays_at_a_pace_of_its_own() -> None:
    one = opened("w", "two_phase_commit", "commit")
    crowd = do(opened("w", "two_phase_commit", "rush"), "start", "play")
    ticks = {"do": "tick", "value": 1_000}
    assert do(crowd, ticks).now_ms == 400
    assert do(one, "start", "play", ticks).now_ms == 14
    assert do(crowd, {"do": "speed", "value": "4.0"}, ticks).now_ms == 1_600


def test_acting_forks_the_run_at_the_moment_on_show(jump: Session) -> None:
    forked = do(jump, {"do": "seek", "value": "1"}, remove("A"))
    assert up(forked) == "BC"
    assert [time_ms for time_ms, _ in forked.script] == [2_000, 2_000]
    assert forked.at == len(forked.history) - 1
    assert do(forked, "back").sim.state.servers == do(jump, "start", "step").sim.state.servers
    again = restored(json.loads(json.dumps(saved(forked))))
    assert Run(again.history).digest == Run(forked.history).digest


def test_parameters_run_the_same_script_at_the_same_moment(jump: Session) -> None:
    ring = do(jump, {"do": "param", "name": "strategy", "value": "ring"})
    assert (ring.at, ring.now_ms, up(ring)) == (3, 6_000, "ACD")
    assert ring.sim.state.needless_total == 0
    slid = do(jump, {"do": "param", "name": "keys", "position": 0})
    assert slid.params.keys == 10


def test_reset_restores_what_the_author_chose() -> None:
    fresh = opened("w", "hash_ring", "ring-kill", {"keys": 50}, seed=9)
    assert (fresh.params.keys, fresh.seed) == (50, 9)
    changed = do(fresh, {"do": "seed", "value": "5"}, remove("A"))
    assert do(changed, "reset").params == fresh.params
    assert do(changed, {"do": "scenario", "value": "jump"}).scenario.id == "jump"


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        (remove("Z"), "server must be one of A, C, D, got 'Z'"),
        ({"do": "act", "name": "Explode"}, "hash_ring has no action 'Explode', it has: Remove"),
        (
            {"do": "act", "name": "SetWeight", "arguments": {"server": "A", "weight": "0"}},
            "“Weight” must be an integer from 1 to 10, got 0",
        ),
        (
            {"do": "param", "name": "servers", "value": "21"},
            "“Servers at the start” must be an integer from 1",
        ),
        ({"do": "param", "name": "nothing", "value": "1"}, "there is no parameter 'nothing'"),
        ({"do": "seed", "value": "-1"}, "seed must be an integer from 0 to 4294967295, got -1"),
        ({"do": "seed", "value": "x"}, "seed must be an integer, got 'x'"),
        ({"do": "speed", "value": "9"}, "speed must be one of"),
        ({"do": "scenario", "value": "no"}, "hash_ring has no scenario 'no', it has: ring-kill"),
        ({"do": "fly"}, "there is no command 'fly', there are: step"),
        ({}, "there is no command 'None'"),
    ],
)
def test_what_is_not_allowed_is_said(jump: Session, message: dict[str, Any], sentence: str) -> None:
    before = ascii(saved(jump))
    with pytest.raises(ValueError, match=r".") as caught:
        command(jump, message)
    assert str(caught.value).startswith(sentence)
    assert ascii(saved(jump)) == before


def test_the_last_server_cannot_be_removed(jump: Session) -> None:
    alone = do(jump, remove("A"), remove("C"))
    with pytest.raises(ValueError, match="the last server must stay, got 'D' to remove"):
        do(alone, remove("D"))


COMMANDS = st.one_of(
    st.sampled_from(["step", "back", "start", "end", "toggle", "reset"]).map(lambda d: {"do": d}),
    st.integers(-1, 9).map(lambda v: {"do": "seek", "value": v}),
    st.floats(0, 2_000).map(lambda v: {"do": "tick", "value": v}),
    st.sampled_from("ABCDE").map(remove),
    st.just({"do": "act", "name": "AddServer"}),
    st.text(max_size=70).map(
        lambda key: {"do": "act", "name": "Lookup", "arguments": {"key": key}}
    ),
    st.sampled_from(["modulo", "ring", "bounded", "rendezvous", "jump"]).map(
        lambda v: {"do": "param", "name": "strategy", "value": v}
    ),
    st.integers(-1, 8).map(lambda v: {"do": "param", "name": "replication_factor", "value": v}),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(COMMANDS, max_size=12))
def test_whatever_the_reader_does_the_run_can_be_made_again(messages: list[dict[str, Any]]) -> None:
    session = opened("w", "hash_ring", "jump", {"keys": 30, "virtual_nodes": 4})
    for message in messages:
        try:
            session = command(session, message)
        except ValueError:
            continue
    again = restored(json.loads(json.dumps(saved(session))))
    assert Run(again.history).digest == Run(session.history).digest
    assert frame(again) == frame(command(session, {"do": "pause"}))


# --- Searching seeds ------------------------------------------------------------------------------


def test_a_search_finds_the_seed_and_the_moment_in_which_a_light_falls() -> None:
    session = opened("w", "raft", "first-election", {"broken_rule": "vote-twice"})
    found = command(session, {"do": "search"})
    (violation,) = found.sim.state.witness.violated
    assert violation.property == "Election Safety"
    assert violation.at_ms == found.now_ms
    assert found.history[found.at - 1].state.witness.violated == ()
    assert found.message == (
        f"Seed {found.seed}: “Election Safety” is violated at {found.now_ms} ms."
    )
    assert found.seed > session.seed
    settings_ = {"broken_rule": "vote-twice"}
    run = pysims.run("raft", "first-election", params=settings_, seed=found.seed)
    assert run.digest == digest_of(found.history)


def test_a_search_that_finds_nothing_says_so_and_goes_on_from_there() -> None:
    session = opened("w", "raft", "first-election")
    once = command(session, {"do": "search"})
    assert once.message.startswith(f"Seeds {session.seed + 1} to {once.seed}: every light")
    twice = command(once, {"do": "search"})
    assert twice.message.startswith(f"Seeds {once.seed + 1} to {twice.seed}:")
    assert command(twice, {"do": "show"}).message == ""


@pytest.mark.parametrize(
    ("rule", "light"),
    [
        ("vote-twice", "Election Safety"),
        ("skip-up-to-date", "Leader Completeness"),
        ("commit-old-term", "Leader Completeness"),
    ],
)
def test_in_the_storm_one_search_finds_what_each_broken_rule_costs(rule: str, light: str) -> None:
    session = do(
        opened("w", "raft", "storm"), {"do": "param", "name": "broken_rule", "value": rule}
    )
    assert f"“{light}” is violated" in command(session, {"do": "search"}).message


# --- Runs that go on, forms that remember, stories that one comes back to ------------------------


def test_past_its_end_a_run_goes_on_while_something_is_pending() -> None:
    session = do(opened("w", "raft", "first-election"), "end")
    events, until_ms = len(session.history), session.until_ms
    further = do(session, "step")
    assert further.at > session.at
    assert len(further.history) > events
    assert further.until_ms > until_ms
    played = do(session, "play")
    assert played.playing
    assert played.at == session.at
    assert len(played.history) > events
    run = pysims.run("raft", "first-election", until_ms=played.until_ms)
    assert run.digest == digest_of(played.history)


def test_a_run_that_is_over_stays_over_and_plays_from_its_start(jump: Session) -> None:
    end = do(jump, "end")
    assert do(end, "step") == end
    assert do(end, "play").at == 0


def test_a_step_skips_what_changes_nothing() -> None:
    session = do(opened("w", "raft", "storm"), "start")
    idle = [
        index
        for index in range(1, len(session.history))
        if session.history.change(index)[0] is session.history.change(index)[2]
    ]
    assert idle
    seen = []
    while session.at < len(session.history) - 2:
        session = do(session, "step")
        seen.append(session.at)
    assert not set(seen[:-1]) & set(idle)
    assert len(seen) + len(idle) >= len(session.history) - 3
    back = do(session, "back")
    assert back.at < session.at


def test_a_form_comes_back_as_the_reader_left_it() -> None:
    session = opened("w", "raft", "first-election")
    given = {"amount": "42", "server": "S3"}
    acted = do(session, {"do": "act", "name": "SendCommand", "arguments": given})
    assert 'value="42" name="amount"' in frame(acted)
    assert '<option value="S3" selected>' in frame(acted)
    assert 'value="42" name="amount"' not in frame(do(acted, "reset"))


def test_reset_comes_back_to_the_story_first_and_then_to_the_page(jump: Session) -> None:
    other = do(jump, {"do": "scenario", "value": "ring-kill"}, remove("A"))
    once = do(other, "reset")
    assert (once.scenario.id, len(once.script)) == ("ring-kill", 1)
    assert do(once, "reset").scenario.id == "jump"


def test_reset_brings_back_what_the_page_chose() -> None:
    chosen = opened("w", "raft", "first-election", {"servers": 3}, seed=7)
    elsewhere = do(chosen, {"do": "scenario", "value": "storm"})
    for changed in (
        do(chosen, "step"),
        elsewhere,
        restored(json.loads(json.dumps(saved(elsewhere)))),
    ):
        back = do(changed, "reset")
        assert (back.scenario.id, back.params.servers, back.seed) == ("first-election", 3, 7)


# --- Links ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.id)
def test_a_changed_run_and_its_moment_come_back_from_a_link(pattern: Pattern) -> None:
    story = pattern.scenarios[-1]
    before = do(opened("w", pattern.id, story.id), {"do": "seed", "value": "7"}, "start", "step")
    moved = replace(before, now_ms=before.now_ms + 1)
    here = moved if wait_until(moved) > moved.now_ms else before
    there = do(opened("x", pattern.id), {"do": "follow", "value": link_of(here)})
    assert digest_of(there.history) == digest_of(here.history)
    assert (there.at, there.now_ms, there.seed) == (here.at, here.now_ms, 7)
    assert (there.scenario, there.params) == (here.scenario, here.params)


def wait_until(session: Session) -> int:
    """When the instant on show ends."""
    later = session.at + 1
    return session.history.time_ms(later) if later < len(session.history) else session.until_ms


def test_what_the_reader_did_is_in_the_link(jump: Session) -> None:
    acted = do(jump, "start", remove("A"), {"do": "param", "name": "strategy", "value": "modulo"})
    link = link_of(acted)
    assert link == ("v=1&run=hash_ring/jump&set=strategy=modulo&do=0:RemoveServer:server=A&at=0:1")
    there = do(opened("x", "hash_ring"), {"do": "follow", "value": link})
    assert digest_of(there.history) == digest_of(acted.history)
    assert there.home == opened("x", "hash_ring").home


@pytest.mark.parametrize(
    ("link", "says"),
    [
        ("v=1&run=raft/first-election", "the link is for a run of 'raft', and this is hash_ring"),
        ("v=9&run=hash_ring", "the link is of version 9, made by a newer edition"),
        ("v=1&run=hash_ring/jump&do=5:RemoveServer:server=Z", "'Z'"),
        ("<script>", "got '<script>'"),
    ],
)
def test_a_bad_link_leaves_the_story_as_it_was(jump: Session, link: str, says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        command(jump, {"do": "follow", "value": link})
    stays = follow_at_first(jump, link)
    assert says in stays.message
    assert stays == replace(jump, message=stays.message)
    assert "<script>" not in frame(stays)


def test_a_link_to_a_run_without_end_is_refused(jump: Session) -> None:
    raft = opened("r", "raft")
    stays = follow_at_first(raft, f"v=1&run=raft/{raft.scenario.id}&until=9999999999999")
    assert "This link cannot be followed" in stays.message
    assert stays.history is raft.history
    far = follow_at_first(jump, "v=1&run=hash_ring/jump&at=9999999999999:99999")
    assert (far.at, far.now_ms) == (3, far.until_ms)


# --- Ways and kinds -------------------------------------------------------------------------------


def test_who_acts_in_the_past_can_return_to_the_way_he_came(jump: Session) -> None:
    past = do(jump, "back")
    changed = do(past, remove("A"))
    assert len(changed.ways) == 1
    again = restored(json.loads(json.dumps(saved(changed))))
    assert again.ways == changed.ways
    assert saved(do(again, "return")) == saved(do(changed, "return"))
    returned = do(changed, "return")
    assert digest_of(returned.history) == digest_of(jump.history)
    assert (returned.at, returned.now_ms, returned.ways) == (past.at, past.now_ms, ())
    with pytest.raises(ValueError, match="there is no earlier way"):
        do(returned, "return")


def test_only_so_many_ways_are_kept(jump: Session) -> None:
    session = jump
    for n in range(WAYS_MAX + 3):
        look = {"do": "act", "name": "Lookup", "arguments": {"key": f"user:{n}"}}
        session = do(session, "start", look)
    assert len(session.ways) == WAYS_MAX
    session = do(session, *["return"] * WAYS_MAX)
    assert [event.key for _, event in session.script] == ["user:0", "user:1", "user:2"]


def test_the_next_and_the_last_event_of_a_kind(jump: Session) -> None:
    assert kinds(jump.history) == ("AddServer", "RemoveServer")
    start = do(jump, "start", {"do": "kind", "value": "RemoveServer"})
    assert [do(start, *["next"] * n).now_ms for n in (1, 2)] == [2_000, 6_000]
    assert do(start, "next", "next", "last").now_ms == 2_000
    with pytest.raises(ValueError, match="no “remove server” comes after this moment"):
        do(start, "end", "next")
    with pytest.raises(ValueError, match="no “remove server” comes before this moment"):
        do(start, "last")
    with pytest.raises(ValueError, match="it has: AddServer, RemoveServer"):
        do(start, {"do": "kind", "value": "Explode"})
    assert do(do(start, {"do": "scenario", "value": "ring-kill"}), "start", "next").at == 1


def test_the_keys_for_speed_stop_at_the_ends(jump: Session) -> None:
    assert do(jump, "faster").speed == 2.0
    assert do(jump, *["faster"] * 9).speed == 4.0
    assert do(jump, *["slower"] * 9).speed == 0.25
