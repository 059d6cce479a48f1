"""Somebody else's site: made in an empty folder as docs/use-in-your-docs.md says, and used.

The commands, the configuration and the fence are those of the page, word for word. What a user has
besides is a theme with colors of its own.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

import pysims
from pysims.kernel import run_pattern
from pysims.link import link_from
from pysims.runtime.wheel import build
from tests.browser.conftest import SHOTS, Watch, ask, element_of, ready
from tests.catalog import PATTERNS
from tests.drivers.server import serving
from tests.wheels import ROOT, done, environment, lend

PAGE = (ROOT / "docs" / "use-in-your-docs.md").read_text("utf-8")
BLOCK = re.compile(
    r"^(?P<mark>```)(?P<kind>\w+)\n(?P<text>.*?)^(?P=mark)$", re.DOTALL | re.MULTILINE
)
FIGURE = "raft-split-vote"

MATERIAL = """
site_name: Our handbook
strict: true
use_directory_urls: false
theme:
  name: material
  font: false
  palette:
    - scheme: default
      primary: deep orange
      accent: pink
    - scheme: slate
      primary: teal
      accent: lime
"""
ZENSICAL = """
[project.theme]
variant = "{variant}"
font = false

[[project.theme.palette]]
scheme = "default"

[[project.theme.palette]]
scheme = "slate"
"""
HANDBOOK = """# Our handbook

How our cluster elects its leader, with a [link](every.md), `code`, and a list:

- one

| a | b |
|---|---|
| 1 | 2 |

{fence}
"""
SITES = ("material", "zensical-modern", "zensical-classic")
# The two looks of Zensical have one script; the second one is only looked at.
everywhere = pytest.mark.parametrize("site", SITES[:2], indirect=True, scope="module")
# What the theme draws; a style sheet of ours must change none of it.
HOST = (
    "body, .md-header, .md-content, h1, h1 ~ p, h1 ~ p a, h1 ~ p code, h1 ~ ul li, th, td, footer"
)


def blocks(kind: str) -> list[str]:
    """The blocks of code on the page in one language."""
    return [found["text"] for found in BLOCK.finditer(PAGE) if found["kind"] == kind]


def called(line: str, programs: Path, folder: Path) -> None:
    """Run a command of the page in a user's folder."""
    name, *rest = shlex.split(line)
    program: list[str | Path] = [programs / name]
    if name == "pip":
        program = [sys.executable, "-I", "-m", "pip", "--python", programs / "python"]
    done(*program, *rest, cwd=folder)


def installed(folder: Path) -> Path:
    """An environment in which the page's first command has been run; gives its programs."""
    programs = environment(folder / "env")
    build(folder)
    first, *_ = blocks("sh")
    called(first, programs, folder)
    lend(programs)
    return programs


def handbook(folder: Path, kind: str, programs: Path) -> Path:
    """Build somebody's site as the page says; gives the folder of the finished site."""
    (folder / "docs").mkdir(parents=True)
    [fence] = re.findall(r"(?ms)^    ```sim .*?^    ```$", PAGE)
    (folder / "docs" / "index.md").write_text(HANDBOOK.format(fence=dedent(fence)), "utf-8")
    every = "".join(f"```sim {pattern.id}\n```\n\n" for pattern in PATTERNS)
    (folder / "docs" / "every.md").write_text(f"# Every pattern\n\n{every}", "utf-8")
    for commands in blocks("sh")[1:]:
        for line in commands.splitlines():
            called(line, programs, folder)
    if kind == "material":
        [lines] = blocks("yaml")
        (folder / "mkdocs.yml").write_text(MATERIAL + lines, "utf-8")
        done(programs / "python", "-m", "mkdocs", "build", cwd=folder)
    else:
        [lines] = blocks("toml")
        theme = ZENSICAL.format(variant=kind.partition("-")[2])
        named = lines.replace("[project]\n", '[project]\nsite_name = "Our handbook"\n')
        (folder / "zensical.toml").write_text(named + theme, "utf-8")
        done(programs / "python", "-m", "zensical", "build", cwd=folder)
    return folder / "site"


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return installed(tmp_path_factory.mktemp("user"))


@dataclass(frozen=True)
class Site:
    """Somebody's site, and where it is served."""

    kind: str
    folder: Path
    origin: str

    def address(self, page: str) -> str:
        flat = self.kind == "material" or page == "index"
        return (
            f"{self.origin}/docs/{page}.html" if flat else f"{self.origin}/docs/{page}/index.html"
        )


@pytest.fixture(scope="module")
def site(
    request: pytest.FixtureRequest, programs: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    folder = handbook(tmp_path_factory.mktemp(request.param) / "handbook", request.param, programs)
    with serving(folder, prefix="/docs/", compress=True) as server:
        yield Site(request.param, folder, f"http://site.test:{server.port}")


@pytest.fixture
def there(context: BrowserContext, site: Site) -> Iterator[Page]:
    """The handbook in a browser; it asks nobody else for anything, and complains about nothing."""
    watch = Watch(context.new_page(), (site.origin,))
    watch.start()
    watch.page.goto(site.address("index"))
    yield watch.page
    watch.check()


def digest(widget: Any) -> str:
    """The digest of the run that a figure shows, from the browser."""
    found: str = ask(widget, {"do": "digest"})["digest"]
    return found


def digest_of(text: str) -> str:
    """The digest that CPython gives for the run that a link holds."""
    link = link_from(text)
    return run_pattern(link.pattern, link.params, link.script, link.seed, link.until_ms).digest


@everywhere
def test_a_figure_runs_steps_and_acts_as_it_does_at_home(there: Page) -> None:
    widget = ready(there, FIGURE)
    assert (
        ask(widget, {"do": "digest"})["digest"] == pysims.run("raft", "split-vote", seed=50).digest
    )
    before = widget.locator(".sim-says").inner_text()
    widget.get_by_label("Step forward").click()
    expect(widget.locator(".sim-says")).not_to_have_text(before)
    widget.get_by_label("Crash S1").click()
    expect(widget.locator(".sim-says")).to_contain_text("S1 crashes")
    shared = ask(widget, {"do": "link"})["link"]
    assert "Crash:server=S1" in shared
    assert digest(widget) == digest_of(shared)
    # What needs a page of its own for each run is offered by our site alone.
    widget.locator(f"#{FIGURE}-share").evaluate("e => { e.open = true; }")
    expect(widget.get_by_text("Copy link")).to_be_visible()
    expect(widget.get_by_text("Copy embed code")).to_be_hidden()


@everywhere
def test_patterns_give_the_digest_of_cpython(there: Page, site: Site) -> None:
    there.goto(site.address("every"))
    # All of them once; how they run does not depend on who has built the page.
    for pattern in PATTERNS if site.kind == "material" else PATTERNS[::6]:
        story = pattern.scenarios[0].id
        widget = there.locator(f"#{element_of(pattern.id, story)}")
        assert digest(widget) == pysims.run(pattern.id, story).digest, pattern.id


RESTYLED = """selector => {
  const own = [...document.querySelectorAll(selector)].filter(e => !e.closest("sim-widget"));
  const read = () => own.map(e => Object.fromEntries([...getComputedStyle(e)]
    .filter(name => !name.startsWith("--")).map(name => [name, getComputedStyle(e)[name]])));
  const ours = read();
  document.querySelector("link[href*='sim.css']").disabled = true;
  const theirs = read();
  return [own.length, own.flatMap((e, i) => Object.keys(ours[i])
    .filter(name => ours[i][name] !== theirs[i][name]).map(name => `${e.tagName} ${name}`))];
}"""
# The page is longer with figures that have no style.
LENGTH = {"block-size", "height", "perspective-origin", "transform-origin"}


@pytest.mark.parametrize("site", SITES, indirect=True, scope="module")
def test_a_figure_looks_right_and_changes_nothing_around_it(there: Page, site: Site) -> None:
    SHOTS.mkdir(exist_ok=True)
    widget = ready(there, FIGURE)
    looks: dict[str, Any] = {}
    for scheme in ("default", "slate"):
        there.evaluate("s => document.body.setAttribute('data-md-color-scheme', s)", scheme)
        looks[scheme] = widget.evaluate(
            """w => { const s = getComputedStyle(w.querySelector(".sim"));
              return [s.backgroundColor, s.color, s.fontFamily]; }"""
        )
        assert looks[scheme][2] == there.locator("h1 ~ p").first.evaluate(
            "p => getComputedStyle(p).fontFamily"
        )
        for width in (360, 1280):
            there.set_viewport_size({"width": width, "height": 1400})
            widget.evaluate("w => scrollTo(0, w.getBoundingClientRect().top + scrollY - 90)")
            there.screenshot(path=SHOTS / f"use-in-docs-{site.kind}-{scheme}-{width}.png")
            assert widget.evaluate("w => w.scrollWidth <= w.clientWidth"), "it fits its column"
    assert looks["default"][:2] == ["rgb(255, 255, 255)", "rgb(29, 36, 48)"]
    assert looks["slate"][:2] == ["rgb(27, 31, 38)", "rgb(230, 227, 220)"]
    there.wait_for_timeout(500)  # until the theme has faded from one scheme to the other
    count, changed = there.evaluate(RESTYLED, HOST)
    assert count > 8
    assert {name for name in changed if name.split()[1] not in LENGTH} == set()


@pytest.mark.parametrize("site", SITES[:1], indirect=True, scope="module")
def test_a_link_to_a_run_is_followed(context: BrowserContext, there: Page, site: Site) -> None:
    other = context.new_page()
    other.goto(f"{site.address('index')}#{FIGURE}?v=1&run=raft/split-vote&seed=7&at=300:20")
    widget = ready(other, FIGURE)
    assert (
        ask(widget, {"do": "digest"})["digest"] == pysims.run("raft", "split-vote", seed=7).digest
    )


@everywhere
def test_it_runs_under_the_policy_of_the_page_and_from_disk(
    context: BrowserContext, site: Site
) -> None:
    [sources] = blocks("text")
    # The themes have scripts and styles within their pages.
    policy = " ".join(sources.split("\n"))
    for kind in ("script-src", "style-src"):
        policy = policy.replace(f"{kind} 'self'", f"{kind} 'self' 'unsafe-inline'")
    policy += "default-src 'none'; img-src 'self' data:; font-src 'self' data:; base-uri 'self'"
    wanted = pysims.run("raft", "split-vote", seed=50).digest
    headers = {"Content-Security-Policy": policy}
    with serving(site.folder, prefix="/docs/", headers=headers) as server:
        page = context.new_page()
        page.goto(f"http://site.test:{server.port}/docs/index.html")
        assert digest(ready(page, FIGURE)) == wanted
    page = context.new_page()
    page.goto((site.folder / "index.html").as_uri())
    assert digest(ready(page, FIGURE)) == wanted
