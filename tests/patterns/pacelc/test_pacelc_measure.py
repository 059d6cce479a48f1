"""What is measured, against order statistics, closed forms, and a dumb twin of the whole store."""

import math
import random
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pysims
from pysims.patterns.pacelc.distances import (
    CITIES,
    HANDLE_MS,
    LAYOUTS,
    OCEANS,
    SHARES,
    STORE_MS,
    WAY,
    floor_ms,
    leg,
    lines_of,
)
from pysims.patterns.pacelc.measure import (
    AGE_TOPS_MS,
    BIN_TOPS_MS,
    NO_LATENCIES,
    age_bin,
    bin_of,
    counted,
    interval,
    middle,
    quantile,
)
from pysims.patterns.pacelc.model import Request, State, Tally

# --- Bins and quantiles ---------------------------------------------------------------------------


def nearest_rank(values: list[int], share: float) -> int:
    """The order statistic, by its textbook definition."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def histogram(values: list[int]) -> tuple[int, ...]:
    counts = NO_LATENCIES
    for value in values:
        counts = counted(counts, bin_of(value))
    return counts


def test_bins_are_exact_to_20_ms_and_then_at_most_6_percent_wide() -> None:
    assert [bin_of(value) for value in range(21)] == list(range(21))
    for low, high in pairwise(BIN_TOPS_MS[20:]):
        assert high - low <= max(1, 0.06 * low)
    assert bin_of(10**6) == len(BIN_TOPS_MS) - 1


@given(st.lists(st.integers(0, 2_900), min_size=1, max_size=80), st.sampled_from([0.5, 0.9, 0.99]))
def test_a_quantile_is_the_order_statistic_within_its_bin(values: list[int], share: float) -> None:
    exact, found = nearest_rank(values, share), quantile(histogram(values), share)
    assert found == exact if exact <= 20 else found == pytest.approx(exact, rel=0.04, abs=0.5)
    assert found == middle(bin_of(exact))


def test_nothing_counted_has_no_quantile() -> None:
    assert quantile(NO_LATENCIES, 0.5) is None
    assert quantile(NO_LATENCIES, 0.5, missed=3) is None


@given(st.lists(st.integers(0, 20), max_size=40), st.integers(0, 40))
def test_what_missed_the_deadline_counts_as_slower_than_all(values: list[int], missed: int) -> None:
    everyone = [*values, *[10**6] * missed]
    for share in (0.5, 0.99):
        exact = nearest_rank(everyone, share) if everyone else 10**6
        assert quantile(histogram(values), share, missed) == (None if exact > 20 else exact)


def test_ages_fall_below_the_top_of_their_bin() -> None:
    assert [age_bin(age) for age in (0, 15, 16, 63, 64, 255, 256, 9_999)] == [
        0,
        0,
        1,
        1,
        2,
        2,
        3,
        3,
    ]
    assert len(AGE_TOPS_MS) == 3


@pytest.mark.parametrize(
    ("hits", "total", "low", "high"),
    [
        (0, 10, 0.0, 0.2775),
        (5, 10, 0.2366, 0.7634),
        (10, 10, 0.7225, 1.0),
        (15, 148, 0.0624, 0.1605),
    ],
)
def test_wilson_intervals_as_published(hits: int, total: int, low: float, high: float) -> None:
    assert interval(hits, total) == pytest.approx((low, high), abs=6e-4)


def test_nothing_measured_can_be_anything() -> None:
    assert interval(0, 0) == (0.0, 1.0)


# --- Latencies ------------------------------------------------------------------------------------


def mixture(weight: float, least_ms: float, shape: float, rate: float) -> Callable[[float], float]:
    """The distribution function of a Pareto and an exponential, as Bailis et al. fit them."""

    def share(ms: float) -> float:
        pareto = 1 - (least_ms / ms) ** shape if ms > least_ms else 0.0
        return weight * pareto + (1 - weight) * (1 - math.exp(-rate * ms))

    return share


@pytest.mark.parametrize(
    ("times", "fit"),
    [
        (STORE_MS, mixture(0.939, 3, 3.35, 0.0028)),
        (HANDLE_MS, mixture(0.982, 1.5, 3.8, 0.0217)),
    ],
)
def test_the_work_of_a_replica_follows_the_cited_fit(
    times: tuple[float, ...], fit: Callable[[float], float]
) -> None:
    for share, ms in list(zip(SHARES, times, strict=True))[1:-1]:
        assert fit(0.98 * ms) <= share <= fit(1.02 * ms), ms


PLACES = {
    "Virginia": (39.04, -77.49),
    "Frankfurt": (50.11, 8.68),
    "Tokyo": (35.68, 139.69),
    "São Paulo": (-23.55, -46.63),
    "Sydney": (-33.87, 151.21),
}


@pytest.mark.parametrize("cities", OCEANS)
def test_oceans_are_as_wide_as_the_globe_says_and_no_signal_beats_light(
    cities: tuple[str, str],
) -> None:
    (a, b), (c, d) = (map(math.radians, PLACES[city]) for city in cities)
    turn = math.acos(math.sin(a) * math.sin(c) + math.cos(a) * math.cos(c) * math.cos(b - d))
    round_trip_ms, km = OCEANS[cities]
    assert km == pytest.approx(6371 * turn, rel=0.01)
    assert floor_ms(km) == pytest.approx(km * 5e-3 * 2)
    assert floor_ms(km) < round_trip_ms < 3 * floor_ms(km)


def test_every_layout_has_a_link_for_every_pair() -> None:
    for layout in LAYOUTS:
        lines = lines_of(layout, tuple("ABCDE"))
        assert len({(line.a, line.b) for line in lines}) == 10
        assert all(line.round_trip_ms >= floor_ms(line.km) for line in lines)
    assert len(OCEANS) == len(CITIES) * (len(CITIES) - 1) / 2
    mixed = {line.a + line.b: line.round_trip_ms for line in lines_of("mixed", tuple("ABCD"))}
    assert mixed["AB"] == 1.5
    assert (mixed["AC"], mixed["BC"], mixed["CD"]) == (89.0, 89.0, 236.0)


def test_a_message_takes_its_way_and_the_work() -> None:
    assert leg(100.0, False).quantile(0.5) == pytest.approx(50 * WAY[2] + HANDLE_MS[2])
    assert leg(0.0, True).quantile(0.99) == STORE_MS[6]


# --- Whole runs -----------------------------------------------------------------------------------


@cache
def pooled(layout: str, interval_ms: int, runs: int = 8) -> tuple[Tally, ...]:
    found = []
    for seed in range(runs):
        params = {"layout": layout, "interval_ms": interval_ms, "requests": 500}
        state: State = (
            pysims.run("pacelc", params=params, seed=1_000 + seed, until_ms=80_000)
            .history[-1]
            .state
        )
        found.append(state.tally)
    return tuple(found)


def test_the_tally_holds_the_order_statistics_of_its_requests() -> None:
    run = pysims.run("pacelc", "read-one")
    requests: dict[int, Request] = {
        request.id: request for state in run.history.states() for request in state.requests
    }
    tally: Tally = run.last.tally
    for k in range(1, 4):
        for kind, counts in (("read", tally.read_ms[k - 1]), ("write", tally.write_ms[k - 1])):
            exact = [
                sorted(answer.came_ms for answer in request.answers)[k - 1] - request.invoked_ms
                for request in requests.values()
                if request.kind == kind and len(request.answers) >= k
            ]
            in_time = [ms for ms in exact if ms < 1_000]
            assert counts == histogram(in_time)
            for share in (0.5, 0.99):
                found = quantile(counts, share)
                assert found == pytest.approx(nearest_rank(in_time, share), rel=0.04, abs=0.5)


class Twin:
    """The same store, written without events: delays first, then a look at who was when where."""

    def __init__(self, layout: str, interval_ms: int, seed: int) -> None:
        self.random = random.Random(seed)
        self.interval_ms = interval_ms
        self.way = {
            **{(line.a, line.b): line.round_trip_ms for line in lines_of(layout, tuple("ABC"))},
            **{(line.b, line.a): line.round_trip_ms for line in lines_of(layout, tuple("ABC"))},
        }

    def delay(self, a: str, b: str, work: tuple[float, ...]) -> int:
        share = self.random.random()
        at = max(i for i in range(len(SHARES) - 1) if SHARES[i] <= share)
        part = (share - SHARES[at]) / (SHARES[at + 1] - SHARES[at])
        way = WAY[at] + part * (WAY[at + 1] - WAY[at])
        ms = work[at] + part * (work[at + 1] - work[at])
        return math.floor(self.way.get((a, b), 0.0) / 2 * way + ms + 0.5)

    def run(self, requests: int) -> tuple[list[list[int]], list[list[int]], int, list[list[int]]]:
        """Write and read latencies by rank, the number of reads, and stale reads by (R, W)."""
        now, version = 0, 0
        stored: dict[str, list[tuple[int, int]]] = {name: [] for name in "ABC"}
        acknowledged: list[list[tuple[int, int]]] = [[], [], []]
        writes: list[list[int]] = [[], [], []]
        reads: list[list[int]] = [[], [], []]
        stale = [[0, 0, 0] for _ in "ABC"]
        for _ in range(requests):
            now += math.floor(self.random.expovariate(1 / self.interval_ms) + 0.5)
            site, is_write = self.random.choice("ABC"), self.random.random() < 0.4
            legs = []
            for name in "ABC":
                there = now + self.delay(site, name, STORE_MS if is_write else HANDLE_MS)
                legs.append((there + self.delay(name, site, HANDLE_MS), there, name))
            legs.sort()
            for rank, (back, _, _) in enumerate(legs):
                (writes if is_write else reads)[rank].append(back - now)
            if is_write:
                version += 1
                for rank, (back, there, name) in enumerate(legs):
                    stored[name].append((there, version))
                    acknowledged[rank].append((back, version))
                continue
            floors = [newest(each, now) for each in acknowledged]
            best = 0
            for r, (_, there, name) in enumerate(legs):
                best = max(best, newest(stored[name], there))
                for w in range(3):
                    stale[r][w] += best < floors[w]
        return writes, reads, len(reads[0]), stale


def newest(seen: list[tuple[int, int]], by_ms: int) -> int:
    """The newest version that had happened by a time; later than 2 s ago no event is late."""
    return max((version for when, version in seen[-400:] if when <= by_ms), default=0)


@pytest.mark.parametrize(("layout", "interval_ms"), [("region", 15), ("ocean", 100)])
def test_stale_shares_and_latencies_are_those_of_a_dumb_twin(layout: str, interval_ms: int) -> None:
    writes, reads, many, stale = Twin(layout, interval_ms, 7).run(24_000)
    tallies = pooled(layout, interval_ms)
    for r in range(3):
        for w in range(3):
            measured = sum(tally.stale[r][w] for tally in tallies)
            total = sum(sum(tally.read_ms[r]) + tally.unread[r] for tally in tallies)
            share = stale[r][w] / many
            # Four standard errors of both, and what the beginnings of eight runs may add.
            error = 4 * math.sqrt((share + 0.001) * (1 / total + 1 / many)) + 0.004
            assert measured / total == pytest.approx(share, abs=error), (r, w)
    for mine, twins in ((all_of(tallies, "write_ms"), writes), (all_of(tallies, "read_ms"), reads)):
        for k in range(3):
            for index in (4, 5, 6, 8, 12, 20, 45, 60, 75):
                twin = sum(ms <= BIN_TOPS_MS[index] for ms in twins[k]) / len(twins[k])
                found = sum(mine[k][: index + 1]) / sum(mine[k])
                assert found == pytest.approx(twin, abs=0.035), (k, BIN_TOPS_MS[index])


def all_of(tallies: tuple[Tally, ...], name: str) -> list[tuple[int, ...]]:
    """The counts of several runs together, by rank."""
    rows: Any = [getattr(tally, name) for tally in tallies]
    return [tuple(map(sum, zip(*(row[k] for row in rows), strict=True))) for k in range(3)]


def test_twin_and_store_disagree_when_the_twin_is_wrong() -> None:
    # The comparison has teeth: with messages of another layout it fails at the first latency.
    writes, _, _, _ = Twin("region", 15, 7).run(2_000)
    mine = all_of(pooled("ocean", 100), "write_ms")
    assert quantile(mine[2], 0.5) != pytest.approx(nearest_rank(writes[2], 0.5), rel=0.06, abs=1)


def test_staleness_falls_with_the_time_since_the_write() -> None:
    def share(low: int, high: int) -> float:
        reads = sum(sum(tally.ages[low:high]) for tally in tallies)
        return sum(sum(tally.ages_stale[low:high]) for tally in tallies) / reads

    params = {"layout": "ocean", "interval_ms": 100, "read_quorum": 1, "write_quorum": 1}
    tallies: list[Tally] = [
        pysims.run("pacelc", params=params, seed=seed, until_ms=80_000).last.tally
        for seed in range(4)
    ]
    early, later, late = share(0, 2), share(2, 3), share(3, 4)
    assert early > 0.35
    assert early > 2 * later > 4 * late
