"""The stories of the chapter; nothing is drawn by lot, so every seed tells them alike.

Presets: 10 a second with capacity 50 is the chapter's own; 5,000 an hour is GitHub's limit for
authenticated requests (https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api),
a count with a reset; 10,000 a second with a burst of 5,000 is the default of AWS API Gateway, which
throttles with a token bucket
(https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-request-throttling.html).
"""

from __future__ import annotations

from ...kernel import Run, Scenario
from .model import (
    COUNTER,
    FIXED,
    GCRA,
    LEAKY,
    LOG,
    TOKEN,
    AttackBoundary,
    Burst,
    Counts,
    Replay,
    Send,
    StartFlood,
    State,
)

ANY_WINDOW = "Fixed window: the limit in any window"
"""The light that falls where the fixed window lets more than its limit through."""

BUCKETS, WINDOWS = (TOKEN, LEAKY, GCRA), (FIXED, LOG, COUNTER)
EIGHT, ELEVEN = 8 * 6_000, 11 * 6_000
"""The hours of the morning in the picture of the recorded day."""


def between(run: Run[State], after_ms: int, until_ms: int) -> tuple[int, Counts]:
    """What came after one moment, up to another, and what each limiter admitted of it."""
    first, last = run.state_at(after_ms), run.state_at(until_ms)
    admitted = tuple(b - a for a, b in zip(first.admitted, last.admitted, strict=True))
    return last.asked - first.asked, admitted


def only_the_fixed_window_admits_twice(run: Run[State]) -> bool:
    """Two bursts of 50, 1 ms apart: the fixed window admits both, the others one."""
    strikes = [lump.at_ms for lump in run.state_at(5_000).recent]
    return (
        strikes == [4_999, 5_000]
        and run.state_at(4_999).admitted == (50,) * 6
        and run.last.admitted == (50, 50, 100, 50, 50, 50)
        and run.last.peak[FIXED] == 100
    )


def buckets_live_on_the_trickle(run: Run[State]) -> bool:
    """All six admit 50 of 80, and until the windows turn, buckets all and windows nothing.

    Meanwhile the leaky bucket lets out ten a second.
    """
    at_once = run.state_at(5_000)
    asked, admitted = between(run, 5_000, 9_999)
    # One that leaves at the very end of a second is counted in the next one.
    out = [run.state_at(5_000 + 1_000 * second).released for second in range(1, 6)]
    return (
        at_once.asked == 80
        and at_once.admitted == (50,) * 6
        and asked == 25
        and all(admitted[which] == asked for which in BUCKETS)
        and not any(admitted[which] for which in WINDOWS)
        and out == [9, 19, 29, 39, 49]
    )


def nobody_gets_more_than_the_rate(run: Run[State]) -> bool:
    """In the 20 s after the burst is spent, each admits 10 a second; the fixed window in lumps."""
    asked, admitted = between(run, 4_999, 24_999)
    shut, none = between(run, 11_800, 14_999)
    return (
        asked == 600
        and all(count == 200 for which, count in enumerate(admitted) if which != COUNTER)
        and 195 <= admitted[COUNTER] <= 200
        and shut > 90
        and none[FIXED] == 0
        and none[TOKEN] > 30
    )


def slow_requests_pass_everywhere(run: Run[State]) -> bool:
    """Ten requests at 2 a second are admitted by all six."""
    return run.last.asked == 10 and run.last.admitted == (10,) * 6


def the_launch_is_what_is_refused(run: Run[State]) -> bool:
    """All that any limiter refuses on that day, it refuses from eight to eleven."""
    asked, admitted = run.last.asked, run.last.admitted
    busy, busy_admitted = between(run, EIGHT - 1, ELEVEN - 1)
    refused = [asked - count for count in admitted]
    return (
        asked == 134_203
        and refused == [busy - count for count in busy_admitted]
        and [round(1_000 * refused[which] / asked) for which in (TOKEN, LOG)] == [16, 35]
        and run.last.peak[FIXED] > 1.4 * 2_000
    )


def the_hour_is_used_up_early(run: Run[State]) -> bool:
    """5,000 are gone before minute 40; then the fixed window refuses until the hour turns."""
    told = run.state_at(6_667)
    asked, admitted = between(run, 6_667, 9_999)
    return (
        told.admitted[FIXED] == 5_000
        and 20 * 60_000 <= told.waits_ms[FIXED] <= 21 * 60_000
        and asked > 2_000
        and admitted[FIXED] == 0
        and admitted[TOKEN] == asked
        and run.state_at(10_000).admitted[FIXED] > 5_000
    )


def the_first_second_gets_the_burst(run: Run[State]) -> bool:
    """The token bucket admits burst + rate in the first second, and the rate in each later one."""
    first = run.state_at(1_000)
    later = [between(run, 1_000 * k, 1_000 * (k + 1))[1][TOKEN] for k in range(1, 4)]
    return (
        first.admitted[TOKEN] == 15_000
        and later == [10_000] * 3
        and run.state_at(500).peak[TOKEN] == 9_900
        and run.last.peak[LOG] == 5_000
    )


SCENARIOS = (
    Scenario(
        id="boundary",
        title="Twice the limit at the boundary",
        claim="A fixed window of 50 in 5 s admits 100 requests within 1 ms, twice its limit; the"
        " other five admit 50.",
        proof=only_the_fixed_window_admits_twice,
        watch="Two windows of the fixed window are full, 1 ms apart. The others saw the same 100"
        " requests.",
        until_ms=11_000,
        show_ms=5_150,
        script=((1_000, AttackBoundary()),),
        front=("rate", "per", "burst"),
        breaks=(ANY_WINDOW,),
    ),
    Scenario(
        id="burst",
        title="80 at once, then a trickle",
        claim="Of 80 requests at once, all six admit 50. Of the trickle in the 5 s after it, the"
        " two buckets and GCRA admit every request, the three windows none.",
        proof=buckets_live_on_the_trickle,
        watch="Ten tokens a second drip in, the trickle takes five. The windows stay shut until"
        " 10 s. The leaky bucket lets its 50 out one by one.",
        until_ms=16_000,
        show_ms=7_500,
        script=((5_000, Burst(80)), (5_000, StartFlood(50))),
        front=("rate", "per", "burst"),
    ),
    Scenario(
        id="flood",
        title="A steady flood at three times the rate",
        claim="From a flood of 30 a second, each limiter admits 10 a second in the long run; the"
        " fixed window admits them in the first third of each window.",
        proof=nobody_gets_more_than_the_rate,
        watch="The same total, another rhythm: the fixed window and the log open and shut, the"
        " buckets and GCRA admit every third request.",
        until_ms=28_000,
        show_ms=22_400,
        script=((0, StartFlood(300)),),
        front=("rate", "per", "burst"),
    ),
    Scenario(
        id="trickle",
        title="One by one",
        claim="Ten requests, two a second: no limiter refuses one.",
        proof=slow_requests_pass_everywhere,
        watch="Send requests yourself, one or many, and read the Retry-After of a refusal.",
        until_ms=9_000,
        show_ms=5_100,
        script=tuple((500 * k, Send()) for k in range(1, 11)),
        front=("rate", "per", "burst"),
    ),
    Scenario(
        id="day",
        title="A recorded day: the launch of a space shuttle",
        claim="With 200 a minute, nothing of July 13, 1995, is refused but from eight to eleven in"
        " the morning: 1.6 % of the day by the token bucket, 3.5 % by the log.",
        proof=the_launch_is_what_is_refused,
        watch="NASA’s web server on the day of a launch (at 9:42), as if one client had sent it"
        " all. A window is 10 minutes; the picture shows 10 minutes in a second.",
        until_ms=144_000,
        show_ms=62_000,
        params={"rate": 200, "per": "minute", "burst": 2_000, "lapse": "minutes-10"},
        script=((0, Replay()),),
        front=("rate", "per", "burst"),
        breaks=(ANY_WINDOW,),
    ),
    Scenario(
        id="github",
        title="5,000 an hour, with a reset",
        claim="At 7,500 an hour, 5,000 are gone before minute 40. A window with a reset, as GitHub"
        " has it, then refuses everything until the hour turns.",
        proof=the_hour_is_used_up_early,
        watch="The fixed window is the one that works like GitHub’s limit: shut until its reset. A"
        " token bucket of the same size would go on.",
        until_ms=24_000,
        show_ms=8_000,
        params={"rate": 5_000, "per": "hour", "burst": 5_000, "lapse": "minutes-6"},
        script=((0, StartFlood(150)),),
        front=("rate", "per", "burst"),
    ),
    Scenario(
        id="api-gateway",
        title="10,000 a second, burst 5,000",
        claim="At 20,000 a second, a token bucket admits 15,000 in the first second, its burst and"
        " its rate, and 10,000 in each later one.",
        proof=the_first_second_gets_the_burst,
        watch="The token bucket, which AWS API Gateway says it uses: its burst is gone after half a"
        " second, then it admits every other request.",
        until_ms=4_000,
        show_ms=1_250,
        params={"rate": 10_000, "burst": 5_000},
        script=((0, StartFlood(200)),),
        front=("rate", "per", "burst"),
    ),
)
