"""The sentences and numbers of the two scenes."""

from __future__ import annotations

from typing import Any

from ...phrases import many, percent
from . import herd as crowd
from . import tiers as chain
from .comparison import LONGEST_MS, Row
from .herd import Due, Herd
from .model import BringUp, ComeBack, Compare, Join, Send, State, TakeDown
from .server import Finish, Server
from .settings import STRATEGIES, Params
from .tiers import CALLERS, TIERS, Answer, Arrive, Call, Tiers

HOW = {
    "none": "calls again at once",
    "fixed": "waits {base}",
    "exponential": "waits {base}, then twice as long each time, up to {cap}",
    "full": "waits a random part of {base}, then of twice as long each time, up to {cap}",
    "equal": "waits {base} less up to half of it, then twice as long each time, up to {cap}",
    "decorrelated": "waits at random from {base} to 3 × its last wait, up to {cap}",
}


def number(value: float) -> str:
    """A whole number with its thousands apart: "823,140"."""
    return f"{value:,.0f}"


def span(ms: float) -> str:
    """A duration for people: "80 ms", "2.5 s"."""
    return f"{ms:.0f} ms" if ms < 1_000 else f"{ms / 1_000:.1f} s".replace(".0 s", " s")


def how(params: Params) -> str:
    """What a caller does after a failure: "waits …"."""
    return HOW[params.strategy].format(base=span(params.base_ms), cap=span(params.cap_ms))


# --- What an event did ----------------------------------------------------------------------------


def describe(before: State | None, event: Any, after: State) -> str:
    """An event as a sentence; with `None` twice, how the run starts."""
    if before is None:
        return opening(after)
    if before is after:
        return idle(before, event)
    if isinstance(event, Compare):
        return "The same failure, run with every strategy: the table has the figures."
    if isinstance(after.world, Herd) and isinstance(before.world, Herd):
        return in_herd(before.world, event, after.world)
    if isinstance(after.world, Tiers) and isinstance(before.world, Tiers):
        return in_tiers(before.world, event, after.world)
    return ""


def opening(state: State) -> str:
    params, world = state.params, state.world
    if isinstance(world, Herd):
        if world.server.up:
            return f"{number(world.clients)} clients are connected to the server."
        return (
            f"The server fails, and {number(world.clients)} clients lose it at once. Each "
            f"{how(params)}."
        )
    return (
        f"Requests go from the client through A and B to C. Each caller tries {params.attempts} "
        f"times, and {how(params)}."
    )


def idle(state: State, event: Any) -> str:
    match event:
        case ComeBack():
            return "The outage would be over now, but the reader has decided otherwise."
        case BringUp():
            return f"{server_name(state)} is up already."
        case TakeDown():
            return f"{server_name(state)} is down already."
        case Finish():
            return "A call that the server was at is lost: it went down in the meantime."
    return "Nobody calls any more at this time."


def server_name(state: State) -> str:
    return "The server" if isinstance(state.world, Herd) else "C"


def in_herd(before: Herd, event: Any, after: Herd) -> str:
    match event:
        case Due():
            return calls(before, after)
        case Finish():
            all_back = " Nobody is left to connect." if after.recovered_ms >= 0 else ""
            of_all = f"{number(after.connected)} of {number(after.clients)}"
            return f"The server answers a call: {of_all} clients are connected.{all_back}"
        case ComeBack() | BringUp():
            return f"The server is up again; {number(crowd.waiting(after))} clients wait to call."
        case TakeDown():
            lost = number(before.connected + crowd.at_server(before))
            return f"The server goes down, and {lost} clients lose it at once."
        case Join():
            return f"{number(after.clients - before.clients)} new clients come, all at once."
    return ""


def calls(before: Herd, after: Herd) -> str:
    count, refused = after.calls - before.calls, after.refused - before.refused
    who = f"{number(count)} {'client calls' if count == 1 else 'clients call'}"
    gone = after.given_up - before.given_up
    quits = f" {'All' if gone == count else number(gone)} of them give up." if gone else ""
    if not after.server.up:
        return f"{who}; the server is down.{quits}"
    if not refused:
        return f"{who}; the server takes {'it' if count == 1 else 'them all'}."
    if refused == count:
        return f"{who}; the server is full and refuses {'it' if count == 1 else 'all'}.{quits}"
    return (
        f"{who}; the server takes {number(count - refused)} and refuses {number(refused)}.{quits}"
    )


def in_tiers(before: Tiers, event: Any, after: Tiers) -> str:
    match event:
        case Arrive() | Send():
            return f"Request {after.next_request} comes in: the client calls A."
        case Call():
            return reached(before, event, after)
        case Finish():
            return "C has worked on a call and answers B."
        case Answer():
            return heard(before, event, after)
        case ComeBack() | BringUp():
            return "C is up again."
        case TakeDown():
            return "C goes down: every call at C fails from now on."
    return ""


def reached(before: Tiers, event: Call, after: Tiers) -> str:
    request = chain.request_of(before, event.request)
    leg, tier = request.legs[event.caller], TIERS[event.caller]
    if event.caller < chain.LAST:
        return f"Request {request.id + 1}: call number {leg.calls} reaches {tier}."
    if after.refused > before.refused:
        why = "it is full" if after.server.up else "it is down"
        return f"Request {request.id + 1}: call number {leg.calls} reaches C and fails: {why}."
    return f"Request {request.id + 1}: call number {leg.calls} reaches C."


def heard(before: Tiers, event: Answer, after: Tiers) -> str:
    caller = "the client" if event.caller == 0 else CALLERS[event.caller]
    name = f"Request {event.request + 1}"
    if event.good:
        return (
            f"{name}: {caller} has its answer{'.' if event.caller == 0 else ' and passes it on.'}"
        )
    leg = chain.request_of(before, event.request).legs[event.caller]
    if after.retried[event.caller] > before.retried[event.caller]:
        return f"{name}: attempt {leg.attempts} of {caller} failed. It tries again."
    if after.denied > before.denied:
        return f"{name}: attempt {leg.attempts} of {caller} failed. Its budget has no retry left."
    return f"{name}: attempt {leg.attempts} of {caller} failed, and it gives up."


# --- Numbers --------------------------------------------------------------------------------------


def readouts(state: State) -> list[dict[str, Any]]:
    """The numbers beside the picture."""
    world = state.world
    rows = of_herd(world) if isinstance(world, Herd) else of_tiers(state.params, world)
    return [{"label": label, "value": value, "note": note} for label, value, note in rows]


def of_herd(herd: Herd) -> list[tuple[str, str, str]]:
    share = herd.refused / herd.calls if herd.calls else 0.0
    # Of 800,000 calls, 0.1 % are still 800.
    wasted = f"{100 * share:.1f} %" if 0.99 < share < 1 else percent(share)
    gone = f", {number(herd.given_up)} gave up" if herd.given_up else ""
    return [
        ("Calls so far", number(herd.calls), f"for {number(herd.clients)} clients"),
        ("Most calls in 10 ms", number(herd.peak), ""),
        ("Wasted calls", number(herd.refused), f"{wasted} of all" if herd.calls else "none yet"),
        ("Connected", number(herd.connected), f"of {number(herd.clients)}{gone}"),
        ("Time to recovery", *recovery(herd)),
    ]


def recovery(herd: Herd) -> tuple[str, str]:
    """From the server's return to the last client's connection."""
    if not herd.server.up:
        return "–", "the server is down"
    if herd.recovered_ms < 0:
        left = herd.clients - herd.connected - herd.given_up
        return "–", f"{number(left)} clients are still missing"
    if not herd.connected:
        return "–", "nobody came back"
    took_ms = herd.recovered_ms - herd.server.changed_ms
    return f"{took_ms / 1_000:.1f} s", "from the server’s return"


def of_tiers(params: Params, tiers: Tiers) -> list[tuple[str, str, str]]:
    tally = tiers.tally
    most = params.attempts ** len(CALLERS)
    ratio = f"{tally.calls[-1] / tally.ended:.1f}" if tally.ended else "–"
    rows = [
        ("Calls at C per request", ratio, f"of at most {most}, {since(tiers)}"),
        ("Requests that ended", number(tally.ended), since(tiers)),
        ("Answered", number(tally.good), f"of {number(tally.ended)}"),
        ("Calls at C for them", number(tally.calls[-1]), ""),
    ]
    if params.budget:
        rows.append(("Retries not allowed", number(tiers.denied), "by the budgets, so far"))
    return rows


def since(tiers: Tiers) -> str:
    """From when on requests count."""
    if tiers.tally.from_ms == 0:
        return "from the start"
    return "since C came back" if tiers.server.up else "since C went down"


def server_line(server: Server, now_ms: int, name: str) -> str:
    """Whether the server is up."""
    if not server.up:
        if server.back_ms < 0:
            return f"{name} is down"
        return f"{name} is down, back in {span(max(0, server.back_ms - now_ms))}"
    if server.refusing_until_us > 1_000 * now_ms:
        return f"{name} is up, and busy refusing calls"
    return f"{name} is up"


def alternative(state: State, now_ms: int) -> str:
    """What a sighted reader sees, as text."""
    params, world = state.params, state.world
    numbers = "; ".join(
        f"{row['label']}: {row['value']}" + (f" ({row['note']})" if row["note"] else "")
        for row in readouts(state)
    )
    pool = world.server.pool
    line = server_line(world.server, now_ms, server_name(state))
    held = (
        f"{line}: {len(pool.busy)} of {many(pool.threads, 'thread')} at work, "
        f"{len(pool.waiting)} of {pool.queue_limit} places in the queue taken"
    )
    if isinstance(world, Herd):
        where = (
            f"{number(crowd.waiting(world))} clients wait to call again, "
            f"{number(crowd.at_server(world))} are at the server, {number(world.connected)} are "
            f"connected, {number(world.given_up)} have given up"
        )
        return (
            f"{STRATEGIES[params.strategy]}: each client {how(params)}. {held}. {where}. "
            f"{numbers}.{table(state)}"
        )
    tokens = ", ".join(
        f"{caller} {budget.tokens:.1f} of {budget.capacity}"
        for caller, budget in zip(CALLERS, world.budgets, strict=True)
    )
    budgets = f"Retries left in the budgets: {tokens}. " if params.budget else "No retry budget. "
    return (
        f"Client, A and B try {params.attempts} times each. {held}. {budgets}"
        f"{len(chain.on_the_way(world))} requests are on their way. {numbers}."
    )


def table(state: State) -> str:
    """The comparison of all strategies, if there is one."""
    rows = [
        f"{STRATEGIES[row.strategy]}: {number(row.calls)} calls, at most {number(row.peak)} in "
        f"10 ms, recovery {took(row)}"
        for row in state.comparison
    ]
    return f" The same failure with every strategy: {'; '.join(rows)}." if rows else ""


def took(row: Row) -> str:
    """How long a recovery took; everybody may have given up before it."""
    if row.recovery_ms < 0:
        return f"not within {span(LONGEST_MS)}"
    return f"{row.recovery_ms / 1_000:.1f} s" if row.connected else "nobody came back"
