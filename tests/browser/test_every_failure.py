"""Every failure, through the widget in its page: what stays, what is said, and what comes back.

The table in ARCHITECTURE.md is printed by this file (`test-results/failures.md`). Each row is
injected into the built site, on a server on this machine: only there, over HTTPS and from disk do
browsers offer hashing.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from pysims.offline import finish
from pysims.runtime.build import integrity
from tests.browser.conftest import PREFIX, SHOTS, SITE, ask, ready
from tests.drivers.server import StaticServer, serving

JUMP = "hash-ring-jump"
PAGE = "embed/hash_ring/jump.html"
DIGEST = {"do": "digest"}
ENTRY = "sim-runtime."
PARTS = ("interpreter.", "snapshot.", "glue.", "pyodide.", "hash_ring.")

# The limits of 30 and of 10 seconds, in a sixth of the time.
IMPATIENT = """(() => {
  const { setTimeout } = window;
  const shorter = (ms) => (ms === 30000 || ms === 10000 ? ms / 6 : ms);
  window.setTimeout = (f, ms, ...rest) => setTimeout(f, shorter(ms), ...rest);
})();"""
# No figure comes into sight, so nothing is asked for until a link names one.
OUT_OF_SIGHT = """window.IntersectionObserver = class {
  observe() {} unobserve() {} disconnect() {}
};"""
KEEP_WORKERS = """window.started = [];
window.Worker = class extends Worker {
  constructor(...given) { super(...given); window.started.push(this); }
};"""
# The worker's text is put together in the page, so something can be put before it.
IN_THE_WORKER = """(() => {
  const { createObjectURL } = URL;
  URL.createObjectURL = (blob) =>
    createObjectURL.call(URL, blob.type === "text/javascript" && !window.mended
      ? new Blob([%r, blob], { type: "text/javascript" }) : blob);
})();"""
NO_ROOM = """
  WebAssembly.instantiate = async () => {
    throw new RangeError("WebAssembly.instantiate(): Out of memory: Cannot allocate Wasm memory");
  };"""
NO_GROWTH = """
  WebAssembly.Memory.prototype.grow = () => {
    throw new RangeError("WebAssembly.Memory.grow(): Unable to grow instance memory");
  };"""


@dataclass
class Stage:
    """A site of its own on a server, a page of it, and the run that a reader has made there."""

    folder: Path
    stack: ExitStack
    server: StaticServer
    page: Page
    heard: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        return self.server.url(PAGE)

    @property
    def widget(self) -> Any:
        return self.page.locator(f"#{JUMP}")

    def stop_server(self) -> None:
        """The network is gone: nothing listens at the address any more."""
        self.stack.close()

    def start_server(self) -> None:
        """Something listens there again."""
        port = self.server.port
        self.server = self.stack.enter_context(serving(self.folder, prefix=PREFIX, port=port))


@pytest.fixture
def stage(browser: Browser, tmp_path: Path) -> Iterator[Stage]:
    folder = tmp_path / "site"
    shutil.copytree(SITE, folder, ignore=shutil.ignore_patterns("*.b64.js", "*.map"))
    # The service worker has tests of its own.
    context = browser.new_context(viewport={"width": 1000, "height": 800}, service_workers="block")
    context.set_default_timeout(20_000)
    with ExitStack() as stack:
        server = stack.enter_context(serving(folder, prefix=PREFIX))
        yield Stage(folder, stack, server, context.new_page())
    context.close()


@pytest.fixture(scope="module")
def run(browser: Browser) -> Iterator[tuple[str, str]]:
    """A run that a reader has changed: its link, and its digest."""
    with serving(SITE, prefix=PREFIX) as server:
        page = browser.new_page()
        page.goto(server.url(PAGE))
        widget = ready(page, JUMP)
        widget.get_by_label("Remove A").click()
        expect(widget.locator(".sim-says")).to_contain_text("A died")
        yield ask(widget, {"do": "link"})["link"], ask(widget, DIGEST)["digest"]
        page.close()


# --- Faults of files ------------------------------------------------------------------------------


def missing(_: bytes) -> None:
    """There is no such file."""


def truncated(content: bytes) -> bytes:
    """Half of it, which the server calls all."""
    return content[: len(content) // 2]


def altered(content: bytes) -> bytes:
    """One letter of the last comment, string or table is another; scripts still run."""
    if content.startswith(b"globalThis.__simManifest"):
        return content.replace(b"simulation", b"stimulation", 1)
    if b"__simFiles" in content[:40]:
        # The code of a pattern: another letter of its base64 near the end.
        return content[:-30] + bytes([content[-30] ^ 1]) + content[-29:]
    if content.startswith(b"\x1f\x8b"):
        # The modification time in gzip's header, which no checksum of gzip covers.
        return content[:4] + bytes([content[4] ^ 1]) + content[5:]
    return content + b"\n// Altered.\n"


MISSING = r"could not be found"
DAMAGED = r"arrived damaged"
CUT = r"[Tt]he connection (broke off|failed)"


@dataclass(frozen=True)
class Row:
    """A failure: what is done to the stage, the sentence, and how it ends."""

    name: str
    inject: Callable[[Stage], None]
    says: str
    mend: Callable[[Stage], None]
    before: str = ""
    again: str = "Try again"

    def __str__(self) -> str:
        return self.name


def of_a_file(part: str, how: str, says: str) -> Row:
    """A file of the runtime that is wrong in one way, until it is put right."""
    faults = {"missing": missing, "truncated": truncated, "altered": altered}
    name = part.rstrip(".")

    def inject(stage: Stage) -> None:
        if how in faults:
            stage.server.faults[f"{part}"] = faults[how]
        else:
            getattr(stage.server, how).add(part)

    def mend(stage: Stage) -> None:
        stage.server.faults.clear()
        stage.server.cut.clear()
        stage.server.stalled.clear()
        stage.server.released.set()

    label = (
        "sim-runtime.js" if part == ENTRY else {"hash_ring.": "a pattern's code"}.get(part, name)
    )
    before = IMPATIENT if how == "stalled" else ""
    ends = {"cut": "cut off halfway", "stalled": "stalled"}.get(how, how)
    return Row(f"{label}: {ends}", inject, says, mend, before)


FILES = [
    of_a_file(part, how, says)
    for part in (ENTRY, *PARTS)
    for how, says in {
        "missing": MISSING,
        "truncated": DAMAGED,
        "altered": DAMAGED,
        "cut": CUT,
        "stalled": r"did not come|stopped before it was complete",
    }.items()
]


@pytest.mark.parametrize("row", FILES, ids=str)
def test_a_file_of_the_runtime(stage: Stage, run: tuple[str, str], row: Row) -> None:
    row.inject(stage)
    fails_and_comes_back(stage, run, row)


def fails_and_comes_back(stage: Stage, run: tuple[str, str], row: Row) -> None:
    """While Python starts: the frame and text stay, a sentence, the run of the link after all."""
    link, digest = run
    page, widget = stage.page, stage.widget
    if row.before:
        page.add_init_script(row.before)
    # A script that stalls holds up the event `load`.
    page.goto(f"{stage.address}#{JUMP}?{link}", wait_until="domcontentloaded")
    first = widget.locator(".sim-says").inner_text()
    notice = widget.locator(".sim-notice--bad")
    expect(notice).to_contain_text(re.compile(row.says), timeout=25_000)
    note(row.name, notice)
    assert widget.locator(".sim-says").inner_text() == first
    expect(widget.locator(".sim-scene svg").first).to_be_visible()
    expect(page.locator("h1")).to_be_visible()
    row.mend(stage)
    notice.get_by_role("button", name=row.again).click()
    ready(page, JUMP)
    expect(widget.locator(".sim-notice")).to_have_count(0)
    assert ask(widget, DIGEST)["digest"] == digest


# --- What else can go wrong at the start ----------------------------------------------------------


def nothing(_: Stage) -> None:
    """Nothing needs to be done."""


def mended(stage: Stage) -> None:
    stage.page.evaluate("window.mended = true")


STARTS = [
    Row(
        "out of memory at the start", nothing, "ran out of memory", mended, IN_THE_WORKER % NO_ROOM
    ),
    Row(
        "a browser without WebAssembly",
        nothing,
        "WebAssembly is missing or switched off",
        lambda stage: stage.page.evaluate("window.WebAssembly = window.kept"),
        "window.kept = window.WebAssembly; delete window.WebAssembly;",
    ),
]


@pytest.mark.parametrize("row", STARTS, ids=str)
def test_a_start(stage: Stage, run: tuple[str, str], row: Row) -> None:
    fails_and_comes_back(stage, run, row)


def test_the_network_goes_before_the_runtime_has_come(stage: Stage, run: tuple[str, str]) -> None:
    link, digest = run
    stage.page.add_init_script(OUT_OF_SIGHT)
    stage.page.goto(stage.address)
    stage.stop_server()
    stage.page.evaluate("hash => { location.hash = hash; }", f"{JUMP}?{link}")
    notice = stage.widget.locator(".sim-notice--bad")
    expect(notice).to_contain_text(re.compile(CUT))
    note("no network before the runtime has come", notice)
    stage.start_server()
    notice.get_by_role("button", name="Try again").click()
    ready(stage.page, JUMP)
    assert ask(stage.widget, DIGEST)["digest"] == digest


def test_slow_is_no_failure(stage: Stage) -> None:
    stage.server.slow.add("snapshot.")
    stage.page.goto(stage.address)
    notice = stage.widget.locator(".sim-notice")
    expect(notice).to_contain_text(re.compile(r"Starting Python: \d\.\d of \d\.\d MB"))
    note("slow", notice)
    stage.widget.get_by_label("Remove A").click()
    expect(notice).to_contain_text("Your click is kept.")
    expect(stage.widget.locator(".sim-says")).to_contain_text("A died", timeout=40_000)


# --- In the middle of a visit ---------------------------------------------------------------------


def at_work(stage: Stage, before: str = "") -> str:
    """A reader has changed a run; returns its digest."""
    if before:
        stage.page.add_init_script(before)
    stage.page.goto(stage.address)
    widget = ready(stage.page, JUMP)
    widget.get_by_label("Remove A").click()
    expect(widget.locator(".sim-says")).to_contain_text("A died")
    digest: str = ask(widget, DIGEST)["digest"]
    return digest


def comes_back(stage: Stage, name: str, says: str, digest: str, again: str = "Try again") -> None:
    """The picture stands, a sentence says what happened, and the same run goes on."""
    notice = stage.widget.locator(".sim-notice--bad")
    expect(notice).to_contain_text(re.compile(says), timeout=30_000)
    note(name, notice)
    expect(stage.widget.locator(".sim-says")).to_contain_text("A died")
    notice.get_by_role("button", name=again).click()
    expect(stage.widget.locator(".sim-notice")).to_have_count(0, timeout=20_000)
    ready(stage.page, JUMP)
    assert ask(stage.widget, DIGEST)["digest"] == digest
    expect(stage.widget.locator(".sim-says")).to_contain_text("A died")


def test_the_worker_is_killed(stage: Stage) -> None:
    digest = at_work(stage, KEEP_WORKERS + IMPATIENT)
    stage.page.evaluate("window.started.at(-1).terminate()")
    stage.widget.get_by_label("Step back").click()
    comes_back(stage, "the worker killed", "did not answer", digest)


def test_the_worker_breaks(stage: Stage) -> None:
    digest = at_work(stage, KEEP_WORKERS)
    stage.page.evaluate(
        "window.started.at(-1).dispatchEvent(new ErrorEvent('error', {message: 'Aborted(). x'}))"
    )
    comes_back(stage, "the worker breaks", "stopped unexpectedly", digest)


def test_the_heap_is_full(stage: Stage) -> None:
    """Python gets no memory beyond what it began with, and a run is made that wants more."""
    digest = at_work(stage, IN_THE_WORKER % NO_GROWTH)
    stage.page.evaluate("window.mended = true")
    fill_the_heap(stage)
    comes_back(stage, "out of memory in a run", "ran out of memory", digest)


def fill_the_heap(stage: Stage) -> None:
    """Opens one run after the other, until there is no more room."""
    stage.widget.evaluate(
        """async (widget) => {
          const run = { do: "open", pattern: "hash_ring", scenario: "jump" };
          try {
            for (let n = 0; n < 5000; n += 1) await widget.desk.ask({ ...run, id: `other-${n}` });
          } catch { /* This is what was wanted. */ }
        }"""
    )


def test_the_network_goes_after_the_runtime_has_come(stage: Stage) -> None:
    """What was loaded goes on; a panel that was not says so, and comes when it is opened again."""
    digest = at_work(stage)
    stage.stop_server()
    stage.widget.get_by_label("Step back").click()
    stage.widget.get_by_label("Step forward").click()
    assert ask(stage.widget, DIGEST)["digest"] == digest
    summary = stage.widget.locator("summary", has_text="Code that ran")
    summary.click()
    box = stage.widget.locator("details[data-panel=code] .sim-own")
    expect(box).to_contain_text(re.compile(CUT))
    note("no network when a panel is opened", box)
    stage.start_server()
    summary.click()
    summary.click()
    expect(box).to_contain_text("def ", timeout=20_000)
    assert ask(stage.widget, DIGEST)["digest"] == digest


PANELS = {
    "panel-code.js": "arrived damaged or altered, and was not used",
    "panel-code.css": "arrived damaged or altered, and was not used",
    "hash_ring.sources.": "arrived damaged",
}


@pytest.mark.parametrize("part", PANELS)
def test_a_panel_that_was_altered(stage: Stage, part: str) -> None:
    digest = at_work(stage)
    stage.server.faults[part] = altered
    summary = stage.widget.locator("summary", has_text="Code that ran")
    summary.click()
    box = stage.widget.locator("details[data-panel=code] .sim-own")
    expect(box).to_contain_text(PANELS[part])
    note(f"{part.rstrip('.')}: altered", box)
    stage.server.faults.clear()
    summary.click()
    summary.click()
    expect(box).to_contain_text("def ", timeout=20_000)
    assert ask(stage.widget, DIGEST)["digest"] == digest


def test_an_editor_that_was_altered(stage: Stage) -> None:
    at_work(stage)
    stage.server.faults["editor."] = altered
    found = stage.page.evaluate(
        "simRuntime.editor().then(() => null, ({code, message}) => ({code, message}))"
    )
    assert found["code"] == "file-damaged"
    assert not stage.page.evaluate("'simEditor' in window")
    note_text("the editor: altered", found["message"])
    stage.server.faults.clear()
    assert stage.page.evaluate("simRuntime.editor().then((editor) => typeof editor.open)") == (
        "function"
    )


# --- A deploy under an open page ------------------------------------------------------------------


def deploy(folder: Path) -> None:
    """Puts another build of the site into its place: other names, another runtime, other pages."""
    runtime = folder / "assets" / "runtime"
    texts = {}
    for name in ("sim-runtime.js", "manifest.js"):
        text = (runtime / name).read_text("utf-8")
        texts[name] = re.sub(r'"build":"[0-9a-f]+"', '"build":"00000000beef"', text)
    for path in list(runtime.glob("hash_ring.*")):
        old = path.name
        new = re.sub(r"\.[0-9a-f]{12}\.", ".00000000beef.", old)
        content = path.read_bytes().replace(old.encode(), new.encode())
        path.unlink()
        (runtime / new).write_bytes(content)
        was = f'"{old}":"sha256-'
        for name, text in texts.items():
            assert was in text
            changed = re.sub(
                re.escape(was) + r'[^"]*"', f'"{new}":"{integrity(content)}"', text
            ).replace(f'"{old}"', f'"{new}"')
            texts[name] = changed
    for name, text in texts.items():
        (runtime / name).write_text(text, "utf-8")
    for page in folder.rglob("*.html"):
        text = page.read_text("utf-8")
        page.write_text(text.replace("</h1>", " (second edition)</h1>", 1), "utf-8")
    finish(folder)


UPDATED = "This site has been updated since this page was opened"


def test_a_deploy_before_the_runtime_has_come(stage: Stage, run: tuple[str, str]) -> None:
    link, digest = run
    stage.page.add_init_script(OUT_OF_SIGHT)
    stage.page.goto(stage.address)
    deploy(stage.folder)
    stage.page.evaluate("hash => { location.hash = hash; }", f"{JUMP}?{link}")
    notice = stage.widget.locator(".sim-notice--bad")
    expect(notice).to_contain_text(UPDATED)
    note("the site was updated before the runtime came", notice)
    expect(stage.page.locator("h1")).not_to_contain_text("second edition")
    notice.get_by_role("button", name="Reload the page").click()
    expect(stage.page.locator("h1")).to_contain_text("second edition")
    ready(stage.page, JUMP)
    assert ask(stage.widget, DIGEST)["digest"] == digest
    assert stage.page.evaluate("__simManifest.build") == "00000000beef"


@pytest.mark.parametrize("storage", ["allowed", "forbidden"])
def test_a_deploy_in_the_middle_of_a_run(stage: Stage, storage: str) -> None:
    forbid = """Object.defineProperty(window, "sessionStorage", {
      get() { throw new DOMException("Storage is forbidden here.", "SecurityError"); }
    });"""
    before = KEEP_WORKERS + IMPATIENT + (forbid if storage == "forbidden" else "")
    digest = at_work(stage, before)
    deploy(stage.folder)
    # The browser may still have the old file, and the page would go on with that.
    old = re.compile(r"/hash_ring\.(?!00000000beef)")
    stage.page.route(old, lambda route: route.fulfill(status=404, body="gone"))
    stage.page.evaluate("window.started.at(-1).terminate()")
    stage.widget.get_by_label("Step back").click()
    notice = stage.widget.locator(".sim-notice--bad")
    expect(notice).to_contain_text("did not answer", timeout=30_000)
    notice.get_by_role("button", name="Try again").click()
    comes_back(stage, "the site was updated in mid-visit", UPDATED, digest, "Reload the page")
    expect(stage.page.locator("h1")).to_contain_text("second edition")
    assert stage.page.evaluate("__simManifest.build") == "00000000beef"


def test_a_panel_after_a_deploy(stage: Stage) -> None:
    """The sources have another name now; the reader reloads by himself, and has his run again."""
    digest = at_work(stage)
    deploy(stage.folder)
    stage.widget.locator("summary", has_text="Code that ran").click()
    box = stage.widget.locator("details[data-panel=code] .sim-own")
    expect(box).to_contain_text(UPDATED)
    note("the site was updated before a panel was opened", box)
    stage.page.reload()
    expect(stage.page.locator("h1")).to_contain_text("second edition")
    ready(stage.page, JUMP)
    assert ask(stage.widget, DIGEST)["digest"] == digest


# --- No JavaScript, no storage --------------------------------------------------------------------


def test_without_javascript(browser: Browser, stage: Stage) -> None:
    context: BrowserContext = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(stage.address)
    expect(page.locator("noscript p")).to_contain_text("JavaScript is switched off")
    expect(page.locator("noscript p")).to_be_visible()
    note_text("no JavaScript", page.locator("noscript p").inner_text())
    expect(page.locator(f"#{JUMP} .sim-says")).to_contain_text("B died")
    expect(page.locator(f"#{JUMP} .sim-scene svg").first).to_be_visible()
    expect(page.locator(f"#{JUMP} .sim-transport")).to_be_hidden()
    page.goto(stage.server.url("consistent-hashing.html"))
    expect(page.locator("noscript p").first).to_be_visible()
    context.close()


def test_with_storage_forbidden(stage: Stage) -> None:
    """Nothing of it is needed; nothing is said."""
    forbid = "".join(
        f"""Object.defineProperty(window, "{name}", {{
          get() {{ throw new DOMException("Forbidden here.", "SecurityError"); }} }});"""
        for name in ("sessionStorage", "localStorage", "indexedDB", "caches")
    )
    at_work(stage, forbid)
    expect(stage.widget.locator(".sim-notice")).to_have_count(0)


# --- The table ------------------------------------------------------------------------------------


def note(name: str, box: Any) -> None:
    """Writes down what was said, for the table."""
    text = box.evaluate(
        "e => [...e.childNodes].filter(n => n.nodeName !== 'BUTTON')"
        ".map(n => n.textContent).join('')"
    )
    note_text(name, text)


def note_text(name: str, text: str) -> None:
    """One row of `test-results/failures.md`; names of files lose their digests."""
    says = re.sub(r"\.[0-9a-f]{12}\.", ".….", " ".join(text.split()))
    path = SHOTS / "failures.md"
    head = ["| what goes wrong | what the reader is told |", "|---|---|"]
    rows = path.read_text("utf-8").splitlines()[len(head) :] if path.exists() else []
    rows = [row for row in rows if not row.startswith(f"| {name} |")]
    rows.append(f"| {name} | {says} |")
    path.write_text("\n".join([*head, *sorted(rows)]) + "\n", "utf-8")
