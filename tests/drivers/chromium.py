"""Chromium, driven by Playwright: each visit is a browser of its own, with an empty cache.

A visit runs in a thread of its own, because a test session may hold another Playwright already,
and a thread can have only one.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import ConsoleMessage, Page, sync_playwright

from tests.browsers import chromium_flags, chromium_path
from tests.drivers.page import wait_for

# Two registrable names for this machine, so that a page can be on another site than its frame.
HOSTS = "--host-resolver-rules=MAP site.test 127.0.0.1, MAP blog.example 127.0.0.1"
NO_THIRD_PARTY_STORAGE = {"profile": {"block_third_party_cookies": True, "cookie_controls_mode": 1}}


@dataclass
class Visit:
    """What came of a visit: the condition's value, all requests, and what the console said."""

    value: Any = None
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        """Collects what the page and its frames and workers ask for and complain about."""
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._hear)

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)


def open_in_chromium(
    url: str,
    condition: str,
    timeout_s: float = 60.0,
    *,
    flags: Sequence[str] = (),
    preferences: dict[str, Any] | None = None,
) -> Visit:
    """Opens a page in a new Chromium, waits for JavaScript to be true, and returns the visit.

    Raises:
        BrowserTimeoutError: the condition was not true within `timeout_s` seconds.
        BrowserNotFoundError: no Chromium is installed.
    """
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(_visit, url, condition, timeout_s, flags, preferences).result()


def _visit(
    url: str,
    condition: str,
    timeout_s: float,
    flags: Sequence[str],
    preferences: dict[str, Any] | None,
) -> Visit:
    visit = Visit()
    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as profile:
        settings = Path(profile, "Default", "Preferences")
        settings.parent.mkdir()
        settings.write_text(json.dumps(preferences or {}), encoding="utf-8")
        with sync_playwright() as playwright:
            context = playwright.chromium.launch_persistent_context(
                profile,
                executable_path=chromium_path(),
                args=[*chromium_flags(), HOSTS, *flags],
            )
            try:
                page = context.pages[0]
                visit.watch(page)
                page.goto(url, timeout=timeout_s * 1000)
                # Playwright's own waiting compiles text, which the page's policy may forbid.
                visit.value = wait_for(page.evaluate, condition, timeout_s)
            finally:
                context.close()
    return visit
