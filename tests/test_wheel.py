"""The wheel and the sdist: what is in them, where they install, and what they lack on purpose."""

from __future__ import annotations

import gzip
import importlib.metadata
import io
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import pysims
from pysims.runtime.build import BuildError
from pysims.runtime.wheel import DOCS_ASSETS, build, gathered
from pysims.widget.assets import as_scripts
from tests.wheels import ROOT, done, environment, install, pythons

PAGE = ROOT / "docs" / "use-in-your-docs.md"
WHEEL_MAX = 9_000_000
KEPT = {".py", ".jinja", ".js", ".mjs", ".css", ".csv", ".toml", ".json", ".typed"}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The wheel and the sdist, as `make wheel` builds them."""
    sdist, wheel = sorted(build(tmp_path_factory.mktemp("dist")), key=lambda path: path.suffix)
    return wheel, sdist


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def sources() -> set[str]:
    """The files of the package in this checkout, by their names in a wheel."""
    return {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "pysims").rglob("*")
        if path.suffix in KEPT and "__pycache__" not in path.parts
    }


# --- What is in them --------------------------------------------------------------------------


@pytest.mark.site
def test_the_wheel_holds_the_package_and_the_browsers_files_and_nothing_else(
    built: tuple[Path, Path],
) -> None:
    names = set(contents(built[0]))
    assets = {f"pysims/assets/{name}" for name, _ in gathered(DOCS_ASSETS)}
    about = {name for name in names if ".dist-info/" in name}
    assert names - about == sources() | assets
    assert {name.partition("/")[2] for name in about} == {
        "METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE", "licenses/NOTICE",
    }  # fmt: skip
    assert any(name.endswith("scene.svg.jinja") for name in names)
    assert built[0].stat().st_size < WHEEL_MAX


@pytest.mark.site
def test_nothing_in_them_tells_where_they_were_built(built: tuple[Path, Path]) -> None:
    wheel, sdist = built
    with tarfile.open(sdist) as archive:
        unpacked = {m.name: archive.extractfile(m) for m in archive.getmembers() if m.isfile()}
        files = {name: file.read() for name, file in unpacked.items() if file}
    assert not any("/tests/" in name or name.endswith(".pyc") for name in files)
    # Pyodide's own files tell where others built them.
    foreign = re.compile(r"/runtime/(interpreter|glue|pyodide)\.")
    for name, content in {**files, **contents(wheel)}.items():
        if foreign.search(name):
            continue
        plain = gzip.decompress(content) if name.endswith(".bin") else content
        for place in (ROOT, Path.home(), Path(sys.prefix)):
            # A home such as `/` is in every path.
            if len(place.parts) > 1:
                assert f"{place}/".encode() not in plain, f"{name} names {place}"
        assert b"pysims-wheel-" not in plain or name.endswith("runtime/wheel.py"), name


@pytest.mark.site
def test_an_sdist_builds_the_same_wheel(built: tuple[Path, Path], tmp_path: Path) -> None:
    wheel, sdist = built
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    [folder] = tmp_path.iterdir()
    done(sys.executable, "-I", "-m", "hatchling", "build", "-t", "wheel", cwd=folder)
    [again] = folder.glob("dist/*.whl")
    assert contents(again) == contents(wheel)
    assert again.read_bytes() == wheel.read_bytes()


@pytest.mark.site
def test_scripts_for_the_disk_are_made_again_as_they_were() -> None:
    found = dict(as_scripts(dict(gathered(DOCS_ASSETS))))
    assert len(found) == 2
    for name, script in found.items():
        assert script == (DOCS_ASSETS / name).read_bytes()


def test_without_a_runtime_a_sentence_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="lacks the runtime or the styles of scenes"):
        list(gathered(tmp_path))


def zipped(*contents: bytes) -> int:
    return sum(len(gzip.compress(content, 9)) for content in contents)


@pytest.mark.site
def test_the_page_tells_the_sizes_as_they_are() -> None:
    text = PAGE.read_text("utf-8")
    files = dict(gathered(DOCS_ASSETS))
    patterns = [
        zipped(files[name])
        for name in files
        if re.fullmatch(r"runtime/\w+\.[0-9a-f]{12}\.js", name)
    ]
    (editor,) = [zipped(files[name]) for name in files if name.startswith("runtime/editor.")]
    patterns.remove(editor)
    sources = [
        zipped(files[name]) + zipped(files["panel-code.js"], files["panel-code.css"])
        for name in files
        if ".sources." in name
    ]
    interpreter = [
        len(files[name]) if name.endswith(".bin") else zipped(files[name])
        for name in files
        if re.search(r"\.(bin|mjs)$|/sim-runtime\.js$", name)
    ]
    frames = [
        zipped(widget.encode())
        for page in (ROOT / "site" / "embed").rglob("*.html")
        for widget in re.findall(r"<sim-widget.*</sim-widget>", page.read_text("utf-8"), re.DOTALL)
    ]
    assert frames, "there is no built site: `make site` builds it"
    page_wide = zipped(files["sim.js"], files["sim.css"])
    whole = sum(map(len, (files | dict(as_scripts(files))).values()))
    measured = {
        r"with each page of your site \| ([\d.]+) kB": page_wide / 1e3,
        r"inside the page \| ([\d.]+) to": min(frames) / 1e3,
        r"inside the page \| [\d.]+ to ([\d.]+) kB": max(frames) / 1e3,
        r"or is touched \| ([\d.]+) MB": sum(interpreter) / 1e6,
        r"that shows it \| ([\d.]+) to": min(patterns) / 1e3,
        r"that shows it \| [\d.]+ to ([\d.]+) kB": max(patterns) / 1e3,
        r"panel is opened \| ([\d.]+) to": min(sources) / 1e3,
        r"panel is opened \| [\d.]+ to ([\d.]+) kB": max(sources) / 1e3,
        r"Edit\* is pressed \| ([\d.]+) kB": editor / 1e3,
        r"The folder takes ([\d.]+) MB": whole / 1e6,
    }
    for form, size in measured.items():
        told = re.search(form, text)
        assert told, form
        assert float(told[1]) == pytest.approx(size, rel=0.12), f"{form}: {size}"


# --- Where they install ------------------------------------------------------------------------


@pytest.mark.site
@pytest.mark.parametrize("python", list(pythons()), ids=lambda path: Path(path).name)
def test_it_installs_alone_and_gives_the_same_digest_in_every_python(
    python: str, built: tuple[Path, Path], tmp_path: Path
) -> None:
    programs = environment(tmp_path / "env", python)
    install(programs, built[0], cwd=tmp_path)
    chosen = ("raft", "--scenario", "split-vote")
    ran = done(programs / "pysims", "run", *chosen, cwd=tmp_path).stdout
    assert ran.splitlines()[-1] == f"digest {pysims.run('raft', 'split-vote').digest}"
    # Every pattern is imported by `list`, and whatever else belongs to the core is named here.
    program = (
        "import sys, pysims.link, pysims.consistency, pysims.guards.rate_limiters\n"
        "from pysims.__main__ import main; main(['list'])\n"
        "own = {name.partition('.')[0] for name in sys.modules} - sys.stdlib_module_names\n"
        "print(pysims.__file__, *sorted(name for name in own if name.isidentifier()), sep='\\n')"
    )
    told = done(programs / "python", "-c", program, cwd=tmp_path).stdout.splitlines()
    assert all(any(line.startswith(f"{name}: ") for line in told) for name in pysims.pattern_ids())
    place = next(index for index, line in enumerate(told) if line.startswith(str(tmp_path)))
    assert [name for name in told[place + 1 :] if not name.startswith("__")] == ["pysims"]


def test_a_clean_checkout_installs_and_says_what_it_lacks(tmp_path: Path) -> None:
    packed = subprocess.run(
        # In a container the checkout may belong to another user.
        ["git", "-c", "safe.directory=*", "archive", "--format=tar", "HEAD"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(tmp_path / "checkout", filter="data")
    target = tmp_path / "installed"
    (tmp_path / "docs").mkdir()
    pip = [sys.executable, "-I", "-m", "pip", "install", "--quiet", "--no-build-isolation"]
    done(*pip, "--target", target, tmp_path / "checkout", cwd=tmp_path)
    # Isolated (-I) and without any installed package (-S): the core is pure standard library.
    program = f"import sys; sys.path.insert(0, {str(target)!r})\nimport pysims.__main__ as m\n"
    python = (sys.executable, "-I", "-S", "-c")
    listed = done(*python, f"{program}m.main(['list'])", cwd=tmp_path).stdout
    assert "hash_ring: " in listed
    lacks = done(*python, f"{program}print(m.main(['assets', 'docs']))", cwd=tmp_path)
    assert lacks.stdout == "2\n"
    assert lacks.stderr.startswith("pysims: this installation lacks the browser's files: install ")
    assert list((tmp_path / "docs").iterdir()) == []
    names = {path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file()}
    # HEAD may lack a file that is about to be committed, but nothing of it may be left out.
    committed = {
        path.relative_to(tmp_path / "checkout").as_posix()
        for path in (tmp_path / "checkout" / "pysims").rglob("*")
        if path.suffix in KEPT
    }
    assert committed <= names
    assert not any(name.startswith("pysims/assets/") for name in names)


@pytest.mark.site
def test_extras_name_the_rest(built: tuple[Path, Path]) -> None:
    metadata = contents(built[0])
    [about] = [text for name, text in metadata.items() if name.endswith("/METADATA")]
    lines = about.decode().splitlines()
    asked = [
        Requirement(line.partition(": ")[2]) for line in lines if line.startswith("Requires-Dist")
    ]
    assert all(one.marker for one in asked), "the core has no dependency"

    def brought(extra: str) -> set[str]:
        found: set[str] = set()
        for one in asked:
            if one.marker and one.marker.evaluate({"extra": extra}):
                inner = set().union(*map(brought, one.extras)) if one.extras else {one.name}
                found |= inner
        return found

    assert brought("widget") == {"jinja2", "markupsafe"}
    assert brought("fence") == {"jinja2", "markupsafe", "pymdown-extensions"}
    assert brought("docs") > brought("fence")
    for one in asked:
        if one.name != "survive-chaos":
            assert one.specifier.contains(importlib.metadata.version(one.name)), one
