"""How a service of parts looks: plain numbers and words for `scene.svg.jinja`.

Left: the parts, wired as the service needs them, and what the arithmetic says beside what the run
measured. Right: who was down when, the downtime of every year, and the budgets of the nines.
"""

from __future__ import annotations

from typing import Any

from ...shapes import Scale, ticks
from .arithmetic import DAY_MS, HOUR_MS, MONTH_MS, YEAR_MS, downtime_ms, nines
from .measure import interval, whole_years
from .model import (
    KEPT,
    NAMES,
    Lane,
    State,
    availability_of,
    expected,
    if_independent,
    measured,
    needed_of,
    promised,
)
from .words import alternative, date, describe, nines_of, nines_text, share, span

__all__ = ["alternative", "describe", "view"]

LEFT, RIGHT = 62.0, 336.0
ROW = 24.0
BOX_WIDTH, BOX_HEIGHT = 40.0, 30.0
YEARS_SHOWN = 40
ENOUGH = 10
"""Of fewer outages no interval is shown: it might not even hold what was measured."""
NARROW = 2.0
"""A tick of an outage is at least so wide: to scale it could not be seen."""


# --- The parts and their wires --------------------------------------------------------------------


def diagram(state: State) -> dict[str, Any]:
    """Boxes in a row (series) or one above the other (parallel, k of n), and the service."""
    count = state.params.components
    series = needed_of(state.params) == count
    height = 96.0 if series else 40.0 + count * 40
    middle = height / 2 + (4 if series else 6)
    boxes: list[dict[str, Any]] = []
    for index, lane in enumerate(state.components):
        x = 62 + index * 40.0 if series else 128.0
        y = middle - BOX_HEIGHT / 2 if series else 30 + index * 40.0
        boxes.append(
            {
                "name": lane.name,
                "x": x,
                "y": y,
                "width": 32.0 if series else BOX_WIDTH,
                "height": BOX_HEIGHT,
                "color": NAMES.index(lane.name),
                "failed": not lane.up,
                "struck": not state.shared.up,
            }
        )
    right = boxes[-1]["x"] + boxes[-1]["width"]
    frame = {
        "x": boxes[0]["x"] - 8,
        "y": boxes[0]["y"] - 8,
        "width": right - boxes[0]["x"] + 16,
        "height": boxes[-1]["y"] + BOX_HEIGHT - boxes[0]["y"] + 16,
    }
    return {
        "height": height + 14,
        "series": series,
        "boxes": boxes,
        "frame": frame if state.params.beta or not state.shared.up else None,
        "struck": not state.shared.up,
        "beta": state.params.beta,
        "middle": middle,
        "right": right,
        "gate": gate(state),
        "up": state.service.up,
    }


def gate(state: State) -> str:
    """What the service asks of its parts, in two or three words."""
    count, needed = state.params.components, needed_of(state.params)
    if count == 1:
        return f"needs {state.components[0].name}"
    return "needs all" if needed == count else f"needs {needed} of {count}"


# --- Arithmetic beside the measurement ------------------------------------------------------------


def row(name: str, availability: float, note: str = "", kind: str = "") -> dict[str, Any]:
    """A line of the comparison."""
    return {
        "name": name,
        "share": share(availability),
        "yearly": span((1 - availability) * YEAR_MS),
        "nines": nines_text(availability),
        "note": note,
        "kind": kind,
    }


def formula(state: State) -> str:
    """How the independent arithmetic goes."""
    params = state.params
    count, needed = params.components, needed_of(params)
    part = availability_of(params)
    if count == 1:
        return ""
    if needed == count:
        return f"{float(part):g}{superscript(count)}"
    if needed == 1:
        return f"1 − {float(1 - part):g}{superscript(count)}"
    return f"{needed} or more of {count}"


def superscript(count: int) -> str:
    return str(count).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))


def comparison(state: State, now_ms: int) -> list[dict[str, Any]]:
    """One component, the arithmetic, the arithmetic with a shared cause, and the measurement."""
    params = state.params
    rows = [row("One component", float(availability_of(params)))]
    if params.components > 1:
        label = "The service, by arithmetic"
        rows.append(row(label, float(if_independent(params)), formula(state)))
    if params.beta:
        note = f"{params.beta} % of all failures strike all at once"
        rows.append(row("With the shared cause", float(expected(params)), note))
    limits = interval(state)
    note = "no second year yet"
    if state.service.failures < ENOUGH:
        note = "too few outages to say how sure"
    elif limits:
        note = f"95 % sure: {share(limits[0])} to {share(limits[1])}"
    name = f"Measured in {span(now_ms) if now_ms >= DAY_MS else 'no time yet'}"
    return [*rows, row(name, measured(state), note, "measured")]


# --- Who was down when ----------------------------------------------------------------------------


def window_ms(state: State) -> int:
    """How much time the lanes show: so much that a part has some outages in it, not hundreds."""
    part = availability_of(state.params)
    yearly = float(downtime_ms(part, YEAR_MS)) / (state.params.repair_hours * HOUR_MS)
    years = 1
    while yearly * years < 1.5 and years < 100:
        years *= 10
    return years * YEAR_MS


def timeline(state: State, now_ms: int) -> dict[str, Any]:
    """A lane for each component, the shared cause if there is one, and the service."""
    length_ms = window_ms(state)
    start_ms = max(0, now_ms - length_ms)
    scale = Scale(start_ms, start_ms + length_ms, LEFT, RIGHT)
    lanes = [*state.components]
    if state.params.beta or state.shared.failures:
        lanes.append(state.shared)
    lanes.append(state.service)
    years = length_ms // YEAR_MS
    rows = []
    for index, lane in enumerate(lanes):
        rows.append(
            {
                "label": "shared" if lane is state.shared else lane.name,
                "kind": "part" if lane.name in NAMES else lane.name.partition(" ")[0],
                "y": 24 + index * ROW,
                "now": scale(now_ms),
                "ticks": ticks_of(lane, scale, now_ms, start_ms),
            }
        )
    marks = [start_ms + length_ms * part // 4 for part in range(5)]
    whole = "year" if years == 1 else f"{years} years"
    return {
        "rows": rows,
        "row": ROW,
        "left": LEFT,
        "right": RIGHT,
        "bottom": 24 + len(lanes) * ROW,
        "height": 24 + len(lanes) * ROW + 26,
        "now": scale(now_ms),
        "xs": [(scale(mark), mark_text(mark, years)) for mark in marks[:-1]],
        "title": f"Who was down when, {'first' if not start_ms else 'last'} {whole}",
    }


def mark_text(time_ms: int, years: int) -> str:
    """The label of a mark below the lanes."""
    if years == 1:
        return f"day {time_ms % YEAR_MS // DAY_MS + 1}"
    return f"year {time_ms / YEAR_MS:.0f}" if years > 10 else f"year {time_ms / YEAR_MS:.1f}"


def ticks_of(lane: Lane, scale: Scale, now_ms: int, start_ms: int) -> list[dict[str, Any]]:
    """The outages of a lane that are in the window."""
    found = []
    for index, (from_ms, until_ms) in enumerate(lane.outages):
        end_ms = now_ms if until_ms < 0 else until_ms
        if end_ms < start_ms:
            continue
        x = scale(max(from_ms, start_ms))
        number = lane.failures - len(lane.outages) + index
        width = max(NARROW, scale(end_ms) - x)
        found.append({"id": number, "x": min(x, RIGHT - width), "width": width})
    return found[-KEPT:]


# --- The downtime of every year, and the budgets --------------------------------------------------


def yearly(state: State, now_ms: int) -> dict[str, Any]:
    """A bar for the downtime of each of the last years, and the line of what is promised."""
    bins = state.years.bins()[-YEARS_SHOWN:]
    budget_ms = float(downtime_ms(promised(state.params), YEAR_MS))
    top_ms = max([1.3 * budget_ms, *(lost for _, lost in bins)])
    unit_ms, unit = (HOUR_MS, "h") if top_ms >= 2 * HOUR_MS else (HOUR_MS // 60, "min")
    y = Scale(0, top_ms, 150, 26)
    first = bins[0][0] // YEAR_MS if bins else 0
    x = Scale(first, first + YEARS_SHOWN, 40, 336)
    bars = [
        {
            "year": start // YEAR_MS,
            "x": x(start // YEAR_MS) + 0.8,
            "width": x(first + 1) - x(first) - 1.6,
            "y": y(lost),
            "height": 150 - y(lost),
            "over": lost > budget_ms,
        }
        for start, lost in bins
    ]
    over = sum(bar["over"] for bar in bars)
    years = range(first, first + YEARS_SHOWN, 10)
    return {
        "bars": bars,
        "budget": y(budget_ms),
        "budget_text": (words := f"promised: {span(budget_ms)}"),
        # The dash of the key stands left of its words.
        "key": 312 - 6.6 * len(words),
        "ys": [(y(value * unit_ms), f"{value:g}") for value in ticks(0, top_ms / unit_ms, 3)],
        "xs": [(x(year + 0.5), str(year + 1)) for year in years],
        "unit": unit,
        "over": over,
        "count": len(bars),
    }


def budgets(state: State) -> list[dict[str, Any]]:
    """The downtime that two to five nines allow, and which the measured service keeps."""
    kept = nines_of(measured(state)) if state.counted_ms else 0
    return [
        {
            "share": f"{float(100 * nines(count)):g} %",
            "year": span(float(downtime_ms(nines(count), YEAR_MS))),
            "month": span(float(downtime_ms(nines(count), MONTH_MS))),
            "day": span(float(downtime_ms(nines(count), DAY_MS))),
            "kept": kept >= count,
            "promised": nines(count) == promised(state.params),
        }
        for count in range(2, 6)
    ]


# --- Numbers --------------------------------------------------------------------------------------


def readouts(state: State, now_ms: int) -> list[dict[str, str]]:
    """The numbers beside the picture."""
    budget_ms = float(downtime_ms(promised(state.params), YEAR_MS))
    year = now_ms // YEAR_MS
    this_ms = dict(state.years.bins()).get(year * YEAR_MS, 0)
    lost = whole_years(state)
    kept = sum(each <= budget_ms for each in lost)
    numbers = [
        ("The service is", "up" if state.service.up else "down", date(now_ms)),
        ("Measured", share(measured(state)), nines_text(measured(state))),
        ("Arithmetic", share(float(expected(state.params))), "with the shared cause"),
        ("Down this year", span(this_ms), f"{this_ms / budget_ms:.1f} × the budget"),
        ("Years within budget", f"{kept} of {len(lost)}", f"budget {span(budget_ms)} a year"),
        ("Outages", f"{state.service.failures}", f"longest {span(state.longest_ms)}"),
    ]
    if not state.params.beta:
        numbers[2] = (*numbers[2][:2], "")
    if state.by_reader:
        numbers.append(("Your doing", f"{state.by_reader} ×", "it counts in what is measured"))
    return [{"label": label, "value": value, "note": note} for label, value, note in numbers]


def view(state: State, now_ms: int) -> dict[str, Any]:
    """Everything that the scene draws."""
    return {
        "diagram": diagram(state),
        "comparison": comparison(state, now_ms),
        "timeline": timeline(state, now_ms),
        "yearly": yearly(state, now_ms),
        "budgets": budgets(state),
        "readouts": readouts(state, now_ms),
    }
