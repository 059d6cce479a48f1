"""What the browser calls: text in, text out. The only module that knows that there is a browser.

It is imported while the memory snapshot is made, so importing it compiles every template that is
not compiled yet: afterwards there is no file system to read from. The page brings the code of a
pattern before it first opens it.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from traceback import format_exc
from typing import Any

from markupsafe import Markup

from ..kernel import RunLimit, digest_of
from ..patterns import load_pattern, pattern_ids
from ..patterns.shelf import SHELF, unpacked, unwrapped
from . import seeds
from .edited import Edit, SourceProblem, compared, edit, located
from .ran import ran
from .render import PLACES, compile_all, parts_now, parts_of, sentence, whole
from .session import (
    NOW,
    Session,
    carried_on,
    command,
    command_now,
    follow_at_first,
    link_of,
    opened,
    restored,
    saved,
    wait_ms,
)

__all__ = ["dispatch"]

compile_all()


@dataclass(frozen=True, slots=True)
class Drawing:
    """What a page was sent last for a widget: its number, the scenario, and the parts by name."""

    number: int
    scenario: str
    parts: Mapping[str, Markup]


NOTHING = Drawing(0, "", {})

SESSIONS: dict[str, Session] = {}
# Sessions whose picture is sent, and whose run ends at the moment on show for the time being.
COMING: dict[str, Session] = {}
DRAWN: dict[str, Drawing] = {}
# In a worker that runs a reader's own source: the pattern's id, and both versions of it.
EDITS: dict[str, Edit] = {}


def picture(
    session: Session, shows: int | None, drawn: Mapping[str, Markup], **more: Any
) -> dict[str, Any]:
    """What the page gets back: its new picture, when to ask again, and how to make it again.

    `shows` is the number of the drawing that the page has. If that is the last one, and of the same
    scenario, only the parts that differ are sent, by where they are; else everything is.
    """
    last = DRAWN.get(session.id, NOTHING)
    number, scenario = last.number + 1, session.scenario.id
    if last.number == shows and last.scenario == scenario:
        DRAWN[session.id] = Drawing(number, scenario, {**last.parts, **drawn})
        new = {PLACES[part]: html for part, html in drawn.items() if html != last.parts[part]}
        content: dict[str, Any] = {"parts": new}
    else:
        DRAWN[session.id] = Drawing(number, scenario, drawn)
        content = {"html": whole(session.id, drawn)}
    return {
        "id": session.id,
        "drawing": number,
        **content,
        "wait_ms": wait_ms(session),
        "saved": saved(session),
        **more,
    }


def answer(session: Session, shows: int | None = None, **more: Any) -> dict[str, Any]:
    """The answer that shows a session."""
    return picture(session, shows, parts_of(session), moment=moment(session), **more)


def refusal(widget: str, problem: Exception, shows: int | None) -> dict[str, Any]:
    """The answer that shows a session as it was, and says why."""
    with suppress(ValueError, RunLimit):
        settled(widget)
    refused = replace(SESSIONS[widget], playing=False, message=f"{problem}.")
    return answer(refused, shows, refused=True)


def moment(session: Session) -> dict[str, Any]:
    """The event on show: its number and how many there are, its time, its class, and a sentence."""
    history, at = session.history, session.at
    return {
        "at": at,
        "events": len(history) - 1,
        "time_ms": history.time_ms(at),
        "kind": type(history.change(at)[1]).__name__ if at else "",
        "says": sentence(session, at),
    }


def catalog() -> dict[str, list[str]]:
    """Pattern → scenarios, of all that this worker can run."""
    return {
        pattern_id: [scenario.id for scenario in load_pattern(pattern_id).scenarios]
        for pattern_id in pattern_ids()
    }


def open_session(message: dict[str, Any]) -> Session:
    if message.get("saved"):
        return restored(message["saved"])
    session = opened(
        str(message["id"]),
        str(message["pattern"]),
        message.get("scenario"),
        message.get("overrides") or {},
        message.get("seed"),
    )
    link = message.get("link")
    return session if link is None else follow_at_first(session, str(link))


@contextmanager
def out_of_sight() -> Iterator[None]:
    """What is made meanwhile (runs, imported modules) leaves the garbage collector's sight.

    It is full of values and has no cycles: counting references frees it, and searches for garbage
    find none. After a long run they took many times as long as drawing a frame. Templates do leave
    cycles behind when they draw, so those are looked for first, while nothing else is in sight.
    """
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def permalink(session: Session) -> dict[str, str]:
    """The run as a link, and the scenario it is of; or why there is none."""
    try:
        return {"scenario": session.scenario.id, "link": link_of(session)}
    except ValueError as problem:
        return {"refusal": f"{problem}."}


def lines_that_ran(session: Session) -> dict[str, Any]:
    """What the code panel shows of the event on show, or why it cannot."""
    try:
        return {"ran": ran(session)}
    except ValueError as problem:
        return {"refusal": f"{problem}."}


def comparison(session: Session) -> dict[str, Any]:
    """The run beside the original's, in a worker with a changed pattern."""
    if session.pattern.id not in EDITS:
        return {"refusal": "This pattern was not changed."}
    return {"comparison": compared(EDITS[session.pattern.id], session, saved(session))}


QUESTIONS: dict[str, Callable[[Session, Mapping[str, Any]], dict[str, Any]]] = {
    "digest": lambda session, _: {"digest": digest_of(session.history)},
    "link": lambda session, _: permalink(session),
    "ran": lambda session, _: lines_that_ran(session),
    "compare": lambda session, _: comparison(session),
    "seeds": lambda session, _: seeds.panel(session),
    "sweep": seeds.swept,
    "spread": seeds.spread,
}
"""What can be asked of a run, with a message, without changing it."""


def take_edit(message: dict[str, Any]) -> dict[str, Any]:
    """From now on, run a pattern as the reader wrote it: `{"pattern", "code", "sources"}`."""
    pattern_id = str(message["pattern"])
    codes, _ = unpacked(unwrapped(message["code"]))
    EDITS[pattern_id] = edit(pattern_id, codes, message["sources"])
    return {"edited": pattern_id}


def files_edited() -> dict[str, str]:
    """The file names of all changed modules → the modules."""
    return {file: name for known in EDITS.values() for file, name in known.files.items()}


def shelve(message: dict[str, Any]) -> dict[str, Any]:
    """Take in the code of a pattern."""
    SHELF.put(str(message["pattern"]), unwrapped(message["code"]))
    return {"id": message.get("id", "")}


def close(message: dict[str, Any]) -> dict[str, Any]:
    """Forget a widget's session."""
    for known in (SESSIONS, COMING, DRAWN):
        known.pop(str(message["id"]), None)
    return {"id": message["id"]}


def open_widget(message: dict[str, Any]) -> dict[str, Any]:
    """Begin a widget's session."""
    with out_of_sight():
        session = open_session(message)
    COMING.pop(str(message["id"]), None)
    SESSIONS[str(message["id"])] = session
    return answer(session)


WITHOUT_SESSION: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "shelve": shelve,
    "close": close,
    "edit": take_edit,
    "catalog": lambda _: {"patterns": catalog()},
    "open": open_widget,
}


def handle(message: dict[str, Any]) -> dict[str, Any]:
    """Carry out one message; a refusal is a sentence in the picture, and the run stays."""
    widget, do, shows = str(message.get("id", "")), str(message.get("do")), message.get("shows")
    if do in WITHOUT_SESSION:
        return WITHOUT_SESSION[do](message)
    if widget not in SESSIONS:
        raise ValueError(f"there is no widget {widget[:40]!r} here")
    try:
        if do in NOW and shows == DRAWN.get(widget, NOTHING).number:
            return picture_first(widget, message)
        session = settled(widget)
        with out_of_sight():
            changed = session if do in QUESTIONS else command(session, message)
    except (ValueError, RunLimit) as problem:
        return refusal(widget, problem, shows)
    if do in QUESTIONS:
        return {"id": widget, **QUESTIONS[do](session, message)}
    reply = answer(changed, shows)
    SESSIONS[widget] = changed
    return reply


def picture_first(widget: str, message: dict[str, Any]) -> dict[str, Any]:
    """Carry out a message as far as its picture needs; the page then asks for the rest (`show`).

    What comes after the moment on show can be thousands of events, and the picture shows none.
    """
    session = COMING.get(widget) or SESSIONS[widget]
    if message["do"] == "act":
        # Acting keeps the way that the run would have taken.
        session = settled(widget)
    with out_of_sight():
        changed = command_now(session, message)
    reply = picture(changed, message["shows"], parts_now(changed), more=True)
    COMING[widget] = changed
    return reply


def settled(widget: str) -> Session:
    """A widget's session with its whole run; it stays as it was if that cannot be computed."""
    if widget in COMING:
        with out_of_sight():
            SESSIONS[widget] = carried_on(COMING.pop(widget))
    return SESSIONS[widget]


def dispatch(text: str) -> str:
    """Answer a JSON message with a JSON message; nothing that goes wrong escapes."""
    try:
        return json.dumps(handle(json.loads(text)))
    except SourceProblem as problem:
        return json.dumps({"problem": problem.plain})
    except Exception as problem:
        # A full heap serves nobody: the page ends this worker and starts another.
        if isinstance(problem, MemoryError) and not EDITS:
            raise
        reply: dict[str, Any] = {
            "error": f"{type(problem).__name__}: {problem}",
            "traceback": format_exc(),
        }
        if files := files_edited():
            reply["problem"] = located(problem, files).plain
        return json.dumps(reply)
