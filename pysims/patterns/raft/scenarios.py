"""Stories of Raft, each with what it claims as a predicate over the run."""

from __future__ import annotations

from typing import Any

from ...kernel import Draws, Run, Scenario, Script
from .model import (
    CANDIDATE,
    FOLLOWER,
    LEADER,
    Crash,
    Cut,
    Heal,
    Restart,
    SendCommand,
    State,
    TimeOut,
    server_of,
)
from .safety import ELECTION_SAFETY, LEADER_COMPLETENESS, STATE_MACHINE_SAFETY

# --- Claims ---------------------------------------------------------------------------------------


def states(run: Run[State]) -> list[State]:
    return list(run.history.states())


def leaders(run: Run[State]) -> tuple[tuple[int, str], ...]:
    """Every election that was won: (term, id)."""
    return run.last.witness.leaders


def fallen(run: Run[State]) -> tuple[str, ...]:
    return tuple(violation.property for violation in run.last.witness.violated)


def logs_agree(state: State) -> bool:
    return len({server.log for server in state.servers}) == 1


def elects_one(run: Run[State]) -> bool:
    """One candidate, who leads term 1, and everybody knows it; its first command is committed."""
    state = run.last
    candidates = {
        server.id for each in states(run) for server in each.servers if server.role == CANDIDATE
    }
    ((term, leader),) = leaders(run)
    known = all(server.leader == leader for server in state.servers)
    done = len(state.witness.committed) == 1 and logs_agree(state)
    return term == 1 and candidates == {leader} and known and done


def splits_first(run: Run[State]) -> bool:
    """In term 1 several servers vote for themselves and nobody wins; a later term has a leader."""
    rivals = {
        server.id
        for state in states(run)
        for server in state.servers
        if server.role == CANDIDATE and server.current_term == 1
    }
    won = [term for term, _ in leaders(run)]
    return len(rivals) >= 2 and 1 not in won and len(won) == 1


def crash_is_survived(run: Run[State]) -> bool:
    """Another leader in a later term has the committed entry; the old one follows it."""
    (first, old), (second, new) = leaders(run)
    state = run.last
    kept = state.witness.committed[0][0]
    returned = server_of(state, old)
    return (
        first < second
        and old != new
        and all(server.log[0] == kept for server in state.servers)
        and returned.role == FOLLOWER
        and returned.log == server_of(state, new).log
        and len(state.witness.committed) == 2
    )


def holders(state: State, command: str, term: int) -> int:
    """How many servers have the entry with this command and term."""
    return sum(
        any((entry.command, entry.term) == (command, term) for entry in server.log)
        for server in state.servers
    )


def is_committed(state: State, command: str) -> bool:
    return any(entry.command == command for entry, _ in state.witness.committed)


def overwritten_uncommitted(run: Run[State]) -> bool:
    """+2 of term 2 reaches a majority, is never committed, and no server has it in the end."""
    most = max(holders(state, "+2", 2) for state in states(run))
    end = run.last
    never = not any(is_committed(state, "+2") for state in states(run))
    return most >= 3 and never and holders(end, "+2", 2) == 0 and is_committed(end, "+3")


def overwritten_committed(run: Run[State]) -> bool:
    """+2 of term 2 is committed by counting, its client is told so, and S5 overwrites it."""
    end = run.last
    told = any(request.amount == 2 and request.answered_ms for request in end.requests)
    return (
        told
        and is_committed(end, "+2")
        and holders(end, "+2", 2) < holders(end, "+3", 3)
        and set(fallen(run)) == {LEADER_COMPLETENESS, STATE_MACHINE_SAFETY}
    )


def terms_inflate(run: Run[State]) -> bool:
    """The server that was cut off comes back with a higher term, and the leader loses office."""
    before, after = run.state_at(REJOIN_MS), run.last
    (_, leader), *more = leaders(run)
    cut_off = server_of(before, CUT_OFF)
    return (
        cut_off.current_term >= 4
        and server_of(before, leader).role == LEADER
        and len(more) >= 1
        and more[0][0] > cut_off.current_term
        and all(server.current_term >= cut_off.current_term for server in after.servers)
    )


def terms_stay(run: Run[State]) -> bool:
    """The server that was cut off never raises its term, and the first leader leads throughout."""
    ((term, leader),) = leaders(run)
    asked = any(server_of(state, CUT_OFF).role == "pre-candidate" for state in states(run))
    end = run.last
    return (
        asked
        and all(
            server.current_term == term for state in states(run)[-200:] for server in state.servers
        )
        and server_of(end, leader).role == LEADER
        and server_of(end, CUT_OFF).leader == leader
    )


def minority_loses(run: Run[State]) -> bool:
    """Two leaders at a time; the old one commits nothing, loses its entry, and the client wins."""
    (_, old), (term, new) = leaders(run)
    split, end = run.state_at(MINORITY_HEALS_MS - 1), run.last
    stale, fresh = server_of(split, old), server_of(split, new)
    lost = stale.log[stale.commit_index :]
    return (
        (stale.role, fresh.role) == (LEADER, LEADER)
        and stale.current_term < fresh.current_term == term
        and len(lost) == 1
        and not any(entry == lost[0] for server in end.servers for entry in server.log)
        and all(request.answered_ms is not None for request in end.requests)
        and logs_agree(end)
    )


def retried_once(run: Run[State]) -> bool:
    """The command stands twice in every log, and counts once in every value."""
    end = run.last
    return (
        all(
            [entry.serial for entry in server.log].count(1) == 2
            and server.value == 5
            and server.last_applied == len(server.log)
            for server in end.servers
        )
        and end.requests[0].attempt > 1
    )


def two_leaders_of_a_term(run: Run[State]) -> bool:
    terms = [term for term, _ in leaders(run)]
    return len(set(terms)) < len(terms) and fallen(run)[0] == ELECTION_SAFETY


def leader_without_entry(run: Run[State]) -> bool:
    """S5, whose log is empty, is elected over servers that have a committed entry."""
    return leaders(run)[-1][1] == "S5" and set(fallen(run)) == {
        LEADER_COMPLETENESS,
        STATE_MACHINE_SAFETY,
    }


def storm_is_weathered(run: Run[State]) -> bool:
    """Many leaders, many entries committed, and every property stands."""
    state = run.last
    return len(leaders(run)) >= 8 and len(state.witness.committed) >= 8 and not fallen(run)


# --- Scripts --------------------------------------------------------------------------------------

CUT_OFF = "S3"
REJOIN_MS = 1_600
MINORITY_HEALS_MS = 1_000

REJOINING: Script = (
    (400, Cut("S3 | S1 S2 S4 S5")),
    (700, SendCommand(3)),
    (REJOIN_MS, Heal()),
)

# Figure 8, with the elections started by hand and a cut wherever the figure says that an entry
# reached some servers only. Letters are those of the figure.
FIGURE_8: Script = (
    (0, TimeOut("S1")),
    (30, SendCommand(1, "S1")),
    (150, TimeOut("S1")),
    # (a) S1 leads term 2 and replicates +2 to S2 only.
    (200, Cut("S1 S2 | S3 S4 S5")),
    (205, SendCommand(2, "S1")),
    (235, Crash("S1")),
    # (b) S5 leads term 3 with the votes of S3 and S4, and takes +3 at the same index.
    (260, TimeOut("S5")),
    (285, Cut("S5 | S3 S4 | S1 S2")),
    (290, SendCommand(3, "S5")),
    (320, Crash("S5")),
    # (c) S1 is back, leads term 4 at its second try, and copies +2 to S3: a majority has it.
    (340, Restart("S1")),
    (340, Cut("S1 S2 S3 | S4 S5")),
    (350, TimeOut("S1")),
    (385, TimeOut("S1")),
    # (d) S1 crashes; S5 leads term 5 and overwrites +2 with +3.
    (500, Cut("S1 | S2 S3 S4 S5")),
    (505, SendCommand(4, "S1")),
    (530, Crash("S1")),
    (550, Restart("S5")),
    (560, TimeOut("S5")),
    (600, TimeOut("S5")),
    (720, SendCommand(5, "S5")),
    (820, Restart("S1")),
    (820, Heal()),
)
BY_HAND: dict[str, Any] = {
    "election_timeout_ms_min": 1_500,
    "election_timeout_ms_max": 2_000,
    "delay_ms_min": 10,
    "delay_ms_max": 10,
    "retry_timeout_ms": 2_000,
}

STORM_ENDS_MS = 1_900


def storm(draws: Draws, names: tuple[str, ...]) -> Script:
    """Again and again somebody wants to lead, reaches a few, takes a command, and crashes.

    Most of what is written about in §5.4 needs such moments; calm weather never shows it.
    """
    script: list[tuple[int, Any]] = []
    down: list[str] = []
    now_ms = 100
    while now_ms < STORM_ENDS_MS:
        who = draws.choice(names)
        if who in down:
            script.append((now_ms, Restart(who)))
            down.remove(who)
        script.append((now_ms + 5, TimeOut(who)))
        if draws.random() < 0.4:
            script.append((now_ms + 5 + draws.integer(0, 15), TimeOut(draws.choice(names))))
        now_ms += draws.integer(45, 85)
        reached = [name for name in names if name == who or draws.random() < 0.2]
        others = [name for name in names if name not in reached]
        if others:
            script.append((now_ms, Cut(f"{' '.join(reached)} | {' '.join(others)}")))
        script.append((now_ms + 5, SendCommand(draws.integer(1, 9), who)))
        now_ms += draws.integer(20, 65)
        script += [(now_ms, Crash(who)), (now_ms + 5, Heal())]
        down.append(who)
        now_ms += draws.integer(10, 40)
        while len(down) > len(names) // 2 or (down and draws.random() < 0.3):
            script.append((now_ms, Restart(down.pop(0))))
    return tuple(sorted(script, key=lambda timed: timed[0]))


SCENARIOS = (
    Scenario(
        id="first-election",
        title="First election",
        claim="One of five equal followers is elected in term 1, by a majority.",
        proof=elects_one,
        watch="The arcs run down; whose arc is empty first asks the others for their votes.",
        until_ms=700,
        show_ms=180,
        seed=22,
        script=((400, SendCommand(3)),),
        front=("servers",),
    ),
    Scenario(
        id="split-vote",
        title="Split vote",
        claim="Two candidates divide the votes of term 1, and a later term elects one leader.",
        proof=splits_first,
        watch="Several candidates at once: nobody gets a majority, and new random timeouts decide.",
        until_ms=900,
        show_ms=200,
        seed=1,
        params={"election_timeout_ms_min": 150, "election_timeout_ms_max": 200},
        front=("election_timeout_ms_min", "election_timeout_ms_max"),
    ),
    Scenario(
        id="leader-crash",
        title="The leader crashes",
        claim="Another leader takes over with every committed entry; the old one returns as a "
        "follower.",
        proof=crash_is_survived,
        watch="The log of a crashed server is on disk; its office is not.",
        until_ms=1_500,
        show_ms=700,
        seed=1,
        script=(
            (300, SendCommand(3)),
            (450, Crash("S2")),
            (900, SendCommand(4)),
            (1_100, Restart("S2")),
        ),
        front=("election_timeout_ms_min", "election_timeout_ms_max"),
    ),
    Scenario(
        id="figure-8",
        title="Figure 8, with the rule",
        claim="An entry of term 2 reaches a majority, is not committed, and is overwritten.",
        proof=overwritten_uncommitted,
        watch="+2 stands on three of five servers and stays outlined: nobody was promised it.",
        until_ms=1_100,
        show_ms=470,
        seed=1,
        params=BY_HAND,
        script=FIGURE_8,
        front=("broken_rule",),
    ),
    Scenario(
        id="figure-8-unsafe",
        title="Figure 8, without the rule",
        claim="Committed by counting, the entry is overwritten; its client had been told “done”.",
        proof=overwritten_committed,
        watch="The same script: +2 becomes solid, its client is told “done”, and S5 replaces it.",
        until_ms=1_100,
        show_ms=700,
        seed=1,
        params={**BY_HAND, "broken_rule": "commit-old-term"},
        script=FIGURE_8,
        front=("broken_rule",),
        breaks=(LEADER_COMPLETENESS, STATE_MACHINE_SAFETY),
    ),
    Scenario(
        id="rejoining-node",
        title="A server comes back with a high term",
        claim="A server that was only cut off makes a healthy leader step down.",
        proof=terms_inflate,
        watch="Alone, S3 raises its term again and again; when it returns, the leader must go.",
        until_ms=2_200,
        show_ms=1_640,
        seed=1,
        script=REJOINING,
        front=("prevote",),
    ),
    Scenario(
        id="rejoining-node-prevote",
        title="The same with PreVote",
        claim="It asks first and keeps its term, so nobody is disturbed when it returns.",
        proof=terms_stay,
        watch="S3 asks who would vote for it; without answers its term stays as it is.",
        until_ms=2_200,
        show_ms=1_640,
        seed=1,
        params={"prevote": True},
        script=REJOINING,
        front=("prevote",),
    ),
    Scenario(
        id="minority-leader",
        title="A leader in the minority",
        claim="It keeps talking to itself, commits nothing, and loses its entry when it returns.",
        proof=minority_loses,
        watch="Two servers say “leader”, in different terms; only the one with a majority commits.",
        until_ms=1_500,
        show_ms=950,
        seed=22,
        script=(
            (300, SendCommand(3)),
            (400, Cut("S2 S1 | S3 S4 S5")),
            (450, SendCommand(7, "S2")),
            (MINORITY_HEALS_MS, Heal()),
        ),
        front=("prevote",),
    ),
    Scenario(
        id="client-retry",
        title="A command sent twice",
        claim="The leader crashes before it answers; the retry stands in the log twice, and counts "
        "once.",
        proof=retried_once,
        watch="Both entries +5 have the serial number 1, so x is 5 and not 10.",
        until_ms=1_200,
        show_ms=1_150,
        seed=1,
        script=((300, SendCommand(5, "S2")), (335, Crash("S2")), (900, Restart("S2"))),
        front=("retry_timeout_ms",),
    ),
    Scenario(
        id="vote-twice",
        title="Broken rule: vote twice in a term",
        claim="Two servers are elected in the same term.",
        proof=two_leaders_of_a_term,
        watch="Two servers say “leader” in one term: Election Safety has fallen.",
        until_ms=500,
        show_ms=206,
        seed=0,
        params={
            "broken_rule": "vote-twice",
            "election_timeout_ms_min": 150,
            "election_timeout_ms_max": 200,
        },
        front=("broken_rule",),
        breaks=(ELECTION_SAFETY,),
    ),
    Scenario(
        id="skip-up-to-date",
        title="Broken rule: skip the up-to-date check",
        claim="A server with an empty log is elected, and a committed entry is overwritten.",
        proof=leader_without_entry,
        watch="S5 was cut off when +3 was committed; without the check the others vote for it.",
        until_ms=1_000,
        show_ms=620,
        seed=1,
        params={**BY_HAND, "broken_rule": "skip-up-to-date"},
        script=(
            (0, TimeOut("S1")),
            (40, Cut("S1 S2 S3 S4 | S5")),
            (50, SendCommand(3, "S1")),
            (200, Crash("S1")),
            (220, Heal()),
            (230, TimeOut("S5")),
            (320, SendCommand(8, "S5")),
            (600, Restart("S1")),
        ),
        front=("broken_rule",),
        breaks=(LEADER_COMPLETENESS, STATE_MACHINE_SAFETY),
    ),
    Scenario(
        id="storm",
        title="A storm, to break rules in",
        claim="Through crashes, cuts and rival candidates at every turn, all six properties hold.",
        proof=storm_is_weathered,
        watch="All lights are green. Break a rule, then search for a violated light in Settings.",
        until_ms=2_200,
        show_ms=2_150,
        seed=1,
        params={
            "election_timeout_ms_min": 300,
            "election_timeout_ms_max": 600,
            "delay_ms_min": 5,
            "delay_ms_max": 25,
            "retry_timeout_ms": 500,
        },
        script=storm(Draws(99), ("S1", "S2", "S3", "S4", "S5")),
        front=("broken_rule",),
    ),
)
