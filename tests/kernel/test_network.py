"""The network: what arrives, what is lost and why, and what a crash leaves."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pysims.kernel import (
    Context,
    Deliver,
    Draws,
    Latency,
    Network,
    arrive,
    connected,
    crash,
    cut,
    cut_link,
    groups_text,
    heal,
    heal_link,
    is_up,
    network_of,
    on_disk,
    parse_groups,
    partitions_of,
    reachable,
    restart,
    restarted,
    run_until,
    send,
    set_latency,
    start,
)

TEN = Latency.constant(10)
ABC = network_of("ABC", TEN)


def context(sequence: int = 1, now_ms: int = 0) -> Context:
    ctx = Context(7, 100)
    ctx.turn_to(now_ms, sequence)
    return ctx


# --- Latency --------------------------------------------------------------------------------------


def test_a_latency_is_linear_between_its_points() -> None:
    latency = Latency(((0.0, 10), (0.5, 20), (1.0, 100)))
    assert [latency.quantile(p) for p in (0, 0.25, 0.5, 0.75, 1)] == [10, 15, 20, 60, 100]


def test_draws_follow_the_distribution() -> None:
    latency = Latency(((0.0, 10), (0.5, 20), (1.0, 100)))
    drawn = sorted(latency.draw(Draws(1, i)) for i in range(20_000))
    assert drawn[0] >= 10
    assert drawn[-1] <= 100
    for share in (0.1, 0.5, 0.9):
        assert drawn[int(share * len(drawn))] == pytest.approx(latency.quantile(share), abs=1.5)
    assert {TEN.draw(Draws(2, i)) for i in range(50)} == {10}


@pytest.mark.parametrize(
    ("points", "says"),
    [
        (((0.0, -1), (1.0, 5)), "0 ms or more, got -1 ms"),
        (((0.0, 1), (0.9, 5)), "from 0.0 to 1.0"),
        (((0.0, 1),), "from 0.0 to 1.0"),
        (((0.0, 5), (1.0, 1)), "must rise"),
        (((0.0, 5), (0.5, 6), (0.5, 7), (1.0, 8)), "must rise"),
    ],
)
def test_a_latency_that_cannot_be_is_refused(
    points: tuple[tuple[float, float], ...], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        Latency(points)


def test_a_share_outside_is_refused() -> None:
    with pytest.raises(ValueError, match=r"from 0 to 1, got 1\.5"):
        TEN.quantile(1.5)


# --- Messages -------------------------------------------------------------------------------------


def test_a_message_is_drawn_on_its_way_and_arrives_once() -> None:
    ctx = context(now_ms=100)
    network = send(ABC, ctx, "A", "B", "hello")
    (message,) = network.in_flight
    assert ctx.scheduled == [(110, 100, Deliver(message))]
    assert [message.fraction(ms) for ms in (0, 100, 105, 110, 200)] == [0.0, 0.0, 0.5, 1.0, 1.0]
    network, received = arrive(network, message)
    assert (received, network.in_flight) == (message, ())
    assert arrive(network, message) == (network, None)


def test_loss_and_duplication_have_their_probabilities() -> None:
    lossy = network_of("AB", TEN, loss=0.3, duplication=0.2)
    lost = sent = 0
    for i in range(5_000):
        ctx = context(i)
        in_flight = send(lossy, ctx, "A", "B", i).in_flight
        assert len(ctx.scheduled) == len(in_flight)
        assert len({message.id for message in in_flight}) == len(in_flight)
        sent += len(in_flight)
        lost += in_flight[0].lost == "loss"
    assert lost / 5_000 == pytest.approx(0.3, abs=0.03)
    assert sent / 5_000 == pytest.approx(1.2, abs=0.03)


def test_a_lost_message_stops_half_way_and_never_arrives() -> None:
    network = send(network_of("AB", TEN, loss=1.0), context(), "A", "B", "x")
    (message,) = network.in_flight
    assert message.fraction(9) == 0.5
    assert arrive(network, message)[1] is None


def test_one_link_can_be_slow() -> None:
    slow = set_latency(set_latency(ABC, "A", "B", TEN), "A", "B", Latency.constant(70))
    assert len(slow.links) == 1
    assert send(slow, context(), "A", "B", "x").in_flight[0].due_ms == 70
    assert send(slow, context(), "B", "A", "x").in_flight[0].due_ms == 10


def test_a_network_in_a_run() -> None:
    """Two nodes that answer each other for ever: the kernel delivers, the state holds the wire."""

    def update(network: Network, event: Deliver, ctx: Context) -> Network:
        network, message = arrive(network, event.message)
        if message is None:
            return network
        return send(network, ctx, message.target, message.source, message.body + 1)

    first = start(update, lambda ctx: send(network_of("AB", TEN), ctx, "A", "B", 0), 1)
    history = run_until(first, 100)
    assert [sim.state.in_flight[0].body for sim in history] == list(range(11))
    cut_off = replace(history[3], state=cut(history[3].state, (("A",), ("B",))))
    assert [len(state.in_flight) for state in run_until(cut_off, 1_000).states()] == [1, 0]


# --- Partitions -----------------------------------------------------------------------------------


def test_a_cut_loses_what_is_sent_into_it_and_what_crosses_it() -> None:
    network = send(send(ABC, context(), "A", "B", "crosses"), context(), "B", "C", "stays")
    network = cut(network, (("A",), ("B", "C")))
    assert [message.lost for message in network.in_flight] == ["cut", ""]
    assert send(network, context(), "C", "A", "x").in_flight[-1].lost == "cut"
    assert not connected(network, "A", "B")
    assert connected(network, "B", "C")
    healed = heal(network)
    assert healed.in_flight[0].lost == "cut"
    assert connected(healed, "A", "B")


def test_a_one_way_cut_lets_the_other_way_through() -> None:
    network = cut_link(cut_link(ABC, "A", "B"), "A", "B")
    assert network.cut_links == (("A", "B"),)
    assert not connected(network, "A", "B")
    assert connected(network, "B", "A")
    assert reachable(network, "A") == ("C",)
    assert heal_link(network, "A", "B").cut_links == ()


def test_nodes_that_no_group_names_keep_their_links() -> None:
    network = cut(network_of(("A", "B", "client"), TEN), (("A",), ("B",)))
    assert connected(network, "client", "A")
    assert connected(network, "B", "client")
    assert not connected(network, "A", "B")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("AB | A", "name each node once, got 'A' twice"),
        ("AB | Z", "among A, B, C, got 'Z'"),
        ("AA", "got 'A' twice"),
    ],
)
def test_a_partition_that_cannot_be_is_refused(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_groups(text, "ABC")
    with pytest.raises(ValueError, match="got 'B' twice"):
        cut(ABC, (("A", "B"), ("B",)))


def test_names_are_checked_everywhere() -> None:
    for change in (crash, restart):
        with pytest.raises(ValueError, match="one of A, B, C, got 'Z'"):
            change(ABC, "Z")
    for pair in (("Z", "A"), ("A", "Z")):
        with pytest.raises(ValueError, match="got 'Z'"):
            cut_link(ABC, *pair)
        with pytest.raises(ValueError, match="got 'Z'"):
            heal_link(ABC, *pair)
        with pytest.raises(ValueError, match="got 'Z'"):
            set_latency(ABC, *pair, TEN)
    with pytest.raises(ValueError, match="two nodes, got 'A' twice"):
        cut_link(ABC, "A", "A")
    with pytest.raises(ValueError, match="got 'A' twice"):
        network_of("ABA", TEN)
    with pytest.raises(ValueError, match=r"loss must be from 0 to 1, got 1\.5"):
        network_of("AB", TEN, loss=1.5)


def test_every_way_to_cut_is_there() -> None:
    bell = {2: 2, 3: 5, 4: 15, 5: 52}
    for count, ways in bell.items():
        nodes = "ABCDE"[:count]
        texts = partitions_of(nodes)
        parsed = {frozenset(map(frozenset, parse_groups(text, nodes))) for text in texts}
        assert len(parsed) == len(texts) == ways - 1
        assert all(frozenset().union(*groups) == set(nodes) for groups in parsed)
    assert len(partitions_of(tuple(f"S{i}" for i in range(1, 8)))) == 63
    sizes = [text.count("|") for text in partitions_of("ABCDE")]
    assert all(a <= b for a, b in pairwise(sizes))


@given(st.lists(st.sampled_from(["S1", "S2", "S12", "N"]), unique=True), st.integers(0, 4))
def test_groups_survive_their_text(names: list[str], split: int) -> None:
    groups = tuple(group for group in (tuple(names[:split]), tuple(names[split:])) if group)
    assert parse_groups(groups_text(groups), ["S1", "S2", "S12", "N"]) == groups


# --- Crashes --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Disk:
    name: str
    written: int = on_disk(0)
    cached: int = 0


def test_what_is_on_disk_survives_and_memory_does_not() -> None:
    assert restarted(Disk("A", written=3, cached=4), Disk("A")) == Disk("A", written=3, cached=0)


def test_a_node_that_is_down_receives_nothing_and_what_it_sent_is_still_under_way() -> None:
    network = send(send(ABC, context(), "A", "B", "to"), context(), "B", "C", "from")
    network = crash(crash(network, "B"), "B")
    assert network.down == ("B",)
    assert not is_up(network, "B")
    assert reachable(network, "A") == ("C",)
    to, sent_before = network.in_flight
    assert arrive(network, to)[1] is None
    assert arrive(network, sent_before)[1] is sent_before
    assert arrive(restart(network, "B"), to)[1] is to
