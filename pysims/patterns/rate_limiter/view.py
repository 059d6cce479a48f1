"""Layout of the six limiters: a card each on the left, and what each admits over time on the right.

Times on the cards run to the right, with now at the same place on all of them; a window is as long
as the whole burst takes at the allowed rate, which is also how far ahead GCRA lets its theoretical
arrival time run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import groupby
from typing import Any

from ...phrases import listed
from .day import REQUESTS_BY_MINUTE
from .model import (
    GCRA,
    LEAKY,
    TOKEN,
    AttackBoundary,
    Bar,
    Burst,
    Drain,
    Event,
    NextLump,
    NextMinute,
    Replay,
    Send,
    StartFlood,
    State,
    StopFlood,
    Strike,
    bar_ms_of,
    lapse_of,
    parts_of,
    pass_time,
    rate_of,
    window_ms_of,
)

NAMES = (
    "Token bucket",
    "Leaky bucket",
    "Fixed window",
    "Sliding window log",
    "Sliding window counter",
    "GCRA",
)
IN_TEXT = (
    "the token bucket",
    "the leaky bucket",
    "the fixed window",
    "the log",
    "the counter",
    "GCRA",
)
KINDS = ("token", "leaky", "fixed", "log", "counter", "gcra")

# Cards: 340 wide. A window length is WINDOW units.
NOW, WINDOW, LEFT, RIGHT = 200.0, 132.0, 4.0, 336.0
TOP, FLOOR = 18.0, 54.0
DOTS, DOT = 50, 8.0

# The chart: seven rows on one axis.
CHART_LEFT, CHART_RIGHT = 8.0, 334.0
ROW_TOP, ROW, ROW_HEIGHT = 24.0, 76.0, 50.0
BARS_SHOWN, BARS_OF_DAY = 80, 240


# --- Words and numbers ----------------------------------------------------------------------------


def span(ms: float) -> str:
    """A duration for people: "80 ms", "3.70 s", "20 min 24 s", "2 h 5 min"."""
    if ms < 1_000:
        return f"{ms:.0f} ms"
    seconds = ms / 1_000
    if seconds < 60:
        return f"{seconds:.2f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def requests(count: int) -> str:
    return f"{count:,} request{'' if count == 1 else 's'}"


def length(ms: float) -> str:
    """A duration without needless zeros: "5 s" where `span` says "5.00 s"."""
    return f"{ms / 1_000:g} s" if 1_000 <= ms < 60_000 else span(ms)


def exactly(ms: int) -> str:
    """A duration to the millisecond: "99 ms", "4.999 s", "720.001 s"."""
    if ms < 1_000:
        return f"{ms} ms"
    return f"{ms / 1_000:,.3f}".rstrip("0").rstrip(".") + " s"


def moment(state: State, at_ms: int) -> str:
    """A time of the limiters: seconds, or the time of the day where hours fly by."""
    if lapse_of(state.params) == 1:
        return f"{at_ms / 1_000:.2f} s"
    hours, minutes = divmod(at_ms // 60_000, 60)
    return f"{hours}:{minutes:02d}"


def per(state: State) -> str:
    """The allowed rate in words."""
    return f"{state.params.rate:,} a {state.params.per}".replace("a hour", "an hour")


def limit(state: State) -> str:
    """The limit of a window in words."""
    return f"{state.params.burst:,} in {length(window_ms_of(state.params))}"


def settled(state: State, now_ms: int) -> State:
    """The state at the moment of the picture: levels fall and windows slide between events too."""
    return pass_time(state, now_ms)


# --- Cards ----------------------------------------------------------------------------------------


def on_axis(state: State, at_ms: float) -> float:
    """Where a time of the limiters lies on a card."""
    return NOW + WINDOW * (at_ms - state.at_ms) / window_ms_of(state.params)


def within(x: float) -> float:
    return min(max(x, LEFT), RIGHT)


def token_picture(state: State) -> dict[str, Any]:
    """A bucket, how full it is, and the drop that is on its way."""
    bucket = state.six.token
    tokens = float(bucket.tokens)
    full = tokens / bucket.capacity
    return {
        "level": FLOOR - (FLOOR - TOP) * full,
        "height": (FLOOR - TOP) * full,
        "drop": 4.0 + 12.0 * (tokens % 1),
        "dripping": full < 1,
        "text": f"{tokens:,.1f} of {bucket.capacity:,} tokens"
        if full < 1
        else f"full: {bucket.capacity:,} tokens",
        "note": f"{per(state)} drip in",
    }


def leaky_picture(state: State) -> dict[str, Any]:
    """A queue before a hole: a dot for each request that waits, or for a few of them."""
    bucket = state.six.leaky
    each = -(-bucket.capacity // DOTS)
    whole = parts_of(state.params)[1]
    count = -(-bucket.waiting // each)
    cells = [
        {"x": 219.0 - 8.8 * (k // 2), "y": TOP + 8.5 + 11.0 * (k % 2), "kind": "waiting"}
        for k in range(count)
    ]
    return {
        "cells": cells,
        "size": DOT,
        "leaving": 240.0 + 36.0 * (-bucket.level % whole) / whole if bucket.level else None,
        "text": f"{bucket.waiting:,} of {bucket.capacity:,} wait"
        + (f"; the last leaves in {span(bucket.delay_ms)}" if bucket.waiting else ""),
        "note": f"{per(state)} leave",
        "each": f"a dot is {each:,} requests" if each > 1 else "",
    }


def boxes(state: State, counts: Iterable[tuple[int, int | None]]) -> list[dict[str, Any]]:
    """Windows on the axis: (number, count) each, filled as far as they are used."""
    window_ms, most = window_ms_of(state.params), state.params.burst
    drawn = []
    for number, count in counts:
        x1 = within(on_axis(state, number * window_ms))
        x2 = within(on_axis(state, (number + 1) * window_ms))
        if number < 0 or x2 - x1 < 0.5:
            continue
        height = (FLOOR - TOP) * min(1.0, (count or 0) / most)
        drawn.append(
            {
                "number": number,
                "x": x1,
                "width": x2 - x1,
                "y": FLOOR - height,
                "height": height,
                "label": f"{count:,}" if count is not None and x2 - x1 > 30 else "",
                "middle": (x1 + x2) / 2,
                "current": number == state.six.fixed.window,
                "full": count is not None and count >= most,
            }
        )
    return drawn


def fixed_picture(state: State) -> dict[str, Any]:
    """The windows on the axis, each with its own count."""
    window = state.six.fixed
    before, earlier = state.fixed_past
    counts: list[tuple[int, int | None]] = [
        (window.window - 2, earlier),
        (window.window - 1, before),
        (window.window, window.used),
        (window.window + 1, None),
    ]
    ends_ms = (window.window + 1) * window.window_ms - state.at_ms
    return {
        "boxes": boxes(state, counts),
        "text": f"{window.used:,} of {window.limit:,}; starts over in {span(ends_ms)}",
    }


def log_picture(state: State) -> dict[str, Any]:
    """A tick for each moment at which requests were admitted, and the window that slides."""
    log = state.six.log
    strokes = []
    for entry in state.recent:
        count = entry.admitted[3]
        if count:
            height = 8.0 + 20.0 * min(1.0, count / log.limit)
            strokes.append(
                (entry.at_ms, f"M{on_axis(state, entry.at_ms):.1f} {FLOOR}v{-height:.1f}")
            )
    edge = state.at_ms - log.window_ms
    text = f"{log.used:,} of {log.limit:,} in the last {length(log.window_ms)}"
    return {
        "kept": "".join(d for at_ms, d in strokes if at_ms > edge),
        "gone": "".join(d for at_ms, d in strokes if at_ms <= edge),
        "edge": on_axis(state, edge),
        "text": text,
    }


def counter_picture(state: State) -> dict[str, Any]:
    """Two windows, and how much of the older one still counts."""
    counter = state.six.counter
    share = counter.left_ms / counter.window_ms
    edge = within(on_axis(state, state.at_ms - counter.window_ms))
    turn = within(on_axis(state, counter.window * counter.window_ms))
    estimate = float(counter.estimate)
    return {
        "boxes": boxes(
            state,
            [(counter.window - 1, counter.previous), (counter.window, counter.current)],
        ),
        "edge": edge,
        "turn": turn,
        "text": f"{counter.previous:,} × {share:.2f} + {counter.current:,} = {estimate:,.1f}"
        f" of {counter.limit:,}",
    }


def gcra_picture(state: State) -> dict[str, Any]:
    """How far the theoretical arrival time is ahead of now, and how far it may be."""
    gcra = state.six.gcra
    ahead_ms = max(0.0, float(gcra.tat_ms) - state.at_ms)
    most_ms = float(gcra.interval_ms) * gcra.burst
    return {
        "tat": on_axis(state, state.at_ms + ahead_ms),
        "most": on_axis(state, state.at_ms + most_ms),
        "text": f"next due (TAT) {span(ahead_ms)} ahead, at most {length(most_ms)}",
    }


PICTURES: tuple[Callable[[State], dict[str, Any]], ...] = (
    token_picture,
    leaky_picture,
    fixed_picture,
    log_picture,
    counter_picture,
    gcra_picture,
)


def verdict(state: State, which: int) -> dict[str, str]:
    """What a limiter said about the newest requests."""
    lump = state.newest
    if lump is None:
        return {"mark": "none", "text": "nothing asked yet", "wait": ""}
    admitted, refused = lump.admitted[which], lump.asked - lump.admitted[which]
    word = "queued" if which == LEAKY else "admitted"
    if not refused:
        text = f"✓ {word}" if admitted == 1 else f"✓ {admitted:,} {word}"
        return {"mark": "good", "text": text, "wait": ""}
    wait_ms = state.waits_ms[which]
    # The header counts whole seconds (RFC 9110, section 10.2.3), so it says the next whole one.
    wait = f"Retry-After: {-(-wait_ms // 1_000):,} (exactly {exactly(wait_ms)})"
    if not admitted:
        text = "✕ refused" if refused == 1 else f"✕ {refused:,} refused"
        return {"mark": "bad", "text": text, "wait": wait}
    return {"mark": "some", "text": f"✓ {admitted:,} {word} ✕ {refused:,} refused", "wait": wait}


def memory(state: State, which: int) -> str:
    """What the limiter keeps for this client."""
    numbers = state.six.all[which].numbers_kept
    text = f"keeps {numbers:,} number{'' if numbers == 1 else 's'}, {8 * numbers:,} B"
    if which == LEAKY:
        text += f", and {state.six.leaky.waiting:,} waiting"
    return text


def card(state: State, which: int) -> dict[str, Any]:
    """One limiter: its picture, its verdict, its wait, its memory, its busiest window length."""
    # Buckets never promised to keep a limit in a window: only a window that exceeds its own is bad.
    peak, most = state.peak[which], state.params.burst
    over = peak > most and which not in (TOKEN, LEAKY, GCRA)
    return {
        "kind": KINDS[which],
        "name": NAMES[which],
        "verdict": verdict(state, which),
        "memory": memory(state, which),
        "peak": f"{peak:,}",
        "over": over,
        "times": f"{peak / most:.1f} × the limit" if over else "",
        "picture": PICTURES[which](state),
    }


# --- The chart ------------------------------------------------------------------------------------


def chart_of(state: State, now_ms: int) -> dict[str, Any]:
    """Seven rows on one axis of time: what came, and what each limiter admitted of it."""
    bar_ms, lapse = bar_ms_of(state.params), lapse_of(state.params)
    shown = BARS_OF_DAY if state.params.lapse == "minutes-10" else BARS_SHOWN
    newest = now_ms // bar_ms
    first = max(0, newest - shown + 1)
    bars = [bar for bar in (*state.bars, state.bar) if bar.number >= first]
    width = (CHART_RIGHT - CHART_LEFT) / shown
    line = float(rate_of(state.params)) * bar_ms * lapse / 1_000
    tallest = max((max(*bar.admitted, bar.released) for bar in bars), default=0)
    scale = ROW_HEIGHT / min(max(tallest, 2 * line), 6 * line)
    asked = max((bar.asked for bar in bars), default=0)

    def x_of(number: float) -> float:
        return CHART_LEFT + width * (number - first)

    rows = [row(state, which, bars, scale, x_of) for which in range(6)]
    floor = ROW_TOP + ROW_HEIGHT
    return {
        "rows": rows,
        "arrivals": area(
            ((bar.number, bar.asked) for bar in bars),
            ROW_HEIGHT / max(asked, 2 * line),
            floor,
            x_of,
        ),
        "asked": f"{state.asked:,}",
        "tallest": f"tallest bar: {asked:,}" if asked else "",
        "floor": floor,
        "line": line * scale,
        "ticks": ticks(state, first, shown, x_of),
        "turns": turns(state, first, shown, x_of),
        "now": x_of(now_ms / bar_ms),
        "bottom": ROW_TOP + ROW_HEIGHT + 6 * ROW,
        "left": CHART_LEFT,
        "right": CHART_RIGHT,
        "bar": span(bar_ms * lapse),
    }


def row(
    state: State, which: int, bars: list[Bar], scale: float, x_of: Callable[[float], float]
) -> dict[str, Any]:
    """One limiter in the chart: what it admitted (the leaky bucket: let out), where it refused."""
    floor = ROW_TOP + ROW_HEIGHT + ROW * (which + 1)
    through = [(b.number, b.released if which == LEAKY else b.admitted[which]) for b in bars]
    refused = [b.number for b in bars if b.asked > b.admitted[which]]
    cut = [(number, count) for number, count in through if count * scale > ROW_HEIGHT + 0.5]
    total = state.released if which == LEAKY else state.admitted[which]
    return {
        "kind": KINDS[which],
        "name": NAMES[which],
        "floor": floor,
        "d": area(through, scale, floor, x_of),
        "queued": area(((b.number, b.admitted[which]) for b in bars), scale, floor, x_of)
        if which == LEAKY
        else "",
        "refused": band(refused, floor + 4.0, x_of),
        "cut": [
            {"x": min(x_of(number + 0.5), CHART_RIGHT - 14), "text": f"{count:,}"}
            for number, count in apart(cut, x_of)
        ],
        "total": f"{total:,} {'out' if which == LEAKY else '✓'}"
        f" {state.asked - state.admitted[which]:,} ✕",
    }


def apart(cut: list[tuple[int, int]], x_of: Callable[[float], float]) -> list[tuple[int, int]]:
    """The tallest of what stands too close together for a number each."""
    kept: list[tuple[int, int]] = []
    for number, count in sorted(cut, key=lambda pair: (-pair[1], pair[0])):
        if all(abs(x_of(number) - x_of(other)) > 46 for other, _ in kept):
            kept.append((number, count))
    return kept[:4]


def area(
    counts: Iterable[tuple[int, int]],
    scale: float,
    floor: float,
    x_of: Callable[[float], float],
) -> str:
    """An area under bars; neighbors of one height make one bar, and none is taller than its row."""
    pieces: list[str] = []
    last, end = "", 0
    for number, count in counts:
        height = min(count * scale, ROW_HEIGHT + 2.0)
        y = f"{floor - height:.1f}"
        if not pieces:
            pieces.append(f"M{x_of(number):.1f} {floor:.1f}")
        if y != last:
            pieces.append(f"H{x_of(number):.1f}V{y}")
        last, end = y, number + 1
    return "".join([*pieces, f"H{x_of(end):.1f}V{floor:.1f}Z"]) if pieces else ""


def band(numbers: list[int], y: float, x_of: Callable[[float], float]) -> str:
    """A line below the bars in which something was refused."""
    pieces = []
    for _, group in groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0]):
        run = [number for _, number in group]
        start, end = x_of(run[0]), x_of(run[-1] + 1)
        pieces.append(f"M{start:.1f} {y:.1f}H{max(end, start + 2.0):.1f}")
    return "".join(pieces)


STEPS_MS = (
    100, 200, 500, 1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000, 300_000, 600_000, 1_800_000,
    3_600_000, 4 * 3_600_000, 6 * 3_600_000,
)  # fmt: skip


def ticks(
    state: State, first: int, shown: int, x_of: Callable[[float], float]
) -> list[dict[str, Any]]:
    """Times below the chart: about five, round ones."""
    per_bar = bar_ms_of(state.params) * lapse_of(state.params)
    step = next((s for s in STEPS_MS if shown * per_bar / s <= 6.5), STEPS_MS[-1])
    number = -(-first * per_bar // step)
    marks = []
    while number * step <= (first + shown) * per_bar:
        at_ms = number * step
        marks.append({"x": x_of(at_ms / per_bar), "label": tick_label(state, at_ms)})
        number += 1
    return marks


def tick_label(state: State, at_ms: int) -> str:
    if lapse_of(state.params) == 1:
        return f"{at_ms / 1_000:g} s"
    return f"{at_ms // 3_600_000}:{at_ms // 60_000 % 60:02d}"


def turns(state: State, first: int, shown: int, x_of: Callable[[float], float]) -> list[float]:
    """Where windows turn, if they are far enough apart to be told apart."""
    per_bar = bar_ms_of(state.params) * lapse_of(state.params)
    window_ms = window_ms_of(state.params)
    if shown * per_bar / window_ms > 16:
        return []
    begin = -(-first * per_bar // window_ms)
    end = (first + shown) * per_bar // window_ms
    return [x_of(k * window_ms / per_bar) for k in range(max(1, begin), end + 1)]


# --- Everything -----------------------------------------------------------------------------------


def sending(state: State) -> str:
    """What the client is doing."""
    if state.minute >= 0:
        hour, minute = divmod(state.minute, 60)
        return f"now: the recorded day, {hour}:{minute:02d}"
    if state.flood:
        return f"now: steadily {state.flood.percent} % of the rate"
    return "now: nothing"


def readouts(state: State) -> list[dict[str, str]]:
    """The numbers beside the picture."""
    numbers = [
        ("Allowed", per(state), f"{state.params.burst:,} at once"),
        ("A window", limit(state), "the same rate and burst"),
        ("Asked so far", f"{state.asked:,}", sending(state)),
        ("The limiters’ clock", moment(state, state.at_ms), lapse_words(state)),
    ]
    return [{"label": label, "value": value, "note": note} for label, value, note in numbers]


def lapse_words(state: State) -> str:
    lapse = lapse_of(state.params)
    return "" if lapse == 1 else f"{length(1_000 * lapse)} in a second of the picture"


def view(state: State, now_ms: int) -> dict[str, Any]:
    """Everything that the scene draws."""
    state = settled(state, now_ms)
    lump = state.newest
    return {
        "cards": [card(state, which) for which in range(6)],
        "chart": chart_of(state, now_ms),
        "now": NOW,
        "left": LEFT,
        "right": RIGHT,
        "top": TOP,
        "floor": FLOOR,
        "window": length(window_ms_of(state.params)),
        "newest": "Nothing has been asked yet."
        if lump is None
        else f"Newest: {requests(lump.asked)} at {moment(state, lump.at_ms)}",
        "readouts": readouts(state),
    }


# --- Sentences ------------------------------------------------------------------------------------


def opening(state: State) -> str:
    """How a run starts, in a sentence."""
    return (
        f"Six limiters allow {per(state)} and {state.params.burst:,} at once; "
        f"a window is {limit(state)}. Nothing has been asked yet."
    )


def decided(state: State) -> str:
    """Who admitted how many of the newest requests."""
    lump = state.newest
    if lump is None:
        return ""
    groups: dict[int, list[str]] = {}
    for name, count in zip(IN_TEXT, lump.admitted, strict=True):
        groups.setdefault(count, []).append(name)
    if len(groups) == 1:
        [count] = groups
        if lump.asked == 1:
            return "every limiter admits it" if count else "every limiter refuses it"
        what = "all" if count == lump.asked else f"{count:,}" if count else "none"
        return f"every limiter admits {what}"
    return "; ".join(
        f"{listed(names)} {decision(count, lump.asked, len(names) > 1)}"
        for count, names in sorted(groups.items(), reverse=True)
    )


def decision(count: int, asked: int, several: bool) -> str:
    """What one or several limiters did with the newest requests, as a verb with its object."""
    if not count:
        return f"refuse{'' if several else 's'} {'it' if asked == 1 else 'all'}"
    what = "it" if asked == 1 else "all" if count == asked else f"{count:,}"
    return f"admit{'' if several else 's'} {what}"


def describe(before: State | None, event: Event | None, after: State) -> str:
    """What an event did, in a sentence; without an event, how the run starts."""
    if event is None or before is None:
        return opening(after)
    match event:
        case Send() | Burst() | Strike():
            size = after.asked - before.asked
            return f"{requests(size)}: {decided(after)}."
        case NextLump() | NextMinute():
            if after.asked == before.asked:
                return "An alarm of a flood that is over: nothing happens."
            size = after.asked - before.asked
            start = f"{moment(after, after.at_ms)}, {requests(size)}"
            return f"{start}: {decided(after)}."
        case StartFlood(percent):
            return f"The client starts to send at {percent} % of the allowed rate."
        case StopFlood():
            return "The client stops sending."
        case AttackBoundary():
            return (
                f"The client will send {after.params.burst:,} just before the windows turn, and"
                f" {after.params.burst:,} as they turn."
            )
        case Replay():
            return (
                f"The recorded day begins: {sum(REQUESTS_BY_MINUTE):,} requests, as they came"
                " minute by minute."
            )
        case Drain():
            return f"In the leaky bucket, {after.six.leaky.waiting:,} still wait."


def alternative(state: State, now_ms: int) -> str:
    """What a sighted reader sees, as text."""
    state = settled(state, now_ms)
    parts = [
        f"{name}: {admitted:,} of {state.asked:,} admitted"
        + (f" and {state.released:,} let out" if which == LEAKY else "")
        + f", at most {peak:,} in any {length(window_ms_of(state.params))},"
        f" {memory(state, which)}"
        for which, (name, admitted, peak) in enumerate(
            zip(NAMES, state.admitted, state.peak, strict=True)
        )
    ]
    return (
        f"Six limiters allow {per(state)} and {state.params.burst:,} at once, or {limit(state)}."
        f" The limiters’ clock shows {moment(state, state.at_ms)}. {'. '.join(parts)}."
    )
