"""The stories of the chapter; each seed was chosen so that the run shows its sentence."""

from __future__ import annotations

from ...kernel import Run, Scenario, Script
from .engine import SCHEDULED
from .promises import charges, every_step_once, standing
from .state import Deploy, Kill, Request, Restart, State, books
from .trip import CHANGED, CHARGE, COMPLETED, COUPON, FIND, HOLD, NOTIFY, ORIGINAL

# With this seed worker B takes the trip first, with a history and without one.
SEED = 1
BEGIN_MS = 100
TRIP: Script = ((BEGIN_MS, Request()),)

KILL_MS, CALL_MS = 3_000, 5_020
DEPLOY_MS, ROLLBACK_MS = 2_700, 5_200
OFTEN_FROM_MS, OFTEN_EVERY_MS, OFTEN_DOWN_MS = 600, 800, 700
OFTEN = "BACBACABCA"


def killed_often() -> Script:
    """One worker after another dies, and is back when the next one goes."""
    script: list[tuple[int, object]] = [*TRIP]
    for index, name in enumerate(OFTEN):
        kill_ms = OFTEN_FROM_MS + OFTEN_EVERY_MS * index
        script += [(kill_ms, Kill(name)), (kill_ms + OFTEN_DOWN_MS, Restart(name))]
    return tuple(script)


def completed(state: State) -> bool:
    """The trip came to its good end, every step took effect once, and one charge went through."""
    return state.service.status == COMPLETED and every_step_once(state) and len(charges(state)) == 1


def asked(state: State, name: str) -> int:
    """How often a step was asked for, whatever became of it."""
    return sum(row.asked for row in books(state) if row.name == name)


def charged_twice(run: Run[State]) -> bool:
    """Run 2 does all of run 1 again: two drivers, and two charges for one trip."""
    state = run.last
    found = sum(row.name == FIND for row in books(state))
    return (
        state.service.run == 2
        and state.service.status == COMPLETED
        and len(charges(state)) == 2
        and found == 2
    )


def one_declines_and_all_is_well(run: Run[State]) -> bool:
    """Driver 1 declines, driver 2 drives; every step was asked for once, after a single replay."""
    state = run.last
    path = [visit.state for visit in standing(state).path]
    once = all(row.asked == 1 for row in books(state))
    return completed(state) and path.count("declined") == 1 and once and state.replays == 1


def taken_up_by_another(run: Run[State]) -> bool:
    """A replays what B had done; the charge is asked for twice, and takes effect once."""
    state = run.last
    return (
        completed(state)
        and state.kills == 2
        and state.replays >= 2
        and asked(state, CHARGE) == 2
        and sum(row.asked for row in books(state)) == len(books(state)) + 1
    )


def survives_ten_kills(run: Run[State]) -> bool:
    """Ten kills, at least five replays from the first event, and every step took effect once."""
    state = run.last
    return completed(state) and state.kills == len(OFTEN) and state.replays >= 5


def caught_and_rolled_back(run: Run[State]) -> bool:
    """The changed code is stopped at the search for a driver, does nothing, and is rolled back."""
    stuck = run.state_at(ROLLBACK_MS - 1).service.mismatch
    never = all(row.name != HOLD for state in run.history.states() for row in state.rows)
    return (
        stuck is not None
        and (stuck.was.name, stuck.now and stuck.now.name) == (FIND, HOLD)
        and never
        and completed(run.last)
    )


def coin_is_caught(run: Run[State]) -> bool:
    """Two throws differ: the history has no coupon, the new throw wants one, and gives none."""
    found = [s.service.mismatch for s in run.history.states() if s.service.mismatch is not None]
    none = all(row.name != COUPON for row in run.last.rows)
    return (
        bool(found)
        and found[0].was.kind == SCHEDULED
        and (found[0].was.name, found[0].now and found[0].now.name) == (NOTIFY, COUPON)
        and none
        and completed(run.last)
    )


def most_questions_are_vain(run: Run[State]) -> bool:
    """Two of three questions have no news in the answer, and nobody is told anything unasked."""
    calls = run.last.calls
    return completed(run.last) and calls.vain * 3 >= calls.polls * 2 and calls.pushes == 0


def few_questions_are_vain(run: Run[State]) -> bool:
    """At most one question in three is in vain, and the rider hears within a message's time."""
    calls = run.last.calls
    return (
        completed(run.last)
        and calls.vain * 3 <= calls.polls
        and calls.late_ms <= 60 * calls.news
        and calls.pushes > 0
    )


SCENARIOS = (
    Scenario(
        id="no-history",
        title="Progress in a worker’s memory",
        claim="The worker dies after the charge; another starts from the top and charges again.",
        proof=charged_twice,
        watch="B dies with the whole trip in its memory. A knows nothing of it: a second driver "
        "comes, and the rider pays a second time.",
        until_ms=9_000,
        show_ms=7_360,
        seed=SEED,
        params={"engine": "no_history", "declines": 0},
        script=(*TRIP, (3_470, Kill("B")), (4_500, Restart("B"))),
        front=("engine", "declines"),
        breaks=("The rider is charged once", "No step takes effect twice"),
    ),
    Scenario(
        id="trip",
        title="A trip with an event history",
        claim="Driver 1 declines, driver 2 drives, and every step is asked for and done once.",
        proof=one_declines_and_all_is_well,
        watch="Each step is written down before it is done, and again with its result. The lit "
        "state follows from that list alone.",
        until_ms=7_000,
        show_ms=3_760,
        seed=SEED,
        script=TRIP,
        front=("declines", "card_declines"),
    ),
    Scenario(
        id="killed",
        title="A worker dies, another goes on",
        claim="A replays 19 events and goes on; the charge is asked for twice and made once.",
        proof=taken_up_by_another,
        watch="B is dead. A feeds the recorded events to the code, from the first line on, and "
        "does none of these steps again.",
        until_ms=8_000,
        show_ms=4_480,
        seed=SEED,
        params={"declines": 0},
        script=(*TRIP, (KILL_MS, Kill("B")), (CALL_MS, Kill("C")), (6_000, Restart("B"))),
        front=("engine", "cache"),
    ),
    Scenario(
        id="killed-often",
        title="Ten kills",
        claim="Ten kills, and every step of the trip takes effect once.",
        proof=survives_ten_kills,
        watch="Every 0.8 s a worker dies. The trip gets later, but nothing of it is lost or done "
        "twice.",
        until_ms=11_000,
        show_ms=7_562,
        seed=SEED,
        params={"declines": 0},
        script=killed_often(),
        front=("engine", "cache"),
    ),
    Scenario(
        id="non-deterministic",
        title="Code that does not fit its history",
        claim="Replay stops the changed code before it has an effect; the old code goes on.",
        proof=caught_and_rolled_back,
        watch="The new code holds the fare before it looks for a driver. This trip is past that "
        "point, so its history has no such step.",
        until_ms=8_500,
        show_ms=4_048,
        seed=SEED,
        params={"declines": 0},
        script=(*TRIP, (DEPLOY_MS, Deploy(CHANGED)), (ROLLBACK_MS, Deploy(ORIGINAL))),
        front=("coin", "cache"),
    ),
    Scenario(
        id="coin-flip",
        title="Code that flips a coin",
        claim="B’s coin gave no coupon, A’s gives one: caught at replay, and no coupon is sent.",
        proof=coin_is_caught,
        watch="While B lived, its throw was in its memory. A throws again, and the coin falls on "
        "the other side.",
        until_ms=8_500,
        show_ms=4_800,
        seed=SEED,
        params={"declines": 0, "coin": True},
        script=(*TRIP, (KILL_MS, Kill("B")), (4_500, Restart("B"))),
        front=("coin", "cache"),
    ),
    Scenario(
        id="polling",
        title="Asking again and again",
        claim="At least two of three questions bring no news.",
        proof=most_questions_are_vain,
        watch="The small hollow dots are questions. Compare the calls below with those of the next "
        "scenario.",
        until_ms=9_500,
        show_ms=7_000,
        seed=SEED,
        params={"waiting": "polling"},
        script=TRIP,
        front=("waiting", "poll_ms"),
    ),
    Scenario(
        id="waiting",
        title="Waiting until told",
        claim="Workers wait for a task, apps are told: at most one question in three is in vain.",
        proof=few_questions_are_vain,
        watch="A worker’s question stays at the history service until there is a task; apps are "
        "told when something has happened.",
        until_ms=7_000,
        show_ms=5_000,
        seed=SEED,
        script=TRIP,
        front=("waiting", "poll_ms"),
    ),
)
