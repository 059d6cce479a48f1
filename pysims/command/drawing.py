"""What `pysims plot` draws, with matplotlib: a run over time, and the spread of a sweep."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..kernel import History, Pattern, Question
from ..sweep import Spread
from .choice import Chosen
from .runs import BAD, violated

INK, ACCENT, SOFT, WRONG = "#1d2730", "#0b6273", "#9cc7d1", "#b3261e"
# More readouts than these would be smaller than their labels.
LINES_MAX = 4
SAMPLES = 240
NUMBER = re.compile(r"([−-]?)\$?([\d,]+(?:\.\d+)?)[\s\u00a0]*([^\d\s]{0,12})")
# Spans of time for an axis: from so many ms on, and how many ms are one.
SPANS = (
    (1_000 * 86_400 * 1_000, 31_557_600_000, "years"),
    (4 * 3_600 * 1_000, 3_600_000, "hours"),
    (4_000, 1_000, "seconds"),
    (0, 1, "ms"),
)


def save(figure: Figure, path: Path) -> None:
    """Write a figure in the format of the file's suffix; the same run gives the same SVG."""
    dated = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
    with rc_context({"svg.hashsalt": "pysims"}):
        figure.savefig(path, dpi=150, metadata=dated.get(path.suffix.lower()))


# --- One run --------------------------------------------------------------------------------------


def of_run(run: Chosen, history: History[Any]) -> Figure:
    """Kinds of events as rows, readouts that are numbers as lines, and where invariants fall."""
    span = next(each for each in SPANS if run.until_ms >= each[0])
    kinds = rows_of(history, span[1])
    lines = readouts_of(run.pattern, history, span[1])
    heights = [0.8 + 0.26 * len(kinds), *(1.2 for _ in lines)]
    figure = Figure(figsize=(9, sum(heights) + 1.1), layout="constrained")
    axes = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)
    rows, *below = axes[:, 0]
    draw_rows(rows, kinds)
    for one, (label, (unit, points)) in zip(below, lines.items(), strict=True):
        one.step(*zip(*points, strict=True), where="post", color=ACCENT, linewidth=1.4)
        one.set_title(f"{label} ({unit})" if unit else label, loc="left", fontsize=9, color=INK)
        plain(one)
    for number, (time_ms, name) in enumerate(falls_of(run.pattern, history)):
        for each in axes[:, 0]:
            each.axvline(time_ms / span[1], color=WRONG, linewidth=1, linestyle="--")
        # One below the other, for several may fall at a moment.
        rows.annotate(
            f"{BAD} {name}",
            (time_ms / span[1], 1 - 0.07 * number),
            xycoords=("data", "axes fraction"),
            xytext=(3, -2),
            textcoords="offset points",
            va="top",
            fontsize=8,
            color=WRONG,
        )
    axes[-1, 0].set_xlabel(f"simulated time, {span[2]}")
    rows.set_xlim(0, max(run.until_ms, 1) / span[1])
    story = run.pattern.scenario(run.scenario)
    figure.suptitle(f"{run.pattern.title}: {story.title} (seed {run.seed})", fontsize=11)
    return figure


def rows_of(history: History[Any], unit_ms: int) -> dict[str, list[float]]:
    """Kind of event → when there was one, in order of their first; stale alarms left out."""
    kinds: dict[str, list[float]] = {}
    for index in range(1, len(history)):
        before, event, after = history.change(index)
        if before is not after:
            kinds.setdefault(type(event).__name__, []).append(history.time_ms(index) / unit_ms)
    return kinds


def draw_rows(axes: Axes, kinds: dict[str, list[float]]) -> None:
    """A row of ticks for each kind of event."""
    if kinds:
        axes.eventplot(
            list(kinds.values()), lineoffsets=range(len(kinds)), linelengths=0.7, color=ACCENT
        )
    axes.set_yticks(range(len(kinds)), list(kinds), fontsize=8)
    axes.invert_yaxis()
    plain(axes)


def plain(axes: Axes) -> None:
    """No box around, and quiet ticks."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)


def number_in(text: str) -> tuple[float, str] | None:
    """The number and the unit of a readout, or nothing if it is something else."""
    match = NUMBER.fullmatch(text.strip())
    if match is None:
        return None
    sign, digits, unit = match.groups()
    value = float(digits.replace(",", ""))
    return (-value if sign else value), unit or ("$" if "$" in text else "")


def readouts_of(
    pattern: Pattern, history: History[Any], unit_ms: int
) -> dict[str, tuple[str, list[tuple[float, float]]]]:
    """Readout → its unit and its points, of those that are numbers of one unit and change."""
    found: dict[str, list[tuple[float, float, str]]] = {}
    never: set[str] = set()
    step = max(1, len(history) // SAMPLES)
    for index in sorted({*range(0, len(history), step), len(history) - 1}):
        now_ms = history.time_ms(index)
        for each in pattern.view(state_at(history, index), now_ms)["readouts"]:
            read = number_in(each["value"])
            if read is not None:
                found.setdefault(each["label"], []).append((now_ms / unit_ms, *read))
            elif each["value"] != "–":
                never.add(each["label"])
    kept = {}
    for label, points in found.items():
        units = {unit for _, _, unit in points}
        if label not in never and len(units) == 1 and len({value for _, value, _ in points}) > 1:
            kept[label] = (units.pop(), [(time, value) for time, value, _ in points])
    return dict(list(kept.items())[:LINES_MAX])


def state_at(history: History[Any], index: int) -> Any:
    """The state of an instant, without the work of building its queue."""
    return history.change(index)[2] if index else history[0].state


def falls_of(pattern: Pattern, history: History[Any]) -> Iterator[tuple[int, str]]:
    """When an invariant falls that held before (ms), and its name."""
    fallen: frozenset[str] = frozenset()
    for index, state in enumerate(history.states()):
        now = violated(pattern, state)
        yield from ((history.time_ms(index), name) for name in sorted(now - fallen))
        fallen = now


# --- Many runs ------------------------------------------------------------------------------------


def of_spread(run: Chosen, question: Question, summary: Spread) -> Figure:
    """The histogram of a sweep, with its median and p95."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    places = range(len(summary.bins))
    axes.bar(
        places,
        [each.count for each in summary.bins],
        width=0.94,
        color=[SOFT if None in (each.low, each.high) else ACCENT for each in summary.bins],
    )
    names = [each.text(summary.whole) for each in summary.bins]
    axes.set_xticks(places, names, rotation=40, ha="right", fontsize=8)
    for percent, style in ((50, "-"), (95, "--")):
        if summary.percentiles:
            place = place_of(summary.percentiles[percent], summary)
            label = f"{'median' if percent == 50 else 'p95'}: {summary.percentiles[percent]:.6g}"
            axes.axvline(place, color=INK, linewidth=1.2, linestyle=style, label=label)
    if summary.bins:
        axes.legend(fontsize=8, frameon=False)
    else:
        axes.text(0.5, 0.5, "no run has an answer", transform=axes.transAxes, ha="center")
    axes.set_xlabel(question.unit)
    axes.set_ylabel("runs")
    plain(axes)
    story = run.pattern.scenario(run.scenario)
    figure.suptitle(f"{run.pattern.title}: {story.title}", fontsize=10)
    says = f"answered by {summary.answered:,} of {summary.count:,} runs"
    axes.set_title(f"{question.label} ({says})", fontsize=9)
    return figure


def place_of(value: float, summary: Spread) -> float:
    """Where a value stands among bars of equal width, the first of which is around 0."""
    for index, each in enumerate(summary.bins):
        if each.high is None or value < each.high:
            if each.low is None or each.high is None:
                return float(index)
            single = summary.whole and each.high - each.low == 1
            return index if single else index - 0.5 + (value - each.low) / (each.high - each.low)
    return float(len(summary.bins))
