"""Every figure in Firefox: over HTTP, from disk, in frames of another site, sandboxed or not."""

from tests.browser.cells import opened, test_every_widget_lives, test_what_is_forbidden_is_said

__all__ = ["BROWSER", "opened", "test_every_widget_lives", "test_what_is_forbidden_is_said"]

BROWSER = "Firefox"
