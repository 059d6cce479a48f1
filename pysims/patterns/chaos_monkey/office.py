"""The office clock: when the monkey may kill, and when there is somebody to repair.

Chaos Monkey kills on weekdays from 9:00 to 15:00 unless it is told otherwise (Netflix,
https://github.com/Netflix/chaosmonkey, docs/Configuration-file-format.md: `start_hour = 9`,
`end_hour = 15`), so that some of the engineers' day is left for what breaks.

Simplified: the office clock runs 3,600 times as fast as the requests: one of its hours takes a
second of the run. Requests, health checks and starts are not shortened, but there are so few of
them that a day can be run: each stands for thousands. There are no holidays.
"""

from __future__ import annotations

HOUR_MS = 1_000
DAY_MS = 24 * HOUR_MS
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
WORKDAYS = 5
MONKEY_HOURS = (9, 15)
ENGINEER_HOURS = (9, 17)


def office_ms(now_ms: int, first_day: int) -> int:
    """The office clock (ms of the run since Monday 0:00); runs begin at 8:00 of `first_day`."""
    return now_ms + first_day * DAY_MS + 8 * HOUR_MS


def weekday(clock_ms: int) -> int:
    """0 for Monday to 6 for Sunday."""
    return clock_ms // DAY_MS % len(DAYS)


def within(clock_ms: int, hours: tuple[int, int]) -> bool:
    """Whether the office clock shows one of these hours of a workday."""
    hour = clock_ms % DAY_MS // HOUR_MS
    return weekday(clock_ms) < WORKDAYS and hours[0] <= hour < hours[1]


def repaired_ms(clock_ms: int, work_ms: int) -> int:
    """When an engineer who learns of a failure at this time has repaired it, on the office clock.

    Outside of the engineers' hours it waits for the next morning; who has begun stays late.
    """
    while not within(clock_ms, ENGINEER_HOURS):
        midnight_ms = clock_ms // DAY_MS * DAY_MS
        opening_ms = midnight_ms + ENGINEER_HOURS[0] * HOUR_MS
        clock_ms = opening_ms if clock_ms < opening_ms else opening_ms + DAY_MS
    return clock_ms + work_ms


def clock_text(clock_ms: int) -> str:
    """The office clock in words: "Tue 14:30"."""
    minutes = clock_ms % DAY_MS * 60 // HOUR_MS
    return f"{DAYS[weekday(clock_ms)]} {minutes // 60:02d}:{minutes % 60:02d}"
