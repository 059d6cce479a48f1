"""Rate limiting on many servers: one client, one limit, and where the count is kept.

It shows: ten API servers behind a load balancer, and a client that may send so many requests in
each window. Counted on each server alone, the limit is ten times too large. Counted in a store
that all servers ask, it is exact, and every request pays for the way there and back. The count
must be made in one step: a server that reads it and then writes it back overwrites what others
wrote in between. And when the store is silent, somebody must decide what that means.

Sources: Redis documentation, INCR, "Pattern: rate limiter",
https://redis.io/docs/latest/commands/incr/ (the counter with a time to live, and what happens if
the client fails between INCR and EXPIRE); Redis documentation, "Diagnosing latency issues",
https://redis.io/docs/latest/operate/oss_and_stack/management/optimization/latency/ (the network
takes longer than the command).

How a request goes. The load balancer picks a server. That server decides by its own counters for
the strategies that need nobody (`local`, `split`, `sync`), and asks the store for those that do.
One message carries both questions: INCR of the atomic counter, GET of the one that get-then-set
reads. So every strategy meets the same requests, and those that ask the store the same messages;
`State.tallies` has a tally for each of them, and the picture shows one.

Whoever has no answer after `timeout_ms` decides without: that is fail-open or fail-closed. An
answer that comes later is ignored; the store may have counted that request all the same.

Simplified: one client; all clocks agree; the load balancer knows at once which servers are up;
servers do not retry; get-then-set decides after GET and does not wait for SET's answer.
"""

from __future__ import annotations

from typing import TypeVar

from ...guards.rate_limiters import FixedWindow
from ...kernel import (
    Context,
    Deliver,
    Draws,
    Latency,
    Message,
    Network,
    Series,
    arrivals,
    arrive,
    crash,
    cut_link,
    heal_link,
    is_up,
    network_of,
    replace,
    restart,
    send,
)
from .counters import Store, SyncCounter
from .state import (
    ASKING,
    CLIENT,
    LOCAL,
    NAIVE,
    SHARED,
    SPLIT,
    STORE,
    SYNC,
    Answer,
    Arrive,
    Ask,
    CrashServer,
    CrashStore,
    CutServer,
    Decided,
    Due,
    Mishaps,
    Params,
    Push,
    Reconnect,
    Request,
    RestartServer,
    RestartStore,
    SendBurst,
    SendOne,
    Sent,
    Server,
    State,
    Sync,
    Total,
    Waiting,
    Write,
    chosen,
    intervals_of,
    names_of,
    store_is_up,
    up_names,
)
from .tally import Tally, waits_of

CLIENT_LATENCY = Latency.uniform(20, 30)
SPREAD = ((0.0, 0.7), (0.5, 1.0), (0.9, 1.4), (0.99, 2.2), (1.0, 3.0))
"""How long a message takes, as multiples of the median."""
BIN_MS = 50
DECIDED_KEPT = 24

Item = TypeVar("Item")

Event = (
    Arrive
    | Deliver
    | Due
    | Sync
    | SendOne
    | SendBurst
    | CrashStore
    | RestartStore
    | CrashServer
    | RestartServer
    | CutServer
    | Reconnect
)


def latency_of_trip(round_trip_ms: int) -> Latency:
    """The time of one way between a server and the store, given the median of a round trip."""
    return Latency(tuple((share, factor * round_trip_ms / 2) for share, factor in SPREAD))


def part_of(params: Params, index: int) -> int:
    """The part of the limit that server number `index` gets; the first get what is left over."""
    whole, rest = divmod(params.limit, params.servers)
    return whole + (index < rest)


def fresh_server(params: Params, index: int, epoch: int = 0) -> Server:
    """A server with empty counters."""
    return Server(
        f"S{index + 1}",
        FixedWindow(params.limit, params.window_ms),
        FixedWindow(part_of(params, index), params.window_ms),
        (SyncCounter(),) * len(intervals_of(params)),
        epoch,
    )


def fresh_store(params: Params) -> Store:
    return Store(totals=(0,) * len(intervals_of(params)))


def init(params: Params, ctx: Context) -> State:
    """All counters are at zero, and the client is about to begin."""
    servers = tuple(fresh_server(params, index) for index in range(params.servers))
    names = tuple(server.name for server in servers)
    ways = SYNC + len(intervals_of(params))
    state = State(
        params,
        ctx.integer(0, 2**32 - 1),
        network_of((CLIENT, *names), CLIENT_LATENCY),
        network_of((*names, STORE), latency_of_trip(params.round_trip_ms), params.loss / 100),
        servers,
        fresh_store(params),
        (Tally(Series(BIN_MS)),) * ways,
        (0,) * ways,
        waits_of(params.timeout_ms),
        Sent(Series(BIN_MS)),
    )
    if params.requests:
        ctx.after(gap_ms(state, 0), Arrive(0))
    return state


def gap_ms(state: State, number: int) -> int:
    """How long before the client's request of this number the one before it was sent."""
    return arrivals(state.params.rate_per_s).draw(Draws(state.workload, 2 * number))


def update(state: State, event: Event, ctx: Context) -> State:
    """The state after an event; `ValueError` for a server that is not there."""
    match event:
        case Deliver(message):
            return deliver(state, message, ctx)
        case Arrive(number):
            return client_sends(state, number, ctx)
        case Sync(name, lane, epoch):
            return sync(state, name, lane, epoch, ctx)
        case Due():
            return due(state, ctx)
        case SendOne():
            return send_request(state, ctx, ctx)
        case SendBurst(count):
            for _ in range(count):
                state = send_request(state, ctx, ctx)
            return state
        case CrashStore():
            return crash_store(state)
        case RestartStore():
            return replace(state, network=restart(state.network, STORE))
        case CrashServer(name):
            return crash_server(state, known(state, name))
        case RestartServer(name):
            return restart_server(state, known(state, name))
        case CutServer(name):
            network = cut_link(state.network, known(state, name), STORE)
            return replace(state, network=cut_link(network, STORE, name))
        case Reconnect(name):
            network = heal_link(state.network, known(state, name), STORE)
            return replace(state, network=heal_link(network, STORE, name))
    raise ValueError(f"distributed_rate_limiter has no event {event!r}")


def known(state: State, name: str) -> str:
    """`name`, if there is such a server; `ValueError` says which there are."""
    if name not in names_of(state):
        raise ValueError(f"server must be one of {', '.join(names_of(state))}, got {name[:40]!r}")
    return name


def index_of(name: str) -> int:
    """The index of the server of this name."""
    return int(name[1:]) - 1


def window_of(state: State, now_ms: int) -> int:
    """The number of the window of the clock."""
    return now_ms // state.params.window_ms


# --- The client and the load balancer -------------------------------------------------------------


def client_sends(state: State, number: int, ctx: Context) -> State:
    """The client's next request; the one after it comes on its own, whatever this one meets."""
    if number + 1 < state.params.requests:
        ctx.after(gap_ms(state, number + 1), Arrive(number + 1))
    return send_request(state, ctx, Draws(state.workload, 2 * number + 1))


def send_request(state: State, ctx: Context, draws: Draws) -> State:
    """A request sets out for the server that the load balancer picks among those that are up."""
    sent, window = state.sent, window_of(state, ctx.now_ms)
    name = picked(state, draws)
    sent = Sent(
        sent.series.add(ctx.now_ms),
        sent.number + 1,
        window,
        sent.in_window + 1 if window == sent.window else 1,
        index_of(name) + 1 if name else sent.next_server,
    )
    if not name:
        return replace(state, sent=sent, mishaps=unserved(state))
    front = send(state.front, ctx, CLIENT, name, Request(sent.number - 1))
    return replace(state, front=front, sent=sent)


def unserved(state: State) -> Mishaps:
    return replace(state.mishaps, unserved=state.mishaps.unserved + 1)


def picked(state: State, draws: Draws) -> str:
    """The server for the next request; no name if none is up."""
    up = up_names(state)
    if not up:
        return ""
    if state.params.balancing == "random":
        return draws.choice(up)
    return next((name for name in up if index_of(name) >= state.sent.next_server), up[0])


# --- Messages -------------------------------------------------------------------------------------


def deliver(state: State, message: Message, ctx: Context) -> State:
    """A message arrives, or is found lost."""
    if isinstance(message.body, Request):
        front, received = arrive(state.front, message)
        if received is None:
            return replace(state, front=front, mishaps=unserved(state))
        return receive(state, front, received, ctx)
    network, received = arrive(state.network, message)
    state = replace(state, network=network)
    if received is None:
        return state
    match received.body:
        case Ask(number):
            return count_at_store(state, number, received.source, ctx)
        case Answer():
            return hear(state, received.target, received.body, ctx)
        case Write(command, value):
            return write(state, command, value, ctx)
        case Push():
            return add_up(state, received.source, received.body, ctx)
        case Total():
            return hear_total(state, received.target, received.body)
    raise ValueError(f"distributed_rate_limiter has no message {message.body!r}")


def with_server(state: State, server: Server) -> State:
    return replace(state, servers=put(state.servers, index_of(server.name), server))


def put(items: tuple[Item, ...], index: int, item: Item) -> tuple[Item, ...]:
    """The tuple with another item at this place."""
    return (*items[:index], item, *items[index + 1 :])


def more(counts: tuple[int, ...], *indices: int) -> tuple[int, ...]:
    """The counts with one more at each of these places."""
    return tuple(count + (index in indices) for index, count in enumerate(counts))


def remembered(state: State, decided: Decided) -> tuple[Decided, ...]:
    """The newest decisions of the strategy on show, with one more."""
    return (*state.decided[1 - DECIDED_KEPT :], decided)


# --- At a server ----------------------------------------------------------------------------------


def receive(state: State, front: Network, message: Message, ctx: Context) -> State:
    """A request reaches its server, which decides where it can and asks the store for the rest."""
    params, now_ms, name = state.params, ctx.now_ms, message.target
    index, number, window = index_of(name), message.body.request, window_of(state, now_ms)
    server = state.servers[index]
    local, by_local = server.local.request(now_ms)
    split, by_split = server.split.request(now_ms)
    tallies = list(state.tallies)
    tallies[LOCAL] = tallies[LOCAL].decided(by_local.allowed, window, params.limit, now_ms)
    tallies[SPLIT] = tallies[SPLIT].decided(by_split.allowed, window, params.limit, now_ms)
    syncs, by_total = [], []
    for lane, counter in enumerate(server.syncs):
        after, allowed = admit_by_total(state, server, lane, counter.at(window), ctx)
        way = SYNC + lane
        tallies[way] = tallies[way].decided(allowed, window, params.limit, now_ms)
        syncs.append(after)
        by_total.append((allowed, after.total))
    decided = state.decided
    if chosen(state) not in ASKING:
        allowed, count = {
            LOCAL: (by_local.allowed, local.used),
            SPLIT: (by_split.allowed, split.used),
            SYNC: by_total[0],
        }[chosen(state)]
        decided = remembered(state, Decided(number, name, allowed, now_ms, 0, "counter", count))
    deadline_ms = now_ms + params.timeout_ms
    if state.due_ms < 0:
        ctx.after(params.timeout_ms, Due())
    return replace(
        state,
        front=front,
        network=send(state.network, ctx, name, STORE, Ask(number)),
        servers=put(state.servers, index, Server(name, local, split, tuple(syncs), server.epoch)),
        tallies=tuple(tallies),
        calls=more(state.calls, *ASKING),
        waiting=(*state.waiting, Waiting(number, name, now_ms, deadline_ms)),
        due_ms=deadline_ms if state.due_ms < 0 else state.due_ms,
        decided=decided,
    )


def admit_by_total(
    state: State, server: Server, lane: int, counter: SyncCounter, ctx: Context
) -> tuple[SyncCounter, bool]:
    """Let a request through while the total, as far as this server knows it, is below the limit."""
    if counter.total >= state.params.limit:
        return counter, False
    if not counter.armed:
        ctx.after(intervals_of(state.params)[lane], Sync(server.name, lane, server.epoch))
    return replace(counter, unsent=counter.unsent + 1, armed=True), True


def hear(state: State, name: str, answer: Answer, ctx: Context) -> State:
    """A server has the store's answer: it decides, unless it has decided without."""
    params, now_ms = state.params, ctx.now_ms
    if answer.count == 1 and not params.atomic_expire:
        # Redis documentation, INCR: whoever gets 1 has made the key, and must give it an end. A
        # server that dies before this message leaves a key that never expires.
        state = replace(
            state,
            network=send(state.network, ctx, name, STORE, Write("expire")),
            calls=more(state.calls, SHARED),
        )
    own = next((each for each in state.waiting if each.request == answer.request), None)
    if own is None:
        return state
    waited_ms, counts = now_ms - own.asked_ms, {SHARED: answer.count, NAIVE: answer.value + 1}
    if counts[NAIVE] <= params.limit:
        # The race: between GET and this SET, others have read the same value.
        state = replace(
            state,
            network=send(state.network, ctx, name, STORE, Write("set", counts[NAIVE])),
            calls=more(state.calls, NAIVE),
        )
    waiting = tuple(each for each in state.waiting if each is not own)
    decided = state.decided
    if chosen(state) in ASKING:
        count = counts[chosen(state)]
        allowed = count <= params.limit
        latest = Decided(own.request, name, allowed, now_ms, waited_ms, "counter", count)
        decided = remembered(state, latest)
    return replace(
        state,
        tallies=tuple(
            tally.decided(
                counts[way] <= params.limit, answer.window, params.limit, now_ms, len(waiting)
            )
            if way in ASKING
            else tally
            for way, tally in enumerate(state.tallies)
        ),
        waits=state.waits.add(waited_ms),
        waiting=waiting,
        decided=decided,
    )


def due(state: State, ctx: Context) -> State:
    """Whoever has waited long enough decides without the store: fail-open or fail-closed."""
    now_ms = ctx.now_ms
    if now_ms != state.due_ms:
        return state
    while state.waiting and state.waiting[0].deadline_ms <= now_ms:
        state = decide_alone(state, state.waiting[0], now_ms)
    if not state.waiting:
        return replace(state, due_ms=-1)
    deadline_ms = state.waiting[0].deadline_ms
    ctx.after(deadline_ms - now_ms, Due())
    return replace(state, due_ms=deadline_ms)


def decide_alone(state: State, late: Waiting, now_ms: int) -> State:
    """The store was silent: the request that waited longest is let through, or refused."""
    params, window = state.params, window_of(state, now_ms)
    decided = state.decided
    if chosen(state) in ASKING:
        latest = Decided(
            late.request, late.server, params.fail_open, now_ms, params.timeout_ms, "silence", 0
        )
        decided = remembered(state, latest)
    return replace(
        state,
        tallies=tuple(
            tally.decided(params.fail_open, window, params.limit, now_ms)
            if way in ASKING
            else tally
            for way, tally in enumerate(state.tallies)
        ),
        waits=state.waits.add(params.timeout_ms),
        mishaps=replace(state.mishaps, timeouts=state.mishaps.timeouts + 1),
        waiting=state.waiting[1:],
        decided=decided,
    )


# --- At the store ---------------------------------------------------------------------------------


def count_at_store(state: State, number: int, name: str, ctx: Context) -> State:
    """INCR of the atomic counter, and GET of the other: what each finds is on its way back."""
    params, now_ms, store = state.params, ctx.now_ms, state.store
    before, naive = store.atomic.at(now_ms), store.naive.at(now_ms)
    atomic = before.holding(before.count + 1, now_ms, params.window_ms, params.atomic_expire)
    window = window_of(state, now_ms)
    carried = store.carried + (atomic.window != window)
    answer = Answer(number, window, atomic.count, naive.count)
    return replace(
        state,
        network=send(state.network, ctx, STORE, name, answer),
        store=Store(atomic, naive, store.totals, store.totals_window, carried),
    )


def write(state: State, command: str, value: int, ctx: Context) -> State:
    """SET with a time to live for a new key, or EXPIRE."""
    store, window_ms, now_ms = state.store, state.params.window_ms, ctx.now_ms
    if command == "set":
        naive = store.naive.at(now_ms).holding(value, now_ms, window_ms)
        return replace(state, store=replace(store, naive=naive))
    atomic = store.atomic.at(now_ms).expiring(now_ms, window_ms)
    return replace(state, store=replace(store, atomic=atomic))


def add_up(state: State, name: str, push: Push, ctx: Context) -> State:
    """INCRBY of a total; a push from a window that is over changes nothing."""
    store = state.store
    if push.window > store.totals_window:
        store = replace(store, totals=(0,) * len(store.totals), totals_window=push.window)
    if push.window < store.totals_window:
        return state
    total = store.totals[push.lane] + push.amount
    return replace(
        state,
        network=send(
            state.network, ctx, STORE, name, Total(push.lane, push.push, push.window, total)
        ),
        store=replace(store, totals=put(store.totals, push.lane, total)),
    )


# --- Syncing --------------------------------------------------------------------------------------


def sync(state: State, name: str, lane: int, epoch: int, ctx: Context) -> State:
    """A server tells the store what is unsent; while an answer is missing, it waits for that."""
    server = state.servers[index_of(name)]
    if epoch != server.epoch:
        return state
    counter = server.syncs[lane].at(window_of(state, ctx.now_ms))
    if not counter.unsent:
        return with_counter(state, server, lane, replace(counter, armed=False))
    ctx.after(intervals_of(state.params)[lane], Sync(name, lane, epoch))
    if counter.pushed and ctx.now_ms < counter.pushed_ms + state.params.timeout_ms:
        return with_counter(state, server, lane, counter)
    # Simplified: a push whose answer was lost is sent again, and then counts twice.
    counter = counter.pushing(ctx.now_ms)
    push = Push(lane, counter.push, counter.window, counter.pushed)
    return replace(
        with_counter(state, server, lane, counter),
        network=send(state.network, ctx, name, STORE, push),
        calls=more(state.calls, SYNC + lane),
    )


def with_counter(state: State, server: Server, lane: int, counter: SyncCounter) -> State:
    return with_server(state, replace(server, syncs=put(server.syncs, lane, counter)))


def hear_total(state: State, name: str, heard: Total) -> State:
    """A server hears the total of all; one from a window that is over tells it nothing."""
    server = state.servers[index_of(name)]
    counter = server.syncs[heard.lane]
    if heard.window != counter.window:
        return state
    return with_counter(state, server, heard.lane, counter.hearing(heard.push, heard.total))


# --- Crashes --------------------------------------------------------------------------------------


def crash_store(state: State) -> State:
    """The store stops; without a disk it forgets its counters."""
    if not store_is_up(state):
        return state
    state = replace(state, network=crash(state.network, STORE))
    if state.params.durable:
        return state
    empty = replace(
        fresh_store(state.params),
        totals_window=state.store.totals_window,
        carried=state.store.carried,
    )
    return replace(state, store=empty)


def crash_server(state: State, name: str) -> State:
    """A server stops: its counters are lost, and so are the requests that wait in it."""
    if not is_up(state.front, name):
        return state
    index, mishaps = index_of(name), state.mishaps
    lost = sum(1 for each in state.waiting if each.server == name)
    server = fresh_server(state.params, index, state.servers[index].epoch + 1)
    return replace(
        state,
        front=crash(state.front, name),
        network=crash(state.network, name),
        servers=put(state.servers, index, server),
        waiting=tuple(each for each in state.waiting if each.server != name),
        mishaps=replace(mishaps, unanswered=mishaps.unanswered + lost, crashes=mishaps.crashes + 1),
    )


def restart_server(state: State, name: str) -> State:
    """A server is back, with empty counters."""
    return replace(state, front=restart(state.front, name), network=restart(state.network, name))
