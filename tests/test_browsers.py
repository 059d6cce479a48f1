"""Finding a browser, on machines that have one, none, or one that does not start."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tests import browsers


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that is the whole path of a machine without browsers."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path / "playwright"))
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.delenv("FIREFOX", raising=False)
    monkeypatch.delenv("SIM_REQUIRE_ALL_BROWSERS", raising=False)
    monkeypatch.setattr(browsers, "CHROMIUM_PLACES", ())
    monkeypatch.setattr(browsers, "FIREFOX_PLACES", ())
    return tmp_path


def program(path: Path, status: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\nexit {status}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_what_is_on_the_path_is_taken(machine: Path) -> None:
    chromium = program(machine / "google-chrome")
    assert browsers.chromium_path() == str(chromium)


def test_a_name_that_only_refers_to_a_snap_is_passed_over(machine: Path) -> None:
    program(machine / "chromium-browser", status=1)
    chrome = program(machine / "google-chrome-stable")
    assert browsers.chromium_path() == str(chrome)


def test_playwrights_build_is_the_last_resort(machine: Path) -> None:
    build = program(machine / "playwright/chromium-1200/chrome-linux64/chrome")
    assert browsers.chromium_path() == str(build)
    system = program(machine / "chromium")
    assert browsers.chromium_path() == str(system)


def test_the_environment_has_the_last_word(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(machine / "chromium")
    own = program(machine / "own/browser")
    monkeypatch.setenv("CHROMIUM", str(own))
    assert browsers.chromium_path() == str(own)
    monkeypatch.setenv("CHROMIUM", "/no/such/browser")
    with pytest.raises(browsers.BrowserNotFoundError, match="CHROMIUM=/no/such/browser"):
        browsers.chromium_path()


def test_a_missing_browser_is_an_error_that_says_what_to_do(machine: Path) -> None:
    with pytest.raises(browsers.BrowserNotFoundError, match="CHROMIUM=/path"):
        browsers.chromium_path()
    with pytest.raises(browsers.BrowserNotFoundError, match="firefox-esr"):
        browsers.firefox_path()
    with pytest.raises(browsers.BrowserNotFoundError, match="webkit2gtk-driver"):
        browsers.webkit_driver_path()


@pytest.mark.parametrize(("required", "status"), [("1", 1), ("0", 0), ("", 0)])
def test_a_missing_firefox_fails_only_where_all_are_required(
    machine: Path, monkeypatch: pytest.MonkeyPatch, required: str, status: int
) -> None:
    program(machine / "chromium")
    monkeypatch.setenv("SIM_REQUIRE_ALL_BROWSERS", required)
    assert browsers.main([]) == status


def test_installing_stops_at_the_first_way_that_brings_a_browser(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[str, ...]] = []

    def run(command: tuple[str, ...], *, quiet: bool = False) -> bool:
        calls.append(command)
        if "install" in command and "apt-get" in command:
            program(machine / "chromium")
        return True

    monkeypatch.setattr(browsers, "_run", run)
    monkeypatch.setattr(browsers, "_system_id", lambda: "debian")
    monkeypatch.setattr(browsers, "_root_prefix", lambda: ("sudo", "-n"))
    assert browsers.main(["--install"]) == 0
    assert [command[:4] for command in calls] == [
        ("sudo", "-n", "apt-get", "update"),
        ("sudo", "-n", "apt-get", "install"),
    ]


def test_installing_falls_back_to_playwright(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(command: tuple[str, ...], *, quiet: bool = False) -> bool:
        if "playwright" not in command:
            return False
        program(machine / "playwright/chromium-1/chrome-linux/chrome")
        return True

    monkeypatch.setattr(browsers, "_run", run)
    monkeypatch.setattr(browsers, "_system_id", lambda: "ubuntu")
    assert browsers.install_chromium().endswith("chromium-1/chrome-linux/chrome")
