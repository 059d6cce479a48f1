"""The built site as files: every figure is there, complete, and asks nobody else for anything."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections import Counter
from functools import cache
from html.parser import HTMLParser
from itertools import pairwise
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
    found: list[str] = []
    for header in re.findall(r"^```sim +(.*)$", markdown.read_text("utf-8"), re.MULTILINE):
        words = {
            name: value if mark else name
            for name, mark, value in re.findall(r'(\w+)(?:=(")(.*?)")?', header)
        }
        found.append(widget_html(**arguments_of(words), later=bool(found)))
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
    # A page may show a fence as code, indented; whatever else is left of one was not understood.
    shown = re.findall(r"^    ```sim ", markdown.read_text("utf-8"), re.MULTILINE)
    assert html.count("```sim") == len(shown)


class Page(HTMLParser):
    """The ids of a page, what it links to, and what it loads."""

    LOADS = frozenset({"script", "link", "img", "iframe", "source", "video", "audio", "object"})

    # Links that name an address for programs, and load nothing.
    NAMES_ONLY = frozenset({"canonical", "alternate"})

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.tags: dict[str, str] = {}
        self.headings: list[int] = []
        self.inline: list[str] = []
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if "id" in given:
            self.ids.append(given["id"])
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag in self.LOADS and given.get("rel") not in self.NAMES_ONLY:
            self.loaded += [given[name] for name in ("src", "href", "data") if name in given]
        if tag == "meta" and (name := given.get("name") or given.get("property")):
            self.tags[name] = given.get("content", "")
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
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
def test_links_to_other_hosts_are_encrypted_and_whole(path: Path) -> None:
    for link in page_of(path).links:
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            assert parts.scheme == "https", link
            assert re.fullmatch(r"[\w-]+(\.[\w-]+)+", parts.netloc), link
            assert " " not in link


@every_page
def test_a_page_loads_what_is_there_and_nothing_from_elsewhere(path: Path) -> None:
    for address in page_of(path).loaded:
        assert urlsplit(address).netloc == "", address
        place = unquote(address.partition("#")[0].partition("?")[0])
        # The error page is served at any depth, so it names everything from the root.
        base = SITE if path.name == "404.html" else path.parent
        if place and not address.startswith("data:") and path.name != "404.html":
            assert (base / place).resolve().is_file(), address


PROSE = [built(path) for path in SOURCES if path.parent == DOCS]
every_prose_page = pytest.mark.parametrize("path", PROSE, ids=lambda p: p.stem)


@every_prose_page
def test_a_page_of_prose_describes_itself(path: Path) -> None:
    tags = page_of(path).tags
    assert tags["description"] == tags["og:description"] == tags["twitter:description"]
    assert tags["og:title"] == tags["twitter:title"]
    card = SITE / "assets" / "cards" / f"{path.stem}.png"
    assert card.is_file()
    if "og:image" in tags:
        assert tags["og:image"].endswith(f"/assets/cards/{path.stem}.png")
        assert tags["og:url"].endswith(path.name)


def test_no_two_pages_have_the_same_title_or_description() -> None:
    for name in ("og:title", "og:description"):
        assert len({page_of(path).tags[name] for path in PROSE}) == len(PROSE)


@every_prose_page
def test_headings_form_an_outline(path: Path) -> None:
    levels = page_of(path).headings
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_the_site_map_lists_every_page_of_prose_and_robots_may_read_it() -> None:
    listed = re.findall(r"<loc>([^<]*)</loc>", (SITE / "sitemap.xml").read_text("utf-8"))
    reference = [built(path) for path in SOURCES if (DOCS / "api") in path.parents]
    assert sorted(urlsplit(place).path.rpartition("/")[2] for place in listed) == sorted(
        path.name for path in [*PROSE, *reference]
    )
    robots = (SITE / "robots.txt").read_text("utf-8")
    assert "Disallow" not in robots


@every_prose_page
def test_tooltips_are_nowhere_but_in_sentences(path: Path) -> None:
    html = path.read_text("utf-8")
    for element in ("h1", "h2", "h3", "h4", "svg", "figcaption", "summary", "code", "nav", "title"):
        for inside in re.findall(rf"<{element}\b[^>]*>(.*?)</{element}>", html, re.DOTALL):
            assert "<abbr" not in inside, element


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
    for page in (DOCS / "api").rglob("*.md"):
        ours = {name for name in page_of(built(page)).ids if "." in name}
        theirs = work / "site" / built(page).relative_to(SITE)
        assert ours <= set(Page(theirs).ids), page
