"""Builds the site twice from one commit, under conditions that differ, and compares every byte.

`python -m tests.reproducible` (`make reproducible`) clones the commit into two folders, whose paths
differ in length, and builds each with another time zone, language, umask, seed of Python's hashes
and home. The packages are those of this checkout: their versions are locked, and not what is asked.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
# Made by installing, and shared by both builds.
INSTALLED = (".venv", "node_modules")
STAMPS = (".venv/.site", ".venv/.dev", "node_modules/.package-lock.json")


@dataclass(frozen=True)
class Conditions:
    """Where and how one of the two builds runs."""

    folder: str
    umask: int
    environment: dict[str, str] = field(default_factory=dict)


BOTH = (
    Conditions("a", 0o022, {"TZ": "UTC", "LC_ALL": "C", "PYTHONHASHSEED": "1"}),
    Conditions(
        "another/folder, with a longer name",
        0o077,
        {"TZ": "Pacific/Kiritimati", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "4242"},
    ),
)


def build(conditions: Conditions, scratch: Path) -> Path:
    """Clones the commit, builds its site, and returns the folder with it.

    Raises:
        subprocess.CalledProcessError: git or make failed; both have said why.
    """
    folder = scratch / conditions.folder
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
    for name in INSTALLED:
        (folder / name).symlink_to((ROOT / name).resolve())
    home = folder.with_name(f"{folder.name} home")
    home.mkdir()
    old = [word for stamp in STAMPS for word in ("-o", stamp)]
    environment = {**os.environ, **conditions.environment, "HOME": str(home)}
    # What an outer make hands on would name its own folder.
    for name in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "SOURCE_DATE_EPOCH"):
        environment.pop(name, None)
    subprocess.run(
        ["make", "--no-print-directory", *old, "site"],
        cwd=folder,
        env=environment,
        umask=conditions.umask,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return folder / "site"


def files_of(folder: Path) -> dict[str, bytes]:
    """The bytes of every file below a folder, by its path from there."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def differences(one: dict[str, bytes], other: dict[str, bytes]) -> Iterator[str]:
    """A sentence for each file that is not the same in both."""
    for name in sorted(one.keys() | other.keys()):
        if name not in one or name not in other:
            yield f"{name} is in one build only"
            continue
        first, second = one[name], other[name]
        if first == second:
            continue
        lengths = f"{len(first)} and {len(second)} bytes"
        pairs = enumerate(zip(first, second, strict=False))
        at = next((i for i, (a, b) in pairs if a != b), min(len(first), len(second)))
        around = slice(max(0, at - 40), at + 40)
        yield f"{name} ({lengths}) differs at {at}: {first[around]!r}, {second[around]!r}"


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="reproducible-") as name:
        one, other = (files_of(build(each, Path(name))) for each in BOTH)
    found = list(differences(one, other))
    for line in found:
        print(line)
    size = sum(map(len, one.values())) / 1e6
    print(f"{len(one)} files, {size:.1f} MB: {len(found) or 'none'} differ between two builds.")
    return 1 if found or not one else 0


if __name__ == "__main__":
    sys.exit(main())
