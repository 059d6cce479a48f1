"""The built site as files: every figure is there, complete, and asks nobody else for anything."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections import Counter
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

import pytest

from pysims import load_pattern, pattern_ids
from pysims.widget.fence import arguments_of, widget_html

ROOT = Path(__file__).parents[1]
SITE = ROOT / "site"
DOCS = ROOT / "docs"

pytestmark = pytest.mark.site


@pytest.fixture(scope="module", autouse=True)
def _site() -> None:
    assert (SITE / "index.html").exists(), "there is no built site: `make site` builds it"


def fences(markdown: Path) -> list[str]:
    """The widgets that a page's Markdown asks for, as HTML."""
    found = []
    for header in re.findall(r"^```sim +(.*)$", markdown.read_text("utf-8"), re.MULTILINE):
        words = {
            name: value if mark else name
            for name, mark, value in re.findall(r'(\w+)(?:=(")(.*?)")?', header)
        }
        found.append(widget_html(**arguments_of(words)))
    return found


SOURCES = [path for path in sorted(DOCS.rglob("*.md")) if "runtime" not in path.parts]


def built(markdown: Path) -> Path:
    return SITE / markdown.relative_to(DOCS).with_suffix(".html")


@pytest.mark.parametrize("markdown", SOURCES, ids=lambda p: str(p.relative_to(DOCS)))
def test_every_fence_is_a_widget_with_its_frame_byte_for_byte(markdown: Path) -> None:
    html = built(markdown).read_text("utf-8")
    wanted = fences(markdown)
    assert html.count("<sim-widget") == len(wanted)
    for widget in wanted:
        assert widget in html
    assert "```sim" not in html


class Page(HTMLParser):
    """The ids of a page, what it links to, and what it loads."""

    LOADS = frozenset({"script", "link", "img", "iframe", "source", "video", "audio", "object"})

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.inline: list[str] = []
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if "id" in given:
            self.ids.append(given["id"])
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag in self.LOADS and given.get("rel") != "canonical":
            self.loaded += [given[name] for name in ("src", "href", "data") if name in given]
        if "style" in given:
            self.inline.append(f"<{tag} style={given['style']}>")


page_of = cache(Page)
HTML = sorted(SITE.rglob("*.html"))
every_page = pytest.mark.parametrize("path", HTML, ids=lambda p: str(p.relative_to(SITE)))


@every_page
def test_ids_are_unique(path: Path) -> None:
    repeated = [name for name, count in Counter(page_of(path).ids).items() if count > 1]
    # Material itself repeats the ids of its two drawers on every page.
    assert [name for name in repeated if not name.startswith("__")] == []


@every_page
def test_links_lead_somewhere(path: Path) -> None:
    for link in page_of(path).links:
        parts = urlsplit(link)
        if parts.scheme or parts.netloc or path.name == "404.html":
            continue
        target, anchor = urldefrag(link)
        file = (path.parent / unquote(target.partition("?")[0])).resolve() if target else path
        if file.is_dir():
            file /= "index.html"
        assert file.exists(), f"{link} leads to no file"
        if anchor and not anchor.startswith("__"):
            assert unquote(anchor) in page_of(file).ids, f"{link} leads to no such place"


@every_page
def test_a_page_loads_nothing_from_elsewhere(path: Path) -> None:
    for address in page_of(path).loaded:
        assert urlsplit(address).netloc == "", address


def test_style_sheets_load_nothing_from_elsewhere() -> None:
    for path in SITE.rglob("*.css"):
        for address in re.findall(r"url\(([^)]*)\)", path.read_text("utf-8")):
            assert not re.match(r"""["']?(https?:)?//""", address), f"{path}: {address}"


def test_widgets_have_no_inline_style() -> None:
    for pattern_id in pattern_ids():
        for scenario in load_pattern(pattern_id).scenarios:
            assert 'style="' not in widget_html(pattern_id, scenario.id)


def test_zensical_builds_the_same_docs_with_the_same_figures(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    work = tmp_path_factory.mktemp("zensical")
    shutil.copytree(DOCS, work / "docs", ignore=shutil.ignore_patterns("runtime"))
    shutil.copytree(ROOT / "overrides", work / "overrides")
    shutil.copy(ROOT / "mkdocs.yml", work / "mkdocs.yml")
    zensical = Path(sys.executable).parent / "zensical"
    done = subprocess.run(
        [zensical, "build", "--config-file", "mkdocs.yml"],
        cwd=work,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "HOME": str(work)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for markdown in SOURCES:
        html = (work / "site" / built(markdown).relative_to(SITE)).read_text("utf-8")
        wanted = fences(markdown)
        assert html.count("<sim-widget") == len(wanted), markdown
        for widget in wanted:
            assert widget in html, markdown
