"""How a run looks: the three replicas and what is between them, and what the clients observed.

On the left every replica shows its own copy of the account, and below it the answer that it gave
last. On the right is the history: a bar from the question to the answer for every request, in the
row of the replica that was asked, and below it the verdict.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from ...kernel import Message, connected
from ...phrases import listed, many
from ...shapes import Point, Scale, along, ticks
from .account import NAMES, START, Copy, Request, only_in, peers_of
from .model import is_cut, linearizable, lost_dollars
from .observed import requests_behind, verdict_of
from .state import Confirm, Replica, State, behind, lost
from .words import (
    BADGES,
    conflict_words,
    describe,
    dollars,
    label_of,
    lag,
    loser_of,
    named,
    outcome,
    proof_of,
    short,
    truths,
    verdict_words,
)

__all__ = ["alternative", "describe", "view"]

COLORS = {"A": 0, "B": 3, "C": 2}
PLACES: dict[str, Point] = {"A": (170.0, 66.0), "B": (70.0, 222.0), "C": (270.0, 222.0)}
CARD = (132.0, 52.0)
LANE = 7.0
# Where a message's label stands beside it, so that the two directions of a link stay apart.
BESIDE = {
    "AB": ("end", -10.0, 4.0),
    "BA": ("start", 10.0, 4.0),
    "AC": ("end", -10.0, 4.0),
    "CA": ("start", 10.0, 4.0),
    "BC": ("middle", 0.0, 21.0),
    "CB": ("middle", 0.0, -11.0),
}
FREE = (139.0, 201.0)
"""Between the cards of B and C, where a label must find room."""
CLEAR = 12.0
"""How far from the end of its way a message is drawn at least, so that it touches no card."""

LEFT, RIGHT = 30.0, 322.0
ROWS = {"A": 46.0, "B": 122.0, "C": 198.0}
SPAN_MS = 1_600
STEP_MS = 400
BAR = 14.0


def color_of(name: str) -> int:
    return COLORS[name]


# --- Left: the replicas ---------------------------------------------------------------------------


def answer_of(state: State, request: Request) -> tuple[str, str, str]:
    """What a replica said last: (tone, headline, reason)."""
    asked = short(request)
    match request.status:
        case "waiting":
            return "open", f"{asked}: waiting", "for the request before"
        case "open":
            return "open", f"{asked}: asking", "for a majority…"
        case "refused" | "unknown":
            unreached = request.unreached
            reason = f"no answer from {listed(unreached)}" if unreached else "others came first"
            tone = "bad" if request.status == "refused" else "unknown"
            return tone, f"{asked}: {request.status}", reason
        case "declined":
            return "bad", f"{asked}: declined", f"only {dollars(request.balance)} here"
    done = f"read: {dollars(request.balance)}"
    if request.kind != "read":
        done = f"{asked} → {dollars(request.balance)}"
    if not request.behind:
        return "good", done, ""
    return "stale", f"{done}, stale", lag(state, request.behind)


def card_of(state: State, replica: Replica) -> dict[str, Any]:
    """A replica, its balance, whether it is behind, and its last answer."""
    x, y = PLACES[replica.name]
    missed = behind(state, replica.copy)
    asked = [request for request in state.requests if request.replica == replica.name]
    tone, headline, reason = answer_of(state, asked[-1]) if asked else ("none", "", "")
    marks = {"good": "✓ ", "bad": "✕ ", "stale": "⚠ ", "unknown": "? ", "open": "… ", "none": ""}
    above = replica.name == "A"
    return {
        "name": replica.name,
        "color": color_of(replica.name),
        "x": x - CARD[0] / 2,
        "y": y - CARD[1] / 2,
        "balance": dollars(replica.copy.balance),
        "behind": standing(replica, missed),
        "stale": bool(missed),
        "tone": tone,
        "headline": marks[tone] + headline,
        "reason": reason,
        "anchor": {"A": "middle", "B": "start", "C": "end"}[replica.name],
        "text_x": {"A": 170.0, "B": 4.0, "C": 336.0}[replica.name],
        "text_y": y - CARD[1] / 2 - 26 if above else y + CARD[1] / 2 + 19,
    }


def standing(replica: Replica, missed: Sequence[int]) -> str:
    """How a replica's copy stands, as the figure knows, which sees all three."""
    pending = only_in(replica.accepted, replica.copy)
    unheard = [number for number in missed if number not in pending]
    if unheard:
        return f"behind by {len(unheard)}"
    if pending and replica.accepted.stamp > replica.copy.stamp:
        return f"accepted {dollars(replica.accepted.balance)}"
    return "up to date"


def margin(a: str, b: str) -> float:
    """How much of the way between two replicas is under a card, at either end."""
    return 70.0 if {a, b} == {"B", "C"} else 38.0


def links_of(state: State) -> list[dict[str, Any]]:
    """The way from each replica to each other one, and whether it is cut."""
    found = []
    for source in NAMES:
        for target in peers_of(source):
            a, b, gap = PLACES[source], PLACES[target], margin(source, target)
            start = along(a, b, 0.0, LANE, gap, gap)
            end = along(a, b, 1.0, LANE, gap, gap)
            wing = [along(a, b, 1.0, LANE + side, gap, gap + 7) for side in (-4, 4)]
            bar = [along(a, b, 0.5, LANE + side, gap, gap) for side in (-6, 6)]
            found.append(
                {
                    "name": f"{source}{target}",
                    "start": start,
                    "end": end,
                    "wing": wing,
                    "bar": bar,
                    "cut": not connected(state.network, source, target),
                }
            )
    return found


def flying(state: State, now_ms: int) -> list[dict[str, Any]]:
    """The messages under way."""
    found = []
    for message in state.network.in_flight:
        x, y = spot_of(message, now_ms)
        lost = bool(message.lost) and message.fraction(now_ms) >= 0.5
        label = "lost" if lost else label_of(message)
        anchor, dx, dy = BESIDE[message.source + message.target]
        if "A" not in (message.source, message.target):
            half = 3.5 * len(label)
            dx = max(FREE[0] + half, min(x, FREE[1] - half)) - x
        found.append(
            {
                "id": message.id,
                "x": x,
                "y": y,
                "label": label,
                "small": isinstance(message.body, Confirm),
                "lost": lost,
                "color": color_of(message.source),
                "anchor": anchor,
                "dx": dx,
                "dy": dy,
            }
        )
    return found


def spot_of(message: Message, now_ms: int) -> Point:
    """Where a message is drawn: beside the line between two cards, and clear of both."""
    a, b = PLACES[message.source], PLACES[message.target]
    gap = margin(message.source, message.target)
    clear = CLEAR if "A" in (message.source, message.target) else CLEAR / 2
    return along(a, b, message.fraction(now_ms), LANE, gap + clear, gap + clear)


def conflict_of(state: State) -> dict[str, Any] | None:
    """The last conflict: two copies, and what became of them."""
    merge = state.conflict
    if merge is None:
        return None
    counter = state.params.merge == "counter"
    dropped = [] if counter else only_in(loser_of(merge), merge.kept)
    return {
        "where": merge.replica,
        "sides": [
            side_of(state, merge.replica, merge.mine, merge.theirs, not counter),
            side_of(state, merge.other, merge.theirs, merge.mine, not counter),
        ],
        "kept": dollars(merge.kept.balance),
        "rule": sum_of(merge.kept) if counter else "the later write wins",
        "dropped": [f"{short(state.requests[n])} at {state.requests[n].replica}" for n in dropped],
    }


def sum_of(copy: Copy) -> str:
    """The sum that a counter is."""
    parts = [f"+ {dollars(amount)}" for amount in copy.added if amount]
    parts += [f"− {dollars(amount)}" for amount in copy.taken if amount]
    return f"= {dollars(START)} {' '.join(parts)}"


def side_of(state: State, name: str, copy: Copy, other: Copy, timed: bool) -> dict[str, Any]:
    """One side of a conflict: whose copy, its balance, and what only it has seen."""
    only = [state.requests[number] for number in only_in(copy, other)]
    return {
        "name": name,
        "color": color_of(name),
        "balance": dollars(copy.balance),
        "only": ", ".join(short(request) for request in only),
        "when": f"{copy.stamp[0]} ms" if timed else "",
    }


# --- Right: the history ---------------------------------------------------------------------------


def scale_of(now_ms: int) -> Scale:
    """The time axis: it grows in steps, and then its beginning falls off."""
    high = max(1_000, -(-now_ms // STEP_MS) * STEP_MS)
    return Scale(max(0, high - SPAN_MS), high, LEFT, RIGHT)


def instants(state: State, now_ms: int) -> dict[int, float]:
    """Request → the instant (ms) at which it may be said to have taken effect.

    Of the instants that keep the order and lie within each request's bar, one in the middle. The
    bars are whole milliseconds long; requests within one keep their order by `observed.instant`.
    """
    verdict = verdict_of(state.requests)
    if not verdict.linearizable:
        return {}
    numbers = requests_behind(state.requests, verdict.order)
    order = [state.requests[number] for number in numbers]
    earliest = list(accumulate((request.invoked_ms for request in order), max))
    ends = [now_ms if r.returned_ms is None else r.returned_ms for r in order]
    latest = list(accumulate(reversed(ends), min))[::-1]
    middles = [(low + high) / 2 for low, high in zip(earliest, latest, strict=True)]
    return dict(zip(numbers, middles, strict=True))


def bars_of(state: State, now_ms: int) -> list[dict[str, Any]]:
    """A bar for every request that is still in the picture."""
    scale, proof, points = scale_of(now_ms), proof_of(state), instants(state, now_ms)
    edges = {name: [0.0, 0.0] for name in NAMES}
    bars = []
    for request in state.requests:
        end_ms = now_ms if request.returned_ms is None else request.returned_ms
        if scale(end_ms) < LEFT:
            continue
        badge = BADGES[proof.index(request.id)] + " " if request.id in proof[: len(BADGES)] else ""
        label = badge + outcome(request)
        start = max(LEFT, scale(request.invoked_ms))
        end = RIGHT if request.status == "unknown" else scale(end_ms)
        x, below = label_place(edges[request.replica], start, 7.4 * len(label))
        y = ROWS[request.replica]
        bars.append(
            {
                "id": request.id,
                "status": request.status,
                "stale": bool(request.behind),
                "proof": request.id in proof,
                "color": color_of(request.replica),
                "x": start,
                "y": y,
                "width": max(5.0, end - start),
                "label": label,
                "label_x": x,
                "label_y": y + BAR + 16 if below else y - 6,
                "point": max(LEFT, scale(points[request.id])) if request.id in points else None,
            }
        )
    return bars


def label_place(edges: list[float], start: float, width: float) -> tuple[float, bool]:
    """Where a label goes: above its bar if there is room beside the last one, else below."""
    x = max(0.0, min(start, RIGHT + 16 - width))
    below = x < edges[0] and edges[1] < edges[0]
    edges[below] = x + width + 4
    return x, below


def axis_of(now_ms: int) -> list[dict[str, Any]]:
    scale = scale_of(now_ms)
    return [{"x": scale(tick), "label": f"{tick:,.0f}"} for tick in ticks(scale.low, scale.high, 4)]


# --- Words ----------------------------------------------------------------------------------------


def readouts(state: State) -> list[dict[str, str]]:
    """The numbers beside the picture."""
    requests = state.requests
    answered = [r for r in requests if r.status in ("done", "declined")]
    missing = [
        f"{count} {status}"
        for status in ("refused", "unknown")
        if (count := sum(request.status == status for request in requests))
    ]
    waits = [(r.returned_ms or 0) - r.invoked_ms for r in answered]
    stale = [request for request in answered if request.behind]
    gone = lost(state)
    asked = many(len(requests), "request")
    numbers = [
        ("Answered", str(len(answered)), ", ".join((f"of {asked}", *missing))),
        ("Slowest answer", f"{max(waits, default=0)} ms", ""),
        ("Stale answers", str(len(stale)), ""),
        ("Lost", dollars(lost_dollars(state)), f"in {many(len(gone), 'change')}" if gone else ""),
        ("Should be", *should_be(state)),
    ]
    return [{"label": label, "value": value, "note": note} for label, value, note in numbers]


def should_be(state: State) -> tuple[str, str]:
    """The right balance by what clients were told, or the balances that it may turn out to be."""
    balances = truths(state)
    if not balances:
        return "open", "since a write replaced it"
    if len(balances) == 1:
        return dollars(balances[0]), "by what clients were told"
    word = "or" if len(balances) == 2 else "to"
    return f"{dollars(balances[0])} {word} {dollars(balances[-1])}", "by what clients know"


def alternative(state: State, now_ms: int) -> str:
    """What a sighted reader sees, as text."""
    cards = [card_of(state, replica) for replica in state.replicas]
    text = "; ".join(
        f"replica {card['name']}: balance {card['balance']}, {card['behind']}" for card in cards
    )
    links = [link["name"] for link in links_of(state) if link["cut"]]
    cut = "The network is whole."
    if links:
        cut = "Cut: " + ", ".join(f"{name[0]} to {name[1]}" for name in links) + "."
    history = "; ".join(
        f"{named(request)} at {request.invoked_ms} ms: {outcome(request)}"
        + (" (stale)" if request.behind else "")
        for request in state.requests
    )
    word = "Linearizable" if linearizable(state) else "Not linearizable"
    parts = [f"{text[0].upper()}{text[1:]}.", cut]
    if history:
        parts.append(f"History: {history}.")
    parts.append(f"{word}. {' '.join(verdict_words(state))}")
    if state.conflict:
        parts.append(conflict_words(state))
    return " ".join(parts)


def view(state: State, now_ms: int) -> dict[str, Any]:
    """Everything that the scene draws."""
    verdict, *more = verdict_words(state)
    return {
        "mode": state.params.mode,
        "cut": is_cut(state),
        "cards": [card_of(state, replica) for replica in state.replicas],
        "links": links_of(state),
        "flying": flying(state, now_ms),
        "conflict": conflict_of(state),
        "rule": state.params.merge,
        "rows": [{"name": name, "color": color_of(name), "y": y} for name, y in ROWS.items()],
        "bars": bars_of(state, now_ms),
        "now": scale_of(now_ms)(now_ms),
        "ticks": axis_of(now_ms),
        "linearizable": linearizable(state),
        "verdict": [verdict, *more],
        "readouts": readouts(state),
    }
