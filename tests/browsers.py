"""The browsers that the tests drive: where they are, and how one is installed.

`python -m tests.browsers` prints what was found; with `--install` it installs a Chromium where
none is. Firefox and WebKitGTK are used where they are found; with `SIM_REQUIRE_ALL_BROWSERS=1` in
the environment, as in continuous integration, a test that lacks one must fail and not skip.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
CHROMIUM_PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
FIREFOX_NAMES = ("firefox-esr", "firefox")
FIREFOX_PLACES = ("/Applications/Firefox.app/Contents/MacOS/firefox",)
WEBKIT_DRIVER_NAME = "WebKitWebDriver"

# Chromium's own traffic would show up among the requests that the tests count, and its sandbox
# refuses to start as root.
CHROMIUM_FLAGS = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-sync",
    "--no-first-run",
)


class BrowserNotFoundError(RuntimeError):
    """No such browser is on this machine; the message says how to get one."""


def chromium_path() -> str:
    """Return the path of a Chromium or Chrome that runs.

    The environment's `CHROMIUM` comes first, then what is installed, then a build that Playwright
    has downloaded. Raises `BrowserNotFoundError`.
    """
    named = os.environ.get("CHROMIUM")
    if named:
        if found := shutil.which(named):
            return found
        raise BrowserNotFoundError(f"CHROMIUM={named} is not a program that can be run")
    found = _first_that_runs(CHROMIUM_NAMES, (*CHROMIUM_PLACES, *_playwright_builds()))
    if found is None:
        raise BrowserNotFoundError(
            "No Chromium was found. Install Chromium or Chrome, name one with CHROMIUM=/path, "
            "or let `python -m tests.browsers --install` try."
        )
    return found


def chromium_flags() -> list[str]:
    """Return the flags that a test's Chromium starts with."""
    as_root = ["--no-sandbox"] if _is_root() else []
    return [*CHROMIUM_FLAGS, *as_root]


def firefox_path() -> str:
    """Return the path of a Firefox; the environment's `FIREFOX` comes first.

    Raises `BrowserNotFoundError`.
    """
    named = os.environ.get("FIREFOX")
    found = _first_that_runs((named,) if named else FIREFOX_NAMES, FIREFOX_PLACES)
    if found is None:
        raise BrowserNotFoundError("No Firefox was found (Debian's package: firefox-esr)")
    return found


def webkit_driver_path() -> str:
    """Return the path of WebKitGTK's WebDriver. Raises `BrowserNotFoundError`."""
    # Unlike a browser, the driver need not know `--version`.
    found = shutil.which(WEBKIT_DRIVER_NAME)
    if found is None:
        raise BrowserNotFoundError(
            "No WebKitWebDriver was found (Debian's package: webkit2gtk-driver)"
        )
    return found


def all_browsers_required() -> bool:
    """Return whether a missing Firefox or WebKitGTK must fail the tests instead of skipping."""
    return os.environ.get("SIM_REQUIRE_ALL_BROWSERS", "") not in ("", "0")


def install_chromium() -> str:
    """Install a Chromium by the system's packages or by Playwright, and return its path.

    Raises `BrowserNotFoundError` when neither way works.
    """
    for commands in _ways_to_install():
        # The first way that brings a browser that runs is enough; a failed one prints its reason.
        if all(_run(command) for command in commands):
            try:
                return chromium_path()
            except BrowserNotFoundError:
                continue
    return chromium_path()


def _ways_to_install() -> Iterable[Sequence[Sequence[str]]]:
    # Ubuntu's package of that name only refers to a snap, which does not run in containers.
    if _system_id() == "debian" and (as_root := _root_prefix()) is not None:
        yield (
            (*as_root, "apt-get", "update", "-qq"),
            (*as_root, "apt-get", "install", "-y", "-qq", "chromium"),
        )
    with_system_packages = ["--with-deps"] if sys.platform == "linux" and _is_root() else []
    yield ((sys.executable, "-m", "playwright", "install", *with_system_packages, "chromium"),)


def _system_id() -> str:
    try:
        lines = Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
    except OSError:
        return sys.platform
    entries = dict(line.split("=", 1) for line in lines if "=" in line)
    return entries.get("ID", "").strip('"')


def _root_prefix() -> tuple[str, ...] | None:
    """Return what goes before a command that needs root, or None where we may not be root."""
    if _is_root():
        return ()
    if shutil.which("sudo") and _run(("sudo", "-n", "true"), quiet=True):
        return ("sudo", "-n")
    return None


def _is_root() -> bool:
    return sys.platform != "win32" and os.geteuid() == 0


def _playwright_builds() -> list[str]:
    """Return the Chromium builds in Playwright's cache, the newest first."""
    default = {"darwin": "Library/Caches", "win32": "AppData/Local"}.get(sys.platform, ".cache")
    home = os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or Path.home() / default / "ms-playwright"
    programs = (
        "chrome-linux*/chrome",
        "chrome-mac*/*.app/Contents/MacOS/*",
        "chrome-win*/chrome.exe",
    )
    found = [path for program in programs for path in Path(home).glob(f"chromium-*/{program}")]
    return [str(path) for path in sorted(found, key=lambda path: path.stat().st_mtime)][::-1]


def _first_that_runs(names: Iterable[str], places: Iterable[str]) -> str | None:
    candidates = [*(shutil.which(name) for name in names), *(shutil.which(at) for at in places)]
    return next((path for path in candidates if path and _runs(path)), None)


def _runs(path: str) -> bool:
    """Return whether the program prints its version: Ubuntu has one that only names a snap."""
    try:
        done = subprocess.run(
            [path, "--version"],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=60,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _run(command: Sequence[str], *, quiet: bool = False) -> bool:
    if not quiet:
        print("$", *command, flush=True)
    try:
        done = subprocess.run(
            command,
            capture_output=quiet,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            check=False,
        )
    except OSError as error:
        print(error, file=sys.stderr)
        return False
    return done.returncode == 0


def main(arguments: Sequence[str]) -> int:
    """Print the browsers, installing a Chromium first if asked; return the exit status."""
    try:
        chromium = chromium_path()
    except BrowserNotFoundError as missing:
        if "--install" not in arguments:
            print(missing, file=sys.stderr)
            return 1
        try:
            chromium = install_chromium()
        except BrowserNotFoundError as still_missing:
            print(still_missing, file=sys.stderr)
            return 1
    print("Chromium:", chromium)
    for name, find in (("Firefox", firefox_path), ("WebKitGTK", webkit_driver_path)):
        try:
            print(f"{name}: {find()}")
        except BrowserNotFoundError as missing:
            print(f"{name}: {missing}")
            if all_browsers_required():
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
