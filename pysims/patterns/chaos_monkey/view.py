"""How the fleet looks: plain numbers and words for `scene.svg.jinja`.

Left: users, the load balancer, the zones with their instances, the recommendations, and whether
what is left can carry the load. Right: the four combinations as measured, what became of the
requests of each second, and the office clock.
"""

from __future__ import annotations

from typing import Any

from ...phrases import listed, many, percent
from ...shapes import Scale
from .fleet import BIN_MS, DEAD, STARTING, UP, Fleet, Instance
from .model import (
    LONE,
    MONKEYS,
    RECOMMENDATIONS,
    State,
    answered_share,
    capacity_per_s,
    cells,
    clock,
    shown,
    zone_names,
)
from .office import (
    DAY_MS,
    DAYS,
    ENGINEER_HOURS,
    HOUR_MS,
    MONKEY_HOURS,
    WORKDAYS,
    clock_text,
    weekday,
    within,
)
from .words import alternative, describe, nines_text, share

__all__ = ["alternative", "describe", "view"]

WIDTH = 340.0
ZONES_TOP = 78.0
HEAD = 42.0
ROW = 50.0
QUEUE_ROW = 8
DOTS_LONE = 48
SHORT_MS, LONG_MS = 40_000, 120_000
"""The time on show in the chart: some seconds, or with a monkey some days."""
CHART_LEFT, CHART_RIGHT, CHART_TOP, CHART_BOTTOM = 34.0, 336.0, 26.0, 140.0


# --- The zones ------------------------------------------------------------------------------------


def face(state: State, instance: Instance, now_ms: int) -> dict[str, Any]:
    """How an instance stands: what it is, and what the load balancer makes of it."""
    if instance.status == UP and instance.out_ms < 0:
        return {"kind": "up", "words": "✓ up"}
    if instance.status == UP:
        return {"kind": "fresh", "words": "✓ up, unchecked"}
    left_ms = max(0, instance.turn_ms - now_ms)
    if instance.status == STARTING:
        return {"kind": "starting", "words": f"↻ up in {left_ms / 1000:.1f} s"}
    if instance.out_ms < 0:
        return {"kind": "suspected", "words": "✕ suspected" if instance.bad_checks else "✕ dead"}
    if state.params.redundancy or instance.turn_ms < 0:
        return {"kind": "dead", "words": "✕ dead, out"}
    due = clock_text(clock(state, instance.turn_ms))
    return {"kind": "dead", "words": f"✕ dead, to be repaired by {due}"}


def threads_of(
    fleet: Fleet, instance: Instance, x: float, y: float, across: int
) -> list[dict[str, Any]]:
    """The threads of an instance as cells: idle, busy, or held by a wait for recommendations."""
    calls = {job.id for job in fleet.recommendations.jobs}
    kinds = ["held" if job.id in calls else "busy" for job in instance.pool.busy]
    kinds += ["idle"] * (instance.pool.threads - len(kinds))
    return [
        {"x": x + i % across * 13, "y": y + i // across * 13, "kind": kind}
        for i, kind in enumerate(kinds)
    ]


def queue_of(
    instance: Instance, x: float, y: float, across: int, most: int
) -> list[dict[str, Any]]:
    """The queue of an instance as dots."""
    count = min(len(instance.pool.waiting), most)
    return [
        {"x": x + i % across * 7, "y": y + i // across * 7, "kind": "waiting"} for i in range(count)
    ]


def traffic(fleet: Fleet, zone: str) -> float:
    """The share of the requests that the load balancer sends into a zone."""
    routed = [each for each in fleet.instances if each.out_ms < 0]
    return sum(each.zone == zone for each in routed) / len(routed) if routed else 0.0


def zones_of(state: State, now_ms: int) -> dict[str, Any]:
    """A box for each zone with its instances, and a line to it as thick as its traffic."""
    fleet, names = shown(state), zone_names(state)
    lone = len(fleet.instances) == 1
    width = (WIDTH - 8 * (len(names) - 1)) / len(names)
    rows = max(sum(each.zone == name for each in fleet.instances) for name in names)
    height = HEAD + 4 + rows * (ROW + (18 if lone else 0))
    zones = []
    for index, name in enumerate(names):
        x = index * (width + 8)
        inside = [each for each in fleet.instances if each.zone == name]
        part = traffic(fleet, name)
        zones.append(
            {
                "name": name,
                "x": x,
                "width": width,
                "middle": x + width / 2,
                "down": name in state.zones_down,
                "share": f"gets {percent(part)}" if part else "gets nothing",
                "stroke": 1 + 6 * part,
                "routed": part > 0,
                "instances": [
                    card(state, each, (x + 5, ZONES_TOP + HEAD + row * ROW), width - 10, now_ms)
                    for row, each in enumerate(inside)
                ],
            }
        )
    return {"zones": zones, "top": ZONES_TOP, "height": height, "lone": lone}


def card(
    state: State, instance: Instance, at: tuple[float, float], width: float, now_ms: int
) -> dict[str, Any]:
    """An instance: its name and standing, its threads and its queue."""
    fleet, (x, y) = shown(state), at
    lone = len(fleet.instances) == 1
    across = min(instance.pool.threads, 12 if lone else 4)
    queue_x = x + 6 + across * 13 + 5
    dots = QUEUE_ROW if not lone else 20
    return {
        "name": instance.name,
        "x": x,
        "y": y,
        "width": width,
        "height": ROW - 5 + (18 if lone else 0),
        **face(state, instance, now_ms),
        "threads": threads_of(fleet, instance, x + 6, y + 24, across),
        "queue": queue_of(instance, queue_x, y + 24, dots // 2, DOTS_LONE if lone else dots),
    }


def last_second(fleet: Fleet, now_ms: int) -> dict[str, int]:
    """How many requests of the newest second failed, and how many were answered."""
    done = fleet.outcomes
    start_ms = now_ms // BIN_MS * BIN_MS - (BIN_MS if now_ms % BIN_MS < BIN_MS // 2 else 0)
    return {
        "good": done.good_by_time.total(start_ms),
        "fallback": done.fallback_by_time.total(start_ms),
        "failed": done.failed_by_time.total(start_ms),
    }


def users_of(state: State, now_ms: int) -> dict[str, Any]:
    """What users met in the newest second."""
    count = last_second(shown(state), now_ms)
    fallback = count["fallback"]
    failed = count["failed"] + (0 if state.params.fallbacks else fallback)
    served = count["good"] + (fallback if state.params.fallbacks else 0)
    return {"failed": failed, "served": served}


def room_of(state: State) -> dict[str, Any]:
    """The bar of capacity: the load, what is up now, and what would be left without a zone."""
    fleet = shown(state)
    per_zone = {
        zone: capacity_per_s(
            sum(each.pool.threads for each in fleet.instances if each.zone == zone)
        )
        for zone in zone_names(state)
    }
    whole = sum(per_zone.values())
    now = capacity_per_s(sum(each.pool.threads for each in fleet.instances if each.status == UP))
    load = state.params.rate_per_s
    rest = whole - max(per_zone.values())
    scale = Scale(0, max(whole, load) * 1.05, 0, WIDTH)
    lost = [zone for zone in per_zone if zone in state.zones_down]
    if now < load:
        words, kind = "too little: requests fail", "bad"
    elif lost:
        words, kind = f"enough, even without {listed(f'zone {zone}' for zone in lost)}", "good"
    elif rest < load:
        words, kind = "enough, but not without a zone", "warn"
    else:
        words, kind = "enough, even without a zone", "good"
    return {
        "whole": scale(whole),
        "now": scale(now),
        "rest": scale(rest),
        "load": scale(load),
        "load_text": f"load {load}/s",
        "now_text": f"Capacity {now:.0f} of {whole:.0f}/s: {words}",
        "rest_text": f"without a zone {rest:.0f}/s",
        "kind": kind,
    }


# --- Right: the four combinations, the seconds, the clock -----------------------------------------


def table_of(state: State) -> list[dict[str, Any]]:
    """A row for each design, a cell without and one with fallbacks."""
    params = state.params
    heads = ("One machine", f"{many(len(state.fleets[1].instances), 'instance')}")
    rows = []
    for number, (head, fleet, pair) in enumerate(
        zip(heads, state.fleets, cells(state), strict=True)
    ):
        done = fleet.outcomes
        lost = (done.failed + done.fallback, done.failed)
        rows.append(
            {
                "head": head,
                "cells": [
                    {
                        "share": share(part),
                        "failed": f"{lost[column]} of {done.total} failed",
                        "good": part >= 0.95,
                        "chosen": params.redundancy == bool(number)
                        and params.fallbacks == bool(column),
                    }
                    for column, part in enumerate(pair)
                ],
            }
        )
    return rows


def chart_of(state: State, now_ms: int) -> dict[str, Any]:
    """Bars for what became of the requests of each second, over nights and weekends if long."""
    fleet = shown(state)
    length_ms = SHORT_MS if state.params.monkey == "off" else LONG_MS
    start_ms = max(0, (now_ms - length_ms) // BIN_MS + 1) * BIN_MS
    x = Scale(start_ms, start_ms + length_ms, CHART_LEFT, CHART_RIGHT)
    done = fleet.outcomes
    counts = [
        dict(series.bins())
        for series in (done.good_by_time, done.fallback_by_time, done.failed_by_time)
    ]
    starts = range(start_ms, min(now_ms, start_ms + length_ms - 1) + 1, BIN_MS)
    tallest = max([state.params.rate_per_s, *(sum(c.get(s, 0) for c in counts) for s in starts)])
    height = (CHART_BOTTOM - CHART_TOP) / (tallest * 1.1)
    width = x(start_ms + BIN_MS) - x(start_ms)
    bars = []
    for start in starts:
        base = CHART_BOTTOM
        for kind, count in zip(("good", "fallback", "failed"), counts, strict=True):
            size = count.get(start, 0) * height
            if size:
                base -= size
                shown_as = "failed" if kind == "fallback" and not state.params.fallbacks else kind
                # A fallback is less than an answer, and its bar is thinner.
                thin = 0.25 * width if shown_as == "fallback" else 0.0
                bars.append(
                    {
                        "id": f"{kind}-{start // BIN_MS}",
                        "kind": shown_as,
                        "x": x(start) + 0.3 + thin,
                        "y": base,
                        "width": width - 0.6 - 2 * thin,
                        "height": size,
                    }
                )
    return {
        "bars": bars,
        "nights": nights_of(state, start_ms, length_ms, x) if length_ms == LONG_MS else [],
        "night": "nobody is in" if state.params.monkey == "always" else "the monkey rests",
        "ys": [(CHART_BOTTOM - v * height, str(v)) for v in (0, state.params.rate_per_s)],
        "xs": marks_of(state, start_ms, length_ms, x),
        "now": x(now_ms),
    }


def nights_of(state: State, start_ms: int, length_ms: int, x: Scale) -> list[dict[str, float]]:
    """The spans outside of the monkey's hours, or, if it has none, of the engineers'."""
    hours = ENGINEER_HOURS if state.params.monkey == "always" else MONKEY_HOURS
    spans: list[list[int]] = []
    for time_ms in range(start_ms, start_ms + length_ms, HOUR_MS):
        if within(clock(state, time_ms), hours):
            continue
        if spans and spans[-1][1] == time_ms:
            spans[-1][1] = time_ms + HOUR_MS
        else:
            spans.append([time_ms, time_ms + HOUR_MS])
    return [{"x": x(start), "width": x(end) - x(start)} for start, end in spans]


def marks_of(state: State, start_ms: int, length_ms: int, x: Scale) -> list[tuple[float, str]]:
    """The labels below the chart: seconds, or the noon of each day."""
    if length_ms == SHORT_MS:
        first = -(-start_ms // 10_000) * 10_000
        return [(x(t), f"{t // 1000} s") for t in range(first, start_ms + length_ms, 10_000)]
    offset = clock(state, 0)
    noon = (start_ms + offset - 12 * HOUR_MS) // DAY_MS * DAY_MS + DAY_MS + 12 * HOUR_MS
    times = range(noon - offset, start_ms + length_ms, DAY_MS)
    return [
        (x(t), DAYS[weekday(t + offset)]) for t in times if CHART_LEFT + 10 < x(t) < CHART_RIGHT
    ]


def office_of(state: State, now_ms: int) -> dict[str, Any]:
    """The day as a strip: when the monkey may kill, when engineers are in, and now."""
    time_ms = clock(state, now_ms)
    x = Scale(0, DAY_MS, 0, WIDTH)
    monkey = state.params.monkey
    workday = weekday(time_ms) < WORKDAYS
    hunts = monkey == "always" or (monkey == "business" and within(time_ms, MONKEY_HOURS))
    working = within(time_ms, ENGINEER_HOURS)
    hours = MONKEY_HOURS if monkey == "business" else (0, 24)
    shows = monkey == "always" or (monkey == "business" and workday)
    return {
        "clock": clock_text(time_ms),
        "engineers": "engineers are in"
        if working
        else ("an engineer stays late" if stays_late(state, now_ms) else "nobody is in the office"),
        "monkey": "the monkey may kill"
        if hunts
        else ("the monkey is in its cage" if monkey == "off" else "the monkey rests"),
        "desk": (x(ENGINEER_HOURS[0] * HOUR_MS), x(ENGINEER_HOURS[1] * HOUR_MS))
        if workday
        else None,
        "hunt": (x(hours[0] * HOUR_MS), x(hours[1] * HOUR_MS)) if shows else None,
        "now": x(time_ms % DAY_MS),
        "xs": [(x(hour * HOUR_MS), f"{hour}:00") for hour in (6, 12, 18)],
    }


def stays_late(state: State, now_ms: int) -> bool:
    """Whether somebody is at work on a repair of the design on show, or of the recommendations."""
    dead = [each.turn_ms for each in shown(state).instances if each.status == DEAD]
    begun_ms = state.params.repair_hours * HOUR_MS
    return any(due >= 0 and now_ms >= due - begun_ms for due in (*dead, state.recommend_due_ms))


def readouts(state: State) -> list[dict[str, str]]:
    """The numbers beside the picture."""
    fleet, params = shown(state), state.params
    done = fleet.outcomes
    part = answered_share(fleet, params.fallbacks)
    lost = done.failed + (0 if params.fallbacks else done.fallback)
    numbers = [
        ("Availability", share(part), nines_text(part)),
        ("Answered", f"{done.total - lost}", f"of {done.total} requests"),
        ("With popular titles", f"{done.fallback if params.fallbacks else 0}", "fallback"),
        ("Failed", f"{lost}", f"of {done.total}"),
        ("Sent to the dead", f"{fleet.misses}", "before it was noticed"),
        ("Turned away", f"{fleet.turned_away}", "queue full"),
        ("Nowhere to go", f"{fleet.nowhere}", "no instance left"),
    ]
    if params.monkey != "off":
        named = params.redundancy or state.victim == RECOMMENDATIONS
        victim = state.victim if named else LONE
        last = f"last: {victim}" if state.attacks else MONKEYS[params.monkey]
        numbers.append(("Kills by the monkey", f"{state.attacks}", last))
    return [{"label": label, "value": value, "note": note} for label, value, note in numbers]


def view(state: State, now_ms: int) -> dict[str, Any]:
    """Everything that the scene draws."""
    boxes = zones_of(state, now_ms)
    bottom = boxes["top"] + boxes["height"]
    return {
        "map": boxes,
        "users": users_of(state, now_ms),
        "recommend": {
            "y": bottom + 26,
            "up": state.recommend_up,
            "words": "✓ recommendations are up"
            if state.recommend_up
            else "✕ recommendations are down: "
            + ("popular titles" if state.params.fallbacks else "error pages"),
        },
        "height": bottom + 62,
        "rate": state.params.rate_per_s,
        "room": room_of(state),
        "table": table_of(state),
        "chart": chart_of(state, now_ms),
        "office": office_of(state, now_ms),
        "fallbacks": state.params.fallbacks,
        "readouts": readouts(state),
    }
