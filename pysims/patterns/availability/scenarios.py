"""The stories of the chapter; each seed was chosen so that the run shows its sentence."""

from __future__ import annotations

from ...kernel import Run, Scenario
from .arithmetic import YEAR_MS, downtime_ms
from .measure import interval
from .model import State, expected, if_independent, measured, promised


def agrees(state: State) -> bool:
    """The arithmetic lies in the confidence interval of what was measured."""
    limits = interval(state)
    return limits is not None and limits[0] <= expected(state.params) <= limits[1]


def one_outage_costs_decades(run: Run[State]) -> bool:
    state = run.last
    budget_ms = downtime_ms(promised(state.params), YEAR_MS)
    return agrees(state) and state.longest_ms >= 50 * budget_ms and state.service.failures >= 2


def five_are_five_times_worse(run: Run[State]) -> bool:
    state = run.last
    return (
        agrees(state)
        and 0.99500 <= expected(state.params) <= 0.99502
        and 4.5 <= (1 - measured(state)) / 0.001 <= 5.5
    )


def two_are_a_hundred_times_better(run: Run[State]) -> bool:
    state = run.last
    return (
        agrees(state)
        and expected(state.params) == promised(state.params)
        and 80 <= 0.01 / (1 - measured(state)) <= 125
    )


def one_in_ten_undoes_it(run: Run[State]) -> bool:
    state = run.last
    limits = interval(state)
    return (
        agrees(state)
        and limits is not None
        and limits[1] < if_independent(state.params)
        and 9 <= (1 - measured(state)) / (1 - float(if_independent(state.params))) <= 13
    )


TWO = {"structure": "parallel", "components": 2, "availability": "99", "promise": "99.99"}

SCENARIOS = (
    Scenario(
        id="five-nines",
        title="Five nines: one outage costs decades",
        claim="One outage that people repair in hours spends the five-nines budget of decades.",
        proof=one_outage_costs_decades,
        watch=(
            "The table says what each nine allows. The bars say how long the service was down in "
            "each year: most years not at all, then once for hours."
        ),
        until_ms=100 * YEAR_MS,
        show_ms=1_770_370_664_577,
        seed=1,
        params={"components": 1, "availability": "99.999", "promise": "99.999"},
        front=("availability", "promise"),
    ),
    Scenario(
        id="series",
        title="Five dependencies at 99.9 %",
        claim="Five required dependencies at 99.9 % make 99.5 %: five times the downtime.",
        proof=five_are_five_times_worse,
        watch="Each red mark of A to E is also one in the last lane: nothing hides a failure here.",
        until_ms=30 * YEAR_MS,
        show_ms=945_920_000_000,
        seed=1,
        front=("components", "availability"),
    ),
    Scenario(
        id="parallel",
        title="Two replicas at 99 %",
        claim="Two replicas at 99 %, of which one is enough, make 99.99 %.",
        proof=two_are_a_hundred_times_better,
        watch="A and B fail all the time, but the last lane is red only where both are down.",
        until_ms=60 * YEAR_MS,
        show_ms=1_827_160_000_000,
        seed=3,
        params=TWO,
        front=("components", "availability"),
    ),
    Scenario(
        id="correlated",
        title="The same replicas, and a cause they share",
        claim="If one failure in ten strikes both at once, the downtime is ten times the promised.",
        proof=one_in_ten_undoes_it,
        watch=(
            "Move β, the share of failures that strike all at once, and compare the arithmetic "
            "with what is measured. A third replica hardly helps."
        ),
        until_ms=60 * YEAR_MS,
        show_ms=1_892_420_000_000,
        seed=4,
        params={**TWO, "beta": 10},
        front=("beta", "components"),
    ),
)
