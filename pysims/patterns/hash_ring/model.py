"""Keys on servers: who owns which key, and which keys move when the servers change.

It shows: `hash(key) mod N` moves almost every key when N changes; a hash ring moves only the keys
of the server that left or joined. Five strategies place the same keys on the same servers.

Papers: Karger et al., "Consistent Hashing and Random Trees", STOC 1997, section 4 (the ring);
DeCandia et al., "Dynamo", SOSP 2007, sections 4.2 and 4.3 (virtual nodes, preference list);
Thaler and Ravishankar, "Using Name-Based Mappings to Increase Hit Rates", IEEE/ACM ToN 1998
(rendezvous); Lamping and Veach, arXiv:1406.2294 (jump); Mirrokni, Thorup, Zadimoghaddam,
"Consistent Hashing with Bounded Loads", SODA 2018.

Simplified: a placement changes in an instant. Copying the data, serving requests meanwhile and
agreeing on who is a member are left out; so is the difference between a key and its size.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import accumulate
from math import ceil, fsum, sqrt

from ...kernel import Choice, Context, Draws, Number, OneOf, Text, knob, replace
from .hashing import HashRing, assign_bounded, jump_path, key_hash, rendezvous_scores

NAMES = "ABCDEFGHIJKLMNOPQRST"
WEIGHT_MAX = 10
EXAMPLE_KEY = "user:42"

STRATEGIES = {
    "modulo": "hash mod N",
    "ring": "hash ring",
    "bounded": "ring, bounded loads",
    "rendezvous": "rendezvous",
    "jump": "jump",
}


def server_names(state: State) -> tuple[str, ...]:
    """The names of the servers that are up, in the order in which they joined."""
    return tuple(server.name for server in state.servers)


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader sets before the run."""

    strategy: str = knob(Choice("Strategy", STRATEGIES), "ring")
    servers: int = knob(Number("Servers at the start", 1, len(NAMES)), 4)
    keys: int = knob(Number("Keys", 10, 10_000, logarithmic=True, hint="With skew: requests."), 200)
    virtual_nodes: int = knob(Number("Virtual nodes per server", 1, 1_000, logarithmic=True), 100)
    replication_factor: int = knob(
        Number("Copies of each key", 1, 5, hint="Bounded loads and jump keep one copy here."), 1
    )
    epsilon: float = knob(
        Number("Slack ε of bounded loads", 0.05, 2.0, step=0.05, hint="Cap: (1+ε) × mean"), 0.25
    )
    skew: float = knob(
        Number("Skew of requests (Zipf)", 0.0, 2.0, step=0.1, hint="0: every key once."), 0.0
    )


@dataclass(frozen=True, slots=True)
class Server:
    """A server that is up; `weight` 2 means twice the share of weight 1."""

    name: str
    weight: int = 1


@dataclass(frozen=True, slots=True)
class State:
    """The servers, and where every key lives now.

    `placement[i]` names the servers that hold key i, the owner first; `before[i]` those that held
    it before the last change, when `servers_before` were up. `changed` is the server that the
    last change was about. `moved` and `needless` count copies that the last change moved, the
    totals those since the start.
    """

    params: Params
    salt: int
    servers: tuple[Server, ...]
    placement: tuple[tuple[str, ...], ...]
    servers_before: tuple[Server, ...]
    before: tuple[tuple[str, ...], ...]
    changed: str = ""
    moved: int = 0
    needless: int = 0
    moved_total: int = 0
    needless_total: int = 0
    lookup: str = EXAMPLE_KEY


@dataclass(frozen=True, slots=True)
class AddServer:
    """The next free name joins."""


@dataclass(frozen=True, slots=True)
class RemoveServer:
    """A server dies."""

    server: str = knob(OneOf("Server", server_names), "")


@dataclass(frozen=True, slots=True)
class SetWeight:
    """A server gets more, or less, than its equal share."""

    server: str = knob(OneOf("Server", server_names), "")
    weight: int = knob(Number("Weight", 1, WEIGHT_MAX), 2)


@dataclass(frozen=True, slots=True)
class Lookup:
    """The reader asks where a key of his own would live."""

    key: str = knob(Text("Your key"), EXAMPLE_KEY)


Event = AddServer | RemoveServer | SetWeight | Lookup


# --- What follows from the state ------------------------------------------------------------------


@lru_cache(maxsize=32)
def keys_of(salt: int, count: int, skew: float) -> tuple[str, ...]:
    """The keys, one for every request.

    Without skew each of the `count` keys is asked for once. With skew s, `count` requests ask for
    `count` keys with probabilities in proportion to 1/rank^s (Zipf), so some keys repeat.
    """
    names = tuple(f"user:{salt % 9973}:{i}" for i in range(count))
    if not skew:
        return names
    totals = tuple(accumulate(1 / rank**skew for rank in range(1, count + 1)))
    draws = Draws(salt, count)
    return tuple(names[bisect_left(totals, draws.random() * totals[-1])] for _ in range(count))


@lru_cache(maxsize=64)
def slots_of(salt: int, servers: tuple[Server, ...]) -> tuple[str, ...]:
    """Server labels for strategies without a ring: a server of weight w stands in w slots.

    Simplified: whole weights only; weighted rendezvous hashing in general needs a logarithm.
    """
    return tuple(
        f"{server.name}-{salt:08x}-{slot}" for server in servers for slot in range(server.weight)
    )


def server_of(label: str) -> str:
    """The server behind a label; the salt in the label lets another seed lay out another ring."""
    return label.partition("-")[0]


@lru_cache(maxsize=64)
def ring_of(salt: int, servers: tuple[Server, ...], virtual_nodes: int) -> HashRing:
    """The ring of these servers."""
    weights = {f"{server.name}-{salt:08x}": server.weight for server in servers}
    return HashRing(weights, virtual_nodes)


def state_ring(state: State) -> HashRing:
    """The ring of a state; only the strategies `ring` and `bounded` place keys by it."""
    return ring_of(state.salt, state.servers, state.params.virtual_nodes)


def copies_of(params: Params, servers: tuple[Server, ...]) -> int:
    """How many servers hold each key."""
    if params.strategy in ("bounded", "jump"):
        return 1
    return min(params.replication_factor, len(servers))


def capacity_of(params: Params, servers: tuple[Server, ...]) -> int:
    """The most keys that a server may own under bounded loads: ⌈(1+ε) · mean⌉."""
    slack = 1 + Fraction(str(params.epsilon))
    return ceil(slack * Fraction(params.keys, len(servers)))


def distinct(labels: tuple[str, ...], copies: int) -> tuple[str, ...]:
    """The servers behind the first labels, each named once."""
    return tuple(dict.fromkeys(map(server_of, labels)))[:copies]


@lru_cache(maxsize=64)
def place(
    params: Params, salt: int, servers: tuple[Server, ...], keys: tuple[str, ...]
) -> tuple[tuple[str, ...], ...]:
    """For every key the servers that hold it, the owner first."""
    copies = copies_of(params, servers)
    if params.strategy == "bounded":
        ring = ring_of(salt, servers, params.virtual_nodes)
        positions = map(ring.position, keys)
        owners = assign_bounded(ring, positions, capacity_of(params, servers))
        return tuple((server_of(label),) for label in owners)
    if params.strategy == "rendezvous":
        slots = slots_of(salt, servers)
        columns = [scores_of(slot, keys) for slot in slots]
        return tuple(best_of(slots, row, copies) for row in zip(*columns, strict=True))
    return tuple(holders(params, salt, servers, key, copies) for key in keys)


@lru_cache(maxsize=2 * len(NAMES))
def scores_of(slot: str, keys: tuple[str, ...]) -> tuple[int, ...]:
    """The score of every key at one slot: of a server that stays, it need not be computed again."""
    return tuple(rendezvous_scores((slot,), key)[0] for key in keys)


def best_of(slots: tuple[str, ...], scores: tuple[int, ...], copies: int) -> tuple[str, ...]:
    """The servers with the highest scores; of equal ones, the smaller label is first."""
    if copies == 1:
        top = max(scores)
        return (server_of(min(slot for slot, s in zip(slots, scores, strict=True) if s == top)),)
    best = sorted(range(len(slots)), key=lambda slot: (-scores[slot], slots[slot]))
    return distinct(tuple(slots[slot] for slot in best), copies)


def holders(
    params: Params, salt: int, servers: tuple[Server, ...], key: str, copies: int
) -> tuple[str, ...]:
    """The servers that hold one key, the owner first; for bounded loads, where its walk starts."""
    if params.strategy in ("ring", "bounded"):
        ring = ring_of(salt, servers, params.virtual_nodes)
        return tuple(map(server_of, ring.preference_list(key, copies)))
    slots = slots_of(salt, servers)
    if params.strategy == "rendezvous":
        return best_of(slots, rendezvous_scores(slots, key), copies)
    number = key_hash(key)
    if params.strategy == "modulo":
        first = number % len(slots)
    else:
        first = jump_path(number, len(slots))[-1]
    # Simplified: the further copies go to the next servers of the list, as on a ring.
    return distinct(slots[first:] + slots[:first], copies)


def holders_now(state: State, key: str) -> tuple[str, ...]:
    """Where a key of the reader's own lives, or, under bounded loads, where its walk ends."""
    params, servers = state.params, state.servers
    copies = copies_of(params, servers)
    if params.strategy != "bounded":
        return holders(params, state.salt, servers, key, copies)
    ring = state_ring(state)
    full = capacity_of(params, servers)
    load = owned(state)
    walk = [server_of(label) for label in ring.preference_list(key, len(servers))]
    return (next(name for name in walk if load[name] < full),)


def owned(state: State) -> dict[str, int]:
    """Server → number of copies that it holds."""
    load = dict.fromkeys(server_names(state), 0)
    for names in state.placement:
        for name in names:
            load[name] += 1
    return load


def ideal_load(state: State) -> float:
    """Copies per server of weight 1 if the load were spread perfectly."""
    copies = copies_of(state.params, state.servers) * state.params.keys
    return copies / sum(server.weight for server in state.servers)


def spread(loads: tuple[float, ...]) -> float:
    """Standard deviation over mean (a ratio); 0 for a perfectly even load."""
    # `sum` rounds floats in another way since Python 3.12; the answer must be the same in both.
    mean = fsum(loads) / len(loads)
    return sqrt(fsum((load - mean) * (load - mean) for load in loads) / len(loads)) / mean


def load_spread(state: State) -> float:
    """The spread of the load for each unit of weight, over the servers."""
    load = owned(state)
    return spread(tuple(load[server.name] / server.weight for server in state.servers))


def share_spread(state: State) -> float:
    """The spread of the servers' exact shares of the ring for each unit of weight."""
    shares = state_ring(state).shares()
    weight = {server.name: server.weight for server in state.servers}
    return spread(tuple(share / weight[server_of(label)] for label, share in shares.items()))


def expected_spread(servers: int, virtual_nodes: int) -> float:
    """What theory expects of `share_spread`: the shares of N·V random points are Dirichlet.

    √((N−1)/(N·V+1)), close to 1/√V for many servers.
    """
    return sqrt((servers - 1) / (servers * virtual_nodes + 1))


def moves(
    before: tuple[tuple[str, ...], ...], after: tuple[tuple[str, ...], ...], changed: str
) -> tuple[int, int]:
    """How many copies came to a server that did not hold them, and how many of those needlessly.

    A move is needed when it is to or from the server that changed; all others are needless.
    """
    moved = needless = 0
    for old, new in zip(before, after, strict=True):
        if old == new:
            continue
        came = len(set(new) - set(old))
        moved += came
        needless += max(0, came - ((changed in old) != (changed in new)))
    return moved, needless


# --- The transitions ------------------------------------------------------------------------------


def init(params: Params, ctx: Context) -> State:
    """The first servers, and every key placed; the seed decides where on the ring they stand."""
    salt = ctx.integer(0, 2**32 - 1)
    servers = tuple(Server(name) for name in NAMES[: params.servers])
    placement = place(params, salt, servers, keys_of(salt, params.keys, params.skew))
    return State(params, salt, servers, placement, servers, placement)


def with_servers(state: State, servers: tuple[Server, ...], changed: str) -> State:
    """Every key placed anew, and what moved counted."""
    params, salt = state.params, state.salt
    placement = place(params, salt, servers, keys_of(salt, params.keys, params.skew))
    moved, needless = moves(state.placement, placement, changed)
    return replace(
        state,
        servers=servers,
        placement=placement,
        servers_before=state.servers,
        before=state.placement,
        changed=changed,
        moved=moved,
        needless=needless,
        moved_total=state.moved_total + moved,
        needless_total=state.needless_total + needless,
    )


def known(state: State, name: str) -> Server:
    """The server of this name; `ValueError` says which there are."""
    for server in state.servers:
        if server.name == name:
            return server
    raise ValueError(f"server must be one of {', '.join(server_names(state))}, got {name!r}")


def update(state: State, event: Event, ctx: Context) -> State:
    """The state after an event; `ValueError` for a server that is not there."""
    match event:
        case AddServer():
            free = [name for name in NAMES if name not in server_names(state)]
            if not free:
                raise ValueError(f"there can be at most {len(NAMES)} servers, all are up")
            return with_servers(state, (*state.servers, Server(free[0])), free[0])
        case RemoveServer(name):
            known(state, name)
            if len(state.servers) == 1:
                raise ValueError(f"the last server must stay, got {name!r} to remove")
            rest = tuple(server for server in state.servers if server.name != name)
            return with_servers(state, rest, name)
        case SetWeight(name, weight):
            known(state, name)
            servers = tuple(
                Server(name, weight) if server.name == name else server for server in state.servers
            )
            return with_servers(state, servers, name)
        case Lookup(key):
            return replace(state, lookup=key)
    raise ValueError(f"hash_ring has no event {event!r}")
