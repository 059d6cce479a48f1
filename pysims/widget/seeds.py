"""The panel with a thousand seeds: its form, the runs that it asks for, and the picture of them.

The page asks for a few seeds at a time and keeps what it gets, so that a sweep takes no longer to
cancel than such a few, and survives the worker. Everything here is a function of the message.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..kernel import Question, build
from ..shapes import Scale, ticks
from ..sweep import (
    Answer,
    Spread,
    Sweep,
    answers,
    csv_of,
    edge_text,
    power_of_ten,
    spread_of,
)
from .render import LINE_BREAK, environment
from .session import Session, plain_run, script_from

AMOUNTS = (100, 1_000, 10_000)
USUAL = 1_000
# No more at once, whatever a page asks for: a worker cannot be interrupted.
AT_ONCE_MAX = 1_000
FAILURES_SHOWN = 5

CHART = {"left": 40.0, "right": 332.0, "top": 40.0, "bottom": 150.0}
LABELS_MAX = 5
# Between a label and the one of an open end.
ROOM = 48.0
GAP = 0.8


# --- Questions of the page ------------------------------------------------------------------------


def panel(session: Session) -> dict[str, Any]:
    """The form, as HTML."""
    text = (
        environment()
        .get_template("widget/seeds.html.jinja")
        .render(id=session.id, questions=session.pattern.questions, amounts=AMOUNTS, usual=USUAL)
    )
    return {"html": LINE_BREAK.sub("><", text.strip())}


def swept(session: Session, message: Mapping[str, Any]) -> dict[str, Any]:
    """The answers of some seeds: for each a number, nothing (no answer), or why its run failed.

    `message` has `run` (as `session.plain_run` gives it; without one, the run on show is meant),
    `question`, `first` and `count`. `ValueError` for what is not allowed.
    """
    count = int(message["count"])
    if not 1 <= count <= AT_ONCE_MAX:
        raise ValueError(f"count must be from 1 to {AT_ONCE_MAX}, got {count}")
    run = message.get("run") or plain_run(session)
    sweep = sweep_of(session, run, message.get("question"))
    try:
        found = answers(sweep, int(message["first"]), count)
    except ValueError as problem:
        return {"refusal": f"{problem}."}
    return {"run": run, "answers": [each.failure or each.value for each in found]}


def spread(session: Session, message: Mapping[str, Any]) -> dict[str, Any]:
    """The picture of a sweep, as HTML, its numbers, and all answers as CSV.

    `message` has `question`, `first`, and `answers` as `swept` gave them.
    """
    question = session.pattern.question(message.get("question"))
    found = answers_from(int(message["first"]), message["answers"])
    summary = spread_of(found, question.better)
    return {
        "html": picture(session.id, question, summary, found),
        "csv": csv_of(found),
        "spread": summary.plain(),
    }


def sweep_of(session: Session, run: Mapping[str, Any], question_id: str | None) -> Sweep:
    """The sweep over a run of this widget's pattern."""
    pattern = session.pattern
    params: Any = build(pattern.params, run["params"])
    script = script_from(pattern, run["script"])
    return Sweep(pattern, params, script, int(run["until_ms"]), pattern.question(question_id))


def answers_from(first: int, plain_answers: list[Any]) -> list[Answer]:
    """The answers of the seeds from `first` on, from their plain form."""
    return [
        Answer(seed, None, value) if isinstance(value, str) else Answer(seed, value)
        for seed, value in enumerate(plain_answers, first)
    ]


# --- Words for numbers ----------------------------------------------------------------------------


def spoken(value: float, summary: Spread) -> str:
    """An answer for people: with as many digits as tell it from the others."""
    if summary.whole:
        return f"{value:,.0f}"
    width = (summary.high or 0.0) - (summary.low or 0.0)
    digits = 2 - power_of_ten(width) if width else 2
    text = f"{value:,.{max(0, min(digits, 8))}f}"
    return text.removeprefix("-") if not float(text.replace(",", "")) else text


def with_unit(text: str, unit: str) -> str:
    """A number and its unit, which do not part at the end of a line."""
    if unit == "$":
        return f"${text}"
    return f"{text}\u00a0{unit}" if unit else text


def share(count: int, whole: int) -> str:
    """A part of a whole in percent, "0 %" only where there is none."""
    percent = 100 * count / whole if whole else 0.0
    return f"{percent:.0f}\u00a0%" if percent >= 10 or not count else f"{percent:.2g}\u00a0%"


# --- The picture ----------------------------------------------------------------------------------


def picture(widget_id: str, question: Question, summary: Spread, found: list[Answer]) -> str:
    """A histogram with its numbers and its table, as HTML."""
    whole = summary.whole
    failures = [each for each in found if each.failure]
    text = (
        environment()
        .get_template("widget/spread.html.jinja")
        .render(
            id=widget_id,
            question=question,
            summary=summary,
            chart=chart(question, summary) if summary.bins else None,
            words=in_words(question, summary),
            numbers=numbers(question, summary),
            rows=[
                {
                    "text": each.text(whole),
                    "count": each.count,
                    "share": share(each.count, summary.count),
                }
                for each in summary.bins
            ],
            others=[
                {"text": text, "count": count, "share": share(count, summary.count)}
                for text, count in (
                    ("no answer", summary.unanswered),
                    ("run failed", summary.failed),
                )
                if count
            ],
            failures=failures[:FAILURES_SHOWN],
            more=len(failures) - FAILURES_SHOWN,
        )
    )
    return LINE_BREAK.sub("><", text.strip())


def numbers(question: Question, summary: Spread) -> list[dict[str, str]]:
    """The percentiles and their like, as labels and texts."""
    if summary.percentiles is None or summary.mean is None:
        return []
    pairs = [
        ("Least", summary.low),
        ("Median", summary.percentiles[50]),
        ("p90", summary.percentiles[90]),
        ("p95", summary.percentiles[95]),
        ("p99", summary.percentiles[99]),
        ("Most", summary.high),
    ]
    shown = [
        {"label": label, "value": with_unit(spoken(value, summary), question.unit)}
        for label, value in pairs
        if value is not None
    ]
    mean = f"{summary.mean:,.4g}" if abs(summary.mean) < 1_000 else f"{summary.mean:,.0f}"
    if not summary.whole:
        mean = spoken(summary.mean, summary)
    return [*shown, {"label": "Mean", "value": with_unit(mean, question.unit)}]


def in_words(question: Question, summary: Spread) -> str:
    """What the histogram shows, for those who do not see it."""
    if not summary.bins or summary.percentiles is None:
        return f"None of {summary.count:,} runs has an answer."

    def said(value: float | None) -> str:
        return with_unit(spoken(value or 0.0, summary), question.unit)

    fullest = max(summary.bins, key=lambda each: each.count)
    return (
        f"Histogram of {summary.answered:,} answers to “{question.label}”: from "
        f"{said(summary.low)} to {said(summary.high)}, half of them up to "
        f"{said(summary.percentiles[50])}, 95 of 100 up to {said(summary.percentiles[95])}. "
        f"The fullest bar, {fullest.text(summary.whole)}, holds {fullest.count:,}."
    )


def chart(question: Question, summary: Spread) -> dict[str, Any]:
    """The histogram laid out: bars, both axes, and where median and p95 stand."""
    left, right, top, bottom = (CHART[side] for side in ("left", "right", "top", "bottom"))
    most = max(each.count for each in summary.bins)
    high = Scale(0, most, bottom, top)
    wide = (right - left) / len(summary.bins)
    bars = [
        {
            "x": left + index * wide + GAP / 2,
            "y": min(high(each.count), bottom - 1.5) if each.count else bottom,
            "width": max(1.0, wide - GAP),
            "open": each.low is None or each.high is None,
            "bottom": bottom,
        }
        for index, each in enumerate(summary.bins)
    ]
    percentiles = summary.percentiles or {}
    marks = []
    for label, value, y in (
        ("median", percentiles[50], top - 24),
        ("p95", percentiles[95], top - 8),
    ):
        x = where(value, summary, left, wide)
        marks.append({"x": x, "y": y, "label": label, "end": x > (left + right) / 2})
    return {
        **CHART,
        "bars": bars,
        "marks": marks,
        "xs": labels(summary, left, wide),
        "ys": [(high(value), f"{value:,.0f}") for value in ticks(0, most) if value >= 1],
        "unit": question.unit,
    }


def where(value: float, summary: Spread, left: float, wide: float) -> float:
    """Where a value stands among the bars; in the middle of an open one, and of an integer's."""
    for index, each in enumerate(summary.bins):
        if each.high is None or value < each.high:
            part = 0.5
            if each.low is not None and each.high is not None:
                single = summary.whole and each.high - each.low == 1
                part = 0.5 if single else (value - each.low) / (each.high - each.low)
            return left + (index + part) * wide
    return left + len(summary.bins) * wide


def labels(summary: Spread, left: float, wide: float) -> list[tuple[float, str]]:
    """The edges that are written below the bars: every second one, or fewer, as there is room."""
    bins = summary.bins
    single = summary.whole and any(
        each.low is not None and each.high is not None and each.high - each.low == 1
        for each in bins
    )
    edges = [
        (left + (index + (0.5 if single else 0)) * wide, each.low)
        for index, each in enumerate(bins)
        if each.low is not None
    ]
    if not single and bins[-1].high is not None:
        edges.append((left + len(bins) * wide, bins[-1].high))
    every = -(-len(edges) // LABELS_MAX)
    written = [(x, edge_text(value)) for x, value in edges[::every]]
    ends = []
    if bins[0].low is None:
        ends.append((left + wide / 2, f"< {edge_text(bins[0].high or 0.0)}"))
    if bins[-1].high is None:
        ends.append((left + (len(bins) - 0.5) * wide, f"{edge_text(bins[-1].low or 0.0)}+"))
    return [each for each in written if all(abs(each[0] - x) > ROOM for x, _ in ends)] + ends
