"""What the matrix of browsers and places makes of what a page tells: it must be able to say no."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import pysims
from tests.browsers import BrowserNotFoundError
from tests.drivers import places
from tests.drivers.places import Cell, Widget, cells, check_names, judged, pages_of, table
from tests.drivers.server import StaticServer
from tests.drivers.tabs import Keeper

LINK = "v=1&run=hash_ring/ring-kill&do=0:RemoveServer:server=A&at=0:1"
FIRST = pysims.run("hash_ring", "ring-kill").digest


def record(**changes: Any) -> dict[str, Any]:
    """What `places.js` tells of a widget that did all, with changes; a `None` takes a name away."""
    whole = {
        "pattern": "hash_ring",
        "scenario": "ring-kill",
        "thorough": True,
        "digest": FIRST,
        "message": "",
        "link": LINK,
        "changed": places.digest_of_link(LINK),
        "undone": FIRST,
        "stands": True,
        "reset": FIRST,
    }
    return {name: value for name, value in {**whole, **changes}.items() if value is not None}


def promises(found: Widget) -> tuple[bool, bool, bool, bool]:
    return found.starts, found.reacts, found.plays, found.same


def test_a_widget_that_did_all_lives() -> None:
    assert judged(record()).lives
    quick = record(thorough=False, link=None, changed=None, undone=None, stands=None, reset=None)
    assert judged(quick).lives


FAULTS: dict[str, tuple[dict[str, Any], tuple[bool, bool, bool, bool]]] = {
    "another run": ({"digest": "0"}, (True, True, True, False)),
    "another changed run": ({"changed": "0"}, (True, True, True, False)),
    "an action that changes nothing": ({"changed": FIRST}, (True, False, True, False)),
    "a refusal": ({"message": "n must be 1, got 2"}, (True, False, True, True)),
    "no way back": ({"undone": None}, (True, False, True, False)),
    "another run after Undo": ({"undone": "0"}, (True, True, True, False)),
    "a clock that Pause does not stop": ({"stands": False}, (True, True, False, True)),
    "another run after Reset": ({"reset": "0"}, (True, True, True, False)),
    "the end before Play": ({"stands": None, "reset": None}, (True, True, False, False)),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_found(fault: str) -> None:
    changes, expected = FAULTS[fault]
    found = judged(record(**changes))
    assert promises(found) == expected
    assert not found.lives


def test_what_does_not_start_is_told_in_its_own_words() -> None:
    dead = {"pattern": "raft", "scenario": "storm", "thorough": True, "problem": "No WebAssembly."}
    found = judged(dead)
    assert promises(found) == (False, False, False, False)
    assert (found.name, found.says) == ("raft/storm", "No WebAssembly.")


def test_a_complaint_alone_is_a_failure() -> None:
    assert not judged(record(problem="code panel: lines of the event on show: not in 60 s")).lives


def test_a_widget_that_is_not_in_the_page_is_no_success() -> None:
    with pytest.raises(AssertionError, match="its source has"):
        check_names("cap", [judged(record())], [("hash_ring", "ring-kill"), ("hash_ring", "jump")])


def test_the_table_counts_what_was_asked_for() -> None:
    quick = judged(record(thorough=False, link=None, changed=None, undone=None, stands=None))
    widgets = (judged(record()), judged(record(stands=False)), quick)
    line = table([Cell("Firefox", "Firefox 1", "disk", widgets, 1.23, 0.5, 61.4)]).splitlines()[-1]
    assert line == (
        "| Firefox 1 | from disk | 3 of 3 | 2 of 2 | 1 of 2 | 3 of 3 | 1.2 s | 0.5 s | 61 s |"
    )


def test_each_place_has_every_pattern() -> None:
    everything = set(pysims.pattern_ids())
    for place in places.PLACES:
        shown = {pattern for stories in pages_of(place).values() for pattern, _ in stories}
        assert shown == everything, place


@pytest.mark.parametrize("required", ["0", "1"])
def test_a_missing_browser_is_named_and_fails_only_where_all_are_required(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    required: str,
) -> None:
    @contextmanager
    def published() -> Iterator[StaticServer]:
        yield StaticServer(tmp_path)

    def missing(*_: Any) -> Any:
        raise BrowserNotFoundError("No Firefox was found (Debian's package: firefox-esr)")

    monkeypatch.setenv("SIM_REQUIRE_ALL_BROWSERS", required)
    monkeypatch.setattr(places, "published", published)
    monkeypatch.setattr(places, "tab", missing)
    if required == "1":
        assert places.main(["--browser", "Firefox", "--place", "HTTP"]) == 1
    else:
        assert list(cells(["Firefox"], ["HTTP"], None)) == []
    told = capsys.readouterr().err
    assert "firefox-esr" in told
    assert ("skipped" in told) == (required == "0")


class FakeTab:
    """A tab that can die, and one that ends with an error of its own, as drivers do."""

    version, complaints = "Fake 1", list[str]()

    def __init__(self) -> None:
        self.dead = False

    def open(self, url: str) -> None:
        """Not needed here."""

    def evaluate(self, expression: str, *, in_frame: bool = False) -> Any:
        """The answer to the one question that is asked, unless it is dead."""
        if self.dead:
            raise ConnectionError("invalid session id")
        assert (expression, in_frame) == ("1 + 1", False)
        return 2

    def resize(self, width: int, height: int) -> None:
        """Not needed here."""

    def photograph(self) -> bytes:
        """Not needed here."""
        return b""


def test_a_browser_that_died_is_replaced_for_the_next_test() -> None:
    made: list[FakeTab] = []
    ended: list[FakeTab] = []

    @contextmanager
    def fake() -> Iterator[FakeTab]:
        made.append(FakeTab())
        this = made[-1]
        try:
            yield this
        finally:
            ended.append(this)
            if this.dead:
                raise ConnectionError("invalid session id")

    keeper = Keeper(fake)
    first = keeper.tab()
    assert keeper.tab() is first
    made[0].dead = True
    second = keeper.tab()
    assert (second, made, ended) == (made[1], [first, second], [first])
    keeper.close()
    assert ended == made
