"""How copies spread: every replica tells its copy to the others until they have confirmed it.

This is anti-entropy as in Demers et al., "Epidemic Algorithms for Replicated Database
Maintenance", PODC 1987, https://doi.org/10.1145/41840.41841, with copies so small that they are
sent whole. CP uses it to make known what a majority has accepted.
"""

from __future__ import annotations

from ...kernel import Context, replace
from .account import Copy, merged, only_in, peers_of
from .state import Confirm, Merge, Repeat, State, Update, replica_of, sent, with_replica

# In units of the latency. A copy is told again when there was ample time to confirm it; who only
# heard of it passes it on a little later still, because its author has most likely told it itself.
REPEAT_AFTER = 3.5
PASS_ON_AFTER = 4.5


def tell(state: State, ctx: Context, name: str) -> State:
    """A replica tells its copy to everyone who has not confirmed it, and will do so again."""
    replica = replica_of(state, name)
    if not replica.unsynced:
        return state
    state = remind(state, ctx, name, REPEAT_AFTER)
    return sent(state, ctx, name, replica.unsynced, Update(replica.copy))


def remind(state: State, ctx: Context, name: str, latencies: float) -> State:
    """Set the time at which a replica tells its copy again; earlier alarms are void."""
    delay_ms = int(latencies * state.params.latency_ms)
    deadline_ms = ctx.now_ms + delay_ms
    ctx.after(delay_ms, Repeat(name, deadline_ms))
    return with_replica(state, replace(replica_of(state, name), repeat_deadline_ms=deadline_ms))


def with_copy(state: State, ctx: Context, name: str, copy: Copy) -> State:
    """A replica has a new copy of its own, and tells the others at once."""
    replica = replace(replica_of(state, name), copy=copy, unsynced=peers_of(name))
    return tell(with_replica(state, replica), ctx, name)


def hear(state: State, ctx: Context, name: str, source: str, theirs: Copy) -> State:
    """A replica hears of another's copy, makes one of the two, and confirms it."""
    replica = replica_of(state, name)
    mine = replica.copy
    kept = merged(rule_of(state), mine, theirs)
    if state.params.mode == "ap" and only_in(mine, theirs) and only_in(theirs, mine):
        state = noted(state, Merge(name, source, mine, theirs, kept, ctx.now_ms))
    unsynced = replica.unsynced if kept == mine else peers_of(name)
    if kept == theirs:
        unsynced = tuple(peer for peer in unsynced if peer != source)
    state = with_replica(state, replace(replica, copy=kept, unsynced=unsynced))
    if kept not in (mine, theirs):
        state = tell(state, ctx, name)
    elif kept != mine:
        state = remind(state, ctx, name, PASS_ON_AFTER)
    return sent(state, ctx, name, (source,), Confirm(theirs))


def noted(state: State, merge: Merge) -> State:
    """The state with a conflict on show, unless it is the one that is: each side meets it once."""
    old = state.conflict
    if old and (old.theirs, old.mine) == (merge.mine, merge.theirs):
        return state
    if old and (old.mine, old.theirs) == (merge.mine, merge.theirs):
        return state
    return replace(state, conflict=merge)


def rule_of(state: State) -> str:
    """How two copies become one: under CP the newer ballot wins, whatever the parameter says."""
    return state.params.merge if state.params.mode == "ap" else "ballot"


def confirmed(state: State, name: str, source: str, copy: Copy) -> State:
    """Another replica has seen a copy; if it is still the present one, that is one less to tell."""
    replica = replica_of(state, name)
    if replica.copy != copy:
        return state
    unsynced = tuple(peer for peer in replica.unsynced if peer != source)
    return with_replica(state, replace(replica, unsynced=unsynced))


def repeat(state: State, ctx: Context, name: str, deadline_ms: int) -> State:
    """The alarm of `remind`: void if another one was set since."""
    if replica_of(state, name).repeat_deadline_ms != deadline_ms:
        return state
    return tell(state, ctx, name)
