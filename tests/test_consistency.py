"""The linearizability checker against a dumb twin, on the textbook's histories, and its speed."""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from itertools import combinations, permutations
from time import process_time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pysims.consistency import (
    Linearization,
    Operation,
    Violation,
    _Budget,
    _Problem,
    _shortest_prefix,
    _TooExpensive,
    check_linearizable,
)

# --- The dumb twin --------------------------------------------------------------------------------


def explains(order: Sequence[Operation], initial: Any) -> bool:
    """Whether a register that does these operations one after the other gives these answers."""
    value = initial
    for operation in order:
        known = operation.returned_ms is not None
        if operation.kind == "read":
            if known and operation.result != value:
                return False
        elif operation.kind == "write":
            value = operation.argument
        else:
            expected, new = operation.argument
            found = expected == value
            if known and operation.result is not found:
                return False
            value = new if found else value
    return True


def in_time(order: Sequence[Operation]) -> bool:
    """Whether nothing stands before an operation that had returned before it was invoked."""
    return not any(
        later.returned_ms is not None and later.returned_ms < earlier.invoked_ms
        for index, earlier in enumerate(order)
        for later in order[index + 1 :]
    )


def is_linearizable(history: Sequence[Operation], initial: Any) -> bool:
    """Every order of what returned and of every choice of what may have happened."""
    known = [operation for operation in history if operation.returned_ms is not None]
    unknown = [operation for operation in history if operation.returned_ms is None]
    return any(
        in_time(order) and explains(order, initial)
        for count in range(len(unknown) + 1)
        for chosen in combinations(unknown, count)
        for order in permutations([*known, *chosen])
    )


def proves(witness: Sequence[Operation], history: Sequence[Operation], initial: Any) -> bool:
    """Whether no order explains the witness, whatever the other writes did while they ran."""
    others = [
        (operation.argument if operation.kind == "write" else operation.argument[1], operation)
        for operation in history
        if operation not in witness
        and operation.kind != "read"
        and not (operation.returned_ms is not None and operation.result is False)
    ]
    known = [operation for operation in witness if operation.returned_ms is not None]
    unknown = [operation for operation in witness if operation.returned_ms is None]
    return not any(
        in_time(order) and explains_among(order, others, initial)
        for count in range(len(unknown) + 1)
        for chosen in combinations(unknown, count)
        for order in permutations([*known, *chosen])
    )


def explains_among(
    order: Sequence[Operation], others: Sequence[tuple[Any, Operation]], initial: Any
) -> bool:
    """Like `explains`, where before each operation the others may write as often as they like."""
    values = [initial]
    for index, operation in enumerate(order):
        before = max((o.invoked_ms for o in order[:index]), default=float("-inf"))
        after = min(
            (o.returned_ms for o in order[index:] if o.returned_ms is not None),
            default=float("inf"),
        )
        values += [
            value
            for value, other in others
            if other.invoked_ms <= after
            and (other.returned_ms is None or other.returned_ms >= before)
        ]
        values = [left for value in values for left in effects(operation, value)]
        if not values:
            return False
    return True


def effects(operation: Operation, value: Any) -> list[Any]:
    """What an operation that finds `value` may leave; nothing if it cannot have found it."""
    known = operation.returned_ms is not None
    if operation.kind == "read":
        return [value] if not known or operation.result == value else []
    if operation.kind == "write":
        return [operation.argument]
    expected, new = operation.argument
    if known and operation.result is not (expected == value):
        return []
    return [new if expected == value else value]


def agree(history: Sequence[Operation], initial: Any) -> bool:
    """Hold the checker against the twin; whether the history was linearizable."""
    verdict = check_linearizable(history, initial)
    assert verdict.linearizable is is_linearizable(history, initial) is bool(verdict), history
    if isinstance(verdict, Linearization):
        assert in_time(verdict.order)
        assert explains(verdict.order, initial)
        left = list(history)
        for operation in verdict.order:
            left.remove(operation)
        assert all(operation.returned_ms is None for operation in left)
    else:
        witness = verdict.witness
        assert set(witness) <= set(history)
        assert proves(witness, history, initial), (history, witness)
        for spared in witness:
            smaller = [operation for operation in witness if operation != spared]
            assert not proves(smaller, history, initial), (history, witness)
    return verdict.linearizable


# --- Histories ------------------------------------------------------------------------------------


def history_of(
    draw: random.Random,
    *,
    count: int,
    clients: int,
    values: int,
    unknown: float = 0.0,
    lies: float = 0.0,
    cas: float = 0.2,
    duration_ms: int = 10,
) -> list[Operation]:
    """A history of a real register, with overlapping operations; a part of the answers are lies.

    Each client waits for its answer before it goes on. `values` is how many different ones are
    written; 0 stands for a new one each time.
    """
    ready = [draw.randint(0, duration_ms) for _ in range(clients)]
    planned = []
    for number in range(count):
        process = min(range(clients), key=ready.__getitem__)
        invoked = ready[process]
        returned = invoked + draw.randint(0, duration_ms)
        ready[process] = returned + draw.randint(0, 3)
        fate: int | None = returned
        if draw.random() < unknown:
            fate = None
            returned += draw.randint(0, 3 * duration_ms)
        planned.append((draw.uniform(invoked, returned), number, process, invoked, fate))
    value: int | None = None
    operations = []
    for _, number, process, invoked, fate in sorted(planned):
        fresh = draw.randrange(values) if values else number
        any_value = draw.randrange(values) if values else draw.randrange(number + 1)
        roll = draw.random()
        happens = fate is not None or draw.random() < 0.5
        kind = "read"
        argument: Any = None
        result: Any = None
        if roll < cas:
            kind, argument = "cas", (value if draw.random() < 0.6 else any_value, fresh)
            result = argument[0] == value
            value = fresh if result and happens else value
            result = (draw.random() < 0.5) if draw.random() < lies else result
        elif roll < (1 + cas) / 2:
            kind, argument = "write", fresh
            value = fresh if happens else value
        else:
            result = any_value if draw.random() < lies else value
        shown = result if fate is not None else None
        operations.append((number, Operation(process, kind, argument, shown, invoked, fate)))
    return [operation for _, operation in sorted(operations, key=lambda pair: pair[0])]


@pytest.mark.parametrize("unknown", [0.0, 0.3])
@pytest.mark.parametrize("lies", [0.0, 0.25])
def test_it_agrees_with_the_dumb_twin_on_histories_of_a_register(
    unknown: float, lies: float
) -> None:
    draw = random.Random(f"{unknown} {lies}")
    linearizable = 0
    for _ in range(1_500):
        history = history_of(
            draw,
            count=draw.randint(1, 6),
            clients=draw.randint(1, 4),
            values=draw.randint(0, 3),
            unknown=unknown,
            lies=lies,
        )
        linearizable += agree(history, None)
    assert linearizable == 1_500 if lies == 0 else 300 < linearizable < 1_400


def test_it_agrees_with_the_dumb_twin_on_histories_that_no_register_made() -> None:
    draw = random.Random(20)
    linearizable = 0
    for _ in range(4_000):
        history = []
        for process in range(draw.randint(1, 6)):
            kind = draw.choice(("read", "write", "cas"))
            invoked = draw.randint(0, 8)
            returned = None if draw.random() < 0.2 else invoked + draw.randint(0, 6)
            argument: Any = draw.randint(0, 2) if kind == "write" else None
            result: Any = draw.randint(0, 2) if kind == "read" else None
            if kind == "cas":
                argument = (draw.randint(0, 2), draw.randint(0, 2))
                result = draw.random() < 0.5
            result = None if returned is None else result
            history.append(Operation(process, kind, argument, result, invoked, returned))
        linearizable += agree(history, 0)
    assert 800 < linearizable < 3_200


VALUES = st.integers(0, 2)
ARGUMENTS = {"read": st.none(), "write": VALUES, "cas": st.tuples(VALUES, VALUES)}
RESULTS = {"read": VALUES, "write": st.none(), "cas": st.booleans()}


@st.composite
def operations(draw: st.DrawFn) -> Operation:
    kind = draw(st.sampled_from(sorted(ARGUMENTS)))
    invoked = draw(st.integers(0, 9))
    lasted = draw(st.none() | st.integers(0, 9))
    returned = None if lasted is None else invoked + lasted
    result = None if returned is None else draw(RESULTS[kind])
    return Operation(
        draw(st.integers(0, 9)), kind, draw(ARGUMENTS[kind]), result, invoked, returned
    )


@settings(max_examples=1_000, deadline=None)
@given(st.lists(operations(), max_size=6, unique=True))
def test_it_agrees_with_the_dumb_twin_wherever_hypothesis_looks(history: list[Operation]) -> None:
    agree(history, 0)


# --- Known answers --------------------------------------------------------------------------------


def write(process: str, value: Any, invoked: int, returned: int | None) -> Operation:
    return Operation(process, "write", value, None, invoked, returned)


def read(process: str, value: Any, invoked: int, returned: int | None) -> Operation:
    return Operation(process, "read", None, value, invoked, returned)


def cas(process: str, pair: tuple[Any, Any], done: bool | None, *times: int | None) -> Operation:
    invoked, returned = times
    assert invoked is not None
    return Operation(process, "cas", pair, done, invoked, returned)


def test_an_empty_history_is_linearizable() -> None:
    assert check_linearizable([]) == Linearization(())


def test_a_read_that_missed_a_write_is_shown_with_that_write() -> None:
    history = [write("a", 1, 0, 1), write("b", 2, 2, 3), read("c", 2, 4, 5), read("a", 1, 6, 7)]
    # The last read is wrong because of the second write, and also because of the read before.
    assert check_linearizable(history) == Violation((history[1], history[3]))


def test_where_no_write_had_returned_the_proof_is_two_reads() -> None:
    slow = write("a", 1, 0, None)
    seen = [read("b", 1, 2, 3), read("c", None, 4, 5)]
    assert check_linearizable([slow, *seen]) == Violation(tuple(seen))


def test_a_read_that_runs_beside_a_write_may_see_the_old_or_the_new_value() -> None:
    for value in (None, 1):
        assert check_linearizable([write("a", 1, 0, 9), read("b", value, 3, 4)])
    assert not check_linearizable([write("a", 1, 0, 9), read("b", 1, 3, 4), read("c", None, 5, 6)])


def test_what_was_never_written_cannot_be_read() -> None:
    ghost = read("a", 7, 5, 6)
    assert check_linearizable([write("b", 1, 0, 1), ghost]) == Violation((ghost,))


def test_a_value_cannot_be_read_before_its_write_is_invoked() -> None:
    early = read("a", 1, 0, 1)
    for returned in (3, None):
        assert check_linearizable([write("b", 1, 2, returned), early]) == Violation((early,))
        assert check_linearizable([write("b", 1, 1, returned), early])


def test_a_write_of_unknown_outcome_may_take_effect_much_later_or_never_but_only_once() -> None:
    unknown = write("a", 1, 0, None)
    seen = [write("b", 2, 5, 6), read("c", 2, 7, 8), read("c", 1, 20, 21)]
    verdict = check_linearizable([unknown, *seen])
    assert verdict == Linearization((*seen[:2], unknown, seen[2]))
    assert check_linearizable([unknown, *seen[:2]]) == Linearization(tuple(seen[:2]))
    again = [read("c", 1, 9, 10), write("b", 2, 11, 12), read("c", 1, 20, 21)]
    assert not check_linearizable([unknown, *again])


def test_compare_and_set() -> None:
    first, second = cas("a", (0, 1), True, 0, 9), cas("b", (0, 2), True, 0, 9)
    assert not check_linearizable([first, second], 0)
    lost = cas("b", (0, 2), False, 0, 9)
    assert check_linearizable([lost, first], 0) == Linearization((first, lost))
    maybe = cas("b", (1, 2), None, 0, None)
    assert check_linearizable([maybe, first, read("c", 2, 10, 11)], 0)
    assert not check_linearizable([maybe, first, read("c", 2, 10, 11)], 5)


def test_operations_that_touch_are_concurrent() -> None:
    assert check_linearizable([write("a", 1, 0, 5), read("b", None, 5, 6)])
    assert not check_linearizable([write("a", 1, 0, 5), read("b", None, 6, 7)])


def test_fractions_of_a_millisecond_order_what_happened_within_one() -> None:
    done = Operation("a", "write", 1, None, 5, 5.25)
    for invoked, linearizable in ((5.25, True), (5.5, False)):
        missed = Operation("b", "read", None, None, invoked, 5.75)
        assert check_linearizable([done, missed]).linearizable is linearizable


def test_a_proof_is_two_operations_also_where_the_value_was_written_before() -> None:
    history = [write("a", 1, 0, 1), write("a", 2, 2, 3), read("b", 1, 4, 5), read("c", 2, 0, 9)]
    assert check_linearizable(history) == Violation((history[1], history[2]))
    assert check_linearizable([write("c", 3, 0, 2), *history]) == Violation(
        (history[1], history[2])
    )


def test_a_proof_that_needs_three_has_three() -> None:
    # Two reads beside two writes: the writes cannot come in both orders.
    both = [write("a", 1, 0, 9), write("b", 2, 0, 9)]
    seen = [read("c", 1, 10, 11), read("d", 2, 12, 13)]
    assert check_linearizable([*both, *seen]) == Violation(tuple(seen))
    won = [cas("a", (0, 1), True, 0, 9), cas("b", (0, 2), True, 0, 9), cas("c", (1, 0), True, 0, 9)]
    verdict = check_linearizable([*won, cas("d", (0, 5), True, 0, 9)], 0)
    assert isinstance(verdict, Violation)
    assert len(verdict.witness) >= 3


@pytest.mark.parametrize(
    ("operation", "named"),
    [
        (Operation("a", "increment", 1, None, 0, 1), "increment"),
        (Operation("a", "write", 1, None, 5, 4), "4"),
        (Operation("a", "write", 1, None, float("nan"), 4), "nan"),
        (Operation("a", "write", 1, None, 0, "soon"), "soon"),  # type: ignore[arg-type]
        (Operation("a", "cas", 3, True, 0, 1), "3"),
        (Operation("a", "cas", (1, 2, 3), True, 0, 1), r"\(1, 2, 3\)"),
        (Operation("a", "cas", (1, 2), "yes", 0, 1), "yes"),
        (Operation("a", "write", [1], None, 0, 1), r"\[1\]"),
    ],
)
def test_what_no_client_can_have_seen_is_refused(operation: Operation, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        check_linearizable([write("b", 1, 0, 1), operation])


# --- Speed ----------------------------------------------------------------------------------------

KINDS_OF_HISTORY: dict[str, dict[str, Any]] = {
    "distinct values": {"values": 0},
    "two values": {"values": 2},
    "five values": {"values": 5},
    "unknown outcomes": {"values": 5, "unknown": 0.3},
    "mostly unknown": {"values": 0, "unknown": 0.7},
    "no cas": {"values": 4, "cas": 0.0},
    "mostly cas": {"values": 3, "cas": 0.8, "unknown": 0.1},
    "long overlaps": {"values": 4, "duration_ms": 200},
}


@pytest.mark.parametrize("lies", [0.0, 0.01, 0.3])
@pytest.mark.parametrize("kind", KINDS_OF_HISTORY)
def test_two_hundred_operations_of_ten_clients_take_less_than_a_second(
    kind: str, lies: float
) -> None:
    draw = random.Random(f"{kind} {lies}")
    slowest_s = 0.0
    for _ in range(5):
        shape = KINDS_OF_HISTORY[kind]
        history = history_of(draw, count=200, clients=10, lies=lies, **shape)
        begun = process_time()
        verdict = check_linearizable(history)
        slowest_s = max(slowest_s, process_time() - begun)
        if isinstance(verdict, Linearization):
            assert in_time(verdict.order)
            assert explains(verdict.order, None)
        else:
            assert lies
    # A tracer, as that of `make coverage`, is not what is measured here.
    assert slowest_s < 1.0 or sys.gettrace() is not None


def test_a_search_takes_as_many_steps_as_its_budget_has() -> None:
    budget = _Budget(2)
    budget.spend()
    budget.spend()
    with pytest.raises(_TooExpensive):
        budget.spend()
    # Two writes at once, and a read of the one that a search tries last or first.
    history = (
        Operation("A", "write", 1, None, 0, 10),
        Operation("B", "write", 2, None, 0, 10),
        Operation("C", "read", None, 1, 20, 30),
    )
    problem = _Problem(history, 0)
    assert problem.search(range(3), budget=_Budget(100)) is not None
    with pytest.raises(_TooExpensive):
        problem.search(range(3), budget=_Budget(0))


def test_a_prefix_ends_with_what_is_impossible_and_begins_with_what_had_not_returned() -> None:
    history = (
        Operation("A", "write", 1, None, 0, 1),
        Operation("B", "write", 9, None, 0, None),
        Operation("C", "read", None, 1, 2, 20),
        Operation("D", "read", None, 7, 3, 5),  # nobody writes 7
        Operation("E", "read", None, 1, 6, 8),
    )
    assert _shortest_prefix(_Problem(history, 0), _Budget(100)) == [1, 2, 0, 3]
