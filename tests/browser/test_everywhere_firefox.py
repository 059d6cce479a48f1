"""Every figure in Firefox: over HTTP, from disk, in frames of another site, sandboxed or not."""

from tests.browser.cells import (
    keeper,
    opened,
    test_every_widget_lives,
    test_what_is_forbidden_is_said,
)

__all__ = [
    "BROWSER",
    "keeper",
    "opened",
    "test_every_widget_lives",
    "test_what_is_forbidden_is_said",
]

BROWSER = "Firefox"
