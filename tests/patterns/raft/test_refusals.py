"""What is not allowed: a sentence with the value and what is, and nothing has changed."""

from __future__ import annotations

import re
from typing import Any

import pytest

import pysims
from pysims.kernel import Run, knobs_of
from pysims.patterns.raft import (
    Crash,
    Cut,
    CutWay,
    Restart,
    SendCommand,
    SlowLink,
    TimeOut,
)
from pysims.patterns.raft.model import ElectionAlarm, HeartbeatAlarm
from pysims.widget.session import Session, act, command, opened

SERVERS = "S1, S2, S3, S4, S5"
NO_S9 = f"server must be one of {SERVERS}, got 'S9'"
NODES = f"a partition's nodes must be among {SERVERS}, got "

# What a script or a reader may ask, and the sentence that it gets.
EVENTS: tuple[tuple[Any, str], ...] = (
    (Crash("S9"), NO_S9),
    (Restart("S9"), NO_S9),
    (TimeOut("S9"), NO_S9),
    (SendCommand(1, "S9"), NO_S9),
    (CutWay("S1→S9"), NO_S9),
    (CutWay("S9→S1"), NO_S9),
    (SlowLink("S1–S9", 10), NO_S9),
    (SlowLink("S9–S1", 10), NO_S9),
    (Cut("S1 | S9"), f"{NODES}'S9'"),
    (Crash("client"), f"server must be one of {SERVERS}, got 'client'"),
    (CutWay("S1→client"), f"server must be one of {SERVERS}, got 'client'"),
    (Cut("S1 | client"), f"{NODES}'client'"),
    (Crash(""), "server must be a text of 1 to 60 characters, got ''"),
    (Cut(""), "groups must be a text of 1 to 60 characters, got ''"),
    (Cut("S1 S2 | S2 S3"), "a partition must name each node once, got 'S2' twice"),
    (Cut("S1 S1 | S3"), "a partition must name each node once, got 'S1' twice"),
    (CutWay("S1"), "a link must be two servers, as S1→S2, got 'S1'"),
    (CutWay("S1–S2"), "a link must be two servers, as S1→S2, got 'S1–S2'"),
    (CutWay("S1→S2→S3"), "a link must be two servers, as S1→S2, got 'S1→S2→S3'"),
    (SlowLink("S1→S2", 10), "a link must be two servers, as S1–S2, got 'S1→S2'"),
    (SlowLink("S1–S2–S3", 10), "a link must be two servers, as S1–S2, got 'S1–S2–S3'"),
    (SlowLink("S1–S2", -10), "delay_ms must be an integer from 1 to 1000, got -10"),
    (SlowLink("S1–S2", 0), "delay_ms must be an integer from 1 to 1000, got 0"),
    (SendCommand(0, "S1"), "amount must be an integer from 1 to 99, got 0"),
    (SendCommand(-5, "S1"), "amount must be an integer from 1 to 99, got -5"),
)
# The same server at both ends: the sentence names what a link needs.
LOOPS = (CutWay("S1→S1"), SlowLink("S1–S1", 10))

PARAMS = (
    ({"servers": 4}, "servers must be an integer from 3 to 7 in steps of 2, got 4"),
    ({"servers": 1}, "servers must be an integer from 3 to 7 in steps of 2, got 1"),
    ({"servers": 9}, "servers must be an integer from 3 to 7 in steps of 2, got 9"),
    (
        {"election_timeout_ms_min": 400},
        "election_timeout_ms_min must be at most election_timeout_ms_max, which is 300, got 400",
    ),
    ({"delay_ms_min": 30}, "delay_ms_min must be at most delay_ms_max, which is 20, got 30"),
    ({"delay_ms_min": -1}, "delay_ms_min must be an integer from 1 to 200, got -1"),
    ({"delay_ms_max": -20}, "delay_ms_max must be an integer from 1 to 200, got -20"),
    (
        {"heartbeat_interval_ms": -50},
        "heartbeat_interval_ms must be an integer from 10 to 500 .*got -50",
    ),
    ({"retry_timeout_ms": 0}, "retry_timeout_ms must be an integer from 50 to 2000 .*got 0"),
    ({"loss": 1.5}, "loss must be a number from 0 to 0.5, got 1.5"),
    ({"loss": -0.1}, "loss must be a number from 0 to 0.5, got -0.1"),
    ({"duplication": 2.0}, "duplication must be a number from 0 to 0.5, got 2.0"),
    ({"broken_rule": "all"}, "broken_rule must be one of none, vote-twice, .* got 'all'"),
    ({"prevote": 1}, "prevote must be True or False, got 1"),
    ({"nodes": 5}, "Params has no 'nodes', it has: servers"),
)


def name_and_arguments(event: Any) -> tuple[str, dict[str, Any]]:
    """An event as the widget gets it: texts, as they stand in the controls."""
    kind = type(event)
    return kind.__name__, {name: str(getattr(event, name)) for name in kind.__slots__}


def as_shown(owner: Any, sentence: str) -> str:
    """A pattern for the sentence in the widget, which may call a field by its control's label."""
    name, _, rest = sentence.partition(" ")
    label = knobs_of(owner)[name].label if name in knobs_of(owner) else name
    return f"({re.escape(name)}|“{re.escape(label)}”) {re.escape(rest)}"


@pytest.fixture
def session() -> Session:
    """A cluster of five at work."""
    return opened("w", "raft", "first-election")


def test_the_events_of_a_script_are_right_for_a_right_one() -> None:
    script = [
        (100, Crash("S1")),
        (150, TimeOut("S2")),
        (200, Restart("S1")),
        (300, Cut("S1 S2 | S3 S4 S5")),
        (400, CutWay("S1→S2")),
        (500, SlowLink("S1–S2", 10)),
        (600, SendCommand(1, "S1")),
    ]
    assert len(pysims.run("raft", script=script, until_ms=700).history) > len(script)


@pytest.mark.parametrize(("event", "sentence"), EVENTS, ids=lambda value: str(value)[:50])
def test_a_script_with_such_an_event_is_refused(event: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=re.escape(sentence)):
        pysims.run("raft", script=[(100, event)], until_ms=200)


@pytest.mark.parametrize("event", LOOPS, ids=str)
def test_a_link_from_a_server_to_itself_is_refused(event: Any, session: Session) -> None:
    with pytest.raises(ValueError, match=r"two .*'?S1"):
        pysims.run("raft", script=[(100, event)], until_ms=200)
    with pytest.raises(ValueError, match=r"two .*'?S1"):
        act(session, *name_and_arguments(event))


@pytest.mark.parametrize("event", [ElectionAlarm("S9"), HeartbeatAlarm("S9", 1)], ids=str)
def test_not_even_a_timer_of_an_unknown_server_rings(event: Any) -> None:
    with pytest.raises(ValueError, match=re.escape(NO_S9)):
        pysims.run("raft", script=[(100, event)], until_ms=200)


@pytest.mark.parametrize("event", ["Crash S1", None, 5], ids=str)
def test_what_is_no_event_is_refused(event: Any) -> None:
    with pytest.raises(ValueError, match=f"raft has no event {event!r}"):
        pysims.run("raft", script=[(100, event)], until_ms=200)


@pytest.mark.parametrize(("params", "sentence"), PARAMS, ids=lambda value: str(value)[:50])
def test_a_run_with_such_parameters_is_refused(params: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        pysims.run("raft", params=params, until_ms=100)


def test_equal_ends_of_an_interval_are_allowed() -> None:
    params = {
        "election_timeout_ms_min": 300,
        "election_timeout_ms_max": 300,
        "delay_ms_min": 20,
        "delay_ms_max": 20,
    }
    assert len(pysims.run("raft", params=params, until_ms=400).history) > 1


@pytest.mark.parametrize(("event", "sentence"), EVENTS, ids=lambda value: str(value)[:50])
def test_a_session_refuses_it_and_stays_as_it_was(
    session: Session, event: Any, sentence: str
) -> None:
    name, arguments = name_and_arguments(event)
    before = (session, Run(session.history).digest)
    with pytest.raises(ValueError, match=as_shown(event, sentence)):
        act(session, name, arguments)
    with pytest.raises(ValueError, match=as_shown(event, sentence)):
        command(session, {"do": "act", "name": name, "arguments": arguments})
    assert (session, Run(session.history).digest) == before
    # And it still works: the next thing that the reader does is done.
    after = command(session, {"do": "act", "name": "TimeOut", "arguments": {"server": "S2"}})
    assert after.script[-1] == (session.now_ms, TimeOut("S2"))


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("servers", "4", "servers must be an integer from 3 to 7 in steps of 2, got 4"),
        ("election_timeout_ms_min", "2000", "election_timeout_ms_min must be at most election_"),
        ("election_timeout_ms_max", "50", "election_timeout_ms_min must be at most election_"),
        ("delay_ms_max", "-1", "delay_ms_max must be an integer from 1 to 200, got -1"),
        ("loss", "0.9", "loss must be a number from 0 to 0.5, got 0.9"),
        ("broken_rule", "gravity", "broken_rule must be one of none"),
    ],
)
def test_a_session_refuses_a_parameter_and_stays_as_it_was(
    session: Session, name: str, value: str, sentence: str
) -> None:
    before = (session, Run(session.history).digest)
    with pytest.raises(ValueError, match=as_shown(session.params, sentence)):
        command(session, {"do": "param", "name": name, "value": value})
    assert (session, Run(session.history).digest) == before


def test_a_cluster_that_shrinks_under_its_script_is_refused(session: Session) -> None:
    acted = command(session, {"do": "act", "name": "Crash", "arguments": {"server": "S5"}})
    with pytest.raises(ValueError, match="server must be one of S1, S2, S3, got 'S5'"):
        command(acted, {"do": "param", "name": "servers", "value": "3"})
    assert acted.params.servers == 5


def test_an_action_that_there_is_not(session: Session) -> None:
    for name in ("Deliver", "ElectionAlarm", "Explode"):
        with pytest.raises(ValueError, match=f"raft has no action '{name}', it has: SendCommand"):
            act(session, name, {})
    with pytest.raises(ValueError, match="Crash has no 'node', it has: server"):
        act(session, "Crash", {"node": "S1"})
