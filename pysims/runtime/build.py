"""Stages the Python sources, runs the Node scripts, and writes what the browser loads.

`build()` is the whole of it; the package's docstring says how its parts fit together.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import deflate

from .sources import packed

HERE = Path(__file__).resolve().parent
PACKAGE_ROOT = HERE.parent.parent
STAMP = "stamp.json"
MANIFEST_FORMAT = 1

# What comes along besides pysims; both are pure Python (MarkupSafe has a fallback for its C part).
COMPANIONS = ("jinja2", "markupsafe")

# Parts of pysims that run only while the site is built, relative to the package.
NOT_SHIPPED = frozenset(
    {
        "assets",
        "runtime",
        "command",
        "figures",
        "numbers",
        "offline",
        "prose",
        "questions.py",
        "kept.py",
        "widget/fence.py",
        "widget/embeds.py",
        "widget/assets.py",
        "__main__.py",
    }
)
NEVER_SHIPPED_SUFFIXES = frozenset({".pyc", ".pyi", ".so", ".pyd", ".c", ".typed", ".css", ".toml"})

# libdeflate's best level: 4 % smaller than zlib's, in three seconds (zopfli: the same in a minute).
GZIP_LEVEL = 12


class BuildError(Exception):
    """The runtime could not be built; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Asset:
    """One file to serve: its role in the manifest, its name without hash, and its bytes."""

    role: str
    stem: str
    suffix: str
    content: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def path(self) -> str:
        return f"{self.stem}.{self.sha256[:12]}{self.suffix}"


def build(out: Path, *, force: bool = False, package_root: Path = PACKAGE_ROOT) -> bool:
    """Builds the runtime into `out`; returns False if it was up to date.

    `package_root` is the folder that holds the package `pysims` to bring along.

    Raises:
        BuildError: a tool is missing, or one of the Node scripts failed.
    """
    modules = project_folder() / "node_modules"
    if not (modules / "pyodide").is_dir():
        raise BuildError("node_modules is missing or incomplete: run `npm ci` first.")
    with tempfile.TemporaryDirectory(prefix="pysims-runtime-") as name:
        scratch = Path(name)
        stage = scratch / "stage"
        stage_sources(package_root, stage)
        stamp = fingerprint(stage, package_root)
        if not force and is_current(out, stamp):
            return False
        run_node("snapshot.mjs", stage, scratch)
        run_node("bundle.mjs", HERE / "inside" / "bridge.py", scratch)
        assets = list(collect(scratch, modules / "pyodide"))
        write_sources(package_root / "pysims", scratch)
        write(out, assets, scratch, stamp)
    return True


def project_folder() -> Path:
    """The checkout that this module belongs to: where package-lock.json and node_modules are."""
    return PACKAGE_ROOT


def stage_sources(package_root: Path, stage: Path) -> None:
    """Copies everything that the browser's Python imports or reads into one folder."""
    package = package_root / "pysims"
    skipped = {package / name for name in NOT_SHIPPED}
    copy_sources(package, stage / "pysims", skipped)
    for name in COMPANIONS:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            raise BuildError(f"{name} is not installed; it goes into the browser's Python.")
        copy_sources(Path(spec.origin).parent, stage / name, set())


def copy_sources(source: Path, target: Path, skipped: set[Path]) -> None:
    """Copies a package without what is compiled, and without the paths in `skipped`."""

    def ignored(folder: str, names: list[str]) -> set[str]:
        return {
            name
            for name in names
            if name == "__pycache__"
            or Path(name).suffix in NEVER_SHIPPED_SUFFIXES
            or Path(folder, name) in skipped
        }

    shutil.copytree(source, target, ignore=ignored)


def fingerprint(stage: Path, package_root: Path) -> str:
    """A hash of all that the result depends on: staged sources, these scripts, pinned versions."""
    digest = hashlib.sha256()
    project = project_folder()
    cited = sorted((package_root / "pysims").rglob("citations.toml"))
    inputs = [*files_below(stage), *files_below(HERE), project / "package-lock.json", *cited]
    bases = (stage, project, package_root)
    for path in inputs:
        base = next(base for base in bases if path.is_relative_to(base))
        digest.update(f"{path.relative_to(base).as_posix()}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def files_below(folder: Path) -> Iterator[Path]:
    """All files of a folder in a fixed order, without compiled ones."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix != ".pyc":
            yield path


def is_current(out: Path, stamp: str) -> bool:
    """Whether `out` holds a complete result of the same inputs."""
    try:
        known = json.loads((out / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    complete = all((out / name).is_file() for name in known["files"])
    return complete and known["inputs"] == stamp


def run_node(script: str, *arguments: Path) -> None:
    """Runs one of this folder's scripts; its errors become the message of a BuildError."""
    node = shutil.which("node")
    if node is None:
        raise BuildError("Node.js is missing: the snapshot is made with it (20 or newer).")
    command = [node, str(HERE / script), *map(str, arguments)]
    environment = {**os.environ, "PYTHONHASHSEED": "0", "TZ": "UTC"}
    result = subprocess.run(  # noqa: S603 -- our own script, with paths that this module chose
        command, cwd=HERE, env=environment, capture_output=True, text=True, check=False
    )
    if result.returncode != 0:
        raise BuildError(f"{script} failed:\n{result.stderr.strip()[-4000:]}")


def collect(scratch: Path, pyodide: Path) -> Iterator[Asset]:
    """The files to serve, compressed where a static server might not do it.

    The compressed ones end in `.bin`: a server that sees `.gz` may declare a content encoding, and
    the browser would then hand over something else than was hashed here.
    """
    wasm = deflate.gzip_compress((pyodide / "pyodide.asm.wasm").read_bytes(), GZIP_LEVEL)
    snapshot = deflate.gzip_compress((scratch / "snapshot.bin").read_bytes(), GZIP_LEVEL)
    yield Asset("wasm", "interpreter", ".bin", bytes(wasm))
    yield Asset("snapshot", "snapshot", ".bin", bytes(snapshot))
    glue = without_source_map((pyodide / "pyodide.asm.mjs").read_bytes())
    yield Asset("glue", "glue", ".mjs", glue)
    loader = without_source_map((pyodide / "pyodide.mjs").read_bytes())
    yield Asset("pyodide", "pyodide", ".mjs", loader)


def without_source_map(script: bytes) -> bytes:
    """Drops the comment that makes developer tools ask for a file that is not shipped."""
    lines = script.splitlines(keepends=True)
    return b"".join(line for line in lines if not line.startswith(b"//# sourceMappingURL="))


def write(out: Path, assets: list[Asset], scratch: Path, stamp: str) -> None:
    """Writes the files, the manifest and the entry script, and removes those of earlier builds."""
    out.mkdir(parents=True, exist_ok=True)
    names = []
    files: dict[str, dict[str, Any]] = {}
    for asset in assets:
        script = f"{asset.path}.b64.js"
        (out / asset.path).write_bytes(asset.content)
        (out / script).write_bytes(as_script(asset))
        names += [asset.path, script]
        files[asset.role] = {
            "path": asset.path,
            "bytes": len(asset.content),
            "sha256": asset.sha256,
            "script": {"path": script, "gzip": asset.suffix != ".bin"},
        }
    manifest = make_manifest(files, scratch)
    for role, folder in (("patterns", "shelf"), ("sources", "sources")):
        manifest[role] = write_scripts(out, scratch / folder)
        names += manifest[role].values()
    editor = Asset("editor", "editor", ".js", (scratch / "editor.js").read_bytes())
    (out / editor.path).write_bytes(editor.content)
    manifest["editor"] = editor.path
    names.append(editor.path)
    names += write_entry(out, manifest, scratch)
    known = {"inputs": stamp, "files": sorted(names)}
    (out / STAMP).write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    for path in out.iterdir():
        if path.name not in {*names, STAMP}:
            path.unlink()


def write_entry(out: Path, manifest: dict[str, Any], scratch: Path) -> list[str]:
    """Writes the script that a page loads first, and its manifest alone; returns their names.

    `integrity` in the manifest is for scripts, which a browser checks itself where it can; `build`
    names all that the script is made of, so that a page knows whether it is of the same build.
    """
    scripts = [*manifest["patterns"].values(), *manifest["sources"].values(), manifest["editor"]]
    manifest["integrity"] = {name: integrity((out / name).read_bytes()) for name in sorted(scripts)}
    page = (scratch / "page.js").read_text(encoding="utf-8") + patcher()
    made_of = json.dumps(manifest) + page
    manifest["build"] = hashlib.sha256(made_of.encode()).hexdigest()[:12]
    line = f"globalThis.__simManifest={json.dumps(manifest, separators=(',', ':'))};\n"
    (out / "manifest.js").write_text(line, encoding="utf-8")
    # The page needs the patcher exactly when it needs Python, so they come in one request.
    (out / "sim-runtime.js").write_text(line + page, encoding="utf-8")
    return ["manifest.js", "sim-runtime.js"]


def integrity(content: bytes) -> str:
    """What the attribute `integrity` of a script says of its content."""
    return f"sha256-{base64.b64encode(hashlib.sha256(content).digest()).decode()}"


def write_sources(package: Path, scratch: Path) -> None:
    """Writes what a page shows of the source of every pattern."""
    folder = scratch / "sources"
    folder.mkdir()
    for path in sorted((scratch / "shelf").iterdir()):
        (folder / path.name).write_bytes(packed(package, path.name))


def write_scripts(out: Path, folder: Path) -> dict[str, str]:
    """Writes a script for each file of a folder, which leaves it where downloads.js looks.

    One form serves every place: scripts load from disk and in sandboxed frames too. Returns the
    names of the scripts by the names of the files.
    """
    names = {}
    for path in sorted(folder.iterdir()):
        content = path.read_bytes()
        text = base64.b64encode(deflate.gzip_compress(content, GZIP_LEVEL))
        kind = "" if folder.name == "shelf" else f".{folder.name}"
        name = f"{path.name}{kind}.{hashlib.sha256(content).hexdigest()[:12]}.js"
        line = b'(globalThis.__simFiles??={})["%s"]="%s";\n' % (name.encode(), text)
        (out / name).write_bytes(line)
        names[path.name] = name
    return names


def patcher() -> str:
    """Idiomorph, which brings a frame into the page (`globalThis.Idiomorph`)."""
    path = project_folder() / "node_modules" / "idiomorph" / "dist" / "idiomorph.min.js"
    return path.read_text(encoding="utf-8")


def as_script(asset: Asset) -> bytes:
    """A classic script that leaves the file's bytes, gzip in base64, where downloads.js looks."""
    compressed = asset.suffix == ".bin"
    content = asset.content if compressed else deflate.gzip_compress(asset.content, GZIP_LEVEL)
    text = base64.b64encode(content)
    return b'(globalThis.__simFiles??={})["%s"]="%s";\n' % (asset.path.encode(), text)


def make_manifest(files: dict[str, dict[str, Any]], scratch: Path) -> dict[str, Any]:
    """What the page needs to know: files by role, Pyodide's version, the hash of the heap."""
    facts = json.loads((scratch / "snapshot.json").read_text(encoding="utf-8"))
    return {
        "format": MANIFEST_FORMAT,
        "pyodide": facts["pyodide"],
        "heapBytes": facts["heapBytes"],
        "heapSha256": facts["heapSha256"],
        "modules": facts["modules"],
        "files": files,
    }


def report(out: Path) -> str:
    """A table of the files in `out` and their sizes in bytes."""
    names = json.loads((out / STAMP).read_text(encoding="utf-8"))["files"]
    rows = [f"  {(out / name).stat().st_size:>10,}  {name}" for name in names]
    return "\n".join(rows)


def main(arguments: list[str] | None = None) -> int:
    """Builds the runtime as the command line says; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m pysims.runtime", description=__doc__)
    default = PACKAGE_ROOT / "docs" / "assets" / "runtime"
    parser.add_argument("--out", type=Path, default=default, help="folder to write to")
    parser.add_argument("--force", action="store_true", help="build even if nothing has changed")
    parser.add_argument(
        "--package-root", type=Path, default=PACKAGE_ROOT, help="folder that holds pysims"
    )
    options = parser.parse_args(arguments)
    try:
        built = build(options.out, force=options.force, package_root=options.package_root)
    except BuildError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    verb = "Built" if built else "Up to date:"
    sys.stdout.write(f"{verb} {options.out}\n{report(options.out)}\n")
    return 0
