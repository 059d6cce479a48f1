"""A pattern whose source was changed, beside the one that it was."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import CodeType

import pytest

from pysims.kernel import digest_of
from pysims.patterns import load_pattern
from pysims.widget import edited
from pysims.widget.edited import Edit, SourceProblem, compared, edit, located
from pysims.widget.session import Session, opened, restored, saved

ROOT = Path(__file__).parents[2]
MODEL = "pysims.patterns.raft.model"
SOURCE = (ROOT / "pysims/patterns/raft/model.py").read_text("utf-8")


def codes_of(pattern_id: str) -> dict[str, CodeType]:
    """The code of a pattern's modules, as the page brings it to the browser's Python."""
    home = ROOT / "pysims" / "patterns" / pattern_id
    found = {}
    for path in sorted(home.glob("*.py")):
        stem = "" if path.stem == "__init__" else f".{path.stem}"
        code = compile(path.read_text("utf-8"), str(path), "exec", dont_inherit=True)
        found[f"pysims.patterns.{pattern_id}{stem}"] = code
    return found


@pytest.fixture(autouse=True)
def workshop() -> Iterator[None]:
    """What a worker of its own gives in the browser: afterwards everything is as it was."""
    load_pattern("raft")
    before = dict(sys.modules)
    yield
    for name in [name for name in sys.modules if name.startswith("pysims.patterns.raft")]:
        del sys.modules[name]
    sys.modules.update({name: m for name, m in before.items() if name.startswith("pysims.")})
    load_pattern.cache_clear()


def changed(*swaps: tuple[str, str]) -> Edit:
    text = SOURCE
    for old, new in swaps:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return edit("raft", codes_of("raft"), {MODEL: text})


def session_like(session: Session) -> tuple[Session, dict[str, object]]:
    """The session again, by the pattern that is known now."""
    plain = json.loads(json.dumps(saved(session)))
    return restored(plain), plain


NO_VOTE = ("    if granted:\n        server = replace", "    if False:\n        server = replace")


def test_a_changed_model_runs_the_same_script_on_the_same_seed() -> None:
    before = opened("x", "raft", "leader-crash")
    found = changed(NO_VOTE)
    after, _ = session_like(before)
    assert after.pattern is found.changed
    assert after.seed == before.seed
    assert digest_of(after.history) != digest_of(before.history)


def test_an_unchanged_source_makes_the_same_run() -> None:
    before = opened("x", "raft", "leader-crash")
    found = edit("raft", codes_of("raft"), {MODEL: SOURCE})
    after, plain = session_like(before)
    assert digest_of(after.history) == digest_of(before.history)
    result = compared(found, after, plain)
    assert result["same"]
    assert result["agree"] == len(before.history) - 1


def test_two_runs_beside_each_other() -> None:
    before = opened("x", "raft", "leader-crash")
    found = changed(("voted_for=server.id,", 'voted_for="",'))
    after, plain = session_like(before)
    result = compared(found, after, plain)
    rows = result["rows"]
    assert not result["same"]
    old = [before.pattern.describe(*before.history.change(i)) for i in range(1, 6)]
    new = [after.pattern.describe(*after.history.change(i)) for i in range(1, 6)]
    agree = next(i for i in range(5) if old[i] != new[i])
    assert result["agree"] == agree
    parted = next(row for row in rows if row[0] in "-+")
    assert parted[1] == agree + 1
    assert {row[0] for row in rows} == {"=", "-", "+", "…"}
    for mark, index, time_ms, says in rows:
        if mark in "=+":
            assert time_ms == after.history.time_ms(index)
            change = after.history.change(index) if index else (None, None, after.history[0].state)
            assert says == after.pattern.describe(*change)


def test_left_out_rows_are_counted() -> None:
    old = [(t, "x") for t in range(100)]
    new = [*old[:50], (50, "y"), *old[51:]]
    rows = list(edited.rows_of(old, new, 50))
    counted = sum(row[1] if row[0] == "…" else 1 for row in rows if row[0] != "-")
    assert counted == 100
    assert [row[0] for row in rows] == ["…", "=", "=", "=", "-", "+", "=", "=", "=", "…"]


@pytest.mark.parametrize(
    ("swap", "line_of", "says"),
    [
        (("def step_down(", "def step_down(("), "def step_down(", "SyntaxError"),
        (("NEVER_MS = 2**40", "NEVER_MS = 1 / 0"), "NEVER_MS = 2**40", "ZeroDivisionError"),
        (
            ("from dataclasses import dataclass", "import no_such_module"),
            "from dataclasses import dataclass",
            "ModuleNotFoundError",
        ),
    ],
)
def test_what_cannot_be_imported_says_where(swap: tuple[str, str], line_of: str, says: str) -> None:
    original = load_pattern("raft")
    with pytest.raises(SourceProblem) as caught:
        changed(swap)
    assert caught.value.module == MODEL
    assert caught.value.line == SOURCE[: SOURCE.index(line_of)].count("\n") + 1
    assert says in str(caught.value)
    assert load_pattern("raft") is original
    assert sys.modules[MODEL] is sys.modules[original.update.__module__.replace("safety", "model")]


def test_what_fails_while_it_runs_says_where() -> None:
    plain = saved(opened("x", "raft", "leader-crash"))
    found = changed(("    last = len(server.log)\n", "    last = len(server.log) // 0\n"))
    with pytest.raises(ZeroDivisionError) as caught:
        restored(plain)
    problem = located(caught.value, found.files)
    assert problem.plain == {
        "module": MODEL,
        "line": SOURCE[: SOURCE.index("    last = len(server.log)\n")].count("\n") + 1,
        "says": "ZeroDivisionError: integer division or modulo by zero"
        if sys.version_info < (3, 14)
        else "ZeroDivisionError: division by zero",
    }


def test_a_module_that_is_not_there_is_refused() -> None:
    with pytest.raises(SourceProblem, match=r"raft has no module os"):
        edit("raft", codes_of("raft"), {"os": "x = 1"})


def test_a_huge_text_is_refused() -> None:
    with pytest.raises(SourceProblem, match="at most 400,000 characters"):
        edit("raft", codes_of("raft"), {MODEL: "#" * 500_000})


def test_a_run_that_the_original_cannot_make_is_told() -> None:
    before = opened("x", "raft", "leader-crash")
    found = changed(
        ("    loss: float", "    extra: bool = knob(Switch('Extra'), False)\n    loss: float")
    )
    fresh = opened("x", "raft", "leader-crash")
    plain = saved(fresh)
    assert "extra" in plain["params"]
    result = compared(found, fresh, plain)
    assert "The original cannot make this run" in result["says"]
    assert before.pattern is found.original
