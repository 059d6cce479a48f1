"""One question, many seeds: the answers of the same run under other seeds, and their spread.

Everything here is plain arithmetic, so that the browser and the command line print the same
numbers. A `Sweep` says what is run, `answers` runs it for some seeds, `spread_of` sums up.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import floor, fsum, isfinite
from typing import Any

from .kernel import Pattern, Question, RunLimit, Script, begin, run_script

SEEDS = 2**32
# As many events as a run in a page may have, so that a run of a sweep can be opened there.
LIMIT = 20_000
BINS_MAX = 20
PERCENTILES = (50, 90, 95, 99)
# What lies farther out than this many times the width of the middle goes into an open bin.
FAR = 3


@dataclass(frozen=True, slots=True)
class Sweep:
    """What is run for every seed: a pattern with parameters, script and length, and the question.

    `limit` is the most events that a run may have; one with more counts as failed.
    """

    pattern: Pattern
    params: Any
    script: Script
    until_ms: int
    question: Question
    limit: int = LIMIT


@dataclass(frozen=True, slots=True)
class Answer:
    """What the run of a seed answers: a number in the question's unit, or why there is none.

    Without a `value` and without a `failure` the run came to its end and has no answer.
    """

    seed: int
    value: float | None
    failure: str = ""


def check_seeds(first: int, count: int) -> None:
    """`ValueError` unless `count` (1 or more) seeds from `first` on are seeds."""
    if type(first) is not int or not 0 <= first < SEEDS:
        raise ValueError(f"the first seed must be an integer from 0 to {SEEDS - 1}, got {first!r}")
    if type(count) is not int or not 1 <= count <= SEEDS - first:
        raise ValueError(
            f"the number of seeds must be an integer from 1 to {SEEDS - first}, got {count!r}"
        )


def answers(sweep: Sweep, first: int, count: int) -> Iterator[Answer]:
    """The answers of the seeds `first` to `first + count - 1`, in order, each when it is asked for.

    A run that takes too many events, or in which the script does something that this seed's run
    does not allow, is a failure and not an answer; the others go on.
    """
    check_seeds(first, count)
    return (answer_of(sweep, seed) for seed in range(first, first + count))


def answer_of(sweep: Sweep, seed: int) -> Answer:
    """The answer of one seed."""
    start = begin(sweep.pattern, sweep.params, seed)
    try:
        history = run_script(start, sweep.script, sweep.until_ms, sweep.limit)
    except (ValueError, RunLimit) as problem:
        return Answer(seed, None, str(problem))
    value = sweep.question.measure(history)
    if value is not None and not isfinite(value):
        raise ValueError(f"{sweep.question.id} must be finite, got {value!r} for seed {seed}")
    return Answer(seed, value)


# --- The spread -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Bin:
    """So many answers from `low` to below `high`; `None` is an open end."""

    low: float | None
    high: float | None
    count: int

    def text(self, whole: bool) -> str:
        """Which answers it holds, in words; `whole` says that all of them are integers."""
        if self.low is None:
            return f"below {edge_text(self.high or 0.0)}"
        if self.high is None:
            return f"{edge_text(self.low)} or more"
        if not whole:
            return f"{edge_text(self.low)} to below {edge_text(self.high)}"
        if self.high - self.low == 1:
            return edge_text(self.low)
        return f"{edge_text(self.low)} to {edge_text(self.high - 1)}"


@dataclass(frozen=True, slots=True)
class Spread:
    """The answers of a sweep, summed up.

    Of `count` runs some `answered`, some had no answer (`unanswered`), some `failed`. The
    percentiles are by nearest rank: p95 is the smallest answer that 95 % of the answers do not
    exceed, so it is the answer of a run and no mean of two. All numbers but the counts are `None`
    when nobody answered. `worst`, `median` and `best` are the seeds of such runs, the lowest seed
    where several are alike. `whole` says that all answers are integers; then a bin holds those
    from `low` to below `high`.
    """

    count: int
    answered: int
    unanswered: int
    failed: int
    low: float | None = None
    high: float | None = None
    mean: float | None = None
    percentiles: Mapping[int, float] | None = None
    worst: int | None = None
    median: int | None = None
    best: int | None = None
    bins: tuple[Bin, ...] = ()
    whole: bool = False

    def plain(self) -> dict[str, Any]:
        """The numbers as plain JSON; percentiles are called p50, p90 and so on."""
        return {
            "count": self.count,
            "answered": self.answered,
            "unanswered": self.unanswered,
            "failed": self.failed,
            "min": self.low,
            "max": self.high,
            "mean": self.mean,
            **{f"p{percent}": value for percent, value in (self.percentiles or {}).items()},
            "worst": self.worst,
            "median": self.median,
            "best": self.best,
            "bins": [[each.low, each.high, each.count] for each in self.bins],
        }


def spread_of(found: Sequence[Answer], better: str = "less") -> Spread:
    """The spread of answers; with `better` "more" the lowest is the worst."""
    answered = [each for each in found if each.value is not None]
    values = sorted(each.value for each in answered if each.value is not None)
    failed = sum(bool(each.failure) for each in found)
    unanswered = len(found) - len(values) - failed
    if not values:
        return Spread(len(found), 0, unanswered, failed)
    least, most = values[0], values[-1]
    ranks = {percent: rank(values, percent) for percent in PERCENTILES}

    def seed_of(value: float) -> int:
        return min(each.seed for each in answered if each.value == value)

    worst, best = (most, least) if better == "less" else (least, most)
    return Spread(
        count=len(found),
        answered=len(values),
        unanswered=unanswered,
        failed=failed,
        low=least,
        high=most,
        mean=fsum(values) / len(values),
        percentiles=ranks,
        worst=seed_of(worst),
        median=seed_of(ranks[50]),
        best=seed_of(best),
        bins=histogram(values),
        whole=is_whole(values),
    )


def rank(values: Sequence[float], percent: int) -> float:
    """The smallest of sorted `values` that `percent` (1 to 100) % of them do not exceed."""
    return values[-(-percent * len(values) // 100) - 1]


def is_whole(values: Sequence[float]) -> bool:
    """Whether all values are integers."""
    return all(value == floor(value) for value in values)


# --- The histogram --------------------------------------------------------------------------------


def histogram(values: Sequence[float]) -> tuple[Bin, ...]:
    """Sorted `values` in bins of one width with round edges; at most some twenty.

    The middle of the distribution decides how wide they are. Where a few values lie far outside, an
    open bin at that end takes them, so that one outlier does not press all others into one bar.
    """
    low, high = middle(values)
    step = round_step(high - low, whole=is_whole(values))
    first, last = floor(low / step[0] * step[1]), floor(high / step[0] * step[1])
    edges = [edge(number, step) for number in range(first, last + 2)]
    # A division that rounds may have put an end on the wrong side of its edge.
    if low < edges[0]:
        edges.insert(0, edge(first - 1, step))
    if high >= edges[-1]:
        edges.append(edge(last + 2, step))
    counts = [0] * (len(edges) + 1)
    for value in values:
        counts[bisect_right(edges, value)] += 1
    bounds = [None, *edges, None]
    bins = [Bin(bounds[index], bounds[index + 1], count) for index, count in enumerate(counts)]
    start = 0 if counts[0] else 1
    return tuple(bins[start : len(bins) if counts[-1] else -1])


def middle(values: Sequence[float]) -> tuple[float, float]:
    """Where the histogram's closed bins begin and end: at the ends, or not far from the middle."""
    low, high = values[0], values[-1]
    inner_low, inner_high = rank(values, 5), rank(values, 95)
    width = inner_high - inner_low
    if not width:
        return low, high
    if high > inner_high + FAR * width:
        high = values[bisect_right(values, inner_high + width) - 1]
    if low < inner_low - FAR * width:
        low = values[bisect_left(values, inner_low - width)]
    return low, high


def round_step(width: float, *, whole: bool) -> tuple[int, int]:
    """The width of a bin, 1, 2 or 5 times a power of ten, as a numerator and a denominator.

    Integers keep edges that are exact: an edge is the double next to its decimal.
    """
    if whole and width < BINS_MAX:
        return 1, 1
    if not width:
        return 1, 10
    power = power_of_ten(width / BINS_MAX) - 1
    while True:
        for factor in (1, 2, 5):
            top, bottom = (factor * 10**power, 1) if power >= 0 else (factor, 10**-power)
            if width / top * bottom <= BINS_MAX and not (whole and top < bottom):
                return top, bottom
        power += 1


def power_of_ten(value: float) -> int:
    """The exponent of the largest power of ten that a value above 0 reaches.

    By comparisons: the last bits of a logarithm differ between C libraries.
    """
    power = 0
    while value >= 10 ** (power + 1):
        power += 1
    while power > -300 and power <= 0 and value * 10**-power < 1:
        power -= 1
    return power


def edge(number: int, step: tuple[int, int]) -> float:
    """Edge number `number`, counted from zero."""
    return number * step[0] / step[1]


# --- As text --------------------------------------------------------------------------------------


def number_text(value: float) -> str:
    """An answer as CSV and JSON have it: an integer without a point, all digits that count."""
    return str(int(value)) if value == floor(value) else repr(value)


def edge_text(value: float) -> str:
    """An edge of a bin, which is round."""
    return f"{value:,.0f}" if abs(value) >= 1_000 else number_text(value)


def csv_of(found: Sequence[Answer]) -> str:
    """A line for each seed: the seed, its answer, and why there is none."""
    lines = ["seed,answer,note"]
    for each in found:
        if each.value is not None:
            lines.append(f"{each.seed},{number_text(each.value)},")
        else:
            note = each.failure or "no answer"
            lines.append(f'{each.seed},,"{note.replace(chr(34), chr(34) * 2)}"')
    return "\n".join(lines) + "\n"
