"""What the picture says in words: sentences for events, readouts, and the text alternative."""

from __future__ import annotations

from ...kernel import Deliver, is_up
from ...phrases import listed, many
from .model import Event
from .state import (
    ASKING,
    LOCAL,
    NAIVE,
    SHARED,
    SPLIT,
    STORE,
    STRATEGIES,
    SYNC,
    Answer,
    Arrive,
    Ask,
    CrashServer,
    CrashStore,
    CutServer,
    Decided,
    Due,
    Push,
    Reconnect,
    Request,
    RestartServer,
    RestartStore,
    SendBurst,
    SendOne,
    State,
    Sync,
    Total,
    Write,
    chosen,
    cut_names,
    down_names,
    intervals_of,
    store_is_up,
    tally_of,
)
from .tally import Tally

SHORT = {
    LOCAL: "Local counters",
    SPLIT: "Split quota",
    NAIVE: "Get, then set",
    SHARED: "Shared counter, atomic",
    SYNC: "Local, synced",
}
FAILING = {True: "let through", False: "refused"}


def window_words(window_ms: int) -> str:
    return f"{window_ms // 1_000} s"


def name_of(state: State, way: int) -> str:
    """A strategy in a few words, with its sync interval if it has one."""
    if way >= SYNC:
        return f"{SHORT[SYNC]} every {intervals_of(state.params)[way - SYNC]:,} ms"
    return SHORT[way]


def admitted_now(state: State, tally: Tally, now_ms: int) -> int:
    """How many a strategy has let through in the window of this moment."""
    return tally.admitted_in(now_ms // state.params.window_ms)


def came_now(state: State, now_ms: int) -> int:
    """How many requests the client has sent in the window of this moment."""
    same = state.sent.window == now_ms // state.params.window_ms
    return state.sent.in_window if same else 0


def outcome(state: State, way: int) -> str:
    """What was wrong with a strategy's decisions so far, if anything."""
    tally = state.tallies[way]
    parts = []
    if tally.over:
        parts.append(f"{tally.over:,} too many")
    if tally.wrong:
        parts.append(f"{tally.wrong:,} refused wrongly")
    return ", ".join(parts)


def how(state: State) -> str:
    """How the strategy on show decides, in a sentence for the reader."""
    params = state.params
    limit = f"{params.limit:,}"
    if chosen(state) in ASKING and not store_is_up(state):
        return (
            f"The store is down: each request waits {params.timeout_ms} ms in vain, and is then "
            f"{FAILING[params.fail_open]}."
        )
    if chosen(state) == LOCAL:
        return f"Each server counts only its own requests, up to {limit}, and asks nobody."
    if chosen(state) == SPLIT:
        parts = sorted(server.split.limit for server in state.servers)
        part = f"{parts[0]}" if parts[0] == parts[-1] else f"{parts[0]} or {parts[-1]}"
        return f"Each server may let {part} through, its part of the {limit}, and asks nobody."
    if chosen(state) == SHARED:
        text = "Each request asks the store to add 1, and to say what the count is then."
        if params.atomic_expire:
            return text
        return f"{text} Whoever hears 1 must also tell the store when the count ends."
    if chosen(state) == NAIVE:
        return "Each request reads the count in the store; if there is room, it writes back 1 more."
    return f"Each server counts alone, and every {params.sync_ms:,} ms tells the store what is new."


def boxes(state: State) -> str:
    """What the number in a server's box means."""
    if chosen(state) in ASKING:
        return (
            "In a box: the count that the server met last. Below it, dots: requests that wait "
            "for the store."
        )
    if chosen(state) == SYNC:
        return "In a box: what the server takes the count of all to be."
    return "In a box: how many requests the server has let through."


def readouts(state: State, now_ms: int) -> list[dict[str, str]]:
    """The numbers beside the picture, for the strategy on show."""
    params, tally, way = state.params, tally_of(state), chosen(state)
    calls, sent = state.calls[way], state.sent.number
    asks = way in ASKING
    admitted = admitted_now(state, tally, now_ms)
    numbers = [
        (
            "Let through",
            f"{admitted:,}",
            f"in this window, in which {came_now(state, now_ms):,} came",
        ),
        ("Allowed", f"{params.limit:,}", f"in each window of {window_words(params.window_ms)}"),
        ("Let through beyond the limit", f"{tally.over:,}", "in the whole run"),
        ("Refused wrongly", f"{tally.wrong:,}", "although the limit was not used up"),
        (
            "Wait for the store, mean",
            f"{state.waits.mean_ms:.0f} ms" if asks else "0 ms",
            "added to every request" if asks else "no request waits",
        ),
        (
            "Wait for the store, p99",
            f"{state.waits.within_ms(0.99)} ms" if asks else "0 ms",
            "99 of 100 wait no longer",
        ),
        ("Calls to the store", f"{calls:,}", f"{calls / max(1, sent):.2f} for each request"),
    ]
    if state.mishaps.unserved or state.mishaps.unanswered:
        lost = state.mishaps.unserved + (state.mishaps.unanswered if asks else 0)
        numbers.append(("Lost in crashes", f"{lost:,}", "requests without any answer"))
    return [{"label": label, "value": value, "note": note} for label, value, note in numbers]


# --- Sentences ------------------------------------------------------------------------------------


def verdict(state: State, decided: Decided) -> str:
    """A decision in a sentence, without the server's name."""
    done = "lets the request through" if decided.allowed else "refuses the request"
    if decided.reason == "silence":
        return f"has waited {decided.waited_ms} ms for the store in vain and {done}"
    counted = {
        LOCAL: "its own count is",
        SPLIT: "its own count is",
        SYNC: "it takes the count of all to be",
        SHARED: "this request made the count",
        NAIVE: "with this request the count it read makes",
    }[chosen(state)]
    limit = state.params.limit
    if chosen(state) == SPLIT:
        limit = state.servers[int(decided.server[1:]) - 1].split.limit
    return f"{done}: {counted} {decided.count:,} of {limit:,}"


def describe(before: State | None, event: Event | None, after: State) -> str:
    """What an event did, in a sentence; without an event, how the run starts."""
    if before is None or event is None:
        params = after.params
        return (
            f"{many(params.servers, 'server')}, and one client that may send {params.limit:,} "
            f"requests in {window_words(params.window_ms)}. {how(after)}"
        )
    sentence = event_words(before, event, after)
    if belongs(after, event):
        return sentence
    return f"Not in the picture, for another strategy: {sentence[0].lower()}{sentence[1:]}"


def belongs(state: State, event: Event) -> bool:
    """Whether an event happens under the strategy on show, or only under another one."""
    way = chosen(state)
    match event:
        case Sync(_, lane, _):
            return way == SYNC and lane == 0
        case Due():
            return way in ASKING
        case Deliver(message):
            match message.body:
                case Push() | Total():
                    return way == SYNC and message.body.lane == 0
                case Write(command):
                    return way == (NAIVE if command == "set" else SHARED)
                case Ask() | Answer():
                    return way in ASKING
    return True


def event_words(before: State, event: Event, after: State) -> str:
    """What an event did."""
    match event:
        case Arrive() | SendOne():
            return sent_words(before, after)
        case SendBurst(count):
            return f"The client sends {count} requests in one instant."
        case Deliver(message):
            return delivered(before, message.source, message.target, message.body, after)
        case Due():
            return due_words(before, after)
        case Sync(name, lane, _):
            pushed = after.calls[SYNC + lane] > before.calls[SYNC + lane]
            done = "tells the store what is new" if pushed else "has nothing new to tell the store"
            return f"Server {name} {done}."
        case CrashStore():
            kept = "keeps its counters on disk" if after.params.durable else "forgets its counters"
            return f"The store crashes and {kept}."
        case RestartStore():
            return "The store is back."
        case CrashServer(name):
            return f"Server {name} crashes: what it had counted is lost."
        case RestartServer(name):
            return f"Server {name} is back, with empty counters."
        case CutServer(name):
            return f"Server {name} is cut from the store."
        case Reconnect(name):
            return f"Server {name} can reach the store again."


def sent_words(before: State, after: State) -> str:
    number = f"Request {after.sent.number:,}"
    if after.mishaps.unserved > before.mishaps.unserved:
        return f"{number} finds no server that is up."
    newest = after.front.in_flight[-1]
    return f"{number} sets out; the load balancer picks {newest.target}."


def delivered(before: State, source: str, target: str, body: object, after: State) -> str:
    """What a message did where it arrived."""
    if after.mishaps.unserved > before.mishaps.unserved:
        return f"A request for {target} is lost: the server is down."
    match body:
        case Request(number):
            if len(after.decided) and after.decided[-1].request == number:
                return f"Server {target} {verdict(after, after.decided[-1])}."
            return f"Server {target} has a request and asks the store."
    if lost_on_the_way(before, body):
        return f"A message from {place(source)} to {place(target)} is lost."
    match body:
        case Ask():
            return asked_words(source, after)
        case Answer(number):
            if after.decided and after.decided[-1].request == number:
                return f"Server {target} {verdict(after, after.decided[-1])}."
            return f"Server {target} has an answer of the store."
        case Write("set", value):
            return f"The store sets the count to {value:,}, as {source} says."
        case Write():
            return f"The store gives the counter an end, as {source} asks."
        case Push(_, _, _, amount):
            return f"The store adds {amount:,} from {source}."
        case Total(_, _, _, total):
            return f"Server {target} hears that the count of all is {total:,}."
    raise ValueError(f"no words for {body!r}")


def lost_on_the_way(before: State, body: object) -> bool:
    """Whether the message with this body did not get through: cut, lost, or its target down."""
    for message in before.network.in_flight:
        if message.body is body or message.body == body:
            return bool(message.lost) or not is_up(before.network, message.target)
    return True


def place(name: str) -> str:
    """A server or the store, within a sentence."""
    return f"the {STORE}" if name == STORE else name


def asked_words(source: str, after: State) -> str:
    store = after.store
    if chosen(after) == NAIVE:
        return f"The store tells {source} that the count is {store.naive.count:,}."
    if chosen(after) == SHARED:
        return f"The store adds 1 for {source}: the count is {store.atomic.count:,}."
    return f"The store answers {source}."


def due_words(before: State, after: State) -> str:
    late = after.mishaps.timeouts - before.mishaps.timeouts
    if not late:
        return "An alarm for requests that have had their answer."
    word = FAILING[after.params.fail_open]
    which = "fail-open" if after.params.fail_open else "fail-closed"
    return (
        f"After {after.params.timeout_ms} ms without an answer of the store, "
        f"{many(late, 'request')} {'is' if late == 1 else 'are'} {word} ({which})."
    )


# --- The text alternative -------------------------------------------------------------------------


def troubles(state: State) -> str:
    """What is down or cut now."""
    parts = []
    if not store_is_up(state):
        parts.append(f"The {STORE} is down.")
    if down_names(state):
        parts.append(f"Down: {listed(down_names(state))}.")
    if cut_names(state):
        parts.append(f"Cut from the store: {listed(cut_names(state))}.")
    return " ".join(parts)


def alternative(state: State, now_ms: int) -> str:
    """What a sighted reader sees, as text."""
    params = state.params
    rows = []
    for way in range(len(state.tallies)):
        wrong = outcome(state, way)
        admitted = admitted_now(state, state.tallies[way], now_ms)
        rows.append(f"{name_of(state, way)} {admitted:,}{f' ({wrong})' if wrong else ''}")
    numbers = [f"{each['label']} {each['value']}" for each in readouts(state, now_ms)]
    text = (
        f"{STRATEGIES[params.strategy]}. {how(state)} {troubles(state)} The client has sent "
        f"{came_now(state, now_ms):,} requests in this window of {window_words(params.window_ms)}, "
        f"{params.limit:,} are allowed. Let through in this window, on the same requests: "
        f"{'; '.join(rows)}. {'; '.join(numbers)}."
    )
    last = [f"{each.server} {verdict(state, each)}" for each in state.decided[:-4:-1]]
    if last:
        text += f" The newest decisions: {'; '.join(last)}."
    return " ".join(text.split())
