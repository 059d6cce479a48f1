"""The breaker of code: what it breaks, what it leaves alone, and how it counts."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

from tests.mutation import operators, report
from tests.mutation.__main__ import chosen_of, modules_of
from tests.mutation.operators import mutants_of
from tests.mutation.report import SURVIVORS, Row, explained, interval, left_over
from tests.mutation.trial import KILLED, SURVIVED, TIMEOUT, codes_in

SOURCE = '''"""Says what it is."""

from dataclasses import dataclass

__all__ = ["Thing"]
LIMIT = 3
LABEL = "a sentence is left alone"


@dataclass(frozen=True)
class Thing:
    """A thing."""

    size: int = 0

    def fits(self, room: int) -> bool:
        """Whether it does."""
        if not room:
            raise ValueError(f"room must be above 0, got {room}")
        return self.size <= room and room - 1 < LIMIT
'''

BOTH = "self.size <= room and room - 1 < LIMIT"


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(operators, "ROOT", tmp_path)
    path = tmp_path / "thing.py"
    path.write_text(SOURCE, "utf-8")
    return path


def test_every_place_that_can_be_wrong_is_one_mutant(module: Path) -> None:
    _, mutants = mutants_of(module)
    assert [(m.line, m.function, m.change) for m in mutants] == [
        (6, "", "3 → 4"),
        (14, "", "0 → 1"),
        (18, "Thing.fits", "if not room: → if room:"),
        (19, "Thing.fits", "raise ValueError(f'room must be above 0, got {room}') → pass"),
        (20, "Thing.fits", f"return {BOTH} → return None"),
        (20, "Thing.fits", f"{BOTH} → {BOTH.replace('and', 'or')}"),
        (20, "Thing.fits", "self.size <= room → self.size < room"),
        (20, "Thing.fits", "room - 1 < LIMIT → room - 1 <= LIMIT"),
        (20, "Thing.fits", "room - 1 → room + 1"),
        (20, "Thing.fits", "1 → 2"),
    ]


def test_a_mutant_is_one_edit_and_looking_leaves_the_tree_as_it_was(module: Path) -> None:
    tree, mutants = mutants_of(module)
    assert ast.unparse(tree) == ast.unparse(ast.parse(SOURCE))
    for mutant in mutants:
        fresh, again = mutants_of.__wrapped__(module)
        again[mutant.number].edit.apply()
        changed = ast.unparse(fresh).splitlines()
        lines = ast.unparse(ast.parse(SOURCE)).splitlines()
        assert len(changed) == len(lines)
        assert sum(a != b for a, b in zip(changed, lines, strict=True)) == 1
        compile(ast.fix_missing_locations(fresh), "thing.py", "exec")


def test_the_codes_of_a_module_are_found_by_name_and_line(module: Path) -> None:
    code = compile(SOURCE, str(module), "exec")
    assert ("Thing.fits", 16) in {(c.co_qualname, c.co_firstlineno) for c in codes_in(code)}


def test_a_larger_sample_holds_the_smaller_one(module: Path) -> None:
    _, mutants = mutants_of(module)
    few, more = (chosen_of("thing", mutants, size, 1) for size in (3, 6))
    assert {m.number for m in few} < {m.number for m in more}
    assert chosen_of("thing", mutants, None, 1) == mutants
    assert chosen_of("thing", mutants, 3, 1) == few


def test_the_interval_is_wilson_s() -> None:
    # Newcombe, Statistics in Medicine 17, 1998, table I: 81 of 263.
    assert interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-4)
    assert interval(0, 0) == (0.0, 1.0)


def test_the_table_adds_up_and_gives_a_spread_to_samples_only() -> None:
    rows = [
        Row("whole", 10, Counter({KILLED: 8, TIMEOUT: 1, SURVIVED: 1})),
        Row("part", 40, Counter({KILLED: 10})),
    ]
    lines = report.table(rows).splitlines()
    assert lines[2] == "| whole | 10 | 10 | 8 | 1 | 1 | 90.0% |"
    assert lines[3].startswith("| part | 40 | 10 | 10 | 0 | 0 | 100.0% (")
    assert lines[4].startswith("| all of these | 50 | 20 | 18 | 1 | 1 | 95.0% (")


def test_every_survivor_that_is_explained_is_a_mutant_that_there_is() -> None:
    known = explained()
    files = sorted({key[0] for key in known})
    mutants = [m for file in files for m in mutants_of(operators.ROOT / file)[1]]
    assert left_over(known, mutants) == []
    assert SURVIVORS.read_text("utf-8").count("[[survivor]]") <= len(known)


def test_the_groups_are_the_models_and_what_they_share() -> None:
    names = {path.stem for path in modules_of("raft")}
    assert {"model", "safety", "__init__", "questions"} == names
    assert {path.stem for path in modules_of("raft", beside=True)} == {"view", "words"}
    assert [path.name for path in modules_of("consistency")] == ["consistency.py"]
    with pytest.raises(ValueError, match="no-such-thing"):
        modules_of("no-such-thing")
