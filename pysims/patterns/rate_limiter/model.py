"""Six rate limiters, side by side, on the same requests.

It shows what "so many requests a second" can mean. Token bucket, leaky bucket, fixed window,
sliding window (as a log and as a counter) and GCRA get the same two numbers: a rate, and a burst.
A window is as long as the rate needs for the burst, and its limit is the burst. So all six allow
the same at once and the same in the long run, and whatever differs is the limiter.

The limiters are those of `pysims.guards.rate_limiters`, where their sources are. The recorded day
is in `day`.

Requests that come at the same moment are decided together: a limiter that has room for k admits the
first k of them, exactly as if it had been asked for one after another (a test holds that).

How the promises are checked. The lights do not ask the limiters: they count what was admitted.
`excess` is the largest number of admitted requests, over all intervals that end now, less what the
rate allows in that time; a bucket of size b keeps it at most b. `in_window` counts the admitted
requests of the last window length, `peak` is the largest such count so far.

Simplified: there is one client, and the recorded day, which had thousands, is treated as one; a
steady flood, and each minute of the day, comes in lumps (`lump_ms`); the picture may show hours in
seconds (`lapse`): the times that limiters are handed are those of the picture, times the lapse.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias, TypeVar

from ...guards.rate_limiters import (
    FixedWindow,
    Gcra,
    LeakyBucket,
    Limiter,
    Per,
    SlidingWindowCounter,
    SlidingWindowLog,
    TokenBucket,
)
from ...kernel import Choice, Context, Number, knob, replace
from .day import REQUESTS_BY_MINUTE

PER_S = {"second": 1, "minute": 60, "hour": 3_600}
LAPSES = {"real": 1, "minute": 60, "minutes-6": 360, "minutes-10": 600}
"""How many seconds pass for the limiters in one second of the picture."""

TOKEN, LEAKY, FIXED, LOG, COUNTER, GCRA = range(6)
"""The limiters' places in every tuple of six."""

BINS_KEPT = 240
"""Bars of the chart that are kept: as many as it shows at most."""
LUMPS_MS = (100, 50, 40, 20, 10)
"""Times between the lumps of a flood, in the picture."""
BARS_MS = (2_000, 1_000, 400, 200, 100, 40, 20)
"""Widths of a bar of the chart, in the picture: the lumps of a flood fit into it evenly."""

LimiterT = TypeVar("LimiterT", bound=Limiter)

Counts: TypeAlias = tuple[int, ...]
"""A number for each of the six limiters."""


@dataclass(frozen=True, slots=True)
class Six:
    """The limiters, in the order of every tuple of six."""

    token: TokenBucket
    leaky: LeakyBucket
    fixed: FixedWindow
    log: SlidingWindowLog
    counter: SlidingWindowCounter
    gcra: Gcra

    @property
    def all(self) -> tuple[Limiter, ...]:
        return self.token, self.leaky, self.fixed, self.log, self.counter, self.gcra

    def at(self, at_ms: int) -> Six:
        """The six limiters at a later time."""
        return Six(
            self.token.at(at_ms),
            self.leaky.at(at_ms),
            self.fixed.at(at_ms),
            self.log.at(at_ms),
            self.counter.at(at_ms),
            self.gcra.at(at_ms),
        )


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader sets before the run."""

    rate: int = knob(Number("Allowed rate", 1, 10_000, unit="requests", logarithmic=True), 10)
    per: str = knob(
        Choice("per", {"second": "second", "minute": "minute", "hour": "hour"}), "second"
    )
    burst: int = knob(
        Number(
            "Burst",
            1,
            5_000,
            unit="at once",
            logarithmic=True,
            hint="The capacity of a bucket, the limit of a window",
        ),
        50,
    )
    lapse: str = knob(
        Choice(
            "A second of the picture is",
            {
                "real": "a second",
                "minute": "a minute",
                "minutes-6": "6 minutes",
                "minutes-10": "10 minutes",
            },
        ),
        "real",
    )


@dataclass(frozen=True, slots=True)
class Lump:
    """Requests that came together: when (ms of the limiters), how many, and how many got in."""

    at_ms: int
    asked: int
    admitted: Counts


@dataclass(frozen=True, slots=True)
class Bar:
    """What came, what was admitted and what left the leaky bucket, in one bar of the chart."""

    number: int
    asked: int = 0
    released: int = 0
    admitted: Counts = (0,) * 6


@dataclass(frozen=True, slots=True)
class Flood:
    """A steady flood: lump `lump` is the next one, counted from `since_ms` (of the picture)."""

    percent: int
    since_ms: int
    lump: int = 0


@dataclass(frozen=True, slots=True)
class State:
    """The six limiters, and what they did so far.

    `newest` is the newest lump, with the waits (ms; 0 where nothing was refused) that each limiter
    told the first one it refused. `recent` are the lumps of the last window length and a half;
    `fixed_past` what the fixed window admitted in the two windows before the current one.
    `bars` are the finished bars of the chart, `bar` the one that grows. `epoch` counts the floods
    and replays, so that an alarm of an earlier one is known as such; `minute` is the next minute
    of the recorded day (-1: it is not replayed), which began at `replay_ms` of the picture.
    `drain_ms` is when the leaky bucket is looked at next (-1: not, for it is empty). `excess` and
    `released_excess` are in parts of a request (see `parts_of`).
    """

    params: Params
    six: Six
    at_ms: int = 0
    newest: Lump | None = None
    waits_ms: Counts = (0,) * 6
    recent: tuple[Lump, ...] = ()
    asked: int = 0
    admitted: Counts = (0,) * 6
    released: int = 0
    fixed_past: tuple[int, int] = (0, 0)
    in_window: Counts = (0,) * 6
    peak: Counts = (0,) * 6
    excess: Counts = (0,) * 6
    released_excess: int = 0
    bars: tuple[Bar, ...] = ()
    bar: Bar = Bar(0)
    flood: Flood | None = None
    epoch: int = 0
    minute: int = -1
    replay_ms: int = 0
    drain_ms: int = -1


# --- Events ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Send:
    """The client sends one request."""


@dataclass(frozen=True, slots=True)
class Burst:
    """The client sends many requests at once."""

    size: int = knob(Number("requests", 2, 20_000, logarithmic=True), 80)


@dataclass(frozen=True, slots=True)
class StartFlood:
    """The client sends steadily, at so many percent of the allowed rate."""

    percent: int = knob(Number("% of the allowed rate", 10, 1_000, step=10), 300)


@dataclass(frozen=True, slots=True)
class StopFlood:
    """The client, or the recorded day, stops sending."""


@dataclass(frozen=True, slots=True)
class AttackBoundary:
    """The client sends its whole limit just before the next boundary of the windows, and again."""


@dataclass(frozen=True, slots=True)
class Replay:
    """The recorded day begins."""


@dataclass(frozen=True, slots=True)
class Strike:
    """One of the two bursts of an attack on the boundary."""

    size: int


@dataclass(frozen=True, slots=True)
class NextLump:
    """The next lump of the flood is due."""

    epoch: int


@dataclass(frozen=True, slots=True)
class NextMinute:
    """The next minute of the recorded day is due."""

    epoch: int


@dataclass(frozen=True, slots=True)
class Drain:
    """A bar of the chart ends while requests wait in the leaky bucket."""


Event: TypeAlias = (
    Send
    | Burst
    | StartFlood
    | StopFlood
    | AttackBoundary
    | Replay
    | Strike
    | NextLump
    | NextMinute
    | Drain
)


# --- What follows from the parameters -------------------------------------------------------------


def lapse_of(params: Params) -> int:
    """Seconds of the limiters in a second of the picture."""
    return LAPSES[params.lapse]


def rate_of(params: Params) -> Fraction:
    """The allowed rate, in requests a second."""
    return Fraction(params.rate, PER_S[params.per])


def window_ms_of(params: Params) -> int:
    """The length of a window: as long as the rate needs for the burst, rounded up to a ms."""
    return -(-1_000 * params.burst * PER_S[params.per] // params.rate)


def bar_ms_of(params: Params) -> int:
    """The width of a bar of the chart, in ms of the picture: 25 to a window, or the whole day."""
    if params.lapse == "minutes-10":
        return 600
    window_ms = window_ms_of(params) // lapse_of(params)
    return next((bar for bar in BARS_MS if bar * 25 <= window_ms), BARS_MS[-1])


def lump_ms_of(params: Params) -> int:
    """The time between two lumps of a flood, in ms of the picture.

    Fine enough to see a window fill, and coarse enough that a window never holds more than a few
    hundred lumps: the log has an entry for each.
    """
    window_ms = window_ms_of(params) // lapse_of(params)
    if window_ms > BINS_KEPT * 100:
        return 200 * (window_ms // (BINS_KEPT * 200) + 1)
    return next((lump for lump in LUMPS_MS if lump * 50 <= window_ms), LUMPS_MS[-1])


def parts_of(params: Params) -> tuple[int, int]:
    """Parts that the rate gives back in a millisecond, and parts of a whole request."""
    rate = rate_of(params)
    return rate.numerator, 1_000 * rate.denominator


def due_lump(flood: Flood, params: Params) -> tuple[int, int]:
    """When the next lump of a flood comes (ms of the picture), and its number.

    Lump k holds the requests that a steady stream sends between k and k + 1 lump times. Where the
    stream is thin, lumps without any are left out.
    """
    per_lump = per_lump_of(flood, params)
    sent = int(flood.lump * per_lump)
    number = max(flood.lump, -int(-(sent + 1) / per_lump // 1) - 1)
    return flood.since_ms + number * lump_ms_of(params), number


def per_lump_of(flood: Flood, params: Params) -> Fraction:
    """How many requests of a flood come in the time of a lump."""
    seconds = Fraction(lump_ms_of(params) * lapse_of(params), 1_000)
    return rate_of(params) * flood.percent * seconds / 100


def lump_size(flood: Flood, params: Params) -> int:
    """How many requests the flood's next lump holds."""
    per_lump = per_lump_of(flood, params)
    return int((flood.lump + 1) * per_lump) - int(flood.lump * per_lump)


def minute_ms(state: State, minute: int) -> int:
    """When a minute of the recorded day begins in the picture."""
    return state.replay_ms + -(-minute * 60_000 // lapse_of(state.params))


def boundaries_ms(params: Params, now_ms: int) -> tuple[int, int]:
    """The next boundary of the windows: the last moment before it, and the first of it (picture).

    Both lie in the future.
    """
    lapse, window_ms = lapse_of(params), window_ms_of(params)
    index = now_ms * lapse // window_ms + 1
    while -(-index * window_ms // lapse) - 1 <= now_ms:
        index += 1
    first = -(-index * window_ms // lapse)
    return first - 1, first


# --- The run --------------------------------------------------------------------------------------


def init(params: Params, ctx: Context) -> State:
    """Six limiters at rest; nothing happens by itself."""
    rate = Per(params.rate, PER_S[params.per])
    burst, window_ms = params.burst, window_ms_of(params)
    return State(
        params,
        Six(
            TokenBucket(burst, rate),
            LeakyBucket(burst, rate),
            FixedWindow(burst, window_ms),
            SlidingWindowLog(burst, window_ms),
            SlidingWindowCounter(burst, window_ms),
            Gcra(burst, rate),
        ),
    )


def update(state: State, event: Event, ctx: Context) -> State:
    """The state after an event."""
    match event:
        case Send():
            return arrive(state, 1, ctx)
        case Burst(size) | Strike(size):
            return arrive(state, size, ctx)
        case StartFlood(percent):
            return start_flood(state, percent, ctx)
        case StopFlood():
            return replace(state, flood=None, minute=-1, epoch=state.epoch + 1)
        case AttackBoundary():
            for at_ms in boundaries_ms(state.params, ctx.now_ms):
                ctx.after(at_ms - ctx.now_ms, Strike(state.params.burst))
            return state
        case Replay():
            state = replace(
                state, flood=None, minute=0, replay_ms=ctx.now_ms, epoch=state.epoch + 1
            )
            ctx.after(0, NextMinute(state.epoch))
            return state
        case NextLump(epoch):
            return next_lump(state, ctx) if epoch == state.epoch else state
        case NextMinute(epoch):
            return next_minute(state, ctx) if epoch == state.epoch else state
        case Drain():
            return drain(state, ctx) if ctx.now_ms == state.drain_ms else state
    raise ValueError(f"rate_limiter has no event {event!r}")


def start_flood(state: State, percent: int, ctx: Context) -> State:
    """A flood takes the place of the one before it, and of the recorded day."""
    flood = Flood(percent, ctx.now_ms)
    at_ms, number = due_lump(flood, state.params)
    state = replace(state, flood=replace(flood, lump=number), minute=-1, epoch=state.epoch + 1)
    ctx.after(at_ms - ctx.now_ms, NextLump(state.epoch))
    return state


def next_lump(state: State, ctx: Context) -> State:
    """A lump of the flood arrives, and the next one is on its way."""
    flood = state.flood
    if flood is None:
        return state
    state = arrive(state, lump_size(flood, state.params), ctx)
    at_ms, number = due_lump(replace(flood, lump=flood.lump + 1), state.params)
    ctx.after(at_ms - ctx.now_ms, NextLump(state.epoch))
    return replace(state, flood=replace(flood, lump=number))


def next_minute(state: State, ctx: Context) -> State:
    """A minute of the recorded day arrives; after the last one the day is over."""
    asked = REQUESTS_BY_MINUTE[state.minute]
    if asked:
        state = arrive(state, asked, ctx)
    minute = state.minute + 1
    if minute == len(REQUESTS_BY_MINUTE):
        return replace(state, minute=-1)
    ctx.after(minute_ms(state, minute) - ctx.now_ms, NextMinute(state.epoch))
    return replace(state, minute=minute)


def arrive(state: State, asked: int, ctx: Context) -> State:
    """`asked` requests come at once; each limiter decides about every one of them."""
    state = pass_time(state, ctx.now_ms)
    token, (token_in, token_wait) = admit(state.six.token, asked)
    leaky, (leaky_in, leaky_wait) = admit(state.six.leaky, asked)
    fixed, (fixed_in, fixed_wait) = admit(state.six.fixed, asked)
    log, (log_in, log_wait) = admit(state.six.log, asked)
    counter, (counter_in, counter_wait) = admit(state.six.counter, asked)
    gcra, (gcra_in, gcra_wait) = admit(state.six.gcra, asked)
    admitted = (token_in, leaky_in, fixed_in, log_in, counter_in, gcra_in)
    lump = Lump(state.at_ms, asked, admitted)
    in_window = plus(state.in_window, admitted)
    whole = parts_of(state.params)[1]
    state = replace(
        state,
        six=Six(token, leaky, fixed, log, counter, gcra),
        newest=lump,
        waits_ms=(token_wait, leaky_wait, fixed_wait, log_wait, counter_wait, gcra_wait),
        recent=(*state.recent, lump),
        asked=state.asked + asked,
        admitted=plus(state.admitted, admitted),
        in_window=in_window,
        peak=tuple(map(max, state.peak, in_window)),
        excess=tuple(
            have + whole * more for have, more in zip(state.excess, admitted, strict=True)
        ),
        bar=replace(
            state.bar,
            asked=state.bar.asked + asked,
            admitted=plus(state.bar.admitted, admitted),
        ),
    )
    return watch_the_queue(state, ctx)


def admit(limiter: LimiterT, asked: int) -> tuple[LimiterT, tuple[int, int]]:
    """The limiter after so many requests of this moment; how many got in, and the wait (ms)."""
    admitted = min(asked, limiter.room)
    if admitted:
        limiter = limiter.charged(admitted)
    return limiter, (admitted, limiter.wait_ms() if admitted < asked else 0)


def plus(a: Counts, b: Counts) -> Counts:
    return tuple(x + y for x, y in zip(a, b, strict=True))


def pass_time(state: State, now_ms: int) -> State:
    """The state at a later moment of the picture, at which nothing has come yet."""
    bars, bar = turned(state.bars, state.bar, now_ms // bar_ms_of(state.params))
    at_ms = now_ms * lapse_of(state.params)
    if at_ms == state.at_ms:
        return replace(state, bars=bars, bar=bar)
    six = state.six.at(at_ms)
    released = state.six.leaky.waiting - six.leaky.waiting
    per_ms, whole = parts_of(state.params)
    given_back = per_ms * (at_ms - state.at_ms)
    window_ms = window_ms_of(state.params)
    return replace(
        state,
        six=six,
        at_ms=at_ms,
        released=state.released + released,
        released_excess=max(state.released_excess, 0) + whole * released - given_back,
        excess=tuple(max(0, have - given_back) for have in state.excess),
        recent=newer(state.recent, at_ms - window_ms - window_ms // 2),
        fixed_past=past_windows(state, six.fixed.window - state.six.fixed.window),
        in_window=less(state.in_window, state.recent, state.at_ms - window_ms, at_ms - window_ms),
        bars=bars,
        bar=replace(bar, released=bar.released + released),
    )


def past_windows(state: State, moved: int) -> tuple[int, int]:
    """What the fixed window admitted in the two windows before the one that is current now."""
    newest, (before, _) = state.six.fixed.used, state.fixed_past
    moves = (state.fixed_past, (newest, before), (0, newest), (0, 0))
    return moves[min(moved, 3)]


def newer(recent: tuple[Lump, ...], than_ms: int) -> tuple[Lump, ...]:
    """The lumps that came after a moment."""
    for index, lump in enumerate(recent):
        if lump.at_ms > than_ms:
            return recent[index:]
    return ()


def less(counts: Counts, recent: tuple[Lump, ...], after_ms: int, until_ms: int) -> Counts:
    """The counts without the lumps that came after a moment, up to another one."""
    for lump in recent:
        if lump.at_ms > until_ms:
            break
        if lump.at_ms > after_ms:
            counts = tuple(x - y for x, y in zip(counts, lump.admitted, strict=True))
    return counts


def turned(bars: tuple[Bar, ...], bar: Bar, number: int) -> tuple[tuple[Bar, ...], Bar]:
    """The chart with the bar of this number as the one that grows."""
    if number == bar.number:
        return bars, bar
    first_empty = max(bar.number + 1, number - BINS_KEPT)
    empty = tuple(Bar(k) for k in range(first_empty, number))
    return (*bars, bar, *empty)[-BINS_KEPT:], Bar(number)


def watch_the_queue(state: State, ctx: Context) -> State:
    """While requests wait in the leaky bucket, look at the end of each bar how many have left."""
    if not state.six.leaky.waiting or state.drain_ms > ctx.now_ms:
        return state
    bar_ms = bar_ms_of(state.params)
    end_ms = ctx.now_ms + bar_ms - 1 - ctx.now_ms % bar_ms
    if end_ms == ctx.now_ms:
        end_ms += bar_ms
    ctx.after(end_ms - ctx.now_ms, Drain())
    return replace(state, drain_ms=end_ms)


def drain(state: State, ctx: Context) -> State:
    """Count what has left the leaky bucket."""
    return watch_the_queue(replace(pass_time(state, ctx.now_ms), drain_ms=-1), ctx)
