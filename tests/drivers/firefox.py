"""Firefox, driven by WebDriver BiDi: JSON messages over one web socket, no driver program.

The protocol is the W3C's (https://www.w3.org/TR/webdriver-bidi/); the few commands used here are
named after its sections.
"""

from __future__ import annotations

import base64
import itertools
import json
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import websocket

from tests.browsers import firefox_path
from tests.drivers.page import wait_for

START_TIMEOUT_S = 60.0
# Names that are this machine, so that a page can be on another site than its frame.
PREFERENCES = 'user_pref("network.dns.localDomains", "site.test,blog.example");\n'
LISTENING = re.compile(r"WebDriver BiDi listening on (ws://\S+)")


def open_in_firefox(url: str, condition: str, timeout_s: float = 60.0) -> Any:
    """Opens a page in a new Firefox, waits for JavaScript to be true, and returns its value.

    Raises:
        BrowserTimeoutError: the condition was not true within `timeout_s` seconds.
        BrowserNotFoundError: no Firefox is installed.
    """
    with running_firefox() as address:
        session = Session(address)
        try:
            session.open(url, timeout_s)
            return wait_for(session.evaluate, condition, timeout_s)
        finally:
            session.close()


@contextmanager
def running_firefox() -> Iterator[str]:
    """Starts Firefox with an empty profile; yields the address of its web socket."""
    with tempfile.TemporaryDirectory(prefix="firefox-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        log = folder / "stderr"
        profile = folder / "profile"
        profile.mkdir()
        (profile / "user.js").write_text(PREFERENCES, encoding="utf-8")
        command = [firefox_path(), "--headless", "--no-remote", "--remote-debugging-port=0"]
        with log.open("wb") as stderr:
            process = subprocess.Popen(
                [*command, "--profile", str(profile)], stdout=subprocess.DEVNULL, stderr=stderr
            )
        try:
            yield listening_address(process, log)
        finally:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def listening_address(process: subprocess.Popen[bytes], log: Path) -> str:
    """The address that Firefox prints once it listens."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        match = LISTENING.search(log.read_text(errors="replace"))
        if match:
            return match[1]
        time.sleep(0.05)
    raise RuntimeError(f"Firefox did not start: {log.read_text(errors='replace')[-2000:]}")


class Session:
    """One BiDi session with one tab."""

    def __init__(self, address: str) -> None:
        self._socket = websocket.create_connection(
            f"{address}/session", timeout=START_TIMEOUT_S, suppress_origin=True
        )
        self._numbers = itertools.count(1)
        started = self._command("session.new", {"capabilities": {}})
        self.version: str = started["capabilities"]["browserVersion"]
        tree = self._command("browsingContext.getTree", {})
        self._context = tree["contexts"][0]["context"]

    def open(self, url: str, timeout_s: float) -> None:
        """Navigates the tab and waits for the page to have loaded."""
        self._socket.settimeout(timeout_s)
        self._command(
            "browsingContext.navigate", {"context": self._context, "url": url, "wait": "complete"}
        )

    def evaluate(self, expression: str, *, in_frame: bool = False) -> Any:
        """Returns the value of an expression that is a string, a number, or null.

        It is evaluated in the page, or in its first frame.
        """
        answer = self._command(
            "script.evaluate",
            {
                "expression": expression,
                "target": {"context": self._frame() if in_frame else self._context},
                "awaitPromise": False,
            },
        )
        if answer["type"] == "exception":
            raise RuntimeError(answer["exceptionDetails"]["text"])
        return answer["result"].get("value")

    def resize(self, width: int, height: int) -> None:
        """Gives the page a width and a height in pixels."""
        viewport = {"width": width, "height": height}
        self._command(
            "browsingContext.setViewport", {"context": self._context, "viewport": viewport}
        )

    def photograph(self) -> bytes:
        """Returns what is on show, as a PNG."""
        answer = self._command("browsingContext.captureScreenshot", {"context": self._context})
        return base64.b64decode(answer["data"])

    def _frame(self) -> str:
        tree = self._command("browsingContext.getTree", {"root": self._context})
        frame: str = tree["contexts"][0]["children"][0]["context"]
        return frame

    def close(self) -> None:
        """Ends the session; the browser is ended by whoever started it."""
        self._socket.close()

    def _command(self, method: str, parameters: dict[str, Any]) -> Any:
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv())
            if message.get("id") != number:
                continue
            if message["type"] == "error":
                raise RuntimeError(f"{method}: {message['error']}: {message['message']}")
            return message["result"]
