"""A run as a value: a heap of (time, sequence, event) inside `run_until`, plain data outside.

A model is one pure function, `update(state, event, ctx) -> state`. Its only effect is
`ctx.after(delay_ms, event)`: a message is an event with a latency, a timer an event with a delay,
a click an event with delay 0. Deadlines live in the state, so an alarm that comes too late finds
out by itself and nothing is ever cancelled. Since every state is a value, the record of a run is
a list of values that share what did not change: going back, forking and comparing are indexing.

Time is an integer number of milliseconds.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from typing import Any, Generic, TypeAlias, TypeVar, overload

from .draws import Draws

State = TypeVar("State")
Queued: TypeAlias = tuple[int, int, Any]
"""`(time_ms, sequence, event)`; the sequence number is unique, so events are never compared."""

CHECKPOINT_EVERY = 256
LIMIT = 100_000


class RunLimit(RuntimeError):
    """A run wanted to process more events than it was allowed."""


class Context(Draws):
    """What `update` may use besides its arguments: the time, random numbers, and `after`."""

    __slots__ = ("now_ms", "scheduled")

    def __init__(self, seed: int, sequence: int, now_ms: int) -> None:
        super().__init__(seed, sequence)
        self.now_ms = now_ms
        self.scheduled: list[tuple[int, Any]] = []

    def after(self, delay_ms: int, event: Any) -> None:
        """Let `event` happen in `delay_ms` milliseconds (an integer, 0 or more)."""
        if type(delay_ms) is not int or delay_ms < 0:
            raise ValueError(f"delay_ms must be an integer of 0 or more, got {delay_ms!r}")
        self.scheduled.append((self.now_ms + delay_ms, event))


Update: TypeAlias = Callable[[State, Any, Context], State]


@dataclass(frozen=True, slots=True)
class Sim(Generic[State]):
    """One instant of a run.

    `queue` holds the pending events in order; `sequence` is the number that the next scheduled
    event gets; `cause` is the event that led here (`None` at the start).
    """

    update: Update[State]
    seed: int
    now_ms: int
    sequence: int
    state: State
    queue: tuple[Queued, ...] = ()
    cause: Queued | None = None


def start(update: Update[State], init: Callable[[Context], State], seed: int) -> Sim[State]:
    """The first instant: `init` runs as event number 0 at time 0 and may schedule events."""
    ctx = Context(seed, 0, 0)
    state = init(ctx)
    queue = tuple(sorted((time, n, event) for n, (time, event) in enumerate(ctx.scheduled, 1)))
    return Sim(update, seed, 0, 1 + len(queue), state, queue)


def dispatch(sim: Sim[State], event: Any, at_ms: int | None = None) -> Sim[State]:
    """`sim` with `event` pending at `at_ms` (default: now); earlier pending events keep their turn.

    `ValueError` if `at_ms` lies in the past.
    """
    time_ms = sim.now_ms if at_ms is None else at_ms
    if time_ms < sim.now_ms:
        raise ValueError(f"at_ms must be {sim.now_ms} (now) or later, got {time_ms}")
    queue = list(sim.queue)
    insort(queue, (time_ms, sim.sequence, event))
    return Sim(
        sim.update, sim.seed, sim.now_ms, sim.sequence + 1, sim.state, tuple(queue), sim.cause
    )


def step(sim: Sim[State]) -> Sim[State]:
    """`sim` after its next pending event, or `sim` itself when nothing is pending."""
    if not sim.queue:
        return sim
    return run_until(sim, sim.queue[0][0], limit=1, strict=False)[-1]


class History(Sequence[Sim[State]]):
    """The instants of a run: item 0 is where it started, item k is after the k-th event.

    It keeps for each event its cause, the state after it and what it scheduled, so memory grows
    with what changed. A `Sim` with its whole queue is built when somebody asks for it.
    """

    __slots__ = ("_checkpoints", "_first", "_steps")

    def __init__(
        self, first: Sim[State], steps: list[tuple[Queued, State, int, tuple[Queued, ...]]]
    ) -> None:
        self._first = first
        self._steps = steps
        self._checkpoints: dict[int, tuple[Queued, ...]] = {0: first.queue}

    def __len__(self) -> int:
        return len(self._steps) + 1

    @overload
    def __getitem__(self, index: int) -> Sim[State]: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Sim[State], ...]: ...
    def __getitem__(self, index: int | slice) -> Sim[State] | tuple[Sim[State], ...]:
        if isinstance(index, slice):
            return tuple(self[i] for i in range(*index.indices(len(self))))
        k = range(len(self))[index]
        if k == 0:
            return self._first
        cause, state, sequence, _ = self._steps[k - 1]
        first = self._first
        return Sim(first.update, first.seed, cause[0], sequence, state, self._queue(k), cause)

    def __iter__(self) -> Iterator[Sim[State]]:
        return (self[k] for k in range(len(self)))

    def _queue(self, k: int) -> tuple[Queued, ...]:
        """The pending events after event k, replayed from the nearest checkpoint before it."""
        at = k - k % CHECKPOINT_EVERY
        while at not in self._checkpoints:
            at -= CHECKPOINT_EVERY
        pending = {queued[1]: queued for queued in self._checkpoints[at]}
        for i in range(at, k):
            cause, _, _, scheduled = self._steps[i]
            pending.update((queued[1], queued) for queued in scheduled)
            pending.pop(cause[1], None)
            if (i + 1) % CHECKPOINT_EVERY == 0:
                self._checkpoints[i + 1] = tuple(pending.values())
        return tuple(sorted(pending.values(), key=lambda queued: queued[:2]))

    def time_ms(self, index: int) -> int:
        """When item `index` came about."""
        return self._steps[index - 1][0][0] if index else self._first.now_ms

    def change(self, index: int) -> tuple[State, Any, State]:
        """The state before item `index` (1 or more), the event behind it, and the state after."""
        before = self._steps[index - 2][1] if index > 1 else self._first.state
        cause, after, _, _ = self._steps[index - 1]
        return before, cause[2], after

    def upto(self, index: int) -> History[State]:
        """The history that ends with item `index`."""
        return History(self._first, self._steps[: range(len(self))[index]])

    def index_at(self, time_ms: int) -> int:
        """The last item that had come about by `time_ms`."""
        return bisect_right(self._steps, time_ms, key=lambda step: step[0][0])

    def extended(self, other: History[State]) -> History[State]:
        """This history followed by one that starts at this one's last instant."""
        return History(self._first, self._steps + other._steps)

    def states(self) -> Iterator[State]:
        """The state of every instant, without the work of building the queues."""
        yield self._first.state
        for _, state, _, _ in self._steps:
            yield state

    def causes(self) -> Iterator[Queued]:
        """The event behind every instant but the first."""
        return (cause for cause, _, _, _ in self._steps)


def run_until(
    sim: Sim[State], until_ms: int, limit: int = LIMIT, strict: bool = True
) -> History[State]:
    """Every instant from `sim` on, until nothing is pending at or before `until_ms`.

    After `limit` events it raises `RunLimit`, or stops there when `strict` is false.
    """
    update, seed, state, number = sim.update, sim.seed, sim.state, sim.sequence
    heap = list(sim.queue)
    heapify(heap)
    steps: list[tuple[Queued, State, int, tuple[Queued, ...]]] = []
    while heap and heap[0][0] <= until_ms:
        if len(steps) >= limit:
            if strict:
                raise RunLimit(
                    f"the run stopped at {heap[0][0]} ms after its limit of {limit} events"
                )
            break
        cause = heappop(heap)
        ctx = Context(seed, cause[1], cause[0])
        state = update(state, cause[2], ctx)
        scheduled: tuple[Queued, ...] = ()
        if ctx.scheduled:
            scheduled = tuple(
                (time, n, event) for n, (time, event) in enumerate(ctx.scheduled, number)
            )
            number += len(scheduled)
            for queued in scheduled:
                heappush(heap, queued)
        steps.append((cause, state, number, scheduled))
    return History(sim, steps)
