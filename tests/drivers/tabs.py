"""One tab of any of the three browsers: open an address, evaluate in it or its frame, look at it.

`site.test` and `blog.example` are this machine in all of them: two registrable names, so that a
page of one is another site to the other, and neither is `localhost`, which browsers trust more.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from typing import Any, Protocol

from playwright.sync_api import ConsoleMessage, Page, Playwright, Request, sync_playwright
from selenium import webdriver

from tests.browsers import chromium_flags, chromium_path
from tests.drivers.chromium import HOSTS
from tests.drivers.firefox import Session, running_firefox
from tests.drivers.webkit import running_webkit

LOAD_TIMEOUT_S = 120.0
OWN = ("data:", "blob:", "about:", "file:", "http://site.test:", "http://blog.example:")


class Tab(Protocol):
    """A tab; `version` is what its browser says of itself.

    `complaints` are what its console said and the addresses of strangers that it asked, where a
    driver can tell (Chromium's).
    """

    version: str
    complaints: list[str]

    def open(self, url: str) -> None:
        """Goes to an address and waits for the page, its frame included, to have loaded."""

    def evaluate(self, expression: str, *, in_frame: bool = False) -> Any:
        """The value of an expression that is a string, a number, or null."""

    def resize(self, width: int, height: int) -> None:
        """Gives the page a width and a height in pixels, as near as the browser can."""

    def photograph(self) -> bytes:
        """What is on show, as a PNG."""


class ChromiumTab:
    """By Playwright."""

    def __init__(self, page: Page, version: str) -> None:
        self.version = version
        self.complaints: list[str] = []
        self._page = page
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._hear)
        page.on("request", self._ask)

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def _ask(self, request: Request) -> None:
        if not request.url.startswith(OWN):
            self.complaints.append(f"asked for {request.url}")

    def open(self, url: str) -> None:
        """See `Tab`."""
        self._page.goto(url, timeout=LOAD_TIMEOUT_S * 1000)

    def evaluate(self, expression: str, *, in_frame: bool = False) -> Any:
        """See `Tab`."""
        return self._page.frames[1 if in_frame else 0].evaluate(expression)

    def resize(self, width: int, height: int) -> None:
        """See `Tab`."""
        self._page.set_viewport_size({"width": width, "height": height})

    def photograph(self) -> bytes:
        """See `Tab`."""
        return self._page.screenshot()


class FirefoxTab:
    """By WebDriver BiDi."""

    def __init__(self, session: Session) -> None:
        self.version = f"Firefox {session.version}"
        self.complaints: list[str] = []
        self._session = session

    def open(self, url: str) -> None:
        """See `Tab`."""
        self._session.open(url, LOAD_TIMEOUT_S)

    def evaluate(self, expression: str, *, in_frame: bool = False) -> Any:
        """See `Tab`."""
        return self._session.evaluate(expression, in_frame=in_frame)

    def resize(self, width: int, height: int) -> None:
        """See `Tab`."""
        self._session.resize(width, height)

    def photograph(self) -> bytes:
        """See `Tab`."""
        return self._session.photograph()


class WebKitTab:
    """By WebKitGTK's WebDriver."""

    def __init__(self, driver: webdriver.WebKitGTK) -> None:
        self.version = f"WebKitGTK {driver.capabilities['browserVersion']}"
        self._driver = driver
        self.complaints: list[str] = []
        self._in_frame = False
        driver.set_page_load_timeout(LOAD_TIMEOUT_S)

    def open(self, url: str) -> None:
        """See `Tab`."""
        self._enter(in_frame=False)
        self._driver.get(url)

    def evaluate(self, expression: str, *, in_frame: bool = False) -> Any:
        """See `Tab`."""
        self._enter(in_frame=in_frame)
        return self._driver.execute_script(f"return {expression}")

    def resize(self, width: int, height: int) -> None:
        """See `Tab`."""
        self._driver.set_window_size(width, height)

    def photograph(self) -> bytes:
        """See `Tab`."""
        self._enter(in_frame=False)
        return base64.b64decode(self._driver.get_screenshot_as_base64())

    def _enter(self, *, in_frame: bool) -> None:
        if in_frame == self._in_frame:
            return
        if in_frame:
            self._driver.switch_to.frame(0)
        else:
            self._driver.switch_to.default_content()
        self._in_frame = in_frame


@contextmanager
def chromium_tab_of(driver: Playwright) -> Iterator[Tab]:
    """A new Chromium of a Playwright that runs already: a process can hold only one."""
    arguments = [*chromium_flags(), HOSTS]
    browser = driver.chromium.launch(executable_path=chromium_path(), args=arguments)
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    yield ChromiumTab(page, f"Chromium {browser.version}")
    browser.close()


@contextmanager
def chromium_tab(_: int) -> Iterator[Tab]:
    """A new Chromium."""
    with sync_playwright() as driver, chromium_tab_of(driver) as opened:
        yield opened


@contextmanager
def firefox_tab(_: int) -> Iterator[Tab]:
    """A new Firefox."""
    with running_firefox() as address:
        session = Session(address)
        try:
            yield FirefoxTab(session)
        finally:
            session.close()


@contextmanager
def webkit_tab(port: int) -> Iterator[Tab]:
    """A new WebKitGTK, which cannot be told names: its requests go to the server as to a proxy."""
    with running_webkit(proxy=f"127.0.0.1:{port}") as driver:
        yield WebKitTab(driver)


TABS = {"Chromium": chromium_tab, "Firefox": firefox_tab, "WebKit": webkit_tab}


def tab(browser: str, port: int) -> AbstractContextManager[Tab]:
    """A new browser, one of `TABS`, for pages that a server on this port sends.

    Raises:
        BrowserNotFoundError: it is not installed.
    """
    return TABS[browser](port)


class Keeper:
    """A browser for many tests.

    One that died (WebKitGTK's has crashed in the software that draws its virtual screen) fails the
    test that it died in, and the next try has a new one.
    """

    def __init__(self, opens: Callable[[], AbstractContextManager[Tab]]) -> None:
        self._opens = opens
        self._stack = ExitStack()
        self._tab: Tab | None = None

    def tab(self) -> Tab:
        """The tab, which answers."""
        if self._tab is not None and not answers(self._tab):
            self.close()
        if self._tab is None:
            self._tab = self._stack.enter_context(self._opens())
        return self._tab

    def close(self) -> None:
        """End the browser; a dead one may refuse that too."""
        self._tab = None
        with suppress(Exception):
            self._stack.close()


def answers(tab: Tab) -> bool:
    """Whether the browser is there. Each driver has errors of its own for one that is not."""
    with suppress(Exception):
        return bool(tab.evaluate("1 + 1") == 2)
    return False
