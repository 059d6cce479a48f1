"""What the scene and the list of events say, in words and numbers for people."""

from __future__ import annotations

from ...phrases import many, percent
from .measured import cut_requests, share_above, timeout_at
from .model import (
    BACK,
    FRONT,
    HANGING,
    MIDDLE,
    NORMAL,
    SERVERS,
    SLOW,
    WORK_MS,
    Burst,
    ChooseTimeout,
    Come,
    Event,
    GiveUp,
    Hang,
    Leave,
    MakeSlow,
    Repair,
    State,
    Worked,
    call_timeout_ms,
    tasks_for_nobody,
    thread_time_ms,
    waiting_users,
)

STATES = {NORMAL: "normal", SLOW: "slow", HANGING: "hanging"}
PERCENTILES = (90.0, 95.0, 99.0, 99.9)


def time(ms: float) -> str:
    """A time for people: "245 ms", "1.2 s"."""
    return f"{ms:.0f} ms" if ms < 1_000 else f"{ms / 1_000:.3g} s"


def share(part: float, whole: float) -> str:
    return percent(part / whole) if whole else "–"


def promise(state: State, server: int) -> str:
    """How long a server waits for the next one, in words."""
    if state.params.policy == "deadline":
        return "hands on the time left"
    timeout_ms = call_timeout_ms(state, server)
    if timeout_ms is not None:
        return f"waits for {time(timeout_ms)}"
    if state.params.policy == "percentile" and server == MIDDLE:
        return "still measures, no timeout"
    return "waits for ever"


def vain_share(state: State, server: int, now_ms: int) -> str:
    """How much of a server's thread time goes into what nobody gets."""
    used_ms, vain_ms = thread_time_ms(state, server, now_ms)
    return share(vain_ms, used_ms)


def predicted(state: State) -> float:
    """The share of healthy requests that the timeout cuts off, from what was measured."""
    return cut_requests(share_above(state.latencies, state.timeout_ms), state.params.calls)


def costs(state: State) -> list[dict[str, str | bool]]:
    """For some percentiles, what a timeout there costs the healthy and saves with the sick."""
    params, counts = state.params, state.latencies
    rows: list[dict[str, str | bool]] = []
    for percentile in sorted({*PERCENTILES, params.percentile}):
        timeout_ms = timeout_at(counts, percentile)
        if timeout_ms is None:
            continue
        lost = cut_requests(share_above(counts, timeout_ms), params.calls)
        rows.append(
            {
                "name": f"p{percentile:g}",
                "timeout": time(timeout_ms),
                "lost": percent(lost),
                "wait": time(timeout_ms + 2 * WORK_MS),
                "held": f"{params.rate_per_s * (timeout_ms + WORK_MS) / 1_000:.0f}",
                "chosen": percentile == params.percentile,
            }
        )
    rows.append(
        {
            "name": "none",
            "timeout": "–",
            "lost": "0 %",
            "wait": time(params.patience_ms),
            "held": "all",
            "chosen": False,
        }
    )
    return rows


# --- Sentences ------------------------------------------------------------------------------------


def opening(state: State) -> str:
    """How a run starts, in a sentence."""
    patience = time(state.params.patience_ms)
    rule = {
        "none": "each server waits for the next one for ever",
        "percentile": "the middle measures how long the back takes, and will give up at "
        f"p{state.params.percentile:g}",
        "own": f"each server gives a call {patience}, by a clock of its own",
        "deadline": "the time that is left travels with each call",
    }[state.params.policy]
    return f"Users wait for {patience}; {rule}."


def describe(before: State | None, event: Event | None, after: State) -> str:
    """What an event did, in a sentence; without an event, how the run starts."""
    if before is None or event is None:
        return opening(after)
    match event:
        case Hang():
            return "The back hangs: no call that it begins from now on ever ends."
        case MakeSlow():
            return f"The back becomes slow: a call takes {after.params.slow_factor} times as long."
        case Repair():
            return "The back works again, as fast as before."
        case ChooseTimeout():
            if after.timeout_ms < 0:
                return "Nothing was measured yet, so there is no timeout yet."
            return (
                f"p{after.params.percentile:g} of {sum(after.latencies):,} measured calls is "
                f"{after.timeout_ms} ms: from now on, that is the timeout."
            )
        case Burst(users):
            away = after.users.rejected - before.users.rejected
            return f"{users} users come at once; the front turns {away} away."
        case Come():
            return came(before, after)
        case Leave(request):
            if before is after or before == after:
                return f"The user of request {request} has an answer already: nothing happens."
            return left(before, after, request)
        case GiveUp(server, _, _):
            if before == after:
                return "The call is over already: nothing happens."
            return (
                f"The {SERVERS[server]} gives up on the {SERVERS[server + 1]}, which is not told "
                "and goes on."
            )
        case Worked(server, job):
            return worked(before, after, server, job)


def came(before: State, after: State) -> str:
    number = after.next_request - 1
    if after.users.rejected > before.users.rejected:
        return f"User {number} is turned away: the front is full."
    if after.users.failed > before.users.failed:
        return f"User {number} gets an error at once: it could not be done in time."
    if len(after.pools[FRONT].waiting) > len(before.pools[FRONT].waiting):
        return f"User {number} waits in line for a thread of the front."
    return f"User {number} gets a thread of the front."


def left(before: State, after: State, request: int) -> str:
    """A user goes; what is done about the work below depends on the policy."""
    patience = time(after.params.patience_ms)
    text = f"User {request} leaves after {patience} without an answer"
    if after.params.policy == "deadline":
        return f"{text}; every server knows, and drops the request."
    return f"{text}; the servers are not told, and work on."


def worked(before: State, after: State, server: int, job: int) -> str:
    """A server has done its part."""
    if before == after:
        return "An alarm for a call that is over: nothing happens."
    refused = sum(work.refused for work in after.work) - sum(w.refused for w in before.work)
    tail = f" {many(refused, 'request')} in line could not be done in time, and got an error."
    end = tail if refused else ""
    if server < BACK:
        if after.work[server + 1].rejected > before.work[server + 1].rejected:
            return f"The {SERVERS[server + 1]} is full, so request {job} fails.{end}"
        return f"The {SERVERS[server]} calls the {SERVERS[server + 1]} for request {job}.{end}"
    if after.users.done > before.users.done:
        return f"The back answers, and so do middle and front: the user has an answer.{end}"
    if after.work[BACK].vain_ms > before.work[BACK].vain_ms:
        return f"The back has done a call that nobody waited for any more.{end}"
    return f"The back answers a call; the middle makes the next one.{end}"


# --- Numbers --------------------------------------------------------------------------------------


def readouts(state: State, now_ms: int) -> list[dict[str, str]]:
    """The numbers beside the picture."""
    users = state.users
    numbers = [
        ("Users answered", share(users.done, users.settled), f"{users.done:,} of {users.settled:,}")
    ]
    numbers += (
        cost_numbers(state) if state.params.policy == "percentile" else work_numbers(state, now_ms)
    )
    return [{"label": label, "value": value, "note": note} for label, value, note in numbers]


def cost_numbers(state: State) -> list[tuple[str, str, str]]:
    """What the timeout at a percentile costs and saves, as measured."""
    well, ill, params = state.well, state.ill, state.params
    if state.timeout_ms < 0:
        return [("Calls measured", f"{sum(state.latencies):,}", "no timeout yet")]
    whole = well.done + well.lost
    expected = cut_requests(1 - params.percentile / 100, params.calls)
    share_kept = f"{params.percentile / 100:g}"
    return [
        ("Timeout", f"{state.timeout_ms} ms", f"p{params.percentile:g} of the measured calls"),
        (
            "Healthy requests lost",
            share(well.lost, whole),
            f"{well.lost} of {whole}; 1 − {share_kept}^{params.calls} = {percent(expected)}",
        ),
        (
            "While the back is sick, an error takes",
            time(ill.lost_ms / ill.lost) if ill.lost else "–",
            f"without a timeout: {time(params.patience_ms)}",
        ),
    ]


def work_numbers(state: State, now_ms: int) -> list[tuple[str, str, str]]:
    """How much is done for nobody."""
    begun = sum(work.dead_begun for work in state.work)
    held = sum(job.body.waits for pool in state.pools for job in pool.busy)
    whole = sum(pool.threads for pool in state.pools)
    refused = sum(work.refused for work in state.work)
    return [
        ("Users who left", f"{state.users.left:,}", f"after {time(state.params.patience_ms)}"),
        ("The back’s time in vain", vain_share(state, BACK, now_ms), "spent on what nobody got"),
        ("Begun for nobody", f"{begun:,}", "the user had left before"),
        ("Refused in time", f"{refused:,}", "could not be done by the deadline"),
        ("Threads that only wait", f"{held} of {whole}", "for the next server"),
    ]


def alternative(state: State, now_ms: int) -> str:
    """What a sighted reader sees, as text."""
    users = state.users
    parts = [opening(state), f"The back is {STATES[state.mode]}."]
    for server, pool in enumerate(state.pools):
        waits = sum(job.body.waits for job in pool.busy)
        parts.append(
            f"The {SERVERS[server]} has {many(pool.threads, 'thread')}: "
            f"{len(pool.busy) - waits} at work, {waits} that wait for the next server, "
            f"{len(pool.waiting)} in line; of all these, {tasks_for_nobody(state, server)} for "
            "nobody."
        )
    parts.append(
        f"Of {users.came:,} users {users.done:,} were answered, {users.failed:,} got an error, "
        f"{users.rejected:,} were turned away, {users.left:,} left, and {waiting_users(state):,} "
        "wait."
    )
    parts.append(
        f"{vain_share(state, BACK, now_ms)} of the back’s thread time was spent on what nobody got."
    )
    if state.params.policy == "percentile":
        rows = [
            f"{row['name']}: timeout {row['timeout']}, healthy requests lost {row['lost']}, "
            f"an error takes {row['wait']} while the back hangs"
            for row in costs(state)
        ]
        parts.append(f"Timeouts by percentile: {'; '.join(rows)}.")
    return " ".join(parts)
