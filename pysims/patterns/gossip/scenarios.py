"""The stories of the chapter; each seed was chosen so that the run shows its sentence."""

from __future__ import annotations

from itertools import pairwise

from ...kernel import Run, Scenario
from .model import (
    Crash,
    Cut,
    Delete,
    Heal,
    Restart,
    State,
    Write,
    knowing,
    missing,
    replica_of,
    value_of,
)

# The first write comes between two rounds, so that the round after it is the first to spread it.
WRITE_MS = 250
PUSH_SEED, PULL_SEED, RUMOR_SEED = 46, 29, 6
BACK, LASTS, AGREE = (
    "No node goes back",
    "A write beats what it replaces",
    "After the calm, all agree",
)


def at(run: Run[State], time_ms: int) -> State:
    """The state at a moment."""
    return run.history[run.history.index_at(time_ms)].state


def values(state: State) -> set[int | None]:
    """What clients read at the nodes that are up."""
    down = state.network.down
    return {value_of(replica) for replica in state.replicas if replica.name not in down}


def reached_after(state: State) -> float:
    """The rounds from the newest write until all that are up knew it."""
    return (state.reached_ms - state.writes[-1].at_ms) / state.params.interval_ms


def push_doubles_and_then_drags(run: Run[State]) -> bool:
    """No round more than doubles the number; four reach half of the nodes, the eighth the last."""
    told = run.last.told
    doubles = all(b <= 2 * a for a, b in pairwise(told))
    return doubles and told[3] < 8 <= told[4] and 7 < reached_after(run.last) < 8


def pull_crawls_and_then_leaps(run: Run[State]) -> bool:
    """In two rounds nobody asks A, the only one who knows; from half to all it takes two."""
    told = run.last.told
    half = next(index for index, count in enumerate(told) if count >= 8)
    return told[2] == 1 and told[half + 2] == 16


def rumor_leaves_some(run: Run[State]) -> bool:
    """The rumor has died, three nodes never heard of it, and nothing is sent any more."""
    state = run.last
    died = at(run, 6_000)
    return (
        len(missing(state)) == 3
        and not any(replica.hot for replica in died.replicas)
        and died.messages == state.messages
    )


def backup_finds_them(run: Run[State]) -> bool:
    """Before the eighth round three have not heard; comparing tells them by the sixteenth."""
    return len(missing(at(run, 3_900))) == 3 and not missing(at(run, 9_000))


def later_write_wins(run: Run[State]) -> bool:
    """Each side has its own value while it is cut; after the heal the later one is everywhere."""
    cut, last = at(run, 7_900), run.last
    first = {value_of(replica) for replica in cut.replicas[:5]}
    others = {value_of(replica) for replica in cut.replicas[5:]}
    return first == {1} and others == {2} and values(last) == {2}


def forgotten_comes_back(run: Run[State]) -> bool:
    """A has nothing for a moment, and by the end everybody has the deleted version again."""
    deleted = at(run, 6_250)
    return value_of(replica_of(deleted, "A")) is None and values(run.last) == {0}


def certificate_outlasts_the_absence(run: Run[State]) -> bool:
    """H comes back with the deleted version, and is told; nobody has it in the end."""
    back = at(run, 16_000)
    return value_of(replica_of(back, "H")) == 0 and values(run.last) == {None}


def certificate_is_gone_too_early(run: Run[State]) -> bool:
    """Nobody has anything when H comes back; in the end everybody has the deleted version."""
    before = at(run, 15_900)
    nothing = all(r.entry is None for r in before.replicas if r.name != "H")
    return nothing and values(run.last) == {0}


def fast_clock_wins(run: Run[State]) -> bool:
    """C's write is lost at once, though it came four seconds after A's had reached everybody."""
    state = run.last
    second = state.writes[1]
    first = len(knowing(at(run, 6_000))) == 16
    return first and second.writer == "C" and values(state) == {0} and not knowing(state)


FRONT = ("strategy", "nodes", "fanout")
ABSENCE = (
    (WRITE_MS, Write("A")),
    (6_100, Crash("H")),
    (6_200, Delete("A")),
    (16_000, Restart("H")),
)

SCENARIOS = (
    Scenario(
        id="push",
        title="Push: tell what you know",
        claim="A round at most doubles those who know: half after four, the last in the eighth.",
        proof=push_doubles_and_then_drags,
        watch="The curve rises like an epidemic. Late rounds tell mostly those who know already.",
        until_ms=8_000,
        show_ms=2_100,
        seed=PUSH_SEED,
        script=((WRITE_MS, Write("A")),),
        front=FRONT,
    ),
    Scenario(
        id="pull",
        title="Pull: ask what is new",
        claim="For two rounds nobody asks A, who alone knows; from half to all it takes two more.",
        proof=pull_crawls_and_then_leaps,
        watch="Most questions find nobody who knows, and then hardly any fails.",
        until_ms=8_000,
        show_ms=2_640,
        seed=PULL_SEED,
        params={"strategy": "pull"},
        script=((WRITE_MS, Write("A")),),
        front=FRONT,
    ),
    Scenario(
        id="residue",
        title="A rumor dies before all have heard it",
        claim="Tellers stop after being told “I had heard” once, and three nodes never hear.",
        proof=rumor_leaves_some,
        watch="The rings around the nodes: who still tells. When the last one stops, it is over.",
        until_ms=18_000,
        show_ms=6_000,
        seed=RUMOR_SEED,
        params={"strategy": "rumor", "tires_after": 1},
        script=((WRITE_MS, Write("A")),),
        front=("strategy", "tires_after", "backup_rounds"),
        breaks=(AGREE,),
    ),
    Scenario(
        id="backup",
        title="The same rumor, with anti-entropy behind it",
        claim="Three have not heard when the rumor dies; comparing every eighth round tells them.",
        proof=backup_finds_them,
        watch="Silence, and every eighth round everybody compares with somebody.",
        until_ms=10_000,
        show_ms=4_150,
        seed=RUMOR_SEED,
        params={"strategy": "rumor", "tires_after": 1, "backup_rounds": 8},
        script=((WRITE_MS, Write("A")),),
        front=("strategy", "tires_after", "backup_rounds"),
    ),
    Scenario(
        id="cut",
        title="Two sides write, and the later write wins",
        claim="Each side agrees on its own value; after the heal, the later one is everywhere.",
        proof=later_write_wins,
        watch="Both clients were told that their write is kept. One of them was told wrong.",
        until_ms=11_500,
        show_ms=5_150,
        params={"strategy": "push_pull", "loss": 0.2},
        script=(
            (WRITE_MS, Write("A")),
            (4_100, Cut(5)),
            (4_300, Write("B")),
            (4_700, Write("L")),
            (8_000, Heal()),
        ),
        front=FRONT,
    ),
    Scenario(
        id="forgotten",
        title="Delete without a certificate",
        claim="A forgets the item, and its neighbors tell it again: the deletion never happened.",
        proof=forgotten_comes_back,
        watch="A’s disk is empty for a moment. Nobody can tell “deleted” from “not heard yet”.",
        until_ms=8_000,
        show_ms=6_300,
        params={"strategy": "push_pull", "keep_rounds": 0},
        script=((WRITE_MS, Write("A")), (6_200, Delete("A"))),
        front=("strategy", "keep_rounds"),
        breaks=(BACK,),
    ),
    Scenario(
        id="certificate",
        title="A death certificate waits for the absent",
        claim="H missed the deletion; when it is back, it is told, and the item stays deleted.",
        proof=certificate_outlasts_the_absence,
        watch="Squares are certificates: a deletion spreads like a write.",
        until_ms=20_000,
        show_ms=15_900,
        params={"strategy": "push_pull"},
        script=ABSENCE,
        front=("strategy", "keep_rounds"),
    ),
    Scenario(
        id="grace",
        title="The certificate is thrown away too early",
        claim="H was away for longer than certificates are kept, and brings the item back to all.",
        proof=certificate_is_gone_too_early,
        watch="Everybody has forgotten that there was a deletion. To them, H has news.",
        until_ms=20_000,
        show_ms=17_000,
        params={"strategy": "push_pull", "keep_rounds": 12},
        script=ABSENCE,
        front=("strategy", "keep_rounds"),
        breaks=(BACK,),
    ),
    Scenario(
        id="fast-clock",
        title="A fast clock wins",
        claim="A’s clock is 8 s fast, so what C writes later is older, and lost at once.",
        proof=fast_clock_wins,
        watch="The timestamps in the list. Let timestamps be later than what the writer saw.",
        until_ms=10_000,
        show_ms=6_700,
        params={"strategy": "push_pull", "stamps": "clock", "skew_ms": 8_000},
        script=((WRITE_MS, Write("A")), (6_200, Write("C"))),
        front=("stamps", "skew_ms"),
        breaks=(LASTS,),
    ),
)
