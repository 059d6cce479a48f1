"""Many clients lose one server at once, and each calls until it is connected again.

A client that failed waits as its strategy says and calls again. The calls of one slot of 10 ms
come together, so that a thousand clients in step are one event and not a thousand; whoever waits
equally long after equally many failures is one `Group`.

Simplified: a call that comes within a slot is made at the slot's end, and among the calls of one
slot chance decides who gets the room there is. There and back always takes the same time.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from operator import itemgetter

from ...kernel import Context, Job, Series, replace
from .server import Server, admit, come_up, finish, go_down, refuse, room, server_of
from .settings import IN_STEP, Params, wait_of

SLOT_MS = 10
BIN_MS = 20
BINS_KEPT = 400
SERVED_BIN_MS = 50
NO_SERVICE = Series(SERVED_BIN_MS)
CLIENTS_MAX = 5_000


@dataclass(frozen=True, slots=True)
class Due:
    """The calls of a slot are made."""

    slot_ms: int


@dataclass(frozen=True, slots=True)
class Group:
    """So many clients that have failed equally often since they lost the server.

    `waited_ms` is their last wait, which decorrelated jitter asks for.
    """

    count: int
    failures: int
    waited_ms: int = 0


@dataclass(frozen=True, slots=True)
class Herd:
    """The clients, by where they are, and what they have done to the server.

    `agenda` holds the clients that wait, by the slot of their next call, soonest first; those in
    the server's pool are its jobs. `calls` counts retries and newcomers' calls, `refused` those
    that were turned away, `peak` the most in one slot; `last_slot` is the slot of the newest calls,
    with their number. `waits_ms` are the shortest and longest wait drawn so far, `failures_max` the
    most failures in a row. `recovered_ms` is when nobody was left to connect (-1: not yet).

    `called` are the newest bins of 20 ms in which there were calls, as pairs of their start and the
    number: spikes are thin, and a `Series` with bins as thin would not reach far enough back.
    """

    server: Server
    clients: int
    agenda: tuple[tuple[int, tuple[Group, ...]], ...] = ()
    connected: int = 0
    given_up: int = 0
    calls: int = 0
    refused: int = 0
    peak: int = 0
    last_slot: tuple[int, int] = (-1, 0)
    waits_ms: tuple[int, int] | None = None
    failures_max: int = 0
    recovered_ms: int = -1
    called: tuple[tuple[int, int], ...] = ()
    served: Series = NO_SERVICE


def herd_of(params: Params, ctx: Context) -> Herd:
    """Everybody is connected, and at this moment the server fails, or not, if it has no outage."""
    herd = Herd(server_of(params), params.clients, connected=params.clients)
    if herd.server.up:
        return replace(herd, recovered_ms=0)
    return _lose_connections(herd, params, ctx)


def waiting(herd: Herd) -> int:
    """The clients between two calls."""
    return sum(group.count for _, groups in herd.agenda for group in groups)


def at_server(herd: Herd) -> int:
    """The clients whose call the server holds."""
    return len(herd.server.pool.busy) + len(herd.server.pool.waiting)


def call(herd: Herd, params: Params, due: Due, ctx: Context) -> Herd:
    """The clients of a slot call; those that the server does not take wait and call again."""
    # Slots come in order, so the one that is due is the first, unless its calls were made before.
    if not herd.agenda or herd.agenda[0][0] != due.slot_ms:
        return herd
    groups = merged(herd.agenda[0][1])
    count = sum(group.count for group in groups)
    slot = (ctx.now_ms, count + (herd.last_slot[1] if herd.last_slot[0] == ctx.now_ms else 0))
    herd = replace(
        herd,
        agenda=herd.agenda[1:],
        calls=herd.calls + count,
        called=_noted(herd.called, ctx.now_ms, count),
        peak=max(herd.peak, slot[1]),
        last_slot=slot,
    )
    taken = draw_lots([group.count for group in groups], room(herd.server), ctx)
    server = herd.server
    for group, number in zip(groups, taken, strict=True):
        one = replace(group, count=1)
        for _ in range(number):
            server = admit(server, params, one, ctx)
    server = refuse(server, params, count - sum(taken), ctx.now_ms)
    herd = replace(herd, server=server, refused=herd.refused + count - sum(taken))
    failed = [
        replace(group, count=group.count - number, failures=group.failures + 1)
        for group, number in zip(groups, taken, strict=True)
        if group.count > number
    ]
    return _wait(herd, params, failed, params.round_trip_ms, ctx)


def _noted(
    called: tuple[tuple[int, int], ...], now_ms: int, count: int
) -> tuple[tuple[int, int], ...]:
    """The bins with so many calls more at this time."""
    start_ms = now_ms // BIN_MS * BIN_MS
    if called and called[-1][0] == start_ms:
        return (*called[:-1], (start_ms, called[-1][1] + count))
    return (*called[-BINS_KEPT + 1 :], (start_ms, count))


def draw_lots(counts: list[int], places: int, ctx: Context) -> list[int]:
    """How many of each group get one of the places, if chance decides."""
    if sum(counts) <= places:
        return counts
    left, taken = list(counts), [0] * len(counts)
    for drawn in range(places):
        ticket = ctx.integer(1, sum(counts) - drawn)
        index = 0
        while ticket > left[index]:
            ticket -= left[index]
            index += 1
        left[index] -= 1
        taken[index] += 1
    return taken


def served(herd: Herd, params: Params, job: Job, ctx: Context) -> Herd:
    """A client's call is answered: it is connected."""
    herd = replace(
        herd,
        server=finish(herd.server, params, job, ctx),
        connected=herd.connected + 1,
        served=herd.served.add(ctx.now_ms),
    )
    return _settle(herd, ctx.now_ms)


def come_back(herd: Herd, now_ms: int) -> Herd:
    return _settle(replace(herd, server=come_up(herd.server, now_ms)), now_ms)


def fail(herd: Herd, params: Params, ctx: Context) -> Herd:
    """The server goes down: its clients lose their connections, and it the calls it held."""
    server, jobs = go_down(herd.server, ctx.now_ms)
    groups = merged(replace(job.body, failures=job.body.failures + 1) for job in jobs)
    herd = replace(herd, server=server, recovered_ms=-1)
    return _lose_connections(_wait(herd, params, groups, 0, ctx), params, ctx)


def join(herd: Herd, params: Params, count: int, ctx: Context) -> Herd:
    """New clients, who call at once; `ValueError` if there would be more than `CLIENTS_MAX`."""
    if herd.clients + count > CLIENTS_MAX:
        free = CLIENTS_MAX - herd.clients
        raise ValueError(f"count must be {free} or less, for at most {CLIENTS_MAX} clients")
    herd = replace(herd, clients=herd.clients + count, recovered_ms=-1)
    return _schedule(herd, [(ctx.now_ms, Group(count, 0))], ctx)


def _lose_connections(herd: Herd, params: Params, ctx: Context) -> Herd:
    group = Group(herd.connected, 1)
    return _wait(replace(herd, connected=0), params, [group] if group.count else [], 0, ctx)


def _wait(
    herd: Herd, params: Params, groups: Iterable[Group], answer_ms: int, ctx: Context
) -> Herd:
    """Each client that failed waits, after it has heard so, or gives up."""
    planned: list[tuple[int, Group]] = []
    gone, failures_max, waits = 0, herd.failures_max, list(herd.waits_ms or ())
    for group in groups:
        failures_max = max(failures_max, group.failures)
        if params.retries and group.failures > params.retries:
            gone += group.count
            continue
        each = group.count if params.strategy in IN_STEP else 1
        for _ in range(group.count // each):
            wait_ms = wait_of(params, group.failures, group.waited_ms, ctx)
            waits.append(wait_ms)
            kept_ms = wait_ms if params.strategy == "decorrelated" else 0
            planned.append((ctx.now_ms + answer_ms + wait_ms, Group(each, group.failures, kept_ms)))
    herd = replace(
        herd,
        given_up=herd.given_up + gone,
        failures_max=failures_max,
        waits_ms=(min(waits), max(waits)) if waits else None,
    )
    return _settle(_schedule(herd, planned, ctx), ctx.now_ms)


def _schedule(herd: Herd, planned: Iterable[tuple[int, Group]], ctx: Context) -> Herd:
    """Enter the next calls into the agenda, and wake up for each slot that is new to it."""
    slots: dict[int, list[Group]] = {}
    for at_ms, group in planned:
        slots.setdefault(-(-at_ms // SLOT_MS) * SLOT_MS, []).append(group)
    agenda = list(herd.agenda)
    for slot_ms, groups in slots.items():
        index = bisect_left(agenda, slot_ms, key=itemgetter(0))
        if index < len(agenda) and agenda[index][0] == slot_ms:
            agenda[index] = (slot_ms, (*agenda[index][1], *groups))
        else:
            agenda.insert(index, (slot_ms, tuple(groups)))
            ctx.after(slot_ms - ctx.now_ms, Due(slot_ms))
    return replace(herd, agenda=tuple(agenda))


def merged(groups: Iterable[Group]) -> tuple[Group, ...]:
    """The groups, those alike as one, in order of their failures and last waits."""
    counts: dict[tuple[int, int], int] = {}
    for group in groups:
        key = (group.failures, group.waited_ms)
        counts[key] = counts.get(key, 0) + group.count
    return tuple(Group(count, *key) for key, count in sorted(counts.items()))


def _settle(herd: Herd, now_ms: int) -> Herd:
    """Note the moment at which nobody is left to connect."""
    over = herd.server.up and not herd.agenda and not at_server(herd)
    if over == (herd.recovered_ms >= 0):
        return herd
    return replace(herd, recovered_ms=now_ms if over else -1)
