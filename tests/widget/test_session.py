"""A widget as a value: every command, and that a refusal changes nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pysims.kernel import Run
from pysims.widget.render import frame
from pysims.widget.session import Session, command, opened, restored, saved, wait_ms


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
            "weight must be an integer from 1 to 10, got 0",
        ),
        ({"do": "param", "name": "servers", "value": "21"}, "servers must be an integer from 1"),
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
