"""How the protocol looks: plain numbers and words for `scene.svg.jinja`.

The coordinator with its log stands above the participants with theirs, and messages fly between.
Of several orders the picture follows the oldest that is under way; of many, the others are counts,
a list of who waits for the widget, and a chart. How long locks are held is measured by `measure`.
"""

from __future__ import annotations

from typing import Any

from ...kernel import Message, is_up
from ...order_book import COMPLETED, OPEN, VOID, dollars, ledger, rank
from ...phrases import listed, many
from ...shapes import Scale, polyline, ticks
from .measure import by_size, by_slowest, hold_ms
from .rules import ABORT, COMMIT, PREPARED
from .safety import torn
from .shop import (
    AUDITOR,
    COORDINATOR,
    END,
    STOCK_ROW,
    Ack,
    Coordinator,
    Decision,
    Inquiry,
    Participant,
    Prepare,
    Record,
    State,
    Vote,
    in_doubt,
    is_prepared,
    status_in,
)
from .words import (
    STATUS_WORDS,
    alternative,
    coordinator_text,
    describe,
    focus_of,
    stake_cents,
    under_way,
    wrong,
    wrong_cents,
)

__all__ = ["alternative", "describe", "view"]

WIDTH, COLUMN = 340.0, 85.0
TOP, WIRE_TOP, WIRE_BOTTOM = 8.0, 104.0, 196.0
# Where the two directions of a wire run, beside the middle of a column.
ASIDE = 17.0
RECORDS, WAITERS = 4, 5
# So many orders' messages are drawn at once; of more, only those of the order in focus.
ORDERS_DRAWN = 4
LEFT, RIGHT, CHART_TOP, CHART_BOTTOM = 34.0, 330.0, 44.0, 150.0
BIN_MS = 250
SPAN_MS_MIN = 2_000


def ms_text(ms: int) -> str:
    """A duration: "87 ms", "1.25 s"."""
    return f"{ms} ms" if ms < 1_000 else f"{ms / 1_000:.2f} s"


# --- The protocol ---------------------------------------------------------------------------------


def records_of(node: Participant | Coordinator, up: bool) -> list[dict[str, Any]]:
    """The last lines of a log; what is not forced is in memory only, and gone in a crash."""
    lines = [(record, False) for record in node.log[-RECORDS:]]
    lines += [(record, True) for record in node.unforced[-RECORDS:] if up]
    first = len(node.log) + len(node.unforced) - len(lines)
    return [
        {
            "id": f"{node.name}-{first + index}",
            "text": f"#{record.order} {short(record)}",
            "unforced": unforced,
            "alone": record.alone,
            "kind": kind_of(record),
        }
        for index, (record, unforced) in enumerate(lines[-RECORDS:])
    ]


def short(record: Record) -> str:
    """The kind of a record; beside a long number there is no room for the longest word."""
    return "prep." if record.kind == PREPARED and record.order > 99 else record.kind


def kind_of(record: Record) -> str:
    return {PREPARED: "doubt", COMMIT: "good", ABORT: "bad", END: "end"}[record.kind]


def member_of(state: State, index: int, order: int, now_ms: int) -> dict[str, Any]:
    """One participant: its column, its status with the order in focus, its lock, its log."""
    member = state.participants[index]
    up = is_up(state.network, member.name)
    status = status_in(member, order) if order else ""
    claim = next((c for c in member.locks.held if c.owner == order), None)
    return {
        "id": member.name,
        "x": COLUMN * index,
        "mid": COLUMN * (index + 0.5),
        "up": up,
        "status": status or "idle",
        "word": STATUS_WORDS[status],
        "locked": claim is not None,
        "since": f"{ms_text(now_ms - claim.since_ms)}" if claim else "",
        "log": records_of(member, up),
        "vote": vote_of(state, member, order),
    }


def vote_of(state: State, member: Participant, order: int) -> str:
    """What the coordinator has counted of a participant: yes, no, or nothing yet."""
    found = next((t for t in state.coordinator.transactions if t.order == order), None)
    if found is not None:
        return "yes" if member.name in found.poll.prepared else "open"
    why = next((text for number, text in reversed(state.refusals) if number == order), "")
    if why.startswith(f"{member.name}: ") and not why.endswith("no vote in time"):
        return "no"
    return "yes" if is_prepared(member, order) and settled(state, order) else "open"


def settled(state: State, order: int) -> bool:
    return any(p.order == order and p.outcome == COMPLETED for p in state.placed)


def messages_of(state: State, order: int, now_ms: int) -> list[dict[str, Any]]:
    """The messages between coordinator and participants, each where it is now."""
    several = under_way(state)
    drawn = []
    for message in state.network.in_flight:
        if AUDITOR in (message.source, message.target):
            continue
        if len(several) > ORDERS_DRAWN and message.body.order != order:
            continue
        drawn.append(flying(state, message, now_ms, 1 < len(several) <= ORDERS_DRAWN))
    return drawn


def flying(state: State, message: Message, now_ms: int, numbered: bool) -> dict[str, Any]:
    """One message: down on the left of its wire, up on the right."""
    down = message.source == COORDINATOR
    name = message.target if down else message.source
    index = next(i for i, member in enumerate(state.participants) if member.name == name)
    kind, text = message_words(message.body)
    text = f"{message.body.order} {text}" if numbered else text
    start, end = (WIRE_TOP, WIRE_BOTTOM) if down else (WIRE_BOTTOM, WIRE_TOP)
    return {
        "id": message.id,
        "x": COLUMN * (index + 0.5) + (-ASIDE if down else ASIDE),
        "y": start + (end - start) * message.fraction(now_ms),
        "lost": bool(message.lost),
        "kind": kind,
        "text": text,
        "width": 7.0 * len(text) + 6,
        "tip": 1 if down else -1,
    }


def message_words(body: object) -> tuple[str, str]:
    """The kind of a message and its word."""
    match body:
        case Prepare():
            return "ask", "prepare"
        case Vote(_, yes, _):
            return ("good", "yes") if yes else ("bad", "no")
        case Decision(_, decision):
            return ("good", "commit") if decision == COMMIT else ("bad", "abort")
        case Ack():
            return "quiet", "ack"
        case Inquiry():
            return "doubt", "asks?"
    raise ValueError(f"two_phase_commit has no message {body!r}")


def protocol(state: State, now_ms: int) -> dict[str, Any]:
    """The coordinator, the participants, and what is between them."""
    order = focus_of(state)
    up = is_up(state.network, COORDINATOR)
    members = [member_of(state, i, order, now_ms) for i in range(len(state.participants))]
    what = coordinator_text(state, order) if order else "is idle"
    return {
        "order": order,
        "up": up,
        "what": what.removeprefix("is ").removeprefix("has "),
        "log": records_of(state.coordinator, up),
        "members": members,
        "messages": messages_of(state, order, now_ms),
        "others": max(0, len(under_way(state)) - 1),
        "wire_top": WIRE_TOP,
        "wire_bottom": WIRE_BOTTOM,
        "doubt": up is False and any(m["status"] == PREPARED for m in members),
    }


# --- The books, and who waits ---------------------------------------------------------------------


def ledgers(state: State) -> list[dict[str, Any]]:
    """The four databases, with a note where one is down, locked or torn."""
    apart = torn(state)
    return [
        {
            "ledger": ledger(database),
            "note": "down" if not is_up(state.network, member.name) else "",
            "bad": bool(apart) and disagrees(state, member, apart),
        }
        for member, database in zip(state.participants, state.books, strict=True)
    ]


def disagrees(state: State, member: Participant, orders: tuple[int, ...]) -> bool:
    """Whether a participant decided by itself, and otherwise than the rest, about one of these."""
    return any(record.order in orders and record.alone for record in member.log)


def waiting(state: State, now_ms: int) -> dict[str, Any]:
    """The queue for the widget's row: who has it since when, and who waits how long."""
    claims = [(m, c) for m in state.participants for c in m.locks.held if c.key == STOCK_ROW]
    queue = [c for m in state.participants for c in m.locks.queue if c.key == STOCK_ROW]
    holder = None
    if claims:
        member, claim = claims[0]
        status = STATUS_WORDS[status_in(member, claim.owner)]
        holder = {
            "order": claim.owner,
            "status": status,
            "ms": ms_text(now_ms - claim.since_ms),
            "doubt": status == STATUS_WORDS[PREPARED],
        }
    shown = [{"order": c.owner, "ms": ms_text(now_ms - c.since_ms)} for c in queue[:WAITERS]]
    return {"holder": holder, "queue": shown, "more": max(0, len(queue) - WAITERS)}


# --- Charts ---------------------------------------------------------------------------------------


def hold_charts(state: State) -> dict[str, Any]:
    """Mean lock-holding time by the number of participants, and by the slowest one's latency."""
    work_ms, slow_ms = state.params.work_ms, state.params.slow_ms
    size = len(state.participants)
    current = hold_ms(size, slow_ms, work_ms)
    sizes, slows = by_size(work_ms), by_slowest(size, work_ms)
    top = max(ms for _, ms in (*slows, *sizes))
    y = Scale(0, 1.15 * max(top, current), CHART_BOTTOM, CHART_TOP)
    left = Scale(1.6, 6.4, LEFT, 160)
    right = Scale(0, max(slow_ms, slows[-1][0]) * 1.05, 196, RIGHT)
    marks = [round(value) for value in ticks(0, 1.1 * max(top, current), 4)]
    return {
        "ys": [(y(value), str(value)) for value in marks],
        "bars": [
            {
                "n": n,
                "x": left(n) - 9,
                "y": y(ms),
                "height": CHART_BOTTOM - y(ms),
                "ms": f"{ms:.0f}",
                "current": n == size,
            }
            for n, ms in sizes
        ],
        "line": polyline((right(slow), y(ms)) for slow, ms in slows),
        "dots": [(right(slow), y(ms)) for slow, ms in slows],
        "xs": [(right(slow), f"{10 + slow}") for slow, _ in slows[::2]],
        "here": {"x": right(slow_ms), "y": y(current), "text": f"{current:.0f} ms"},
        "bottom": CHART_BOTTOM,
        "top": CHART_TOP,
        "left": LEFT,
        "right": RIGHT,
        "size": size,
    }


def orders_chart(state: State, now_ms: int) -> dict[str, Any] | None:
    """How many orders had come, were completed and were void, over time; only for crowds."""
    if not state.crowd:
        return None
    end_ms = max(now_ms, SPAN_MS_MIN)
    bins = now_ms // BIN_MS + 1
    lines: dict[str, list[int]] = {"placed": [0] * bins, COMPLETED: [0] * bins, VOID: [0] * bins}
    for placed in state.placed:
        lines["placed"][min(placed.at_ms // BIN_MS, bins - 1)] += 1
        if placed.outcome:
            lines[placed.outcome][min(placed.done_ms // BIN_MS, bins - 1)] += 1
    x = Scale(0, end_ms, LEFT, RIGHT)
    y = Scale(0, max(4, 1.1 * len(state.placed)), CHART_BOTTOM, CHART_TOP)
    drawn = {name: polyline(steps(counts, x, y, now_ms)) for name, counts in lines.items()}
    marks = ticks(0, max(4, 1.05 * len(state.placed)), 4)
    return {
        "lines": [{"name": name, "d": d} for name, d in drawn.items()],
        "xs": [(x(ms), f"{ms / 1_000:g}") for ms in ticks(0, end_ms, 5)],
        "ys": [(y(value), f"{value:g}") for value in marks],
        "bottom": CHART_BOTTOM,
        "top": CHART_TOP,
        "left": LEFT,
        "right": RIGHT,
    }


def steps(counts: list[int], x: Scale, y: Scale, now_ms: int) -> list[tuple[float, float]]:
    """The running sum of counts as the corners of a line."""
    points, total = [(x(0), y(0))], 0
    for index, count in enumerate(counts):
        total += count
        points.append((x(min(now_ms, (index + 1) * BIN_MS)), y(total)))
    return points


# --- Numbers --------------------------------------------------------------------------------------


def readouts(state: State, now_ms: int) -> list[dict[str, str]]:
    """The figures under the picture."""
    outcomes = [placed.outcome for placed in state.placed]
    doubtful = in_doubt(state)
    held, waits = state.holds, state.waits
    figures = [
        (
            "Orders completed",
            f"{outcomes.count(COMPLETED)} of {len(outcomes)}",
            f"{outcomes.count(VOID)} void, {outcomes.count('')} open",
        ),
        ("In doubt", many(len(doubtful), "order"), doubt_note(state, now_ms)),
        (
            "A lock was held",
            f"{held.total_ms / held.count:.0f} ms" if held.count else "–",
            f"on average, up to {ms_text(held.longest_ms)}" if held.count else "none yet",
        ),
        (
            "An order waited",
            ms_text(longest_wait(state, now_ms)),
            f"at most for a lock; {waits.count} waited" if waits.count else "at most for a lock",
        ),
        money(state),
    ]
    if state.crowd:
        figures += crowds(state)
    return [{"label": label, "value": value, "note": note} for label, value, note in figures]


def doubt_note(state: State, now_ms: int) -> str:
    """Since when the oldest promise waits for a decision."""
    since = [
        work.since_ms for m in state.participants for work in m.works if work.status == PREPARED
    ]
    return f"locked for {ms_text(now_ms - min(since))}" if since else "nobody waits for a decision"


def longest_wait(state: State, now_ms: int) -> int:
    """The longest that an order has waited for a lock, the ones that still wait included (ms)."""
    still = [
        now_ms - claim.since_ms
        for member in state.participants
        for claim in member.locks.queue
        if not claim.shared
    ]
    return max(state.waits.longest_ms, max(still, default=0))


def money(state: State) -> tuple[str, str, str]:
    """The money that is wrong in the books, or at stake in orders in doubt."""
    found = wrong(state)
    if found:
        return ("Wrong in the books", dollars(wrong_cents(state)), found[0].text)
    cents = stake_cents(state)
    note = "in doubt: neither sold nor free" if cents else "nothing in doubt, nothing wrong"
    return ("Money at stake", dollars(cents), note)


def crowds(state: State) -> list[tuple[str, str, str]]:
    """What only a shop with many customers and auditors has."""
    took = sorted(p.done_ms - p.at_ms for p in state.placed if p.outcome == COMPLETED)
    done = [read for read in state.reads if read.done_ms != OPEN]
    odd = sum(bool(read.anomaly) for read in done)
    return [
        (
            "An order takes",
            f"{rank(took, 0.5)} ms" if took else "–",
            f"half of them; 95 % up to {ms_text(rank(took, 0.95))}" if took else "none yet",
        ),
        (
            "Auditors",
            f"{odd} of {len(done)}",
            f"saw what does not fit; {len(state.reads) - len(done)} still wait",
        ),
    ]


def verdict(state: State) -> dict[str, Any]:
    """One sentence under the books: what is wrong, or what stands still, or that all is well."""
    found = wrong(state)
    if found:
        return {"kind": "bad", "text": f"Wrong: {found[0].text}."}
    doubtful = in_doubt(state)
    if doubtful and not is_up(state.network, COORDINATOR):
        return {
            "kind": "doubt",
            "text": "In doubt: each has promised to commit if told to. Nobody may commit, nobody "
            "may abort, and the locks stay, until the coordinator is back.",
        }
    if not state.placed:
        return {"kind": "plain", "text": "No order yet."}
    if doubtful:
        order = doubtful[0]
        where = [m.name for m in state.participants if status_in(m, order) == PREPARED]
        have = "have" if len(where) > 1 else "has"
        return {
            "kind": "doubt",
            "text": f"{listed(where)} {have} promised order {order}, and must wait for the "
            "decision with the rows locked.",
        }
    if under_way(state):
        return {"kind": "plain", "text": "Under way. Who has promised nothing may still abort."}
    return {"kind": "good", "text": "Every order is in all four books, or in none."}


def view(state: State, now_ms: int) -> dict[str, Any]:
    """The whole picture."""
    return {
        "protocol": protocol(state, now_ms),
        "ledgers": ledgers(state),
        "waiting": waiting(state, now_ms),
        "hold": hold_charts(state),
        "orders": orders_chart(state, now_ms),
        "verdict": verdict(state),
        "readouts": readouts(state, now_ms),
    }
