"""The ring with hash="ketama" against what libketama publishes and computes."""

import hashlib

import pytest
import uhashring
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pysims.patterns.hash_ring import hashing
from pysims.patterns.hash_ring.hashing import HashRing

# The server list of libketama's own test:
# https://github.com/RJ/ketama/blob/18cf9a7717dad0d8106a5205900a17617043fe2c/ketama.servers
KETAMA_SERVERS = {
    "10.0.1.1:11211": 600,
    "10.0.1.2:11211": 300,
    "10.0.1.3:11211": 200,
    "10.0.1.4:11211": 350,
    "10.0.1.5:11211": 1000,
    "10.0.1.6:11211": 800,
    "10.0.1.7:11211": 950,
    "10.0.1.8:11211": 100,
}

# The checksum of what libketama/ketama_test.c prints for that list and the keys 0 to 999999:
# https://github.com/RJ/ketama/blob/18cf9a7717dad0d8106a5205900a17617043fe2c/libketama/test.sh#L8
KETAMA_CHECKSUM = "5672b131391f5aa2b280936aec1eea74"


def printed_by_ketama_test(ring: HashRing, keys: int) -> str:
    """Return the MD5 of the lines that ketama_test.c prints for the keys 0, 1, 2, ..."""
    # The first line is ketama_error(), which is empty.
    printed = hashlib.md5(b"\n")
    for number in range(keys):
        key = str(number)
        point, server = ring.point_for(key)
        printed.update(f"{ring.position(key)} {point} {server}\n".encode())
    return printed.hexdigest()


def test_a_million_keys_give_libketamas_published_checksum() -> None:
    ring = HashRing(KETAMA_SERVERS, hash="ketama")
    assert printed_by_ketama_test(ring, 1_000_000) == KETAMA_CHECKSUM
    assert all(ring.lookup(str(key)) == ring.point_for(str(key))[1] for key in range(10_000))


def test_the_same_ring_built_server_by_server() -> None:
    (first, memory), *others = KETAMA_SERVERS.items()
    ring = HashRing({first: memory}, hash="ketama")
    for server, memory in others:
        ring = ring.with_node(server, memory)
    assert ring == HashRing(KETAMA_SERVERS, hash="ketama")
    assert ring.points == HashRing(KETAMA_SERVERS, hash="ketama").points
    more = ring.with_node("10.0.1.9:11211", 5000).without_node("10.0.1.9:11211")
    again = more.with_weight("10.0.1.2:11211", 7).with_weight("10.0.1.2:11211", 300)
    assert again.points == ring.points


# The hashes per server that ketama.c's two lines of float arithmetic give when compiled by gcc 12
# for x86-64. In all cases but the first and the last two, exact arithmetic gives another count.
HASHES_FROM_C = [
    ((600, 300, 200, 350, 1000, 800, 950, 100), (44, 22, 14, 26, 74, 59, 70, 7)),
    ((1, 18, 21), (3, 54, 62)),
    ((1, 37, 42), (1, 55, 62)),
    ((10_000_000, 10_000_001, 20_000_000), (30, 30, 60)),
    ((1_000_000, 3, 1_000_000), (59, 0, 59)),
    ((1, 6, 53), (2, 12, 106)),
]


@pytest.mark.parametrize(("memory", "hashes"), HASHES_FROM_C)
def test_points_are_counted_with_the_rounding_of_c_floats(
    memory: tuple[int, ...], hashes: tuple[int, ...]
) -> None:
    servers = {f"server-{number}": size for number, size in enumerate(memory)}
    owners = [owner for _, owner in HashRing(servers, hash="ketama").points]
    assert tuple(owners.count(server) for server in servers) == tuple(4 * n for n in hashes)


def test_exact_arithmetic_would_count_otherwise() -> None:
    # This keeps the table above honest: some of its cases do depend on the rounding.
    exact = [
        tuple(40 * len(memory) * size // sum(memory) for size in memory)
        for memory, _ in HASHES_FROM_C
    ]
    differing = [
        number for number, (_, hashes) in enumerate(HASHES_FROM_C) if exact[number] != hashes
    ]
    assert differing == [1, 2, 3]


@pytest.mark.parametrize("servers", [1, 2, 3, 7, 41, 199])
def test_equal_memory_gives_160_points_each(servers: int) -> None:
    ring = HashRing([f"server-{number}" for number in range(servers)], hash="ketama")
    assert len(ring.points) == 160 * servers
    assert ring.virtual_nodes == 160
    assert ring.size == 2**32


def test_a_server_too_small_for_a_point_is_never_chosen() -> None:
    ring = HashRing({"a": 1_000_000, "crumb": 3, "b": 1_000_000}, hash="ketama")
    assert ring.shares()["crumb"] == 0.0
    assert sum(ring.shares().values()) == pytest.approx(1, abs=1e-12)
    assert set(ring.preference_list("key", 2)) == {"a", "b"}
    with pytest.raises(ValueError, match=r"n is 3; allowed: 1 to 2, the number of nodes on the"):
        ring.preference_list("key", 3)
    # The bound is on the two nodes that can own keys: ceil(1.1 * 10 / 2) = 6.
    assigned = hashing.bounded_load_assign(ring, [str(key) for key in range(10)], 0.1)
    owners = list(assigned.values())
    assert owners.count("a") + owners.count("b") == 10
    assert max(owners.count("a"), owners.count("b")) <= 6


def test_equal_points_belong_to_the_smaller_name() -> None:
    # These two names were found by search: each has a point at this position.
    position = 1296976496
    for order in (["cache-590", "cache-712"], ["cache-712", "cache-590"]):
        ring = HashRing(order, hash="ketama")
        at_position = [owner for point, owner in ring.points if point == position]
        assert at_position == ["cache-590", "cache-712"]
        assert ring.owner_at(position) == "cache-590"
        assert ring.without_node("cache-590").owner_at(position) == "cache-712"
        assert sum(ring.shares().values()) == pytest.approx(1, abs=1e-12)


def test_equal_memory_moves_keys_only_to_the_new_server() -> None:
    before = HashRing([f"server-{number}" for number in range(6)], hash="ketama")
    after = before.with_node("server-6")
    moved = [key for key in map(str, range(5000)) if before.lookup(key) != after.lookup(key)]
    assert moved
    assert {after.lookup(key) for key in moved} == {"server-6"}


def test_unequal_memory_also_moves_keys_between_old_servers() -> None:
    # The docstring warns of this: a new server changes the average of all.
    before = HashRing(KETAMA_SERVERS, hash="ketama")
    after = before.with_node("10.0.1.9:11211", 5000)
    moved = [key for key in map(str, range(5000)) if before.lookup(key) != after.lookup(key)]
    assert {after.lookup(key) for key in moved} > {"10.0.1.9:11211"}


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(min_value=1, max_value=9), min_size=1, max_size=12))
def test_another_implementation_finds_the_same_owners(memory: list[int]) -> None:
    servers = {f"10.0.0.{number}:11211": size for number, size in enumerate(memory)}
    ring = HashRing(servers, hash="ketama")
    # uhashring counts points in exact arithmetic; where C's floats count otherwise, it differs.
    exact = [4 * (40 * len(memory) * size // sum(memory)) for size in memory]
    owners = [owner for _, owner in ring.points]
    assume([owners.count(server) for server in servers] == exact)
    oracle = uhashring.HashRing(
        {server: {"weight": size} for server, size in servers.items()}, hash_fn="ketama"
    )
    for key in map(str, range(300)):
        assert ring.lookup(key) == oracle.get_node(key)


def test_other_virtual_nodes_are_refused() -> None:
    assert HashRing(["a"], 160, hash="ketama") == HashRing(["a"], hash="ketama")
    with pytest.raises(ValueError, match=r"virtual_nodes is 40; allowed with hash='ketama': only"):
        HashRing(["a"], 40, hash="ketama")


@pytest.mark.parametrize("weight", [1.5, 2.0, 0.1])
def test_memory_is_a_whole_number(weight: float) -> None:
    expected = rf"weight of 'a' is {weight}; allowed with hash='ketama': a whole number"
    with pytest.raises(ValueError, match=expected):
        HashRing({"a": weight}, hash="ketama")
    with pytest.raises(ValueError, match=expected):
        HashRing(["b"], hash="ketama").with_node("a", weight)


def test_memory_stays_exact() -> None:
    assert HashRing({"a": 2**53 - 1, "b": 1}, hash="ketama").lookup("key") == "a"
    with pytest.raises(ValueError, match=r"add up to 9007199254740993; allowed .* at most 90071"):
        HashRing({"a": 2**53, "b": 1}, hash="ketama")
