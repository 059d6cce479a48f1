"""A network as a value: nodes, links, what is in flight, and what is cut or crashed.

Sending puts a `Message` into the state and schedules its `Deliver`; a model that receives one
asks `arrive` whether it got through. A message in flight is plain data, so a picture can draw it
at the fraction of the way that it has come.

What a cut does: a message that is sent into it, or is under way across it when it happens, is
lost, and nobody is told. A partition is a set of groups; nodes that no group names keep all their
links. A link can also be cut one way. Healing brings no lost message back.

What a crash does: the node receives nothing; what it sent before is still under way. What is on
disk survives (`on_disk`, `restarted`), what is in memory is lost.

Simplified: a link has no bandwidth and no queue, so messages do not slow each other down.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, TypeAlias, TypeVar

from .draws import Draws
from .records import replace
from .sim import Context

Node = TypeVar("Node")
Groups: TypeAlias = tuple[tuple[str, ...], ...]

DISK = "on_disk"
SEPARATOR = "|"
# Of more nodes than this only the two-sided cuts are listed: seven have 876 ways to be cut.
EVERY_PARTITION_MAX = 5


@dataclass(frozen=True, slots=True)
class Latency:
    """How long a message takes, one way: a distribution, given by its quantile function.

    `points` are pairs `(share, ms)` from share 0.0 to share 1.0, between which the function is
    linear: `((0.0, 8), (0.5, 10), (1.0, 30))` has its median at 10 ms. A draw needs no more than
    products and sums, which give the same result on every machine. `ValueError` for a negative
    latency and for points that are not in order.
    """

    points: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        shares = [share for share, _ in self.points]
        times = [ms for _, ms in self.points]
        if any(ms < 0 for ms in times):
            raise ValueError(f"latency must be 0 ms or more, got {min(times)} ms")
        if len(shares) < 2 or shares[0] != 0 or shares[-1] != 1:
            raise ValueError(f"shares of a latency must go from 0.0 to 1.0, got {shares}")
        if sorted(set(shares)) != shares or sorted(times) != times:
            raise ValueError(f"points of a latency must rise, got {self.points}")

    @staticmethod
    def constant(ms: float) -> Latency:
        """Always `ms`."""
        return Latency.uniform(ms, ms)

    @staticmethod
    def uniform(low_ms: float, high_ms: float) -> Latency:
        """Every time from `low_ms` to `high_ms` equally likely; `ValueError` if swapped."""
        return Latency(((0.0, low_ms), (1.0, high_ms)))

    def quantile(self, share: float) -> float:
        """The time (ms) within which this share (0.0 to 1.0) of the messages arrives."""
        if not 0 <= share <= 1:
            raise ValueError(f"share must be from 0 to 1, got {share!r}")
        low, low_ms = self.points[0]
        for high, high_ms in self.points[1:]:
            if share <= high:
                return low_ms + (high_ms - low_ms) * ((share - low) / (high - low))
            low, low_ms = high, high_ms
        return low_ms

    def draw(self, draws: Draws) -> int:
        """A time from the distribution, in whole ms."""
        return int(self.quantile(draws.random()) + 0.5)


@dataclass(frozen=True, slots=True)
class Message:
    """Something on its way from `source` to `target`, both names of nodes.

    `body` is the model's own; `lost` is empty, or says why it will not arrive: "cut" or "loss".
    """

    id: int
    source: str
    target: str
    body: Any
    sent_ms: int
    due_ms: int
    lost: str = ""

    def fraction(self, now_ms: int) -> float:
        """How much of the way it has come, 0.0 to 1.0; one that is lost stops half way."""
        whole = max(1, self.due_ms - self.sent_ms)
        come = max(0.0, min(1.0, (now_ms - self.sent_ms) / whole))
        return min(come, 0.5) if self.lost else come


@dataclass(frozen=True, slots=True)
class Deliver:
    """The event with which a message reaches its target, unless it was lost meanwhile."""

    message: Message


@dataclass(frozen=True, slots=True)
class Link:
    """A directed link that differs from the others in its latency."""

    source: str
    target: str
    latency: Latency


@dataclass(frozen=True, slots=True)
class Network:
    """All that is known of a network.

    `latency` holds for every link that `links` does not name. `loss` and `duplication` are the
    probabilities (0.0 to 1.0) that a message is lost or arrives twice. `groups` is the partition
    (empty: none), `cut_links` the pairs `(source, target)` that are cut one way, `down` the nodes
    that have crashed, `in_flight` the messages under way in the order of their sending.
    `network_of` makes a whole one and checks what it is given.
    """

    nodes: tuple[str, ...]
    latency: Latency
    loss: float = 0.0
    duplication: float = 0.0
    links: tuple[Link, ...] = ()
    groups: Groups = ()
    cut_links: tuple[tuple[str, str], ...] = ()
    down: tuple[str, ...] = ()
    in_flight: tuple[Message, ...] = ()
    next_id: int = 0


def network_of(
    nodes: Sequence[str], latency: Latency, loss: float = 0.0, duplication: float = 0.0
) -> Network:
    """A whole network; `ValueError` for a node named twice, and a probability outside 0 to 1."""
    for name in nodes:
        if nodes.count(name) > 1:
            raise ValueError(f"nodes must differ, got {name!r} twice")
    for what, share in (("loss", loss), ("duplication", duplication)):
        if not 0 <= share <= 1:
            raise ValueError(f"{what} must be from 0 to 1, got {share!r}")
    return Network(tuple(nodes), latency, loss, duplication)


def check_node(network: Network, name: str) -> str:
    """`name`, if the network has such a node; otherwise a `ValueError` that names those it has."""
    if name not in network.nodes:
        raise ValueError(f"node must be one of {', '.join(network.nodes)}, got {name[:40]!r}")
    return name


def majority(count: int) -> int:
    """How many of `count` nodes are more than half of them."""
    return count // 2 + 1


# --- Messages -------------------------------------------------------------------------------------


def latency_of(network: Network, source: str, target: str) -> Latency:
    """The distribution of the delays from one node to another."""
    for link in network.links:
        if link.source == source and link.target == target:
            return link.latency
    return network.latency


def send(network: Network, ctx: Context, source: str, target: str, body: Any) -> Network:
    """The network with one more message in flight, whose delivery is scheduled."""
    lost = "" if connected(network, source, target) else "cut"
    if network.loss and ctx.random() < network.loss:
        lost = lost or "loss"
    copies = 2 if network.duplication and ctx.random() < network.duplication else 1
    latency = latency_of(network, source, target) if network.links else network.latency
    sent = []
    for copy in range(copies):
        delay_ms = latency.draw(ctx)
        message = Message(
            network.next_id + copy, source, target, body, ctx.now_ms, ctx.now_ms + delay_ms, lost
        )
        ctx.after(delay_ms, Deliver(message))
        sent.append(message)
    return replace(network, in_flight=(*network.in_flight, *sent), next_id=network.next_id + copies)


def arrive(network: Network, message: Message) -> tuple[Network, Message | None]:
    """Take a message out of flight; `None` if it was lost or its target is down."""
    for index, flying in enumerate(network.in_flight):
        if flying.id == message.id:
            rest = network.in_flight[:index] + network.in_flight[index + 1 :]
            received = None if flying.lost or flying.target in network.down else flying
            return replace(network, in_flight=rest), received
    return network, None


# --- Partitions -----------------------------------------------------------------------------------


def connected(network: Network, source: str, target: str) -> bool:
    """Whether a message sent now would cross no cut; whether the target is up is not asked."""
    if (source, target) in network.cut_links:
        return False
    if not network.groups:
        return True
    here = there = -1
    for number, group in enumerate(network.groups):
        if source in group:
            here = number
        if target in group:
            there = number
    return here == there or here < 0 or there < 0


def reachable(network: Network, source: str) -> tuple[str, ...]:
    """The other nodes that are up and to and from which messages get through now."""
    return tuple(
        name
        for name in network.nodes
        if name != source
        and name not in network.down
        and connected(network, source, name)
        and connected(network, name, source)
    )


def cut(network: Network, groups: Groups) -> Network:
    """Only nodes of the same group still hear each other; this replaces an earlier partition.

    `ValueError` for a node that is not known or named twice.
    """
    check_groups(groups, network.nodes)
    return _lose_what_crosses(replace(network, groups=tuple(groups)))


def cut_link(network: Network, source: str, target: str) -> Network:
    """Cut one way: nothing gets from `source` to `target` any more."""
    pair = (check_node(network, source), check_node(network, target))
    if source == target:
        raise ValueError(f"a link needs two nodes, got {source!r} twice")
    if pair in network.cut_links:
        return network
    return _lose_what_crosses(replace(network, cut_links=(*network.cut_links, pair)))


def heal(network: Network) -> Network:
    """Every link works again, in both directions."""
    return replace(network, groups=(), cut_links=())


def heal_link(network: Network, source: str, target: str) -> Network:
    """The one-way cut from `source` to `target` is mended."""
    pair = (check_node(network, source), check_node(network, target))
    return replace(network, cut_links=tuple(p for p in network.cut_links if p != pair))


def _lose_what_crosses(network: Network) -> Network:
    in_flight = tuple(
        message
        if message.lost or connected(network, message.source, message.target)
        else replace(message, lost="cut")
        for message in network.in_flight
    )
    return replace(network, in_flight=in_flight)


def set_latency(network: Network, source: str, target: str, latency: Latency) -> Network:
    """One directed link gets its own distribution; what is under way keeps its time."""
    check_node(network, source)
    check_node(network, target)
    others = (link for link in network.links if (link.source, link.target) != (source, target))
    return replace(network, links=(*others, Link(source, target, latency)))


def check_groups(groups: Groups, nodes: Sequence[str]) -> Groups:
    """`groups`, if it names only known nodes and each once; `ValueError` names the first bad."""
    seen: list[str] = []
    for name in (name for group in groups for name in group):
        if name not in nodes:
            raise ValueError(f"a partition's nodes must be among {', '.join(nodes)}, got {name!r}")
        if name in seen:
            raise ValueError(f"a partition must name each node once, got {name!r} twice")
        seen.append(name)
    return groups


def parse_groups(text: str, nodes: Sequence[str]) -> Groups:
    """The groups that a text such as "AB | C" or "S1 S2 | S3" names; spaces are optional.

    `ValueError` for a node that is not known or named twice.
    """
    return check_groups(
        tuple(tuple(_names(side, nodes)) for side in text.split(SEPARATOR) if side.strip()), nodes
    )


def _names(side: str, nodes: Sequence[str]) -> Iterator[str]:
    """The names of one side, the longest that fits first."""
    rest = side.replace(",", " ").strip()
    while rest:
        fitting = [name for name in nodes if rest.startswith(name)]
        name = max(fitting, key=len) if fitting else rest.split()[0]
        yield name
        rest = rest[len(name) :].lstrip()


def groups_text(groups: Groups) -> str:
    """The text that `parse_groups` reads: "AB | C", or "S1 S2 | S3" for longer names."""
    return f" {SEPARATOR} ".join(
        ("" if all(len(name) == 1 for name in group) else " ").join(group) for group in groups
    )


def partitions_of(nodes: Sequence[str]) -> tuple[str, ...]:
    """Every way to cut the nodes into groups, as texts for `parse_groups`, the halves first.

    Up to five nodes these are all set partitions but the whole (for three nodes 4, for five 51);
    of more nodes, the two-sided ones.
    """
    found = list(_set_partitions(tuple(nodes)))
    cuts = [groups for groups in found if len(groups) > 1]
    if len(nodes) > EVERY_PARTITION_MAX:
        cuts = [groups for groups in cuts if len(groups) == 2]
    cuts.sort(key=lambda groups: (len(groups), min(map(len, groups))))
    return tuple(groups_text(groups) for groups in cuts)


def _set_partitions(nodes: tuple[str, ...]) -> Iterator[Groups]:
    if not nodes:
        yield ()
        return
    *others, last = nodes
    for groups in _set_partitions(tuple(others)):
        for index, group in enumerate(groups):
            yield (*groups[:index], (*group, last), *groups[index + 1 :])
        yield (*groups, (last,))


# --- Crashes --------------------------------------------------------------------------------------


def is_up(network: Network, name: str) -> bool:
    return name not in network.down


def check_up(
    network: Network, name: str, up: bool = True, among: Sequence[str] = (), what: str = "node"
) -> str:
    """`name`, if it is a node that is up (or down, if `up` is false), one of `among` if given.

    Otherwise a `ValueError` that names those that are; `what` is what the model calls such a node.
    """
    nodes = tuple(among) or network.nodes
    if name not in nodes:
        raise ValueError(f"{what} must be one of {', '.join(nodes)}, got {name[:40]!r}")
    if is_up(network, name) == up:
        return name
    now, other = ("up", "down") if up else ("down", "up")
    wanted = ", ".join(node for node in nodes if is_up(network, node) == up)
    raise ValueError(
        f"{what} must be one that is {now} ({wanted or 'none at the moment'}), got {name!r}, "
        f"which is {other}"
    )


def crash(network: Network, name: str) -> Network:
    """The node stops; it hears nothing until it restarts. A node that is down stays down."""
    check_node(network, name)
    return network if name in network.down else replace(network, down=(*network.down, name))


def restart(network: Network, name: str) -> Network:
    """The node hears again what arrives from now on."""
    check_node(network, name)
    return replace(network, down=tuple(other for other in network.down if other != name))


def on_disk(default: Any) -> Any:
    """A field of a node's dataclass whose value survives a crash."""
    return field(default=default, metadata={DISK: True})


def restarted(node: Node, fresh: Node) -> Node:
    """`fresh`, a node as it is at first, with what `node` had on disk."""
    kept = {f.name: getattr(node, f.name) for f in fields(node) if f.metadata.get(DISK)}  # type: ignore[arg-type]
    return replace(fresh, **kept)  # type: ignore[type-var]
