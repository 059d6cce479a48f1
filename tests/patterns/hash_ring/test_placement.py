"""Which servers hold a key, and the light that watches it, on placements made to break it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import pysims
from pysims.patterns.hash_ring import every_key_has_its_copies
from pysims.patterns.hash_ring.model import copies_of


@pytest.mark.parametrize(
    ("strategy", "copies"), [("ring", 3), ("modulo", 3), ("bounded", 1), ("jump", 1)]
)
def test_bounded_loads_and_jump_keep_one_copy(strategy: str, copies: int) -> None:
    state: Any = pysims.run("hash_ring").last
    params = replace(state.params, strategy=strategy, replication_factor=3)
    assert copies_of(params, tuple(state.servers) * 2) == copies


def test_a_key_on_a_server_that_is_gone_or_with_a_copy_too_few_puts_the_light_out() -> None:
    state: Any = pysims.run("hash_ring").last
    assert every_key_has_its_copies(state)
    first, *rest = state.placement
    gone = tuple("no such server" for _ in first)
    assert not every_key_has_its_copies(replace(state, placement=(gone, *rest)))
    assert not every_key_has_its_copies(replace(state, placement=(first[:-1], *rest)))
