"""What benches share: a Chromium before the built site, figures out of samples, and their page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from playwright.sync_api import Browser, sync_playwright

from tests.browser.conftest import ARGUMENTS, PREFIX, SITE
from tests.browsers import chromium_path
from tests.drivers.server import StaticServer, serving

PAGE = Path(__file__).parents[2] / "docs" / "measurements.md"


@contextmanager
def chromium(site: Path = SITE) -> Iterator[tuple[Browser, StaticServer]]:
    """A new Chromium, and a server that compresses, for the built site or a copy of it."""
    with serving(site, prefix=PREFIX, compress=True) as server, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium_path(), args=ARGUMENTS)
        yield browser, server
        browser.close()


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest rank."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def middle(results: Sequence[dict[str, float]]) -> dict[str, float]:
    """The median of each measure."""
    return {key: median(result[key] for result in results) for key in results[0]}


def put(text: str, name: str, found: str) -> str:
    """The page with what was found between the marks of that name."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    if begin not in text or end not in text:
        raise ValueError(f"{PAGE.name} has no place for {name!r}: {begin} … {end}")
    return f"{text.partition(begin)[0]}{begin}\n\n{found}\n\n{end}{text.partition(end)[2]}"
