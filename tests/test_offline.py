"""What is done to a built site: what pages are told, the list of files, and the ZIP for disk."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zipfile
from pathlib import Path

import pytest

import pysims
from pysims.offline import LIST, PLACEHOLDER, WORKER, finish
from pysims.offline.archive import NAME, README, contents, main, write
from pysims.offline.styles import EMBEDS, PAGES

SITE = Path(__file__).parents[1] / "site"
SPECIMEN = {
    "index.html": """<html><head><title>Home</title>
      <link rel="stylesheet" href="assets/stylesheets/main.0123abcd.min.css">
<link rel="stylesheet" href="assets/sim.css">
<link rel="stylesheet" href="assets/scenes.css">
</head><body></body></html>""",
    "404.html": """<html><head>
<link rel="stylesheet" href="/below/assets/stylesheets/main.0123abcd.min.css">
<link rel="stylesheet" href="/below/assets/sim.css">
<link rel="stylesheet" href="/below/assets/scenes.css">
</head></html>""",
    "embed/raft.html": """<html><head>
<link rel="stylesheet" href="../assets/sim.css">
<link rel="stylesheet" href="../assets/scenes.css">
</head></html>""",
    "embed/raft.json": "{}",
    "robots.txt": "User-agent: *",
    "sitemap.xml": "<urlset/>",
    "search/search_index.js": "",
    "search/search_index.json": "{}",
    "assets/sim.js": "1;",
    "assets/stylesheets/main.0123abcd.min.css": (
        """@charset "UTF-8";a{b:url("data:x,<svg y='(z)'/>")}c{d:url(../images/e.png)}"""
    ),
    "assets/sim.css": "/* The widget. */\ne { f: url('fonts/g.woff2'); }\n",
    "assets/scenes.css": "h { marker-end: url(#arrow); }\n",
    "assets/panel-code.js": "2;",
    "assets/panel-code.css": "",
    "assets/cards/index.png": "",
    "assets/javascripts/bundle.0123abcd.min.js": "",
    "assets/javascripts/bundle.0123abcd.min.js.map": "",
    "assets/runtime/stamp.json": "{}",
    "assets/runtime/manifest.js": "",
    "assets/runtime/sim-runtime.js": 'globalThis.__simManifest={"build":"0a1b2c3d4e5f"};',
    "assets/runtime/snapshot.0123456789ab.bin": "zipped",
    "assets/runtime/snapshot.0123456789ab.bin.b64.js": "zipped in text",
    "assets/runtime/glue.0123456789ab.mjs": "",
}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    for name, text in SPECIMEN.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return folder


def digest(path: Path) -> str:
    return base64.b64encode(hashlib.sha256(path.read_bytes()).digest()).decode()


def built_with(page: Path) -> list[str]:
    found = re.findall(r'<meta name="sim-build" content="([^"]*)">', page.read_text("utf-8"))
    assert len(found) == 1
    words: list[str] = found[0].split(" ")
    return words


def test_every_page_says_what_it_was_built_with(site: Path) -> None:
    finish(site)
    words = built_with(site / "index.html")
    assert words == built_with(site / "embed" / "raft.html")
    assert words[0] == "0a1b2c3d4e5f"
    for name in ("runtime/sim-runtime.js", "panel-code.js", "panel-code.css"):
        assert words[words.index(name) + 1] == f"sha256-{digest(site / 'assets' / name)}"


def test_finishing_twice_changes_nothing(site: Path) -> None:
    def files() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in site.rglob("*") if path.is_file()}

    finish(site)
    once = files()
    finish(site)
    assert files() == once


@pytest.mark.parametrize("changed", ["sim.js", "panel-code.js", "runtime/sim-runtime.js"])
def test_a_change_of_what_draws_frames_is_another_build(site: Path, changed: str) -> None:
    finish(site)
    before = built_with(site / "index.html")
    path = site / "assets" / changed
    path.write_text(path.read_text("utf-8") + "\n", "utf-8")
    finish(site)
    assert built_with(site / "index.html") != before


def test_a_change_of_the_prose_is_none(site: Path) -> None:
    finish(site)
    before = built_with(site / "index.html")
    page = site / "index.html"
    page.write_text(page.read_text("utf-8").replace("Home", "At home"), "utf-8")
    finish(site)
    assert built_with(page) == before


def test_the_list_has_what_a_reader_over_http_asks_for(site: Path) -> None:
    files = finish(site)["files"]
    assert set(files) == {
        "index.html",
        "404.html",
        "embed/raft.html",
        "sitemap.xml",
        "search/search_index.json",
        "assets/sim.js",
        "assets/styles.css",
        "assets/embed-styles.css",
        "assets/panel-code.js",
        "assets/panel-code.css",
        "assets/javascripts/bundle.0123abcd.min.js",
        "assets/runtime/sim-runtime.js",
        "assets/runtime/snapshot.0123456789ab.bin",
        "assets/runtime/glue.0123456789ab.mjs",
    }
    for name, (size, known) in files.items():
        assert size == (site / name).stat().st_size
        assert known == digest(site / name)


def test_a_page_loads_one_stylesheet_with_what_its_parts_say(site: Path) -> None:
    finish(site)
    for page, address in {
        "index.html": "assets/styles.css",
        "404.html": "/below/assets/styles.css",
        "embed/raft.html": "../assets/embed-styles.css",
    }.items():
        assert re.findall(r'href="([^"]+)"', (site / page).read_text("utf-8")) == [address]
    of_widget = "e { f: url('fonts/g.woff2'); }\nh { marker-end: url(#arrow); }\n"
    assert (site / "assets" / EMBEDS).read_text("utf-8") == f'@charset "UTF-8";\n{of_widget}'
    assert (site / "assets" / PAGES).read_text("utf-8") == (
        """@charset "UTF-8";\na{b:url("data:x,<svg y='(z)'/>")}c{d:url(images/e.png)}\n"""
        + of_widget
    )


def test_pages_that_load_other_styles_than_the_rest_are_refused(site: Path) -> None:
    page = site / "404.html"
    page.write_text(page.read_text("utf-8").replace("scenes.css", "panel-code.css"), "utf-8")
    with pytest.raises(ValueError, match=r"index\.html loads .*scenes\.css.*panel-code\.css"):
        finish(site)


def test_the_worker_belongs_to_the_list(site: Path) -> None:
    finish(site)
    build = hashlib.sha256((site / LIST).read_bytes()).hexdigest()[:12]
    text = (site / WORKER).read_text("utf-8")
    assert f'const BUILD = "{build}";' in text
    assert PLACEHOLDER not in text


def test_a_folder_without_a_site_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no built site"):
        finish(tmp_path)
    with pytest.raises(ValueError, match="holds no built site"):
        contents(tmp_path)
    assert main([str(tmp_path), str(tmp_path / "out")]) == 1


def test_the_zip_has_what_a_page_on_disk_loads(site: Path) -> None:
    finish(site)
    found = contents(site)
    assert {name for name in SPECIMEN if name not in found} == {
        "404.html",
        "embed/raft.json",
        "robots.txt",
        "assets/cards/index.png",
        "assets/javascripts/bundle.0123abcd.min.js.map",
        "assets/runtime/stamp.json",
        "assets/runtime/manifest.js",
        "assets/runtime/snapshot.0123456789ab.bin",
        "assets/runtime/glue.0123456789ab.mjs",
    }
    styles = {f"assets/{PAGES}", f"assets/{EMBEDS}"}
    assert set(found) - set(SPECIMEN) == {"README.txt", "LICENSE.txt", "NOTICE.txt", *styles}
    assert found["README.txt"].decode() == README.format(version=pysims.__version__)
    assert b"sim-build" not in found["index.html"]


def test_the_zip_is_the_same_byte_for_byte(site: Path, tmp_path: Path) -> None:
    finish(site)
    first = write(site, tmp_path / "one").read_bytes()
    for path in site.rglob("*"):
        path.touch()
        path.chmod(0o700)
    second = write(site, tmp_path / "two")
    assert second.read_bytes() == first
    assert second.name == f"{NAME}-{pysims.__version__}.zip"
    with zipfile.ZipFile(second) as archive:
        names = archive.namelist()
        assert names == sorted(names)
        assert {name.partition("/")[0] for name in names} == {f"{NAME}-{pysims.__version__}"}
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {entry.external_attr >> 16 for entry in archive.infolist()} == {0o100644}


@pytest.mark.site
def test_the_list_of_the_built_site_is_of_the_built_site() -> None:
    listed = json.loads((SITE / LIST).read_text("utf-8"))["files"]
    for name, (size, known) in listed.items():
        assert size == (SITE / name).stat().st_size, name
        assert known == digest(SITE / name), name
    pages = {path.relative_to(SITE).as_posix() for path in SITE.rglob("*.html")}
    assert pages <= set(listed)
