"""A page in Firefox and in WebKit, and a script that plays its widgets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.drivers import open_in_firefox, open_in_webkit

OPEN: dict[str, Callable[..., Any]] = {"firefox": open_in_firefox, "webkit": open_in_webkit}

# Evaluated again and again until it gives something: goes from figure to figure, waits for Python,
# asks for the digest of its run, and at last steps back and waits for the clock to change and for
# the lines of the event to be lit.
PLAYED = """(() => {
  const notice = document.querySelector(".sim-notice--bad");
  if (notice) return {failed: notice.textContent};
  if (!window.customElements.get("sim-widget")) return null;
  if (!window.asked) window.asked = (async () => {
    const digests = {};
    const widgets = [...document.querySelectorAll("sim-widget")];
    for (const widget of widgets) {
      widget.scrollIntoView();
      const {pattern, scenario} = widget.dataset;
      digests[`${pattern}/${scenario}`] = (await widget.ask({do: "digest"})).digest;
    }
    const clock = () => widgets.at(-1).querySelector(".sim-clock").textContent;
    const before = clock();
    widgets.at(-1).querySelector("[data-do=back]").click();
    widgets.at(-1).querySelector("details[data-panel=code]").open = true;
    const lit = () => widgets.at(-1).querySelector(".sim-code-ran");
    window.played = () => clock() !== before && lit() && digests;
  })().catch((problem) => { window.played = () => ({failed: String(problem)}); });
  return window.played?.() || null;
})()"""
