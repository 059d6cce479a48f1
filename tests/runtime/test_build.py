"""The build: repeatable, quick where nothing changed, and loud where it cannot succeed."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path

import pytest

from pysims.patterns.shelf import unwrapped
from pysims.runtime import build as building
from pysims.runtime.build import BuildError, build
from tests.runtime.conftest import write_package

pytestmark = pytest.mark.site

PROJECT = Path(__file__).parents[2]
HASHED = re.compile(r"\.([0-9a-f]{12})\.")


def contents(folder: Path) -> dict[str, bytes]:
    """The bytes of all files of a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_two_builds_are_the_same_bytes(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also from another folder, with another folder for temporary files, in another time zone."""
    (tmp_path / "t").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "t"))
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    again = tmp_path / "again"
    assert build(again, package_root=write_package(tmp_path / "a longer name for the same"))
    assert contents(again) == contents(built)


def test_nothing_is_built_twice(built: Path, specimen: Path) -> None:
    before = contents(built)
    assert not build(built, package_root=specimen)
    assert contents(built) == before


def test_a_deleted_file_is_noticed(
    built: Path, specimen: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Building is stubbed: what is tested is the decision to do it."""
    out = tmp_path / "out"
    out.mkdir()
    for name, content in contents(built).items():
        (out / name).write_bytes(content)
    (out / "manifest.js").unlink()

    def refuse(script: str, *_: Path) -> None:
        raise BuildError(script)

    monkeypatch.setattr(building, "run_node", refuse)
    with pytest.raises(BuildError, match=r"snapshot\.mjs"):
        build(out, package_root=specimen)


def test_what_a_source_says_is_part_of_the_stamp(tmp_path: Path) -> None:
    stamps = set()
    for number, text in enumerate(("", "x = 1\n", "x = 2\n")):
        root = write_package(tmp_path / str(number), {"kernel/__init__.py": text})
        building.stage_sources(root, tmp_path / f"stage{number}")
        stamps.add(building.fingerprint(tmp_path / f"stage{number}", root))
    assert len(stamps) == 3


def test_files_are_named_by_their_content(built: Path) -> None:
    manifest = json.loads(
        (built / "manifest.js").read_text(encoding="utf-8").partition("=")[2].rstrip(";\n")
    )
    for file in manifest["files"].values():
        digest = hashlib.sha256((built / file["path"]).read_bytes()).hexdigest()
        match = HASHED.search(file["path"])
        assert match
        assert file["sha256"] == digest
        assert digest.startswith(match[1])


def test_every_script_has_its_digest_in_the_manifest(built: Path) -> None:
    text = (built / "manifest.js").read_text(encoding="utf-8")
    manifest = json.loads(text.partition("=")[2].rstrip(";\n"))
    scripts = {*manifest["patterns"].values(), *manifest["sources"].values(), manifest["editor"]}
    assert set(manifest["integrity"]) == scripts
    for name, known in manifest["integrity"].items():
        digest = hashlib.sha256((built / name).read_bytes()).digest()
        assert known == f"sha256-{base64.b64encode(digest).decode()}"
    assert re.fullmatch("[0-9a-f]{12}", manifest["build"])


def test_every_pattern_has_a_script_of_its_own(tmp_path: Path) -> None:
    shelf, out = tmp_path / "shelf", tmp_path / "out"
    for folder in (shelf, out):
        folder.mkdir()
    (shelf / "raft").write_bytes(b"compiled code")
    names = building.write_scripts(out, shelf)
    assert list(names) == ["raft"]
    assert hashlib.sha256(b"compiled code").hexdigest().startswith(names["raft"].split(".")[1])
    script = (out / names["raft"]).read_text("ascii")
    assert f'["{names["raft"]}"]' in script
    assert unwrapped(script.split('"')[3]) == b"compiled code"


def test_what_is_only_for_the_site_stays_behind(specimen: Path, tmp_path: Path) -> None:
    stage = tmp_path / "stage"
    building.stage_sources(specimen, stage)
    staged = {path.relative_to(stage).as_posix() for path in stage.rglob("*") if path.is_file()}
    assert "pysims/widget/worker.py" in staged
    assert "pysims/widget/templates/dot.svg.jinja" in staged
    assert "markupsafe/_native.py" in staged
    assert not staged & {"pysims/widget/fence.py", "pysims/__main__.py"}
    assert not [name for name in staged if name.endswith((".so", ".pyc"))]


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("from js import Object\n\nthing = Object.new()\n", "Python holds a JavaScript object"),
        ("table = bytearray(12_000_000)\n", "The heap grew to"),
        ("import a_module_that_is_nowhere\n", "No module named 'a_module_that_is_nowhere'"),
    ],
)
def test_what_no_snapshot_can_hold_stops_the_build(
    tmp_path: Path, source: str, complaint: str
) -> None:
    root = write_package(tmp_path / "package", {"kernel/__init__.py": source})
    with pytest.raises(BuildError, match=complaint):
        build(tmp_path / "out", package_root=root)
    assert not (tmp_path / "out").exists()


def test_npm_packages_are_pinned_and_come_from_anywhere() -> None:
    """Exact versions and hashes are in the lock; addresses are not, so any mirror will do."""
    package = json.loads((PROJECT / "package.json").read_text(encoding="utf-8"))
    wanted = {**package["dependencies"], **package["devDependencies"]}
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in wanted.values())
    lock = json.loads((PROJECT / "package-lock.json").read_text(encoding="utf-8"))
    installed = {name: entry for name, entry in lock["packages"].items() if name}
    assert all("integrity" in entry and "resolved" not in entry for entry in installed.values())
