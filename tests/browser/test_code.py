"""The code panel: lines that ran, line by line, and a model that the reader changes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

import pysims
from pysims.kernel import Pattern
from pysims.widget.ran import ran
from pysims.widget.session import opened
from tests.browser.conftest import (
    SANDBOXES,
    SHOTS,
    Watch,
    ask,
    element_of,
    ready,
    too_small,
    violations,
    visit,
)
from tests.catalog import PATTERNS

# A story of each, something to change in its model, and what the reader sees of it.
CHANGES = {
    "raft": ("leader-crash", "        voted_for=server.id,", '        voted_for="",'),
    "hash_ring": ("jump", "    needless_total: int = 0", "    needless_total: int = 5"),
    "saga": (
        "all-works",
        "ctx.after(customer.at_ms, Arrive(customer))",
        "ctx.after(7, Arrive(customer))",
    ),
}
MODELS = {name: Path(f"pysims/patterns/{name}/model.py") for name in CHANGES}
LOOP = ("def update(", "while True:\n    pass\n\n\ndef update(")


PASTE = """(editor, text) => {
  const clipboardData = new DataTransfer();
  clipboardData.setData("text/plain", text);
  const how = { clipboardData, bubbles: true, cancelable: true };
  editor.dispatchEvent(new ClipboardEvent("paste", how));
}"""


def story(page: Any, root: str, pattern: str) -> Any:
    name = CHANGES[pattern][0]
    page.goto(f"{root}embed/{pattern}/{name}.html")
    return ready(page, element_of(pattern, name))


def panel_of(widget: Any) -> Any:
    """The code panel, opened, with the lines of the event on show."""
    panel = widget.locator("details[data-panel=code]")
    panel.locator("summary").click()
    expect(panel.locator(".sim-code-says")).to_contain_text("ran", timeout=20_000)
    return panel


def source_of(pattern: str) -> str:
    return (Path(__file__).parents[2] / MODELS[pattern]).read_text("utf-8")


def written(panel: Any, text: str) -> None:
    """The reader pastes a whole new text into the editor, and runs it."""
    if not panel.locator(".cm-content").count():
        panel.get_by_role("button", name="model.py").click()
        panel.get_by_role("button", name="Edit", exact=True).click()
    editor = panel.locator(".cm-content")
    expect(editor).to_be_visible(timeout=20_000)
    editor.click()
    editor.press("ControlOrMeta+a")
    editor.evaluate(PASTE, text)
    panel.get_by_role("button", name="Run it").click()


def swapped(pattern: str, old: str, new: str) -> str:
    text = source_of(pattern)
    assert text.count(old) == 1, old
    return text.replace(old, new)


# --- What ran -------------------------------------------------------------------------------------


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda p: p.id)
def test_the_lines_of_the_event_on_show_are_lit(page: Page, address: str, pattern: Pattern) -> None:
    page.goto(f"{address}embed/{pattern.id}.html")
    first = pattern.scenarios[0].id
    widget = ready(page, element_of(pattern.id, first))
    panel = panel_of(widget)
    expect(panel.locator(".sim-code-ran").first).to_be_visible()
    here, there = ask(widget, {"do": "ran"})["ran"], ran(opened("x", pattern.id, first))
    for what in ("event", "changes", "scheduled", "same"):
        as_json = (
            [list(row) for row in there[what]] if isinstance(there[what], list) else there[what]
        )
        assert here[what] == as_json, what
    lit = {
        int(row)
        for row in panel.locator(".sim-code-ran").evaluate_all("l => l.map(e => e.dataset.line)")
    }
    short = panel.locator(".sim-code-tabs [aria-pressed=true]").inner_text().split()[0]
    number = next(i for i, m in enumerate(here["modules"]) if m.endswith(f".{short[:-3]}"))
    ran_here = [row[1] for row in (*here["lines"], *here["steps"]) if row[0] == number]
    assert lit == set(ran_here)
    assert panel.locator(".sim-code-changes tbody tr").count() == len(here["changes"])


@pytest.mark.parametrize("pattern", CHANGES)
def test_it_works_from_disk(context: BrowserContext, disk: Path, pattern: str) -> None:
    watch = Watch(context.new_page(), (disk.as_uri(),))
    watch.start()
    widget = story(watch.page, f"{disk.as_uri()}/", pattern)
    reads_and_changes(widget, pattern)
    watch.check()


@pytest.mark.parametrize("sandbox", SANDBOXES)
@pytest.mark.parametrize("pattern", CHANGES)
def test_it_works_in_a_frame(
    context: BrowserContext,
    blog: tuple[Path, str],
    origin: str,
    address: str,
    pattern: str,
    sandbox: str,
) -> None:
    watch = Watch(context.new_page(), (origin, blog[1]))
    watch.start()
    name = CHANGES[pattern][0]
    frame = visit(watch.page, blog, f"{address}embed/{pattern}/{name}.html", SANDBOXES[sandbox])
    reads_and_changes(ready(frame, element_of(pattern, name)), pattern)
    watch.check()


def reads_and_changes(widget: Any, pattern: str) -> None:
    """The whole way of a reader: read, change, compare, restore."""
    name, old, new = CHANGES[pattern]
    panel = panel_of(widget)
    before = ask(widget, {"do": "digest"})
    assert before["digest"] == pysims.run(pattern, name).digest
    written(panel, swapped(pattern, old, new))
    expect(panel.locator(".sim-code-head")).to_contain_text(re.compile("run"), timeout=30_000)
    expect(widget).to_have_attribute("data-edited", "")
    panel.get_by_role("button", name="Restore").click()
    expect(panel.locator(".sim-code-trouble")).to_contain_text("The original code is back")
    assert ask(widget, {"do": "digest"}) == before


def test_a_shut_panel_asks_and_loads_nothing(page: Page, address: str) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    widget = story(page, address, "raft")
    widget.evaluate(
        """(element) => {
          globalThis.sent = [];
          const { desk } = element;
          const ask = desk.ask.bind(desk);
          desk.ask = (message) => (globalThis.sent.push(message.do), ask(message));
        }"""
    )
    widget.get_by_label("Step forward").click()
    expect(widget.locator(".sim-clock")).to_contain_text("event 118")
    assert page.evaluate("globalThis.sent") == ["step"]
    assert not [url for url in asked if re.search(r"panel-|\.sources\.|editor\.", url)]
    panel = panel_of(widget)
    assert "ran" in page.evaluate("globalThis.sent")
    assert [url for url in asked if ".sources." in url]
    assert not [url for url in asked if "/editor." in url]
    panel.locator("summary").click()
    page.evaluate("globalThis.sent.length = 0")
    widget.get_by_label("Step forward").click()
    expect(widget.locator(".sim-clock")).to_contain_text("event 119")
    assert page.evaluate("globalThis.sent") == ["step"]


def test_a_reader_walks_through_an_election_line_by_line(page: Page, address: str) -> None:
    widget = story(page, address, "raft")
    panel = panel_of(widget)
    widget.get_by_label("To the start").click()
    says, where = panel.locator(".sim-code-says"), panel.locator(".sim-code-where")
    expect(says).to_contain_text("The start of the run")
    widget.get_by_label("Step forward").click()
    expect(says).to_contain_text("ElectionAlarm(server='S2')")
    panel.get_by_role("button", name="First line").click()
    expect(where).to_contain_text("Before the first of")
    code = panel.locator(".sim-code-view")
    code.focus()
    seen = []
    for _ in range(400):
        code.press("ArrowRight")
        text = where.inner_text()
        if text.startswith("All "):
            break
        seen.append(text)
        assert panel.locator(".sim-code-now").count() == 1
    functions = list(dict.fromkeys(re.findall(r" in (\w+),", " ".join(seen))))
    assert functions.index("start_election") < functions.index("become_candidate")
    assert "reset_election_timer" in functions
    assert any("current_term = 1" in text for text in seen)
    # Behind the last line comes the first line of the next event.
    code.press("ArrowRight")
    expect(says).not_to_contain_text("ElectionAlarm(server='S2')")
    expect(where).to_contain_text("Before the first of")
    code.press("ArrowLeft")
    assert "sim-code-view" in page.evaluate("document.activeElement.className")


def test_next_line_begins_an_event_that_was_come_to_by_another_way(
    page: Page, address: str
) -> None:
    widget = story(page, address, "raft")
    panel = panel_of(widget)
    where, forward = panel.locator(".sim-code-where"), panel.get_by_role("button", name="Next line")
    for _ in range(2):
        forward.click()
        expect(where).to_contain_text("Step 1 of")
        says = panel.locator(".sim-code-says").inner_text()
        widget.get_by_label("Step forward").click()
        expect(panel.locator(".sim-code-says")).not_to_have_text(says)
        expect(where).to_contain_text("All ")


def test_a_click_on_a_line_goes_to_it_and_walking_stops(page: Page, address: str) -> None:
    widget = story(page, address, "raft")
    panel = panel_of(widget)
    panel.locator(".sim-code-will .sim-code-text").nth(3).click()
    expect(panel.locator(".sim-code-now")).to_have_count(1)
    panel.get_by_role("button", name="Walk").click()
    first = panel.locator(".sim-code-where").inner_text()
    expect(panel.locator(".sim-code-where")).not_to_have_text(first)
    panel.get_by_role("button", name="Stop").click()
    stands = panel.locator(".sim-code-where").inner_text()
    page.wait_for_timeout(900)
    assert panel.locator(".sim-code-where").inner_text() == stands


def test_what_did_not_run_is_folded_and_unfolds(page: Page, address: str) -> None:
    widget = story(page, address, "raft")
    panel = panel_of(widget)
    lines = panel.locator(".sim-code-line")
    folded = lines.count()
    panel.locator(".sim-code-gap").first.click()
    assert lines.count() > folded
    panel.get_by_label("Only the functions that ran").uncheck()
    expect(lines).to_have_count(source_of("raft").count("\n"))
    text = "\n".join(panel.locator(".sim-code-text").all_inner_texts())
    assert [line.rstrip() for line in text.split("\n")] == source_of("raft").rstrip().split("\n")


def test_a_rule_leads_to_the_paper_and_a_line_to_the_repository(page: Page, address: str) -> None:
    widget = story(page, address, "raft")
    page.evaluate(
        """() => {
          const meta = document.createElement("meta");
          meta.name = "sim-source";
          meta.content = "https://example.org/us/blob/main/";
          document.querySelector('meta[name="sim-source"]')?.remove();
          document.head.append(meta);
        }"""
    )
    panel = panel_of(widget)
    row = panel.locator(".sim-code-line").first
    number = row.locator(".sim-code-number")
    line = number.inner_text()
    href = f"https://example.org/us/blob/main/pysims/patterns/raft/model.py#L{line}"
    expect(number).to_have_attribute("href", href)
    cited = panel.locator(".sim-code-text a", has_text="Figure 2").first
    expect(cited).to_have_attribute("href", "https://raft.github.io/raft.pdf#page=4")


# --- Changed code ---------------------------------------------------------------------------------


def test_both_runs_stand_beside_each_other(page: Page, address: str) -> None:
    widget = story(page, address, "raft")
    panel = panel_of(widget)
    name, old, new = CHANGES["raft"]
    written(panel, swapped("raft", old, new))
    head = panel.locator(".sim-code-head")
    expect(head).to_contain_text("The runs agree for 4 events and then part", timeout=30_000)
    ours, theirs = panel.locator(".sim-code-row--new"), panel.locator(".sim-code-row--old")
    expect(theirs.first).to_contain_text("S5 refuses S2 its vote")
    expect(ours.first).to_contain_text("S5 votes for S2")
    ours.first.get_by_role("button").click()
    expect(widget.locator(".sim-says")).to_contain_text("S5 votes for S2")
    expect(widget.locator(".sim-title")).to_have_text("The leader crashes")
    # It can be acted on like any run, and its lines are the reader's.
    widget.get_by_label("Step forward").click()
    expect(panel.locator(".sim-code-says")).to_contain_text("ran")
    expect(panel.get_by_role("button", name="model.py (changed)")).to_be_visible()
    # A link holds the run, and never the code.
    widget.locator("summary", has_text="Share this run").click()
    widget.get_by_role("button", name="Copy link").click()
    link = widget.locator(".sim-shared textarea").input_value()
    assert "voted_for" not in link
    expect(widget.locator(".sim-shared")).to_contain_text("not your change of the code")
    page.goto("about:blank")
    page.goto(link)
    again = ready(page, element_of("raft", name))
    assert ask(again, {"do": "digest"})["digest"] == pysims.run("raft", name).digest
    assert again.get_attribute("data-edited") is None


TROUBLE = {
    "syntax": (("def step_down(", "def step_down(("), "def step_down(", "SyntaxError"),
    "import": (("NEVER_MS = 2**40", "NEVER_MS = 1 / 0"), "NEVER_MS = 2**40", "ZeroDivisionError"),
    "run": (
        ("    last = len(server.log)\n", "    last = len(server.log) // 0\n"),
        "    last = len(server.log)\n",
        "ZeroDivisionError",
    ),
    "flood": (
        (
            "return heartbeat_is_due(state, event, ctx)",
            "return ctx.after(0, event) or state",
        ),
        "",
        "after its limit of 20000 events",
    ),
}


@pytest.mark.parametrize("kind", TROUBLE)
def test_what_is_wrong_is_told_at_its_line(page: Page, address: str, kind: str) -> None:
    widget = story(page, address, "raft")
    before = ask(widget, {"do": "digest"})
    panel = panel_of(widget)
    swap, line_of, says = TROUBLE[kind]
    written(panel, swapped("raft", *swap))
    trouble = panel.locator(".sim-code-trouble")
    expect(trouble).to_contain_text(says, timeout=30_000)
    if line_of:
        source = source_of("raft")
        line = source[: source.index(line_of)].count("\n") + 1
        expect(trouble).to_contain_text(f"Line {line}: ")
        expect(panel.locator(".sim-edit-bad")).to_be_visible()
    assert ask(widget, {"do": "digest"}) == before
    assert widget.get_attribute("data-edited") is None


def test_a_model_that_loops_forever_is_stopped_and_the_page_lives_on(
    page: Page, address: str
) -> None:
    page.goto(f"{address}leader-election.html")
    figures = page.locator("sim-widget[data-pattern=raft]")
    name, other = (str(figures.nth(i).get_attribute("id")) for i in (0, 1))
    widget = ready(page, name)
    panel = panel_of(widget)
    before = ask(widget, {"do": "digest"})
    written(panel, swapped("raft", *LOOP))
    expect(panel.locator(".sim-code-trouble")).to_contain_text("Running your code")
    # Meanwhile the other figures run.
    second = ready(page, other)
    second.get_by_label("Step back").click()
    expect(panel.locator(".sim-code-trouble")).to_contain_text(
        "Your code ran for 8 seconds without an end and was stopped", timeout=30_000
    )
    assert ask(widget, {"do": "digest"}) == before
    panel.get_by_role("button", name="Cancel").click()
    widget.get_by_label("Step back").click()
    expect(widget.locator(".sim-notice")).to_have_count(0)
    # The reader's text is kept.
    panel.get_by_role("button", name="Edit", exact=True).click()
    expect(panel.locator(".cm-content")).to_be_visible()


TIMED_OUT = "            return time_out(state, server, ctx)"
HANG = (TIMED_OUT, "            while True:\n                pass")
FAIL = (TIMED_OUT, "            return 1 // 0")


def test_a_changed_model_that_hangs_later_gives_way_to_the_original(
    page: Page, address: str
) -> None:
    widget = story(page, address, "raft")
    before = ask(widget, {"do": "digest"})
    panel = panel_of(widget)
    written(panel, swapped("raft", *HANG))
    expect(panel.locator(".sim-code-head")).to_contain_text("same run", timeout=30_000)
    widget.get_by_label("Time out S3").click()
    trouble = panel.locator(".sim-code-trouble")
    expect(trouble).to_contain_text("did not answer for 8 seconds", timeout=30_000)
    expect(trouble).to_contain_text("The original code is back")
    assert ask(widget, {"do": "digest"}) == before
    widget.get_by_label("Time out S3").click()
    expect(widget.locator(".sim-says")).to_contain_text("S3")
    expect(widget.locator(".sim-notice")).to_have_count(0)


def test_a_changed_model_that_fails_later_says_where(page: Page, address: str) -> None:
    widget = story(page, address, "raft")
    panel = panel_of(widget)
    written(panel, swapped("raft", *FAIL))
    expect(panel.locator(".sim-code-head")).to_contain_text("same run", timeout=30_000)
    before = ask(widget, {"do": "digest"})
    widget.get_by_label("Time out S3").click()
    expect(panel.locator(".sim-code-trouble")).to_contain_text("ZeroDivisionError")
    expect(panel.locator(".sim-code-trouble")).to_contain_text(re.compile(r"Line \d+ of model.py"))
    assert ask(widget, {"do": "digest"}) == before
    widget.get_by_label("Step back").click()
    expect(widget.locator(".sim-notice")).to_have_count(0)


# --- Readers --------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_it(browser: Browser, address: str, scheme: Any) -> None:
    context = browser.new_context(color_scheme=scheme, viewport={"width": 1280, "height": 900})
    page = context.new_page()
    widget = story(page, address, "raft")
    panel = panel_of(widget)
    assert violations(page) == []
    panel.get_by_role("button", name="First line").click()
    panel.get_by_role("button", name="Next line").click()
    assert violations(page) == []
    SHOTS.mkdir(exist_ok=True)
    widget.screenshot(path=SHOTS / f"code-{scheme}.png")
    _, old, new = CHANGES["raft"]
    written(panel, swapped("raft", old + "\n", f"{new})\n"))
    expect(panel.locator(".sim-edit-bad")).to_be_visible(timeout=30_000)
    assert violations(page) == []
    written(panel, swapped("raft", old, new))
    expect(panel.locator(".sim-code-head")).to_contain_text("part", timeout=30_000)
    assert violations(page) == []
    context.close()


@pytest.fixture
def narrow(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 320, "height": 800})
    yield context.new_page()
    context.close()


def test_it_fits_on_a_small_screen(narrow: Page, address: str) -> None:
    widget = story(narrow, address, "raft")
    panel = panel_of(widget)
    sideways = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert narrow.evaluate(sideways) <= 0
    assert too_small(widget) == []
    written(panel, swapped("raft", *CHANGES["raft"][1:]))
    expect(panel.locator(".sim-code-head")).to_contain_text("part", timeout=30_000)
    assert narrow.evaluate(sideways) <= 0
