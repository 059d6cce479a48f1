"""Properties, golden values and errors of the hashing library."""

import copy
import hashlib
import math
import pickle
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pysims.patterns.hash_ring import hashing
from pysims.patterns.hash_ring.hashing import (
    HashRing,
    assign_bounded,
    bounded_load_assign,
    jump_lookup,
    jump_path,
    key_hash,
    modulo_lookup,
    moved_share,
    rendezvous_lookup,
    rendezvous_scores,
)

# Two busy cores make any deadline for one example a coin toss.
relaxed = settings(deadline=None, max_examples=60)

SERVERS = tuple(f"server-{number}" for number in range(10))
KEYS = tuple(f"key-{number}" for number in range(2000))

names = st.lists(st.text(min_size=1, max_size=6), min_size=1, max_size=8, unique=True)
keys_of_any_kind = st.lists(st.text(max_size=12), max_size=60)
weights = st.one_of(st.integers(min_value=1, max_value=5), st.floats(min_value=0.05, max_value=5))
hashes = st.integers(min_value=0, max_value=2**64 - 1)
virtual_nodes = st.integers(min_value=1, max_value=40)


@st.composite
def rings(draw: st.DrawFn) -> HashRing:
    nodes = draw(names)
    return HashRing({node: draw(weights) for node in nodes}, draw(virtual_nodes))


class CrowdedRings:
    """Rings whose points all lie on the positions 0 to 46, so that many of them collide."""

    POSITIONS = range(47)

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(hashing, "_blake2b_block", self.block)

    def block(self, node: str, block: int) -> tuple[int, ...]:
        first = 64 * block
        return tuple(
            key_hash(f"{node}-{i}") % len(self.POSITIONS) for i in range(first, first + 64)
        )


@pytest.fixture
def crowded(monkeypatch: pytest.MonkeyPatch) -> CrowdedRings:
    return CrowdedRings(monkeypatch)


# --- Dumb twins: the definitions, without a sorted list or a search ------------------------------


def twin_points(ring: HashRing) -> list[tuple[int, str]]:
    """Return the points by definition: the 64-bit BLAKE2b hashes of "name-0", "name-1", ..."""
    points = []
    for node, weight in ring.weights.items():
        for index in range(max(1, round(weight * ring.virtual_nodes))):
            label = f"{node}-{index}".encode("utf-8", "surrogatepass")
            points.append((int(hashlib.blake2b(label, digest_size=8).hexdigest(), 16), node))
    return points


def twin_walk(ring: HashRing, position: int) -> list[str]:
    """Return the owner of every point, in the order in which a walk clockwise meets them."""
    return [
        node
        for _, node in sorted(twin_points(ring), key=lambda p: ((p[0] - position) % 2**64, p[1]))
    ]


def twin_preference_list(ring: HashRing, key: str, n: int) -> tuple[str, ...]:
    return tuple(dict.fromkeys(twin_walk(ring, key_hash(key))))[:n]


def twin_bounded(ring: HashRing, keys: Iterable[str], capacity: int) -> list[str]:
    load: Counter[str] = Counter()
    owners = []
    for key in keys:
        owner = next(node for node in twin_walk(ring, key_hash(key)) if load[node] < capacity)
        load[owner] += 1
        owners.append(owner)
    return owners


# --- The ring -----------------------------------------------------------------------------------


@relaxed
@given(rings(), keys_of_any_kind)
def test_lookup_agrees_with_a_linear_scan(ring: HashRing, keys: list[str]) -> None:
    assert sorted(twin_points(ring)) == list(ring.points)
    for key in keys:
        owner = twin_walk(ring, key_hash(key))[0]
        assert ring.lookup(key) == owner
        assert ring.owner_at(ring.position(key)) == owner
        position, owner_of_point = ring.point_for(key)
        assert owner_of_point == owner
        assert (position, owner) in ring.points


def test_a_key_exactly_on_a_point_belongs_to_it() -> None:
    # A key spelled like the label of a point has the position of that point.
    ring = HashRing(["a", "b", "c"], 30)
    for node in ring.nodes:
        for index in range(30):
            assert ring.lookup(f"{node}-{index}") == node
            assert ring.point_for(f"{node}-{index}") == (key_hash(f"{node}-{index}"), node)


@relaxed
@given(rings(), st.text(max_size=12), st.data())
def test_preference_list_is_distinct_nodes_in_ring_order(
    ring: HashRing, key: str, data: st.DataObject
) -> None:
    n = data.draw(st.integers(min_value=1, max_value=len(ring)))
    found = ring.preference_list(key, n)
    assert found == twin_preference_list(ring, key, n)
    assert len(set(found)) == n
    assert set(found) <= set(ring.nodes)
    assert found[0] == ring.lookup(key)


@relaxed
@given(rings(), st.text(min_size=1, max_size=6), weights, keys_of_any_kind)
def test_adding_a_node_moves_keys_only_to_it(
    ring: HashRing, node: str, weight: float, keys: list[str]
) -> None:
    if node in ring:
        ring = HashRing([node, "another"]).without_node(node)
    after = ring.with_node(node, weight)
    assert all(after.lookup(key) in (ring.lookup(key), node) for key in keys)
    assert after.nodes == (*ring.nodes, node)
    assert after.without_node(node).points == ring.points
    assert after.without_node(node) == ring


@relaxed
@given(rings(), st.data(), keys_of_any_kind)
def test_removing_a_node_moves_only_its_keys(
    ring: HashRing, data: st.DataObject, keys: list[str]
) -> None:
    node = data.draw(st.sampled_from(ring.nodes))
    if len(ring) == 1:
        ring = ring.with_node(node + "-twin")
    after = ring.without_node(node)
    for key in keys:
        before = ring.preference_list(key, 2)
        # The keys of the node that left go to the second in their preference list.
        assert after.lookup(key) == (before[1] if before[0] == node else before[0])
    assert after.points == HashRing(after.weights, ring.virtual_nodes).points


@relaxed
@given(rings(), st.data(), weights, keys_of_any_kind)
def test_weighting_a_node_moves_keys_one_way(
    ring: HashRing, data: st.DataObject, weight: float, keys: list[str]
) -> None:
    node = data.draw(st.sampled_from(ring.nodes))
    after = ring.with_weight(node, weight)
    assert after.nodes == ring.nodes
    assert after.points == HashRing(after.weights, ring.virtual_nodes).points
    grows = weight >= ring.weights[node]
    for key in keys:
        if ring.lookup(key) != after.lookup(key):
            assert (after if grows else ring).lookup(key) == node


def test_colliding_points_move_keys_only_to_and_from_the_node(crowded: CrowdedRings) -> None:
    collisions = 0
    for number in range(60):
        ring = HashRing([f"{letter}{number}" for letter in "dbac"], 1 + number % 20)
        after = ring.with_node(f"b{number}+", 1 + number % 3)
        for position in crowded.POSITIONS:
            assert after.owner_at(position) in (ring.owner_at(position), f"b{number}+")
        assert after.points == HashRing(after.weights, ring.virtual_nodes).points
        assert after.without_node(f"b{number}+").points == ring.points
        assert sum(after.shares().values()) == pytest.approx(1, abs=1e-12)
        collisions += len(after.points) - len({position for position, _ in after.points})
    assert collisions > 1000


def test_colliding_points_belong_to_the_smaller_name(crowded: CrowdedRings) -> None:
    for order in (["a", "b", "c"], ["c", "b", "a"]):
        ring = HashRing(order, 40)
        for position in {position for position, _ in ring.points}:
            assert ring.owner_at(position) == min(o for p, o in ring.points if p == position)


@relaxed
@given(rings())
def test_shares_sum_to_one_and_are_the_arcs(ring: HashRing) -> None:
    shares = ring.shares()
    assert tuple(shares) == ring.nodes
    assert math.fsum(shares.values()) == pytest.approx(1, abs=1e-12)
    arcs = dict.fromkeys(ring.nodes, Fraction(0))
    for index, (position, owner) in enumerate(ring.points):
        previous = ring.points[index - 1][0]
        arcs[owner] += Fraction((position - previous) % ring.size, ring.size)
    if len(ring.points) == 1:
        arcs[ring.nodes[0]] = Fraction(1)
    assert shares == {node: float(arc) for node, arc in arcs.items()}


def test_shares_are_what_a_count_of_positions_finds(crowded: CrowdedRings) -> None:
    ring = HashRing(["a", "b", "c"], 12)
    counted = Counter(ring.owner_at(position) for position in crowded.POSITIONS)
    # All positions above the crowd wrap to the first point.
    counted[ring.points[0][1]] += 2**64 - len(crowded.POSITIONS)
    assert ring.shares() == {node: counted[node] / 2**64 for node in ring.nodes}


def test_shares_are_what_keys_tend_to() -> None:
    ring = HashRing(SERVERS)
    counted = Counter(ring.lookup(f"key-{number}") for number in range(50_000))
    for node, share in ring.shares().items():
        # Four standard deviations of a binomial share.
        spread = 4 * math.sqrt(share * (1 - share) / 50_000)
        assert counted[node] / 50_000 == pytest.approx(share, abs=spread)


@pytest.mark.parametrize(
    ("weight", "points"), [(1, 10), (2, 20), (0.5, 5), (0.25, 2), (1.26, 13), (0.001, 1)]
)
def test_weight_times_virtual_nodes_points(weight: float, points: int) -> None:
    ring = HashRing(["a", "b"], 10).with_node("weighted", weight)
    assert sum(owner == "weighted" for _, owner in ring.points) == points
    assert ring.weights == {"a": 1, "b": 1, "weighted": weight}


def test_more_virtual_nodes_even_out_the_shares() -> None:
    def spread(count: int) -> float:
        shares = HashRing(SERVERS, count).shares().values()
        return statistics.pstdev(shares) / statistics.mean(shares)

    # The relative spread is about 1 / sqrt(virtual nodes).
    for count in (1, 10, 100, 1000):
        assert 0.5 < spread(count) * math.sqrt(count) < 1.6


def test_rings_are_values() -> None:
    ring = HashRing(["b", "a"], 10)
    assert ring == HashRing(["a", "b"], 10)
    assert hash(ring) == hash(HashRing(["a", "b"], 10))
    assert ring == HashRing({"a": 1.0, "b": 1}, 10)
    assert ring != HashRing(["a", "b"], 11)
    assert ring != HashRing({"a": 1, "b": 2}, 10)
    assert HashRing(["a"], 160) != HashRing(["a"], hash="ketama")
    assert ring != "ring"
    assert len(ring) == 2
    assert ("a" in ring, "c" in ring) == (True, False)
    assert ring.nodes == ("b", "a")
    assert (ring.virtual_nodes, ring.hash, ring.size) == (10, "blake2b", 2**64)
    assert repr(ring) == "HashRing({'b': 1, 'a': 1}, virtual_nodes=10, hash='blake2b')"


def test_rings_cannot_be_changed() -> None:
    ring = HashRing(["a", "b"], 10)
    points = ring.points
    with pytest.raises(AttributeError, match=r"cannot be changed: set '_weights' refused"):
        ring._weights = {}
    with pytest.raises(AttributeError, match=r"cannot be changed: delete '_points' refused"):
        del ring._points
    with pytest.raises(AttributeError):
        ring.nodes = ("c",)  # type: ignore[misc]
    ring.weights["c"] = 1
    ring.with_node("c").without_node("a").with_weight("b", 3)
    assert (ring.nodes, ring.points) == (("a", "b"), points)


def test_rings_copy_and_pickle() -> None:
    for ring in (HashRing(["b", "a"], 10).with_node("c", 2.5), HashRing(["a"], hash="ketama")):
        for other in (copy.copy(ring), copy.deepcopy(ring), pickle.loads(pickle.dumps(ring))):
            assert other == ring
            assert (other.nodes, other.points) == (ring.nodes, ring.points)


# --- The ring's relatives -----------------------------------------------------------------------


@relaxed
@given(names, st.text(max_size=12))
def test_modulo_is_the_remainder_of_the_hash(nodes: list[str], key: str) -> None:
    data = key.encode("utf-8", "surrogatepass")
    number = int(hashlib.blake2b(data, digest_size=8).hexdigest(), 16)
    assert modulo_lookup(nodes, key) == nodes[number % len(nodes)]


def test_modulo_moves_three_quarters_when_one_of_four_goes() -> None:
    share = moved_share(
        lambda key: modulo_lookup(SERVERS[:4], key),
        lambda key: modulo_lookup(SERVERS[:3], key),
        KEYS,
    )
    assert share == pytest.approx(0.75, abs=0.04)


@relaxed
@given(names, st.text(max_size=12), st.randoms(use_true_random=False))
def test_rendezvous_takes_the_highest_score(nodes: list[str], key: str, random: Any) -> None:
    scores = dict(zip(nodes, rendezvous_scores(nodes, key), strict=True))
    for node, score in scores.items():
        data = f"{len(node)}:{node}{key}".encode("utf-8", "surrogatepass")
        assert score == int(hashlib.blake2b(data, digest_size=8).hexdigest(), 16)
    owner = rendezvous_lookup(nodes, key)
    assert scores[owner] == max(scores.values())
    random.shuffle(nodes)
    assert rendezvous_lookup(nodes, key) == owner


@relaxed
@given(names, st.text(min_size=1, max_size=6), keys_of_any_kind)
def test_rendezvous_moves_keys_only_to_or_from_the_node(
    nodes: list[str], node: str, keys: list[str]
) -> None:
    without = [name for name in nodes if name != node] or [node + "-other"]
    for key in keys:
        owner = rendezvous_lookup(without, key)
        assert rendezvous_lookup([*without, node], key) in (owner, node)


def test_rendezvous_spreads_keys_evenly_and_ties_go_to_the_smaller_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counted = Counter(rendezvous_lookup(SERVERS, f"key-{number}") for number in range(20_000))
    # Five standard deviations of a binomial count with mean 2,000.
    assert all(abs(counted[node] - 2000) < 5 * math.sqrt(1800) for node in SERVERS)
    monkeypatch.setattr(hashing, "rendezvous_scores", lambda nodes, key: (7,) * len(nodes))
    assert rendezvous_lookup(["c", "a", "b"], "key") == "a"


# From the reference C++ code, buckets 1, 2, 3, ... for one key hash:
# https://github.com/dgryski/go-jump/blob/master/jump_test.go
JUMP_FROM_CPP = [
    (0, [0] * 20),
    (1, [0, 0, 0, 0, 0, 0, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 17, 17]),
    (0xDEADBEEF, [0, 1, 2, 3, 3, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 16, 16, 16]),
    (0x0DDC0FFEEBADF00D, [0, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 15, 15, 15, 15]),
]

# Guava's golden values "to see that implementations across languages are equivalent":
# https://github.com/google/guava, HashingTest.java,
# testConsistentHash_linearCongruentialGeneratorCompatibility
JUMP_FROM_GUAVA_100 = [0, 55, 62, 8, 45, 59, 86, 97, 82, 59, 73, 37, 17, 56, 86, 21, 90, 37, 38, 83]
JUMP_FROM_GUAVA = [
    (10863919174838991, 11, 6),
    (2016238256797177309, 11, 3),
    (1673758223894951030, 11, 5),
    (2, 100001, 80343),
    (2201, 100001, 22152),
    (2202, 100001, 15018),
]


@pytest.mark.parametrize(("number", "buckets"), JUMP_FROM_CPP)
def test_jump_agrees_with_the_papers_code(number: int, buckets: list[int]) -> None:
    assert [jump_lookup(number, n + 1) for n in range(len(buckets))] == buckets


def test_jump_agrees_with_guava() -> None:
    assert [jump_lookup(number, 100) for number in range(20)] == JUMP_FROM_GUAVA_100
    for number, buckets, expected in JUMP_FROM_GUAVA:
        assert jump_lookup(number, buckets) == expected


@relaxed
@given(hashes, st.integers(min_value=1, max_value=2000))
def test_jump_moves_keys_only_to_the_new_bucket(number: int, buckets: int) -> None:
    before, after = jump_lookup(number, buckets), jump_lookup(number, buckets + 1)
    assert 0 <= before < buckets
    assert after in (before, buckets)


@relaxed
@given(hashes, st.integers(min_value=1, max_value=300))
def test_jump_path_is_the_history_of_the_key(number: int, buckets: int) -> None:
    history = [jump_lookup(number, count) for count in range(1, buckets + 1)]
    assert list(dict.fromkeys(history)) == list(jump_path(number, buckets))


@pytest.mark.parametrize("buckets", [1, 4, 9, 19])
def test_jump_moves_one_key_in_n_plus_one(buckets: int) -> None:
    numbers = [key_hash(f"key-{number}") for number in range(20_000)]
    moved = sum(jump_lookup(h, buckets) != jump_lookup(h, buckets + 1) for h in numbers)
    expected = 1 / (buckets + 1)
    spread = 4 * math.sqrt(expected * (1 - expected) / 20_000)
    assert moved / 20_000 == pytest.approx(expected, abs=spread)


def test_jump_at_its_limits() -> None:
    path = jump_path(2**64 - 1, 2**31 - 1)
    assert list(path) == sorted(set(path))
    assert 0 <= path[-1] < 2**31 - 1


# --- Bounded loads ------------------------------------------------------------------------------


@relaxed
@given(
    rings(),
    st.lists(st.text(max_size=12), max_size=60, unique=True),
    st.decimals(min_value="0.01", max_value=3, places=2),
)
def test_bounded_loads_stay_under_the_bound(ring: HashRing, keys: list[str], epsilon: Any) -> None:
    assigned = bounded_load_assign(ring, keys, float(epsilon))
    assert list(assigned) == keys
    bound = math.ceil((1 + Fraction(epsilon)) * Fraction(len(keys), len(ring)))
    assert all(load <= bound for load in Counter(assigned.values()).values())
    assert list(assigned.values()) == twin_bounded(ring, keys, bound)


@relaxed
@given(rings(), st.lists(st.sampled_from(KEYS[:6]), max_size=60), st.integers(0, 9))
def test_hot_keys_spread_over_the_nodes_that_follow(
    ring: HashRing, requests: list[str], spare: int
) -> None:
    capacity = -(-len(requests) // len(ring)) + spare
    positions = [ring.position(key) for key in requests]
    owners = assign_bounded(ring, positions, capacity)
    assert list(owners) == twin_bounded(ring, requests, capacity)


def test_one_hot_key_fills_its_preference_list_in_order() -> None:
    ring = HashRing(SERVERS)
    owners = assign_bounded(ring, [ring.position("hot")] * 40, 4)
    assert tuple(dict.fromkeys(owners)) == ring.preference_list("hot", 10)
    assert set(Counter(owners).values()) == {4}


def test_the_bound_is_exact_where_floats_are_not() -> None:
    ring = HashRing(SERVERS)
    # 1.1 * 100 / 10 is 11, but (1 + 0.1) * 10 is 11.000000000000002 as floats, whose ceiling is 12.
    assigned = bounded_load_assign(ring, KEYS[:100], 0.1)
    assert max(Counter(assigned.values()).values()) == 11
    assert bounded_load_assign(ring, KEYS[:100], Fraction(1, 10)) == assigned


def test_a_wide_bound_is_the_plain_ring() -> None:
    ring = HashRing(SERVERS)
    assert bounded_load_assign(ring, KEYS, 100) == {key: ring.lookup(key) for key in KEYS}
    assert bounded_load_assign(ring, [], 0.5) == {}
    assert assign_bounded(ring, [], 0) == ()


# --- Moved share --------------------------------------------------------------------------------


def test_moved_share_counts_owners_that_differ() -> None:
    before = {"a": "x", "b": "x", "c": "y", "d": "y"}
    after = {"a": "x", "b": "y", "c": "y", "d": "y"}
    assert moved_share(before.__getitem__, after.__getitem__, "abcd") == 0.25
    assert moved_share(before.__getitem__, after.__getitem__, ["b", "b", "a", "a"]) == 0.5
    assert moved_share(before.__getitem__, before.__getitem__, "abcd") == 0.0


def test_a_dead_servers_share_is_what_moves_on_the_ring() -> None:
    ring = HashRing(SERVERS[:4])
    after = ring.without_node("server-2")
    moved = moved_share(ring.lookup, after.lookup, KEYS)
    assert moved == sum(ring.lookup(key) == "server-2" for key in KEYS) / len(KEYS)


# --- Golden values: any Python, any platform ----------------------------------------------------


# Seen in CPython 3.11, 3.12 and 3.13 and in Pyodide 3.14.
GOLDEN_DIGESTS = [
    "6face9eec503f360",
    "cfe02ec7844ef46e",
    "0b9aa252fc797c49",
    "cb748f9092a74975",
    "4d074f8c87becbc3",
    "99c6926078e78edd",
    "d0750d902f4a6e52",
    "5ac6579a736252f7",
]


def test_answers_are_the_same_everywhere() -> None:
    ring = HashRing(SERVERS).with_node("zürich", 2.5).without_node("server-3")
    ketama = HashRing({node: 7 * i + 1 for i, node in enumerate(SERVERS)}, hash="ketama")
    numbers = [key_hash(key) for key in KEYS]
    answers = [
        [ring.lookup(key) for key in KEYS],
        [ring.preference_list(key, 3) for key in KEYS],
        [f"{share:.17g}" for share in ring.shares().values()],
        [modulo_lookup(SERVERS, key) for key in KEYS],
        [rendezvous_lookup(SERVERS, key) for key in KEYS],
        [jump_lookup(number, 10) for number in numbers],
        list(bounded_load_assign(ring, KEYS, 0.25).items()),
        [ketama.lookup(key) for key in KEYS],
    ]
    digests = [hashlib.sha256(repr(answer).encode()).hexdigest()[:16] for answer in answers]
    assert digests == GOLDEN_DIGESTS


def test_a_few_answers_to_read() -> None:
    # The two hashes are what `b2sum --length=64` prints for the empty file and for "key-0".
    assert key_hash("") == 0xE4A6A0577479B2B4
    assert key_hash("key-0") == 0x8655DB8F4C7D5137
    ring = HashRing(["ant", "bee", "cat"])
    assert "".join(ring.lookup(key)[0] for key in "abcdefgh") == "bcaabbab"
    assert ring.preference_list("a", 3) == ("bee", "cat", "ant")
    assert ring.points[0] == (153307074412056764, "bee")
    assert [f"{share:.4f}" for share in ring.shares().values()] == ["0.3199", "0.3528", "0.3273"]
    assert modulo_lookup(ring.nodes, "a") == "cat"
    assert rendezvous_lookup(ring.nodes, "a") == "bee"
    assert jump_path(key_hash("a"), 100) == (0, 6, 11)


# --- Errors -------------------------------------------------------------------------------------

RING = HashRing(["a", "b", "c"])
NAN = math.nan
WRONG: Any = None

VALUE_ERRORS: list[tuple[Callable[[], object], str]] = [
    (lambda: HashRing([]), r"there are no nodes; allowed: one node or more"),
    (lambda: HashRing({}), r"there are no nodes; allowed: one node or more"),
    (lambda: HashRing(["a", "b", "a"]), r"node 'a' is given twice; allowed: every name once"),
    (lambda: HashRing(["a", ""]), r"name is ''; allowed: any non-empty string"),
    (lambda: HashRing(["a"], 0), r"virtual_nodes is 0; allowed: 1 to 1000000"),
    (lambda: HashRing(["a"], -5), r"virtual_nodes is -5; allowed: 1 to 1000000"),
    (lambda: HashRing(["a"], 10**7), r"virtual_nodes is 10000000; allowed: 1 to 1000000"),
    (lambda: HashRing(["a"], hash=WRONG), r"hash is None; allowed: 'blake2b' or 'ketama'"),
    (lambda: HashRing({"a": 0}), r"weight of 'a' is 0; allowed: a finite number greater than 0"),
    (lambda: RING.with_node("d", 0), r"weight of 'd' is 0; allowed: a finite number greater"),
    (lambda: RING.with_node("d", -1.5), r"weight of 'd' is -1.5; allowed: a finite number"),
    (lambda: RING.with_node("d", NAN), r"weight of 'd' is nan; allowed: a finite number"),
    (lambda: RING.with_node("d", math.inf), r"weight of 'd' is inf; allowed: a finite number"),
    (lambda: RING.with_node("d", 1e308), r"weight of 'd' is 1e\+308, .*; allowed: weight \* virt"),
    (lambda: RING.with_node("a"), r"'a' is on the ring already; allowed: .* than 'a', 'b', 'c'"),
    (lambda: RING.with_node(""), r"name is ''; allowed: any non-empty string"),
    (lambda: RING.without_node("z"), r"'z' is not on the ring; allowed: 'a', 'b', 'c'"),
    (lambda: RING.with_weight("z", 2), r"'z' is not on the ring; allowed: 'a', 'b', 'c'"),
    (lambda: RING.with_weight("a", 0), r"weight of 'a' is 0; allowed: a finite number"),
    (lambda: HashRing(["a"]).without_node("a"), r"'a' is the last one; allowed: rings of one"),
    (lambda: RING.preference_list("k", 4), r"n is 4; allowed: 1 to 3, the number of nodes"),
    (lambda: RING.preference_list("k", 0), r"n is 0; allowed: 1 to"),
    (lambda: RING.owner_at(-1), r"position is -1; allowed: 0 to 18446744073709551615"),
    (lambda: RING.owner_at(2**64), r"position is 18446744073709551616; allowed: 0 to 1844674"),
    (lambda: modulo_lookup([], "k"), r"there are no nodes; allowed: one node or more"),
    (lambda: modulo_lookup(["a", "a"], "k"), r"node 'a' is given twice; allowed: every name"),
    (lambda: rendezvous_lookup([], "k"), r"there are no nodes; allowed: one node or more"),
    (lambda: rendezvous_lookup(["a", "a"], "k"), r"node 'a' is given twice; allowed: every"),
    (lambda: jump_lookup(1, 0), r"buckets is 0; allowed: 1 to 2147483647"),
    (lambda: jump_lookup(1, 2**31), r"buckets is 2147483648; allowed: 1 to 2147483647"),
    (lambda: jump_lookup(-1, 5), r"key_hash is -1; allowed: 0 to 18446744073709551615"),
    (lambda: jump_lookup(2**64, 5), r"key_hash is 18446744073709551616; allowed: 0 to 184467"),
    (lambda: bounded_load_assign(RING, ["k"], 0), r"epsilon is 0; allowed: a finite number"),
    (lambda: bounded_load_assign(RING, ["k"], -0.1), r"epsilon is -0.1; allowed: a finite"),
    (lambda: bounded_load_assign(RING, ["k"], NAN), r"epsilon is nan; allowed: a finite"),
    (lambda: bounded_load_assign(RING, ["k"], math.inf), r"epsilon is inf; allowed: a finite"),
    (lambda: bounded_load_assign(RING, ["k", "k"], 1), r"key 'k' is given twice; allowed: every"),
    (lambda: assign_bounded(RING, [1] * 7, 2), r"is 2; allowed for 7 keys on 3 nodes: 3 or more"),
    (lambda: assign_bounded(RING, [1], -1), r"capacity is -1; allowed: 0 to"),
    (lambda: assign_bounded(RING, [-1], 1), r"position is -1; allowed: 0 to"),
    (lambda: moved_share(RING.lookup, RING.lookup, []), r"there are no keys; allowed: one key"),
]

TYPE_ERRORS: list[tuple[Callable[[], object], str]] = [
    (lambda: HashRing("abc"), r"nodes must be a collection of names, not one string: 'abc'"),
    (lambda: HashRing([WRONG]), r"a node must be a str, not NoneType: None"),
    (
        lambda: HashRing(["a"], 1.5),  # type: ignore[arg-type]
        r"virtual_nodes must be an int, not float: 1.5",
    ),
    (lambda: HashRing(["a"], True), r"virtual_nodes must be an int, not bool: True"),
    (lambda: RING.with_node("d", WRONG), r"weight of 'd' must be an int or a float, not NoneType"),
    (lambda: RING.with_node("d", True), r"weight of 'd' must be an int or a float, not bool"),
    (lambda: RING.with_node(WRONG), r"a node must be a str, not NoneType"),
    (lambda: RING.without_node(WRONG), r"a node must be a str, not NoneType"),
    (lambda: RING.lookup(WRONG), r"a key must be a str, not NoneType: None"),
    (
        lambda: RING.lookup(b"k"),  # type: ignore[arg-type]
        r"a key must be a str, not bytes: b'k'",
    ),
    (lambda: HashRing(["a"], hash="ketama").lookup(WRONG), r"a key must be a str, not NoneType"),
    (lambda: RING.preference_list(WRONG, 1), r"a key must be a str, not NoneType"),
    (lambda: RING.preference_list("k", WRONG), r"n must be an int, not NoneType"),
    (lambda: key_hash(WRONG), r"a key must be a str, not NoneType"),
    (lambda: modulo_lookup("abc", "k"), r"nodes must be a collection of names, not one string"),
    (lambda: modulo_lookup(["a", WRONG], "k"), r"a node must be a str, not NoneType"),
    (
        lambda: modulo_lookup(["a", []], "k"),  # type: ignore[list-item]
        r"a node must be a str, not list",
    ),
    (lambda: modulo_lookup(["a"], WRONG), r"a key must be a str, not NoneType"),
    (lambda: rendezvous_lookup(["a"], WRONG), r"a key must be a str, not NoneType"),
    (lambda: jump_lookup(WRONG, 1), r"key_hash must be an int, not NoneType"),
    (lambda: jump_lookup(1, WRONG), r"buckets must be an int, not NoneType"),
    (lambda: bounded_load_assign(RING, ["k"], WRONG), r"epsilon must be an int, a float or a Fr"),
    (lambda: bounded_load_assign(RING, [WRONG], 1), r"a key must be a str, not NoneType"),
]


@pytest.mark.parametrize(("call", "message"), VALUE_ERRORS)
def test_value_errors_give_the_value_and_what_is_allowed(
    call: Callable[[], object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(("call", "message"), TYPE_ERRORS)
def test_type_errors_give_the_type_and_the_value(call: Callable[[], object], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        call()


def test_lone_surrogates_are_keys_and_names() -> None:
    ring = HashRing(["a", "\ud800"])
    assert ring.lookup("\udfff") in ring.nodes
    assert rendezvous_lookup(ring.nodes, "\udfff") in ring.nodes


# --- Speed --------------------------------------------------------------------------------------


def median_ms(work: Callable[[], object]) -> float:
    times = []
    for _ in range(3):
        start = time.perf_counter()
        work()
        times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times)


def test_a_hundred_thousand_lookups_take_under_half_a_second() -> None:
    keys = [f"key-{number}" for number in range(100_000)]
    lookup = HashRing(SERVERS, 100).lookup
    assert median_ms(lambda: [lookup(key) for key in keys]) < 500


def test_changing_a_large_ring_hashes_only_the_node_that_changes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ring = HashRing([f"server-{number}" for number in range(20)], 1000)
    hashed: list[str] = []
    uncached = hashing._blake2b_block.__wrapped__

    def counted(node: str, block: int) -> tuple[int, ...]:
        hashed.append(node)
        return uncached(node, block)

    monkeypatch.setattr(hashing, "_blake2b_block", counted)
    after = ring.with_node("server-new", 2)
    assert set(hashed) == {"server-new"}
    hashed.clear()
    after.without_node("server-0")
    assert hashed == []
