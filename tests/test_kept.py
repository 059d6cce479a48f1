"""What one build keeps for the next: the same bytes, and never older than the code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pysims import kept, numbers
from pysims.widget import fence

STORY: dict[str, Any] = {"pattern_id": "hash_ring", "scenario": "jump"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(kept.FOLDER, str(tmp_path / "kept"))
    return tmp_path / "kept"


def test_without_a_folder_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(kept.FOLDER, raising=False)
    monkeypatch.chdir(tmp_path)
    calls: list[int] = []
    for _ in range(2):
        kept.kept("frame", {}, "code", lambda: calls.append(1))
    assert len(calls) == 2
    assert list(tmp_path.iterdir()) == []


def test_a_frame_is_drawn_once_and_is_the_same(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = fence.drawn(STORY)
    assert len(list(folder.iterdir())) == 1
    assert first == fence.widget_html(**STORY)

    def drawn_again(**_: Any) -> str:
        raise AssertionError("it was drawn a second time")

    monkeypatch.setattr(fence, "widget_html", drawn_again)
    assert fence.drawn(STORY) == first
    with pytest.raises(AssertionError, match="second time"):
        fence.drawn({**STORY, "seed": 5})


def test_other_code_is_other_work(folder: Path) -> None:
    values = iter("abc")
    assert [kept.kept("frame", 1, code, lambda: next(values)) for code in "xyx"] == ["a", "b", "a"]
    assert len(list(folder.iterdir())) == 2


def test_half_a_file_is_made_again(folder: Path) -> None:
    assert kept.kept("frame", 1, "x", lambda: "whole") == "whole"
    (path,) = folder.iterdir()
    path.write_text('"who', "utf-8")
    assert kept.kept("frame", 1, "x", lambda: "whole") == "whole"
    assert json.loads(path.read_text("utf-8")) == "whole"


def test_a_number_keeps_its_sources(folder: Path) -> None:
    name = next(iter(numbers.NUMBERS))
    numbers.number.cache_clear()
    first = numbers.number(name)
    numbers.number.cache_clear()
    assert numbers.number(name) == first
    assert len(list(folder.iterdir())) == 1


def test_what_a_frame_depends_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change of the model, of a template or of the kernel counts; that of another pattern not."""
    package = tmp_path / "pysims"
    for name in ("kernel/sim.py", "widget/a.jinja", "patterns/x/model.py", "patterns/y/model.py"):
        path = package / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("1", "utf-8")
    monkeypatch.setattr(kept, "PACKAGE", package)

    def code() -> str:
        kept._shared.cache_clear()
        kept.code_of_pattern.cache_clear()
        return kept.code_of_pattern("x")

    seen = [code()]
    for name in ("kernel/sim.py", "widget/a.jinja", "patterns/x/model.py"):
        (package / name).write_text("2", "utf-8")
        seen.append(code())
    assert len(set(seen)) == 4
    (package / "patterns/y/model.py").write_text("2", "utf-8")
    (package / "prose").mkdir()
    (package / "prose/pages.py").write_text("2", "utf-8")
    assert code() == seen[-1]
    monkeypatch.undo()
    for cached in (kept._shared, kept.code_of_pattern):
        cached.cache_clear()
