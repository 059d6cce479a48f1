"""The pattern that a newcomer begins with: it runs, and keeps the rules of the house."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import pysims
import pysims.patterns
from pysims.kernel import check_plain
from pysims.widget.render import frame
from pysims.widget.session import opened, to_end
from tests.drivers.skeleton import FILES, PATTERNS, prefix_of, write

NAME = "a_new_pattern"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A new pattern's folder, which is found as if it stood among the others."""
    monkeypatch.setattr(pysims.patterns, "__path__", [*pysims.patterns.__path__, str(tmp_path)])
    # Which patterns there are is looked up once in a process.
    monkeypatch.setattr(pysims.patterns, "pattern_ids", lambda: (NAME,))
    yield write(NAME, tmp_path)
    for module in [name for name in sys.modules if NAME in name]:
        del sys.modules[module]


def test_it_runs_and_its_claim_is_true(folder: Path) -> None:
    pattern = pysims.load_pattern(NAME)
    assert sorted(path.name for path in folder.iterdir() if path.is_file()) == sorted(FILES)
    (scenario,) = pattern.scenarios
    run = pysims.run(NAME, scenario.id)
    assert scenario.proof(run)
    assert pattern.question().measure(run.history) == 1
    for state in run.history.states():
        check_plain(state)
        assert all(light.holds(state) for light in pattern.invariants)
    with pytest.raises(ValueError, match=f"{NAME} has no event 'nonsense'"):
        pysims.run(NAME, script=((100, "nonsense"),))


@pytest.mark.usefixtures("folder")
def test_it_has_a_picture() -> None:
    session = opened("w", NAME, "four-messages")
    assert '<circle class="anp-dot"' in frame(session)
    assert "4 messages sent, 3 received." in frame(to_end(session))


def test_it_is_written_in_the_style_of_the_house(folder: Path) -> None:
    settings = ["--config", str(PATTERNS.parents[1] / "pyproject.toml"), str(folder)]
    # The rules that pyproject.toml itself leaves out for the folders of patterns.
    for command in (["check", "--ignore", "INP001,ARG001"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, *settings],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout


def test_its_styles_have_a_prefix_that_is_free() -> None:
    assert prefix_of("hash_ring", "") == "hr"
    assert prefix_of("hash_ring", ".hr-node") == "hash-ring"
    assert prefix_of("raft", "") == "raft"


@pytest.mark.parametrize("name", ["", "Gossip", "a-b", "../a", "_a"])
def test_a_bad_name_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a pattern's name must be like hash_ring"):
        write(name, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_pattern_that_exists_is_left_alone() -> None:
    with pytest.raises(ValueError, match="there is a pattern 'raft' already"):
        write("raft")
