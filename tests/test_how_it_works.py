"""The page 'How it works': what it shows of the seam is what crosses it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pysims
from pysims.widget.worker import dispatch

PAGE = (Path(__file__).parents[1] / "docs" / "how-it-works.md").read_text("utf-8")
WIDGET, STORY = "how-it-runs", ("hash_ring", "jump")


def asked(**message: Any) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(dispatch(json.dumps({"id": WIDGET, **message})))
    return answer


def is_shown(shown: Any, real: Any) -> bool:
    """Whether a value is the real one, or its beginning up to an ellipsis."""
    if isinstance(shown, dict):
        return all(is_shown(value, real[key]) for key, value in shown.items())
    if isinstance(shown, str) and shown.endswith("…"):
        return not isinstance(real, str) or real.startswith(shown[:-1])
    return bool(shown == real)


def test_the_message_and_its_answer_are_real() -> None:
    pattern, scenario = STORY
    assert f'```sim {pattern} scenario="{scenario}" id="{WIDGET}"' in PAGE
    message, answer = (
        json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    )
    asked(do="open", pattern=pattern, scenario=scenario)
    for _ in range(9):
        asked(do="back")
    for _ in range(2):
        asked(**message)
    real = asked(**message)
    assert set(answer) == set(real)
    assert is_shown(answer, real), real["moment"]


def test_the_exercise_gives_the_digest_of_the_library() -> None:
    pattern, scenario = STORY
    assert f"pysims run {pattern} --scenario {scenario}" in PAGE
    asked(do="open", pattern=pattern, scenario=scenario)
    assert asked(do="digest")["digest"] == pysims.run(pattern, scenario).digest
