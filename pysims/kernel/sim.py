"""A run as a value: a heap of (time, sequence, event) inside `run_until`, plain data outside.

A model is one pure function, `update(state, event, ctx) -> state`. Its only effect is
`ctx.after(delay_ms, event)`: a message is an event with a latency, a timer an event with a delay,
a click an event with delay 0. Deadlines live in the state, so an alarm that comes too late finds
out by itself and nothing is ever canceled. Since every state is a value, the record of a run is
a list of values that share what did not change: going back, forking and comparing are indexing.

Time is an integer number of milliseconds.
"""

from __future__ import annotations

import gc
from bisect import bisect_right, insort
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from typing import Any, Generic, TypeAlias, TypeVar, overload

from .draws import MASK, Draws, mix64

State = TypeVar("State")
Queued: TypeAlias = tuple[int, int, Any]
"""`(time_ms, sequence, event)`; the sequence number is unique, so events are never compared."""

Step: TypeAlias = tuple[Queued, Any, int, tuple[Queued, ...]]
"""`(cause, state after it, next sequence number, what it scheduled)`."""

NOTHING: tuple[Queued, ...] = ()
CHECKPOINT_EVERY = 256
LIMIT = 100_000


def _turn(queued: Queued) -> tuple[int, int]:
    return queued[:2]


class RunLimit(RuntimeError):
    """A run wanted to process more events than it was allowed."""


class Context(Draws):
    """What `update` may use besides its arguments: the time, random numbers, and `after`.

    One context serves a whole run: `turn_to` makes it that of the next event.
    """

    __slots__ = ("_mixed_seed", "now_ms", "number", "scheduled")

    def __init__(self, seed: int, number: int) -> None:
        self._mixed_seed = mix64(seed & MASK)
        self.number = number
        self.now_ms = 0
        self.scheduled: list[Queued] = []

    def turn_to(self, now_ms: int, sequence: int) -> None:
        """Be the context of event number `sequence`, at `now_ms`."""
        self.now_ms = now_ms
        self._begin(self._mixed_seed, sequence)

    def after(self, delay_ms: int, event: Any) -> None:
        """Let `event` happen in `delay_ms` milliseconds (an integer, 0 or more)."""
        if type(delay_ms) is not int or delay_ms < 0:
            raise ValueError(f"delay_ms must be an integer of 0 or more, got {delay_ms!r}")
        self.scheduled.append((self.now_ms + delay_ms, self.number, event))
        self.number += 1


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
    ctx = Context(seed, 1)
    ctx.turn_to(0, 0)
    state = init(ctx)
    return Sim(update, seed, 0, ctx.number, state, tuple(sorted(ctx.scheduled, key=_turn)))


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
        self,
        first: Sim[State],
        steps: list[Step],
        checkpoints: Mapping[int, tuple[Queued, ...]] | None = None,
    ) -> None:
        """`checkpoints`: what was pending after so many events, as far as that is known."""
        self._first = first
        self._steps = steps
        self._checkpoints = {0: first.queue, **(checkpoints or {})}

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
        at = k if k in self._checkpoints else k - k % CHECKPOINT_EVERY
        while at not in self._checkpoints:
            at -= CHECKPOINT_EVERY
        pending = {queued[1]: queued for queued in self._checkpoints[at]}
        for i in range(at, k):
            cause, _, _, scheduled = self._steps[i]
            pending.update((queued[1], queued) for queued in scheduled)
            pending.pop(cause[1], None)
            if (i + 1) % CHECKPOINT_EVERY == 0:
                self._checkpoints[i + 1] = tuple(pending.values())
        return tuple(sorted(pending.values(), key=_turn))

    def time_ms(self, index: int) -> int:
        """When item `index` came about."""
        return self._steps[index - 1][0][0] if index else self._first.now_ms

    def state(self, index: int) -> State:
        """The state of item `index`, without the work of building its queue."""
        return self._steps[index - 1][1] if index else self._first.state

    def change(self, index: int) -> tuple[State, Any, State]:
        """The state before item `index` (1 or more), the event behind it, and the state after."""
        before = self._steps[index - 2][1] if index > 1 else self._first.state
        cause, after, _, _ = self._steps[index - 1]
        return before, cause[2], after

    def again(self, index: int) -> Context:
        """What the event behind item `index` (1 or more) was given besides the state before it.

        An update is a pure function, so calling it once more with this does the same once more.
        """
        cause = self._steps[index - 1][0]
        before = self._steps[index - 2][2] if index > 1 else self._first.sequence
        # An event from outside took a number for itself, at the moment that it came in.
        ctx = Context(self._first.seed, max(before, cause[1] + 1))
        ctx.turn_to(cause[0], cause[1])
        return ctx

    def upto(self, index: int) -> History[State]:
        """The history that ends with item `index`."""
        upto = range(len(self))[index]
        return History(self._first, self._steps[:upto], self._known(upto))

    def index_at(self, time_ms: int) -> int:
        """The last item that had come about by `time_ms`."""
        return bisect_right(self._steps, time_ms, key=lambda step: step[0][0])

    def extended(self, other: History[State]) -> History[State]:
        """This history followed by one that starts at this one's last instant."""
        here, there = len(self._steps), len(other._steps)
        known = self._known(here)
        # What comes in from outside at the seam is pending in `other` only, so of what is known
        # there the end alone counts.
        if there in other._checkpoints and there:
            known[here + there] = other._checkpoints[there]
        return History(self._first, self._steps + other._steps, known)

    def _known(self, upto: int) -> dict[int, tuple[Queued, ...]]:
        """The checkpoints that a history which begins with `upto` of these events can use."""
        return {
            at: queue
            for at, queue in self._checkpoints.items()
            if at <= upto and (at == upto or at % CHECKPOINT_EVERY == 0)
        }

    def states(self) -> Iterator[State]:
        """The state of every instant, without the work of building the queues."""
        yield self._first.state
        for _, state, _, _ in self._steps:
            yield state

    def causes(self) -> Iterator[Queued]:
        """The event behind every instant but the first."""
        return (cause for cause, _, _, _ in self._steps)


def run_until(
    sim: Sim[State], until_ms: int, limit: int = LIMIT, taken: int = 0, strict: bool = True
) -> History[State]:
    """Every instant from `sim` on, until nothing is pending at or before `until_ms`.

    After `limit` events, of which `taken` came before, it raises `RunLimit`, or stops there when
    `strict` is false.
    """
    steps: list[Step] = []
    # Whatever a run makes is kept, so that a search for garbage finds none and only costs time.
    collecting = gc.isenabled()
    gc.disable()
    try:
        heap, stopped_ms = _run(sim, until_ms, limit - taken, steps)
    finally:
        if collecting:
            gc.enable()
    if strict and stopped_ms is not None:
        raise RunLimit(f"the run stopped at {stopped_ms} ms, after its limit of {limit} events")
    return History(sim, steps, {len(steps): tuple(heap)})


def _run(
    sim: Sim[Any], until_ms: int, limit: int, steps: list[Step]
) -> tuple[list[Queued], int | None]:
    """Append the steps of a run.

    Gives what is pending after it, and the time (ms) of the event that the limit kept out.
    """
    update, state = sim.update, sim.state
    ctx = Context(sim.seed, sim.sequence)
    heap = list(sim.queue)
    heapify(heap)
    while heap and heap[0][0] <= until_ms:
        if len(steps) >= limit:
            return heap, heap[0][0]
        cause = heappop(heap)
        ctx.turn_to(cause[0], cause[1])
        state = update(state, cause[2], ctx)
        scheduled = NOTHING
        if ctx.scheduled:
            scheduled = tuple(ctx.scheduled)
            ctx.scheduled.clear()
            for queued in scheduled:
                heappush(heap, queued)
        steps.append((cause, state, ctx.number, scheduled))
    return heap, None
