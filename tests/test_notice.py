"""NOTICE against what is really in the files that readers load: bundles, source maps, folders."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest

from pysims.offline.styles import EMBEDS, PAGES
from tests.drivers.fonts import FACES

ROOT = Path(__file__).parents[1]
SITE = ROOT / "site"
NOTICE = (ROOT / "NOTICE").read_text("utf-8")
PACKAGE = re.compile(r"node_modules/((?:@[^/]+/)?[^/]+)")

pytestmark = pytest.mark.site


def packages(paths: Iterable[str]) -> set[str]:
    """The npm packages that files belong to: the innermost, where one lies in another."""
    return {PACKAGE.findall(path)[-1] for path in paths if PACKAGE.search(path)}


def unnamed(names: Iterable[str]) -> list[str]:
    """The names that NOTICE lacks as words of their own."""
    return [
        name
        for name in sorted(names)
        if not re.search(rf"(?<![\w@/-]){re.escape(name)}(?![\w/-])", NOTICE)
    ]


def of_map(path: Path) -> list[str]:
    sources: list[str] = json.loads(path.read_text("utf-8"))["sources"]
    return sources


def test_the_runtime_bundles_nothing_that_the_notice_does_not_name(tmp_path: Path) -> None:
    runtime = ROOT / "pysims" / "runtime"
    inputs = (runtime / "bundle.mjs", runtime / "inside" / "bridge.py", tmp_path)
    command = ["node", *map(str, inputs)]
    subprocess.run(command, check=True)
    files: list[str] = json.loads((tmp_path / "bundled.json").read_text("utf-8"))
    found = packages(files)
    # PyScript's CodeMirror is a bundle itself; what is in it, its source maps say.
    core = ROOT / "node_modules/@pyscript/core/dist"
    editors = [core / f"{Path(file).name}.map" for file in files if "/dist/codemirror" in file]
    assert len(editors) == 6
    for path in editors:
        found |= packages(of_map(path))
    assert {"polyscript", "coincident", "@codemirror/view", "@lezer/python"} <= found
    assert unnamed(found) == []


def test_the_theme_ships_nothing_that_the_notice_does_not_name() -> None:
    maps = sorted(SITE.glob("assets/**/*.map"))
    found = {name for path in maps for name in packages(of_map(path))}
    assert {"rxjs", "lunr", "escape-html"} <= found
    assert unnamed(found) == []


def test_no_script_or_style_of_the_site_is_of_unknown_origin() -> None:
    """Ours, which lie in docs/; the runtime's; and what the theme brings, by its folders."""
    known = {"lunr", "workers", "javascripts", "stylesheets", "images", "search", "runtime"}
    for path in SITE.rglob("*"):
        if path.suffix not in (".js", ".mjs", ".css", ".woff2", ".wasm", ".bin"):
            continue
        name = path.relative_to(SITE)
        # Written into the finished site, from pysims/offline/ and from the files beside it.
        if name.as_posix() in ("sw.js", f"assets/{PAGES}", f"assets/{EMBEDS}"):
            continue
        assert (ROOT / "docs" / name).is_file() or name.parent.name in known | {"min"}, name
    for word in ("lunr-languages", "tinyseg.js", "wordcut.js", "Jinja2", "MarkupSafe", "CPython"):
        assert word in NOTICE
    assert {path.stem for path in SITE.rglob("*.woff2")} == {face.name for face in FACES}
    for face in FACES:
        original = face.source.split("-latin")[0].split("-greek")[0]
        assert face.family in NOTICE
        assert original.replace("-", " ").title() in NOTICE
        assert (SITE / "assets/fonts" / f"{original}.LICENSE.txt").is_file()


def test_a_package_that_is_not_named_would_be_found() -> None:
    assert unnamed({"left-pad", "rxjs", "codemirror/x", "lezer"}) == [
        "codemirror/x",
        "left-pad",
        "lezer",
    ]
