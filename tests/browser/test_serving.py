"""`make serve`: a page that has changed on disk is shown anew, and its policy allows for that."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.browser.conftest import ROOT
from tests.drivers.serve import mkdocs_serving

MKDOCS = """site_name: A site
use_directory_urls: false
theme: {{name: material, custom_dir: '{overrides}', font: false}}
extra: {{serving: !ENV [SIM_SERVING, ""]}}
"""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A page under this site's theme, served as `make serve` does; its source and its address."""
    page = tmp_path / "docs" / "index.md"
    page.parent.mkdir()
    page.write_text("# Before\n", "utf-8")
    (tmp_path / "mkdocs.yml").write_text(MKDOCS.format(overrides=ROOT / "overrides"), "utf-8")
    with mkdocs_serving(tmp_path) as root:
        yield page, f"{root}index.html"


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
