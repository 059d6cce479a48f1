"""Builds wheel and sdist with the browser's files in them: `python -m pysims.runtime.wheel`.

The package is put together in a folder of its own, the sources beside `pysims/assets/`, so that a
checkout holds nothing twice. What is built there has no tests and no pages, and an sdist builds the
same wheel again, without Node.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ..widget.assets import AS_SCRIPT, PACKED
from .build import PACKAGE_ROOT, STAMP, BuildError

DOCS_ASSETS = PACKAGE_ROOT / "docs" / "assets"
NAMED = ("pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE", "NOTICE")
# What only tests read of the runtime.
NOT_LOADED = frozenset({STAMP, "manifest.js"})
ELSEWHERE = """
/* --- On other sites -------------------------------------------------------------------------- */

/* They have no page for each run, which the code for embedding would point to. */
.sim :is([data-share="embed"], [data-share="script"]) { display: none; }
/* Most fonts are wider than ours; a unit stays beside its number. */
.sim .sim-field--slider input[type="range"] { flex-basis: 72px; }
"""


def gathered(assets: Path) -> Iterator[tuple[str, bytes]]:
    """Name and content of what goes into the package, from the folder where a site has it."""
    stamp = assets / "runtime" / STAMP
    if not stamp.is_file() or not (assets / "scenes.css").is_file():
        raise BuildError(f"{assets} lacks the runtime or the styles of scenes: `make embeds`.")
    styles = [(assets / name).read_text("utf-8") for name in ("sim.css", "scenes.css")]
    yield "sim.css", "\n".join([*styles, ELSEWHERE]).encode()
    for path in [assets / "sim.js", *sorted(assets.glob("panel-*"))]:
        yield path.name, path.read_bytes()
    for name in json.loads(stamp.read_text("utf-8"))["files"]:
        if name not in NOT_LOADED and not name.endswith(f".bin{AS_SCRIPT}"):
            yield f"runtime/{name}", (assets / "runtime" / name).read_bytes()
    for name in ("LICENSE", "NOTICE"):
        yield f"{name}.txt", (PACKAGE_ROOT / name).read_bytes()


def put_together(folder: Path, assets: Path) -> None:
    """Write the package, as it is to be built, into a folder."""
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc", PACKED)
    shutil.copytree(PACKAGE_ROOT / "pysims", folder / "pysims", ignore=ignored)
    for name in NAMED:
        shutil.copy(PACKAGE_ROOT / name, folder / name)
    for name, content in gathered(assets):
        path = folder / "pysims" / PACKED / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def build(out: Path, assets: Path = DOCS_ASSETS) -> list[Path]:
    """Build wheel and sdist into `out`; returns their paths.

    Raises:
        BuildError: the browser's files are not built, or Hatchling failed.
    """
    with tempfile.TemporaryDirectory(prefix="pysims-wheel-") as name:
        folder = Path(name)
        put_together(folder, assets)
        made = folder / "dist"
        command = [sys.executable, "-m", "hatchling", "build", "-d", str(made)]
        done = subprocess.run(  # noqa: S603  # a tool of this project's own lock file
            command, cwd=folder, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise BuildError(f"hatchling failed:\n{done.stdout}{done.stderr}")
        out.mkdir(parents=True, exist_ok=True)
        return [Path(shutil.copy(path, out / path.name)) for path in sorted(made.iterdir())]


def main(arguments: list[str] | None = None) -> int:
    """Build as the command line says, and print what there is; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m pysims.runtime.wheel", description=__doc__)
    parser.add_argument(
        "--out", type=Path, default=PACKAGE_ROOT / "dist", help="folder to write to"
    )
    try:
        for path in build(parser.parse_args(arguments).out):
            sys.stdout.write(f"{path.stat().st_size:>10,}  {path}\n")
    except BuildError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
