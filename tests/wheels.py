"""Wheels and environments for tests: built from this checkout, installed without a network.

An environment sees no file of this checkout. What a user's `pip install` would bring besides comes
from where the tests themselves have it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOCKED = Path(sysconfig.get_path("purelib"))
OLDEST = 11
NEWEST = 19
# Pip must not reach for an index, nor for what is installed elsewhere.
OFFLINE = {
    "PIP_NO_INDEX": "1",
    "PIP_NO_DEPS": "1",
    "PIP_IGNORE_INSTALLED": "1",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_CONFIG_FILE": os.devnull,
    "PIP_ROOT_USER_ACTION": "ignore",
}


def call(
    *command: str | Path, cwd: Path, also: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end in an environment without this checkout; the caller judges it."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    environment = {**kept, "HOME": str(cwd), "NO_MKDOCS_2_WARNING": "1", **OFFLINE, **(also or {})}
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


def done(
    *command: str | Path, cwd: Path, also: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """The same, and it must succeed."""
    finished = call(*command, cwd=cwd, also=also)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished


def environment(folder: Path, python: str = sys.executable) -> Path:
    """An empty virtual environment; returns the folder of its programs."""
    done(python, "-I", "-m", "venv", "--without-pip", folder, cwd=folder.parent)
    return folder / "bin"


def install(programs: Path, *arguments: str | Path, cwd: Path) -> None:
    """`pip install` into an environment, with the pip of the tests."""
    pip = (sys.executable, "-I", "-m", "pip", "--python", programs / "python")
    done(*pip, "install", "--quiet", *arguments, cwd=cwd)


def lend(programs: Path) -> None:
    """Let an environment import what the tests have; only after everything is installed.

    A folder that a `.pth` file names is searched, but its own `.pth` files are not read, and so the
    editable install of this checkout stays out.
    """
    [packages] = programs.parent.glob("lib/python3.*/site-packages")
    (packages / "locked.pth").write_text(f"{LOCKED}\n", "utf-8")


def pythons() -> Iterator[str]:
    """Every CPython of this machine that the package supports, one for each minor version."""
    own = sys.version_info.minor
    known = {own: sys.executable}
    homes = sorted(Path.home().glob(".pyenv/versions/3.*/bin"))
    for minor in range(OLDEST, NEWEST):
        name = f"python3.{minor}"
        for place in [shutil.which(name), *(shutil.which(name, path=str(home)) for home in homes)]:
            if place and minor not in known and works(place, minor):
                known[minor] = place
    yield from (known[minor] for minor in sorted(known))


def works(python: str, minor: int) -> bool:
    """Whether it is what its name says; a shim of a version that is not there is not."""
    program = "import sys, venv; print(sys.implementation.name, sys.version_info.minor)"
    told = subprocess.run(
        [python, "-I", "-c", program], capture_output=True, text=True, check=False
    )
    return told.stdout.split() == ["cpython", str(minor)]
