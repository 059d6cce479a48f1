"""The numbers that the chapter on fault tolerance takes from runs.

Where a sentence speaks of a picture, its number is that of the moment which the page shows.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import partial
from typing import Any

from ..kernel import Run
from ..patterns import load_pattern
from ..patterns.availability.arithmetic import (
    HOUR_MS,
    YEAR_MS,
    downtime_ms,
    with_shared_cause,
)
from ..patterns.availability.measure import whole_years
from ..patterns.availability.model import if_independent, measured, promised
from ..patterns.bulkhead.model import PAYMENTS, RECOMMENDATIONS, holding
from ..patterns.bulkhead.scenarios import HANG_MS
from ..patterns.bulkhead.words import shares_measured, shares_separate, shares_shared
from ..patterns.cascade_failure import scenarios as chain
from ..patterns.cascade_failure.chain import FRONT, LAST
from ..patterns.cascade_failure.params import THREADS, WORK_MS
from ..patterns.cascade_failure.words import amplification, cost_of_retries, tries
from ..patterns.chaos_monkey.model import ALONE, FLEET, cells
from ..patterns.chaos_monkey.office import HOUR_MS as OFFICE_HOUR_MS
from ..patterns.chaos_monkey.scenarios import answered as served_by
from ..patterns.chaos_monkey.scenarios import dead, failed
from ..patterns.circuit_breaker.model import CLOSED, HALF_OPEN, OPEN
from ..patterns.circuit_breaker.scenarios import HANGS_MS
from ..patterns.retry_backoff.scenarios import chain as tiers_of
from ..patterns.retry_backoff.scenarios import crowd, recovery_ms, shortest_ms
from ..patterns.timeouts.scenarios import (
    SICK_MS,
    WELL_MS,
    answered,
    begun_for_nobody,
    vain,
)
from ..patterns.timeouts.words import costs
from .runs import noted, run_of, shown


def seconds(time_ms: float) -> str:
    return f"{time_ms / 1_000:.1f} seconds"


def percent(share: float, digits: int = 0) -> str:
    return f"{100 * share:.{digits}f} percent"


# --- Nines ----------------------------------------------------------------------------------------

AVAILABILITY = partial(shown, "availability")


def nines_budgets() -> str:
    """For how many years the longest outage is the budget."""
    state = AVAILABILITY("five-nines")
    return f"{float(state.longest_ms / downtime_ms(promised(state.params), YEAR_MS)):.0f}"


def series_years() -> str:
    """The whole years of the run, in none of which the service kept three nines."""
    years = whole_years(AVAILABILITY("series"))
    assert all(lost_ms > downtime_ms(Fraction(999, 1_000), YEAR_MS) for lost_ms in years)
    return str(len(years))


def correlated_factor() -> str:
    """By what the measured downtime is that of independent replicas."""
    state = AVAILABILITY("correlated")
    return f"{(1 - measured(state)) / (1 - float(if_independent(state.params))):.0f}"


def correlated_third() -> str:
    """What a third replica would make of it."""
    return percent(float(with_shared_cause(Fraction(99, 100), 1, 3, Fraction(1, 10))), 2)


# --- Timeouts -------------------------------------------------------------------------------------


def all_held() -> str:
    """How long after the back began to hang no thread of the chain was free."""
    moments = run_of("timeouts", "no-timeout").history
    return seconds(
        next(
            sim.now_ms - SICK_MS
            for sim in moments
            if sim.now_ms >= SICK_MS and not any(pool.idle for pool in sim.state.pools)
        )
    )


def came(scenario: str, from_ms: int, until_ms: int) -> int:
    """How many users came between two times."""
    run = run_of("timeouts", scenario)
    return int(run.state_at(until_ms).users.came - run.state_at(from_ms).users.came)


LATE_MS = SICK_MS + 3_000
"""From here on, the proofs of both stories with a slow back count."""


def dead_users() -> str:
    """Those who came while the slow back worked for nobody; none of them got an answer."""
    run = run_of("timeouts", "dead-work")
    assert answered(run, LATE_MS, WELL_MS) == 0
    assert vain(run, LATE_MS, WELL_MS) == 1
    return str(came("dead-work", LATE_MS, WELL_MS))


def handed_answered() -> str:
    run = run_of("timeouts", "deadline-propagation")
    assert begun_for_nobody(run) == 0
    return str(answered(run, LATE_MS, WELL_MS))


def p99_lost() -> str:
    well = shown("timeouts", "p99").well
    return percent(well.lost / (well.lost + well.done), 1)


def p99_wait() -> str:
    ill = shown("timeouts", "p99").ill
    return f"{ill.lost_ms / ill.lost:.0f} ms"


def cost(name: str, column: str) -> str:
    """A cell of the table beside the picture."""
    return str(next(row[column] for row in costs(shown("timeouts", "p99")) if row["name"] == name))


# --- Bulkheads ------------------------------------------------------------------------------------


def shared_full() -> str:
    """How long until recommendations held all threads."""
    moments = run_of("bulkhead", "shared-pool").history
    threads = run_of("bulkhead", "shared-pool").last.params.threads
    return seconds(
        next(
            sim.now_ms - HANG_MS
            for sim in moments
            if holding(sim.state, RECOMMENDATIONS) == threads
        )
    )


def payments_since(scenario: str) -> tuple[int, int]:
    """Payments that were answered since recommendations began to hang, and that ended at all."""
    now = shown("bulkhead", scenario).tallies[PAYMENTS]
    then = run_of("bulkhead", scenario).state_at(HANG_MS).tallies[PAYMENTS]
    return now.done - then.done, now.settled - then.settled


def shared_served() -> str:
    done, settled = payments_since("shared-pool")
    return percent(done / settled)


def separate_served() -> str:
    done, settled = payments_since("separate-pools")
    assert done == settled
    return str(done)


def price_measured() -> str:
    shares = shares_measured(shown("bulkhead", "price"))
    assert shares is not None
    return percent(shares.rejected, 1)


# --- Retries --------------------------------------------------------------------------------------

HERD = ("none", "fixed", "exponential", "full", "equal", "decorrelated")


@noted
def herd(strategy: str) -> Any:
    """How the story of a thousand clients ends with this strategy."""
    return run_of("retry_backoff", "no-backoff", params={"strategy": strategy}).last


def herd_calls(strategy: str) -> str:
    return f"{crowd(herd(strategy)).calls:,}"


def herd_peak(strategy: str) -> str:
    return f"{crowd(herd(strategy)).peak:,}"


def herd_recovery(strategy: str) -> str:
    took_ms = recovery_ms(herd(strategy))
    assert took_ms >= 0
    return f"{took_ms / 1_000:.1f} s"


def doubled(strategy: str) -> str:
    """The recovery of twice as many clients from a server whose refusals cost twice as much."""
    params = {"strategy": strategy, "clients": 2_000, "refusal": 4.0}
    took_ms = recovery_ms(
        run_of("retry_backoff", "no-backoff", params=params, until_ms=60_000).last
    )
    assert took_ms >= 0
    return seconds(took_ms)


def calls_each(scenario: str, digits: int) -> str:
    """Calls at C for each request that ended while C was down, in the picture."""
    tally = tiers_of(shown("retry_backoff", scenario)).tally
    return f"{tally.calls[-1] / tally.ended:.{digits}f}"


# --- Circuit breakers -----------------------------------------------------------------------------

BREAKER = partial(shown, "circuit_breaker")


def came_into(scenario: str, state: str, number: int) -> int:
    """When the breaker came into this state; -1 for the last time, 0 for the first."""
    changes = run_of("circuit_breaker", scenario).last.changes
    return int([change.since_ms for change in changes if change.state == state][number])


def repaired_ms() -> int:
    """When the service of the last story was repaired."""
    return int(load_pattern("circuit_breaker").scenario("recovers").script[-1][0])


def rolling_faults() -> str:
    """Errors up to the one that opened the breaker."""
    opened_ms = came_into("rolling-window", OPEN, 0)
    return str(run_of("circuit_breaker", "rolling-window").state_at(opened_ms).tally.fault)


def rolling_after() -> str:
    """How long after the first errors the window opened."""
    story = load_pattern("circuit_breaker").scenario("rolling-window")
    return seconds(came_into("rolling-window", OPEN, 0) - story.script[0][0])


# --- Five services in a row -----------------------------------------------------------------------


def cascade(scenario: str) -> Run[Any]:
    return run_of("cascade_failure", scenario)


def end_ms(scenario: str) -> int:
    return load_pattern("cascade_failure").scenario(scenario).until_ms


def full_after(place: int) -> str:
    return seconds(chain.full_at_ms(cascade("unprotected"), place) - chain.ILL_MS)


def down_after() -> str:
    return seconds(cascade("unprotected").last.chain.fell_ms - chain.ILL_MS)


def costs_of(scenario: str, which: int) -> str:
    """Users answered since E fell ill, in the picture: with retries (0), without (1)."""
    both = cost_of_retries(shown("cascade_failure", scenario))
    assert both is not None
    return str(both[which])


def fewer(scenario: str) -> str:
    both = cost_of_retries(shown("cascade_failure", scenario))
    assert both is not None
    return percent(1 - both[0] / both[1])


def tries_of(scenario: str) -> str:
    state = shown("cascade_failure", scenario)
    return f"{tries(state.chain, state.since):.1f}"


def storm_calls(twin: bool) -> str:
    state = shown("cascade_failure", "retry-storm")
    counted = (state.twin, state.twin_since) if twin else (state.chain, state.since)
    return f"{amplification(*counted):.1f}"


def served_ill(scenario: str) -> str:
    """Users answered while E is ill, but for the first second."""
    return f"{100 * chain.served(cascade(scenario), chain.ILL_MS + 1_000, chain.HEALED_MS):.0f} %"


def back(scenario: str) -> str:
    """How long after E A was back."""
    back_ms = cascade(scenario).last.chain.back_ms
    if back_ms < 0:
        return f"not within {(end_ms(scenario) - chain.HEALED_MS) / 1_000:.0f} s"
    return f"{back_ms / 1_000:.1f} s"


def ceiling() -> str:
    """What could be answered while E is slow: all that does not need it, and as much as it can."""
    params = cascade("unprotected").last.params
    able_per_s = 1_000 * THREADS[-1] / WORK_MS[LAST] / params.slow_factor
    return percent(1 - params.deep_percent / 100 + able_per_s / params.rate_per_s)


def retries_all_on(which: int) -> str:
    """Users answered from E's illness to the end with all guards: with retries (0), without (1)."""
    both = cost_of_retries(cascade("all-on").last)
    assert both is not None
    return str(both[which])


def metastable_well() -> str:
    story = load_pattern("cascade_failure").scenario("metastable")
    return f"{(story.show_ms - chain.HEALED_MS) / 1_000:.0f} seconds"


def metastable_vain() -> str:
    """How much of what E did was for nobody, from two seconds after its recovery to the end."""
    then = cascade("metastable").state_at(chain.HEALED_MS + 2_000).chain
    now = cascade("metastable").last.chain
    vain_calls = now.wasted[LAST] - then.wasted[LAST]
    return percent(vain_calls / (vain_calls + now.answered[LAST] - then.answered[LAST]))


def shed_served() -> str:
    return percent(chain.served(cascade("load-shedding"), 18_000, end_ms("load-shedding")))


# --- A fleet and a monkey -------------------------------------------------------------------------


def fleet(scenario: str, number: int) -> Any:
    return run_of("chaos_monkey", scenario).last.fleets[number]


def turned_down() -> str:
    """The share of failures while one of two zones is down, and that has been noticed."""
    two_zones = fleet("no-headroom", FLEET)
    bad, good = failed(two_zones, 10_000, 20_000), served_by(two_zones, 10_000, 20_000)
    return percent(bad / (bad + good))


def cell(redundancy: int, fallbacks: int) -> str:
    return f"{100 * cells(shown('chaos_monkey', 'fallbacks'))[redundancy][fallbacks]:.0f} %"


def weekend_hours() -> str:
    """How long the lone machine was dead, on the office clock."""
    lost = [
        sim.now_ms
        for sim in run_of("chaos_monkey", "around-the-clock").history
        if dead(sim.state, ALONE)
    ]
    return f"{(lost[-1] - lost[0]) / OFFICE_HOUR_MS:.0f} hours"


def week() -> Any:
    """The fleet of the week in the picture."""
    return shown("chaos_monkey", "business-hours").fleets[FLEET]


SWITCHES = ("unprotected", "naive-retries", "timeouts", "breakers", "bulkheads", "all-on")

NUMBERS: dict[str, Callable[[], str]] = {
    "nines outages": lambda: str(AVAILABILITY("five-nines").service.failures),
    "nines years": lambda: str(AVAILABILITY("five-nines").counted_ms // YEAR_MS),
    "nines longest": lambda: f"{AVAILABILITY('five-nines').longest_ms / HOUR_MS:.1f} hours",
    "nines budgets": nines_budgets,
    "series measured": lambda: percent(measured(AVAILABILITY("series")), 2),
    "series years": series_years,
    "parallel failures": lambda: (
        f"{sum(lane.failures for lane in AVAILABILITY('parallel').components):,}"
    ),
    "parallel outages": lambda: str(AVAILABILITY("parallel").service.failures),
    "parallel measured": lambda: percent(measured(AVAILABILITY("parallel")), 3),
    "correlated measured": lambda: percent(measured(AVAILABILITY("correlated")), 2),
    "correlated factor": correlated_factor,
    "correlated third": correlated_third,
    "hang held": all_held,
    "hang users": lambda: str(came("no-timeout", SICK_MS, WELL_MS)),
    "hang answered": lambda: str(answered(run_of("timeouts", "no-timeout"), SICK_MS, WELL_MS)),
    "p99 measured": lambda: str(sum(shown("timeouts", "p99").latencies)),
    "p99 timeout": lambda: f"{shown('timeouts', 'p99').timeout_ms} ms",
    "p99 healthy": p99_lost,
    "p99 wait": p99_wait,
    **{
        f"timeout {name} {column}": partial(cost, name, column)
        for name in ("p90", "p95", "p99", "p99.9")
        for column in ("timeout", "lost", "wait")
    },
    "dead users": dead_users,
    "dead begun": lambda: str(begun_for_nobody(run_of("timeouts", "dead-work"))),
    "handed answered": handed_answered,
    "handed vain": lambda: percent(
        vain(run_of("timeouts", "deadline-propagation"), LATE_MS, WELL_MS)
    ),
    "shared full": shared_full,
    "shared served": shared_served,
    "shared spilled": lambda: str(shown("bulkhead", "shared-pool").spilled),
    "separate served": separate_served,
    "price one": lambda: percent(
        shares_shared(run_of("bulkhead", "price").last.params).rejected, 1
    ),
    "price two": lambda: percent(
        shares_separate(run_of("bulkhead", "price").last.params).rejected, 1
    ),
    "price measured": price_measured,
    **{f"herd {strategy} calls": partial(herd_calls, strategy) for strategy in HERD},
    **{f"herd {strategy} peak": partial(herd_peak, strategy) for strategy in HERD},
    **{f"herd {strategy} recovery": partial(herd_recovery, strategy) for strategy in HERD},
    "herd least": lambda: f"{shortest_ms(herd('none')) / 1_000:.0f} seconds",
    "herd storm": lambda: herd_calls("none"),
    "herd slow": lambda: seconds(recovery_ms(herd("none"))),
    "herd in step": lambda: seconds(recovery_ms(herd("exponential"))),
    "fixed doubled": lambda: doubled("fixed"),
    "full doubled": lambda: doubled("full"),
    "tiers requests": lambda: str(tiers_of(shown("retry_backoff", "three-tiers")).tally.ended),
    "tiers calls": lambda: str(tiers_of(shown("retry_backoff", "three-tiers")).tally.calls[-1]),
    "tiers each": lambda: calls_each("three-tiers", 0),
    "budget each": lambda: calls_each("retry-budget", 1),
    "unbroken errors": lambda: str(BREAKER("no-breaker").tally.error),
    "unbroken away": lambda: str(BREAKER("no-breaker").tally.turned_away),
    "unbroken wait": lambda: seconds(BREAKER("no-breaker").tally.failing_wait_ms),
    "trip after": lambda: seconds(came_into("trips", OPEN, 0) - HANGS_MS),
    "trip wait": lambda: seconds(BREAKER("trips").tally.failing_wait_ms),
    "probe spared": lambda: str(BREAKER("probe-fails").tally.refused),
    "recovery blind": lambda: seconds(came_into("recovers", HALF_OPEN, -1) - repaired_ms()),
    "recovery closed": lambda: seconds(came_into("recovers", CLOSED, -1) - repaired_ms()),
    "rolling faults": rolling_faults,
    "rolling row": lambda: str(run_of("circuit_breaker", "rolling-window").last.watch.longest_row),
    "rolling after": rolling_after,
    "rolling hang": lambda: seconds(
        run_of("circuit_breaker", "no-breaker").last.watch.rolling_trip_ms - HANGS_MS
    ),
    "climb E": lambda: full_after(LAST),
    "climb A": lambda: full_after(FRONT),
    "climb down": down_after,
    "naive answered": lambda: costs_of("naive-retries", 0),
    "naive without": lambda: costs_of("naive-retries", 1),
    "naive fewer": lambda: fewer("naive-retries"),
    "naive tries": lambda: tries_of("naive-retries"),
    "storm calls": lambda: storm_calls(twin=False),
    "storm without": lambda: storm_calls(twin=True),
    "storm answered": lambda: costs_of("retry-storm", 0),
    "storm spared": lambda: costs_of("retry-storm", 1),
    **{f"chain {scenario} ill": partial(served_ill, scenario) for scenario in SWITCHES},
    **{f"chain {scenario} back": partial(back, scenario) for scenario in SWITCHES},
    "chain ceiling": ceiling,
    "all-on retries": lambda: retries_all_on(0),
    "all-on without": lambda: retries_all_on(1),
    "metastable well": metastable_well,
    "metastable answered": lambda: costs_of("metastable", 0),
    "metastable without": lambda: costs_of("metastable", 1),
    "metastable vain": metastable_vain,
    "shed served": shed_served,
    "single failed": lambda: str(failed(fleet("single-instance", ALONE))),
    "single all": lambda: str(fleet("single-instance", ALONE).outcomes.total),
    "redundant failed": lambda: str(failed(fleet("redundant", FLEET))),
    "zone failed": lambda: str(failed(fleet("zone-down", FLEET))),
    "zone all": lambda: str(fleet("zone-down", FLEET).outcomes.total),
    "headroom failed": turned_down,
    "cell nothing": lambda: cell(ALONE, 0),
    "cell fallbacks": lambda: cell(ALONE, 1),
    "cell redundancy": lambda: cell(FLEET, 0),
    "cell both": lambda: cell(FLEET, 1),
    "weekend": weekend_hours,
    "week kills": lambda: str(shown("chaos_monkey", "business-hours").attacks),
    "week failed": lambda: str(week().outcomes.failed),
    "week all": lambda: str(week().outcomes.total),
}
