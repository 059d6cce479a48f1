"""The built site in a real Chromium: served as GitHub Pages serves it, from disk, and embedded."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Error,
    Frame,
    Page,
    Playwright,
    sync_playwright,
)

from pysims.kernel import Pattern
from tests.browsers import BrowserNotFoundError, all_browsers_required, chromium_path
from tests.drivers import places
from tests.drivers.page import wait_for
from tests.drivers.server import StaticServer, serving
from tests.drivers.tabs import Keeper, Tab, chromium_tab_of, tab

ROOT = Path(__file__).parents[2]
SITE = ROOT / "site"
SHOTS = ROOT / "test-results"
PREFIX = "/how-systems-survive-chaos/"
# Two registrable names, so that a page of one is another *site* to the other.
HOSTS = "MAP site.test 127.0.0.1, MAP blog.example 127.0.0.1"
# Chromium heeds one list only, so what Playwright itself switches off is said again. The rest are
# suggestions below the address bar: a hidden page, with a process of its own, for every window.
SWITCHED_OFF = (
    "AvoidUnnecessaryBeforeUnloadCheckSync,DestroyProfileOnBrowserClose,HttpsUpgrades,"
    "HttpsFirstBalancedModeAutoEnable,LensOverlay,MediaRouter,PaintHolding,"
    "ThirdPartyStoragePartitioning,AvoidCorsURLLoaderRestartOnRedirect,TcpPortRandomizationWin,"
    "OptimizationHints,NetworkTimeServiceQuerying,AimEnabled,PreconnectToSearch,"
    "WebUIOmniboxPopup,WebUIOmniboxAimPopup,WebUIOmniboxFullPopup"
)
ARGUMENTS = [
    f"--disable-features={SWITCHED_OFF}",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    f"--host-resolver-rules={HOSTS}",
]


# A test is over before V8's second compiler has paid for itself, and while it works, it takes the
# core that the next test waits for. The matrix of browsers and the benchmarks keep both.
ONE_COMPILER = "--js-flags=--liftoff-only"

# GitHub Pages compresses text, lets any origin read, and isolates nothing (no COOP, no COEP).
CORS = {"Access-Control-Allow-Origin": "*"}


AXE = ROOT / ".ci" / "node_modules" / "axe-core" / "axe.min.js"

BLOG = """<!doctype html><meta charset="utf-8"><title>A blog</title>
<link rel="icon" href="data:,">
<p>Before the widget.</p>
<iframe title="Jump hash" src="{src}" {attributes} style="width: 100%; border: 0"></iframe>
<script>
  window.told = [];
  addEventListener("message", (event) => {{
    if (event.data?.source !== "survive-chaos") return;
    told.push({{...event.data, origin: event.origin}});
    if (event.data.type === "resize") {{
      document.querySelector("iframe").style.height = event.data.height + "px";
    }}
  }});
</script>"""

SANDBOXES = {"plain": "", "sandboxed": 'sandbox="allow-scripts"'}


@dataclass
class Watch:
    """What a page asked for, and what it complained about."""

    page: Page
    origins: tuple[str, ...]
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    expected: Callable[[str], bool] = lambda text: False

    def start(self) -> None:
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self.hear)

    def hear(self, message: Any) -> None:
        if message.type in ("error", "warning") and not self.expected(message.text):
            self.errors.append(f"{message.type}: {message.text}")

    def check(self) -> None:
        """Nothing foreign was asked for, and nothing went wrong."""
        own = ("data:", "blob:", "about:", *self.origins)
        assert [url for url in self.requests if not url.startswith(own)] == []
        assert self.errors == []

    def runtime(self) -> list[str]:
        """The requests for files of the runtime."""
        return [url for url in self.requests if "/assets/runtime/" in url]


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    assert (SITE / "index.html").exists(), "there is no built site: `make site` builds it"
    SHOTS.mkdir(exist_ok=True)
    with sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    arguments = [*ARGUMENTS, ONE_COMPILER]
    browser = playwright.chromium.launch(executable_path=chromium_path(), args=arguments)
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def origin() -> Iterator[str]:
    """The site's own origin: a name of its own, not localhost, which browsers trust more."""
    with serving(SITE, prefix=PREFIX, compress=True, headers=CORS) as server:
        yield f"http://site.test:{server.port}"


@pytest.fixture(scope="session")
def published() -> Iterator[StaticServer]:
    """A copy of the site for the matrix of browsers and places, on a server."""
    with places.published(SITE) as server:
        yield server


@contextmanager
def tab_or_skip(browser: str, port: int) -> Iterator[Tab]:
    """A browser for pages of a server on a port; a missing one fails only if it must be there."""
    try:
        with tab(browser, port) as opened:
            yield opened
    except BrowserNotFoundError as missing:
        if all_browsers_required():
            raise
        pytest.skip(f"{browser}: {missing}")


@pytest.fixture(scope="class")
def keeper(request: pytest.FixtureRequest, published: StaticServer) -> Iterator[Keeper]:
    """The browser of a class of the matrix, which names it, for all of its tests."""
    name = request.cls.BROWSER
    if name == "Chromium":
        kept = Keeper(lambda: chromium_tab_of(request.getfixturevalue("playwright")))
    else:
        kept = Keeper(lambda: tab_or_skip(name, published.port))
    yield kept
    kept.close()


@pytest.fixture
def opened(keeper: Keeper) -> Tab:
    """Its tab."""
    return keeper.tab()


@pytest.fixture
def address(origin: str) -> str:
    return origin + PREFIX


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(20_000)
    yield context
    context.close()


@pytest.fixture
def watch(context: BrowserContext, origin: str) -> Iterator[Watch]:
    """A page that is watched; the check at the end is part of every test that uses it."""
    watch = Watch(context.new_page(), (origin,))
    watch.start()
    yield watch
    watch.check()


@pytest.fixture
def page(watch: Watch) -> Page:
    return watch.page


@pytest.fixture(scope="session")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, unpacked in a folder whose name is hard on addresses."""
    folder = tmp_path_factory.mktemp("from disk") / "a folder with spaces & ünïcode"
    shutil.copytree(SITE, folder)
    return folder


def ready(page: Any, widget: str, timeout_ms: int = 30_000) -> Any:
    """The widget, once Python has drawn it."""
    found = page.locator(f"#{widget}")
    found.scroll_into_view_if_needed()
    page.locator(f"#{widget}[data-ready]").wait_for(timeout=timeout_ms)
    return found


def comes_true(page: Page | Frame, expression: str, timeout_s: float = 20.0) -> Any:
    """Waits until JavaScript is true in a page of ours.

    `wait_for_function` would evaluate a text there by itself, which the page's policy forbids.
    """

    def evaluate(text: str) -> Any:
        # A page that is left behind meanwhile says so; the next one is asked again.
        with suppress(Error):
            return page.evaluate(text)

    return wait_for(evaluate, expression, timeout_s)


def ask(widget: Any, message: dict[str, Any]) -> dict[str, Any]:
    """What the widget's worker answers."""
    answer: dict[str, Any] = widget.evaluate("(element, m) => element.ask(m)", message)
    assert "error" not in answer, json.dumps(answer)
    return answer


def runs_in(widget: Any, pattern: Pattern) -> Iterator[tuple[str, str]]:
    """Digest and first frame of each story of the pattern, from the worker of this page."""
    for scenario in pattern.scenarios:
        name = element_of(pattern.id, scenario.id)
        story = {"pattern": pattern.id, "scenario": scenario.id}
        frame = ask(widget, {"do": "open", "id": name, **story})["html"]
        yield ask(widget, {"do": "digest", "id": name})["digest"], frame


@pytest.fixture
def blog(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    folder = tmp_path / "blog"
    folder.mkdir()
    with serving(folder, prefix=PREFIX) as server:
        yield folder, f"http://blog.example:{server.port}"


def visit(page: Page, blog: tuple[Path, str], src: str, attributes: str = "") -> Frame:
    folder, origin = blog
    (folder / "post.html").write_text(BLOG.format(src=src, attributes=attributes), "utf-8")
    page.goto(f"{origin}{PREFIX}post.html")
    frame = page.frames[1]
    frame.wait_for_load_state()
    return frame


def element_of(pattern_id: str, scenario: str) -> str:
    """The id of a figure in a page."""
    return f"{pattern_id}-{scenario}".replace("_", "-")


def unfold(widget: Any) -> None:
    """Open every panel."""
    for panel in widget.locator("details").all():
        panel.evaluate("e => { e.open = true; }")


# WCAG 2.2 at level AA with all that it took over, and axe's own advice. Named, because by default
# axe leaves out what WCAG 2.2 has added: the size of targets.
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def violations(page: Page, within: str | None = None) -> list[str]:
    """What axe finds in the page, or in the element that a selector names."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text("utf-8"))
    found: list[dict[str, Any]] = page.evaluate(
        """([within, values]) => axe.run(
          within ?? document, {resultTypes: ['violations'], runOnly: {type: 'tag', values}}
        ).then(r => r.violations)""",
        [within, RULES],
    )
    return [f"{rule['id']}: {rule['help']} ({rule['nodes'][0]['html'][:160]})" for rule in found]


def lay_out_everything(page: Page) -> None:
    """Far figures are not laid out (sim.css); who measures a whole page wants them to be."""
    restyle(page, "sim-widget { content-visibility: visible !important; }")


def restyle(page: Page, css: str) -> None:
    """Styles of a reader's own, which no content security policy of the page forbids."""
    page.evaluate(
        """css => {
          const sheet = new CSSStyleSheet();
          sheet.replaceSync(css);
          document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
        }""",
        css,
    )


def too_small(widget: Any) -> list[str]:
    """The controls of a widget that a finger could miss: below 24 px."""
    found: list[str] = widget.evaluate(
        """w => [...w.querySelectorAll('button, select, input, summary')]
          .filter(e => e.checkVisibility())
          .map(e => [e.id || e.textContent.trim(), e.getBoundingClientRect()])
          .filter(([, r]) => r.width < 24 || r.height < 24).map(([name]) => name)"""
    )
    return found
