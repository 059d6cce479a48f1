"""The lines that an event executed: the event once more, and nothing beside it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from pysims.kernel import Pattern
from pysims.runtime.sources import blocks
from pysims.widget import ran as module
from pysims.widget.ran import STEPS_MAX, modules_of, ran
from pysims.widget.session import Session, opened, seek
from tests.catalog import PATTERNS


@pytest.fixture
def raft() -> Session:
    return opened("x", "raft", "leader-crash")


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda p: p.id)
def test_an_event_run_once_more_leads_to_the_same_state(pattern: Pattern) -> None:
    for scenario in pattern.scenarios[:3]:
        session = opened("x", pattern.id, scenario.id)
        for at in (*range(min(12, len(session.history))), session.at):
            once_more = ran(seek(session, at))
            assert once_more["same"], (scenario.id, at)
            assert once_more["lines"], (scenario.id, at)
            json.dumps(once_more)


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda p: p.id)
def test_lines_lie_inside_of_the_functions_of_the_model(pattern: Pattern) -> None:
    session = opened("x", pattern.id)
    once_more = ran(session)
    files = {name: file for file, name in modules_of(pattern).items()}
    for number, name in enumerate(once_more["modules"]):
        source = Path(files[name]).read_text("utf-8")
        inside = [range(first, last + 1) for first, last, _ in blocks(source)]
        for line in (line for at, line, _ in once_more["lines"] if at == number):
            assert any(line in lines for lines in inside), (name, line)


def names_in(session: Session, once_more: dict[str, Any]) -> list[str]:
    """The functions that the steps enter, in order."""
    files = {name: file for file, name in modules_of(session.pattern).items()}
    sources = [Path(files[name]).read_text("utf-8") for name in once_more["modules"]]
    begins = [{first: name for first, _, name in blocks(source)} for source in sources]
    steps = once_more["steps"]
    return [begins[file][line] for file, line, _, _ in steps if line in begins[file]]


def test_an_election_runs_the_paper_rule_by_rule(raft: Session) -> None:
    at = next(
        i
        for i in range(1, len(raft.history))
        if any(
            (old.role, new.role) == ("candidate", "leader")
            for old, new in zip(
                raft.history[i - 1].state.servers, raft.history[i].state.servers, strict=True
            )
        )
    )
    once_more = ran(seek(raft, at))
    names = names_in(raft, once_more)
    rules = [name for name in names if name in ("count_vote", "become_leader", "send_heartbeats")]
    assert rules == ["count_vote", "become_leader", "send_heartbeats"]
    paths = {path: (before, after) for path, before, after in once_more["changes"]}
    role = next(path for path in paths if path.endswith(".role"))
    assert paths[role] == ("'candidate'", "'leader'")
    assert any(event.startswith("HeartbeatAlarm") for _, event in once_more["scheduled"])


def test_values_are_told_where_they_are_bound(raft: Session) -> None:
    steps = ran(seek(raft, 3))["steps"]
    bound = [pair for _, _, _, values in steps for pair in values]
    assert ("server", "current_term = 1") in bound
    assert ("state", "servers[S1].current_term = 1") in bound
    assert not [name for name, _ in bound if name == "ctx"]


def tools() -> list[str | None]:
    """Who monitors this Python; nobody can in 3.11."""
    return [module.MONITORING.get_tool(i) for i in range(6)] if module.MONITORING else []


def test_nothing_is_watched_before_or_after(raft: Session) -> None:
    before = (sys.gettrace(), tools())
    ran(raft)
    assert (sys.gettrace(), tools()) == before


def test_a_failure_switches_it_off_too(raft: Session) -> None:
    broken = opened("x", "raft")

    def fails(*_: object) -> None:
        raise ZeroDivisionError

    before = sys.gettrace()
    object.__setattr__(broken.pattern, "update", fails)
    try:
        with pytest.raises(ZeroDivisionError):
            ran(seek(broken, 1))
    finally:
        object.__setattr__(broken.pattern, "update", raft.history[0].update)
    assert sys.gettrace() is before
    assert ran(raft)["same"]


def test_a_long_event_is_cut_and_its_lines_are_all_there() -> None:
    session = opened("x", "hash_ring")
    session = seek(session, 0)
    known = module.STEPS_MAX
    module.STEPS_MAX = 5
    try:
        cut = ran(session)
    finally:
        module.STEPS_MAX = known
    whole = ran(session)
    assert cut["full"]
    assert len(cut["steps"]) == 5 < STEPS_MAX
    assert cut["lines"] == whole["lines"]
