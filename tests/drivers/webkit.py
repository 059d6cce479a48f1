"""WebKitGTK, driven by its own WebDriver in a virtual display."""

from __future__ import annotations

import os
import shutil
import subprocess
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.common.proxy import Proxy

from tests.browsers import BrowserNotFoundError, webkit_driver_path
from tests.drivers.page import wait_for

# The test browser comes with the library and is not on the path.
MINI_BROWSERS = "/usr/lib/*/webkit2gtk-4.*/MiniBrowser"


def open_in_webkit(url: str, condition: str, timeout_s: float = 60.0) -> Any:
    """Opens a page in a new WebKitGTK, waits for JavaScript to be true, and returns its value.

    Raises:
        BrowserTimeoutError: the condition was not true within `timeout_s` seconds.
        BrowserNotFoundError: WebKitGTK's driver, its test browser, or Xvfb is not installed.
    """
    with running_webkit() as driver:
        driver.set_page_load_timeout(timeout_s)
        driver.get(url)
        return wait_for(
            lambda script: driver.execute_script(f"return {script}"), condition, timeout_s
        )


@contextmanager
def running_webkit(proxy: str | None = None) -> Iterator[webdriver.WebKitGTK]:
    """Starts WebKitGTK's test browser and its driver; `proxy` is a host and port for HTTP."""
    options = webdriver.WebKitGTKOptions()
    options.binary_location = mini_browser_path()
    options.add_argument("--automation")
    if proxy:
        options.proxy = Proxy({"proxyType": "manual", "httpProxy": proxy})
    with virtual_display() as display:
        service = webdriver.WebKitGTKService(
            executable_path=webkit_driver_path(), env={**os.environ, "DISPLAY": display}
        )
        with warnings.catch_warnings():
            # Selenium's own class for WebKitGTK calls its base in a way that the base deprecates.
            warnings.simplefilter("ignore", DeprecationWarning)
            driver = webdriver.WebKitGTK(options=options, service=service)
        try:
            yield driver
        finally:
            driver.quit()


def mini_browser_path() -> str:
    """The path of the browser that WebKitGTK's driver starts."""
    found = sorted(Path("/").glob(MINI_BROWSERS.removeprefix("/")))
    if not found:
        raise BrowserNotFoundError(f"No {MINI_BROWSERS} (Debian's package: webkit2gtk-driver)")
    return str(found[-1])


@contextmanager
def virtual_display() -> Iterator[str]:
    """The name of an X display: the one that is there, or one of our own."""
    present = os.environ.get("DISPLAY")
    if present:
        yield present
        return
    xvfb = shutil.which("Xvfb")
    if xvfb is None:
        raise BrowserNotFoundError("No Xvfb was found (Debian's package: xvfb)")
    read_end, write_end = os.pipe()
    process = subprocess.Popen(
        [xvfb, "-displayfd", str(write_end), "-nolisten", "tcp", "-screen", "0", "1280x1024x24"],
        pass_fds=[write_end],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(write_end)
    try:
        with os.fdopen(read_end) as number:
            yield f":{number.readline().strip()}"
    finally:
        process.terminate()
        process.wait()
