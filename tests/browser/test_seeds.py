"""A thousand seeds in the reader's browser: the answers, the picture of them, and single runs."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

import pysims
from pysims.kernel import Pattern, Script, build
from pysims.sweep import Answer, Sweep, answers, csv_of, spread_of
from tests.browser.conftest import SANDBOXES, Watch, ask, element_of, ready, violations, visit
from tests.catalog import PATTERNS

SEEDS = 100
# A question of each that takes a browser a second or two for a hundred seeds.
ASKED = {
    "hash_ring": ("ring-kill", "spread"),
    "raft": ("split-vote", "election"),
    "two_phase_commit": ("coordinator-crashes", "hold"),
}
SLOW = ("raft", "storm")


def story_of(pattern: str) -> str:
    return f"{pattern}/{ASKED[pattern][0]}.html"


def in_python(pattern: Pattern, scenario: str, question: str, count: int) -> list[Answer]:
    story = pattern.scenario(scenario)
    params: Any = build(pattern.params, story.params)
    sweep = Sweep(pattern, params, story.script, story.until_ms, pattern.question(question))
    return list(answers(sweep, 0, count))


def opened(widget: Any) -> Any:
    """The panel, open, with its form."""
    widget.locator("summary", has_text="A thousand seeds").click()
    panel = widget.locator(".seeds")
    expect(panel.get_by_label("Question")).to_be_visible()
    return panel


def begin(panel: Any, question: str, count: int) -> None:
    panel.get_by_label("Question").select_option(question)
    panel.get_by_label("Seeds", exact=True).select_option(str(count))
    panel.get_by_role("button", name="Run", exact=True).click()


def run(panel: Any, question: str, count: int = SEEDS) -> None:
    begin(panel, question, count)
    expect(panel.get_by_role("status")).to_contain_text("seeds have run, in", timeout=60_000)


def number(text: str) -> float:
    return float(re.sub(r"[^\d.-]", "", text))


def check_numbers(panel: Any, pattern_id: str) -> list[Answer]:
    """The picture says what Python says; gives Python's answers."""
    scenario, question_id = ASKED[pattern_id]
    pattern = pysims.load_pattern(pattern_id)
    question = pattern.question(question_id)
    exact = in_python(pattern, scenario, question_id, SEEDS)
    summary = spread_of(exact, question.better)
    panel.locator(".seeds-table summary").click()
    counts = [int(text) for text in panel.locator("tbody td:nth-child(2)").all_inner_texts()]
    others = [each for each in (summary.unanswered, summary.failed) if each]
    assert counts == [*(each.count for each in summary.bins), *others]
    assert sum(counts) == SEEDS
    assert panel.locator(".seeds-bar").count() == len(summary.bins)
    labels = panel.locator(".seeds-numbers dt").all_inner_texts()
    values = map(number, panel.locator(".seeds-numbers dd").all_inner_texts())
    shown = dict(zip(labels, values, strict=True))
    for label, percent in (("Median", 50), ("p90", 90), ("p95", 95), ("p99", 99)):
        assert shown[label] == pytest.approx((summary.percentiles or {})[percent], rel=1e-2)
    panel.get_by_role("button", name="Copy as CSV").click()
    assert panel.get_by_label("Answers as CSV").input_value() == csv_of(exact)
    return exact


def check_worst(widget: Any, panel: Any, pattern_id: str, exact: list[Answer]) -> None:
    """The worst run is the run whose answer is the worst, and it is Python's run."""
    scenario, question_id = ASKED[pattern_id]
    pattern = pysims.load_pattern(pattern_id)
    question = pattern.question(question_id)
    worst = spread_of(exact, question.better).worst
    panel.get_by_role("button", name="Open the worst run").click()
    expect(panel.get_by_role("status")).to_contain_text(f"Seed {worst} is on show")
    expect(widget.locator("[data-do=seed]")).to_have_value(str(worst))
    same = pysims.run(pattern_id, scenario, seed=worst)
    assert ask(widget, {"do": "digest"})["digest"] == same.digest
    last = len(same.history) - 1
    expect(widget.locator(".sim-clock")).to_contain_text(f"event {last} of {last}")
    assert question.measure(same.history) == max(each.value or 0 for each in exact)
    # The run is another one of the same sweep, so what the panel says still holds.
    expect(panel.locator(".seeds-other")).to_have_count(0)


def check(page: Any, pattern_id: str) -> None:
    scenario, question = ASKED[pattern_id]
    widget = ready(page, element_of(pattern_id, scenario))
    panel = opened(widget)
    run(panel, question)
    check_worst(widget, panel, pattern_id, check_numbers(panel, pattern_id))


@pytest.mark.parametrize("pattern", ASKED)
def test_a_sweep_over_http(page: Page, address: str, pattern: str) -> None:
    page.goto(f"{address}embed/{story_of(pattern)}")
    check(page, pattern)
    assert violations(page) == []


@pytest.mark.parametrize("pattern", ASKED)
def test_a_sweep_from_disk(context: BrowserContext, disk: Path, pattern: str) -> None:
    watch = Watch(context.new_page(), (disk.as_uri(),))
    watch.start()
    watch.page.goto(f"{disk.as_uri()}/embed/{story_of(pattern)}")
    check(watch.page, pattern)
    watch.check()


@pytest.mark.parametrize("pattern", ASKED)
def test_a_sweep_in_a_foreign_sandboxed_frame(
    context: BrowserContext, blog: tuple[Path, str], origin: str, address: str, pattern: str
) -> None:
    watch = Watch(context.new_page(), (origin, blog[1]))
    # The browser says so itself when it does not let a frame write to the clipboard.
    watch.expected = lambda text: "clipboard" in text.lower()
    watch.start()
    check(
        visit(watch.page, blog, f"{address}embed/{story_of(pattern)}", SANDBOXES["sandboxed"]),
        pattern,
    )
    watch.check()


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda p: p.id)
def test_every_pattern_has_the_answers_of_python(
    page: Page, address: str, pattern: Pattern
) -> None:
    few = 25
    page.goto(f"{address}embed/{pattern.id}.html")
    widget = page.locator("sim-widget").first
    widget = ready(page, widget.get_attribute("id") or "")
    scenario = str(widget.get_attribute("data-scenario") or pattern.scenarios[0].id)
    found: list[Any] = []
    # In parts, since one question to the worker may take ten seconds.
    for first in range(0, few, 5):
        part = ask(widget, {"do": "sweep", "question": None, "first": first, "count": 5})
        found += part["answers"]
    exact = in_python(pattern, scenario, pattern.questions[0].id, few)
    assert found == [each.failure or each.value for each in exact]
    shown = ask(widget, {"do": "spread", "question": None, "first": 0, "answers": found})
    rows = list(csv.reader(io.StringIO(shown["csv"])))
    assert shown["csv"] == csv_of(exact)
    assert len(rows) == few + 1
    summary = spread_of(exact, pattern.questions[0].better)
    assert shown["spread"] == {
        **summary.plain(),
        "bins": [list(each) for each in summary.plain()["bins"]],
    }


def test_cancel_keeps_what_has_run_and_the_widget_lives_meanwhile(page: Page, address: str) -> None:
    page.goto(f"{address}embed/{SLOW[0]}/{SLOW[1]}.html")
    widget = ready(page, element_of(*SLOW))
    panel = opened(widget)
    begin(panel, "election", 10_000)
    cancel = panel.get_by_role("button", name="Cancel")
    expect(cancel).to_be_focused()
    expect(panel.locator(".seeds-pace")).to_contain_text(re.compile(r"^[1-9]\d* of 10,000, "))
    progress = panel.get_by_role("progressbar")
    assert 0 < float(progress.evaluate("e => e.value")) < 1
    # The widget's own messages come in between, and the sweep goes on with its own run.
    widget.get_by_role("button", name="To the start").click()
    widget.get_by_role("button", name="Step forward").click()
    expect(widget.locator(".sim-clock")).to_contain_text("event 1 of")
    widget.get_by_label("Scenario").select_option("split-vote")
    expect(widget.locator(".sim-title")).to_have_text("Split vote")
    cancel.click()
    status = panel.get_by_role("status")
    expect(status).to_contain_text(re.compile(r"^Canceled: \d+ of 10,000 seeds have run"))
    expect(panel.get_by_role("button", name="Run", exact=True)).to_be_focused()
    expect(panel.locator(".seeds-other")).to_contain_text("the run that the sweep began with")
    done = int(re.findall(r"\d+", status.inner_text())[0])
    panel.get_by_role("button", name="Copy as CSV").click()
    told = panel.get_by_label("Answers as CSV").input_value()
    assert told == csv_of(in_python(pysims.load_pattern(SLOW[0]), SLOW[1], "election", done))
    panel.get_by_role("button", name="Open the best run").click()
    expect(widget.locator(".sim-title")).to_have_text("A storm, to break rules in")


def test_a_double_click_runs_and_does_not_cancel(page: Page, address: str) -> None:
    page.goto(f"{address}embed/hash_ring/ring-kill.html")
    panel = opened(ready(page, "hash-ring-ring-kill"))
    panel.get_by_label("Seeds", exact=True).select_option(str(SEEDS))
    panel.get_by_role("button", name="Run", exact=True).dblclick()
    expect(panel.get_by_role("status")).to_contain_text("100 seeds have run, in", timeout=30_000)


def test_what_the_reader_did_is_part_of_the_run(page: Page, address: str) -> None:
    """Settings and actions of the reader, from a first seed of his own."""
    page.goto(f"{address}embed/hash_ring/ring-kill.html")
    widget = ready(page, "hash-ring-ring-kill")
    ask(widget, {"do": "param", "name": "keys", "value": "50"})
    ask(widget, {"do": "act", "name": "RemoveServer", "arguments": {"server": "A"}})
    run_on_show = ask(widget, {"do": "show"})["saved"]
    # What was asked past the widget it shows with its next message.
    widget.get_by_role("button", name="To the end").click()
    panel = opened(widget)
    panel.get_by_label("from seed").fill("1000")
    run(panel, "moved")
    panel.get_by_role("button", name="Copy as CSV").click()
    rows = panel.get_by_label("Answers as CSV").input_value().splitlines()[1:]
    pattern = pysims.load_pattern("hash_ring")
    script: Script = tuple(
        (time_ms, build(pattern.action(name).event, given))
        for time_ms, name, given in run_on_show["script"]
    )
    for row in rows[:5]:
        seed, value, _ = row.split(",")
        same = pysims.run(
            "hash_ring",
            params=run_on_show["params"],
            script=script,
            seed=int(seed),
            until_ms=run_on_show["until_ms"],
        )
        assert float(value) == pattern.question("moved").measure(same.history)
    assert [row.partition(",")[0] for row in rows] == [str(1_000 + n) for n in range(SEEDS)]


def test_a_first_seed_that_is_none_is_refused_in_place(page: Page, address: str) -> None:
    page.goto(f"{address}embed/hash_ring/ring-kill.html")
    panel = opened(ready(page, "hash-ring-ring-kill"))
    for wrong in ("", "-1", "1.5", "4294967296"):
        panel.get_by_label("from seed").fill(wrong)
        begin(panel, "spread", SEEDS)
        says = "The first seed must be an integer from 0 to 4294967295."
        expect(panel.get_by_role("status")).to_have_text(says)
        panel.get_by_label("from seed").fill("0")
        panel.get_by_label("from seed").press("Enter")
        expect(panel.get_by_role("status")).to_contain_text(
            "100 seeds have run, in", timeout=30_000
        )
    panel.get_by_label("from seed").fill("4294967295")
    begin(panel, "spread", SEEDS)
    expect(panel.get_by_role("status")).to_contain_text("1 of 100 seeds have run")
    expect(panel.get_by_role("status")).to_contain_text("first seed must be an integer from 0 to")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_panel_fits_a_narrow_screen_and_is_legible(
    page: Page, address: str, scheme: Any
) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 320, "height": 700})
    page.goto(f"{address}embed/{story_of('two_phase_commit')}")
    panel = opened(ready(page, element_of("two_phase_commit", "coordinator-crashes")))
    run(panel, "hold")
    panel.locator(".seeds-table summary").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    assert violations(page) == []
    small = panel.evaluate(
        """e => [...e.querySelectorAll('button, select, input, summary')]
          .filter(e => e.checkVisibility() && e.getBoundingClientRect().height < 24).length"""
    )
    assert small == 0


def test_ids_stay_apart_where_a_page_has_many_widgets(page: Page, address: str) -> None:
    page.goto(f"{address}consistent-hashing.html")
    for name in ("hash-ring-ring-kill", "hash-ring-jump"):
        panel = opened(ready(page, name))
        run(panel, "spread")
    twice = page.evaluate(
        """() => { const seen = new Set(); return [...document.querySelectorAll('[id]')]
          .map(e => e.id).filter(id => seen.has(id) || !seen.add(id)); }"""
    )
    assert twice == []
    assert violations(page) == []
