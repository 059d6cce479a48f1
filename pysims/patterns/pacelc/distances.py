"""How far replicas stand apart, and how long a message therefore takes.

A message's time is the way plus the work at the replica that receives it. What is measured and
what is assumed:

* Across an ocean: round trips between cloud regions, rounded averages that were measured in 2017
  between AWS regions (https://acomputerscientistlearnsaws.blogspot.com/2017/04/aws-regions.html).
  Great-circle distances are computed from the cities' coordinates. The floor is physics: light in
  fiber covers about 200 km in a millisecond, so 100 km cost 1 ms of round trip, on a straight
  cable that does not exist.
* Same region: AWS places the zones of a region up to 100 km apart, with "single-digit millisecond
  latency" (https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/availability-zones.html);
  measured were 0.25 to 3.4 ms (https://www.xkyle.com/Measuring-AWS-Region-and-AZ-Latency/). The
  1.5 ms and the 60 km here are assumptions within these ranges.
* Same zone: 0.3 ms and 1 km are assumptions.
* The work at a replica, also at the coordinator's own, where a store may be the slowest of
  three: quantiles of what Bailis et al. fitted to Yammer's production Riak (VLDB
  2012, table 3, "YMMR"): to store a write, 93.9 % Pareto (3 ms, 3.35) and 6.1 % exponential (mean
  357 ms), for everything else 98.2 % Pareto (1.5 ms, 3.8) and 1.8 % exponential (mean 46 ms). Where
  the tails end, at 1,000 and 130 ms, is an assumption.
* How far the slow messages of a link lie above its fast ones (`WAY`) is an assumption.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from ...kernel import Latency

FIBER_KM_PER_MS = 200.0

SHARES = (0.0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0)
STORE_MS = (3.0, 3.3, 3.8, 4.8, 7.7, 71.0, 646.0, 1000.0)
HANDLE_MS = (1.5, 1.6, 1.8, 2.2, 2.9, 3.7, 27.0, 130.0)
WAY = (1.0, 1.0, 1.01, 1.02, 1.05, 1.1, 1.3, 1.5)

LAYOUTS = {
    "zone": "one zone",
    "region": "zones of one region",
    "mixed": "two in one region, the rest overseas",
    "ocean": "different continents",
}
DISTANCES = {"zone": "same zone", "region": "same region", "ocean": "across an ocean"}

CITIES = ("Virginia", "Frankfurt", "Tokyo", "São Paulo", "Sydney")
# Two cities → (round trip in ms, km).
OCEANS = {
    ("Virginia", "Frankfurt"): (89.0, 6549),
    ("Virginia", "Tokyo"): (145.0, 10872),
    ("Virginia", "São Paulo"): (120.0, 7664),
    ("Virginia", "Sydney"): (230.0, 15674),
    ("Frankfurt", "Tokyo"): (236.0, 9333),
    ("Frankfurt", "São Paulo"): (195.0, 9829),
    ("Frankfurt", "Sydney"): (323.0, 16483),
    ("Tokyo", "São Paulo"): (257.0, 18535),
    ("Tokyo", "Sydney"): (104.0, 7826),
    ("São Paulo", "Sydney"): (322.0, 13357),
}
SAME_ZONE = (0.3, 1)
SAME_REGION = (1.5, 60)
BY_DISTANCE = {
    "zone": SAME_ZONE,
    "region": SAME_REGION,
    "ocean": OCEANS["Virginia", "Frankfurt"],
}


@dataclass(frozen=True, slots=True)
class Line:
    """A link between two replicas, the same in both directions."""

    a: str
    b: str
    round_trip_ms: float
    km: int


def floor_ms(km: float) -> float:
    """The round trip (ms) of light in a straight fiber of this length."""
    return 2 * km / FIBER_KM_PER_MS


def places_of(layout: str, count: int) -> tuple[str, ...]:
    """Where the replicas stand, in words."""
    if layout == "zone":
        return tuple(f"rack {number + 1}" for number in range(count))
    if layout == "region":
        return tuple(f"zone {letter}" for letter in "abcde"[:count])
    if layout == "mixed":
        return ("Virginia a", "Virginia b", *CITIES[1:])[:count]
    return CITIES[:count]


def lines_of(layout: str, names: tuple[str, ...]) -> tuple[Line, ...]:
    """The link of every two replicas."""
    places = places_of(layout, len(names))
    return tuple(
        Line(names[i], names[j], *between(layout, places[i], places[j]))
        for i in range(len(names))
        for j in range(i + 1, len(names))
    )


def between(layout: str, here: str, there: str) -> tuple[float, int]:
    """Round trip (ms) and distance (km) of two places of a layout."""
    if layout in ("zone", "region"):
        return BY_DISTANCE[layout]
    cities = (here.removesuffix(" a").removesuffix(" b"), there.removesuffix(" b"))
    return OCEANS.get(cities, SAME_REGION)


@lru_cache(maxsize=128)
def leg(round_trip_ms: float, stores: bool) -> Latency:
    """How long a message takes over such a link: half a round trip, and the replica's work.

    Simplified: one draw decides both parts, so that a message is slow on the way and at the
    replica, or on neither.
    """
    work = STORE_MS if stores else HANDLE_MS
    return Latency(
        tuple(
            (share, round_trip_ms / 2 * way + ms)
            for share, way, ms in zip(SHARES, WAY, work, strict=True)
        )
    )
