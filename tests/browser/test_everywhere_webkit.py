"""Every figure in WebKit: over HTTP, from disk, in frames of another site, sandboxed or not."""

from tests.browser.cells import Cells


class TestWebKit(Cells):
    """What `Cells` asks, in this browser."""

    BROWSER = "WebKit"
