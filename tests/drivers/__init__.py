"""Browsers for tests: open a page, wait for a condition, return its value.

Chromium is driven by Playwright. Playwright drives Firefox and WebKit only in builds of its own, so
Firefox is spoken to in WebDriver BiDi, which it understands without a driver program, and
WebKitGTK through its own WebDriver.
"""

from tests.drivers.chromium import Visit, open_in_chromium
from tests.drivers.firefox import open_in_firefox
from tests.drivers.page import BrowserTimeoutError
from tests.drivers.webkit import open_in_webkit

__all__ = [
    "BrowserTimeoutError",
    "Visit",
    "open_in_chromium",
    "open_in_firefox",
    "open_in_webkit",
]
