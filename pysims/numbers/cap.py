"""The numbers that the chapter on CAP and PACELC takes from runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..patterns.cap_theorem import lost_dollars
from ..patterns.pacelc.distances import OCEANS, floor_ms
from ..patterns.pacelc.model import is_stale
from ..patterns.pacelc.scenarios import read_median, reads, stale_share
from .runs import run_of

ROUND_TRIP_MS, KM = OCEANS["Virginia", "Frankfurt"]


def final(pattern: str, scenario: str) -> Any:
    """The state in which a run ends."""
    return run_of(pattern, scenario).last


def balance(scenario: str) -> str:
    """What all replicas agree on at the end."""
    (dollars,) = {replica.copy.balance for replica in final("cap_theorem", scenario).replicas}
    return str(dollars)


def median_ms(scenario: str, answers: int) -> str:
    """How long half of the reads waited for so many answers, at most."""
    return f"{read_median(final('pacelc', scenario), answers):.0f}"


AT_ONCE = {"read_quorum": 1, "write_quorum": 1}


def stale_by_age(bins: slice) -> str:
    """The share of stale reads across oceans, with R = W = 1, by the time since the last write."""
    tally = run_of("pacelc", "ocean", params=AT_ONCE).last.tally
    return f"{100 * sum(tally.ages_stale[bins]) / sum(tally.ages[bins]):.0f} percent"


def stale_while_cut(sites: str) -> str:
    """How many of the reads at these replicas were stale while C was cut away, with R = W = 1."""
    cut = [s for s in run_of("pacelc", "cut-away", params=AT_ONCE).history if s.state.away]
    stale = {
        request.id: is_stale(sim.state, request)
        for sim in cut
        for request in sim.state.requests
        if request.kind == "read" and request.site in sites
        if request.invoked_ms >= cut[0].now_ms and request.done_ms >= 0
    }
    return f"{sum(stale.values())} of {len(stale)}"


def one_way_served() -> str:
    """When A's deposit was confirmed, while only one way was cut."""
    served, *_ = (r for r in final("cap_theorem", "one-way").requests if r.status == "done")
    return str(served.returned_ms)


def read_one_stale_reads() -> str:
    """How many of the reads in Figure 10 are stale at its end."""
    return str(final("pacelc", "read-one").tally.stale[0][0])


NUMBERS: dict[str, Callable[[], str]] = {
    "lww balance": lambda: balance("ap-lww"),
    "lww lost": lambda: str(lost_dollars(final("cap_theorem", "ap-lww"))),
    "counter balance": lambda: balance("ap-counter"),
    "ocean km": lambda: f"{round(KM, -1):,}",
    "ocean floor": lambda: f"{floor_ms(KM):.0f}",
    "ocean round trip": lambda: f"{ROUND_TRIP_MS:.0f}",
    "ocean read one": lambda: median_ms("ocean", 1),
    "ocean read two": lambda: median_ms("ocean", 2),
    "ocean stale early": lambda: stale_by_age(slice(0, 2)),
    "ocean stale late": lambda: stale_by_age(slice(2, 4)),
    "cut stale C": lambda: stale_while_cut("C"),
    "cut stale rest": lambda: stale_while_cut("AB"),
    "read-one reads": lambda: str(reads(final("pacelc", "read-one"), 1)),
    "read-one stale": lambda: f"{100 * stale_share(final('pacelc', 'read-one'), 1, 1):.1f} percent",
    "read-one median": lambda: median_ms("read-one", 1),
    "read-one stale reads": read_one_stale_reads,
    "one-way served": one_way_served,
    "quorum median": lambda: median_ms("quorum", 2),
}
