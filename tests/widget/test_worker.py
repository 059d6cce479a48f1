"""The worker's door: text in, text out, and nothing escapes."""

from __future__ import annotations

import gc
import json
from collections.abc import Mapping
from typing import Any

import pytest

import pysims
from pysims.kernel import RunLimit
from pysims.widget import worker
from pysims.widget.fence import widget_html
from pysims.widget.render import LATER, PLACES, frame
from pysims.widget.session import opened
from tests.catalog import PATTERNS, STORIES, STORY_IDS


def ask(**message: Any) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(worker.dispatch(json.dumps(message)))
    return answer


@pytest.mark.parametrize(("pattern", "scenario"), STORIES, ids=STORY_IDS)
def test_the_worker_draws_the_picture_that_the_fence_bakes(pattern: Any, scenario: Any) -> None:
    html = ask(do="open", id="w", pattern=pattern.id, scenario=scenario.id)["html"]
    session = opened("w", pattern.id, scenario.id)
    assert html == frame(session)
    baked = widget_html(pattern.id, scenario.id, widget_id="w")
    # All but what needs Python, up to the closed panels.
    until = '<details class="sim-panel sim-live" id="w-settings">'
    assert until in html
    assert baked.partition(until)[0].endswith(f">{html.partition(until)[0]}")
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

    monkeypatch.setattr(worker, "parts_of", broken)
    answer = ask(do="back", id="w")
    assert answer["error"] == "ZeroDivisionError: division by zero"
    assert "broken" in answer["traceback"]
    monkeypatch.undo()
    assert ask(do="show", id="w")["saved"] == first["saved"]


def in_place(html: str, parts: Mapping[str, str], new: Mapping[str, str]) -> str:
    """A frame with new parts where the old ones stand."""
    names = {place: name for name, place in PLACES.items()}
    for place, part in new.items():
        assert html.count(parts[names[place]]) == 1, place
        html = html.replace(parts[names[place]], part)
    return html


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda p: p.id)
@pytest.mark.parametrize("message", [{"do": "seed", "value": "7"}, {"do": "act"}], ids=str)
def test_the_picture_comes_first_and_then_the_rest(pattern: Any, message: dict[str, Any]) -> None:
    if message["do"] == "act":
        message = {**message, "name": pattern.actions[0].event.__name__}
    before = ask(do="open", id="w", pattern=pattern.id)
    wanted = ask(id="w", **message)
    before = ask(do="open", id="w", pattern=pattern.id)
    parts = dict(worker.DRAWN["w"].parts)
    first = ask(id="w", shows=before["drawing"], **message)
    assert "html" not in first
    if "refused" in wanted:
        assert in_place(before["html"], parts, first["parts"]) == wanted["html"]
        return
    assert first["more"]
    assert first["saved"] == wanted["saved"]
    halfway = in_place(before["html"], parts, first["parts"])
    parts = dict(worker.DRAWN["w"].parts)
    rest = ask(do="show", id="w", shows=first["drawing"])
    assert rest["parts"].keys() <= set(LATER.values())
    assert in_place(halfway, parts, rest["parts"]) == wanted["html"]
    assert (rest["saved"], rest["moment"]) == (wanted["saved"], wanted["moment"])


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda p: p.id)
def test_drawing_leaves_nothing_behind_for_good(pattern: Any) -> None:
    ask(do="open", id="w", pattern=pattern.id)

    def walk() -> int:
        for _ in range(5):
            ask(do="back", id="w")
            ask(do="step", id="w")
        return gc.get_freeze_count()

    walk()
    before = walk()
    # The cycles of one macro are more than ten objects, and there are ten drawings.
    assert walk() - before < 10


def test_what_the_page_does_not_show_is_sent_whole() -> None:
    first = ask(do="open", id="w", pattern="hash_ring", scenario="ring-kill")
    again = ask(do="show", id="w", shows=first["drawing"])
    assert again["parts"] == {}
    assert ask(do="show", id="w", shows=first["drawing"])["html"] == first["html"]
    now = ask(do="show", id="w")["drawing"]
    assert "html" in ask(do="scenario", id="w", value="jump", shows=now)


def test_a_question_meets_the_whole_run() -> None:
    first = ask(do="open", id="w", pattern="raft")
    act = {"do": "act", "name": "Crash", "arguments": {"server": "S1"}}
    ask(id="w", shows=first["drawing"], **act)
    early = ask(do="digest", id="w")
    ask(do="open", id="w", pattern="raft")
    ask(id="w", **act)
    assert ask(do="digest", id="w") == early


def test_a_rest_that_cannot_be_run_takes_the_picture_back(monkeypatch: pytest.MonkeyPatch) -> None:
    first = ask(do="open", id="w", pattern="raft")
    acted = ask(do="act", id="w", name="Crash", arguments={"server": "S1"}, shows=first["drawing"])

    def endless(session: Any) -> Any:
        raise RunLimit("the run stopped")

    monkeypatch.setattr(worker, "carried_on", endless)
    refused = ask(do="show", id="w", shows=acted["drawing"])
    assert refused["refused"]
    assert "the run stopped." in refused["parts"][".sim-message"]
    assert refused["saved"] == first["saved"]
    monkeypatch.undo()
    assert ask(do="show", id="w")["html"] == first["html"]


def test_a_saved_run_opens_in_another_worker() -> None:
    ask(do="open", id="w", pattern="hash_ring", scenario="jump")
    acted = ask(do="act", id="w", name="Lookup", arguments={"key": "mine"})
    ask(do="close", id="w")
    assert ask(do="show", id="w")["error"] == "ValueError: there is no widget 'w' here"
    assert ask(do="open", id="w", saved=acted["saved"])["html"] == acted["html"]


@pytest.mark.parametrize("text", ["", "[]", "nonsense", '{"do": "open", "id": "w"}', "null"])
def test_nonsense_gets_an_answer(text: str) -> None:
    assert "error" in json.loads(worker.dispatch(text))
