"""`make serve` without make: the server that its recipe starts, in any folder with a mkdocs.yml."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
ANSWER_S = 240.0


def recipe() -> tuple[dict[str, str], list[str]]:
    """The variables and the options that `serve-once` in the Makefile gives to MkDocs."""
    rule = (ROOT / "Makefile").read_text("utf-8").partition("\nserve-once:")[2]
    words = rule.partition("--dev-addr")[0].partition("@")[2].split()
    options = [word for word in words if word.startswith("--")]
    return dict(word.split("=", 1) for word in words if "=" in word), options


@contextmanager
def mkdocs_serving(folder: Path, environment: Mapping[str, str] = os.environ) -> Iterator[str]:
    """Serves a folder as `make serve` does, until the block ends; gives the address of its root."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    variables, options = recipe()
    command = [sys.executable, "-m", "mkdocs", "serve", *options, "--dev-addr", f"127.0.0.1:{port}"]
    server = subprocess.Popen(command, cwd=folder, env={**environment, **variables})
    try:
        root = f"http://127.0.0.1:{port}/"
        seconds_until(f"{root}index.html", "</html>")
        yield root
    finally:
        server.terminate()
        server.wait(30)


def seconds_until(url: str, says: str, there: bool = True) -> float:
    """How long it takes until what is at an address has a text, or has it no longer.

    `TimeoutError` after four minutes.
    """
    begun = time.perf_counter()
    while time.perf_counter() - begun < ANSWER_S:
        try:
            with urllib.request.urlopen(url, timeout=ANSWER_S) as answer:  # noqa: S310
                text = answer.read().decode()
        except OSError:
            text = ""
        if text and (says in text) == there:
            return time.perf_counter() - begun
        time.sleep(0.05)
    raise TimeoutError(f"{url} did not change in {ANSWER_S:.0f} s")
