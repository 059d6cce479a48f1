"""Knobs: what is allowed, said once, and refused with a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pysims.kernel import Choice, Number, Switch, Text, build, checked, knob, knobs_of


@dataclass(frozen=True, slots=True)
class Knobs:
    """One of each."""

    count: int = knob(Number("Count", 1, 20), 4)
    many: int = knob(Number("Many", 10, 10_000, logarithmic=True), 200)
    slack: float = knob(Number("Slack", 0.05, 2.0, step=0.05), 0.25)
    kind: str = knob(Choice("Kind", {"ring": "Ring", "jump": "Jump"}), "ring")
    on: bool = knob(Switch("On"), False)
    word: str = knob(Text("Word", longest=5), "abc")


def test_texts_are_read_and_values_checked() -> None:
    read: Any = build(Knobs, {"count": "7", "slack": "1", "kind": "jump", "on": "true"})
    assert read == Knobs(7, 200, 1.0, "jump", True, "abc")
    assert type(read.slack) is float
    assert type(build(Knobs, {"slack": 1}).slack) is float
    assert checked(read) is read


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"count": 0}, "count must be an integer from 1 to 20, got 0"),
        ({"count": "x"}, "count must be an integer from 1 to 20, got 'x'"),
        ({"count": 2.5}, "count must be an integer from 1 to 20, got 2.5"),
        ({"count": True}, "count must be an integer from 1 to 20, got True"),
        ({"slack": "nan"}, "slack must be a number from 0.05 to 2, got nan"),
        ({"kind": "modulo"}, "kind must be one of ring, jump, got 'modulo'"),
        ({"on": "perhaps"}, "on must be True or False, got 'perhaps'"),
        ({"word": ""}, "word must be a text of 1 to 5 characters, got ''"),
        ({"word": "abcdef"}, "word must be a text of 1 to 5 characters, got 'abcdef'"),
        ({"size": 1}, "Knobs has no 'size', it has: count, many, slack, kind, on, word"),
    ],
)
def test_what_is_not_allowed_is_named(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        build(Knobs, given)
    assert str(caught.value) == message


@given(st.sampled_from(["count", "many", "slack"]), st.integers(-5, 200))
def test_a_slider_reaches_only_what_is_allowed(name: str, position: int) -> None:
    kind = knobs_of(Knobs)[name]
    assert isinstance(kind, Number)
    value = kind.at(position)
    assert kind.check(name, value) == value
    assert abs(kind.position(value) - max(0, min(position, kind.positions))) <= 1 or kind.integral


def test_a_slider_reaches_both_ends_and_its_own_value() -> None:
    for name, kind in knobs_of(Knobs).items():
        if isinstance(kind, Number):
            assert kind.at(0) == kind.low
            assert kind.at(kind.positions) == kind.high
            assert kind.at(kind.position(getattr(Knobs(), name))) == pytest.approx(
                getattr(Knobs(), name), rel=0.05
            )


def test_an_integer_keeps_to_its_steps() -> None:
    odd = Number("Servers", 3, 7, step=2)
    assert [odd.at(position) for position in range(odd.positions + 1)] == [3, 5, 7]
    assert odd.check("servers", 5) == 5
    with pytest.raises(ValueError, match="servers must be an integer from 3 to 7 in steps of 2"):
        odd.check("servers", 4)
