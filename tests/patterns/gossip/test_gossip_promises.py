"""What gossip promises, on states that are made to break it."""

from __future__ import annotations

from dataclasses import replace
from math import ceil, log, log2
from typing import Any

import pytest

import pysims
from pysims.patterns.gossip import promises


def state_of(scenario: str = "push") -> Any:
    return pysims.run("gossip", scenario).last


def test_one_node_with_a_version_that_nobody_wrote_is_enough() -> None:
    state = state_of()
    assert promises.nobody_makes_it_up(state)
    known = next(replica for replica in state.replicas if replica.entry is not None)
    invented = replace(known, entry=replace(known.entry, stamp=(10**9, "Z")))
    replicas = tuple(invented if replica is known else replica for replica in state.replicas)
    assert not promises.nobody_makes_it_up(replace(state, replicas=replicas))


@pytest.mark.parametrize("loss", [0.0, 0.1, 0.3])
@pytest.mark.parametrize("strategy", ["push_pull", "rumor"])
def test_patience_is_the_formula_of_its_docstring(loss: float, strategy: str) -> None:
    state = state_of()
    network = replace(state.network, down=(), groups=())
    params = replace(state.params, loss=loss, strategy=strategy, backup_rounds=4)
    nodes = len(network.nodes)
    # Question and answer both get through, and everybody can be picked.
    rounds = (log2(nodes) + log(nodes) + 20) / (1 - loss) ** 2
    expected = ceil(rounds * (4 if strategy == "rumor" else 1))
    given = replace(state, network=network, params=params)
    assert promises.patience_rounds(given) == expected


def test_patience_counts_whom_a_node_cannot_reach() -> None:
    state = state_of()
    nodes = state.network.nodes
    params = replace(state.params, loss=0.0, strategy="push_pull")
    whole = replace(state, network=replace(state.network, down=(), groups=()), params=params)
    half = replace(whole, network=replace(whole.network, down=nodes[len(nodes) // 2 :]))
    assert promises.patience_rounds(half) > promises.patience_rounds(whole)
