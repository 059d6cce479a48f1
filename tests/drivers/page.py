"""What both drivers share: waiting for a page to say that it is done."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

POLL_INTERVAL_S = 0.1


class BrowserTimeoutError(Exception):
    """The condition did not become true in time; the message holds what the page showed."""


def as_json(expression: str) -> str:
    """JavaScript that evaluates an expression to JSON text, or to null while it is not true."""
    return f"(() => {{ const v = {expression}; return v ? JSON.stringify(v) : null; }})()"


def wait_for(evaluate: Callable[[str], Any], condition: str, timeout_s: float) -> Any:
    """Evaluates JavaScript until it is true, and returns its value, decoded from JSON.

    Raises:
        BrowserTimeoutError: it was not true within `timeout_s` seconds.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        text = evaluate(as_json(condition))
        if text is not None:
            return json.loads(text)
        if time.monotonic() > deadline:
            shown = evaluate("document.documentElement.outerHTML.slice(0, 2000)")
            raise BrowserTimeoutError(f"{condition} was not true in {timeout_s} s:\n{shown}")
        time.sleep(POLL_INTERVAL_S)
