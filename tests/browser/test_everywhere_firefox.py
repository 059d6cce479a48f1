"""Every figure in Firefox: over HTTP, from disk, in frames of another site, sandboxed or not."""

from tests.browser.cells import Cells


class TestFirefox(Cells):
    """What `Cells` asks, in this browser."""

    BROWSER = "Firefox"
