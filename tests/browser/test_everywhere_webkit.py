"""Every figure in WebKit: over HTTP, from disk, in frames of another site, sandboxed or not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser.cells import every_lack, every_page, every_place, lives, says_why, tab_or_skip
from tests.drivers.server import StaticServer
from tests.drivers.tabs import Tab


@pytest.fixture(scope="module")
def opened(published: StaticServer) -> Iterator[Tab]:
    yield from tab_or_skip("WebKit", published)


@every_page
def test_every_widget_lives(opened: Tab, published: StaticServer, place: str, page: str) -> None:
    lives(opened, published, place, page)


@every_place
@every_lack
def test_what_is_forbidden_is_said(
    opened: Tab, published: StaticServer, place: str, lack: str
) -> None:
    says_why(opened, published, place, lack)
