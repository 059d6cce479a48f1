"""The browser's files, as the wheel brings them, and how they come into somebody else's site.

`pysims assets docs` copies them into the folder of the pages. What was copied is written down in
`pysims.json` beside it, so that a newer version can take the place of an older one, and nothing
that somebody else wrote is touched. `pysims.runtime.wheel` puts the files into the package.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath

PACKED = "assets"
"""The folder of the package that holds the files; a checkout has none."""
PLACE = "assets/pysims"
"""Where the files go, below the folder of the pages."""
MANIFEST = "pysims.json"
AS_SCRIPT = ".b64.js"

MKDOCS = f"""\
extra_css:
  - {PLACE}/sim.css
extra_javascript:
  - {PLACE}/sim.js
markdown_extensions:
  - pymdownx.superfences:
      custom_fences:
        - name: sim
          class: sim
          format: !!python/name:pysims.widget.fence.format_sim
          validator: !!python/name:pysims.widget.fence.validate_sim
"""

ZENSICAL = f"""\
[project]
extra_css = ["{PLACE}/sim.css"]
extra_javascript = ["{PLACE}/sim.js"]

[[project.markdown_extensions.pymdownx.superfences.custom_fences]]
name = "sim"
class = "sim"
format = "pysims.widget.fence.format_sim"
validator = "pysims.widget.fence.validate_sim"
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done in a folder: files to write, files of an older version to delete."""

    folder: Path
    files: Mapping[str, bytes]
    write: tuple[str, ...]
    delete: tuple[str, ...]


def packed_files() -> dict[str, bytes]:
    """Name → content of every file that a page may load; `ValueError` if the package has none."""
    folder = files("pysims") / PACKED
    if not folder.is_dir():
        raise ValueError(
            "this installation lacks the browser's files: install the wheel of a release, or one "
            "that `make wheel` has built in a checkout"
        )
    found = dict(walk(folder, PurePosixPath()))
    return found | dict(as_scripts(found))


def walk(folder: Traversable, below: PurePosixPath) -> Iterator[tuple[str, bytes]]:
    """Every file in a folder of the package, by its name below that."""
    for entry in folder.iterdir():
        name = below / entry.name
        if entry.is_dir():
            yield from walk(entry, name)
        else:
            yield str(name), entry.read_bytes()


def as_scripts(found: Mapping[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """The large files once more, as scripts: a page on disk can load nothing else.

    The wheel leaves them out, which makes it half as large.
    """
    for name, content in found.items():
        if name.endswith(".bin"):
            text = base64.b64encode(content)
            line = b'(globalThis.__simFiles??={})["%s"]="%s";\n'
            yield name + AS_SCRIPT, line % (PurePosixPath(name).name.encode(), text)


def digest(content: bytes) -> str:
    return sha256(content).hexdigest()


def written_before(folder: Path) -> dict[str, str]:
    """Name → digest of what an earlier call wrote; `ValueError` if its list cannot be read."""
    path = folder / MANIFEST
    if not path.exists():
        return {}
    try:
        known: dict[str, str] = json.loads(path.read_text("utf-8"))["files"]
        names = [PurePosixPath(name) for name in known]
        fine = all(isinstance(value, str) for value in known.values())
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise ValueError(f"{path} is damaged: delete the folder {folder}, and call again") from (
            problem
        )
    if not fine or any(name.is_absolute() or ".." in name.parts for name in names):
        raise ValueError(f"{path} names what pysims did not write: delete {folder}, and call again")
    return known


def planned(docs: Path) -> Plan:
    """What there is to do below `docs`, the folder of the pages.

    `ValueError` if there is no such folder, or if a file is in the way that pysims did not write,
    or that was changed since.
    """
    if not docs.is_dir():
        raise ValueError(f"{docs} is no folder: name the one that holds your pages, as in `docs`")
    folder = docs / PLACE
    wanted = packed_files()
    known = written_before(folder)
    write, delete = [], []
    for name in sorted({*wanted, *known}):
        path = folder / name
        there = digest(path.read_bytes()) if path.is_file() else None
        if name in wanted and there == digest(wanted[name]):
            continue
        if there is None and path.exists():
            raise ValueError(f"{path} is a folder, and pysims has a file of that name")
        if there not in (None, known.get(name)):
            why = "was changed since" if name in known else "is none that pysims wrote"
            raise ValueError(f"{path} {why}: move it away, or delete it, and call again")
        if name in wanted:
            write.append(name)
        elif there is not None:
            delete.append(name)
    return Plan(folder, wanted, tuple(write), tuple(delete))


def carry_out(plan: Plan) -> None:
    """Write and delete as planned; interrupted half-way, another call completes it."""
    for name in plan.write:
        put(plan.folder / name, plan.files[name])
    known = {name: digest(content) for name, content in sorted(plan.files.items())}
    list_of_files = json.dumps({"pysims": version(), "files": known}, indent=1) + "\n"
    for name in plan.delete:
        (plan.folder / name).unlink()
    put(plan.folder / MANIFEST, list_of_files.encode())


def put(path: Path, content: bytes) -> None:
    """Write a file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.part")
    unfinished.write_bytes(content)
    unfinished.replace(path)


def version() -> str:
    """The version of this package."""
    from .. import __version__  # noqa: PLC0415  # the package imports this module for nothing else

    return __version__


def bring(docs: Path, *, check: bool = False) -> tuple[str, bool]:
    """Copy the files into the folder of the pages, or only say whether that is done.

    Returns what to print, and whether all is as it should be.
    """
    plan = planned(docs)
    size = sum(map(len, plan.files.values())) / 1e6
    whole = f"{len(plan.files)} files, {size:.1f} MB, of pysims {version()}"
    if check:
        if not plan.write and not plan.delete:
            return f"{plan.folder} is up to date: {whole}", True
        late = ", ".join([*plan.write, *plan.delete][:3])
        count = len(plan.write) + len(plan.delete)
        return f"{plan.folder} is not of pysims {version()}: {count} files differ ({late} …)", False
    first = not (plan.folder / MANIFEST).exists()
    carry_out(plan)
    done = f"{plan.folder}: {whole} ({len(plan.write)} written, {len(plan.delete)} deleted)"
    if not first:
        return done, True
    return f"{done}\n\nAdd to mkdocs.yml:\n\n{MKDOCS}\nor to zensical.toml:\n\n{ZENSICAL}", True
