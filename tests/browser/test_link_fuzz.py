"""A thousand damaged links in one page and its worker: each is read back whole, or refused."""

from __future__ import annotations

import re
from random import Random
from typing import Any

from playwright.sync_api import Page

import pysims
from pysims.link import link_from
from pysims.widget.session import Session, command, link_of, opened
from tests.browser.conftest import ready
from tests.test_link import STORIES, damaged
from tests.test_link import link_of as story_link

FIGURE = "hash-ring-jump"
LINKS = 1_000
# So many of them come in by the address bar, as a reader's do; the others by the message alone.
BY_ADDRESS = 100

# Asks for each link, and for the run after it; gives all answers at once, the frames left out.
FOLLOW = """async (widget, links) => {
  const answers = [];
  for (const value of links) {
    const { html, refused = false, error = null } = await widget.ask({ do: "follow", value });
    const page = html && new DOMParser().parseFromString(html, "text/html");
    answers.push({
      refused, error,
      says: page?.querySelector(".sim-message")?.textContent.trim() ?? "",
      foreign: page?.querySelectorAll("script, img, iframe, style, link, [onerror]").length ?? 0,
      digest: (await widget.ask({ do: "digest" })).digest,
      link: (await widget.ask({ do: "link" })).link ?? null,
    });
  }
  return answers;
}"""

BY_HASH = """async (widget, links) => {
  const turn = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  for (const value of links) {
    // An address in the bar holds no half characters and no line breaks.
    location.hash = `#${widget.id}?${encodeURI(value.toWellFormed())}`;
    await turn(5);
  }
  await widget.ask({ do: "digest" });
}"""


def links() -> list[str]:
    """Damaged links, nine of ten to runs of this figure's pattern; the same every time."""
    draws = Random(8)  # a seed and not a secret
    texts = [story_link(*story).text for story in STORIES]
    ours = [story_link(*story).text for story in STORIES if story[0] == "hash_ring"]
    found: list[str] = []
    while len(found) < LINKS:
        text = draws.choice(ours if len(found) % 10 else texts)
        for _ in range(draws.randint(1, 3)):
            text = damaged(text, draws, texts) if text else text
        # No reader's link: a message is text in JSON, which has no half characters.
        if text.isprintable() or text.isascii():
            found.append(text)
    return found


def followed(session: Session, link: str) -> tuple[Session, str]:
    """What CPython makes of it: the run after it, and the sentence of a refusal."""
    try:
        return command(session, {"do": "follow", "value": link}), ""
    except (ValueError, pysims.kernel.RunLimit) as problem:
        return session, f"{problem}."


def test_a_thousand_damaged_links_are_read_back_whole_or_refused(page: Page, address: str) -> None:
    page.goto(f"{address}embed/hash_ring/jump.html")
    widget = ready(page, FIGURE)
    session = opened("x", "hash_ring", "jump")
    tried = links()
    answers: list[dict[str, Any]] = widget.evaluate(FOLLOW, tried)
    refused = 0
    for link, answer in zip(tried, answers, strict=True):
        before = session
        session, says = followed(session, link)
        assert answer["error"] is None, link
        assert answer["foreign"] == 0, link
        assert answer["refused"] == bool(says), link
        assert answer["digest"] == pysims.kernel.digest_of(session.history), link
        assert answer["link"] == link_of(session), link
        if says:
            refused += 1
            assert session is before
            assert re.sub(r"\s+", " ", answer["says"]) == re.sub(r"\s+", " ", says).strip(), link
        else:
            assert link_from(answer["link"]) == link_from(link_of(session))
    # Both ways are really walked.
    assert 100 < refused < LINKS - 100
    widget.evaluate(BY_HASH, tried[:BY_ADDRESS])
    assert page.locator(f"#{FIGURE}[data-ready]").count() == 1
    assert page.locator(f"#{FIGURE} > .sim-notice").count() == 0
