"""The panel with a thousand seeds, as the page asks for it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

import pysims
from pysims.kernel import build, digest_of
from pysims.sweep import Answer, Sweep, answers, csv_of, spread_of
from pysims.widget import worker
from pysims.widget.session import command, opened, plain_run
from tests.catalog import PATTERNS
from tests.test_contract import Balance


def ask(**message: Any) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(worker.dispatch(json.dumps(message)))
    assert "error" not in answer, answer
    return answer


def opening(pattern: str, scenario: str) -> None:
    ask(do="open", id="w", pattern=pattern, scenario=scenario)


def checked(html: str) -> str:
    balance = Balance()
    balance.feed(html)
    assert balance.wrong == []
    assert balance.open == []
    assert len(balance.ids) == len(set(balance.ids))
    assert all(name.startswith("w-seeds-") for name in balance.ids)
    return html


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda p: p.id)
def test_the_form_has_the_questions_of_the_pattern(pattern: Any) -> None:
    opening(pattern.id, pattern.scenarios[0].id)
    html = checked(ask(do="seeds", id="w")["html"])
    assert re.findall(r'<option value="([a-z-]+)" data-why', html) == [
        question.id for question in pattern.questions
    ]


def test_chunks_make_the_sweep_that_python_makes() -> None:
    opening("raft", "split-vote")
    found: list[Any] = []
    more: dict[str, Any] = {}
    for first, count in ((0, 1), (1, 7), (8, 12)):
        part = ask(do="sweep", id="w", question="election", first=first, count=count, **more)
        more = {"run": part["run"]}
        found += part["answers"]
    pattern = pysims.load_pattern("raft")
    story = pattern.scenario("split-vote")
    params: Any = build(pattern.params, story.params)
    sweep = Sweep(pattern, params, story.script, story.until_ms, pattern.question("election"))
    exact = list(answers(sweep, 0, 20))
    assert found == [each.value for each in exact]
    shown = ask(do="spread", id="w", question="election", first=0, answers=found)
    assert shown["spread"] == json.loads(json.dumps(spread_of(exact).plain()))
    assert shown["csv"] == csv_of(exact)
    counts = [int(text) for text in re.findall(r"</th><td>([\d,]+)</td>", checked(shown["html"]))]
    assert sum(counts) == 20


def test_a_sweep_goes_on_with_the_run_that_it_began_with() -> None:
    opening("raft", "split-vote")
    begun = ask(do="sweep", id="w", question="terms", first=0, count=4)
    ask(do="param", id="w", name="servers", value="3")
    ask(do="scenario", id="w", value="storm")
    goes_on = ask(do="sweep", id="w", question="terms", first=0, count=4, run=begun["run"])
    assert goes_on["answers"] == begun["answers"]
    assert (
        ask(do="sweep", id="w", question="terms", first=0, count=4)["answers"] != begun["answers"]
    )


def test_a_run_of_a_sweep_is_opened_at_its_end_and_the_reader_can_return() -> None:
    session = command(opened("w", "hash_ring", "jump"), {"do": "seed", "value": "5"})
    run = json.loads(json.dumps(plain_run(session)))
    there = command(session, {"do": "run", "run": run, "seed": 77})
    assert (there.seed, there.at) == (77, len(there.history) - 1)
    assert digest_of(there.history) == pysims.run("hash_ring", "jump", seed=77).digest
    back = command(there, {"do": "return"})
    assert (back.seed, back.at, back.now_ms) == (5, session.at, session.now_ms)
    # From another story there is no way back that would be right.
    elsewhere = command(session, {"do": "scenario", "value": "ring-kill"})
    again = command(elsewhere, {"do": "run", "run": run, "seed": 77})
    assert again.scenario.id == "jump"
    assert again.ways == ()
    assert digest_of(again.history) == digest_of(there.history)


def test_what_the_page_cannot_ask_is_refused() -> None:
    opening("raft", "split-vote")
    refused = ask(do="sweep", id="w", question="terms", first=2**32, count=1)
    assert refused["refusal"].startswith("the first seed must be an integer from 0 to")
    assert refused["refusal"].endswith(".")
    for wrong, says in (
        ({"question": "terms", "first": 0, "count": 100_000}, "count must be from 1 to"),
        ({"question": "x", "first": 0, "count": 1}, "raft has no question"),
        ({"first": 0, "count": 1, "run": {"params": {"x": 1}, "script": []}}, "has no"),
    ):
        message = {"do": "sweep", "id": "w", **wrong}
        assert says in json.loads(worker.dispatch(json.dumps(message)))["error"]
    assert ask(do="show", id="w")["html"]


def test_failures_and_runs_without_an_answer_are_in_the_picture_and_escaped() -> None:
    opening("raft", "split-vote")
    found = [31.0, None, "<b>too much</b>", 40.0, *["more"] * 7]
    shown = ask(do="spread", id="w", question="election", first=5, answers=found)
    html = checked(shown["html"])
    assert "1 of 11 runs have no answer." in html
    assert "8 of 11 runs failed: seed 7 (&lt;b&gt;too much&lt;/b&gt;), seed 9 (more)" in html
    assert "and 3 more" in html
    assert "<b>" not in html
    assert sum(map(int, re.findall(r"</th><td>(\d+)</td>", html))) == 11
    assert shown["spread"]["worst"] == 8
    nothing = ask(do="spread", id="w", question="election", first=0, answers=[None, None])
    assert "None of 2 runs has an answer." in checked(nothing["html"])
    assert "data-seed" not in nothing["html"]


@pytest.mark.parametrize(
    "values",
    [
        [5.0],
        [0.0] * 40,
        [0.0] * 999 + [500.0],
        [float(n) for n in range(12)],
        [n / 7 for n in range(500)],
        [99.99 + n / 1e6 for n in range(50)],
        [-3.5, 2.0, 1e7],
        [*range(100), 1e6, -1e6],
    ],
    ids=str,
)
def test_every_bar_and_every_mark_is_inside_the_picture(values: list[float]) -> None:
    opening("raft", "split-vote")
    html = ask(do="spread", id="w", question="election", first=0, answers=values)["html"]
    svg = html.partition("<svg")[2].partition("</svg>")[0]
    bars = re.findall(r'<rect class="seeds-bar[^"]*" x="([^"]+)" y="([^"]+)" width="([^"]+)"', svg)
    summary = spread_of([Answer(seed, value) for seed, value in enumerate(values)])
    assert len(bars) == len(summary.bins)
    for x, y, width in bars:
        assert 39 <= float(x) <= float(x) + float(width) <= 333
        assert 39 <= float(y) <= 150
    for x in re.findall(r'class="seeds-mark[^"]*" d="M([\d.]+)', svg):
        assert 39 <= float(x) <= 333
    labels = re.findall(r'sim-middle" x="([\d.]+)"', svg)
    assert labels
    assert all(20 <= float(x) <= 333 for x in labels)
