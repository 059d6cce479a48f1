"""The figures of the chapter on fault tolerance."""

from __future__ import annotations

from functools import cache
from typing import Any

from .. import run
from ..patterns.availability.arithmetic import YEAR_MS
from ..patterns.availability.model import Params, expected, if_independent, measured
from ..patterns.cascade_failure.chain import BIN_MS, USERS
from ..patterns.cascade_failure.scenarios import HEALED_MS, ILL_MS
from ..patterns.retry_backoff.scenarios import OUTAGE_END_MS, crowd
from ..patterns.retry_backoff.scenarios import chain as tiers_of
from .base import Cell, Figure, Point, Row, column
from .ink import SERIES, Sheet, curve, label, theory

# --- Calls over time ------------------------------------------------------------------------------

STRATEGIES = {
    "fixed interval": "fixed",
    "exponential": "exponential",
    "full jitter": "full",
    "equal jitter": "equal",
    "decorrelated jitter": "decorrelated",
}
CALLS_BIN_MS, CALLS_END_MS = 100, 8_000


@cache
def called(strategy: str) -> tuple[int, ...]:
    """How many calls a thousand clients make in each tenth of a second after they lost a server."""
    last = run("retry_backoff", "no-backoff", params={"strategy": strategy}).last
    counts = [0] * (CALLS_END_MS // CALLS_BIN_MS)
    for start_ms, count in crowd(last).called:
        if start_ms < CALLS_END_MS:
            counts[start_ms // CALLS_BIN_MS] += count
    return tuple(counts)


def calls(point: Point, series: str) -> float:
    """The calls in the tenth of a second that begins at second `point`."""
    return called(STRATEGIES[series])[round(1_000 * point) // CALLS_BIN_MS]


def paint_calls(sheet: Sheet, rows: tuple[Row, ...]) -> None:
    sheet.words(4, 16, "Calls in a tenth of a second; full height: 1,000")
    for index, name in enumerate(STRATEGIES):
        top = 46 + 62 * index
        x, y = column(rows, index)
        axes = sheet.axes(
            (4, top, 336, top + 38),
            [(at, f"{at} s" if index == len(STRATEGIES) - 1 else "") for at in (0, 2, 4, 6)],
            [],
            x_range=(0, 8),
            y_range=(0, 1_000),
        )
        axes.axvspan(0, 2.5, color="#010003", alpha=0.18, linewidth=0)
        axes.stairs(y, [*x, CALLS_END_MS / 1_000], fill=True, color=SERIES[index], linewidth=0)
        sheet.words(4, top - 6, f"{name}: {sum(y):,.0f} calls in 8 s")
    sheet.words(336, 376, "shaded: the server is down", ha="right")


# --- Goodput of the cascade -----------------------------------------------------------------------

GUARDS = {
    "no guards": "unprotected",
    "naive retries": "naive-retries",
    "timeouts": "timeouts",
    "breakers": "breakers",
    "bulkheads": "bulkheads",
    "all guards": "all-on",
}
CASCADE_SEEDS, CASCADE_END_MS = range(20), 18_000


@cache
def good(scenario: str) -> tuple[int, ...]:
    """Users' requests that were answered in each half second, over all seeds."""
    counts = [0] * (CASCADE_END_MS // BIN_MS)
    for seed in CASCADE_SEEDS:
        last = run("cascade_failure", scenario, seed=seed, until_ms=CASCADE_END_MS).last
        for start_ms, count in last.chain.good[USERS].bins():
            if start_ms < CASCADE_END_MS:
                counts[start_ms // BIN_MS] += count
    return tuple(counts)


def goodput(point: Point, series: str) -> float:
    """Answers a second, in the half second that begins at second `point`."""
    count = good(GUARDS[series])[round(1_000 * point) // BIN_MS]
    return count / len(CASCADE_SEEDS) * 1_000 / BIN_MS


def paint_goodput(sheet: Sheet, rows: tuple[Row, ...]) -> None:
    sheet.words(4, 16, "Users answered a second; 20 come")
    for index, name in enumerate(GUARDS):
        left, top = (30, 190)[index % 2], 50 + 92 * (index // 2)
        axes = sheet.axes(
            (left, top, left + 144, top + 58),
            [(at, f"{at} s" if index > 3 else "") for at in (5, 10, 15)],
            [(at, f"{at}" if index % 2 == 0 else "") for at in (0, 20)],
            x_range=(0, 18),
            y_range=(0, 27),
        )
        axes.axvspan(ILL_MS / 1_000, HEALED_MS / 1_000, color="#010003", alpha=0.18, linewidth=0)
        x, y = column(rows, index)
        axes.plot([at + BIN_MS / 2_000 for at in x], y, color=SERIES[min(index, 1)], linewidth=2)
        sheet.words(left, top - 6, name)
    sheet.words(336, 326, "shaded: E is slow", ha="right")


# --- Redundancy -----------------------------------------------------------------------------------

YEARS = {1: 60, 2: 500, 3: 2_000}
"""Simulated for each number of replicas: what is rare takes longer to be seen."""
SPAN = 250
ALONE, ALONE_RUN, SHARED, SHARED_RUN = (
    "independent, formula",
    "independent, measured",
    "one in ten shared, formula",
    "one in ten shared, measured",
)


def replicas(count: int, beta: int) -> dict[str, Any]:
    return {"structure": "parallel", "components": count, "availability": "99", "beta": beta}


@cache
def down(count: int, beta: int) -> Cell:
    """The share of the time in which all replicas were down, in runs of `SPAN` years at most."""
    if count not in YEARS:
        return None
    years = YEARS[count]
    spans = [min(SPAN, years - begun) for begun in range(0, years, SPAN)]
    lost = 0.0
    for seed, span in enumerate(spans):
        params = replicas(count, beta)
        until_ms = span * YEAR_MS
        last = run("availability", params=params, seed=seed, until_ms=until_ms, limit=10**6).last
        lost += span * (1 - measured(last))
    return lost / years


def unavailable(point: Point, series: str) -> Cell:
    """The share (percent) of the time in which none of `point` replicas works."""
    count = int(point)
    if series in (ALONE_RUN, SHARED_RUN):
        share = down(count, 0 if series == ALONE_RUN else 10)
        return None if share is None else 100 * share
    params = Params(**replicas(count, 0 if series == ALONE else 10))
    return 100 * float(1 - (if_independent(params) if series == ALONE else expected(params)))


def paint_unavailable(sheet: Sheet, rows: tuple[Row, ...]) -> None:
    nines = {-8 + power: f"{8 - power + 2} nines" for power in range(0, 9, 2)}
    axes = sheet.axes(
        (58, 34, 326, 218),
        [(at, f"{at}") for at in (1, 2, 3, 4)],
        [(10.0**power, words) for power, words in nines.items()],
        x_range=(0.8, 4.3),
        y_range=(10**0.6, 10**-6.6),
        logarithmic="y",
    )
    for index, line in ((0, 0), (1, 2)):
        theory(axes, *column(rows, line))
        curve(axes, *column(rows, line + 1), index, linestyle="none")
    label(axes, 2.1, 10**-2.9, "independent", ha="right")
    label(axes, 2.2, 10**-0.35, "one failure in ten is shared")
    sheet.words(4, 16, "Availability (lines: formula, marks: measured)")
    sheet.words(326, 256, "replicas at 99 %, one is enough", ha="right")


# --- Retries through tiers ------------------------------------------------------------------------

ATTEMPTS = {
    "1 attempt": (1, False),
    "2 attempts": (2, False),
    "3 attempts": (3, False),
    "3 attempts, with a budget": (3, True),
}


@cache
def tier_calls(series: str) -> tuple[float, ...]:
    """Calls at each tier for each request that ended while the last tier was down."""
    attempts, budget = ATTEMPTS[series]
    params = {"attempts": attempts, "budget": budget}
    outage = run("retry_backoff", "three-tiers", params=params).state_at(OUTAGE_END_MS - 1)
    tally = tiers_of(outage).tally
    return tuple(count / tally.ended for count in tally.calls)


def amplified(point: Point, series: str) -> float:
    """Calls at tier number `point` (A is 1) for each user's request."""
    return 1.0 if point == 0 else tier_calls(series)[int(point) - 1]


def paint_amplified(sheet: Sheet, rows: tuple[Row, ...]) -> None:
    axes = sheet.axes(
        (30, 34, 240, 218),
        [(0, "user"), (1, "A"), (2, "B"), (3, "C")],
        [(at, f"{at}") for at in (1, 3, 9, 27)],
        x_range=(-0.15, 3),
        y_range=(0.93, 33),
        logarithmic="y",
    )
    for index in range(4):
        curve(axes, *column(rows, index), index)
    for index, words in enumerate(
        ("1 attempt", "2 attempts", "3 attempts", "3 attempts,\na budget")
    ):
        last = rows[-1][1][index]
        shift = {0: 0.97, 3: 1.2}.get(index, 1.0)
        label(axes, 3.16, (last or 1) * shift, words)
    sheet.words(4, 16, "Calls for each request while C is down")
    sheet.words(240, 256, "tier", ha="right")


FIGURES = (
    Figure(
        name="backoff_calls",
        title="Calls over time by five strategies of backoff",
        point_name="time in s",
        points=tuple(n / 10 for n in range(CALLS_END_MS // CALLS_BIN_MS)),
        series=tuple(STRATEGIES),
        cell=calls,
        paint=paint_calls,
        form="{:,.0f}",
        height=384,
    ),
    Figure(
        name="cascade_goodput",
        title="Goodput of five services in a row, by guard",
        point_name="time in s",
        points=tuple(n / 2 for n in range(CASCADE_END_MS // BIN_MS)),
        series=tuple(GUARDS),
        cell=goodput,
        paint=paint_goodput,
        form="{:.1f}",
        height=334,
    ),
    Figure(
        name="redundancy",
        title="Availability against redundancy",
        point_name="replicas, and the share of time without any",
        points=(1, 2, 3, 4),
        series=(ALONE, ALONE_RUN, SHARED, SHARED_RUN),
        cell=unavailable,
        paint=paint_unavailable,
        form="{:.6f} %",
        height=264,
    ),
    Figure(
        name="retry_tiers",
        title="Retries multiply through the tiers",
        point_name="tier (0: the user’s requests)",
        points=(0, 1, 2, 3),
        series=tuple(ATTEMPTS),
        cell=amplified,
        paint=paint_amplified,
        form="{:.2f}",
        height=264,
    ),
)
