"""Asks whether a locked package is known to be vulnerable: `python -m tests.audit` (`make audit`).

pip-audit reads the locks of Python, `npm audit` those of npm; both ask services on the network. An
answer counts only if it is whole: what could not be asked about is said, and is no pass.

Exit codes: 0, all was asked and nothing is known; 1, something is known; 2, not all could be asked.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PYTHON_LOCKS = (
    "requirements.lock",
    "requirements-dev.lock",
    "requirements-node.lock",
    "requirements-audit.lock",
)
NPM_FOLDERS = (".", ".ci")
WAIT_S = 300.0


@dataclass(frozen=True)
class Answer:
    """What is known about one lock: how many packages were asked about, and what was found."""

    lock: str
    asked: int = 0
    known: tuple[str, ...] = ()
    unasked: str = ""


Run = Callable[[Sequence[str], Path], str]


def run(command: Sequence[str], folder: Path) -> str:
    """What a command prints; its exit code says too little, so the text has to."""
    tool = shutil.which(command[0])
    if tool is None:
        return f"{command[0]} is not installed"
    try:
        done = subprocess.run(
            [tool, *command[1:]],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=WAIT_S,
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {WAIT_S:.0f} s"
    return done.stdout if done.stdout.lstrip().startswith("{") else done.stderr


def read(text: str) -> dict[str, Any]:
    """The JSON object in a text, or an empty one."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return (lines or ["it said nothing"])[-1][:200]


def of_python(lock: str, text: str) -> Answer:
    """What pip-audit printed about a lock."""
    packages = read(text).get("dependencies")
    if not packages:
        return Answer(lock, unasked=last_line(text))
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    known = tuple(
        f"{package['name']} {package['version']}: {each['id']}, mended in "
        f"{', '.join(each['fix_versions']) or 'no version'}"
        for package in packages
        for each in package.get("vulns", ())
    )
    missing = f"the service does not know {', '.join(skipped)}" if skipped else ""
    return Answer(lock, len(packages) - len(skipped), known, missing)


def of_npm(lock: str, text: str) -> Answer:
    """What `npm audit` printed about a lock."""
    found = read(text)
    counts = found.get("metadata", {}).get("dependencies", {})
    if "vulnerabilities" not in found or not counts.get("total"):
        return Answer(lock, unasked=str(found.get("message") or last_line(text)))
    known = tuple(
        f"{name} {each.get('range', '')}: {each.get('severity', 'of unknown severity')}"
        for name, each in found["vulnerabilities"].items()
    )
    return Answer(lock, counts["total"], known)


def answers(ask: Run) -> Iterator[Answer]:
    """An answer for each lock."""
    for lock in PYTHON_LOCKS:
        command = ["pip-audit", "--requirement", lock, "--disable-pip", "--require-hashes"]
        yield of_python(
            lock, ask([*command, "--format", "json", "--progress-spinner", "off"], ROOT)
        )
    for folder in NPM_FOLDERS:
        lock = (Path(folder) / "package-lock.json").as_posix()
        yield of_npm(lock, ask(["npm", "audit", "--json", "--package-lock-only"], ROOT / folder))


def report(found: Sequence[Answer]) -> int:
    """Prints what was found, and returns the exit code."""
    for each in found:
        for line in each.known:
            print(f"{each.lock}: {line}")
        if each.unasked:
            print(f"{each.lock}: NOT ASKED, {each.unasked}")
        if each.asked:
            print(f"{each.lock}: {each.asked} packages asked about, {len(each.known)} known.")
    if any(each.known for each in found):
        return 1
    if any(each.unasked or not each.asked for each in found):
        print("Not every package could be asked about, so this says nothing about the others.")
        return 2
    print("No locked package is known to be vulnerable.")
    return 0


def main() -> int:
    return report(list(answers(run)))


if __name__ == "__main__":
    sys.exit(main())
