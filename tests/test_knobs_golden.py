"""What every parameter and action allows: written down, and compared.

A trace does not tell when a knob's end moves; mutants lived there. `make golden` writes the files
anew; read the diff.
"""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import pytest

from pysims.kernel import Choice, Number, Pattern, Text, knobs_of
from tests.catalog import PATTERNS
from tests.test_contract import GOLDEN


def told(owner: type) -> dict[str, list[Any]]:
    """Field → its default, its knob, and what the knob allows; words are left aside."""
    found: dict[str, list[Any]] = {}
    usual = {field.name: field.default for field in fields(owner)}
    for name, kind in knobs_of(owner).items():
        allowed: list[Any] = []
        if isinstance(kind, Number):
            allowed = [kind.low, kind.high, kind.step, kind.logarithmic]
        elif isinstance(kind, Choice):
            allowed = list(kind.choices)
        elif isinstance(kind, Text):
            allowed = [kind.longest]
        found[name] = [usual[name], type(kind).__name__, *allowed]
    return found


def written(pattern: Pattern) -> dict[str, Any]:
    """What stands in a pattern's file."""
    return {
        "params": told(pattern.params),
        "actions": {a.event.__name__: told(a.event) for a in pattern.actions},
        "pace": [pattern.playback_rate, pattern.frame_ms],
    }


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda p: p.id)
def test_knobs_are_as_they_were(pattern: Pattern, update_golden: bool) -> None:
    path = GOLDEN / pattern.id / "knobs.json"
    found = json.loads(json.dumps(written(pattern)))
    if update_golden:
        path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", "utf-8")
    assert path.exists(), f"{path} is missing: `make golden` writes it; read it before committing"
    assert found == json.loads(path.read_text("utf-8"))
