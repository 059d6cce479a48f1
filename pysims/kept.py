"""What a build of the site computes from runs, kept on disk from one build to the next.

A figure's first frame and a number of the prose are pure functions of the code that makes them and
of a few arguments. So each is kept under the digest of both, in the folder that the environment
variable `SIM_KEPT` names; without the variable nothing is kept. A change of the code changes the
digest: nothing ever has to be thrown away by hand, and a kept text is never older than the code.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parent
FOLDER = "SIM_KEPT"

# What no frame and no number depends on, and each pattern, which only its own frames depend on.
APART = ("patterns", "numbers", "figures", "prose", "command", "runtime", "assets")
CODE = frozenset({".py", ".jinja", ".json", ".toml"})


def kept(kind: str, arguments: Any, code: str, make: Callable[[], Any]) -> Any:
    """What `make` gives, a value of JSON: from the folder if it is there, and else put into it.

    `arguments` (a value of JSON) is what `make` depends on besides the code with the digest `code`.
    """
    folder = os.environ.get(FOLDER)
    if not folder:
        return make()
    asked = json.dumps([kind, arguments, code], sort_keys=True)
    path = Path(folder, f"{kind}-{hashlib.sha256(asked.encode()).hexdigest()[:32]}.json")
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        value = make()
    path.parent.mkdir(parents=True, exist_ok=True)
    # Two builds at once must not read each other's half-written files.
    half = path.with_suffix(f".{os.getpid()}")
    half.write_text(json.dumps(value), "utf-8")
    half.replace(path)
    return value


def write_made(wanted: Mapping[Path, str], there: Iterable[Path] = ()) -> None:
    """Write the files that a build makes, and remove those that are `there` and not wanted.

    An unchanged file keeps its time stamp, so that nothing is built again for it.
    """
    for stale in set(there) - set(wanted):
        stale.unlink()
    for path, text in wanted.items():
        if not path.exists() or path.read_text("utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")


@cache
def code_of_pattern(pattern_id: str) -> str:
    """The digest of all that a frame of the pattern depends on."""
    return _digest(_shared(), *_code_below(PACKAGE / "patterns" / pattern_id))


@cache
def code_of_numbers() -> str:
    """The digest of all that a number of the prose depends on: every pattern, and how it asks."""
    below = [path for name in ("patterns", "numbers") for path in _code_below(PACKAGE / name)]
    return _digest(_shared(), *below)


@cache
def _shared() -> str:
    """The digest of what all patterns run on and are drawn with."""
    libraries = [f"{name} {version(name)}" for name in ("jinja2", "markupsafe")]
    apart = {PACKAGE / name for name in APART}
    own = [path for path in _code_below(PACKAGE) if not apart.intersection(path.parents)]
    own += PACKAGE.glob("patterns/*.py")
    return _digest(sys.version, *libraries, *sorted(own))


def _code_below(folder: Path) -> Iterator[Path]:
    yield from sorted(path for path in folder.rglob("*") if path.suffix in CODE)


def _digest(*parts: str | Path) -> str:
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, Path):
            digest.update(f"{part.relative_to(PACKAGE).as_posix()}\0".encode())
            digest.update(hashlib.sha256(part.read_bytes()).digest())
        else:
            digest.update(f"{part}\0".encode())
    return digest.hexdigest()
