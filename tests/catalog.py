"""Every pattern and scenario that there is, for tests that run over all of them."""

from __future__ import annotations

from pysims import load_pattern, pattern_ids
from pysims.kernel import Pattern, Scenario

PATTERNS: list[Pattern] = [load_pattern(pattern_id) for pattern_id in pattern_ids()]
STORIES: list[tuple[Pattern, Scenario]] = [
    (pattern, scenario) for pattern in PATTERNS for scenario in pattern.scenarios
]
STORY_IDS = [f"{pattern.id}/{scenario.id}" for pattern, scenario in STORIES]
