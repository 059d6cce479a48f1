"""What the browser calls: text in, text out. The only module that knows that there is a browser.

It is imported while the memory snapshot is made, so importing it loads every pattern and compiles
every template: afterwards there is no file system to read from.
"""

from __future__ import annotations

import gc
import json
from dataclasses import replace
from traceback import format_exc
from typing import Any

from ..kernel import RunLimit, digest_of
from ..patterns import load_pattern, pattern_ids
from .render import compile_all, frame
from .session import Session, command, opened, restored, saved, wait_ms

__all__ = ["dispatch"]

compile_all()

SESSIONS: dict[str, Session] = {}


def answer(session: Session, **more: Any) -> dict[str, Any]:
    """What the page gets back: its new picture, when to ask again, and how to make it again."""
    return {
        "id": session.id,
        "html": frame(session),
        "wait_ms": wait_ms(session),
        "saved": saved(session),
        **more,
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
    return opened(
        str(message["id"]),
        str(message["pattern"]),
        message.get("scenario"),
        message.get("overrides") or {},
        message.get("seed"),
    )


def handle(message: dict[str, Any]) -> dict[str, Any]:
    """Carry out one message; a refusal is a sentence in the picture, and the run stays."""
    widget, do = str(message.get("id", "")), message.get("do")
    if do == "close":
        SESSIONS.pop(widget, None)
        return {"id": widget}
    if do == "catalog":
        return {"patterns": catalog()}
    if do == "open":
        if not SESSIONS:
            # What was imported lives as long as the worker. A search for garbage among it would
            # take longer than drawing a frame.
            gc.freeze()
        SESSIONS[widget] = open_session(message)
        return answer(SESSIONS[widget])
    if widget not in SESSIONS:
        raise ValueError(f"there is no widget {widget[:40]!r} here")
    session = SESSIONS[widget]
    if do == "digest":
        return {"id": widget, "digest": digest_of(session.history)}
    try:
        changed = command(session, message)
    except (ValueError, RunLimit) as problem:
        return answer(replace(session, playing=False, message=f"{problem}."))
    reply = answer(changed)
    SESSIONS[widget] = changed
    return reply


def dispatch(text: str) -> str:
    """Answer a JSON message with a JSON message; nothing that goes wrong escapes."""
    try:
        return json.dumps(handle(json.loads(text)))
    except Exception as problem:  # noqa: BLE001  # the page must learn of everything
        return json.dumps(
            {"error": f"{type(problem).__name__}: {problem}", "traceback": format_exc()}
        )
