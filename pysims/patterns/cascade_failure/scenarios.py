"""The stories of the chapter; each seed was chosen so that the run shows its sentence.

In all of them E is slow from `ILL_MS` to `HEALED_MS`, so that they can be compared.
"""

from __future__ import annotations

from ...kernel import Run, Scenario
from .chain import FRONT, LAST, SERVICES, USERS, held
from .model import ShedLoad, State, TurnE
from .params import THREADS, WORK_MS
from .turn import NORMAL, SLOW
from .words import amplification, cost_of_retries, tries

ILL_MS, HEALED_MS = 4_000, 10_000
D = LAST - 1


def served(run: Run[State], from_ms: int, until_ms: int) -> float:
    """The share of the users' requests that ended between two times with an answer."""
    start, end = run.state_at(from_ms).chain, run.state_at(until_ms).chain
    good = end.answered[USERS] - start.answered[USERS]
    return good / max(1, good + end.failed[USERS] - start.failed[USERS])


def full_at_ms(run: Run[State], place: int) -> int:
    """When all threads of a service were taken for the first time after E had fallen ill."""
    for index, state in enumerate(run.history.states()):
        if run.history.time_ms(index) >= ILL_MS and state.chain.pools[place].idle == 0:
            return run.history.time_ms(index)
    return -1


def held_at_most(run: Run[State], place: int) -> int:
    """The most threads of a service that ever waited for the next one at once."""
    return max(held(state.chain.pools[place]) for state in run.history.states())


def calls_for_nobody(run: Run[State], from_ms: int, until_ms: int) -> float:
    """What E did for nobody between two times, as a share of what it can do while it is well."""
    wasted = run.state_at(until_ms).chain.wasted[LAST] - run.state_at(from_ms).chain.wasted[LAST]
    able = THREADS[-1] / WORK_MS[LAST] * (until_ms - from_ms)
    return wasted / able


def climbs_up(run: Run[State]) -> bool:
    """All threads are taken: E's first, then D's, and so on to A's, which then answers nobody."""
    full = [full_at_ms(run, place) for place in reversed(SERVICES)]
    chain = run.last.chain
    worst = run.state_at(HEALED_MS - 500).chain.pools[FRONT]
    return (
        -1 not in full
        and full == sorted(set(full))
        and chain.fell_ms - ILL_MS <= 4_000
        and held(worst) == worst.threads
        and served(run, 8_000, HEALED_MS) <= 0.1
        and 1_000 <= chain.back_ms <= 6_000
    )


def retries_make_it_worse(run: Run[State]) -> bool:
    cost = cost_of_retries(run.last)
    calls = tries(run.last.chain, run.last.since)
    return (
        cost is not None
        and cost[0] <= 0.2 * cost[1]
        and calls is not None
        and calls >= 2.5
        and served(run, HEALED_MS + 2_000, 18_000) <= 0.1
        # Before that they helped: some calls fail by chance.
        and served(run, 0, ILL_MS) >= 0.99
    )


def storm(run: Run[State]) -> bool:
    state = run.last
    here = amplification(state.chain, state.since)
    there = amplification(state.twin, state.twin_since) if state.twin else None
    cost = cost_of_retries(state)
    return (
        here is not None
        and there is not None
        and cost is not None
        and here >= 2 * there
        and cost[0] <= 0.1 * cost[1]
    )


def up_but_slow_to_recover(run: Run[State]) -> bool:
    chain = run.last.chain
    return (
        chain.fell_ms < 0
        and served(run, ILL_MS + 1_000, HEALED_MS) >= 0.35
        and calls_for_nobody(run, HEALED_MS, HEALED_MS + 2_000) >= 0.8
        and chain.back_ms >= 3_000
    )


def fails_fast(run: Run[State]) -> bool:
    chain = run.last.chain
    opened = any(state.chain.breakers[D].state == "open" for state in run.history.states())
    return (
        opened
        and chain.fell_ms < 0
        and chain.blocked[D] >= 30
        and served(run, ILL_MS + 3_000, HEALED_MS) >= 0.35
        and 0 <= chain.back_ms <= 1_500
    )


def keeps_threads_free(run: Run[State]) -> bool:
    chain = run.last.chain
    return (
        chain.fell_ms < 0
        and held_at_most(run, D) == 6
        and served(run, ILL_MS + 1_000, HEALED_MS) >= 0.4
        and 0 <= chain.back_ms <= 1_000
    )


def all_together(run: Run[State]) -> bool:
    state = run.last
    cost, calls = cost_of_retries(state), amplification(state.chain, state.since)
    return (
        state.chain.fell_ms < 0
        and served(run, 0, ILL_MS) >= 0.97
        and served(run, ILL_MS + 1_000, HEALED_MS) >= 0.4
        and 0 <= state.chain.back_ms <= 1_500
        and cost is not None
        and cost[0] >= cost[1]
        and calls is not None
        and calls <= 1
    )


def stays_down(run: Run[State]) -> bool:
    twin = run.last.twin
    return (
        run.last.around.condition == NORMAL
        and served(run, HEALED_MS + 2_000, 22_000) <= 0.05
        and calls_for_nobody(run, HEALED_MS + 2_000, 22_000) >= 0.8
        and twin is not None
        and 0 <= twin.back_ms <= 6_000
    )


def shedding_ends_it(run: Run[State]) -> bool:
    return (
        served(run, HEALED_MS + 2_000, 14_000) <= 0.1
        and served(run, 14_000, 16_500) <= 0.1
        and served(run, 18_000, 21_000) >= 0.95
        and run.last.chain.back_ms >= 0
    )


SWITCHES = ("timeouts", "breakers", "bulkheads", "retries")
E_IS_ILL = ((ILL_MS, TurnE(SLOW)), (HEALED_MS, TurnE(NORMAL)))
A_ANSWERS = "A answers its users"

SCENARIOS = (
    Scenario(
        id="unprotected",
        title="No guards",
        claim="E slows down; within 4 s all threads of A wait and A answers hardly anybody.",
        proof=climbs_up,
        watch="E takes 10 times as long, and A goes down. Threads that wait for the next service "
        "(crossed) fill D, then C, B and A, though nothing is wrong with those four.",
        until_ms=18_000,
        show_ms=8_933,
        seed=8,
        script=E_IS_ILL,
        front=SWITCHES,
        breaks=(A_ANSWERS,),
    ),
    Scenario(
        id="naive-retries",
        title="Naive retries alone: worse",
        claim="Retries at once: at least 80 % fewer users get an answer than without retries.",
        proof=retries_make_it_worse,
        watch="Asking again at once makes it worse, and A stays down after E is well. The dashed "
        "line is A without retries, for the same users; “Users answered” says what they cost.",
        until_ms=18_000,
        show_ms=16_560,
        seed=11,
        params={"retries": "naive"},
        script=E_IS_ILL,
        front=SWITCHES,
        breaks=(A_ANSWERS,),
    ),
    Scenario(
        id="timeouts",
        title="Timeouts",
        claim="A stays up, but E needs 3 s and more for calls that nobody waits for any more.",
        proof=up_but_slow_to_recover,
        watch="A stays up, because its threads come free again. But E’s queue fills with calls "
        "that nobody waits for: once E is well, it works those off first (hatched).",
        until_ms=18_000,
        show_ms=13_109,
        seed=8,
        params={"timeouts": True},
        script=E_IS_ILL,
        front=SWITCHES,
    ),
    Scenario(
        id="breakers",
        title="Circuit breakers",
        claim="D’s breaker opens; A goes on with what does not need E, and is back within 1.5 s.",
        proof=fails_fast,
        watch="D finds E slow and stops calling it, so A goes on with what does not need E. Once "
        "a second D lets one call through, a probe.",
        until_ms=16_000,
        show_ms=8_950,
        seed=8,
        params={"breakers": True},
        script=E_IS_ILL,
        front=SWITCHES,
    ),
    Scenario(
        id="bulkheads",
        title="Bulkheads",
        claim="Only six of D’s eight threads may wait for E; A is back within a second after E.",
        proof=keeps_threads_free,
        watch="A stays up: behind the thick bar, two of D’s eight threads never wait for E. They "
        "serve what ends at D, so C, B and A keep threads free as well.",
        until_ms=16_000,
        show_ms=9_223,
        seed=8,
        params={"bulkheads": True},
        script=E_IS_ILL,
        front=SWITCHES,
    ),
    Scenario(
        id="all-on",
        title="All on",
        claim="Whoever does not need E hardly notices, and A is back within 1.5 s after E.",
        proof=all_together,
        watch="Whoever needs E is told so at once, everybody else is served. E’s queue stays "
        "short, and A is back as soon as E is well.",
        until_ms=16_000,
        show_ms=8_964,
        seed=8,
        params={"timeouts": True, "breakers": True, "bulkheads": True, "retries": "backoff"},
        script=E_IS_ILL,
        front=SWITCHES,
    ),
    Scenario(
        id="metastable",
        title="E is well, and A stays down",
        claim="12 s after E recovered A is still down: E works at full speed, for nobody.",
        proof=stays_down,
        watch="E has been well since 10 s, and A stays down: all five services work for users "
        "who have given up and asked again. Press “Shed load at A” to end it.",
        until_ms=22_000,
        show_ms=19_987,
        seed=11,
        params={"retries": "naive"},
        script=E_IS_ILL,
        front=SWITCHES,
        breaks=(A_ANSWERS,),
    ),
    Scenario(
        id="load-shedding",
        title="Load shedding: the way out",
        claim="A turns everybody away for 3 s; after that 95 % and more get their answer.",
        proof=shedding_ends_it,
        watch="A turns everybody away from 14 to 17 s, and that ends it: the queues empty, and "
        "whoever comes next is answered in time. Without it A stays down.",
        until_ms=21_000,
        show_ms=20_427,
        seed=11,
        params={"retries": "naive"},
        script=(*E_IS_ILL, (14_000, ShedLoad(3, 100))),
        front=SWITCHES,
        breaks=(A_ANSWERS,),
    ),
    Scenario(
        id="retry-storm",
        title="Timeouts and naive retries: a storm",
        claim="A request for E makes more than twice as many calls there as without retries.",
        proof=storm,
        watch="Timeouts make every service ask again, so calls multiply on the way down and "
        "nobody is served. The dashed line is A with the same timeouts and no retries.",
        until_ms=14_000,
        show_ms=12_803,
        seed=8,
        params={"timeouts": True, "retries": "naive"},
        script=E_IS_ILL,
        front=SWITCHES,
        breaks=(A_ANSWERS,),
    ),
)
