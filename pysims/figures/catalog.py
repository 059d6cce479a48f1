"""All figures, by name."""

from __future__ import annotations

from collections.abc import Mapping

from . import (
    cap,
    consistent_hashing,
    fault_tolerance,
    leader_election,
    queues,
    rate_limiting,
    transactions,
)
from .base import Figure

FIGURES: Mapping[str, Figure] = {
    figure.name: figure
    for module in (
        cap,
        consistent_hashing,
        rate_limiting,
        fault_tolerance,
        queues,
        transactions,
        leader_election,
    )
    for figure in module.FIGURES
}
