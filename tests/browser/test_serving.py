"""`make serve`: a page that has changed on disk is shown anew, and its policy allows for that."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.browser.conftest import ROOT

MKDOCS = """site_name: A site
use_directory_urls: false
theme: {{name: material, custom_dir: '{overrides}', font: false}}
extra: {{serving: !ENV [SIM_SERVING, ""]}}
"""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A page under this site's theme, served with what `serve-once` in the Makefile says."""
    page = tmp_path / "docs" / "index.md"
    page.parent.mkdir()
    page.write_text("# Before\n", "utf-8")
    (tmp_path / "mkdocs.yml").write_text(MKDOCS.format(overrides=ROOT / "overrides"), "utf-8")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    recipe = (ROOT / "Makefile").read_text("utf-8").partition("\nserve-once:")[2]
    words = recipe.partition("--dev-addr")[0].partition("@")[2].split()
    variables = dict(word.split("=", 1) for word in words if "=" in word)
    options = [word for word in words if word.startswith("--")]
    command = [sys.executable, "-m", "mkdocs", "serve", *options, "--dev-addr", f"127.0.0.1:{port}"]
    server = subprocess.Popen(command, cwd=tmp_path, env={**os.environ, **variables})
    address = f"http://127.0.0.1:{port}/index.html"
    try:
        wait_for_answer(address)
        yield page, address
    finally:
        server.terminate()
        server.wait(30)


def wait_for_answer(address: str) -> None:
    """Returns once there is a page; fails after half a minute."""
    ends = time.monotonic() + 30
    while True:
        try:
            urllib.request.urlopen(address, timeout=10).close()  # noqa: S310
        except OSError:
            assert time.monotonic() < ends, "the server does not answer"
            time.sleep(0.1)
        else:
            return


def test_a_changed_page_reloads_by_itself(
    served: tuple[Path, str], context: BrowserContext
) -> None:
    source, address = served
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(address)
    expect(page.locator("h1")).to_have_text("Before")
    source.write_text("# After\n", "utf-8")
    expect(page.locator("h1")).to_have_text("After", timeout=20_000)
    assert [text for text in said if "Content Security Policy" in text] == []
