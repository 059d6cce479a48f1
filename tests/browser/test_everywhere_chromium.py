"""Every figure in Chromium: over HTTP, from disk, in frames of another site, sandboxed or not."""

from tests.browser.cells import Cells


class TestChromium(Cells):
    """What `Cells` asks, in this browser."""

    BROWSER = "Chromium"
