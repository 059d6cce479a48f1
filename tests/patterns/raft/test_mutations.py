"""Raft with one line wrong: the random schedules must notice, whichever line it is.

Each mutation changes one piece of text in one function of the model, so it reads as a diff. The
search runs the schedules of seeds 0, 1, 2 and so on until the property falls that the mutation
breaks; an exception counts for nothing, and the right algorithm must survive the same schedule. A
few mutations cost liveness only: under them a cluster that has calmed down still owes its client
something after a time in which the right one is long done (`test_chaos` proves that).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest

from pysims.patterns.raft import model
from pysims.patterns.raft.safety import PROPERTIES
from tests.patterns.raft import test_paper as sentences
from tests.patterns.raft.by_hand import leader
from tests.patterns.raft.schedules import (
    CALAMITIES,
    DEPOSED,
    ELECTIONS,
    FIGURE_8,
    Shaken,
    calm,
    params_of,
    shake,
    what_is_left_undone,
)
from tests.patterns.raft.twin import properties_that_fell

RUNS_MAX = 400
BOUND_MS = 6_000

ELECTION = "Election Safety"
APPEND_ONLY = "Leader Append-Only"
MATCHING = "Log Matching"
COMPLETENESS = "Leader Completeness"
MACHINE = "State Machine Safety"
ONCE = "Commands apply once"
LIVENESS = "liveness"


@dataclass(frozen=True)
class Weather:
    """Which schedules to search: parameters that are fixed, and the calamities to draw from."""

    fixed: dict[str, Any]
    kinds: tuple[Any, ...]


QUICK = {"servers": 3, "delay_ms_max": 10, "heartbeat_interval_ms": 20}
LATE = {
    "servers": 3,
    "delay_ms_max": 100,
    "election_timeout_ms_min": 50,
    "election_timeout_ms_max": 150,
    "heartbeat_interval_ms": 20,
}
ANY = Weather({}, CALAMITIES)
STORM = Weather(QUICK, CALAMITIES)
CONTEST = Weather(QUICK, ELECTIONS)
CUT_OFF = Weather(QUICK, DEPOSED)
DELAY = Weather(LATE, DEPOSED)
CRASHES = Weather({**QUICK, "retry_timeout_ms": 2_000}, FIGURE_8)
PREVOTE = Weather({"prevote": True}, CALAMITIES)
REPEATS = Weather({**QUICK, "servers": 5, "duplication": 0.5}, ELECTIONS)


@dataclass(frozen=True)
class Mutation:
    """In `function` of the model, `old` becomes `new`; then `falls` falls, in such weather."""

    says: str
    function: str
    old: str
    new: str
    falls: str
    weather: Weather = ANY


MUTATIONS = (
    # --- Elections
    Mutation(
        "the vote is not on disk",
        "crash_server",
        "restarted(server, ",
        'restarted(replace(server, voted_for=""), ',
        ELECTION,
        CONTEST,
    ),
    Mutation(
        "the term is not on disk",
        "crash_server",
        "restarted(server, ",
        "restarted(replace(server, current_term=0), ",
        ELECTION,
        STORM,
    ),
    Mutation(
        "the log is not on disk",
        "crash_server",
        "restarted(server, ",
        "restarted(replace(server, log=()), ",
        COMPLETENESS,
        CRASHES,
    ),
    Mutation(
        "half of the servers are a majority",
        "majority",
        "count // 2 + 1",
        "count // 2",
        ELECTION,
        Weather({"servers": 5}, CALAMITIES),
    ),
    Mutation(
        "a vote for somebody is not remembered",
        "answer_vote",
        "server = replace(server, voted_for=candidate)",
        "pass",
        ELECTION,
        CONTEST,
    ),
    Mutation(
        "a vote is granted whoever got it before",
        "may_vote_for",
        'return server.voted_for in ("", candidate)',
        "return True",
        ELECTION,
        CONTEST,
    ),
    Mutation(
        "a candidate of an older term gets the vote that it asks for",
        "answer_vote",
        "if request.pre:",
        "server = replace(server, current_term=request.term)\n    if request.pre:",
        ELECTION,
        CRASHES,
    ),
    Mutation(
        "a candidate does not vote for itself",
        "become_candidate",
        "voted_for=server.id",
        'voted_for=""',
        ELECTION,
        CONTEST,
    ),
    Mutation(
        "a candidate keeps its term",
        "become_candidate",
        "current_term=server.current_term + 1",
        "current_term=max(1, server.current_term)",
        ELECTION,
        CONTEST,
    ),
    Mutation(
        "a repeated vote counts twice",
        "count_vote",
        " or voter in server.votes",
        "",
        ELECTION,
        REPEATS,
    ),
    Mutation(
        "a vote of an older term counts",
        "count_vote",
        " or reply.term != asked",
        "",
        ELECTION,
        DELAY,
    ),
    Mutation(
        "a refusal counts as a vote",
        "count_vote",
        "not reply.granted or ",
        "",
        ELECTION,
        CONTEST,
    ),
    Mutation(
        "a follower that hears from a leader may vote again",
        "answer_append",
        "leader=leader, votes=()",
        'leader=leader, voted_for="", votes=()',
        ELECTION,
        CONTEST,
    ),
    Mutation(
        "a leader that hears of a higher term leads on in it",
        "step_down",
        "role=FOLLOWER,",
        "role=server.role,",
        ELECTION,
        CONTEST,
    ),
    Mutation(
        "only the lengths of two logs are compared",
        "is_up_to_date",
        "(last_term, last_log_index) >= (last_log_term(server), len(server.log))",
        "last_log_index >= len(server.log)",
        COMPLETENESS,
        CUT_OFF,
    ),
    Mutation(
        "only the last terms of two logs are compared",
        "is_up_to_date",
        "(last_term, last_log_index) >= (last_log_term(server), len(server.log))",
        "last_term >= last_log_term(server)",
        COMPLETENESS,
        CRASHES,
    ),
    Mutation(
        "the longer log wins, and only between equals the later term",
        "is_up_to_date",
        "(last_term, last_log_index) >= (last_log_term(server), len(server.log))",
        "(last_log_index, last_term) >= (len(server.log), last_log_term(server))",
        COMPLETENESS,
        CUT_OFF,
    ),
    # --- PreVote
    Mutation(
        "one who would win an election leads without one",
        "count_vote",
        "return become_candidate(state, server, ctx)",
        "return become_leader(state, server, ctx)",
        ELECTION,
        PREVOTE,
    ),
    Mutation(
        "a PreVote raises the term of whom it asks",
        "leaves_term_alone",
        "return pre\n",
        "return False\n",
        LIVENESS,
        PREVOTE,
    ),
    # --- Log replication
    Mutation(
        "AppendEntries of an older term are accepted",
        "answer_append",
        "request.term < server.current_term",
        "False",
        COMPLETENESS,
        DELAY,
    ),
    Mutation(
        "the consistency check looks at the index only",
        "log_matches",
        " and term_at(server.log, index) == term",
        "",
        MACHINE,
        CUT_OFF,
    ),
    Mutation(
        "a conflicting entry stays",
        "merged",
        "log[at].term != entry.term",
        "False",
        MACHINE,
        CUT_OFF,
    ),
    Mutation(
        "a late message truncates what agrees",
        "merged",
        "at >= len(log) or log[at].term != entry.term",
        "True",
        COMPLETENESS,
        DELAY,
    ),
    Mutation(
        "a heartbeat truncates what stands behind it",
        "merged",
        "return log\n",
        "return log[: previous + len(entries)]\n",
        COMPLETENESS,
        CRASHES,
    ),
    Mutation(
        "entries conflict by their command, not by their term",
        "merged",
        "log[at].term != entry.term",
        "log[at].command != entry.command",
        MACHINE,
        CUT_OFF,
    ),
    Mutation(
        "one entry too many survives a conflict",
        "merged",
        "return log[:at] + entries[offset:]",
        "return log[: at + 1] + entries[offset:]",
        MACHINE,
        CUT_OFF,
    ),
    Mutation(
        "a refusal counts as an acknowledgment",
        "count_replica",
        "if reply.success:",
        "if True:",
        LIVENESS,
        CUT_OFF,
    ),
    Mutation(
        "match_index counts what was sent, not what was acknowledged",
        "count_replica",
        "match = max(leader.match_index[position], reply.index)",
        "match = len(leader.log)",
        COMPLETENESS,
        CRASHES,
    ),
    Mutation(
        "next_index does not back off",
        "count_replica",
        "leader.next_index[position] != reply.index + 1",
        "True",
        LIVENESS,
        CUT_OFF,
    ),
    Mutation(
        "a leader drops what is not committed before it takes a command",
        "answer_client",
        "log=(*server.log, entry)",
        "log=(*server.log[: server.commit_index], entry)",
        APPEND_ONLY,
    ),
    Mutation(
        "a new leader drops what it does not know to be committed",
        "become_leader",
        "last = len(server.log)",
        "server = replace(server, log=server.log[: server.commit_index])\n"
        "    last = len(server.log)",
        COMPLETENESS,
        CRASHES,
    ),
    Mutation(
        "an entry gets the term of the one before it",
        "answer_client",
        "Entry(server.current_term, ",
        "Entry(max(1, last_log_term(server)), ",
        MATCHING,
    ),
    # --- Commitment and application
    Mutation(
        "one less than a majority commits",
        "committable",
        "[majority(len(leader.match_index)) - 1]",
        "[majority(len(leader.match_index)) - 2]",
        COMPLETENESS,
        CRASHES,
    ),
    Mutation(
        "a follower commits all that it receives",
        "answer_append",
        "min(request.leader_commit, last_new)",
        "last_new",
        MACHINE,
        CRASHES,
    ),
    Mutation(
        "a server applies its whole log",
        "apply_committed",
        "if server.commit_index <=",
        "server = replace(server, commit_index=len(server.log))\n    if server.commit_index <=",
        MACHINE,
        CUT_OFF,
    ),
    # --- Clients
    Mutation(
        "serial numbers are not looked at",
        "apply_committed",
        "if entry.serial not in serials:",
        "if True:",
        ONCE,
    ),
    Mutation(
        "the value is on disk, the serial numbers are not",
        "crash_server",
        "Server(name))",
        "Server(name, value=server.value))",
        ONCE,
        CUT_OFF,
    ),
    Mutation(
        "the client is told before the command is committed",
        "answer_client",
        "return replicate_to_all(put(state, server), server, ctx)",
        "state = tell(state, ctx, server.id, CLIENT, ClientReply(request.serial, True))\n"
        "    return replicate_to_all(put(state, server), server, ctx)",
        LIVENESS,
        CRASHES,
    ),
    Mutation(
        "the client does not repeat a command",
        "retry",
        "request.attempt != alarm.attempt",
        "True",
        LIVENESS,
    ),
    # --- What only stops the cluster
    Mutation(
        "the vote of the last term binds in the next",
        "step_down",
        'voted_for="" if term > server.current_term else server.voted_for,',
        "voted_for=server.voted_for,",
        LIVENESS,
    ),
    Mutation(
        "a candidate does not set its timer anew",
        "become_candidate",
        "server = reset_election_timer(server, state.params, ctx)",
        "pass",
        LIVENESS,
        CONTEST,
    ),
    Mutation(
        "who comes back sets no timer",
        "restart_server",
        "reset_election_timer(server, state.params, ctx)",
        "server",
        LIVENESS,
        CRASHES,
    ),
)

# Switches of the model itself: the widget offers them under "Break the rule".
BROKEN_RULES = (
    ("vote-twice", ELECTION, STORM),
    ("skip-up-to-date", COMPLETENESS, CUT_OFF),
    ("commit-old-term", COMPLETENESS, CRASHES),
)

# No schedule was found that sees these, for the reason given; a sentence of the paper does.
SEEN_BY_A_SENTENCE: tuple[tuple[str, str, str, str, Callable[[], None]], ...] = (
    # This leader always sends all that it has, so leaderCommit is never beyond what was received.
    (
        "a follower commits what it has not received",
        "answer_append",
        "min(request.leader_commit, last_new)",
        "request.leader_commit",
        lambda: sentences.test_append_5_commit_index_follows_as_far_as_what_was_received(
            0, 9, 0, 1
        ),
    ),
    # A late vote cannot complete a majority: the votes of a lost election are forgotten.
    (
        "a vote counts for one who is no candidate any more",
        "count_vote",
        " or server.role != role",
        "",
        lambda: sentences.test_candidates_2_a_late_vote_elects_nobody_else(leader),
    ),
    # It takes a leader that leads again while an answer of its earlier term is still under way,
    # and a follower that lost in between what it had acknowledged.
    (
        "an acknowledgment of an older term counts",
        "count_replica",
        " or reply.term != leader.current_term",
        "",
        sentences.test_leaders_3_a_success_of_an_older_term_moves_nothing,
    ),
    # Its entries are ignored where they do not fit, so a repeated question costs messages only.
    (
        "an answer to an older question moves next_index",
        "count_replica",
        "leader.next_index[position] != reply.index + 1",
        "False",
        lambda: sentences.test_leaders_3_an_older_failure_moves_nothing(2, 3),
    ),
)


def mutate(monkeypatch: pytest.MonkeyPatch, function: str, old: str, new: str) -> None:
    """Put the mutated function in the place of the right one, until the test ends."""
    source = inspect.getsource(getattr(model, function))
    times = source.count(old)
    assert times == 1, (
        f"{function} has {old!r} {times} times, not once: the mutation is out of date"
    )
    scope = dict(vars(model))
    text = "from __future__ import annotations\n" + source.replace(old, new)
    exec(compile(text, f"<mutated {function}>", "exec"), scope)  # noqa: S102 (it is our own text)
    monkeypatch.setattr(model, function, scope[function])


@dataclass(frozen=True)
class Caught:
    """The seed of the run in which it fell, how many events the search took, and that run."""

    seed: int
    events: int
    run: Shaken


def run_of(falls: str, weather: Weather, seed: int, **more: Any) -> Shaken:
    """The run of a seed; where liveness is asked for, a calm follows a shorter storm."""
    draw = Random(seed)
    params = params_of(draw, **weather.fixed, **more)
    run = shake(draw, params, seed, 12 if falls == LIVENESS else 30, weather.kinds)
    if falls == LIVENESS and not run.violated:
        calm(run, BOUND_MS)
    return run


def has_fallen(falls: str, run: Shaken) -> bool:
    if falls == LIVENESS:
        return not run.violated and what_is_left_undone(run.last.state) != ""
    return falls in run.violated


def search(falls: str, weather: Weather, **more: Any) -> Caught | None:
    """The first seed under which `falls` falls; runs that end in an exception are left out."""
    events = 0
    for seed in range(RUNS_MAX):
        try:
            run = run_of(falls, weather, seed, **more)
        except (IndexError, KeyError, TypeError, ValueError):
            continue
        events += run.events
        if has_fallen(falls, run):
            return Caught(seed, events, run)
    return None


def agrees_with_the_twin(run: Shaken) -> bool:
    """Whether a dumb reading of the whole run finds what the witness found, and nothing before.

    It may find more at the end: that a leader which has erased its log lacks what is committed is
    no news to the witness, for which that leader has fallen already.
    """
    times, states = zip(*run.states(), strict=True)
    twin = {name: times[index] for name, index in properties_that_fell(states).items()}
    witness = {fall.property: fall.at_ms for fall in run.last.state.witness.violated}
    first = min(twin.values(), default=None) == min(witness.values(), default=None)
    return first and witness.items() <= twin.items()


@pytest.fixture(scope="module")
def score(request: pytest.FixtureRequest) -> Iterator[list[Caught]]:
    """Who was caught; at the end it is printed for whoever wants the figure."""
    caught: list[Caught] = []
    yield caught
    made = len(MUTATIONS) + len(BROKEN_RULES)
    events = sum(one.events for one in caught)
    capture = request.config.pluginmanager.getplugin("capturemanager")
    assert capture is not None
    with capture.global_and_fixture_disabled():
        print(
            f"\nRaft: schedules caught {len(caught)} of {made} mutations after {events:,} events; "
            f"{len(SEEN_BY_A_SENTENCE)} more are seen by a sentence only"
        )


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.says)
def test_a_mutation_is_caught(
    mutation: Mutation, monkeypatch: pytest.MonkeyPatch, score: list[Caught]
) -> None:
    mutate(monkeypatch, mutation.function, mutation.old, mutation.new)
    caught = search(mutation.falls, mutation.weather)
    assert caught is not None, f"{mutation.falls} stood in {RUNS_MAX} runs"
    score.append(caught)
    assert agrees_with_the_twin(caught.run)
    # The schedule of the same seed does no harm to the right algorithm, so it was the mutation.
    monkeypatch.undo()
    right = run_of(mutation.falls, mutation.weather, caught.seed)
    assert right.violated == ()
    assert mutation.falls != LIVENESS or what_is_left_undone(right.last.state) == ""


@pytest.mark.parametrize(("rule", "falls", "weather"), BROKEN_RULES)
def test_a_broken_rule_is_caught(
    rule: str, falls: str, weather: Weather, score: list[Caught]
) -> None:
    caught = search(falls, weather, broken_rule=rule)
    assert caught is not None, f"{falls} stood in {RUNS_MAX} runs"
    score.append(caught)
    assert agrees_with_the_twin(caught.run)


@pytest.mark.parametrize(
    ("says", "function", "old", "new", "sentence"),
    SEEN_BY_A_SENTENCE,
    ids=[row[0] for row in SEEN_BY_A_SENTENCE],
)
def test_a_sentence_sees_the_rest(
    says: str,
    function: str,
    old: str,
    new: str,
    sentence: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sentence()
    mutate(monkeypatch, function, old, new)
    with pytest.raises(AssertionError):
        sentence()


def test_every_property_falls_for_some_mutation() -> None:
    assert {mutation.falls for mutation in MUTATIONS} == {*PROPERTIES, LIVENESS}
    assert {rule for rule, _, _ in BROKEN_RULES} == {*model.RULES} - {"none"}
