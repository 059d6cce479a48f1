"""What one event does in the chain: a call goes as far as it gets, and an answer comes back.

Between a place and the next stand the guards of the caller: a timeout, a circuit breaker, a cap on
the threads that may wait (bulkhead), and retries. A `Turn` opens a `Chain`, does the work of one
event in it, and gives the next `Chain`.

What a breaker counts as a failure: a refusal, a timeout, and an answer that took longer than the
timeout would be, as resilience4j's `slowCallDurationThreshold` does. An error that comes in time is
none: a service that reports a failure further down is well itself.

Simplified: a call and its answer take no time on the way, and to refuse one costs nothing. Nobody
tells a service that its caller has given up, so that it finishes the work for nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from ...guards.backoff import full_jitter
from ...guards.circuit_breaker import OPEN
from ...kernel import REJECTED, STARTED, Context, Exponential, Job, offer, release, replace
from .chain import (
    BACK_AT,
    DOWN_AT,
    FRONT,
    LAST,
    RECENT,
    USERS,
    Chain,
    Task,
    heard,
    held,
    holder,
)
from .params import (
    ATTEMPTS,
    BACKOFF_BASE_MS,
    BACKOFF_CAP_MS,
    NAIVE_PAUSE_MS,
    NAMES,
    WORK_MS,
    Params,
    bulkhead_cap,
    slow_call_ms,
    wait_ms_max,
)

NORMAL, SLOW, HANGING = "normal", "slow", "hanging"
DONE, FAULT, FAULT_BELOW, TIMEOUT = "done", "fault", "fault below", "timeout"
"""How a call ends: well, by a fault of the place that was called (a refusal is one), by one further
down, or without an answer in time."""


@dataclass(frozen=True, slots=True)
class Worked:
    """A job's own work is done; out of date if E's condition has changed since."""

    twin: bool
    place: int
    job: int
    epoch: int = 0


@dataclass(frozen=True, slots=True)
class Again:
    """A caller tries once more."""

    twin: bool
    place: int
    job: int


@dataclass(frozen=True, slots=True)
class Overdue:
    """A place looks for calls that it has waited for long enough."""

    twin: bool
    place: int


TurnEvent: TypeAlias = Worked | Again | Overdue


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a chain finds around it: E's condition, and how much A turns away at its door.

    `epoch` counts the changes of E's condition; `ill_ms` and `healed_ms` are the last times when E
    fell ill and recovered (-1: never). A sheds `shed_percent` of its calls until `shed_until_ms`.
    """

    condition: str = NORMAL
    epoch: int = 0
    ill_ms: int = -1
    healed_ms: int = -1
    shed_percent: int = 0
    shed_until_ms: int = 0


class Turn:
    """A chain while an event is at work in it; `result` is the chain after it."""

    __slots__ = (
        "alarms", "answered", "around", "blocked", "breakers", "budgets", "capped", "chain", "ctx",
        "deep", "expired", "failed", "good", "last", "next_id", "now_ms", "params", "passed_open",
        "pools", "received", "refused", "retried", "retries", "twin", "useful_ms", "vain",
        "wasted",
    )  # fmt: skip

    def __init__(
        self, chain: Chain, params: Params, around: Surroundings, ctx: Context, twin: bool
    ) -> None:
        self.chain, self.params, self.around, self.ctx = chain, params, around, ctx
        self.twin, self.now_ms = twin, ctx.now_ms
        # The twin is the same chain without retries.
        self.retries = "none" if twin else params.retries
        self.pools, self.breakers = list(chain.pools), list(chain.breakers)
        self.budgets, self.alarms = list(chain.budgets), list(chain.alarms)
        self.received, self.refused = list(chain.received), list(chain.refused)
        self.answered, self.wasted = list(chain.answered), list(chain.wasted)
        self.failed, self.useful_ms = list(chain.failed), list(chain.useful_ms)
        self.blocked, self.capped = list(chain.blocked), list(chain.capped)
        self.expired, self.retried = list(chain.expired), list(chain.retried)
        self.good, self.vain = list(chain.good), list(chain.vain)
        self.next_id, self.deep, self.passed_open = chain.next_id, chain.deep, chain.passed_open
        self.last: list[tuple[int, int]] = []

    def result(self) -> Chain:
        """The chain after the event."""
        recent, back_ms, fell_ms = self._outlook()
        return Chain(
            tuple(self.pools),
            tuple(self.breakers),
            tuple(self.budgets),
            tuple(self.alarms),
            tuple(self.received),
            tuple(self.refused),
            tuple(self.answered),
            tuple(self.wasted),
            tuple(self.failed),
            tuple(self.useful_ms),
            tuple(self.blocked),
            tuple(self.capped),
            tuple(self.expired),
            tuple(self.retried),
            tuple(self.good),
            tuple(self.vain),
            self.next_id,
            self.deep,
            recent,
            back_ms,
            fell_ms,
            self.passed_open,
        )

    def _outlook(self) -> tuple[tuple[tuple[int, int], ...], int, int]:
        """The last requests that ended, and when A fell and was back."""
        chain, around = self.chain, self.around
        if not self.last:
            return chain.recent, chain.back_ms, chain.fell_ms
        recent = (*chain.recent, *self.last)[-RECENT:]
        good = sum(ok for _, ok in recent)
        full = len(recent) == RECENT
        fell_ms, back_ms = chain.fell_ms, chain.back_ms
        if full and good <= DOWN_AT and fell_ms < 0 and around.ill_ms >= 0:
            fell_ms = self.now_ms
        # Only requests that ended after E's recovery say whether A is back.
        after_ms = recent[0][0] - around.healed_ms
        healed = around.condition == NORMAL and around.healed_ms >= 0 and after_ms >= 0
        if healed and full and good >= BACK_AT and back_ms < 0:
            back_ms = after_ms
        return recent, back_ms, fell_ms

    # --- What happens -----------------------------------------------------------------------------

    def ask(self, depth: int) -> None:
        """A user asks for something that needs the places up to `depth`."""
        self.received[USERS] += 1
        self.deep += depth == LAST
        job = Job(self._new_id(), self.now_ms, Task(-1, depth, worked_ms=0))
        self.pools[USERS], _ = offer(self.pools[USERS], job, self.now_ms)
        self.call(USERS, job.id)

    def happens(self, event: TurnEvent) -> bool:
        """Do what an event says; false if it is out of date, and nothing has changed."""
        match event:
            case Worked():
                return self.worked(event)
            case Again():
                return self.again(event)
            case Overdue():
                return self.overdue(event)

    def worked(self, event: Worked) -> bool:
        """A job has done its own work: it calls the next place, or answers."""
        job = holder(self.pools[event.place], event.job)
        if job is None or event.epoch != self._epoch(event.place):
            return False
        worked_ms = self.now_ms - job.started_ms
        self._note(event.place, job, replace(job.body, worked_ms=worked_ms))
        if self.ctx.random() * 100 < self.params.error_percent:
            self.finish(event.place, job.id, FAULT)
        elif job.body.depth > event.place:
            self.call(event.place, job.id)
        else:
            self.finish(event.place, job.id, DONE)
        return True

    def again(self, event: Again) -> bool:
        """A caller tries once more."""
        self.retried[event.place] += 1
        self.call(event.place, event.job)
        return True

    def overdue(self, event: Overdue) -> bool:
        """Every call that has lasted as long as its caller waits is given up."""
        place = event.place
        self.alarms[place] = -1
        for job in self.pools[place].busy:
            if 0 <= job.body.deadline_ms <= self.now_ms:
                self.expired[place] += 1
                self._record(place, False, job.body.called_ms)
                self._again_or_fail(place, job.id, TIMEOUT)
        self._set_alarm(place)
        return True

    def change_pace(self) -> None:
        """E's condition has changed: what it works on goes on at the new pace.

        The times are exponential, so that what is left of one is distributed as a new one.
        """
        for job in self.pools[LAST].busy:
            self._begin(LAST, job)

    # --- A call -----------------------------------------------------------------------------------

    def call(self, place: int, job_id: int) -> None:
        """A job calls the next place, if the guards let it."""
        job = self._holder(place, job_id)
        if job.body.attempt == 0:
            self.budgets[place] = self.budgets[place].deposit()
        cap = bulkhead_cap(self.params, place)
        # The bulkhead comes first: a probe of the breaker must not be lost to it.
        if 0 <= cap < held(self.pools[place]):
            self.capped[place] += 1
            self.finish(place, job_id, FAULT_BELOW)
        elif not self._allowed(place):
            self.blocked[place] += 1
            self.finish(place, job_id, FAULT_BELOW)
        elif (call := self._offered(place + 1, Task(job_id, job.body.depth))) < 0:
            self._record(place, False, self.now_ms)
            self._again_or_fail(place, job_id, FAULT)
        else:
            self._await(place, job, call)

    def _allowed(self, place: int) -> bool:
        """Whether the breaker of a place lets a call out."""
        if not self.params.breakers or place == USERS:
            return True
        self.breakers[place], allowed = self.breakers[place].allow(self.now_ms)
        return allowed

    def _offered(self, place: int, task: Task) -> int:
        """Put a call into a place's pool; gives its job's id, or -1 if it was refused."""
        if self.params.breakers and self.breakers[place - 1].state == OPEN:
            self.passed_open += 1
        self.received[place] += 1
        job = Job(self._new_id(), self.now_ms, task)
        outcome = REJECTED
        if not (place == FRONT and self._shed()):
            self.pools[place], outcome = offer(self.pools[place], job, self.now_ms)
        if outcome == REJECTED:
            self.refused[place] += 1
            return -1
        if outcome == STARTED:
            self._begin(place, job)
        return job.id

    def _shed(self) -> bool:
        """Whether A turns this call away to get air."""
        around = self.around
        shedding = self.now_ms < around.shed_until_ms
        return shedding and self.ctx.random() * 100 < around.shed_percent

    def _await(self, place: int, job: Job, call: int) -> None:
        """The job waits for its answer from now on, and not for longer than its place waits."""
        wait_ms = wait_ms_max(self.params, place)
        deadline_ms = self.now_ms + wait_ms if wait_ms >= 0 else -1
        task = replace(job.body, call=call, called_ms=self.now_ms, deadline_ms=deadline_ms)
        self._note(place, job, task)
        if deadline_ms >= 0 and self.alarms[place] < 0:
            self._set_alarm(place)

    def _set_alarm(self, place: int) -> None:
        """One alarm for a place, at its first deadline: all its calls wait equally long."""
        deadlines = [
            job.body.deadline_ms for job in self.pools[place].busy if job.body.deadline_ms >= 0
        ]
        if deadlines:
            self.alarms[place] = min(deadlines)
            self.ctx.after(self.alarms[place] - self.now_ms, Overdue(self.twin, place))

    # --- Its end ----------------------------------------------------------------------------------

    def finish(self, place: int, job_id: int, end: str) -> None:
        """A job ends: its thread goes to the next in the queue, and its caller hears of it."""
        job = self._holder(place, job_id)
        if end != DONE:
            self.failed[place] += 1
        elif heard(self.pools, place, job):
            self.answered[place] += 1
            self.useful_ms[place] += job.body.worked_ms
            self.good[place] = self.good[place].add(self.now_ms)
        else:
            self.wasted[place] += 1
            self.vain[place] = self.vain[place].add(self.now_ms)
        self.pools[place], following = release(self.pools[place], job_id, self.now_ms)
        if following is not None:
            self._begin(place, following)
        if place == USERS:
            self.last.append((self.now_ms, int(end == DONE)))
        else:
            self._tell(place - 1, job, end)

    def _tell(self, place: int, job: Job, end: str) -> None:
        """The caller, at `place`, hears how its call ended, if it still waits for it."""
        caller = holder(self.pools[place], job.body.caller)
        if caller is None or caller.body.call != job.id:
            return
        took_ms = self.now_ms - caller.body.called_ms
        slow = place != USERS and took_ms > slow_call_ms(self.params, place)
        self._record(place, not slow, caller.body.called_ms)
        if end == DONE:
            self.finish(place, caller.id, DONE)
        else:
            self._again_or_fail(place, caller.id, end)

    def _again_or_fail(self, place: int, job_id: int, end: str) -> None:
        """A call failed: its caller tries again after a pause, if it may, or fails as well."""
        job = self._holder(place, job_id)
        attempt = job.body.attempt
        if attempt + 1 >= ATTEMPTS or not self._may_retry(place, end):
            self.finish(place, job_id, FAULT_BELOW)
            return
        pause_ms = NAIVE_PAUSE_MS
        if self.retries == "backoff":
            u = self.ctx.random()
            pause_ms = full_jitter(attempt, BACKOFF_BASE_MS, BACKOFF_CAP_MS, u)
        task = replace(job.body, call=-1, called_ms=-1, deadline_ms=-1, attempt=attempt + 1)
        self._note(place, job, task)
        self.ctx.after(pause_ms, Again(self.twin, place, job_id))

    def _may_retry(self, place: int, end: str) -> bool:
        """Whether this place retries, and has a token left if retries have a budget.

        With a budget only the place right above the fault tries again (SRE book, chapter 22,
        "Retries"): otherwise each place would multiply the calls of the one above it. After a
        timeout only the user does: a service's own caller has no time left.
        """
        if self.retries != "backoff":
            return self.retries == "naive"
        if end == FAULT_BELOW or (end == TIMEOUT and place != USERS):
            return False
        self.budgets[place], allowed = self.budgets[place].withdraw()
        return allowed

    # --- Small things -----------------------------------------------------------------------------

    def _begin(self, place: int, job: Job) -> None:
        """A job has got a thread, and works; a hanging E never gets done."""
        mean_ms: float = WORK_MS[place]
        if place == LAST:
            if self.around.condition == HANGING:
                return
            mean_ms *= self.params.slow_factor if self.around.condition == SLOW else 1
        event = Worked(self.twin, place, job.id, self._epoch(place))
        self.ctx.after(Exponential(mean_ms).draw(self.ctx), event)

    def _epoch(self, place: int) -> int:
        return self.around.epoch if place == LAST else 0

    def _record(self, place: int, success: bool, called_ms: int) -> None:
        """The breaker of a place hears how a call ended."""
        if self.params.breakers and place != USERS:
            breaker = self.breakers[place]
            self.breakers[place] = breaker.record(success, self.now_ms, called_ms)

    def _note(self, place: int, job: Job, task: Task) -> None:
        """The job, which holds a thread, with another body."""
        pool = self.pools[place]
        noted = replace(job, body=task)
        busy = tuple(noted if other.id == job.id else other for other in pool.busy)
        self.pools[place] = replace(pool, busy=busy)

    def _holder(self, place: int, job_id: int) -> Job:
        job = holder(self.pools[place], job_id)
        if job is None:
            raise RuntimeError(f"job {job_id} holds no thread of {NAMES[place]}")
        return job

    def _new_id(self) -> int:
        self.next_id += 1
        return self.next_id
