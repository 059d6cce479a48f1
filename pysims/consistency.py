"""Was it linearizable? A checker for histories of one register: reads, writes and compare-and-set.

A history is linearizable if its operations can be put in one order such that each seems to take
effect in an instant between its invocation and its return, and each answer is the one that the
register would give (Herlihy and Wing, "Linearizability: A Correctness Condition for Concurrent
Objects", TOPLAS 12(3), 1990, https://doi.org/10.1145/78969.78972).

The search is Wing and Gong's, with Lowe's memory of what was tried ("Testing for Linearizability",
Concurrency and Computation 29(4), 2017, https://doi.org/10.1002/cpe.3928): take an operation that
no other operation precedes, and go on with the rest; two ways that lead to the same operations
done and the same value need not both be followed. The problem is NP-complete in general (Gibbons
and Korach, "Testing Shared Memories", 1997), so the search must not branch where a register gives
no reason to. It rests on these exchanges, each of which turns a valid order into a valid order:

* An operation that changes nothing and fits the current value can be taken at once.
* Of two possible writes of the same value, the one that returned first can be taken first, and one
  that returned before one whose outcome is unknown.
* A write whose value nobody will observe can be moved to just before another write.
* An operation of unknown outcome matters only if somebody observes its effect right after it.
* A value that is still to be observed, and that nobody can write again, must not be overwritten.

Operations of unknown outcome never expire, so that those with the same effect differ only in when
they become possible: it suffices to count how many of them were used.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from math import inf, isfinite
from typing import Any, ClassVar, Literal, TypeAlias

__all__ = ["Linearization", "Operation", "Verdict", "Violation", "check_linearizable"]

KINDS = ("read", "write", "cas")
READ, WRITE, SWAP, MISS = range(4)
ANY = -1
"""What an operation that looks at nothing expects."""

WITNESS_BUDGET = 12_000
"""How many steps of the search the minimizing of a witness may take: it need not be perfect."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation on the register, as the client saw it.

    `process` names the client. `kind` is "read" (no argument; `result` is the value), "write"
    (`argument` is the value; `result` is not looked at) or "cas" (`argument` is the pair
    `(expected, new)`; `result` is True if it found `expected` and set `new`, False if it found
    something else and changed nothing). Values are compared with `==` and must be hashable.

    Times are in ms, and two that are equal say that nobody knows which came first: such operations
    are concurrent. Who knows the order of events within a millisecond should say it in fractions of
    one. `returned_ms=None` says that the outcome is unknown: the operation may take
    effect at any time after `invoked_ms`, or never, and its `result` is not looked at.
    """

    process: Hashable
    kind: str
    argument: Any
    result: Any
    invoked_ms: float
    returned_ms: float | None


@dataclass(frozen=True, slots=True)
class Linearization:
    """The history is linearizable: `order` is one that explains every answer.

    It holds every operation that returned, and those of unknown outcome whose effect was seen.
    """

    order: tuple[Operation, ...]
    linearizable: ClassVar[Literal[True]] = True

    def __bool__(self) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class Violation:
    """The history is not linearizable, and `witness` proves it, in the order of invocation.

    They cannot be put in order even if every other read is forgotten, and every other write may
    take effect, any number of times or never, whenever it ran.
    None can be spared, unless the minimizing became too expensive. Often they are two: a write
    and a read that missed it, or two reads of which the later saw the older value.
    """

    witness: tuple[Operation, ...]
    linearizable: ClassVar[Literal[False]] = False

    def __bool__(self) -> bool:
        return False


Verdict: TypeAlias = Linearization | Violation


def check_linearizable(history: Sequence[Operation], initial: Any = None) -> Verdict:
    """Decide whether a history of one register that starts as `initial` is linearizable.

    An operation precedes another if it returned before (not when) the other was invoked;
    everything else is concurrent. The history may be in any order.

    The answer is true in an `if` when the history is linearizable. `ValueError` for an unknown
    kind, a return before the invocation, a cas whose argument is no pair or whose result is
    neither True nor False, and a value that is not hashable.
    """
    operations = tuple(history)
    for operation in operations:
        _check(operation)
    problem = _Problem(operations, initial)
    order = problem.search(range(len(operations)))
    if order is not None:
        return Linearization(tuple(operations[index] for index in order))
    witness = _witness(problem)
    witness.sort(key=lambda index: (operations[index].invoked_ms, index))
    return Violation(tuple(operations[index] for index in witness))


def _check(operation: Operation) -> None:
    """`ValueError` for an operation that no client can have seen."""
    kind, argument = operation.kind, operation.argument
    invoked_ms, returned_ms = operation.invoked_ms, operation.returned_ms
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
    times: dict[str, Any] = {"invoked_ms": invoked_ms}
    if returned_ms is not None:
        times["returned_ms"] = returned_ms
    for name, time_ms in times.items():
        if type(time_ms) not in (int, float) or not isfinite(time_ms):
            raise ValueError(f"{name} must be a finite number of ms, got {time_ms!r}")
    if returned_ms is not None and returned_ms < invoked_ms:
        raise ValueError(
            f"returned_ms must be {invoked_ms!r} (invoked) or later, got {returned_ms!r}"
        )
    if kind == "cas":
        if not isinstance(argument, tuple) or len(argument) != 2:
            raise ValueError(f"argument of a cas must be a pair (expected, new), got {argument!r}")
        if returned_ms is not None and not isinstance(operation.result, bool):
            raise ValueError(f"result of a cas must be True or False, got {operation.result!r}")


def _end(operation: Operation) -> float:
    """When it returned (ms), infinity if it never did."""
    return inf if operation.returned_ms is None else operation.returned_ms


# --- The history as numbers -----------------------------------------------------------------------

Step: TypeAlias = tuple[int, int, int]
"""`(READ … MISS, value that it needs or `ANY`, value that it leaves or `ANY`)`."""


class _Problem:
    """A history whose values are small integers, to be searched as a whole or in parts."""

    def __init__(self, operations: tuple[Operation, ...], initial: Any) -> None:
        self.operations = operations
        self._numbers: dict[Any, int] = {}
        self.initial = self._number(initial)
        self.steps = [self._step(operation) for operation in operations]
        self.values = len(self._numbers)

    def _number(self, value: Any) -> int:
        try:
            return self._numbers.setdefault(value, len(self._numbers))
        except TypeError:
            raise ValueError(f"values must be hashable, got {value!r}") from None

    def _step(self, operation: Operation) -> Step:
        known = operation.returned_ms is not None
        if operation.kind == "write":
            return WRITE, ANY, self._number(operation.argument)
        if operation.kind == "read":
            return READ, self._number(operation.result) if known else ANY, ANY
        expected, new = map(self._number, operation.argument)
        if known and not operation.result:
            return MISS, expected, ANY
        return SWAP, expected, new

    def search(
        self, chosen: Sequence[int], until_ms: float = inf, budget: _Budget | None = None
    ) -> list[int] | None:
        """An order that explains the `chosen` operations, or `None` if there is none.

        Nothing after `until_ms` is looked at: what returned later is of unknown outcome. Of the
        operations that were not chosen, reads are forgotten, and writes may take effect any number
        of times, or never, whenever they ran. `_TooExpensive` when the budget is used up.
        """
        known: list[int] = []
        unknown: list[int] = []
        rest = set(range(len(self.operations))).difference(chosen)
        for index in chosen:
            if (
                _end(self.operations[index]) <= until_ms
                and self.operations[index].returned_ms is not None
            ):
                known.append(index)
            elif self.steps[index][2] != ANY and self.operations[index].invoked_ms <= until_ms:
                unknown.append(index)
        return _Search(self, known, unknown, sorted(rest)).run(budget)


class _TooExpensive(Exception):
    """A search has used up its budget."""


class _Budget:
    """How many steps several searches may take together."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def spend(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise _TooExpensive


# --- The search -----------------------------------------------------------------------------------


class _Group:
    """Operations of unknown outcome with the same effect, in the order of their invocation."""

    def __init__(self, needs: int, leaves: int) -> None:
        self.needs = needs
        self.leaves = leaves
        self.members: list[tuple[float, int]] = []


Move: TypeAlias = tuple[int, ...]
"""What to take, one after the other: operations by number; ~g is one of group g of those whose
outcome is unknown, and ~(groups + v) a write of value v that is not among the chosen."""


class _Search:
    """A depth-first search with undo. Known operations are numbered by their invocation.

    `known` are operations that returned; `unknown` may take effect once, or never; `rest` are
    those that were not chosen, of which only the values that they write are left.
    """

    def __init__(
        self, problem: _Problem, known: list[int], unknown: list[int], rest: list[int]
    ) -> None:
        operations = problem.operations
        known.sort(key=lambda index: operations[index].invoked_ms)
        self.names = known
        self.invoked = [operations[index].invoked_ms for index in known]
        self.returned = [_end(operations[index]) for index in known]
        self.steps = [problem.steps[index] for index in known]
        self.done = [False] * len(known)
        self.mask = 0
        self.first = 0
        self.value = problem.initial
        # Per value: how many operations still need to find it, and how many may still write it.
        self.wanted = [0] * problem.values
        self.sources = [0] * problem.values
        self.misses = 0
        for step in self.steps:
            self._count(step, 1)
        groups: dict[tuple[int, int], _Group] = {}
        for index in sorted(unknown, key=lambda index: operations[index].invoked_ms):
            _, needs, leaves = problem.steps[index]
            group = groups.setdefault((needs, leaves), _Group(needs, leaves))
            group.members.append((operations[index].invoked_ms, index))
            self.sources[leaves] += 1
        self.groups = list(groups.values())
        self.used = [0] * len(self.groups)
        self.chained = {group.needs for group in self.groups} - {ANY}
        self.windows: dict[int, list[tuple[float, float]]] = {}
        for index in rest:
            leaves = problem.steps[index][2]
            if leaves != ANY:
                window = (operations[index].invoked_ms, _end(operations[index]))
                self.windows.setdefault(leaves, []).append(window)
                self.sources[leaves] += 1
        # What was taken, and the value before it: to be undone, and to be read as the order.
        self.trail: list[tuple[int, int]] = []
        self.tried: dict[tuple[int, int], list[tuple[int, ...]]] = {}

    def run(self, budget: _Budget | None) -> list[int] | None:
        """The order found, as numbers of operations, or `None`; `_TooExpensive`."""
        if any(self._hopeless(value) for value in range(len(self.wanted))):
            return None
        enabled = self._settle()
        stack: list[tuple[int, Iterator[Move]]] = [(len(self.trail), iter(self._moves(enabled)))]
        while self.first < len(self.names):
            if budget:
                budget.spend()
            if not stack:
                return None
            depth, moves = stack[-1]
            self._undo(depth)
            move = next(moves, None)
            if move is None:
                stack.pop()
                continue
            left = self.value
            for item in move:
                self._take(item)
            if self._hopeless(left):
                continue
            enabled = self._settle()
            if self._is_new():
                stack.append((len(self.trail), iter(self._moves(enabled))))
        return self._order()

    def _order(self) -> list[int]:
        used = [0] * len(self.groups)
        order = []
        for item, _ in self.trail:
            if item >= 0:
                order.append(self.names[item])
            elif ~item < len(self.groups):
                order.append(self.groups[~item].members[used[~item]][1])
                used[~item] += 1
        return order

    # Taking an operation, and taking it back

    def _count(self, step: Step, by: int) -> None:
        kind, needs, leaves = step
        if kind == MISS:
            self.misses += by
        elif needs != ANY:
            self.wanted[needs] += by
        if leaves != ANY:
            self.sources[leaves] += by

    def _take(self, item: int) -> None:
        self.trail.append((item, self.value))
        if item < 0:
            self._take_maybe(~item)
            return
        step = self.steps[item]
        self._count(step, -1)
        if step[2] != ANY:
            self.value = step[2]
        self.done[item] = True
        self.mask |= 1 << item
        while self.first < len(self.done) and self.done[self.first]:
            self.first += 1

    def _take_maybe(self, number: int) -> None:
        if number < len(self.groups):
            self.value = self.groups[number].leaves
            self.used[number] += 1
            self.sources[self.value] -= 1
        else:
            self.value = number - len(self.groups)

    def _undo(self, depth: int) -> None:
        """Take back everything after the first `depth` operations of the trail."""
        while len(self.trail) > depth:
            item, self.value = self.trail.pop()
            if item < 0:
                if ~item < len(self.groups):
                    self.used[~item] -= 1
                    self.sources[self.groups[~item].leaves] += 1
                continue
            self._count(self.steps[item], 1)
            self.done[item] = False
            self.mask ^= 1 << item
            self.first = min(self.first, item)

    def _enabled(self) -> tuple[list[int], float]:
        """The operations that no other one precedes, and the first return among them."""
        found = []
        bound = inf
        for item in range(self.first, len(self.names)):
            if self.invoked[item] > bound:
                break
            if not self.done[item]:
                found.append(item)
                bound = min(bound, self.returned[item])
        return found, bound

    def _settle(self) -> tuple[list[int], float]:
        """Take everything that changes nothing and fits the value; say what is possible then."""
        while True:
            enabled, bound = self._enabled()
            deadline = self._deadline()
            fitting = [
                item for item in enabled if self._fits(item) and self.invoked[item] <= deadline
            ]
            if not fitting:
                return enabled, bound
            for item in fitting:
                self._take(item)

    def _fits(self, item: int) -> bool:
        """Whether an operation changes nothing and the register's value explains its answer."""
        kind, needs, _ = self.steps[item]
        return (kind == READ and needs == self.value) or (kind == MISS and needs != self.value)

    def _newest(self) -> float:
        """The last invocation of what was taken: what had returned before it is too late now."""
        return self.invoked[self.mask.bit_length() - 1] if self.mask else -inf

    def _deadline(self) -> float:
        """The first return of a write that was not chosen and could still take effect."""
        newest = self._newest()
        return min(
            (end for windows in self.windows.values() for _, end in windows if end >= newest),
            default=inf,
        )

    def _hopeless(self, left: int) -> bool:
        """Whether the value `left` is not there although it is needed, and nobody can write it."""
        return self.value != left and self.wanted[left] > 0 and self.sources[left] == 0

    def _is_new(self) -> bool:
        """Whether no way led here before that had used up no more unknown operations."""
        used = tuple(self.used)
        before = self.tried.setdefault((self.mask, self.value), [])
        for other in before:
            if all(a <= b for a, b in zip(other, used, strict=True)):
                return False
        before[:] = [o for o in before if not all(a <= b for a, b in zip(used, o, strict=True))]
        before.append(used)
        return True

    # Where to go on

    def _moves(self, possible: tuple[list[int], float]) -> list[Move]:
        """The ways on from here, those first whose value somebody is waiting for."""
        enabled, _ = possible
        changes = [item for item in enabled if self._changes(item)]
        if self.windows:
            # The exchanges of the module's docstring might move something past the end of a
            # write that was not chosen: try everything.
            unlike = changes + [item for item in enabled if self._fits(item)]
            return [(item,) for item in (*unlike, *self._unknown(possible, []))]
        unlike = self._unlike(changes)
        unknown = self._unknown(possible, unlike)
        idle = tuple(
            item
            for item in changes
            if self.steps[item][0] == WRITE and self._nobody_observes(self.steps[item][2])
        )
        if idle:
            return [*((item,) for item in (*unlike, *unknown) if self._looks(item)), idle]
        waited = [self.steps[item][1] for item in enabled]
        unlike.sort(key=lambda item: self.steps[item][2] not in waited)
        return [(item,) for item in (*unlike, *unknown)]

    def _changes(self, item: int) -> bool:
        """Whether an operation would write now."""
        kind, needs, _ = self.steps[item]
        return kind == WRITE or (kind == SWAP and needs == self.value)

    def _looks(self, item: int) -> bool:
        """Whether a known operation, or one of unknown outcome, is a swap."""
        return (self.steps[item][1] if item >= 0 else self.groups[~item].needs) != ANY

    def _nobody_observes(self, value: int) -> bool:
        return not self.wanted[value] and not self.misses and value not in self.chained

    def _unlike(self, changes: list[int]) -> list[int]:
        """Of operations that do the same, the one that returned first."""
        first: dict[Step, int] = {}
        for item in changes:
            other = first.get(self.steps[item])
            if other is None or self.returned[item] < self.returned[other]:
                first[self.steps[item]] = item
        return list(first.values())

    def _unknown(self, possible: tuple[list[int], float], known: list[int]) -> list[int]:
        """What may have happened, and would be observed at once; `known` can do as well."""
        enabled, bound = possible
        alike = [self.steps[item][1:] for item in known]
        ready = [
            (number, group)
            for number, group in enumerate(self.groups)
            if self.used[number] < len(group.members)
            and group.members[self.used[number]][0] <= bound
            and group.leaves != self.value
        ]
        useful = {self.steps[item][1] for item in enabled} - {ANY}
        useful |= self._leading_to(useful, ready)
        # A `cas` that found something else is content with any other value.
        missing = any(self.steps[item][0] == MISS for item in enabled)
        ready = [
            (number, group)
            for number, group in ready
            if group.needs in (ANY, self.value) and (group.needs, group.leaves) not in alike
        ]
        found = [~number for number, group in ready if group.leaves in useful]
        if missing:
            found += self._any_other([pair for pair in ready if pair[1].leaves not in useful])
        return found + self._rest(bound, useful, missing)

    def _leading_to(self, useful: set[int], ready: list[tuple[int, _Group]]) -> set[int]:
        """The values from which swaps that may have happened lead to a useful one."""
        found: set[int] = set()
        size = -1
        while size < len(found):
            size = len(found)
            found.update(
                group.needs
                for _, group in ready
                if group.needs != ANY and (group.leaves in found or group.leaves in useful)
            )
        return found

    def _any_other(self, ready: list[tuple[int, _Group]]) -> list[int]:
        """Groups whose value only differs from the present one.

        Of writes whose value nobody will ever look at, one is as good as the other.
        """
        for number, group in ready:
            if group.needs == ANY and not (
                self.wanted[group.leaves] or group.leaves in self.chained
            ):
                ready = [pair for pair in ready if pair[0] == number or pair[1].needs != ANY]
                break
        return [~number for number, _ in ready]

    def _rest(self, bound: float, useful: set[int], missing: bool) -> list[int]:
        """The values that some operation was writing now that is not among the chosen."""
        newest = self._newest()
        return [
            ~(len(self.groups) + value)
            for value, windows in self.windows.items()
            if value != self.value
            and (missing or value in useful)
            and any(start <= bound and end >= newest for start, end in windows)
        ]


# --- The witness ----------------------------------------------------------------------------------


def _witness(problem: _Problem) -> list[int]:
    """A small set of operations that proves that a history is not linearizable."""
    order = _shortest_prefix(problem, _Budget(WITNESS_BUDGET))
    last = order[-1]
    budget = _Budget(WITNESS_BUDGET)

    def proves(chosen: list[int]) -> bool:
        """False too when it is too expensive to say."""
        try:
            return problem.search(chosen, inf, budget) is None
        except _TooExpensive:
            return False

    if proves([last]):
        return [last]
    # Of several operations that prove it together with the last, the easiest to see is the write
    # that returned just before it; only then come reads.
    others = sorted(order[-2::-1], key=lambda index: problem.steps[index][2] == ANY)
    for other in others:
        if proves([other, last]):
            return _minimized([other, last], proves)
    size = 4
    while size < len(order) and not proves(order[-size:]):
        size *= 2
    return _minimized(order[-size:], proves)


def _shortest_prefix(problem: _Problem, budget: _Budget) -> list[int]:
    """What was invoked before the history became impossible.

    The operations are in the order in which they returned, the last being the one whose return
    made the history impossible; those that had not returned by then come first.
    """
    operations = problem.operations
    everything = range(len(operations))
    times = sorted({_end(operation) for operation in operations} - {inf})
    low, high = 0, len(times) - 1
    while low < high:
        middle = (low + high) // 2
        try:
            possible = problem.search(everything, times[middle], budget) is not None
        except _TooExpensive:
            possible = True
        low, high = (middle + 1, high) if possible else (low, middle)
    until_ms = times[high]
    invoked = [index for index in everything if operations[index].invoked_ms <= until_ms]
    ends = {index: _end(operations[index]) for index in invoked}
    return sorted(invoked, key=lambda i: ends[i] if ends[i] <= until_ms else -inf)


def _minimized(chosen: list[int], proves: Callable[[list[int]], bool]) -> list[int]:
    """Leave out operations, in ever smaller blocks, while the others still prove it."""
    size = max(1, len(chosen) // 2)
    while True:
        at = 0
        while at < len(chosen):
            others = chosen[:at] + chosen[at + size :]
            if others and proves(others):
                chosen = others
            else:
                at += size
        if size == 1:
            return chosen
        size //= 2
