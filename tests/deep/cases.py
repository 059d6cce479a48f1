"""A case: everything that makes one run. Where random ones come from, and what may fall in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from pysims.kernel import (
    Choice,
    History,
    Knob,
    Number,
    OneOf,
    Pattern,
    RunLimit,
    Script,
    Switch,
    Text,
    begin,
    build,
    dispatch,
    knobs_of,
    run_script,
    run_until,
)
from pysims.link import Link

LIMIT = 20_000
"""Events of a run; one with more is cut off by `RunLimit`, and judged by nobody."""
ACTIONS_MAX = 25
SIGNS = "abcXYZ09 _-:&=%<>\"'é→\u200b😀"


@dataclass(frozen=True)
class Case:
    """A pattern with its parameters, seed, script, and length in simulated ms."""

    pattern: Pattern
    scenario: str
    params: Any
    seed: int
    script: Script
    until_ms: int

    def run(self) -> History[Any]:
        """Every instant; `ValueError` for what the model refuses, `RunLimit` for too long a run."""
        return run_script(
            begin(self.pattern, self.params, self.seed), self.script, self.until_ms, LIMIT
        )

    def link(self, at_ms: int = 0, at: int = 0) -> Link:
        return Link(
            self.pattern, self.scenario, self.params, self.seed, self.script, self.until_ms,
            at_ms, at,
        )  # fmt: skip


Wrong = Mapping[str, Callable[[Any], bool]]

ALWAYS: Callable[[Any], bool] = lambda _: True  # noqa: E731  # a row of the table below

# Pattern → light → for which parameters it may fall, because the design is wrong or because it
# promises no more than that load allows. A light that is not here must hold, whatever happens.
MAY_FALL: dict[str, Wrong] = {
    "bulkhead": {"A failure stays in its compartment": lambda p: p.pools == "shared"},
    "cap_theorem": {
        "Linearizable": lambda p: p.mode == "ap",
        "No deposit is lost": lambda p: p.mode == "ap" and p.merge == "lww",
    },
    "cascade_failure": {"A answers its users": ALWAYS},
    "circuit_breaker": {"Nobody is turned away": ALWAYS},
    "distributed_rate_limiter": {
        "Never above the limit": lambda p: p.strategy != "shared" or p.fail_open,
        "A window starts from zero": lambda p: not p.atomic_expire,
    },
    "durable_workflow": {
        "The rider is charged once": lambda p: p.engine == "no_history",
        "No step takes effect twice": lambda p: p.engine == "no_history",
    },
    "raft": {
        "Election Safety": lambda p: p.broken_rule == "vote-twice",
        "Leader Append-Only": lambda p: p.broken_rule == "vote-twice",
        "Log Matching": lambda p: p.broken_rule == "vote-twice",
        "Leader Completeness": lambda p: p.broken_rule != "none",
        "State Machine Safety": lambda p: p.broken_rule != "none",
        "Commands apply once": lambda p: p.broken_rule != "none",
    },
    "rate_limiter": {"Fixed window: the limit in any window": ALWAYS},
    "saga": {
        "An order that has ended is whole or void": lambda p: (
            not p.idempotency_keys or p.cyclic_subscription
        ),
        "No step and no compensation takes effect twice": lambda p: (
            not p.idempotency_keys or p.cyclic_subscription
        ),
        "Compensations come in reverse order": lambda p: p.cyclic_subscription,
        "Nothing is undone once the pivot has worked": lambda p: p.cyclic_subscription,
        "Money and stock add up": lambda p: not p.idempotency_keys or p.cyclic_subscription,
    },
    "split_brain": {
        "No two leaders accept writes at the same time": lambda p: p.election == "hear_nobody",
        "No acknowledged write is lost": lambda p: p.election == "hear_nobody",
    },
    "timeouts": {
        "No thread is held for nobody": lambda p: p.policy != "deadline",
        "No work is begun for nobody": lambda p: p.policy != "deadline",
    },
    "transactional_outbox": {
        "No committed order is forgotten": lambda p: p.publish != "outbox",
        "No event without its order": lambda p: p.publish != "outbox",
        "At most one label for each order": lambda p: not p.idempotent,
        "Events keep the order of the commits": lambda p: p.publish != "outbox",
    },
    "two_phase_commit": {
        "No participant commits what another aborts": lambda p: p.decides_alone,
    },
    "uncoordinated_transaction": {
        "Every order that is over is whole or void": ALWAYS,
        "Nobody is charged twice for one order": lambda p: not p.idempotency_key,
    },
}


def may_fall(case: Case, light: str) -> bool:
    """Whether a light that falls is what the design deserves."""
    wrong = MAY_FALL.get(case.pattern.id, {})
    return light in wrong and bool(wrong[light](case.params))


# --- What is drawn --------------------------------------------------------------------------------


def value_for(kind: Knob, usual: Any, draws: Random, state: Any = None) -> Any:
    """A value that a knob allows: often an end of its range, often anything."""
    value: Any
    match kind:
        case Number():
            value = number_for(kind, usual, draws)
        case Choice():
            value = draws.choice(list(kind.choices))
        case Switch():
            value = draws.random() < 0.5
        case Text():
            value = "".join(draws.choice(SIGNS) for _ in range(draws.randint(1, kind.longest)))
        case OneOf():
            offered = list(kind.available(state))
            nonsense = not offered or draws.random() < 0.02
            value = "no such thing" if nonsense else draws.choice(offered)
    return value


def number_for(kind: Number, usual: Any, draws: Random) -> Any:
    """An end of the range, what is usual, or a step of the slider."""
    chance = draws.random()
    if chance < 0.25:
        value = kind.low if draws.random() < 0.5 else kind.high
    elif chance < 0.5 and usual is not None:
        return usual
    else:
        steps = int((kind.high - kind.low) / kind.step + 1e-9)
        value = min(round(kind.low + draws.randint(0, steps) * kind.step, 6), kind.high)
    return int(value) if kind.integral else float(value)


def params_for(pattern: Pattern, base: Mapping[str, Any], draws: Random) -> Any:
    """Parameters near a story's: some of them, or all of them, are something else."""
    share = draws.choice((0.0, 0.2, 0.5, 1.0))
    usual: Any = build(pattern.params, base)
    drawn = {
        name: value_for(kind, getattr(usual, name), draws)
        for name, kind in knobs_of(pattern.params).items()
        if draws.random() < share
    }
    return replace(usual, **drawn)


def times_for(until_ms: int, draws: Random) -> list[int]:
    """When something is done: anywhere, in a rush, or twice in the same millisecond."""
    count = draws.choice((0, 1, 3, 8, ACTIONS_MAX))
    if draws.random() < 0.3:
        around = draws.randrange(until_ms)
        return sorted(min(until_ms, around + draws.randint(0, 300)) for _ in range(count))
    times = [draws.randint(0, until_ms) for _ in range(count)]
    return sorted([*times, *times[: draws.randint(0, 2)]])


def first_of(pattern: Pattern, draws: Random) -> Case:
    """A case without a script; parameters that do not go together are drawn anew."""
    while True:
        story = draws.choice(pattern.scenarios)
        params = params_for(pattern, story.params, draws)
        seed = draws.choice((0, story.seed, draws.getrandbits(32)))
        until_ms = max(1, int(story.until_ms * draws.choice((0.2, 0.5, 1.0))))
        case = Case(pattern, story.id, params, seed, (), until_ms)
        try:
            begin(pattern, params, seed)
        except ValueError:
            continue
        return case


class BrokenError(Exception):
    """A run raised something that is no refusal; `case` is the script as far as it had come."""

    def __init__(self, case: Case, problem: Exception) -> None:
        super().__init__(str(problem))
        self.case, self.problem = case, problem


def drawn_case(pattern: Pattern, draws: Random) -> tuple[Case, History[Any], int]:
    """A random case, its run as it was made action by action, and how many were refused.

    `RunLimit` if the run is too long, `BrokenError` if it raises anything else.
    """
    case = first_of(pattern, draws)
    history = History(begin(pattern, case.params, case.seed), [])
    refused = 0
    try:
        for time_ms in times_for(case.until_ms, draws):
            history = gone_on(history, time_ms)
            state = history[-1].state
            open_now = [action for action in pattern.actions if action.available(state)]
            if not open_now:
                continue
            event = event_for(draws.choice(open_now).event, draws, state)
            longer = replace(case, script=(*case.script, (time_ms, event)))
            try:
                # What is refused leaves no trace: the next event takes its number.
                history = gone_on_with(history, event, time_ms)
            except ValueError:
                refused += 1
                continue
            except Exception:
                case = longer
                raise
            case = longer
        return case, gone_on(history, case.until_ms), refused
    except RunLimit:
        raise
    except Exception as problem:
        raise BrokenError(case, problem) from problem


def gone_on_with(history: History[Any], event: Any, at_ms: int) -> History[Any]:
    """The history with an event of the script, and what happens at its moment."""
    sim = dispatch(history[-1], event, at_ms)
    return history.extended(run_until(sim, at_ms, LIMIT, len(history) - 1))


def gone_on(history: History[Any], to_ms: int) -> History[Any]:
    return history.extended(run_until(history[-1], to_ms, LIMIT, len(history) - 1))


def event_for(kind: type, draws: Random, state: Any) -> Any:
    arguments = {name: value_for(knob, None, draws, state) for name, knob in knobs_of(kind).items()}
    return kind(**arguments)
