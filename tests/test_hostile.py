"""Texts that mean harm, through every way in: what comes out is text, or a refusal."""

from __future__ import annotations

import json
import re
from functools import cache
from html.parser import HTMLParser
from urllib.parse import quote

import pytest

from pysims import load_pattern
from pysims.__main__ import main
from pysims.kernel import Choice, Number, Pattern, Switch, knobs_of
from pysims.widget.fence import arguments_of, widget_html
from pysims.widget.render import frame
from pysims.widget.session import follow_at_first, opened, seek
from pysims.widget.worker import dispatch
from tests.catalog import PATTERNS

HOSTILE = {
    "an element": "<img src=x onerror=alert(1)>",
    "a script": "</script><script>alert(1)</script>",
    "the end of a picture": "</svg></title></textarea><b>",
    "the end of an attribute": "\" onload=alert(1) x='",
    "the end of a comment": "--></option><!-- ]]>",
    "a template": "{{ 7 * 7 }}{% raw %}${7*7}",
    "an entity": "&lt;b&gt;&#60;&amp;",
    "right to left": "\u202e\u2066abc\u2069",
    "zero": "a\x00b",
    "control characters": "a\x1b[31m\r\n\tb\x7f",
    "half a character": "\ud800",
    "very long": "<b>" * 20_000,
    "one below the limit": "<" * 60,
    "nothing": "",
}
# All texts for one pattern with texts and names among its arguments, for all the others one text
# that has most of them in it.
EVERYTHING = "</svg></script><img src=x onerror=1>\"'-->{{7 * 7}}$\u202e&lt;"
CASES = [
    *((pattern, EVERYTHING) for pattern in PATTERNS),
    *((p, text) for p in PATTERNS if p.id == "hash_ring" for text in HOSTILE.values()),
]
NAMES = {EVERYTHING: "everything", **{text: name for name, text in HOSTILE.items()}}
every_case = pytest.mark.parametrize(
    ("pattern", "text"), CASES, ids=[f"{pattern.id}-{NAMES[text]}" for pattern, text in CASES]
)
every_text = pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)


class Shape(HTMLParser):
    """The elements of a piece of HTML with the names of their attributes, and all its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: set[tuple[str, str]] = set()
        self.odd: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements |= {(tag, name) for name, _ in attrs} | {(tag, "")}

    def handle_comment(self, data: str) -> None:
        self.odd.append(data)

    def handle_decl(self, decl: str) -> None:
        self.odd.append(decl)

    def handle_pi(self, data: str) -> None:
        self.odd.append(data)

    def unknown_decl(self, data: str) -> None:
        self.odd.append(data)


@cache
def known_elements(pattern_id: str) -> set[tuple[str, str]]:
    """What the frames of a pattern's stories consist of, none of it from a reader."""
    found = {("div", ""), ("sim-widget", "")}
    found |= {
        ("sim-widget", f"data-{name}") for name in ("pattern", "scenario", "overrides", "seed")
    }
    found |= {("sim-widget", "id"), ("input", "checked"), ("option", "selected")}
    for story in load_pattern(pattern_id).scenarios:
        session = opened("w", pattern_id, story.id)
        for at in (0, session.at, len(session.history) - 1):
            found |= Shape(frame(seek(session, at))).elements
    return found


def check(pattern: Pattern, html: str, text: str) -> None:
    """Nothing is an element, an attribute or a comment that would be none without the text."""
    shape = Shape(html)
    assert shape.elements - known_elements(pattern.id) == set()
    assert shape.odd == []
    assert not any(name.startswith("on") or tag == "script" for tag, name in shape.elements)
    # A template that was evaluated would say what it gives.
    assert "7 * 7" not in text or not re.search(r"(?<![\d.])49\$", html)


def asked(message: dict[str, object]) -> dict[str, object]:
    answer: dict[str, object] = json.loads(dispatch(json.dumps({"id": "w", **message})))
    return answer


def opened_in_worker(pattern: Pattern) -> None:
    asked({"do": "open", "pattern": pattern.id, "scenario": pattern.scenarios[0].id})


@every_case
def test_every_message_with_it_gives_a_picture_or_a_refusal(pattern: Pattern, text: str) -> None:
    """Every argument of every action, every parameter, and the names of what is asked for."""
    opened_in_worker(pattern)
    messages: list[dict[str, object]] = [
        {"do": "act", "name": action.event.__name__, "arguments": {name: text}}
        for action in pattern.actions
        for name in knobs_of(action.event)
    ]
    messages += [{"do": "param", "name": name, "value": text} for name in knobs_of(pattern.params)]
    first = pattern.actions[0].event.__name__ if pattern.actions else "Nothing"
    messages += [
        {"do": "act", "name": text, "arguments": {}},
        {"do": "act", "name": first, "arguments": {text: text}},
        {"do": "param", "name": text, "value": text},
        {"do": text},
    ]
    for do in ("seed", "speed", "scenario", "kind", "follow"):
        messages.append({"do": do, "value": text})
    for message in messages:
        answer = asked(message)
        # What is no message at all is an error, which the page shows as text (sim.js: #notice).
        assert ("html" in answer) != ("error" in answer), message
        if "html" in answer:
            check(pattern, str(answer["html"]), text)


@every_case
def test_a_link_with_it_gives_a_picture_or_a_refusal(pattern: Pattern, text: str) -> None:
    story = opened("w", pattern.id)
    try:
        told = quote(text, safe="")
    except UnicodeEncodeError:
        told = text
    run = f"v=1&run={pattern.id}"
    links = [text, f"v=1&run={told}", f"{run}/{told}", f"{run}&{text}=1"]
    links += [f"{run}&set={name}={told}" for name in knobs_of(pattern.params)]
    links += [
        f"{run}&do=5:{action.event.__name__}:{name}={told}"
        for action in pattern.actions
        for name in knobs_of(action.event)
    ]
    for link in links:
        check(pattern, frame(follow_at_first(story, link)), text)


@every_case
def test_a_fence_with_it_is_drawn_or_stops_the_build(pattern: Pattern, text: str) -> None:
    names = ["scenario", "seed", "id", "nothing", *knobs_of(pattern.params)]
    for name in names:
        try:
            html = widget_html(**arguments_of({pattern.id: pattern.id, name: text}))
        except ValueError as refusal:
            assert str(refusal)  # noqa: PT017 -- either is right, and both are looked at
            continue
        check(pattern, html, text)


@every_text
def test_the_command_says_what_is_wrong_without_a_traceback(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing that could command a terminal comes out, and no traceback."""
    pattern = load_pattern("hash_ring")
    name = next(iter(knobs_of(pattern.params)))
    for words in (
        [text],
        ["run", text],
        ["run", pattern.id, "--scenario", text],
        ["run", pattern.id, "--set", f"{name}={text}"],
        ["run", pattern.id, "--set", text],
        ["run", pattern.id, "--seed", text],
        ["run", "--link", f"v=1&run={text}"],
        ["link", pattern.id, "--scenario", text],
    ):
        try:
            code = main(words)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        said = capsys.readouterr()
        whole = said.out + said.err
        assert "Traceback" not in whole
        assert not re.search(r"[\x00\x1b\x7f\u202e]", whole), words[:2]
        if text or words[-1] == "":
            assert code, words[:3]


def test_every_kind_of_knob_is_among_what_was_tried() -> None:
    """The patterns have texts and names of things among their arguments, and not only numbers."""
    kinds = {
        type(kind)
        for pattern in PATTERNS
        for owner in (pattern.params, *(action.event for action in pattern.actions))
        for kind in knobs_of(owner).values()
    }
    assert len(kinds - {Number, Choice, Switch}) == 2
