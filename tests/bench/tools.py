"""What the benches share: a Chromium before the built site, and figures out of samples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from playwright.sync_api import Browser, sync_playwright

from tests.browser.conftest import ARGUMENTS, PREFIX, SITE
from tests.browsers import chromium_path
from tests.drivers.server import StaticServer, serving


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
