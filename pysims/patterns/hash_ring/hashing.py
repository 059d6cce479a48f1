"""Five ways to decide which server owns a key, as pure functions and one immutable ring.

How the ring works. A hash function maps every string to a position on a circle of `size`
positions. A node owns several points of that circle (its virtual nodes), and a key belongs to the
node whose point is the first at or after the key's own position, going clockwise and past the top
back to the bottom. A node that joins takes the arcs before its new points and nothing else; a node
that leaves hands its arcs to whoever comes next. That is the whole idea of Karger, Lehman,
Leighton, Panigrahy, Levine and Lewin, "Consistent Hashing and Random Trees", STOC 1997
(https://doi.org/10.1145/258533.258660), section 4; the name "virtual node" and the preference
list are from DeCandia et al., "Dynamo", SOSP 2007 (https://doi.org/10.1145/1294261.1294281),
sections 4.2 and 4.3.

Beside the ring stand the rule that it replaces (`modulo_lookup`) and its relatives:

* rendezvous hashing: Thaler and Ravishankar, "Using Name-Based Mappings to Increase Hit Rates",
  IEEE/ACM Transactions on Networking 6(1), 1998 (https://doi.org/10.1109/90.663936);
* jump hashing: Lamping and Veach, "A Fast, Minimal Memory, Consistent Hash Algorithm", 2014
  (https://arxiv.org/abs/1406.2294);
* bounded loads: Mirrokni, Thorup and Zadimoghaddam, "Consistent Hashing with Bounded Loads",
  SODA 2018 (https://arxiv.org/abs/1608.01350).

Every decision is made in integers, or in IEEE 754 operations that are exactly rounded (`+ - * /`),
so the answers are the same in every Python and in the browser. That is also why rendezvous
hashing has no weights here: the weighted rule needs a logarithm, whose last bit differs between
C libraries.
"""

import math
import struct
import sys
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from hashlib import blake2b, md5
from typing import Literal, NoReturn

__all__ = [
    "HashRing",
    "assign_bounded",
    "bounded_load_assign",
    "jump_lookup",
    "jump_path",
    "key_hash",
    "modulo_lookup",
    "moved_share",
    "rendezvous_lookup",
    "rendezvous_scores",
]

HashName = Literal["blake2b", "ketama"]
Point = tuple[int, str]

# A slip of the finger (weight 1e9) must end in a sentence, not in an exhausted memory.
MAX_POINTS_PER_NODE = 1_000_000

# libketama makes 40 hashes for a server of average memory, and each gives 4 points (ketama.c,
# ketama_create_continuum).
KETAMA_HASHES_PER_NODE = 40
KETAMA_POINTS_PER_HASH = 4
KETAMA_VIRTUAL_NODES = KETAMA_HASHES_PER_NODE * KETAMA_POINTS_PER_HASH

# Below this sum every memory size is exact as a double, so that rounding it to a float rounds once.
KETAMA_MEMORY_SUM_MAX = 2**53

BLAKE2B_SIZE = 2**64
KETAMA_SIZE = 2**32
_UINT64_MASK = 2**64 - 1

# Positions are hashed and cached in blocks. Point i of a node does not depend on how many points
# the node has, so a slider that goes from 100 to 101 finds all but one block in the cache.
_BLOCK_POINTS = 64


# --- Hashes -------------------------------------------------------------------------------------


def _utf8(key: str) -> bytes:
    """Encode a key; lone surrogates, which a browser's text field may hold, are keys as well."""
    if not isinstance(key, str):
        raise TypeError(f"a key must be a str, not {type(key).__name__}: {key!r}")
    return key.encode("utf-8", "surrogatepass")


def key_hash(key: str) -> int:
    """Return the 64-bit hash of a key: the first 8 bytes of BLAKE2b-64, big-endian.

    The blake2b ring, `modulo_lookup` and callers of `jump_lookup` all use this one hash, so that
    strategies are compared on the same keys in the same places.

    Raises TypeError if the key is not a str.
    """
    return int.from_bytes(blake2b(_utf8(key), digest_size=8).digest(), "big")


def _ketama_hash(key: str) -> int:
    """Return libketama's 32-bit hash of a key: 4 bytes of MD5, low first (ketama_hashi)."""
    return int.from_bytes(md5(_utf8(key), usedforsecurity=False).digest()[:4], "little")


@lru_cache(maxsize=1024)
def _blake2b_block(node: str, block: int) -> tuple[int, ...]:
    first = block * _BLOCK_POINTS
    return tuple(key_hash(f"{node}-{index}") for index in range(first, first + _BLOCK_POINTS))


def _blake2b_points(node: str, count: int) -> list[Point]:
    """Return `count` points of a node in ascending order: the hashes of "node-0", "node-1", ..."""
    blocks = -(-count // _BLOCK_POINTS)
    positions = [position for block in range(blocks) for position in _blake2b_block(node, block)]
    return [(position, node) for position in sorted(positions[:count])]


@lru_cache(maxsize=256)
def _ketama_points(node: str, hashes: int) -> tuple[Point, ...]:
    """Return the 4 * `hashes` points that ketama_create_continuum gives to one server."""
    positions: list[int] = []
    for index in range(hashes):
        digest = md5(_utf8(f"{node}-{index}"), usedforsecurity=False).digest()
        positions.extend(struct.unpack("<4I", digest))
    return tuple((position, node) for position in sorted(positions))


def _float32(value: float) -> float:
    """Round a double to the nearest C float, ties to even."""
    rounded: float = struct.unpack("<f", struct.pack("<f", value))[0]
    return rounded


def _ketama_hashes(memory: int, memory_sum: int, nodes: int) -> int:
    """Return how many hashes libketama gives to a server with `memory` of `memory_sum`.

    The C code is `float pct = (float)memory / (float)total;` and then
    `floorf( pct * 40.0 * (float)numservers )`: a division of floats, a product of doubles (40.0 is
    a double), and a conversion back to float on the way into floorf. Each step is repeated here,
    because exact arithmetic gives other counts. Dividing as doubles and rounding once is the same
    as dividing floats, since 53 >= 2 * 24 + 2 (Figueroa, "When is double rounding innocuous?",
    1995).
    """
    share = _float32(_float32(memory) / _float32(memory_sum))
    return math.floor(_float32(share * float(KETAMA_HASHES_PER_NODE) * _float32(nodes)))


# --- Checks -------------------------------------------------------------------------------------


def _checked_int(name: str, value: int, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an int, not {type(value).__name__}: {value!r}")
    if not low <= value <= high:
        raise ValueError(f"{name} is {value}; allowed: {low} to {high}")
    return value


def _checked_name(node: str) -> str:
    if not isinstance(node, str):
        raise TypeError(f"a node must be a str, not {type(node).__name__}: {node!r}")
    if not node:
        raise ValueError("a node's name is ''; allowed: any non-empty string")
    return node


def _checked_names(nodes: Iterable[str]) -> tuple[str, ...]:
    """Return the names as a tuple: at least one, each a non-empty str, none twice."""
    if isinstance(nodes, str):
        raise TypeError(f"nodes must be a collection of names, not one string: {nodes!r}")
    names = tuple(_checked_name(node) for node in nodes)
    if not names:
        raise ValueError("there are no nodes; allowed: one node or more")
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"node {name!r} is given twice; allowed: every name once")
        seen.add(name)
    return names


_cached_names = lru_cache(maxsize=64)(_checked_names)


def _names_of(nodes: Sequence[str]) -> tuple[str, ...]:
    """Return checked names; a check per list of nodes, not one per key."""
    if isinstance(nodes, str):
        return _checked_names(nodes)
    names = tuple(nodes)
    try:
        return _cached_names(names)
    except TypeError:  # An unhashable entry: the plain check says which.
        return _checked_names(names)


def _checked_weight(node: str, weight: float) -> float:
    if isinstance(weight, bool) or not isinstance(weight, (int, float)):
        kind = type(weight).__name__
        raise TypeError(f"the weight of {node!r} must be an int or a float, not {kind}: {weight!r}")
    if not 0 < weight < math.inf:  # NaN fails every comparison, so it is caught here as well.
        raise ValueError(
            f"the weight of {node!r} is {weight!r}; allowed: a finite number greater than 0"
        )
    return weight


def _checked_ketama_weights(weights: Mapping[str, float]) -> dict[str, int]:
    memory: dict[str, int] = {}
    for node, weight in weights.items():
        if not isinstance(weight, int):
            raise ValueError(
                f"the weight of {node!r} is {weight!r}; allowed with hash='ketama': a whole number"
                " (a memory size) of 1 or more"
            )
        memory[node] = weight
    if sum(memory.values()) > KETAMA_MEMORY_SUM_MAX:
        raise ValueError(
            f"the weights add up to {sum(memory.values())}; allowed with hash='ketama': a sum of"
            f" at most {KETAMA_MEMORY_SUM_MAX}"
        )
    return memory


# --- The ring -----------------------------------------------------------------------------------


class HashRing:
    """An immutable consistent-hash ring; every change returns a new ring.

    Args:
        nodes: distinct, non-empty names, each with weight 1; or a mapping from name to weight.
        virtual_nodes: points of a node of weight 1, from 1 to 1,000,000. A node of weight w has
            `round(w * virtual_nodes)` points, but at least one. With hash="ketama" it is fixed by
            libketama: leave it alone or pass 160, which is then what `.virtual_nodes` says.
        hash: "blake2b" is a ring of 2**64 positions, point i of a node at the hash of "name-i".
            "ketama" is a ring of 2**32 positions, with points, lookups and float arithmetic
            exactly as in libketama (https://github.com/RJ/ketama, libketama/ketama.c). Weights are
            then memory sizes, whole numbers, and a node has
            4 * floor(40 * nodes * weight / sum of weights) points, 160 on average.

    With "blake2b", adding, removing or weighting a node moves keys only to or from that node. With
    "ketama" that holds while weights are equal; otherwise a new server changes the average that
    the other servers are measured against, so a few of their points come and go too.

    Two points at one position: the smaller name owns it, whichever node came first. (libketama
    leaves that case to qsort, which may do either.)

    Rings are equal if they have the same weights, virtual nodes and hash; the order of the nodes
    decides nothing.

    Raises:
        TypeError: a name, weight or count of the wrong type.
        ValueError: no nodes, a name twice, a weight that is not positive and finite, a number
            out of its range. The message gives the value and what is allowed.
    """

    __slots__ = (
        "_hash",
        "_hash_key",
        "_owners",
        "_points",
        "_positions",
        "_virtual_nodes",
        "_weights",
    )

    _hash: HashName
    _hash_key: Callable[[str], int]
    _owners: tuple[str, ...]
    _points: tuple[Point, ...]
    _positions: tuple[int, ...]
    _virtual_nodes: int
    _weights: dict[str, float]

    def __init__(
        self,
        nodes: Iterable[str] | Mapping[str, float],
        virtual_nodes: int = 100,
        hash: HashName = "blake2b",
    ) -> None:
        if hash not in ("blake2b", "ketama"):
            raise ValueError(f"hash is {hash!r}; allowed: 'blake2b' or 'ketama'")
        names = _checked_names(nodes)
        given = nodes if isinstance(nodes, Mapping) else dict.fromkeys(names, 1)
        weights = {name: _checked_weight(name, given[name]) for name in names}
        _checked_int("virtual_nodes", virtual_nodes, 1, MAX_POINTS_PER_NODE)
        if hash == "ketama":
            if virtual_nodes not in (100, KETAMA_VIRTUAL_NODES):
                raise ValueError(
                    f"virtual_nodes is {virtual_nodes}; allowed with hash='ketama': only"
                    f" {KETAMA_VIRTUAL_NODES}, or no value, because libketama fixes it"
                )
            virtual_nodes = KETAMA_VIRTUAL_NODES
            points = _ketama_ring(weights)
        else:
            points = sorted(
                point
                for name, weight in weights.items()
                for point in _blake2b_points(name, _point_count(name, weight, virtual_nodes))
            )
        self._fill(weights, virtual_nodes, hash, points)

    def _fill(
        self, weights: dict[str, float], virtual_nodes: int, hash: HashName, points: list[Point]
    ) -> None:
        owners = tuple([owner for _, owner in points])
        fill = super().__setattr__
        fill("_weights", weights)
        fill("_virtual_nodes", virtual_nodes)
        fill("_hash", hash)
        fill("_hash_key", _ketama_hash if hash == "ketama" else key_hash)
        fill("_points", tuple(points))
        fill("_positions", tuple([position for position, _ in points]))
        # The first owner once more at the end: a search that runs off the top of the circle finds
        # it there, and a lookup needs no test for the wrap.
        fill("_owners", (*owners, owners[0]))

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a HashRing cannot be changed: set {name!r} refused")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a HashRing cannot be changed: delete {name!r} refused")

    # What the ring is made of.

    @property
    def nodes(self) -> tuple[str, ...]:
        """The names, in the order in which they were given or added."""
        return tuple(self._weights)

    @property
    def weights(self) -> dict[str, float]:
        """A copy of the weights by name, in the order of `nodes`."""
        return dict(self._weights)

    @property
    def virtual_nodes(self) -> int:
        """Points of a node of weight 1; with "ketama", 160, the points of an average node."""
        return self._virtual_nodes

    @property
    def hash(self) -> HashName:
        """The name of the hash: "blake2b" or "ketama"."""
        return self._hash

    @property
    def size(self) -> int:
        """The number of positions of the circle: 2**64, or 2**32 with "ketama"."""
        return KETAMA_SIZE if self._hash == "ketama" else BLAKE2B_SIZE

    @property
    def points(self) -> tuple[Point, ...]:
        """All points as (position, owner), clockwise from position 0: `0 <= position < size`."""
        return self._points

    def __len__(self) -> int:
        """Return the number of nodes (not of points)."""
        return len(self._weights)

    def __contains__(self, node: object) -> bool:
        return node in self._weights

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, HashRing):
            return NotImplemented
        return self._identity() == other._identity()

    def __hash__(self) -> int:
        weights, virtual_nodes, name = self._identity()
        return hash((frozenset(weights.items()), virtual_nodes, name))

    def _identity(self) -> tuple[dict[str, float], int, HashName]:
        return self._weights, self._virtual_nodes, self._hash

    def __repr__(self) -> str:
        return (
            f"HashRing({self._weights}, virtual_nodes={self._virtual_nodes}, hash={self._hash!r})"
        )

    def __reduce__(
        self,
    ) -> tuple[type["HashRing"], tuple[dict[str, float], int, HashName]]:
        """Copy and pickle by the arguments, since attributes cannot be set."""
        return HashRing, self._identity()

    # Who owns what.

    def position(self, key: str) -> int:
        """Return the key's place on the circle: `0 <= position < size`. TypeError if not a str."""
        return self._hash_key(key)

    def lookup(self, key: str) -> str:
        """Return the node that owns the key: that of the first point at or after its position."""
        return self._owners[bisect_left(self._positions, self._hash_key(key))]

    def owner_at(self, position: int) -> str:
        """Return the node that owns a position of the circle (`0 <= position < size`)."""
        return self._owners[self._index_at(position) % len(self._points)]

    def point_for(self, key: str) -> Point:
        """Return (position, owner) of the point that a key's walk clockwise ends at."""
        return self._points[self._index_at(self.position(key)) % len(self._points)]

    def _index_at(self, position: int) -> int:
        """Return the index of the first point at or after a position, or the number of points."""
        _checked_int("position", position, 0, self.size - 1)
        return bisect_left(self._positions, position)

    def preference_list(self, key: str, n: int) -> tuple[str, ...]:
        """Return the first `n` distinct nodes clockwise from the key (Dynamo, section 4.3).

        The first is the owner, `lookup(key)`; the others would hold the replicas. Points of nodes
        already in the list are skipped, so that `n` replicas are on `n` physical nodes.

        Raises ValueError if `n` is below 1 or above the number of nodes that have a point (all
        of them, except that "ketama" gives none to a server with far less memory than average).
        """
        _checked_int("n", n, 1, sys.maxsize)
        start = bisect_left(self._positions, self.position(key))
        found: list[str] = []
        for index in range(start, start + len(self._points)):
            owner = self._owners[index % len(self._points)]
            if owner not in found:
                found.append(owner)
                if len(found) == n:
                    return tuple(found)
        raise ValueError(f"n is {n}; allowed: 1 to {len(found)}, the number of nodes on the ring")

    def shares(self) -> dict[str, float]:
        """Return the share of the circle that each node owns, by name, in the order of `nodes`.

        This is what the share of keys tends to as keys grow in number. The arcs are added as
        integers and divided once, so each share is exact to the last bit of its float and they
        sum to 1 within rounding.
        """
        arcs = dict.fromkeys(self._weights, 0)
        previous = self._positions[-1] - self.size
        for position, owner in self._points:
            arcs[owner] += position - previous
            previous = position
        return {node: arc / self.size for node, arc in arcs.items()}

    # Other rings.

    def with_node(self, node: str, weight: float = 1) -> "HashRing":
        """Return a ring that has this node as well, as the last of `nodes`.

        Raises TypeError or ValueError as the constructor does, and ValueError if it is there.
        """
        if _checked_name(node) in self._weights:
            raise ValueError(
                f"node {node!r} is on the ring already; allowed: a name other than"
                f" {self._listed()} (with_weight changes a weight)"
            )
        return self._replaced({**self._weights, node: _checked_weight(node, weight)}, node)

    def without_node(self, node: str) -> "HashRing":
        """Return a ring without this node; ValueError if it is not there, or the last one."""
        self._check_present(node)
        if len(self._weights) == 1:
            raise ValueError(f"node {node!r} is the last one; allowed: rings of one node or more")
        weights = {name: weight for name, weight in self._weights.items() if name != node}
        return self._replaced(weights, node)

    def with_weight(self, node: str, weight: float) -> "HashRing":
        """Return a ring on which this node has another weight and its old place in `nodes`.

        Raises ValueError if the node is not there or the weight is not positive and finite.
        """
        self._check_present(node)
        return self._replaced({**self._weights, node: _checked_weight(node, weight)}, node)

    def _check_present(self, node: str) -> None:
        if _checked_name(node) not in self._weights:
            raise ValueError(f"node {node!r} is not on the ring; allowed: {self._listed()}")

    def _listed(self) -> str:
        return ", ".join(repr(name) for name in self._weights)

    def _replaced(self, weights: dict[str, float], changed: str) -> "HashRing":
        """Return a ring with these weights, which differ from this ring's in one node."""
        if self._hash == "ketama":
            points = _ketama_ring(weights)
        else:
            points = [point for point in self._points if point[1] != changed]
            if changed in weights:
                count = _point_count(changed, weights[changed], self._virtual_nodes)
                points += _blake2b_points(changed, count)
                # Two ascending runs: this sort finds them and merges, in linear time.
                points.sort()
        ring = HashRing.__new__(HashRing)
        ring._fill(weights, self._virtual_nodes, self._hash, points)
        return ring


def _point_count(node: str, weight: float, virtual_nodes: int) -> int:
    """Return the number of points of a blake2b node; a node on the ring has at least one."""
    points = weight * virtual_nodes
    if points > MAX_POINTS_PER_NODE:
        raise ValueError(
            f"the weight of {node!r} is {weight!r}, which with virtual_nodes={virtual_nodes} makes"
            f" too many points; allowed: weight * virtual_nodes of at most {MAX_POINTS_PER_NODE}"
        )
    return max(1, round(points))


def _ketama_ring(weights: Mapping[str, float]) -> list[Point]:
    memory = _checked_ketama_weights(weights)
    memory_sum = sum(memory.values())
    return sorted(
        point
        for node, size in memory.items()
        for point in _ketama_points(node, _ketama_hashes(size, memory_sum, len(memory)))
    )


# --- The ring's relatives -----------------------------------------------------------------------


def modulo_lookup(nodes: Sequence[str], key: str) -> str:
    """Return `nodes[key_hash(key) % len(nodes)]`, the rule that moves most keys on any change.

    The order of the nodes matters: it is their number in the list that is computed.

    Raises TypeError for a key or node that is not a str; ValueError if there are no nodes, an
    empty name, or a name twice.
    """
    names = _names_of(nodes)
    return names[key_hash(key) % len(names)]


@lru_cache(maxsize=64)
def _rendezvous_hashers(names: tuple[str, ...]) -> tuple[blake2b, ...]:
    """Return one hasher per node that has read the name; it is copied and reads the key."""
    # The length keeps node "ab" with key "c" apart from node "a" with key "bc".
    return tuple(blake2b(_utf8(f"{len(name)}:{name}"), digest_size=8) for name in names)


def rendezvous_scores(nodes: Sequence[str], key: str) -> tuple[int, ...]:
    """Return the key's score at each node, in the order of `nodes`: 64-bit hashes of both.

    Raises as `modulo_lookup` does.
    """
    data = _utf8(key)
    scores: list[int] = []
    for seeded in _rendezvous_hashers(_names_of(nodes)):
        hasher = seeded.copy()
        hasher.update(data)
        scores.append(int.from_bytes(hasher.digest(), "big"))
    return tuple(scores)


def rendezvous_lookup(nodes: Sequence[str], key: str) -> str:
    """Return the node at which the key scores highest (Thaler and Ravishankar, 1998).

    The order of the nodes does not matter; of equal scores, the smaller name wins. A node that
    leaves gives up only the keys at which it scored highest, and one that joins takes only those.

    Raises as `modulo_lookup` does.
    """
    scores = rendezvous_scores(nodes, key)
    best = max(scores)
    return min(node for node, score in zip(nodes, scores, strict=True) if score == best)


def jump_path(key_hash: int, buckets: int) -> tuple[int, ...]:
    """Return the buckets that a key jumps through as buckets are added: 0 first, its bucket last.

    A bucket b in the path means: when the number of buckets became b + 1, the key moved to b.
    This is the C++ code of Lamping and Veach, with its 64-bit generator and its division
    of doubles; every operation is exactly rounded, so it agrees bit for bit.

    Args:
        key_hash: an integer from 0 to 2**64 - 1, such as `key_hash(key)` of this module.
        buckets: the number of buckets, from 1 to 2**31 - 1 (the paper's int32_t).

    Raises TypeError for other types, ValueError for numbers outside these ranges.
    """
    state = _checked_int("key_hash", key_hash, 0, _UINT64_MASK)
    _checked_int("buckets", buckets, 1, 2**31 - 1)
    path: list[int] = []
    candidate = 0
    while candidate < buckets:
        path.append(candidate)
        state = (state * 2862933555777941757 + 1) & _UINT64_MASK
        candidate = int((candidate + 1) * (2147483648.0 / ((state >> 33) + 1)))
    return tuple(path)


def jump_lookup(key_hash: int, buckets: int) -> int:
    """Return the bucket, `0 <= bucket < buckets`, of a 64-bit key hash (Lamping and Veach, 2014).

    Raises as `jump_path` does.
    """
    return jump_path(key_hash, buckets)[-1]


def assign_bounded(ring: HashRing, positions: Iterable[int], capacity: int) -> tuple[str, ...]:
    """Return the owner of each position, in order of arrival, no node owning over `capacity`.

    A position whose node is full walks on clockwise to the first node that is not (Mirrokni,
    Thorup and Zadimoghaddam). A position may come many times: that is a hot key whose
    requests spread over the nodes that follow.

    Args:
        ring: the ring.
        positions: `ring.position(key)` of each key or request.
        capacity: what one node may hold, at least 0.

    Raises ValueError if there are more positions than the nodes together may hold.
    """
    arrivals = tuple(positions)
    load = dict.fromkeys(ring._owners, 0)
    _checked_int("capacity", capacity, 0, _UINT64_MASK)
    if len(arrivals) > capacity * len(load):
        raise ValueError(
            f"capacity is {capacity}; allowed for {len(arrivals)} keys on {len(load)} nodes:"
            f" {-(-len(arrivals) // len(load))} or more"
        )
    points = len(ring.points)
    # Nodes fill up and never empty, so a walk may skip whatever an earlier walk found full.
    following = [*range(1, points), 0]
    assigned: list[str] = []
    for position in arrivals:
        index = ring._index_at(position) % points
        full: list[int] = []
        while load[ring._owners[index]] == capacity:
            full.append(index)
            index = following[index]
        for passed in full:
            following[passed] = index
        load[ring._owners[index]] += 1
        assigned.append(ring._owners[index])
    return tuple(assigned)


def bounded_load_assign(
    ring: HashRing, keys: Iterable[str], epsilon: float | Fraction
) -> dict[str, str]:
    """Return the owner of every key, no node owning more than ceil((1 + epsilon) * mean) keys.

    Keys arrive in the order given; a key that meets a full node walks on clockwise (Mirrokni,
    Thorup and Zadimoghaddam). The mean is keys / nodes, over the nodes that have a point. The
    bound is computed in fractions, from the decimal that a float prints as, so an epsilon of 0.1
    means one tenth. It is the same for all nodes, whatever their weights.

    Raises:
        TypeError: a key that is not a str, an epsilon that is not a number.
        ValueError: a key twice, or an epsilon that is not positive and finite.
    """
    if isinstance(epsilon, bool) or not isinstance(epsilon, (int, float, Fraction)):
        kind = type(epsilon).__name__
        raise TypeError(f"epsilon must be an int, a float or a Fraction, not {kind}: {epsilon!r}")
    if not 0 < epsilon < math.inf:
        raise ValueError(f"epsilon is {epsilon}; allowed: a finite number greater than 0")
    order: dict[str, int] = {}
    for key in keys:
        if key in order:
            raise ValueError(f"key {key!r} is given twice; allowed: every key once")
        order[key] = ring.position(key)
    # Simplified: keys only arrive. The paper also moves keys back when others leave.
    mean = Fraction(len(order), len(set(ring._owners)))
    capacity = math.ceil((1 + Fraction(str(epsilon))) * mean)
    return dict(zip(order, assign_bounded(ring, order.values(), capacity), strict=True))


def moved_share(
    before: Callable[[str], object], after: Callable[[str], object], keys: Iterable[str]
) -> float:
    """Return the share of keys, from 0.0 to 1.0, whose owner differs between two lookups.

    Args:
        before: a function from a key to its owner, such as `ring.lookup`.
        after: the same, after a change.
        keys: the keys; one that comes twice counts twice.

    Raises ValueError if there are no keys.
    """
    moved = [before(key) != after(key) for key in keys]
    if not moved:
        raise ValueError("there are no keys; allowed: one key or more")
    return sum(moved) / len(moved)
