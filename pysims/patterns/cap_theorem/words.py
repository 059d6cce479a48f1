"""What happened, in words: requests, messages, conflicts, and the proof of a violation."""

from __future__ import annotations

from collections.abc import Sequence

from ...kernel import Deliver, Message, groups_text
from ...phrases import listed, many
from .account import START, Copy, Request, balance_after, only_in
from .model import linearizable
from .observed import precedes, requests_behind, verdict_of
from .state import (
    ARROW,
    Accept,
    Accepted,
    AskAgain,
    Cut,
    CutOneWay,
    Event,
    GiveUp,
    Heal,
    Merge,
    Prepare,
    Promise,
    Reject,
    Repeat,
    State,
    TryAgain,
    Update,
    counted,
    lost,
    replica_of,
    undecided,
)

BADGES = "①②③④⑤⑥⑦⑧⑨"


# --- Requests -------------------------------------------------------------------------------------


def dollars(amount: int) -> str:
    """Money, with a sign in front if it is less than nothing."""
    return f"−${-amount:,}" if amount < 0 else f"${amount:,}"


def short(request: Request) -> str:
    """What was asked, in a few characters."""
    signs = {"read": "read", "deposit": "+", "withdraw": "−", "set": "set "}
    if request.kind == "read":
        return "read"
    return f"{signs[request.kind]}{dollars(request.amount)}"


def outcome(request: Request) -> str:
    """The label of a bar."""
    asked = short(request)
    match request.status:
        case "done" if request.kind == "read":
            return f"read {dollars(request.balance)}"
        case "done":
            return f"{asked} → {dollars(request.balance)}"
        case "declined":
            return f"{asked} declined"
        case "refused":
            return f"{asked} refused"
        case "unknown":
            return f"{asked} ?"
    return f"{asked} …"


def named(request: Request) -> str:
    """A request as a thing: "A's deposit of $100"."""
    things = {
        "read": "read",
        "deposit": f"deposit of {dollars(request.amount)}",
        "withdraw": f"withdrawal of {dollars(request.amount)}",
        "set": f"write of {dollars(request.amount)}",
    }
    return f"{request.replica}’s {things[request.kind]}"


def observed(request: Request) -> str:
    """What a request says about the balance."""
    if request.kind == "read" or request.status == "declined":
        return f"found {dollars(request.balance)}"
    if request.kind == "set" or request.status != "done":
        return f"wrote {dollars(request.amount)}"
    return f"found {dollars(request.found)} and left {dollars(request.balance)}"


def lag(state: State, missed: Sequence[int]) -> str:
    """How far behind something is that has not seen these changes."""
    changes = [state.requests[number] for number in missed]
    amounts = [balance_after(change, 10**6) - 10**6 for change in changes if change.kind != "set"]
    behind_by = many(len(changes), "update")
    if len(amounts) < len(changes):
        return f"{behind_by} behind"
    return f"{behind_by}, {dollars(abs(sum(amounts)))} behind"


# --- The verdict ----------------------------------------------------------------------------------


def proof_of(state: State) -> tuple[int, ...]:
    """The requests that prove that the history is not linearizable; empty if it is."""
    verdict = verdict_of(state.requests)
    if verdict.linearizable:
        return ()
    return tuple(dict.fromkeys(requests_behind(state.requests, verdict.witness)))


def verdict_words(state: State) -> list[str]:
    """The verdict in sentences; the proof has one for each operation, and a conclusion."""
    proof = [state.requests[number] for number in proof_of(state)]
    if not proof:
        if not state.requests:
            return ["Nothing has been asked yet."]
        if not getattr(verdict_of(state.requests), "order", ()):
            return ["No request has got an answer yet that could be wrong."]
        return ["One order explains every answer: each request can count at the instant marked |."]
    lines = []
    for badge, request in zip(BADGES, proof, strict=False):
        ended = "" if request.returned_ms is None else f", answered at {request.returned_ms} ms"
        asked = f"asked at {request.invoked_ms} ms{ended}"
        if request.invoked_ms == request.returned_ms:
            asked = f"at {request.invoked_ms} ms"
        lines.append(f"{badge} {named(request)} {observed(request)} ({asked}).")
    return [*lines, conclusion(proof)]


def conclusion(proof: Sequence[Request]) -> str:
    """Why these requests fit no order."""
    if len(proof) == 1:
        return "No order of the requests leads to that balance."
    first, second = proof[0], proof[-1]
    if len(proof) > 2 or not precedes(first, second):
        return "No order of these explains all of their answers."
    if second.kind != "read" and second.status == "done" and first.found == second.found:
        return (
            f"Both found {dollars(first.found)}. In any order, the later one would have found "
            "what the earlier one left."
        )
    at_once = " (in the same millisecond)" if first.returned_ms == second.invoked_ms else ""
    knows = "found an older balance" if first.kind == "read" else "does not know of it"
    return f"② began after ① had ended{at_once} and {knows}: no order explains both."


def truths(state: State) -> tuple[int, ...]:
    """The balances that are right if nothing that was confirmed is lost, the smallest first.

    One for each way in which outcomes that nobody knows can turn out; empty once somebody has
    written a balance.
    """
    done = [r for r in state.requests if r.status == "done"]
    known, open_ = counted(state), undecided(state)
    if any(request.kind == "set" for request in (*done, *known, *open_)):
        return ()
    balance = START + sum(request.balance - request.found for request in done)
    found = {balance + sum(map(effect, known))}
    for request in open_:
        found |= {other + effect(request) for other in found}
    return tuple(sorted(found))


def effect(request: Request) -> int:
    """What a deposit or a withdrawal adds to the balance, if it counts."""
    return -request.amount if request.kind == "withdraw" else request.amount


# --- Conflicts ------------------------------------------------------------------------------------


def loser_of(merge: Merge) -> Copy:
    return merge.theirs if merge.kept == merge.mine else merge.mine


def conflict_words(state: State) -> str:
    """The last conflict and how it was resolved; empty if there was none."""
    merge = state.conflict
    if merge is None:
        return ""
    mine, theirs = (
        only_words(state, merge.mine, merge.theirs),
        only_words(state, merge.theirs, merge.mine),
    )
    text = (
        f"Conflict at {merge.replica}: {dollars(merge.mine.balance)} ({mine}) against "
        f"{merge.other}’s {dollars(merge.theirs.balance)} ({theirs}). "
    )
    kept = dollars(merge.kept.balance)
    if state.params.merge == "counter":
        return f"{text}The counter adds up both: {kept}, and nothing is lost."
    gone = only_words(state, loser_of(merge), merge.kept)
    return f"{text}The later write wins: {kept}. Dropped: {gone}."


def only_words(state: State, copy: Copy, other: Copy) -> str:
    """What one copy has seen and the other has not."""
    changes = [state.requests[number] for number in only_in(copy, other)]
    return ", ".join(f"{short(change)} at {change.replica}" for change in changes)


# --- Events ---------------------------------------------------------------------------------------


def request_words(before: State | None, request: Request, after: State) -> str:
    """What became of a request."""
    now = after.requests[request.id]
    match now.status:
        case "waiting":
            return f"{named(now)} waits: {now.replica} is still busy with another request."
        case "open":
            return f"{named(now)}: {now.replica} asks the others, because it needs a majority."
        case "refused":
            if not now.unreached:
                return f"{now.replica} refuses: other replicas’ requests kept coming first."
            return (
                f"{now.replica} refuses: it got no answer from {listed(now.unreached)} within "
                f"{after.params.timeout_ms} ms, and one of three is no majority."
            )
        case "unknown":
            missing = f": {listed(now.unreached)} did not confirm" if now.unreached else ""
            return f"{now.replica} cannot say whether {named(now)} counts{missing}."
        case "declined":
            return f"{named(now)} is declined: there is only {dollars(now.balance)}."
    known = f", but that is stale: {lag(after, now.behind)}" if now.behind else ""
    if now.kind == "read":
        return f"{now.replica} answers a read: {dollars(now.balance)}{known}."
    return f"{named(now)} is done: {dollars(now.balance)}{known}."


def label_of(message: Message) -> str:
    """What a message says, in a word."""
    match message.body:
        case Prepare():
            return "may I?"
        case Promise():
            return "yes"
        case Accept(copy):
            return f"{dollars(copy.balance)}?"
        case Accepted():
            return "agreed"
        case Reject():
            return "too late"
        case Update(copy):
            return dollars(copy.balance)
    return "seen"


def delivery_words(before: State, message: Message, after: State) -> str:
    """What a message did."""
    a, b = message.source, message.target
    sent = next((m for m in before.network.in_flight if m.id == message.id), message)
    if sent.lost:
        why = "in the cut" if sent.lost == "cut" else "on the way"
        return f"{a}’s “{label_of(message)}” to {b} is lost {why}."
    ended = [r for r, old in zip(after.requests, before.requests, strict=True) if r != old]
    finished = [r for r in ended if r.status not in ("open", "waiting")]
    if finished:
        return request_words(before, finished[0], after)
    match message.body:
        case Prepare():
            return f"{a} asks {b} to promise to follow nobody older, and what it accepted last."
        case Promise(_, copy):
            proposed = replica_of(after, b).attempt
            if proposed and proposed.proposed and proposed.proposed.stamp == message.body.ballot:
                what = dollars(proposed.proposed.balance)
                return f"{a} promises: {b} has a majority and asks to accept {what}."
            return f"{a} promises, and says that it accepted {dollars(copy.balance)} last."
        case Accept(copy):
            if replica_of(after, b).accepted == copy:
                return f"{b} accepts {dollars(copy.balance)} from {a}."
            return f"{b} rejects {a}’s proposal: it has promised a newer ballot."
        case Accepted():
            return f"{b} hears that {a} has accepted."
        case Reject():
            return f"{b} hears from {a} that its ballot is too old, and will try again."
        case Update(copy):
            return update_words(before, message, after, copy)
    return f"{b} knows that {a} has seen its copy."


def update_words(before: State, message: Message, after: State, copy: Copy) -> str:
    """What a replica made of another's copy."""
    a, b = message.source, message.target
    if after.conflict != before.conflict:
        return conflict_words(after)
    old, new = replica_of(before, b).copy, replica_of(after, b).copy
    if old == new != copy and after.params.merge == "lww":
        return (
            f"{b} hears of {a}’s {dollars(copy.balance)}, which is older than its own: it keeps "
            f"{dollars(new.balance)}."
        )
    if old == new:
        return f"{b} hears of {a}’s {dollars(copy.balance)}, which is nothing new."
    if old.balance == new.balance:
        return f"{b} hears of {a}’s copy: the balance stays {dollars(new.balance)}."
    return f"{b} hears of {a}’s copy: {dollars(old.balance)} becomes {dollars(new.balance)}."


def again_words(before: State, event: AskAgain | TryAgain | Repeat, after: State) -> str:
    """What a replica repeated when its alarm rang."""
    name = event.replica
    known = before.network.next_id
    to = [m.target for m in after.network.in_flight if m.id >= known]
    if not to:
        return f"{name} has nothing to repeat."
    match event:
        case AskAgain():
            return f"{name} repeats its question to {listed(to)}."
        case TryAgain():
            return f"{name} starts again with a newer ballot."
    return f"{name} tells its copy to {listed(to)}, from whom it has not heard about it."


def told(before: State, event: Event, after: State) -> str:
    match event:
        case Deliver(message):
            return delivery_words(before, message, after)
        case Cut():
            return f"The network is cut: {groups_text(after.network.groups)}."
        case CutOneWay(link):
            source, target = link.split(ARROW)
            return f"What {source} sends to {target} is lost from now on; the way back works."
        case Heal():
            return "The network is whole again, and the replicas tell each other what they have."
        case GiveUp(number) if after.requests[number] != before.requests[number]:
            return request_words(before, after.requests[number], after)
        case AskAgain() | TryAgain() | Repeat():
            return again_words(before, event, after)
        case GiveUp(number):
            return f"{named(after.requests[number])} was answered in time."
    return request_words(before, after.requests[-1], after)


def describe(before: State | None, event: Event | None, after: State) -> str:
    """What an event did, in a sentence; without an event, how the run starts."""
    if before is None or event is None:
        return f"Three replicas of one account, each with a balance of {dollars(START)}."
    sentences = [told(before, event, after)]
    gone = [change for change in lost(after) if change not in lost(before)]
    sentences += [f"{named(change)} is in no copy any more: it is lost." for change in gone]
    found = [change for change in counted(after) if change not in counted(before)]
    sentences += [f"{named(change)}, of unknown outcome, turns out to count." for change in found]
    if linearizable(before) and not linearizable(after):
        sentences.append("From now on no order explains all answers.")
    return " ".join(sentences)
