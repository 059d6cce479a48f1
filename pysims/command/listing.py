"""`pysims list`: the patterns, their scenarios, and what these claim."""

from __future__ import annotations

import argparse

from ..patterns import load_pattern, pattern_ids


def list_patterns(_: argparse.Namespace) -> None:
    """Every pattern with its scenarios and what each of them claims."""
    for pattern_id in pattern_ids():
        pattern = load_pattern(pattern_id)
        print(f"{pattern_id}: {pattern.summary}")
        for scenario in pattern.scenarios:
            print(f"    {scenario.id:<16} {scenario.claim}")
