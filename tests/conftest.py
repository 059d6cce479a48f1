"""What every test may ask for."""

from __future__ import annotations

from pathlib import Path

import pytest

BROWSER = Path(__file__).with_name("browser")
TRIES_MORE = 2


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="rewrite tests/golden/ from the runs as they are now; read the diff before committing",
    )


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    """Whether the golden traces are to be rewritten instead of compared."""
    return bool(request.config.getoption("--update-golden"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A browser on a busy machine can miss a moment; what fails every time is a defect.

    Nothing is tried again outside a browser, or with `--reruns 0`. The summary lists what was.
    """
    if config.getoption("reruns") is not None:
        return
    for item in items:
        if BROWSER in item.path.parents or item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.flaky(reruns=TRIES_MORE))
