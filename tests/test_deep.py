"""The finder of faults finds them: broken rules, a model that is not pure, one that raises."""

from __future__ import annotations

import re
import subprocess
import sys
from argparse import Namespace
from dataclasses import replace
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import pytest

from pysims import load_pattern, pattern_ids
from pysims.kernel import Context, Pattern, knobs_of
from pysims.link import link_from
from pysims.patterns.raft.model import SendCommand
from pysims.patterns.raft.scenarios import SCENARIOS
from tests.deep import cases
from tests.deep.__main__ import Tally, report_of, round_of, tell
from tests.deep.cases import MAY_FALL, Case, drawn_case, value_for
from tests.deep.checks import found_in, refused_or_found
from tests.deep.shrink import smaller


def searched(pattern: Pattern, rounds: int = 60) -> tuple[Case, Any, Tally]:
    """The first fault of a pattern in so many rounds."""
    tally = Tally()
    for number in range(1, rounds):
        found = round_of(pattern, 3, number, tally)
        if found:
            return *found, tally
    raise AssertionError(f"nothing was found in {tally.rounds.total()} runs")


@pytest.fixture
def raft(monkeypatch: pytest.MonkeyPatch) -> Pattern:
    # A widget loads its pattern by name, and so never a changed one.
    monkeypatch.setattr("tests.deep.__main__.DRAWN_EVERY", 1 << 30)
    return load_pattern("raft")


def test_a_broken_rule_is_found_and_shrunk_to_a_link_that_shows_it(
    raft: Pattern, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Figure 8's unsafe rule counts as a right one here, in the story that it breaks."""
    story = next(s for s in SCENARIOS if s.id == "figure-8-unsafe")
    monkeypatch.setitem(MAY_FALL, "raft", {})
    more = ((time_ms, SendCommand(1)) for time_ms in range(2_200, 4_000, 200))
    script = (*story.script, *more)
    build: Any = replace(raft.params(), **story.params)
    case = Case(raft, story.id, build, story.seed, script, 4_000)
    find = refused_or_found(case, drawing=False)
    assert find is not None
    small, again = smaller(case, find, lambda c: refused_or_found(c, drawing=False), seconds=20)
    assert again.kind == find.kind
    assert len(small.script) < len(script)
    assert small.until_ms <= case.until_ms
    text = report_of(small, again, 3, 1)
    link = re.search(r"--link '?([^'\s]+)", text)
    assert link is not None
    done = subprocess.run(
        [sys.executable, "-m", "pysims", "run", "--color=never", "--link", link[1]],
        capture_output=True,
        text=True,
        check=True,
    )
    assert re.search(f"✗ {find.kind}: violated", done.stdout), done.stdout[-600:]


def test_a_vote_too_many_is_found_by_random_runs(
    raft: Pattern, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Any
) -> None:
    monkeypatch.setitem(MAY_FALL, "raft", {})
    case, find, tally = searched(raft, rounds=400)
    assert find.kind in {light.name for light in raft.invariants}
    assert case.params.broken_rule != "none"
    given = Namespace(seed=3, out=tmp_path / "finds.md")
    tell(case, find, given, 1, tally)
    assert (tmp_path / "finds.md").read_text("utf-8") == capsys.readouterr().out.rstrip("\n") + "\n"


def test_a_model_that_remembers_is_found(raft: Pattern) -> None:
    """An update that depends on how often it was called is no function of its arguments."""
    calls = count()

    def impure(state: Any, event: Any, ctx: Context) -> Any:
        after = raft.update(state, event, ctx)
        if isinstance(event, SendCommand):
            ctx.after(1 + next(calls) % 7, event)
        return after

    _, find, _ = searched(replace(raft, update=impure))
    assert find.kind in ("another run", "impure SendCommand", "rewound")


def test_a_model_that_raises_is_found_and_one_action_is_left(raft: Pattern) -> None:
    def broken(state: Any, event: Any, ctx: Context) -> Any:
        if isinstance(event, SendCommand):
            return 1 // (state.params.servers - state.params.servers)
        return raft.update(state, event, ctx)

    case, find, _ = searched(replace(raft, update=broken))
    assert find.kind.startswith("ZeroDivisionError in ")
    small, _ = smaller(case, find, lambda c: refused_or_found(c, drawing=False), seconds=20)
    assert [type(event) for _, event in small.script] == [SendCommand]


@pytest.mark.parametrize("pattern_id", pattern_ids())
def test_what_is_drawn_is_allowed_and_comes_back_from_its_link(pattern_id: str) -> None:
    pattern = load_pattern(pattern_id)
    for number in range(40):
        case = cases.first_of(pattern, Random(number))
        for name, kind in knobs_of(pattern.params).items():
            kind.check(name, getattr(case.params, name))
        assert link_from(case.link().text) == case.link()


def test_the_same_round_is_the_same_case(raft: Pattern) -> None:
    one, other = (drawn_case(raft, Random("1/raft/4")) for _ in range(2))
    assert one[0] == other[0]


@pytest.mark.parametrize("pattern_id", ["cap_theorem", "raft", "saga", "split_brain"])
def test_a_right_design_passes_every_check(pattern_id: str) -> None:
    pattern = load_pattern(pattern_id)
    story = pattern.scenarios[0]
    params: Any = replace(pattern.params(), **story.params)
    case = Case(pattern, story.id, params, story.seed, story.script, story.until_ms)
    assert found_in(case, case.run(), Random(1), drawing=True) is None


def test_the_table_of_what_may_fall_names_lights_that_there_are() -> None:
    for pattern_id, lights in MAY_FALL.items():
        pattern = load_pattern(pattern_id)
        assert set(lights) <= {light.name for light in pattern.invariants}
        for may in lights.values():
            assert may(pattern.params()) in (True, False)


def test_every_value_of_a_number_lies_on_its_steps() -> None:
    for pattern_id in pattern_ids():
        for kind in knobs_of(load_pattern(pattern_id).params).values():
            for number in range(30):
                kind.check("it", value_for(kind, None, Random(number)))
