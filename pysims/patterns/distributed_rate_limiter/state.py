"""The parameters, the state and the events of a run: ten servers, a store, and one client."""

from __future__ import annotations

from dataclasses import dataclass

from ...guards.rate_limiters import FixedWindow
from ...kernel import Choice, Network, Number, OneOf, Series, Switch, is_up, knob
from .counters import Store, SyncCounter
from .tally import Tally, Waits

STORE, CLIENT = "store", "client"
SERVERS_MAX = 10
STRATEGIES = {
    "local": "Local counters: each server counts alone",
    "split": "Split quota: each server gets its part of the limit",
    "get_then_set": "Shared counter, get then set",
    "shared": "Shared counter, atomic (INCR)",
    "sync": "Local counters, synced now and then",
}
"""In the order of `State.tallies`; those of other sync intervals come after them."""
LOCAL, SPLIT, NAIVE, SHARED, SYNC = range(5)
INDEX = dict(zip(STRATEGIES, range(5), strict=True))
ASKING = (NAIVE, SHARED)
"""The strategies in which a request waits for the store."""
COMPARED_MS = (100, 250, 1_000, 2_000)
"""Sync intervals that are measured beside the reader's own, while the strategy is to sync."""


@dataclass(frozen=True, slots=True)
class Params:
    """What the reader sets before the run."""

    strategy: str = knob(Choice("Strategy", STRATEGIES), "shared")
    limit: int = knob(Number("Limit of the client in each window", 10, 200, step=10), 100)
    window_ms: int = knob(Number("Window", 1_000, 60_000, 1_000, unit="ms"), 60_000)
    servers: int = knob(Number("API servers", 2, SERVERS_MAX), SERVERS_MAX)
    balancing: str = knob(
        Choice("Load balancer", {"round_robin": "in turn (round robin)", "random": "at random"}),
        "round_robin",
    )
    rate_per_s: int = knob(
        Number("Requests of the client", 1, 500, unit="per s", logarithmic=True), 200
    )
    requests: int = knob(Number("The client stops after", 0, 1_500, 10, unit="requests"), 1_100)
    round_trip_ms: int = knob(
        Number(
            "Round trip to the store, median",
            2,
            200,
            unit="ms",
            logarithmic=True,
            hint="In one data center it takes 0.2 to 1 ms; longer here, so that you can watch it.",
        ),
        20,
    )
    loss: int = knob(Number("Messages to and from the store that are lost", 0, 30, unit="%"), 0)
    timeout_ms: int = knob(
        Number("A server waits for the store at most", 20, 1_000, unit="ms"), 100
    )
    fail_open: bool = knob(
        Switch(
            "Fail open: let a request through when the store does not answer",
            hint="Off is fail closed: without an answer, refuse.",
        ),
        False,
    )
    sync_ms: int = knob(Number("Sync interval", 50, 5_000, unit="ms", logarithmic=True), 500)
    atomic_expire: bool = knob(
        Switch(
            "INCR and EXPIRE in one atomic step",
            hint="As a script or a transaction. Off: the server sends EXPIRE after the first INCR.",
        ),
        True,
    )
    durable: bool = knob(Switch("The store’s counters survive a crash"), True)


@dataclass(frozen=True, slots=True)
class Server:
    """An API server. Its memory is lost in a crash, after which it has a new `epoch`.

    `local` counts its own admissions up to the whole limit, `split` up to its part; `syncs` are
    its parts of the shared totals, one for each sync interval in the run.
    """

    name: str
    local: FixedWindow
    split: FixedWindow
    syncs: tuple[SyncCounter, ...]
    epoch: int = 0


@dataclass(frozen=True, slots=True)
class Waiting:
    """A request whose server has asked the store; after `deadline_ms` it goes on without."""

    request: int
    server: str
    asked_ms: int
    deadline_ms: int


@dataclass(frozen=True, slots=True)
class Decided:
    """A request and what the strategy on show made of it, at `at_ms`.

    `reason` is "counter" (with the `count` that was met), or "silence" of the store.
    """

    request: int
    server: str
    allowed: bool
    at_ms: int
    waited_ms: int
    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class Sent:
    """What the client has sent: `number` requests in all, `in_window` of them in window `window`.

    The load balancer tries the servers from number `next_server` on.
    """

    series: Series
    number: int = 0
    window: int = 0
    in_window: int = 0
    next_server: int = 0


@dataclass(frozen=True, slots=True)
class Mishaps:
    """What went wrong.

    `unserved` requests reached no server. `unanswered` ones were lost in a crash of their server
    while it waited for the store. `timeouts` had no answer of the store in time. `crashes` counts
    the servers' crashes.
    """

    unserved: int = 0
    unanswered: int = 0
    timeouts: int = 0
    crashes: int = 0


@dataclass(frozen=True, slots=True)
class State:
    """The fleet, the store, and what every strategy has made of the same requests.

    `workload` is the seed of the client's requests, so that no setting but their own changes
    them. `front` is the network from the client to the servers, `network` the one between them
    and the store. `calls` counts the messages to the store for each strategy, in the order of
    `tallies`. `waiting` is in the order of the deadlines, `due_ms` the alarm that is set (-1:
    none). `decided` are the newest decisions of the strategy on show.
    """

    params: Params
    workload: int
    front: Network
    network: Network
    servers: tuple[Server, ...]
    store: Store
    tallies: tuple[Tally, ...]
    calls: tuple[int, ...]
    waits: Waits
    sent: Sent
    mishaps: Mishaps = Mishaps()
    waiting: tuple[Waiting, ...] = ()
    due_ms: int = -1
    decided: tuple[Decided, ...] = ()


# --- Reading a state ------------------------------------------------------------------------------


def names_of(state: State) -> tuple[str, ...]:
    """The servers, up or down."""
    return tuple(server.name for server in state.servers)


def up_names(state: State) -> tuple[str, ...]:
    return tuple(name for name in names_of(state) if is_up(state.front, name))


def down_names(state: State) -> tuple[str, ...]:
    return tuple(name for name in names_of(state) if not is_up(state.front, name))


def cut_names(state: State) -> tuple[str, ...]:
    """The servers that are cut from the store."""
    return tuple(source for source, target in state.network.cut_links if target == STORE)


def linked_names(state: State) -> tuple[str, ...]:
    away = cut_names(state)
    return tuple(name for name in names_of(state) if name not in away)


def store_is_up(state: State) -> bool:
    return is_up(state.network, STORE)


def chosen(state: State) -> int:
    """The index of the strategy on show."""
    return INDEX[state.params.strategy]


def tally_of(state: State) -> Tally:
    """What the strategy on show has decided."""
    return state.tallies[chosen(state)]


def intervals_of(params: Params) -> tuple[int, ...]:
    """The sync intervals in a run (ms): the reader's own, then those to compare it with."""
    if params.strategy != "sync":
        return (params.sync_ms,)
    return (params.sync_ms, *(ms for ms in COMPARED_MS if ms != params.sync_ms))


# --- What crosses the network ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Request:
    """The client’s request, on its way to the server that the load balancer picked."""

    request: int


@dataclass(frozen=True, slots=True)
class Ask:
    """A server asks the store: INCR for the atomic counter, GET for the other."""

    request: int


@dataclass(frozen=True, slots=True)
class Answer:
    """The store’s answer, from its window number `window`.

    `count` is what INCR made of the atomic counter, `value` what GET found in the other.
    """

    request: int
    window: int
    count: int
    value: int


@dataclass(frozen=True, slots=True)
class Write:
    """SET of get-then-set, or EXPIRE of the atomic counter where that is a command of its own."""

    command: str
    value: int = 0


@dataclass(frozen=True, slots=True)
class Push:
    """A server adds its admissions of a window to the total of the sync interval number `lane`."""

    lane: int
    push: int
    window: int
    amount: int


@dataclass(frozen=True, slots=True)
class Total:
    """The store’s answer to a push."""

    lane: int
    push: int
    window: int
    total: int


# --- Events ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Arrive:
    """The client sends its request with this number, from 0."""

    number: int


@dataclass(frozen=True, slots=True)
class Due:
    """An alarm: somebody may have waited too long for the store."""


@dataclass(frozen=True, slots=True)
class Sync:
    """An alarm: a server tells the store what it has admitted."""

    server: str
    lane: int
    epoch: int


@dataclass(frozen=True, slots=True)
class SendOne:
    """The reader sends one request."""


@dataclass(frozen=True, slots=True)
class SendBurst:
    """The reader sends many requests in one instant."""

    count: int = knob(Number("Requests", 2, 300), 100)


@dataclass(frozen=True, slots=True)
class CrashStore:
    """The store stops."""


@dataclass(frozen=True, slots=True)
class RestartStore:
    """The store is back."""


@dataclass(frozen=True, slots=True)
class CrashServer:
    """A server stops; the load balancer leaves it out at once."""

    server: str = knob(OneOf("Server", up_names), "S1")


@dataclass(frozen=True, slots=True)
class RestartServer:
    """A server is back, with nothing in its memory."""

    server: str = knob(OneOf("Server", down_names), "S1")


@dataclass(frozen=True, slots=True)
class CutServer:
    """No message gets from a server to the store, or back."""

    server: str = knob(OneOf("Server", linked_names), "S1")


@dataclass(frozen=True, slots=True)
class Reconnect:
    """The link between a server and the store works again."""

    server: str = knob(OneOf("Server", cut_names), "S1")
