"""One test per sentence of the paper: figure 2, figure 3, §5 and §8, and §9.6 of the dissertation.

The docstring of a test is its sentence in short, with its place. Every test drives the model's
`update` with states and messages made by hand (`by_hand`).
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from pysims.kernel import Deliver, crash, cut
from pysims.patterns.raft import model, safety
from pysims.patterns.raft.model import (
    CANDIDATE,
    CLIENT,
    FOLLOWER,
    LEADER,
    PRE_CANDIDATE,
    AppendEntries,
    AppendEntriesReply,
    ClientReply,
    ClientRequest,
    Crash,
    ElectionAlarm,
    Entry,
    HeartbeatAlarm,
    RequestVote,
    RequestVoteReply,
    Restart,
    RetryAlarm,
    SendCommand,
    Server,
    State,
    TimeOut,
)
from tests.patterns.raft.by_hand import (
    NOW_MS,
    Outcome,
    ask,
    candidate,
    cluster,
    deliver,
    entries,
    follower,
    happen,
    leader,
)
from tests.patterns.raft.twin import properties_that_fell

ROLES = (follower, candidate, leader)
every_role = pytest.mark.parametrize("role", ROLES, ids=lambda role: role.__name__)


def deadline(server: Server) -> int:
    return server.election_deadline_ms


# --- Figure 2: State ------------------------------------------------------------------------------


def test_state_current_term_starts_at_0() -> None:
    """Figure 2, persistent state: currentTerm is 0 on first boot."""
    assert [server.current_term for server in cluster().servers] == [0, 0, 0]


def test_state_voted_for_starts_empty() -> None:
    """Figure 2, persistent state: votedFor is null if there is none."""
    assert [server.voted_for for server in cluster().servers] == ["", "", ""]


def test_state_log_starts_empty_and_its_first_index_is_1() -> None:
    """Figure 2, persistent state: log[], whose first index is 1."""
    assert [server.log for server in cluster().servers] == [(), (), ()]
    done = ask(cluster(leader("S1", 1)), "S1")
    assert done.to_one("S2").prev_log_index == 0
    assert deliver(done.state, "S1", "S2", done.to_one("S2")).to_one("S1").index == 1


def test_state_on_disk_are_the_term_the_vote_and_the_log() -> None:
    """Figure 2, persistent state: currentTerm, votedFor and log[], and nothing else."""
    old = leader("S1", 4, entries(1, 4), commit_index=1, last_applied=1, value=1, serials=(1,))
    after = happen(cluster(old), Crash("S1")).server("S1")
    fresh = Server("S1")
    for name in (f.name for f in fields(Server)):
        survives = name in ("id", "current_term", "voted_for", "log")
        assert getattr(after, name) == getattr(old if survives else fresh, name), name


def test_state_a_vote_is_on_disk_before_it_is_answered() -> None:
    """Figure 2, persistent state: updated on stable storage before responding (a vote)."""
    granted = deliver(cluster(), "S2", "S1", RequestVote(1, 0, 0))
    assert granted.to_one("S2").granted
    state = happen(happen(granted.state, Crash("S1")).state, Restart("S1")).state
    assert not deliver(state, "S3", "S1", RequestVote(1, 0, 0)).to_one("S3").granted


def test_state_entries_are_on_disk_before_they_are_acknowledged() -> None:
    """Figure 2, persistent state: updated on stable storage before responding (entries)."""
    taken = deliver(cluster(), "S2", "S1", AppendEntries(1, 0, 0, entries(1, 1), 0))
    assert taken.to_one("S2") == AppendEntriesReply(1, True, 2)
    assert happen(taken.state, Crash("S1")).server("S1").log == entries(1, 1)


def test_state_commit_index_and_last_applied_start_at_0() -> None:
    """Figure 2, volatile state: commitIndex and lastApplied are initialized to 0."""
    assert [(s.commit_index, s.last_applied) for s in cluster().servers] == [(0, 0)] * 3
    old = follower("S1", 2, entries(2), commit_index=1, last_applied=1)
    state = happen(happen(cluster(old), Crash("S1")).state, Restart("S1")).state
    assert (state.servers[0].commit_index, state.servers[0].last_applied) == (0, 0)


def elected(log: tuple[Entry, ...] = (), term: int = 2) -> Outcome:
    """S1, of three, gets the vote that it lacks."""
    state = cluster(candidate("S1", term, log))
    return deliver(state, "S2", "S1", RequestVoteReply(term, True))


def test_state_next_index_starts_right_behind_the_leaders_log() -> None:
    """Figure 2, leaders: nextIndex[] is initialized to the leader's last log index + 1."""
    assert elected(entries(1, 1)).server("S1").next_index == (3, 3, 3)


def test_state_match_index_starts_at_0() -> None:
    """Figure 2, leaders: matchIndex[] is initialized to 0; its own log it knows."""
    assert elected(entries(1, 1)).server("S1").match_index == (2, 0, 0)


# --- Figure 2: RequestVote RPC --------------------------------------------------------------------


@every_role
def test_vote_1_no_for_an_older_term(role: Any) -> None:
    """Figure 2, RequestVote receiver 1: reply false if term < currentTerm; it says its own."""
    state = cluster(role("S1", 5))
    done = deliver(state, "S2", "S1", RequestVote(4, 9, 4))
    assert done.to_one("S2") == RequestVoteReply(5, False)
    assert done.server("S1") == state.servers[0]


def test_vote_2_yes_if_there_was_none() -> None:
    """Figure 2, RequestVote receiver 2: grant the vote if votedFor is null."""
    done = deliver(cluster(follower("S1", 3)), "S2", "S1", RequestVote(3, 0, 0))
    assert done.to_one("S2") == RequestVoteReply(3, True)
    assert done.server("S1").voted_for == "S2"


def test_vote_2_yes_again_for_the_same_candidate() -> None:
    """Figure 2, RequestVote receiver 2: or if votedFor is candidateId."""
    state = cluster(follower("S1", 3, voted_for="S2"))
    assert deliver(state, "S2", "S1", RequestVote(3, 0, 0)).to_one("S2").granted


@pytest.mark.parametrize(
    "voter", [follower("S1", 3, voted_for="S3"), candidate("S1", 3), leader("S1", 3)]
)
def test_vote_2_no_if_somebody_else_has_it(voter: Server) -> None:
    """§5.2: at most one vote in a given term, first come, first served."""
    done = deliver(cluster(voter), "S2", "S1", RequestVote(3, 9, 2))
    assert done.to_one("S2") == RequestVoteReply(3, False)
    assert done.server("S1") == voter


@pytest.mark.parametrize(
    ("log", "last_index", "last_term", "granted"),
    [
        (entries(), 0, 0, True),
        (entries(1), 1, 1, True),
        (entries(1), 2, 1, True),
        (entries(1, 1), 1, 1, False),
        (entries(1, 1, 1), 1, 2, True),
        (entries(1, 2), 9, 1, False),
        (entries(2), 1, 1, False),
        (entries(1), 0, 0, False),
    ],
)
def test_vote_2_only_for_a_log_that_is_at_least_as_up_to_date(
    log: tuple[Entry, ...], last_index: int, last_term: int, granted: bool
) -> None:
    """§5.4.1: the later last term is more up to date; with equal terms, the longer log."""
    state = cluster(follower("S1", 3, log))
    done = deliver(state, "S2", "S1", RequestVote(4, last_index, last_term))
    assert done.to_one("S2") == RequestVoteReply(4, granted)
    assert done.server("S1").voted_for == ("S2" if granted else "")


# --- Figure 2: AppendEntries RPC ------------------------------------------------------------------


@every_role
def test_append_1_no_for_an_older_term(role: Any) -> None:
    """Figure 2, AppendEntries receiver 1: reply false if term < currentTerm."""
    state = cluster(role("S1", 5, entries(1)))
    done = deliver(state, "S2", "S1", AppendEntries(4, 0, 0, entries(4, 4), 2))
    assert done.to_one("S2") == AppendEntriesReply(5, False, 0)
    assert done.server("S1") == state.servers[0]


@pytest.mark.parametrize(
    ("log", "previous", "previous_term"),
    [(entries(), 1, 1), (entries(1), 2, 1), (entries(1, 1), 2, 2), (entries(1, 3), 2, 2)],
)
def test_append_2_no_if_the_entry_before_is_missing(
    log: tuple[Entry, ...], previous: int, previous_term: int
) -> None:
    """Figure 2, AppendEntries receiver 2: false without prevLogTerm at prevLogIndex."""
    state = cluster(follower("S1", 4, log))
    done = deliver(state, "S2", "S1", AppendEntries(4, previous, previous_term, entries(4), 9))
    assert done.to_one("S2") == AppendEntriesReply(4, False, previous)
    assert done.server("S1").log == log
    assert done.server("S1").commit_index == 0


def test_append_3_a_conflict_is_deleted_with_all_that_follows() -> None:
    """Figure 2, AppendEntries receiver 3: delete the conflicting entry and all that follow it."""
    state = cluster(follower("S1", 4, entries(1, 2, 2, 2)))
    new = (Entry(4, "+9", 9),)
    done = deliver(state, "S2", "S1", AppendEntries(4, 1, 1, new, 0))
    assert done.server("S1").log == (*entries(1), *new)
    assert done.to_one("S2") == AppendEntriesReply(4, True, 2)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_append_3_nothing_is_deleted_without_a_conflict(count: int) -> None:
    """Figure 2, AppendEntries receiver 3: *if* it conflicts; an old message deletes nothing."""
    log = entries(1, 1, 2, 2)
    state = cluster(follower("S1", 2, log))
    done = deliver(state, "S2", "S1", AppendEntries(2, 1, 1, log[1 : 1 + count], 0))
    assert done.server("S1").log == log
    assert done.to_one("S2") == AppendEntriesReply(2, True, 1 + count)


@pytest.mark.parametrize("have", [1, 2, 3])
def test_append_4_entries_that_are_not_there_are_appended(have: int) -> None:
    """Figure 2, AppendEntries receiver 4: append any new entries not already in the log."""
    log = entries(1, 1, 2)
    state = cluster(follower("S1", 2, log[:have]))
    done = deliver(state, "S2", "S1", AppendEntries(2, 1, 1, log[1:], 0))
    assert done.server("S1").log == log


@pytest.mark.parametrize(
    ("before", "leader_commit", "count", "after"),
    [
        (0, 0, 2, 0),
        (0, 1, 2, 1),
        (0, 3, 2, 3),
        (0, 9, 2, 3),
        (0, 9, 0, 1),  # a heartbeat vouches for no more than what it stands on
        (2, 1, 2, 2),
        (3, 9, 0, 3),
    ],
)
def test_append_5_commit_index_follows_as_far_as_what_was_received(
    before: int, leader_commit: int, count: int, after: int
) -> None:
    """Figure 2, AppendEntries receiver 5: min(leaderCommit, index of last new entry)."""
    log = entries(1, 1, 2)
    own = follower("S1", 2, log, commit_index=before, last_applied=before)
    body = AppendEntries(2, 1, 1, log[1 : 1 + count], leader_commit)
    assert deliver(cluster(own), "S2", "S1", body).server("S1").commit_index == after


# --- Figure 2: Rules for Servers, all -------------------------------------------------------------


def test_all_1_what_is_committed_is_applied_in_order() -> None:
    """Figure 2, all servers: if commitIndex > lastApplied, apply log[lastApplied] and go on."""
    log = entries(1, 1, 1, 1)
    own = follower("S1", 1, log, commit_index=1, last_applied=1, value=1, serials=(1,))
    after = deliver(cluster(own), "S2", "S1", AppendEntries(1, 4, 1, (), 3)).server("S1")
    assert (after.last_applied, after.value, after.serials) == (3, 1 + 2 + 3, (1, 2, 3))


BODIES = (
    RequestVote(6, 9, 5),
    RequestVoteReply(6, True),
    RequestVoteReply(6, False),
    AppendEntries(6, 0, 0, (), 0),
    AppendEntriesReply(6, True, 0),
    AppendEntriesReply(6, False, 0),
)


@every_role
@pytest.mark.parametrize("body", BODIES, ids=lambda body: type(body).__name__)
def test_all_2_a_higher_term_makes_a_follower(role: Any, body: Any) -> None:
    """Figure 2, all servers: a request or response with a higher term: adopt it, follow."""
    done = deliver(cluster(role("S1", 5)), "S2", "S1", body)
    after = done.server("S1")
    assert (after.role, after.current_term) == (FOLLOWER, 6)
    assert after.voted_for == ("S2" if isinstance(body, RequestVote) else "")
    assert deadline(after) <= NOW_MS + done.state.params.election_timeout_ms_max


# --- Figure 2: followers --------------------------------------------------------------------------


def test_followers_1_respond_to_candidates_and_leaders() -> None:
    """Figure 2, followers: respond to RPCs from candidates and leaders."""
    state = cluster(follower("S1", 1))
    for body in (
        RequestVote(1, 0, 0),
        AppendEntries(1, 0, 0, (), 0),
        AppendEntries(1, 5, 1, (), 0),
    ):
        assert len(deliver(state, "S2", "S1", body).to("S2")) == 1


def alarm_at(state: State, name: str, now_ms: int) -> Outcome:
    """The election alarm of a server rings."""
    server = replace(model.server_of(state, name), alarm_ms=now_ms)
    return happen(model.put(state, server), ElectionAlarm(name), now_ms)


def test_followers_2_silence_makes_a_candidate() -> None:
    """Figure 2, followers: if the election timeout elapses, convert to candidate."""
    state = cluster(follower("S1", 1))
    early = alarm_at(state, "S1", NOW_MS + 99)
    assert early.server("S1").role == FOLLOWER
    assert early.alarms == ((NOW_MS + 100, ElectionAlarm("S1")),)
    assert alarm_at(early.state, "S1", NOW_MS + 100).server("S1").role == CANDIDATE


def test_followers_2_append_entries_of_the_leader_put_it_off() -> None:
    """Figure 2, followers: … without receiving AppendEntries from the current leader."""
    state = cluster(follower("S1", 1))
    heard = deliver(state, "S2", "S1", AppendEntries(1, 0, 0, (), 0))
    assert deadline(heard.server("S1")) >= NOW_MS + 150
    stale = deliver(cluster(follower("S1", 2)), "S2", "S1", AppendEntries(1, 0, 0, (), 0))
    assert deadline(stale.server("S1")) == NOW_MS + 100


def test_followers_2_a_granted_vote_puts_it_off() -> None:
    """Figure 2, followers: … or granting vote to candidate."""
    granted = deliver(cluster(follower("S1", 1)), "S2", "S1", RequestVote(1, 0, 0))
    assert deadline(granted.server("S1")) >= NOW_MS + 150
    refused = deliver(cluster(follower("S1", 1, entries(1))), "S2", "S1", RequestVote(1, 0, 0))
    assert deadline(refused.server("S1")) == NOW_MS + 100


# --- Figure 2: candidates -------------------------------------------------------------------------


def test_candidates_1_raise_the_term() -> None:
    """Figure 2, candidates: on conversion, increment currentTerm."""
    assert happen(cluster(follower("S1", 4)), TimeOut("S1")).server("S1").current_term == 5


def test_candidates_1_vote_for_themselves() -> None:
    """Figure 2, candidates: on conversion, vote for self."""
    after = happen(cluster(follower("S1", 4, voted_for="S2")), TimeOut("S1")).server("S1")
    assert (after.role, after.voted_for, after.votes) == (CANDIDATE, "S1", ("S1",))


def test_candidates_1_reset_the_timer() -> None:
    """Figure 2, candidates: on conversion, reset the election timer."""
    state = cluster(follower("S1", 4, election_deadline_ms=NOW_MS, alarm_ms=NOW_MS))
    done = happen(state, ElectionAlarm("S1"))
    assert NOW_MS + 150 <= deadline(done.server("S1")) <= NOW_MS + 300
    assert done.alarms == ((deadline(done.server("S1")), ElectionAlarm("S1")),)


def test_candidates_1_ask_all_others() -> None:
    """Figure 2, candidates: on conversion, send RequestVote to all other servers."""
    done = happen(cluster(follower("S1", 4, entries(2, 3)), servers=5), TimeOut("S1"))
    assert [message.target for message in done.sent] == ["S2", "S3", "S4", "S5"]
    assert set(done.bodies()) == {RequestVote(5, 2, 3)}


@pytest.mark.parametrize(("servers", "votes"), [(3, 2), (5, 3), (7, 4)])
def test_candidates_2_a_majority_makes_a_leader(servers: int, votes: int) -> None:
    """Figure 2, candidates: votes from a majority of servers: become leader."""
    state = cluster(candidate("S1", 2), servers=servers)
    for number in range(2, votes + 1):
        assert state.servers[0].role == CANDIDATE
        state = deliver(state, f"S{number}", "S1", RequestVoteReply(2, True)).state
    assert state.servers[0].role == LEADER


@pytest.mark.parametrize(
    "reply",
    [RequestVoteReply(3, False), RequestVoteReply(2, True), RequestVoteReply(4, True, True)],
)
def test_candidates_2_only_votes_of_this_election_count(reply: RequestVoteReply) -> None:
    """§5.2: votes *for the same term*; refusals, older votes and PreVotes are none."""
    assert deliver(cluster(candidate("S1", 3)), "S2", "S1", reply).server("S1").role == CANDIDATE


def test_candidates_2_a_repeated_vote_counts_once() -> None:
    """§5.2: votes from a majority *of the servers*, however often one arrives."""
    state = cluster(candidate("S1", 3), servers=5)
    for _ in range(3):
        state = deliver(state, "S2", "S1", RequestVoteReply(3, True)).state
    assert state.servers[0].role == CANDIDATE


@pytest.mark.parametrize("role", [follower, leader])
def test_candidates_2_a_late_vote_elects_nobody_else(role: Any) -> None:
    """§5.2: a candidate wins; who is none any more has nothing to win."""
    state = cluster(role("S1", 3))
    done = deliver(state, "S2", "S1", RequestVoteReply(3, True))
    assert done.server("S1") == state.servers[0]


@pytest.mark.parametrize("make", [candidate, follower])
def test_candidates_3_a_leader_of_the_term_ends_the_candidacy(make: Any) -> None:
    """Figure 2, candidates: AppendEntries from the new leader: convert to follower."""
    own = make("S1", 3, role=PRE_CANDIDATE) if make is follower else make("S1", 3)
    after = deliver(cluster(own), "S2", "S1", AppendEntries(3, 0, 0, (), 0)).server("S1")
    assert (after.role, after.leader, after.votes) == (FOLLOWER, "S2", ())
    assert after.voted_for == own.voted_for


def test_candidates_3_a_leader_of_an_older_term_does_not() -> None:
    """§5.2: with a smaller term the candidate rejects the RPC and stays a candidate."""
    done = deliver(cluster(candidate("S1", 3)), "S2", "S1", AppendEntries(2, 0, 0, (), 0))
    assert done.server("S1").role == CANDIDATE
    assert done.to_one("S2") == AppendEntriesReply(3, False, 0)


def test_candidates_4_a_timeout_starts_a_new_election() -> None:
    """Figure 2, candidates: if the election timeout elapses, start a new election."""
    state = cluster(candidate("S1", 3, election_deadline_ms=NOW_MS, alarm_ms=NOW_MS))
    done = happen(state, ElectionAlarm("S1"))
    assert (done.server("S1").role, done.server("S1").current_term) == (CANDIDATE, 4)
    assert done.server("S1").votes == ("S1",)
    assert done.to("S2") == [RequestVote(4, 0, 0)]


# --- Figure 2: leaders ----------------------------------------------------------------------------


def test_leaders_1_a_heartbeat_to_each_upon_election() -> None:
    """Figure 2, leaders: upon election, send empty AppendEntries to each server."""
    done = elected(entries(1, 1))
    assert done.server("S1").role == LEADER
    assert [message.target for message in done.sent] == ["S2", "S3"]
    assert set(done.bodies()) == {AppendEntries(2, 2, 1, (), 0)}


def test_leaders_1_heartbeats_go_on_while_it_is_idle() -> None:
    """Figure 2, leaders: repeat during idle periods to prevent election timeouts."""
    done = happen(elected().state, HeartbeatAlarm("S1", 2))
    assert [message.target for message in done.sent] == ["S2", "S3"]
    assert done.alarms == ((NOW_MS + 50, HeartbeatAlarm("S1", 2)),)


@pytest.mark.parametrize("own", [follower("S1", 2), candidate("S1", 3), leader("S1", 3)])
def test_leaders_1_whose_term_is_over_is_silent(own: Server) -> None:
    """Figure 2, leaders: the rule is a leader's, and a leader's of that term."""
    done = happen(cluster(own), HeartbeatAlarm("S1", 2))
    assert (done.sent, done.alarms) == ((), ())


def test_leaders_1_has_no_election_timer() -> None:
    """§5.2: followers and candidates time out; a leader does not."""
    state = cluster(leader("S1", 2))
    for now_ms in (NOW_MS, NOW_MS + 10_000):
        assert alarm_at(state, "S1", now_ms).server("S1").role == LEADER


def test_leaders_2_a_command_is_appended_to_the_log() -> None:
    """Figure 2, leaders: a command from a client is appended to the local log."""
    done = ask(cluster(leader("S1", 2, entries(1))), "S1", serial=2, amount=7)
    assert done.server("S1").log == (*entries(1), Entry(2, "+7", 2))
    assert done.server("S1").match_index == (2, 0, 0)


def test_leaders_2_the_answer_waits_until_the_entry_is_applied() -> None:
    """Figure 2, leaders: respond after the entry is applied to the state machine."""
    taken = ask(cluster(leader("S1", 2)), "S1", amount=7)
    assert taken.to(CLIENT) == []
    assert taken.server("S1").last_applied == 0
    stored = deliver(taken.state, "S2", "S1", AppendEntriesReply(2, True, 1))
    assert stored.to(CLIENT) == [ClientReply(1, True)]
    assert (stored.server("S1").last_applied, stored.server("S1").value) == (1, 7)


def test_leaders_3_a_follower_gets_what_it_lacks_from_next_index_on() -> None:
    """Figure 2, leaders: if last log index ≥ nextIndex, send the entries from nextIndex on."""
    log = entries(1, 1, 2)
    state = cluster(leader("S1", 2, log, next_index=(4, 2, 4)))
    done = happen(state, HeartbeatAlarm("S1", 2))
    assert done.to_one("S2") == AppendEntries(2, 1, 1, log[1:], 0)
    assert done.to_one("S3") == AppendEntries(2, 3, 2, (), 0)


def test_leaders_3_success_moves_next_index_and_match_index() -> None:
    """Figure 2, leaders: if successful, update nextIndex and matchIndex for the follower."""
    state = cluster(leader("S1", 2, entries(1, 1, 1), next_index=(4, 2, 2)))
    after = deliver(state, "S2", "S1", AppendEntriesReply(2, True, 3)).server("S1")
    assert (after.next_index, after.match_index) == ((4, 4, 2), (3, 3, 0))


def test_leaders_3_an_older_success_moves_nothing_back() -> None:
    """Figure 2: matchIndex increases monotonically, also when answers overtake each other."""
    state = cluster(leader("S1", 2, entries(1, 1, 1), next_index=(4, 4, 4), match_index=(3, 3, 0)))
    after = deliver(state, "S2", "S1", AppendEntriesReply(2, True, 1)).server("S1")
    assert (after.next_index, after.match_index) == ((4, 4, 4), (3, 3, 0))


def test_leaders_3_failure_moves_next_index_back_and_tries_again() -> None:
    """Figure 2, leaders: on an inconsistency, decrement nextIndex and retry."""
    log = entries(1, 1, 2)
    state = cluster(leader("S1", 3, log))
    done = deliver(state, "S2", "S1", AppendEntriesReply(3, False, 3))
    assert done.server("S1").next_index == (4, 3, 4)
    assert done.to_one("S2") == AppendEntries(3, 2, 1, log[2:], 0)


@pytest.mark.parametrize(("index", "term"), [(2, 3), (4, 3), (3, 2)])
def test_leaders_3_an_older_failure_moves_nothing(index: int, term: int) -> None:
    """§5.3: the answer is to the AppendEntries that was sent last, not to any other."""
    state = cluster(leader("S1", 3, entries(1, 1, 2)))
    done = deliver(state, "S2", "S1", AppendEntriesReply(term, False, index))
    assert done.server("S1") == state.servers[0]
    assert done.sent == ()


def test_leaders_3_a_success_of_an_older_term_moves_nothing() -> None:
    """§5.3: matchIndex is what the follower stores now; it may have lost what it had in a term."""
    state = cluster(leader("S1", 3, entries(1, 1, 3)))
    done = deliver(state, "S2", "S1", AppendEntriesReply(2, True, 3))
    assert done.server("S1") == state.servers[0]


@pytest.mark.parametrize(
    ("terms", "match", "commit"),
    [
        ((3, 3, 3), (3, 0, 0, 0, 0), 0),
        ((3, 3, 3), (3, 3, 0, 0, 0), 0),
        ((3, 3, 3), (3, 3, 1, 0, 0), 1),
        ((3, 3, 3), (3, 2, 2, 1, 0), 2),
        ((3, 3, 3), (3, 3, 3, 3, 3), 3),
        ((1, 2, 3), (3, 2, 2, 2, 2), 0),
        ((1, 2, 3), (3, 3, 3, 0, 0), 3),
    ],
)
def test_leaders_4_commit_what_a_majority_stores_if_it_is_of_the_current_term(
    terms: tuple[int, ...], match: tuple[int, ...], commit: int
) -> None:
    """Figure 2, leaders: N > commitIndex, a majority of matchIndex ≥ N, log[N].term current."""
    own = leader("S1", 3, entries(*terms), servers=5, match_index=match, next_index=(4,) * 5)
    done = deliver(cluster(own, servers=5), "S5", "S1", AppendEntriesReply(3, True, match[4]))
    assert done.server("S1").commit_index == commit
    assert done.server("S1").last_applied == commit


# --- Figure 3: each property falls when, and only when, its sentence is broken --------------------


def fallen(*states: State) -> list[str]:
    """What the witness says fell between the states of a run, once the twin has said the same."""
    seen = states[0]
    for state in states[1:]:
        seen = safety.observe(seen, replace(state, witness=seen.witness), 1)
    names = [violation.property for violation in seen.witness.violated]
    assert sorted(properties_that_fell(states)) == sorted(names)
    return names


def one_after_the_other(*servers: Server) -> list[State]:
    """States in which one server after the other becomes what is given; first, nobody is."""
    states = [cluster()]
    for server in servers:
        states.append(model.put(states[-1], server))
    return states


def test_figure_3_election_safety() -> None:
    """Figure 3: at most one leader can be elected in a given term."""
    assert fallen(*one_after_the_other(leader("S1", 2), leader("S2", 3))) == []
    twice = one_after_the_other(leader("S1", 2), follower("S1", 3), leader("S2", 2))
    assert fallen(*twice) == ["Election Safety"]


def test_figure_3_leader_append_only() -> None:
    """Figure 3: a leader never overwrites or deletes entries in its log."""
    first = leader("S1", 2, entries(1, 2))
    assert fallen(*one_after_the_other(first, leader("S1", 2, entries(1, 2, 2)))) == []
    for log in (entries(1), entries(2, 2), entries(2, 2, 2)):
        assert fallen(*one_after_the_other(first, leader("S1", 2, log))) == ["Leader Append-Only"]
    assert fallen(*one_after_the_other(first, follower("S1", 3, entries(1)))) == []


def test_figure_3_log_matching() -> None:
    """Figure 3: logs with an entry of the same index and term are identical up to it."""
    own = follower("S1", 3, entries(1, 2, 3))
    assert fallen(*one_after_the_other(own, follower("S2", 3, entries(1, 1)))) == []
    assert fallen(*one_after_the_other(own, follower("S2", 3, entries(1, 2)))) == []
    other_term = one_after_the_other(own, follower("S2", 3, entries(1, 1, 3)))
    assert fallen(*other_term) == ["Log Matching"]
    other_command = (Entry(1, "+8", 8),)
    assert fallen(*one_after_the_other(own, follower("S2", 3, other_command))) == ["Log Matching"]


def test_figure_3_leader_completeness() -> None:
    """Figure 3: an entry committed in a term is in the logs of the leaders of higher terms."""
    applied: dict[str, Any] = {"commit_index": 1, "last_applied": 1, "value": 1, "serials": (1,)}
    first = leader("S1", 2, entries(2), **applied)
    later = leader("S2", 3, entries(2, 3))
    assert fallen(*one_after_the_other(leader("S1", 2, entries(2)), first, later)) == []
    for log in ((), entries(1)):
        states = one_after_the_other(leader("S1", 2, entries(2)), first, leader("S2", 3, log))
        assert fallen(*states) == ["Leader Completeness"]
    earlier = one_after_the_other(leader("S1", 2, entries(2)), first, leader("S2", 1, entries(1)))
    assert fallen(*earlier) == []


def test_figure_3_leader_completeness_of_one_who_led_before_the_commit() -> None:
    """Figure 3: *the leaders of all higher-numbered terms*, also of one elected before."""
    early = one_after_the_other(
        leader("S1", 2, entries(2)),
        leader("S2", 3),
        leader("S1", 2, entries(2), commit_index=1, last_applied=1, value=1, serials=(1,)),
    )
    assert fallen(*early) == ["Leader Completeness"]


def test_figure_3_state_machine_safety() -> None:
    """Figure 3: no two servers apply different entries at the same index."""

    def has_applied(name: str, *terms: int) -> Server:
        log, count = entries(*terms), len(terms)
        return follower(
            name, 3, log, commit_index=count, last_applied=count,
            value=sum(range(count + 1)), serials=tuple(range(1, count + 1)),
        )  # fmt: skip

    same = one_after_the_other(has_applied("S1", 1, 2), has_applied("S2", 1), has_applied("S3", 1))
    assert fallen(*same) == []
    other = one_after_the_other(has_applied("S1", 1, 2), has_applied("S2", 1, 1))
    assert fallen(*other) == ["State Machine Safety"]


def test_section_8_a_command_is_applied_once() -> None:
    """§8: a command that the client repeated must not be executed twice."""
    log = (Entry(1, "+5", 1), Entry(1, "+5", 1))
    for value, falls in ((5, []), (10, ["Commands apply once"])):
        own = follower("S1", 1, log, commit_index=2, last_applied=2, value=value, serials=(1,))
        assert fallen(*one_after_the_other(own)) == falls


# --- §5.1 to §5.5 ---------------------------------------------------------------------------------


def test_5_1_a_server_starts_as_a_follower() -> None:
    """§5.2: when servers start up, they begin as followers; so do those that restart (§5.1)."""
    assert {server.role for server in cluster().servers} == {FOLLOWER}
    down = happen(cluster(leader("S1", 3)), Crash("S1")).state
    back = happen(down, Restart("S1"))
    assert back.server("S1").role == FOLLOWER
    assert back.alarms == ((deadline(back.server("S1")), ElectionAlarm("S1")),)


@pytest.mark.parametrize("own", [leader("S1", 2), candidate("S1", 2)])
def test_5_1_who_finds_out_that_its_term_is_over_steps_down(own: Server) -> None:
    """§5.1: a candidate or leader whose term is out of date reverts to follower at once."""
    after = deliver(cluster(own), "S2", "S1", AppendEntriesReply(3, False, 0)).server("S1")
    assert (after.role, after.current_term, after.voted_for) == (FOLLOWER, 3, "")
    assert (after.votes, after.next_index, after.match_index) == ((), (), ())


def test_5_2_timeouts_are_random_within_their_interval() -> None:
    """§5.2: election timeouts are chosen randomly from a fixed interval."""
    timeouts = [deadline(server) for server in cluster(servers=7).servers]
    assert all(150 <= timeout <= 300 for timeout in timeouts)
    assert len(set(timeouts)) >= 6


def test_5_2_each_election_draws_its_timeout_anew() -> None:
    """§5.2: each candidate restarts its randomized election timeout at the start of an election."""
    state = cluster(candidate("S1", 1), servers=3)
    timeouts = set()
    for number in range(20):
        done = happen(state, TimeOut("S1"), number=number)
        timeouts.add(deadline(done.server("S1")) - NOW_MS)
    assert all(150 <= timeout <= 300 for timeout in timeouts)
    assert len(timeouts) > 10


def test_5_3_a_leader_repeats_what_was_not_acknowledged() -> None:
    """§5.3: if messages are lost, the leader retries AppendEntries indefinitely."""
    taken = ask(cluster(leader("S1", 2)), "S1")
    again = happen(taken.state, HeartbeatAlarm("S1", 2))
    assert again.to_one("S3") == taken.to_one("S3")
    assert len(again.to_one("S3").entries) == 1


def test_5_3_the_leader_says_what_is_committed_in_every_message() -> None:
    """§5.3: the highest committed index goes with later AppendEntries, heartbeats included."""
    own = leader("S1", 2, entries(2, 2), commit_index=1, last_applied=1)
    done = happen(cluster(own), HeartbeatAlarm("S1", 2))
    assert {body.leader_commit for body in done.bodies()} == {1}


def test_5_3_a_commit_takes_what_came_before_with_it() -> None:
    """§5.3: committing an entry commits all before it, also those of earlier leaders."""
    own = leader("S1", 3, entries(1, 2, 3), next_index=(4, 4, 4))
    done = deliver(cluster(own), "S2", "S1", AppendEntriesReply(3, True, 3))
    assert done.server("S1").serials == (1, 2, 3)
    assert done.to(CLIENT) == [ClientReply(serial, True) for serial in (1, 2, 3)]


def test_5_3_the_logs_of_figure_7_come_to_agree() -> None:
    """§5.3 and figure 7: the leader finds the last agreement, and the rest is replaced."""
    log = entries(1, 1, 1, 4, 4, 5, 5, 6, 6, 6)
    for terms in (
        (1, 1, 1, 4, 4, 5, 5, 6, 6),
        (1, 1, 1, 4),
        (1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6),
        (1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7),
        (1, 1, 1, 4, 4, 4, 4),
        (1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3),
    ):
        state = cluster(leader("S1", 8, log), follower("S2", 7, entries(*terms)))
        state = ask(state, "S1", serial=11).state
        for _ in range(2 * len(log)):
            pending = [m for m in state.network.in_flight if "S2" in (m.source, m.target)]
            if not pending:
                break
            first = Deliver(pending[0])
            state = happen(state, first).state
        assert state.servers[1].log == state.servers[0].log == (*log, Entry(8, "+5", 11))


def test_5_4_2_an_old_entry_is_not_committed_by_counting() -> None:
    """§5.4.2, figure 8 (c): on a majority, of an earlier term, and still not committed."""
    own = leader("S1", 4, entries(1, 2), servers=5, match_index=(2, 2, 0, 0, 0))
    done = deliver(cluster(own, servers=5), "S3", "S1", AppendEntriesReply(4, True, 2))
    assert done.server("S1").match_index == (2, 2, 2, 0, 0)
    assert done.server("S1").commit_index == 0


def test_5_4_2_an_old_entry_is_committed_with_one_of_the_current_term() -> None:
    """§5.4.2, figure 8 (e): an entry of the own term commits what is before it."""
    own = leader("S1", 4, entries(1, 2, 4), servers=5, match_index=(3, 3, 0, 0, 0))
    done = deliver(cluster(own, servers=5), "S3", "S1", AppendEntriesReply(4, True, 3))
    assert done.server("S1").commit_index == 3


@pytest.mark.parametrize(
    "body", [RequestVote(2, 0, 0), AppendEntries(2, 0, 0, entries(1, 2), 1)], ids=["vote", "append"]
)
def test_5_5_a_repeated_request_changes_nothing_more(body: Any) -> None:
    """§5.5: RPCs are idempotent, so that repeating them causes no harm."""
    once = deliver(cluster(follower("S1", 2)), "S2", "S1", body)
    twice = deliver(once.state, "S2", "S1", body)
    assert twice.server("S1") == once.server("S1")
    assert twice.to("S2") == once.to("S2")


def test_5_5_a_server_that_is_down_answers_nothing() -> None:
    """§5.5: requests to a crashed server fail."""
    state = cluster(follower("S1", 1))
    state = replace(state, network=crash(state.network, "S1"))
    for body in (RequestVote(2, 0, 0), AppendEntries(2, 0, 0, entries(2), 0)):
        done = deliver(state, "S2", "S1", body)
        assert (done.sent, done.server("S1")) == ((), state.servers[0])
    assert happen(state, TimeOut("S1")).sent == ()


# --- §8: clients ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("own", "hint"), [(follower("S1", 2, leader="S3"), "S3"), (candidate("S1", 2), "")]
)
def test_8_who_does_not_lead_names_the_leader(own: Server, hint: str) -> None:
    """§8: a server that is not the leader rejects the request and says whom it heard last."""
    done = ask(cluster(own), "S1", serial=1)
    assert done.to_one(CLIENT) == ClientReply(1, False, hint)
    assert done.server("S1").log == ()


def test_8_the_client_goes_where_it_is_sent() -> None:
    """§8: the client finds the leader through the server that it asked first."""
    asked = happen(cluster(), SendCommand(5, "S1"))
    done = deliver(asked.state, "S1", CLIENT, ClientReply(1, False, "S3"))
    assert done.to_one("S3") == ClientRequest(1, 5)
    nobody = deliver(asked.state, "S1", CLIENT, ClientReply(1, False, ""))
    assert nobody.sent == ()


def test_8_the_client_tries_again_when_there_is_no_answer() -> None:
    """§8: if the leader crashes, client requests time out; the client tries another server."""
    asked = happen(cluster(), SendCommand(5, "S3"))
    assert asked.alarms == ((NOW_MS + 200, RetryAlarm(1, 1)),)
    again = happen(asked.state, RetryAlarm(1, 1), NOW_MS + 200)
    assert again.to_one("S1") == ClientRequest(1, 5)
    assert happen(again.state, RetryAlarm(1, 1), NOW_MS + 201).sent == ()


def test_8_an_answered_command_is_not_sent_again() -> None:
    """§8: once it has its answer, the client is done with a command."""
    asked = happen(cluster(), SendCommand(5, "S1"))
    done = deliver(asked.state, "S1", CLIENT, ClientReply(1, True))
    assert done.state.requests[0].answered_ms == NOW_MS
    assert happen(done.state, RetryAlarm(1, 1)).sent == ()
    assert deliver(done.state, "S1", CLIENT, ClientReply(1, False, "S2")).sent == ()


def test_8_a_command_that_was_executed_is_answered_and_not_executed_again() -> None:
    """§8: a serial number that was executed already gets its answer without a new entry."""
    own = leader("S1", 2, entries(2), commit_index=1, last_applied=1, value=1, serials=(1,))
    done = ask(cluster(own), "S1", serial=1)
    assert done.to_one(CLIENT) == ClientReply(1, True)
    assert done.server("S1") == own


def test_8_an_entry_that_repeats_a_command_is_applied_without_effect() -> None:
    """§8: the state machine tracks the latest serial numbers, whoever led when it came."""
    log = (*entries(1), Entry(2, "+1", 1))
    own = follower("S1", 2, log, commit_index=1, last_applied=1, value=1, serials=(1,))
    after = deliver(cluster(own), "S2", "S1", AppendEntries(2, 2, 2, (), 2)).server("S1")
    assert (after.last_applied, after.value) == (2, 1)


# --- Dissertation §9.6: PreVote -------------------------------------------------------------------


def test_prevote_asks_before_the_term_grows() -> None:
    """§9.6: a candidate increments its term only after it has learned that it could win."""
    done = happen(cluster(follower("S1", 4, entries(3)), prevote=True), TimeOut("S1"))
    after = done.server("S1")
    assert (after.role, after.current_term, after.voted_for) == (PRE_CANDIDATE, 4, "")
    assert set(done.bodies()) == {RequestVote(5, 1, 3, pre=True)}


def test_prevote_a_majority_starts_the_election() -> None:
    """§9.6: with the consent of a majority it becomes a candidate, as ever."""
    own = follower("S1", 4, role=PRE_CANDIDATE, votes=("S1",))
    done = deliver(cluster(own, prevote=True), "S2", "S1", RequestVoteReply(5, True, pre=True))
    assert (done.server("S1").role, done.server("S1").current_term) == (CANDIDATE, 5)
    assert set(done.bodies()) == {RequestVote(5, 0, 0)}


def test_prevote_consent_is_no_vote() -> None:
    """§9.6: PreVote changes nothing at the server that is asked, and binds it to nothing."""
    state = cluster(follower("S1", 4, voted_for="S3"), prevote=True)
    done = deliver(state, "S2", "S1", RequestVote(5, 0, 0, pre=True))
    assert done.to_one("S2") == RequestVoteReply(5, True, pre=True)
    assert done.server("S1") == state.servers[0]
    assert deliver(done.state, "S3", "S1", RequestVote(5, 0, 0, pre=True)).to_one("S3").granted


def test_prevote_only_for_a_log_that_is_up_to_date() -> None:
    """§9.6: the others agree if the candidate's log is sufficiently up to date."""
    state = cluster(follower("S1", 4, entries(4)), prevote=True)
    done = deliver(state, "S2", "S1", RequestVote(5, 9, 3, pre=True))
    assert done.to_one("S2") == RequestVoteReply(4, False, pre=True)


@pytest.mark.parametrize(("silence_ms", "granted"), [(0, False), (149, False), (150, True)])
def test_prevote_not_while_there_is_a_leader(silence_ms: int, granted: bool) -> None:
    """§9.6: … and if they have heard from no leader for at least a baseline election timeout."""
    own = follower("S1", 4, heard_leader_ms=NOW_MS - silence_ms)
    done = deliver(cluster(own, prevote=True), "S2", "S1", RequestVote(5, 0, 0, pre=True))
    assert done.to_one("S2").granted is granted


def test_prevote_a_leader_does_not_agree() -> None:
    """§9.6: a leader hears from itself."""
    state = cluster(leader("S1", 4), prevote=True)
    done = deliver(state, "S2", "S1", RequestVote(5, 0, 0, pre=True))
    assert not done.to_one("S2").granted
    assert done.server("S1") == state.servers[0]


def test_prevote_who_is_behind_learns_the_term() -> None:
    """§9.6: a refusal tells the true term, so that the next question is about the right one."""
    own = follower("S1", 2, role=PRE_CANDIDATE, votes=("S1",))
    asked = deliver(
        cluster(follower("S2", 6), prevote=True), "S1", "S2", RequestVote(3, 0, 0, True)
    )
    refusal = asked.to_one("S1")
    after = deliver(cluster(own, prevote=True), "S2", "S1", refusal).server("S1")
    assert (after.role, after.current_term) == (FOLLOWER, 6)


def test_prevote_one_that_is_cut_off_does_not_raise_its_term() -> None:
    """§9.6: a partitioned server cannot win, so its term stays, however often it times out."""
    terms = {}
    for prevote in (False, True):
        state = cluster(follower("S1", 4), prevote=prevote)
        state = replace(state, network=cut(state.network, (("S1",), ("S2", "S3"))))
        for _ in range(10):
            done = happen(state, TimeOut("S1"))
            assert all(message.lost == "cut" for message in done.sent)
            state = done.state
        terms[prevote] = state.servers[0].current_term
    assert terms == {False: 14, True: 4}
