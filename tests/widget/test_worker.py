"""The worker's door: text in, text out, and nothing escapes."""

from __future__ import annotations

import json
from typing import Any

import pytest

import pysims
from pysims.widget import worker
from pysims.widget.fence import widget_html
from tests.catalog import STORIES, STORY_IDS


def ask(**message: Any) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(worker.dispatch(json.dumps(message)))
    return answer


@pytest.mark.parametrize(("pattern", "scenario"), STORIES, ids=STORY_IDS)
def test_the_worker_draws_the_frame_that_the_fence_bakes(pattern: Any, scenario: Any) -> None:
    html = ask(do="open", id="w", pattern=pattern.id, scenario=scenario.id)["html"]
    assert html in widget_html(pattern.id, scenario.id, widget_id="w")
    digest = ask(do="digest", id="w")["digest"]
    assert digest == pysims.run(pattern.id, scenario.id).digest


def test_a_refusal_is_a_sentence_in_the_picture_and_the_run_stays() -> None:
    first = ask(do="open", id="w", pattern="hash_ring", scenario="ring-kill")
    refused = ask(do="act", id="w", name="RemoveServer", arguments={"server": "<b>"})
    assert "server must be one of A, B, C, got &#39;&lt;b&gt;&#39;." in refused["html"]
    assert refused["saved"] == first["saved"]
    assert ask(do="show", id="w")["html"] == first["html"]


@pytest.mark.parametrize(
    ("pattern", "crash", "node", "parameter"),
    [
        ("uncoordinated_transaction", "Crash", "Payments", "failing_step"),
        ("two_phase_commit", "Crash", "Payments", "alone"),
        ("saga", "Crash", "Payments", "fails"),
        ("durable_workflow", "Kill", "A", "engine"),
        ("transactional_outbox", "Crash", "Broker", "publish"),
    ],
)
def test_who_does_not_exist_or_is_down_is_refused_in_the_picture(
    pattern: str, crash: str, node: str, parameter: str
) -> None:
    ask(do="open", id="w", pattern=pattern)
    what = "worker" if pattern == "durable_workflow" else "node"
    before = ask(do="start", id="w")
    unknown = ask(do="act", id="w", name=crash, arguments={what: "Bank"})
    assert f"{what} must be one of" in unknown["html"]
    assert "got &#39;Bank&#39;." in unknown["html"]
    early = ask(do="act", id="w", name="Restart", arguments={what: node})
    assert "must be one" in early["html"]
    chosen = ask(do="param", id="w", name=parameter, value="no-such-thing")
    assert "must be one of" in chosen["html"]
    for refused in (unknown, early, chosen):
        assert 'role="alert"></p>' not in refused["html"]
        assert refused["saved"] == before["saved"]
    down = ask(do="act", id="w", name=crash, arguments={what: node})
    assert 'role="alert"></p>' in down["html"]
    again = ask(do="act", id="w", name=crash, arguments={what: node})
    assert f"got &#39;{node}&#39;." in again["html"] or "which is down." in again["html"]
    assert again["saved"] == down["saved"]


def test_a_mistake_in_a_pattern_is_reported_with_its_traceback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = ask(do="open", id="w", pattern="hash_ring", scenario="ring-kill")

    def broken(session: Any) -> str:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(worker, "frame", broken)
    answer = ask(do="back", id="w")
    assert answer["error"] == "ZeroDivisionError: division by zero"
    assert "broken" in answer["traceback"]
    monkeypatch.undo()
    assert ask(do="show", id="w")["saved"] == first["saved"]


def test_a_saved_run_opens_in_another_worker() -> None:
    ask(do="open", id="w", pattern="hash_ring", scenario="jump")
    acted = ask(do="act", id="w", name="Lookup", arguments={"key": "mine"})
    ask(do="close", id="w")
    assert ask(do="show", id="w")["error"] == "ValueError: there is no widget 'w' here"
    assert ask(do="open", id="w", saved=acted["saved"])["html"] == acted["html"]


@pytest.mark.parametrize("text", ["", "[]", "nonsense", '{"do": "open", "id": "w"}', "null"])
def test_nonsense_gets_an_answer(text: str) -> None:
    assert "error" in json.loads(worker.dispatch(text))
